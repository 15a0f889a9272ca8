/*
 * Names: folders, links, rename, stat, permissions.
 */
#include "abi.h"
#include <dirent.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

static void
show_stat(const char *what, const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		say(what, "%s", errname(errno));
	else
		say(what, "mode %o links %d size %ld", st.st_mode, (int)st.st_nlink,
		    S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
}

FAMILY(stat)
{
	struct stat st, st2;
	char name[300], path[5000];

	close(file_of("file", 123));
	mkdir("dir", 0750);
	symlink("file", "link");
	mkfifo("fifo", 0600);
	show_stat("file", "file");
	show_stat("folder", "dir");
	show_stat("link", "link");
	show_stat("fifo", "fifo");
	show_stat("none", "none");
	show_stat("device", "/dev/null");
	stat("link", &st);
	stat("file", &st2);
	say("through a link", "%d", st.st_ino == st2.st_ino && st.st_dev == st2.st_dev);
	say("blocks", "%ld %ld", (long)st.st_blksize, (long)st.st_blocks);
	stat("/dev/null", &st);
	say("null is", "%d %d", major(st.st_rdev), minor(st.st_rdev));
	memset(name, 'n', 299);
	name[299] = 0;
	CHECK("a name too long", stat, name, &st);
	name[255] = 0;
	CHECK("a name of 255", stat, name, &st);
	memset(path, '/', 4999);
	path[4999] = 0;
	CHECK("a path too long", stat, path, &st);
	path[4095] = 0;
	CHECK("a path of 4095", stat, path, &st);
	CHECK("empty", stat, "", &st);
	CHECK("empty, of a descriptor", newfstatat, AT_FDCWD, "", &st, AT_EMPTY_PATH);
	CHECK("with a flag that is not", newfstatat, AT_FDCWD, "file", &st, 0x80000);
	CHECK("from no descriptor", newfstatat, 999, "file", &st, 0);
	CHECK("statx", statx, AT_FDCWD, "file", 0, 0x7ff, path);
	CHECK("statx with a flag", statx, AT_FDCWD, "file", 0x80000, 0x7ff, path);
	CHECK("statx with a reserved mask", statx, AT_FDCWD, "file", 0, 0x80000000u, path);
	CHECK("statfs", statfs, ".", path);
	CHECK("statfs of none", statfs, "none", path);
	CHECK("fstatfs of closed", fstatfs, 999, path);
	for (int mode = 0; mode < 9; mode++)
		CHECK(named("access %d", mode), access, "file", mode);
	CHECK("access of a link to nothing", access, "none", 0);
	CHECK("faccessat2 with a flag", faccessat2, AT_FDCWD, "file", 0, 0x80000);
	CHECK("faccessat2", faccessat2, AT_FDCWD, "file", 4, 0x200);
	CHECK("readlink", readlink, "link", name, 100);
	CHECK("readlink, short", readlink, "link", name, 2);
	CHECK("readlink of 0", readlink, "link", name, 0);
	CHECK("readlink of a file", readlink, "file", name, 100);
	CHECK("readlink of none", readlink, "none", name, 100);
}

FAMILY(folders)
{
	char deep[600] = "", cwd[100];
	int count = 0, fd;
	struct dirent *de;
	DIR *dir;

	CHECK("make", mkdir, "a", 0777);
	CHECK("make again", mkdir, "a", 0777);
	CHECK("make below", mkdir, "a/b/", 0700);
	CHECK("make below nothing", mkdir, "x/y", 0700);
	CHECK("make empty", mkdir, "", 0700);
	CHECK("make dot", mkdir, ".", 0700);
	CHECK("make root", mkdir, "/", 0700);
	show_stat("it is", "a");
	show_stat("below it", "a/b");
	CHECK("sticky", mkdir, "s", 07777);
	show_stat("sticky is", "s");
	CHECK("remove what is not empty", rmdir, "a");
	CHECK("remove dot", rmdir, "a/.");
	CHECK("remove dot dot", rmdir, "a/b/..");
	CHECK("unlink a folder", unlink, "a");
	CHECK("remove", rmdir, "a/b");
	CHECK("remove again", rmdir, "a/b");
	close(file_of("f", 1));
	CHECK("remove a file", rmdir, "f");
	CHECK("remove a file with a slash", rmdir, "f/");
	CHECK("unlink a file with a slash", unlink, "f/");
	CHECK("remove the root", rmdir, "/");
	CHECK("unlinkat with a flag", unlinkat, AT_FDCWD, "f", 1);
	for (int i = 0; i < 40; i++) {
		strcat(deep, i ? "/d" : "d");
		count += mkdir(deep, 0755) == 0;
	}
	say("deep", "%d", count);
	for (char *slash; (slash = strrchr(deep, '/')) != NULL; *slash = '\0')
		count -= rmdir(deep) == 0;
	say("and back", "%d", count - (rmdir("d") == 0));
	for (int i = 0; i < 100; i++)
		close(open(named("a/%d", i), O_CREAT | O_WRONLY, 0600));
	dir = opendir("a");
	count = 0;
	while (dir != NULL && (de = readdir(dir)) != NULL)
		count += de->d_type == DT_REG ? 100 : 1;
	say("entries", "%d", count);
	rewinddir(dir);
	count = 0;
	while ((de = readdir(dir)) != NULL) /* removing while it is read loses none */
		count += unlinkat(dirfd(dir), de->d_name, 0) == 0;
	say("removed while read", "%d", count);
	fd = open("a", O_RDONLY);
	CHECK("getdents, short", getdents64, fd, deep, 10);
	CHECK("getdents of a file", getdents64, 1, deep, 100);
	CHECK("chdir", chdir, "a");
	CHECK("getcwd, short", getcwd, cwd, 3);
	CHECK("getcwd of 0", getcwd, cwd, 0);
	say("cwd", "%s", getcwd(cwd, sizeof(cwd)) != NULL ? cwd : errname(errno));
	CHECK("remove it", rmdir, "../a");
	CHECK("getcwd of what is gone", getcwd, cwd, sizeof(cwd));
	CHECK_OK("make in what is gone", open, "x", O_CREAT | O_RDWR, 0600);
	CHECK("mkdir in what is gone", mkdir, "x", 0700);
	CHECK("stat of it", access, ".", 0);
	CHECK("up from it", chdir, "..");
	CHECK("fchdir to it", fchdir, fd);
	CHECK("fchdir to a file", fchdir, 1);
	CHECK("chdir to a file", chdir, "/dev/null");
	CHECK("chdir to none", chdir, "none");
}

FAMILY(links)
{
	struct stat a, b;

	close(file_of("a", 5));
	mkdir("d", 0755);
	CHECK("link", link, "a", "b");
	stat("a", &a);
	stat("b", &b);
	say("the same", "%d, links %d", a.st_ino == b.st_ino, (int)a.st_nlink);
	CHECK("link again", link, "a", "b");
	CHECK("link of none", link, "none", "c");
	CHECK("link of a folder", link, "d", "c");
	CHECK("link below none", link, "a", "none/c");
	CHECK("link below a file", link, "a", "b/c");
	CHECK("unlink the first", unlink, "a");
	show_stat("the second", "b");
	CHECK("symlink", symlink, "b", "s");
	CHECK("symlink again", symlink, "b", "s");
	CHECK("symlink to nothing", symlink, "", "e");
	CHECK("link of a symlink", link, "s", "hs");
	show_stat("it is", "hs");
	CHECK("linkat followed", linkat, AT_FDCWD, "s", AT_FDCWD, "hb", AT_SYMLINK_FOLLOW);
	show_stat("that is", "hb");
	CHECK("linkat with a flag", linkat, AT_FDCWD, "s", AT_FDCWD, "x", 1);
	CHECK("symlink with a slash", symlink, "b", "t/");
	symlink("l1", "l2");
	symlink("l2", "l1");
	CHECK_OK("a loop", open, "l1", O_RDONLY);
	CHECK("chain", symlink, "s", "s2");
	CHECK_OK("through a chain", open, "s2", O_RDONLY);
}

FAMILY(rename)
{
	int fd = file_of("a", 5);
	char byte;

	close(file_of("b", 6));
	mkdir("d", 0755);
	mkdir("d/e", 0755);
	mkdir("empty", 0755);
	symlink("a", "s");
	CHECK("a file over a file", rename, "a", "b");
	show_stat("what is there", "b");
	show_stat("what was there", "a");
	CHECK("read of the moved", read, fd, &byte, 1);
	CHECK("of none", rename, "a", "b");
	CHECK("to itself", rename, "b", "b");
	link("b", "b2");
	CHECK("to another name of it", rename, "b", "b2");
	show_stat("both stay", "b");
	CHECK("a file over a folder", rename, "b", "d");
	CHECK("a folder over a file", rename, "d", "b");
	CHECK("a folder over one that is not empty", rename, "empty", "d");
	CHECK("a folder over an empty one", rename, "d", "empty");
	show_stat("moved", "empty/e");
	CHECK("into itself", rename, "empty", "empty/e/x");
	CHECK("onto its parent", rename, "empty/e", "empty");
	CHECK("dot", rename, ".", "x");
	CHECK("dot dot", rename, "empty/..", "x");
	CHECK("over dot", rename, "b", "empty/.");
	CHECK("a symlink", rename, "s", "s2");
	show_stat("it is one", "s2");
	CHECK("below none", rename, "b", "none/x");
	CHECK("a file with a slash", rename, "b/", "x");
	CHECK("a file to a slash", rename, "b", "x/");
	CHECK("a folder to a slash", rename, "empty", "y/");
	CHECK("not replacing", renameat2, AT_FDCWD, "b", AT_FDCWD, "s2", 1);
	CHECK("not replacing nothing", renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 1);
	CHECK("exchange", renameat2, AT_FDCWD, "c", AT_FDCWD, "y", 2);
	show_stat("exchanged", "y");
	CHECK("exchange with nothing", renameat2, AT_FDCWD, "c", AT_FDCWD, "none", 2);
	CHECK("both", renameat2, AT_FDCWD, "c", AT_FDCWD, "z", 3);
	CHECK("nonsense", renameat2, AT_FDCWD, "c", AT_FDCWD, "z", 64);
}

FAMILY(permissions)
{
	struct stat st;

	close(file_of("f", 5));
	for (int mode = 0; mode <= 07777; mode = mode * 2 + 1) {
		chmod("f", (mode_t)mode);
		stat("f", &st);
		say(named("chmod %o", mode), "%o", st.st_mode);
	}
	CHECK("chmod of none", chmod, "none", 0600);
	CHECK("fchmod of closed", fchmod, 999, 0600);
	CHECK("chown", chown, "f", 1, 2);
	stat("f", &st);
	say("owner", "%d %d, mode %o", st.st_uid, st.st_gid, st.st_mode);
	CHECK("chown to nobody new", chown, "f", -1, -1);
	CHECK("lchown", lchown, "f", 3, -1);
	stat("f", &st);
	say("owner then", "%d %d", st.st_uid, st.st_gid);
	CHECK("fchownat with a flag", fchownat, AT_FDCWD, "f", 0, 0, 1);
	for (int mask = 0; mask < 01000; mask = mask * 2 + 1) {
		umask((mode_t)mask);
		close(open("new", O_CREAT | O_WRONLY, 0777));
		stat("new", &st);
		unlink("new");
		say(named("umask %o", mask), "%o", st.st_mode & 0777);
	}
	CHECK("umask of all", umask, -1);
	CHECK("umask told", umask, 022);
	CHECK("utimensat", utimensat, AT_FDCWD, "f", ((struct timespec[]){{1000, 5}, {2000, 6}}),
	      0);
	stat("f", &st);
	say("times", "%ld.%ld %ld.%ld", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
	    (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	CHECK("utimensat, nonsense", utimensat, AT_FDCWD, "f",
	      ((struct timespec[]){{1, 2000000000}, {2, 6}}), 0);
	CHECK("utimensat, neither", utimensat, AT_FDCWD, "f",
	      ((struct timespec[]){{0, UTIME_OMIT}, {0, UTIME_OMIT}}), 0);
	CHECK("mknod of a fifo", mknod, "p", S_IFIFO | 0640, 0);
	show_stat("fifo", "p");
	CHECK("mknod of a file", mknod, "r", S_IFREG | 0640, 0);
	show_stat("file", "r");
	CHECK("mknod of a folder", mknod, "q", S_IFDIR | 0640, 0);
}

static void
as_user(void *arg)
{
	const char *path = arg;

	setgid(1000);
	setuid(1000);
	_exit(open(path, O_RDONLY) >= 0 ? 0 : errno);
}

static void
regains(void *arg)
{
	(void)arg;
	setuid(1000);
	_exit(setuid(0) == 0 ? 0 : errno);
}

FAMILY(credentials)
{
	uint32_t r, e, s;
	gid_t groups[4] = {5, 6, 7, 8};

	close(file_of("mine", 5));
	chmod("mine", 0600);
	close(file_of("theirs", 5));
	chmod("theirs", 0644);
	CHECK("uid", getuid);
	CHECK("egid", getegid);
	say("another's file", "%s", ending(as_user, "mine"));
	say("a public file", "%s", ending(as_user, "theirs"));
	say("back to root", "%s", ending(regains, NULL));
	CHECK("setgroups", setgroups, 2, groups);
	CHECK("getgroups", getgroups, 0, NULL);
	CHECK("getgroups, short", getgroups, 1, groups);
	CHECK("setgroups of too many", setgroups, 100000, groups);
	CHECK("setresuid", setresuid, 1000, 1001, 0);
	CHECK("getresuid", getresuid, &r, &e, &s);
	say("they are", "%u %u %u", r, e, s);
	CHECK("seteuid back", setresuid, -1, 0, -1);
	CHECK("setreuid", setreuid, 5, -1);
	CHECK("uid then", getuid);
	CHECK("setresgid", setresgid, 7, 8, 9);
	CHECK("getegid", getegid);
	CHECK("setfsuid", setfsuid, 3);
	CHECK("setfsuid told", setfsuid, -1);
}

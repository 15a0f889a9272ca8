/*
 * Names of files: made, linked, moved and removed, with each refusal's errno. The host and Quire must
 * print the same. argv[1]: a folder to work in.
 */
#define _GNU_SOURCE
#include "tell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

enum { RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2 };
struct statx {
	unsigned stx_mask, pad0[3], stx_nlink, pad1[2];
	unsigned short stx_mode, pad2;
	unsigned long stx_ino, stx_size, rest[26];
};

static int
touch(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0644);

	return (fd < 0 ? fd : close(fd));
}

static int
rename2(const char *from, const char *to, unsigned flags)
{
	return (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
}

/* Whether the file is there, of what type, how many names it has. */
static void
look(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		printf("%s: errno %d\n", path, errno);
	else
		printf("%s: %o, %lu links, %ld bytes\n", path, st.st_mode, (long)st.st_nlink,
		       S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
}

static void
where(void)
{
	char cwd[4096], *base;

	if (getcwd(cwd, sizeof(cwd)) == NULL) {
		printf("cwd: errno %d\n", errno);
		return;
	}
	base = strstr(cwd, "/paths");
	printf("cwd: %s\n", base != NULL ? base : cwd);
}

static void
renames(void)
{
	T(mkdir("d", 0755));
	T(mkdir("d/e", 0700));
	T(mkdir("d/e/f", 0755));
	T(mkdir("empty", 0755));
	T(touch("a"));
	T(touch("b"));
	T(touch("d/file"));
	T(rename("a", "a2"));
	T(rename("a", "a3"));
	T(rename("a2", "b"));
	look("a2");
	look("b");
	T(rename("b", "d"));
	T(rename("d", "b"));
	T(rename("d", "d/e/x"));
	T(rename("d", "d"));
	T(rename("d/e", "d"));
	T(rename("d/e/f", "d"));
	T(rename("empty", "d/e"));
	T(rename("d/e/f", "empty"));
	look("d/e");
	look("empty");
	T(rename("b", "empty/"));
	T(rename("b/", "c"));
	T(rename("b", "c/"));
	T(rename("empty", "new/"));
	look("new");
	T(rename(".", "x"));
	T(rename("d/..", "x"));
	T(rename("d", "."));
	T(rename("d", ".."));
	T(rename("/", "x"));
	T(rename("none/x", "y"));
	T(rename("b", "none/y"));
	T(rename("b/x", "y"));
	T(rename("b", "d/file/x"));
	T(rename("", "y"));
	T(rename("b", ""));
	T(rename2("b", "d/file", RENAME_NOREPLACE));
	T(rename2("b", "d/file2", RENAME_NOREPLACE));
	T(rename2("d/file2", "d/file2", RENAME_NOREPLACE));
	T(rename2("d/file2", "none", RENAME_EXCHANGE));
	T(rename2("d/file2", "new", RENAME_EXCHANGE));
	look("new");
	look("d/file2");
	look("d");
	look(".");
	T(rename2("d/file2", "new", RENAME_EXCHANGE));
	T(rename2("d", "d/e", RENAME_EXCHANGE));
	T(rename2("d/e", "d", RENAME_EXCHANGE));
	T(rename2("d/e", "new", RENAME_EXCHANGE | RENAME_NOREPLACE));
	T(rename2("d/e", "new", 64));
	T(rename("d/file", (char *)8));
	T(rename((char *)8, "x"));
	T(rename("/proc/version", "x"));
	T(rename("d/file", "/proc/x"));
}

static void
links(void)
{
	char buf[4200], target[4200];

	T(link("d/file", "hard"));
	look("hard");
	T(link("d/file", "hard"));
	T(link("d", "hard2"));
	T(link("none", "hard2"));
	T(link("hard", "none/x"));
	T(link("hard", "x/"));
	T(link("hard", "/proc/x"));
	T(rename("hard", "d/file"));
	look("hard");
	T(symlink("hard", "soft"));
	T(symlink("soft", "softer"));
	T(symlink("", "x"));
	T(symlink("hard", "soft"));
	T(symlink("none", "dangling"));
	T(symlink("loop", "loop"));
	T(symlink("d", "dirlink"));
	memset(target, 'a', sizeof(target));
	target[4096] = '\0';
	T(symlink(target, "x"));
	target[4095] = '\0';
	T(symlink(target, "x"));
	T(unlink("x"));
	look("soft");
	T(readlink("softer", buf, 2));
	T(readlink("softer", buf, sizeof(buf)));
	T(readlink("softer", buf, 0));
	T(readlink("hard", buf, 10));
	T(readlink("none", buf, 10));
	T(readlink("softer", (char *)8, 10));
	T(readlink("", buf, 10));
	T(link("soft", "hardsoft"));
	look("hardsoft");
	T(linkat(AT_FDCWD, "soft", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
	look("followed");
	T(linkat(AT_FDCWD, "soft", AT_FDCWD, "x", 1));
	T(open("loop", O_RDONLY));
	T(open("dangling", O_RDONLY));
	T(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600));
	T(close(open("dangling", O_CREAT | O_RDWR, 0600)));
	look("none");
	T(open("dirlink", O_RDONLY | O_NOFOLLOW));
	T(open("dirlink", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	T(mkdir("dirlink", 0755));
	T(mkdir("dirlink/", 0755));
	T(rmdir("dirlink"));
	T(rmdir("dirlink/"));
	T(unlink("dirlink/"));
	T(rename("dirlink/", "x"));
	look("dirlink/");
	T(unlink("hard/"));
	T(mkdir("hard/", 0755));
	T(unlink("d"));
	T(rmdir("hard"));
	T(rmdir("d"));
	T(rmdir("d/."));
	T(rmdir("d/.."));
	T(rmdir("/"));
	T(unlink("."));
	T(unlink(""));
	T(rmdir(""));
	T(unlinkat(AT_FDCWD, "d/e", AT_REMOVEDIR));
	T(unlinkat(AT_FDCWD, "hard", 8));
	T(unlinkat(99, "hard", 0));
	T(unlink("none"));
	T(unlink("none"));
	T(unlink("/proc/version"));
}

static void
nodes(void)
{
	struct stat st;
	int fd;

	umask(0);
	T(mknod("fifo", S_IFIFO | 0644, 0));
	T(mknod("sock", S_IFSOCK | 0600, 0));
	T(mknod("plain", 0640, 0));
	T(mknod("plain", S_IFREG | 0640, 0));
	T(mknod("null", S_IFCHR | 0666, 1 << 8 | 3));
	T(mknod("block", S_IFBLK | 0600, 7 << 8 | 250));
	T(mknod("dir", S_IFDIR | 0600, 0));
	T(mknod("bad", 0170000, 0));
	T(mknod("x/", S_IFREG, 0));
	look("fifo");
	look("sock");
	look("plain");
	T(stat("null", &st));
	printf("null: %o, %lx\n", st.st_mode, (long)st.st_rdev);
	T(stat("block", &st));
	printf("block: %o, %lx\n", st.st_mode, (long)st.st_rdev);
	T(fd = open("null", O_RDWR));
	T(write(fd, "abc", 3));
	T(close(fd));
	T(open("sock", O_RDWR));
	umask(027);
	T(mkdir("masked", 07777));
	look("masked");
	T(touch("maskfile"));
	look("maskfile");
	umask(022);
}

static void
opens(void)
{
	char buf[8];
	int fd;

	T(open("masked", O_RDWR));
	T(open("masked", O_CREAT | O_RDWR, 0600));
	T(open("masked/", O_CREAT | O_RDWR, 0600));
	T(open("newfile/", O_CREAT | O_RDWR, 0600));
	T(open("plain", O_DIRECTORY));
	T(open("plain/", O_RDONLY));
	T(open("plain", O_CREAT | O_EXCL, 0600));
	T(open("plain/x", O_RDONLY));
	T(open("", O_RDONLY));
	T(fd = open("plain", O_PATH));
	T(read(fd, buf, 1));
	T(write(fd, buf, 1));
	T(syscall(SYS_fchmod, fd, 0600));
	T(syscall(SYS_fchown, fd, 0, 0));
	T(ftruncate(fd, 0));
	T(fcntl(fd, F_GETFL));
	T(fcntl(fd, F_GETFD));
	T(lseek(fd, 0, SEEK_SET));
	T(fcntl(fd, F_SETFL, 0));
	T(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
	T(fchdir(fd));
	T(close(fd));
	T(fd = open("soft", O_PATH | O_NOFOLLOW));
	T(readlinkat(fd, "", buf, 8));
	T(close(fd));
	T(fd = open("masked", O_PATH));
	T(openat(fd, "x", O_RDONLY));
	T(fchdir(fd));
	where();
	T(chdir(".."));
	where();
	T(close(fd));
	T(fd = open(".", O_TMPFILE | O_RDWR, 0600));
	T(write(fd, "temporary", 9));
	snprintf(buf, sizeof(buf), "%d", fd);
	T(linkat(fd, "", AT_FDCWD, "temp", AT_EMPTY_PATH));
	look("temp");
	T(linkat(fd, "", AT_FDCWD, "temp2", AT_EMPTY_PATH));
	T(unlink("temp"));
	T(unlink("temp2"));
	T(linkat(fd, "", AT_FDCWD, "temp3", AT_EMPTY_PATH));
	T(close(fd));
	T(fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600));
	T(linkat(fd, "", AT_FDCWD, "temp", AT_EMPTY_PATH));
	T(close(fd));
	T(open(".", O_TMPFILE | O_RDONLY, 0600));
	T(open("plain", O_TMPFILE | O_RDWR, 0600));
	T(open("nothing", O_TMPFILE | O_RDWR, 0600));
	T(fd = open("plain", O_RDWR | O_APPEND | O_SYNC | O_NOATIME));
	T(fcntl(fd, F_GETFL));
	T(close(fd));
	T(creat("created", 0604));
	look("created");
	T(chdir("plain"));
	T(chdir("nothing"));
	T(fchdir(77));
}

static void
times(void)
{
	struct timespec ts[2] = {{1000, 5}, {2000, 7}};
	struct timeval tv[2] = {{3000, 9}, {4000, 11}};
	struct utimbuf ub = {5000, 6000};
	struct stat st, now;
	int fd = open("plain", O_RDWR);

#define TIMES()                                                                             \
	(stat("plain", &st), printf("atime %ld.%09ld mtime %ld.%09ld\n", st.st_atim.tv_sec, \
				    st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec))
	T(utimensat(AT_FDCWD, "plain", ts, 0));
	TIMES();
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_sec = -3;
	T(utimensat(AT_FDCWD, "plain", ts, 0));
	TIMES();
	T(futimens(fd, ts));
	ts[1].tv_nsec = UTIME_OMIT;
	T(utimensat(AT_FDCWD, "nothing", ts, 0));
	ts[1].tv_nsec = 1000000000;
	T(utimensat(AT_FDCWD, "plain", ts, 0));
	ts[1].tv_nsec = -1;
	T(utimensat(AT_FDCWD, "plain", ts, 0));
	T(utimensat(AT_FDCWD, "nothing", NULL, 0));
	T(utimensat(AT_FDCWD, "plain", NULL, 8));
	T(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0));
	T(syscall(SYS_utimensat, fd, NULL, NULL, AT_SYMLINK_NOFOLLOW));
	T(syscall(SYS_utimensat, 99, NULL, NULL, 0));
	T(syscall(SYS_utimes, "plain", tv));
	TIMES();
	tv[1].tv_usec = 1000000;
	T(syscall(SYS_utimes, "plain", tv));
	T(syscall(SYS_futimesat, AT_FDCWD, "plain", NULL));
	T(syscall(SYS_utime, "plain", &ub));
	TIMES();
	T(syscall(SYS_utime, "plain", (void *)8));
	stat("plain", &st);
	T(write(fd, "x", 1));
	stat("plain", &now);
	printf("write: mtime moved %d, ctime moved %d, atime moved %d\n",
	       now.st_mtime != st.st_mtime, now.st_ctim.tv_sec >= st.st_ctim.tv_sec,
	       now.st_atime != st.st_atime);
	T(pread(fd, &ub, 1, 0));
	stat("plain", &st);
	printf("read: atime moved %d\n", now.st_atime != st.st_atime);
	T(close(fd));
	stat(".", &st);
	usleep(20000);
	T(touch("timed"));
	stat(".", &now);
	printf("directory: mtime moved %d\n", memcmp(&now.st_mtim, &st.st_mtim, 16) != 0);
}

static void
statfses(void)
{
	struct statfs sf;
	struct statx stx;

	T(statfs(".", &sf));
	printf("type %lx, block %ld, name %ld, blocks %d, free %d\n", (long)sf.f_type,
	       (long)sf.f_bsize, (long)sf.f_namelen, sf.f_blocks > 1000, sf.f_bfree > 1000);
	T(statfs("/proc", &sf));
	printf("type %lx, blocks %ld\n", (long)sf.f_type, (long)sf.f_blocks);
	T(statfs("/dev/shm", &sf));
	printf("type %lx\n", (long)sf.f_type);
	T(statfs("nothing", &sf));
	T(syscall(SYS_statfs, ".", (void *)8));
	T(fstatfs(99, &sf));
	T(syscall(SYS_statx, AT_FDCWD, "plain", 0, 0x7ff, &stx));
	printf("mode %o, size %ld, links %d, all %d\n", stx.stx_mode, (long)stx.stx_size,
	       stx.stx_nlink, (stx.stx_mask & 0x7ff) == 0x7ff);
	T(syscall(SYS_statx, AT_FDCWD, "plain", 0x10, 0x7ff, &stx));
	T(syscall(SYS_statx, AT_FDCWD, "plain", 0x6000, 0x7ff, &stx));
	T(syscall(SYS_statx, AT_FDCWD, "plain", 0, 0x80000000, &stx));
	T(syscall(SYS_statx, AT_FDCWD, "plain", 0, 0x7ff, 8));
	T(syscall(SYS_statx, AT_FDCWD, "", 0, 0x7ff, &stx));
	T(syscall(SYS_statx, AT_FDCWD, "", AT_EMPTY_PATH, 0x7ff, &stx));
	T(syscall(SYS_newfstatat, AT_FDCWD, "plain", &stx, 1));
	T(access("plain", 010));
	T(access("plain", F_OK));
	T(access("plain", X_OK));
	T(access("plain", R_OK | W_OK));
	T(faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
	T(syscall(SYS_faccessat2, AT_FDCWD, "plain", 0, 1));
	T(syscall(SYS_listxattr, "nothing", NULL, 0));
	T(syscall(SYS_fgetxattr, 99, "user.x", NULL, 0));
}

/* A directory whose names go while it is read, and one that is removed. */
static void
reading(void)
{
	char name[32], seen[500] = {0};
	int count = 0, twice = 0, dfd;
	struct dirent *de;
	DIR *dir;

	T(mkdir("many", 0755));
	T(chdir("many"));
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		touch(name);
	}
	dir = opendir(".");
	while ((de = readdir(dir)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		twice += seen[atoi(de->d_name + 4)]++;
		count++;
		unlink(de->d_name);
	}
	printf("%d names, %d twice\n", count, twice);
	rewinddir(dir);
	for (count = 0; readdir(dir) != NULL; count++)
		;
	printf("%d names are left\n", count);
	closedir(dir);
	T(dfd = open(".", O_RDONLY | O_DIRECTORY));
	T(rmdir("../many"));
	where();
	T(touch("x"));
	T(mkdir("x", 0755));
	T(open(".", O_RDONLY));
	T(syscall(SYS_getdents64, dfd, seen, sizeof(seen)));
	T(close(4));
	T(chdir(".."));
	where();
	T(syscall(SYS_getdents64, dfd, seen, sizeof(seen)));
	T(close(dfd));
}

/* What is known of a place follows when it is moved. */
static void
moved(void)
{
	char buf[4096], *map;
	int fd, deep = 0;

	T(mkdir("p", 0755));
	T(mkdir("p/q", 0755));
	T(mkdir("p/q/r", 0755));
	T(mkdir("o", 0755));
	T(chdir("p/q/r"));
	where();
	T(rename("../../../p/q", "../../../o/qq"));
	where();
	T(chdir(".."));
	where();
	T(rename("../../o", "../../oo"));
	where();
	memset(buf, 0, sizeof(buf));
	T(readlink("/proc/self/cwd", buf, sizeof(buf)) > 0);
	printf("%s\n", strstr(buf, "/paths"));
	T(chdir("../.."));
	look("p");
	look("oo");
	T(fd = open("mapped", O_CREAT | O_RDWR, 0600));
	T(ftruncate(fd, 4096));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	strcpy(map, "still here");
	T(rename("mapped", "oo/mapped2"));
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	T(unlink("oo/mapped2"));
	T(pread(fd, buf, 11, 0));
	printf("%s\n", buf);
	T(pwrite(fd, "STILL", 5, 0));
	printf("%s\n", map);
	T(close(fd));
	printf("%s\n", map);
	T(munmap(map, 4096));
	for (; deep < 600 && mkdir("deeper", 0755) == 0 && chdir("deeper") == 0; deep++)
		;
	printf("%d deep\n", deep);
	where();
	for (; deep > 0 && chdir("..") == 0 && rmdir("deeper") == 0; deep--)
		;
	printf("%d are left\n", deep);
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	umask(022);
	if (argc < 2 || chdir(argv[1]) != 0 || mkdir("paths", 0755) != 0 || chdir("paths") != 0)
		return (1);
	renames();
	links();
	nodes();
	opens();
	times();
	statfses();
	reading();
	moved();
	return (0);
}

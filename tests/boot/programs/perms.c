/*
 * Identity and rights: who may do what with files and processes, and who one becomes. The host and
 * Quire must print the same. Started as root; argv[1]: a folder to work in. With argv[2], it is what
 * a setuid copy of it says.
 */
#define _GNU_SOURCE
#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER  1000u
#define OTHER 1001u
#define GROUP 2000u

static void
ids(void)
{
	unsigned r, e, s, gr, ge, gs;

	syscall(SYS_getresuid, &r, &e, &s);
	syscall(SYS_getresgid, &gr, &ge, &gs);
	printf("users %u %u %u, groups %u %u %u, for files %d %d\n", r, e, s, gr, ge, gs,
	       setfsuid(-1), setfsgid(-1));
}

static void
look(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		printf("%s: errno %d\n", path, errno);
	else
		printf("%s: %o of %u.%u\n", path, st.st_mode, st.st_uid, st.st_gid);
}

static int
make(const char *path, unsigned mode, unsigned uid, unsigned gid)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	close(fd);
	return (chown(path, uid, gid) | chmod(path, mode));
}

static int
touch(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0644);

	return (fd < 0 ? fd : close(fd));
}

static void
become(unsigned uid, unsigned gid)
{
	if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, gid, gid, gid) != 0 ||
	    syscall(SYS_setresuid, uid, uid, uid) != 0)
		printf("cannot become %u\n", uid);
}

static void
users(void)
{
	ids();
	T(syscall(SYS_setresuid, USER, USER, 0));
	ids();
	T(syscall(SYS_setuid, OTHER));
	T(syscall(SYS_setreuid, -1, 0));
	ids();
	T(syscall(SYS_setreuid, USER, OTHER));
	ids();
	T(syscall(SYS_setuid, 0));
	T(syscall(SYS_setuid, USER));
	ids();
	T(syscall(SYS_setuid, OTHER));
	ids();
	T(syscall(SYS_setuid, -1));
	T(syscall(SYS_setreuid, 5, -1));
	T(syscall(SYS_setreuid, -1, 5));
	T(syscall(SYS_setresuid, -1, -1, 5));
	T(syscall(SYS_setresuid, -1, -1, -1));
	T(setfsuid(USER));
	ids();
	T(setfsuid(77));
	ids();
	T(syscall(SYS_setreuid, OTHER, USER));
	ids();
	T(syscall(SYS_setgid, GROUP));
	ids();
}

static void
fsuser(void)
{
	T(make("roots", 0600, 0, 0));
	T(setfsuid(USER));
	ids();
	T(open("roots", O_RDONLY));
	T(access("roots", R_OK));
	T(setfsuid(0));
	T(open("roots", O_RDONLY) >= 0);
	T(syscall(SYS_setreuid, USER, -1));
	T(access("roots", R_OK));
	T(faccessat(AT_FDCWD, "roots", R_OK, AT_EACCESS));
	T(open("roots", O_RDONLY) >= 0);
}

static void
groups(void)
{
	unsigned set[4] = {30, 10, 20, 40}, got[8];

	T(syscall(SYS_setgroups, 4, set));
	T(syscall(SYS_getgroups, 0, NULL));
	T(syscall(SYS_getgroups, 3, got));
	T(syscall(SYS_getgroups, -1, got));
	T(syscall(SYS_getgroups, 8, got));
	printf("%u %u %u %u\n", got[0], got[1], got[2], got[3]);
	T(syscall(SYS_setgroups, 65537, set));
	T(syscall(SYS_setgroups, 4, 8));
	T(syscall(SYS_setgid, GROUP));
	T(make("tens", 0640, 0, 10));
	T(make("fifties", 0640, 0, 50));
	T(make("groups", 0060, USER, GROUP));
	T(syscall(SYS_setuid, USER));
	ids();
	T(open("tens", O_RDONLY) >= 0);
	T(open("tens", O_RDWR));
	T(open("fifties", O_RDONLY));
	T(open("groups", O_RDONLY));
	T(syscall(SYS_setgroups, 0, NULL));
	T(touch("mine"));
	look("mine");
	T(chown("mine", -1, 20));
	look("mine");
	T(chown("mine", -1, 50));
	T(chown("mine", OTHER, -1));
	T(chown("mine", USER, -1));
	T(chown("mine", -1, -1));
	T(chmod("mine", 02755));
	look("mine");
	T(chown("mine", -1, GROUP));
	look("mine");
	T(chmod("tens", 0666));
	T(chown("tens", USER, -1));
}

static void
walks(void)
{
	struct timespec ts[2] = {{1, 0}, {2, 0}}, now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};

	T(mkdir("private", 0700));
	T(mkdir("private/in", 0777));
	T(mkdir("noread", 0711));
	T(make("noread/file", 0644, 0, 0));
	T(mkdir("nosearch", 0744));
	T(make("nosearch/file", 0666, 0, 0));
	T(make("shared", 0666, 0, 0));
	T(make("program", 0755, 0, 0));
	T(make("nobody", 0000, 0, 0));
	T(access("nobody", X_OK));
	T(access("nobody", R_OK | W_OK));
	become(USER, GROUP);
	T(open("private", O_RDONLY));
	T(open("private/in", O_RDONLY));
	T(open("private/none", O_RDONLY));
	T(chdir("private"));
	T(touch("private/x"));
	T(open("noread", O_RDONLY));
	T(open("noread/file", O_RDONLY) >= 0);
	T(open("noread/none", O_RDONLY));
	T(touch("noread/x"));
	T(open("nosearch", O_RDONLY) >= 0);
	T(open("nosearch/file", O_RDONLY));
	T(open("nosearch/none", O_RDONLY));
	T(access("nosearch/file", F_OK));
	T(unlink("noread/file"));
	T(unlink("noread/none"));
	T(mkdir("noread/file", 0700));
	T(rename("noread/file", "noread/file2"));
	T(rename("noread/none", "noread/file2"));
	T(symlink("noread/file", "noread/soft"));
	T(open("shared", O_RDWR) >= 0);
	T(open("shared", O_RDONLY | O_NOATIME));
	T(open("program", O_RDWR));
	T(open("program", O_RDONLY | O_TRUNC));
	T(truncate("program", 0));
	T(truncate("shared", 0));
	T(access("program", X_OK));
	T(access("program", W_OK));
	T(access("nobody", R_OK));
	T(utimensat(AT_FDCWD, "shared", NULL, 0));
	T(utimensat(AT_FDCWD, "shared", now, 0));
	T(utimensat(AT_FDCWD, "shared", ts, 0));
	T(utimensat(AT_FDCWD, "program", NULL, 0));
	T(mknod("tmp/dev", S_IFCHR | 0666, 1 << 8 | 3));
	T(chroot("."));
	T(open(".", O_TMPFILE | O_RDWR, 0600));
	T(execl("nobody", "nobody", NULL));
	T(execl("shared", "shared", NULL));
}

static void
sticky(void)
{
	T(mkdir("tmp", 0777));
	T(chmod("tmp", 01777));
	T(make("tmp/roots", 0666, 0, 0));
	T(make("tmp/mine", 0666, USER, GROUP));
	T(make("tmp/others", 0666, OTHER, GROUP));
	T(mkdir("tmp/dir", 0777));
	T(mkdir("open", 0777));
	T(chmod("open", 0777));
	become(USER, GROUP);
	T(unlink("tmp/roots"));
	T(unlink("tmp/others"));
	T(rename("tmp/roots", "tmp/x"));
	T(rename("tmp/mine", "tmp/others"));
	T(rename("tmp/mine", "tmp/mine2"));
	T(rename("tmp/dir", "open/dir"));
	T(rmdir("tmp/dir"));
	T(unlink("tmp/mine2"));
	T(touch("tmp/new"));
	look("tmp/new");
	T(rename("tmp/new", "open/new"));
	T(mkdir("open/sub", 0755));
	T(mkdir("open/sub2", 0755));
	T(chmod("open/sub2", 0555));
	T(rename("open/sub2", "open/sub/sub2"));
	T(rename("open/sub2", "open/sub3"));
}

static void
inherit(void)
{
	T(mkdir("sgid", 0777));
	T(chown("sgid", 0, 50));
	T(chmod("sgid", 02777));
	look("sgid");
	T(make("suid", 06755, 0, 0));
	look("suid");
	T(chmod("suid", 06755));
	T(chown("suid", USER, GROUP));
	look("suid");
	T(chmod("suid", 06777));
	T(truncate("suid", 5));
	look("suid");
	become(USER, GROUP);
	T(touch("sgid/file"));
	look("sgid/file");
	T(mkdir("sgid/dir", 0755));
	look("sgid/dir");
	T(mknod("sgid/exec", S_IFREG | 02755, 0));
	look("sgid/exec");
	T(write(open("suid", O_WRONLY), "x", 1));
	look("suid");
}

static void
kills(void)
{
	pid_t root = getpid(), child;
	int status;

	become(USER, GROUP);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	T(kill(1, 0));
	T(kill(1, SIGTERM));
	T(kill(getppid(), 0));
	T(kill(root, 0));
	T(kill(child, 0));
	T(kill(999999, 0));
	T(syscall(SYS_tgkill, 1, 1, SIGTERM));
	T(kill(child, SIGKILL));
	T(waitpid(child, &status, 0) == child);
	printf("status %x\n", status);
}

struct cap_header {
	unsigned version;
	int pid;
};

static void
capabilities(void)
{
	struct cap_header header = {0x20080522, 0};
	unsigned data[6];

	T(syscall(SYS_capget, &header, data));
	printf("%d\n", data[0] == data[1]);
	T(syscall(SYS_capset, &header, data));
	header.version = 5;
	T(syscall(SYS_capget, &header, NULL));
	printf("%x\n", header.version);
	header.version = 5;
	T(syscall(SYS_capget, &header, data));
	header.pid = -1;
	T(syscall(SYS_capget, &header, data));
	header.pid = 999999;
	T(syscall(SYS_capget, &header, data));
	T(syscall(SYS_capget, 8, data));
	header.pid = 0;
	become(USER, GROUP);
	T(syscall(SYS_capget, &header, data));
	printf("%x %x %x\n", data[0], data[1], data[2]);
	data[0] = data[1] = 1;
	T(syscall(SYS_capset, &header, data));
}

static char self[4096], folder[4096];

static void
run_setuid(void)
{
	become(USER, GROUP);
	execl("setuid", "setuid", folder, "said", NULL);
	printf("exec: errno %d\n", errno);
}

static int
copy(const char *from, const char *to)
{
	static char buf[65536];
	int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0755);
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			return (-1);
	close(out);
	close(in);
	return (n);
}

static void
said(void)
{
	ids();
	printf("auxv: %lu %lu %lu %lu, secure %lu\n", getauxval(AT_UID), getauxval(AT_EUID),
	       getauxval(AT_GID), getauxval(AT_EGID), getauxval(AT_SECURE));
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 2) {
		said();
		return (5);
	}
	umask(022);
	if (argc < 2 || realpath(argv[0], self) == NULL || chdir(argv[1]) != 0 ||
	    mkdir("perms", 0755) != 0 || chdir("perms") != 0)
		return (1);
	T(copy(self, "setuid"));
	apart("users", users);
	apart("fsuser", fsuser);
	apart("groups", groups);
	apart("walks", walks);
	apart("sticky", sticky);
	apart("inherit", inherit);
	apart("kills", kills);
	apart("capabilities", capabilities);
	apart("exec", run_setuid);
	T(chown("setuid", OTHER, 50));
	T(chmod("setuid", 06755));
	apart("setuid and setgid", run_setuid);
	T(chmod("setuid", 02745));
	apart("setgid that is none", run_setuid);
	T(chown("setuid", 0, 0));
	T(chmod("setuid", 04755));
	apart("setuid root", run_setuid);
	T(chmod("setuid", 04700));
	apart("not for all", run_setuid);
	return (0);
}

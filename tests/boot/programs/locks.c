/*
 * Locks on files: POSIX's, those of open files, and flock. The host and Quire must print the same.
 * argv[1]: a folder to work in.
 */
#define _GNU_SOURCE
#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd;
static volatile int *shared; /* what parent and child tell each other */

static int
lock(int file, int command, int type, long start, long len)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return (fcntl(file, command, &fl));
}

/* What stands in the way of a lock; pid: 0 nobody's, 1 the parent's, 2 another's. */
static void
ask(int command, int type, long start, long len)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
	int result = fcntl(fd, command, &fl);

	if (result < 0)
		printf("ask %d [%ld, +%ld]: errno %d\n", type, start, len, errno);
	else if (fl.l_type == F_UNLCK)
		printf("ask %d [%ld, +%ld]: free\n", type, start, len);
	else
		printf("ask %d [%ld, +%ld]: type %d [%ld, +%ld], whence %d, pid %s\n", type, start,
		       len, fl.l_type, (long)fl.l_start, (long)fl.l_len, fl.l_whence,
		       fl.l_pid == getppid() ? "parent"
		       : fl.l_pid < 0        ? "none"
					     : "other");
	fflush(stdout);
}

static void
wait_for(int value)
{
	while (*shared != value)
		usleep(1000);
}

static void
others(void)
{
	ask(F_GETLK, F_RDLCK, 0, 0);
	ask(F_GETLK, F_WRLCK, 0, 0);
	ask(F_GETLK, F_WRLCK, 0, 10);
	ask(F_GETLK, F_RDLCK, 15, 2);
	ask(F_GETLK, F_RDLCK, 30, 0);
	ask(F_GETLK, F_WRLCK, 1000, 1);
	ask(F_GETLK, F_UNLCK, 0, 0);
	T(lock(fd, F_SETLK, F_RDLCK, 20, 5));
	T(lock(fd, F_SETLK, F_WRLCK, 10, 1));
	T(lock(fd, F_SETLK, F_WRLCK, 12, 3));
	T(lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

static void
posix(void)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -5, .l_len = -10};
	int other;

	T(lock(fd, F_SETLK, F_WRLCK, 10, 20));
	T(lock(fd, F_SETLK, F_RDLCK, 20, 5)); /* in the middle */
	apart("in the middle", others);
	T(lock(fd, F_SETLK, F_UNLCK, 12, 3));
	apart("a hole", others);
	T(lock(fd, F_SETLK, F_RDLCK, 0, 100));
	apart("all shared", others);
	T(lock(fd, F_SETLK, F_WRLCK, 100, 0));
	T(lock(fd, F_SETLK, F_WRLCK, 50, 50));
	apart("neighbours", others);
	T(ftruncate(fd, 100));
	T(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	T(fcntl(fd, F_SETLK, &fl));
	apart("from the end", others);
	fl.l_whence = 7;
	T(fcntl(fd, F_SETLK, &fl));
	fl.l_whence = SEEK_SET;
	T(fcntl(fd, F_SETLK, &fl));
	fl.l_type = 9;
	T(fcntl(fd, F_SETLK, &fl));
	T(lock(fd, F_SETLK, F_WRLCK, -1, 5));
	T(lock(fd, F_SETLK, F_WRLCK, 5, -10));
	T(lock(fd, F_SETLK, F_WRLCK, 0x7fffffffffffffff, 2));
	T(fcntl(fd, F_SETLK, (void *)8));
	T(fcntl(fd, F_GETLK, (void *)8));
	T(lock(99, F_SETLK, F_WRLCK, 0, 0));
	T(other = open("lockfile", O_RDONLY));
	T(lock(other, F_SETLK, F_WRLCK, 0, 5));
	T(lock(other, F_SETLK, F_RDLCK, 0, 5));
	apart("through another descriptor", others);
	T(close(other));
	apart("all gone with it", others);
}

static void
hold_and_die(void)
{
	T(lock(fd, F_SETLK, F_WRLCK, 0, 10));
	*shared = 1;
	wait_for(2);
	usleep(30000);
	printf("the child ends\n");
}

static void
waits(void)
{
	pid_t child;

	*shared = 0;
	printf("--- waits\n");
	fflush(stdout);
	child = fork();
	if (child == 0) {
		hold_and_die();
		fflush(stdout);
		_exit(0);
	}
	wait_for(1);
	T(lock(fd, F_SETLK, F_RDLCK, 5, 1));
	*shared = 2;
	T(lock(fd, F_SETLKW, F_WRLCK, 5, 10));
	waitpid(child, NULL, 0);
}

/* One has 0 and wants 10, the other the other way round. */
static void
deadlock(void)
{
	pid_t child;

	*shared = 0;
	printf("--- deadlock\n");
	T(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	T(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	child = fork();
	if (child == 0) {
		lock(fd, F_SETLK, F_WRLCK, 10, 1);
		*shared = 1;
		lock(fd, F_SETLKW, F_WRLCK, 0, 1); /* sleeps */
		*shared = 3;
		_exit(0);
	}
	wait_for(1);
	usleep(50000);
	T(lock(fd, F_SETLKW, F_WRLCK, 10, 1));
	T(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	wait_for(3);
	waitpid(child, NULL, 0);
	T(lock(fd, F_SETLKW, F_WRLCK, 10, 1));
	T(lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

/* Who waits for a lock can be killed. */
static void
killed(void)
{
	int status;
	pid_t child;

	T(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	child = fork();
	if (child == 0) {
		lock(fd, F_SETLKW, F_WRLCK, 0, 1);
		_exit(0);
	}
	usleep(30000);
	T(kill(child, SIGKILL));
	T(waitpid(child, &status, 0) == child);
	printf("status %x\n", status);
	T(lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

static void
open_files(void)
{
	int other = open("lockfile", O_RDWR), dup1 = dup(fd);
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_pid = 1};

	printf("--- open files\n");
	T(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
	T(lock(other, F_OFD_SETLK, F_WRLCK, 5, 10));
	T(lock(dup1, F_OFD_SETLK, F_RDLCK, 5, 1));
	T(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	T(fcntl(fd, F_OFD_SETLK, &fl));
	apart("seen by a child", others);
	T(lock(other, F_OFD_SETLK, F_RDLCK, 5, 1));
	T(close(dup1));
	T(lock(other, F_OFD_SETLK, F_WRLCK, 0, 1));
	T(lock(other, F_OFD_SETLK, F_UNLCK, 0, 0));
	T(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0));
	T(lock(other, F_OFD_SETLK, F_WRLCK, 0, 1));
	T(close(other));
	T(lock(fd, F_OFD_SETLKW, F_WRLCK, 0, 1));
	T(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0));
}

static void
flock_child(void)
{
	T(flock(fd, LOCK_SH | LOCK_NB)); /* the same open file */
}

static void
flocks(void)
{
	int other = open("lockfile", O_RDONLY);

	printf("--- flock\n");
	T(flock(fd, LOCK_SH));
	T(flock(other, LOCK_SH | LOCK_NB));
	T(flock(fd, LOCK_EX | LOCK_NB));
	T(flock(other, LOCK_EX | LOCK_NB)); /* the first was lost */
	T(flock(fd, LOCK_SH | LOCK_NB));
	T(flock(other, LOCK_UN));
	T(flock(fd, LOCK_EX | LOCK_NB));
	T(lock(other, F_SETLK, F_RDLCK, 0, 0)); /* nothing to do with it */
	apart("flock in a child", flock_child);
	T(flock(other, LOCK_SH | LOCK_NB));
	T(flock(other, LOCK_EX | LOCK_NB));
	T(flock(fd, LOCK_UN));
	T(flock(other, LOCK_EX | LOCK_NB));
	T(flock(fd, LOCK_SH | LOCK_NB));
	T(close(other));
	T(flock(fd, LOCK_EX));
	T(flock(fd, 0));
	T(flock(fd, 16));
	T(flock(99, LOCK_SH));
	T(flock(fd, LOCK_SH | LOCK_EX));
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || chdir(argv[1]) != 0)
		return (1);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fd = open("lockfile", O_CREAT | O_RDWR, 0600);
	posix();
	waits();
	deadlock();
	killed();
	open_files();
	flocks();
	T(close(fd));
	T(unlink("lockfile"));
	return (0);
}

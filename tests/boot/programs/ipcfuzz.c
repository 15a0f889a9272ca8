/*
 * The calls of what processes talk through, with arguments that mean nothing: whatever they answer,
 * the kernel lives on and loses nothing. Each round is a process, killed if it waits.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "gauges.h"

enum { ROUNDS = 60, CALLS = 400 };

static const int calls[] = {
    SYS_read,        SYS_write,           SYS_poll,        SYS_pread64,     SYS_pwrite64,
    SYS_readv,       SYS_writev,          SYS_pipe,        SYS_select,      SYS_dup,
    SYS_dup2,        SYS_sendfile,        SYS_socket,      SYS_connect,     SYS_accept,
    SYS_sendto,      SYS_recvfrom,        SYS_sendmsg,     SYS_recvmsg,     SYS_shutdown,
    SYS_bind,        SYS_listen,          SYS_getsockname, SYS_getpeername, SYS_socketpair,
    SYS_setsockopt,  SYS_getsockopt,      SYS_fcntl,       SYS_ioctl,       SYS_epoll_create1,
    SYS_epoll_wait,  SYS_epoll_ctl,       SYS_pselect6,    SYS_ppoll,       SYS_splice,
    SYS_tee,         SYS_vmsplice,        SYS_accept4,     SYS_eventfd2,    SYS_dup3,
    SYS_pipe2,       SYS_preadv,          SYS_pwritev,     SYS_recvmmsg,    SYS_sendmmsg,
    SYS_preadv2,     SYS_pwritev2,        SYS_close,       SYS_lseek,       SYS_epoll_pwait2,
    SYS_close_range, SYS_copy_file_range,
};
static char block[8192] __attribute__((aligned(4096)));
static unsigned long seed;

static unsigned long
dice(void)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (seed >> 33);
}

static long
argument(void)
{
	static const long odd[] = {0,        -1,       1,        2,        8,
				   4095,     4096,     1 << 20,  1l << 31, 0x7fffffff,
				   1l << 40, 1l << 47, 1l << 63, 0x7ff};

	switch (dice() % 5) {
	case 0:
		return (odd[dice() % (sizeof(odd) / sizeof(odd[0]))]);
	case 1:
		return ((long)block + (long)(dice() % sizeof(block)));
	case 2:
		return ((long)block);
	default:
		return (3 + (long)(dice() % 16)); /* a descriptor, or a small number */
	}
}

static void
play(void)
{
	int p[2];

	for (int fd = 0; fd < 3; fd++) /* nothing to the console */
		close(fd);
	open("/dev/null", O_RDWR);
	dup2(0, 1);
	dup2(0, 2);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p);
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p);
	pipe2(p, O_NONBLOCK);
	pipe2(p, O_NONBLOCK | O_DIRECT);
	epoll_create1(0);
	eventfd(1, EFD_NONBLOCK);
	open("/dev/zero", O_RDWR);
	open("/bin/ipcfuzz", O_RDONLY);
	for (int i = 0; i < CALLS; i++) {
		for (int n = 0; n < 16; n++)
			block[dice() % sizeof(block)] = dice() % 3 == 0 ? dice() : dice() % 20;
		syscall(calls[dice() % (sizeof(calls) / sizeof(calls[0]))], argument(), argument(),
			argument(), argument(), argument(), argument());
	}
	_exit(0);
}

/* A bind that succeeded leaves a name. */
static void
sweep(void)
{
	DIR *dir = opendir(".");
	struct dirent *de;

	while ((de = readdir(dir)) != NULL)
		unlink(de->d_name);
	closedir(dir);
}

static void
round_of(unsigned long number)
{
	struct timespec ts = {0, 1000000};
	pid_t pid = fork();
	int status;

	seed = number * 7919;
	if (pid == 0)
		play();
	for (int i = 0; i < 100 && waitpid(pid, &status, WNOHANG) == 0; i++)
		nanosleep(&ts, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	sweep();
}

/* Not more than it was, once the last threads are reaped; less: a table became smaller. */
static int
settles(const char *name, unsigned long before)
{
	for (int i = 0; i < 100 && stat_of(name) > before; i++)
		usleep(10000);
	return (stat_of(name) <= before);
}

int
main(void)
{
	static const char *const names[] = {"files",        "vnodes",         "objects",
					    "threads",      "map_entries",    "pipe_pages",
					    "socket_bytes", "files_inflight", "kmalloc_bytes"};
	unsigned long before[sizeof(names) / sizeof(names[0])];

	mkdir("/tmp/fuzz", 0700);
	chdir("/tmp/fuzz");
	for (unsigned long i = 0; i < ROUNDS / 2;
	     i++) /* until caches are as full as they will be */
		round_of(i);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		before[i] = stat_of(names[i]);
	for (unsigned long i = 0; i < ROUNDS; i++)
		round_of(i);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!settles(names[i], before[i]))
			printf("lost: %s was %lu, is %lu\n", names[i], before[i],
			       stat_of(names[i]));
	printf("done\n");
	return (0);
}

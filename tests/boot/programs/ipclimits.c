/*
 * Limits and costs of what processes talk through. "leaks": what is lost by programs of every kind;
 * "hoard": as many full pipes and sockets as there can be; "scale" and "cost": ticks, which with
 * --icount are instructions.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <x86intrin.h>
#include "gauges.h"

static char block[65536];

/* --- leaks ------------------------------------------------------------------------------------ */

static void
use_all(void)
{
	int p[2], q[2], ep, ev, status;
	pid_t pid;

	pipe2(p, O_NONBLOCK);
	pipe2(q, O_NONBLOCK);
	write(p[1], block, sizeof(block));
	tee(p[0], q[1], 20000, 0);
	splice(p[0], NULL, q[1], NULL, 30000, SPLICE_F_NONBLOCK);
	fcntl(p[0], F_SETPIPE_SZ, 1 << 20);
	ep = epoll_create1(0);
	ev = eventfd(0, 0);
	epoll_ctl(ep, EPOLL_CTL_ADD, ev, &(struct epoll_event){.events = EPOLLIN});
	epoll_ctl(ep, EPOLL_CTL_ADD, q[0], &(struct epoll_event){.events = EPOLLIN});
	poll((struct pollfd[]){{p[0], POLLIN, 0}, {q[0], POLLIN, 0}}, 2, 0);
	pid = fork();
	if (pid == 0) { /* dies in the middle of waiting */
		close(ep);
		read(ev, block, 8);
		_exit(0);
	}
	sched_yield();
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	pid = fork();
	if (pid == 0) {
		poll(&(struct pollfd){ev, POLLIN, 0}, 1, -1);
		_exit(0);
	}
	sched_yield();
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(ev);
	close(ep);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

static void
leaks(void)
{
	struct gauges before;

	use_all();
	before = gauges_before();
	for (int i = 0; i < 5; i++)
		use_all();
	gauges_check(&before);
	printf("done\n");
}

/* --- hoard ------------------------------------------------------------------------------------ */

static void
hoard(void)
{
	int p[2], pipes = 0, sockets = 0, status;
	char c = 0;
	pid_t pid;

	while (pipe2(p, O_NONBLOCK) == 0 && pipes < 400) {
		while (write(p[1], block, sizeof(block)) > 0)
			;
		if (write(p[1], block, 1) != -1 || errno != EAGAIN)
			printf("a full pipe says %d\n", errno);
		pipes++;
	}
	while (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0) {
		while (write(p[0], block, sizeof(block)) > 0)
			;
		sockets++;
	}
	printf("%d pipes, %d sockets, then %d\n", pipes, sockets, errno);
	/* Even now there is a page for a pipe that is read. */
	close(3);
	close(4);
	close(5);
	close(6);
	pid = pipe(p) == 0 ? fork() : -1;
	if (pid == 0) {
		write(p[1], "x", 1);
		_exit(0);
	}
	if (pid > 0 && read(p[0], &c, 1) == 1 && waitpid(pid, &status, 0) == pid && c == 'x')
		printf("the shell still answers\n");
}

/* --- cost ------------------------------------------------------------------------------------- */

static void
scale(const char *suffix, int n)
{
	struct epoll_event events[64], e = {.events = EPOLLIN};
	unsigned long t[5];
	int ep = epoll_create1(0), ev = eventfd(1, 0), first;

	t[0] = __rdtsc();
	first = dup(ev);
	for (int i = 1; i < n; i++)
		dup(ev);
	t[1] = __rdtsc();
	for (int i = 0; i < n; i++)
		epoll_ctl(ep, EPOLL_CTL_ADD, first + i, &e);
	t[2] = __rdtsc();
	for (int i = 0; i < n / 64; i++)
		epoll_wait(ep, events, 64, 0);
	t[3] = __rdtsc();
	for (int i = 0; i < n; i++)
		close(first + i);
	t[4] = __rdtsc();
	close(ep);
	close(ev);
	printf("dup_%s %lu\nepoll_add_%s %lu\nepoll_wait_%s %lu\nclose_%s %lu\n", suffix,
	       t[1] - t[0], suffix, t[2] - t[1], suffix, t[3] - t[2], suffix, t[4] - t[3]);
}

enum { ROUNDS = 200 };

static unsigned long
ticks_since(unsigned long start)
{
	return (__rdtsc() - start);
}

static void
ping_pong(const char *what, int there[2], int back[2])
{
	unsigned long start;
	char c = 0;

	if (fork() == 0) {
		for (int i = 0; i < ROUNDS + 1; i++) {
			read(there[0], &c, 1);
			write(back[1], &c, 1);
		}
		_exit(0);
	}
	write(there[1], &c, 1);
	read(back[0], &c, 1);
	start = __rdtsc();
	for (int i = 0; i < ROUNDS; i++) {
		write(there[1], &c, 1);
		read(back[0], &c, 1);
	}
	printf("%s %lu\n", what, ticks_since(start) / ROUNDS);
	wait(NULL);
}

static void
cost(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	unsigned long start;
	int p[2], q[2], s[2], ep;
	char c = 0;

	pipe(p);
	pipe(q);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	write(p[1], &c, 1);
	read(p[0], &c, 1);
	start = __rdtsc();
	for (int i = 0; i < ROUNDS; i++) {
		write(p[1], &c, 1);
		read(p[0], &c, 1);
	}
	printf("pipe write+read %lu\n", ticks_since(start) / ROUNDS);
	ping_pong("pipe ping-pong", p, q);
	ping_pong("socket ping-pong", (int[]){s[1], s[0]}, (int[]){s[0], s[1]});
	write(p[1], &c, 1);
	start = __rdtsc();
	for (int i = 0; i < ROUNDS; i++)
		poll((struct pollfd[]){{p[0], POLLIN, 0}, {q[0], POLLIN, 0}}, 2, -1);
	printf("poll %lu\n", ticks_since(start) / ROUNDS);
	ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e);
	start = __rdtsc();
	for (int i = 0; i < ROUNDS; i++)
		epoll_wait(ep, &e, 1, -1);
	printf("epoll_wait %lu\n", ticks_since(start) / ROUNDS);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "leaks") == 0)
		leaks();
	if (strcmp(what, "hoard") == 0)
		hoard();
	if (strcmp(what, "cost") == 0)
		cost();
	if (strcmp(what, "scale") == 0) {
		scale("n", 448);
		scale("2n", 896);
	}
	return (0);
}

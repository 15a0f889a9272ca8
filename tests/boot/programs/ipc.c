/*
 * What processes talk through: pipes, eventfds, poll, select, epoll, splice, descriptors. Each case
 * named on the command line prints what it sees: the same on the host and in Quire.
 */
#define _GNU_SOURCE
#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *
err(long result)
{
	static const char *const names[] = {
	    [EPERM] = "EPERM",   [ENOENT] = "ENOENT",         [EINTR] = "EINTR",
	    [ENXIO] = "ENXIO",   [EBADF] = "EBADF",           [EAGAIN] = "EAGAIN",
	    [ENOMEM] = "ENOMEM", [EFAULT] = "EFAULT",         [EBUSY] = "EBUSY",
	    [EEXIST] = "EEXIST", [EINVAL] = "EINVAL",         [EMFILE] = "EMFILE",
	    [ENOTTY] = "ENOTTY", [ESPIPE] = "ESPIPE",         [EPIPE] = "EPIPE",
	    [ELOOP] = "ELOOP",   [EISDIR] = "EISDIR",         [ESRCH] = "ESRCH",
	    [ENOSYS] = "ENOSYS", [EOPNOTSUPP] = "EOPNOTSUPP",
	};
	static char buf[8][32];
	static int next;
	char *s = buf[next++ & 7];

	if (result >= 0)
		snprintf(s, 32, "%ld", result);
	else if (errno < (int)(sizeof(names) / sizeof(names[0])) && names[errno] != NULL)
		return (names[errno]);
	else
		snprintf(s, 32, "errno %d", errno);
	return (s);
}
#define SHOW(call) printf("%s: %s\n", #call, err((long)(call)))
#define BAD        bad

static char block[1 << 20];
static void *volatile bad = (void *)8;

/* --- pipes ------------------------------------------------------------------------------------ */

static void
pipes(void)
{
	struct iovec iov[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
	char buf[64] = "";
	struct stat st;
	int p[2], n;

	SHOW(pipe2(p, O_NONBLOCK | O_CLOEXEC));
	SHOW(read(p[0], buf, 1));
	SHOW(read(p[0], buf, 0));
	SHOW(writev(p[1], iov, 3));
	SHOW(ioctl(p[0], FIONREAD, &n));
	printf("%d bytes\n", n);
	iov[0] = (struct iovec){buf, 3};
	iov[2] = (struct iovec){buf + 10, 10};
	SHOW(readv(p[0], iov, 3));
	printf("%.3s %.2s\n", buf, buf + 10);
	SHOW(write(p[0], "x", 1));
	SHOW(read(p[1], buf, 1));
	SHOW(lseek(p[0], 0, SEEK_SET));
	SHOW(pread(p[0], buf, 1, 0));
	SHOW(pwrite(p[0], buf, 1, 0));
	SHOW(fcntl(p[0], F_GETFL));
	SHOW(fcntl(p[1], F_GETFL));
	SHOW(fcntl(p[0], F_GETFD));
	fstat(p[0], &st);
	printf("mode %o size %ld blksize %ld\n", st.st_mode, (long)st.st_size, (long)st.st_blksize);
	SHOW(pipe2(p, 1));
	SHOW(pipe(bad));
	SHOW(write(p[1], BAD, 4));
	SHOW(write(p[1], "hello", 5));
	SHOW(read(p[0], BAD, 4));
	SHOW(read(p[0], buf, sizeof(buf)));
	close(p[1]);
	SHOW(read(p[0], buf, 1));
	close(p[0]);
}

static void
capacity(void)
{
	int p[2], total = 0;
	ssize_t n;

	pipe2(p, O_NONBLOCK);
	SHOW(fcntl(p[0], F_GETPIPE_SZ));
	SHOW(write(p[1], block, 100000));
	SHOW(write(p[1], "x", 1));
	SHOW(read(p[0], block, 4095));
	SHOW(write(p[1], "x", 1));
	SHOW(read(p[0], block, 1));
	SHOW(write(p[1], block, 4096));
	SHOW(write(p[1], "x", 1));
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 4096));
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 131072));
	SHOW(write(p[1], block, 100000));
	while ((n = read(p[0], block, 5000)) > 0)
		total += n;
	printf("%d read, then %s\n", total, err(n));
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 1));
	SHOW(write(p[1], block, 5000));
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 0));
	SHOW(fcntl(0, F_GETPIPE_SZ));
	close(p[0]);
	close(p[1]);
	/* What fits the last page is added to it; what does not has a page of its own. */
	pipe2(p, O_NONBLOCK);
	for (total = 0; write(p[1], block, 3000) == 3000; total++)
		;
	printf("%d writes of 3000\n", total);
	SHOW(write(p[1], block, 1000));
	SHOW(write(p[1], block, 97));
	SHOW(write(p[1], block, 96));
	close(p[0]);
	close(p[1]);
	pipe2(p, O_NONBLOCK | O_DIRECT);
	SHOW(write(p[1], "one", 3));
	SHOW(write(p[1], "two", 3));
	SHOW(read(p[0], block, 2));
	SHOW(read(p[0], block, 100));
	SHOW(read(p[0], block, 100));
	close(p[0]);
	close(p[1]);
}

static void
broken(void)
{
	int p[2], status;
	pid_t pid;

	pipe(p);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	SHOW(write(p[1], "x", 1));
	SHOW(write(p[1], "x", 0));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		write(p[1], "x", 1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	printf("status %x\n", status);
	close(p[1]);
}

/* Numbered bytes from many writers to many readers: none is lost, and what is written at once is
 * together. */
static void
many(void)
{
	enum { WRITERS = 4, READERS = 3, COUNT = 500, SIZE = 700 };
	int data[2], sums[2], status;
	unsigned long sum = 0, part, expected = 0;
	unsigned char buf[SIZE];
	ssize_t n;

	pipe(data);
	pipe(sums);
	fflush(stdout);
	for (int w = 0; w < WRITERS; w++)
		if (fork() == 0) {
			for (int i = 0; i < COUNT; i++) {
				memset(buf, w * 50 + i % 50, SIZE);
				if (write(data[1], buf, SIZE) != SIZE)
					_exit(1);
			}
			_exit(0);
		}
	for (int r = 0; r < READERS; r++)
		if (fork() == 0) {
			close(data[1]);
			part = 0;
			while ((n = read(data[0], buf, r == 0 ? SIZE : 333)) > 0)
				for (int i = 0; i < n; i++)
					part += buf[i] + 1;
			write(sums[1], &part, sizeof(part));
			_exit(n < 0);
		}
	close(data[1]);
	close(sums[1]);
	while (read(sums[0], &part, sizeof(part)) == sizeof(part))
		sum += part;
	for (int w = 0; w < WRITERS; w++)
		for (int i = 0; i < COUNT; i++)
			expected += (unsigned long)(w * 50 + i % 50 + 1) * SIZE;
	printf("sum is right: %d\n", sum == expected);
	for (int i = 0; i < WRITERS + READERS; i++) {
		wait(&status);
		if (status != 0)
			printf("status %x\n", status);
	}
	close(data[0]);
	close(sums[0]);
	/* Packets of at most PIPE_BUF are whole. */
	pipe(data);
	for (int w = 0; w < WRITERS; w++)
		if (fork() == 0) {
			close(data[0]);
			for (int i = 0; i < COUNT; i++) {
				memset(buf, 'a' + w, SIZE);
				write(data[1], buf, SIZE);
			}
			_exit(0);
		}
	close(data[1]);
	int torn = 0, got = 0;
	for (;;) {
		int have = 0;
		while (have < SIZE && (n = read(data[0], buf + have, SIZE - have)) > 0)
			have += n;
		if (have < SIZE)
			break;
		got++;
		for (int i = 1; i < SIZE; i++)
			torn += buf[i] != buf[0];
	}
	printf("%d packets, %d torn\n", got, torn);
	while (wait(NULL) > 0)
		;
	close(data[0]);
}

static void
fifos(void)
{
	struct pollfd pfd;
	char buf[16];
	int r, w;

	unlink("/tmp/ipc.fifo");
	SHOW(mkfifo("/tmp/ipc.fifo", 0600));
	SHOW(mkfifo("/tmp/ipc.fifo", 0600));
	SHOW(open("/tmp/ipc.fifo", O_WRONLY | O_NONBLOCK));
	r = open("/tmp/ipc.fifo", O_RDONLY | O_NONBLOCK);
	SHOW(read(r, buf, 1));
	pfd = (struct pollfd){r, POLLIN, 0};
	SHOW(poll(&pfd, 1, 0));
	w = open("/tmp/ipc.fifo", O_WRONLY | O_NONBLOCK);
	SHOW(read(r, buf, 1));
	SHOW(write(w, "abc", 3));
	SHOW(poll(&pfd, 1, 0));
	close(w);
	SHOW(poll(&pfd, 1, 0));
	printf("%x\n", pfd.revents);
	SHOW(read(r, buf, sizeof(buf)));
	SHOW(read(r, buf, sizeof(buf)));
	close(r);
	fflush(stdout);
	if (fork() == 0) {
		w = open("/tmp/ipc.fifo", O_WRONLY);
		write(w, "from the child", 14);
		_exit(0);
	}
	r = open("/tmp/ipc.fifo", O_RDONLY);
	memset(buf, 0, sizeof(buf));
	SHOW(read(r, buf, sizeof(buf)));
	SHOW(read(r, buf + 15, 1));
	printf("%s\n", buf);
	wait(NULL);
	close(r);
	r = open("/tmp/ipc.fifo", O_RDWR);
	SHOW(write(r, "x", 1));
	SHOW(read(r, buf, 4));
	close(r);
	unlink("/tmp/ipc.fifo");
}

/* --- poll and select -------------------------------------------------------------------------- */

static void
show_poll(const char *what, int fd, int events)
{
	struct pollfd pfd = {fd, events, 0x7fff};
	int n = poll(&pfd, 1, 0);

	printf("%s: %d %x\n", what, n, pfd.revents);
}

static void
polls(void)
{
	enum { ALL = 0x7ff | POLLRDHUP };
	struct timespec ts = {0, 20000000}, before, after;
	struct pollfd pfds[3];
	int p[2], file, dir, null, ev;

	pipe(p);
	file = open("/tmp/ipc.poll", O_RDWR | O_CREAT | O_TRUNC, 0600);
	dir = open("/tmp", O_RDONLY);
	null = open("/dev/null", O_RDWR);
	ev = eventfd(0, 0);
	show_poll("file", file, ALL);
	show_poll("file in", file, POLLIN);
	show_poll("file nothing", file, 0);
	show_poll("directory", dir, ALL);
	show_poll("null", null, ALL);
	show_poll("closed", 99, ALL);
	show_poll("negative", -1, ALL);
	show_poll("reading end", p[0], ALL);
	show_poll("writing end", p[1], ALL);
	show_poll("eventfd", ev, ALL);
	write(p[1], block, 65536);
	show_poll("reading end of full", p[0], ALL);
	show_poll("writing end of full", p[1], ALL);
	close(p[0]);
	show_poll("writing end alone", p[1], ALL);
	show_poll("writing end alone, nothing", p[1], 0);
	close(p[1]);
	pipe(p);
	close(p[1]);
	show_poll("reading end alone", p[0], ALL);
	close(p[0]);
	pfds[0] = (struct pollfd){ev, POLLIN, 0};
	pfds[1] = (struct pollfd){-5, POLLIN, 7};
	pfds[2] = (struct pollfd){77, POLLIN, 0};
	SHOW(poll(pfds, 3, -1));
	printf("%x %x %x\n", pfds[0].revents, pfds[1].revents, pfds[2].revents);
	clock_gettime(CLOCK_MONOTONIC, &before);
	SHOW(ppoll(pfds, 2, &ts, NULL));
	clock_gettime(CLOCK_MONOTONIC, &after);
	printf("slept: %d\n",
	       (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >=
		   20000000);
	SHOW(poll(NULL, 0, 1));
	SHOW(poll(BAD, 1, 0));
	SHOW(poll(pfds, UINT_MAX, 0));
	ts.tv_nsec = 1000000000;
	SHOW(ppoll(pfds, 1, &ts, NULL));
	SHOW(syscall(SYS_ppoll, pfds, 1, NULL, block, 4));
	fflush(stdout);
	if (fork() == 0) {
		usleep(20000);
		eventfd_write(ev, 1);
		_exit(0);
	}
	SHOW(poll(pfds, 2, -1));
	printf("%x\n", pfds[0].revents);
	wait(NULL);
	close(file);
	close(dir);
	close(null);
	close(ev);
	unlink("/tmp/ipc.poll");
}

static void
selects(void)
{
	struct timeval tv = {0, 20000};
	fd_set in, out, ex;
	int p[2];

	pipe(p);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&ex);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	FD_SET(p[0], &ex);
	SHOW(select(p[1] + 1, &in, &out, &ex, NULL));
	printf("%d %d %d\n", FD_ISSET(p[0], &in), FD_ISSET(p[1], &out), FD_ISSET(p[0], &ex));
	FD_SET(p[0], &in);
	SHOW(select(p[1] + 1, &in, NULL, NULL, &tv));
	printf("%d left %ld %ld\n", FD_ISSET(p[0], &in), (long)tv.tv_sec, (long)tv.tv_usec);
	FD_SET(p[0], &in);
	write(p[1], "x", 1);
	tv = (struct timeval){10, 0};
	SHOW(select(p[1] + 1, &in, &out, NULL, &tv));
	printf("%d, time left %d\n", FD_ISSET(p[0], &in), tv.tv_sec == 9);
	FD_ZERO(&ex);
	FD_SET(p[0], &ex);
	close(p[1]);
	tv = (struct timeval){0, 1000};
	SHOW(select(p[0] + 1, NULL, NULL, &ex, &tv));
	FD_SET(60, &in);
	SHOW(select(61, &in, NULL, NULL, &tv));
	SHOW(select(-1, NULL, NULL, NULL, &tv));
	SHOW(select(p[0] + 1, BAD, NULL, NULL, NULL));
	tv = (struct timeval){-1, 0};
	SHOW(syscall(SYS_select, 0, NULL, NULL, NULL, &tv));
	tv = (struct timeval){0, 1000};
	SHOW(select(0, NULL, NULL, NULL, &tv));
	SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, BAD));
	close(p[0]);
}

/* --- eventfd ---------------------------------------------------------------------------------- */

static void
eventfds(void)
{
	uint64_t v = 0;
	int fd, count;

	SHOW(eventfd(0, 0x40));
	fd = eventfd(3, EFD_NONBLOCK);
	SHOW(read(fd, &v, 7));
	SHOW(read(fd, &v, 8));
	printf("%lu\n", v);
	SHOW(read(fd, &v, 8));
	v = UINT64_MAX;
	SHOW(write(fd, &v, 8));
	v = UINT64_MAX - 1;
	SHOW(write(fd, &v, 8));
	SHOW(poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 0));
	v = 1;
	SHOW(write(fd, &v, 8));
	SHOW(write(fd, BAD, 8));
	SHOW(write(fd, &v, 4));
	SHOW(read(fd, BAD, 8));
	SHOW(lseek(fd, 5, SEEK_SET));
	SHOW(pread(fd, &v, 8, 0));
	close(fd);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	for (count = 0; read(fd, &v, 8) == 8; count++)
		printf("%lu ", v);
	printf("and %s\n", err(-1));
	SHOW(fcntl(fd, F_GETFL));
	close(fd);
	fd = eventfd(0, 0);
	fflush(stdout);
	if (fork() == 0) {
		usleep(10000);
		eventfd_write(fd, 42);
		_exit(0);
	}
	SHOW(read(fd, &v, 8));
	printf("%lu\n", v);
	wait(NULL);
	close(fd);
}

/* --- epoll ------------------------------------------------------------------------------------ */

static int
add(int ep, int op, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	return (epoll_ctl(ep, op, fd, &e));
}

static void
show_wait(const char *what, int ep, int base)
{
	struct epoll_event e[8];
	int n = epoll_wait(ep, e, 8, 0);

	printf("%s: %s", what, err(n));
	for (int i = 0; i < n; i++)
		printf(" %d:%x", e[i].data.fd - base, e[i].events);
	printf("\n");
}

static void
epolls(void)
{
	int ep, ep2, p[2], q[2], copy, chain[8], file;
	struct epoll_event e;

	SHOW(epoll_create1(1));
	SHOW(epoll_create(0));
	ep = epoll_create1(EPOLL_CLOEXEC);
	pipe2(p, O_NONBLOCK);
	pipe2(q, O_NONBLOCK);
	SHOW(add(ep, EPOLL_CTL_ADD, p[0], EPOLLIN));
	SHOW(add(ep, EPOLL_CTL_ADD, p[0], EPOLLIN));
	SHOW(add(ep, EPOLL_CTL_MOD, p[1], EPOLLIN));
	SHOW(add(ep, EPOLL_CTL_DEL, p[1], EPOLLIN));
	SHOW(add(ep, EPOLL_CTL_ADD, ep, EPOLLIN));
	SHOW(add(ep, EPOLL_CTL_ADD, 99, EPOLLIN));
	SHOW(add(p[0], EPOLL_CTL_ADD, p[1], EPOLLIN));
	SHOW(add(ep, 9, p[0], EPOLLIN));
	file = open("/tmp/ipc.epoll", O_RDWR | O_CREAT, 0600);
	SHOW(add(ep, EPOLL_CTL_ADD, file, EPOLLIN));
	close(file);
	unlink("/tmp/ipc.epoll");
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], BAD));
	SHOW(epoll_wait(ep, &e, 0, 0));
	SHOW(epoll_wait(ep, (void *)-1l, 1, 0));
	SHOW(epoll_wait(p[0], &e, 1, 0));
	show_wait("nothing", ep, p[0]);
	write(p[1], "ab", 2);
	show_wait("level", ep, p[0]);
	show_wait("level again", ep, p[0]);
	SHOW(epoll_wait(ep, BAD, 1, 0));
	read(p[0], block, 2);
	show_wait("read", ep, p[0]);
	SHOW(add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET));
	write(p[1], "ab", 2);
	show_wait("edge", ep, p[0]);
	show_wait("edge again", ep, p[0]);
	write(p[1], "c", 1);
	show_wait("another edge", ep, p[0]);
	SHOW(add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT));
	show_wait("oneshot", ep, p[0]);
	write(p[1], "c", 1);
	show_wait("oneshot again", ep, p[0]);
	SHOW(add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT));
	show_wait("armed", ep, p[0]);
	SHOW(add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLEXCLUSIVE));
	SHOW(add(ep, EPOLL_CTL_DEL, p[0], 0));
	SHOW(add(ep, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE));
	SHOW(add(ep, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE));
	SHOW(add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN));
	SHOW(add(ep, EPOLL_CTL_ADD, q[1], EPOLLOUT));
	show_wait("two", ep, p[0]);
	copy = dup(q[1]);
	close(q[1]);
	show_wait("closed, but for a copy", ep, p[0]);
	close(copy);
	show_wait("closed", ep, p[0]);
	ep2 = epoll_create1(0);
	SHOW(add(ep2, EPOLL_CTL_ADD, ep, EPOLLIN));
	SHOW(add(ep, EPOLL_CTL_ADD, ep2, EPOLLIN));
	show_wait("nested", ep2, ep);
	show_poll("epoll", ep2, 0x7ff);
	read(p[0], block, 100);
	show_wait("nested, nothing", ep2, ep);
	close(p[1]);
	show_wait("hung up", ep, p[0]);
	show_wait("nested", ep2, ep);
	SHOW(read(ep, block, 8));
	for (int i = 0; i < 8; i++) {
		chain[i] = epoll_create1(0);
		if (i > 0 && add(chain[i], EPOLL_CTL_ADD, chain[i - 1], EPOLLIN) != 0)
			printf("chain ends at %d\n", i);
	}
	for (int i = 0; i < 8; i++)
		close(chain[i]);
	close(ep);
	close(ep2);
	close(p[0]);
	close(q[0]);
	/* A waiter is woken. */
	ep = epoll_create1(0);
	pipe(p);
	add(ep, EPOLL_CTL_ADD, p[0], EPOLLIN);
	fflush(stdout);
	if (fork() == 0) {
		usleep(10000);
		write(p[1], "x", 1);
		_exit(0);
	}
	SHOW(epoll_wait(ep, &e, 1, -1));
	wait(NULL);
	close(ep);
	close(p[0]);
	close(p[1]);
}

/* --- splice and its kin ----------------------------------------------------------------------- */

static void
splices(void)
{
	struct iovec iov = {"gift", 4};
	char buf[64];
	int in, out, p[2], q[2];
	loff_t at;
	off_t pos;

	in = open("/tmp/ipc.in", O_RDWR | O_CREAT | O_TRUNC, 0600);
	out = open("/tmp/ipc.out", O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (int i = 0; i < 100000; i++)
		block[i] = i * 7;
	write(in, block, 100000);
	pipe2(p, O_NONBLOCK);
	pipe2(q, O_NONBLOCK);
	pos = 10;
	SHOW(sendfile(out, in, &pos, 50000));
	printf("pos %ld, at %ld, out %ld\n", (long)pos, (long)lseek(in, 0, SEEK_CUR),
	       (long)lseek(out, 0, SEEK_CUR));
	SHOW(pread(out, buf, 1, 49999));
	printf("%d\n", buf[0] == block[50009]);
	SHOW(sendfile(out, in, NULL, 100));
	lseek(in, 0, SEEK_SET);
	SHOW(sendfile(p[1], in, NULL, 100000));
	SHOW(read(p[0], buf, 64));
	printf("%d\n", memcmp(buf, block, 64));
	SHOW(sendfile(out, p[0], NULL, 10));
	SHOW(sendfile(p[0], in, NULL, 10));
	SHOW(sendfile(out, in, BAD, 10));
	SHOW(sendfile(99, in, NULL, 10));
	SHOW(tee(p[0], q[1], 1000, 0));
	SHOW(read(q[0], buf, 64));
	printf("%d\n", memcmp(buf, block + 64, 64));
	SHOW(tee(p[0], p[1], 10, 0));
	at = 0;
	SHOW(splice(p[0], NULL, out, &at, 5000, 0));
	SHOW(pread(out, buf, 64, 0));
	printf("%d at %ld\n", memcmp(buf, block + 64, 64), (long)at);
	SHOW(splice(p[0], &at, out, NULL, 5000, 0));
	SHOW(splice(in, NULL, out, NULL, 10, 0));
	SHOW(splice(p[0], NULL, p[1], NULL, 10, 0));
	SHOW(splice(p[0], NULL, q[1], NULL, 10, 0x100));
	while (read(p[0], block, sizeof(block)) > 0)
		;
	SHOW(splice(p[0], NULL, q[1], NULL, 10, SPLICE_F_NONBLOCK));
	lseek(in, 0, SEEK_SET);
	SHOW(splice(in, NULL, p[1], NULL, 3, 0));
	SHOW(vmsplice(p[1], &iov, 1, 0));
	SHOW(vmsplice(in, &iov, 1, 0));
	SHOW(read(p[0], buf, 64));
	at = 99990;
	pos = 0;
	SHOW(copy_file_range(in, &at, out, &pos, 100, 0));
	SHOW(copy_file_range(in, NULL, out, NULL, 100, 1));
	SHOW(copy_file_range(in, NULL, p[1], NULL, 100, 0));
	at = 0;
	pos = 50;
	SHOW(copy_file_range(in, &at, in, &pos, 100, 0));
	SHOW(ftruncate(out, 0));
	lseek(in, 0, SEEK_SET);
	SHOW(copy_file_range(in, NULL, out, NULL, 200000, 0));
	close(in);
	close(out);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	unlink("/tmp/ipc.in");
	unlink("/tmp/ipc.out");
}

/* --- descriptors ------------------------------------------------------------------------------ */

static void
vectors(void)
{
	struct iovec iov[2] = {{"abc", 3}, {"defg", 4}};
	char buf[16] = "";
	int fd = open("/tmp/ipc.vec", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2];

	SHOW(pwritev(fd, iov, 2, 2));
	SHOW(pread(fd, buf, 16, 0));
	printf("%s\n", buf + 2);
	SHOW(syscall(SYS_pwritev2, fd, iov, 2, -1l, 0, 0));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(syscall(SYS_pwritev2, fd, iov, 2, 0l, 0, 0x10)); /* RWF_APPEND */
	SHOW(syscall(SYS_pwritev2, fd, iov, 2, 0l, 0, 0x1000));
	SHOW(lseek(fd, 0, SEEK_END));
	iov[0] = (struct iovec){buf, 4};
	iov[1] = (struct iovec){buf + 8, 4};
	SHOW(preadv(fd, iov, 2, 0));
	SHOW(preadv(fd, iov, 2, -1));
	SHOW(preadv(fd, iov, -1, 0));
	SHOW(preadv(fd, iov, 1025, 0));
	SHOW(readv(fd, BAD, 2));
	iov[1].iov_len = -1ul;
	SHOW(readv(fd, iov, 2));
	iov[1] = (struct iovec){(void *)-4096ul, 4};
	lseek(fd, 0, SEEK_SET);
	SHOW(readv(fd, iov, 2));
	SHOW(readv(fd, iov, 0));
	pipe(p);
	SHOW(preadv(p[0], iov, 1, 0));
	iov[1] = (struct iovec){buf + 8, 4};
	SHOW(syscall(SYS_preadv2, p[0], iov, 1, -1l, 0, 8)); /* RWF_NOWAIT */
	write(p[1], "12345", 5);
	SHOW(readv(p[0], iov, 2));
	close(p[0]);
	close(p[1]);
	close(fd);
	unlink("/tmp/ipc.vec");
}

static void
descriptors(void)
{
	struct rlimit rl = {64, 64};
	int fd, fds[64], n, on = 1, p[2];

	setrlimit(RLIMIT_NOFILE, &rl);
	fd = open("/dev/null", O_RDWR);
	SHOW(dup2(fd, 63));
	SHOW(dup2(fd, 64));
	SHOW(dup2(99, 10));
	SHOW(dup2(fd, fd) == fd);
	SHOW(dup3(fd, fd, 0));
	SHOW(dup3(fd, 20, 1));
	SHOW(dup3(fd, 20, O_CLOEXEC));
	SHOW(fcntl(20, F_GETFD));
	SHOW(fcntl(20, F_SETFD, 0));
	SHOW(fcntl(20, F_GETFD));
	SHOW(fcntl(fd, F_DUPFD, 20));
	SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 20));
	SHOW(fcntl(22, F_GETFD));
	SHOW(fcntl(fd, F_DUPFD, 64));
	SHOW(fcntl(fd, F_DUPFD, -1));
	SHOW(fcntl(fd, F_DUPFD, 63));
	SHOW(fcntl(99, F_GETFL));
	SHOW(fcntl(fd, 9999));
	SHOW(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_RDONLY | O_CREAT));
	SHOW(fcntl(fd, F_GETFL) & ~0100000);
	SHOW(fcntl(fd, F_GETOWN));
	SHOW(ioctl(fd, FIONBIO, &on));
	SHOW(ioctl(fd, FIONBIO, BAD));
	SHOW(ioctl(fd, FIOCLEX));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(ioctl(fd, FIONCLEX));
	SHOW(ioctl(fd, 0x1234567));
	SHOW(ioctl(99, FIOCLEX));
	for (n = 0; (fds[n] = dup(fd)) >= 0; n++)
		;
	printf("then %s\n", err(-1));
	SHOW(pipe(p));
	SHOW(close(30));
	SHOW(pipe(p));
	SHOW(dup(fd));
	SHOW(syscall(SYS_close_range, 40, 10, 0));
	SHOW(syscall(SYS_close_range, 10, 40, 8));
	SHOW(syscall(SYS_close_range, 10, 40, 4));
	SHOW(fcntl(10, F_GETFD));
	SHOW(syscall(SYS_close_range, 10, ~0u, 0));
	SHOW(fcntl(10, F_GETFD));
	SHOW(dup(fd) == 10);
	SHOW(close(10));
	SHOW(close(10));
	SHOW(close(-1));
	syscall(SYS_close_range, 3, ~0u, 0);
}

static int
other(void *arg)
{
	(void)arg;
	close(10);
	dup2(0, 11);
	return (0);
}

static void
sharing(void)
{
	static char stack[65536];

	dup2(0, 10);
	fflush(stdout);
	clone(other, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL);
	wait(NULL);
	SHOW(fcntl(10, F_GETFD));
	SHOW(fcntl(11, F_GETFD));
	dup2(0, 10);
	clone(other, stack + sizeof(stack), SIGCHLD, NULL);
	wait(NULL);
	SHOW(fcntl(10, F_GETFD));
	SHOW(unshare(CLONE_FILES));
	syscall(SYS_close_range, 3, ~0u, 0);
}

/* --- signals ---------------------------------------------------------------------------------- */

static volatile int caught;

static void
handler(int sig)
{
	(void)sig;
	caught++;
}

/* A child sends SIGUSR1 soon, and writes to fd somewhat later. */
static void
disturb(int fd)
{
	pid_t parent = getpid();

	caught = 0;
	fflush(stdout);
	if (fork() != 0)
		return;
	usleep(20000);
	kill(parent, SIGUSR1);
	usleep(20000);
	write(fd, "12345678", 8);
	_exit(0);
}

/* Until it has ended; the pipe is empty then. */
static void
calm(int fd)
{
	char c;

	while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
		;
	while (poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0) == 1)
		read(fd, &c, 1);
	printf("caught %d\n", caught);
}

static void
signals(void)
{
	struct sigaction sa = {.sa_handler = handler};
	struct epoll_event e = {.events = EPOLLIN};
	struct pollfd pfd;
	sigset_t block_it, none, now;
	char buf[8];
	fd_set in;
	int p[2], ep;

	pipe(p);
	ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e);
	pfd = (struct pollfd){p[0], POLLIN, 0};
	for (int restart = 0; restart < 2; restart++) {
		sa.sa_flags = restart ? SA_RESTART : 0;
		sigaction(SIGUSR1, &sa, NULL);
		disturb(p[1]);
		SHOW(read(p[0], buf, 8));
		calm(p[0]);
		disturb(p[1]);
		SHOW(poll(&pfd, 1, -1));
		calm(p[0]);
		disturb(p[1]);
		SHOW(epoll_wait(ep, &e, 1, -1));
		calm(p[0]);
	}
	/* Blocked but for the time of the call. */
	sigemptyset(&none);
	sigemptyset(&block_it);
	sigaddset(&block_it, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block_it, NULL);
	caught = 0;
	raise(SIGUSR1);
	SHOW(poll(&pfd, 1, 0));
	printf("caught %d\n", caught);
	SHOW(ppoll(&pfd, 1, NULL, &none));
	printf("caught %d\n", caught);
	raise(SIGUSR1);
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	SHOW(pselect(p[0] + 1, &in, NULL, NULL, NULL, &none));
	printf("caught %d\n", caught);
	raise(SIGUSR1);
	SHOW(epoll_pwait(ep, &e, 1, -1, &none));
	printf("caught %d\n", caught);
	raise(SIGUSR1);
	write(p[1], "x", 1);
	SHOW(ppoll(&pfd, 1, NULL, &none));
	printf("caught %d\n", caught);
	sigprocmask(SIG_SETMASK, NULL, &now);
	printf("blocked %d\n", sigismember(&now, SIGUSR1));
	close(p[0]);
	close(p[1]);
	close(ep);
}

static const struct test_case cases[] = {
    {"pipes", pipes},     {"capacity", capacity},
    {"broken", broken},   {"many", many},
    {"fifos", fifos},     {"polls", polls},
    {"selects", selects}, {"eventfds", eventfds},
    {"epolls", epolls},   {"splices", splices},
    {"vectors", vectors}, {"sharing", sharing},
    {"signals", signals}, {"descriptors", descriptors},
};

int
main(int argc, char **argv)
{
	return (run_cases(argc, argv, cases, sizeof(cases) / sizeof(cases[0])));
}

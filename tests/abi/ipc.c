/*
 * Pipes, eventfd, poll, select, epoll, sockets of the family UNIX, memfd, timerfd, signalfd.
 */
#include "abi.h"
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

FAMILY(pipe)
{
	static char big[100000];
	int fds[2], n = 0;
	long total = 0, r;
	struct stat st;

	signal(SIGPIPE, SIG_IGN);
	CHECK("make", pipe2, fds, 0);
	CHECK("write", write, fds[1], "hello", 5);
	CHECK("FIONREAD", ioctl, fds[0], FIONREAD, &n);
	say("there", "%d", n);
	CHECK("read", read, fds[0], big, 3);
	CHECK("read the rest", read, fds[0], big, 30);
	CHECK("read the wrong end", read, fds[1], big, 1);
	CHECK("write the wrong end", write, fds[0], big, 1);
	CHECK("seek", lseek, fds[0], 0, SEEK_SET);
	CHECK("pread", pread64, fds[0], big, 1, 0);
	CHECK("truncate", ftruncate, fds[1], 0);
	CHECK("fsync", fsync, fds[1]);
	CHECK_OK("map", mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, fds[0], 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	CHECK("read of nothing there", read, fds[0], big, 1);
	while ((r = write(fds[1], big, sizeof(big))) > 0)
		total += r;
	say("full", "%ld %s", total, errname(errno));
	CHECK("capacity", fcntl, fds[1], F_GETPIPE_SZ);
	read(fds[0], big, 4095);
	CHECK("less than a page of room", write, fds[1], big, 4096);
	while ((r = read(fds[0], big, sizeof(big))) > 0)
		total -= r;
	say("emptied", "%ld", total);
	CHECK("larger", fcntl, fds[1], F_SETPIPE_SZ, 1 << 17);
	CHECK("an odd size", fcntl, fds[1], F_SETPIPE_SZ, 5000);
	fstat(fds[0], &st);
	say("mode", "%o", st.st_mode);
	close(fds[0]);
	CHECK("write to nobody", write, fds[1], big, 1);
	pipe(fds);
	close(fds[1]);
	CHECK("read from nobody", read, fds[0], big, 1);
	signal(SIGPIPE, SIG_DFL);
	mkfifo("fifo", 0600);
	CHECK_OK("fifo to write without a reader", open, "fifo", O_WRONLY | O_NONBLOCK);
	fds[0] = open("fifo", O_RDONLY | O_NONBLOCK);
	CHECK("fifo without writers", read, fds[0], big, 1);
	fds[1] = open("fifo", O_WRONLY | O_NONBLOCK);
	CHECK("through the fifo", write, fds[1], "abc", 3);
	CHECK("out of it", read, fds[0], big, 10);
	CHECK("and no more", read, fds[0], big, 10);
}

static void
show_poll(const char *what, int fd, short events, int timeout)
{
	struct pollfd p = {fd, events, 0};
	long r = poll(&p, 1, timeout);

	say(what, "%ld %x", r, r < 0 ? (unsigned)errno : (unsigned)p.revents);
}

FAMILY(poll)
{
	const short all = POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM | POLLHUP | POLLERR;
	int fds[2], file = file_of("file", 10), null = open("/dev/null", O_RDWR);
	struct timeval tv = {0, 1000};
	fd_set in, out;

	show_poll("a file", file, all, 0);
	show_poll("null", null, all, 0);
	show_poll("a folder", open(".", O_RDONLY), all, 0);
	show_poll("closed", 999, all, 0);
	show_poll("-1", -1, all, 0);
	CHECK("nothing", poll, NULL, 0, 1);
	CHECK("too many", poll, &fds, 1 << 24, 0);
	if (pipe(fds) != 0)
		return;
	show_poll("an empty pipe", fds[0], all, 0);
	show_poll("its other end", fds[1], all, 0);
	show_poll("waiting", fds[0], POLLIN, 20);
	write(fds[1], "x", 1);
	show_poll("with a byte", fds[0], all, -1);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fds[0], &in);
	FD_SET(fds[1], &out);
	say("select", "%d", select(fds[1] + 1, &in, &out, NULL, &tv));
	say("sets", "%d %d", !!FD_ISSET(fds[0], &in), !!FD_ISSET(fds[1], &out));
	FD_SET(500, &in);
	result("select of closed", select(501, &in, NULL, NULL, &tv));
	CHECK("select of -1", select, -1, NULL, NULL, NULL, NULL);
	close(fds[1]);
	show_poll("no writer", fds[0], all, 0);
	read(fds[0], &tv, 1);
	show_poll("no writer, and empty", fds[0], POLLIN, 0);
	pipe(fds);
	close(fds[0]);
	show_poll("no reader", fds[1], all, 0);
}

FAMILY(epoll)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 7}, out[4];
	int ep = (int)SYS(epoll_create1, 0), fds[2] = {-1, -1}, file = file_of("file", 1);

	CHECK("of size 0", epoll_create, 0);
	pipe(fds);
	CHECK("add", epoll_ctl, ep, EPOLL_CTL_ADD, fds[0], &ev);
	CHECK("add again", epoll_ctl, ep, EPOLL_CTL_ADD, fds[0], &ev);
	CHECK("add a file", epoll_ctl, ep, EPOLL_CTL_ADD, file, &ev);
	CHECK("add itself", epoll_ctl, ep, EPOLL_CTL_ADD, ep, &ev);
	CHECK("add closed", epoll_ctl, ep, EPOLL_CTL_ADD, 999, &ev);
	CHECK("change what is not there", epoll_ctl, ep, EPOLL_CTL_MOD, fds[1], &ev);
	CHECK("remove what is not there", epoll_ctl, ep, EPOLL_CTL_DEL, fds[1], &ev);
	CHECK("nonsense", epoll_ctl, ep, 9, fds[1], &ev);
	CHECK("of a pipe", epoll_ctl, fds[0], EPOLL_CTL_ADD, fds[1], &ev);
	CHECK("wait for 0", epoll_wait, ep, out, 0, 0);
	CHECK("nothing yet", epoll_wait, ep, out, 4, 0);
	write(fds[1], "x", 1);
	CHECK("a byte", epoll_wait, ep, out, 4, -1);
	say("it says", "%x %u", out[0].events, out[0].data.u32);
	CHECK("still", epoll_wait, ep, out, 4, 0);
	ev.events = EPOLLIN | EPOLLET;
	CHECK("edges", epoll_ctl, ep, EPOLL_CTL_MOD, fds[0], &ev);
	CHECK("once", epoll_wait, ep, out, 4, 0);
	CHECK("no more", epoll_wait, ep, out, 4, 0);
	write(fds[1], "x", 1);
	CHECK("again", epoll_wait, ep, out, 4, 0);
	ev.events = EPOLLIN | EPOLLONESHOT;
	epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &ev);
	CHECK("one shot", epoll_wait, ep, out, 4, 0);
	CHECK("shot", epoll_wait, ep, out, 4, 0);
	close(fds[1]);
	ev.events = 0;
	epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &ev);
	CHECK("hang-up", epoll_wait, ep, out, 4, 0);
	say("hang-up is", "%x", out[0].events);
	close(fds[0]);
	CHECK("closed", epoll_wait, ep, out, 4, 0);
}

FAMILY(eventfd)
{
	uint64_t v = 5;
	int fd = (int)SYS(eventfd2, 3, O_NONBLOCK);
	struct pollfd p = {fd, POLLIN | POLLOUT, 0};

	CHECK("write", write, fd, &v, 8);
	CHECK("read", read, fd, &v, 8);
	say("sum", "%d", (int)v);
	CHECK("empty", read, fd, &v, 8);
	CHECK("read of 4", read, fd, &v, 4);
	v = UINT64_MAX;
	CHECK("all ones", write, fd, &v, 8);
	v = UINT64_MAX - 1;
	CHECK("most", write, fd, &v, 8);
	v = 1;
	CHECK("one too many", write, fd, &v, 8);
	poll(&p, 1, 0);
	say("poll", "%x", (unsigned)p.revents);
	fd = (int)SYS(eventfd2, 2, O_NONBLOCK | 1);
	CHECK("semaphore", read, fd, &v, 8);
	say("one", "%d", (int)v);
	CHECK("two", read, fd, &v, 8);
	CHECK("three", read, fd, &v, 8);
}

FAMILY(sockets)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "sock"}, peer;
	int fds[2] = {-1, -1}, s, c, a, type = 0;
	socklen_t len = sizeof(peer);
	char buf[32];

	signal(SIGPIPE, SIG_IGN);
	for (int t = 0; t < 7; t++)
		CHECK_OK(named("type %d", t), socket, AF_UNIX, t, 0);
	CHECK_OK("family 99", socket, 99, SOCK_STREAM, 0);
	CHECK_OK("protocol 9", socket, AF_UNIX, SOCK_STREAM, 9);
	CHECK("pair", socketpair, AF_UNIX, SOCK_STREAM, 0, fds);
	CHECK("write", write, fds[0], "abc", 3);
	CHECK("read", read, fds[1], buf, 10);
	CHECK("don't wait", recvfrom, fds[1], buf, 10, MSG_DONTWAIT, NULL, NULL);
	CHECK("shutdown", shutdown, fds[0], SHUT_WR);
	CHECK("at the end", read, fds[1], buf, 10);
	CHECK("write after it", write, fds[0], "x", 1);
	CHECK("the other way", write, fds[1], "xy", 2);
	CHECK("peek", recvfrom, fds[0], buf, 10, MSG_PEEK, NULL, NULL);
	CHECK("and read", read, fds[0], buf, 10);
	CHECK("shutdown of nonsense", shutdown, fds[0], 9);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK("listen unbound", listen, s, 5);
	CHECK("bind", bind, s, &addr, sizeof(addr));
	CHECK("bind again", bind, s, &addr, sizeof(addr));
	CHECK("bind another", bind, socket(AF_UNIX, SOCK_STREAM, 0), &addr, sizeof(addr));
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK("connect too early", connect, c, &addr, sizeof(addr));
	CHECK("listen", listen, s, 5);
	CHECK("connect", connect, c, &addr, sizeof(addr));
	CHECK("connect again", connect, c, &addr, sizeof(addr));
	a = (int)SYS(accept, s, &peer, &len);
	say("accept", "%d length %d", a >= 0, (int)len);
	CHECK("through", write, c, "hello", 5);
	CHECK("there", read, a, buf, 10);
	len = sizeof(peer);
	CHECK("name", getsockname, s, &peer, &len);
	say("it is", "%s %d", peer.sun_path, (int)len);
	len = sizeof(type);
	CHECK("option", getsockopt, s, SOL_SOCKET, SO_TYPE, &type, &len);
	say("type", "%d", type);
	CHECK("accept of one that does not listen", accept, c, NULL, NULL);
	CHECK("seek", lseek, c, 0, SEEK_SET);
	close(c);
	CHECK("closed", read, a, buf, 10);
	CHECK("write to closed", write, a, "x", 1);
	strcpy(addr.sun_path, "none");
	CHECK("connect to none", connect, socket(AF_UNIX, SOCK_STREAM, 0), &addr, sizeof(addr));
	CHECK("no socket", connect, 1, &addr, sizeof(addr));
	CHECK_OK("open one", open, "sock", O_RDWR);
	unlink("sock");
	socketpair(AF_UNIX, SOCK_DGRAM, 0, fds);
	write(fds[0], "abcdef", 6);
	write(fds[0], "g", 1);
	CHECK("a short read of a packet", read, fds[1], buf, 2);
	CHECK("the next", read, fds[1], buf, 10);
}

FAMILY(memfd)
{
	int fd = (int)SYS(memfd_create, "name", 2);
	char *p;
	struct stat st;

	say("made", "%d", fd >= 0);
	if (fd < 0)
		return;
	CHECK("size", ftruncate, fd, 2 * PAGE);
	p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	p[PAGE] = 'm';
	fstat(fd, &st);
	say("mode", "%o %ld", st.st_mode, (long)st.st_size);
	CHECK("seals", fcntl, fd, F_GET_SEALS);
	CHECK("seal writes while mapped", fcntl, fd, F_ADD_SEALS, F_SEAL_WRITE);
	CHECK("seal shrinking", fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK);
	CHECK("shrink", ftruncate, fd, PAGE);
	CHECK("grow", ftruncate, fd, 3 * PAGE);
	munmap(p, 2 * PAGE);
	CHECK("seal writes", fcntl, fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL);
	CHECK("write", pwrite64, fd, "x", 1, 0);
	CHECK_OK("map to write", mmap, NULL, PAGE, RW, MAP_SHARED, fd, 0);
	CHECK_OK("map privately", mmap, NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK("seal more", fcntl, fd, F_ADD_SEALS, F_SEAL_GROW);
	CHECK("sealed", fcntl, fd, F_GET_SEALS);
	CHECK("seal a file", fcntl, file_of("file", 1), F_ADD_SEALS, F_SEAL_SEAL);
}

FAMILY(otherfds)
{
	struct itimerspec {
		struct timespec interval, value;
	} its = {.value = {0, 5000000}}, got;
	uint64_t mask = 1ul << (SIGUSR1 - 1), n = 0;
	int t = (int)SYS(timerfd_create, CLOCK_MONOTONIC, 0), s;
	char info[128];

	say("timerfd", "%d", t >= 0);
	CHECK("set", timerfd_settime, t, 0, &its, NULL);
	CHECK("read", read, t, &n, 8);
	say("ran out", "%d", (int)n);
	CHECK("get", timerfd_gettime, t, &got);
	say("left", "%ld", (long)got.value.tv_nsec);
	CHECK("read of 4", read, t, &n, 4);
	CHECK("write", write, t, &n, 8);
	SYS(rt_sigprocmask, SIG_BLOCK, &mask, NULL, 8);
	s = (int)SYS(signalfd4, -1, &mask, 8, O_NONBLOCK);
	say("signalfd", "%d", s >= 0);
	CHECK("no signal", read, s, info, 128);
	kill(getpid(), SIGUSR1);
	CHECK("a signal", read, s, info, 128);
	say("it is", "%d", *(uint32_t *)info);
	CHECK("taken", read, s, info, 128);
	CHECK("too short", read, s, info, 100);
}

/*
 * Sockets of the family AF_UNIX: each case named on the command line prints what it sees, the same
 * on the host and in Quire. "leaks" loses sockets in every way there is, and prints what the kernel
 * has not got back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "gauges.h"
#include "tell.h"

static void *volatile bad = (void *)8;
static char block[1 << 20];

static const char *
err(long result)
{
	static char buf[8][32];
	static int next;
	char *s = buf[next++ & 7];

	if (result >= 0)
		snprintf(s, 32, "%ld", result);
	else
		snprintf(s, 32, "error: %.20s", strerror(errno));
	return (s);
}
#define SHOW(call) printf("%s: %s\n", #call, err((long)(call)))

static struct sockaddr_un
address(const char *path, socklen_t *len)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t n = *path == '@' ? strlen(path) : strlen(path) + 1;

	memcpy(un.sun_path, path, n);
	if (*path == '@')
		un.sun_path[0] = '\0';
	*len = offsetof(struct sockaddr_un, sun_path) + n;
	return (un);
}

static int
bind_to(int fd, const char *path)
{
	socklen_t len;
	struct sockaddr_un un = address(path, &len);

	return (bind(fd, (void *)&un, len));
}

static int
connect_to(int fd, const char *path)
{
	socklen_t len;
	struct sockaddr_un un = address(path, &len);

	return (connect(fd, (void *)&un, len));
}

static void
show_name(int fd, int peer)
{
	struct sockaddr_un un = {.sun_family = 99};
	socklen_t len = sizeof(un);
	int r = peer ? getpeername(fd, (void *)&un, &len) : getsockname(fd, (void *)&un, &len);

	printf("name %s", err(r));
	if (r == 0)
		printf(" family %d length %u \"%.*s\"", un.sun_family, len,
		       len > 2 ? (int)len - 2 - (un.sun_path[0] == 0) : 0,
		       un.sun_path + (len > 2 && un.sun_path[0] == 0));
	printf("\n");
}

static void
show_poll(const char *what, int fd)
{
	struct pollfd pfd = {fd, 0x7ff | POLLRDHUP, 0};
	int n = poll(&pfd, 1, 0);

	printf("%s: %d %x\n", what, n, pfd.revents);
}

/* --- */

static void
create(void)
{
	int p[2];

	SHOW(socket(AF_UNIX, 7, 0));
	SHOW(socket(AF_UNIX, 77, 0));
	SHOW(socket(AF_UNIX, SOCK_STREAM, 2));
	SHOW(socket(AF_UNIX, SOCK_STREAM | 0x10, 0));
	SHOW(socket(-1, SOCK_STREAM, 0));
	SHOW(socket(200, SOCK_STREAM, 0));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, bad));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p));
	SHOW(fcntl(p[0], F_GETFL));
	SHOW(fcntl(p[1], F_GETFD));
	show_name(p[0], 0);
	show_name(p[0], 1);
	SHOW(lseek(p[0], 0, SEEK_SET));
	SHOW(send(0, "x", 1, 0));
	SHOW(send(99, "x", 1, 0));
	close(p[0]);
	close(p[1]);
}

static void
stream(void)
{
	char buf[64] = "";
	int p[2], n;

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	show_poll("new", p[0]);
	SHOW(write(p[0], "hello", 5));
	SHOW(send(p[0], " world", 6, 0));
	SHOW(ioctl(p[1], FIONREAD, &n));
	printf("%d\n", n);
	SHOW(recv(p[1], buf, 3, MSG_PEEK));
	SHOW(recv(p[1], buf, 64, MSG_PEEK));
	printf("%s\n", buf);
	memset(buf, 0, 64);
	SHOW(recv(p[1], buf, 8, 0));
	printf("%s\n", buf);
	show_poll("something", p[1]);
	memset(buf, 0, 64);
	SHOW(read(p[1], buf, 64));
	printf("%s\n", buf);
	SHOW(recv(p[1], buf, 64, MSG_DONTWAIT));
	SHOW(send(p[1], bad, 64, 0));
	SHOW(write(p[0], "abc", 3));
	SHOW(recv(p[1], bad, 64, 0));
	SHOW(recv(p[1], buf, 64, MSG_TRUNC));
	fflush(stdout);
	if (fork() == 0) {
		close(p[1]);
		for (int i = 0; i < 300; i++)
			write(p[0], block + i * 1000, 1000);
		_exit(0);
	}
	close(p[0]);
	for (int i = 0; i < 3; i++)
		SHOW(recv(p[1], block, 100000, MSG_WAITALL));
	SHOW(recv(p[1], block, 100000, MSG_WAITALL));
	show_poll("end", p[1]);
	signal(SIGPIPE, SIG_IGN);
	SHOW(send(p[1], "x", 1, 0));
	SHOW(send(p[1], "x", 0, 0));
	wait(NULL);
	close(p[1]);
	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	write(p[0], "unread", 6);
	close(p[1]);
	show_poll("closed with something unread", p[0]);
	SHOW(read(p[0], buf, 1));
	SHOW(read(p[0], buf, 1));
	close(p[0]);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p);
	SHOW(send(p[0], block, sizeof(block), 0) < (int)sizeof(block));
	SHOW(send(p[0], "x", 1, 0));
	show_poll("full", p[0]);
	while (read(p[1], block, sizeof(block)) > 0)
		;
	show_poll("not full", p[0]);
	close(p[0]);
	close(p[1]);
	if (fork() == 0) {
		signal(SIGPIPE, SIG_DFL);
		socketpair(AF_UNIX, SOCK_STREAM, 0, p);
		close(p[1]);
		send(p[0], "x", 1, MSG_NOSIGNAL);
		write(p[0], "x", 1);
		_exit(0);
	}
	wait(&n);
	printf("status %x\n", n);
}

static void
shutdowns(void)
{
	char buf[8];
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p);
	SHOW(shutdown(p[0], 3));
	SHOW(write(p[0], "last", 4));
	SHOW(shutdown(p[0], SHUT_WR));
	SHOW(write(p[0], "x", 1));
	show_poll("peer of half closed", p[1]);
	SHOW(read(p[1], buf, 8));
	SHOW(read(p[1], buf, 8));
	SHOW(write(p[1], "back", 4));
	SHOW(read(p[0], buf, 8));
	show_poll("half closed", p[0]);
	SHOW(shutdown(p[0], SHUT_RD));
	show_poll("closed", p[0]);
	SHOW(write(p[1], "x", 1));
	SHOW(read(p[0], buf, 8));
	close(p[0]);
	close(p[1]);
	p[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	SHOW(shutdown(p[0], SHUT_RDWR));
	close(p[0]);
}

static void
names(void)
{
	struct sockaddr_un un = {.sun_family = AF_INET};
	struct stat st;
	socklen_t len;
	int a, b;

	unlink("/tmp/ipc.sock");
	a = socket(AF_UNIX, SOCK_STREAM, 0);
	b = socket(AF_UNIX, SOCK_STREAM, 0);
	show_name(a, 0);
	show_name(a, 1);
	SHOW(bind(a, (void *)&un, sizeof(un)));
	un.sun_family = AF_UNIX;
	SHOW(bind(a, (void *)&un, 1000));
	SHOW(bind(a, (void *)&un, 1));
	SHOW(bind(a, bad, 10));
	SHOW(bind_to(a, "/tmp/none/x"));
	SHOW(bind_to(a, "/tmp"));
	SHOW(bind_to(a, "/tmp/ipc.sock"));
	SHOW(bind_to(a, "/tmp/ipc.sock2"));
	SHOW(bind_to(b, "/tmp/ipc.sock"));
	show_name(a, 0);
	stat("/tmp/ipc.sock", &st);
	printf("mode %o\n", st.st_mode & S_IFMT);
	SHOW(open("/tmp/ipc.sock", O_RDWR));
	SHOW(connect_to(b, "/tmp/ipc.sock"));
	SHOW(connect_to(b, "/tmp/ipc.none"));
	SHOW(connect_to(b, "/tmp"));
	SHOW(listen(b, 1));
	len = sizeof(un);
	SHOW(getsockname(a, (void *)&un, bad));
	SHOW(getsockname(a, bad, &len));
	len = 4;
	SHOW(getsockname(a, (void *)&un, &len));
	printf("length %u\n", len);
	len = -1;
	SHOW(getsockname(a, (void *)&un, &len));
	close(a);
	SHOW(connect_to(b, "/tmp/ipc.sock"));
	unlink("/tmp/ipc.sock");
	a = socket(AF_UNIX, SOCK_STREAM, 0);
	SHOW(bind_to(a, "@ipc-abstract"));
	SHOW(bind_to(b, "@ipc-abstract"));
	show_name(a, 0);
	close(a);
	SHOW(bind_to(b, "@ipc-abstract"));
	close(b);
	a = socket(AF_UNIX, SOCK_DGRAM, 0);
	un.sun_family = AF_UNIX;
	SHOW(bind(a, (void *)&un, 2));
	len = sizeof(un);
	getsockname(a, (void *)&un, &len);
	printf("length %u\n", len);
	close(a);
}

static void
connections(void)
{
	char buf[16] = "";
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	struct ucred cred;
	int l, c, s, d, n;

	l = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	SHOW(listen(l, 5));
	SHOW(bind_to(l, "@ipc-listen"));
	show_poll("bound", l);
	SHOW(accept(l, NULL, NULL));
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	SHOW(connect_to(c, "@ipc-listen"));
	SHOW(listen(l, 1));
	show_poll("listening", l);
	SHOW(accept(l, NULL, NULL));
	SHOW(read(l, buf, 1));
	SHOW(write(l, buf, 1));
	SHOW(connect_to(l, "@ipc-listen"));
	show_poll("unconnected", c);
	SHOW(read(c, buf, 1));
	SHOW(send(c, buf, 1, MSG_NOSIGNAL));
	SHOW(connect_to(c, "@ipc-listen"));
	SHOW(connect_to(c, "@ipc-listen"));
	show_poll("connected", c);
	show_poll("listening", l);
	SHOW(write(c, "early", 5));
	s = accept4(l, (void *)&un, &len, SOCK_CLOEXEC);
	printf("peer's address has length %u\n", len);
	SHOW(accept4(l, NULL, NULL, 1));
	SHOW(fcntl(s, F_GETFD));
	SHOW(fcntl(s, F_GETFL));
	SHOW(read(s, buf, 16));
	show_name(s, 0);
	show_name(s, 1);
	show_name(c, 1);
	len = sizeof(cred);
	SHOW(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len));
	printf("%d %d %d\n", cred.pid == getpid(), cred.uid == getuid(), cred.gid == getgid());
	SHOW(send(c, "x", 1, 0));
	close(s);
	SHOW(read(c, buf, 1));
	SHOW(send(c, "x", 1, MSG_NOSIGNAL));
	show_poll("closed", c);
	close(c);
	/* The queue: one more than backlog, then EAGAIN. */
	for (n = 0; n < 10; n++) {
		c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect_to(c, "@ipc-listen") != 0)
			break;
	}
	printf("%d fit, then %s\n", n, err(-1));
	close(l);
	SHOW(connect_to(c, "@ipc-listen"));
	for (int i = 3; i < 40; i++)
		close(i);
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	bind_to(l, "@ipc-listen");
	listen(l, 1);
	d = socket(AF_UNIX, SOCK_DGRAM, 0);
	SHOW(connect_to(d, "@ipc-listen"));
	SHOW(listen(d, 1));
	SHOW(accept(d, NULL, NULL));
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	connect_to(c, "@ipc-listen");
	close(l);
	SHOW(read(c, buf, 1));
	SHOW(read(c, buf, 1));
	close(c);
	/* A connection that waits for room, and accepting that waits for one. */
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	bind_to(l, "@ipc-listen");
	listen(l, 0);
	fflush(stdout);
	for (int i = 0; i < 5; i++)
		if (fork() == 0) {
			c = socket(AF_UNIX, SOCK_STREAM, 0);
			n = connect_to(c, "@ipc-listen");
			write(c, "hi", 2);
			_exit(n != 0);
		}
	for (int i = 0; i < 5; i++) {
		s = accept(l, NULL, NULL);
		printf("%zd\n", read(s, buf, 16));
		close(s);
	}
	while (wait(&n) > 0)
		printf("status %x\n", n);
	close(l);
	close(d);
}

static void
datagrams(void)
{
	char buf[16] = "";
	struct sockaddr_un un;
	socklen_t len = sizeof(un), alen;
	struct sockaddr_un to = address("@ipc-a", &alen);
	int a, b, p[2], n;

	a = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	b = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	show_poll("new", a);
	bind_to(a, "@ipc-a");
	SHOW(send(b, "x", 1, 0));
	SHOW(sendto(b, "one", 3, 0, (void *)&to, alen));
	SHOW(recvfrom(a, buf, 16, 0, (void *)&un, &len));
	printf("from length %u\n", len);
	bind_to(b, "@ipc-b");
	SHOW(sendto(b, "two", 3, 0, (void *)&to, alen));
	SHOW(sendto(b, "", 0, 0, (void *)&to, alen));
	SHOW(sendto(b, "four", 4, 0, (void *)&to, alen));
	len = sizeof(un);
	SHOW(recvfrom(a, buf, 2, MSG_PEEK | MSG_TRUNC, (void *)&un, &len));
	printf("from %.5s length %u\n", un.sun_path + 1, len);
	SHOW(ioctl(a, FIONREAD, &n));
	printf("%d\n", n);
	SHOW(recv(a, buf, 2, 0));
	SHOW(recv(a, buf, 16, 0));
	SHOW(recv(a, buf, 16, 0));
	SHOW(recv(a, buf, 16, 0));
	SHOW(connect_to(b, "@ipc-a"));
	SHOW(send(b, "five", 4, 0));
	SHOW(recv(a, buf, 16, 0));
	SHOW(connect_to(b, "@ipc-none"));
	for (n = 0; send(b, "x", 1, 0) == 1; n++)
		;
	printf("%d fit, then %s\n", n, err(-1));
	show_poll("full", b);
	recv(a, buf, 16, 0);
	show_poll("not full", b);
	SHOW(send(b, block, 300000, 0));
	un.sun_family = AF_UNSPEC;
	SHOW(connect(b, (void *)&un, 2));
	SHOW(send(b, "x", 1, 0));
	connect_to(b, "@ipc-a");
	close(a);
	SHOW(send(b, "x", 1, 0));
	SHOW(send(b, "x", 1, 0));
	close(b);
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p);
	SHOW(write(p[0], "abc", 3));
	SHOW(write(p[0], "", 0));
	SHOW(read(p[1], buf, 2));
	SHOW(read(p[1], buf, 2));
	SHOW(read(p[1], buf, 2));
	close(p[1]);
	show_poll("peer closed", p[0]);
	SHOW(write(p[0], "x", 1));
	close(p[0]);
	socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, p);
	SHOW(send(p[0], "abc", 3, 0));
	SHOW(send(p[0], "defg", 4, 0));
	SHOW(recv(p[1], buf, 2, MSG_TRUNC));
	SHOW(recv(p[1], buf, 16, MSG_WAITALL));
	SHOW(recv(p[1], buf, 16, 0));
	close(p[0]);
	SHOW(recv(p[1], buf, 16, 0));
	SHOW(send(p[1], "x", 1, MSG_NOSIGNAL));
	close(p[1]);
	a = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	SHOW(recv(a, buf, 16, 0));
	SHOW(send(a, buf, 16, 0));
	close(a);
}

static void
options(void)
{
	struct timeval tv = {0, 20000};
	char buf[4];
	socklen_t len;
	int p[2], v;

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	static const int all[] = {
	    SO_DEBUG,    SO_REUSEADDR, SO_TYPE,       SO_ERROR,     SO_DONTROUTE, SO_BROADCAST,
	    SO_SNDBUF,   SO_RCVBUF,    SO_KEEPALIVE,  SO_OOBINLINE, SO_REUSEPORT, SO_PASSCRED,
	    SO_RCVLOWAT, SO_SNDLOWAT,  SO_ACCEPTCONN, SO_PROTOCOL,  SO_DOMAIN,    200};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		len = sizeof(v);
		v = -1;
		printf("option %d: %s", all[i],
		       err(getsockopt(p[0], SOL_SOCKET, all[i], &v, &len)));
		printf(" %d %u\n", v, len);
	}
	v = 1;
	SHOW(setsockopt(p[0], SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v)));
	SHOW(getsockopt(p[0], SOL_SOCKET, SO_REUSEADDR, &v, &len));
	printf("%d\n", v);
	v = 10000;
	SHOW(setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)));
	SHOW(getsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &v, &len));
	printf("%d\n", v);
	v = 1;
	SHOW(setsockopt(p[0], SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)));
	SHOW(getsockopt(p[0], SOL_SOCKET, SO_RCVBUF, &v, &len));
	printf("%d\n", v);
	SHOW(setsockopt(p[0], SOL_SOCKET, 200, &v, sizeof(v)));
	SHOW(setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &v, 3));
	SHOW(setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, bad, 4));
	SHOW(setsockopt(p[0], SOL_SOCKET, SO_TYPE, &v, 4));
	SHOW(setsockopt(p[0], 6, 1, &v, 4));
	SHOW(getsockopt(p[0], 6, 1, &v, &len));
	SHOW(getsockopt(p[0], SOL_SOCKET, SO_TYPE, bad, &len));
	SHOW(getsockopt(p[0], SOL_SOCKET, SO_TYPE, &v, bad));
	SHOW(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	SHOW(read(p[0], buf, 4));
	tv.tv_usec = 1000000;
	SHOW(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	SHOW(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, 4));
	close(p[0]);
	close(p[1]);
}

/* --- what goes along -------------------------------------------------------------------------- */

static union {
	struct cmsghdr hdr;
	char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(300 * sizeof(int))];
} control;

static ssize_t
send_fds(int sock, const int *fds, int n, const char *text)
{
	struct iovec iov = {(void *)text, strlen(text)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cm = &control.hdr;

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cm), fds, n * sizeof(int));
	msg.msg_control = cm;
	msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
	return (sendmsg(sock, &msg, MSG_DONTWAIT));
}

/* Prints what comes; returns the first descriptor. */
static int
receive(int sock, size_t room, int flags)
{
	static char buf[256];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct ucred cred;
	int fd = -1;
	ssize_t n;

	memset(buf, 0, sizeof(buf));
	msg.msg_control = &control;
	msg.msg_controllen = room;
	n = recvmsg(sock, &msg, flags | MSG_DONTWAIT);
	printf("received %s", err(n));
	if (n >= 0)
		printf(" \"%s\" flags %x control %zu", buf, msg.msg_flags,
		       (size_t)msg.msg_controllen);
	for (struct cmsghdr *cm = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL; cm != NULL;
	     cm = CMSG_NXTHDR(&msg, cm)) {
		printf(" [%d %zu", cm->cmsg_type, (size_t)cm->cmsg_len);
		if (cm->cmsg_type == SCM_RIGHTS) {
			memcpy(&fd, CMSG_DATA(cm), sizeof(fd));
			printf(" cloexec %d", fcntl(fd, F_GETFD));
		} else {
			memcpy(&cred, CMSG_DATA(cm), sizeof(cred));
			printf(" pid %d uid %d", cred.pid == getpid(), cred.uid == getuid());
		}
		printf("]");
	}
	printf("\n");
	return (fd);
}

static void
rights(void)
{
	int p[2], q[2], fd, fds[256], on = 1;
	char c;

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	pipe(q);
	SHOW(send_fds(p[0], q, 2, "two"));
	fd = receive(p[1], CMSG_SPACE(2 * sizeof(int)), MSG_CMSG_CLOEXEC);
	SHOW(write(q[1], "x", 1));
	SHOW(read(fd, &c, 1));
	close(fd);
	close(fd + 1);
	SHOW(write(p[0], "before ", 7));
	SHOW(send_fds(p[0], q, 1, "with"));
	SHOW(write(p[0], " after", 6));
	fd = receive(p[1], sizeof(control), MSG_PEEK);
	close(fd);
	fd = receive(p[1], sizeof(control), 0);
	close(fd);
	receive(p[1], sizeof(control), 0);
	SHOW(send_fds(p[0], q, 2, "no room"));
	receive(p[1], 0, 0);
	SHOW(send_fds(p[0], q, 2, "little room"));
	fd = receive(p[1], CMSG_LEN(sizeof(int)), 0);
	close(fd);
	SHOW(send_fds(p[0], (int[]){99}, 1, "none such"));
	for (int i = 0; i < 256; i++)
		fds[i] = 0;
	SHOW(send_fds(p[0], fds, 254, "too many"));
	SHOW(send_fds(p[0], fds, 253, "many"));
	close(p[1]);
	close(p[0]);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, p);
	SHOW(setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	SHOW(send(p[0], "who", 3, 0));
	receive(p[1], sizeof(control), 0);
	SHOW(send_fds(p[0], q, 1, "both"));
	fd = receive(p[1], sizeof(control), 0);
	close(fd);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
}

static void
several(void)
{
	struct iovec iov[4] = {{"ab", 2}, {"cde", 3}, {"f", 1}, {"", 0}};
	struct mmsghdr m[4] = {0};
	char buf[4][8];
	int p[2], n;

	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p);
	for (int i = 0; i < 4; i++)
		m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	SHOW(sendmmsg(p[0], m, 4, 0));
	for (int i = 0; i < 4; i++)
		iov[i] = (struct iovec){buf[i], 8};
	SHOW(n = recvmmsg(p[1], m, 3, 0, NULL));
	for (int i = 0; i < n; i++)
		printf("%u %.*s\n", m[i].msg_len, (int)m[i].msg_len, buf[i]);
	SHOW(recvmmsg(p[1], m, 3, MSG_WAITFORONE, NULL));
	SHOW(recvmmsg(p[1], m, 3, 0, NULL));
	SHOW(syscall(SYS_recvmmsg, p[1], bad, 3, MSG_DONTWAIT, NULL));
	SHOW(syscall(SYS_sendmsg, p[0], bad, 0));
	SHOW(syscall(SYS_recvmsg, p[0], bad, MSG_DONTWAIT));
	m[0].msg_hdr.msg_iovlen = 1025;
	SHOW(sendmsg(p[0], &m[0].msg_hdr, 0));
	SHOW(sendmsg(0, &m[0].msg_hdr, 0));
	close(p[0]);
	close(p[1]);
}

/* --- leaks ------------------------------------------------------------------------------------ */

static void
lose_some(void)
{
	int p[2], q[2], l, c, chain = -1;

	for (int i = 0; i < 20; i++) {
		socketpair(AF_UNIX, SOCK_STREAM, 0, p); /* each on its own queue, both ways */
		send_fds(p[0], p, 2, "self");
		send_fds(p[1], p, 2, "self");
		close(p[0]);
		close(p[1]);
		socketpair(AF_UNIX, SOCK_DGRAM, 0, p);
		socketpair(AF_UNIX, SOCK_DGRAM, 0, q);
		send_fds(p[0], q, 2, "crosswise");
		send_fds(q[0], p, 2, "crosswise");
		close(p[0]);
		close(p[1]);
		close(q[0]);
		close(q[1]);
	}
	for (int i = 0; i < 200; i++) { /* a chain: each waits in the next */
		socketpair(AF_UNIX, SOCK_STREAM, 0, p);
		if (chain >= 0)
			send_fds(p[0], &chain, 1, "chain");
		close(chain);
		close(p[0]);
		chain = p[1];
	}
	close(chain);
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	bind_to(l, "@ipc-leak");
	listen(l, 10);
	for (int i = 0; i < 5; i++) { /* connections nobody accepted, with the listener in them */
		c = socket(AF_UNIX, SOCK_STREAM, 0);
		connect_to(c, "@ipc-leak");
		send_fds(c, &l, 1, "listener");
		close(c);
	}
	close(l);
	pipe(p);
	write(p[1], block, 65536);
	close(p[0]);
	close(p[1]);
	l = epoll_create1(0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	epoll_ctl(l, EPOLL_CTL_ADD, p[0], &(struct epoll_event){.events = EPOLLIN});
	send_fds(p[1], &l, 1, "epoll");
	close(l);
	close(p[0]);
	close(p[1]);
}

static void
leaks(void)
{
	struct gauges before;

	lose_some();
	before = gauges_before();
	for (int i = 0; i < 3; i++)
		lose_some();
	gauges_check(&before);
	printf("on their way: %lu, pipes' pages: %lu, messages: %lu\n", stat_of("files_inflight"),
	       stat_of("pipe_pages"), stat_of("socket_bytes"));
}

static const struct test_case cases[] = {
    {"create", create},   {"stream", stream},           {"shutdowns", shutdowns},
    {"names", names},     {"connections", connections}, {"datagrams", datagrams},
    {"options", options}, {"rights", rights},           {"several", several},
    {"leaks", leaks},
};

int
main(int argc, char **argv)
{
	return (run_cases(argc, argv, cases, sizeof(cases) / sizeof(cases[0])));
}

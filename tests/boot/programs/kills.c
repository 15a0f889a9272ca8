/*
 * kills: a process is killed in every kind of sleep; it is dead at once, and nothing is lost.
 * kills flood: processes that fork without an end are killed by one signal to their group, and none
 * is left.
 */
#define _GNU_SOURCE
#include "gauges.h"
#include "tell.h"
#include <linux/futex.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>

static char page[65536];
static const struct timespec ms = {0, 1000000};

static void
nap(void)
{
	nanosleep(&ms, NULL);
}

/* --- sleeps ----------------------------------------------------------------------------------- */

static void
pipe_read(void)
{
	int fds[2];

	pipe(fds);
	read(fds[0], page, 1);
}

static void
pipe_write(void)
{
	int fds[2];

	pipe(fds);
	for (;;)
		write(fds[1], page, sizeof(page));
}

static void
pipe_splice(void)
{
	int from[2], to[2];

	pipe(from);
	pipe(to);
	splice(from[0], NULL, to[1], NULL, 100, 0);
}

static void
fifo_open(void)
{
	mkfifo("/tmp/kills.fifo", 0600);
	open("/tmp/kills.fifo", O_RDONLY);
}

static void
futex_wait(void)
{
	syscall(SYS_futex, page, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static void
futex_shared(void)
{
	uint32_t *word = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	syscall(SYS_futex, word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1);
}

/* A child that does not outlive its parent. */
static void
lasting_child(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static void
wait_for_child(void)
{
	if (fork() == 0)
		lasting_child();
	wait(NULL);
}

static void
wait_as_vfork_parent(void)
{
	if (vfork() == 0)
		lasting_child();
}

static void
sleep_long(void)
{
	nanosleep(&(struct timespec){1000, 0}, NULL);
}

static void
sleep_until(void)
{
	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){1l << 33, 0}, NULL);
}

static void
poll_forever(void)
{
	int fds[2];

	pipe(fds);
	poll(&(struct pollfd){fds[0], POLLIN, 0}, 1, -1);
}

static void
select_long(void)
{
	struct timeval t = {1000, 0};

	select(0, NULL, NULL, NULL, &t);
}

static void
epoll_forever(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int set = epoll_create1(0), fd = eventfd(0, 0);

	epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
	epoll_wait(set, &event, 1, -1);
}

static const struct sockaddr_un address = {AF_UNIX, "\0kills"};

static int
listener(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	bind(fd, (const struct sockaddr *)&address, sizeof(address));
	listen(fd, 0);
	return (fd);
}

static void
accept_one(void)
{
	accept(listener(), NULL, NULL);
}

static void
connect_one_more(void)
{
	listener();
	for (;;)
		connect(socket(AF_UNIX, SOCK_STREAM, 0), (const struct sockaddr *)&address,
			sizeof(address));
}

static void
socket_read(void)
{
	int fds[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	recv(fds[0], page, 1, 0);
}

static void
fill_socket(int type, size_t len)
{
	int fds[2];

	socketpair(AF_UNIX, type, 0, fds);
	for (;;)
		send(fds[0], page, len, 0);
}

static void
socket_write(void)
{
	fill_socket(SOCK_STREAM, 4096);
}

static void
datagram_write(void)
{
	fill_socket(SOCK_DGRAM, 1);
}

static void
lock_file(void)
{
	int fd = open("/tmp/kills.lock", O_RDWR | O_CREAT, 0600);

	if (fork() == 0) {
		flock(open("/tmp/kills.lock", O_RDWR), LOCK_EX);
		lasting_child();
	}
	while (flock(fd, LOCK_SH | LOCK_NB) == 0) {
		flock(fd, LOCK_UN);
		nap();
	}
	flock(fd, LOCK_EX);
}

static void
lock_record(void)
{
	struct flock all = {.l_type = F_WRLCK}, seen = all;
	int fd = open("/tmp/kills.lock", O_RDWR | O_CREAT, 0600);

	if (fork() == 0) {
		fcntl(fd, F_SETLK, &all);
		lasting_child();
	}
	while (fcntl(fd, F_GETLK, &seen) == 0 && seen.l_type == F_UNLCK) {
		seen = all;
		nap();
	}
	fcntl(fd, F_SETLKW, &all);
}

static void
wait_for_signal(void)
{
	sigset_t set;

	sigfillset(&set);
	sigsuspend(&set);
}

static void
take_signal(void)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigwaitinfo(&set, &info);
}

static void
tty_read(void)
{
	int master, slave;

	openpty(&master, &slave, NULL, NULL, NULL);
	read(slave, page, 1);
}

static void
tty_write(void)
{
	int master, slave;

	openpty(&master, &slave, NULL, NULL, NULL);
	for (;;)
		write(slave, page, 1000);
}

static void
pty_read(void)
{
	int master, slave;

	openpty(&master, &slave, NULL, NULL, NULL);
	read(master, page, 1);
}

static void
pty_write(void)
{
	struct termios raw = {0};
	int master, slave;

	cfmakeraw(&raw);
	openpty(&master, &slave, NULL, &raw, NULL);
	for (;;)
		write(master, page, 1000);
}

static void
event_read(void)
{
	read(eventfd(0, 0), page, 8);
}

static void
event_write(void)
{
	uint64_t most = UINT64_MAX - 1;
	int fd = eventfd(0, 0);

	write(fd, &most, 8);
	write(fd, &most, 8);
}

static void
timerfd_read(void)
{
	read(timerfd_create(CLOCK_MONOTONIC, 0), page, 8);
}

static void
signalfd_read(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	read(signalfd(-1, &set, 0), page, sizeof(struct signalfd_siginfo));
}

static void
stopped(void)
{
	raise(SIGSTOP);
}

static const struct {
	const char *name;
	void (*sleep)(void);
} sleeps[] = {
    {"pipe read", pipe_read},       {"pipe write", pipe_write},
    {"splice", pipe_splice},        {"open of a fifo", fifo_open},
    {"futex", futex_wait},          {"shared futex", futex_shared},
    {"wait", wait_for_child},       {"vfork", wait_as_vfork_parent},
    {"nanosleep", sleep_long},      {"clock_nanosleep", sleep_until},
    {"poll", poll_forever},         {"select", select_long},
    {"epoll_wait", epoll_forever},  {"accept", accept_one},
    {"connect", connect_one_more},  {"socket read", socket_read},
    {"socket write", socket_write}, {"flock", lock_file},
    {"record lock", lock_record},   {"sigsuspend", wait_for_signal},
    {"sigwaitinfo", take_signal},   {"terminal read", tty_read},
    {"terminal write", tty_write},  {"pty read", pty_read},
    {"pty write", pty_write},       {"datagram write", datagram_write},
    {"eventfd read", event_read},   {"eventfd write", event_write},
    {"timerfd read", timerfd_read}, {"signalfd read", signalfd_read},
    {"stopped", stopped},
};
#define SLEEPS (sizeof(sleeps) / sizeof(sleeps[0]))

/* The letter in /proc/PID/stat. */
static char
state(pid_t pid)
{
	char path[64], text[200] = "";
	const char *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return ('?');
	read(fd, text, sizeof(text) - 1);
	close(fd);
	end = strrchr(text, ')');
	return (end != NULL ? end[2] : '?');
}

/* It has been asleep for a while: in the last of its calls. */
static void
let_sleep(pid_t pid)
{
	for (int n = 0; n < 20; n++) {
		nap();
		if (strchr("SDT", state(pid)) == NULL)
			n = 0;
	}
}

static void
kill_asleep(const char *name, void (*sleep)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		sleep();
		printf("%s: did not sleep, errno %d\n", name, errno);
		fflush(stdout);
		_exit(3);
	}
	let_sleep(pid);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	say(name, WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

/* Grandchildren end a moment later. */
static void
reap_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

/* --- a flood of forks ------------------------------------------------------------------------- */

/* Ten lines of descent: each process makes one child and ends. */
static void
flood(void)
{
	for (int i = 0; i < 10; i++)
		if (fork() == 0)
			break;
	while (fork() == 0)
		continue;
	_exit(0);
}

static bool
kill_flood(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		flood();
	}
	for (int i = 0; i < 50; i++) {
		nap();
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
	}
	kill(-pid, SIGKILL);
	for (int i = 0; i < 100; i++)
		nap();
	reap_all(); /* does not return while one is left */
	return (kill(-pid, SIGKILL) == 0);
}

int
main(int argc, char **argv)
{
	struct gauges before;

	(void)argv;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (argc > 1) {
		for (int i = 0; i < 10; i++)
			say("left of the flood", kill_flood());
		return (0);
	}
	for (int round = 0; round < 2; round++) { /* the first fills caches */
		before = gauges_before();
		for (size_t i = 0; i < SLEEPS; i++)
			kill_asleep(sleeps[i].name, sleeps[i].sleep);
		reap_all();
		unlink("/tmp/kills.fifo");
		unlink("/tmp/kills.lock");
	}
	gauges_check(&before);
	return (0);
}

/*
 * Terminals and sessions: who controls what, foreground and background, signals typed, hang-up.
 * The host and Quire must print the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int master, slave;
static char name[32];

static void
say(const char *what, long result)
{
	printf("  %s: %s\n", what, result >= 0 ? "ok" : strerror(errno));
}

static void
open_pty(void)
{
	int unlocked = 0, n = -1;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	ioctl(master, TIOCSPTLCK, &unlocked);
	ioctl(master, TIOCGPTN, &n);
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	slave = open(name, O_RDWR | O_NOCTTY);
}

static void
close_pty(void)
{
	close(slave);
	close(master);
}

/* Run fn in a child that leads a session; the wait status. */
static int
in_session(const char *what, void (*fn)(void))
{
	int status;
	pid_t pid;

	printf("--- %s\n", what);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setsid();
		fn();
		exit(0);
	}
	waitpid(pid, &status, 0);
	return (status);
}

/* The same in a child of this process, in a group of its own. */
static void
in_group(void (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		fn();
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("  killed by %d\n", WTERMSIG(status));
}

static void
control(void)
{
	int fd, sid = -1;

	fd = open("/dev/tty", O_RDWR);
	say("/dev/tty without one", fd);
	open_pty();
	say("sid of nobody's", ioctl(slave, TIOCGSID, &sid));
	say("group of another's", tcgetpgrp(slave));
	say("group for another's", tcsetpgrp(slave, getpgrp()));
	fd = open(name, O_RDWR | O_NOCTTY);
	say("O_NOCTTY", fd);
	close(fd);
	fd = open("/dev/tty", O_RDWR);
	say("still none", fd);
	fd = open(name, O_RDWR);
	close(fd);
	fd = open("/dev/tty", O_RDWR);
	say("opened", fd);
	say("again", ioctl(slave, TIOCSCTTY, 0));
	say("sid", ioctl(slave, TIOCGSID, &sid));
	printf("  my own %d, by the master %d\n", sid == getpid(),
	       ioctl(master, TIOCGSID, &sid) == 0 && sid == getpid());
	printf("  foreground %d\n", tcgetpgrp(fd) == getpgrp());
	write(fd, "through /dev/tty\n", 17);
	char buf[64];
	ssize_t n = read(master, buf, sizeof(buf));
	printf("  %zd bytes\n", n);
	say("no such group", tcsetpgrp(fd, 99999));
	say("negative", tcsetpgrp(fd, -1));
	say("pid of no group", ioctl(fd, TIOCSPGRP, (void *)8));
	close(fd);
	close_pty();
}

static void
try_io(void)
{
	struct termios t;
	char c;

	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	say("background read, ignored", read(slave, &c, 1));
	say("background write", write(slave, "x", 1));
	say("background tcgetattr", tcgetattr(slave, &t));
	say("background tcsetattr, ignored", tcsetattr(slave, TCSANOW, &t));
	t.c_lflag |= TOSTOP;
	tcsetattr(slave, TCSANOW, &t);
	say("TOSTOP, ignored", write(slave, "x", 1));
}

static void
orphan_io(void)
{
	struct termios t;
	char c;

	/* Its parent is of another session by then, or of none. */
	say("orphaned read", read(slave, &c, 1));
	say("orphaned write", write(slave, "x", 1));
	tcgetattr(slave, &t);
	say("orphaned tcsetattr", tcsetattr(slave, TCSANOW, &t));
	say("orphaned tcsetpgrp", tcsetpgrp(slave, getpgrp()));
}

static void
background(void)
{
	open_pty();
	ioctl(slave, TIOCSCTTY, 0);
	in_group(try_io);
	close_pty();
}

/* The leader's own group is orphaned: its parent is of another session. */
static void
orphaned(void)
{
	pid_t pid;

	open_pty();
	ioctl(slave, TIOCSCTTY, 0);
	signal(SIGTTOU, SIG_IGN);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		tcsetpgrp(slave, getpgrp());
		pause();
		_exit(0);
	}
	while (tcgetpgrp(slave) != pid)
		usleep(1000);
	signal(SIGTTOU, SIG_DFL);
	orphan_io();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close_pty();
}

/* A child in the foreground gets what is typed. */
static void
typed(const char *c, int block)
{
	int status, pipes[2];
	sigset_t set;
	pid_t pid;
	char go;

	pipe(pipes);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(slave, getpgrp());
		sigemptyset(&set);
		if (block != 0)
			sigaddset(&set, block);
		sigprocmask(SIG_SETMASK, &set, NULL);
		write(pipes[1], "g", 1);
		if (block != 0)
			usleep(200000);
		else
			pause();
		_exit(3);
	}
	read(pipes[0], &go, 1);
	usleep(20000);
	write(master, c, 1);
	waitpid(pid, &status, 0);
	printf("  typed %d: %s %d\n", *c, WIFSIGNALED(status) ? "killed by" : "ended with",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	close(pipes[0]);
	close(pipes[1]);
}

static void
signals(void)
{
	int sig = SIGQUIT, status;
	pid_t pid;

	open_pty();
	ioctl(slave, TIOCSCTTY, 0);
	typed("\003", 0);
	typed("\034", 0);
	typed("\003", SIGINT);
	signal(SIGTTOU, SIG_IGN);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		tcsetpgrp(slave, getpgrp());
		pause();
	}
	while (tcgetpgrp(slave) != pid)
		usleep(1000);
	say("TIOCSIG", ioctl(master, TIOCSIG, sig));
	waitpid(pid, &status, 0);
	printf("  killed by %d\n", WTERMSIG(status));
	printf("  bad %d", ioctl(master, TIOCSIG, 200));
	printf(" errno %d\n", errno);
	close_pty();
}

static void
hangup(void)
{
	open_pty();
	ioctl(slave, TIOCSCTTY, 0);
	close(master);
	pause();
}

static void
no_tty(void)
{
	open_pty();
	ioctl(slave, TIOCSCTTY, 0);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCONT, SIG_IGN);
	say("given up", ioctl(slave, TIOCNOTTY));
	say("/dev/tty", open("/dev/tty", O_RDWR));
	say("write", write(slave, "x", 1));
	say("again", ioctl(slave, TIOCNOTTY));
	close_pty();
}

static void
leader_ends(void)
{
	signal(SIGHUP, SIG_DFL);
	ioctl(slave, TIOCSCTTY, 0);
	fflush(stdout);
	if (fork() == 0) {
		pause();
		_exit(0);
	}
}

/* Its foreground group gets SIGHUP; the pty is as good as before, for the next. */
static void
after_the_leader(void)
{
	char buf[16];

	open_pty();
	in_session("the leader ends", leader_ends);
	usleep(50000);
	write(slave, "fine", 4);
	printf("  read %zd\n", read(master, buf, sizeof(buf)));
	in_session("and another", leader_ends);
	close_pty();
}

int
main(void)
{
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	in_session("control", control);
	in_session("background", background);
	in_session("orphaned", orphaned);
	in_session("signals", signals);
	status = in_session("hang-up", hangup);
	printf("  killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	in_session("TIOCNOTTY", no_tty);
	after_the_leader();
	return (0);
}

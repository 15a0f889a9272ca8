/*
 * groups: process groups and sessions, as programs see them. Run on Linux and here: the output is
 * the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
say(const char *what, long result)
{
	printf("%s: %ld%s%s\n", what, result, result == -1 ? " " : "",
	       result == -1 ? strerror(errno) : "");
	fflush(stdout);
}

/* A child that sleeps until it is killed. */
static pid_t
sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return (pid);
}

/* A child that does as told and ends with what that returned. */
static int
in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	waitpid(pid, &status, 0);
	return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void
numbers(void)
{
	pid_t pid = sleeper();

	say("no such process", setpgid(999999, 0));
	say("negative process", setpgid(-5, 0));
	say("negative group", setpgid(0, -1));
	say("least group", setpgid(0, -2147483647 - 1));
	say("group of nobody", setpgid(pid, 999999));
	say("getpgid of nobody", getpgid(999999));
	say("getpgid of a negative one", getpgid(-1));
	say("getsid of nobody", getsid(999999));
	say("a child's group", getpgid(pid) == getpgrp());
	say("a child's session", getsid(pid) == getsid(0));
	say("own group", setpgid(pid, 0));
	say("is its number", getpgid(pid) == pid);
	say("once more", setpgid(pid, pid));
	say("back", setpgid(pid, getpgrp()));
	say("is ours", getpgid(pid) == getpgrp());
	say("its group is gone", kill(-pid, 0));
	kill(pid, SIGKILL);
	say("waited", waitpid(pid, NULL, 0) == pid);
	say("the dead", setpgid(pid, 0));
}

static int
upwards(void)
{
	say("parent", setpgid(getppid(), 0));
	return (0);
}

static int
leads(void)
{
	say("setsid", setsid() == getpid());
	say("session", getsid(0) == getpid());
	say("group", getpgrp() == getpid());
	say("again", setsid());
	say("a leader's group", setpgid(0, getppid()));
	say("its own", setpgid(0, 0));
	return (0);
}

static int
group_leader(void)
{
	say("leads a group", setpgid(0, 0));
	say("so it cannot", setsid());
	return (7);
}

static int
grandchild(void)
{
	pid_t pid = sleeper(), group = getpgrp();

	setsid();
	say("a child in another session", setpgid(pid, pid));
	say("to a group of another session", setpgid(0, group));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return (3);
}

static void
sessions(void)
{
	say("leader", in_child(leads));
	say("group leader", in_child(group_leader));
	say("across", in_child(grandchild));
}

/* The number of a group cannot become a session's while somebody is in it. */
static void
leader_gone(void)
{
	pid_t leader = sleeper(), member = sleeper();
	int status;

	setpgid(leader, leader);
	say("joins", setpgid(member, leader));
	kill(leader, SIGKILL);
	say("leader ends", waitpid(leader, NULL, 0) == leader);
	say("the group stands", kill(-leader, 0));
	say("its process does not", kill(leader, 0));
	say("waits in vain", waitpid(-leader, &status, WNOHANG));
	say("kill", kill(-leader, SIGTERM));
	say("waited", waitpid(-leader, &status, 0) == member);
	say("by", WTERMSIG(status));
	say("gone", kill(-leader, 0));
	say("nobody to wait for", waitpid(-leader, &status, 0));
}

static void
waits(void)
{
	pid_t a = sleeper(), b = sleeper();
	siginfo_t info;
	int status;

	setpgid(a, a);
	setpgid(b, b);
	say("none in our group", waitpid(0, &status, WNOHANG));
	say("none in that one", waitid(P_PGID, 999999, &info, WEXITED | WNOHANG));
	kill(a, SIGKILL);
	say("zombie is a member", waitid(P_PGID, a, &info, WEXITED | WNOWAIT));
	say("it", info.si_pid == a);
	say("kill its group", kill(-a, SIGTERM));
	say("the other group", waitpid(-b, &status, WNOHANG));
	say("move the dead", setpgid(a, b));
	say("the first", waitpid(-b, &status, 0) == a);
	kill(-b, SIGINT);
	say("the second", waitid(P_PGID, b, &info, WEXITED));
	say("status", info.si_status);
	say("code", info.si_code);
	say("nobody left", waitid(P_ALL, 0, &info, WEXITED));
	say("bad type", waitid(9, 0, &info, WEXITED));
}

static int
kills_own_group(void)
{
	pid_t a, b;
	int status, ready[2];
	char byte = 0;

	setpgid(0, 0);
	signal(SIGTERM, SIG_IGN);
	if (pipe(ready) != 0)
		return (8);
	a = fork();
	if (a == 0) {
		signal(SIGTERM, SIG_DFL);
		for (byte = write(ready[1], &byte, 1) != 1;;)
			pause();
	}
	b = sleeper();
	if (read(ready[0], &byte, 1) != 1)
		return (8);
	say("kill 0", kill(0, SIGTERM));
	waitpid(a, &status, 0);
	say("by", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
	say("who ignores it goes on", waitpid(b, &status, WNOHANG));
	signal(SIGTERM, SIG_DFL);
	kill(b, SIGKILL);
	waitpid(b, &status, 0);
	return (9);
}

static void
exec_test(const char *self)
{
	pid_t pid = vfork(); /* returns once it has execed */
	if (pid == 0) {
		execl(self, self, "sleep", NULL);
		_exit(1);
	}
	/* Linux lets the parent go on a moment before it notes that the child has execed. */
	for (int i = 0; i < 1000 && setpgid(pid, pid) == 0; i++)
		usleep(1000);
	say("after exec", setpgid(pid, pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		for (;;)
			pause();
	numbers();
	in_child(upwards);
	sessions();
	leader_gone();
	waits();
	say("own", in_child(kills_own_group));
	exec_test(argv[0]);
	return (0);
}

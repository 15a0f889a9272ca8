/*
 * abuse forks|crowd|files|mappings|pipe|signals|memory: takes all there is to take of it, again and again,
 * in a session of its own (its number is printed), until it is killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char buf[65536];

static void
forks(void)
{
	for (;;)
		if (fork() < 0)
			usleep(1000);
}

/* As many processes as there can be, and each has some memory besides. */
static void
crowd(void)
{
	for (;;) {
		if (fork() < 0)
			usleep(1000);
		else
			memset(mmap(NULL, 1 << 17, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			       1, 1 << 17);
	}
}

/* In a few processes: each may have no more than so many. */
static void
files(void)
{
	int fds[2];

	for (int i = 0; i < 5; i++)
		fork();
	for (;;)
		if (open("/dev/null", O_RDONLY) < 0 || pipe(fds) != 0)
			usleep(1000);
}

static void
mappings(void)
{
	for (int i = 0; i < 3; i++)
		fork();
	for (;;) {
		char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p != MAP_FAILED)
			mprotect(p, 4096, PROT_NONE);
		else
			usleep(1000);
	}
}

static void
fill_pipe(void)
{
	int fds[2];

	while (pipe(fds) == 0) {
		fcntl(fds[1], F_SETFL, O_NONBLOCK);
		while (write(fds[1], buf, sizeof(buf)) > 0)
			continue;
	}
	pipe(fds);
	for (;;)
		write(fds[1], buf, sizeof(buf)); /* nobody reads it */
}

static void
ignore(int sig)
{
	(void)sig;
}

/* Two processes send each other all that can be queued, and more. */
static void
signals(void)
{
	pid_t other;

	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		signal(sig, ignore);
	other = fork();
	if (other == 0)
		other = getppid();
	for (;;)
		for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
			sigqueue(other, sig, (union sigval){0});
}

static void
memory(void)
{
	for (;;) {
		char *p =
		    mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p != MAP_FAILED)
			memset(p, 1, 1 << 20);
		else
			usleep(1000);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} kinds[] = {{"forks", forks},    {"crowd", crowd},     {"files", files},  {"mappings", mappings},
	     {"pipe", fill_pipe}, {"signals", signals}, {"memory", memory}};

int
main(int argc, char **argv)
{
	pid_t pid = fork();

	if (pid != 0) {
		printf("%d\n", pid);
		return (0);
	}
	setsid();
	signal(SIGPIPE, SIG_IGN);
	fclose(stdout);
	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			kinds[i].run();
	return (1);
}

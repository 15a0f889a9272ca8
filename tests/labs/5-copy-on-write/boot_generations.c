/*
 * The child goes on, the parent waits for none: 60 generations that write each a page of their own
 * and look at those of all before. In the end there are no more objects than in the third.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#define GENERATIONS 60
#define SLACK       4 /* objects */

static char pages[GENERATIONS][4096];

static long
objects(void)
{
	static char text[8192];
	int fd = open("/proc/quire/stats", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *at;

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "\nobjects ");
	return (at != NULL ? strtol(at + 9, NULL, 10) : -1);
}

/* In generation n: 0, or the number of what is wrong. It ends by _exit, but for the first. */
static int
check(int n)
{
	for (int i = 0; i < GENERATIONS; i++) {
		if (pages[i][0] != (i < n ? 'a' + i % 26 : 0)) {
			printf("generation %d: page %d has %#x\n", n, i, pages[i][0]);
			return (1);
		}
	}
	return (0);
}

int
main(void)
{
	pid_t first = getpid(), pid;
	int fds[2], bad = 0;
	long early = 0, late = 0;
	char answer = 1;

	if (pipe(fds) != 0)
		return (1);
	for (int n = 0; n < GENERATIONS && bad == 0; n++) {
		bad = check(n);
		pages[n][0] = (char)('a' + n % 26);
		if (n == 3)
			early = objects();
		if (n == GENERATIONS - 1)
			late = objects();
		if (n == GENERATIONS - 1 || bad != 0)
			break;
		pid = fork();
		if (pid < 0)
			bad = 1;
		if (pid > 0 && getpid() != first)
			_exit(0);
		if (pid > 0)
			break;
		usleep(1000); /* the parent ends */
	}
	if (getpid() == first) {
		close(fds[1]);
		if (read(fds[0], &answer, 1) != 1)
			answer = 1;
		while (wait(NULL) > 0)
			continue;
		return (answer);
	}
	printf("objects: %ld in generation 3, %ld in generation %d\n", early, late,
	       GENERATIONS - 1);
	fflush(stdout);
	answer = bad != 0 || late > early + SLACK;
	if (write(fds[1], &answer, 1) != 1)
		_exit(1);
	_exit(0);
}

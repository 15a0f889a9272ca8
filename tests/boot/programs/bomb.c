/*
 * bomb: every process forks until it is told that it cannot. Then all are killed, and the machine
 * is as good as before. Prints what fork said in the end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct tally {
	volatile int forks, failures, other_errors;
};

static void
bomb(struct tally *tally)
{
	for (;;) {
		pid_t pid = fork();

		if (pid >= 0) {
			__atomic_fetch_add(&tally->forks, pid == 0, __ATOMIC_RELAXED);
			continue;
		}
		if (errno != EAGAIN && errno != ENOMEM)
			__atomic_fetch_add(&tally->other_errors, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&tally->failures, 1, __ATOMIC_RELAXED);
		sleep(1000);
	}
}

int
main(void)
{
	struct tally *tally =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec ms = {0, 1000000};
	int status = 0, killed = 0, wrong = 0;
	pid_t pid;

	for (int round = 0; round < 2; round++) {
		tally->forks = tally->failures = 0;
		pid = fork();
		if (pid == 0)
			bomb(tally);
		while (tally->failures < 20)
			nanosleep(&ms, NULL);
		do {
			kill(-1, SIGKILL);
			nanosleep(&ms, NULL);
			while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
				killed++;
				wrong += status != SIGKILL;
			}
		} while (pid == 0);
		printf("round %d: %s forks, %d other errors, %d wrong ends\n", round,
		       tally->forks >= 20 ? "many" : "few", tally->other_errors, wrong);
	}
	pid = fork();
	if (pid == 0)
		_exit(5);
	waitpid(pid, &status, 0);
	printf("status %d\n", WEXITSTATUS(status));
	fprintf(stderr, "%d killed\n", killed);
	return (0);
}

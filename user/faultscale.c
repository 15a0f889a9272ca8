/*
 * faultscale [N] [SECONDS]: anonymous write faults a second by one worker, and by N at once, as
 * processes and as threads of one address space, each on pages of its own; and how many times the
 * one's the N make. The same on Linux and on Quire.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGES       1024 /* of one mapping */
#define WORKERS_MAX 16

struct shared {
	volatile int go;
	uint64_t faults[WORKERS_MAX][8]; /* a line of the cache each */
};

static struct shared *shared;
static double seconds = 2;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((double)ts.tv_sec + (double)ts.tv_nsec / 1e9);
}

static void *
work(void *arg)
{
	uint64_t *faults = arg;
	double end;
	char *p;

	while (!shared->go)
		usleep(1000);
	for (end = now() + seconds; now() < end; *faults += PAGES) {
		p = mmap(NULL, PAGES * 4096ul, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
		if (p == MAP_FAILED)
			exit(1);
		for (size_t i = 0; i < PAGES; i++)
			p[i * 4096] = 1;
		munmap(p, PAGES * 4096ul);
	}
	return (NULL);
}

static uint64_t
total(int n)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++) {
		sum += shared->faults[i][0];
		shared->faults[i][0] = 0;
	}
	shared->go = 0;
	return ((uint64_t)((double)sum / seconds));
}

static uint64_t
by_processes(int n)
{
	for (int i = 0; i < n; i++)
		if (fork() == 0) {
			work(shared->faults[i]);
			_exit(0);
		}
	shared->go = 1;
	while (wait(NULL) > 0)
		;
	return (total(n));
}

static uint64_t
by_threads(int n)
{
	pthread_t threads[WORKERS_MAX];

	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, work, shared->faults[i]) != 0)
			exit(1);
	shared->go = 1;
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return (total(n));
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 2;
	uint64_t one, many;

	if (argc > 2)
		seconds = atof(argv[2]);
	if (n < 1 || n > WORKERS_MAX || seconds <= 0) {
		fprintf(stderr, "usage: faultscale [WORKERS, 1 to %d] [SECONDS]\n", WORKERS_MAX);
		return (2);
	}
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return (1);
	one = by_processes(1);
	many = by_processes(n);
	printf("processes: 1: %lu faults/s, %d: %lu, ratio %.2f\n", one, n, many,
	       (double)many / (double)one);
	one = by_threads(1);
	many = by_threads(n);
	printf("threads:   1: %lu faults/s, %d: %lu, ratio %.2f\n", one, n, many,
	       (double)many / (double)one);
	return (0);
}

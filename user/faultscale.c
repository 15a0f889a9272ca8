/*
 * faultscale [N] [SECONDS]: anonymous write faults a second by one worker, and by N at once, as
 * processes and as threads of one address space, each on pages of its own; and how many times the
 * one's the N make. Before that, the same of mere additions: no more can be had of this machine, and
 * if it is less than N, others use it, too. Each is the median of ROUNDS measurements, in which one
 * and N take turns. The same on Linux and on Quire.
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
#define ROUNDS      25

struct shared {
	volatile int go;
	uint64_t done[WORKERS_MAX][8]; /* a line of the cache each */
};

static struct shared *shared;
static double seconds = 2; /* of each measurement of a kind, one's and N's, all rounds */

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((double)ts.tv_sec + (double)ts.tv_nsec / 1e9);
}

static double
wait_and_end(void)
{
	while (!shared->go)
		usleep(1000);
	return (now() + seconds / ROUNDS);
}

static void *
add(void *arg)
{
	uint64_t *done = arg;
	double end = wait_and_end();

	for (volatile int x = 0; now() < end; *done += 1000)
		for (int i = 0; i < 1000; i++)
			x += i;
	return (NULL);
}

static void *
touch(void *arg)
{
	uint64_t *done = arg;
	double end = wait_and_end();
	char *p;

	for (; now() < end; *done += PAGES) {
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

typedef void *worker(void *arg);

static void
as_processes(worker *work, int n)
{
	for (int i = 0; i < n; i++)
		if (fork() == 0) {
			work(shared->done[i]);
			_exit(0);
		}
	shared->go = 1;
	while (wait(NULL) > 0)
		;
}

static void
as_threads(worker *work, int n)
{
	pthread_t threads[WORKERS_MAX];

	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, work, shared->done[i]) != 0)
			exit(1);
	shared->go = 1;
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

/* What n of them do in a second. */
static double
rate(void (*as)(worker *, int), worker *work, int n)
{
	uint64_t sum = 0;

	shared->go = 0;
	for (int i = 0; i < n; i++)
		shared->done[i][0] = 0;
	as(work, n);
	for (int i = 0; i < n; i++)
		sum += shared->done[i][0];
	return ((double)sum / (seconds / ROUNDS));
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return ((x > y) - (x < y));
}

static double
median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return (values[ROUNDS / 2]);
}

static void
measure(const char *what, void (*as)(worker *, int), worker *work, int n, const char *unit)
{
	double one[ROUNDS], many[ROUNDS], ratio[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		one[i] = rate(as, work, 1);
		many[i] = rate(as, work, n);
		ratio[i] = many[i] / one[i];
	}
	printf("%-10s 1: %.0f %s/s, %d: %.0f, ratio %.2f\n", what, median(one), unit, n,
	       median(many), median(ratio));
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 2;

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
	measure("additions:", as_processes, add, n, "additions");
	measure("processes:", as_processes, touch, n, "faults");
	measure("threads:", as_threads, touch, n, "faults");
	return (0);
}

/*
 * stress SEED SECONDS THREADS PROCESSES [DEVICE [SCREEN]]: processes of threads that all use memory as
 * stress.h says, for so long (0: 300 steps each, the same in each run of one processor). Then the
 * kernel's counts must be as they were.
 */
#define _GNU_SOURCE
#include "stress.h"

#include "tests/boot/programs/gauges.h"

#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>

#define STEPS        300
#define DEVICE_PAGES 1024

struct worker workers[MAX_WORKERS];
unsigned nworkers, running;
uint64_t seed;
static unsigned nprocesses;
static time_t seconds;
static const char *device_path, *screen_path;

void
fail(struct worker *w, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	screen_give_up();
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (w != NULL)
		dprintf(1, "stress: FAILED: seed %lu, process %u, worker %u, step %lu: %s\n", seed,
			w->process, w->number, w->steps, text);
	else
		dprintf(1, "stress: FAILED: seed %lu: %s\n", seed, text);
	_exit(1);
}

/* splitmix64 */
uint64_t
rnd(struct worker *w, uint64_t n)
{
	uint64_t z = (w->rng += 0x9e3779b97f4a7c15ul);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ul;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebul;
	return ((z ^ (z >> 31)) % n);
}

static time_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ts.tv_sec);
}

/* Who has done serves the others until they have, too. */
static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	time_t end = now() + seconds;

	while (seconds != 0 ? now() < end : w->steps < STEPS)
		step(w);
	worker_end(w);
	__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&running, __ATOMIC_SEQ_CST) != 0) {
		serve(w);
		sched_yield();
	}
	return (NULL);
}

static void
process_main(unsigned process)
{
	pthread_t threads[MAX_WORKERS];
	uint64_t steps = 0;

	memory_init();
	running = nworkers;
	for (unsigned i = 0; i < nworkers; i++) {
		struct worker *w = &workers[i];
		unsigned nth = process * nworkers + i;

		*w = (struct worker){.process = process, .number = i, .testdev.fd = -1};
		w->rng = seed * 1000003 + nth;
		w->testdev.first = nth * SLOTS * SLOT_PAGES;
		if (device_path != NULL && w->testdev.first + SLOTS * SLOT_PAGES <= DEVICE_PAGES)
			w->testdev.fd = open(device_path, O_RDWR);
		screen_begin(w, nth);
		worker_begin(w);
	}
	for (unsigned i = 0; i < nworkers; i++)
		if (pthread_create(&threads[i], NULL, worker_main, &workers[i]) != 0)
			fail(&workers[i], "pthread_create");
	for (unsigned i = 0; i < nworkers; i++) {
		pthread_join(threads[i], NULL);
		steps += workers[i].steps;
	}
	dprintf(1, "process %u: %lu steps\n", process, steps);
	_exit(0);
}

static bool
run_processes(void)
{
	bool good = true;
	int status;

	screen_init(screen_path);
	for (unsigned i = 0; i < nprocesses; i++) {
		if (fork() == 0)
			process_main(i);
	}
	while (wait(&status) > 0)
		good &= status == 0;
	screen_end();
	return (good);
}

/* The processes are started by a program of its own: what forks leave of copy-on-write goes with
 * it. */
static bool
run_apart(char **argv, const char *secs)
{
	char *words[] = {argv[0], "-run",  argv[1], (char *)secs,
			 argv[3], argv[4], argv[5], argv[5] != NULL ? argv[6] : NULL,
			 NULL};
	int status = -1;
	pid_t pid;

	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, words, environ) != 0)
		return (false);
	waitpid(pid, &status, 0);
	return (status == 0);
}

static bool
counts_are(struct gauges *before)
{
	struct gauges after = gauges_at_rest();

	gauges_pack_slabs(before, &after);
	return (gauge_lost(before, &after, 0) == GAUGES);
}

static int
usage(void)
{
	fprintf(stderr, "usage: stress SEED SECONDS THREADS PROCESSES [DEVICE [SCREEN]]\n");
	return (2);
}

int
main(int argc, char **argv)
{
	bool inner = argc > 1 && strcmp(argv[1], "-run") == 0, good;
	struct gauges before;

	argv += inner;
	argc -= inner;
	if (argc < 5 || (nworkers = (unsigned)atoi(argv[3])) < 2 || nworkers > MAX_WORKERS)
		return (usage());
	seed = strtoul(argv[1], NULL, 10);
	seconds = (time_t)atoi(argv[2]);
	nprocesses = (unsigned)atoi(argv[4]);
	device_path = argc > 5 ? argv[5] : NULL;
	screen_path = argc > 6 ? argv[6] : NULL;
	if (inner)
		return (!run_processes());
	good =
	    run_apart(argv, seconds != 0 ? "1" : "0"); /* so that what is kept for later is there */
	before = gauges_at_rest();
	good = good && run_apart(argv, argv[2]);
	if (good && !counts_are(&before)) {
		gauges_check(&before);
		good = false;
	}
	printf("%s\n", good ? "ok" : "stress: FAILED");
	return (!good);
}

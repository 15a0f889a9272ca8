/*
 * Two CPUs at work: a thread on CPU 1 that goes over pages for as long as it may, and says when it
 * no longer could.
 */
#pragma once

#define _GNU_SOURCE

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096ul
#define SPIN 100000 /* looks at something that changes soon, if ever */

#define FAIL(...)                    \
	do {                         \
		printf(__VA_ARGS__); \
		printf("\n");        \
		exit(1);             \
	} while (0)

/* What CPU 1 does in turn: goes over the pages, is stopped by a fault, waits to be let go on. */
struct worker {
	volatile uint8_t *pages;
	size_t npages;
	bool writes;
	volatile uint64_t rounds; /* times it went over all */
	volatile uint8_t seen; /* what it read last */
	volatile int stopped; /* by SIGSEGV */
	volatile int go; /* sleeps while this is 0 */
};
static struct worker worker;
static sigjmp_buf out;

static inline void
on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		FAIL("there is no CPU %d", cpu);
}

static inline void
on_fault(int sig)
{
	(void)sig;
	siglongjmp(out, 1);
}

static inline void *
work(void *arg)
{
	struct worker *w = arg;

	on_cpu(1);
	for (;;) {
		while (!w->go)
			__builtin_ia32_pause();
		if (sigsetjmp(out, 1) != 0) {
			w->go = 0;
			w->stopped = 1;
			continue;
		}
		for (;;) {
			for (size_t i = 0; i < w->npages; i++) {
				if (w->writes)
					w->pages[i * PAGE]++;
				else
					w->seen = w->pages[i * PAGE];
			}
			w->rounds++;
		}
	}
	return (NULL);
}

static inline void *
pages_at(void *where, size_t n)
{
	int fixed = where != NULL ? MAP_FIXED : 0;
	void *p = mmap(where, n * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | fixed, -1, 0);

	if (p == MAP_FAILED)
		FAIL("mmap");
	return (p);
}

static inline void
worker_start(volatile uint8_t *pages, size_t npages, bool writes)
{
	pthread_t td;

	signal(SIGSEGV, on_fault);
	on_cpu(0);
	worker.pages = pages;
	worker.npages = npages;
	worker.writes = writes;
	if (pthread_create(&td, NULL, work, &worker) != 0)
		FAIL("pthread_create");
}

/* Let it go over the pages, and come back when it does. */
static inline void
worker_run(void)
{
	uint64_t rounds = worker.rounds;

	worker.stopped = 0;
	worker.go = 1;
	while (worker.rounds < rounds + 2)
		__builtin_ia32_pause();
}

/* It may no longer: it must be stopped by now, or at its next access. */
static inline void
worker_must_stop(const char *after)
{
	uint64_t rounds = worker.rounds;

	for (int i = 0; i < SPIN && !worker.stopped; i++)
		__builtin_ia32_pause();
	if (worker.rounds > rounds + 1)
		FAIL("CPU 1 went on for %lu rounds after %s had returned", worker.rounds - rounds,
		     after);
	if (!worker.stopped)
		FAIL("CPU 1 gets no SIGSEGV after %s", after);
}

/* A count of /proc/quire/stats. */
static inline long
stat_of(const char *name)
{
	char line[128];
	FILE *f = fopen("/proc/quire/stats", "r");
	size_t len = strlen(name);
	long value = -1;

	if (f == NULL)
		FAIL("/proc/quire/stats");
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, len) == 0 && line[len] == ' ')
			value = atol(line + len);
	fclose(f);
	if (value < 0)
		FAIL("there is no %s in /proc/quire/stats", name);
	return (value);
}

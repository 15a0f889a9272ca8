/*
 * How costs grow: the same done to mappings of many sizes, to many mappings, among many processes,
 * on many processors. `vmbench --scale KIND=SIZE,SIZE...'. A line is: what, size, ticks.
 *
 * What names what is done to all of a size, or `one' of many: see scripts/benching/scaling.py.
 */
#define _GNU_SOURCE /* memfd_create */
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW    (PROT_READ | PROT_WRITE)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define TIMES 32ul /* what is done to one of many is done to so many, at most */

static void
say(const char *what, size_t size, uint64_t ticks)
{
	dprintf(STDOUT_FILENO, "%s\t%zu\t%llu\n", what, size, (unsigned long long)ticks);
}

static uint64_t
fork_exit_wait(void)
{
	uint64_t start = tsc();
	pid_t pid = fork();

	if (pid < 0)
		bench_fail("fork");
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return (tsc() - start);
}

/* A mapping of so many MiB. */
static void
scale_mapping(size_t mib)
{
	size_t bytes = mib << 20;
	uint64_t at[8];

	at[0] = tsc();
	for (size_t i = 0; i < TIMES; i++)
		munmap(map_memory(bytes, RW, ANON, -1), bytes);
	say("map-unmap", mib, (tsc() - at[0]) / TIMES);

	uint8_t *p = map_memory(bytes, RW, ANON, -1);
	at[0] = tsc();
	for (size_t i = 0; i < TIMES; i++)
		*(volatile uint8_t *)(p + i * (bytes / TIMES)) = 1;
	say("fault-in", mib, (tsc() - at[0]) / TIMES);
	munmap(p, bytes);

	at[0] = tsc();
	p = map_memory(bytes, RW, ANON | MAP_POPULATE, -1);
	at[1] = tsc();
	mprotect(p, bytes, PROT_READ);
	at[2] = tsc();
	mprotect(p, bytes, RW);
	at[3] = tsc();
	uint64_t forked = fork_exit_wait();
	at[4] = tsc();
	munmap(p, bytes);
	at[5] = tsc();
	say("populate", mib, at[1] - at[0]);
	say("protect", mib, at[2] - at[1]);
	say("fork-touched", mib, forked);
	say("unmap-touched", mib, at[5] - at[4]);
}

/* So many mappings of two pages, which do not merge. */
static void
scale_entries(size_t n)
{
	size_t step = 2 * PAGE_SIZE, times = n < TIMES ? n : TIMES;
	uint64_t start = tsc();
	uint8_t *p = map_memory(n * step, RW, ANON, -1);

	for (size_t i = 0; i < n; i += 2)
		if (mprotect(p + i * step, step, RW | PROT_EXEC) != 0)
			bench_fail("mprotect");
	say("make-entries", n, tsc() - start);

	start = tsc();
	for (size_t i = 0; i < TIMES; i++)
		munmap(map_memory(PAGE_SIZE, RW, ANON, -1), PAGE_SIZE);
	say("map-among", n, (tsc() - start) / TIMES);

	start = tsc();
	for (size_t i = 0; i < times; i++)
		*(volatile uint8_t *)(p + i * n / times * step) = 1;
	say("fault-among", n, (tsc() - start) / times);

	start = tsc();
	for (size_t i = 0; i < times; i++) {
		mprotect(p + i * n / times * step, PAGE_SIZE, PROT_READ);
		mprotect(p + i * n / times * step, PAGE_SIZE,
			 RW | (i * n / times % 2 ? 0 : PROT_EXEC));
	}
	say("protect-among", n, (tsc() - start) / times);
	say("fork-entries", n, fork_exit_wait());
	start = tsc();
	munmap(p, n * step);
	say("unmap-entries", n, tsc() - start);
}

/* A ring of processes: each reads a byte, touches the shared page, and hands the byte on. */
struct member {
	int from, to;
	uint8_t *shared;
};

static void
be_member(const struct member *m)
{
	char byte;

	while (read(m->from, &byte, 1) == 1) {
		touch_read(m->shared, 1);
		if (write(m->to, &byte, 1) != 1)
			break;
	}
}

static void
pass(int to, int from)
{
	char byte = 0;

	if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1)
		bench_fail("the ring");
}

/* Among so many processes, that sleep. */
static void
scale_processes(size_t n)
{
	int fd = memfd_create("page", 0), first[2], next[2];
	uint8_t *own = map_memory(TIMES * PAGE_SIZE, RW, ANON, -1);
	struct member m;
	uint64_t start;

	if (fd < 0 || ftruncate(fd, PAGE_SIZE) != 0 || pipe(first) != 0)
		bench_fail("memfd, pipe");
	m.shared = map_memory(PAGE_SIZE, RW, MAP_SHARED, fd);
	touch_write(own, TIMES);
	start = tsc();
	m.from = fcntl(first[0], F_DUPFD_CLOEXEC, 0);
	close(first[0]);
	for (size_t i = 0; i < n; i++) {
		if (pipe(next) != 0)
			bench_fail("pipe");
		m.to = next[1];
		pid_t pid = fork();
		if (pid < 0)
			bench_fail("fork");
		if (pid == 0) {
			close(first[1]), close(next[0]);
			be_member(&m);
			_exit(0);
		}
		close(m.from), close(m.to);
		m.from = next[0];
	}
	say("make-processes", n, tsc() - start);
	pass(first[1], m.from);
	start = tsc();
	pass(first[1], m.from);
	say("pass-on", n, tsc() - start);

	start = tsc();
	touch_write(own, TIMES);
	say("write-shared", n, (tsc() - start) / TIMES);
	start = tsc();
	for (size_t i = 0; i < 4; i++)
		fork_exit_wait();
	say("fork-among", n, (tsc() - start) / 4);

	start = tsc();
	if (ftruncate(fd, 0) != 0)
		bench_fail("ftruncate");
	say("truncate-shared", n, tsc() - start);
	start = tsc();
	close(first[1]);
	while (wait(NULL) > 0)
		;
	say("end-processes", n, tsc() - start);
}

/* --- processors -------------------------------------------------------------------------------- */

#define WORK_PAGES 512ul

static int go[2], done[2]; /* pipes: the first is closed to begin, a byte of the other is an end */

static void *
work(void *arg)
{
	uint8_t *p = map_memory(WORK_PAGES * PAGE_SIZE, RW, ANON, -1);
	char byte = 0;

	(void)arg;
	if (write(done[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 0)
		bench_fail("pipe");
	touch_write(p, WORK_PAGES);
	if (write(done[1], &byte, 1) != 1)
		bench_fail("pipe");
	return (NULL);
}

static void
make_worker(void)
{
	pid_t pid = fork();

	if (pid < 0)
		bench_fail("fork");
	if (pid == 0) {
		close(go[1]);
		work(NULL);
		_exit(0);
	}
}

static void
await(size_t n)
{
	char byte;

	for (size_t i = 0; i < n; i++)
		if (read(done[0], &byte, 1) != 1)
			bench_fail("pipe");
}

/* Faults of so many workers at once, as there are processors: what all of these did for one. */
static void
scale_workers(const char *what, size_t n, bool as_threads)
{
	pthread_t threads[16];
	uint64_t start;

	if (pipe(go) != 0 || pipe(done) != 0)
		bench_fail("pipe");
	for (size_t i = 0; i < n; i++)
		if (!as_threads)
			make_worker();
		else if (pthread_create(&threads[i], NULL, work, NULL) != 0)
			bench_fail("pthread_create");
	await(n);
	start = tsc();
	close(go[1]);
	await(n);
	say(what, n, (tsc() - start) / (n * WORK_PAGES));
	for (size_t i = 0; as_threads && i < n; i++)
		pthread_join(threads[i], NULL);
	while (wait(NULL) > 0)
		;
	close(go[0]), close(done[0]), close(done[1]);
}

static void
scale_cpus(size_t n)
{
	if (n != (size_t)sysconf(_SC_NPROCESSORS_ONLN) || n > 16)
		bench_skip("not so many processors");
	scale_workers("fault-processes", n, false);
	scale_workers("fault-threads", n, true);
}

/* --- all ----------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(size_t size);
} kinds[] = {{"mapping", scale_mapping},
	     {"entries", scale_entries},
	     {"processes", scale_processes},
	     {"cpus", scale_cpus}};

/* In a process of its own. */
static bool
run_size(void (*run)(size_t), size_t size)
{
	int status = -1;

	pid_t pid = fork();
	if (pid == 0) {
		bench_report_to(STDOUT_FILENO);
		run(size);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return (status == 0);
}

int
bench_scale(char *const words[], int count)
{
	bool well = count > 0;

	bench_raise_limits();
	for (int i = 0; i < count; i++) {
		size_t k = 0, nkinds = sizeof(kinds) / sizeof(kinds[0]), len = 0;
		for (; k < nkinds; k++) {
			len = strlen(kinds[k].name);
			if (strncmp(words[i], kinds[k].name, len) == 0 && words[i][len] == '=')
				break;
		}
		char *at = words[i] + len;
		while (k < nkinds && *at != '\0')
			well &= run_size(kinds[k].run, strtoul(at + 1, &at, 10));
		well &= k < nkinds;
	}
	return (well ? 0 : 1);
}

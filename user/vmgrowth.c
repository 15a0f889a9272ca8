/*
 * vmgrowth KIND=SIZE,SIZE...: how costs grow: the same done to mappings of many sizes, to many
 * mappings, among many processes, on many processors. KIND is mapping (of so many MiB), entries,
 * processes or cpus. A line is: what, size, ticks of the time-stamp counter; for all of the size or
 * for one of so many, which scripts/benching/scaling.py knows. One static binary for Linux and for
 * Quire; each size in a process of its own.
 */
#define _GNU_SOURCE /* memfd_create */
#include "lib/first.h"
#include "lib/meter.h"

#include <errno.h>
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

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "vmgrowth: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static uint8_t *
map_memory(size_t bytes, int prot, int flags, int fd)
{
	uint8_t *p = mmap(NULL, bytes, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	return (p);
}

static void
touch_write(uint8_t *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		*(volatile uint8_t *)(p + i * PAGE_SIZE) = 1;
}

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
		fail("fork");
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
			fail("mprotect");
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
		(void)*(volatile uint8_t *)m->shared;
		if (write(m->to, &byte, 1) != 1)
			break;
	}
}

static void
pass(int to, int from)
{
	char byte = 0;

	if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1)
		fail("the ring");
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
		fail("memfd, pipe");
	m.shared = map_memory(PAGE_SIZE, RW, MAP_SHARED, fd);
	touch_write(own, TIMES);
	start = tsc();
	m.from = fcntl(first[0], F_DUPFD_CLOEXEC, 0);
	close(first[0]);
	for (size_t i = 0; i < n; i++) {
		if (pipe(next) != 0)
			fail("pipe");
		m.to = next[1];
		pid_t pid = fork();
		if (pid < 0)
			fail("fork");
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
		fail("ftruncate");
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
		fail("pipe");
	touch_write(p, WORK_PAGES);
	if (write(done[1], &byte, 1) != 1)
		fail("pipe");
	return (NULL);
}

static void
make_worker(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
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
			fail("pipe");
}

/* Faults of so many workers at once, as there are processors: what all of these did for one. */
static void
scale_workers(const char *what, size_t n, bool as_threads)
{
	pthread_t threads[16];
	uint64_t start;

	if (pipe(go) != 0 || pipe(done) != 0)
		fail("pipe");
	for (size_t i = 0; i < n; i++)
		if (!as_threads)
			make_worker();
		else if (pthread_create(&threads[i], NULL, work, NULL) != 0)
			fail("pthread_create");
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
		fail("not so many processors");
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
		run(size);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return (status == 0);
}

/* 100,000 mappings are more than a process may have. */
static void
raise_limits(void)
{
	static const char text[] = "1000000";
	int fd = open("/proc/sys/vm/max_map_count", O_WRONLY);

	if (fd >= 0 && write(fd, text, sizeof(text) - 1) < 0)
		perror("max_map_count");
	close(fd);
}

/* All sizes of KIND=SIZE,SIZE...; false: one failed. */
static bool
run_word(const char *word)
{
	bool well = true;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		size_t len = strlen(kinds[k].name);
		if (strncmp(word, kinds[k].name, len) != 0 || word[len] != '=')
			continue;
		for (char *at = (char *)word + len; *at == '=' || *at == ',';)
			well &= run_size(kinds[k].run, strtoul(at + 1, &at, 10));
		return (well);
	}
	return (getpid() == 1); /* Linux hands words of its own command line to the first one */
}

int
main(int argc, char **argv)
{
	bool well = argc > 1;

	if (getpid() == 1)
		prepare_machine();
	raise_limits();
	for (int i = 1; i < argc; i++)
		well &= run_word(argv[i]);
	return (well ? 0 : 1);
}

/*
 * Rows on anonymous memory and on the map itself.
 */
#define _GNU_SOURCE /* mremap */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static uint64_t
anon_write(size_t pages)
{
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON, -1);
	uint64_t start = tsc();

	touch_write(p, pages);
	uint64_t ticks = tsc() - start;
	munmap(p, pages * PAGE_SIZE);
	return (ticks);
}

static uint64_t
anon_read(size_t pages)
{
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON, -1);
	uint64_t start = tsc();

	touch_read(p, pages);
	uint64_t ticks = tsc() - start;
	munmap(p, pages * PAGE_SIZE);
	return (ticks);
}

static uint64_t
map_populate(size_t pages)
{
	uint64_t start = tsc();
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON | MAP_POPULATE, -1);
	uint64_t ticks = tsc() - start;

	munmap(p, pages * PAGE_SIZE);
	return (ticks);
}

static uint64_t
madv_populate(size_t pages)
{
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON, -1);
	uint64_t start = tsc();
	int error = madvise(p, pages * PAGE_SIZE, MADV_POPULATE_WRITE);
	uint64_t ticks = tsc() - start;

	if (error != 0)
		bench_fail("MADV_POPULATE_WRITE");
	munmap(p, pages * PAGE_SIZE);
	return (ticks);
}

/* A mapping of pages that were written goes as a whole. */
static uint64_t
munmap_touched(size_t pages)
{
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON, -1);

	touch_write(p, pages);
	uint64_t start = tsc();
	munmap(p, pages * PAGE_SIZE);
	return (tsc() - start);
}

/* Page by page from the front. */
static uint64_t
munmap_one(size_t pages)
{
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON, -1);

	touch_write(p, pages);
	uint64_t start = tsc();
	for (size_t i = 0; i < pages; i++)
		munmap(p + i * PAGE_SIZE, PAGE_SIZE);
	return (tsc() - start);
}

static uint64_t
mmap_munmap(size_t calls)
{
	uint64_t start = tsc();

	for (size_t i = 0; i < calls; i++)
		munmap(map_memory(PAGE_SIZE, RW, ANON, -1), PAGE_SIZE);
	return (tsc() - start);
}

static uint64_t
mmap_touch_munmap(size_t calls)
{
	uint64_t start = tsc();

	for (size_t i = 0; i < calls; i++) {
		uint8_t *p = map_memory(PAGE_SIZE, RW, ANON, -1);
		touch_write(p, 1);
		munmap(p, PAGE_SIZE);
	}
	return (tsc() - start);
}

/* --- copy-on-write --------------------------------------------------------------------------- */

/* In a child that shares the pages with its parent. What it took comes back by shared memory. */
static uint64_t
cow_write(size_t pages)
{
	uint64_t *ticks = (uint64_t *)map_memory(PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON, -1);
	pid_t pid;

	touch_write(p, pages);
	pid = fork();
	if (pid == 0) {
		uint64_t start = tsc();
		touch_write(p, pages);
		*ticks = tsc() - start;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	uint64_t result = *ticks;
	munmap(p, pages * PAGE_SIZE);
	munmap(ticks, PAGE_SIZE);
	return (result);
}

/* By the parent, when the child is gone: no copy is needed. */
static uint64_t
cow_last_owner(size_t pages)
{
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON, -1);
	pid_t pid;

	touch_write(p, pages);
	pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	uint64_t start = tsc();
	touch_write(p, pages);
	uint64_t ticks = tsc() - start;
	munmap(p, pages * PAGE_SIZE);
	return (ticks);
}

/* --- protection ------------------------------------------------------------------------------ */

static uint64_t
protect(size_t pages, int from, int to)
{
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON, -1);

	touch_write(p, pages);
	mprotect(p, pages * PAGE_SIZE, from);
	uint64_t start = tsc();
	mprotect(p, pages * PAGE_SIZE, to);
	uint64_t ticks = tsc() - start;
	munmap(p, pages * PAGE_SIZE);
	return (ticks);
}

static uint64_t
protect_down(size_t pages)
{
	return (protect(pages, RW, PROT_READ));
}

static uint64_t
protect_up(size_t pages)
{
	return (protect(pages, PROT_READ, RW));
}

static void
unprotect(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	mprotect((void *)((uintptr_t)info->si_addr & ~(PAGE_SIZE - 1)), PAGE_SIZE, RW);
}

/* A store to a page without rights, whose handler grants them; then they go again. */
static uint64_t
segv_mprotect(size_t calls)
{
	struct sigaction sa = {.sa_sigaction = unprotect, .sa_flags = SA_SIGINFO};
	uint8_t *p = map_memory(PAGE_SIZE * calls, RW, ANON, -1);

	if (sigaction(SIGSEGV, &sa, NULL) != 0)
		bench_fail("sigaction");
	touch_write(p, calls);
	mprotect(p, PAGE_SIZE * calls, PROT_NONE);
	uint64_t start = tsc();
	touch_write(p, calls);
	uint64_t ticks = tsc() - start;
	munmap(p, PAGE_SIZE * calls);
	return (ticks);
}

/* --- many mappings --------------------------------------------------------------------------- */

/* First writes in a map of `mappings` mappings of two pages, which do not merge. */
static uint64_t
fault_among(size_t mappings)
{
	uint8_t *p = map_memory(mappings * 2 * PAGE_SIZE, RW, ANON, -1);

	for (size_t i = 0; i < mappings; i += 2)
		if (mprotect(p + i * 2 * PAGE_SIZE, 2 * PAGE_SIZE, RW | PROT_EXEC) != 0)
			bench_fail("mprotect");
	uint64_t start = tsc();
	for (size_t i = 0; i < mappings; i++)
		*(volatile uint8_t *)(p + i * 2 * PAGE_SIZE) = 1;
	uint64_t ticks = tsc() - start;
	munmap(p, mappings * 2 * PAGE_SIZE);
	return (ticks);
}

static uint64_t
mlock_pages(size_t pages)
{
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON, -1);

	touch_write(p, pages);
	uint64_t start = tsc();
	if (mlock(p, pages * PAGE_SIZE) != 0)
		bench_fail("mlock");
	uint64_t ticks = tsc() - start;
	munmap(p, pages * PAGE_SIZE);
	return (ticks);
}

static uint64_t
mremap_pages(size_t pages)
{
	uint8_t *p = map_memory(pages * PAGE_SIZE, RW, ANON, -1);
	uint8_t *to = map_memory(pages * PAGE_SIZE, PROT_NONE, ANON, -1);

	touch_write(p, pages);
	uint64_t start = tsc();
	if (mremap(p, pages * PAGE_SIZE, pages * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) !=
	    to)
		bench_fail("mremap");
	uint64_t ticks = tsc() - start;
	munmap(to, pages * PAGE_SIZE);
	return (ticks);
}

/* Floors: a store of an entry where one must be written, and the words of a page zeroed or copied
 * 32 bytes at a time. */
const struct bench memory_rows[] = {
    {"anon-write", "page", anon_write, 256, 128 + 1},
    {"anon-read", "page", anon_read, 256, 1},
    {"map-populate", "page", map_populate, 256, 128 + 1},
    {"madvise-populate", "page", madv_populate, 256, 128 + 1},
    {"munmap-touched", "page", munmap_touched, 256, 1},
    {"munmap-one-page", "call", munmap_one, 256, 0},
    {"mmap-munmap", "pair", mmap_munmap, 256, 0},
    {"mmap-touch-munmap", "round", mmap_touch_munmap, 256, 128 + 2},
    {"cow-write", "page", cow_write, 256, 256 + 1},
    {"cow-last-owner", "page", cow_last_owner, 256, 1},
    {"mprotect-down", "page", protect_down, 256, 1},
    {"mprotect-up", "page", protect_up, 256, 1},
    {"segv-mprotect", "fault", segv_mprotect, 256, 0},
    {"fault-4000-maps", "page", fault_among, 4000, 128 + 1},
    {"mlock", "page", mlock_pages, 256, 0},
    {"mremap", "page", mremap_pages, 256, 2},
    {0},
};

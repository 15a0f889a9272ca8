/*
 * rawsuper: /dev/testblock, whose frames have no page of their own, mapped by superpages; then
 * munmap, mprotect, mlock and fork of parts. Prints a line for each thing that is not as it should
 * be.
 */
#include "gauges.h"

#include "../../../drivers/testdev_ioctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096ul
#define SP    512ul
#define BYTES (TESTBLOCK_PAGES * PAGE)

static int dev, scratch, wrong;

#define EXPECT(what)                                                 \
	do {                                                         \
		if (!(what)) {                                       \
			printf("%d: not so: %s\n", __LINE__, #what); \
			wrong = 1;                                   \
		}                                                    \
	} while (0)

static long
faults(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (use.ru_majflt + use.ru_minflt);
}

static uint8_t *
map(int prot)
{
	uint8_t *p = mmap(NULL, BYTES, prot, MAP_SHARED, dev, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return (p);
}

/* One fault, an entry for each of the two superpages; each frame is seen at two places (U2). */
static void
test_whole(void)
{
	long supers = (long)stat_of("superpages_entered"), stores, before;
	uint8_t *p = map(PROT_READ | PROT_WRITE);

	stores = (long)stat_of("pte_writes");
	before = faults();
	for (size_t i = 0; i < TESTBLOCK_PAGES; i++)
		p[i * PAGE] = (uint8_t)i;
	EXPECT(faults() == before + 1);
	EXPECT((long)stat_of("superpages_entered") == supers + 2);
	EXPECT((long)stat_of("pte_writes") <= stores + 8); /* and what the counting takes */
	for (size_t i = 0; i < SP; i++)
		EXPECT(p[i * PAGE] == (uint8_t)(SP + i) && p[(SP + i) * PAGE] == (uint8_t)(SP + i));
	EXPECT((long)stat_of("pages_busied") == 0);
	munmap(p, BYTES);
}

#define REFUSED 200 /* more than any byte that is probed */

/* What a child sees of addr, and can put back if write: its byte, or REFUSED. */
static int
probe(volatile uint8_t *addr, int write)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (pwrite(scratch, (void *)addr, 1, 0) != 1 ||
		    (write && pread(scratch, (void *)addr, 1, 0) != 1))
			_exit(errno == EFAULT ? REFUSED : REFUSED + 1);
		_exit(*addr);
	}
	waitpid(pid, &status, 0);
	return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void
test_parts(void)
{
	struct testdev_range range = {5, 5};
	long demotions = (long)stat_of("superpages_demoted");
	uint8_t *p = map(PROT_READ | PROT_WRITE);

	memset(p, 0, BYTES);
	for (size_t i = 0; i < SP; i++)
		p[i * PAGE] = (uint8_t)i;
	EXPECT(probe(p + 7 * PAGE, 1) == 7);
	EXPECT((long)stat_of("superpages_demoted") == demotions);
	EXPECT(mprotect(p + 10 * PAGE, 5 * PAGE, PROT_READ) == 0);
	EXPECT((long)stat_of("superpages_demoted") == demotions + 1);
	EXPECT(munmap(p + (SP + 20) * PAGE, 3 * PAGE) == 0);
	EXPECT((long)stat_of("superpages_demoted") == demotions + 2);
	EXPECT(probe(p + 12 * PAGE, 0) == 12);
	EXPECT(probe(p + 12 * PAGE, 1) == REFUSED);
	EXPECT(probe(p + 15 * PAGE, 1) == 15);
	EXPECT(probe(p + (SP + 21) * PAGE, 0) == REFUSED);
	EXPECT(probe(p + (SP + 23) * PAGE, 1) == 23);
	EXPECT(mlock(p + 30 * PAGE, 4 * PAGE) == 0);
	EXPECT(munlock(p + 30 * PAGE, 4 * PAGE) == 0);
	EXPECT(ioctl(dev, TESTDEV_TAKE, &range) == -1 && errno == EOPNOTSUPP);
	for (size_t i = 0; i < SP; i++)
		EXPECT(p[i * PAGE] == (uint8_t)i);
	munmap(p, BYTES);
}

/* mlock before the first touch; the lock goes with the mapping, the table set aside too (S5). */
static void
test_locked(void)
{
	long tables = (long)stat_of("pt_pages");
	uint8_t *p = map(PROT_READ | PROT_WRITE);

	EXPECT(mlock(p, BYTES) == 0);
	p[9 * PAGE] = 9;
	EXPECT(p[(SP + 9) * PAGE] == 9);
	EXPECT(munmap(p + 3 * PAGE, PAGE) == 0);
	EXPECT(p[9 * PAGE] == 9);
	munmap(p, BYTES);
	EXPECT((long)stat_of("pt_pages") == tables);
}

static void
test_refused(void)
{
	long supers = (long)stat_of("superpages_entered");
	uint8_t *p = map(PROT_READ);

	EXPECT(madvise(p, BYTES, MADV_NOHUGEPAGE) == 0);
	EXPECT(p[9 * PAGE] == 9);
	EXPECT((long)stat_of("superpages_entered") == supers);
	munmap(p, BYTES);
}

int
main(void)
{
	long objects, bytes;

	dev = open("/dev/testblock", O_RDWR);
	scratch = open("/tmp/rawsuper", O_RDWR | O_CREAT, 0600);
	if (dev < 0 || scratch < 0) {
		perror("/dev/testblock");
		return (1);
	}
	for (int round = 0; round < 2; round++) { /* the second must leave nothing behind */
		objects = (long)stat_of("objects");
		bytes = (long)stat_of("kmalloc_bytes");
		test_whole();
		test_parts();
		test_locked();
		test_refused();
	}
	EXPECT((long)stat_of("objects") == objects);
	EXPECT((long)stat_of("kmalloc_bytes") == bytes);
	return (wrong);
}

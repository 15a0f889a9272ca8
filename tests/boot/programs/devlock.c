/*
 * Locked memory, of a device and other; and the kernel's copies to and from VRAM that nobody
 * touched yet. Lines "name number"; the counts of the kernel before and after must be the same.
 */
#define _GNU_SOURCE
#include "gauges.h"
#include <sys/mman.h>

#define PAGE  4096ul
#define CHUNK (16 * PAGE)
#define RW    (PROT_READ | PROT_WRITE)

static int fb, file;
static size_t vram;
static unsigned char buf[CHUNK], other[CHUNK];

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static unsigned char *
map(int prot, int flags, int fd, size_t size)
{
	void *p = mmap(NULL, size, prot, flags, fd, 0);

	check(p != MAP_FAILED, "mmap");
	return (p);
}

static unsigned char *
map_vram(int flags)
{
	return (map(RW, MAP_SHARED | flags, fb, vram));
}

/* Faults taken by writing every page once. */
static long
write_all(volatile unsigned char *p, size_t size)
{
	long before = faults_so_far();

	for (size_t i = 0; i < size; i += PAGE)
		p[i] = (unsigned char)i;
	return (faults_so_far() - before);
}

static unsigned long
locked_kb(void)
{
	return (number_in("/proc/self/status", "VmLck"));
}

static void
lock_device(void)
{
	unsigned char *p = map_vram(0);

	printf("vram locked before %lu\n", locked_kb());
	check(mlock(p, vram) == 0, "mlock");
	printf("vram locked %lu\n", locked_kb());
	printf("vram faults after mlock %ld\n", write_all(p, vram));
	check(mlock(p, vram) == 0 && munlock(p, vram / 4) == 0, "mlock and munlock");
	printf("vram locked after a quarter was unlocked %lu\n", locked_kb());
	check(munmap(p + vram / 2, vram / 2) == 0, "munmap");
	printf("vram locked after a half was unmapped %lu\n", locked_kb());
	munmap(p, vram / 2);
	p = map_vram(MAP_LOCKED);
	printf("vram faults with MAP_LOCKED %ld\n", write_all(p, vram));
	munmap(p, vram);
	p = map_vram(MAP_POPULATE);
	printf("vram faults with MAP_POPULATE %ld\n", write_all(p, vram));
	munmap(p, vram);
	check(mlockall(MCL_FUTURE) == 0, "mlockall");
	p = map_vram(0);
	printf("vram faults after MCL_FUTURE %ld\n", write_all(p, vram));
	printf("vram locked after MCL_FUTURE %lu\n", locked_kb());
	check(munlockall() == 0, "munlockall");
	printf("vram locked after munlockall %lu\n", locked_kb());
	munmap(p, vram);
	p = map_vram(0);
	check(mlock2(p, vram, MLOCK_ONFAULT) == 0, "mlock2");
	printf("vram faults on fault %ld\n", write_all(p, vram));
	printf("vram locked on fault %lu\n", locked_kb());
	munmap(p, vram);
	printf("vram locked at the end %lu\n", locked_kb());
}

/* Pages of RAM that are wired by locking these, and faults taken after it. */
static void
lock_ram(const char *what, unsigned char *p)
{
	unsigned long before = stat_of("pages_wired");

	check(mlock(p, CHUNK) == 0, "mlock");
	printf("%s wired %lu\n", what, stat_of("pages_wired") - before);
	printf("%s faults %ld\n", what, write_all(p, CHUNK));
	check(mprotect(p, PAGE, PROT_READ) == 0 && munmap(p + PAGE, PAGE) == 0, "mprotect, munmap");
	printf("%s wired without a page %lu\n", what, stat_of("pages_wired") - before);
	munmap(p, CHUNK);
	printf("%s wired after %lu\n", what, stat_of("pages_wired") - before);
}

static void
lock_others(void)
{
	unsigned char *p;

	lock_ram("anonymous", map(RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, CHUNK));
	lock_ram("private file", map(RW, MAP_PRIVATE, file, CHUNK));
	lock_ram("shared file", map(RW, MAP_SHARED, file, CHUNK));
	lock_ram("private vram", map(RW, MAP_PRIVATE, fb, CHUNK));
	p = map(RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, CHUNK);
	check(mlock2(p, CHUNK, MLOCK_ONFAULT) == 0, "mlock2");
	printf("on fault taken %ld\n", write_all(p, CHUNK));
	printf("on fault locked %lu\n", locked_kb());
	check(mlockall(MCL_CURRENT) == 0, "mlockall");
	printf("mlockall takes it %d\n", stat_of("pages_wired") >= CHUNK / PAGE);
	check(munlockall() == 0, "munlockall");
	printf("munlockall leaves %lu\n", locked_kb());
	munmap(p, CHUNK);
}

/* Locked memory that moves is there at once, and what it grows by, too. */
static void
move_locked(void)
{
	unsigned char *p = map(RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, CHUNK), *q;
	unsigned long before = stat_of("pages_wired");
	long faults;

	write_all(p, CHUNK);
	q = mremap(p, CHUNK, CHUNK, MREMAP_MAYMOVE | MREMAP_FIXED, p - 64 * CHUNK);
	check(q == p - 64 * CHUNK, "mremap");
	faults = faults_so_far();
	for (size_t i = 0; i < CHUNK; i += PAGE)
		check(((volatile unsigned char *)q)[i] == (unsigned char)i, "what moved");
	printf("moved: faults to read %ld\n", faults_so_far() - faults);
	q = mremap(q, CHUNK, 2 * CHUNK, MREMAP_MAYMOVE);
	check(q != MAP_FAILED, "mremap");
	printf("grown: wired %lu\n", stat_of("pages_wired") - before);
	printf("grown: faults %ld\n", write_all(q + CHUNK, CHUNK));
	printf("grown: locked %lu\n", locked_kb());
	munmap(q, 2 * CHUNK);
}

static void
fill(unsigned char *p, unsigned int seed)
{
	for (size_t i = 0; i < CHUNK; i++)
		p[i] = (unsigned char)(i * 7 + i / PAGE + seed);
}

/* Each with a new mapping of VRAM that nobody has touched: the pages of the object are gone,
 * too. */
static void
copies(void)
{
	unsigned char *p = map_vram(0);

	fill(buf, 1);
	check(pwrite(file, buf, CHUNK, 0) == (ssize_t)CHUNK, "pwrite");
	printf("read into vram %zd\n", pread(file, p + PAGE + 100, CHUNK, 0));
	check(pread(fb, other, CHUNK, PAGE + 100) == (ssize_t)CHUNK, "pread");
	printf("read into vram differs %d\n", memcmp(buf, other, CHUNK) != 0);
	munmap(p, vram);

	fill(buf, 2);
	check(pwrite(fb, buf, CHUNK, 3 * PAGE) == (ssize_t)CHUNK, "pwrite");
	p = map_vram(0);
	printf("write from vram %zd\n", pwrite(file, p + 3 * PAGE, CHUNK, 0));
	check(pread(file, other, CHUNK, 0) == (ssize_t)CHUNK, "pread");
	printf("write from vram differs %d\n", memcmp(buf, other, CHUNK) != 0);
	munmap(p, vram);

	p = map_vram(0);
	printf("vram into vram %zd\n", pread(fb, p + vram / 2, CHUNK, 3 * PAGE));
	printf("vram into vram differs %d\n", memcmp(buf, p + vram / 2, CHUNK) != 0);
	munmap(p, vram);

	p = map(PROT_READ, MAP_SHARED, fb, vram);
	printf("read into read-only vram %zd\n", pread(file, p, CHUNK, 0));
	printf("read over the end of vram %zd\n",
	       pread(fb, p + vram - PAGE, CHUNK, 0)); /* EFAULT all the same */
	munmap(p, vram);
	p = map_vram(0);
	printf("read half past vram %zd\n", pread(file, p + vram - CHUNK / 2, CHUNK, 0));
	munmap(p, vram);
}

static void
all(void)
{
	lock_device();
	lock_others();
	move_locked();
	copies();
}

int
main(void)
{
	struct gauges before;

	setvbuf(stdout, malloc(65536), _IOFBF, 65536);
	fb = open("/dev/fb0", O_RDWR);
	file = open("/tmp/devlock", O_RDWR | O_CREAT | O_TRUNC, 0600);
	check(fb >= 0 && file >= 0 && pwrite(file, buf, CHUNK, 0) == (ssize_t)CHUNK, "open");
	vram = (size_t)lseek(fb, 0, SEEK_END);
	all(); /* what is kept for the next time is made now */
	before = gauges_before();
	all();
	gauges_check(&before);
	puts("done");
	return (0);
}

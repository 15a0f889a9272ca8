/*
 * Private and read-only mappings of VRAM. Without an argument: what is seen and what is changed, as
 * lines "name number". write-shared, write-private: write a mapping that was made to read.
 */
#include "gauges.h"
#include <stdint.h>
#include <sys/mman.h>

#define PAGE  4096ul
#define PAGES 16ul
#define RW    (PROT_READ | PROT_WRITE)

static int fb;
static size_t vram;

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static volatile unsigned char *
map(int prot, int flags, size_t size)
{
	void *p = mmap(NULL, size, prot, flags, fb, 0);

	check(p != MAP_FAILED, "mmap");
	return (p);
}

static void
put_vram(size_t at, unsigned char value)
{
	check(pwrite(fb, &value, 1, (off_t)at) == 1, "pwrite");
}

static unsigned char
get_vram(size_t at)
{
	unsigned char value;

	check(pread(fb, &value, 1, (off_t)at) == 1, "pread");
	return (value);
}

static void private(void)
{
	volatile unsigned char *p = map(RW, MAP_PRIVATE, vram), *s = map(RW, MAP_SHARED, vram);
	unsigned long cow = stat_of("faults_cow");
	int wrong = 0;

	for (size_t i = 0; i < PAGES; i++) {
		put_vram(i * PAGE, (unsigned char)(i + 1));
		put_vram(i * PAGE + PAGE - 1, (unsigned char)(i + 100));
	}
	for (size_t i = 0; i < PAGES; i++)
		wrong += p[i * PAGE] != i + 1;
	printf("private reads wrong %d\n", wrong);
	for (size_t i = 0; i < PAGES; i += 2)
		p[i * PAGE] = (unsigned char)(i + 200);
	for (size_t i = 0; i < PAGES; i++) {
		wrong += get_vram(i * PAGE) != i + 1 || s[i * PAGE] != i + 1;
		wrong += p[i * PAGE] != (i % 2 == 0 ? i + 200 : i + 1);
		wrong += p[i * PAGE + PAGE - 1] != i + 100; /* the rest of the page was copied */
	}
	printf("private writes wrong %d\n", wrong);
	printf("copies %lu\n", stat_of("faults_cow") - cow);
	for (size_t i = 0; i < PAGES; i++)
		s[i * PAGE] = 7; /* seen where there is no copy */
	for (size_t i = 0; i < PAGES; i++)
		wrong += p[i * PAGE] != (i % 2 == 0 ? i + 200 : 7);
	p[vram - 1] = 99; /* a page nobody touched before */
	wrong += get_vram(vram - 1) == 99 || p[vram - 1] != 99;
	printf("private after shared writes wrong %d\n", wrong);
	munmap((void *)s, vram);
	munmap((void *)p, vram);
}

/* P23: the pager knew that the mapping may be written one day. */
static void
made_writable_later(void)
{
	volatile unsigned char *p = map(PROT_READ, MAP_SHARED, vram);
	unsigned long calls = stat_of("populate_calls");
	long faults = faults_so_far();
	unsigned int sum = 0;

	for (size_t i = 0; i < vram; i += PAGE)
		sum += p[i];
	printf("faults to read %ld\n", faults_so_far() - faults);
	check(mprotect((void *)p, vram, RW) == 0, "mprotect");
	for (size_t i = 0; i < vram; i += PAGE)
		p[i] = (unsigned char)(i / PAGE + sum);
	printf("populates %lu\n", stat_of("populate_calls") - calls);
	for (size_t i = 0; i < vram; i += PAGE)
		check(get_vram(i) == (unsigned char)(i / PAGE + sum),
		      "VRAM is not what was written");
	check(mprotect((void *)p, vram, PROT_READ) == 0, "mprotect");
	munmap((void *)p, vram);
}

static void
write_read_only(int flags)
{
	volatile unsigned char *p = map(PROT_READ, flags, vram);

	printf("read %d\n", p[PAGE] == p[PAGE]);
	fflush(stdout);
	p[PAGE] = 1;
	puts("written");
}

int
main(int argc, char **argv)
{
	struct gauges before;

	fb = open("/dev/fb0", O_RDWR);
	check(fb >= 0, "/dev/fb0");
	vram = (size_t)lseek(fb, 0, SEEK_END);
	setvbuf(stdout, malloc(65536), _IOFBF, 65536);
	if (argc > 1) {
		write_read_only(strcmp(argv[1], "write-private") == 0 ? MAP_PRIVATE : MAP_SHARED);
		return (0);
	}
	private();
	made_writable_later();
	before = gauges_before();
	private();
	made_writable_later();
	gauges_check(&before);
	puts("done");
	return (0);
}

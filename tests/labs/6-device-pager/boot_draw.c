/*
 * Draw through a mapping of /dev/fb0 and read it back with read(2), and the other way round.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE   4096ul
#define NPAGES 200ul

static long
faults(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (use.ru_majflt + use.ru_minflt);
}

int
main(void)
{
	static unsigned char line[PAGE];
	int fd = open("/dev/fb0", O_RDWR);
	unsigned char *p = mmap(NULL, NPAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unsigned long bad = 0;
	long before, taken;

	if (fd < 0 || p == MAP_FAILED) {
		puts("cannot map /dev/fb0");
		return (1);
	}
	memset(line, 1, sizeof(line));
	before = faults();
	for (unsigned long i = 0; i < NPAGES; i++)
		memset(p + i * PAGE, (int)(i + 7), PAGE);
	taken = faults() - before;
	for (unsigned long i = 0; i < NPAGES; i++) {
		bad += pread(fd, line, PAGE, (off_t)(i * PAGE)) != (ssize_t)PAGE;
		bad += line[0] != (unsigned char)(i + 7) || line[PAGE - 1] != line[0];
	}
	memset(line, 0x55, sizeof(line));
	bad += pwrite(fd, line, PAGE, (off_t)(3 * PAGE)) != (ssize_t)PAGE;
	bad += p[3 * PAGE] != 0x55 || p[4 * PAGE - 1] != 0x55 || p[4 * PAGE] != 11;
	printf("%lu wrong pages, %ld faults for %lu\n", bad, taken, NPAGES);
	return (bad == 0 && taken >= (long)NPAGES && taken <= (long)NPAGES + 2 ? 0 : 1);
}

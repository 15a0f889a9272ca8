/*
 * Write each page of VRAM by each policy, and count the faults.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE   4096ul
#define NPAGES 4096ul

static long
faults(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (use.ru_majflt + use.ru_minflt);
}

/* The faults of writing each page, or -1. */
static long
count(const char *policy)
{
	int knob = open("/proc/sys/dev/fb/populate", O_WRONLY), fd = open("/dev/fb0", O_RDWR);
	volatile char *p = mmap(NULL, NPAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	long before, n;

	if (write(knob, policy, strlen(policy)) != (ssize_t)strlen(policy) || p == MAP_FAILED)
		return (-1);
	before = faults();
	for (size_t i = 0; i < NPAGES; i++)
		p[i * PAGE] = 1;
	n = faults() - before;
	munmap((void *)p, NPAGES * PAGE);
	close(fd);
	close(knob);
	return (n);
}

int
main(void)
{
	static const struct {
		const char *policy;
		long want;
	} rows[] = {{"single", 4096}, {"window:16", 256}, {"whole", 1}};
	int bad = 0;

	count("single"); /* the loop and the calls are in memory now */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		long n = count(rows[i].policy);

		printf("%s: %ld faults, should be %ld\n", rows[i].policy, n, rows[i].want);
		bad |= n != rows[i].want;
		if (bad)
			break;
	}
	return (bad);
}

/*
 * Of 64 pages 10 are touched: what /proc/self/smaps says is resident.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE   4096ul
#define NPAGES 64ul

/* Rss of the mapping at p, in kB; -1: not found. */
static long
rss(const char *p)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	int found = 0;
	char line[512];
	long kb = -1;

	while (file != NULL && kb < 0 && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			found = start <= (unsigned long)p && end > (unsigned long)p;
		else if (found)
			sscanf(line, "Rss: %ld", &kb);
	}
	if (file != NULL)
		fclose(file);
	return (kb);
}

int
main(void)
{
	char *all = mmap(NULL, (NPAGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = all + PAGE;
	long kb;

	if (all == MAP_FAILED || mprotect(p, NPAGES * PAGE, PROT_READ | PROT_WRITE) != 0)
		return (1);
	for (unsigned long i = 0; i < 10; i++)
		p[i * 6 * PAGE] = 1;
	kb = rss(p);
	printf("Rss: %ld kB, should be 40\n", kb);
	return (kb == 40 ? 0 : 1);
}

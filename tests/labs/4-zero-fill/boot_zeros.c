/*
 * Fresh memory and .bss are zeros, at one fault a page.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define PAGE 4096ul
#define N    2048ul

static char bss[64 * PAGE];

static long
faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_minflt);
}

static size_t
not_zero(const char *p, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += p[i] != 0;
	return (count);
}

/* Maps and looks at N pages, writes a byte of each, then all; true if all was right. */
static int
round_is_right(void)
{
	char *p = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long before = faults(), taken;
	size_t bad;

	if (p == MAP_FAILED)
		return (0);
	bad = not_zero(p, N * PAGE);
	taken = faults() - before;
	for (size_t i = 0; i < N; i++)
		p[i * PAGE + i] = 1;
	bad += not_zero(p, N * PAGE) - N;
	memset(p, 7, N * PAGE);
	for (size_t i = 0; i < N * PAGE; i++)
		bad += p[i] != 7;
	munmap(p, N * PAGE);
	printf("%zu wrong bytes, %ld faults for %lu pages\n", bad, taken, N);
	return (bad == 0 && taken >= (long)N && taken <= (long)N + 2);
}

/* The second time it gets frames that were written to. */
int
main(void)
{
	return (not_zero(bss, sizeof(bss)) == 0 && round_is_right() && round_is_right() ? 0 : 1);
}

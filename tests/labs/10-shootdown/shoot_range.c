/* Several pages are made read-only at once: so few that each is flushed by itself, and so many that
 * all is. Each round CPU 1 begins with another one. */
#include "two.h"

#define MANY 64

static void
protect(volatile uint8_t *pages, size_t n)
{
	uint8_t before[MANY];

	worker.npages = n;
	for (size_t first = 0; first < n; first += n / 8) {
		worker_run();
		mprotect((void *)pages, n * PAGE, PROT_READ);
		for (size_t i = 0; i < n; i++)
			before[i] = pages[i * PAGE];
		worker_must_stop("mprotect");
		for (size_t i = 0; i < n; i++)
			if (pages[i * PAGE] != before[i])
				FAIL("page %zu of %zu was written after mprotect", i, n);
		mprotect((void *)pages, n * PAGE, PROT_READ | PROT_WRITE);
	}
}

int
main(void)
{
	volatile uint8_t *pages = pages_at(NULL, MANY);

	worker_start(pages, MANY, true);
	for (int i = 0; i < 3; i++) {
		protect(pages, 8);
		protect(pages, MANY);
	}
	return (0);
}

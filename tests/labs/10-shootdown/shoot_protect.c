/* One page is made read-only while CPU 1 writes to it, and at once another one that it has nothing to
 * do with. */
#include "two.h"

int
main(void)
{
	volatile uint8_t *pages = pages_at(NULL, 3), *page = pages, *other = pages + 2 * PAGE;
	uint8_t before;

	worker_start(page, 1, true);
	for (int i = 0; i < 20; i++) {
		worker_run();
		*other = 1;
		mprotect((void *)page, PAGE, PROT_READ);
		mprotect((void *)other, PAGE, PROT_READ);
		before = page[0];
		worker_must_stop("mprotect");
		if (page[0] != before)
			FAIL("the page has changed after mprotect had returned");
		mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
		mprotect((void *)other, PAGE, PROT_READ | PROT_WRITE);
	}
	return (0);
}

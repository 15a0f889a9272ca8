/* A page is unmapped while CPU 1 reads it; its frame is soon somebody else's. */
#include "two.h"

#define SECRET 0xa5

int
main(void)
{
	void *page = pages_at(NULL, 1), *others;

	worker_start(page, 1, false);
	for (int i = 0; i < 20; i++) {
		worker_run();
		munmap(page, PAGE);
		others = pages_at(NULL, 8);
		memset(others, SECRET, 8 * PAGE);
		worker_must_stop("munmap");
		if (worker.seen == SECRET)
			FAIL("CPU 1 has read what was written to another page");
		munmap(others, 8 * PAGE);
		pages_at(page, 1);
	}
	return (0);
}

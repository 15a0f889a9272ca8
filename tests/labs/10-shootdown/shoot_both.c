/* CPU 1 asks about many pages of the process while CPU 0 asks about the kernel's (membarrier
 * does). */
#include "two.h"
#include <sys/syscall.h>
#include <unistd.h>

#define GLOBAL 1 /* MEMBARRIER_CMD_GLOBAL */
#define PAGES  256
#define TIMES  100

static volatile int done;

static void *
barriers(void *arg)
{
	on_cpu(0);
	while (!done)
		syscall(SYS_membarrier, GLOBAL, 0);
	return (arg);
}

static void
both(void)
{
	volatile uint8_t *pages = pages_at(NULL, PAGES);
	pthread_t td;

	on_cpu(1);
	if (pthread_create(&td, NULL, barriers, NULL) != 0)
		FAIL("pthread_create");
	for (int i = 0; i < TIMES; i++) {
		for (size_t j = 0; j < PAGES; j++)
			pages[j * PAGE] = 1;
		mprotect((void *)pages, PAGES * PAGE, PROT_READ);
		mprotect((void *)pages, PAGES * PAGE, PROT_READ | PROT_WRITE);
	}
	done = 1;
	pthread_join(td, NULL);
}

int
main(void)
{
	volatile uint8_t *page = pages_at(NULL, 1);

	both();
	worker_start(page, 1, true);
	worker_run();
	mprotect((void *)page, PAGE, PROT_READ);
	worker_must_stop("mprotect");
	return (0);
}

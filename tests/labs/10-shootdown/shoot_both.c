/* CPU 0 asks about the process's pages while CPU 1 asks about the kernel's (membarrier does). */
#include "two.h"
#include <sys/syscall.h>
#include <unistd.h>

#define GLOBAL 1 /* MEMBARRIER_CMD_GLOBAL */
#define TIMES  3000

static volatile int done;

static void *
barriers(void *arg)
{
	on_cpu(1);
	while (!done)
		syscall(SYS_membarrier, GLOBAL, 0);
	return (arg);
}

static void
one_by_one(void)
{
	volatile uint8_t *page = pages_at(NULL, 1);

	worker_start(page, 1, true);
	worker_run();
	mprotect((void *)page, PAGE, PROT_READ);
	worker_must_stop("mprotect");
}

int
main(void)
{
	volatile uint8_t *page = pages_at(NULL, 1);
	pthread_t td;

	on_cpu(0);
	pthread_create(&td, NULL, barriers, NULL);
	for (int i = 0; i < TIMES; i++) {
		page[0] = 1;
		mprotect((void *)page, PAGE, PROT_READ);
		mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
	}
	done = 1;
	pthread_join(td, NULL);
	one_by_one();
	return (0);
}

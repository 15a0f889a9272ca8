/* A shootdown costs a CPU that sleeps no interrupt; but it does not wake with what it knew. Then the
 * process ends, with CPU 1 idle and its page tables still there. */
#include "two.h"
#include <unistd.h>
#include <sys/wait.h>

#define TIMES 200
#define STRAY 20 /* interrupts for other reasons */

static volatile uint8_t *page;
static int wake[2];

static long
interrupts_of_protecting(void)
{
	long before = stat_of("tlb_interrupts");

	for (int i = 0; i < TIMES; i++) {
		page[0] = 1;
		mprotect((void *)page, PAGE, PROT_READ);
		mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
	}
	return (stat_of("tlb_interrupts") - before);
}

static void *
sleeper(void *arg)
{
	char c;

	on_cpu(1);
	page[0] = 1; /* CPU 1 knows the page, and that it may write */
	*(volatile int *)arg = 1;
	if (read(wake[0], &c, 1) == 1 && sigsetjmp(out, 1) == 0)
		page[0] = 2;
	return (NULL);
}

static void
asleep(void)
{
	volatile int ready = 0;
	pthread_t td;
	long n;

	signal(SIGSEGV, on_fault);
	if (pipe(wake) != 0 || pthread_create(&td, NULL, sleeper, (void *)&ready) != 0)
		FAIL("pipe, pthread_create");
	while (!ready)
		usleep(1000);
	usleep(1000);
	n = interrupts_of_protecting();
	page[0] = 1;
	mprotect((void *)page, PAGE, PROT_READ);
	if (write(wake[1], "", 1) != 1)
		FAIL("write");
	pthread_join(td, NULL);
	if (page[0] != 1)
		FAIL("CPU 1 slept, woke, and wrote to a page that was read-only by then");
	if (n > STRAY)
		FAIL("CPU 1 sleeps and got %ld interrupts", n);
}

int
main(void)
{
	int status;

	on_cpu(0);
	page = pages_at(NULL, 1);
	if (fork() == 0) {
		asleep();
		exit(0);
	}
	if (wait(&status) < 0 || status != 0)
		return (1);
	worker_start(page, 1, true);
	worker_run();
	mprotect((void *)page, PAGE, PROT_READ);
	worker_must_stop("mprotect");
	return (0);
}

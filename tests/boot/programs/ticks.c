/*
 * Time stamps under --icount, where one tick is one instruction: reset to the first instruction of
 * main, a system call that does nothing, a fault on anonymous memory. The least of many runs each.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RUNS 200

static uint64_t
now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return ((uint64_t)high << 32 | low);
}

static long
null_call(void)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "0"(SYS_getppid) : "rcx", "r11", "memory");
	return (r);
}

static void
nothing(int i)
{
	(void)i;
}

static void
call_one(int i)
{
	(void)i;
	null_call();
}

static volatile char *page;

static void
touch_one(int i)
{
	page[i * 4096] = 1;
}

static uint64_t
least(void (*run)(int))
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < RUNS; i++) {
		uint64_t start = now(), ticks;

		run(i);
		ticks = now() - start;
		if (ticks < best)
			best = ticks;
	}
	return (best);
}

int
main(void)
{
	uint64_t boot = now(), empty, sum, start;

	page = mmap(NULL, RUNS * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return (1);
	empty = least(nothing);
	start = now();
	for (int i = 0; i < 1000; i++)
		null_call();
	sum = now() - start;
	printf("boot %lu\n", boot);
	printf("call %lu\n", least(call_one) - empty);
	printf("fault %lu\n", least(touch_one) - empty);
	printf("1000 calls %lu\n", sum);
	return (0);
}

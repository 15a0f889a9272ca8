/*
 * Rows on system calls, processes, threads and what they wake each other with.
 */
#include "bench.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* Not by way of the C library, whose share would be as large as the kernel's. */
static uint64_t
null_call(size_t calls)
{
	uint64_t start = tsc();

	for (size_t i = 0; i < calls; i++) {
		long number = SYS_getppid;
		__asm__ volatile("syscall" : "+a"(number)::"rcx", "r11", "memory");
	}
	return (tsc() - start);
}

static void
fork_wait(void)
{
	pid_t pid = fork();

	if (pid < 0)
		bench_fail("fork");
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static uint64_t
fork_small(size_t calls)
{
	uint64_t start = tsc();

	for (size_t i = 0; i < calls; i++)
		fork_wait();
	return (tsc() - start);
}

static uint64_t
fork_8m(size_t calls)
{
	uint8_t *p = map_memory(8 << 20, RW, ANON, -1);

	touch_write(p, (8 << 20) / PAGE_SIZE);
	uint64_t ticks = fork_small(calls);
	munmap(p, 8 << 20);
	return (ticks);
}

/* A thousand mappings of a page, which do not merge, none of them touched. */
static uint64_t
fork_1000_maps(size_t calls)
{
	uint8_t *p = map_memory(1000 * PAGE_SIZE, RW, ANON, -1);

	for (size_t i = 0; i < 1000; i += 2)
		if (mprotect(p + i * PAGE_SIZE, PAGE_SIZE, PROT_READ) != 0)
			bench_fail("mprotect");
	uint64_t ticks = fork_small(calls);
	munmap(p, 1000 * PAGE_SIZE);
	return (ticks);
}

/* This very program, which ends at once when it is called so. */
static void
exec_wait(void)
{
	char *const argv[] = {"vmbench", BENCH_TRUE, NULL};
	int status = -1;
	pid_t pid;

	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, NULL) != 0)
		bench_fail("posix_spawn");
	waitpid(pid, &status, 0);
	if (status != 0)
		bench_fail("the program executed");
}

static uint64_t
spawn_exec(size_t calls)
{
	uint64_t start = tsc();

	for (size_t i = 0; i < calls; i++)
		exec_wait();
	return (tsc() - start);
}

static uint64_t
pipe_ping_pong(size_t rounds)
{
	int to[2], back[2];
	char byte = 0;

	if (pipe(to) != 0 || pipe(back) != 0)
		bench_fail("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		close(to[1]);
		while (read(to[0], &byte, 1) == 1)
			if (write(back[1], &byte, 1) != 1)
				break;
		_exit(0);
	}
	uint64_t start = tsc();
	for (size_t i = 0; i < rounds; i++)
		if (write(to[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			bench_fail("pipe");
	uint64_t ticks = tsc() - start;
	close(to[0]), close(to[1]), close(back[0]), close(back[1]);
	waitpid(pid, NULL, 0);
	return (ticks);
}

/* --- threads ---------------------------------------------------------------------------------- */

static long
futex(uint32_t *word, int op, uint32_t value)
{
	return (syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0));
}

/* Turns go to and fro between two threads by one word: even is the main thread's. */
static uint32_t turn;
static size_t turns;

static void *
futex_partner(void *arg)
{
	for (size_t i = 0; i < turns; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) % 2 == 0)
			futex(&turn, FUTEX_WAIT, turn & ~1u);
		__atomic_add_fetch(&turn, 1, __ATOMIC_RELEASE);
		futex(&turn, FUTEX_WAKE, 1);
	}
	return (arg);
}

static uint64_t
futex_ping_pong(size_t rounds)
{
	pthread_t partner;

	turn = 0;
	turns = rounds;
	if (pthread_create(&partner, NULL, futex_partner, NULL) != 0)
		bench_fail("pthread_create");
	uint64_t start = tsc();
	for (size_t i = 0; i < rounds; i++) {
		__atomic_add_fetch(&turn, 1, __ATOMIC_RELEASE);
		futex(&turn, FUTEX_WAKE, 1);
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) % 2 == 1)
			futex(&turn, FUTEX_WAIT, turn | 1u);
	}
	uint64_t ticks = tsc() - start;
	pthread_join(partner, NULL);
	return (ticks);
}

static void *
thread_nothing(void *arg)
{
	return (arg);
}

static uint64_t
thread_create_join(size_t calls)
{
	uint64_t start = tsc();

	for (size_t i = 0; i < calls; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, thread_nothing, NULL) != 0)
			bench_fail("pthread_create");
		pthread_join(thread, NULL);
	}
	return (tsc() - start);
}

const struct bench process_rows[] = {
    {"syscall", "call", null_call, 1024, 0},
    {"fork-exit-wait", "round", fork_small, 64, 0},
    {"fork-8MiB-touched", "round", fork_8m, 32, 0},
    {"fork-1000-maps", "round", fork_1000_maps, 16, 0},
    {"spawn-exec-wait", "round", spawn_exec, 32, 0},
    {"pipe-ping-pong", "round", pipe_ping_pong, 256, 0},
    {"futex-ping-pong", "round", futex_ping_pong, 256, 0},
    {"thread-create-join", "round", thread_create_join, 128, 0},
    {0},
};

/*
 * forkcost: instructions that copy-on-write, fork and exec take (with --icount a tick is one).
 * forkcost stats: after hundreds of processes and threads the kernel's counts are what they were;
 * prints the lines of /proc/quire/stats that differ.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gauges.h"

#define RUNS 20

static volatile char *area;
static char before[16384], after[16384];

static uint64_t
now(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return ((uint64_t)hi << 32 | lo);
}

/* The least of the write faults after a fork. */
static uint64_t
cow_fault(void)
{
	uint64_t best = UINT64_MAX, start, ticks, empty;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		sleep(1000);
		_exit(0);
	}
	start = now();
	empty = now() - start;
	for (int i = 0; i < RUNS; i++) {
		start = now();
		area[i * 4096] = 2;
		ticks = now() - start;
		if (ticks < best)
			best = ticks;
	}
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	return (best - empty);
}

static uint64_t
fork_cost(int exec)
{
	char *const argv[] = {"forkcost", "nothing", NULL}, *const env[] = {NULL};
	uint64_t best = UINT64_MAX, start, ticks;

	for (int i = 0; i < RUNS; i++) {
		start = now();
		pid_t pid = fork();

		if (pid == 0) {
			if (exec)
				execve("/proc/self/exe", argv, env);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		ticks = now() - start;
		if (ticks < best)
			best = ticks;
	}
	return (best);
}

static void
read_stats(char *buf)
{
	int fd = open("/proc/quire/stats", O_RDONLY);
	size_t n = 0;
	ssize_t r;

	while (n < sizeof(before) - 1 && (r = read(fd, buf + n, sizeof(before) - 1 - n)) > 0)
		n += (size_t)r;
	buf[n] = '\0';
	close(fd);
}

static void *
touch(void *arg)
{
	((volatile char *)arg)[0]++;
	return (NULL);
}

static void
many(void)
{
	pthread_t t[10];

	for (int i = 0; i < 100; i++)
		area[i % 8 * 4096] = (char)fork_cost(i % 10 == 0);
	for (int i = 0; i < 300; i++) {
		pthread_create(&t[i % 10], NULL, touch, (void *)area);
		if (i % 10 == 9)
			for (int k = 0; k < 10; k++)
				pthread_join(t[k], NULL);
	}
	usleep(20000); /* the dead are buried by the idle thread */
	gauges_before();
}

static void
stats(void)
{
	char *a = before, *b = after;

	many();
	read_stats(before);
	read_stats(before);
	many();
	read_stats(after);
	while (*a != '\0' && *b != '\0') {
		size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");

		if (la != lb || memcmp(a, b, la) != 0)
			printf("before %.*s, after %.*s\n", (int)la, a, (int)lb, b);
		a += la + (a[la] != '\0');
		b += lb + (b[lb] != '\0');
	}
	puts("done");
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "nothing") == 0)
		_exit(0);
	if (argc == 1) { /* while the program is small */
		printf("fork+exit+wait %lu\n", fork_cost(0));
		printf("fork+exec+exit+wait %lu\n", fork_cost(1));
	}
	area = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset((void *)area, 1, 64 * 4096);
	if (argc > 1 && strcmp(argv[1], "stats") == 0) {
		stats();
		return (0);
	}
	printf("cow fault %lu\n", cow_fault());
	return (0);
}

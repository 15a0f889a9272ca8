/*
 * Counting what programs cost: the time-stamp counter, the page faults of this process, the
 * kernel's own counters, and numbers for people to read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096ul

/* The time-stamp counter; what the program did before stays before, as far as the compiler goes. */
static inline uint64_t
tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return ((uint64_t)hi << 32 | lo);
}

/* This process's page faults so far, as getrusage counts them. */
struct fault_count {
	uint64_t major, minor;
};
struct fault_count faults_now(void);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_ns(void);
void sleep_ns(uint64_t ns);

/*
 * The counter called name from /proc/quire/stats, whose lines are "name value". False where there
 * is no such file or line: value is left as it was.
 */
bool kernel_counter(const char *name, uint64_t *value);

/* Text of a small file without its last newline, or an errno. */
int file_get(const char *path, char *buf, size_t size);
/* Write text to a file that is there; 0 or an errno. */
int file_set(const char *path, const char *text);

/* value with a comma between thousands, in buf, which is returned. */
#define NUMBER_LEN 28
const char *number(char buf[NUMBER_LEN], uint64_t value);
/* The same with one digit after the point. */
const char *number_tenths(char buf[NUMBER_LEN], double value);

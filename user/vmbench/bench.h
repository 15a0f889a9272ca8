/*
 * vmbench: a table of rows, each a path through the kernel that is run some hundred times between
 * two readings of the time-stamp counter. One static binary for Linux and for Quire.
 */
#pragma once

#include "lib/meter.h"

#include <stddef.h>
#include <stdint.h>

#define BENCH_TRUE "--true" /* called so, the program ends at once: something to execute */

struct bench {
	const char *name; /* of the row; no spaces */
	const char *unit; /* what one of is measured: page, call, pair */
	/* Do `units` of it and return the ticks that they took, without what it takes to prepare. */
	uint64_t (*run)(size_t units);
	size_t units;
	double floor; /* instructions for one that no kernel can do without; 0: not reasoned */
};

extern const struct bench memory_rows[], file_rows[], process_rows[], device_rows[];

/* Say what failed, with errno, and leave this row out. Does not return. */
_Noreturn void bench_fail(const char *what);
/* This row does not apply to this machine, for the reason given. Does not return. */
_Noreturn void bench_skip(const char *why);

/* Memory, or bench_fail. */
uint8_t *map_memory(size_t bytes, int prot, int flags, int fd);
/* A file of that many pages, in memory, that has no name any more; the same one again. */
int scratch_file(size_t pages);
/* Write, or read, a byte of each page. */
void touch_write(uint8_t *p, size_t pages);
void touch_read(const uint8_t *p, size_t pages);

/*
 * amd64's clock: the time stamp counter, as nanoseconds. cpu_now() (kern/machdep.h) is this for all;
 * here it is without a call, for those that read it very often.
 */
#pragma once

#include "kern/types.h"

/* Both of timer.c, 0 until it has calibrated the counter. Locks: (c) constant */
extern uint64_t tsc_start; /* (c) the boot's zero */
extern uint64_t ns_per_tsc; /* (c) fixed point, 32 bits of fraction */

static inline uint64_t
rdtsc(void)
{
	uint64_t lo, hi; /* upper halves are cleared */

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (hi << 32 | lo);
}

/* Nanoseconds since boot. */
static inline uint64_t
clock_now(void)
{
	return ((unsigned __int128)(rdtsc() - tsc_start) * ns_per_tsc >> 32);
}

/*
 * Irregular on purpose, the same for a seed: with jitter=SEED on the command line the timer rings
 * at odd moments, threads are preempted there, and who waits for a lock or for a CPU is served in
 * another order. Races show that a regular machine never runs into; under the emulator's --icount
 * the same seed shows them again.
 */
#pragma once

#include "kern/types.h"

/* Off at start-up, and without the option for good. */
extern bool jitter_on;

/* Read the option. Last of all start-up, when threads can switch. */
void jitter_init(void);
/* The next pseudo-random number below n. Any context. */
uint64_t jitter_below(uint64_t n);

/* True once in n times, never when off. */
static inline bool
jitter_one_in(uint64_t n)
{
	return (__predict_false(jitter_on) && jitter_below(n) == 0);
}

/*
 * Callouts: what is to be done at a certain time. One heap, by time, for all that waits for the
 * clock: sleeps with a time-out and timers.
 */
#pragma once

#include "kern/types.h"
#include <sys/queue.h>

/* Locks: (s) the scheduler's. Zeroed memory is one that is not armed. */
struct callout {
	struct callout *c_child, *c_next, **c_prev; /* (s) in the heap */
	uint64_t c_at; /* (s) ns since boot; 0: neither in the heap nor due */
	bool c_due; /* (s) its time has come, and the clock thread has not called it yet */
	TAILQ_ENTRY(callout) c_link; /* (s) while due */
	void (*c_fn)(struct callout *c); /* (s) NULL: a thread's sleep */
};

/* Start the clock thread. */
void callout_init(void);
/* Have fn(c) called at time `at` (ns since boot) by the clock thread, which holds no lock; in place
 * of what it was armed for before. fn may reset it again. */
void callout_reset(struct callout *c, uint64_t at, void (*fn)(struct callout *c));
/* It is not called any more; callout_drain also waits until it does not run. The caller holds no
 * lock that fn takes. */
void callout_stop(struct callout *c);
void callout_drain(struct callout *c);

/* For the sleep queues and the scheduler, who hold sched_lock. */
void callout_arm(struct callout *c, uint64_t at);
void callout_disarm(struct callout *c);
/* Wake the threads, and have the clock thread call the functions, whose time is up. */
void callout_expire(uint64_t now);
/* When the next is due; 0: never. */
uint64_t callout_next(void);

/*
 * What the scheduler, the sleep queues and the locks share with one another, and nobody else uses.
 * Everything here is called with sched_lock held.
 */
#pragma once

#include "kern/thread.h"

#define SLEEP_WRITER 2 /* td_sleep_flags: waits for an rwlock to write, not to read */

TAILQ_HEAD(threadq, thread);

extern struct mtx sched_lock;

/* sched.c. Run whoever is next; the caller has put curthread where it belongs (run queue, sleep
 * queue or neither). Returns when curthread runs again. */
void sched_switch(void);
/* Put td, which is on no queue, at the end of the run queue. */
void sched_runnable(struct thread *td);
/* Td goes before others from now on: who is to die has memory that they wait for. */
void sched_hasten(struct thread *td);
/* Arm the timer for what comes first: a time-out or the end of the slice. */
void sched_arm(void);

/* sleepq.c. A thread is on a sleep queue from sleepq_add until it is woken; in between it may still
 * run, with interrupts off, to let go of a lock. */
void sleepq_init(void);
void sleepq_add(const void *chan, int flags, uint64_t timeout);
/* Switch away unless woken already; returns what the waker said. */
int sleepq_wait(void);
void sleepq_wake(struct thread *td, int result);
/* The one that has slept longest on chan, or NULL. */
struct thread *sleepq_first(const void *chan);

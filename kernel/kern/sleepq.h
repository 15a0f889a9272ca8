/*
 * What the scheduler, the sleep queues and the locks share with one another, and nobody else uses.
 * Everything here is called with sched_lock held.
 */
#pragma once

#include "kern/thread.h"

#define SLEEP_WRITER 2 /* td_sleep_flags: waits for an rwlock to write, not to read */

TAILQ_HEAD(threadq, thread);

extern struct mtx sched_lock;

/* What the scheduler has for each CPU. Locks: (c) constant, once the CPU runs; the rest sched_lock. */
struct sched_cpu {
	struct threadq sc_queue; /* runnable, waiting for it */
	uint32_t sc_queued; /* how many */
	uint32_t sc_id, sc_bit; /* (c) its number, and 1 << that */
	struct thread *sc_idle; /* (c) runs when nobody else can; never queued */
	struct thread *sc_thread; /* its curthread; NULL: it has not started */
	uint64_t sc_slice_end; /* of sc_thread; 0: nobody else wants the CPU */
	uint64_t sc_tick_at; /* sc_thread looks at its timers then; 0: it has none */
	uint64_t sc_armed_at; /* what its timer was told */
	uint64_t sc_switches;
	struct sched_times sc_times;
};
extern struct sched_cpu sched_cpus[MAXCPU];
#define CPU_TICK_NS 1000000ul /* how often timers of CPU time are looked at */

/* sched_acct.c. The time since the last time goes to curthread's account, and its process's. */
void sched_charge_locked(void);
/* Look at the load if that is due. */
void sched_load(uint64_t now);

/* sched.c. Run whoever is next; the caller has put curthread where it belongs (run queue, sleep
 * queue or neither). Returns when curthread runs again. */
void sched_switch(void);
/* Put td, which is on no queue, at the end of a run queue. */
void sched_runnable(struct thread *td);
/* Td, if it runs on another CPU, is to look at its td_ast. */
void sched_notice(struct thread *td);
/* Td goes before others from now on: who is to die has memory that they wait for. */
void sched_hasten(struct thread *td);
/* Arm the timer for what comes first: a time-out or the end of the slice. */
void sched_arm(void);
/* The same on the CPU c, whose times have changed. */
void sched_arm_cpu(struct sched_cpu *c);

/* sleepq.c. A thread is on a sleep queue from sleepq_add until it is woken; in between it may still
 * run, with interrupts off, to let go of a lock. */
void sleepq_init(void);
void sleepq_add(const void *chan, int flags, uint64_t timeout);
/* Switch away unless woken already; returns what the waker said. */
int sleepq_wait(void);
void sleepq_wake(struct thread *td, int result);
/* The one that has slept longest on chan, or NULL. */
struct thread *sleepq_first(const void *chan);

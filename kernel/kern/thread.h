/*
 * Threads and the scheduler: preemptive round-robin over a run queue for each CPU, and sleep queues
 * hashed by channel. A thread is the kernel's; a process (proc.h) has one or more of them.
 */
#pragma once

#include "kern/types.h"
#include "kern/callout.h"
#include "kern/lock.h"
#include "kern/sigqueue.h"
#include "machine/thread_md.h"
#include <sys/queue.h>

struct proc;
struct trapframe;
struct ucred;

enum td_state { TDS_NEW, TDS_RUNNABLE, TDS_RUNNING, TDS_SLEEPING, TDS_DEAD };

/*
 * How a thread wishes to be scheduled, in the terms of sched(7). One of a real-time policy goes
 * before the others whenever it becomes runnable, by priority; at the end of its slice it queues
 * behind all, so that nobody can keep the CPU to himself. Who is nicer has a shorter slice.
 */
struct schedparam {
	uint8_t policy; /* SCHED_*, of which nobody but programs takes note */
	uint8_t priority; /* 1 to 99: real-time; 0: not */
	int8_t nice; /* -20 to 19 */
	bool reset_on_fork; /* children begin with the usual ones */
};

/* Bits of td_ast: also which sleeps they end (SLEEP_*). */
#define AST_KILL    1u /* its process was killed, or execs in another thread */
#define AST_SIGNAL  4u /* a signal that it does not block waits, or its process stops */
#define AST_SIGMASK 8u /* its mask is to become td_oldmask */
#define AST_TIMER   16u /* its process's timers of CPU time are to be looked at */
#define AST_RESCHED 32u /* its time slice is over */

#define TIMER_SLACK 50000 /* ns: what a thread has if it does not say */
#define KSTACK_SIZE (16ul << 10) /* bytes, with an unmapped guard page below */

/* Locks: (c) constant  (s) the scheduler's lock  (k) only the thread itself  (a) atomic.
 * 16-byte aligned: locks and busy words keep flags in the low bits of a thread's address. */
struct thread {
	TAILQ_ENTRY(thread) td_link; /* (s) run queue or sleep queue */
	TAILQ_ENTRY(thread) td_plink; /* proc lock: the process's threads */
	struct proc *td_proc; /* (k) NULL: a kernel thread, or past its process's end */
	const char *td_name; /* (c) */
	char td_comm[16]; /* proc lock: its name, unless it is the first one of its process */
	uint64_t td_timer_slack; /* (k) ns; told, as all timers are exact */
	int td_tid; /* (c) 0: a kernel thread */
	enum td_state td_state; /* (s) */
	const void *td_wchan; /* (s) what it sleeps on */
	struct callout td_timeout; /* (s) of the sleep */
	int td_sleep_flags; /* (s) */
	int td_sleep_result; /* (s) what the sleep returns */
	uint32_t td_cpu; /* (s) it runs there, did last, or is queued there */
	uint32_t td_cpumask; /* (s) CPUs that it may run on */
	bool td_hasty; /* (s) goes before others: it is on its way out, or the clock thread */
	struct schedparam td_param; /* (s) */
	uint64_t td_runtime; /* (a) ns */
	uint64_t td_majflt,
	    td_minflt; /* (k) as getrusage counts them (P17); others may read them */
	uint32_t td_spin; /* (k) nesting of spinlock_enter */
	uint64_t td_spin_flags; /* (k) interrupt flag to restore */
	uint64_t td_ranks; /* (k) how many locks of each rank it holds, LR_BITS each (INVARIANTS) */
	/* Of the last lock taken of each rank: its name, and where in the source (INVARIANTS). */
	const char *td_rank_name[LR_COUNT]; /* (k) */
	const char *td_rank_place[LR_COUNT]; /* (k) */
	void (*td_fn)(void *); /* (c) what a new thread runs */
	void *td_arg; /* (c) */
	uint32_t td_ast; /* (a) AST_*: what is to be seen to before it returns to user mode */
	uint64_t
	    td_sigmask; /* (k), but changed under the process's lock: signals blocked; bit 0 is 1 */
	uint64_t td_sigwait; /* proc lock: what sigtimedwait lets in, blocked or not */
	uint64_t td_oldmask; /* (k) with AST_SIGMASK: the mask that is to come back */
	uint64_t td_deadline; /* (k) of a sleep that is about to begin again; 0: none */
	struct sigqueue td_sigqueue; /* proc lock: signals that wait for this thread */
	struct ksigstack td_sigstack; /* (k) */
	uint64_t
	    td_clear_tid; /* (k) user address: zero and a futex wake there when it ends; 0: none */
	uint64_t td_robust_list; /* (k) user address of the list of locks it holds; 0: none */
	struct ucred
	    *td_ucred; /* (k) its own reference to the process's, or to what was; may be NULL */
	const struct ucred *td_borrowed; /* (k) what it acts as in place of it, if not NULL */
	struct trapframe *td_frame; /* (k) user registers, at the top of the kernel stack */
	void *td_kstack; /* (c) lowest usable byte */
	struct thread_md td_md; /* (k) machine's: saved stack pointer, FPU state, onfault */
} __aligned_to(16);

/* curthread is the machine's: a load from the per-CPU area (machine/thread_md.h). */
extern struct thread thread0; /* the boot thread; cpu_init makes it curthread */

/* Set up the scheduler's queues and the idle thread. Nothing may sleep before. */
void sched_init(void);
/* The idle thread of another CPU that is about to start, or NULL: no memory. */
struct thread *sched_cpu_prepare(unsigned cpu);
/* That CPU has started, with that thread as curthread and interrupts off: it takes part from now
 * on. */
void sched_cpu_main(void) __noreturn;
/* From the interrupt of cpu_kick. */
void sched_kicked(void);
/* A new thread that will run fn(arg) on its own stack; not runnable yet, nor (p not NULL) among its
 * process's threads. NULL: no memory. */
struct thread *thread_create(struct proc *p, const char *name, void (*fn)(void *), void *arg);
void sched_add(struct thread *td);
/* Takes effect when td is next made runnable or put on the CPU. */
void sched_set(struct thread *td, const struct schedparam *param);
struct schedparam sched_get(struct thread *td);
/* The CPUs that td may run on, bit i: CPU i. At least one of those there are. */
void sched_set_cpus(struct thread *td, uint32_t mask);
uint32_t sched_get_cpus(struct thread *td);
/* Those of a child that td makes. */
struct schedparam sched_inherit(struct thread *td);
/* How long such a thread runs when others wait, ns. */
uint64_t sched_slice(const struct schedparam *param);
/* Undo thread_create for one that never ran. */
void thread_destroy(struct thread *td);
/* Threads that have not ended. */
uint64_t thread_count(void);
/* Ends curthread; another reaps it. */
void thread_exit(void) __noreturn;
/* Free the threads that have ended; the idle thread does, and thread_create before it allocates. */
void thread_reap(void);
/* What the scheduler counts, since boot. */
struct sched_stats {
	uint64_t ss_idle; /* ns in which nobody ran, of all CPUs together */
	uint64_t ss_switches;
	uint32_t ss_load[3]; /* threads that ran or wanted to, averaged over 1, 5, 15 minutes */
	int ss_running; /* now, curthread included */
};
#define LOAD_SHIFT 11
#define LOAD_ONE   (1u << LOAD_SHIFT) /* ss_load of one thread */
void sched_stats(struct sched_stats *s);
/* ns that a CPU has spent so since boot, but for what its thread has since it was last switched. */
struct sched_times {
	uint64_t st_user, st_system, st_idle;
};
struct sched_times sched_times(unsigned cpu);
/* Threads of p, which has timers that count CPU time from now on, look at them (AST_TIMER) now and
 * then. */
void sched_cputimer(struct proc *p);
/* Bring the times of curthread and curproc up to now (otherwise they move when a thread is switched
 * out). */
void sched_charge(void);
/* Give up the CPU; the thread stays runnable. */
void sched_yield(void);
/* From the timer interrupt: expire sleeps, mark the slice over. now: ns since boot. */
void sched_clock(uint64_t now);
/* On the way out of an interrupt or trap, interrupts off: switch if the slice is over. */
void sched_preempt(void);
/* Set bits of td_ast, and end a sleep of td that they may end with EINTR. */
void thread_ast(struct thread *td, uint32_t bits);

/* Interrupts off, nested; what mtx_lock is made of. */
void spinlock_enter(void);
void spinlock_exit(void);

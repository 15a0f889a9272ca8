/*
 * Timers of processes: POSIX's (timer_create) and the three of setitimer, which are the same but
 * for who made them. A timer that is due sends its signal; it counts on only once that has been
 * delivered, and tells how many times it was due meanwhile, so that no timer can flood its process.
 */
#pragma once

#include "kern/signal.h"

enum ptimer_clock {
	PTIMER_REAL, /* ns since boot */
	PTIMER_CPU, /* time that the process has run */
	PTIMER_USER, /* the same in user mode */
	PTIMER_THREAD, /* time that the thread which made it has run */
};
enum ptimer_notify { PTIMER_NONE, PTIMER_SIGNAL, PTIMER_TO_THREAD };

/* What a timer is to be; signal numbers and values are in the siginfo that it sends. */
struct ptimer_spec {
	enum ptimer_clock clock;
	enum ptimer_notify notify;
	int tid; /* PTIMER_TO_THREAD: which */
	bool wall; /* PTIMER_REAL: an absolute time is the wall clock's */
	bool value_is_id; /* what the signal tells is the timer's number */
	struct siginfo info;
};
struct ptimer_time { /* ns; value 0: not armed */
	uint64_t value, interval;
};

/* One of curproc, with a new number, to *id. ENOMEM, EINVAL (no such thread). */
int ptimer_create(const struct ptimer_spec *spec, int *id);
int ptimer_delete(int id); /* EINVAL: no such timer, as of the next three */
/* Arm it for a time from now, or (absolute) on its clock. *old: as ptimer_get. */
int ptimer_set(int id, const struct ptimer_time *t, bool absolute, struct ptimer_time *old);
/* The time until it is due next. */
int ptimer_get(int id, struct ptimer_time *t);
/* How many times more than once it had been due when its signal was delivered last. */
int ptimer_overrun(int id, int *overrun);

/* Curproc's timer of setitimer on that clock, which sends sig. ENOMEM. */
int itimer_set(enum ptimer_clock clock, int sig, const struct ptimer_time *t,
	       struct ptimer_time *old);
void itimer_get(enum ptimer_clock clock, struct ptimer_time *t);

/* Pt's signal is delivered: tell the overrun in *info, and count on. p_lock is write-locked. */
void ptimer_delivered(struct ptimer *pt, struct siginfo *info);
/* AST_TIMER: curproc's timers of CPU time may be due. */
void ptimer_ast(void);
/* P execs: POSIX's go; or ends: all go. */
void ptimer_free_all(struct proc *p, bool itimers);

/*
 * Work for later: one kernel thread runs tasks, one after the other, with no lock held. For what
 * must not be done where it is found to be due, such as a driver's destructor under that driver's
 * own lock.
 */
#pragma once

#include "kern/types.h"
#include <sys/queue.h>

/* The memory is the caller's, and its own again as soon as t_fn is called. */
struct task {
	STAILQ_ENTRY(task) t_link; /* the queue's lock */
	void (*t_fn)(void *arg); /* (c) while queued */
	void *t_arg; /* (c) while queued */
};

/* Start the thread. Tasks queued before wait for it. */
void task_init(void);
/* Have fn(arg) called soon. The task is not queued already; locks may be held, but no spin lock
 * above LR_LEAF. Never fails. */
void task_enqueue(struct task *task, void (*fn)(void *arg), void *arg);

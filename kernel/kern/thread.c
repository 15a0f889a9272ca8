/*
 * Threads: how they begin and end. The dead are kept on a list until somebody who stands on another
 * stack frees them.
 */
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/sleepq.h"
#include "kern/sysctl.h"

struct thread thread0 = {.td_name = "boot", .td_state = TDS_RUNNING, .td_cpumask = ~0u};

static struct threadq dead = TAILQ_HEAD_INITIALIZER(dead); /* sched_lock */
static uint64_t nthreads = 1;
STAT(threads, nthreads);

uint64_t
thread_count(void)
{
	return (nthreads);
}

/* The first switch to a new thread comes here, owning sched_lock as each switch does. */
static void
thread_start(void *arg)
{
	struct thread *td = arg;

	mtx_unlock(&sched_lock);
	td->td_fn(td->td_arg);
	thread_exit();
}

static void
thread_free(struct thread *td)
{
	if (td == &thread0)
		return;
	cpu_thread_free(td);
	cpu_kstack_free(td->td_kstack);
	kfree(td);
}

struct thread *
thread_create(struct proc *p, const char *name, void (*fn)(void *), void *arg)
{
	struct thread *td;

	thread_reap();
	td = kmalloc(sizeof(*td), M_ZERO);
	if (td == NULL)
		return (NULL);
	td->td_proc = p;
	td->td_name = name;
	td->td_fn = fn;
	td->td_arg = arg;
	td->td_timer_slack = TIMER_SLACK;
	td->td_cpu = cpu_id();
	td->td_cpumask = ~0u;
	sigqueue_init(&td->td_sigqueue);
	td->td_sigstack.ss_flags = SS_DISABLE;
	/* As if it had taken sched_lock and switched away, interrupts having been on. */
	td->td_spin = 1;
	td->td_spin_flags = 1;
	td->td_ranks = 1ul << LR_SCHED * LR_BITS;
	td->td_kstack = cpu_kstack_alloc();
	if (td->td_kstack == NULL || cpu_thread_setup(td, thread_start, td) != 0) {
		if (td->td_kstack != NULL)
			cpu_kstack_free(td->td_kstack);
		kfree(td);
		return (NULL);
	}
	__atomic_fetch_add(&nthreads, 1, __ATOMIC_RELAXED);
	return (td);
}

void
thread_destroy(struct thread *td)
{
	__atomic_fetch_sub(&nthreads, 1, __ATOMIC_RELAXED);
	thread_free(td);
}

void
thread_exit(void)
{
	struct thread *td = curthread;

	KASSERT(td->td_proc == NULL, ("%s ends without leaving its process", td->td_name));
	__atomic_fetch_sub(&nthreads, 1, __ATOMIC_RELAXED);
	/* Nobody can reap it before sched_lock is free, and by then another thread runs. */
	mtx_lock(&sched_lock);
	td->td_state = TDS_DEAD;
	TAILQ_INSERT_TAIL(&dead, td, td_link);
	sched_switch();
	panic("%s runs after its end", td->td_name);
}

void
thread_reap(void)
{
	struct thread *td;

	for (;;) {
		mtx_lock(&sched_lock);
		td = TAILQ_FIRST(&dead);
		if (td != NULL)
			TAILQ_REMOVE(&dead, td, td_link);
		mtx_unlock(&sched_lock);
		if (td == NULL)
			return;
		thread_free(td);
	}
}

bool
thread_killed(void)
{
	return ((curthread->td_ast & AST_KILL) != 0);
}

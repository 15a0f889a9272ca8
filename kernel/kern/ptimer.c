/*
 * Timers of processes. Those of real time are callouts; those of CPU time are looked at by the
 * threads that use it, every CPU_TICK_NS (sched.c).
 *
 * What setitimer arms is a timer with a number of its own below 0.
 */
#include "kern/ptimer.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/sysctl.h"

#define ITIMER_ID(clock) (-1 - (int)(clock))

/* Locks: (c) constant  (p) p_lock */
struct ptimer {
	LIST_ENTRY(ptimer) pt_link; /* (p) */
	struct proc *pt_proc; /* (c) */
	int pt_id; /* (c) */
	int pt_tid; /* (c) PTIMER_TO_THREAD, PTIMER_THREAD: which thread */
	enum ptimer_clock pt_clock; /* (c) */
	enum ptimer_notify pt_notify; /* (c) */
	bool pt_wall; /* (c) */
	struct ptimer_time pt_time; /* (p) when it is due, on its clock; 0: not armed */
	int pt_overrun; /* (p) */
	struct ksiginfo pt_ksi; /* (p) */
	struct callout pt_callout; /* own lock */
};

static uint64_t nptimers; /* (a) */
STAT(ptimers, nptimers);

/* What its clock says; that of a thread that has ended stands. */
static uint64_t
clock_now(struct ptimer *pt)
{
	struct proc *p = pt->pt_proc;
	struct thread *td;

	switch (pt->pt_clock) {
	case PTIMER_REAL:
		return (cpu_now());
	case PTIMER_CPU:
		return (p->p_utime + p->p_stime);
	case PTIMER_USER:
		return (p->p_utime);
	case PTIMER_THREAD:
		td = proc_thread(pt->pt_proc, pt->pt_tid);
		return (td != NULL ? td->td_runtime : 0);
	}
	return (0);
}

static void expired(struct callout *c);

/* Due at pt_time.value, or not at all. */
static void
arm(struct ptimer *pt)
{
	if (pt->pt_clock == PTIMER_REAL && pt->pt_time.value != 0)
		callout_reset(&pt->pt_callout, pt->pt_time.value, expired);
	else if (pt->pt_clock == PTIMER_REAL)
		callout_stop(&pt->pt_callout);
	else if (pt->pt_time.value != 0)
		sched_cputimer(pt->pt_proc);
}

/* Past now, by whole intervals; returns how many. */
static uint64_t
forward(struct ptimer *pt, uint64_t now)
{
	struct ptimer_time *t = &pt->pt_time;
	uint64_t n;

	if (t->value == 0 || t->interval == 0 || now < t->value)
		return (0);
	n = (now - t->value) / t->interval + 1;
	t->value += n * t->interval;
	return (n);
}

/* Pt is due: its signal goes out, unless it is on its way already. It counts on when that is
 * delivered, or now, if nobody wants it. */
static void
fire(struct ptimer *pt, uint64_t now)
{
	struct thread *td =
	    pt->pt_notify == PTIMER_TO_THREAD ? proc_thread(pt->pt_proc, pt->pt_tid) : NULL;

	rw_assert_wlocked(&pt->pt_proc->p_lock);
	if (pt->pt_ksi.ksi_queue != NULL)
		return;
	if (pt->pt_notify == PTIMER_SIGNAL || td != NULL)
		signal_post_timer(pt->pt_proc, td, &pt->pt_ksi);
	if (pt->pt_time.interval == 0)
		pt->pt_time.value = 0;
	else if (pt->pt_ksi.ksi_queue == NULL && forward(pt, now) > 0 &&
		 pt->pt_notify != PTIMER_NONE)
		arm(pt);
}

/* The clock thread's. */
static void
expired(struct callout *c)
{
	struct ptimer *pt = container_of(c, struct ptimer, pt_callout);
	uint64_t now = cpu_now();

	rw_wlock(&pt->pt_proc->p_lock);
	if (pt->pt_time.value != 0 && pt->pt_time.value <= now)
		fire(pt, now);
	rw_unlock(&pt->pt_proc->p_lock);
}

void
ptimer_delivered(struct ptimer *pt, struct siginfo *info)
{
	uint64_t n = forward(pt, clock_now(pt));

	rw_assert_wlocked(&pt->pt_proc->p_lock);
	pt->pt_overrun = MIN(n > 0 ? n - 1 : 0, INT32_MAX);
	if (info->si_code == SI_TIMER)
		info->si_overrun = pt->pt_overrun;
	if (n > 0)
		arm(pt);
}

/* A thread's timer is looked at when any thread of the process is. */
void
ptimer_ast(void)
{
	struct proc *p = curproc;
	struct ptimer *pt;
	bool more = false;
	uint64_t now;
	int sig;

	__atomic_fetch_and(&curthread->td_ast, ~AST_TIMER, __ATOMIC_RELAXED);
	sched_charge();
	rw_wlock(&p->p_lock);
	LIST_FOREACH (pt, &p->p_ptimers, pt_link) {
		if (pt->pt_clock == PTIMER_REAL || pt->pt_time.value == 0)
			continue;
		now = clock_now(pt);
		if (pt->pt_time.value <= now)
			fire(pt, now);
		more |= pt->pt_time.value != 0;
	}
	p->p_cputimers = lim_cpu(p, &sig) || more;
	rw_unlock(&p->p_lock);
	if (sig != 0)
		signal_send(p, NULL, sig);
}

/* --- what programs ask for -------------------------------------------------------------------- */

static struct ptimer *
find(struct proc *p, int id)
{
	struct ptimer *pt;

	rw_assert_locked(&p->p_lock);
	LIST_FOREACH (pt, &p->p_ptimers, pt_link)
		if (pt->pt_id == id)
			break;
	return (pt);
}

static struct ptimer *
make(struct proc *p, const struct ptimer_spec *spec)
{
	struct ptimer *pt = kmalloc(sizeof(*pt), M_ZERO);

	if (pt == NULL)
		return (NULL);
	__atomic_fetch_add(&nptimers, 1, __ATOMIC_RELAXED);
	pt->pt_proc = p;
	pt->pt_tid = spec->notify == PTIMER_TO_THREAD ? spec->tid : curthread->td_tid;
	pt->pt_clock = spec->clock;
	pt->pt_notify = spec->notify;
	pt->pt_wall = spec->wall;
	pt->pt_ksi.ksi_info = spec->info;
	pt->pt_ksi.ksi_timer = pt;
	return (pt);
}

int
ptimer_create(const struct ptimer_spec *spec, int *id)
{
	struct proc *p = curproc;
	struct ptimer *pt = make(p, spec);

	if (pt == NULL)
		return (ENOMEM);
	rw_wlock(&p->p_lock);
	pt->pt_id = *id = p->p_next_timer;
	p->p_next_timer = (p->p_next_timer + 1) & INT32_MAX;
	pt->pt_ksi.ksi_info.si_timerid = *id;
	if (spec->value_is_id)
		pt->pt_ksi.ksi_info.si_timer_value = (uint32_t)*id;
	LIST_INSERT_HEAD(&p->p_ptimers, pt, pt_link);
	rw_unlock(&p->p_lock);
	return (0);
}

/* It is in no list any more, and its signal is not sent. */
static void
destroy(struct ptimer *pt)
{
	callout_drain(&pt->pt_callout);
	kfree(pt);
	__atomic_fetch_sub(&nptimers, 1, __ATOMIC_RELAXED);
}

static void
unlink_timer(struct ptimer *pt)
{
	rw_assert_wlocked(&pt->pt_proc->p_lock);
	pt->pt_time.value = 0;
	LIST_REMOVE(pt, pt_link);
	signal_forget_timer(&pt->pt_ksi);
}

int
ptimer_delete(int id)
{
	struct proc *p = curproc;
	struct ptimer *pt;

	rw_wlock(&p->p_lock);
	pt = id >= 0 ? find(p, id) : NULL;
	if (pt != NULL)
		unlink_timer(pt);
	rw_unlock(&p->p_lock);
	if (pt == NULL)
		return (EINVAL);
	destroy(pt);
	return (0);
}

void
ptimer_free_all(struct proc *p, bool itimers)
{
	struct ptimer *pt, *next;

	rw_wlock(&p->p_lock);
	for (pt = LIST_FIRST(&p->p_ptimers); pt != NULL; pt = next) {
		next = LIST_NEXT(pt, pt_link);
		if (pt->pt_id < 0 && !itimers)
			continue;
		unlink_timer(pt);
		rw_unlock(&p->p_lock);
		destroy(pt);
		rw_wlock(&p->p_lock);
		next = LIST_FIRST(&p->p_ptimers);
	}
	rw_unlock(&p->p_lock);
}

static void
get(struct ptimer *pt, struct ptimer_time *t)
{
	uint64_t now = clock_now(pt);

	if (pt->pt_ksi.ksi_queue != NULL || pt->pt_notify == PTIMER_NONE)
		forward(pt, now);
	*t = pt->pt_time;
	if (t->value == 0)
		return;
	/* One that is due any moment is armed still; but of a signal nobody waits for. */
	t->value = t->value > now ? t->value - now : pt->pt_notify != PTIMER_NONE;
}

static void
set(struct ptimer *pt, const struct ptimer_time *t, bool absolute)
{
	uint64_t boot = clock_wall() - cpu_now();

	pt->pt_time = *t;
	if (t->value != 0 && absolute && pt->pt_wall)
		pt->pt_time.value = t->value > boot ? t->value - boot : 1;
	if (t->value != 0 && !absolute &&
	    __builtin_add_overflow(clock_now(pt), t->value, &pt->pt_time.value))
		pt->pt_time.value = INT64_MAX;
	pt->pt_overrun = 0;
	if (pt->pt_notify != PTIMER_NONE)
		arm(pt);
}

int
ptimer_set(int id, const struct ptimer_time *t, bool absolute, struct ptimer_time *old)
{
	struct proc *p = curproc;
	struct ptimer *pt;

	sched_charge();
	rw_wlock(&p->p_lock);
	pt = id >= 0 ? find(p, id) : NULL;
	if (pt != NULL) {
		get(pt, old);
		signal_forget_timer(&pt->pt_ksi);
		set(pt, t, absolute);
	}
	rw_unlock(&p->p_lock);
	return (pt != NULL ? 0 : EINVAL);
}

/* What find has of curproc's, if anything. */
static bool
read_timer(int id, struct ptimer_time *t)
{
	struct proc *p = curproc;
	struct ptimer *pt;

	sched_charge();
	rw_wlock(&p->p_lock);
	pt = find(p, id);
	if (pt != NULL)
		get(pt, t);
	rw_unlock(&p->p_lock);
	return (pt != NULL);
}

int
ptimer_get(int id, struct ptimer_time *t)
{
	return (id >= 0 && read_timer(id, t) ? 0 : EINVAL);
}

int
ptimer_overrun(int id, int *overrun)
{
	struct proc *p = curproc;
	struct ptimer *pt;

	rw_rlock(&p->p_lock);
	pt = id >= 0 ? find(p, id) : NULL;
	if (pt != NULL)
		*overrun = pt->pt_overrun;
	rw_unlock(&p->p_lock);
	return (pt != NULL ? 0 : EINVAL);
}

/* --- setitimer -------------------------------------------------------------------------------- */

int
itimer_set(enum ptimer_clock clock, int sig, const struct ptimer_time *t, struct ptimer_time *old)
{
	const struct ptimer_spec spec = {
	    .clock = clock,
	    .notify = PTIMER_SIGNAL,
	    .info = {.si_signo = sig, .si_code = SI_KERNEL},
	};
	struct proc *p = curproc;
	struct ptimer *pt, *new = make(p, &spec);

	if (new == NULL)
		return (ENOMEM);
	new->pt_id = ITIMER_ID(clock);
	sched_charge();
	rw_wlock(&p->p_lock);
	*old = (struct ptimer_time){0};
	pt = find(p, new->pt_id);
	if (pt != NULL)
		get(pt, old);
	else
		LIST_INSERT_HEAD(&p->p_ptimers, pt = new, pt_link);
	set(pt, t, false);
	rw_unlock(&p->p_lock);
	if (pt != new)
		destroy(new);
	return (0);
}

void
itimer_get(enum ptimer_clock clock, struct ptimer_time *t)
{
	*t = (struct ptimer_time){0};
	read_timer(ITIMER_ID(clock), t);
}

/*
 * The scheduler: one run queue, round robin, and the timer that preempts. The timer is armed only
 * for the earliest time-out or, while more than one thread could run, for the end of the slice.
 *
 * sched_lock is held across a switch: who resumes is its owner from then on and lets go of it.
 */
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/sleepq.h"
#include "kern/trace.h"

#define SLICE_NS    10000000ul /* 10 ms, of one that is not nice */
#define NICE_MAX    20
#define CPU_TICK_NS 1000000ul /* how often timers of CPU time are looked at */
#define LOAD_NS     5000000000ul /* how often the load is looked at: 5 s */

struct mtx sched_lock = MTX_INITIALIZER("scheduler", LR_SCHED);

/* All under sched_lock. */
static struct threadq runq = TAILQ_HEAD_INITIALIZER(runq); /* runnable, but for the idle thread */
static struct thread *idle; /* runs when nobody else can; never queued */
static uint64_t slice_end; /* of the running thread; 0: nobody else wants the CPU */
static uint64_t armed_at; /* what the timer was told */
static uint64_t tick_at; /* the running thread looks at its timers then; 0: it has none */
static struct sched_stats stats; /* but ss_running */
static uint64_t load_at = LOAD_NS; /* when the load is to be looked at next */

/* An interrupt may make a thread runnable at any time: its way out (sched_preempt) or the yield
 * below switches to it, and cpu_idle does not sleep through one that is pending. */
static void
idle_main(void *arg)
{
	(void)arg;
	for (;;) {
		thread_reap();
		cpu_intr_disable();
		if (TAILQ_EMPTY(&runq))
			cpu_idle();
		cpu_intr_enable();
		sched_yield();
	}
}

void
sched_init(void)
{
	sleepq_init();
	idle = thread_create(NULL, "idle", idle_main, NULL);
	if (idle == NULL)
		panic("no memory for the idle thread");
}

void
sched_arm(void)
{
	uint64_t at = callout_next();

	if (at == 0 || (slice_end != 0 && slice_end < at))
		at = slice_end;
	if (at == 0 || (tick_at != 0 && tick_at < at))
		at = tick_at;
	if (at != armed_at)
		cpu_timer_arm(armed_at = at);
}

/* What ran since the last time goes to curthread's account, and its process's. */
static void
charge(void)
{
	struct thread *td = curthread;
	struct proc *p = td->td_proc;
	uint64_t user, system;

	cpu_take_times(&user, &system);
	__atomic_fetch_add(&td->td_runtime, user + system, __ATOMIC_RELAXED);
	if (td == idle)
		stats.ss_idle += user + system;
	else
		stats.ss_user += user;
	if (p == NULL)
		return;
	__atomic_fetch_add(&p->p_utime, user, __ATOMIC_RELAXED);
	__atomic_fetch_add(&p->p_stime, system, __ATOMIC_RELAXED);
}

void
sched_charge(void)
{
	mtx_lock(&sched_lock);
	charge();
	mtx_unlock(&sched_lock);
}

void
sched_cputimer(struct proc *p)
{
	mtx_lock(&sched_lock);
	p->p_cputimers = true;
	if (p == curproc && tick_at == 0) {
		tick_at = cpu_now() + CPU_TICK_NS;
		sched_arm();
	}
	mtx_unlock(&sched_lock);
}

uint64_t
sched_slice(const struct schedparam *param)
{
	return (SLICE_NS / NICE_MAX * (uint64_t)(NICE_MAX - param->nice));
}

void
sched_set(struct thread *td, const struct schedparam *param)
{
	mtx_lock(&sched_lock);
	td->td_param = *param;
	mtx_unlock(&sched_lock);
}

struct schedparam
sched_get(struct thread *td)
{
	struct schedparam param;

	mtx_lock(&sched_lock);
	param = td->td_param;
	mtx_unlock(&sched_lock);
	return (param);
}

struct schedparam
sched_inherit(struct thread *td)
{
	struct schedparam param = sched_get(td);

	if (!param.reset_on_fork)
		return (param);
	return ((struct schedparam){.nice = param.priority > 0 ? 0 : MAX(param.nice, 0)});
}

static int
running(void)
{
	int n = curthread != idle && curthread->td_state == TDS_RUNNING ? 1 : 0;
	struct thread *td;

	TAILQ_FOREACH (td, &runq, td_link)
		n++;
	return (n);
}

/* A look at the load that is due. There may be more than one: between two switches all was as it
 * is. Linux's averages, that decay by e^(-5/60), e^(-5/300) and e^(-5/900) each time. */
static void __attribute__((noinline, cold)) load_sample(uint64_t now)
{
	static const uint32_t keep[3] = {1884, 2014, 2037}; /* of LOAD_ONE */
	uint64_t looks = MIN((now - load_at) / LOAD_NS + 1, 4096ul);
	uint32_t n = (uint32_t)running();

	load_at += ((now - load_at) / LOAD_NS + 1) * LOAD_NS;
	while (looks-- > 0)
		for (int i = 0; i < 3; i++)
			stats.ss_load[i] =
			    (stats.ss_load[i] * keep[i] + n * LOAD_ONE * (LOAD_ONE - keep[i])) >>
			    LOAD_SHIFT;
}

void
sched_stats(struct sched_stats *s)
{
	uint64_t now;

	mtx_lock(&sched_lock);
	now = cpu_now();
	if (now >= load_at)
		load_sample(now);
	*s = stats;
	s->ss_running = running();
	mtx_unlock(&sched_lock);
}

static void
runq_insert(struct thread *td)
{
	if (td->td_hasty)
		TAILQ_INSERT_HEAD(&runq, td, td_link);
	else
		TAILQ_INSERT_TAIL(&runq, td, td_link);
}

/* The same for one that has just become runnable: a real-time thread goes before those of lower
 * priority, the one that runs included. */
static void
runq_insert_new(struct thread *td)
{
	uint8_t priority = td->td_param.priority;
	struct thread *other = NULL;

	if (priority > 0 && !td->td_hasty) {
		if (curthread->td_param.priority < priority)
			curthread->td_resched = true;
		TAILQ_FOREACH (other, &runq, td_link)
			if (!other->td_hasty && other->td_param.priority < priority)
				break;
	}
	if (other != NULL)
		TAILQ_INSERT_BEFORE(other, td, td_link);
	else
		runq_insert(td);
}

void
sched_runnable(struct thread *td)
{
	mtx_assert_owned(&sched_lock);
	td->td_state = TDS_RUNNABLE;
	runq_insert_new(td);
	if (curthread == idle || td->td_hasty) {
		curthread->td_resched = true;
	} else if (slice_end == 0) {
		slice_end = cpu_now() + sched_slice(&curthread->td_param);
		sched_arm();
	}
}

void
sched_hasten(struct thread *td)
{
	mtx_assert_owned(&sched_lock);
	td->td_hasty = true;
	if (td->td_state != TDS_RUNNABLE || td == idle)
		return;
	TAILQ_REMOVE(&runq, td, td_link);
	TAILQ_INSERT_HEAD(&runq, td, td_link);
}

void
sched_add(struct thread *td)
{
	mtx_lock(&sched_lock);
	sched_runnable(td);
	mtx_unlock(&sched_lock);
}

void
sched_switch(void)
{
	struct thread *from = curthread, *to = TAILQ_FIRST(&runq);
	uint64_t now = cpu_now();

	mtx_assert_owned(&sched_lock);
	if (__predict_false(now >= load_at))
		load_sample(now);
	if (to != NULL)
		TAILQ_REMOVE(&runq, to, td_link);
	else
		to = idle;
	KASSERT(to != NULL, ("%s sleeps before the scheduler is up", from->td_name));
	charge();
	from->td_resched = false;
	to->td_state = TDS_RUNNING;
	slice_end = TAILQ_EMPTY(&runq) ? 0 : now + sched_slice(&to->td_param);
	tick_at = to->td_proc != NULL && to->td_proc->p_cputimers ? now + CPU_TICK_NS : 0;
	sched_arm();
	if (to == from)
		return;
	TRACE(TR_SWITCH, (uint64_t)to->td_tid,
	      to->td_proc != NULL ? (uint64_t)to->td_proc->p_pid : 0);
	stats.ss_switches++;
	sched_lock.mtx_owner = (uintptr_t)to;
	cpu_switch(from, to);
}

void
sched_yield(void)
{
	struct thread *td = curthread;

	mtx_lock(&sched_lock);
	td->td_state = TDS_RUNNABLE;
	if (td != idle)
		runq_insert(td);
	sched_switch();
	mtx_unlock(&sched_lock);
}

void
sched_clock(uint64_t now)
{
	mtx_lock(&sched_lock);
	armed_at = 0;
	callout_expire(now);
	if (slice_end != 0 && slice_end <= now) {
		slice_end = 0;
		curthread->td_resched = true;
	}
	if (tick_at != 0 && tick_at <= now) {
		tick_at = curproc != NULL && curproc->p_cputimers ? now + CPU_TICK_NS : 0;
		__atomic_fetch_or(&curthread->td_ast, tick_at != 0 ? AST_TIMER : 0,
				  __ATOMIC_RELAXED);
	}
	sched_arm();
	mtx_unlock(&sched_lock);
}

void
sched_preempt(void)
{
	struct thread *td = curthread;

	if (td->td_resched && td->td_spin == 0 && !panicking)
		sched_yield();
}

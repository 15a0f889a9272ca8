/*
 * The scheduler: a run queue for each CPU, round robin, and the timer that preempts. A CPU's timer is
 * armed only for the earliest time-out, if it is the one that sees to these, or for the end of the
 * slice while more than one thread could run on it.
 *
 * A thread that becomes runnable goes to an idle CPU if it may run there, best where it ran last, or
 * else to the queue of that one; a CPU with nothing to do takes from others' queues; and at the end
 * of its slice a thread goes to the shortest queue. One lock for all of it: a queue is a few entries
 * long, and is held for as long as it takes to move a thread.
 *
 * sched_lock is held across a switch: who resumes is its owner from then on and lets go of it.
 */
#include "kern/jitter.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/sleepq.h"
#include "kern/trace.h"

#define SLICE_NS 10000000ul /* 10 ms, of one that is not nice */
#define NICE_MAX 20

struct mtx sched_lock = MTX_INITIALIZER("scheduler", LR_SCHED);
struct sched_cpu sched_cpus[MAXCPU];

/* All under sched_lock. */
static uint32_t running_mask = 1; /* CPUs that take part */
static uint32_t idle_mask; /* those of them that have nothing to do */
static struct sched_cpu *clock_cpu; /* whose timer is armed for the next time-out */
static uint64_t clock_at; /* what for; 0: none */

static inline struct sched_cpu *
this_cpu(void)
{
	return (&sched_cpus[cpu_id()]);
}

/* --- CPUs --------------------------------------------------------------------------------------- */

/* An interrupt may make a thread runnable at any time: its way out (sched_preempt) or the yield
 * below switches to it, and cpu_idle does not sleep through one that is pending. */
static void
idle_main(void *arg __unused)
{
	struct sched_cpu *c = this_cpu();

	for (;;) {
		thread_reap();
		cpu_intr_disable();
		if (c->sc_queued == 0)
			cpu_idle();
		cpu_intr_enable();
		sched_yield();
	}
}

struct thread *
sched_cpu_prepare(unsigned cpu)
{
	struct sched_cpu *c = &sched_cpus[cpu];
	struct thread *td = thread_create(NULL, "idle", idle_main, NULL);

	if (td == NULL)
		return (NULL);
	TAILQ_INIT(&c->sc_queue);
	c->sc_id = cpu;
	c->sc_bit = 1u << cpu;
	td->td_cpu = cpu;
	td->td_cpumask = 1u << cpu;
	c->sc_idle = td;
	return (td);
}

void
sched_init(void)
{
	sleepq_init();
	if (sched_cpu_prepare(0) == NULL)
		panic("no memory for the idle thread");
	sched_cpus[0].sc_thread = &thread0;
}

void
sched_cpu_main(void)
{
	struct thread *td = curthread;
	struct sched_cpu *c = this_cpu();

	td->td_spin = 0; /* thread_create prepared it for a switch that does not happen */
	td->td_ranks = 0;
	mtx_lock(&sched_lock);
	td->td_state = TDS_RUNNING;
	c->sc_thread = td;
	running_mask |= c->sc_bit;
	idle_mask |= c->sc_bit;
	mtx_unlock(&sched_lock);
	cpu_intr_enable();
	td->td_fn(td->td_arg);
	panic("the idle thread ended");
}

/* --- the timer ---------------------------------------------------------------------------------- */

/* The earlier of two times, either of which may be 0: never. */
static inline uint64_t
earlier(uint64_t a, uint64_t b)
{
	return (a == 0 || (b != 0 && b < a) ? b : a);
}

/* When a timer that jitters rings: in 4 us to 1 ms, the shorter the likelier. */
static uint64_t __slow_path
odd_moment(void)
{
	return (cpu_now() + (4096ul << jitter_below(9)) + jitter_below(4096));
}

/* c is this CPU. */
static inline void
arm(struct sched_cpu *c)
{
	uint64_t at = earlier(c->sc_slice_end, c->sc_tick_at), next = callout_next();

	/* Whoever brings a time-out that is earlier than others know of sees to it. */
	if (clock_cpu == c || (next != 0 && (clock_at == 0 || next < clock_at))) {
		clock_cpu = c;
		clock_at = next;
		at = earlier(at, next);
	}
	if (__predict_false(jitter_on) && c->sc_armed_at == 0 && c->sc_thread != c->sc_idle)
		at = earlier(at, odd_moment());
	/* One that rings too early costs less than to take it back each time. */
	if (at != 0 && (c->sc_armed_at == 0 || at < c->sc_armed_at))
		cpu_timer_arm(c->sc_armed_at = at);
}

void
sched_arm(void)
{
	mtx_assert_owned(&sched_lock);
	arm(this_cpu());
}

void
sched_arm_cpu(struct sched_cpu *c)
{
	mtx_assert_owned(&sched_lock);
	if (c->sc_id == cpu_id())
		arm(c);
	else
		cpu_kick(c->sc_id);
}

void
sched_kicked(void)
{
	mtx_lock(&sched_lock);
	sched_arm();
	mtx_unlock(&sched_lock);
}

/* The thread that runs on c is to let others run. */
static void
resched(struct sched_cpu *c)
{
	__atomic_fetch_or(&c->sc_thread->td_ast, AST_RESCHED, __ATOMIC_RELAXED);
	if (c->sc_id != cpu_id())
		cpu_kick(c->sc_id);
}

void
sched_clock(uint64_t now)
{
	struct sched_cpu *c;

	mtx_lock(&sched_lock);
	c = this_cpu();
	c->sc_armed_at = 0;
	callout_expire(now);
	if (c->sc_slice_end != 0 && c->sc_slice_end <= now) {
		c->sc_slice_end = 0;
		resched(c);
	}
	if (c->sc_queued != 0 && jitter_one_in(2))
		resched(c);
	if (c->sc_tick_at != 0 && c->sc_tick_at <= now) {
		c->sc_tick_at = curproc != NULL && curproc->p_cputimers ? now + CPU_TICK_NS : 0;
		__atomic_fetch_or(&curthread->td_ast, c->sc_tick_at != 0 ? AST_TIMER : 0,
				  __ATOMIC_RELAXED);
	}
	sched_arm();
	mtx_unlock(&sched_lock);
}

/* --- parameters --------------------------------------------------------------------------------- */

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

/* --- run queues --------------------------------------------------------------------------------- */

static void
queue_insert(struct sched_cpu *c, struct thread *td, struct thread *before)
{
	td->td_cpu = c->sc_id;
	c->sc_queued++;
	if (before != NULL)
		TAILQ_INSERT_BEFORE(before, td, td_link);
	else if (td->td_hasty || jitter_one_in(4))
		TAILQ_INSERT_HEAD(&c->sc_queue, td, td_link);
	else
		TAILQ_INSERT_TAIL(&c->sc_queue, td, td_link);
}

static void
queue_remove(struct thread *td)
{
	struct sched_cpu *c = &sched_cpus[td->td_cpu];

	TAILQ_REMOVE(&c->sc_queue, td, td_link);
	c->sc_queued--;
}

/* The first of those that wait for other CPUs that may run on c; NULL: none. */
static struct thread *__slow_path
steal(struct sched_cpu *c)
{
	unsigned n = cpu_count();
	struct thread *td;

	for (unsigned i = 1; i < n; i++) {
		TAILQ_FOREACH (td, &sched_cpus[(cpu_id() + i) % n].sc_queue, td_link)
			if ((td->td_cpumask & c->sc_bit) != 0)
				return (td);
	}
	return (NULL);
}

/* Who runs next on c, off its queue. */
static struct thread *
take_next(struct sched_cpu *c)
{
	struct thread *td = TAILQ_FIRST(&c->sc_queue);

	if (td == NULL && running_mask != 1)
		td = steal(c);
	if (td == NULL)
		return (c->sc_idle);
	queue_remove(td);
	return (td);
}

/* Where a thread that has become runnable goes. */
static struct sched_cpu *
choose(const struct thread *td)
{
	uint32_t may = td->td_cpumask & running_mask, idle = may & idle_mask,
		 last = 1u << td->td_cpu;

	if ((may & last) != 0 && (idle == 0 || (idle & last) != 0))
		return (&sched_cpus[td->td_cpu]);
	return (&sched_cpus[__builtin_ctz(idle != 0 ? idle : may)]);
}

/* The queue that td, whose slice is over, goes to the end of. */
static struct sched_cpu *
shortest(const struct thread *td)
{
	uint32_t may = td->td_cpumask & running_mask;
	struct sched_cpu *best = NULL, *c = &sched_cpus[td->td_cpu];

	if ((may & c->sc_bit) != 0)
		best = c;
	for (may &= ~c->sc_bit; may != 0; may &= may - 1) {
		c = &sched_cpus[__builtin_ctz(may)];
		if (best == NULL || c->sc_queued < best->sc_queued)
			best = c;
	}
	return (best);
}

/* Somebody waits for c, which has somebody running: until the end of his slice. */
static void
slice_begin(struct sched_cpu *c)
{
	if (c->sc_slice_end != 0)
		return;
	c->sc_slice_end = cpu_now() + sched_slice(&c->sc_thread->td_param);
	sched_arm_cpu(c);
}

/* Whom td, a real-time thread, goes before on c; NULL: nobody. */
static struct thread *
first_below(const struct sched_cpu *c, const struct thread *td)
{
	struct thread *other;

	TAILQ_FOREACH (other, &c->sc_queue, td_link)
		if (!other->td_hasty && other->td_param.priority < td->td_param.priority)
			break;
	return (other);
}

void
sched_runnable(struct thread *td)
{
	struct sched_cpu *c = choose(td);
	uint8_t priority = td->td_param.priority;
	bool real_time = priority > 0 && !td->td_hasty;

	mtx_assert_owned(&sched_lock);
	td->td_state = TDS_RUNNABLE;
	queue_insert(c, td, real_time ? first_below(c, td) : NULL);
	if ((idle_mask & c->sc_bit) != 0) {
		idle_mask &= ~c->sc_bit; /* the next one goes elsewhere */
		resched(c);
	} else if (td->td_hasty || (real_time && c->sc_thread->td_param.priority < priority)) {
		resched(c);
	} else {
		slice_begin(c);
	}
}

void
sched_hasten(struct thread *td)
{
	struct sched_cpu *c = &sched_cpus[td->td_cpu];

	mtx_assert_owned(&sched_lock);
	td->td_hasty = true;
	if (td->td_state != TDS_RUNNABLE)
		return;
	queue_remove(td);
	queue_insert(c, td, TAILQ_FIRST(&c->sc_queue));
}

void
sched_notice(struct thread *td)
{
	mtx_assert_owned(&sched_lock);
	if (td->td_state == TDS_RUNNING && td->td_cpu != cpu_id())
		cpu_kick(td->td_cpu);
}

void
sched_add(struct thread *td)
{
	mtx_lock(&sched_lock);
	sched_runnable(td);
	mtx_unlock(&sched_lock);
}

void
sched_set_cpus(struct thread *td, uint32_t mask)
{
	bool move;

	mtx_lock(&sched_lock);
	td->td_cpumask = mask;
	move = (mask & running_mask & 1u << td->td_cpu) == 0;
	if (move && td->td_state == TDS_RUNNABLE) {
		queue_remove(td);
		sched_runnable(td);
	} else if (move && td->td_state == TDS_RUNNING) {
		resched(&sched_cpus[td->td_cpu]);
	}
	mtx_unlock(&sched_lock);
}

uint32_t
sched_get_cpus(struct thread *td)
{
	uint32_t mask;

	mtx_lock(&sched_lock);
	mask = td->td_cpumask & running_mask;
	mtx_unlock(&sched_lock);
	return (mask);
}

/* --- switching ---------------------------------------------------------------------------------- */

void
sched_switch(void)
{
	struct thread *from = curthread, *to;
	struct sched_cpu *c = this_cpu();
	uint64_t now = cpu_now();

	mtx_assert_owned(&sched_lock);
	sched_load(now);
	to = take_next(c);
	KASSERT(to != NULL, ("%s sleeps before the scheduler is up", from->td_name));
	sched_charge_locked();
	__atomic_fetch_and(&from->td_ast, ~AST_RESCHED, __ATOMIC_RELAXED);
	to->td_state = TDS_RUNNING;
	to->td_cpu = c->sc_id;
	c->sc_thread = to;
	idle_mask = (idle_mask & ~c->sc_bit) | (to == c->sc_idle ? c->sc_bit : 0);
	c->sc_slice_end = c->sc_queued == 0 ? 0 : now + sched_slice(&to->td_param);
	c->sc_tick_at = to->td_proc != NULL && to->td_proc->p_cputimers ? now + CPU_TICK_NS : 0;
	arm(c);
	if (to == from)
		return;
	TRACE(TR_SWITCH, (uint64_t)to->td_tid,
	      to->td_proc != NULL ? (uint64_t)to->td_proc->p_pid : 0);
	c->sc_switches++;
	sched_lock.mtx_owner = (uintptr_t)to;
	cpu_switch(from, to);
}

void
sched_yield(void)
{
	struct thread *td = curthread;
	struct sched_cpu *c, *to;

	mtx_lock(&sched_lock);
	c = this_cpu();
	td->td_state = TDS_RUNNABLE;
	if (td != c->sc_idle) {
		to = shortest(td);
		queue_insert(to, td, NULL);
		if (to != c && (idle_mask & to->sc_bit) != 0)
			resched(to);
		else if (to != c)
			slice_begin(to);
	}
	sched_switch();
	mtx_unlock(&sched_lock);
}

void
sched_preempt(void)
{
	struct thread *td = curthread;

	if ((td->td_ast & AST_RESCHED) != 0 && td->td_spin == 0 && !panicking)
		sched_yield();
}

/*
 * What the scheduler counts: who used how much time, how many wanted to run, and the threads whose
 * processes have timers of CPU time.
 */
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/sleepq.h"

#define LOAD_NS 5000000000ul /* how often the load is looked at: 5 s */

/* Both under sched_lock. */
static uint32_t load[3];
static uint64_t load_at = LOAD_NS; /* when the load is to be looked at next */

void
sched_charge_locked(void)
{
	struct thread *td = curthread;
	struct sched_cpu *c = &sched_cpus[cpu_id()];
	struct proc *p = td->td_proc;
	uint64_t user, system;

	mtx_assert_owned(&sched_lock);
	cpu_take_times(&user, &system);
	__atomic_fetch_add(&td->td_runtime, user + system, __ATOMIC_RELAXED);
	if (td == c->sc_idle) {
		c->sc_times.st_idle += user + system;
	} else {
		c->sc_times.st_user += user;
		c->sc_times.st_system += system;
	}
	if (p == NULL)
		return;
	__atomic_fetch_add(&p->p_utime, user, __ATOMIC_RELAXED);
	__atomic_fetch_add(&p->p_stime, system, __ATOMIC_RELAXED);
}

void
sched_charge(void)
{
	mtx_lock(&sched_lock);
	sched_charge_locked();
	mtx_unlock(&sched_lock);
}

void
sched_cputimer(struct proc *p)
{
	struct sched_cpu *c;

	mtx_lock(&sched_lock);
	p->p_cputimers = true;
	for (unsigned i = 0; i < cpu_count(); i++) {
		c = &sched_cpus[i];
		if (c->sc_thread == NULL || c->sc_thread->td_proc != p || c->sc_tick_at != 0)
			continue;
		c->sc_tick_at = cpu_now() + CPU_TICK_NS;
		sched_arm_cpu(c);
	}
	mtx_unlock(&sched_lock);
}

static int
running(void)
{
	struct sched_cpu *c;
	int n = 0;

	for (unsigned i = 0; i < cpu_count(); i++) {
		c = &sched_cpus[i];
		n += (int)c->sc_queued;
		if (c->sc_thread != NULL && c->sc_thread != c->sc_idle &&
		    c->sc_thread->td_state == TDS_RUNNING)
			n++;
	}
	return (n);
}

/* There may be more than one look due: between two switches all was as it is. Linux's averages, that
 * decay by e^(-5/60), e^(-5/300) and e^(-5/900) each time. */
static void __slow_path
load_sample(uint64_t now)
{
	static const uint32_t keep[3] = {1884, 2014, 2037}; /* of LOAD_ONE */
	uint64_t looks = MIN((now - load_at) / LOAD_NS + 1, 4096ul);
	uint32_t n = (uint32_t)running();

	load_at += ((now - load_at) / LOAD_NS + 1) * LOAD_NS;
	while (looks-- > 0)
		for (int i = 0; i < 3; i++)
			load[i] =
			    (load[i] * keep[i] + n * LOAD_ONE * (LOAD_ONE - keep[i])) >> LOAD_SHIFT;
}

void
sched_load(uint64_t now)
{
	if (__predict_false(now >= load_at))
		load_sample(now);
}

void
sched_stats(struct sched_stats *s)
{
	*s = (struct sched_stats){0};
	mtx_lock(&sched_lock);
	sched_load(cpu_now());
	for (int i = 0; i < 3; i++)
		s->ss_load[i] = load[i];
	for (unsigned i = 0; i < cpu_count(); i++) {
		s->ss_idle += sched_cpus[i].sc_times.st_idle;
		s->ss_switches += sched_cpus[i].sc_switches;
	}
	s->ss_running = running();
	mtx_unlock(&sched_lock);
}

struct sched_times
sched_times(unsigned cpu)
{
	struct sched_times times;

	mtx_lock(&sched_lock);
	times = sched_cpus[cpu].sc_times;
	mtx_unlock(&sched_lock);
	return (times);
}

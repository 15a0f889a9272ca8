/*
 * System calls on time: clocks and sleeping.
 */
#include "linux/linux.h"
#include "kern/clock.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/ptimer.h"

#define NS_PER_SEC 1000000000l

static int
cpu_clock_read(int id, uint64_t *ns)
{
	int tid = CPUCLOCK_TID(id);
	struct thread *td;
	struct proc *p;
	bool thread, valid;

	if ((id & CPUCLOCK_KINDS) > CPUCLOCK_SCHED)
		return (EINVAL);
	if (tid == 0)
		return (clock_read((id & CPUCLOCK_THREAD) != 0 ? CLOCK_THREAD_CPUTIME
							       : CLOCK_PROCESS_CPUTIME,
				   ns));
	sched_charge();
	p = proc_find_thread(tid, &td);
	if (p == NULL)
		return (EINVAL);
	thread = (id & CPUCLOCK_THREAD) != 0;
	*ns = thread ? td->td_runtime : p->p_utime + p->p_stime;
	/* A thread of this process; or a process, by its own number. */
	valid = thread ? p == curproc : td->td_tid == p->p_pid;
	proc_thread_rele(p);
	return (valid ? 0 : EINVAL);
}

int
clock_read(int id, uint64_t *ns)
{
	if (id < 0)
		return (cpu_clock_read(id, ns));
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI: /* nobody has told how many leap seconds there were */
		*ns = clock_wall();
		return (0);
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = cpu_now();
		return (0);
	case CLOCK_PROCESS_CPUTIME:
		sched_charge();
		*ns = curproc->p_utime + curproc->p_stime;
		return (0);
	case CLOCK_THREAD_CPUTIME:
		sched_charge();
		*ns = curthread->td_runtime;
		return (0);
	}
	return (EINVAL);
}

int64_t
sys_clock_gettime(int id, struct linux_timespec *uts)
{
	struct linux_timespec ts;
	uint64_t ns;

	if (clock_read(id, &ns) != 0)
		return (-EINVAL);
	ts = (struct linux_timespec){ns / NS_PER_SEC, ns % NS_PER_SEC};
	return (COPYOUT(&ts, uts));
}

int64_t
sys_clock_getres(int id, struct linux_timespec *uts)
{
	struct linux_timespec ts = {0, 1};
	uint64_t ns;

	if (clock_read(id, &ns) != 0)
		return (-EINVAL);
	return (uts != NULL ? COPYOUT(&ts, uts) : 0);
}

int64_t
sys_gettimeofday(int64_t *utv, int64_t *utz)
{
	uint64_t us = clock_wall() / 1000;
	int64_t tv[2] = {us / 1000000, us % 1000000}, tz = 0;
	int64_t result = utv != NULL ? COPYOUT(&tv, utv) : 0;

	return (result == 0 && utz != NULL ? COPYOUT(&tz, utz) : result);
}

int64_t
sys_time(int64_t *ut)
{
	int64_t seconds = clock_wall() / NS_PER_SEC;

	return (ut != NULL && copyout(&seconds, ut, sizeof(seconds)) != 0 ? -EFAULT : seconds);
}

int
timespec_in(const struct linux_timespec *uts, uint64_t *ns)
{
	struct linux_timespec ts;

	if (copyin(uts, &ts, sizeof(ts)) != 0)
		return (EFAULT);
	if (ts.sec < 0 || ts.nsec < 0 || ts.nsec >= NS_PER_SEC)
		return (EINVAL);
	*ns = MIN(ts.sec, INT64_MAX / NS_PER_SEC - 1) * NS_PER_SEC + ts.nsec; /* 292 years */
	return (0);
}

int
itimerspec_in(const struct linux_itimerspec *uits, struct ptimer_time *t)
{
	int error = timespec_in(&uits->interval, &t->interval);

	return (error != 0 ? error : timespec_in(&uits->value, &t->value));
}

int
itimerspec_out(const struct ptimer_time *t, struct linux_itimerspec *uits)
{
	struct linux_itimerspec its = {
	    {t->interval / NS_PER_SEC, t->interval % NS_PER_SEC},
	    {t->value / NS_PER_SEC, t->value % NS_PER_SEC},
	};

	return (copyout(&its, uits, sizeof(its)));
}

/* --- sleeping --------------------------------------------------------------------------------- */

/* Until cpu_now() is deadline. ERESTARTNOHAND: then it goes on until the same moment. */
static int
sleep_until(uint64_t deadline)
{
	uint64_t now;

	while ((now = cpu_now()) < deadline)
		if (rw_sleep(&deadline, NULL, SLEEP_INTR, deadline - now) == EINTR)
			return (ERESTARTNOHAND);
	return (0);
}

/* For a span of time, from when the call was made first; what is left of it goes to urem. */
static int
sleep_for(uint64_t ns, struct linux_timespec *urem)
{
	struct thread *td = curthread;
	uint64_t deadline = td->td_deadline, now;
	struct linux_timespec left;
	int error;

	td->td_deadline = 0;
	if (deadline == 0 && __builtin_add_overflow(cpu_now(), ns, &deadline))
		deadline = UINT64_MAX;
	error = sleep_until(deadline);
	if (error == 0)
		return (0);
	td->td_deadline = deadline;
	now = MIN(cpu_now(), deadline);
	left =
	    (struct linux_timespec){(deadline - now) / NS_PER_SEC, (deadline - now) % NS_PER_SEC};
	return (urem != NULL && copyout(&left, urem, sizeof(left)) != 0 ? EFAULT : error);
}

int64_t
sys_clock_nanosleep(int id, int flags, const struct linux_timespec *uts,
		    struct linux_timespec *urem)
{
	uint64_t ns, clock;
	int error;

	if (clock_read(id, &clock) != 0)
		return (-EINVAL);
	if (id != CLOCK_REALTIME && id != CLOCK_TAI && id != CLOCK_MONOTONIC &&
	    id != CLOCK_BOOTTIME)
		return (-EOPNOTSUPP);
	error = timespec_in(uts, &ns);
	if (error != 0)
		return (-error);
	if ((flags & TIMER_ABSTIME) != 0)
		return (ns > clock ? -sleep_until(cpu_now() + (ns - clock)) : 0);
	return (-sleep_for(ns, urem));
}

int64_t
sys_nanosleep(const struct linux_timespec *uts, struct linux_timespec *urem)
{
	return (sys_clock_nanosleep(CLOCK_MONOTONIC, 0, uts, urem));
}

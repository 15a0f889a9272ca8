/*
 * System calls on timers that send signals: setitimer's and POSIX's.
 */
#include "linux/linux.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/ptimer.h"

#define NS_PER_SEC 1000000000l
enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF, ITIMER_COUNT };
enum { SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID = 4 };

/* --- setitimer -------------------------------------------------------------------------------- */

struct itimerval {
	int64_t interval_sec, interval_us, value_sec, value_us;
};
static const struct {
	enum ptimer_clock clock;
	int sig;
} itimers[ITIMER_COUNT] = {
    [ITIMER_REAL] = {PTIMER_REAL, SIGALRM},
    [ITIMER_VIRTUAL] = {PTIMER_USER, SIGVTALRM},
    [ITIMER_PROF] = {PTIMER_CPU, SIGPROF},
};

static bool
timeval_ns(int64_t sec, int64_t us, uint64_t *ns)
{
	*ns = MIN((uint64_t)sec, INT64_MAX / NS_PER_SEC - 1) * NS_PER_SEC + us * 1000;
	return (sec >= 0 && us >= 0 && us < 1000000);
}

static int64_t
itimer_out(const struct ptimer_time *t, struct itimerval *uvalue)
{
	uint64_t value = t->value / 1000, interval = t->interval / 1000;
	const struct itimerval it = {interval / 1000000, interval % 1000000, value / 1000000,
				     value % 1000000};

	return (COPYOUT(&it, uvalue));
}

int64_t
sys_getitimer(int which, struct itimerval *uvalue)
{
	struct ptimer_time t;

	if ((uint32_t)which >= ITIMER_COUNT)
		return (-EINVAL);
	itimer_get(itimers[which].clock, &t);
	return (itimer_out(&t, uvalue));
}

int64_t
sys_setitimer(int which, const struct itimerval *unew, struct itimerval *uold)
{
	struct itimerval it = {0};
	struct ptimer_time t, old;
	int error;

	if (unew != NULL && copyin(unew, &it, sizeof(it)) != 0)
		return (-EFAULT);
	if (!timeval_ns(it.value_sec, it.value_us, &t.value) ||
	    !timeval_ns(it.interval_sec, it.interval_us, &t.interval) ||
	    (uint32_t)which >= ITIMER_COUNT)
		return (-EINVAL);
	error = itimer_set(itimers[which].clock, itimers[which].sig, &t, &old);
	return (error != 0 ? -error : uold != NULL ? itimer_out(&old, uold) : 0);
}

/* A part of a second that is left counts as one, if it is the last or at least a half. */
int64_t
sys_alarm(uint32_t seconds)
{
	struct ptimer_time old;
	int64_t left;

	if (itimer_set(PTIMER_REAL, SIGALRM, &(struct ptimer_time){.value = seconds * 1000000000ul},
		       &old) != 0)
		return (0);
	left = old.value / NS_PER_SEC;
	return (left + ((old.value > 0 && left == 0) || old.value % NS_PER_SEC >= NS_PER_SEC / 2));
}

/* --- POSIX's ---------------------------------------------------------------------------------- */

struct sigevent {
	uint64_t value;
	int signo, notify, tid, pad[11];
};

/* A CPU clock by its number: the caller's, no other's. */
static int
cpu_clock_of(int id, enum ptimer_clock *clock)
{
	bool thread = (id & CPUCLOCK_THREAD) != 0;
	int tid = CPUCLOCK_TID(id);

	if ((id & (CPUCLOCK_KINDS | CPUCLOCK_THREAD)) == CPUCLOCK_FD)
		return (EOPNOTSUPP);
	if ((id & CPUCLOCK_KINDS) > CPUCLOCK_SCHED ||
	    (tid != 0 && tid != (thread ? curthread->td_tid : curproc->p_pid)))
		return (EINVAL);
	*clock = thread ? PTIMER_THREAD : PTIMER_CPU;
	return (0);
}

static int
clock_of(int id, enum ptimer_clock *clock)
{
	if (id < 0)
		return (cpu_clock_of(id, clock));
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		*clock = PTIMER_REAL;
		return (0);
	case CLOCK_PROCESS_CPUTIME:
		*clock = PTIMER_CPU;
		return (0);
	case CLOCK_THREAD_CPUTIME:
		*clock = PTIMER_THREAD;
		return (0);
	}
	return (id <= CLOCK_MONOTONIC_COARSE ? EOPNOTSUPP : EINVAL);
}

static bool
own_thread(int tid)
{
	struct proc *p = curproc;
	bool own;

	rw_rlock(&p->p_lock);
	own = proc_thread(p, tid) != NULL;
	rw_unlock(&p->p_lock);
	return (own);
}

static int
spec_of(const struct sigevent *ev, struct ptimer_spec *spec)
{
	spec->info = (struct siginfo){
	    .si_signo = ev->signo, .si_code = SI_TIMER, .si_timer_value = ev->value};
	spec->tid = ev->tid;
	switch (ev->notify) {
	case SIGEV_NONE:
		spec->notify = PTIMER_NONE;
		return (0);
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		spec->notify = PTIMER_SIGNAL;
		break;
	case SIGEV_THREAD_ID:
		spec->notify = PTIMER_TO_THREAD;
		break;
	default:
		return (EINVAL);
	}
	if (ev->signo <= 0 || ev->signo > NSIG ||
	    (ev->notify == SIGEV_THREAD_ID && !own_thread(ev->tid)))
		return (EINVAL);
	return (0);
}

int64_t
sys_timer_create(int id, const struct sigevent *uev, int *uid)
{
	struct sigevent ev = {.notify = SIGEV_SIGNAL, .signo = SIGALRM};
	struct ptimer_spec spec = {.wall = id == CLOCK_REALTIME, .value_is_id = uev == NULL};
	int number, error;

	if (uev != NULL && copyin(uev, &ev, sizeof(ev)) != 0)
		return (-EFAULT);
	error = clock_of(id, &spec.clock);
	if (error == 0)
		error = spec_of(&ev, &spec);
	if (error == 0)
		error = ptimer_create(&spec, &number);
	if (error != 0)
		return (-error);
	if (copyout(&number, uid, sizeof(number)) == 0)
		return (0);
	ptimer_delete(number);
	return (-EFAULT);
}

int64_t
sys_timer_settime(int id, int flags, const struct linux_itimerspec *unew,
		  struct linux_itimerspec *uold)
{
	struct ptimer_time t, old;
	int error;

	if (unew == NULL)
		return (-EINVAL);
	error = itimerspec_in(unew, &t);
	if (error == 0)
		error = ptimer_set(id, &t, (flags & TIMER_ABSTIME) != 0, &old);
	if (error == 0 && uold != NULL)
		error = itimerspec_out(&old, uold);
	return (-error);
}

int64_t
sys_timer_gettime(int id, struct linux_itimerspec *uvalue)
{
	struct ptimer_time t;
	int error = ptimer_get(id, &t);

	return (-(error != 0 ? error : itimerspec_out(&t, uvalue)));
}

int64_t
sys_timer_getoverrun(int id)
{
	int overrun, error = ptimer_overrun(id, &overrun);

	return (error != 0 ? -error : overrun);
}

int64_t
sys_timer_delete(int id)
{
	return (-ptimer_delete(id));
}

/*
 * System calls that set clocks, and times.
 */
#include "linux/linux.h"
#include "kern/clock.h"
#include "kern/cred.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/proc.h"

#define NS_PER_SEC  1000000000l
#define NS_PER_TICK (NS_PER_SEC / 100) /* times() counts in these */
#define SEC_MAX     (INT64_MAX / NS_PER_SEC - 1)

/* The wall clock reads ns from now on, unless that is before it was switched on, as on Linux. */
static int
set_wall(int64_t sec, int64_t ns)
{
	uint64_t wall;

	if (sec < 0 || sec > SEC_MAX || ns < 0 || ns >= NS_PER_SEC)
		return (EINVAL);
	wall = (uint64_t)(sec * NS_PER_SEC + ns);
	if (wall < cpu_now())
		return (EINVAL);
	if (!capable(CAP_SYS_TIME))
		return (EPERM);
	clock_set_wall(wall);
	return (0);
}

int64_t
sys_clock_settime(int id, const struct linux_timespec *uts)
{
	struct linux_timespec ts;
	uint64_t now;

	if (id > CLOCK_REALTIME || (id < 0 && clock_read(id, &now) != 0))
		return (-EINVAL);
	if (copyin(uts, &ts, sizeof(ts)) != 0)
		return (-EFAULT);
	return (id < 0 ? -EPERM : -set_wall(ts.sec, ts.nsec));
}

int64_t
sys_settimeofday(const int64_t *utv, const int32_t *utz)
{
	int64_t tv[2];
	int32_t tz[2];

	if (utv != NULL && copyin(utv, tv, sizeof(tv)) != 0)
		return (-EFAULT);
	if (utv != NULL && (tv[1] < 0 || tv[1] > 1000000))
		return (-EINVAL);
	if (utz != NULL && copyin(utz, tz, sizeof(tz)) != 0)
		return (-EFAULT);
	if (utz != NULL) /* minutes west of Greenwich, which gettimeofday says to be 0 */
		klog(LOG_NOTICE, "settimeofday: a time zone of %d minutes is ignored", tz[0]);
	return (utv != NULL ? -set_wall(tv[0], tv[1] * 1000) : 0);
}

/* --- times ------------------------------------------------------------------------------------ */

int64_t
sys_times(int64_t *utms)
{
	struct proc *p = curproc;
	struct usage own, children;
	int64_t tms[4];

	sched_charge();
	proc_usage(p, &own);
	rw_rlock(&proctree_lock);
	children = p->p_cusage;
	rw_unlock(&proctree_lock);
	tms[0] = (int64_t)own.u_utime / NS_PER_TICK;
	tms[1] = (int64_t)own.u_stime / NS_PER_TICK;
	tms[2] = (int64_t)children.u_utime / NS_PER_TICK;
	tms[3] = (int64_t)children.u_stime / NS_PER_TICK;
	if (utms != NULL && COPYOUT(&tms, utms) != 0)
		return (-EFAULT);
	return ((int64_t)cpu_now() / NS_PER_TICK);
}

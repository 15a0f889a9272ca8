/*
 * System calls on the process itself: numbers, limits, usage.
 */
#include "linux/linux.h"
#include "fs/vnode.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"

enum { RUSAGE_CHILDREN = -1, RUSAGE_SELF, RUSAGE_THREAD };

int64_t
sys_getpid(void)
{
	return (curproc->p_pid);
}

int64_t
sys_gettid(void)
{
	return (curthread->td_tid);
}

/* --- what was used, and how much may be ------------------------------------------------------- */

int64_t
usage_copyout(const struct usage *u, void *usage)
{
	struct {
		int64_t utime[2], stime[2], maxrss, shared[3], minflt, majflt, rest[8];
	} ru = {
	    .utime = {u->u_utime / 1000000000, u->u_utime / 1000 % 1000000},
	    .stime = {u->u_stime / 1000000000, u->u_stime / 1000 % 1000000},
	    .maxrss = u->u_maxrss * (PAGE_SIZE / 1024),
	    .minflt = u->u_minflt,
	    .majflt = u->u_majflt,
	};

	return (COPYOUT(&ru, usage));
}

int64_t
sys_getrusage(int who, void *usage)
{
	struct proc *p = curproc;
	struct usage u;

	if (who < RUSAGE_CHILDREN || who > RUSAGE_THREAD)
		return (-EINVAL);
	if (who == RUSAGE_THREAD) { /* faults are counted by process alone */
		sched_charge();
		proc_usage(p, &u);
		u.u_utime = curthread->td_runtime;
		u.u_stime = 0;
	} else if (who == RUSAGE_CHILDREN) {
		rw_rlock(&proctree_lock);
		u = p->p_cusage;
		rw_unlock(&proctree_lock);
	} else {
		sched_charge();
		proc_usage(p, &u);
	}
	return (usage_copyout(&u, usage));
}

/* Limits are told, and cannot be changed. */
int64_t
sys_prlimit64(int pid, uint32_t resource, const uint64_t *unew, uint64_t *uold)
{
	uint64_t limit[2] = {UINT64_MAX, UINT64_MAX}, new[2];

	if (resource >= RLIMIT_COUNT)
		return (-EINVAL);
	if (pid != 0 && pid != curproc->p_pid)
		return (-ESRCH);
	if (resource == RLIMIT_STACK)
		limit[0] = 8ul << 20;
	if (resource == RLIMIT_NOFILE)
		limit[0] = limit[1] = FD_MAX;
	if (unew != NULL && copyin(unew, new, sizeof(new)) != 0)
		return (-EFAULT);
	if (unew != NULL && memcmp(new, limit, sizeof(new)) != 0)
		return (-EPERM);
	return (uold != NULL ? COPYOUT(&limit, uold) : 0);
}

int64_t
sys_getrlimit(uint32_t resource, uint64_t *ulimit)
{
	return (sys_prlimit64(0, resource, NULL, ulimit));
}

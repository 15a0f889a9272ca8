/*
 * System calls on the process itself: numbers, limits, usage.
 */
#include "linux/linux.h"
#include "fs/vnode.h"
#include "kern/cred.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/proc.h"

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
	if (who == RUSAGE_CHILDREN) {
		rw_rlock(&proctree_lock);
		u = p->p_cusage;
		rw_unlock(&proctree_lock);
	} else {
		sched_charge();
		proc_usage(p, &u);
	}
	if (who == RUSAGE_THREAD) {
		u.u_utime = curthread->td_runtime;
		u.u_stime = 0;
		u.u_minflt = curthread->td_minflt;
		u.u_majflt = curthread->td_majflt;
	}
	return (usage_copyout(&u, usage));
}

/* Curproc may see and set p's limits: its own, and those of the very same user. */
static bool
may_limit(struct proc *p)
{
	const struct ucred *cr = curcred();
	struct ucred *to;
	bool same;

	if (p == curproc || capable(CAP_SYS_RESOURCE))
		return (true);
	to = proc_cred(p);
	same = cr->cr_ruid == to->cr_ruid && cr->cr_ruid == to->cr_uid &&
	       cr->cr_ruid == to->cr_svuid && cr->cr_rgid == to->cr_rgid &&
	       cr->cr_rgid == to->cr_gid && cr->cr_rgid == to->cr_svgid;
	crfree(to);
	return (same);
}

int64_t
sys_prlimit64(int pid, int resource, const struct rlimit *unew, struct rlimit *uold)
{
	struct rlimit new, old;
	struct proc *p;
	int error;

	if (unew != NULL && copyin(unew, &new, sizeof(new)) != 0)
		return (-EFAULT);
	p = proc_find(pid == 0 ? curproc->p_pid : pid);
	if (p == NULL)
		return (-ESRCH);
	error = may_limit(p) ? lim_set(p, resource, unew != NULL ? &new : NULL, &old) : EPERM;
	proc_rele(p);
	return (error == 0 && uold != NULL ? COPYOUT(&old, uold) : -error);
}

int64_t
sys_getrlimit(int resource, struct rlimit *ulimit)
{
	struct rlimit old;
	int error = lim_set(curproc, resource, NULL, &old);

	return (error != 0 ? -error : COPYOUT(&old, ulimit));
}

int64_t
sys_setrlimit(int resource, const struct rlimit *ulimit)
{
	struct rlimit new, old;

	return (copyin(ulimit, &new, sizeof(new)) != 0 ? -EFAULT
						       : -lim_set(curproc, resource, &new, &old));
}

/*
 * Resource limits: kept, told, changed.
 */
#include "kern/resource.h"
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/panic.h"
#include "kern/proc.h"

static const struct rlimit initial[RLIM_NLIMITS] = {
    [RLIMIT_CPU] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_FSIZE] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_DATA] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_STACK] = {8ul << 20, RLIM_INFINITY},
    [RLIMIT_CORE] = {0, RLIM_INFINITY},
    [RLIMIT_RSS] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_NPROC] = {TASK_MAX, TASK_MAX},
    [RLIMIT_NOFILE] = {1024, 4096},
    [RLIMIT_MEMLOCK] = {8ul << 20, 8ul << 20},
    [RLIMIT_AS] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_LOCKS] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_SIGPENDING] = {TASK_MAX, TASK_MAX},
    [RLIMIT_MSGQUEUE] = {819200, 819200},
    [RLIMIT_NICE] = {0, 0},
    [RLIMIT_RTPRIO] = {0, 0},
    [RLIMIT_RTTIME] = {RLIM_INFINITY, RLIM_INFINITY},
};

void
lim_init(struct proc *p)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		p->p_rlimit[i] = initial[i];
}

uint64_t
lim_cur(int which)
{
	struct proc *p = curproc;

	return (p != NULL ? __atomic_load_n(&p->p_rlimit[which].rlim_cur, __ATOMIC_RELAXED)
			  : RLIM_INFINITY);
}

int
lim_set(struct proc *p, int which, const struct rlimit *new, struct rlimit *old)
{
	bool privileged = capable(CAP_SYS_RESOURCE);
	int error = 0;

	if (which < 0 || which >= RLIM_NLIMITS || (new != NULL &&new->rlim_cur > new->rlim_max))
		return (EINVAL);
	if (new != NULL && which == RLIMIT_NOFILE &&new->rlim_max > FD_MAX)
		return (EPERM);
	rw_wlock(&p->p_lock);
	*old = p->p_rlimit[which];
	if (new != NULL &&new->rlim_max > old->rlim_max && !privileged)
		error = EPERM;
	else if (new != NULL)
		p->p_rlimit[which] = *new;
	rw_unlock(&p->p_lock);
	if (error == 0 && new != NULL && which == RLIMIT_CPU)
		sched_cputimer(p);
	return (error);
}

bool
lim_cpu(struct proc *p, int *sig)
{
	uint64_t used = (p->p_utime + p->p_stime) / 1000000000;
	struct rlimit *lim = &p->p_rlimit[RLIMIT_CPU];

	rw_assert_wlocked(&p->p_lock);
	*sig = 0;
	if (lim->rlim_cur == RLIM_INFINITY)
		return (false);
	if (used >= lim->rlim_max) {
		*sig = SIGKILL;
	} else if (used >= lim->rlim_cur) {
		*sig = SIGXCPU;
		lim->rlim_cur++;
	}
	return (true);
}

int
lim_file_size(uint64_t from, uint64_t *end)
{
	uint64_t limit = lim_cur(RLIMIT_FSIZE);

	if (*end <= limit)
		return (0);
	if (from >= limit) {
		signal_send(curproc, curthread, SIGXFSZ);
		return (EFBIG);
	}
	*end = limit;
	return (0);
}

vm_size_t
vm_limit(enum vm_limit which)
{
	static const int limits[] = {[VM_LIMIT_SIZE] = RLIMIT_AS,
				     [VM_LIMIT_DATA] = RLIMIT_DATA,
				     [VM_LIMIT_STACK] = RLIMIT_STACK};

	return (lim_cur(limits[which]));
}

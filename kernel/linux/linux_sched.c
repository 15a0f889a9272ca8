/*
 * System calls on how threads are scheduled: policies, real-time priorities, processors. All that
 * is kept; struct schedparam (kern/thread.h) says what the scheduler makes of it.
 */
#include "linux/linux.h"
#include "kern/cred.h"
#include "kern/machdep.h"
#include "kern/proc.h"

enum { SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE = 5, SCHED_DEADLINE };
#define SCHED_RESET_ON_FORK 0x40000000
#define RT_MAX              99 /* highest real-time priority */

int64_t
sys_sched_yield(void)
{
	sched_yield();
	return (0);
}

/* --- policies --------------------------------------------------------------------------------- */

static bool
is_realtime(int policy)
{
	return (policy == SCHED_FIFO || policy == SCHED_RR);
}

/* The parameters of thread pid. ESRCH. */
static int
param_get(int pid, struct schedparam *param)
{
	struct thread *td;
	struct proc *p = proc_find_thread(pid, &td);

	if (p == NULL)
		return (ESRCH);
	*param = sched_get(td);
	proc_thread_rele(p);
	return (0);
}

/* May curproc do that to td? */
static bool
may_set(const struct ucred *cr, struct thread *td, const struct schedparam *new)
{
	uint64_t limit = td->td_proc->p_rlimit[RLIMIT_RTPRIO].rlim_cur;
	struct schedparam old = sched_get(td);

	if (capable(CAP_SYS_NICE))
		return (true);
	if (is_realtime(new->policy) && ((new->policy != old.policy &&limit == 0) ||
					 (new->priority > old.priority &&new->priority > limit)))
		return (false);
	return ((!old.reset_on_fork || new->reset_on_fork) && cr_cansched(cr, td->td_proc) == 0);
}

/* Set policy (-1: as it is), flags included, and priority. */
static int
param_set(int pid, int policy, uint32_t priority)
{
	const struct ucred *cr = curcred(); /* before p_lock */
	struct schedparam param;
	struct thread *td;
	struct proc *p = proc_find_thread(pid, &td);
	int error = 0;

	if (p == NULL)
		return (ESRCH);
	param = sched_get(td);
	if (policy != -1) {
		param.reset_on_fork = (policy & SCHED_RESET_ON_FORK) != 0;
		policy &= ~SCHED_RESET_ON_FORK;
	} else {
		policy = param.policy;
	}
	if (policy > SCHED_IDLE || policy == SCHED_BATCH + 1 || priority > RT_MAX ||
	    is_realtime(policy) != (priority != 0))
		error = EINVAL;
	param.policy = (uint8_t)policy;
	param.priority = (uint8_t)priority;
	if (error == 0 && !may_set(cr, td, &param))
		error = EPERM;
	if (error == 0)
		sched_set(td, &param);
	proc_thread_rele(p);
	return (error);
}

static int64_t
setscheduler(int pid, int policy, const int *upriority)
{
	int priority;

	if (pid < 0 || upriority == NULL)
		return (-EINVAL);
	if (copyin(upriority, &priority, sizeof(priority)) != 0)
		return (-EFAULT);
	return (-param_set(pid, policy, (uint32_t)priority));
}

int64_t
sys_sched_setscheduler(int pid, int policy, const int *upriority)
{
	return (policy < 0 ? -EINVAL : setscheduler(pid, policy, upriority));
}

int64_t
sys_sched_setparam(int pid, const int *upriority)
{
	return (setscheduler(pid, -1, upriority));
}

int64_t
sys_sched_getscheduler(int pid)
{
	struct schedparam param;
	int error = pid < 0 ? EINVAL : param_get(pid, &param);

	if (error != 0)
		return (-error);
	return (param.policy | (param.reset_on_fork ? SCHED_RESET_ON_FORK : 0));
}

int64_t
sys_sched_getparam(int pid, int *upriority)
{
	struct schedparam param;
	int priority, error = pid < 0 || upriority == NULL ? EINVAL : param_get(pid, &param);

	if (error != 0)
		return (-error);
	priority = param.priority;
	return (COPYOUT(&priority, upriority));
}

int64_t
sys_sched_get_priority_max(int policy)
{
	if (policy < 0 || policy > SCHED_DEADLINE || policy == SCHED_BATCH + 1)
		return (-EINVAL);
	return (is_realtime(policy) ? RT_MAX : 0);
}

int64_t
sys_sched_get_priority_min(int policy)
{
	int64_t max = sys_sched_get_priority_max(policy);

	return (MIN(max, 1));
}

int64_t
sys_sched_rr_get_interval(int pid, struct linux_timespec *uts)
{
	struct schedparam param;
	struct linux_timespec ts = {0};
	int error = pid < 0 ? EINVAL : param_get(pid, &param);

	if (error != 0)
		return (-error);
	if (param.policy != SCHED_FIFO) /* which has no slice, in theory */
		ts.nsec = (int64_t)sched_slice(&param);
	return (COPYOUT(&ts, uts));
}

/* --- processors ------------------------------------------------------------------------------- */

int64_t
sys_sched_setaffinity(int pid, uint32_t size, const uint64_t *umask)
{
	const struct ucred *cr = curcred(); /* before p_lock */
	uint64_t mask = 0;
	struct thread *td;
	struct proc *p;
	int error = 0;

	if (copyin(umask, &mask, MIN(size, sizeof(mask))) != 0)
		return (-EFAULT);
	p = proc_find_thread(pid, &td);
	if (p == NULL)
		return (-ESRCH);
	mask &= (1ul << cpu_count()) - 1;
	if (mask == 0)
		error = EINVAL;
	else if ((error = cr_cansched(cr, p)) == 0)
		sched_set_cpus(td, (uint32_t)mask);
	proc_thread_rele(p);
	return (-error);
}

int64_t
sys_sched_getaffinity(int pid, uint32_t size, uint64_t *umask)
{
	struct thread *td;
	struct proc *p;
	uint64_t mask;

	if (size * 8 < 64 || size % sizeof(mask) != 0) /* its bits must fit 32, as in Linux */
		return (-EINVAL);
	p = proc_find_thread(pid, &td);
	if (p == NULL)
		return (-ESRCH);
	mask = sched_get_cpus(td);
	proc_thread_rele(p);
	return (copyout(&mask, umask, sizeof(mask)) == 0 ? (int64_t)sizeof(mask) : -EFAULT);
}

int64_t
sys_getcpu(uint32_t *ucpu, uint32_t *unode)
{
	const uint32_t cpu = cpu_id(), zero = 0;

	if (ucpu != NULL && COPYOUT(&cpu, ucpu) != 0)
		return (-EFAULT);
	return (unode != NULL ? COPYOUT(&zero, unode) : 0);
}

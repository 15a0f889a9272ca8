/*
 * System calls on signals.
 */
#include "linux/linux.h"
#include "kern/cred.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/pgrp.h"
#include "kern/proc.h"

/* To those of a process group that curproc may signal; 0: its own. */
static int
kill_group(int pgid, int sig)
{
	struct pgrp *pg;
	struct proc *p;
	int error = ESRCH;

	rw_rlock(&proctree_lock);
	pg = pgid == 0 ? curproc->p_pgrp : pgrp_find(pgid);
	if (pg != NULL)
		LIST_FOREACH (p, &pg->pg_members, p_pglist) {
			if (cr_cansignal(p) != 0) {
				error = error == ESRCH ? EPERM : error;
				continue;
			}
			if (sig != 0)
				signal_send(p, NULL, sig);
			error = 0;
		}
	rw_unlock(&proctree_lock);
	return (error);
}

int64_t
sys_kill(int pid, int sig)
{
	struct proc *p;
	int error;

	if (sig < 0 || sig > NSIG)
		return (-EINVAL);
	if (pid == INT32_MIN)
		return (-ESRCH);
	if (pid == -1)
		return (proc_signal_all(2, sig) ? 0 : -ESRCH);
	if (pid <= 0)
		return (-kill_group(-pid, sig));
	p = proc_find(pid);
	if (p == NULL)
		return (-ESRCH);
	error = cr_cansignal(p);
	if (error == 0 && sig != 0)
		signal_send(p, NULL, sig);
	proc_rele(p);
	return (-error);
}

int64_t
sys_tgkill(int pid, int tid, int sig)
{
	struct thread *td;
	struct proc *p;
	int error;

	if (pid <= 0 || tid <= 0 || sig < 0 || sig > NSIG)
		return (-EINVAL);
	p = proc_find(pid);
	if (p == NULL)
		return (-ESRCH);
	error = cr_cansignal(p);
	rw_wlock(&p->p_lock);
	td = proc_thread(p, tid);
	if (td != NULL && sig != 0 && error == 0)
		signal_send_locked(p, td, sig);
	rw_unlock(&p->p_lock);
	proc_rele(p);
	return (td != NULL ? -error : -ESRCH);
}

/* Of a thread of this process, or the first thread of another: who sends to others' threads
 * names their process, too. */
int64_t
sys_tkill(int tid, int sig)
{
	struct proc *p = curproc;
	int64_t result = sys_tgkill(p->p_pid, tid, sig);

	return (result == -ESRCH && tid != p->p_pid ? sys_tgkill(tid, tid, sig) : result);
}

int64_t
sys_rt_sigprocmask(int how, const uint64_t *uset, uint64_t *uold, uint64_t size)
{
	uint64_t old = curthread->td_sigmask, set = 0;

	if (size != sizeof(set) || (uset != NULL && (uint32_t)how > SIG_SETMASK))
		return (-EINVAL);
	if (uset != NULL && copyin(uset, &set, sizeof(set)) != 0)
		return (-EFAULT);
	if (uset != NULL)
		signal_setmask(how == SIG_BLOCK     ? old | set
			       : how == SIG_UNBLOCK ? old & ~set
						    : set);
	return (uold != NULL ? COPYOUT(&old, uold) : 0);
}

int64_t
sys_rt_sigaction(int sig, const struct sigaction *unew, struct sigaction *uold, uint64_t size)
{
	struct proc *p = curproc;
	struct sigaction new, old;

	if (size != sizeof(uint64_t) || sig < 1 || sig > NSIG ||
	    (unew != NULL && (SIG_NEVER & SIGBIT(sig)) != 0))
		return (-EINVAL);
	if (unew != NULL && copyin(unew, &new, sizeof(new)) != 0)
		return (-EFAULT);
	rw_wlock(&p->p_lock);
	old = p->p_sigaction[sig - 1];
	if (unew != NULL)
		p->p_sigaction[sig - 1] = new;
	rw_unlock(&p->p_lock);
	return (uold != NULL ? COPYOUT(&old, uold) : 0);
}

int64_t
sys_pause(void)
{
	while (rw_sleep(&curthread->td_sigmask, NULL, SLEEP_INTR, 0) == 0)
		;
	return (-EINTR);
}

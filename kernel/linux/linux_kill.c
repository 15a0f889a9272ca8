/*
 * System calls that send signals.
 */
#include "linux/linux.h"
#include "kern/cred.h"
#include "kern/machdep.h"
#include "kern/pgrp.h"
#include "kern/proc.h"

static bool
is_signal(int sig)
{
	return (sig >= 0 && sig <= NSIG);
}

/* To those of a process group that curproc may signal; 0: its own. */
static int
kill_group(int pgid, const struct siginfo *info)
{
	struct pgrp *pg;
	struct proc *p;
	int error = ESRCH;

	rw_rlock(&proctree_lock);
	pg = pgid == 0 ? curproc->p_pgrp : pgrp_find(pgid);
	if (pg != NULL)
		TAILQ_FOREACH (p, &pg->pg_members, p_pglist) {
			if (cr_cansignal(p) != 0) {
				error = error == ESRCH ? EPERM : error;
				continue;
			}
			if (info->si_signo != 0)
				signal_send_info(p, NULL, info);
			error = 0;
		}
	rw_unlock(&proctree_lock);
	return (error);
}

static int
kill_process(int pid, const struct siginfo *info)
{
	struct proc *p = proc_find(pid);
	int error;

	if (p == NULL)
		return (ESRCH);
	error = cr_cansignal(p);
	if (error == 0 && info->si_signo != 0)
		error = signal_send_info(p, NULL, info);
	proc_rele(p);
	return (error);
}

int64_t
sys_kill(int pid, int sig)
{
	struct siginfo info = signal_by_user(sig);

	if (!is_signal(sig))
		return (-EINVAL);
	if (pid == INT32_MIN)
		return (-ESRCH);
	if (pid == -1)
		return (proc_signal_all(&info) ? 0 : -ESRCH);
	return (-(pid > 0 ? kill_process(pid, &info) : kill_group(-pid, &info)));
}

/* --- to a thread ------------------------------------------------------------------------------ */

/* To the thread tid of p. */
static int
kill_in(struct proc *p, int tid, const struct siginfo *info)
{
	int error = cr_cansignal(p);
	struct thread *td;

	rw_wlock(&p->p_lock);
	td = proc_thread(p, tid);
	if (td == NULL &&
	    !(tid == p->p_pid && p->p_numthreads == 0)) /* a zombie is a thread, too */
		error = ESRCH;
	else if (error == 0 && td != NULL && info->si_signo != 0)
		error = signal_post(p, td, info);
	rw_unlock(&p->p_lock);
	return (error);
}

/* To the thread tid, of process pid or (0) of whichever it is. */
static int
kill_thread(int pid, int tid, const struct siginfo *info)
{
	int error = ESRCH;
	struct proc *p;

	if (tid <= 0 || pid < 0 || !is_signal(info->si_signo))
		return (EINVAL);
	for (int next = pid; error == ESRCH && (p = proc_next(next)) != NULL;) {
		next = p->p_pid + 1;
		if (pid == 0 || p->p_pid == pid)
			error = kill_in(p, tid, info);
		proc_rele(p);
		if (pid != 0)
			break;
	}
	return (error);
}

int64_t
sys_tgkill(int pid, int tid, int sig)
{
	struct siginfo info = signal_by_user(sig);

	info.si_code = SI_TKILL;
	return (-(pid <= 0 ? EINVAL : kill_thread(pid, tid, &info)));
}

int64_t
sys_tkill(int tid, int sig)
{
	struct siginfo info = signal_by_user(sig);

	info.si_code = SI_TKILL;
	return (-kill_thread(0, tid, &info));
}

/* --- with a value ----------------------------------------------------------------------------- */

/* What the caller wants to be told; it may not pass for the kernel or kill() to another process. */
static int
info_in(const struct siginfo *uinfo, int sig, int pid, struct siginfo *info)
{
	if (copyin(uinfo, info, sizeof(*info)) != 0)
		return (EFAULT);
	info->si_signo = sig;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && pid != curproc->p_pid)
		return (EPERM);
	return (0);
}

int64_t
sys_rt_sigqueueinfo(int pid, int sig, const struct siginfo *uinfo)
{
	struct siginfo info;
	int error = info_in(uinfo, sig, pid, &info);

	if (error == 0 && !is_signal(sig))
		error = EINVAL;
	if (error == 0)
		error = pid > 0 ? kill_process(pid, &info) : ESRCH;
	return (-error);
}

int64_t
sys_rt_tgsigqueueinfo(int pid, int tid, int sig, const struct siginfo *uinfo)
{
	struct siginfo info;
	int error = info_in(uinfo, sig, pid, &info);

	if (error == 0)
		error = pid <= 0 || tid <= 0 ? EINVAL : kill_thread(pid, tid, &info);
	return (-error);
}

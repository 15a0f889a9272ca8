/*
 * System calls on signals: actions, masks, waiting for them, and the way back from handlers. What
 * sends them is in linux_kill.c.
 */
#include "linux/linux.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"

#define SA_KNOWN                                                                                   \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK | \
	 SA_RESTART | SA_NODEFER | SA_RESETHAND)

/* --- actions ---------------------------------------------------------------------------------- */

static void
set_action(struct proc *p, int sig, const struct sigaction *new)
{
	struct sigaction *sa = &p->p_sigaction[sig - 1];

	rw_assert_wlocked(&p->p_lock);
	*sa = *new;
	sa->sa_flags &= SA_KNOWN;
	sa->sa_mask &= ~SIG_NEVER;
	if (sa->sa_handler == SIG_IGN ||
	    (sa->sa_handler == SIG_DFL && (SIG_HARMLESS & SIGBIT(sig)) != 0))
		signal_flush(p, SIGBIT(sig)); /* those that are blocked, too */
}

int64_t
sys_rt_sigaction(int sig, const struct sigaction *unew, struct sigaction *uold, uint64_t size)
{
	struct proc *p = curproc;
	struct sigaction new, old;

	if (size != sizeof(uint64_t))
		return (-EINVAL);
	if (unew != NULL && copyin(unew, &new, sizeof(new)) != 0)
		return (-EFAULT);
	if (sig < 1 || sig > NSIG || (unew != NULL && (SIG_NEVER & SIGBIT(sig)) != 0))
		return (-EINVAL);
	rw_wlock(&p->p_lock);
	old = p->p_sigaction[sig - 1];
	if (unew != NULL)
		set_action(p, sig, &new);
	rw_unlock(&p->p_lock);
	return (uold != NULL ? COPYOUT(&old, uold) : 0);
}

int64_t
sys_sigaltstack(const struct ksigstack *unew, struct ksigstack *uold)
{
	struct thread *td = curthread;
	uint64_t sp = td->td_frame->tf_rsp;
	struct ksigstack new, old = td->td_sigstack;
	int error = 0;

	if (unew != NULL && copyin(unew, &new, sizeof(new)) != 0)
		return (-EFAULT);
	old.ss_flags = sigaltstack_state(sp) | (old.ss_flags & SS_AUTODISARM);
	old.ss_pad = 0;
	if (unew != NULL)
		error = sigaltstack_set(&new, sp);
	if (error == 0 && uold != NULL)
		error = copyout(&old, uold, sizeof(old));
	return (-error);
}

int64_t
sys_rt_sigreturn(void)
{
	uint64_t mask;

	if (cpu_sigreturn(&mask) == 0)
		signal_setmask(mask);
	else
		trapsignal(SIGSEGV, SI_KERNEL, 0, "bad frame in sigreturn");
	/* What the registers are now: the result is among them. */
	return ((int64_t)curthread->td_frame->tf_rax);
}

/* --- masks ------------------------------------------------------------------------------------ */

int64_t
sys_rt_sigprocmask(int how, const uint64_t *uset, uint64_t *uold, uint64_t size)
{
	uint64_t old = curthread->td_sigmask, set = 0;

	if (size != sizeof(set))
		return (-EINVAL);
	if (uset != NULL && copyin(uset, &set, sizeof(set)) != 0)
		return (-EFAULT);
	if (uset != NULL && (uint32_t)how > SIG_SETMASK)
		return (-EINVAL);
	if (uset != NULL)
		signal_setmask(how == SIG_BLOCK     ? old | set
			       : how == SIG_UNBLOCK ? old & ~set
						    : set);
	return (uold != NULL ? COPYOUT(&old, uold) : 0);
}

int64_t
sys_rt_sigpending(uint64_t *uset, uint64_t size)
{
	uint64_t set = signal_pending() & curthread->td_sigmask;

	if (size > sizeof(set))
		return (-EINVAL);
	return (-copyout(&set, uset, size));
}

/* --- waiting ---------------------------------------------------------------------------------- */

int64_t
sys_pause(void)
{
	while (rw_sleep(&curthread->td_sigmask, NULL, SLEEP_INTR, 0) == 0)
		;
	return (-ERESTARTNOHAND);
}

int64_t
sys_rt_sigsuspend(const uint64_t *uset, uint64_t size)
{
	uint64_t set;

	if (size != sizeof(set))
		return (-EINVAL);
	if (copyin(uset, &set, sizeof(set)) != 0)
		return (-EFAULT);
	signal_tempmask(set);
	return (sys_pause());
}

/* One of set, blocked or not, to *info; sleeps until deadline (0: for ever). EAGAIN, EINTR. */
static int
wait_signal(uint64_t set, uint64_t deadline, struct siginfo *info)
{
	struct thread *td = curthread;
	struct proc *p = curproc;
	uint64_t now;
	int sig, error = 0;

	for (;;) {
		rw_wlock(&p->p_lock);
		sig = signal_take(set, info);
		now = cpu_now();
		if (sig != 0 || error == EINTR || (deadline != 0 && now >= deadline))
			break;
		td->td_sigwait = set;
		error = rw_sleep(&td->td_sigwait, &p->p_lock, SLEEP_INTR,
				 deadline != 0 ? deadline - now : 0);
	}
	td->td_sigwait = 0;
	rw_unlock(&p->p_lock);
	return (sig != 0 ? 0 : error == EINTR ? EINTR : EAGAIN);
}

int64_t
sys_rt_sigtimedwait(const uint64_t *uset, struct siginfo *uinfo, const struct linux_timespec *uts,
		    uint64_t size)
{
	struct siginfo info;
	uint64_t set, ns, deadline = 0;
	int error;

	if (size != sizeof(set))
		return (-EINVAL);
	if (copyin(uset, &set, sizeof(set)) != 0)
		return (-EFAULT);
	if (uts != NULL) {
		error = timespec_in(uts, &ns);
		if (error != 0)
			return (-error);
		deadline = cpu_now() + ns;
	}
	error = wait_signal(set & ~SIG_NEVER, deadline, &info);
	if (error != 0)
		return (-error);
	if (uinfo != NULL && copyout(&info, uinfo, sizeof(info)) != 0)
		return (-EFAULT);
	return (info.si_signo);
}

/* Nothing that is interrupted is gone on with by this: there is no need. */
int64_t
sys_restart_syscall(void)
{
	return (-EINTR);
}

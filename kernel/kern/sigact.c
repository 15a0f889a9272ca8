/*
 * What signals do: handlers, default actions, faults.
 */
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/pgrp.h"
#include "kern/proc.h"
#include "kern/signal.h"
#include "kern/string.h"

/* What waits and is blocked no longer, or comes from now on, is acted on by others than the
 * handler that has just been set up. */
static void
handler_mask(const struct sigaction *sa, int sig)
{
	struct thread *td = curthread;
	uint64_t mask = td->td_sigmask | sa->sa_mask;

	if ((sa->sa_flags & SA_NODEFER) == 0)
		mask |= SIGBIT(sig);
	if ((td->td_sigstack.ss_flags & SS_AUTODISARM) != 0)
		td->td_sigstack = (struct ksigstack){.ss_flags = SS_DISABLE};
	signal_setmask(mask);
}

/* Let the system call that the signal ends, if any does, return EINTR or begin again after the
 * handler. */
static void
end_syscall(const struct sigaction *sa)
{
	int error = cpu_syscall_error(curthread);

	curthread->td_deadline = 0;
	if (error == ERESTARTNOHAND || (error == ERESTART && (sa->sa_flags & SA_RESTART) == 0))
		cpu_syscall_return(curthread, EINTR);
	else if (error == ERESTART || error == ERESTARTNOINTR)
		cpu_syscall_restart(curthread);
}

/* Die of a fault, saying so. */
static void
fault_kill(int sig, uint64_t addr, const char *why)
{
	static const char *const names[] = {
	    [SIGILL] = "SIGILL", [SIGTRAP] = "SIGTRAP", [SIGBUS] = "SIGBUS",
	    [SIGFPE] = "SIGFPE", [SIGSEGV] = "SIGSEGV", [SIGSYS] = "SIGSYS",
	};
	struct proc *p = curproc;
	const char *comma = strchr(why, ','), *at = *why == 'w'   ? "to"
						    : *why == 'r' ? "from"
								  : "at";
	uint64_t rip = curthread->td_frame->tf_rip;

	if (comma != NULL) /* "access, reason" */
		klog(LOG_WARNING, "%s[%d]: %s: %.*s %s 0x%lx at rip %#lx: %s", p->p_comm, p->p_pid,
		     names[sig], (int)(comma - why), why, at, addr, rip, comma + 2);
	else
		klog(LOG_WARNING, "%s[%d]: %s: %s at rip %#lx", p->p_comm, p->p_pid, names[sig],
		     why, rip);
	proc_kill(p, sig);
}

/* The frame of sig's handler does not fit where it should go. */
static void
no_frame(int sig)
{
	const char *why = "signal frame does not fit the stack";

	if (sig == SIGSEGV)
		fault_kill(SIGSEGV, 0, why);
	else
		trapsignal(SIGSEGV, SI_KERNEL, 0, why);
}

/* Curthread's next step in user mode is the handler. */
static void
call_handler(const struct sigaction *sa, const struct siginfo *info)
{
	struct thread *td = curthread;
	bool temporary = (td->td_ast & AST_SIGMASK) != 0;

	end_syscall(sa);
	if (cpu_sendsig(sa, info, temporary ? td->td_oldmask : td->td_sigmask) != 0) {
		no_frame(info->si_signo);
		return;
	}
	if (temporary)
		__atomic_fetch_and(&td->td_ast, ~AST_SIGMASK, __ATOMIC_RELAXED);
	handler_mask(sa, info->si_signo);
}

/* The first process does not stop: nobody could let it go on. */
static void
default_stop(struct proc *p, int sig)
{
	bool ignored;

	rw_rlock(&proctree_lock);
	ignored = p->p_parent == NULL || (sig != SIGSTOP && pgrp_orphaned(p->p_pgrp));
	rw_unlock(&proctree_lock);
	rw_wlock(&p->p_lock);
	if (!ignored && p->p_stop_taken) /* no SIGCONT has come meanwhile */
		signal_stop(p, sig);
	rw_unlock(&p->p_lock);
}

static void
default_action(struct proc *p, int sig)
{
	if ((SIG_STOPS & SIGBIT(sig)) != 0)
		default_stop(p, sig);
	else if ((SIG_HARMLESS & SIGBIT(sig)) == 0)
		proc_kill(p, sig);
}

/* Take one and what is to be done for it; an action that is for once is the default one then. */
static int
next_signal(struct proc *p, struct siginfo *info, struct sigaction *sa)
{
	int sig;

	rw_wlock(&p->p_lock);
	sig = signal_take(~curthread->td_sigmask, info);
	if (sig != 0) {
		*sa = p->p_sigaction[sig - 1];
		p->p_stop_taken |= (SIG_STOPS & SIGBIT(sig)) != 0;
		if (sa->sa_handler > SIG_IGN && (sa->sa_flags & SA_RESETHAND) != 0)
			p->p_sigaction[sig - 1].sa_handler = SIG_DFL;
	} else if (p->p_stopsig == 0) {
		__atomic_fetch_and(&curthread->td_ast, ~AST_SIGNAL, __ATOMIC_RELAXED);
	}
	rw_unlock(&p->p_lock);
	return (sig);
}

void
signal_ast(void)
{
	struct proc *p = curproc;
	struct sigaction sa;
	struct siginfo info;
	int sig;

	while (!thread_killed()) {
		if (p->p_stopsig != 0) {
			signal_park();
			continue;
		}
		sig = next_signal(p, &info, &sa);
		if (sig == 0 && p->p_stopsig == 0)
			break;
		if (sig != 0 && sa.sa_handler > SIG_IGN)
			call_handler(&sa, &info);
		else if (sig != 0 && sa.sa_handler == SIG_DFL)
			default_action(p, sig);
	}
}

void
signal_ast_done(void)
{
	struct thread *td = curthread;
	int error = cpu_syscall_error(td);

	if (error == ERESTART || error == ERESTARTNOHAND || error == ERESTARTNOINTR)
		cpu_syscall_restart(td);
	signal_restoremask(0);
}

void
signal_exec(struct proc *p)
{
	rw_wlock(&p->p_lock);
	for (struct sigaction *sa = p->p_sigaction; sa < p->p_sigaction + NSIG; sa++)
		*sa =
		    (struct sigaction){.sa_handler = sa->sa_handler == SIG_IGN ? SIG_IGN : SIG_DFL};
	rw_unlock(&p->p_lock);
}

void
trapsignal(int sig, int code, uint64_t addr, const char *why)
{
	struct siginfo info = {.si_signo = sig, .si_code = code, .si_addr = addr};
	struct proc *p = curproc;
	struct sigaction *act = &p->p_sigaction[sig - 1], sa;

	rw_wlock(&p->p_lock);
	sa = *act;
	if ((sa.sa_flags & SA_RESETHAND) != 0)
		act->sa_handler = SIG_DFL;
	if (sa.sa_handler > SIG_IGN && (curthread->td_sigmask & SIGBIT(sig)) == 0) {
		rw_unlock(&p->p_lock);
		call_handler(&sa, &info);
		return;
	}
	rw_unlock(&p->p_lock);
	fault_kill(sig, addr, why);
}

/* --- the signal stack ------------------------------------------------------------------------- */

uint32_t
sigaltstack_state(uint64_t sp)
{
	const struct ksigstack *ss = &curthread->td_sigstack;

	if (ss->ss_size == 0)
		return (SS_DISABLE);
	return ((ss->ss_flags & SS_AUTODISARM) == 0 && sp > ss->ss_sp &&
			sp - ss->ss_sp <= ss->ss_size
		    ? SS_ONSTACK
		    : 0);
}

int
sigaltstack_set(const struct ksigstack *ss, uint64_t sp)
{
	uint32_t mode = ss->ss_flags & ~SS_AUTODISARM;
	struct ksigstack *own = &curthread->td_sigstack;

	if (sigaltstack_state(sp) == SS_ONSTACK)
		return (EPERM);
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return (EINVAL);
	if (ss->ss_sp == own->ss_sp && ss->ss_size == own->ss_size && ss->ss_flags == own->ss_flags)
		return (0); /* as it is, whatever that is */
	if (mode != SS_DISABLE && ss->ss_size < MINSIGSTKSZ)
		return (ENOMEM);
	*own = *ss;
	if (mode == SS_DISABLE)
		own->ss_sp = own->ss_size = 0;
	return (0);
}

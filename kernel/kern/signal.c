/*
 * Signals: sent, kept until a thread lets them in, acted on.
 *
 * Handlers cannot be called yet: a process dies of a signal that it has a handler for, and the log
 * says so.
 */
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/string.h"

/* Ignored by default. Stopping belongs here while there is nobody who could let the process go
 * on. */
#define SIG_HARMLESS                                                                               \
	(SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | \
	 SIGBIT(SIGTTOU) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH))

static bool
ignored(struct proc *p, int sig)
{
	uint64_t handler = p->p_sigaction[sig - 1].sa_handler;

	rw_assert_locked(&p->p_lock);
	return (handler == SIG_IGN || (handler == SIG_DFL && (SIG_HARMLESS & SIGBIT(sig)) != 0));
}

void
signal_send_locked(struct proc *p, struct thread *only, int sig)
{
	struct thread *td = only;

	rw_assert_wlocked(&p->p_lock);
	if (sig == SIGKILL) {
		proc_kill_locked(p, sig);
		return;
	}
	if (td == NULL) /* the first that lets it in */
		TAILQ_FOREACH (td, &p->p_threads, td_plink)
			if ((td->td_sigmask & SIGBIT(sig)) == 0)
				break;
	if (td != NULL && (td->td_sigmask & SIGBIT(sig)) != 0)
		td = NULL;
	if (td != NULL && ignored(p, sig))
		return; /* blocked ones are kept: the action may change */
	*(only != NULL ? &only->td_sigpend : &p->p_sigpend) |= SIGBIT(sig);
	if (td != NULL)
		thread_ast(td, AST_SIGNAL);
}

void
signal_send(struct proc *p, struct thread *only, int sig)
{
	rw_wlock(&p->p_lock);
	signal_send_locked(p, only, sig);
	rw_unlock(&p->p_lock);
}

/* Take a signal that waits for curthread and is not blocked; 0: none. */
static int
signal_take(struct proc *p)
{
	struct thread *td = curthread;
	uint64_t ready = (td->td_sigpend | p->p_sigpend) & ~td->td_sigmask, bit = ready & -ready;

	if ((td->td_sigpend & bit) != 0)
		td->td_sigpend &= ~bit;
	else
		p->p_sigpend &= ~bit;
	return (ready != 0 ? __builtin_ctzl(ready) + 1 : 0);
}

void
signal_ast(void)
{
	struct proc *p = curproc;
	bool harmless, handled;
	int sig;

	do {
		rw_wlock(&p->p_lock);
		sig = signal_take(p);
		harmless = sig != 0 && ignored(p, sig);
		handled = sig != 0 && p->p_sigaction[sig - 1].sa_handler > SIG_IGN;
		if (sig == 0)
			__atomic_fetch_and(&curthread->td_ast, ~AST_SIGNAL, __ATOMIC_RELAXED);
		rw_unlock(&p->p_lock);
		if (handled)
			klog(LOG_WARNING,
			     "%s[%d]: the handler of signal %d cannot be called: it dies",
			     p->p_comm, p->p_pid, sig);
		if (sig != 0 && !harmless)
			proc_kill(p, sig);
	} while (sig != 0 && !thread_killed());
}

void
signal_setmask(uint64_t mask)
{
	struct thread *td = curthread;
	struct proc *p = curproc;

	rw_wlock(&p->p_lock);
	td->td_sigmask = mask & ~SIG_NEVER;
	if (((td->td_sigpend | p->p_sigpend) & ~td->td_sigmask) != 0)
		thread_ast(td, AST_SIGNAL);
	rw_unlock(&p->p_lock);
}

void
signal_tempmask(uint64_t mask)
{
	curthread->td_savedmask = curthread->td_sigmask;
	signal_setmask(mask);
}

/* What ended the call is acted on first. */
void
signal_restoremask(int error)
{
	if (error == ERESTARTNOHAND || error == EINTR)
		signal_ast();
	signal_setmask(curthread->td_savedmask);
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
trapsignal(int sig, int code, vm_offset_t addr, const char *why)
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

	(void)code; /* for a handler's siginfo, once there are handlers */
	if (comma != NULL) /* "access, reason" */
		klog(LOG_WARNING, "%s[%d]: %s: %.*s %s 0x%lx at rip %#lx: %s", p->p_comm, p->p_pid,
		     names[sig], (int)(comma - why), why, at, addr, rip, comma + 2);
	else
		klog(LOG_WARNING, "%s[%d]: %s: %s at rip %#lx", p->p_comm, p->p_pid, names[sig],
		     why, rip);
	proc_kill(p, sig);
}

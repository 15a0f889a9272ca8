/*
 * Stops: a process that is stopped has all its threads parked on their way to user mode, or soon
 * (one that sleeps where no signal reaches it parks when it is done). The last one to park tells
 * the parent, and the first to go on.
 */
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/signal.h"

void
signal_stop(struct proc *p, int sig)
{
	struct thread *td;

	rw_assert_wlocked(&p->p_lock);
	if (p->p_stopsig != 0)
		return;
	p->p_stopsig = sig;
	p->p_stop_told = p->p_continued = false;
	TAILQ_FOREACH (td, &p->p_threads, td_plink)
		thread_ast(td, AST_SIGNAL);
}

void
signal_continue(struct proc *p)
{
	rw_assert_wlocked(&p->p_lock);
	p->p_stop_taken = false;
	if (p->p_stopsig == 0)
		return;
	p->p_continued = p->p_stop_told;
	p->p_stopsig = 0;
	wakeup(&p->p_stopsig);
}

/* Curproc has stopped or goes on: its parent can wait for that, and gets SIGCHLD unless it does
 * not want it. */
static void
tell_parent(struct proc *p)
{
	struct siginfo info = {.si_signo = SIGCHLD};
	struct proc *parent;
	struct sigaction *sa;

	rw_wlock(&proctree_lock);
	rw_rlock(&p->p_lock);
	info.si_code = p->p_stopsig != 0 ? CLD_STOPPED : CLD_CONTINUED;
	info.si_status = p->p_stopsig != 0 ? p->p_stopsig : SIGCONT;
	proc_siginfo(p, &info);
	rw_unlock(&p->p_lock);
	parent = p->p_parent;
	p->p_jobstatus = info.si_code == CLD_STOPPED ? W_STOPPED(info.si_status) : W_CONTINUED;
	if (parent != NULL) {
		rw_wlock(&parent->p_lock);
		sa = &parent->p_sigaction[SIGCHLD - 1];
		if (sa->sa_handler != SIG_IGN && (sa->sa_flags & SA_NOCLDSTOP) == 0)
			signal_post(parent, NULL, &info);
		rw_unlock(&parent->p_lock);
		wakeup(&parent->p_children);
	}
	rw_unlock(&proctree_lock);
}

void
signal_park(void)
{
	struct proc *p = curproc;
	bool tell;

	rw_wlock(&p->p_lock);
	p->p_nparked++;
	while (p->p_stopsig != 0 && !thread_killed()) {
		tell = !p->p_stop_told && p->p_nparked == p->p_numthreads;
		p->p_stop_told |= tell;
		if (tell) {
			rw_unlock(&p->p_lock);
			tell_parent(p);
		} else {
			rw_sleep(&p->p_stopsig, &p->p_lock, SLEEP_KILL, 0);
		}
		rw_wlock(&p->p_lock);
	}
	p->p_nparked--;
	tell = p->p_continued && !thread_killed();
	p->p_continued &= !tell;
	rw_unlock(&p->p_lock);
	if (tell)
		tell_parent(p);
}

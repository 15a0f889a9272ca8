/*
 * How threads and processes end, what is left of them, and who is told.
 *
 * A process that is to end is marked (proc_kill) and each of its threads leaves by itself, on its
 * way to user mode or out of a sleep; the last one lets go of what the process has. A dead process
 * is its number, its status and its usage, until its parent waits for it.
 */
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/futex.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/panic.h"
#include "kern/pgrp.h"
#include "kern/proc.h"
#include "kern/ptimer.h"
#include "kern/pwd.h"
#include "kern/trace.h"
#include "fs/vnode.h"

void
proc_release(struct proc *p)
{
	struct vmspace *vm = p->p_vm;
	struct vnode *exe = p->p_exe;
	struct filedesc *fdp = p->p_fd;
	struct pwddesc *pd = p->p_pd;

	ptimer_free_all(p, true);
	rw_wlock(&p->p_lock);
	if (vm != NULL)
		p->p_maxrss = MAX(p->p_maxrss, vm->vm_pmap.pm_resident);
	p->p_fd = NULL;
	p->p_vm = NULL;
	p->p_exe = NULL;
	p->p_pd = NULL;
	sigqueue_flush(&p->p_sigqueue, ~0ul);
	rw_unlock(&p->p_lock);
	seldestroy(&p->p_sigsel);
	if (vm != NULL)
		vmspace_free(vm); /* first: who waits for memory may hold what a close waits for */
	if (fdp != NULL)
		fd_free(fdp);
	vn_text_drop(exe);
	pwd_free(pd);
}

/* Curthread becomes a kernel thread: the address space may go away under it from now on. True
 * when it was the process's last. */
static bool
proc_leave(struct proc *p)
{
	struct thread *td = curthread;
	bool last;

	rw_wlock(&p->p_lock);
	spinlock_enter(); /* a switch must not see one without the other */
	cpu_thread_free(td);
	td->td_proc = NULL;
	pmap_activate(kernel_pmap);
	spinlock_exit();
	TAILQ_REMOVE(&p->p_threads, td, td_plink);
	p->p_minflt += td->td_minflt;
	p->p_majflt += td->td_majflt;
	crfree(td->td_ucred);
	td->td_ucred = NULL;
	p->p_numthreads--;
	signal_thread_exit(p, td);
	td->td_ast = 0; /* nobody can find it any more; its sleeps are not to be cut short */
	last = TAILQ_EMPTY(&p->p_threads);
	rw_unlock(&p->p_lock);
	wakeup(&p->p_threads); /* proc_single */
	wakeup(&p->p_stopsig); /* all who are left may be parked */
	return (last);
}

/* The parent does not want to know: nobody will wait. */
static bool
unwanted(struct proc *parent)
{
	struct sigaction *sa = &parent->p_sigaction[SIGCHLD - 1];
	bool ignored;

	rw_rlock(&parent->p_lock);
	ignored = sa->sa_handler == SIG_IGN || (sa->sa_flags & SA_NOCLDWAIT) != 0;
	rw_unlock(&parent->p_lock);
	return (ignored);
}

/* Zombie p's parent gets its signal, and can wait for it, unless it does not want to know. */
static void
tell_parent(struct proc *p)
{
	struct proc *parent = p->p_parent;
	int status = p->p_status, sig = status & 0x7f;
	struct siginfo info = {
	    .si_signo = p->p_exit_signal,
	    .si_code = sig != 0 ? CLD_KILLED : CLD_EXITED,
	    .si_status = sig != 0 ? sig : status >> 8,
	};

	rw_assert_wlocked(&proctree_lock);
	proc_siginfo(p, &info);
	if (info.si_signo != 0)
		signal_send_info(parent, NULL, &info);
	wakeup(&parent->p_children);
	if (p->p_exit_signal == SIGCHLD && unwanted(parent)) {
		proc_remove(p);
		proc_rele(p);
	}
}

/* Who takes p's children: the nearest ancestor that wants to, else the first process. */
static struct proc *
reaper_of(struct proc *p)
{
	do
		p = p->p_parent;
	while (p->p_parent != NULL && (!p->p_subreaper || p->p_zombie));
	return (p);
}

/* Those of one list, p's or its zombies', to the same list of who adopts them. */
static void
orphan_list(struct proc *p, struct proclist *from, struct proc *reaper, struct proclist *to)
{
	struct proc *child;

	rw_assert_wlocked(&proctree_lock);
	while ((child = TAILQ_FIRST(from)) != NULL) {
		TAILQ_REMOVE(from, child, p_sibling);
		TAILQ_INSERT_TAIL(to, child, p_sibling);
		child->p_parent = reaper;
		child->p_ppid = reaper->p_pid;
		child->p_exit_signal = SIGCHLD;
		if (child->p_death_signal != 0)
			signal_send(child, NULL, child->p_death_signal);
		pgrp_untie(child, p);
		if (child->p_zombie) /* its new parent has one to wait for */
			tell_parent(child);
	}
}

/* p is dead: wait finds it before those that live, but after who was born earlier. */
static void
join_zombies(struct proc *p, struct proc *parent)
{
	struct proc *elder = TAILQ_LAST(&parent->p_zombies, proclist);

	TAILQ_REMOVE(&parent->p_children, p, p_sibling);
	while (elder != NULL && elder->p_start > p->p_start)
		elder = TAILQ_PREV(elder, proclist, p_sibling);
	if (elder != NULL)
		TAILQ_INSERT_AFTER(&parent->p_zombies, elder, p, p_sibling);
	else
		TAILQ_INSERT_HEAD(&parent->p_zombies, p, p_sibling);
}

/* p, released, is dead: its family learns of it. */
static void
proc_bury(struct proc *p)
{
	struct proc *parent, *reaper;

	rw_wlock(&proctree_lock);
	session_exit(p);
	p->p_zombie = true;
	p->p_vfork = false;
	reaper = reaper_of(p);
	orphan_list(p, &p->p_children, reaper, &reaper->p_children);
	orphan_list(p, &p->p_zombies, reaper, &reaper->p_zombies);
	parent = p->p_parent;
	pgrp_untie(p, parent);
	if (parent != NULL)
		join_zombies(p, parent);
	tell_parent(p);
	rw_unlock(&proctree_lock);
}

/* Who waits for this thread's end waits at this word. */
static void
tell_joiner(uint64_t addr)
{
	const uint32_t zero = 0;
	uint32_t woken;

	if (addr != 0 && copyout(&zero, (void *)addr, sizeof(zero)) == 0)
		futex_wake(addr, true, 1, FUTEX_ALL, &woken);
}

/* Curthread leaves its process, and ends it, with that status unless it has one, if it is the
 * last. */
static void __noreturn
thread_leave(struct proc *p, int status)
{
	sched_charge();
	futex_robust_exit();
	tell_joiner(curthread->td_clear_tid);
	if (!proc_leave(p))
		thread_exit();
	if (p->p_status < 0)
		p->p_status = status;
	TRACE(TR_EXIT, (uint64_t)p->p_status);
	proc_release(p);
	proc_died(p);
	if (p->p_pid == 1) {
		status = p->p_status;
		machine_exit((status & 0x7f) != 0 ? 128 + (status & 0x7f) : status >> 8 & 0xff);
	}
	proc_bury(p);
	thread_exit();
}

void
proc_exit(int status)
{
	struct proc *p = curproc;

	rw_wlock(&p->p_lock);
	if (p->p_status < 0)
		p->p_status = status; /* who ends it first decides */
	rw_unlock(&p->p_lock);
	proc_kill(p, SIGKILL);
	thread_leave(p, status);
}

void
proc_thread_exit(int status)
{
	thread_leave(curproc, status);
}

int
proc_single(void)
{
	struct proc *p = curproc;
	struct thread *td;
	int error = 0;

	rw_wlock(&p->p_lock);
	if (p->p_single != NULL) { /* another was quicker */
		rw_unlock(&p->p_lock);
		return (EINTR);
	}
	p->p_single = curthread;
	TAILQ_FOREACH (td, &p->p_threads, td_plink)
		if (td != curthread)
			thread_ast(td, AST_KILL);
	while (TAILQ_FIRST(&p->p_threads) != TAILQ_LAST(&p->p_threads, threadlist) && error == 0) {
		error = rw_sleep(&p->p_threads, &p->p_lock, SLEEP_KILL, 0);
		rw_wlock(&p->p_lock);
	}
	p->p_single = NULL;
	if (error == 0)
		curthread->td_tid = p->p_pid; /* whoever execs is the first thread */
	rw_unlock(&p->p_lock);
	return (error);
}

void
proc_execed(struct proc *p)
{
	rw_wlock(&proctree_lock);
	if (p->p_vfork)
		wakeup(&p->p_parent->p_children);
	p->p_vfork = false;
	p->p_execed = true;
	rw_unlock(&proctree_lock);
}

/*
 * How processes and threads begin: as a copy of the thread that asks.
 */
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/pwd.h"
#include "kern/string.h"
#include "kern/trace.h"
#include "fs/vnode.h"
#include "vm/vm_page.h"

/* No process or thread begins without so much free memory, for it and for what each process there is
 * may have to copy yet, of what it shares with others. */
#define FORK_PAGES   64
#define GROWTH_PAGES 8

/* Has curproc's user, not the superuser, as many processes and threads as it may? */
static bool
user_at_limit(void)
{
	uint64_t limit = lim_cur(RLIMIT_NPROC);
	uint32_t uid = curcred()->cr_ruid;

	return (limit < TASK_MAX && uid != 0 && !capable(CAP_SYS_RESOURCE) &&
		proc_count_of(uid) >= limit);
}

/* There is room for one more: limits, and enough memory that those who run can go on. */
static int
fork_allowed(void)
{
	thread_reap();
	if (proc_count() >= TASK_MAX || thread_count() >= TASK_MAX || user_at_limit())
		return (EAGAIN);
	return (memory_left(FORK_PAGES + GROWTH_PAGES * proc_count()) ? 0 : ENOMEM);
}

char *
thread_comm(struct thread *td)
{
	return (td->td_tid == td->td_proc->p_pid ? td->td_proc->p_comm : td->td_comm);
}

/* Give p, new, what it has of its parent but for the thread. What is there of it when that fails is
 * proc_release's to let go. */
static int
proc_inherit(struct proc *p, struct proc *parent, const struct fork_args *args)
{
	p->p_exit_signal = args->exit_signal;
	p->p_vfork = args->vfork;
	p->p_persona = parent->p_persona;
	p->p_no_new_privs = parent->p_no_new_privs;
	p->p_keepcaps = parent->p_keepcaps;
	p->p_oom_score_adj = parent->p_oom_score_adj;
	rw_rlock(&parent->p_lock);
	p->p_caps = parent->p_caps;
	memcpy(p->p_comm, thread_comm(curthread), sizeof(p->p_comm));
	memcpy(p->p_rlimit, parent->p_rlimit, sizeof(p->p_rlimit));
	p->p_cputimers = p->p_rlimit[RLIMIT_CPU].rlim_cur != RLIM_INFINITY;
	memcpy(p->p_sigaction, parent->p_sigaction, sizeof(p->p_sigaction));
	p->p_exe = parent->p_exe;
	vn_text_hold(p->p_exe); /* held already: cannot fail */
	p->p_cred = parent->p_cred;
	crhold(p->p_cred);
	rw_unlock(&parent->p_lock);
	if (args->clear_handlers)
		signal_exec(p);
	if (args->share_fs)
		pwd_ref(p->p_pd = parent->p_pd);
	else
		p->p_pd = pwd_copy(parent->p_pd);
	if (args->share_files)
		fd_ref(p->p_fd = parent->p_fd);
	else
		p->p_fd = fd_copy(parent->p_fd);
	if (p->p_pd == NULL || p->p_fd == NULL)
		return (ENOMEM);
	if (args->share_vm)
		vmspace_ref(p->p_vm = parent->p_vm);
	else
		p->p_vm = vmspace_fork(parent->p_vm);
	return (p->p_vm == NULL ? ENOMEM : 0);
}

/* What a new thread runs: tells the program its number, if that is wanted, and is in user mode. */
static void
fork_child(void *child_tid)
{
	int tid = curthread->td_tid;

	if (child_tid != NULL)
		copyout(&tid, child_tid, sizeof(tid));
	cpu_enter_user();
}

/* Among its process's threads from now on; EINTR if there are to be no more. */
static int
thread_link(struct proc *p, struct thread *td)
{
	int error = EINTR;

	rw_wlock(&p->p_lock);
	if (p->p_killed == 0 && p->p_single == NULL) {
		td->td_tid = TAILQ_EMPTY(&p->p_threads) ? p->p_pid : pid_alloc();
		TAILQ_INSERT_TAIL(&p->p_threads, td, td_plink);
		p->p_numthreads++;
		if (p->p_stopsig != 0)
			thread_ast(td, AST_SIGNAL);
		error = 0;
	}
	rw_unlock(&p->p_lock);
	return (error);
}

static int
thread_fork(struct proc *p, const struct fork_args *args, struct thread **tdp)
{
	struct thread *td = thread_create(p, "user", fork_child, args->child_tid);
	int error;

	if (td == NULL)
		return (ENOMEM);
	td->td_sigmask = curthread->td_sigmask;
	td->td_param = sched_inherit(curthread);
	td->td_cpumask = curthread->td_cpumask;
	td->td_timer_slack = curthread->td_timer_slack;
	memcpy(td->td_comm, thread_comm(curthread), sizeof(td->td_comm));
	if (!args->thread && (!args->share_vm || args->vfork))
		td->td_sigstack = curthread->td_sigstack;
	td->td_clear_tid = args->clear_tid;
	error = cpu_thread_fork(td, args->stack, args->set_tls ? &args->tls : NULL);
	if (error == 0)
		error = thread_link(p, td);
	if (error != 0)
		thread_destroy(td);
	*tdp = td;
	return (error);
}

/* Until child pid has execed or ended; a kill ends the wait, too. */
static void
vfork_wait(int pid)
{
	struct proc *p = curproc, *child;
	int error = 0;

	while (error == 0) {
		rw_wlock(&proctree_lock);
		TAILQ_FOREACH (child, &p->p_children, p_sibling)
			if (child->p_pid == pid)
				break;
		if (child == NULL || !child->p_vfork)
			break;
		error = rw_sleep(&p->p_children, &proctree_lock, SLEEP_KILL, 0);
	}
	if (error == 0)
		rw_unlock(&proctree_lock);
}

int
fork1(const struct fork_args *args, int *tid)
{
	struct proc *parent = curproc, *p = parent;
	struct thread *td;
	int error = fork_allowed();

	if (error != 0)
		return (error);
	if (!args->thread) {
		p = proc_alloc();
		if (p == NULL)
			return (ENOMEM);
		error = proc_inherit(p, parent, args);
	}
	if (error == 0)
		error = thread_fork(p, args, &td);
	if (error == 0 && p != parent && !proc_insert(p, parent)) {
		thread_destroy(td);
		error = ERESTARTNOINTR;
	}
	if (error != 0) {
		if (p != parent) {
			proc_release(p);
			proc_rele(p);
		}
		return (error);
	}
	TRACE(TR_FORK, (uint64_t)td->td_tid, (uint64_t)p->p_pid);
	*tid = td->td_tid;
	if (args->parent_tid != NULL)
		copyout(tid, args->parent_tid, sizeof(*tid));
	sched_add(td);
	if (args->vfork)
		vfork_wait(*tid);
	return (0);
}

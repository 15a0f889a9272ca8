/*
 * Processes: the table of them, the first one, and what is asked of one by others.
 */
#include "kern/proc.h"
#include "kern/console.h"
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/exec.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/panic.h"
#include "kern/pgrp.h"
#include "kern/ptimer.h"
#include "kern/pwd.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "fs/vnode.h"
#include "vm/vm_fault.h"
#include "vm/vm_page.h"

struct rwlock proctree_lock = RW_INITIALIZER("process table", LR_FILE);
struct proclist allproc = TAILQ_HEAD_INITIALIZER(allproc);
static int last_pid; /* atomic */
static uint64_t nprocs; /* (t) in the table */
STAT(procs, nprocs);
static int ndying; /* atomic: killed, but their memory is not free yet */

int
pid_alloc(void)
{
	return (__atomic_add_fetch(&last_pid, 1, __ATOMIC_RELAXED));
}

int
pid_last(void)
{
	return (__atomic_load_n(&last_pid, __ATOMIC_RELAXED));
}

struct proc *
proc_alloc(void)
{
	struct proc *p = kmalloc(sizeof(*p), 0);

	if (p == NULL)
		return (NULL);
	memset(p, 0, offsetof(struct proc, p_sigaction));
	rw_init(&p->p_lock, "process", LR_FILE);
	TAILQ_INIT(&p->p_threads);
	TAILQ_INIT(&p->p_children);
	TAILQ_INIT(&p->p_zombies);
	LIST_INIT(&p->p_ptimers);
	sigqueue_init(&p->p_sigqueue);
	p->p_refs = 1;
	p->p_pid = pid_alloc();
	p->p_caps = (struct caps){.effective = CAP_ALL, .permitted = CAP_ALL, .bounding = CAP_ALL};
	p->p_start = cpu_now();
	p->p_status = -1;
	return (p);
}

/* New numbers are the largest, mostly: the place is at the end. */
bool
proc_insert(struct proc *p, struct proc *parent)
{
	struct proc *before;

	rw_wlock(&proctree_lock);
	if (parent != NULL && (curthread->td_ast & (AST_KILL | AST_SIGNAL)) != 0) {
		rw_unlock(&proctree_lock);
		return (false);
	}
	p->p_parent = parent;
	p->p_ppid = parent != NULL ? parent->p_pid : 0;
	if (parent != NULL) {
		TAILQ_INSERT_TAIL(&parent->p_children, p, p_sibling);
		pgrp_inherit(p, parent);
	}
	before = TAILQ_LAST(&allproc, proclist);
	while (before != NULL && before->p_pid > p->p_pid)
		before = TAILQ_PREV(before, proclist, p_list);
	if (before != NULL)
		TAILQ_INSERT_AFTER(&allproc, before, p, p_list);
	else
		TAILQ_INSERT_HEAD(&allproc, p, p_list);
	nprocs++;
	rw_unlock(&proctree_lock);
	return (true);
}

void
proc_remove(struct proc *p)
{
	rw_assert_wlocked(&proctree_lock);
	pgrp_leave(p);
	TAILQ_REMOVE(p->p_zombie ? &p->p_parent->p_zombies : &p->p_parent->p_children, p,
		     p_sibling);
	TAILQ_REMOVE(&allproc, p, p_list);
	p->p_parent = NULL;
	nprocs--;
}

struct proc *
proc_next(int pid)
{
	struct proc *p;

	rw_rlock(&proctree_lock);
	TAILQ_FOREACH (p, &allproc, p_list)
		if (p->p_pid >= pid)
			break;
	if (p != NULL)
		__atomic_fetch_add(&p->p_refs, 1, __ATOMIC_RELAXED);
	rw_unlock(&proctree_lock);
	return (p);
}

struct proc *
proc_find(int pid)
{
	struct proc *p = proc_next(pid);

	if (p == NULL || p->p_pid == pid)
		return (p);
	proc_rele(p);
	return (NULL);
}

void
proc_rele(struct proc *p)
{
	if (__atomic_sub_fetch(&p->p_refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	crfree(p->p_cred);
	kfree(p);
}

uint64_t
proc_count(void)
{
	return (nprocs);
}

struct thread *
proc_thread(struct proc *p, int tid)
{
	struct thread *td;

	rw_assert_locked(&p->p_lock);
	TAILQ_FOREACH (td, &p->p_threads, td_plink)
		if (td->td_tid == tid)
			break;
	return (td);
}

/* P, referenced and write-locked, if the thread is one of its own; else NULL. */
static struct proc *
lock_if_has(struct proc *p, int tid, struct thread **tdp)
{
	rw_wlock(&p->p_lock);
	*tdp = proc_thread(p, tid);
	if (*tdp == NULL) {
		rw_unlock(&p->p_lock);
		return (NULL);
	}
	__atomic_fetch_add(&p->p_refs, 1, __ATOMIC_RELAXED);
	return (p);
}

struct proc *
proc_find_thread(int tid, struct thread **tdp)
{
	struct proc *p, *found;

	found = lock_if_has(curproc, tid != 0 ? tid : curthread->td_tid, tdp);
	if (found != NULL || tid <= 0)
		return (found);
	rw_rlock(&proctree_lock);
	TAILQ_FOREACH (p, &allproc, p_list) {
		found = lock_if_has(p, tid, tdp);
		if (found != NULL)
			break;
	}
	rw_unlock(&proctree_lock);
	return (found);
}

void
proc_thread_rele(struct proc *p)
{
	rw_unlock(&p->p_lock);
	proc_rele(p);
}

struct vmspace *
proc_vmspace(struct proc *p)
{
	struct vmspace *vm;

	rw_rlock(&p->p_lock);
	vm = p->p_vm;
	if (vm != NULL)
		vmspace_ref(vm);
	rw_unlock(&p->p_lock);
	return (vm);
}

static uint64_t
resident_locked(struct proc *p)
{
	rw_assert_locked(&p->p_lock);
	return (p->p_vm != NULL ? p->p_vm->vm_pmap.pm_resident : 0);
}

uint64_t
proc_resident(struct proc *p)
{
	uint64_t pages;

	rw_rlock(&p->p_lock);
	pages = resident_locked(p);
	rw_unlock(&p->p_lock);
	return (pages);
}

void
proc_usage(struct proc *p, struct usage *u)
{
	struct thread *td;

	rw_rlock(&p->p_lock);
	*u = (struct usage){.u_utime = p->p_utime,
			    .u_stime = p->p_stime,
			    .u_minflt = p->p_minflt,
			    .u_majflt = p->p_majflt,
			    .u_maxrss = MAX(p->p_maxrss, resident_locked(p))};
	TAILQ_FOREACH (td, &p->p_threads, td_plink) {
		u->u_minflt += td->td_minflt;
		u->u_majflt += td->td_majflt;
	}
	rw_unlock(&p->p_lock);
}

void
proc_siginfo(struct proc *p, struct siginfo *info)
{
	info->si_pid = p->p_pid;
	info->si_uid = p->p_cred->cr_ruid;
	info->si_utime = (int64_t)(p->p_utime / 10000000);
	info->si_stime = (int64_t)(p->p_stime / 10000000);
}

/* --- the first one ---------------------------------------------------------------------------- */

static struct {
	const char *path;
	int argc;
	char *const *argv;
} init_args;

/* Its arguments, and an environment: what it is by default, and then what the command line says. */
static int
init_arguments(struct image_args *args)
{
	static const struct {
		const char *name, *word;
	} usual[] = {
	    {"PATH", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	    {"HOME", "HOME=/root"},
	    {"TERM", "TERM=linux"},
	};
	const char *word;
	int error = 0;

	for (int i = 0; error == 0 && i < init_args.argc; i++)
		error = exec_args_add(args, init_args.argv[i], false, false);
	for (size_t i = 0; error == 0 && i < nitems(usual); i++)
		if (cmdline_get(usual[i].name) == NULL)
			error = exec_args_add(args, usual[i].word, false, true);
	for (int i = 0; error == 0 && (word = cmdline_environment(i)) != NULL; i++)
		error = exec_args_add(args, word, false, true);
	return (error);
}

/* Pid 1's thread: becomes the program. The exit status when it cannot is a shell's. */
static void
init_main(void *arg __unused)
{
	struct image_args args = {0};
	int error = init_arguments(&args);

	console_claim();
	if (error == 0)
		error = exec_program(init_args.path, &args);
	exec_args_free(&args);
	if (error != 0) {
		klog(LOG_ERR, "cannot run %s: %s (errno %d)", init_args.path,
		     error == ENOENT   ? "no such file"
		     : error == EACCES ? "not an executable file"
		     : error == ENOMEM ? "not enough memory"
		     : error == E2BIG  ? "arguments too long"
				       : "not a program this kernel can run",
		     error);
		proc_exit((error == ENOENT ? 127 : 126) << 8);
	}
	cpu_enter_user();
}

/* The descriptors, directories and address space that the first process begins with. A failure
 * ends the machine: nothing needs to be undone. */
static int
init_setup(struct proc *p)
{
	memset(p->p_sigaction, 0, sizeof(p->p_sigaction));
	p->p_pd = pwd_alloc();
	p->p_cred = &root_cred;
	crhold(p->p_cred);
	lim_init(p);
	p->p_vm = vmspace_alloc();
	p->p_fd = fd_alloc();
	if (p->p_pd == NULL || p->p_vm == NULL || p->p_fd == NULL)
		return (ENOMEM);
	strlcpy(p->p_comm, "init", sizeof(p->p_comm));
	return (fd_open_console(p->p_fd));
}

int
proc_start_init(const char *path, int argc, char *const argv[])
{
	struct proc *p = proc_alloc();
	struct thread *td;
	int error;

	if (p == NULL)
		return (ENOMEM);
	error = init_setup(p);
	if (error != 0)
		return (error);
	init_args.path = path;
	init_args.argc = argc;
	init_args.argv = argv;
	td = thread_create(p, "init", init_main, NULL);
	if (td == NULL)
		return (ENOMEM);
	td->td_tid = p->p_pid;
	TAILQ_INSERT_TAIL(&p->p_threads, td, td_plink);
	p->p_numthreads = 1;
	proc_insert(p, NULL);
	error = session_create(p);
	if (error == 0)
		sched_add(td);
	return (error);
}

/* --- what others do to one -------------------------------------------------------------------- */

void
proc_kill_locked(struct proc *p, int sig)
{
	struct thread *td;
	int none = 0;

	rw_assert_locked(&p->p_lock);
	if (TAILQ_EMPTY(&p->p_threads)) /* dead already */
		return;
	__atomic_fetch_add(&ndying, 1, __ATOMIC_RELAXED); /* first: vm_oom relies on it */
	if (!__atomic_compare_exchange_n(&p->p_killed, &none, sig, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		__atomic_fetch_sub(&ndying, 1, __ATOMIC_RELAXED);
	TAILQ_FOREACH (td, &p->p_threads, td_plink)
		thread_ast(td, AST_KILL);
}

void
proc_kill(struct proc *p, int sig)
{
	rw_rlock(&p->p_lock);
	proc_kill_locked(p, sig);
	rw_unlock(&p->p_lock);
}

void
proc_died(struct proc *p)
{
	int n = 0;

	if (p->p_killed != 0)
		n = __atomic_sub_fetch(&ndying, 1, __ATOMIC_RELAXED);
	KASSERT(n >= 0, ("more processes died than were killed"));
	(void)n;
}

void
proc_ast(void)
{
	struct proc *p = curproc;

	if (p->p_killed != 0)
		proc_exit(p->p_killed);
	if (thread_killed()) /* another thread execs */
		proc_thread_exit(0);
	if ((curthread->td_ast & AST_TIMER) != 0)
		ptimer_ast();
	signal_ast();
	if (!thread_killed())
		signal_ast_done();
}

bool
proc_dying(void)
{
	return (__atomic_load_n(&ndying, __ATOMIC_RELAXED) != 0);
}

uint64_t
proc_count_of(uint32_t uid)
{
	uint64_t n = 0;
	struct proc *p;

	rw_rlock(&proctree_lock);
	TAILQ_FOREACH (p, &allproc, p_list) {
		rw_rlock(&p->p_lock);
		if (p->p_cred->cr_ruid == uid)
			n += MAX(p->p_numthreads, 1u);
		rw_unlock(&p->p_lock);
	}
	rw_unlock(&proctree_lock);
	return (n);
}

bool
proc_signal_all(const struct siginfo *info)
{
	struct proc *p;
	bool any = false;

	rw_rlock(&proctree_lock);
	TAILQ_FOREACH (p, &allproc, p_list) {
		if (p->p_pid == 1 || p == curproc || cr_cansignal(p) != 0)
			continue;
		any = true;
		if (info->si_signo != 0)
			signal_send_info(p, NULL, info);
	}
	rw_unlock(&proctree_lock);
	return (any);
}

void
vm_fault_count(bool major)
{
	struct thread *td = curthread;

	if (major)
		td->td_majflt++;
	else
		td->td_minflt++;
}

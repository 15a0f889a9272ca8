/*
 * Processes: how the first one begins, how each ends, and the table of them.
 */
#include "kern/proc.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "fs/vnode.h"
#include "vm/vm_fault.h"
#include "vm/vm_page.h"

/* Held for short, never while memory is waited for: vm_oom takes it. Before any p_lock. */
static struct rwlock allproc_lock = RW_INITIALIZER("process table", LR_FILE);
static TAILQ_HEAD(, proc) allproc = TAILQ_HEAD_INITIALIZER(allproc); /* allproc_lock */
static int last_pid; /* atomic */
static uint64_t nprocs; /* atomic: those not dead */
STAT(procs, nprocs);

int
pid_alloc(void)
{
	return (__atomic_add_fetch(&last_pid, 1, __ATOMIC_RELAXED));
}

static void
name_ref(void *vp)
{
	vref(vp);
}

static void
name_rele(void *vp)
{
	vrele(vp);
}

/* Let go of all that a process has but its identity. */
static void
proc_release(struct proc *p)
{
	if (p->p_fd != NULL)
		fd_free(p->p_fd);
	vm_map_destroy(&p->p_map);
	pmap_release(&p->p_pmap);
	if (p->p_exe != NULL)
		vrele(p->p_exe);
	vrele(p->p_cwd);
	p->p_fd = NULL;
	p->p_exe = p->p_cwd = NULL;
}

/* A process with an empty address space, the console open, and no thread; not in the table. */
static int
proc_alloc(struct proc **pp)
{
	struct proc *p = kmalloc(sizeof(*p), M_ZERO);
	int error;

	if (p == NULL)
		return (ENOMEM);
	error = pmap_pinit(&p->p_pmap);
	if (error != 0) {
		kfree(p);
		return (error);
	}
	rw_init(&p->p_lock, "process", LR_FILE);
	TAILQ_INIT(&p->p_threads);
	vm_map_init(&p->p_map, &p->p_pmap, VM_MINUSER_ADDRESS, VM_MAXUSER_ADDRESS);
	p->p_map.name_ref = name_ref;
	p->p_map.name_rele = name_rele;
	p->p_start = cpu_now();
	p->p_status = -1;
	p->p_cwd = rootvnode;
	vref(p->p_cwd);
	p->p_fd = fd_alloc();
	error = p->p_fd == NULL ? ENOMEM : fd_open_console(p->p_fd);
	if (error != 0) {
		proc_release(p);
		kfree(p);
		return (error);
	}
	*pp = p;
	return (0);
}

static struct {
	const char *path;
	int argc;
	char *const *argv;
} init_args;

/* Pid 1's thread: becomes the program. The exit status when it cannot is a shell's. */
static void
init_main(void *arg)
{
	static char *const envv[] = {"PATH=/bin:/sbin:/usr/bin", "HOME=/", "TERM=linux"};
	int error;

	(void)arg;
	error = exec_load(curproc, curthread, init_args.path, init_args.argc, init_args.argv,
			  nitems(envv), envv);
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

int
proc_start_init(const char *path, int argc, char *const argv[])
{
	struct thread *td;
	struct proc *p;
	int error;

	error = proc_alloc(&p);
	if (error != 0)
		return (error);
	p->p_pid = pid_alloc();
	strlcpy(p->p_comm, "init", sizeof(p->p_comm));
	init_args.path = path;
	init_args.argc = argc;
	init_args.argv = argv;
	td = thread_create(p, "init", init_main, NULL);
	if (td == NULL) {
		proc_release(p);
		kfree(p);
		return (ENOMEM);
	}
	rw_wlock(&allproc_lock);
	TAILQ_INSERT_TAIL(&allproc, p, p_list);
	rw_unlock(&allproc_lock);
	__atomic_fetch_add(&nprocs, 1, __ATOMIC_RELAXED);
	sched_add(td);
	return (0);
}

/* Curthread becomes a kernel thread: the address space may go away under it from now on. True when it
 * was the process's last. */
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
	last = TAILQ_EMPTY(&p->p_threads);
	rw_unlock(&p->p_lock);
	return (last);
}

void
proc_exit(int status)
{
	struct proc *p = curproc;

	sched_charge();
	rw_wlock(&p->p_lock);
	if (p->p_status < 0)
		p->p_status = status; /* who ends it first decides */
	rw_unlock(&p->p_lock);
	proc_kill(p, SIGKILL); /* the other threads unwind; the last one to leave cleans up */
	if (!proc_leave(p))
		thread_exit();
	proc_release(p);
	__atomic_fetch_sub(&nprocs, 1, __ATOMIC_RELAXED);
	if (p->p_pid == 1) {
		status = p->p_status;
		machine_exit((status & 0x7f) != 0 ? 128 + (status & 0x7f) : status >> 8 & 0xff);
	}
	thread_exit(); /* p stays in the table until its parent asks for its status */
}

void
proc_kill(struct proc *p, int sig)
{
	struct thread *td;
	int none = 0;

	__atomic_compare_exchange_n(&p->p_killed, &none, sig, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	rw_rlock(&p->p_lock);
	TAILQ_FOREACH (td, &p->p_threads, td_plink)
		sched_abort_sleep(td);
	rw_unlock(&p->p_lock);
}

void
proc_ast(void)
{
	if (thread_killed())
		proc_exit(curproc->p_killed);
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

bool
vm_oom(void)
{
	struct proc *p, *victim = NULL;
	bool found;

	rw_rlock(&allproc_lock);
	TAILQ_FOREACH (p, &allproc, p_list) {
		if (p->p_cwd == NULL) /* dead, with nothing left but its status */
			continue;
		if (p->p_killed != 0) { /* its memory is on its way back */
			rw_unlock(&allproc_lock);
			return (true);
		}
		if (victim == NULL || p->p_pmap.pm_resident > victim->p_pmap.pm_resident)
			victim = p;
	}
	found = victim != NULL;
	if (found) {
		klog(LOG_WARNING, "out of memory: killed pid %d (%s), %lu KiB", victim->p_pid,
		     victim->p_comm, victim->p_pmap.pm_resident * (PAGE_SIZE >> 10));
		proc_kill(victim, SIGKILL);
	}
	rw_unlock(&allproc_lock);
	return (found);
}

void
vm_fault_count(bool major)
{
	struct proc *p = curproc;

	if (p != NULL)
		__atomic_fetch_add(major ? &p->p_majflt : &p->p_minflt, 1, __ATOMIC_RELAXED);
}

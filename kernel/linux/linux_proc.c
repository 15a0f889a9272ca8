/*
 * System calls on the process itself: identity, end, signals, limits, usage.
 *
 * Signals: masks, pending signals and actions are kept truthfully, and default actions are done.
 * Handlers cannot be called yet: a process dies of a signal that it has a handler for, and the log says so.
 */
#include "linux/linux.h"
#include "fs/vnode.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/proc.h"
#include "kern/random.h"
#include "kern/string.h"
#include "vm/vm_page.h"

int64_t
sys_exit(int status)
{
	proc_exit((status & 0xff) << 8);
}

/* One thread is the whole process. */
int64_t sys_exit_group(int status) __attribute__((alias("sys_exit")));

int64_t
sys_getpid(void)
{
	return (curproc->p_pid);
}

int64_t
sys_gettid(void)
{
	return (curthread->td_tid);
}

int64_t
sys_set_tid_address(void)
{
	return (
	    curthread->td_tid); /* the address matters once a thread can end before its process */
}

int64_t
sys_getppid(void)
{
	return (0); /* the first process's; there is no other yet */
}

/* All programs are the superuser. */
int64_t
sys_getuid(void)
{
	return (0);
}
int64_t sys_geteuid(void) __attribute__((alias("sys_getuid")));
int64_t sys_getgid(void) __attribute__((alias("sys_getuid")));
int64_t sys_getegid(void) __attribute__((alias("sys_getuid")));

int64_t
sys_sched_yield(void)
{
	sched_yield();
	return (0);
}

/* --- signals ------------------------------------------------------------------------------------------ */

#define SIGBIT(sig) (1ul << ((sig)-1))
#define SIG_NEVER   (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)) /* cannot be blocked, caught or ignored */
/* Ignored by default. Stopping belongs here while there is nobody who could let the process go on. */
#define SIG_HARMLESS                                                                               \
	(SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | \
	 SIGBIT(SIGTTOU) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH))

/* Do what the process's action for sig says. */
static void
signal_act(int sig)
{
	struct proc *p = curproc;
	uint64_t handler;

	rw_rlock(&p->p_lock);
	handler = p->p_sigaction[sig - 1].sa_handler;
	rw_unlock(&p->p_lock);
	if (handler == SIG_IGN || (handler == SIG_DFL && (SIG_HARMLESS & SIGBIT(sig)) != 0))
		return;
	if (handler != SIG_DFL)
		klog(LOG_WARNING, "%s[%d]: the handler of signal %d cannot be called: it dies",
		     p->p_comm, p->p_pid, sig);
	proc_kill(p, sig);
}

/* Act on the signals that are pending and no longer blocked. */
static void
signal_unblocked(void)
{
	struct thread *td = curthread;
	uint64_t ready;

	while ((ready = td->td_sigpend & ~td->td_sigmask) != 0) {
		td->td_sigpend &= ~(ready & -ready);
		signal_act(__builtin_ctzl(ready) + 1);
	}
}

/* To this thread: there is no other. */
static int64_t
signal_send(int sig)
{
	if (sig < 0 || sig > NSIG)
		return (-EINVAL);
	if (sig != 0)
		curthread->td_sigpend |= SIGBIT(sig);
	signal_unblocked();
	return (0);
}

int64_t
sys_kill(int pid, int sig)
{
	return (pid == 0 || pid == curproc->p_pid ? signal_send(sig) : -ESRCH);
}

int64_t
sys_tkill(int tid, int sig)
{
	if (tid <= 0)
		return (-EINVAL);
	return (tid == curthread->td_tid ? signal_send(sig) : -ESRCH);
}

int64_t
sys_tgkill(int pid, int tid, int sig)
{
	return (pid <= 0 ? -EINVAL : pid == curproc->p_pid ? sys_tkill(tid, sig) : -ESRCH);
}

int64_t
sys_rt_sigprocmask(int how, const uint64_t *uset, uint64_t *uold, uint64_t size)
{
	struct thread *td = curthread;
	uint64_t old = td->td_sigmask, set = 0;

	if (size != sizeof(set) || (uset != NULL && (uint32_t)how > SIG_SETMASK))
		return (-EINVAL);
	if (uset != NULL && copyin(uset, &set, sizeof(set)) != 0)
		return (-EFAULT);
	set &= ~SIG_NEVER;
	if (uset != NULL)
		td->td_sigmask = how == SIG_BLOCK     ? old | set
				 : how == SIG_UNBLOCK ? old & ~set
						      : set;
	signal_unblocked();
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

/* --- what there is, and how much of it was used ------------------------------------------------------------- */

int64_t
sys_uname(void *uname)
{
	static const char names[6][65] = {"Linux",        "quire",  KERNEL_RELEASE,
					  KERNEL_VERSION, "x86_64", "(none)"};

	return (COPYOUT(&names, uname));
}

int64_t
sys_getrusage(int who, void *usage)
{
	struct {
		int64_t utime[2], stime[2], maxrss, shared[3], minflt, majflt, rest[8];
	} ru = {0};
	struct proc *p = curproc;

	if (who < -1 || who > 1)
		return (-EINVAL);
	if (who != -1) { /* no children, one thread */
		sched_charge();
		ru.utime[0] = p->p_utime / 1000000000;
		ru.utime[1] = p->p_utime / 1000 % 1000000;
		ru.stime[0] = p->p_stime / 1000000000;
		ru.stime[1] = p->p_stime / 1000 % 1000000;
		ru.maxrss = p->p_pmap.pm_resident * (PAGE_SIZE / 1024);
		ru.minflt = p->p_minflt;
		ru.majflt = p->p_majflt;
	}
	return (COPYOUT(&ru, usage));
}

int64_t
sys_sysinfo(void *info)
{
	struct {
		uint64_t uptime, loads[3], totalram, freeram, shared, buffers, swap[2];
		uint16_t procs;
		uint64_t high[2];
		uint32_t unit;
	} si = {
	    .uptime = cpu_now() / 1000000000,
	    .totalram = ptoa(vm_cnt.v_page_count),
	    .freeram = ptoa(vm_cnt.v_free_count),
	    .procs = 1,
	    .unit = 1,
	};

	return (COPYOUT(&si, info));
}

/* Limits are told, and cannot be changed. */
int64_t
sys_prlimit64(int pid, uint32_t resource, const uint64_t *unew, uint64_t *uold)
{
	uint64_t limit[2] = {UINT64_MAX, UINT64_MAX}, new[2];

	if (resource >= RLIMIT_COUNT)
		return (-EINVAL);
	if (pid != 0 && pid != curproc->p_pid)
		return (-ESRCH);
	if (resource == RLIMIT_STACK)
		limit[0] = 8ul << 20;
	if (resource == RLIMIT_NOFILE)
		limit[0] = limit[1] = FD_MAX;
	if (unew != NULL && copyin(unew, new, sizeof(new)) != 0)
		return (-EFAULT);
	if (unew != NULL && memcmp(new, limit, sizeof(new)) != 0)
		return (-EPERM);
	return (uold != NULL ? COPYOUT(&limit, uold) : 0);
}

int64_t
sys_getrlimit(uint32_t resource, uint64_t *ulimit)
{
	return (sys_prlimit64(0, resource, NULL, ulimit));
}

int64_t
sys_arch_prctl(int code, uint64_t arg)
{
	uint64_t base;

	switch (code) {
	case ARCH_SET_FS:
		return (-cpu_set_fsbase(arg));
	case ARCH_SET_GS:
		return (-cpu_set_gsbase(arg));
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		base = code == ARCH_GET_FS ? cpu_get_fsbase() : cpu_get_gsbase();
		return (COPYOUT(&base, (void *)arg));
	}
	return (-EINVAL);
}

int64_t
sys_prctl(int option, char *name)
{
	struct proc *p = curproc;
	char comm[sizeof(p->p_comm)] = "";
	int error;

	if (option != PR_SET_NAME && option != PR_GET_NAME)
		return (-EINVAL);
	if (option == PR_SET_NAME) {
		error = copyinstr(name, comm, sizeof(comm), NULL);
		if (error == EFAULT)
			return (-EFAULT);
		comm[sizeof(comm) - 1] = '\0'; /* a longer name is cut */
	}
	rw_wlock(&p->p_lock);
	memcpy(option == PR_SET_NAME ? p->p_comm : comm, option == PR_SET_NAME ? comm : p->p_comm,
	       sizeof(comm));
	rw_unlock(&p->p_lock);
	return (option == PR_GET_NAME ? COPYOUT(&comm, name) : 0);
}

int64_t
sys_getrandom(void *buf, uint64_t len, uint32_t flags)
{
	struct uio uio = {.uio_base = buf, .uio_resid = MIN(len, (uint64_t)INT32_MAX)};
	uint8_t bytes[256];
	int error = (flags & ~7u) != 0 ? EINVAL : 0;

	while (uio.uio_resid > 0 && error == 0) {
		random_bytes(bytes, sizeof(bytes));
		error = uiomove(bytes, MIN(uio.uio_resid, sizeof(bytes)), &uio);
	}
	return (error == 0 || uio.uio_offset > 0 ? (int64_t)uio.uio_offset : -error);
}

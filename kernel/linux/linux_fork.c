/*
 * System calls that begin and end processes and threads, and wait.
 */
#include "linux/linux.h"
#include "fs/vnode.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/pgrp.h"
#include "kern/proc.h"

/* --- clone ------------------------------------------------------------------------------------ */

struct clone_args { /* clone3's, as of its first version and later */
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};
#define CLONE_ARGS_SIZE0 64

/* A thread shares all that there is, a process anything but the actions of signals. */
static int
clone_check(uint64_t flags)
{
	const uint64_t thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS;
	const uint64_t known = thread | CLONE_VFORK | CLONE_SYSVSEM | CLONE_SETTLS |
			       CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID |
			       CLONE_DETACHED | CLONE_CLEAR_SIGHAND | CLONE_SIGNAL;
	const uint64_t shared = flags & (CLONE_SIGHAND | CLONE_THREAD);

	if (((flags & CLONE_SIGHAND) != 0 && (flags & CLONE_VM) == 0) ||
	    ((flags & CLONE_THREAD) != 0 && (flags & CLONE_SIGHAND) == 0) ||
	    (flags & (CLONE_SIGHAND | CLONE_CLEAR_SIGHAND)) ==
		(CLONE_SIGHAND | CLONE_CLEAR_SIGHAND))
		return (EINVAL);
	if ((flags & ~known) == 0 && (shared == 0 || (flags & thread) == thread))
		return (0);
	klog(LOG_NOTICE, "clone with flags %#lx is not supported", flags);
	return (EINVAL);
}

static int64_t
clone(const struct clone_args *ca)
{
	struct fork_args fa = {
	    .thread = (ca->flags & CLONE_THREAD) != 0,
	    .share_vm = (ca->flags & CLONE_VM) != 0,
	    .share_files = (ca->flags & CLONE_FILES) != 0,
	    .share_fs = (ca->flags & CLONE_FS) != 0,
	    .vfork = (ca->flags & CLONE_VFORK) != 0,
	    .clear_handlers = (ca->flags & CLONE_CLEAR_SIGHAND) != 0,
	    .set_tls = (ca->flags & CLONE_SETTLS) != 0,
	    .exit_signal = ca->exit_signal,
	    .stack = ca->stack,
	    .tls = ca->tls,
	    .parent_tid = (ca->flags & CLONE_PARENT_SETTID) != 0 ? (int *)ca->parent_tid : NULL,
	    .child_tid = (ca->flags & CLONE_CHILD_SETTID) != 0 ? (int *)ca->child_tid : NULL,
	    .clear_tid = (ca->flags & CLONE_CHILD_CLEARTID) != 0 ? ca->child_tid : 0,
	};
	int tid, error = clone_check(ca->flags);

	if (error == 0 && ca->exit_signal > NSIG)
		error = EINVAL;
	if (error == 0)
		error = fork1(&fa, &tid);
	return (error != 0 ? -error : tid);
}

int64_t
sys_clone(uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid, uint64_t tls)
{
	return (clone(&(struct clone_args){
	    .flags = (uint32_t)flags & ~CLONE_SIGNAL,
	    .exit_signal = flags & CLONE_SIGNAL,
	    .stack = stack,
	    .parent_tid = parent_tid,
	    .child_tid = child_tid,
	    .tls = tls,
	}));
}

/* A structure of a later version than ours: E2BIG if what we do not know of is asked for. */
static int
rest_is_zero(const char *urest, uint64_t len)
{
	char byte;

	for (; len > 0; urest++, len--) {
		if (copyin(urest, &byte, 1) != 0)
			return (EFAULT);
		if (byte != 0)
			return (E2BIG);
	}
	return (0);
}

int64_t
sys_clone3(const void *uargs, uint64_t size)
{
	struct clone_args ca = {0};
	int error = 0;

	if (size < CLONE_ARGS_SIZE0)
		return (-EINVAL);
	if (size > PAGE_SIZE)
		return (-E2BIG);
	if (size > sizeof(ca))
		error = rest_is_zero((const char *)uargs + sizeof(ca), size - sizeof(ca));
	if (error != 0)
		return (-error);
	if (copyin(uargs, &ca, MIN(size, sizeof(ca))) != 0)
		return (-EFAULT);
	if ((ca.flags & (CLONE_SIGNAL | CLONE_DETACHED)) != 0 || ca.set_tid_size != 0 ||
	    (ca.stack == 0) != (ca.stack_size == 0) || ca.cgroup != 0 ||
	    ((ca.flags & CLONE_THREAD) != 0 && ca.exit_signal != 0))
		return (-EINVAL);
	ca.stack += ca.stack_size;
	return (clone(&ca));
}

int64_t
sys_fork(void)
{
	return (clone(&(struct clone_args){.exit_signal = SIGCHLD}));
}

int64_t
sys_vfork(void)
{
	return (
	    clone(&(struct clone_args){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD}));
}

int64_t
sys_set_tid_address(uint64_t addr)
{
	curthread->td_clear_tid = addr;
	return (curthread->td_tid);
}

int64_t
sys_getppid(void)
{
	return (curproc->p_ppid);
}

/* --- the end ---------------------------------------------------------------------------------- */

int64_t
sys_exit(int status)
{
	proc_thread_exit((status & 0xff) << 8);
}

int64_t
sys_exit_group(int status)
{
	proc_exit((status & 0xff) << 8);
}

/* --- wait ------------------------------------------------------------------------------------- */

/* Number pgid, or 0 for the caller's own. */
static int
group_number(int pgid)
{
	int sid;

	if (pgid == 0)
		pgrp_get(0, &pgid, &sid);
	return (pgid);
}

/* What is to be waited for; WNOTHREAD does not matter, since children are their process's. */
static int
wait_flags(uint32_t options)
{
	static const uint32_t flags[][2] = {
	    {WNOHANG, WAIT_NOHANG},    {WNOWAIT, WAIT_KEEP},         {WEXITED, WAIT_EXITED},
	    {WUNTRACED, WAIT_STOPPED}, {WCONTINUED, WAIT_CONTINUED}, {WCLONE, WAIT_CLONES},
	    {WALL, WAIT_ALL},
	};
	uint32_t result = 0;

	for (size_t i = 0; i < nitems(flags); i++)
		result |= (options & flags[i][0]) != 0 ? flags[i][1] : 0;
	return ((int)result);
}

int64_t
sys_wait4(int pid, int *ustatus, uint32_t options, void *usage)
{
	int flags = wait_flags(options) | WAIT_EXITED, error;
	struct wait_result r;
	int64_t result;

	if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED | WALL | WCLONE | WNOTHREAD)) != 0)
		return (-EINVAL);
	if (pid == INT32_MIN)
		return (-ESRCH);
	error = pid > 0     ? proc_wait(WAIT_PID, pid, flags, &r)
		: pid == -1 ? proc_wait(WAIT_ANY, 0, flags, &r)
			    : proc_wait(WAIT_PGID, group_number(-pid), flags, &r);
	if (error != 0 || r.pid == 0)
		return (-error);
	result = ustatus != NULL ? COPYOUT(&r.status, ustatus) : 0;
	if (result == 0 && usage != NULL)
		result = usage_copyout(&r.usage, usage);
	return (result != 0 ? result : r.pid);
}

/* A wait status as SIGCHLD's siginfo tells it. */
static void
tell_status(int status, struct siginfo *info)
{
	info->si_code = status == W_CONTINUED     ? CLD_CONTINUED
			: (status & 0xff) == 0x7f ? CLD_STOPPED
			: (status & 0x7f) != 0    ? CLD_KILLED
						  : CLD_EXITED;
	info->si_status = status == W_CONTINUED         ? SIGCONT
			  : info->si_code == CLD_KILLED ? status & 0x7f
							: status >> 8;
}

int64_t
sys_waitid(int idtype, int id, struct siginfo *uinfo, uint32_t options, void *usage)
{
	int error, flags = wait_flags(options);
	struct siginfo info = {0};
	struct wait_result r;
	int64_t result = 0;

	if ((options & ~(WNOHANG | WNOWAIT | WEXITED | WUNTRACED | WCONTINUED | WALL | WCLONE |
			 WNOTHREAD)) != 0 ||
	    (options & (WEXITED | WUNTRACED | WCONTINUED)) == 0 || idtype < P_ALL ||
	    idtype > P_PGID || (idtype == P_PID && id <= 0) || (idtype == P_PGID && id < 0))
		return (-EINVAL);
	error = idtype == P_PID    ? proc_wait(WAIT_PID, id, flags, &r)
		: idtype == P_PGID ? proc_wait(WAIT_PGID, group_number(id), flags, &r)
				   : proc_wait(WAIT_ANY, 0, flags, &r);
	if (error == 0 && r.pid != 0) {
		info.si_signo = SIGCHLD;
		info.si_pid = r.pid;
		tell_status(r.status, &info);
		result = usage != NULL ? usage_copyout(&r.usage, usage) : 0;
	}
	/* No more of it than the call tells, and zeros where it failed; the rest stays what it was. */
	if (result == 0 && uinfo != NULL)
		result = -copyout(&info, uinfo, offsetof(struct siginfo, si_utime));
	return (result != 0 ? result : -error);
}

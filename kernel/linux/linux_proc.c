/*
 * System calls on the process itself: identity, limits, usage, names.
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
sys_getpid(void)
{
	return (curproc->p_pid);
}

int64_t
sys_gettid(void)
{
	return (curthread->td_tid);
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

/* --- what there is, and how much of it was used ----------------------------------------------- */

int64_t
sys_uname(void *uname)
{
	static const char names[6][65] = {"Linux",        "quire",  KERNEL_RELEASE,
					  KERNEL_VERSION, "x86_64", "(none)"};

	return (COPYOUT(&names, uname));
}

int64_t
usage_copyout(const struct usage *u, void *usage)
{
	struct {
		int64_t utime[2], stime[2], maxrss, shared[3], minflt, majflt, rest[8];
	} ru = {
	    .utime = {u->u_utime / 1000000000, u->u_utime / 1000 % 1000000},
	    .stime = {u->u_stime / 1000000000, u->u_stime / 1000 % 1000000},
	    .maxrss = u->u_maxrss * (PAGE_SIZE / 1024),
	    .minflt = u->u_minflt,
	    .majflt = u->u_majflt,
	};

	return (COPYOUT(&ru, usage));
}

int64_t
sys_getrusage(int who, void *usage)
{
	struct proc *p = curproc;
	struct usage u;

	if (who < -1 || who > 1)
		return (-EINVAL);
	if (who == -1) {
		rw_rlock(&proctree_lock);
		u = p->p_cusage;
		rw_unlock(&proctree_lock);
	} else { /* a thread's own is not told from its process's */
		sched_charge();
		proc_usage(p, &u);
	}
	return (usage_copyout(&u, usage));
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
	    .procs = proc_count(),
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

/*
 * System calls that set the ways of a process or thread: prctl, arch_prctl, personality,
 * capabilities.
 */
#include "linux/linux.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"

/* clang-format off */
enum {
	PR_SET_PDEATHSIG = 1, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_GET_KEEPCAPS = 7,
	PR_SET_KEEPCAPS, PR_GET_TIMING = 13, PR_SET_TIMING, PR_SET_NAME, PR_GET_NAME,
	PR_GET_SECCOMP = 21, PR_CAPBSET_READ = 23, PR_CAPBSET_DROP, PR_GET_TSC, PR_SET_TSC,
	PR_GET_SECUREBITS, PR_SET_TIMERSLACK = 29, PR_GET_TIMERSLACK, PR_SET_CHILD_SUBREAPER = 36,
	PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS,
	PR_CAP_AMBIENT = 47,
};
enum { AMBIENT_IS_SET = 1, AMBIENT_RAISE, AMBIENT_LOWER, AMBIENT_CLEAR_ALL };
/* clang-format on */
enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS };
enum { TSC_ENABLE = 1 };

/* --- names ------------------------------------------------------------------------------------ */

static int64_t
set_name(const char *uname)
{
	struct thread *td = curthread;
	char name[sizeof(td->td_comm)] = "";

	if (copyinstr(uname, name, sizeof(name), NULL) == EFAULT)
		return (-EFAULT);
	name[sizeof(name) - 1] = '\0'; /* a longer name is cut */
	rw_wlock(&curproc->p_lock);
	memcpy(thread_comm(td), name, sizeof(name));
	rw_unlock(&curproc->p_lock);
	return (0);
}

static int64_t
get_name(char *uname)
{
	struct thread *td = curthread;
	char name[sizeof(td->td_comm)];

	rw_rlock(&curproc->p_lock);
	memcpy(name, thread_comm(td), sizeof(name));
	rw_unlock(&curproc->p_lock);
	return (COPYOUT(&name, uname));
}

/* --- capabilities ----------------------------------------------------------------------------- */

enum { CAP_VERSION_1 = 0x19980330, CAP_VERSION_2 = 0x20071026, CAP_VERSION_3 = 0x20080522 };
#define CAP_WORDS 2

struct cap_header {
	uint32_t version;
	int pid;
};
struct cap_words {
	uint32_t effective, permitted, inheritable;
};

/* How many words the caller's version has; 0: it is none, and the caller is told a good one. */
static int
cap_header_in(struct cap_header *uheader, struct cap_header *header, int64_t *result)
{
	const uint32_t good = CAP_VERSION_3;

	*result = COPYIN(uheader, header);
	if (*result != 0)
		return (0);
	if (header->version == CAP_VERSION_1)
		return (1);
	if (header->version == CAP_VERSION_2 || header->version == CAP_VERSION_3)
		return (CAP_WORDS);
	*result = COPYOUT(&good, &uheader->version) != 0 ? -EFAULT : -EINVAL;
	return (0);
}

int64_t
sys_capget(struct cap_header *uheader, struct cap_words *udata)
{
	struct cap_words data[CAP_WORDS];
	struct cap_header header;
	struct thread *td;
	struct caps caps;
	struct proc *p;
	int64_t result;
	int n = cap_header_in(uheader, &header, &result);

	if (udata == NULL && (n != 0 || result == -EINVAL)) /* who asks for the version alone */
		return (0);
	if (n == 0)
		return (result);
	if (header.pid < 0)
		return (-EINVAL);
	p = proc_find_thread(header.pid, &td);
	if (p == NULL)
		return (-ESRCH);
	caps = p->p_caps;
	proc_thread_rele(p);
	for (int i = 0; i < CAP_WORDS; i++)
		data[i] = (struct cap_words){(uint32_t)(caps.effective >> 32 * i),
					     (uint32_t)(caps.permitted >> 32 * i),
					     (uint32_t)(caps.inheritable >> 32 * i)};
	return (-copyout(data, udata, (size_t)n * sizeof(data[0])));
}

static int
caps_set(struct caps *caps, const struct caps *new)
{
	if ((new->inheritable & ~(caps->inheritable | caps->permitted)) != 0 ||
	    (new->inheritable & ~(caps->inheritable | caps->bounding)) != 0 ||
	    (new->permitted & ~caps->permitted) != 0 || (new->effective & ~new->permitted) != 0)
		return (EPERM);
	caps->effective = new->effective;
	caps->permitted = new->permitted;
	caps->inheritable = new->inheritable;
	caps->ambient &= caps->permitted & caps->inheritable;
	return (0);
}

int64_t
sys_capset(struct cap_header *uheader, const struct cap_words *udata)
{
	struct cap_words data[CAP_WORDS] = {0};
	struct proc *p = curproc;
	struct cap_header header;
	struct caps new = {0};
	int64_t result;
	int error, n = cap_header_in(uheader, &header, &result);

	if (n == 0)
		return (result);
	if (header.pid != 0 && header.pid != curthread->td_tid)
		return (-EPERM);
	if (copyin(udata, data, (size_t)n * sizeof(data[0])) != 0)
		return (-EFAULT);
	for (int i = 0; i < CAP_WORDS; i++) {
		new.effective |= (uint64_t)data[i].effective << 32 * i &CAP_ALL;
		new.permitted |= (uint64_t)data[i].permitted << 32 * i &CAP_ALL;
		new.inheritable |= (uint64_t)data[i].inheritable << 32 * i &CAP_ALL;
	}
	rw_wlock(&p->p_lock);
	error = caps_set(&p->p_caps, &new);
	rw_unlock(&p->p_lock);
	return (-error);
}

static int64_t
bounding(struct proc *p, uint64_t cap, bool drop)
{
	int64_t result = 0;

	if (cap >= 64 || (CAP_ALL >> cap & 1) == 0)
		return (-EINVAL);
	rw_wlock(&p->p_lock);
	if (drop)
		p->p_caps.bounding &= ~(1ul << cap);
	else
		result = p->p_caps.bounding >> cap & 1;
	rw_unlock(&p->p_lock);
	return (result);
}

static int64_t
ambient(struct proc *p, uint64_t op, uint64_t cap)
{
	struct caps *caps = &p->p_caps;
	uint64_t bit = cap < 64 ? 1ul << cap & CAP_ALL : 0;
	int64_t result = 0;

	if (op < AMBIENT_IS_SET || op > AMBIENT_CLEAR_ALL ||
	    (op == AMBIENT_CLEAR_ALL ? cap != 0 : bit == 0))
		return (-EINVAL);
	rw_wlock(&p->p_lock);
	if (op == AMBIENT_CLEAR_ALL)
		caps->ambient = 0;
	else if (op == AMBIENT_IS_SET)
		result = (caps->ambient & bit) != 0;
	else if (op == AMBIENT_LOWER)
		caps->ambient &= ~bit;
	else if ((caps->permitted & caps->inheritable & bit) != 0)
		caps->ambient |= bit;
	else
		result = -EPERM;
	rw_unlock(&p->p_lock);
	return (result);
}

/* --- prctl ------------------------------------------------------------------------------------ */

/* A flag that is 0 or 1. */
static int64_t
set_flag(bool *flag, uint64_t value)
{
	if (value > 1)
		return (-EINVAL);
	*flag = value != 0;
	return (0);
}

static int64_t
put_int(int value, uint64_t uaddr)
{
	return (COPYOUT(&value, (void *)uaddr));
}

static int64_t
set_death_signal(struct proc *p, uint64_t sig)
{
	if (sig > NSIG)
		return (-EINVAL);
	__atomic_store_n(&p->p_death_signal, (int)sig, __ATOMIC_RELAXED);
	return (0);
}

/* Options that have one argument, or none. */
static int64_t
prctl_simple(int option, uint64_t arg)
{
	struct thread *td = curthread;
	struct proc *p = curproc;

	switch (option) {
	case PR_SET_PDEATHSIG:
		return (set_death_signal(p, arg));
	case PR_GET_PDEATHSIG:
		return (put_int(p->p_death_signal, arg));
	case PR_GET_DUMPABLE:
		return (p->p_vm->vm_dumpable);
	case PR_SET_DUMPABLE:
		return (set_flag(&p->p_vm->vm_dumpable, arg));
	case PR_GET_KEEPCAPS:
		return (p->p_keepcaps);
	case PR_SET_KEEPCAPS:
		return (set_flag(&p->p_keepcaps, arg));
	case PR_GET_TIMING: /* as the clock ticks */
	case PR_GET_SECCOMP:
	case PR_GET_SECUREBITS:
		return (0);
	case PR_SET_TIMING:
		return (arg == 0 ? 0 : -EINVAL);
	case PR_GET_TSC:
		return (put_int(TSC_ENABLE, arg));
	case PR_SET_TSC:
		return (arg == TSC_ENABLE ? 0 : -EINVAL);
	case PR_SET_TIMERSLACK:
		td->td_timer_slack = (int64_t)arg > 0 ? arg : TIMER_SLACK;
		return (0);
	case PR_GET_TIMERSLACK:
		return ((int64_t)td->td_timer_slack);
	case PR_SET_CHILD_SUBREAPER:
		p->p_subreaper = arg != 0;
		return (0);
	case PR_GET_CHILD_SUBREAPER:
		return (put_int(p->p_subreaper, arg));
	case PR_GET_TID_ADDRESS:
		return (COPYOUT(&td->td_clear_tid, (void *)arg));
	}
	klog(LOG_NOTICE, "prctl option %d is not supported", option);
	return (-EINVAL);
}

int64_t
sys_prctl(int option, uint64_t arg, uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
	struct proc *p = curproc;

	switch (option) {
	case PR_SET_NAME:
		return (set_name((const char *)arg));
	case PR_GET_NAME:
		return (get_name((char *)arg));
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
		return (bounding(p, arg, option == PR_CAPBSET_DROP));
	case PR_CAP_AMBIENT:
		return (arg4 != 0 || arg5 != 0 ? -EINVAL : ambient(p, arg, arg3));
	case PR_SET_NO_NEW_PRIVS:
		if (arg != 1 || arg3 != 0 || arg4 != 0 || arg5 != 0)
			return (-EINVAL);
		p->p_no_new_privs = true;
		return (0);
	case PR_GET_NO_NEW_PRIVS:
		return (arg != 0 || arg3 != 0 || arg4 != 0 || arg5 != 0 ? -EINVAL
									: p->p_no_new_privs);
	}
	return (prctl_simple(option, arg));
}

/* --- others ----------------------------------------------------------------------------------- */

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

#define PERSONALITY_ASK 0xffffffffu

int64_t
sys_personality(uint32_t persona)
{
	struct proc *p = curproc;
	uint32_t old = p->p_persona;

	if (persona != PERSONALITY_ASK)
		p->p_persona = persona;
	return (old);
}

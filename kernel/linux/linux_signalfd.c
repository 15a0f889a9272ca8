/*
 * signalfd: a file from which whoever reads it takes its own signals.
 */
#include "linux/linux.h"
#include "fs/vnode.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/proc.h"

struct signalfd_siginfo {
	uint32_t signo;
	int32_t error, code;
	uint32_t pid, uid;
	int32_t fd;
	uint32_t tid, band, overrun, trapno;
	int32_t status, value_int;
	uint64_t value, utime, stime, addr;
	uint8_t pad[48];
};
_Static_assert(sizeof(struct signalfd_siginfo) == 128, "signalfd(2)");

/* Locks: (a) atomic */
struct signalfd {
	struct vnode sf_vnode;
	uint64_t sf_set; /* (a) */
};
#define SIGNALFD(vp) container_of(vp, struct signalfd, sf_vnode)

static const struct vnodeops signalfd_ops;

static struct signalfd_siginfo
to_record(const struct siginfo *info)
{
	struct signalfd_siginfo r = {
	    .signo = info->si_signo, .error = info->si_errno, .code = info->si_code};

	if (info->si_code == SI_TIMER) {
		r.tid = info->si_timerid;
		r.overrun = info->si_overrun;
		r.value = info->si_timer_value;
		r.value_int = (int32_t)r.value;
		return (r);
	}
	if (((SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGFPE) | SIGBIT(SIGILL)) &
	     SIGBIT(info->si_signo)) != 0 &&
	    info->si_code > SI_USER && info->si_code < SI_KERNEL) {
		r.addr = info->si_addr;
		return (r);
	}
	r.pid = info->si_pid;
	r.uid = info->si_uid;
	if (info->si_signo == SIGCHLD && info->si_code > SI_USER) {
		r.status = info->si_status;
		r.utime = info->si_utime;
		r.stime = info->si_stime;
	} else if (info->si_code < SI_USER) {
		r.value = info->si_value;
		r.value_int = (int32_t)r.value;
	}
	return (r);
}

/* The next signal of the file's that waits for the caller; sleeps, if wait is set. */
static int
next_signal(struct signalfd *sf, bool wait, struct siginfo *info)
{
	struct proc *p = curproc;

	for (;;) {
		rw_wlock(&p->p_lock);
		p->p_signalfds = true;
		if (signal_take(sf->sf_set, info) != 0) {
			rw_unlock(&p->p_lock);
			return (0);
		}
		if (!wait) {
			rw_unlock(&p->p_lock);
			return (EAGAIN);
		}
		if (rw_sleep(&p->p_sigsel, &p->p_lock, SLEEP_INTR, 0) == EINTR)
			return (ERESTART);
	}
}

static int
signalfd_read(struct vnode *vp, struct uio *uio, struct file *fp)
{
	bool wait = (fp->f_flags & O_NONBLOCK) == 0;
	struct signalfd_siginfo record;
	struct siginfo info;
	int error = 0;

	if (uio->uio_resid < sizeof(record))
		return (EINVAL);
	for (size_t n = uio->uio_resid / sizeof(record); n > 0 && error == 0; n--) {
		error = next_signal(SIGNALFD(vp), wait, &info);
		if (error != 0)
			return (wait ? error : uio->uio_offset > 0 ? 0 : error);
		record = to_record(&info);
		error = uiomove(&record, sizeof(record), uio);
		wait = false;
	}
	return (error);
}

static uint32_t
signalfd_poll(struct vnode *vp, struct file *fp __unused, struct selfd *sfd)
{
	struct proc *p = curproc;
	uint64_t ready;

	rw_wlock(&p->p_lock);
	p->p_signalfds = true;
	selrecord(&p->p_sigsel, sfd);
	ready = signal_pending() & SIGNALFD(vp)->sf_set;
	rw_unlock(&p->p_lock);
	return (ready != 0 ? POLLIN | POLLRDNORM : 0);
}

static int
change_set(int fd, uint64_t set)
{
	struct file *fp;
	int error = fget(fd, &fp);

	if (error != 0)
		return (error);
	if (fp->f_vnode->v_ops != &signalfd_ops)
		error = EINVAL;
	else
		__atomic_store_n(&SIGNALFD(fp->f_vnode)->sf_set, set, __ATOMIC_RELAXED);
	fdrop(fp);
	return (error);
}

int64_t
sys_signalfd4(int fd, const uint64_t *uset, uint64_t size, uint32_t flags)
{
	struct vnode *vp;
	uint64_t set;
	int error;

	if (size != sizeof(set))
		return (-EINVAL);
	if (copyin(uset, &set, sizeof(set)) != 0)
		return (-EFAULT);
	if ((flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK)) != 0)
		return (-EINVAL);
	set &= ~SIG_NEVER;
	if (fd != -1) {
		error = change_set(fd, set);
		return (error != 0 ? -error : fd);
	}
	vp = vnode_alloc(sizeof(struct signalfd), &signalfd_ops, VANON, NULL,
			 "anon_inode:[signalfd]", 21);
	if (vp != NULL) {
		vp->v_attr.va_mode = 0600;
		SIGNALFD(vp)->sf_set = set;
	}
	error = file_install(vp, O_RDWR | flags, &fd);
	return (error != 0 ? -error : fd);
}

int64_t
sys_signalfd(int fd, const uint64_t *uset, uint64_t size)
{
	return (sys_signalfd4(fd, uset, size, 0));
}

static const struct vnodeops signalfd_ops = {
    .v_read = signalfd_read,
    .v_poll = signalfd_poll,
};

/*
 * System calls that lock files: flock, and fcntl's commands for ranges of bytes.
 */
#include "linux/linux_lock.h"
#include "kern/file.h"
#include "kern/lockf.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "fs/vnode.h"

enum { LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8 };

struct linux_flock {
	int16_t type, whence;
	int64_t start, len;
	int32_t pid;
};

/* The range [start, start + len) of a program's lock; len may be negative, or 0: to the end. */
static int
lock_range(const struct linux_flock *fl, struct file *fp, struct lockf_req *req)
{
	int64_t start = fl->start, base = 0;

	if (fl->whence == LINUX_SEEK_CUR)
		base = fp->f_offset;
	else if (fl->whence == LINUX_SEEK_END)
		base = fp->f_vnode->v_size;
	else if (fl->whence != LINUX_SEEK_SET)
		return (EINVAL);
	if (__builtin_add_overflow(start, base, &start))
		return (EOVERFLOW);
	if (start < 0)
		return (EINVAL);
	req->start = start;
	req->end = INT64_MAX;
	if (fl->len > 0 && fl->len - 1 > INT64_MAX - start)
		return (EOVERFLOW);
	if (fl->len > 0)
		req->end = start + fl->len - 1;
	if (fl->len < 0 && start + fl->len < 0)
		return (EINVAL);
	if (fl->len < 0) {
		req->start = start + fl->len;
		req->end = start - 1;
	}
	return (0);
}

static int
lock_in(struct file *fp, bool ofd, const struct linux_flock *ufl, struct linux_flock *fl,
	struct lockf_req *req)
{
	int error;

	if (copyin(ufl, fl, sizeof(*fl)) != 0)
		return (EFAULT);
	if (fl->type < LOCKF_SHARED || fl->type > LOCKF_NONE)
		return (EINVAL);
	*req = (struct lockf_req){
	    .kind = ofd ? LOCKF_OFD : LOCKF_POSIX,
	    .type = fl->type,
	    .owner = ofd ? (const void *)fp : curproc->p_fd,
	    .pid = ofd ? -1 : curproc->p_pid,
	};
	error = lock_range(fl, fp, req);
	return (error == 0 && ofd && fl->pid != 0 ? EINVAL : error);
}

static int64_t
lock_get(struct file *fp, bool ofd, struct linux_flock *ufl)
{
	struct linux_flock fl;
	struct lockf_req req;
	int error = lock_in(fp, ofd, ufl, &fl, &req);

	if (error == 0 && !ofd && req.type == LOCKF_NONE)
		error = EINVAL;
	if (error != 0)
		return (-error);
	lockf_get(fp->f_vnode, &req);
	fl.type = req.type;
	if (req.type != LOCKF_NONE) {
		fl.whence = LINUX_SEEK_SET;
		fl.start = req.start;
		fl.len = req.end == INT64_MAX ? 0 : req.end - req.start + 1;
		fl.pid = req.pid;
	}
	return (COPYOUT(&fl, ufl));
}

/* Another thread may have closed the descriptor while this one waited, and with it all locks. */
static bool
still_open(int fd, struct file *fp)
{
	struct file *now;

	if (fget(fd, &now) != 0)
		return (false);
	fdrop(now);
	return (now == fp);
}

static int64_t
lock_set(int fd, struct file *fp, bool ofd, bool wait, const struct linux_flock *ufl)
{
	struct linux_flock fl;
	struct lockf_req req;
	int error = lock_in(fp, ofd, ufl, &fl, &req);

	if (error == 0 && ((req.type == LOCKF_SHARED && !file_readable(fp)) ||
			   (req.type == LOCKF_EXCLUSIVE && !file_writable(fp))))
		error = EBADF;
	if (error == 0)
		error = lockf_set(fp->f_vnode, &req, wait);
	if (error == 0 && !ofd && req.type != LOCKF_NONE && !still_open(fd, fp)) {
		req.type = LOCKF_NONE;
		lockf_set(fp->f_vnode, &req, false);
		error = EBADF;
	}
	return (-error);
}

bool
linux_is_lock(int command)
{
	return ((command >= F_GETLK && command <= F_SETLKW) ||
		(command >= F_OFD_GETLK && command <= F_OFD_SETLKW));
}

int64_t
linux_fcntl_lock(int fd, struct file *fp, int command, uint64_t arg)
{
	bool ofd = command >= F_OFD_GETLK;
	struct linux_flock *ufl = (void *)arg;

	if (command == F_GETLK || command == F_OFD_GETLK)
		return (lock_get(fp, ofd, ufl));
	return (lock_set(fd, fp, ofd, command == F_SETLKW || command == F_OFD_SETLKW, ufl));
}

int64_t
sys_flock(int fd, int operation)
{
	struct lockf_req req = {.kind = LOCKF_FLOCK, .end = INT64_MAX};
	struct file *fp;
	int error;

	switch (operation & ~LOCK_NB) {
	case LOCK_SH:
		req.type = LOCKF_SHARED;
		break;
	case LOCK_EX:
		req.type = LOCKF_EXCLUSIVE;
		break;
	case LOCK_UN:
		req.type = LOCKF_NONE;
		break;
	default:
		return (-EINVAL);
	}
	error = fget(fd, &fp);
	if (error != 0)
		return (-error);
	req.owner = fp;
	error = lockf_set(fp->f_vnode, &req, (operation & LOCK_NB) == 0);
	fdrop(fp);
	return (-error);
}

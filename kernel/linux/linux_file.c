/*
 * System calls on descriptors.
 */
#include "linux/linux_lock.h"
#include "linux/linux_memfd.h"
#include "kern/cdev.h"
#include "kern/cred.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/pipe.h"
#include "kern/proc.h"
#include "kern/pwd.h"
#include "fs/vnode.h"

enum { CLOSE_RANGE_UNSHARE = 2, CLOSE_RANGE_CLOEXEC = 4 };
enum { F_SETOWN = 8, F_GETOWN, F_SETPIPE_SZ = 1031, F_GETPIPE_SZ };

int64_t
sys_close(int fd)
{
	return (-fd_close(curproc->p_fd, fd));
}

int64_t
sys_close_range(uint32_t first, uint32_t last, uint32_t flags)
{
	struct filedesc *fdp;
	bool cloexec;
	int error;

	if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0 || first > last)
		return (-EINVAL);
	error = (flags & CLOSE_RANGE_UNSHARE) != 0 ? fd_unshare() : 0;
	if (error != 0)
		return (-error);
	fdp = curproc->p_fd;
	last = MIN(last, (uint32_t)INT32_MAX);
	for (int fd = MIN(first, last); (fd = fd_next(fdp, fd)) >= 0 && (uint32_t)fd <= last;
	     fd++) {
		if ((flags & CLOSE_RANGE_CLOEXEC) != 0)
			fd_cloexec(fdp, fd, true, &cloexec);
		else
			fd_close(fdp, fd);
	}
	return (0);
}

/* What threads share, a thread cannot have for itself: its process must have no other. */
int64_t
sys_unshare(uint64_t flags)
{
	int error = 0;

	if ((flags & ~(uint64_t)(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM)) != 0) {
		klog(LOG_NOTICE, "unshare with flags %#lx is not supported", flags);
		return (-EINVAL);
	}
	if ((flags & CLONE_FILES) != 0)
		error = fd_unshare();
	if (error == 0 && (flags & CLONE_FS) != 0)
		error = pwd_unshare();
	return (-error);
}

/* from again: as descriptor to, or when min >= 0 as the lowest free one from there on. */
static int64_t
file_dup(int from, int to, int min, bool cloexec)
{
	struct file *fp;
	int error = fget_path(from, &fp);

	if (error != 0)
		return (-error);
	error = min >= 0 ? fd_install(curproc->p_fd, fp, min, cloexec, &to)
			 : fd_replace(curproc->p_fd, fp, to, cloexec);
	if (error != 0)
		fdrop(fp);
	return (error != 0 ? -error : to);
}

int64_t
sys_dup(int fd)
{
	return (file_dup(fd, 0, 0, false));
}

int64_t
sys_dup3(int from, int to, uint32_t flags)
{
	if ((flags & ~(uint32_t)O_CLOEXEC) != 0 || from == to)
		return (-EINVAL);
	return (file_dup(from, to, -1, flags != 0));
}

int64_t
sys_dup2(int from, int to)
{
	bool cloexec;

	if (from == to)
		return (fd_cloexec(curproc->p_fd, from, -1, &cloexec) != 0 ? -EBADF : to);
	return (file_dup(from, to, -1, false));
}

static int
set_flags(struct file *fp, uint32_t flags)
{
	uint32_t settable = O_APPEND | O_NONBLOCK;

	if (fp->f_vnode->v_type == VFIFO)
		settable |= O_DIRECT;
	else if ((flags & O_DIRECT) != 0 && (fp->f_flags & O_DIRECT) == 0)
		return (EINVAL);
	__atomic_store_n(&fp->f_flags, (fp->f_flags & ~settable) | (flags & settable),
			 __ATOMIC_RELAXED);
	return (0);
}

/* Noted and told, that is all: no file sends SIGIO. A negative number is a process group's. */
static int
set_owner(struct file *fp, int owner)
{
	struct proc *p = owner > 0 ? proc_find(owner) : NULL;

	if (owner == INT32_MIN)
		return (EINVAL);
	if (owner > 0 && p == NULL)
		return (ESRCH);
	if (p != NULL)
		proc_rele(p);
	__atomic_store_n(&fp->f_owner, owner, __ATOMIC_RELAXED);
	return (0);
}

static int64_t
pipe_fcntl(struct file *fp, int command, uint32_t size)
{
	int error;

	if (fp->f_vnode->v_type != VFIFO)
		return (-EBADF);
	if (command == F_GETPIPE_SZ)
		return (pipe_size(fp->f_vnode));
	if (size > 1u << 31)
		return (-EINVAL);
	if (size > PIPE_SIZE_FREE && !capable(CAP_SYS_RESOURCE))
		return (-EPERM);
	error = pipe_resize(fp->f_vnode, size);
	return (error != 0 ? -error : (int64_t)pipe_size(fp->f_vnode));
}

static int64_t
fd_fcntl(int fd, struct file *fp, int command, uint64_t arg)
{
	bool cloexec;
	int error;

	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return ((uint32_t)arg >= (uint32_t)fd_limit()
			    ? -EINVAL
			    : file_dup(fd, 0, arg, command != F_DUPFD));
	case F_GETFD:
	case F_SETFD:
		error =
		    fd_cloexec(curproc->p_fd, fd, command == F_SETFD ? (int)arg & 1 : -1, &cloexec);
		return (error != 0 ? -error : command == F_GETFD && cloexec);
	case F_GETFL:
		return (fp->f_flags & ~(uint32_t)O_CLOEXEC);
	case F_SETFL:
		return (-set_flags(fp, arg));
	case F_SETOWN:
		return (-set_owner(fp, arg));
	case F_GETOWN:
		return (fp->f_owner);
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return (pipe_fcntl(fp, command, arg));
	}
	if (linux_is_lock(command))
		return (linux_fcntl_lock(fd, fp, command, arg));
	return (linux_is_seal(command) ? linux_fcntl_seal(fp, command, arg) : -EINVAL);
}

/* What of fcntl also those have who were opened with O_PATH. */
static bool
path_command(int command)
{
	return (command == F_DUPFD || command == F_DUPFD_CLOEXEC || command == F_GETFD ||
		command == F_SETFD || command == F_GETFL);
}

int64_t
sys_fcntl(int fd, int command, uint64_t arg)
{
	struct file *fp;
	int64_t result;

	if (fget_path(fd, &fp) != 0)
		return (-EBADF);
	result = (fp->f_flags & O_PATH) != 0 && !path_command(command)
		     ? -EBADF
		     : fd_fcntl(fd, fp, command, arg);
	fdrop(fp);
	return (result);
}

/* What a regular file has from its position on. */
static int
bytes_left(struct file *fp, int *uleft)
{
	int left = fp->f_vnode->v_size - fp->f_offset;

	return (copyout(&left, uleft, sizeof(left)));
}

static int
file_ioctl(struct file *fp, uint32_t command, uint64_t arg)
{
	struct vnode *vp = fp->f_vnode;

	if (command == FIONREAD && vp->v_type == VREG)
		return (bytes_left(fp, (int *)arg));
	return (vp->v_ops->v_ioctl != NULL ? vp->v_ops->v_ioctl(vp, fp, command, arg) : ENOTTY);
}

static int
set_nonblocking(struct file *fp, const int *uon)
{
	int on;

	if (copyin(uon, &on, sizeof(on)) != 0)
		return (EFAULT);
	return (set_flags(fp, on != 0 ? fp->f_flags | O_NONBLOCK : fp->f_flags & ~O_NONBLOCK));
}

int64_t
sys_ioctl(int fd, uint32_t command, uint64_t arg)
{
	struct file *fp;
	bool was;
	int error = fget(fd, &fp);

	if (error != 0)
		return (-error);
	switch (command) {
	case FIOCLEX:
	case FIONCLEX:
		error = fd_cloexec(curproc->p_fd, fd, command == FIOCLEX, &was);
		break;
	case FIONBIO:
		error = set_nonblocking(fp, (int *)arg);
		break;
	default:
		error = file_ioctl(fp, command, arg);
	}
	fdrop(fp);
	return (-error);
}

/*
 * System calls on descriptors.
 */
#include "linux/linux_lock.h"
#include "linux/linux_memfd.h"
#include "kern/cdev.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "fs/vnode.h"

int64_t
sys_close(int fd)
{
	return (-fd_close(curproc->p_fd, fd));
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

int64_t
sys_fcntl(int fd, int command, uint64_t arg)
{
	const uint32_t settable = O_APPEND | O_NONBLOCK;
	bool cloexec;
	struct file *fp;
	int64_t result = 0;

	if (fget_path(fd, &fp) != 0)
		return (-EBADF);
	if ((fp->f_flags & O_PATH) != 0 && command != F_DUPFD && command != F_DUPFD_CLOEXEC &&
	    command != F_GETFD && command != F_SETFD && command != F_GETFL) {
		fdrop(fp);
		return (-EBADF);
	}
	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		result = arg >= FD_MAX ? -EINVAL : file_dup(fd, 0, arg, command != F_DUPFD);
		break;
	case F_GETFD:
	case F_SETFD:
		result = -fd_cloexec(curproc->p_fd, fd, command == F_SETFD ? (int)arg & 1 : -1,
				     &cloexec);
		if (result == 0 && command == F_GETFD)
			result = cloexec;
		break;
	case F_GETFL:
		result = fp->f_flags & ~(uint32_t)O_CLOEXEC;
		break;
	case F_SETFL:
		__atomic_store_n(&fp->f_flags, (fp->f_flags & ~settable) | (arg & settable),
				 __ATOMIC_RELAXED);
		break;
	default:
		result = linux_is_lock(command)   ? linux_fcntl_lock(fd, fp, command, arg)
			 : linux_is_seal(command) ? linux_fcntl_seal(fp, command, arg)
						  : -EINVAL;
	}
	fdrop(fp);
	return (result);
}

/* The console is a terminal: in canonical mode, with echo, of the size that serial lines have. */
static int
tty_ioctl(uint64_t command, void *arg)
{
	const struct {
		uint32_t iflag, oflag, cflag, lflag;
		uint8_t line, cc[19];
	} termios = {0400, 05, 0277, 0105073, 0, {3, 28, 127, 21, 4, 0, 1}};
	const uint16_t winsize[4] = {25, 80};

	switch (command) {
	case TCGETS:
		return (copyout(&termios, arg, sizeof(termios)));
	case TIOCGWINSZ:
		return (copyout(winsize, arg, sizeof(winsize)));
	}
	return (ENOTTY);
}

int64_t
sys_ioctl(int fd, uint32_t command, uint64_t arg)
{
	struct vnode *vp;
	struct file *fp;
	int error = fget(fd, &fp);

	if (error != 0)
		return (-error);
	vp = fp->f_vnode;
	if (vp->v_cdev != NULL && vp->v_cdev->cd_major == 5)
		error = tty_ioctl(command, (void *)arg);
	else
		error =
		    vp->v_ops->v_ioctl != NULL ? vp->v_ops->v_ioctl(vp, fp, command, arg) : ENOTTY;
	fdrop(fp);
	return (-error);
}

/*
 * System calls on descriptors, and on directories that are open.
 */
#include "linux/linux.h"
#include "kern/cdev.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "fs/vnode.h"

/* The entry at *cookie, of every directory: "." and ".." come first. */
static int
dir_entry(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	if (*cookie >= 2)
		return (dir->v_ops->v_readdir(dir, cookie, name, ino, type));
	strlcpy(name, *cookie == 0 ? "." : "..", NAME_MAX + 1);
	*ino = *cookie == 0 ? dir->v_ino : dir->v_parent->v_ino;
	*type = VDIR;
	++*cookie;
	return (0);
}

/* As many entries from *cookie on as fit. */
static int
dir_read(struct vnode *dir, char *ubuf, size_t size, uint64_t *cookie, size_t *done)
{
	static const uint8_t types[] = {
	    [VREG] = 8, [VDIR] = 4, [VLNK] = 10, [VCHR] = 2, [VFIFO] = 1, [VSOCK] = 12};
	char buf[roundup2(sizeof(struct linux_dirent64) + NAME_MAX + 1, 8ul)] __aligned_to(8);
	struct linux_dirent64 *de = (void *)buf;
	uint64_t ino, next = *cookie;
	enum vtype type;
	int error;

	for (*done = 0;; *cookie = next, *done += de->reclen) {
		memset(buf, 0, sizeof(buf));
		error = dir_entry(dir, &next, de->name, &ino, &type);
		if (error != 0)
			return (error == ENOENT ? 0 : error);
		de->reclen = roundup2(sizeof(*de) + strlen(de->name) + 1, 8ul);
		if (de->reclen > size - *done)
			return (*done > 0 ? 0 : EINVAL);
		de->ino = ino;
		de->off = next;
		de->type = types[type];
		error = copyout(de, ubuf + *done, de->reclen);
		if (error != 0)
			return (error);
	}
}

int64_t
sys_getdents64(int fd, char *ubuf, uint32_t size)
{
	struct file *fp;
	size_t done = 0;
	int error = fget(fd, &fp);

	if (error != 0)
		return (-error);
	rw_wlock(&fp->f_lock);
	error = fp->f_vnode->v_type != VDIR
		    ? ENOTDIR
		    : dir_read(fp->f_vnode, ubuf, size, &fp->f_offset, &done);
	rw_unlock(&fp->f_lock);
	fdrop(fp);
	return (done == 0 && error != 0 ? -error : (int64_t)done);
}

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
	int error = fget(from, &fp);

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

	if (fget(fd, &fp) != 0)
		return (-EBADF);
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
		result = -EINVAL;
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

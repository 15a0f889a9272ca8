/*
 * System calls that read, write and seek.
 */
#include "linux/linux.h"
#include "kern/cdev.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "fs/vnode.h"
#include "vm/pmap.h"

enum { RWF_HIPRI = 1, RWF_DSYNC = 2, RWF_SYNC = 4, RWF_NOWAIT = 8, RWF_APPEND = 16 };

bool
file_seekable(struct file *fp)
{
	struct vnode *vp = fp->f_vnode;

	return (vp->v_type == VREG || vp->v_type == VDIR ||
		(vp->v_type == VCHR && vp->v_cdev->cd_sw->d_seekable));
}

bool
user_range(const void *base, uint64_t len)
{
	return (len <= VM_MAXUSER_ADDRESS && (uint64_t)base <= VM_MAXUSER_ADDRESS - len);
}

int
iovec_in(const struct iovec *uiov, uint32_t count, struct iovec **iovp, struct uio *uio)
{
	struct iovec *iov = kmalloc((count + 1) * sizeof(*iov), 0);
	int error = iov == NULL ? ENOMEM : copyin(uiov, iov, count * sizeof(*iov));

	*uio = (struct uio){.uio_next = iov};
	for (uint32_t i = 0; i < count && error == 0; i++) {
		if ((int64_t)iov[i].iov_len < 0)
			error = EINVAL;
		else if (!user_range(iov[i].iov_base, iov[i].iov_len))
			error = EFAULT;
		iov[i].iov_len = MIN(iov[i].iov_len, RW_MAX - uio->uio_resid);
		uio->uio_resid += iov[i].iov_len;
	}
	*iovp = iov;
	if (error != 0)
		kfree(iov);
	return (error);
}

/* At *pos, which moves. EINVAL: that is not in any file. */
static int
io_at(struct file *fp, struct uio *uio, uint64_t *pos)
{
	int error = EINVAL;

	uio->uio_offset = *pos;
	if ((int64_t)(*pos + uio->uio_resid) >= 0)
		error = vn_io(fp->f_vnode, uio, fp);
	*pos = uio->uio_offset;
	return (error);
}

/* As /proc/PID/io tells. */
static void
count_io(bool write, size_t bytes)
{
	struct io_count *count = write ? &curproc->p_written : &curproc->p_read;

	__atomic_fetch_add(&count->calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&count->bytes, bytes, __ATOMIC_RELAXED);
}

int64_t
file_io(struct file *fp, struct uio *uio, uint64_t *pos)
{
	size_t len = uio->uio_resid;
	int error;

	if (uio->uio_write ? !file_writable(fp) : !file_readable(fp))
		return (-EBADF);
	if (pos != NULL) {
		error = io_at(fp, uio, pos);
	} else if (!file_seekable(fp)) { /* may wait for input: others go on meanwhile */
		error = vn_io(fp->f_vnode, uio, fp);
	} else {
		rw_wlock(&fp->f_lock);
		error = io_at(fp, uio, &fp->f_offset);
		rw_unlock(&fp->f_lock);
	}
	len -= uio->uio_resid;
	count_io(uio->uio_write, len);
	return (len > 0 ? (int64_t)len : -error);
}

/* One piece. pos: where, for pread and pwrite; NULL: at the file's position, which moves. */
static int64_t
fd_io(int fd, void *buf, uint64_t len, bool write, uint64_t *pos)
{
	struct uio uio = {.uio_base = buf, .uio_resid = MIN(len, RW_MAX), .uio_write = write};
	struct file *fp;
	int64_t result;

	if (pos != NULL && (int64_t)*pos < 0)
		return (-EINVAL);
	if (fget(fd, &fp) != 0)
		return (-EBADF);
	if (pos != NULL && !file_seekable(fp))
		result = -ESPIPE;
	else if (write ? !file_writable(fp) : !file_readable(fp))
		result = -EBADF;
	else
		result = user_range(buf, len) ? file_io(fp, &uio, pos) : -EFAULT;
	fdrop(fp);
	return (result);
}

/* May this file be read or written as RWF_* say? */
static int
rwf_check(struct file *fp, uint32_t flags)
{
	enum vtype type = fp->f_vnode->v_type;

	if ((flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)) != 0)
		return (EOPNOTSUPP);
	return ((flags & RWF_NOWAIT) != 0 && type != VFIFO && type != VSOCK ? EOPNOTSUPP : 0);
}

static int64_t
fd_iov(int fd, const struct iovec *uiov, uint32_t count, bool write, uint64_t *pos, uint32_t flags)
{
	struct iovec *iov;
	struct file *fp;
	struct uio uio;
	int64_t result;
	int error;

	if (pos != NULL && (int64_t)*pos < 0)
		return (-EINVAL);
	if (fget(fd, &fp) != 0)
		return (-EBADF);
	if (pos != NULL && !file_seekable(fp))
		error = ESPIPE;
	else
		error = count > IOV_MAX ? EINVAL : iovec_in(uiov, count, &iov, &uio);
	if (error != 0) {
		fdrop(fp);
		return (-error);
	}
	uio.uio_write = write;
	uio.uio_nowait = (flags & RWF_NOWAIT) != 0;
	uio.uio_append = (flags & RWF_APPEND) != 0;
	result = -rwf_check(fp, flags);
	if (result == 0)
		result = file_io(fp, &uio, pos);
	kfree(iov);
	fdrop(fp);
	return (result);
}

int64_t
sys_read(int fd, void *buf, uint64_t len)
{
	return (fd_io(fd, buf, len, false, NULL));
}

int64_t
sys_write(int fd, void *buf, uint64_t len)
{
	return (fd_io(fd, buf, len, true, NULL));
}

int64_t
sys_pread64(int fd, void *buf, uint64_t len, uint64_t pos)
{
	return (fd_io(fd, buf, len, false, &pos));
}

int64_t
sys_pwrite64(int fd, void *buf, uint64_t len, uint64_t pos)
{
	return (fd_io(fd, buf, len, true, &pos));
}

int64_t
sys_readv(int fd, const struct iovec *iov, uint64_t count)
{
	return (fd_iov(fd, iov, count, false, NULL, 0));
}

int64_t
sys_writev(int fd, const struct iovec *iov, uint64_t count)
{
	return (fd_iov(fd, iov, count, true, NULL, 0));
}

/* The position comes in two words, of which 64 bits need but the first. */
int64_t
sys_preadv(int fd, const struct iovec *iov, uint64_t count, uint64_t pos)
{
	return (fd_iov(fd, iov, count, false, &pos, 0));
}

int64_t
sys_pwritev(int fd, const struct iovec *iov, uint64_t count, uint64_t pos)
{
	return (fd_iov(fd, iov, count, true, &pos, 0));
}

/* A position of -1: the file's. */
int64_t
sys_preadv2(int fd, const struct iovec *iov, uint64_t count, uint64_t pos, uint64_t high __unused,
	    uint32_t flags)
{
	return (fd_iov(fd, iov, count, false, pos == UINT64_MAX ? NULL : &pos, flags));
}

int64_t
sys_pwritev2(int fd, const struct iovec *iov, uint64_t count, uint64_t pos, uint64_t high __unused,
	     uint32_t flags)
{
	return (fd_iov(fd, iov, count, true, pos == UINT64_MAX ? NULL : &pos, flags));
}

static int
seek_target(struct file *fp, int64_t offset, int whence, int64_t *target)
{
	const struct cdev *dev = fp->f_vnode->v_cdev;
	int64_t size = fp->f_vnode->v_size;
	int64_t base[] = {[LINUX_SEEK_CUR] = fp->f_offset, [LINUX_SEEK_HOLE] = 0};

	if (dev != NULL && dev->cd_sw->d_size != NULL)
		size = dev->cd_sw->d_size(dev->cd_softc);
	base[LINUX_SEEK_END] = size;
	if (whence < 0 || whence > LINUX_SEEK_HOLE ||
	    (fp->f_vnode->v_type == VDIR && whence > LINUX_SEEK_CUR))
		return (EINVAL);
	if (whence >= LINUX_SEEK_DATA && (offset < 0 || offset >= size))
		return (ENXIO);
	if (__builtin_add_overflow(base[whence], offset, target))
		return (EINVAL);
	if (whence >= LINUX_SEEK_DATA && fp->f_vnode->v_ops->v_seek != NULL &&
	    fp->f_vnode->v_type == VREG)
		return (fp->f_vnode->v_ops->v_seek(fp->f_vnode, whence == LINUX_SEEK_DATA,
						   (uint64_t *)target));
	if (whence == LINUX_SEEK_HOLE) /* all is data, up to the end */
		*target = size;
	return (*target < 0 ? EINVAL : 0);
}

int64_t
sys_lseek(int fd, int64_t offset, int whence)
{
	int64_t target = 0;
	struct file *fp;
	int error = fget(fd, &fp);

	if (error != 0)
		return (-error);
	if (fp->f_vnode->v_type == VANON) { /* has no position, and does not mind */
		fdrop(fp);
		return (0);
	}
	rw_wlock(&fp->f_lock);
	error = file_seekable(fp) ? seek_target(fp, offset, whence, &target) : ESPIPE;
	if (error == 0)
		fp->f_offset = target;
	rw_unlock(&fp->f_lock);
	fdrop(fp);
	return (error != 0 ? -error : target);
}

/*
 * System calls that read, write and seek.
 */
#include "linux/linux.h"
#include "kern/cdev.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "fs/vnode.h"
#include "vm/pmap.h"

static bool
file_seekable(struct file *fp)
{
	return (fp->f_vnode->v_type != VCHR || fp->f_vnode->v_cdev->cd_sw->d_seekable);
}

/* Each vector in turn, until one stops short; returns the bytes moved, or an error when there
 * are none. */
static int64_t
vectors_io(struct file *fp, const struct linux_iovec *iov, int count, bool write, uint64_t *offset)
{
	uint64_t done = 0;
	struct uio uio = {0};
	int error = 0;

	for (int i = 0; i < count && error == 0 && uio.uio_resid == 0; i++) {
		uint64_t base = (uint64_t)iov[i].base, len = MIN(iov[i].len, RW_MAX - done);

		if (iov[i].len > VM_MAXUSER_ADDRESS || base > VM_MAXUSER_ADDRESS - iov[i].len) {
			error = EFAULT;
			break;
		}
		uio = (struct uio){iov[i].base, len, *offset, false, write};
		error = vn_io(fp->f_vnode, &uio, fp);
		done += len - uio.uio_resid;
		*offset = uio.uio_offset;
	}
	return (done > 0 || error == 0 ? (int64_t)done : -error);
}

/* pos: where, for pread and pwrite; NULL: at the file's position, which moves. */
static int64_t
file_io(int fd, const struct linux_iovec *iov, int count, bool write, uint64_t *pos)
{
	struct file *fp;
	bool seekable;
	int64_t result;

	if (pos != NULL && (int64_t)*pos < 0)
		return (-EINVAL);
	if (fget(fd, &fp) != 0)
		return (-EBADF);
	seekable = file_seekable(fp);
	if (write ? !file_writable(fp) : !file_readable(fp)) {
		result = -EBADF;
	} else if (pos != NULL) {
		result = seekable ? vectors_io(fp, iov, count, write, pos) : -ESPIPE;
	} else if (!seekable) { /* may wait for input: others go on meanwhile */
		result = vectors_io(fp, iov, count, write, &(uint64_t){0});
	} else {
		rw_wlock(&fp->f_lock);
		result = vectors_io(fp, iov, count, write, &fp->f_offset);
		rw_unlock(&fp->f_lock);
	}
	fdrop(fp);
	return (result);
}

static int64_t
file_iov(int fd, const struct linux_iovec *uiov, int count, bool write)
{
	struct linux_iovec *iov;
	int64_t result;

	if (count < 0 || count > IOV_MAX)
		return (-EINVAL);
	iov = kmalloc((count + 1) * sizeof(*iov), 0);
	if (iov == NULL)
		return (-ENOMEM);
	result = -copyin(uiov, iov, count * sizeof(*iov));
	for (int i = 0; i < count && result == 0; i++)
		result = (int64_t)iov[i].len < 0 ? -EINVAL : 0;
	if (result == 0)
		result = file_io(fd, iov, count, write, NULL);
	kfree(iov);
	return (result);
}

int64_t
sys_read(int fd, void *buf, uint64_t len)
{
	return (file_io(fd, &(struct linux_iovec){buf, len}, 1, false, NULL));
}

int64_t
sys_write(int fd, void *buf, uint64_t len)
{
	return (file_io(fd, &(struct linux_iovec){buf, len}, 1, true, NULL));
}

int64_t
sys_pread64(int fd, void *buf, uint64_t len, uint64_t pos)
{
	return (file_io(fd, &(struct linux_iovec){buf, len}, 1, false, &pos));
}

int64_t
sys_pwrite64(int fd, void *buf, uint64_t len, uint64_t pos)
{
	return (file_io(fd, &(struct linux_iovec){buf, len}, 1, true, &pos));
}

int64_t
sys_readv(int fd, const struct linux_iovec *iov, int count)
{
	return (file_iov(fd, iov, count, false));
}

int64_t
sys_writev(int fd, const struct linux_iovec *iov, int count)
{
	return (file_iov(fd, iov, count, true));
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
	rw_wlock(&fp->f_lock);
	error = file_seekable(fp) ? seek_target(fp, offset, whence, &target) : ESPIPE;
	if (error == 0)
		fp->f_offset = target;
	rw_unlock(&fp->f_lock);
	fdrop(fp);
	return (error != 0 ? -error : target);
}

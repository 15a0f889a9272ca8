/*
 * System calls that move bytes from one file to another within the kernel. The bytes of a regular
 * file go straight from its pages, those of a pipe from or to the pipe's.
 */
#include "linux/linux.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/pipe.h"
#include "kern/proc.h"
#include "fs/vnode.h"

enum { SPLICE_F_MOVE = 1, SPLICE_F_NONBLOCK = 2, SPLICE_F_MORE = 4, SPLICE_F_GIFT = 8 };
#define SPLICE_F_ALL 15

static bool
is_pipe(struct file *fp)
{
	return (fp->f_vnode->v_type == VFIFO);
}

/* Both files of a call, with references. EBADF. */
static int
files_get(int in, int out, struct file **inp, struct file **outp)
{
	if (fget(in, inp) != 0)
		return (EBADF);
	if (fget(out, outp) == 0)
		return (0);
	fdrop(*inp);
	return (EBADF);
}

static int
files_check(struct file *in, struct file *out)
{
	return (file_readable(in) && file_writable(out) ? 0 : EBADF);
}

/* Where a transfer begins in a file: at what the user's word says, or at the file's position. */
static int
position_in(struct file *fp, const int64_t *upos, uint64_t *pos)
{
	if (upos != NULL && copyin(upos, pos, sizeof(*pos)) != 0)
		return (EFAULT);
	if (upos != NULL && !file_seekable(fp))
		return (ESPIPE);
	if (upos == NULL)
		*pos = fp->f_offset;
	return ((int64_t)*pos < 0 ? EINVAL : 0);
}

static int
position_out(struct file *fp, int64_t *upos, uint64_t pos)
{
	if (upos != NULL)
		return (copyout(&pos, upos, sizeof(pos)));
	if (file_seekable(fp)) {
		rw_wlock(&fp->f_lock);
		fp->f_offset = pos;
		rw_unlock(&fp->f_lock);
	}
	return (0);
}

/* The end of a transfer, with what it moved or the errno negated: positions told, files let go. */
static int64_t
finish(struct file *in, int64_t *uin, uint64_t inpos, struct file *out, int64_t *uout,
       uint64_t outpos, int64_t result)
{
	if (result > 0 &&
	    (position_out(in, uin, inpos) != 0 || position_out(out, uout, outpos) != 0))
		result = -EFAULT;
	fdrop(in);
	fdrop(out);
	return (result);
}

/*
 * Move up to len bytes from in at *inpos to out at *outpos. In is read, and what it gives is written
 * to out; but when in forgets what is read, out is a pipe that takes a page's worth. A pipe that is
 * written to takes what it has room for: that is waited for, but no more.
 */
static int64_t
transfer(struct file *in, uint64_t *inpos, struct file *out, uint64_t *outpos, size_t len,
	 bool nowait)
{
	bool pull = is_pipe(out) && !is_pipe(in) && !file_seekable(in);
	struct uio uio = {.uio_resid = MIN(len, RW_MAX),
			  .uio_nowait = nowait || pull,
			  .uio_write = pull,
			  .uio_file = pull ? in : out,
			  .uio_pos = pull ? inpos : outpos,
			  .uio_file_nowait = is_pipe(out) && !pull};
	int64_t result;
	int error;

	do {
		error = is_pipe(out) ? pipe_room(out->f_vnode, out, nowait) : 0;
		if (error != 0)
			return (-error);
		result = file_io(pull ? out : in, &uio, pull ? outpos : inpos);
		nowait = nowait || is_pipe(in) || pull;
	} while (result == -EAGAIN && is_pipe(out) && !nowait);
	return (result);
}

/* The input must stay where it is when the output takes less, but for a socket's to a pipe. */
static int
sendfile_check(struct file *in, struct file *out, size_t len)
{
	if ((int64_t)len < 0 || in->f_vnode->v_type == VDIR || is_pipe(in))
		return (EINVAL);
	return (!is_pipe(out) && (!file_seekable(in) || (out->f_flags & O_APPEND) != 0) ? EINVAL
											: 0);
}

int64_t
sys_sendfile(int out_fd, int in_fd, int64_t *upos, uint64_t len)
{
	struct file *in, *out;
	uint64_t inpos, outpos;
	int64_t result;
	int error = files_get(in_fd, out_fd, &in, &out);

	if (error != 0)
		return (-error);
	outpos = out->f_offset;
	error = files_check(in, out);
	if (error == 0)
		error = position_in(in, upos, &inpos);
	if (error == 0)
		error = sendfile_check(in, out, len);
	result = error != 0 ? -error : transfer(in, &inpos, out, &outpos, len, false);
	return (finish(in, upos, inpos, out, NULL, outpos, result));
}

static int
splice_check(struct file *in, const int64_t *uin, struct file *out, const int64_t *uout)
{
	if (files_check(in, out) != 0)
		return (EBADF);
	if (!is_pipe(in) && !is_pipe(out))
		return (EINVAL);
	if ((is_pipe(in) && uin != NULL) || (is_pipe(out) && uout != NULL))
		return (ESPIPE);
	if (in->f_vnode == out->f_vnode || in->f_vnode->v_type == VDIR)
		return (EINVAL);
	return (is_pipe(in) && !is_pipe(out) && (out->f_flags & O_APPEND) != 0 ? EINVAL : 0);
}

int64_t
sys_splice(int in_fd, int64_t *uin, int out_fd, int64_t *uout, uint64_t len, uint32_t flags)
{
	uint64_t inpos = 0, outpos = 0;
	struct file *in, *out;
	int64_t result;
	int error;

	if (len == 0)
		return (0);
	if ((flags & ~SPLICE_F_ALL) != 0)
		return (-EINVAL);
	error = files_get(in_fd, out_fd, &in, &out);
	if (error != 0)
		return (-error);
	error = splice_check(in, uin, out, uout);
	if (error == 0)
		error = position_in(in, uin, &inpos);
	if (error == 0)
		error = position_in(out, uout, &outpos);
	result = error != 0
		     ? -error
		     : transfer(in, &inpos, out, &outpos, len, (flags & SPLICE_F_NONBLOCK) != 0);
	return (finish(in, uin, inpos, out, uout, outpos, result));
}

int64_t
sys_tee(int in_fd, int out_fd, uint64_t len, uint32_t flags)
{
	bool nowait = (flags & SPLICE_F_NONBLOCK) != 0;
	struct uio uio = {.uio_resid = MIN(len, RW_MAX),
			  .uio_nowait = nowait,
			  .uio_pos = &(uint64_t){0},
			  .uio_file_nowait = true};
	struct file *in, *out;
	size_t moved;
	int error;

	if ((flags & ~SPLICE_F_ALL) != 0)
		return (-EINVAL);
	if (len == 0)
		return (0);
	error = files_get(in_fd, out_fd, &in, &out);
	if (error != 0)
		return (-error);
	uio.uio_file = out;
	error = files_check(in, out);
	if (error == 0 && (!is_pipe(in) || !is_pipe(out) || in->f_vnode == out->f_vnode))
		error = EINVAL;
	if (error == 0)
		error = pipe_room(out->f_vnode, out, nowait);
	if (error == 0)
		error = pipe_peek(in->f_vnode, &uio, in);
	moved = MIN(len, RW_MAX) - uio.uio_resid;
	fdrop(in);
	fdrop(out);
	return (moved > 0 ? (int64_t)moved : -error);
}

/* What memory holds is copied to the pipe: a program cannot tell, but by the time it takes. */
int64_t
sys_vmsplice(int fd, const struct iovec *uiov, uint64_t count, uint32_t flags)
{
	struct iovec *iov;
	struct file *fp;
	struct uio uio;
	int64_t result;
	int error;

	if ((flags & ~SPLICE_F_ALL) != 0)
		return (-EINVAL);
	if (fget(fd, &fp) != 0)
		return (-EBADF);
	error = !is_pipe(fp) ? EBADF : count > IOV_MAX ? EINVAL : iovec_in(uiov, count, &iov, &uio);
	result = -error;
	if (error == 0) {
		uio.uio_write = file_writable(fp);
		uio.uio_nowait = (flags & SPLICE_F_NONBLOCK) != 0;
		result = file_io(fp, &uio, NULL);
		kfree(iov);
	}
	fdrop(fp);
	return (result);
}

/* *len is cut to what there is to copy. EINVAL: it would overlap itself. */
static int
copy_check(struct file *in, uint64_t inpos, struct file *out, uint64_t outpos, uint64_t *len)
{
	uint64_t size = in->f_vnode->v_size;

	if (in->f_vnode->v_type == VDIR || out->f_vnode->v_type == VDIR)
		return (EISDIR);
	if (in->f_vnode->v_type != VREG || out->f_vnode->v_type != VREG)
		return (EINVAL);
	if (files_check(in, out) != 0 || (out->f_flags & O_APPEND) != 0)
		return (EBADF);
	if ((int64_t)(inpos + *len) < (int64_t)inpos || (int64_t)(outpos + *len) < (int64_t)outpos)
		return (EOVERFLOW);
	*len = inpos < size ? MIN(*len, size - inpos) : 0;
	return (in->f_vnode == out->f_vnode && inpos < outpos + *len && outpos < inpos + *len
		    ? EINVAL
		    : 0);
}

int64_t
sys_copy_file_range(int in_fd, int64_t *uin, int out_fd, int64_t *uout, uint64_t len,
		    uint32_t flags)
{
	struct file *in, *out;
	uint64_t inpos = 0, outpos = 0;
	int64_t result;
	int error = files_get(in_fd, out_fd, &in, &out);

	if (error != 0)
		return (-error);
	error = position_in(in, uin, &inpos);
	if (error == 0)
		error = position_in(out, uout, &outpos);
	if (error == ESPIPE || flags != 0)
		error = EINVAL;
	if (error == 0)
		error = copy_check(in, inpos, out, outpos, &len);
	result = error != 0 ? -error : transfer(in, &inpos, out, &outpos, len, false);
	return (finish(in, uin, inpos, out, uout, outpos, result));
}

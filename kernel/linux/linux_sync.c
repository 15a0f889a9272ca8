/*
 * System calls that bring files to stable storage, and hints about how they will be used. Files are
 * in memory: there is nothing to do but to check what was asked.
 */
#include "linux/linux.h"
#include "fs/vnode.h"
#include "kern/file.h"

enum { FADV_NOREUSE = 5 }; /* the last one there is */
enum { SYNC_FILE_RANGE_ALL = 7 };

/* What fd is; EBADF. */
static int
fd_type(int fd, enum vtype *type)
{
	struct file *fp;
	int error = fget(fd, &fp);

	if (error != 0)
		return (error);
	*type = fp->f_vnode->v_type;
	fdrop(fp);
	return (0);
}

static bool
is_stored(enum vtype type)
{
	return (type == VREG || type == VDIR || type == VLNK);
}

int64_t
sys_sync(void)
{
	return (0);
}

int64_t
sys_syncfs(int fd)
{
	enum vtype type;

	return (-fd_type(fd, &type));
}

int64_t
sys_fsync(int fd)
{
	enum vtype type;
	int error = fd_type(fd, &type);

	if (error != 0)
		return (-error);
	return (is_stored(type) ? 0 : -EINVAL);
}
int64_t sys_fdatasync(int fd) __attribute__((alias("sys_fsync")));

int64_t
sys_sync_file_range(int fd, int64_t offset, int64_t len, uint32_t flags)
{
	enum vtype type;
	int64_t end;
	int error = fd_type(fd, &type);

	if (error != 0)
		return (-error);
	if ((flags & ~(uint32_t)SYNC_FILE_RANGE_ALL) != 0 || offset < 0 || len < 0 ||
	    __builtin_add_overflow(offset, len, &end))
		return (-EINVAL);
	return (is_stored(type) ? 0 : -ESPIPE);
}

int64_t
sys_fadvise64(int fd, int64_t offset __unused, int64_t len, int advice)
{
	enum vtype type;
	int error = fd_type(fd, &type);

	if (error != 0)
		return (-error);
	if (type == VFIFO)
		return (-ESPIPE);
	return (len < 0 || advice < 0 || advice > FADV_NOREUSE ? -EINVAL : 0);
}

int64_t
sys_readahead(int fd, int64_t offset __unused, uint64_t len __unused)
{
	struct file *fp;
	int error = fget(fd, &fp);

	if (error != 0)
		return (-error);
	if (!file_readable(fp))
		error = EBADF;
	else if (fp->f_vnode->v_type != VREG)
		error = EINVAL;
	fdrop(fp);
	return (-error);
}

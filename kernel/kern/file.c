/*
 * Open files and descriptor tables. Owns the count of open files.
 */
#include "kern/file.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/lockf.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "fs/vnode.h"

struct fdent {
	struct file *fe_file; /* NULL: free */
	bool fe_cloexec;
};
/* Locks: (l) fd_lock */
struct filedesc {
	struct rwlock fd_lock; /* rank LR_FILE */
	struct fdent *fd_table; /* (l) */
	int fd_size; /* (l) slots in fd_table; it grows by doubling */
};

static uint64_t file_count;
STAT(files, file_count);

int
file_open(struct vnode *vp, uint32_t flags, struct file **fpp)
{
	struct file *fp = kmalloc(sizeof(*fp), M_ZERO);
	int error = 0;

	if (fp == NULL)
		return (ENOMEM);
	fp->f_refs = 1;
	fp->f_flags = flags;
	fp->f_vnode = vp;
	rw_init(&fp->f_lock, "file position", LR_FPOS);
	if ((flags & O_PATH) == 0 && vp->v_ops->v_open != NULL)
		error = vp->v_ops->v_open(vp, fp);
	if (error != 0) {
		kfree(fp);
		return (error);
	}
	__atomic_fetch_add(&file_count, 1, __ATOMIC_RELAXED);
	*fpp = fp;
	return (0);
}

void
fdrop(struct file *fp)
{
	struct vnode *vp = fp->f_vnode;

	if (__atomic_sub_fetch(&fp->f_refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if ((fp->f_flags & O_PATH) == 0 && vp->v_ops->v_close != NULL)
		vp->v_ops->v_close(vp, fp);
	lockf_release(vp, fp);
	vrele(vp);
	kfree(fp);
	__atomic_fetch_sub(&file_count, 1, __ATOMIC_RELAXED);
}

/* The slot of an open descriptor, or NULL; the table is locked. */
static struct fdent *
fd_slot(struct filedesc *fdp, int fd)
{
	rw_assert_locked(&fdp->fd_lock);
	if (fd < 0 || fd >= fdp->fd_size || fdp->fd_table[fd].fe_file == NULL)
		return (NULL);
	return (&fdp->fd_table[fd]);
}

int
fget(int fd, struct file **fpp)
{
	struct file *fp;
	int error = fget_path(fd, &fp);

	if (error == 0 && (fp->f_flags & O_PATH) != 0) {
		fdrop(fp);
		error = EBADF;
	}
	if (error == 0)
		*fpp = fp;
	return (error);
}

int
fget_path(int fd, struct file **fpp)
{
	struct filedesc *fdp = curproc->p_fd;
	struct fdent *fe;

	rw_rlock(&fdp->fd_lock);
	fe = fd_slot(fdp, fd);
	if (fe != NULL) {
		*fpp = fe->fe_file;
		__atomic_fetch_add(&fe->fe_file->f_refs, 1, __ATOMIC_RELAXED);
	}
	rw_unlock(&fdp->fd_lock);
	return (fe != NULL ? 0 : EBADF);
}

/* A descriptor of fp's goes: with it, POSIX says, all locks that the process has on the file. */
static void
file_close(struct filedesc *fdp, struct file *fp)
{
	lockf_release(fp->f_vnode, fdp);
	fdrop(fp);
}

struct filedesc *
fd_alloc(void)
{
	struct filedesc *fdp = kmalloc(sizeof(*fdp), M_ZERO);

	if (fdp != NULL)
		rw_init(&fdp->fd_lock, "descriptors", LR_FILE);
	return (fdp);
}

void
fd_free(struct filedesc *fdp)
{
	for (int fd = 0; fd < fdp->fd_size; fd++)
		if (fdp->fd_table[fd].fe_file != NULL)
			file_close(fdp, fdp->fd_table[fd].fe_file);
	kfree(fdp->fd_table);
	kfree(fdp);
}

/* Make room for descriptor fd, which is below FD_MAX. */
static int
fd_grow(struct filedesc *fdp, int fd)
{
	struct fdent *table;
	int size = MAX(fdp->fd_size, 16);

	rw_assert_wlocked(&fdp->fd_lock);
	if (fd < fdp->fd_size)
		return (0);
	while (size <= fd)
		size *= 2;
	table = kmalloc(size * sizeof(*table), M_ZERO);
	if (table == NULL)
		return (ENOMEM);
	memcpy(table, fdp->fd_table, fdp->fd_size * sizeof(*table));
	kfree(fdp->fd_table);
	fdp->fd_table = table;
	fdp->fd_size = size;
	return (0);
}

struct filedesc *
fd_copy(struct filedesc *from)
{
	struct filedesc *fdp = fd_alloc();

	if (fdp == NULL)
		return (NULL);
	rw_rlock(&from->fd_lock);
	fdp->fd_table = kmalloc(from->fd_size * sizeof(*fdp->fd_table), 0);
	if (fdp->fd_table != NULL) {
		fdp->fd_size = from->fd_size;
		memcpy(fdp->fd_table, from->fd_table, from->fd_size * sizeof(*fdp->fd_table));
	}
	for (int fd = 0; fd < fdp->fd_size; fd++)
		if (fdp->fd_table[fd].fe_file != NULL)
			__atomic_fetch_add(&fdp->fd_table[fd].fe_file->f_refs, 1, __ATOMIC_RELAXED);
	rw_unlock(&from->fd_lock);
	if (fdp->fd_table != NULL)
		return (fdp);
	kfree(fdp);
	return (NULL);
}

void
fd_exec(struct filedesc *fdp)
{
	for (int fd = 0; fd < fdp->fd_size;
	     fd++) /* nobody else uses the table: one thread is left */
		if (fdp->fd_table[fd].fe_file != NULL && fdp->fd_table[fd].fe_cloexec)
			fd_close(fdp, fd);
}

int
fd_install(struct filedesc *fdp, struct file *fp, int min, bool cloexec, int *fd)
{
	int i = min, error;

	if (min < 0 || min >= FD_MAX)
		return (EINVAL);
	rw_wlock(&fdp->fd_lock);
	while (fd_slot(fdp, i) != NULL)
		i++;
	error = i >= FD_MAX ? EMFILE : fd_grow(fdp, i);
	if (error == 0) {
		fdp->fd_table[i] = (struct fdent){fp, cloexec};
		*fd = i;
	}
	rw_unlock(&fdp->fd_lock);
	return (error);
}

int
fd_replace(struct filedesc *fdp, struct file *fp, int fd, bool cloexec)
{
	struct file *old = NULL;
	int error;

	if (fd < 0 || fd >= FD_MAX)
		return (EBADF);
	rw_wlock(&fdp->fd_lock);
	error = fd_grow(fdp, fd);
	if (error == 0) {
		old = fdp->fd_table[fd].fe_file;
		fdp->fd_table[fd] = (struct fdent){fp, cloexec};
	}
	rw_unlock(&fdp->fd_lock);
	if (old != NULL)
		file_close(fdp, old);
	return (error);
}

int
fd_close(struct filedesc *fdp, int fd)
{
	struct file *fp = NULL;
	struct fdent *fe;

	rw_wlock(&fdp->fd_lock);
	fe = fd_slot(fdp, fd);
	if (fe != NULL) {
		fp = fe->fe_file;
		fe->fe_file = NULL;
	}
	rw_unlock(&fdp->fd_lock);
	if (fp == NULL)
		return (EBADF);
	file_close(fdp, fp);
	return (0);
}

int
fd_cloexec(struct filedesc *fdp, int fd, int set, bool *cloexec)
{
	struct fdent *fe;

	rw_wlock(&fdp->fd_lock);
	fe = fd_slot(fdp, fd);
	if (fe != NULL) {
		*cloexec = fe->fe_cloexec;
		fe->fe_cloexec = set >= 0 ? set != 0 : fe->fe_cloexec;
	}
	rw_unlock(&fdp->fd_lock);
	return (fe != NULL ? 0 : EBADF);
}

int
fd_open_console(struct filedesc *fdp)
{
	struct file *fp;
	struct vnode *vp;
	int error, fd;

	error = namei(NULL, "/dev/console", true, &vp);
	if (error != 0)
		return (error);
	error = file_open(vp, O_RDWR, &fp);
	if (error != 0) {
		vrele(vp);
		return (error);
	}
	for (int i = 0; i < 3 && error == 0; i++) {
		fp->f_refs++; /* nobody else knows of it yet */
		error = fd_install(fdp, fp, 0, false, &fd);
		if (error != 0)
			fdrop(fp);
	}
	fdrop(fp);
	return (error);
}

/*
 * Open files and descriptor tables. Owns the count of open files.
 */
#include "kern/file.h"
#include "kern/epoll.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/lockf.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "fs/vnode.h"
#include "vm/vm_page.h"

#define WORD 64 /* descriptors that lie together, with a bit each in a word */

struct fdword {
	uint64_t fw_used; /* (l) */
	uint64_t fw_cloexec; /* (l) */
	struct file **fw_files; /* (l) WORD of them; NULL: none was ever used */
};
/* Locks: (l) fd_lock  (a) atomic */
struct filedesc {
	struct rwlock fd_lock; /* rank LR_FILE */
	uint32_t fd_refs; /* (a) processes */
	struct fdword *fd_words; /* (l) */
	int fd_nwords; /* (l) it grows by doubling */
	int fd_full; /* (l) in the words below it none is free */
};

static uint64_t file_count;
STAT(files, file_count);

/* A file, its vnode and what is behind it take about a kilobyte: a quarter of the memory at most. */
static uint64_t
files_max(void)
{
	return (vm_cnt.v_page_count);
}

/* There is room for one more. The last eighth of it is for processes with few files open: those who
 * leak them leave others some. */
static bool
files_left(void)
{
	uint64_t max = files_max();
	const struct filedesc *fdp = curproc != NULL ? curproc->p_fd : NULL;
	bool few = fdp == NULL || fdp->fd_full == 0;

	return (file_count < (few ? max : max - max / 8));
}

/* Open, free (Linux keeps none), and how many there may be. */
SYSCTL_TEXT(file_nr, "fs/file-nr", "%lu\t0\t%lu\n", file_count, files_max());
SYSCTL_TEXT(file_max, "fs/file-max", "%lu\n", files_max());

int
file_open(struct vnode *vp, uint32_t flags, struct file **fpp)
{
	struct file *fp = files_left() ? kmalloc(sizeof(*fp), M_ZERO) : NULL;
	int error = 0;

	if (fp == NULL)
		return (files_left() ? ENOMEM : ENFILE);
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

int
file_install(struct vnode *vp, uint32_t flags, int *fd)
{
	struct file *fp;
	int error = vp == NULL ? ENOMEM : file_open(vp, flags & ~(uint32_t)O_CLOEXEC, &fp);

	if (error != 0) {
		vrele(vp);
		return (error);
	}
	error = fd_install(curproc->p_fd, fp, 0, (flags & O_CLOEXEC) != 0, fd);
	if (error != 0)
		fdrop(fp);
	return (error);
}

void
fref(struct file *fp)
{
	__atomic_fetch_add(&fp->f_refs, 1, __ATOMIC_RELAXED);
}

void
fdrop(struct file *fp)
{
	struct vnode *vp = fp->f_vnode;

	if (__atomic_sub_fetch(&fp->f_refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	epoll_forget(fp);
	if ((fp->f_flags & O_PATH) == 0 && vp->v_ops->v_close != NULL)
		vp->v_ops->v_close(vp, fp);
	lockf_release(vp, fp);
	vrele(vp);
	kfree(fp);
	__atomic_fetch_sub(&file_count, 1, __ATOMIC_RELAXED);
}

/* --- the table -------------------------------------------------------------------------------- */

/* What an open descriptor is, or NULL; the table is locked. */
static struct file *
fd_file(struct filedesc *fdp, int fd)
{
	rw_assert_locked(&fdp->fd_lock);
	if (fd < 0 || fd / WORD >= fdp->fd_nwords || fdp->fd_words[fd / WORD].fw_files == NULL)
		return (NULL);
	return (fdp->fd_words[fd / WORD].fw_files[fd % WORD]);
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
	struct file *fp;

	rw_rlock(&fdp->fd_lock);
	fp = fd_file(fdp, fd);
	if (fp != NULL)
		fref(fp);
	rw_unlock(&fdp->fd_lock);
	*fpp = fp;
	return (fp != NULL ? 0 : EBADF);
}

int
fd_limit(void)
{
	return ((int)MIN(lim_cur(RLIMIT_NOFILE), (uint64_t)FD_MAX));
}

int
fd_bound(struct filedesc *fdp)
{
	return (__atomic_load_n(&fdp->fd_nwords, __ATOMIC_RELAXED) * WORD);
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

	if (fdp == NULL)
		return (NULL);
	rw_init(&fdp->fd_lock, "descriptors", LR_FILE);
	fdp->fd_refs = 1;
	return (fdp);
}

void
fd_ref(struct filedesc *fdp)
{
	__atomic_fetch_add(&fdp->fd_refs, 1, __ATOMIC_RELAXED);
}

/* A word of a table that nobody has any more. */
static void
word_free(struct filedesc *fdp, struct fdword *fw)
{
	for (uint64_t used = fw->fw_used; used != 0; used &= used - 1)
		file_close(fdp, fw->fw_files[__builtin_ctzl(used)]);
	kfree(fw->fw_files);
}

void
fd_free(struct filedesc *fdp)
{
	if (__atomic_sub_fetch(&fdp->fd_refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	for (int i = 0; i < fdp->fd_nwords; i++)
		word_free(fdp, &fdp->fd_words[i]);
	kfree(fdp->fd_words);
	kfree(fdp);
}

/* Make room for descriptor fd. */
static int
fd_grow(struct filedesc *fdp, int fd)
{
	struct fdword *words, *fw;
	int n = MAX(fdp->fd_nwords, 1);

	rw_assert_wlocked(&fdp->fd_lock);
	while (n <= fd / WORD)
		n *= 2;
	if (n > fdp->fd_nwords) {
		words = kmalloc(n * sizeof(*words), M_ZERO);
		if (words == NULL)
			return (ENOMEM);
		memcpy(words, fdp->fd_words, fdp->fd_nwords * sizeof(*words));
		kfree(fdp->fd_words);
		fdp->fd_words = words;
		fdp->fd_nwords = n;
	}
	fw = &fdp->fd_words[fd / WORD];
	if (fw->fw_files == NULL)
		fw->fw_files = kmalloc(WORD * sizeof(*fw->fw_files), M_ZERO);
	return (fw->fw_files != NULL ? 0 : ENOMEM);
}

/* Descriptor fd, for which there is room, is fp (NULL: free) from now on. */
static void
fd_set(struct filedesc *fdp, int fd, struct file *fp, bool cloexec)
{
	struct fdword *fw = &fdp->fd_words[fd / WORD];
	uint64_t bit = 1ul << fd % WORD;

	rw_assert_wlocked(&fdp->fd_lock);
	fw->fw_files[fd % WORD] = fp;
	fw->fw_used = fp != NULL ? fw->fw_used | bit : fw->fw_used & ~bit;
	fw->fw_cloexec = cloexec ? fw->fw_cloexec | bit : fw->fw_cloexec & ~bit;
	if (fp == NULL)
		fdp->fd_full = MIN(fdp->fd_full, fd / WORD);
}

/* Word i again in a new table. */
static bool
word_copy(struct filedesc *fdp, const struct fdword *fw, int i)
{
	struct fdword *copy;

	if (fw->fw_used == 0)
		return (true);
	if (fd_grow(fdp, i * WORD) != 0)
		return (false);
	copy = &fdp->fd_words[i];
	for (uint64_t left = fw->fw_used; left != 0; left &= left - 1) {
		fref(fw->fw_files[__builtin_ctzl(left)]);
		copy->fw_files[__builtin_ctzl(left)] = fw->fw_files[__builtin_ctzl(left)];
	}
	copy->fw_used = fw->fw_used;
	copy->fw_cloexec = fw->fw_cloexec;
	return (true);
}

struct filedesc *
fd_copy(struct filedesc *from)
{
	struct filedesc *fdp = fd_alloc();
	bool ok = true;

	if (fdp == NULL)
		return (NULL);
	rw_rlock(&from->fd_lock);
	rw_wlock(&fdp->fd_lock);
	for (int i = 0; i < from->fd_nwords && ok; i++)
		ok = word_copy(fdp, &from->fd_words[i], i);
	fdp->fd_full = ok ? from->fd_full : 0;
	rw_unlock(&fdp->fd_lock);
	rw_unlock(&from->fd_lock);
	if (ok)
		return (fdp);
	fd_free(fdp);
	return (NULL);
}

int
fd_unshare(void)
{
	struct proc *p = curproc;
	struct filedesc *old = p->p_fd, *fdp;

	if (proc_has_threads(p))
		return (EINVAL);
	if (__atomic_load_n(&old->fd_refs, __ATOMIC_RELAXED) == 1)
		return (0);
	fdp = fd_copy(old);
	if (fdp == NULL)
		return (ENOMEM);
	rw_wlock(&p->p_lock);
	p->p_fd = fdp;
	rw_unlock(&p->p_lock);
	fd_free(old);
	return (0);
}

void
fd_exec(struct filedesc *fdp)
{
	bool cloexec;

	for (int fd = -1; (fd = fd_next(fdp, fd + 1)) >= 0;)
		if (fd_cloexec(fdp, fd, -1, &cloexec) == 0 && cloexec)
			fd_close(fdp, fd);
}

/* The lowest free descriptor from min on. */
static int
fd_lowest(struct filedesc *fdp, int min)
{
	int i = MAX(min / WORD, fdp->fd_full);
	uint64_t used;

	for (;; i++) {
		used = i < fdp->fd_nwords ? fdp->fd_words[i].fw_used : 0;
		if (i == min / WORD)
			used |= (1ul << min % WORD) - 1;
		if (used != UINT64_MAX)
			return (i * WORD + __builtin_ctzl(~used));
		if (i == fdp->fd_full && fdp->fd_words[i].fw_used == UINT64_MAX)
			fdp->fd_full++;
	}
}

int
fd_install(struct filedesc *fdp, struct file *fp, int min, bool cloexec, int *fd)
{
	int limit = fd_limit(), error;

	if (min < 0 || min >= limit)
		return (min == 0 ? EMFILE : EINVAL);
	rw_wlock(&fdp->fd_lock);
	*fd = fd_lowest(fdp, min);
	error = *fd >= limit ? EMFILE : fd_grow(fdp, *fd);
	if (error == 0)
		fd_set(fdp, *fd, fp, cloexec);
	rw_unlock(&fdp->fd_lock);
	return (error);
}

int
fd_replace(struct filedesc *fdp, struct file *fp, int fd, bool cloexec)
{
	struct file *old = NULL;
	int error;

	if (fd < 0 || fd >= fd_limit())
		return (EBADF);
	rw_wlock(&fdp->fd_lock);
	error = fd_grow(fdp, fd);
	if (error == 0) {
		old = fd_file(fdp, fd);
		fd_set(fdp, fd, fp, cloexec);
	}
	rw_unlock(&fdp->fd_lock);
	if (old != NULL)
		file_close(fdp, old);
	return (error);
}

int
fd_close(struct filedesc *fdp, int fd)
{
	struct file *fp;

	rw_wlock(&fdp->fd_lock);
	fp = fd_file(fdp, fd);
	if (fp != NULL)
		fd_set(fdp, fd, NULL, false);
	rw_unlock(&fdp->fd_lock);
	if (fp == NULL)
		return (EBADF);
	file_close(fdp, fp);
	return (0);
}

int
fd_cloexec(struct filedesc *fdp, int fd, int set, bool *cloexec)
{
	struct file *fp;

	rw_wlock(&fdp->fd_lock);
	fp = fd_file(fdp, fd);
	if (fp != NULL)
		*cloexec = (fdp->fd_words[fd / WORD].fw_cloexec >> fd % WORD & 1) != 0;
	if (fp != NULL && set >= 0)
		fd_set(fdp, fd, fp, set != 0);
	rw_unlock(&fdp->fd_lock);
	return (fp != NULL ? 0 : EBADF);
}

int
fd_next(struct filedesc *fdp, int fd)
{
	uint64_t used = 0;
	int i = fd / WORD;

	rw_rlock(&fdp->fd_lock);
	for (; i < fdp->fd_nwords && used == 0; i++) {
		used = fdp->fd_words[i].fw_used;
		if (i == fd / WORD)
			used &= UINT64_MAX << fd % WORD;
	}
	rw_unlock(&fdp->fd_lock);
	return (used != 0 ? (i - 1) * WORD + __builtin_ctzl(used) : -1);
}

struct file *
proc_next_file(struct proc *p, int *fd)
{
	struct filedesc *fdp;
	struct file *fp = NULL;

	rw_rlock(&p->p_lock); /* the table stays while it is held */
	fdp = p->p_fd;
	while (fdp != NULL && fp == NULL && (*fd = fd_next(fdp, *fd)) >= 0) {
		rw_rlock(&fdp->fd_lock);
		fp = fd_file(fdp, *fd); /* NULL: closed meanwhile */
		if (fp != NULL)
			fref(fp);
		rw_unlock(&fdp->fd_lock);
	}
	rw_unlock(&p->p_lock);
	return (fp);
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
		fref(fp);
		error = fd_install(fdp, fp, 0, false, &fd);
		if (error != 0)
			fdrop(fp);
	}
	fdrop(fp);
	return (error);
}

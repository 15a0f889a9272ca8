/*
 * System calls on files and descriptors.
 */
#include "linux/linux.h"
#include "kern/cdev.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "fs/vnode.h"

static bool
file_seekable(struct file *fp)
{
	return (fp->f_vnode->v_type != VCHR || fp->f_vnode->v_cdev->cd_sw->d_seekable);
}

/* --- reading and writing ---------------------------------------------------------------------- */

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
	if (whence < 0 || whence > LINUX_SEEK_HOLE)
		return (EINVAL);
	if (whence >= LINUX_SEEK_DATA && (offset < 0 || offset >= size))
		return (ENXIO);
	if (__builtin_add_overflow(base[whence], offset, target))
		return (EINVAL);
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

/* --- path names ------------------------------------------------------------------------------- */

/* The directory that a relative path begins at. */
static int
at_dir(int dirfd, struct vnode **dir)
{
	struct proc *p = curproc;
	struct file *fp;
	int error;

	if (dirfd == AT_FDCWD) {
		rw_rlock(&p->p_lock);
		*dir = p->p_cwd;
		vref(*dir);
		rw_unlock(&p->p_lock);
		return (0);
	}
	error = fget(dirfd, &fp);
	if (error != 0)
		return (error);
	*dir = fp->f_vnode;
	vref(*dir);
	fdrop(fp);
	return (0);
}

/* namei_last for a program's path; flags: AT_*. */
static int
at_namei(int dirfd, const char *upath, int flags, struct nameidata *nd)
{
	char *path = kmalloc(PATH_MAX, 0);
	struct vnode *dir = NULL;
	int error = path == NULL ? ENOMEM : copyinstr(upath, path, PATH_MAX, NULL);

	if (error == 0 && *path != '/')
		error = at_dir(dirfd, &dir);
	if (error == 0 && *path == '\0' && (flags & AT_EMPTY_PATH) != 0) {
		*nd = (struct nameidata){.nd_vp = dir}; /* with its reference */
		dir = NULL;
	} else if (error == 0) {
		error = namei_last(dir, path, (flags & AT_SYMLINK_NOFOLLOW) == 0, nd);
	}
	vrele(dir);
	kfree(path);
	return (error);
}

/* The vnode of a path that must exist. */
static int
at_vnode(int dirfd, const char *upath, int flags, struct vnode **vpp)
{
	struct nameidata nd;
	int error = at_namei(dirfd, upath, flags, &nd);

	if (error != 0)
		return (error);
	vrele(nd.nd_dir);
	*vpp = nd.nd_vp;
	return (nd.nd_vp == NULL ? ENOENT : 0);
}

/* May what nd found be opened like this? Makes it when that is wanted. */
static int
open_check(struct nameidata *nd, uint32_t flags, uint32_t mode)
{
	struct vnode *vp = nd->nd_vp;
	bool write = (flags & O_ACCMODE) != O_RDONLY;

	if (vp == NULL && (flags & O_CREAT) == 0)
		return (ENOENT);
	if (vp == NULL)
		return (nd->nd_slash ? EISDIR
				     : vn_create(nd, VREG, mode & 07777 & ~curproc->p_umask, NULL,
						 &nd->nd_vp));
	if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0)
		return (EEXIST);
	if (vp->v_type == VLNK)
		return (ELOOP);
	if (vp->v_type == VDIR ? (write || (flags & O_CREAT) != 0) : (flags & O_DIRECTORY) != 0)
		return (vp->v_type == VDIR ? EISDIR : ENOTDIR);
	if ((flags & O_TRUNC) != 0 && vp->v_type == VREG && vp->v_ops->v_truncate != NULL)
		return (vp->v_ops->v_truncate(vp, 0));
	return (0);
}

int64_t
sys_openat(int dirfd, const char *path, uint32_t flags, uint32_t mode)
{
	bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	struct nameidata nd;
	struct file *fp;
	int error, fd;

	do {
		error =
		    at_namei(dirfd, path,
			     exclusive || (flags & O_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0, &nd);
		if (error != 0)
			return (-error);
		error = open_check(&nd, flags, mode);
		vrele(nd.nd_dir);
		if (error == 0)
			error = file_open(nd.nd_vp, flags & ~(O_CREAT | O_EXCL | O_TRUNC), &fp);
		if (error != 0)
			vrele(nd.nd_vp);
	} while (error == EEXIST && !exclusive); /* another made it after we looked */
	if (error == 0) {
		error = fd_install(curproc->p_fd, fp, 0, (flags & O_CLOEXEC) != 0, &fd);
		if (error != 0)
			fdrop(fp);
	}
	return (error != 0 ? -error : fd);
}

int64_t
sys_open(const char *path, uint32_t flags, uint32_t mode)
{
	return (sys_openat(AT_FDCWD, path, flags, mode));
}

static int64_t
stat_copyout(struct vnode *vp, struct linux_stat *ust)
{
	static const uint32_t formats[] = {
	    [VREG] = S_IFREG, [VDIR] = S_IFDIR, [VLNK] = S_IFLNK, [VCHR] = S_IFCHR};
	struct linux_stat st = {
	    .dev = vp->v_dev, .ino = vp->v_ino, .nlink = vp->v_nlink, .blksize = PAGE_SIZE};

	rw_rlock(&vp->v_lock);
	st.mode = formats[vp->v_type] | vp->v_mode;
	st.size = vp->v_size;
	st.mtime = (struct linux_timespec){vp->v_mtime / 1000000000, vp->v_mtime % 1000000000};
	rw_unlock(&vp->v_lock);
	st.blocks = round_page(st.size) / 512;
	st.atime = st.ctime = st.mtime;
	if (vp->v_cdev != NULL)
		st.rdev = vp->v_cdev->cd_major << 8 | vp->v_cdev->cd_minor;
	return (COPYOUT(&st, ust));
}

int64_t
sys_newfstatat(int dirfd, const char *path, struct linux_stat *ust, int flags)
{
	struct vnode *vp;
	int64_t result;
	int error = at_vnode(dirfd, path, flags, &vp);

	if (error != 0)
		return (-error);
	result = stat_copyout(vp, ust);
	vrele(vp);
	return (result);
}

int64_t
sys_stat(const char *path, struct linux_stat *ust)
{
	return (sys_newfstatat(AT_FDCWD, path, ust, 0));
}

int64_t
sys_lstat(const char *path, struct linux_stat *ust)
{
	return (sys_newfstatat(AT_FDCWD, path, ust, AT_SYMLINK_NOFOLLOW));
}

int64_t
sys_fstat(int fd, struct linux_stat *ust)
{
	struct file *fp;
	int64_t result;
	int error = fget(fd, &fp);

	if (error != 0)
		return (-error);
	result = stat_copyout(fp->f_vnode, ust);
	fdrop(fp);
	return (result);
}

/* All programs are the superuser: only the right to execute a file that nobody may is refused. */
int64_t
sys_faccessat(int dirfd, const char *path, int mode)
{
	struct vnode *vp;
	int error = (mode & ~7) != 0 ? EINVAL : at_vnode(dirfd, path, 0, &vp);

	if (error != 0)
		return (-error);
	if ((mode & 1) != 0 && vp->v_type != VDIR && (vp->v_mode & 0111) == 0)
		error = EACCES;
	vrele(vp);
	return (-error);
}

int64_t
sys_access(const char *path, int mode)
{
	return (sys_faccessat(AT_FDCWD, path, mode));
}

int64_t
sys_readlinkat(int dirfd, const char *path, char *ubuf, int size)
{
	struct vnode *vp;
	size_t len = 0;
	char *buf;
	int error = size <= 0 ? EINVAL : at_vnode(dirfd, path, AT_SYMLINK_NOFOLLOW, &vp);

	if (error != 0)
		return (-error);
	buf = kmalloc(PATH_MAX, 0);
	if (buf == NULL || vp->v_type != VLNK)
		error = buf == NULL ? ENOMEM : EINVAL;
	else
		error = vp->v_ops->v_readlink(vp, buf, PATH_MAX);
	if (error == 0) {
		len = MIN(strlen(buf), (size_t)size);
		error = copyout(buf, ubuf, len);
	}
	kfree(buf);
	vrele(vp);
	return (error != 0 ? -error : (int64_t)len);
}

int64_t
sys_readlink(const char *path, char *ubuf, int size)
{
	return (sys_readlinkat(AT_FDCWD, path, ubuf, size));
}

int64_t
sys_mkdirat(int dirfd, const char *path, uint32_t mode)
{
	struct nameidata nd;
	int error = at_namei(dirfd, path, AT_SYMLINK_NOFOLLOW, &nd);

	if (error != 0)
		return (-error);
	error = nd.nd_vp != NULL
		    ? EEXIST
		    : vn_create(&nd, VDIR, mode & 01777 & ~curproc->p_umask, NULL, &nd.nd_vp);
	nd_release(&nd);
	return (-error);
}

int64_t
sys_mkdir(const char *path, uint32_t mode)
{
	return (sys_mkdirat(AT_FDCWD, path, mode));
}

int64_t
sys_unlinkat(int dirfd, const char *path, int flags)
{
	struct nameidata nd;
	bool rmdir = (flags & AT_REMOVEDIR) != 0;
	int error =
	    (flags & ~AT_REMOVEDIR) != 0 ? EINVAL : at_namei(dirfd, path, AT_SYMLINK_NOFOLLOW, &nd);

	if (error != 0)
		return (-error);
	if (nd.nd_vp == NULL)
		error = ENOENT;
	else if (nd.nd_len == 0 || strcmp(nd.nd_last, ".") == 0)
		error = !rmdir ? EISDIR : nd.nd_len == 0 ? EBUSY : EINVAL;
	else if (strcmp(nd.nd_last, "..") == 0)
		error = rmdir ? ENOTEMPTY : EISDIR;
	else
		error = vn_unlink(&nd, rmdir);
	nd_release(&nd);
	return (-error);
}

int64_t
sys_unlink(const char *path)
{
	return (sys_unlinkat(AT_FDCWD, path, 0));
}

int64_t
sys_rmdir(const char *path)
{
	return (sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR));
}

static int
vnode_truncate(struct vnode *vp, int64_t size)
{
	if (size < 0 || vp->v_type != VREG)
		return (size >= 0 && vp->v_type == VDIR ? EISDIR : EINVAL);
	return (vp->v_ops->v_truncate != NULL ? vp->v_ops->v_truncate(vp, size) : 0);
}

int64_t
sys_truncate(const char *path, int64_t size)
{
	struct vnode *vp;
	int error = at_vnode(AT_FDCWD, path, 0, &vp);

	if (error != 0)
		return (-error);
	error = vnode_truncate(vp, size);
	vrele(vp);
	return (-error);
}

int64_t
sys_ftruncate(int fd, int64_t size)
{
	struct file *fp;
	int error = fget(fd, &fp);

	if (error != 0)
		return (-error);
	error = file_writable(fp) ? vnode_truncate(fp->f_vnode, size) : EINVAL;
	fdrop(fp);
	return (-error);
}

int64_t
sys_chdir(const char *path)
{
	struct proc *p = curproc;
	struct vnode *vp, *old;
	int error = at_vnode(AT_FDCWD, path, 0, &vp);

	if (error != 0)
		return (-error);
	old = vp;
	if (vp->v_type == VDIR) {
		rw_wlock(&p->p_lock);
		old = p->p_cwd;
		p->p_cwd = vp;
		rw_unlock(&p->p_lock);
	}
	error = vp->v_type == VDIR ? 0 : ENOTDIR;
	vrele(old);
	return (-error);
}

int64_t
sys_getcwd(char *ubuf, uint64_t size)
{
	char *buf = kmalloc(PATH_MAX, 0);
	struct vnode *dir;
	size_t len;
	int error;

	if (buf == NULL)
		return (-ENOMEM);
	at_dir(AT_FDCWD, &dir);
	len = vnode_path(dir, buf, PATH_MAX) + 1;
	error = dir->v_nlink == 0 ? ENOENT : len > size ? ERANGE : copyout(buf, ubuf, len);
	vrele(dir);
	kfree(buf);
	return (error != 0 ? -error : (int64_t)len);
}

int64_t
sys_umask(uint32_t mask)
{
	return (__atomic_exchange_n(&curproc->p_umask, mask & 0777, __ATOMIC_RELAXED));
}

/* --- directories and descriptors -------------------------------------------------------------- */

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
	static const uint8_t types[] = {[VREG] = 8, [VDIR] = 4, [VLNK] = 10, [VCHR] = 2};
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
	const struct cdev *dev;
	struct file *fp;
	int error = fget(fd, &fp);

	if (error != 0)
		return (-error);
	dev = fp->f_vnode->v_cdev;
	if (dev != NULL && dev->cd_major == 5)
		error = tty_ioctl(command, (void *)arg);
	else
		error = dev != NULL && dev->cd_sw->d_ioctl != NULL
			    ? dev->cd_sw->d_ioctl(dev->cd_softc, command, arg)
			    : ENOTTY;
	fdrop(fp);
	return (-error);
}

/*
 * System calls on path names.
 */
#include "linux/linux.h"
#include "kern/cdev.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "fs/vnode.h"

int
at_dir(int dirfd, struct vnode **dir)
{
	struct file *fp;
	int error;

	if (dirfd == AT_FDCWD) {
		*dir = proc_cwd(curproc);
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
	    [VREG] = S_IFREG,  [VDIR] = S_IFDIR,   [VLNK] = S_IFLNK, [VCHR] = S_IFCHR,
	    [VFIFO] = S_IFIFO, [VSOCK] = S_IFSOCK, [VANON] = 0};
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

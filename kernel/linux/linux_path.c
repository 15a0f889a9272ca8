/*
 * System calls that open files, and those on what paths begin at; how all others find the file that
 * a path names.
 */
#include "linux/linux_path.h"
#include "kern/cred.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/pwd.h"

int
at_dir(int dirfd, struct vnode **dir)
{
	struct file *fp;
	int error;

	if (dirfd == AT_FDCWD) {
		*dir = pwd_cdir(curproc->p_pd);
		return (0);
	}
	error = fget_path(dirfd, &fp);
	if (error != 0)
		return (error);
	*dir = fp->f_vnode;
	vref(*dir);
	fdrop(fp);
	return (0);
}

int
path_in(const char *upath, char **path)
{
	int error;

	*path = kmalloc(PATH_MAX, 0);
	if (*path == NULL)
		return (ENOMEM);
	error = copyinstr(upath, *path, PATH_MAX, NULL);
	if (error != 0)
		kfree(*path);
	return (error);
}

int
at_namei(int dirfd, const char *upath, int flags, struct nameidata *nd)
{
	struct vnode *dir = NULL;
	char *path;
	int error = path_in(upath, &path);

	if (error != 0)
		return (error);
	if (*path == '\0' && (flags & AT_EMPTY_PATH) == 0)
		error = ENOENT;
	else if (*path != '/')
		error = at_dir(dirfd, &dir);
	if (error == 0 && *path == '\0') {
		*nd = (struct nameidata){.nd_vp = dir}; /* with its reference */
		dir = NULL;
	} else if (error == 0) {
		error = namei_last(dir, path,
				   (flags & AT_NAME) != 0               ? NAMEI_NAME
				   : (flags & AT_SYMLINK_NOFOLLOW) != 0 ? NAMEI_NOFOLLOW
									: NAMEI_FOLLOW,
				   nd);
	}
	vrele(dir);
	kfree(path);
	return (error);
}

int
at_vnode(int dirfd, const char *upath, int flags, struct vnode **vpp)
{
	struct nameidata nd;
	int error = at_namei(dirfd, upath, flags, &nd);

	return (error != 0 ? error : nd_vnode(&nd, vpp));
}

/* --- open ------------------------------------------------------------------------------------- */

/* What of flags counts, or EINVAL. */
static int
open_flags(uint32_t *flags)
{
	const uint32_t tmpfile = O_TMPFILE | O_DIRECTORY;

	if ((*flags & O_TMPFILE) != 0 &&
	    ((*flags & (tmpfile | O_CREAT)) != tmpfile || (*flags & O_ACCMODE) == O_RDONLY))
		return (EINVAL);
	if ((*flags & O_PATH) != 0)
		*flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	else if ((*flags & O_CREAT) != 0 && (*flags & O_DIRECTORY) != 0)
		return (EINVAL); /* as since Linux 6.4: before, it made a file and said ENOTDIR */
	return (0);
}

/* May vp, which is there, be opened like this? */
static int
open_existing(struct vnode *vp, uint32_t flags)
{
	static const int modes[] = {VREAD, VWRITE, VREAD | VWRITE, VREAD | VWRITE};
	int mode = modes[flags & O_ACCMODE] | ((flags & O_TRUNC) != 0 ? VWRITE : 0), error;

	if ((flags & O_CREAT) != 0 && vp->v_type == VDIR)
		return ((flags & O_EXCL) != 0 ? EEXIST : EISDIR);
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return (EEXIST);
	if ((flags & O_DIRECTORY) != 0 && vp->v_type != VDIR)
		return (ENOTDIR);
	if ((flags & O_PATH) != 0)
		return (0);
	if (vp->v_type == VLNK)
		return (ELOOP);
	if (vp->v_type == VDIR && (mode & VWRITE) != 0)
		return (EISDIR);
	error = vaccess(vp, mode);
	return (error == 0 && (flags & O_NOATIME) != 0 && !vn_owned(vp) ? EPERM : error);
}

/* The file that is to be opened comes to be nd_vp; made tells whether it was made for this. */
static int
open_find(struct nameidata *nd, uint32_t flags, uint32_t mode, bool *made)
{
	struct vnode *dir = nd->nd_vp;
	int error;

	mode &= 07777 & ~curproc->p_pd->pd_umask;
	*made = false;
	if ((flags & O_TMPFILE) != 0) {
		if (dir == NULL || dir->v_type != VDIR)
			return (dir == NULL ? ENOENT : ENOTDIR);
		error = vaccess(dir, VWRITE | VEXEC);
		if (error == 0)
			error = dir->v_ops->v_node == NULL
				    ? EOPNOTSUPP
				    : dir->v_ops->v_node(dir, VREG, mode, &nd->nd_vp);
		if (error != 0)
			return (error);
		nd->nd_vp->v_tmpfile = (flags & O_EXCL) == 0;
		vrele(dir);
	} else if ((flags & O_CREAT) != 0 && nd->nd_slash) {
		return (EISDIR);
	} else if (nd->nd_vp != NULL) {
		return (nd->nd_slash && nd->nd_vp->v_type != VDIR
			    ? ENOTDIR
			    : open_existing(nd->nd_vp, flags));
	} else if ((flags & O_CREAT) == 0) {
		return (ENOENT);
	} else {
		error = vn_create(nd, VREG, mode, NULL, &nd->nd_vp);
		if (error != 0)
			return (error);
	}
	*made = true;
	return (0);
}

static int
open_file(struct nameidata *nd, uint32_t flags, uint32_t mode, struct file **fpp)
{
	struct vnode *vp;
	bool made;
	int error = open_find(nd, flags, mode, &made);

	if (error != 0)
		return (error);
	vp = nd->nd_vp;
	error = file_open(vp, flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC), fpp);
	if (error != 0)
		return (error);
	nd->nd_vp = NULL; /* the file's */
	if (!made && (flags & O_TRUNC) != 0 && vp->v_type == VREG && vp->v_ops->v_truncate != NULL)
		error = vp->v_ops->v_truncate(vp, 0);
	if (error != 0)
		fdrop(*fpp);
	return (error);
}

int64_t
sys_openat(int dirfd, const char *path, uint32_t flags, uint32_t mode)
{
	bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	bool follow = !exclusive && (flags & O_NOFOLLOW) == 0;
	struct nameidata nd;
	struct file *fp;
	int error = open_flags(&flags), fd;

	if (error != 0)
		return (-error);
	do {
		error = at_namei(dirfd, path, follow ? 0 : AT_SYMLINK_NOFOLLOW, &nd);
		if (error != 0)
			return (-error);
		error =
		    open_file(&nd, flags | ((flags & O_PATH) != 0 ? 0 : O_LARGEFILE), mode, &fp);
		nd_release(&nd);
		/* If another made it after we looked, we look again. */
	} while (error == EEXIST && !exclusive);
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

int64_t
sys_creat(const char *path, uint32_t mode)
{
	return (sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode));
}

/* --- where paths begin ------------------------------------------------------------------------ */

/* May curproc go to dir? It loses the reference if not. */
static int
may_enter(struct vnode *dir)
{
	int error = dir->v_type != VDIR ? ENOTDIR : vaccess(dir, VEXEC);

	if (error != 0)
		vrele(dir);
	return (error);
}

static int64_t
change_dir(struct vnode *dir)
{
	int error = may_enter(dir);

	if (error == 0)
		pwd_chdir(dir);
	return (-error);
}

int64_t
sys_chdir(const char *path)
{
	struct vnode *vp;
	int error = at_vnode(AT_FDCWD, path, 0, &vp);

	return (error != 0 ? -error : change_dir(vp));
}

int64_t
sys_fchdir(int fd)
{
	struct vnode *vp;
	int error = fd == AT_FDCWD ? EBADF : at_dir(fd, &vp);

	return (error != 0 ? -error : change_dir(vp));
}

int64_t
sys_chroot(const char *path)
{
	struct vnode *vp;
	int error = at_vnode(AT_FDCWD, path, 0, &vp);

	if (error == 0)
		error = may_enter(vp);
	if (error == 0 && !capable(CAP_SYS_CHROOT)) {
		vrele(vp);
		error = EPERM;
	}
	if (error == 0)
		pwd_chroot(vp);
	return (-error);
}

int64_t
sys_getcwd(char *ubuf, uint64_t size)
{
	char *buf = kmalloc(PATH_MAX, 0);
	struct vnode *dir;
	size_t len;
	int error = 0;

	if (buf == NULL)
		return (-ENOMEM);
	at_dir(AT_FDCWD, &dir);
	len = vnode_path(dir, buf, PATH_MAX) + 1;
	if (dir->v_nlink == 0)
		error = ENOENT;
	else if (len == PATH_MAX) /* and more, perhaps */
		error = ENAMETOOLONG;
	else
		error = len > size ? ERANGE : copyout(buf, ubuf, len);
	vrele(dir);
	kfree(buf);
	return (error != 0 ? -error : (int64_t)len);
}

int64_t
sys_umask(uint32_t mask)
{
	return (__atomic_exchange_n(&curproc->p_pd->pd_umask, mask & 0777, __ATOMIC_RELAXED));
}

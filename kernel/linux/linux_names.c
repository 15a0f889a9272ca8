/*
 * System calls that make, remove and move names: of files, directories, links and special files.
 */
#include "linux/linux_path.h"
#include "kern/cred.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/pwd.h"
#include "kern/string.h"

enum { S_IFMT = 0170000, S_IFBLK = 0060000 };

/* Where something that is no directory is to be made. */
static int
new_name(int dirfd, const char *path, struct nameidata *nd)
{
	int error = at_namei(dirfd, path, AT_NAME, nd);

	if (error != 0)
		return (error);
	error = nd->nd_vp != NULL ? EEXIST : nd->nd_slash ? ENOENT : 0;
	if (error != 0)
		nd_release(nd);
	return (error);
}

/* "." or "..", or the root: no name that could be made or taken away. */
static bool
no_name(const struct nameidata *nd)
{
	return (nd->nd_len == 0 || strcmp(nd->nd_last, ".") == 0 || strcmp(nd->nd_last, "..") == 0);
}

/* --- make ------------------------------------------------------------------------------------- */

int64_t
sys_mkdirat(int dirfd, const char *path, uint32_t mode)
{
	struct nameidata nd;
	int error = at_namei(dirfd, path, AT_NAME, &nd);

	if (error != 0)
		return (-error);
	error = nd.nd_vp != NULL ? EEXIST
				 : vn_create(&nd, VDIR, mode & 01777 & ~curproc->p_pd->pd_umask,
					     NULL, &nd.nd_vp);
	nd_release(&nd);
	return (-error);
}

int64_t
sys_mkdir(const char *path, uint32_t mode)
{
	return (sys_mkdirat(AT_FDCWD, path, mode));
}

int64_t
sys_mknodat(int dirfd, const char *path, uint32_t mode, uint32_t dev)
{
	static const struct {
		uint32_t format;
		enum vtype type;
	} kinds[] = {{0, VREG},       {S_IFREG, VREG},  {S_IFCHR, VCHR},
		     {S_IFBLK, VBLK}, {S_IFIFO, VFIFO}, {S_IFSOCK, VSOCK}};
	struct nameidata nd;
	size_t i = 0;
	int error;

	while (i < nitems(kinds) && kinds[i].format != (mode & S_IFMT))
		i++;
	if (i == nitems(kinds))
		return ((mode & S_IFMT) == S_IFDIR ? -EPERM : -EINVAL);
	error = new_name(dirfd, path, &nd);
	if (error != 0)
		return (-error);
	if ((kinds[i].type == VCHR || kinds[i].type == VBLK) && !capable(CAP_MKNOD))
		error = EPERM;
	else
		error = vn_mknod(&nd, kinds[i].type, mode & 07777 & ~curproc->p_pd->pd_umask,
				 kinds[i].type == VCHR || kinds[i].type == VBLK ? dev : 0);
	nd_release(&nd);
	return (-error);
}

int64_t
sys_mknod(const char *path, uint32_t mode, uint32_t dev)
{
	return (sys_mknodat(AT_FDCWD, path, mode, dev));
}

int64_t
sys_symlinkat(const char *utarget, int dirfd, const char *path)
{
	struct nameidata nd;
	char *target;
	int error = path_in(utarget, &target);

	if (error != 0)
		return (-error);
	error = *target == '\0' ? ENOENT : new_name(dirfd, path, &nd);
	if (error == 0) {
		error = vn_create(&nd, VLNK, 0777, target, &nd.nd_vp);
		nd_release(&nd);
	}
	kfree(target);
	return (-error);
}

int64_t
sys_symlink(const char *target, const char *path)
{
	return (sys_symlinkat(target, AT_FDCWD, path));
}

int64_t
sys_linkat(int olddir, const char *oldpath, int newdir, const char *newpath, int flags)
{
	int lookup =
	    (flags & AT_EMPTY_PATH) | ((flags & AT_SYMLINK_FOLLOW) != 0 ? 0 : AT_SYMLINK_NOFOLLOW);
	struct nameidata nd;
	struct vnode *vp;
	int error;

	if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0)
		return (-EINVAL);
	if ((flags & AT_EMPTY_PATH) != 0 && !capable(CAP_DAC_READ_SEARCH))
		return (-ENOENT);
	error = at_vnode(olddir, oldpath, lookup, &vp);
	if (error != 0)
		return (-error);
	error = new_name(newdir, newpath, &nd);
	if (error == 0) {
		error = vn_link(&nd, vp);
		nd_release(&nd);
	}
	vrele(vp);
	return (-error);
}

int64_t
sys_link(const char *oldpath, const char *newpath)
{
	return (sys_linkat(AT_FDCWD, oldpath, AT_FDCWD, newpath, 0));
}

/* --- remove and move -------------------------------------------------------------------------- */

int64_t
sys_unlinkat(int dirfd, const char *path, int flags)
{
	struct nameidata nd;
	bool rmdir = (flags & AT_REMOVEDIR) != 0;
	int error = (flags & ~AT_REMOVEDIR) != 0 ? EINVAL : at_namei(dirfd, path, AT_NAME, &nd);

	if (error != 0)
		return (-error);
	if (nd.nd_vp == NULL)
		error = ENOENT;
	else if (nd.nd_len == 0 || strcmp(nd.nd_last, ".") == 0)
		error = !rmdir ? EISDIR : nd.nd_len == 0 ? EBUSY : EINVAL;
	else if (strcmp(nd.nd_last, "..") == 0)
		error = rmdir ? ENOTEMPTY : EISDIR;
	else if (nd.nd_slash && nd.nd_vp->v_type != VDIR)
		error = ENOTDIR;
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

enum { RENAME_WHITEOUT = 4 };

int64_t
sys_renameat2(int olddir, const char *oldpath, int newdir, const char *newpath, uint32_t flags)
{
	struct nameidata from, to;
	int error;

	if ((flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0 ||
	    ((flags & RENAME_EXCHANGE) != 0 && flags != RENAME_EXCHANGE))
		return (-EINVAL);
	error = at_namei(olddir, oldpath, AT_NAME, &from);
	if (error != 0)
		return (-error);
	error = at_namei(newdir, newpath, AT_NAME, &to);
	if (error == 0) {
		if (from.nd_dir->v_dev != to.nd_dir->v_dev)
			error = EXDEV;
		else if (no_name(&from))
			error = EBUSY;
		else if (no_name(&to))
			error = (flags & RENAME_NOREPLACE) != 0 ? EEXIST : EBUSY;
		else if ((flags & RENAME_WHITEOUT) != 0) /* no file system here has it */
			error = from.nd_vp == NULL ? ENOENT : EINVAL;
		else
			error = vn_rename(&from, &to, flags);
		nd_release(&to);
	}
	nd_release(&from);
	return (-error);
}

int64_t
sys_renameat(int olddir, const char *oldpath, int newdir, const char *newpath)
{
	return (sys_renameat2(olddir, oldpath, newdir, newpath, 0));
}

int64_t
sys_rename(const char *oldpath, const char *newpath)
{
	return (sys_renameat2(AT_FDCWD, oldpath, AT_FDCWD, newpath, 0));
}

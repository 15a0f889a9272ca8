/*
 * System calls on a file's rights, owner, times, and further attributes, of which there are none.
 */
#include "linux/linux_path.h"
#include "kern/clock.h"
#include "kern/cred.h"
#include "kern/file.h"
#include "kern/machdep.h"

enum { AT_EACCESS = 0x200 };
enum { UTIME_NOW = 0x3fffffff, UTIME_OMIT = 0x3ffffffe };
#define SEC_MAX 9000000000l /* what ns since 1970 can tell; later is this, as Linux cuts */

/* The file open as fd, referenced; EBADF also when it was opened with O_PATH. */
static int
fd_vnode(int fd, struct vnode **vpp)
{
	struct file *fp;
	int error = fget(fd, &fp);

	if (error != 0)
		return (error);
	*vpp = fp->f_vnode;
	vref(*vpp);
	fdrop(fp);
	return (0);
}

/* --- rights ----------------------------------------------------------------------------------- */

/* As the real user and group, not those that rule when a file is opened. */
static int
access_as_real(int dirfd, const char *path, int mode, int flags)
{
	const struct ucred *cr = curcred();
	struct ucred *real = NULL;
	struct vnode *vp;
	int error;

	if (cr->cr_ruid != cr->cr_fsuid || cr->cr_rgid != cr->cr_fsgid) {
		real = crcopy(cr, cr->cr_ngroups);
		if (real == NULL)
			return (ENOMEM);
		real->cr_fsuid = real->cr_ruid;
		real->cr_fsgid = real->cr_rgid;
	}
	if ((flags & AT_EACCESS) == 0)
		cred_borrow(real != NULL ? real : cr); /* its own, too: capabilities are others */
	error = at_vnode(dirfd, path, flags & ~AT_EACCESS, &vp);
	if (error == 0) {
		error = vaccess(vp, mode);
		vrele(vp);
	}
	cred_borrow(NULL);
	crfree(real);
	return (error);
}

int64_t
sys_faccessat2(int dirfd, const char *path, int mode, int flags)
{
	if ((mode & ~7) != 0 || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return (-EINVAL);
	return (-access_as_real(dirfd, path, mode, flags));
}

int64_t
sys_faccessat(int dirfd, const char *path, int mode)
{
	return (sys_faccessat2(dirfd, path, mode, 0));
}

int64_t
sys_access(const char *path, int mode)
{
	return (sys_faccessat2(AT_FDCWD, path, mode, 0));
}

int64_t
sys_fchmodat(int dirfd, const char *path, uint32_t mode)
{
	struct vnode *vp;
	int error = at_vnode(dirfd, path, 0, &vp);

	if (error != 0)
		return (-error);
	error = vn_chmod(vp, mode & 07777);
	vrele(vp);
	return (-error);
}

int64_t
sys_chmod(const char *path, uint32_t mode)
{
	return (sys_fchmodat(AT_FDCWD, path, mode));
}

int64_t
sys_fchmod(int fd, uint32_t mode)
{
	struct vnode *vp;
	int error = fd_vnode(fd, &vp);

	if (error != 0)
		return (-error);
	error = vn_chmod(vp, mode & 07777);
	vrele(vp);
	return (-error);
}

/* --- owner ------------------------------------------------------------------------------------ */

int64_t
sys_fchownat(int dirfd, const char *path, uint32_t uid, uint32_t gid, int flags)
{
	struct vnode *vp;
	int error;

	if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return (-EINVAL);
	error = at_vnode(dirfd, path, flags, &vp);
	if (error != 0)
		return (-error);
	error = vn_chown(vp, uid, gid);
	vrele(vp);
	return (-error);
}

int64_t
sys_chown(const char *path, uint32_t uid, uint32_t gid)
{
	return (sys_fchownat(AT_FDCWD, path, uid, gid, 0));
}

int64_t
sys_lchown(const char *path, uint32_t uid, uint32_t gid)
{
	return (sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW));
}

int64_t
sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
	struct vnode *vp;
	int error = fd_vnode(fd, &vp);

	if (error != 0)
		return (-error);
	error = vn_chown(vp, uid, gid);
	vrele(vp);
	return (-error);
}

/* --- times ------------------------------------------------------------------------------------ */

static uint64_t
timespec_to_ns(const struct linux_timespec *t)
{
	int64_t sec = MAX(-SEC_MAX, MIN(SEC_MAX, t->sec));

	return (sec * 1000000000 + t->nsec);
}

/* Set atime and mtime as ts says; NULL: both to now. */
static int
set_times(struct vnode *vp, const struct linux_timespec *ts)
{
	uint64_t now = clock_wall(), time[2] = {now, now};
	bool both_now = ts == NULL || (ts[0].nsec == UTIME_NOW && ts[1].nsec == UTIME_NOW);
	int which = VT_CHANGE;

	for (int i = 0; i < 2; i++) {
		int64_t nsec = ts != NULL ? ts[i].nsec : UTIME_NOW;

		if (nsec != UTIME_NOW && nsec != UTIME_OMIT && (nsec < 0 || nsec > 999999999))
			return (EINVAL);
		if (nsec != UTIME_OMIT)
			which |= i == 0 ? VT_ACCESS : VT_MODIFY;
		if (nsec != UTIME_OMIT && nsec != UTIME_NOW)
			time[i] = timespec_to_ns(&ts[i]);
	}
	if (!vn_owned(vp) && (!both_now || vaccess(vp, VWRITE) != 0))
		return (both_now ? EACCES : EPERM);
	vn_set_times(vp, which,
		     &(struct vattr){.va_atime = time[0], .va_mtime = time[1], .va_ctime = now});
	return (0);
}

static int64_t
path_set_times(int dirfd, const char *path, const struct linux_timespec *ts, int flags)
{
	struct vnode *vp;
	int error;

	if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0 || (path == NULL && flags != 0))
		return (-EINVAL);
	if (path != NULL)
		error = at_vnode(dirfd, path, flags, &vp);
	else
		error = dirfd == AT_FDCWD ? EFAULT : fd_vnode(dirfd, &vp);
	if (error != 0)
		return (-error);
	error = set_times(vp, ts);
	vrele(vp);
	return (-error);
}

int64_t
sys_utimensat(int dirfd, const char *path, const struct linux_timespec *uts, int flags)
{
	struct linux_timespec ts[2];

	if (uts == NULL)
		return (path_set_times(dirfd, path, NULL, flags));
	if (copyin(uts, ts, sizeof(ts)) != 0)
		return (-EFAULT);
	if (ts[0].nsec == UTIME_OMIT && ts[1].nsec == UTIME_OMIT)
		return (0);
	return (path_set_times(dirfd, path, ts, flags));
}

int64_t
sys_futimesat(int dirfd, const char *path, const int64_t *utimes)
{
	int64_t tv[4]; /* seconds and microseconds, twice */

	if (utimes == NULL)
		return (path_set_times(dirfd, path, NULL, 0));
	if (copyin(utimes, tv, sizeof(tv)) != 0)
		return (-EFAULT);
	if (tv[1] < 0 || tv[1] > 999999 || tv[3] < 0 || tv[3] > 999999)
		return (-EINVAL);
	return (path_set_times(
	    dirfd, path, (struct linux_timespec[]){{tv[0], tv[1] * 1000}, {tv[2], tv[3] * 1000}},
	    0));
}

int64_t
sys_utimes(const char *path, const int64_t *utimes)
{
	return (sys_futimesat(AT_FDCWD, path, utimes));
}

int64_t
sys_utime(const char *path, const int64_t *utimes)
{
	int64_t sec[2];

	if (utimes == NULL)
		return (path_set_times(AT_FDCWD, path, NULL, 0));
	if (copyin(utimes, sec, sizeof(sec)) != 0)
		return (-EFAULT);
	return (
	    path_set_times(AT_FDCWD, path, (struct linux_timespec[]){{sec[0], 0}, {sec[1], 0}}, 0));
}

/* --- extended attributes: no file has any, or can ----------------------------------------------- */

static int64_t
path_no_xattr(const char *path, int flags, int answer)
{
	struct vnode *vp;
	int error = at_vnode(AT_FDCWD, path, flags, &vp);

	if (error != 0)
		return (-error);
	vrele(vp);
	return (-answer);
}

static int64_t
fd_no_xattr(int fd, int answer)
{
	struct vnode *vp;
	int error = fd_vnode(fd, &vp);

	if (error != 0)
		return (-error);
	vrele(vp);
	return (-answer);
}

int64_t
sys_setxattr(const char *path)
{
	return (path_no_xattr(path, 0, EOPNOTSUPP));
}
int64_t sys_getxattr() __attribute__((alias("sys_setxattr")));
int64_t sys_removexattr() __attribute__((alias("sys_setxattr")));

int64_t
sys_lsetxattr(const char *path)
{
	return (path_no_xattr(path, AT_SYMLINK_NOFOLLOW, EOPNOTSUPP));
}
int64_t sys_lgetxattr() __attribute__((alias("sys_lsetxattr")));
int64_t sys_lremovexattr() __attribute__((alias("sys_lsetxattr")));

int64_t
sys_fsetxattr(int fd)
{
	return (fd_no_xattr(fd, EOPNOTSUPP));
}
int64_t sys_fgetxattr() __attribute__((alias("sys_fsetxattr")));
int64_t sys_fremovexattr() __attribute__((alias("sys_fsetxattr")));

/* An empty list. */
int64_t
sys_listxattr(const char *path)
{
	return (path_no_xattr(path, 0, 0));
}

int64_t
sys_llistxattr(const char *path)
{
	return (path_no_xattr(path, AT_SYMLINK_NOFOLLOW, 0));
}

int64_t
sys_flistxattr(int fd)
{
	return (fd_no_xattr(fd, 0));
}

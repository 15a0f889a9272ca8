/*
 * System calls that mount and unmount: what is mounted at the start stays, and nothing else can be.
 */
#include "linux/linux_path.h"
#include "kern/cred.h"
#include "kern/kmalloc.h"
#include "kern/log.h"

enum { UMOUNT_KNOWN = 0xf, UMOUNT_NOFOLLOW = 8 }; /* MNT_FORCE .. UMOUNT_NOFOLLOW */

int64_t
sys_mount(const char *from __unused, const char *path, const char *utype)
{
	struct vnode *vp;
	char *type = NULL;
	int error = utype != NULL ? path_in(utype, &type) : 0;

	if (error == 0)
		error = at_vnode(AT_FDCWD, path, 0, &vp);
	if (error != 0) {
		kfree(type);
		return (-error);
	}
	if (capable(CAP_SYS_ADMIN))
		klog(LOG_NOTICE, "mount of type %s is not supported", type != NULL ? type : "none");
	kfree(type);
	vrele(vp);
	return (capable(CAP_SYS_ADMIN) ? -ENODEV : -EPERM);
}

int64_t
sys_umount2(const char *path, int flags)
{
	struct vnode *vp;
	bool mounted;
	int error;

	if ((flags & ~UMOUNT_KNOWN) != 0)
		return (-EINVAL);
	if (!capable(CAP_SYS_ADMIN))
		return (-EPERM);
	error =
	    at_vnode(AT_FDCWD, path, (flags & UMOUNT_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0, &vp);
	if (error != 0)
		return (-error);
	mounted = vp->v_mount != NULL && vp->v_mount->mnt_root == vp;
	vrele(vp);
	return (mounted ? -EBUSY : -EINVAL);
}

int64_t
sys_name_to_handle_at(int dirfd, const char *path)
{
	struct vnode *vp;
	int error = at_vnode(dirfd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &vp);

	if (error != 0)
		return (-error);
	vrele(vp);
	return (-EOPNOTSUPP);
}

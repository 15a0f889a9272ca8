/*
 * Who owns a file, what others may do with it, and its times. The rules are those of Linux's
 * path_resolution(7), chmod(2), chown(2) and utimensat(2).
 */
#include "fs/vnode.h"
#include "kern/clock.h"
#include "kern/cred.h"
#include "kern/errno.h"

#define DAY 86400000000000ul /* ns */

struct vattr
vn_attr(struct vnode *vp)
{
	struct vattr va;

	mtx_lock(&vp->v_mtx);
	va = vp->v_attr;
	mtx_unlock(&vp->v_mtx);
	return (va);
}

int
vaccess(struct vnode *vp, int mode)
{
	const struct ucred *cr = curcred();
	struct vattr va;
	int granted;

	if (capable(CAP_DAC_OVERRIDE) && ((mode & VEXEC) == 0 || vp->v_type == VDIR))
		return (0);
	if ((mode & VWRITE) == 0 && ((mode & VEXEC) == 0 || vp->v_type == VDIR) &&
	    capable(CAP_DAC_READ_SEARCH))
		return (0);
	va = vn_attr(vp);
	if (capable(CAP_DAC_OVERRIDE))
		return ((va.va_mode & S_IXALL) != 0 ? 0 : EACCES);
	if (cr->cr_fsuid == va.va_uid)
		granted = va.va_mode >> 6;
	else
		granted = cr_groupmember(cr, va.va_gid) ? va.va_mode >> 3 : va.va_mode;
	return ((mode & ~granted & 7) == 0 ? 0 : EACCES);
}

bool
vn_owned(struct vnode *vp)
{
	return (vn_attr(vp).va_uid == curcred()->cr_fsuid || capable(CAP_FOWNER));
}

int
vn_may_create(struct vnode *dir)
{
	return (dir->v_nlink == 0 ? ENOENT : vaccess(dir, VWRITE | VEXEC));
}

int
vn_may_delete(struct vnode *dir, struct vnode *victim, bool rmdir)
{
	int error = vaccess(dir, VWRITE | VEXEC);

	if (error != 0)
		return (error);
	if ((vn_attr(dir).va_mode & S_ISVTX) != 0 && !vn_owned(victim) && !vn_owned(dir))
		return (EPERM);
	if (rmdir != (victim->v_type == VDIR))
		return (rmdir ? ENOTDIR : EISDIR);
	return (victim->v_mount != NULL && victim->v_mount->mnt_root == victim ? EBUSY : 0);
}

void
vn_set_new(struct vnode *vp, struct vnode *dir, uint32_t mode)
{
	const struct ucred *cr = curcred();
	struct vattr va = vn_attr(dir);
	bool inherit = (va.va_mode & S_ISGID) != 0;

	vp->v_attr.va_uid = cr->cr_fsuid;
	vp->v_attr.va_gid = inherit ? va.va_gid : cr->cr_fsgid;
	if (inherit && vp->v_type == VDIR)
		mode |= S_ISGID;
	else if (inherit && (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		 !capable(CAP_FSETID) && !cr_groupmember(cr, va.va_gid))
		mode &= ~(uint32_t)S_ISGID;
	vp->v_attr.va_mode = mode;
}

int
vn_chmod(struct vnode *vp, uint32_t mode)
{
	const struct ucred *cr = curcred();

	if (!vn_owned(vp))
		return (EPERM);
	mtx_lock(&vp->v_mtx);
	if (!capable(CAP_FSETID) && !cr_groupmember(cr, vp->v_attr.va_gid))
		mode &= ~(uint32_t)S_ISGID;
	vp->v_attr.va_mode = mode;
	vp->v_attr.va_ctime = clock_wall();
	mtx_unlock(&vp->v_mtx);
	return (0);
}

/* Without the bits that give a program its file's owner or group. */
static uint32_t
stripped(uint32_t mode)
{
	mode &= ~(uint32_t)S_ISUID;
	return ((mode & S_IXGRP) != 0 ? mode & ~(uint32_t)S_ISGID : mode);
}

int
vn_chown(struct vnode *vp, uint32_t uid, uint32_t gid)
{
	const struct ucred *cr = curcred();
	struct vattr *va = &vp->v_attr;
	bool may = true;

	mtx_lock(&vp->v_mtx);
	if (!capable(CAP_CHOWN) && uid != UINT32_MAX)
		may = uid == va->va_uid && cr->cr_fsuid == uid;
	if (!capable(CAP_CHOWN) && gid != UINT32_MAX)
		may = may && cr->cr_fsuid == va->va_uid &&
		      (gid == va->va_gid || cr_groupmember(cr, gid));
	if (may) {
		va->va_uid = uid != UINT32_MAX ? uid : va->va_uid;
		va->va_gid = gid != UINT32_MAX ? gid : va->va_gid;
		va->va_mode = vp->v_type != VDIR ? stripped(va->va_mode) : va->va_mode;
		va->va_ctime = clock_wall();
	}
	mtx_unlock(&vp->v_mtx);
	return (may ? 0 : EPERM);
}

void
vn_strip(struct vnode *vp)
{
	if (capable(CAP_FSETID))
		return;
	mtx_lock(&vp->v_mtx);
	vp->v_attr.va_mode = stripped(vp->v_attr.va_mode);
	mtx_unlock(&vp->v_mtx);
}

void
vn_set_times(struct vnode *vp, int which, const struct vattr *va)
{
	mtx_lock(&vp->v_mtx);
	if ((which & VT_ACCESS) != 0)
		vp->v_attr.va_atime = va->va_atime;
	if ((which & VT_MODIFY) != 0)
		vp->v_attr.va_mtime = va->va_mtime;
	if ((which & VT_CHANGE) != 0)
		vp->v_attr.va_ctime = va->va_ctime;
	mtx_unlock(&vp->v_mtx);
}

void
vn_touch(struct vnode *vp, int which)
{
	uint64_t now = clock_wall();

	vn_set_times(vp, which, &(struct vattr){.va_atime = now, .va_mtime = now, .va_ctime = now});
}

void
vn_accessed(struct vnode *vp)
{
	struct vattr va = vn_attr(vp);

	if (va.va_atime <= va.va_mtime || va.va_atime <= va.va_ctime ||
	    clock_wall() - va.va_atime >= DAY)
		vn_touch(vp, VT_ACCESS);
}

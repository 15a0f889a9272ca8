/*
 * System calls on a file's size and space, and files that are in no directory: memfd_create and its
 * seals.
 */
#include "linux/linux_path.h"
#include "linux/linux_memfd.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "vm/vm_map.h"

enum { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2 };
enum { MFD_NAME_MAX = NAME_MAX - 6 }; /* bytes, without "memfd:" */
enum { SEALS_ALL = 31 };

/* --- truncate, fallocate ---------------------------------------------------------------------- */

int64_t
sys_truncate(const char *path, int64_t size)
{
	struct vnode *vp;
	int error = size < 0 ? EINVAL : at_vnode(AT_FDCWD, path, 0, &vp);

	if (error != 0)
		return (-error);
	if (vp->v_type != VREG)
		error = vp->v_type == VDIR ? EISDIR : EINVAL;
	else
		error = vaccess(vp, VWRITE);
	if (error == 0 && vp->v_ops->v_truncate != NULL)
		error = vp->v_ops->v_truncate(vp, size);
	vrele(vp);
	return (-error);
}

int64_t
sys_ftruncate(int fd, int64_t size)
{
	struct vnode *vp;
	struct file *fp;
	int error = size < 0 ? EINVAL : fget(fd, &fp);

	if (error != 0)
		return (-error);
	vp = fp->f_vnode;
	if (vp->v_type != VREG || !file_writable(fp))
		error = EINVAL;
	else if (vp->v_ops->v_truncate != NULL)
		error = vp->v_ops->v_truncate(vp, size);
	fdrop(fp);
	return (-error);
}

static int
allocate_check(struct file *fp, int how)
{
	struct vnode *vp = fp->f_vnode;

	if ((how & (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE)) == FALLOC_PUNCH_HOLE ||
	    (how & (FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE)) ==
		(FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE))
		return (EOPNOTSUPP);
	if (!file_writable(fp))
		return (EBADF);
	if (vp->v_type == VFIFO)
		return (ESPIPE);
	if (vp->v_type == VDIR)
		return (EISDIR);
	if (vp->v_type != VREG)
		return (ENODEV);
	return (vp->v_ops->v_allocate == NULL ? EOPNOTSUPP : 0);
}

int64_t
sys_fallocate(int fd, int how, int64_t offset, int64_t len)
{
	const int known = FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE;
	struct file *fp;
	int error = fget(fd, &fp);

	if (error != 0)
		return (-error);
	if (offset < 0 || len <= 0)
		error = EINVAL;
	else if ((how & ~known) != 0)
		error = EOPNOTSUPP;
	else
		error = allocate_check(fp, how);
	if (error == 0 && len > INT64_MAX - offset)
		error = EFBIG;
	if (error == 0)
		error = fp->f_vnode->v_ops->v_allocate(fp->f_vnode, how, offset, len);
	fdrop(fp);
	return (-error);
}

/* --- memory files ----------------------------------------------------------------------------- */

/* "memfd:" and the program's name for it. */
static int
memfd_name(const char *uname, char *name)
{
	const size_t prefix = strlcpy(name, "memfd:", NAME_MAX + 1);
	int error = copyinstr(uname, name + prefix, MFD_NAME_MAX + 1, NULL);

	return (error == ENAMETOOLONG ? EINVAL : error);
}

int64_t
sys_memfd_create(const char *uname, uint32_t flags)
{
	char name[NAME_MAX + 1];
	struct vnode *vp;
	int fd, error;

	if ((flags & ~(uint32_t)(MFD_CLOEXEC | MFD_ALLOW_SEALING)) != 0)
		return (-EINVAL);
	error = memfd_name(uname, name);
	if (error == 0)
		error = ramfs_memfile(name, &vp);
	if (error != 0)
		return (-error);
	if ((flags & MFD_ALLOW_SEALING) != 0)
		vp->v_seals = 0;
	error = file_install(
	    vp, O_RDWR | O_LARGEFILE | ((flags & MFD_CLOEXEC) != 0 ? O_CLOEXEC : 0), &fd);
	return (error != 0 ? -error : fd);
}

/* Does the address space have a mapping of vp that is shared and may write, now or later? */
static bool
maps_to_write(struct vmspace *vm, struct vnode *vp)
{
	vm_map_entry_t e;
	bool found = false;

	vm_map_lock_read(&vm->vm_map);
	VM_MAP_ENTRY_FOREACH (e, &vm->vm_map)
		found |= e->name_vp == vp && (e->eflags & MAP_ENTRY_SHARED) != 0 &&
			 (e->max_protection & VM_PROT_WRITE) != 0;
	vm_map_unlock_read(&vm->vm_map);
	return (found);
}

/* Does any? Rare, and so all are asked. */
static bool
mapped_to_write(struct vnode *vp)
{
	struct proc *p = NULL;
	struct vmspace *vm;
	bool found = false;
	int pid = 1;

	for (; !found && (p = proc_next(pid)) != NULL; pid = p->p_pid + 1, proc_rele(p)) {
		vm = proc_vmspace(p);
		if (vm != NULL) {
			found = maps_to_write(vm, vp);
			vmspace_free(vm);
		}
	}
	return (found);
}

/* v_lock keeps new mappings away: mmap holds it, too. */
static int
add_seals(struct file *fp, uint64_t seals)
{
	struct vnode *vp = fp->f_vnode;
	int error = 0;

	if (!file_writable(fp))
		return (EPERM);
	if ((seals & ~(uint64_t)SEALS_ALL) != 0)
		return (EINVAL);
	rw_wlock(&vp->v_lock);
	if ((vp->v_seals & F_SEAL_SEAL) != 0)
		error = EPERM;
	else if ((seals & F_SEAL_WRITE) != 0 && (vp->v_seals & F_SEAL_WRITE) == 0 &&
		 mapped_to_write(vp))
		error = EBUSY;
	if (error == 0)
		vp->v_seals |= seals;
	rw_unlock(&vp->v_lock);
	return (error);
}

bool
linux_is_seal(int command)
{
	return (command == F_ADD_SEALS || command == F_GET_SEALS);
}

int64_t
linux_fcntl_seal(struct file *fp, int command, uint64_t arg)
{
	struct vnode *vp = fp->f_vnode;

	if (vp->v_type != VREG || vp->v_ops != &ramfs_ops)
		return (-EINVAL);
	return (command == F_ADD_SEALS ? -add_seals(fp, arg) : (int64_t)vp->v_seals);
}

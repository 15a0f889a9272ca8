/*
 * System calls that map memory: mmap, munmap, mprotect, brk. Advice is in linux_madvise.c, locking
 * in linux_mlock.c, moving in linux_mremap.c. The errno of each refusal, and which comes first, are
 * Linux's.
 */
#include "linux/linux.h"
#include "kern/cdev.h"
#include "kern/file.h"
#include "kern/proc.h"
#include "fs/vnode.h"
#include "vm/vm_fault.h"
#include "vm/vm_page.h"

#define ALIGN_LARGE (2ul << 20) /* a mapping this long is placed so that large pages can map it */
#define LOW_START   0x40000000ul /* where MAP_32BIT may be: below 2 GiB, and above a heap */
#define LOW_END     0x80000000ul

/* Can length bytes be where addr and flags say? Rounds the length, and mends a hint. */
static int
mmap_check_range(uint64_t *addr, uint64_t *length, uint64_t flags)
{
	bool fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;

	if (*length == 0)
		return (EINVAL);
	*length = round_page(*length);
	if (*length == 0 || *length > VM_MAXUSER_ADDRESS)
		return (ENOMEM);
	if (!fixed) {
		*addr = trunc_page(*addr);
		if (*addr != 0)
			*addr = MAX(*addr, VM_MINUSER_ADDRESS);
		return (0);
	}
	if (*addr > VM_MAXUSER_ADDRESS - *length)
		return (ENOMEM);
	if ((*addr & PAGE_MASK) != 0)
		return (EINVAL);
	return (*addr < VM_MINUSER_ADDRESS ? EPERM : 0);
}

static int
mmap_anonymous(uint64_t length, uint64_t flags, struct vm_map_req *req)
{
	if ((flags & MAP_HUGETLB) != 0)
		return (ENOMEM); /* as where none are set aside */
	if ((flags & MAP_GROWSDOWN) != 0)
		req->eflags |= MAP_ENTRY_GROWSDOWN;
	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		return (0);
	if ((flags & MAP_TYPE) != MAP_SHARED || (flags & MAP_GROWSDOWN) != 0)
		return (EINVAL);
	req->object = vm_object_shared(atop(length), (req->eflags & MAP_ENTRY_NORESERVE) == 0);
	req->eflags |= MAP_ENTRY_SHARED;
	return (req->object == NULL ? ENOMEM : 0);
}

/* The object of [offset, offset + length) of the file, with a reference. */
static int
file_object(struct vnode *vp, uint64_t length, bool shared, struct vm_map_req *req)
{
	const struct cdev *dev = vp->v_cdev;
	int error = ENODEV;

	if (req->offset > (vp->v_type == VREG ? INT64_MAX : UINT64_MAX) - length)
		return (EOVERFLOW);
	if (vp->v_type == VCHR && dev->cd_sw->d_mmap != NULL)
		error = dev->cd_sw->d_mmap(dev->cd_softc, req->offset, length, req->prot, shared,
					   &req->object, &req->align_phase);
	else if (vp->v_type == VREG && vp->v_ops->v_object != NULL)
		error = vp->v_ops->v_object(vp, &req->object);
	if (req->align_phase != 0 && length >= ALIGN_LARGE)
		req->align = ALIGN_LARGE;
	return (error);
}

static int
mmap_file(struct file *fp, uint64_t length, uint64_t flags, struct vm_map_req *req)
{
	uint64_t type = flags & MAP_TYPE;
	bool shared = type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
	int error;

	if (type == MAP_SHARED_VALIDATE && (flags & ~(uint64_t)MAP_VALIDATED) != 0)
		return (EOPNOTSUPP);
	if ((!shared && type != MAP_PRIVATE) || (flags & MAP_HUGETLB) != 0)
		return (EINVAL);
	if (!file_readable(fp) ||
	    (shared && (req->prot & VM_PROT_WRITE) != 0 && !file_writable(fp)))
		return (EACCES);
	if (shared && !file_writable(fp))
		req->max_prot &= ~VM_PROT_WRITE;
	error = file_object(fp->f_vnode, length, shared, req);
	if (error != 0)
		return (error);
	if ((flags & MAP_GROWSDOWN) != 0)
		return (EINVAL);
	req->name_vp = fp->f_vnode;
	if (shared)
		req->eflags |= MAP_ENTRY_SHARED;
	else if (req->object != NULL)
		req->eflags |= MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY;
	if (req->object != NULL &&
	    (req->object->type == OBJT_DEVICE || req->object->type == OBJT_MGTDEVICE))
		req->eflags |= MAP_ENTRY_DEVICE;
	return (0);
}

static int
mmap_insert(uint64_t *addr, uint64_t length, uint64_t flags, const struct vm_map_req *req)
{
	vm_map_t map = &curproc->p_vm->vm_map;
	int rv;

	if ((flags & MAP_FIXED_NOREPLACE) != 0) {
		rv = vm_map_insert(map, *addr, length, req);
		if (rv == KERN_NO_SPACE)
			return (EEXIST);
	} else if ((flags & MAP_FIXED) != 0) {
		rv = vm_map_fixed(map, *addr, length, req);
	} else {
		rv = vm_map_find(map, addr, length, req);
	}
	return (vm_mmap_to_errno(rv));
}

/* The same for a file's shared mapping: seals keep it from writing; none comes in between. */
static int
mmap_insert_shared(struct vnode *vp, uint64_t *addr, uint64_t length, uint64_t flags,
		   struct vm_map_req *req)
{
	int error = 0;

	rw_rlock(&vp->v_lock);
	if ((vp->v_seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0) {
		error = (req->prot & VM_PROT_WRITE) != 0 ? EPERM : 0;
		req->max_prot &= ~VM_PROT_WRITE;
	}
	if (error == 0)
		error = mmap_insert(addr, length, flags, req);
	rw_unlock(&vp->v_lock);
	return (error);
}

void
linux_fault_in(uint64_t start, uint64_t end, bool write)
{
	vm_map_t map = &curproc->p_vm->vm_map;
	vm_prot_t access = write ? VM_PROT_WRITE : VM_PROT_READ;
	int rv = KERN_SUCCESS;

	for (; start < end && rv == KERN_SUCCESS; start += PAGE_SIZE)
		if (pmap_extract(map->pmap, start) == 0)
			rv = vm_fault(map, start, access, VM_FAULT_NORMAL, NULL);
}

/* MAP_POPULATE and MAP_LOCKED: as far as it goes, the mapping stands anyway. A private mapping
 * gets its own pages at once, when it may write. */
static void
mmap_populate(vm_offset_t addr, vm_offset_t end, uint64_t flags, const struct vm_map_req *req)
{
	bool write = (req->prot & VM_PROT_WRITE) != 0 && (req->eflags & MAP_ENTRY_SHARED) == 0;

	if (linux_lock_new(addr, end, (flags & MAP_LOCKED) != 0))
		return;
	if ((flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE && req->prot != VM_PROT_NONE)
		linux_fault_in(addr, end, write);
}

int64_t
linux_mmap(struct file *fp, uint64_t addr, uint64_t length, uint64_t prot, uint64_t flags,
	   uint64_t offset)
{
	struct vm_map_req req = {
	    .offset = offset, .prot = prot & VM_PROT_ALL, .max_prot = VM_PROT_ALL};
	int error;

	if ((flags & MAP_NORESERVE) != 0 && !vm_commit_strict())
		req.eflags = MAP_ENTRY_NORESERVE;
	if ((flags & MAP_32BIT) != 0) {
		req.lowest = LOW_START;
		req.highest = LOW_END;
	}
	error = mmap_check_range(&addr, &length, flags);
	if (error == 0 && (flags & MAP_LOCKED) != 0)
		error = linux_may_lock(length, EAGAIN);
	if (error == 0)
		error = fp == NULL ? mmap_anonymous(length, flags, &req)
				   : mmap_file(fp, length, flags, &req);
	if (fp == NULL || req.object == NULL)
		req.offset = 0;
	if (error == 0)
		error = fp != NULL && (req.eflags & MAP_ENTRY_SHARED) != 0
			    ? mmap_insert_shared(fp->f_vnode, &addr, length, flags, &req)
			    : mmap_insert(&addr, length, flags, &req);
	if (error != 0 && req.object != NULL)
		vm_object_deallocate(req.object);
	if (error == 0)
		mmap_populate(addr, addr + length, flags, &req);
	return (error != 0 ? -error : (int64_t)addr);
}

int64_t
sys_mmap(uint64_t addr, uint64_t length, uint64_t prot, uint64_t flags, int fd, uint64_t offset)
{
	struct file *fp = NULL;
	int64_t at;
	int error;

	if ((offset & PAGE_MASK) != 0)
		return (-EINVAL);
	if ((flags & MAP_ANONYMOUS) == 0 && (error = fget(fd, &fp)) != 0)
		return (-error);
	at = linux_mmap(fp, addr, length, prot, flags, offset);
	if (fp != NULL)
		fdrop(fp);
	return (at);
}

int64_t
sys_munmap(uint64_t addr, uint64_t length)
{
	vm_map_t map = &curproc->p_vm->vm_map;
	vm_offset_t start = MAX(addr, map->min), end;

	if ((addr & PAGE_MASK) != 0 || addr > VM_MAXUSER_ADDRESS ||
	    length > VM_MAXUSER_ADDRESS - addr || length == 0)
		return (-EINVAL);
	end = addr + round_page(length);
	return (start >= end ? 0 : -vm_mmap_to_errno(vm_map_remove(map, start, end)));
}

int
linux_page_range(uint64_t addr, uint64_t length, int wraps, vm_offset_t *end)
{
	if ((addr & PAGE_MASK) != 0)
		return (EINVAL);
	*end = addr + round_page(length);
	return ((length != 0 && round_page(length) == 0) || *end < addr ? wraps : 0);
}

/* PROT_GROWSDOWN: the right is for all of the stack down from *addr. */
static int
stack_start(vm_map_t map, uint64_t *addr)
{
	vm_map_entry_t e;
	int error = ENOMEM;

	vm_map_lock_read(map);
	e = vm_map_lookup_entry(map, *addr);
	if (e != NULL)
		error = (e->eflags & MAP_ENTRY_GROWSDOWN) != 0 ? 0 : EINVAL;
	if (error == 0)
		*addr = e->start;
	vm_map_unlock_read(map);
	return (error);
}

int64_t
sys_mprotect(uint64_t addr, uint64_t length, uint64_t prot)
{
	const uint64_t known = PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM;
	bool down = (prot & PROT_GROWSDOWN) != 0;
	vm_map_t map = &curproc->p_vm->vm_map;
	vm_offset_t end;
	int error = 0;

	prot &= ~(uint64_t)PROT_GROWSDOWN;
	if ((addr & PAGE_MASK) != 0)
		return (-EINVAL);
	if (length == 0)
		return (0);
	error = linux_page_range(addr, length, ENOMEM, &end);
	if (error == 0 && (prot & ~known) != 0)
		error = EINVAL;
	if (error == 0 && down)
		error = stack_start(map, &addr);
	if (error != 0)
		return (-error);
	return (-vm_mmap_to_errno(vm_map_protect(map, addr, end, prot & VM_PROT_ALL)));
}

/* A page stays free above the heap, and the guard of a stack. */
static bool
brk_has_room(vm_map_t map, vm_offset_t old, vm_offset_t new)
{
	vm_map_entry_t next;
	vm_size_t guard;
	bool room;

	vm_map_lock_read(map);
	next = vm_map_entry_at_or_after(map, old);
	guard = next != NULL && (next->eflags & MAP_ENTRY_GROWSDOWN) != 0 ? STACK_GUARD : 0;
	room = next == NULL || new + PAGE_SIZE + guard <= next->start;
	vm_map_unlock_read(map);
	return (room);
}

/* Returns the break, moved or (when it cannot be) not. */
int64_t
sys_brk(uint64_t addr)
{
	struct vm_map_req req = {
	    .prot = VM_PROT_RW, .max_prot = VM_PROT_ALL, .eflags = MAP_ENTRY_HEAP};
	struct vmspace *vm = curproc->p_vm;
	vm_offset_t old, new = round_page(addr);
	int rv = KERN_SUCCESS;

	rw_wlock(&vm->vm_lock);
	old = round_page(vm->vm_brk);
	if (addr >= vm->vm_brk_start && addr < VM_MAXUSER_ADDRESS &&
	    addr - vm->vm_brk_start <= lim_cur(RLIMIT_DATA)) {
		if (new > old)
			rv = brk_has_room(&vm->vm_map, old, new)
				 ? vm_map_insert(&vm->vm_map, old, new - old, &req)
				 : KERN_NO_SPACE;
		else if (new < old)
			rv = vm_map_remove(&vm->vm_map, new, old);
		if (rv == KERN_SUCCESS)
			vm->vm_brk = addr;
	}
	addr = vm->vm_brk;
	rw_unlock(&vm->vm_lock);
	if (rv == KERN_SUCCESS && new > old)
		linux_lock_new(old, new, false);
	return (addr);
}

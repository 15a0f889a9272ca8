/*
 * System calls on the address space: mmap and its kin, and brk. The errno of each refusal, and which
 * comes first, are Linux's.
 */
#include "linux/linux.h"
#include "kern/cdev.h"
#include "kern/file.h"
#include "kern/proc.h"
#include "fs/vnode.h"
#include "vm/vm_fault.h"

#define ALIGN_LARGE (2ul << 20) /* a mapping this long is placed so that large pages can map it */

static bool
range_mapped(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	vm_map_entry_t e;

	vm_map_lock_read(map);
	while (start < end && (e = vm_map_lookup_entry(map, start)) != NULL)
		start = e->end;
	vm_map_unlock_read(map);
	return (start >= end);
}

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
		return ((flags & MAP_32BIT) != 0 ? ENOMEM : 0); /* nothing is placed that low */
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
	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		return (0);
	if ((flags & MAP_TYPE) != MAP_SHARED || (flags & MAP_GROWSDOWN) != 0)
		return (EINVAL);
	req->object = vm_object_allocate(OBJT_ANON, atop(length));
	req->eflags = MAP_ENTRY_SHARED;
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
		req->eflags = MAP_ENTRY_SHARED;
	else if (req->object != NULL)
		req->eflags = MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY;
	return (0);
}

static int
mmap_insert(uint64_t *addr, uint64_t length, uint64_t flags, const struct vm_map_req *req)
{
	vm_map_t map = &curproc->p_map;
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

/* MAP_POPULATE and MAP_LOCKED: as far as it goes, the mapping stands anyway. A private mapping gets its
 * own pages at once, when it may write. */
static void
mmap_populate(vm_offset_t addr, vm_offset_t end, uint64_t flags, const struct vm_map_req *req)
{
	vm_map_t map = &curproc->p_map;
	bool write = (req->prot & VM_PROT_WRITE) != 0 && (req->eflags & MAP_ENTRY_SHARED) == 0;
	int rv = KERN_SUCCESS;

	if ((flags & MAP_LOCKED) != 0)
		rv = vm_map_wire(map, addr, end);
	else if ((flags & MAP_POPULATE) == 0 || (req->prot & (VM_PROT_RW)) == 0)
		return;
	for (; addr < end && rv == KERN_SUCCESS; addr += PAGE_SIZE)
		if (pmap_extract(map->pmap, addr) == 0)
			rv = vm_fault(map, addr, write ? VM_PROT_WRITE : VM_PROT_READ,
				      VM_FAULT_NORMAL, NULL);
}

int64_t
sys_mmap(uint64_t addr, uint64_t length, uint64_t prot, uint64_t flags, int fd, uint64_t offset)
{
	struct vm_map_req req = {
	    .offset = offset, .prot = prot & VM_PROT_ALL, .max_prot = VM_PROT_ALL};
	struct file *fp = NULL;
	int error = 0;

	if ((offset & PAGE_MASK) != 0)
		return (-EINVAL);
	if ((flags & MAP_ANONYMOUS) == 0)
		error = fget(fd, &fp);
	if (error == 0)
		error = mmap_check_range(&addr, &length, flags);
	if (error == 0)
		error = fp == NULL ? mmap_anonymous(length, flags, &req)
				   : mmap_file(fp, length, flags, &req);
	if (fp == NULL || req.object == NULL)
		req.offset = 0;
	if (error == 0)
		error = mmap_insert(&addr, length, flags, &req);
	if (error != 0 && req.object != NULL)
		vm_object_deallocate(req.object);
	if (error == 0)
		mmap_populate(addr, addr + length, flags, &req);
	if (fp != NULL)
		fdrop(fp);
	return (error != 0 ? -error : (int64_t)addr);
}

int64_t
sys_munmap(uint64_t addr, uint64_t length)
{
	vm_map_t map = &curproc->p_map;
	vm_offset_t start = MAX(addr, map->min), end;

	if ((addr & PAGE_MASK) != 0 || addr > VM_MAXUSER_ADDRESS ||
	    length > VM_MAXUSER_ADDRESS - addr || length == 0)
		return (-EINVAL);
	end = addr + round_page(length);
	return (start >= end ? 0 : -vm_mmap_to_errno(vm_map_remove(map, start, end)));
}

/* [addr, addr + length) of a call that takes whole pages: EINVAL, or ENOMEM when it wraps. */
static int
page_range(uint64_t addr, uint64_t length, int wraps, vm_offset_t *end)
{
	if ((addr & PAGE_MASK) != 0)
		return (EINVAL);
	*end = addr + round_page(length);
	return ((length != 0 && round_page(length) == 0) || *end < addr ? wraps : 0);
}

int64_t
sys_mprotect(uint64_t addr, uint64_t length, uint64_t prot)
{
	vm_offset_t end;
	int error = page_range(addr, length, ENOMEM, &end);

	if ((prot & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) != 0)
		error = EINVAL;
	if (error != 0 || addr == end)
		return (-error);
	return (-vm_mmap_to_errno(vm_map_protect(&curproc->p_map, addr, end, prot & VM_PROT_ALL)));
}

int64_t
sys_madvise(uint64_t addr, uint64_t length, int advice)
{
	/* NORMAL, RANDOM, SEQUENTIAL, WILLNEED, MERGEABLE .. DODUMP, COLD, PAGEOUT: nothing to do. */
	const uint32_t harmless = 0xful | 0x3ful << 12 | 3ul << 20;
	vm_map_t map = &curproc->p_map;
	vm_offset_t end;
	int error = page_range(addr, length, EINVAL, &end);

	if (advice != MADV_DONTNEED && (advice < 0 || advice > 31 || (harmless >> advice & 1) == 0))
		error = EINVAL;
	if (error != 0 || addr == end)
		return (-error);
	if (advice == MADV_DONTNEED)
		return (-vm_mmap_to_errno(vm_map_dontneed(map, addr, end)));
	if (advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE)
		return (-vm_mmap_to_errno(
		    vm_map_allow_superpages(map, addr, end, advice == MADV_HUGEPAGE)));
	return (range_mapped(map, addr, end) ? 0 : -ENOMEM);
}

int64_t
sys_mlock(uint64_t addr, uint64_t length)
{
	vm_offset_t at = trunc_page(addr), end = at + round_page(length + (addr & PAGE_MASK)), to;
	vm_map_t map = &curproc->p_map;
	vm_map_entry_t e;
	bool wired;
	int rv;

	if (end < at)
		return (-EINVAL);
	for (; at < end; at = to) { /* once is enough: what is locked stays as it is */
		vm_map_lock_read(map);
		e = vm_map_lookup_entry(map, at);
		to = e != NULL ? MIN(e->end, end) : 0;
		wired = e != NULL && e->wired_count != 0;
		vm_map_unlock_read(map);
		rv = to == 0 ? KERN_INVALID_ADDRESS
		     : wired ? KERN_SUCCESS
			     : vm_map_wire(map, at, to);
		if (rv != KERN_SUCCESS)
			return (rv == KERN_ABORTED ? -EINTR : -ENOMEM);
	}
	return (0);
}

int64_t
sys_munlock(uint64_t addr, uint64_t length)
{
	vm_offset_t start = trunc_page(addr), end = start + round_page(length + (addr & PAGE_MASK));

	if (start >= end)
		return (end < start ? -EINVAL : 0);
	return (-vm_mmap_to_errno(vm_map_unwire(&curproc->p_map, start, end)));
}

/* Returns the break, moved or (when it cannot be) not. */
int64_t
sys_brk(uint64_t addr)
{
	struct vm_map_req req = {
	    .prot = VM_PROT_RW, .max_prot = VM_PROT_ALL, .eflags = MAP_ENTRY_HEAP};
	struct proc *p = curproc;
	vm_offset_t old, new = round_page(addr);
	int rv = KERN_SUCCESS;

	rw_wlock(&p->p_lock);
	old = round_page(p->p_brk);
	if (addr >= p->p_brk_start && addr < VM_MAXUSER_ADDRESS) {
		if (new > old)
			rv = vm_map_insert(&p->p_map, old, new - old, &req);
		else if (new < old)
			rv = vm_map_remove(&p->p_map, new, old);
		if (rv == KERN_SUCCESS)
			p->p_brk = addr;
	}
	addr = p->p_brk;
	rw_unlock(&p->p_lock);
	return (addr);
}

/*
 * System calls on the address space: mmap and its kin, and brk; locking is in linux_mlock.c. The
 * errno of each refusal, and which comes first, are Linux's.
 */
#include "linux/linux.h"
#include "kern/cdev.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "fs/vnode.h"
#include "vm/vm_fault.h"

#define ALIGN_LARGE (2ul << 20) /* a mapping this long is placed so that large pages can map it */

/* The eflags of [start, end)'s entries, together. False if part of it is not mapped. */
static bool
range_flags(vm_map_t map, vm_offset_t start, vm_offset_t end, uint32_t *eflags)
{
	vm_map_entry_t e;
	bool hole = false;

	vm_map_lock_read(map);
	for (*eflags = 0; start < end; start = e->end) {
		e = vm_map_entry_at_or_after(map, start);
		hole |= e == NULL || e->start > start;
		if (e == NULL || e->start >= end)
			break;
		*eflags |= e->eflags | (e->wired_count != 0 ? MAP_ENTRY_ONFAULT : 0);
	}
	vm_map_unlock_read(map);
	return (!hole);
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
		error = fp != NULL && (req.eflags & MAP_ENTRY_SHARED) != 0
			    ? mmap_insert_shared(fp->f_vnode, &addr, length, flags, &req)
			    : mmap_insert(&addr, length, flags, &req);
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
	vm_map_t map = &curproc->p_vm->vm_map;
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
	return (-vm_mmap_to_errno(
	    vm_map_protect(&curproc->p_vm->vm_map, addr, end, prot & VM_PROT_ALL)));
}

int64_t
sys_madvise(uint64_t addr, uint64_t length, int advice)
{
	/* NORMAL, RANDOM, SEQUENTIAL, WILLNEED, MERGEABLE .. DODUMP, COLD, PAGEOUT: nothing to
	 * do. */
	const uint32_t harmless = 0xful | 0x3ful << 12 | 3ul << 20;
	const uint32_t not_for_devices = 1ul << 17 | 3ul << 20; /* DODUMP, COLD, PAGEOUT */
	vm_map_t map = &curproc->p_vm->vm_map;
	uint32_t eflags;
	vm_offset_t end;
	bool mapped;
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
	mapped = range_flags(map, addr, end, &eflags);
	if ((eflags & MAP_ENTRY_DEVICE) != 0 && (not_for_devices >> advice & 1) != 0)
		return (-EINVAL);
	return (mapped ? 0 : -ENOMEM);
}

/* A shared mapping is the file's own pages: there is nothing to write back to. */
int64_t
sys_msync(uint64_t addr, uint64_t length, int flags)
{
	vm_offset_t end = addr + round_page(length);
	uint32_t eflags;
	bool mapped;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 || (addr & PAGE_MASK) != 0 ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return (-EINVAL);
	if (end <= addr)
		return (end < addr ? -ENOMEM : 0);
	mapped = range_flags(&curproc->p_vm->vm_map, addr, end, &eflags);
	if ((flags & MS_INVALIDATE) != 0 && (eflags & MAP_ENTRY_ONFAULT) != 0)
		return (-EBUSY);
	return (mapped ? 0 : -ENOMEM);
}

int64_t
sys_mincore(uint64_t addr, uint64_t length, uint8_t *uvec)
{
	uint64_t pages = atop(length) + ((length & PAGE_MASK) != 0), n, max;
	uint8_t vec[256];

	if ((addr & PAGE_MASK) != 0)
		return (-EINVAL);
	if (length > VM_MAXUSER_ADDRESS || addr > VM_MAXUSER_ADDRESS - length)
		return (-ENOMEM);
	for (; pages > 0; pages -= n, addr += ptoa(n), uvec += n) {
		max = MIN(pages, sizeof(vec));
		n = vm_map_mincore(&curproc->p_vm->vm_map, addr, addr + ptoa(max), vec);
		if (copyout(vec, uvec, n) != 0)
			return (-EFAULT);
		if (n < max)
			return (-ENOMEM);
	}
	return (0);
}

/* --- mremap ----------------------------------------------------------------------------------- */

/* The errno of arguments that are wrong whatever is mapped; rounds the lengths. */
static int
mremap_check(struct vm_map_remap *r, uint64_t flags)
{
	if ((flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 ||
	    ((r->fixed || r->keep) && !r->may_move) || (r->keep && r->old_size != r->new_size) ||
	    (r->old & PAGE_MASK) != 0)
		return (EINVAL);
	r->old_size = round_page(r->old_size);
	r->new_size = round_page(r->new_size);
	if (r->new_size == 0 || r->new_size > VM_MAXUSER_ADDRESS)
		return (EINVAL);
	if (r->fixed && ((r->new &PAGE_MASK) != 0 || r->new > VM_MAXUSER_ADDRESS - r->new_size ||
			 (r->old + r->old_size > r->new && r->new + r->new_size > r->old)))
		return (EINVAL);
	return (r->fixed && r->new < VM_MINUSER_ADDRESS ? EPERM : 0);
}

static bool
is_mapped(vm_map_t map, vm_offset_t addr)
{
	bool mapped;

	vm_map_lock_read(map);
	mapped = vm_map_lookup_entry(map, addr) != NULL;
	vm_map_unlock_read(map);
	return (mapped);
}

/* What is cut off goes first. */
static int
mremap_shrink(vm_map_t map, struct vm_map_remap *r)
{
	vm_offset_t end = r->old + r->old_size;

	if (r->old_size <= r->new_size)
		return (0);
	if (end < r->old || end > VM_MAXUSER_ADDRESS)
		return (EINVAL);
	r->old_size = r->new_size;
	return (vm_mmap_to_errno(vm_map_remove(map, r->old + r->new_size, end)));
}

/* Locked memory stays in memory: what moved is entered again now, what is new is locked too. */
static void
mremap_populate(const struct vm_map_remap *r)
{
	vm_offset_t grown = r->new + r->old_size;

	if (!r->wired)
		return;
	if (r->new != r->old)
		linux_fault_in(r->new, grown, false);
	if (r->new_size > r->old_size)
		linux_lock_new(grown, r->new + r->new_size, true);
}

int64_t
sys_mremap(uint64_t old, uint64_t old_size, uint64_t new_size, uint64_t flags, uint64_t new)
{
	struct vm_map_remap r = {
	    .old = old,
	    .old_size = old_size,
	    .new_size = new_size,
	    .new = new,
	    .may_move = (flags & MREMAP_MAYMOVE) != 0,
	    .fixed = (flags & MREMAP_FIXED) != 0,
	    .keep = (flags & MREMAP_DONTUNMAP) != 0,
	};
	vm_map_t map = &curproc->p_vm->vm_map;
	int error = mremap_check(&r, flags), rv;
	bool shrinks = r.old_size >= r.new_size && !r.fixed && !r.keep;

	if (error == 0)
		error = is_mapped(map, old) ? mremap_shrink(map, &r) : EFAULT;
	if (error != 0 || shrinks)
		return (error != 0 ? -error : (int64_t)old);
	rv = vm_map_remap(map, &r);
	if (rv != KERN_SUCCESS)
		return (rv == KERN_INVALID_ADDRESS ? -EFAULT : -vm_mmap_to_errno(rv));
	mremap_populate(&r);
	return (r.new);
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
	if (addr >= vm->vm_brk_start && addr < VM_MAXUSER_ADDRESS) {
		if (new > old)
			rv = vm_map_insert(&vm->vm_map, old, new - old, &req);
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

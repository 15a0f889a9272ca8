/*
 * System calls that tell or ask something of a range of memory: madvise, msync, mincore. The kernel
 * has no KSM, and pages are not merged.
 */
#include "linux/linux.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "fs/vnode.h"
#include "vm/vm_fault.h"
#include "vm/vm_object.h"

/* clang-format off */
enum { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE = 8,
       MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_HUGEPAGE = 14, MADV_NOHUGEPAGE, MADV_DONTDUMP,
       MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
       MADV_POPULATE_WRITE, MADV_COUNT };
/* clang-format on */

/* --- madvise ---------------------------------------------------------------------------------- */

/* What entries remember. */
static const struct advice {
	bool known;
	uint32_t set, clear, not_for;
} advices[MADV_COUNT] = {
    [MADV_NORMAL] = {true, 0, MAP_ENTRY_RANDOM | MAP_ENTRY_SEQUENTIAL, 0},
    [MADV_RANDOM] = {true, MAP_ENTRY_RANDOM, MAP_ENTRY_SEQUENTIAL, 0},
    [MADV_SEQUENTIAL] = {true, MAP_ENTRY_SEQUENTIAL, MAP_ENTRY_RANDOM, 0},
    [MADV_WILLNEED] = {true, 0, 0, 0}, /* all that could be read ahead is in memory */
    [MADV_DONTFORK] = {true, MAP_ENTRY_NOFORK, 0, 0},
    [MADV_DOFORK] = {true, 0, MAP_ENTRY_NOFORK, MAP_ENTRY_DEVICE},
    [MADV_HUGEPAGE] = {true, MAP_ENTRY_SUPER, MAP_ENTRY_NOSUPER, 0},
    [MADV_NOHUGEPAGE] = {true, MAP_ENTRY_NOSUPER, MAP_ENTRY_SUPER, 0},
    [MADV_DONTDUMP] = {true, MAP_ENTRY_NODUMP, 0, 0},
    [MADV_DODUMP] = {true, 0, MAP_ENTRY_NODUMP, MAP_ENTRY_DEVICE},
    [MADV_WIPEONFORK] = {true, MAP_ENTRY_WIPEFORK, 0, MAP_ENTRY_SHARED | MAP_ENTRY_COW},
    [MADV_KEEPONFORK] = {true, 0, MAP_ENTRY_WIPEFORK, 0},
};

/* What is to be emptied of one shared mapping: a part of its file, or of its object. */
struct hole {
	struct vnode *vp; /* referenced, or NULL */
	vm_object_t object; /* referenced */
	uint64_t start, end; /* bytes */
};

/* The first mapping at or after *at, as a hole; *at moves to its end. ENOENT: there is none. */
static int
hole_find(vm_map_t map, vm_offset_t *at, vm_offset_t end, struct hole *h)
{
	vm_map_entry_t e;
	int error = 0;

	*h = (struct hole){0};
	vm_map_lock_read(map);
	e = vm_map_entry_at_or_after(map, *at);
	if (e == NULL || e->start >= end)
		error = ENOENT;
	else if (vm_map_entry_locked(e) || (e->eflags & MAP_ENTRY_DEVICE) != 0 ||
		 ((e->eflags & MAP_ENTRY_SHARED) == 0 && e->name_vp == NULL))
		error = EINVAL;
	else if ((e->eflags & MAP_ENTRY_SHARED) == 0 || (e->protection & VM_PROT_WRITE) == 0)
		error = EACCES;
	if (error == 0) {
		*at = MAX(*at, e->start);
		h->start = e->offset + (*at - e->start);
		h->end = e->offset + (MIN(e->end, end) - e->start);
		h->vp = e->name_vp;
		h->object = e->object;
		vm_object_reference(h->object);
		if (h->vp != NULL)
			vref(h->vp);
		*at = MIN(e->end, end);
	}
	vm_map_unlock_read(map);
	return (error);
}

static int
hole_make(const struct hole *h)
{
	int error = 0;

	if (h->vp == NULL) {
		VM_OBJECT_WLOCK(h->object);
		vm_object_page_remove(h->object, atop(h->start), atop(h->end));
		VM_OBJECT_UNLOCK(h->object);
	} else if (h->vp->v_ops->v_allocate != NULL) {
		error = h->vp->v_ops->v_allocate(h->vp, FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE,
						 h->start, h->end - h->start);
	} else {
		error = EOPNOTSUPP;
	}
	vm_object_deallocate(h->object);
	if (h->vp != NULL)
		vrele(h->vp);
	return (error);
}

static int
advise_remove(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	bool gap = false;
	vm_offset_t at;
	struct hole h;
	int error;

	for (; start < end; start = at) {
		at = start;
		error = hole_find(map, &at, end, &h);
		if (error == ENOENT)
			return (ENOMEM);
		gap |= error == 0 && at - start > h.end - h.start;
		if (error == 0)
			error = hole_make(&h);
		if (error != 0)
			return (error);
	}
	return (gap ? ENOMEM : 0);
}

/* What the CPU lets a program read, for x86 has no write-only memory, is not always what it asked
 * for. Of nothing mapped: true. */
static bool
asked_to_read(vm_map_t map, vm_offset_t addr)
{
	vm_map_entry_t e;
	bool asked;

	vm_map_lock_read(map);
	e = vm_map_lookup_entry(map, addr);
	asked = e == NULL || (e->protection & VM_PROT_READ) != 0;
	vm_map_unlock_read(map);
	return (asked);
}

/* Page tables filled as by touching; unlike that, with the error told. */
static int
advise_populate(vm_map_t map, vm_offset_t start, vm_offset_t end, bool write)
{
	vm_prot_t access = write ? VM_PROT_WRITE : VM_PROT_READ;
	int rv = KERN_SUCCESS;

	for (; start < end && rv == KERN_SUCCESS; start += PAGE_SIZE)
		rv = write || asked_to_read(map, start)
			 ? vm_fault(map, start, access, VM_FAULT_NORMAL, NULL)
			 : KERN_PROTECTION_FAILURE;
	return (rv == KERN_PROTECTION_FAILURE ? EINVAL : vm_mmap_to_errno(rv));
}

static int
advise(vm_map_t map, vm_offset_t start, vm_offset_t end, int advice)
{
	const struct advice *a = &advices[advice];

	switch (advice) {
	case MADV_DONTNEED:
		return (vm_mmap_to_errno(vm_map_dontneed(map, start, end)));
	case MADV_FREE:
		return (vm_mmap_to_errno(vm_map_free_lazily(map, start, end)));
	case MADV_COLD:
	case MADV_PAGEOUT:
		return (
		    vm_mmap_to_errno(vm_map_deactivate(map, start, end, advice == MADV_PAGEOUT)));
	case MADV_REMOVE:
		return (advise_remove(map, start, end));
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return (advise_populate(map, start, end, advice == MADV_POPULATE_WRITE));
	}
	return (vm_mmap_to_errno(vm_map_advise(map, start, end, a->set, a->clear, a->not_for)));
}

static bool
advice_known(int advice)
{
	return (advice >= 0 && advice < MADV_COUNT &&
		(advices[advice].known || advice == MADV_DONTNEED || advice == MADV_FREE ||
		 advice == MADV_REMOVE || advice >= MADV_COLD));
}

int64_t
sys_madvise(uint64_t addr, uint64_t length, int advice)
{
	vm_offset_t end;
	int error = linux_page_range(addr, length, EINVAL, &end);

	if (!advice_known(advice))
		error = EINVAL;
	if (error != 0 || addr == end)
		return (-error);
	return (-advise(&curproc->p_vm->vm_map, addr, end, advice));
}

/* --- msync, mincore --------------------------------------------------------------------------- */

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

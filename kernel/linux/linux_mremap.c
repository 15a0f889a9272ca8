/*
 * mremap: which requests are wrong, and in what order Linux says so; vm_map_remap does the rest.
 */
#include "linux/linux.h"
#include "kern/proc.h"
#include "vm/vm_map.h"

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

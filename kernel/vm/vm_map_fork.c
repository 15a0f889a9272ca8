/*
 * Fork: a new map that has what the old one has. What is shared stays one object; what is private
 * becomes copy-on-write on both sides, and whoever writes first puts a shadow in front
 * (vm_map_lookup_locked):
 *
 *   parent ──▶ object          parent ──▶ object ◀── child          parent ──▶ shadow ──▶ object ◀── child
 *
 * Each fork can so make a chain longer by one; vm_object_collapse, at the next fork and when the
 * other side goes, shortens it again. The child's page tables are left to its faults.
 */
#include "vm/vm_map_entry.h"
#include "vm/vm_object.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"

/* Writes to it are for all to see: what is no private mapping of anything. */
static bool
entry_is_shared(vm_map_entry_t e)
{
	if (e->object->type == OBJT_ANON)
		return ((e->eflags & MAP_ENTRY_SHARED) != 0);
	return ((e->eflags & MAP_ENTRY_COW) == 0);
}

/* From now on neither side may write to the object itself. Wired pages stay wired where they
 * are; the copy that the parent's next write makes takes the wiring over (vm_fault_copy). */
static void
entry_share_private(vm_map_t src, vm_map_entry_t e)
{
	VM_OBJECT_WLOCK(e->object);
	e->object->flags &= ~OBJ_ONEMAPPING;
	VM_OBJECT_UNLOCK(e->object);
	vm_object_collapse(e->object);
	if ((e->eflags & MAP_ENTRY_NEEDS_COPY) == 0 && (e->protection & VM_PROT_WRITE) != 0)
		pmap_protect(src->pmap, e->start, e->end, e->protection & ~VM_PROT_WRITE);
	e->eflags |= MAP_ENTRY_NEEDS_COPY;
}

/* e once more, after all that dst has. */
static int
fork_entry(vm_map_t src, vm_map_entry_t e, vm_map_t dst)
{
	bool wipe = (e->eflags & MAP_ENTRY_WIPEFORK) != 0;
	uint32_t clear = MAP_ENTRY_ONFAULT | (wipe ? MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY : 0);
	vm_map_entry_t copy = kmalloc(sizeof(*copy), 0);
	uint32_t eflags;

	if (!wipe && e->object != NULL && !entry_is_shared(e))
		entry_share_private(src, e);
	eflags = vm_map_charged_flags(e->protection, e->eflags & ~clear);
	if (copy == NULL || !vm_map_charge(dst, e->end - e->start, e->protection, eflags)) {
		kfree(copy);
		return (KERN_RESOURCE_SHORTAGE);
	}
	*copy = *e;
	copy->eflags = eflags;
	copy->wired_count = 0;
	copy->object = wipe ? NULL : e->object;
	copy->offset = wipe ? 0 : e->offset;
	vm_map_entry_ref(dst, copy);
	vm_map_entry_list(dst, dst->header.prev, copy);
	return (KERN_SUCCESS);
}

int
vm_map_fork(vm_map_t src, vm_map_t dst)
{
	int rv = KERN_SUCCESS;
	vm_map_entry_t e;

	vm_map_lock_range(src, src->min, src->max);
	if (!rw_try_wlock(&dst->lock)) /* not by rank: nobody else can want it */
		panic("fork into a map that is in use");
	VM_MAP_ENTRY_FOREACH (e, src)
		if (rv == KERN_SUCCESS && (e->eflags & MAP_ENTRY_NOFORK) == 0)
			rv = fork_entry(src, e, dst);
	vm_map_tree_build(dst);
	dst->top = src->top;
	vm_map_unlock(dst);
	vm_map_unlock(src);
	if (rv != KERN_SUCCESS)
		vm_map_remove(dst, dst->min, dst->max);
	return (rv);
}

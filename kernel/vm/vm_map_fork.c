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

static int
fork_entry(vm_map_t src, vm_map_entry_t e, vm_map_t dst)
{
	bool wipe = (e->eflags & MAP_ENTRY_WIPEFORK) != 0;
	struct vm_map_req req = {.prot = e->protection,
				 .max_prot = e->max_protection,
				 .eflags = e->eflags & ~MAP_ENTRY_ONFAULT,
				 .name_vp = e->name_vp};
	int rv;

	if ((e->eflags & MAP_ENTRY_NOFORK) != 0)
		return (KERN_SUCCESS);
	if (wipe)
		req.eflags &= ~(MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	else if (e->object != NULL && !entry_is_shared(e))
		entry_share_private(src, e);
	if (e->object != NULL && !wipe) {
		vm_object_reference(e->object);
		req.object = e->object;
		req.offset = e->offset;
		req.eflags = e->eflags & ~MAP_ENTRY_ONFAULT; /* it may need a copy by now */
	}
	rv = vm_map_insert_locked(dst, e->start, e->end - e->start, &req);
	if (rv != KERN_SUCCESS && req.object != NULL)
		vm_object_deallocate(req.object);
	return (rv);
}

int
vm_map_fork(vm_map_t src, vm_map_t dst)
{
	int rv = KERN_SUCCESS;
	vm_map_entry_t e;

	vm_map_lock_range(src, src->min, src->max);
	if (!rw_try_wlock(&dst->lock)) /* not by rank: nobody else can want it */
		panic("fork into a map that is in use");
	VM_MAP_ENTRY_FOREACH (e, src) {
		rv = fork_entry(src, e, dst);
		if (rv != KERN_SUCCESS)
			break;
	}
	dst->top = src->top;
	vm_map_unlock(dst);
	vm_map_unlock(src);
	if (rv != KERN_SUCCESS)
		vm_map_remove(dst, dst->min, dst->max);
	return (rv);
}

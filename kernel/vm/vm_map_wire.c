/*
 * Wiring a range of a map: mlock and its kin. An entry says how often it is wired; a page of it is
 * wired once for the map, by a fault, and gives that back when the entry's count falls to 0. While
 * pages are wired the map is unlocked, and the entries are marked: who would change them waits.
 */
#include "vm/vm_fault.h"
#include "vm/vm_map_entry.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "kern/panic.h"

/* The top-most page of the chain at pindex gives back the wiring that this map took. */
static void
object_unwire(vm_object_t object, vm_pindex_t pindex)
{
	vm_page_t m;

	object = vm_object_walk(object, &pindex, &m);
	if (m != NULL && m->wire_count != 0) /* 0: what was wired was taken back */
		vm_page_unwire(m);
	VM_OBJECT_UNLOCK(object);
}

void
vm_map_entry_unwire(vm_map_t map, vm_map_entry_t e, vm_offset_t end)
{
	pmap_unwire(map->pmap, e->start, end);
	for (vm_offset_t va = e->start; e->object != NULL && va < end; va += PAGE_SIZE)
		object_unwire(e->object, atop(e->offset + (va - e->start)));
}

/* A wiring fault for each page, as for a write where the entry allows it: so COW is settled now. */
static int
wire_pages(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_offset_t *done)
{
	int rv = KERN_SUCCESS;

	for (*done = start; *done < end; *done += PAGE_SIZE) {
		rv = vm_fault(map, *done, VM_PROT_WRITE, VM_FAULT_WIRE, NULL);
		if (rv == KERN_PROTECTION_FAILURE)
			rv = vm_fault(map, *done, VM_PROT_READ, VM_FAULT_WIRE, NULL);
		if (rv != KERN_SUCCESS)
			break;
	}
	return (rv);
}

/* Wire the pages of the entries that are not wired yet; *done says how far that went. */
static int
wire_marked(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_offset_t *done)
{
	vm_offset_t stop;
	vm_map_entry_t e;
	bool fresh;
	int rv;

	for (*done = start; *done < end;) {
		vm_map_lock_read(map);
		e = vm_map_lookup_entry(map, *done);
		KASSERT(e != NULL, ("a range being wired has a hole at %#lx", *done));
		stop = MIN(e->end, end);
		fresh = e->wired_count == 1;
		vm_map_unlock_read(map);
		rv = fresh ? wire_pages(map, *done, stop, done) : KERN_SUCCESS;
		if (rv != KERN_SUCCESS)
			return (rv);
		*done = stop;
	}
	return (KERN_SUCCESS);
}

/* One wiring less of e, which has been done up to end. */
static void
entry_unwire(vm_map_t map, vm_map_entry_t e, vm_offset_t end)
{
	rw_assert_wlocked(&map->lock);
	if ((e->eflags & MAP_ENTRY_ONFAULT) != 0) {
		e->eflags &= ~MAP_ENTRY_ONFAULT;
		pmap_unwire(map->pmap, e->start, e->end);
	}
	if (e->wired_count != 0 && --e->wired_count == 0 && end > e->start)
		vm_map_entry_unwire(map, e, MIN(e->end, end));
}

int
vm_map_wire(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	vm_map_entry_t e;
	vm_offset_t done;
	int rv;

	vm_map_lock_range(map, start, end);
	rv = vm_map_mapped_until(map, start, end) < end ? KERN_INVALID_ADDRESS
							: vm_map_clip_range(map, start, end);
	if (rv != KERN_SUCCESS) {
		vm_map_unlock(map);
		return (rv);
	}
	ENTRY_RANGE_FOREACH (e, map, start, end) {
		e->wired_count++;
		e->eflags = (e->eflags & ~MAP_ENTRY_ONFAULT) | MAP_ENTRY_TRANSITION;
		map->ntransition++;
	}
	vm_map_unlock(map);
	rv = wire_marked(map, start, end, &done);
	vm_map_lock(map);
	ENTRY_RANGE_FOREACH (e, map, start, end) {
		map->ntransition--;
		e->eflags &= ~MAP_ENTRY_TRANSITION;
		if (rv != KERN_SUCCESS)
			entry_unwire(map, e, done);
	}
	vm_map_simplify_range(map, start, end);
	vm_map_unlock(map);
	wakeup(map);
	return (rv);
}

/* Call fn for the entries of [start, end), clipped, up to the first part that is not mapped. */
static int
for_mapped(vm_map_t map, vm_offset_t start, vm_offset_t end,
	   void (*fn)(vm_map_t map, vm_map_entry_t e, vm_offset_t end))
{
	vm_offset_t stop;
	vm_map_entry_t e;
	int rv;

	vm_map_lock_range(map, start, end);
	stop = vm_map_mapped_until(map, start, end);
	rv = vm_map_clip_range(map, start, stop);
	ENTRY_RANGE_FOREACH (e, map, start, rv == KERN_SUCCESS ? stop : start)
		fn(map, e, stop);
	vm_map_simplify_range(map, start, stop);
	vm_map_unlock(map);
	return (rv == KERN_SUCCESS && stop < end ? KERN_INVALID_ADDRESS : rv);
}

static void
entry_wire_on_fault(vm_map_t map, vm_map_entry_t e, vm_offset_t end __unused)
{
	if (e->wired_count != 0)
		return;
	e->eflags |= MAP_ENTRY_ONFAULT;
	pmap_remove(map->pmap, e->start, e->end); /* they come back wired */
}

int
vm_map_wire_on_fault(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	return (for_mapped(map, start, end, entry_wire_on_fault));
}

int
vm_map_unwire(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	return (for_mapped(map, start, end, entry_unwire));
}

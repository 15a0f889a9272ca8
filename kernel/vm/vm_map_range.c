/*
 * What a range of a map is told or asked: rights, advice, what is in memory.
 */
#include "vm/vm_map_entry.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "kern/sysctl.h"
#include "kern/trace.h"

uint32_t vm_superpages = 1;
SYSCTL_UINT(superpages, "vm/superpages", vm_superpages, 1);

/* vm_map_mapped_until for entries whose max_protection allows prot; *rv says what stopped it. */
static vm_offset_t
protectable_until(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_prot_t prot, int *rv)
{
	vm_offset_t stop = vm_map_mapped_until(map, start, end);
	vm_map_entry_t e;

	*rv = stop < end ? KERN_INVALID_ADDRESS : KERN_SUCCESS;
	ENTRY_RANGE_FOREACH (e, map, start, stop) {
		if ((prot & ~e->max_protection) != 0) {
			*rv = KERN_PROTECTION_FAILURE;
			return (MAX(e->start, start));
		}
	}
	return (stop);
}

int
vm_map_protect(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_prot_t prot)
{
	vm_offset_t stop;
	vm_map_entry_t e;
	int rv;

	vm_map_lock_range(map, start, end);
	stop = protectable_until(map, start, end, prot, &rv);
	if (stop > start && vm_map_clip_range(map, start, stop) != KERN_SUCCESS)
		rv = KERN_RESOURCE_SHORTAGE;
	if (stop == start || rv == KERN_RESOURCE_SHORTAGE) {
		vm_map_unlock(map);
		return (rv);
	}
	TRACE(TR_MAP, (uint64_t) "protect", start, stop);
	ENTRY_RANGE_FOREACH (e, map, start, stop) {
		if ((e->protection & ~prot) != 0)
			pmap_protect(map->pmap, e->start, e->end, prot);
		e->protection = prot;
		e = vm_map_entry_simplify(map, e);
	}
	e = vm_map_entry_at_or_after(map, stop);
	if (e != NULL)
		vm_map_entry_simplify(map, e);
	vm_map_unlock(map);
	return (rv);
}

/* A private entry whose pages others see too, or that stands in front of such: to drop its own
 * pages would not show what was there before all writes. */
static bool
entry_hides_writes(vm_map_entry_t e)
{
	vm_object_t object = e->object;
	bool hides;

	if (object == NULL || object->type != OBJT_ANON || (e->eflags & MAP_ENTRY_SHARED) != 0)
		return (false);
	VM_OBJECT_RLOCK(object);
	hides = (e->eflags & MAP_ENTRY_NEEDS_COPY) != 0 ||
		(object->backing_object != NULL && object->backing_object->type == OBJT_ANON);
	VM_OBJECT_UNLOCK(object);
	return (hides);
}

/* Let part of such an entry begin anew: in front of the file that its chain ends in, or of
 * nothing. */
static int
entry_renew(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	vm_object_t old, bottom;
	vm_pindex_t pindex;
	vm_map_entry_t e;

	if (vm_map_clip_range(map, start, end) != KERN_SUCCESS)
		return (KERN_RESOURCE_SHORTAGE);
	e = vm_map_lookup_entry(map, start);
	old = e->object;
	pindex = atop(e->offset);
	bottom = vm_object_walk(old, &pindex, NULL);
	e->object = bottom->type != OBJT_ANON ? bottom : NULL;
	e->offset = e->object != NULL ? ptoa(pindex) : 0;
	e->eflags &= ~MAP_ENTRY_NEEDS_COPY;
	if (e->object != NULL) {
		e->eflags |= MAP_ENTRY_NEEDS_COPY;
		vm_object_reference(bottom);
	}
	VM_OBJECT_UNLOCK(bottom);
	vm_object_deallocate(old); /* anonymous: nothing of it wants this map */
	return (KERN_SUCCESS);
}

int
vm_map_dontneed(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	vm_offset_t from, to;
	vm_map_entry_t e;
	int rv = KERN_SUCCESS;

	vm_map_lock(map);
	if (vm_map_mapped_until(map, start, end) < end)
		rv = KERN_INVALID_ADDRESS;
	ENTRY_RANGE_FOREACH (e, map, start, end) {
		if (e->wired_count != 0 ||
		    (e->eflags & (MAP_ENTRY_ONFAULT | MAP_ENTRY_DEVICE)) != 0) {
			rv = KERN_INVALID_ARGUMENT;
			break;
		}
		from = MAX(e->start, start);
		to = MIN(e->end, end);
		pmap_remove(map->pmap, from, to);
		if (!entry_hides_writes(e)) {
			vm_map_entry_free_pages(e, from, to);
		} else if (entry_renew(map, from, to) != KERN_SUCCESS) {
			rv = KERN_RESOURCE_SHORTAGE;
			break;
		}
	}
	vm_map_unlock(map);
	return (rv);
}

int
vm_map_allow_superpages(vm_map_t map, vm_offset_t start, vm_offset_t end, bool allow)
{
	vm_offset_t stop;
	vm_map_entry_t e;
	int rv;

	vm_map_lock_range(map, start, end);
	stop = vm_map_mapped_until(map, start, end);
	rv = vm_map_clip_range(map, start, stop);
	ENTRY_RANGE_FOREACH (e, map, start, rv == KERN_SUCCESS ? stop : start) {
		e->eflags = (e->eflags & ~MAP_ENTRY_NOSUPER) | (allow ? 0 : MAP_ENTRY_NOSUPER);
		e = vm_map_entry_simplify(map, e);
	}
	e = vm_map_entry_at_or_after(map, stop);
	if (e != NULL)
		vm_map_entry_simplify(map, e);
	vm_map_unlock(map);
	return (rv == KERN_SUCCESS && stop < end ? KERN_INVALID_ADDRESS : rv);
}

vm_pindex_t
vm_map_mincore(vm_map_t map, vm_offset_t start, vm_offset_t end, uint8_t *resident)
{
	vm_object_t object;
	vm_map_entry_t e;
	vm_pindex_t pindex;
	vm_page_t m;

	vm_map_lock_read(map);
	end = vm_map_mapped_until(map, start, end);
	for (vm_offset_t va = start; va < end; va += PAGE_SIZE) {
		e = vm_map_lookup_entry(map, va);
		*resident = 0;
		if ((object = e->object) != NULL) {
			pindex = atop(e->offset + (va - e->start));
			object = vm_object_walk(object, &pindex, &m);
			*resident = m != NULL && vm_page_unit(m)->valid;
			VM_OBJECT_UNLOCK(object);
		}
		resident++;
	}
	vm_map_unlock_read(map);
	return (atop(end - start));
}

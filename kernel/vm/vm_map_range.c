/*
 * What a range of a map is told or asked: rights, and what is in memory.
 */
#include "vm/vm_map_entry.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "kern/trace.h"

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
	TRACE(TR_MAP, (uint64_t) "protect", start, stop, prot);
	ENTRY_RANGE_FOREACH (e, map, start, stop) {
		if (!vm_map_recharge(map, e, prot)) {
			rv = KERN_RESOURCE_SHORTAGE;
			break;
		}
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

/*
 * What a range of a map is told or asked: rights, and what is in memory.
 */
#include "vm/vm_map_entry.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "kern/trace.h"

/* The end of what is mapped without a hole from start, at most end, by entries that may have the
 * rights prot; *rv says what stopped it. */
static vm_offset_t
protectable_until(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_prot_t prot, int *rv)
{
	vm_map_entry_t e;

	ENTRY_RANGE_FOREACH (e, map, start, end) {
		*rv = KERN_PROTECTION_FAILURE;
		if (e->start > start)
			break;
		if ((prot & ~e->max_protection) != 0)
			return (start);
		start = e->end;
	}
	*rv = start < end ? KERN_INVALID_ADDRESS : KERN_SUCCESS;
	return (MIN(start, end));
}

static bool
entry_protect(vm_map_t map, vm_map_entry_t e, vm_prot_t prot)
{
	if (!vm_map_recharge(map, e, prot))
		return (false);
	if ((e->protection & ~prot) != 0)
		pmap_protect(map->pmap, e->start, e->end, prot);
	e->protection = prot;
	return (true);
}

/* The front of an entry, up to end, is to be like what it touches and continues below: their border
 * moves, and no entry comes or goes. So it is for who changes a range page by page. False: it is not
 * so, or may not be. */
static bool
protect_border(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_prot_t prot)
{
	vm_map_entry_t e = vm_map_lookup_entry(map, start), prev = e->prev;
	struct vm_map_entry front = *e;

	front.end = end;
	front.protection = prot;
	front.eflags = vm_map_recharged_flags(e, prot);
	if (e->start != start || e->end <= end || prev == &map->header || prev->end != start ||
	    prev->object != e->object || !vm_map_same_kind(prev, &front) ||
	    (e->object != NULL && prev->offset + (start - prev->start) != e->offset))
		return (false);
	front.protection = e->protection;
	front.eflags = e->eflags;
	if (!entry_protect(map, &front, prot))
		return (false);
	e->offset += e->object != NULL ? end - start : 0;
	e->start = prev->end = end; /* the tree knows gaps alone, and there is none */
	return (true);
}

static bool
protect_entries(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_prot_t prot)
{
	bool ok = vm_map_clip_range(map, start, end) == KERN_SUCCESS;
	vm_map_entry_t e;

	ENTRY_RANGE_FOREACH (e, map, start, end)
		ok = ok && entry_protect(map, e, prot);
	vm_map_simplify_range(map, start, end);
	return (ok);
}

int
vm_map_protect(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_prot_t prot)
{
	vm_offset_t stop;
	int rv;

	vm_map_lock_range(map, start, end);
	stop = protectable_until(map, start, end, prot, &rv);
	TRACE(TR_MAP, (uint64_t) "protect", start, stop, prot);
	if (stop > start && !protect_border(map, start, stop, prot) &&
	    !protect_entries(map, start, stop, prot))
		rv = KERN_RESOURCE_SHORTAGE;
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
			*resident =
			    m != NULL ? vm_page_unit(m)->valid : pmap_extract(map->pmap, va) != 0;
			VM_OBJECT_UNLOCK(object);
		}
		resident++;
	}
	vm_map_unlock_read(map);
	return (atop(end - start));
}

/*
 * Advice on a range of a map: flags that entries keep, and pages that are let go of, at once or
 * when memory is short.
 *
 * A lazily freed page is an anonymous one that is clean, with nothing behind it in its chain: the
 * next write makes it dirty again, and until then vm_pageout may drop it, which leaves zeros.
 */
#include "vm/vm_map_entry.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "vm/vm_pageout.h"
#include "kern/sysctl.h"
#include "kern/trace.h"

uint32_t vm_superpages = 1;
SYSCTL_UINT(superpages, "vm/superpages", vm_superpages, 1);

int
vm_map_advise(vm_map_t map, vm_offset_t start, vm_offset_t end, uint32_t set, uint32_t clear,
	      uint32_t not_for)
{
	vm_map_entry_t e;
	int rv;

	vm_map_lock_range(map, start, end);
	rv = vm_map_clip_range(map, start, end);
	if (rv == KERN_SUCCESS && vm_map_mapped_until(map, start, end) < end)
		rv = KERN_INVALID_ADDRESS;
	ENTRY_RANGE_FOREACH (e, map, start, rv == KERN_RESOURCE_SHORTAGE ? start : end) {
		if ((e->eflags & not_for) != 0) {
			rv = KERN_INVALID_ARGUMENT;
			break;
		}
		e->eflags = (e->eflags & ~clear) | set;
	}
	vm_map_simplify_range(map, start, end);
	vm_map_unlock(map);
	return (rv);
}

/* What no page of can be let go of: it is wired, or a device's. */
static bool
entry_keeps_pages(vm_map_entry_t e)
{
	return (vm_map_entry_locked(e) || (e->eflags & MAP_ENTRY_DEVICE) != 0);
}

/*
 * Call fn for each entry of [start, end), with the part of it that is in there, as long as its
 * pages can be let go of and it answers KERN_SUCCESS.
 */
static int
for_range(vm_map_t map, vm_offset_t start, vm_offset_t end,
	  int (*fn)(vm_map_t map, vm_map_entry_t e, vm_offset_t from, vm_offset_t to))
{
	vm_map_entry_t e;
	int rv = KERN_SUCCESS;
	bool hole;

	vm_map_lock_range(map, start, end);
	hole = vm_map_mapped_until(map, start, end) < end;
	ENTRY_RANGE_FOREACH (e, map, start, end) {
		rv = entry_keeps_pages(e) ? KERN_INVALID_ARGUMENT
					  : fn(map, e, MAX(e->start, start), MIN(e->end, end));
		if (rv != KERN_SUCCESS)
			break;
	}
	vm_map_unlock(map);
	return (rv == KERN_SUCCESS && hole ? KERN_INVALID_ADDRESS : rv);
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

static int
entry_dontneed(vm_map_t map, vm_map_entry_t e, vm_offset_t from, vm_offset_t to)
{
	TRACE(TR_MAP, (uint64_t) "discard", from, to);
	pmap_remove(map->pmap, from, to);
	if (entry_hides_writes(e))
		return (entry_renew(map, from, to));
	vm_map_entry_free_pages(e, from, to);
	return (KERN_SUCCESS);
}

int
vm_map_dontneed(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	return (for_range(map, start, end, entry_dontneed));
}

/* Call fn for the pages of [from, to) that stand in e's own object, which is write-locked, and are
 * not in use otherwise. */
static void
for_own_pages(vm_map_entry_t e, vm_offset_t from, vm_offset_t to, void (*fn)(vm_page_t m))
{
	vm_pindex_t at = atop(e->offset + (from - e->start));
	vm_pindex_t end = atop(e->offset + (to - e->start));
	vm_object_t object = e->object;
	vm_page_t m;

	if (object == NULL)
		return;
	VM_OBJECT_WLOCK(object);
	while ((m = vm_page_find_least(object, at)) != NULL && m->pindex < end) {
		at = m->pindex + 1;
		if (m->wire_count == 0 && m->hold_count == 0 && !vm_page_busied(m))
			fn(m);
	}
	VM_OBJECT_UNLOCK(object);
}

/* What was written up to now is not wanted any more. */
static void
page_clean(vm_page_t m)
{
	pmap_remove_all(m);
	m->dirty = false;
	vm_page_deactivate(m);
}

/* A page with others behind it cannot be freed lazily: they would be seen again. */
static int
entry_free_lazily(vm_map_t map, vm_map_entry_t e, vm_offset_t from, vm_offset_t to)
{
	if ((e->eflags & MAP_ENTRY_SHARED) != 0 || e->name_vp != NULL)
		return (KERN_INVALID_ARGUMENT);
	if (entry_hides_writes(e))
		return (entry_dontneed(map, e, from, to));
	for_own_pages(e, from, to, page_clean);
	return (KERN_SUCCESS);
}

int
vm_map_free_lazily(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	return (for_range(map, start, end, entry_free_lazily));
}

static int
entry_deactivate(vm_map_t map __unused, vm_map_entry_t e, vm_offset_t from, vm_offset_t to)
{
	for_own_pages(e, from, to, vm_page_deactivate);
	return (KERN_SUCCESS);
}

static int
entry_drop(vm_map_t map __unused, vm_map_entry_t e, vm_offset_t from, vm_offset_t to)
{
	for_own_pages(e, from, to, vm_pageout_page);
	return (KERN_SUCCESS);
}

int
vm_map_deactivate(vm_map_t map, vm_offset_t start, vm_offset_t end, bool drop)
{
	return (for_range(map, start, end, drop ? entry_drop : entry_deactivate));
}

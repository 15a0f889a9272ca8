/*
 * What a map may have: its process's limits, what of it is charged as committed memory, and how far
 * down a stack may grow.
 */
#include "vm/vm_map_entry.h"
#include "vm/vm_page.h"
#include "kern/panic.h"
#include "kern/sysctl.h"

uint32_t vm_max_map_count = 65530; /* Linux's: programs count on it */
SYSCTL_UINT(max_map_count, "vm/max_map_count", vm_max_map_count, INT32_MAX);

/* Data, as its limit counts it: what only this process writes. */
static bool
is_data(vm_prot_t prot, uint32_t eflags)
{
	return ((prot & VM_PROT_WRITE) != 0 &&
		(eflags & (MAP_ENTRY_SHARED | MAP_ENTRY_GROWSDOWN)) == 0);
}

bool
vm_map_admit(vm_map_t map, vm_size_t length, vm_prot_t prot, uint32_t eflags)
{
	vm_size_t size = vm_limit(VM_LIMIT_SIZE), data = vm_limit(VM_LIMIT_DATA);

	rw_assert_locked(&map->lock);
	return (map->nentries <= vm_max_map_count && length <= size && map->size <= size - length &&
		(!is_data(prot, eflags) || (length <= data && map->data_size <= data - length)));
}

/* --- charges ---------------------------------------------------------------------------------- */

uint32_t
vm_map_charged_flags(vm_prot_t prot, uint32_t eflags)
{
	if ((prot & VM_PROT_WRITE) == 0 || (eflags & MAP_ENTRY_SHARED) != 0 ||
	    ((eflags & MAP_ENTRY_NORESERVE) != 0 && !vm_commit_strict()))
		return (eflags);
	return (eflags | MAP_ENTRY_CHARGED);
}

bool
vm_map_charge(vm_map_t map, vm_size_t length, vm_prot_t prot, uint32_t eflags)
{
	rw_assert_wlocked(&map->lock);
	if ((eflags & MAP_ENTRY_CHARGED) != 0 && !vm_commit(atop(length), map->size))
		return (false);
	map->size += length;
	map->data_size += is_data(prot, eflags) ? length : 0;
	return (true);
}

void
vm_map_uncharge(vm_map_t map, vm_size_t length, vm_prot_t prot, uint32_t eflags)
{
	rw_assert_wlocked(&map->lock);
	if ((eflags & MAP_ENTRY_CHARGED) != 0)
		vm_uncommit(atop(length));
	map->size -= length;
	map->data_size -= is_data(prot, eflags) ? length : 0;
}

/* What was charged once stays so, whatever rights come and go, if pages may have been written. */
uint32_t
vm_map_recharged_flags(vm_map_entry_t e, vm_prot_t prot)
{
	uint32_t keep = e->object == NULL ? e->eflags & ~MAP_ENTRY_CHARGED : e->eflags;

	return (vm_map_charged_flags(prot, keep));
}

bool
vm_map_recharge(vm_map_t map, vm_map_entry_t e, vm_prot_t prot)
{
	vm_size_t length = e->end - e->start, limit = vm_limit(VM_LIMIT_DATA);
	uint32_t eflags = vm_map_recharged_flags(e, prot);
	bool was = is_data(e->protection, eflags), is = is_data(prot, eflags);

	if (!was && is && (length > limit || map->data_size > limit - length))
		return (false);
	if ((eflags & ~e->eflags) != 0 && !vm_commit(atop(length), map->size))
		return (false);
	if ((e->eflags & ~eflags) != 0)
		vm_uncommit(atop(length));
	e->eflags = eflags;
	map->data_size += (is ? length : 0) - (was ? length : 0);
	return (true);
}

/* --- stacks ----------------------------------------------------------------------------------- */

/* Is [addr, e->start) free, and the guard below it? Another stack may come as near as it likes, and
 * so may what nobody can touch. */
static bool
growth_has_room(vm_map_t map, vm_map_entry_t e, vm_offset_t addr)
{
	vm_map_entry_t prev = e->prev;

	if (addr < map->min || addr < prev->end)
		return (false);
	return (prev == &map->header || prev->protection == VM_PROT_NONE ||
		(prev->eflags & MAP_ENTRY_GROWSDOWN) != 0 || addr - prev->end >= STACK_GUARD);
}

/*
 * Down to addr. The object, if there is one, was made with room in front (entry_make_object). Where
 * that is used up, or what is new must not be taken for wired, an entry of its own is put below.
 */
static bool
entry_grow(vm_map_t map, vm_map_entry_t e, vm_offset_t addr)
{
	vm_size_t growth = e->start - addr;
	struct vm_map_req req = {
	    .prot = e->protection, .max_prot = e->max_protection, .eflags = e->eflags};

	if (e->wired_count != 0 || (e->object != NULL && e->offset < growth)) {
		req.eflags &= ~(MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY | MAP_ENTRY_TRANSITION);
		return (vm_map_insert_locked(map, addr, growth, &req) == KERN_SUCCESS);
	}
	if (!vm_map_charge(map, growth, e->protection, e->eflags))
		return (false);
	vm_map_entry_resize(map, e, addr, e->end);
	return (true);
}

int
vm_map_growstack(vm_map_t map, vm_offset_t addr)
{
	vm_map_entry_t e;
	bool ok = false;

	addr = trunc_page(addr);
	vm_map_lock_range(map, addr, addr + PAGE_SIZE);
	e = vm_map_entry_at_or_after(map, addr);
	if (e != NULL && e->start <= addr)
		ok = true; /* another thread was quicker */
	else if (e != NULL && (e->eflags & MAP_ENTRY_GROWSDOWN) != 0)
		ok = growth_has_room(map, e, addr) && e->end - addr <= vm_limit(VM_LIMIT_STACK) &&
		     vm_map_admit(map, e->start - addr, e->protection, e->eflags) &&
		     entry_grow(map, e, addr);
	vm_map_unlock(map);
	return (ok ? KERN_SUCCESS : KERN_INVALID_ADDRESS);
}

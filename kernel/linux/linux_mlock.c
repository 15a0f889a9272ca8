/*
 * System calls that lock memory. RLIMIT_MEMLOCK does not bind the superuser, who has CAP_IPC_LOCK.
 *
 * Device memory is wired like any other, where Linux ignores it (docs/device-mappings.md).
 */
#include "linux/linux.h"
#include "kern/cred.h"
#include "kern/proc.h"
#include "vm/vm_map.h"

enum entry_kind { ENTRY_NONE, ENTRY_PLAIN, ENTRY_WIRED };

/* The first entry that ends after *at: its range, from *at on, and what it is. */
static enum entry_kind
next_entry(vm_map_t map, vm_offset_t *at, vm_offset_t *end)
{
	enum entry_kind kind = ENTRY_NONE;
	vm_map_entry_t e;

	vm_map_lock_read(map);
	e = vm_map_entry_at_or_after(map, *at);
	if (e != NULL) {
		*at = MAX(*at, e->start);
		*end = e->end;
		kind = e->wired_count != 0 ? ENTRY_WIRED : ENTRY_PLAIN;
	}
	vm_map_unlock_read(map);
	return (kind);
}

/*
 * Wire [at, end) entry by entry; once is enough: what is wired stays as it is. Ends at the first
 * failure or hole, unless it is to go as far as possible: then what fails is wired when it is
 * touched.
 */
static int
wire_range(vm_map_t map, vm_offset_t at, vm_offset_t end, bool best_effort)
{
	enum entry_kind kind;
	vm_offset_t from, to;
	int rv;

	for (; at < end; at = to) {
		from = at;
		kind = next_entry(map, &from, &to);
		if (kind == ENTRY_NONE || (from > at && !best_effort))
			return (KERN_INVALID_ADDRESS);
		to = MIN(to, end);
		if (kind == ENTRY_WIRED || from >= to)
			continue;
		rv = vm_map_wire(map, from, to);
		if (rv != KERN_SUCCESS && !best_effort)
			return (rv);
		if (rv != KERN_SUCCESS)
			vm_map_wire_on_fault(map, from, to);
	}
	return (KERN_SUCCESS);
}

/* mlockall's wish is read without a lock: an mmap at the same time may as well have come before
 * it. */
bool
linux_lock_new(uint64_t start, uint64_t end, bool locked)
{
	vm_map_t map = &curproc->p_vm->vm_map;

	if (!locked && !map->wire_future)
		return (false);
	if (map->wire_future && map->wire_on_fault)
		vm_map_wire_on_fault(map, start, end);
	else
		wire_range(map, start, end, true);
	return (true);
}

int
linux_may_lock(vm_size_t length, int over)
{
	vm_map_t map = &curproc->p_vm->vm_map;
	vm_size_t limit = lim_cur(RLIMIT_MEMLOCK), locked = 0;
	vm_map_entry_t e;

	if (capable(CAP_IPC_LOCK))
		return (0);
	if (limit == 0)
		return (EPERM);
	vm_map_lock_read(map);
	VM_MAP_ENTRY_FOREACH (e, map)
		locked += vm_map_entry_locked(e) ? e->end - e->start : 0;
	vm_map_unlock_read(map);
	return (length > limit || locked > limit - length ? over : 0);
}

/* [addr, addr + length) to whole pages. EINVAL: it wraps. */
static int
lock_range(uint64_t addr, uint64_t length, vm_offset_t *start, vm_offset_t *end)
{
	*start = trunc_page(addr);
	*end = *start + round_page(length + (addr & PAGE_MASK));
	return (*end < *start ? EINVAL : 0);
}

int64_t
sys_mlock2(uint64_t addr, uint64_t length, int flags)
{
	vm_map_t map = &curproc->p_vm->vm_map;
	vm_offset_t start, end;
	int rv, error;

	if ((flags & ~MLOCK_ONFAULT) != 0 || lock_range(addr, length, &start, &end) != 0)
		return (-EINVAL);
	if (start == end)
		return (0);
	error = linux_may_lock(end - start, ENOMEM);
	if (error != 0)
		return (-error);
	rv =
	    flags != 0 ? vm_map_wire_on_fault(map, start, end) : wire_range(map, start, end, false);
	return (rv == KERN_SUCCESS ? 0 : rv == KERN_ABORTED ? -EINTR : -ENOMEM);
}

int64_t
sys_mlock(uint64_t addr, uint64_t length)
{
	return (sys_mlock2(addr, length, 0));
}

int64_t
sys_munlock(uint64_t addr, uint64_t length)
{
	vm_offset_t start, end;

	if (lock_range(addr, length, &start, &end) != 0)
		return (-EINVAL);
	return (start == end
		    ? 0
		    : -vm_mmap_to_errno(vm_map_unwire(&curproc->p_vm->vm_map, start, end)));
}

static void
set_future(vm_map_t map, int flags)
{
	vm_map_lock(map);
	map->wire_future = (flags & MCL_FUTURE) != 0;
	map->wire_on_fault = (flags & MCL_ONFAULT) != 0;
	vm_map_unlock(map);
}

int64_t
sys_mlockall(int flags)
{
	vm_map_t map = &curproc->p_vm->vm_map;
	vm_offset_t at, end;
	int error;

	if ((flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0 ||
	    (flags & (MCL_CURRENT | MCL_FUTURE)) == 0)
		return (-EINVAL);
	error = linux_may_lock((flags & MCL_CURRENT) != 0 ? map->size : 0, ENOMEM);
	if (error != 0)
		return (-error);
	set_future(map, flags);
	if ((flags & MCL_CURRENT) == 0)
		return (0);
	if ((flags & MCL_ONFAULT) == 0)
		wire_range(map, map->min, map->max, true);
	else
		for (at = map->min; next_entry(map, &at, &end) != ENTRY_NONE; at = end)
			vm_map_wire_on_fault(map, at, end);
	return (0);
}

int64_t
sys_munlockall(void)
{
	vm_map_t map = &curproc->p_vm->vm_map;
	vm_offset_t at, end;

	set_future(map, 0);
	for (at = map->min; next_entry(map, &at, &end) != ENTRY_NONE; at = end)
		vm_map_unwire(map, at, end);
	return (0);
}

/*
 * Overcommit: how much memory may be promised. Private writable memory and shared anonymous memory
 * is committed when it is mapped, and used when it is touched; between the two stands the policy,
 * /proc/sys/vm/overcommit_memory, with Linux's three:
 *
 *   0  as much as one likes, but not more at a time than there is memory at all
 *   1  anything
 *   2  up to the limit: a part of memory (overcommit_ratio, in percent), or overcommit_kbytes
 *
 * Where too much was promised, the page that cannot be had costs the largest process (vm_wait).
 */
#include "vm/vm_map.h"
#include "vm/vm_page.h"
#include "kern/sysctl.h"

#define USER_RESERVE  (128ul << 20) /* bytes; or a thirty-second of a process, if that is less */
#define RESERVE_SHIFT 5

uint32_t vm_overcommit_memory;
static uint32_t overcommit_ratio = 50; /* (a) */
static uint32_t overcommit_kbytes; /* (a) not 0: in place of the ratio */
SYSCTL_UINT(overcommit_memory, "vm/overcommit_memory", vm_overcommit_memory, VM_OVERCOMMIT_NEVER);

/* Whichever of the two was set last counts. */
SYSCTL_UINT_THEN(overcommit_ratio, "vm/overcommit_ratio", overcommit_ratio, INT32_MAX,
		 overcommit_kbytes = 0);
SYSCTL_UINT_THEN(overcommit_kbytes, "vm/overcommit_kbytes", overcommit_kbytes, UINT32_MAX,
		 overcommit_ratio = 0);

bool
vm_commit_strict(void)
{
	return (vm_overcommit_memory == VM_OVERCOMMIT_NEVER);
}

uint64_t
vm_commit_limit(void)
{
	if (overcommit_kbytes != 0)
		return (overcommit_kbytes >> (PAGE_SHIFT - 10));
	return (vm_cnt.v_page_count * overcommit_ratio / 100);
}

/* committed: with what is asked for. */
static bool
policy_allows(uint64_t committed, uint64_t pages, vm_size_t size)
{
	uint64_t limit = vm_commit_limit();

	if (vm_overcommit_memory == VM_OVERCOMMIT_ALWAYS)
		return (true);
	if (vm_overcommit_memory == VM_OVERCOMMIT_GUESS)
		return (pages <= vm_cnt.v_page_count);
	return (committed + atop(MIN(size >> RESERVE_SHIFT, USER_RESERVE)) < limit);
}

bool
vm_commit(uint64_t pages, vm_size_t size)
{
	uint64_t committed = __atomic_add_fetch(&vm_cnt.v_committed, pages, __ATOMIC_RELAXED);

	if (policy_allows(committed, pages, size))
		return (true);
	vm_uncommit(pages);
	return (false);
}

void
vm_uncommit(uint64_t pages)
{
	__atomic_fetch_sub(&vm_cnt.v_committed, pages, __ATOMIC_RELAXED);
}

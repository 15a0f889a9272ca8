/*
 * What belongs to no part of the VM alone: results as errnos, and the counters by name.
 */
#include "vm/vm_page.h"
#include "kern/errno.h"
#include "kern/sysctl.h"

int
vm_mmap_to_errno(int rv)
{
	static const int errnos[] = {
	    [KERN_SUCCESS] = 0,
	    [KERN_INVALID_ADDRESS] = ENOMEM,
	    [KERN_PROTECTION_FAILURE] = EACCES,
	    [KERN_NO_SPACE] = ENOMEM,
	    [KERN_INVALID_ARGUMENT] = EINVAL,
	    [KERN_FAILURE] = EFAULT,
	    [KERN_RESOURCE_SHORTAGE] = ENOMEM,
	    [KERN_ABORTED] = EINTR,
	};

	return (rv >= 0 && (size_t)rv < nitems(errnos) ? errnos[rv] : EINVAL);
}

/* Those of which each CPU has a copy. */
#define VM_STAT(name, field) STAT_SUM(name, vm_cnt.field, vm_cnt_sum)

STAT(pages, vm_cnt.v_page_count);
STAT_SUM(pages_free, vm_cnt.v_free_count, vm_free_count);
STAT(pages_reserved, vm_cnt.v_free_reserved);
VM_STAT(pages_wired, v_wire_count);
STAT(pages_committed, vm_cnt.v_committed);
VM_STAT(pages_busied, v_busied);
STAT(pages_fictitious, vm_cnt.v_fictitious);
VM_STAT(objects, v_objects);
VM_STAT(map_entries, v_map_entries);
VM_STAT(pv_entries, v_pv_entries);
VM_STAT(pt_pages, v_pt_pages);
VM_STAT(faults, v_faults);
VM_STAT(faults_soft, v_soft_faults);
VM_STAT(faults_zero_fill, v_zfod);
VM_STAT(faults_cow, v_cow_faults);
VM_STAT(fault_restarts, v_fault_restarts);
STAT(fault_restarts_max, vm_cnt.v_fault_restarts_max);
VM_STAT(fault_pauses, v_fault_pauses);
VM_STAT(pager_faults, v_pager_faults);
VM_STAT(populate_calls, v_populate_calls);
VM_STAT(populate_pages, v_populate_pages);
VM_STAT(populate_clipped, v_populate_clipped);
VM_STAT(populate_restarts, v_populate_restarts);
VM_STAT(pte_writes, v_pte_writes);
VM_STAT(superpages_entered, v_superpages);
VM_STAT(superpages_demoted, v_demotions);

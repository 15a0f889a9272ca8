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

STAT(pages, vm_cnt.v_page_count);
STAT(pages_free, vm_cnt.v_free_count);
STAT(pages_reserved, vm_cnt.v_free_reserved);
STAT(pages_wired, vm_cnt.v_wire_count);
STAT(pages_active, vm_cnt.v_active_count);
STAT(pages_inactive, vm_cnt.v_inactive_count);
STAT(pages_laundry, vm_cnt.v_laundry_count);
STAT(pages_committed, vm_cnt.v_committed);
STAT(pages_busied, vm_cnt.v_busied);
STAT(pages_fictitious, vm_cnt.v_fictitious);
STAT(objects, vm_cnt.v_objects);
STAT(map_entries, vm_cnt.v_map_entries);
STAT(pv_entries, vm_cnt.v_pv_entries);
STAT(pt_pages, vm_cnt.v_pt_pages);
STAT(faults, vm_cnt.v_faults);
STAT(faults_soft, vm_cnt.v_soft_faults);
STAT(faults_zero_fill, vm_cnt.v_zfod);
STAT(faults_cow, vm_cnt.v_cow_faults);
STAT(fault_restarts, vm_cnt.v_fault_restarts);
STAT(fault_restarts_max, vm_cnt.v_fault_restarts_max);
STAT(fault_pauses, vm_cnt.v_fault_pauses);
STAT(pager_faults, vm_cnt.v_pager_faults);
STAT(populate_calls, vm_cnt.v_populate_calls);
STAT(populate_pages, vm_cnt.v_populate_pages);
STAT(populate_clipped, vm_cnt.v_populate_clipped);
STAT(populate_restarts, vm_cnt.v_populate_restarts);
STAT(pte_writes, vm_cnt.v_pte_writes);
STAT(superpages_entered, vm_cnt.v_superpages);
STAT(superpages_demoted, vm_cnt.v_demotions);

/*
 * The fault handler's door: vm_fault.c is the book, vm_fault_populate.c its chapter on populate.
 */
#pragma once

#include "vm/vm.h"

#define VM_FAULT_NORMAL 0
#define VM_FAULT_WIRE   1 /* wire the page in the map; the entry is wired by vm_map_wire */

/*
 * Resolve a fault at vaddr of map. fault_type: VM_PROT_READ, WRITE or EXECUTE. m_hold: when not
 * NULL the page comes back held (P16; the caller unholds). No lock held; may sleep. Returns
 * KERN_SUCCESS, KERN_INVALID_ADDRESS (SEGV_MAPERR), KERN_PROTECTION_FAILURE (SEGV_ACCERR),
 * KERN_FAILURE (SIGBUS), KERN_RESOURCE_SHORTAGE, KERN_ABORTED (killed).
 */
int vm_fault(vm_map_t map, vm_offset_t vaddr, vm_prot_t fault_type, int flags, vm_page_t *m_hold);

/* Supplied by kern: counts a fault of curthread (getrusage's majflt or minflt, P17). */
void vm_fault_count(bool major);

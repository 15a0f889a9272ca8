/*
 * The phys pager: RAM that the kernel shares with programs. Pages are made of zeros when first
 * touched, never reclaimed, in whole runs: populate gives all that the entry maps (O1).
 */
#include "vm/vm_pager.h"
#include "vm/vm_page.h"

vm_object_t
phys_pager_allocate(vm_pindex_t size)
{
	vm_object_t object = vm_object_allocate(OBJT_PHYS, size);

	if (object != NULL)
		object->flags |= OBJ_POPULATE;
	return (object);
}

/* Busy the page, made if need be. No: memory is short, or somebody else has it busied. */
static vm_page_t
phys_take(vm_object_t object, vm_pindex_t pindex, vm_page_t m)
{
	if (m != NULL)
		return (vm_page_tryxbusy(m) ? m : NULL);
	m = vm_page_alloc(object, pindex, VM_ALLOC_ZERO);
	if (m != NULL)
		m->valid = true;
	return (m);
}

/* The longest run about pidx, inside the hint, that can be had without waiting. A page that is
 * there but busy is for the ordinary way, which waits for it (P8); short of memory, the fault
 * waits (P9). */
static int
phys_pager_populate(vm_object_t object, vm_pindex_t pidx, int fault_type __unused,
		    vm_prot_t max_prot __unused, vm_pindex_t *first, vm_pindex_t *last)
{
	vm_page_t there = vm_page_lookup(object, pidx), m = phys_take(object, pidx, there);

	if (m == NULL)
		return (there != NULL ? VM_PAGER_BAD : VM_PAGER_AGAIN);
	vm_pager_widen(m, first, last, phys_take);
	return (VM_PAGER_OK);
}

static int
phys_pager_getpages(vm_object_t object __unused, vm_page_t *m, int fault_type __unused)
{
	pmap_zero_page(*m);
	(*m)->valid = true;
	return (VM_PAGER_OK);
}

const struct pagerops phys_pager_ops = {
    .pgo_name = "phys",
    .pgo_getpages = phys_pager_getpages,
    .pgo_populate = phys_pager_populate,
};

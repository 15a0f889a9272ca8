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

/* The page at pindex, xbusied and valid; NULL when memory is short or somebody else has it busied. */
static vm_page_t
phys_page(vm_object_t object, vm_pindex_t pindex)
{
	vm_page_t m = vm_page_lookup(object, pindex);

	if (m != NULL)
		return (vm_page_tryxbusy(m) ? m : NULL);
	m = vm_page_alloc(object, pindex, VM_ALLOC_ZERO);
	if (m != NULL)
		m->valid = true;
	return (m);
}

/* The longest run about pidx, inside the hint, that can be had without waiting. */
static int
phys_pager_populate(vm_object_t object, vm_pindex_t pidx, int fault_type __attribute__((unused)),
		    vm_prot_t max_prot __attribute__((unused)), vm_pindex_t *first,
		    vm_pindex_t *last)
{
	vm_pindex_t lo = pidx, hi = pidx;

	if (phys_page(object, pidx) == NULL)
		return (VM_PAGER_AGAIN);
	while (hi < *last && phys_page(object, hi + 1) != NULL)
		hi++;
	while (lo > *first && phys_page(object, lo - 1) != NULL)
		lo--;
	*first = lo;
	*last = hi;
	return (VM_PAGER_OK);
}

static int
phys_pager_getpages(vm_object_t object __attribute__((unused)), vm_page_t *m,
		    int fault_type __attribute__((unused)))
{
	pmap_zero_page(*m);
	(*m)->valid = true;
	return (VM_PAGER_OK);
}

static bool
phys_pager_haspage(vm_object_t object, vm_pindex_t pindex)
{
	return (pindex < object->size);
}

const struct pagerops phys_pager_ops = {
    .pgo_name = "phys",
    .pgo_getpages = phys_pager_getpages,
    .pgo_haspage = phys_pager_haspage,
    .pgo_populate = phys_pager_populate,
};

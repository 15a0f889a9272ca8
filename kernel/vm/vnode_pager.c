/*
 * The vnode pager: a file's pages. The object is the file's page cache, used by read, write and
 * mmap alike; its size follows the file's, so a fault past the end fails (SIGBUS). Owns the
 * fault-around policy: populate brings the resident neighbours of a page that is read along, and
 * never makes one (O1).
 */
#include "vm/vm_pager.h"
#include "vm/vm_page.h"
#include "kern/sysctl.h"

uint32_t vm_fault_around = 16;
SYSCTL_UINT(fault_around, "vm/fault_around_pages", vm_fault_around, VM_FAULT_AROUND_MAX);

vm_object_t
vnode_pager_allocate(void *handle, vm_pindex_t size, int (*getpage)(void *handle, vm_page_t m))
{
	vm_object_t object = vm_object_allocate(OBJT_VNODE, size);

	if (object == NULL)
		return (NULL);
	object->flags |= OBJ_POPULATE | OBJ_AROUND;
	object->handle = handle;
	object->un_pager.vnp.getpage = getpage;
	return (object);
}

static int
vnode_pager_getpages(vm_object_t object, vm_page_t *m, int fault_type __unused)
{
	if (object->un_pager.vnp.getpage != NULL &&
	    object->un_pager.vnp.getpage(object->handle, *m) != 0)
		return (VM_PAGER_ERROR);
	if (object->un_pager.vnp.getpage == NULL)
		pmap_zero_page(*m); /* a hole */
	(*m)->valid = true;
	return (VM_PAGER_OK);
}

/*
 * Busy the page that was asked for; made as by getpages, which may have let go of the object, if it
 * is absent. What is busy is for the ordinary way (P8).
 * A file that was cut off meanwhile is, too: the fault then finds itself past the end.
 */
static int
vnode_take_asked(vm_object_t object, vm_pindex_t pidx, int fault_type, vm_page_t *mp)
{
	vm_page_t m = vm_page_lookup(object, pidx);
	int rv = VM_PAGER_OK;

	*mp = m;
	if (m != NULL)
		return (vm_page_tryxbusy(m) ? VM_PAGER_OK : VM_PAGER_BAD);
	*mp = vm_page_alloc(object, pidx, VM_ALLOC_NORMAL);
	if (*mp == NULL)
		return (VM_PAGER_AGAIN);
	rv = vm_pager_get_page(object, mp, fault_type);
	if (rv == VM_PAGER_OK && pidx >= object->size)
		rv = VM_PAGER_BAD;
	if (rv != VM_PAGER_OK)
		vm_page_free(*mp);
	return (rv);
}

static vm_page_t
vnode_take_neighbour(vm_object_t object __unused, vm_pindex_t pindex __unused, vm_page_t m)
{
	return (m != NULL && m->valid && vm_page_tryxbusy(m) ? m : NULL);
}

/* Neighbours come along when the page is read; a write would make them writable, and so dirty
 * (P14). */
static int
vnode_pager_populate(vm_object_t object, vm_pindex_t pidx, int fault_type,
		     vm_prot_t max_prot __unused, vm_pindex_t *first, vm_pindex_t *last)
{
	vm_pindex_t window = __atomic_load_n(&vm_fault_around, __ATOMIC_RELAXED), start;
	vm_page_t m;
	int rv = vnode_take_asked(object, pidx, fault_type, &m);

	if (rv != VM_PAGER_OK)
		return (rv);
	if (window == 0 || (fault_type & VM_PROT_WRITE) != 0)
		window = 1;
	start = pidx - pidx % window;
	*first = MAX(*first, start);
	*last = MIN(MIN(*last, start + window - 1), object->size - 1);
	vm_pager_widen(m, first, last, vnode_take_neighbour);
	return (VM_PAGER_OK);
}

const struct pagerops vnode_pager_ops = {
    .pgo_name = "vnode",
    .pgo_clean = true,
    .pgo_getpages = vnode_pager_getpages,
    .pgo_populate = vnode_pager_populate,
};

/*
 * The vnode pager: a file's pages. The object is the file's page cache, used by read, write and mmap
 * alike; its size follows the file's, so a fault past the end fails (SIGBUS).
 */
#include "vm/vm_pager.h"
#include "vm/vm_page.h"

vm_object_t
vnode_pager_allocate(void *handle, vm_pindex_t size, int (*getpage)(void *handle, vm_page_t m))
{
	vm_object_t object = vm_object_allocate(OBJT_VNODE, size);

	if (object == NULL)
		return (NULL);
	object->handle = handle;
	object->un_pager.vnp.getpage = getpage;
	return (object);
}

static bool
vnode_pager_haspage(vm_object_t object, vm_pindex_t pindex)
{
	return (pindex < object->size);
}

static int
vnode_pager_getpages(vm_object_t object, vm_page_t *m, int fault_type __attribute__((unused)))
{
	if (object->un_pager.vnp.getpage != NULL &&
	    object->un_pager.vnp.getpage(object->handle, *m) != 0)
		return (VM_PAGER_ERROR);
	if (object->un_pager.vnp.getpage == NULL)
		pmap_zero_page(*m); /* a hole */
	(*m)->valid = true;
	return (VM_PAGER_OK);
}

const struct pagerops vnode_pager_ops = {
    .pgo_name = "vnode",
    .pgo_getpages = vnode_pager_getpages,
    .pgo_haspage = vnode_pager_haspage,
};

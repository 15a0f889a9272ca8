/*
 * Fake pages: made for one index of one object, for device frames that have no page of their own
 * (U1, U2). Owns their memory.
 *
 * Those of a superpage are an array, so that they are a block like that of registered frames. It
 * ends by an element that is no page; the hold_count of that says how many pages of the block are
 * not free yet, and by how many holds.
 */
#include "vm/vm_page.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/panic.h"

/* A1 */
static bool
attribute_ok(vm_paddr_t pa, vm_size_t size, vm_memattr_t memattr)
{
	if (vm_phys_attribute_ok(pa, pa + size, memattr))
		return (true);
	KASSERT(false, ("A1: frame %#lx has another memory attribute than %u", pa, memattr));
	klog(LOG_ERR, "A1: frame %#lx has another memory attribute than %u", pa, memattr);
	return (false);
}

vm_page_t
vm_page_getfake(vm_paddr_t pa, vm_memattr_t memattr)
{
	vm_page_t m;

	if (!attribute_ok(pa, PAGE_SIZE, memattr))
		return (NULL);
	m = kmalloc(sizeof(*m), M_ZERO);
	if (m == NULL)
		return (NULL);
	vm_page_init(m, pa, PG_FICTITIOUS | PG_UNMANAGED | PG_FAKE, memattr);
	m->valid = true;
	return (m);
}

vm_page_t
vm_page_getfake_super(vm_paddr_t pa, vm_memattr_t memattr)
{
	vm_page_t m;

	KASSERT((pa & (ptoa(VM_SUPERPAGE_PAGES) - 1)) == 0, ("fake block at %#lx", pa));
	if (!attribute_ok(pa, ptoa(VM_SUPERPAGE_PAGES), memattr))
		return (NULL);
	m = kmalloc((VM_SUPERPAGE_PAGES + 1) * sizeof(*m), M_ZERO);
	if (m == NULL)
		return (NULL);
	for (vm_pindex_t i = 0; i < VM_SUPERPAGE_PAGES; i++)
		vm_page_init(&m[i], pa + ptoa(i), PG_FICTITIOUS | PG_UNMANAGED | PG_FAKE | PG_BLOCK,
			     memattr);
	m[VM_SUPERPAGE_PAGES].hold_count = VM_SUPERPAGE_PAGES;
	m->valid = true;
	m->block.whole = true;
	m->block.run = 1;
	return (m);
}

void
vm_page_fake_hold(vm_page_t m)
{
	if (vm_page_is_fake_block(m))
		__atomic_fetch_add(&vm_page_block(m)[VM_SUPERPAGE_PAGES].hold_count, 1,
				   __ATOMIC_SEQ_CST);
}

void
vm_page_fake_release(vm_page_t m, vm_pindex_t n)
{
	vm_page_t block = m;

	if (vm_page_is_fake_block(m)) {
		block = vm_page_block(m);
		if (__atomic_sub_fetch(&block[VM_SUPERPAGE_PAGES].hold_count, (uint32_t)n,
				       __ATOMIC_SEQ_CST) != 0)
			return;
	}
	kfree(block);
}

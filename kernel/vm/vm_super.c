/*
 * Superpages: blocks of device frames that stand in an object as one. vm_page.h says what that
 * means for a page, vm_super.h how an object finds them. Owns an object's `supers` and what is kept
 * in the first page of a block.
 */
#include "vm/vm_super.h"
#include "kern/errno.h"
#include "kern/panic.h"

#define SLOT(pindex) ((pindex) / VM_SUPERPAGE_PAGES)
#define PLACE(index) ((index) % VM_SUPERPAGE_PAGES)

static bool
is_member(vm_object_t object, vm_page_t block, vm_page_t m, vm_pindex_t slot)
{
	return (block->block.whole || (m->object == object && SLOT(m->pindex) == slot &&
				       PLACE(m->pindex) == (vm_pindex_t)(m - block)));
}

vm_page_t
vm_super_lookup(vm_object_t object, vm_pindex_t pindex)
{
	vm_page_t block = vm_radix_lookup(&object->supers, SLOT(pindex));

	if (block == NULL || !is_member(object, block, block + PLACE(pindex), SLOT(pindex)))
		return (NULL);
	return (block + PLACE(pindex));
}

vm_page_t
vm_super_find_least(vm_object_t object, vm_pindex_t pindex)
{
	vm_pindex_t slot;
	vm_page_t block;

	while ((block = vm_radix_lookup_ge(&object->supers, SLOT(pindex), &slot)) != NULL) {
		if (slot != SLOT(pindex))
			pindex = slot * VM_SUPERPAGE_PAGES;
		for (; SLOT(pindex) == slot; pindex++)
			if (is_member(object, block, block + PLACE(pindex), slot))
				return (block + PLACE(pindex));
	}
	return (NULL);
}

bool
vm_super_is_place(vm_object_t object, vm_page_t m, vm_pindex_t pindex)
{
	return ((m->flags & PG_BLOCK) != 0 &&
		vm_radix_lookup(&object->supers, SLOT(pindex)) == vm_page_block(m) &&
		PLACE(pindex) == (vm_pindex_t)(m - vm_page_block(m)));
}

static void
stand(vm_page_t block, int n)
{
	__atomic_fetch_add(&block->block.standing, n, __ATOMIC_SEQ_CST);
}

void
vm_super_join(vm_page_t m, bool place)
{
	vm_page_t block = vm_page_block(m);

	VM_OBJECT_ASSERT_WLOCKED(m->object);
	stand(block, 1);
	block->block.members += place;
}

bool
vm_super_leave(vm_page_t m)
{
	vm_pindex_t n = vm_page_unit_pages(m);
	vm_page_t block = vm_page_block(m);

	VM_OBJECT_ASSERT_WLOCKED(m->object);
	stand(block, -(int)n);
	if (!block->block.whole && !vm_super_place(m->object, m, m->pindex))
		return (false);
	block->block.members -= n;
	block->block.whole = false;
	if (block->block.members == 0)
		vm_radix_remove(&m->object->supers, SLOT(m->pindex));
	return (true);
}

/* No page that came alone stands at [pindex, pindex + VM_SUPERPAGE_PAGES) of the object. */
static bool
is_free(vm_object_t object, vm_pindex_t pindex)
{
	vm_pindex_t at;

	return (object->rtree.rt_root == NULL ||
		vm_radix_lookup_ge(&object->rtree, pindex, &at) == NULL ||
		at >= pindex + VM_SUPERPAGE_PAGES);
}

int
vm_page_insert_super(vm_page_t m, vm_object_t object, vm_pindex_t pindex)
{
	uint16_t none = 0;
	int error;

	VM_OBJECT_ASSERT_WLOCKED(object);
	KASSERT(vm_page_xbusied(m), ("superpage %#lx is not xbusied", m->phys_addr));
	if ((m->flags & PG_BLOCK) == 0 || vm_page_block(m) != m || PLACE(pindex) != 0 ||
	    object->size < VM_SUPERPAGE_PAGES || pindex > object->size - VM_SUPERPAGE_PAGES)
		return (EINVAL);
	if (!is_free(object, pindex) ||
	    !__atomic_compare_exchange_n(&m->block.standing, &none, VM_SUPERPAGE_PAGES, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return (EEXIST);
	error = vm_radix_insert(&object->supers, SLOT(pindex), m);
	if (error != 0) {
		m->block.standing = 0;
		return (error);
	}
	m->object = object;
	m->pindex = pindex;
	m->block.members = VM_SUPERPAGE_PAGES;
	m->block.whole = true;
	object->resident_page_count += VM_SUPERPAGE_PAGES;
	return (0);
}

void
vm_page_split(vm_page_t m)
{
	VM_OBJECT_ASSERT_WLOCKED(m->object);
	KASSERT(m->block.whole && vm_page_xbusied(m),
		("split of %#lx, no superpage or not busied", m->phys_addr));
	for (vm_pindex_t i = 1; i < VM_SUPERPAGE_PAGES; i++) {
		m[i].object = m->object;
		m[i].pindex = m->pindex + i;
		m[i].valid = m->valid;
		m[i].dirty = m->dirty;
	}
	m->block.whole = false;
}

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

/* What block, of the slot of pindex, gives to that; NULL: it has let go of it. */
static vm_page_t
member(vm_object_t object, vm_page_t block, vm_pindex_t pindex)
{
	vm_page_t m = block + PLACE(pindex);

	return (block->block.whole || (m->object == object && m->pindex == pindex) ? m : NULL);
}

vm_page_t
vm_super_lookup(vm_object_t object, vm_pindex_t pindex)
{
	vm_page_t block = vm_radix_lookup(&object->supers, SLOT(pindex));

	return (block != NULL ? member(object, block, pindex) : NULL);
}

vm_page_t
vm_super_find_least(vm_object_t object, vm_pindex_t pindex)
{
	vm_page_t block, m;
	vm_pindex_t slot;

	while ((block = vm_radix_lookup_ge(&object->supers, SLOT(pindex), &slot)) != NULL) {
		if (slot != SLOT(pindex))
			pindex = slot * VM_SUPERPAGE_PAGES;
		for (; SLOT(pindex) == slot; pindex++)
			if ((m = member(object, block, pindex)) != NULL)
				return (m);
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

/* Block, of superpage or page m, which leaves, has n pages less at their place. */
static void
members_leave(vm_page_t m, vm_page_t block, vm_pindex_t pindex, vm_pindex_t n)
{
	block->block.members -= n;
	block->block.whole = false;
	if (block->block.members == 0)
		vm_radix_remove(&m->object->supers, SLOT(pindex));
}

bool
vm_super_leave(vm_page_t m)
{
	vm_page_t block = vm_page_block(m), end = m + vm_page_unit_pages(m);

	VM_OBJECT_ASSERT_WLOCKED(m->object);
	if (!block->block.whole) {
		stand(block, -1);
		if (!vm_super_place(m->object, m, m->pindex))
			return (false);
		members_leave(m, block, m->pindex, 1);
		return (true);
	}
	for (; block < end; block += VM_SUPERPAGE_PAGES) {
		stand(block, -(int)VM_SUPERPAGE_PAGES);
		members_leave(m, block, m->pindex + (vm_pindex_t)(block - m), VM_SUPERPAGE_PAGES);
	}
	return (true);
}

/* How many blocks from pindex on, at most max, no page stands in that came alone. */
static vm_pindex_t
blocks_free(vm_object_t object, vm_pindex_t pindex, vm_pindex_t max)
{
	vm_pindex_t at;

	if (vm_radix_lookup_ge(&object->rtree, pindex, &at) == NULL)
		return (max);
	return (MIN(max, SLOT(at) - SLOT(pindex)));
}

/* Claim the n blocks from m on, up to the first of which a page stands somewhere, or which is none;
 * how many. Past the last block of an array there is an element that is none. */
static vm_pindex_t
blocks_claim(vm_page_t m, vm_pindex_t n)
{
	vm_page_t block = m;
	uint16_t none;

	for (vm_pindex_t i = 0; i < n; i++, block += VM_SUPERPAGE_PAGES) {
		none = 0;
		if ((block->flags & PG_BLOCK) == 0 ||
		    !__atomic_compare_exchange_n(&block->block.standing, &none, VM_SUPERPAGE_PAGES,
						 false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return (i);
		block->block.members = VM_SUPERPAGE_PAGES;
		block->block.whole = true;
		block->block.before = i;
	}
	return (n);
}

/* Undo it for blocks [from, to). */
static void
blocks_disclaim(vm_page_t m, vm_pindex_t from, vm_pindex_t to)
{
	for (vm_page_t block = m + from * VM_SUPERPAGE_PAGES; from < to;
	     from++, block += VM_SUPERPAGE_PAGES) {
		block->block.members = 0;
		block->block.whole = (block->flags & PG_FAKE) != 0; /* as it was made */
		__atomic_store_n(&block->block.standing, 0, __ATOMIC_SEQ_CST);
	}
}

int
vm_page_insert_super(vm_page_t m, vm_object_t object, vm_pindex_t pindex, vm_pindex_t max)
{
	vm_pindex_t room = object->size > pindex ? MIN(max, object->size - pindex) : 0, n, in;
	int error;

	VM_OBJECT_ASSERT_WLOCKED(object);
	KASSERT(vm_page_xbusied(m), ("superpage %#lx is not xbusied", m->phys_addr));
	if ((m->flags & PG_BLOCK) == 0 || vm_page_block(m) != m || PLACE(pindex) != 0 ||
	    room < VM_SUPERPAGE_PAGES)
		return (EINVAL);
	in = n = blocks_claim(m, blocks_free(object, pindex, MIN(SLOT(room), UINT16_MAX)));
	error =
	    n == 0 ? EEXIST
		   : vm_radix_insert_run(&object->supers, SLOT(pindex), m, VM_SUPERPAGE_PAGES, &in);
	if (error != 0)
		in = 0;
	if (__predict_false(in < n))
		blocks_disclaim(m, in, n);
	if (error != 0)
		return (error);
	m->object = object;
	m->pindex = pindex;
	m->block.run = in;
	object->resident_page_count += in * VM_SUPERPAGE_PAGES;
	return (0);
}

/* The page at m + n speaks for itself, as m did for it. */
static void
speak(vm_page_t m, vm_pindex_t n)
{
	m[n].object = m->object;
	m[n].pindex = m->pindex + n;
	m[n].valid = m->valid;
	m[n].dirty = m->dirty;
}

void
vm_page_split(vm_page_t m)
{
	vm_pindex_t n = vm_page_unit_pages(m);
	vm_page_t block;

	VM_OBJECT_ASSERT_WLOCKED(m->object);
	KASSERT(m->block.whole && vm_page_xbusied(m),
		("split of %#lx, no superpage or not busied", m->phys_addr));
	for (vm_pindex_t i = VM_SUPERPAGE_PAGES; i < n; i += VM_SUPERPAGE_PAGES) {
		block = m + i;
		speak(m, i);
		block->block.before = 0;
		block->block.run = 1;
	}
	m->block.run = 1;
	if (n > VM_SUPERPAGE_PAGES)
		return;
	for (vm_pindex_t i = 1; i < VM_SUPERPAGE_PAGES; i++)
		speak(m, i);
	m->block.whole = false;
}

/*
 * Who maps a page: the pv lists. Owns their entries and the chunks these come from.
 */
#include "amd64/pmap_int.h"
#include "kern/panic.h"

struct pv_chunk *
pv_chunk_alloc(pmap_t pmap)
{
	vm_page_t m = vm_phys_alloc(0, VM_ALLOC_SYSTEM);
	struct pv_chunk *pc;

	if (m == NULL)
		return (NULL);
	pc = pmap_page_kva(m);
	pc->pc_pmap = pmap;
	pc->pc_free = NULL;
	pc->pc_used = pc->pc_fresh = 0;
	LIST_INSERT_HEAD(&pmap->pm_chunks, pc, pc_link);
	return (pc);
}

static void
entry_free(struct pv_entry *pv)
{
	struct pv_chunk *pc = pv_chunk_of(pv);

	VM_CNT_DEC(v_pv_entries);
	pv->pv_next = pc->pc_free;
	pc->pc_free = pv;
	if (pc->pc_used-- == PV_PER_CHUNK)
		LIST_INSERT_HEAD(&pc->pc_pmap->pm_chunks, pc, pc_link);
	if (pc->pc_used == 0) {
		LIST_REMOVE(pc, pc_link);
		vm_phys_free(PHYS_TO_VM_PAGE(dmap_to_phys(pc)), 0);
	}
}

/* The address of the block's first page when m is at va. */
static inline vm_offset_t
base_address(vm_offset_t va, vm_page_t m)
{
	return ((m->flags & PG_BLOCK) != 0 ? va - ptoa(m - vm_page_block(m)) : va);
}

/* Where the list points to the entry of pmap and base, or its end. */
static inline struct pv_entry **
entry_find(struct pv_entry **link, pmap_t pmap, vm_offset_t base)
{
	while (*link != NULL &&
	       (trunc_page((*link)->pv_va) != base || pv_chunk_of(*link)->pc_pmap != pmap))
		link = &(*link)->pv_next;
	return (link);
}

bool
pv_insert(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n)
{
	struct pv_entry **list = pv_list(m), *pv = NULL;

	mtx_assert_owned(&pmap_mtx);
	va = base_address(va, m);
	if ((m->flags & PG_BLOCK) != 0)
		pv = *entry_find(list, pmap, va);
	if (pv == NULL)
		return (pv_add(pmap, list, va, n));
	pv->pv_va += n;
	return (true);
}

void
pv_remove(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n)
{
	struct pv_entry **link = entry_find(pv_list(m), pmap, base_address(va, m)), *pv = *link;

	mtx_assert_owned(&pmap_mtx);
	pv->pv_va -= n;
	if ((pv->pv_va & PAGE_MASK) != 0)
		return;
	*link = pv->pv_next;
	entry_free(pv);
}

/*
 * Who maps a page: the pv lists. Owns their entries and the chunks these come from.
 */
#include "amd64/pmap_int.h"
#include "kern/machdep.h"
#include "kern/panic.h"

void __slow_path
pv_list_wait(uintptr_t *head)
{
	lock_waited("pv list", false);
	while ((__atomic_load_n(head, __ATOMIC_RELAXED) & PV_LOCKED) != 0)
		cpu_spinwait();
}

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
	uintptr_t *head = pv_head(m);
	struct pv_entry *first, *pv;

	mtx_assert_owned(&pmap->pm_mtx);
	va = base_address(va, m);
	if ((m->flags & PG_BLOCK) == 0)
		return (pv_add(pmap, head, va, n));
	first = pv_list_lock(head);
	pv = *entry_find(&first, pmap, va);
	if (pv != NULL)
		pv->pv_va += n;
	pv_list_unlock(head, first);
	return (pv != NULL || pv_add(pmap, head, va, n)); /* only its own pmap adds such an entry */
}

/* From the list that begins with *first; the entry, if it is no longer needed. */
static struct pv_entry *
entry_take(struct pv_entry **first, pmap_t pmap, vm_offset_t base, uint64_t n)
{
	struct pv_entry **link = entry_find(first, pmap, base), *pv = *link;

	pv->pv_va -= n;
	if ((pv->pv_va & PAGE_MASK) != 0)
		return (NULL);
	*link = pv->pv_next;
	return (pv);
}

void
pv_remove_listed(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n, struct pv_entry **first)
{
	struct pv_entry *pv = entry_take(first, pmap, base_address(va, m), n);

	mtx_assert_owned(&pmap->pm_mtx);
	if (pv != NULL)
		entry_free(pv);
}

static void __slow_path
remove_slow(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n)
{
	uintptr_t *head = pv_head(m);
	struct pv_entry *first = pv_list_lock(head), *pv;

	pv = entry_take(&first, pmap, base_address(va, m), n);
	pv_list_unlock(head, first);
	if (pv != NULL)
		entry_free(pv);
}

/* Most are the first of their list, which nobody else has locked, and all of it goes. */
void
pv_remove(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n)
{
	uintptr_t *head = pv_head(m);
	struct pv_entry *first;

	mtx_assert_owned(&pmap->pm_mtx);
	if (!pv_list_trylock(head, &first)) {
		remove_slow(pmap, va, m, n);
	} else if (first->pv_va != (base_address(va, m) | n) || pv_pmap(first) != pmap) {
		pv_list_unlock(head, first);
		remove_slow(pmap, va, m, n);
	} else {
		pv_list_unlock(head, first->pv_next);
		entry_free(first);
	}
}

struct pv_entry *
pv_find(struct pv_entry *pv, pmap_t pmap, vm_offset_t va)
{
	return (*entry_find(&pv, pmap, va));
}

/* One walk of the list; false: it came to a pmap that is in use. */
static bool
foreach_once(uintptr_t *head, pv_fn *fn, void *arg, bool *done)
{
	struct pv_entry *first = pv_list_lock(head), *next = NULL;
	bool locked = true;
	pmap_t pmap;

	for (struct pv_entry *pv = first; pv != NULL && locked && !*done; pv = next) {
		next = pv->pv_next;
		pmap = pv_pmap(pv);
		locked = mtx_trylock(&pmap->pm_mtx);
		if (!locked)
			continue;
		*done = fn(arg, pv, &first);
		mtx_unlock(&pmap->pm_mtx);
	}
	pv_list_unlock(head, first);
	return (locked);
}

bool
pv_foreach(vm_page_t m, pv_fn *fn, void *arg)
{
	bool done = false;

	spinlock_enter();
	while (!foreach_once(pv_head(m), fn, arg, &done))
		cpu_spinwait();
	spinlock_exit();
	return (done);
}

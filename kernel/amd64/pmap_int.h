/*
 * What the files of the pmap share: pmap.c (user page tables), pmap_pv.c (who maps a page),
 * pmap_kernel.c (the kernel's half).
 *
 * Four levels of tables, 512 entries each; level 0 holds the 4 KiB entries, an entry of level 1 can
 * be a superpage of 2 MiB, in the kernel's half one of level 2 can be 1 GiB. The top table's upper
 * 256 entries are the kernel's: all those it will ever use are made at boot, and every pmap has a
 * copy.
 */
#pragma once

#include "amd64/amd64.h"
#include "kern/trace.h"
#include "vm/vm_page.h"

#define NPTE             512ul
#define LEVEL_SHIFT(l)   (PAGE_SHIFT + 9 * (l))
#define PTE_INDEX(va, l) ((va) >> LEVEL_SHIFT(l) & (NPTE - 1))
#define TOP_LEVEL        3
_Static_assert(VM_SUPERPAGE_PAGES == NPTE, "a superpage is what one entry of level 1 maps");

static inline struct pmap_cpu *
pmap_cpu(pmap_t pmap)
{
	return (&pmap->pm_cpus[cpu_id() % PMAP_CPUS]);
}

static inline uint64_t *
pte_table(uint64_t entry)
{
	return (phys_to_dmap(entry & PG_FRAME));
}

/* tlb_shootdown of one page of user space, which is what most changes want. */
static inline void
tlb_shootdown_page(pmap_t pmap, vm_offset_t va)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* as in shootdown.c */
	if (__predict_false(__atomic_load_n(&pmap->pm_active, __ATOMIC_RELAXED) !=
			    1u << cpu_id())) {
		tlb_shootdown(pmap, va, va + PAGE_SIZE, false);
		return;
	}
	TRACE(TR_SHOOTDOWN, va, va + PAGE_SIZE);
	invlpg(va);
}

/* --- pmap_pv.c: who maps a page --------------------------------------------------------------- */

/*
 * Who maps a page. A RAM page has a list of its own, with an entry for each address. A block of
 * device frames (PG_BLOCK) has one list, in its first page, and an entry there says: this pmap maps
 * pages of the block so that its first one is, or would be, at that address; which of them, the
 * page tables tell. An entry is 24 bytes of a page-sized chunk that belongs to one pmap.
 *
 * A list is a tree in the order of pmaps and addresses, so that the end of many processes that share
 * a page does not look at all entries for each; the one used last is at the top (pmap_pv.c), and
 * most trees are that alone.
 *
 * Locks: (p) the pmap's  (l) the list's, a bit of its head: held for a few instructions by who has a
 * pmap locked, for longer by pv_foreach.
 */
#define PV_LOCKED 1ul
struct pv_entry {
	struct pv_entry
	    *pv_child[2]; /* (l) those before this one, after it; [0]: (p) the next free */
	vm_offset_t pv_va; /* (l) and in its low 12 bits how many pages are mapped so */
};

#define PV_PER_CHUNK ((PAGE_SIZE - 48) / sizeof(struct pv_entry))
struct pv_chunk {
	LIST_ENTRY(pv_chunk) pc_link; /* (p) pc_owner->pmc_chunks, while it has free entries */
	pmap_t pc_pmap; /* (c) */
	struct pmap_cpu *pc_owner; /* (c) */
	struct pv_entry *pc_free; /* (p) those used before */
	uint32_t pc_used, pc_fresh; /* (p) in use now; ever used */
	struct pv_entry pc_pv[PV_PER_CHUNK];
};
_Static_assert(sizeof(struct pv_chunk) <= PAGE_SIZE, "a chunk is a page");

static inline struct pv_chunk *
pv_chunk_of(const struct pv_entry *pv)
{
	return ((struct pv_chunk *)trunc_page(pv));
}
static inline pmap_t
pv_pmap(const struct pv_entry *pv)
{
	return (pv_chunk_of(pv)->pc_pmap);
}

/* Is pv, the top of a list, all of it? */
static inline bool
pv_alone(const struct pv_entry *pv)
{
	return (pv->pv_child[0] == NULL && pv->pv_child[1] == NULL);
}

struct pv_chunk *pv_chunk_alloc(pmap_t pmap);
/* An entry to be filled in, without children; NULL: no memory. */
static inline struct pv_entry *
pv_alloc(pmap_t pmap)
{
	struct pv_chunk *pc = LIST_FIRST(&pmap_cpu(pmap)->pmc_chunks);
	struct pv_entry *pv;

	if (__predict_false(pc == NULL) && (pc = pv_chunk_alloc(pmap)) == NULL)
		return (NULL);
	pv = pc->pc_free;
	if (pv != NULL) {
		pc->pc_free = pv->pv_child[0];
		pv->pv_child[0] = NULL;
	} else {
		pv = &pc->pc_pv[pc->pc_fresh++];
	}
	if (++pc->pc_used == PV_PER_CHUNK)
		LIST_REMOVE(pc, pc_link);
	VM_CNT_INC(v_pv_entries);
	return (pv);
}

/* The head of the list that m is in. */
static inline uintptr_t *
pv_head(vm_page_t m)
{
	return (&((m->flags & PG_BLOCK) != 0 ? vm_page_block(m) : m)->md.pv_head);
}

/* Lock a list, with interrupts off: its top entry, or NULL. */
static inline bool
pv_list_trylock(uintptr_t *head, struct pv_entry **first)
{
	if ((__atomic_fetch_or(head, PV_LOCKED, __ATOMIC_ACQUIRE) & PV_LOCKED) != 0)
		return (false);
	*first = (struct pv_entry *)(*head - PV_LOCKED);
	return (true);
}
void pv_list_wait(uintptr_t *head);
static inline struct pv_entry *
pv_list_lock(uintptr_t *head)
{
	struct pv_entry *first;

	while (__predict_false(!pv_list_trylock(head, &first)))
		pv_list_wait(head);
	return (first);
}
/* And let go of it; first: its top entry now. */
static inline void
pv_list_unlock(uintptr_t *head, struct pv_entry *first)
{
	__atomic_store_n(head, (uintptr_t)first, __ATOMIC_RELEASE);
}

/* Put pv, which is alone, at the top of the list that begins with first. */
void pv_hang(struct pv_entry *first, struct pv_entry *pv);

/* Put an entry for va and n pages at the top of the list. The pmap is locked. False: no memory. */
static inline bool
pv_add(pmap_t pmap, uintptr_t *head, vm_offset_t va, uint64_t n)
{
	struct pv_entry *pv = pv_alloc(pmap), *first;

	if (pv == NULL)
		return (false);
	pv->pv_va = va | n;
	first = pv_list_lock(head);
	if (first != NULL)
		pv_hang(first, pv);
	pv_list_unlock(head, pv);
	return (true);
}

/* Note that n pages from m on are mapped from va on; n is 1, or they are of one block. The pmap is
 * locked. False when there is no memory: nothing changed. */
bool pv_insert(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n);
/* The same, undone. */
void pv_remove(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n);
/* In the list that begins with first, the entry of a RAM page that pmap maps at from is one for to
 * instead; returns what it begins with then. */
struct pv_entry *pv_rehang(struct pv_entry *first, pmap_t pmap, vm_offset_t from, vm_offset_t to);
/* RAM page m, which is mapped at from, is mapped at to instead. The pmap is locked. Most are alone
 * in their list. */
static inline void
pv_move(pmap_t pmap, vm_offset_t from, vm_offset_t to, vm_page_t m)
{
	struct pv_entry *first = pv_list_lock(&m->md.pv_head);

	if (__predict_true(pv_alone(first)))
		first->pv_va = to + 1; /* one page */
	else
		first = pv_rehang(first, pmap, from, to);
	pv_list_unlock(&m->md.pv_head, first);
}
/* And where the caller has m's list locked, which begins with *first. */
void pv_remove_listed(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n,
		      struct pv_entry **first);

/*
 * Call fn for each entry of m's list, with the list and the entry's pmap locked, until it says true;
 * the result is its last. It may remove the entry; *first is for pv_remove_listed. Where a pmap is
 * in use all begins again: fn may see an entry more than once. No pmap is locked by the caller.
 */
typedef bool pv_fn(void *arg, struct pv_entry *pv, struct pv_entry **first);
bool pv_foreach(vm_page_t m, pv_fn *fn, void *arg);

/* Where an entry of m's list has m. */
static inline vm_offset_t
pv_address(const struct pv_entry *pv, vm_page_t m)
{
	return (trunc_page(pv->pv_va) +
		((m->flags & PG_BLOCK) != 0 ? ptoa(m - vm_page_block(m)) : 0));
}

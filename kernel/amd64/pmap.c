/*
 * User page tables: kernel/vm/pmap.h for amd64. Owns every user page table and the memory for it.
 *
 * A page-table page counts its entries in use in its vm_page's pindex, and is freed when that falls
 * to 0. Where a whole superpage is entered it takes one entry of level 1; whoever then wants to
 * change a part of that has it demoted to a table of 512 entries, and nobody sees a difference
 * (S3). A wired superpage has a table set aside for that (S5); any other may just as well be
 * dropped.
 */
#include "amd64/pmap_int.h"
#include "kern/errno.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/trace.h"
#include "kern/string.h"

#define SUPERPAGE_SIZE ptoa(VM_SUPERPAGE_PAGES)
#define CHANGE_TURN    1024 /* entries of a large change that are done with interrupts off */

/*
 * Changes to one pmap's entries that other translations may still hold: the range to flush, and
 * page-table pages that are empty, to free once that is done.
 */
struct pmap_change {
	pmap_t pmap;
	vm_offset_t lo, hi; /* flush [lo, hi); empty while lo >= hi */
	vm_page_t table; /* the one whose entries are being changed */
	struct vm_phys_range range; /* where the last frame's page was found; others will be near */
	struct pglist free;
	vm_prot_t prot; /* change_protect: what stays */
	vm_offset_t shift; /* change_move: what is at va goes to va + shift */
	struct pv_entry **pv_first; /* of the pv list of what is changed, if that is locked */
	uint32_t
	    others; /* CPUs that, if they have the pmap, are to forget what is removed at once */
	bool hidden; /* they have done so: what is removed was not valid any more */
	int64_t left; /* entries to look at before others have a turn */
};
/* Do something to the n entries of one table from e on, which map va and what follows. */
typedef void change_fn(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t n, int level);

static const uint64_t protection_bits[] = {
    [VM_PROT_NONE] = PG_NX,
    [VM_PROT_READ] = PG_NX,
    [VM_PROT_WRITE] = PG_RW | PG_NX,
    [VM_PROT_RW] = PG_RW | PG_NX,
    [VM_PROT_EXECUTE] = 0,
    [VM_PROT_READ | VM_PROT_EXECUTE] = 0,
    [VM_PROT_WRITE | VM_PROT_EXECUTE] = PG_RW,
    [VM_PROT_ALL] = PG_RW,
};

static vm_page_t
table_page(const uint64_t *table)
{
	return (PHYS_TO_VM_PAGE(dmap_to_phys(table)));
}

static uint64_t
entry_pages(int level)
{
	return (1ul << (LEVEL_SHIFT(level) - PAGE_SHIFT));
}

/* --- translations that CPUs remember ---------------------------------------------------------- */

static void
change_begin(struct pmap_change *c, pmap_t pmap)
{
	mtx_assert_owned(&pmap->pm_mtx);
	c->pmap = pmap;
	c->pv_first = NULL;
	c->others = ~(1u << cpu_id());
	c->hidden = false;
	c->lo = UINT64_MAX;
	c->hi = 0;
	c->range.size = 0;
	TAILQ_INIT(&c->free);
}

/* Entries of npages from va on, which were in use, have changed. */
static void
change_note(struct pmap_change *c, vm_offset_t va, uint64_t npages)
{
	c->lo = MIN(c->lo, va);
	c->hi = MAX(c->hi, va + ptoa(npages));
}

/* May other CPUs remember what has just been taken out of the tables? */
static inline bool
is_shared(const struct pmap_change *c)
{
	return ((__atomic_load_n(&c->pmap->pm_active, __ATOMIC_RELAXED) & c->others) != 0);
}

/*
 * npages from va on have been taken out. A page stays in its list until no CPU can reach it, as who
 * finds it in none may free it: what other CPUs may remember is flushed at once. This one, with
 * interrupts off, uses none of it before change_flush.
 */
static inline void
change_forget(struct pmap_change *c, vm_offset_t va, uint64_t npages)
{
	if (__predict_false(is_shared(c)))
		tlb_shootdown(c->pmap, va, va + ptoa(npages), false);
	else if (!c->hidden)
		change_note(c, va, npages);
}

/* A few tables that were left empty, and so are as new ones are to be: full of zeros, but for the
 * kernel's half of a top table, which is the same in all. */
#define KEPT_ORDER  3
#define KEPT_TABLES (1u << KEPT_ORDER)
static struct kept {
	unsigned n; /* (k) that CPU, interrupts off */
	vm_page_t tables[KEPT_TABLES]; /* (k) */
	vm_page_t top; /* (a) or NULL */
} __aligned_to(64) kept[MAXCPU];

/* Not while memory is short. */
static bool
may_keep(void)
{
	return (vm_cnt.v_free_count >= vm_cnt.v_free_target);
}

static void
table_end(vm_page_t m)
{
	m->flags &= (uint8_t)~PG_TABLE;
	VM_CNT_DEC(v_pt_pages);
}

/* Of an empty table; the pmap is locked. */
static void
table_keep(vm_page_t m)
{
	struct kept *k = &kept[cpu_id()];

	table_end(m);
	if (k->n < KEPT_TABLES && may_keep())
		k->tables[k->n++] = m;
	else
		vm_phys_free(m, 0);
}

static void
top_keep(vm_page_t m)
{
	table_end(m);
	if (may_keep())
		m = __atomic_exchange_n(&kept[cpu_id()].top, m, __ATOMIC_ACQ_REL);
	if (m != NULL)
		vm_phys_free(m, 0);
}

static vm_page_t
kept_take(void)
{
	struct kept *k = &kept[cpu_id()];

	return (k->n > 0 ? k->tables[--k->n] : NULL);
}

/* As many at once, which lie side by side: one here and one there among the pages of programs, they
 * would keep those from ever being a large block again. */
static void
kept_fill(void)
{
	struct kept *k = &kept[cpu_id()];
	vm_page_t m =
	    may_keep() ? vm_phys_alloc(KEPT_ORDER, VM_ALLOC_SYSTEM | VM_ALLOC_ZERO) : NULL;

	if (m != NULL)
		for (unsigned i = KEPT_TABLES; i > 0; i--)
			k->tables[k->n++] = m + (i - 1);
}

static vm_page_t
kept_take_top(void)
{
	return (__atomic_exchange_n(&kept[cpu_id()].top, NULL, __ATOMIC_ACQ_REL));
}

uint64_t
pmap_stored(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < cpu_count(); i++)
		n += kept[i].n + (kept[i].top != NULL ? 1 : 0);
	return (n);
}

bool
pmap_drain(void)
{
	bool any = false;
	vm_page_t m;

	spinlock_enter();
	while ((m = kept_take()) != NULL || (m = kept_take_top()) != NULL) {
		vm_phys_free(m, 0);
		any = true;
	}
	spinlock_exit();
	return (any);
}

/* Flush. */
static void
change_flush(struct pmap_change *c)
{
	vm_page_t m;

	if (c->hi - c->lo == PAGE_SIZE && TAILQ_EMPTY(&c->free))
		tlb_shootdown_page(c->pmap, c->lo);
	else if (c->lo < c->hi)
		tlb_shootdown(c->pmap, c->lo, c->hi, !TAILQ_EMPTY(&c->free));
	c->lo = UINT64_MAX;
	c->hi = 0;
	while ((m = TAILQ_FIRST(&c->free)) != NULL) {
		TAILQ_REMOVE(&c->free, m, plinks);
		table_keep(m);
	}
}

/* --- tables ----------------------------------------------------------------------------------- */

/* m, if there is a page, is a table from now on. */
static vm_page_t
table_begin(vm_page_t m)
{
	if (m == NULL)
		return (NULL);
	m->pindex = 0;
	m->flags |= PG_TABLE;
	VM_CNT_INC(v_pt_pages);
	return (m);
}

/* One whose contents do not matter. */
static vm_page_t
table_alloc(void)
{
	return (table_begin(vm_phys_alloc(0, VM_ALLOC_SYSTEM)));
}

static bool __unused
is_empty(vm_page_t m)
{
	const uint64_t *table = phys_to_dmap(m->phys_addr);
	uint64_t bits = 0;

	for (uint64_t i = 0; i < NPTE; i++)
		bits |= table[i];
	return (bits == 0);
}

/* An empty one. The pmap is locked. */
static vm_page_t
table_alloc_empty(void)
{
	vm_page_t m = kept_take();

	if (m == NULL) {
		kept_fill();
		m = kept_take();
	}
	if (m == NULL)
		m = vm_phys_alloc(0, VM_ALLOC_SYSTEM | VM_ALLOC_ZERO);
	KASSERT(m == NULL || is_empty(m), ("a new page table %#lx is not empty", m->phys_addr));
	return (table_begin(m));
}

uint64_t *
pmap_walk(uint64_t *table, uint64_t va, int *level, uint64_t *path)
{
	/* LAB(1): from the top table down to the entry that is absent, or maps a page; never to a
	 * table that is not in RAM. pte.h says what is returned. */
	uint64_t *e;

	for (*level = TOP_LEVEL;; --*level) {
		e = &table[PTE_INDEX(va, *level)];
		if (path != NULL)
			path[*level] = *e;
		if ((*e & PG_V) == 0)
			return (NULL);
		if (*level == 0 || (*e & PG_PS) != 0)
			return (e);
		if (!is_ram(*e & PG_FRAME, PAGE_SIZE))
			return (NULL); /* corrupt; only a panic's report can get here */
		table = pte_table(*e);
	}
	/* LAB(1) starter:
	 *	if (path != NULL)
	 *		path[TOP_LEVEL] = table[PTE_INDEX(va, TOP_LEVEL)];
	 *	*level = 0;
	 *	return (NULL);
	 */
	/* LAB(1) end */
}

/* The table under entry e of table, made if need be. NULL when there is no memory; then tables
 * may have been made that stay empty until pmap_remove comes by. */
static inline uint64_t *
table_below(uint64_t *table, uint64_t *e)
{
	vm_page_t m;

	if (__predict_false((*e & PG_V) == 0)) {
		m = table_alloc_empty();
		if (m == NULL)
			return (NULL);
		table_page(table)->pindex++;
		*e = m->phys_addr | PG_V | PG_RW | PG_U | PG_A;
	}
	return (pte_table(*e));
}

/* The entry of level 1 for va; its table is *table. NULL when there is no memory. */
static inline uint64_t *
level1_entry(pmap_t pmap, vm_offset_t va, uint64_t **table)
{
	uint64_t *t = pmap->pm_pml4;

	t = table_below(t, &t[PTE_INDEX(va, 3)]);
	if (__predict_true(t != NULL))
		t = table_below(t, &t[PTE_INDEX(va, 2)]);
	*table = t;
	return (t != NULL ? &t[PTE_INDEX(va, 1)] : NULL);
}

/* A table that a wired superpage had set aside. */
static vm_page_t
spare_take(pmap_t pmap)
{
	vm_page_t m = TAILQ_FIRST(&pmap->pm_spares);

	TAILQ_REMOVE(&pmap->pm_spares, m, plinks);
	return (m);
}

/* A wired superpage is no longer that: its spare, which no CPU has ever seen, goes. */
static void
spare_free(struct pmap_change *c)
{
	vm_page_t m = spare_take(c->pmap);

	table_end(m);
	vm_phys_free(m, 0);
}

/*
 * Let a table of 512 small entries take the superpage's place (S3). False when there is no memory,
 * which a wired one does not need. The CPU may set A meanwhile, which is of no interest, but never
 * D: where it could, it is set already (S4).
 */
static bool
demote(struct pmap_change *c, uint64_t *e, vm_offset_t va)
{
	uint64_t old = *e & ~PG_PS, *pt;
	vm_page_t m = (old & PG_W) != 0 ? spare_take(c->pmap) : table_alloc();

	if (m == NULL)
		return (false);
	pt = phys_to_dmap(m->phys_addr);
	for (uint64_t i = 0; i < NPTE; i++)
		pt[i] = old + ptoa(i);
	m->pindex = NPTE;
	*e = m->phys_addr | PG_V | PG_RW | PG_U | PG_A;
	VM_CNT_ADD(v_pte_writes, NPTE + 1);
	VM_CNT_INC(v_demotions);
	change_note(c, rounddown2(va, SUPERPAGE_SIZE), VM_SUPERPAGE_PAGES);
	return (true);
}

/* --- removing, protecting, unwiring ----------------------------------------------------------- */

/* The page of a managed entry's frame. */
static inline vm_page_t
entry_page(struct pmap_change *c, uint64_t entry)
{
	vm_paddr_t pa = entry & PG_FRAME;

	if (__predict_false(pa - c->range.start >= c->range.size))
		vm_phys_find(pa, &c->range);
	return (&c->range.pages[atop(pa - c->range.start)]);
}

static void
pages_dirty(vm_page_t m, uint64_t n)
{
	if (vm_page_unit(m) != m || vm_page_unit_pages(m) != 1)
		n = 1; /* the superpage that they are part of */
	for (; n > 0; n--, m++)
		vm_page_dirty(m);
}

#define BATCH 8 /* entries looked at, then taken, at a time: the inner loop of every large munmap */

/* Do the n entries map neighbouring frames from expect's on, alike but for A and the wired mark? */
static inline bool __attribute__((always_inline))
run_of(const uint64_t *e, uint64_t expect, uint64_t n)
{
	uint64_t differ = 0;

#pragma GCC unroll 8
	for (uint64_t i = 0; i < n; i++)
		differ |= e[i] ^ (expect + ptoa(i));
	return ((differ & ~(PG_A | PG_W)) == 0);
}

/* An atomic exchange; the compiler's own would take an instruction more for the address. */
static inline uint64_t
entry_swap(uint64_t *e, uint64_t new)
{
	__asm__ volatile("xchgq %0, %1" : "+r"(new), "+m"(*e));
	return (new);
}

/* Empty n entries; what bits they had. */
static inline uint64_t __attribute__((always_inline)) entries_take(uint64_t *e, uint64_t n)
{
	uint64_t taken = 0;

#pragma GCC unroll 8
	for (uint64_t i = 0; i < n; i++)
		taken |= entry_swap(&e[i], 0);
	return (taken);
}

/* Empty the entry at e and what continues it, at most max; how many, and what bits they had. */
static uint64_t __attribute__((noinline)) take_run(uint64_t *e, uint64_t max, uint64_t *taken)
{
	uint64_t expect = *e, n;

	*taken = 0;
	for (n = 0; n + BATCH <= max && run_of(&e[n], expect + ptoa(n), BATCH); n += BATCH)
		*taken |= entries_take(&e[n], BATCH);
	for (; n < max && run_of(&e[n], expect + ptoa(n), 1); n++)
		*taken |= entries_take(&e[n], 1);
	return (n);
}

static inline uint64_t
pages_to_block_end(vm_page_t m)
{
	return (VM_SUPERPAGE_PAGES - (vm_pindex_t)(m - vm_page_block(m)));
}

static inline void
pv_remove_of(struct pmap_change *c, vm_offset_t va, vm_page_t m, uint64_t n)
{
	if (__predict_false(c->pv_first != NULL))
		pv_remove_listed(c->pmap, va, m, n, c->pv_first);
	else
		pv_remove(c->pmap, va, m, n);
}

/*
 * Empty the entry at e, and those after it (at most max) that map neighbours in the same block,
 * alike (run_of); returns how many. The CPU sets D only in an entry that it can still find.
 */
static uint64_t
remove_run(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t max, int level)
{
	vm_page_t m = (*e & PG_MANAGED) != 0 ? entry_page(c, *e) : NULL;
	uint64_t taken, n = 1, pages;

	if (level > 0 || (m != NULL && (m->flags & PG_BLOCK) == 0))
		taken = entry_swap(e, 0); /* alone: it, or its block, has a pv list of its own */
	else
		n = take_run(e, m == NULL ? max : MIN(max, pages_to_block_end(m)), &taken);
	VM_CNT_ADD(v_pte_writes, n);
	c->table->pindex -= n;
	pages = n * entry_pages(level);
	change_forget(c, va, pages);
	if (level > 0 && (taken & PG_W) != 0)
		spare_free(c);
	if (m == NULL)
		return (n);
	c->pmap->pm_resident -= pages;
	if ((taken & PG_D) != 0)
		pages_dirty(m, pages);
	pv_remove_of(c, va, m, pages);
	return (n);
}

/* How many entries from e on, at most max, are empty. */
static inline uint64_t
empty_run(const uint64_t *e, uint64_t max)
{
	uint64_t n = 0;

	while (n < max && e[n] == 0)
		n++;
	return (n);
}

/* Does the entry map a RAM page? *m: which. */
static inline bool
is_ram_page(struct pmap_change *c, uint64_t entry, vm_page_t *m)
{
	if ((entry & PG_MANAGED) == 0)
		return (false);
	*m = entry_page(c, entry);
	return (((*m)->flags & PG_BLOCK) == 0);
}

/* What most large changes find: entries of RAM pages. How many of max. */
static inline uint64_t
remove_ram(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t max)
{
	vm_offset_t at = va;
	vm_page_t m;
	uint64_t n;

	for (n = 0; n < max && is_ram_page(c, e[n], &m); n++, at += PAGE_SIZE) {
		if ((entry_swap(&e[n], 0) & PG_D) != 0)
			m->dirty = true;
		if (__predict_false(is_shared(c))) /* since a moment ago */
			change_forget(c, at, 1);
		pv_remove_of(c, at, m, 1);
	}
	if (n == 0)
		return (0);
	VM_CNT_ADD(v_pte_writes, n);
	c->table->pindex -= n;
	c->pmap->pm_resident -= n;
	change_forget(c, va, n);
	return (n);
}

/* The entries of a table that are in use: RAM pages by ram, many at a time, and what it does not take
 * by remove_run. */
static inline __attribute__((always_inline)) void
change_used(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t n, int level,
	    uint64_t (*ram)(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t max))
{
	uint64_t done;

	for (uint64_t i = empty_run(e, n); i < n;
	     i += done + empty_run(&e[i + done], n - i - done)) {
		done = level == 0 ? ram(c, &e[i], va + ptoa(i), n - i) : 0;
		if (done == 0)
			done = remove_run(c, &e[i], va + ptoa(i), n - i, level);
	}
}

static void
change_remove(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t n, int level)
{
	change_used(c, e, va, n, level, remove_ram);
}

/* What the removal from a pmap that other CPUs have begins with: superpages go, small entries tell what
 * they map, but are not valid. */
static void
change_hide(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t n, int level)
{
	if (level > 0) {
		change_remove(c, e, va, n, level);
		return;
	}
	for (; n > 0; n--, e++, va += PAGE_SIZE) {
		if (*e == 0)
			continue;
		__atomic_fetch_and(e, ~PG_V, __ATOMIC_RELAXED);
		change_note(c, va, 1);
	}
}

/* The slot for va, where no superpage is, in a table made if need be; its page is *tpage. NULL: no
 * memory. */
static uint64_t *
slot_make(pmap_t pmap, vm_offset_t va, vm_page_t *tpage)
{
	uint64_t *table, *e = level1_entry(pmap, va, &table);

	table = e != NULL ? table_below(table, e) : NULL;
	if (table == NULL)
		return (NULL);
	*tpage = table_page(table);
	return (&table[PTE_INDEX(va, 0)]);
}

/* As remove_ram, but the pages are mapped elsewhere at once; no further than one table goes there. */
static inline uint64_t
move_ram(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t max)
{
	vm_offset_t shift = c->shift, to = va + shift;
	pmap_t pmap = c->pmap;
	uint64_t n = 0, *slot;
	vm_page_t m, tpage;

	max = MIN(max, NPTE - PTE_INDEX(to, 0));
	if (!is_ram_page(c, e[0], &m) || (slot = slot_make(pmap, to, &tpage)) == NULL)
		return (0);
	do {
		KASSERT(slot[n] == 0, ("pmap_move: something is mapped at %#lx", to + ptoa(n)));
		slot[n] = entry_swap(&e[n], 0);
		pv_move(pmap, va + ptoa(n), va + ptoa(n) + shift, m);
	} while (++n < max && is_ram_page(c, e[n], &m));
	tpage->pindex += n;
	c->table->pindex -= n;
	VM_CNT_ADD(v_pte_writes, 2 * n);
	change_note(c, va, n);
	return (n);
}

static void
change_move(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t n, int level)
{
	change_used(c, e, va, n, level, move_ram);
}

/* The CPU may set A and D meanwhile: bits are cleared one by one, atomically. */
static void
change_protect(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t n, int level)
{
	uint64_t clear = ~protection_bits[c->prot] & PG_RW, set = protection_bits[c->prot] & PG_NX;

	for (; n > 0; n--, e++, va += PAGE_SIZE) {
		if (*e == 0 || ((*e & clear) == 0 && (~*e & set) == 0))
			continue;
		__atomic_fetch_and(e, ~clear, __ATOMIC_RELAXED);
		__atomic_fetch_or(e, set, __ATOMIC_RELAXED);
		VM_CNT_INC(v_pte_writes);
		change_note(c, va, entry_pages(level));
	}
}

/* Read-only, and not modified since: what was goes to the page. */
static void
change_clean(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t n, int level)
{
	uint64_t old;

	for (; n > 0; n--, e++, va += PAGE_SIZE) {
		old = __atomic_fetch_and(e, ~(PG_RW | PG_D), __ATOMIC_RELAXED);
		if ((old & (PG_RW | PG_D)) == 0)
			continue;
		if ((old & (PG_D | PG_MANAGED)) == (PG_D | PG_MANAGED))
			pages_dirty(entry_page(c, old), entry_pages(level));
		VM_CNT_INC(v_pte_writes);
		change_note(c, va, entry_pages(level));
	}
}

static void
change_unwire(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t n, int level)
{
	uint64_t old;

	(void)va;
	for (; n > 0; n--, e++) {
		old = __atomic_fetch_and(e, ~PG_W, __ATOMIC_RELAXED);
		if (level > 0 && (old & PG_W) != 0)
			spare_free(c);
	}
}

static vm_offset_t change_table(struct pmap_change *c, vm_page_t tpage, int level, vm_offset_t va,
				vm_offset_t end, change_fn *fn);

/* The table below e, an entry of table tpage; then away with it if it is left empty. Where it came
 * to, as change_table. */
static vm_offset_t
change_below(struct pmap_change *c, vm_page_t tpage, uint64_t *e, int level, vm_offset_t va,
	     vm_offset_t end, change_fn *fn)
{
	uint64_t *below = pte_table(*e);
	vm_page_t child = table_page(below);

	if (level > 1) {
		end = change_table(c, child, level - 1, va, end, fn);
	} else {
		c->table = child;
		c->left -= (int64_t)atop(end - va);
		fn(c, &below[PTE_INDEX(va, 0)], va, atop(end - va), 0);
	}
	if (child->pindex != 0)
		return (end);
	*e = 0;
	tpage->pindex--;
	for (int i = 0; i < PMAP_CPUS; i++)
		c->pmap->pm_cpus[i].pmc_hint = NULL;
	TAILQ_INSERT_TAIL(&c->free, child, plinks);
	change_note(c, trunc_page(va), 1);
	return (end);
}

/* The superpage at e: as a whole, or demoted; one that cannot be demoted can be dropped
 * (pmap.h). */
static void
change_super(struct pmap_change *c, vm_page_t tpage, uint64_t *e, vm_offset_t va, vm_offset_t end,
	     change_fn *fn)
{
	bool whole = end - va == SUPERPAGE_SIZE;

	if (!whole && demote(c, e, va)) {
		change_below(c, tpage, e, 1, va, end, fn);
		return;
	}
	c->table = tpage;
	if (whole)
		fn(c, e, va, 1, 1);
	else
		remove_run(c, e, rounddown2(va, SUPERPAGE_SIZE), 1, 1);
}

/*
 * Call fn on the entries of [va, end) below the table in tpage, and take away the tables that are
 * left empty. One change may visit all of user space: absent tables cost nothing. Where it came to:
 * end, or less when it has had its turn (c->left).
 */
static vm_offset_t
change_table(struct pmap_change *c, vm_page_t tpage, int level, vm_offset_t va, vm_offset_t end,
	     change_fn *fn)
{
	vm_offset_t size = 1ul << LEVEL_SHIFT(level), next;
	uint64_t *table = phys_to_dmap(tpage->phys_addr), *e;

	for (; va < end && c->left > 0; va = next) {
		next = MIN(rounddown2(va, size) + size, end);
		e = &table[PTE_INDEX(va, level)];
		if ((*e & PG_V) == 0)
			continue;
		if ((*e & PG_PS) != 0)
			change_super(c, tpage, e, va, next, fn);
		else
			next = change_below(c, tpage, e, level, va, next, fn);
	}
	return (va);
}

/* The same for all of c's pmap. */
static vm_offset_t
change_all(struct pmap_change *c, vm_offset_t va, vm_offset_t end, change_fn *fn)
{
	c->left = CHANGE_TURN;
	return (change_table(c, table_page(c->pmap->pm_pml4), TOP_LEVEL, va, end, fn));
}

/* --- entering --------------------------------------------------------------------------------- */

static bool
same_page(uint64_t a, uint64_t b)
{
	return (((a ^ b) & (PG_FRAME | PG_MANAGED)) == 0);
}

/*
 * An entry in use is to become new. True: it maps the same frame, and has or gets what was asked
 * for (P18); it keeps its wired mark, and A and D, which the CPU may set until the moment of the
 * exchange. False: it mapped another frame, and is empty now.
 */
static bool __attribute__((noinline))
entry_update(struct pmap_change *c, uint64_t *e, vm_offset_t va, uint64_t new, int level)
{
	uint64_t old = *e;

	if (!same_page(old, new)) {
		remove_run(c, e, va, 1, level);
		change_flush(c); /* nobody may write to the new one while another reads the old */
		return (false);
	}
	new |= old &(PG_W | PG_A | PG_D);
	if (old == new)
		return (true);
	old = __atomic_exchange_n(e, new, __ATOMIC_RELAXED);
	__atomic_fetch_or(e, old & PG_D, __ATOMIC_RELAXED);
	VM_CNT_INC(v_pte_writes);
	change_note(c, va, entry_pages(level));
	return (true);
}

/*
 * Store n entries from pte on, all in one table, for n pages from m on, of one block or n is 1 or
 * they have no pv entries: the inner loop of every fault. False when there is no memory.
 */
static inline bool
enter_run(struct pmap_change *c, uint64_t *pte, vm_offset_t va, vm_page_t m, vm_pindex_t n,
	  uint64_t bits)
{
	uint64_t new = m->phys_addr | bits;
	vm_pindex_t old = 0, fresh;
	bool managed = (bits & PG_MANAGED) != 0;

	if (n == 1 && *pte != 0 && same_page(*pte, new))
		return (entry_update(c, pte, va, new, 0));
	/* For all; what it is not needed for goes back. */
	if (managed && !((m->flags & PG_BLOCK) != 0 ? pv_insert(c->pmap, va, m, n)
						    : pv_add(c->pmap, &m->md.pv_head, va, n)))
		return (false);
#pragma GCC unroll 4
	for (uint64_t *e = pte; e < pte + n; e++, new += PAGE_SIZE) {
		if (__predict_false(*e != 0) &&
		    entry_update(c, e, va + ptoa((uint64_t)(e - pte)), new, 0))
			old++;
		else
			*e = new;
	}
	fresh = n - old;
	if (managed && old > 0)
		pv_remove(c->pmap, va, m, old);
	c->table->pindex += fresh;
	c->pmap->pm_resident += managed ? fresh : 0;
	VM_CNT_ADD(v_pte_writes, fresh);
	return (true);
}

/* RAM pages, each with its own pv list, into empty slots: what most populates of files and
 * faults want. How many of n, up to the first that is not that, or for which there is no memory. */
static inline vm_pindex_t
enter_ram(struct pmap_change *c, uint64_t *pte, vm_offset_t va, vm_page_t m, vm_pindex_t n,
	  uint64_t bits)
{
	vm_pindex_t i;

	for (i = 0; i < n && pte[i] == 0; i++) {
		if ((m[i].flags & (PG_BLOCK | PG_UNMANAGED)) != 0 ||
		    !pv_add(c->pmap, &m[i].md.pv_head, va + ptoa(i), 1))
			break;
		pte[i] = m[i].phys_addr | bits;
	}
	c->table->pindex += i;
	c->pmap->pm_resident += i;
	VM_CNT_ADD(v_pte_writes, i);
	return (i);
}

/* One after the other where each page has its own pv list. */
static bool
enter_pages(struct pmap_change *c, uint64_t *pte, vm_offset_t va, vm_page_t m, vm_pindex_t n,
	    uint64_t bits)
{
	vm_pindex_t run = enter_ram(c, pte, va, m, n, bits);

	pte += run;
	m += run;
	va += ptoa(run);
	n -= run;
	run = n;
	for (; n > 0; n -= run, pte += run, m += run, va += ptoa(run)) {
		if ((bits & PG_MANAGED) != 0)
			run =
			    (m->flags & PG_BLOCK) == 0
				? 1
				: MIN(n, VM_SUPERPAGE_PAGES - (vm_pindex_t)(m - vm_page_block(m)));
		if (!enter_run(c, pte, va, m, run, bits))
			return (false);
	}
	return (true);
}

/* The entry for the superpage at m. A writable one is dirty from the start, so that no demotion can
 * lose it (S4); the caller's pages are, too. */
static inline uint64_t
super_entry(vm_page_t m, uint64_t bits)
{
	return (m->phys_addr | bits | PG_PS | ((bits & PG_RW) != 0 ? PG_A | PG_D : 0));
}

/* S1: the superpage m as one entry. False when it cannot be, for want of memory or because a table
 * is there already: small entries will do (S2, S6). */
static bool
enter_super(struct pmap_change *c, uint64_t *e, vm_offset_t va, vm_page_t m, uint64_t bits)
{
	uint64_t new = super_entry(m, bits);
	vm_page_t spare = NULL;

	if ((*e & PG_V) != 0 && (*e & PG_PS) == 0)
		return (false);
	if ((new &PG_W) != 0 && ((*e & PG_W) == 0 || !same_page(*e, new))) {
		spare = table_alloc();
		if (spare == NULL)
			return (false);
		TAILQ_INSERT_HEAD(&c->pmap->pm_spares, spare, plinks); /* S5 */
	}
	if ((*e & PG_V) != 0 && entry_update(c, e, va, new, 1))
		return (true);
	if ((bits & PG_MANAGED) != 0 && !pv_insert(c->pmap, va, m, VM_SUPERPAGE_PAGES)) {
		if (spare != NULL)
			spare_free(c);
		return (false);
	}
	*e = new;
	c->table->pindex++;
	c->pmap->pm_resident += (bits & PG_MANAGED) != 0 ? VM_SUPERPAGE_PAGES : 0;
	VM_CNT_INC(v_pte_writes);
	VM_CNT_INC(v_superpages);
	return (true);
}

/*
 * What most want of superpages: those of the n pages from m on, whole, managed and not wired, into
 * entries that are empty, all in one table. How many pages, up to the first that needs enter_super.
 */
static inline vm_pindex_t
enter_supers(struct pmap_change *c, uint64_t *e, vm_offset_t va, vm_page_t m, vm_pindex_t n,
	     uint64_t bits)
{
	uint64_t new = super_entry(m, bits), *first = e, *end;

	n = MIN(n / VM_SUPERPAGE_PAGES, NPTE - PTE_INDEX(va, 1));
	n = (bits & (PG_MANAGED | PG_W)) == PG_MANAGED ? n : 0;
	for (end = e + n; e < end && *e == 0; e++) {
		if (m->md.pv_head != 0 || !pv_add(c->pmap, &m->md.pv_head, va, VM_SUPERPAGE_PAGES))
			break;
		*e = new;
		new += SUPERPAGE_SIZE;
		va += SUPERPAGE_SIZE;
		m += VM_SUPERPAGE_PAGES;
	}
	n = (vm_pindex_t)(e - first);
	c->table->pindex += n;
	c->pmap->pm_resident += n * VM_SUPERPAGE_PAGES;
	VM_CNT_ADD(v_pte_writes, n);
	VM_CNT_ADD(v_superpages, n);
	return (n * VM_SUPERPAGE_PAGES);
}

/* The superpage at e maps the n pages already, with all the rights that are asked for (P18). */
static bool
super_has(uint64_t e, vm_offset_t va, vm_page_t m, uint64_t bits)
{
	return ((e & PG_FRAME) + (va & (SUPERPAGE_SIZE - 1)) == m->phys_addr &&
		(bits & ~e & (PG_RW | PG_W)) == 0 && (e & ~bits & PG_NX) == 0);
}

/* n pages that are mapped by the one table or superpage below entry e. */
static bool
enter_below(struct pmap_change *c, uint64_t *table, uint64_t *e, vm_offset_t va, vm_page_t m,
	    vm_pindex_t n, uint64_t bits)
{
	uint64_t *pt;

	if (__predict_false((*e & PG_PS) != 0)) {
		if (super_has(*e, va, m, bits))
			return (true);
		if (!demote(c, e, va))
			return (false);
	}
	pt = table_below(table, e);
	if (pt == NULL)
		return (false);
	c->table = table_page(pt);
	return (enter_pages(c, &pt[PTE_INDEX(va, 0)], va, m, n, bits));
}

/* The small entry of va, and its table's page; NULL when there is none: no table, or a superpage. A
 * table stays where it is until it is empty, so the last one is remembered. */
static inline uint64_t *
small_entry(pmap_t pmap, vm_offset_t va, vm_page_t *tpage)
{
	struct pmap_cpu *own = pmap_cpu(pmap);
	uint64_t *table = own->pmc_hint, e;

	mtx_assert_owned(&pmap->pm_mtx);
	*tpage = own->pmc_hint_page;
	if (table != NULL && own->pmc_hint_index == va / SUPERPAGE_SIZE)
		return (&table[PTE_INDEX(va, 0)]);
	table = pmap->pm_pml4;
#pragma GCC unroll 3
	for (int level = TOP_LEVEL; level > 0; level--) {
		e = table[PTE_INDEX(va, level)];
		if ((e & (PG_V | PG_PS)) != PG_V)
			return (NULL);
		table = pte_table(e);
	}
	own->pmc_hint = table;
	own->pmc_hint_page = *tpage = table_page(table);
	own->pmc_hint_index = va / SUPERPAGE_SIZE;
	return (&table[PTE_INDEX(va, 0)]);
}

/*
 * An entry in use, of the same page, gets more rights or is wired, and keeps what it has. False: it
 * would lose a right. No CPU needs to forget anything: one that remembers fewer rights faults once,
 * and that makes it forget (SDM vol. 3A, 4.10.4.3).
 */
static inline bool
gain_simple(uint64_t *e, uint64_t new)
{
	uint64_t old = *e, gain = new & ~old &(PG_RW | PG_W);

	if ((old & ~new &PG_RW) != 0 || (new & ~old &PG_NX) != 0)
		return (false);
	if (gain != 0)
		__atomic_fetch_or(e, gain, __ATOMIC_RELAXED);
	if ((old & ~new &PG_NX) != 0)
		__atomic_fetch_and(e, ~PG_NX, __ATOMIC_RELAXED);
	VM_CNT_INC(v_pte_writes);
	return (true);
}

/* m, which is of no block, comes to be mapped at va. False: no memory. */
static inline bool
page_mapped(pmap_t pmap, vm_offset_t va, vm_page_t m)
{
	if ((m->flags & PG_UNMANAGED) != 0)
		return (true);
	if (!pv_add(pmap, &m->md.pv_head, va, 1))
		return (false);
	pmap->pm_resident++;
	return (true);
}

/*
 * Copy-on-write, or the first write to what was read as zeros: the entry of one page becomes
 * another's. It is empty until every CPU has forgotten the old one: nobody may write to the new page
 * while somebody reads the old. False: it is of a block, or there is no memory.
 */
static bool __attribute__((noinline))
replace_simple(pmap_t pmap, uint64_t *e, vm_offset_t va, vm_page_t m, uint64_t new)
{
	vm_page_t was = (*e & PG_MANAGED) != 0 ? PHYS_TO_VM_PAGE(*e & PG_FRAME) : NULL;
	uint64_t old;

	if ((was != NULL && (was->flags & PG_BLOCK) != 0) || !page_mapped(pmap, va, m))
		return (false);
	old = entry_swap(e, 0);
	tlb_shootdown_page(pmap, va);
	*e = new;
	VM_CNT_ADD(v_pte_writes, 2);
	if (was == NULL)
		return (true);
	if ((old & PG_D) != 0)
		vm_page_dirty(was);
	pv_remove(pmap, va, was, 1);
	pmap->pm_resident--;
	return (true);
}

/*
 * What most faults want, without ado: one page, of no block, into a slot of a table that is there;
 * the slot is empty, or that of such a page. False: it is not that, or there is no memory.
 */
static inline bool
enter_simple(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t bits)
{
	uint64_t *e, new = m->phys_addr | bits;
	vm_page_t tpage;

	if ((m->flags & PG_BLOCK) != 0)
		return (false);
	e = small_entry(pmap, va, &tpage);
	if (e == NULL)
		return (false);
	if (*e != 0)
		return (same_page(*e, new) ? gain_simple(e, new)
					   : replace_simple(pmap, e, va, m, new));
	if (!page_mapped(pmap, va, m))
		return (false);
	*e = new;
	tpage->pindex++;
	VM_CNT_INC(v_pte_writes);
	return (true);
}

/* The same for the removal of one page: it is not there, or is a RAM page in a table that is not
 * left empty. */
static inline bool
remove_simple(pmap_t pmap, vm_offset_t va)
{
	vm_page_t m, tpage;
	uint64_t *e = small_entry(pmap, va, &tpage), old;

	if (e == NULL || (*e & PG_MANAGED) == 0)
		return (e != NULL && *e == 0);
	m = PHYS_TO_VM_PAGE(*e & PG_FRAME);
	if ((m->flags & PG_BLOCK) != 0 || tpage->pindex == 1)
		return (false);
	old = entry_swap(e, 0);
	tpage->pindex--;
	pmap->pm_resident--;
	VM_CNT_INC(v_pte_writes);
	tlb_shootdown_page(pmap, va);
	if ((old & PG_D) != 0)
		vm_page_dirty(m);
	pv_remove(pmap, va, m, 1);
	return (true);
}

/* Is what is to be entered below one entry of level 1 a superpage? All of it, so its address is
 * aligned. */
static bool
super_fits(vm_page_t m, vm_pindex_t n)
{
	return (n == VM_SUPERPAGE_PAGES && (m->phys_addr & (SUPERPAGE_SIZE - 1)) == 0 &&
		(m->flags & (PG_BLOCK | PG_UNMANAGED)) != 0);
}

/* Returns how many of npages are left when memory ran out. */
static vm_pindex_t __attribute__((noinline))
enter_all(pmap_t pmap, vm_offset_t va, vm_page_t m, vm_pindex_t npages, uint64_t bits, bool supers)
{
	uint64_t *e = NULL, *table;
	vm_page_t tpage = NULL;
	struct pmap_change c;
	vm_pindex_t n, run;

	change_begin(&c, pmap);
	for (; npages > 0; npages -= n, m += n, va += ptoa(n), e += (n + NPTE - 1) / NPTE) {
		n = MIN(npages, NPTE - PTE_INDEX(va, 0));
		if (e == NULL || PTE_INDEX(va, 1) == 0) {
			e = level1_entry(pmap, va, &table);
			tpage = NULL;
		}
		if (e == NULL)
			break;
		if (supers && super_fits(m, n)) {
			tpage = c.table = tpage != NULL ? tpage : table_page(table);
			run = enter_supers(&c, e, va, m, npages, bits);
			if (run != 0 || enter_super(&c, e, va, m, bits)) {
				n = MAX(run, n);
				continue;
			}
		}
		if (!enter_below(&c, table, e, va, m, n, bits))
			break;
	}
	change_flush(&c);
	return (npages);
}

int
pmap_enter(pmap_t pmap, vm_offset_t va, vm_page_t m, vm_pindex_t npages, vm_prot_t prot,
	   uint32_t flags)
{
	uint64_t bits = PG_V | PG_U | PG_ATTR(m->memattr) | protection_bits[prot & VM_PROT_ALL];
	uint64_t left = 0, writes;

	KASSERT(((va | npages >> 36) & PAGE_MASK) == 0 && va + ptoa(npages) <= VM_MAXUSER_ADDRESS,
		("pmap_enter: %lu pages at %#lx", npages, va));
	bits |= (flags & PMAP_ENTER_WIRED) != 0 ? PG_W : 0;
	bits |= (m->flags & PG_UNMANAGED) != 0 ? 0 : PG_MANAGED;
	mtx_lock(&pmap->pm_mtx);
	if (npages == 1 && enter_simple(pmap, va, m, bits)) {
		TRACE(TR_ENTER, va, 1, bits, 1, 0);
	} else {
		writes = VM_CNT_OWN(v_pte_writes);
		left = enter_all(pmap, va, m, npages, bits, (flags & PMAP_ENTER_NOSUPER) == 0);
		TRACE(TR_ENTER, va, npages - left, bits, VM_CNT_OWN(v_pte_writes) - writes, left);
	}
	mtx_unlock(&pmap->pm_mtx);
	return (left == 0 ? KERN_SUCCESS : KERN_RESOURCE_SHORTAGE);
}

/* --- ranges of a map -------------------------------------------------------------------------- */

/* One turn, from sva on; where it came to. */
static vm_offset_t
change_locked(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, change_fn *fn, vm_prot_t prot,
	      vm_offset_t shift)
{
	struct pmap_change c;

	change_begin(&c, pmap);
	c.prot = prot;
	c.shift = shift;
	if (fn == change_remove && is_shared(&c)) {
		eva = change_all(&c, sva, eva, change_hide);
		change_flush(&c);
		c.hidden = true;
		c.others = 0;
	}
	do
		sva = change_all(&c, sva, eva, fn);
	while (c.hidden && sva < eva);
	change_flush(&c);
	return (sva);
}

/* By turns, so that neither other CPUs' faults nor interrupts wait for all of a large change. */
static void
change_map(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, change_fn *fn, vm_prot_t prot,
	   vm_offset_t shift)
{
	KASSERT(sva <= eva && eva <= VM_MAXUSER_ADDRESS, ("pmap: [%#lx, %#lx)", sva, eva));
	while (sva < eva) {
		mtx_lock(&pmap->pm_mtx);
		sva = change_locked(pmap, sva, eva, fn, prot, shift);
		mtx_unlock(&pmap->pm_mtx);
		if (sva < eva)
			cpu_spinwait(0); /* who waits sees it free */
	}
}

void
pmap_remove(pmap_t pmap, vm_offset_t sva, vm_offset_t eva)
{
	if (eva - sva != PAGE_SIZE) {
		change_map(pmap, sva, eva, change_remove, VM_PROT_NONE, 0);
		return;
	}
	mtx_lock(&pmap->pm_mtx);
	if (!remove_simple(pmap, sva))
		change_locked(pmap, sva, eva, change_remove, VM_PROT_NONE, 0);
	mtx_unlock(&pmap->pm_mtx);
}

void
pmap_move(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, vm_offset_t dva)
{
	change_map(pmap, sva, eva, change_move, VM_PROT_NONE, dva - sva);
}

void
pmap_protect(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, vm_prot_t prot)
{
	change_map(pmap, sva, eva, prot == VM_PROT_NONE ? change_remove : change_protect, prot, 0);
}

void
pmap_unwire(pmap_t pmap, vm_offset_t sva, vm_offset_t eva)
{
	change_map(pmap, sva, eva, change_unwire, VM_PROT_ALL, 0);
}

vm_paddr_t
pmap_extract(pmap_t pmap, vm_offset_t va)
{
	vm_paddr_t pa = 0;
	uint64_t *e;
	int level;

	mtx_lock(&pmap->pm_mtx);
	e = pmap_walk(pmap->pm_pml4, va, &level, NULL);
	/* LAB(1): the frame, and where va lies in a page of this level. */
	if (e != NULL)
		pa = (*e & PG_FRAME) | (va & ((1ul << LEVEL_SHIFT(level)) - 1));
	/* LAB(1) starter:
	 *	(void)e;
	 */
	/* LAB(1) end */
	mtx_unlock(&pmap->pm_mtx);
	return (pa);
}

struct pmap_usage
pmap_usage(pmap_t pmap, vm_offset_t sva, vm_offset_t eva)
{
	struct pmap_usage u = {0};
	vm_offset_t size, next;
	uint64_t *e, n;
	int level;

	for (; sva < eva; sva = next) {
		mtx_lock(&pmap->pm_mtx);
		e = pmap_walk(pmap->pm_pml4, sva, &level, NULL);
		/* LAB(1): n: the pages from sva on that entry e maps; next: where the entry after it
		 * begins, or eva. Absent tables cost one step, not one for each page. */
		size = 1ul << LEVEL_SHIFT(level); /* of what is absent, too */
		next = MIN(rounddown2(sva, size) + size, eva);
		n = e != NULL ? atop(next - sva) : 0;
		/* LAB(1) starter:
		 *	size = PAGE_SIZE;
		 *	next = sva + size;
		 *	n = 0;
		 */
		/* LAB(1) end */
		if (n > 0 && (*e & PG_MANAGED) == 0) /* nobody's, or the page of zeros */
			n = 0;
		u.resident += n;
		u.super += level > 0 ? n : 0;
		u.dirty += n > 0 && (*e & PG_D) != 0 ? n : 0;
		u.referenced += n > 0 && (*e & PG_A) != 0 ? n : 0;
		mtx_unlock(&pmap->pm_mtx);
	}
	return (u);
}

/* --- one page, or one superpage, in all maps -------------------------------------------------- */

void
pmap_page_init(vm_page_t m)
{
	m->md.pv_head = 0;
}

/* The entry by which pmap maps m at va, and its level; NULL when it does not. For a block the pv
 * entry tells only where m would be. */
static uint64_t *
entry_of(pmap_t pmap, vm_offset_t va, vm_page_t m, int *level)
{
	uint64_t *e, size;

	if (va < VM_MINUSER_ADDRESS || va >= VM_MAXUSER_ADDRESS)
		return (NULL);
	e = pmap_walk(pmap->pm_pml4, va, level, NULL);
	if (e == NULL)
		return (NULL);
	size = 1ul << LEVEL_SHIFT(*level);
	return ((*e & PG_FRAME) + (va & (size - 1)) == m->phys_addr ? e : NULL);
}

/* fn on the entries by which pmap maps some of the n pages from m on, the first of which is at
 * va. */
static void
change_mapping(struct pmap_change *c, vm_offset_t va, vm_page_t m, vm_pindex_t n, change_fn *fn)
{
	vm_offset_t end = va + ptoa(n), next;
	int level;

	for (; va != end; m += atop(next - va), va = next) {
		next = va + PAGE_SIZE;
		if (entry_of(c->pmap, va, m, &level) == NULL)
			continue;
		if (level > 0)
			next = MIN(rounddown2(va, SUPERPAGE_SIZE) + SUPERPAGE_SIZE, end);
		change_all(c, va, next, fn);
	}
}

/* What to do to the entries that map some of n pages from m on, which share a pv list. */
struct page_change {
	vm_page_t m;
	vm_pindex_t n;
	change_fn *fn;
};

static bool
change_pv(void *arg, struct pv_entry *pv, struct pv_entry **first)
{
	struct page_change *p = arg;
	struct pmap_change c;

	change_begin(&c, pv_pmap(pv));
	c.pv_first = first;
	c.others = 0; /* the list is locked until all have forgotten it */
	change_mapping(&c, pv_address(pv, p->m), p->m, p->n, p->fn);
	change_flush(&c);
	return (false);
}

/* fn on every entry that maps m, a page or superpage. */
static void
change_page(vm_page_t m, change_fn *fn)
{
	vm_pindex_t left = vm_page_unit_pages(m);
	struct page_change p = {.m = m, .fn = fn};

	for (; left > 0; left -= p.n, p.m += p.n) {
		p.n = MIN(left, VM_SUPERPAGE_PAGES);
		pv_foreach(p.m, change_pv, &p);
	}
}

void
pmap_remove_all(vm_page_t m)
{
	change_page(m, change_remove);
}

void
pmap_remove_write(vm_page_t m)
{
	change_page(m, change_clean);
}

/* Is one of n pages from m on, which share a pv list, mapped by an entry with one of these bits? */
struct page_bits {
	vm_page_t m;
	vm_pindex_t n;
	uint64_t bits;
};

static bool
pv_has(void *arg, struct pv_entry *pv, struct pv_entry **first __unused)
{
	const struct page_bits *b = arg;
	uint64_t *e;
	int level;

	for (vm_page_t m = b->m; m < b->m + b->n; m++) {
		e = entry_of(pv_pmap(pv), pv_address(pv, m), m, &level);
		if (e != NULL && (*e & b->bits) != 0)
			return (true);
	}
	return (false);
}

/* The same for m, a page or superpage. */
static bool
page_has(vm_page_t m, uint64_t bits)
{
	vm_page_t end = m + vm_page_unit_pages(m);
	struct page_bits b = {.m = m, .bits = bits};
	bool has = false;

	for (; b.m < end && !has; b.m += VM_SUPERPAGE_PAGES) {
		b.n = MIN((vm_pindex_t)(end - b.m), VM_SUPERPAGE_PAGES);
		if ((*pv_head(b.m) & ~PV_LOCKED) != 0)
			has = pv_foreach(b.m, pv_has, &b);
	}
	return (has);
}

bool
pmap_page_is_mapped(vm_page_t m)
{
	if ((m->flags & PG_BLOCK) == 0)
		return ((*pv_head(m) & ~PV_LOCKED) != 0);
	return (page_has(m, PG_V));
}

bool
pmap_is_modified(vm_page_t m)
{
	return (page_has(m, PG_D));
}

struct page_use {
	vm_page_t m;
	bool referenced;
};

static bool
pv_take_referenced(void *arg, struct pv_entry *pv, struct pv_entry **first __unused)
{
	struct page_use *use = arg;
	uint64_t *e;
	int level;

	e = entry_of(pv_pmap(pv), pv_address(pv, use->m), use->m, &level);
	if (e != NULL && (*e & PG_A) != 0)
		use->referenced |= (__atomic_fetch_and(e, ~PG_A, __ATOMIC_RELAXED) & PG_A) != 0;
	return (false);
}

bool
pmap_ts_referenced(vm_page_t m)
{
	struct page_use use = {.m = m};

	pv_foreach(m, pv_take_referenced, &use);
	return (use.referenced);
}

static void
copy_page(const void *from, void *to)
{
	uint64_t words = PAGE_SIZE / 8;

	if (cpu_features.avx)
		copy_page_avx(from, to);
	else
		__asm__ volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(words) : : "memory");
}

/* --- whole address spaces --------------------------------------------------------------------- */

static vm_page_t
top_alloc(void)
{
	vm_page_t m = kept_take_top();

	if (m == NULL) {
		m = vm_phys_alloc(0, VM_ALLOC_SYSTEM);
		if (m != NULL) /* the user half of the kernel's own is empty */
			copy_page(kernel_pmap->pm_pml4, pmap_page_kva(m));
	}
	return (table_begin(m));
}

int
pmap_pinit(pmap_t pmap)
{
	vm_page_t m = top_alloc();

	if (m == NULL)
		return (ENOMEM);
	*pmap = (struct pmap){.pm_pml4 = pmap_page_kva(m), .pm_cr3 = m->phys_addr};
	mtx_init(&pmap->pm_mtx, "pmap", LR_PMAP);
	TAILQ_INIT(&pmap->pm_spares);
	return (0);
}

void
pmap_release(pmap_t pmap)
{
	vm_page_t m = table_page(pmap->pm_pml4);

	if (m->pindex != 0) /* tables that a shortage of memory left empty */
		pmap_remove(pmap, 0, VM_MAXUSER_ADDRESS);
	tlb_forget(pmap); /* a kernel thread may still run on it */
	KASSERT(pmap->pm_resident == 0 && m->pindex == 0 && TAILQ_EMPTY(&pmap->pm_spares),
		("pmap_release: %lu pages, %lu tables left", pmap->pm_resident, m->pindex));
	top_keep(m);
	pmap->pm_pml4 = NULL;
}

/* --- contents --------------------------------------------------------------------------------- */

void *
pmap_page_kva(vm_page_t m)
{
	return (phys_to_dmap(m->phys_addr));
}

void
pmap_zero_page(vm_page_t m)
{
	void *p = pmap_page_kva(m);
	uint64_t words = PAGE_SIZE / 8;

	if (cpu_features.avx)
		zero_page_avx(p);
	else
		__asm__ volatile("rep stosq" : "+D"(p), "+c"(words) : "a"(0ul) : "memory");
}

/* A device's page is not in the direct map: it is seen through a window, with its own attribute
 * (A1). */
static void
copy_device_page(vm_page_t src, void *to)
{
	static struct mtx window_mtx = MTX_INITIALIZER("copy window", LR_PAGEQ);

	mtx_lock(&window_mtx);
	pmap_kenter(COPY_WINDOW, src->phys_addr, PAGE_SIZE, PG_NX | PG_ATTR(src->memattr));
	copy_page((const void *)COPY_WINDOW, to);
	pmap_kremove(COPY_WINDOW, PAGE_SIZE);
	mtx_unlock(&window_mtx);
}

void
pmap_copy_page(vm_page_t src, vm_page_t dst)
{
	if ((src->flags & PG_FICTITIOUS) != 0)
		copy_device_page(src, pmap_page_kva(dst));
	else
		copy_page(pmap_page_kva(src), pmap_page_kva(dst));
}

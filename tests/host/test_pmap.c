/*
 * kernel/amd64/pmap.c and pmap_pv.c, unchanged, on the page tables of a fake CPU: clause by clause,
 * and against a model that knows for each address of each pmap which page it maps, with what
 * rights, and whether wired. After every step the tables, their counts, the pv lists and the CPU's
 * memory are compared.
 */
#include "harness.h"
#include "amd64/pmap_int.h"
#include "amd64_host/fake_cpu.h"
#include "vm/vm_super.h"

#include <stdlib.h>

#define FRAMES  4096
#define SP      VM_SUPERPAGE_PAGES
#define SP_SIZE ptoa(SP)
#define X       VM_PROT_EXECUTE
#define WIRED   PMAP_ENTER_WIRED
#define NOSUPER PMAP_ENTER_NOSUPER
#define PLENTY  UINT64_MAX

/* --- pages to map: RAM, device frames in whole blocks and parts of blocks, unmanaged frames, the
 * page of zeros --- */

#define NBLOCKS    3ul
#define FRONT      37ul /* device frames before the first whole block, and after the last */
#define BACK       100ul
#define NDEV       (FRONT + NBLOCKS * SP + BACK)
#define DEV_BASE   (FAKE_VRAM_BASE - ptoa(FRONT))
#define DEV_END    (DEV_BASE + ptoa(NDEV))
#define NUNMANAGED (SP + 64)
#define UNMANAGED  0xe0000000ul
#define NRAM       SP
#define NPAGES     (NRAM + NDEV + NUNMANAGED + 1)

struct source {
	vm_page_t pages;
	vm_pindex_t n;
	size_t id; /* of its first page */
};
enum { RAM, DEV, NONE, ZEROS, NSOURCES };
static struct source sources[NSOURCES];
static vm_page_t dev; /* the first page of the first whole block */
static struct vm_page unmanaged[NUNMANAGED];
static vm_object_t object; /* blocks stand in it, each at its own place */

static size_t
page_id(const struct vm_page *m)
{
	for (const struct source *s = sources; s < sources + NSOURCES; s++)
		if (m >= s->pages && m < s->pages + s->n)
			return (s->id + (size_t)(m - s->pages));
	T_FAIL("no page of the test");
}

static vm_page_t
page_of(size_t id)
{
	for (const struct source *s = sources; s < sources + NSOURCES; s++)
		if (id >= s->id && id - s->id < s->n)
			return (s->pages + (id - s->id));
	T_FAIL("no page %zu", id);
}

static bool
is_managed(const struct vm_page *m)
{
	return ((m->flags & PG_UNMANAGED) == 0);
}

static void
pages_make(void)
{
	vm_page_t ram = vm_phys_alloc(9, VM_ALLOC_NORMAL);

	T_OK(ram != NULL);
	T_EQ(vm_phys_fictitious_reg_range(DEV_BASE, DEV_END, VM_MEMATTR_WRITE_COMBINING), 0);
	for (size_t i = 0; i < NUNMANAGED; i++)
		unmanaged[i] = (struct vm_page){.phys_addr = UNMANAGED + ptoa(i),
						.flags = PG_FICTITIOUS | PG_UNMANAGED,
						.memattr = VM_MEMATTR_UNCACHED,
						.order = VM_NFREEORDER};
	dev = vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE);
	sources[RAM] = (struct source){ram, NRAM, 0};
	sources[DEV] = (struct source){dev - FRONT, NDEV, NRAM};
	sources[NONE] = (struct source){unmanaged, NUNMANAGED, NRAM + NDEV};
	sources[ZEROS] = (struct source){vm_zero_page, 1, NRAM + NDEV + NUNMANAGED};
	object = vm_object_allocate(OBJT_ANON, NBLOCKS * SP);
}

/* --- blocks in the object --------------------------------------------------------------------- */

/* Put block b in as one superpage, with those after it as far as max pages allow. */
static void
blocks_insert(vm_pindex_t b, vm_pindex_t max)
{
	vm_page_t m = dev + b * SP;

	VM_OBJECT_WLOCK(object);
	T_OK(vm_page_tryxbusy(m));
	T_EQ(vm_page_insert_super(m, object, b * SP, max), 0);
	m->valid = true;
	vm_page_xunbusy(m);
	VM_OBJECT_UNLOCK(object);
}

static void
block_insert(vm_pindex_t b)
{
	blocks_insert(b, SP);
}

static void
block_split(vm_pindex_t b)
{
	vm_page_t m = vm_page_unit(dev + b * SP);

	VM_OBJECT_WLOCK(object);
	T_OK(vm_page_tryxbusy(m));
	vm_page_split(m);
	vm_page_xunbusy(m);
	VM_OBJECT_UNLOCK(object);
}

/* Take out what stands of block b. */
static void
block_remove(vm_pindex_t b)
{
	vm_page_t m;

	VM_OBJECT_WLOCK(object);
	while ((m = vm_page_find_least(object, b * SP)) != NULL && vm_page_pindex(m) < (b + 1) * SP)
		vm_page_remove(vm_page_unit(m));
	VM_OBJECT_UNLOCK(object);
}

static void
pages_free(void)
{
	for (vm_pindex_t b = 0; b < NBLOCKS; b++)
		block_remove(b);
	vm_object_deallocate(object);
	vm_phys_fictitious_unreg_range(DEV_BASE, DEV_END);
	vm_phys_free(sources[RAM].pages, 9);
}

/* --- the model -------------------------------------------------------------------------------- */

#define NPMAPS   3
#define NWINDOWS 4
#define WBLOCKS  4ul /* superpages in a window */
#define WPAGES   (WBLOCKS * SP)

/* The lowest and the highest addresses, and across the boundaries of the tables of levels 2 and
 * 3. */
static const vm_offset_t windows[NWINDOWS] = {0, (3ul << 30) - 2 * SP_SIZE,
					      (1ul << 39) - 2 * SP_SIZE,
					      VM_MAXUSER_ADDRESS + PAGE_SIZE - WBLOCKS *SP_SIZE};

struct slot {
	vm_page_t m; /* NULL: nothing is mapped */
	vm_prot_t prot;
	bool wired;
};
static struct pmap pmaps[NPMAPS];
static struct slot model[NPMAPS][NWINDOWS][WPAGES];
static bool
    written[NPAGES]; /* managed pages that a CPU wrote to since they were last found clean */
static bool has_dirty[NPAGES]; /* check: some entry has D */
static uint64_t mapped[NPAGES]; /* check: entries */
static bool was_short; /* tables may be left empty */

static bool
usable(vm_offset_t va)
{
	return (va >= VM_MINUSER_ADDRESS && va < VM_MAXUSER_ADDRESS);
}

/* The rights that an entry gives when prot is asked for. */
static vm_prot_t
effective(vm_prot_t prot)
{
	return (prot | R);
}

static vm_prot_t
entry_prot(uint64_t e)
{
	return (R | ((e & PG_RW) != 0 ? W : 0) | ((e & PG_NX) == 0 ? X : 0));
}

/* The entry of level 1 for va; 0 when there is none. */
static uint64_t
pde_of(int p, vm_offset_t va)
{
	uint64_t *table = pmaps[p].pm_pml4, e;

	for (int level = TOP_LEVEL; level > 1; level--) {
		e = table[PTE_INDEX(va, level)];
		if ((e & PG_V) == 0)
			return (0);
		table = pte_table(e);
	}
	return (table[PTE_INDEX(va, 1)]);
}

static bool
is_super(uint64_t pde)
{
	return ((pde & (PG_V | PG_PS)) == (PG_V | PG_PS));
}

/* What the tables have for the page at index i below pde, as an entry of level 0. */
static uint64_t
small_entry(uint64_t pde, vm_pindex_t i)
{
	if ((pde & PG_V) == 0)
		return (0);
	return (is_super(pde) ? (pde & ~PG_PS) + ptoa(i) : pte_table(pde)[i]);
}

static bool
slot_is(const struct slot *s, uint64_t e)
{
	if (s->m == NULL || e == 0)
		return (s->m == NULL && e == 0);
	return ((e & PG_FRAME) == s->m->phys_addr && entry_prot(e) == s->prot &&
		((e & PG_W) != 0) == s->wired);
}

/* What every entry in use must have, whatever it maps. */
static void
check_entry(const struct slot *s, vm_offset_t va, uint64_t e)
{
	uint64_t must = PG_V | PG_U | PG_ATTR(s->m->memattr) | (is_managed(s->m) ? PG_MANAGED : 0);

	if ((e & (PG_V | PG_U | PG_MANAGED | PG_ATTR(3) | PG_PS | PG_G)) != must)
		T_FAIL("%#lx: the entry is %#lx, should have %#lx", va, e, must);
}

static void
check_block(int p, int w, vm_pindex_t b)
{
	const struct slot *s = &model[p][w][b * SP];
	vm_offset_t va = windows[w] + b * SP_SIZE;
	uint64_t pde = pde_of(p, va), e;

	if (is_super(pde) && (pde & (PG_RW | PG_MANAGED)) == (PG_RW | PG_MANAGED) &&
	    (pde & PG_D) == 0)
		T_FAIL("S4: the superpage at %#lx is writable and not dirty", va);
	for (vm_pindex_t i = 0; i < SP; i++, s++, va += PAGE_SIZE) {
		e = small_entry(pde, i);
		if (!slot_is(s, e))
			T_FAIL(
			    "pmap %d, %#lx: the entry is %#lx below %#lx, should be %#lx prot %d "
			    "wired %d",
			    p, va, e, pde, s->m != NULL ? s->m->phys_addr : 0, s->prot, s->wired);
		if (e == 0)
			continue;
		check_entry(s, va, e);
		mapped[page_id(s->m)]++;
		has_dirty[page_id(s->m)] |= (e & PG_D) != 0;
	}
}

/* --- the tables, and who maps what ------------------------------------------------------------ */

struct table_sum {
	uint64_t tables, pages, spares;
};

/* The table's count of entries is exact, and what it maps is in user space. */
static void
check_table(int p, uint64_t *table, int level, struct table_sum *sum)
{
	uint64_t used = 0, n = level == TOP_LEVEL ? NPTE / 2 : NPTE;
	vm_page_t m = PHYS_TO_VM_PAGE(dmap_to_phys(table));

	sum->tables++;
	for (uint64_t i = 0; i < n; i++) {
		if (table[i] == 0)
			continue;
		used++;
		if (level == 0 || (table[i] & PG_PS) != 0) {
			sum->pages += (table[i] & PG_MANAGED) != 0 ? 1ul << (9 * level) : 0;
			sum->spares += level > 0 && (table[i] & PG_W) != 0;
		} else {
			check_table(p, pte_table(table[i]), level - 1, sum);
		}
	}
	if (m->pindex != used)
		T_FAIL("a table of level %d has %lu entries and says %lu", level, used, m->pindex);
	if (used == 0 && level < TOP_LEVEL && !was_short)
		T_FAIL("an empty table of level %d is left", level);
}

static uint64_t
list_length(struct pmap *pmap)
{
	uint64_t n = 0;
	vm_page_t m;

	TAILQ_FOREACH (m, &pmap->pm_spares, plinks)
		n++;
	return (n);
}

/* How many pages of m's block, or of m alone, pmap p maps so that the first of them is at base. */
static uint64_t
model_count(pmap_t pmap, vm_offset_t base, vm_page_t first, vm_pindex_t n)
{
	uint64_t count = 0;
	vm_offset_t va;

	for (vm_pindex_t i = 0; i < n; i++) {
		va = base + ptoa(i);
		for (int w = 0; w < NWINDOWS; w++)
			if (usable(va) && va - windows[w] < WBLOCKS * SP_SIZE)
				count +=
				    model[pmap - pmaps][w][atop(va - windows[w])].m == first + i;
	}
	return (count);
}

/* Which comes first in a list? */
static bool
comes_before(const struct pv_entry *a, const struct pv_entry *b)
{
	return (pv_pmap(a) != pv_pmap(b) ? pv_pmap(a) < pv_pmap(b)
					 : trunc_page(a->pv_va) < trunc_page(b->pv_va));
}

/* An entry, and what is below it in its list, of n pages from first on; last: the one before.
 * Returns how many. */
static uint64_t
check_entries(struct pv_entry *pv, vm_page_t first, vm_pindex_t n, const struct pv_entry **last,
	      uint64_t *sum)
{
	uint64_t count, length;

	if (pv == NULL)
		return (0);
	length = check_entries(pv->pv_child[0], first, n, last, sum);
	count = pv->pv_va & PAGE_MASK;
	if (count == 0 || count != model_count(pv_pmap(pv), trunc_page(pv->pv_va), first, n))
		T_FAIL("page %#lx: the pv entry for %#lx counts %lu", first->phys_addr,
		       trunc_page(pv->pv_va), count);
	T_OK(*last == NULL || comes_before(*last, pv));
	*last = pv;
	*sum += count;
	return (length + 1 + check_entries(pv->pv_child[1], first, n, last, sum));
}

/* The list of n pages from first on says exactly what the model does; returns its length. */
static uint64_t
check_list(vm_page_t first, vm_pindex_t n)
{
	const struct pv_entry *last = NULL;
	uint64_t sum = 0, want = 0, length;

	length = check_entries((struct pv_entry *)first->md.pv_head, first, n, &last, &sum);
	for (vm_pindex_t i = 0; i < n; i++)
		want += mapped[page_id(first + i)];
	if (sum != want)
		T_FAIL("page %#lx: its list has %lu mappings, there are %lu", first->phys_addr, sum,
		       want);
	return (length);
}

static void
check_lists(void)
{
	uint64_t length = 0;

	for (vm_pindex_t b = 0; b < NBLOCKS; b++)
		length += check_list(dev + b * SP, SP);
	for (size_t id = 0; id < NPAGES; id++)
		if (is_managed(page_of(id)) && (page_of(id)->flags & PG_BLOCK) == 0)
			length += check_list(page_of(id), 1);
	T_EQ(length, vm_cnt.v_pv_entries);
}

/* Nothing that was written to is forgotten. */
static void
check_dirty(void)
{
	for (size_t id = 0; id < NPAGES; id++)
		if (written[id] && !has_dirty[id] && !vm_page_unit(page_of(id))->dirty)
			T_FAIL("page %#lx was written to, and nobody knows",
			       page_of(id)->phys_addr);
}

static void
check_all(void)
{
	uint64_t tables = 0;

	memset(mapped, 0, sizeof(mapped));
	memset(has_dirty, 0, sizeof(has_dirty));
	for (int p = 0; p < NPMAPS; p++) {
		struct table_sum sum = {0};

		for (int w = 0; w < NWINDOWS; w++)
			for (vm_pindex_t b = 0; b < WBLOCKS; b++)
				check_block(p, w, b);
		check_table(p, pmaps[p].pm_pml4, TOP_LEVEL, &sum);
		T_EQ(pmaps[p].pm_resident, sum.pages);
		T_EQ(list_length(&pmaps[p]), sum.spares);
		T_OK(memcmp(pmaps[p].pm_pml4 + 256, kernel_pmap->pm_pml4 + 256, PAGE_SIZE / 2) ==
		     0);
		tables += sum.tables + sum.spares;
	}
	T_EQ(tables, vm_cnt.v_pt_pages);
	check_lists();
	check_dirty();
	cpu_check();
}

/* --- the operations, on both ------------------------------------------------------------------ */

/* Was the superpage at this block dropped because there was no memory to demote it? Then the
 * model does the same. */
static void
settle(int p, int w, vm_pindex_t b, uint64_t before, bool is_short)
{
	struct slot *s = &model[p][w][b * SP];

	if (!is_super(before) || (before & PG_W) != 0 || !is_short ||
	    (pde_of(p, windows[w] + b * SP_SIZE) & PG_V) != 0)
		return;
	memset(s, 0, SP * sizeof(*s));
}

enum range_op { REMOVE, PROTECT, UNWIRE };

static void
slot_change(struct slot *s, enum range_op op, vm_prot_t prot)
{
	if (s->m == NULL)
		return;
	if (op == REMOVE || (op == PROTECT && prot == VM_PROT_NONE))
		s->m = NULL;
	else if (op == PROTECT)
		s->prot &= effective(prot);
	else
		s->wired = false;
}

/* op on the n pages of window w from page i on. */
static void
do_range(int p, int w, vm_pindex_t i, vm_pindex_t n, enum range_op op, vm_prot_t prot,
	 uint64_t memory)
{
	vm_offset_t va = windows[w] + ptoa(i), end = va + ptoa(n);
	vm_pindex_t lo = i / SP, hi = (i + n - 1) / SP;
	uint64_t lo_pde = pde_of(p, va), hi_pde = pde_of(p, end - PAGE_SIZE);
	uint64_t hidden = memory_leave(memory);

	if (op == REMOVE)
		pmap_remove(&pmaps[p], va, end);
	else if (op == PROTECT)
		pmap_protect(&pmaps[p], va, end, prot);
	else
		pmap_unwire(&pmaps[p], va, end);
	memory_restore(hidden);
	for (vm_pindex_t k = i; k < i + n; k++)
		slot_change(&model[p][w][k], op, prot);
	if (i % SP != 0 || (lo == hi && n != SP))
		settle(p, w, lo, lo_pde, memory != PLENTY);
	if ((i + n) % SP != 0)
		settle(p, w, hi, hi_pde, memory != PLENTY);
}

/* Move the n pages from page i of window w on to page j of window v, where nothing is. What is no RAM,
 * or found no memory, is removed. */
static void
do_move(int p, int w, vm_pindex_t i, vm_pindex_t n, int v, vm_pindex_t j, uint64_t memory)
{
	vm_offset_t va = windows[w] + ptoa(i), to = windows[v] + ptoa(j);
	vm_pindex_t lo = i / SP, hi = (i + n - 1) / SP;
	uint64_t lo_pde = pde_of(p, va), hi_pde = pde_of(p, va + ptoa(n - 1));
	uint64_t hidden = memory_leave(memory);

	pmap_move(&pmaps[p], va, va + ptoa(n), to);
	memory_restore(hidden);
	for (vm_pindex_t k = 0; k < n; k++) {
		struct slot *from = &model[p][w][i + k];
		bool moves =
		    from->m != NULL && is_managed(from->m) && (from->m->flags & PG_BLOCK) == 0;

		if (small_entry(pde_of(p, to + ptoa(k)), (j + k) % SP) != 0) {
			T_OK(moves);
			model[p][v][j + k] = *from;
		} else if (moves) {
			T_OK(memory != PLENTY);
		}
		from->m = NULL;
	}
	settle(p, w, lo, lo_pde, memory != PLENTY);
	settle(p, w, hi, hi_pde, memory != PLENTY);
}

/*
 * One slot of a pmap_enter: what the tables have is either what was asked for, or (P18) the same
 * frame with more rights than that. False: it was not entered.
 */
static bool
slot_entered(struct slot *s, uint64_t e, vm_page_t m, vm_prot_t prot, bool wired)
{
	bool same = s->m == m;
	struct slot asked = {m, prot, wired || (same && s->wired)};

	if (slot_is(&asked, e))
		*s = asked;
	else if (!same || (prot & ~s->prot) != 0 || s->wired != asked.wired || !slot_is(s, e))
		return (false);
	return (true);
}

static int
do_enter(int p, int w, vm_pindex_t i, vm_page_t m, vm_pindex_t n, vm_prot_t prot, uint32_t flags,
	 uint64_t memory)
{
	vm_offset_t va = windows[w] + ptoa(i);
	uint64_t hidden = memory_leave(memory), e;
	int rv = pmap_enter(&pmaps[p], va, m, n, prot, flags);
	bool going_on = true;

	memory_restore(hidden);
	if (rv != KERN_SUCCESS) {
		T_EQ(rv, KERN_RESOURCE_SHORTAGE);
		T_OK(memory != PLENTY);
		was_short = true;
	}
	for (vm_pindex_t k = 0; k < n; k++) {
		struct slot *s = &model[p][w][i + k];

		e = small_entry(pde_of(p, va + ptoa(k)), (i + k) % SP);
		going_on =
		    going_on && slot_entered(s, e, m + k, effective(prot), (flags & WIRED) != 0);
		if (going_on)
			continue;
		if (rv == KERN_SUCCESS)
			T_FAIL("pmap_enter did not enter %#lx: %#lx", va + ptoa(k), e);
		if (s->m != m + k &&
		    e == 0) /* another frame may go before the new one has a place */
			s->m = NULL;
	}
	return (rv);
}

enum page_op { REMOVE_ALL, REMOVE_WRITE };

/* By page or superpage; the tables of all pmaps. */
static void
do_page(vm_page_t m, enum page_op op, uint64_t memory)
{
	uint64_t before[NPMAPS][NWINDOWS][WBLOCKS], hidden;
	vm_page_t unit = vm_page_unit(m), end = unit + vm_page_unit_pages(unit);

	for (int p = 0; p < NPMAPS; p++)
		for (int w = 0; w < NWINDOWS; w++)
			for (vm_pindex_t b = 0; b < WBLOCKS; b++)
				before[p][w][b] = pde_of(p, windows[w] + b * SP_SIZE);
	hidden = memory_leave(memory);
	if (op == REMOVE_ALL)
		pmap_remove_all(unit);
	else
		pmap_remove_write(unit);
	memory_restore(hidden);
	for (int p = 0; p < NPMAPS; p++)
		for (int w = 0; w < NWINDOWS; w++)
			for (vm_pindex_t i = 0; i < WPAGES; i++) {
				struct slot *s = &model[p][w][i];
				bool hit = s->m >= unit && s->m < end;

				if (hit && op == REMOVE_ALL)
					s->m = NULL;
				else if (hit)
					s->prot &= ~W;
				if (hit && end - unit == 1)
					settle(p, w, i / SP, before[p][w][i / SP],
					       memory != PLENTY);
			}
	T_OK(!pmap_is_modified(unit));
	if (op == REMOVE_ALL)
		T_OK(!pmap_page_is_mapped(unit));
}

/* The CPU accesses page i of window w, by the pmap that is active. */
static void
do_access(int p, int w, vm_pindex_t i, vm_prot_t access)
{
	const struct slot *s = &model[p][w][i];
	bool allowed = s->m != NULL && (access & ~s->prot) == 0, ok;
	vm_paddr_t pa = 0;

	ok = cpu_access(windows[w] + ptoa(i), access, &pa);
	if (ok != allowed || (ok && pa != s->m->phys_addr))
		T_FAIL("access %d to %#lx: %s, frame %#lx", access, windows[w] + ptoa(i),
		       ok ? "allowed" : "a fault", pa);
	if (ok && (access & W) != 0 && is_managed(s->m))
		written[page_id(s->m)] = true;
}

static void
setup(void)
{
	pages_make();
	for (int p = 0; p < NPMAPS; p++)
		T_EQ(pmap_pinit(&pmaps[p]), 0);
	pmap_activate(&pmaps[0]);
}

static void
teardown(void)
{
	check_all();
	for (int p = 0; p < NPMAPS; p++) {
		pmap_remove(&pmaps[p], 0, VM_MAXUSER_ADDRESS);
		memset(model[p], 0, sizeof(model[p]));
	}
	was_short = false;
	check_all();
	for (int p = 0; p < NPMAPS; p++)
		pmap_release(&pmaps[p]);
	T_OK(pcpu_self()->pc_curpmap == kernel_pmap);
	pages_free();
}

/* --- clause by clause ------------------------------------------------------------------------- */

#define B0 SP /* pages into window 1: the first superpage there is B0 .. B1 - 1 */
#define B1 (2 * SP)

static uint64_t
pde_at(vm_pindex_t i)
{
	return (pde_of(0, windows[1] + ptoa(i)));
}

static void
enter(vm_pindex_t i, vm_page_t m, vm_pindex_t n, vm_prot_t prot, uint32_t flags)
{
	T_EQ(do_enter(0, 1, i, m, n, prot, flags, PLENTY), KERN_SUCCESS);
	check_all();
}

static void
test_S1_an_aligned_block_is_one_entry(void)
{
	uint64_t writes, pv;

	setup();
	writes = vm_cnt.v_pte_writes;
	pv = vm_cnt.v_pv_entries;
	enter(B0, dev, SP, RW, 0);
	T_OK(is_super(pde_at(B0)));
	T_EQ(vm_cnt.v_pte_writes - writes, 1);
	T_EQ(vm_cnt.v_pv_entries - pv, 1);
	T_EQ(pmaps[0].pm_resident, SP);
	T_EQ(pmap_extract(&pmaps[0], windows[1] + ptoa(B0 + 5) + 7), dev[5].phys_addr + 7);
	do_range(0, 1, B0, SP, REMOVE, 0, PLENTY);
	T_EQ(vm_cnt.v_pte_writes - writes, 2);
	teardown();
}

static void
test_S1_the_whole_blocks_of_a_run_are_one_entry_each(void)
{
	setup();
	enter(B1 - FRONT, dev - FRONT, NDEV - SP - BACK, RW, 0);
	T_OK(!is_super(pde_at(B0)));
	T_OK(is_super(pde_at(B1)) && is_super(pde_at(B1 + SP)));
	teardown();
}

static void
test_S1_unmanaged_frames_too(void)
{
	setup();
	enter(B0, unmanaged, SP, RW, 0);
	T_OK(is_super(pde_at(B0)));
	T_EQ(vm_cnt.v_pv_entries, 0);
	do_range(0, 1, B0 + 3, 1, REMOVE, 0, PLENTY);
	teardown();
}

/* Alignment of either address, a run that is too short, RAM, NOSUPER: small entries. */
static void
test_S1_small_entries_where_it_does_not_fit(void)
{
	setup();
	enter(B0 + 1, dev, SP, RW, 0);
	T_OK(!is_super(pde_at(B0)) && !is_super(pde_at(B1)));
	do_range(0, 1, 0, WPAGES, REMOVE, 0, PLENTY);
	enter(B0, dev + 1, SP, RW, 0);
	T_OK(!is_super(pde_at(B0)));
	do_range(0, 1, 0, WPAGES, REMOVE, 0, PLENTY);
	enter(B0, dev, SP - 1, RW, 0);
	T_OK(!is_super(pde_at(B0)));
	do_range(0, 1, 0, WPAGES, REMOVE, 0, PLENTY);
	enter(B0, sources[RAM].pages, SP, RW, 0);
	T_OK(!is_super(pde_at(B0)));
	do_range(0, 1, 0, WPAGES, REMOVE, 0, PLENTY);
	enter(B0, dev, SP, RW, NOSUPER);
	T_OK(!is_super(pde_at(B0)));
	teardown();
}

static void
test_S2_a_table_in_the_way_gives_small_entries(void)
{
	setup();
	enter(B0 + 9, sources[RAM].pages, 1, R, 0);
	enter(B0, dev, SP, RW, 0);
	T_OK((pde_at(B0) & (PG_V | PG_PS)) == PG_V);
	T_EQ(vm_cnt.v_superpages, 0);
	teardown();
}

/* A wired one needs a table in reserve: none is to be had, but one for small entries neither. */
static void
test_S6_without_memory_a_wired_superpage_is_refused(void)
{
	setup();
	enter(0, dev, 1, R, 0); /* tables of the upper levels, pv chunk */
	for (uint64_t left = 0; left < 2; left++) {
		int rv = do_enter(0, 1, B0, dev + SP, SP, RW, WIRED, left);

		T_EQ(rv, left == 0 ? KERN_RESOURCE_SHORTAGE : KERN_SUCCESS);
		check_all();
	}
	T_OK(is_super(pde_at(B0)));
	T_EQ(list_length(&pmaps[0]), 1);
	teardown();
}

/* A table stands there already: the wiring fault's superpage is 512 small wired entries. */
static void
test_S6_a_wiring_fault_falls_back_to_small_entries(void)
{
	setup();
	enter(B0 + 9, dev + 9, 1, R, 0);
	enter(B0, dev, SP, RW, WIRED);
	T_OK(!is_super(pde_at(B0)));
	T_OK(TAILQ_EMPTY(&pmaps[0].pm_spares));
	teardown();
}

/* A superpage, read and in part written to, wired or not; then op on a part of it. */
static void
demote_by(enum range_op op, vm_prot_t prot, uint32_t flags, vm_pindex_t from, vm_pindex_t n)
{
	uint64_t demotions, pde;

	setup();
	enter(B0, dev, SP, RW | X, flags);
	do_access(0, 1, B0 + 7, W);
	demotions = vm_cnt.v_demotions;
	pde = pde_at(B0);
	T_OK(is_super(pde));
	do_range(0, 1, B0 + from, n, op, prot, PLENTY);
	check_all();
	T_EQ(vm_cnt.v_demotions - demotions, n == SP ? 0 : 1);
	for (vm_pindex_t i = 0; i < SP && n != SP; i++)
		if (i < from || i >= from + n)
			T_EQ(small_entry(pde_at(B0), i), (pde & ~PG_PS) + ptoa(i));
	teardown();
}

static void
test_S3_demotion_by_a_part_keeps_the_rest(void)
{
	static const vm_pindex_t parts[][2] = {{0, 1}, {511, 1}, {0, 511}, {1, 511}, {100, 200}};

	for (size_t i = 0; i < nitems(parts); i++)
		for (uint32_t flags = 0; flags <= WIRED; flags += WIRED)
			for (enum range_op op = REMOVE; op <= UNWIRE; op++)
				demote_by(op, R, flags, parts[i][0], parts[i][1]);
}

static void
test_S3_the_whole_is_changed_as_one(void)
{
	for (uint32_t flags = 0; flags <= WIRED; flags += WIRED)
		for (enum range_op op = REMOVE; op <= UNWIRE; op++)
			demote_by(op, R, flags, 0, SP);
}

static void
test_S3_demotion_by_entering_a_part(void)
{
	setup();
	enter(B0, dev, SP, R, 0);
	enter(B0 + 3, dev + 3, 2, RW, 0); /* more rights */
	T_OK(!is_super(pde_at(B0)));
	do_range(0, 1, B0, SP, REMOVE, 0, PLENTY);
	enter(B0, dev, SP, RW, 0);
	enter(B0 + 3, dev + 3, 1, RW, WIRED); /* wired */
	T_OK(!is_super(pde_at(B0)));
	do_range(0, 1, B0, SP, REMOVE, 0, PLENTY);
	enter(B0, dev, SP, RW, WIRED);
	enter(B0 + 3, dev + SP, 1, RW, 0); /* another frame */
	T_OK(!is_super(pde_at(B0)));
	T_OK(TAILQ_EMPTY(&pmaps[0].pm_spares));
	teardown();
}

static void
test_S3_demotion_by_the_pages_of_a_split_block(void)
{
	setup();
	block_insert(0);
	enter(B0, dev, SP, RW, 0);
	T_EQ(do_enter(1, 2, SP, dev, SP, RW, WIRED, PLENTY), KERN_SUCCESS);
	block_split(0);
	do_page(&dev[8], REMOVE_WRITE, PLENTY);
	check_all();
	do_page(&dev[9], REMOVE_ALL, PLENTY);
	check_all();
	T_EQ(vm_cnt.v_demotions, 2);
	T_OK(!pmap_page_is_mapped(&dev[9]) && pmap_page_is_mapped(&dev[8]));
	T_OK(!pmap_is_modified(&dev[8]) && dev[8].dirty);
	teardown();
}

/* As long as it is whole it is taken away as one. */
static void
test_S3_a_superpage_in_all_maps_as_one(void)
{
	setup();
	block_insert(0);
	enter(B0, dev, SP, RW, 0);
	T_EQ(do_enter(1, 2, SP, dev, SP, R, WIRED, PLENTY), KERN_SUCCESS);
	T_EQ(do_enter(2, 0, 16, dev + 100, 30, RW, 0, PLENTY), KERN_SUCCESS); /* a part */
	do_page(dev, REMOVE_WRITE, 0);
	check_all();
	T_OK(is_super(pde_at(B0)) && dev->dirty);
	do_page(dev, REMOVE_ALL, 0);
	check_all();
	T_EQ(vm_cnt.v_demotions, 0);
	T_EQ(vm_cnt.v_pv_entries, 0);
	teardown();
}

/* The CPU may go on with the superpage that it remembers only until the call returns. */
static void
test_S3_a_demotion_is_flushed(void)
{
	setup();
	enter(B0, dev, SP, RW, WIRED);
	do_access(0, 1, B0 + 7, W);
	do_access(0, 1, B0 + 400, R);
	do_range(0, 1, B0 + 9, 1, UNWIRE, 0, PLENTY);
	cpu_check();
	teardown();
}

/* Dropping an entry that is not wired costs a fault and nothing else. */
static void
test_S3_without_memory_an_unwired_superpage_is_dropped(void)
{
	for (enum range_op op = REMOVE; op <= UNWIRE; op++) {
		setup();
		enter(B0, dev, SP, RW, 0);
		do_access(0, 1, B0 + 7, W);
		do_range(0, 1, B0 + 5, 1, op, R, 0);
		T_EQ(pmaps[0].pm_resident, 0);
		T_OK(dev[7].dirty);
		teardown();
	}
}

static void
test_S3_without_memory_entering_a_part_fails_and_changes_nothing(void)
{
	setup();
	enter(B0, dev, SP, R, 0);
	T_EQ(do_enter(0, 1, B0 + 5, dev + 5, 1, RW, 0, 0), KERN_RESOURCE_SHORTAGE);
	check_all();
	T_OK(is_super(pde_at(B0)));
	T_EQ(pmaps[0].pm_resident, SP);
	teardown();
}

static void
test_S4_a_writable_superpage_is_dirty(void)
{
	setup();
	enter(B0, dev, SP, R, 0);
	T_EQ(pde_at(B0) & PG_D, 0);
	enter(B0, dev, SP, RW, 0); /* made writable where it is */
	T_OK(is_super(pde_at(B0)) && (pde_at(B0) & PG_D) != 0);
	enter(B1, dev + SP, SP, RW, 0);
	T_OK((pde_at(B1) & PG_D) != 0);
	do_range(0, 1, B1, SP, PROTECT, R, PLENTY);
	do_range(0, 1, B1 + 1, 1, REMOVE, 0, PLENTY);
	T_OK(dev[SP + 1].dirty && !dev[SP].dirty);
	do_range(0, 1, B1, SP, REMOVE, 0, PLENTY);
	T_OK(dev[SP].dirty && dev[2 * SP - 1].dirty);
	teardown();
}

static void
test_S5_a_wired_superpage_is_demoted_without_memory(void)
{
	for (enum range_op op = REMOVE; op <= UNWIRE; op++) {
		setup();
		enter(B0, dev, SP, RW, WIRED);
		T_EQ(list_length(&pmaps[0]), 1);
		do_range(0, 1, B0 + 5, 1, op, R, 0);
		check_all();
		T_OK(TAILQ_EMPTY(&pmaps[0].pm_spares));
		T_EQ(pmaps[0].pm_resident, op == REMOVE ? SP - 1 : SP);
		teardown();
	}
}

static void
test_S5_the_reserve_goes_with_the_wiring(void)
{
	uint64_t tables;

	setup();
	enter(B0, dev, SP, RW, 0);
	tables = vm_cnt.v_pt_pages;
	enter(B0, dev, SP, RW, WIRED); /* wired where it is */
	T_EQ(vm_cnt.v_pt_pages, tables + 1);
	enter(B0, dev, SP, RW, WIRED); /* once more: one is enough */
	T_EQ(vm_cnt.v_pt_pages, tables + 1);
	do_range(0, 1, B0, SP, UNWIRE, 0, PLENTY);
	T_EQ(vm_cnt.v_pt_pages, tables);
	enter(B0, dev, SP, RW, WIRED);
	do_range(0, 1, B0, SP, REMOVE, 0, PLENTY);
	T_OK(TAILQ_EMPTY(&pmaps[0].pm_spares));
	teardown();
}

/* The other frame's reserve goes with it; the new one needs its own. */
static void
test_S5_a_wired_superpage_in_place_of_another(void)
{
	setup();
	enter(B0, dev, SP, RW, WIRED);
	enter(B0, dev + SP, SP, RW, WIRED);
	T_OK(is_super(pde_at(B0)));
	T_EQ(list_length(&pmaps[0]), 1);
	do_range(0, 1, B0 + 5, 1, REMOVE, 0, 0);
	check_all();
	T_EQ(pmaps[0].pm_resident, SP - 1);
	teardown();
}

static void
test_P18_what_is_mapped_well_is_left_alone(void)
{
	uint64_t writes, flushes;

	setup();
	enter(B0, dev, SP, RW, 0);
	enter(0, sources[RAM].pages, 16, RW, WIRED);
	writes = vm_cnt.v_pte_writes;
	flushes = cpu_invlpgs + cpu_cr3_writes;
	enter(B0, dev, SP, RW, 0);
	enter(B0 + 3, dev + 3, 5, R, 0);
	enter(0, sources[RAM].pages, 16, RW, 0);
	T_EQ(vm_cnt.v_pte_writes, writes);
	T_EQ(cpu_invlpgs + cpu_cr3_writes, flushes);
	T_OK(is_super(pde_at(B0)));
	teardown();
}

static void
test_P18_another_frame_is_shot_down(void)
{
	setup();
	enter(B0, dev, SP, RW, 0);
	enter(0, sources[RAM].pages, 16, RW, 0);
	do_access(0, 1, B0 + 1, W);
	do_access(0, 1, 3, W);
	enter(B0, dev + SP, SP, R, 0);
	T_OK(is_super(pde_at(B0)));
	enter(0, sources[RAM].pages + 16, 16, R, 0);
	T_OK(!cpu_access(windows[1] + ptoa(B0 + 1), W, &(vm_paddr_t){0}));
	do_access(0, 1, 3, R);
	T_OK(dev[1].dirty && sources[RAM].pages[3].dirty);
	enter(3, sources[RAM].pages + 40, 1, RW, 0); /* alone: a copy */
	do_access(0, 1, 3, W);
	teardown();
}

/* The page of zeros is mapped by many and listed by none; what is written takes its place. */
static void
test_P18_a_page_in_place_of_zeros(void)
{
	setup();
	enter(2, sources[RAM].pages, 1, RW, 0);
	for (vm_pindex_t i = 3; i < 6; i++) {
		enter(i, vm_zero_page, 1, R, 0);
		do_access(0, 1, i, R);
	}
	T_EQ(vm_cnt.v_pv_entries, 1);
	T_EQ(pmaps[0].pm_resident, 1);
	T_EQ(pmap_usage(&pmaps[0], windows[1], windows[1] + ptoa(8)).resident, 1);
	enter(4, sources[RAM].pages + 1, 1, RW, 0);
	do_access(0, 1, 4, W);
	T_EQ(pmaps[0].pm_resident, 2);
	do_access(0, 1, 3, R);
	do_move(0, 1, 2, 4, 1, B0, PLENTY);
	T_EQ(pmaps[0].pm_resident, 2);
	teardown();
}

/* --- another CPU ------------------------------------------------------------------------------ */

static vm_page_t going; /* nobody has forgotten it yet */

static void
is_listed_yet(void)
{
	T_OK(going == NULL || *pv_head(going) != 0);
	going = NULL;
}

/* The n pages from m on go from page i on, and the other CPU is asked before m may be free. */
static void
goes_when_forgotten(vm_pindex_t i, vm_page_t m, vm_pindex_t n)
{
	enter(i, m, n, RW, 0);
	do_access(0, 1, i, W);
	going = m;
	do_range(0, 1, i, n, REMOVE, 0, PLENTY);
	T_OK(going == NULL && !pmap_page_is_mapped(m));
	T_OK(m->dirty);
}

/* Whoever finds a page in no list may free it: it leaves its list when no CPU remembers it. */
static void
test_R1_a_page_is_listed_until_all_have_forgotten_it(void)
{
	setup();
	cpu_asked = is_listed_yet;
	pmaps[0].pm_active |= 2;
	enter(50, sources[RAM].pages + 50, 1, RW, 0);
	goes_when_forgotten(0, sources[RAM].pages, 40);
	goes_when_forgotten(0, sources[RAM].pages, 1);
	goes_when_forgotten(B0, dev, SP);
	goes_when_forgotten(3, dev + 3, 5);
	pmaps[0].pm_active &= ~2u;
	cpu_asked = NULL;
	teardown();
}

/* --- many who map one page -------------------------------------------------------------------- */

#define NMAPPED 500ul /* addresses in each pmap */

/* All from one end, from the other, or here and there (it and NMAPPED are coprime). */
static vm_pindex_t
turn_of(vm_pindex_t n, int order)
{
	return (order == 0 ? n : order == 1 ? NMAPPED - 1 - n : n * 77 % NMAPPED);
}

/* A page comes to 1,500 addresses in one order and goes from them in another, one by one; then from
 * what is left at once. */
static void
test_a_page_that_is_mapped_everywhere(void)
{
	vm_page_t m;

	setup();
	m = sources[RAM].pages;
	for (int order = 0; order < 9; order++) {
		for (vm_pindex_t n = 0; n < NMAPPED; n++)
			for (int p = 0; p < NPMAPS; p++)
				T_EQ(do_enter(p, 1, turn_of(n, order / 3), m, 1, RW, 0, PLENTY), 0);
		check_all();
		T_EQ(vm_cnt.v_pv_entries, NPMAPS * NMAPPED);
		do_access(0, 1, 7, W);
		for (vm_pindex_t n = 0; n < NMAPPED - 50; n++)
			do_range((int)(n % NPMAPS), 1, turn_of(n, order % 3), 1, REMOVE, 0, PLENTY);
		check_all();
		do_page(m, REMOVE_WRITE, PLENTY);
		check_all();
		do_page(m, REMOVE_ALL, PLENTY);
		check_all();
		T_EQ(vm_cnt.v_pv_entries, 0);
		T_OK(m->dirty);
	}
	teardown();
}

/* --- at random -------------------------------------------------------------------------------- */

/* Where the next operation is: mostly in the address space that the CPU is in. */
struct place {
	int p, w;
	vm_pindex_t i, n;
};

static vm_pindex_t
random_length(struct rng *r)
{
	switch (rng_below(r, 6)) {
	case 0:
		return (SP - 1 + rng_below(r, 3));
	case 1:
		return (1 + rng_below(r, WPAGES));
	case 2:
	case 3:
		return (SP * (1 + rng_below(r, 3)));
	default:
		return (1 + rng_below(r, 20));
	}
}

static struct place
random_place(struct rng *r)
{
	struct place at = {.p = (int)rng_below(r, NPMAPS), .w = (int)rng_below(r, NWINDOWS)};
	vm_pindex_t first, end;

	if (rng_below(r, 3) != 0)
		at.p = pcpu_self()->pc_curpmap == kernel_pmap
			   ? 0
			   : (int)(pcpu_self()->pc_curpmap - pmaps);
	first = at.w == 0 ? atop(VM_MINUSER_ADDRESS) : 0;
	end = at.w == NWINDOWS - 1 ? WPAGES - 1 : WPAGES;
	at.i = rng_below(r, 3) != 0 ? rng_below(r, WBLOCKS) * SP : rng_below(r, WPAGES);
	at.i = MIN(MAX(at.i, first), end - 1);
	at.n = random_length(r);
	at.n = MIN(at.n, end - at.i);
	return (at);
}

/* A part of a superpage, if a few tries find one. */
static struct place
random_part(struct rng *r)
{
	struct place at = random_place(r);

	for (int try = 0; try < 4 && !is_super(pde_of(at.p, windows[at.w] + ptoa(at.i))); try++)
		at = random_place(r);
	if (at.i % SP == 0 && at.n >= SP && rng_below(r, 4) != 0)
		at.n = 1 + rng_below(r, SP - 1);
	return (at);
}

/* How much memory the next operation finds. */
static uint64_t
random_memory(struct rng *r)
{
	return (rng_below(r, 4) == 0 ? rng_below(r, 5) : PLENTY);
}

static vm_prot_t
random_prot(struct rng *r)
{
	static const vm_prot_t prots[] = {R, RW, R | X, RW | X};

	return (prots[rng_below(r, nitems(prots))]);
}

/* A run of pages for the place; its length is cut to what there is. */
static vm_page_t
random_run(struct rng *r, struct place *at)
{
	static const int likely[] = {DEV, DEV, DEV, RAM, NONE, ZEROS};
	const struct source *s = &sources[likely[rng_below(r, nitems(likely))]];
	vm_page_t m = s->pages + rng_below(r, s->n);

	if (s == &sources[DEV] && rng_below(r, 4) != 0)
		m = dev + rng_below(r, NBLOCKS) * SP + at->i % SP;
	else if (s != &sources[DEV] && rng_below(r, 2) != 0)
		m = s->pages + at->i % SP % s->n;
	at->n = MIN(at->n, (vm_pindex_t)(s->pages + s->n - m));
	return (m);
}

static void
step_enter(struct rng *r)
{
	struct place at = random_place(r);
	vm_page_t m = random_run(r, &at);
	uint32_t flags = (rng_below(r, 4) == 0 ? WIRED : 0) | (rng_below(r, 8) == 0 ? NOSUPER : 0);

	do_enter(at.p, at.w, at.i, m, at.n, random_prot(r), flags, random_memory(r));
}

static void
step_range(struct rng *r)
{
	struct place at = rng_below(r, 2) == 0 ? random_place(r) : random_part(r);
	enum range_op op = (enum range_op)rng_below(r, 3);

	do_range(at.p, at.w, at.i, at.n, op, rng_below(r, 8) == 0 ? VM_PROT_NONE : random_prot(r),
		 random_memory(r));
}

static void
step_move(struct rng *r)
{
	struct place at = random_place(r), to = random_place(r);
	vm_pindex_t n = MIN(at.n, to.n);

	if (to.w == at.w && to.i < at.i + n && at.i < to.i + n)
		return;
	do_range(at.p, to.w, to.i, n, REMOVE, 0, PLENTY);
	do_move(at.p, at.w, at.i, n, to.w, to.i, random_memory(r));
}

static void
step_page(struct rng *r)
{
	size_t id = rng_below(r, 3) == 0 ? rng_below(r, NRAM) : NRAM + rng_below(r, NDEV);
	enum page_op op = (enum page_op)rng_below(r, 2);
	vm_page_t unit = vm_page_unit(page_of(id));

	do_page(unit, op, random_memory(r));
	check_all();
	if (op == REMOVE_WRITE && rng_below(r, 2) == 0) { /* written out */
		unit->dirty = false;
		for (vm_pindex_t i = 0; i < vm_page_unit_pages(unit); i++)
			written[page_id(unit + i)] = false;
	}
}

/* Whole, split, gone, whole. */
static void
step_block(struct rng *r)
{
	vm_pindex_t b = rng_below(r, NBLOCKS);
	vm_page_t m = dev + b * SP;

	if (m->block.whole) {
		block_split(b);
	} else if (m->block.standing != 0) {
		block_remove(b);
	} else {
		blocks_insert(b, SP * (1 + rng_below(r, NBLOCKS)));
		m->dirty = true; /* some of its pages may be */
	}
}

/* Make room for superpages. */
static void
step_clear(struct rng *r)
{
	struct place at = random_place(r);
	vm_pindex_t first = at.w == 0 ? atop(VM_MINUSER_ADDRESS) : 0;

	do_range(at.p, at.w, first, (at.w == NWINDOWS - 1 ? WPAGES - 1 : WPAGES) - first, REMOVE, 0,
		 random_memory(r));
}

static void
step_pmap(struct rng *r)
{
	int p = (int)rng_below(r, NPMAPS);

	if (rng_below(r, 8) != 0) {
		pmap_activate(&pmaps[p]);
		return;
	}
	pmap_remove(&pmaps[p], 0, VM_MAXUSER_ADDRESS);
	memset(model[p], 0, sizeof(model[p]));
	pmap_release(&pmaps[p]);
	T_EQ(pmap_pinit(&pmaps[p]), 0);
}

/* The CPU goes about its business, around the place where the next operations will be, too. */
static void
step_accesses(struct rng *r)
{
	struct place at;
	int p;

	if (pcpu_self()->pc_curpmap == kernel_pmap)
		pmap_activate(&pmaps[0]);
	p = (int)(pcpu_self()->pc_curpmap - pmaps);
	for (int n = 0; n < 8; n++) {
		at = n % 2 == 0 ? random_place(r) : random_part(r);
		at.i += rng_below(r, at.n);
		do_access(p, at.w, at.i, rng_below(r, 2) == 0 ? W : rng_below(r, 4) == 0 ? X : R);
	}
}

static void
step_look(struct rng *r)
{
	struct place at = random_place(r);
	const struct slot *s = &model[at.p][at.w][at.i];
	vm_page_t unit = vm_page_unit(dev - FRONT + rng_below(r, NDEV));
	bool is_mapped = false, is_modified = false;

	T_EQ(pmap_extract(&pmaps[at.p], windows[at.w] + ptoa(at.i) + 9),
	     s->m != NULL ? s->m->phys_addr + 9 : 0);
	check_all();
	for (vm_pindex_t i = 0; i < vm_page_unit_pages(unit); i++) {
		is_mapped |= mapped[page_id(unit + i)] != 0;
		is_modified |= has_dirty[page_id(unit + i)];
	}
	T_EQ(pmap_page_is_mapped(unit), is_mapped);
	T_EQ(pmap_is_modified(unit), is_modified);
}

static void
random_steps(uint64_t seed, int steps)
{
	static const struct {
		void (*fn)(struct rng *r);
		int weight;
	} kinds[] = {{step_enter, 40}, {step_range, 34}, {step_move, 6}, {step_page, 4},
		     {step_block, 4},  {step_clear, 8},  {step_pmap, 4}, {step_look, 2}};
	struct rng r = {seed};
	size_t k;

	setup();
	for (int step = 0; step < steps; step++) {
		int dice = (int)rng_below(&r, 102);

		for (k = 0; dice >= kinds[k].weight; k++)
			dice -= kinds[k].weight;
		step_accesses(&r);
		kinds[k].fn(&r);
		cpu_check();
		if (step % 8 == 0)
			check_all();
	}
	T_OK(vm_cnt.v_superpages > 0 && vm_cnt.v_demotions > 0);
	teardown();
}

#define RANDOM_TEST(seed)                             \
	static void test_S3_random_steps_##seed(void) \
	{                                             \
		random_steps(seed, 30000);            \
	}
RANDOM_TEST(1)
RANDOM_TEST(2)
RANDOM_TEST(3)
RANDOM_TEST(4)

int
main(int argc, char **argv)
{
	static const struct host_test tests[] = {
	    TEST(test_S1_an_aligned_block_is_one_entry),
	    TEST(test_S1_the_whole_blocks_of_a_run_are_one_entry_each),
	    TEST(test_S1_unmanaged_frames_too),
	    TEST(test_S1_small_entries_where_it_does_not_fit),
	    TEST(test_S2_a_table_in_the_way_gives_small_entries),
	    TEST(test_S6_without_memory_a_wired_superpage_is_refused),
	    TEST(test_S6_a_wiring_fault_falls_back_to_small_entries),
	    TEST(test_S3_demotion_by_a_part_keeps_the_rest),
	    TEST(test_S3_the_whole_is_changed_as_one),
	    TEST(test_S3_demotion_by_entering_a_part),
	    TEST(test_S3_demotion_by_the_pages_of_a_split_block),
	    TEST(test_S3_a_superpage_in_all_maps_as_one),
	    TEST(test_S3_a_demotion_is_flushed),
	    TEST(test_S3_without_memory_an_unwired_superpage_is_dropped),
	    TEST(test_S3_without_memory_entering_a_part_fails_and_changes_nothing),
	    TEST(test_S4_a_writable_superpage_is_dirty),
	    TEST(test_S5_a_wired_superpage_is_demoted_without_memory),
	    TEST(test_S5_the_reserve_goes_with_the_wiring),
	    TEST(test_S5_a_wired_superpage_in_place_of_another),
	    TEST(test_P18_what_is_mapped_well_is_left_alone),
	    TEST(test_P18_another_frame_is_shot_down),
	    TEST(test_P18_a_page_in_place_of_zeros),
	    TEST(test_R1_a_page_is_listed_until_all_have_forgotten_it),
	    TEST(test_a_page_that_is_mapped_everywhere),
	    TEST(test_S3_random_steps_1),
	    TEST(test_S3_random_steps_2),
	    TEST(test_S3_random_steps_3),
	    TEST(test_S3_random_steps_4),
	};

	return (host_main(argc, argv, "pmap", tests, nitems(tests), FRAMES));
}

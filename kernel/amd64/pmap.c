/*
 * Page tables: kernel/vm/pmap.h for amd64. Owns every page table, the pv lists (which entries map a
 * page) and their memory.
 *
 * Four levels of tables, 512 entries each; level 0 holds the 4 KiB entries, an entry of level 1 or 2 can
 * be a large page (so far in the kernel's half only). The top table's upper 256 entries are the
 * kernel's, all those it will ever use are made at boot, and every pmap has a copy of them.
 *
 * A user page-table page counts its entries in use in its vm_page's pindex, and is freed when that falls
 * to 0. A pv entry is 16 bytes of a page-sized chunk that belongs to one pmap.
 */
#include "amd64/amd64.h"
#include "boot/bootinfo.h"
#include "kern/errno.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "vm/vm_page.h"

#define NPTE             512ul
#define LEVEL_SHIFT(l)   (PAGE_SHIFT + 9 * (l))
#define PTE_INDEX(va, l) ((va) >> LEVEL_SHIFT(l) & (NPTE - 1))
#define TOP_LEVEL        3
#define FLUSH_ALL_PAGES  32 /* beyond this many, reloading CR3 is cheaper than INVLPG for each */

struct pv_entry {
	struct pv_entry *pv_next; /* (p) the page's list, or the chunk's free list */
	vm_offset_t pv_va; /* (p) */
};

#define PV_PER_CHUNK ((PAGE_SIZE - 40) / sizeof(struct pv_entry))
struct pv_chunk {
	LIST_ENTRY(pv_chunk) pc_link; /* (p) pm_chunks, while it has free entries */
	pmap_t pc_pmap; /* (c) */
	struct pv_entry *pc_free; /* (p) those used before */
	uint32_t pc_used, pc_fresh; /* (p) in use now; ever used */
	struct pv_entry pc_pv[PV_PER_CHUNK];
};
_Static_assert(sizeof(struct pv_chunk) <= PAGE_SIZE, "a chunk is a page");

/*
 * Changes to one pmap's entries that other translations may still hold: the range to flush, and
 * page-table pages to free once that is done.
 */
struct pmap_change {
	pmap_t pmap;
	vm_offset_t lo, hi; /* flush [lo, hi); empty while lo >= hi */
	vm_page_t leaf; /* the level 0 table that is being changed */
	struct pglist free;
	vm_prot_t prot; /* change_protect: what stays */
};
typedef void change_fn(struct pmap_change *c, uint64_t *pte, vm_offset_t va);

static struct mtx pmap_mtx = MTX_INITIALIZER("pmap", LR_PMAP);
struct pmap kernel_pmap_store;

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

static uint64_t *
pte_table(uint64_t entry)
{
	return (phys_to_dmap(entry & PG_FRAME));
}

static vm_page_t
table_page(const uint64_t *table)
{
	return (PHYS_TO_VM_PAGE(dmap_to_phys(table)));
}

/* --- translations that CPUs remember ------------------------------------------------------------ */

static void
invlpg(vm_offset_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* Every remembered translation of [lo, hi), and the table pages walked for it, are gone on return. */
static void
flush_range(pmap_t pmap, vm_offset_t lo, vm_offset_t hi)
{
	if (lo >= hi || (pmap != kernel_pmap && pcpu0.pc_curpmap != pmap))
		return;
	if (pmap != kernel_pmap && hi - lo > ptoa(FLUSH_ALL_PAGES)) {
		WRITE_CR(3, pmap->pm_cr3);
		return;
	}
	for (; lo < hi; lo += PAGE_SIZE)
		invlpg(lo);
}

static void
change_begin(struct pmap_change *c, pmap_t pmap)
{
	*c = (struct pmap_change){.pmap = pmap, .lo = UINT64_MAX};
	TAILQ_INIT(&c->free);
	mtx_lock(&pmap_mtx);
}

/* An entry that was in use has changed. */
static void
change_note(struct pmap_change *c, vm_offset_t va)
{
	c->lo = MIN(c->lo, va);
	c->hi = MAX(c->hi, va + PAGE_SIZE);
}

/* Flush, and let another pmap be changed next. */
static void
change_flush(struct pmap_change *c)
{
	vm_page_t m;

	flush_range(c->pmap, c->lo, c->hi);
	c->lo = UINT64_MAX;
	c->hi = 0;
	while ((m = TAILQ_FIRST(&c->free)) != NULL) {
		TAILQ_REMOVE(&c->free, m, plinks);
		VM_CNT_DEC(v_pt_pages);
		vm_phys_free(m, 0);
	}
}

static void
change_end(struct pmap_change *c)
{
	change_flush(c);
	mtx_unlock(&pmap_mtx);
}

/* --- pv entries ----------------------------------------------------------------------------------- */

static struct pv_chunk *
pv_chunk_of(struct pv_entry *pv)
{
	return ((struct pv_chunk *)trunc_page(pv));
}

static struct pv_chunk *
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

/* Note that va of pmap maps m; false when there is no memory. */
static inline bool
pv_insert(pmap_t pmap, vm_offset_t va, vm_page_t m)
{
	struct pv_chunk *pc = LIST_FIRST(&pmap->pm_chunks);
	struct pv_entry *pv;

	if (__predict_false(pc == NULL) && (pc = pv_chunk_alloc(pmap)) == NULL)
		return (false);
	pv = pc->pc_free;
	if (pv != NULL)
		pc->pc_free = pv->pv_next;
	else
		pv = &pc->pc_pv[pc->pc_fresh++];
	if (++pc->pc_used == PV_PER_CHUNK)
		LIST_REMOVE(pc, pc_link);
	pv->pv_va = va;
	pv->pv_next = m->md.pv_list;
	m->md.pv_list = pv;
	return (true);
}

/* New entries go in front: what is unmapped in the order in which mmap hands out addresses, from high
 * to low, or by page, is found at once. */
static void
pv_remove(pmap_t pmap, vm_offset_t va, vm_page_t m)
{
	struct pv_entry **link = &m->md.pv_list, *pv;
	struct pv_chunk *pc;

	while ((pv = *link)->pv_va != va || pv_chunk_of(pv)->pc_pmap != pmap)
		link = &pv->pv_next;
	*link = pv->pv_next;
	VM_CNT_DEC(v_pv_entries);
	pc = pv_chunk_of(pv);
	pv->pv_next = pc->pc_free;
	pc->pc_free = pv;
	if (pc->pc_used-- == PV_PER_CHUNK)
		LIST_INSERT_HEAD(&pmap->pm_chunks, pc, pc_link);
	if (pc->pc_used == 0) {
		LIST_REMOVE(pc, pc_link);
		vm_phys_free(PHYS_TO_VM_PAGE(dmap_to_phys(pc)), 0);
	}
}

/* --- walking ---------------------------------------------------------------------------------------- */

uint64_t *
pmap_walk(uint64_t *table, uint64_t va, int *level, uint64_t *path)
{
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
}

/*
 * The level 0 table for va, made with those above it if need be. NULL when there is no memory; then
 * tables may have been made that stay empty until pmap_remove comes by.
 */
static uint64_t *
user_pt_alloc(pmap_t pmap, vm_offset_t va)
{
	uint64_t *table = pmap->pm_pml4, *e;
	vm_page_t m;

#pragma GCC unroll 3
	for (int level = TOP_LEVEL; level > 0; level--) {
		e = &table[PTE_INDEX(va, level)];
		if (__predict_false((*e & PG_V) == 0)) {
			m = vm_phys_alloc(0, VM_ALLOC_SYSTEM | VM_ALLOC_ZERO);
			if (m == NULL)
				return (NULL);
			m->pindex = 0;
			VM_CNT_INC(v_pt_pages);
			table_page(table)->pindex++;
			*e = m->phys_addr | PG_V | PG_RW | PG_U | PG_A;
		}
		table = pte_table(*e);
	}
	return (table);
}

/*
 * Call fn on the entries in use of [va, end) below table, and take away the tables that are left
 * empty. One change may visit all of user space: absent tables cost nothing.
 */
static void
change_range(struct pmap_change *c, uint64_t *table, int level, vm_offset_t va, vm_offset_t end,
	     change_fn *fn)
{
	vm_offset_t size = 1ul << LEVEL_SHIFT(level), next;
	vm_page_t child;
	uint64_t *e;

	for (; va < end; va = next) {
		next = MIN(rounddown2(va, size) + size, end);
		e = &table[PTE_INDEX(va, level)];
		if ((*e & PG_V) == 0)
			continue;
		if (level == 0) {
			fn(c, e, va);
			continue;
		}
		c->leaf = child = table_page(pte_table(*e));
		change_range(c, pte_table(*e), level - 1, va, next, fn);
		if (child->pindex != 0)
			continue;
		*e = 0;
		table_page(table)->pindex--;
		TAILQ_INSERT_TAIL(&c->free, child, plinks);
		change_note(c, trunc_page(va));
	}
}

/* What both a removal and a replacement do to the page that was mapped. */
static void
forget_mapping(pmap_t pmap, vm_offset_t va, uint64_t old)
{
	vm_page_t m;

	if ((old & PG_MANAGED) == 0)
		return;
	m = PHYS_TO_VM_PAGE(old & PG_FRAME);
	if ((old & PG_D) != 0)
		vm_page_dirty(m);
	pv_remove(pmap, va, m);
}

static void
change_remove(struct pmap_change *c, uint64_t *pte, vm_offset_t va)
{
	uint64_t old = __atomic_exchange_n(pte, 0, __ATOMIC_RELAXED);

	VM_CNT_INC(v_pte_writes);
	change_note(c, va);
	c->pmap->pm_resident--;
	c->leaf->pindex--;
	forget_mapping(c->pmap, va, old);
}

/* The CPU may set A and D meanwhile: bits are cleared one by one, atomically. */
static void
change_protect(struct pmap_change *c, uint64_t *pte, vm_offset_t va)
{
	uint64_t clear = ~protection_bits[c->prot] & PG_RW, set = protection_bits[c->prot] & PG_NX;

	if ((*pte & clear) == 0 && (~*pte & set) == 0)
		return;
	__atomic_fetch_and(pte, ~clear, __ATOMIC_RELAXED);
	__atomic_fetch_or(pte, set, __ATOMIC_RELAXED);
	VM_CNT_INC(v_pte_writes);
	change_note(c, va);
}

static void
change_unwire(struct pmap_change *c, uint64_t *pte, vm_offset_t va)
{
	(void)c;
	(void)va;
	__atomic_fetch_and(pte, ~PG_W, __ATOMIC_RELAXED);
}

/* --- entering --------------------------------------------------------------------------------------- */

/*
 * A slot in use gets a new entry; false when there is no memory. The same frame keeps its pv entry,
 * wired mark, and A and D, which the CPU may set until the moment of the exchange.
 */
static bool __attribute__((noinline))
enter_used(struct pmap_change *c, uint64_t *pte, vm_offset_t va, vm_page_t m, uint64_t new)
{
	uint64_t old = *pte;

	if (((old ^ new) & (PG_FRAME | PG_MANAGED)) == 0) {
		new |= old &(PG_W | PG_A | PG_D);
		if (old == new)
			return (true); /* P18 */
		old = __atomic_exchange_n(pte, new, __ATOMIC_RELAXED);
		__atomic_fetch_or(pte, old & PG_D, __ATOMIC_RELAXED);
	} else {
		if ((new &PG_MANAGED) != 0 && !pv_insert(c->pmap, va, m))
			return (false);
		VM_CNT_ADD(v_pv_entries, (new &PG_MANAGED) != 0);
		forget_mapping(c->pmap, va, __atomic_exchange_n(pte, new, __ATOMIC_RELAXED));
	}
	VM_CNT_INC(v_pte_writes);
	change_note(c, va);
	return (true);
}

/*
 * Store n entries from pte on, all in one table: the inner loop of every fault. Returns how many slots
 * are done, fewer when there is no memory.
 */
static inline vm_pindex_t
enter_run(struct pmap_change *c, uint64_t *pte, vm_offset_t va, vm_page_t m, vm_pindex_t n,
	  uint64_t bits)
{
	vm_pindex_t i, fresh = 0;

	for (i = 0; i < n; i++, pte++, m++, va += PAGE_SIZE) {
		if (__predict_false(*pte != 0)) {
			if (!enter_used(c, pte, va, m, m->phys_addr | bits))
				break;
			continue;
		}
		if ((bits & PG_MANAGED) != 0 && !pv_insert(c->pmap, va, m))
			break;
		*pte = m->phys_addr | bits;
		fresh++;
	}
	c->leaf->pindex += fresh;
	c->pmap->pm_resident += fresh;
	VM_CNT_ADD(v_pte_writes, fresh);
	VM_CNT_ADD(v_pv_entries, (bits & PG_MANAGED) != 0 ? fresh : 0);
	return (i);
}

int
pmap_enter(pmap_t pmap, vm_offset_t va, vm_page_t m, vm_pindex_t npages, vm_prot_t prot,
	   uint32_t flags)
{
	uint64_t bits = PG_V | PG_U | PG_ATTR(m->memattr) | protection_bits[prot & VM_PROT_ALL],
		 *pt;
	struct pmap_change c;
	vm_pindex_t n;

	KASSERT(((va | npages >> 36) & PAGE_MASK) == 0 && va + ptoa(npages) <= VM_MAXUSER_ADDRESS,
		("pmap_enter: %lu pages at %#lx", npages, va));
	bits |= (flags & PMAP_ENTER_WIRED) != 0 ? PG_W : 0;
	bits |= (m->flags & PG_UNMANAGED) != 0 ? 0 : PG_MANAGED;
	change_begin(&c, pmap);
	/* One turn per table of 2 MiB: where a large page can stand in its place is decided here. */
	for (; npages > 0; npages -= n, m += n, va += ptoa(n)) {
		n = MIN(npages, NPTE - PTE_INDEX(va, 0));
		pt = user_pt_alloc(pmap, va);
		if (pt == NULL)
			break;
		c.leaf = table_page(pt);
		if (enter_run(&c, &pt[PTE_INDEX(va, 0)], va, m, n, bits) < n)
			break;
	}
	change_end(&c);
	return (npages == 0 ? KERN_SUCCESS : KERN_RESOURCE_SHORTAGE);
}

/* --- ranges of a map -------------------------------------------------------------------------------- */

static void
change_map(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, change_fn *fn, vm_prot_t prot)
{
	struct pmap_change c;

	KASSERT(sva <= eva && eva <= VM_MAXUSER_ADDRESS, ("pmap: [%#lx, %#lx)", sva, eva));
	change_begin(&c, pmap);
	c.prot = prot;
	change_range(&c, pmap->pm_pml4, TOP_LEVEL, sva, eva, fn);
	change_end(&c);
}

void
pmap_remove(pmap_t pmap, vm_offset_t sva, vm_offset_t eva)
{
	change_map(pmap, sva, eva, change_remove, VM_PROT_NONE);
}

void
pmap_protect(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, vm_prot_t prot)
{
	change_map(pmap, sva, eva, prot == VM_PROT_NONE ? change_remove : change_protect, prot);
}

void
pmap_unwire(pmap_t pmap, vm_offset_t sva, vm_offset_t eva)
{
	change_map(pmap, sva, eva, change_unwire, VM_PROT_ALL);
}

vm_paddr_t
pmap_extract(pmap_t pmap, vm_offset_t va)
{
	vm_paddr_t pa = 0;
	uint64_t *e;
	int level;

	mtx_lock(&pmap_mtx);
	e = pmap_walk(pmap->pm_pml4, va, &level, NULL);
	if (e != NULL)
		pa = (*e & PG_FRAME) | (va & ((1ul << LEVEL_SHIFT(level)) - 1));
	mtx_unlock(&pmap_mtx);
	return (pa);
}

/* --- one page in all maps --------------------------------------------------------------------------- */

void
pmap_page_init(vm_page_t m)
{
	m->md.pv_list = NULL;
}

void
pmap_remove_all(vm_page_t m)
{
	struct pmap_change c;
	struct pv_entry *pv;

	if (m->md.pv_list == NULL)
		return;
	change_begin(&c, NULL);
	while ((pv = m->md.pv_list) != NULL) {
		c.pmap = pv_chunk_of(pv)->pc_pmap;
		change_range(&c, c.pmap->pm_pml4, TOP_LEVEL, pv->pv_va, pv->pv_va + PAGE_SIZE,
			     change_remove);
		change_flush(&c);
	}
	change_end(&c);
}

static uint64_t *
pv_pte(struct pv_entry *pv)
{
	int level;

	return (pmap_walk(pv_chunk_of(pv)->pc_pmap->pm_pml4, pv->pv_va, &level, NULL));
}

void
pmap_remove_write(vm_page_t m)
{
	struct pmap_change c;
	struct pv_entry *pv;
	uint64_t old;

	change_begin(&c, NULL);
	for (pv = m->md.pv_list; pv != NULL; pv = pv->pv_next) {
		old = __atomic_fetch_and(pv_pte(pv), ~(PG_RW | PG_D), __ATOMIC_RELAXED);
		if ((old & (PG_RW | PG_D)) == 0)
			continue;
		if ((old & PG_D) != 0)
			vm_page_dirty(m);
		VM_CNT_INC(v_pte_writes);
		c.pmap = pv_chunk_of(pv)->pc_pmap;
		change_note(&c, pv->pv_va);
		change_flush(&c);
	}
	change_end(&c);
}

bool
pmap_page_is_mapped(vm_page_t m)
{
	return (m->md.pv_list != NULL);
}

bool
pmap_is_modified(vm_page_t m)
{
	struct pv_entry *pv;
	bool modified = false;

	mtx_lock(&pmap_mtx);
	for (pv = m->md.pv_list; pv != NULL && !modified; pv = pv->pv_next)
		modified = (*pv_pte(pv) & PG_D) != 0;
	mtx_unlock(&pmap_mtx);
	return (modified);
}

/* --- whole address spaces ----------------------------------------------------------------------------- */

int
pmap_pinit(pmap_t pmap)
{
	vm_page_t m = vm_phys_alloc(0, VM_ALLOC_SYSTEM | VM_ALLOC_ZERO);

	if (m == NULL)
		return (ENOMEM);
	m->pindex = 0;
	VM_CNT_INC(v_pt_pages);
	*pmap = (struct pmap){.pm_pml4 = pmap_page_kva(m), .pm_cr3 = m->phys_addr};
	LIST_INIT(&pmap->pm_chunks);
	memcpy(pmap->pm_pml4 + NPTE / 2, kernel_pmap->pm_pml4 + NPTE / 2, PAGE_SIZE / 2);
	return (0);
}

void
pmap_release(pmap_t pmap)
{
	vm_page_t m = table_page(pmap->pm_pml4);

	/* A kernel thread may still run on it. */
	if (pcpu0.pc_curpmap == pmap)
		pmap_activate(kernel_pmap);
	/* Tables that a shortage of memory left empty. */
	pmap_remove(pmap, 0, VM_MAXUSER_ADDRESS);
	KASSERT(pmap->pm_resident == 0 && m->pindex == 0 && LIST_EMPTY(&pmap->pm_chunks),
		("pmap_release: %lu pages, %lu tables left", pmap->pm_resident, m->pindex));
	VM_CNT_DEC(v_pt_pages);
	vm_phys_free(m, 0);
	pmap->pm_pml4 = NULL;
}

void
pmap_activate(pmap_t pmap)
{
	if (pcpu0.pc_curpmap == pmap)
		return;
	pcpu0.pc_curpmap = pmap;
	WRITE_CR(3, pmap->pm_cr3);
}

/* --- the kernel's half -------------------------------------------------------------------------------- */

/* A zeroed table, from vm_phys once that has memory; 0 when there is none. Never freed. */
static uint64_t
kernel_table_alloc(void)
{
	vm_page_t m;
	uint64_t pa;

	if (vm_cnt.v_page_count > 0) {
		m = vm_phys_alloc(0, VM_ALLOC_SYSTEM | VM_ALLOC_ZERO);
		return (m != NULL ? m->phys_addr : 0);
	}
	pa = early_alloc(PAGE_SIZE);
	memset(phys_to_dmap(pa), 0, PAGE_SIZE);
	return (pa);
}

static bool
kenter_range(uint64_t *table, int level, uint64_t va, uint64_t pa, uint64_t end, uint64_t bits)
{
	uint64_t size = 1ul << LEVEL_SHIFT(level), next, child, *e;
	bool leaf = level <= (cpu_features.page1gb ? 2 : 1);

	for (; va < end; pa += next - va, va = next) {
		next = MIN(rounddown2(va, size) + size - 1, end - 1) + 1;
		e = &table[PTE_INDEX(va, level)];
		if ((*e & PG_V) == 0 && leaf && (pa & (size - 1)) == 0 && next - va == size) {
			*e = pa | bits | PG_V | PG_G | (level > 0 ? PG_PS : 0);
			continue;
		}
		if ((*e & PG_V) == 0) {
			child = kernel_table_alloc();
			if (child == 0)
				return (false);
			*e = child | PG_V | PG_RW;
		}
		if (!kenter_range(pte_table(*e), level - 1, va, pa, next, bits))
			return (false);
	}
	return (true);
}

bool
pmap_kenter(uint64_t va, uint64_t pa, uint64_t len, uint64_t bits)
{
	bool ok;

	mtx_lock(&pmap_mtx);
	ok = kenter_range(kernel_pmap->pm_pml4, TOP_LEVEL, va, pa, va + len, bits);
	mtx_unlock(&pmap_mtx);
	return (ok);
}

void
pmap_kremove(uint64_t va, uint64_t len)
{
	uint64_t *e, end = va + len, size;
	int level;

	mtx_lock(&pmap_mtx);
	for (; va < end; va = rounddown2(va, size) + size) {
		e = pmap_walk(kernel_pmap->pm_pml4, va, &level, NULL);
		size = 1ul << LEVEL_SHIFT(level);
		if (e == NULL)
			continue;
		*e = 0;
		invlpg(va);
	}
	mtx_unlock(&pmap_mtx);
}

/* The kernel's image at its linked address, each segment with its own rights, and holes under the
 * stacks that are part of it. */
static void
map_image(void)
{
	static const struct {
		const char *start, *end;
		uint64_t bits;
	} segments[] = {
	    {text_start, text_end, 0},
	    {text_end, rodata_end, PG_NX},
	    {rodata_end, data_end, PG_RW | PG_NX},
	    {data_end, image_end, PG_NX},
	};
	uint64_t va;

	for (size_t i = 0; i < nitems(segments); i++) {
		va = (uint64_t)segments[i].start;
		pmap_kenter(va, va - KERNBASE, (uint64_t)segments[i].end - va, segments[i].bits);
	}
	pmap_kremove((uint64_t)boot_stack_guard, PAGE_SIZE);
	for (size_t i = 0; i < nitems(ist_stacks); i++)
		pmap_kremove((uint64_t)ist_stacks[i], PAGE_SIZE);
}

/* RAM at DMAP_BASE; the kernel's text and constants are read-only there, too. */
static void
map_ram(void)
{
	static struct boot_mem ram[BOOT_MAX_MEM];
	uint64_t ro_start = (uint64_t)text_start - KERNBASE,
		 ro_end = (uint64_t)rodata_end - KERNBASE;
	uint32_t n = bootinfo.nmem;

	memcpy(ram, bootinfo.mem, sizeof(ram));
	boot_mem_remove(ram, &n, ro_start, ro_end);
	for (uint32_t i = 0; i < n; i++)
		pmap_kenter(DMAP_BASE + ram[i].start, ram[i].start, ram[i].end - ram[i].start,
			    PG_RW | PG_NX);
	pmap_kenter(DMAP_BASE + ro_start, ro_start, ro_end - ro_start, PG_NX);
}

void
pmap_bootstrap(void)
{
	kernel_pmap->pm_cr3 = kernel_table_alloc();
	kernel_pmap->pm_pml4 = phys_to_dmap(kernel_pmap->pm_cr3);
	/* The top-level entry of the kernel's virtual area must be there before it is copied. */
	kernel_pmap->pm_pml4[PTE_INDEX(KVA_BASE, TOP_LEVEL)] = kernel_table_alloc() | PG_V | PG_RW;
	map_image();
	map_ram();
	pmap_activate(kernel_pmap);
}

/* --- contents ------------------------------------------------------------------------------------------- */

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

void
pmap_copy_page(vm_page_t src, vm_page_t dst)
{
	const void *from = pmap_page_kva(src);
	void *to = pmap_page_kva(dst);
	uint64_t words = PAGE_SIZE / 8;

	__asm__ volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(words) : : "memory");
}

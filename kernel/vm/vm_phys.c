/*
 * Physical memory: the segments of RAM with a vm_page for each frame, the free blocks in buddy
 * order, and the fictitious pages that describe device frames. Owns the free-page lock.
 *
 * A free block of 2^k frames is aligned to its size; its first page carries k in `order` and hangs
 * in free_list[k]. All other pages have order VM_NFREEORDER. Two free buddies never stay apart.
 */
#include "vm/vm_page.h"
#include "vm/vm_pageout.h"
#include "vm/vm_pager.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/panic.h"

#define VM_PHYSSEG_MAX 64 /* ranges of RAM; more are not used, vm_phys_add_seg says so */

/* Locks: (c) constant after boot  (l) seg_list, of all, is changed and walked under free_mtx */
struct vm_phys_seg {
	vm_paddr_t start, end; /* (c) */
	struct vm_page *pages; /* (c) of start */
	LIST_ENTRY(vm_phys_seg) link; /* (l) */
};

static struct mtx free_mtx = MTX_INITIALIZER("free pages", LR_PHYS);
static struct pglist free_list[VM_NFREEORDER];
static struct vm_phys_seg phys_segs[VM_PHYSSEG_MAX + 1]; /* one more, empty, ends them */
static int phys_nsegs;
static LIST_HEAD(, vm_phys_seg) seg_list = LIST_HEAD_INITIALIZER(seg_list);
struct vm_counters vm_cnt;

static bool
seg_contains(const struct vm_phys_seg *seg, vm_paddr_t pa)
{
	return (pa >= seg->start && pa < seg->end);
}

static inline struct vm_phys_seg *
seg_of(vm_paddr_t pa)
{
	struct vm_phys_seg *seg = phys_segs;

	for (; !seg_contains(seg, pa); seg++)
		if (seg->end == 0)
			return (NULL);
	return (seg);
}

void
vm_page_init(vm_page_t m, vm_paddr_t pa, uint8_t flags, vm_memattr_t memattr)
{
	m->phys_addr = pa;
	m->flags = flags;
	m->order = VM_NFREEORDER;
	m->memattr = memattr;
	pmap_page_init(m);
}

void
vm_phys_add_seg(vm_paddr_t start, vm_paddr_t end, struct vm_page *pages)
{
	struct vm_phys_seg *seg = &phys_segs[phys_nsegs];

	KASSERT(phys_nsegs < VM_PHYSSEG_MAX, ("more than %d ranges of RAM", VM_PHYSSEG_MAX));
	if (phys_nsegs == 0) {
		for (int i = 0; i < VM_NFREEORDER; i++)
			TAILQ_INIT(&free_list[i]);
		vm_pgcache_init();
	}
	*seg = (struct vm_phys_seg){.start = start, .end = end, .pages = pages};
	LIST_INSERT_HEAD(&seg_list, seg, link);
	phys_nsegs++;
	for (vm_paddr_t pa = start; pa < end; pa += PAGE_SIZE)
		vm_page_init(&pages[atop(pa - start)], pa, PG_RESERVED, VM_MEMATTR_WRITE_BACK);
}

/* Put the block on its list, merged with as many free buddies as it has. */
static void
block_free(struct vm_phys_seg *seg, vm_paddr_t pa, int order)
{
	vm_paddr_t buddy;
	vm_page_t m;

	mtx_assert_owned(&free_mtx);
	/* LAB(2): as long as the buddy of the block at pa is free, whole and in the segment, take
	 * it off its list; the two are one block of the next order. */
	for (; order < VM_NFREEORDER - 1; order++) {
		buddy = pa ^ ptoa(1ul << order);
		if (!seg_contains(seg, buddy))
			break;
		m = &seg->pages[atop(buddy - seg->start)];
		if (m->order != order)
			break;
		TAILQ_REMOVE(&free_list[order], m, plinks);
		m->order = VM_NFREEORDER;
		pa = MIN(pa, buddy);
	}
	/* LAB(2) starter:
	 *	(void)buddy;
	 */
	/* LAB(2) end */
	m = &seg->pages[atop(pa - seg->start)];
	m->order = order;
	TAILQ_INSERT_HEAD(&free_list[order], m, plinks);
}

void
vm_phys_free_range(vm_paddr_t start, vm_paddr_t end)
{
	struct vm_phys_seg *seg = seg_of(start);
	int order;

	if (seg == NULL || start >= end)
		return;
	for (vm_paddr_t pa = start; pa < end; pa += PAGE_SIZE)
		seg->pages[atop(pa - seg->start)].flags &= ~PG_RESERVED;
	mtx_lock(&free_mtx);
	vm_cnt.v_page_count += atop(end - start);
	vm_cnt.v_free_count += atop(end - start);
	vm_cnt.v_free_reserved = MIN(MAX(vm_cnt.v_page_count / 64, 64), 2048);
	vm_cnt.v_free_target = 2 * vm_cnt.v_free_reserved;
	for (vm_paddr_t pa = start; pa < end; pa += ptoa(1ul << order)) {
		order = MIN(__builtin_ctzl(atop(pa) | 1ul << (VM_NFREEORDER - 1)),
			    63 - __builtin_clzl(atop(end - pa)));
		block_free(seg, pa, order);
	}
	mtx_unlock(&free_mtx);
}

/* Take the smallest block that will do and give back its upper halves. */
static vm_page_t
block_alloc(int order)
{
	vm_page_t m, upper;
	int k;

	mtx_assert_owned(&free_mtx);
	/* LAB(2): find the smallest block that will do and take it off its list; as long as it is
	 * too large, its upper half is a free block of its own. NULL: there is none. */
	for (k = order; k < VM_NFREEORDER && TAILQ_EMPTY(&free_list[k]); k++)
		continue;
	if (k == VM_NFREEORDER)
		return (NULL);
	m = TAILQ_FIRST(&free_list[k]);
	TAILQ_REMOVE(&free_list[k], m, plinks);
	m->order = VM_NFREEORDER;
	while (k > order) {
		upper = m + (1ul << --k);
		upper->order = k;
		TAILQ_INSERT_HEAD(&free_list[k], upper, plinks);
	}
	/* LAB(2) starter:
	 *	// For now all is cut into pieces of the order asked for: large blocks are soon gone.
	 *	k = TAILQ_EMPTY(&free_list[order]) ? VM_NFREEORDER - 1 : order;
	 *	while (k > order && TAILQ_EMPTY(&free_list[k]))
	 *		k--;
	 *	m = TAILQ_FIRST(&free_list[k]);
	 *	if (m == NULL)
	 *		return (NULL);
	 *	TAILQ_REMOVE(&free_list[k], m, plinks);
	 *	m->order = VM_NFREEORDER;
	 *	for (upper = m + (1ul << k); (upper -= 1ul << order) > m;) {
	 *		upper->order = order;
	 *		TAILQ_INSERT_HEAD(&free_list[order], upper, plinks);
	 *	}
	 */
	/* LAB(2) end */
	vm_cnt.v_free_count -= 1ul << order;
	return (m);
}

uint64_t
vm_phys_free_blocks(int order)
{
	uint64_t n = 0;
	vm_page_t m;

	mtx_lock(&free_mtx);
	TAILQ_FOREACH (m, &free_list[order], plinks)
		n++;
	mtx_unlock(&free_mtx);
	return (n);
}

static void
assert_freeable(vm_page_t m __unused)
{
	KASSERT(seg_of(m->phys_addr) != NULL && (m->flags & (PG_FICTITIOUS | PG_RESERVED)) == 0 &&
		    m->order == VM_NFREEORDER && m->queue == PQ_NONE && m->wire_count == 0,
		("vm_phys_free: page %#lx: flags %#x order %d queue %d wired %u", m->phys_addr,
		 m->flags, m->order, m->queue, m->wire_count));
}

unsigned
vm_phys_alloc_list(struct pglist *pages, unsigned n)
{
	unsigned got = 0;
	vm_page_t m;

	mtx_lock(&free_mtx);
	for (; got < n && (m = block_alloc(0)) != NULL; got++)
		TAILQ_INSERT_TAIL(pages, m, plinks);
	mtx_unlock(&free_mtx);
	return (got);
}

/* The largest block that begins with pages[0] and that the n pages have all frames of: its order. */
static int
order_of_run(const vm_page_t *pages, unsigned n)
{
	uint64_t frame = atop(pages[0]->phys_addr) | 1ul << (VM_NFREEORDER - 1);
	unsigned max = MIN(n, (unsigned)(frame & -frame)), run = 1;

	while (run < max && pages[run] == pages[0] + run)
		run++;
	return (31 - __builtin_clz(run));
}

void
vm_phys_free_all(const vm_page_t *pages, unsigned n)
{
	int order;

	mtx_lock(&free_mtx);
	vm_cnt.v_free_count += n;
	for (unsigned i = 0; i < n; i++)
		assert_freeable(pages[i]);
	for (; n > 0; n -= 1u << order, pages += 1u << order) {
		order = order_of_run(pages, n);
		block_free(seg_of(pages[0]->phys_addr), pages[0]->phys_addr, order);
	}
	mtx_unlock(&free_mtx);
}

/* Leaving the reserve to those who may have it. */
static vm_page_t
block_alloc_locked(int order, int req)
{
	uint64_t floor = (req & VM_ALLOC_SYSTEM) != 0 ? 0 : vm_cnt.v_free_reserved;
	vm_page_t m = NULL;

	mtx_lock(&free_mtx);
	if (vm_cnt.v_free_count >= floor + (1ul << order))
		m = block_alloc(order);
	mtx_unlock(&free_mtx);
	if (__predict_false(vm_cnt.v_free_count < vm_cnt.v_free_target))
		vm_pageout_wakeup();
	return (m);
}

vm_page_t
vm_phys_alloc(int order, int req)
{
	vm_page_t m;

	KASSERT(order >= 0 && order < VM_NFREEORDER, ("vm_phys_alloc: order %d", order));
	m = order == 0 && cpu_count() > 1 ? vm_pgcache_alloc() : NULL;
	if (m == NULL)
		m = block_alloc_locked(order, req);
	if (__predict_false(m == NULL) && vm_pgcache_drain())
		m = block_alloc_locked(order, req);
	if (m == NULL)
		return (NULL);
	for (vm_page_t p = m; p < m + (1ul << order); p++) {
		KASSERT(p->object == NULL && p->busy == VPB_UNBUSIED && p->wire_count == 0 &&
			    p->hold_count == 0,
			("free page %#lx is in use", p->phys_addr));
		p->valid = p->dirty = false;
		if ((req & VM_ALLOC_ZERO) != 0)
			pmap_zero_page(p);
	}
	return (m);
}

void
vm_phys_free(vm_page_t m, int order)
{
	assert_freeable(m);
	if (order == 0 && cpu_count() > 1 && vm_pgcache_free(m))
		return;
	mtx_lock(&free_mtx);
	vm_cnt.v_free_count += 1ul << order;
	block_free(seg_of(m->phys_addr), m->phys_addr, order);
	mtx_unlock(&free_mtx);
}

void
vm_phys_find(vm_paddr_t pa, struct vm_phys_range *range)
{
	struct vm_phys_seg *seg = seg_of(pa);

	if (seg != NULL) {
		*range = (struct vm_phys_range){seg->start, seg->end - seg->start, seg->pages};
		return;
	}
	*range = (struct vm_phys_range){0};
	mtx_lock(&free_mtx);
	LIST_FOREACH (seg, &seg_list, link)
		if (seg_contains(seg, pa))
			*range =
			    (struct vm_phys_range){seg->start, seg->end - seg->start, seg->pages};
	mtx_unlock(&free_mtx);
}

bool
vm_phys_ram(int i, struct vm_phys_range *range)
{
	const struct vm_phys_seg *seg = &phys_segs[i];

	if (i >= phys_nsegs)
		return (false);
	*range = (struct vm_phys_range){seg->start, seg->end - seg->start, seg->pages};
	return (true);
}

vm_page_t
vm_phys_fictitious_to_vm_page(vm_paddr_t pa)
{
	vm_page_t m = PHYS_TO_VM_PAGE(pa);

	return (m != NULL && (m->flags & PG_FICTITIOUS) != 0 ? m : NULL);
}

/* Of a frame that is not RAM. */
static vm_page_t __slow_path
device_page(vm_paddr_t pa)
{
	struct vm_phys_range range;

	vm_phys_find(pa, &range);
	return (range.pages != NULL ? &range.pages[atop(pa - range.start)] : NULL);
}

vm_page_t
PHYS_TO_VM_PAGE(vm_paddr_t pa)
{
	struct vm_phys_seg *seg = seg_of(pa);

	return (__predict_true(seg != NULL) ? &seg->pages[atop(pa - seg->start)] : device_page(pa));
}

/* Is part of it a segment's, of another attribute than that (or of any: ATTR_NONE)? */
#define ATTR_NONE (-1)
static bool
range_taken(vm_paddr_t start, vm_paddr_t end, int memattr)
{
	struct vm_phys_seg *seg;

	LIST_FOREACH (seg, &seg_list, link)
		if (start < seg->end && end > seg->start && seg->pages[0].memattr != memattr)
			return (true);
	return (false);
}

bool
vm_phys_attribute_ok(vm_paddr_t start, vm_paddr_t end, vm_memattr_t memattr)
{
	bool taken;

	mtx_lock(&free_mtx);
	taken = range_taken(start, end, memattr);
	mtx_unlock(&free_mtx);
	return (!taken);
}

/* One page more than there are frames is kept, zeroed, so that vm_page_next may look past the
 * end. */
static vm_size_t
fict_bytes(vm_paddr_t start, vm_paddr_t end)
{
	return ((atop(end - start) + 1) * sizeof(struct vm_page));
}

/* The block about pa lies in [start, end). */
static bool
block_inside(vm_paddr_t pa, vm_paddr_t start, vm_paddr_t end)
{
	vm_paddr_t block = rounddown2(pa, ptoa(VM_SUPERPAGE_PAGES));

	return (block >= start && end - block >= ptoa(VM_SUPERPAGE_PAGES));
}

int
vm_phys_fictitious_reg_range(vm_paddr_t start, vm_paddr_t end, vm_memattr_t memattr)
{
	struct vm_phys_seg *seg;
	struct vm_page *pages;
	bool taken;

	if (start >= end || ((start | end) & PAGE_MASK) != 0)
		return (EINVAL);
	seg = kmalloc(sizeof(*seg), M_ZERO);
	pages = seg != NULL ? pmap_alloc_page_array(fict_bytes(start, end)) : NULL;
	if (pages == NULL) {
		kfree(seg);
		return (ENOMEM);
	}
	for (vm_paddr_t pa = start; pa < end; pa += PAGE_SIZE)
		vm_page_init(&pages[atop(pa - start)], pa,
			     PG_FICTITIOUS | (block_inside(pa, start, end) ? PG_BLOCK : 0),
			     memattr);
	*seg = (struct vm_phys_seg){.start = start, .end = end, .pages = pages};
	mtx_lock(&free_mtx);
	taken = range_taken(start, end, ATTR_NONE);
	if (!taken) {
		LIST_INSERT_HEAD(&seg_list, seg, link);
		vm_cnt.v_fictitious += atop(end - start);
	}
	mtx_unlock(&free_mtx);
	if (taken) {
		pmap_free_page_array(pages, fict_bytes(start, end));
		kfree(seg);
		return (EEXIST);
	}
	return (0);
}

void
vm_phys_fictitious_unreg_range(vm_paddr_t start, vm_paddr_t end)
{
	struct vm_phys_seg *seg;

	mtx_lock(&free_mtx);
	LIST_FOREACH (seg, &seg_list, link)
		if (seg->start == start && seg->end == end)
			break;
	KASSERT(seg != NULL, ("no fictitious range [%#lx, %#lx)", start, end));
	LIST_REMOVE(seg, link);
	vm_cnt.v_fictitious -= atop(end - start);
	mtx_unlock(&free_mtx);
	pmap_free_page_array(seg->pages, fict_bytes(start, end));
	kfree(seg);
}

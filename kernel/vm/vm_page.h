/*
 * One vm_page for every physical frame, RAM or (registered) device memory: who owns it, where in
 * which object it stands, and what may be done with it now.
 *
 * Page states
 *   busy    Somebody is changing the page's contents or identity. Exclusive (xbusy, one thread, who
 *           is recorded) or shared (sbusy, a count). Whoever finds a page busy sleeps and looks again.
 *   valid   The contents are what the object says they are.   dirty  They differ from the store.
 *   wired   Not to be reclaimed or moved (a count): mlock and the kernel's own.
 *   held    Not to be reused although its object may let go of it (a count): short, for copies.
 *   tracked Not to be mapped writable before its pager was asked about a write (W1). Its pager sets
 *           it, in an OBJ_WRITE_NOTIFY object; the fault that resolves the write clears it. A
 *           registered device page keeps it while it stands in no object, for its driver. Of a
 *           superpage each page has its own.
 * A page's identity (object, pindex) changes only with the object write-locked and the page xbusied.
 *
 * Superpages: device frames come in blocks of VM_SUPERPAGE_PAGES, aligned to that. A pager may put
 * a whole block, or many that follow each other, into an object as one superpage, at little more
 * than the cost of one page. Then the first page speaks for all of them: object, pindex, busy,
 * valid and dirty are its; those of the others mean nothing. vm_page_unit() leads from any page to
 * the one that speaks for it. To take a part away, the superpage is split: each block, and then
 * each page, stands for itself again.
 */
#pragma once

#include "vm/vm.h"
#include "vm/pmap.h"
#include "kern/lock.h"
#include "machine/counter_md.h"

/*
 * Locks: (c) constant after set-up  (o) the object's lock  (q) page queue lock, or the free-page
 * lock while the page is free  (p) the pmap's pv lock  (a) atomic
 */
struct vm_page {
	union {
		TAILQ_ENTRY(vm_page) plinks; /* (q) RAM: page queue or free list */
		struct { /* the first page of a block (PG_BLOCK): what is kept once for all of it */
			uint32_t wired; /* (a) wirings of its pages */
			uint16_t standing; /* (a) pages of it that stand in some object */
			uint16_t members; /* (o) of these, in an object's `supers` */
			bool whole; /* (o) they are one superpage, or part of a larger one: */
			uint16_t before; /* (o) blocks of that in front of this one */
			uint16_t run; /* (o) blocks of it, if this is its first */
		} block;
	};
	vm_object_t object; /* (o) NULL: free, or the kernel's own */
	vm_pindex_t pindex; /* (o) index in object; kmalloc keeps its slab here when NULL */
	vm_paddr_t phys_addr; /* (c) */
	struct md_page md; /* (p) */
	uintptr_t busy; /* (a) VPB_* */
	uint32_t wire_count; /* (a) */
	uint32_t hold_count; /* (a) */
	uint8_t flags; /* (c) PG_FICTITIOUS.. but PG_FREE_ON_UNHOLD, which is (a), and PG_TABLE */
	uint8_t queue; /* (q) PQ_* */
	uint8_t order; /* (q) of the free block this page heads, or VM_NFREEORDER */
	vm_memattr_t memattr; /* (c) of device frames; set when the range is registered (A1) */
	bool valid; /* (o) */
	bool dirty; /* (o) */
	bool tracked; /* (o) to set, no lock to clear: see below */
};
TAILQ_HEAD(pglist, vm_page);

#define PG_FICTITIOUS     0x01 /* frame is not RAM: never handed to the free lists */
#define PG_UNMANAGED      0x02 /* no pv entries; cannot be taken out of every map */
#define PG_FREE_ON_UNHOLD 0x04 /* let go by its object while held: the last unhold frees it */
#define PG_RESERVED       0x08 /* never free: firmware's, or the kernel image */
#define PG_FAKE           0x10 /* made by vm_fake.c, for one index of one object */
#define PG_BLOCK          0x20 /* device frame of a whole block: all of it is in one array */
#define PG_TABLE          0x40 /* a page table; the pmap sets and clears it */

#define VM_SUPERPAGE_PAGES (1ul << VM_SUPERPAGE_ORDER)

#define VPB_UNBUSIED 0ul
#define VPB_SHARED   1ul /* one reader: VPB_READER per holder is added */
#define VPB_WAITERS  2ul /* somebody sleeps on the page */
#define VPB_EXCL     4ul /* or'ed with the owning thread */
#define VPB_READER   16ul

enum { PQ_NONE, PQ_INACTIVE, PQ_ACTIVE, PQ_LAUNDRY, PQ_COUNT }; /* vm_pagequeue.c */

#define VM_NFREEORDER 11 /* free blocks of 2^0 .. 2^10 pages (4 MiB) */

/* Whom an allocation is for; the reserve keeps the kernel going when programs took all else. */
#define VM_ALLOC_NORMAL 0x0 /* leaves vm_cnt.v_free_reserved pages */
#define VM_ALLOC_SYSTEM 0x1 /* may take the reserve: page tables, kmalloc */
#define VM_ALLOC_ZERO   0x2 /* fill with zeros */

/* --- vm_pgcache.c: free pages at hand for each CPU -------------------------------------------- */

void vm_pgcache_init(void);
/* A page as vm_phys_alloc's callers want it, or NULL: ask vm_phys. */
vm_page_t vm_pgcache_alloc(void);
/* False: it goes to vm_phys. */
bool vm_pgcache_free(vm_page_t m);
/* All back to vm_phys, which has none; true if there was one. */
bool vm_pgcache_drain(void);
/* Free pages: in blocks (vm_cnt.v_free_count is given), at hand, and the pmap's in store. */
uint64_t vm_free_count(const uint64_t *blocks);
#define VM_FREE_COUNT() vm_free_count(&vm_cnt.v_free_count)

/* --- vm_phys.c: frames, free blocks, registered device ranges ------------------------------- */

/* Give the allocator the RAM [start, end), page-aligned; pages[] holds a vm_page for each frame
 * and one more, zeroed. Called at boot, before vm_init, for each range of the memory map. */
void vm_phys_add_seg(vm_paddr_t start, vm_paddr_t end, struct vm_page *pages);
/* Hand frames of an added segment to the free lists; they are PG_RESERVED until then. */
void vm_phys_free_range(vm_paddr_t start, vm_paddr_t end);
/* A range of frames, RAM or registered, and their pages; for who looks up many neighbours. */
struct vm_phys_range {
	vm_paddr_t start;
	vm_size_t size; /* bytes; 0: none */
	struct vm_page *pages;
};
/* The range that has pa, if there is one. It holds while a page of it stands in an object. */
void vm_phys_find(vm_paddr_t pa, struct vm_phys_range *range);
/* The i-th range of RAM; false: there are not as many. */
bool vm_phys_ram(int i, struct vm_phys_range *range);
/* The page of a frame, or NULL when nobody registered it. */
vm_page_t PHYS_TO_VM_PAGE(vm_paddr_t pa);
/* How many free blocks of that order there are. */
uint64_t vm_phys_free_blocks(int order);
/* A block of 2^order frames, aligned to its size; req: VM_ALLOC_*. NULL when there is none. */
vm_page_t vm_phys_alloc(int order, int req);
void vm_phys_free(vm_page_t m, int order);
/* At most n single pages to the tail of a list, at once and without regard to the reserve; how
 * many. */
unsigned vm_phys_alloc_list(struct pglist *pages, unsigned n);
/* n single pages at once. */
void vm_phys_free_all(const vm_page_t *pages, unsigned n);
/*
 * Describe device frames [start, end) by fictitious pages, so that they can stand in objects and
 * have pv lists; memattr holds for every mapping of them (A1). EEXIST if part is registered
 * already or is RAM, ENOMEM.
 */
int vm_phys_fictitious_reg_range(vm_paddr_t start, vm_paddr_t end, vm_memattr_t memattr);
/* No page of it may stand in an object any more. */
void vm_phys_fictitious_unreg_range(vm_paddr_t start, vm_paddr_t end);
vm_page_t vm_phys_fictitious_to_vm_page(vm_paddr_t pa);
/* May [start, end) be mapped with memattr? Not if it is RAM or registered with another (A1). */
bool vm_phys_attribute_ok(vm_paddr_t start, vm_paddr_t end, vm_memattr_t memattr);
/* Fill in what is constant of the zeroed *m. */
void vm_page_init(vm_page_t m, vm_paddr_t pa, uint8_t flags, vm_memattr_t memattr);
/* A page of zeros for all reads of private memory that nobody has written. It stands in no object,
 * nobody keeps track of who maps it, and as it is tracked, none does so writable. (c) */
extern vm_page_t vm_zero_page;
/* At boot: it is to be m, a reserved page. */
void vm_page_set_zero(vm_page_t m);

/* --- vm_fake.c: pages made for one index ----------------------------------------------------- */

/* A page of its own for device frame pa, unmanaged, valid (U2); vm_page_free ends it. NULL:
 * ENOMEM, or an attribute that the frame cannot have (asserted). */
vm_page_t vm_page_getfake(vm_paddr_t pa, vm_memattr_t memattr);
/* The same for VM_SUPERPAGE_PAGES frames from pa on, which is aligned to that: a block, its first
 * page. It goes into an object whole, by vm_page_insert_super. */
vm_page_t vm_page_getfake_super(vm_paddr_t pa, vm_memattr_t memattr);
/* For vm_page.c: m, of a block or not, is held; n pages or holds of it are no more, and so perhaps
 * its memory. */
void vm_page_fake_hold(vm_page_t m);
void vm_page_fake_release(vm_page_t m, vm_pindex_t n);
static inline bool
vm_page_is_fake_block(vm_page_t m)
{
	return ((m->flags & (PG_FAKE | PG_BLOCK)) == (PG_FAKE | PG_BLOCK));
}

/* --- vm_page.c: a page's life and its states ------------------------------------------------- */

/*
 * A new page at object[pindex], xbusied, not valid (zeroed with VM_ALLOC_ZERO). The object is
 * write-locked. NULL when memory is short (then vm_wait() and look again) or the index is taken.
 */
vm_page_t vm_page_alloc(vm_object_t object, vm_pindex_t pindex, int req);
/* Out of its object (write-locked, page xbusied by the caller or never busied) and free, or free at
 * the last unhold. Must not be wired or mapped. Fictitious pages only leave the object. */
void vm_page_free(vm_page_t m);
/* The same for many, which come to the free lists by batches, with each lock taken once for all of
 * a batch. It begins empty, and ends with vm_page_free_batch. */
struct vm_page_batch {
	unsigned n;
	vm_page_t pages[64];
};
void vm_page_free_later(vm_page_t m, struct vm_page_batch *batch);
void vm_page_free_batch(struct vm_page_batch *batch);
/*
 * Put m at object[pindex]. The object is write-locked; m stands nowhere. 0; ENOMEM; EEXIST when
 * the index is taken or m already stands somewhere (P21): nothing changed then.
 */
int vm_page_insert(vm_page_t m, vm_object_t object, vm_pindex_t pindex);
/*
 * Put the block that m, xbusied, is the first page of at object[pindex] as one superpage, and with
 * it as many of the blocks after it as can be had and max, in pages, allows: vm_page_unit_pages(m)
 * tells. The object is write-locked. 0; ENOMEM; EINVAL when m begins no block, or pindex is not a
 * multiple of VM_SUPERPAGE_PAGES or too near the object's end, or max too small; EEXIST when
 * something stands there, or a page of the block stands anywhere (P21): nothing changed then.
 */
int vm_page_insert_super(vm_page_t m, vm_object_t object, vm_pindex_t pindex, vm_pindex_t max);
/*
 * Let each block of the superpage m be a superpage of its own; or if it is one block, let each page
 * speak for itself. The object is write-locked, m is xbusied by the caller and stays so, the others
 * are not busy. Cannot fail.
 */
void vm_page_split(vm_page_t m);
/* Move m, no superpage, to object[pindex], which is free; both objects are write-locked. The
 * page keeps its state and its mappings. 0, or ENOMEM: nothing changed. */
int vm_page_rename(vm_page_t m, vm_object_t object, vm_pindex_t pindex);
/* Take m (or the superpage m) out of its object, write-locked. It keeps its busy state, wirings and
 * holds. */
void vm_page_remove(vm_page_t m);
/* The page at object[pindex] or NULL; object locked either way. */
vm_page_t vm_page_lookup(vm_object_t object, vm_pindex_t pindex);
/* The first page of m's block. */
static inline vm_page_t
vm_page_block(vm_page_t m)
{
	return (m - (atop(m->phys_addr) & (VM_SUPERPAGE_PAGES - 1)));
}

/* The page that speaks for m: the first of the superpage that m is part of, or m itself. */
static inline vm_page_t
vm_page_unit(vm_page_t m)
{
	vm_page_t head;

	if (__predict_true((m->flags & PG_BLOCK) == 0))
		return (m);
	head = vm_page_block(m);
	return (head->block.whole ? head - head->block.before * VM_SUPERPAGE_PAGES : m);
}

/* How many pages unit, which speaks for itself, speaks for. */
static inline vm_pindex_t
vm_page_unit_pages(vm_page_t unit)
{
	return ((unit->flags & PG_BLOCK) != 0 &&
			(atop(unit->phys_addr) & (VM_SUPERPAGE_PAGES - 1)) == 0 && unit->block.whole
		    ? unit->block.run * VM_SUPERPAGE_PAGES
		    : 1);
}

/* Where m stands; its own pindex is not to be trusted when it is part of a superpage. */
static inline vm_pindex_t
vm_page_pindex(vm_page_t m)
{
	vm_page_t unit = vm_page_unit(m);

	return (unit->pindex + (vm_pindex_t)(m - unit));
}
/*
 * The pages of a range of frames (or of a fake block) lie in one array, which has an empty element past its end, mostly
 * in the order of their object. Is what stands right after unit, a page or superpage, in its object
 * the next element? That speaks for itself, too: it is no part of a superpage, but perhaps the
 * first page of one.
 */
static inline bool
vm_page_adjoins(vm_page_t unit)
{
	vm_pindex_t n = vm_page_unit_pages(unit);

	return ((unit->flags & (PG_FAKE | PG_BLOCK)) != PG_FAKE && unit[n].object == unit->object &&
		unit[n].pindex == unit->pindex + n);
}

/* What stands right after unit in its object, or NULL. Object locked either way. */
static inline vm_page_t
vm_page_next(vm_page_t unit)
{
	vm_pindex_t n = vm_page_unit_pages(unit);

	return (vm_page_adjoins(unit) ? unit + n : vm_page_lookup(unit->object, unit->pindex + n));
}
/* The first page at or after pindex, or NULL; object locked either way. */
vm_page_t vm_page_find_least(vm_object_t object, vm_pindex_t pindex);

/* Busy, together with the superpage it is part of. try: false when busied. xunbusy and sunbusy wake
 * those who sleep. */
bool vm_page_tryxbusy(vm_page_t m);
bool vm_page_trysbusy(vm_page_t m);
void vm_page_xunbusy(vm_page_t m);
void vm_page_sunbusy(vm_page_t m);
static inline bool
vm_page_busied(vm_page_t m)
{
	return (vm_page_unit(m)->busy != VPB_UNBUSIED);
}
/* Exclusively, by this thread. */
bool vm_page_xbusied(vm_page_t m);
/*
 * Sleep until m may have become unbusied. m->object is write-locked on entry and unlocked on
 * return; the page may be gone. 0, or EINTR when the thread is killed.
 */
int vm_page_busy_sleep(vm_page_t m);
/* The same for those who must go on: a kill does not end it. */
void vm_page_busy_wait(vm_page_t m);

void vm_page_wire(vm_page_t m);
/* The last unwiring puts a page that stands in an object on the active queue. */
void vm_page_unwire(vm_page_t m);
/* Undo the wirings of a page or superpage m: its device or file takes it back. */
void vm_page_unwire_all(vm_page_t m);
void vm_page_hold(vm_page_t m);
void vm_page_unhold(vm_page_t m);

/* Queues: only managed RAM pages that are not wired are queued; others are let be. */
void vm_page_activate(vm_page_t m);
void vm_page_deactivate(vm_page_t m);
void vm_page_launder(vm_page_t m);
void vm_page_dequeue(vm_page_t m);
void vm_page_dequeue_all(const vm_page_t *pages, unsigned n);
uint64_t vm_page_queue_count(int queue);
/* A look at each page of a queue once: begins as {.queue = PQ_*}. */
struct vm_page_scan {
	int queue;
	int set; /* the next to come to */
	uint64_t left; /* pages of the one before that */
};
/* The next page, with its object write-locked; *m NULL: the object is in use, the page passed over.
 * False: that was all. */
bool vm_page_queue_next(struct vm_page_scan *scan, vm_page_t *m);

void vm_page_dirty(vm_page_t m); /* object write-locked or page xbusied */

/* --- vm_commit.c: promises ------------------------------------------------------------------- */

enum { VM_OVERCOMMIT_GUESS, VM_OVERCOMMIT_ALWAYS, VM_OVERCOMMIT_NEVER };
extern uint32_t vm_overcommit_memory; /* (a) one of these */
/* Promise pages to a process that has size bytes mapped. False: policy forbids it (ENOMEM). */
bool vm_commit(uint64_t pages, vm_size_t size);
void vm_uncommit(uint64_t pages);
/* Under strict accounting so many pages can be promised; is it in force? */
uint64_t vm_commit_limit(void);
bool vm_commit_strict(void);

/* Wait until pages are freed; no lock held. EINTR when the thread is killed instead (perhaps by the
 * wait itself, which drops pages, and calls vm_oom when there is none to drop). */
int vm_wait(void);
/* Supplied by kern: choose and kill a process to get memory back. False when there is none. */
bool vm_oom(void);

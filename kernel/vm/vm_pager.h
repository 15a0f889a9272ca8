/*
 * Pagers: how each type of object gets its absent pages. A table by object type; one file a pager
 * (anon_pager.c, vnode_pager.c, device_pager.c, phys_pager.c). The populate contract's clauses
 * (P1..) are those of docs/populate.md.
 */
#pragma once

#include "vm/vm.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"

/* What a pager answers. */
enum {
	VM_PAGER_OK = 0,
	VM_PAGER_BAD, /* populate: not this time, use getpages (P8). getpages: no such page */
	VM_PAGER_FAIL, /* the page cannot be had: SIGBUS */
	VM_PAGER_ERROR, /* I/O error: SIGBUS */
	VM_PAGER_AGAIN, /* short of something: wait for memory and start over (P9) */
};

/*
 * Every method but dealloc is called with the object write-locked and returns with it so; it may
 * let go in between. paging_in_progress is held over the call.
 */
struct pagerops {
	const char *pgo_name;
	/* The last reference went, no page is left, nobody can reach the object: no lock is
	 * held. Ends by vm_object_free, perhaps later. NULL: that is all there is to do. */
	void (*pgo_dealloc)(vm_object_t object);
	/* Fill *m, xbusied and standing in the object; may put another page there (a device
	 * does), which is then *m, xbusied and valid. NULL: this pager has none (P3). */
	int (*pgo_getpages)(vm_object_t object, vm_page_t *m, int fault_type);
	/* A page that is not dirty may be dropped: it can be made again, the same
	 * (vm_pageout.c). */
	bool pgo_clean;
	/* docs/populate.md; NULL when the type has none. */
	int (*pgo_populate)(vm_object_t object, vm_pindex_t pidx, int fault_type,
			    vm_prot_t max_prot, vm_pindex_t *first, vm_pindex_t *last);
};
extern const struct pagerops *const pagertab[OBJT_COUNT];
extern const struct pagerops anon_pager_ops, vnode_pager_ops, device_pager_ops, phys_pager_ops;

/* Who to name in a message: the driver, or the pager. */
const char *vm_pager_name(vm_object_t object);
int vm_pager_get_page(vm_object_t object, vm_page_t *m, int fault_type);
/*
 * Call the pager's populate, having asserted P5; on return asserts P20 (and P8, P9: no page of
 * the hint left busy). Same arguments and answer as pgo_populate.
 */
int vm_pager_populate(vm_object_t object, vm_pindex_t pidx, int fault_type, vm_prot_t max_prot,
		      vm_pindex_t *first, vm_pindex_t *last);

/*
 * For a populate method that has m busied: its neighbours in [*first, *last] are taken on both
 * sides, up to the first that cannot be; *first and *last become what is busied. take is given an
 * index and the page that stands there, or NULL; it returns the page, xbusied and valid, or NULL:
 * no.
 */
typedef vm_page_t vm_pager_take_fn(vm_object_t object, vm_pindex_t pindex, vm_page_t m);
static inline void
vm_pager_widen(vm_page_t m, vm_pindex_t *first, vm_pindex_t *last, vm_pager_take_fn *take)
{
	vm_object_t object = m->object;
	vm_pindex_t lo = m->pindex, hi = lo, end = *last;

	while (hi < end && (m = take(object, hi + 1, vm_page_next(m))) != NULL)
		hi++;
	while (lo > *first && take(object, lo - 1, vm_page_lookup(object, lo - 1)) != NULL)
		lo--;
	*first = lo;
	*last = hi;
}

/* --- device_pager.c ------------------------------------------------------------------------ */

/* What a driver supplies; needs cdev_pg_fault or cdev_pg_populate or both (P2). */
struct cdev_pager_ops {
	/* Put the right page in *m (see pgo_getpages); offset in bytes. */
	int (*cdev_pg_fault)(vm_object_t object, vm_ooffset_t offset, int prot, vm_page_t *m);
	int (*cdev_pg_populate)(vm_object_t object, vm_pindex_t pidx, int fault_type,
				vm_prot_t max_prot, vm_pindex_t *first, vm_pindex_t *last);
	/* Once when the object is made, and once after its last mapping went. ctor: 0 or an
	 * errno. */
	int (*cdev_pg_ctor)(void *handle, vm_ooffset_t size, vm_prot_t prot, vm_ooffset_t foff);
	void (*cdev_pg_dtor)(void *handle);
};
/*
 * The object of the device known by handle, made at the first call and shared by all later ones:
 * the caller gets a reference. type: OBJT_DEVICE (unmanaged) or OBJT_MGTDEVICE. size in bytes
 * covers foff + length of the mapping. NULL and *error (EINVAL for bad ops or type, ENOMEM, or what
 * ctor said).
 */
vm_object_t cdev_pager_allocate(void *handle, enum obj_type type, const struct cdev_pager_ops *ops,
				const char *name, vm_ooffset_t size, vm_prot_t prot,
				vm_ooffset_t foff, int *error);
/* The object made for handle, with a reference, or NULL. */
vm_object_t cdev_pager_lookup(void *handle);
/*
 * Take back the pages of [start, end): out of every page table, no TLB holds them on return, then
 * out of the object (R1); wired ones too, mlock notwithstanding, and their wirings end. The next
 * touch asks the driver again. A call of the driver's that is under way starts over (R3), so the
 * driver first changes what it would answer, then revokes.
 * The caller holds a reference (cdev_pager_lookup), and lets go of it by
 * vm_object_deallocate_later if it holds locks (R4): its own are allowed, but none that its
 * methods wait for with pages busied. The object is not locked.
 * 0, or EOPNOTSUPP: unmanaged pages cannot be found in page tables.
 */
int cdev_pager_revoke(vm_object_t object, vm_pindex_t start, vm_pindex_t end);

/* --- phys_pager.c, vnode_pager.c -------------------------------------------------------------- */

/* Zero-filled RAM of size pages, never reclaimed, that programs can map and the kernel shares.
 * NULL: ENOMEM. */
vm_object_t phys_pager_allocate(vm_pindex_t size);
/* Fault-around: a read of a mapped file page maps the resident pages of its window of so many,
 * too; 0 or 1: it alone. */
extern uint32_t vm_fault_around; /* (a) */
#define VM_FAULT_AROUND_MAX 512
/* A file's object; getpage fills one absent page (a hole if NULL: zeros), the same each time, with
 * the object locked. NULL: ENOMEM. */
vm_object_t vnode_pager_allocate(void *handle, vm_pindex_t size,
				 int (*getpage)(void *handle, vm_page_t m));

/*
 * A page's life: made at an index of an object, busied, filled, wired, queued, let go. Owns
 * the sleep on busy pages and the wait for free ones; the queues are vm_pagequeue.c's.
 */
#include "vm/vm_page.h"
#include "vm/vm_pageout.h"
#include "vm/vm_super.h"
#include "machine/thread_md.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"

#define RECLAIM_BATCH 32 /* pages that who waits for memory frees at a time */
/* Closes the gap between "the page is busy" and the sleep: whoever wakes takes it too. */
static struct mtx busy_mtx = MTX_INITIALIZER("busy pages", LR_LEAF);
static struct mtx wait_mtx = MTX_INITIALIZER("free page wait", LR_LEAF);

vm_page_t vm_zero_page;

static bool
is_ram(vm_page_t m)
{
	return ((m->flags & PG_FICTITIOUS) == 0);
}

void
vm_page_set_zero(vm_page_t m)
{
	m->flags |= PG_UNMANAGED;
	m->valid = m->tracked = true;
	vm_zero_page = m;
}

vm_page_t
vm_page_alloc(vm_object_t object, vm_pindex_t pindex, int req)
{
	vm_page_t m;

	VM_OBJECT_ASSERT_WLOCKED(object);
	m = vm_phys_alloc(0, req);
	if (m == NULL)
		return (NULL);
	vm_page_tryxbusy(m);
	if (vm_page_insert(m, object, pindex) != 0) {
		vm_page_free(m);
		return (NULL);
	}
	return (m);
}

/* n pages have become free: vm_wait's sleepers look at the count again. */
static void
pages_freed(unsigned n)
{
	if (vm_cnt.v_free_count <= vm_cnt.v_free_reserved + n)
		wakeup(&vm_cnt.v_free_count);
}

/* Is it the caller who frees a page that stands in no object, and was held? */
static bool
take_free_on_unhold(vm_page_t m)
{
	return ((__atomic_fetch_and(&m->flags, ~PG_FREE_ON_UNHOLD, __ATOMIC_SEQ_CST) &
		 PG_FREE_ON_UNHOLD) != 0);
}

static void
page_release(vm_page_t m)
{
	if ((m->flags & PG_FAKE) != 0) {
		vm_page_fake_release(m, 1);
		return;
	}
	if (!is_ram(m))
		return;
	m->tracked = false;
	vm_phys_free(m, 0);
	pages_freed(1);
}

/* m, held, stands in no object any more: the last unhold frees it. True: that has just gone by, and
 * has not seen what it should do. */
static bool __slow_path
hold_is_gone(vm_page_t m)
{
	vm_page_dequeue(m);
	__atomic_fetch_or(&m->flags, PG_FREE_ON_UNHOLD, __ATOMIC_SEQ_CST);
	return (__atomic_load_n(&m->hold_count, __ATOMIC_SEQ_CST) == 0 && take_free_on_unhold(m));
}

/* Out of its object. True: the frame can be free at once, which is left to the caller; it may be on
 * a queue still. */
static inline bool __attribute__((always_inline)) page_detach(vm_page_t m)
{
	vm_pindex_t n = vm_page_unit_pages(m);

	KASSERT(m->wire_count == 0 && !pmap_page_is_mapped(m),
		("freeing page %#lx: wired %u, or mapped", m->phys_addr, m->wire_count));
	if (m->object != NULL)
		vm_page_remove(m);
	m->valid = m->dirty = false;
	if (m->busy != VPB_UNBUSIED)
		vm_page_xunbusy(m);
	if (vm_page_is_fake_block(m)) {
		vm_page_fake_release(m, n);
		return (false);
	}
	return (m->hold_count == 0 || hold_is_gone(m));
}

void
vm_page_free(vm_page_t m)
{
	if (!page_detach(m))
		return;
	vm_page_dequeue(m);
	page_release(m);
}

void
vm_page_free_later(vm_page_t m, struct vm_page_batch *batch)
{
	if (!is_ram(m)) {
		vm_page_free(m);
	} else if (page_detach(m)) {
		m->tracked = false;
		batch->pages[batch->n++] = m;
		if (batch->n == nitems(batch->pages))
			vm_page_free_batch(batch);
	}
}

void
vm_page_free_batch(struct vm_page_batch *batch)
{
	if (batch->n == 0)
		return;
	vm_page_dequeue_all(batch->pages, batch->n);
	vm_phys_free_all(batch->pages, batch->n);
	pages_freed(batch->n);
	batch->n = 0;
}

/* Of a fake block also before it stands anywhere. */
static bool
part_of_super(vm_page_t m)
{
	return ((m->flags & PG_BLOCK) != 0 && vm_page_block(m)->block.whole);
}

int
vm_page_insert(vm_page_t m, vm_object_t object, vm_pindex_t pindex)
{
	bool place = vm_super_place(object, m, pindex);
	int error = 0;

	VM_OBJECT_ASSERT_WLOCKED(object);
	KASSERT(pindex < object->size, ("page at %#lx of an object of %#lx", pindex, object->size));
	if (vm_page_unit(m)->object != NULL || part_of_super(m) ||
	    (!vm_super_none(object) && vm_page_lookup(object, pindex) != NULL))
		return (EEXIST);
	if (!place)
		error = vm_radix_insert(&object->rtree, pindex, m);
	if (error != 0)
		return (error);
	m->object = object;
	m->pindex = pindex;
	object->resident_page_count++;
	if (object->type == OBJT_VNODE)
		VM_CNT_INC(v_file_count);
	if ((m->flags & PG_BLOCK) != 0)
		vm_super_join(m, place);
	return (0);
}

void
vm_page_remove(vm_page_t m)
{
	vm_object_t object = m->object;
	vm_page_t old = m;

	VM_OBJECT_ASSERT_WLOCKED(object);
	KASSERT(vm_page_unit(m) == m, ("page %#lx is part of a superpage", m->phys_addr));
	object->resident_page_count -= vm_page_unit_pages(m);
	if ((m->flags & PG_BLOCK) == 0 || !vm_super_leave(m))
		old = vm_radix_remove(&object->rtree, m->pindex);
	KASSERT(old == m,
		("page %#lx is not at index %#lx of its object", m->phys_addr, m->pindex));
	(void)old;
	if (object->type == OBJT_VNODE)
		VM_CNT_DEC(v_file_count);
	m->object = NULL;
	m->pindex = 0;
}

int
vm_page_rename(vm_page_t m, vm_object_t object, vm_pindex_t pindex)
{
	int error;

	VM_OBJECT_ASSERT_WLOCKED(object);
	error = vm_radix_insert(&object->rtree, pindex, m);
	if (error != 0)
		return (error);
	vm_page_remove(m);
	m->object = object;
	m->pindex = pindex;
	object->resident_page_count++;
	return (0);
}

vm_page_t
vm_page_lookup(vm_object_t object, vm_pindex_t pindex)
{
	vm_page_t m;

	VM_OBJECT_ASSERT_LOCKED(object);
	if (__predict_false(!vm_super_none(object))) {
		m = vm_super_lookup(object, pindex);
		if (m != NULL)
			return (m);
	}
	return (vm_radix_lookup(&object->rtree, pindex));
}

vm_page_t
vm_page_find_least(vm_object_t object, vm_pindex_t pindex)
{
	vm_pindex_t at;
	vm_page_t m, super;

	VM_OBJECT_ASSERT_LOCKED(object);
	m = vm_radix_lookup_ge(&object->rtree, pindex, &at);
	super = vm_super_none(object) ? NULL : vm_super_find_least(object, pindex);
	return (super != NULL && (m == NULL || vm_page_pindex(super) < at) ? super : m);
}

static bool
busy_cas(vm_page_t m, uintptr_t old, uintptr_t new)
{
	return (__atomic_compare_exchange_n(&m->busy, &old, new, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED));
}

bool
vm_page_tryxbusy(vm_page_t m)
{
	m = vm_page_unit(m);
	if (!busy_cas(m, VPB_UNBUSIED, (uintptr_t)curthread | VPB_EXCL))
		return (false);
	VM_CNT_INC(v_busied);
	return (true);
}

bool
vm_page_trysbusy(vm_page_t m)
{
	uintptr_t x;

	m = vm_page_unit(m);
	do {
		x = m->busy;
		if ((x & (VPB_EXCL | VPB_WAITERS)) != 0)
			return (false);
	} while (!busy_cas(m, x, (x | VPB_SHARED) + VPB_READER));
	VM_CNT_INC(v_busied);
	return (true);
}

/* busy_mtx is taken so that a sleeper that set VPB_WAITERS is on its queue before we wake it. */
static void __attribute__((noinline)) busy_wakeup(vm_page_t m)
{
	mtx_lock(&busy_mtx);
	wakeup(m);
	mtx_unlock(&busy_mtx);
}

void
vm_page_xunbusy(vm_page_t m)
{
	m = vm_page_unit(m);
	KASSERT((m->busy & ~VPB_WAITERS) == ((uintptr_t)curthread | VPB_EXCL),
		("page %#lx is not xbusied by this thread", m->phys_addr));
	VM_CNT_DEC(v_busied);
	if (__predict_false(
		(__atomic_exchange_n(&m->busy, VPB_UNBUSIED, __ATOMIC_SEQ_CST) & VPB_WAITERS) != 0))
		busy_wakeup(m);
}

void
vm_page_sunbusy(vm_page_t m)
{
	uintptr_t x, left;

	m = vm_page_unit(m);
	VM_CNT_DEC(v_busied);
	do {
		x = m->busy;
		KASSERT((x & VPB_SHARED) != 0, ("page %#lx is not sbusied", m->phys_addr));
		left = x - VPB_READER;
		if (left < VPB_READER)
			left = VPB_UNBUSIED;
	} while (!busy_cas(m, x, left));
	if (left == VPB_UNBUSIED && (x & VPB_WAITERS) != 0)
		busy_wakeup(m);
}

bool
vm_page_xbusied(vm_page_t m)
{
	return ((vm_page_unit(m)->busy & ~VPB_WAITERS) == ((uintptr_t)curthread | VPB_EXCL));
}

static int
busy_sleep(vm_page_t m, int flags)
{
	vm_object_t object = vm_page_unit(m)->object;
	uintptr_t x;

	m = vm_page_unit(m);
	VM_OBJECT_ASSERT_LOCKED(object);
	KASSERT(!vm_page_xbusied(m), ("sleep on page %#lx, busied by this thread", m->phys_addr));
	mtx_lock(&busy_mtx);
	do {
		x = m->busy;
	} while (x != VPB_UNBUSIED && !busy_cas(m, x, x | VPB_WAITERS));
	VM_OBJECT_UNLOCK(object);
	if (x != VPB_UNBUSIED)
		return (mtx_sleep(m, &busy_mtx, flags, 0));
	mtx_unlock(&busy_mtx);
	return (0);
}

int
vm_page_busy_sleep(vm_page_t m)
{
	return (busy_sleep(m, SLEEP_KILL));
}

void
vm_page_busy_wait(vm_page_t m)
{
	busy_sleep(m, 0);
}

void
vm_page_wire(vm_page_t m)
{
	if ((m->flags & PG_BLOCK) != 0)
		__atomic_fetch_add(&vm_page_block(m)->block.wired, 1, __ATOMIC_RELAXED);
	if (__atomic_fetch_add(&m->wire_count, 1, __ATOMIC_SEQ_CST) != 0)
		return;
	vm_page_dequeue(m);
	if (is_ram(m))
		VM_CNT_INC(v_wire_count);
}

void
vm_page_unwire(vm_page_t m)
{
	uint32_t left = __atomic_sub_fetch(&m->wire_count, 1, __ATOMIC_SEQ_CST);

	KASSERT(left != UINT32_MAX, ("page %#lx is not wired", m->phys_addr));
	if ((m->flags & PG_BLOCK) != 0)
		__atomic_fetch_sub(&vm_page_block(m)->block.wired, 1, __ATOMIC_RELAXED);
	if (left != 0)
		return;
	if (is_ram(m))
		VM_CNT_DEC(v_wire_count);
	if (m->object != NULL)
		vm_page_activate(m);
}

void
vm_page_unwire_all(vm_page_t m)
{
	vm_page_t end = m + vm_page_unit_pages(m), next;

	for (; m < end; m = next) {
		next = m + 1;
		if ((m->flags & PG_BLOCK) != 0 && vm_page_block(m)->block.wired == 0)
			next = vm_page_block(m) + VM_SUPERPAGE_PAGES;
		while (m->wire_count != 0)
			vm_page_unwire(m);
	}
}

void
vm_page_hold(vm_page_t m)
{
	__atomic_fetch_add(&m->hold_count, 1, __ATOMIC_SEQ_CST);
	vm_page_fake_hold(m);
}

void
vm_page_unhold(vm_page_t m)
{
	uint32_t left = __atomic_sub_fetch(&m->hold_count, 1, __ATOMIC_SEQ_CST);

	KASSERT(left != UINT32_MAX, ("page %#lx is not held", m->phys_addr));
	if (vm_page_is_fake_block(m))
		vm_page_fake_release(m, 1);
	else if (left == 0 && take_free_on_unhold(m))
		page_release(m);
}

void
vm_page_dirty(vm_page_t m)
{
	vm_page_unit(m)->dirty = true;
}

/*
 * Short of memory, or only told so by a pager (P9): then one millisecond lets whoever holds what
 * the pager needs go on. Killing frees memory only once the victim has unwound, so the killer
 * sleeps.
 */
int
vm_wait(void)
{
	bool is_short = vm_cnt.v_free_count <= vm_cnt.v_free_reserved;
	int error;

	if (is_short && vm_pageout(RECLAIM_BATCH) != 0)
		return (thread_killed() ? EINTR : 0);
	if (!thread_killed() && is_short)
		vm_oom();
	if (thread_killed())
		return (EINTR);
	mtx_lock(&wait_mtx);
	error =
	    mtx_sleep(&vm_cnt.v_free_count, &wait_mtx, SLEEP_KILL, is_short ? 100000000 : 1000000);
	return (error == ETIMEDOUT ? 0 : error);
}

/*
 * The page-out scan. What is used goes to the active queue; what was not used since the last look
 * goes on to the inactive queue, and from its head is dropped:
 *
 *             touched                not touched since                clean
 *   faults ───────────▶  active  ───────────────────▶  inactive  ───────────▶  free
 *                          ▲    ◀───────────────────────┘  │
 *                          │          touched              │ dirty
 *                          └───────── laundry ◀────────────┘
 *
 * Clean is what its pager can make again, the same (pgo_clean): a file's page as it is in the
 * initrd, or in a hole; an anonymous page that holds nothing, because it was never written or was
 * freed by madvise(MADV_FREE). All else is dirty and waits in the laundry, which nobody scans:
 * there is no swap. A swap pager would have a pgo_putpages that is called here for what waits
 * there.
 *
 * The scan comes about in two ways: a task brings free pages back to a target while programs go on;
 * and who finds none frees some itself (vm_wait) before a process is killed.
 */
#include "vm/vm_pageout.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"
#include "kern/panic.h"
#include "kern/sysctl.h"
#include "kern/task.h"

static uint64_t dropped; /* (a) pages, ever */
STAT(pages_dropped, dropped);

static struct task pageout_task;
static bool task_queued; /* (a) */

static bool
page_is_clean(vm_page_t m)
{
	return (pagertab[m->object->type]->pgo_clean && !m->dirty && !pmap_is_modified(m));
}

/* It may become dirty until it is out of the page tables. */
static bool
page_drop(vm_page_t m)
{
	VM_OBJECT_ASSERT_WLOCKED(m->object);
	if (m->wire_count != 0 || m->hold_count != 0 || !m->valid || !vm_page_tryxbusy(m))
		return (false);
	pmap_remove_all(m);
	if (m->dirty) {
		vm_page_launder(m);
		vm_page_xunbusy(m);
		return (false);
	}
	vm_page_free(m);
	__atomic_fetch_add(&dropped, 1, __ATOMIC_RELAXED);
	return (true);
}

void
vm_pageout_page(vm_page_t m)
{
	if (page_is_clean(m))
		page_drop(m);
}

/* Look at each page of the active queue once; again: this is the second look. */
static void
scan_active(bool again)
{
	struct vm_page_scan scan = {.queue = PQ_ACTIVE};
	bool referenced;
	vm_page_t m;

	while (vm_page_queue_next(&scan, &m)) {
		if (m == NULL)
			continue;
		referenced = pmap_ts_referenced(m);
		if (!page_is_clean(m))
			vm_page_launder(m);
		else if (!referenced || again)
			vm_page_deactivate(m);
		VM_OBJECT_UNLOCK(m->object);
	}
}

static uint64_t
scan_inactive(uint64_t want)
{
	struct vm_page_scan scan = {.queue = PQ_INACTIVE};
	vm_object_t object;
	uint64_t freed = 0;
	vm_page_t m;

	while (freed < want && vm_page_queue_next(&scan, &m)) {
		if (m == NULL)
			continue;
		object = m->object;
		if (!page_is_clean(m))
			vm_page_launder(m);
		else if (pmap_ts_referenced(m))
			vm_page_activate(m);
		else
			freed += page_drop(m);
		VM_OBJECT_UNLOCK(object);
	}
	return (freed);
}

uint64_t
vm_pageout(uint64_t want)
{
	uint64_t freed = scan_inactive(want);

	for (int round = 0; round < 2 && freed < want; round++) {
		scan_active(round > 0);
		freed += scan_inactive(want - freed);
	}
	return (freed);
}

static void
pageout_run(void *arg __unused)
{
	__atomic_store_n(&task_queued, false, __ATOMIC_SEQ_CST);
	if (vm_cnt.v_free_count < vm_cnt.v_free_target)
		vm_pageout(vm_cnt.v_free_target - vm_cnt.v_free_count);
}

void
vm_pageout_wakeup(void)
{
	if (vm_page_queue_count(PQ_ACTIVE) + vm_page_queue_count(PQ_INACTIVE) != 0 &&
	    !__atomic_exchange_n(&task_queued, true, __ATOMIC_SEQ_CST))
		task_enqueue(&pageout_task, pageout_run, NULL);
}

/* --- /proc/sys/vm/drop_caches ----------------------------------------------------------------- */

static uint32_t drop_caches; /* what was written last: 1 drops pages; 2, names, there is none of */

static void
drop_pages(void)
{
	if ((drop_caches & 1) != 0)
		vm_pageout(UINT64_MAX);
}
SYSCTL_UINT_THEN(drop_caches, "vm/drop_caches", drop_caches, 4, drop_pages());

/*
 * Free pages at hand for each CPU, so that faults on different CPUs do not wait for the lock of the
 * free blocks: pages come and go by batches. Owns these caches.
 *
 * A single CPU has nobody to keep out of the way of, and goes without. Nor is a page kept while memory
 * is short: then each goes back to where all find it, and whoever waits is woken.
 */
#include "vm/vm_page.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "machine/thread_md.h"

#define BATCH     32 /* pages fetched or given back at a time */
#define CACHE_MAX 64 /* pages of one CPU */

/* Locks: (l) pc_mtx: mostly taken on the CPU whose cache it is */
static struct pgcache {
	struct mtx pc_mtx;
	struct pglist pc_pages; /* (l) the one freed last in front */
	unsigned pc_count; /* (l) */
} __aligned_to(64) caches[MAXCPU];

void
vm_pgcache_init(void)
{
	for (int i = 0; i < MAXCPU; i++) {
		mtx_init(&caches[i].pc_mtx, "page cache", LR_PGCACHE);
		TAILQ_INIT(&caches[i].pc_pages);
	}
}

static bool
plenty(void)
{
	return (vm_cnt.v_free_count >= vm_cnt.v_free_target + BATCH);
}

vm_page_t
vm_pgcache_alloc(void)
{
	struct pgcache *pc = &caches[cpu_id()];
	vm_page_t m;

	mtx_lock(&pc->pc_mtx);
	if (pc->pc_count == 0 && plenty())
		pc->pc_count = vm_phys_alloc_list(&pc->pc_pages, BATCH);
	m = TAILQ_FIRST(&pc->pc_pages);
	if (m != NULL) {
		TAILQ_REMOVE(&pc->pc_pages, m, plinks);
		pc->pc_count--;
	}
	mtx_unlock(&pc->pc_mtx);
	return (m);
}

/* The n pages that were let go longest ago. */
static void
give_back(struct pgcache *pc, unsigned n)
{
	vm_page_t batch[CACHE_MAX];

	mtx_assert_owned(&pc->pc_mtx);
	pc->pc_count -= n;
	for (unsigned i = 0; i < n; i++) {
		batch[i] = TAILQ_LAST(&pc->pc_pages, pglist);
		TAILQ_REMOVE(&pc->pc_pages, batch[i], plinks);
	}
	vm_phys_free_all(batch, n);
}

bool
vm_pgcache_free(vm_page_t m)
{
	struct pgcache *pc = &caches[cpu_id()];

	if (!plenty())
		return (false);
	mtx_lock(&pc->pc_mtx);
	TAILQ_INSERT_HEAD(&pc->pc_pages, m, plinks);
	if (++pc->pc_count == CACHE_MAX)
		give_back(pc, BATCH);
	mtx_unlock(&pc->pc_mtx);
	return (true);
}

bool
vm_pgcache_drain(void)
{
	bool any = pmap_drain();

	for (unsigned i = 0; i < cpu_count(); i++) {
		mtx_lock(&caches[i].pc_mtx);
		any |= caches[i].pc_count > 0;
		give_back(&caches[i], caches[i].pc_count);
		mtx_unlock(&caches[i].pc_mtx);
	}
	return (any);
}

uint64_t
vm_free_count(const uint64_t *blocks)
{
	uint64_t n = *blocks + pmap_stored();

	for (unsigned i = 0; i < cpu_count(); i++)
		n += caches[i].pc_count;
	return (n);
}

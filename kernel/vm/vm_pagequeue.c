/*
 * The page queues: RAM pages of objects, by how soon they may be reclaimed (vm_pageout.c). Owns them.
 *
 * A page is put on a queue by the fault that made it, so with one lock for all, the CPUs would wait
 * for each other there. There are several sets of queues, each with its lock, and a page's frame says
 * which set is its: neighbours share one, because they are mostly one CPU's. A scan takes the sets in
 * turn.
 */
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "kern/panic.h"
#include "kern/sysctl.h"

#define PQ_SETS        8
#define PQ_CHUNK_SHIFT (PAGE_SHIFT + 6) /* neighbours: 64 pages */

/* Locks: (q) pq_mtx */
struct page_queues {
	struct mtx pq_mtx;
	struct pglist pq_pages[PQ_COUNT]; /* (q) */
	uint64_t pq_count[PQ_COUNT]; /* (q) */
} __aligned_to(128);

#define SET_QUEUE(i, queue) [queue] = TAILQ_HEAD_INITIALIZER(sets[i].pq_pages[queue])
#define SET(i)                                                                    \
	{                                                                         \
		.pq_mtx = MTX_INITIALIZER("page queues", LR_PAGEQ), .pq_pages = { \
			SET_QUEUE(i, PQ_INACTIVE),                                \
			SET_QUEUE(i, PQ_ACTIVE),                                  \
			SET_QUEUE(i, PQ_LAUNDRY)                                  \
		}                                                                 \
	}
static struct page_queues sets[PQ_SETS] = {SET(0), SET(1), SET(2), SET(3),
					   SET(4), SET(5), SET(6), SET(7)};

static inline struct page_queues *
set_of(vm_page_t m)
{
	return (&sets[m->phys_addr >> PQ_CHUNK_SHIFT & (PQ_SETS - 1)]);
}

static void
queue_leave(struct page_queues *set, vm_page_t m)
{
	mtx_assert_owned(&set->pq_mtx);
	TAILQ_REMOVE(&set->pq_pages[m->queue], m, plinks);
	set->pq_count[m->queue]--;
}

static void __attribute__((noinline)) queue_change(vm_page_t m, uint8_t queue)
{
	struct page_queues *set = set_of(m);

	mtx_lock(&set->pq_mtx);
	if (m->queue != PQ_NONE)
		queue_leave(set, m);
	m->queue = queue;
	if (queue != PQ_NONE) {
		TAILQ_INSERT_TAIL(&set->pq_pages[queue], m, plinks);
		set->pq_count[queue]++;
	}
	mtx_unlock(&set->pq_mtx);
}

static inline void
queue_set(vm_page_t m, uint8_t queue)
{
	if (m->queue != queue)
		queue_change(m, queue);
}

static bool
queueable(vm_page_t m)
{
	return ((m->flags & (PG_FICTITIOUS | PG_UNMANAGED)) == 0 && m->wire_count == 0);
}

void
vm_page_activate(vm_page_t m)
{
	if (queueable(m))
		queue_set(m, PQ_ACTIVE);
}

void
vm_page_deactivate(vm_page_t m)
{
	if (queueable(m))
		queue_set(m, PQ_INACTIVE);
}

void
vm_page_launder(vm_page_t m)
{
	if (queueable(m))
		queue_set(m, PQ_LAUNDRY);
}

void
vm_page_dequeue(vm_page_t m)
{
	queue_set(m, PQ_NONE);
}

void
vm_page_dequeue_all(const vm_page_t *pages, unsigned n)
{
	struct page_queues *locked = NULL, *set;
	vm_page_t m;

	for (unsigned i = 0; i < n; i++) {
		m = pages[i];
		if (m->queue == PQ_NONE)
			continue;
		set = set_of(m);
		if (set != locked && locked != NULL)
			mtx_unlock(&locked->pq_mtx);
		if (set != locked)
			mtx_lock(&set->pq_mtx);
		locked = set;
		if (m->queue != PQ_NONE)
			queue_leave(set, m);
		m->queue = PQ_NONE;
	}
	if (locked != NULL)
		mtx_unlock(&locked->pq_mtx);
}

/* While its page is on a queue, whose lock we have, the object cannot go away. */
static vm_page_t
set_next(struct page_queues *set, int queue)
{
	vm_object_t object;
	vm_page_t m;

	mtx_lock(&set->pq_mtx);
	m = TAILQ_FIRST(&set->pq_pages[queue]);
	if (m != NULL) {
		TAILQ_REMOVE(&set->pq_pages[queue], m, plinks);
		TAILQ_INSERT_TAIL(&set->pq_pages[queue], m, plinks);
		object = m->object;
		if (object == NULL || !VM_OBJECT_TRYWLOCK(object))
			m = NULL;
	}
	mtx_unlock(&set->pq_mtx);
	return (m);
}

/* What is put on a set's tail once the scan has come to the set is not looked at. */
bool
vm_page_queue_next(struct vm_page_scan *scan, vm_page_t *m)
{
	while (scan->left == 0) {
		if (scan->set == PQ_SETS)
			return (false);
		scan->left = sets[scan->set++].pq_count[scan->queue];
	}
	scan->left--;
	*m = set_next(&sets[scan->set - 1], scan->queue);
	return (true);
}

static uint64_t
count_sum(const uint64_t *first)
{
	uint64_t sum = 0;

	for (int i = 0; i < PQ_SETS; i++, first += sizeof(sets[0]) / sizeof(*first))
		sum += *first;
	return (sum);
}

uint64_t
vm_page_queue_count(int queue)
{
	return (count_sum(&sets[0].pq_count[queue]));
}

STAT_SUM(pages_active, sets[0].pq_count[PQ_ACTIVE], count_sum);
STAT_SUM(pages_inactive, sets[0].pq_count[PQ_INACTIVE], count_sum);
STAT_SUM(pages_laundry, sets[0].pq_count[PQ_LAUNDRY], count_sum);

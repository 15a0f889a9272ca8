/*
 * Callouts: a pairing heap by time, and the thread that calls those that are due. Whoever is armed
 * costs O(log n) in the long run, whether it is disarmed or its time comes.
 */
#include "kern/callout.h"
#include "kern/errno.h"
#include "kern/panic.h"
#include "kern/sleepq.h"

/* All under sched_lock. */
static struct callout *root; /* the earliest */
static TAILQ_HEAD(, callout) due = TAILQ_HEAD_INITIALIZER(due);
static struct callout *running; /* its function runs */

/* --- the heap --------------------------------------------------------------------------------- */

/* The earlier of two heaps takes the other as its first child. Either may be empty. */
static struct callout *
meld(struct callout *a, struct callout *b)
{
	struct callout *later;

	if (a == NULL || b == NULL)
		return (a != NULL ? a : b);
	later = b->c_at < a->c_at ? a : b;
	a = later == a ? b : a;
	later->c_next = a->c_child;
	if (later->c_next != NULL)
		later->c_next->c_prev = &later->c_next;
	later->c_prev = &a->c_child;
	a->c_child = later;
	return (a);
}

/* One heap of a list of them: in pairs first, then those from the last to the first. */
static struct callout *
meld_list(struct callout *c)
{
	struct callout *pairs = NULL, *all = NULL, *second, *next;

	for (; c != NULL; c = next) {
		second = c->c_next;
		next = second != NULL ? second->c_next : NULL;
		c->c_next = NULL;
		if (second != NULL)
			second->c_next = NULL;
		c = meld(c, second);
		c->c_next = pairs;
		pairs = c;
	}
	for (c = pairs; c != NULL; c = next) {
		next = c->c_next;
		c->c_next = NULL;
		all = meld(all, c);
	}
	return (all);
}

static void
heap_remove(struct callout *c)
{
	struct callout *children = meld_list(c->c_child);

	if (c == root) {
		root = children;
	} else {
		*c->c_prev = c->c_next;
		if (c->c_next != NULL)
			c->c_next->c_prev = c->c_prev;
		root = meld(root, children);
	}
	c->c_child = c->c_next = NULL;
}

void
callout_arm(struct callout *c, uint64_t at)
{
	mtx_assert_owned(&sched_lock);
	KASSERT(c->c_at == 0, ("callout is armed already"));
	c->c_at = MAX(at, 1ul);
	c->c_child = c->c_next = NULL;
	root = meld(root, c);
}

void
callout_disarm(struct callout *c)
{
	mtx_assert_owned(&sched_lock);
	if (c->c_due)
		TAILQ_REMOVE(&due, c, c_link);
	else if (c->c_at != 0)
		heap_remove(c);
	c->c_due = false;
	c->c_at = 0;
}

uint64_t
callout_next(void)
{
	return (root != NULL ? root->c_at : 0);
}

/* --- the clock thread ------------------------------------------------------------------------- */

static void
wake_all(const void *chan)
{
	struct thread *td;

	while ((td = sleepq_first(chan)) != NULL)
		sleepq_wake(td, 0);
}

void
callout_expire(uint64_t now)
{
	struct callout *c;

	mtx_assert_owned(&sched_lock);
	while ((c = root) != NULL && c->c_at <= now) {
		if (c->c_fn == NULL) {
			sleepq_wake(container_of(c, struct thread, td_timeout), ETIMEDOUT);
			continue;
		}
		heap_remove(c);
		c->c_due = true;
		TAILQ_INSERT_TAIL(&due, c, c_link);
		wake_all(&due);
	}
}

static void
clock_main(void *arg __unused)
{
	struct callout *c;
	void (*fn)(struct callout *);

	mtx_lock(&sched_lock);
	for (;;) {
		c = TAILQ_FIRST(&due);
		if (c == NULL) {
			sleepq_add(&due, 0, 0);
			sleepq_wait();
			continue;
		}
		fn = c->c_fn;
		callout_disarm(c);
		running = c;
		mtx_unlock(&sched_lock);
		fn(c);
		mtx_lock(&sched_lock);
		running = NULL;
		wake_all(c); /* callout_drain */
	}
}

void
callout_init(void)
{
	struct thread *td = thread_create(NULL, "clock", clock_main, NULL);

	if (td == NULL)
		panic("no memory for the clock thread");
	td->td_hasty = true; /* timers are not to wait for who computes */
	sched_add(td);
}

void
callout_reset(struct callout *c, uint64_t at, void (*fn)(struct callout *))
{
	mtx_lock(&sched_lock);
	callout_disarm(c);
	c->c_fn = fn;
	callout_arm(c, at);
	sched_arm();
	mtx_unlock(&sched_lock);
}

void
callout_stop(struct callout *c)
{
	mtx_lock(&sched_lock);
	callout_disarm(c);
	mtx_unlock(&sched_lock);
}

void
callout_drain(struct callout *c)
{
	mtx_lock(&sched_lock);
	callout_disarm(c);
	while (running == c) {
		sleepq_add(c, 0, 0);
		sleepq_wait();
		callout_disarm(c); /* it may have armed itself */
	}
	mtx_unlock(&sched_lock);
}

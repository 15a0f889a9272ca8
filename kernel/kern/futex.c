/*
 * Futexes. A word is known by its address space and address or, in shared memory, by its object and
 * offset. Nobody holds a reference to either: the worst that a reused one can do is wake somebody
 * who must look again anyway.
 *
 * A waiter queues first and reads the word then: a wake that follows a change of the word finds it
 * either queued or reading the new value. No lock is held while user memory is read.
 */
#include "kern/futex.h"
#include "kern/errno.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"

#define BUCKETS 64

struct key {
	const void *what; /* a map, or an object */
	uint64_t where; /* address, or offset */
};

/* Locks: (f) futex_mtx  (c) constant. On the waiter's stack. */
struct waiter {
	TAILQ_ENTRY(waiter) link; /* (f) */
	struct key key; /* (f) a requeue changes it */
	uint32_t bits; /* (c) */
	bool woken; /* (f) no longer queued */
};
TAILQ_HEAD(waiters, waiter);

static struct mtx futex_mtx = MTX_INITIALIZER("futex", LR_LEAF);
static struct waiters table[BUCKETS]; /* (f) */

static struct waiters *
bucket(struct key key)
{
	struct waiters *w = &table[((uintptr_t)key.what + key.where) * 0x9e3779b97f4a7c15ul >> 58];

	if (w->tqh_last == NULL)
		TAILQ_INIT(w);
	return (w);
}

static bool
same(struct key a, struct key b)
{
	return (a.what == b.what && a.where == b.where);
}

static int
find_key(uint64_t uaddr, bool shared, struct key *key)
{
	vm_map_t map = &curproc->p_vm->vm_map;
	vm_map_entry_t e;

	*key = (struct key){map, uaddr};
	if (uaddr >= VM_MAXUSER_ADDRESS)
		return (EFAULT);
	if (!shared)
		return (0);
	vm_map_lock_read(map);
	e = vm_map_lookup_entry(map, uaddr);
	if (e != NULL && (e->eflags & MAP_ENTRY_SHARED) != 0)
		*key = (struct key){e->object, e->offset + (uaddr - e->start)};
	vm_map_unlock_read(map);
	return (e != NULL ? 0 : EFAULT);
}

static uint32_t
wake(struct key key, uint32_t n, uint32_t bits)
{
	struct waiters *q = bucket(key);
	struct waiter *w, *next;
	uint32_t woken = 0;

	mtx_assert_owned(&futex_mtx);
	for (w = TAILQ_FIRST(q); w != NULL && woken < n; w = next) {
		next = TAILQ_NEXT(w, link);
		if (!same(w->key, key) || (w->bits & bits) == 0)
			continue;
		TAILQ_REMOVE(q, w, link);
		w->woken = true;
		wakeup(w);
		woken++;
	}
	return (woken);
}

/* Take w out, whichever word it waits at by now. True if it had been woken: then somebody counts
 * on it. */
static bool
leave(struct waiter *w)
{
	bool woken;

	mtx_lock(&futex_mtx);
	woken = w->woken;
	if (!woken)
		TAILQ_REMOVE(bucket(w->key), w, link);
	mtx_unlock(&futex_mtx);
	return (woken);
}

/* Until w is woken, or now is deadline (0: never). */
static int
sleep_until_woken(struct waiter *w, uint64_t deadline)
{
	uint64_t now;
	int error = 0;

	while (error == 0) {
		mtx_lock(&futex_mtx);
		if (w->woken) {
			mtx_unlock(&futex_mtx);
			return (0);
		}
		now = cpu_now();
		if (deadline != 0 && now >= deadline) {
			mtx_unlock(&futex_mtx);
			return (ETIMEDOUT);
		}
		error = mtx_sleep(w, &futex_mtx, SLEEP_INTR, deadline != 0 ? deadline - now : 0);
		error = error == ETIMEDOUT ? 0 : error;
	}
	return (error);
}

int
futex_wait(uint64_t uaddr, bool shared, uint32_t value, uint32_t bits, uint64_t timeout)
{
	struct thread *td = curthread;
	uint64_t deadline;
	struct waiter w = {.bits = bits};
	uint32_t now, passed;
	int error = find_key(uaddr, shared, &w.key);

	if (error != 0)
		return (error);
	deadline = td->td_deadline;
	td->td_deadline = 0;
	if (deadline == 0 && timeout != 0 && __builtin_add_overflow(cpu_now(), timeout, &deadline))
		deadline = 0;
	mtx_lock(&futex_mtx);
	TAILQ_INSERT_TAIL(bucket(w.key), &w, link);
	mtx_unlock(&futex_mtx);
	error = copyin((const void *)uaddr, &now, sizeof(now));
	if (error == 0 && now == value) {
		error = sleep_until_woken(&w, deadline);
		if (leave(&w))
			return (0);
		if (error != EINTR)
			return (error);
		td->td_deadline = deadline;
		return (deadline != 0 ? ERESTARTNOHAND : ERESTART);
	}
	if (leave(&w)) /* a wake that was not for us: pass it on */
		futex_wake(uaddr, shared, 1, bits, &passed);
	return (error != 0 ? error : EAGAIN);
}

int
futex_wake(uint64_t uaddr, bool shared, uint32_t n, uint32_t bits, uint32_t *woken)
{
	struct key key;
	int error = find_key(uaddr, shared, &key);

	if (error != 0)
		return (error);
	mtx_lock(&futex_mtx);
	*woken = wake(key, n, bits);
	mtx_unlock(&futex_mtx);
	return (0);
}

int
futex_requeue(uint64_t uaddr, uint64_t uaddr2, bool shared, uint32_t n, uint32_t move,
	      uint32_t *count)
{
	struct waiters *q;
	struct waiter *w, *next;
	struct key key, to;
	uint32_t moved = 0;
	int error = find_key(uaddr, shared, &key);

	if (error == 0)
		error = find_key(uaddr2, shared, &to);
	if (error != 0)
		return (error);
	mtx_lock(&futex_mtx);
	*count = wake(key, n, FUTEX_ALL);
	q = bucket(key);
	for (w = TAILQ_FIRST(q); w != NULL && moved < move && !same(key, to); w = next) {
		next = TAILQ_NEXT(w, link);
		if (!same(w->key, key))
			continue;
		TAILQ_REMOVE(q, w, link);
		w->key = to;
		TAILQ_INSERT_TAIL(bucket(to), w, link);
		moved++;
	}
	*count += moved;
	mtx_unlock(&futex_mtx);
	return (0);
}

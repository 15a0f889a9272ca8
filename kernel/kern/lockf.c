/*
 * Advisory locks. One lock protects them all; who waits sleeps on the vnode's list, and looks again
 * whenever something in it goes away.
 */
#include "kern/lockf.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/lock.h"
#include "kern/panic.h"
#include "fs/vnode.h"
#include <sys/queue.h>

#define DEADLOCK_STEPS 32 /* of a ring of waiters that is looked for */

/* Locks: all fields (l) lockf_lock. */
struct lockf {
	TAILQ_ENTRY(lockf) lf_link;
	struct lockf_req lf_req;
};
struct lockf_list {
	TAILQ_HEAD(, lockf) ll_locks; /* by owner, each one's by start */
};
/* A POSIX owner that waits for another's lock. On its thread's stack. */
struct waiter {
	LIST_ENTRY(waiter) w_link;
	const void *w_owner, *w_for;
};

static struct rwlock lockf_lock = RW_INITIALIZER("file locks", LR_FILE);
static LIST_HEAD(, waiter) waiters = LIST_HEAD_INITIALIZER(waiters); /* (l) */

static bool
same_owner(const struct lockf_req *a, const struct lockf_req *b)
{
	return (a->kind == b->kind && a->owner == b->owner);
}

static bool
overlap(const struct lockf_req *a, const struct lockf_req *b)
{
	return (a->start <= b->end && b->start <= a->end);
}

/* The first lock of another owner that req cannot go with, or NULL. */
static struct lockf *
find_conflict(struct lockf_list *list, const struct lockf_req *req)
{
	struct lockf *lf;

	TAILQ_FOREACH (lf, &list->ll_locks, lf_link)
		if ((lf->lf_req.kind == LOCKF_FLOCK) == (req->kind == LOCKF_FLOCK) &&
		    !same_owner(&lf->lf_req, req) && overlap(&lf->lf_req, req) &&
		    (lf->lf_req.type == LOCKF_EXCLUSIVE || req->type == LOCKF_EXCLUSIVE))
			return (lf);
	return (NULL);
}

static struct waiter *
find_waiter(const void *owner)
{
	struct waiter *w;

	LIST_FOREACH (w, &waiters, w_link)
		if (w->w_owner == owner)
			break;
	return (w);
}

/* Does the holder wait, for one who waits, and so on, for owner? */
static bool
would_deadlock(const void *owner, const void *holder)
{
	const struct waiter *w;

	for (int i = 0; i < DEADLOCK_STEPS && holder != owner; i++) {
		w = find_waiter(holder);
		if (w == NULL)
			return (false);
		holder = w->w_for;
	}
	return (holder == owner);
}

static void
lock_remove(struct lockf_list *list, struct lockf *lf)
{
	TAILQ_REMOVE(&list->ll_locks, lf, lf_link);
	kfree(lf);
	wakeup(list);
}

/* Put lf where its kind and owner, and then its start, come. */
static void
lock_insert(struct lockf_list *list, struct lockf *lf)
{
	struct lockf *at;
	bool seen = false;

	TAILQ_FOREACH (at, &list->ll_locks, lf_link) {
		bool ours = same_owner(&at->lf_req, &lf->lf_req);

		if ((seen && !ours) || (ours && at->lf_req.start > lf->lf_req.start))
			break;
		seen |= ours;
	}
	if (at != NULL)
		TAILQ_INSERT_BEFORE(at, lf, lf_link);
	else
		TAILQ_INSERT_TAIL(&list->ll_locks, lf, lf_link);
}

/* Take req's range out of the owner's lock lf; *spare is used if that leaves two. */
static void
lock_cut(struct lockf_list *list, struct lockf *lf, const struct lockf_req *req,
	 struct lockf **spare)
{
	struct lockf_req *r = &lf->lf_req;

	if (r->start < req->start && r->end > req->end) {
		(*spare)->lf_req = *r;
		(*spare)->lf_req.start = req->end + 1;
		r->end = req->start - 1;
		lock_insert(list, *spare);
		*spare = NULL;
	} else if (r->start < req->start) {
		r->end = req->start - 1;
	} else if (r->end > req->end) {
		r->start = req->end + 1;
	} else {
		lock_remove(list, lf);
		return;
	}
	wakeup(list);
}

/* The owner's locks in req's range become what it says; neighbours that are alike become one. */
static void
lock_apply(struct lockf_list *list, const struct lockf_req *req, struct lockf *spare[2])
{
	struct lockf_req new = *req;
	struct lockf *lf, *next;

	for (lf = TAILQ_FIRST(&list->ll_locks); lf != NULL; lf = next) {
		struct lockf_req *r = &lf->lf_req;

		next = TAILQ_NEXT(lf, lf_link);
		if (!same_owner(r, req))
			continue;
		if (r->type == new.type && r->start <= new.end + (new.end != UINT64_MAX) &&
		    new.start <= r->end + (r->end != UINT64_MAX)) {
			new.start = MIN(new.start, r->start);
			new.end = MAX(new.end, r->end);
			lock_remove(list, lf);
		} else if (overlap(r, req)) {
			lock_cut(list, lf, req, &spare[1]);
		}
	}
	if (req->type == LOCKF_NONE)
		return;
	spare[0]->lf_req = new;
	lock_insert(list, spare[0]);
	spare[0] = NULL;
}

/* flock: the lock that the open file has; a change lets go of it first, as Linux's does. True: it
 * is as wanted already. */
static bool
flock_prepare(struct lockf_list *list, const struct lockf_req *req)
{
	struct lockf *lf;

	TAILQ_FOREACH (lf, &list->ll_locks, lf_link)
		if (same_owner(&lf->lf_req, req))
			break;
	if (lf == NULL || lf->lf_req.type == req->type)
		return (lf != NULL);
	lock_remove(list, lf);
	return (false);
}

/* Until nothing is in the way. The lock is held, but not after an error. */
static int
lock_wait(struct lockf_list *list, const struct lockf_req *req, bool wait)
{
	struct waiter w = {.w_owner = req->owner};
	struct lockf *in_the_way;
	int error = 0;

	while (error == 0 && (in_the_way = find_conflict(list, req)) != NULL) {
		w.w_for = in_the_way->lf_req.owner;
		if (!wait)
			error = EAGAIN;
		else if (req->kind == LOCKF_POSIX && would_deadlock(req->owner, w.w_for))
			error = EDEADLK;
		if (error != 0) {
			rw_unlock(&lockf_lock);
			break;
		}
		if (req->kind == LOCKF_POSIX)
			LIST_INSERT_HEAD(&waiters, &w, w_link);
		error = rw_sleep(list, &lockf_lock, SLEEP_INTR, 0);
		rw_wlock(&lockf_lock);
		if (req->kind == LOCKF_POSIX)
			LIST_REMOVE(&w, w_link);
		if (error != 0)
			rw_unlock(&lockf_lock);
	}
	return (error == EINTR ? ERESTART : error);
}

/* vp's list, made when it is not there yet; NULL: no memory. */
static struct lockf_list *
list_get(struct vnode *vp)
{
	rw_assert_wlocked(&lockf_lock);
	if (vp->v_lockf == NULL) {
		vp->v_lockf = kmalloc(sizeof(*vp->v_lockf), 0);
		if (vp->v_lockf != NULL)
			TAILQ_INIT(&vp->v_lockf->ll_locks);
	}
	return (vp->v_lockf);
}

int
lockf_set(struct vnode *vp, const struct lockf_req *req, bool wait)
{
	struct lockf *spare[2] = {kmalloc(sizeof(**spare), 0), kmalloc(sizeof(**spare), 0)};
	struct lockf_list *list = NULL;
	int error = ENOLCK;

	rw_wlock(&lockf_lock);
	if (spare[0] != NULL && spare[1] != NULL)
		list = list_get(vp);
	if (list == NULL) {
		rw_unlock(&lockf_lock);
	} else if (req->kind == LOCKF_FLOCK && flock_prepare(list, req)) {
		rw_unlock(&lockf_lock);
		error = 0;
	} else {
		error = req->type == LOCKF_NONE ? 0 : lock_wait(list, req, wait);
		if (error == 0) {
			lock_apply(list, req, spare);
			rw_unlock(&lockf_lock);
		}
	}
	kfree(spare[0]);
	kfree(spare[1]);
	return (error);
}

void
lockf_get(struct vnode *vp, struct lockf_req *req)
{
	struct lockf *lf;

	rw_rlock(&lockf_lock);
	lf = vp->v_lockf != NULL ? find_conflict(vp->v_lockf, req) : NULL;
	if (lf != NULL)
		*req = lf->lf_req;
	else
		req->type = LOCKF_NONE;
	rw_unlock(&lockf_lock);
}

void
lockf_release(struct vnode *vp, const void *owner)
{
	struct lockf_list *list;
	struct lockf *lf, *next;

	if (__atomic_load_n(&vp->v_lockf, __ATOMIC_RELAXED) == NULL)
		return;
	rw_wlock(&lockf_lock);
	list = vp->v_lockf;
	for (lf = TAILQ_FIRST(&list->ll_locks); lf != NULL; lf = next) {
		next = TAILQ_NEXT(lf, lf_link);
		if (lf->lf_req.owner == owner)
			lock_remove(list, lf);
	}
	rw_unlock(&lockf_lock);
}

void
lockf_free(struct lockf_list *list)
{
	KASSERT(list == NULL || TAILQ_EMPTY(&list->ll_locks), ("a file goes that is locked"));
	kfree(list);
}

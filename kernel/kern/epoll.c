/*
 * epoll: sets of files, and which of their members may be ready.
 *
 * A member is recorded in its file's selinfo for as long as it is a member. What makes the file
 * ready puts the member on its set's list (epoll_notify); a wait looks at the members on that list
 * only, takes off those that are not ready after all, and leaves on it those that are told of by
 * level. A set is a file, too, and may be a member of another: then its list is told onwards.
 *
 * A member does not hold its file: the last close of it takes the member away (epoll_forget). So
 * epoll_lock, one for all sets, is held wherever a member's file is looked at.
 */
#include "kern/epoll.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/poll.h"
#include "fs/vnode.h"
#include "kern/cdev.h"
#include "vm/vm_page.h"

#define NESTS_MAX    4 /* sets within a set, one in another: ELOOP past it */
#define PATHS_MAX    1000 /* from a set up to those that are in none: EINVAL past it */
#define MEMBER_SHARE 25 /* members have at most one part in so many of memory: ENOSPC past it */
#define PRIVATE      (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)
#define EXCLUSIVE_OK (POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

/* Locks: (c) constant  (e) epoll_lock  (s) the selinfo lock; both: to change, to look at either */
struct epitem {
	struct selfd ei_sfd; /* own lock */
	LIST_ENTRY(epitem) ei_hash; /* (e) */
	LIST_ENTRY(epitem) ei_flink; /* (e) in its file's f_epitems */
	TAILQ_ENTRY(epitem) ei_rlink; /* (s) */
	bool ei_queued; /* (s) on its set's ready list */
	struct epoll *ei_ep; /* (c) */
	struct file *ei_file; /* (c) */
	int ei_fd; /* (c) */
	struct epoll_event ei_event; /* (e, s) */
};
LIST_HEAD(epitems, epitem);

struct epoll {
	struct vnode ep_vnode;
	struct selinfo ep_sel; /* own lock */
	TAILQ_HEAD(, epitem) ep_ready; /* (s) may be ready: the one told of longest ago first */
	size_t ep_nready; /* (s) */
	struct epitems *ep_hash; /* (e) by descriptor */
	size_t ep_size; /* (e) buckets, a power of two or 0 */
	size_t ep_count; /* (e) members */
	struct file *ep_file; /* (c) its only open file */
	uint64_t ep_visit; /* (e) the last walk that came by */
};
#define EPOLL(fp) container_of((fp)->f_vnode, struct epoll, ep_vnode)

static struct rwlock epoll_lock = RW_INITIALIZER("epoll", LR_FILE);
static size_t member_count; /* (e) */
static uint64_t visits; /* (e) */
static const struct vnodeops epoll_ops;

bool
is_epoll(struct file *fp)
{
	return (fp->f_vnode->v_ops == &epoll_ops);
}

/* --- the ready list --------------------------------------------------------------------------- */

static void
ready_add(struct epitem *ei, bool first)
{
	struct epoll *ep = ei->ei_ep;

	mtx_assert_owned(&selinfo_lock);
	if (ei->ei_queued)
		return;
	ei->ei_queued = true;
	if (first)
		TAILQ_INSERT_HEAD(&ep->ep_ready, ei, ei_rlink);
	else
		TAILQ_INSERT_TAIL(&ep->ep_ready, ei, ei_rlink);
	ep->ep_nready++;
}

static void
ready_remove(struct epitem *ei)
{
	struct epoll *ep = ei->ei_ep;

	mtx_assert_owned(&selinfo_lock);
	if (!ei->ei_queued)
		return;
	ei->ei_queued = false;
	TAILQ_REMOVE(&ep->ep_ready, ei, ei_rlink);
	ep->ep_nready--;
}

/* The events that a member is waited for by; none when it was told of and is EPOLLONESHOT. */
static uint32_t
wanted(const struct epitem *ei)
{
	return (ei->ei_event.events & ~PRIVATE);
}

static void
epoll_notify(struct selfd *sfd, uint32_t events)
{
	struct epitem *ei = container_of(sfd, struct epitem, ei_sfd);

	if ((events & wanted(ei)) == 0)
		return;
	ready_add(ei, false);
	wakeup(ei->ei_ep);
	selwakeup_locked(&ei->ei_ep->ep_sel, POLLIN | POLLRDNORM);
}

static bool set_ready(struct epoll *ep);

/* What is true of a member's file; recorded, if that is wanted. */
static uint32_t
item_poll(struct epitem *ei, bool record)
{
	struct selfd *sfd = record ? &ei->ei_sfd : NULL;

	rw_assert_wlocked(&epoll_lock);
	if (!is_epoll(ei->ei_file))
		return (poll_file(ei->ei_file, sfd) & wanted(ei));
	selrecord(&EPOLL(ei->ei_file)->ep_sel, sfd);
	return (set_ready(EPOLL(ei->ei_file)) ? (POLLIN | POLLRDNORM) & wanted(ei) : 0);
}

/* The member that was on the list longest, taken off it, or NULL. */
static struct epitem *
ready_take(struct epoll *ep)
{
	struct epitem *ei;

	mtx_lock(&selinfo_lock);
	ei = TAILQ_FIRST(&ep->ep_ready);
	if (ei != NULL)
		ready_remove(ei);
	mtx_unlock(&selinfo_lock);
	return (ei);
}

/* Is any member ready? Those of the list that are not leave it: before the look, so that one that
 * becomes ready after it comes back. Sets nest NESTS_MAX deep. */
static bool
set_ready(struct epoll *ep)
{
	struct epitem *ei = ready_take(ep);

	while (ei != NULL && item_poll(ei, false) == 0)
		ei = ready_take(ep);
	if (ei == NULL)
		return (false);
	mtx_lock(&selinfo_lock);
	ready_remove(ei);
	ready_add(ei, true);
	mtx_unlock(&selinfo_lock);
	return (true);
}

/* --- members ---------------------------------------------------------------------------------- */

static struct epitems *
bucket(struct epoll *ep, int fd)
{
	return (&ep->ep_hash[(size_t)fd & (ep->ep_size - 1)]);
}

static struct epitem *
item_find(struct epoll *ep, struct file *fp, int fd)
{
	struct epitem *ei;

	if (ep->ep_size == 0)
		return (NULL);
	LIST_FOREACH (ei, bucket(ep, fd), ei_hash)
		if (ei->ei_fd == fd && ei->ei_file == fp)
			break;
	return (ei);
}

/* Twice the buckets when there are as many members; without memory for them it goes on slower. */
static int
hash_grow(struct epoll *ep)
{
	struct epoll old = *ep;
	struct epitem *ei;
	size_t size = MAX(2 * old.ep_size, 8ul);
	struct epitems *hash;

	if (ep->ep_count < ep->ep_size)
		return (0);
	hash = kmalloc(size * sizeof(*hash), M_ZERO);
	if (hash == NULL)
		return (old.ep_size == 0 ? ENOMEM : 0);
	ep->ep_hash = hash;
	ep->ep_size = size;
	for (size_t i = 0; i < old.ep_size; i++)
		while ((ei = LIST_FIRST(&old.ep_hash[i])) != NULL) {
			LIST_REMOVE(ei, ei_hash);
			LIST_INSERT_HEAD(bucket(ep, ei->ei_fd), ei, ei_hash);
		}
	kfree(old.ep_hash);
	return (0);
}

static void
item_remove(struct epitem *ei)
{
	rw_assert_wlocked(&epoll_lock);
	selforget(&ei->ei_sfd);
	mtx_lock(&selinfo_lock);
	ready_remove(ei);
	mtx_unlock(&selinfo_lock);
	LIST_REMOVE(ei, ei_hash);
	LIST_REMOVE(ei, ei_flink);
	ei->ei_ep->ep_count--;
	member_count--;
	kfree(ei);
}

/* What is wanted of ei from now on; what is true already is told of. */
static void
item_set(struct epitem *ei, const struct epoll_event *event)
{
	mtx_lock(&selinfo_lock);
	ei->ei_event = *event;
	ei->ei_event.events |= POLLERR | POLLHUP;
	mtx_unlock(&selinfo_lock);
	if (item_poll(ei, true) == 0)
		return;
	mtx_lock(&selinfo_lock);
	epoll_notify(&ei->ei_sfd, wanted(ei));
	mtx_unlock(&selinfo_lock);
}

/* --- sets within sets ------------------------------------------------------------------------- */

/* ELOOP: below ep, at depth, is `top` itself, or sets too deep. */
static int
check_below(struct epoll *ep, struct epoll *top, int depth)
{
	struct epitem *ei;
	int error = ep == top || depth > NESTS_MAX ? ELOOP : 0;

	if (ep->ep_visit == visits && error == 0)
		return (0);
	ep->ep_visit = visits;
	for (size_t i = 0; i < ep->ep_size && error == 0; i++)
		LIST_FOREACH (ei, &ep->ep_hash[i], ei_hash)
			if (error == 0 && is_epoll(ei->ei_file))
				error = check_below(EPOLL(ei->ei_file), top, depth + 1);
	return (error);
}

/* How many ways there are up from ep, each of at most NESTS_MAX steps; more than PATHS_MAX: too
 * many. */
static int
paths_up(struct epoll *ep, int depth)
{
	struct epitem *ei;
	int n = 0;

	if (depth > NESTS_MAX)
		return (PATHS_MAX + 1);
	LIST_FOREACH (ei, &ep->ep_file->f_epitems, ei_flink) {
		n += paths_up(ei->ei_ep, depth + 1);
		if (n > PATHS_MAX)
			break;
	}
	return (MAX(n, 1));
}

/* Of ep, which just became a member, and the sets below it. */
static bool
paths_allowed(struct epoll *ep)
{
	struct epitem *ei;
	bool ok;

	if (ep->ep_visit == visits)
		return (true);
	ep->ep_visit = visits;
	ok = paths_up(ep, 0) <= PATHS_MAX;
	for (size_t i = 0; i < ep->ep_size && ok; i++)
		LIST_FOREACH (ei, &ep->ep_hash[i], ei_hash)
			if (ok && is_epoll(ei->ei_file))
				ok = paths_allowed(EPOLL(ei->ei_file));
	return (ok);
}

/* --- the calls -------------------------------------------------------------------------------- */

static int
item_add(struct epoll *ep, struct file *fp, int fd, const struct epoll_event *event)
{
	struct epitem *ei;
	int error = 0;

	visits++;
	if (is_epoll(fp))
		error = check_below(EPOLL(fp), ep, 0);
	if (error == 0 && member_count >= ptoa(vm_cnt.v_page_count) / MEMBER_SHARE / sizeof(*ei))
		error = ENOSPC;
	if (error == 0)
		error = hash_grow(ep);
	if (error != 0)
		return (error);
	ei = kmalloc(sizeof(*ei), M_ZERO);
	if (ei == NULL)
		return (ENOMEM);
	ei->ei_sfd.sf_notify = epoll_notify;
	ei->ei_ep = ep;
	ei->ei_file = fp;
	ei->ei_fd = fd;
	LIST_INSERT_HEAD(bucket(ep, fd), ei, ei_hash);
	LIST_INSERT_HEAD(&fp->f_epitems, ei, ei_flink);
	ep->ep_count++;
	member_count++;
	visits++;
	if (is_epoll(fp) && !paths_allowed(EPOLL(fp))) {
		item_remove(ei);
		return (EINVAL);
	}
	item_set(ei, event);
	return (0);
}

/* Something can be waited for. */
static bool
pollable(struct file *fp)
{
	struct vnode *vp = fp->f_vnode;

	return (vp->v_ops->v_poll != NULL &&
		(vp->v_type != VCHR || vp->v_cdev->cd_sw->d_poll != NULL));
}

static int
ctl_check(struct file *ep, int op, struct file *fp, const struct epoll_event *event)
{
	bool exclusive = op != EPOLL_CTL_DEL && (event->events & EPOLLEXCLUSIVE) != 0;

	if (!pollable(fp))
		return (EPERM);
	if (ep == fp || !is_epoll(ep))
		return (EINVAL);
	if (exclusive &&
	    (op != EPOLL_CTL_ADD || is_epoll(fp) || (event->events & ~(uint32_t)EXCLUSIVE_OK) != 0))
		return (EINVAL);
	return (op >= EPOLL_CTL_ADD && op <= EPOLL_CTL_MOD ? 0 : EINVAL);
}

int
epoll_ctl(struct file *epfp, int op, struct file *fp, int fd, const struct epoll_event *event)
{
	struct epoll *ep = EPOLL(epfp);
	struct epitem *ei;
	int error = ctl_check(epfp, op, fp, event);

	if (error != 0)
		return (error);
	rw_wlock(&epoll_lock);
	ei = item_find(ep, fp, fd);
	if (op == EPOLL_CTL_ADD)
		error = ei != NULL ? EEXIST : item_add(ep, fp, fd, event);
	else if (ei == NULL)
		error = ENOENT;
	else if (op == EPOLL_CTL_DEL)
		item_remove(ei);
	else if ((ei->ei_event.events & EPOLLEXCLUSIVE) != 0)
		error = EINVAL;
	else
		item_set(ei, event);
	rw_unlock(&epoll_lock);
	return (error);
}

/* Up to max events of members that are ready into events. */
static int
collect(struct epoll *ep, struct epoll_event *events, int max)
{
	struct epitem *ei;
	uint32_t true_ones;
	size_t left;
	int n = 0;

	rw_wlock(&epoll_lock);
	/* Those told of by level come to the end of the list, and are not looked at again. */
	for (left = ep->ep_nready; left > 0 && n < max && (ei = ready_take(ep)) != NULL; left--) {
		true_ones = item_poll(ei, false);
		if (true_ones == 0)
			continue;
		events[n++] = (struct epoll_event){true_ones, ei->ei_event.data};
		mtx_lock(&selinfo_lock);
		if ((ei->ei_event.events & EPOLLONESHOT) != 0)
			ei->ei_event.events &= PRIVATE;
		else if ((ei->ei_event.events & EPOLLET) == 0)
			ready_add(ei, false);
		mtx_unlock(&selinfo_lock);
	}
	rw_unlock(&epoll_lock);
	return (n);
}

int
epoll_wait(struct file *epfp, struct epoll_event *uevents, int max, const uint64_t *deadline,
	   int *count)
{
	struct epoll *ep = EPOLL(epfp);
	struct epoll_event few[8], *events = few;
	int room, error = 0;

	*count = 0;
	while (*count == 0 && error == 0) {
		error = selsleep(ep, &ep->ep_nready, deadline);
		room = MIN((size_t)max, KMALLOC_MAX / sizeof(*events));
		room = MIN((size_t)room, MAX(ep->ep_nready, nitems(few)));
		if (room > (int)nitems(few))
			events = kmalloc(room * sizeof(*events), 0);
		if (events == NULL)
			return (ENOMEM);
		*count = collect(ep, events, room);
		if (*count > 0)
			error = copyout(events, uevents, *count * sizeof(*events));
		if (events != few)
			kfree(events);
		events = few;
	}
	return (error == ETIMEDOUT || (error == EINTR && *count > 0) ? 0 : error);
}

void
epoll_forget(struct file *fp)
{
	if (LIST_EMPTY(&fp->f_epitems)) /* nobody is left who could add it */
		return;
	rw_wlock(&epoll_lock);
	while (!LIST_EMPTY(&fp->f_epitems))
		item_remove(LIST_FIRST(&fp->f_epitems));
	rw_unlock(&epoll_lock);
}

static uint32_t
epoll_poll(struct vnode *vp, struct file *fp __unused, struct selfd *sfd)
{
	struct epoll *ep = container_of(vp, struct epoll, ep_vnode);
	bool ready;

	rw_wlock(&epoll_lock);
	selrecord(&ep->ep_sel, sfd);
	ready = set_ready(ep);
	rw_unlock(&epoll_lock);
	return (ready ? POLLIN | POLLRDNORM : 0);
}

static int
epoll_open(struct vnode *vp, struct file *fp)
{
	struct epoll *ep = container_of(vp, struct epoll, ep_vnode);

	if (ep->ep_file != NULL) /* by way of /proc */
		return (ENXIO);
	ep->ep_file = fp;
	return (0);
}

static void
epoll_close(struct vnode *vp, struct file *fp __unused)
{
	struct epoll *ep = container_of(vp, struct epoll, ep_vnode);

	rw_wlock(&epoll_lock);
	for (size_t i = 0; i < ep->ep_size; i++)
		while (!LIST_EMPTY(&ep->ep_hash[i]))
			item_remove(LIST_FIRST(&ep->ep_hash[i]));
	rw_unlock(&epoll_lock);
	kfree(ep->ep_hash);
}

struct vnode *
epoll_alloc(void)
{
	struct vnode *vp = vnode_alloc(sizeof(struct epoll), &epoll_ops, VANON, NULL,
				       "anon_inode:[eventpoll]", 22);

	if (vp == NULL)
		return (NULL);
	vp->v_attr.va_mode = 0600;
	TAILQ_INIT(&container_of(vp, struct epoll, ep_vnode)->ep_ready);
	return (vp);
}

static const struct vnodeops epoll_ops = {
    .v_open = epoll_open,
    .v_close = epoll_close,
    .v_poll = epoll_poll,
};

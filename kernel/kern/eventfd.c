/*
 * eventfd: a write adds to a counter, a read takes what it is, or one of it, and waits for it.
 */
#include "kern/eventfd.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/lock.h"
#include "kern/select.h"
#include "fs/vnode.h"

#define COUNT_MAX (UINT64_MAX - 1)

/* Locks: (c) constant  (e) ev_lock */
struct eventfd {
	struct vnode ev_vnode;
	struct mtx ev_lock; /* rank LR_KMEM: selinfo's is taken within */
	struct selinfo ev_sel; /* own lock */
	uint64_t ev_count; /* (e) */
	bool ev_semaphore; /* (c) */
};
#define EVENTFD(vp) container_of(vp, struct eventfd, ev_vnode)

static const struct vnodeops eventfd_ops;

/* Wait, and look again; the lock is let go of when that fails. */
static int
eventfd_wait(struct eventfd *ev, struct uio *uio, struct file *fp)
{
	int error = EAGAIN;

	if (uio->uio_nowait || (fp->f_flags & O_NONBLOCK) != 0) {
		mtx_unlock(&ev->ev_lock);
		return (error);
	}
	error = mtx_sleep(ev, &ev->ev_lock, SLEEP_INTR, 0);
	if (error == 0)
		mtx_lock(&ev->ev_lock);
	return (error == EINTR ? ERESTART : error);
}

static int
eventfd_read(struct vnode *vp, struct uio *uio, struct file *fp)
{
	struct eventfd *ev = EVENTFD(vp);
	uint64_t value;
	int error = 0;

	if (uio->uio_resid < sizeof(value))
		return (EINVAL);
	mtx_lock(&ev->ev_lock);
	while (ev->ev_count == 0 && error == 0)
		error = eventfd_wait(ev, uio, fp);
	if (error != 0)
		return (error);
	value = ev->ev_semaphore ? 1 : ev->ev_count;
	ev->ev_count -= value;
	wakeup(ev);
	selwakeup(&ev->ev_sel, POLLOUT | POLLWRNORM);
	mtx_unlock(&ev->ev_lock);
	return (uiomove(&value, sizeof(value), uio));
}

static int
eventfd_write(struct vnode *vp, struct uio *uio, struct file *fp)
{
	struct eventfd *ev = EVENTFD(vp);
	uint64_t value;
	int error;

	if (uio->uio_resid < sizeof(value))
		return (EINVAL);
	error = uiomove(&value, sizeof(value), uio);
	if (error == 0 && value > COUNT_MAX) {
		uio->uio_resid += sizeof(value); /* nothing was written */
		error = EINVAL;
	}
	if (error != 0)
		return (error);
	mtx_lock(&ev->ev_lock);
	while (value > COUNT_MAX - ev->ev_count && error == 0)
		error = eventfd_wait(ev, uio, fp);
	if (error != 0) {
		uio->uio_resid += sizeof(value);
		return (error);
	}
	ev->ev_count += value;
	wakeup(ev);
	selwakeup(&ev->ev_sel, POLLIN | POLLRDNORM);
	mtx_unlock(&ev->ev_lock);
	return (0);
}

static uint32_t
eventfd_poll(struct vnode *vp, struct file *fp __unused, struct selfd *sfd)
{
	struct eventfd *ev = EVENTFD(vp);
	uint32_t events = 0;

	mtx_lock(&ev->ev_lock);
	selrecord(&ev->ev_sel, sfd);
	if (ev->ev_count > 0)
		events |= POLLIN;
	if (ev->ev_count < COUNT_MAX)
		events |= POLLOUT;
	mtx_unlock(&ev->ev_lock);
	return (events);
}

struct vnode *
eventfd_alloc(uint32_t count, bool semaphore)
{
	struct vnode *vp = vnode_alloc(sizeof(struct eventfd), &eventfd_ops, VANON, NULL,
				       "anon_inode:[eventfd]", 20);

	if (vp == NULL)
		return (NULL);
	vp->v_attr.va_mode = 0600;
	mtx_init(&EVENTFD(vp)->ev_lock, "eventfd", LR_KMEM);
	EVENTFD(vp)->ev_count = count;
	EVENTFD(vp)->ev_semaphore = semaphore;
	return (vp);
}

static const struct vnodeops eventfd_ops = {
    .v_read = eventfd_read,
    .v_write = eventfd_write,
    .v_poll = eventfd_poll,
};

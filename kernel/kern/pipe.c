/*
 * Pipes and FIFOs: a ring of slots, each a page with bytes in it. Owns the count of those pages.
 *
 *	pi_tail                pi_head
 *	  v                      v
 *	[ ##### ][ ######## ][ ###  ][      ][      ]	a writer goes on in the last page if what it
 *	    read from here         write from here	writes fits there, else in a new one
 *
 * While bytes are copied the pipe's lock is not held, for a copy may wait for memory. Instead one
 * reader and one writer at a time have their side's turn; a signal ends the wait for it. A reader
 * that empties the page a writer is adding to leaves the page to the writer.
 */
#include "kern/pipe.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/select.h"
#include "kern/sysctl.h"
#include "fs/vnode.h"
#include "vm/vm_page.h"

struct pipebuf {
	char *pb_page;
	uint32_t pb_at, pb_len; /* the bytes in it that wait to be read */
	bool pb_packet; /* a read takes no more than this, and drops what it does not take */
};

enum { READ, WRITE };

/* Locks: (p) pi_lock */
struct side {
	uint32_t s_files; /* (p) open on this side */
	uint32_t s_opens; /* (p) there ever were */
	uint32_t s_sleepers; /* (p) threads that wait for the other side */
	uint32_t s_queued; /* (p) threads that wait for their turn */
	bool s_busy; /* (p) it is some thread's turn */
};
/* Locks: (p) pi_lock  (r), (w) the turn to read or write besides */
struct pipe {
	struct rwlock pi_lock; /* rank LR_FILE */
	struct selinfo pi_sel; /* own lock */
	struct side pi_side[2]; /* (p) */
	struct pipebuf *pi_bufs; /* (p, r, w) indexed by these, modulo pi_slots: */
	uint32_t pi_head; /* (p, w) */
	uint32_t pi_tail; /* (p, r) */
	uint32_t pi_slots; /* (p, r, w) a power of two */
	bool pi_merging; /* (p) the writer adds to the last slot */
	bool pi_found_full; /* (p) by somebody, since a slot was freed */
	size_t pi_bytes; /* (p) in all slots */
	char *pi_spare; /* (p) a page that was emptied */
};

static uint64_t pipe_pages;
STAT(pipe_pages, pipe_pages);

/* --- pages ------------------------------------------------------------------------------------ */

static struct pipebuf *
slot(struct pipe *pi, uint32_t i)
{
	return (&pi->pi_bufs[i & (pi->pi_slots - 1)]);
}

/* All of its slots are taken; or, when pipes have a quarter of the memory, one is. */
static bool
pipe_full(struct pipe *pi)
{
	uint32_t used = pi->pi_head - pi->pi_tail;

	return (used >= pi->pi_slots || (used > 0 && pipe_pages > vm_cnt.v_page_count / 4));
}

static char *
page_get(struct pipe *pi)
{
	char *page = pi->pi_spare;

	pi->pi_spare = NULL;
	if (page == NULL && (page = kmalloc(PAGE_SIZE, 0)) != NULL)
		__atomic_fetch_add(&pipe_pages, 1, __ATOMIC_RELAXED);
	return (page);
}

static void
page_free(char *page)
{
	if (page == NULL)
		return;
	kfree(page);
	__atomic_fetch_sub(&pipe_pages, 1, __ATOMIC_RELAXED);
}

static void
page_put(struct pipe *pi, char *page)
{
	if (pi->pi_spare == NULL)
		pi->pi_spare = page;
	else
		page_free(page);
}

/* --- turns ------------------------------------------------------------------------------------ */

/* Sleep on chan, of which *count tells how many do. */
static int
pipe_sleep(struct pipe *pi, const void *chan, uint32_t *count)
{
	int error;

	++*count;
	error = rw_sleep(chan, &pi->pi_lock, SLEEP_INTR, 0);
	rw_wlock(&pi->pi_lock);
	--*count;
	return (error == EINTR ? ERESTART : error);
}

/* Side s may be able to go on. */
static void
side_wake(struct side *s)
{
	if (s->s_sleepers > 0)
		wakeup(s);
}

static int
turn_take(struct pipe *pi, struct side *s)
{
	int error = 0;

	while (s->s_busy && error == 0)
		error = pipe_sleep(pi, &s->s_busy, &s->s_queued);
	if (error == 0)
		s->s_busy = true;
	return (error);
}

static void
turn_end(struct side *s)
{
	s->s_busy = false;
	if (s->s_queued > 0)
		wakeup(&s->s_busy);
}

/* Nothing can be done but wait for the other side; others of this side may find so, too. */
static int
turn_wait(struct pipe *pi, struct side *s)
{
	int error;

	turn_end(s);
	error = pipe_sleep(pi, s, &s->s_sleepers);
	return (error != 0 ? error : turn_take(pi, s));
}

static bool
pipe_nowait(struct uio *uio, struct file *fp)
{
	return (uio->uio_nowait || (fp->f_flags & O_NONBLOCK) != 0);
}

/* --- read ------------------------------------------------------------------------------------- */

/* The first n bytes of the first slot are read. */
static void
pipe_consume(struct pipe *pi, struct pipebuf *pb, size_t n)
{
	pi->pi_bytes -= n;
	pb->pb_at += n;
	pb->pb_len -= n;
	if (pb->pb_len > 0 || (pi->pi_merging && pi->pi_tail + 1 == pi->pi_head))
		return;
	page_put(pi, pb->pb_page);
	pi->pi_tail++;
	side_wake(&pi->pi_side[WRITE]);
	if (pi->pi_found_full)
		selwakeup(&pi->pi_sel, POLLOUT | POLLWRNORM);
	pi->pi_found_full = false;
}

/* 0 once there is something to read or never will be; we have the turn. */
static int
read_wait(struct pipe *pi, struct uio *uio, struct file *fp)
{
	struct side *readers = &pi->pi_side[READ];
	int error = turn_take(pi, readers);

	while (error == 0 && pi->pi_bytes == 0 && pi->pi_side[WRITE].s_files > 0) {
		if (pipe_nowait(uio, fp)) {
			turn_end(readers);
			return (EAGAIN);
		}
		error = turn_wait(pi, readers);
	}
	return (error);
}

static int
pipe_read(struct vnode *vp, struct uio *uio, struct file *fp)
{
	struct pipe *pi = vp->v_data;
	struct pipebuf *pb;
	bool packet = false;
	size_t n;
	int error;

	if (uio->uio_resid == 0)
		return (0);
	rw_wlock(&pi->pi_lock);
	error = read_wait(pi, uio, fp);
	if (error != 0) {
		rw_unlock(&pi->pi_lock);
		return (error);
	}
	while (error == 0 && uio->uio_resid > 0 && pi->pi_bytes > 0 && !packet) {
		pb = slot(pi, pi->pi_tail);
		packet = pb->pb_packet;
		n = uio->uio_resid;
		error = uiomove_unlocked(pb->pb_page + pb->pb_at, MIN(n, pb->pb_len), uio,
					 &pi->pi_lock);
		n -= uio->uio_resid;
		pipe_consume(pi, pb, packet && error == 0 ? pb->pb_len : n);
	}
	turn_end(&pi->pi_side[READ]);
	rw_unlock(&pi->pi_lock);
	return (error);
}

int
pipe_peek(struct vnode *vp, struct uio *uio, struct file *fp)
{
	struct pipe *pi = vp->v_data;
	struct pipebuf *pb;
	uint32_t i;
	int error;

	rw_wlock(&pi->pi_lock);
	error = read_wait(pi, uio, fp);
	if (error != 0) {
		rw_unlock(&pi->pi_lock);
		return (error);
	}
	for (i = pi->pi_tail; error == 0 && uio->uio_resid > 0 && i != pi->pi_head; i++) {
		pb = slot(pi, i);
		error = uiomove_unlocked(pb->pb_page + pb->pb_at, MIN(uio->uio_resid, pb->pb_len),
					 uio, &pi->pi_lock);
	}
	turn_end(&pi->pi_side[READ]);
	rw_unlock(&pi->pi_lock);
	return (error);
}

/* --- write ------------------------------------------------------------------------------------ */

/* The last slot, if what is more than whole pages of resid fits there behind what it has. */
static struct pipebuf *
merge_slot(struct pipe *pi, size_t resid)
{
	struct pipebuf *pb = slot(pi, pi->pi_head - 1);
	size_t n = resid & PAGE_MASK;

	if (pi->pi_bytes == 0 || n == 0 || pb->pb_packet || pb->pb_at + pb->pb_len + n > PAGE_SIZE)
		return (NULL);
	return (pb);
}

/* Add up to a page at the end; merge: to what pb has already. */
static int
write_page(struct pipe *pi, struct pipebuf *pb, bool merge, struct uio *uio)
{
	size_t resid = uio->uio_resid, n = merge ? resid & PAGE_MASK : MIN(resid, PAGE_SIZE);
	int error;

	pi->pi_merging = merge;
	error = uiomove_unlocked(pb->pb_page + pb->pb_at + pb->pb_len, n, uio, &pi->pi_lock);
	pi->pi_merging = false;
	n = resid - uio->uio_resid;
	pb->pb_len += n;
	pi->pi_bytes += n;
	if (!merge && pb->pb_len > 0)
		pi->pi_head++;
	if (merge && pb->pb_len == 0) /* readers had emptied it, and left it to us */
		pi->pi_head--;
	if (pb->pb_len == 0)
		page_put(pi, pb->pb_page);
	if (n > 0) {
		side_wake(&pi->pi_side[READ]);
		selwakeup(&pi->pi_sel, POLLIN | POLLRDNORM);
	}
	return (error);
}

/* 0 once there is a free slot; else the turn is over. EAGAIN; EPIPE, and the signal of it. */
static int
write_wait(struct pipe *pi, struct uio *uio, struct file *fp)
{
	int error = 0;

	while (error == 0) {
		if (pi->pi_side[READ].s_files == 0) {
			turn_end(&pi->pi_side[WRITE]);
			signal_send(curproc, curthread, SIGPIPE);
			return (EPIPE);
		}
		if (!pipe_full(pi))
			return (0);
		pi->pi_found_full = true;
		if (pipe_nowait(uio, fp)) {
			turn_end(&pi->pi_side[WRITE]);
			return (EAGAIN);
		}
		error = turn_wait(pi, &pi->pi_side[WRITE]);
	}
	return (error);
}

static int
pipe_add(struct pipe *pi, struct uio *uio, struct file *fp)
{
	bool packet = (fp->f_flags & O_DIRECT) != 0;
	struct pipebuf *pb;
	int error = turn_take(pi, &pi->pi_side[WRITE]);

	if (error != 0)
		return (error);
	pb = packet || pi->pi_side[READ].s_files == 0 ? NULL : merge_slot(pi, uio->uio_resid);
	if (pb != NULL)
		error = write_page(pi, pb, true, uio);
	while (error == 0 && uio->uio_resid > 0) {
		error = write_wait(pi, uio, fp);
		if (error != 0)
			return (error);
		pb = slot(pi, pi->pi_head);
		*pb = (struct pipebuf){.pb_page = page_get(pi), .pb_packet = packet};
		error = pb->pb_page == NULL ? ENOMEM : write_page(pi, pb, false, uio);
		if (uio->uio_file != NULL) /* which may end, or have no more now */
			break;
	}
	turn_end(&pi->pi_side[WRITE]);
	return (error);
}

static int
pipe_write(struct vnode *vp, struct uio *uio, struct file *fp)
{
	struct pipe *pi = vp->v_data;
	int error;

	if (uio->uio_resid == 0)
		return (0);
	rw_wlock(&pi->pi_lock);
	error = pipe_add(pi, uio, fp);
	rw_unlock(&pi->pi_lock);
	return (error);
}

int
pipe_room(struct vnode *vp, struct file *fp, bool nowait)
{
	struct uio uio = {.uio_nowait = nowait};
	struct pipe *pi = vp->v_data;
	int error;

	rw_wlock(&pi->pi_lock);
	error = turn_take(pi, &pi->pi_side[WRITE]);
	if (error == 0)
		error = write_wait(pi, &uio, fp);
	if (error == 0)
		turn_end(&pi->pi_side[WRITE]);
	rw_unlock(&pi->pi_lock);
	return (error);
}

/* --- open and close --------------------------------------------------------------------------- */

static struct pipe *
pipe_new(void)
{
	struct pipe *pi = kmalloc(sizeof(*pi), M_ZERO);

	if (pi == NULL)
		return (NULL);
	rw_init(&pi->pi_lock, "pipe", LR_FILE);
	pi->pi_slots = PIPE_SLOTS;
	pi->pi_bufs = kmalloc(PIPE_SLOTS * sizeof(*pi->pi_bufs), M_ZERO);
	if (pi->pi_bufs != NULL)
		return (pi);
	kfree(pi);
	return (NULL);
}

static void
pipe_destroy(struct pipe *pi)
{
	for (; pi->pi_tail != pi->pi_head; pi->pi_tail++)
		page_free(slot(pi, pi->pi_tail)->pb_page);
	page_free(pi->pi_spare);
	kfree(pi->pi_bufs);
	kfree(pi);
}

static void
side_open(struct pipe *pi, int side)
{
	struct side *other = &pi->pi_side[!side];

	pi->pi_side[side].s_files++;
	pi->pi_side[side].s_opens++;
	side_wake(other);
}

static void
side_close(struct pipe *pi, int side)
{
	if (--pi->pi_side[side].s_files > 0)
		return;
	side_wake(&pi->pi_side[!side]);
	selwakeup(&pi->pi_sel, side == READ ? POLLERR | POLLOUT : POLLHUP | POLLIN);
}

/* Who opens one end of a FIFO waits until there is, or was, somebody at the other. */
static int
open_wait(struct pipe *pi, int side)
{
	struct side *other = &pi->pi_side[!side];
	uint32_t opens = other->s_opens;
	int error = 0;

	while (other->s_files == 0 && other->s_opens == opens && error == 0)
		error = pipe_sleep(pi, &pi->pi_side[side], &pi->pi_side[side].s_sleepers);
	return (other->s_opens != opens ? 0 : error);
}

/* Count the file in. ENXIO: it will not wait for a reader. */
static int
pipe_enter(struct vnode *vp, struct pipe *pi, struct file *fp)
{
	bool fifo = vp->v_parent != vp, nowait = (fp->f_flags & O_NONBLOCK) != 0;

	if (fifo && !file_readable(fp) && nowait && pi->pi_side[READ].s_files == 0)
		return (ENXIO);
	if (file_readable(fp))
		side_open(pi, READ);
	if (file_writable(fp))
		side_open(pi, WRITE);
	return (0);
}

/* Count it out. */
static void
pipe_leave(struct pipe *pi, struct file *fp)
{
	if (file_readable(fp))
		side_close(pi, READ);
	if (file_writable(fp))
		side_close(pi, WRITE);
}

/* fp->f_data of a reader that did not wait: writers so far do not count for POLLHUP. */
static int
fifo_wait(struct pipe *pi, struct file *fp)
{
	if (file_readable(fp) && file_writable(fp))
		return (0);
	if ((fp->f_flags & O_NONBLOCK) == 0)
		return (open_wait(pi, file_readable(fp) ? READ : WRITE));
	if (pi->pi_side[WRITE].s_files == 0)
		fp->f_data = (void *)(uintptr_t)pi->pi_side[WRITE].s_opens;
	return (0);
}

/* The vnode has no pipe any longer when nobody has it open. */
static void
pipe_unlock(struct vnode *vp, struct pipe *pi)
{
	bool unused = pi->pi_side[READ].s_files + pi->pi_side[WRITE].s_files == 0;

	rw_assert_wlocked(&vp->v_lock);
	rw_unlock(&pi->pi_lock);
	if (unused)
		vp->v_data = NULL;
	rw_unlock(&vp->v_lock);
	if (unused)
		pipe_destroy(pi);
}

static void
pipe_close(struct vnode *vp, struct file *fp)
{
	struct pipe *pi = vp->v_data;

	rw_wlock(&vp->v_lock);
	rw_wlock(&pi->pi_lock);
	pipe_leave(pi, fp);
	pipe_unlock(vp, pi);
}

static int
pipe_open(struct vnode *vp, struct file *fp)
{
	struct pipe *pi;
	int error;

	rw_wlock(&vp->v_lock);
	pi = vp->v_data != NULL ? vp->v_data : pipe_new();
	vp->v_data = pi;
	if (pi == NULL) {
		rw_unlock(&vp->v_lock);
		return (ENOMEM);
	}
	rw_wlock(&pi->pi_lock);
	error = pipe_enter(vp, pi, fp);
	pipe_unlock(vp, pi);
	if (error != 0 || vp->v_parent == vp)
		return (error);
	rw_wlock(&pi->pi_lock);
	error = fifo_wait(pi, fp);
	rw_unlock(&pi->pi_lock);
	if (error != 0)
		pipe_close(vp, fp);
	return (error);
}

/* --- the rest --------------------------------------------------------------------------------- */

static uint32_t
pipe_poll(struct vnode *vp, struct file *fp, struct selfd *sfd)
{
	struct pipe *pi = vp->v_data;
	struct side *readers = &pi->pi_side[READ], *writers = &pi->pi_side[WRITE];
	uint32_t events = 0;

	rw_wlock(&pi->pi_lock);
	selrecord(&pi->pi_sel, sfd);
	if (file_readable(fp) && pi->pi_bytes > 0)
		events |= POLLIN | POLLRDNORM;
	if (file_readable(fp) && writers->s_files == 0 &&
	    writers->s_opens != (uint32_t)(uintptr_t)fp->f_data)
		events |= POLLHUP;
	if (file_writable(fp) && !pipe_full(pi))
		events |= POLLOUT | POLLWRNORM;
	else
		pi->pi_found_full = true;
	if (file_writable(fp) && readers->s_files == 0)
		events |= POLLERR;
	rw_unlock(&pi->pi_lock);
	return (events);
}

static int
pipe_ioctl(struct vnode *vp, struct file *fp __unused, uint64_t cmd, uint64_t arg)
{
	struct pipe *pi = vp->v_data;
	int bytes;

	if (cmd != FIONREAD)
		return (ENOTTY);
	rw_rlock(&pi->pi_lock);
	bytes = pi->pi_bytes;
	rw_unlock(&pi->pi_lock);
	return (copyout(&bytes, (void *)arg, sizeof(bytes)));
}

uint32_t
pipe_size(struct vnode *vp)
{
	struct pipe *pi = vp->v_data;

	return (pi->pi_slots * PAGE_SIZE);
}

/* A ring of n slots in the place of the one there is. Both turns are ours. */
static int
ring_replace(struct pipe *pi, uint32_t n)
{
	uint32_t used = pi->pi_head - pi->pi_tail;
	struct pipebuf *bufs;

	if (used > n)
		return (EBUSY);
	bufs = kmalloc(n * sizeof(*bufs), M_ZERO);
	if (bufs == NULL)
		return (ENOMEM);
	for (uint32_t i = 0; i < used; i++)
		bufs[i] = *slot(pi, pi->pi_tail + i);
	kfree(pi->pi_bufs);
	pi->pi_bufs = bufs;
	pi->pi_slots = n;
	pi->pi_tail = 0;
	pi->pi_head = used;
	side_wake(&pi->pi_side[WRITE]);
	selwakeup(&pi->pi_sel, POLLOUT | POLLWRNORM);
	return (0);
}

int
pipe_resize(struct vnode *vp, uint64_t size)
{
	struct pipe *pi = vp->v_data;
	uint32_t n = 1;
	int error;

	while (n < atop(round_page(size)))
		n *= 2;
	rw_wlock(&pi->pi_lock);
	error = turn_take(pi, &pi->pi_side[READ]);
	if (error == 0) {
		error = turn_take(pi, &pi->pi_side[WRITE]);
		if (error == 0) {
			error = ring_replace(pi, n);
			turn_end(&pi->pi_side[WRITE]);
		}
		turn_end(&pi->pi_side[READ]);
	}
	rw_unlock(&pi->pi_lock);
	return (error);
}

struct vnode *
pipe_alloc(void)
{
	struct vnode *vp = vnode_alloc(sizeof(*vp), &pipe_ops, VFIFO, NULL, "pipe", 4);

	if (vp != NULL)
		vp->v_attr.va_mode = 0600;
	return (vp);
}

const struct vnodeops pipe_ops = {
    .v_open = pipe_open,
    .v_close = pipe_close,
    .v_read = pipe_read,
    .v_write = pipe_write,
    .v_poll = pipe_poll,
    .v_ioctl = pipe_ioctl,
};

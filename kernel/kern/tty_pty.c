/*
 * Pseudo-terminals: /dev/ptmx makes one at each open, whose file is the master side; the slave side
 * is the terminal /dev/pts/N. What is written to the master was typed at the slave, what the slave
 * puts out the master reads. Owns the list of those there are.
 *
 * References on the slave's struct tty keep a pty: the master's file has one, the vnode of
 * /dev/pts/N one, and as with any terminal each file and the session.
 */
#include "fs/vnode.h"
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/sysctl.h"
#include "kern/tty.h"

#define PTY_MAX    4096 /* ENOSPC past it */
#define PTS_MAJOR  136
#define PTMX_MAJOR 5
#define PTMX_MINOR 2
#define CHUNK      256

#define TIOCPKT     0x5420
#define TIOCGPTN    0x80045430
#define TIOCSPTLCK  0x40045431
#define TIOCSIG     0x40045436
#define TIOCGPTLCK  0x80045439
#define TIOCGPTPEER 0x5441

/* Locks: (c) constant  (l) ptys_lock  (t) the slave's t_lock */
struct pty {
	LIST_ENTRY(pty) pt_link; /* (l) by number */
	struct tty pt_slave; /* own lock */
	struct selinfo
	    pt_sel; /* own lock: who waits for the master; readers and writers sleep on it */
	struct cdev pt_cdev; /* (c) */
	struct vnode *pt_vp; /* (c) /dev/pts/N, referenced until the master is closed */
	char pt_name[8]; /* (c) */
	bool pt_locked; /* (t) nobody may open the slave yet */
	bool pt_closed; /* (t) the slave was open, and is not */
};

static struct rwlock ptys_lock = RW_INITIALIZER("ptys", LR_FILE);
static LIST_HEAD(, pty) ptys = LIST_HEAD_INITIALIZER(ptys); /* (l) */
static struct vnode *ptsdir; /* (c) */
static uint64_t npty; /* atomic */
STAT(ptys, npty);

static struct pty *
pty_of(struct tty *tp)
{
	return (container_of(tp, struct pty, pt_slave));
}

static void
master_wakeup(struct pty *pt, uint32_t events)
{
	wakeup(&pt->pt_sel);
	selwakeup(&pt->pt_sel, events);
}

/* --- the slave, as a terminal's driver -------------------------------------------------------- */

static void
slave_outwakeup(struct tty *tp)
{
	if (ttyq_len(&tp->t_out) > 0)
		master_wakeup(pty_of(tp), POLLIN | POLLRDNORM);
}

static void
slave_inwakeup(struct tty *tp)
{
	master_wakeup(pty_of(tp), POLLOUT | POLLWRNORM);
}

static int
slave_open(struct tty *tp)
{
	struct pty *pt = pty_of(tp);

	if (pt->pt_locked || tp->t_gone)
		return (EIO);
	pt->pt_closed = false;
	return (0);
}

static void
slave_close(struct tty *tp)
{
	pty_of(tp)->pt_closed = true;
	master_wakeup(pty_of(tp), POLLIN | POLLRDNORM | POLLHUP);
}

static void
slave_free(struct tty *tp)
{
	struct pty *pt = pty_of(tp);

	seldestroy(&pt->pt_sel);
	tty_fini(tp);
	kfree(pt);
	__atomic_fetch_sub(&npty, 1, __ATOMIC_RELAXED);
}

static const struct ttydevsw slave_ttysw = {
    .tsw_outwakeup = slave_outwakeup,
    .tsw_inwakeup = slave_inwakeup,
    .tsw_open = slave_open,
    .tsw_close = slave_close,
    .tsw_free = slave_free,
    .tsw_pty = true,
};

/* The node of /dev/pts is gone, and nobody looks at it any more. */
static void
pts_gone(void *softc)
{
	tty_rele(softc);
}

static const struct cdevsw pts_cdevsw = TTY_CDEVSW(tty_dev_open, .d_gone = pts_gone);

/* --- the master ------------------------------------------------------------------------------- */

/* Into the list, with the least number that is free. ENOSPC. */
static int
number(struct pty *pt)
{
	struct pty *other, *before = NULL;
	uint32_t n = 0;

	rw_wlock(&ptys_lock);
	LIST_FOREACH (other, &ptys, pt_link) {
		if (other->pt_slave.t_minor != n)
			break;
		before = other;
		n++;
	}
	if (n < PTY_MAX && before == NULL)
		LIST_INSERT_HEAD(&ptys, pt, pt_link);
	else if (n < PTY_MAX)
		LIST_INSERT_AFTER(before, pt, pt_link);
	pt->pt_slave.t_minor = n;
	rw_unlock(&ptys_lock);
	return (n < PTY_MAX ? 0 : ENOSPC);
}

static void
unnumber(struct pty *pt)
{
	rw_wlock(&ptys_lock);
	LIST_REMOVE(pt, pt_link);
	rw_unlock(&ptys_lock);
}

static int
ptmx_open(void *softc __unused, struct file *fp)
{
	struct pty *pt = kmalloc(sizeof(*pt), M_ZERO);
	struct tty *tp = &pt->pt_slave;
	int error;

	if (pt == NULL)
		return (ENOMEM);
	error = tty_init(tp, &slave_ttysw, pt, PTS_MAJOR, 0);
	if (error != 0) {
		kfree(pt);
		return (error);
	}
	__atomic_fetch_add(&npty, 1, __ATOMIC_RELAXED);
	tp->t_termios.c_cflag &= ~(uint32_t)HUPCL;
	pt->pt_locked = true;
	error = number(pt);
	if (error == 0) {
		ksnprintf(pt->pt_name, sizeof(pt->pt_name), "%u", tp->t_minor);
		pt->pt_cdev = (struct cdev){.cd_name = pt->pt_name,
					    .cd_sw = &pts_cdevsw,
					    .cd_softc = tp,
					    .cd_major = PTS_MAJOR,
					    .cd_minor = tp->t_minor,
					    .cd_mode = 0620};
		error = cdev_register_at(&pt->pt_cdev, ptsdir, &pt->pt_vp);
		if (error != 0)
			unnumber(pt);
		else
			pt->pt_vp->v_attr.va_uid = curcred()->cr_fsuid;
	}
	if (error != 0) {
		tty_rele(tp);
		return (error);
	}
	tty_ref(tp); /* the node's */
	fp->f_data = pt;
	return (0);
}

static void
ptmx_close(void *softc __unused, struct file *fp)
{
	struct pty *pt = fp->f_data;
	struct tty *tp = &pt->pt_slave;

	tty_lock(tp);
	tp->t_gone = true;
	tty_unlock(tp);
	tty_hangup(tp);
	cdev_unregister(&pt->pt_cdev, ptsdir);
	unnumber(pt);
	vrele(pt->pt_vp);
	tty_rele(tp);
}

/* Sleep until the slave has done something. */
static int
master_sleep(struct pty *pt, struct uio *uio, struct file *fp)
{
	if (uio->uio_nowait || (fp->f_flags & O_NONBLOCK) != 0)
		return (EAGAIN);
	return (tty_sleep(&pt->pt_slave, &pt->pt_sel, 0));
}

static int
ptmx_read(void *softc __unused, struct uio *uio, struct file *fp)
{
	struct pty *pt = fp->f_data;
	struct tty *tp = &pt->pt_slave;
	char buf[CHUNK];
	int error = 0;
	size_t n;

	tty_lock(tp);
	while (ttyq_len(&tp->t_out) == 0 && error == 0)
		error = pt->pt_closed ? EIO : master_sleep(pt, uio, fp);
	while (error == 0 && uio->uio_resid > 0) {
		n = tty_getout(tp, buf, MIN(uio->uio_resid, sizeof(buf)));
		if (n == 0)
			break;
		tty_unlock(tp);
		error = uiomove(buf, n, uio);
		tty_lock(tp);
	}
	tty_unlock(tp);
	return (error);
}

/* What finds no room by the time it has been copied, because somebody else typed, is lost. */
static int
ptmx_write(void *softc __unused, struct uio *uio, struct file *fp)
{
	struct pty *pt = fp->f_data;
	struct tty *tp = &pt->pt_slave;
	char buf[CHUNK];
	size_t n, left;
	int error = 0;

	tty_lock(tp);
	while (uio->uio_resid > 0 && error == 0) {
		n = MIN(MIN(uio->uio_resid, sizeof(buf)), tty_disc_room(tp));
		if (n == 0) {
			tty_want_room(tp);
			error = master_sleep(pt, uio, fp);
			continue;
		}
		tty_unlock(tp);
		left = uio->uio_resid;
		error = uiomove(buf, n, uio);
		n = left - uio->uio_resid;
		tty_lock(tp);
		if (n == 0)
			break;
		tty_input(tp, buf, n);
	}
	tty_unlock(tp);
	return (error);
}

static uint32_t
ptmx_poll(void *softc __unused, struct file *fp, struct selfd *sfd)
{
	struct pty *pt = fp->f_data;
	struct tty *tp = &pt->pt_slave;
	uint32_t events = 0;

	selrecord(&pt->pt_sel, sfd);
	tty_lock(tp);
	if (ttyq_len(&tp->t_out) > 0)
		events |= POLLIN | POLLRDNORM;
	if (tty_disc_room(tp) > 0)
		events |= POLLOUT | POLLWRNORM;
	else
		tty_want_room(tp);
	if (pt->pt_closed)
		events |= POLLHUP;
	tty_unlock(tp);
	return (events);
}

/* A new descriptor of the slave; its number negated. */
static int
open_peer(struct pty *pt, uint32_t flags)
{
	int error, fd;

	vref(pt->pt_vp);
	error = file_install(pt->pt_vp, flags, &fd);
	return (error != 0 ? error : -fd);
}

static int
set_locked(struct pty *pt, const void *arg)
{
	int32_t locked;
	int error = copyin(arg, &locked, sizeof(locked));

	if (error == 0)
		pt->pt_locked = locked != 0;
	return (error);
}

static int
send_signal(struct pty *pt, uint64_t sig)
{
	if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
		return (EINVAL);
	tty_signal(&pt->pt_slave, (int)sig);
	return (0);
}

/* Its own; of the rest most mean the slave. */
static int
ptmx_ioctl(void *softc __unused, uint64_t cmd, uint64_t arg, struct file *fp)
{
	struct pty *pt = fp->f_data;
	struct tty *tp = &pt->pt_slave;
	int error;

	switch (cmd) {
	case TIOCGPTN:
		return (tty_word_out(arg, tp->t_minor));
	case TIOCSPTLCK:
		return (set_locked(pt, (void *)arg));
	case TIOCGPTLCK:
		return (tty_word_out(arg, pt->pt_locked));
	case TIOCGPTPEER:
		return (open_peer(pt, (uint32_t)arg));
	case TIOCSIG:
		return (send_signal(pt, arg));
	case FIONREAD:
		return (tty_word_out(arg, ttyq_len(&tp->t_out)));
	case TIOCPKT:
		klog(LOG_INFO, "pty: there is no packet mode");
		return (ENOTTY);
	}
	error = tty_jobs_ioctl(tp, NULL, cmd, arg);
	return (error == ENOTTY ? tty_ioctl(tp, NULL, cmd, arg) : error);
}

void
pty_init(void)
{
	static const struct cdevsw sw = {
	    .d_open = ptmx_open,
	    .d_close = ptmx_close,
	    .d_read = ptmx_read,
	    .d_write = ptmx_write,
	    .d_ioctl = ptmx_ioctl,
	    .d_poll = ptmx_poll,
	};
	static struct cdev dev = {
	    .cd_name = "ptmx", .cd_sw = &sw, .cd_major = PTMX_MAJOR, .cd_minor = PTMX_MINOR};

	ptsdir = cdev_mkdir("pts");
	if (ptsdir != NULL)
		cdev_register(&dev);
}

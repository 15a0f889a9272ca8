/*
 * Terminals as open files: open and close, read and write, poll. Also their devices in /dev.
 */
#include "fs/vnode.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/tty.h"

#define CHUNK    256 /* bytes moved to and from a program at once */
#define OUT_MOST 8 /* bytes that one character is put out as: a tab as spaces */
#define TENTH_NS 100000000ul /* VTIME's unit */

bool
tty_hung(struct tty *tp, struct file *fp)
{
	tty_assert(tp);
	return (fp != NULL && ((struct ttyfile *)fp->f_data)->tf_hangups != tp->t_hangups);
}

int
tty_file_open(struct tty *tp, struct file *fp, bool noctty)
{
	struct ttyfile *tf = kmalloc(sizeof(*tf), 0);
	int error = 0;

	if (tf == NULL)
		return (ENOMEM);
	tty_lock(tp);
	if (tp->t_sw->tsw_open != NULL) /* TIOCEXCL does not keep the superuser out */
		error = tp->t_sw->tsw_open(tp);
	if (error == 0) {
		*tf = (struct ttyfile){tp, tp->t_hangups};
		fp->f_data = tf;
		tty_ref(tp);
		__atomic_fetch_add(&tp->t_opens, 1, __ATOMIC_RELAXED);
		if (!noctty && (fp->f_flags & O_NOCTTY) == 0 && file_readable(fp))
			tty_open_session(tp);
	}
	tty_unlock(tp);
	if (error != 0)
		kfree(tf);
	return (error);
}

/* The last one out leaves nothing behind for the next. */
void
tty_file_close(void *softc __unused, struct file *fp)
{
	struct tty *tp = file_tty(fp);

	tty_lock(tp);
	if (__atomic_sub_fetch(&tp->t_opens, 1, __ATOMIC_RELAXED) == 0) {
		tp->t_exclusive = false;
		tty_stop(tp, false);
		tty_flush_in(tp);
		if (tp->t_sw->tsw_close != NULL)
			tp->t_sw->tsw_close(tp);
	}
	tty_unlock(tp);
	tty_rele(tp);
	kfree(fp->f_data);
}

static bool
nowait(const struct uio *uio, const struct file *fp)
{
	return (uio->uio_nowait || (fp->f_flags & O_NONBLOCK) != 0);
}

/* How long a read waits, and for how much: termios(3), "canonical and noncanonical mode". */
struct patience {
	bool canon;
	bool poll; /* no wait at all */
	uint32_t min;
	uint64_t first_ns, next_ns; /* for the first byte, and between bytes; 0: for ever */
};

static struct patience
read_patience(const struct tty *tp)
{
	const uint8_t *cc = tp->t_termios.c_cc;
	uint64_t ns = cc[VTIME] * TENTH_NS;

	if ((tp->t_termios.c_lflag & ICANON) != 0)
		return ((struct patience){.canon = true});
	if (cc[VMIN] > 0)
		return ((struct patience){.min = cc[VMIN], .next_ns = ns});
	return ((struct patience){.poll = ns == 0, .min = 1, .first_ns = ns, .next_ns = ns});
}

/* Until there is something to read: 0, also if there will be nothing more (*end). */
static int
read_wait(struct tty *tp, struct file *fp, const struct patience *wait, size_t done, bool nowait,
	  bool *end)
{
	int error = 0;

	while (tty_disc_avail(tp) == 0 && !*end && error == 0) {
		if (tp->t_gone) {
			error = EIO;
		} else if (tty_hung(tp, fp) || wait->poll) {
			*end = true;
		} else if (nowait) {
			error = EAGAIN;
		} else {
			error = tty_sleep(tp, &tp->t_in, done > 0 ? wait->next_ns : wait->first_ns);
			*end = error == ETIMEDOUT;
			error = *end ? 0 : error;
		}
	}
	return (error);
}

int
tty_file_read(void *softc __unused, struct uio *uio, struct file *fp)
{
	struct tty *tp = file_tty(fp);
	struct patience wait;
	char buf[CHUNK];
	size_t n, done = 0;
	bool end;
	int error;

	tty_lock(tp);
	end = tty_hung(tp, fp);
	error = end ? 0 : tty_check_background(tp, SIGTTIN);
	while (error == 0 && !end && uio->uio_resid > 0) {
		wait = read_patience(tp);
		error = read_wait(tp, fp, &wait, done, nowait(uio, fp), &end);
		if (error != 0 || end)
			break;
		n = tty_disc_read(tp, buf, MIN(uio->uio_resid, sizeof(buf)), &end);
		if (uio->uio_resid == n)
			tty_disc_skip_eof(tp);
		tty_take_input(tp);
		tty_unlock(tp);
		error = uiomove(buf, n, uio);
		tty_lock(tp);
		done += n;
		end |= !wait.canon && done >= wait.min;
	}
	tty_unlock(tp);
	return (error);
}

/* Until output has room for some of what the uio has: *n characters, whose room is kept. */
static int
write_reserve(struct tty *tp, struct uio *uio, struct file *fp, size_t *n)
{
	uint32_t room;
	int error;

	for (;;) {
		if (tty_hung(tp, fp) || tp->t_gone)
			return (EIO);
		room = (TTY_BUF - ttyq_len(&tp->t_out)) / OUT_MOST;
		if (!tp->t_stopped && room > 0)
			break;
		if (nowait(uio, fp))
			return (EAGAIN);
		error = tty_sleep(tp, &tp->t_out, 0);
		if (error != 0)
			return (error);
	}
	*n = MIN(MIN(uio->uio_resid, CHUNK), room);
	tp->t_reserved = (uint32_t)*n * OUT_MOST;
	return (0);
}

/* One write at a time, so that they do not mix. */
static int
write_begin(struct tty *tp, struct uio *uio, struct file *fp)
{
	int error = tty_hung(tp, fp) ? EIO : 0;

	if (error == 0 && (tp->t_termios.c_lflag & TOSTOP) != 0)
		error = tty_check_background(tp, SIGTTOU);
	while (error == 0 && tp->t_writing)
		error = nowait(uio, fp) ? EAGAIN : tty_sleep(tp, &tp->t_writing, 0);
	tp->t_writing |= error == 0;
	return (error);
}

int
tty_file_write(void *softc __unused, struct uio *uio, struct file *fp)
{
	struct tty *tp = file_tty(fp);
	char buf[CHUNK];
	size_t n, left;
	int error;

	tty_lock(tp);
	error = write_begin(tp, uio, fp);
	if (error != 0) {
		tty_unlock(tp);
		return (error);
	}
	while (uio->uio_resid > 0 && error == 0) {
		error = write_reserve(tp, uio, fp, &n);
		if (error != 0)
			break;
		tty_unlock(tp);
		left = uio->uio_resid;
		error = uiomove(buf, n, uio);
		n = left - uio->uio_resid; /* from a file that ends, say, it is less */
		tty_lock(tp);
		tp->t_reserved = 0;
		if (n == 0)
			break;
		tty_disc_output(tp, buf, n);
		tp->t_sw->tsw_outwakeup(tp);
	}
	tp->t_writing = false;
	wakeup(&tp->t_writing);
	tty_unlock(tp);
	return (error);
}

int
tty_file_ioctl(void *softc __unused, uint64_t cmd, uint64_t arg, struct file *fp)
{
	struct tty *tp = file_tty(fp);
	int error;

	tty_lock(tp);
	error = !tty_hung(tp, fp) ? 0 : cmd == TIOCSPGRP ? ENOTTY : EIO;
	tty_unlock(tp);
	if (error != 0)
		return (error);
	error = tp->t_sw->tsw_ioctl != NULL ? tp->t_sw->tsw_ioctl(tp, fp, cmd, arg) : ENOTTY;
	if (error == ENOTTY)
		error = tty_jobs_ioctl(tp, fp, cmd, arg);
	return (error == ENOTTY ? tty_ioctl(tp, fp, cmd, arg) : error);
}

uint32_t
tty_file_poll(void *softc __unused, struct file *fp, struct selfd *sfd)
{
	const uint32_t dead = POLL_ALWAYS | POLLERR | POLLHUP;
	struct tty *tp = file_tty(fp);
	uint32_t events = 0;
	uint32_t min;

	selrecord(&tp->t_sel, sfd);
	tty_lock(tp);
	min = (tp->t_termios.c_lflag & ICANON) == 0 && tp->t_termios.c_cc[VTIME] == 0
		  ? tp->t_termios.c_cc[VMIN]
		  : 1;
	if (tty_hung(tp, fp)) {
		events = dead;
	} else {
		if (tty_disc_avail(tp) >= MAX(min, 1u))
			events |= POLLIN | POLLRDNORM;
		if (tp->t_gone)
			events |= POLLHUP;
		if (!tp->t_stopped && !tp->t_writing && ttyq_len(&tp->t_out) < TTY_BUF / 2)
			events |= POLLOUT | POLLWRNORM;
	}
	tty_unlock(tp);
	return (events);
}

int
tty_dev_open(void *softc, struct file *fp)
{
	return (tty_file_open(softc, fp, false));
}

int
tty_makedev(struct tty *tp, struct cdev *dev, const char *name)
{
	static const struct cdevsw sw = TTY_CDEVSW(tty_dev_open);

	*dev = (struct cdev){.cd_name = name,
			     .cd_sw = &sw,
			     .cd_softc = tp,
			     .cd_major = tp->t_major,
			     .cd_minor = tp->t_minor,
			     .cd_mode = 0620};
	return (cdev_register(dev));
}

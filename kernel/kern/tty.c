/*
 * Terminals: their beginning and end, opening and closing, and how bytes get through them both ways.
 * Tty.h has the plan.
 */
#include "kern/tty.h"
#include "fs/vnode.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/string.h"

#define CHUNK    256 /* bytes moved to and from a program at once */
#define OUT_MOST 8 /* bytes that one character is put out as: a tab as spaces */
#define TENTH_NS 100000000ul /* VTIME's unit */

static const struct termios usual = {
    .c_iflag = ICRNL | IXON | IUTF8,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = B38400 | CS8 | CREAD | HUPCL,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .c_cc = {[VINTR] = 'C' & 0x1f,
	     [VQUIT] = 034,
	     [VERASE] = 0177,
	     [VKILL] = 'U' & 0x1f,
	     [VEOF] = 'D' & 0x1f,
	     [VMIN] = 1,
	     [VSTART] = 'Q' & 0x1f,
	     [VSTOP] = 'S' & 0x1f,
	     [VSUSP] = 'Z' & 0x1f,
	     [VREPRINT] = 'R' & 0x1f,
	     [VDISCARD] = 'O' & 0x1f,
	     [VWERASE] = 'W' & 0x1f,
	     [VLNEXT] = 'V' & 0x1f},
    .c_ispeed = 38400,
    .c_ospeed = 38400,
};

int
tty_init(struct tty *tp, const struct ttydevsw *sw, void *softc, uint32_t major, uint32_t minor)
{
	rw_init(&tp->t_lock, "tty", LR_FILE);
	mtx_init(&tp->t_raw_lock, "tty raw input", LR_LEAF);
	tp->t_sw = sw;
	tp->t_softc = softc;
	tp->t_refs = 1;
	tp->t_major = major;
	tp->t_minor = minor;
	tp->t_termios = usual;
	tp->t_in.tq_buf = kmalloc(TTY_BUF, 0);
	tp->t_out.tq_buf = kmalloc(TTY_BUF, 0);
	if (tp->t_in.tq_buf != NULL && tp->t_out.tq_buf != NULL)
		return (0);
	tty_fini(tp);
	return (ENOMEM);
}

void
tty_fini(struct tty *tp)
{
	seldestroy(&tp->t_sel);
	kfree(tp->t_in.tq_buf);
	kfree(tp->t_out.tq_buf);
}

void
tty_ref(struct tty *tp)
{
	__atomic_fetch_add(&tp->t_refs, 1, __ATOMIC_RELAXED);
}

void
tty_rele(struct tty *tp)
{
	if (__atomic_sub_fetch(&tp->t_refs, 1, __ATOMIC_ACQ_REL) == 0 && tp->t_sw->tsw_free != NULL)
		tp->t_sw->tsw_free(tp);
}

/* --- input ------------------------------------------------------------------------------------ */

/* The next character that came in; false: there is none. */
static bool
raw_take(struct tty *tp, uint16_t *c)
{
	bool any;

	mtx_lock(&tp->t_raw_lock);
	any = tp->t_raw_read != tp->t_raw_end;
	if (any)
		*c = tp->t_raw[tp->t_raw_read++ % TTY_RAW];
	mtx_unlock(&tp->t_raw_lock);
	return (any);
}

/* The driver had to stop, and need not any longer. */
static bool
raw_resume(struct tty *tp)
{
	bool resume;

	mtx_lock(&tp->t_raw_lock);
	resume = tp->t_raw_full && tp->t_raw_end - tp->t_raw_read <= TTY_RAW / 2;
	tp->t_raw_full &= !resume;
	mtx_unlock(&tp->t_raw_lock);
	return (resume);
}

/* Input has been looked at: echo goes out, readers look. */
static void
input_done(struct tty *tp)
{
	if (ttyq_len(&tp->t_out) > 0)
		tp->t_sw->tsw_outwakeup(tp);
	if (tty_disc_avail(tp) > 0) {
		wakeup(&tp->t_in);
		selwakeup(&tp->t_sel, POLLIN | POLLRDNORM);
	}
}

void
tty_take_input(struct tty *tp)
{
	bool any = false;
	uint16_t c;

	tty_assert(tp);
	do {
		while (tty_disc_room(tp) > 0 && raw_take(tp, &c)) {
			tty_disc_input(tp, c);
			any = true;
		}
		if (!raw_resume(tp))
			break;
		if (tp->t_sw->tsw_inwakeup != NULL)
			tp->t_sw->tsw_inwakeup(tp);
	} while (tty_disc_room(tp) > 0);
	if (any)
		input_done(tp);
}

size_t
tty_input(struct tty *tp, const char *buf, size_t len)
{
	size_t n = 0;

	tty_assert(tp);
	while (n < len && tty_disc_room(tp) > 0)
		tty_disc_input(tp, (uint8_t)buf[n++]);
	if (n > 0)
		input_done(tp);
	return (n);
}

static void
tty_task(void *arg)
{
	struct tty *tp = arg;

	mtx_lock(&tp->t_raw_lock);
	tp->t_task_queued = false;
	mtx_unlock(&tp->t_raw_lock);
	tty_lock(tp);
	tty_take_input(tp);
	tty_unlock(tp);
}

bool
tty_rint(struct tty *tp, uint16_t c)
{
	bool room, queue;

	mtx_lock(&tp->t_raw_lock);
	room = tp->t_raw_end - tp->t_raw_read < TTY_RAW;
	if (room)
		tp->t_raw[tp->t_raw_end++ % TTY_RAW] = c;
	else
		tp->t_raw_full = true;
	queue = room && !tp->t_task_queued;
	tp->t_task_queued |= queue;
	mtx_unlock(&tp->t_raw_lock);
	if (queue)
		task_enqueue(&tp->t_task, tty_task, tp);
	return (room);
}

void
tty_want_room(struct tty *tp)
{
	mtx_lock(&tp->t_raw_lock);
	tp->t_raw_full = true;
	mtx_unlock(&tp->t_raw_lock);
}

void
tty_flush_in(struct tty *tp)
{
	tty_assert(tp);
	tp->t_in.tq_read = tp->t_lines = tp->t_in.tq_end = 0;
	memset(tp->t_eol, 0, sizeof(tp->t_eol));
	tp->t_lnext = tp->t_prting = false;
}

/* --- output ----------------------------------------------------------------------------------- */

/* Copy between the ring, from index at on, and buf. */
static void
ring_copy(struct ttyq *q, uint32_t at, char *buf, size_t len, bool out)
{
	for (size_t n; len > 0; len -= n, at += n, buf += n) {
		char *ring = q->tq_buf + at % TTY_BUF;

		n = MIN(len, TTY_BUF - at % TTY_BUF);
		memcpy(out ? buf : ring, out ? ring : buf, n);
	}
}

bool
tty_putout(struct tty *tp, const char *buf, size_t len)
{
	struct ttyq *q = &tp->t_out;

	tty_assert(tp);
	if (len > TTY_BUF - ttyq_len(q) - tp->t_reserved)
		return (false);
	ring_copy(q, q->tq_end, (char *)buf, len, false);
	q->tq_end += len;
	return (true);
}

size_t
tty_getout(struct tty *tp, char *buf, size_t len)
{
	struct ttyq *q = &tp->t_out;

	tty_assert(tp);
	len = tp->t_stopped && !tp->t_sw->tsw_pty ? 0 : MIN(len, ttyq_len(q));
	ring_copy(q, q->tq_read, buf, len, true);
	q->tq_read += len;
	if (len > 0) {
		wakeup(&tp->t_out);
		selwakeup(&tp->t_sel, POLLOUT | POLLWRNORM);
	}
	return (len);
}

void
tty_stop(struct tty *tp, bool stop)
{
	tty_assert(tp);
	if (tp->t_stopped == stop)
		return;
	tp->t_stopped = stop;
	if (stop)
		return;
	tp->t_sw->tsw_outwakeup(tp);
	wakeup(&tp->t_out);
	selwakeup(&tp->t_sel, POLLOUT | POLLWRNORM);
}

void
tty_flush_out(struct tty *tp)
{
	tty_assert(tp);
	tp->t_out.tq_read = tp->t_out.tq_end;
	wakeup(&tp->t_out);
	selwakeup(&tp->t_sel, POLLOUT | POLLWRNORM);
}

void
tty_wakeup(struct tty *tp)
{
	wakeup(&tp->t_in);
	wakeup(&tp->t_out);
	wakeup(&tp->t_writing);
	selwakeup(&tp->t_sel, POLL_ALWAYS | POLLHUP | POLLERR);
}

int
tty_sleep(struct tty *tp, const void *chan, uint64_t ns)
{
	int error;

	tty_assert(tp);
	error = rw_sleep(chan, &tp->t_lock, SLEEP_INTR, ns);
	tty_lock(tp);
	return (error == EINTR ? ERESTART : error);
}

int
tty_drain(struct tty *tp, struct file *fp)
{
	int error = 0;

	while (error == 0 && ttyq_len(&tp->t_out) > 0 && !tp->t_gone)
		error = tty_hung(tp, fp) ? EIO : tty_sleep(tp, &tp->t_out, 0);
	return (error);
}

void
tty_set_winsize(struct tty *tp, const struct winsize *ws)
{
	bool changed;

	tty_lock(tp);
	changed = memcmp(&tp->t_winsize, ws, sizeof(*ws)) != 0;
	tp->t_winsize = *ws;
	tty_unlock(tp);
	if (changed)
		tty_signal(tp, SIGWINCH);
}

/* --- files ------------------------------------------------------------------------------------ */

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

static int
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
			     .cd_minor = tp->t_minor};
	return (cdev_register(dev));
}

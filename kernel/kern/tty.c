/*
 * Terminals: their beginning and end, and their queues: how bytes get through them both ways. Tty.h
 * has the plan.
 */
#include "kern/tty.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/string.h"

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
tty_rint(struct tty *tp, const char *text, size_t len)
{
	bool room, queue;

	mtx_lock(&tp->t_raw_lock);
	room = len <= TTY_RAW - (tp->t_raw_end - tp->t_raw_read);
	for (size_t i = 0; room && i < len; i++)
		tp->t_raw[tp->t_raw_end++ % TTY_RAW] = text != NULL ? (uint8_t)text[i] : TTY_BREAK;
	tp->t_raw_full |= !room;
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

	while (error == 0 && ttyq_len(&tp->t_out) > 0 && !tp->t_gone && !tp->t_sw->tsw_pty)
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

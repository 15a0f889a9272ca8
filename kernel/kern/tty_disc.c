/*
 * The line discipline: what characters typed do (termios(3)), how they are echoed, what becomes of
 * output. Behaves as Linux's N_TTY. The terminal is locked throughout.
 *
 * T_in holds the finished lines, up to t_lines, and behind them the line being typed. A bit of
 * t_eol marks the character that ends a line; if that is NUL it was VEOF, which no read returns.
 */
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/tty.h"

#define has(tp, field, flags) (((tp)->t_termios.c_##field & (flags)) != 0)

static bool
is_control(uint8_t c)
{
	return (c < ' ' || c == 0177);
}

/* Not the first byte of a UTF-8 character. */
static bool
is_continuation(const struct tty *tp, uint8_t c)
{
	return (has(tp, iflag, IUTF8) && (c & 0xc0) == 0x80);
}

static bool
is_word(uint8_t c)
{
	return ((c >= '0' && c <= '9') || ((c | 040) >= 'a' && (c | 040) <= 'z') || c == '_' ||
		c >= 0xc0);
}

/* A capital one, of Latin-1. */
static bool
is_letter(int c)
{
	return ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7));
}

static bool
is_cc(const struct tty *tp, uint8_t c, int which)
{
	return (c != VDISABLE && c == tp->t_termios.c_cc[which]);
}

/* --- output ----------------------------------------------------------------------------------- */

/* Where a newline leaves the cursor. */
static const char *
newline(struct tty *tp, uint32_t *column)
{
	if (has(tp, oflag, ONLRET | ONLCR))
		*column = 0;
	return (has(tp, oflag, ONLCR) ? "\r\n" : "\n");
}

/* One character; false: no room. */
static bool
output(struct tty *tp, uint8_t c)
{
	uint32_t column = tp->t_column, spaces;
	char text[2] = {(char)c, '\0'};
	const char *out = text;
	size_t len = 1;

	if (!has(tp, oflag, OPOST))
		return (tty_putout(tp, text, 1));
	switch (c) {
	case '\n':
		out = newline(tp, &column);
		len = strlen(out);
		break;
	case '\r':
		if (has(tp, oflag, ONOCR) && column == 0)
			return (true);
		if (has(tp, oflag, OCRNL))
			text[0] = '\n';
		if (!has(tp, oflag, OCRNL) || has(tp, oflag, ONLRET))
			column = 0;
		break;
	case '\t':
		spaces = 8 - column % 8;
		column += spaces;
		if ((tp->t_termios.c_oflag & XTABS) == XTABS) {
			out = "        ";
			len = spaces;
		}
		break;
	case '\b':
		column -= column > 0;
		break;
	default:
		if (has(tp, oflag, OLCUC) && is_letter(c - 040))
			text[0] = (char)(c - 040);
		if (!is_control(c) && !is_continuation(tp, c))
			column++;
	}
	if (!tty_putout(tp, out, len))
		return (false);
	tp->t_column = column;
	if (c == '\n' || c == '\r')
		tp->t_line_column = column;
	return (true);
}

/* How many of the characters at buf are what they are, and need no look one by one. */
static size_t
plain_run(struct tty *tp, const char *buf, size_t len)
{
	size_t n = 0;

	if (!has(tp, oflag, OPOST))
		return (len);
	if (has(tp, oflag, OLCUC))
		return (0);
	while (n < len && !is_control((uint8_t)buf[n]))
		n++;
	return (n);
}

size_t
tty_disc_output(struct tty *tp, const char *buf, size_t len)
{
	size_t run, done = 0;

	tty_assert(tp);
	while (done < len) {
		run = MIN(plain_run(tp, buf + done, len - done), TTY_BUF - ttyq_len(&tp->t_out));
		if (run == 0) {
			if (!output(tp, (uint8_t)buf[done]))
				break;
			done++;
			continue;
		}
		tty_putout(tp, buf + done, run);
		for (size_t end = done + run; done < end; done++)
			if (has(tp, oflag, OPOST))
				tp->t_column += !is_continuation(tp, (uint8_t)buf[done]);
	}
	return (done);
}

/* --- echo; what finds no room is lost --------------------------------------------------------- */

static void
echo_text(struct tty *tp, const char *text)
{
	for (; *text != '\0'; text++)
		output(tp, (uint8_t)*text);
}

static void
echo(struct tty *tp, uint8_t c)
{
	if (has(tp, lflag, ECHOCTL) && is_control(c) && c != '\t') {
		char text[2] = {'^', (char)(c ^ 0100)};

		if (tty_putout(tp, text, sizeof(text)))
			tp->t_column += 2;
		return;
	}
	output(tp, c);
}

/* The characters that were erased are all shown (ECHOPRT). */
static void
echo_end_erase(struct tty *tp)
{
	if (tp->t_prting)
		output(tp, '/');
	tp->t_prting = false;
}

/* C joins the line: if it is the first, the line begins at this column. */
static void
echo_typed(struct tty *tp, uint8_t c)
{
	echo_end_erase(tp);
	if (tp->t_lines == tp->t_in.tq_end)
		tp->t_line_column = tp->t_column;
	if (c == '\n')
		output(tp, c);
	else
		echo(tp, c);
}

/* --- the line being typed --------------------------------------------------------------------- */

static uint8_t
in_at(const struct tty *tp, uint32_t i)
{
	return ((uint8_t)tp->t_in.tq_buf[i % TTY_BUF]);
}

static void
put(struct tty *tp, uint8_t c)
{
	struct ttyq *q = &tp->t_in;

	if (ttyq_len(q) == TTY_BUF) /* of a line too long the last character is the newest */
		q->tq_end--;
	q->tq_buf[q->tq_end++ % TTY_BUF] = (char)c;
}

static void
put_data(struct tty *tp, uint8_t c)
{
	if (c == 0377 && has(tp, iflag, PARMRK))
		put(tp, c);
	put(tp, c);
}

static void
finish_line(struct tty *tp, uint8_t c)
{
	uint32_t at;

	put(tp, c);
	at = (tp->t_in.tq_end - 1) % TTY_BUF;
	tp->t_eol[at / 64] |= 1ul << at % 64;
	tp->t_lines = tp->t_in.tq_end;
}

/* Take a tab at the end of the line off the screen: go back to where the text before it ends. */
static void
erase_tab(struct tty *tp)
{
	uint32_t columns = 0, i = tp->t_in.tq_end, back;
	uint8_t c;

	while (i != tp->t_lines && (c = in_at(tp, i - 1)) != '\t') {
		if (is_control(c))
			columns += has(tp, lflag, ECHOCTL) ? 2 : 0;
		else
			columns += !is_continuation(tp, c);
		i--;
	}
	if (i == tp->t_lines)
		columns += tp->t_line_column;
	for (back = 8 - columns % 8; back > 0; back--)
		output(tp, '\b');
}

/* Show that the character which began with byte c is gone; typed: what erased it. */
static void
echo_erase(struct tty *tp, uint8_t c, uint32_t len, uint8_t typed)
{
	if (has(tp, lflag, ECHOPRT)) {
		if (!tp->t_prting)
			output(tp, '\\');
		tp->t_prting = true;
		echo(tp, c);
		for (uint32_t i = 1; i < len; i++) {
			char byte = (char)in_at(tp, tp->t_in.tq_end + i);

			tty_putout(tp, &byte, 1);
		}
	} else if (typed == tp->t_termios.c_cc[VERASE] && !has(tp, lflag, ECHOE)) {
		echo(tp, typed);
	} else if (c == '\t') {
		erase_tab(tp);
	} else {
		if (is_control(c) && has(tp, lflag, ECHOCTL))
			echo_text(tp, "\b \b");
		if (!is_control(c) || has(tp, lflag, ECHOCTL))
			echo_text(tp, "\b \b");
	}
}

/* Take one character off the line; its first byte, *len of them. False: it is no whole one. */
static bool
unput(struct tty *tp, uint8_t *first, uint32_t *len)
{
	uint32_t i = tp->t_in.tq_end;

	do
		*first = in_at(tp, --i);
	while (is_continuation(tp, *first) && i != tp->t_lines);
	*len = tp->t_in.tq_end - i;
	return (!is_continuation(tp, *first));
}

/* VERASE, VWERASE or VKILL was typed, and they are erased one by one. */
static void
erase(struct tty *tp, uint8_t typed, bool word, bool all)
{
	bool seen_word = false;
	uint32_t len;
	uint8_t c;

	while (tp->t_in.tq_end != tp->t_lines && unput(tp, &c, &len)) {
		if (word && seen_word && !is_word(c))
			break;
		seen_word |= is_word(c);
		tp->t_in.tq_end -= len;
		if (has(tp, lflag, ECHO))
			echo_erase(tp, c, len, typed);
		if (!word && !all)
			break;
	}
	if (tp->t_in.tq_end == tp->t_lines && has(tp, lflag, ECHO))
		echo_end_erase(tp);
}

static void
kill_line(struct tty *tp, uint8_t typed)
{
	const uint32_t visibly = ECHO | ECHOK | ECHOKE | ECHOE;

	if (tp->t_in.tq_end == tp->t_lines)
		return;
	if ((tp->t_termios.c_lflag & visibly) == visibly) {
		erase(tp, typed, false, true);
		return;
	}
	tp->t_in.tq_end = tp->t_lines;
	if (!has(tp, lflag, ECHO))
		return;
	echo_end_erase(tp);
	echo(tp, typed);
	if (has(tp, lflag, ECHOK)) /* echoed by the newline */
		output(tp, '\n');
}

static void
reprint(struct tty *tp, uint8_t typed)
{
	echo_end_erase(tp);
	echo(tp, typed);
	output(tp, '\n');
	for (uint32_t i = tp->t_lines; i != tp->t_in.tq_end; i++)
		echo(tp, in_at(tp, i));
}

/* --- input ------------------------------------------------------------------------------------ */

static void
signal_typed(struct tty *tp, int sig)
{
	tty_signal(tp, sig);
	if (has(tp, lflag, NOFLSH))
		return;
	tty_flush_out(tp);
	tty_flush_in(tp);
}

/* VINTR, VQUIT, VSUSP, VSTART, VSTOP. True: c was one of them. */
static bool
input_control(struct tty *tp, uint8_t c)
{
	int sig = is_cc(tp, c, VINTR)   ? SIGINT
		  : is_cc(tp, c, VQUIT) ? SIGQUIT
		  : is_cc(tp, c, VSUSP) ? SIGTSTP
					: 0;
	bool start = is_cc(tp, c, VSTART), stop = is_cc(tp, c, VSTOP);

	if (has(tp, iflag, IXON) && (start || stop)) {
		tty_stop(tp, !start);
		return (true);
	}
	if (!has(tp, lflag, ISIG) || sig == 0)
		return (false);
	signal_typed(tp, sig);
	if (has(tp, iflag, IXON))
		tty_stop(tp, false);
	if (has(tp, lflag, ECHO))
		echo(tp, c);
	return (true);
}

/* What edits or ends a line. True: c was one of those. */
static bool
input_canonical(struct tty *tp, uint8_t c)
{
	bool extended = has(tp, lflag, IEXTEN);

	if (is_cc(tp, c, VERASE) || (extended && is_cc(tp, c, VWERASE))) {
		erase(tp, c, !is_cc(tp, c, VERASE), false);
	} else if (is_cc(tp, c, VKILL)) {
		kill_line(tp, c);
	} else if (extended && is_cc(tp, c, VLNEXT)) {
		tp->t_lnext = true;
		if (has(tp, lflag, ECHO))
			echo_end_erase(tp);
		if (has(tp, lflag, ECHO) && has(tp, lflag, ECHOCTL))
			echo_text(tp, "^\b");
	} else if (extended && is_cc(tp, c, VREPRINT) && has(tp, lflag, ECHO)) {
		reprint(tp, c);
	} else if (c == '\n') {
		if (has(tp, lflag, ECHO | ECHONL))
			output(tp, c);
		finish_line(tp, c);
	} else if (is_cc(tp, c, VEOF)) {
		finish_line(tp, VDISABLE);
	} else if (is_cc(tp, c, VEOL) || (extended && is_cc(tp, c, VEOL2))) {
		if (has(tp, lflag, ECHO))
			echo_typed(tp, c);
		if (c == 0377 && has(tp, iflag, PARMRK))
			put(tp, c);
		finish_line(tp, c);
	} else {
		return (false);
	}
	return (true);
}

static void
input_plain(struct tty *tp, uint8_t c)
{
	if (has(tp, lflag, ECHO))
		echo_typed(tp, c);
	put_data(tp, c);
}

static void
input_break(struct tty *tp)
{
	if (has(tp, iflag, IGNBRK))
		return;
	if (has(tp, iflag, BRKINT)) {
		signal_typed(tp, SIGINT);
		return;
	}
	if (has(tp, iflag, PARMRK)) {
		put(tp, 0377);
		put(tp, '\0');
	}
	put(tp, '\0');
}

/* IXANY: any character but those with a meaning of their own lets output go on. */
static bool
starts_output(struct tty *tp, uint8_t c)
{
	static const uint8_t not_these[] = {VSTART, VSTOP, VINTR, VQUIT, VSUSP};

	for (size_t i = 0; i < nitems(not_these); i++)
		if (is_cc(tp, c, not_these[i]))
			return (false);
	return (has(tp, iflag, IXON) && has(tp, iflag, IXANY));
}

void
tty_disc_input(struct tty *tp, uint16_t in)
{
	uint8_t c = (uint8_t)in;

	tty_assert(tp);
	if (in == TTY_BREAK) {
		input_break(tp);
		return;
	}
	if (has(tp, iflag, ISTRIP))
		c &= 0177;
	if (has(tp, iflag, IUCLC) && has(tp, lflag, IEXTEN) && is_letter(c))
		c += 040;
	if (has(tp, lflag, EXTPROC)) {
		put(tp, c);
		return;
	}
	if (tp->t_lnext) {
		tp->t_lnext = false;
		input_plain(tp, c);
		return;
	}
	if (tp->t_stopped && starts_output(tp, c))
		tty_stop(tp, false);
	if (input_control(tp, c))
		return;
	if (c == '\r' && has(tp, iflag, IGNCR))
		return;
	if (c == '\r' && has(tp, iflag, ICRNL))
		c = '\n';
	else if (c == '\n' && has(tp, iflag, INLCR))
		c = '\r';
	if (!has(tp, lflag, ICANON) || !input_canonical(tp, c))
		input_plain(tp, c);
}

uint32_t
tty_disc_room(struct tty *tp)
{
	uint32_t room = TTY_BUF - 1 - MIN(ttyq_len(&tp->t_in), TTY_BUF - 1u);

	if (has(tp, iflag, PARMRK))
		room /= 3;
	/* A line too long must still be able to end, and takes what comes before that. */
	if (has(tp, lflag, ICANON) && tp->t_lines == tp->t_in.tq_read)
		room = TTY_BUF;
	return (room);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool
ends_line(const struct tty *tp, uint32_t i)
{
	return ((tp->t_eol[i % TTY_BUF / 64] & 1ul << i % 64) != 0);
}

static bool
is_eof(const struct tty *tp, uint32_t i)
{
	return (ends_line(tp, i) && in_at(tp, i) == VDISABLE);
}

static void
step(struct tty *tp)
{
	uint32_t i = tp->t_in.tq_read++ % TTY_BUF;

	tp->t_eol[i / 64] &= ~(1ul << i % 64);
}

uint32_t
tty_disc_avail(struct tty *tp)
{
	if (has(tp, lflag, ICANON) && !has(tp, lflag, EXTPROC))
		return (tp->t_lines - tp->t_in.tq_read);
	return (ttyq_len(&tp->t_in));
}

uint32_t
tty_disc_count(struct tty *tp)
{
	uint32_t end = tp->t_in.tq_read + tty_disc_avail(tp), n = 0;

	for (uint32_t i = tp->t_in.tq_read; i != end; i++)
		n += !has(tp, lflag, ICANON) || !is_eof(tp, i);
	return (n);
}

size_t
tty_disc_read(struct tty *tp, char *buf, size_t len, bool *done)
{
	uint32_t i, end = tp->t_in.tq_read + tty_disc_avail(tp);
	bool canon = has(tp, lflag, ICANON), last = false;
	size_t n = 0;

	tty_assert(tp);
	while (n < len && (i = tp->t_in.tq_read) != end && !last) {
		last = canon && ends_line(tp, i);
		if (!canon || !is_eof(tp, i))
			buf[n++] = (char)in_at(tp, i);
		step(tp);
	}
	if (!canon)
		tp->t_lines = tp->t_in.tq_read;
	*done |= last;
	return (n);
}

void
tty_disc_skip_eof(struct tty *tp)
{
	if (has(tp, lflag, ICANON) && tp->t_in.tq_read != tp->t_lines &&
	    is_eof(tp, tp->t_in.tq_read))
		step(tp);
}

/* To canonical mode: what was typed without it is a line, as if VEOF had ended it. */
void
tty_disc_changed(struct tty *tp, const struct termios *old)
{
	struct ttyq *q = &tp->t_in;
	uint32_t last = (q->tq_end - 1) % TTY_BUF;

	tty_assert(tp);
	if (((old->c_lflag ^ tp->t_termios.c_lflag) & (ICANON | EXTPROC)) != 0) {
		memset(tp->t_eol, 0, sizeof(tp->t_eol));
		tp->t_lnext = false;
		tp->t_lines = has(tp, lflag, ICANON) ? q->tq_end : q->tq_read;
		if (has(tp, lflag, ICANON) && ttyq_len(q) > 0)
			tp->t_eol[last / 64] |= 1ul << last % 64;
	}
	if (!has(tp, iflag, IXON) && (old->c_iflag & IXON) != 0)
		tty_stop(tp, false);
	tty_wakeup(tp);
}

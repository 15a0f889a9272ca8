/*
 * The ioctls of every terminal, with Linux's numbers: settings, size, flow, queues. Those about
 * sessions are in tty_jobs.c, those of a driver (tsw_ioctl) come first.
 */
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/tty.h"

#define TCGETS      0x5401
#define TCSETS      0x5402 /* with W and F behind it: after output, and without input */
#define TCSETSF     0x5404
#define TCGETA      0x5405
#define TCSETA      0x5406
#define TCSETAF     0x5408
#define TCSBRK      0x5409
#define TCXONC      0x540a
#define TCFLSH      0x540b
#define TIOCEXCL    0x540c
#define TIOCNXCL    0x540d
#define TIOCOUTQ    0x5411
#define TIOCSTI     0x5412
#define TIOCGWINSZ  0x5413
#define TIOCSWINSZ  0x5414
#define TIOCSETD    0x5423
#define TIOCGETD    0x5424
#define TCSBRKP     0x5425
#define TIOCVHANGUP 0x5437
#define TCGETS2     0x802c542a
#define TCSETS2     0x402c542b
#define TCSETSF2    0x402c542d
#define TIOCGDEV    0x80045432
#define TIOCGEXCL   0x80045440

enum { TCOOFF, TCOON, TCIOFF, TCION };
enum { TCIFLUSH, TCOFLUSH, TCIOFLUSH };

/* System V's, for TCGETA and its kin: the lower halves, and the first of the characters. */
struct termio {
	uint16_t c_iflag, c_oflag, c_cflag, c_lflag;
	uint8_t c_line, c_cc[8];
};

/* --- settings --------------------------------------------------------------------------------- */

/* The speed that CBAUD names. */
static uint32_t
baud(uint32_t cflag)
{
	static const uint32_t low[] = {0,   50,   75,   110,  134,  150,  200,   300,
				       600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
	static const uint32_t high[] = {0,       57600,   115200,  230400,  460800,  500000,
					576000,  921600,  1000000, 1152000, 1500000, 2000000,
					2500000, 3000000, 3500000, 4000000};

	return ((cflag & BOTHER) != 0 ? high[cflag & 017] : low[cflag & 017]);
}

/* What cmd, a TCSETS of any kind, asks for: *now with those parts replaced that it has. */
static int
settings_in(uint64_t cmd, const void *arg, struct termios *now)
{
	struct termio old;
	int error;

	if (cmd >= TCSETS2)
		error = copyin(arg, now, sizeof(*now));
	else if (cmd <= TCSETSF)
		error = copyin(arg, now, TERMIOS1_SIZE);
	else
		error = copyin(arg, &old, sizeof(old));
	if (error != 0)
		return (error);
	if (cmd >= TCSETA && cmd <= TCSETAF) {
		now->c_iflag = (now->c_iflag & ~0xffffu) | old.c_iflag;
		now->c_oflag = (now->c_oflag & ~0xffffu) | old.c_oflag;
		now->c_cflag = (now->c_cflag & ~0xffffu) | old.c_cflag;
		now->c_lflag = (now->c_lflag & ~0xffffu) | old.c_lflag;
		now->c_line = old.c_line;
		memcpy(now->c_cc, old.c_cc, sizeof(old.c_cc));
	}
	if (cmd < TCSETS2 || (now->c_cflag & CBAUD) != BOTHER)
		now->c_ispeed = now->c_ospeed = baud(now->c_cflag);
	return (0);
}

static int
settings_set(struct tty *tp, struct file *fp, uint64_t cmd, uint64_t arg)
{
	uint64_t base = cmd >= TCSETS2 ? TCSETS2 : cmd >= TCSETA ? TCSETA : TCSETS;
	struct termios new, old;
	int error;

	tty_lock(tp);
	error = tty_check_background(tp, SIGTTOU);
	new = tp->t_termios;
	tty_unlock(tp);
	if (error == 0)
		error = settings_in(cmd, (const void *)arg, &new);
	if (error != 0)
		return (error);
	tty_lock(tp);
	if (cmd - base == 2)
		tty_flush_in(tp);
	if (cmd - base >= 1)
		error = tty_drain(tp, fp);
	if (error == 0) {
		old = tp->t_termios;
		tp->t_termios = new;
		tty_disc_changed(tp, &old);
		tty_take_input(tp);
	}
	tty_unlock(tp);
	return (error);
}

static int
settings_get(struct tty *tp, uint64_t cmd, uint64_t arg)
{
	struct termios t;
	struct termio old;

	tty_lock(tp);
	t = tp->t_termios;
	tty_unlock(tp);
	if (cmd != TCGETA)
		return (copyout(&t, (void *)arg,
				cmd == TCGETS ? TERMIOS1_SIZE : sizeof(struct termios)));
	memset(&old, 0, sizeof(old));
	old.c_iflag = (uint16_t)t.c_iflag;
	old.c_oflag = (uint16_t)t.c_oflag;
	old.c_cflag = (uint16_t)t.c_cflag;
	old.c_lflag = (uint16_t)t.c_lflag;
	old.c_line = t.c_line;
	memcpy(old.c_cc, t.c_cc, sizeof(old.c_cc));
	return (copyout(&old, (void *)arg, sizeof(old)));
}

/* --- flow and queues -------------------------------------------------------------------------- */

static int
flow(struct tty *tp, uint64_t action)
{
	uint8_t c = tp->t_termios.c_cc[action == TCIOFF ? VSTOP : VSTART];

	switch (action) {
	case TCOOFF:
	case TCOON:
		tty_stop(tp, action == TCOOFF);
		return (0);
	case TCIOFF: /* tell the other side */
	case TCION:
		if (c != VDISABLE && tty_putout(tp, (char *)&c, 1))
			tp->t_sw->tsw_outwakeup(tp);
		return (0);
	}
	return (EINVAL);
}

static int
flush(struct tty *tp, uint64_t which)
{
	if (which > TCIOFLUSH)
		return (EINVAL);
	if (which != TCOFLUSH) {
		tty_flush_in(tp);
		tty_take_input(tp);
	}
	if (which != TCIFLUSH)
		tty_flush_out(tp);
	return (0);
}

/* Those that change something under the lock, and that a background process may not do. */
static int
locked_ioctl(struct tty *tp, struct file *fp, uint64_t cmd, uint64_t arg)
{
	int error = tty_check_background(tp, SIGTTOU);

	tty_assert(tp);
	if (error != 0)
		return (error);
	if (cmd == TCXONC)
		return (flow(tp, arg));
	if (cmd == TCFLSH)
		return (flush(tp, arg));
	return (tty_drain(tp, fp)); /* TCSBRK, TCSBRKP: nobody would see the break */
}

int
tty_word_out(uint64_t arg, uint32_t word)
{
	return (copyout(&word, (void *)arg, sizeof(word)));
}

static int
input_fake(struct tty *tp, uint64_t arg)
{
	char c;
	int error = copyin((void *)arg, &c, 1);

	if (error != 0)
		return (error);
	tty_lock(tp);
	tty_input(tp, &c, 1);
	tty_unlock(tp);
	return (0);
}

static int
winsize_ioctl(struct tty *tp, uint64_t cmd, uint64_t arg)
{
	struct winsize ws = tp->t_winsize;
	int error;

	if (cmd == TIOCGWINSZ)
		return (copyout(&ws, (void *)arg, sizeof(ws)));
	error = copyin((void *)arg, &ws, sizeof(ws));
	if (error == 0)
		tty_set_winsize(tp, &ws);
	return (error);
}

static int
discipline_ioctl(uint64_t cmd, uint64_t arg)
{
	int32_t which = 0; /* N_TTY is the one there is */
	int error;

	if (cmd == TIOCGETD)
		return (tty_word_out(arg, 0));
	error = copyin((void *)arg, &which, sizeof(which));
	return (error != 0 ? error : which != 0 ? EINVAL : 0);
}

int
tty_ioctl(struct tty *tp, struct file *fp, uint64_t cmd, uint64_t arg)
{
	int error;

	switch (cmd) {
	case TCGETS:
	case TCGETS2:
	case TCGETA:
		return (settings_get(tp, cmd, arg));
	case TCSETS ... TCSETSF:
	case TCSETA ... TCSETAF:
	case TCSETS2 ... TCSETSF2:
		return (settings_set(tp, fp, cmd, arg));
	case TCSBRK:
	case TCSBRKP:
	case TCXONC:
	case TCFLSH:
		tty_lock(tp);
		error = locked_ioctl(tp, fp, cmd, arg);
		tty_unlock(tp);
		return (error);
	case TIOCEXCL:
	case TIOCNXCL:
		tty_lock(tp);
		tp->t_exclusive = cmd == TIOCEXCL;
		tty_unlock(tp);
		return (0);
	case TIOCGEXCL:
		return (tty_word_out(arg, tp->t_exclusive));
	case TIOCOUTQ:
		return (tty_word_out(arg, ttyq_len(&tp->t_out)));
	case FIONREAD:
		tty_lock(tp);
		error = (int)tty_disc_count(tp);
		tty_unlock(tp);
		return (tty_word_out(arg, (uint32_t)error));
	case TIOCSTI:
		return (input_fake(tp, arg));
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		return (winsize_ioctl(tp, cmd, arg));
	case TIOCGETD:
	case TIOCSETD:
		return (discipline_ioctl(cmd, arg));
	case TIOCGDEV:
		return (tty_word_out(arg, tp->t_major << 8 | tp->t_minor));
	case TIOCVHANGUP:
		tty_hangup(tp);
		return (0);
	}
	return (ENOTTY);
}

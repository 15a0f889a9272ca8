/*
 * A terminal's settings, with Linux's values and layouts, because they cross the system-call
 * boundary: struct termios is Linux's struct termios2, whose beginning (TERMIOS1_SIZE bytes) is what
 * the older calls take. termios(3) says what each flag does.
 */
#pragma once

#include "kern/types.h"

#define NCCS 19

struct termios {
	uint32_t c_iflag, c_oflag, c_cflag, c_lflag;
	uint8_t c_line;
	uint8_t c_cc[NCCS];
	uint32_t c_ispeed, c_ospeed;
};
#define TERMIOS1_SIZE offsetof(struct termios, c_ispeed)
_Static_assert(sizeof(struct termios) == 44 && TERMIOS1_SIZE == 36, "Linux's sizes");

struct winsize {
	uint16_t ws_row, ws_col, ws_xpixel, ws_ypixel;
};

/* clang-format off */
enum { /* c_cc */
	VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSWTC, VSTART, VSTOP, VSUSP, VEOL, VREPRINT,
	VDISCARD, VWERASE, VLNEXT, VEOL2,
};
#define VDISABLE 0 /* a c_cc of it is no character */
enum { /* c_iflag */
	IGNBRK = 01, BRKINT = 02, IGNPAR = 04, PARMRK = 010, INPCK = 020, ISTRIP = 040, INLCR = 0100,
	IGNCR = 0200, ICRNL = 0400, IUCLC = 01000, IXON = 02000, IXANY = 04000, IXOFF = 010000,
	IMAXBEL = 020000, IUTF8 = 040000,
};
enum { /* c_oflag */
	OPOST = 01, OLCUC = 02, ONLCR = 04, OCRNL = 010, ONOCR = 020, ONLRET = 040, XTABS = 014000,
};
enum { /* c_cflag */
	B0 = 0, B38400 = 017, BOTHER = 010000, CBAUD = 010017, CS8 = 060, CREAD = 0200, HUPCL = 02000,
	CLOCAL = 04000,
};
enum { /* c_lflag */
	ISIG = 01, ICANON = 02, ECHO = 010, ECHOE = 020, ECHOK = 040, ECHONL = 0100, NOFLSH = 0200,
	TOSTOP = 0400, ECHOCTL = 01000, ECHOPRT = 02000, ECHOKE = 04000, IEXTEN = 0100000,
	EXTPROC = 0200000,
};
/* clang-format on */

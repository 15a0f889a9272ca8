/*
 * Bytes to characters and escape sequences, as Linux's console understands them: console_codes(4),
 * ECMA-48, the VT100's manual. Control sequences, after ESC [, are vt_csi.c's.
 */
#include "drivers/vt_screen.h"

#define REPLACEMENT 0xfffd /* for what is not UTF-8 */

/* The set of line drawings (ESC ( 0), from '`' on. */
static const uint16_t graphics_set[] = {
    0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1, 0x2424, 0x240b, 0x2518,
    0x2510, 0x250c, 0x2514, 0x253c, 0x23ba, 0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c, 0x2524,
    0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7,
};

/* The PC's characters 0xb0 to 0xdf, which terminfo's "linux" draws lines with. */
static const uint16_t pc_lines[] = {
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557,
    0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
    0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559,
    0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
};

/* --- escape sequences ------------------------------------------------------------------------- */

/* The palette: P nrrggbb in hexadecimal, R for the usual one. */
static void
palette_byte(struct vt_screen *s, char c)
{
	int digit = c >= '0' && c <= '9'                   ? c - '0'
		    : (c | 040) >= 'a' && (c | 040) <= 'f' ? (c | 040) - 'a' + 10
							   : -1;

	if (digit < 0) {
		s->state = VT_TEXT;
		return;
	}
	s->ucs = s->ucs << 4 | (uint32_t)digit;
	if (++s->which < 7)
		return;
	s->palette[s->ucs >> 24 & 15] = s->ucs & 0xffffff;
	s->recolored = true;
	s->state = VT_TEXT;
}

static void
osc_byte(struct vt_screen *s, char c)
{
	if (c == 'P') {
		s->which = 0;
		s->ucs = 0;
		s->state = VT_PALETTE;
	} else if (c == 'R') {
		vt_reset_palette(s);
		s->state = VT_TEXT;
	} else {
		s->state = c == '\a' ? VT_TEXT : VT_STRING; /* a title, say: to BEL or ESC \ */
	}
}

static void
escape_byte(struct vt_screen *s, char c)
{
	s->state = VT_TEXT;
	switch (c) {
	case '[':
		vt_csi_start(s);
		break;
	case ']':
		s->state = VT_OSC;
		break;
	case 'P':
	case '_':
	case '^':
		s->state = VT_STRING;
		break;
	case '(':
	case ')':
		s->which = c == ')';
		s->state = VT_CHARSET;
		break;
	case '#':
		s->state = VT_HASH;
		break;
	case '%':
		s->state = VT_PERCENT;
		break;
	case 'D':
		vt_line_feed(s);
		break;
	case 'E':
		vt_goto(s, 0, s->now.y);
		vt_line_feed(s);
		break;
	case 'H':
		if (s->now.x < VT_TABS)
			s->tabs[s->now.x / 64] |= 1ul << s->now.x % 64;
		break;
	case 'M':
		vt_reverse_feed(s);
		break;
	case 'Z':
		vt_answer(s, "\033[?6c");
		break;
	case '7':
		vt_save(s);
		break;
	case '8':
		vt_restore(s);
		break;
	case 'c':
		vt_reset(s);
		break;
	case '=':
	case '>':
		s->keypad = c == '=';
		break;
	}
}

static void
sequence_byte(struct vt_screen *s, char c)
{
	switch (s->state) {
	case VT_ESC:
		escape_byte(s, c);
		break;
	case VT_CSI:
		vt_csi_byte(s, c);
		break;
	case VT_OSC:
		osc_byte(s, c);
		break;
	case VT_PALETTE:
		palette_byte(s, c);
		break;
	case VT_CHARSET:
		s->now.graphics[s->which] = c == '0';
		s->state = VT_TEXT;
		break;
	case VT_HASH:
		if (c == '8')
			vt_fill(s, 'E');
		s->state = VT_TEXT;
		break;
	case VT_STRING:
		break;
	default: /* VT_PERCENT: it is UTF-8 in any case; VT_STRING_ESC: the backslash */
		s->state = VT_TEXT;
	}
}

/* --- text ------------------------------------------------------------------------------------- */

static void
control(struct vt_screen *s, uint8_t c)
{
	switch (c) {
	case '\a': /* there is no bell */
		if (s->state == VT_STRING || s->state == VT_OSC)
			s->state = VT_TEXT;
		break;
	case '\b':
		if (s->wrap)
			s->wrap = false;
		else if (s->now.x > 0)
			s->now.x--;
		break;
	case '\t':
		vt_tab(s);
		break;
	case '\n':
	case '\v':
	case '\f':
		if (s->newline)
			s->now.x = 0;
		vt_line_feed(s);
		break;
	case '\r':
		vt_goto(s, 0, s->now.y);
		break;
	case 016:
	case 017:
		s->now.shift = c == 016;
		break;
	case 030:
	case 032:
		s->state = VT_TEXT;
		break;
	case 033:
		s->state = s->state == VT_STRING ? VT_STRING_ESC : VT_ESC;
		break;
	}
}

/* A first byte of a UTF-8 character, or what is none. */
static void
first_byte(struct vt_screen *s, uint8_t c)
{
	if (c >= 0xc2 && c <= 0xf4) {
		s->more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		s->least = c < 0xe0 ? 0x80 : c < 0xf0 ? 0x800 : 0x10000;
		s->ucs = c & (0x3f >> s->more);
	} else {
		vt_put(s, REPLACEMENT);
	}
}

static void
next_byte(struct vt_screen *s, uint8_t c)
{
	s->ucs = s->ucs << 6 | (c & 0x3f);
	if (--s->more > 0)
		return;
	if (s->ucs < s->least || s->ucs > 0x10ffff || (s->ucs >= 0xd800 && s->ucs < 0xe000))
		s->ucs = REPLACEMENT;
	if (s->ucs >= 0xa0)
		vt_put(s, s->ucs);
}

static void
text_byte(struct vt_screen *s, uint8_t c)
{
	if (s->more > 0 && (c & 0xc0) != 0x80) {
		s->more = 0;
		vt_put(s, REPLACEMENT);
	}
	if (s->more > 0)
		next_byte(s, c);
	else if (s->cp437 && c >= 0x80)
		vt_put(s, c >= 0xb0 && c < 0xe0 ? pc_lines[c - 0xb0] : c == 0xfe ? 0x25a0 : '?');
	else if (c >= 0x80)
		first_byte(s, c);
	else if (s->now.graphics[s->now.shift] && c >= '`' && c < 0x7f)
		vt_put(s, graphics_set[c - '`']);
	else if (c != 0x7f)
		vt_put(s, c);
}

void
vt_write(struct vt_screen *s, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c < ' ')
			control(s, c);
		else if (s->state == VT_TEXT)
			text_byte(s, c);
		else if (c != 0x7f)
			sequence_byte(s, (char)c);
	}
}

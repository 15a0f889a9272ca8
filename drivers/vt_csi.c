/*
 * What comes after ESC [: control sequences (ECMA-48's CSI), as Linux's console understands them
 * (console_codes(4)), and the answers to those that ask. Colours of 256 and of 24 bits become the
 * nearest of 16.
 */
#include "drivers/vt_screen.h"
#include "kern/log.h"
#include "kern/string.h"

/* --- answers ---------------------------------------------------------------------------------- */

void
vt_answer(struct vt_screen *s, const char *text)
{
	size_t len = strlen(text);

	if (len > sizeof(s->answer) - s->answered)
		return; /* nobody has taken the last ones */
	memcpy(s->answer + s->answered, text, len);
	s->answered += (uint32_t)len;
}

static void
answer_position(struct vt_screen *s)
{
	uint32_t y = s->now.y - (s->now.origin ? s->top : 0);
	char text[24];

	ksnprintf(text, sizeof(text), "\033[%u;%uR", y + 1, s->now.x + 1);
	vt_answer(s, text);
}

/* --- parameters ------------------------------------------------------------------------------- */

/* The one with that number; 0 if it is not there. */
static uint32_t
param(const struct vt_screen *s, uint32_t i)
{
	return (i <= s->nparams && i < VT_PARAMS ? s->param[i] : 0);
}

/* The same where none or 0 means 1. */
static uint32_t
how_many(const struct vt_screen *s, uint32_t i)
{
	return (MAX(param(s, i), 1u));
}

/* --- colours (SGR) ---------------------------------------------------------------------------- */

/* From 1 for red, 2 for green, 4 for blue: the palette's order. */
static uint8_t
nearest_fg(uint32_t r, uint32_t g, uint32_t b)
{
	uint32_t most = MAX(MAX(r, g), b);
	uint8_t color = (r > most / 2) | (g > most / 2) << 1 | (b > most / 2) << 2;

	if (color == 7 && most <= 0x55)
		return (8);
	return (most > 0xaa ? color | 8 : color);
}

static uint8_t
nearest_bg(uint32_t r, uint32_t g, uint32_t b)
{
	return ((uint8_t)(r >> 7 | g >> 7 << 1 | b >> 7 << 2));
}

static void
set_rgb(struct vt_screen *s, bool fg, uint32_t r, uint32_t g, uint32_t b)
{
	if (fg)
		s->now.pen.fg = nearest_fg(r, g, b);
	else
		s->now.pen.bg = nearest_bg(r, g, b);
}

/* One of 256: 16 of its own, a cube of 6 by 6 by 6, 24 greys. */
static void
set_indexed(struct vt_screen *s, bool fg, uint32_t i)
{
	uint32_t grey = i * 10 - 2312;

	if (i < 16 && fg)
		s->now.pen.fg = (uint8_t)i;
	else if (i < 16)
		s->now.pen.bg = (uint8_t)(i & 7);
	else if (i < 232)
		set_rgb(s, fg, (i - 16) / 36 * 85 / 2, (i - 16) / 6 % 6 * 85 / 2,
			(i - 16) % 6 * 85 / 2);
	else
		set_rgb(s, fg, grey, grey, grey);
}

/* What follows 38 or 48 at parameter i; returns the last parameter that belongs to it. */
static uint32_t
extended_color(struct vt_screen *s, uint32_t i)
{
	bool fg = s->param[i] == 38;

	if (param(s, i + 1) == 5 && i + 2 <= s->nparams) {
		if (param(s, i + 2) < 256)
			set_indexed(s, fg, param(s, i + 2));
		return (i + 2);
	}
	if (param(s, i + 1) == 2 && i + 4 <= s->nparams) {
		set_rgb(s, fg, MIN(param(s, i + 2), 255u), MIN(param(s, i + 3), 255u),
			MIN(param(s, i + 4), 255u));
		return (i + 4);
	}
	return (i);
}

static void
set_pen(struct vt_screen *s, uint32_t p)
{
	struct vt_pen *pen = &s->now.pen;

	switch (p) {
	case 0:
		*pen = (struct vt_pen){.fg = 7};
		break;
	case 1:
		pen->bold = true;
		pen->dim = false;
		break;
	case 2:
		pen->dim = true;
		pen->bold = false;
		break;
	case 4:
	case 21:
		pen->underline = true;
		break;
	case 5:
		pen->blink = true;
		break;
	case 7:
		pen->reverse = true;
		break;
	case 10:
	case 11:
	case 12:
		s->cp437 = p != 10;
		break;
	case 22:
		pen->bold = pen->dim = false;
		break;
	case 24:
		pen->underline = false;
		break;
	case 25:
		pen->blink = false;
		break;
	case 27:
		pen->reverse = false;
		break;
	case 30 ... 37:
		pen->fg = (uint8_t)(p - 30);
		break;
	case 39:
		pen->fg = 7;
		break;
	case 40 ... 47:
		pen->bg = (uint8_t)(p - 40);
		break;
	case 49:
		pen->bg = 0;
		break;
	case 90 ... 97:
		pen->fg = (uint8_t)(p - 90 + 8);
		break;
	case 100 ... 107:
		pen->bg = (uint8_t)(p - 100 + 8);
		break;
	}
}

static void
csi_sgr(struct vt_screen *s)
{
	for (uint32_t i = 0; i <= s->nparams && i < VT_PARAMS; i++) {
		if (s->param[i] == 38 || s->param[i] == 48)
			i = extended_color(s, i);
		else
			set_pen(s, s->param[i]);
	}
}

/* --- other control sequences ------------------------------------------------------------------ */

static void
csi_erase_display(struct vt_screen *s)
{
	uint32_t what = param(s, 0), y = s->now.y;

	if (what > 3)
		return;
	if (what == 0)
		vt_erase_cells(s, y, s->now.x, s->columns);
	else if (what == 1)
		vt_erase_cells(s, y, 0, s->now.x + 1);
	for (uint32_t i = 0; i < s->rows; i++)
		if (what >= 2 || (what == 0 ? i > y : i < y))
			vt_erase_cells(s, i, 0, s->columns);
	s->wrap = false;
}

static void
csi_erase_line(struct vt_screen *s)
{
	uint32_t what = param(s, 0);

	if (what <= 2)
		vt_erase_cells(s, s->now.y, what == 0 ? s->now.x : 0,
			       what == 1 ? s->now.x + 1 : s->columns);
	s->wrap = false;
}

static void
csi_region(struct vt_screen *s)
{
	uint32_t top = how_many(s, 0), bottom = param(s, 1) != 0 ? param(s, 1) : s->rows;

	if (top >= bottom || bottom > s->rows)
		return;
	s->top = top - 1;
	s->bottom = bottom;
	vt_goto(s, 0, s->now.origin ? s->top : 0);
}

static void
set_private_mode(struct vt_screen *s, uint32_t mode, bool on)
{
	switch (mode) {
	case 1:
		s->cursor_keys = on;
		break;
	case 5:
		s->inverse = on;
		vt_all_dirty(s);
		break;
	case 6:
		s->now.origin = on;
		vt_goto(s, 0, on ? s->top : 0);
		break;
	case 7:
		s->autowrap = on;
		s->wrap = false;
		break;
	case 25:
		s->hidden_cursor = !on;
		break;
	}
}

static void
csi_mode(struct vt_screen *s, bool on)
{
	for (uint32_t i = 0; i <= s->nparams && i < VT_PARAMS; i++) {
		if (s->prefix == '?')
			set_private_mode(s, s->param[i], on);
		else if (s->param[i] == 4)
			s->insert = on;
		else if (s->param[i] == 20)
			s->newline = on;
	}
}

static void
csi_tab_clear(struct vt_screen *s)
{
	if (param(s, 0) == 0 && s->now.x < VT_TABS)
		s->tabs[s->now.x / 64] &= ~(1ul << s->now.x % 64);
	else if (param(s, 0) == 3)
		memset(s->tabs, 0, sizeof(s->tabs));
}

/* Those that move the cursor; false: final is none of them. */
static bool
csi_move(struct vt_screen *s, char final)
{
	int64_t x = s->now.x, y = s->now.y, n = how_many(s, 0);
	uint32_t origin = s->now.origin ? s->top : 0;

	switch (final) {
	case 'A':
		vt_goto(s, x, y - n);
		break;
	case 'B':
	case 'e':
		vt_goto(s, x, y + n);
		break;
	case 'C':
	case 'a':
		vt_goto(s, x + n, y);
		break;
	case 'D':
		vt_goto(s, x - n, y);
		break;
	case 'E':
		vt_goto(s, 0, y + n);
		break;
	case 'F':
		vt_goto(s, 0, y - n);
		break;
	case 'G':
	case '`':
		vt_goto(s, n - 1, y);
		break;
	case 'd':
		vt_goto(s, x, origin + n - 1);
		break;
	case 'H':
	case 'f':
		vt_goto(s, (int64_t)how_many(s, 1) - 1, origin + n - 1);
		break;
	default:
		return (false);
	}
	return (true);
}

static void
csi_other(struct vt_screen *s, char final)
{
	uint32_t n = how_many(s, 0);

	switch (final) {
	case 'J':
		csi_erase_display(s);
		break;
	case 'K':
		csi_erase_line(s);
		break;
	case 'L':
	case 'M':
		vt_scroll(s, s->now.y, s->bottom, final == 'M' ? (int64_t)n : -(int64_t)n);
		s->wrap = false;
		break;
	case 'S':
	case 'T':
		vt_scroll(s, s->top, s->bottom, final == 'S' ? (int64_t)n : -(int64_t)n);
		break;
	case 'P':
		vt_delete_cells(s, n);
		break;
	case '@':
		vt_insert_cells(s, n);
		break;
	case 'X':
		vt_erase_cells(s, s->now.y, s->now.x, s->now.x + MIN(n, s->columns));
		s->wrap = false;
		break;
	case 'c':
		if (param(s, 0) == 0)
			vt_answer(s, "\033[?6c");
		break;
	case 'g':
		csi_tab_clear(s);
		break;
	case 'm':
		csi_sgr(s);
		break;
	case 'n':
		if (param(s, 0) == 5)
			vt_answer(s, "\033[0n");
		else if (param(s, 0) == 6)
			answer_position(s);
		break;
	case 'r':
		csi_region(s);
		break;
	case 's':
		vt_save(s);
		break;
	case 'u':
		vt_restore(s);
		break;
	}
}

static void
csi_final(struct vt_screen *s, char final)
{
	s->state = VT_TEXT;
	if (s->ignored)
		return;
	if (final == 'h' || final == 'l')
		csi_mode(s, final == 'h');
	else if (s->prefix == 0 && !csi_move(s, final))
		csi_other(s, final);
}

void
vt_csi_byte(struct vt_screen *s, char c)
{
	uint32_t *p = &s->param[MIN(s->nparams, VT_PARAMS - 1u)];

	if (c >= '0' && c <= '9')
		*p = MIN(*p * 10 + (uint32_t)(c - '0'), 99999u);
	else if (c == ';' || c == ':')
		s->nparams = MIN(s->nparams + 1, VT_PARAMS - 1u);
	else if (c >= '<' && c <= '?')
		s->prefix = c;
	else if (c >= ' ' && c <= '/')
		s->ignored = true;
	else
		csi_final(s, c);
}

void
vt_csi_start(struct vt_screen *s)
{
	memset(s->param, 0, sizeof(s->param));
	s->nparams = 0;
	s->prefix = 0;
	s->ignored = false;
	s->state = VT_CSI;
}

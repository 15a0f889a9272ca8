/*
 * What is done to the cells of a text screen. See vt_screen.h.
 */
#include "drivers/vt_screen.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/string.h"

#define LIGHT 7 /* the usual foreground */
#define DARK  8 /* what is dim */

static const uint32_t usual_palette[VT_COLORS] = {
    0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
    0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
};

/* A character as the pen draws it. */
static uint32_t
inked(const struct vt_screen *s, uint32_t c)
{
	const struct vt_pen *pen = &s->now.pen;
	uint8_t fg = pen->dim ? DARK : pen->fg, bg = pen->bg, swap;

	if (pen->bold)
		fg |= 8;
	if (pen->blink)
		bg |= 8;
	if (pen->reverse) {
		swap = fg;
		fg = bg;
		bg = swap;
	}
	return (CELL(c, fg, bg) | (pen->underline ? CELL_UNDERLINE : 0));
}

/* What is erased has the pen's background. */
static uint32_t
blank(const struct vt_screen *s)
{
	return (CELL(' ', LIGHT, s->now.pen.bg));
}

static void
blank_line(struct vt_screen *s, uint32_t y)
{
	vt_erase_cells(s, y, 0, s->columns);
}

void
vt_all_dirty(struct vt_screen *s)
{
	for (uint32_t y = 0; y < s->rows; y++)
		s->dirty[y] = true;
}

void
vt_reset_palette(struct vt_screen *s)
{
	memcpy(s->palette, usual_palette, sizeof(s->palette));
	s->recolored = true;
}

void
vt_reset(struct vt_screen *s)
{
	s->now = (struct vt_place){.pen = {.fg = LIGHT}};
	s->saved = s->now;
	s->wrap = s->insert = s->newline = s->hidden_cursor = s->inverse = false;
	s->cursor_keys = s->keypad = s->cp437 = false;
	s->autowrap = true;
	s->top = 0;
	s->bottom = s->rows;
	s->state = VT_TEXT;
	s->more = 0;
	for (size_t i = 0; i < nitems(s->tabs); i++)
		s->tabs[i] = 0x0101010101010101;
	vt_reset_palette(s);
	for (uint32_t y = 0; y < s->rows; y++)
		blank_line(s, y);
}

int
vt_screen_init(struct vt_screen *s, uint32_t columns, uint32_t rows)
{
	*s = (struct vt_screen){.columns = columns, .rows = rows};
	s->line = kmalloc(rows * sizeof(*s->line), 0);
	s->cells = kmalloc((size_t)rows * columns * sizeof(*s->cells), 0);
	s->dirty = kmalloc(rows * sizeof(*s->dirty), 0);
	if (s->line == NULL || s->cells == NULL || s->dirty == NULL) {
		vt_screen_fini(s);
		return (ENOMEM);
	}
	for (uint32_t y = 0; y < rows; y++)
		s->line[y] = s->cells + (size_t)y * columns;
	vt_reset(s);
	return (0);
}

void
vt_screen_fini(struct vt_screen *s)
{
	kfree(s->line);
	kfree(s->cells);
	kfree(s->dirty);
}

void
vt_screen_copy(struct vt_screen *to, const struct vt_screen *from)
{
	uint32_t columns = MIN(to->columns, from->columns);
	uint32_t first = from->now.y >= to->rows ? from->now.y - to->rows + 1 : 0;
	struct vt_screen fresh = *to;

	*to = *from;
	to->columns = fresh.columns;
	to->rows = to->bottom = fresh.rows;
	to->top = 0;
	to->line = fresh.line;
	to->cells = fresh.cells;
	to->dirty = fresh.dirty;
	for (uint32_t y = 0; y < to->rows && first + y < from->rows; y++)
		memcpy(to->line[y], from->line[first + y], columns * sizeof(**to->line));
	to->wrap = false;
	to->now.origin = false;
	vt_goto(to, from->now.x, (int64_t)from->now.y - first);
	to->saved = to->now;
	vt_all_dirty(to);
}

void
vt_screen_clip(struct vt_screen *s, uint32_t columns, uint32_t rows)
{
	s->columns = MIN(s->columns, columns);
	s->rows = MIN(s->rows, rows);
	vt_reset(s);
}

void
vt_erase_cells(struct vt_screen *s, uint32_t y, uint32_t from, uint32_t to)
{
	uint32_t cell = blank(s);

	for (to = MIN(to, s->columns); from < to; from++)
		s->line[y][from] = cell;
	s->dirty[y] = true;
}

void
vt_fill(struct vt_screen *s, uint32_t c)
{
	for (uint32_t y = 0; y < s->rows; y++)
		for (uint32_t x = 0; x < s->columns; x++)
			s->line[y][x] = CELL(c, LIGHT, 0);
	vt_all_dirty(s);
}

void
vt_goto(struct vt_screen *s, int64_t x, int64_t y)
{
	uint32_t first = s->now.origin ? s->top : 0, end = s->now.origin ? s->bottom : s->rows;

	s->now.x = (uint32_t)MIN(MAX(x, 0), (int64_t)s->columns - 1);
	s->now.y = (uint32_t)MIN(MAX(y, (int64_t)first), (int64_t)end - 1);
	s->wrap = false;
}

/* Up by one: the first line becomes the last, blank. Down: the other way round. */
static void
rotate(struct vt_screen *s, uint32_t top, uint32_t bottom, bool up)
{
	uint32_t *moved = s->line[up ? top : bottom - 1];
	size_t len = (bottom - top - 1) * sizeof(moved);

	memmove(&s->line[up ? top : top + 1], &s->line[up ? top + 1 : top], len);
	s->line[up ? bottom - 1 : top] = moved;
	blank_line(s, up ? bottom - 1 : top);
}

void
vt_scroll(struct vt_screen *s, uint32_t top, uint32_t bottom, int64_t n)
{
	int64_t most = (int64_t)bottom - top;

	if (most <= 0)
		return;
	for (int64_t i = MIN(MAX(n, -n), most); i > 0; i--)
		rotate(s, top, bottom, n > 0);
	for (uint32_t y = top; y < bottom; y++)
		s->dirty[y] = true;
	s->scrolled = true;
}

void
vt_line_feed(struct vt_screen *s)
{
	if (s->now.y + 1 == s->bottom)
		vt_scroll(s, s->top, s->bottom, 1);
	else if (s->now.y + 1 < s->rows)
		s->now.y++;
	s->wrap = false;
}

void
vt_reverse_feed(struct vt_screen *s)
{
	if (s->now.y == s->top)
		vt_scroll(s, s->top, s->bottom, -1);
	else if (s->now.y > 0)
		s->now.y--;
	s->wrap = false;
}

void
vt_insert_cells(struct vt_screen *s, uint32_t n)
{
	uint32_t x = s->now.x, *line = s->line[s->now.y];

	n = MIN(n, s->columns - x);
	memmove(line + x + n, line + x, (s->columns - x - n) * sizeof(*line));
	vt_erase_cells(s, s->now.y, x, x + n);
	s->wrap = false;
}

void
vt_delete_cells(struct vt_screen *s, uint32_t n)
{
	uint32_t x = s->now.x, *line = s->line[s->now.y];

	n = MIN(n, s->columns - x);
	memmove(line + x, line + x + n, (s->columns - x - n) * sizeof(*line));
	vt_erase_cells(s, s->now.y, s->columns - n, s->columns);
	s->wrap = false;
}

/* As on a VT100, a line that is just full does not wrap before the next character comes. */
void
vt_put(struct vt_screen *s, uint32_t c)
{
	if (s->wrap) {
		s->now.x = 0;
		vt_line_feed(s);
	}
	if (s->insert)
		vt_insert_cells(s, 1);
	s->line[s->now.y][s->now.x] = inked(s, c);
	s->dirty[s->now.y] = true;
	if (s->now.x + 1 == s->columns)
		s->wrap = s->autowrap;
	else
		s->now.x++;
}

void
vt_tab(struct vt_screen *s)
{
	uint32_t x = s->now.x;

	do
		x++;
	while (x < s->columns - 1 && x < VT_TABS && (s->tabs[x / 64] & 1ul << x % 64) == 0);
	vt_goto(s, x, s->now.y);
}

void
vt_save(struct vt_screen *s)
{
	s->saved = s->now;
}

void
vt_restore(struct vt_screen *s)
{
	struct vt_place to = s->saved;

	s->now = to;
	s->now.origin = false;
	vt_goto(s, to.x, to.y);
	s->now.origin = to.origin;
}

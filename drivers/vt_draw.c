/*
 * From cells to pixels. What was drawn is remembered, cell by cell, so that only what differs is
 * drawn again; video memory is never read. Owns that memory and the view of the framebuffer; the
 * console's lock protects all of it.
 */
#include "drivers/fb.h"
#include "drivers/vt.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/string.h"

#define DRAW_HZ 50
#define NO_CELL UINT32_MAX /* nothing is known of what is there */

static struct fb_view view;
static uint32_t *drawn; /* what is to be seen, columns x rows */
static uint32_t columns, rows; /* that drawn has room for */
static uint32_t cursor_row; /* where it was drawn */
static uint32_t pixels[VT_COLORS]; /* of the palette in use */
static uint64_t last_draw; /* ns since boot */
static bool put_off; /* something was written that is not drawn */

bool
vt_draw_size(uint32_t *ncolumns, uint32_t *nrows)
{
	struct fb_view now;

	if (!fb_console_view(&now, true))
		return (false);
	*ncolumns = MAX(now.width / font.width, 1u);
	*nrows = MAX(now.height / font.height, 1u);
	return (true);
}

int
vt_draw_resize(uint32_t ncolumns, uint32_t nrows)
{
	uint32_t *old, *new = kmalloc((size_t)ncolumns * nrows * sizeof(*new), 0);

	if (new == NULL)
		return (ENOMEM);
	console_lock();
	old = drawn;
	drawn = new;
	columns = ncolumns;
	rows = nrows;
	vt_draw_all();
	console_unlock();
	kfree(old);
	return (0);
}

void
vt_draw_all(void)
{
	view.generation = 0; /* the framebuffer's begins with 1 */
}

/* --- pixels ----------------------------------------------------------------------------------- */

static void
put_pixel(uint8_t *p, uint32_t pixel)
{
	for (uint32_t i = 0; i < view.bytes_per_pixel; i++)
		p[i] = (uint8_t)(pixel >> 8 * i);
}

/* A line of a glyph; the screens there are have mostly 4 bytes a pixel, the fonts 8 pixels. */
static void
draw_bits(uint8_t *p, const uint8_t *bits, const uint32_t ink[2], const uint64_t pairs[4])
{
	uint64_t *p8 = (uint64_t *)p;

	if (view.bytes_per_pixel == 4 && font.width == 8) {
		p8[0] = pairs[*bits >> 6];
		p8[1] = pairs[*bits >> 4 & 3];
		p8[2] = pairs[*bits >> 2 & 3];
		p8[3] = pairs[*bits & 3];
		return;
	}
	for (uint32_t x = 0; x < font.width; x++, p += view.bytes_per_pixel)
		put_pixel(p, ink[bits[x / 8] >> (7 - x % 8) & 1]);
}

static void
draw_cell(uint32_t x, uint32_t y, uint32_t cell)
{
	static const uint8_t full[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint64_t bg = pixels[CELL_BG(cell)], fg = pixels[CELL_FG(cell)];
	const uint64_t pairs[4] = {bg << 32 | bg, fg << 32 | bg, bg << 32 | fg, fg << 32 | fg};
	const uint32_t ink[2] = {(uint32_t)bg, (uint32_t)fg};
	const uint8_t *bits = font_glyph(cell & CELL_CHAR);
	uint8_t *p = view.base + (size_t)y * font.height * view.pitch +
		     (size_t)x * font.width * view.bytes_per_pixel;
	bool line = (cell & CELL_UNDERLINE) != 0;

	for (uint32_t i = 0; i < font.height; i++, p += view.pitch) {
		draw_bits(p, line && i == font.height - 2 ? full : bits, ink, pairs);
		bits += (font.width + 7) / 8;
	}
}

/* --- what has changed ------------------------------------------------------------------------- */

/* The framebuffer is not as it was left, or the palette is another: black, and nothing drawn. */
static void
start_over(const struct vt_screen *s)
{
	for (uint32_t i = 0; i < VT_COLORS; i++)
		pixels[i] = fb_pixel(s->palette[i]);
	for (uint32_t y = 0; y < view.height; y++)
		memset(view.base + (size_t)y * view.pitch, 0,
		       (size_t)view.width * view.bytes_per_pixel);
	for (size_t i = 0; i < (size_t)columns * rows; i++)
		drawn[i] = s->palette[0] == 0 ? CELL(' ', 0, 0) : NO_CELL;
}

/* As a blank one of that background, whatever would be drawn on it. */
static uint32_t
simple(uint32_t cell)
{
	if ((cell & (CELL_CHAR | CELL_UNDERLINE)) == ' ')
		return (CELL(' ', 0, CELL_BG(cell)));
	return (cell);
}

static uint32_t
swapped(uint32_t cell)
{
	return ((cell & (CELL_CHAR | CELL_UNDERLINE)) | CELL(0, CELL_BG(cell), CELL_FG(cell)));
}

static void
draw_row(const struct vt_screen *s, uint32_t y, uint32_t width)
{
	uint32_t *was = drawn + (size_t)y * columns, cell;
	bool cursor = !s->hidden_cursor && s->now.y == y;

	for (uint32_t x = 0; x < width; x++) {
		cell = s->line[y][x];
		if (s->inverse != (cursor && s->now.x == x))
			cell = swapped(cell);
		cell = simple(cell);
		if (cell == was[x])
			continue;
		was[x] = cell;
		draw_cell(x, y, cell);
	}
}

static void
draw(struct vt_screen *s)
{
	uint32_t width = MIN(MIN(s->columns, columns), view.width / font.width);
	uint32_t height = MIN(MIN(s->rows, rows), view.height / font.height);

	for (uint32_t y = 0; y < height; y++) {
		if (s->dirty[y] || y == s->now.y || y == cursor_row)
			draw_row(s, y, width);
		s->dirty[y] = false;
	}
	cursor_row = s->now.y;
	s->scrolled = false;
}

bool
vt_draw(struct vt *front, bool may_wait)
{
	struct vt_screen *s = &front->vt_screen;
	uint32_t generation = view.generation;
	uint64_t now = cpu_now();

	if (front->vt_graphics || !fb_console_view(&view, panicking))
		return (false);
	if (may_wait && s->scrolled && now - last_draw < 1000000000 / DRAW_HZ) {
		view.generation = generation;
		return (put_off = true);
	}
	if (view.generation != generation || s->recolored) {
		start_over(s);
		vt_all_dirty(s);
		s->recolored = false;
	}
	draw(s);
	last_draw = now;
	put_off = false;
	return (view.width / font.width != columns || view.height / font.height != rows);
}

void
vt_draw_flush(struct vt *front)
{
	if (put_off)
		vt_draw(front, false);
}

/* The mode may be any, and there is no memory: what does not fit is not used. */
void
vt_draw_panic(struct vt *front)
{
	struct vt_screen *s = &front->vt_screen;

	front->vt_graphics = false;
	if (drawn == NULL || !fb_console_view(&view, true))
		return;
	vt_screen_clip(s, MIN(columns, view.width / font.width),
		       MIN(rows, view.height / font.height));
	vt_draw_all();
}

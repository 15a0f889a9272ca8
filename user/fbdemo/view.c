/*
 * Layout and drawing of the demo's screen. Owns the canvas; what is in it is what the screen should
 * show once the demo is through.
 */
#include "fbdemo/view.h"
#include "fbdemo/picture.h"
#include "lib/meter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INK_TOP   0x10171f
#define INK_FLOOR 0x0a0e13
#define INK_BAND  0x161f29
#define INK_RULE  0x2a3644
#define INK_EMPTY 0x0c1218
#define INK_CELL  0x202b37
#define INK_TEXT  0xdbe2e8
#define INK_DIM   0x8b98a5
#define AMBER     0xf0b040
#define TEAL      0x35b5a2

#define CELL_COLUMNS 16 /* and twice, four times as many where cells would be too small */

static void
show(struct view *v, struct rect r)
{
	const struct canvas *c = &v->canvas;

	for (int y = r.y; y < r.y + r.h; y++) {
		const uint32_t *px = c->px + (size_t)y * c->pitch + (size_t)r.x;
		fb_write(v->fb, (uint64_t)((const uint8_t *)px - (const uint8_t *)c->px), px,
			 (size_t)r.w * sizeof(*px));
	}
}

static int
text(struct view *v, int x, int y, int scale, uint32_t colour, const char *s)
{
	return (canvas_text(&v->canvas, v->font, x, y, scale, colour, s));
}

static void
text_right(struct view *v, int x, int y, uint32_t colour, const char *s)
{
	canvas_text_right(&v->canvas, v->font, x, y, 1, colour, s);
}

static int
font_height(const struct view *v)
{
	return (v->font != NULL ? v->font->height : 16);
}

static int
font_width(const struct view *v)
{
	return (v->font != NULL ? v->font->width : 8);
}

/* Dim text, if it ends before end. Returns where it ends, or x. */
static int
text_if_room(struct view *v, int x, int y, int end, const char *s)
{
	bool room = x + (int)utf8_length(s) * font_width(v) <= end;

	return (room ? text(v, x, y, 1, INK_DIM, s) : x);
}

/* --- layout ---------------------------------------------------------------------------------- */

/* The pages that the lines of the half's picture are in; [offset, offset + pages) of VRAM. */
static void
half_pages(const struct view *v, struct half *h)
{
	uint64_t line = v->canvas.pitch * sizeof(uint32_t);
	uint64_t start = (uint64_t)h->picture.y * line;
	uint64_t end = (uint64_t)(h->picture.y + h->picture.h) * line;

	h->offset = start / PAGE_SIZE * PAGE_SIZE;
	h->pages = (end - h->offset + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* The number of columns that makes the cells of a grid of that height biggest. */
static void
choose_grid(struct view *v, size_t pages, int height)
{
	v->pitch = 0;
	for (int columns = CELL_COLUMNS; columns <= 4 * CELL_COLUMNS; columns *= 2) {
		int rows = ((int)pages + columns - 1) / columns;
		int by_height = height / rows, by_width = v->canvas.width * 3 / 10 / columns;
		int pitch = by_height < by_width ? by_height : by_width;
		if (pitch > v->pitch) {
			v->pitch = pitch;
			v->columns = columns;
		}
	}
	if (v->pitch == 0) {
		v->pitch = 1;
		v->columns = v->canvas.width * 3 / 10;
	}
}

static void
layout(struct view *v)
{
	int w = v->canvas.width, fh = font_height(v), m = v->margin;
	int title = fh * v->scale + 28, footer = 5 * fh + 36, band = fh * v->scale + 12;
	int half = (v->canvas.height - title - footer) / 2;
	int height = (half - 2 * band) / CELL_COLUMNS * CELL_COLUMNS;

	for (int i = 0; i < 2; i++) {
		struct half *h = &v->half[i];
		int y = title + i * half;
		h->heading = (struct rect){0, y, w, band};
		h->picture = (struct rect){m, y + band, 0, height};
		h->counters = (struct rect){0, y + band + height, w, band};
		half_pages(v, h);
	}
	/* The halves are compared, so they have as many pages. */
	size_t pages = v->half[0].pages > v->half[1].pages ? v->half[0].pages : v->half[1].pages;
	choose_grid(v, pages, height);
	int grid = v->columns * v->pitch;
	for (int i = 0; i < 2; i++) {
		struct half *h = &v->half[i];
		h->pages = pages;
		h->grid = (struct rect){w - m - grid, h->picture.y, grid, height};
		h->picture.w = h->grid.x - 2 * m - m / 2 - h->picture.x + m;
	}
	v->footer = (struct rect){0, title + 2 * half, w, v->canvas.height - title - 2 * half};
}

int
view_init(struct view *v, const struct fbdev *fb, const struct font *font)
{
	size_t line = fb->fix.line_length;
	struct half *upper = &v->half[0], *lower = &v->half[1];

	memset(v, 0, sizeof(*v));
	v->fb = fb;
	/* A font that leaves no room for the pictures is not used. */
	v->font = font != NULL && font->height * 24 <= (int)fb->var.yres ? font : NULL;
	v->scale = fb->var.yres >= 700 ? 2 : 1;
	v->margin = (int)fb->var.xres / 42;
	v->canvas = (struct canvas){.width = (int)fb->var.xres,
				    .height = (int)fb->var.yres,
				    .pitch = line / sizeof(uint32_t)};
	upper->policy = "single";
	upper->caption = "a fault maps the page it was on";
	upper->colour = AMBER;
	lower->policy = "whole";
	lower->caption = "the first fault populates the mapping";
	lower->colour = TEAL;
	layout(v);
	if (lower->offset + lower->pages * PAGE_SIZE > fb->fix.smem_len)
		return (EINVAL);
	/* A page more, because the last page of a half may reach below the screen. */
	v->canvas.px = calloc(line * fb->var.yres + PAGE_SIZE, 1);
	upper->cells = calloc(upper->pages, sizeof(*upper->cells));
	lower->cells = calloc(lower->pages, sizeof(*lower->cells));
	return (v->canvas.px != NULL && upper->cells != NULL && lower->cells != NULL ? 0 : ENOMEM);
}

/* --- parts ----------------------------------------------------------------------------------- */

static void
draw_title(struct view *v)
{
	int fh = font_height(v), m = v->margin, h = fh * v->scale + 28;
	char what[96];
	struct rect band = {0, 0, v->canvas.width, h - 8};

	canvas_gradient(&v->canvas, band, INK_BAND, INK_TOP);
	canvas_fill(&v->canvas, (struct rect){0, h - 9, v->canvas.width, 1}, INK_RULE);
	snprintf(what, sizeof(what), "%d×%d×%u, %u MiB", v->canvas.width, v->canvas.height,
		 v->fb->var.bits_per_pixel, v->fb->fix.smem_len >> 20);
	int x = text(v, m, 10, v->scale, INK_TEXT, "Quire") + m;
	int end = v->canvas.width - m, y = 10 + (fh - 5) * (v->scale - 1);
	text_right(v, end, y, INK_DIM, what);
	end -= (int)(utf8_length(what) + 2) * font_width(v);
	text_if_room(v, x, y, end, "page faults and the framebuffer: two mappings, one picture");
}

static void
draw_heading(struct view *v, const struct half *h)
{
	char what[96];
	int y = h->heading.y + 2, base = y + (font_height(v) - 3) * (v->scale - 1);
	int x = text(v, v->margin, y, v->scale, h->colour, h->policy);

	text(v, x + font_width(v) * 2, base, 1, INK_DIM, h->caption);
	snprintf(what, sizeof(what), "%zu pages of 4 KiB", h->pages);
	text(v, h->grid.x, base, 1, INK_DIM, what);
}

static uint32_t
cell_colour(enum cell cell)
{
	return (cell == CELL_FAULT ? AMBER : cell == CELL_POPULATED ? TEAL : INK_CELL);
}

static struct rect
cell_rect(const struct view *v, const struct half *h, size_t page)
{
	int gap = v->pitch >= 12 ? 2 : v->pitch >= 4 ? 1 : 0;
	int column = (int)page % v->columns, row = (int)page / v->columns;

	return ((struct rect){h->grid.x + column * v->pitch, h->grid.y + row * v->pitch,
			      v->pitch - gap, v->pitch - gap});
}

static void
draw_legend(struct view *v, const struct half *h)
{
	static const char *const words[] = {"not mapped", "fault", "populated"};
	static const enum cell order[] = {CELL_FAULT, CELL_POPULATED, CELL_UNMAPPED};
	int fh = font_height(v), x = h->grid.x, y = h->counters.y + 8;

	for (int i = 0; i < 3; i++) {
		int end = text_if_room(v, x + 15, y, v->canvas.width, words[order[i]]);
		if (end == x + 15)
			break;
		canvas_tile(&v->canvas, (struct rect){x, y + fh / 2 - 5, 10, 10},
			    cell_colour(order[i]));
		x = end + font_width(v);
	}
}

/* A label, the value in large digits, and, where there is room before end, what it is of. */
static void
draw_counter(struct view *v, const struct half *h, int x, int end, const char *label,
	     const char *value, const char *unit)
{
	int y = h->counters.y + 6, base = y + (font_height(v) - 3) * (v->scale - 1);

	x = text(v, x, base, 1, INK_DIM, label) + font_width(v);
	x = text(v, x, y, v->scale, INK_TEXT, value) + font_width(v);
	text_if_room(v, x, base, end - font_width(v), unit);
}

static void
draw_counters(struct view *v, struct half *h)
{
	struct rect band = {h->picture.x, h->counters.y, h->picture.w, h->counters.h};
	int second = band.x + band.w * 29 / 100, third = band.x + band.w * 71 / 100;
	char buf[NUMBER_LEN], unit[32];

	canvas_fill(&v->canvas, band, INK_TOP);
	draw_counter(v, h, band.x, second, "faults", number(buf, h->faults), "");
	snprintf(unit, sizeof(unit), "of %zu", h->pages);
	draw_counter(v, h, second, third, "pages mapped", number(buf, h->mapped), unit);
	draw_counter(v, h, third, h->grid.x, "time", number_tenths(buf, h->us), "µs");
}

static void
draw_half(struct view *v, struct half *h)
{
	draw_heading(v, h);
	canvas_fill(&v->canvas, h->picture, INK_EMPTY);
	for (size_t i = 0; i < h->pages; i++)
		canvas_tile(&v->canvas, cell_rect(v, h, i), cell_colour(h->cells[i]));
	draw_counters(v, h);
	draw_legend(v, h);
}

static void
clear_footer(struct view *v)
{
	struct rect r = v->footer;

	canvas_gradient(&v->canvas, r, INK_BAND, INK_FLOOR);
	canvas_fill(&v->canvas, (struct rect){0, r.y, r.w, 1}, INK_RULE);
}

/* --- for main.c ------------------------------------------------------------------------------ */

void
view_start(struct view *v)
{
	struct rect all = {0, 0, v->canvas.width, v->canvas.height};

	canvas_fill(&v->canvas, all, INK_TOP);
	draw_title(v);
	draw_half(v, &v->half[0]);
	draw_half(v, &v->half[1]);
	clear_footer(v);
	show(v, all);
}

void
view_draw_pictures(struct view *v)
{
	const struct rect *from = &v->half[0].picture, *to = &v->half[1].picture;
	struct canvas *c = &v->canvas;

	picture_draw(c, *from);
	for (int y = 0; y < from->h; y++)
		memcpy(c->px + (size_t)(to->y + y) * c->pitch + (size_t)to->x,
		       c->px + (size_t)(from->y + y) * c->pitch + (size_t)from->x,
		       (size_t)from->w * sizeof(*c->px));
}

void
view_wipe(struct view *v, const struct half *h)
{
	const struct rect *r = &h->picture;
	size_t line = v->canvas.pitch * sizeof(uint32_t), len = (size_t)r->w * sizeof(uint32_t);
	uint32_t *empty = malloc(len);

	if (empty == NULL)
		return;
	for (int x = 0; x < r->w; x++)
		empty[x] = INK_EMPTY;
	for (int y = r->y; y < r->y + r->h; y++)
		fb_write(v->fb, (uint64_t)y * line + (uint64_t)r->x * sizeof(uint32_t), empty, len);
	free(empty);
}

void
view_cell(struct view *v, struct half *h, size_t page)
{
	struct rect r = cell_rect(v, h, page);

	canvas_tile(&v->canvas, r, cell_colour(h->cells[page]));
	show(v, r);
}

void
view_cells(struct view *v, struct half *h)
{
	for (size_t i = 0; i < h->pages; i++)
		canvas_tile(&v->canvas, cell_rect(v, h, i), cell_colour(h->cells[i]));
	show(v, h->grid);
}

void
view_counters(struct view *v, struct half *h)
{
	draw_counters(v, h);
	show(v, (struct rect){h->picture.x, h->counters.y, h->picture.w, h->counters.h});
}

void
view_say(struct view *v, const char *line1, const char *line2)
{
	int fh = font_height(v), y = v->footer.y + (v->footer.h - 2 * fh - 8) / 2;

	clear_footer(v);
	text(v, v->margin, y, 1, INK_TEXT, line1);
	text(v, v->margin, y + fh + 8, 1, INK_DIM, line2);
	show(v, v->footer);
}

/* Right edges of the table's columns, in characters. */
static const int column_edge[] = {18, 26, 40, 52, 65};

static void
table_row(struct view *v, int y, uint32_t first, uint32_t rest, const char *const cell[6])
{
	text(v, v->margin, y, 1, first, cell[0]);
	for (int i = 1; i < 6; i++)
		text_right(v, v->margin + column_edge[i - 1] * font_width(v), y, rest, cell[i]);
}

static void
table_half(struct view *v, int y, const struct half *h)
{
	char b[5][NUMBER_LEN];
	const char *const row[6] = {h->policy,
				    number(b[0], h->faults),
				    number(b[1], h->mapped),
				    number(b[2], h->ticks),
				    number_tenths(b[3], (double)h->ticks / (double)h->pages),
				    number_tenths(b[4], h->us)};

	table_row(v, y, h->colour, INK_TEXT, row);
}

/* How much more the first needed than the second. */
static const char *
ratio(char buf[NUMBER_LEN + 4], uint64_t a, uint64_t b)
{
	char n[NUMBER_LEN];

	snprintf(buf, NUMBER_LEN + 4, "%s×",
		 b != 0 ? number_tenths(n, (double)a / (double)b) : "-");
	return (buf);
}

/* The time of each half as a bar, in the room that the table leaves. */
static void
draw_bars(struct view *v, int y, int step)
{
	int x = v->margin + (column_edge[4] + 4) * font_width(v);
	int room = v->canvas.width - v->margin - x, fh = font_height(v);
	uint64_t most = 1;

	if (room < 100)
		return;
	for (int i = 0; i < 2; i++)
		most = v->half[i].ticks > most ? v->half[i].ticks : most;
	text(v, x, y, 1, INK_DIM, "time for all pages");
	for (int i = 0; i < 2; i++) {
		int w = (int)((double)v->half[i].ticks / (double)most * room);
		y += step;
		canvas_fill(&v->canvas, (struct rect){x, y + 2, room, fh - 4}, INK_CELL);
		canvas_fill(&v->canvas, (struct rect){x, y + 2, w > 0 ? w : 1, fh - 4},
			    v->half[i].colour);
	}
}

void
view_table(struct view *v)
{
	static const char *const names[6] = {"full speed", "faults", "pages",
					     "TSC ticks",  "a page", "µs"};
	const struct half *a = &v->half[0], *b = &v->half[1];
	char r[2][NUMBER_LEN + 4];
	int step = font_height(v) + 6, y = v->footer.y + (v->footer.h - 4 * step + 6) / 2;
	const char *const ratios[6] = {"ratio", ratio(r[0], a->faults, b->faults),
				       "",      ratio(r[1], a->ticks, b->ticks),
				       "",      ""};

	clear_footer(v);
	table_row(v, y, INK_DIM, INK_DIM, names);
	table_half(v, y + step, a);
	table_half(v, y + 2 * step, b);
	table_row(v, y + 3 * step, INK_DIM, INK_TEXT, ratios);
	draw_bars(v, y, step);
	show(v, v->footer);
}

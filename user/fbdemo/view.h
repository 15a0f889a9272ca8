/*
 * What the demo puts on the screen: a title, two halves one above the other, a footer. A half has a
 * heading, the picture with a grid of cells beside it, and counters under both.
 *
 * All is drawn in a canvas that has the layout of VRAM, line for line. It reaches the screen in two
 * ways: everything but the pictures by view_show, with write(2), which makes no fault; the pictures
 * by the demo itself, page by page, through the mapping whose faults it counts.
 */
#pragma once

#include "lib/canvas.h"
#include "lib/fbdev.h"

#include <stdbool.h>

enum cell {
	CELL_UNMAPPED,
	CELL_FAULT, /* mapped by a fault of its own */
	CELL_POPULATED, /* mapped by the fault of another page */
};

struct half {
	const char *policy, *caption;
	uint32_t colour;
	struct rect heading, picture, grid, counters;
	uint64_t offset; /* of its mapping in VRAM; page-aligned */
	size_t pages; /* of its mapping: those that the picture's lines are in */
	enum cell *cells; /* one a page */
	uint8_t *map; /* the mapping, or NULL */

	/* Measured; main.c says how. */
	uint64_t faults, mapped, ticks;
	double us;
};

struct view {
	const struct fbdev *fb;
	const struct font *font; /* NULL: no text */
	struct canvas canvas;
	struct half half[2]; /* upper, lower */
	struct rect footer;
	int scale; /* of large text */
	int margin;
	int columns, pitch; /* of a grid: cells in a row, pixels from cell to cell */
};

/* 0, ENOMEM, or EINVAL: VRAM has no room for it. font may be NULL. */
int view_init(struct view *v, const struct fbdev *fb, const struct font *font);
/* Draw and show all but the pictures, whose places are empty. */
void view_start(struct view *v);
/* Compute the pictures into the canvas; nothing is shown. */
void view_draw_pictures(struct view *v);
/* Empty the picture's place on the screen, not in the canvas. */
void view_wipe(struct view *v, const struct half *h);
/* Draw and show a page's cell, the counters, all of a half's cells. */
void view_cell(struct view *v, struct half *h, size_t page);
void view_cells(struct view *v, struct half *h);
void view_counters(struct view *v, struct half *h);
/* What is going on, in a line or two, in the footer. */
void view_say(struct view *v, const char *line1, const char *line2);
/* The final table and bars, in the footer. */
void view_table(struct view *v);

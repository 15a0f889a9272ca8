/*
 * Drawing into memory: rectangles, gradients and text, in 32-bit pixels 0xRRGGBB. Everything is
 * clipped to the canvas.
 */
#pragma once

#include "lib/font.h"

#include <stddef.h>
#include <stdint.h>

struct canvas {
	uint32_t *px;
	int width, height;
	size_t pitch; /* pixels from a row to the next */
};

struct rect {
	int x, y, w, h;
};

void canvas_fill(struct canvas *c, struct rect r, uint32_t colour);
/* From top to bottom, without bands: the error of rounding is spread over the pixels. */
void canvas_gradient(struct canvas *c, struct rect r, uint32_t top, uint32_t bottom);
/* Filled, with its corners taken off when it is big enough to have some. */
void canvas_tile(struct canvas *c, struct rect r, uint32_t colour);
/*
 * UTF-8 text with its top left corner at (x, y), each glyph scaled 1 or 2 times; the background is
 * left as it is. Returns the x where the text ends. A font that is NULL draws nothing.
 */
int canvas_text(struct canvas *c, const struct font *font, int x, int y, int scale, uint32_t colour,
		const char *text);
/* The same, ending at x. */
void canvas_text_right(struct canvas *c, const struct font *font, int x, int y, int scale,
		       uint32_t colour, const char *text);
/* a part of 256 of the way from a to b. */
uint32_t colour_mix(uint32_t a, uint32_t b, int part);

/*
 * Pixels of the live view: rectangles and text in memory.
 */
#include "drivers/memview.h"
#include "drivers/vt.h"
#include "kern/log.h"

#define LINE_MAX 128 /* characters */

void
canvas_rect(struct canvas *c, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t color)
{
	uint32_t right = MIN(x + w, c->width), bottom = MIN(y + h, c->height);

	for (; y < bottom; y++)
		for (uint32_t at = x; at < right; at++)
			c->pixels[(size_t)y * c->width + at] = color;
}

static void
draw_glyph(struct canvas *c, uint32_t x, uint32_t y, uint32_t color, const uint8_t *bits)
{
	if (x + font.width > c->width || y + font.height > c->height)
		return;
	for (uint32_t row = 0; row < font.height; row++, bits += (font.width + 7) / 8)
		for (uint32_t i = 0; i < font.width; i++)
			if ((bits[i / 8] >> (7 - i % 8) & 1) != 0)
				c->pixels[(size_t)(y + row) * c->width + x + i] = color;
}

void
canvas_text(struct canvas *c, uint32_t x, uint32_t y, uint32_t color, const char *fmt, ...)
{
	char text[LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (const char *s = text; *s != '\0'; s++, x += font.width)
		draw_glyph(c, x, y, color, font_glyph((uint8_t)*s));
}

uint32_t
color_between(uint32_t a, uint32_t b, uint32_t part, uint32_t whole)
{
	uint32_t color = 0;

	for (int shift = 0; shift < 24; shift += 8)
		color |= ((a >> shift & 0xff) * (whole - part) + (b >> shift & 0xff) * part) / whole
			 << shift;
	return (color);
}

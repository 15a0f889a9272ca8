/*
 * Console fonts in the PSF formats 1 and 2: bitmaps of one size and a table from Unicode to them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FONT_CODEPOINTS 0x2600 /* those above have no glyph here */

struct font {
	uint8_t *file; /* the whole file; glyphs points into it */
	const uint8_t *glyphs;
	uint32_t count, glyph_bytes, row_bytes;
	int width, height;
	uint16_t glyph_of[FONT_CODEPOINTS]; /* count where there is none */
};

/* 0, an errno, or EILSEQ when the file is no PSF font or its numbers contradict its size. */
int font_load(struct font *font, const char *path);
/* Is the pixel set? False outside the glyph and for codepoints without one. */
bool font_pixel(const struct font *font, uint32_t codepoint, int x, int y);
/* The next codepoint of UTF-8 text, advancing *text; U+FFFD for a byte that is not UTF-8. 0 at
 * the end. */
uint32_t utf8_next(const char **text);
/* Codepoints in text. */
size_t utf8_length(const char *text);

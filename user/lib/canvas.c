/*
 * Rectangles, gradients, text. No state but the caller's canvas.
 */
#include "lib/canvas.h"

static struct rect
clip(const struct canvas *c, struct rect r)
{
	int x1 = r.x + r.w < c->width ? r.x + r.w : c->width;
	int y1 = r.y + r.h < c->height ? r.y + r.h : c->height;

	r.x = r.x > 0 ? r.x : 0;
	r.y = r.y > 0 ? r.y : 0;
	r.w = x1 > r.x ? x1 - r.x : 0;
	r.h = y1 > r.y ? y1 - r.y : 0;
	return (r);
}

void
canvas_fill(struct canvas *c, struct rect r, uint32_t colour)
{
	r = clip(c, r);
	for (int y = r.y; y < r.y + r.h; y++)
		for (int x = r.x; x < r.x + r.w; x++)
			c->px[(size_t)y * c->pitch + (size_t)x] = colour;
}

uint32_t
colour_mix(uint32_t a, uint32_t b, int part)
{
	uint32_t mixed = 0;

	for (int shift = 0; shift < 24; shift += 8) {
		int from = a >> shift & 0xff, to = b >> shift & 0xff;
		mixed |= (uint32_t)(from + (to - from) * part / 256) << shift;
	}
	return (mixed);
}

void
canvas_gradient(struct canvas *c, struct rect r, uint32_t top, uint32_t bottom)
{
	static const uint8_t bayer[4][4] = {
	    {0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};
	struct rect in = clip(c, r);

	for (int y = in.y; y < in.y + in.h; y++) {
		uint32_t ink[16];
		/* A step of one in the darkest channel must show: mix sixteen times finer. */
		for (int i = 0; i < 16; i++) {
			ink[i] = 0;
			for (int shift = 0; shift < 24; shift += 8) {
				int a = top >> shift & 0xff, b = bottom >> shift & 0xff;
				int fine = a * 16 + (b - a) * 16 * (y - r.y) / r.h;
				ink[i] |= (uint32_t)((fine + i) / 16) << shift;
			}
		}
		for (int x = in.x; x < in.x + in.w; x++)
			c->px[(size_t)y * c->pitch + (size_t)x] = ink[bayer[y & 3][x & 3]];
	}
}

void
canvas_tile(struct canvas *c, struct rect r, uint32_t colour)
{
	int cut = r.w >= 8 && r.h >= 8;

	canvas_fill(c, (struct rect){r.x + cut, r.y, r.w - 2 * cut, r.h}, colour);
	canvas_fill(c, (struct rect){r.x, r.y + cut, r.w, r.h - 2 * cut}, colour);
}

/*
 * Is the pixel set at (x, y) of the glyph doubled by the rule called Scale2x? A quarter of a pixel
 * takes the colour of two neighbours that agree across its corner, which makes slopes of steps.
 */
static bool
doubled_pixel(const struct font *font, uint32_t code, int x, int y)
{
	int dx = x & 1 ? 1 : -1, dy = y & 1 ? 1 : -1;

	x /= 2;
	y /= 2;
	bool side = font_pixel(font, code, x + dx, y), far_side = font_pixel(font, code, x - dx, y);
	bool over = font_pixel(font, code, x, y + dy), far_over = font_pixel(font, code, x, y - dy);
	if (side == over && side != far_over && over != far_side)
		return (side);
	return (font_pixel(font, code, x, y));
}

int
canvas_text(struct canvas *c, const struct font *font, int x, int y, int scale, uint32_t colour,
	    const char *text)
{
	uint32_t code;

	if (font == NULL)
		return (x);
	while ((code = utf8_next(&text)) != 0) {
		struct rect r = {x, y, font->width * scale, font->height * scale};
		struct rect in = clip(c, r);
		for (int j = in.y; j < in.y + in.h; j++)
			for (int i = in.x; i < in.x + in.w; i++)
				if ((scale == 2 ? doubled_pixel : font_pixel)(font, code, i - r.x,
									      j - r.y))
					c->px[(size_t)j * c->pitch + (size_t)i] = colour;
		x += r.w;
	}
	return (x);
}

void
canvas_text_right(struct canvas *c, const struct font *font, int x, int y, int scale,
		  uint32_t colour, const char *text)
{
	if (font != NULL)
		canvas_text(c, font, x - (int)utf8_length(text) * font->width * scale, y, scale,
			    colour, text);
}

/*
 * A piece of the Mandelbrot set, coloured by the smooth escape time. Pixels that stand out from
 * their neighbours are computed again with four samples.
 */
#include "fbdemo/picture.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* The valley of elephants, turned so that they walk along the picture, heads down. */
#define CENTRE_X   0.28400
#define CENTRE_Y   0.01120
#define SPAN_X     0.0180 /* of the plane, across the picture */
#define ANGLE      0.52
#define ITERATIONS 320
#define ESCAPE     64.0 /* |z|^2; well above 4 for smooth colours */

#define SHADES 1024 /* one turn of the palette */
#define SMOOTH 48 /* a difference in colour that wants four samples */

static const uint32_t stops[] = {0x071422, 0x0d2c46, 0x17566f, 0x3b8f8f, 0xa5cbb4,
				 0xf3e8cd, 0xe9b872, 0xb8693f, 0x5a2d3a, 0x1b1a33};
#define STOPS (sizeof(stops) / sizeof(stops[0]))

static void
make_palette(uint32_t palette[SHADES])
{
	for (unsigned i = 0; i < SHADES; i++) {
		unsigned at = i * STOPS, stop = at / SHADES, part = at % SHADES * 256 / SHADES;
		palette[i] = colour_mix(stops[stop], stops[(stop + 1) % STOPS], (int)part);
	}
}

/* Points of the two largest bodies of the set, which would take all the iterations. */
static bool
surely_inside(double cx, double cy)
{
	double dx = cx - 0.25, q = dx * dx + cy * cy, bx = cx + 1;

	return (q * (q + dx) < cy * cy / 4 || bx * bx + cy * cy < 1.0 / 16);
}

/* Iterations until z escapes, with a fraction; negative: it does not. */
static double
escape_time(double cx, double cy)
{
	double x = 0, y = 0, xx = 0, yy = 0;

	if (surely_inside(cx, cy))
		return (-1);
	for (int n = 0; n < ITERATIONS; n++) {
		y = 2 * x * y + cy;
		x = xx - yy + cx;
		xx = x * x;
		yy = y * y;
		if (xx + yy > ESCAPE)
			return (n + 1 - log2(log2(xx + yy) / log2(ESCAPE)));
	}
	return (-1);
}

/* The colour at (x, y), in steps of step from the centre. */
static uint32_t
sample(const uint32_t palette[SHADES], double x, double y, double step)
{
	double c = cos(ANGLE) * step, s = sin(ANGLE) * step;
	double t = escape_time(CENTRE_X + x * c - y * s, CENTRE_Y + x * s + y * c);

	return (t < 0 ? stops[0] : palette[(unsigned)(log2(t + 8) * 290) % SHADES]);
}

static uint32_t
four_samples(const uint32_t palette[SHADES], double x, double y, double step)
{
	uint32_t upper = colour_mix(sample(palette, x - 0.25, y - 0.25, step),
				    sample(palette, x + 0.25, y - 0.25, step), 128);
	uint32_t lower = colour_mix(sample(palette, x - 0.25, y + 0.25, step),
				    sample(palette, x + 0.25, y + 0.25, step), 128);

	return (colour_mix(upper, lower, 128));
}

static bool
differ(uint32_t a, uint32_t b)
{
	int sum = 0;

	for (int shift = 0; shift < 24; shift += 8)
		sum += abs((int)(a >> shift & 0xff) - (int)(b >> shift & 0xff));
	return (sum > SMOOTH);
}

void
picture_draw(struct canvas *c, struct rect r)
{
	uint32_t palette[SHADES];
	uint32_t *px = c->px + (size_t)r.y * c->pitch + (size_t)r.x;
	double step = SPAN_X / r.w;

	make_palette(palette);
	for (int y = 0; y < r.h; y++)
		for (int x = 0; x < r.w; x++)
			px[(size_t)y * c->pitch + (size_t)x] =
			    sample(palette, x - r.w / 2, y - r.h / 2, step);
	for (int y = 0; y < r.h - 1; y++)
		for (int x = 0; x < r.w - 1; x++) {
			uint32_t *p = &px[(size_t)y * c->pitch + (size_t)x];
			if (differ(*p, p[1]) || differ(*p, p[c->pitch]))
				*p = four_samples(palette, x - r.w / 2, y - r.h / 2, step);
		}
}

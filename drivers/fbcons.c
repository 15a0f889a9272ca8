/*
 * The text console on the framebuffer: a console sink that draws glyphs of the font linked into the
 * kernel. It draws only while no program has the screen (fb_console_view), and starts on a clear
 * screen after one had it. Owns the cursor; the console's lock protects all its state.
 */
#include "drivers/drivers.h"
#include "drivers/fb.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/string.h"

#define FOREGROUND 0xc8c8c8
#define BACKGROUND 0x000000
#define TAB        8
#define SCROLL     4 /* a full screen moves up by 1/SCROLL of its lines at once */

extern const uint8_t font_psf_start[], font_psf_end[];

/* The two headers a PSF font may have. */
struct psf1 {
	uint8_t magic[2], mode, height;
};
struct psf2 {
	uint32_t magic, version, header_size, flags, glyphs, glyph_size, height, width;
};
#define PSF1_MAGIC0 0x36
#define PSF1_MAGIC1 0x04
#define PSF1_512    0x01 /* mode: 512 glyphs, not 256 */
#define PSF2_MAGIC  0x864ab572u

static struct {
	const uint8_t *bits;
	uint32_t glyphs, glyph_size, width, height; /* glyph_size: bytes */
} font;

static struct fb_view view;
static uint32_t columns, rows, column, row;
static uint32_t foreground, background;
static enum { TEXT, ESCAPE, SEQUENCE } state; /* in an escape sequence: those are not drawn */

/* Find the glyphs; false if this is no font or its header lies. */
static bool
font_parse(const uint8_t *data, size_t size)
{
	const struct psf1 *p1 = (const void *)data;
	const struct psf2 *p2 = (const void *)data;
	size_t header;

	if (size >= sizeof(*p1) && p1->magic[0] == PSF1_MAGIC0 && p1->magic[1] == PSF1_MAGIC1) {
		header = sizeof(*p1);
		font.glyphs = (p1->mode & PSF1_512) != 0 ? 512 : 256;
		font.width = 8;
		font.height = font.glyph_size = p1->height;
	} else if (size >= sizeof(*p2) && p2->magic == PSF2_MAGIC) {
		header = p2->header_size;
		font.glyphs = p2->glyphs;
		font.width = p2->width;
		font.height = p2->height;
		font.glyph_size = p2->glyph_size;
	} else {
		return (false);
	}
	font.bits = data + header;
	return (header <= size && font.glyphs >= 128 && font.width - 1 < 64 &&
		font.height - 1 < 64 && font.glyph_size >= (font.width + 7) / 8 * font.height &&
		(uint64_t)font.glyphs * font.glyph_size <= size - header);
}

static uint8_t *
text_row(uint32_t n)
{
	return (view.base + (size_t)n * font.height * view.pitch);
}

static void
put_pixel(uint8_t *p, uint32_t pixel)
{
	if (view.bytes_per_pixel == 4) {
		*(uint32_t *)p = pixel;
		return;
	}
	for (uint32_t i = 0; i < view.bytes_per_pixel; i++)
		p[i] = (uint8_t)(pixel >> 8 * i);
}

/* The background is black, which is zeros in any format: lines [from, to) in pixels. */
static void
clear_lines(uint32_t from, uint32_t to)
{
	for (; from < to; from++)
		memset(view.base + (size_t)from * view.pitch, 0,
		       (size_t)view.width * view.bytes_per_pixel);
}

static void
draw_glyph(unsigned char c)
{
	size_t row_bytes = (font.width + 7) / 8;
	const uint8_t *bits;
	uint8_t *line, *p;

	if (c < 0x20 || c > 0x7e)
		c = '?';
	bits = font.bits + (size_t)c * font.glyph_size;
	line = text_row(row) + (size_t)column * font.width * view.bytes_per_pixel;
	for (uint32_t y = 0; y < font.height; y++) {
		p = line;
		for (uint32_t x = 0; x < font.width; x++, p += view.bytes_per_pixel)
			put_pixel(p, bits[x / 8] << (x % 8) & 0x80 ? foreground : background);
		bits += row_bytes;
		line += view.pitch;
	}
}

/* Reading VRAM back is slow, so a screen that is full moves by many lines, seldom. */
static void
scroll(void)
{
	uint32_t by = MAX(rows / SCROLL, 1u), kept = rows - by;
	size_t line = (size_t)view.width * view.bytes_per_pixel;

	for (uint32_t y = 0; y < kept * font.height; y++)
		memcpy(view.base + (size_t)y * view.pitch, text_row(by) + (size_t)y * view.pitch,
		       line);
	clear_lines(kept * font.height, rows * font.height);
	row = kept;
}

static void
new_line(void)
{
	column = 0;
	if (++row == rows)
		scroll();
}

static void
put_visible(unsigned char c)
{
	if (column == columns)
		new_line();
	draw_glyph(c);
	column++;
}

static void
put_control(unsigned char c)
{
	if (c == '\n')
		new_line();
	else if (c == '\r')
		column = 0;
	else if (c == '\b' && column > 0)
		column--;
	else if (c == '\t')
		column = MIN(roundup2(column + 1, TAB), columns - 1);
	else if (c == '\033')
		state = ESCAPE;
}

static void
put_char(unsigned char c)
{
	if (state == ESCAPE)
		state = c == '[' ? SEQUENCE : TEXT;
	else if (state == SEQUENCE)
		state = c >= 0x40 && c <= 0x7e ? TEXT : SEQUENCE;
	else if (c < 0x20 || c == 0x7f)
		put_control(c);
	else if ((c & 0xc0) != 0x80) /* one '?' for a character of several bytes */
		put_visible(c);
}

/* The view is new: another mode, or a program has drawn. */
static void
start_over(void)
{
	columns = view.width / font.width;
	rows = view.height / font.height;
	row = column = 0;
	state = TEXT;
	foreground = fb_pixel(FOREGROUND);
	background = fb_pixel(BACKGROUND);
	clear_lines(0, view.height);
}

static void
fbcons_write(const char *text, size_t len)
{
	uint32_t generation = view.generation;

	if (!fb_console_view(&view, panicking))
		return;
	if (view.generation != generation)
		start_over();
	for (size_t i = 0; i < len; i++)
		put_char((unsigned char)text[i]);
}

/* A panic takes the screen, in the mode it is in; what is drawn is not trusted to be ours. */
static void
fbcons_panic(void)
{
	view.generation--;
}

static struct console_sink fbcons_sink = {
    .cs_name = "fb0",
    .cs_write = fbcons_write,
    .cs_panic = fbcons_panic,
};

int
fbcons_probe(void)
{
	if (fb.backend == NULL)
		return (ENODEV);
	if (!font_parse(font_psf_start, (size_t)(font_psf_end - font_psf_start))) {
		klog(LOG_ERR, "fbcons: the font is not a usable PSF file");
		return (EINVAL);
	}
	console_attach(&fbcons_sink);
	return (0);
}

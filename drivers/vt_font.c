/*
 * The console's font: a PSF file linked into the kernel, with its table of Unicode characters.
 * Owns the map from characters to glyphs.
 */
#include "drivers/vt.h"
#include "kern/kmalloc.h"
#include "kern/string.h"

extern const uint8_t font_psf_start[], font_psf_end[];

/* The two headers a PSF font may have. */
struct psf1 {
	uint8_t magic[2], mode, height;
};
struct psf2 {
	uint32_t magic, version, header_size, flags, glyphs, glyph_size, height, width;
};
#define PSF1_MAGIC0    0x36
#define PSF1_MAGIC1    0x04
#define PSF1_512       0x01 /* mode: 512 glyphs, not 256 */
#define PSF1_TABLE     0x02
#define PSF1_SEQUENCE  0xfffe /* characters that combine follow */
#define PSF1_SEPARATOR 0xffff /* the next glyph's characters follow */
#define PSF2_MAGIC     0x864ab572u

struct vt_font font;

/* Of the characters below 0x10000: glyph + 1, or 0 for none, in pages of 256. */
static uint16_t *map[256];

/* Find the glyphs; false if this is no font or its header lies. *table: what follows them. */
static bool
parse(const uint8_t *data, size_t size, const uint8_t **table)
{
	const struct psf1 *p1 = (const void *)data;
	const struct psf2 *p2 = (const void *)data;
	bool has_table = false;
	size_t header;

	if (size >= sizeof(*p1) && p1->magic[0] == PSF1_MAGIC0 && p1->magic[1] == PSF1_MAGIC1) {
		header = sizeof(*p1);
		font.glyphs = (p1->mode & PSF1_512) != 0 ? 512 : 256;
		font.width = 8;
		font.height = font.glyph_size = p1->height;
		has_table = (p1->mode & PSF1_TABLE) != 0;
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
	if (header > size || font.glyphs < 128 || font.width - 1 >= 64 || font.height - 1 >= 64 ||
	    font.glyph_size < (font.width + 7) / 8 * font.height ||
	    (uint64_t)font.glyphs * font.glyph_size > size - header)
		return (false);
	*table = has_table ? font.bits + font.glyphs * font.glyph_size : NULL;
	return (true);
}

static void
map_char(uint32_t ucs, uint32_t glyph)
{
	uint16_t **page = &map[ucs >> 8 & 0xff];

	if (*page == NULL)
		*page = kmalloc(256 * sizeof(**page), M_ZERO);
	if (*page != NULL && (*page)[ucs & 0xff] == 0)
		(*page)[ucs & 0xff] = (uint16_t)(glyph + 1);
}

static void
read_table(const uint8_t *p, const uint8_t *end)
{
	bool sequence = false;
	uint32_t glyph = 0;

	for (; end - p >= 2 && glyph < font.glyphs; p += 2) {
		uint32_t ucs = p[0] | (uint32_t)p[1] << 8;

		if (ucs == PSF1_SEPARATOR) {
			glyph++;
			sequence = false;
		} else if (ucs == PSF1_SEQUENCE) {
			sequence = true;
		} else if (!sequence) {
			map_char(ucs, glyph);
		}
	}
}

bool
font_init(void)
{
	const uint8_t *table = NULL;

	if (!parse(font_psf_start, (size_t)(font_psf_end - font_psf_start), &table))
		return (false);
	if (table != NULL)
		read_table(table, font_psf_end);
	for (uint32_t c = ' '; c < 0x7f; c++) /* where the table says nothing */
		map_char(c, c);
	return (true);
}

static uint32_t
lookup(uint32_t ucs)
{
	const uint16_t *page = ucs < 0x10000 ? map[ucs >> 8] : NULL;

	return (page != NULL ? page[ucs & 0xff] : 0);
}

const uint8_t *
font_glyph(uint32_t ucs)
{
	uint32_t glyph = lookup(ucs);

	if (glyph == 0)
		glyph = lookup(0xfffd);
	if (glyph == 0)
		glyph = lookup('?');
	return (font.bits + (size_t)(glyph != 0 ? glyph - 1 : '?') * font.glyph_size);
}

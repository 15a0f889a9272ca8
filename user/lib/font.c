/*
 * PSF1 and PSF2. The file is read whole and every number in it is checked against the file's size
 * before it is used.
 *
 * PSF1: 36 04, mode (1: 512 glyphs, 2: table), height; 8 pixels wide; table of 16-bit codes,
 *       FFFE begins a sequence, FFFF ends a glyph's list.
 * PSF2: 72 b5 4a 86, then 32-bit version, header size, flags (1: table), count, bytes a glyph,
 *       height, width; table of UTF-8, FE begins a sequence, FF ends a glyph's list.
 */
#include "lib/font.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FONT_FILE_MAX (1u << 20)
#define FONT_SIDE_MAX 64

static uint32_t
le32(const uint8_t *p)
{
	return (p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24);
}

uint32_t
utf8_next(const char **text)
{
	const uint8_t *p = (const uint8_t *)*text;
	uint32_t code = p[0];
	int more = code < 0x80       ? 0
		   : code >> 5 == 6  ? 1
		   : code >> 4 == 14 ? 2
		   : code >> 3 == 30 ? 3
				     : -1;

	if (code == 0)
		return (0);
	(*text)++;
	if (more <= 0)
		return (more == 0 ? code : 0xfffd);
	code &= 0x3fu >> more;
	for (int i = 1; i <= more; i++) {
		if (p[i] >> 6 != 2)
			return (0xfffd);
		code = code << 6 | (p[i] & 0x3f);
	}
	*text += more;
	return (code);
}

size_t
utf8_length(const char *text)
{
	size_t n = 0;

	while (utf8_next(&text) != 0)
		n++;
	return (n);
}

static void
set_glyph(struct font *font, uint32_t codepoint, uint32_t glyph)
{
	if (codepoint < FONT_CODEPOINTS && font->glyph_of[codepoint] == font->count)
		font->glyph_of[codepoint] = (uint16_t)glyph;
}

static void
read_table1(struct font *font, const uint8_t *p, const uint8_t *end)
{
	bool sequence = false;

	for (uint32_t glyph = 0; glyph < font->count && end - p >= 2; p += 2) {
		uint32_t code = p[0] | p[1] << 8;
		if (code == 0xffff)
			glyph++;
		else if (code != 0xfffe && !sequence)
			set_glyph(font, code, glyph);
		sequence = code == 0xfffe || (sequence && code != 0xffff);
	}
}

/* The file is NUL-terminated, so that utf8_next stops inside it. */
static void
read_table2(struct font *font, const uint8_t *p, const uint8_t *end)
{
	bool sequence = false;

	for (uint32_t glyph = 0; glyph < font->count && p < end;) {
		if (*p >= 0xfe || *p == 0) {
			sequence = *p == 0xfe;
			glyph += *p++ == 0xff;
			continue;
		}
		const char *text = (const char *)p;
		uint32_t code = utf8_next(&text);
		if (!sequence)
			set_glyph(font, code, glyph);
		p = (const uint8_t *)text;
	}
}

static int
parse(struct font *font, size_t size)
{
	const uint8_t *f = font->file;
	size_t header;
	bool table, psf2 = size >= 32 && le32(f) == 0x864ab572;

	if (psf2) {
		header = le32(f + 8);
		table = le32(f + 12) & 1;
		font->count = le32(f + 16);
		font->glyph_bytes = le32(f + 20);
		font->height = (int)le32(f + 24);
		font->width = (int)le32(f + 28);
	} else if (size >= 4 && f[0] == 0x36 && f[1] == 0x04) {
		header = 4;
		table = f[2] & 2;
		font->count = f[2] & 1 ? 512 : 256;
		font->glyph_bytes = f[3];
		font->height = f[3];
		font->width = 8;
	} else
		return (EILSEQ);
	if (font->width < 1 || font->width > FONT_SIDE_MAX || font->height < 1 ||
	    font->height > FONT_SIDE_MAX || font->count < 1 || font->count >= UINT16_MAX)
		return (EILSEQ);
	font->row_bytes = ((uint32_t)font->width + 7) / 8;
	if (font->glyph_bytes < font->row_bytes * (uint32_t)font->height || header > size ||
	    font->glyph_bytes > (size - header) / font->count)
		return (EILSEQ);
	font->glyphs = f + header;

	for (uint32_t i = 0; i < FONT_CODEPOINTS; i++)
		font->glyph_of[i] = (uint16_t)(table || i >= font->count ? font->count : i);
	const uint8_t *p = font->glyphs + (size_t)font->glyph_bytes * font->count;
	if (table)
		(psf2 ? read_table2 : read_table1)(font, p, f + size);
	return (0);
}

int
font_load(struct font *font, const char *path)
{
	struct stat st;
	size_t len = 0;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return (errno);
	int error = fstat(fd, &st) != 0 ? errno : 0;
	if (error == 0 && (st.st_size < 4 || st.st_size > FONT_FILE_MAX))
		error = EILSEQ;
	font->file = error == 0 ? calloc((size_t)st.st_size + 4, 1) : NULL;
	if (error == 0 && font->file == NULL)
		error = ENOMEM;
	while (error == 0 && len < (size_t)st.st_size &&
	       (n = read(fd, font->file + len, (size_t)st.st_size - len)) > 0)
		len += (size_t)n;
	if (error == 0)
		error = n < 0 ? errno : parse(font, len);
	close(fd);
	if (error != 0) {
		free(font->file);
		font->file = NULL;
	}
	return (error);
}

bool
font_pixel(const struct font *font, uint32_t codepoint, int x, int y)
{
	uint32_t glyph = codepoint < FONT_CODEPOINTS ? font->glyph_of[codepoint] : font->count;

	if (x < 0 || y < 0 || x >= font->width || y >= font->height || glyph >= font->count)
		return (false);
	const uint8_t *row =
	    font->glyphs + (size_t)glyph * font->glyph_bytes + (uint32_t)y * font->row_bytes;
	return (row[x / 8] >> (7 - x % 8) & 1);
}

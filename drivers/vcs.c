/*
 * Screens as files: /dev/vcs1 has the first console's characters, a byte each ('?' for one that is
 * no ASCII), /dev/vcsu1 the same as Unicode, four bytes each, /dev/vcsa1 characters and attributes
 * as a VGA has them, with rows, columns and the cursor's place in front: vcs(4). Without a number it
 * is the console in front. They can only be read.
 */
#include "drivers/vt.h"
#include "fs/vnode.h"
#include "kern/errno.h"
#include "kern/log.h"

#define VCS_MAJOR 7
#define HEADER    4 /* of vcsa */
#define CHUNK     256

enum kind { VCS, VCSU, VCSA };
static const struct {
	const char *name;
	uint32_t cell, header, minor; /* bytes */
} kinds[] = {
    [VCS] = {"vcs", 1, 0, 0}, [VCSU] = {"vcsu", 4, 0, 64}, [VCSA] = {"vcsa", 2, HEADER, 128}};

struct vcs {
	struct cdev dev; /* (c) */
	char name[8]; /* (c) */
	enum kind kind; /* (c) */
	uint32_t number; /* (c) 0: the one in front */
};

/* The palette's order is red, green, blue; a VGA's the other way round. */
static uint8_t
vga_color(uint32_t color)
{
	return ((uint8_t)((color & 8) | (color & 2) | (color & 1) << 2 | (color >> 2 & 1)));
}

/* The byte at offset; false: there is none. Console_lock is held. */
static bool
byte_at(const struct vt_screen *s, enum kind kind, uint64_t offset, uint8_t *byte)
{
	const uint8_t header[HEADER] = {(uint8_t)s->rows, (uint8_t)s->columns, (uint8_t)s->now.x,
					(uint8_t)s->now.y};
	uint64_t n = (offset - kinds[kind].header) / kinds[kind].cell, part;
	uint32_t cell, c;

	if (offset < kinds[kind].header) {
		*byte = header[offset];
		return (true);
	}
	if (n >= (uint64_t)s->rows * s->columns)
		return (false);
	part = (offset - kinds[kind].header) % kinds[kind].cell;
	cell = s->line[n / s->columns][n % s->columns];
	c = cell & CELL_CHAR;
	if (kind == VCSU)
		*byte = (uint8_t)(c >> 8 * part);
	else if (part == 1)
		*byte = (uint8_t)(vga_color(CELL_BG(cell)) << 4 | vga_color(CELL_FG(cell)));
	else
		*byte = c < 0x7f ? (uint8_t)c : '?';
	return (true);
}

static int
vcs_read(void *softc, struct uio *uio, struct file *fp __unused)
{
	const struct vcs *v = softc;
	uint8_t buf[CHUNK];
	int error = 0;
	size_t n;

	while (uio->uio_resid > 0 && error == 0) {
		console_lock();
		const struct vt_screen *s =
		    &vts[v->number != 0 ? v->number - 1 : vt_front].vt_screen;

		for (n = 0; n < MIN(uio->uio_resid, sizeof(buf)); n++)
			if (!byte_at(s, v->kind, uio->uio_offset + n, &buf[n]))
				break;
		console_unlock();
		if (n == 0)
			break;
		error = uiomove(buf, n, uio);
	}
	return (error);
}

void
vcs_init(void)
{
	static const struct cdevsw sw = {.d_read = vcs_read, .d_seekable = true};
	static struct vcs all[nitems(kinds)][VT_COUNT + 1];
	struct vcs *v;

	for (uint32_t k = 0; k < nitems(kinds); k++) {
		for (uint32_t i = 0; i <= VT_COUNT; i++) {
			v = &all[k][i];
			v->kind = (enum kind)k;
			v->number = i;
			ksnprintf(v->name, sizeof(v->name), i == 0 ? "%s" : "%s%u", kinds[k].name,
				  i);
			v->dev = (struct cdev){.cd_name = v->name,
					       .cd_sw = &sw,
					       .cd_softc = v,
					       .cd_major = VCS_MAJOR,
					       .cd_minor = kinds[k].minor + i,
					       .cd_mode = 0660};
			cdev_register(&v->dev);
		}
	}
}

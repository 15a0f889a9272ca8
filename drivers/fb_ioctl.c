/*
 * Linux's fbdev ioctls on /dev/fb0: its structures, what they say of the mode, and mode changes;
 * and one of our own, to take the damage. Modes are pixels only: timings are accepted and not
 * kept, and the format of a pixel is the backend's.
 */
#include "drivers/fb.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/string.h"

#define FBIOGET_VSCREENINFO 0x4600
#define FBIOPUT_VSCREENINFO 0x4601
#define FBIOGET_FSCREENINFO 0x4602
#define FBIOPAN_DISPLAY     0x4606
#define FBIOBLANK           0x4611

#define FBIO_QUIRE_DAMAGE 0xc0185101 /* _IOWR('Q', 1, struct quire_fb_damage) */

#define FB_TYPE_PACKED_PIXELS 0
#define FB_VISUAL_TRUECOLOR   2
#define FB_ACTIVATE_NOW       0
#define FB_ACTIVATE_MASK      15
#define FB_VMODE_YWRAP        256

/* As Linux lays them out on x86-64. */
struct fb_fix_screeninfo {
	char id[16];
	uint64_t smem_start;
	uint32_t smem_len, type, type_aux, visual;
	uint16_t xpanstep, ypanstep, ywrapstep;
	uint32_t line_length;
	uint64_t mmio_start;
	uint32_t mmio_len, accel;
	uint16_t capabilities, reserved[2];
};
_Static_assert(sizeof(struct fb_fix_screeninfo) == 80, "Linux's size");

struct fb_bitfield {
	uint32_t offset, length, msb_right;
};

struct fb_var_screeninfo {
	uint32_t xres, yres, xres_virtual, yres_virtual, xoffset, yoffset;
	uint32_t bits_per_pixel, grayscale;
	struct fb_bitfield red, green, blue, transp;
	uint32_t nonstd, activate;
	uint32_t height, width; /* mm */
	uint32_t accel_flags;
	uint32_t pixclock, left_margin, right_margin, upper_margin, lower_margin, hsync_len,
	    vsync_len, sync, vmode, rotate, colorspace, reserved[4];
};
_Static_assert(sizeof(struct fb_var_screeninfo) == 160, "Linux's size");

/* docs/damage.md */
struct quire_fb_damage {
	uint64_t bitmap; /* address: a bit for each page, the lowest of the first byte first */
	uint32_t first, npages; /* the pages asked about */
	uint32_t damaged; /* out: how many bits are set */
	uint32_t reserved; /* 0 */
};
_Static_assert(sizeof(struct quire_fb_damage) == 0x18, "the size in its number");

static struct fb_bitfield
bitfield(struct fb_channel c)
{
	return ((struct fb_bitfield){.offset = c.position, .length = c.size});
}

static void
var_of_mode(const struct fb_mode *mode, struct fb_var_screeninfo *var)
{
	const struct fb_backend *be = fb.backend;

	*var = (struct fb_var_screeninfo){
	    .xres = mode->width,
	    .yres = mode->height,
	    .xres_virtual = mode->virtual_width,
	    .yres_virtual = mode->virtual_height,
	    .xoffset = mode->x,
	    .yoffset = mode->y,
	    .bits_per_pixel = be->bpp,
	    .red = bitfield(be->red),
	    .green = bitfield(be->green),
	    .blue = bitfield(be->blue),
	    .height = UINT32_MAX, /* not known */
	    .width = UINT32_MAX,
	};
}

static struct fb_mode
mode_now(void)
{
	struct fb_mode mode;

	rw_rlock(&fb.lock);
	mode = fb.mode;
	rw_unlock(&fb.lock);
	return (mode);
}

static int
get_var(void *uaddr)
{
	struct fb_mode mode = mode_now();
	struct fb_var_screeninfo var;

	var_of_mode(&mode, &var);
	return (copyout(&var, uaddr, sizeof(var)));
}

static int
get_fix(void *uaddr)
{
	const struct fb_backend *be = fb.backend;
	struct fb_fix_screeninfo fix;

	memset(&fix, 0, sizeof(fix)); /* its padding too */
	strlcpy(fix.id, be->name, sizeof(fix.id));
	fix.smem_start = be->pa;
	fix.smem_len = (uint32_t)be->size;
	fix.type = FB_TYPE_PACKED_PIXELS;
	fix.visual = FB_VISUAL_TRUECOLOR;
	fix.xpanstep = fix.ypanstep = be->pan != NULL;
	fix.line_length = mode_now().pitch;
	return (copyout(&fix, uaddr, sizeof(fix)));
}

static bool
same_geometry(const struct fb_mode *a, const struct fb_mode *b)
{
	return (a->width == b->width && a->height == b->height && a->pitch == b->pitch);
}

/* Show mode, which fits. The screen is held meanwhile: the console must not see half of it. */
static void
activate(const struct fb_mode *mode)
{
	const struct fb_backend *be = fb.backend;

	rw_assert_wlocked(&fb.lock);
	fb_hold();
	if (be->set_mode != NULL && !same_geometry(mode, &fb.mode)) {
		be->set_mode(mode);
		fb_pager_revoke(); /* R1: what programs drew was for another mode */
		fb_damage_mark(0, be->size);
	} else if (be->pan != NULL) {
		be->pan(mode->x, mode->y);
	}
	fb.mode = *mode;
	fb_release();
}

static int
put_var(void *uaddr)
{
	struct fb_var_screeninfo var;
	struct fb_mode mode;
	uint32_t activation;
	int error;

	error = copyin(uaddr, &var, sizeof(var));
	if (error != 0)
		return (error);
	mode = (struct fb_mode){
	    .width = var.xres,
	    .height = var.yres,
	    .virtual_width = var.xres_virtual,
	    .virtual_height = var.yres_virtual,
	    .x = var.xoffset,
	    .y = var.yoffset,
	};
	if (var.bits_per_pixel != fb.backend->bpp || var.grayscale != 0 ||
	    fb_mode_fit(fb.backend, &mode) != 0)
		return (EINVAL);
	activation = var.activate;
	if ((activation & FB_ACTIVATE_MASK) == FB_ACTIVATE_NOW) {
		rw_wlock(&fb.lock);
		activate(&mode);
		rw_unlock(&fb.lock);
	}
	var_of_mode(&mode, &var);
	var.activate = activation;
	return (copyout(&var, uaddr, sizeof(var)));
}

static int
pan_locked(const struct fb_var_screeninfo *var)
{
	struct fb_mode mode = fb.mode;

	if (fb.backend->pan == NULL || (var->vmode & FB_VMODE_YWRAP) != 0 ||
	    var->xoffset > mode.virtual_width - mode.width ||
	    var->yoffset > mode.virtual_height - mode.height)
		return (EINVAL);
	mode.x = var->xoffset;
	mode.y = var->yoffset;
	activate(&mode);
	return (0);
}

static int
pan(void *uaddr)
{
	struct fb_var_screeninfo var;
	int error;

	error = copyin(uaddr, &var, sizeof(var));
	if (error != 0)
		return (error);
	rw_wlock(&fb.lock);
	error = pan_locked(&var);
	rw_unlock(&fb.lock);
	return (error);
}

/* What the program cannot be told of is not lost: it stays for the next call. */
static int
take_damage(struct quire_fb_damage *uaddr)
{
	struct quire_fb_damage d;
	uint8_t *bitmap;
	size_t len;
	int error;

	error = copyin(uaddr, &d, sizeof(d));
	if (error != 0)
		return (error);
	if (d.reserved != 0 || d.npages > atop(FB_VRAM_MAX))
		return (EINVAL);
	len = (d.npages + 7) / 8;
	bitmap = kmalloc(MAX(len, 1ul), M_ZERO);
	if (bitmap == NULL)
		return (ENOMEM);
	error = fb_damage_take(d.first, d.npages, bitmap, &d.damaged);
	if (error == 0) {
		error = copyout(bitmap, (void *)d.bitmap, len);
		if (error == 0)
			error = copyout(&d, uaddr, sizeof(d));
		if (error != 0)
			fb_damage_put_back(d.first, d.npages, bitmap);
	}
	kfree(bitmap);
	return (error);
}

int
fb_ioctl(void *softc __unused, uint64_t cmd, uint64_t arg, struct file *fp __unused)
{
	void *uaddr = (void *)arg;
	int error;

	switch (cmd) {
	case FBIOGET_VSCREENINFO:
		return (get_var(uaddr));
	case FBIOPUT_VSCREENINFO:
		error = fb_wait_shown(true);
		return (error != 0 ? error : put_var(uaddr));
	case FBIOGET_FSCREENINFO:
		return (get_fix(uaddr));
	case FBIOPAN_DISPLAY:
		error = fb_wait_shown(true);
		return (error != 0 ? error : pan(uaddr));
	case FBIO_QUIRE_DAMAGE:
		return (take_damage(uaddr));
	case FBIOBLANK: /* no backend can: what Linux says then */
		return (EINVAL);
	default:
		return (ENOTTY);
	}
}

/*
 * The framebuffer that the loader set up, for machines whose card has no driver here. Its mode is
 * what it is.
 */
#include "drivers/drivers.h"
#include "drivers/fb.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/main.h"

static struct fb_backend boot_backend = {.name = "boot"};

/* The loader's word is checked: it must be a picture of whole pixels that fits its lines. */
static bool
plausible(const struct boot_fb *b, uint32_t bpp)
{
	return ((bpp == 16 || bpp == 24 || bpp == 32) && b->width >= FB_MIN_RES &&
		b->width <= FB_MAX_WIDTH && b->height >= FB_MIN_RES && b->height <= FB_MAX_HEIGHT &&
		b->pitch >= b->width * (bpp / 8) && b->red_pos + b->red_size <= bpp &&
		b->green_pos + b->green_size <= bpp && b->blue_pos + b->blue_size <= bpp &&
		b->red_size <= 16 && b->green_size <= 16 && b->blue_size <= 16);
}

int
boot_fb_probe(void)
{
	const struct boot_fb *b = &bootinfo.fb;
	uint32_t bpp = roundup2(b->bpp, 8u);

	if (fb.backend != NULL || b->width == 0)
		return (ENODEV);
	if (!plausible(b, bpp)) {
		klog(LOG_WARNING, "boot_fb: unusable %ux%ux%u, %u bytes a line", b->width,
		     b->height, b->bpp, b->pitch);
		return (ENXIO);
	}
	boot_backend.pa = b->pa;
	boot_backend.size = round_page((uint64_t)b->pitch * b->height);
	boot_backend.bpp = bpp;
	boot_backend.red = (struct fb_channel){b->red_pos, b->red_size};
	boot_backend.green = (struct fb_channel){b->green_pos, b->green_size};
	boot_backend.blue = (struct fb_channel){b->blue_pos, b->blue_size};
	boot_backend.fixed = (struct fb_mode){
	    .width = b->width,
	    .height = b->height,
	    .virtual_width = b->width,
	    .virtual_height = b->height,
	    .pitch = b->pitch,
	};
	return (fb_register(&boot_backend));
}

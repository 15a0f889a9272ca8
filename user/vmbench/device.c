/*
 * Rows on the framebuffer: a mapping of VRAM made, touched and taken away, by each policy by which
 * Quire's driver populates it. Linux has one way, which the `default' rows measure.
 */
#include "bench.h"
#include "lib/fbdev.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LFB_PAGES (1024 * 768 * 6 / 4096) /* 4.5 MiB: what a linear framebuffer of Linux's has */

enum phase { PH_MMAP, PH_TOUCH, PH_MUNMAP, PH_ALL };

/* Map `pages` of VRAM by that policy (NULL: as it is), touch and unmap; ticks of one phase. */
static uint64_t
vram(size_t pages, const char *policy, enum phase phase)
{
	char was[32] = "";
	struct fbdev fb;
	uint64_t at[4];

	if (fb_open(&fb) != 0)
		bench_skip("no " FB_PATH);
	if (fb.fix.smem_len < pages * PAGE_SIZE)
		bench_skip("the card has less memory");
	fb_get_policy(was, sizeof(was));
	if (policy != NULL && fb_set_policy(policy) != 0)
		bench_skip("no such policy here");
	at[0] = tsc();
	volatile uint8_t *p = fb_map(&fb, 0, pages * PAGE_SIZE);
	at[1] = tsc();
	if (p == NULL)
		bench_fail("mmap of " FB_PATH);
	touch_write((uint8_t *)p, pages);
	at[2] = tsc();
	munmap((void *)p, pages * PAGE_SIZE);
	at[3] = tsc();
	fb_close(&fb);
	if (*was != '\0')
		fb_set_policy(was);
	return (phase == PH_ALL ? at[3] - at[0] : at[phase + 1] - at[phase]);
}

/* Units are pages, but for mmap, which is one call. */
static uint64_t
lfb_mmap(size_t calls)
{
	(void)calls;
	return (vram(LFB_PAGES, NULL, PH_MMAP));
}

static uint64_t
lfb_touch(size_t pages)
{
	return (vram(pages, NULL, PH_TOUCH));
}

static uint64_t
lfb_munmap(size_t pages)
{
	return (vram(pages, NULL, PH_MUNMAP));
}

static uint64_t
whole(size_t pages)
{
	return (vram(pages, "whole", PH_ALL));
}

static uint64_t
window(size_t pages)
{
	return (vram(pages, "window:16", PH_ALL));
}

static uint64_t
single(size_t pages)
{
	return (vram(pages, "single", PH_ALL));
}

#define MIB_PAGES(mib) ((mib)*256ul)

/* Floors: one 2 MiB entry in 512 pages for whole, one entry a page for others; and the touch. */
const struct bench device_rows[] = {
    {"fb-mmap", "call", lfb_mmap, 1, 0},
    {"fb-touch", "page", lfb_touch, LFB_PAGES, 3},
    {"fb-munmap", "page", lfb_munmap, LFB_PAGES, 0},
    {"vram-16M-whole", "page", whole, MIB_PAGES(16), 3},
    {"vram-64M-whole", "page", whole, MIB_PAGES(64), 3},
    {"vram-256M-whole", "page", whole, MIB_PAGES(256), 3},
    {"vram-16M-window:16", "page", window, MIB_PAGES(16), 4},
    {"vram-64M-window:16", "page", window, MIB_PAGES(64), 4},
    {"vram-16M-single", "page", single, MIB_PAGES(16), 4},
    {0},
};

/*
 * When the live view is shown, and where: see memview.h. Owns the end of VRAM that is kept back.
 */
#include "drivers/memview.h"
#include "drivers/drivers.h"
#include "drivers/fb.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "kern/thread.h"
#include "machine/pmap_md.h"

#define VIEW_BYTES  (4ul << 20) /* kept back: two superpages, and 1024x768 with room to align */
#define VIEW_WIDTH  1024 /* a larger screen shows more of nothing */
#define VIEW_HEIGHT 768
#define PERIOD_NS   100000000ul
#define PAN_MAX     UINT16_MAX /* lines; the dispi register's 16 bits */

static uint8_t *vram; /* (c) the part kept back; NULL: there is no view */
static struct mtx view_mtx = MTX_INITIALIZER("memview", LR_LEAF);
static bool wanted; /* view_mtx */
static bool panned; /* the thread's; a panic looks */

uint64_t
memview_reserve(uint64_t size)
{
	if (cmdline_get("memview") == NULL)
		return (0);
	if (size < 2 * VIEW_BYTES) {
		klog(LOG_WARNING, "memview: %lu KiB of VRAM are too few", size >> 10);
		return (0);
	}
	return (VIEW_BYTES);
}

void
memview_toggle(void)
{
	mtx_lock(&view_mtx);
	wanted = !wanted;
	mtx_unlock(&view_mtx);
	wakeup(&wanted);
}

void
memview_panic(void)
{
	if (panned)
		fb.backend->pan(fb.mode.x, fb.mode.y);
}

/* Show what was drawn, from the first whole line of the part kept back on; the mode may be any, and
 * not all of its lines may fit: then there is no view. */
static bool
show(const struct canvas *c)
{
	static uint32_t pitch; /* of the last time; with another all of it is elsewhere */
	const struct fb_backend *be = fb.backend;
	uint64_t line = (be->size + fb.mode.pitch - 1) / fb.mode.pitch;
	uint64_t start = line * fb.mode.pitch - be->size;
	uint32_t rows = MIN(c->height, fb.mode.height);

	rw_assert_locked(&fb.lock);
	if (line + fb.mode.height > PAN_MAX ||
	    start + (uint64_t)fb.mode.height * fb.mode.pitch > VIEW_BYTES)
		return (false);
	if (fb.mode.pitch != pitch)
		memset(vram, 0, VIEW_BYTES);
	pitch = fb.mode.pitch;
	for (uint32_t y = 0; y < rows; y++)
		memcpy(vram + start + (uint64_t)y * fb.mode.pitch, c->pixels + (size_t)y * c->width,
		       MIN(c->width, fb.mode.width) * sizeof(*c->pixels));
	be->pan(0, (uint32_t)line);
	return (true);
}

/* Bring the canvas to the screen, or put the screen back. */
static void
update(const struct canvas *c, bool want)
{
	bool shown;

	rw_rlock(&fb.lock);
	shown = want && show(c);
	if (!shown && panned)
		fb.backend->pan(fb.mode.x, fb.mode.y);
	if (want && !shown && panned)
		klog(LOG_NOTICE, "memview: no room for a mode of %ux%u", fb.mode.width,
		     fb.mode.height);
	panned = shown;
	rw_unlock(&fb.lock);
}

static void
memview_main(void *arg)
{
	struct canvas *c = arg;
	bool want;

	for (;;) {
		mtx_lock(&view_mtx);
		want = wanted;
		if (!want && !panned) {
			mtx_sleep(&wanted, &view_mtx, 0, 0);
			continue;
		}
		mtx_unlock(&view_mtx);
		if (want)
			scan_draw(c);
		update(c, want);
		if (want)
			rw_sleep(&view_mtx, NULL, 0, PERIOD_NS); /* nobody wakes it */
	}
}

int
memview_probe(void)
{
	static struct canvas canvas = {.width = VIEW_WIDTH, .height = VIEW_HEIGHT};
	const struct fb_backend *be = fb.backend;
	struct thread *td;

	if (cmdline_get("memview") == NULL)
		return (ENODEV);
	if (be == NULL || be->pan == NULL || be->reserved == 0) {
		klog(LOG_WARNING, "memview: no screen that can show it");
		return (ENODEV);
	}
	canvas.pixels = kmalloc((size_t)VIEW_WIDTH * VIEW_HEIGHT * sizeof(*canvas.pixels), M_ZERO);
	td = thread_create(NULL, "memview", memview_main, &canvas);
	if (canvas.pixels == NULL || td == NULL || scan_init() != 0)
		return (ENOMEM);
	vram = (uint8_t *)cpu_mapdev(be->pa + be->size, be->reserved, VM_MEMATTR_WRITE_COMBINING);
	if (vram == NULL)
		return (ENOMEM);
	wanted = true;
	sched_add(td);
	return (0);
}

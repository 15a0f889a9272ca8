/*
 * The live view: all of memory on the screen, as it is now. Every physical frame by whose it is and
 * in what state, and every process's address space page by page; what has just come lights up. With
 * `memview' on the kernel's command line it is there from the start, Alt-F12 puts it away and brings
 * it back.
 *
 *   memview.c        when: the key, the thread that draws, the part of VRAM that it draws to
 *   memview_scan.c   what: frames and address spaces, looked at without holding anybody up
 *   memview_draw.c   pixels
 *
 * It is drawn to the end of VRAM, which is kept back from /dev/fb0 for it, and shown by panning: the
 * screen that programs draw stays as it is. Without the option nothing of this is there.
 */
#pragma once

#include "kern/types.h"

/* How many bytes at the end of that much VRAM are for the view: 0, unless it is asked for and there
 * is room. */
uint64_t memview_reserve(uint64_t vram);
/* The key was pressed; from an interrupt. */
void memview_toggle(void);
/* A panic: what programs and the console draw is to be seen. No lock is needed. */
void memview_panic(void);

/* --- memview_draw.c: pixels are 0xRRGGBB; what does not fit is cut off --------------------------- */

struct canvas {
	uint32_t *pixels;
	uint32_t width, height;
};
void canvas_rect(struct canvas *c, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t color);
void canvas_text(struct canvas *c, uint32_t x, uint32_t y, uint32_t color, const char *fmt, ...)
    __printf_like(5, 6);
/* From a to b by part of whole. */
uint32_t color_between(uint32_t a, uint32_t b, uint32_t part, uint32_t whole);

/* --- memview_scan.c; the view's thread only ------------------------------------------------------ */

/* Memory to know each frame's last state by. ENOMEM. */
int scan_init(void);
/* Look at all there is and draw it. */
void scan_draw(struct canvas *c);

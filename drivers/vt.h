/*
 * The virtual consoles: text screens with a terminal each (/dev/tty1 ..), of which one is in front
 * on the framebuffer, fed by the keyboard.
 *
 *   vt_screen.c, vt_parse.c,
 *   vt_csi.c                  a text screen
 *   vt_font.c, vt_draw.c      from its cells to pixels
 *   vt.c                      the consoles: output, input, the kernel's text on the first
 *   vt_switch.c               which is in front: text, or a program that draws by itself
 *   vt_ioctl.c                Linux's ioctls for both
 *   vcs.c                     screens as files, /dev/vcs
 *   ps2.c, keys.c             the keyboard, and what its keys send
 */
#pragma once

#include "drivers/vt_screen.h"
#include "kern/console.h"
#include "kern/tty.h"

#define VT_COUNT 4

/* As Linux's struct vt_mode, what is used of it. */
enum { VT_AUTO, VT_PROCESS };
struct vt_mode {
	int8_t mode, waitv;
	int16_t relsig, acqsig, frsig;
};
enum { K_RAW, K_XLATE, K_MEDIUMRAW, K_UNICODE, K_OFF };
enum { LED_SCROLL = 1, LED_NUM = 2, LED_CAPS = 4 };

/* Locks: (c) constant  (o) console_lock  (v) vt_lock  (a) atomic */
struct vt {
	struct vt_screen vt_screen; /* (o) */
	struct tty vt_tty; /* own lock */
	struct cdev vt_cdev; /* (c) */
	bool vt_graphics; /* (v) to change, (a) to look: a program draws (KD_GRAPHICS) */
	struct vt_mode vt_mode; /* (v) */
	int vt_owner; /* (v) pid that VT_PROCESS asks */
	uint8_t vt_kbmode; /* (a) K_* */
	uint8_t vt_locks; /* (a) LED_* whose lock is on */
};
extern struct vt vts[VT_COUNT];
extern struct rwlock vt_lock; /* rank LR_FILE, before terminals' locks */
extern uint32_t vt_front; /* (v) and (o) to change: index of the one in front */

/* --- vt_font.c -------------------------------------------------------------------------------- */

extern struct vt_font {
	const uint8_t *bits;
	uint32_t glyphs, glyph_size, width, height; /* glyph_size: bytes */
} font;
/* False: the font linked into the kernel is none. */
bool font_init(void);
/* The glyph of a character. */
const uint8_t *font_glyph(uint32_t ucs);

/* --- vt_draw.c; console_lock is held, but in a panic ------------------------------------------ */

/* Draw what has changed on the screen in front, if it is on the framebuffer. May_wait: no more than
 * DRAW_HZ times a second while text scrolls by; true: it was put off, or the screen is of another
 * size than the framebuffer. Either way vt_draw_later is to be called. */
bool vt_draw(struct vt *front, bool may_wait);
/* What was put off. */
void vt_draw_flush(struct vt *front);
/* How many cells the framebuffer has room for now; false: there is none. */
bool vt_draw_size(uint32_t *columns, uint32_t *rows);
/* The memory to draw a screen of that size; no lock. ENOMEM. */
int vt_draw_resize(uint32_t columns, uint32_t rows);
/* All is to be drawn anew: another screen, or pixels of somebody else's. */
void vt_draw_all(void);
/* A panic: from now on the screen is this one's, programs or not. */
void vt_draw_panic(struct vt *front);

/* --- vt.c ------------------------------------------------------------------------------------- */

/* Draw what was put off, soon. No lock of LR_SCHED or above is held. */
void vt_draw_later(void);
/* Make all screens as large as the framebuffer's mode has room for, if that has changed. No lock. */
void vt_fit(void);
/* What a key sends to the console in front, all of it or nothing. From an interrupt. */
void vt_key(const char *text, size_t len);

/* --- vt_switch.c ------------------------------------------------------------------------------ */

/* Have console n come to the front, as soon as who is there lets go; any context. */
void vt_request(uint32_t n);
/* The same as an ioctl, and VT_RELDISP's two uses. No lock is held. */
int vt_activate(uint32_t n);
int vt_wait_active(uint32_t n);
int vt_release(struct vt *vt, bool agreed);
int vt_set_mode(struct vt *vt, const struct vt_mode *mode);
/* KD_GRAPHICS or KD_TEXT. */
void vt_set_graphics(struct vt *vt, bool on);
void vt_lock_switch(bool lock);

/* --- the rest --------------------------------------------------------------------------------- */

/* Of vt's terminals. ENOTTY: not one of them. */
int vt_ioctl(struct vt *vt, uint64_t cmd, uint64_t arg);
/* Start-up: /dev/vcs and its kin. */
void vcs_init(void);
/* keys.c: a scan code of set 1. From an interrupt. */
void keys_scancode(uint8_t code);
/* The locks that the console in front has on are shown by the keyboard; it may be called from
 * anywhere (ps2.c). */
void ps2_show_leds(uint8_t leds);

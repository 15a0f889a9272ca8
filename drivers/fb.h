/*
 * The framebuffer, /dev/fb0, over whichever backend found a screen: Linux's fbdev for programs, a
 * view for the text console, and the pager that is the model of the populate method.
 *
 *   bochs_fb, boot_fb   backends: where VRAM is, how a mode is set
 *   fb.c                the device: registration, read, write, mmap, who may draw
 *   fb_ioctl.c          Linux's structures, and modes asked for by programs
 *   fb_pager.c          the pages of VRAM, by policy
 *   fb_damage.c         which of them were drawn on
 */
#pragma once

#include "kern/lock.h"
#include "vm/vm.h"

struct file;

#define FB_VRAM_MAX    (256ul << 20) /* bytes of VRAM used; a larger card shows this much */
#define FB_MIN_RES     64 /* the least that bochs-display shows */
#define FB_MAX_WIDTH   16000 /* what the dispi interface can take */
#define FB_MAX_HEIGHT  12000
#define FB_MAX_VIRTUAL 65528 /* its registers have 16 bits; a multiple of 8 */

/* What is shown: width x height pixels at (x, y) of a virtual screen, which begins VRAM. */
struct fb_mode {
	uint32_t width, height;
	uint32_t virtual_width, virtual_height;
	uint32_t x, y;
	uint32_t pitch; /* bytes from line to line */
};

struct fb_channel {
	uint8_t position, size; /* bits, from the least significant */
};

struct fb_backend {
	const char *name;
	vm_paddr_t pa; /* of VRAM, page-aligned */
	uint64_t size; /* bytes */
	uint64_t reserved; /* bytes after those that are the live view's (memview.h) */
	uint32_t bpp; /* 16, 24 or 32 */
	struct fb_channel red, green, blue;
	struct fb_mode fixed; /* the mode there is, when set_mode is NULL */
	void (*set_mode)(const struct fb_mode *mode); /* a mode that fb_mode_fit accepted */
	void (*pan)(uint32_t x, uint32_t y); /* NULL: cannot */
};

/* Locks: (c) constant once registered  (f) lock  (a) atomic */
struct fb_softc {
	struct rwlock lock; /* rank LR_FILE; one mode change at a time, no object made meanwhile */
	const struct fb_backend *backend; /* (c) NULL: no screen */
	uint8_t *vram; /* (c) the kernel's view */
	vm_page_t pages; /* (c) of VRAM's frames, in order */
	struct fb_mode mode; /* (f) to change */
	uint32_t users; /* (a) who keeps the text console from drawing */
	uint32_t vt; /* (a) the virtual console that was in front when there came to be users */
	bool hidden; /* (f) to change, (a) to look: text is in front, the users must wait */
	uint32_t generation; /* (a) moves when the console must start on a clear screen */
};
extern struct fb_softc fb;

/* Make the backend's screen /dev/fb0 and show the boot mode. EBUSY when there is one already,
 * EINVAL for a size that makes no sense, ENOMEM, EEXIST (VRAM is RAM or another's). */
int fb_register(const struct fb_backend *backend);

/* Round *mode up to what the backend can show and set its pitch; EINVAL if it cannot. */
int fb_mode_fit(const struct fb_backend *backend, struct fb_mode *mode);

/* Keep the console off the screen, and let it on again; nested. */
void fb_hold(void);
void fb_release(void);

/* Text comes to the front, where programs had the screen: their mappings are taken back, and what
 * they touch waits; or they have it again. Fb.lock is not held. */
void fb_set_hidden(bool hidden);
/* Wait until the screen is the programs' again; EINTR: killed, ERESTART (intr): a signal. No spin
 * lock is held. */
int fb_wait_shown(bool intr);

/* What the console needs to draw. */
struct fb_view {
	uint8_t *base; /* top left pixel */
	uint32_t width, height, pitch, bytes_per_pixel;
	uint32_t generation; /* another than before: nothing of the old view holds */
};
/* False while programs have the screen, unless force (a panic); no lock is needed. */
bool fb_console_view(struct fb_view *view, bool force);
/* The pixel for a colour 0xRRGGBB. */
uint32_t fb_pixel(uint32_t rgb);

/* fb_ioctl.c: the cdevsw method. */
int fb_ioctl(void *softc, uint64_t cmd, uint64_t arg, struct file *fp);

/* fb_pager.c: the object of all VRAM, with a reference; NULL and *error. fb.lock is held. */
vm_object_t fb_pager_object(vm_prot_t prot, int *error);
/* Take all mapped pages of VRAM back from everybody (R1): the next touch faults. fb.lock may be
 * held. */
void fb_pager_revoke(void);
/* Take the policy from the command line. */
void fb_pager_init(void);

/* fb_damage.c. */
bool fb_damage_enabled(void);
/* [offset, offset + len) of VRAM was written, not through a mapping of a program's. No lock is
 * needed. */
void fb_damage_mark(uint64_t offset, uint64_t len);
/*
 * Set the bits of the damaged ones of the pages [first, first + npages) in bitmap, which is
 * zeroed, from the lowest bit of its first byte on, and arm those pages again, in one step;
 * *damaged: how many. EINVAL: VRAM has no such pages; EOPNOTSUPP: tracking is off.
 */
int fb_damage_take(vm_pindex_t first, vm_pindex_t npages, uint8_t *bitmap, uint32_t *damaged);
/* Undo that: they are damaged still, for the next one to take. */
void fb_damage_put_back(vm_pindex_t first, vm_pindex_t npages, const uint8_t *bitmap);
/* Take the setting from the command line; VRAM's pages are known by now. */
void fb_damage_init(void);

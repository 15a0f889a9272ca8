/*
 * The framebuffer device: registers a backend's VRAM with the VM and as /dev/fb0, and decides who
 * may draw, programs or the text console. Owns the one struct fb_softc.
 *
 * A1: VRAM is write-combining in every mapping, the kernel's own included.
 */
#include "drivers/drivers.h"
#include "drivers/fb.h"
#include "drivers/vt.h"
#include "fs/vnode.h"
#include "kern/cdev.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "vm/vm_page.h"

#define FB_MAJOR 29 /* Linux's number for framebuffers */

struct fb_softc fb = {.lock = RW_INITIALIZER("fb", LR_FILE)};

static struct mtx hidden_mtx = MTX_INITIALIZER("fb hidden", LR_LEAF);

void
fb_hold(void)
{
	mtx_lock(&hidden_mtx);
	if (fb.users == 0) {
		fb.vt = vt_front;
		fb.hidden = false;
	}
	__atomic_fetch_add(&fb.users, 1, __ATOMIC_SEQ_CST);
	mtx_unlock(&hidden_mtx);
}

/* Before the last user is gone the console must know that the screen is not as it left it. */
void
fb_release(void)
{
	__atomic_fetch_add(&fb.generation, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&fb.users, 1, __ATOMIC_SEQ_CST);
}

/* First who comes is told to wait, then who is there is sent away: nobody gets in between, for a
 * fault that was under way starts over (R3). */
void
fb_set_hidden(bool hidden)
{
	mtx_lock(&hidden_mtx);
	fb.hidden = hidden;
	mtx_unlock(&hidden_mtx);
	if (!hidden) {
		wakeup(&fb.hidden);
		return;
	}
	rw_wlock(&fb.lock);
	fb_pager_revoke();
	rw_unlock(&fb.lock);
}

int
fb_wait_shown(bool intr)
{
	int error = 0;

	mtx_lock(&hidden_mtx);
	while (fb.hidden && error == 0) {
		error = mtx_sleep(&fb.hidden, &hidden_mtx, intr ? SLEEP_INTR : SLEEP_KILL, 0);
		mtx_lock(&hidden_mtx);
	}
	mtx_unlock(&hidden_mtx);
	return (error == EINTR && intr ? ERESTART : error);
}

/*
 * Without a lock, because the console writes from any context. A mode change holds the screen, so
 * its half-written mode is seen only by a console that began to draw just before, or by a panic:
 * either draws a wrong picture, and the bounds check keeps that inside VRAM.
 */
bool
fb_console_view(struct fb_view *view, bool force)
{
	const struct fb_backend *be = fb.backend;
	struct fb_mode mode;
	uint64_t offset;

	if (be == NULL || (!force && !fb.hidden && fb.vt == vt_front &&
			   __atomic_load_n(&fb.users, __ATOMIC_SEQ_CST) != 0))
		return (false);
	view->generation = __atomic_load_n(&fb.generation, __ATOMIC_SEQ_CST);
	mode = fb.mode;
	view->bytes_per_pixel = be->bpp / 8;
	offset = (uint64_t)mode.y * mode.pitch + (uint64_t)mode.x * view->bytes_per_pixel;
	view->base = fb.vram + offset;
	view->width = mode.width;
	view->height = mode.height;
	view->pitch = mode.pitch;
	return (offset + (uint64_t)(mode.height - 1) * mode.pitch +
		    (uint64_t)mode.width * view->bytes_per_pixel <=
		be->size);
}

static uint32_t
channel(struct fb_channel c, uint32_t value)
{
	return ((c.size < 8 ? value >> (8 - c.size) : value << (c.size - 8)) << c.position);
}

uint32_t
fb_pixel(uint32_t rgb)
{
	const struct fb_backend *be = fb.backend;

	return (channel(be->red, rgb >> 16 & 0xff) | channel(be->green, rgb >> 8 & 0xff) |
		channel(be->blue, rgb & 0xff));
}

int
fb_mode_fit(const struct fb_backend *be, struct fb_mode *m)
{
	const struct fb_mode *fixed = &be->fixed;

	if (be->set_mode == NULL) {
		if (m->width != fixed->width || m->height != fixed->height ||
		    m->virtual_width > fixed->width || m->virtual_height > fixed->height ||
		    m->x != 0 || m->y != 0)
			return (EINVAL);
		*m = *fixed;
		return (0);
	}
	if (m->width < FB_MIN_RES || m->width > FB_MAX_WIDTH || m->height < FB_MIN_RES ||
	    m->height > FB_MAX_HEIGHT || m->virtual_width > FB_MAX_VIRTUAL ||
	    m->virtual_height > FB_MAX_VIRTUAL)
		return (EINVAL);
	m->width = roundup2(m->width, 8u);
	m->virtual_width = MAX(roundup2(m->virtual_width, 8u), m->width);
	m->virtual_height = MAX(m->virtual_height, m->height);
	m->pitch = m->virtual_width * (be->bpp / 8);
	if ((uint64_t)m->pitch * m->virtual_height > be->size ||
	    m->x > m->virtual_width - m->width || m->y > m->virtual_height - m->height)
		return (EINVAL);
	return (0);
}

static int
fb_open(void *softc __unused, struct file *fp)
{
	if (fb.backend == NULL)
		return (ENODEV);
	if (file_writable(fp))
		fb_hold();
	return (0);
}

static void
fb_close(void *softc __unused, struct file *fp)
{
	if (file_writable(fp))
		fb_release();
}

/* Ends and errors are those of Linux's fb_read and fb_write. */
static int
fb_read(void *softc __unused, struct uio *uio, struct file *fp __unused)
{
	uint64_t size = fb.backend->size, offset = uio->uio_offset;

	if (offset >= size)
		return (0);
	return (uiomove(fb.vram + offset, MIN(uio->uio_resid, size - offset), uio));
}

static int
fb_write(void *softc __unused, struct uio *uio, struct file *fp __unused)
{
	uint64_t size = fb.backend->size, offset = uio->uio_offset;
	size_t len;
	int error;

	if (offset > size)
		return (EFBIG);
	len = MIN(uio->uio_resid, size - offset);
	if (len == 0 && uio->uio_resid > 0)
		return (uio->uio_resid > size ? EFBIG : ENOSPC);
	error = fb_wait_shown(true);
	if (error != 0)
		return (error);
	error = uiomove(fb.vram + offset, len, uio);
	fb_damage_mark(offset, len); /* all of it, wherever an error ended it */
	return (error);
}

static uint64_t
fb_size(void *softc __unused)
{
	return (fb.backend->size);
}

static int
fb_mmap(void *softc __unused, uint64_t offset, uint64_t size, vm_prot_t prot, bool shared __unused,
	vm_object_t *object, uint64_t *phase)
{
	uint64_t vram = round_page(fb.backend->size);
	int error;

	if (offset > vram || size > vram - offset)
		return (EINVAL);
	rw_rlock(&fb.lock);
	*object = fb_pager_object(prot, &error);
	rw_unlock(&fb.lock);
	*phase = fb.backend->pa;
	return (*object != NULL ? 0 : error);
}

static const struct cdevsw fb_cdevsw = {
    .d_open = fb_open,
    .d_close = fb_close,
    .d_read = fb_read,
    .d_write = fb_write,
    .d_ioctl = fb_ioctl,
    .d_mmap = fb_mmap,
    .d_seekable = true,
    .d_size = fb_size,
};
static struct cdev fb_cdev = {
    .cd_name = "fb0", .cd_sw = &fb_cdevsw, .cd_major = FB_MAJOR, .cd_mode = 0660};

/* Decimal digits at *s into *v, and past them; false without a digit or over 99999. */
static bool
parse_number(const char **s, uint32_t *v)
{
	const char *start = *s;

	for (*v = 0; **s >= '0' && **s <= '9' && *v <= 9999; (*s)++)
		*v = *v * 10 + (uint32_t)(**s - '0');
	return (*s > start);
}

/* "WxH" */
static bool
parse_mode(const char *s, struct fb_mode *mode)
{
	*mode = (struct fb_mode){0};
	return (parse_number(&s, &mode->width) && *s++ == 'x' && parse_number(&s, &mode->height) &&
		*s == '\0');
}

/* The mode asked for on the command line, or the first usual one that VRAM has room for. */
static int
boot_mode(const struct fb_backend *be, struct fb_mode *mode)
{
	const char *option = cmdline_get("fb.mode");

	*mode = be->fixed;
	if (be->set_mode == NULL)
		return (0);
	if (option != NULL && parse_mode(option, mode) && fb_mode_fit(be, mode) == 0)
		return (0);
	if (option != NULL)
		klog(LOG_WARNING, "fb: bad or impossible fb.mode=%s", option);
	*mode = (struct fb_mode){.width = 1024, .height = 768};
	if (fb_mode_fit(be, mode) == 0)
		return (0);
	*mode = (struct fb_mode){.width = 640, .height = 480};
	return (fb_mode_fit(be, mode));
}

/* VRAM for the VM and for the kernel. */
static int
fb_attach_vram(const struct fb_backend *be)
{
	vm_paddr_t end = be->pa + round_page(be->size);
	int error;

	error = vm_phys_fictitious_reg_range(be->pa, end, VM_MEMATTR_WRITE_COMBINING);
	if (error != 0)
		return (error);
	fb.vram = (uint8_t *)cpu_mapdev(be->pa, end - be->pa, VM_MEMATTR_WRITE_COMBINING);
	if (fb.vram == NULL) {
		vm_phys_fictitious_unreg_range(be->pa, end);
		return (ENOMEM);
	}
	fb.pages = vm_phys_fictitious_to_vm_page(be->pa);
	return (0);
}

int
fb_register(const struct fb_backend *be)
{
	struct fb_mode mode;
	int error;

	if (fb.backend != NULL)
		return (EBUSY);
	if ((be->pa & PAGE_MASK) != 0 || be->size == 0 || be->size > FB_VRAM_MAX ||
	    be->pa + be->size < be->pa)
		return (EINVAL);
	error = boot_mode(be, &mode);
	if (error == 0)
		error = fb_attach_vram(be);
	if (error != 0)
		return (error);
	if (be->set_mode != NULL)
		be->set_mode(&mode);
	fb.mode = mode;
	fb.generation = 1;
	fb.backend = be;
	klog(LOG_INFO, "fb0: %s, %lu KiB at %#lx, %ux%ux%u", be->name, be->size >> 10, be->pa,
	     mode.width, mode.height, be->bpp);
	return (0);
}

/* Last of the screens: /dev/fb0 is there in any case, ENODEV when nothing is behind it. */
int
fb_probe(void)
{
	fb_pager_init();
	fb_damage_init();
	if (fb.backend == NULL)
		klog(LOG_NOTICE, "fb0: no framebuffer, the console is on the serial port only");
	return (cdev_register(&fb_cdev));
}

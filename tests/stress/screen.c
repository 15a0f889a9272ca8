/*
 * The framebuffer, under the stress: its pages are taken from all who map them (R1) when the mode
 * changes, and when text comes to the front; then who touches one must wait until text has gone.
 *
 * The console draws where the picture is, so the workers' pages are those of VRAM below it: what is
 * in them outlives all of this. One worker at a time takes the screen away, and shows it again
 * before it touches it or waits for anybody.
 */
#define _GNU_SOURCE
#include "stress.h"

#include <fcntl.h>
#include <linux/fb.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define FIRST_PAGE 1024 /* after 1024 x 768 pixels of 32 bits */
#define LOOKS      100 /* at a page that nobody may be writing to */

/* The two consoles; -1: there is no screen. */
static int first = -1, second = -1, fb = -1;
static unsigned vram_pages;
static struct fb_var_screeninfo mode; /* at the start */
static int *taken; /* (atomic) shared by all processes: a worker is at it */

void
screen_init(const char *path)
{
	struct fb_fix_screeninfo fix;

	if (path == NULL)
		return;
	fb = open(path, O_RDWR);
	first = open("/dev/tty1", O_RDWR | O_NOCTTY);
	second = open("/dev/tty2", O_RDWR | O_NOCTTY);
	taken = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fb < 0 || first < 0 || second < 0 || taken == MAP_FAILED ||
	    ioctl(fb, FBIOGET_FSCREENINFO, &fix) != 0 || ioctl(fb, FBIOGET_VSCREENINFO, &mode) != 0)
		fail(NULL, "%s cannot be used", path);
	vram_pages = (unsigned)(fix.smem_len / PAGE);
}

void
screen_begin(struct worker *w, unsigned nth)
{
	w->screen.first = FIRST_PAGE + nth * SLOTS * SLOT_PAGES;
	w->screen.fd = w->screen.first + SLOTS * SLOT_PAGES <= vram_pages ? fb : -1;
}

void
screen_give_up(void)
{
	if (first >= 0)
		ioctl(first, VT_ACTIVATE, 1);
}

/* The text screens are as large as they were once they have come to the front. */
void
screen_end(void)
{
	if (fb < 0)
		return;
	must(NULL, "the mode", ioctl(fb, FBIOPUT_VSCREENINFO, &mode));
	must(NULL, "the second console", ioctl(first, VT_ACTIVATE, 2));
	must(NULL, "the first console", ioctl(first, VT_ACTIVATE, 1));
}

static bool
take(void)
{
	int free = 0;

	return (__atomic_compare_exchange_n(taken, &free, 1, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED));
}

static void
let_go(void)
{
	__atomic_store_n(taken, 0, __ATOMIC_RELEASE);
}

/* A page of s that may be written to. */
static bool
writable_page(struct worker *w, struct slot *s, unsigned *i)
{
	unsigned end;

	return (s->kind == SCREEN && mapped_part(w, s, i, &end) && answer(w, s, *i, true) == 0);
}

/* --- another mode ----------------------------------------------------------------------------- */

static long
faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (ru.ru_minflt + ru.ru_majflt);
}

/* Other threads of this process fault as well, so a look without a fault is not always noticed. */
void
op_mode(struct worker *w, struct slot *s)
{
	struct fb_var_screeninfo var;
	uint64_t value;
	unsigned i;
	long before;

	if (!writable_page(w, s, &i) || !take())
		return;
	fill(w, s, i);
	must(w, "the mode", ioctl(fb, FBIOGET_VSCREENINFO, &var));
	var.xres = var.xres == 1024 ? 800 : 1024;
	var.yres = var.xres == 1024 ? 768 : 600;
	var.xres_virtual = var.xres;
	var.yres_virtual = var.yres;
	must(w, "a new mode", ioctl(fb, FBIOPUT_VSCREENINFO, &var));
	before = faults();
	if (try_read((volatile uint64_t *)(void *)(s->addr + i * PAGE), &value) != 0)
		fail(w, "page %u of the slot at %p is gone with the mode", i, (void *)s->addr);
	if (faults() == before)
		fail(w, "stale: page %u of the slot at %p is read without a fault", i,
		     (void *)s->addr);
	let_go();
	check(w, s, i, false);
}

/* --- text in front ---------------------------------------------------------------------------- */

/* What the page's first word is, past all mappings. */
static uint64_t
seen(struct worker *w, unsigned page)
{
	uint64_t value = 0;

	must(w, "read", pread(fb, &value, sizeof(value), (off_t)(page * PAGE)));
	return (value);
}

/* The screen is not to be had: who writes to it must have stopped. */
static void
must_be_still(struct worker *w, unsigned page)
{
	uint64_t last = seen(w, page);

	for (int i = 0; i < LOOKS; i++) {
		if (i % 20 == 0)
			usleep(1);
		if (seen(w, page) != last)
			fail(w, "stale: page %u of VRAM is written while text is in front", page);
	}
}

static void
must_go_on(struct worker *w, unsigned page)
{
	uint64_t last = seen(w, page);

	while (seen(w, page) == last) {
		serve(w);
		sched_yield();
	}
}

void
op_switch(struct worker *w, struct slot *s)
{
	volatile uint64_t *p;
	struct box *b;
	unsigned i, page;

	if (!writable_page(w, s, &i) || !take())
		return;
	fill(w, s, i);
	p = (volatile uint64_t *)(void *)(s->addr + i * PAGE);
	page = w->screen.first + s->first + i;
	b = ask_hammer(w, p);
	if (b == NULL) {
		let_go();
		return;
	}
	must(w, "the second console", ioctl(first, VT_ACTIVATE, 2));
	must_be_still(w, page);
	if (rnd(w, 2) == 0) { /* no text there for a while */
		must(w, "graphics", ioctl(second, KDSETMODE, KD_GRAPHICS));
		must_go_on(w, page);
		must(w, "text", ioctl(second, KDSETMODE, KD_TEXT));
		must_be_still(w, page);
	}
	must(w, "the first console", ioctl(first, VT_ACTIVATE, 1));
	must_go_on(w, page);
	let_go();
	if (hammer_stop(w, b) != 0)
		fail(w, "page %u of VRAM is not to be had any more", page);
	*p = word_of(*pattern_at(w, s, i), 0);
	check(w, s, i, false);
}

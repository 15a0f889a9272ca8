/*
 * fbdemo: one page fault for every page, or one for all of them. Two pieces of the screen are
 * mapped, the upper under the policy `single`, the lower under `whole`, and the same picture is
 * written through both, a page at a time: in slow motion, then at full speed through two new
 * mappings. It ends with what that cost, on the screen and on standard output.
 *
 * How it knows:
 *   faults        getrusage's ru_majflt before and after the writes. Populating a device's pages is one
 *                 major fault, however many pages came with it.
 *   pages mapped  the kernel's counter populate_pages in /proc/quire/stats, before and after. Pages are
 *                 written in order, so the pages that came with a fault are taken to be those that
 *                 follow; a later fault on one of them would show as a fault. Without that counter,
 *                 the pages written.
 *   time          the TSC around the writes alone, one word a page; microseconds by the TSC's rate
 *                 against CLOCK_MONOTONIC over the whole run.
 *
 * All else on the screen is drawn with write(2), which faults on no page of VRAM. When both
 * mappings are gone the kernel's object for VRAM is gone with them, so the second round faults
 * again.
 */
#include "fbdemo/view.h"
#include "lib/fbdev.h"
#include "lib/font.h"
#include "lib/meter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define FONT_PATH "/share/font.psf"
#define MS        1000000u

static struct font font;
static bool fast; /* --fast: no waiting */
static uint64_t start_tsc, start_ns;

static const char usage[] =
    "usage: fbdemo [--fast]\n"
    "Write a picture to the screen through two mappings of /dev/fb0, one for which every page takes\n"
    "a fault (policy `single`) and one that is populated whole by the first (`whole`); count faults,\n"
    "pages and time, and print them as a table.\n"
    "  --fast   no slow motion and no pauses\n"
    "  --help   this text\n";

static void
pause_ms(unsigned ms)
{
	if (!fast)
		sleep_ns((uint64_t)ms * MS);
}

static double
ticks_to_us(uint64_t ticks)
{
	double span = (double)(tsc() - start_tsc);

	return (span > 0 ? (double)ticks * (double)(clock_ns() - start_ns) / span / 1000 : 0);
}

/* --- one half -------------------------------------------------------------------------------- */

/* A new mapping under the half's policy, nothing counted. 0 or an errno. */
static int
half_map(struct view *v, struct half *h)
{
	int error = fb_set_policy(h->policy);

	if (error != 0)
		return (error);
	h->map = (uint8_t *)fb_map(v->fb, h->offset, h->pages * PAGE_SIZE);
	if (h->map == NULL)
		return (errno);
	h->faults = h->mapped = h->ticks = 0;
	h->us = 0;
	memset(h->cells, 0, h->pages * sizeof(*h->cells));
	return (0);
}

static void
half_unmap(struct half *h)
{
	if (h->map != NULL)
		munmap(h->map, h->pages * PAGE_SIZE);
	h->map = NULL;
}

/* The page as the canvas has it. */
static uint8_t *
canvas_page(const struct view *v, const struct half *h, size_t page)
{
	return ((uint8_t *)v->canvas.px + h->offset + page * PAGE_SIZE);
}

/*
 * Write the first word of each of the pages [first, end) and nothing else, and count what that
 * cost. Returns the number of faults.
 */
static uint64_t
half_touch(struct view *v, struct half *h, size_t first, size_t end)
{
	uint64_t pages_before = 0, pages_after = 0;
	bool counted = kernel_counter("populate_pages", &pages_before);
	uint64_t faults = faults_now().major, before = tsc();

	for (size_t i = first; i < end; i++)
		*(volatile uint32_t *)(h->map + i * PAGE_SIZE) = *(uint32_t *)canvas_page(v, h, i);
	uint64_t after = tsc();
	faults = faults_now().major - faults;
	h->ticks += after - before;
	h->us = ticks_to_us(h->ticks);
	h->faults += faults;
	counted = counted && kernel_counter("populate_pages", &pages_after);
	h->mapped += counted ? pages_after - pages_before : end - first;
	return (faults);
}

/* The rest of the page: it is mapped, and the picture appears. */
static void
half_draw(struct view *v, struct half *h, size_t page)
{
	memcpy(h->map + page * PAGE_SIZE, canvas_page(v, h, page), PAGE_SIZE);
}

/* Light the cells of pages newly mapped. fault: the page had one of its own. */
static void
half_light(struct view *v, struct half *h, size_t page, bool fault)
{
	size_t lit = 0;

	if (fault && h->cells[page] != CELL_FAULT) {
		h->cells[page] = CELL_FAULT;
		view_cell(v, h, page);
	}
	for (size_t i = 0; i < h->pages; i++)
		lit += h->cells[i] != CELL_UNMAPPED;
	if (lit >= h->mapped)
		return;
	for (size_t i = page + 1; i < h->pages && lit < h->mapped; i++)
		if (h->cells[i] == CELL_UNMAPPED) {
			h->cells[i] = CELL_POPULATED;
			lit++;
		}
	view_cells(v, h);
}

/*
 * A page at a time, each shown as it is written. It starts slowly, first_ms a page for the first
 * row of cells, and gathers speed.
 */
static void
slow_motion(struct view *v, struct half *h, unsigned first_ms)
{
	uint64_t wait = first_ms * (uint64_t)MS;

	for (size_t i = 0; i < h->pages; i++) {
		bool fault = half_touch(v, h, i, i + 1) != 0;
		half_light(v, h, i, fault);
		view_counters(v, h);
		if (fault && h->mapped > h->faults)
			pause_ms(1500); /* many at once: time to see it */
		half_draw(v, h, i);
		if (i >= (size_t)v->columns)
			wait -= wait / 24;
		if (!fast && wait > MS / 4)
			sleep_ns(wait);
	}
}

/* All pages in one go, then what came of it. */
static void
full_speed(struct view *v, struct half *h)
{
	uint64_t faults = half_touch(v, h, 0, h->pages);

	for (size_t i = 0; i < h->pages; i++)
		h->cells[i] = i < faults      ? CELL_FAULT
			      : i < h->mapped ? CELL_POPULATED
					      : CELL_UNMAPPED;
	view_cells(v, h);
	view_counters(v, h);
	for (size_t i = 0; i < h->pages; i++)
		half_draw(v, h, i);
}

/* --- the whole ------------------------------------------------------------------------------- */

static const char *const slow_words[2][2] = {
    {"Slow motion. Each line of the picture is written to a page that is not mapped yet.",
     "Under single every page takes a fault of its own, and every fault lights one cell."},
    {"The same picture in the lower half, under whole.",
     "At the first fault the kernel has the driver populate all pages; no other page faults."},
};

static void
run_slow(struct view *v, int i)
{
	view_say(v, slow_words[i][0], slow_words[i][1]);
	pause_ms(i == 0 ? 1500 : 1000);
	slow_motion(v, &v->half[i], i == 0 ? 110 : 60);
	pause_ms(800);
}

static void
run_fast(struct view *v, int i)
{
	if (i == 0)
		view_say(v, "Full speed, through two new mappings.",
			 "Now nothing is drawn between the faults.");
	pause_ms(800);
	full_speed(v, &v->half[i]);
}

/* Map each half afresh and run it; unmap both. 0 or an errno, after a message. */
static int
both_halves(struct view *v, void (*run)(struct view *, int))
{
	int error = 0;

	for (int i = 0; i < 2 && error == 0; i++) {
		struct half *h = &v->half[i];
		error = half_map(v, h);
		if (error == 0)
			run(v, i);
		else
			fprintf(stderr,
				"fbdemo: cannot map %zu pages of " FB_PATH " under policy %s: %s\n",
				h->pages, h->policy, strerror(error));
	}
	half_unmap(&v->half[0]);
	half_unmap(&v->half[1]);
	return (error);
}

/* Both halves as they were before the first round. */
static void
empty_halves(struct view *v)
{
	for (int i = 0; i < 2; i++) {
		struct half *h = &v->half[i];
		h->faults = h->mapped = h->ticks = 0;
		h->us = 0;
		memset(h->cells, 0, h->pages * sizeof(*h->cells));
		view_wipe(v, h);
		view_cells(v, h);
		view_counters(v, h);
	}
}

static void
print_table(const struct view *v)
{
	const struct half *a = &v->half[0], *b = &v->half[1];
	char n[5][NUMBER_LEN];

	printf("%-8s %8s %8s %14s %14s %12s\n", "policy", "faults", "pages", "TSC ticks",
	       "ticks a page", "microseconds");
	for (const struct half *h = a; h <= b; h++)
		printf("%-8s %8s %8s %14s %14s %12s\n", h->policy, number(n[0], h->faults),
		       number(n[1], h->mapped), number(n[2], h->ticks),
		       number_tenths(n[3], (double)h->ticks / (double)h->pages),
		       number_tenths(n[4], h->us));
	if (b->faults != 0 && b->ticks != 0)
		printf("%-8s %8s %8s %14s\n", "ratio",
		       number_tenths(n[0], (double)a->faults / (double)b->faults), "",
		       number_tenths(n[1], (double)a->ticks / (double)b->ticks));
}

static int
demo(struct view *v)
{
	const struct fbdev *fb = v->fb;

	printf(
	    "fbdemo: %d x %d pixels of %u bits, %u MiB of VRAM; two mappings of %zu pages, each page "
	    "written once\n",
	    v->canvas.width, v->canvas.height, fb->var.bits_per_pixel, fb->fix.smem_len >> 20,
	    v->half[0].pages);
	fflush(stdout);
	view_start(v);
	view_draw_pictures(v);
	if (both_halves(v, run_slow) != 0)
		return (1);
	pause_ms(700);
	empty_halves(v);
	if (both_halves(v, run_fast) != 0)
		return (1);
	pause_ms(700);
	view_table(v);
	print_table(v);
	fflush(stdout);
	pause_ms(4000);
	return (0);
}

/* One line of why not, or NULL. */
static const char *
unfit(const struct fbdev *fb)
{
	const struct fb_var_screeninfo *var = &fb->var;

	if (var->bits_per_pixel != 32 || var->red.offset != 16 || var->green.offset != 8 ||
	    var->blue.offset != 0)
		return ("not 32 bits a pixel, red, green and blue from the top");
	if (var->xres < 640 || var->yres < 480 || var->xres > 8192 || var->yres > 8192)
		return ("not between 640 x 480 and 8192 x 8192 pixels");
	if (var->xoffset != 0 || var->yoffset != 0)
		return ("panned away from the beginning of VRAM");
	return (NULL);
}

static int
options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			return (0);
		}
		if (strcmp(argv[i], "--fast") != 0) {
			fprintf(stderr, "fbdemo: unknown argument `%s' (see --help)\n", argv[i]);
			return (2);
		}
		fast = true;
	}
	return (-1);
}

int
main(int argc, char **argv)
{
	static struct view view;
	struct fbdev fb;
	char policy[32];
	int error, status = options(argc, argv);

	if (status >= 0)
		return (status);
	start_tsc = tsc();
	start_ns = clock_ns();
	error = fb_open(&fb);
	if (error != 0) {
		fprintf(stderr, "fbdemo: " FB_PATH ": %s\n", strerror(error));
		return (1);
	}
	if (unfit(&fb) != NULL) {
		fprintf(stderr, "fbdemo: " FB_PATH ": the screen is %s\n", unfit(&fb));
		return (1);
	}
	error = fb_get_policy(policy, sizeof(policy));
	if (error != 0) {
		fprintf(stderr, "fbdemo: " FB_POLICY_PATH ": %s\n", strerror(error));
		return (1);
	}
	error = font_load(&font, FONT_PATH);
	if (error != 0)
		fprintf(stderr, "fbdemo: " FONT_PATH ": %s; the screen will have no words\n",
			strerror(error));
	error = view_init(&view, &fb, error == 0 ? &font : NULL);
	if (error != 0) {
		fprintf(stderr, "fbdemo: %s\n",
			error == EINVAL ? "VRAM is smaller than the screen" : strerror(error));
		return (1);
	}
	status = demo(&view);
	fb_set_policy(policy);
	return (status);
}

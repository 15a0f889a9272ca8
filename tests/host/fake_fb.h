/*
 * What drivers/fb_pager.c and fb_damage.c want of the rest of the driver and the kernel, over the
 * fake VRAM of 16 MiB; for the one source that includes it, a test program.
 */
#pragma once

#include "harness.h"
#include "drivers/fb.h"
#include "kern/main.h"
#include "kern/sysctl.h"

#define NPAGES 4096ul /* of VRAM */

/* What frame i of VRAM begins with. */
static inline uint64_t *
frame(vm_pindex_t i)
{
	return ((uint64_t *)(fake_vram + ptoa(i)));
}

struct fb_softc fb;
static const struct fb_backend backend = {
    .name = "fake", .pa = FAKE_VRAM_BASE, .size = FAKE_VRAM_SIZE, .bpp = 32};
static const char *option, *damage_option;
static int holds;

void
fb_hold(void)
{
	holds++;
}

void
fb_release(void)
{
	holds--;
}

/* Nothing is locked here; NULL: text is never in front. */
static int (*wait_hook)(void);

int
fb_wait_shown(bool intr)
{
	(void)intr;
	return (wait_hook != NULL ? wait_hook() : 0);
}

/* A wait_hook: text goes from the front, unless the wait ends with an error. waited_for must not be
 * locked meanwhile. */
static int waits, wait_error;
static vm_object_t waited_for;

static inline int
wait_a_moment(void)
{
	T_OK(!rw_wowned(&waited_for->lock));
	waits++;
	fb.hidden = wait_error != 0;
	return (wait_error);
}

/* What a thread does with a page. */
static inline void
busy_for_a_while(void *page)
{
	T_OK(vm_page_tryxbusy(page));
	rw_sleep(page, NULL, 0, 5000000);
	vm_page_xunbusy(page);
}

const char *
cmdline_get(const char *name)
{
	return (strcmp(name, "fb.populate") == 0 ? option
		: strcmp(name, "fb.damage") == 0 ? damage_option
						 : NULL);
}

SET_DECLARE(sysctl, const struct sysctl);

static const struct sysctl *
knob(const char *path)
{
	const struct sysctl *const *sc;

	SET_FOREACH (sc, sysctl) {
		if (strcmp((*sc)->sc_path, path) == 0)
			return (*sc);
	}
	T_FAIL("no knob");
}

static const struct sysctl *
policy_knob(void)
{
	return (knob("dev/fb/populate"));
}

static void
set_policy(const char *text)
{
	T_EQ(policy_knob()->sc_store(text), 0);
}

static struct space *
setup(const char *policy)
{
	struct space *s = space_create();
	int error;
	vm_object_t object;

	T_EQ(vm_phys_fictitious_reg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE,
					  VM_MEMATTR_WRITE_COMBINING),
	     0);
	rw_init(&fb.lock, "fb", LR_FILE);
	fb.backend = &backend;
	fb.vram = fake_vram;
	fb.pages = vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE);
	set_policy(policy);
	rw_rlock(&fb.lock);
	object = fb_pager_object(RW, &error);
	rw_unlock(&fb.lock);
	T_OK(object != NULL && error == 0);
	space_map(s, VA, FAKE_VRAM_SIZE, object, 0, RW, RW, 0);
	return (s);
}

/* Nobody maps VRAM any more: its object has ended. */
static void
teardown(struct space *s)
{
	T_EQ(vm_cnt.v_busied, 0);
	fake_pmap_verify();
	space_destroy(s);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

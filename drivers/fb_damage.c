/*
 * Damage tracking: which pages of VRAM were drawn on since somebody last took note of it (W1).
 * Off unless asked for, because the first write to each range of pages then costs a fault.
 *
 * There is no list of damage: a page of VRAM is damaged when it is not tracked (vm/vm_page.h).
 * The fault handler ends the tracking of a page before it maps it writable, write(2) after it has
 * written, and a page keeps the mark while it stands in no object, after the last munmap. To take
 * the damage is to arm what is damaged again. docs/damage.md is the manual.
 *
 * Owns the knob, and the marks of VRAM's pages. To arm a page takes fb.lock for writing, so that
 * no object is made meanwhile (fb_mmap), and the lock of the object if there is one, so that no
 * page is entered.
 */
#include "drivers/fb.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/main.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "kern/trace.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"

static bool enabled; /* fb.lock to change */

static vm_pindex_t
vram_pages(void)
{
	return (fb.backend != NULL ? atop(round_page(fb.backend->size)) : 0);
}

bool
fb_damage_enabled(void)
{
	return (__atomic_load_n(&enabled, __ATOMIC_RELAXED));
}

void
fb_damage_mark(uint64_t offset, uint64_t len)
{
	if (!fb_damage_enabled() || len == 0)
		return;
	for (vm_pindex_t i = atop(offset); i <= atop(offset + len - 1); i++)
		fb.pages[i].tracked = false;
}

/* The object of VRAM, write-locked, or NULL if nobody maps it: nobody can until fb.lock is let
 * go. */
static vm_object_t
vram_lock(void)
{
	vm_object_t object;

	rw_assert_wlocked(&fb.lock);
	object = cdev_pager_lookup(&fb);
	if (object != NULL)
		VM_OBJECT_WLOCK(object);
	return (object);
}

static void
vram_unlock(vm_object_t object)
{
	if (object == NULL)
		return;
	VM_OBJECT_UNLOCK(object);
	vm_object_deallocate_later(object); /* fb.lock is held (R4) */
}

/* *unit: the last page or superpage that was made read-only; that is enough for all of it, for
 * the object is locked. */
static void
arm(vm_page_t m, vm_page_t *unit)
{
	m->tracked = true;
	if (vm_page_unit(m)->object == NULL || vm_page_unit(m) == *unit)
		return;
	*unit = vm_page_unit(m);
	pmap_remove_write(*unit);
	TRACE(TR_CLEAN, (uint64_t)(*unit)->object, (*unit)->pindex,
	      (*unit)->pindex + vm_page_unit_pages(*unit) - 1);
}

int
fb_damage_take(vm_pindex_t first, vm_pindex_t npages, uint8_t *bitmap, uint32_t *damaged)
{
	vm_page_t unit = NULL;
	vm_object_t object;

	*damaged = 0;
	if (first > vram_pages() || npages > vram_pages() - first)
		return (EINVAL);
	rw_wlock(&fb.lock);
	if (!enabled) {
		rw_unlock(&fb.lock);
		return (EOPNOTSUPP);
	}
	object = vram_lock();
	for (vm_pindex_t i = 0; i < npages; i++) {
		if (fb.pages[first + i].tracked)
			continue;
		arm(&fb.pages[first + i], &unit);
		bitmap[i / 8] |= (uint8_t)(1u << i % 8);
		++*damaged;
	}
	vram_unlock(object);
	rw_unlock(&fb.lock);
	return (0);
}

void
fb_damage_put_back(vm_pindex_t first, vm_pindex_t npages, const uint8_t *bitmap)
{
	for (vm_pindex_t i = 0; i < npages; i++) {
		if ((bitmap[i / 8] & 1u << i % 8) != 0)
			fb.pages[first + i].tracked = false;
	}
}

/* Begin with no damage, or end it all. */
static void
enable(bool on)
{
	vm_page_t unit = NULL;
	vm_object_t object;

	rw_wlock(&fb.lock);
	object = vram_lock();
	if (object != NULL && on)
		object->flags |= OBJ_WRITE_NOTIFY;
	for (vm_pindex_t i = 0; i < vram_pages() && on != enabled; i++) {
		if (on)
			arm(&fb.pages[i], &unit);
		else
			fb.pages[i].tracked = false;
	}
	__atomic_store_n(&enabled, on, __ATOMIC_RELAXED);
	vram_unlock(object);
	rw_unlock(&fb.lock);
}

static int
damage_store(const char *text)
{
	if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return (EINVAL);
	enable(*text == '1');
	return (0);
}

static int
damage_show(char *buf, size_t size)
{
	return (ksnprintf(buf, size, "%d\n", fb_damage_enabled()));
}
SYSCTL(fb_damage, "dev/fb/damage", damage_show, damage_store);

/* Ranges of damaged pages, a line each. Only a look: whoever reads may stop in the middle, so
 * nothing is armed by it. */
static int
ranges_show(char *buf, size_t size)
{
	vm_pindex_t n = fb_damage_enabled() ? vram_pages() : 0, end;
	size_t len = 0;

	buf[0] = '\0';
	for (vm_pindex_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && fb.pages[end].tracked == fb.pages[i].tracked;)
			end++;
		if (!fb.pages[i].tracked)
			len += (size_t)ksnprintf(buf + MIN(len, size), size - MIN(len, size),
						 "%lu-%lu\n", i, end - 1);
	}
	return ((int)len);
}
SYSCTL(fb_damage_ranges, "/quire/fb/damage", ranges_show, NULL);

void
fb_damage_init(void)
{
	const char *option = cmdline_get("fb.damage");

	if (option != NULL && damage_store(option) != 0)
		klog(LOG_WARNING, "fb: bad fb.damage=%s, damage is not tracked", option);
}

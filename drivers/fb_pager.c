/*
 * The framebuffer's pager: how the pages of VRAM come into an object. It is the model of a populate
 * method (docs/populate.md; P1.. are its clauses): every page has exactly one frame, the frame's
 * page is there from boot, and nothing is ever read or zeroed, so what remains is the contract
 * itself. Owns the policy: how much of VRAM one fault brings in (Y1).
 */
#include "drivers/fb.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/main.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"

#define WINDOW_MAX  65536 /* pages: all of the largest VRAM */
#define BLOCK_WORTH 16 /* pages wanted of a block that make it worth while to take all of it */

enum fb_policy { POLICY_WHOLE, POLICY_WINDOW, POLICY_SINGLE, POLICY_OFF };

/* (a) The policy in the low byte, the window's pages above: one word, so that a fault sees both
 * halves of the same setting. */
static uint64_t policy = POLICY_WHOLE;

static const char *const policy_names[] = {
    [POLICY_WHOLE] = "whole",
    [POLICY_WINDOW] = "window:",
    [POLICY_SINGLE] = "single",
    [POLICY_OFF] = "off",
};

/* The pages that a fault at pidx should bring in, [*first, *last]; false: populate is off. */
static bool
policy_range(vm_pindex_t pidx, vm_pindex_t *first, vm_pindex_t *last)
{
	/* LAB(7): all pages, which may be more than there are; the window that pidx is in, windows
	 * being counted from page 0; the page itself. */
	uint64_t now = __atomic_load_n(&policy, __ATOMIC_RELAXED), window = now >> 8;

	switch ((enum fb_policy)(now & 0xff)) {
	case POLICY_WHOLE:
		*first = 0;
		*last = UINT64_MAX;
		return (true);
	case POLICY_WINDOW:
		*first = pidx - pidx % window;
		*last = *first + window - 1;
		return (true);
	case POLICY_SINGLE:
		*first = *last = pidx;
		return (true);
	case POLICY_OFF:
		break;
	}
	return (false);
	/* LAB(7) starter:
	 *	*first = *last = pidx;
	 *	return (false);
	 */
	/* LAB(7) end */
}

/*
 * Install and busy the page of frame i. A frame stands at its own index of this object or nowhere,
 * so its page tells whether it is resident, and no lookup is needed. EBUSY: somebody else has
 * *blocker, the page at that index, busy; that may be a RAM page of a getpages call under way
 * (policy `off`).
 */
static inline int
take_page(vm_object_t object, vm_pindex_t i, vm_page_t *blocker)
{
	vm_page_t m = &fb.pages[i];
	int error;

	*blocker = m;
	if (!vm_page_tryxbusy(m))
		return (EBUSY);
	if (vm_page_unit(m)->object == object)
		return (0);
	error = vm_page_insert(m, object, i);
	if (__predict_true(error == 0)) {
		m->valid = true;
		return (0);
	}
	vm_page_xunbusy(m);
	if (error != EEXIST)
		return (error);
	*blocker = vm_page_lookup(object, i);
	return (*blocker != NULL ? EBUSY
				 : EEXIST); /* P21: in another object, a bug of this driver */
}

/* [*first, *end) grows to the whole of the blocks that it has a good part of, if all is wanted: such
 * a block costs no more than a page, and the handler enters of it what the entry maps (P13). */
static void
widen_to_blocks(vm_pindex_t *first, vm_pindex_t *end)
{
	if ((*first | *end) % VM_SUPERPAGE_PAGES == 0 ||
	    (__atomic_load_n(&policy, __ATOMIC_RELAXED) & 0xff) != POLICY_WHOLE)
		return;
	if (*end - *first >= BLOCK_WORTH &&
	    *first % VM_SUPERPAGE_PAGES <= VM_SUPERPAGE_PAGES - BLOCK_WORTH)
		*first = rounddown2(*first, VM_SUPERPAGE_PAGES);
	if (*end % VM_SUPERPAGE_PAGES >= BLOCK_WORTH)
		*end = roundup2(*end, VM_SUPERPAGE_PAGES);
}

/*
 * The same for a superpage, as large as [i, last] has room for, where no page of it is resident;
 * but no larger than what damage is looked for in (drivers/fb_damage.c). How many pages from i on;
 * 0: take it page by page.
 */
static vm_pindex_t
take_super(vm_object_t object, vm_pindex_t i, vm_pindex_t last)
{
	bool notify = (object->flags & OBJ_WRITE_NOTIFY) != 0;
	vm_pindex_t first = i, end = last + 1;
	vm_page_t m;

	widen_to_blocks(&first, &end);
	m = &fb.pages[first];
	if (first % VM_SUPERPAGE_PAGES != 0 || end - first < VM_SUPERPAGE_PAGES ||
	    !vm_page_tryxbusy(m))
		return (0);
	if (vm_page_insert_super(m, object, first, notify ? VM_SUPERPAGE_PAGES : end - first) !=
	    0) {
		vm_page_xunbusy(m);
		return (0);
	}
	m->valid = true;
	return (first + vm_page_unit_pages(m) - i);
}

/* The index after the page, or after the superpage, that stands at i. */
static vm_pindex_t
next_index(vm_pindex_t i)
{
	vm_page_t unit = vm_page_unit(&fb.pages[i]);

	return (unit->pindex + vm_page_unit_pages(unit));
}

/* Install and busy [first, last]. On an error those before *stop are busied, the rest not. */
static int
take_range(vm_object_t object, vm_pindex_t first, vm_pindex_t last, vm_pindex_t *stop,
	   vm_page_t *blocker)
{
	vm_pindex_t at, n;
	int error = 0;

	for (at = first; at <= last; at += n) {
		n = at == first || at % VM_SUPERPAGE_PAGES == 0 ? take_super(object, at, last) : 0;
		if (n != 0)
			continue;
		error = take_page(object, at, blocker);
		if (error != 0)
			break;
		n = next_index(at) - at;
	}
	*stop = at;
	return (error);
}

/* Let [first, end) go again. The pages stay: they are what the object should hold. */
static void
release_range(vm_pindex_t first, vm_pindex_t end)
{
	vm_pindex_t next;

	for (; first < end; first = next) {
		next = next_index(first);
		vm_page_xunbusy(&fb.pages[first]);
	}
}

/* While text is in front nobody maps VRAM. The object is write-locked, but not meanwhile. */
static int
wait_shown(vm_object_t object)
{
	int error = 0;

	while (__atomic_load_n(&fb.hidden, __ATOMIC_SEQ_CST) && error == 0) {
		VM_OBJECT_UNLOCK(object);
		error = fb_wait_shown(false);
		VM_OBJECT_WLOCK(object);
	}
	return (error);
}

/*
 * The populate method. The object is write-locked on entry and on return (P5). What is installed is
 * policy ∩ hint ∩ object; the hint holds pidx, so the result does too (P7).
 *
 * A busy page is waited for with the object unlocked and nothing busied: two faults with
 * overlapping ranges cannot wait for each other. All is looked at again after (P21); since nothing
 * is kept across the wait, a revocation meanwhile leaves nothing stale (R3).
 *
 * Short of memory past pidx the range ends there: what was asked for is there, the rest faults
 * later.
 *
 * Neither fault_type nor max_prot matters: VRAM may be read and written by whoever may map it
 * (P23). With damage tracking the call may be about a write to resident pages (W1): policy says
 * for how many, and to return them is all there is to do, for the handler marks them.
 */
static int
fb_pg_populate(vm_object_t object, vm_pindex_t pidx, int fault_type __unused,
	       vm_prot_t max_prot __unused, vm_pindex_t *first, vm_pindex_t *last)
{
	vm_pindex_t lo, hi, stop;
	vm_page_t blocker;
	int error;

	VM_OBJECT_ASSERT_WLOCKED(object);
	/* LAB(7): what the comment above says, with policy_range, wait_shown, take_range and
	 * release_range; vm_page_busy_sleep lets go of the object. */
	if (!policy_range(pidx, &lo, &hi))
		return (VM_PAGER_BAD); /* P8 */
	lo = MAX(lo, *first);
	hi = MIN(MIN(hi, *last), object->size - 1);
	if (wait_shown(object) != 0)
		return (VM_PAGER_ERROR); /* killed */
	while ((error = take_range(object, lo, hi, &stop, &blocker)) != 0) {
		if (error == ENOMEM && stop > pidx) {
			hi = stop - 1;
			break;
		}
		release_range(lo, stop);
		if (error == ENOMEM)
			return (VM_PAGER_AGAIN); /* P9 */
		if (error != EBUSY)
			return (VM_PAGER_ERROR);
		error = vm_page_busy_sleep(blocker);
		VM_OBJECT_WLOCK(object);
		if (error != 0)
			return (VM_PAGER_ERROR); /* killed */
	}
	*first = lo;
	*last = hi;
	return (VM_PAGER_OK);
	/* LAB(7) starter:
	 *	(void)first;
	 *	(void)last;
	 *	(void)take_range;
	 *	(void)release_range;
	 *	error = policy_range(pidx, &lo, &hi) ? VM_PAGER_ERROR : VM_PAGER_BAD;
	 *	stop = hi - lo;
	 *	blocker = &fb.pages[stop];
	 *	(void)blocker;
	 *	return (error);
	 */
	/* LAB(7) end */
}

/*
 * The ordinary way, for policy `off` and for faults through a private mapping's shadow (P4): *mp is
 * a RAM page that holds the index, xbusied by us; the device page takes its place. On an error the
 * caller frees *mp, in the object or not.
 */
static int
fb_pg_fault(vm_object_t object, vm_ooffset_t offset, int prot __unused, vm_page_t *mp)
{
	vm_pindex_t pindex = atop(offset);
	vm_page_t ram = *mp, m = &fb.pages[pindex];
	int error;

	VM_OBJECT_ASSERT_WLOCKED(object);
	/* LAB(6): the frame's page, m, in place of ram, valid and xbusied, when text is not in front;
	 * ram is freed. No memory: VM_PAGER_AGAIN; m stands elsewhere already: VM_PAGER_ERROR. */
	if (wait_shown(object) != 0)
		return (VM_PAGER_ERROR);
	if (vm_page_unit(m)->object != NULL || !vm_page_tryxbusy(m))
		return (VM_PAGER_ERROR); /* P21: stands elsewhere, a bug of this driver */
	vm_page_remove(ram);
	error = vm_page_insert(m, object, pindex);
	if (error != 0) {
		vm_page_xunbusy(m);
		return (error == ENOMEM ? VM_PAGER_AGAIN : VM_PAGER_ERROR);
	}
	m->valid = true;
	vm_page_free(ram); /* wakes who slept on it; they look again and find m */
	*mp = m;
	return (VM_PAGER_OK);
	/* LAB(6) starter:
	 *	error = ram != m ? VM_PAGER_FAIL : VM_PAGER_ERROR;
	 *	return (error);
	 */
	/* LAB(6) end */
}

/* VRAM is mapped: the screen is the programs', until the last mapping is gone. */
static int
fb_pg_ctor(void *handle __unused, vm_ooffset_t size __unused, vm_prot_t prot __unused,
	   vm_ooffset_t foff __unused)
{
	/* LAB(6): keep the text console off. */
	fb_hold();
	/* LAB(6) end */
	return (0);
}

static void
fb_pg_dtor(void *handle __unused)
{
	/* LAB(6): and let it on again. */
	fb_release();
	/* LAB(6) end */
}

static const struct cdev_pager_ops fb_pager_ops = {
    .cdev_pg_fault = fb_pg_fault,
    .cdev_pg_populate = fb_pg_populate,
    .cdev_pg_ctor = fb_pg_ctor,
    .cdev_pg_dtor = fb_pg_dtor,
};

vm_object_t
fb_pager_object(vm_prot_t prot, int *error)
{
	vm_object_t object = cdev_pager_allocate(&fb, OBJT_MGTDEVICE, &fb_pager_ops, "fb0",
						 fb.backend->size, prot, 0, error);

	rw_assert_locked(&fb.lock);
	if (object != NULL && fb_damage_enabled()) {
		VM_OBJECT_WLOCK(object);
		object->flags |= OBJ_WRITE_NOTIFY;
		VM_OBJECT_UNLOCK(object);
	}
	return (object);
}

void
fb_pager_revoke(void)
{
	vm_object_t object = cdev_pager_lookup(&fb);

	if (object == NULL)
		return;
	cdev_pager_revoke(object, 0, object->size);
	vm_object_deallocate_later(object); /* fb.lock is held (R4) */
}

static int
policy_store(const char *text)
{
	size_t len = strlen(policy_names[POLICY_WINDOW]);
	uint64_t new = POLICY_WHOLE;
	uint32_t window;

	if (strncmp(text, policy_names[POLICY_WINDOW], len) == 0) {
		if (sysctl_store_uint(text + len, WINDOW_MAX, &window) != 0 || window == 0)
			return (EINVAL);
		new = POLICY_WINDOW | (uint64_t)window << 8;
	} else {
		while (new < nitems(policy_names) && strcmp(text, policy_names[new]) != 0)
			new ++;
		if (new == nitems(policy_names))
			return (EINVAL);
	}
	__atomic_store_n(&policy, new, __ATOMIC_RELAXED);
	return (0);
}

static int
policy_show(char *buf, size_t size)
{
	uint64_t now = __atomic_load_n(&policy, __ATOMIC_RELAXED);

	if ((now & 0xff) == POLICY_WINDOW)
		return (ksnprintf(buf, size, "%s%lu\n", policy_names[POLICY_WINDOW], now >> 8));
	return (ksnprintf(buf, size, "%s\n", policy_names[now]));
}
SYSCTL(fb_populate, "dev/fb/populate", policy_show, policy_store);

void
fb_pager_init(void)
{
	const char *option = cmdline_get("fb.populate");

	if (option != NULL && policy_store(option) != 0)
		klog(LOG_WARNING, "fb: bad fb.populate=%s, using whole", option);
}

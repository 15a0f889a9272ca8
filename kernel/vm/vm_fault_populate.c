/*
 * The populate stage: one call lets the pager install a whole range of pages, all of which that the
 * entry maps are entered in the page tables at once. docs/populate.md is the contract; the clause
 * names here (P1..) are its.
 *
 *   populate_wanted     P4   is this a fault for the method? W1: a write it wants to know of?
 *   populate_call       P5   unlock the map, ask the pager; R3: were pages revoked meanwhile?
 *   populate_check      P7   believe nothing: every page of the range, in every build
 *   populate_relock     P11  the map again; P12: did it change while the pager slept?
 *   populate_clip       P13  the part of the range that the entry maps
 *   populate_enter      P14  page tables, runs of frames at a time
 *   populate_release    P15  whatever is not kept: deactivated, unbusied
 */
#include "vm/vm_faultstate.h"
#include "vm/vm_pager.h"
#include "kern/log.h"
#include "kern/panic.h"

static bool
populate_wanted(struct faultstate *fs)
{
	vm_object_t object = fs->at.object;

	if ((object->flags & OBJ_POPULATE) == 0 || fs->no_populate ||
	    object->backing_object != NULL || object->shadow_count != 0 ||
	    fs->at.pindex >= object->size)
		return (false);
	return (fs->m == NULL || (fault_write_notify(fs) && fault_usable(fs->m)));
}

/*
 * On return the object is write-locked, referenced and in progress; the map is unlocked. *stale:
 * pages were revoked during the call. Only a range that is busied now and was not revoked can be
 * entered later: a revocation that comes from now on waits for the busy pages, and takes them
 * afterwards.
 */
static int
populate_call(struct faultstate *fs, vm_pindex_t *first, vm_pindex_t *last, bool *stale)
{
	vm_object_t object = fs->at.object;
	uint32_t generation = object->generation;
	int rv;

	*first = atop(fs->at.offset);
	*last = MIN(*first + atop(fs->at.end - fs->at.start), object->size) - 1;
	vm_object_reference(object);
	vm_object_pip_add(object, 1);
	fault_unlock_map(fs);
	VM_CNT_INC(v_populate_calls);
	rv = vm_pager_populate(object, fs->at.pindex, fs->fault_type, fs->at.max_prot, first, last);
	*stale = object->generation != generation;
	return (rv);
}

/* Undo populate_call; the fault answers result. */
static enum fault_result
populate_leave(struct faultstate *fs, enum fault_result result)
{
	vm_object_t object = fs->at.object;

	vm_object_pip_wakeup(object);
	return (fault_let_go(fs, object, fault_unlock(fs, result)));
}

static bool
kind_allowed(vm_object_t object, vm_page_t m)
{
	static const struct {
		uint8_t mask, flags;
	} kinds[OBJT_COUNT] = {
	    [OBJT_ANON] = {PG_FICTITIOUS, 0},
	    [OBJT_VNODE] = {PG_FICTITIOUS, 0},
	    [OBJT_PHYS] = {PG_FICTITIOUS, 0},
	    [OBJT_DEVICE] = {PG_UNMANAGED, PG_UNMANAGED},
	    [OBJT_MGTDEVICE] = {PG_FICTITIOUS | PG_UNMANAGED, PG_FICTITIOUS},
	};

	return ((m->flags & kinds[object->type].mask) == kinds[object->type].flags);
}

/* What is wrong with unit, which should be the page or the superpage at pindex, in words; NULL:
 * nothing. */
static const char *
page_fault_in(vm_object_t object, vm_page_t unit, vm_pindex_t pindex)
{
	if (unit == NULL || pindex - unit->pindex >= vm_page_unit_pages(unit))
		return ("a page of the range is missing");
	if (!unit->valid)
		return ("a page is not valid");
	if (!vm_page_xbusied(unit))
		return ("a page is not exclusively busied by this thread");
	return (kind_allowed(object, unit) ? NULL : "a page is of a kind this object may not hold");
}

/* P7, in every build (P22). Returns what the pager broke, or NULL. */
static const char *
populate_check(struct faultstate *fs, vm_pindex_t first, vm_pindex_t last)
{
	/* LAB(8): P7: the range, then each page of it (page_fault_in). fs->m: what stands at first. */
	vm_object_t object = fs->at.object;
	const char *wrong;
	vm_page_t unit;

	if (first > fs->at.pindex || fs->at.pindex > last)
		return ("the range does not contain pidx");
	if (last >= object->size)
		return ("the range ends past the object");
	fs->m = unit = vm_page_lookup(object, first); /* ours, so populate_enter finds it there */
	if (unit != NULL)
		unit = vm_page_unit(unit);
	for (;; unit = vm_page_next(unit)) {
		wrong = page_fault_in(object, unit, first);
		if (wrong != NULL)
			return (wrong);
		first = unit->pindex + vm_page_unit_pages(unit);
		if (first > last)
			return (NULL);
	}
	/* LAB(8) starter:
	 *	(void)page_fault_in;
	 *	return (fs->m == NULL && first < last ? "it is not looked at" : NULL);
	 */
	/* LAB(8) end */
}

/* End the pages of [first, last] that are there and busied by us by done; returns how many were. */
static vm_pindex_t
for_busied(vm_object_t object, vm_pindex_t first, vm_pindex_t last, void (*done)(vm_page_t m))
{
	vm_pindex_t n = 0;
	vm_page_t m;

	while (first <= last && (m = vm_page_find_least(object, first)) != NULL &&
	       vm_page_pindex(m) <= last) {
		m = vm_page_unit(m);
		first = m->pindex + vm_page_unit_pages(m);
		if (!vm_page_xbusied(m))
			continue;
		n += vm_page_unit_pages(m);
		done(m);
	}
	return (n);
}

static void
give_up_page(vm_page_t m)
{
	vm_page_deactivate(m);
	vm_page_xunbusy(m);
}

/* P15: unbusy [first, last], as far as the pages are there and ours; returns how many were. */
static vm_pindex_t
populate_release(vm_object_t object, vm_pindex_t first, vm_pindex_t last)
{
	return (for_busied(object, first, last, give_up_page));
}

/* R3: what a call installed during which pages were revoked may be of before: out of the object
 * again, and once more. The range is not believed: all that is ours goes. */
static enum fault_result
populate_stale(struct faultstate *fs)
{
	vm_object_t object = fs->at.object;

	VM_CNT_INC(v_populate_restarts);
	for_busied(object, 0, object->size - 1, vm_object_page_drop);
	return (populate_leave(fs, FAULT_RESTART));
}

/* P10: a kernel bug, named; without INVARIANTS the fault fails and everyone else goes on. */
static enum fault_result
populate_breach(struct faultstate *fs, vm_pindex_t first, vm_pindex_t last, const char *wrong)
{
	vm_object_t object = fs->at.object;

	KASSERT(false,
		("P7: %s: %s; object %p pidx %lu range [%lu, %lu] of %lu", vm_pager_name(object),
		 wrong, (void *)object, fs->at.pindex, first, last, object->size));
	klog(LOG_ERR, "P7: %s: %s; pidx %lu range [%lu, %lu]: the fault fails",
	     vm_pager_name(object), wrong, fs->at.pindex, first, last);
	populate_release(object, 0,
			 object->size - 1); /* the range may be nonsense: look everywhere */
	fs->rv = KERN_FAILURE;
	return (populate_leave(fs, FAULT_FAILED));
}

/*
 * P11, P12: map before object, so a lock that is not to be had at once costs the object lock; the
 * pages are busied and stay. False when the map changed. Waiting here with busied pages is safe
 * because nobody waits for a device's or a file's busy page with the map locked (vm_map.c:
 * vm_map_entry_free_pages).
 */
static bool
populate_relock(struct faultstate *fs)
{
	if (!vm_map_trylock_read(fs->map)) {
		VM_OBJECT_UNLOCK(fs->at.object);
		vm_map_lock_read(fs->map);
		VM_OBJECT_WLOCK(fs->at.object);
	}
	fs->map_locked = true;
	return (fs->map->timestamp == fs->at.timestamp);
}

/*
 * P13: the - 1 is what r309710 forgot. What is cut off is released and counted (P24); a superpage
 * that is kept in part stays busy as a whole.
 */
static void
populate_clip(struct faultstate *fs, vm_pindex_t *first, vm_pindex_t *last)
{
	/* LAB(8): P13, P15, P24: what the entry maps stays, the rest is released and counted. fs->m is
	 * the page at *first still. */
	vm_pindex_t map_first = atop(fs->at.offset);
	vm_pindex_t map_last = map_first + atop(fs->at.end - fs->at.start) - 1;
	vm_page_t unit;

	if (*first < map_first) {
		VM_CNT_ADD(v_populate_clipped, map_first - *first);
		fs->m = vm_page_lookup(fs->at.object, map_first);
		unit = vm_page_unit(fs->m);
		if (unit->pindex > *first)
			populate_release(fs->at.object, *first, unit->pindex - 1);
		*first = map_first;
	}
	if (*last > map_last) {
		VM_CNT_ADD(v_populate_clipped, *last - map_last);
		unit = vm_page_unit(vm_page_lookup(fs->at.object, map_last));
		populate_release(fs->at.object, unit->pindex + vm_page_unit_pages(unit), *last);
		*last = map_last;
	}
	/* LAB(8) starter:
	 *	(void)fs;
	 *	(void)first;
	 *	(void)last;
	 */
	/* LAB(8) end */
}

/* How many pages from m on, at most max, are neighbours in their array and in memory: one
 * pmap_enter. */
static vm_pindex_t
run_length(vm_page_t m, vm_pindex_t max)
{
	vm_page_t unit = vm_page_unit(m), end = unit + vm_page_unit_pages(unit);

	for (; end < m + max && vm_page_adjoins(unit); end += vm_page_unit_pages(end))
		unit = end;
	return (MIN((vm_pindex_t)(end - m), max));
}

/* Mark and unbusy the pages of a run that is entered. A superpage that goes on in the next one
 * stays busy until then. */
static void
run_done(vm_page_t m, vm_pindex_t n, bool dirty, bool is_last)
{
	vm_page_t end = m + n, unit, next;

	for (; m < end; m = next) {
		unit = vm_page_unit(m);
		next = unit + vm_page_unit_pages(unit);
		if (dirty)
			vm_page_dirty(unit);
		if (next > end && !is_last)
			return;
		vm_page_activate(unit);
		vm_page_xunbusy(unit);
	}
}

/* The rights of m's entry: a file's pages are read-only until they are written, so that reading
 * dirties none of them: a write comes back by the soft path. */
static vm_prot_t
enter_prot(const struct faultstate *fs, vm_page_t m)
{
	bool around =
	    (fs->at.object->flags & OBJ_AROUND) != 0 && (fs->fault_type & VM_PROT_WRITE) == 0;

	return (fault_page_prot(m, around ? fs->at.prot & ~VM_PROT_WRITE : fs->at.prot));
}

/*
 * W1: how many of the n pages from m on can be mapped with the same rights. A write that the pager
 * agreed to is a write to its whole range, so that no page of it is tracked any more.
 */
static vm_pindex_t
notify_run(struct faultstate *fs, vm_page_t m, vm_pindex_t n)
{
	bool write = (fs->fault_type & VM_PROT_WRITE) != 0;
	vm_pindex_t i;

	for (i = 0; i < n && (write || m[i].tracked == m->tracked); i++) {
		if (write)
			m[i].tracked = false;
	}
	return (i);
}

/* P14 for n pages from index first on; the page at pidx is wired on a wiring fault, alone, and
 * held if asked for (P16). */
static int
enter_run(struct faultstate *fs, vm_page_t m, vm_pindex_t first, vm_pindex_t n, vm_prot_t prot,
	  bool at_pidx)
{
	vm_offset_t va = fs->at.start + ptoa(first) - fs->at.offset;
	bool wire = at_pidx && fs->wire;
	int rv = pmap_enter(fs->map->pmap, va, m, n, prot, fault_enter_flags(fs, wire));

	if (rv != KERN_SUCCESS)
		return (rv);
	if (wire)
		vm_page_wire(m);
	if (at_pidx && fs->m_hold != NULL) {
		vm_page_hold(m);
		*fs->m_hold = m;
	}
	VM_CNT_ADD(v_populate_pages, n);
	return (rv);
}

/* Enter [first, last] run by run; a wired or held page is a run of its own. */
static int
populate_enter(struct faultstate *fs, vm_pindex_t first, vm_pindex_t last)
{
	bool notify = (fs->at.object->flags & OBJ_WRITE_NOTIFY) != 0;
	bool single = fs->wire || fs->m_hold != NULL;
	vm_pindex_t pidx = fs->at.pindex, n, max;
	vm_prot_t prot;
	vm_page_t m;
	int rv;

	for (m = fs->m; first <= last; first += n, m = NULL) {
		if (m == NULL)
			m = vm_page_lookup(fs->at.object, first);
		max = last - first + 1;
		if (single && first <= pidx)
			max = first == pidx ? 1 : MIN(max, pidx - first);
		n = run_length(m, max);
		if (notify)
			n = notify_run(fs, m, n);
		prot = enter_prot(fs, m);
		rv = enter_run(fs, m, first, n, prot, single && first == pidx);
		if (rv != KERN_SUCCESS) { /* enough, if the page that was asked for is in */
			populate_release(fs->at.object, first, last);
			return (pidx < first ? KERN_SUCCESS : rv);
		}
		run_done(m, n, ((fs->fault_type | prot) & VM_PROT_WRITE) != 0, first + n > last);
	}
	return (KERN_SUCCESS);
}

/*
 * P8, P9: a pager that declined left no page busied; P7: one that did not, none outside its range.
 * To look at all pages is dear, so it is done when more are busied than before the call; that may
 * be another thread's doing, and then nothing is found.
 */
static void
check_none_busied(struct faultstate *fs, int rv, uint64_t busied_before)
{
	vm_object_t object = fs->at.object;
	const char *clause = rv == VM_PAGER_OK ? "P7" : rv == VM_PAGER_BAD ? "P8" : "P9";
	vm_pindex_t n;

	if (VM_CNT(v_busied) <= busied_before)
		return;
	n = populate_release(object, 0, object->size - 1);
	KASSERT(n == 0, ("%s: %s: answered %d and left %lu pages busied; pidx %lu", clause,
			 vm_pager_name(object), rv, n, fs->at.pindex));
	if (n != 0)
		klog(LOG_ERR, "%s: %s: left %lu pages busied", clause, vm_pager_name(object), n);
}

/* P8 to P10: the pager did not populate. */
static enum fault_result
populate_declined(struct faultstate *fs, int rv)
{
	if (rv == VM_PAGER_BAD) {
		fs->no_populate = true;
		return (populate_leave(fs, FAULT_RESTART));
	}
	fs->rv = KERN_FAILURE;
	return (populate_leave(fs, rv == VM_PAGER_AGAIN ? FAULT_WAIT : FAULT_FAILED));
}

/* Not in line: most faults do not come here, and do not pay for its frame. */
static enum fault_result __attribute__((noinline)) populate_range(struct faultstate *fs)
{
	/* LAB(8): call, check, relock, clip, enter, and what may go wrong at each (P8 to P12, R3); one
	 * major fault. Nobody's page stays busy. */
	uint64_t busied = VM_CNT(v_busied);
	vm_pindex_t first, last;
	enum fault_result result;
	const char *wrong;
	bool stale;
	int rv;

	rv = populate_call(fs, &first, &last, &stale);
	if (rv != VM_PAGER_OK) {
		check_none_busied(fs, rv, busied);
		return (populate_declined(fs, rv));
	}
	if (stale)
		return (populate_stale(fs));
	wrong = populate_check(fs, first, last);
	if (wrong != NULL)
		return (populate_breach(fs, first, last, wrong));
	if (populate_relock(fs)) {
		populate_clip(fs, &first, &last);
		fs->major = true;
		rv = populate_enter(fs, first, last);
		result = rv == KERN_SUCCESS ? FAULT_DONE : FAULT_WAIT;
	} else {
		VM_CNT_INC(v_populate_restarts);
		populate_release(fs->at.object, first, last);
		result = FAULT_RESTART;
	}
	check_none_busied(fs, VM_PAGER_OK, busied);
	return (populate_leave(fs, result));
	/* LAB(8) starter:
	 *	(void)populate_call;
	 *	(void)populate_declined;
	 *	(void)populate_stale;
	 *	(void)populate_check;
	 *	(void)populate_breach;
	 *	(void)populate_relock;
	 *	(void)populate_clip;
	 *	(void)populate_enter;
	 *	(void)check_none_busied;
	 *	(void)fs;
	 *	return (FAULT_CONTINUE); // by getpages, if the pager has it
	 */
	/* LAB(8) end */
}

enum fault_result
vm_fault_populate(struct faultstate *fs)
{
	return (populate_wanted(fs) ? populate_range(fs) : FAULT_CONTINUE);
}

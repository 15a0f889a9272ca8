/*
 * The page fault handler.
 *
 *               vm_fault_lookup        which entry, which object, is the access allowed?
 *                      │
 *               vm_fault_soft ───────▶ the page is resident in the first object: enter it, and of
 *                      │                  a file's its neighbours; or nobody wrote what is read:
 *                      │                  enter the page of zeros that all share; done
 *                      │ no
 *               vm_fault_populate ───▶ the pager installs a whole range at once, or is told of the
 *                      │ it does not      first write to one that it tracks (W1): enter it, done
 *                      │                  (vm_fault_populate.c; docs/populate.md)
 *               vm_fault_search        down the shadow chain: first object → backing → backing ...
 *                │     │     │
 *         resident   absent   absent, and the chain ends in anonymous memory
 *                │     │     │
 *                │     │     └───────▶ a page of zeros in the first object
 *                │     └─────────────▶ vm_fault_getpages: ask the pager, then once more from the top
 *               vm_fault_copy          a write to a page behind the first object: copy it in front
 *                      │
 *               vm_fault_enter         into the page tables
 *
 * Locks: the map is read-locked from the lookup to the end, but let go while a pager is called or
 * memory is waited for; then the fault either proves that nothing changed (the map's timestamp) or
 * starts over. The first object stays locked from the lookup on, so nobody can put a page in front
 * of one that we found behind it. A page that is made here is ours (busied) before that lock is let
 * go, and filled and entered after, so that others can do the same meanwhile with other pages of the
 * object. Nothing sleeps in here but the pager, a busy page, and the wait for memory.
 *
 * Why a restart after getpages, not FreeBSD's way of keeping a busy page in front and looking up
 * the map again: the second round finds the page resident and is the soft path. One way to go on,
 * not two.
 */
#include "vm/vm_faultstate.h"
#include "vm/vm_fault.h"
#include "vm/vm_pager.h"
#include "kern/panic.h"
#include "kern/trace.h"

#define RESTARTS_AT_ONCE 16 /* of one fault, then it pauses */
#define RESTART_PAUSE    1000000 /* ns */

void
fault_unlock_map(struct faultstate *fs)
{
	if (fs->map_locked)
		vm_map_unlock_read(fs->map);
	fs->map_locked = false;
}

/* The new page is ours, and whoever comes upon it waits for us: others may use the objects. */
static void
fault_own_page(struct faultstate *fs)
{
	if (fs->object != fs->at.object)
		VM_OBJECT_UNLOCK(fs->object);
	VM_OBJECT_UNLOCK(fs->at.object);
	fs->object = fs->at.object;
	fs->ours = true;
}

enum fault_result
fault_unlock(struct faultstate *fs, enum fault_result result)
{
	if (fs->object != NULL && fs->object != fs->at.object)
		VM_OBJECT_UNLOCK(fs->object);
	if (!fs->ours)
		VM_OBJECT_UNLOCK(fs->at.object);
	fs->object = NULL;
	fault_unlock_map(fs);
	return (result);
}

enum fault_result
fault_fail(struct faultstate *fs, int rv)
{
	fs->rv = rv;
	return (fault_unlock(fs, FAULT_FAILED));
}

/* On FAULT_CONTINUE the map and the first object are read-locked. */
static enum fault_result
vm_fault_lookup(struct faultstate *fs)
{
	fs->rv = vm_map_lookup_locked(fs->map, fs->vaddr, fs->fault_type, &fs->at);
	if (fs->rv == KERN_RESOURCE_SHORTAGE)
		return (FAULT_WAIT);
	if (fs->rv != KERN_SUCCESS)
		return (FAULT_FAILED);
	fs->map_locked = true;
	fs->ours = false;
	fs->object = fs->at.object;
	fs->pindex = fs->at.pindex;
	VM_OBJECT_RLOCK(fs->object);
	return (FAULT_CONTINUE);
}

/*
 * What to enter for a page of a superpage in the first object: as much of that as the entry maps.
 * *before: pages in front of fs->m.
 */
static vm_pindex_t
fault_extent(struct faultstate *fs, vm_pindex_t *before)
{
	vm_page_t unit = vm_page_unit(fs->m);
	vm_pindex_t after;

	if (fs->wire || fs->object != fs->at.object || vm_page_unit_pages(unit) == 1 ||
	    (fs->object->flags & OBJ_WRITE_NOTIFY) != 0) /* each page has rights of its own (W1) */
		return (1);
	*before = MIN((vm_pindex_t)(fs->m - unit), atop(fs->vaddr - fs->at.start));
	after = MIN(vm_page_unit_pages(unit) - (vm_pindex_t)(fs->m - unit),
		    atop(fs->at.end - fs->vaddr));
	return (*before + after);
}

/* P16 */
static inline void
fault_hold(struct faultstate *fs)
{
	if (fs->m_hold == NULL)
		return;
	vm_page_hold(fs->m);
	*fs->m_hold = fs->m;
}

/* Put fs->m in the page tables. Its object is locked, or the page is ours (xbusied). */
static int
fault_enter_page(struct faultstate *fs, vm_prot_t prot)
{
	vm_pindex_t before = 0, n = 1;
	int rv;

	if (__predict_false((fs->m->flags & PG_BLOCK) != 0))
		n = fault_extent(fs, &before);
	rv = pmap_enter(fs->map->pmap, fs->vaddr - ptoa(before), fs->m - before, n,
			fault_page_prot(fs->m, prot), fault_enter_flags(fs, fs->wire));
	if (rv != KERN_SUCCESS)
		return (rv);
	if (((fs->fault_type | (n > 1 ? prot : 0)) & VM_PROT_WRITE) != 0) /* S4 */
		vm_page_dirty(fs->m);
	if (fs->wire)
		vm_page_wire(fs->m);
	else
		vm_page_activate(fs->m);
	fault_hold(fs);
	return (rv);
}

/* From the first object's read lock to its write lock, and look again if it was let go in
 * between. */
static void
fault_upgrade(struct faultstate *fs)
{
	if (rw_try_upgrade(&fs->object->lock))
		return;
	VM_OBJECT_UNLOCK(fs->object);
	VM_OBJECT_WLOCK(fs->object);
	fs->m = vm_page_lookup(fs->object, fs->pindex);
}

/* O1: is fs->m a file's page that is read, and may its neighbours come along? A wiring fault deals
 * with one page (P14). */
static bool
fault_around_wanted(const struct faultstate *fs)
{
	return ((fs->at.object->flags & OBJ_AROUND) != 0 && vm_fault_around > 1 && !fs->wire &&
		(fs->fault_type & VM_PROT_WRITE) == 0);
}

/* How many pages from m on, at most max, can be mapped as they are, and are neighbours in their
 * array and in memory: one pmap_enter. */
static vm_pindex_t
usable_run(vm_page_t m, vm_pindex_t max)
{
	vm_pindex_t n = fault_usable(m);

	while (n > 0 && n < max && vm_page_adjoins(&m[n - 1]) && fault_usable(&m[n]))
		n++;
	return (n);
}

/*
 * O1: enter the window about fs->m, as far as the entry maps it and its pages are resident.
 * prot has no write, so that reading dirties nothing: a write comes back.
 */
static int
fault_enter_around(struct faultstate *fs, vm_prot_t prot)
{
	vm_pindex_t window = MAX(__atomic_load_n(&vm_fault_around, __ATOMIC_RELAXED), 1);
	vm_pindex_t start = fs->pindex - fs->pindex % window, from = atop(fs->at.offset);
	vm_pindex_t end = MIN(start + window, from + atop(fs->at.end - fs->at.start)), n;
	vm_page_t m;
	int rv;

	for (vm_pindex_t i = MAX(from, start); i < end; i += MAX(n, 1)) {
		m = i == fs->pindex ? fs->m : vm_page_lookup(fs->object, i);
		n = usable_run(m, end - i);
		if (n == 0)
			continue;
		rv = pmap_enter(fs->map->pmap, fs->at.start + ptoa(i - from), m, n, prot,
				fault_enter_flags(fs, false));
		if (rv != KERN_SUCCESS)
			return (i > fs->pindex ? KERN_SUCCESS : rv);
		for (vm_page_t last = m + n; m < last; m++)
			vm_page_activate(m);
	}
	fault_hold(fs);
	return (KERN_SUCCESS);
}

/* The resident page fs->m, and what may come along, with the rights that prot has of the entry's. */
static int
fault_enter_resident(struct faultstate *fs, vm_prot_t prot)
{
	return (fault_around_wanted(fs) ? fault_enter_around(fs, prot & ~VM_PROT_WRITE)
					: fault_enter_page(fs, prot));
}

/*
 * Is it private memory that is read, and that nobody has written? fs->m: vm_zero_page, until a write
 * makes a page. fs->object: the last of the chain.
 */
static inline bool
fault_zeros(struct faultstate *fs)
{
	if ((fs->fault_type & VM_PROT_WRITE) != 0 || fs->wire || fs->at.wired ||
	    (fs->object->flags & OBJ_PRIVATE) == 0 || fs->object->backing_object != NULL)
		return (false);
	fs->m = vm_zero_page;
	return (true);
}

/*
 * Nobody can busy a page without the object's write lock, so an unbusied page stays as it is while
 * we hold the read lock. A write that a pager wants to be told of (W1) is not ours to resolve.
 */
static enum fault_result
vm_fault_soft(struct faultstate *fs)
{
	fs->m = vm_page_lookup(fs->object, fs->pindex);
	if (fs->m == NULL)
		fault_zeros(fs);
	/* LAB(4): a page that can be mapped as it is, is, with all rights that the entry gives, and
	 * counted: done. Else the stages to come, which want the object write-locked. */
	if (!fault_usable(fs->m) || fault_write_notify(fs)) {
		fault_upgrade(fs);
		return (FAULT_CONTINUE);
	}
	if (fault_enter_resident(fs, fs->at.prot) != KERN_SUCCESS)
		return (fault_unlock(fs, FAULT_WAIT));
	VM_CNT_INC(v_soft_faults);
	TRACE(TR_STAGE, fs->m == vm_zero_page ? TRS_ZERO : TRS_SOFT, (uint64_t)fs->object,
	      fs->pindex);
	return (fault_unlock(fs, FAULT_DONE));
	/* LAB(4) starter:
	 *	(void)fault_enter_resident;
	 *	fault_upgrade(fs);
	 *	return (FAULT_CONTINUE);
	 */
	/* LAB(4) end */
}

/* Sleep until the page we need is no longer busy, then start over. */
static enum fault_result
fault_busy_wait(struct faultstate *fs, vm_page_t m)
{
	int error;

	if (fs->object != fs->at.object)
		VM_OBJECT_UNLOCK(fs->at.object);
	fault_unlock_map(fs);
	error = vm_page_busy_sleep(m); /* lets go of m's object */
	fs->object = NULL;
	fs->rv = KERN_ABORTED;
	return (error == 0 ? FAULT_RESTART : FAULT_FAILED);
}

/*
 * Let the pager make the page at fs->pindex of fs->object, which is write-locked. The reference
 * keeps the object while the map is unlocked.
 */
static enum fault_result
vm_fault_getpages(struct faultstate *fs)
{
	vm_object_t object = fs->object;
	uint32_t generation = object->generation;
	vm_page_t m;
	int rv;

	if (fs->pindex >= object->size)
		return (fault_fail(fs, KERN_FAILURE));
	m = vm_page_alloc(object, fs->pindex, VM_ALLOC_NORMAL);
	if (m == NULL)
		return (fault_unlock(fs, FAULT_WAIT));
	if (object != fs->at.object)
		VM_OBJECT_UNLOCK(fs->at.object);
	vm_object_reference(object);
	vm_object_pip_add(object, 1);
	fault_unlock_map(fs);
	TRACE(TR_STAGE, TRS_GETPAGES, (uint64_t)object, fs->pindex);
	rv = vm_pager_get_page(object, &m, fs->fault_type);
	if (rv != VM_PAGER_OK) {
		vm_page_free(m);
	} else if (object->generation != generation) { /* R3 */
		vm_object_page_drop(m);
	} else {
		vm_page_activate(m);
		vm_page_xunbusy(m);
		fs->major = true;
	}
	vm_object_pip_wakeup(object);
	VM_OBJECT_UNLOCK(object);
	fs->object = NULL;
	fs->rv = KERN_FAILURE;
	return (fault_let_go(fs, object,
			     rv == VM_PAGER_OK      ? FAULT_RESTART
			     : rv == VM_PAGER_AGAIN ? FAULT_WAIT
						    : FAULT_FAILED));
}

/* fs->m: a new page in the first object, xbusied; its contents are up to the caller. False: there is
 * no memory. */
static bool
fault_new_page(struct faultstate *fs)
{
	fs->m = vm_page_alloc(fs->at.object, fs->at.pindex, VM_ALLOC_NORMAL);
	if (fs->m == NULL)
		return (false);
	fs->m->valid = true;
	return (true);
}

/* No object of the chain has the page, and the last is anonymous: nobody ever wrote it. */
static enum fault_result
fault_zero_fill(struct faultstate *fs)
{
	/* LAB(4): a new page in the first object, which is then ours (fault_own_page), and filled with
	 * zeros. Counted. Past the object's end the fault fails, without memory it waits. */
	if (fs->at.pindex >= fs->at.object->size) /* shared memory, mapped for longer than it is */
		return (fault_fail(fs, KERN_FAILURE));
	if (!fault_new_page(fs))
		return (fault_unlock(fs, FAULT_WAIT));
	fault_own_page(fs);
	pmap_zero_page(fs->m);
	VM_CNT_INC(v_zfod);
	TRACE(TR_STAGE, TRS_ZERO, (uint64_t)fs->object, fs->at.pindex);
	return (FAULT_CONTINUE);
	/* LAB(4) starter:
	 *	return (fault_fail(fs, KERN_FAILURE));
	 */
	/* LAB(4) end */
}

/* One step down the chain, taking the backing object's lock before the front one's is let go. */
static void
fault_step_down(struct faultstate *fs)
{
	vm_object_t backing = fs->object->backing_object;

	fs->pindex += atop(fs->object->backing_object_offset);
	VM_OBJECT_WLOCK(backing);
	if (fs->object != fs->at.object)
		VM_OBJECT_UNLOCK(fs->object);
	fs->object = backing;
	fs->m = vm_page_lookup(backing, fs->pindex);
}

/*
 * On FAULT_CONTINUE fs->m is usable at fs->pindex of fs->object, which is write-locked, as is the
 * first object if that is another.
 */
static enum fault_result
vm_fault_search(struct faultstate *fs)
{
	for (;; fault_step_down(fs)) {
		/* First: it may be unbusied at any time, but busied only with the object locked. */
		if (fs->m != NULL && vm_page_busied(fs->m))
			return (fault_busy_wait(fs, fs->m));
		if (fault_usable(fs->m))
			return (FAULT_CONTINUE);
		if (fs->m != NULL) /* not valid: its pager's mistake */
			return (fault_fail(fs, KERN_FAILURE));
		if (fs->object->type != OBJT_ANON)
			return (vm_fault_getpages(fs));
		if (fs->object->backing_object == NULL)
			return (fault_zeros(fs) ? FAULT_CONTINUE : fault_zero_fill(fs));
	}
}

/*
 * A write to a page behind the first object: the first object gets a copy, and the page tables of
 * this map lose the original when the copy is entered. The first object's lock keeps the index
 * free.
 */
static enum fault_result
vm_fault_copy(struct faultstate *fs)
{
	/* LAB(5): a read, or a page of the first object: nothing to do. Else a new page in the first
	 * object, a copy, dirty; if this map has wired the page, the copy is wired in its place. It is
	 * ours then (fault_own_page). Counted. */
	vm_page_t original = fs->m;

	if (fs->object == fs->at.object || (fs->fault_type & VM_PROT_WRITE) == 0)
		return (FAULT_CONTINUE);
	if (!fault_new_page(fs))
		return (fault_unlock(fs, FAULT_WAIT));
	pmap_copy_page(original, fs->m);
	fs->m->dirty = true; /* even if it cannot be entered: it is not what stood here before */
	if (fs->at.wired == MAP_WIRED_PAGE &&
	    original->wire_count != 0) { /* mlocked read-only, made writable later */
		vm_page_unwire(original);
		vm_page_wire(fs->m);
	}
	fault_own_page(fs);
	VM_CNT_INC(v_cow_faults);
	TRACE(TR_STAGE, TRS_COPY, (uint64_t)fs->object, fs->at.pindex);
	return (FAULT_CONTINUE);
	/* LAB(5) starter:
	 *	return (fs->object == fs->at.object ? FAULT_CONTINUE : fault_fail(fs, KERN_FAILURE));
	 */
	/* LAB(5) end */
}

/*
 * A page that is not in the first object is shared with others: read-only, so that a write comes
 * back. A write has been told to the page's pager by now, or cannot be (P4, P8): the page is
 * tracked no more.
 */
static enum fault_result
vm_fault_enter(struct faultstate *fs)
{
	vm_prot_t prot = fs->object == fs->at.object ? fs->at.prot : fs->at.prot & ~VM_PROT_WRITE;
	int rv;

	if ((fs->fault_type & VM_PROT_WRITE) != 0)
		fs->m->tracked = false;
	rv = fault_enter_page(fs, prot);
	if (fs->ours)
		vm_page_xunbusy(fs->m);
	return (fault_unlock(fs, rv == KERN_SUCCESS ? FAULT_DONE : FAULT_WAIT));
}

static enum fault_result
fault_stages(struct faultstate *fs)
{
	enum fault_result r;

	if ((r = vm_fault_lookup(fs)) != FAULT_CONTINUE ||
	    (r = vm_fault_soft(fs)) != FAULT_CONTINUE ||
	    (r = vm_fault_populate(fs)) != FAULT_CONTINUE ||
	    (r = vm_fault_search(fs)) != FAULT_CONTINUE ||
	    (r = vm_fault_copy(fs)) != FAULT_CONTINUE)
		return (r);
	return (vm_fault_enter(fs));
}

/*
 * P19: before a fault starts over. It is counted; a fault that has done so many times, because
 * others change the map or revoke the pages as fast as it comes, lets them go on for a moment.
 * False: killed.
 */
static bool __slow_path
fault_again(struct faultstate *fs, enum fault_result why)
{
	VM_CNT_INC(v_fault_restarts);
	if (++fs->restarts > vm_cnt.v_fault_restarts_max)
		vm_cnt.v_fault_restarts_max = fs->restarts;
	if (why == FAULT_WAIT)
		return (vm_wait() == 0 && !thread_killed());
	if (fs->restarts % RESTARTS_AT_ONCE == 0 && !thread_killed()) {
		VM_CNT_INC(v_fault_pauses);
		rw_sleep(&vm_cnt.v_fault_pauses, NULL, SLEEP_KILL, RESTART_PAUSE);
	}
	return (!thread_killed());
}

int
vm_fault(vm_map_t map, vm_offset_t vaddr, vm_prot_t fault_type, int flags, vm_page_t *m_hold)
{
	struct faultstate fs = {.map = map,
				.vaddr = trunc_page(vaddr),
				.fault_type = fault_type,
				.wire = (flags & VM_FAULT_WIRE) != 0,
				.m_hold = m_hold};
	enum fault_result r;

	VM_CNT_INC(v_faults);
	TRACE(TR_FAULT, vaddr, fault_type, (uint64_t)map);
	while ((r = fault_stages(&fs)) == FAULT_RESTART || r == FAULT_WAIT) {
		TRACE(TR_STAGE, r == FAULT_WAIT ? TRS_WAIT : TRS_RESTART, (uint64_t)fs.at.object,
		      fs.at.pindex);
		if (!fault_again(&fs, r)) {
			fs.rv = KERN_ABORTED;
			break;
		}
	}
	if (__predict_false(fs.kept != NULL))
		vm_object_deallocate_later(fs.kept);
	/* A pager that a kill woke answers an error: it is none of the page's. */
	if (r != FAULT_DONE)
		fs.rv = thread_killed() ? KERN_ABORTED : fs.rv;
	else
		fs.rv = KERN_SUCCESS;
	TRACE(TR_FAULT_DONE, (uint64_t)fs.rv, fs.major);
	if (r == FAULT_DONE)
		vm_fault_count(fs.major);
	return (fs.rv);
}

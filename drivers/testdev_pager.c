/*
 * The pager that misbehaves on request (testdev_ioctl.h). One call of populate is, in this order:
 *
 *   begin_call          what was asked for; what VM passed is recorded
 *   testdev_interlude   with nothing locked: an action on the caller's own map, a sleep, a kill
 *   take_range          install and busy the pages, looking at all of them again (P21)
 *   break_page          spoil one of them
 *   break_answer        and the range or the locks
 *
 * Nothing is kept across the interlude, so that a revocation meanwhile leaves nothing stale (R3).
 */
#include "drivers/testdev.h"
#include "kern/errno.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"

#define SBUSIED_NS 50000000 /* how long a breach leaves a page shared-busied */

_Static_assert((int)TESTDEV_BAD == VM_PAGER_BAD && (int)TESTDEV_FAIL == VM_PAGER_FAIL &&
		   (int)TESTDEV_ERROR == VM_PAGER_ERROR && (int)TESTDEV_AGAIN == VM_PAGER_AGAIN,
	       "the answers of testdev_ioctl.h are VM_PAGER_*");

/* --- what was asked for ----------------------------------------------------------------------- */

/* Note the call; *q is what to do in it, all 0 to behave. */
static void
begin_call(struct testdev *td, const struct testdev_record *args, struct testdev_request *q)
{
	struct testdev_record *r = &td->record;

	mtx_lock(&td->mtx);
	r->calls++;
	r->pidx = args->pidx;
	r->first = args->first;
	r->last = args->last;
	r->fault_type = args->fault_type;
	r->max_prot = args->max_prot;
	*q = (struct testdev_request){0};
	if (td->request.times > 0) {
		*q = td->request;
		td->request.times--;
	}
	mtx_unlock(&td->mtx);
}

/* --- pages ------------------------------------------------------------------------------------ */

/* Take m, new or a frame's own, out of use again. */
static void
drop_page(vm_page_t m)
{
	if (m->object == NULL)
		vm_page_free(m);
	else
		vm_page_xunbusy(m);
}

/* A page for the frame of index `frame` at object[i], xbusied and valid; NULL and *error. */
static vm_page_t
new_page(struct testdev *td, vm_object_t object, vm_pindex_t i, vm_pindex_t frame, int *error)
{
	vm_page_t m = testdev_frame(td, frame);

	*error = ENOMEM;
	if (td->raw)
		m = vm_page_getfake(m->phys_addr, m->memattr);
	if (m == NULL)
		return (NULL);
	*error = EEXIST; /* P21: stands elsewhere, and is being used there */
	if (!vm_page_tryxbusy(m))
		return (NULL);
	*error = vm_page_insert(m, object, i);
	if (*error != 0) {
		drop_page(m);
		return (NULL);
	}
	m->valid = true;
	return (m);
}

/* All of the superpage that begins at object[i], xbusied and valid; false: page by page. */
static bool
new_super(struct testdev *td, vm_object_t object, vm_pindex_t i, vm_pindex_t last)
{
	vm_page_t m = testdev_frame(td, i);

	if (!td->blocks || i % VM_SUPERPAGE_PAGES != 0 || last - i < VM_SUPERPAGE_PAGES - 1 ||
	    (m = vm_page_getfake_super(m->phys_addr, m->memattr)) == NULL)
		return (false);
	vm_page_tryxbusy(m);
	if (vm_page_insert_super(m, object, i, VM_SUPERPAGE_PAGES) == 0)
		return (true);
	vm_page_free(m);
	return (false);
}

/* The page for i, but in another object; that stays as it is until testdev_mend. */
static int
page_elsewhere(struct testdev *td, vm_pindex_t i)
{
	vm_object_t other;
	vm_page_t m;
	int error;

	mtx_lock(&td->mtx);
	other = td->elsewhere;
	mtx_unlock(&td->mtx);
	if (other != NULL) /* it is there already */
		return (0);
	other = vm_object_allocate(OBJT_PHYS, td->npages);
	if (other == NULL)
		return (ENOMEM);
	VM_OBJECT_WLOCK(other);
	m = new_page(td, other, i, i, &error);
	if (m != NULL)
		vm_page_xunbusy(m);
	VM_OBJECT_UNLOCK(other);
	mtx_lock(&td->mtx);
	td->elsewhere = other;
	mtx_unlock(&td->mtx);
	return (error);
}

static int
page_of_ram(vm_object_t object, vm_pindex_t i)
{
	vm_page_t m = vm_page_alloc(object, i, VM_ALLOC_ZERO);

	if (m == NULL)
		return (ENOMEM);
	m->valid = true;
	return (0);
}

/* The page at i, which is not resident, busied; or what the breach has there. */
static int
make_page(struct testdev *td, vm_object_t object, const struct testdev_request *q, vm_pindex_t i)
{
	bool reverse = (q->flags & TESTDEV_REVERSE) != 0;
	int error;

	if (i == q->at) {
		if ((q->flags & TESTDEV_SHORT) != 0)
			return (ENOMEM);
		if (q->breach == TESTDEV_MISSING)
			return (0);
		if (q->breach == TESTDEV_ELSEWHERE)
			return (page_elsewhere(td, i));
		if (q->breach == TESTDEV_KIND)
			return (page_of_ram(object, i));
	}
	new_page(td, object, i, reverse ? td->npages - 1 - i : i, &error);
	return (error);
}

/* Install and busy the page at i. EBUSY: somebody else has *busy, the page there, busy. */
static int
take_page(struct testdev *td, vm_object_t object, const struct testdev_request *q, vm_pindex_t i,
	  vm_page_t *busy)
{
	*busy = vm_page_lookup(object, i);
	if (*busy != NULL)
		return (vm_page_tryxbusy(*busy) ? 0 : EBUSY);
	if (q->breach == TESTDEV_NONE && new_super(td, object, i, q->last))
		return (0);
	return (make_page(td, object, q, i));
}

/* The index after the page, or superpage, at i. */
static vm_pindex_t
next_index(vm_object_t object, vm_pindex_t i)
{
	vm_page_t m = vm_page_lookup(object, i), unit;

	if (m == NULL) /* a breach */
		return (i + 1);
	unit = vm_page_unit(m);
	return (unit->pindex + vm_page_unit_pages(unit));
}

/* Let [first, end) go again; the pages stay. */
static void
release(vm_object_t object, vm_pindex_t first, vm_pindex_t end)
{
	vm_page_t m;

	for (; first < end; first++) {
		m = vm_page_lookup(object, first);
		if (m != NULL && vm_page_xbusied(m))
			vm_page_xunbusy(m);
	}
}

/*
 * Install and busy [q->first, q->last]. Short of memory past pidx the range ends there. A busy page
 * is waited for with nothing busied; then all is looked at again. Returns VM_PAGER_*.
 */
static int
take_range(struct testdev *td, vm_object_t object, struct testdev_request *q, vm_pindex_t pidx)
{
	vm_pindex_t i = q->first;
	vm_page_t busy;
	int error;

	while (i <= q->last) {
		error = take_page(td, object, q, i, &busy);
		if (error == 0) {
			i = next_index(object, i);
			continue;
		}
		if (error == ENOMEM && i > pidx) {
			q->last = i - 1;
			break;
		}
		release(object, q->first, i);
		if (error != EBUSY)
			return (error == ENOMEM ? VM_PAGER_AGAIN : VM_PAGER_ERROR);
		error = vm_page_busy_sleep(busy);
		VM_OBJECT_WLOCK(object);
		if (error != 0)
			return (VM_PAGER_ERROR);
		i = q->first;
	}
	return (VM_PAGER_OK);
}

/* --- breaches --------------------------------------------------------------------------------- */

/* The page that was left shared-busied is so no more. */
static void
unbusy(struct testdev *td)
{
	vm_page_t m;

	mtx_lock(&td->mtx);
	m = td->sbusied;
	td->sbusied = NULL;
	mtx_unlock(&td->mtx);
	if (m != NULL)
		vm_page_sunbusy(m);
}

static void
sbusied_end(struct callout *c)
{
	unbusy(container_of(c, struct testdev, unbusy));
}

static void
break_page(struct testdev *td, vm_object_t object, const struct testdev_request *q)
{
	vm_page_t m = vm_page_lookup(object, q->at);

	if (m == NULL || !vm_page_xbusied(m))
		return;
	if (q->breach == TESTDEV_INVALID)
		m->valid = false;
	if (q->breach == TESTDEV_UNBUSIED || q->breach == TESTDEV_SBUSIED)
		vm_page_xunbusy(m);
	if (q->breach == TESTDEV_SBUSIED && vm_page_trysbusy(m)) {
		mtx_lock(&td->mtx);
		td->sbusied = m;
		mtx_unlock(&td->mtx);
		callout_reset(&td->unbusy, cpu_now() + SBUSIED_NS, sbusied_end);
	}
}

static void
break_answer(struct testdev *td, vm_object_t object, const struct testdev_request *q,
	     vm_pindex_t *first, vm_pindex_t *last)
{
	bool claim = (q->flags & TESTDEV_CLAIM) != 0;

	*first = claim ? q->claim_first : q->first;
	*last = claim ? q->claim_last : q->last;
	if (q->breach == TESTDEV_LOCK_ORDER) {
		rw_wlock(&td->extra);
		rw_unlock(&td->extra);
	}
	if (q->breach != TESTDEV_UNLOCKED && q->breach != TESTDEV_EXTRA_LOCK)
		return;
	VM_OBJECT_UNLOCK(object);
	if (q->breach == TESTDEV_EXTRA_LOCK) {
		rw_wlock(&td->extra);
		VM_OBJECT_WLOCK(object);
	}
}

void
testdev_mend(struct testdev *td)
{
	vm_object_t elsewhere;

	unbusy(td);
	mtx_lock(&td->mtx);
	elsewhere = td->elsewhere;
	td->elsewhere = NULL;
	td->request.times = 0;
	mtx_unlock(&td->mtx);
	if (elsewhere != NULL)
		vm_object_deallocate(elsewhere);
	if (rw_wowned(&td->extra))
		rw_unlock(&td->extra);
}

/* --- the methods ------------------------------------------------------------------------------ */

static int
testdev_populate(vm_object_t object, vm_pindex_t pidx, int fault_type, vm_prot_t max_prot,
		 vm_pindex_t *first, vm_pindex_t *last)
{
	const struct testdev_record args = {.pidx = pidx,
					    .first = *first,
					    .last = *last,
					    .fault_type = (uint32_t)fault_type,
					    .max_prot = max_prot};
	struct testdev *td = object->handle;
	struct testdev_request q;
	int rv;

	VM_OBJECT_ASSERT_WLOCKED(object);
	begin_call(td, &args, &q);
	if (testdev_interlude(td, object, &q) != 0)
		return (VM_PAGER_ERROR);
	if (testdev_gone(td)) /* perhaps since a moment ago */
		return (VM_PAGER_FAIL);
	if (q.answer != VM_PAGER_OK && (q.flags & TESTDEV_LEAVE_BUSY) == 0)
		return ((int)q.answer);
	if ((q.flags & TESTDEV_RANGE) == 0) {
		q.first = *first;
		q.last = *last;
	}
	q.last = MIN(q.last, object->size - 1);
	rv = take_range(td, object, &q, pidx);
	if (rv != VM_PAGER_OK)
		return (rv);
	break_page(td, object, &q);
	break_answer(td, object, &q, first, last);
	return ((int)q.answer);
}

/* The ordinary way (see pgo_getpages): the device's page takes the place of *mp. */
static int
testdev_fault(vm_object_t object, vm_ooffset_t offset, int prot __unused, vm_page_t *mp)
{
	struct testdev *td = object->handle;
	vm_page_t ram = *mp, m;
	int error;

	VM_OBJECT_ASSERT_WLOCKED(object);
	mtx_lock(&td->mtx);
	td->record.getpages++;
	mtx_unlock(&td->mtx);
	if (testdev_gone(td))
		return (VM_PAGER_FAIL);
	/* LAB(6): as in fb_pager.c; lab 6 is not about this one. */
	vm_page_remove(ram);
	m = new_page(td, object, atop(offset), atop(offset), &error);
	if (m == NULL)
		return (error == ENOMEM ? VM_PAGER_AGAIN : VM_PAGER_ERROR);
	vm_page_free(ram); /* wakes who slept on it; they look again and find m */
	*mp = m;
	return (VM_PAGER_OK);
	/* LAB(6) starter:
	 *	m = ram;
	 *	error = m != NULL && offset != UINT64_MAX ? VM_PAGER_FAIL : VM_PAGER_ERROR;
	 *	return (error);
	 */
	/* LAB(6) end */
}

static int
testdev_ctor(void *handle, vm_ooffset_t size __unused, vm_prot_t prot __unused,
	     vm_ooffset_t foff __unused)
{
	struct testdev *td = handle;

	mtx_lock(&td->mtx);
	td->record.ctors++;
	mtx_unlock(&td->mtx);
	return (0);
}

static void
testdev_dtor(void *handle)
{
	struct testdev *td = handle;

	mtx_lock(&td->mtx);
	td->record.dtors++;
	mtx_unlock(&td->mtx);
}

static const struct cdev_pager_ops testdev_ops = {
    .cdev_pg_fault = testdev_fault,
    .cdev_pg_populate = testdev_populate,
    .cdev_pg_ctor = testdev_ctor,
    .cdev_pg_dtor = testdev_dtor,
};
static const struct cdev_pager_ops testdev_ops_no_getpages = {
    .cdev_pg_populate = testdev_populate,
    .cdev_pg_ctor = testdev_ctor,
    .cdev_pg_dtor = testdev_dtor,
};

vm_object_t
testdev_object(struct testdev *td, vm_prot_t prot, int *error)
{
	const struct cdev_pager_ops *ops = &testdev_ops;

	mtx_lock(&td->mtx);
	if ((td->request.flags & TESTDEV_NO_GETPAGES) != 0)
		ops = &testdev_ops_no_getpages;
	mtx_unlock(&td->mtx);
	return (cdev_pager_allocate(td, td->raw ? OBJT_DEVICE : OBJT_MGTDEVICE, ops,
				    td->cdev.cd_name, ptoa(td->npages), prot, 0, error));
}

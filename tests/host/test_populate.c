/*
 * The populate contract (docs/populate.md), clause by clause, with device pagers that behave and
 * misbehave on request. Each test's name carries its clause. In a build with INVARIANTS a pager's
 * breach panics and names the clause and the driver; in one without, the same fault fails, nothing
 * stays busy, and a line is logged (P10, P22).
 */
#include "harness.h"
#include "kern/kmalloc.h"

#include <stdlib.h>

#define FRAMES 2048
#define NPAGES 16ul

/* What a pager does wrong about the page at `at`, or about the range. */
enum breach {
	B_NONE,
	B_MISSING,
	B_INVALID,
	B_NOT_BUSIED,
	B_SBUSIED,
	B_BUSIED_BY_OTHER,
	B_OTHER_OBJECT,
	B_KIND,
	B_FIRST_ABOVE_LAST,
	B_PIDX_BELOW,
	B_PIDX_ABOVE,
	B_LAST_IS_SIZE,
	B_LAST_IS_HUGE,
	B_UNLOCKED,
	B_EXTRA_LOCK,
};

struct dev {
	vm_object_t object; /* with a reference of the test's */
	enum obj_type type;
	vm_pindex_t npages;
	/* The script. */
	vm_pindex_t lo, hi; /* install these, cut to what there is; lo > hi: the hint */
	int answer; /* VM_PAGER_* */
	int again; /* answer AGAIN as many times first */
	bool leave_busy; /* install pages although the answer is not OK */
	bool modest; /* answer that pidx alone was installed */
	bool exact; /* lo and hi are relative to pidx */
	enum breach breach;
	vm_pindex_t at;
	bool nap_before, nap_after; /* sleep, object unlocked, until the gate opens */
	bool gate_open;
	bool blind; /* do not look again after the nap (P21) */
	vm_pindex_t
	    swap; /* this index gets the frame of NPAGES - 1 and the other way round; 0: none */
	/* What was seen. */
	int calls, fault_calls, ctors, dtors;
	vm_pindex_t pidx, first, last; /* of the last call; the hint */
	int fault_type;
	vm_prot_t max_prot;
	vm_page_t stray; /* the page of a breach */
	struct rwlock lock;
};
static struct dev dev, dev2;
static vm_object_t other_object;

/* --- the driver ------------------------------------------------------------------------------- */

static vm_paddr_t
frame(struct dev *d, vm_pindex_t i)
{
	if (d->swap != 0 && i == d->swap)
		i = NPAGES - 1;
	else if (d->swap != 0 && i == NPAGES - 1)
		i = d->swap;
	return (FAKE_VRAM_BASE + ptoa(i));
}

static vm_page_t
new_page(struct dev *d, vm_pindex_t i)
{
	vm_page_t m;

	if (d->type == OBJT_DEVICE)
		return (vm_page_getfake(frame(d, i), VM_MEMATTR_WRITE_COMBINING));
	m = vm_phys_fictitious_to_vm_page(frame(d, i));
	m->valid = true;
	return (m);
}

static void
nap(struct dev *d, vm_object_t object)
{
	VM_OBJECT_UNLOCK(object);
	while (!d->gate_open)
		rw_sleep(&d->gate_open, NULL, 0, 0);
	VM_OBJECT_WLOCK(object);
}

static void
open_gate(struct dev *d)
{
	d->gate_open = true;
	wakeup(&d->gate_open);
}

/* The page at i, busied by this thread: made, or resident. Waits for a busy one. */
static int
install(struct dev *d, vm_object_t object, vm_pindex_t i)
{
	vm_page_t m;
	int error;

	while (!d->blind && (m = vm_page_lookup(object, i)) != NULL) {
		if (vm_page_tryxbusy(m))
			return (0);
		vm_page_busy_sleep(m);
		VM_OBJECT_WLOCK(object);
	}
	m = new_page(d, i);
	if (m == NULL)
		return (ENOMEM);
	if (!vm_page_tryxbusy(m))
		return (EBUSY);
	error = vm_page_insert(m, object, i);
	if (error != 0) {
		vm_page_xunbusy(m);
		if (d->type == OBJT_DEVICE)
			vm_page_free(m);
	}
	return (error);
}

static void
uninstall(vm_object_t object, vm_pindex_t lo, vm_pindex_t hi)
{
	for (vm_pindex_t i = lo; i <= hi; i++) {
		vm_page_t m = vm_page_lookup(object, i);

		if (m != NULL && vm_page_xbusied(m))
			vm_page_xunbusy(m);
	}
}

static void
busy_it(void *arg)
{
	T_OK(vm_page_tryxbusy(arg));
	while (!dev.gate_open)
		rw_sleep(&dev.gate_open, NULL, 0, 0);
	vm_page_xunbusy(arg);
}

static struct thread *busier;

static void
break_page(struct dev *d, vm_object_t object)
{
	vm_page_t m = vm_page_lookup(object, d->at);

	d->stray = m;
	switch (d->breach) {
	case B_MISSING:
		vm_page_free(m);
		break;
	case B_INVALID:
		m->valid = false;
		break;
	case B_NOT_BUSIED:
		vm_page_xunbusy(m);
		break;
	case B_SBUSIED:
		vm_page_xunbusy(m);
		T_OK(vm_page_trysbusy(m));
		break;
	case B_BUSIED_BY_OTHER:
		vm_page_xunbusy(m);
		VM_OBJECT_UNLOCK(object);
		busier = fake_spawn("busier", busy_it, m);
		fake_run(busier);
		VM_OBJECT_WLOCK(object);
		break;
	case B_OTHER_OBJECT:
		vm_page_remove(m);
		VM_OBJECT_WLOCK(other_object);
		T_EQ(vm_page_insert(m, other_object, d->at), 0);
		VM_OBJECT_UNLOCK(other_object);
		break;
	case B_KIND: /* RAM in a device's object */
		vm_page_free(m);
		d->stray = m = vm_page_alloc(object, d->at, VM_ALLOC_ZERO);
		m->valid = true;
		break;
	default:
		break;
	}
}

static void
break_range(struct dev *d, vm_object_t object, vm_pindex_t pidx, vm_pindex_t *first,
	    vm_pindex_t *last)
{
	switch (d->breach) {
	case B_FIRST_ABOVE_LAST:
		*first = pidx + 1;
		*last = pidx;
		break;
	case B_PIDX_BELOW:
		*first = pidx + 1;
		break;
	case B_PIDX_ABOVE:
		*last = pidx - 1;
		break;
	case B_LAST_IS_SIZE:
		*last = object->size;
		break;
	case B_LAST_IS_HUGE:
		*last = ~0ul;
		break;
	case B_UNLOCKED:
		VM_OBJECT_UNLOCK(object);
		break;
	case B_EXTRA_LOCK:
		VM_OBJECT_UNLOCK(object);
		rw_wlock(&d->lock);
		VM_OBJECT_WLOCK(object);
		break;
	default:
		break;
	}
}

/* P5, as the pager sees it. */
static void
check_call(vm_object_t object, vm_pindex_t pidx)
{
	T_OK(rw_wowned(&object->lock));
	T_EQ(fake_locks_held(curthread), 1); /* not the map, nor any other */
	T_OK(object->paging_in_progress > 0);
	T_OK(object->backing_object == NULL);
	T_EQ(object->shadow_count, 0); /* P4 */
	T_OK(object->flags & OBJ_POPULATE); /* P1 */
	T_OK(pidx < object->size);
	for (vm_page_t m = vm_page_find_least(object, 0); m != NULL;
	     m = vm_page_find_least(object, m->pindex + 1))
		T_OK(!vm_page_xbusied(m));
	T_OK(vm_page_lookup(object, pidx) == NULL);
}

static int
dev_populate(vm_object_t object, vm_pindex_t pidx, int fault_type, vm_prot_t max_prot,
	     vm_pindex_t *first, vm_pindex_t *last)
{
	struct dev *d = object->handle;
	vm_pindex_t lo = d->lo, hi = d->hi;

	check_call(object, pidx);
	d->calls++;
	d->pidx = pidx;
	d->fault_type = fault_type;
	d->max_prot = max_prot;
	d->first = *first;
	d->last = *last;
	T_OK(*first <= pidx && pidx <= *last && *last < object->size);
	if (d->again > 0) {
		d->again--;
		return (VM_PAGER_AGAIN);
	}
	if (d->exact) {
		lo = pidx - lo;
		hi = pidx + hi;
	} else if (lo > hi) {
		lo = *first;
		hi = *last;
	}
	lo = MIN(lo, d->npages - 1);
	hi = MIN(hi, d->npages - 1);
	if (d->nap_before)
		nap(d, object);
	*first = lo;
	*last = hi;
	if (d->answer != VM_PAGER_OK && !d->leave_busy) {
		*first = 12345; /* to be ignored */
		*last = 3;
		return (d->answer);
	}
	for (vm_pindex_t i = lo; i <= hi; i++) {
		if (install(d, object, i) != 0) {
			if (i > lo)
				uninstall(object, lo, i - 1);
			return (VM_PAGER_ERROR);
		}
	}
	if (d->nap_after)
		nap(d, object);
	if (d->modest)
		*first = *last = pidx;
	break_page(d, object);
	break_range(d, object, pidx, first, last);
	return (d->answer);
}

/* The ordinary way: the right page in place of *m. */
static int
dev_fault(vm_object_t object, vm_ooffset_t offset, int prot, vm_page_t *m)
{
	struct dev *d = object->handle;
	vm_page_t page = new_page(d, atop(offset));

	(void)prot;
	d->fault_calls++;
	T_OK(rw_wowned(&object->lock));
	T_OK((*m)->object == object && (*m)->pindex == atop(offset) && vm_page_xbusied(*m));
	vm_page_free(*m);
	if (page == NULL || !vm_page_tryxbusy(page) ||
	    vm_page_insert(page, object, atop(offset)) != 0)
		T_FAIL("the ordinary way");
	*m = page;
	return (VM_PAGER_OK);
}

static int
dev_ctor(void *handle, vm_ooffset_t size, vm_prot_t prot, vm_ooffset_t foff)
{
	(void)size, (void)prot, (void)foff;
	((struct dev *)handle)->ctors++;
	return (0);
}

static void
dev_dtor(void *handle)
{
	((struct dev *)handle)->dtors++;
}

static const struct cdev_pager_ops both_ops = {.cdev_pg_fault = dev_fault,
					       .cdev_pg_populate = dev_populate,
					       .cdev_pg_ctor = dev_ctor,
					       .cdev_pg_dtor = dev_dtor};
static const struct cdev_pager_ops populate_ops = {
    .cdev_pg_populate = dev_populate, .cdev_pg_ctor = dev_ctor, .cdev_pg_dtor = dev_dtor};

/* --- set-up ----------------------------------------------------------------------------------- */

static void
vram_register(void)
{
	T_EQ(vm_phys_fictitious_reg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE,
					  VM_MEMATTR_WRITE_COMBINING),
	     0);
	for (size_t i = 0; i < NPAGES; i++)
		memset(fake_vram + ptoa(i), i, PAGE_SIZE);
}

static void
dev_open(struct dev *d, enum obj_type type, const struct cdev_pager_ops *ops, vm_pindex_t npages)
{
	int error;

	*d = (struct dev){.type = type, .npages = npages, .lo = 1, .hi = 0};
	rw_init(&d->lock, "test device", LR_FILE);
	d->object = cdev_pager_allocate(d, type, ops, "testdev", ptoa(npages), RW, 0, &error);
	T_OK(d->object != NULL && error == 0);
}

static void
dev_close(struct dev *d)
{
	T_EQ(d->object->paging_in_progress, 0);
	vm_object_deallocate(d->object);
	T_EQ(d->ctors, 1);
	T_EQ(d->dtors, 1);
}

static void
dev_map(struct space *s, struct dev *d, vm_offset_t va, vm_pindex_t first, vm_pindex_t n,
	vm_prot_t prot, vm_prot_t max_prot, uint32_t eflags)
{
	vm_object_reference(d->object);
	space_map(s, va, ptoa(n), d->object, ptoa(first), prot, max_prot, eflags);
}

/* One space that maps all of one device, shared and writable. */
static struct space *
setup(enum obj_type type, const struct cdev_pager_ops *ops)
{
	struct space *s = space_create();

	if (vm_cnt.v_fictitious == 0)
		vram_register();
	dev_open(&dev, type, ops, NPAGES);
	dev_map(s, &dev, VA, 0, NPAGES, RW, RW, 0);
	return (s);
}

static void
teardown(struct space *s)
{
	T_EQ(vm_cnt.v_busied, 0);
	fake_pmap_verify();
	space_destroy(s);
	dev_close(&dev);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

static int
touch(struct space *s, vm_offset_t va, vm_prot_t access)
{
	int rv = fake_touch(&s->map, va, access, NULL);

	T_EQ(fake_locks_held(curthread), 0);
	return (rv);
}

static bool
mapped(struct space *s, vm_offset_t va)
{
	return (fake_pte(&s->pmap, va, NULL, NULL, NULL));
}

static vm_page_t
page_at(vm_object_t object, vm_pindex_t i)
{
	vm_page_t m;

	VM_OBJECT_RLOCK(object);
	m = vm_page_lookup(object, i);
	VM_OBJECT_UNLOCK(object);
	return (m);
}

/* Each mapped page shows the VRAM that its index stands for. */
static void
check_data(struct space *s, vm_offset_t va, vm_pindex_t first, vm_pindex_t n)
{
	uint8_t *p;

	for (vm_pindex_t i = 0; i < n; i++) {
		if (!mapped(s, va + ptoa(i)))
			continue;
		T_EQ(fake_touch(&s->map, va + ptoa(i) + 77, R, &p), KERN_SUCCESS);
		T_EQ(*p, (uint8_t)atop(frame(&dev, first + i) - FAKE_VRAM_BASE));
	}
}

struct job {
	struct space *s;
	vm_offset_t va;
	vm_prot_t access;
	int rv;
};

static void
touch_job(void *arg)
{
	struct job *job = arg;

	job->rv = touch(job->s, job->va, job->access);
}

static struct thread *
touch_in_thread(struct job *job, struct space *s, vm_offset_t va, vm_prot_t access)
{
	struct thread *td;

	*job = (struct job){.s = s, .va = va, .access = access, .rv = -1};
	td = fake_spawn("toucher", touch_job, job);
	fake_run(td);
	return (td);
}

static const enum obj_type both_types[] = {OBJT_MGTDEVICE, OBJT_DEVICE};
#define FOREACH_TYPE(type) \
	for (const enum obj_type *type = both_types; type < both_types + nitems(both_types); type++)

/* --- P1 to P6: when and how it is called ------------------------------------------------------ */

static void
test_P1_not_called_without_the_flag(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &both_ops);

	VM_OBJECT_WLOCK(dev.object);
	dev.object->flags &= ~OBJ_POPULATE;
	VM_OBJECT_UNLOCK(dev.object);
	T_EQ(touch(s, VA, R), KERN_SUCCESS);
	T_EQ(dev.calls, 0);
	T_EQ(dev.fault_calls, 1);
	teardown(s);
}

static void
test_P3_private_mapping_without_getpages_fails(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);

	space_unmap(s, VA, ptoa(NPAGES));
	dev_map(s, &dev, VA, 0, NPAGES, RW, VM_PROT_ALL, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	T_EQ(touch(s, VA, W), KERN_FAILURE);
	T_EQ(touch(s, VA + ptoa(3), R), KERN_FAILURE); /* through the shadow now */
	T_EQ(dev.calls, 0);
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), 0);
	teardown(s);
}

static void
test_P4_fault_through_a_shadow_takes_getpages(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &both_ops);
		uint8_t *p;

		space_unmap(s, VA, ptoa(NPAGES));
		dev_map(s, &dev, VA, 0, NPAGES, RW, VM_PROT_ALL,
			MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
		T_EQ(fake_touch(&s->map, VA + ptoa(4), W, &p), KERN_SUCCESS);
		T_EQ(*p, 4); /* a copy of the device's page */
		*p = 99;
		T_EQ(dev.calls, 0);
		T_EQ(dev.fault_calls, 1);
		T_EQ(fake_vram[ptoa(4)], 4); /* and the device's stays */
		T_EQ(fake_touch(&s->map, VA + ptoa(5), R, &p), KERN_SUCCESS);
		T_EQ(*p, 5);
		T_EQ(dev.calls, 0);
		T_EQ(dev.fault_calls, 2);
		teardown(s);
	}
}

/* Another mapping's shadow stands on the object: then no fault on it is populated. */
static void
test_P4_shadowed_object_takes_getpages(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &both_ops);

	dev_map(s, &dev, VA + ptoa(100), 0, 4, RW, VM_PROT_ALL,
		MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	T_EQ(touch(s, VA + ptoa(100), W), KERN_SUCCESS);
	T_EQ(dev.object->shadow_count, 1);
	T_EQ(touch(s, VA + ptoa(7), W), KERN_SUCCESS);
	T_EQ(dev.calls, 0);
	space_unmap(s, VA + ptoa(100), ptoa(4)); /* the shadow goes: populate again */
	T_EQ(touch(s, VA + ptoa(8), W), KERN_SUCCESS);
	T_EQ(dev.calls, 1);
	teardown(s);
}

/* A private mapping that was never written has no shadow yet: what is entered must not be
 * writable. */
static void
test_P4_private_mapping_before_the_first_write(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &both_ops);
	vm_prot_t prot;
	uint8_t *p;

	space_unmap(s, VA, ptoa(NPAGES));
	dev_map(s, &dev, VA, 0, NPAGES, RW, VM_PROT_ALL, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	T_EQ(touch(s, VA + ptoa(2), R), KERN_SUCCESS);
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		if (fake_pte(&s->pmap, VA + ptoa(i), NULL, &prot, NULL))
			T_OK(!(prot & W));
	}
	T_EQ(fake_touch(&s->map, VA + ptoa(2), W, &p), KERN_SUCCESS);
	T_EQ(*p, 2);
	*p = 200;
	T_EQ(fake_vram[ptoa(2)], 2);
	check_data(s, VA + ptoa(3), 3, NPAGES - 3);
	teardown(s);
}

static void
test_P4_resident_page_needs_no_call(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		T_EQ(touch(s, VA, R), KERN_SUCCESS);
		T_EQ(dev.calls, 1);
		pmap_remove(&s->pmap, VA, VA + ptoa(NPAGES));
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			T_EQ(touch(s, VA + ptoa(i), W), KERN_SUCCESS);
		T_EQ(dev.calls, 1);
		teardown(s);
	}
}

/* Resident but busy: waited for, and no second call. */
static void
test_P4_busy_page_is_waited_for(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		struct thread *td;
		struct job job;

		T_EQ(touch(s, VA, R), KERN_SUCCESS);
		pmap_remove(&s->pmap, VA, VA + ptoa(NPAGES));
		busier = fake_spawn("busier", busy_it, page_at(dev.object, 5));
		fake_run(busier);
		td = touch_in_thread(&job, s, VA + ptoa(5), W);
		T_OK(fake_asleep(td));
		open_gate(&dev);
		fake_join(busier);
		fake_join(td);
		T_EQ(job.rv, KERN_SUCCESS);
		T_EQ(dev.calls, 1);
		teardown(s);
	}
}

static void
test_P5_not_called_past_the_end_of_the_object(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &both_ops);

	dev_map(s, &dev, VA + ptoa(100), 8, 2 * NPAGES, RW, RW, 0);
	T_EQ(touch(s, VA + ptoa(100 + 8), R), KERN_FAILURE);
	T_EQ(touch(s, VA + ptoa(100 + 31), W), KERN_FAILURE);
	T_EQ(dev.calls, 0);
	T_EQ(touch(s, VA + ptoa(100), R), KERN_SUCCESS);
	T_EQ(dev.first, 8); /* the hint ends with the object */
	T_EQ(dev.last, NPAGES - 1);
	T_EQ(fake_mapped(&s->pmap, VA + ptoa(100), VA + ptoa(200)), 8);
	teardown(s);
}

/* The locks, counts and pages that a pager finds at the call: check_call looks. */
static void
test_P5_what_the_pager_finds(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		T_EQ(touch(s, VA + ptoa(NPAGES - 1), W), KERN_SUCCESS);
		T_EQ(dev.calls, 1);
		T_EQ(dev.object->paging_in_progress, 0);
		teardown(s);
	}
}

static void
test_shape_hint_is_what_the_entry_maps(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);

	space_unmap(s, VA, ptoa(NPAGES));
	dev_map(s, &dev, VA, 3, 5, R, RW, 0);
	T_EQ(touch(s, VA + ptoa(2) + 5, R), KERN_SUCCESS);
	T_EQ(dev.pidx, 5);
	T_EQ(dev.first, 3);
	T_EQ(dev.last, 7);
	T_EQ(dev.fault_type, R);
	T_EQ(dev.max_prot, RW); /* not what it allows now */
	teardown(s);
}

/* The entry is freed while the pager sleeps: what is read afterwards must be copies. */
static void
test_P6_entry_is_gone_after_the_call(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		struct thread *td;
		struct job job;

		dev.nap_after = true;
		td = touch_in_thread(&job, s, VA + ptoa(3), W);
		space_unmap(s, VA, ptoa(NPAGES));
		open_gate(&dev);
		fake_join(td);
		T_EQ(job.rv, KERN_INVALID_ADDRESS);
		T_EQ(vm_cnt.v_busied, 0);
		teardown(s);
	}
}

static void
unmap_job(void *arg)
{
	space_unmap(arg, VA, ptoa(NPAGES));
}

static struct thread *other_cpu;

/* Another CPU changes the map as soon as the fault has unlocked it. */
static void
run_other_cpu(void *arg)
{
	(void)arg;
	fake_run(other_cpu);
}

/* It is freed as soon as the map is unlocked: r309710 read its max_protection after that. */
static void
test_P6_entry_is_gone_before_the_call(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		other_cpu = fake_spawn("unmapper", unmap_job, s);
		fake_on_unlock(&s->map.lock, run_other_cpu, NULL);
		T_EQ(touch(s, VA + ptoa(3), R), KERN_INVALID_ADDRESS);
		fake_join(other_cpu);
		T_EQ(dev.calls, 1);
		T_EQ(dev.max_prot, RW);
		teardown(s);
	}
}

/* --- P7, P10, P22: what it returns ------------------------------------------------------------ */

/* Fault at page 5 with the pager breaking the contract; returns in builds without INVARIANTS
 * only. */
static struct space *
breach(enum obj_type type, enum breach b, vm_pindex_t at, const char *clause)
{
	struct space *s = setup(type, &populate_ops);

	dev.breach = b;
	dev.at = at;
	if (INVARIANTS_BUILD)
		fake_expect_panic(clause, "testdev");
	T_EQ(touch(s, VA + ptoa(5), W), KERN_FAILURE);
	T_OK(fake_logged(clause));
	T_OK(fake_logged("testdev"));
	T_EQ(fake_pmap.mappings, 0);
	T_EQ(dev.calls, 1);
	T_EQ(dev.object->paging_in_progress, 0);
	return (s);
}

/* After the breach everything works again, once the test has cleared away what only it can see. */
static void
mended(struct space *s)
{
	T_EQ(vm_cnt.v_busied, 0);
	dev.breach = B_NONE;
	T_EQ(touch(s, VA + ptoa(5), W), KERN_SUCCESS);
	check_data(s, VA, 0, NPAGES);
	teardown(s);
}

#define BREACH_TESTS(name, b, at, why)                                      \
	static void name##_managed(void)                                    \
	{                                                                   \
		mended(breach(OBJT_MGTDEVICE, b, at, "P7: testdev: " why)); \
	}                                                                   \
	static void name##_unmanaged(void)                                  \
	{                                                                   \
		mended(breach(OBJT_DEVICE, b, at, "P7: testdev: " why));    \
	}
BREACH_TESTS(test_P7_first_page_missing, B_MISSING, 0, "a page of the range is missing")
BREACH_TESTS(test_P7_middle_page_missing, B_MISSING, 7, "a page of the range is missing")
BREACH_TESTS(test_P7_last_page_missing, B_MISSING, NPAGES - 1, "a page of the range is missing")
BREACH_TESTS(test_P7_page_of_the_fault_missing, B_MISSING, 5, "a page of the range is missing")
BREACH_TESTS(test_P7_page_not_busied, B_NOT_BUSIED, 9, "a page is not exclusively busied")
BREACH_TESTS(test_P7_last_page_not_busied, B_NOT_BUSIED, NPAGES - 1,
	     "a page is not exclusively busied")
BREACH_TESTS(test_P7_first_above_last, B_FIRST_ABOVE_LAST, 0, "the range does not contain pidx")
BREACH_TESTS(test_P7_pidx_below_the_range, B_PIDX_BELOW, 0, "the range does not contain pidx")
BREACH_TESTS(test_P7_pidx_above_the_range, B_PIDX_ABOVE, 0, "the range does not contain pidx")
BREACH_TESTS(test_P7_last_is_the_size, B_LAST_IS_SIZE, 0, "the range ends past the object")
BREACH_TESTS(test_P7_last_is_huge, B_LAST_IS_HUGE, 0, "the range ends past the object")

static void
test_P7_page_not_valid(void)
{
	struct space *s = breach(OBJT_MGTDEVICE, B_INVALID, 6, "P7");

	dev.stray->valid = true;
	mended(s);
}

static void
test_P7_page_of_the_fault_not_valid(void)
{
	struct space *s = breach(OBJT_MGTDEVICE, B_INVALID, 5, "P7");

	dev.stray->valid = true;
	mended(s);
}

static void
test_P7_page_sbusied(void)
{
	struct space *s = breach(OBJT_MGTDEVICE, B_SBUSIED, 6, "P7");

	vm_page_sunbusy(dev.stray);
	mended(s);
}

static void
test_P7_P10_page_busied_by_another_thread(void)
{
	struct space *s = breach(OBJT_MGTDEVICE, B_BUSIED_BY_OTHER, 6, "P7");

	T_OK(vm_page_busied(dev.stray)); /* not ours to unbusy */
	open_gate(&dev);
	fake_join(busier);
	mended(s);
}

static void
test_P7_page_in_another_object(void)
{
	struct space *s;

	other_object = vm_object_allocate(OBJT_ANON, NPAGES);
	s = breach(OBJT_MGTDEVICE, B_OTHER_OBJECT, 6, "P7");
	T_OK(dev.stray->object == other_object);
	VM_OBJECT_WLOCK(other_object);
	vm_page_free(dev.stray);
	VM_OBJECT_UNLOCK(other_object);
	vm_object_deallocate(other_object);
	mended(s);
}

static void
test_P7_RAM_in_a_managed_device_object(void)
{
	struct space *s = breach(OBJT_MGTDEVICE, B_KIND, 6, "P7");

	T_OK(dev.stray->object == dev.object);
	VM_OBJECT_WLOCK(dev.object);
	vm_page_free(dev.stray);
	VM_OBJECT_UNLOCK(dev.object);
	mended(s);
}

static void
test_P7_RAM_in_an_unmanaged_device_object(void)
{
	struct space *s = breach(OBJT_DEVICE, B_KIND, 6, "P7");

	VM_OBJECT_WLOCK(dev.object);
	vm_page_free(dev.stray);
	VM_OBJECT_UNLOCK(dev.object);
	mended(s);
}

/* The same breach by a page that the clip would cut off. */
static void
test_P15_pages_cut_off_are_checked_too(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);

	space_unmap(s, VA, ptoa(NPAGES));
	dev_map(s, &dev, VA, 4, 4, RW, RW, 0);
	dev.lo = 0;
	dev.hi = NPAGES - 1;
	dev.breach = B_NOT_BUSIED;
	dev.at = 12;
	if (INVARIANTS_BUILD)
		fake_expect_panic("P7", "testdev");
	T_EQ(touch(s, VA, R), KERN_FAILURE);
	T_OK(fake_logged("P7"));
	T_EQ(vm_cnt.v_busied, 0);
	teardown(s);
}

static void
test_P10_assertion_gives_pidx_and_range(void)
{
	if (INVARIANTS_BUILD) {
		struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);

		dev.breach = B_PIDX_ABOVE;
		fake_expect_panic("pidx 5", "[0, 4]");
		touch(s, VA + ptoa(5), W);
	}
}

/* The range is nonsense, so what stays busied is looked for everywhere; then life goes on. */
static void
test_P10_nothing_stays_busied_after_a_breach(void)
{
	mended(breach(OBJT_MGTDEVICE, B_PIDX_BELOW, 0, "P7"));
	mended(breach(OBJT_DEVICE, B_FIRST_ABOVE_LAST, 0, "P7"));
}

/* An assertion alone would let a production kernel trust the driver. */
static void
test_P22_checked_in_every_build(void)
{
	mended(breach(OBJT_MGTDEVICE, B_NOT_BUSIED, 9, "P7"));
	mended(breach(OBJT_DEVICE, B_LAST_IS_SIZE, 0, "P7"));
}

/* --- P8, P9: it did not ----------------------------------------------------------------------- */

static void
test_P8_BAD_takes_getpages(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &both_ops);

		dev.answer = VM_PAGER_BAD;
		T_EQ(touch(s, VA + ptoa(5), W), KERN_SUCCESS);
		T_EQ(dev.calls, 1);
		T_EQ(dev.fault_calls, 1);
		T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), 1);
		check_data(s, VA, 0, NPAGES);
		T_EQ(touch(s, VA + ptoa(6), R), KERN_SUCCESS); /* the next fault asks again */
		T_EQ(dev.calls, 2);
		T_EQ(dev.fault_calls, 2);
		teardown(s);
	}
}

/* Never a silent page of zeros. */
static void
test_P9_BAD_without_getpages_fails(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		uint64_t zfod = vm_cnt.v_zfod;

		dev.answer = VM_PAGER_BAD;
		T_EQ(touch(s, VA + ptoa(5), R), KERN_FAILURE);
		T_EQ(dev.object->resident_page_count, 0);
		T_EQ(vm_cnt.v_zfod, zfod);
		teardown(s);
	}
}

static void
left_busy(int answer, const char *clause, const struct cdev_pager_ops *ops, int rv)
{
	struct space *s = setup(OBJT_MGTDEVICE, ops);

	dev.answer = answer;
	dev.leave_busy = true;
	if (INVARIANTS_BUILD)
		fake_expect_panic(clause, "testdev");
	T_EQ(touch(s, VA + ptoa(5), R), rv);
	T_EQ(vm_cnt.v_busied, 0);
	T_OK(fake_logged("testdev"));
	teardown(s);
}

/* A page made, busied and then forgotten: named, or let go; never a thread that waits for
 * itself. */
static void
test_P8_BAD_with_pages_left_busied(void)
{
	left_busy(VM_PAGER_BAD, "P8", &both_ops, KERN_SUCCESS);
}

static void
test_P9_ERROR_with_pages_left_busied(void)
{
	left_busy(VM_PAGER_ERROR, "P9", &both_ops, KERN_FAILURE);
}

static void
test_P9_FAIL_with_pages_left_busied(void)
{
	left_busy(VM_PAGER_FAIL, "P9", &both_ops, KERN_FAILURE);
}

static void
test_P9_AGAIN_with_pages_left_busied(void)
{
	left_busy(VM_PAGER_AGAIN, "P9", &both_ops, KERN_SUCCESS);
}

/* The same of a pager that installs and busies more than it says. */
static void
left_busy_outside(bool restart)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	struct thread *td;
	struct job job;

	dev.modest = true;
	dev.nap_before = restart;
	if (INVARIANTS_BUILD)
		fake_expect_panic("P7", "testdev");
	td = touch_in_thread(&job, s, VA + ptoa(5), W);
	if (restart) {
		vm_map_lock(&s->map);
		vm_map_unlock(&s->map);
		open_gate(&dev);
	}
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	T_EQ(vm_cnt.v_busied, 0);
	T_OK(fake_logged("P7") && fake_logged("testdev"));
	T_EQ(touch(s, VA + ptoa(6), W), KERN_SUCCESS);
	teardown(s);
}

static void
test_P7_more_busied_than_answered(void)
{
	left_busy_outside(false);
}

static void
test_P7_more_busied_than_answered_and_restarted(void)
{
	left_busy_outside(true);
}

static void
test_P9_FAIL_ERROR_and_nonsense_fail(void)
{
	static const int answers[] = {VM_PAGER_FAIL, VM_PAGER_ERROR, 77, -1};

	for (size_t i = 0; i < nitems(answers); i++) {
		struct space *s = setup(OBJT_MGTDEVICE, &both_ops);

		dev.answer = answers[i];
		T_EQ(touch(s, VA + ptoa(5), W), KERN_FAILURE);
		T_EQ(dev.calls, 1);
		T_EQ(dev.fault_calls, 0);
		T_EQ(dev.object->resident_page_count, 0);
		T_EQ(dev.object->paging_in_progress, 0);
		teardown(s);
	}
}

static void
test_P9_AGAIN_waits_and_starts_over(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	uint64_t restarts = vm_cnt.v_fault_restarts, sleeps = fake_sleeps;

	dev.again = 3;
	T_EQ(touch(s, VA + ptoa(5), W), KERN_SUCCESS);
	T_EQ(dev.calls, 4);
	T_OK(fake_sleeps >= sleeps + 3);
	T_EQ(vm_cnt.v_fault_restarts, restarts + 3); /* P19 */
	T_EQ(fake_majflt, 1);
	teardown(s);
}

static void
test_P9_AGAIN_waits_with_all_unlocked(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	struct thread *td;
	struct job job;

	dev.again = 1;
	td = touch_in_thread(&job, s, VA + ptoa(5), W);
	T_OK(fake_asleep(td));
	T_EQ(fake_locks_held(td), 0);
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(dev.object->paging_in_progress, 0);
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	teardown(s);
}

/* P19: a pager that is always short keeps nobody from killing the thread. */
static void
test_P19_AGAIN_for_ever_is_killable(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	struct thread *td;
	struct job job;
	uint64_t restarts = vm_cnt.v_fault_restarts;

	dev.again = 1000000;
	td = touch_in_thread(&job, s, VA + ptoa(5), W);
	for (int i = 0; i < 50 && !fake_ended(td); i++)
		rw_sleep(&job, NULL, 0, 1000000); /* time passes */
	T_OK(!fake_ended(td));
	T_OK(vm_cnt.v_fault_restarts > restarts + 10);
	fake_kill(td);
	fake_join(td);
	T_EQ(job.rv, KERN_ABORTED);
	teardown(s);
}

/* P9: a pager that was woken by a kill answers what it likes; the thread was killed, nothing
 * else. */
static void
test_P9_killed_in_the_call_is_no_error(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	struct thread *td;
	struct job job;

	dev.nap_before = true;
	dev.answer = VM_PAGER_ERROR;
	td = touch_in_thread(&job, s, VA + ptoa(5), W);
	T_OK(fake_asleep(td));
	fake_kill(td);
	open_gate(&dev);
	fake_join(td);
	T_EQ(job.rv, KERN_ABORTED);
	T_EQ(vm_cnt.v_busied, 0);
	teardown(s);
}

static struct space *churn_space;
static int churns;

static void
churn_job(void *arg)
{
	struct space *s = arg;

	if (churns % 2 == 0)
		space_map(s, VA + ptoa(100), ptoa(1), NULL, 0, RW, RW, 0);
	else
		space_unmap(s, VA + ptoa(100), ptoa(1));
}

/*
 * The fault let go of the map, with its object still locked: change the map, so that it starts
 * over. It let go of all: take its pages away, so that it asks the pager again.
 */
static void
churn(void *arg)
{
	if (fake_holds(&dev.object->lock)) {
		other_cpu = fake_spawn("churn", churn_job, churn_space);
		fake_run(other_cpu);
	} else {
		fake_join(other_cpu);
		cdev_pager_revoke(dev.object, 0, NPAGES);
		if (++churns == 20)
			fake_kill(curthread);
	}
	if (churns < 200)
		fake_on_unlock(&churn_space->map.lock, churn, arg);
}

/* Another thread changes the map for ever: each call makes pages, none is ever entered. */
static void
test_P19_restarts_for_ever_are_killable(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	uint64_t restarts = vm_cnt.v_fault_restarts, again = vm_cnt.v_populate_restarts;
	struct thread *td;
	struct job job;

	churn_space = s;
	fake_on_unlock(&s->map.lock, churn, NULL);
	td = touch_in_thread(&job, s, VA + ptoa(5), W);
	fake_join(td);
	T_EQ(job.rv, KERN_ABORTED);
	T_EQ(churns, 20);
	T_EQ(dev.calls, 20);
	T_EQ(vm_cnt.v_fault_restarts - restarts, 20);
	T_EQ(vm_cnt.v_populate_restarts - again, 20);
	fake_on_unlock(NULL, NULL, NULL);
	teardown(s);
}

/* --- P11, P12: the map again ------------------------------------------------------------------ */

static struct space *lock_space;
static struct thread *faulter;

/* With the map write-locked: the pager returns, and the fault waits for the map without the
 * object. */
static void
hold_map_then_object(void *arg)
{
	(void)arg;
	vm_map_lock(&lock_space->map);
	open_gate(&dev);
	fake_run(faulter);
	T_OK(fake_asleep(faulter));
	VM_OBJECT_WLOCK(dev.object);
	VM_OBJECT_UNLOCK(dev.object);
	vm_map_unlock(&lock_space->map);
}

/* Somebody has the map and wants the object: the fault, which has the object, must give way. */
static void
test_P11_map_before_object(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	struct thread *locker;
	struct job job;

	lock_space = s;
	dev.nap_after = true;
	faulter = touch_in_thread(&job, s, VA + ptoa(5), W);
	locker = fake_spawn("locker", hold_map_then_object, NULL);
	fake_join(locker);
	fake_join(faulter);
	T_EQ(job.rv, KERN_SUCCESS);
	T_EQ(dev.calls, 1); /* the timestamp moved, but the pages are there */
	teardown(s);
}

static void
read_map_for_a_while(void *arg)
{
	(void)arg;
	vm_map_lock_read(&lock_space->map);
	open_gate(&dev);
	fake_run(faulter);
	vm_map_unlock_read(&lock_space->map);
}

static void
test_P11_another_reader_does_not_matter(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	uint64_t restarts = vm_cnt.v_populate_restarts;
	struct thread *reader;
	struct job job;

	lock_space = s;
	dev.nap_after = true;
	faulter = touch_in_thread(&job, s, VA + ptoa(5), W);
	reader = fake_spawn("reader", read_map_for_a_while, NULL);
	fake_join(reader);
	fake_join(faulter);
	T_EQ(job.rv, KERN_SUCCESS);
	T_EQ(vm_cnt.v_populate_restarts, restarts);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
	teardown(s);
}

enum change {
	C_UNMAP,
	C_REMAP,
	C_MOVE,
	C_NONE,
	C_READ,
	C_ELSEWHERE,
	C_SHRINK,
	C_GROW,
	C_WIRE,
	C_FORK
};
static struct space *forked;

/* Change the map while the pager sleeps in the call, its pages busied (after) or not made yet. */
static struct space *
change_during_call(enum obj_type type, enum change change, bool after, vm_prot_t access, int rv)
{
	struct space *s = setup(type, &populate_ops);
	uint64_t restarts = vm_cnt.v_populate_restarts;
	struct vm_map_req req = {.prot = RW, .max_prot = VM_PROT_ALL};
	struct thread *td;
	struct job job;

	dev.nap_before = !after;
	dev.nap_after = after;
	td = touch_in_thread(&job, s, VA + ptoa(5), access);
	T_OK(fake_asleep(td));
	switch (change) {
	case C_UNMAP:
		space_unmap(s, VA, ptoa(NPAGES));
		break;
	case C_REMAP:
		T_EQ(vm_map_fixed(&s->map, VA, ptoa(NPAGES), &req), KERN_SUCCESS);
		break;
	case C_MOVE: /* the same device, other offset */
		space_unmap(s, VA, ptoa(NPAGES));
		dev_map(s, &dev, VA, 3, NPAGES - 3, RW, RW, 0);
		break;
	case C_NONE:
		T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(NPAGES), VM_PROT_NONE), KERN_SUCCESS);
		break;
	case C_READ:
		T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(NPAGES), R), KERN_SUCCESS);
		break;
	case C_ELSEWHERE:
		space_map(s, VA + ptoa(100), ptoa(1), NULL, 0, RW, RW, 0);
		break;
	case C_SHRINK:
		space_unmap(s, VA + ptoa(6), ptoa(NPAGES - 6));
		break;
	case C_GROW:
		dev_map(s, &dev, VA + ptoa(NPAGES), 0, 4, RW, RW, 0);
		break;
	case C_FORK:
		forked = space_create();
		T_EQ(vm_map_fork(&s->map, &forked->map), KERN_SUCCESS);
		break;
	case C_WIRE:
		T_FAIL("not here");
	}
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(200)), 0);
	open_gate(&dev);
	fake_join(td);
	T_EQ(job.rv, rv);
	T_EQ(vm_cnt.v_populate_restarts, restarts + 1);
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(dev.object->paging_in_progress, 0);
	T_EQ(fake_majflt + fake_minflt, rv == KERN_SUCCESS ? 1 : 0);
	dev.nap_before = dev.nap_after = false;
	return (s);
}

#define EACH_WAY(change, access, rv, check)                                             \
	FOREACH_TYPE(type)                                                              \
	for (int after = 0; after < 2; after++) {                                       \
		fake_majflt = fake_minflt = 0;                                          \
		struct space *s = change_during_call(*type, change, after, access, rv); \
		check;                                                                  \
		teardown(s);                                                            \
	}

static void
test_P12_unmapped_meanwhile(void)
{
	EACH_WAY(C_UNMAP, W, KERN_INVALID_ADDRESS, T_EQ(fake_pmap.mappings, 0));
}

static void
test_P12_other_memory_mapped_there_meanwhile(void)
{
	EACH_WAY(C_REMAP, W, KERN_SUCCESS, {
		T_EQ(space_read(s, VA + ptoa(5)), 0);
		T_EQ(fake_pmap.mappings, 1);
		T_EQ(dev.calls, 1);
	});
}

static void
test_P12_other_offset_mapped_there_meanwhile(void)
{
	EACH_WAY(C_MOVE, W, KERN_SUCCESS, {
		T_OK(mapped(s, VA + ptoa(5)));
		check_data(s, VA, 3, NPAGES - 3);
		T_EQ(dev.calls, 1); /* index 8 is there already: found without the pager */
	});
}

static void
test_P12_protected_meanwhile(void)
{
	EACH_WAY(C_NONE, R, KERN_PROTECTION_FAILURE, T_EQ(fake_pmap.mappings, 0));
}

static void
test_P12_made_read_only_meanwhile(void)
{
	EACH_WAY(C_READ, W, KERN_PROTECTION_FAILURE, T_EQ(fake_pmap.mappings, 0));
	EACH_WAY(C_READ, R, KERN_SUCCESS, T_EQ(touch(s, VA + ptoa(5), W), KERN_PROTECTION_FAILURE));
}

static void
test_P12_changed_elsewhere_retries_without_the_pager(void)
{
	EACH_WAY(C_ELSEWHERE, W, KERN_SUCCESS, {
		T_EQ(dev.calls, 1);
		T_OK(mapped(s, VA + ptoa(5)));
		check_data(s, VA, 0, NPAGES);
		/* The others are there too, unbusied. */
		T_EQ(dev.object->resident_page_count, NPAGES);
	});
}

static void
test_P12_entry_shrunk_meanwhile(void)
{
	EACH_WAY(C_SHRINK, W, KERN_SUCCESS, {
		T_OK(mapped(s, VA + ptoa(5)));
		T_OK(!mapped(s, VA + ptoa(6)));
		T_EQ(touch(s, VA + ptoa(6), R), KERN_INVALID_ADDRESS);
	});
}

static void
test_P12_neighbour_mapped_meanwhile(void)
{
	EACH_WAY(C_GROW, W, KERN_SUCCESS, {
		T_EQ(touch(s, VA + ptoa(NPAGES + 1), R), KERN_SUCCESS);
		check_data(s, VA + ptoa(NPAGES), 0, 4);
	});
}

/* The child has the same object, and finds the pages that the parent's call made. */
static void
test_P12_forked_meanwhile(void)
{
	EACH_WAY(C_FORK, W, KERN_SUCCESS, {
		T_EQ(dev.calls, 1);
		T_OK(mapped(s, VA + ptoa(5)));
		T_EQ(fake_mapped(&forked->pmap, VA, VA + ptoa(NPAGES)), 0);
		check_data(forked, VA, 0, NPAGES);
		check_data(s, VA, 0, NPAGES);
		T_EQ(dev.calls, 1);
		space_destroy(forked);
	});
}

/* The mapping was the last that knew the object: it lives until the call is over, then ends
 * once. */
static void
test_R2_object_outlives_the_call(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	struct thread *td;
	struct job job;

	dev.nap_after = true;
	vm_object_deallocate(dev.object);
	td = touch_in_thread(&job, s, VA + ptoa(5), W);
	space_unmap(s, VA, ptoa(NPAGES));
	T_EQ(dev.dtors, 0);
	open_gate(&dev);
	fake_join(td);
	T_EQ(job.rv, KERN_INVALID_ADDRESS);
	fake_yield(); /* R4: a fault may come under locks, the destructor is a task */
	T_EQ(dev.ctors, 1);
	T_EQ(dev.dtors, 1);
	T_EQ(vm_cnt.v_objects, 0);
	space_destroy(s);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

static void
deallocate_job(void *arg)
{
	vm_object_deallocate(arg);
}

/* The last reference is gone, but a page is busy still: nobody finds the object any more. */
static void
test_R2_object_on_its_way_out_is_not_found(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	struct thread *td;

	T_EQ(touch(s, VA, W), KERN_SUCCESS);
	space_unmap(s, VA, ptoa(NPAGES));
	busier = fake_spawn("busier", busy_it, page_at(dev.object, 5));
	fake_run(busier);
	td = fake_spawn("deallocate", deallocate_job, dev.object);
	fake_run(td);
	T_OK(fake_asleep(td));
	T_EQ(dev.dtors, 0);
	T_OK(cdev_pager_lookup(&dev) == NULL);
	open_gate(&dev);
	fake_join(busier);
	fake_join(td);
	T_EQ(dev.dtors, 1);
	space_destroy(s);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

/* --- P13, P15, P24: the clip ------------------------------------------------------------------ */

static void
test_P13_clip_excludes_page_after_end(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		uint64_t clipped = vm_cnt.v_populate_clipped, entered = vm_cnt.v_populate_pages;
		vm_page_t after;

		space_unmap(s, VA, ptoa(NPAGES));
		dev_map(s, &dev, VA, 4, 4, RW, RW, 0);
		/* A neighbour right after, whose first page must not be overwritten. */
		space_map(s, VA + ptoa(4), ptoa(1), NULL, 0, RW, RW, 0);
		space_write(s, VA + ptoa(4), 1234);
		dev.lo = 4;
		dev.hi = 8; /* one page more than the entry maps */
		T_EQ(touch(s, VA + ptoa(1), R), KERN_SUCCESS);
		T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(4)), 4);
		T_EQ(space_read(s, VA + ptoa(4)), 1234);
		check_data(s, VA, 4, 4);
		after = page_at(dev.object, 8);
		T_OK(after != NULL && after->valid && !vm_page_busied(after)); /* P15 */
		T_EQ(vm_cnt.v_populate_clipped, clipped + 1); /* P24 */
		T_EQ(vm_cnt.v_populate_pages, entered + 4);
		/* r309710 left it busy: the next fault on it hung. */
		dev_map(s, &dev, VA + ptoa(50), 8, 1, RW, RW, 0);
		T_EQ(touch(s, VA + ptoa(50), W), KERN_SUCCESS);
		T_EQ(dev.calls, 1);
		teardown(s);
	}
}

static void
test_P13_clip_excludes_page_before_start(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		space_unmap(s, VA, ptoa(NPAGES));
		space_map(s, VA - ptoa(1), ptoa(1), NULL, 0, RW, RW, 0);
		space_write(s, VA - ptoa(1), 1234);
		dev_map(s, &dev, VA, 4, 4, RW, RW, 0);
		dev.lo = 3;
		dev.hi = 7;
		T_EQ(touch(s, VA + ptoa(1), R), KERN_SUCCESS);
		T_EQ(space_read(s, VA - ptoa(1)), 1234);
		T_OK(!vm_page_busied(page_at(dev.object, 3)));
		check_data(s, VA, 4, 4);
		teardown(s);
	}
}

/* One fault: every range about pidx, every entry about pidx, of a small device. */
static void
clip_case(struct space *s, vm_pindex_t pidx, vm_pindex_t lo, vm_pindex_t hi, vm_pindex_t from,
	  vm_pindex_t to)
{
	uint64_t clipped = vm_cnt.v_populate_clipped, entered = vm_cnt.v_populate_pages;
	vm_pindex_t first = MAX(lo, from), last = MIN(hi, to);

	dev_map(s, &dev, VA, from, to - from + 1, RW, RW, 0);
	dev.lo = lo;
	dev.hi = hi;
	dev.calls = 0;
	fake_majflt = fake_minflt = 0;
	T_EQ(touch(s, VA + ptoa(pidx - from), R), KERN_SUCCESS);
	T_EQ(dev.calls, 1);
	T_EQ(dev.first, from);
	T_EQ(dev.last, to);
	T_EQ(fake_mapped(&s->pmap, 0, VM_MAXUSER_ADDRESS & ~PAGE_MASK), last - first + 1);
	for (vm_pindex_t i = first; i <= last; i++)
		T_OK(mapped(s, VA + ptoa(i - from)));
	check_data(s, VA, from, to - from + 1);
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(vm_cnt.v_populate_pages - entered, last - first + 1);
	T_EQ(vm_cnt.v_populate_clipped - clipped, (hi - lo) - (last - first));
	T_EQ(fake_majflt, 1); /* P17 */
	T_EQ(fake_minflt, 0);
	space_unmap(s, VA, ptoa(to - from + 1));
	VM_OBJECT_WLOCK(dev.object);
	vm_object_page_remove(dev.object, 0, 0);
	VM_OBJECT_UNLOCK(dev.object);
}

static void
test_P13_every_range_in_every_entry(void)
{
	const vm_pindex_t n = 5;

	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		space_unmap(s, VA, ptoa(NPAGES));
		for (vm_pindex_t pidx = 0; pidx < n; pidx++)
			for (vm_pindex_t lo = 0; lo <= pidx; lo++)
				for (vm_pindex_t hi = pidx; hi < n; hi++)
					for (vm_pindex_t from = 0; from <= pidx; from++)
						for (vm_pindex_t to = pidx; to < n; to++)
							clip_case(s, pidx, lo, hi, from, to);
		teardown(s);
	}
}

/* r309710 left them busy for ever: the next fault on one hung. */
static void
test_P15_pages_cut_off_can_be_used_again(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		space_unmap(s, VA, ptoa(NPAGES));
		dev_map(s, &dev, VA, 4, 4, RW, RW, 0);
		dev.lo = 0;
		dev.hi = NPAGES - 1;
		T_EQ(touch(s, VA, W), KERN_SUCCESS);
		T_EQ(vm_cnt.v_busied, 0);
		dev_map(s, &dev, VA + ptoa(50), 0, NPAGES, RW, RW, 0);
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			T_EQ(touch(s, VA + ptoa(50 + i), W), KERN_SUCCESS);
		T_EQ(dev.calls, 1);
		teardown(s);
	}
}

/* The phys pager's pages are RAM, so the queues show: kept pages active, given up ones inactive. */
static void
map_elsewhere(void *arg)
{
	struct space *s = arg;

	space_map(s, VA + ptoa(100), ptoa(1), NULL, 0, RW, RW, 0);
}

static void
test_P14_kept_pages_are_active(void)
{
	struct space *s = space_create();
	vm_object_t object = phys_pager_allocate(8);

	vm_object_reference(object);
	space_map(s, VA, ptoa(8), object, 0, RW, RW, 0);
	T_EQ(touch(s, VA + ptoa(2), R), KERN_SUCCESS);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(8)), 8); /* O1: the whole run */
	for (vm_pindex_t i = 0; i < 8; i++)
		T_EQ(page_at(object, i)->queue, PQ_ACTIVE);
	T_EQ(vm_page_queue_count(PQ_ACTIVE), 8);
	space_destroy(s);
	vm_object_deallocate(object);
}

static void
test_P15_given_up_pages_are_inactive(void)
{
	struct space *s = space_create();
	vm_object_t object = phys_pager_allocate(8);
	uint64_t restarts = vm_cnt.v_populate_restarts;

	vm_object_reference(object);
	space_map(s, VA, ptoa(8), object, 0, RW, RW, 0);
	other_cpu = fake_spawn("mapper", map_elsewhere, s);
	fake_on_unlock(&s->map.lock, run_other_cpu, NULL);
	T_EQ(touch(s, VA + ptoa(2), R), KERN_SUCCESS);
	fake_join(other_cpu);
	T_EQ(vm_cnt.v_populate_restarts, restarts + 1);
	for (vm_pindex_t i = 0; i < 8; i++)
		T_EQ(page_at(object, i)->queue, i == 2 ? PQ_ACTIVE : PQ_INACTIVE);
	space_destroy(s);
	vm_object_deallocate(object);
}

/* --- P14: entering ---------------------------------------------------------------------------- */

static void
test_P14_entry_protection_not_only_the_faults(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		vm_prot_t prot;

		T_EQ(touch(s, VA + ptoa(5), R), KERN_SUCCESS);
		for (vm_pindex_t i = 0; i < NPAGES; i++) {
			T_OK(fake_pte(&s->pmap, VA + ptoa(i), NULL, &prot, NULL));
			T_EQ(prot, RW);
		}
		teardown(s);
	}
}

static void
test_P14_read_only_entry_stays_read_only(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		vm_prot_t prot;

		space_unmap(s, VA, ptoa(NPAGES));
		dev_map(s, &dev, VA, 0, NPAGES, R, RW, 0);
		T_EQ(touch(s, VA + ptoa(5), R), KERN_SUCCESS);
		for (vm_pindex_t i = 0; i < NPAGES; i++) {
			T_OK(fake_pte(&s->pmap, VA + ptoa(i), NULL, &prot, NULL));
			T_EQ(prot, R);
		}
		T_EQ(touch(s, VA + ptoa(5), W), KERN_PROTECTION_FAILURE);
		teardown(s);
	}
}

static void
check_dirty(vm_prot_t prot, vm_prot_t access, bool dirty)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);

	space_unmap(s, VA, ptoa(NPAGES));
	dev_map(s, &dev, VA, 4, 4, prot, RW, 0);
	dev.lo = 2;
	dev.hi = 9;
	/* vm_fault, not a CPU's access, which would set a modified bit of its own. */
	T_EQ(vm_fault(&s->map, VA + ptoa(1), access, VM_FAULT_NORMAL, NULL), KERN_SUCCESS);
	for (vm_pindex_t i = 2; i <= 9; i++)
		T_EQ(page_at(dev.object, i)->dirty, dirty && i >= 4 && i <= 7);
	teardown(s);
}

static void
test_P14_dirty_when_a_write_is_possible(void)
{
	check_dirty(RW, W, true);
	check_dirty(RW, R, true);
	check_dirty(R, R, false);
}

static vm_offset_t last_va;

static void
rising_va(pmap_t pmap, vm_offset_t va, vm_page_t m)
{
	(void)pmap;
	T_OK(va > last_va);
	T_OK(vm_page_xbusied(m));
	last_va = va;
}

static void
test_P14_in_index_order(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		dev.swap = 4;
		last_va = 0;
		fake_pmap_enter_hook = rising_va;
		T_EQ(touch(s, VA + ptoa(9), R), KERN_SUCCESS);
		fake_pmap_enter_hook = NULL;
		T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
		teardown(s);
	}
}

/* Frames that do not follow each other: each index still shows its own. */
static void
test_P14_scattered_frames(void)
{
	FOREACH_TYPE(type)
	{
		for (vm_pindex_t swap = 1; swap < NPAGES - 1; swap++) {
			struct space *s = setup(*type, &populate_ops);

			dev.swap = swap;
			T_EQ(touch(s, VA + ptoa(7), W), KERN_SUCCESS);
			T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
			check_data(s, VA, 0, NPAGES);
			teardown(s);
		}
	}
}

/* Contiguous frames are entered by few calls, so that large pages can be made of them later. */
static void
test_P14_contiguous_run_is_one_call(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	uint64_t calls = fake_pmap.enter_calls;

	T_EQ(touch(s, VA + ptoa(7), R), KERN_SUCCESS);
	T_EQ(fake_pmap.enter_calls - calls, 1);
	teardown(s);
}

static void
check_wiring(struct space *s, vm_pindex_t i, uint32_t count)
{
	vm_page_t m;
	bool wired;

	T_OK(fake_pte(&s->pmap, VA + ptoa(i), &m, NULL, &wired));
	T_EQ(wired, count != 0);
	T_EQ(m->wire_count, count);
}

/* r309710 wired the whole run, so each page of it again and again. */
static void
test_P14_wiring_fault_wires_only_pidx(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		T_EQ(vm_fault(&s->map, VA + ptoa(5), W, VM_FAULT_WIRE, NULL), KERN_SUCCESS);
		T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			check_wiring(s, i, i == 5 ? 1 : 0);
		vm_page_unwire(page_at(dev.object, 5));
		teardown(s);
	}
}

static void
test_P14_mlock_wires_each_page_once(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		T_EQ(vm_map_wire(&s->map, VA + ptoa(2), VA + ptoa(10)), KERN_SUCCESS);
		T_EQ(dev.calls, 1);
		for (vm_pindex_t i = 2; i < 10; i++)
			check_wiring(s, i, 1);
		T_EQ(vm_map_unwire(&s->map, VA + ptoa(2), VA + ptoa(10)), KERN_SUCCESS);
		for (vm_pindex_t i = 2; i < 10; i++)
			check_wiring(s, i, 0);
		teardown(s);
	}
}

static void
test_P14_mlock_then_unmap(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(NPAGES)), KERN_SUCCESS);
		space_unmap(s, VA, ptoa(NPAGES));
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			T_EQ(page_at(dev.object, i)->wire_count, 0);
		teardown(s);
	}
}

/* The page tables have no memory in the middle of the range. */
static void
test_P15_page_table_shortage_in_the_range(void)
{
	FOREACH_TYPE(type)
	{
		for (vm_pindex_t nth = 1; nth <= NPAGES; nth++) {
			struct space *s = setup(*type, &populate_ops);

			fake_pmap_fail(nth);
			T_EQ(touch(s, VA + ptoa(5), W), KERN_SUCCESS);
			T_EQ(vm_cnt.v_busied, 0);
			T_EQ(dev.calls, 1);
			check_data(s, VA, 0, NPAGES);
			teardown(s);
		}
	}
}

/* The same for a wiring fault and a held page: neither is counted twice by the retry. */
static void
test_P14_wired_once_although_the_range_was_retried(void)
{
	FOREACH_TYPE(type)
	{
		for (vm_pindex_t nth = 1; nth <= NPAGES; nth++) {
			struct space *s = setup(*type, &populate_ops);

			fake_pmap_fail(nth);
			T_EQ(vm_fault(&s->map, VA + ptoa(5), W, VM_FAULT_WIRE, NULL), KERN_SUCCESS);
			T_EQ(page_at(dev.object, 5)->wire_count, 1);
			vm_page_unwire(page_at(dev.object, 5));
			teardown(s);
		}
	}
}

static void
test_P16_held_once_although_the_range_was_retried(void)
{
	FOREACH_TYPE(type)
	{
		for (vm_pindex_t nth = 1; nth <= NPAGES; nth++) {
			struct space *s = setup(*type, &populate_ops);
			vm_page_t m = NULL;

			fake_pmap_fail(nth);
			T_EQ(vm_fault(&s->map, VA + ptoa(5), W, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
			T_OK(m == page_at(dev.object, 5));
			T_EQ(m->hold_count, 1);
			vm_page_unhold(m);
			teardown(s);
		}
	}
}

/* --- P16 to P24 ------------------------------------------------------------------------------- */

static void
test_P16_page_comes_back_held(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		vm_page_t m = NULL;

		T_EQ(vm_fault(&s->map, VA + ptoa(5) + 9, R, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
		T_OK(m == page_at(dev.object, 5));
		T_EQ(m->hold_count, 1);
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			T_EQ(page_at(dev.object, i)->hold_count, i == 5);
		T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
		vm_page_unhold(m);
		teardown(s);
	}
}

static void
test_P16_nothing_is_held_when_it_fails(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	vm_page_t m = NULL;

	dev.answer = VM_PAGER_ERROR;
	T_EQ(vm_fault(&s->map, VA, R, VM_FAULT_NORMAL, &m), KERN_FAILURE);
	T_OK(m == NULL);
	teardown(s);
}

static void
test_P17_one_major_fault(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		uint64_t faults = vm_cnt.v_faults, calls = vm_cnt.v_populate_calls,
			 pages = vm_cnt.v_populate_pages, writes = vm_cnt.v_pte_writes;

		fake_majflt = fake_minflt = 0;
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			T_EQ(touch(s, VA + ptoa(i), W), KERN_SUCCESS);
		T_EQ(fake_majflt, 1);
		T_EQ(fake_minflt, 0);
		T_EQ(vm_cnt.v_faults - faults, 1);
		T_EQ(vm_cnt.v_populate_calls - calls, 1);
		T_EQ(vm_cnt.v_populate_pages - pages, NPAGES);
		T_EQ(vm_cnt.v_pte_writes - writes, NPAGES);
		teardown(s);
	}
}

/* Waits and restarts on the way are not faults of their own. */
static void
test_P17_restarts_are_not_counted_as_faults(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	uint64_t faults = vm_cnt.v_faults;

	fake_majflt = fake_minflt = 0;
	dev.again = 2;
	T_EQ(touch(s, VA, W), KERN_SUCCESS);
	T_EQ(fake_majflt, 1);
	T_EQ(fake_minflt, 0);
	T_EQ(vm_cnt.v_faults - faults, 1);
	teardown(s);
}

static void
test_P18_pages_mapped_already_are_left_alone(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		uint64_t alone = fake_pmap.left_alone, writes;

		dev.exact = true;
		dev.lo = dev.hi = 0; /* single */
		T_EQ(touch(s, VA + ptoa(5), W), KERN_SUCCESS);
		T_EQ(touch(s, VA + ptoa(9), W), KERN_SUCCESS);
		dev.exact = false;
		dev.lo = 1; /* whole */
		writes = vm_cnt.v_pte_writes;
		T_EQ(touch(s, VA + ptoa(6), W), KERN_SUCCESS);
		T_EQ(fake_pmap.left_alone - alone, 2);
		T_EQ(vm_cnt.v_pte_writes - writes, NPAGES - 2);
		T_EQ(fake_pmap.replaced, 0);
		check_data(s, VA, 0, NPAGES);
		teardown(s);
	}
}

/* Unmanaged pages cannot be taken out of the maps: another frame at the index replaces the old
 * one. */
static void
test_P18_another_frame_is_replaced(void)
{
	struct space *s = setup(OBJT_DEVICE, &populate_ops);

	T_EQ(touch(s, VA, W), KERN_SUCCESS);
	VM_OBJECT_WLOCK(dev.object);
	vm_object_page_remove(dev.object, 0, 0);
	VM_OBJECT_UNLOCK(dev.object);
	pmap_remove(&s->pmap, VA, VA + ptoa(1));
	dev.swap = 6;
	fake_pmap.replaced = 0;
	T_EQ(vm_fault(&s->map, VA, R, VM_FAULT_NORMAL, NULL), KERN_SUCCESS);
	T_EQ(dev.calls, 2);
	T_EQ(fake_pmap.replaced, 2);
	check_data(s, VA, 0, NPAGES);
	teardown(s);
}

static void
test_P20_returns_without_the_object_lock(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);

	dev.breach = B_UNLOCKED;
	if (INVARIANTS_BUILD)
		fake_expect_panic("P20", "testdev");
	touch(s, VA + ptoa(5), W);
	T_OK(fake_logged("P20") && fake_logged("testdev"));
	T_EQ(vm_cnt.v_busied, 0);
	dev.breach = B_NONE;
	T_EQ(touch(s, VA + ptoa(5), W), KERN_SUCCESS);
	teardown(s);
}

static void
test_P20_returns_holding_another_lock(void)
{
	if (INVARIANTS_BUILD) {
		struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);

		dev.breach = B_EXTRA_LOCK;
		fake_expect_panic("P20", "testdev");
		touch(s, VA + ptoa(5), W);
	}
}

/* Two faults on one page, each in the pager, which looks again before it inserts. */
static void
test_P21_two_faults_on_one_index(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		struct thread *a, *b;
		struct job job_a, job_b;

		dev.nap_before = true;
		a = touch_in_thread(&job_a, s, VA + ptoa(5), W);
		b = touch_in_thread(&job_b, s, VA + ptoa(5), W);
		open_gate(&dev);
		fake_join(a);
		fake_join(b);
		T_EQ(job_a.rv, KERN_SUCCESS);
		T_EQ(job_b.rv, KERN_SUCCESS);
		T_EQ(dev.calls, 2);
		T_EQ(dev.object->resident_page_count, NPAGES);
		check_data(s, VA, 0, NPAGES);
		teardown(s);
	}
}

static void
test_P21_two_faults_on_neighbours(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	struct thread *a, *b;
	struct job job_a, job_b;

	dev.nap_after = true;
	a = touch_in_thread(&job_a, s, VA + ptoa(5), W); /* has all pages busied */
	b = touch_in_thread(&job_b, s, VA + ptoa(6), W); /* waits for one of them */
	T_OK(fake_asleep(b));
	open_gate(&dev);
	fake_join(a);
	fake_join(b);
	T_EQ(job_a.rv, KERN_SUCCESS);
	T_EQ(job_b.rv, KERN_SUCCESS);
	T_EQ(dev.calls, 1);
	teardown(s);
}

/* A pager that does not look again gets EEXIST, an error and not a panic or a hang. */
static void
test_P21_blind_insert_is_an_error(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		struct thread *a, *b;
		struct job job_a, job_b;

		dev.nap_before = true;
		dev.blind = true;
		a = touch_in_thread(&job_a, s, VA + ptoa(5), W);
		b = touch_in_thread(&job_b, s, VA + ptoa(5), W);
		open_gate(&dev);
		fake_join(a);
		fake_join(b);
		T_EQ(job_a.rv, KERN_SUCCESS);
		T_OK(job_b.rv == KERN_FAILURE || job_b.rv == KERN_SUCCESS);
		T_EQ(vm_cnt.v_busied, 0);
		T_EQ(dev.object->resident_page_count, NPAGES);
		teardown(s);
	}
}

static void
test_P23_write_after_read_needs_no_call(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);
		uint64_t faults;

		T_EQ(touch(s, VA + ptoa(5), R), KERN_SUCCESS);
		T_EQ(dev.max_prot, RW);
		faults = vm_cnt.v_faults;
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			T_EQ(touch(s, VA + ptoa(i), W), KERN_SUCCESS);
		T_EQ(vm_cnt.v_faults, faults);
		T_EQ(dev.calls, 1);
		teardown(s);
	}
}

static void
test_P23_made_writable_later_needs_no_call(void)
{
	FOREACH_TYPE(type)
	{
		struct space *s = setup(*type, &populate_ops);

		space_unmap(s, VA, ptoa(NPAGES));
		dev_map(s, &dev, VA, 0, NPAGES, R, RW, 0);
		T_EQ(touch(s, VA + ptoa(5), R), KERN_SUCCESS);
		T_EQ(dev.max_prot, RW);
		T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(NPAGES), RW), KERN_SUCCESS);
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			T_EQ(touch(s, VA + ptoa(i), W), KERN_SUCCESS);
		T_EQ(dev.calls, 1);
		teardown(s);
	}
}

static void
test_P24_pages_outside_the_clip_are_counted(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	uint64_t clipped = vm_cnt.v_populate_clipped;

	space_unmap(s, VA, ptoa(NPAGES));
	dev_map(s, &dev, VA, 4, 4, RW, RW, 0);
	dev.lo = 0;
	dev.hi = NPAGES - 1;
	T_EQ(touch(s, VA, R), KERN_SUCCESS);
	T_EQ(vm_cnt.v_populate_clipped - clipped, NPAGES - 4);
	teardown(s);
}

/* --- other clauses that the same code serves -------------------------------------------------- */

static void
check_policy(enum obj_type type, const char *name, vm_pindex_t window, uint64_t faults)
{
	struct space *s = setup(type, &both_ops);
	uint64_t writes = vm_cnt.v_pte_writes;

	dev.exact = window != 0;
	if (window == 1)
		dev.lo = dev.hi = 0;
	if (window == 0)
		dev.answer = VM_PAGER_BAD;
	fake_majflt = fake_minflt = 0;
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		if (window > 1) { /* the window that pidx lies in */
			dev.lo = i % window;
			dev.hi = window - 1 - i % window;
		}
		T_EQ(touch(s, VA + ptoa(i), W), KERN_SUCCESS);
	}
	if (fake_majflt != faults || fake_minflt != 0)
		T_FAIL("%s: %lu major faults, %lu minor", name, fake_majflt, fake_minflt);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
	T_EQ(vm_cnt.v_pte_writes - writes, NPAGES);
	check_data(s, VA, 0, NPAGES);
	teardown(s);
}

/* The table of docs/populate.md in small. */
static void
test_Y1_faults_by_policy(void)
{
	FOREACH_TYPE(type)
	{
		check_policy(*type, "off", 0, NPAGES);
		check_policy(*type, "single", 1, NPAGES);
		check_policy(*type, "window:4", 4, NPAGES / 4);
		check_policy(*type, "whole", NPAGES, 1);
	}
}

static void
test_R1_revoked_pages_leave_every_map(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops), *s2 = space_create();
	uint32_t generation = dev.object->generation;

	dev_map(s2, &dev, VA, 0, NPAGES, R, RW, 0);
	T_EQ(touch(s, VA, W), KERN_SUCCESS);
	T_EQ(touch(s2, VA, R), KERN_SUCCESS);
	for (vm_pindex_t i = 1; i < NPAGES; i++)
		T_EQ(touch(s2, VA + ptoa(i), R), KERN_SUCCESS);
	T_EQ(fake_pmap.mappings, 2 * NPAGES);
	cdev_pager_revoke(dev.object, 4, 8);
	T_EQ(fake_pmap.mappings, 2 * NPAGES - 8);
	T_EQ(dev.object->resident_page_count, NPAGES - 4);
	T_OK(dev.object->generation != generation); /* R3 */
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_EQ(mapped(s, VA + ptoa(i)), i < 4 || i >= 8);
	T_EQ(touch(s, VA + ptoa(5), W), KERN_SUCCESS);
	T_EQ(dev.calls, 2);
	check_data(s, VA, 0, NPAGES);
	space_destroy(s2);
	teardown(s);
}

/* FreeBSD's compatibility layer takes the whole object. */
static void
test_R3_revocation_is_exact_by_range(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	uint32_t generation = dev.object->generation;

	T_EQ(touch(s, VA, W), KERN_SUCCESS);
	for (vm_pindex_t i = 0; i < NPAGES; i += 4) {
		cdev_pager_revoke(dev.object, i + 1, i + 3);
		T_OK(mapped(s, VA + ptoa(i)) && page_at(dev.object, i) != NULL);
		T_OK(!mapped(s, VA + ptoa(i + 1)) && page_at(dev.object, i + 1) == NULL);
		T_OK(!mapped(s, VA + ptoa(i + 2)) && page_at(dev.object, i + 2) == NULL);
		T_OK(mapped(s, VA + ptoa(i + 3)) && page_at(dev.object, i + 3) != NULL);
		T_OK(dev.object->generation != generation);
		generation = dev.object->generation;
	}
	teardown(s);
}

/* mlocked pages can be taken back too; they fault again, and the wirings balance. */
static void
test_R1_revoked_while_wired(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);

	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	cdev_pager_revoke(dev.object, 2, NPAGES);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), 2);
	T_EQ(dev.object->resident_page_count, 2);
	T_EQ(touch(s, VA + ptoa(3), W), KERN_SUCCESS);
	T_EQ(dev.calls, 2);
	check_data(s, VA, 0, NPAGES);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	for (vm_pindex_t i = 0; i < 4; i++)
		T_EQ(page_at(dev.object, i)->wire_count, 0);
	T_EQ(fake_pmap.wired, 0);
	teardown(s);
}

static void
revoke_job(void *arg)
{
	(void)arg;
	cdev_pager_revoke(dev.object, 0, NPAGES);
}

/* Revoked while a call has the pages busied: the revocation waits, then nothing of it stays
 * mapped. */
static void
test_R1_revoked_while_a_call_sleeps(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, &populate_ops);
	struct thread *td, *revoker;
	struct job job;

	dev.nap_after = true;
	td = touch_in_thread(&job, s, VA + ptoa(5), W);
	revoker = fake_spawn("revoker", revoke_job, NULL);
	fake_run(revoker);
	T_OK(!fake_ended(revoker));
	open_gate(&dev);
	fake_join(td);
	fake_join(revoker);
	T_EQ(job.rv, KERN_SUCCESS);
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(touch(s, VA + ptoa(5), W), KERN_SUCCESS);
	check_data(s, VA, 0, NPAGES);
	teardown(s);
}

/* The same handler for frames without pages of their own: one call, clipped, nothing queued or
 * listed. */
static void
test_U1_unmanaged_object_is_populated(void)
{
	struct space *s = setup(OBJT_DEVICE, &both_ops);
	uint64_t clipped = vm_cnt.v_populate_clipped;

	space_unmap(s, VA, ptoa(NPAGES));
	dev_map(s, &dev, VA, 2, 8, RW, RW, 0);
	dev.lo = 0;
	dev.hi = NPAGES - 1;
	fake_majflt = fake_minflt = 0;
	for (vm_pindex_t i = 0; i < 8; i++)
		T_EQ(touch(s, VA + ptoa(i), W), KERN_SUCCESS);
	T_EQ(dev.calls, 1);
	T_EQ(dev.fault_calls, 0);
	T_EQ(fake_majflt, 1);
	T_EQ(fake_minflt, 0);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), 8);
	T_EQ(vm_cnt.v_populate_clipped - clipped, NPAGES - 8);
	T_EQ(vm_cnt.v_pv_entries, 0);
	T_EQ(vm_page_queue_count(PQ_ACTIVE) + vm_page_queue_count(PQ_INACTIVE), 0);
	check_data(s, VA, 2, 8);
	teardown(s);
}

/* U2: the same frames in two unmanaged objects. */
static void
test_U2_one_frame_in_two_objects(void)
{
	struct space *s = setup(OBJT_DEVICE, &populate_ops);

	dev_open(&dev2, OBJT_DEVICE, &populate_ops, NPAGES);
	dev_map(s, &dev2, VA + ptoa(100), 0, NPAGES, RW, RW, 0);
	T_EQ(touch(s, VA, R), KERN_SUCCESS);
	T_EQ(touch(s, VA + ptoa(100), R), KERN_SUCCESS);
	T_EQ(fake_pmap.mappings, 2 * NPAGES);
	space_unmap(s, VA + ptoa(100), ptoa(NPAGES));
	dev_close(&dev2);
	check_data(s, VA, 0, NPAGES);
	teardown(s);
}

/* Not a page of RAM for what nobody asked for. */
static void
test_O1_phys_pager_makes_what_the_entry_maps(void)
{
	struct space *s = space_create();
	vm_object_t object = phys_pager_allocate(16);
	uint64_t calls = vm_cnt.v_populate_calls;

	vm_object_reference(object);
	space_map(s, VA, ptoa(6), object, ptoa(4), RW, RW, 0);
	T_EQ(touch(s, VA + ptoa(2), W), KERN_SUCCESS);
	T_EQ(vm_cnt.v_populate_calls - calls, 1);
	T_EQ(object->resident_page_count, 6);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(16)), 6);
	for (vm_pindex_t i = 0; i < 6; i++)
		T_EQ(space_read(s, VA + ptoa(i)), 0);
	space_destroy(s);
	vm_object_deallocate(object);
}

static void
test_O1_phys_pager_short_of_memory(void)
{
	struct space *s = space_create();
	vm_object_t object = phys_pager_allocate(64);
	uint64_t free_before = vm_cnt.v_free_count;

	space_map(s, VA, ptoa(64), object, 0, RW, RW, 0);
	fake_eat_memory(8);
	T_EQ(touch(s, VA + ptoa(20), W), KERN_SUCCESS); /* the run that can be had */
	T_OK(fake_mapped(&s->pmap, VA, VA + ptoa(64)) >= 8);
	T_EQ(vm_cnt.v_busied, 0);
	fake_give_memory(~0ul);
	for (int i = 0; i < 64; i++)
		T_EQ(space_read(s, VA + ptoa(i)), 0);
	T_EQ(vm_cnt.v_free_count, free_before - 64);
	space_destroy(s);
	T_EQ(vm_cnt.v_free_count, free_before);
}

/* --- everything at once, preempted at random -------------------------------------------------- */

static struct space *stress_space;

static void
stress_thread(void *arg)
{
	struct rng r = {(uint64_t)arg};
	vm_offset_t va, end;
	int rv;

	for (int i = 0; i < 800; i++) {
		vm_pindex_t first = rng_below(&r, NPAGES), n = 1 + rng_below(&r, NPAGES - first);

		va = VA + ptoa(first);
		end = va + ptoa(n);
		switch (rng_below(&r, 10)) {
		case 0: {
			struct vm_map_req req = {.object = dev.object,
						 .offset = ptoa(first),
						 .prot = RW,
						 .max_prot = RW};

			vm_object_reference(dev.object);
			T_EQ(vm_map_fixed(&stress_space->map, va, ptoa(n), &req), KERN_SUCCESS);
			break;
		}
		case 1:
			T_EQ(vm_map_remove(&stress_space->map, va, end), KERN_SUCCESS);
			break;
		case 2:
			vm_map_protect(&stress_space->map, va, end, rng_below(&r, 2) ? R : RW);
			break;
		case 3:
			if (dev.type == OBJT_MGTDEVICE)
				cdev_pager_revoke(dev.object, first, first + n);
			break;
		case 4:
			if (vm_map_wire(&stress_space->map, va, end) == KERN_SUCCESS)
				vm_map_unwire(&stress_space->map, va, end);
			break;
		default:
			rv = fake_touch(&stress_space->map, va, rng_below(&r, 2) ? R : W, NULL);
			T_OK(rv == KERN_SUCCESS || rv == KERN_INVALID_ADDRESS ||
			     rv == KERN_PROTECTION_FAILURE);
		}
		if (rng_below(&r, 8) == 0)
			dev.again = 1;
		dev.lo = rng_below(&r, 2); /* all of it, or what the hint says */
		dev.hi = dev.lo == 0 ? NPAGES - 1 : 0;
	}
}

static void
stress(enum obj_type type, uint64_t seed)
{
	struct space *s = setup(type, &populate_ops);
	const char *more = getenv("STRESS_SEED");
	struct thread *td[4];

	seed += more != NULL ? strtoul(more, NULL, 0) : 0;
	stress_space = s;
	dev.nap_after = dev.gate_open = true; /* lets go of the object, does not sleep */
	for (uint64_t i = 0; i < nitems(td); i++)
		td[i] = fake_spawn("stress", stress_thread, (void *)(seed * 100 + i));
	fake_preempt(seed, 150);
	for (size_t i = 0; i < nitems(td); i++)
		fake_join(td[i]);
	fake_preempt(0, 0);
	check_data(s, VA, 0, NPAGES);
	teardown(s);
}

static void
test_stress_managed(void)
{
	stress(OBJT_MGTDEVICE, 1);
}

static void
test_stress_unmanaged(void)
{
	stress(OBJT_DEVICE, 2);
}

#define TEST2(name) TEST(name##_managed), TEST(name##_unmanaged)

static const struct host_test tests[] = {
    TEST(test_P1_not_called_without_the_flag),
    TEST(test_P3_private_mapping_without_getpages_fails),
    TEST(test_P4_fault_through_a_shadow_takes_getpages),
    TEST(test_P4_shadowed_object_takes_getpages),
    TEST(test_P4_private_mapping_before_the_first_write),
    TEST(test_P4_resident_page_needs_no_call),
    TEST(test_P4_busy_page_is_waited_for),
    TEST(test_P5_not_called_past_the_end_of_the_object),
    TEST(test_P5_what_the_pager_finds),
    TEST(test_shape_hint_is_what_the_entry_maps),
    TEST(test_P6_entry_is_gone_after_the_call),
    TEST(test_P6_entry_is_gone_before_the_call),
    TEST2(test_P7_first_page_missing),
    TEST2(test_P7_middle_page_missing),
    TEST2(test_P7_last_page_missing),
    TEST2(test_P7_page_of_the_fault_missing),
    TEST2(test_P7_page_not_busied),
    TEST2(test_P7_last_page_not_busied),
    TEST2(test_P7_first_above_last),
    TEST2(test_P7_pidx_below_the_range),
    TEST2(test_P7_pidx_above_the_range),
    TEST2(test_P7_last_is_the_size),
    TEST2(test_P7_last_is_huge),
    TEST(test_P7_page_not_valid),
    TEST(test_P7_page_of_the_fault_not_valid),
    TEST(test_P7_page_sbusied),
    TEST(test_P7_P10_page_busied_by_another_thread),
    TEST(test_P7_page_in_another_object),
    TEST(test_P7_RAM_in_a_managed_device_object),
    TEST(test_P7_RAM_in_an_unmanaged_device_object),
    TEST(test_P15_pages_cut_off_are_checked_too),
    TEST(test_P10_assertion_gives_pidx_and_range),
    TEST(test_P22_checked_in_every_build),
    TEST(test_P10_nothing_stays_busied_after_a_breach),
    TEST(test_P8_BAD_takes_getpages),
    TEST(test_P8_BAD_with_pages_left_busied),
    TEST(test_P9_BAD_without_getpages_fails),
    TEST(test_P9_ERROR_with_pages_left_busied),
    TEST(test_P9_FAIL_with_pages_left_busied),
    TEST(test_P9_AGAIN_with_pages_left_busied),
    TEST(test_P7_more_busied_than_answered),
    TEST(test_P7_more_busied_than_answered_and_restarted),
    TEST(test_P9_FAIL_ERROR_and_nonsense_fail),
    TEST(test_P9_AGAIN_waits_and_starts_over),
    TEST(test_P9_AGAIN_waits_with_all_unlocked),
    TEST(test_P19_AGAIN_for_ever_is_killable),
    TEST(test_P9_killed_in_the_call_is_no_error),
    TEST(test_P19_restarts_for_ever_are_killable),
    TEST(test_P11_map_before_object),
    TEST(test_P11_another_reader_does_not_matter),
    TEST(test_P12_unmapped_meanwhile),
    TEST(test_P12_other_memory_mapped_there_meanwhile),
    TEST(test_P12_other_offset_mapped_there_meanwhile),
    TEST(test_P12_protected_meanwhile),
    TEST(test_P12_made_read_only_meanwhile),
    TEST(test_P12_changed_elsewhere_retries_without_the_pager),
    TEST(test_P12_entry_shrunk_meanwhile),
    TEST(test_P12_neighbour_mapped_meanwhile),
    TEST(test_P12_forked_meanwhile),
    TEST(test_R2_object_outlives_the_call),
    TEST(test_R2_object_on_its_way_out_is_not_found),
    TEST(test_P13_clip_excludes_page_after_end),
    TEST(test_P13_clip_excludes_page_before_start),
    TEST(test_P13_every_range_in_every_entry),
    TEST(test_P15_pages_cut_off_can_be_used_again),
    TEST(test_P14_kept_pages_are_active),
    TEST(test_P15_given_up_pages_are_inactive),
    TEST(test_P14_entry_protection_not_only_the_faults),
    TEST(test_P14_read_only_entry_stays_read_only),
    TEST(test_P14_dirty_when_a_write_is_possible),
    TEST(test_P14_in_index_order),
    TEST(test_P14_scattered_frames),
    TEST(test_P14_contiguous_run_is_one_call),
    TEST(test_P14_wiring_fault_wires_only_pidx),
    TEST(test_P14_mlock_wires_each_page_once),
    TEST(test_P14_mlock_then_unmap),
    TEST(test_P15_page_table_shortage_in_the_range),
    TEST(test_P14_wired_once_although_the_range_was_retried),
    TEST(test_P16_held_once_although_the_range_was_retried),
    TEST(test_P16_page_comes_back_held),
    TEST(test_P16_nothing_is_held_when_it_fails),
    TEST(test_P17_one_major_fault),
    TEST(test_P17_restarts_are_not_counted_as_faults),
    TEST(test_P18_pages_mapped_already_are_left_alone),
    TEST(test_P18_another_frame_is_replaced),
    TEST(test_P20_returns_without_the_object_lock),
    TEST(test_P20_returns_holding_another_lock),
    TEST(test_P21_two_faults_on_one_index),
    TEST(test_P21_two_faults_on_neighbours),
    TEST(test_P21_blind_insert_is_an_error),
    TEST(test_P23_write_after_read_needs_no_call),
    TEST(test_P23_made_writable_later_needs_no_call),
    TEST(test_P24_pages_outside_the_clip_are_counted),
    TEST(test_Y1_faults_by_policy),
    TEST(test_R1_revoked_pages_leave_every_map),
    TEST(test_R3_revocation_is_exact_by_range),
    TEST(test_R1_revoked_while_a_call_sleeps),
    TEST(test_U1_unmanaged_object_is_populated),
    TEST(test_R1_revoked_while_wired),
    TEST(test_U2_one_frame_in_two_objects),
    TEST(test_O1_phys_pager_makes_what_the_entry_maps),
    TEST(test_O1_phys_pager_short_of_memory),
    TEST(test_stress_managed),
    TEST(test_stress_unmanaged),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "populate", tests, nitems(tests), FRAMES));
}

/*
 * Revocation (R1 to R4) and progress (P19): a driver takes pages back while calls of its own are
 * under way, under its own locks, while mappings come and go; and a fault that has to start over
 * gets on. What revocation does to one map at rest is in test_populate.c.
 */
#include "renew.h"

#define FRAMES 2048

static struct space *remapped;
static struct rwlock driver_lock = RW_INITIALIZER("driver", LR_FILE);

static struct space *
setup(void)
{
	return (device_setup(OBJT_MGTDEVICE, false));
}

/* --- R1: which pages go, and when ------------------------------------------------------------- */

static void
test_R1_next_touch_finds_the_new_pages(void)
{
	struct space *s = setup(), *s2 = space_create();

	device_map(s2, VA, 0, NPAGES, R, 0);
	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	T_EQ(device_touch(s2, 3, R), KERN_SUCCESS);
	device_renew(0, NPAGES);
	T_EQ(fake_pmap.mappings, 0);
	T_EQ(dev.object->resident_page_count, 0);
	T_EQ(device_touch(s, 4, W), KERN_SUCCESS);
	T_EQ(device_touch(s2, 5, R), KERN_SUCCESS);
	T_EQ(fake_pmap.mappings, NPAGES + 1); /* the second one finds its page resident */
	T_EQ(dev.calls, 2);
	device_check(s);
	device_check(s2);
	space_destroy(s2);
	device_teardown(s);
}

static void
test_R1_ranges_with_nothing_in_them(void)
{
	struct space *s = setup();

	T_EQ(cdev_pager_revoke(dev.object, 0, NPAGES), 0); /* nothing resident */
	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	T_EQ(cdev_pager_revoke(dev.object, 0, 0), 0);
	T_EQ(cdev_pager_revoke(dev.object, 5, 5), 0);
	T_EQ(cdev_pager_revoke(dev.object, 9, 2), 0);
	T_EQ(cdev_pager_revoke(dev.object, NPAGES, ~0ul), 0);
	T_EQ(fake_pmap.mappings, NPAGES);
	T_EQ(cdev_pager_revoke(dev.object, 15, ~0ul), 0);
	T_EQ(fake_pmap.mappings, NPAGES - 1);
	device_teardown(s);
}

static void
test_R1_unmanaged_pages_are_refused(void)
{
	struct space *s = device_setup(OBJT_DEVICE, false);

	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	T_EQ(cdev_pager_revoke(dev.object, 0, NPAGES), EOPNOTSUPP);
	T_OK(fake_logged("R1: dev"));
	T_EQ(fake_pmap.mappings, NPAGES);
	device_check(s);
	device_teardown(s);
}

/* mlock does not keep a device from its pages. A page's count is never more than the wirings that
 * are left, and none is left of those that were there at a revocation. */
static void
test_R1_wired_in_two_maps(void)
{
	struct space *s = setup(), *s2 = space_create();
	bool wired;

	device_map(s2, VA, 0, NPAGES, RW, 0);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(vm_map_wire(&s2->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(device_page(2)->wire_count, 2);
	device_renew(0, NPAGES);
	T_EQ(fake_pmap.wired, 0);
	T_EQ(device_touch(s, 2, W), KERN_SUCCESS);
	T_OK(fake_pte(&s->pmap, VA + ptoa(2), NULL, NULL, &wired) && wired); /* still mlocked */
	T_EQ(device_page(2)->wire_count, 0);
	T_EQ(vm_map_wire(&s2->map, VA + ptoa(8), VA + ptoa(9)), KERN_SUCCESS);
	T_EQ(device_page(8)->wire_count, 1);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(vm_map_unwire(&s2->map, VA, VA + ptoa(9)), KERN_SUCCESS);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_OK(device_page(i) == NULL || device_page(i)->wire_count == 0);
	T_EQ(fake_pmap.wired, 0);
	space_destroy(s2);
	device_teardown(s);
}

static void
test_R1_unmapped_while_wired_and_revoked(void)
{
	struct space *s = setup();

	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(NPAGES)), KERN_SUCCESS);
	device_renew(4, 8);
	T_EQ(device_touch(s, 5, W), KERN_SUCCESS);
	device_teardown(s); /* the harness counts */
}

static void
test_R1_held_while_revoked(void)
{
	struct space *s = setup();
	vm_page_t m;

	T_EQ(vm_fault(&s->map, VA + ptoa(6), W, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
	T_EQ(cdev_pager_revoke(dev.object, 0, NPAGES), 0);
	T_OK(m->object == NULL);
	T_EQ(device_touch(s, 6, W), KERN_SUCCESS);
	T_OK(device_page(6) == m);
	vm_page_unhold(m);
	T_OK(device_page(6) == m);
	T_EQ(m->hold_count, 0);
	T_EQ(cdev_pager_revoke(dev.object, 0, NPAGES), 0);
	T_EQ(device_touch(s, 6, W), KERN_SUCCESS);
	device_teardown(s);
}

/* A killed thread finishes what it began, and does not spin on a page that stays busy. */
static void
test_R1_by_a_thread_that_is_killed(void)
{
	struct space *s = setup();
	struct thread *revoker;
	struct toucher t;

	dev.after = device_nap;
	device_touch_in_thread(&t, s, 3, W);
	revoker = device_renew_in_thread();
	fake_kill(revoker);
	fake_run(revoker);
	T_OK(fake_asleep(revoker));
	device_gate_open();
	fake_join(revoker);
	fake_join(t.td);
	T_EQ(t.rv, KERN_SUCCESS);
	device_check(s);
	device_teardown(s);
}

/* --- R2: once --------------------------------------------------------------------------------- */

static void
map_again(void *arg)
{
	struct space *s = arg;
	int error;

	dev.object = cdev_pager_allocate(&dev, OBJT_MGTDEVICE, dev.object->un_pager.devp.ops, "dev",
					 ptoa(NPAGES), RW, 0, &error);
	T_OK(dev.object != NULL);
	T_EQ(dev.dtors, 1);
	T_EQ(dev.ctors, 2);
	dev.ctors = 1;
	dev.dtors = 0;
	device_map(s, VA, 0, NPAGES, RW, 0);
}

static void
drop_last(void *arg __unused)
{
	vm_object_deallocate(dev.object);
}

static void
test_R2_a_new_object_waits_for_the_destructor(void)
{
	struct space *s = setup();
	const struct cdev_pager_ops *ops = dev.object->un_pager.devp.ops;
	struct vm_object copy = {.un_pager.devp.ops = ops};
	struct thread *dropper, *mapper;

	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	space_unmap(s, VA, ptoa(NPAGES));
	dev.dtor = device_nap;
	dropper = fake_spawn("dropper", drop_last, NULL);
	fake_run(dropper);
	T_OK(fake_asleep(dropper));
	T_OK(cdev_pager_lookup(&dev) == NULL);
	dev.object = &copy; /* for its ops */
	mapper = fake_spawn("mapper", map_again, s);
	fake_run(mapper);
	T_OK(fake_asleep(mapper));
	device_gate_open();
	fake_join(dropper);
	fake_join(mapper);
	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	device_check(s);
	device_teardown(s);
}

/* --- R3: what is under way starts over -------------------------------------------------------- */

static void
test_R3_revoked_before_the_call_makes_its_pages(void)
{
	struct space *s = setup();
	uint64_t restarts = vm_cnt.v_populate_restarts;

	device_renew_before_its_pages(s);
	T_EQ(vm_cnt.v_populate_restarts, restarts + 1);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
	device_teardown(s);
}

static void
test_R3_revoked_after_the_call_made_its_pages(void)
{
	struct space *s = setup();

	device_renew_with_its_pages(s);
	device_teardown(s);
}

static void
test_R3_revoked_page_by_page_during_one_call(void)
{
	struct space *s = setup();
	struct toucher t;

	dev.before = device_nap;
	device_touch_in_thread(&t, s, 3, W);
	dev.shift = NPAGES;
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_EQ(cdev_pager_revoke(dev.object, i, i + 1), 0);
	device_gate_open();
	fake_join(t.td);
	T_EQ(t.rv, KERN_SUCCESS);
	T_EQ(dev.calls, 2);
	device_check(s);
	device_teardown(s);
}

/* A part that the call is not about: it starts over all the same, and nobody else notices. */
static void
test_R3_revocation_is_exact_by_range(void)
{
	struct space *s = setup();
	struct toucher t;

	dev.window = 4;
	T_EQ(device_touch(s, 1, W), KERN_SUCCESS);
	T_EQ(device_touch(s, 13, W), KERN_SUCCESS);
	dev.before = device_nap;
	device_touch_in_thread(&t, s, 5, W);
	T_EQ(cdev_pager_revoke(dev.object, 13, 15), 0);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_EQ(device_prot(s, i) != 0, i < 4 || i == 12 || i == 15);
	device_gate_open();
	fake_join(t.td);
	T_EQ(t.rv, KERN_SUCCESS);
	T_EQ(dev.calls, 4);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_EQ(device_prot(s, i) != 0, i < 8 || i == 12 || i == 15);
	device_check(s);
	device_teardown(s);
}

/* The call busied pages that others had mapped: these too go, for they may be of before. */
static void
test_R3_pages_that_were_mapped_already(void)
{
	struct space *s = setup(), *s2 = space_create();
	struct toucher t;

	device_map(s2, VA, 0, NPAGES, RW, 0);
	dev.window = 2;
	T_EQ(device_touch(s2, 2, W), KERN_SUCCESS);
	dev.window = 4;
	dev.before = device_nap;
	device_touch_in_thread(&t, s, 0, W);
	T_EQ(cdev_pager_revoke(dev.object, 8, 9), 0);
	device_gate_open();
	fake_join(t.td);
	T_EQ(t.rv, KERN_SUCCESS);
	T_EQ(device_touch(s2, 2, W), KERN_SUCCESS);
	device_check(s);
	device_check(s2);
	space_destroy(s2);
	device_teardown(s);
}

static void
test_R3_revoked_during_getpages(void)
{
	struct space *s = device_setup(OBJT_MGTDEVICE, true);
	struct thread *revoker;
	struct toucher t;

	VM_OBJECT_WLOCK(dev.object);
	dev.object->flags &= ~OBJ_POPULATE;
	VM_OBJECT_UNLOCK(dev.object);
	dev.before = device_nap;
	device_touch_in_thread(&t, s, 3, W);
	revoker = device_renew_in_thread();
	fake_run(revoker);
	device_gate_open();
	fake_join(t.td);
	fake_join(revoker);
	T_EQ(t.rv, KERN_SUCCESS);
	T_EQ(dev.getpages, 2);
	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	device_check(s);
	device_teardown(s);
}

static struct thread *late_revoker;

static void
run_revoker(void *arg __unused)
{
	fake_run(late_revoker);
}

/* The call is over, its pages busied, the map not locked again: the revocation waits for what is
 * entered. */
static void
test_R3_revoked_between_the_call_and_the_relock(void)
{
	struct space *s = setup();
	struct toucher t;

	dev.after = device_nap;
	device_touch_in_thread(&t, s, 3, W);
	rw_wlock(&s->map.lock); /* and the timestamp stays */
	late_revoker = device_renew_in_thread();
	fake_on_unlock(&dev.object->lock, run_revoker, NULL);
	device_gate_open();
	fake_run(t.td);
	T_OK(fake_asleep(t.td)); /* on the map */
	T_OK(fake_asleep(late_revoker)); /* on a busy page */
	rw_unlock(&s->map.lock);
	fake_join(t.td);
	fake_join(late_revoker);
	T_EQ(t.rv, KERN_SUCCESS);
	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	device_check(s);
	device_teardown(s);
}

/* --- R4: under the driver's lock -------------------------------------------------------------- */

static void
lock_driver(struct device *d __unused)
{
	rw_wlock(&driver_lock);
	rw_unlock(&driver_lock);
}

/* The revoker's reference turns out to be the last, and the destructor wants the lock it holds. */
static void
test_R4_last_mapping_goes_during_a_revocation(void)
{
	struct space *s = setup();
	vm_object_t object;

	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	dev.dtor = lock_driver;
	vm_object_deallocate(dev.object);
	rw_wlock(&driver_lock);
	object = cdev_pager_lookup(&dev);
	space_unmap(s, VA, ptoa(NPAGES));
	T_EQ(cdev_pager_revoke(object, 0, NPAGES), 0);
	vm_object_deallocate_later(object);
	fake_yield();
	T_EQ(dev.dtors, 0); /* it waits for the lock; we do not wait for it */
	T_OK(cdev_pager_lookup(&dev) == NULL);
	rw_unlock(&driver_lock);
	fake_yield();
	T_EQ(dev.dtors, 1);
	space_destroy(s);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

static void
test_R4_last_reference_let_go_of_under_a_lock(void)
{
	struct space *s = setup();

	space_unmap(s, VA, ptoa(NPAGES));
	if (!INVARIANTS_BUILD) {
		device_teardown(s);
		return;
	}
	fake_expect_panic("R4: dev", "lock");
	rw_wlock(&driver_lock);
	vm_object_deallocate(dev.object);
}

static void
fault_under_lock(void *arg)
{
	struct toucher *t = arg;

	rw_wlock(&driver_lock);
	t->rv = vm_fault(&t->s->map, VA + ptoa(t->i), t->access, VM_FAULT_NORMAL, NULL);
	rw_unlock(&driver_lock);
}

/* A copy to user space faults under a lock, and all is unmapped while the call sleeps. */
static void
test_R4_last_reference_is_a_faults(void)
{
	struct space *s = setup();
	struct toucher t = {.s = s, .i = 3, .access = W, .rv = -1};

	dev.after = device_nap;
	dev.dtor = lock_driver;
	vm_object_deallocate(dev.object);
	t.td = fake_spawn("copier", fault_under_lock, &t);
	fake_run(t.td);
	space_unmap(s, VA, ptoa(NPAGES));
	device_gate_open();
	fake_join(t.td);
	T_EQ(t.rv, KERN_INVALID_ADDRESS);
	fake_yield();
	T_EQ(dev.dtors, 1);
	space_destroy(s);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

static void
unmap_all(void *arg)
{
	space_unmap(arg, VA, ptoa(NPAGES));
}

static void
unmap_at_the_end(struct device *d __unused)
{
	fake_on_unlock(&remapped->map.lock, unmap_all, remapped);
}

/* The same when the fault is resolved, and all is unmapped as soon as it lets go of the map. */
static void
test_R4_last_reference_is_a_faults_that_is_resolved(void)
{
	struct space *s = setup();
	struct toucher t = {.s = s, .i = 3, .access = W, .rv = -1};

	remapped = s;
	dev.after = unmap_at_the_end;
	dev.dtor = lock_driver;
	vm_object_deallocate(dev.object);
	t.td = fake_spawn("copier", fault_under_lock, &t);
	fake_join(t.td);
	T_EQ(t.rv, KERN_SUCCESS);
	fake_yield();
	T_EQ(dev.dtors, 1);
	T_EQ(fake_pmap.mappings, 0);
	space_destroy(s);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

/* --- P19: progress ---------------------------------------------------------------------------- */

static void
revoke_again(struct device *d)
{
	T_EQ(cdev_pager_revoke(d->object, 0, NPAGES), 0);
}

/* Every OK is worth nothing, for the pages are taken back each time: no spinning, and a kill ends
 * it. */
static void
test_P19_OK_without_progress_pauses_and_is_killable(void)
{
	struct space *s = setup();
	uint64_t restarts = vm_cnt.v_fault_restarts, pauses = vm_cnt.v_fault_pauses;
	struct toucher t;
	int calls;

	dev.before = revoke_again;
	device_touch_in_thread(&t, s, 3, W);
	T_OK(fake_asleep(t.td));
	calls = dev.calls;
	T_OK(calls <= 16);
	T_EQ(vm_cnt.v_fault_restarts, restarts + (uint64_t)calls);
	T_EQ(vm_cnt.v_fault_restarts_max, calls);
	T_EQ(vm_cnt.v_fault_pauses, pauses + 1);
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(dev.object->resident_page_count, 0);
	fake_kill(t.td);
	fake_join(t.td);
	T_EQ(t.rv, KERN_ABORTED);
	T_EQ(dev.calls, calls);
	dev.before = NULL;
	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	device_teardown(s);
}

static void
test_P19_goes_on_when_the_revocations_end(void)
{
	struct space *s = setup();
	struct toucher t;

	dev.before = revoke_again;
	device_touch_in_thread(&t, s, 3, W);
	T_OK(fake_asleep(t.td));
	dev.before = NULL;
	fake_join(t.td); /* time passes */
	T_EQ(t.rv, KERN_SUCCESS);
	device_check(s);
	device_teardown(s);
}

static bool stop_remapping;

/* The same range of the same device, unmapped and mapped again for ever. */
static void
remapper(void *arg)
{
	const struct cdev_pager_ops *ops = arg;
	struct vm_map_req req = {.prot = RW, .max_prot = RW};
	int error;

	while (!stop_remapping) {
		space_unmap(remapped, VA, ptoa(NPAGES));
		req.object = cdev_pager_allocate(&dev, OBJT_MGTDEVICE, ops, "dev", ptoa(NPAGES), RW,
						 0, &error);
		T_OK(req.object != NULL);
		T_EQ(vm_map_insert(&remapped->map, VA, ptoa(NPAGES), &req), KERN_SUCCESS);
		fake_yield();
	}
}

static void
yield(struct device *d __unused)
{
	fake_yield();
}

/* Preempted everywhere: a fault either finds nothing mapped or is resolved, within few rounds. */
static void
remap_for_ever(bool getpages)
{
	struct space *s = device_setup(OBJT_MGTDEVICE, getpages);
	const struct cdev_pager_ops *ops = dev.object->un_pager.devp.ops;
	int rv, resolved = 0;
	struct thread *td;

	remapped = s;
	stop_remapping = false;
	dev.before = dev.after = yield;
	dev.write_answer = getpages ? VM_PAGER_BAD : VM_PAGER_OK;
	vm_object_deallocate(dev.object); /* the mapping's is the only reference */
	td = fake_spawn("remapper", remapper, (void *)(uintptr_t)ops);
	for (uint64_t seed = 1; seed <= 300; seed++) {
		fake_preempt(seed, 100);
		rv = vm_fault(&s->map, VA + ptoa(seed % NPAGES), W, VM_FAULT_NORMAL, NULL);
		T_OK(rv == KERN_SUCCESS || rv == KERN_INVALID_ADDRESS);
		resolved += rv == KERN_SUCCESS;
	}
	fake_preempt(0, 0);
	stop_remapping = true;
	fake_join(td);
	T_OK(resolved > 10);
	T_OK(vm_cnt.v_fault_restarts > 0);
	T_OK(vm_cnt.v_fault_restarts_max < 16);
	T_EQ(vm_cnt.v_fault_pauses, 0);
	T_EQ(vm_cnt.v_busied, 0);
	space_destroy(s);
	fake_yield();
	T_EQ(dev.ctors, dev.dtors);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

static void
test_P19_unmapped_and_mapped_again_for_ever(void)
{
	remap_for_ever(false);
}

static void
test_P19_unmapped_and_mapped_again_with_getpages(void)
{
	remap_for_ever(true);
}

/* What a call made is still there when the fault starts over, although nobody else has the
 * object. */
static void
test_P19_the_object_is_kept_while_the_fault_starts_over(void)
{
	struct space *s = setup();
	const struct cdev_pager_ops *ops = dev.object->un_pager.devp.ops;
	struct toucher t;
	int error;

	dev.write_answer = VM_PAGER_AGAIN;
	T_EQ(device_touch(s, 8, R), KERN_SUCCESS);
	space_unmap(s, VA, ptoa(NPAGES));
	device_map(s, VA, 0, NPAGES, RW, 0);
	T_EQ(cdev_pager_revoke(dev.object, 3, 4), 0);
	vm_object_deallocate(dev.object);
	device_touch_in_thread(&t, s, 3, W);
	T_OK(fake_asleep(t.td)); /* waits for memory, with nothing locked */
	space_unmap(s, VA, ptoa(NPAGES));
	T_EQ(dev.dtors, 0);
	dev.object =
	    cdev_pager_allocate(&dev, OBJT_MGTDEVICE, ops, "dev", ptoa(NPAGES), RW, 0, &error);
	T_EQ(dev.ctors, 1);
	T_OK(device_page(8) != NULL);
	device_map(s, VA, 0, NPAGES, RW, 0);
	dev.write_answer = VM_PAGER_OK;
	fake_join(t.td);
	T_EQ(t.rv, KERN_SUCCESS);
	device_check(s);
	device_teardown(s);
}

/* --- at random -------------------------------------------------------------------------------- */

static struct space *stress_space;
static uint64_t stale_seen;

static void
stress_thread(void *arg)
{
	struct rng r = {(uint64_t)arg};
	vm_map_t map = &stress_space->map;
	vm_pindex_t i;
	int rv;

	for (int n = 0; n < 400; n++) {
		i = rng_below(&r, NPAGES);
		switch (rng_below(&r, 10)) {
		case 0:
			rw_wlock(&driver_lock);
			device_renew(0, NPAGES);
			/* R1, R3: what is mapped now is what the driver would answer now. */
			VM_OBJECT_WLOCK(dev.object);
			for (vm_pindex_t j = 0; j < NPAGES; j++) {
				vm_paddr_t pa = pmap_extract(map->pmap, VA + ptoa(j));

				stale_seen += pa != 0 && atop(pa - FAKE_VRAM_BASE) != j + dev.shift;
			}
			if (dev.shift > 64 * NPAGES)
				dev.shift = 0;
			VM_OBJECT_UNLOCK(dev.object);
			if (dev.shift == 0)
				cdev_pager_revoke(dev.object, 0, NPAGES);
			rw_unlock(&driver_lock);
			break;
		case 1:
			if (vm_map_wire(map, VA + ptoa(i), VA + ptoa(i + 1)) == KERN_SUCCESS)
				vm_map_unwire(map, VA + ptoa(i), VA + ptoa(i + 1));
			break;
		case 2:
			dev.window = rng_below(&r, 6);
			break;
		default:
			rv = fake_touch(map, VA + ptoa(i), rng_below(&r, 2) ? R : W, NULL);
			T_EQ(rv, KERN_SUCCESS);
		}
	}
}

static void
test_R3_stress(void)
{
	struct space *s = setup();
	struct thread *td[4];

	stress_space = s;
	dev.before = dev.after = yield;
	for (uint64_t i = 0; i < nitems(td); i++)
		td[i] = fake_spawn("stress", stress_thread, (void *)(200 + i));
	fake_preempt(23, 100);
	for (size_t i = 0; i < nitems(td); i++)
		fake_join(td[i]);
	fake_preempt(0, 0);
	T_EQ(stale_seen, 0);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_OK(device_page(i) == NULL || device_page(i)->wire_count == 0);
	device_teardown(s);
}

static const struct host_test tests[] = {
    TEST(test_R1_next_touch_finds_the_new_pages),
    TEST(test_R1_ranges_with_nothing_in_them),
    TEST(test_R1_unmanaged_pages_are_refused),
    TEST(test_R1_wired_in_two_maps),
    TEST(test_R1_unmapped_while_wired_and_revoked),
    TEST(test_R1_held_while_revoked),
    TEST(test_R1_by_a_thread_that_is_killed),
    TEST(test_R2_a_new_object_waits_for_the_destructor),
    TEST(test_R3_revoked_before_the_call_makes_its_pages),
    TEST(test_R3_revoked_after_the_call_made_its_pages),
    TEST(test_R3_revoked_page_by_page_during_one_call),
    TEST(test_R3_revocation_is_exact_by_range),
    TEST(test_R3_pages_that_were_mapped_already),
    TEST(test_R3_revoked_during_getpages),
    TEST(test_R3_revoked_between_the_call_and_the_relock),
    TEST(test_R4_last_mapping_goes_during_a_revocation),
    TEST(test_R4_last_reference_let_go_of_under_a_lock),
    TEST(test_R4_last_reference_is_a_faults),
    TEST(test_R4_last_reference_is_a_faults_that_is_resolved),
    TEST(test_P19_OK_without_progress_pauses_and_is_killable),
    TEST(test_P19_goes_on_when_the_revocations_end),
    TEST(test_P19_unmapped_and_mapped_again_for_ever),
    TEST(test_P19_unmapped_and_mapped_again_with_getpages),
    TEST(test_P19_the_object_is_kept_while_the_fault_starts_over),
    TEST(test_R3_stress),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "revoke", tests, nitems(tests), FRAMES));
}

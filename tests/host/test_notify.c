/*
 * Write-notify (W1): pages that their pager tracks are mapped read-only until it was asked about
 * a write, and what becomes of the other clauses then. The framebuffer's use of it is in
 * test_fb.c.
 */
#include "device.h"

#define FRAMES 2048

static const enum obj_type both_types[] = {OBJT_MGTDEVICE, OBJT_DEVICE};

static struct space *
setup(enum obj_type type, bool getpages)
{
	struct space *s = device_setup(type, getpages);

	dev.track = true;
	return (s);
}

/* All pages resident, tracked and mapped, by one read. */
static struct space *
setup_read(enum obj_type type, bool getpages)
{
	struct space *s = setup(type, getpages);

	T_EQ(device_touch(s, 3, R), KERN_SUCCESS);
	T_EQ(dev.calls, 1);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
	return (s);
}

static void
expect_writable(struct space *s, vm_pindex_t first, vm_pindex_t last)
{
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		bool writable = i >= first && i <= last;

		T_EQ(device_prot(s, i), writable ? RW : R);
		T_EQ(device_page(i)->tracked, !writable);
	}
}

/* --- the notification ------------------------------------------------------------------------- */

static void
test_W1_tracked_pages_are_mapped_read_only(void)
{
	for (size_t i = 0; i < nitems(both_types); i++) {
		struct space *s = setup_read(both_types[i], false);

		expect_writable(s, 1, 0);
		T_EQ(dev.write_calls, 0);
		device_check(s);
		device_teardown(s);
	}
}

static void
test_W1_first_write_calls_populate_for_the_resident_page(void)
{
	for (size_t i = 0; i < nitems(both_types); i++) {
		struct space *s = setup_read(both_types[i], false);
		vm_page_t m = device_page(5);

		dev.write_window = 1;
		fake_majflt = fake_minflt = 0;
		T_EQ(device_touch(s, 5, W), KERN_SUCCESS);
		T_EQ(dev.write_calls, 1);
		T_EQ(dev.pidx, 5);
		T_EQ(dev.fault_type, W);
		T_EQ(dev.first, 0);
		T_EQ(dev.last, NPAGES - 1);
		T_OK(device_page(5) == m);
		expect_writable(s, 5, 5);
		T_EQ(fake_majflt + fake_minflt, 1); /* P17 */
		T_EQ(fake_majflt, 1);
		T_EQ(device_touch(s, 5, W), KERN_SUCCESS);
		T_EQ(dev.calls, 2);
		device_check(s);
		device_teardown(s);
	}
}

static void
test_W1_a_range_is_upgraded_at_once(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);
	uint64_t faults = vm_cnt.v_faults;

	dev.write_window = 4;
	T_EQ(device_touch(s, 9, W), KERN_SUCCESS);
	expect_writable(s, 8, 11);
	for (vm_pindex_t i = 8; i < 12; i++)
		T_EQ(device_touch(s, i, W), KERN_SUCCESS);
	T_EQ(dev.write_calls, 1);
	T_EQ(vm_cnt.v_faults, faults + 1);
	device_teardown(s);
}

static void
test_W1_first_touch_is_a_write(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, false);

	dev.write_window = 4;
	T_EQ(device_touch(s, 2, W), KERN_SUCCESS);
	T_EQ(dev.calls, 1);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), 4);
	for (vm_pindex_t i = 0; i < 4; i++)
		T_EQ(device_prot(s, i), RW);
	T_EQ(device_touch(s, 8, R), KERN_SUCCESS); /* the rest, and the four again */
	expect_writable(s, 0, 3);
	device_teardown(s);
}

/* A read maps what is tracked and what is not in turns: no page gets its neighbour's rights. */
static void
test_W1_tracked_and_untracked_pages_in_one_range(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, false), *s2 = space_create();

	dev.write_window = 1;
	for (vm_pindex_t i = 0; i < NPAGES; i += 3)
		T_EQ(device_touch(s, i, W), KERN_SUCCESS);
	device_map(s2, VA, 0, NPAGES, RW, 0);
	dev.calls = 0;
	T_EQ(device_touch(s2, 1, R), KERN_SUCCESS);
	T_EQ(dev.calls, 1);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_EQ(device_prot(s2, i), i % 3 == 0 ? RW : R);
	space_destroy(s2);
	device_teardown(s);
}

static void
test_W1_another_map_of_an_upgraded_page_needs_no_call(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false), *s2 = space_create();

	device_map(s2, VA, 0, NPAGES, RW, 0);
	T_EQ(device_touch(s2, 4, R), KERN_SUCCESS);
	dev.write_window = 1;
	T_EQ(device_touch(s, 4, W), KERN_SUCCESS);
	T_EQ(dev.write_calls, 1);
	T_EQ(device_prot(s2, 4), R);
	T_EQ(device_touch(s2, 4, W), KERN_SUCCESS);
	T_EQ(dev.write_calls, 1);
	space_destroy(s2);
	device_teardown(s);
}

/* pmap_remove_write arms a page again. */
static void
test_W1_armed_again(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);
	vm_page_t m = device_page(7);

	dev.write_window = 1;
	for (int i = 1; i <= 3; i++) {
		T_EQ(device_touch(s, 7, W), KERN_SUCCESS);
		T_EQ(dev.write_calls, i);
		VM_OBJECT_WLOCK(dev.object);
		m->tracked = true;
		pmap_remove_write(m);
		VM_OBJECT_UNLOCK(dev.object);
		T_EQ(device_touch(s, 7, R), KERN_SUCCESS);
		expect_writable(s, 1, 0);
	}
	device_teardown(s);
}

static void
test_W1_untracked_by_the_pager_needs_no_call(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);

	device_page(6)->tracked = false; /* as a driver does that wrote to it itself */
	T_EQ(device_touch(s, 6, W), KERN_SUCCESS);
	T_EQ(dev.calls, 1);
	T_EQ(device_prot(s, 6), RW);
	device_teardown(s);
}

/* --- the other answers ------------------------------------------------------------------------ */

/* The ordinary way for a page that is there is to map it, with or without getpages. */
static void
test_W1_P8_BAD_lets_the_write_go_ahead(void)
{
	for (int getpages = 0; getpages < 2; getpages++) {
		struct space *s = setup_read(OBJT_MGTDEVICE, getpages != 0);

		dev.write_answer = VM_PAGER_BAD;
		T_EQ(device_touch(s, 5, W), KERN_SUCCESS);
		T_EQ(dev.write_calls, 1);
		T_EQ(dev.getpages, 0);
		expect_writable(s, 5, 5);
		T_OK(device_page(5)->dirty);
		device_teardown(s);
	}
}

static void
test_W1_P8_BAD_to_the_first_touch(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, true);

	dev.write_answer = VM_PAGER_BAD;
	T_EQ(device_touch(s, 5, W), KERN_SUCCESS);
	T_EQ(dev.write_calls, 1);
	T_EQ(dev.getpages, 1);
	T_EQ(device_prot(s, 5), RW);
	T_OK(!device_page(5)->tracked);
	device_teardown(s);
}

static void
test_W1_P9_an_error_fails_the_write_and_nothing_else(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, true);

	dev.write_answer = VM_PAGER_ERROR;
	T_EQ(device_touch(s, 5, W), KERN_FAILURE);
	T_EQ(device_touch(s, 5, R), KERN_SUCCESS);
	expect_writable(s, 1, 0);
	T_EQ(dev.getpages, 0);
	dev.write_answer = VM_PAGER_OK;
	T_EQ(device_touch(s, 5, W), KERN_SUCCESS);
	device_teardown(s);
}

static void
again_once(struct device *d)
{
	if (d->write_calls > 1)
		d->write_answer = VM_PAGER_OK;
}

static void
test_W1_P9_AGAIN_waits(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);

	dev.write_answer = VM_PAGER_AGAIN;
	dev.before = again_once;
	T_EQ(device_touch(s, 5, W), KERN_SUCCESS);
	T_EQ(dev.write_calls, 2);
	device_teardown(s);
}

/* --- what the other clauses say then ---------------------------------------------------------- */

static void
test_W1_P4_shadowed_object_is_not_asked(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, true);
	vm_offset_t private = VA + ptoa(2 * NPAGES);
	uint8_t *p;

	device_map(s, private, 0, NPAGES, RW, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	T_EQ(fake_touch(&s->map, private + ptoa(2), W, &p), KERN_SUCCESS);
	T_EQ(dev.write_calls, 0); /* a private page's write is not the device's */
	T_OK(device_page(2)->tracked);
	*p = 99;
	T_EQ(fake_vram[ptoa(2)], 2);
	T_EQ(device_touch(s, 5, W), KERN_SUCCESS); /* not asked, but seen in the page */
	T_EQ(dev.write_calls, 0);
	expect_writable(s, 5, 5);
	device_teardown(s);
}

static void
test_W1_private_mapping_reads_tracked_pages(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, true);
	vm_offset_t private = VA + ptoa(2 * NPAGES);

	device_map(s, private, 0, NPAGES, RW, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	T_EQ(fake_touch(&s->map, private + ptoa(2), R, NULL), KERN_SUCCESS);
	T_EQ(dev.write_calls, 0);
	device_teardown(s);
}

static void
test_W1_read_only_entry_is_a_protection_failure(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);

	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(NPAGES), R), KERN_SUCCESS);
	T_EQ(device_touch(s, 5, W), KERN_PROTECTION_FAILURE);
	T_EQ(dev.calls, 1);
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(NPAGES), RW), KERN_SUCCESS);
	T_EQ(device_touch(s, 5, W), KERN_SUCCESS); /* P23 */
	T_EQ(dev.write_calls, 1);
	device_teardown(s);
}

static void
test_W1_P14_tracked_pages_are_not_dirty(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);

	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_OK(!device_page(i)->dirty);
	dev.write_window = 4;
	T_EQ(device_touch(s, 5, W), KERN_SUCCESS);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_EQ(device_page(i)->dirty, i >= 4 && i < 8);
	device_teardown(s);
}

static void
test_W1_P14_mlock_upgrades_and_wires_once(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);

	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_EQ(device_page(i)->wire_count, i < 4);
	T_EQ(fake_pmap.wired, 4);
	T_EQ(device_prot(s, 3), RW);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	for (vm_pindex_t i = 0; i < 4; i++)
		T_EQ(device_page(i)->wire_count, 0);
	device_teardown(s);
}

static void
test_W1_P16_page_comes_back_held_and_writable(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);
	vm_page_t m;

	T_EQ(vm_fault(&s->map, VA + ptoa(6), W, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
	T_OK(m == device_page(6) && !m->tracked);
	T_EQ(m->hold_count, 1);
	T_EQ(dev.write_calls, 1);
	vm_page_unhold(m);
	T_EQ(vm_fault(&s->map, VA + ptoa(6), R, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
	vm_page_unhold(m);
	device_teardown(s);
}

static void
test_W1_P12_unmapped_during_the_upgrade(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);
	struct toucher t;

	dev.after = device_nap;
	device_touch_in_thread(&t, s, 5, W);
	space_unmap(s, VA + ptoa(4), ptoa(4));
	device_gate_open();
	fake_join(t.td);
	T_EQ(t.rv, KERN_INVALID_ADDRESS);
	T_OK(device_page(5)->tracked);
	T_EQ(device_prot(s, 9), R);
	device_teardown(s);
}

static void
test_W1_P12_changed_elsewhere_during_the_upgrade(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);
	struct toucher t;

	dev.write_window = 2;
	dev.after = device_nap;
	device_touch_in_thread(&t, s, 5, W);
	space_unmap(s, VA + ptoa(10), ptoa(4));
	device_gate_open();
	fake_join(t.td);
	T_EQ(t.rv, KERN_SUCCESS);
	T_EQ(dev.write_calls, 2);
	T_EQ(device_prot(s, 4), RW);
	T_EQ(device_prot(s, 6), R);
	device_teardown(s);
}

static void
test_W1_two_threads_write_one_page(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);
	struct toucher a, b;

	dev.after = device_nap;
	device_touch_in_thread(&a, s, 5, W);
	device_touch_in_thread(&b, s, 5, W); /* finds the page busy */
	T_EQ(dev.write_calls, 1);
	device_gate_open();
	fake_join(a.td);
	fake_join(b.td);
	T_EQ(a.rv, KERN_SUCCESS);
	T_EQ(b.rv, KERN_SUCCESS);
	T_EQ(dev.write_calls, 1);
	expect_writable(s, 0, NPAGES - 1);
	device_teardown(s);
}

static void
arm_all(struct device *d)
{
	VM_OBJECT_WLOCK(d->object);
	for (vm_page_t m = vm_page_find_least(d->object, 0); m != NULL;
	     m = vm_page_find_least(d->object, m->pindex + 1)) {
		m->tracked = true;
		pmap_remove_write(m);
	}
	VM_OBJECT_UNLOCK(d->object);
}

/* Armed while a call is under way: the write that comes of it is not missed, it is of
 * afterwards. */
static void
test_W1_armed_during_the_upgrade(void)
{
	struct space *s = setup_read(OBJT_MGTDEVICE, false);

	dev.write_window = 4;
	dev.after = arm_all;
	T_EQ(device_touch(s, 5, W), KERN_SUCCESS);
	expect_writable(s, 4, 7);
	dev.after = NULL;
	arm_all(&dev);
	expect_writable(s, 1, 0);
	device_teardown(s);
}

/* RAM goes to whoever needs it next. */
static void
test_W1_a_page_of_RAM_is_not_tracked_after_its_end(void)
{
	struct space *s = space_create();
	vm_object_t object = phys_pager_allocate(1);
	vm_page_t m;

	vm_object_reference(object);
	space_map(s, VA, PAGE_SIZE, object, 0, RW, RW, 0);
	T_EQ(device_touch(s, 0, R), KERN_SUCCESS);
	VM_OBJECT_WLOCK(object);
	m = vm_page_lookup(object, 0);
	m->tracked = true;
	VM_OBJECT_UNLOCK(object);
	space_destroy(s);
	vm_object_deallocate(object);
	T_OK(!m->tracked);
}

/* Short of page tables in the middle: whatever is writable is not tracked. */
static void
test_W1_P15_page_table_shortage(void)
{
	for (uint64_t nth = 1; nth <= NPAGES; nth++) {
		struct space *s = setup_read(OBJT_MGTDEVICE, false);

		fake_pmap_fail(nth);
		T_EQ(device_touch(s, 5, W), KERN_SUCCESS);
		fake_pmap_fail(0);
		T_EQ(vm_cnt.v_busied, 0);
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			T_OK((device_prot(s, i) & W) == 0 || !device_page(i)->tracked);
		device_teardown(s);
	}
}

/* --- at random -------------------------------------------------------------------------------- */

static struct space *stress_space;

/* What may be written is not tracked, whenever nobody is at it. */
static void
check_tracking(struct space *s)
{
	VM_OBJECT_WLOCK(dev.object);
	for (vm_page_t m = vm_page_find_least(dev.object, 0); m != NULL;
	     m = vm_page_find_least(dev.object, m->pindex + 1))
		T_OK((device_prot(s, m->pindex) & W) == 0 || !m->tracked);
	VM_OBJECT_UNLOCK(dev.object);
}

static void
stress_thread(void *arg)
{
	struct rng r = {(uint64_t)arg};
	vm_map_t map = &stress_space->map;
	int rv;

	for (int i = 0; i < 500; i++) {
		vm_pindex_t first = rng_below(&r, NPAGES), n = 1 + rng_below(&r, NPAGES - first);

		switch (rng_below(&r, 10)) {
		case 0:
			arm_all(&dev);
			break;
		case 1:
			cdev_pager_revoke(dev.object, first, first + n);
			break;
		case 2:
			vm_map_protect(map, VA + ptoa(first), VA + ptoa(first + n),
				       rng_below(&r, 2) ? R : RW);
			break;
		case 3:
			dev.window = rng_below(&r, 5);
			dev.write_window = rng_below(&r, 5);
			break;
		case 4:
			dev.write_answer = rng_below(&r, 4) ? VM_PAGER_OK : VM_PAGER_BAD;
			break;
		default:
			rv = fake_touch(map, VA + ptoa(first), rng_below(&r, 2) ? R : W, NULL);
			T_OK(rv == KERN_SUCCESS || rv == KERN_PROTECTION_FAILURE);
		}
		check_tracking(stress_space);
	}
}

static void
yield(struct device *d __unused)
{
	fake_yield();
}

static void
test_W1_stress(void)
{
	struct space *s = setup(OBJT_MGTDEVICE, true);
	struct thread *td[4];

	stress_space = s;
	dev.after = yield;
	for (uint64_t i = 0; i < nitems(td); i++)
		td[i] = fake_spawn("stress", stress_thread, (void *)(100 + i));
	fake_preempt(17, 100);
	for (size_t i = 0; i < nitems(td); i++)
		fake_join(td[i]);
	fake_preempt(0, 0);
	device_check(s);
	device_teardown(s);
}

static const struct host_test tests[] = {
    TEST(test_W1_tracked_pages_are_mapped_read_only),
    TEST(test_W1_first_write_calls_populate_for_the_resident_page),
    TEST(test_W1_a_range_is_upgraded_at_once),
    TEST(test_W1_first_touch_is_a_write),
    TEST(test_W1_tracked_and_untracked_pages_in_one_range),
    TEST(test_W1_another_map_of_an_upgraded_page_needs_no_call),
    TEST(test_W1_armed_again),
    TEST(test_W1_untracked_by_the_pager_needs_no_call),
    TEST(test_W1_P8_BAD_lets_the_write_go_ahead),
    TEST(test_W1_P8_BAD_to_the_first_touch),
    TEST(test_W1_P9_an_error_fails_the_write_and_nothing_else),
    TEST(test_W1_P9_AGAIN_waits),
    TEST(test_W1_P4_shadowed_object_is_not_asked),
    TEST(test_W1_private_mapping_reads_tracked_pages),
    TEST(test_W1_read_only_entry_is_a_protection_failure),
    TEST(test_W1_P14_tracked_pages_are_not_dirty),
    TEST(test_W1_P14_mlock_upgrades_and_wires_once),
    TEST(test_W1_P16_page_comes_back_held_and_writable),
    TEST(test_W1_P12_unmapped_during_the_upgrade),
    TEST(test_W1_P12_changed_elsewhere_during_the_upgrade),
    TEST(test_W1_two_threads_write_one_page),
    TEST(test_W1_armed_during_the_upgrade),
    TEST(test_W1_a_page_of_RAM_is_not_tracked_after_its_end),
    TEST(test_W1_P15_page_table_shortage),
    TEST(test_W1_stress),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "notify", tests, nitems(tests), FRAMES));
}

/*
 * Lab 8: the populate stage (kernel/vm/vm_fault_populate.c) against a pager that keeps the contract,
 * and breaks it where a test wants it to.
 */
#include "device.h"
#include "lab.h"

#define FRAMES 1024

/* --- what the tests share --------------------------------------------------------------------- */

/* Wirings of the device's pages, which the machine's counts leave out. */
static uint64_t
wirings(void)
{
	uint64_t n = 0;
	vm_page_t m;

	for (vm_pindex_t i = 0; i < NPAGES; i++)
		n += (m = device_page(i)) != NULL ? m->wire_count : 0;
	return (n);
}

/* The device as most tests want it: pages by eights, the ordinary way as well. */
static struct space *
setup(void)
{
	struct space *s = device_setup(OBJT_MGTDEVICE, true);

	dev.window = 8;
	return (s);
}

/* --- what is populated ------------------------------------------------------------------------ */

static void
range(void)
{
	struct space *s = setup();

	fake_majflt = fake_minflt = 0;
	touch(s, 5, W, KERN_SUCCESS);
	expect("calls", (uint64_t)dev.calls, 1);
	expect("calls of getpages", (uint64_t)dev.getpages, 0);
	expect("pages mapped", mapped(s, 0, NPAGES), 8);
	expect("of them of the range", mapped(s, 0, 8), 8);
	expect("major faults", fake_majflt, 1);
	expect("minor faults", fake_minflt, 0);
	expect("pages still busy", vm_cnt.v_busied, 0);
	device_check(s);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		touch(s, i, W, KERN_SUCCESS);
	expect("major faults for all", fake_majflt, 2);
	device_check(s);
	device_teardown(s);
}

/* Install all pages, whatever the hint was; answer that. */
static void
install_all(struct device *d)
{
	vm_object_t object = d->object;
	vm_page_t m;

	VM_OBJECT_WLOCK(object);
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		if (vm_page_lookup(object, i) != NULL)
			continue;
		m = vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE + ptoa(i));
		T_OK(vm_page_tryxbusy(m));
		m->valid = true;
		T_EQ(vm_page_insert(m, object, i), 0);
	}
	VM_OBJECT_UNLOCK(object);
	d->lies = true; /* it does not, now */
	d->lie_first = 0;
	d->lie_last = NPAGES - 1;
}

static void
clip(void)
{
	struct space *s = setup();
	uint64_t clipped;

	space_unmap(s, VA, ptoa(NPAGES));
	device_map(s, VA + ptoa(4), 4, 8, RW, 0);
	dev.after = install_all;
	clipped = vm_cnt.v_populate_clipped;
	touch(s, 6, W, KERN_SUCCESS);
	expect("pages mapped", mapped(s, 0, NPAGES), 8);
	expect("the first of the entry", mapped(s, 4, 1), 1);
	expect("the last of the entry", mapped(s, 11, 1), 1);
	expect("pages counted as cut off", vm_cnt.v_populate_clipped - clipped, 8);
	expect("pages still busy", vm_cnt.v_busied, 0);
	dev.after = NULL;
	dev.lies = false;
	device_map(s, VA, 0, 4, RW, 0); /* what was cut off can be used */
	touch(s, 1, W, KERN_SUCCESS);
	device_check(s);
	device_teardown(s);
}

/* --- what is wrong ---------------------------------------------------------------------------- */

/* The pager answers [first, last] for page 5, having installed 0 to 7. */
static void
breach(vm_pindex_t first, vm_pindex_t last, const char *text)
{
	struct space *s = setup();

	dev.lies = true;
	dev.lie_first = first;
	dev.lie_last = last;
	fake_expect_panic("P7", text);
	device_touch(s, 5, W);
	T_FAIL("the range [%lu, %lu] for page 5 is accepted", first, last);
}

static void
begins_behind(void)
{
	breach(6, 7, "range [6, 7]");
}

static void
ends_in_front(void)
{
	breach(0, 4, "range [0, 4]");
}

static void
past_the_object(void)
{
	breach(0, NPAGES, "range [0, 16]");
}

static void
invalidate(struct device *d)
{
	(void)d;
	device_page(6)->valid = false;
}

static void
invalid_page(void)
{
	struct space *s = setup();

	dev.after = invalidate;
	fake_expect_panic("P7", "not valid");
	device_touch(s, 5, W);
	T_FAIL("page 6 is not valid, and nobody notices");
}

static void
unbusy_last(struct device *d)
{
	VM_OBJECT_WLOCK(d->object);
	vm_page_xunbusy(vm_page_lookup(d->object, 7));
	VM_OBJECT_UNLOCK(d->object);
}

static void
last_page(void)
{
	struct space *s = setup();

	dev.after = unbusy_last;
	fake_expect_panic("P7", "busied");
	device_touch(s, 5, W);
	T_FAIL("page 7, the last of the range, is not busied, and nobody notices");
}

/* --- what happens meanwhile ------------------------------------------------------------------- */

static void
map_changed(void)
{
	struct space *s = setup();
	struct toucher t;
	uint64_t restarts = vm_cnt.v_populate_restarts;

	dev.after = device_nap;
	device_touch_in_thread(&t, s, 5, W);
	T_OK(fake_asleep(t.td));
	expect("pages busy while the pager sleeps", vm_cnt.v_busied, 8);
	space_unmap(s, VA, ptoa(NPAGES));
	device_gate_open();
	fake_join(t.td);
	expect("what the touch of unmapped memory answers", (uint64_t)t.rv, KERN_INVALID_ADDRESS);
	expect("pages mapped where nothing is", mapped(s, 0, NPAGES), 0);
	expect("pages still busy", vm_cnt.v_busied, 0);
	expect("restarts counted", vm_cnt.v_populate_restarts - restarts, 1);
	/* And if all that changed is elsewhere, it comes through. */
	device_map(s, VA, 0, NPAGES, RW, 0);
	touch(s, 5, W, KERN_SUCCESS);
	device_check(s);
	device_teardown(s);
}

static void
then_ok(struct device *d)
{
	if (d->calls > 1)
		d->write_answer = VM_PAGER_OK;
}

static void
declined(void)
{
	struct space *s = setup();
	uint64_t waits;

	dev.write_answer = VM_PAGER_BAD;
	touch(s, 5, W, KERN_SUCCESS);
	expect("calls before getpages", (uint64_t)dev.calls, 1);
	expect("calls of getpages", (uint64_t)dev.getpages, 1);
	expect("pages mapped", mapped(s, 0, NPAGES), 1);
	dev.write_answer = VM_PAGER_ERROR;
	touch(s, 6, W, KERN_FAILURE);
	expect("calls of getpages after an error", (uint64_t)dev.getpages, 1);
	expect("pages still busy", vm_cnt.v_busied, 0);
	dev.calls = 0;
	dev.write_answer = VM_PAGER_AGAIN;
	dev.before = then_ok;
	waits = vm_cnt.v_fault_restarts;
	touch(s, 9, W, KERN_SUCCESS);
	expect("calls", (uint64_t)dev.calls, 2);
	expect("restarts after AGAIN", vm_cnt.v_fault_restarts - waits, 1);
	expect("pages mapped of the second half", mapped(s, 8, 8), 8);
	device_teardown(s);
}

/* The device's frames become others when the call has decided what to install. */
static void
revoke_once(struct device *d)
{
	if (d->calls > 1)
		return;
	d->shift = 32;
	T_EQ(cdev_pager_revoke(d->object, 0, NPAGES), 0);
}

static void
revoked(void)
{
	struct space *s = setup();

	dev.before = revoke_once;
	touch(s, 5, W, KERN_SUCCESS);
	expect("calls", (uint64_t)dev.calls, 2);
	expect("pages mapped", mapped(s, 0, NPAGES), 8);
	device_check(s); /* of the new frames */
	device_teardown(s);
}

static void
wired(void)
{
	struct space *s = setup();

	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(8)), KERN_SUCCESS);
	expect("pages wired", wirings(), 8);
	expect("calls of getpages", (uint64_t)dev.getpages, 0);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(8)), KERN_SUCCESS);
	expect("pages wired after munlock", wirings(), 0);
	expect("calls", (uint64_t)dev.calls, 1);
	device_teardown(s);
}

static const struct host_test tests[] = {
    TEST(range),           TEST(clip),         TEST(begins_behind), TEST(ends_in_front),
    TEST(past_the_object), TEST(invalid_page), TEST(last_page),     TEST(map_changed),
    TEST(declined),        TEST(revoked),      TEST(wired),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab 8", tests, nitems(tests), FRAMES));
}

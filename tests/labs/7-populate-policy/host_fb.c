/*
 * Lab 7: how much of VRAM one fault brings in (drivers/fb_pager.c: policy_range, fb_pg_populate).
 */
#include "fake_fb.h"
#include "lab.h"

#define FRAMES 1024

/* --- what the tests share --------------------------------------------------------------------- */

/* Write each of n pages; then each frame has what its page was given. */
static void
write_all(struct space *s, vm_pindex_t n, const char *what, uint64_t faults)
{
	mark();
	for (vm_pindex_t i = 0; i < n; i++) {
		touch(s, i, W, KERN_SUCCESS);
		space_write(s, va(i), i * 3);
	}
	for (vm_pindex_t i = 0; i < n; i++)
		if (*frame(i) != i * 3)
			T_FAIL("%s: page %lu is not frame %lu", what, i, i);
	expect(what, SINCE(v_faults), faults);
	expect("populate calls", SINCE(v_populate_calls), faults);
	expect("pages populated", SINCE(v_populate_pages), n);
	expect("pages clipped", SINCE(v_populate_clipped), 0);
	expect("pages still busy", vm_cnt.v_busied, 0);
}

/* n pages of VRAM from first on, and no others. */
static void
map_part(struct space *s, vm_pindex_t first, vm_pindex_t n)
{
	vm_object_t object = object_of(s);

	vm_object_reference(object);
	space_unmap(s, VA, FAKE_VRAM_SIZE);
	space_map(s, VA, ptoa(n), object, ptoa(first), RW, RW, 0);
}

/* --- policies --------------------------------------------------------------------------------- */

static void
single(void)
{
	struct space *s = setup("single");

	write_all(s, 300, "faults for 300 pages", 300);
	expect("pages mapped", mapped(s, 0, NPAGES), 300);
	teardown(s);
}

static void
window(void)
{
	struct space *s = setup("window:16");

	touch(s, 37, W, KERN_SUCCESS);
	expect("pages 32 to 47 mapped", mapped(s, 32, 16), 16);
	expect("pages mapped in all", mapped(s, 0, NPAGES), 16);
	touch(s, 48, R, KERN_SUCCESS);
	touch(s, 31, R, KERN_SUCCESS);
	expect("pages 16 to 63 mapped", mapped(s, 16, 48), 48);
	expect("pages mapped in all", mapped(s, 0, NPAGES), 48);
	pmap_remove(&s->pmap, VA, va(NPAGES));
	T_EQ(cdev_pager_revoke(object_of(s), 0, NPAGES), 0);
	write_all(s, NPAGES, "faults for all pages", 256);
	teardown(s);
}

static void
window_odd(void)
{
	struct space *s = setup("window:1000");

	touch(s, 2345, W, KERN_SUCCESS);
	expect("pages 2000 to 2999 mapped", mapped(s, 2000, 1000), 1000);
	expect("pages mapped in all", mapped(s, 0, NPAGES), 1000);
	T_EQ(cdev_pager_revoke(object_of(s), 0, NPAGES), 0);
	write_all(s, NPAGES, "faults for all pages", 5);
	teardown(s);
}

static void
whole(void)
{
	static const vm_pindex_t where[] = {0, 1, 777, NPAGES - 1};

	for (size_t i = 0; i < nitems(where); i++) {
		struct space *s = setup("whole");

		touch(s, where[i], i % 2 != 0 ? W : R, KERN_SUCCESS);
		expect("pages mapped by one fault", mapped(s, 0, NPAGES), NPAGES);
		teardown(s);
	}
}

static void
changes(void)
{
	struct space *s = setup("single");

	touch(s, 5, W, KERN_SUCCESS);
	space_write(s, va(5), 55);
	set_policy("window:8");
	touch(s, 4, R, KERN_SUCCESS);
	expect("pages 0 to 7 mapped, with the one that was there", mapped(s, 0, NPAGES), 8);
	expect("what it shows", space_read(s, va(5)), 55);
	set_policy("off");
	mark();
	fake_touch(&s->map, va(100), W, NULL); /* what comes of it is lab 6's affair */
	expect("pages populated by `off`", SINCE(v_populate_pages), 0);
	expect("calls of cdev_pg_fault", SINCE(v_pager_faults), 1);
	set_policy("whole");
	touch(s, 2000, W, KERN_SUCCESS);
	expect("pages mapped in the end", mapped(s, 0, NPAGES), NPAGES);
	expect("what page 5 shows", space_read(s, va(5)), 55);
	teardown(s);
}

static void
hint(void)
{
	static const char *const policies[] = {"whole", "window:16", "window:3"};

	for (size_t i = 0; i < nitems(policies); i++) {
		struct space *s = setup(policies[i]);
		vm_object_t object = object_of(s);

		map_part(s, 101, 5);
		mark();
		for (vm_pindex_t k = 5; k-- > 0;)
			touch(s, k, W, KERN_SUCCESS);
		space_write(s, va(2), 5 + i);
		expect("pages made for a mapping of five", object->resident_page_count, 5);
		expect("pages mapped", mapped(s, 0, NPAGES), 5);
		expect("pages clipped", SINCE(v_populate_clipped), 0);
		expect("pages populated", SINCE(v_populate_pages), 5);
		expect("frame 103", *frame(103), 5 + i);
		teardown(s);
	}
}

/* --- the contract ----------------------------------------------------------------------------- */

static void
touch_page_3(void *arg)
{
	touch(arg, 3, W, KERN_SUCCESS);
}

static void
busy_neighbour(void)
{
	struct space *s = setup("window:16");
	struct thread *busier, *td;

	touch(s, 9, W, KERN_SUCCESS);
	T_EQ(cdev_pager_revoke(object_of(s), 0, 9), 0);
	busier = fake_spawn("busier", busy_for_a_while, &fb.pages[9]);
	fake_run(busier);
	td = fake_spawn("toucher", touch_page_3, s);
	fake_run(td);
	T_OK(fake_asleep(td));
	expect("pages busy while it sleeps", vm_cnt.v_busied, 1);
	expect("locks held", (uint64_t)fake_locks_held(td), 0);
	fake_join(busier);
	fake_join(td);
	expect("pages mapped", mapped(s, 0, NPAGES), 16);
	teardown(s);
}

/* 412 pages from page 100 on come one by one: they are not a whole superpage. */
static void
shortage(void)
{
	uint64_t short_behind = 0, short_in_front = 0;

	for (uint64_t nth = 1; nth < 20; nth++) {
		for (vm_pindex_t at = 0; at < 412; at += 411) {
			struct space *s = setup("window:1000");
			uint64_t there;

			map_part(s, 100, 412);
			mark();
			fake_kmem_fail(nth);
			touch(s, at, W, KERN_SUCCESS);
			there = mapped(s, 0, 412);
			short_behind +=
			    fake_kmem_failed() && SINCE(v_fault_restarts) == 0 && there < 412;
			short_in_front += fake_kmem_failed() && SINCE(v_fault_restarts) != 0;
			fake_kmem_fail(0);
			expect("pages still busy", vm_cnt.v_busied, 0);
			for (vm_pindex_t i = 0; i < 412; i++)
				touch(s, i, W, KERN_SUCCESS);
			expect("pages mapped in the end", mapped(s, 0, 412), 412);
			teardown(s);
		}
	}
	if (short_behind == 0)
		T_FAIL("short of memory behind the page asked for, the range never ends earlier");
	if (short_in_front == 0)
		T_FAIL("short of memory in front of it, no fault ever starts over");
}

static void
waits_for_the_screen(void)
{
	struct space *s = setup("window:4");

	waited_for = object_of(s);
	wait_hook = wait_a_moment;
	touch(s, 1, W, KERN_SUCCESS);
	expect("waits while the screen is the programs'", (uint64_t)waits, 0);
	fb.hidden = true;
	touch(s, 5, W, KERN_SUCCESS);
	expect("waits while text is in front", (uint64_t)waits, 1);
	fb.hidden = true;
	wait_error = EINTR; /* killed */
	touch(s, 9, W, KERN_FAILURE);
	expect("pages made", object_of(s)->resident_page_count, 8);
	fb.hidden = false;
	touch(s, 9, W, KERN_SUCCESS);
	expect("pages mapped", mapped(s, 0, NPAGES), 12);
	wait_hook = NULL;
	teardown(s);
}

static const struct host_test tests[] = {
    TEST(single),         TEST(window),   TEST(window_odd),
    TEST(whole),          TEST(changes),  TEST(hint),
    TEST(busy_neighbour), TEST(shortage), TEST(waits_for_the_screen),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab 7", tests, nitems(tests), FRAMES));
}

/*
 * Lab 6: pages of VRAM the ordinary way (drivers/fb_pager.c: fb_pg_fault, the constructor, the
 * destructor).
 */
#include "fake_fb.h"
#include "lab.h"

#define FRAMES  1024
#define PRIVATE 0x40000ul /* the first page of another mapping */

/* --- what the tests share --------------------------------------------------------------------- */

static void
write_page(struct space *s, vm_pindex_t i, uint64_t value)
{
	touch(s, i, W, KERN_SUCCESS);
	space_write(s, va(i), value);
}

/* --- the tests -------------------------------------------------------------------------------- */

static void
shows_the_frames(void)
{
	struct space *s = setup("off");
	uint64_t asked;

	memset(fake_vram, 0, FAKE_VRAM_SIZE);
	*frame(300) = 42;
	asked = vm_cnt.v_pager_faults;
	for (vm_pindex_t i = 0; i < 200; i++)
		write_page(s, i, 100 + i);
	expect("pager calls for 200 pages", vm_cnt.v_pager_faults - asked, 200);
	for (vm_pindex_t i = 0; i < 200; i++)
		if (*frame(i) != 100 + i)
			T_FAIL("page %lu of the mapping is not frame %lu: the frame has %lu", i, i,
			       *frame(i));
	touch(s, 300, R, KERN_SUCCESS);
	expect("what frame 300 shows", space_read(s, va(300)), 42);
	write_page(s, NPAGES - 1, 9);
	expect("the last frame", *frame(NPAGES - 1), 9);
	teardown(s);
}

static void
ram_goes_back(void)
{
	struct space *s = setup("off");
	uint64_t free_before = vm_cnt.v_free_count;
	vm_page_t m;

	for (vm_pindex_t i = 10; i < 30; i++) {
		write_page(s, i, i);
		VM_OBJECT_RLOCK(object_of(s));
		m = vm_page_lookup(object_of(s), i);
		VM_OBJECT_UNLOCK(object_of(s));
		if (m != &fb.pages[i])
			T_FAIL("the page at index %lu is not the frame's own", i);
		T_OK(m->valid && !vm_page_busied(m));
	}
	expect("pages of RAM in use for it", free_before - vm_cnt.v_free_count, 0);
	expect("pages in the object", object_of(s)->resident_page_count, 20);
	teardown(s);
}

static void private(void)
{
	static const char *const policies[] = {"off", "whole", "single"};

	for (size_t i = 0; i < nitems(policies); i++) {
		struct space *s = setup(policies[i]);

		*frame(9) = 17;
		*frame(10) = 0;
		vm_object_reference(object_of(s));
		space_map(s, va(PRIVATE), ptoa(8), object_of(s), ptoa(8), RW, VM_PROT_ALL,
			  MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
		touch(s, PRIVATE + 2, W, KERN_SUCCESS); /* through a shadow from now on */
		space_write(s, va(PRIVATE + 2), 19);
		touch(s, PRIVATE + 1, R, KERN_SUCCESS);
		expect("what a private mapping shows", space_read(s, va(PRIVATE + 1)), 17);
		space_write(s, va(PRIVATE + 1), 18);
		expect("frame 9", *frame(9), 17);
		expect("frame 10", *frame(10), 0);
		expect("the copy", space_read(s, va(PRIVATE + 1)), 18);
		teardown(s);
	}
}

static void
two_processes(void)
{
	struct space *s = setup("off"), *other = space_create();
	uint64_t asked = vm_cnt.v_pager_faults;

	vm_object_reference(object_of(s));
	space_map(other, VA, FAKE_VRAM_SIZE, object_of(s), 0, RW, RW, 0);
	for (vm_pindex_t i = 0; i < 20; i++) {
		write_page(s, i, i);
		expect("what the other process sees", space_read(other, va(i)), i);
		space_write(other, va(i), 1000 + i);
		expect("and the first", space_read(s, va(i)), 1000 + i);
	}
	expect("pager calls", vm_cnt.v_pager_faults - asked, 20);
	space_destroy(other);
	teardown(s);
}

static void
shortage(void)
{
	bool failed = false;

	for (uint64_t nth = 1; nth < 8; nth++) {
		struct space *s = setup("off");

		fake_kmem_fail(nth);
		for (vm_pindex_t i = 0; i < NPAGES; i += 97) {
			write_page(s, i, i);
			expect("the frame", *frame(i), i);
		}
		failed |= fake_kmem_failed();
		fake_kmem_fail(0);
		expect("pages still busy", vm_cnt.v_busied, 0);
		teardown(s);
	}
	T_OK(failed);
}

/* A bug of the driver's, made on purpose: the page of frame 5 is in use elsewhere. */
static void
misplaced(void)
{
	struct space *s = setup("off");
	vm_object_t elsewhere = vm_object_allocate(OBJT_MGTDEVICE, 16);
	uint64_t free_before = vm_cnt.v_free_count;
	vm_page_t m = &fb.pages[5];

	write_page(s, 4, 4);
	VM_OBJECT_WLOCK(elsewhere);
	T_OK(vm_page_tryxbusy(m));
	T_EQ(vm_page_insert(m, elsewhere, 2), 0);
	m->valid = true;
	vm_page_xunbusy(m);
	VM_OBJECT_UNLOCK(elsewhere);
	touch(s, 5, W, KERN_FAILURE);
	T_OK(m->object == elsewhere && m->pindex == 2 && !vm_page_busied(m));
	expect("pages of RAM in use", free_before - vm_cnt.v_free_count, 0);
	expect("pages still busy", vm_cnt.v_busied, 0);
	VM_OBJECT_WLOCK(elsewhere);
	T_OK(vm_page_tryxbusy(m));
	vm_page_remove(m);
	vm_page_xunbusy(m);
	VM_OBJECT_UNLOCK(elsewhere);
	write_page(s, 5, 5);
	expect("frame 5", *frame(5), 5);
	vm_object_free(elsewhere);
	teardown(s);
}

static void
waits_for_the_screen(void)
{
	struct space *s = setup("off");

	waited_for = object_of(s);
	wait_hook = wait_a_moment;
	write_page(s, 1, 1);
	expect("waits while the screen is the programs'", waits, 0);
	fb.hidden = true;
	write_page(s, 2, 2);
	expect("waits while text is in front", waits, 1);
	fb.hidden = true;
	wait_error = EINTR; /* killed */
	touch(s, 3, W, KERN_FAILURE);
	expect("waits until it was killed", waits, 2);
	expect("pages in the object", object_of(s)->resident_page_count, 2);
	fb.hidden = false;
	write_page(s, 3, 3);
	wait_hook = NULL;
	teardown(s);
}

static void
console_off(void)
{
	struct space *s = setup("off");

	expect("holds with VRAM mapped", (uint64_t)holds, 1);
	vm_object_reference(object_of(s));
	space_map(s, va(PRIVATE), ptoa(8), object_of(s), 0, RW, RW, 0);
	expect("holds with VRAM mapped twice", (uint64_t)holds, 1);
	space_unmap(s, VA, FAKE_VRAM_SIZE);
	expect("holds with a mapping left", (uint64_t)holds, 1);
	teardown(s);
	expect("holds with no mapping left", (uint64_t)holds, 0);
}

static const struct host_test tests[] = {
    TEST(shows_the_frames),     TEST(ram_goes_back), TEST(private),
    TEST(two_processes),        TEST(shortage),      TEST(misplaced),
    TEST(waits_for_the_screen), TEST(console_off),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab 6", tests, nitems(tests), FRAMES));
}

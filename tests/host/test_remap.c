/*
 * vm_map_remap (mremap): what moves keeps its pages, what grows gets new ones, what fails changes
 * nothing.
 */
#include "harness.h"
#include "kern/kmalloc.h"

#define FRAMES 2048
#define FAR    0x50000000ul
#define COW    (MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY)

static int
touch(struct space *s, vm_offset_t va, vm_prot_t access)
{
	return (fake_touch(&s->map, va, access, NULL));
}

static void
map_anon(struct space *s, vm_offset_t va, vm_pindex_t pages)
{
	space_map(s, va, ptoa(pages), NULL, 0, RW, VM_PROT_ALL, 0);
}

/* Write first, first + 1 ... to the pages from va on. */
static void
fill(struct space *s, vm_offset_t va, vm_pindex_t pages, uint64_t first)
{
	for (vm_pindex_t i = 0; i < pages; i++)
		space_write(s, va + ptoa(i), first + i);
}

static void
expect(struct space *s, vm_offset_t va, vm_pindex_t pages, uint64_t first)
{
	for (vm_pindex_t i = 0; i < pages; i++)
		T_EQ(space_read(s, va + ptoa(i)), first + i);
}

static void
expect_zeros(struct space *s, vm_offset_t va, vm_pindex_t pages)
{
	for (vm_pindex_t i = 0; i < pages; i++)
		T_EQ(space_read(s, va + ptoa(i)), 0);
}

/* To anywhere; sizes in pages. */
static int
remap(struct space *s, vm_offset_t old, vm_pindex_t from, vm_pindex_t to, vm_offset_t *new)
{
	struct vm_map_remap r = {
	    .old = old, .old_size = ptoa(from), .new_size = ptoa(to), .may_move = true};
	int rv = vm_map_remap(&s->map, &r);

	*new = r.new;
	return (rv);
}

static int
remap_to(struct space *s, vm_offset_t old, vm_pindex_t from, vm_pindex_t to, vm_offset_t new)
{
	struct vm_map_remap r = {.old = old,
				 .old_size = ptoa(from),
				 .new_size = ptoa(to),
				 .new = new,
				 .may_move = true,
				 .fixed = true};

	return (vm_map_remap(&s->map, &r));
}

static int
remap_keep(struct space *s, vm_offset_t old, vm_pindex_t pages, vm_offset_t *new)
{
	struct vm_map_remap r = {.old = old,
				 .old_size = ptoa(pages),
				 .new_size = ptoa(pages),
				 .may_move = true,
				 .keep = true};
	int rv = vm_map_remap(&s->map, &r);

	*new = r.new;
	return (rv);
}

/* --- a file of 16 pages; page i holds 100 + i --- */

static int
file_getpage(void *handle __unused, vm_page_t m)
{
	*(uint64_t *)pmap_page_kva(m) = 100 + m->pindex;
	return (0);
}

static vm_object_t
file_object(void)
{
	return (vnode_pager_allocate(&touch, 16, file_getpage));
}

/* --- where it goes ---------------------------------------------------------------------------- */

static void
test_grow_in_place(void)
{
	struct space *s = space_create();
	vm_offset_t new;

	map_anon(s, VA, 4);
	fill(s, VA, 4, 10);
	T_EQ(remap(s, VA, 4, 6, &new), KERN_SUCCESS);
	T_EQ(new, VA);
	T_EQ(s->map.size, ptoa(6));
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(6)), 4); /* nothing was unmapped */
	expect(s, VA, 4, 10);
	expect_zeros(s, VA + ptoa(4), 2);
	space_destroy(s);
}

static void
test_grow_moves_when_there_is_no_room(void)
{
	struct space *s = space_create();
	vm_offset_t new;

	map_anon(s, VA, 4);
	fill(s, VA, 4, 10);
	space_map(s, VA + ptoa(4), ptoa(1), NULL, 0, R, R, 0);
	T_EQ(remap(s, VA, 4, 9, &new), KERN_SUCCESS);
	T_OK(new != VA);
	T_EQ(touch(s, VA, R), KERN_INVALID_ADDRESS);
	T_EQ(touch(s, VA + ptoa(3), R), KERN_INVALID_ADDRESS);
	T_EQ(touch(s, VA + ptoa(4), R), KERN_SUCCESS);
	expect(s, new, 4, 10);
	expect_zeros(s, new + ptoa(4), 5);
	T_EQ(s->map.size, ptoa(10));
	space_destroy(s);
}

static void
test_may_not_move(void)
{
	struct space *s = space_create();
	struct vm_map_remap r = {.old = VA, .old_size = ptoa(4), .new_size = ptoa(6)};

	map_anon(s, VA, 4);
	space_map(s, VA + ptoa(5), ptoa(1), NULL, 0, R, R, 0);
	T_EQ(vm_map_remap(&s->map, &r), KERN_NO_SPACE);
	r.new_size = ptoa(5);
	T_EQ(vm_map_remap(&s->map, &r), KERN_SUCCESS);
	r.old_size = ptoa(2); /* a part at the front has its rest in the way */
	r.new_size = ptoa(3);
	T_EQ(vm_map_remap(&s->map, &r), KERN_NO_SPACE);
	r.old_size = r.new_size = ptoa(5);
	T_EQ(vm_map_remap(&s->map, &r), KERN_SUCCESS);
	T_EQ(r.new, VA);
	space_destroy(s);
}

static void
test_a_part_moves(void)
{
	struct space *s = space_create();

	map_anon(s, VA, 8);
	fill(s, VA, 8, 1);
	T_EQ(remap_to(s, VA + ptoa(2), 3, 5, FAR), KERN_SUCCESS);
	expect(s, VA, 2, 1);
	expect(s, VA + ptoa(5), 3, 6);
	T_EQ(touch(s, VA + ptoa(2), R), KERN_INVALID_ADDRESS);
	T_EQ(touch(s, VA + ptoa(4), R), KERN_INVALID_ADDRESS);
	expect(s, FAR, 3, 3);
	expect_zeros(s, FAR + ptoa(3), 2);
	T_EQ(touch(s, FAR + ptoa(5), R), KERN_INVALID_ADDRESS);
	T_EQ(remap_to(s, FAR, 3, 3, VA + ptoa(2)), KERN_SUCCESS); /* and back, which heals it */
	expect(s, VA, 8, 1);
	T_EQ(s->map.nentries, 2);
	space_destroy(s);
}

static void
test_fixed_replaces_what_is_there(void)
{
	struct space *s = space_create();

	map_anon(s, VA, 4);
	fill(s, VA, 4, 10);
	map_anon(s, FAR, 8);
	fill(s, FAR, 8, 50);
	T_EQ(vm_map_wire(&s->map, FAR, FAR + ptoa(8)), KERN_SUCCESS);
	T_EQ(remap_to(s, VA, 4, 4, FAR + ptoa(2)), KERN_SUCCESS);
	expect(s, FAR, 2, 50);
	expect(s, FAR + ptoa(2), 4, 10);
	expect(s, FAR + ptoa(6), 2, 56);
	T_EQ(vm_cnt.v_wire_count, 4); /* what was wired and unmapped gave it back */
	T_EQ(s->map.size, ptoa(8));
	space_destroy(s);
	T_EQ(vm_cnt.v_wire_count, 0);
}

static void
test_large_moves_keep_their_place_in_a_large_page(void)
{
	struct space *s = space_create();
	vm_offset_t large = 2ul << 20, new;

	map_anon(s, VA + ptoa(3), 1024);
	space_map(s, VA + ptoa(3 + 1024), ptoa(1), NULL, 0, R, R, 0);
	T_EQ(remap(s, VA + ptoa(3), 1024, 1500, &new), KERN_SUCCESS);
	T_EQ(new % large, (VA + ptoa(3)) % large);
	space_destroy(s);
}

/* --- what it is ------------------------------------------------------------------------------- */

static void
test_not_mapped_or_not_one_area(void)
{
	struct space *s = space_create();
	vm_offset_t new;

	map_anon(s, VA, 4);
	space_map(s, VA + ptoa(4), ptoa(4), NULL, 0, R, VM_PROT_ALL, 0);
	T_EQ(remap(s, VA - ptoa(1), 2, 4, &new), KERN_INVALID_ADDRESS);
	T_EQ(remap(s, VA, 5, 9, &new), KERN_INVALID_ADDRESS); /* of other rights */
	T_EQ(remap(s, VA + ptoa(4), 5, 9, &new), KERN_INVALID_ADDRESS); /* a hole */
	T_EQ(remap(s, VA, ~0ul >> PAGE_SHIFT, 1ul << 34, &new), KERN_INVALID_ADDRESS);
	T_EQ(s->map.nentries, 2);
	space_destroy(s);
}

/* Written in parts, it is several entries with an object each, but one area to the program. */
static void
test_an_area_of_several_entries(void)
{
	struct space *s = space_create();

	for (vm_pindex_t i = 4; i-- > 0;) {
		map_anon(s, VA + ptoa(2 * i), 2);
		fill(s, VA + ptoa(2 * i), 2, 10 + 2 * i);
	}
	T_EQ(s->map.nentries, 4);
	T_EQ(remap_to(s, VA + ptoa(1), 6, 9, FAR), KERN_SUCCESS);
	T_EQ(s->map.nentries, 7); /* the last half shares its object: what is new has its own */
	expect(s, FAR, 6, 11);
	expect_zeros(s, FAR + ptoa(6), 3);
	T_EQ(space_read(s, VA), 10);
	T_EQ(space_read(s, VA + ptoa(7)), 17);
	T_EQ(vm_map_wire(&s->map, FAR, FAR + ptoa(1)), KERN_SUCCESS); /* no longer alike */
	T_EQ(remap_to(s, FAR, 9, 9, VA + ptoa(16)), KERN_INVALID_ADDRESS);
	space_destroy(s);
}

static void
test_shared_file(void)
{
	struct space *s = space_create();
	vm_object_t object = file_object();
	vm_offset_t new;

	vm_object_reference(object);
	space_map(s, VA, ptoa(4), object, ptoa(2), RW, RW, MAP_ENTRY_SHARED);
	expect(s, VA, 4, 102);
	T_EQ(remap(s, VA, 4, 6, &new), KERN_SUCCESS);
	T_EQ(s->map.nentries, 1); /* the same object, the next offset */
	expect(s, VA, 6, 102);
	T_EQ(remap_to(s, VA + ptoa(1), 2, 4, FAR), KERN_SUCCESS);
	expect(s, FAR, 4, 103);
	T_EQ(remap_to(s, FAR, 4, 20, FAR + ptoa(64)), KERN_SUCCESS);
	expect(s, FAR + ptoa(64), 13, 103);
	T_EQ(touch(s, FAR + ptoa(64 + 13), R), KERN_FAILURE); /* past the end of the file */
	space_destroy(s);
	T_EQ(object->ref_count, 1);
	vm_object_deallocate(object);
}

/* The copies move along; what is new is the file's. */
static void
test_private_file(void)
{
	struct space *s = space_create();
	vm_object_t object = file_object();

	vm_object_reference(object);
	space_map(s, VA, ptoa(4), object, ptoa(1), RW, VM_PROT_ALL, COW);
	space_write(s, VA + ptoa(2), 7);
	T_EQ(remap_to(s, VA, 4, 6, FAR), KERN_SUCCESS);
	expect(s, FAR, 2, 101);
	T_EQ(space_read(s, FAR + ptoa(2)), 7);
	expect(s, FAR + ptoa(3), 3, 104);
	space_write(s, FAR + ptoa(5), 8);
	T_EQ(remap_to(s, FAR, 6, 7, VA), KERN_SUCCESS); /* two entries by now */
	T_EQ(space_read(s, VA + ptoa(2)), 7);
	T_EQ(space_read(s, VA + ptoa(5)), 8);
	T_EQ(space_read(s, VA + ptoa(6)), 107);
	space_destroy(s);
	T_EQ(object->ref_count, 1);
	vm_object_deallocate(object);
}

/* Shared memory is as long as it was made: past it, a fault fails, and is no panic. */
static void
test_shared_memory_does_not_grow(void)
{
	struct space *s = space_create();
	vm_object_t object = vm_object_allocate(OBJT_ANON, 2);
	vm_offset_t new;

	space_map(s, VA, ptoa(2), object, 0, RW, RW, MAP_ENTRY_SHARED);
	T_EQ(remap(s, VA, 2, 4, &new), KERN_SUCCESS);
	T_EQ(touch(s, VA + ptoa(1), VM_PROT_WRITE), KERN_SUCCESS);
	T_EQ(touch(s, VA + ptoa(2), VM_PROT_WRITE), KERN_FAILURE);
	T_EQ(touch(s, VA + ptoa(3), R), KERN_FAILURE);
	space_destroy(s);
}

static void
test_old_size_0_maps_shared_memory_twice(void)
{
	struct space *s = space_create();
	vm_object_t object = vm_object_allocate(OBJT_ANON, 4);
	vm_offset_t new;

	space_map(s, VA, ptoa(4), object, 0, RW, RW, MAP_ENTRY_SHARED);
	map_anon(s, FAR, 4);
	fill(s, VA, 4, 10);
	T_EQ(remap(s, VA + ptoa(1), 0, 2, &new), KERN_SUCCESS);
	expect(s, new, 2, 11);
	space_write(s, new, 99);
	T_EQ(space_read(s, VA + ptoa(1)), 99);
	T_EQ(remap(s, FAR, 0, 2, &new), KERN_INVALID_ARGUMENT);
	space_destroy(s);
}

static void
test_keep_leaves_an_empty_mapping(void)
{
	struct space *s = space_create();
	vm_object_t object = file_object();
	vm_offset_t new;

	map_anon(s, VA, 4);
	fill(s, VA, 4, 10);
	T_EQ(remap_keep(s, VA, 4, &new), KERN_SUCCESS);
	expect(s, new, 4, 10);
	expect_zeros(s, VA, 4);
	space_map(s, FAR, ptoa(4), object, 0, RW, VM_PROT_ALL, COW);
	fill(s, FAR, 4, 20);
	T_EQ(remap_keep(s, FAR + ptoa(1), 2, &new), KERN_SUCCESS);
	expect(s, new, 2, 21);
	T_EQ(space_read(s, FAR), 20);
	expect(s, FAR + ptoa(1), 2, 101); /* the file's again */
	T_EQ(space_read(s, FAR + ptoa(3)), 23);
	space_destroy(s);
}

static void
test_a_device_moves_but_does_not_grow(void)
{
	struct space *s = space_create();
	vm_object_t object = file_object();
	vm_offset_t new;

	space_map(s, VA, ptoa(4), object, 0, RW, RW, MAP_ENTRY_SHARED | MAP_ENTRY_DEVICE);
	T_EQ(remap(s, VA, 4, 5, &new), KERN_INVALID_ADDRESS);
	T_EQ(remap(s, VA, 0, 5, &new), KERN_INVALID_ADDRESS);
	T_EQ(remap_keep(s, VA, 4, &new), KERN_INVALID_ARGUMENT);
	T_EQ(remap_to(s, VA, 4, 4, FAR), KERN_SUCCESS);
	expect(s, FAR, 4, 100);
	T_EQ(touch(s, VA, R), KERN_INVALID_ADDRESS);
	space_destroy(s);
}

/* The wirings stay with the pages, and what is faulted in at the new place is entered wired. */
static void
test_wired_memory_moves(void)
{
	struct space *s = space_create();
	struct vm_map_remap r = {.old = VA,
				 .old_size = ptoa(4),
				 .new_size = ptoa(6),
				 .new = FAR,
				 .may_move = true,
				 .fixed = true};
	bool wired;

	map_anon(s, VA, 4);
	fill(s, VA, 4, 10);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(vm_map_remap(&s->map, &r), KERN_SUCCESS);
	T_OK(r.wired);
	T_EQ(vm_cnt.v_wire_count, 4);
	expect(s, FAR, 4, 10);
	for (vm_pindex_t i = 0; i < 4; i++)
		T_OK(fake_pte(&s->pmap, FAR + ptoa(i), NULL, NULL, &wired) && wired);
	T_EQ(vm_map_unwire(&s->map, FAR, FAR + ptoa(6)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 0);
	T_EQ(fake_pmap.wired, 0);
	space_destroy(s);
}

/* --- what fails changes nothing --------------------------------------------------------------- */

static void
test_ENOMEM_changes_nothing(void)
{
	for (int keep = 0; keep < 2; keep++) {
		for (uint64_t nth = 1;; nth++) {
			struct space *s = space_create();
			struct vm_map_remap r = {.old = VA + ptoa(1),
						 .old_size = ptoa(2),
						 .new_size = ptoa(keep ? 2 : 5),
						 .may_move = true,
						 .keep = keep};
			int rv;

			map_anon(s, VA, 4);
			fill(s, VA, 4, 10);
			fake_kmem_fail(nth);
			rv = vm_map_remap(&s->map, &r);
			if (!fake_kmem_failed()) {
				fake_kmem_fail(0);
				T_EQ(rv, KERN_SUCCESS);
				expect(s, r.new, 2, 11);
				space_destroy(s);
				T_OK(nth >= 3);
				break;
			}
			T_EQ(rv, KERN_RESOURCE_SHORTAGE);
			T_EQ(s->map.size, ptoa(4));
			expect(s, VA, 4, 10);
			space_destroy(s);
		}
	}
}

/* --- against a model: what each page of a window should hold; NONE: it is not mapped --- */

#define WINDOW 40ul
#define NONE   ~0ul

static struct space *model_space;
static uint64_t model[WINDOW];

static vm_offset_t
at(vm_pindex_t i)
{
	return (VA + ptoa(i));
}

static void
model_remap(vm_pindex_t old, vm_pindex_t from, vm_pindex_t new, vm_pindex_t to)
{
	uint64_t was[WINDOW];
	bool mapped = true;
	int rv;

	if (from > to || (old < new + to &&new < old + from))
		return;
	for (vm_pindex_t i = old; i < old + from; i++)
		mapped &= model[i] != NONE;
	memcpy(was, model, sizeof(was));
	rv = remap_to(model_space, at(old), from, to, at(new));
	T_EQ(rv, mapped ? KERN_SUCCESS : KERN_INVALID_ADDRESS);
	if (!mapped)
		return;
	for (vm_pindex_t i = 0; i < from; i++)
		model[old + i] = NONE;
	for (vm_pindex_t i = 0; i < to; i++)
		model[new + i] = i < from ? was[old + i] : 0;
}

static void
model_check(void)
{
	vm_size_t size = 0;

	for (vm_pindex_t i = 0; i < WINDOW; i++) {
		size += model[i] != NONE ? PAGE_SIZE : 0;
		if (model[i] == NONE)
			T_EQ(touch(model_space, at(i), R), KERN_INVALID_ADDRESS);
		else
			T_EQ(space_read(model_space, at(i)), model[i]);
	}
	T_EQ(model_space->map.size, size);
}

/* What is mapped, without touching it. */
static void
model_check_entries(void)
{
	vm_map_t map = &model_space->map;

	vm_map_lock_read(map);
	for (vm_pindex_t i = 0; i < WINDOW; i++)
		if ((vm_map_lookup_entry(map, at(i)) != NULL) != (model[i] != NONE))
			T_FAIL("page %lu should%s be mapped", i, model[i] != NONE ? "" : " not");
	vm_map_unlock_read(map);
}

static void
test_random_against_a_model(void)
{
	struct rng r = {42};

	model_space = space_create();
	map_anon(model_space, VA, WINDOW);
	for (int step = 0; step < 3000; step++) {
		vm_pindex_t i = rng_below(&r, WINDOW), n = 1 + rng_below(&r, WINDOW - i);
		vm_pindex_t new = rng_below(&r, WINDOW), to = 1 + rng_below(&r, WINDOW - new);

		switch (rng_below(&r, 8)) {
		case 0: {
			struct vm_map_req req = {.prot = RW, .max_prot = VM_PROT_ALL};

			T_EQ(vm_map_fixed(&model_space->map, at(i), ptoa(n), &req), KERN_SUCCESS);
			memset(&model[i], 0, n * sizeof(model[0]));
			break;
		}
		case 1:
			n = MIN(n, 4ul);
			space_unmap(model_space, at(i), ptoa(n));
			for (vm_pindex_t k = i; k < i + n; k++)
				model[k] = NONE;
			break;
		case 2:
		case 3:
		case 4:
			if (model[i] != NONE) {
				model[i] = rng_next(&r) >> 1;
				space_write(model_space, at(i), model[i]);
			}
			break;
		default:
			model_remap(i, MIN(n, 8ul), new, MIN(to, 12ul));
		}
		model_check_entries();
		if (step % 50 == 0)
			model_check();
	}
	model_check();
	space_destroy(model_space);
}

static const struct host_test tests[] = {
    TEST(test_grow_in_place),
    TEST(test_grow_moves_when_there_is_no_room),
    TEST(test_may_not_move),
    TEST(test_a_part_moves),
    TEST(test_fixed_replaces_what_is_there),
    TEST(test_large_moves_keep_their_place_in_a_large_page),
    TEST(test_not_mapped_or_not_one_area),
    TEST(test_an_area_of_several_entries),
    TEST(test_shared_file),
    TEST(test_private_file),
    TEST(test_shared_memory_does_not_grow),
    TEST(test_old_size_0_maps_shared_memory_twice),
    TEST(test_keep_leaves_an_empty_mapping),
    TEST(test_a_device_moves_but_does_not_grow),
    TEST(test_wired_memory_moves),
    TEST(test_ENOMEM_changes_nothing),
    TEST(test_random_against_a_model),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "remap", tests, nitems(tests), FRAMES));
}

/*
 * Superpages in objects and faults: blocks of device frames put in as one, split, taken out in
 * part, and put back; what the populate contract says of them (docs/populate.md), clause by clause.
 * Over the fake pmap, which knows small entries only: test_pmap.c has the other half.
 */
#include "harness.h"
#include "vm/vm_super.h"

#define FRAMES  2048
#define SP      VM_SUPERPAGE_PAGES
#define NBLOCKS 4ul
#define NPAGES  (NBLOCKS * SP)

static vm_page_t frames; /* of VRAM */
static vm_pindex_t run_pages = SP; /* how large a superpage the pager asks for */

/* --- a pager that populates by superpages ----------------------------------------------------- */

enum breach { B_NONE, B_INVALID, B_NOT_BUSIED, B_SBUSIED, B_MISSING };

static struct {
	vm_object_t object; /* with a reference of the test's */
	vm_pindex_t lo, hi; /* installed, whatever the hint */
	int calls;
	enum breach breach; /* of the superpage at `at`, or of its page */
	vm_pindex_t at;
	bool nap, gate_open; /* sleep before the answer, until the gate opens */
} dev;

/* Busy what stands at i, or put it there: as a superpage if it can be one. Returns the index
 * after it. */
static vm_pindex_t
install(vm_object_t object, vm_pindex_t i)
{
	vm_page_t m;

	while ((m = vm_page_lookup(object, i)) != NULL && !vm_page_tryxbusy(m)) {
		vm_page_busy_sleep(m);
		VM_OBJECT_WLOCK(object);
	}
	if (m == NULL) {
		m = &frames[i];
		T_OK(vm_page_tryxbusy(m));
		if (vm_page_insert_super(m, object, i, run_pages) != 0)
			T_EQ(vm_page_insert(m, object, i), 0);
		m->valid = true;
	}
	return (i + vm_page_unit_pages(vm_page_unit(m)) - (vm_pindex_t)(m - vm_page_unit(m)));
}

static void
break_it(vm_object_t object)
{
	vm_page_t m = vm_page_lookup(object, dev.at);

	if (dev.breach == B_INVALID)
		vm_page_unit(m)->valid = false;
	if (dev.breach == B_NOT_BUSIED || dev.breach == B_SBUSIED)
		vm_page_xunbusy(m);
	if (dev.breach == B_SBUSIED)
		T_OK(vm_page_trysbusy(m));
	if (dev.breach == B_MISSING) {
		vm_page_split(vm_page_unit(m));
		T_OK(m != vm_page_unit(&frames[dev.at & ~(SP - 1)]));
		vm_page_remove(m);
	}
}

static int
dev_populate(vm_object_t object, vm_pindex_t pidx, int fault_type, vm_prot_t max_prot,
	     vm_pindex_t *first, vm_pindex_t *last)
{
	(void)pidx, (void)fault_type, (void)max_prot;
	dev.calls++;
	*first = dev.lo;
	*last = MIN(dev.hi, object->size - 1);
	for (vm_pindex_t i = *first; i <= *last;)
		i = install(object, i);
	if (dev.nap) {
		VM_OBJECT_UNLOCK(object);
		while (!dev.gate_open)
			rw_sleep(&dev.gate_open, NULL, 0, 0);
		VM_OBJECT_WLOCK(object);
	}
	break_it(object);
	return (VM_PAGER_OK);
}

static int
dev_fault(vm_object_t object, vm_ooffset_t offset, int prot, vm_page_t *mp)
{
	vm_page_t m = &frames[atop(offset)];

	(void)prot;
	vm_page_free(*mp);
	T_OK(vm_page_tryxbusy(m));
	T_EQ(vm_page_insert(m, object, atop(offset)), 0);
	m->valid = true;
	*mp = m;
	return (VM_PAGER_OK);
}

static const struct cdev_pager_ops dev_ops = {.cdev_pg_fault = dev_fault,
					      .cdev_pg_populate = dev_populate};

static void
vram_register(void)
{
	T_EQ(vm_phys_fictitious_reg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE,
					  VM_MEMATTR_WRITE_COMBINING),
	     0);
	frames = vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE);
}

static void
vram_unregister(void)
{
	for (vm_pindex_t b = 0; b < NBLOCKS; b++) {
		T_EQ(frames[b * SP].block.standing, 0);
		T_EQ(frames[b * SP].block.wired, 0);
	}
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

static void
dev_map(struct space *s, vm_offset_t va, vm_pindex_t first, vm_pindex_t n, vm_prot_t prot,
	uint32_t eflags)
{
	vm_object_reference(dev.object);
	space_map(s, va, ptoa(n), dev.object, ptoa(first), prot, RW, eflags);
}

static void
dev_open(void)
{
	int error;

	vram_register();
	dev.lo = 0;
	dev.hi = NPAGES - 1;
	dev.object = cdev_pager_allocate(&dev, OBJT_MGTDEVICE, &dev_ops, "superdev", ptoa(NPAGES),
					 RW, 0, &error);
	T_OK(dev.object != NULL);
}

static void
dev_close(void)
{
	vm_object_deallocate(dev.object);
	vram_unregister();
}

/* A space that maps n pages of the device from first on. */
static struct space *
setup(vm_pindex_t first, vm_pindex_t n)
{
	struct space *s = space_create();

	dev_open();
	dev_map(s, VA, first, n, RW, MAP_ENTRY_SHARED);
	return (s);
}

static void
teardown(struct space *s)
{
	T_EQ(vm_cnt.v_busied, 0);
	fake_pmap_verify();
	space_destroy(s);
	dev_close();
}

static void
touch(struct space *s, vm_offset_t va, vm_prot_t access, int rv)
{
	T_EQ(fake_touch(&s->map, va, access, NULL), rv);
	T_EQ(fake_locks_held(curthread), 0);
}

/* Are the pages of block b one superpage in the device's object? */
static bool
is_whole(vm_pindex_t b)
{
	return (frames[b * SP].block.whole);
}

/* --- an object and its superpages ------------------------------------------------------------- */

static vm_object_t
object_make(vm_pindex_t size)
{
	vm_object_t object;

	vram_register();
	object = vm_object_allocate(OBJT_ANON, size);
	VM_OBJECT_WLOCK(object);
	return (object);
}

static void
object_end(vm_object_t object)
{
	VM_OBJECT_UNLOCK(object);
	T_EQ(vm_cnt.v_busied, 0);
	vm_object_deallocate(object);
	vram_unregister();
}

/* Put the block at m at pindex, with those after it up to max pages, and let go of it; what insert
 * said. */
static int
put_run(vm_object_t object, vm_page_t m, vm_pindex_t pindex, vm_pindex_t max)
{
	vm_pindex_t count = object->resident_page_count;
	int error;

	T_OK(vm_page_tryxbusy(m));
	error = vm_page_insert_super(m, object, pindex, max);
	if (error == 0)
		m->valid = true;
	T_EQ(object->resident_page_count, count + (error == 0 ? vm_page_unit_pages(m) : 0));
	vm_page_xunbusy(m);
	return (error);
}

/* The same for one block. */
static int
put(vm_object_t object, vm_page_t m, vm_pindex_t pindex)
{
	int error = put_run(object, m, pindex, SP);

	T_OK(error != 0 || vm_page_unit_pages(m) == SP);
	return (error);
}

static void
split(vm_page_t m)
{
	T_OK(vm_page_tryxbusy(m));
	vm_page_split(m);
	vm_page_xunbusy(m);
}

static void
test_S1_insert_refuses_what_is_no_superpage(void)
{
	vm_object_t object = object_make(2 * SP + 511);
	vm_page_t ram = vm_phys_alloc(0, VM_ALLOC_NORMAL);

	T_EQ(put(object, &frames[1], 0), EINVAL);
	T_EQ(put(object, ram, 0), EINVAL);
	T_EQ(put(object, &frames[0], 1), EINVAL);
	T_EQ(put(object, &frames[0], SP + 256), EINVAL);
	T_EQ(put(object, &frames[0], 2 * SP), EINVAL); /* one page too few */
	T_EQ(put(object, &frames[0], UINT64_MAX & ~(SP - 1)), EINVAL);
	object->size = SP - 1;
	T_EQ(put(object, &frames[0], 0), EINVAL);
	object->size = SP;
	T_EQ(put(object, &frames[0], 0), 0);
	vm_page_free(ram);
	object_end(object);
}

static void
test_P21_insert_at_a_place_that_is_taken(void)
{
	vm_object_t object = object_make(NPAGES), other;
	vm_page_t ram = vm_page_alloc(object, SP + 511, VM_ALLOC_ZERO);

	vm_page_xunbusy(ram);
	T_EQ(put(object, &frames[0], SP), EEXIST); /* a page of RAM */
	T_EQ(put(object, &frames[0], 0), 0);
	T_EQ(put(object, &frames[SP], 0), EEXIST); /* a superpage */
	T_EQ(put(object, &frames[0], 2 * SP), EEXIST); /* it stands elsewhere */
	split(&frames[0]);
	vm_object_page_remove(object, 1, SP);
	T_EQ(put(object, &frames[SP], 0), EEXIST); /* what is left of one */
	T_EQ(put(object, &frames[0], 2 * SP), EEXIST); /* one page of it stands elsewhere */
	T_EQ(vm_page_insert(&frames[7], object, 0), EEXIST);
	vm_object_page_remove(object, 0, 1);
	T_EQ(put(object, &frames[0], 2 * SP), 0);
	T_EQ(vm_page_insert(&frames[7], object, 3), EEXIST); /* part of a superpage */
	VM_OBJECT_UNLOCK(object);
	other = vm_object_allocate(OBJT_ANON, SP);
	VM_OBJECT_WLOCK(other);
	T_EQ(put(other, &frames[0], 0), EEXIST); /* in another object */
	VM_OBJECT_UNLOCK(other);
	vm_object_deallocate(other);
	VM_OBJECT_WLOCK(object);
	object_end(object);
}

static void
test_P21_insert_without_memory_changes_nothing(void)
{
	vm_object_t object = object_make(NPAGES);

	fake_kmem_fail(1);
	T_EQ(put(object, &frames[0], 0), ENOMEM);
	T_OK(fake_kmem_failed());
	T_EQ(frames[0].block.standing, 0);
	T_OK(!is_whole(0) && frames[0].object == NULL && vm_page_lookup(object, 0) == NULL);
	T_EQ(put(object, &frames[0], 0), 0);
	object_end(object);
}

static void
test_S1_lookups_cross_from_one_kind_to_the_other(void)
{
	vm_object_t object = object_make(NPAGES);
	vm_page_t ram = vm_page_alloc(object, 3, VM_ALLOC_ZERO);

	vm_page_xunbusy(ram);
	T_EQ(put(object, &frames[SP], SP), 0);
	T_EQ(put(object, &frames[0], 2 * SP), 0); /* not in the order of the frames */
	T_EQ(vm_page_insert(&frames[2 * SP], object, 3 * SP), 0);
	T_OK(vm_page_lookup(object, SP + 5) == &frames[SP + 5]);
	T_OK(vm_page_lookup(object, 2 * SP + 5) == &frames[5]);
	T_OK(vm_page_lookup(object, SP - 1) == NULL);
	T_OK(vm_page_find_least(object, 0) == ram);
	T_OK(vm_page_find_least(object, 4) == &frames[SP]);
	T_OK(vm_page_find_least(object, SP + 9) == &frames[SP + 9]);
	T_OK(vm_page_find_least(object, 3 * SP) == &frames[2 * SP]);
	T_OK(vm_page_find_least(object, 3 * SP + 1) == NULL);
	T_OK(vm_page_next(ram) == NULL);
	T_OK(vm_page_next(&frames[SP]) == &frames[0]);
	T_OK(vm_page_next(&frames[0]) == &frames[2 * SP]);
	T_EQ(vm_page_pindex(&frames[7]), 2 * SP + 7);
	object_end(object);
}

static void
test_S3_a_split_needs_no_memory(void)
{
	vm_object_t object = object_make(NPAGES);
	uint64_t calls;

	T_EQ(put(object, &frames[0], SP), 0);
	vm_page_dirty(&frames[77]);
	calls = fake_kmem_calls;
	fake_eat_memory(0);
	vm_object_page_remove(object, SP + 100, SP + 200);
	T_EQ(fake_kmem_calls, calls);
	T_OK(!is_whole(0));
	T_EQ(object->resident_page_count, SP - 100);
	for (vm_pindex_t i = 0; i < SP; i++) {
		vm_page_t m = vm_page_lookup(object, SP + i);

		T_OK(m == (i >= 100 && i < 200 ? NULL : &frames[i]));
		T_OK(m == NULL || (m->valid && m->dirty && !vm_page_busied(m) &&
				   vm_page_unit(m) == m && m->pindex == SP + i));
	}
	T_OK(vm_page_find_least(object, SP + 100) == &frames[200]);
	T_OK(vm_page_next(&frames[99]) == NULL && vm_page_next(&frames[98]) == &frames[99]);
	fake_give_memory(~0ul);
	object_end(object);
}

/* Truncation in the middle; the rest goes with the object. */
static void
test_S3_an_object_ends_in_the_middle_of_one(void)
{
	vm_object_t object = object_make(NPAGES);

	T_EQ(put(object, &frames[0], 0), 0);
	T_EQ(put(object, &frames[SP], SP), 0);
	VM_OBJECT_UNLOCK(object);
	vm_object_set_size(object, SP + 1);
	VM_OBJECT_WLOCK(object);
	T_EQ(object->resident_page_count, SP + 1);
	T_OK(is_whole(0) && !is_whole(1));
	object_end(object);
}

static void
test_S3_a_page_comes_back(void)
{
	vm_object_t object = object_make(NPAGES);
	uint64_t calls;

	T_EQ(put(object, &frames[0], SP), 0);
	vm_object_page_remove(object, SP + 4, SP + 6);
	calls = fake_kmem_calls;
	T_EQ(vm_page_insert(&frames[4], object, SP + 4), 0); /* to its place */
	T_EQ(fake_kmem_calls, calls);
	T_OK(object->rtree.rt_root == NULL);
	T_EQ(vm_page_insert(&frames[5], object, 9), 0); /* elsewhere */
	T_OK(vm_page_lookup(object, SP + 4) == &frames[4]);
	T_OK(vm_page_lookup(object, SP + 5) == NULL);
	T_OK(vm_page_lookup(object, 9) == &frames[5]);
	T_EQ(frames[0].block.standing, SP);
	T_EQ(frames[0].block.members, SP - 1);
	vm_object_page_remove(object, SP, 2 * SP);
	T_EQ(frames[0].block.standing, 1);
	T_OK(object->supers.rt_root == NULL);
	T_EQ(vm_page_insert(&frames[4], object, SP + 4), 0); /* its place is no more */
	T_OK(vm_page_lookup(object, SP + 4) == &frames[4]);
	object_end(object);
}

/* How much of a run of blocks goes in as one. */
static void
test_S1_blocks_that_follow_each_other_are_one(void)
{
	vm_object_t object = object_make(NPAGES - 1);

	T_EQ(put_run(object, &frames[0], 0, SP - 1), EINVAL);
	T_EQ(put_run(object, &frames[SP], 0, 3 * SP), 0);
	T_EQ(vm_page_unit_pages(&frames[SP]), 3 * SP);
	T_OK(vm_page_lookup(object, 2 * SP + 7) == &frames[3 * SP + 7]);
	T_OK(vm_page_unit(&frames[3 * SP + 7]) == &frames[SP]);
	T_EQ(vm_page_pindex(&frames[3 * SP + 7]), 2 * SP + 7);
	T_OK(vm_page_next(&frames[SP]) == NULL);
	T_EQ(put_run(object, &frames[0], SP, ~0ul), EEXIST);
	vm_object_page_remove(object, 0, 3 * SP);
	T_OK(object->supers.rt_root == NULL);
	T_EQ(put_run(object, &frames[0], 0, ~0ul), 0); /* to the end of the object */
	T_EQ(vm_page_unit_pages(&frames[0]), 3 * SP);
	vm_object_page_remove(object, SP + 1, SP + 2); /* the blocks beside it stay whole */
	T_EQ(vm_page_unit_pages(&frames[0]), SP);
	T_OK(is_whole(0) && !is_whole(1) && is_whole(2));
	vm_object_page_remove(object, 0, SP);
	T_EQ(put_run(object, &frames[0], 0, 2 * SP), 0); /* to one that stands */
	T_EQ(vm_page_unit_pages(&frames[0]), SP);
	vm_object_page_remove(object, 0, 0);
	T_EQ(vm_page_insert(&frames[2 * SP + 1], object, 2), 0);
	vm_object_page_remove(object, 0, 2);
	T_EQ(put_run(object, &frames[0], SP, ~0ul), 0); /* to one of which a page stands */
	T_EQ(vm_page_unit_pages(&frames[0]), 2 * SP);
	vm_object_page_remove(object, 0, 0);
	T_EQ(put_run(object, &frames[atop(FAKE_VRAM_SIZE) - SP], 0, ~0ul), 0); /* to the last */
	T_EQ(vm_page_unit_pages(&frames[atop(FAKE_VRAM_SIZE) - SP]), SP);
	object_end(object);
}

/* Bit by bit: each block of it, then each page, says what all said. */
static void
test_S3_a_large_superpage_is_split_twice(void)
{
	vm_object_t object = object_make(NPAGES);

	T_EQ(put_run(object, &frames[0], 0, NPAGES), 0);
	vm_page_dirty(&frames[SP + 1]);
	vm_page_wire(&frames[2 * SP + 3]);
	split(&frames[0]);
	for (vm_pindex_t b = 0; b < NBLOCKS; b++) {
		vm_page_t m = &frames[b * SP];

		T_OK(vm_page_unit(m + 9) == m && m->object == object && m->pindex == b * SP);
		T_OK(m->valid && m->dirty && !vm_page_busied(m));
		T_EQ(vm_page_unit_pages(m), SP);
	}
	T_OK(vm_page_next(&frames[0]) == &frames[SP]);
	split(&frames[SP]);
	T_OK(vm_page_unit(&frames[SP + 9]) == &frames[SP + 9] && frames[SP + 9].dirty);
	T_OK(is_whole(0) && !is_whole(1) && is_whole(2));
	vm_page_unwire(&frames[2 * SP + 3]);
	object_end(object);
}

static void
test_R1_all_wirings_of_a_large_superpage_end(void)
{
	vm_object_t object = object_make(NPAGES);

	T_EQ(put_run(object, &frames[0], 0, NPAGES), 0);
	vm_page_wire(&frames[3]);
	vm_page_wire(&frames[3 * SP + 3]);
	vm_object_page_remove(object, 0, 0);
	T_EQ(frames[3].wire_count + frames[3 * SP + 3].wire_count, 0);
	object_end(object);
}

/* --- busy, wired ------------------------------------------------------------------------------ */

static void
busy_sleeper(void *arg)
{
	vm_page_t m = arg;

	VM_OBJECT_WLOCK(vm_page_unit(m)->object);
	T_EQ(vm_page_busy_sleep(m), 0);
}

static void
test_S2_a_part_busied_is_the_whole_busied(void)
{
	vm_object_t object = object_make(NPAGES);

	T_EQ(put(object, &frames[0], 0), 0);
	T_OK(vm_page_tryxbusy(&frames[300]));
	T_OK(vm_page_xbusied(&frames[0]) && vm_page_busied(&frames[511]));
	T_OK(!vm_page_tryxbusy(&frames[5]) && !vm_page_trysbusy(&frames[6]));
	T_OK(!vm_page_busied(&frames[SP]));
	T_EQ(vm_cnt.v_busied, 1);
	vm_page_xunbusy(&frames[17]);
	T_OK(vm_page_trysbusy(&frames[1]) && vm_page_trysbusy(&frames[2]));
	T_OK(!vm_page_tryxbusy(&frames[3]));
	vm_page_sunbusy(&frames[4]);
	vm_page_sunbusy(&frames[4]);
	object_end(object);
}

static void
test_S3_sleepers_wake_after_a_split(void)
{
	vm_object_t object = object_make(NPAGES);
	struct thread *td[2];

	T_EQ(put(object, &frames[0], 0), 0);
	T_OK(vm_page_tryxbusy(&frames[0]));
	VM_OBJECT_UNLOCK(object);
	td[0] = fake_spawn("sleeper", busy_sleeper, &frames[300]);
	td[1] = fake_spawn("sleeper", busy_sleeper, &frames[0]);
	fake_run(td[0]);
	fake_run(td[1]);
	T_OK(fake_asleep(td[0]) && fake_asleep(td[1]));
	VM_OBJECT_WLOCK(object);
	vm_page_split(&frames[0]);
	T_OK(!vm_page_busied(&frames[300]) && vm_page_xbusied(&frames[0]));
	vm_page_xunbusy(&frames[0]);
	VM_OBJECT_UNLOCK(object);
	fake_join(td[0]);
	fake_join(td[1]);
	VM_OBJECT_WLOCK(object);
	object_end(object);
}

static void
test_P14_wirings_are_counted_by_page_and_block(void)
{
	vm_object_t object = object_make(NPAGES);

	T_EQ(put(object, &frames[0], 0), 0);
	vm_page_wire(&frames[5]);
	vm_page_wire(&frames[5]);
	vm_page_wire(&frames[511]);
	T_EQ(frames[0].block.wired, 3);
	vm_page_unwire(&frames[5]);
	T_EQ(frames[5].wire_count, 1);
	T_EQ(frames[0].block.wired, 2);
	vm_page_unwire_all(&frames[0]); /* of the superpage */
	T_EQ(frames[0].block.wired, 0);
	T_EQ(frames[511].wire_count, 0);
	split(&frames[0]);
	vm_page_wire(&frames[5]);
	vm_page_wire(&frames[6]);
	vm_page_unwire_all(&frames[5]); /* of the page */
	T_EQ(frames[0].block.wired, 1);
	vm_page_unwire_all(&frames[6]);
	object_end(object);
}

/* --- faults ----------------------------------------------------------------------------------- */

static void
test_S1_a_populate_installs_superpages(void)
{
	struct space *s = setup(0, NPAGES);

	touch(s, VA + ptoa(700), W, KERN_SUCCESS);
	T_EQ(dev.calls, 1);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
	T_EQ(fake_pmap.enter_calls, 1);
	for (vm_pindex_t b = 0; b < NBLOCKS; b++)
		T_OK(is_whole(b) && frames[b * SP].dirty && frames[b * SP].valid);
	teardown(s);
}

/* P13, P15: a superpage cut by the clip stays busy as a whole until its part is entered. */
static void
clip_runs(vm_pindex_t first, vm_pindex_t n, vm_pindex_t at, vm_pindex_t run)
{
	struct space *s = setup(first, n);

	run_pages = run;

	fake_pmap = (struct fake_pmap_counts){0};
	touch(s, VA + ptoa(at), W, KERN_SUCCESS);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(n)), n);
	T_EQ(fake_pmap.entered, n);
	T_EQ(vm_cnt.v_populate_clipped, NPAGES - n);
	for (vm_pindex_t b = 0; b < NBLOCKS; b++)
		T_EQ(vm_page_unit(&frames[b * SP])->dirty,
		     run > SP || (b * SP < first + n && (b + 1) * SP > first));
	teardown(s);
}

static void
clip(vm_pindex_t first, vm_pindex_t n, vm_pindex_t at)
{
	clip_runs(first, n, at, SP);
	vm_cnt.v_populate_clipped = 0;
	clip_runs(first, n, at, NPAGES);
}

static void
test_P13_clip_in_the_middle_of_a_superpage_at_the_end(void)
{
	clip(0, SP + 100, 5);
}
static void
test_P13_clip_in_the_middle_of_a_superpage_at_the_front(void)
{
	clip(SP + 100, 2 * SP, 0);
}
static void
test_P13_clip_at_both_sides_of_one_superpage(void)
{
	clip(SP + 100, 200, 150);
}
static void
test_P13_clip_at_the_edge_of_a_superpage(void)
{
	clip(SP, SP, 511);
}

/* Each run of one superpage: busy until the last, as pmap_enter checks. */
static vm_page_t watched;
static uint64_t seen_busy;

static void
see_busy(pmap_t pmap, vm_offset_t va, vm_page_t m)
{
	(void)pmap, (void)va, (void)m;
	seen_busy += vm_page_xbusied(watched);
}

static void
test_P14_wiring_fault_in_a_superpage_wires_pidx(void)
{
	struct space *s = setup(0, NPAGES);
	bool wired;

	watched = &frames[SP];
	fake_pmap_enter_hook = see_busy;
	T_EQ(vm_fault(&s->map, VA + ptoa(SP + 9), W, VM_FAULT_WIRE, NULL), KERN_SUCCESS);
	fake_pmap_enter_hook = NULL;
	T_EQ(seen_busy, 3); /* before it, it, after it */
	T_EQ(frames[SP + 9].wire_count, 1);
	T_EQ(frames[SP].block.wired, 1);
	T_EQ(fake_pmap.wired, 1);
	T_OK(fake_pte(&s->pmap, VA + ptoa(SP + 9), NULL, NULL, &wired) && wired);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
	T_EQ(vm_cnt.v_busied, 0);
	vm_page_unwire(&frames[SP + 9]);
	teardown(s);
}

static void
test_P16_a_page_of_a_superpage_comes_back_held(void)
{
	struct space *s = setup(0, NPAGES);
	vm_page_t m = NULL;

	for (int round = 0; round < 2; round++) { /* by populate, and resident */
		T_EQ(vm_fault(&s->map, VA + ptoa(SP + 9), R, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
		T_OK(m == &frames[SP + 9]);
		T_EQ(m->hold_count, 1);
		T_EQ(frames[SP].hold_count, 0);
		vm_page_unhold(m);
	}
	T_OK(is_whole(1));
	teardown(s);
}

/* mlock and munlock of a part: the superpage stays, and nobody keeps it busy. */
static void
test_P14_mlock_and_munlock_of_a_part(void)
{
	struct space *s = setup(0, NPAGES);
	vm_offset_t start = VA + ptoa(SP + 100), end = start + ptoa(50);

	touch(s, VA, W, KERN_SUCCESS);
	for (int round = 0; round < 2; round++) {
		T_EQ(vm_map_wire(&s->map, start, end), KERN_SUCCESS);
		T_EQ(frames[SP].block.wired, 50);
		T_EQ(vm_cnt.v_busied, 0);
		T_EQ(vm_map_unwire(&s->map, start, end), KERN_SUCCESS);
		T_EQ(frames[SP].block.wired, 0);
		T_EQ(vm_cnt.v_busied, 0);
		T_OK(is_whole(1) && frames[SP].valid);
	}
	T_EQ(dev.object->resident_page_count, NPAGES);
	teardown(s);
}

static void
test_P15_page_table_shortage_in_a_superpage(void)
{
	static const uint64_t nths[] = {1, 100, SP, SP + 1, SP + 300, NPAGES};

	for (size_t i = 0; i < nitems(nths); i++) {
		struct space *s = setup(0, NPAGES);

		fake_pmap_fail(nths[i]);
		touch(s, VA + ptoa(SP + 200), W, KERN_SUCCESS);
		fake_pmap_fail(0);
		T_EQ(vm_cnt.v_busied, 0);
		touch(s, VA + ptoa(NPAGES - 1), W, KERN_SUCCESS);
		T_EQ(vm_cnt.v_busied, 0);
		teardown(s);
	}
}

/* The run before pidx ends in the middle of its superpage; then the one after it finds no
 * memory. */
static void
test_P15_shortage_after_a_part_of_a_superpage_was_entered(void)
{
	struct space *s = setup(0, NPAGES);

	for (vm_pindex_t at = SP + 50; at < SP + 300; at += 100) {
		vm_page_t m = NULL;

		fake_pmap_fail(SP + 151);
		T_EQ(vm_fault(&s->map, VA + ptoa(at), W, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
		fake_pmap_fail(0);
		T_OK(m == &frames[at]);
		T_EQ(m->hold_count, 1);
		T_EQ(vm_cnt.v_busied, 0);
		vm_page_unhold(m);
		T_EQ(cdev_pager_revoke(dev.object, 0, NPAGES), 0);
		T_EQ(fake_pmap.mappings, 0);
	}
	teardown(s);
}

static struct space *the_space;
static int fault_rv;

static void
fault_thread(void *arg)
{
	fault_rv = fake_touch(&the_space->map, (vm_offset_t)arg, W, NULL);
}

/* A fault at va whose pager sleeps, all busied. */
static struct thread *
fault_sleeps(struct space *s, vm_offset_t va)
{
	struct thread *td = fake_spawn("fault", fault_thread, (void *)va);

	the_space = s;
	dev.nap = true;
	fake_run(td);
	T_OK(fake_asleep(td));
	T_EQ(vm_cnt.v_busied, NBLOCKS);
	return (td);
}

static void
open_gate(void)
{
	dev.nap = false;
	dev.gate_open = true;
	wakeup(&dev.gate_open);
}

static void
test_P12_the_map_changed_meanwhile(void)
{
	struct space *s = setup(0, NPAGES);
	struct thread *td = fault_sleeps(s, VA + ptoa(SP));

	space_unmap(s, VA + ptoa(SP + 7), ptoa(NPAGES - SP - 7)); /* in the middle of one */
	open_gate();
	fake_join(td);
	T_EQ(fault_rv, KERN_SUCCESS);
	T_EQ(vm_cnt.v_populate_restarts, 1);
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(dev.calls, 1); /* resident: no second call */
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), 7); /* what the entry has of this one */
	teardown(s);
}

static void
test_P12_unmapped_meanwhile(void)
{
	struct space *s = setup(0, NPAGES);
	struct thread *td = fault_sleeps(s, VA + ptoa(SP));

	space_unmap(s, VA, ptoa(NPAGES));
	open_gate();
	fake_join(td);
	T_EQ(fault_rv, KERN_INVALID_ADDRESS);
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(fake_pmap.mappings, 0);
	teardown(s);
}

/* --- P7: breaches ----------------------------------------------------------------------------- */

static void
breach(enum breach what, vm_pindex_t at, const char *text)
{
	struct space *s = setup(0, NPAGES);

	dev.breach = what;
	dev.at = at;
	if (INVARIANTS_BUILD)
		fake_expect_panic("P7: superdev", text);
	touch(s, VA + ptoa(SP), W, KERN_FAILURE);
	T_OK(fake_logged("P7: superdev") && fake_logged(text));
	T_EQ(fake_pmap.mappings, 0);
	if (what == B_SBUSIED)
		vm_page_sunbusy(&frames[at]);
	T_EQ(vm_cnt.v_busied, 0);
	teardown(s);
}

static void
test_P7_superpage_not_valid(void)
{
	breach(B_INVALID, SP + 3, "not valid");
}
static void
test_P7_superpage_not_busied(void)
{
	breach(B_NOT_BUSIED, 2 * SP + 3, "not exclusively busied");
}
static void
test_P7_superpage_sbusied(void)
{
	breach(B_SBUSIED, 3, "not exclusively busied");
}
static void
test_P7_page_of_a_superpage_missing(void)
{
	breach(B_MISSING, SP + 3, "not exclusively busied"); /* split: each speaks for itself */
}

/* --- resident superpages, shadows ------------------------------------------------------------- */

static void
test_S1_soft_fault_maps_all_that_the_entry_maps(void)
{
	struct space *s = setup(0, NPAGES);

	touch(s, VA, R, KERN_SUCCESS);
	dev_map(s, 0x80000000ul, SP - 10, 300, RW, MAP_ENTRY_SHARED);
	fake_majflt = fake_minflt = 0;
	frames[SP].dirty = false;
	touch(s, 0x80000000ul + ptoa(50), R, KERN_SUCCESS);
	T_EQ(fake_mapped(&s->pmap, 0x80000000ul, 0x80000000ul + ptoa(300)), 290);
	T_OK(frames[SP].dirty); /* S4: it may be written to from now on */
	touch(s, 0x80000000ul + ptoa(9), R, KERN_SUCCESS);
	T_EQ(fake_mapped(&s->pmap, 0x80000000ul, 0x80000000ul + ptoa(300)), 300);
	T_EQ(fake_minflt, 2);
	T_EQ(fake_majflt, 0);
	T_EQ(dev.calls, 1);
	teardown(s);
}

static void
test_S1_soft_fault_that_wires_enters_one_page(void)
{
	struct space *s = setup(0, NPAGES);

	touch(s, VA, R, KERN_SUCCESS);
	pmap_remove(&s->pmap, VA, VA + ptoa(NPAGES));
	T_EQ(vm_fault(&s->map, VA + ptoa(9), W, VM_FAULT_WIRE, NULL), KERN_SUCCESS);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), 1);
	T_EQ(frames[0].block.wired, 1);
	vm_page_unwire(&frames[9]);
	teardown(s);
}

/* Behind a shadow a page of a superpage is mapped alone, and copied when it is written to. */
static void
test_P4_behind_a_shadow_one_page_at_a_time(void)
{
	const vm_offset_t private = 0x80000000ul;
	struct space *s = setup(0, NPAGES);
	vm_prot_t prot;
	vm_page_t m;

	space_write(s, VA + ptoa(9), 99);
	dev_map(s, private, 0, SP, RW, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	space_write(s, private, 7); /* makes the shadow */
	T_EQ(fake_mapped(&s->pmap, private, private + ptoa(SP)), 1);
	T_EQ(space_read(s, private + ptoa(9)), 99);
	T_EQ(fake_mapped(&s->pmap, private, private + ptoa(SP)), 2);
	T_OK(fake_pte(&s->pmap, private + ptoa(9), &m, &prot, NULL) && m == &frames[9]);
	T_EQ(prot & W, 0);
	space_write(s, private + ptoa(9), 98);
	T_EQ(space_read(s, VA + ptoa(9)), 99);
	T_OK(is_whole(0));
	teardown(s);
}

/* --- unmanaged: superpages of fake pages ------------------------------------------------------ */

#define RAW_PAGES (2 * SP + 3)

static int raw_calls;

/* What stands at i of the unmanaged object, busied: all of a superpage where it fits. */
static vm_page_t
raw_install(vm_object_t object, vm_pindex_t i, vm_pindex_t last)
{
	vm_paddr_t pa = FAKE_VRAM_BASE + ptoa(i % SP);
	bool fits = i % SP == 0 && last - i >= SP - 1;
	vm_page_t m = vm_page_lookup(object, i);

	if (m == NULL) {
		m = fits ? vm_page_getfake_super(pa, VM_MEMATTR_WRITE_COMBINING)
			 : vm_page_getfake(pa, VM_MEMATTR_WRITE_COMBINING);
		T_OK(m != NULL && m->valid);
		T_OK(vm_page_tryxbusy(m));
		T_EQ(fits ? vm_page_insert_super(m, object, i, ~0ul) : vm_page_insert(m, object, i),
		     0);
	} else {
		T_OK(vm_page_tryxbusy(m));
	}
	return (vm_page_unit(m));
}

static int
raw_populate(vm_object_t object, vm_pindex_t pidx, int fault_type, vm_prot_t max_prot,
	     vm_pindex_t *first, vm_pindex_t *last)
{
	vm_page_t unit;

	(void)pidx, (void)fault_type, (void)max_prot;
	raw_calls++;
	*last = MIN(*last, object->size - 1);
	for (vm_pindex_t i = *first; i <= *last; i = unit->pindex + vm_page_unit_pages(unit))
		unit = raw_install(object, i, *last);
	return (VM_PAGER_OK);
}

static const struct cdev_pager_ops raw_ops = {.cdev_pg_populate = raw_populate};

/* A space that maps all of the unmanaged device, which nobody else does. */
static struct space *
raw_setup(vm_object_t *object)
{
	struct space *s = space_create();
	int error;

	raw_calls = 0;
	*object = cdev_pager_allocate(&raw_calls, OBJT_DEVICE, &raw_ops, "raw", ptoa(RAW_PAGES), RW,
				      0, &error);
	T_OK(*object != NULL);
	space_map(s, VA, ptoa(RAW_PAGES), *object, 0, RW, RW, MAP_ENTRY_SHARED);
	return (s);
}

static void
test_U1_unmanaged_frames_come_by_superpages(void)
{
	vm_object_t object;
	struct space *s = raw_setup(&object);

	touch(s, VA + ptoa(SP + 7), W, KERN_SUCCESS);
	T_EQ(raw_calls, 1);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(RAW_PAGES)), RAW_PAGES);
	T_EQ(fake_pmap.enter_calls, 2 + 3);
	T_EQ(object->resident_page_count, RAW_PAGES);
	T_EQ(vm_cnt.v_pv_entries, 0);
	T_EQ(vm_cnt.v_busied, 0);
	VM_OBJECT_WLOCK(object);
	for (vm_pindex_t b = 0; b < 2; b++) {
		vm_page_t m = vm_page_lookup(object, b * SP);

		T_EQ(vm_page_unit_pages(m), SP);
		T_OK(m->dirty && vm_page_lookup(object, b * SP + 9) == m + 9);
		T_EQ(m[9].phys_addr, FAKE_VRAM_BASE + ptoa(9)); /* U2 */
	}
	VM_OBJECT_UNLOCK(object);
	space_destroy(s);
}

static void
test_U1_S3_a_part_of_an_unmanaged_superpage_goes(void)
{
	vm_object_t object;
	struct space *s = raw_setup(&object);

	touch(s, VA, R, KERN_SUCCESS);
	space_unmap(s, VA + ptoa(100), ptoa(50));
	VM_OBJECT_WLOCK(object);
	vm_object_page_remove(object, 100, 150);
	T_OK(vm_page_lookup(object, 100) == NULL && vm_page_lookup(object, 99) != NULL);
	T_EQ(vm_page_unit_pages(vm_page_lookup(object, 150)), 1);
	T_OK(vm_page_next(vm_page_lookup(object, 98)) == vm_page_lookup(object, 99));
	T_EQ(vm_page_unit_pages(vm_page_lookup(object, SP)), SP);
	VM_OBJECT_UNLOCK(object);
	touch(s, VA + ptoa(150), W, KERN_SUCCESS);
	T_EQ(raw_calls, 1);
	T_EQ(object->resident_page_count, RAW_PAGES - 50);
	space_destroy(s);
}

static void
test_U1_P16_a_held_page_outlives_its_superpage(void)
{
	uint64_t live;
	vm_page_t m = NULL, whole;
	vm_object_t object;
	struct space *s = raw_setup(&object);

	T_EQ(vm_fault(&s->map, VA + ptoa(9), R, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
	T_OK(m != NULL && vm_page_unit(m) == m - 9);
	space_destroy(s);
	T_EQ(m->phys_addr, FAKE_VRAM_BASE + ptoa(9)); /* ASAN sees if it is gone */
	T_EQ(m->hold_count, 1);
	live = fake_kmem_live;
	vm_page_unhold(m);
	T_EQ(fake_kmem_live, live - 1);
	whole = vm_page_getfake_super(FAKE_VRAM_BASE, VM_MEMATTR_WRITE_COMBINING);
	vm_page_free(whole); /* one that never stood anywhere */
	T_EQ(fake_kmem_live, live - 1);
}

static void
test_U1_P21_a_fake_superpage_goes_in_whole_or_not_at_all(void)
{
	vm_object_t object = object_make(NPAGES);
	vm_page_t m = vm_page_getfake_super(FAKE_VRAM_BASE, VM_MEMATTR_WRITE_COMBINING);

	T_EQ(vm_page_insert(m, object, 0), EEXIST);
	T_EQ(vm_page_insert(m + 9, object, 0), EEXIST);
	fake_kmem_fail(1);
	T_EQ(put(object, m, 0), ENOMEM);
	T_OK(fake_kmem_failed());
	T_EQ(put(object, m, SP), 0);
	T_EQ(put(object, m, 2 * SP), EEXIST);
	object_end(object);
}

/* --- revocation ------------------------------------------------------------------------------- */

static void
revoke_part(vm_pindex_t run)
{
	struct space *s = setup(0, NPAGES), *other = space_create();

	run_pages = run;
	dev_map(other, VA, 0, NPAGES, R, MAP_ENTRY_SHARED);
	touch(s, VA, W, KERN_SUCCESS);
	touch(other, VA, R, KERN_SUCCESS);
	T_EQ(vm_map_wire(&s->map, VA + ptoa(SP), VA + ptoa(SP + 4)), KERN_SUCCESS);
	fake_eat_memory(0);
	T_EQ(cdev_pager_revoke(dev.object, SP + 2, 2 * SP + 2), 0);
	fake_give_memory(~0ul);
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		bool gone = i >= SP + 2 && i < 2 * SP + 2;

		T_EQ(fake_pte(&s->pmap, VA + ptoa(i), NULL, NULL, NULL), !gone);
		T_EQ(vm_page_unit(&frames[i])->object == NULL, gone);
	}
	T_EQ(frames[SP].block.wired, 2);
	T_OK(is_whole(0) && !is_whole(1) && !is_whole(2) && is_whole(3));
	T_EQ(vm_cnt.v_busied, 0);
	touch(s, VA + ptoa(SP + 3), W, KERN_SUCCESS);
	touch(other, VA + ptoa(2 * SP), R, KERN_SUCCESS);
	T_EQ(dev.object->resident_page_count, NPAGES);
	T_EQ(vm_map_unwire(&s->map, VA + ptoa(SP), VA + ptoa(SP + 4)), KERN_SUCCESS);
	T_EQ(frames[SP].block.wired, 0);
	space_destroy(other);
	teardown(s);
}

static void
test_R1_revocation_of_a_part_splits(void)
{
	revoke_part(SP);
}
static void
test_R1_revocation_of_a_part_of_a_large_superpage_splits(void)
{
	revoke_part(NPAGES);
}

static void
revoke_thread(void *arg)
{
	(void)arg;
	T_EQ(cdev_pager_revoke(dev.object, SP + 2, SP + 3), 0);
}

/* It waits for the superpage that a populate in flight has busied, whole; then its page is gone. */
static void
test_R3_revoked_while_a_populate_is_in_flight(void)
{
	struct space *s = setup(0, NPAGES);
	struct thread *td = fault_sleeps(s, VA), *revoker;

	revoker = fake_spawn("revoke", revoke_thread, NULL);
	fake_run(revoker);
	T_OK(fake_asleep(revoker));
	open_gate();
	fake_join(td);
	fake_join(revoker);
	T_EQ(fault_rv, KERN_SUCCESS);
	T_OK(!fake_pte(&s->pmap, VA + ptoa(SP + 2), NULL, NULL, NULL));
	T_OK(frames[SP + 2].object == NULL && frames[SP + 3].object == dev.object);
	T_EQ(vm_cnt.v_busied, 0);
	touch(s, VA + ptoa(SP + 2), W, KERN_SUCCESS);
	teardown(s);
}

/* --- write-notify ----------------------------------------------------------------------------- */

/* Each page has rights of its own, so pages of one superpage are entered by runs; it is unbusied
 * once. */
static void
test_W1_pages_of_one_superpage_with_different_rights(void)
{
	struct space *s = setup(0, NPAGES);
	vm_prot_t prot;

	VM_OBJECT_WLOCK(dev.object);
	dev.object->flags |= OBJ_WRITE_NOTIFY;
	VM_OBJECT_UNLOCK(dev.object);
	for (vm_pindex_t i = SP + 10; i < 2 * SP + 10; i++)
		frames[i].tracked = true;
	touch(s, VA + ptoa(SP + 5), R, KERN_SUCCESS);
	T_EQ(fake_pmap.enter_calls, 3);
	T_EQ(vm_cnt.v_busied, 0);
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		T_OK(fake_pte(&s->pmap, VA + ptoa(i), NULL, &prot, NULL));
		T_EQ((prot & W) == 0, i >= SP + 10 && i < 2 * SP + 10);
	}
	dev.lo = SP + 20; /* the pager agrees to a write to one page only */
	dev.hi = SP + 20;
	touch(s, VA + ptoa(SP + 20), W, KERN_SUCCESS);
	T_EQ(dev.calls, 2);
	T_OK(!frames[SP + 20].tracked && frames[SP + 21].tracked && is_whole(1));
	T_OK(fake_pte(&s->pmap, VA + ptoa(SP + 21), NULL, &prot, NULL) && (prot & W) == 0);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		frames[i].tracked = false;
	teardown(s);
}

/* --- madvise ---------------------------------------------------------------------------------- */

static void
test_S1_allow_superpages_by_range(void)
{
	struct space *s = setup(0, NPAGES);
	struct vm_map_lookup at;

	T_EQ(vm_map_advise(&s->map, VA + ptoa(SP), VA + ptoa(2 * SP), MAP_ENTRY_NOSUPER, 0, 0),
	     KERN_SUCCESS);
	T_EQ(s->map.nentries, 3);
	for (vm_pindex_t b = 0; b < 3; b++) {
		T_EQ(vm_map_lookup_locked(&s->map, VA + ptoa(b * SP), R, &at), KERN_SUCCESS);
		T_EQ(at.nosuper, b == 1);
		vm_map_unlock_read(&s->map);
	}
	T_EQ(vm_map_advise(&s->map, VA, VA + ptoa(NPAGES + 1), 0, MAP_ENTRY_NOSUPER, 0),
	     KERN_INVALID_ADDRESS);
	T_EQ(s->map.nentries, 1); /* the mapped part is done, and merged again */
	vm_superpages = 0;
	T_EQ(vm_map_lookup_locked(&s->map, VA, R, &at), KERN_SUCCESS);
	T_OK(at.nosuper);
	vm_map_unlock_read(&s->map);
	vm_superpages = 1;
	teardown(s);
}

/* --- one object against an array -------------------------------------------------------------- */

static vm_page_t at_index[NPAGES]; /* what stands there */
static vm_object_t random_object;

/* Where m stands, or NPAGES. */
static vm_pindex_t
index_of(const struct vm_page *m)
{
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		if (at_index[i] == m)
			return (i);
	return (NPAGES);
}

static bool
block_stands(vm_page_t block)
{
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		if (at_index[i] >= block && at_index[i] < block + SP)
			return (true);
	return (false);
}

static bool
is_empty(vm_pindex_t first, vm_pindex_t n)
{
	for (vm_pindex_t i = first; i < first + n; i++)
		if (at_index[i] != NULL)
			return (false);
	return (true);
}

static void
step_super(struct rng *r)
{
	vm_page_t block = &frames[rng_below(r, NBLOCKS) * SP];
	vm_pindex_t at = rng_below(r, NBLOCKS) * SP;
	vm_pindex_t end = (vm_pindex_t)(&frames[NPAGES] - block), n = 0;
	vm_pindex_t max = MIN(SP * (1 + rng_below(r, NBLOCKS)), end);

	if (vm_page_busied(block))
		return;
	while (n < max && at + n < NPAGES && is_empty(at + n, SP) && !block_stands(block + n))
		n += SP;
	T_EQ(put_run(random_object, block, at, max), n > 0 ? 0 : EEXIST);
	T_EQ(n == 0 ? 0 : vm_page_unit_pages(block), n);
	for (vm_pindex_t i = 0; i < n; i++)
		at_index[at + i] = block + i;
}

static void
step_insert(struct rng *r)
{
	vm_pindex_t at = rng_below(r, NPAGES), frame = rng_below(r, NPAGES);
	vm_page_t m = &frames[rng_below(r, 2) == 0 ? at : frame];
	bool fits = at_index[at] == NULL && index_of(m) == NPAGES;

	T_EQ(vm_page_insert(m, random_object, at), fits ? 0 : EEXIST);
	if (fits) {
		m->valid = true;
		at_index[at] = m;
	}
}

static void
step_remove(struct rng *r)
{
	vm_pindex_t first = rng_below(r, NPAGES), n = 1 + rng_below(r, rng_below(r, 3) ? 40 : 1200);

	if (rng_below(r, 4) == 0)
		first &= ~(SP - 1);
	n = MIN(n, NPAGES - first);
	vm_object_page_remove(random_object, first, first + n);
	memset(&at_index[first], 0, n * sizeof(at_index[0]));
}

static void
step_split(struct rng *r)
{
	vm_page_t block = &frames[rng_below(r, NBLOCKS) * SP];

	if (block->block.whole)
		split(vm_page_unit(block));
}

static void
step_look(struct rng *r)
{
	vm_pindex_t from = rng_below(r, NPAGES), i = from;
	vm_page_t unit;

	T_OK(vm_page_lookup(random_object, from) == at_index[from]);
	while (i < NPAGES && at_index[i] == NULL)
		i++;
	T_OK(vm_page_find_least(random_object, from) == (i < NPAGES ? at_index[i] : NULL));
	if (i == NPAGES)
		return;
	T_EQ(vm_page_pindex(at_index[i]), i);
	unit = vm_page_unit(at_index[i]);
	i = unit->pindex + vm_page_unit_pages(unit);
	T_OK(vm_page_next(unit) == (i < NPAGES ? at_index[i] : NULL));
}

static void
check_object(void)
{
	vm_pindex_t count = 0;

	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		T_OK(vm_page_lookup(random_object, i) == at_index[i]);
		count += at_index[i] != NULL;
	}
	T_EQ(random_object->resident_page_count, count);
	for (vm_pindex_t b = 0; b < NBLOCKS; b++) {
		count = 0;
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			count +=
			    at_index[i] >= &frames[b * SP] && at_index[i] < &frames[(b + 1) * SP];
		T_EQ(frames[b * SP].block.standing, count);
	}
}

static void
random_steps(uint64_t seed, int steps)
{
	struct rng r = {seed};

	random_object = object_make(NPAGES);
	for (int step = 0; step < steps; step++) {
		uint64_t dice = rng_below(&r, 100);

		if (dice < 8)
			step_super(&r);
		else if (dice < 30)
			step_insert(&r);
		else if (dice < 45)
			step_remove(&r);
		else if (dice < 47)
			step_split(&r);
		else
			step_look(&r);
		if (step % 64 == 0)
			check_object();
	}
	check_object();
	object_end(random_object);
}

static void
test_S3_random_steps_1(void)
{
	random_steps(1, 100000);
}
static void
test_S3_random_steps_2(void)
{
	random_steps(2, 100000);
}

int
main(int argc, char **argv)
{
	static const struct host_test tests[] = {
	    TEST(test_S1_insert_refuses_what_is_no_superpage),
	    TEST(test_P21_insert_at_a_place_that_is_taken),
	    TEST(test_P21_insert_without_memory_changes_nothing),
	    TEST(test_S1_lookups_cross_from_one_kind_to_the_other),
	    TEST(test_S3_a_split_needs_no_memory),
	    TEST(test_S3_an_object_ends_in_the_middle_of_one),
	    TEST(test_S3_a_page_comes_back),
	    TEST(test_S1_blocks_that_follow_each_other_are_one),
	    TEST(test_S3_a_large_superpage_is_split_twice),
	    TEST(test_R1_all_wirings_of_a_large_superpage_end),
	    TEST(test_S2_a_part_busied_is_the_whole_busied),
	    TEST(test_S3_sleepers_wake_after_a_split),
	    TEST(test_P14_wirings_are_counted_by_page_and_block),
	    TEST(test_S1_a_populate_installs_superpages),
	    TEST(test_P13_clip_in_the_middle_of_a_superpage_at_the_end),
	    TEST(test_P13_clip_in_the_middle_of_a_superpage_at_the_front),
	    TEST(test_P13_clip_at_both_sides_of_one_superpage),
	    TEST(test_P13_clip_at_the_edge_of_a_superpage),
	    TEST(test_P14_wiring_fault_in_a_superpage_wires_pidx),
	    TEST(test_P16_a_page_of_a_superpage_comes_back_held),
	    TEST(test_P14_mlock_and_munlock_of_a_part),
	    TEST(test_P15_page_table_shortage_in_a_superpage),
	    TEST(test_P15_shortage_after_a_part_of_a_superpage_was_entered),
	    TEST(test_P12_the_map_changed_meanwhile),
	    TEST(test_P12_unmapped_meanwhile),
	    TEST(test_P7_superpage_not_valid),
	    TEST(test_P7_superpage_not_busied),
	    TEST(test_P7_superpage_sbusied),
	    TEST(test_P7_page_of_a_superpage_missing),
	    TEST(test_S1_soft_fault_maps_all_that_the_entry_maps),
	    TEST(test_S1_soft_fault_that_wires_enters_one_page),
	    TEST(test_P4_behind_a_shadow_one_page_at_a_time),
	    TEST(test_U1_unmanaged_frames_come_by_superpages),
	    TEST(test_U1_S3_a_part_of_an_unmanaged_superpage_goes),
	    TEST(test_U1_P16_a_held_page_outlives_its_superpage),
	    TEST(test_U1_P21_a_fake_superpage_goes_in_whole_or_not_at_all),
	    TEST(test_R1_revocation_of_a_part_splits),
	    TEST(test_R1_revocation_of_a_part_of_a_large_superpage_splits),
	    TEST(test_R3_revoked_while_a_populate_is_in_flight),
	    TEST(test_W1_pages_of_one_superpage_with_different_rights),
	    TEST(test_S1_allow_superpages_by_range),
	    TEST(test_S3_random_steps_1),
	    TEST(test_S3_random_steps_2),
	};

	return (host_main(argc, argv, "super", tests, nitems(tests), FRAMES));
}

/*
 * The pagers of RAM behind the populate method (O1): fault-around of a file's resident pages, whole
 * runs of the phys pager; then what mlock's family and mincore need of the map.
 */
#include "harness.h"
#include "kern/sysctl.h"

#define FRAMES 2048
#define COW    (MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY)
#define NPAGES 64ul

static int
touch(struct space *s, vm_offset_t va, vm_prot_t access)
{
	return (fake_touch(&s->map, va, access, NULL));
}

/* A file whose page i holds i + 1 everywhere; reading one may wait for the gate, or fail. */
struct file {
	vm_object_t object; /* with a reference of the test's */
	int reads;
	bool waits, gate_open, fails;
};
static struct file file;

static void
open_gate(void)
{
	file.gate_open = true;
	wakeup(&file.gate_open);
}

static int
file_getpage(void *handle, vm_page_t m)
{
	struct file *f = handle;
	vm_object_t object = m->object;
	uint64_t *word = pmap_page_kva(m);

	T_OK(vm_page_xbusied(m));
	f->reads++;
	if (f->waits) {
		VM_OBJECT_UNLOCK(object);
		while (!f->gate_open)
			rw_sleep(&f->gate_open, NULL, 0, 0);
		VM_OBJECT_WLOCK(object);
	}
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		word[i] = m->pindex + 1;
	return (f->fails ? EIO : 0);
}

/* A space that maps all of a file, whose pages [first, first + n) are resident and mapped
 * nowhere. */
static struct space *
setup(vm_pindex_t first, vm_pindex_t n, vm_prot_t prot, uint32_t eflags)
{
	struct space *s = space_create();

	file = (struct file){.object = vnode_pager_allocate(&file, NPAGES, file_getpage)};
	vm_object_reference(file.object);
	space_map(s, VA, ptoa(NPAGES), file.object, 0, RW, RW, 0);
	for (vm_pindex_t i = first; i < first + n; i++)
		T_EQ(space_read(s, VA + ptoa(i)), i + 1);
	space_unmap(s, VA, ptoa(NPAGES));
	vm_object_reference(file.object);
	space_map(s, VA, ptoa(NPAGES), file.object, 0, prot, VM_PROT_ALL, eflags);
	fake_majflt = fake_minflt = 0;
	file.reads = 0;
	return (s);
}

static void
teardown(struct space *s)
{
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(file.object->paging_in_progress, 0);
	fake_pmap_verify();
	space_destroy(s);
	T_EQ(file.object->ref_count, 1);
	vm_object_deallocate(file.object);
}

static vm_page_t
file_page(vm_pindex_t i)
{
	vm_page_t m;

	VM_OBJECT_RLOCK(file.object);
	m = vm_page_lookup(file.object, i);
	VM_OBJECT_UNLOCK(file.object);
	return (m);
}

/* The pages of [first, last] are mapped with prot, and no other of the file. */
static void
expect_mapped(struct space *s, vm_pindex_t first, vm_pindex_t last, vm_prot_t prot)
{
	vm_prot_t is;

	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		bool mapped = fake_pte(&s->pmap, VA + ptoa(i), NULL, &is, NULL);

		if (mapped != (i >= first && i <= last))
			T_FAIL("page %lu is%s mapped", i, mapped ? "" : " not");
		if (mapped)
			T_EQ(is, prot);
	}
}

/* --- fault-around ----------------------------------------------------------------------------- */

static void
test_O1_a_resident_file_takes_a_fault_for_each_window(void)
{
	struct space *s = setup(0, NPAGES, R, 0);

	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_EQ(space_read(s, VA + ptoa(i)), i + 1);
	T_EQ(fake_minflt, NPAGES / 16); /* P17: nobody had to read anything */
	T_EQ(fake_majflt, 0);
	T_EQ(file.reads, 0);
	teardown(s);
}

static void
test_O1_from_the_last_page_down(void)
{
	struct space *s = setup(0, NPAGES, R, 0);

	for (vm_pindex_t i = NPAGES; i-- > 0;)
		T_EQ(space_read(s, VA + ptoa(i)), i + 1);
	T_EQ(fake_minflt, NPAGES / 16);
	teardown(s);
}

static void
test_O1_never_reads_a_page_nobody_asked_for(void)
{
	struct space *s = setup(4, 8, R, 0);

	T_EQ(touch(s, VA + ptoa(12), R), KERN_SUCCESS); /* absent, with resident pages below */
	T_EQ(file.reads, 1);
	T_EQ(fake_majflt, 1);
	expect_mapped(s, 4, 12, R);
	T_EQ(touch(s, VA + ptoa(14), R), KERN_SUCCESS);
	T_EQ(file.reads, 2);
	T_EQ(file.object->resident_page_count, 10);
	T_EQ(touch(s, VA + ptoa(40), R), KERN_SUCCESS); /* no neighbour at all */
	T_EQ(file.object->resident_page_count, 11);
	teardown(s);
}

static void
test_O1_the_range_is_cut_at_an_absent_page(void)
{
	struct space *s = setup(16, 6, R, 0);

	T_EQ(touch(s, VA + ptoa(18), R), KERN_SUCCESS);
	T_EQ(file.reads, 0);
	expect_mapped(s, 16, 21, R);
	teardown(s);
}

static void
test_O1_busy_and_invalid_neighbours_are_left_alone(void)
{
	struct space *s = setup(0, 16, R, 0);
	vm_page_t busy = file_page(11), invalid = file_page(2);

	T_OK(vm_page_trysbusy(busy));
	invalid->valid = false;
	T_EQ(touch(s, VA + ptoa(5), R), KERN_SUCCESS);
	for (vm_pindex_t i = 0; i < 16; i++)
		T_EQ(fake_pte(&s->pmap, VA + ptoa(i), NULL, NULL, NULL), i != 2 && i != 11);
	T_OK(vm_page_busied(busy));
	vm_page_sunbusy(busy);
	invalid->valid = true;
	teardown(s);
}

static void
test_O1_window_by_policy(void)
{
	static const uint32_t windows[] = {0, 1, 2, 7, 16, 64, 512};
	uint32_t usual = vm_fault_around;

	for (size_t w = 0; w < nitems(windows); w++) {
		uint64_t n = MAX(windows[w], 1u);
		struct space *s = setup(0, NPAGES, R, 0);

		vm_fault_around = windows[w];
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			T_EQ(space_read(s, VA + ptoa(i)), i + 1);
		T_EQ(fake_minflt, (NPAGES + n - 1) / n);
		vm_fault_around = usual;
		teardown(s);
	}
}

static void
test_O1_policy_is_a_number_up_to_its_maximum(void)
{
	static const struct {
		const char *text;
		int error;
		uint32_t value;
	} cases[] = {
	    {"0", 0, 0},
	    {"1", 0, 1},
	    {"512", 0, 512},
	    {"000016", 0, 16},
	    {"513", EINVAL, 0},
	    {"", EINVAL, 0},
	    {"-1", EINVAL, 0},
	    {"16 ", EINVAL, 0},
	    {"0x10", EINVAL, 0},
	    {"99999999999999999999999999", EINVAL, 0},
	    {"18446744073709551617", EINVAL, 0},
	};
	uint32_t v;

	for (size_t i = 0; i < nitems(cases); i++) {
		v = 77;
		T_EQ(sysctl_store_uint(cases[i].text, VM_FAULT_AROUND_MAX, &v), cases[i].error);
		T_EQ(v, cases[i].error == 0 ? cases[i].value : 77);
	}
}

/* P13: the hint is what the entry maps, at whatever offset. */
static void
test_O1_only_what_the_entry_maps(void)
{
	struct space *s = setup(0, NPAGES, R, 0);

	space_unmap(s, VA, ptoa(NPAGES));
	vm_object_reference(file.object);
	space_map(s, VA + ptoa(1), ptoa(5), file.object, ptoa(19), R, R, 0);
	T_EQ(space_read(s, VA + ptoa(3)), 22);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), 5);
	T_EQ(vm_cnt.v_populate_clipped, 0);
	for (vm_pindex_t i = 0; i < 5; i++)
		T_EQ(space_read(s, VA + ptoa(1 + i)), 20 + i);
	T_EQ(fake_minflt, 1);
	teardown(s);
}

static void
test_O1_neighbours_of_a_private_mapping_are_read_only(void)
{
	struct space *s = setup(0, 16, RW, COW);

	T_EQ(space_read(s, VA + ptoa(3)), 4);
	expect_mapped(s, 0, 15, R);
	for (vm_pindex_t i = 0; i < 16; i++)
		space_write(s, VA + ptoa(i), 1000 + i);
	for (vm_pindex_t i = 0; i < 16; i++) {
		T_EQ(*(uint64_t *)pmap_page_kva(file_page(i)), i + 1);
		T_OK(!file_page(i)->dirty);
		T_EQ(space_read(s, VA + ptoa(i)), 1000 + i);
	}
	teardown(s);
}

/* P14's dirty rule: nothing is entered writable that was not written, so no dirty bit is lost. */
static void
test_O1_reading_a_shared_writable_mapping_dirties_nothing(void)
{
	struct space *s = setup(0, 16, RW, 0);

	T_EQ(space_read(s, VA + ptoa(3)), 4);
	expect_mapped(s, 0, 15, R);
	for (vm_pindex_t i = 0; i < 16; i++)
		T_OK(!file_page(i)->dirty && !pmap_is_modified(file_page(i)));
	space_write(s, VA + ptoa(7), 5);
	T_OK(file_page(7)->dirty);
	T_EQ(fake_minflt, 2);
	for (vm_pindex_t i = 0; i < 16; i++)
		T_EQ(file_page(i)->dirty, i == 7);
	teardown(s);
}

static void
test_O1_a_write_brings_its_own_page_only(void)
{
	struct space *s = setup(0, 4, RW, 0);

	space_write(s, VA + ptoa(1), 9); /* resident */
	expect_mapped(s, 1, 1, RW);
	space_write(s, VA + ptoa(4), 9); /* absent */
	T_EQ(file.reads, 1);
	T_OK(file_page(4)->dirty && !file_page(3)->dirty);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), 2);
	teardown(s);
}

/* P4: a fault that comes through a shadow brings no neighbours; but the file's own mappings have them
 * all the same, or a program's text would lose them as soon as its data is written. */
static void
test_O1_P4_shadows_of_the_file(void)
{
	struct space *s = setup(0, NPAGES, R, 0);

	vm_object_reference(file.object);
	space_map(s, VA + ptoa(NPAGES), ptoa(NPAGES), file.object, 0, RW, RW, COW);
	space_write(s, VA + ptoa(NPAGES), 1);
	T_EQ(file.object->shadow_count, 1);
	T_EQ(space_read(s, VA + ptoa(NPAGES + 1)), 2);
	T_EQ(fake_mapped(&s->pmap, VA + ptoa(NPAGES), VA + ptoa(2 * NPAGES)), 2);
	T_EQ(space_read(s, VA + ptoa(1)), 2);
	expect_mapped(s, 0, 15, R);
	teardown(s);
}

static void
test_O1_P16_the_page_asked_for_is_held(void)
{
	struct space *s = setup(0, 16, R, 0);
	vm_page_t m = NULL;

	T_EQ(vm_fault(&s->map, VA + ptoa(9), R, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
	T_OK(m == file_page(9));
	for (vm_pindex_t i = 0; i < 16; i++)
		T_EQ(file_page(i)->hold_count, i == 9);
	expect_mapped(s, 0, 15, R);
	vm_page_unhold(m);
	teardown(s);
}

static void
test_O1_wiring_wires_each_page_once(void)
{
	struct space *s = setup(0, 20, R, 0);
	uint64_t calls = vm_cnt.v_populate_calls;

	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(20)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_populate_calls, calls); /* resident: page by page */
	for (vm_pindex_t i = 0; i < 20; i++)
		T_EQ(file_page(i)->wire_count, 1);
	T_EQ(vm_map_wire(&s->map, VA + ptoa(20), VA + ptoa(24)), KERN_SUCCESS);
	T_EQ(file.reads, 4);
	T_EQ(vm_cnt.v_wire_count, 24);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(24)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 0);
	teardown(s);
}

static void
test_O1_P9_an_error_of_the_file_is_the_faults(void)
{
	struct space *s = setup(0, 3, R, 0);

	file.fails = true;
	T_EQ(touch(s, VA + ptoa(3), R), KERN_FAILURE);
	T_EQ(file.object->resident_page_count, 3);
	T_EQ(touch(s, VA + ptoa(2), R), KERN_SUCCESS); /* needs no reading */
	teardown(s);
}

/* --- others at the same file ------------------------------------------------------------------ */

struct job {
	struct space *s;
	vm_offset_t va;
	int rv;
};

static void
touch_job(void *arg)
{
	struct job *job = arg;

	job->rv = touch(job->s, job->va, R);
}

static struct thread *
touch_in_thread(struct job *job, struct space *s, vm_offset_t va)
{
	struct thread *td;

	*job = (struct job){s, va, -1};
	td = fake_spawn("toucher", touch_job, job);
	fake_run(td);
	return (td);
}

static void
test_O1_the_page_asked_for_is_waited_for(void)
{
	struct space *s = setup(0, 16, R, 0);
	uint64_t sleeps = fake_sleeps;
	struct thread *td;
	struct job job;

	T_OK(vm_page_tryxbusy(file_page(5)));
	td = touch_in_thread(&job, s, VA + ptoa(5));
	for (int i = 0; i < 20; i++)
		fake_yield();
	T_OK(fake_asleep(td)); /* one sleep until it is let go, no polling (P19) */
	T_EQ(fake_sleeps - sleeps, 1);
	T_EQ(fake_locks_held(td), 0);
	vm_page_xunbusy(file_page(5));
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	expect_mapped(s, 0, 15, R);
	teardown(s);
}

static void
truncate_job(void *arg)
{
	vm_object_set_size(file.object, (vm_pindex_t)arg);
}

/* The file is cut off while its page is being read: SIGBUS, and nothing past the end stays. */
static void
test_O1_truncated_while_the_file_is_read(void)
{
	struct space *s = setup(0, 4, R, 0);
	struct thread *td, *cutter;
	struct job job;

	file.waits = true;
	td = touch_in_thread(&job, s, VA + ptoa(8));
	T_OK(fake_asleep(td));
	cutter = fake_spawn("cutter", truncate_job, (void *)2);
	fake_run(cutter);
	T_OK(fake_asleep(cutter)); /* the page is busy */
	open_gate();
	fake_join(td);
	fake_join(cutter);
	T_EQ(job.rv, KERN_FAILURE);
	T_EQ(file.object->resident_page_count, 2);
	teardown(s);
}

static void
lock_map(void *arg)
{
	vm_map_t map = arg;

	vm_map_lock(map);
	VM_OBJECT_WLOCK(file.object);
	VM_OBJECT_UNLOCK(file.object);
	vm_map_unlock(map);
}

static void
spawn_map_locker(void *arg)
{
	struct space *s = arg;

	fake_run(fake_spawn("locker", lock_map, &s->map));
}

/* P12: the map changes while the range is busy; and a truncation waits for it, then unmaps what
 * it cut. */
static void
test_O1_truncated_between_the_call_and_the_entry(void)
{
	struct space *s = setup(0, 16, R, 0);
	struct thread *cutter, *td;
	struct job job;

	T_OK(vm_page_tryxbusy(file_page(9)));
	cutter = fake_spawn("cutter", truncate_job, (void *)4);
	fake_run(cutter); /* has cut off 4 to 8, waits for 9 */
	T_OK(fake_asleep(cutter));
	T_EQ(file.object->resident_page_count, 11);
	fake_on_unlock(&s->map.lock, spawn_map_locker, s);
	td = touch_in_thread(&job, s, VA + ptoa(3));
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	T_EQ(touch(s, VA + ptoa(5), R), KERN_FAILURE); /* no new page past the end meanwhile */
	vm_page_xunbusy(file_page(9));
	fake_join(cutter);
	T_EQ(file.object->resident_page_count, 4);
	T_EQ(touch(s, VA + ptoa(9), R), KERN_FAILURE);
	teardown(s);
}

#define STRESS_PAGES 24ul
static struct space *stress_space;

static void
stress_thread(void *arg)
{
	struct rng r = {(uint64_t)arg};
	vm_offset_t va, end;
	int rv;

	for (int i = 0; i < 800; i++) {
		va = VA + ptoa(rng_below(&r, STRESS_PAGES));
		end = MIN(va + ptoa(1 + rng_below(&r, 9)), VA + ptoa(STRESS_PAGES));
		switch (rng_below(&r, 10)) {
		case 0:
			vm_object_set_size(file.object, 1 + rng_below(&r, STRESS_PAGES));
			break;
		case 1: {
			struct vm_map_req req = {.object = file.object,
						 .offset = va - VA,
						 .prot = RW,
						 .max_prot = RW,
						 .eflags = rng_below(&r, 2) ? COW : 0};

			vm_object_reference(file.object);
			T_EQ(vm_map_fixed(&stress_space->map, va, end - va, &req), KERN_SUCCESS);
			break;
		}
		case 2:
			T_EQ(vm_map_remove(&stress_space->map, va, end), KERN_SUCCESS);
			break;
		case 3:
			if (vm_map_wire(&stress_space->map, va, end) == KERN_SUCCESS)
				vm_map_unwire(&stress_space->map, va, end);
			break;
		case 4:
			vm_map_wire_on_fault(&stress_space->map, va, end);
			break;
		default:
			rv = touch(stress_space, va, rng_below(&r, 4) ? R : W);
			T_OK(rv == KERN_SUCCESS || rv == KERN_INVALID_ADDRESS ||
			     rv == KERN_FAILURE);
		}
		VM_OBJECT_RLOCK(file.object);
		T_EQ(file.object->flags & (OBJ_POPULATE | OBJ_AROUND), OBJ_POPULATE | OBJ_AROUND);
		VM_OBJECT_UNLOCK(file.object);
	}
}

static void
test_O1_stress_of_truncations_and_maps(void)
{
	struct thread *td[4];
	vm_page_t m;

	stress_space = setup(0, 0, RW, 0);
	fake_preempt(11, 150);
	for (uint64_t i = 0; i < nitems(td); i++)
		td[i] = fake_spawn("stress", stress_thread, (void *)(1700 + i));
	for (size_t i = 0; i < nitems(td); i++)
		fake_join(td[i]);
	fake_preempt(0, 0);
	VM_OBJECT_RLOCK(file.object);
	m = vm_page_find_least(file.object, file.object->size);
	VM_OBJECT_UNLOCK(file.object);
	T_OK(m == NULL); /* no page stands past the end */
	teardown(stress_space);
}

/* --- the phys pager --------------------------------------------------------------------------- */

static void
test_O1_phys_pager_gives_the_whole_run(void)
{
	struct space *s = space_create();
	vm_object_t object = phys_pager_allocate(NPAGES);

	space_map(s, VA, ptoa(8), object, ptoa(4), RW, RW, 0);
	space_write(s, VA + ptoa(3), 5);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(8)), 8);
	T_EQ(object->resident_page_count, 8); /* not what the entry does not map */
	space_destroy(s);
}

/* A busy page beside the one asked for ends the run; that one busy is waited for, in one sleep. */
static void
test_O1_phys_pager_does_not_spin_on_a_busy_page(void)
{
	struct space *s = space_create();
	uint64_t calls, sleeps, waits = fake_oom_calls;
	struct thread *td;
	struct job job;
	vm_page_t m;

	file.object = phys_pager_allocate(16);
	space_map(s, VA, ptoa(16), file.object, 0, RW, RW, 0);
	VM_OBJECT_WLOCK(file.object);
	m = vm_page_alloc(file.object, 6, VM_ALLOC_ZERO);
	m->valid = true;
	VM_OBJECT_UNLOCK(file.object);
	calls = vm_cnt.v_populate_calls;
	T_EQ(touch(s, VA + ptoa(9), R), KERN_SUCCESS);
	T_EQ(vm_cnt.v_populate_calls - calls, 1);
	expect_mapped(s, 7, 15, RW);
	sleeps = fake_sleeps;
	td = touch_in_thread(&job, s, VA + ptoa(6));
	for (int i = 0; i < 20; i++)
		fake_yield();
	T_OK(fake_asleep(td));
	T_EQ(fake_sleeps - sleeps, 1);
	vm_page_xunbusy(m);
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	T_EQ(fake_oom_calls, waits);
	T_EQ(vm_cnt.v_busied, 0);
	space_destroy(s);
}

/* --- wired when touched ----------------------------------------------------------------------- */

static bool
pte_wired(struct space *s, vm_pindex_t i)
{
	bool wired = false;

	return (fake_pte(&s->pmap, VA + ptoa(i), NULL, NULL, &wired) && wired);
}

static void
test_wire_on_fault(void)
{
	struct space *s = space_create();

	space_map(s, VA, ptoa(8), NULL, 0, RW, RW, 0);
	space_write(s, VA, 1);
	T_EQ(vm_map_wire_on_fault(&s->map, VA, VA + ptoa(6)), KERN_SUCCESS);
	T_EQ(s->map.nentries, 2);
	T_EQ(fake_mapped(&s->pmap, VA + ptoa(1), VA + ptoa(8)), 0); /* nothing is brought in */
	T_EQ(space_read(s, VA), 1);
	space_write(s, VA + ptoa(3), 4);
	space_write(s, VA + ptoa(7), 8);
	T_OK(pte_wired(s, 0) && pte_wired(s, 3) && !pte_wired(s, 7));
	T_EQ(vm_cnt.v_wire_count, 0);
	T_EQ(vm_map_dontneed(&s->map, VA, VA + PAGE_SIZE), KERN_INVALID_ARGUMENT);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(8)), KERN_SUCCESS);
	T_EQ(fake_pmap.wired, 0);
	T_EQ(s->map.nentries, 1);
	T_EQ(space_read(s, VA + ptoa(3)), 4);
	space_destroy(s);
}

static void
test_wire_after_wire_on_fault_and_the_other_way_round(void)
{
	struct space *s = space_create();

	space_map(s, VA, ptoa(4), NULL, 0, RW, RW, 0);
	T_EQ(vm_map_wire_on_fault(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 4);
	T_EQ(vm_map_wire_on_fault(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS); /* is wired */
	T_EQ(vm_cnt.v_wire_count, 4);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(4)), 4);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 0);
	T_EQ(fake_pmap.wired, 0);
	space_destroy(s);
}

/* A copy made in an entry that is wired on fault leaves the original's wirings, which are
 * another's. */
static void
test_wire_on_fault_takes_no_wiring_of_others(void)
{
	struct space *s = setup(0, 4, RW, COW), *other = space_create();

	vm_object_reference(file.object);
	space_map(other, VA, ptoa(4), file.object, 0, RW, RW, 0);
	T_EQ(vm_map_wire(&other->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(vm_map_wire_on_fault(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(space_read(s, VA), 1);
	space_write(s, VA, 2);
	T_EQ(file_page(0)->wire_count, 1);
	T_EQ(vm_cnt.v_wire_count, 4);
	space_unmap(s, VA, ptoa(4));
	T_EQ(vm_cnt.v_wire_count, 4);
	space_destroy(other);
	T_EQ(vm_cnt.v_wire_count, 0);
	teardown(s);
}

static void
test_wiring_ends_at_a_hole(void)
{
	struct space *s = space_create();

	space_map(s, VA, ptoa(2), NULL, 0, RW, RW, 0);
	space_map(s, VA + ptoa(3), ptoa(1), NULL, 0, RW, RW, 0);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	T_EQ(vm_map_wire(&s->map, VA + ptoa(3), VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(vm_map_unwire(&s->map, VA + ptoa(1), VA + ptoa(4)), KERN_INVALID_ADDRESS);
	T_EQ(vm_cnt.v_wire_count, 2); /* up to the hole */
	T_EQ(vm_map_wire_on_fault(&s->map, VA + ptoa(1), VA + ptoa(4)), KERN_INVALID_ADDRESS);
	space_write(s, VA + ptoa(1), 1);
	T_OK(pte_wired(s, 1));
	T_EQ(vm_map_unwire(&s->map, VA + ptoa(2), VA + ptoa(4)), KERN_INVALID_ADDRESS);
	T_EQ(vm_cnt.v_wire_count, 2);
	T_EQ(vm_map_wire_on_fault(&s->map, VA + ptoa(2), VA + ptoa(4)), KERN_INVALID_ADDRESS);
	space_destroy(s);
}

/* --- mincore ---------------------------------------------------------------------------------- */

static void
expect_resident(struct space *s, vm_pindex_t first, vm_pindex_t n, const char *expected)
{
	uint8_t vec[NPAGES];

	memset(vec, 9, sizeof(vec));
	T_EQ(vm_map_mincore(&s->map, VA + ptoa(first), VA + ptoa(first + n), vec),
	     strlen(expected));
	for (size_t i = 0; i < n; i++) {
		if (i >= strlen(expected))
			T_EQ(vec[i], 9);
		else
			T_EQ(vec[i], expected[i] - '0');
	}
}

static void
test_mincore(void)
{
	struct space *s = setup(2, 3, RW, COW);

	expect_resident(s, 0, 7, "0011100");
	space_write(s, VA + ptoa(6), 1); /* a copy; the file's page was read for it */
	space_write(s, VA + ptoa(3), 1);
	expect_resident(s, 0, 8, "00111010");
	space_unmap(s, VA + ptoa(4), ptoa(2));
	expect_resident(s, 2, 4, "11");
	expect_resident(s, 4, 4, "");
	space_map(s, VA + ptoa(4), ptoa(2), NULL, 0, RW, RW, 0);
	T_EQ(touch(s, VA + ptoa(5), R), KERN_SUCCESS);
	expect_resident(s, 3, 4, "1011");
	teardown(s);
}

static void
test_dontneed_of_a_device_is_refused(void)
{
	struct space *s = setup(0, 4, R, MAP_ENTRY_DEVICE);

	T_EQ(space_read(s, VA), 1);
	T_EQ(vm_map_dontneed(&s->map, VA, VA + ptoa(4)), KERN_INVALID_ARGUMENT);
	T_OK(fake_pte(&s->pmap, VA, NULL, NULL, NULL));
	teardown(s);
}

static const struct host_test tests[] = {
    TEST(test_O1_a_resident_file_takes_a_fault_for_each_window),
    TEST(test_O1_from_the_last_page_down),
    TEST(test_O1_never_reads_a_page_nobody_asked_for),
    TEST(test_O1_the_range_is_cut_at_an_absent_page),
    TEST(test_O1_busy_and_invalid_neighbours_are_left_alone),
    TEST(test_O1_window_by_policy),
    TEST(test_O1_policy_is_a_number_up_to_its_maximum),
    TEST(test_O1_only_what_the_entry_maps),
    TEST(test_O1_neighbours_of_a_private_mapping_are_read_only),
    TEST(test_O1_reading_a_shared_writable_mapping_dirties_nothing),
    TEST(test_O1_a_write_brings_its_own_page_only),
    TEST(test_O1_P4_shadows_of_the_file),
    TEST(test_O1_P16_the_page_asked_for_is_held),
    TEST(test_O1_wiring_wires_each_page_once),
    TEST(test_O1_P9_an_error_of_the_file_is_the_faults),
    TEST(test_O1_the_page_asked_for_is_waited_for),
    TEST(test_O1_truncated_while_the_file_is_read),
    TEST(test_O1_truncated_between_the_call_and_the_entry),
    TEST(test_O1_stress_of_truncations_and_maps),
    TEST(test_O1_phys_pager_gives_the_whole_run),
    TEST(test_O1_phys_pager_does_not_spin_on_a_busy_page),
    TEST(test_wire_on_fault),
    TEST(test_wire_after_wire_on_fault_and_the_other_way_round),
    TEST(test_wire_on_fault_takes_no_wiring_of_others),
    TEST(test_wiring_ends_at_a_hole),
    TEST(test_mincore),
    TEST(test_dontneed_of_a_device_is_refused),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "pagers", tests, nitems(tests), FRAMES));
}

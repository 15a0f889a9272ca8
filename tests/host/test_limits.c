/*
 * What maps may have and what goes when memory is short: limits, committed memory, stacks that grow,
 * advice, the page-out scan, truncation under private mappings.
 */
#include "harness.h"
#include "vm/vm_pageout.h"

#define FRAMES 2048

static const struct vm_map_req anon = {.prot = RW, .max_prot = VM_PROT_ALL};

static void
map_anon(struct space *s, vm_offset_t va, vm_pindex_t n, vm_prot_t prot, uint32_t eflags)
{
	space_map(s, va, ptoa(n), NULL, 0, prot, VM_PROT_ALL, eflags);
}

static int
touch(struct space *s, vm_offset_t va)
{
	return (fake_touch(&s->map, va, VM_PROT_WRITE, NULL));
}

static vm_page_t
page_at(struct space *s, vm_offset_t va)
{
	vm_page_t m = NULL;

	fake_pte(&s->pmap, va, &m, NULL, NULL);
	return (m);
}

/* --- limits and commitments ------------------------------------------------------------------- */

static void
test_size_limit(void)
{
	struct space *s = space_create();
	vm_offset_t addr = 0;

	fake_limits[VM_LIMIT_SIZE] = ptoa(10);
	T_EQ(vm_map_insert(&s->map, VA, ptoa(6), &anon), KERN_SUCCESS);
	T_EQ(vm_map_insert(&s->map, VA + ptoa(8), ptoa(5), &anon), KERN_RESOURCE_SHORTAGE);
	T_EQ(vm_map_find(&s->map, &addr, ptoa(5), &anon), KERN_RESOURCE_SHORTAGE);
	/* What is replaced counts no more. */
	T_EQ(vm_map_fixed(&s->map, VA + ptoa(3), ptoa(7), &anon), KERN_SUCCESS);
	T_EQ(s->map.size, ptoa(10));
	T_EQ(vm_map_fixed(&s->map, VA + ptoa(3), ptoa(8), &anon), KERN_RESOURCE_SHORTAGE);
	T_EQ(s->map.size, ptoa(10)); /* and nothing was unmapped */
	space_destroy(s);
}

static void
test_data_limit(void)
{
	struct space *s = space_create();

	fake_limits[VM_LIMIT_DATA] = ptoa(4);
	map_anon(s, VA, 4, R, 0);
	map_anon(s, VA + ptoa(8), 3, RW, 0);
	map_anon(s, VA + ptoa(16), 4, RW, MAP_ENTRY_GROWSDOWN); /* a stack is no data */
	T_EQ(s->map.data_size, ptoa(3));
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(4), RW), KERN_RESOURCE_SHORTAGE);
	T_EQ(vm_map_protect(&s->map, VA, VA + PAGE_SIZE, RW), KERN_SUCCESS);
	T_EQ(s->map.data_size, ptoa(4));
	T_EQ(vm_map_protect(&s->map, VA + ptoa(8), VA + ptoa(11), R), KERN_SUCCESS);
	T_EQ(s->map.data_size, ptoa(1));
	space_destroy(s);
}

static void
test_map_count(void)
{
	struct space *s = space_create();

	vm_max_map_count = 3;
	map_anon(s, VA, 5, RW, 0);
	map_anon(s, VA + ptoa(8), 1, RW, 0);
	T_EQ(vm_map_protect(&s->map, VA, VA + PAGE_SIZE, R), KERN_SUCCESS);
	T_EQ(vm_map_protect(&s->map, VA + ptoa(2), VA + ptoa(3), R), KERN_RESOURCE_SHORTAGE);
	T_EQ(vm_map_remove(&s->map, VA + ptoa(2), VA + ptoa(3)), KERN_RESOURCE_SHORTAGE);
	T_EQ(vm_map_remove(&s->map, VA + ptoa(3), VA + ptoa(5)), KERN_SUCCESS);
	T_EQ(s->map.nentries, 3);
	vm_max_map_count = 65530;
	space_destroy(s);
}

static void
test_strict_commitments(void)
{
	struct space *s = space_create(), *child = space_create();
	uint64_t limit;

	vm_overcommit_memory = VM_OVERCOMMIT_NEVER;
	limit = vm_commit_limit();
	T_EQ(limit, vm_cnt.v_page_count / 2);
	map_anon(s, VA, limit / 2 + 1, RW, 0);
	T_EQ(vm_cnt.v_committed, limit / 2 + 1);
	T_EQ(vm_map_fork(&s->map, &child->map), KERN_RESOURCE_SHORTAGE);
	T_EQ(child->map.nentries, 0);
	T_EQ(vm_cnt.v_committed, limit / 2 + 1);
	T_OK(vm_object_shared(limit, true) == NULL);
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(limit / 2 + 1), R), KERN_SUCCESS);
	T_EQ(vm_cnt.v_committed, 0); /* nobody wrote to it */
	T_EQ(vm_map_fork(&s->map, &child->map), KERN_SUCCESS);
	space_destroy(child);
	T_EQ(vm_map_protect(&s->map, VA, VA + PAGE_SIZE, RW), KERN_SUCCESS);
	T_EQ(touch(s, VA), KERN_SUCCESS);
	T_EQ(vm_map_protect(&s->map, VA, VA + PAGE_SIZE, R), KERN_SUCCESS);
	T_EQ(vm_cnt.v_committed, 1);
	vm_overcommit_memory = VM_OVERCOMMIT_GUESS;
	T_EQ(vm_map_insert(&s->map, VA + (1ul << 30), ptoa(vm_cnt.v_page_count + 1), &anon),
	     KERN_RESOURCE_SHORTAGE);
	vm_overcommit_memory = VM_OVERCOMMIT_ALWAYS;
	space_destroy(s);
}

/* --- stacks ----------------------------------------------------------------------------------- */

static void
test_stack_grows_to_its_limit(void)
{
	struct space *s = space_create();

	fake_limits[VM_LIMIT_STACK] = ptoa(16);
	map_anon(s, VA, 4, RW, MAP_ENTRY_GROWSDOWN);
	space_write(s, VA, 5); /* it has an object now */
	T_EQ(touch(s, VA - ptoa(3)), KERN_SUCCESS);
	T_EQ(touch(s, VA - ptoa(12)), KERN_SUCCESS);
	T_EQ(touch(s, VA - ptoa(13)), KERN_INVALID_ADDRESS);
	T_EQ(s->map.nentries, 1);
	T_EQ(s->map.size, ptoa(16));
	T_EQ(space_read(s, VA), 5);
	/* Beyond the room in front of its object an entry of its own is made. */
	fake_limits[VM_LIMIT_STACK] = ptoa(32);
	T_EQ(touch(s, VA - ptoa(20)), KERN_SUCCESS);
	T_EQ(s->map.nentries, 2);
	T_EQ(space_read(s, VA), 5);
	space_destroy(s);
}

static void
test_stack_keeps_its_guard(void)
{
	struct space *s = space_create();
	vm_offset_t below = VA - STACK_GUARD - ptoa(9), addr = VA - ptoa(2);

	map_anon(s, VA, 4, RW, MAP_ENTRY_GROWSDOWN);
	map_anon(s, below, 1, RW, 0);
	T_EQ(touch(s, VA - ptoa(8)), KERN_SUCCESS);
	T_EQ(touch(s, VA - ptoa(9)), KERN_INVALID_ADDRESS);
	T_EQ(vm_map_protect(&s->map, below, below + PAGE_SIZE, VM_PROT_NONE), KERN_SUCCESS);
	T_EQ(touch(s, VA - ptoa(9)), KERN_SUCCESS); /* nobody can touch what is there */
	T_EQ(vm_map_find(&s->map, &addr, PAGE_SIZE, &anon), KERN_SUCCESS);
	T_OK(addr + PAGE_SIZE <= VA - ptoa(9) - STACK_GUARD || addr >= VA + ptoa(4));
	space_destroy(s);
}

static void
test_stack_grows_after_fork(void)
{
	struct space *s = space_create(), *child = space_create();

	fake_limits[VM_LIMIT_STACK] = ptoa(64);
	map_anon(s, VA, 2, RW, MAP_ENTRY_GROWSDOWN);
	space_write(s, VA, 1);
	T_EQ(vm_map_fork(&s->map, &child->map), KERN_SUCCESS);
	space_write(child, VA, 2);
	space_write(child, VA - ptoa(5), 3);
	space_write(s, VA - ptoa(5), 4);
	T_EQ(child->map.nentries, 1);
	T_EQ(space_read(s, VA), 1);
	T_EQ(space_read(child, VA - ptoa(5)), 3);
	T_EQ(space_read(s, VA - ptoa(5)), 4);
	space_destroy(child);
	T_EQ(space_read(s, VA - ptoa(5)), 4);
	space_destroy(s);
}

/* --- advice, and the page-out scan ------------------------------------------------------------ */

static void
test_lazily_freed_pages_go(void)
{
	struct space *s = space_create();

	map_anon(s, VA, 3, RW, 0);
	for (int i = 0; i < 3; i++)
		space_write(s, VA + ptoa(i), 7);
	T_EQ(vm_pageout(3), 0); /* dirty: they stay */
	T_EQ(vm_map_free_lazily(&s->map, VA, VA + ptoa(3)), KERN_SUCCESS);
	T_EQ(space_read(s, VA + PAGE_SIZE), 7); /* a read does not keep it */
	space_write(s, VA + ptoa(2), 8); /* a write does */
	T_EQ(vm_pageout(UINT64_MAX), 2);
	T_EQ(space_read(s, VA), 0);
	T_EQ(space_read(s, VA + PAGE_SIZE), 0);
	T_EQ(space_read(s, VA + ptoa(2)), 8);
	space_destroy(s);
}

/* A page of the parent's behind it must not come to light again. */
static void
test_lazily_freed_in_front_of_others(void)
{
	struct space *s = space_create(), *child = space_create();

	map_anon(s, VA, 1, RW, 0);
	space_write(s, VA, 1);
	T_EQ(vm_map_fork(&s->map, &child->map), KERN_SUCCESS);
	space_write(child, VA, 2);
	T_EQ(vm_map_free_lazily(&child->map, VA, VA + PAGE_SIZE), KERN_SUCCESS);
	vm_pageout(UINT64_MAX);
	T_EQ(space_read(child, VA), 0);
	T_EQ(space_read(s, VA), 1);
	space_destroy(child);
	space_destroy(s);
}

static void
test_wired_and_held_pages_stay(void)
{
	struct space *s = space_create();
	vm_page_t m;

	map_anon(s, VA, 2, RW, 0);
	space_write(s, VA, 1);
	space_write(s, VA + PAGE_SIZE, 1);
	T_EQ(vm_map_free_lazily(&s->map, VA, VA + 2 * PAGE_SIZE), KERN_SUCCESS); /* clean */
	T_EQ(vm_map_protect(&s->map, VA, VA + PAGE_SIZE, R), KERN_SUCCESS); /* and stays it */
	T_EQ(vm_map_wire(&s->map, VA, VA + PAGE_SIZE), KERN_SUCCESS);
	T_EQ(vm_map_free_lazily(&s->map, VA, VA + PAGE_SIZE), KERN_INVALID_ARGUMENT);
	T_EQ(space_read(s, VA + PAGE_SIZE), 1);
	m = page_at(s, VA + PAGE_SIZE);
	vm_page_hold(m);
	T_EQ(vm_pageout(UINT64_MAX), 0);
	vm_page_unhold(m);
	T_EQ(vm_pageout(UINT64_MAX), 1);
	space_destroy(s);
}

static int
fill(void *handle, vm_page_t m)
{
	memset(pmap_page_kva(m), *(int *)handle + (int)m->pindex, PAGE_SIZE);
	return (0);
}

/* A file's clean pages go, those that were not used lately first, and are read in again. */
static void
test_clean_file_pages(void)
{
	int first = 1;
	vm_object_t object = vnode_pager_allocate(&first, 8, fill);
	struct space *s = space_create();

	vm_fault_around = 1;
	vm_object_reference(object);
	space_map(s, VA, ptoa(8), object, 0, RW, VM_PROT_ALL, MAP_ENTRY_SHARED);
	for (int i = 0; i < 8; i++)
		T_EQ(space_read(s, VA + ptoa(i)) & 0xff, 1 + i);
	space_write(s, VA, 99);
	T_EQ(vm_pageout(UINT64_MAX), 7);
	T_EQ(object->resident_page_count, 1);
	for (int i = 1; i < 8; i++)
		T_EQ(space_read(s, VA + ptoa(i)) & 0xff, 1 + i);
	T_EQ(space_read(s, VA), 99);
	T_EQ(vm_map_deactivate(&s->map, VA, VA + ptoa(4), true), KERN_SUCCESS);
	T_EQ(object->resident_page_count, 5);
	space_destroy(s);
	vm_object_deallocate(object);
	vm_fault_around = 16;
}

/* Who waits for memory drops pages before anybody is killed. */
static void
test_shortage_drops_before_it_kills(void)
{
	int first = 1;
	vm_object_t object = vnode_pager_allocate(&first, 64, fill);
	struct space *s = space_create();
	vm_pindex_t n;

	vm_object_reference(object);
	space_map(s, VA, ptoa(64), object, 0, R, R, MAP_ENTRY_SHARED);
	for (int i = 0; i < 64; i++)
		space_read(s, VA + ptoa(i));
	map_anon(s, VA + (1ul << 30), 40, RW, 0);
	fake_eat_memory(8);
	for (n = 0; n < 40; n++)
		T_EQ(touch(s, VA + (1ul << 30) + ptoa(n)), KERN_SUCCESS);
	T_EQ(fake_oom_calls, 0);
	T_OK(object->resident_page_count < 64);
	fake_give_memory(~0ul);
	space_destroy(s);
	vm_object_deallocate(object);
}

static void
test_advice_goes_on_past_holes(void)
{
	struct space *s = space_create();

	map_anon(s, VA, 2, RW, 0);
	map_anon(s, VA + ptoa(4), 2, RW, 0);
	T_EQ(vm_map_advise(&s->map, VA, VA + ptoa(6), MAP_ENTRY_NODUMP, 0, 0),
	     KERN_INVALID_ADDRESS);
	vm_map_lock_read(&s->map);
	T_OK((vm_map_lookup_entry(&s->map, VA + ptoa(5))->eflags & MAP_ENTRY_NODUMP) != 0);
	vm_map_unlock_read(&s->map);
	space_destroy(s);
}

static void
test_fork_heeds_advice(void)
{
	struct space *s = space_create(), *child = space_create();

	map_anon(s, VA, 3, RW, 0);
	for (int i = 0; i < 3; i++)
		space_write(s, VA + ptoa(i), 6);
	vm_map_advise(&s->map, VA, VA + PAGE_SIZE, MAP_ENTRY_NOFORK, 0, 0);
	vm_map_advise(&s->map, VA + PAGE_SIZE, VA + ptoa(2), MAP_ENTRY_WIPEFORK, 0, 0);
	T_EQ(vm_map_fork(&s->map, &child->map), KERN_SUCCESS);
	T_EQ(touch(child, VA), KERN_INVALID_ADDRESS);
	T_EQ(space_read(child, VA + PAGE_SIZE), 0);
	T_EQ(space_read(child, VA + ptoa(2)), 6);
	T_EQ(space_read(s, VA + PAGE_SIZE), 6);
	space_destroy(child);
	space_destroy(s);
}

/* --- truncation ------------------------------------------------------------------------------- */

/* Copies in two generations of shadows go with what they are copies of. */
static void
test_truncation_takes_private_copies(void)
{
	int first = 1;
	vm_object_t object = vnode_pager_allocate(&first, 4, fill);
	struct space *s = space_create(), *child = space_create();

	vm_object_reference(object);
	space_map(s, VA, ptoa(4), object, 0, RW, VM_PROT_ALL, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	for (int i = 0; i < 4; i++)
		space_write(s, VA + ptoa(i), 50);
	T_EQ(vm_map_fork(&s->map, &child->map), KERN_SUCCESS);
	space_write(child, VA + ptoa(3), 60);
	space_write(s, VA, 51);
	vm_object_set_size(object, 2);
	T_EQ(touch(s, VA + ptoa(2)), KERN_FAILURE);
	T_EQ(touch(child, VA + ptoa(3)), KERN_FAILURE);
	T_EQ(space_read(s, VA), 51);
	T_EQ(space_read(child, VA + PAGE_SIZE), 50);
	space_destroy(child);
	space_destroy(s);
	vm_object_deallocate(object);
}

static const struct host_test tests[] = {
    TEST(test_size_limit),
    TEST(test_data_limit),
    TEST(test_map_count),
    TEST(test_strict_commitments),
    TEST(test_stack_grows_to_its_limit),
    TEST(test_stack_keeps_its_guard),
    TEST(test_stack_grows_after_fork),
    TEST(test_lazily_freed_pages_go),
    TEST(test_lazily_freed_in_front_of_others),
    TEST(test_wired_and_held_pages_stay),
    TEST(test_clean_file_pages),
    TEST(test_shortage_drops_before_it_kills),
    TEST(test_advice_goes_on_past_holes),
    TEST(test_fork_heeds_advice),
    TEST(test_truncation_takes_private_copies),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "limits", tests, nitems(tests), FRAMES));
}

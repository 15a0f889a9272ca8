/*
 * vm_map_fork: who sees whose writes, what stays shared, how long chains of shadows get and what
 * they keep, what happens when memory is short; and a model of many address spaces that fork, write
 * and end at random, alone and preempted.
 */
#include "harness.h"
#include "kern/kmalloc.h"

#define FRAMES 4096
#define COW    (MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY)

static struct space *
fork_space(struct space *s)
{
	struct space *child = space_create();

	T_EQ(vm_map_fork(&s->map, &child->map), KERN_SUCCESS);
	T_EQ(child->map.size, s->map.size);
	return (child);
}

static void
anon(struct space *s, vm_pindex_t at, vm_pindex_t n)
{
	space_map(s, VA + ptoa(at), ptoa(n), NULL, 0, RW, VM_PROT_ALL, 0);
}

static vm_map_entry_t
entry_at(struct space *s, vm_offset_t va)
{
	vm_map_entry_t e;

	vm_map_lock_read(&s->map);
	e = vm_map_lookup_entry(&s->map, va);
	vm_map_unlock_read(&s->map);
	T_OK(e != NULL);
	return (e);
}

static int
depth(struct space *s, vm_offset_t va)
{
	int n = 0;

	for (vm_object_t o = entry_at(s, va)->object; o != NULL; o = o->backing_object)
		n++;
	return (n);
}

static vm_page_t
frame(struct space *s, vm_offset_t va)
{
	vm_page_t m = NULL;

	T_OK(fake_pte(&s->pmap, va, &m, NULL, NULL));
	return (m);
}

static int
file_getpage(void *handle __unused, vm_page_t m)
{
	uint64_t *word = pmap_page_kva(m);

	for (size_t i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		word[i] = 1000 * m->pindex + i;
	return (0);
}

/* --- who sees what ---------------------------------------------------------------------------- */

static void
test_private_writes_are_not_seen(void)
{
	struct space *parent = space_create(), *child;

	anon(parent, 0, 4);
	for (int i = 0; i < 3; i++)
		space_write(parent, VA + ptoa(i), 10 + i);
	child = fork_space(parent);
	for (int i = 0; i < 3; i++)
		T_EQ(space_read(child, VA + ptoa(i)), 10 + i);
	T_OK(frame(child, VA) == frame(parent, VA)); /* nothing is copied yet */
	space_write(child, VA, 20);
	space_write(parent, VA + ptoa(1), 31);
	T_EQ(space_read(parent, VA), 10);
	T_EQ(space_read(child, VA), 20);
	T_EQ(space_read(child, VA + ptoa(1)), 11);
	T_EQ(space_read(parent, VA + ptoa(1)), 31);
	/* Never written before the fork: each its own. */
	space_write(child, VA + ptoa(3), 23);
	T_EQ(space_read(parent, VA + ptoa(3)), 0);
	space_destroy(parent);
	T_EQ(space_read(child, VA), 20);
	T_EQ(space_read(child, VA + ptoa(1)), 11);
	T_EQ(space_read(child, VA + ptoa(2)), 12);
	space_destroy(child);
}

static void
test_untouched_memory_is_each_ones_own(void)
{
	struct space *parent = space_create(), *child;

	anon(parent, 0, 2);
	child = fork_space(parent);
	T_OK(entry_at(child, VA)->object == NULL);
	space_write(parent, VA, 1);
	T_EQ(space_read(child, VA), 0);
	space_write(child, VA, 2);
	T_EQ(space_read(parent, VA), 1);
	space_destroy(parent);
	space_destroy(child);
}

static void
test_shared_writes_are_seen(void)
{
	struct space *parent = space_create(), *child;

	space_map(parent, VA, ptoa(2), vm_object_allocate(OBJT_ANON, 2), 0, RW, RW,
		  MAP_ENTRY_SHARED);
	space_write(parent, VA, 1);
	child = fork_space(parent);
	space_write(child, VA, 2);
	space_write(child, VA + ptoa(1), 3);
	T_EQ(space_read(parent, VA), 2);
	T_EQ(space_read(parent, VA + ptoa(1)), 3);
	space_destroy(parent);
	T_EQ(space_read(child, VA + ptoa(1)), 3);
	space_destroy(child);
}

static void
test_private_file_mapping(void)
{
	struct space *parent = space_create(), *child;
	vm_object_t object = vnode_pager_allocate(&depth, 4, file_getpage);

	vm_object_reference(object);
	space_map(parent, VA, ptoa(4), object, 0, RW, VM_PROT_ALL, COW);
	space_write(parent, VA, 5);
	child = fork_space(parent);
	space_write(child, VA, 6);
	space_write(child, VA + ptoa(2), 7);
	T_EQ(space_read(parent, VA), 5);
	T_EQ(space_read(parent, VA + ptoa(2)), 2000);
	T_EQ(space_read(child, VA + ptoa(1)), 1000);
	T_EQ(space_read(child, VA), 6);
	space_destroy(child);
	T_EQ(depth(parent, VA), 2);
	space_destroy(parent);
	vm_object_deallocate(object);
}

/* A mapping of an object that is not private, as of a device, is the same one for both. */
static void
test_other_objects_are_shared(void)
{
	struct space *parent = space_create(), *child;
	vm_object_t object = phys_pager_allocate(2);

	space_map(parent, VA, ptoa(2), object, 0, RW, RW, 0);
	child = fork_space(parent);
	T_OK(entry_at(child, VA)->object == object);
	T_EQ(object->ref_count, 2);
	space_write(child, VA, 9);
	T_EQ(space_read(parent, VA), 9);
	space_destroy(parent);
	space_destroy(child);
}

static int names;
static void
name_ref(void *vp __unused)
{
	names++;
}
static void
name_rele(void *vp __unused)
{
	names--;
}

static void
test_entries_are_the_same(void)
{
	struct space *parent = space_create(), *child = space_create();
	struct vm_map_req req = {
	    .prot = R, .max_prot = RW, .eflags = MAP_ENTRY_HEAP, .name_vp = &names};
	vm_map_entry_t e;

	parent->map.name_ref = child->map.name_ref = name_ref;
	parent->map.name_rele = child->map.name_rele = name_rele;
	parent->map.top = VA;
	T_EQ(vm_map_insert(&parent->map, VA, ptoa(3), &req), KERN_SUCCESS);
	T_EQ(vm_map_fork(&parent->map, &child->map), KERN_SUCCESS);
	e = entry_at(child, VA + ptoa(2));
	T_EQ(e->start, VA);
	T_EQ(e->end, VA + ptoa(3));
	T_EQ(e->protection, R);
	T_EQ(e->max_protection, RW);
	T_EQ(e->eflags, MAP_ENTRY_HEAP);
	T_OK(e->name_vp == &names);
	T_EQ(names, 2);
	T_EQ(child->map.top, VA);
	T_EQ(fake_touch(&child->map, VA, RW, NULL), KERN_PROTECTION_FAILURE);
	space_destroy(parent);
	space_destroy(child);
	T_EQ(names, 0);
}

/* What a parent maps read-only may be made writable later: the copy is due then. */
static void
test_made_writable_later(void)
{
	struct space *parent = space_create(), *child;

	anon(parent, 0, 1);
	space_write(parent, VA, 1);
	T_EQ(vm_map_protect(&parent->map, VA, VA + ptoa(1), R), KERN_SUCCESS);
	child = fork_space(parent);
	T_EQ(vm_map_protect(&parent->map, VA, VA + ptoa(1), RW), KERN_SUCCESS);
	T_EQ(vm_map_protect(&child->map, VA, VA + ptoa(1), RW), KERN_SUCCESS);
	space_write(parent, VA, 2);
	T_EQ(space_read(child, VA), 1);
	space_write(child, VA, 3);
	T_EQ(space_read(parent, VA), 2);
	space_destroy(parent);
	space_destroy(child);
}

/* --- wired memory ----------------------------------------------------------------------------- */

static void
test_wired_pages_stay_the_parents(void)
{
	struct space *parent = space_create(), *child;
	vm_page_t m;
	vm_prot_t prot;
	bool wired;

	anon(parent, 0, 2);
	space_write(parent, VA, 1);
	T_EQ(vm_map_wire(&parent->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	m = frame(parent, VA);
	child = fork_space(parent);
	T_EQ(entry_at(child, VA)->wired_count, 0); /* mlock is not inherited */
	T_OK(fake_pte(&parent->pmap, VA, NULL, NULL, &wired) && wired);
	T_EQ(space_read(child, VA), 1);
	T_OK(fake_pte(&child->pmap, VA, NULL, NULL, &wired) && !wired);
	/* The parent's copy is wired from the moment that there is one, and nothing else is. */
	space_write(parent, VA, 2);
	T_OK(fake_pte(&parent->pmap, VA, NULL, &prot, &wired) && wired && prot == RW);
	T_OK(frame(parent, VA) != m);
	T_EQ(frame(parent, VA)->wire_count, 1);
	T_EQ(m->wire_count, 0);
	T_EQ(space_read(child, VA), 1);
	/* The other page is wired where the child sees it, too; who writes there takes nothing
	 * away. */
	space_write(child, VA + ptoa(1), 3);
	T_EQ(space_read(parent, VA + ptoa(1)), 0);
	T_EQ(frame(parent, VA + ptoa(1))->wire_count, 1);
	T_EQ(frame(child, VA + ptoa(1))->wire_count, 0);
	T_EQ(vm_cnt.v_wire_count, 2);
	space_destroy(child);
	T_EQ(vm_cnt.v_wire_count, 2);
	T_EQ(depth(parent, VA), 1); /* the wired page moved */
	T_EQ(vm_map_unwire(&parent->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 0);
	space_destroy(parent);
}

static void
test_wired_parent_ends_first(void)
{
	struct space *parent = space_create(), *child;

	anon(parent, 0, 3);
	T_EQ(vm_map_wire(&parent->map, VA, VA + ptoa(3)), KERN_SUCCESS);
	space_write(parent, VA, 1);
	child = fork_space(parent);
	space_write(parent, VA + ptoa(1), 5);
	space_write(child, VA + ptoa(2), 6);
	T_EQ(vm_cnt.v_wire_count, 3);
	space_destroy(parent);
	T_EQ(vm_cnt.v_wire_count, 0);
	T_EQ(space_read(child, VA), 1);
	T_EQ(space_read(child, VA + ptoa(1)), 0);
	space_destroy(child);
}

static void
test_wired_private_file(void)
{
	struct space *parent = space_create(), *child;
	vm_object_t object = vnode_pager_allocate(&depth, 4, file_getpage);

	space_map(parent, VA, ptoa(3), object, ptoa(1), R, VM_PROT_ALL, COW);
	T_EQ(vm_map_wire(&parent->map, VA, VA + ptoa(3)), KERN_SUCCESS);
	child = fork_space(parent);
	for (int i = 0; i < 3; i++)
		T_EQ(space_read(child, VA + ptoa(i)), 1000 * (i + 1));
	space_destroy(parent);
	T_EQ(space_read(child, VA + ptoa(2)), 3000);
	space_destroy(child);
}

static void
test_wired_shared(void)
{
	struct space *parent = space_create(), *child;
	bool wired;

	space_map(parent, VA, ptoa(1), vm_object_allocate(OBJT_ANON, 1), 0, RW, RW,
		  MAP_ENTRY_SHARED);
	T_EQ(vm_map_wire(&parent->map, VA, VA + ptoa(1)), KERN_SUCCESS);
	child = fork_space(parent);
	space_write(child, VA, 4);
	T_EQ(space_read(parent, VA), 4);
	T_OK(fake_pte(&child->pmap, VA, NULL, NULL, &wired) && !wired);
	space_destroy(child);
	T_OK(fake_pte(&parent->pmap, VA, NULL, NULL, &wired) && wired);
	space_destroy(parent);
}

/* --- chains ----------------------------------------------------------------------------------- */

static void
test_the_last_owner_does_not_copy(void)
{
	struct space *parent = space_create(), *child;
	uint64_t copies, objects;
	vm_page_t m;

	anon(parent, 0, 2);
	space_write(parent, VA, 1);
	m = frame(parent, VA);
	child = fork_space(parent);
	T_EQ(space_read(child, VA), 1);
	space_destroy(child);
	copies = vm_cnt.v_cow_faults;
	objects = vm_cnt.v_objects;
	space_write(parent, VA, 2);
	T_OK(frame(parent, VA) == m);
	T_EQ(vm_cnt.v_cow_faults, copies);
	T_EQ(vm_cnt.v_objects, objects);
	/* And pages go with their range again. */
	space_write(parent, VA + ptoa(1), 3);
	space_unmap(parent, VA + ptoa(1), ptoa(1));
	T_EQ(entry_at(parent, VA)->object->resident_page_count, 1);
	space_destroy(parent);
}

static void
test_collapse_when_the_child_ends(void)
{
	struct space *parent = space_create(), *child;
	vm_page_t m;

	anon(parent, 0, 8);
	for (int i = 0; i < 8; i++)
		space_write(parent, VA + ptoa(i), i);
	m = frame(parent, VA + ptoa(5));
	child = fork_space(parent);
	space_write(parent, VA + ptoa(2), 22);
	T_EQ(depth(parent, VA), 2);
	space_destroy(child);
	T_EQ(depth(parent, VA), 1);
	T_EQ(entry_at(parent, VA)->object->resident_page_count, 8);
	T_EQ(vm_page_queue_count(PQ_ACTIVE), 8);
	T_OK(frame(parent, VA + ptoa(5)) == m); /* moved with its mapping */
	for (int i = 0; i < 8; i++)
		T_EQ(space_read(parent, VA + ptoa(i)), i == 2 ? 22 : i);
	space_write(parent, VA + ptoa(5), 55);
	T_OK(frame(parent, VA + ptoa(5)) == m);
	space_destroy(parent);
}

/* The child has copies of all that it shares, and looks past it at its next fork: the parent, who is
 * alone in front of it then, takes it over. */
static void
test_collapse_when_the_child_looks_past(void)
{
	struct space *parent = space_create(), *child, *grandchild;

	anon(parent, 0, 2);
	space_write(parent, VA, 1);
	space_write(parent, VA + ptoa(1), 2);
	child = fork_space(parent);
	space_write(parent, VA, 11);
	space_write(child, VA, 21);
	space_write(child, VA + ptoa(1), 22);
	T_EQ(depth(parent, VA), 2);
	grandchild = fork_space(child);
	T_EQ(depth(child, VA), 1);
	T_EQ(depth(parent, VA), 1);
	T_EQ(entry_at(parent, VA)->object->resident_page_count, 2);
	T_EQ(vm_page_queue_count(PQ_ACTIVE), 4);
	T_EQ(space_read(parent, VA), 11);
	T_EQ(space_read(parent, VA + ptoa(1)), 2);
	T_EQ(space_read(grandchild, VA), 21);
	space_destroy(child);
	space_destroy(grandchild);
	space_destroy(parent);
}

/* The child goes on, the parent ends: a thousand times. */
static void
test_a_thousand_generations(void)
{
	struct space *s = space_create(), *child;
	uint64_t objects = 0, active = 0, kmem = 0;

	anon(s, 0, 16);
	for (int i = 0; i < 16; i++)
		space_write(s, VA + ptoa(i), i);
	for (int gen = 0; gen < 1000; gen++) {
		child = fork_space(s);
		space_write(child, VA + ptoa(gen % 16), gen);
		if (gen % 3 == 0)
			space_write(s, VA + ptoa((gen + 7) % 16), ~0ul);
		space_destroy(s);
		s = child;
		T_OK(depth(s, VA) <= 2);
		if (gen == 50) {
			objects = vm_cnt.v_objects;
			active = vm_page_queue_count(PQ_ACTIVE);
			kmem = fake_kmem_live;
		}
	}
	T_EQ(vm_cnt.v_objects, objects);
	T_EQ(vm_page_queue_count(PQ_ACTIVE), active);
	T_OK(fake_kmem_live <= kmem + 2);
	for (int i = 0; i < 16; i++)
		T_EQ(space_read(s, VA + ptoa(i)), i < 8 ? 992 + i : 976 + i);
	space_destroy(s);
}

/* The parent goes on, each child ends; the memory is split into entries that share an object. */
static void
test_a_thousand_children_of_split_memory(void)
{
	struct space *s = space_create(), *child;
	uint64_t active = 0;

	anon(s, 0, 12);
	for (int i = 0; i < 12; i++)
		space_write(s, VA + ptoa(i), i);
	space_unmap(s, VA + ptoa(5), ptoa(1));
	T_EQ(vm_map_protect(&s->map, VA + ptoa(8), VA + ptoa(9), R), KERN_SUCCESS);
	for (int i = 0; i < 1000; i++) {
		child = fork_space(s);
		if (i % 2 == 0)
			space_write(child, VA + ptoa(10), i);
		space_write(s, VA + ptoa(i % 5), i);
		space_destroy(child);
		T_OK(depth(s, VA) <= 2 && depth(s, VA + ptoa(6)) <= 2);
		if (i == 100)
			active = vm_page_queue_count(PQ_ACTIVE);
	}
	T_OK(vm_page_queue_count(PQ_ACTIVE) <= active && active <= 24);
	T_EQ(space_read(s, VA + ptoa(10)), 10);
	T_EQ(space_read(s, VA + ptoa(8)), 8);
	T_EQ(space_read(s, VA + ptoa(4)), 999);
	space_destroy(s);
}

/* All live, each the child of the one before, and each writes the same page: what hides is
 * bypassed. */
static void
test_a_long_line_of_living_processes(void)
{
	struct space *s[40];

	s[0] = space_create();
	anon(s[0], 0, 4);
	for (int i = 0; i < 4; i++)
		space_write(s[0], VA + ptoa(i), i);
	for (size_t i = 1; i < nitems(s); i++) {
		s[i] = fork_space(s[i - 1]);
		space_write(s[i], VA + ptoa(1), 100 + i);
		T_OK(depth(s[i], VA) <= 3);
	}
	for (size_t i = 1; i < nitems(s); i++) {
		T_EQ(space_read(s[i], VA + ptoa(1)), 100 + i);
		T_EQ(space_read(s[i], VA + ptoa(2)), 2);
	}
	/* From the top: each end lets what is below take over. */
	for (size_t i = 0; i < nitems(s); i++) {
		space_destroy(s[i]);
		if (i + 1 < nitems(s))
			T_EQ(space_read(s[i + 1], VA + ptoa(1)), 101 + i);
	}
}

/* A chain that long, and all in front of it ends at once: no recursion, and all is let go. */
static void
test_a_long_chain_is_let_go(void)
{
	struct space *s[40];

	s[0] = space_create();
	anon(s[0], 0, 64);
	space_write(s[0], VA, 1);
	for (size_t i = 1; i < nitems(s); i++) {
		s[i] = fork_space(s[i - 1]);
		space_write(s[i], VA + ptoa(i), i); /* each another page: nothing to bypass */
	}
	T_OK(depth(s[39], VA) >= 38);
	for (size_t i = 1; i + 1 < nitems(s); i++)
		space_destroy(s[i]);
	T_OK(depth(s[39], VA) <= 2);
	for (size_t i = 1; i < nitems(s); i++)
		T_EQ(space_read(s[39], VA + ptoa(i)), i);
	space_destroy(s[0]);
	T_EQ(depth(s[39], VA), 1);
	space_destroy(s[39]);
}

/* --- MADV_DONTNEED ---------------------------------------------------------------------------- */

static void
test_dontneed_after_a_fork(void)
{
	struct space *parent = space_create(), *child;
	vm_object_t object = vnode_pager_allocate(&depth, 6, file_getpage);

	anon(parent, 0, 4);
	space_map(parent, VA + ptoa(8), ptoa(4), object, ptoa(2), RW, VM_PROT_ALL, COW);
	for (int i = 0; i < 4; i++) {
		space_write(parent, VA + ptoa(i), 1 + i);
		space_write(parent, VA + ptoa(8 + i), 1 + i);
	}
	child = fork_space(parent);
	space_write(child, VA + ptoa(2), 30); /* a shadow, in front of the parent's page */
	T_EQ(vm_map_dontneed(&child->map, VA + ptoa(1), VA + ptoa(3)), KERN_SUCCESS);
	T_EQ(vm_map_dontneed(&parent->map, VA + ptoa(9), VA + ptoa(11)), KERN_SUCCESS);
	T_EQ(space_read(child, VA), 1);
	T_EQ(space_read(child, VA + ptoa(1)), 0);
	T_EQ(space_read(child, VA + ptoa(2)), 0);
	T_EQ(space_read(child, VA + ptoa(3)), 4);
	T_EQ(space_read(parent, VA + ptoa(1)), 2);
	T_EQ(space_read(parent, VA + ptoa(2)), 3);
	T_EQ(space_read(parent, VA + ptoa(8)), 1);
	T_EQ(space_read(parent, VA + ptoa(9)), 3000);
	T_EQ(space_read(parent, VA + ptoa(10)), 4000);
	T_EQ(space_read(child, VA + ptoa(9)), 2);
	space_write(parent, VA + ptoa(9), 77);
	T_EQ(space_read(child, VA + ptoa(9)), 2);
	T_EQ(object->resident_page_count, 4); /* and the file is as it was */
	space_destroy(parent);
	space_destroy(child);
}

/* --- memory is short -------------------------------------------------------------------------- */

static void
test_no_memory_half_way(void)
{
	struct space *parent = space_create(), *child = space_create();
	uint64_t n, kmem, objects;
	int rv = KERN_RESOURCE_SHORTAGE;

	for (int i = 0; i < 6; i++) {
		space_map(parent, VA + ptoa(4 * i), ptoa(2), NULL, 0, RW, VM_PROT_ALL, 0);
		if (i != 3)
			space_write(parent, VA + ptoa(4 * i), i);
	}
	space_map(parent, VA + ptoa(40), ptoa(1), vm_object_allocate(OBJT_ANON, 1), 0, RW, RW,
		  MAP_ENTRY_SHARED);
	T_EQ(space_read(parent, VA + ptoa(40)), 0);
	T_EQ(vm_map_wire(&parent->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	for (n = 1; rv != KERN_SUCCESS; n++) {
		T_OK(n < 100);
		kmem = fake_kmem_live;
		objects = vm_cnt.v_objects;
		fake_kmem_fail(n);
		rv = vm_map_fork(&parent->map, &child->map);
		fake_kmem_fail(0);
		if (rv == KERN_SUCCESS)
			break;
		T_EQ(rv, KERN_RESOURCE_SHORTAGE);
		T_EQ(child->map.nentries, 0);
		T_EQ(child->map.size, 0);
		T_EQ(fake_kmem_live, kmem);
		T_EQ(vm_cnt.v_objects, objects);
		for (int i = 0; i < 6; i++)
			if (i != 3)
				T_EQ(space_read(parent, VA + ptoa(4 * i)), i);
	}
	T_OK(n > 7);
	for (int i = 0; i < 6; i++)
		T_EQ(space_read(child, VA + ptoa(4 * i)), i == 3 ? 0 : i);
	space_destroy(child);
	space_write(parent, VA + ptoa(4), 44);
	T_EQ(space_read(parent, VA + ptoa(4)), 44);
	space_destroy(parent);
}

/* A collapse that finds no memory stops half way: everything is seen as before. */
static void
test_collapse_without_memory(void)
{
	for (uint64_t n = 1; n < 4; n++) {
		struct space *parent = space_create(), *child;

		anon(parent, 0, 300);
		for (int i = 0; i < 300; i += 10)
			space_write(parent, VA + ptoa(i), 1 + i);
		child = fork_space(parent);
		space_write(parent, VA, 5);
		fake_kmem_fail(n);
		space_destroy(child);
		T_OK(fake_kmem_failed());
		fake_kmem_fail(0);
		T_EQ(depth(parent, VA), 2);
		for (int i = 10; i < 300; i += 10)
			T_EQ(space_read(parent, VA + ptoa(i)), 1 + i);
		child = fork_space(parent); /* the next fork does what was left undone */
		T_EQ(depth(parent, VA), 1);
		for (int i = 10; i < 300; i += 10)
			T_EQ(space_read(child, VA + ptoa(i)), 1 + i);
		space_destroy(child);
		space_destroy(parent);
	}
}

/* --- the model -------------------------------------------------------------------------------- */

#define NSPACES 12
#define NPAGES  24

struct model {
	struct space *s;
	bool mapped[NPAGES];
	uint64_t value[NPAGES];
};

static void
model_check(struct model *m, vm_pindex_t i)
{
	if (m->mapped[i])
		T_EQ(space_read(m->s, VA + ptoa(i)), m->value[i]);
	else
		T_EQ(fake_touch(&m->s->map, VA + ptoa(i), R, NULL), KERN_INVALID_ADDRESS);
}

static void
model_unmap(struct model *m, vm_pindex_t i, vm_pindex_t n, bool again)
{
	space_unmap(m->s, VA + ptoa(i), ptoa(n));
	if (again)
		anon(m->s, i, n);
	for (; n > 0; n--, i++) {
		m->mapped[i] = again;
		m->value[i] = 0;
	}
}

static void
model_dontneed(struct model *m, vm_pindex_t i, vm_pindex_t n)
{
	int rv = vm_map_dontneed(&m->s->map, VA + ptoa(i), VA + ptoa(i + n));

	for (; rv == KERN_SUCCESS && n > 0; n--, i++)
		m->value[i] = 0;
	for (; rv != KERN_SUCCESS && n > 0;
	     n--, i++) /* stopped at something; what is before is done */
		if (m->mapped[i])
			m->value[i] = space_read(m->s, VA + ptoa(i));
}

static void
model_fork(struct model *from, struct model *to)
{
	*to = *from;
	to->s = fork_space(from->s);
}

static void
model_end(struct model *m)
{
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		model_check(m, i);
	space_destroy(m->s);
	m->s = NULL;
}

static void
model_step(struct model *m, struct rng *rng)
{
	vm_pindex_t i = rng_below(rng, NPAGES), n = 1 + rng_below(rng, MIN(NPAGES - i, 5ul));
	vm_offset_t va = VA + ptoa(i);

	switch (rng_below(rng, 20)) {
	case 0:
		model_unmap(m, i, n, rng_below(rng, 4) != 0);
		break;
	case 1:
		model_dontneed(m, i, n);
		break;
	case 2:
		vm_map_protect(&m->s->map, va, va + ptoa(n), R);
		vm_map_protect(&m->s->map, va, va + ptoa(n), RW);
		break;
	case 3:
		if (vm_map_wire(&m->s->map, va, va + ptoa(n)) == KERN_SUCCESS &&
		    rng_below(rng, 2) == 0)
			T_EQ(vm_map_unwire(&m->s->map, va, va + ptoa(n)), KERN_SUCCESS);
		break;
	default:
		if (m->mapped[i] && rng_below(rng, 2) == 0)
			space_write(m->s, va, m->value[i] = rng_next(rng));
		model_check(m, i);
	}
}

static void
model_start(struct model *m)
{
	*m = (struct model){.s = space_create()};
	anon(m->s, 0, NPAGES);
	for (int i = 0; i < NPAGES; i++)
		m->mapped[i] = true;
}

static void
test_model(void)
{
	static struct model models[NSPACES];

	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct rng rng = {seed};

		model_start(&models[0]);
		for (int step = 0; step < 6000; step++) {
			struct model *m = &models[rng_below(&rng, NSPACES)];
			struct model *other = &models[rng_below(&rng, NSPACES)];

			if (m->s != NULL && other->s == NULL && rng_below(&rng, 6) == 0)
				model_fork(m, other);
			else if (m->s != NULL && other->s != NULL && m != other &&
				 rng_below(&rng, 40) == 0)
				model_end(m);
			else if (m->s != NULL)
				model_step(m, &rng);
		}
		for (int i = 0; i < NSPACES; i++)
			if (models[i].s != NULL)
				model_end(&models[i]);
		T_EQ(vm_cnt.v_objects, 0);
		T_EQ(vm_page_queue_count(PQ_ACTIVE), 0);
	}
}

/* The same by threads that are preempted at any lock: a line of descent each, from one ancestor. */
static struct model ancestors[4];

static void
lineage(void *arg)
{
	struct model now = ancestors[(uintptr_t)arg], child;
	struct rng rng = {77 + (uintptr_t)arg};

	for (int gen = 0; gen < 60; gen++) {
		for (int i = 0; i < 20; i++)
			model_step(&now, &rng);
		model_fork(&now, &child);
		for (int i = 0; i < 10; i++) {
			model_step(&now, &rng);
			model_step(&child, &rng);
		}
		if (rng_below(&rng, 2) == 0) {
			struct model t = now;

			now = child;
			child = t;
		}
		model_end(&child);
	}
	model_end(&now);
}

static void
test_lineages_preempted(void)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct thread *td[nitems(ancestors)];
		struct rng rng = {seed};

		model_start(&ancestors[0]);
		for (int i = 0; i < 100; i++)
			model_step(&ancestors[0], &rng);
		for (size_t i = 1; i < nitems(ancestors); i++)
			model_fork(&ancestors[i - 1], &ancestors[i]);
		fake_preempt(seed, 150);
		for (size_t i = 0; i < nitems(ancestors); i++)
			td[i] = fake_spawn("lineage", lineage, (void *)i);
		for (size_t i = 0; i < nitems(ancestors); i++)
			fake_join(td[i]);
		fake_preempt(0, 0);
		T_EQ(vm_cnt.v_objects, 0);
	}
}

/* Threads of one address space write while another forks: a child's memory does not move after
 * that. */
static struct space *shared_space;
static bool writers_stop;

static void
writer(void *arg)
{
	vm_offset_t va = VA + ptoa((uintptr_t)arg);

	for (uint64_t i = 1; !writers_stop; i++) {
		space_write(shared_space, va, i);
		T_EQ(space_read(shared_space, va), i);
		fake_yield();
	}
}

static void
test_fork_while_threads_write(void)
{
	struct thread *td[3];

	shared_space = space_create();
	writers_stop = false;
	anon(shared_space, 0, nitems(td));
	fake_preempt(5, 200);
	for (size_t i = 0; i < nitems(td); i++)
		td[i] = fake_spawn("writer", writer, (void *)i);
	for (int n = 0; n < 150; n++) {
		struct space *child = fork_space(shared_space);
		uint64_t before[nitems(td)];

		for (size_t i = 0; i < nitems(td); i++)
			before[i] = space_read(child, VA + ptoa(i));
		fake_yield();
		for (size_t i = 0; i < nitems(td); i++) {
			T_EQ(space_read(child, VA + ptoa(i)), before[i]);
			space_write(child, VA + ptoa(i), ~0ul);
		}
		fake_yield();
		space_destroy(child);
	}
	writers_stop = true;
	for (size_t i = 0; i < nitems(td); i++)
		fake_join(td[i]);
	fake_preempt(0, 0);
	space_destroy(shared_space);
}

/* Forking again and again costs the same: no chain is walked that grows. */
static void
test_cost_is_constant(void)
{
	struct space *s = space_create();
	uint64_t first = 0, steps;

	anon(s, 0, 32);
	for (int i = 0; i < 32; i++)
		space_write(s, VA + ptoa(i), i);
	for (int i = 0; i < 300; i++) {
		struct space *child;

		steps = fake_steps;
		child = fork_space(s);
		space_write(child, VA, i);
		space_write(s, VA + ptoa(1), i);
		space_destroy(child);
		steps = fake_steps - steps;
		if (i == 10)
			first = steps;
		if (i > 10)
			T_OK(steps <= first + first / 4);
	}
	space_destroy(s);
}

static const struct host_test tests[] = {
    TEST(test_private_writes_are_not_seen),
    TEST(test_untouched_memory_is_each_ones_own),
    TEST(test_shared_writes_are_seen),
    TEST(test_private_file_mapping),
    TEST(test_other_objects_are_shared),
    TEST(test_entries_are_the_same),
    TEST(test_made_writable_later),
    TEST(test_wired_pages_stay_the_parents),
    TEST(test_wired_parent_ends_first),
    TEST(test_wired_private_file),
    TEST(test_wired_shared),
    TEST(test_the_last_owner_does_not_copy),
    TEST(test_collapse_when_the_child_ends),
    TEST(test_collapse_when_the_child_looks_past),
    TEST(test_a_thousand_generations),
    TEST(test_a_thousand_children_of_split_memory),
    TEST(test_a_long_line_of_living_processes),
    TEST(test_a_long_chain_is_let_go),
    TEST(test_dontneed_after_a_fork),
    TEST(test_no_memory_half_way),
    TEST(test_collapse_without_memory),
    TEST(test_model),
    TEST(test_lineages_preempted),
    TEST(test_fork_while_threads_write),
    TEST(test_cost_is_constant),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "fork", tests, nitems(tests), FRAMES));
}

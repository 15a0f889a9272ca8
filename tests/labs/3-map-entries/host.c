/*
 * Lab 3: entries of a map, found, split and merged (kernel/vm/vm_map.c, vm_map_tree.c).
 */
#include "harness.h"

#define FRAMES 512
#define BASE   0x100000ul

/* --- what the tests share --------------------------------------------------------------------- */

static struct vm_map map;
static struct pmap pmap;
static vm_object_t objects[2];
static int names; /* references to files' names */

static void
name_ref(void *vp)
{
	(void)vp;
	names++;
}

static void
name_rele(void *vp)
{
	(void)vp;
	names--;
}

static void
setup(void)
{
	T_EQ(pmap_pinit(&pmap), 0);
	vm_map_init(&map, &pmap, BASE, BASE + ptoa(4096));
	map.name_ref = name_ref;
	map.name_rele = name_rele;
	for (int i = 0; i < 2; i++)
		T_OK((objects[i] = vm_object_allocate(OBJT_ANON, 4096)) != NULL);
}

static void
teardown(void)
{
	vm_map_destroy(&map);
	pmap_release(&pmap);
	T_EQ(names, 0);
	for (int i = 0; i < 2; i++) {
		T_EQ(objects[i]->ref_count, 1);
		vm_object_deallocate(objects[i]);
	}
}

static vm_offset_t
page(size_t i)
{
	return (BASE + ptoa(i));
}

/* Map n pages from page i on; an object's reference and a name's are the map's. */
static void
map_req(size_t i, size_t n, const struct vm_map_req *req)
{
	if (req->object != NULL)
		vm_object_reference(req->object);
	T_EQ(vm_map_insert(&map, page(i), ptoa(n), req), KERN_SUCCESS);
}

static void
map_pages(size_t i, size_t n, vm_object_t object, size_t first)
{
	struct vm_map_req req = {
	    .object = object, .offset = ptoa(first), .prot = RW, .max_prot = VM_PROT_ALL};

	map_req(i, n, &req);
}

/* Entry number i of the map, from the lowest. */
static vm_map_entry_t
entry(size_t i)
{
	vm_map_entry_t e = map.header.next;

	for (; i > 0 && e != &map.header; i--)
		e = e->next;
	T_OK(e != &map.header);
	return (e);
}

static void
expect_entry(size_t i, size_t first, size_t n, vm_prot_t prot)
{
	vm_map_entry_t e = entry(i);

	if (e->start != page(first) || e->end != page(first + n))
		T_FAIL("entry %zu is [%#lx, %#lx), should be [%#lx, %#lx)", i, e->start, e->end,
		       page(first), page(first + n));
	T_EQ(e->protection, prot);
	T_OK(e->next->prev == e && e->prev->next == e);
}

static void
expect_entries(uint32_t n, const char *when)
{
	if (map.nentries != n)
		T_FAIL("%s: %u entries, should be %u", when, map.nentries, n);
}

/* --- lookup ----------------------------------------------------------------------------------- */

#define MANY 1000ul

static void
expect_le(vm_offset_t addr, vm_map_entry_t want)
{
	vm_map_entry_t e = vm_map_tree_le(&map, addr);

	if (e != want)
		T_FAIL("at %#lx the entry [%#lx, %#lx) is found, should be [%#lx, %#lx)", addr,
		       e->start, e->end, want->start, want->end);
}

/* One page mapped, one not, and so on. */
static void
lookup_in_log_n(void)
{
	uint64_t steps;
	vm_map_entry_t e;

	setup();
	for (size_t i = 0; i < MANY; i++) /* in no order */
		map_pages(2 + 2 * (i * 387 % MANY), 1, objects[0], 4 * (i * 387 % MANY));
	steps = fake_steps;
	expect_le(page(0), &map.header);
	expect_le(page(2) - 1, &map.header);
	VM_MAP_ENTRY_FOREACH (e, &map) {
		expect_le(e->start, e);
		expect_le(e->end - 1, e);
		expect_le(e->end, e);
		expect_le(e->end + PAGE_SIZE - 1, e);
	}
	steps = (fake_steps - steps) / (4 * MANY);
	if (steps > 60)
		T_FAIL("a lookup takes %lu basic blocks among %lu entries", steps, MANY);
	teardown();
}

/* --- clip ------------------------------------------------------------------------------------- */

static void
clip_in_the_middle(void)
{
	setup();
	map_pages(10, 9, NULL, 0);
	T_EQ(vm_map_protect(&map, page(13), page(15), R), KERN_SUCCESS);
	expect_entries(3, "new rights in the middle");
	expect_entry(0, 10, 3, RW);
	expect_entry(1, 13, 2, R);
	expect_entry(2, 15, 4, RW);
	T_EQ(vm_map_protect(&map, page(10), page(11), R), KERN_SUCCESS);
	expect_entries(4, "new rights at the beginning");
	expect_entry(0, 10, 1, R);
	expect_entry(1, 11, 2, RW);
	T_EQ(vm_map_protect(&map, page(18), page(19), R), KERN_SUCCESS);
	expect_entries(5, "new rights at the end");
	expect_entry(3, 15, 3, RW);
	expect_entry(4, 18, 1, R);
	vm_map_lock(&map); /* in the tree as well as in the list */
	for (size_t i = 0; i < 5; i++) {
		T_OK(vm_map_lookup_entry(&map, entry(i)->start) == entry(i));
		T_OK(vm_map_lookup_entry(&map, entry(i)->end - 1) == entry(i));
	}
	vm_map_unlock(&map);
	teardown();
}

static void
clip_keeps_offsets_and_references(void)
{
	struct vm_map_req req = {.object = objects[0],
				 .offset = ptoa(7),
				 .prot = RW,
				 .max_prot = VM_PROT_ALL,
				 .name_vp = &names};

	setup();
	req.object = objects[0];
	map_req(0, 10, &req);
	T_EQ(objects[0]->ref_count, 2);
	T_EQ(vm_map_remove(&map, page(4), page(6)), KERN_SUCCESS);
	expect_entries(2, "a hole in the middle");
	expect_entry(0, 0, 4, RW);
	expect_entry(1, 6, 4, RW);
	T_EQ(entry(0)->offset, ptoa(7));
	T_EQ(entry(1)->offset, ptoa(7 + 6));
	T_EQ(objects[0]->ref_count, 3);
	T_EQ(names, 2);
	map_pages(20, 4, NULL, 0); /* anonymous, untouched: there is nothing to have an offset in */
	T_EQ(vm_map_protect(&map, page(22), page(24), R), KERN_SUCCESS);
	T_EQ(entry(3)->offset, 0);
	teardown();
}

static void
clip_both_or_neither(void)
{
	uint64_t live;

	setup();
	map_pages(0, 10, objects[0], 0);
	live = fake_kmem_live;
	for (uint64_t nth = 1; nth <= 2; nth++) {
		fake_kmem_fail(nth);
		T_EQ(vm_map_protect(&map, page(3), page(6), R), KERN_RESOURCE_SHORTAGE);
		if (!fake_kmem_failed())
			T_FAIL("a shortage, though allocation %lu did not fail", nth);
		fake_kmem_fail(0);
		expect_entries(1, "no memory for both");
		expect_entry(0, 0, 10, RW);
		T_EQ(fake_kmem_live, live);
		T_EQ(objects[0]->ref_count, 2);
	}
	T_EQ(vm_map_protect(&map, page(3), page(6), R), KERN_SUCCESS);
	expect_entries(3, "memory for both");
	teardown();
}

/* --- merge ------------------------------------------------------------------------------------ */

static void
merge_closes_a_gap(void)
{
	setup();
	map_pages(1, 1, NULL, 0);
	map_pages(3, 1, NULL, 0);
	map_pages(2, 1, NULL, 0);
	expect_entries(1, "anonymous pages 1, 3, 2");
	expect_entry(0, 1, 3, RW);
	T_EQ(vm_map_remove(&map, page(0), page(4)), KERN_SUCCESS);
	map_pages(20, 1, objects[1], 0);
	map_pages(10, 2, objects[0], 10);
	map_pages(14, 2, objects[0], 14);
	expect_entries(3, "an object's pages 10-11 and 14-15, and another's");
	map_pages(12, 2, objects[0], 12);
	expect_entries(2, "and 12-13 between");
	expect_entry(0, 10, 6, RW);
	T_EQ(entry(0)->offset, ptoa(10));
	vm_map_lock(&map); /* the tree knows */
	T_OK(vm_map_lookup_entry(&map, page(15)) == entry(0));
	T_OK(vm_map_lookup_entry(&map, page(16)) == NULL);
	T_EQ(entry(0)->gap, ptoa(10));
	T_EQ(entry(1)->gap, ptoa(4));
	vm_map_unlock(&map);
	map_pages(12 + 4, 1, objects[0], 16);
	map_pages(9, 1, objects[0], 9);
	expect_entries(2, "one more at each end");
	T_EQ(entry(0)->offset, ptoa(9));
	teardown();
}

/* Map pages 0-1 like a, 2-3 like b: how many entries they are. */
static void
two(struct vm_map_req a, struct vm_map_req b, uint32_t want, const char *what)
{
	map_req(0, 2, &a);
	map_req(2, 2, &b);
	expect_entries(want, what);
	T_EQ(vm_map_remove(&map, page(0), page(4)), KERN_SUCCESS);
}

static void
merge_only_what_is_alike(void)
{
	struct vm_map_req a = {.prot = RW, .max_prot = VM_PROT_ALL}, b;

	setup();
	a.object = objects[0];
	a.offset = ptoa(5);
	b = a;
	b.offset = ptoa(7);
	two(a, b, 1, "the same object going on");
	b.offset = ptoa(8);
	two(a, b, 2, "the same object, a page left out");
	b.offset = ptoa(5);
	two(a, b, 2, "the same pages twice");
	b.offset = ptoa(7);
	b.object = objects[1];
	two(a, b, 2, "two objects");
	b.object = NULL;
	two(a, b, 2, "an object and anonymous memory");
	b = a;
	b.offset = ptoa(7);
	b.prot = R;
	two(a, b, 2, "other rights");
	b.prot = RW;
	b.max_prot = RW;
	two(a, b, 2, "other rights at most");
	b.max_prot = VM_PROT_ALL;
	b.eflags = MAP_ENTRY_HEAP;
	two(a, b, 2, "other flags");
	b.eflags = 0;
	b.name_vp = &names;
	two(a, b, 2, "another name");
	a.name_vp = &names;
	two(a, b, 1, "the same name");
	a.eflags = b.eflags = MAP_ENTRY_NOMERGE;
	two(a, b, 2, "both to stay apart");
	map_pages(0, 2, objects[0], 0);
	map_pages(3, 2, objects[0], 2);
	expect_entries(2, "offsets that go on, but not the addresses");
	teardown();
}

static void
merge_lets_references_go(void)
{
	struct vm_map_req req = {.prot = RW, .max_prot = VM_PROT_ALL, .name_vp = &names};

	setup();
	req.object = objects[0];
	for (size_t i = 0; i < 8; i++) {
		req.offset = ptoa(i);
		map_req(i, 1, &req);
	}
	expect_entries(1, "eight pages one by one");
	T_EQ(objects[0]->ref_count, 2);
	T_EQ(names, 1);
	T_EQ(vm_map_protect(&map, page(3), page(5), R), KERN_SUCCESS);
	T_EQ(objects[0]->ref_count, 4);
	T_EQ(vm_map_protect(&map, page(3), page(5), RW), KERN_SUCCESS);
	expect_entries(1, "split and merged again");
	T_EQ(objects[0]->ref_count, 2);
	T_EQ(names, 1);
	teardown();
}

static const struct host_test tests[] = {
    TEST(lookup_in_log_n),
    TEST(clip_in_the_middle),
    TEST(clip_keeps_offsets_and_references),
    TEST(clip_both_or_neither),
    TEST(merge_closes_a_gap),
    TEST(merge_only_what_is_alike),
    TEST(merge_lets_references_go),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab 3", tests, nitems(tests), FRAMES));
}

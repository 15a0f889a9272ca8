/*
 * Lab 5: copies, and chains of shadows (kernel/vm/vm_fault.c, vm_object.c). All memory here comes
 * from a file, whose page i holds the words 1000 i + n.
 */
#include "lab.h"

#define FRAMES  1024
#define PRIVATE (MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY)

/* --- what the tests share --------------------------------------------------------------------- */

static int
file_getpage(void *handle, vm_page_t m)
{
	uint64_t *word = pmap_page_kva(m);

	(void)handle;
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		word[i] = 1000 * m->pindex + i;
	return (0);
}

static vm_object_t
file_open(vm_pindex_t n)
{
	static int file;

	return (vnode_pager_allocate(&file, n, file_getpage));
}

/* n pages of the file, private. */
static struct space *
private_file(vm_pindex_t n)
{
	struct space *s = space_create();

	space_map(s, VA, ptoa(n), file_open(n), 0, RW, VM_PROT_ALL, PRIVATE);
	return (s);
}

static void
see(struct space *s, vm_offset_t at, uint64_t want, const char *who)
{
	uint64_t value;
	uint8_t *p;
	int rv = fake_touch(&s->map, at, R, &p);

	if (rv != KERN_SUCCESS)
		T_FAIL("%s: a read of page %lu answers %d", who, atop(at - VA), rv);
	memcpy(&value, p, sizeof(value));
	if (value != want)
		T_FAIL("%s sees %lu in page %lu, should be %lu", who, value, atop(at - VA), want);
}

static void
put(struct space *s, vm_offset_t at, uint64_t value)
{
	uint8_t *p;
	int rv = fake_touch(&s->map, at, W, &p);

	if (rv != KERN_SUCCESS)
		T_FAIL("a write to page %lu answers %d, should be 0", atop(at - VA), rv);
	memcpy(p, &value, sizeof(value));
}

static struct space *
fork_of(struct space *s)
{
	struct space *child = space_create();

	T_EQ(vm_map_fork(&s->map, &child->map), KERN_SUCCESS);
	return (child);
}

static int
depth(struct space *s)
{
	int n = 0;

	for (vm_object_t o = object_of(s); o != NULL; o = o->backing_object)
		n++;
	return (n);
}

static vm_page_t
page_at(struct space *s, vm_pindex_t i, vm_prot_t *prot)
{
	vm_page_t m = NULL;

	if (!fake_pte(&s->pmap, va(i), &m, prot, NULL))
		T_FAIL("page %lu is not mapped", i);
	return (m);
}

static uint64_t
wired_pages(struct space *s, vm_pindex_t n)
{
	uint64_t wired = 0;

	for (vm_pindex_t i = 0; i < n; i++)
		wired += page_at(s, i, NULL)->wire_count != 0;
	return (wired);
}

/* --- copies ----------------------------------------------------------------------------------- */

static void
copy(void)
{
	struct space *s = space_create(), *other = space_create();
	vm_object_t file = file_open(4);

	vm_object_reference(file);
	space_map(s, VA, ptoa(4), file, 0, RW, VM_PROT_ALL, PRIVATE);
	space_map(other, VA, ptoa(4), file, 0, RW, RW, 0);
	see(s, va(1), 1000, "the reader");
	mark();
	put(s, va(1), 5);
	put(s, va(2) + 8, 6); /* without a read before */
	expect("copies", SINCE(v_cow_faults), 2);
	expect("faults for two writes", SINCE(v_faults), 2);
	see(s, va(1), 5, "the writer");
	see(s, va(1) + 8, 1001, "the writer");
	see(s, va(2) - 8, 1511, "the writer");
	see(s, va(2), 2000, "the writer");
	see(s, va(2) + 8, 6, "the writer");
	see(other, va(1), 1000, "another");
	see(other, va(2) + 8, 2001, "another");
	put(s, va(1) + 16, 7); /* the copy is there: no second */
	expect("copies", SINCE(v_cow_faults), 2);
	expect("pages still busy", vm_cnt.v_busied, 0);
	expect("pages in the first object", object_of(s)->resident_page_count, 2);
	space_destroy(s);
	space_destroy(other);
}

static void
read_shares(void)
{
	struct space *s = private_file(4);
	vm_page_t m;
	vm_prot_t prot;

	put(s, va(0), 1); /* now there is a shadow */
	see(s, va(3), 3000, "the reader");
	m = page_at(s, 3, &prot);
	T_EQ(m->object->type, OBJT_VNODE);
	T_OK((prot & W) == 0);
	expect("pages in the first object", object_of(s)->resident_page_count, 1);
	mark();
	pmap_remove(&s->pmap, VA, va(4));
	see(s, va(3), 3000, "the reader");
	expect("copies for a read", SINCE(v_cow_faults), 0);
	expect("pages for a read", then.v_free_count - vm_cnt.v_free_count, 0);
	T_OK(page_at(s, 3, NULL) == m);
	space_destroy(s);
}

static void
copy_replaces(void)
{
	struct space *s = space_create(), *other = space_create();
	vm_object_t file = file_open(2);
	vm_page_t before, after;
	vm_prot_t prot;

	vm_object_reference(file);
	space_map(s, VA, ptoa(2), file, 0, RW, VM_PROT_ALL, PRIVATE);
	space_map(other, VA, ptoa(2), file, 0, RW, RW, 0);
	see(s, va(1), 1000, "the reader");
	see(other, va(1), 1000, "another");
	before = page_at(s, 1, NULL);
	put(s, va(1), 1);
	after = page_at(s, 1, &prot);
	T_OK(after != before);
	T_OK((prot & W) != 0);
	T_OK(after->dirty && after->valid && !before->dirty);
	T_OK(page_at(other, 1, NULL) == before);
	T_OK(after->object == object_of(s) && after->pindex == 1);
	space_destroy(s);
	space_destroy(other);
}

/* front 0 is middle's 2, which is the file's 3. */
static void
chain(void)
{
	struct space *s = space_create();
	vm_object_t file = file_open(8), middle = file, front;
	vm_ooffset_t offset = ptoa(1);
	vm_page_t m;

	T_OK(vm_object_shadow(&middle, &offset, ptoa(6)));
	front = middle;
	vm_object_reference(middle);
	offset = ptoa(2);
	T_OK(vm_object_shadow(&front, &offset, ptoa(3)));
	VM_OBJECT_WLOCK(middle);
	m = vm_page_alloc(middle, 3, VM_ALLOC_ZERO);
	m->valid = true;
	*(uint64_t *)pmap_page_kva(m) = 555;
	vm_page_xunbusy(m);
	VM_OBJECT_UNLOCK(middle);
	space_map(s, VA, ptoa(3), front, 0, RW, VM_PROT_ALL, MAP_ENTRY_COW);
	see(s, va(0), 3000, "the front");
	see(s, va(1), 555, "the front");
	put(s, va(1), 556);
	put(s, va(2) + 8, 1);
	T_EQ(*(uint64_t *)pmap_page_kva(m), 555);
	see(s, va(2), 5000, "the front");
	expect("pages in the first object", front->resident_page_count, 2);
	expect("pages in the middle", middle->resident_page_count, 1);
	space_destroy(s);
	vm_object_deallocate(middle);
}

static void
wired(void)
{
	struct space *s = space_create();

	space_map(s, VA, ptoa(2), file_open(2), 0, R, VM_PROT_ALL, PRIVATE);
	T_EQ(vm_map_wire(&s->map, VA, va(2)), KERN_SUCCESS);
	expect("pages wired", vm_cnt.v_wire_count, 2);
	T_EQ(vm_map_protect(&s->map, VA, va(2), RW), KERN_SUCCESS);
	put(s, va(0), 4);
	expect("pages wired after a copy", vm_cnt.v_wire_count, 2);
	expect("of those that are mapped", wired_pages(s, 2), 2);
	T_EQ(vm_map_unwire(&s->map, VA, va(2)), KERN_SUCCESS);
	expect("pages wired in the end", vm_cnt.v_wire_count, 0);
	see(s, va(0), 4, "the writer");
	space_destroy(s);
}

struct job {
	struct space *s;
	int rv;
};

static void
job_run(void *arg)
{
	struct job *job = arg;

	job->rv = fake_touch(&job->s->map, va(1), W, NULL);
}

static void
shortage(void)
{
	struct space *s = private_file(2);
	struct job job = {s, -1};
	struct thread *td;

	see(s, va(1), 1000, "the reader");
	fake_eat_memory(0);
	td = fake_spawn("writer", job_run, &job);
	fake_run(td);
	if (!fake_asleep(td))
		T_FAIL("without memory a write does not wait: it answers %d", job.rv);
	T_EQ(fake_locks_held(td), 0);
	expect("pages busy meanwhile", vm_cnt.v_busied, 0);
	fake_give_memory(2);
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	see(s, va(1) + 8, 1001, "the writer");
	fake_give_memory(~0ul);
	space_destroy(s);
}

/* --- chains ----------------------------------------------------------------------------------- */

static void
last_owner(void)
{
	struct space *parent = private_file(2), *child;
	vm_page_t m;

	put(parent, va(0), 1);
	m = page_at(parent, 0, NULL);
	child = fork_of(parent);
	see(child, va(0), 1, "the child");
	space_destroy(child);
	mark();
	put(parent, va(0), 2);
	expect("copies by the last owner", SINCE(v_cow_faults), 0);
	expect("objects made for it", SINCE(v_objects), 0);
	T_OK(page_at(parent, 0, NULL) == m);
	space_destroy(parent);
}

#define NPAGES 8

static void
collapse(void)
{
	struct space *s = private_file(NPAGES), *child;
	uint64_t want[NPAGES];
	vm_page_t m;

	for (vm_pindex_t i = 0; i < NPAGES; i++)
		want[i] = 1000 * i;
	put(s, va(7), want[7] = 7);
	m = page_at(s, 7, NULL);
	for (vm_pindex_t n = 0; n < 100; n++) { /* the child goes on, the parent ends */
		child = fork_of(s);
		put(child, va(n % 6), want[n % 6] = n);
		space_destroy(s);
		s = child;
		for (vm_pindex_t i = 0; i < NPAGES; i++)
			see(s, va(i), want[i], "a later generation");
		if (depth(s) > 2)
			T_FAIL("generation %lu: a chain of %d objects, should be 2", n, depth(s));
	}
	T_OK(page_at(s, 7, NULL) == m); /* moved, not copied */
	expect("pages in the first object", object_of(s)->resident_page_count, 7);
	space_destroy(s);
}

/*
 * Pages 3 on of the file, private, and written but for one; then the first two are unmapped, so that
 * the shadows of the children are shorter than what they shadow.
 */
static void
collapse_hides(void)
{
	struct space *parent = space_create(), *child, *other;
	vm_pindex_t kept = 6; /* never written: the file's */

	space_map(parent, VA, ptoa(NPAGES), file_open(NPAGES + 3), ptoa(3), RW, VM_PROT_ALL,
		  PRIVATE);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		if (i != kept)
			put(parent, va(i), 10 + i);
	space_unmap(parent, va(0), ptoa(2));
	child = fork_of(parent);
	other = fork_of(parent);
	put(child, va(3), 33);
	put(other, va(4), 44);
	put(parent, va(5), 55);
	space_destroy(parent);
	space_destroy(fork_of(child)); /* each fork tries to make the chain shorter */
	expect("pages of a child whose sibling needs them too",
	       object_of(child)->resident_page_count, 1);
	for (vm_pindex_t i = 2; i < NPAGES; i++) {
		see(child, va(i), i == kept ? 9000 : i == 3 ? 33 : 10 + i, "a child");
		see(other, va(i), i == kept ? 9000 : i == 4 ? 44 : 10 + i, "the other child");
	}
	space_destroy(other);
	if (depth(child) > 2)
		T_FAIL("the last child has a chain of %d objects, should be 2", depth(child));
	pmap_remove(&child->pmap, VA, va(NPAGES)); /* all is looked for again */
	for (vm_pindex_t i = 2; i < NPAGES; i++)
		see(child, va(i), i == kept ? 9000 : i == 3 ? 33 : 10 + i, "the last child");
	expect("pages that it keeps", object_of(child)->resident_page_count, NPAGES - 2 - 1);
	mark();
	for (vm_pindex_t i = 2; i < NPAGES; i++)
		put(child, va(i), 1);
	expect("copies it makes, of the file's page", SINCE(v_cow_faults), 1);
	space_destroy(child);
	expect("objects left", vm_cnt.v_objects, 0);
}

static const struct host_test tests[] = {
    TEST(copy),     TEST(read_shares), TEST(copy_replaces), TEST(chain),          TEST(wired),
    TEST(shortage), TEST(last_owner),  TEST(collapse),      TEST(collapse_hides),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab 5", tests, nitems(tests), FRAMES));
}

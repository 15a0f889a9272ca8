/*
 * Lab 4: the first touch of anonymous memory, and the second of what is there (kernel/vm/vm_fault.c).
 */
#include "lab.h"

#define FRAMES 1024

/* --- what the tests share --------------------------------------------------------------------- */

static struct space *
anonymous(vm_pindex_t n)
{
	struct space *s = space_create();

	space_map(s, VA, ptoa(n), NULL, 0, RW, VM_PROT_ALL, 0);
	return (s);
}

static vm_page_t
resident(vm_object_t object, vm_pindex_t i)
{
	vm_page_t m;

	VM_OBJECT_RLOCK(object);
	m = vm_page_lookup(object, i);
	VM_OBJECT_UNLOCK(object);
	return (m);
}

/* A thread that touches page i: rv is -1 until it has ended. */
struct job {
	struct space *s;
	vm_pindex_t i;
	int rv;
};

static void
job_run(void *arg)
{
	struct job *job = arg;

	job->rv = fake_touch(&job->s->map, va(job->i), W, NULL);
}

/* --- zero fill -------------------------------------------------------------------------------- */

static void
zeros(void)
{
	struct space *s = anonymous(8);
	uint8_t *p;

	mark();
	for (vm_pindex_t i = 0; i < 8; i++) {
		T_EQ(fake_touch(&s->map, va(i) + 123, i % 2 != 0 ? W : R, &p), KERN_SUCCESS);
		p -= 123;
		for (size_t k = 0; k < PAGE_SIZE; k++)
			if (p[k] != 0)
				T_FAIL("byte %zu of page %lu is %#x", k, i, p[k]);
	}
	expect("faults for 8 pages", SINCE(v_faults), 8);
	expect("of them zero-fill, for the written ones", SINCE(v_zfod), 4);
	expect("pages taken", then.v_free_count - vm_cnt.v_free_count, 4);
	expect("restarts", SINCE(v_fault_restarts), 0);
	expect("pages still busy", vm_cnt.v_busied, 0);
	space_destroy(s);
}

static void
own_pages(void)
{
	struct space *s = anonymous(16);
	vm_page_t m;

	for (vm_pindex_t i = 0; i < 16; i += 3)
		space_write(s, va(i), 100 + i);
	for (vm_pindex_t i = 0; i < 16; i++) {
		m = resident(object_of(s), i);
		T_OK((m != NULL) == (i % 3 == 0));
		if (m == NULL)
			continue;
		T_EQ(m->pindex, i);
		T_OK(m->valid && !vm_page_busied(m) && m->queue == PQ_ACTIVE);
		T_EQ(*(uint64_t *)pmap_page_kva(m), 100 + i);
		T_EQ(space_read(s, va(i)), 100 + i);
	}
	expect("pages in the object", object_of(s)->resident_page_count, 6);
	space_destroy(s);
}

static void
one_fault_each(void)
{
	struct space *s = anonymous(4);

	mark();
	for (vm_pindex_t i = 0; i < 4; i++) {
		touch(s, i, W, KERN_SUCCESS);
		touch(s, i, R, KERN_SUCCESS);
	}
	expect("faults for 4 pages written, then read", SINCE(v_faults), 4);
	pmap_remove(&s->pmap, VA, va(4));
	mark();
	for (vm_pindex_t i = 0; i < 4; i++) {
		touch(s, i, R, KERN_SUCCESS);
		touch(s, i, W, KERN_SUCCESS);
	}
	expect("and read, then written, when the page tables have lost them", SINCE(v_faults), 4);
	space_destroy(s);
}

/* Four pages of shared memory, mapped as if they were eight. */
static void
past_the_end(void)
{
	struct space *s = space_create();
	vm_object_t object = vm_object_allocate(OBJT_ANON, 4);

	space_map(s, VA, ptoa(8), object, 0, RW, VM_PROT_ALL, 0);
	touch(s, 3, W, KERN_SUCCESS);
	mark();
	for (vm_pindex_t i = 4; i < 8; i++)
		touch(s, i, i % 2 != 0 ? W : R, KERN_FAILURE);
	expect("pages taken for nothing", then.v_free_count - vm_cnt.v_free_count, 0);
	expect("pages in the object", object->resident_page_count, 1);
	space_destroy(s);
}

static void
front_of_chain(void)
{
	struct space *s = space_create();
	vm_object_t back = vm_object_allocate(OBJT_ANON, 16), middle = back, front;
	vm_ooffset_t offset = ptoa(2);

	vm_object_reference(back); /* each has another owner, so that a shadow is made */
	T_OK(vm_object_shadow(&middle, &offset, ptoa(8)));
	front = middle;
	vm_object_reference(middle);
	offset = ptoa(1);
	T_OK(vm_object_shadow(&front, &offset, ptoa(4)));
	space_map(s, VA, ptoa(4), front, 0, RW, VM_PROT_ALL, MAP_ENTRY_COW);
	mark();
	touch(s, 1, R, KERN_SUCCESS);
	touch(s, 1, W, KERN_SUCCESS);
	touch(s, 2, W, KERN_SUCCESS);
	expect("faults for two pages", SINCE(v_faults), 2);
	T_EQ(space_read(s, va(2)), 0);
	expect("pages of the first object", front->resident_page_count, 2);
	T_OK(resident(front, 1) != NULL && resident(front, 2) != NULL);
	expect("of the one behind it", middle->resident_page_count, 0);
	expect("and of the last", back->resident_page_count, 0);
	expect("copies", SINCE(v_cow_faults), 0);
	space_destroy(s);
	vm_object_deallocate(middle);
	vm_object_deallocate(back);
}

static void
shortage(void)
{
	struct space *s = anonymous(2);
	struct job job = {s, 1, -1};
	struct thread *td;

	touch(s, 0, W, KERN_SUCCESS); /* page tables */
	fake_eat_memory(0);
	td = fake_spawn("toucher", job_run, &job);
	fake_run(td);
	if (!fake_asleep(td))
		T_FAIL("without memory a touch does not wait: it answers %d", job.rv);
	T_EQ(fake_locks_held(td), 0);
	expect("pages busy meanwhile", vm_cnt.v_busied, 0);
	fake_give_memory(2);
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	T_EQ(space_read(s, va(1)), 0);
	fake_give_memory(~0ul);
	space_destroy(s);
}

/* --- the soft path ---------------------------------------------------------------------------- */

static void
soft(void)
{
	struct space *s = anonymous(4);
	struct job job = {s, 2, -1};
	struct thread *td;
	vm_page_t m;

	for (vm_pindex_t i = 0; i < 4; i++)
		space_write(s, va(i), 10 + i);
	pmap_remove(&s->pmap, VA, va(4)); /* a pmap is a cache */
	mark();
	for (vm_pindex_t i = 0; i < 4; i++)
		T_EQ(space_read(s, va(i)), 10 + i);
	expect("faults", SINCE(v_faults), 4);
	expect("of them soft", SINCE(v_soft_faults), 4);
	expect("new pages", then.v_free_count - vm_cnt.v_free_count, 0);
	/* A page that somebody is working on is waited for. */
	pmap_remove(&s->pmap, VA, va(4));
	m = resident(object_of(s), 2);
	VM_OBJECT_WLOCK(object_of(s));
	T_OK(vm_page_tryxbusy(m));
	VM_OBJECT_UNLOCK(object_of(s));
	td = fake_spawn("toucher", job_run, &job);
	fake_run(td);
	if (!fake_asleep(td))
		T_FAIL("a busy page was entered");
	VM_OBJECT_WLOCK(object_of(s));
	vm_page_xunbusy(m);
	VM_OBJECT_UNLOCK(object_of(s));
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	space_destroy(s);
}

static void
soft_shares_the_lock(void)
{
	struct space *s = anonymous(1);
	struct job job = {s, 0, -1};
	struct thread *td;
	vm_object_t object;

	space_write(s, VA, 5);
	pmap_remove(&s->pmap, VA, va(1));
	object = object_of(s);
	mark();
	VM_OBJECT_RLOCK(object);
	td = fake_spawn("toucher", job_run, &job);
	fake_run(td);
	if (!fake_ended(td))
		T_FAIL("the fault waits for a lock that is held for reading only");
	VM_OBJECT_UNLOCK(object);
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	expect("soft faults", SINCE(v_soft_faults), 1);
	space_destroy(s);
}

static const struct host_test tests[] = {
    TEST(zeros),          TEST(own_pages), TEST(one_fault_each), TEST(past_the_end),
    TEST(front_of_chain), TEST(shortage),  TEST(soft),           TEST(soft_shares_the_lock),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab 4", tests, nitems(tests), FRAMES));
}

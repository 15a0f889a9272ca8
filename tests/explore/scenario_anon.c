/*
 * Anonymous memory under faults, forks and what takes pages away: no write is lost, none is seen
 * where it must not be.
 */
#include "scenario.h"
#include "world.h"

#define BEFORE 1 /* what stands in page 1 before all */
#define MINE   2 /* what the threads write, each at a place of its own */

static vm_object_t shared;

/* The touch is a write: each thread has a word of the page for itself. */
static void
write_word(struct touch *t, uint8_t *where)
{
	((uint64_t *)(void *)where)[t->value] = MINE;
}

static struct touch *
writer(const char *name, struct space *s, unsigned who, uint64_t word)
{
	struct touch *t = touch_in(name, s, 1, W, NULL);

	t->seen = write_word;
	t->value = word;
	t->may_be_gone = s == one && (who & UNMAP) != 0;
	return (t);
}

static void
fork_one(void *arg __unused)
{
	T_EQ(vm_map_fork(&one->map, &two->map), KERN_SUCCESS);
}

static void
unmap_one(void *arg __unused)
{
	T_EQ(vm_map_remove(&one->map, VA, VA + ptoa(NPAGES)), KERN_SUCCESS);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		check_unmapped(one, i);
}

static void
dontneed(void *arg __unused)
{
	int rv = vm_map_dontneed(&one->map, VA + ptoa(1), VA + ptoa(2));

	T_OK(rv == KERN_SUCCESS || rv == KERN_INVALID_ADDRESS);
}

void
anon_setup(const struct scenario *sc)
{
	one = space_create();
	two = space_create();
	space_map(one, VA, ptoa(NPAGES), NULL, 0, RW, VM_PROT_ALL, MAP_ENTRY_COW);
	if (sc->how == PRIVATE) /* there is something to copy */
		space_write(one, VA + ptoa(1), BEFORE);
	if (sc->who & CHILD)
		fork_one(NULL);
	if (sc->who & FAULT)
		writer("writer", one, sc->who, 1);
	if (sc->who & SAME)
		writer("writer too", one, sc->who, 2);
	if (sc->who & CHILD)
		writer("child", two, sc->who, 3);
	if (sc->who & FORK)
		fake_spawn("fork", fork_one, NULL);
	if (sc->who & UNMAP)
		fake_spawn("unmapper", unmap_one, NULL);
	if (sc->who & DONTNEED)
		fake_spawn("dontneed", dontneed, NULL);
}

static uint64_t
word_in(struct space *s, vm_offset_t word)
{
	return (space_read(s, VA + ptoa(1) + 8 * word));
}

void
anon_check(const struct scenario *sc)
{
	check_touches();
	check_space(one);
	check_space(two);
	if ((sc->who & (UNMAP | DONTNEED)) == 0) {
		T_EQ(word_in(one, 0), sc->how == PRIVATE ? BEFORE : 0);
		T_EQ(word_in(one, 1), sc->who & FAULT ? MINE : 0);
		T_EQ(word_in(one, 2), sc->who & SAME ? MINE : 0);
		T_EQ(word_in(one, 3), 0);
	}
	if (sc->who & CHILD) {
		T_EQ(word_in(two, 0), sc->how == PRIVATE ? BEFORE : 0);
		T_EQ(word_in(two, 1), 0);
		T_EQ(word_in(two, 3), MINE);
	}
	if ((sc->who & FORK) && (sc->who & (UNMAP | DONTNEED)) == 0) {
		space_write(one, VA + ptoa(1), BEFORE + 10); /* the child does not see it */
		T_EQ(word_in(two, 0), sc->how == PRIVATE ? BEFORE : 0);
	}
}

void
anon_teardown(const struct scenario *sc __unused)
{
	space_destroy(one);
	space_destroy(two);
}

/* --- a file that shrinks --- */

static void
truncate_shared(void *arg __unused)
{
	vm_object_set_size(shared, 1);
	check_unmapped(one, 1);
}

/* Page 1 is beyond the end from some moment on. */
static void
check_truncated(void)
{
	VM_OBJECT_RLOCK(shared);
	T_OK(vm_page_lookup(shared, 1) == NULL);
	VM_OBJECT_UNLOCK(shared);
	check_unmapped(one, 1);
	check_unmapped(two, 1);
}

void
shared_setup(const struct scenario *sc)
{
	uint32_t flags =
	    sc->how == PRIVATE ? MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY : MAP_ENTRY_SHARED;

	one = space_create();
	two = space_create();
	shared = vnode_pager_allocate(&shared, NPAGES, NULL);
	vm_object_reference(shared);
	space_map(one, VA, ptoa(NPAGES), shared, 0, RW, RW, flags);
	vm_object_reference(shared);
	space_map(two, VA, ptoa(NPAGES), shared, 0, RW, RW, MAP_ENTRY_SHARED);
	space_write(two, VA + ptoa(1), BEFORE);
	if (sc->who & FAULT)
		writer("writer", one, sc->who, 1)->may_fail = true;
	if (sc->who & SAME)
		writer("writer in 2", two, sc->who, 2)->may_fail = true;
	if (sc->who & TRUNCATE)
		fake_spawn("truncate", truncate_shared, NULL);
	if (sc->who & UNMAP)
		fake_spawn("unmapper", unmap_one, NULL);
}

void
shared_check(const struct scenario *sc)
{
	check_touches();
	check_space(one);
	check_space(two);
	if (sc->who & TRUNCATE)
		check_truncated();
}

void
shared_teardown(const struct scenario *sc __unused)
{
	space_destroy(one);
	space_destroy(two);
	vm_object_deallocate(shared);
}

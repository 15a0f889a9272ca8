/*
 * What the scenarios share: world.h says what.
 */
#include "world.h"

struct space *one, *two;
static struct touch touches[MAX_THREADS];
static int ntouches;

static void
touch_main(void *arg)
{
	struct touch *t = arg;
	uint8_t *where;

	t->rv = fake_touch(&t->s->map, VA + ptoa(t->page), t->access, &where);
	if (t->rv == KERN_SUCCESS && t->seen != NULL)
		t->seen(t, where);
}

/* As a copy to user space does it. */
static void
touch_locked(void *arg)
{
	struct touch *t = arg;
	vm_page_t m;

	rw_wlock(t->lock);
	t->rv = vm_fault(&t->s->map, VA + ptoa(t->page), t->access, VM_FAULT_NORMAL, &m);
	if (t->rv == KERN_SUCCESS)
		vm_page_unhold(m);
	rw_unlock(t->lock);
}

struct touch *
touch_in(const char *name, struct space *s, vm_pindex_t page, vm_prot_t access, struct rwlock *lock)
{
	struct touch *t = &touches[ntouches++];

	*t = (struct touch){.s = s, .page = page, .access = access, .rv = -1, .lock = lock};
	fake_spawn(name, lock != NULL ? touch_locked : touch_main, t);
	return (t);
}

void
check_touches(void)
{
	for (struct touch *t = touches; t < touches + ntouches; t++) {
		if (t->rv != KERN_SUCCESS && (t->rv != KERN_INVALID_ADDRESS || !t->may_be_gone) &&
		    (t->rv != KERN_FAILURE || !t->may_fail))
			T_FAIL("the touch of page %lu answers %d", t->page, t->rv);
	}
}

void
check_unmapped(struct space *s, vm_pindex_t i)
{
	if (fake_pte(&s->pmap, VA + ptoa(i), NULL, NULL, NULL))
		T_FAIL("page %lu is mapped, and should not be", i);
}

/* The entry at va of s's page tables. */
static void
check_pte(struct space *s, vm_offset_t va, vm_page_t m, vm_prot_t prot, bool wired)
{
	vm_map_entry_t e;
	vm_object_t object;
	vm_pindex_t pindex;
	vm_page_t there;

	vm_map_lock_read(&s->map);
	e = vm_map_lookup_entry(&s->map, va);
	vm_map_unlock_read(&s->map);
	if (e == NULL)
		T_FAIL("stale: page %lu is mapped in no entry", atop(va - VA));
	if ((prot & ~(e->protection | VM_PROT_READ)) != 0)
		T_FAIL("stale: page %lu is mapped with more rights than its entry has",
		       atop(va - VA));
	if (wired && !vm_map_entry_locked(e))
		T_FAIL("page %lu is mapped wired", atop(va - VA));
	pindex = atop(e->offset + (va - e->start));
	object = vm_object_walk(e->object, &pindex, &there);
	VM_OBJECT_UNLOCK(object);
	if (there == NULL && m == vm_zero_page && (object->flags & OBJ_PRIVATE) != 0)
		return; /* nobody wrote it */
	if (there == NULL || there->phys_addr != m->phys_addr)
		T_FAIL("stale: page %lu is mapped to a frame that its object does not have",
		       atop(va - VA));
}

void
check_space(struct space *s)
{
	vm_page_t m;
	vm_prot_t prot;
	bool wired;

	T_EQ(s->map.lock.rw_word, 0);
	T_EQ(s->map.ntransition, 0);
	for (vm_offset_t va = VA; va < VA + ptoa(2 * NPAGES); va += PAGE_SIZE) {
		if (fake_pte(&s->pmap, va, &m, &prot, &wired))
			check_pte(s, va, m, prot, wired);
	}
}

/* How many entries of s map object, or that index of it; wired ones only. */
static uint32_t
entries_of(struct space *s, vm_object_t object, vm_pindex_t i, bool wired)
{
	vm_map_entry_t e;
	uint32_t n = 0;

	if (s == NULL)
		return (0);
	VM_MAP_ENTRY_FOREACH (e, &s->map) {
		vm_pindex_t first = atop(e->offset), end = first + atop(e->end - e->start);

		if (e->object == object &&
		    (!wired || (e->wired_count != 0 && i >= first && i < end)))
			n++;
	}
	return (n);
}

void
check_object(vm_object_t object)
{
	vm_pindex_t i = 0;
	uint32_t wired;
	vm_page_t m;

	T_EQ(object->lock.rw_word, 0);
	T_EQ(object->paging_in_progress, 0);
	T_EQ(object->ref_count, 1 + object->shadow_count + entries_of(one, object, 0, false) +
				    entries_of(two, object, 0, false));
	VM_OBJECT_WLOCK(object);
	for (; (m = vm_page_find_least(object, i)) != NULL; i = m->pindex + 1) {
		if (m->pindex < i || m->object != object)
			T_FAIL("a page stands at two indexes");
		if (m->busy != 0)
			T_FAIL("page %lu is left busied", m->pindex);
		wired = entries_of(one, object, m->pindex, true) +
			entries_of(two, object, m->pindex, true);
		if (m->wire_count > wired)
			T_FAIL("page %lu is wired %u times by %u entries", m->pindex, m->wire_count,
			       wired);
		T_EQ(m->hold_count, 0);
	}
	VM_OBJECT_UNLOCK(object);
}

/*
 * vm/vm_page.h: free blocks, device frames, and the states of a page.
 */
#include "harness.h"
#include "kern/kmalloc.h"

#define FRAMES 3000

/* --- vm_phys.c: blocks ------------------------------------------------------------------------ */

/* The model: which frames are taken. */
static bool taken[FRAMES];

static size_t
frame_of(vm_page_t m)
{
	T_OK(m->phys_addr >= FAKE_RAM_BASE);
	T_OK(m->phys_addr < FAKE_RAM_BASE + ptoa(FRAMES));
	T_EQ(m->phys_addr & PAGE_MASK, 0);
	return (atop(m->phys_addr - FAKE_RAM_BASE));
}

static void
take(vm_page_t m, int order)
{
	size_t first = frame_of(m);

	T_EQ(m->phys_addr & (ptoa(1ul << order) - 1), 0);
	for (size_t i = first; i < first + (1ul << order); i++) {
		T_OK(i < FRAMES && !taken[i]);
		taken[i] = true;
	}
}

static void
release(vm_page_t m, int order)
{
	size_t first = frame_of(m);

	for (size_t i = first; i < first + (1ul << order); i++)
		taken[i] = false;
	vm_phys_free(m, order);
}

/* Is there an aligned block of 2^order frames of which none is taken? */
static bool
room_for(int order)
{
	size_t n = 1ul << order, run = 0;

	for (size_t i = 0; i < FRAMES; i++) {
		if ((atop(FAKE_RAM_BASE) + i) % n == 0)
			run = 0;
		run = taken[i] ? 0 : run + 1;
		if (run == n && (atop(FAKE_RAM_BASE) + i + 1) % n == 0)
			return (true);
		if ((atop(FAKE_RAM_BASE) + i + 1) % n == 0)
			run = 0;
	}
	return (false);
}

static size_t
count_taken(void)
{
	size_t n = 0;

	for (size_t i = 0; i < FRAMES; i++)
		n += taken[i];
	return (n);
}

static void
test_blocks_random_against_model(void)
{
	static struct {
		vm_page_t m;
		int order;
	} held[FRAMES];
	struct rng r = {3};
	size_t n = 0;

	T_EQ(vm_cnt.v_free_count, FRAMES);
	for (int i = 0; i < 40000; i++) {
		bool growing = (i / 4000) % 2 == 0;

		if (rng_below(&r, 100) < (growing ? 60u : 40u)) {
			int order =
			    rng_below(&r, 4) != 0 ? rng_below(&r, 3) : rng_below(&r, VM_NFREEORDER);
			vm_page_t m = vm_phys_alloc(order, VM_ALLOC_SYSTEM);

			if (m == NULL) {
				/* Free buddies never stay apart, so there really is none. */
				T_OK(!room_for(order));
				continue;
			}
			take(m, order);
			held[n].m = m;
			held[n++].order = order;
		} else if (n > 0) {
			size_t k = rng_below(&r, n);

			release(held[k].m, held[k].order);
			held[k] = held[--n];
		}
		T_EQ(vm_cnt.v_free_count, FRAMES - count_taken());
	}
	while (n-- > 0)
		release(held[n].m, held[n].order);
}

/* Take every frame one by one, give them back in a random order: large blocks are there again. */
static void
test_blocks_merge_to_the_largest(void)
{
	static vm_page_t page[FRAMES + 1], big[FRAMES];
	struct rng r = {4};
	size_t nbig = 0, n;

	while ((big[nbig] = vm_phys_alloc(VM_NFREEORDER - 1, VM_ALLOC_SYSTEM)) != NULL)
		nbig++;
	T_OK(nbig > 0);
	for (size_t i = 0; i < nbig; i++)
		vm_phys_free(big[i], VM_NFREEORDER - 1);
	for (n = 0; (page[n] = vm_phys_alloc(0, VM_ALLOC_SYSTEM)) != NULL; n++)
		continue;
	T_EQ(n, FRAMES);
	T_EQ(vm_cnt.v_free_count, 0);
	while (n > 0) {
		size_t k = rng_below(&r, n);

		vm_phys_free(page[k], 0);
		page[k] = page[--n];
	}
	for (n = 0; n < nbig; n++)
		T_OK((big[n] = vm_phys_alloc(VM_NFREEORDER - 1, VM_ALLOC_SYSTEM)) != NULL);
	T_OK(vm_phys_alloc(VM_NFREEORDER - 1, VM_ALLOC_SYSTEM) == NULL);
	while (n > 0)
		vm_phys_free(big[--n], VM_NFREEORDER - 1);
}

static void
test_blocks_of_every_order_are_aligned(void)
{
	for (int order = 0; order < VM_NFREEORDER; order++) {
		vm_page_t m = vm_phys_alloc(order, VM_ALLOC_NORMAL);

		T_OK(m != NULL);
		T_EQ(m->phys_addr & (ptoa(1ul << order) - 1), 0);
		for (size_t i = 0; i < 1ul << order; i++) {
			T_EQ(m[i].phys_addr, m->phys_addr + ptoa(i));
			T_OK(PHYS_TO_VM_PAGE(m[i].phys_addr) == &m[i]);
		}
		vm_phys_free(m, order);
	}
}

/* A block may be given back in parts. */
static void
test_block_freed_page_by_page(void)
{
	vm_page_t m = vm_phys_alloc(5, VM_ALLOC_NORMAL);
	uint64_t before = vm_cnt.v_free_count;

	for (int i = 0; i < 32; i++)
		vm_phys_free(&m[i], 0);
	T_EQ(vm_cnt.v_free_count, before + 32);
}

static void
test_reserve_is_for_the_system(void)
{
	static vm_page_t page[FRAMES + 1];
	size_t n = 0;

	T_OK(vm_cnt.v_free_reserved > 0 && vm_cnt.v_free_reserved < FRAMES);
	while ((page[n] = vm_phys_alloc(0, VM_ALLOC_NORMAL)) != NULL)
		n++;
	T_EQ(vm_cnt.v_free_count, vm_cnt.v_free_reserved);
	T_OK(vm_phys_alloc(0, VM_ALLOC_NORMAL) == NULL);
	while ((page[n] = vm_phys_alloc(0, VM_ALLOC_SYSTEM)) != NULL)
		n++;
	T_EQ(vm_cnt.v_free_count, 0);
	T_OK(vm_phys_alloc(0, VM_ALLOC_SYSTEM | VM_ALLOC_ZERO) == NULL);
	while (n > 0)
		vm_phys_free(page[--n], 0);
}

static void
test_alloc_zero(void)
{
	vm_page_t m = vm_phys_alloc(3, VM_ALLOC_ZERO);
	uint8_t *p = pmap_page_kva(m);

	for (size_t i = 0; i < 8 * PAGE_SIZE; i++)
		T_EQ(p[i], 0);
	T_EQ(vm_cnt.v_wire_count, 0);
	vm_phys_free(m, 3);
}

static void
test_frames_nobody_registered(void)
{
	T_OK(PHYS_TO_VM_PAGE(0) == NULL);
	T_OK(PHYS_TO_VM_PAGE(FAKE_RAM_BASE - PAGE_SIZE) == NULL);
	T_OK(PHYS_TO_VM_PAGE(FAKE_RAM_BASE) == &fake_ram_pages[0]);
	T_OK(PHYS_TO_VM_PAGE(FAKE_RAM_BASE + ptoa(FRAMES) - 1) == &fake_ram_pages[FRAMES - 1]);
	T_OK(PHYS_TO_VM_PAGE(FAKE_RAM_BASE + ptoa(FRAMES)) == vm_zero_page); /* the last */
	T_OK(PHYS_TO_VM_PAGE(FAKE_RAM_BASE + ptoa(FRAMES + 1)) == NULL);
	T_OK(PHYS_TO_VM_PAGE(~0ul) == NULL);
}

/* Frames of a segment stay out of the allocator until they are handed over, and holes stay out. */
static void
test_reserved_frames_are_not_handed_out(void)
{
	static struct vm_page pages[64 + 1];
	vm_paddr_t start = 0x8000000;
	vm_page_t m;
	size_t n = 0;
	static vm_page_t got[FRAMES + 10];

	vm_phys_add_seg(start, start + ptoa(64), pages);
	T_OK(pages[0].flags & PG_RESERVED);
	T_OK(PHYS_TO_VM_PAGE(start + ptoa(5)) == &pages[5]);
	vm_phys_free_range(start + ptoa(10), start + ptoa(20));
	T_EQ(vm_cnt.v_page_count, FRAMES + 10);
	while ((m = vm_phys_alloc(0, VM_ALLOC_SYSTEM)) != NULL) {
		T_OK(!(m->flags & PG_RESERVED));
		if (m->phys_addr >= start)
			T_OK(m >= &pages[10] && m < &pages[20]);
		got[n++] = m;
	}
	T_EQ(n, FRAMES + 10);
	/* The ten that were added are kept, so that the counts are those of before. */
	for (size_t i = 0; i < n; i++) {
		if (got[i]->phys_addr < start)
			vm_phys_free(got[i], 0);
	}
}

/* --- vm_phys.c: device frames ----------------------------------------------------------------- */

static void
test_fictitious_range(void)
{
	vm_paddr_t end = FAKE_VRAM_BASE + ptoa(16);
	uint64_t free_before = vm_cnt.v_free_count;

	T_EQ(vm_phys_fictitious_reg_range(FAKE_VRAM_BASE, end, VM_MEMATTR_WRITE_COMBINING), 0);
	T_EQ(vm_cnt.v_fictitious, 16);
	T_EQ(vm_cnt.v_free_count, free_before);
	for (vm_paddr_t pa = FAKE_VRAM_BASE; pa < end; pa += PAGE_SIZE) {
		vm_page_t m = vm_phys_fictitious_to_vm_page(pa);

		T_OK(m != NULL && m == PHYS_TO_VM_PAGE(pa));
		T_EQ(m->phys_addr, pa);
		T_OK(m->flags & PG_FICTITIOUS);
		T_EQ(m->memattr, VM_MEMATTR_WRITE_COMBINING);
		T_OK(m->object == NULL && !vm_page_busied(m));
	}
	T_OK(vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE - PAGE_SIZE) == NULL);
	T_OK(vm_phys_fictitious_to_vm_page(end) == NULL);
	T_OK(vm_phys_fictitious_to_vm_page(FAKE_RAM_BASE) == NULL);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, end);
	T_OK(vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE) == NULL);
}

static void
test_A1_another_attribute_is_refused(void)
{
	vm_paddr_t base = FAKE_VRAM_BASE, end = base + ptoa(8);
	vm_memattr_t wc = VM_MEMATTR_WRITE_COMBINING, uc = VM_MEMATTR_UNCACHED;

	T_EQ(vm_phys_fictitious_reg_range(base, end, wc), 0);
	T_OK(vm_phys_attribute_ok(base - PAGE_SIZE, end, wc));
	T_OK(!vm_phys_attribute_ok(end - PAGE_SIZE, end + PAGE_SIZE, uc));
	T_OK(vm_phys_attribute_ok(end, end + PAGE_SIZE, uc));
	T_OK(!vm_phys_attribute_ok(FAKE_RAM_BASE, FAKE_RAM_BASE + PAGE_SIZE, wc));
	if (INVARIANTS_BUILD)
		fake_expect_panic("A1", "attribute");
	T_OK(vm_page_getfake(base, uc) == NULL);
	T_OK(fake_logged("A1"));
	vm_phys_fictitious_unreg_range(base, end);
}

static void
test_A1_overlapping_range_is_EEXIST(void)
{
	static const struct {
		int64_t first, last;
		int error;
	} cases[] = {
	    {8, 15, EEXIST}, /* the same */
	    {10, 12, EEXIST}, /* inside */
	    {0, 31, EEXIST}, /* around */
	    {7, 8, EEXIST}, /* one page at the beginning */
	    {15, 16, EEXIST}, /* one page at the end */
	    {0, 7, 0}, /* up to it */
	    {16, 31, 0}, /* from its end */
	};
	vm_paddr_t base = FAKE_VRAM_BASE;

	T_EQ(vm_phys_fictitious_reg_range(base + ptoa(8), base + ptoa(16), 0), 0);
	for (size_t i = 0; i < nitems(cases); i++) {
		vm_paddr_t start = base + ptoa(cases[i].first),
			   end = base + ptoa(cases[i].last + 1);
		uint64_t live = fake_kmem_live;

		T_EQ(vm_phys_fictitious_reg_range(start, end, 0), cases[i].error);
		if (cases[i].error != 0)
			T_EQ(fake_kmem_live, live);
		else
			vm_phys_fictitious_unreg_range(start, end);
		T_EQ(vm_cnt.v_fictitious, 8);
	}
	vm_phys_fictitious_unreg_range(base + ptoa(8), base + ptoa(16));
}

static void
test_fictitious_range_over_RAM_is_EEXIST(void)
{
	vm_paddr_t end = FAKE_RAM_BASE + ptoa(FRAMES);

	T_EQ(vm_phys_fictitious_reg_range(FAKE_RAM_BASE, end, 0), EEXIST);
	T_EQ(vm_phys_fictitious_reg_range(end - PAGE_SIZE, end + PAGE_SIZE, 0), EEXIST);
	T_EQ(vm_phys_fictitious_reg_range(FAKE_RAM_BASE - PAGE_SIZE, FAKE_RAM_BASE + PAGE_SIZE, 0),
	     EEXIST);
	T_EQ(vm_phys_fictitious_reg_range(0, FAKE_RAM_BASE, 0), 0);
	vm_phys_fictitious_unreg_range(0, FAKE_RAM_BASE);
}

static void
test_fictitious_ENOMEM(void)
{
	for (uint64_t nth = 1;; nth++) {
		int error;

		fake_kmem_fail(nth);
		error = vm_phys_fictitious_reg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + ptoa(4), 0);
		if (!fake_kmem_failed()) {
			T_EQ(error, 0);
			break;
		}
		T_EQ(error, ENOMEM);
		T_EQ(fake_kmem_live, 0);
		T_EQ(vm_cnt.v_fictitious, 0);
	}
	fake_kmem_fail(0);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + ptoa(4));
}

/* --- vm_page.c: in and out of objects --------------------------------------------------------- */

static void
test_alloc_in_object(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 10);
	vm_page_t m, m9;

	VM_OBJECT_WLOCK(object);
	m = vm_page_alloc(object, 3, VM_ALLOC_ZERO);
	m9 = vm_page_alloc(object, 9, VM_ALLOC_NORMAL);
	T_OK(m != NULL && m9 != NULL);
	T_OK(m->object == object && m->pindex == 3);
	T_OK(vm_page_xbusied(m) && !m->valid && !m->dirty);
	T_EQ(*(uint64_t *)pmap_page_kva(m), 0);
	T_OK(vm_page_alloc(object, 3, VM_ALLOC_NORMAL) == NULL);
	T_OK(vm_page_lookup(object, 3) == m);
	T_OK(vm_page_lookup(object, 4) == NULL);
	T_OK(vm_page_find_least(object, 0) == m);
	T_OK(vm_page_find_least(object, 4) == m9);
	T_OK(vm_page_find_least(object, 10) == NULL);
	T_EQ(object->resident_page_count, 2);
	T_EQ(vm_cnt.v_busied, 2);
	vm_page_free(m);
	vm_page_xunbusy(m9);
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(object->resident_page_count, 1);
	VM_OBJECT_UNLOCK(object);
	vm_object_deallocate(object);
}

static void
test_alloc_in_object_without_memory(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 10);
	uint64_t free_before;

	VM_OBJECT_WLOCK(object);
	free_before = vm_cnt.v_free_count;
	fake_kmem_fail(1); /* the radix node */
	T_OK(vm_page_alloc(object, 3, VM_ALLOC_NORMAL) == NULL);
	T_OK(fake_kmem_failed());
	T_EQ(vm_cnt.v_free_count, free_before);
	T_EQ(object->resident_page_count, 0);
	fake_eat_memory(0);
	T_OK(vm_page_alloc(object, 3, VM_ALLOC_NORMAL) == NULL);
	fake_give_memory(~0ul);
	VM_OBJECT_UNLOCK(object);
	vm_object_deallocate(object);
}

static void
test_P21_insert_at_an_occupied_index(void)
{
	vm_object_t a = vm_object_allocate(OBJT_ANON, 10), b = vm_object_allocate(OBJT_ANON, 10);
	vm_page_t m = vm_phys_alloc(0, VM_ALLOC_NORMAL), other = vm_phys_alloc(0, 0);

	VM_OBJECT_WLOCK(a);
	VM_OBJECT_WLOCK(b);
	T_EQ(vm_page_insert(m, a, 1), 0);
	T_EQ(vm_page_insert(other, a, 1), EEXIST);
	T_OK(other->object == NULL && vm_page_lookup(a, 1) == m);
	/* One page at two indexes, or in two objects. */
	T_EQ(vm_page_insert(m, a, 2), EEXIST);
	T_EQ(vm_page_insert(m, b, 2), EEXIST);
	T_OK(m->object == a && m->pindex == 1);
	T_EQ(a->resident_page_count, 1);
	T_EQ(b->resident_page_count, 0);
	vm_page_remove(m);
	T_OK(m->object == NULL && vm_page_lookup(a, 1) == NULL);
	T_EQ(vm_page_insert(m, b, 2), 0);
	fake_kmem_fail(1);
	T_EQ(vm_page_insert(other, a, 2), ENOMEM);
	T_OK(other->object == NULL);
	T_EQ(a->resident_page_count, 0);
	VM_OBJECT_UNLOCK(b);
	VM_OBJECT_UNLOCK(a);
	vm_page_free(other);
	vm_object_deallocate(a);
	vm_object_deallocate(b);
}

static void
test_remove_keeps_busy_and_holds(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 10);
	vm_page_t m;

	VM_OBJECT_WLOCK(object);
	m = vm_page_alloc(object, 0, VM_ALLOC_NORMAL);
	vm_page_wire(m);
	vm_page_remove(m);
	T_OK(vm_page_xbusied(m) && m->wire_count == 1 && m->object == NULL);
	VM_OBJECT_UNLOCK(object);
	vm_page_xunbusy(m);
	vm_page_unwire(m);
	vm_page_free(m);
	vm_object_deallocate(object);
}

static void
test_free_of_device_page_only_leaves_the_object(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 10);
	uint64_t free_before = vm_cnt.v_free_count;
	vm_page_t m;

	T_EQ(vm_phys_fictitious_reg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + PAGE_SIZE, 0), 0);
	m = vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE);
	VM_OBJECT_WLOCK(object);
	T_OK(vm_page_tryxbusy(m));
	T_EQ(vm_page_insert(m, object, 5), 0);
	vm_page_free(m);
	T_OK(m->object == NULL && !vm_page_busied(m));
	T_EQ(vm_cnt.v_free_count, free_before);
	/* It can stand somewhere again. */
	T_EQ(vm_page_insert(m, object, 6), 0);
	vm_page_remove(m);
	VM_OBJECT_UNLOCK(object);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + PAGE_SIZE);
	vm_object_deallocate(object);
}

/* U2: one device frame may stand at several offsets by pages of its own. */
static void
test_U2_fake_pages_of_one_frame(void)
{
	vm_page_t a = vm_page_getfake(FAKE_VRAM_BASE, VM_MEMATTR_UNCACHED);
	vm_page_t b = vm_page_getfake(FAKE_VRAM_BASE, VM_MEMATTR_UNCACHED);
	vm_object_t object = vm_object_allocate(OBJT_ANON, 4);

	T_OK(a != NULL && b != NULL && a != b);
	T_OK((a->flags & (PG_FICTITIOUS | PG_UNMANAGED)) == (PG_FICTITIOUS | PG_UNMANAGED));
	T_OK(a->valid && a->phys_addr == FAKE_VRAM_BASE && a->memattr == VM_MEMATTR_UNCACHED);
	VM_OBJECT_WLOCK(object);
	T_EQ(vm_page_insert(a, object, 0), 0);
	T_EQ(vm_page_insert(b, object, 1), 0);
	vm_page_free(a);
	VM_OBJECT_UNLOCK(object);
	vm_object_deallocate(object);
	T_EQ(fake_kmem_live, 0);
	fake_kmem_fail(1);
	T_OK(vm_page_getfake(FAKE_VRAM_BASE, 0) == NULL);
}

/* --- vm_page.c: busy -------------------------------------------------------------------------- */

static void
test_busy_states(void)
{
	vm_page_t m = vm_phys_alloc(0, VM_ALLOC_NORMAL);

	T_OK(!vm_page_busied(m) && !vm_page_xbusied(m));
	T_OK(vm_page_tryxbusy(m));
	T_EQ(vm_cnt.v_busied, 1);
	T_OK(vm_page_busied(m) && vm_page_xbusied(m));
	T_OK(!vm_page_tryxbusy(m) && !vm_page_trysbusy(m));
	vm_page_xunbusy(m);
	T_EQ(vm_cnt.v_busied, 0);

	T_OK(vm_page_trysbusy(m) && vm_page_trysbusy(m) && vm_page_trysbusy(m));
	T_OK(vm_page_busied(m) && !vm_page_xbusied(m));
	T_OK(!vm_page_tryxbusy(m));
	vm_page_sunbusy(m);
	vm_page_sunbusy(m);
	T_OK(!vm_page_tryxbusy(m) && vm_cnt.v_busied == 1);
	vm_page_sunbusy(m);
	T_OK(!vm_page_busied(m));
	T_EQ(vm_cnt.v_busied, 0);
	T_OK(vm_page_tryxbusy(m));
	vm_page_xunbusy(m);
	vm_page_free(m);
}

static vm_page_t shared_page;
static vm_object_t shared_object;
static int order_of_events, event_slept, event_busied;

static void
wait_and_busy(void *arg)
{
	(void)arg;
	VM_OBJECT_WLOCK(shared_object);
	while (!vm_page_tryxbusy(shared_page)) {
		event_slept = ++order_of_events;
		T_EQ(vm_page_busy_sleep(shared_page), 0);
		T_OK(!fake_holds(&shared_object->lock));
		VM_OBJECT_WLOCK(shared_object);
	}
	event_busied = ++order_of_events;
	T_OK(vm_page_xbusied(shared_page));
	vm_page_xunbusy(shared_page);
	VM_OBJECT_UNLOCK(shared_object);
}

static void
test_busy_is_slept_on_by_another_thread(void)
{
	struct thread *td;

	shared_object = vm_object_allocate(OBJT_ANON, 1);
	VM_OBJECT_WLOCK(shared_object);
	shared_page = vm_page_alloc(shared_object, 0, VM_ALLOC_NORMAL);
	VM_OBJECT_UNLOCK(shared_object);
	td = fake_spawn("waiter", wait_and_busy, NULL);
	fake_run(td);
	T_OK(fake_asleep(td));
	vm_page_xunbusy(shared_page);
	fake_join(td);
	T_EQ(event_slept, 1);
	T_EQ(event_busied, 2);
	/* A shared holder keeps it waiting too, until the last of them. */
	T_OK(vm_page_trysbusy(shared_page) && vm_page_trysbusy(shared_page));
	td = fake_spawn("waiter", wait_and_busy, NULL);
	fake_run(td);
	vm_page_sunbusy(shared_page);
	fake_yield();
	T_OK(!fake_ended(td));
	vm_page_sunbusy(shared_page);
	fake_join(td);
	vm_object_deallocate(shared_object);
}

static void
test_busy_wakes_every_waiter(void)
{
	struct thread *td[4];

	shared_object = vm_object_allocate(OBJT_ANON, 1);
	VM_OBJECT_WLOCK(shared_object);
	shared_page = vm_page_alloc(shared_object, 0, VM_ALLOC_NORMAL);
	VM_OBJECT_UNLOCK(shared_object);
	for (int i = 0; i < 4; i++) {
		td[i] = fake_spawn("waiter", wait_and_busy, NULL);
		fake_run(td[i]);
	}
	vm_page_xunbusy(shared_page);
	for (int i = 0; i < 4; i++)
		fake_join(td[i]);
	vm_object_deallocate(shared_object);
}

static void
wait_until_killed(void *result)
{
	VM_OBJECT_WLOCK(shared_object);
	*(int *)result = vm_page_busy_sleep(shared_page);
	T_OK(!fake_holds(&shared_object->lock));
}

static void
test_busy_sleep_ends_when_killed(void)
{
	struct thread *td;
	int result = -1;

	shared_object = vm_object_allocate(OBJT_ANON, 1);
	VM_OBJECT_WLOCK(shared_object);
	shared_page = vm_page_alloc(shared_object, 0, VM_ALLOC_NORMAL);
	VM_OBJECT_UNLOCK(shared_object);
	td = fake_spawn("waiter", wait_until_killed, &result);
	fake_run(td);
	T_OK(fake_asleep(td));
	fake_kill(td);
	fake_join(td);
	T_EQ(result, EINTR);
	vm_page_xunbusy(shared_page);
	vm_object_deallocate(shared_object);
}

static void
unbusy_from_elsewhere(void *arg)
{
	vm_page_xunbusy(arg);
}

static void
test_xunbusy_by_another_thread_panics(void)
{
	vm_page_t m = vm_phys_alloc(0, VM_ALLOC_NORMAL);
	struct thread *td;

	if (!INVARIANTS_BUILD) {
		vm_page_free(m);
		return;
	}
	T_OK(vm_page_tryxbusy(m));
	fake_expect_panic("xbusied", NULL);
	td = fake_spawn("thief", unbusy_from_elsewhere, m);
	fake_join(td);
}

/* --- vm_page.c: wire, hold, queues ------------------------------------------------------------ */

static void
test_hold_defers_the_free(void)
{
	uint64_t free_before = vm_cnt.v_free_count;
	vm_page_t m = vm_phys_alloc(0, VM_ALLOC_NORMAL);

	vm_page_hold(m);
	vm_page_hold(m);
	vm_page_free(m);
	T_EQ(vm_cnt.v_free_count, free_before - 1);
	vm_page_unhold(m);
	T_EQ(vm_cnt.v_free_count, free_before - 1);
	vm_page_unhold(m);
	T_EQ(vm_cnt.v_free_count, free_before);
	/* The mark does not outlive the free: held and let go again, the page stays. */
	m = vm_phys_alloc(0, VM_ALLOC_NORMAL);
	vm_page_hold(m);
	vm_page_unhold(m);
	T_EQ(vm_cnt.v_free_count, free_before - 1);
	vm_page_free(m);
}

static void
test_object_dies_while_a_page_is_held(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 1);
	uint64_t free_before = vm_cnt.v_free_count;
	vm_page_t m;

	VM_OBJECT_WLOCK(object);
	m = vm_page_alloc(object, 0, VM_ALLOC_NORMAL);
	vm_page_xunbusy(m);
	vm_page_hold(m);
	VM_OBJECT_UNLOCK(object);
	vm_object_deallocate(object);
	T_OK(m->object == NULL);
	T_EQ(vm_cnt.v_free_count, free_before - 1);
	memset(pmap_page_kva(m), 0x11, PAGE_SIZE); /* still ours */
	vm_page_unhold(m);
	T_EQ(vm_cnt.v_free_count, free_before);
}

static vm_object_t
object_with_page(vm_page_t *m)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 1);

	VM_OBJECT_WLOCK(object);
	*m = vm_page_alloc(object, 0, VM_ALLOC_ZERO);
	(*m)->valid = true;
	vm_page_xunbusy(*m);
	VM_OBJECT_UNLOCK(object);
	return (object);
}

static void
test_queues(void)
{
	vm_page_t m;
	vm_object_t object = object_with_page(&m);

	T_EQ(m->queue, PQ_NONE);
	vm_page_activate(m);
	T_EQ(m->queue, PQ_ACTIVE);
	T_EQ(vm_page_queue_count(PQ_ACTIVE), 1);
	vm_page_activate(m);
	T_EQ(vm_page_queue_count(PQ_ACTIVE), 1);
	vm_page_deactivate(m);
	T_EQ(m->queue, PQ_INACTIVE);
	T_EQ(vm_page_queue_count(PQ_ACTIVE), 0);
	T_EQ(vm_page_queue_count(PQ_INACTIVE), 1);
	vm_page_activate(m);
	T_EQ(vm_page_queue_count(PQ_INACTIVE), 0);
	vm_page_dequeue(m);
	T_EQ(m->queue, PQ_NONE);
	T_EQ(vm_page_queue_count(PQ_ACTIVE), 0);
	vm_page_dequeue(m);
	vm_page_deactivate(m);
	vm_object_deallocate(object); /* takes it off its queue */
	T_EQ(vm_page_queue_count(PQ_INACTIVE), 0);
}

static void
test_wired_pages_are_not_queued(void)
{
	vm_page_t m;
	vm_object_t object = object_with_page(&m);

	vm_page_activate(m);
	vm_page_wire(m);
	T_EQ(vm_cnt.v_wire_count, 1);
	T_EQ(m->queue, PQ_NONE);
	vm_page_wire(m);
	T_EQ(vm_cnt.v_wire_count, 1);
	vm_page_activate(m);
	vm_page_deactivate(m);
	T_EQ(m->queue, PQ_NONE);
	vm_page_unwire(m);
	T_EQ(m->queue, PQ_NONE);
	vm_page_unwire(m);
	T_EQ(m->queue, PQ_ACTIVE);
	T_EQ(vm_cnt.v_wire_count, 0);
	vm_object_deallocate(object);
}

static void
test_device_pages_are_not_queued(void)
{
	vm_page_t m;

	T_EQ(vm_phys_fictitious_reg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + PAGE_SIZE, 0), 0);
	m = vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE);
	vm_page_activate(m);
	vm_page_deactivate(m);
	T_EQ(m->queue, PQ_NONE);
	T_EQ(vm_page_queue_count(PQ_ACTIVE) + vm_page_queue_count(PQ_INACTIVE), 0);
	vm_page_wire(m);
	T_EQ(vm_cnt.v_wire_count, 0); /* counts RAM */
	vm_page_unwire(m);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + PAGE_SIZE);
}

static void
test_unwire_of_unwired_page_panics(void)
{
	vm_page_t m = vm_phys_alloc(0, VM_ALLOC_NORMAL);

	if (!INVARIANTS_BUILD) {
		vm_page_free(m);
		return;
	}
	fake_expect_panic("wire", NULL);
	vm_page_unwire(m);
}

/* --- waiting for memory ----------------------------------------------------------------------- */

static void
wait_for_memory(void *result)
{
	*(int *)result = vm_wait();
}

static void
test_wait_ends_when_pages_are_freed(void)
{
	struct thread *td;
	int result = -1;

	fake_eat_memory(0);
	td = fake_spawn("waiter", wait_for_memory, &result);
	fake_run(td);
	T_OK(fake_asleep(td));
	fake_give_memory(1000);
	fake_join(td);
	T_EQ(result, 0);
	fake_give_memory(~0ul);
}

static void
test_wait_ends_when_killed(void)
{
	struct thread *td;
	int result = -1;

	fake_eat_memory(0);
	td = fake_spawn("waiter", wait_for_memory, &result);
	fake_run(td);
	fake_kill(td);
	fake_join(td);
	T_EQ(result, EINTR);
	fake_give_memory(~0ul);
}

static void
test_wait_with_memory_does_not_hang(void)
{
	T_EQ(vm_wait(), 0);
}

static bool
oom_kills_me(void)
{
	fake_kill(curthread);
	return (true);
}

/* When nothing else can free a page, the wait itself calls vm_oom, and its victim may be the
 * waiter. */
static void
test_wait_calls_oom(void)
{
	fake_eat_memory(0);
	fake_oom_hook = oom_kills_me;
	T_EQ(vm_wait(), EINTR);
	T_OK(fake_oom_calls > 0);
	fake_give_memory(~0ul);
}

static const struct host_test tests[] = {
    TEST(test_blocks_random_against_model),
    TEST(test_blocks_merge_to_the_largest),
    TEST(test_blocks_of_every_order_are_aligned),
    TEST(test_block_freed_page_by_page),
    TEST(test_reserve_is_for_the_system),
    TEST(test_alloc_zero),
    TEST(test_frames_nobody_registered),
    TEST(test_reserved_frames_are_not_handed_out),
    TEST(test_fictitious_range),
    TEST(test_A1_overlapping_range_is_EEXIST),
    TEST(test_A1_another_attribute_is_refused),
    TEST(test_fictitious_range_over_RAM_is_EEXIST),
    TEST(test_fictitious_ENOMEM),
    TEST(test_alloc_in_object),
    TEST(test_alloc_in_object_without_memory),
    TEST(test_P21_insert_at_an_occupied_index),
    TEST(test_remove_keeps_busy_and_holds),
    TEST(test_free_of_device_page_only_leaves_the_object),
    TEST(test_U2_fake_pages_of_one_frame),
    TEST(test_busy_states),
    TEST(test_busy_is_slept_on_by_another_thread),
    TEST(test_busy_wakes_every_waiter),
    TEST(test_busy_sleep_ends_when_killed),
    TEST(test_xunbusy_by_another_thread_panics),
    TEST(test_hold_defers_the_free),
    TEST(test_object_dies_while_a_page_is_held),
    TEST(test_queues),
    TEST(test_wired_pages_are_not_queued),
    TEST(test_device_pages_are_not_queued),
    TEST(test_unwire_of_unwired_page_panics),
    TEST(test_wait_ends_when_pages_are_freed),
    TEST(test_wait_ends_when_killed),
    TEST(test_wait_with_memory_does_not_hang),
    TEST(test_wait_calls_oom),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "page", tests, nitems(tests), FRAMES));
}

/*
 * vm/vm_map.h: maps against a model that keeps, for each page of a small address space, what is
 * mapped there; the tree's invariants after each step; work counted in basic blocks, not in time.
 */
#include "harness.h"
#include "kern/kmalloc.h"

#define BASE    0x100000ul /* of the small address space of the model */
#define NPAGES  1024ul
#define LIMIT   (BASE + ptoa(NPAGES))
#define FRAMES  4096
#define NOBJECT 3

struct cell {
	bool mapped;
	vm_prot_t prot, max_prot;
	vm_object_t object; /* NULL: anonymous */
	vm_ooffset_t offset; /* only with an object */
	uint32_t eflags;
};
static struct cell cells[NPAGES];
static struct vm_map map;
static struct pmap pmap;
static vm_object_t objects[NOBJECT];

static size_t
cell_of(vm_offset_t va)
{
	return (atop(va - BASE));
}

static vm_offset_t
va_of(size_t cell)
{
	return (BASE + ptoa(cell));
}

static void
setup(void)
{
	T_EQ(pmap_pinit(&pmap), 0);
	vm_map_init(&map, &pmap, BASE, LIMIT);
	for (int i = 0; i < NOBJECT; i++)
		T_OK((objects[i] = vm_object_allocate(OBJT_ANON, 2 * NPAGES)) != NULL);
}

static void
teardown(void)
{
	vm_map_destroy(&map);
	T_EQ(map.nentries, 0);
	T_EQ(map.size, 0);
	T_OK(map.root == NULL);
	pmap_release(&pmap);
	for (int i = 0; i < NOBJECT; i++) {
		T_EQ(objects[i]->ref_count, 1);
		vm_object_deallocate(objects[i]);
	}
}

/* --- invariants ------------------------------------------------------------------------------- */

static vm_map_entry_t walk_prev;
static uint32_t walk_count;

static int
check_subtree(vm_map_entry_t e, vm_map_entry_t parent)
{
	int left, right;
	vm_size_t max_gap;

	if (e == NULL)
		return (0);
	T_OK(e->parent == parent);
	left = check_subtree(e->left, e);
	T_OK(e->prev == walk_prev); /* the list and the tree agree */
	walk_prev = e;
	walk_count++;
	right = check_subtree(e->right, e);
	T_OK(left - right <= 1 && right - left <= 1);
	T_EQ(e->height, MAX(left, right) + 1);
	max_gap = e->gap;
	if (e->left != NULL)
		max_gap = MAX(max_gap, e->left->max_gap);
	if (e->right != NULL)
		max_gap = MAX(max_gap, e->right->max_gap);
	T_EQ(e->max_gap, max_gap);
	return (e->height);
}

/* That it has the n entries of the list, in order and in balance. */
static void
check_tree(vm_map_t mp, uint32_t n)
{
	walk_prev = &mp->header;
	walk_count = 0;
	check_subtree(mp->root, NULL);
	T_EQ(walk_count, n);
	T_OK(mp->header.prev == walk_prev);
}

static void
check_map(vm_map_t mp)
{
	vm_map_entry_t e;
	vm_offset_t end = mp->min;
	vm_size_t size = 0, data = 0, charged = 0;
	uint32_t n = 0;

	VM_MAP_ENTRY_FOREACH (e, mp) {
		T_OK(e->start >= end && e->start < e->end && e->end <= mp->max);
		T_OK(((e->start | e->end) & PAGE_MASK) == 0);
		T_EQ(e->gap, e->start - end);
		T_OK(e->next->prev == e);
		T_OK((e->protection & ~e->max_protection) == 0);
		end = e->end;
		size += e->end - e->start;
		data += (e->protection & VM_PROT_WRITE) != 0 ? e->end - e->start : 0;
		charged += (e->eflags & MAP_ENTRY_CHARGED) != 0 ? atop(e->end - e->start) : 0;
		n++;
	}
	T_EQ(mp->nentries, n);
	T_EQ(mp->size, size);
	T_EQ(mp->data_size, data);
	T_EQ(vm_cnt.v_committed, charged);
	T_EQ(vm_cnt.v_map_entries, n);
	check_tree(mp, n);
}

static void
check_model(void)
{
	vm_map_entry_t e;
	size_t i = 0;

	vm_map_lock_read(&map);
	VM_MAP_ENTRY_FOREACH (e, &map) {
		for (; i < cell_of(e->start); i++)
			T_OK(!cells[i].mapped);
		for (; i < NPAGES && va_of(i) < e->end; i++) {
			T_OK(cells[i].mapped);
			T_EQ(e->protection, cells[i].prot);
			T_EQ(e->max_protection, cells[i].max_prot);
			T_EQ(e->eflags, cells[i].eflags); /* with MAP_ENTRY_CHARGED */
			if (cells[i].object == NULL)
				continue;
			T_OK(e->object == cells[i].object);
			T_EQ(e->offset + (va_of(i) - e->start), cells[i].offset);
		}
	}
	for (; i < NPAGES; i++)
		T_OK(!cells[i].mapped);
	check_map(&map);
	vm_map_unlock_read(&map);
}

/* Entries the model would have were everything merged that may be. */
static uint32_t
model_entries(void)
{
	uint32_t n = 0;

	for (size_t i = 0; i < NPAGES; i++) {
		struct cell *c = &cells[i], *p = c - 1;

		if (!c->mapped)
			continue;
		if (i == 0 || !p->mapped || p->prot != c->prot || p->max_prot != c->max_prot ||
		    p->object != c->object || p->eflags != c->eflags ||
		    (c->object != NULL && p->offset + PAGE_SIZE != c->offset))
			n++;
	}
	return (n);
}

/* --- the model's operations ------------------------------------------------------------------- */

static bool
model_free(size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		if (i >= NPAGES || cells[i].mapped)
			return (false);
	}
	return (true);
}

/* What may be written is charged; once there are pages, it stays so. */
static uint32_t
model_flags(vm_prot_t prot, uint32_t eflags)
{
	return ((prot & VM_PROT_WRITE) != 0 ? eflags | MAP_ENTRY_CHARGED : eflags);
}

static void
model_map(size_t first, size_t n, const struct vm_map_req *req)
{
	for (size_t i = 0; i < n; i++)
		cells[first + i] = (struct cell){.mapped = true,
						 .prot = req->prot,
						 .max_prot = req->max_prot,
						 .object = req->object,
						 .offset = req->offset + ptoa(i),
						 .eflags = model_flags(req->prot, req->eflags)};
}

static void
model_unmap(size_t first, size_t n)
{
	memset(&cells[first], 0, n * sizeof(cells[0]));
}

static int
model_protect(size_t first, size_t n, vm_prot_t prot)
{
	for (size_t i = first; i < first + n; i++) {
		if (!cells[i].mapped)
			return (KERN_INVALID_ADDRESS);
		if (prot & ~cells[i].max_prot)
			return (KERN_PROTECTION_FAILURE);
		cells[i].prot = prot;
		if (cells[i].object == NULL) /* never touched, here */
			cells[i].eflags = 0;
		cells[i].eflags = model_flags(prot, cells[i].eflags);
	}
	return (KERN_SUCCESS);
}

/* The highest run of free pages below `below` that has room for n and any alignment; first page of
 * the place taken in it, or -1. */
static long
model_room(size_t below, size_t n, size_t align, size_t phase)
{
	size_t need = n + align - 1, hi = below;

	while (hi > 0) {
		size_t lo;

		if (cells[hi - 1].mapped) {
			hi--;
			continue;
		}
		for (lo = hi; lo > 0 && !cells[lo - 1].mapped; lo--)
			continue;
		if (hi - lo >= need) {
			for (lo = hi - n; (atop(va_of(lo)) - phase) % align != 0; lo--)
				continue;
			return (lo);
		}
		hi = lo;
	}
	return (-1);
}

static const vm_prot_t prots[] = {VM_PROT_NONE, VM_PROT_READ, VM_PROT_RW,
				  VM_PROT_READ | VM_PROT_EXECUTE};

static struct vm_map_req
some_req(struct rng *r)
{
	struct vm_map_req req = {.prot = prots[rng_below(r, nitems(prots))]};

	req.max_prot = rng_below(r, 4) != 0 ? VM_PROT_ALL : req.prot | VM_PROT_READ;
	if (rng_below(r, 2) == 0) {
		req.object = objects[rng_below(r, NOBJECT)];
		req.offset = ptoa(rng_below(r, NPAGES));
	}
	return (req);
}

/* The reference that goes to the map, or comes back on failure. */
static void
settle(const struct vm_map_req *req, int rv)
{
	if (rv != KERN_SUCCESS && req->object != NULL)
		vm_object_deallocate(req->object);
}

static void
step_insert(struct rng *r, size_t first, size_t n)
{
	struct vm_map_req req = some_req(r);
	uint32_t stamp = map.timestamp;
	int rv;

	if (req.object != NULL)
		vm_object_reference(req.object);
	rv = vm_map_insert(&map, va_of(first), ptoa(n), &req);
	settle(&req, rv);
	T_EQ(rv, model_free(first, n) ? KERN_SUCCESS : KERN_NO_SPACE);
	if (rv == KERN_SUCCESS) {
		model_map(first, n, &req);
		T_OK(map.timestamp != stamp);
	}
}

static void
step_fixed(struct rng *r, size_t first, size_t n)
{
	struct vm_map_req req = some_req(r);
	int rv;

	n = MIN(n, NPAGES - first);
	if (req.object != NULL)
		vm_object_reference(req.object);
	rv = vm_map_fixed(&map, va_of(first), ptoa(n), &req);
	T_EQ(rv, KERN_SUCCESS);
	model_map(first, n, &req);
}

static void
step_find(struct rng *r, size_t first, size_t n)
{
	struct vm_map_req req = some_req(r);
	vm_offset_t hint = rng_below(r, 2) != 0 ? va_of(first) : 0, addr = hint;
	size_t align = 1ul << rng_below(r, 5), phase = rng_below(r, align);
	long place;
	int rv;

	if (align > 1) {
		req.align = ptoa(align);
		req.align_phase = ptoa(phase);
	}
	if (req.object != NULL)
		vm_object_reference(req.object);
	if (hint != 0 && model_free(first, n)) {
		place = first;
	} else {
		place = model_room(NPAGES, n, align, phase + atop(req.offset));
		if (place < 0) /* alignment is a wish */
			place = model_room(NPAGES, n, 1, 0);
	}
	rv = vm_map_find(&map, &addr, ptoa(n), &req);
	settle(&req, rv);
	T_EQ(rv, place >= 0 ? KERN_SUCCESS : KERN_NO_SPACE);
	if (rv == KERN_SUCCESS) {
		T_EQ(addr, va_of(place));
		model_map(place, n, &req);
	}
}

static void
step_remove(size_t first, size_t n)
{
	n = MIN(n, NPAGES - first);
	T_EQ(vm_map_remove(&map, va_of(first), va_of(first + n)), KERN_SUCCESS);
	model_unmap(first, n);
}

static void
step_protect(struct rng *r, size_t first, size_t n)
{
	vm_prot_t prot = prots[rng_below(r, nitems(prots))];

	n = MIN(n, NPAGES - first);
	T_EQ(vm_map_protect(&map, va_of(first), va_of(first + n), prot),
	     model_protect(first, n, prot));
}

static void
step_lookup(size_t i)
{
	vm_map_entry_t e;
	size_t next = i;

	vm_map_lock_read(&map);
	e = vm_map_lookup_entry(&map, va_of(i) + 5);
	T_OK((e != NULL) == cells[i].mapped);
	T_OK(e == NULL || (e->start <= va_of(i) && va_of(i) < e->end));
	while (next < NPAGES && !cells[next].mapped)
		next++;
	e = vm_map_entry_at_or_after(&map, va_of(i));
	T_OK((e != NULL) == (next < NPAGES));
	if (e != NULL && next > i)
		T_EQ(e->start, va_of(next));
	vm_map_unlock_read(&map);
}

static void
random_step(struct rng *r)
{
	size_t first = rng_below(r, NPAGES), n = 1 + rng_below(r, rng_below(r, 8) ? 12 : 200);

	switch (rng_below(r, 10)) {
	case 0:
	case 1:
		step_insert(r, first, n);
		break;
	case 2:
	case 3:
		step_find(r, first, n);
		break;
	case 4:
		step_fixed(r, first, n);
		break;
	case 5:
	case 6:
		step_remove(first, n * 2);
		break;
	case 7:
	case 8:
		step_protect(r, first, n);
		break;
	default:
		step_lookup(first);
	}
}

static void
random_run(uint64_t seed, int steps)
{
	struct rng r = {seed};

	setup();
	for (int i = 0; i < steps; i++) {
		random_step(&r);
		if (i % 4 == 0)
			check_model();
	}
	check_model();
	teardown();
}

static void
test_random_against_model_1(void)
{
	random_run(11, 50000);
}

static void
test_random_against_model_2(void)
{
	random_run(12, 50000);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void
test_bounds_and_wrap_around(void)
{
	static const struct {
		vm_offset_t start;
		vm_size_t length;
	} bad[] = {
	    {BASE - PAGE_SIZE, PAGE_SIZE},
	    {BASE - PAGE_SIZE, 2 * PAGE_SIZE},
	    {LIMIT - PAGE_SIZE, 2 * PAGE_SIZE},
	    {LIMIT, PAGE_SIZE},
	    {0, LIMIT},
	    {BASE, 0},
	    {BASE, -PAGE_SIZE}, /* ends below where it starts */
	    {BASE, -BASE}, /* ends at 2^64 */
	    {-PAGE_SIZE, PAGE_SIZE},
	    {-PAGE_SIZE, 2 * PAGE_SIZE},
	    {~0ul << PAGE_SHIFT, ~0ul << PAGE_SHIFT},
	    {BASE + ptoa(5), -ptoa(5)},
	};
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};

	setup();
	for (size_t i = 0; i < nitems(bad); i++) {
		vm_offset_t addr = bad[i].start;

		T_EQ(vm_map_insert(&map, bad[i].start, bad[i].length, &req), KERN_NO_SPACE);
		T_EQ(vm_map_fixed(&map, bad[i].start, bad[i].length, &req), KERN_NO_SPACE);
		if (bad[i].length > ptoa(NPAGES) || bad[i].length == 0) {
			T_EQ(vm_map_find(&map, &addr, bad[i].length, &req), KERN_NO_SPACE);
			addr = 0;
			T_EQ(vm_map_find(&map, &addr, bad[i].length, &req), KERN_NO_SPACE);
		}
		T_EQ(map.nentries, 0);
	}
	/* The whole of it fits, and then nothing more. */
	T_EQ(vm_map_insert(&map, BASE, ptoa(NPAGES), &req), KERN_SUCCESS);
	check_map(&map);
	vm_offset_t addr = 0;
	T_EQ(vm_map_find(&map, &addr, PAGE_SIZE, &req), KERN_NO_SPACE);
	teardown();
}

static void
test_fixed_out_of_bounds_unmaps_nothing(void)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};

	setup();
	T_EQ(vm_map_insert(&map, LIMIT - ptoa(2), ptoa(2), &req), KERN_SUCCESS);
	T_EQ(vm_map_fixed(&map, LIMIT - ptoa(2), ptoa(3), &req), KERN_NO_SPACE);
	T_EQ(map.size, ptoa(2));
	teardown();
}

static void
test_protect_of_a_hole(void)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_RW};

	setup();
	T_EQ(vm_map_protect(&map, BASE, BASE + ptoa(4), VM_PROT_READ), KERN_INVALID_ADDRESS);
	T_EQ(vm_map_insert(&map, BASE + ptoa(1), ptoa(2), &req), KERN_SUCCESS);
	T_EQ(vm_map_protect(&map, BASE, BASE + ptoa(2), VM_PROT_READ), KERN_INVALID_ADDRESS);
	T_EQ(map.header.next->protection, VM_PROT_RW); /* the hole comes first */
	T_EQ(vm_map_protect(&map, BASE + ptoa(1), BASE + ptoa(2), VM_PROT_ALL),
	     KERN_PROTECTION_FAILURE);
	T_EQ(map.header.next->protection, VM_PROT_RW);
	/* What comes before the hole has changed, as in Linux. */
	T_EQ(vm_map_protect(&map, BASE + ptoa(2), BASE + ptoa(4), VM_PROT_READ),
	     KERN_INVALID_ADDRESS);
	T_EQ(map.nentries, 2);
	T_EQ(map.header.prev->protection, VM_PROT_READ);
	teardown();
}

/* A refusal leaves no clip behind. */
static void
test_refused_protect_does_not_split(void)
{
	struct vm_map_req req = {.prot = VM_PROT_READ, .max_prot = VM_PROT_READ};

	setup();
	T_EQ(vm_map_insert(&map, BASE, ptoa(9), &req), KERN_SUCCESS);
	T_EQ(vm_map_protect(&map, BASE + ptoa(3), BASE + ptoa(6), VM_PROT_RW),
	     KERN_PROTECTION_FAILURE);
	T_EQ(map.nentries, 1);
	check_map(&map);
	teardown();
}

/* Page by page from the front: the border between what is done and what is not moves, which takes
 * no memory. */
static void
test_protect_moves_a_border(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 8);
	struct vm_map_req req = {.object = object, .prot = VM_PROT_READ, .max_prot = VM_PROT_ALL};
	uint64_t calls;

	setup();
	T_EQ(vm_map_insert(&map, BASE, ptoa(8), &req), KERN_SUCCESS);
	T_EQ(vm_map_protect(&map, BASE, BASE + ptoa(1), VM_PROT_RW), KERN_SUCCESS);
	calls = fake_kmem_calls;
	for (int i = 1; i < 7; i++) {
		T_EQ(vm_map_protect(&map, BASE + ptoa(i), BASE + ptoa(i + 1), VM_PROT_RW),
		     KERN_SUCCESS);
		T_EQ(map.nentries, 2);
		T_EQ(map.header.next->end, BASE + ptoa(i + 1));
		T_EQ(map.header.prev->start, BASE + ptoa(i + 1));
		T_EQ(map.header.prev->offset, ptoa(i + 1));
		T_EQ(map.header.prev->protection, VM_PROT_READ);
		check_map(&map);
	}
	T_EQ(fake_kmem_calls, calls);
	T_EQ(object->ref_count, 2);
	T_EQ(vm_map_protect(&map, BASE + ptoa(7), BASE + ptoa(8), VM_PROT_RW), KERN_SUCCESS);
	T_EQ(map.nentries, 1);
	T_EQ(object->ref_count, 1);
	teardown();
}

/* --- merging ---------------------------------------------------------------------------------- */

static void
test_merge_of_compatible_neighbours(void)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};

	setup();
	T_EQ(vm_map_insert(&map, BASE + ptoa(1), ptoa(1), &req), KERN_SUCCESS);
	T_EQ(vm_map_insert(&map, BASE + ptoa(3), ptoa(1), &req), KERN_SUCCESS);
	T_EQ(map.nentries, 2);
	T_EQ(vm_map_insert(&map, BASE + ptoa(2), ptoa(1), &req), KERN_SUCCESS);
	T_EQ(map.nentries, 1); /* with both sides at once */
	check_map(&map);
	/* Split by protection, and whole again. */
	T_EQ(vm_map_protect(&map, BASE + ptoa(2), BASE + ptoa(3), VM_PROT_READ), KERN_SUCCESS);
	T_EQ(map.nentries, 3);
	T_EQ(vm_map_protect(&map, BASE + ptoa(2), BASE + ptoa(3), VM_PROT_RW), KERN_SUCCESS);
	T_EQ(map.nentries, 1);
	check_map(&map);
	teardown();
}

static void
insert_two(struct vm_map_req *a, struct vm_map_req *b, uint32_t entries)
{
	setup();
	if (a->object != NULL)
		vm_object_reference(a->object = objects[0]);
	if (b->object != NULL)
		vm_object_reference(b->object = objects[b->object == a->object ? 0 : 1]);
	T_EQ(vm_map_insert(&map, BASE, ptoa(2), a), KERN_SUCCESS);
	T_EQ(vm_map_insert(&map, BASE + ptoa(2), ptoa(2), b), KERN_SUCCESS);
	T_EQ(map.nentries, entries);
	check_map(&map);
	teardown();
}

static int names_held;

static void
name_ref(void *vp)
{
	(void)vp;
	names_held++;
}

static void
name_rele(void *vp)
{
	(void)vp;
	names_held--;
}

static void
test_no_merge_of_unlike_neighbours(void)
{
	struct vm_map_req rw = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL}, other;

	insert_two(&rw, &rw, 1);
	other = rw;
	other.prot = VM_PROT_READ;
	insert_two(&rw, &other, 2);
	other = rw;
	other.max_prot = VM_PROT_RW;
	insert_two(&rw, &other, 2);
	other = rw;
	other.eflags = MAP_ENTRY_HEAP;
	insert_two(&rw, &other, 2);
	insert_two(&other, &other, 1);
	other.eflags = MAP_ENTRY_NOMERGE;
	insert_two(&other, &other, 2);
	other = rw;
	other.name_vp = &names_held;
	insert_two(&rw, &other, 2);
}

static void
map_object(vm_offset_t va, vm_size_t length, vm_object_t object, vm_ooffset_t offset)
{
	struct vm_map_req req = {
	    .object = object, .offset = offset, .prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};

	vm_object_reference(object);
	T_EQ(vm_map_insert(&map, va, length, &req), KERN_SUCCESS);
	check_map(&map);
}

static void
test_merge_of_object_mappings_needs_the_next_offset(void)
{
	setup();
	map_object(BASE, ptoa(2), objects[0], ptoa(10));
	map_object(BASE + ptoa(2), ptoa(2), objects[0], ptoa(12));
	T_EQ(map.nentries, 1);
	T_EQ(objects[0]->ref_count, 2);
	map_object(BASE + ptoa(4), ptoa(2), objects[0], ptoa(15));
	T_EQ(map.nentries, 2);
	map_object(BASE + ptoa(6), ptoa(2), objects[1], ptoa(17));
	T_EQ(map.nentries, 3);
	T_EQ(objects[0]->ref_count, 3);
	teardown();
}

static void
test_clip_keeps_offsets_and_references(void)
{
	vm_map_entry_t e;

	setup();
	map.name_ref = name_ref;
	map.name_rele = name_rele;
	struct vm_map_req req = {.object = objects[0],
				 .offset = ptoa(7),
				 .prot = VM_PROT_RW,
				 .max_prot = VM_PROT_ALL,
				 .name_vp = &names_held};
	vm_object_reference(objects[0]);
	T_EQ(vm_map_insert(&map, BASE, ptoa(10), &req), KERN_SUCCESS);
	T_EQ(names_held, 1);
	T_EQ(vm_map_remove(&map, BASE + ptoa(4), BASE + ptoa(5)), KERN_SUCCESS);
	T_EQ(map.nentries, 2);
	T_EQ(objects[0]->ref_count, 3);
	T_EQ(names_held, 2);
	e = map.header.next;
	T_EQ(e->offset, ptoa(7));
	T_EQ(e->end, BASE + ptoa(4));
	T_EQ(e->next->start, BASE + ptoa(5));
	T_EQ(e->next->offset, ptoa(12));
	check_map(&map);
	teardown();
	T_EQ(names_held, 0);
}

/* brk: growing the heap a page at a time stays one entry and one object, touched or not. */
static void
test_growing_anonymous_memory_stays_one_entry(void)
{
	struct space *s = space_create();
	vm_offset_t va = 0x400000;

	for (int i = 0; i < 64; i++) {
		space_map(s, va + ptoa(i), PAGE_SIZE, NULL, 0, VM_PROT_RW, VM_PROT_ALL,
			  MAP_ENTRY_HEAP);
		space_write(s, va + ptoa(i), i);
	}
	T_EQ(s->map.nentries, 1);
	T_EQ(vm_cnt.v_objects, 1);
	for (int i = 0; i < 64; i++)
		T_EQ(space_read(s, va + ptoa(i)), i);
	/* Shrink and grow again: the pages that come back are zeros. */
	space_unmap(s, va + ptoa(32), ptoa(32));
	space_map(s, va + ptoa(32), ptoa(32), NULL, 0, VM_PROT_RW, VM_PROT_ALL, MAP_ENTRY_HEAP);
	for (int i = 32; i < 64; i++)
		T_EQ(space_read(s, va + ptoa(i)), 0);
	T_EQ(space_read(s, va + ptoa(31)), 31);
	space_destroy(s);
}

/* The model again, counting entries: nothing that could be merged stays apart for good. */
/* Of touched memory: the pages go, the others are found where they were. */
static void
test_unmapping_an_end_shortens_the_entry(void)
{
	vm_offset_t va = 0x40000000;
	struct space *s = space_create();
	vm_map_entry_t e;
	uint64_t calls;

	space_map(s, va, ptoa(8), NULL, 0, VM_PROT_RW, VM_PROT_ALL, 0);
	for (int i = 0; i < 8; i++)
		T_EQ(fake_touch(&s->map, va + ptoa(i), VM_PROT_WRITE, NULL), KERN_SUCCESS);
	calls = fake_kmem_calls;
	T_EQ(vm_map_remove(&s->map, va - PAGE_SIZE, va + ptoa(0)), KERN_SUCCESS); /* nothing */
	T_EQ(vm_map_remove(&s->map, va, va + ptoa(2)), KERN_SUCCESS);
	T_EQ(vm_map_remove(&s->map, va + ptoa(7), va + ptoa(8)), KERN_SUCCESS);
	T_EQ(fake_kmem_calls, calls);
	T_EQ(s->map.nentries, 1);
	T_EQ(s->map.size, ptoa(5));
	e = s->map.header.next;
	T_OK(e->start == va + ptoa(2) && e->end == va + ptoa(7) && e->offset == ptoa(2));
	T_EQ(e->object->resident_page_count, 5);
	T_EQ(fake_mapped(&s->pmap, va, va + ptoa(8)), 5);
	T_EQ(fake_touch(&s->map, va + ptoa(1), VM_PROT_READ, NULL), KERN_INVALID_ADDRESS);
	T_EQ(fake_touch(&s->map, va + ptoa(7), VM_PROT_READ, NULL), KERN_INVALID_ADDRESS);
	vm_cnt.v_zfod = 0;
	T_EQ(vm_map_protect(&s->map, va + ptoa(2), va + ptoa(7), VM_PROT_READ), KERN_SUCCESS);
	for (int i = 2; i < 7; i++)
		T_EQ(fake_touch(&s->map, va + ptoa(i), VM_PROT_READ, NULL), KERN_SUCCESS);
	T_EQ(vm_cnt.v_zfod, 0);
	space_destroy(s);
}

static void
test_protect_all_merges_all(void)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};
	struct rng r = {5};

	setup();
	model_map(0, NPAGES, &req);
	T_EQ(vm_map_insert(&map, BASE, ptoa(NPAGES), &req), KERN_SUCCESS);
	for (int i = 0; i < 5000; i++) {
		step_protect(&r, rng_below(&r, NPAGES), 1 + rng_below(&r, 50));
		T_EQ(map.nentries, model_entries());
	}
	check_model();
	T_EQ(vm_map_protect(&map, BASE, LIMIT, VM_PROT_READ), KERN_SUCCESS);
	T_EQ(map.nentries, 1);
	teardown();
}

/* --- finding room ----------------------------------------------------------------------------- */

static void
test_find_takes_the_highest_gap(void)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};
	vm_offset_t addr = 0;

	setup();
	T_EQ(vm_map_find(&map, &addr, ptoa(3), &req), KERN_SUCCESS);
	T_EQ(addr, LIMIT - ptoa(3));
	req.prot = VM_PROT_READ;
	addr = 0;
	T_EQ(vm_map_find(&map, &addr, ptoa(2), &req), KERN_SUCCESS);
	T_EQ(addr, LIMIT - ptoa(5));
	T_EQ(vm_map_remove(&map, LIMIT - ptoa(3), LIMIT - ptoa(1)), KERN_SUCCESS);
	addr = 0;
	T_EQ(vm_map_find(&map, &addr, ptoa(2), &req), KERN_SUCCESS);
	T_EQ(addr, LIMIT - ptoa(3)); /* fits exactly */
	addr = 0;
	T_EQ(vm_map_find(&map, &addr, ptoa(2), &req), KERN_SUCCESS);
	T_EQ(addr, LIMIT - ptoa(7));
	teardown();
}

static void
test_find_takes_a_free_hint(void)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};
	vm_offset_t addr = BASE + ptoa(8);

	setup();
	T_EQ(vm_map_find(&map, &addr, ptoa(3), &req), KERN_SUCCESS);
	T_EQ(addr, BASE + ptoa(8));
	addr = BASE + ptoa(10); /* taken */
	T_EQ(vm_map_find(&map, &addr, ptoa(3), &req), KERN_SUCCESS);
	T_EQ(addr, LIMIT - ptoa(3));
	addr = LIMIT + ptoa(10); /* out of bounds */
	T_EQ(vm_map_find(&map, &addr, ptoa(3), &req), KERN_SUCCESS);
	T_EQ(addr, LIMIT - ptoa(6));
	addr = BASE + 1; /* not aligned */
	T_EQ(vm_map_find(&map, &addr, ptoa(3), &req), KERN_SUCCESS);
	T_EQ(addr, LIMIT - ptoa(9));
	teardown();
}

static void
test_find_honours_alignment_and_phase(void)
{
	setup();
	for (int i = 0; i < 8; i++) {
		struct vm_map_req req = {.object = objects[0],
					 .offset = ptoa(3 * i),
					 .prot = VM_PROT_RW,
					 .max_prot = VM_PROT_ALL,
					 .align = ptoa(32),
					 .align_phase = ptoa(5)};
		vm_offset_t addr = 0;

		vm_object_reference(objects[0]);
		T_EQ(vm_map_find(&map, &addr, ptoa(4), &req), KERN_SUCCESS);
		T_EQ((addr - req.offset - ptoa(5)) % ptoa(32), 0);
	}
	check_map(&map);
	teardown();
}

static void
test_find_looks_below_top_first(void)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};
	vm_offset_t addr = 0;

	setup();
	map.top = LIMIT - ptoa(100);
	T_EQ(vm_map_find(&map, &addr, ptoa(10), &req), KERN_SUCCESS);
	T_EQ(addr, LIMIT - ptoa(110));
	addr = 0;
	T_EQ(vm_map_find(&map, &addr, ptoa(NPAGES - 110), &req), KERN_SUCCESS);
	T_EQ(addr, BASE);
	addr = 0; /* nothing left below: then above */
	T_EQ(vm_map_find(&map, &addr, ptoa(10), &req), KERN_SUCCESS);
	T_EQ(addr, LIMIT - ptoa(10));
	teardown();
}

/* --- the timestamp ---------------------------------------------------------------------------- */

static void
test_timestamp_moves_with_each_change(void)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};
	vm_offset_t addr = 0;
	uint32_t stamp;

	setup();
#define MOVES(call)                           \
	do {                                  \
		stamp = map.timestamp;        \
		T_EQ(call, KERN_SUCCESS);     \
		T_OK(map.timestamp != stamp); \
	} while (0)
	MOVES(vm_map_insert(&map, BASE, ptoa(4), &req));
	MOVES(vm_map_find(&map, &addr, ptoa(4), &req));
	MOVES(vm_map_fixed(&map, BASE + ptoa(2), ptoa(4), &req));
	MOVES(vm_map_protect(&map, BASE, BASE + ptoa(2), VM_PROT_READ));
	MOVES(vm_map_wire(&map, BASE, BASE + ptoa(2)));
	MOVES(vm_map_unwire(&map, BASE, BASE + ptoa(2)));
	MOVES(vm_map_remove(&map, BASE, BASE + ptoa(2)));
#undef MOVES
	stamp = map.timestamp;
	vm_map_lock_read(&map);
	vm_map_unlock_read(&map);
	T_EQ(map.timestamp, stamp);
	teardown();
}

/* --- out of memory ---------------------------------------------------------------------------- */

static void
snapshot_cells(struct cell *to)
{
	memcpy(to, cells, sizeof(cells));
}

/* Run one step with its nth allocation failing, for each n: the map is as it was, or the step
 * done. */
static void
test_ENOMEM_changes_nothing(void)
{
	static struct cell before[NPAGES];
	struct rng r = {7};
	uint64_t failures = 0;

	setup();
	for (int i = 0; i < 400; i++)
		random_step(&r);
	for (int i = 0; i < 4000; i++) {
		size_t first = rng_below(&r, NPAGES - 20), n = 1 + rng_below(&r, 20);
		vm_offset_t start = va_of(first), end = va_of(first + n), addr = 0;
		struct vm_map_req req = some_req(&r);
		int op = rng_below(&r, 5), rv = KERN_SUCCESS;
		vm_prot_t prot = prots[rng_below(&r, nitems(prots))];

		snapshot_cells(before);
		for (uint64_t nth = 1;; nth++) {
			uint32_t entries = map.nentries;

			if (op <= 2 && req.object != NULL)
				vm_object_reference(req.object);
			fake_kmem_fail(nth);
			switch (op) {
			case 0:
				rv = vm_map_insert(&map, start, end - start, &req);
				break;
			case 1:
				rv = vm_map_fixed(&map, start, end - start, &req);
				break;
			case 2:
				addr = 0;
				rv = vm_map_find(&map, &addr, end - start, &req);
				break;
			case 3:
				rv = vm_map_remove(&map, start, end);
				break;
			default:
				rv = vm_map_protect(&map, start, end, prot);
			}
			if (op <= 2)
				settle(&req, rv);
			if (!fake_kmem_failed())
				break;
			failures++;
			if (rv == KERN_SUCCESS)
				break;
			T_EQ(rv, KERN_RESOURCE_SHORTAGE);
			if (op == 1) /* fixed may have unmapped what was there */
				vm_map_remove(&map, start, end), model_unmap(first, n);
			else
				T_EQ(map.nentries, entries);
			check_model();
		}
		fake_kmem_fail(0);
		if (rv == KERN_SUCCESS && op <= 2)
			model_map(op == 2 ? cell_of(addr) : first, n, &req);
		else if (op == 3)
			model_unmap(first, n);
		else if (op == 4)
			model_protect(first, n, prot);
		check_model();
	}
	T_OK(failures > 1000);
	teardown();
}

static void
test_ENOMEM_of_a_split_unmap_with_NOMERGE(void)
{
	struct vm_map_req req = {
	    .prot = VM_PROT_RW, .max_prot = VM_PROT_ALL, .eflags = MAP_ENTRY_NOMERGE};

	setup();
	T_EQ(vm_map_insert(&map, BASE, ptoa(9), &req), KERN_SUCCESS);
	fake_kmem_fail(2);
	T_EQ(vm_map_remove(&map, BASE + ptoa(3), BASE + ptoa(6)), KERN_RESOURCE_SHORTAGE);
	T_OK(fake_kmem_failed());
	fake_kmem_fail(0);
	T_EQ(map.size, ptoa(9));
	T_EQ(map.nentries, 1);
	check_map(&map);
	teardown();
}

/* --- O(log n) --------------------------------------------------------------------------------- */

struct cost {
	uint64_t insert, find, lookup, remove;
};

/* n entries with gaps between; the mean cost in basic blocks of operations in the middle of
 * them. */
static struct cost
measure(size_t n)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};
	struct space *s = space_create();
	struct rng r = {9};
	struct cost c = {0, 0, 0, 0};
	uint64_t t;

	for (size_t i = 0; i < n; i++)
		T_EQ(vm_map_insert(&s->map, BASE + ptoa(4 * i), ptoa(2), &req), KERN_SUCCESS);
	T_EQ(s->map.nentries, n);
	/* All room above is taken, but for one hole in the middle that is large enough. */
	T_EQ(vm_map_insert(&s->map, BASE + ptoa(4 * n), VM_MAXUSER_ADDRESS - BASE - ptoa(4 * n),
			   &req),
	     KERN_SUCCESS);
	vm_map_remove(&s->map, VM_MINUSER_ADDRESS, BASE);
	for (int i = 0; i < 1000; i++) {
		size_t k = 1 + rng_below(&r, n - 2);
		vm_offset_t addr = 0, hole = BASE + ptoa(4 * k);

		t = fake_steps;
		T_EQ(vm_map_remove(&s->map, hole, hole + ptoa(2)), KERN_SUCCESS);
		c.remove += fake_steps - t;
		t = fake_steps;
		T_EQ(vm_map_find(&s->map, &addr, ptoa(6), &req), KERN_SUCCESS);
		c.find += fake_steps - t;
		T_EQ(addr, hole - ptoa(2)); /* the only gap of six pages */
		T_EQ(vm_map_remove(&s->map, addr, addr + ptoa(6)), KERN_SUCCESS);
		t = fake_steps;
		T_EQ(vm_map_insert(&s->map, hole, ptoa(2), &req), KERN_SUCCESS);
		c.insert += fake_steps - t;
		t = fake_steps;
		vm_map_lock_read(&s->map);
		T_OK(vm_map_lookup_entry(&s->map, hole) != NULL);
		vm_map_unlock_read(&s->map);
		c.lookup += fake_steps - t;
	}
	check_map(&s->map);
	space_destroy(s);
	return (c);
}

/* log2(100,000) / log2(1,000) = 1.67; a linear walk would be a hundred times as much. */
static void
at_most_twice(const char *what, uint64_t small, uint64_t large)
{
	if (large > 2 * small)
		T_FAIL("%s: %lu blocks with 10^3 entries, %lu with 10^5", what, small, large);
}

static void
test_100000_entries_cost_the_logarithm(void)
{
	struct cost small, large;

	vm_max_map_count = 200000;
	small = measure(1000);
	large = measure(100000);
	at_most_twice("insert", small.insert, large.insert);
	at_most_twice("find", small.find, large.find);
	at_most_twice("lookup", small.lookup, large.lookup);
	at_most_twice("remove", small.remove, large.remove);
}

/* A hundred thousand gaps that are almost large enough, and one at the bottom that is. */
static void
test_find_below_100000_small_gaps(void)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL, .align = ptoa(4)};
	struct space *s = space_create();
	vm_offset_t addr = 0, base = VM_MINUSER_ADDRESS + ptoa(64);
	uint64_t t;

	vm_max_map_count = 200000;
	for (size_t i = 0; i < 100000; i++)
		T_EQ(vm_map_insert(&s->map, base + ptoa(8 * i), ptoa(4), &req), KERN_SUCCESS);
	T_EQ(vm_map_insert(&s->map, base + ptoa(800000), VM_MAXUSER_ADDRESS - base - ptoa(800000),
			   &req),
	     KERN_SUCCESS);
	t = fake_steps;
	T_EQ(vm_map_find(&s->map, &addr, ptoa(5), &req), KERN_SUCCESS);
	T_OK(addr < base);
	t = fake_steps - t;
	if (t > 3000)
		T_FAIL("find took %lu blocks", t);
	/* Four pages fit each gap, but not with any alignment: then without. */
	addr = 0;
	t = fake_steps;
	req.align = ptoa(64);
	T_EQ(vm_map_find(&s->map, &addr, ptoa(4), &req), KERN_SUCCESS);
	t = fake_steps - t;
	if (t > 3000)
		T_FAIL("find without alignment took %lu blocks", t);
	space_destroy(s);
}

/* --- fork ------------------------------------------------------------------------------------- */

/* n entries with gaps of many sizes, some below a stack's guard; some a child does not get: how
 * many it does. */
static uint32_t
map_with_gaps(struct space *s, uint32_t n)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};
	vm_offset_t va = VM_MINUSER_ADDRESS + ptoa(1024);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		req.eflags = i % 5 == 2 ? MAP_ENTRY_NOFORK : i % 7 == 4 ? MAP_ENTRY_GROWSDOWN : 0;
		kept += (req.eflags & MAP_ENTRY_NOFORK) == 0;
		va += ptoa(1 + i * 37 % 11 + (i % 7 == 4 ? 300 : 0));
		T_EQ(vm_map_insert(&s->map, va, PAGE_SIZE, &req), KERN_SUCCESS);
		va += PAGE_SIZE;
	}
	return (kept);
}

/* As if its entries had been put in one by one: gaps, and room where there is some. */
static void
check_child(struct space *child, uint32_t n)
{
	struct vm_map_req req = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};
	vm_offset_t addr = 0;
	vm_map_entry_t e;

	T_EQ(child->map.nentries, n);
	check_tree(&child->map, n);
	VM_MAP_ENTRY_FOREACH (e, &child->map) {
		T_EQ(e->gap + e->prev->end, (e->eflags & MAP_ENTRY_GROWSDOWN) != 0
						? e->start - (256ul << PAGE_SHIFT)
						: e->start);
		vm_map_lock_read(&child->map);
		T_OK(vm_map_lookup_entry(&child->map, e->start) == e);
		T_OK(vm_map_lookup_entry(&child->map, e->start - 1) == NULL);
		vm_map_unlock_read(&child->map);
	}
	if (n == 0)
		return;
	/* The highest room of all, then from below the first entry on, which is taken away. */
	e = child->map.header.next;
	T_EQ(vm_map_remove(&child->map, e->start, e->end), KERN_SUCCESS);
	check_tree(&child->map, n - 1);
	T_EQ(vm_map_find(&child->map, &addr, PAGE_SIZE, &req), KERN_SUCCESS);
	T_EQ(addr, VM_MAXUSER_ADDRESS - PAGE_SIZE);
	check_tree(&child->map, n);
}

static void
test_a_child_has_a_tree_in_balance(void)
{
	struct space *s, *child;
	uint32_t kept;

	for (uint32_t n = 0; n < 70; n++) {
		s = space_create();
		child = space_create();
		kept = map_with_gaps(s, n);
		T_EQ(vm_map_fork(&s->map, &child->map), KERN_SUCCESS);
		check_child(child, kept);
		check_tree(&s->map, n);
		space_destroy(child);
		space_destroy(s);
	}
}

static const struct host_test tests[] = {
    TEST(test_random_against_model_1),
    TEST(test_random_against_model_2),
    TEST(test_bounds_and_wrap_around),
    TEST(test_fixed_out_of_bounds_unmaps_nothing),
    TEST(test_protect_of_a_hole),
    TEST(test_refused_protect_does_not_split),
    TEST(test_protect_moves_a_border),
    TEST(test_merge_of_compatible_neighbours),
    TEST(test_no_merge_of_unlike_neighbours),
    TEST(test_merge_of_object_mappings_needs_the_next_offset),
    TEST(test_clip_keeps_offsets_and_references),
    TEST(test_growing_anonymous_memory_stays_one_entry),
    TEST(test_unmapping_an_end_shortens_the_entry),
    TEST(test_protect_all_merges_all),
    TEST(test_find_takes_the_highest_gap),
    TEST(test_find_takes_a_free_hint),
    TEST(test_find_honours_alignment_and_phase),
    TEST(test_find_looks_below_top_first),
    TEST(test_timestamp_moves_with_each_change),
    TEST(test_ENOMEM_changes_nothing),
    TEST(test_ENOMEM_of_a_split_unmap_with_NOMERGE),
    TEST(test_100000_entries_cost_the_logarithm),
    TEST(test_find_below_100000_small_gaps),
    TEST(test_a_child_has_a_tree_in_balance),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "map", tests, nitems(tests), FRAMES));
}

/*
 * vm/vm_fault.h, but for populate: each way through the handler, the data a program then sees, and
 * what happens when memory is short.
 */
#include "harness.h"
#include "kern/kmalloc.h"

#include <stdlib.h>

#define FRAMES 2048

static uint64_t faults0, soft0, zfod0, cow0, pager0;

static void
mark(void)
{
	faults0 = vm_cnt.v_faults;
	soft0 = vm_cnt.v_soft_faults;
	zfod0 = vm_cnt.v_zfod;
	cow0 = vm_cnt.v_cow_faults;
	pager0 = vm_cnt.v_pager_faults;
	fake_majflt = fake_minflt = 0;
}

#define FAULTS (vm_cnt.v_faults - faults0)
#define SOFT   (vm_cnt.v_soft_faults - soft0)
#define ZFOD   (vm_cnt.v_zfod - zfod0)
#define COWS   (vm_cnt.v_cow_faults - cow0)
#define PAGER  (vm_cnt.v_pager_faults - pager0)

static int
touch(struct space *s, vm_offset_t va, vm_prot_t access)
{
	return (fake_touch(&s->map, va, access, NULL));
}

/* A file of which page i holds the words 1000 i + n. */
struct file {
	int reads, fail_at; /* page whose read fails; -1: none */
	int (*hook)(struct file *file, vm_page_t m);
};

static int
file_getpage(void *handle, vm_page_t m)
{
	struct file *file = handle;
	uint64_t *word = pmap_page_kva(m);

	T_OK(vm_page_xbusied(m));
	T_OK(rw_wowned(&m->object->lock));
	T_OK(m->object->paging_in_progress > 0);
	file->reads++;
	if (file->hook != NULL && file->hook(file, m) != 0)
		return (EIO);
	if ((int)m->pindex == file->fail_at)
		return (EIO);
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		word[i] = 1000 * m->pindex + i;
	return (0);
}

static vm_object_t
file_open(struct file *file, vm_pindex_t size)
{
	*file = (struct file){.fail_at = -1};
	return (vnode_pager_allocate(file, size, file_getpage));
}

/* --- anonymous memory ------------------------------------------------------------------------- */

static void
test_zero_fill(void)
{
	struct space *s = space_create();
	uint8_t *p;

	space_map(s, VA, ptoa(4), NULL, 0, RW, VM_PROT_ALL, 0);
	mark();
	for (int i = 0; i < 4; i++) {
		T_EQ(fake_touch(&s->map, VA + ptoa(i) + 123, i % 2 ? RW : W, &p), KERN_SUCCESS);
		p -= 123;
		for (size_t k = 0; k < PAGE_SIZE; k++)
			T_EQ(p[k], 0);
	}
	T_EQ(FAULTS, 4);
	T_EQ(ZFOD, 4);
	T_EQ(fake_minflt, 4);
	T_EQ(fake_majflt, 0);
	T_EQ(vm_cnt.v_busied, 0);
	space_write(s, VA, 7);
	T_EQ(space_read(s, VA), 7);
	T_EQ(FAULTS, 4);
	T_EQ(vm_page_queue_count(PQ_ACTIVE), 4);
	space_destroy(s);
}

/* What s maps at page i. */
static vm_page_t
mapped_at(struct space *s, vm_pindex_t i, vm_prot_t *prot)
{
	vm_page_t m = NULL;

	if (!fake_pte(&s->pmap, VA + ptoa(i), &m, prot, NULL))
		T_FAIL("page %lu is not mapped", i);
	return (m);
}

/* Is page i of s the page of zeros? Then it is what it should be. */
static bool
is_zeros(struct space *s, vm_pindex_t i)
{
	vm_prot_t prot = VM_PROT_NONE;

	if (mapped_at(s, i, &prot) != vm_zero_page)
		return (false);
	T_EQ(prot & W, 0);
	T_EQ(space_read(s, VA + ptoa(i)), 0);
	return (true);
}

/* A read of what nobody wrote takes no memory; the first write makes the page, and is seen. */
static void
test_O1_zeros_are_shared(void)
{
	struct space *s = space_create();
	uint64_t frames;
	uint8_t in_core[4];
	uint8_t *p;

	space_map(s, VA, ptoa(4), NULL, 0, RW, VM_PROT_ALL, 0);
	space_write(s, VA, 1); /* page tables */
	frames = vm_cnt.v_free_count;
	mark();
	for (vm_pindex_t i = 1; i < 4; i++) {
		T_EQ(fake_touch(&s->map, VA + ptoa(i), R, &p), KERN_SUCCESS);
		T_OK(is_zeros(s, i));
		for (size_t k = 0; k < PAGE_SIZE; k++)
			T_EQ(p[k], 0);
	}
	T_EQ(FAULTS, 3);
	T_EQ(SOFT, 3);
	T_EQ(ZFOD, 0);
	T_EQ(vm_cnt.v_free_count, frames);
	space_write(s, VA + ptoa(2), 7);
	T_EQ(FAULTS, 4);
	T_EQ(ZFOD, 1);
	T_EQ(vm_cnt.v_free_count, frames - 1);
	T_EQ(space_read(s, VA + ptoa(2)), 7);
	T_OK(is_zeros(s, 1) && !is_zeros(s, 2) && is_zeros(s, 3));
	T_EQ(vm_map_dontneed(&s->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	T_EQ(vm_map_mincore(&s->map, VA, VA + ptoa(4), in_core), 4);
	T_OK(!in_core[0] && !in_core[1] && in_core[2] && in_core[3]);
	space_destroy(s);
	T_EQ(vm_zero_page->wire_count, 0);
}

/* The rights to execute are the entry's. */
static void
test_O1_zeros_can_be_executed(void)
{
	struct space *s = space_create();
	vm_prot_t prot;

	space_map(s, VA, ptoa(1), NULL, 0, VM_PROT_ALL, VM_PROT_ALL, 0);
	T_EQ(space_read(s, VA), 0);
	T_OK(mapped_at(s, 0, &prot) == vm_zero_page);
	T_EQ(prot, R | VM_PROT_EXECUTE);
	space_destroy(s);
}

/* On both sides of a fork, before and behind a shadow; nobody sees what another writes. */
static void
test_O1_zeros_and_fork(void)
{
	struct space *s = space_create(), *child = space_create();

	space_map(s, VA, ptoa(4), NULL, 0, RW, VM_PROT_ALL, 0);
	space_write(s, VA, 1);
	T_EQ(space_read(s, VA + ptoa(1)), 0);
	T_EQ(vm_map_fork(&s->map, &child->map), KERN_SUCCESS);
	T_OK(is_zeros(s, 1));
	T_EQ(space_read(child, VA + ptoa(1)), 0);
	space_write(child, VA + ptoa(3), 33); /* now it has a shadow */
	T_EQ(space_read(child, VA + ptoa(2)), 0);
	T_EQ(space_read(child, VA), 1);
	T_OK(is_zeros(child, 1) && is_zeros(child, 2));
	space_write(s, VA + ptoa(1), 11);
	space_write(s, VA + ptoa(2), 12);
	T_OK(is_zeros(child, 1) && is_zeros(child, 2));
	T_EQ(space_read(s, VA + ptoa(3)), 0);
	T_OK(is_zeros(s, 3));
	space_destroy(s);
	space_write(child, VA + ptoa(1), 21);
	T_EQ(space_read(child, VA + ptoa(1)), 21);
	T_EQ(space_read(child, VA + ptoa(3)), 33);
	space_destroy(child);
}

/* What others may write to gets its page at once, and so does what is to stay in memory. */
static void
test_O1_zeros_are_not_for_all(void)
{
	struct space *s = space_create(), *other = space_create();
	vm_object_t object = vm_object_shared(2, false);

	vm_object_reference(object);
	space_map(s, VA, ptoa(2), object, 0, RW, VM_PROT_ALL, MAP_ENTRY_SHARED);
	space_map(other, VA, ptoa(2), object, 0, RW, VM_PROT_ALL, MAP_ENTRY_SHARED);
	T_EQ(space_read(s, VA), 0);
	T_OK(!is_zeros(s, 0));
	space_write(other, VA, 5);
	T_EQ(space_read(s, VA), 5);
	space_destroy(other);
	space_map(s, VA + ptoa(4), ptoa(4), NULL, 0, R, VM_PROT_ALL, 0);
	for (vm_pindex_t i = 4; i < 8; i++)
		T_EQ(space_read(s, VA + ptoa(i)), 0);
	T_EQ(vm_map_wire(&s->map, VA + ptoa(4), VA + ptoa(5)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 1);
	T_OK(!is_zeros(s, 4) && is_zeros(s, 5));
	T_EQ(vm_map_wire_on_fault(&s->map, VA + ptoa(6), VA + ptoa(7)), KERN_SUCCESS);
	T_EQ(space_read(s, VA + ptoa(6)), 0);
	T_OK(!is_zeros(s, 6) && is_zeros(s, 7));
	T_EQ(vm_map_unwire(&s->map, VA + ptoa(4), VA + ptoa(7)), KERN_SUCCESS);
	space_destroy(s);
}

/* Held like any page, which process_vm_readv does. */
static void
test_O1_zeros_are_held(void)
{
	struct space *s = space_create();
	vm_page_t m;

	space_map(s, VA, ptoa(1), NULL, 0, RW, VM_PROT_ALL, 0);
	T_EQ(vm_fault(&s->map, VA, R, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
	T_OK(m == vm_zero_page && m->hold_count == 1);
	space_destroy(s);
	T_EQ(*(uint64_t *)pmap_page_kva(m), 0);
	vm_page_unhold(m);
}

static void
test_soft_fault(void)
{
	struct space *s = space_create();

	space_map(s, VA, ptoa(1), NULL, 0, RW, VM_PROT_ALL, 0);
	space_write(s, VA, 77);
	pmap_remove(&s->pmap, VA, VA + ptoa(1)); /* a pmap is a cache */
	mark();
	T_EQ(space_read(s, VA), 77);
	T_EQ(FAULTS, 1);
	T_EQ(SOFT, 1);
	T_EQ(ZFOD, 0);
	T_EQ(fake_minflt, 1);
	space_destroy(s);
}

static void
test_not_mapped(void)
{
	struct space *s = space_create();

	space_map(s, VA + ptoa(1), ptoa(1), NULL, 0, RW, VM_PROT_ALL, 0);
	T_EQ(touch(s, VA, R), KERN_INVALID_ADDRESS);
	T_EQ(touch(s, VA + ptoa(2), R), KERN_INVALID_ADDRESS);
	T_EQ(touch(s, 0, R), KERN_INVALID_ADDRESS);
	T_EQ(touch(s, VM_MAXUSER_ADDRESS, R), KERN_INVALID_ADDRESS);
	T_EQ(touch(s, ~0ul, VM_PROT_WRITE), KERN_INVALID_ADDRESS);
	T_EQ(touch(s, 0x8000000000000000ul, R), KERN_INVALID_ADDRESS);
	space_destroy(s);
}

static void
test_protection(void)
{
	static const struct {
		vm_prot_t prot, access;
		int rv;
	} cases[] = {
	    {VM_PROT_NONE, R, KERN_PROTECTION_FAILURE},
	    {VM_PROT_NONE, VM_PROT_WRITE, KERN_PROTECTION_FAILURE},
	    {VM_PROT_NONE, VM_PROT_EXECUTE, KERN_PROTECTION_FAILURE},
	    {R, R, KERN_SUCCESS},
	    {R, VM_PROT_WRITE, KERN_PROTECTION_FAILURE},
	    {R, VM_PROT_EXECUTE, KERN_PROTECTION_FAILURE},
	    {RW, VM_PROT_WRITE, KERN_SUCCESS},
	    {RW, VM_PROT_EXECUTE, KERN_PROTECTION_FAILURE},
	    {R | VM_PROT_EXECUTE, VM_PROT_EXECUTE, KERN_SUCCESS},
	    {R | VM_PROT_EXECUTE, VM_PROT_WRITE, KERN_PROTECTION_FAILURE},
	    {VM_PROT_ALL, VM_PROT_EXECUTE, KERN_SUCCESS},
	    {VM_PROT_ALL, VM_PROT_WRITE, KERN_SUCCESS},
	};
	struct space *s = space_create();

	for (size_t i = 0; i < nitems(cases); i++) {
		space_map(s, VA, ptoa(1), NULL, 0, cases[i].prot, VM_PROT_ALL, 0);
		T_EQ(touch(s, VA, cases[i].access), cases[i].rv);
		T_EQ(vm_cnt.v_busied, 0);
		space_unmap(s, VA, ptoa(1));
	}
	space_destroy(s);
}

/* No page table entry ever gives more than the map entry. */
static void
test_entry_has_the_rights_of_the_map(void)
{
	struct space *s = space_create();
	vm_prot_t prot;

	space_map(s, VA, ptoa(1), NULL, 0, R, VM_PROT_ALL, 0);
	T_EQ(touch(s, VA, R), KERN_SUCCESS);
	T_OK(fake_pte(&s->pmap, VA, NULL, &prot, NULL));
	T_EQ(prot & VM_PROT_ALL, R);
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(1), RW), KERN_SUCCESS);
	space_write(s, VA, 5);
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(1), R), KERN_SUCCESS);
	T_EQ(touch(s, VA, VM_PROT_WRITE), KERN_PROTECTION_FAILURE);
	T_EQ(space_read(s, VA), 5);
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(1), VM_PROT_NONE), KERN_SUCCESS);
	T_EQ(touch(s, VA, R), KERN_PROTECTION_FAILURE);
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(1), R), KERN_SUCCESS);
	T_EQ(space_read(s, VA), 5);
	space_destroy(s);
}

static void
test_dontneed_gives_zeros_again(void)
{
	struct space *s = space_create();
	uint64_t free_before;

	space_map(s, VA, ptoa(4), NULL, 0, RW, VM_PROT_ALL, 0);
	T_EQ(touch(s, VA, RW), KERN_SUCCESS);
	free_before = vm_cnt.v_free_count;
	for (int i = 0; i < 4; i++)
		space_write(s, VA + ptoa(i), i + 1);
	T_EQ(vm_map_dontneed(&s->map, VA + ptoa(1), VA + ptoa(3)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_free_count, free_before - 1);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(4)), 2);
	T_EQ(space_read(s, VA), 1);
	T_EQ(space_read(s, VA + ptoa(1)), 0);
	T_EQ(space_read(s, VA + ptoa(2)), 0);
	T_EQ(space_read(s, VA + ptoa(3)), 4);
	T_EQ(vm_map_dontneed(&s->map, VA, VA + ptoa(5)), KERN_INVALID_ADDRESS);
	T_EQ(space_read(s, VA), 0); /* the mapped part is done */
	space_destroy(s);
}

/* --- files ------------------------------------------------------------------------------------ */

static void
test_file_page_comes_from_the_pager(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 4);
	vm_page_t m;

	vm_object_reference(object);
	space_map(s, VA, ptoa(2), object, ptoa(2), R, RW, 0);
	mark();
	T_EQ(space_read(s, VA + 8), 2001);
	T_EQ(space_read(s, VA + ptoa(1) + 16), 3002);
	T_EQ(file.reads, 2);
	T_EQ(PAGER, 2);
	T_EQ(FAULTS, 2);
	T_EQ(fake_majflt, 2);
	T_EQ(fake_minflt, 0);
	T_OK(fake_pte(&s->pmap, VA, &m, NULL, NULL));
	T_OK(m->object == object && m->pindex == 2 && m->valid && !m->dirty);
	/* Again from another map: resident. */
	struct space *s2 = space_create();
	vm_object_reference(object);
	space_map(s2, VA, ptoa(4), object, 0, RW, RW, 0);
	mark();
	T_EQ(space_read(s2, VA + ptoa(2) + 8), 2001);
	T_EQ(file.reads, 2);
	T_EQ(fake_majflt, 0);
	T_EQ(fake_minflt, 1);
	/* Shared: what one writes the other reads, and the page is dirty. */
	space_write(s2, VA + ptoa(2), 99);
	T_EQ(space_read(s, VA), 99);
	T_OK(m->dirty || pmap_is_modified(m));
	space_destroy(s);
	space_destroy(s2);
	T_OK(m->dirty);
	vm_object_deallocate(object);
}

static void
test_file_hole_is_zeros(void)
{
	struct space *s = space_create();
	vm_object_t object = vnode_pager_allocate(&faults0, 4, NULL);

	space_map(s, VA, ptoa(4), object, 0, RW, RW, 0);
	for (int i = 0; i < 4; i++)
		T_EQ(space_read(s, VA + ptoa(i) + 800), 0);
	space_write(s, VA + ptoa(2), 4);
	T_EQ(space_read(s, VA + ptoa(2)), 4);
	space_destroy(s);
}

static void
test_past_the_end_of_the_object_fails(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 2);

	vm_object_reference(object);
	space_map(s, VA, ptoa(4), object, 0, RW, RW, 0);
	space_map(s, VA + ptoa(8), ptoa(4), object, 0, RW, VM_PROT_ALL,
		  MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	for (int k = 0; k <= 8; k += 8) {
		T_EQ(touch(s, VA + ptoa(k + 1), R), KERN_SUCCESS);
		T_EQ(touch(s, VA + ptoa(k + 2), R), KERN_FAILURE);
		T_EQ(touch(s, VA + ptoa(k + 3), VM_PROT_WRITE), KERN_FAILURE);
		T_EQ(touch(s, VA + ptoa(k), VM_PROT_WRITE), KERN_SUCCESS);
		T_EQ(touch(s, VA + ptoa(k + 2), R), KERN_FAILURE);
	}
	T_EQ(file.reads, 2);
	T_EQ(object->resident_page_count, 2);
	space_destroy(s);
}

static void
test_pager_error_is_a_failure_and_leaves_nothing(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 4);

	file.fail_at = 1;
	space_map(s, VA, ptoa(4), object, 0, RW, RW, 0);
	mark();
	T_EQ(touch(s, VA + ptoa(1), R), KERN_FAILURE);
	T_EQ(touch(s, VA + ptoa(1), R), KERN_FAILURE);
	T_EQ(file.reads, 2); /* it is asked again */
	T_EQ(object->resident_page_count, 0);
	T_EQ(vm_cnt.v_busied, 0);
	T_EQ(object->paging_in_progress, 0);
	file.fail_at = -1;
	T_EQ(space_read(s, VA + ptoa(1)), 1000);
	space_destroy(s);
}

/* --- private mappings ------------------------------------------------------------------------- */

static void
test_private_file_mapping(void)
{
	struct space *s = space_create(), *other = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 4);

	vm_object_reference(object);
	space_map(s, VA, ptoa(4), object, 0, RW, VM_PROT_ALL, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	space_map(other, VA, ptoa(4), object, 0, RW, RW, 0);
	mark();
	/* Read: the file's own page. */
	T_EQ(space_read(s, VA + ptoa(1)), 1000);
	T_EQ(COWS, 0);
	/* Write: a copy, whole, and the file's stays. */
	space_write(s, VA + ptoa(1), 5);
	T_EQ(COWS, 1);
	T_EQ(space_read(s, VA + ptoa(1)), 5);
	T_EQ(space_read(s, VA + ptoa(1) + 8), 1001);
	T_EQ(space_read(s, VA + ptoa(1) + PAGE_SIZE - 8), 1511);
	T_EQ(space_read(other, VA + ptoa(1)), 1000);
	/* A write without a read before. */
	space_write(s, VA + ptoa(2) + 8, 6);
	T_EQ(COWS, 2);
	T_EQ(space_read(s, VA + ptoa(2)), 2000);
	T_EQ(space_read(s, VA + ptoa(2) + 8), 6);
	T_EQ(space_read(other, VA + ptoa(2) + 8), 2001);
	/* What others write to the file is seen where there is no copy. */
	space_write(other, VA + ptoa(3), 33);
	space_write(other, VA + ptoa(1) + 16, 34);
	T_EQ(space_read(s, VA + ptoa(3)), 33);
	T_EQ(space_read(s, VA + ptoa(1) + 16), 1002);
	T_EQ(object->resident_page_count, 3);
	space_destroy(s);
	T_EQ(space_read(other, VA + ptoa(1)), 1000);
	space_destroy(other);
}

/* Read in place first, so that the page tables have the original; then the copy replaces it. */
static void
test_copy_replaces_what_was_mapped(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 1);
	vm_page_t before, after;
	vm_prot_t prot;

	space_map(s, VA, ptoa(1), object, 0, RW, VM_PROT_ALL, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	T_EQ(space_read(s, VA), 0);
	T_OK(fake_pte(&s->pmap, VA, &before, &prot, NULL));
	T_OK(!(prot & VM_PROT_WRITE)); /* the file's page is not ours to write */
	space_write(s, VA, 1);
	T_OK(fake_pte(&s->pmap, VA, &after, &prot, NULL));
	T_OK(after != before && (prot & VM_PROT_WRITE));
	T_EQ(fake_pmap.replaced, 1);
	T_OK(!pmap_page_is_mapped(before));
	space_destroy(s);
}

static void
test_private_mapping_made_writable_later(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 2);

	vm_object_reference(object);
	space_map(s, VA, ptoa(2), object, 0, R, VM_PROT_ALL, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	T_EQ(space_read(s, VA), 0);
	T_EQ(touch(s, VA, VM_PROT_WRITE), KERN_PROTECTION_FAILURE);
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(1), RW), KERN_SUCCESS);
	space_write(s, VA, 8);
	T_EQ(touch(s, VA + ptoa(1), VM_PROT_WRITE), KERN_PROTECTION_FAILURE);
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(2), R), KERN_SUCCESS);
	T_EQ(space_read(s, VA), 8);
	T_EQ(space_read(s, VA + ptoa(1)), 1000);
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(2), RW), KERN_SUCCESS);
	space_write(s, VA, 9);
	space_write(s, VA + ptoa(1), 10);
	T_EQ(space_read(s, VA), 9);
	VM_OBJECT_RLOCK(object);
	T_EQ(*(uint64_t *)pmap_page_kva(vm_page_lookup(object, 0)), 0);
	T_EQ(*(uint64_t *)pmap_page_kva(vm_page_lookup(object, 1)), 1000);
	VM_OBJECT_UNLOCK(object);
	space_destroy(s);
	vm_object_deallocate(object);
}

/* A private mapping that was split before its first write: each part has its shadow, right
 * offsets. */
static void
test_private_mapping_split(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 8);

	space_map(s, VA, ptoa(8), object, 0, RW, VM_PROT_ALL, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	space_unmap(s, VA + ptoa(3), ptoa(1));
	for (int i = 0; i < 8; i++) {
		if (i == 3)
			continue;
		space_write(s, VA + ptoa(i), i);
		T_EQ(space_read(s, VA + ptoa(i)), i);
		T_EQ(space_read(s, VA + ptoa(i) + 8), 1000 * i + 1);
	}
	T_EQ(touch(s, VA + ptoa(3), R), KERN_INVALID_ADDRESS);
	/* And split again after it. */
	T_EQ(vm_map_protect(&s->map, VA + ptoa(5), VA + ptoa(6), R), KERN_SUCCESS);
	space_unmap(s, VA + ptoa(1), ptoa(1));
	for (int i = 4; i < 8; i++)
		T_EQ(space_read(s, VA + ptoa(i)), i);
	T_EQ(space_read(s, VA), 0);
	space_destroy(s);
}

/* --- a chain of shadows ----------------------------------------------------------------------- */

static void
test_chain_of_three(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 8), middle = object, front;
	vm_ooffset_t offset = ptoa(1);

	T_OK(vm_object_shadow(&middle, &offset, ptoa(6))); /* middle 0 is the file's 1 */
	front = middle;
	vm_object_reference(middle);
	offset = ptoa(2);
	T_OK(vm_object_shadow(&front, &offset, ptoa(3))); /* front 0 is middle's 2, the file's 3 */
	T_OK(front != middle);
	VM_OBJECT_WLOCK(middle);
	vm_page_t m = vm_page_alloc(middle, 3, VM_ALLOC_ZERO);
	m->valid = true;
	*(uint64_t *)pmap_page_kva(m) = 555;
	vm_page_xunbusy(m);
	VM_OBJECT_UNLOCK(middle);
	space_map(s, VA, ptoa(3), front, 0, RW, VM_PROT_ALL, MAP_ENTRY_COW);
	T_EQ(space_read(s, VA), 3000);
	T_EQ(space_read(s, VA + ptoa(1)), 555);
	T_EQ(space_read(s, VA + ptoa(2)), 5000);
	space_write(s, VA + ptoa(1), 556);
	T_EQ(*(uint64_t *)pmap_page_kva(m), 555);
	space_write(s, VA + ptoa(2) + 8, 1);
	T_EQ(space_read(s, VA + ptoa(2)), 5000);
	T_EQ(front->resident_page_count, 2);
	space_destroy(s);
	vm_object_deallocate(middle);
}

/* --- dirty ------------------------------------------------------------------------------------ */

static void
test_write_fault_dirties_and_read_does_not(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 2);
	vm_page_t m;

	vm_object_reference(object);
	space_map(s, VA, ptoa(2), object, 0, RW, RW, 0);
	T_EQ(touch(s, VA, R), KERN_SUCCESS);
	T_EQ(touch(s, VA + ptoa(1), VM_PROT_WRITE), KERN_SUCCESS);
	space_destroy(s);
	VM_OBJECT_WLOCK(object);
	m = vm_page_lookup(object, 0);
	T_OK(!m->dirty);
	m = vm_page_lookup(object, 1);
	T_OK(m->dirty);
	VM_OBJECT_UNLOCK(object);
	vm_object_deallocate(object);
}

/* --- held pages ------------------------------------------------------------------------------- */

static void
test_P16_hold(void)
{
	struct space *s = space_create();
	vm_page_t m = NULL, m2 = NULL;

	space_map(s, VA, ptoa(1), NULL, 0, RW, VM_PROT_ALL, 0);
	T_EQ(vm_fault(&s->map, VA + 5, VM_PROT_WRITE, VM_FAULT_NORMAL, &m), KERN_SUCCESS);
	T_OK(m != NULL);
	T_EQ(m->hold_count, 1);
	T_EQ(vm_fault(&s->map, VA, R, VM_FAULT_NORMAL, &m2), KERN_SUCCESS); /* the soft way */
	T_OK(m2 == m);
	T_EQ(m->hold_count, 2);
	vm_page_unhold(m2);
	*(uint64_t *)pmap_page_kva(m) = 31;
	T_EQ(space_read(s, VA), 31);
	space_unmap(s, VA, ptoa(1));
	*(uint64_t *)pmap_page_kva(m) = 32; /* still ours */
	vm_page_unhold(m);
	m = NULL;
	T_EQ(vm_fault(&s->map, VA, R, VM_FAULT_NORMAL, &m), KERN_INVALID_ADDRESS);
	T_OK(m == NULL);
	space_destroy(s);
}

struct job {
	struct space *s;
	vm_offset_t va;
	vm_prot_t access;
	int rv;
};

/* --- wiring ----------------------------------------------------------------------------------- */

static void
check_wired(struct space *s, int first, int n, bool expected)
{
	for (int i = first; i < first + n; i++) {
		vm_page_t m;
		bool wired;

		T_OK(fake_pte(&s->pmap, VA + ptoa(i), &m, NULL, &wired));
		T_EQ(wired, expected);
		T_EQ(m->wire_count, expected);
	}
}

static void
test_wire_and_unwire(void)
{
	struct space *s = space_create();

	space_map(s, VA, ptoa(6), NULL, 0, RW, VM_PROT_ALL, 0);
	space_write(s, VA, 3);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	check_wired(s, 0, 4, true);
	T_EQ(vm_cnt.v_wire_count, 4);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(6)), 4);
	T_EQ(vm_map_dontneed(&s->map, VA, VA + ptoa(1)), KERN_INVALID_ARGUMENT);
	T_EQ(space_read(s, VA), 3);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	check_wired(s, 0, 2, false);
	check_wired(s, 2, 2, true);
	T_EQ(vm_cnt.v_wire_count, 2);
	space_unmap(s, VA + ptoa(2), ptoa(1)); /* unmapping unwires */
	T_EQ(vm_cnt.v_wire_count, 1);
	space_destroy(s);
	T_EQ(vm_cnt.v_wire_count, 0);
}

static void
test_wire_twice_counts(void)
{
	struct space *s = space_create();

	space_map(s, VA, ptoa(2), NULL, 0, RW, VM_PROT_ALL, 0);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	check_wired(s, 0, 2, true);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	check_wired(s, 0, 2, true);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	check_wired(s, 0, 2, false);
	space_destroy(s);
}

/* COW is settled when a private writable mapping is wired, so no write faults later. */
static void
test_wire_private_copies_at_once(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 2);

	space_map(s, VA, ptoa(2), object, 0, RW, VM_PROT_ALL, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	T_EQ(space_read(s, VA), 0);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	check_wired(s, 0, 2, true);
	mark();
	space_write(s, VA, 1);
	space_write(s, VA + ptoa(1) + 8, 1);
	T_EQ(FAULTS, 0);
	T_EQ(space_read(s, VA + ptoa(1)), 1000);
	space_destroy(s);
}

/* mlocked while read-only, made writable and written later: the copy is wired, the original not. */
static void
test_wired_read_only_private_then_written(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 1);

	vm_object_reference(object);
	space_map(s, VA, ptoa(1), object, 0, R, VM_PROT_ALL, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(1)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 1);
	T_EQ(vm_map_protect(&s->map, VA, VA + ptoa(1), RW), KERN_SUCCESS);
	space_write(s, VA, 4);
	T_EQ(vm_cnt.v_wire_count, 1);
	check_wired(s, 0, 1, true);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(1)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 0);
	check_wired(s, 0, 1, false);
	T_EQ(space_read(s, VA), 4);
	space_destroy(s);
	vm_object_deallocate(object);
}

static void
test_wire_of_a_hole_wires_nothing(void)
{
	struct space *s = space_create();

	space_map(s, VA, ptoa(2), NULL, 0, RW, VM_PROT_ALL, 0);
	space_map(s, VA + ptoa(3), ptoa(2), NULL, 0, RW, VM_PROT_ALL, 0);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(5)), KERN_INVALID_ADDRESS);
	T_EQ(vm_cnt.v_wire_count, 0);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(5)), KERN_INVALID_ADDRESS);
	space_destroy(s);
}

/* A page in the middle cannot be had: what was wired is unwired. */
static void
test_wire_failing_halfway_is_undone(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 6);

	file.fail_at = 4;
	space_map(s, VA, ptoa(6), object, 0, RW, RW, 0);
	T_EQ(vm_map_wire(&s->map, VA + ptoa(1), VA + ptoa(6)), KERN_FAILURE);
	T_EQ(vm_cnt.v_wire_count, 0);
	T_EQ(fake_pmap.wired, 0);
	T_EQ(s->map.nentries, 1);
	T_EQ(s->map.header.next->wired_count, 0);
	file.fail_at = -1;
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(6)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 6);
	space_destroy(s);
}

static void
test_wire_over_several_entries(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 4);

	space_map(s, VA, ptoa(2), NULL, 0, RW, VM_PROT_ALL, 0);
	space_map(s, VA + ptoa(2), ptoa(2), object, 0, R, RW, 0);
	space_map(s, VA + ptoa(4), ptoa(2), NULL, 0, RW, VM_PROT_ALL, 0);
	space_write(s, VA, 1); /* so that the halves of the split share an object */
	space_write(s, VA + ptoa(5), 1);
	T_EQ(vm_map_wire(&s->map, VA + ptoa(1), VA + ptoa(5)), KERN_SUCCESS);
	check_wired(s, 1, 4, true);
	T_EQ(vm_cnt.v_wire_count, 4);
	T_EQ(vm_map_unwire(&s->map, VA + ptoa(1), VA + ptoa(5)), KERN_SUCCESS);
	check_wired(s, 1, 4, false);
	T_EQ(s->map.nentries, 3); /* merged back */
	space_destroy(s);
}

static void
wire_job(void *arg)
{
	struct job *job = arg;

	job->rv = vm_map_wire(&job->s->map, job->va, job->va + ptoa(4));
}

static int
file_sleeps(struct file *file, vm_page_t m)
{
	vm_object_t object = m->object;

	(void)file;
	VM_OBJECT_UNLOCK(object);
	fake_yield();
	VM_OBJECT_WLOCK(object);
	return (0);
}

static void
unmap_job(void *arg)
{
	struct job *job = arg;

	job->rv = vm_map_remove(&job->s->map, job->va, job->va + ptoa(1));
}

/* Part of the range is wired already; while the rest is faulted in, another thread unmaps that
 * part. */
static void
unmap_during_wire(int wired, int page)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 4);
	struct thread *a, *b;
	struct job job_a = {.s = s, .va = VA}, job_b = {.s = s, .va = VA + ptoa(page)};

	space_map(s, VA, ptoa(4), object, 0, R, RW, 0);
	T_EQ(vm_map_wire(&s->map, VA + ptoa(wired), VA + ptoa(wired + 2)), KERN_SUCCESS);
	file.hook = file_sleeps;
	a = fake_spawn("wirer", wire_job, &job_a);
	fake_run(a); /* in the pager, for the first page that is not wired */
	b = fake_spawn("unmapper", unmap_job, &job_b);
	fake_run(b);
	fake_join(a);
	fake_join(b);
	T_EQ(job_b.rv, KERN_SUCCESS);
	T_EQ(fake_mapped(&s->pmap, VA + ptoa(page), VA + ptoa(page + 1)), 0);
	space_destroy(s);
	T_EQ(vm_cnt.v_wire_count, 0);
}

static void
test_unmap_of_a_wired_part_during_wire(void)
{
	unmap_during_wire(0, 1);
}

static void
test_unmap_of_a_wired_part_further_on_during_wire(void)
{
	unmap_during_wire(2, 2);
}

static void
test_unmap_of_a_part_being_wired(void)
{
	unmap_during_wire(0, 3);
}

/* A truncation under a wired page: it stays until unwired, then it is gone. */
static void
test_truncation_of_a_wired_page(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 2);

	vm_object_reference(object);
	space_map(s, VA, ptoa(2), object, 0, RW, RW, 0);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	vm_object_set_size(object, 1);
	T_EQ(touch(s, VA + ptoa(1), R), KERN_FAILURE);
	T_EQ(touch(s, VA, R), KERN_SUCCESS);
	T_EQ(vm_map_unwire(&s->map, VA, VA + ptoa(2)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 0);
	T_EQ(object->resident_page_count, 1);
	space_destroy(s);
	vm_object_deallocate(object);
}

/* --- memory is short -------------------------------------------------------------------------- */

static void
touch_job(void *arg)
{
	struct job *job = arg;

	job->rv = touch(job->s, job->va, job->access);
}

static struct thread *
touch_in_thread(struct job *job, struct space *s, vm_offset_t va, vm_prot_t access)
{
	struct thread *td;

	*job = (struct job){.s = s, .va = va, .access = access, .rv = -1};
	td = fake_spawn("toucher", touch_job, job);
	fake_run(td);
	return (td);
}

static void
test_shortage_waits_until_pages_are_freed(void)
{
	struct space *s = space_create();
	struct thread *td;
	struct job job;

	space_map(s, VA, ptoa(4), NULL, 0, RW, VM_PROT_ALL, 0);
	fake_eat_memory(0);
	td = touch_in_thread(&job, s, VA, VM_PROT_WRITE);
	T_OK(fake_asleep(td));
	T_EQ(fake_locks_held(td), 0);
	T_EQ(vm_cnt.v_busied, 0);
	fake_give_memory(2);
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	fake_give_memory(~0ul);
	space_destroy(s);
}

static void
test_shortage_and_killed(void)
{
	struct space *s = space_create();
	struct thread *td;
	struct job job;

	space_map(s, VA, ptoa(4), NULL, 0, RW, VM_PROT_ALL, 0);
	fake_eat_memory(0);
	td = touch_in_thread(&job, s, VA, VM_PROT_WRITE);
	fake_kill(td);
	fake_join(td);
	T_EQ(job.rv, KERN_ABORTED);
	T_EQ(vm_cnt.v_busied, 0);
	fake_give_memory(~0ul);
	space_destroy(s);
}

static void
test_shortage_for_a_copy(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 1);
	struct thread *td;
	struct job job;

	space_map(s, VA, ptoa(1), object, 0, RW, VM_PROT_ALL, MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	T_EQ(space_read(s, VA + 8), 1);
	fake_eat_memory(0);
	td = touch_in_thread(&job, s, VA, VM_PROT_WRITE);
	T_OK(fake_asleep(td));
	T_EQ(vm_cnt.v_busied, 0);
	fake_give_memory(2);
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	T_EQ(space_read(s, VA + 8), 1);
	fake_give_memory(~0ul);
	space_destroy(s);
}

static void
test_shortage_for_a_file_page(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 1);
	struct thread *td;
	struct job job;

	space_map(s, VA, ptoa(1), object, 0, RW, RW, 0);
	fake_eat_memory(0);
	td = touch_in_thread(&job, s, VA, R);
	T_OK(fake_asleep(td));
	T_EQ(file.reads, 0);
	T_EQ(object->paging_in_progress, 0);
	fake_give_memory(2);
	fake_join(td);
	T_EQ(job.rv, KERN_SUCCESS);
	fake_give_memory(~0ul);
	space_destroy(s);
}

/* Unmapped while it waits for memory: the fault finds that out. */
static void
test_unmapped_while_waiting_for_memory(void)
{
	struct space *s = space_create();
	struct thread *td;
	struct job job;

	space_map(s, VA, ptoa(4), NULL, 0, RW, VM_PROT_ALL, 0);
	fake_eat_memory(0);
	td = touch_in_thread(&job, s, VA, VM_PROT_WRITE);
	space_unmap(s, VA, ptoa(4));
	fake_give_memory(~0ul);
	fake_join(td);
	T_EQ(job.rv, KERN_INVALID_ADDRESS);
	space_destroy(s);
}

/* Each allocation of the VM's own fails once, on each kind of fault: it waits and comes through. */
static void
test_kmalloc_failing_once_is_survived(void)
{
	for (uint64_t nth = 1; nth < 12; nth++) {
		struct space *s = space_create();
		struct file file;
		vm_object_t object = file_open(&file, 200);

		vm_object_reference(object);
		vm_object_reference(object);
		space_map(s, VA, ptoa(100), NULL, 0, RW, VM_PROT_ALL, 0);
		space_map(s, VA + ptoa(100), ptoa(100), object, 0, RW, VM_PROT_ALL,
			  MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
		space_map(s, VA + ptoa(300), ptoa(100), object, ptoa(100), RW, RW, 0);
		fake_kmem_fail(nth);
		for (int i = 0; i < 100; i += 70) {
			space_write(s, VA + ptoa(i), i);
			T_EQ(space_read(s, VA + ptoa(100 + i)), 1000 * i);
			space_write(s, VA + ptoa(100 + i), i);
			space_write(s, VA + ptoa(300 + i), i);
			T_EQ(space_read(s, VA + ptoa(300 + i) + 8), 1000 * (100 + i) + 1);
		}
		fake_kmem_fail(0);
		T_EQ(vm_cnt.v_busied, 0);
		space_destroy(s);
		vm_object_deallocate(object);
	}
}

static void
test_page_table_shortage_is_survived(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 4);

	space_map(s, VA, ptoa(4), NULL, 0, RW, VM_PROT_ALL, 0);
	space_map(s, VA + ptoa(4), ptoa(4), object, 0, RW, RW, 0);
	for (int i = 0; i < 8; i++) {
		fake_pmap_fail(1);
		T_EQ(touch(s, VA + ptoa(i), VM_PROT_WRITE), KERN_SUCCESS);
		T_EQ(vm_cnt.v_busied, 0);
	}
	/* The soft way too. */
	pmap_remove(&s->pmap, VA, VA + ptoa(1));
	fake_pmap_fail(1);
	T_EQ(touch(s, VA, R), KERN_SUCCESS);
	/* A wiring that failed once does not count twice. */
	fake_pmap_fail(3);
	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(vm_cnt.v_wire_count, 4);
	check_wired(s, 0, 4, true);
	space_destroy(s);
}

static bool
oom_kills_the_faulter(void)
{
	fake_kill(curthread);
	return (true);
}

static void
test_no_memory_ever_ends_in_the_oom_kill(void)
{
	struct space *s = space_create();
	struct thread *td;
	struct job job;

	space_map(s, VA, ptoa(4), NULL, 0, RW, VM_PROT_ALL, 0);
	fake_eat_memory(0);
	fake_oom_hook = oom_kills_the_faulter;
	td = touch_in_thread(&job, s, VA, VM_PROT_WRITE);
	fake_join(td);
	T_EQ(job.rv, KERN_ABORTED);
	T_OK(fake_oom_calls > 0);
	fake_give_memory(~0ul);
	space_destroy(s);
}

/* --- two threads ------------------------------------------------------------------------------ */

static void
test_second_fault_waits_for_the_first(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 2);
	struct thread *a, *b;
	struct job job_a, job_b;

	file.hook = file_sleeps;
	space_map(s, VA, ptoa(2), object, 0, RW, RW, 0);
	a = touch_in_thread(&job_a, s, VA, R);
	T_OK(!fake_ended(a)); /* in the pager */
	b = touch_in_thread(&job_b, s, VA, R);
	fake_join(a);
	fake_join(b);
	T_EQ(job_a.rv, KERN_SUCCESS);
	T_EQ(job_b.rv, KERN_SUCCESS);
	T_EQ(file.reads, 1);
	space_destroy(s);
}

/* The pager sleeps; meanwhile the mapping goes, and with it the object's last reference. */
static void
test_unmapped_while_the_pager_sleeps(void)
{
	struct space *s = space_create();
	struct file file;
	vm_object_t object = file_open(&file, 2);
	struct thread *a;
	struct job job;

	file.hook = file_sleeps;
	space_map(s, VA, ptoa(2), object, 0, RW, RW, 0);
	a = touch_in_thread(&job, s, VA, R);
	T_OK(!fake_ended(a));
	space_unmap(s, VA, ptoa(2));
	fake_join(a);
	T_EQ(job.rv, KERN_INVALID_ADDRESS);
	T_EQ(vm_cnt.v_objects, 0);
	space_destroy(s);
}

static void
test_killed_while_waiting_for_a_busy_page(void)
{
	struct space *s = space_create();
	vm_object_t object = vm_object_allocate(OBJT_ANON, 1);
	struct thread *td;
	struct job job;
	vm_page_t m;

	VM_OBJECT_WLOCK(object);
	m = vm_page_alloc(object, 0, VM_ALLOC_ZERO);
	VM_OBJECT_UNLOCK(object);
	space_map(s, VA, ptoa(1), object, 0, RW, RW, 0);
	td = touch_in_thread(&job, s, VA, R);
	T_OK(fake_asleep(td));
	T_EQ(fake_locks_held(td), 0);
	fake_kill(td);
	fake_join(td);
	T_EQ(job.rv, KERN_ABORTED);
	m->valid = true;
	vm_page_xunbusy(m);
	T_EQ(space_read(s, VA), 0);
	space_destroy(s);
}

/* --- all of it at once, preempted at random --------------------------------------------------- */

#define STRESS_PAGES 24
static struct space *stress_space;
static vm_object_t stress_file;
static struct file stress_data;

/* Allocations fail in some of the runs. */
static void
stress_done(int rv)
{
	T_OK(rv == KERN_SUCCESS || (rv == KERN_RESOURCE_SHORTAGE && fake_kmem_failed()));
}

static void
stress_thread(void *arg)
{
	struct rng r = {(uint64_t)arg};
	vm_offset_t va, end;
	vm_prot_t access;
	int rv;

	for (int i = 0; i < 1500; i++) {
		va = VA + ptoa(rng_below(&r, STRESS_PAGES));
		end = MIN(va + ptoa(1 + rng_below(&r, 6)), VA + ptoa(STRESS_PAGES));
		switch (rng_below(&r, 12)) {
		case 0: {
			struct vm_map_req req = {.prot = RW, .max_prot = VM_PROT_ALL};

			rv = vm_map_fixed(&stress_space->map, va, end - va, &req);
			stress_done(rv);
			break;
		}
		case 1: {
			bool private = rng_below(&r, 2);
			struct vm_map_req req = {
			    .object = stress_file,
			    .offset = va - VA,
			    .prot = RW,
			    .max_prot = VM_PROT_ALL,
			    .eflags = private ? MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY : 0};

			vm_object_reference(stress_file);
			rv = vm_map_fixed(&stress_space->map, va, end - va, &req);
			if (rv != KERN_SUCCESS)
				vm_object_deallocate(stress_file);
			stress_done(rv);
			break;
		}
		case 2:
			stress_done(vm_map_remove(&stress_space->map, va, end));
			break;
		case 3:
			rv = vm_map_protect(&stress_space->map, va, end, rng_below(&r, 2) ? R : RW);
			if (rv != KERN_INVALID_ADDRESS)
				stress_done(rv);
			break;
		case 4:
			rv = vm_map_dontneed(&stress_space->map, va, end);
			T_OK(rv != KERN_FAILURE);
			break;
		case 5:
			rv = vm_map_wire(&stress_space->map, va, end);
			if (rv == KERN_SUCCESS)
				vm_map_unwire(&stress_space->map, va, end);
			break;
		case 6:
			vm_object_set_size(stress_file, STRESS_PAGES - rng_below(&r, 5));
			break;
		default:
			access = rng_below(&r, 2) ? R : VM_PROT_WRITE;
			rv = fake_touch(&stress_space->map, va, access, NULL);
			T_OK(rv == KERN_SUCCESS || rv == KERN_INVALID_ADDRESS ||
			     rv == KERN_PROTECTION_FAILURE || rv == KERN_FAILURE);
		}
	}
}

static void
stress(uint64_t seed)
{
	struct thread *td[4];
	const char *more = getenv("STRESS_SEED"); /* for a longer search by hand */

	seed += more != NULL ? strtoul(more, NULL, 0) : 0;
	stress_space = space_create();
	stress_file = file_open(&stress_data, STRESS_PAGES);
	stress_data.hook = file_sleeps;
	for (uint64_t i = 0; i < nitems(td); i++)
		td[i] = fake_spawn("stress", stress_thread, (void *)(seed * 100 + i));
	fake_preempt(seed, 150);
	for (size_t i = 0; i < nitems(td); i++)
		fake_join(td[i]);
	fake_preempt(0, 0);
	fake_pmap_verify();
	space_destroy(stress_space);
	vm_object_deallocate(stress_file);
}

static void
test_stress_1(void)
{
	stress(1);
}

static void
test_stress_2(void)
{
	stress(2);
}

static void
test_stress_3(void)
{
	stress(3);
}

static bool
oom_gives_a_little(void)
{
	fake_give_memory(4);
	return (true);
}

static void
test_stress_short_of_memory(void)
{
	fake_eat_memory(10);
	fake_oom_hook = oom_gives_a_little;
	fake_kmem_fail(997);
	fake_pmap_fail(503);
	stress(4);
	fake_kmem_fail(0);
	fake_pmap_fail(0);
	fake_give_memory(~0ul);
}

static const struct host_test tests[] = {
    TEST(test_zero_fill),
    TEST(test_O1_zeros_are_shared),
    TEST(test_O1_zeros_can_be_executed),
    TEST(test_O1_zeros_and_fork),
    TEST(test_O1_zeros_are_not_for_all),
    TEST(test_O1_zeros_are_held),
    TEST(test_soft_fault),
    TEST(test_not_mapped),
    TEST(test_protection),
    TEST(test_entry_has_the_rights_of_the_map),
    TEST(test_dontneed_gives_zeros_again),
    TEST(test_file_page_comes_from_the_pager),
    TEST(test_file_hole_is_zeros),
    TEST(test_past_the_end_of_the_object_fails),
    TEST(test_pager_error_is_a_failure_and_leaves_nothing),
    TEST(test_private_file_mapping),
    TEST(test_copy_replaces_what_was_mapped),
    TEST(test_private_mapping_made_writable_later),
    TEST(test_private_mapping_split),
    TEST(test_chain_of_three),
    TEST(test_write_fault_dirties_and_read_does_not),
    TEST(test_P16_hold),
    TEST(test_wire_and_unwire),
    TEST(test_wire_twice_counts),
    TEST(test_wire_private_copies_at_once),
    TEST(test_wired_read_only_private_then_written),
    TEST(test_wire_of_a_hole_wires_nothing),
    TEST(test_wire_failing_halfway_is_undone),
    TEST(test_wire_over_several_entries),
    TEST(test_unmap_of_a_wired_part_during_wire),
    TEST(test_unmap_of_a_wired_part_further_on_during_wire),
    TEST(test_unmap_of_a_part_being_wired),
    TEST(test_truncation_of_a_wired_page),
    TEST(test_shortage_waits_until_pages_are_freed),
    TEST(test_shortage_and_killed),
    TEST(test_shortage_for_a_copy),
    TEST(test_shortage_for_a_file_page),
    TEST(test_unmapped_while_waiting_for_memory),
    TEST(test_kmalloc_failing_once_is_survived),
    TEST(test_page_table_shortage_is_survived),
    TEST(test_no_memory_ever_ends_in_the_oom_kill),
    TEST(test_second_fault_waits_for_the_first),
    TEST(test_unmapped_while_the_pager_sleeps),
    TEST(test_killed_while_waiting_for_a_busy_page),
    TEST(test_stress_1),
    TEST(test_stress_2),
    TEST(test_stress_3),
    TEST(test_stress_short_of_memory),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "fault", tests, nitems(tests), FRAMES));
}

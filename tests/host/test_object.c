/*
 * vm/vm_object.h: references, shadows, coalescing, taking pages out, size, paging in progress; and
 * the device pager's objects (vm/vm_pager.h): one for each handle, constructor and destructor once.
 */
#include "harness.h"

#define FRAMES 2048

static vm_page_t
add_page(vm_object_t object, vm_pindex_t pindex, uint8_t fill)
{
	vm_page_t m;

	VM_OBJECT_WLOCK(object);
	m = vm_page_alloc(object, pindex, VM_ALLOC_NORMAL);
	T_OK(m != NULL);
	memset(pmap_page_kva(m), fill, PAGE_SIZE);
	m->valid = true;
	vm_page_xunbusy(m);
	VM_OBJECT_UNLOCK(object);
	return (m);
}

static bool
has_page(vm_object_t object, vm_pindex_t pindex)
{
	bool has;

	VM_OBJECT_RLOCK(object);
	has = vm_page_lookup(object, pindex) != NULL;
	VM_OBJECT_UNLOCK(object);
	return (has);
}

/* --- references ------------------------------------------------------------------------------- */

static void
test_allocate_and_deallocate(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 7);

	T_EQ(object->ref_count, 1);
	T_EQ(object->size, 7);
	T_EQ(object->type, OBJT_ANON);
	T_EQ(object->resident_page_count, 0);
	T_OK(object->backing_object == NULL);
	T_EQ(vm_cnt.v_objects, 1);
	vm_object_reference(object);
	vm_object_reference(object);
	T_EQ(object->ref_count, 3);
	vm_object_deallocate(object);
	vm_object_deallocate(object);
	T_EQ(vm_cnt.v_objects, 1);
	vm_object_deallocate(object);
	T_EQ(vm_cnt.v_objects, 0);
}

static void
test_allocate_without_memory(void)
{
	fake_kmem_fail(1);
	T_OK(vm_object_allocate(OBJT_ANON, 7) == NULL);
	fake_kmem_fail(1);
	T_OK(phys_pager_allocate(7) == NULL);
	fake_kmem_fail(1);
	T_OK(vnode_pager_allocate(&fake_kmem_live, 7, NULL) == NULL);
	T_EQ(vm_cnt.v_objects, 0);
}

static void
test_last_reference_frees_the_pages(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 1ul << 40);
	uint64_t free_before = vm_cnt.v_free_count;

	for (vm_pindex_t i = 1; i < 1ul << 39; i *= 3)
		add_page(object, i, 1);
	T_OK(vm_cnt.v_free_count < free_before);
	vm_object_deallocate(object);
	T_EQ(vm_cnt.v_free_count, free_before);
}

/* --- shadows ---------------------------------------------------------------------------------- */

static void
test_shadow_of_nothing_is_a_new_object(void)
{
	vm_object_t object = NULL;
	vm_ooffset_t offset = ptoa(4);

	T_OK(vm_object_shadow(&object, &offset, ptoa(6)));
	T_OK(object != NULL && object->type == OBJT_ANON);
	T_EQ(object->size, 6);
	T_EQ(object->ref_count, 1);
	T_EQ(offset, 0);
	T_OK(object->backing_object == NULL);
	vm_object_deallocate(object);
}

static void
test_shadow(void)
{
	vm_object_t source = vnode_pager_allocate(&fake_kmem_live, 10, NULL), object = source;
	vm_ooffset_t offset = ptoa(3);

	T_OK(vm_object_shadow(&object, &offset, ptoa(5)));
	T_OK(object != source && object->type == OBJT_ANON);
	T_EQ(offset, 0);
	T_EQ(object->size, 5);
	T_EQ(object->ref_count, 1);
	T_OK(object->backing_object == source);
	T_EQ(object->backing_object_offset, ptoa(3));
	T_EQ(source->ref_count, 1); /* the caller's, now the shadow's */
	T_EQ(source->shadow_count, 1);
	T_OK(LIST_FIRST(&source->shadow_head) == object);
	vm_object_deallocate(object); /* takes the source with it */
	T_EQ(vm_cnt.v_objects, 0);
}

static void
test_shadow_without_memory_changes_nothing(void)
{
	vm_object_t source = vnode_pager_allocate(&fake_kmem_live, 10, NULL), object = source;
	vm_ooffset_t offset = ptoa(3);

	fake_kmem_fail(1);
	T_OK(!vm_object_shadow(&object, &offset, ptoa(5)));
	T_OK(object == source && offset == ptoa(3));
	T_EQ(source->shadow_count, 0);
	T_EQ(source->ref_count, 1);
	vm_object_deallocate(source);
}

/* source ◀─ a ◀─ b, and source ◀─ c: a goes when only b needs it, the others with their last reference. */
static void
test_tree_of_shadows(void)
{
	vm_object_t source = vnode_pager_allocate(&fake_kmem_live, 10, NULL), a = source, b,
		    c = source;
	vm_ooffset_t offset = 0;

	vm_object_reference(source);
	T_OK(vm_object_shadow(&a, &offset, ptoa(10)));
	T_OK(vm_object_shadow(&c, &offset, ptoa(10)));
	T_EQ(source->shadow_count, 2);
	b = a;
	vm_object_reference(a); /* a second owner: so a shadow of it is made */
	T_OK(vm_object_shadow(&b, &offset, ptoa(10)));
	T_OK(b != a && b->backing_object == a);
	T_EQ(a->shadow_count, 1);
	T_EQ(vm_cnt.v_objects, 4);
	for (vm_object_t o = b; o != NULL; o = o->backing_object)
		add_page(o, 2, 1);
	add_page(c, 2, 1);
	vm_object_deallocate(a);
	T_EQ(vm_cnt.v_objects, 3);
	T_OK(b->backing_object == source);
	T_EQ(b->resident_page_count, 1);
	T_EQ(source->shadow_count, 2);
	vm_object_deallocate(c);
	T_EQ(source->shadow_count, 1);
	T_EQ(vm_cnt.v_objects, 2);
	vm_object_deallocate(b);
	T_EQ(vm_cnt.v_objects, 0);
}

/* A chain long enough to show a recursion. */
static void
test_long_chain_ends_in_a_loop(void)
{
	vm_object_t object = vnode_pager_allocate(&fake_kmem_live, 10, NULL), front = object;
	vm_ooffset_t offset = 0;

	for (int i = 0; i < 50000; i++) {
		T_OK(vm_object_shadow(&front, &offset, ptoa(10)));
		if (i != 49999)
			vm_object_reference(front);
		if (i > 0) /* the first owner lets go: the shadow keeps it */
			vm_object_deallocate(front->backing_object);
	}
	vm_object_deallocate(front);
	T_EQ(vm_cnt.v_objects, 0);
}

/* --- coalescing ------------------------------------------------------------------------------- */

static void
test_coalesce_grows_the_object(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 4);

	T_OK(vm_object_coalesce(object, 0, ptoa(4), ptoa(3)));
	T_EQ(object->size, 7);
	T_OK(vm_object_coalesce(object, ptoa(2), ptoa(5), ptoa(1)));
	T_EQ(object->size, 8);
	vm_object_deallocate(object);
}

/* What an entry that was unmapped left past the end must not come back. */
static void
test_coalesce_drops_old_pages(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 8);

	add_page(object, 3, 3);
	add_page(object, 4, 4);
	add_page(object, 7, 7);
	T_OK(vm_object_coalesce(object, 0, ptoa(4), ptoa(2)));
	T_OK(has_page(object, 3));
	T_OK(!has_page(object, 4));
	T_EQ(object->resident_page_count, 1);
	T_OK(object->size >= 6);
	vm_object_deallocate(object);
}

static void
test_coalesce_refusals(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 4), shadow, file;
	vm_ooffset_t offset = 0;

	vm_object_reference(object);
	T_OK(!vm_object_coalesce(object, 0, ptoa(4), ptoa(1))); /* shared */
	T_EQ(object->size, 4);
	vm_object_deallocate(object);
	T_OK(!vm_object_coalesce(object, 0, ptoa(4), ptoa(VM_SUPERPAGE_PAGES))); /* large */
	T_OK(vm_object_coalesce(object, 0, ptoa(4), ptoa(VM_SUPERPAGE_PAGES - 1)));
	object->size = 4;
	vm_object_reference(object);
	shadow = object;
	T_OK(vm_object_shadow(&shadow, &offset, ptoa(4)));
	T_OK(!vm_object_coalesce(shadow, 0, ptoa(4), ptoa(1))); /* shadowing */
	T_EQ(shadow->size, 4);
	vm_object_deallocate(shadow);
	vm_object_deallocate(object);
	file = vnode_pager_allocate(&fake_kmem_live, 4, NULL);
	T_OK(!vm_object_coalesce(file, 0, ptoa(4), ptoa(1))); /* another kind */
	T_EQ(file->size, 4);
	vm_object_deallocate(file);
	file = phys_pager_allocate(4);
	T_OK(!vm_object_coalesce(file, 0, ptoa(4), ptoa(1)));
	vm_object_deallocate(file);
}

/* --- taking pages out ------------------------------------------------------------------------- */

static void
test_page_remove_range(void)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, 100);
	uint64_t free_before = vm_cnt.v_free_count;

	for (vm_pindex_t i = 0; i < 100; i += 2)
		add_page(object, i, i);
	VM_OBJECT_WLOCK(object);
	vm_object_page_remove(object, 11, 20);
	VM_OBJECT_UNLOCK(object);
	T_EQ(object->resident_page_count, 46);
	T_OK(has_page(object, 10) && !has_page(object, 12) && !has_page(object, 18));
	T_OK(has_page(object, 20));
	VM_OBJECT_WLOCK(object);
	vm_object_page_remove(object, 5, 5); /* nothing */
	T_EQ(object->resident_page_count, 46);
	vm_object_page_remove(object, 50, 0); /* 0: to the last */
	T_EQ(object->resident_page_count, 21);
	T_OK(rw_wowned(&object->lock));
	VM_OBJECT_UNLOCK(object);
	T_OK(vm_cnt.v_free_count <= free_before);
	vm_object_deallocate(object);
}

static void
test_page_remove_takes_pages_out_of_every_map(void)
{
	struct space *a = space_create(), *b = space_create();
	vm_object_t object = vm_object_allocate(OBJT_ANON, 4);

	vm_object_reference(object);
	vm_object_reference(object);
	space_map(a, VA, ptoa(4), object, 0, VM_PROT_RW, VM_PROT_RW, 0);
	space_map(b, VA, ptoa(4), object, 0, VM_PROT_RW, VM_PROT_RW, 0);
	space_write(a, VA + ptoa(1), 0x1234);
	T_EQ(space_read(b, VA + ptoa(1)), 0x1234);
	T_EQ(fake_pmap.mappings, 2);
	VM_OBJECT_WLOCK(object);
	vm_object_page_remove(object, 0, 0);
	VM_OBJECT_UNLOCK(object);
	T_EQ(fake_pmap.mappings, 0);
	T_EQ(space_read(b, VA + ptoa(1)), 0);
	space_destroy(a);
	space_destroy(b);
	vm_object_deallocate(object);
}

static vm_object_t busy_object;
static bool remove_done;

static void
remove_all_pages(void *arg)
{
	(void)arg;
	VM_OBJECT_WLOCK(busy_object);
	vm_object_page_remove(busy_object, 0, 0);
	T_OK(rw_wowned(&busy_object->lock));
	VM_OBJECT_UNLOCK(busy_object);
	remove_done = true;
}

static void
test_page_remove_waits_for_a_busy_page(void)
{
	struct thread *td;
	vm_page_t m[3];

	busy_object = vm_object_allocate(OBJT_ANON, 3);
	for (int i = 0; i < 3; i++)
		m[i] = add_page(busy_object, i, i);
	VM_OBJECT_WLOCK(busy_object);
	T_OK(vm_page_tryxbusy(m[1]));
	VM_OBJECT_UNLOCK(busy_object);
	td = fake_spawn("remover", remove_all_pages, NULL);
	fake_run(td);
	T_OK(fake_asleep(td));
	/* The object lock is free meanwhile. */
	T_OK(VM_OBJECT_TRYWLOCK(busy_object));
	VM_OBJECT_UNLOCK(busy_object);
	vm_page_xunbusy(m[1]);
	fake_join(td);
	T_OK(remove_done);
	T_EQ(busy_object->resident_page_count, 0);
	vm_object_deallocate(busy_object);
}

/* The page it slept on went away meanwhile, with its index taken by another. */
static void
test_page_remove_looks_again_after_the_sleep(void)
{
	struct thread *td;
	vm_page_t m = NULL;

	busy_object = vm_object_allocate(OBJT_ANON, 3);
	VM_OBJECT_WLOCK(busy_object);
	m = vm_page_alloc(busy_object, 1, VM_ALLOC_NORMAL);
	VM_OBJECT_UNLOCK(busy_object);
	td = fake_spawn("remover", remove_all_pages, NULL);
	fake_run(td);
	VM_OBJECT_WLOCK(busy_object);
	vm_page_free(m);
	VM_OBJECT_UNLOCK(busy_object);
	add_page(busy_object, 1, 9);
	add_page(busy_object, 2, 9);
	fake_join(td);
	T_EQ(busy_object->resident_page_count, 0);
	vm_object_deallocate(busy_object);
}

static void
test_set_size(void)
{
	vm_object_t object = vnode_pager_allocate(&fake_kmem_live, 10, NULL);

	for (vm_pindex_t i = 0; i < 10; i++)
		add_page(object, i, i);
	vm_object_set_size(object, 4);
	T_EQ(object->size, 4);
	T_EQ(object->resident_page_count, 4);
	T_OK(has_page(object, 3) && !has_page(object, 4));
	vm_object_set_size(object, 20);
	T_EQ(object->size, 20);
	T_EQ(object->resident_page_count, 4);
	vm_object_set_size(object, 0);
	T_EQ(object->size, 0);
	T_EQ(object->resident_page_count, 0);
	vm_object_deallocate(object);
}

static void
test_set_size_unmaps_what_is_past_the_end(void)
{
	struct space *s = space_create();
	vm_object_t object = vnode_pager_allocate(&fake_kmem_live, 10, NULL);

	vm_object_reference(object);
	space_map(s, VA, ptoa(10), object, 0, VM_PROT_RW, VM_PROT_RW, 0);
	for (int i = 0; i < 10; i++)
		space_write(s, VA + ptoa(i), i);
	vm_object_set_size(object, 4);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(10)), 4);
	T_EQ(space_read(s, VA + ptoa(3)), 3);
	T_EQ(fake_touch(&s->map, VA + ptoa(4), VM_PROT_READ, NULL), KERN_FAILURE);
	vm_object_set_size(object, 10); /* grown again: what was there is gone */
	T_EQ(space_read(s, VA + ptoa(4)), 0);
	space_destroy(s);
	vm_object_deallocate(object);
}

/* --- paging in progress ----------------------------------------------------------------------- */

static void
wait_for_pip(void *arg)
{
	(void)arg;
	VM_OBJECT_WLOCK(busy_object);
	vm_object_pip_wait(busy_object);
	T_OK(rw_wowned(&busy_object->lock));
	T_EQ(busy_object->paging_in_progress, 0);
	VM_OBJECT_UNLOCK(busy_object);
	remove_done = true;
}

static void
test_pip_wait(void)
{
	struct thread *td;

	busy_object = vm_object_allocate(OBJT_ANON, 3);
	VM_OBJECT_WLOCK(busy_object);
	vm_object_pip_add(busy_object, 2);
	VM_OBJECT_UNLOCK(busy_object);
	td = fake_spawn("waiter", wait_for_pip, NULL);
	fake_run(td);
	T_OK(fake_asleep(td));
	VM_OBJECT_WLOCK(busy_object);
	vm_object_pip_wakeup(busy_object);
	VM_OBJECT_UNLOCK(busy_object);
	fake_yield();
	T_OK(!remove_done);
	VM_OBJECT_WLOCK(busy_object);
	vm_object_pip_wakeup(busy_object);
	VM_OBJECT_UNLOCK(busy_object);
	fake_join(td);
	T_OK(remove_done);
	vm_object_deallocate(busy_object);
}

static void
let_go(void *arg)
{
	vm_object_deallocate(arg);
	remove_done = true;
}

static void
test_last_reference_waits_for_paging(void)
{
	struct thread *td;

	busy_object = vm_object_allocate(OBJT_ANON, 3);
	VM_OBJECT_WLOCK(busy_object);
	vm_object_pip_add(busy_object, 1);
	VM_OBJECT_UNLOCK(busy_object);
	td = fake_spawn("owner", let_go, busy_object);
	fake_run(td);
	T_OK(!remove_done);
	VM_OBJECT_WLOCK(busy_object);
	vm_object_pip_wakeup(busy_object);
	VM_OBJECT_UNLOCK(busy_object);
	fake_join(td);
	T_EQ(vm_cnt.v_objects, 0);
}

/* --- device objects --------------------------------------------------------------------------- */

struct dev {
	int ctors, dtors, ctor_error;
	vm_ooffset_t size, foff;
	vm_prot_t prot;
	bool sleepy;
};

static int
dev_ctor(void *handle, vm_ooffset_t size, vm_prot_t prot, vm_ooffset_t foff)
{
	struct dev *dev = handle;

	dev->ctors++;
	dev->size = size;
	dev->prot = prot;
	dev->foff = foff;
	T_EQ(locks_held(), 0);
	if (dev->sleepy)
		fake_yield();
	return (dev->ctor_error);
}

static void
dev_dtor(void *handle)
{
	struct dev *dev = handle;

	dev->dtors++;
	T_EQ(locks_held(), 0); /* R4 */
	if (dev->sleepy)
		fake_yield();
}

static int
dev_fault(vm_object_t object, vm_ooffset_t offset, int prot, vm_page_t *m)
{
	(void)object, (void)offset, (void)prot, (void)m;
	return (VM_PAGER_FAIL);
}

static int
dev_populate(vm_object_t object, vm_pindex_t pidx, int fault_type, vm_prot_t max_prot,
	     vm_pindex_t *first, vm_pindex_t *last)
{
	(void)object, (void)pidx, (void)fault_type, (void)max_prot, (void)first, (void)last;
	return (VM_PAGER_FAIL);
}

static const struct cdev_pager_ops fault_ops = {
    .cdev_pg_fault = dev_fault, .cdev_pg_ctor = dev_ctor, .cdev_pg_dtor = dev_dtor};
static const struct cdev_pager_ops populate_ops = {
    .cdev_pg_populate = dev_populate, .cdev_pg_ctor = dev_ctor, .cdev_pg_dtor = dev_dtor};
static const struct cdev_pager_ops bare_ops = {.cdev_pg_populate = dev_populate};

static vm_object_t
dev_object(struct dev *dev, const struct cdev_pager_ops *ops, vm_ooffset_t size, int *error)
{
	return (cdev_pager_allocate(dev, OBJT_MGTDEVICE, ops, "testdev", size, VM_PROT_RW, ptoa(1),
				    error));
}

static void
test_device_object_is_one_for_each_handle(void)
{
	struct dev dev = {0}, other = {0};
	int error = -1;
	vm_object_t a = dev_object(&dev, &fault_ops, ptoa(8), &error), b, c;

	T_OK(a != NULL && error == 0);
	T_EQ(dev.ctors, 1);
	T_EQ(dev.size, ptoa(8));
	T_EQ(dev.foff, ptoa(1));
	T_EQ(dev.prot, VM_PROT_RW);
	T_OK(a->handle == &dev && a->type == OBJT_MGTDEVICE && a->size == 8);
	b = dev_object(&dev, &fault_ops, ptoa(4), &error);
	T_OK(a == b && a->size == 8);
	b = dev_object(&dev, &fault_ops, ptoa(16), &error);
	T_OK(a == b && a->size == 16); /* size covers every mapping */
	T_EQ(a->ref_count, 3);
	T_EQ(dev.ctors, 1);
	c = dev_object(&other, &fault_ops, ptoa(4), &error);
	T_OK(c != a && other.ctors == 1);
	T_OK(cdev_pager_lookup(&other) == c && c->ref_count == 2);
	T_OK(cdev_pager_lookup(&error) == NULL);
	vm_object_deallocate(c);
	vm_object_deallocate(c);
	T_EQ(other.dtors, 1);
	T_OK(cdev_pager_lookup(&other) == NULL);
	for (int i = 0; i < 3; i++) {
		T_EQ(dev.dtors, 0);
		vm_object_deallocate(a);
	}
	T_EQ(dev.dtors, 1);
	/* And again: a new one. */
	a = dev_object(&dev, &fault_ops, ptoa(8), &error);
	T_OK(a != NULL && dev.ctors == 2);
	vm_object_deallocate(a);
	T_EQ(dev.dtors, 2);
}

static void
test_P2_populate_flag_follows_the_method(void)
{
	struct dev dev = {0};
	int error;

	for (int type = OBJT_DEVICE; type <= OBJT_MGTDEVICE; type++) {
		vm_object_t object = cdev_pager_allocate(&dev, type, &populate_ops, "testdev",
							 ptoa(4), VM_PROT_RW, 0, &error);

		T_OK(object != NULL && error == 0);
		T_OK(object->flags & OBJ_POPULATE);
		vm_object_deallocate(object);
		object = cdev_pager_allocate(&dev, type, &fault_ops, "testdev", ptoa(4), VM_PROT_RW,
					     0, &error);
		T_OK(!(object->flags & OBJ_POPULATE)); /* P1 */
		vm_object_deallocate(object);
	}
	T_EQ(dev.ctors, 4);
	T_EQ(dev.dtors, 4);
}

static void
test_P2_neither_method_is_EINVAL(void)
{
	static const struct cdev_pager_ops none = {.cdev_pg_ctor = dev_ctor};
	struct dev dev = {0};
	int error = 0;

	T_OK(dev_object(&dev, &none, ptoa(4), &error) == NULL);
	T_EQ(error, EINVAL);
	T_EQ(dev.ctors, 0);
	error = 0;
	T_OK(cdev_pager_allocate(&dev, OBJT_ANON, &fault_ops, "x", ptoa(4), VM_PROT_RW, 0,
				 &error) == NULL);
	T_EQ(error, EINVAL);
	error = 0;
	T_OK(cdev_pager_allocate(&dev, OBJT_VNODE, &fault_ops, "x", ptoa(4), VM_PROT_RW, 0,
				 &error) == NULL);
	T_EQ(error, EINVAL);
	T_EQ(dev.ctors, 0);
}

static void
test_device_object_without_constructor(void)
{
	struct dev dev = {0};
	int error;
	vm_object_t object = dev_object(&dev, &bare_ops, ptoa(4), &error);

	T_OK(object != NULL);
	vm_object_deallocate(object);
}

static void
test_constructor_says_no(void)
{
	struct dev dev = {.ctor_error = ENXIO};
	int error = 0;

	T_OK(dev_object(&dev, &fault_ops, ptoa(4), &error) == NULL);
	T_EQ(error, ENXIO);
	T_EQ(dev.dtors, 0);
	T_OK(cdev_pager_lookup(&dev) == NULL);
	dev.ctor_error = 0;
	vm_object_t object = dev_object(&dev, &fault_ops, ptoa(4), &error);
	T_OK(object != NULL && error == 0);
	vm_object_deallocate(object);
	T_EQ(dev.dtors, 1);
}

static void
test_device_object_ENOMEM(void)
{
	for (uint64_t nth = 1;; nth++) {
		struct dev dev = {0};
		int error = 0;
		vm_object_t object;

		fake_kmem_fail(nth);
		object = dev_object(&dev, &fault_ops, ptoa(4), &error);
		if (!fake_kmem_failed()) {
			vm_object_deallocate(object);
			return;
		}
		T_OK(object == NULL);
		T_EQ(error, ENOMEM);
		T_EQ(dev.ctors, dev.dtors); /* whoever was made was ended */
		T_EQ(fake_kmem_live, 0);
		T_OK(cdev_pager_lookup(&dev) == NULL);
	}
}

static struct dev shared_dev;

static void
use_device(void *arg)
{
	int error;
	vm_object_t object;

	for (int i = 0; i < 20; i++) {
		object = dev_object(&shared_dev, &fault_ops, ptoa(4 + *(int *)arg), &error);
		T_OK(object != NULL);
		T_EQ(shared_dev.ctors, shared_dev.dtors + 1); /* one at a time, alive */
		fake_yield();
		T_OK(cdev_pager_lookup(&shared_dev) == object);
		vm_object_deallocate(object);
		vm_object_deallocate(object);
	}
}

/* R2: constructor and destructor sleep, others come and go meanwhile: never two objects at once. */
static void
test_R2_one_constructor_one_destructor_for_each_object(void)
{
	struct thread *td[4];
	int id[4] = {0, 1, 2, 3};

	shared_dev = (struct dev){.sleepy = true};
	for (int i = 0; i < 4; i++)
		td[i] = fake_spawn("user", use_device, &id[i]);
	fake_preempt(17, 200);
	for (int i = 0; i < 4; i++)
		fake_join(td[i]);
	fake_preempt(0, 0);
	T_EQ(shared_dev.ctors, shared_dev.dtors);
	T_OK(shared_dev.ctors > 0);
}

static const struct host_test tests[] = {
    TEST(test_allocate_and_deallocate),
    TEST(test_allocate_without_memory),
    TEST(test_last_reference_frees_the_pages),
    TEST(test_shadow_of_nothing_is_a_new_object),
    TEST(test_shadow),
    TEST(test_shadow_without_memory_changes_nothing),
    TEST(test_tree_of_shadows),
    TEST(test_long_chain_ends_in_a_loop),
    TEST(test_coalesce_grows_the_object),
    TEST(test_coalesce_drops_old_pages),
    TEST(test_coalesce_refusals),
    TEST(test_page_remove_range),
    TEST(test_page_remove_takes_pages_out_of_every_map),
    TEST(test_page_remove_waits_for_a_busy_page),
    TEST(test_page_remove_looks_again_after_the_sleep),
    TEST(test_set_size),
    TEST(test_set_size_unmaps_what_is_past_the_end),
    TEST(test_pip_wait),
    TEST(test_last_reference_waits_for_paging),
    TEST(test_device_object_is_one_for_each_handle),
    TEST(test_P2_populate_flag_follows_the_method),
    TEST(test_P2_neither_method_is_EINVAL),
    TEST(test_device_object_without_constructor),
    TEST(test_constructor_says_no),
    TEST(test_device_object_ENOMEM),
    TEST(test_R2_one_constructor_one_destructor_for_each_object),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "object", tests, nitems(tests), FRAMES));
}

/*
 * The well-behaved device: device.h says what it does.
 */
#include "device.h"

struct device dev;
static bool gate_is_open;

static vm_page_t
new_page(struct device *d, vm_pindex_t frame)
{
	vm_paddr_t pa = FAKE_VRAM_BASE + ptoa(frame);
	vm_page_t m = d->type == OBJT_DEVICE ? vm_page_getfake(pa, VM_MEMATTR_WRITE_COMBINING)
					     : vm_phys_fictitious_to_vm_page(pa);

	m->valid = true;
	m->tracked = d->track;
	return (m);
}

/* The page at i, busied: the resident one, or frame's. */
static void
install(struct device *d, vm_object_t object, vm_pindex_t i, vm_pindex_t frame)
{
	vm_page_t m;

	while ((m = vm_page_lookup(object, i)) != NULL) {
		if (vm_page_tryxbusy(m))
			return;
		vm_page_busy_wait(m);
		VM_OBJECT_WLOCK(object);
	}
	m = new_page(d, frame);
	T_OK(vm_page_tryxbusy(m));
	T_EQ(vm_page_insert(m, object, i), 0);
}

static void
hook(struct device *d, vm_object_t object, void (*fn)(struct device *d))
{
	if (fn == NULL)
		return;
	VM_OBJECT_UNLOCK(object);
	fn(d);
	VM_OBJECT_WLOCK(object);
}

static int
device_populate(vm_object_t object, vm_pindex_t pidx, int fault_type, vm_prot_t max_prot,
		vm_pindex_t *first, vm_pindex_t *last)
{
	struct device *d = object->handle;
	bool write = (fault_type & W) != 0;
	vm_pindex_t shift = d->shift, window = d->window; /* decided now; may be stale below */

	if (write && d->write_window != 0)
		window = d->write_window;
	d->calls++;
	d->write_calls += write;
	d->pidx = pidx;
	d->first = *first;
	d->last = *last;
	d->fault_type = fault_type;
	d->max_prot = max_prot;
	hook(d, object, d->before);
	if (write && d->write_answer != VM_PAGER_OK)
		return (d->write_answer);
	if (window != 0) {
		*first = MAX(*first, pidx - pidx % window);
		*last = MIN(*last, pidx - pidx % window + window - 1);
	}
	if (d->beyond) {
		*first = 0;
		*last = object->size - 1;
	}
	for (vm_pindex_t i = *first; i + d->one_short <= *last; i++)
		install(d, object, i, i + shift);
	hook(d, object, d->after);
	if (d->lies) {
		*first = d->lie_first;
		*last = d->lie_last;
	}
	return (VM_PAGER_OK);
}

static int
device_getpages(vm_object_t object, vm_ooffset_t offset, int prot __unused, vm_page_t *mp)
{
	struct device *d = object->handle;
	vm_page_t m = new_page(d, atop(offset) + d->shift);

	d->getpages++;
	T_OK(vm_page_tryxbusy(m));
	hook(d, object, d->before);
	vm_page_free(*mp);
	T_EQ(vm_page_insert(m, object, atop(offset)), 0);
	*mp = m;
	return (VM_PAGER_OK);
}

static int
device_ctor(void *handle, vm_ooffset_t size __unused, vm_prot_t prot __unused,
	    vm_ooffset_t foff __unused)
{
	((struct device *)handle)->ctors++;
	return (0);
}

static void
device_dtor(void *handle)
{
	struct device *d = handle;

	T_EQ(fake_locks_held(curthread), 0); /* R4 */
	if (d->dtor != NULL)
		d->dtor(d);
	d->dtors++;
}

static const struct cdev_pager_ops populate_ops = {
    .cdev_pg_populate = device_populate, .cdev_pg_ctor = device_ctor, .cdev_pg_dtor = device_dtor};
static const struct cdev_pager_ops both_ops = {.cdev_pg_fault = device_getpages,
					       .cdev_pg_populate = device_populate,
					       .cdev_pg_ctor = device_ctor,
					       .cdev_pg_dtor = device_dtor};

struct space *
device_setup(enum obj_type type, bool getpages)
{
	struct space *s = space_create();
	int error;

	T_EQ(vm_phys_fictitious_reg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE,
					  VM_MEMATTR_WRITE_COMBINING),
	     0);
	for (size_t i = 0; i < 8 * NPAGES; i++)
		fake_vram[ptoa(i)] = (uint8_t)i;
	dev = (struct device){.type = type};
	gate_is_open = false;
	dev.object = cdev_pager_allocate(&dev, type, getpages ? &both_ops : &populate_ops, "dev",
					 ptoa(NPAGES), RW, 0, &error);
	T_OK(dev.object != NULL && error == 0);
	VM_OBJECT_WLOCK(dev.object);
	dev.object->flags |= OBJ_WRITE_NOTIFY;
	VM_OBJECT_UNLOCK(dev.object);
	device_map(s, VA, 0, NPAGES, RW, 0);
	return (s);
}

void
device_teardown(struct space *s)
{
	T_EQ(vm_cnt.v_busied, 0);
	fake_pmap_verify();
	space_destroy(s);
	T_EQ(dev.object->paging_in_progress, 0);
	vm_object_deallocate(dev.object);
	fake_yield();
	T_EQ(dev.ctors, 1);
	T_EQ(dev.dtors, 1);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

void
device_map(struct space *s, vm_offset_t va, vm_pindex_t first, vm_pindex_t n, vm_prot_t prot,
	   uint32_t eflags)
{
	vm_object_reference(dev.object);
	space_map(s, va, ptoa(n), dev.object, ptoa(first), prot, RW, eflags);
}

int
device_touch(struct space *s, vm_pindex_t i, vm_prot_t access)
{
	int rv = fake_touch(&s->map, VA + ptoa(i), access, NULL);

	T_EQ(fake_locks_held(curthread), 0);
	return (rv);
}

vm_prot_t
device_prot(struct space *s, vm_pindex_t i)
{
	vm_prot_t prot = VM_PROT_NONE;

	fake_pte(&s->pmap, VA + ptoa(i), NULL, &prot, NULL);
	return (prot);
}

vm_page_t
device_page(vm_pindex_t i)
{
	vm_page_t m;

	VM_OBJECT_RLOCK(dev.object);
	m = vm_page_lookup(dev.object, i);
	VM_OBJECT_UNLOCK(dev.object);
	return (m);
}

void
device_renew(vm_pindex_t start, vm_pindex_t end)
{
	dev.shift += NPAGES;
	T_EQ(cdev_pager_revoke(dev.object, start, end), 0);
}

static void
renew_all(void *arg __unused)
{
	device_renew(0, NPAGES);
}

struct thread *
device_renew_in_thread(void)
{
	return (fake_spawn("revoker", renew_all, NULL));
}

void
device_check(struct space *s)
{
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		vm_paddr_t pa = pmap_extract(&s->pmap, VA + ptoa(i));

		if (pa != 0)
			T_EQ(*(uint8_t *)fake_phys(pa), i + dev.shift);
	}
}

static void
toucher_main(void *arg)
{
	struct toucher *t = arg;

	t->rv = device_touch(t->s, t->i, t->access);
}

void
device_touch_in_thread(struct toucher *t, struct space *s, vm_pindex_t i, vm_prot_t access)
{
	*t = (struct toucher){.s = s, .i = i, .access = access, .rv = -1};
	t->td = fake_spawn("toucher", toucher_main, t);
	fake_run(t->td);
}

void
device_nap(struct device *d __unused)
{
	while (!gate_is_open)
		rw_sleep(&gate_is_open, NULL, 0, 0);
}

void
device_gate_open(void)
{
	gate_is_open = true;
	wakeup(&gate_is_open);
}

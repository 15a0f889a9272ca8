/*
 * The device pager: objects whose pages are a driver's. The driver makes them one at a time
 * (cdev_pg_fault), a range at a time (cdev_pg_populate), or both. Owns the list of device objects,
 * by handle: all mappings of a device share one.
 *
 * A driver may take pages back while they are mapped (revocation, R1 to R4), under its own locks.
 * So the driver's destructor may become due under them too; then it is a task for later.
 *
 * Managed (OBJT_MGTDEVICE): pages from vm_phys_fictitious_reg_range, which can be taken out of
 * every map again. Unmanaged (OBJT_DEVICE): pages from vm_page_getfake, which cannot.
 */
#include "vm/vm_pager.h"
#include "vm/vm_page.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/task.h"

/* Locks: (c) constant  (d) dev_mtx */
struct dev_entry {
	LIST_ENTRY(dev_entry) link; /* (d) */
	void *handle; /* (c) */
	const struct cdev_pager_ops *ops; /* (c) */
	vm_object_t object; /* (d) NULL while the constructor or the destructor runs */
	struct task end; /* the destructor, when it has to wait */
};

static struct mtx dev_mtx = MTX_INITIALIZER("device pager", LR_LEAF);
static LIST_HEAD(, dev_entry) dev_list = LIST_HEAD_INITIALIZER(dev_list);

static struct dev_entry *
dev_find(void *handle)
{
	struct dev_entry *de;

	mtx_assert_owned(&dev_mtx);
	LIST_FOREACH (de, &dev_list, link)
		if (de->handle == handle)
			return (de);
	return (NULL);
}

vm_object_t
cdev_pager_lookup(void *handle)
{
	struct dev_entry *de;
	vm_object_t object = NULL;

	mtx_lock(&dev_mtx);
	de = dev_find(handle);
	if (de != NULL && de->object != NULL && vm_object_tryref(de->object))
		object = de->object;
	mtx_unlock(&dev_mtx);
	return (object);
}

/*
 * Find the handle's object, or put new in the list to reserve its place (returns NULL then). One
 * that is being made or ended by another thread is waited for: there is never a second one beside
 * it (R2).
 */
static vm_object_t
dev_find_or_reserve(struct dev_entry *new)
{
	struct dev_entry *de;
	vm_object_t object;

	for (;;) {
		mtx_lock(&dev_mtx);
		de = dev_find(new->handle);
		if (de == NULL) {
			LIST_INSERT_HEAD(&dev_list, new, link);
			mtx_unlock(&dev_mtx);
			return (NULL);
		}
		object = de->object;
		if (object != NULL && vm_object_tryref(object)) {
			mtx_unlock(&dev_mtx);
			return (object);
		}
		mtx_sleep(&dev_list, &dev_mtx, 0, 0);
	}
}

static void
dev_remove(struct dev_entry *de)
{
	mtx_lock(&dev_mtx);
	LIST_REMOVE(de, link);
	mtx_unlock(&dev_mtx);
	wakeup(&dev_list);
	kfree(de);
}

static vm_object_t
dev_make(struct dev_entry *de, enum obj_type type, const char *name, vm_ooffset_t size)
{
	const struct cdev_pager_ops *ops = de->ops;
	vm_object_t object = vm_object_allocate(type, atop(round_page(size)));

	if (object == NULL)
		return (NULL);
	object->handle = de->handle;
	object->un_pager.devp.ops = ops;
	object->un_pager.devp.name = name;
	if (ops->cdev_pg_populate != NULL)
		object->flags |= OBJ_POPULATE; /* P2 */
	mtx_lock(&dev_mtx);
	de->object = object;
	mtx_unlock(&dev_mtx);
	wakeup(&dev_list);
	return (object);
}

static void
dev_grow(vm_object_t object, vm_ooffset_t size)
{
	VM_OBJECT_WLOCK(object);
	object->size = MAX(object->size, atop(round_page(size)));
	VM_OBJECT_UNLOCK(object);
}

vm_object_t
cdev_pager_allocate(void *handle, enum obj_type type, const struct cdev_pager_ops *ops,
		    const char *name, vm_ooffset_t size, vm_prot_t prot, vm_ooffset_t foff,
		    int *error)
{
	struct dev_entry *de;
	vm_object_t object;

	*error = EINVAL;
	if ((type != OBJT_DEVICE && type != OBJT_MGTDEVICE) || size == 0 ||
	    (ops->cdev_pg_fault == NULL && ops->cdev_pg_populate == NULL))
		return (NULL);
	*error = ENOMEM;
	de = kmalloc(sizeof(*de), M_ZERO);
	if (de == NULL)
		return (NULL);
	de->handle = handle;
	de->ops = ops;
	object = dev_find_or_reserve(de);
	if (object != NULL) {
		kfree(de);
		dev_grow(object, size);
		*error = 0;
		return (object);
	}
	*error = ops->cdev_pg_ctor != NULL ? ops->cdev_pg_ctor(handle, size, prot, foff) : 0;
	object = *error == 0 ? dev_make(de, type, name, size) : NULL;
	if (object != NULL)
		return (object);
	if (*error == 0) {
		*error = ENOMEM;
		if (ops->cdev_pg_dtor != NULL)
			ops->cdev_pg_dtor(handle);
	}
	dev_remove(de);
	return (NULL);
}

static void
dev_end(void *arg)
{
	struct dev_entry *de = arg;

	if (de->ops->cdev_pg_dtor != NULL)
		de->ops->cdev_pg_dtor(de->handle);
	dev_remove(de);
}

/* R2, R4: the destructor runs once and with no lock held; the handle is free for a new object
 * after it. */
static void
dev_pager_dealloc(vm_object_t object)
{
	bool later = (object->flags & OBJ_END_LATER) != 0;
	struct dev_entry *de;

	KASSERT(later || locks_held() == 0,
		("R4: %s: the last mapping went under a lock", vm_pager_name(object)));
	mtx_lock(&dev_mtx);
	de = dev_find(object->handle);
	KASSERT(de != NULL && de->object == object, ("device object is not in the list"));
	de->object = NULL;
	mtx_unlock(&dev_mtx);
	if (later)
		task_enqueue(&de->end, dev_end, de);
	else
		dev_end(de);
}

/* P3, P8: without a fault method there is no ordinary way, and never a silent page of zeros. */
static int
dev_pager_getpages(vm_object_t object, vm_page_t *m, int fault_type)
{
	const struct cdev_pager_ops *ops = object->un_pager.devp.ops;

	if (ops->cdev_pg_fault == NULL)
		return (VM_PAGER_FAIL);
	return (ops->cdev_pg_fault(object, ptoa((*m)->pindex), fault_type, m));
}

static bool
dev_pager_haspage(vm_object_t object, vm_pindex_t pindex)
{
	return (pindex < object->size);
}

static int
dev_pager_populate(vm_object_t object, vm_pindex_t pidx, int fault_type, vm_prot_t max_prot,
		   vm_pindex_t *first, vm_pindex_t *last)
{
	return (object->un_pager.devp.ops->cdev_pg_populate(object, pidx, fault_type, max_prot,
							    first, last));
}

int
cdev_pager_revoke(vm_object_t object, vm_pindex_t start, vm_pindex_t end)
{
	if (object->type != OBJT_MGTDEVICE) {
		klog(LOG_ERR, "R1: %s: unmanaged pages cannot be revoked", vm_pager_name(object));
		return (EOPNOTSUPP);
	}
	if (start >= end)
		return (0);
	VM_OBJECT_WLOCK(object);
	object->generation++;
	vm_object_page_remove(object, start, end);
	VM_OBJECT_UNLOCK(object);
	return (0);
}

/* One pager, two object types: what differs is the pages a driver may give
 * (vm_fault_populate.c). */
const struct pagerops device_pager_ops = {
    .pgo_name = "device",
    .pgo_dealloc = dev_pager_dealloc,
    .pgo_getpages = dev_pager_getpages,
    .pgo_haspage = dev_pager_haspage,
    .pgo_populate = dev_pager_populate,
};

/*
 * The device pager: objects whose pages are a driver's. The driver makes them one at a time
 * (cdev_pg_fault), a range at a time (cdev_pg_populate), or both. Owns the list of device objects,
 * by handle: all mappings of a device share one. dev_mtx protects it.
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
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/task.h"
#include "kern/trace.h"

/* devp.state: not in the list; in it, and the constructor runs; as it should be; the destructor is
 * due or runs. */
enum { DEV_HIDDEN, DEV_MAKING, DEV_READY, DEV_ENDING };

static struct mtx dev_mtx = MTX_INITIALIZER("device pager", LR_LEAF);
static LIST_HEAD(, vm_object) dev_list = LIST_HEAD_INITIALIZER(dev_list);

static vm_object_t
dev_find(void *handle)
{
	vm_object_t object;

	mtx_assert_owned(&dev_mtx);
	LIST_FOREACH (object, &dev_list, un_pager.devp.link)
		if (object->handle == handle)
			return (object);
	return (NULL);
}

vm_object_t
cdev_pager_lookup(void *handle)
{
	vm_object_t object;

	mtx_lock(&dev_mtx);
	object = dev_find(handle);
	if (object != NULL &&
	    (object->un_pager.devp.state != DEV_READY || !vm_object_tryref(object)))
		object = NULL;
	mtx_unlock(&dev_mtx);
	return (object);
}

/*
 * The object of new's handle, with a reference, or NULL when there is none: then new is in its
 * place. One that is being made or ended by another thread is waited for: there is never a second
 * one beside it (R2).
 */
static vm_object_t
dev_find_or_reserve(vm_object_t new)
{
	vm_object_t object;

	for (;;) {
		mtx_lock(&dev_mtx);
		object = dev_find(new->handle);
		if (object == NULL) {
			LIST_INSERT_HEAD(&dev_list, new, un_pager.devp.link);
			new->un_pager.devp.state = DEV_MAKING;
			mtx_unlock(&dev_mtx);
			return (NULL);
		}
		if (object->un_pager.devp.state == DEV_READY && vm_object_tryref(object)) {
			mtx_unlock(&dev_mtx);
			return (object);
		}
		mtx_sleep(&dev_list, &dev_mtx, 0, 0);
	}
}

/* An object for the handle, in nobody's sight. */
static vm_object_t
dev_object(void *handle, enum obj_type type, const struct cdev_pager_ops *ops, const char *name,
	   vm_ooffset_t size)
{
	vm_object_t object = vm_object_allocate(type, atop(round_page(size)));

	if (object == NULL)
		return (NULL);
	object->handle = handle;
	object->un_pager.devp.ops = ops;
	object->un_pager.devp.name = name;
	if (ops->cdev_pg_populate != NULL)
		object->flags |= OBJ_POPULATE; /* P2 */
	return (object);
}

vm_object_t
cdev_pager_allocate(void *handle, enum obj_type type, const struct cdev_pager_ops *ops,
		    const char *name, vm_ooffset_t size, vm_prot_t prot, vm_ooffset_t foff,
		    int *error)
{
	vm_object_t object, new;

	*error = EINVAL;
	if ((type != OBJT_DEVICE && type != OBJT_MGTDEVICE) || size == 0 ||
	    (ops->cdev_pg_fault == NULL && ops->cdev_pg_populate == NULL))
		return (NULL);
	*error = ENOMEM;
	new = dev_object(handle, type, ops, name, size);
	if (new == NULL)
		return (NULL);
	*error = 0;
	object = dev_find_or_reserve(new);
	if (object != NULL) {
		VM_OBJECT_WLOCK(object);
		object->size = MAX(object->size, new->size);
		VM_OBJECT_UNLOCK(object);
		vm_object_deallocate(new);
		return (object);
	}
	if (ops->cdev_pg_ctor != NULL)
		*error = ops->cdev_pg_ctor(handle, size, prot, foff);
	if (*error != 0) {
		vm_object_deallocate(new);
		return (NULL);
	}
	mtx_lock(&dev_mtx);
	new->un_pager.devp.state = DEV_READY;
	mtx_unlock(&dev_mtx);
	wakeup(&dev_list);
	return (new);
}

/* Of one that was made, or only meant to be (DEV_MAKING). */
static void
dev_end(void *arg)
{
	vm_object_t object = arg;
	const struct cdev_pager_ops *ops = object->un_pager.devp.ops;

	if (object->un_pager.devp.state == DEV_ENDING && ops->cdev_pg_dtor != NULL)
		ops->cdev_pg_dtor(object->handle);
	mtx_lock(&dev_mtx);
	LIST_REMOVE(object, un_pager.devp.link);
	mtx_unlock(&dev_mtx);
	wakeup(&dev_list);
	vm_object_free(object);
}

/* R2, R4: the destructor runs once and with no lock held; the handle is free for a new object
 * after it. */
static void
dev_pager_dealloc(vm_object_t object)
{
	bool later = (object->flags & OBJ_END_LATER) != 0, hidden;

	KASSERT(later || locks_held() == 0 || object->un_pager.devp.state != DEV_READY,
		("R4: %s: the last mapping went under a lock", vm_pager_name(object)));
	mtx_lock(&dev_mtx);
	hidden = object->un_pager.devp.state == DEV_HIDDEN;
	if (object->un_pager.devp.state == DEV_READY)
		object->un_pager.devp.state = DEV_ENDING;
	mtx_unlock(&dev_mtx);
	if (hidden)
		vm_object_free(object);
	else if (later)
		task_enqueue(&object->un_pager.devp.end, dev_end, object);
	else
		dev_end(object);
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
	/* LAB(10): take the pages of [start, end) out of the object and of all page tables. A call of
	 * the driver's that is under way must notice: see what vm_fault_populate.c compares. */
	if (start >= end)
		return (0);
	VM_OBJECT_WLOCK(object);
	object->generation++;
	vm_object_page_remove(object, start, end);
	TRACE(TR_REVOKE, (uint64_t)object, start, end - 1);
	VM_OBJECT_UNLOCK(object);
	/* LAB(10) starter:
	 *	(void)start;
	 *	(void)end;
	 */
	/* LAB(10) end */
	return (0);
}

/* One pager, two object types: what differs is the pages a driver may give
 * (vm_fault_populate.c). */
const struct pagerops device_pager_ops = {
    .pgo_name = "device",
    .pgo_dealloc = dev_pager_dealloc,
    .pgo_getpages = dev_pager_getpages,
    .pgo_populate = dev_pager_populate,
};

/*
 * Objects: made, referenced, shadowed, resized, ended. Owns the list of all objects.
 */
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"

static TAILQ_HEAD(, vm_object) object_list = TAILQ_HEAD_INITIALIZER(object_list);
static struct mtx object_list_mtx = MTX_INITIALIZER("object list", LR_LEAF);

vm_object_t
vm_object_allocate(enum obj_type type, vm_pindex_t size)
{
	vm_object_t object = kmalloc(sizeof(*object), M_ZERO);

	if (object == NULL)
		return (NULL);
	rw_init(&object->lock, "vm object", LR_OBJECT);
	LIST_INIT(&object->shadow_head);
	object->type = type;
	object->size = size;
	object->ref_count = 1;
	mtx_lock(&object_list_mtx);
	TAILQ_INSERT_TAIL(&object_list, object, object_list);
	vm_cnt.v_objects++;
	mtx_unlock(&object_list_mtx);
	return (object);
}

void
vm_object_reference(vm_object_t object)
{
	KASSERT(object->ref_count > 0, ("reference to a dead object"));
	__atomic_fetch_add(&object->ref_count, 1, __ATOMIC_SEQ_CST);
}

static void
object_free(vm_object_t object)
{
	mtx_lock(&object_list_mtx);
	TAILQ_REMOVE(&object_list, object, object_list);
	vm_cnt.v_objects--;
	mtx_unlock(&object_list_mtx);
	kfree(object);
}

/* Take the object out of its backing object's shadows; returns what it stood in front of. */
static vm_object_t
object_unshadow(vm_object_t object)
{
	vm_object_t backing = object->backing_object;

	if (backing == NULL)
		return (NULL);
	VM_OBJECT_WLOCK(backing);
	LIST_REMOVE(object, shadow_list);
	backing->shadow_count--;
	VM_OBJECT_UNLOCK(backing);
	object->backing_object = NULL;
	return (backing);
}

/* No reference is left: nobody can find the object but a fault that still holds it in progress. */
static vm_object_t
object_terminate(vm_object_t object, uint16_t how)
{
	vm_object_t backing;

	VM_OBJECT_WLOCK(object);
	object->flags |= OBJ_DEAD | how;
	vm_object_pip_wait(object);
	vm_object_page_remove(object, 0, 0);
	VM_OBJECT_UNLOCK(object);
	KASSERT(object->resident_page_count == 0,
		("a dead object keeps %lu pages", object->resident_page_count));
	backing = object_unshadow(object);
	if (pagertab[object->type]->pgo_dealloc != NULL)
		pagertab[object->type]->pgo_dealloc(object);
	object_free(object);
	return (backing);
}

/* One reference less; true if it was the last. */
static inline bool
object_unref(vm_object_t object)
{
	KASSERT(object->ref_count > 0, ("a reference too many let go of an object"));
	return (__atomic_sub_fetch(&object->ref_count, 1, __ATOMIC_SEQ_CST) == 0);
}

/* Nobody refers to the object any more, nor then perhaps to those behind it. */
static void
object_end(vm_object_t object, uint16_t how)
{
	do
		object = object_terminate(object, how); /* and the reference it held */
	while (object != NULL && object_unref(object));
}

void
vm_object_deallocate(vm_object_t object)
{
	if (object != NULL && object_unref(object))
		object_end(object, 0);
}

void
vm_object_deallocate_later(vm_object_t object)
{
	if (object != NULL && object_unref(object))
		object_end(object, OBJ_END_LATER);
}

bool
vm_object_shadow(vm_object_t *objectp, vm_ooffset_t *offset, vm_size_t length)
{
	vm_object_t source = *objectp, result;

	/* The last owner of anonymous memory may write to it where it is. */
	if (source != NULL && source->type == OBJT_ANON && source->ref_count == 1 &&
	    source->handle == NULL)
		return (true);
	result = vm_object_allocate(OBJT_ANON, atop(length));
	if (result == NULL)
		return (false);
	result->flags |= OBJ_ONEMAPPING;
	if (source != NULL) {
		VM_OBJECT_WLOCK(source);
		result->backing_object = source;
		result->backing_object_offset = *offset;
		LIST_INSERT_HEAD(&source->shadow_head, result, shadow_list);
		source->shadow_count++;
		VM_OBJECT_UNLOCK(source);
	}
	*objectp = result;
	*offset = 0;
	return (true);
}

bool
vm_object_coalesce(vm_object_t prev, vm_ooffset_t prev_offset, vm_size_t prev_size,
		   vm_size_t next_size)
{
	vm_pindex_t end = atop(prev_offset + prev_size);
	bool ok;

	VM_OBJECT_WLOCK(prev);
	ok = prev->type == OBJT_ANON && prev->ref_count == 1 && prev->backing_object == NULL &&
	     prev->handle == NULL && prev->paging_in_progress == 0;
	if (ok) {
		if (end < prev->size) /* what an entry that is gone left behind */
			vm_object_page_remove(prev, end, 0);
		prev->size = MAX(prev->size, end + atop(next_size));
	}
	VM_OBJECT_UNLOCK(prev);
	return (ok);
}

void
vm_object_page_drop(vm_page_t m)
{
	VM_OBJECT_ASSERT_WLOCKED(m->object);
	if ((m->flags & PG_UNMANAGED) == 0 && pmap_page_is_mapped(m))
		pmap_remove_all(m);
	if ((m->flags & PG_FICTITIOUS) != 0) /* a device takes its pages back, wired or not (R1) */
		vm_page_unwire_all(m);
	if (m->wire_count == 0) {
		vm_page_free(m);
		return;
	}
	m->valid = m->dirty = false;
	vm_page_xunbusy(m);
}

/* What is to go of a superpage that reaches past [start, end) can go only without the rest. */
static bool
split_if_partial(vm_page_t m, vm_pindex_t start, vm_pindex_t end)
{
	vm_pindex_t n = vm_page_unit_pages(m);

	if (n == 1 || (m->pindex >= start && (end == 0 || m->pindex + n <= end)))
		return (false);
	vm_page_split(m);
	vm_page_xunbusy(m);
	return (true);
}

void
vm_object_page_remove(vm_object_t object, vm_pindex_t start, vm_pindex_t end)
{
	vm_page_t m;

	while ((m = vm_page_find_least(object, start)) != NULL &&
	       (end == 0 || vm_page_pindex(m) < end)) {
		start = vm_page_pindex(m);
		m = vm_page_unit(m);
		if (!vm_page_tryxbusy(m)) {
			vm_page_busy_wait(m);
			VM_OBJECT_WLOCK(object);
			continue;
		}
		if (split_if_partial(m, start, end))
			continue;
		start = m->pindex + vm_page_unit_pages(m);
		vm_object_page_drop(m);
	}
}

/* The size first: a fault that comes while we wait for a busy page makes none past the new end. */
void
vm_object_set_size(vm_object_t object, vm_pindex_t size)
{
	vm_pindex_t old;

	VM_OBJECT_WLOCK(object);
	old = object->size;
	object->size = size;
	if (size < old)
		vm_object_page_remove(object, size, 0);
	VM_OBJECT_UNLOCK(object);
}

void
vm_object_pip_add(vm_object_t object, uint32_t n)
{
	VM_OBJECT_ASSERT_LOCKED(object);
	__atomic_fetch_add(&object->paging_in_progress, n, __ATOMIC_SEQ_CST);
}

/* The object is locked, so that pip_wait either sees the new count or is already asleep. */
void
vm_object_pip_wakeup(vm_object_t object)
{
	VM_OBJECT_ASSERT_LOCKED(object);
	if (__atomic_sub_fetch(&object->paging_in_progress, 1, __ATOMIC_SEQ_CST) == 0)
		wakeup(&object->paging_in_progress);
}

void
vm_object_pip_wait(vm_object_t object)
{
	VM_OBJECT_ASSERT_WLOCKED(object);
	while (object->paging_in_progress != 0) {
		rw_sleep(&object->paging_in_progress, &object->lock, 0, 0);
		VM_OBJECT_WLOCK(object);
	}
}

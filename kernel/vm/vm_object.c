/*
 * Objects: made, referenced, shadowed, collapsed, resized, ended.
 */
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"

#define REMOVE_BATCH 64 /* pages removed before others have a look at the object */

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
	VM_CNT_INC(v_objects);
	return (object);
}

vm_object_t
vm_object_shared(vm_pindex_t size, bool reserve)
{
	vm_object_t object = vm_object_allocate(OBJT_ANON, size);

	if (object == NULL || !reserve)
		return (object);
	if (!vm_commit(size, 0)) {
		vm_object_deallocate(object);
		return (NULL);
	}
	object->charge = size;
	return (object);
}

void
vm_object_reference(vm_object_t object)
{
	KASSERT(object->ref_count > 0, ("reference to a dead object"));
	__atomic_fetch_add(&object->ref_count, 1, __ATOMIC_SEQ_CST);
}

bool
vm_object_tryref(vm_object_t object)
{
	uint32_t refs = object->ref_count;

	while (refs != 0)
		if (__atomic_compare_exchange_n(&object->ref_count, &refs, refs + 1, false,
						__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return (true);
	return (false);
}

/* One reference less; how many are left. */
static uint32_t
object_unref(vm_object_t object)
{
	uint32_t refs = __atomic_sub_fetch(&object->ref_count, 1, __ATOMIC_SEQ_CST);

	KASSERT(refs != UINT32_MAX, ("a reference too many let go of an object"));
	return (refs);
}

void
vm_object_free(vm_object_t object)
{
	VM_CNT_DEC(v_objects);
	vm_uncommit(object->charge);
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
	else
		vm_object_free(object);
	return (backing);
}

/*
 * One reference less; how many are left. If the last is the only shadow's that is left, and that is
 * not `but`, *heir becomes that, with a reference, unless it is set: it can take over the pages.
 * While we hold the lock it cannot leave the list, nor, therefore, the object go.
 */
static uint32_t
object_let_go(vm_object_t object, vm_object_t but, vm_object_t *heir)
{
	vm_object_t shadow;
	uint32_t refs;

	if (object->type != OBJT_ANON || object->shadow_count == 0)
		return (object_unref(object));
	VM_OBJECT_WLOCK(object); /* two at once must not both take the other for the last but one */
	refs = object_unref(object);
	shadow = LIST_FIRST(&object->shadow_head);
	if (refs == 1 && object->shadow_count == 1 && shadow != but && *heir == NULL &&
	    vm_object_tryref(shadow))
		*heir = shadow;
	VM_OBJECT_UNLOCK(object);
	return (refs);
}

/*
 * Give up a reference, and those that go with it: a dead object's to the one behind it, and ours to
 * an heir, which has taken over the pages. how: object_terminate's.
 */
static void
object_release(vm_object_t object, uint16_t how)
{
	for (vm_object_t next; object != NULL; object = next) {
		next = NULL;
		if (object_let_go(object, NULL, &next) == 0)
			next = object_terminate(object, how);
		else if (next != NULL)
			vm_object_collapse(next);
	}
}

void
vm_object_deallocate(vm_object_t object)
{
	object_release(object, 0);
}

void
vm_object_deallocate_later(vm_object_t object)
{
	object_release(object, OBJ_END_LATER);
}

/* Put object in front of backing, or of nothing; the reference is the caller's business. */
static void
object_set_backing(vm_object_t object, vm_object_t backing, vm_ooffset_t offset)
{
	object->backing_object = backing;
	object->backing_object_offset = offset;
	if (backing == NULL)
		return;
	VM_OBJECT_WLOCK(backing);
	LIST_INSERT_HEAD(&backing->shadow_head, object, shadow_list);
	backing->shadow_count++;
	VM_OBJECT_UNLOCK(backing);
}

/*
 * Let object, which is locked, look past its backing object if that makes no difference: if it
 * hides all pages, or takes over those that it shows because nobody else refers to them. Stopping
 * half way does no harm, each page is seen where it was; mappings stay, they are read-only.
 */
static bool
object_bypass(vm_object_t object, vm_object_t backing)
{
	/* LAB(5): each page of backing that object could show, which is at its index less shift:
	 * hidden by one of object's, or moved there by vm_page_rename. What makes that impossible?
	 * Then what is behind backing is behind object, with the sum of the offsets. */
	vm_pindex_t shift = atop(object->backing_object_offset), at = shift;
	bool take = backing->ref_count == 1 && backing->paging_in_progress == 0;
	vm_page_t m;

	while ((m = vm_page_find_least(backing, at)) != NULL && m->pindex < shift + object->size) {
		at = m->pindex + 1;
		if (vm_page_lookup(object, m->pindex - shift) == NULL &&
		    (!take || vm_page_busied(m) ||
		     vm_page_rename(m, object, m->pindex - shift) != 0))
			return (false);
	}
	LIST_REMOVE(object, shadow_list);
	backing->shadow_count--;
	if (backing->backing_object != NULL)
		vm_object_reference(backing->backing_object);
	object_set_backing(object, backing->backing_object,
			   object->backing_object_offset + backing->backing_object_offset);
	return (true);
	/* LAB(5) starter:
	 *	(void)object;
	 *	(void)backing;
	 *	return (false);
	 */
	/* LAB(5) end */
}

/* Returns an heir to what object looks past now: the first one, who comes to the others, too. Not
 * vm_object_deallocate for that: it would come back here, once for each link of a chain. */
static vm_object_t
object_collapse(vm_object_t object)
{
	vm_object_t backing, heir = NULL;
	bool done = false;

	while (!done) {
		VM_OBJECT_WLOCK(object);
		backing = object->backing_object;
		done = backing == NULL || backing->type != OBJT_ANON;
		if (!done) {
			VM_OBJECT_WLOCK(backing);
			done = !object_bypass(object, backing);
			VM_OBJECT_UNLOCK(backing);
		}
		VM_OBJECT_UNLOCK(object);
		while (!done && backing != NULL && object_let_go(backing, object, &heir) == 0)
			backing = object_terminate(backing, 0);
	}
	return (heir);
}

void
vm_object_collapse(vm_object_t object)
{
	for (vm_object_t next, heir = object_collapse(object); heir != NULL; heir = next) {
		next = object_collapse(heir);
		vm_object_deallocate(heir);
	}
}

vm_object_t
vm_object_walk(vm_object_t object, vm_pindex_t *pindex, vm_page_t *m)
{
	vm_object_t backing;

	VM_OBJECT_WLOCK(object);
	while ((m == NULL || (*m = vm_page_lookup(object, *pindex)) == NULL) &&
	       (backing = object->backing_object) != NULL) {
		*pindex += atop(object->backing_object_offset);
		VM_OBJECT_WLOCK(backing);
		VM_OBJECT_UNLOCK(object);
		object = backing;
	}
	return (object);
}

bool
vm_object_shadow(vm_object_t *objectp, vm_ooffset_t *offset, vm_size_t length)
{
	vm_object_t source = *objectp, result;

	/* LAB(5): the last owner of anonymous memory may write to it where it is. */
	if (source != NULL && source->type == OBJT_ANON && source->ref_count == 1 &&
	    source->handle == NULL) {
		VM_OBJECT_WLOCK(source);
		source->flags |= OBJ_ONEMAPPING;
		VM_OBJECT_UNLOCK(source);
		return (true);
	}
	/* LAB(5) end */
	result = vm_object_allocate(OBJT_ANON, atop(length));
	if (result == NULL)
		return (false);
	result->flags |= OBJ_ONEMAPPING | OBJ_PRIVATE;
	if (source != NULL)
		object_set_backing(result, source, *offset);
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
	     prev->handle == NULL && prev->paging_in_progress == 0 &&
	     next_size < ptoa(VM_SUPERPAGE_PAGES); /* so much is mostly another thread's */
	if (ok) {
		if (end < prev->size) /* what an entry that is gone left behind */
			vm_object_page_remove(prev, end, 0);
		prev->size = MAX(prev->size, end + atop(next_size));
	}
	VM_OBJECT_UNLOCK(prev);
	return (ok);
}

/* batch: for pages that are freed soon, or NULL: m is at once. */
static void
page_drop(vm_page_t m, struct vm_page_batch *batch)
{
	VM_OBJECT_ASSERT_WLOCKED(m->object);
	if ((m->flags & PG_UNMANAGED) == 0 && pmap_page_is_mapped(m))
		pmap_remove_all(m);
	/* A device (R1), or a file that is cut, takes its pages back, wired or not. */
	if (m->wire_count != 0 || (m->flags & PG_FICTITIOUS) != 0)
		vm_page_unwire_all(m);
	if (batch != NULL)
		vm_page_free_later(m, batch);
	else
		vm_page_free(m);
}

void
vm_object_page_drop(vm_page_t m)
{
	page_drop(m, NULL);
}

/* What is to go of a superpage that reaches past [start, end) can go only without the rest. */
static bool
split_if_partial(vm_page_t m, vm_pindex_t start, vm_pindex_t end)
{
	vm_pindex_t n = vm_page_unit_pages(m);

	if (n == 1 || (m->pindex >= start && m->pindex + n <= end))
		return (false);
	vm_page_tryxbusy(m);
	vm_page_split(m);
	vm_page_xunbusy(m);
	return (true);
}

void
vm_object_page_remove(vm_object_t object, vm_pindex_t start, vm_pindex_t end)
{
	struct vm_page_batch batch;
	vm_page_t m, next = NULL;

	batch.n = 0; /* the rest is of no interest, and large */
	end = end != 0 ? end : UINT64_MAX;
	for (int n = 1;; n++) {
		if (n % REMOVE_BATCH == 0) {
			VM_OBJECT_UNLOCK(object);
			vm_page_free_batch(&batch); /* who waits sees it free */
			VM_OBJECT_WLOCK(object);
			next = NULL;
		}
		m = next != NULL ? next : vm_page_find_least(object, start);
		if (m == NULL || (start = vm_page_pindex(m)) >= end)
			break;
		m = vm_page_unit(m);
		next = NULL;
		if (vm_page_busied(m)) { /* if not, nobody can make it so: the object is locked */
			vm_page_busy_wait(m);
			VM_OBJECT_WLOCK(object);
			continue;
		}
		if (split_if_partial(m, start, end))
			continue;
		start = m->pindex + vm_page_unit_pages(m);
		next = vm_page_next(m); /* which stays there while the object is locked */
		page_drop(m, &batch);
	}
	vm_page_free_batch(&batch);
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
	if (__atomic_sub_fetch(&object->paging_in_progress, 1, __ATOMIC_SEQ_CST) == 0 &&
	    __predict_false((object->flags & OBJ_PIPWNT) != 0))
		wakeup(&object->paging_in_progress);
}

void
vm_object_pip_wait(vm_object_t object)
{
	VM_OBJECT_ASSERT_WLOCKED(object);
	while (object->paging_in_progress != 0) {
		object->flags |= OBJ_PIPWNT;
		rw_sleep(&object->paging_in_progress, &object->lock, 0, 0);
		VM_OBJECT_WLOCK(object);
	}
	object->flags &= ~OBJ_PIPWNT;
}

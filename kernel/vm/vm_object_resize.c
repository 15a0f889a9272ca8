/*
 * An object's size changes: a file's does, under those who map it. Pages past the end go, and so do
 * the copies that private mappings have made of them, as in Linux: whoever touches one is told by
 * SIGBUS that it is gone. The shadows are found by going up and down the tree that they are.
 */
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "kern/panic.h"

/* A shadow of object, which is locked, that the cut has not come by; referenced, and marked. */
static vm_object_t
shadow_to_cut(vm_object_t object, uint32_t cut)
{
	vm_object_t shadow;

	VM_OBJECT_ASSERT_LOCKED(object);
	LIST_FOREACH (shadow, &object->shadow_head, shadow_list) {
		if (shadow->cut != cut && vm_object_tryref(shadow)) {
			shadow->cut = cut;
			break;
		}
	}
	return (shadow);
}

/* Take from shadow, above object, what hides pages of that from size on. */
static void
shadow_cut(vm_object_t shadow, vm_object_t object, vm_pindex_t size)
{
	vm_pindex_t shift = 0; /* where shadow begins in object */
	vm_object_t bottom = vm_object_walk(shadow, &shift, NULL);

	VM_OBJECT_UNLOCK(bottom);
	if (bottom != object)
		return;
	VM_OBJECT_WLOCK(shadow);
	vm_object_page_remove(shadow, size > shift ? size - shift : 0, 0);
	VM_OBJECT_UNLOCK(shadow);
}

/* Each step holds a reference to where it is, and takes one to where it goes. */
static void
shadows_cut(vm_object_t object, vm_pindex_t size)
{
	static uint32_t cuts;
	uint32_t cut = __atomic_add_fetch(&cuts, 1, __ATOMIC_RELAXED);
	vm_object_t at = object, next;
	bool up;

	vm_object_reference(object);
	do {
		VM_OBJECT_RLOCK(at);
		next = shadow_to_cut(at, cut);
		up = next == NULL;
		if (up && at != object && (next = at->backing_object) != NULL)
			vm_object_reference(next);
		VM_OBJECT_UNLOCK(at);
		vm_object_deallocate(at);
		at = next;
		if (!up)
			shadow_cut(at, object, size);
	} while (at != NULL);
}

/* The size first: a fault that comes while we wait for a busy page makes none past the new end. */
void
vm_object_set_size(vm_object_t object, vm_pindex_t size)
{
	vm_pindex_t old;
	bool shadowed;

	VM_OBJECT_WLOCK(object);
	old = object->size;
	object->size = size;
	if (size < old)
		vm_object_page_remove(object, size, 0);
	shadowed = object->shadow_count != 0;
	VM_OBJECT_UNLOCK(object);
	if (size < old && shadowed)
		shadows_cut(object, size);
}

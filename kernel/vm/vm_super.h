/*
 * Superpages in an object; private to vm_super.c and vm_page.c. Pages that came as a superpage are
 * found through the object's `supers`, one slot for the whole block, also after the superpage was
 * split: a split needs no memory, so it cannot fail. The object is write-locked; to look up,
 * locked.
 */
#pragma once

#include "vm/vm_object.h"
#include "vm/vm_page.h"

static inline bool
vm_super_none(vm_object_t object)
{
	return (object->supers.rt_root == NULL);
}
/* The page that a block put in gives to pindex, or NULL. */
vm_page_t vm_super_lookup(vm_object_t object, vm_pindex_t pindex);
/* The first such page at or after pindex, or NULL. */
vm_page_t vm_super_find_least(vm_object_t object, vm_pindex_t pindex);
bool vm_super_is_place(vm_object_t object, vm_page_t m, vm_pindex_t pindex);
/* Is pindex the place in the object that m's block gives to m? */
static inline bool
vm_super_place(vm_object_t object, vm_page_t m, vm_pindex_t pindex)
{
	return (!vm_super_none(object) && vm_super_is_place(object, m, pindex));
}
/* A page of a block, which speaks for itself, stands in its object now, at the place its block
 * gives it or elsewhere. */
void vm_super_join(vm_page_t m, bool place);
/* It, or the superpage m, leaves. False: it did not stand at its block's place. */
bool vm_super_leave(vm_page_t m);

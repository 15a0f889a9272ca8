/*
 * What the files of the map share; private to them: vm_map.c (entries), vm_map_range.c (rights and
 * advice), vm_map_wire.c, vm_map_remap.c, vm_map_fork.c. The map is write-locked in all but
 * vm_map_lock_range, which locks it, and vm_map_free_dead; to look at, read-locked.
 */
#pragma once

#include "vm/vm_map.h"

/* Write-lock the map when nobody is wiring a part of [start, end): such entries must not change. */
void vm_map_lock_range(vm_map_t map, vm_offset_t start, vm_offset_t end);
/* Into the list after prev; and into the tree, or out of both. */
void vm_map_entry_list(vm_map_t map, vm_map_entry_t prev, vm_map_entry_t e);
void vm_map_entry_link(vm_map_t map, vm_map_entry_t prev, vm_map_entry_t e);
void vm_map_entry_unlink(vm_map_t map, vm_map_entry_t e);
/* One reference more to what e holds. */
void vm_map_entry_ref(vm_map_t map, vm_map_entry_t e);
/* e is [start, end) from now on, each address mapping what it did. */
void vm_map_entry_resize(vm_map_t map, vm_map_entry_t e, vm_offset_t start, vm_offset_t end);
/* Merge e into the entry before it, if they are alike and continue each other. Returns what is
 * left. */
vm_map_entry_t vm_map_entry_simplify(vm_map_t map, vm_map_entry_t e);
/* Merge what can be merged of the entries of [start, end), and with their neighbours. */
void vm_map_simplify_range(vm_map_t map, vm_offset_t start, vm_offset_t end);
/* Split the entries that start or end are inside of: both, or neither (KERN_RESOURCE_SHORTAGE, also
 * when the map has as many as it may). */
int vm_map_clip_range(vm_map_t map, vm_offset_t start, vm_offset_t end);
/* vm_map_insert and vm_map_remove; what is removed is put in front of *dead, chained by `right`. */
int vm_map_insert_locked(vm_map_t map, vm_offset_t start, vm_size_t length,
			 const struct vm_map_req *req);
int vm_map_remove_locked(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_map_entry_t *dead);
/* Free entries that were removed. The map is unlocked. */
void vm_map_free_dead(vm_map_t map, vm_map_entry_t dead);
/* The end of what is mapped without a hole from start, at most end. */
vm_offset_t vm_map_mapped_until(vm_map_t map, vm_offset_t start, vm_offset_t end);
/*
 * Free the pages that only [start, end) of e could reach. The map is locked, so a busy page must
 * belong to somebody who does not wait for the map: true of anonymous memory, which has no
 * populate.
 */
void vm_map_entry_free_pages(vm_map_entry_t e, vm_offset_t start, vm_offset_t end);
/* vm_map_limit.c: length bytes of such an entry are the map's from now on, or are so no more. They
 * are committed first, if they are to be (MAP_ENTRY_CHARGED): false, policy forbids. */
bool vm_map_charge(vm_map_t map, vm_size_t length, vm_prot_t prot, uint32_t eflags);
void vm_map_uncharge(vm_map_t map, vm_size_t length, vm_prot_t prot, uint32_t eflags);
/* The flags of an entry in the making: is it to be charged? */
uint32_t vm_map_charged_flags(vm_prot_t prot, uint32_t eflags);
/* The flags that e would have with the rights prot. */
uint32_t vm_map_recharged_flags(vm_map_entry_t e, vm_prot_t prot);
/* e is to have the rights prot: charge what that makes of it. False: it may not. */
bool vm_map_recharge(vm_map_t map, vm_map_entry_t e, vm_prot_t prot);
/* The end of the room below e, which may have to stay clear of it. */
static inline vm_offset_t
vm_map_entry_room_end(vm_map_entry_t e)
{
	if ((e->eflags & MAP_ENTRY_GROWSDOWN) == 0)
		return (e->start);
	return (e->start - MIN(e->start - e->prev->end, STACK_GUARD));
}
/* Undo the wiring of e up to end. */
void vm_map_entry_unwire(vm_map_t map, vm_map_entry_t e, vm_offset_t end);

/* Are they alike in all but what they map, so that they may be one? */
static inline bool
vm_map_same_kind(const struct vm_map_entry *a, const struct vm_map_entry *b)
{
	return (a->protection == b->protection && a->max_protection == b->max_protection &&
		a->eflags == b->eflags && a->name_vp == b->name_vp &&
		a->wired_count == b->wired_count &&
		(a->eflags & (MAP_ENTRY_NOMERGE | MAP_ENTRY_TRANSITION)) == 0);
}

/* The entry after e, or NULL. */
static inline vm_map_entry_t
vm_map_entry_next(vm_map_t map, vm_map_entry_t e)
{
	return (e->next != &map->header ? e->next : NULL);
}

#define ENTRY_RANGE_FOREACH(e, map, from, to)                                             \
	for ((e) = vm_map_entry_at_or_after(map, from); (e) != NULL && (e)->start < (to); \
	     (e) = vm_map_entry_next(map, e))

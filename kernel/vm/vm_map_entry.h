/*
 * What the files of the map (vm_map.c, vm_map_remap.c) share; private to them. The map is
 * write-locked in all but vm_map_lock_range, which locks it, and vm_map_free_dead.
 */
#pragma once

#include "vm/vm_map.h"

/* Write-lock the map when nobody is wiring a part of [start, end): such entries must not change. */
void vm_map_lock_range(vm_map_t map, vm_offset_t start, vm_offset_t end);
/* Into the list after prev and into the tree, or out of both. */
void vm_map_entry_link(vm_map_t map, vm_map_entry_t prev, vm_map_entry_t e);
void vm_map_entry_unlink(vm_map_t map, vm_map_entry_t e);
/* Merge e into the entry before it, if they are alike and continue each other. Returns what is
 * left. */
vm_map_entry_t vm_map_entry_simplify(vm_map_t map, vm_map_entry_t e);
/* Split the entries that start or end are inside of: both, or neither (KERN_RESOURCE_SHORTAGE). */
int vm_map_clip_range(vm_map_t map, vm_offset_t start, vm_offset_t end);
/* vm_map_insert and vm_map_remove; what is removed is put in front of *dead, chained by `right`. */
int vm_map_insert_locked(vm_map_t map, vm_offset_t start, vm_size_t length,
			 const struct vm_map_req *req);
int vm_map_remove_locked(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_map_entry_t *dead);
/* Free entries that were removed. The map is unlocked. */
void vm_map_free_dead(vm_map_t map, vm_map_entry_t dead);

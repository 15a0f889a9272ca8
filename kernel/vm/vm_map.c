/*
 * Maps: entries that come, go, split and merge, and the lookup that begins each fault. The tree is
 * in vm_map_tree.c, what else is done to ranges in vm_map_range.c, _wire.c, _remap.c and _fork.c.
 * Owns the entries; each holds a reference to its object and to its file's name.
 *
 * Objects are let go only after the map is unlocked: a destructor may sleep, or want this map.
 */
#include "vm/vm_map_entry.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/trace.h"

#define STACK_HEADROOM (64ul << 20) /* bytes that an object leaves for a stack at most */

void
vm_map_lock(vm_map_t map)
{
	rw_wlock(&map->lock);
	map->timestamp++;
}

void
vm_map_unlock(vm_map_t map)
{
	rw_assert_wlocked(&map->lock);
	rw_unlock(&map->lock);
}

void
vm_map_init(vm_map_t map, pmap_t pmap, vm_offset_t min, vm_offset_t max)
{
	*map = (struct vm_map){.pmap = pmap, .min = min, .max = max, .top = max, .header.end = min};
	rw_init(&map->lock, "vm map", LR_MAP);
	map->header.prev = map->header.next = &map->header;
	map->header.start = max;
}

vm_map_entry_t
vm_map_lookup_entry(vm_map_t map, vm_offset_t addr)
{
	vm_map_entry_t *hint = &map->hints[cpu_id() % VM_MAP_HINTS][0];
	vm_map_entry_t e = __atomic_load_n(hint, __ATOMIC_RELAXED);

	rw_assert_locked(&map->lock);
	if (e != NULL && addr >= e->start && addr < e->end)
		return (e);
	e = vm_map_tree_le(map, addr);
	if (e == &map->header || addr >= e->end)
		return (NULL);
	__atomic_store_n(hint, e, __ATOMIC_RELAXED);
	return (e);
}

vm_map_entry_t
vm_map_entry_at_or_after(vm_map_t map, vm_offset_t addr)
{
	vm_map_entry_t e = vm_map_tree_le(map, addr);

	rw_assert_locked(&map->lock);
	return (e != &map->header && addr < e->end ? e : vm_map_entry_next(map, e));
}

void
vm_map_lock_range(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	vm_map_entry_t e;

	for (;;) {
		vm_map_lock(map);
		if (map->ntransition == 0)
			return;
		ENTRY_RANGE_FOREACH (e, map, start, end)
			if ((e->eflags & MAP_ENTRY_TRANSITION) != 0)
				break;
		if (e == NULL || e->start >= end)
			return;
		rw_sleep(map, &map->lock, 0, 0);
	}
}

static bool
range_valid(vm_map_t map, vm_offset_t start, vm_size_t length)
{
	return (((start | length) & PAGE_MASK) == 0 && length != 0 && start >= map->min &&
		start < map->max && length <= map->max - start);
}

void
vm_map_entry_list(vm_map_t map, vm_map_entry_t prev, vm_map_entry_t e)
{
	rw_assert_wlocked(&map->lock);
	e->prev = prev;
	e->next = prev->next;
	prev->next->prev = e;
	prev->next = e;
	map->nentries++;
	VM_CNT_INC(v_map_entries);
}

void
vm_map_entry_link(vm_map_t map, vm_map_entry_t prev, vm_map_entry_t e)
{
	vm_map_entry_list(map, prev, e);
	vm_map_tree_insert(map, e);
}

void
vm_map_entry_unlink(vm_map_t map, vm_map_entry_t e)
{
	rw_assert_wlocked(&map->lock);
	if (map->root != NULL) /* else all go (remove_entries) */
		vm_map_tree_remove(map, e);
	for (int i = 0; i < VM_MAP_HINTS; i++)
		map->hints[i][0] = NULL;
	e->prev->next = e->next;
	e->next->prev = e->prev;
	map->nentries--;
	VM_CNT_DEC(v_map_entries);
	if (map->root != NULL)
		vm_map_tree_resized(map, e->prev);
}

void
vm_map_entry_resize(vm_map_t map, vm_map_entry_t e, vm_offset_t start, vm_offset_t end)
{
	if (e->object != NULL)
		e->offset += start - e->start;
	e->start = start;
	e->end = end;
	vm_map_tree_resized(map, e);
}

void
vm_map_entry_ref(vm_map_t map, vm_map_entry_t e)
{
	if (e->object != NULL)
		vm_object_reference(e->object);
	if (e->name_vp != NULL && map->name_ref != NULL)
		map->name_ref(e->name_vp);
}

/* Drop what e holds, and e. The map is unlocked, unless another entry holds the same. */
static void
entry_free(vm_map_t map, vm_map_entry_t e)
{
	if (e->object != NULL)
		vm_object_deallocate(e->object);
	if (e->name_vp != NULL && map->name_rele != NULL)
		map->name_rele(e->name_vp);
	kfree(e);
}

/* LAB(3): merge e into the entry before it, if they touch, are alike (vm_map_same_kind) and map the same
 * object, in which one goes on where the other ends. entry_free drops what e holds. */
static bool
entries_merge(vm_map_entry_t a, vm_map_entry_t b)
{
	return (a->object == b->object && vm_map_same_kind(a, b) &&
		(a->object == NULL || a->offset + (a->end - a->start) == b->offset));
}

vm_map_entry_t
vm_map_entry_simplify(vm_map_t map, vm_map_entry_t e)
{
	vm_map_entry_t prev = e->prev;

	if (prev->end != e->start || prev == &map->header || e == &map->header ||
	    !entries_merge(prev, e))
		return (e);
	vm_map_entry_unlink(map, e);
	prev->end = e->end;
	vm_map_tree_resized(map, prev);
	entry_free(map, e); /* prev holds the same references: none is the last */
	return (prev);
}
/* LAB(3) starter:
 * vm_map_entry_t
 * vm_map_entry_simplify(vm_map_t map, vm_map_entry_t e)
 * {
 *	(void)map;
 *	return (e);
 * }
 */
/* LAB(3) end */

void
vm_map_simplify_range(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	vm_map_entry_t e;

	ENTRY_RANGE_FOREACH (e, map, start, end + 1) /* and with what begins at end */
		e = vm_map_entry_simplify(map, e);
}

static bool
splits_entry(vm_map_t map, vm_offset_t addr)
{
	vm_map_entry_t e = vm_map_lookup_entry(map, addr);

	return (e != NULL && e->start < addr);
}

/* LAB(3): split the entries that start and end are inside of, which may be one, into what is below
 * and what is above: vm_map_entry_ref for what the new entry holds, vm_map_entry_link to put it
 * in. Both are split, or neither and KERN_RESOURCE_SHORTAGE. */
/* Split the entry that has addr inside; upper, not used yet, becomes its part from addr on. */
static void
map_clip(vm_map_t map, vm_offset_t addr, vm_map_entry_t upper)
{
	vm_map_entry_t e = vm_map_lookup_entry(map, addr);

	*upper = *e;
	upper->start = addr;
	if (e->object != NULL)
		upper->offset += addr - e->start;
	vm_map_entry_ref(map, upper);
	e->end = addr;
	vm_map_entry_link(map, e, upper);
}

static int
clip_range(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	bool lo = splits_entry(map, start), hi = splits_entry(map, end);
	vm_map_entry_t a = lo ? kmalloc(sizeof(*a), 0) : NULL;
	vm_map_entry_t b = hi ? kmalloc(sizeof(*b), 0) : NULL;

	if ((lo && a == NULL) || (hi && b == NULL)) {
		kfree(a);
		kfree(b);
		return (KERN_RESOURCE_SHORTAGE);
	}
	if (lo)
		map_clip(map, start, a);
	if (hi)
		map_clip(map, end, b);
	return (KERN_SUCCESS);
}
/* LAB(3) starter:
 * static int
 * clip_range(vm_map_t map, vm_offset_t start, vm_offset_t end)
 * {
 *	if (splits_entry(map, start) || splits_entry(map, end))
 *		return (KERN_RESOURCE_SHORTAGE);
 *	return (KERN_SUCCESS);
 * }
 */
/* LAB(3) end */

int
vm_map_clip_range(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	if (map->nentries >= vm_max_map_count &&
	    (splits_entry(map, start) || splits_entry(map, end)))
		return (KERN_RESOURCE_SHORTAGE);
	return (clip_range(map, start, end));
}

/* More anonymous memory right after prev, which may have an object already: brk does this all the
 * time. */
static bool
extend_prev(vm_map_t map, vm_map_entry_t prev, const struct vm_map_entry *new)
{
	if (new->object != NULL || prev == &map->header || prev->end != new->start ||
	    !vm_map_same_kind(prev, new) ||
	    (prev->object != NULL &&
	     !vm_object_coalesce(prev->object, prev->offset, new->start - prev->start,
				 new->end - new->start)))
		return (false);
	vm_map_entry_resize(map, prev, prev->start, new->end);
	vm_map_entry_simplify(map, prev->next);
	return (true);
}

/* Or right before next, which nobody has touched yet: mmap hands out addresses downwards. */
static bool
extend_next(vm_map_t map, vm_map_entry_t next, const struct vm_map_entry *new)
{
	if (new->object != NULL || next == &map->header || next->start != new->end ||
	    next->object != NULL || !vm_map_same_kind(next, new))
		return (false);
	vm_map_entry_resize(map, next, new->start, next->end);
	return (true);
}

/* An entry of its own, after prev. False: no memory. */
static bool
insert_entry(vm_map_t map, vm_map_entry_t prev, const struct vm_map_entry *new)
{
	vm_map_entry_t e = kmalloc(sizeof(*e), 0);

	if (e == NULL)
		return (false);
	*e = *new;
	if (e->name_vp != NULL && map->name_ref != NULL)
		map->name_ref(e->name_vp);
	vm_map_entry_link(map, prev, e);
	e = vm_map_entry_simplify(map, e);
	vm_map_entry_simplify(map, e->next);
	return (true);
}

/* Map [start, start + length), which is free; prev is the entry before it, or the header. */
static int
insert_after(vm_map_t map, vm_map_entry_t prev, vm_offset_t start, vm_size_t length,
	     const struct vm_map_req *req)
{
	const struct vm_map_entry new = {
	    .start = start,
	    .end = start + length,
	    .object = req->object,
	    .offset = req->object != NULL ? req->offset : 0,
	    .protection = req->prot,
	    .max_protection = req->max_prot,
	    .eflags = vm_map_charged_flags(req->prot, req->eflags),
	    .name_vp = req->name_vp,
	};

	TRACE(TR_MAP, (uint64_t) "insert", start, new.end, req->prot);
	if (!vm_map_charge(map, length, req->prot, new.eflags))
		return (KERN_RESOURCE_SHORTAGE);
	if (extend_prev(map, prev, &new) || extend_next(map, prev->next, &new) ||
	    insert_entry(map, prev, &new))
		return (KERN_SUCCESS);
	vm_map_uncharge(map, length, req->prot, new.eflags);
	return (KERN_RESOURCE_SHORTAGE);
}

int
vm_map_insert_locked(vm_map_t map, vm_offset_t start, vm_size_t length,
		     const struct vm_map_req *req)
{
	vm_map_entry_t prev;

	if (!range_valid(map, start, length))
		return (KERN_NO_SPACE);
	prev = vm_map_tree_le(map, start);
	if ((prev != &map->header && prev->end > start) ||
	    (prev->next != &map->header && prev->next->start < start + length))
		return (KERN_NO_SPACE);
	return (insert_after(map, prev, start, length, req));
}

int
vm_map_insert(vm_map_t map, vm_offset_t start, vm_size_t length, const struct vm_map_req *req)
{
	int rv = KERN_RESOURCE_SHORTAGE;

	vm_map_lock(map);
	if (vm_map_admit(map, length, req->prot, req->eflags))
		rv = vm_map_insert_locked(map, start, length, req);
	vm_map_unlock(map);
	return (rv);
}

/* Where the hint says? What grows down keeps its distance, as in vm_map_tree_room. */
static bool
hint_is_free(vm_map_t map, vm_offset_t addr, vm_size_t length, vm_offset_t highest)
{
	vm_map_entry_t next = vm_map_entry_at_or_after(map, addr);

	return (addr != 0 && length <= highest && addr <= highest - length &&
		(next == NULL || addr + length <= vm_map_entry_room_end(next)));
}

/* The highest place from the wish's lowest on. Alignment is a wish only, and so is to be below the
 * stack. */
static vm_offset_t
find_room(vm_map_t map, vm_size_t length, const struct vm_map_req *req, vm_map_entry_t *above)
{
	vm_size_t align = req->align != 0 ? req->align : PAGE_SIZE;
	vm_offset_t top = req->highest != 0 ? req->highest : map->top, addr;

	addr = vm_map_tree_room(map, top, length, align, req->offset + req->align_phase, above);
	if (addr == 0)
		addr = vm_map_tree_room(map, top, length, PAGE_SIZE, 0, above);
	if (addr == 0 && req->highest == 0)
		addr = vm_map_tree_room(map, map->max, length, PAGE_SIZE, 0, above);
	return (addr >= req->lowest ? addr : 0);
}

int
vm_map_find(vm_map_t map, vm_offset_t *addr, vm_size_t length, const struct vm_map_req *req)
{
	vm_map_entry_t above;
	int rv = KERN_RESOURCE_SHORTAGE;

	vm_map_lock(map);
	if (vm_map_admit(map, length, req->prot, req->eflags))
		rv = hint_is_free(map, *addr, length, req->highest != 0 ? req->highest : map->max)
			 ? vm_map_insert_locked(map, *addr, length, req)
			 : KERN_NO_SPACE;
	if (rv == KERN_NO_SPACE) {
		*addr = find_room(map, length, req, &above);
		if (*addr != 0)
			rv = insert_after(map, above->prev, *addr, length, req);
	}
	vm_map_unlock(map);
	return (rv);
}

static void
free_pages(vm_object_t object, vm_offset_t offset, vm_size_t length)
{
	if (object == NULL || (object->flags & OBJ_ONEMAPPING) == 0)
		return;
	VM_OBJECT_WLOCK(object);
	vm_object_page_remove(object, atop(offset), atop(offset + length));
	VM_OBJECT_UNLOCK(object);
}

void
vm_map_entry_free_pages(vm_map_entry_t e, vm_offset_t start, vm_offset_t end)
{
	free_pages(e->object, e->offset + (start - e->start), end - start);
}

void
vm_map_free_dead(vm_map_t map, vm_map_entry_t dead)
{
	vm_map_entry_t next;

	for (; dead != NULL; dead = next) {
		next = dead->right;
		entry_free(map, dead);
	}
}

/* What is no longer in a map, and still in its page tables. */
struct removal {
	vm_map_entry_t dead; /* entries, chained by `right` */
	struct vm_map_entry *trimmed; /* the one that became shorter, or NULL: */
	vm_offset_t offset; /* where in its object what it lost begins */
};

/*
 * [start, end) is the beginning or the end of e, and goes: e becomes shorter, which takes no
 * memory. False: it is something else, or wired.
 */
static bool
trim_entry(vm_map_t map, vm_map_entry_t e, vm_offset_t start, vm_offset_t end, struct removal *gone)
{
	bool front = start == e->start && end < e->end;

	if (e->wired_count != 0 || !(front || (start > e->start && end == e->end)))
		return (false);
	gone->trimmed = e;
	gone->offset = e->offset + (start - e->start);
	vm_map_uncharge(map, end - start, e->protection, e->eflags);
	vm_map_entry_resize(map, e, front ? end : e->start, front ? e->end : start);
	return (true);
}

/* First, the entries. */
static int
remove_entries(vm_map_t map, vm_offset_t start, vm_offset_t end, struct removal *gone)
{
	vm_map_entry_t e = vm_map_entry_at_or_after(map, start), next;

	TRACE(TR_MAP, (uint64_t) "remove", start, end);
	if (e == NULL || e->start >= end || trim_entry(map, e, start, end, gone))
		return (KERN_SUCCESS);
	if (map->header.next->start >= start && map->header.prev->end <= end) {
		map->root = NULL; /* nothing stays: the tree goes as a whole */
	} else if (e->start < start || e->end != end) {
		/* What goes makes room for what it is cut from, unless it leaves a hole in that. */
		if ((map->nentries >= vm_max_map_count && e->start < start && e->end > end) ||
		    clip_range(map, start, end) != KERN_SUCCESS)
			return (KERN_RESOURCE_SHORTAGE);
		e = vm_map_entry_at_or_after(map, start);
	}
	for (; e != NULL && e->start < end; e = next) {
		next = vm_map_entry_next(map, e);
		if (e->wired_count != 0)
			vm_map_entry_unwire(map, e, e->end);
		vm_map_entry_unlink(map, e);
		vm_map_uncharge(map, e->end - e->start, e->protection, e->eflags);
		e->right = gone->dead;
		gone->dead = e;
	}
	return (KERN_SUCCESS);
}

/* Then what they mapped: entries that touch, in one go. The list begins with the highest. */
static void
remove_pages(vm_map_t map, vm_offset_t start, vm_offset_t end, const struct removal *gone)
{
	rw_assert_locked(&map->lock); /* nobody may map anything there meanwhile */
	if (gone->trimmed != NULL) {
		pmap_remove(map->pmap, start, end);
		free_pages(gone->trimmed->object, gone->offset, end - start);
	}
	for (vm_map_entry_t e = gone->dead, low; e != NULL; e = low->right) {
		low = e;
		while (low->right != NULL && low->right->end == low->start)
			low = low->right;
		pmap_remove(map->pmap, low->start, e->end);
	}
	for (vm_map_entry_t e = gone->dead; e != NULL; e = e->right)
		if (e->object != NULL && e->object->ref_count > 1)
			free_pages(e->object, e->offset, e->end - e->start);
}

int
vm_map_remove_locked(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_map_entry_t *dead)
{
	struct removal gone = {0};
	int rv = remove_entries(map, start, end, &gone);

	if (rv == KERN_SUCCESS)
		remove_pages(map, start, end, &gone);
	*dead = gone.dead;
	return (rv);
}

int
vm_map_remove(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	struct removal gone = {0};
	int rv;

	vm_map_lock_range(map, start, end);
	rv = remove_entries(map, start, end, &gone);
	rw_downgrade(&map->lock); /* faults elsewhere may go on: the long part is to come */
	if (rv == KERN_SUCCESS)
		remove_pages(map, start, end, &gone);
	vm_map_unlock_read(map);
	vm_map_free_dead(map, gone.dead);
	return (rv);
}

/* How much of [start, end) is mapped, in bytes. */
static vm_size_t
mapped_bytes(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	vm_size_t bytes = 0;
	vm_map_entry_t e;

	ENTRY_RANGE_FOREACH (e, map, start, end)
		bytes += MIN(e->end, end) - MAX(e->start, start);
	return (bytes);
}

int
vm_map_fixed(vm_map_t map, vm_offset_t start, vm_size_t length, const struct vm_map_req *req)
{
	vm_map_entry_t dead = NULL;
	int rv = KERN_RESOURCE_SHORTAGE;

	if (!range_valid(map, start, length))
		return (KERN_NO_SPACE);
	vm_map_lock_range(map, start, start + length);
	if (vm_map_admit(map, length - mapped_bytes(map, start, start + length), req->prot,
			 req->eflags))
		rv = vm_map_remove_locked(map, start, start + length, &dead);
	if (rv == KERN_SUCCESS)
		rv = vm_map_insert_locked(map, start, length, req);
	vm_map_unlock(map);
	vm_map_free_dead(map, dead);
	return (rv);
}

void
vm_map_destroy(vm_map_t map)
{
	vm_map_remove(map, map->min, map->max);
	KASSERT(map->nentries == 0 && map->size == 0 && map->data_size == 0,
		("a destroyed map keeps entries"));
}

vm_offset_t
vm_map_mapped_until(vm_map_t map, vm_offset_t start, vm_offset_t end)
{
	vm_map_entry_t e;

	ENTRY_RANGE_FOREACH (e, map, start, end) {
		if (e->start > start)
			break;
		start = e->end;
	}
	return (MIN(start, end));
}

/* The entry's first object, or a shadow in front of what it has; a stack's with room in front, so
 * that the entry can grow without another one. */
static bool
entry_shadow(vm_map_entry_t e)
{
	bool ok, stack = (e->eflags & MAP_ENTRY_GROWSDOWN) != 0;
	vm_size_t room = stack ? MIN(trunc_page(vm_limit(VM_LIMIT_STACK)), STACK_HEADROOM) : 0;

	if (e->object == NULL)
		e->offset = room;
	room = MIN(room, e->offset);
	e->offset -= room;
	ok = vm_object_shadow(&e->object, &e->offset, e->end - e->start + room);
	e->offset = e->object != NULL ? e->offset + room : 0;
	return (ok);
}

/*
 * Give the entry at addr the object it needs before a page can be entered: its first one, or the
 * shadow that takes a private mapping's writes. It is looked up again: the map was unlocked in
 * between.
 */
static int __slow_path
entry_make_object(vm_map_t map, vm_offset_t addr, bool shadow)
{
	vm_map_entry_t e;
	bool ok = true;

	vm_map_lock(map);
	e = vm_map_lookup_entry(map, addr);
	if (e != NULL &&
	    (e->object == NULL || (shadow && (e->eflags & MAP_ENTRY_NEEDS_COPY) != 0))) {
		ok = entry_shadow(e);
		if (ok)
			e->eflags &= ~MAP_ENTRY_NEEDS_COPY;
	}
	vm_map_unlock(map);
	return (ok ? KERN_SUCCESS : KERN_RESOURCE_SHORTAGE);
}

/* x86 cannot map a page writable or executable but not readable; Linux programs rely on it. */
static vm_prot_t
effective_prot(vm_prot_t prot)
{
	return (prot != VM_PROT_NONE ? prot | VM_PROT_READ : prot);
}

/* What a fault in e owes to mlock; the wiring that is under way is not done yet. */
static inline uint8_t
entry_wired(vm_map_entry_t e)
{
	if (__predict_true(e->wired_count == 0 && (e->eflags & MAP_ENTRY_ONFAULT) == 0))
		return (0);
	if (e->wired_count > ((e->eflags & MAP_ENTRY_TRANSITION) != 0 ? 1 : 0))
		return (MAP_WIRED_PAGE);
	return ((e->eflags & MAP_ENTRY_ONFAULT) != 0 ? MAP_WIRED_ENTRY : 0);
}

int
vm_map_lookup_locked(vm_map_t map, vm_offset_t addr, vm_prot_t fault_type, struct vm_map_lookup *r)
{
	bool write = (fault_type & VM_PROT_WRITE) != 0;
	vm_map_entry_t e;
	int rv;

	for (;;) {
		vm_map_lock_read(map);
		e = vm_map_lookup_entry(map, addr);
		rv = e == NULL                                       ? KERN_INVALID_ADDRESS
		     : (fault_type & ~effective_prot(e->protection)) ? KERN_PROTECTION_FAILURE
								     : KERN_SUCCESS;
		if (rv == KERN_SUCCESS && e->object != NULL &&
		    !(write && (e->eflags & MAP_ENTRY_NEEDS_COPY) != 0))
			break;
		vm_map_unlock_read(map);
		if (rv == KERN_SUCCESS)
			rv = entry_make_object(map, addr, write);
		else if (rv == KERN_INVALID_ADDRESS)
			rv = vm_map_growstack(map, addr);
		if (rv != KERN_SUCCESS)
			return (rv);
	}
	*r = (struct vm_map_lookup){
	    .start = e->start,
	    .end = e->end,
	    .offset = e->offset,
	    .object = e->object,
	    .pindex = atop(e->offset + (addr - e->start)),
	    .prot = effective_prot(e->protection),
	    .max_prot = e->max_protection,
	    .wired = entry_wired(e),
	    .nosuper = (e->eflags & MAP_ENTRY_NOSUPER) != 0 || vm_superpages == 0,
	    .timestamp = map->timestamp,
	};
	if ((e->eflags & MAP_ENTRY_NEEDS_COPY) != 0)
		r->prot &= ~VM_PROT_WRITE;
	return (KERN_SUCCESS);
}

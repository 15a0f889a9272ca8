/*
 * The map's AVL tree: entries by address, each node with the largest gap of its subtree. A gap is
 * counted with the entry above it; the one above the last entry is computed, having no entry.
 */
#include "vm/vm_map_entry.h"
#include "kern/panic.h"

static int
height(vm_map_entry_t e)
{
	return (e != NULL ? e->height : 0);
}

static vm_size_t
max_gap(vm_map_entry_t e)
{
	return (e != NULL ? e->max_gap : 0);
}

static int
balance(vm_map_entry_t e)
{
	return (height(e->left) - height(e->right));
}

/* The node's height and largest gap; did they change? */
static inline bool
node_update(vm_map_entry_t e)
{
	uint8_t tall = 1 + MAX(height(e->left), height(e->right));
	vm_size_t gap = MAX(e->gap, MAX(max_gap(e->left), max_gap(e->right)));
	bool changed = tall != e->height || gap != e->max_gap;

	e->height = tall;
	e->max_gap = gap;
	return (changed);
}

static void
replace_child(vm_map_t map, vm_map_entry_t parent, vm_map_entry_t old, vm_map_entry_t new)
{
	if (parent == NULL)
		map->root = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
	if (new != NULL)
		new->parent = parent;
}

/* Turn e down to the right or left; returns the node that took its place. */
static vm_map_entry_t __attribute__((noinline)) rotate(vm_map_t map, vm_map_entry_t e, bool right)
{
	vm_map_entry_t up = right ? e->left : e->right;
	vm_map_entry_t middle = right ? up->right : up->left;

	replace_child(map, e->parent, e, up);
	*(right ? &up->right : &up->left) = e;
	*(right ? &e->left : &e->right) = middle;
	e->parent = up;
	if (middle != NULL)
		middle->parent = e;
	node_update(e);
	node_update(up);
	return (up);
}

/* From e up, past `past` (if any) and as far as it makes a difference: heights and gaps, and a
 * rotation where a side is two taller. */
static void
rebalance(vm_map_t map, vm_map_entry_t e, vm_map_entry_t past)
{
	bool go_on;
	int lean;

	for (; e != NULL; e = e->parent) {
		go_on = node_update(e) || past != NULL;
		if (e == past)
			past = NULL;
		lean = balance(e);
		if (__predict_false(lean > 1)) {
			if (balance(e->left) < 0)
				rotate(map, e->left, false);
			e = rotate(map, e, true);
		} else if (__predict_false(lean < -1)) {
			if (balance(e->right) > 0)
				rotate(map, e->right, true);
			e = rotate(map, e, false);
		} else if (!go_on) {
			return;
		}
	}
}

/*
 * The header stands for both bounds: its end is the map's min, its start the map's max. Of two
 * neighbours one is above the other in the tree, so one walk up does for both.
 */
void
vm_map_tree_resized(vm_map_t map, vm_map_entry_t entry)
{
	vm_map_entry_t next = entry->next, none = &map->header;

	if (entry != none)
		entry->gap = vm_map_entry_room_end(entry) - entry->prev->end;
	if (next != none)
		next->gap = vm_map_entry_room_end(next) - entry->end;
	if (entry == none || next == none)
		rebalance(map, entry != none ? entry : next != none ? next : NULL, NULL);
	else if (entry->right != NULL)
		rebalance(map, next, entry);
	else
		rebalance(map, entry, next);
}

/* Of two neighbours in the list, either the one above has no left child or the one below no
 * right. */
void
vm_map_tree_insert(vm_map_t map, vm_map_entry_t entry)
{
	entry->left = entry->right = NULL;
	entry->height = entry->max_gap = 0; /* whatever it will be, it changed */
	if (map->root == NULL) {
		entry->parent = NULL;
		map->root = entry;
	} else if (entry->next != &map->header && entry->next->left == NULL) {
		entry->parent = entry->next;
		entry->next->left = entry;
	} else {
		KASSERT(entry->prev->right == NULL, ("map tree: no place for %#lx", entry->start));
		entry->parent = entry->prev;
		entry->prev->right = entry;
	}
	vm_map_tree_resized(map, entry);
}

/* A tree of the n entries of the list from *next on, which comes to be the one after them. */
static vm_map_entry_t
build(vm_map_entry_t *next, uint32_t n)
{
	vm_map_entry_t left = n > 1 ? build(next, n / 2) : NULL, e = *next;

	*next = e->next;
	e->parent = NULL; /* or who called */
	e->left = left;
	e->right = n > 2 ? build(next, n - n / 2 - 1) : NULL;
	if (left != NULL)
		left->parent = e;
	if (e->right != NULL)
		e->right->parent = e;
	e->gap = vm_map_entry_room_end(e) - e->prev->end;
	node_update(e);
	return (e);
}

void
vm_map_tree_build(vm_map_t map)
{
	vm_map_entry_t first = map->header.next;

	map->root = map->nentries != 0 ? build(&first, map->nentries) : NULL;
}

void
vm_map_tree_remove(vm_map_t map, vm_map_entry_t entry)
{
	vm_map_entry_t heir = entry->left == NULL ? entry->right : entry->left;
	vm_map_entry_t from = entry->parent;

	if (entry->left != NULL && entry->right != NULL) {
		heir = entry->next; /* the lowest of the right subtree: has no left child */
		from = heir->parent == entry ? heir : heir->parent;
		replace_child(map, heir->parent, heir, heir->right);
		heir->left = entry->left;
		heir->right = entry->right;
		heir->height = entry->height; /* what the nodes above know */
		heir->max_gap = entry->max_gap;
		heir->left->parent = heir;
		if (heir->right != NULL)
			heir->right->parent = heir;
	}
	replace_child(map, entry->parent, entry, heir);
	rebalance(map, from, NULL);
}

vm_map_entry_t
vm_map_tree_le(vm_map_t map, vm_offset_t addr)
{
	/* LAB(3): down from map->root; the header, if no entry is as low. O(log n). */
	vm_map_entry_t e = map->root, best = &map->header;

	while (e != NULL) {
		if (addr < e->start) {
			e = e->left;
		} else {
			best = e;
			e = e->right;
		}
	}
	return (best);
	/* LAB(3) starter:
	 *	// Right, but slow: from the last entry down the list.
	 *	vm_map_entry_t e = map->header.prev;
	 *
	 *	while (e != &map->header && e->start > addr)
	 *		e = e->prev;
	 *	return (e);
	 */
	/* LAB(3) end */
}

/* The gap below e, as far as it lies below limit, from the top. */
static vm_offset_t
room_below(vm_offset_t lo, vm_offset_t hi, vm_size_t length, vm_size_t align, vm_offset_t phase)
{
	if (hi < lo || hi - lo < length + (align - PAGE_SIZE))
		return (0);
	return (hi - length - ((hi - length - phase) & (align - 1)));
}

/* Only the nodes about limit are looked at in vain, so this is O(log n). */
static vm_offset_t
node_room(vm_map_entry_t e, vm_offset_t limit, vm_size_t length, vm_size_t align, vm_offset_t phase,
	  vm_map_entry_t *above)
{
	vm_offset_t addr = 0;

	for (; e != NULL && e->max_gap >= length + (align - PAGE_SIZE); e = e->left) {
		if (e->end < limit && e->right != NULL)
			addr = node_room(e->right, limit, length, align, phase, above);
		if (addr != 0)
			return (addr);
		addr = room_below(e->prev->end, MIN(e->prev->end + e->gap, limit), length, align,
				  phase);
		if (addr != 0) {
			*above = e;
			return (addr);
		}
	}
	return (0);
}

vm_offset_t
vm_map_tree_room(vm_map_t map, vm_offset_t limit, vm_size_t length, vm_size_t align,
		 vm_offset_t phase, vm_map_entry_t *above)
{
	vm_offset_t addr;

	if (length == 0 || length > map->max - map->min)
		return (0);
	*above = &map->header;
	addr =
	    room_below(map->header.prev->end, MIN(map->header.start, limit), length, align, phase);
	return (addr != 0 ? addr : node_room(map->root, limit, length, align, phase, above));
}

/*
 * The radix tree of an object's pages. Level 0 nodes point to pages, others to nodes one level
 * down; the root is at level rt_height - 1. A node in the tree is never empty.
 */
#include "vm/vm_radix.h"
#include "vm/vm_page.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"

#define RADIX_BITS  6
#define RADIX_SLOTS (1 << RADIX_BITS)
#define RADIX_MAX   11 /* levels that 64 bits of index can need */

struct vm_radix_node {
	void *rn_slot[RADIX_SLOTS]; /* (o) */
	uint64_t rn_used; /* (o) bit i: slot i is in use */
	vm_pindex_t
	    rn_first; /* (o) level 0: the index of slot 0, set when the node is first used */
};

static int
slot_of(vm_pindex_t index, int level)
{
	return ((index >> (level * RADIX_BITS)) & (RADIX_SLOTS - 1));
}

static void
slot_set(struct vm_radix_node *node, int slot, void *what)
{
	node->rn_slot[slot] = what;
	node->rn_used |= 1ul << slot;
}

static void
slot_clear(struct vm_radix_node *node, int slot)
{
	node->rn_slot[slot] = NULL;
	node->rn_used &= ~(1ul << slot);
}

static bool
beyond(const struct vm_radix *rt, vm_pindex_t index)
{
	return (rt->rt_height < RADIX_MAX && index >> (rt->rt_height * RADIX_BITS) != 0);
}

/* Make the tree tall enough for index: a first root, or new roots above the old one. */
static int
radix_grow(struct vm_radix *rt, vm_pindex_t index)
{
	struct vm_radix_node *node;

	while (rt->rt_root == NULL || beyond(rt, index)) {
		node = kmalloc(sizeof(*node), M_ZERO);
		if (node == NULL)
			return (ENOMEM);
		if (rt->rt_root != NULL)
			slot_set(node, 0, rt->rt_root);
		rt->rt_root = node;
		do
			rt->rt_height++;
		while (node->rn_used == 0 && beyond(rt, index));
	}
	return (0);
}

/* Free the nodes on the way to index that are empty, from below, then roots that lead only to 0. */
static void
radix_prune(struct vm_radix *rt, vm_pindex_t index)
{
	struct vm_radix_node *path[RADIX_MAX + 1], *node = rt->rt_root;
	int level = rt->rt_height;

	rt->rt_hint = NULL;
	while (node != NULL && level > 0) {
		path[--level] = node;
		node = level > 0 ? node->rn_slot[slot_of(index, level)] : NULL;
	}
	for (; level < rt->rt_height && path[level]->rn_used == 0; level++) {
		kfree(path[level]);
		if (level + 1 == rt->rt_height) {
			*rt = (struct vm_radix){.rt_root = NULL};
			return;
		}
		slot_clear(path[level + 1], slot_of(index, level + 1));
	}
	while (rt->rt_height > 1 && rt->rt_root->rn_used == 1) { /* slot 0 alone */
		node = rt->rt_root;
		rt->rt_root = node->rn_slot[0];
		rt->rt_height--;
		kfree(node);
	}
}

/* The level 0 node for index, if it is the one used last: neighbours come one after the other. */
static inline struct vm_radix_node *
leaf_hint(const struct vm_radix *rt, vm_pindex_t index)
{
	struct vm_radix_node *leaf = __atomic_load_n(&rt->rt_hint, __ATOMIC_RELAXED);

	return (leaf != NULL && index - leaf->rn_first < RADIX_SLOTS ? leaf : NULL);
}

static inline struct vm_radix_node *
leaf_found(struct vm_radix *rt, struct vm_radix_node *leaf)
{
	if (leaf != NULL)
		__atomic_store_n(&rt->rt_hint, leaf, __ATOMIC_RELAXED);
	return (leaf);
}

/* The level 0 node for index, made if need be; it may be empty then. NULL: no memory, and nothing
 * changed. */
static struct vm_radix_node *__attribute__((noinline))
leaf_make_slow(struct vm_radix *rt, vm_pindex_t index)
{
	struct vm_radix_node *node = NULL, *child;

	if (radix_grow(rt, index) == 0)
		node = rt->rt_root;
	for (int level = rt->rt_height - 1; node != NULL && level > 0; level--) {
		child = node->rn_slot[slot_of(index, level)];
		if (child == NULL && (child = kmalloc(sizeof(*child), M_ZERO)) != NULL)
			slot_set(node, slot_of(index, level), child);
		node = child;
	}
	if (__predict_false(node == NULL && rt->rt_root != NULL))
		radix_prune(rt, index);
	if (node != NULL)
		node->rn_first = rounddown2(index, RADIX_SLOTS);
	return (leaf_found(rt, node));
}

static inline struct vm_radix_node *
leaf_make(struct vm_radix *rt, vm_pindex_t index)
{
	struct vm_radix_node *leaf = leaf_hint(rt, index);

	return (__predict_true(leaf != NULL) ? leaf : leaf_make_slow(rt, index));
}

int
vm_radix_insert(struct vm_radix *rt, vm_pindex_t index, vm_page_t m)
{
	struct vm_radix_node *leaf = leaf_make(rt, index);

	if (leaf == NULL)
		return (ENOMEM);
	if (leaf->rn_slot[slot_of(index, 0)] != NULL)
		return (EEXIST);
	slot_set(leaf, slot_of(index, 0), m);
	return (0);
}

int
vm_radix_insert_run(struct vm_radix *rt, vm_pindex_t index, vm_page_t m, vm_pindex_t step,
		    vm_pindex_t *n)
{
	struct vm_radix_node *leaf = leaf_make(rt, index);
	int first = slot_of(index, 0), slot = first, end;

	if (leaf == NULL)
		return (ENOMEM);
	end = (int)MIN(first + *n, (vm_pindex_t)RADIX_SLOTS);
	for (; slot < end && leaf->rn_slot[slot] == NULL; slot++, m += step)
		leaf->rn_slot[slot] = m;
	if (slot == first)
		return (EEXIST);
	*n = (vm_pindex_t)(slot - first);
	leaf->rn_used |= ~0ul >> (RADIX_SLOTS - *n) << first;
	return (0);
}

/* The level 0 node that index belongs to, or NULL. */
static struct vm_radix_node *__attribute__((noinline))
leaf_search(struct vm_radix *rt, vm_pindex_t index)
{
	struct vm_radix_node *node = rt->rt_root;

	if (node == NULL || beyond(rt, index))
		return (NULL);
	for (int level = rt->rt_height - 1; node != NULL && level > 0; level--)
		node = node->rn_slot[slot_of(index, level)];
	return (leaf_found(rt, node));
}

static inline struct vm_radix_node *
radix_leaf(struct vm_radix *rt, vm_pindex_t index)
{
	struct vm_radix_node *leaf = leaf_hint(rt, index);

	return (__predict_true(leaf != NULL) ? leaf : leaf_search(rt, index));
}

vm_page_t
vm_radix_lookup(struct vm_radix *rt, vm_pindex_t index)
{
	struct vm_radix_node *leaf = radix_leaf(rt, index);

	return (leaf != NULL ? leaf->rn_slot[slot_of(index, 0)] : NULL);
}

/* *at comes with the digits of the levels above, and gets those of this one and below. */
static vm_page_t
node_lookup_ge(const struct vm_radix_node *node, int level, vm_pindex_t index, vm_pindex_t *at)
{
	uint64_t first = (uint64_t)slot_of(index, level), i;
	uint64_t used = node->rn_used & ~0ul << first;
	vm_pindex_t above = *at;
	vm_page_t m;

	for (; used != 0; used &= used - 1) {
		i = (uint64_t)__builtin_ctzl(used);
		*at = above | i << (level * RADIX_BITS);
		if (level == 0)
			return (node->rn_slot[i]);
		/* later subtrees are taken from their beginning */
		m = node_lookup_ge(node->rn_slot[i], level - 1, i == first ? index : 0, at);
		if (m != NULL)
			return (m);
	}
	return (NULL);
}

vm_page_t
vm_radix_lookup_ge(const struct vm_radix *rt, vm_pindex_t index, vm_pindex_t *at)
{
	*at = 0;
	if (rt->rt_root == NULL || beyond(rt, index))
		return (NULL);
	return (node_lookup_ge(rt->rt_root, rt->rt_height - 1, index, at));
}

vm_page_t
vm_radix_remove(struct vm_radix *rt, vm_pindex_t index)
{
	struct vm_radix_node *leaf = radix_leaf(rt, index);
	vm_page_t m = leaf != NULL ? leaf->rn_slot[slot_of(index, 0)] : NULL;

	if (m == NULL)
		return (NULL);
	slot_clear(leaf, slot_of(index, 0));
	if (leaf->rn_used == 0)
		radix_prune(rt, index);
	return (m);
}

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
	uint32_t rn_count; /* (o) slots in use */
	vm_pindex_t
	    rn_first; /* (o) level 0: the index of slot 0, set when the node is first used */
};

static int
slot_of(vm_pindex_t index, int level)
{
	return ((index >> (level * RADIX_BITS)) & (RADIX_SLOTS - 1));
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
		if (rt->rt_root != NULL) {
			node->rn_slot[0] = rt->rt_root;
			node->rn_count = 1;
		}
		rt->rt_root = node;
		do
			rt->rt_height++;
		while (node->rn_count == 0 && beyond(rt, index));
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
	for (; level < rt->rt_height && path[level]->rn_count == 0; level++) {
		kfree(path[level]);
		if (level + 1 == rt->rt_height) {
			*rt = (struct vm_radix){.rt_root = NULL};
			return;
		}
		path[level + 1]->rn_slot[slot_of(index, level + 1)] = NULL;
		path[level + 1]->rn_count--;
	}
	while (rt->rt_height > 1 && rt->rt_root->rn_count == 1 && rt->rt_root->rn_slot[0] != NULL) {
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
		if (child == NULL && (child = kmalloc(sizeof(*child), M_ZERO)) != NULL) {
			node->rn_slot[slot_of(index, level)] = child;
			node->rn_count++;
		}
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
	leaf->rn_slot[slot_of(index, 0)] = m;
	leaf->rn_count++;
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
	leaf->rn_count += *n;
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
	vm_pindex_t above = *at;
	vm_page_t m;

	for (uint64_t i = slot_of(index, level); i < RADIX_SLOTS; i++) {
		if (node->rn_slot[i] != NULL) {
			*at = above | i << (level * RADIX_BITS);
			if (level == 0)
				return (node->rn_slot[i]);
			m = node_lookup_ge(node->rn_slot[i], level - 1, index, at);
			if (m != NULL)
				return (m);
		}
		index = 0; /* later subtrees are taken from their beginning */
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
	leaf->rn_slot[slot_of(index, 0)] = NULL;
	if (--leaf->rn_count == 0)
		radix_prune(rt, index);
	return (m);
}

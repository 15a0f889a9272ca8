/*
 * A radix tree from page index to page, 64 slots a node: an object's resident pages. It grows as
 * tall as the largest index needs, and empty nodes are freed. The object's lock protects it.
 */
#pragma once

#include "vm/vm.h"

struct vm_radix_node;
struct vm_radix {
	struct vm_radix_node *rt_root; /* (o) */
	struct vm_radix_node *rt_hint; /* (o), readers (a): the level 0 node used last, or NULL */
	int rt_height; /* (o) levels; 0 when empty */
};

/* 0; EEXIST if the index is taken; ENOMEM. */
int vm_radix_insert(struct vm_radix *rt, vm_pindex_t index, vm_page_t m);
/* Insert m, m + step, m + 2 * step .. at index and after it, at most *n and up to the first index
 * that is taken or is another node's; *n: how many. 0 if any; EEXIST; ENOMEM. */
int vm_radix_insert_run(struct vm_radix *rt, vm_pindex_t index, vm_page_t m, vm_pindex_t step,
			vm_pindex_t *n);
vm_page_t vm_radix_lookup(struct vm_radix *rt, vm_pindex_t index);
/* The page with the least index >= index, and that index in *at; or NULL. */
vm_page_t vm_radix_lookup_ge(const struct vm_radix *rt, vm_pindex_t index, vm_pindex_t *at);
/* The page removed, or NULL if there was none. */
vm_page_t vm_radix_remove(struct vm_radix *rt, vm_pindex_t index);

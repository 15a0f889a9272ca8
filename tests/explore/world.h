/*
 * What the scenarios share: two address spaces, what threads do in them, and what must hold when
 * all have ended, whatever they did.
 */
#pragma once

#include "explore.h"

/* The device's object is mapped here in `one', and where a scenario wants it in `two'. */
extern struct space *one, *two;

/* A thread that touches a page. Made by touch_in; the results are looked at by the check. */
struct touch {
	struct space *s;
	vm_pindex_t page; /* of those at VA */
	vm_prot_t access;
	int rv; /* KERN_*; -1: not yet */
	bool may_be_gone; /* somebody unmaps it: KERN_INVALID_ADDRESS is right too */
	bool may_fail; /* what it touches may end first: KERN_FAILURE is right too */
	void (*seen)(struct touch *t, uint8_t *where); /* looks at the byte, as the CPU does */
	uint64_t value; /* for seen */
	struct rwlock *lock; /* held meanwhile, as by a copy to user space; or NULL */
};
struct touch *touch_in(const char *name, struct space *s, vm_pindex_t page, vm_prot_t access,
		       struct rwlock *lock);

/* After all threads' end: no lock held, no page busied, each page-table entry in an entry of the
 * map, no wiring but those of entries, as many references as there are entries. */
void check_space(struct space *s);
void check_object(vm_object_t object);
/* Each touch ended as it may. */
void check_touches(void);
/* The page at index i of VA is not mapped in s. */
void check_unmapped(struct space *s, vm_pindex_t i);

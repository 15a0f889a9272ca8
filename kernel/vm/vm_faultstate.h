/*
 * The state of one fault, passed from stage to stage; private to vm_fault.c and vm_fault_populate.c.
 *
 * Who may change which field:  (i) vm_fault, once, on entry  (l) the lookup stage  (s) the soft stage
 * and those after it  (u) whoever lets go of the lock it describes.
 */
#pragma once

#include "vm/vm_map.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"

/* What a stage answers. */
enum fault_result {
	FAULT_CONTINUE, /* the next stage has a say */
	FAULT_DONE, /* resolved; nothing is locked or busy */
	FAULT_RESTART, /* something changed, nothing is locked or busy: once more from the lookup */
	FAULT_WAIT, /* the same, after waiting for memory */
	FAULT_FAILED, /* rv says why; nothing is locked or busy */
};

struct faultstate {
	vm_map_t map; /* (i) */
	vm_offset_t vaddr; /* (i) page-aligned */
	vm_prot_t fault_type; /* (i) */
	bool wire; /* (i) VM_FAULT_WIRE */
	vm_page_t *m_hold; /* (i) where to return the page held, or NULL */
	struct vm_map_lookup at; /* (l) the entry, by value; at.object is the first object */
	bool map_locked; /* (l) (u) for reading */
	bool major; /* a pager was asked */
	bool no_populate; /* the pager said BAD: this fault goes the ordinary way (P8) */
	vm_object_t object; /* (s) where the page was found: at.object or behind it; locked */
	vm_pindex_t pindex; /* (s) and at which index */
	vm_page_t
	    m; /* (s) what stands there, or NULL; xbusied if it is new, else stable by its object's lock */
	int rv; /* KERN_* of FAULT_FAILED */
};

/* The pmap_enter flags of this fault. wire: the page at vaddr is being wired. */
static inline uint32_t
fault_enter_flags(const struct faultstate *fs, bool wire)
{
	return (fs->fault_type | (wire || fs->at.wired ? PMAP_ENTER_WIRED : 0) |
		(fs->at.nosuper ? PMAP_ENTER_NOSUPER : 0));
}

/* O1: may a read of the resident page fs->m bring its neighbours along? A wiring fault deals with one page
 * (P14). at.object is locked. */
bool fault_around_wanted(const struct faultstate *fs);
/* Let go of the map; the entry may be gone from now on, fs->at is a copy of it (P6). */
void fault_unlock_map(struct faultstate *fs);
/* Let go of all and answer FAULT_FAILED with rv. */
enum fault_result fault_fail(struct faultstate *fs, int rv);
/* Let go of all and answer result. */
enum fault_result fault_unlock(struct faultstate *fs, enum fault_result result);

/* vm_fault_populate.c: the populate stage. at.object is write-locked, object too if another. */
enum fault_result vm_fault_populate(struct faultstate *fs);

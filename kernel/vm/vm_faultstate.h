/*
 * The state of one fault, passed from stage to stage; private to vm_fault.c and
 * vm_fault_populate.c.
 *
 * Who may change which field:  (i) vm_fault  (l) the lookup stage  (s) the soft stage
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
	uint32_t restarts; /* (i) so far (P19) */
	vm_object_t kept; /* (s) a reference, held to the fault's end (P19), or NULL */
	vm_object_t object; /* (s) where the page was found: at.object or behind it; locked */
	vm_pindex_t pindex; /* (s) and at which index */
	vm_page_t
	    m; /* (s) what stands there, or NULL; stable by its object's lock, or if it is ours */
	bool ours; /* (s) m is new and xbusied by us: no object is locked any more */
	int rv; /* KERN_* of FAULT_FAILED */
};

/* The pmap_enter flags of this fault. wire: the page at vaddr is being wired. */
static inline uint32_t
fault_enter_flags(const struct faultstate *fs, bool wire)
{
	return (fs->fault_type | (wire || fs->at.wired ? PMAP_ENTER_WIRED : 0) |
		(fs->at.nosuper ? PMAP_ENTER_NOSUPER : 0));
}

/* Can m, which may be NULL, be mapped as it is? */
static inline bool
fault_usable(vm_page_t m)
{
	return (m != NULL && vm_page_unit(m)->valid && !vm_page_busied(m));
}

/* W1: is this a write of which fs->m's pager wants to be told first? */
static inline bool
fault_write_notify(const struct faultstate *fs)
{
	return (fs->m->tracked && (fs->fault_type & VM_PROT_WRITE) != 0);
}

/* The rights in prot that m may be mapped with now: a tracked page waits for its write (W1). */
static inline vm_prot_t
fault_page_prot(vm_page_t m, vm_prot_t prot)
{
	return (m->tracked ? prot & ~VM_PROT_WRITE : prot);
}

/* Let go of the map; the entry may be gone from now on, fs->at is a copy of it (P6). */
void fault_unlock_map(struct faultstate *fs);
/*
 * Let go of the reference that kept object over a pager call, nothing of the fault's being
 * locked, and answer result. A fault that goes on keeps it until its end: who unmaps and maps
 * again for ever does not undo with the object all that the call has made (P19). It may be the
 * last, and the fault that of a copy to user space with locks held (R4).
 */
static inline enum fault_result
fault_let_go(struct faultstate *fs, vm_object_t object, enum fault_result result)
{
	vm_object_t kept = fs->kept;

	if (result == FAULT_RESTART || result == FAULT_WAIT) {
		fs->kept = object;
		object = kept;
	}
	vm_object_deallocate_later(object);
	return (result);
}

/* Let go of all and answer FAULT_FAILED with rv. */
enum fault_result fault_fail(struct faultstate *fs, int rv);
/* Let go of all and answer result. */
enum fault_result fault_unlock(struct faultstate *fs, enum fault_result result);

/* vm_fault_populate.c: the populate stage. at.object is write-locked, object too if another. */
enum fault_result vm_fault_populate(struct faultstate *fs);

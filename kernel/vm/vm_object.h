/*
 * An object is a thing that can be mapped: pages by index, and a pager that knows what an absent
 * page should hold. Anonymous objects can stand in front of a backing object (a shadow, for
 * copy-on-write): a page absent here is looked for there, at index + backing_object_offset.
 */
#pragma once

#include "vm/vm.h"
#include "vm/vm_radix.h"
#include "kern/lock.h"
#include "kern/task.h"

enum obj_type { OBJT_ANON, OBJT_VNODE, OBJT_DEVICE, OBJT_MGTDEVICE, OBJT_PHYS, OBJT_COUNT };

struct pagerops;

/* Locks: (c) constant  (o) this object's lock  (b) the backing object's lock  (a) atomic
 * (d) the device pager's lock */
struct vm_object {
	struct rwlock lock;
	vm_pindex_t resident_page_count; /* (o) */
	struct vm_radix rtree; /* (o) resident pages, but those in: */
	struct vm_radix supers; /* (o) superpages, and what is left of them; by superpage index */
	vm_pindex_t size; /* (o) pages; no page stands at or past it */
	LIST_HEAD(, vm_object) shadow_head; /* (o) objects that shadow this one */
	LIST_ENTRY(vm_object) shadow_list; /* (b) */
	vm_object_t backing_object; /* (o) */
	vm_ooffset_t backing_object_offset; /* (o) bytes */
	vm_pindex_t charge; /* (c) pages committed for it as long as it lives */
	uint32_t ref_count; /* (a) map entries, shadows, and the owner of handle */
	uint32_t shadow_count; /* (o) entries of shadow_head */
	uint32_t cut; /* (a) the last truncation that came by (vm_object_resize.c) */
	uint32_t paging_in_progress; /* (a) pager calls or faults that use it unlocked */
	uint32_t
	    generation; /* (o) moves when pages are revoked: the fault handler compares it (R3) */
	uint16_t flags; /* (o) OBJ_* */
	enum obj_type type; /* (c) */
	void *handle; /* (c) what the pager knows it by */
	union {
		struct {
			const struct cdev_pager_ops *ops; /* (c) */
			const char *name; /* (c) of the driver, for assertions */
			LIST_ENTRY(vm_object) link; /* (d) all devices' */
			struct task end; /* the destructor, when it has to wait */
			int state; /* (d) DEV_* */
		} devp;
		struct {
			int (*getpage)(void *handle, vm_page_t m); /* (o) */
		} vnp;
	} un_pager;
};

#define OBJ_POPULATE     0x0001 /* the pager's populate method may be called (P1) */
#define OBJ_DEAD         0x0002 /* on its way out */
#define OBJ_ONEMAPPING   0x0004 /* each page is mapped at most once: anonymous, no fork shares it */
#define OBJ_WRITE_NOTIFY 0x0008 /* set by the pager before it tracks pages (W1) */
#define OBJ_PRIVATE      0x0080 /* anonymous, of private mappings: who writes has it alone */
#define OBJ_END_LATER    0x0010 /* with OBJ_DEAD: whoever let go of it last may hold locks (R4) */
#define OBJ_PIPWNT       0x0040 /* somebody waits in vm_object_pip_wait */
#define OBJ_AROUND       0x0020 /* populate is asked on a read of a resident page, too (O1) */

#define VM_OBJECT_WLOCK(o)          rw_wlock(&(o)->lock)
#define VM_OBJECT_RLOCK(o)          rw_rlock(&(o)->lock)
#define VM_OBJECT_UNLOCK(o)         rw_unlock(&(o)->lock)
#define VM_OBJECT_TRYWLOCK(o)       rw_try_wlock(&(o)->lock)
#define VM_OBJECT_ASSERT_WLOCKED(o) rw_assert_wlocked(&(o)->lock)
#define VM_OBJECT_ASSERT_LOCKED(o)  rw_assert_locked(&(o)->lock)

/* A new object of size pages with one reference, held by the caller; NULL when memory is short. */
vm_object_t vm_object_allocate(enum obj_type type, vm_pindex_t size);
/* Shared memory of size pages, all of them committed if reserve; NULL also when policy forbids. */
vm_object_t vm_object_shared(vm_pindex_t size, bool reserve);
/* One more, or one less; the last one to go ends the object and its pages, the last but one lets
 * the only shadow take them over. No object lock held. */
void vm_object_reference(vm_object_t object);
void vm_object_deallocate(vm_object_t object);
/* One less, by a caller that may hold locks: if it is the last, a driver's destructor runs later
 * (R4). */
void vm_object_deallocate_later(vm_object_t object);
/* For a pager's dealloc: the object itself goes. */
void vm_object_free(vm_object_t object);
/* A reference, unless the last one has gone already and the object is on its way out. */
bool vm_object_tryref(vm_object_t object);
/*
 * Replace *object, which the caller holds a reference to, by a new anonymous object of length bytes
 * that shadows it from *offset; the reference moves into the shadow, and *offset becomes 0. A NULL
 * *object simply becomes a new one. False when memory is short. No object lock held.
 */
bool vm_object_shadow(vm_object_t *object, vm_ooffset_t *offset, vm_size_t length);
/*
 * Shorten the chain behind an anonymous object: a backing object that nobody else refers to gives
 * it its pages and goes; one of which it hides all pages is bypassed. Forks make chains, this
 * bounds them. The caller holds a reference and no object lock.
 */
void vm_object_collapse(vm_object_t object);
/*
 * Down the chain from object to the page that it shows at *pindex: *m, or NULL if there is none;
 * with m NULL to the end. Returns the object come to, write-locked, and *pindex there. The caller
 * holds a reference to object, and no lock of the chain.
 */
vm_object_t vm_object_walk(vm_object_t object, vm_pindex_t *pindex, vm_page_t *m);
/*
 * Try to let the anonymous object prev, mapped up to prev_offset + prev_size bytes, also back the
 * next_size bytes that follow. False if it may not (shared, shadowing, another kind), or if so much
 * is better off with an object, and a lock, of its own.
 */
bool vm_object_coalesce(vm_object_t prev, vm_ooffset_t prev_offset, vm_size_t prev_size,
			vm_size_t next_size);
/*
 * Take the pages of [start, end) (end 0: to the last) out of every map and out of the object, and
 * free them. The object is write-locked; it is let go and re-taken while a page is busy,
 * and now and then, for others.
 */
void vm_object_page_remove(vm_object_t object, vm_pindex_t start, vm_pindex_t end);
/* The same for one page, or superpage, which this thread has xbusied. Its object is
 * write-locked. */
void vm_object_page_drop(vm_page_t m);
/* Set the size in pages; pages past the end are removed, and what hides them in shadows. No object
 * lock held. */
void vm_object_set_size(vm_object_t object, vm_pindex_t size);

/* Keep the object from going away while it is used without its lock. */
void vm_object_pip_add(vm_object_t object, uint32_t n);
void vm_object_pip_wakeup(vm_object_t object);
/* Sleep until nobody does. The object is write-locked on entry and exit. */
void vm_object_pip_wait(vm_object_t object);

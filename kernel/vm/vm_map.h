/*
 * A map is an address space: ranges (entries) that do not overlap, each giving an object, an offset
 * in it, and rights. Entries hang in a list by address and in a balanced tree that also knows the
 * largest gap below each node, so lookup, insert and finding room take O(log n).
 *
 * The timestamp moves with each change made under the write lock. Who lets go of the map and comes
 * back compares it: equal means that everything looked up before still holds (P12).
 */
#pragma once

#include "vm/vm.h"
#include "vm/pmap.h"
#include "kern/lock.h"

/* Locks: all fields (m) the map's lock, but (c) constant. */
struct vm_map_entry {
	struct vm_map_entry *prev, *next; /* (m) by address; the map's header closes the ring */
	struct vm_map_entry *left, *right, *parent; /* (m) tree */
	vm_offset_t start, end; /* (m) [start, end) */
	vm_size_t gap; /* (m) free bytes after prev's end, but for a stack's guard */
	vm_size_t max_gap; /* (m) largest gap in this subtree */
	vm_object_t object; /* (m) NULL: anonymous, none made yet */
	vm_ooffset_t offset; /* (m) of start in object, bytes */
	vm_prot_t protection, max_protection; /* (m) */
	uint8_t height; /* (m) of this subtree */
	uint32_t eflags; /* (m) MAP_ENTRY_* */
	uint32_t wired_count; /* (m) */
	void *name_vp; /* (m) the file, for /proc/self/maps only */
};
#define MAP_ENTRY_COW        0x01 /* a write must not reach the object: private */
#define MAP_ENTRY_NEEDS_COPY 0x02 /* ... and the shadow that takes the writes is not made yet */
#define MAP_ENTRY_STACK      0x04 /* shown as [stack] */
#define MAP_ENTRY_HEAP       0x08 /* shown as [heap] */
#define MAP_ENTRY_NOMERGE    0x10 /* never merged with a neighbour */
#define MAP_ENTRY_TRANSITION 0x20 /* being wired with the map unlocked: others wait */
#define MAP_ENTRY_SHARED     0x40 /* MAP_SHARED: writes are seen by all who map the object */
#define MAP_ENTRY_NOSUPER    0x80 /* madvise(MADV_NOHUGEPAGE): small entries only */
#define MAP_ENTRY_ONFAULT    0x100 /* what is touched is entered wired: mlock2(MLOCK_ONFAULT) */
#define MAP_ENTRY_DEVICE     0x200 /* a device's memory: may not grow, nor be given back */
#define MAP_ENTRY_GROWSDOWN  0x400 /* a stack: a fault right below makes it reach down to there */
#define MAP_ENTRY_NORESERVE  0x800 /* not to be charged, while policy allows (vm_commit.c) */
#define MAP_ENTRY_CHARGED    0x1000 /* its length is committed */
/* Advice: what madvise was told. */
#define MAP_ENTRY_RANDOM     0x2000
#define MAP_ENTRY_SEQUENTIAL 0x4000
#define MAP_ENTRY_NOFORK     0x8000 /* a child does not get it */
#define MAP_ENTRY_WIPEFORK   0x10000 /* a child gets zeros in its place */
#define MAP_ENTRY_NODUMP     0x20000
#define MAP_ENTRY_SUPER      0x40000 /* superpages are wanted */

/* Do mlock and its kin hold the entry's pages? The map is locked. */
static inline bool
vm_map_entry_locked(const struct vm_map_entry *e)
{
	return (e->wired_count != 0 || (e->eflags & MAP_ENTRY_ONFAULT) != 0);
}

#define VM_MAP_HINTS 4 /* more CPUs share them */
struct vm_map {
	struct rwlock lock; /* rank LR_MAP */
	uint32_t nentries; /* (m) */
	uint32_t ntransition; /* (m) entries marked MAP_ENTRY_TRANSITION */
	vm_size_t size; /* (m) bytes mapped */
	vm_size_t data_size; /* (m) of these, private, writable and no stack */
	bool wire_future, wire_on_fault; /* (m) mlockall: new mappings are wired, or as ONFAULT */
	struct vm_map_entry *root __aligned_to(64); /* (m) from here on what faults only read */
	uint32_t timestamp; /* (m) */
	pmap_t pmap; /* (c) */
	vm_offset_t min, max; /* (c) [min, max) is what can be mapped */
	vm_offset_t top; /* (m) vm_map_find looks below it first: the stack is above */
	void (*name_ref)(void *vp); /* (c) reference counting of name_vp; may be NULL */
	void (*name_rele)(void *vp); /* (c) */
	struct vm_map_entry header; /* (m) end of the ring; start: max, end: min, for the gaps */
	/* (a) of the map: where each CPU's last lookup ended, or NULL. A line of the cache each. */
	struct vm_map_entry *hints[VM_MAP_HINTS][64 / sizeof(void *)] __aligned_to(64);
};

#define VM_MAP_ENTRY_FOREACH(entry, map) \
	for ((entry) = (map)->header.next; (entry) != &(map)->header; (entry) = (entry)->next)

#define vm_map_lock_read(map)    rw_rlock(&(map)->lock)
#define vm_map_trylock_read(map) rw_try_rlock(&(map)->lock)
#define vm_map_unlock_read(map)  rw_unlock(&(map)->lock)
/* Write lock: the timestamp moves. */
void vm_map_lock(vm_map_t map);
void vm_map_unlock(vm_map_t map);

void vm_map_init(vm_map_t map, pmap_t pmap, vm_offset_t min, vm_offset_t max);
/* Unmap all; the pmap is left empty, the caller releases it. */
void vm_map_destroy(vm_map_t map);

/* What to map: the arguments that vm_map_insert and vm_map_find share. */
struct vm_map_req {
	vm_object_t object; /* the caller's reference goes to the map on success; NULL: anonymous */
	vm_ooffset_t offset;
	vm_prot_t prot, max_prot;
	uint32_t eflags; /* MAP_ENTRY_* */
	void *name_vp;
	vm_offset_t lowest, highest; /* vm_map_find: where in the map; highest 0: anywhere */
	vm_size_t
	    align; /* vm_map_find: the address is congruent to offset + align_phase modulo it; 0: none */
	vm_paddr_t align_phase;
};
/*
 * Map [start, start + length); both page-aligned. KERN_NO_SPACE if part is taken or out of bounds,
 * KERN_RESOURCE_SHORTAGE: no memory, more than the caller's limits allow (vm_map_admit), or more
 * than policy lets be committed.
 */
int vm_map_insert(vm_map_t map, vm_offset_t start, vm_size_t length, const struct vm_map_req *req);
/* The same, where there was something before it is unmapped first (MAP_FIXED). */
int vm_map_fixed(vm_map_t map, vm_offset_t start, vm_size_t length, const struct vm_map_req *req);
/* Map length bytes at *addr if that is free and not 0, else in the highest gap that fits; *addr
 * says where. Keeps STACK_GUARD bytes below what grows down. KERN_NO_SPACE, or as above. */
int vm_map_find(vm_map_t map, vm_offset_t *addr, vm_size_t length, const struct vm_map_req *req);

/* Unmap what there is in [start, end). KERN_RESOURCE_SHORTAGE: no memory to split an entry,
 * nothing changed. */
int vm_map_remove(vm_map_t map, vm_offset_t start, vm_offset_t end);
/*
 * Set the protection of [start, end), in order, up to the first part that is not mapped
 * (KERN_INVALID_ADDRESS), whose max_protection forbids it (KERN_PROTECTION_FAILURE), or that would
 * be more data than may be (KERN_RESOURCE_SHORTAGE): what comes before has changed, as in Linux.
 */
int vm_map_protect(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_prot_t prot);

/*
 * vm_map_advise.c: advice on [start, end), entry by entry. Each answers KERN_INVALID_ADDRESS if
 * part is not mapped (the rest is done, as in Linux), KERN_INVALID_ARGUMENT when it comes to an
 * entry that it is not for (what comes before is done), KERN_RESOURCE_SHORTAGE.
 */
/* Set and clear flags (MAP_ENTRY_*), but not for entries that have one of `not_for`. */
int vm_map_advise(vm_map_t map, vm_offset_t start, vm_offset_t end, uint32_t set, uint32_t clear,
		  uint32_t not_for);
/* Drop pages; anonymous ones are zeros at the next touch. Not for what is wired, nor a device. */
int vm_map_dontneed(vm_map_t map, vm_offset_t start, vm_offset_t end);
/* Private anonymous pages may be dropped when memory is short, unless they are written before. Not
 * for other entries. */
int vm_map_free_lazily(vm_map_t map, vm_offset_t start, vm_offset_t end);
/* Resident pages will not be needed soon; drop: those that can be made again, not even at all. Not
 * for what is wired, nor a device. */
int vm_map_deactivate(vm_map_t map, vm_offset_t start, vm_offset_t end, bool drop);
/* May they be at all: 0 or 1, /proc/sys/vm/superpages. */
extern uint32_t vm_superpages;
/*
 * Which pages from start on are in memory, here or behind: a byte 1 or 0 for each page of [start,
 * end) up to the first that is not mapped; returns how many pages that is.
 */
vm_pindex_t vm_map_mincore(vm_map_t map, vm_offset_t start, vm_offset_t end, uint8_t *resident);
/* Fault in and wire [start, end). KERN_INVALID_ADDRESS if part is not mapped, or what a fault
 * said: nothing is wired then. */
int vm_map_wire(vm_map_t map, vm_offset_t start, vm_offset_t end);
/*
 * Wire what is touched from now on, as far as it is not wired already. The page tables' entries are
 * wired, and so the page may not be reclaimed; it is not counted as wired itself. Up to the first
 * part that is not mapped (KERN_INVALID_ADDRESS).
 */
int vm_map_wire_on_fault(vm_map_t map, vm_offset_t start, vm_offset_t end);
/* Undo both, up to the first part that is not mapped (KERN_INVALID_ADDRESS). */
int vm_map_unwire(vm_map_t map, vm_offset_t start, vm_offset_t end);

/* mremap: [old, old + old_size) becomes [new, new + new_size), with its pages. Sizes in bytes; all
 * page-aligned. */
struct vm_map_remap {
	vm_offset_t old;
	vm_size_t old_size; /* 0: the mapping at old, which must be shared, gets a second one */
	vm_size_t new_size; /* at least old_size; what is beyond is new */
	vm_offset_t new; /* fixed: where to, not overlapping old; on success: where it is */
	bool may_move, fixed;
	bool keep; /* leave a mapping of the same behind, without the private pages (DONTUNMAP) */
	bool
	    wired; /* set: the entries are wired; the caller faults the moved ones in and wires the rest */
};
/*
 * The old part is one or more entries that are alike and continue each other; a device's may not
 * grow nor be kept. Grows where it is, if it can. The page tables forget what moved; wirings go
 * along. KERN_INVALID_ADDRESS: not mapped, or not like that; KERN_INVALID_ARGUMENT: keep of a
 * device, old_size 0 of private memory; KERN_NO_SPACE; KERN_RESOURCE_SHORTAGE. A failure changes
 * nothing, but that a fixed target may be unmapped by then.
 */
int vm_map_remap(vm_map_t map, struct vm_map_remap *r);

/* The entry that contains addr. The map is locked by the caller. NULL if there is none. */
vm_map_entry_t vm_map_lookup_entry(vm_map_t map, vm_offset_t addr);
/* The first entry that ends after addr, or NULL. Map locked. */
vm_map_entry_t vm_map_entry_at_or_after(vm_map_t map, vm_offset_t addr);

/* What a fault needs to know of an entry, copied while the map was locked (P6). */
struct vm_map_lookup {
	vm_offset_t start, end;
	vm_ooffset_t offset; /* of start */
	vm_object_t object;
	vm_pindex_t pindex; /* of the address asked for */
	vm_prot_t prot; /* what may be entered in the page tables now */
	vm_prot_t max_prot;
	uint8_t wired; /* MAP_WIRED_*, or 0 */
	bool nosuper; /* small page-table entries only */
	uint32_t timestamp;
};
#define MAP_WIRED_ENTRY 1 /* to be entered wired */
#define MAP_WIRED_PAGE  2 /* ... and this map has wired the page */
/*
 * Resolve addr for a fault of fault_type: makes the object of an anonymous entry and the shadow of
 * a private one that is written, when that is due. KERN_SUCCESS returns with the map read-locked;
 * KERN_INVALID_ADDRESS, KERN_PROTECTION_FAILURE and KERN_RESOURCE_SHORTAGE with it unlocked.
 */
int vm_map_lookup_locked(vm_map_t map, vm_offset_t addr, vm_prot_t fault_type,
			 struct vm_map_lookup *result);

/*
 * vm_map_limit.c: what a map may have. vm_max_map_count: entries, /proc/sys/vm/max_map_count.
 */
extern uint32_t vm_max_map_count; /* (a) */
/* Supplied by kern: the limits of the process that asks, in bytes. */
enum vm_limit { VM_LIMIT_SIZE, VM_LIMIT_DATA, VM_LIMIT_STACK };
vm_size_t vm_limit(enum vm_limit which);
/* May the caller's process have one entry more, of length bytes and that kind? */
bool vm_map_admit(vm_map_t map, vm_size_t length, vm_prot_t prot, uint32_t eflags);

#define STACK_GUARD (256ul << PAGE_SHIFT) /* bytes kept free below an entry that grows down */
/* A fault at addr, which is not mapped: let the entry above reach down to it, if it may.
 * KERN_SUCCESS, KERN_INVALID_ADDRESS. */
int vm_map_growstack(vm_map_t map, vm_offset_t addr);

/*
 * vm_map_fork.c: fill dst, fresh and known to nobody else, with what a child has of src after a
 * fork: shared entries map the same objects, private ones are copied when either side writes.
 * Nothing is wired in dst. KERN_RESOURCE_SHORTAGE, also when policy does not let as much be
 * committed again: dst is empty, and src as good as before.
 */
int vm_map_fork(vm_map_t src, vm_map_t dst);

/* vm_map_tree.c: the balanced tree. The map is write-locked; to look things up, read-locked is
 * enough. entry->prev and next are set before insert, and still are at remove. */
void vm_map_tree_insert(vm_map_t map, vm_map_entry_t entry);
void vm_map_tree_remove(vm_map_t map, vm_map_entry_t entry);
/* All entries of the list at once, whatever the tree was. O(n). */
void vm_map_tree_build(vm_map_t map);
/* entry's start or end moved: mend its gap and the next one's. */
void vm_map_tree_resized(vm_map_t map, vm_map_entry_t entry);
/* The last entry that starts at or below addr, or the header. */
vm_map_entry_t vm_map_tree_le(vm_map_t map, vm_offset_t addr);
/* The highest place below limit with room for length bytes and any alignment: an address congruent
 * to phase modulo align (a power of two), and the entry above it, or the header; 0 if there is
 * none. */
vm_offset_t vm_map_tree_room(vm_map_t map, vm_offset_t limit, vm_size_t length, vm_size_t align,
			     vm_offset_t phase, vm_map_entry_t *above);

/*
 * What all of kernel/vm shares: types, protections, results, and the lock order.
 *
 * The VM knows the machine through vm/pmap.h only, and the rest of the kernel through a handful of
 * functions (locks, sleep and wakeup, kmalloc, klog, panic, curthread), so that a host program can
 * supply both and run this very code under a sanitizer: tests/host does.
 *
 * How the parts fit:
 *
 *   vm_map ──▶ vm_map_entry ──▶ vm_object ──▶ vm_page ──▶ frame          vm_fault walks this from
 *   (a space)  (a range of it)  (what is     (one frame)     ▲           left to right, and pmap_enter
 *      └──────────▶ pmap ────────mapped)─────── pv list ─────┘           stores what it found
 *
 * Lock order: map → object (a shadow before its backing object) → page queue → pmap → free pages.
 * kern/lock.h ranks them and INVARIANTS builds check each acquire. Nobody sleeps holding a page
 * queue, pmap or free-page lock; a busy page is slept on with its object's lock let go.
 */
#pragma once

#include "kern/types.h"
#include <sys/queue.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1ul << PAGE_SHIFT)
#define PAGE_MASK  (PAGE_SIZE - 1)

typedef uint64_t vm_offset_t; /* a virtual address, bytes */
typedef uint64_t vm_size_t; /* bytes */
typedef uint64_t vm_paddr_t; /* a physical address, bytes */
typedef uint64_t vm_ooffset_t; /* an offset in an object, bytes */
typedef uint64_t vm_pindex_t; /* an offset in an object, pages */
typedef uint8_t vm_prot_t;
typedef uint8_t vm_memattr_t; /* VM_MEMATTR_*, machine/pmap_md.h */

typedef struct vm_page *vm_page_t;
typedef struct vm_object *vm_object_t;
typedef struct vm_map *vm_map_t;
typedef struct vm_map_entry *vm_map_entry_t;
typedef struct pmap *pmap_t;

#define atop(x)       ((vm_pindex_t)(x) >> PAGE_SHIFT)
#define ptoa(x)       ((uint64_t)(x) << PAGE_SHIFT)
#define trunc_page(x) ((uint64_t)(x) & ~PAGE_MASK)
#define round_page(x) (((uint64_t)(x) + PAGE_MASK) & ~PAGE_MASK)

#define VM_PROT_NONE    0
#define VM_PROT_READ    1
#define VM_PROT_WRITE   2
#define VM_PROT_EXECUTE 4
#define VM_PROT_RW      (VM_PROT_READ | VM_PROT_WRITE)
#define VM_PROT_ALL     (VM_PROT_RW | VM_PROT_EXECUTE)

/* Results of vm_map and vm_fault functions (Mach's, by way of FreeBSD). */
enum {
	KERN_SUCCESS = 0,
	KERN_INVALID_ADDRESS, /* no mapping there: SEGV_MAPERR, ENOMEM or EFAULT */
	KERN_PROTECTION_FAILURE, /* mapped, but not for this access: SEGV_ACCERR, EACCES */
	KERN_NO_SPACE, /* the range is taken, or no gap is large enough */
	KERN_INVALID_ARGUMENT,
	KERN_FAILURE, /* the pager could not: SIGBUS, BUS_ADRERR */
	KERN_RESOURCE_SHORTAGE, /* no memory for the VM's own structures */
	KERN_ABORTED, /* the thread was killed while it waited */
};
/* The errno that says the same to a program. */
int vm_mmap_to_errno(int rv);

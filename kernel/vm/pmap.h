/*
 * The only door from the VM to the machine's page tables. kernel/amd64/pmap.c is behind it in the
 * kernel; tests/host/fake_pmap.c in the host tests. machine/pmap_md.h defines struct pmap and
 * struct md_page (what a vm_page carries for the pmap: its pv list), VM_MEMATTR_* values, and the
 * bounds VM_MINUSER_ADDRESS and VM_MAXUSER_ADDRESS (exclusive).
 *
 * A pmap is a cache of the map above it: dropping an entry costs a fault and nothing else, except
 * for entries that are wired. Locks are the pmap's own, taken inside; none is held on return.
 */
#pragma once

#include "vm/vm.h"
#include "machine/pmap_md.h"

extern struct pmap kernel_pmap_store;
#define kernel_pmap (&kernel_pmap_store)

/* flags of pmap_enter: the access that faulted (VM_PROT_*) or'ed with: */
#define PMAP_ENTER_WIRED   0x100 /* the entry may not be dropped, only removed or unwired */
#define PMAP_ENTER_NOSUPER 0x200 /* by small entries only */

/* A fresh, empty address space that shares the kernel's half. 0, or ENOMEM. */
int pmap_pinit(pmap_t pmap);
/* Frees the page tables; every user mapping must be gone. */
void pmap_release(pmap_t pmap);
/* Makes pmap the one the CPU translates by. */
void pmap_activate(pmap_t pmap);

/*
 * Enter npages pages, m being the first of a physically contiguous run of vm_pages that are
 * contiguous in their array too, at va. The pages are busied or their object locked by the caller.
 * A slot that already maps the same frame with the same rights is left alone (P18); another frame
 * is replaced and shot down. Managed pages (not PG_UNMANAGED) are noted in pv lists. A whole
 * superpage (device or unmanaged frames) whose virtual address has the alignment is one entry where
 * it can be, from which nothing may be seen but speed (S1 to S6). The memory attribute is the
 * page's. Returns KERN_SUCCESS, or KERN_RESOURCE_SHORTAGE when there was no memory for a page table
 * or pv entry: then a prefix of the run may have been entered, which is harmless.
 */
int pmap_enter(pmap_t pmap, vm_offset_t va, vm_page_t m, vm_pindex_t npages, vm_prot_t prot,
	       uint32_t flags);

/* Remove every entry in [sva, eva), wired or not; page-table pages left empty are freed. */
void pmap_remove(pmap_t pmap, vm_offset_t sva, vm_offset_t eva);
/* Move what is mapped in [sva, eva) to where dva is for sva, and where nothing is mapped; or remove
 * it, if it is no RAM or there is no memory: a fault brings it back. */
void pmap_move(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, vm_offset_t dva);
/* Take away the rights not in prot from the entries in [sva, eva). VM_PROT_NONE removes them. */
void pmap_protect(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, vm_prot_t prot);
/* Clear the wired mark of the entries in [sva, eva). */
void pmap_unwire(pmap_t pmap, vm_offset_t sva, vm_offset_t eva);
/* How much of [sva, eva) maps managed pages, in pages. */
struct pmap_usage {
	uint64_t resident, super, dirty, referenced; /* super: by entries of superpages */
};
struct pmap_usage pmap_usage(pmap_t pmap, vm_offset_t sva, vm_offset_t eva);
/* The physical address va maps to, or 0. */
vm_paddr_t pmap_extract(pmap_t pmap, vm_offset_t va);

/* By page, or by superpage if m speaks for one, through pv lists; the object is write-locked by the
 * caller. */
void pmap_page_init(vm_page_t m);
/* Out of every page table; its modified bit goes to m->dirty. No TLB holds it on return. */
void pmap_remove_all(vm_page_t m);
/* Read-only in every page table; its modified bit goes to m->dirty. */
void pmap_remove_write(vm_page_t m);
bool pmap_page_is_mapped(vm_page_t m);
/* True when the page was written by some entry that is there. */
bool pmap_is_modified(vm_page_t m);
/* Empty page tables in store. drain: give back this CPU's; true if there were any. */
uint64_t pmap_stored(void);
bool pmap_drain(void);
/* Was the page used by some entry since this was last asked? By and large: a TLB may hide a use. */
bool pmap_ts_referenced(vm_page_t m);

/* The kernel's own view of a RAM page (the direct map); valid for frames the page allocator
 * owns. */
void *pmap_page_kva(vm_page_t m);
void pmap_zero_page(vm_page_t m);
/* src may be a device's page. */
void pmap_copy_page(vm_page_t src, vm_page_t dst);

/* Memory for an array of vm_pages that describes frames that are not RAM. Zeroed, or NULL. */
void *pmap_alloc_page_array(vm_size_t bytes);
void pmap_free_page_array(void *array, vm_size_t bytes);

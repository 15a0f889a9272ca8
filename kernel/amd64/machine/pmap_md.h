/*
 * amd64's part of vm/pmap.h: what a pmap and a vm_page hold for the machine, memory attributes,
 * and the bounds of user space.
 */
#pragma once

#include "kern/lock.h"
#include <sys/queue.h>

#define VM_MINUSER_ADDRESS 0x10000ul /* as Linux's default vm.mmap_min_addr */
#define VM_MAXUSER_ADDRESS \
	0x7ffffffff000ul /* the last canonical user page stays unmapped (SYSRET) */

/* Indexes of the PAT as pat_init programs it: bits PAT:PCD:PWT of an entry. */
#define VM_MEMATTR_WRITE_BACK      0
#define VM_MEMATTR_WRITE_COMBINING 1
#define VM_MEMATTR_UNCACHED        3

#define VM_SUPERPAGE_ORDER 9 /* 2^9 pages, 2 MiB: what one entry a level up maps */

/* The direct map: every RAM frame at a fixed distance, write-back. The host tests have another. */
#ifndef DMAP_BASE
#define DMAP_BASE 0xffff800000000000ul
#endif

static inline void *
phys_to_dmap(uint64_t pa)
{
	return ((void *)(DMAP_BASE + pa));
}
static inline uint64_t
dmap_to_phys(const void *va)
{
	return ((uint64_t)va - DMAP_BASE);
}

struct pv_entry;
struct pv_chunk;
struct vm_page;

#define PMAP_CPUS 4 /* more CPUs share what is each one's own */

/*
 * Locks: (c) constant  (a) atomic  (p) pm_mtx: whoever changes user page tables has theirs
 * (l) the list's own, PV_LOCKED in its head, taken with the pmap's lock held. Who comes from a page
 * has the list first, and only tries for the pmaps it names (pv_foreach).
 */
struct pmap {
	struct mtx pm_mtx;
	uint64_t pm_resident; /* (p) managed pages mapped in the user half, 4 KiB each */
	TAILQ_HEAD(, vm_page) pm_spares; /* (p) a table for each wired superpage (S5) */
	uint32_t pm_active; /* (a) bit i: CPU i may have translations of the user half */
	uint64_t pm_cr3 __aligned_to(64); /* (c) */
	uint64_t *pm_pml4; /* (c) through the direct map */
	/* (p) Each CPU's own, in a line of the cache: threads that fault in one map are mostly
	 * elsewhere in it, and two CPUs are not to write to the same pv entries' lines. */
	struct pmap_cpu {
		uint64_t *pmc_hint; /* the level 0 table looked for last, or NULL; */
		struct vm_page *pmc_hint_page; /* its page; */
		uint64_t pmc_hint_index; /* which maps the superpage-sized area of this number */
		LIST_HEAD(, pv_chunk) pmc_chunks; /* those with free pv entries */
	} __aligned_to(64) pm_cpus[PMAP_CPUS]; /* by number, modulo PMAP_CPUS */
};

struct md_page {
	uintptr_t pv_head; /* (l) who maps the page: the top struct pv_entry, and PV_LOCKED */
};

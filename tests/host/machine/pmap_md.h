/*
 * The host tests' machine: what a pmap and a vm_page hold for tests/host/fake_pmap.c. Same names
 * and bounds as kernel/amd64/machine/pmap_md.h.
 */
#pragma once

#include "kern/lock.h"
#include <sys/queue.h>

#define VM_MINUSER_ADDRESS 0x10000ul
#define VM_MAXUSER_ADDRESS 0x7ffffffff000ul

#define VM_MEMATTR_WRITE_BACK      0
#define VM_MEMATTR_WRITE_COMBINING 1
#define VM_MEMATTR_UNCACHED        3

#define VM_SUPERPAGE_ORDER 9 /* 2^9 pages, 2 MiB: what one entry a level up maps */

struct fake_pte;
LIST_HEAD(fake_ptes, fake_pte);

#ifndef FAKE_PMAP_BUCKETS
#define FAKE_PMAP_BUCKETS 1024 /* a power of two */
#endif

struct pmap {
	struct mtx pm_mtx; /* rank LR_PMAP */
	struct fake_ptes pm_hash[FAKE_PMAP_BUCKETS]; /* (m) by address */
	struct fake_ptes pm_all; /* (m) every entry */
	uint64_t pm_resident; /* (m) entries */
	bool pm_live; /* between pmap_pinit and pmap_release */
};

struct md_page {
	struct fake_ptes pv_list; /* who maps the page */
};

/*
 * Page-table entries: their bits, and the functions of pmap.c and pmap_kernel.c that go by them.
 */
#pragma once

#include "kern/types.h"

#define PG_V             0x001ul
#define PG_RW            0x002ul
#define PG_U             0x004ul
#define PG_A             0x020ul
#define PG_D             0x040ul
#define PG_PS            0x080ul /* large page, above the lowest level */
#define PG_G             0x100ul
#define PG_W             0x200ul /* ours: wired */
#define PG_MANAGED       0x400ul /* ours: has a pv entry */
#define PG_NX            (1ul << 63)
#define PG_FRAME         0x000ffffffffff000ul
#define PG_ATTR(memattr) ((uint64_t)(memattr) << 3) /* PCD:PWT, for indexes 0 to 3 of the PAT */

#define KVA_BASE    0xffffc00000000000ul /* kernel stacks and device memory: one top-level entry */
#define KVA_END     0xffffc07fffe00000ul
#define COPY_WINDOW 0xffffc07ffffff000ul /* where pmap_copy_page sees a device's page */

/* Map [pa, pa + len) at va of the kernel with the largest pages that fit; false when a page table
 * cannot be had. bits: entry bits besides PG_V and PG_G. */
bool pmap_kenter(uint64_t va, uint64_t pa, uint64_t len, uint64_t bits);
/* Unmap what pmap_kenter mapped by the same va and len; no TLB holds it on return. */
void pmap_kremove(uint64_t va, uint64_t len);
/* The leaf entry of va, and its level (0: 4 KiB); NULL if some level is absent. path, when not
 * NULL, takes the entries met on the way down (4, zeros for those not reached). Reads RAM only. */
uint64_t *pmap_walk(uint64_t *pml4, uint64_t va, int *level, uint64_t *path);

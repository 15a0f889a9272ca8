/*
 * Kernel memory: power-of-two slabs up to half a page, whole buddy blocks above. Memory lives in
 * the direct map, so it is physically contiguous and never faults.
 */
#pragma once

#include "kern/types.h"

#define M_ZERO 1 /* fill with zeros */

/* Largest request, bytes: the buddy allocator's largest block. */
#define KMALLOC_MAX (4ul << 20)

/* NULL when memory is short or size is 0 or over KMALLOC_MAX. Never sleeps. */
void *kmalloc(size_t size, int flags) __attribute__((malloc, alloc_size(1)));
/* Pages taken for it. */
uint64_t kmalloc_pages_used(void);
/* NULL is allowed. */
void kfree(void *p);

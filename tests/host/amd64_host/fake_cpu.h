/*
 * A CPU that translates by the page tables of kernel/amd64/pmap.c, and remembers what it found for
 * as long as the architecture lets it: until INVLPG or a write to CR3.
 */
#pragma once

#include "vm/pmap.h"

/*
 * Access va as user code does. True, and the physical address: the entry has A, and D if write.
 * False: a page fault.
 */
bool cpu_access(vm_offset_t va, vm_prot_t access, vm_paddr_t *pa);
/* Fail the test if a translation is remembered that the page tables do not give, or a way to
 * one. */
void cpu_check(void);
/* Flushes so far: single addresses, and everything. */
extern uint64_t cpu_invlpgs, cpu_cr3_writes;

/* Called when the second CPU is asked to forget something, before it answers. While there is none, nor
 * is there a second CPU. */
extern void (*cpu_asked)(void);

/* The physical memory that is left for page tables and pv entries; ~0: all there is. Returns
 * what to pass to give it back. */
uint64_t memory_leave(uint64_t pages);
void memory_restore(uint64_t hidden);

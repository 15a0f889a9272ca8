/*
 * What stands in for the machine and for kernel/kern under the host tests: physical memory, a pmap,
 * locks, cooperative threads, kmalloc, log and panic. Each checks how the VM uses it, and can be
 * told to fail. fake_kern.c, fake_pmap.c and fake_mem.c implement it.
 */
#pragma once

#include "kern/thread.h"
#include "vm/vm_fault.h"
#include "vm/vm_map.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"

/* --- fake_kern.c: failure --------------------------------------------------------------------- */

/* Fail the test: says where, what every thread does, and ends the test's process. */
void fake_fail(const char *file, int line, const char *fmt, ...) __noreturn __printf_like(3, 4);
/* The test has passed: end its process. (harness.c) */
void fake_pass(void) __noreturn;
/*
 * The test passes if a panic comes whose message has both texts in it (what may be NULL), and fails
 * otherwise: by another panic, or without one.
 */
void fake_expect_panic(const char *what, const char *also);
bool fake_panic_is_expected(void);
/* True when a klog line since the start of the test has the text in it. */
bool fake_logged(const char *text);
void fake_log_clear(void);

/* --- kmalloc: on malloc, counted -------------------------------------------------------------- */

extern uint64_t fake_kmem_live; /* blocks not freed */
extern uint64_t fake_kmem_calls;
/* Let the nth allocation from now fail (1: the next one; 0: none any more). */
void fake_kmem_fail(uint64_t nth);
/* Did the failure asked for happen? */
bool fake_kmem_failed(void);

/* --- threads: one runs until it sleeps, yields or ends ---------------------------------------- */

/* A runnable thread; the caller goes on. */
struct thread *fake_spawn(const char *name, void (*fn)(void *), void *arg);
/* Let td, runnable, run until it sleeps, yields or ends; then the caller goes on before all
 * others. */
void fake_run(struct thread *td);
/* Let the others run until td has ended. */
void fake_join(struct thread *td);
/* Let every runnable thread have its turn. */
void fake_yield(void);
bool fake_ended(const struct thread *td);
bool fake_asleep(const struct thread *td);
/* What thread_killed() tells td from now on; ends a kill-able sleep. */
void fake_kill(struct thread *td);
/* Locks td holds now. */
int fake_locks_held(const struct thread *td);
bool fake_holds(const void *lock);
/* From now on give up the CPU at lock operations, chosen by a generator seeded with seed, permille
 * times in a thousand. 0 ends it. */
void fake_preempt(uint64_t seed, int permille);
/* Sleeps so far, by all threads. */
extern uint64_t fake_sleeps;
/* Called (once) when curthread has just let go of lock. */
void fake_on_unlock(const struct rwlock *lock, void (*fn)(void *), void *arg);
/* What vm_oom() does; NULL: it finds nobody. */
extern bool (*fake_oom_hook)(void);
extern uint64_t fake_oom_calls;
/* What vm_limit answers: no limits, at first. */
extern vm_size_t fake_limits[];
/* The limit that lim_file_size goes by. */
extern uint64_t fake_file_limit;
/* Calls of vm_fault_count. */
extern uint64_t fake_majflt, fake_minflt;
/* Basic blocks of kernel/vm executed so far: a measure of work that does not depend on the host. */
extern uint64_t fake_steps;
/* A test that does this many hangs, wherever it runs. */
extern uint64_t fake_steps_max;

/* Deterministic pseudo-random numbers. */
struct rng {
	uint64_t s;
};
uint64_t rng_next(struct rng *r);
/* 0 .. n - 1 */
uint64_t rng_below(struct rng *r, uint64_t n);

/* --- fake_mem.c: physical memory -------------------------------------------------------------- */

#define FAKE_RAM_BASE  0x1003000ul /* not aligned to a large block, on purpose */
#define FAKE_VRAM_BASE 0xfd000000ul
#ifndef FAKE_VRAM_SIZE
#define FAKE_VRAM_SIZE (16ul << 20)
#endif

extern uint8_t fake_vram[];
extern struct vm_page *fake_ram_pages;
/* The machine: frames of RAM given to the allocator (filled with garbage), the boot thread. */
void fake_boot(size_t frames);
/* Where the host has a physical address, RAM or VRAM. */
void *fake_phys(vm_paddr_t pa);
/* Take RAM until `left` normal allocations would succeed; give back n of the pages taken (all:
 * ~0). */
void fake_eat_memory(size_t left);
void fake_give_memory(size_t n);

/* --- fake_pmap.c ------------------------------------------------------------------------------ */

struct fake_pmap_counts {
	uint64_t enter_calls, entered; /* pages whose entry was stored */
	uint64_t left_alone; /* pages found mapped well already (P18) */
	uint64_t replaced; /* another frame was there: a shootdown */
	uint64_t mappings; /* entries that exist now, all pmaps */
	uint64_t wired; /* of those, wired */
};
extern struct fake_pmap_counts fake_pmap;
/* Let the nth page entered from now find no memory for its page table (0: none any more). */
void fake_pmap_fail(uint64_t nth);
/* Called before each pmap_enter; for what another CPU might do just then. */
extern void (*fake_pmap_enter_hook)(pmap_t pmap, vm_offset_t va, vm_page_t m);
/* The entry of va: is there one, its frame's page, rights, wired. Any pointer may be NULL. */
bool fake_pte(pmap_t pmap, vm_offset_t va, vm_page_t *m, vm_prot_t *prot, bool *wired);
/* How many pages of [start, end) are mapped. */
uint64_t fake_mapped(pmap_t pmap, vm_offset_t start, vm_offset_t end);
/* Check that each entry maps a page that stands in an object, and the pv lists. */
void fake_pmap_verify(void);
/*
 * What a CPU does: access the byte at va, faulting until it is mapped. KERN_SUCCESS and where the
 * host has the byte, or what vm_fault said.
 */
int fake_touch(vm_map_t map, vm_offset_t va, vm_prot_t access, uint8_t **where);

/* --- an address space, and shorthands that fail the test -------------------------------------- */

struct space {
	struct vm_map map;
	struct pmap pmap;
};
struct space *space_create(void);
void space_destroy(struct space *s);
uint64_t space_read(struct space *s, vm_offset_t va);
void space_write(struct space *s, vm_offset_t va, uint64_t value);
/* Map object (the reference goes to the map) with these rights. */
void space_map(struct space *s, vm_offset_t va, vm_size_t length, vm_object_t object,
	       vm_ooffset_t offset, vm_prot_t prot, vm_prot_t max_prot, uint32_t eflags);
void space_unmap(struct space *s, vm_offset_t va, vm_size_t length);

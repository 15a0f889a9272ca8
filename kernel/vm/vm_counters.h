/*
 * What the VM counts: for /proc/quire/stats and /proc/meminfo, and for tests, which compare before
 * and after. Most counts change with every fault, so each CPU has its own copy of them all, and the
 * count is the sum: VM_CNT(field) reads it. machine/counter_md.h says how to add to this CPU's.
 *
 * Locks: (c) constant  (q) free pages' lock  (s) per CPU, by VM_CNT_ADD and the like  (a) atomic
 */
#pragma once

#include "kern/types.h"

struct vm_counters {
	uint64_t v_page_count; /* (c) RAM frames the allocator was given */
	uint64_t v_free_count; /* (q) in free blocks; CPUs have more at hand (VM_FREE_COUNT) */
	uint64_t v_free_reserved; /* (c) */
	uint64_t v_free_target; /* (c) below it the page-out scan begins */
	uint64_t v_wire_count; /* (s) RAM frames that are wired */
	uint64_t v_file_count; /* (s) RAM pages that stand in files */
	uint64_t v_busied; /* (s) pages xbusied or sbusied now */
	uint64_t v_objects; /* (s) */
	uint64_t v_map_entries; /* (s) */
	uint64_t v_pv_entries; /* (s) */
	uint64_t v_pt_pages; /* (s) page-table pages of user pmaps */
	uint64_t v_fictitious; /* (q) registered device frames */
	uint64_t v_committed; /* (a) pages promised to programs (vm_commit.c) */
	/* Counts that only grow. */
	uint64_t v_faults; /* (s) vm_fault calls */
	uint64_t v_soft_faults; /* (s) found the page resident */
	uint64_t v_zfod; /* (s) zero-filled on demand */
	uint64_t v_cow_faults; /* (s) copied */
	uint64_t v_pager_faults; /* (s) getpages calls */
	uint64_t v_populate_calls; /* (s) */
	uint64_t v_populate_pages; /* (s) entered by populate */
	uint64_t v_populate_clipped; /* (s) returned outside the clip (P24) */
	uint64_t v_populate_restarts; /* (s) map changed or pages revoked meanwhile (P12, R3) */
	uint64_t v_fault_restarts; /* (s) all restarts (P19) */
	uint64_t v_fault_restarts_max; /* (a) the most of one fault */
	uint64_t v_fault_pauses; /* (s) made by faults that restarted too often */
	uint64_t v_pte_writes; /* (s) entries stored, 4 KiB and 2 MiB */
	uint64_t v_superpages; /* (s) entered as one entry */
	uint64_t v_demotions; /* (s) of these, broken up for a change of a part */
};
extern struct vm_counters vm_cnt;

/* The sum of all CPUs' copies, and vm_cnt's, of the field of vm_cnt that is given. */
uint64_t vm_cnt_sum(const uint64_t *field);

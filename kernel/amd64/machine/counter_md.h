/*
 * Adding to a count of vm/vm_counters.h: one instruction, on this CPU's copy, that an interrupt cannot
 * cut and no other CPU sees.
 */
#pragma once

#include "machine/thread_md.h"

#define VM_CNT_ADD(field, n)                                                             \
	__asm__ volatile("addq %0, %%gs:%c1"                                             \
			 :                                                               \
			 : "er"((uint64_t)(n)), "i"(offsetof(struct pcpu, pc_cnt.field)) \
			 : "cc")
/* This CPU's copy alone; interrupts are off, so that it stays this CPU. */
#define VM_CNT_OWN(field) (pcpu_self()->pc_cnt.field)

/* machdep.h and amd64.h have more of these. */
extern uint32_t cpus_running;
extern struct pcpu pcpus[MAXCPU];

static inline uint64_t
vm_cnt_sum_inline(const uint64_t *field)
{
	size_t offset = (size_t)((const char *)field - (const char *)&vm_cnt);
	uint64_t sum = *field;

	for (uint32_t i = 0; i < cpus_running; i++)
		sum += *(const uint64_t *)((const char *)&pcpus[i].pc_cnt + offset);
	return (sum);
}
#define VM_CNT(field)     vm_cnt_sum_inline(&vm_cnt.field)
#define VM_CNT_INC(field) VM_CNT_ADD(field, 1)
#define VM_CNT_DEC(field) VM_CNT_ADD(field, -1)

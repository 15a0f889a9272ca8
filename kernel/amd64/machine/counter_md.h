/*
 * Adding to a count of vm/vm_counters.h: one instruction, on this CPU's copy, that an interrupt cannot
 * cut and no other CPU sees.
 */
#pragma once

#include "machine/thread_md.h"

#define VM_CNT_ADD(field, n)                                     \
	__asm__ volatile("addq %0, %%gs:%c1"                     \
			 :                                       \
			 : "er"((uint64_t)(n)),                  \
			   "i"(offsetof(struct pcpu, pc_cnt.field)) \
			 : "cc")
#define VM_CNT_INC(field) VM_CNT_ADD(field, 1)
#define VM_CNT_DEC(field) VM_CNT_ADD(field, -1)

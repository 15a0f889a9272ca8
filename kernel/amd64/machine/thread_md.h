/*
 * amd64's part of a thread, the per-CPU area, and the trap frame.
 */
#pragma once

#include "kern/types.h"
#include "vm/vm_counters.h"

/* What trap.S and syscall.S push: the order is the one in memory. */
struct trapframe {
	uint64_t tf_r15, tf_r14, tf_r13, tf_r12, tf_rbp, tf_rbx;
	uint64_t tf_r11, tf_r10, tf_r9, tf_r8, tf_rax, tf_rcx, tf_rdx, tf_rsi, tf_rdi;
	uint64_t tf_trapno;
	uint64_t tf_err; /* syscall entry keeps the system call number here (orig_rax) */
	uint64_t tf_rip, tf_cs, tf_rflags, tf_rsp, tf_ss;
};

struct thread_md {
	uint64_t md_rsp; /* kernel stack pointer while switched out */
	uint64_t md_fsbase; /* user's FS base */
	uint64_t md_gsbase; /* user's GS base */
	uint64_t md_trapno, md_err, md_cr2; /* of its last fault, for a signal's frame */
	void *md_fpu; /* XSAVE area of a user thread, 64-byte aligned */
	void *md_fpu_memory; /* what kmalloc gave for it */
};

struct thread;

#define MAXCPU 16 /* more are left alone */

struct tlb_request;

/* One for each CPU, at the GS base while in the kernel. Offsets are known to assembly.
 * Locks: (c) constant  (k) only that CPU, interrupts off  (a) atomic */
struct pcpu {
	struct thread *pc_curthread; /* (k) 0 */
	uint64_t pc_kstack_top; /* (k) 8: rsp for syscall entry */
	uint64_t pc_scratch; /* (k) 16: user rsp during syscall entry */
	struct pcpu *pc_self; /* (c) 24 */
	uint32_t pc_cpuid; /* (c) 32: index in pcpus[] */
	uint32_t pc_apic_id; /* (c) */
	struct pmap *pc_curpmap; /* (k) what CR3 holds */
	uint32_t pc_tlb; /* (a) TLB_*: does it need pc_curpmap's user half now? (shootdown.c) */
	uint32_t pc_asked; /* (a) bit i: CPU i waits for it to do as pcpus[i].pc_request says */
	struct tlb_request *pc_request; /* (c) */
	uint64_t pc_asked_at; /* (k) TSC when it was last asked for its times */
	uint64_t pc_user; /* (k) TSC ticks in user mode since; there, less the TSC as it went */
	struct vm_counters pc_cnt; /* (k) by one instruction, which needs no interrupts off */
};

static inline struct thread *
thread_current(void)
{
	struct thread *td;

	__asm__("movq %%gs:0, %0" : "=r"(td));
	return (td);
}
#define curthread thread_current()

/* The CPU that this runs on: until the next switch, so interrupts are off, or it does not matter. */
static inline struct pcpu *
pcpu_self(void)
{
	struct pcpu *pc;

	__asm__ volatile("movq %%gs:24, %0" : "=r"(pc));
	return (pc);
}
static inline unsigned
cpu_id(void)
{
	unsigned id;

	__asm__ volatile("movl %%gs:32, %0" : "=r"(id));
	return (id);
}

static inline void
thread_set_current(struct thread *td)
{
	__asm__ volatile("movq %0, %%gs:0" : : "r"(td) : "memory");
}

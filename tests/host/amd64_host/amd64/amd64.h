/*
 * kernel/amd64/amd64.h for the host: what pmap.c, pmap_pv.c and shootdown.c use of it. The
 * instructions go to the CPU of fake_cpu.c, which remembers translations as a real one may.
 */
#pragma once

#include "kern/types.h"
#include "amd64/pte.h"
#include "kern/machdep.h"
#include "machine/pmap_md.h"
#include "machine/thread_md.h"

struct cpu_features {
	bool avx;
};
extern struct cpu_features cpu_features;

struct pcpu {
	uint32_t pc_cpuid, pc_apic_id, pc_tlb, pc_asked;
	struct pmap *pc_curpmap;
};
extern struct pcpu pcpus[MAXCPU];
extern unsigned pcpu_now;
extern uint32_t cpus_online;
static inline struct pcpu *
pcpu_self(void)
{
	return (&pcpus[pcpu_now]);
}
#define VEC_TLB 0xf2
void apic_ipi(uint32_t apic, uint32_t how);

enum { TLB_ACTIVE, TLB_LAZY, TLB_STALE };
void tlb_shootdown(struct pmap *pmap, uint64_t lo, uint64_t hi, bool tables);
void tlb_forget(struct pmap *pmap);
void tlb_poll(void);
void tlb_switch(struct pmap *pmap);

#define CR4_PGE        (1ul << 7)
#define READ_CR(n)     0ul
#define WRITE_CR(n, v) fake_write_cr##n(v)
void fake_write_cr3(uint64_t v);
void fake_write_cr4(uint64_t v);
void invlpg(uint64_t va);
#define cpu_intr_disable() 0ul
#define cpu_intr_enable()  ((void)0)
static inline void
cpu_pause(unsigned looks __unused)
{
}
static inline bool
cpu_waits_long(unsigned looks __unused)
{
	return (false);
}
void zero_page_avx(void *page);
void copy_page_avx(const void *from, void *to);
bool is_ram(uint64_t pa, uint64_t len);

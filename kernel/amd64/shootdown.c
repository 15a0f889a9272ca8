/*
 * TLB shootdown: making other CPUs forget translations. Owns the requests between CPUs.
 *
 * A CPU that has changed page tables says what in its own request, sets its bit in pc_asked of each
 * CPU that may know the old state, interrupts these, and waits until all have answered. It does so
 * with interrupts off and a pmap's lock held, and another CPU may be waiting for that very lock or
 * for an answer itself, with interrupts off too: so whoever spins calls tlb_poll, which takes no
 * lock, and nobody waits in a circle.
 *
 * Whom to ask is in pm_active. A CPU that went on to a kernel thread still has the old CR3, but will
 * not look at user addresses before it switches to a thread with some: it is only marked
 * (TLB_STALE), and flushes then. Unless tables are to be freed, that is, which a CPU may walk at any
 * time, for all we know: it is asked then, and lets go of the pmap for good.
 */
#include "amd64/amd64.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/thread.h"
#include "kern/trace.h"
#include "kern/sysctl.h"
#include "vm/pmap.h"

#define FLUSH_ALL_PAGES 32 /* beyond this many, reloading CR3 is cheaper than INVLPG for each */

/* What one CPU asks of others. Locks: (r) only that CPU changes it, while nobody has it to do
 * (a) atomic */
struct tlb_request {
	pmap_t pmap; /* (r) */
	vm_offset_t lo, hi; /* (r) */
	bool tables; /* (r) */
	uint32_t left; /* (a) CPUs that have not answered */
} __aligned_to(64);

static struct tlb_request requests[MAXCPU];
static uint64_t shootdowns, asked, spared,
    reminders; /* (a) requests; interrupts for them; CPUs marked instead; remind */
STAT(tlb_shootdowns, shootdowns);
STAT(tlb_interrupts, asked);
STAT(tlb_lazy, spared);
STAT(tlb_reminders, reminders);

/* Forget [lo, hi) of pmap on this CPU, which has it. */
static inline void
flush_here(pmap_t pmap, vm_offset_t lo, vm_offset_t hi)
{
	if (hi - lo <= ptoa(FLUSH_ALL_PAGES)) {
		for (; lo < hi; lo += PAGE_SIZE)
			invlpg(lo);
	} else if (pmap != kernel_pmap) {
		WRITE_CR(3, pmap->pm_cr3);
	} else { /* a change of CR4.PGE forgets global ones, too (SDM 3A, 4.10.4.1) */
		WRITE_CR(4, READ_CR(4) & ~CR4_PGE);
		WRITE_CR(4, READ_CR(4) | CR4_PGE);
	}
}

static void
answer(struct tlb_request *r)
{
	/* LAB(10): forget what r says if r->pmap is the kernel's or this CPU's (pc_curpmap), then
	 * say so: r->left. Of a pmap that is only lazily here (pc_tlb is not TLB_ACTIVE) let go
	 * for good when its tables are to be freed. */
	struct pcpu *pc = pcpu_self();
	bool lazy = __atomic_load_n(&pc->pc_tlb, __ATOMIC_RELAXED) != TLB_ACTIVE;

	if (r->pmap == kernel_pmap || (r->pmap == pc->pc_curpmap && !(r->tables && lazy)))
		flush_here(r->pmap, r->lo, r->hi);
	else if (r->pmap == pc->pc_curpmap) /* it has it because nothing else was there */
		pmap_activate(kernel_pmap);
	__atomic_fetch_sub(&r->left, 1, __ATOMIC_RELEASE);
	/* LAB(10) starter:
	 *	(void)r;
	 */
	/* LAB(10) end */
}

/* Who looks at a lock with interrupts on may be preempted, or go on elsewhere: not with a request in
 * hand, for it may not run again before who asks has his answer, and that is about this CPU. */
void
tlb_poll(void)
{
	struct pcpu *pc = pcpu_self();
	uint64_t intr;
	uint32_t who;

	if (__atomic_load_n(&pc->pc_asked, __ATOMIC_RELAXED) == 0)
		return;
	intr = cpu_intr_disable();
	who = __atomic_exchange_n(&pcpu_self()->pc_asked, 0, __ATOMIC_ACQUIRE);
	for (; who != 0; who &= who - 1)
		answer(&requests[__builtin_ctz(who)]);
	if (intr != 0)
		cpu_intr_enable();
}

/* True: it knows nothing that it will use before it looks again. */
static inline bool
mark_stale(struct pcpu *pc)
{
	uint32_t lazy = TLB_LAZY;

	return (__atomic_compare_exchange_n(&pc->pc_tlb, &lazy, TLB_STALE, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED) ||
		lazy == TLB_STALE);
}

/* The CPUs that have not seen yet what this one asks are interrupted once more. Under QEMU 7.2 it has
 * happened that such an interrupt was lost, of some 85,000, and all waited for ever; it is not known
 * why. */
static void __slow_path __unused /* a lab takes out its only use */
remind(void)
{
	struct pcpu *pc;

	for (uint32_t mask = cpus_online; mask != 0; mask &= mask - 1) {
		pc = &pcpus[__builtin_ctz(mask)];
		if ((__atomic_load_n(&pc->pc_asked, __ATOMIC_RELAXED) >> cpu_id() & 1) == 0)
			continue;
		__atomic_fetch_add(&reminders, 1, __ATOMIC_RELAXED);
		apic_ipi(pc->pc_apic_id, VEC_TLB);
	}
}

/* Have the CPUs of mask do as this CPU's request says, and wait for them. */
static void __slow_path
ask(uint32_t mask, pmap_t pmap, vm_offset_t lo, vm_offset_t hi, bool tables)
{
	struct tlb_request *r = &requests[cpu_id()];

	r->pmap = pmap;
	r->lo = lo;
	r->hi = hi;
	r->tables = tables;
	/* LAB(10): have each CPU of mask answer r (pc_asked, and an interrupt), and come back when
	 * all have. One that mark_stale marks is not asked, unless the pmap is the kernel's or
	 * tables are to be freed. What is asked of you while you wait? Until you come back,
	 * pages that others may still reach are not freed. */
	__atomic_store_n(&r->left, (uint32_t)__builtin_popcount(mask), __ATOMIC_RELEASE);
	__atomic_fetch_add(&shootdowns, 1, __ATOMIC_RELAXED);
	for (; mask != 0; mask &= mask - 1) {
		struct pcpu *pc = &pcpus[__builtin_ctz(mask)];

		if (pmap != kernel_pmap && !tables && mark_stale(pc)) {
			__atomic_fetch_add(&spared, 1, __ATOMIC_RELAXED);
			__atomic_fetch_sub(&r->left, 1, __ATOMIC_RELAXED);
			continue;
		}
		__atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
		if (__atomic_fetch_or(&pc->pc_asked, 1u << cpu_id(), __ATOMIC_RELEASE) == 0)
			apic_ipi(pc->pc_apic_id, VEC_TLB);
	}
	for (unsigned looks = 1; __atomic_load_n(&r->left, __ATOMIC_ACQUIRE) != 0 && !panicking;
	     looks++) {
		cpu_pause(looks);
		tlb_poll();
		if (cpu_waits_long(looks))
			remind();
	}
	/* LAB(10) starter:
	 *	(void)mask;
	 */
	/* LAB(10) end */
}

/* The CPUs that have pmap. The fence: one that sets its bit after we have looked sees the new page
 * tables. */
static inline uint32_t
users(pmap_t pmap)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (__atomic_load_n(pmap == kernel_pmap ? &cpus_online : &pmap->pm_active,
				__ATOMIC_RELAXED));
}

void
tlb_shootdown(pmap_t pmap, vm_offset_t lo, vm_offset_t hi, bool tables)
{
	uint32_t mask = users(pmap), self = 1u << cpu_id();

	TRACE(TR_SHOOTDOWN, lo, hi);
	if ((mask & self) != 0)
		flush_here(pmap, lo, hi);
	if (__predict_false((mask & ~self) != 0))
		ask(mask & ~self, pmap, lo, hi, tables);
}

/* IRET serialises, too. */
void
cpu_barrier(void)
{
	spinlock_enter();
	tlb_shootdown(kernel_pmap, 0, 0, false);
	spinlock_exit();
}

/* --- which page tables a CPU has -------------------------------------------------------------- */

void
pmap_activate(pmap_t pmap)
{
	struct pcpu *pc = pcpu_self();
	pmap_t old = pc->pc_curpmap;
	uint32_t bit = 1u << pc->pc_cpuid;

	if (old == pmap)
		return;
	__atomic_fetch_or(&pmap->pm_active, bit, __ATOMIC_SEQ_CST);
	pc->pc_curpmap = pmap;
	WRITE_CR(3, pmap->pm_cr3);
	if (old != NULL)
		__atomic_fetch_and(&old->pm_active, ~bit, __ATOMIC_RELEASE);
}

void
tlb_switch(pmap_t pmap)
{
	struct pcpu *pc = pcpu_self();
	uint32_t was;

	if (pmap == NULL) {
		if (pc->pc_tlb == TLB_ACTIVE)
			__atomic_store_n(&pc->pc_tlb, TLB_LAZY, __ATOMIC_RELEASE);
		return;
	}
	was = pc->pc_tlb == TLB_ACTIVE
		  ? TLB_ACTIVE
		  : __atomic_exchange_n(&pc->pc_tlb, TLB_ACTIVE, __ATOMIC_SEQ_CST);
	if (pc->pc_curpmap != pmap)
		pmap_activate(pmap);
	else if (was == TLB_STALE)
		WRITE_CR(3, pmap->pm_cr3);
}

void
tlb_forget(pmap_t pmap)
{
	uint32_t mask;

	spinlock_enter();
	if (pcpu_self()->pc_curpmap == pmap)
		pmap_activate(kernel_pmap);
	mask = users(pmap) & ~(1u << cpu_id());
	if (mask != 0)
		ask(mask, pmap, 0, VM_MAXUSER_ADDRESS, true);
	spinlock_exit();
	KASSERT(pmap->pm_active == 0, ("a pmap ends that CPUs %#x use", pmap->pm_active));
}

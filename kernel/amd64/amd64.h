/*
 * What the files of kernel/amd64 share, and the machine's start-up steps for kernel/main.c, which
 * calls them in the order given here. Interrupts are off until kernel/main.c turns them on.
 */
#pragma once

#include "kern/types.h"
#include "amd64/asm.h"
#include "amd64/pte.h"
#include "machine/clock_md.h"
#include "machine/pmap_md.h"
#include "machine/thread_md.h"

/* --- start-up ------------------------------------------------------------------------------- */

/* First of all: per-CPU area with thread0 as curthread, descriptor tables, CPU features. The
 * kernel's text is patched here, so the boot page tables must still be in use. */
void cpu_init(void);
/* The final kernel page tables, made from bootinfo's memory map, and the direct map. */
void pmap_bootstrap(void);
/* Hands the RAM to vm_phys: all but the first MiB, the kernel, the vm_pages and the initrd, whose
 * pages (rounded outwards) the caller frees with vm_phys_free_range once it is unpacked. */
void amd64_mem_init(void);
/* Needs vm_phys. Local APIC, IOAPIC (by ACPI if there is any), legacy PIC silenced. */
void apic_init(void);
/* Needs apic_init. Calibrates the clocks; cpu_now() is 0 before. Takes about a millisecond. */
void timer_init(void);

/* --- cpu.c ---------------------------------------------------------------------------------- */

struct cpu_features {
	bool smap, fsgsbase, xsave, avx, x2apic, page1gb, rdrand;
};
extern struct cpu_features cpu_features;
extern struct pcpu pcpus[MAXCPU];

/* Interrupts and traps enter on this stack from now on. */
void cpu_set_kstack(uint64_t top);
/* The calling CPU becomes pc: tables, per-CPU area and features; td is what runs on it. ist: the
 * ends of its stacks for exceptions that trust no other. */
void cpu_setup(struct pcpu *pc, struct thread *td, const uint64_t ist[3]);

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid
cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return (r);
}
static inline uint64_t
rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return ((uint64_t)hi << 32 | lo);
}
static inline void
wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
			 : "memory");
}
/* This CPU comes from user mode, or is about to go there; interrupts are off. */
static inline void
cpu_user_ends(void)
{
	__asm__ volatile("addq %0, %%gs:%c1"
			 :
			 : "r"(rdtsc()), "i"(offsetof(struct pcpu, pc_user))
			 : "cc");
}
static inline void
cpu_user_begins(void)
{
	__asm__ volatile("subq %0, %%gs:%c1"
			 :
			 : "r"(rdtsc()), "i"(offsetof(struct pcpu, pc_user))
			 : "cc");
}
#define READ_CR(n)                                                   \
	({                                                           \
		uint64_t cr_;                                        \
		__asm__ volatile("movq %%cr" #n ", %0" : "=r"(cr_)); \
		cr_;                                                 \
	})
#define WRITE_CR(n, v)    __asm__ volatile("movq %0, %%cr" #n : : "r"((uint64_t)(v)) : "memory")
#define CR4_PGE           (1ul << 7)
#define MSR_FSBASE        0xc0000100
#define MSR_KERNEL_GSBASE 0xc0000102

static inline void
invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* Between two looks at what another CPU is to do; at every so many, as at 0, a pause. There QEMU's TCG
 * leaves translated code and takes the lock that a CPU needs, too, to see an interrupt: where one
 * pauses at each look, the other may be kept from answering for milliseconds. */
#define LOOKS_A_PAUSE 4096
static inline void
cpu_pause(unsigned looks)
{
	if (looks % LOOKS_A_PAUSE == 0)
		__builtin_ia32_pause();
}

/* Once in some 50 ms of looks. */
#define LOOKS_A_LONG_WAIT (1u << 20)
static inline bool
cpu_waits_long(unsigned looks)
{
	return (looks % LOOKS_A_LONG_WAIT == 0);
}

/* --- trap.S, copy.S --------------------------------------------------------------------------- */

extern char trap_stubs[], syscall_entry[], thread_trampoline[];
extern char user_access_start[], user_access_end[], user_access_fault[];
void switch_stack(uint64_t *save_rsp, uint64_t load_rsp);
void user_return_to(struct trapframe *tf) __noreturn;
void zero_page_avx(void *page);
void copy_page_avx(const void *from, void *to);
int user_copy(void *dst, const void *src, size_t len);
int user_zero(void *dst, size_t len);
int user_cas(uint32_t *p, uint32_t *old, uint32_t new);
int user_copystr(char *dst, const char *src, size_t size, size_t *len);

/* --- trap.c ----------------------------------------------------------------------------------- */

/* Every exception and interrupt, and every system call, come here with the frame just saved. */
void trap(struct trapframe *tf);
/* A double fault, machine check or NMI, on a stack of its own. */
void trap_ist(struct trapframe *tf);
void syscall_trap(struct trapframe *tf);
/* Before going to user mode: dies if killed, yields if the slice is over; returns with
 * interrupts off. */
void user_return(void);
/* The frame of the exception that the kernel panics for: what cpu_report(NULL) reports. */
extern const struct trapframe *panic_frame;

/* --- thread.c --------------------------------------------------------------------------------- */

/* Turns the FPU on, on this CPU; the first one sizes the save area and records the initial state. */
void fpu_init(void);
/* Bytes of FPU state, and its components (XCR0; 3 where there is no XSAVE). */
extern size_t fpu_size;
extern uint64_t fpu_features;
#define FXSAVE_SIZE 512
#define XSAVE_MAX   1024 /* x87, SSE and AVX need 832 bytes */
#define FPU_MAGIC   4 /* bytes right after it, of a word that says so in a signal's frame */
/* Bring curthread's md_fpu up to date; load another state, which is sane; or the initial one. */
void fpu_save_user(void);
void fpu_load_user(const void *area);
void fpu_reset_user(void);

/* --- sigframe.c ------------------------------------------------------------------------------- */

/* Note in the initial FPU state, which all others begin as, what a signal's frame is to say of it. */
void sigframe_init(void *fpu_initial);

/* --- apic.c, timer.c --------------------------------------------------------------------- */

void apic_eoi(void);
/* This CPU's local APIC, once the first CPU has done apic_init. */
void lapic_init(void);
uint32_t apic_id(void);
/* Interrupt the CPU of that APIC number; how: a vector, or one of the APIC_IPI_*. */
#define APIC_IPI_NMI  0x400
#define APIC_IPI_INIT 0x4500
#define APIC_IPI_SIPI 0x4600 /* + the number of the page to begin at */
void apic_ipi(uint32_t apic, uint32_t how);
/* An interrupt that nobody is there for: it is over, and keeps none back. */
void apic_unexpected(uint64_t vector);
/* Set the one-shot counter; 0 stops it. Its interrupt is VEC_TIMER. */
void apic_timer_set(uint32_t ticks);
uint32_t apic_timer_count(void);
/* The interrupt of an IRQ line: calls what cpu_irq_register was given. */
void apic_irq(int irq);
void timer_interrupt(void);

/* --- shootdown.c ------------------------------------------------------------------------------ */

/* pc_tlb: the CPU runs a thread of pc_curpmap's; a kernel thread, so that translations may go stale
 * until it comes back; and they have. */
enum { TLB_ACTIVE, TLB_LAZY, TLB_STALE };
/*
 * No CPU remembers a translation of [lo, hi) by pmap on return, nor, if tables are about to be
 * freed, the way to one. The page tables have changed; interrupts are off (every lock that is waited
 * for like that lets tlb_poll run, so this cannot deadlock).
 */
void tlb_shootdown(struct pmap *pmap, uint64_t lo, uint64_t hi, bool tables);
/* No CPU has pmap, which is about to be no more, in its CR3. */
void tlb_forget(struct pmap *pmap);
/* Do what other CPUs ask of this one. */
void tlb_poll(void);
/* This CPU switches to a thread of pmap, or (NULL) to one of the kernel's. */
void tlb_switch(struct pmap *pmap);

/* --- mp.c, mp_boot.S -------------------------------------------------------------------------- */

/* Start the other CPUs; one that does not answer is left out, with a line. */
void mp_start(void);
extern uint8_t mp_boot_start[], mp_boot_end[], mp_boot_args[];
/* The first C code of another CPU, on the stack of its idle thread. */
void mp_main(struct pcpu *pc) __noreturn;

/* --- linker.ld, boot/entry.S ------------------------------------------------------------------ */

#define KERNBASE 0xffffffff80000000ul
extern char image_start[]; /* physical */
extern char text_start[], text_end[], rodata_end[], data_end[], image_end[];
extern uint8_t boot_stack_guard[], boot_stack[], boot_stack_top[];
extern uint8_t ist_stacks[3][IST_SIZE];

/* --- kmem.c ----------------------------------------------------------------------------------- */

/* Early memory: pages that amd64_mem_init will not give away, not zeroed; physical address. Ends
 * the machine with a line when there is none. */
uint64_t early_alloc(uint64_t bytes);
/* n pages with an unmapped guard page below; req: VM_ALLOC_*. NULL: no memory. */
void *kva_pages_alloc(uint64_t n, int req);
/* Some part of [pa, pa + len) is RAM of the loader's map. */
bool is_ram(uint64_t pa, uint64_t len);

/*
 * A CPU itself: descriptor tables, the stacks of the exceptions that cannot trust the current one,
 * and the features we turn on. Owns the per-CPU areas.
 */
#include "amd64/amd64.h"
#include "kern/machdep.h"
#include "kern/string.h"
#include "kern/thread.h"

#define MSR_EFER   0xc0000080
#define MSR_STAR   0xc0000081
#define MSR_LSTAR  0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_PAT    0x277
#define PAT_VALUE  0x0007040600070106ul /* WB WC UC- UC, and the power-on values above */

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap_base;
} __packed;

struct idt_gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};

struct table_register {
	uint16_t limit;
	const void *base;
} __packed;

enum { IST_NONE, IST_DF, IST_NMI, IST_MCE, IST_COUNT };

#define GDT_SIZE (SEL_TSS / 8 + 2)

/* The first CPU's; pmap_bootstrap unmaps their guard pages. */
uint8_t ist_stacks[IST_COUNT - 1][IST_SIZE] __aligned_to(IST_SIZE);
struct pcpu pcpus[MAXCPU];
struct cpu_features cpu_features; /* (c) of all CPUs: those of the first */
static uint64_t features_cr4; /* (c) */
static struct tss tsss[MAXCPU];
static uint64_t gdts[MAXCPU][GDT_SIZE];
static struct idt_gate idt[256];
static const uint64_t gdt_proto[GDT_SIZE] = {
    0,
    0x00af9b000000ffff, /* SEL_KCODE */
    0x00cf93000000ffff, /* SEL_KDATA */
    0,
    0, /* no 32-bit programs */
    0x00cff3000000ffff, /* SEL_UDATA */
    0x00affb000000ffff, /* SEL_UCODE */
    0, /* SEL_TSS, two words */
    0,
};
_Static_assert(offsetof(struct trapframe, tf_rcx) == TF_RCX, "asm.h");
_Static_assert(offsetof(struct trapframe, tf_rbp) == TF_RBP, "asm.h");
_Static_assert(offsetof(struct trapframe, tf_r11) == TF_R11, "asm.h");
_Static_assert(offsetof(struct trapframe, tf_trapno) == TF_TRAPNO, "asm.h");
_Static_assert(offsetof(struct trapframe, tf_rsp) == TF_RSP, "asm.h");
_Static_assert(sizeof(struct trapframe) == TF_SIZE, "asm.h");
_Static_assert(offsetof(struct pcpu, pc_kstack_top) == 8, "trap.S");
_Static_assert(offsetof(struct pcpu, pc_scratch) == 16, "trap.S");
_Static_assert(offsetof(struct pcpu, pc_self) == 24 && offsetof(struct pcpu, pc_cpuid) == 32,
	       "machine/thread_md.h");

void
cpu_set_kstack(uint64_t top)
{
	struct pcpu *pc = pcpu_self();

	pc->pc_kstack_top = top;
	tsss[pc->pc_cpuid].rsp[0] = top;
}

static void
gdt_init(struct pcpu *pc, const uint64_t *ist)
{
	struct tss *tss = &tsss[pc->pc_cpuid];
	uint64_t *gdt = gdts[pc->pc_cpuid], base = (uint64_t)tss;
	struct table_register gdtr = {sizeof(gdt_proto) - 1, gdt};

	memcpy(gdt, gdt_proto, sizeof(gdt_proto));
	gdt[SEL_TSS / 8] =
	    (sizeof(*tss) - 1) | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	gdt[SEL_TSS / 8 + 1] = base >> 32;
	tss->iomap_base = sizeof(*tss); /* past the limit: user mode reaches no port */
	for (int i = IST_DF; i < IST_COUNT; i++) {
		/* trap_paranoid finds the per-CPU area here. */
		struct pcpu **top = (struct pcpu **)(ist[i - 1] - 16);

		*top = pc;
		tss->ist[i - 1] = (uint64_t)top;
	}
	__asm__ volatile("lgdt %0; pushq %1; leaq 1f(%%rip), %%rax; pushq %%rax; lretq;"
			 "1: movl %2, %%eax; movl %%eax, %%ss; ltr %w3"
			 :
			 : "m"(gdtr), "i"(SEL_KCODE), "i"(SEL_KDATA), "r"(SEL_TSS)
			 : "rax", "memory");
}

static void
idt_init(void)
{
	uint64_t stub;

	for (int i = 0; i < 256; i++) {
		stub = (uint64_t)trap_stubs + i * 16;
		/* Interrupt gates: interrupts are off on entry. INT3 and INTO are the program's. */
		idt[i] = (struct idt_gate){.offset_low = stub,
					   .selector = SEL_KCODE,
					   .type = i == 3 || i == 4 ? 0xee : 0x8e,
					   .offset_mid = stub >> 16,
					   .offset_high = stub >> 32};
	}
	idt[8].ist = IST_DF;
	idt[2].ist = IST_NMI;
	idt[18].ist = IST_MCE;
}

/* Write the instruction 0f 01 op at each place that SMAP_PATCH left. */
static void
smap_patch(uint8_t *const *place, uint8_t *const *end, uint8_t op)
{
	for (; place < end; place++)
		memcpy(*place, (uint8_t[]){0x0f, 0x01, op}, 3);
}

#define HWCAP2_FSGSBASE 2 /* RDFSBASE and its kin may be used */

uint64_t
cpu_hwcap2(void)
{
	return (cpu_features.fsgsbase ? HWCAP2_FSGSBASE : 0);
}

/* What the first CPU has; the others are taken to be like it. */
static void
features_find(void)
{
	SET_DECLARE(stac, uint8_t);
	SET_DECLARE(clac, uint8_t);
	struct cpuid one = cpuid(1, 0), seven = {0}, ext = cpuid(0x80000001, 0);
	uint64_t cr4 = 1 << 5 | 1 << 7 | 1 << 9 | 1 << 10; /* PAE PGE OSFXSR OSXMMEXCPT */

	if (cpuid(0, 0).eax >= 7)
		seven = cpuid(7, 0);
	cpu_features = (struct cpu_features){
	    .smap = seven.ebx >> 20 & 1,
	    .fsgsbase = seven.ebx & 1,
	    .xsave = one.ecx >> 26 & 1,
	    .x2apic = one.ecx >> 21 & 1,
	    .page1gb = ext.edx >> 26 & 1,
	    .rdrand = one.ecx >> 30 & 1,
	};
	cr4 |= (seven.ecx >> 2 & 1) << 11; /* UMIP */
	cr4 |= (uint64_t)cpu_features.fsgsbase << 16;
	cr4 |= (uint64_t)cpu_features.xsave << 18;
	cr4 |= (seven.ebx >> 7 & 1) << 20; /* SMEP */
	cr4 |= (uint64_t)cpu_features.smap << 21;
	if (cpu_features.smap) {
		smap_patch(__start_set_stac, __stop_set_stac, 0xcb);
		smap_patch(__start_set_clac, __stop_set_clac, 0xca);
	}
	features_cr4 = cr4;
}

static void
features_init(void)
{
	WRITE_CR(4, features_cr4);
	WRITE_CR(0, 0x80010033); /* PG WP NE ET MP PE */
	wrmsr(MSR_PAT, PAT_VALUE);
}

static void
syscall_init(void)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1); /* SCE */
	wrmsr(MSR_STAR, (uint64_t)SEL_KCODE << 32 | (uint64_t)(SEL_UDATA - 8) << 48);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
}

void
cpu_setup(struct pcpu *pc, struct thread *td, const uint64_t ist[3])
{
	struct table_register idtr = {sizeof(idt) - 1, idt};

	pc->pc_self = pc;
	pc->pc_cpuid = (uint32_t)(pc - pcpus);
	pc->pc_curthread = td;
	gdt_init(pc, ist); /* before the GS base: it may touch the selector */
	wrmsr(MSR_GSBASE, (uint64_t)pc);
	__asm__ volatile("lidt %0" : : "m"(idtr));
	features_init();
	syscall_init();
	fpu_init();
}

void
cpu_init(void)
{
	uint64_t ist[IST_COUNT - 1];

	for (size_t i = 0; i < nitems(ist); i++)
		ist[i] = (uint64_t)ist_stacks[i] + IST_SIZE;
	thread0.td_kstack = boot_stack;
	idt_init();
	features_find();
	cpu_setup(&pcpus[0], &thread0, ist);
	cpu_set_kstack((uint64_t)boot_stack_top);
}

/* STI takes effect after the next instruction, so no interrupt is lost between the two. */
void
cpu_idle(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

void
cpu_stop(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

bool
cpu_random(void *buf, size_t len)
{
	uint64_t word;
	size_t n;
	bool ok = cpu_features.rdrand;

	for (; ok && len > 0; buf = (char *)buf + n, len -= n) {
		n = MIN(len, sizeof(word));
		ok = false;
		for (int tries = 0; tries < 10 && !ok; tries++)
			__asm__ volatile("rdrand %0; setc %1" : "=r"(word), "=qm"(ok) : : "cc");
		memcpy(buf, &word, n);
	}
	return (ok);
}

const char *
cpu_name(void)
{
	static char name[49];
	struct cpuid r;

	if (cpuid(0x80000000, 0).eax < 0x80000004)
		return ("x86-64");
	for (int i = 0; i < 3; i++) {
		r = cpuid(0x80000002 + i, 0);
		memcpy(name + i * 16, &r, sizeof(r));
	}
	return (name);
}

/*
 * Interrupt controllers: the CPU's local APIC (by MSRs where it is an x2APIC) and the IOAPIC that
 * the ISA lines come in on. Owns the table of interrupt handlers.
 */
#include "amd64/amd64.h"
#include "boot/bootinfo.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/panic.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2  (1ul << 10)
#define APIC_BASE_EN  (1ul << 11)
#define MSR_X2APIC    0x800

#define X2APIC_ICR 0x830

enum {
	APIC_ID = 0x20,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_SPURIOUS = 0xf0,
	APIC_ISR = 0x100, /* eight registers of 32 vectors each: those in service */
	APIC_ICR = 0x300,
	APIC_ICR_TARGET = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT1 = 0x360
};
enum { APIC_TIMER_INIT = 0x380, APIC_TIMER_COUNT = 0x390, APIC_TIMER_DIV = 0x3e0 };
enum { DIVIDE_BY_1 = 0xb, LVT_NMI = 4 << 8, SOFTWARE_ENABLE = 0x100 };
enum { IOAPIC_VERSION = 1, IOAPIC_REDIR = 0x10 };
#define ICR_PENDING (1u << 12)
enum { REDIR_LOW = 1 << 13, REDIR_LEVEL = 1 << 15, REDIR_MASKED = 1 << 16 };

static struct {
	void (*fn)(void *);
	void *arg;
} handlers[16]; /* set once each, before the line is unmasked */
static volatile uint32_t *lapic; /* (c) NULL: x2APIC */
static volatile uint32_t *ioapic; /* (c) index register, data register at +0x10 */
static uint32_t ioapic_lines; /* (c) */
static struct mtx ioapic_mtx = MTX_INITIALIZER("ioapic", LR_LEAF); /* its index register */

static uint32_t
lapic_read(int reg)
{
	return (lapic != NULL ? lapic[reg / 4] : (uint32_t)rdmsr(MSR_X2APIC + reg / 16));
}

static void
lapic_write(int reg, uint32_t v)
{
	if (lapic != NULL)
		lapic[reg / 4] = v;
	else
		wrmsr(MSR_X2APIC + reg / 16, v);
}

static uint32_t
ioapic_read(uint32_t reg)
{
	ioapic[0] = reg;
	return (ioapic[4]);
}

static void
ioapic_write(uint32_t reg, uint32_t v)
{
	ioapic[0] = reg;
	ioapic[4] = v;
}

/* The legacy controllers: out of the exceptions' way, should one still raise its spurious
 * vector. */
static void
pic_disable(void)
{
	static const uint8_t init[][2] = {{0x11, 0x11}, {VEC_IRQ, VEC_IRQ + 8}, {4, 2}, {1, 1}};

	for (size_t i = 0; i < nitems(init); i++) {
		outb(i == 0 ? 0x20 : 0x21, init[i][0]);
		outb(i == 0 ? 0xa0 : 0xa1, init[i][1]);
	}
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void
lapic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_EN;

	if (cpu_features.x2apic) {
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2);
	} else {
		wrmsr(MSR_APIC_BASE, base);
		if (lapic == NULL) /* all CPUs see their own at the same address */
			lapic = cpu_mapdev(base & PG_FRAME, 0x1000, VM_MEMATTR_UNCACHED);
		if (lapic == NULL)
			panic("the local APIC cannot be mapped");
	}
	lapic_write(APIC_TPR, 0);
	lapic_write(APIC_TIMER_DIV, DIVIDE_BY_1);
	lapic_write(APIC_LVT_TIMER, VEC_TIMER);
	lapic_write(APIC_LVT_LINT1, LVT_NMI); /* where a PC's NMI line ends, on each CPU */
	lapic_write(APIC_SPURIOUS, SOFTWARE_ENABLE | VEC_SPURIOUS);
}

void
apic_init(void)
{
	pic_disable();
	lapic_init();
	ioapic = cpu_mapdev(bootinfo.ioapic_pa, 0x20, VM_MEMATTR_UNCACHED);
	if (ioapic != NULL)
		ioapic_lines = (ioapic_read(IOAPIC_VERSION) >> 16 & 0xff) + 1;
	for (uint32_t i = 0; i < ioapic_lines; i++)
		ioapic_write(IOAPIC_REDIR + 2 * i, REDIR_MASKED);
	klog(LOG_INFO, "%s, IOAPIC at %#lx with %u lines", lapic != NULL ? "xAPIC" : "x2APIC",
	     bootinfo.ioapic_pa, ioapic_lines);
}

int
cpu_irq_register(int irq, void (*fn)(void *), void *arg)
{
	uint32_t id = apic_id();
	const struct boot_irq *line = &bootinfo.irq[irq & 15];

	if (irq < 0 || irq >= (int)nitems(handlers) || line->gsi >= ioapic_lines)
		return (ENXIO);
	handlers[irq].arg = arg;
	handlers[irq].fn = fn;
	mtx_lock(&ioapic_mtx);
	ioapic_write(IOAPIC_REDIR + 2 * line->gsi + 1, id << 24);
	ioapic_write(IOAPIC_REDIR + 2 * line->gsi, (VEC_IRQ + (uint32_t)irq) |
						       (line->low ? REDIR_LOW : 0) |
						       (line->level ? REDIR_LEVEL : 0));
	mtx_unlock(&ioapic_mtx);
	return (0);
}

uint32_t
apic_id(void)
{
	return (lapic != NULL ? lapic_read(APIC_ID) >> 24 : lapic_read(APIC_ID));
}

/* An xAPIC takes two writes for it, between which none other may come. */
void
apic_ipi(uint32_t apic, uint32_t how)
{
	uint64_t intr;

	if (lapic == NULL) {
		wrmsr(X2APIC_ICR, (uint64_t)apic << 32 | how);
		return;
	}
	intr = cpu_intr_disable();
	lapic_write(APIC_ICR_TARGET, apic << 24);
	lapic_write(APIC_ICR, how);
	while ((lapic_read(APIC_ICR) & ICR_PENDING) != 0)
		__builtin_ia32_pause();
	if (intr != 0)
		cpu_intr_enable();
}

void
apic_irq(int irq)
{
	if (handlers[irq].fn != NULL)
		handlers[irq].fn(handlers[irq].arg);
	apic_eoi();
}

void
apic_eoi(void)
{
	lapic_write(APIC_EOI, 0);
}

/* A spurious interrupt (SDM 3A, 11.9) is not in service, one that nobody expects is. */
void
apic_unexpected(uint64_t vector)
{
	if ((lapic_read(APIC_ISR + (int)(vector / 32) * 16) >> vector % 32 & 1) != 0)
		apic_eoi();
}

void
apic_timer_set(uint32_t ticks)
{
	lapic_write(APIC_TIMER_INIT, ticks);
}

uint32_t
apic_timer_count(void)
{
	return (lapic_read(APIC_TIMER_COUNT));
}

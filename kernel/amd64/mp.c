/*
 * Many processors: finding the others, starting them (INIT and start-up interrupts, SDM volume 3A,
 * section 9.4), and reaching them by interrupts. Owns the pages below 1 MiB that they start on.
 */
#include "amd64/amd64.h"
#include "boot/bootinfo.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "kern/thread.h"
#include "vm/vm_page.h"

#define INIT_NS   10000000ul /* between INIT and the first start-up interrupt */
#define SIPI_NS   1000000ul /* until the second one, if the first was not enough */
#define ANSWER_NS 1000000000ul /* then it is given up */

/* A CPU that starts, by cas: whoever changes BOOT_WAITS first has its way. */
enum { BOOT_WAITS, BOOT_CAME, BOOT_GIVEN_UP };

uint32_t cpus_online = 1;
uint32_t cpus_running = 1; /* (c) after mp_start */
static uint32_t boot_state[MAXCPU]; /* (a) BOOT_* */
static struct thread *idle_threads[MAXCPU]; /* (c) */
static uint64_t ist_ends[MAXCPU][3]; /* (c) */

void
cpu_kick(unsigned cpu)
{
	apic_ipi(pcpus[cpu].pc_apic_id, VEC_KICK);
}

void
cpu_spinwait(unsigned looks)
{
	cpu_pause(looks);
	tlb_poll();
}

uint64_t
vm_cnt_sum(const uint64_t *field)
{
	return (vm_cnt_sum_inline(field));
}

/* By NMI: they may have interrupts off. trap_ist sees that the kernel panics. */
void
cpu_stop_others(void)
{
	for (unsigned i = 0; i < MAXCPU; i++)
		if (i != cpu_id() && (cpus_online >> i & 1) != 0)
			apic_ipi(pcpus[i].pc_apic_id, APIC_IPI_NMI);
}

/* --- on the CPU that starts ------------------------------------------------------------------- */

void
mp_main(struct pcpu *pc)
{
	unsigned i = (unsigned)(pc - pcpus);
	uint32_t waits = BOOT_WAITS;

	if (!__atomic_compare_exchange_n(&boot_state[i], &waits, BOOT_CAME, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		cpu_stop(); /* too late: nobody counts on it any more */
	cpu_setup(pc, idle_threads[i], ist_ends[i]);
	pmap_activate(kernel_pmap);
	lapic_init();
	pc->pc_asked_at = rdtsc();
	__atomic_fetch_or(&cpus_online, 1u << i, __ATOMIC_SEQ_CST);
	sched_cpu_main();
}

/* --- on the first CPU ------------------------------------------------------------------------- */

static void
wait_ns(uint64_t ns)
{
	uint64_t end = cpu_now() + ns;

	while (cpu_now() < end)
		__builtin_ia32_pause();
}

/* True once CPU i is online. */
static bool
wait_online(unsigned i, uint64_t ns)
{
	uint64_t end = cpu_now() + ns;
	uint32_t mask;

	do {
		__builtin_ia32_pause();
		mask = __atomic_load_n(&cpus_online, __ATOMIC_ACQUIRE);
	} while ((mask >> i & 1) == 0 && cpu_now() < end);
	return ((mask >> i & 1) != 0);
}

static bool
low_memory_usable(void)
{
	for (uint32_t i = 0; i < bootinfo.nmem; i++)
		if (bootinfo.mem[i].start <= MP_BOOT_PA && bootinfo.mem[i].end >= MP_BOOT_END)
			return (true);
	return (false);
}

/* The code, and page tables that show it where it is and the kernel where that is. */
static void
prepare_low_memory(void)
{
	uint64_t *pml4 = phys_to_dmap(MP_BOOT_PML4), *pdpt = phys_to_dmap(MP_BOOT_PML4 + PAGE_SIZE);
	uint64_t *pd = phys_to_dmap(MP_BOOT_PML4 + 2 * PAGE_SIZE);

	memcpy(phys_to_dmap(MP_BOOT_PA), mp_boot_start, (size_t)(mp_boot_end - mp_boot_start));
	memcpy(pml4, kernel_pmap->pm_pml4, PAGE_SIZE);
	memset(pdpt, 0, 2 * PAGE_SIZE);
	pml4[0] = dmap_to_phys(pdpt) | PG_V | PG_RW;
	pdpt[0] = dmap_to_phys(pd) | PG_V | PG_RW;
	pd[0] = PG_V | PG_RW | PG_PS;
}

/* What CPU i needs before it starts. False: no memory. */
static bool
prepare_cpu(unsigned i)
{
	char *stack;

	idle_threads[i] = sched_cpu_prepare(i);
	for (int k = 0; k < 3 && idle_threads[i] != NULL; k++) {
		stack = kva_pages_alloc(atop(IST_SIZE), VM_ALLOC_SYSTEM);
		if (stack == NULL)
			return (false);
		ist_ends[i][k] = (uint64_t)stack + IST_SIZE;
	}
	return (idle_threads[i] != NULL);
}

/* Start CPU i, which has had its INIT. */
static bool
start_cpu(unsigned i)
{
	uint64_t *args = phys_to_dmap(MP_BOOT_PA + (uint64_t)(mp_boot_args - mp_boot_start));
	uint32_t waits = BOOT_WAITS;

	args[0] = (uint64_t)idle_threads[i]->td_kstack + KSTACK_SIZE;
	args[1] = (uint64_t)&pcpus[i];
	for (int tries = 0; tries < 2; tries++) {
		apic_ipi(pcpus[i].pc_apic_id, APIC_IPI_SIPI | MP_BOOT_PA >> PAGE_SHIFT);
		if (wait_online(i, tries == 0 ? SIPI_NS : ANSWER_NS))
			return (true);
	}
	/* It came, but is slow: then it uses the stack, and is waited for. */
	return (!__atomic_compare_exchange_n(&boot_state[i], &waits, BOOT_GIVEN_UP, false,
					     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) &&
		wait_online(i, UINT32_MAX));
}

/* How many of those there are may be used. */
static uint32_t
cpus_wanted(void)
{
	const char *text = cmdline_get("maxcpus");
	uint32_t n = MAXCPU;

	if (text != NULL && (sysctl_store_uint(text, MAXCPU, &n) != 0 || n == 0)) {
		klog(LOG_WARNING, "maxcpus=%s: not a number from 1 to %u", text, MAXCPU);
		n = MAXCPU;
	}
	if (bootinfo.ncpus > MAXCPU)
		klog(LOG_WARNING, "of %u CPUs only %u are used", bootinfo.ncpus, MAXCPU);
	return (n);
}

void
mp_start(void)
{
	uint32_t wanted = cpus_wanted(), own = apic_id();

	pcpus[0].pc_apic_id = own;
	if (wanted == 1 || bootinfo.ncpus <= 1)
		return;
	if (!low_memory_usable()) {
		klog(LOG_WARNING, "no memory at %#x to start CPUs on: there is one", MP_BOOT_PA);
		return;
	}
	prepare_low_memory();
	for (uint32_t k = 0; k < bootinfo.ncpus; k++)
		if (bootinfo.apic_ids[k] != own)
			apic_ipi(bootinfo.apic_ids[k], APIC_IPI_INIT);
	wait_ns(INIT_NS);
	for (uint32_t k = 0; k < bootinfo.ncpus && cpus_running < wanted; k++) {
		if (bootinfo.apic_ids[k] == own)
			continue;
		pcpus[cpus_running].pc_apic_id = bootinfo.apic_ids[k];
		if (ist_ends[cpus_running][2] == 0 && !prepare_cpu(cpus_running)) {
			klog(LOG_WARNING, "no memory for CPU %u", cpus_running);
			break;
		}
		if (start_cpu(cpus_running)) {
			cpus_running++;
			continue;
		}
		klog(LOG_WARNING, "the CPU with APIC number %u does not answer",
		     bootinfo.apic_ids[k]);
		apic_ipi(bootinfo.apic_ids[k], APIC_IPI_INIT); /* it is not to wake up later */
		boot_state[cpus_running] = BOOT_WAITS;
	}
	klog(LOG_INFO, "%u CPUs", cpus_running);
}

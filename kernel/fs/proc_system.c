/*
 * The files of /proc about the machine as a whole: memory, times, load, and what tools expect to
 * read beside. Each says what this kernel knows; a column for what it does not have is 0.
 */
#include "fs/procfs.h"
#include "kern/clock.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "vm/vm_page.h"

#define TICK_NS 10000000ul /* ns of a tick, of which programs expect 100 a second */

SET_DECLARE(stats, const struct stat_counter);

static void
show_self(struct text *t, struct proc *p __unused)
{
	text_add(t, "%d", curproc->p_pid);
}
PROC_FILE(self, .path = "self", .type = VLNK, .show = show_self);

static void
show_thread_self(struct text *t, struct proc *p __unused)
{
	text_add(t, "%d/task/%d", curproc->p_pid, curthread->td_tid);
}
PROC_FILE(thread_self, .path = "thread-self", .type = VLNK, .show = show_thread_self);

/* --- memory ----------------------------------------------------------------------------------- */

static void
show_meminfo(struct text *t, struct proc *p __unused)
{
	uint64_t paged = vm_page_queue_count(PQ_ACTIVE) + vm_page_queue_count(PQ_INACTIVE) +
			 vm_page_queue_count(PQ_LAUNDRY);
	uint64_t file = MIN(VM_CNT(v_file_count), paged);
	const struct {
		const char *name;
		uint64_t pages;
	} lines[] = {
	    {"MemTotal", vm_cnt.v_page_count},
	    {"MemFree", VM_FREE_COUNT()},
	    {"MemAvailable", VM_FREE_COUNT()},
	    {"Buffers", 0},
	    {"Cached", VM_CNT(v_file_count)},
	    {"SwapCached", 0},
	    {"Active", vm_page_queue_count(PQ_ACTIVE)},
	    {"Inactive", vm_page_queue_count(PQ_INACTIVE)},
	    {"Unevictable", VM_CNT(v_wire_count)},
	    {"Mlocked", VM_CNT(v_wire_count)},
	    {"SwapTotal", 0},
	    {"SwapFree", 0},
	    {"Dirty", 0},
	    {"Writeback", 0},
	    {"AnonPages", paged - file},
	    {"Mapped", VM_CNT(v_pv_entries)},
	    {"Shmem", VM_CNT(v_file_count)},
	    {"KReclaimable", 0},
	    {"Slab", kmalloc_pages_used()},
	    {"SReclaimable", 0},
	    {"SUnreclaim", kmalloc_pages_used()},
	    {"KernelStack", thread_count() * atop(KSTACK_SIZE)},
	    {"PageTables", VM_CNT(v_pt_pages)},
	    {"CommitLimit", vm_commit_limit()},
	    {"Committed_AS", vm_cnt.v_committed},
	};

	for (size_t i = 0; i < nitems(lines); i++)
		text_add_kb(t, lines[i].name, lines[i].pages);
}
PROC_FILE(meminfo, .path = "meminfo", .type = VREG, .show = show_meminfo);

static void
show_vmstat(struct text *t, struct proc *p __unused)
{
	const struct {
		const char *name;
		uint64_t n;
	} lines[] = {
	    {"nr_free_pages", VM_FREE_COUNT()},
	    {"nr_inactive_anon", vm_page_queue_count(PQ_INACTIVE)},
	    {"nr_active_anon", vm_page_queue_count(PQ_ACTIVE)},
	    {"nr_mlock", VM_CNT(v_wire_count)},
	    {"nr_page_table_pages", VM_CNT(v_pt_pages)},
	    {"nr_file_pages", VM_CNT(v_file_count)},
	    {"nr_dirty", 0},
	    {"nr_writeback", 0},
	    {"pgpgin", 0},
	    {"pgpgout", 0},
	    {"pswpin", 0},
	    {"pswpout", 0},
	    {"pgfault", VM_CNT(v_faults)},
	    {"pgmajfault", VM_CNT(v_pager_faults)},
	};

	for (size_t i = 0; i < nitems(lines); i++)
		text_add(t, "%s %lu\n", lines[i].name, lines[i].n);
}
PROC_FILE(vmstat, .path = "vmstat", .type = VREG, .show = show_vmstat);

static void
show_buddyinfo(struct text *t, struct proc *p __unused)
{
	text_add(t, "Node 0, zone   Normal ");
	for (int order = 0; order < VM_NFREEORDER; order++)
		text_add(t, "%6lu ", vm_phys_free_blocks(order));
	text_add(t, "\n");
}
PROC_FILE(buddyinfo, .path = "buddyinfo", .type = VREG, .show = show_buddyinfo);

PROC_FILE(swaps, .path = "swaps", .type = VREG,
	  .text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");

/* --- time ------------------------------------------------------------------------------------- */

static void
show_uptime(struct text *t, struct proc *p __unused)
{
	uint64_t up = cpu_now() / TICK_NS;
	struct sched_stats s;

	sched_stats(&s);
	s.ss_idle /= TICK_NS;
	text_add(t, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, s.ss_idle / 100, s.ss_idle % 100);
}
PROC_FILE(uptime, .path = "uptime", .type = VREG, .show = show_uptime);

static void
show_loadavg(struct text *t, struct proc *p __unused)
{
	struct sched_stats s;
	uint32_t load;

	sched_stats(&s);
	for (int i = 0; i < 3; i++) {
		load = s.ss_load[i] + LOAD_ONE / 200; /* rounded */
		text_add(t, "%u.%02u ", load / LOAD_ONE, load % LOAD_ONE * 100 / LOAD_ONE);
	}
	text_add(t, "%d/%lu %d\n", s.ss_running, thread_count(), pid_last());
}
PROC_FILE(loadavg, .path = "loadavg", .type = VREG, .show = show_loadavg);

/* Interrupts of a kind, of all CPUs. */
static uint64_t
interrupts_of(int kind)
{
	uint64_t n = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		n += cpu_interrupts(cpu, kind);
	return (n);
}

static uint64_t
interrupts_all(void)
{
	uint64_t n = 0;

	for (int kind = 0; kind < CPU_INTR_KINDS; kind++)
		n += interrupts_of(kind);
	return (n);
}

static void
add_times(struct text *t, const char *name, const struct sched_times *times)
{
	text_add(t, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", name, times->st_user / TICK_NS,
		 times->st_system / TICK_NS, times->st_idle / TICK_NS);
}

static void
show_stat(struct text *t, struct proc *p __unused)
{
	struct sched_times all = {0}, one;
	struct sched_stats s;

	sched_stats(&s);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		one = sched_times(cpu);
		all.st_user += one.st_user;
		all.st_system += one.st_system;
		all.st_idle += one.st_idle;
	}
	add_times(t, "cpu ", &all);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		one = sched_times(cpu);
		text_add(t, "cpu%u", cpu);
		add_times(t, "", &one);
	}
	text_add(t, "intr %lu", interrupts_all());
	for (int irq = 0; irq < 16; irq++)
		text_add(t, " %lu", interrupts_of(irq));
	text_add(t, "\nctxt %lu\nbtime %lu\nprocesses %d\n", s.ss_switches,
		 (clock_wall() - cpu_now()) / 1000000000, pid_last());
	text_add(t, "procs_running %d\nprocs_blocked 0\n", s.ss_running);
}
PROC_FILE(stat, .path = "stat", .type = VREG, .show = show_stat);

static void
add_interrupts(struct text *t, int kind, const char *what)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		text_add(t, " %10lu", cpu_interrupts(cpu, kind));
	text_add(t, "   %s\n", what);
}

static void
show_interrupts(struct text *t, struct proc *p __unused)
{
	static const struct {
		int kind;
		const char *name, *what;
	} others[] = {
	    {CPU_INTR_NMI, "NMI", "Non-maskable interrupts"},
	    {CPU_INTR_TIMER, "LOC", "Local timer interrupts"},
	    {CPU_INTR_SPURIOUS, "SPU", "Spurious interrupts"},
	    {CPU_INTR_KICK, "RES", "Rescheduling interrupts"},
	    {CPU_INTR_TLB, "TLB", "TLB shootdowns"},
	};

	text_add(t, "    ");
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		text_add(t, "       CPU%u", cpu);
	text_add(t, "\n");
	for (int irq = 0; irq < 16; irq++) {
		if (interrupts_of(irq) == 0)
			continue;
		text_add(t, "%3d:", irq);
		add_interrupts(t, irq, "IO-APIC");
	}
	for (size_t i = 0; i < nitems(others); i++) {
		text_add(t, "%s:", others[i].name);
		add_interrupts(t, others[i].kind, others[i].what);
	}
}
PROC_FILE(interrupts, .path = "interrupts", .type = VREG, .show = show_interrupts);

/* --- the rest --------------------------------------------------------------------------------- */

PROC_FILE(version, .path = "version", .type = VREG,
	  .text = "Linux version " KERNEL_RELEASE " " KERNEL_VERSION "\n");

static void
show_cmdline(struct text *t, struct proc *p __unused)
{
	const char *line = bootinfo.cmdline;
	size_t len = strlen(line);

	if (text_room(t, len + 1)) {
		memcpy(t->buf, line, len);
		t->buf[len] = '\n';
		t->len = len + 1;
	}
}
PROC_FILE(cmdline, .path = "cmdline", .type = VREG, .show = show_cmdline);

/* No disk is known. */
PROC_FILE(partitions, .path = "partitions", .type = VREG, .text = "major minor  #blocks  name\n\n");
PROC_FILE(diskstats, .path = "diskstats", .type = VREG, .text = "");

static void
show_stats(struct text *t, struct proc *p __unused)
{
	const struct stat_counter *const *st;

	SET_FOREACH (st, stats)
		text_add(t, "%s %lu\n", (*st)->st_name,
			 (*st)->st_read != NULL ? (*st)->st_read((*st)->st_value)
						: *(*st)->st_value);
}
PROC_FILE(quire_stats, .path = "quire/stats", .type = VREG, .show = show_stats);

static void
show_dmesg(struct text *t, struct proc *p __unused)
{
	size_t n;

	do {
		n = text_room(t, PAGE_SIZE) ? log_read(t->buf + t->len, PAGE_SIZE, t->len) : 0;
		t->len += n;
	} while (n > 0);
}
PROC_FILE(quire_dmesg, .path = "quire/dmesg", .type = VREG, .show = show_dmesg);

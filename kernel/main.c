/*
 * Start-up: everything there is, brought up in order, each step by name. boot/ has filled bootinfo
 * and called kmain() in long mode, on the boot stack, with interrupts off.
 */
#include "amd64/amd64.h"
#include "drivers/drivers.h"
#include "fs/vnode.h"
#include "kern/console.h"
#include "kern/jitter.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/panic.h"
#include "kern/pipe.h"
#include "kern/proc.h"
#include "kern/random.h"
#include "kern/task.h"
#include "kern/tty.h"

static void
start_cmdline(void)
{
	cmdline_parse(bootinfo.cmdline);
	log_init();
	klog(LOG_INFO, "Quire: booted by %s, command line \"%s\"", bootinfo.loader,
	     bootinfo.cmdline);
	if (bootinfo.cmdline_cut)
		klog(LOG_WARNING, "command line cut to %d bytes", BOOT_CMDLINE_MAX - 1);
	if (bootinfo.mem_cut)
		klog(LOG_WARNING, "only %d ranges of memory are used", BOOT_MAX_MEM);
}

/* /dev and /proc are there before the initrd, which may have directories of those names. */
static void
start_root(void)
{
	if (ramfs_init() != 0)
		panic("no memory for the root directory: give the machine more (--mem)");
	vfs_set_special(VFIFO, &pipe_ops);
	devfs_init();
	procfs_init();
}

static void
start_terminals(void)
{
	tty_jobs_init();
	pty_init();
	console_init();
}

/* The initrd's memory stays: it has the bytes of its files. */
static void
start_initrd(void)
{
	uint64_t start = bootinfo.initrd_start, end = bootinfo.initrd_end;

	if (start == end) {
		klog(LOG_WARNING, "no initrd: the root directory is empty");
		return;
	}
	cpio_unpack(phys_to_dmap(start), end - start);
}

static const struct {
	const char *name;
	void (*run)(void);
} steps[] = {
    {"cpu: segments, traps, protection", cpu_init},
    {"early drivers: somewhere to print", drivers_early_init},
    {"command line", start_cmdline},
    {"pmap: the kernel's own page tables", pmap_bootstrap},
    {"memory: a page for each frame", amd64_mem_init},
    {"threads and scheduler", sched_init},
    {"tasks", task_init},
    {"callouts", callout_init},
    {"interrupt controllers", apic_init},
    {"clock and timer", timer_init},
    {"random numbers", random_init},
    {"root, /dev and /proc", start_root},
    {"terminals", start_terminals},
    {"initrd", start_initrd},
    {"drivers", drivers_init},
    {"other processors", mp_start},
    {"jitter", jitter_init},
};

/* Without a program there is nothing to do: say so, end as a shell does when it cannot find one. */
static void
start_init(void)
{
	static char *fallback[] = {"/bin/fbdemo", NULL};
	char **argv;
	int error, argc = cmdline_init_args(&argv);

	if (argc == 0) {
		argv = fallback;
		argc = 1;
	}
	error = proc_start_init(argv[0], argc, argv);
	if (error == 0)
		return;
	klog(LOG_ERR, "cannot start %s: error %d", argv[0], error);
	machine_exit(127);
}

/* The boot thread becomes a thread like others, and ends when init runs. */
void
kmain(void)
{
	for (size_t i = 0; i < nitems(steps); i++) {
		steps[i].run();
		klog(LOG_DEBUG, "start: %s", steps[i].name);
	}
	cpu_intr_enable();
	start_init();
	thread_exit();
}

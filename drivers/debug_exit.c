/*
 * The emulator's way out: isa-debugcon (port 0xe9) is the channel on which scripts/run hears how
 * the first program ended or why the kernel panicked, isa-debug-exit (port 0xf4) ends the emulator.
 * Without them the machine is switched off as ACPI would do it, or halted.
 */
#include "drivers/drivers.h"
#include "drivers/port_io.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/main.h"

#define DEBUGCON_PORT  0xe9 /* reads as its own number when it is there */
#define DEBUGEXIT_PORT 0xf4 /* cannot be detected; a write does nothing without it */
#define EXIT_NORMAL    0x10 /* the emulator exits with (value << 1) | 1 */
#define EXIT_PANIC     0x20
#define PM1A_CNT       0x604 /* where QEMU's firmware puts the ACPI control register */
#define PM1A_SLP_EN    0x2000 /* with sleep type 0: off, on both of QEMU's PC chip sets */

static bool debugcon_present;

static void
debugcon_write(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		outb(DEBUGCON_PORT, (uint8_t)text[i]);
}

/* The word that tells scripts/run that a report, not an exit status, follows. */
static void
debugcon_panic_begin(void)
{
	debugcon_write("panic\n", 6);
}

static struct console_sink debugcon_sink = {
    .cs_write = debugcon_write,
    .cs_panic = debugcon_panic_begin,
    .cs_report_only = true,
};

int
debug_exit_probe(void)
{
	if (inb(DEBUGCON_PORT) != DEBUGCON_PORT)
		return (ENODEV);
	debugcon_present = true;
	console_attach(&debugcon_sink);
	return (0);
}

void
debug_exit_ready(void)
{
	if (debugcon_present)
		debugcon_write("ready\n", 6);
}

void
machine_trace(uint64_t pa)
{
	char line[64];

	if (debugcon_present)
		debugcon_write(line, (size_t)ksnprintf(line, sizeof(line), "trace %#lx\n", pa));
}

void
machine_exit(int status)
{
	char line[64];
	int len;

	if (debugcon_present) {
		len = ksnprintf(line, sizeof(line), "exit %d\n", status);
		debugcon_write(line, (size_t)len);
	} else {
		len = ksnprintf(line, sizeof(line), "exit status %d: switching off\n", status);
		console_write(line, (size_t)len);
	}
	console_flush();
	uart16550_drain();
	outl(DEBUGEXIT_PORT, EXIT_NORMAL);
	outw(PM1A_CNT, PM1A_SLP_EN);
	cpu_stop();
}

/* The report stays on the screen of a machine that cannot be ended from here. */
void
machine_panic_exit(void)
{
	uart16550_drain();
	outl(DEBUGEXIT_PORT, EXIT_PANIC);
	cpu_stop();
}

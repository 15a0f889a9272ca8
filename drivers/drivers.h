/*
 * The drivers as start-up sees them: two steps, and the probes behind the second. No driver that
 * fails stops the boot: it leaves a log line, and what it would have driven is absent.
 */
#pragma once

/*
 * The devices that only write: debug console and serial port, so that the log has somewhere to go.
 * Needs nothing but the log; the first thing to call.
 */
void drivers_early_init(void);
/*
 * All the rest. Needs kmalloc, the VM, interrupts (cpu_irq_register), cpu_mapdev and the command
 * line. Threads need not run yet.
 */
void drivers_init(void);

/* The probes, each in its own file: 0, ENODEV when there is no such device, or what went wrong. */
int debug_exit_probe(void);
int uart16550_probe(void);
int uart16550_intr_probe(void);
int rtc_probe(void);
int pci_probe(void);
int bochs_fb_probe(void);
int boot_fb_probe(void);
int fb_probe(void);
int vt_probe(void);
int ps2_probe(void);
int memview_probe(void);
int testdev_probe(void);

/* Wait, a bounded time, until the serial port has sent what it was given. */
void uart16550_drain(void);
/* Tell scripts/run that from now on the serial port keeps what it receives. */
void debug_exit_ready(void);

/*
 * The order in which drivers come up. Owns the lists of probes.
 */
#include "drivers/drivers.h"
#include "kern/errno.h"
#include "kern/log.h"

struct driver {
	const char *name;
	int (*probe)(void);
};

static const struct driver early_drivers[] = {
    {"debug_exit", debug_exit_probe},
    {"uart16550", uart16550_probe},
};

/* The screens find their cards through pci; the first one to register is /dev/fb0. */
static const struct driver drivers[] = {
    {"uart16550 interrupts", uart16550_intr_probe},
    {"rtc", rtc_probe},
    {"pci", pci_probe},
    {"bochs_fb", bochs_fb_probe},
    {"boot_fb", boot_fb_probe},
    {"fb0", fb_probe},
    {"vt", vt_probe},
    {"ps2", ps2_probe},
    {"memview", memview_probe},
    {"testdev", testdev_probe},
};

static void
probe_all(const struct driver *list, size_t n)
{
	int error;

	for (const struct driver *d = list; d < list + n; d++) {
		error = d->probe();
		if (error == 0)
			klog(LOG_DEBUG, "%s: attached", d->name);
		else if (error == ENODEV)
			klog(LOG_DEBUG, "%s: no such device", d->name);
		else
			klog(LOG_ERR, "%s: not attached, error %d", d->name, error);
	}
}

void
drivers_early_init(void)
{
	probe_all(early_drivers, nitems(early_drivers));
}

void
drivers_init(void)
{
	probe_all(drivers, nitems(drivers));
}

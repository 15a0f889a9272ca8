/*
 * PCI by configuration mechanism 1: what devices there are, their configuration registers and BARs.
 */
#pragma once

#include "kern/types.h"
#include <sys/queue.h>

#define PCI_ANY 0xffff /* pci_find: any value */

#define PCI_COMMAND        0x04
#define PCI_COMMAND_IO     0x1
#define PCI_COMMAND_MEMORY 0x2

/* All fields (c) once pci_probe is done. */
struct pci_device {
	STAILQ_ENTRY(pci_device) pd_link;
	uint8_t pd_bus, pd_slot, pd_function;
	uint16_t pd_vendor, pd_device;
	uint16_t pd_class; /* base class and subclass, e.g. 0x0300 */
};

struct pci_bar {
	uint64_t pb_base, pb_size; /* bytes; physical, or a port when pb_io */
	bool pb_io;
};

uint32_t pci_read32(const struct pci_device *pd, uint8_t reg);
void pci_write32(const struct pci_device *pd, uint8_t reg, uint32_t v);

/* The first device with that vendor, device and class (each may be PCI_ANY) after prev, or from the
 * start when prev is NULL; NULL when there are no more. */
struct pci_device *pci_find(struct pci_device *prev, uint16_t vendor, uint16_t device,
			    uint16_t class);

/* Where BAR index (0-5) is and how large. ENXIO when it has none or firmware gave it no address.
 * The device does not decode while it is measured: nobody may use it meanwhile. */
int pci_bar(const struct pci_device *pd, int index, struct pci_bar *bar);

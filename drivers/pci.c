/*
 * PCI enumeration: bus 0 and the busses that bridges lead to, so that the cost follows what is
 * there. Owns ports 0xcf8 and 0xcfc and the list of devices.
 */
#include "drivers/drivers.h"
#include "drivers/pci.h"
#include "drivers/port_io.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/lock.h"
#include "kern/log.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u

enum { PCI_ID = 0x00, PCI_CLASS = 0x08, PCI_HEADER = 0x0c, PCI_BAR0 = 0x10, PCI_BUSSES = 0x18 };
#define HEADER_TYPE(v)  ((v) >> 16 & 0x7f)
#define HEADER_MULTI(v) (((v) >> 16 & 0x80) != 0)
#define HEADER_BRIDGE   1
#define CLASS_BRIDGE    0x0604
#define BAR_IO          0x1u
#define BAR_TYPE        0x6u
#define BAR_64          0x4u

static struct mtx pci_lock = MTX_INITIALIZER("pci", LR_LEAF); /* the pair of ports */
static STAILQ_HEAD(, pci_device) pci_devices = STAILQ_HEAD_INITIALIZER(pci_devices);
static uint64_t bus_found[256 / 64]; /* bit per bus: something leads there */

static void
config_select(const struct pci_device *pd, uint8_t reg)
{
	outl(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)pd->pd_bus << 16 | pd->pd_slot << 11 |
				 pd->pd_function << 8 | (reg & 0xfc));
}

uint32_t
pci_read32(const struct pci_device *pd, uint8_t reg)
{
	uint32_t v;

	mtx_lock(&pci_lock);
	config_select(pd, reg);
	v = inl(CONFIG_DATA);
	mtx_unlock(&pci_lock);
	return (v);
}

void
pci_write32(const struct pci_device *pd, uint8_t reg, uint32_t v)
{
	mtx_lock(&pci_lock);
	config_select(pd, reg);
	outl(CONFIG_DATA, v);
	mtx_unlock(&pci_lock);
}

struct pci_device *
pci_find(struct pci_device *prev, uint16_t vendor, uint16_t device, uint16_t class)
{
	struct pci_device *pd;

	pd = prev != NULL ? STAILQ_NEXT(prev, pd_link) : STAILQ_FIRST(&pci_devices);
	for (; pd != NULL; pd = STAILQ_NEXT(pd, pd_link)) {
		if ((vendor == PCI_ANY || pd->pd_vendor == vendor) &&
		    (device == PCI_ANY || pd->pd_device == device) &&
		    (class == PCI_ANY || pd->pd_class == class))
			return (pd);
	}
	return (NULL);
}

/* The bits of a BAR register that can be set say how large it is. */
static uint32_t
bar_probe(const struct pci_device *pd, uint8_t reg, uint32_t old)
{
	uint32_t mask;

	pci_write32(pd, reg, ~0u);
	mask = pci_read32(pd, reg);
	pci_write32(pd, reg, old);
	return (mask);
}

int
pci_bar(const struct pci_device *pd, int index, struct pci_bar *bar)
{
	uint8_t reg = PCI_BAR0 + 4 * index;
	uint32_t low, high = 0, command;
	uint64_t mask;
	bool wide;

	if (index < 0 || index > 5)
		return (ENXIO);
	low = pci_read32(pd, reg);
	bar->pb_io = (low & BAR_IO) != 0;
	wide = !bar->pb_io && (low & BAR_TYPE) == BAR_64;
	if (wide && index == 5)
		return (ENXIO);
	/* The upper half of this register is status, where zeros change nothing. */
	command = pci_read32(pd, PCI_COMMAND) & 0xffff;
	pci_write32(pd, PCI_COMMAND, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	mask = bar_probe(pd, reg, low);
	if (wide) {
		high = pci_read32(pd, reg + 4);
		mask |= (uint64_t)bar_probe(pd, reg + 4, high) << 32;
	} else if (mask != 0) {
		mask |= 0xffffffffull << 32;
	}
	pci_write32(pd, PCI_COMMAND, command);
	if (bar->pb_io && (mask & 0xffff0000) == 0)
		mask |= 0xffff0000; /* a port BAR may leave its upper half out */
	mask &= bar->pb_io ? ~3ull : ~15ull;
	bar->pb_base = ((uint64_t)high << 32 | low) & mask;
	bar->pb_size = -mask;
	return (bar->pb_base == 0 || bar->pb_size == 0 ? ENXIO : 0);
}

/* One function that answered with id; if it is a bridge, the bus behind it is to be scanned. */
static int
pci_add(const struct pci_device *at, uint32_t id, uint32_t header)
{
	struct pci_device *pd = kmalloc(sizeof(*pd), M_ZERO);
	uint8_t bus;

	if (pd == NULL)
		return (ENOMEM);
	*pd = *at;
	pd->pd_vendor = id & 0xffff;
	pd->pd_device = id >> 16;
	pd->pd_class = pci_read32(pd, PCI_CLASS) >> 16;
	STAILQ_INSERT_TAIL(&pci_devices, pd, pd_link);
	klog(LOG_INFO, "pci %02x:%02x.%x: %04x:%04x class %04x", pd->pd_bus, pd->pd_slot,
	     pd->pd_function, pd->pd_vendor, pd->pd_device, pd->pd_class);
	if (pd->pd_class == CLASS_BRIDGE && HEADER_TYPE(header) == HEADER_BRIDGE) {
		bus = pci_read32(pd, PCI_BUSSES) >> 8;
		bus_found[bus / 64] |= 1ull << (bus % 64);
	}
	return (0);
}

static int
pci_scan_slot(uint8_t bus, uint8_t slot)
{
	struct pci_device at = {.pd_bus = bus, .pd_slot = slot};
	uint32_t id, header;
	int functions = 1, error;

	for (int f = 0; f < functions; f++) {
		at.pd_function = f;
		id = pci_read32(&at, PCI_ID);
		if ((id & 0xffff) == 0xffff)
			continue; /* function 0 absent: the slot is empty */
		header = pci_read32(&at, PCI_HEADER);
		if (f == 0 && HEADER_MULTI(header))
			functions = 8;
		error = pci_add(&at, id, header);
		if (error != 0)
			return (error);
	}
	return (0);
}

/* Firmware numbers a bus higher than the one its bridge is on, so that one pass upwards finds
 * all, and a bridge that claims to lead back does no harm. */
int
pci_probe(void)
{
	int error = 0;

	outl(CONFIG_ADDRESS, CONFIG_ENABLE);
	if (inl(CONFIG_ADDRESS) != CONFIG_ENABLE)
		return (ENODEV);
	bus_found[0] |= 1;
	for (int bus = 0; bus < 256; bus++) {
		if ((bus_found[bus / 64] >> (bus % 64) & 1) == 0)
			continue;
		for (int slot = 0; slot < 32 && error == 0; slot++)
			error = pci_scan_slot(bus, slot);
	}
	return (error);
}

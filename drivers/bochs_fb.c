/*
 * QEMU's standard VGA and bochs-display: VRAM in BAR 0, the dispi registers in BAR 2 (or, on the
 * oldest, behind a pair of ports). Owns those registers.
 */
#include "drivers/drivers.h"
#include "drivers/fb.h"
#include "drivers/memview.h"
#include "drivers/pci.h"
#include "drivers/port_io.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "machine/pmap_md.h"

#define BOCHS_VENDOR  0x1234
#define BOCHS_DEVICE  0x1111
#define CLASS_VGA     0x0300
#define CLASS_DISPLAY 0x0380 /* bochs-display: no VGA registers */

#define MMIO_SIZE        0x1000
#define MMIO_VGA         0x400 /* the VGA's ports from 0x3c0 on */
#define MMIO_DISPI       0x500
#define MMIO_QEXT_SIZE   0x600 /* QEMU's own registers: how many bytes of them */
#define MMIO_QEXT_ENDIAN 0x604
#define LITTLE_ENDIAN    0x1e1e1e1eu

#define PORT_VGA         0x3c0
#define PORT_DISPI_INDEX 0x1ce
#define PORT_DISPI_DATA  0x1cf

#define VGA_ATTRIBUTE  0x00
#define VGA_STATUS     0x1a
#define ATTRIBUTE_SHOW 0x20

/* Dispi registers: 16 bits each, in the order of their numbers. */
enum { DISPI_ID, DISPI_XRES, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK };
enum { DISPI_VIRT_WIDTH = 6, DISPI_X_OFFSET = 8, DISPI_Y_OFFSET, DISPI_VIDEO_MEMORY_64K };
#define DISPI_ID_BASE 0xb0c0 /* the last digit is the version */
#define DISPI_ENABLED 0x01
#define DISPI_LFB     0x40

static volatile uint8_t *mmio; /* (c) BAR 2; NULL: by ports */

static uint16_t
dispi_read(int reg)
{
	if (mmio != NULL)
		return (*(volatile uint16_t *)(mmio + MMIO_DISPI + 2 * reg));
	outw(PORT_DISPI_INDEX, (uint16_t)reg);
	return (inw(PORT_DISPI_DATA));
}

static void
dispi_write(int reg, uint32_t v)
{
	if (mmio != NULL) {
		*(volatile uint16_t *)(mmio + MMIO_DISPI + 2 * reg) = (uint16_t)v;
		return;
	}
	outw(PORT_DISPI_INDEX, (uint16_t)reg);
	outw(PORT_DISPI_DATA, (uint16_t)v);
}

/*
 * A VGA shows nothing while its attribute controller's index says so; reading the status register
 * makes sure that it is the index that is written. Nothing happens on a card without VGA registers.
 */
static void
bochs_unblank(void)
{
	if (mmio != NULL) {
		(void)mmio[MMIO_VGA + VGA_STATUS];
		mmio[MMIO_VGA + VGA_ATTRIBUTE] = ATTRIBUTE_SHOW;
	} else {
		(void)inb(PORT_VGA + VGA_STATUS);
		outb(PORT_VGA + VGA_ATTRIBUTE, ATTRIBUTE_SHOW);
	}
}

static void
bochs_pan(uint32_t x, uint32_t y)
{
	dispi_write(DISPI_X_OFFSET, x);
	dispi_write(DISPI_Y_OFFSET, y);
}

/* The card forgets the virtual width and the offsets when it is enabled, and clears the screen. */
static void
bochs_set_mode(const struct fb_mode *mode)
{
	dispi_write(DISPI_ENABLE, 0);
	dispi_write(DISPI_BPP, 32);
	dispi_write(DISPI_XRES, mode->width);
	dispi_write(DISPI_YRES, mode->height);
	dispi_write(DISPI_BANK, 0);
	dispi_write(DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
	dispi_write(DISPI_VIRT_WIDTH, mode->virtual_width);
	bochs_pan(mode->x, mode->y);
	bochs_unblank();
}

static struct fb_backend bochs_backend = {
    .name = "bochs",
    .bpp = 32,
    .red = {16, 8},
    .green = {8, 8},
    .blue = {0, 8},
    .set_mode = bochs_set_mode,
    .pan = bochs_pan,
};

static struct pci_device *
bochs_find(void)
{
	struct pci_device *pd;

	pd = pci_find(NULL, BOCHS_VENDOR, BOCHS_DEVICE, CLASS_VGA);
	return (pd != NULL ? pd : pci_find(NULL, BOCHS_VENDOR, BOCHS_DEVICE, CLASS_DISPLAY));
}

/* Registers: BAR 2 if there is one, little-endian if the card can be told; else the ports. */
static int
bochs_map_registers(const struct pci_device *pd)
{
	struct pci_bar bar;

	if (pci_bar(pd, 2, &bar) != 0 || bar.pb_io || bar.pb_size < MMIO_SIZE)
		return (pd->pd_class == CLASS_VGA ? 0 : ENXIO);
	mmio = cpu_mapdev(bar.pb_base, MMIO_SIZE, VM_MEMATTR_UNCACHED);
	if (mmio == NULL)
		return (ENOMEM);
	if (*(volatile uint32_t *)(mmio + MMIO_QEXT_SIZE) >= 8 &&
	    *(volatile uint32_t *)(mmio + MMIO_QEXT_SIZE) != UINT32_MAX)
		*(volatile uint32_t *)(mmio + MMIO_QEXT_ENDIAN) = LITTLE_ENDIAN;
	return (0);
}

/* The BAR is a power of two that may be larger than the memory behind it: the register knows. */
static uint64_t
vram_size(const struct pci_bar *bar)
{
	uint64_t units = dispi_read(DISPI_VIDEO_MEMORY_64K);
	uint64_t size = bar->pb_size;

	if (units << 16 != size)
		klog(LOG_INFO, "bochs: BAR 0 is %lu KiB, the card has %lu", size >> 10, units << 6);
	if (units != 0)
		size = MIN(size, units << 16);
	return (MIN(size, FB_VRAM_MAX));
}

int
bochs_fb_probe(void)
{
	struct pci_device *pd = bochs_find();
	struct pci_bar bar;
	uint16_t id;
	int error;

	if (pd == NULL)
		return (ENODEV);
	if (pci_bar(pd, 0, &bar) != 0 || bar.pb_io)
		return (ENXIO);
	pci_write32(pd, PCI_COMMAND,
		    (pci_read32(pd, PCI_COMMAND) & 0xffff) | PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	error = bochs_map_registers(pd);
	if (error != 0)
		return (error);
	id = dispi_read(DISPI_ID);
	if ((id & 0xfff0) != DISPI_ID_BASE) {
		klog(LOG_WARNING, "bochs: no dispi interface, id %#x", id);
		return (ENXIO);
	}
	bochs_backend.pa = bar.pb_base;
	bochs_backend.size = vram_size(&bar);
	bochs_backend.reserved = memview_reserve(bochs_backend.size);
	bochs_backend.size -= bochs_backend.reserved;
	return (fb_register(&bochs_backend));
}

/*
 * What the loader told us, in one form whichever loader it was: GRUB (multiboot2) or QEMU's -kernel
 * (PVH). boot/ fills it before kmain(), and nothing after kmain() looks at the loader's own
 * structures.
 */
#pragma once

#include "kern/types.h"

#define BOOT_MAX_MEM     64 /* ranges kept of the memory map; more are ignored with a warning */
#define BOOT_MAX_CPUS    64 /* processors noted; more are ignored */
#define BOOT_CMDLINE_MAX 8192 /* bytes with the NUL; a longer one is cut with a warning */

struct boot_mem {
	uint64_t start, end; /* bytes; usable RAM, sorted, not overlapping */
};

struct boot_fb { /* linear framebuffer; width 0 when there is none */
	uint64_t pa;
	uint32_t width, height, pitch, bpp;
	uint8_t red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
};

struct bootinfo {
	const char *loader; /* "multiboot2" or "pvh" */
	char cmdline[BOOT_CMDLINE_MAX];
	bool cmdline_cut, mem_cut;
	uint32_t nmem;
	struct boot_mem mem[BOOT_MAX_MEM];
	uint64_t initrd_start, initrd_end; /* physical; equal when there is none */
	struct boot_fb fb;
	uint64_t rsdp; /* physical, 0 when not told */
	/* From ACPI's MADT, or what is usual: the IOAPIC of the ISA interrupts, and how they
	 * reach it. */
	uint64_t ioapic_pa;
	uint32_t ncpus; /* that can be used, the one that boots included; 0: not told */
	uint32_t apic_ids[BOOT_MAX_CPUS];
	struct boot_irq {
		uint32_t gsi; /* input line of the IOAPIC */
		bool low, level; /* polarity and trigger mode */
	} irq[16];
};

extern struct bootinfo bootinfo;

/* Lists of ranges like bootinfo.mem, *n long. Both keep the list sorted and free of overlaps, and
 * return false when it would get longer than BOOT_MAX_MEM; what did not fit is left out. */
bool boot_mem_add(struct boot_mem *mem, uint32_t *n, uint64_t start, uint64_t end);
bool boot_mem_remove(struct boot_mem *mem, uint32_t *n, uint64_t start, uint64_t end);

/* A line on the serial port, from the time when there is no console yet, and the end of the
 * machine. */
void boot_die(const char *why) __noreturn;

/*
 * What the parts of boot/ share: a parser for each loader, and the helpers they fill bootinfo with.
 */
#pragma once

#include "boot/bootinfo.h"

/* Physical memory as the boot page tables show it: the first 4 GiB. */
#define BOOT_MAP(pa)   ((const void *)(0xffff800000000000ul + (uint64_t)(pa)))
#define BOOT_MAP_LIMIT (4ul << 30)

#define MULTIBOOT2_LOADER_MAGIC 0x36d76289

/* Fill bootinfo from the loader's structures at physical address pa, or boot_die. */
void multiboot2_parse(uint64_t pa);
void pvh_parse(uint64_t pa);
/* Fill in the interrupts from the tables at bootinfo.rsdp. */
void acpi_parse(void);

/* Called by entry.S on the boot stack. magic: what was in EAX, 0 for PVH; info: in EBX. */
void boot_main(uint32_t magic, uint32_t info) __noreturn;
/* In kernel/main.c: the rest of the system. */
void kmain(void) __noreturn;

/* One entry of the loader's memory map: call for all that is usable first, then for the rest. */
void boot_add_mem(uint64_t start, uint64_t len, bool usable);
void boot_set_cmdline(const char *text, uint64_t max);
void boot_set_initrd(uint64_t start, uint64_t end);

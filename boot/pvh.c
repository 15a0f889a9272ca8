/*
 * The boot information of the PVH protocol (Xen's hvm_start_info), which QEMU's -kernel speaks.
 */
#include "boot/boot.h"

#define PVH_MAGIC    0x336ec578
#define PVH_MEM_RAM  1
#define PVH_MMAP_MAX 4096 /* entries; a longer map is not believed */

struct pvh_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr;
	/* From version 1 on. */
	uint64_t memmap_paddr;
	uint32_t memmap_entries, reserved;
};
struct pvh_module {
	uint64_t paddr, size, cmdline_paddr, reserved;
};
struct pvh_memmap {
	uint64_t addr, size;
	uint32_t type, reserved;
};

/* len bytes at pa, or the end. */
static const void *
pvh_map(uint64_t pa, uint64_t len)
{
	if (pa == 0 || pa >= BOOT_MAP_LIMIT || len > BOOT_MAP_LIMIT - pa)
		boot_die("the PVH start information is garbled");
	return (BOOT_MAP(pa));
}

static void
parse_memmap(const struct pvh_memmap *map, uint32_t n, bool usable)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if ((map[i].type == PVH_MEM_RAM) == usable)
			boot_add_mem(map[i].addr, map[i].size, usable);
}

void
pvh_parse(uint64_t pa)
{
	const struct pvh_start_info *info = pvh_map(pa, sizeof(*info));
	const struct pvh_memmap *map;
	const struct pvh_module *module;

	bootinfo.loader = "pvh";
	if (info->magic != PVH_MAGIC)
		boot_die("the PVH start information is garbled");
	if (info->version < 1 || info->memmap_entries > PVH_MMAP_MAX)
		boot_die("the PVH loader gave no usable memory map");
	map = pvh_map(info->memmap_paddr, info->memmap_entries * sizeof(*map));
	parse_memmap(map, info->memmap_entries, true);
	parse_memmap(map, info->memmap_entries, false);
	if (info->cmdline_paddr != 0)
		boot_set_cmdline(pvh_map(info->cmdline_paddr, 1),
				 BOOT_MAP_LIMIT - info->cmdline_paddr);
	if (info->nr_modules > 0) {
		module = pvh_map(info->modlist_paddr, sizeof(*module));
		pvh_map(module->paddr, module->size);
		boot_set_initrd(module->paddr, module->paddr + module->size);
	}
	bootinfo.rsdp = info->rsdp_paddr;
}

/*
 * GRUB's boot information (Multiboot2 specification, chapter 3): a list of tags, each with a type
 * and a size, padded to 8 bytes. Every field is read only once it is known to lie inside its tag.
 */
#include "boot/boot.h"
#include "kern/string.h"

#define MB2_INFO_MAX (16u << 20) /* a larger list is not believed */

enum { TAG_END = 0, TAG_CMDLINE = 1, TAG_MODULE = 3, TAG_MMAP = 6, TAG_FB = 8 };
enum { TAG_RSDP_OLD = 14, TAG_RSDP_NEW = 15 };
enum { MMAP_AVAILABLE = 1, FB_RGB = 1 };

struct mb2_info {
	uint32_t total_size, reserved;
};
struct mb2_tag {
	uint32_t type, size;
};
struct mb2_module {
	struct mb2_tag tag;
	uint32_t start, end;
};
struct mb2_mmap_entry {
	uint64_t addr, len;
	uint32_t type, zero;
};
struct mb2_mmap {
	struct mb2_tag tag;
	uint32_t entry_size, entry_version;
};
struct mb2_fb {
	struct mb2_tag tag;
	uint64_t addr;
	uint32_t pitch, width, height;
	uint8_t bpp, type;
	uint16_t reserved;
	uint8_t red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
} __packed;

/* The RSDP comes as a copy inside the list, which will be overwritten: keep one. */
static uint8_t rsdp[64] __aligned_to(16);

static void
parse_mmap(const struct mb2_mmap *map, bool usable)
{
	const struct mb2_mmap_entry *e;
	uint32_t off;

	if (map->tag.size < sizeof(*map) || map->entry_size < sizeof(*e))
		boot_die("GRUB's memory map is garbled");
	for (off = sizeof(*map); map->tag.size - off >= map->entry_size; off += map->entry_size) {
		e = (const void *)((const char *)map + off);
		if ((e->type == MMAP_AVAILABLE) == usable)
			boot_add_mem(e->addr, e->len, usable);
	}
}

static void
parse_fb(const struct mb2_fb *fb)
{
	if (fb->tag.size < sizeof(*fb) || fb->type != FB_RGB || fb->height == 0 ||
	    fb->pitch < (uint64_t)fb->width * ((fb->bpp + 7) / 8) ||
	    fb->addr + (uint64_t)fb->pitch * fb->height < fb->addr)
		return;
	bootinfo.fb = (struct boot_fb){fb->addr,       fb->width,    fb->height,   fb->pitch,
				       fb->bpp,        fb->red_pos,  fb->red_size, fb->green_pos,
				       fb->green_size, fb->blue_pos, fb->blue_size};
}

static void
parse_rsdp(const struct mb2_tag *tag)
{
	uint64_t len = MIN(tag->size - sizeof(*tag), sizeof(rsdp));

	/* The new one (type 15) has the 64-bit address and wins. */
	if (bootinfo.rsdp != 0 && tag->type == TAG_RSDP_OLD)
		return;
	memset(rsdp, 0, sizeof(rsdp));
	memcpy(rsdp, tag + 1, len);
	bootinfo.rsdp = (uint64_t)rsdp - 0xffffffff80000000ul;
}

static void
parse_tag(const struct mb2_tag *tag)
{
	const struct mb2_module *module = (const void *)tag;

	switch (tag->type) {
	case TAG_CMDLINE:
		boot_set_cmdline((const char *)(tag + 1), tag->size - sizeof(*tag));
		break;
	case TAG_MODULE:
		if (tag->size < sizeof(*module))
			boot_die("GRUB's description of the initrd is garbled");
		if (bootinfo.initrd_end == 0)
			boot_set_initrd(module->start, module->end);
		break;
	case TAG_MMAP:
		parse_mmap((const void *)tag, true);
		parse_mmap((const void *)tag, false);
		break;
	case TAG_FB:
		parse_fb((const void *)tag);
		break;
	case TAG_RSDP_OLD:
	case TAG_RSDP_NEW:
		parse_rsdp(tag);
		break;
	}
}

void
multiboot2_parse(uint64_t pa)
{
	const struct mb2_info *info = BOOT_MAP(pa);
	const struct mb2_tag *tag;
	uint32_t off;

	bootinfo.loader = "multiboot2";
	if (pa % 8 != 0 || info->total_size > MB2_INFO_MAX ||
	    pa + info->total_size > BOOT_MAP_LIMIT)
		boot_die("GRUB's boot information is garbled");
	for (off = sizeof(*info);; off += roundup2(tag->size, 8)) {
		tag = (const void *)((const char *)info + off);
		if (off > info->total_size || info->total_size - off < sizeof(*tag) ||
		    tag->size < sizeof(*tag) || tag->size > info->total_size - off)
			boot_die("GRUB's boot information is garbled");
		if (tag->type == TAG_END)
			return;
		parse_tag(tag);
	}
}

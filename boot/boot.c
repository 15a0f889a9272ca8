/*
 * The first C code: has the loader's information parsed into bootinfo, and calls kmain(). Owns
 * bootinfo and the lists of memory ranges.
 */
#include "boot/boot.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/string.h"

#define PAGE       4096ul
#define COM1       0x3f8
#define LSR_THRE   0x20 /* the transmitter takes a character */
#define SPIN_LIMIT 100000 /* polls of a serial port that may not be there */

struct bootinfo bootinfo;

static void
serial_text(const char *text)
{
	int spin;

	for (; *text != '\0'; text++) {
		for (spin = 0; (inb(COM1 + 5) & LSR_THRE) == 0 && spin < SPIN_LIMIT; spin++)
			continue;
		outb(COM1, *text);
	}
}

void
boot_die(const char *why)
{
	serial_text("quire: ");
	serial_text(why);
	serial_text("\r\n");
	machine_panic_exit();
}

/* Make room for one range at index i; false if the list is full. */
static bool
mem_insert(struct boot_mem *mem, uint32_t *n, uint32_t i, uint64_t start, uint64_t end)
{
	if (*n == BOOT_MAX_MEM)
		return (false);
	memmove(&mem[i + 1], &mem[i], (*n - i) * sizeof(mem[0]));
	mem[i] = (struct boot_mem){start, end};
	(*n)++;
	return (true);
}

static void
mem_delete(struct boot_mem *mem, uint32_t *n, uint32_t i)
{
	(*n)--;
	memmove(&mem[i], &mem[i + 1], (*n - i) * sizeof(mem[0]));
}

bool
boot_mem_add(struct boot_mem *mem, uint32_t *n, uint64_t start, uint64_t end)
{
	uint32_t i;

	for (i = 0; i < *n && mem[i].end < start; i++)
		continue;
	/* Swallow all that touches it. */
	while (i < *n && mem[i].start <= end) {
		start = MIN(start, mem[i].start);
		end = MAX(end, mem[i].end);
		mem_delete(mem, n, i);
	}
	return (mem_insert(mem, n, i, start, end));
}

bool
boot_mem_remove(struct boot_mem *mem, uint32_t *n, uint64_t start, uint64_t end)
{
	uint64_t old_end;
	uint32_t i;

	for (i = 0; i < *n && mem[i].start < end; i++) {
		if (mem[i].end <= start)
			continue;
		old_end = mem[i].end;
		if (mem[i].start < start)
			mem[i].end = start;
		else
			mem_delete(mem, n, i--);
		if (old_end > end)
			return (mem_insert(mem, n, i + 1, end, old_end));
	}
	return (true);
}

void
boot_add_mem(uint64_t start, uint64_t len, bool usable)
{
	uint64_t end = start + len;
	bool fits;

	if (len == 0 || end < start || end > (1ul << 52))
		return;
	if (usable) {
		start = roundup2(start, PAGE);
		end = rounddown2(end, PAGE);
		if (start >= end)
			return;
		fits = boot_mem_add(bootinfo.mem, &bootinfo.nmem, start, end);
	} else {
		/* Where the map contradicts itself, a reserved page is not ours. */
		fits = boot_mem_remove(bootinfo.mem, &bootinfo.nmem, rounddown2(start, PAGE),
				       roundup2(end, PAGE));
	}
	if (!fits)
		bootinfo.mem_cut = true;
}

void
boot_set_cmdline(const char *text, uint64_t max)
{
	uint64_t len = strnlen(text, max);

	if (len >= BOOT_CMDLINE_MAX) {
		len = BOOT_CMDLINE_MAX - 1;
		bootinfo.cmdline_cut = true;
	}
	memcpy(bootinfo.cmdline, text, len);
	bootinfo.cmdline[len] = '\0';
}

void
boot_set_initrd(uint64_t start, uint64_t end)
{
	if (end < start || end > BOOT_MAP_LIMIT)
		boot_die("the loader's description of the initrd is garbled");
	bootinfo.initrd_start = start;
	bootinfo.initrd_end = end;
}

/* The initrd must be RAM, or reading it would fault later. */
static void
check_initrd(void)
{
	uint32_t i;

	if (bootinfo.initrd_start == bootinfo.initrd_end)
		return;
	for (i = 0; i < bootinfo.nmem; i++)
		if (bootinfo.mem[i].start <= bootinfo.initrd_start &&
		    bootinfo.initrd_end <= bootinfo.mem[i].end)
			return;
	boot_die("the initrd lies outside of the memory that the loader reports");
}

void
boot_main(uint32_t magic, uint32_t info)
{
	if (info == 0)
		boot_die("the loader gave no boot information");
	if (magic == MULTIBOOT2_LOADER_MAGIC)
		multiboot2_parse(info);
	else if (magic == 0)
		pvh_parse(info);
	else
		boot_die("not started by a multiboot2 loader (in GRUB: multiboot2, not multiboot)");
	if (bootinfo.nmem == 0)
		boot_die("the loader reported no usable memory");
	check_initrd();
	acpi_parse();
	kmain();
}

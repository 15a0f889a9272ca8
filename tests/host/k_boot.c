/* boot/boot.c, with the parsers it would call left out: the tests use its lists of memory only. */
#include "k_names.h"
#include "boot/boot.c"

void
multiboot2_parse(uint64_t pa)
{
	(void)pa;
}

void
pvh_parse(uint64_t pa)
{
	(void)pa;
}

void
acpi_parse(void)
{
}

void
kmain(void)
{
	__builtin_trap();
}

void
machine_panic_exit(void)
{
	__builtin_trap();
}

/*
 * Looks kernel addresses up in the symbol table that the build generates.
 */
#include "kern/ksyms.h"

/* Weak: the first link pass, whose result the table is made from, has none. */
extern const struct ksym ksym_table[] __attribute__((weak));
extern const uint32_t ksym_count __attribute__((weak));
extern const char ksym_names[] __attribute__((weak));

const char *
ksym_lookup(uint64_t addr, uint64_t *offset)
{
	uint32_t low = 0, high, mid;

	if (&ksym_count == NULL || ksym_count == 0 || addr < ksym_table[0].addr)
		return (NULL);
	for (high = ksym_count; high - low > 1;) {
		mid = low + (high - low) / 2;
		if (ksym_table[mid].addr <= addr)
			low = mid;
		else
			high = mid;
	}
	*offset = addr - ksym_table[low].addr;
	return (ksym_names + ksym_table[low].name_offset);
}

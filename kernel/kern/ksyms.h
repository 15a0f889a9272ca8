/*
 * Names for kernel addresses, for backtraces. The table is generated from the linked kernel and
 * linked in by a second pass; without it nothing has a name.
 */
#pragma once

#include "kern/types.h"

struct ksym { /* sorted by address */
	uint64_t addr;
	uint32_t name_offset; /* in ksym_names */
	uint32_t pad;
};

/* The function that contains addr and how far into it that is; NULL when not known. */
const char *ksym_lookup(uint64_t addr, uint64_t *offset);

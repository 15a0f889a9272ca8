/*
 * Wall time: monotonic time (cpu_now) plus an offset that the real-time clock's driver sets.
 */
#pragma once

#include "kern/types.h"

/* The wall clock reads ns (since 1970, UTC) now. */
void clock_set_wall(uint64_t ns_since_1970);
/* ns since 1970; since boot if nobody has set it. */
uint64_t clock_wall(void);

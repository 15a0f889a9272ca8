/*
 * Wall time.
 */
#include "kern/clock.h"
#include "kern/machdep.h"
#include "kern/random.h"

static uint64_t wall_at_boot; /* atomic: ns since 1970 when cpu_now() was 0 */

void
clock_set_wall(uint64_t ns_since_1970)
{
	__atomic_store_n(&wall_at_boot, ns_since_1970 - cpu_now(), __ATOMIC_RELAXED);
	random_stir(&ns_since_1970, sizeof(ns_since_1970));
}

uint64_t
clock_wall(void)
{
	return (__atomic_load_n(&wall_at_boot, __ATOMIC_RELAXED) + cpu_now());
}

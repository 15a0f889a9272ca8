/*
 * The generator behind jitter.h: splitmix64. Owns its state.
 */
#include "kern/jitter.h"
#include "kern/log.h"
#include "kern/main.h"
#include "kern/sysctl.h"

bool jitter_on;
static uint64_t state; /* (a) */

void
jitter_init(void)
{
	const char *text = cmdline_get("jitter");
	uint32_t seed;

	if (text == NULL)
		return;
	if (sysctl_store_uint(text, UINT32_MAX, &seed) != 0) {
		klog(LOG_WARNING, "jitter=%s: not a number", text);
		return;
	}
	state = seed;
	jitter_on = true;
}

uint64_t
jitter_below(uint64_t n)
{
	uint64_t z = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15ul, __ATOMIC_RELAXED);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ul;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebul;
	return ((z ^ (z >> 31)) % n);
}

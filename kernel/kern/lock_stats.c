/*
 * Which locks are fought over: /proc/quire/locks, a line for each name that anybody had to wait for.
 * Only who waits counts, so a lock that is free costs nothing.
 */
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/sysctl.h"

#define NAMES 128 /* more than there are: those that find no room are counted nowhere */

/* All (a) atomic. */
static struct {
	const char *name; /* NULL: free, from then on constant */
	uint64_t spun, slept;
} waits[NAMES];

void
lock_waited(const char *name, bool slept)
{
	size_t i = ((uintptr_t)name >> 3) % NAMES;
	const char *old;

	for (size_t tries = 0; tries < NAMES; tries++, i = (i + 1) % NAMES) {
		old = NULL;
		if (__atomic_compare_exchange_n(&waits[i].name, &old, name, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED) ||
		    old == name) {
			__atomic_fetch_add(slept ? &waits[i].slept : &waits[i].spun, 1,
					   __ATOMIC_RELAXED);
			return;
		}
	}
}

static int
locks_show(char *buf, size_t size)
{
	int len = ksnprintf(buf, size, "%-24s %12s %12s\n", "lock", "spun", "slept");

	for (size_t i = 0; i < NAMES; i++)
		if (waits[i].name != NULL)
			len += ksnprintf(buf + MIN((size_t)len, size),
					 size - MIN((size_t)len, size), "%-24s %12lu %12lu\n",
					 waits[i].name, waits[i].spun, waits[i].slept);
	return (len);
}
SYSCTL(lock_waits, "/quire/locks", locks_show, NULL);

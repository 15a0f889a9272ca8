/*
 * Knobs that are plain numbers.
 */
#include "kern/sysctl.h"
#include "kern/errno.h"
#include "kern/log.h"

int
sysctl_show_uint(char *buf, size_t size, uint32_t value)
{
	return (ksnprintf(buf, size, "%u\n", value));
}

int
sysctl_store_uint(const char *text, uint32_t max, uint32_t *value)
{
	uint64_t n = 0;

	if (*text == '\0')
		return (EINVAL);
	for (; *text >= '0' && *text <= '9' && n <= max; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	if (*text != '\0' || n > max)
		return (EINVAL);
	__atomic_store_n(value, (uint32_t)n, __ATOMIC_RELAXED);
	return (0);
}

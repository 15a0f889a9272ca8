/*
 * The kernel's counts for a test program: /proc/quire/stats, faults, and whether what was taken was
 * given back.
 */
#pragma once

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What must be the same before and after. */
static const char *const gauge_names[] = {
    "pages_free", "pages_wired", "pages_active",  "pages_inactive", "pages_busied",
    "objects",    "map_entries", "pv_entries",    "pt_pages",       "vnodes",
    "files",      "threads",     "kmalloc_bytes", "kmalloc_pages",
};
#define GAUGES (sizeof(gauge_names) / sizeof(gauge_names[0]))

struct gauges {
	unsigned long value[GAUGES];
};

/* The number after name in a file of lines; 0 if it is not there. */
static inline unsigned long
number_in(const char *path, const char *name)
{
	static char buf[16384];
	int fd = open(path, O_RDONLY);
	size_t n = 0, len = strlen(name);
	ssize_t r;

	if (fd < 0)
		return (0);
	while (n < sizeof(buf) - 1 && (r = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += (size_t)r;
	buf[n] = '\0';
	close(fd);
	for (char *line = buf; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && strchr(" :\t", line[len]) != NULL)
			return (strtoul(line + len + 1, NULL, 10));
	}
	return (0);
}

static inline unsigned long
stat_of(const char *name)
{
	return (number_in("/proc/quire/stats", name));
}

static inline struct gauges
gauges_now(void)
{
	struct gauges g;

	for (size_t i = 0; i < GAUGES; i++)
		g.value[i] = stat_of(gauge_names[i]);
	return (g);
}

/* A slab that was empty before may have been given back meanwhile: pages more free are no loss. */
static inline bool
is_given_back(const char *name, unsigned long before, unsigned long now)
{
	return (strcmp(name, "pages_free") == 0      ? now > before
		: strcmp(name, "kmalloc_pages") == 0 ? now < before
						     : false);
}

/* A line for each count that is not what it was. */
static inline void
gauges_check(const struct gauges *before)
{
	struct gauges now = gauges_now();

	for (size_t i = 0; i < GAUGES; i++)
		if (now.value[i] != before->value[i] &&
		    !is_given_back(gauge_names[i], before->value[i], now.value[i]))
			printf("lost: %s was %lu, is %lu\n", gauge_names[i], before->value[i],
			       now.value[i]);
}

static inline long
faults_so_far(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (ru.ru_minflt + ru.ru_majflt);
}

/*
 * Knobs and counters by name: /proc/sys/<name with slashes> and the lines of /proc/quire/stats.
 * A module declares them beside the variable; linker sets gather them.
 */
#pragma once

#include "kern/types.h"

struct sysctl {
	const char
	    *sc_path; /* below /proc/sys, e.g. "dev/fb/populate"; below /proc with a "/" in front */
	/* Write the value as text with a newline into buf (size bytes, at least 512); returns its
	 * length. If that is size or more it is called again with more room. */
	int (*sc_show)(char *buf, size_t size);
	/* Set from NUL-terminated text without its newline; 0 or an errno. NULL: read-only
	 * (EACCES). */
	int (*sc_store)(const char *text);
};
#define SYSCTL(sym, path, show, store)                        \
	static const struct sysctl sym = {path, show, store}; \
	SET_ENTRY(sysctl, sym)

/* One that cannot be changed, and says what a format and its arguments do. */
#define SYSCTL_TEXT(sym, path, ...)                         \
	static int sym##_show(char *buf, size_t size)       \
	{                                                   \
		return (ksnprintf(buf, size, __VA_ARGS__)); \
	}                                                   \
	SYSCTL(sysctl_##sym, path, sym##_show, NULL)

/* A variable of decimal value 0 .. max; EINVAL for anything else. */
int sysctl_show_uint(char *buf, size_t size, uint32_t value);
int sysctl_store_uint(const char *text, uint32_t max, uint32_t *value);
#define SYSCTL_UINT(sym, path, variable, max) SYSCTL_UINT_THEN(sym, path, variable, max, (void)0)
/* The same; what is to be done once it has been set. */
#define SYSCTL_UINT_THEN(sym, path, variable, max, then)               \
	static int sym##_show(char *buf, size_t size)                  \
	{                                                              \
		return (sysctl_show_uint(buf, size, variable));        \
	}                                                              \
	static int sym##_store(const char *text)                       \
	{                                                              \
		int error = sysctl_store_uint(text, max, &(variable)); \
                                                                       \
		if (error == 0)                                        \
			then;                                          \
		return (error);                                        \
	}                                                              \
	SYSCTL(sysctl_##sym, path, sym##_show, sym##_store)

struct stat_counter {
	const char *st_name;
	const uint64_t *st_value;
	uint64_t (*st_read)(const uint64_t *value); /* how it is read, if not as it stands */
};
/* A line "name value" of /proc/quire/stats. */
#define STAT(name, value) STAT_SUM(name, value, NULL)
#define STAT_SUM(name, value, read)                                             \
	static const struct stat_counter stat_##name = {#name, &(value), read}; \
	SET_ENTRY(stats, stat_##name)

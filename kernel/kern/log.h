/*
 * The kernel's log: a ring of text (what dmesg shows), copied to the console as far as the
 * console's level lets it through. Safe from any context, interrupts and panic included.
 */
#pragma once

#include "kern/types.h"
#include <stdarg.h>

enum log_level { LOG_ERR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

/* Formats as printf does (d i u x X p s c % with flags, width, precision, l, z); returns the length
 * it would have had. */
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int ksnprintf(char *buf, size_t size, const char *fmt, ...) __printf_like(3, 4);

/* Reads the `loglevel=` option: 0-7, default 4. */
void log_init(void);
/* One line, without the newline. Shown on the console when level <= the `loglevel=` option. */
void klog(enum log_level level, const char *fmt, ...) __printf_like(2, 3);

#define LOG_SIZE (64u << 10) /* bytes kept; a power of two */
/* Bytes that were ever logged. */
uint64_t log_written(void);
/* What the console shows from now on, whatever the option said; and whether it shows anything. */
void log_console_level(int level);
void log_console_mute(bool mute);

/* Copies up to size bytes of the ring, oldest first, from offset; returns how many. */
size_t log_read(char *buf, size_t size, size_t offset);

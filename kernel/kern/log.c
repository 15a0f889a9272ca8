/*
 * The log: a ring of text lines with the time since boot, copied to the console by level.
 */
#include "kern/log.h"
#include "kern/console.h"
#include "kern/lock.h"
#include "kern/machdep.h"
#include "kern/main.h"

#define LOG_LINE 512 /* longest line with its time; the rest is cut */

static struct mtx log_lock = MTX_INITIALIZER("log", LR_LOG);
static char ring[LOG_SIZE]; /* log_lock */
static uint64_t written; /* log_lock: bytes ever; the next goes to ring[written % LOG_SIZE] */
static int console_level = LOG_WARNING; /* atomic */
static bool console_muted; /* atomic */

void
log_init(void)
{
	const char *text = cmdline_get("loglevel");

	if (text == NULL)
		return;
	if (text[0] < '0' || text[0] > '7' || text[1] != '\0')
		klog(LOG_WARNING, "loglevel=%s: not a number from 0 to 7", text);
	else
		console_level = text[0] - '0';
}

void
klog(enum log_level level, const char *fmt, ...)
{
	uint64_t us = cpu_now() / 1000;
	char line[LOG_LINE];
	va_list ap;
	int start, len;

	start = ksnprintf(line, sizeof(line), "[%5lu.%06lu] ", us / 1000000, us % 1000000);
	va_start(ap, fmt);
	len = start + kvsnprintf(line + start, sizeof(line) - (size_t)start - 1, fmt, ap);
	va_end(ap);
	len = MIN(len, LOG_LINE - 2);
	/* Names that come from a program or an archive must not make lines of their own. */
	for (int i = start; i < len; i++)
		if ((uint8_t)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';

	mtx_lock(&log_lock);
	for (int i = 0; i < len; i++)
		ring[written++ % LOG_SIZE] = line[i];
	mtx_unlock(&log_lock);
	if ((int)level <= console_level && !console_muted)
		console_write(line, (size_t)len);
}

uint64_t
log_written(void)
{
	uint64_t n;

	mtx_lock(&log_lock);
	n = written;
	mtx_unlock(&log_lock);
	return (n);
}

void
log_console_level(int level)
{
	console_level = level;
}

void
log_console_mute(bool mute)
{
	console_muted = mute;
}

size_t
log_read(char *buf, size_t size, size_t offset)
{
	uint64_t first;
	size_t n = 0;

	mtx_lock(&log_lock);
	first = written > LOG_SIZE ? written - LOG_SIZE : 0;
	if (offset < written - first)
		n = MIN(size, written - first - offset);
	for (size_t i = 0; i < n; i++)
		buf[i] = ring[(first + offset + i) % LOG_SIZE];
	mtx_unlock(&log_lock);
	return (n);
}

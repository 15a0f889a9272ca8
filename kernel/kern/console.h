/*
 * The console: where the log and /dev/console go. Drivers attach sinks (serial, screen) and feed it
 * the characters typed; it does the little line editing there is (canonical mode, echo).
 */
#pragma once

#include "kern/types.h"
#include <sys/queue.h>

struct console_sink {
	TAILQ_ENTRY(console_sink) cs_link; /* the console's lock */
	const char *cs_name; /* (c) */
	/* Called with interrupts off; must not sleep. */
	void (*cs_write)(const char *text, size_t len);
	/* Take the hardware back from whoever owns it, for a panic; may be NULL. */
	void (*cs_panic)(void);
	bool
	    cs_report_only; /* (c) takes panic reports in place of sinks with cs_serial (debugcon) */
	bool cs_serial; /* (c) */
};
void console_attach(struct console_sink *sink);
/* Text to all sinks ('\n' is sent as it is; a serial sink adds '\r' itself if it wants). */
void console_write(const char *text, size_t len);
/* For the report of a panic: to the report-only sink if there is one, else serial; and the
 * screen. */
void console_report(const char *fmt, ...) __printf_like(1, 2);
/* A panic begins: every sink takes its hardware back (cs_panic). */
void console_panic(void);
/* From a receive interrupt. */
void console_input(char c);
/* A line (or what there is before ^D) into buf; sleeps. Returns 0 and *len, or EINTR. */
int console_read(char *buf, size_t size, size_t *len);

/*
 * The console: where the log goes, and the terminal /dev/console, on which the first program runs.
 * Drivers attach sinks (serial port, screen). What a program writes to /dev/console goes to all of
 * them, in the same order on each; what is typed at any of them it reads, unless somebody has
 * opened that one's own terminal (/dev/ttyS0, /dev/tty1): then it is theirs.
 */
#pragma once

#include "kern/types.h"
#include <sys/queue.h>

struct file;

/* Methods but cs_write may be NULL. */
struct console_sink {
	TAILQ_ENTRY(console_sink) cs_link; /* the console's lock */
	/* Text as a terminal takes it. Called with interrupts off; must not sleep. */
	void (*cs_write)(const char *text, size_t len);
	/* Show what was written. May_wait: it may be put off while much comes; then true is returned,
	 * and cs_later is to be called without any lock. The console's lock is held. */
	bool (*cs_draw)(bool may_wait);
	void (*cs_later)(void);
	/* What was put off; the console's lock is held. */
	void (*cs_flush)(void);
	/* Take the hardware back from whoever owns it, for a panic. */
	void (*cs_panic)(void);
	/* What the screen has to say to the program (its answers to questions), up to size bytes;
	 * the console's lock is held. */
	size_t (*cs_answer)(char *buf, size_t size);
	/* Input that console_input did not take may come again. */
	void (*cs_resume)(void);
	/* Ioctls of /dev/console that are about the screen; ENOTTY. */
	int (*cs_ioctl)(struct file *fp, uint64_t cmd, uint64_t arg);
	bool
	    cs_report_only; /* (c) takes panic reports in place of sinks with cs_serial (debugcon) */
	bool cs_serial; /* (c) */
};
void console_attach(struct console_sink *sink);
/* The console's lock, which also protects the state of screens: a spin lock, ranked as the log's. */
void console_lock(void);
void console_unlock(void);

/* The kernel's text to all sinks; '\n' ends a line. */
void console_write(const char *text, size_t len);
/* Show what was put off. */
void console_flush(void);
/* For the report of a panic: to the report-only sink if there is one, else serial; and the
 * screen. */
void console_report(const char *fmt, ...) __printf_like(1, 2);
/* A panic begins: every sink takes its hardware back (cs_panic). */
void console_panic(void);

/* What is typed, as tty_rint. */
bool console_input(const char *text, size_t len);
/* The console's size, unless the command line has given one. */
void console_set_size(uint32_t rows, uint32_t columns);
/* Start-up: /dev/console, once there is /dev. */
void console_init(void);
/* Curproc's session, which has no terminal, gets this one. */
void console_claim(void);

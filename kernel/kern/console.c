/*
 * The console: text out to every sink, and characters in through a small line editor.
 */
#include "kern/console.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/string.h"

#define INPUT_SIZE 4096u /* typed and not read yet; a power of two. What does not fit is dropped */
#define CTRL_D     ('D' & 0x1f) /* in the buffer too: the line ends here, without a newline */
#define CTRL_U     ('U' & 0x1f)
#define DELETE     0x7f

/* Locks: (c) console_lock, ranked as the log, for it may be written to from anywhere; (t)
 * tty_lock. */
static struct mtx console_lock = MTX_INITIALIZER("console", LR_LOG);
static TAILQ_HEAD(, console_sink) sinks = TAILQ_HEAD_INITIALIZER(sinks); /* (c) */

static struct mtx tty_lock = MTX_INITIALIZER("tty", LR_LEAF);
static struct {
	char buf[INPUT_SIZE]; /* (t) indexed by these, modulo its size: */
	uint32_t read; /* (t) next to read */
	uint32_t lines; /* (t) end of the finished lines */
	uint32_t end; /* (t) end of the line being typed */
} input;

void
console_attach(struct console_sink *sink)
{
	mtx_lock(&console_lock);
	TAILQ_INSERT_TAIL(&sinks, sink, cs_link);
	mtx_unlock(&console_lock);
}

void
console_write(const char *text, size_t len)
{
	struct console_sink *sink;

	mtx_lock(&console_lock);
	TAILQ_FOREACH (sink, &sinks, cs_link)
		if (!sink->cs_report_only)
			sink->cs_write(text, len);
	mtx_unlock(&console_lock);
}

/* In a panic nobody else runs, and the lock may be held for good: the list is walked without. */
void
console_report(const char *fmt, ...)
{
	struct console_sink *sink;
	bool report_sink = false;
	char text[512];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = kvsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	len = MIN(len, (int)sizeof(text) - 1);
	TAILQ_FOREACH (sink, &sinks, cs_link)
		report_sink |= sink->cs_report_only;
	TAILQ_FOREACH (sink, &sinks, cs_link)
		if (!sink->cs_serial || !report_sink)
			sink->cs_write(text, (size_t)len);
}

void
console_panic(void)
{
	struct console_sink *sink;

	TAILQ_FOREACH (sink, &sinks, cs_link)
		if (sink->cs_panic != NULL)
			sink->cs_panic();
}

static void
input_erase(void)
{
	if (input.end == input.lines)
		return;
	input.end--;
	console_write("\b \b", 3);
}

/* Add c to the line. In a full buffer what finishes the line takes the place of its last
 * character, if there is one, so that a line too long can be ended. */
static void
input_put(char c, bool finish)
{
	if (input.end - input.read == INPUT_SIZE) {
		if (!finish || input.end == input.lines)
			return;
		input.end--;
	}
	input.buf[input.end++ % INPUT_SIZE] = c;
	if (c != CTRL_D)
		console_write(&c, 1);
	if (finish) {
		input.lines = input.end;
		wakeup(&input);
	}
}

void
console_input(char c)
{
	mtx_lock(&tty_lock);
	if (c == '\r' || c == '\n')
		input_put('\n', true);
	else if (c == CTRL_D)
		input_put(c, true);
	else if (c == '\b' || c == DELETE)
		input_erase();
	else if (c == CTRL_U)
		while (input.end != input.lines)
			input_erase();
	else if ((uint8_t)c >= ' ' || c == '\t')
		input_put(c, false);
	mtx_unlock(&tty_lock);
}

int
console_read(char *buf, size_t size, size_t *len)
{
	char c = '\0';
	int error;

	mtx_lock(&tty_lock);
	while (input.read == input.lines) {
		error = mtx_sleep(&input, &tty_lock, SLEEP_KILL, 0);
		if (error != 0)
			return (error);
		mtx_lock(&tty_lock);
	}
	for (*len = 0; *len < size && input.read != input.lines && c != '\n';) {
		c = input.buf[input.read++ % INPUT_SIZE];
		if (c == CTRL_D)
			break;
		buf[(*len)++] = c;
	}
	mtx_unlock(&tty_lock);
	return (0);
}

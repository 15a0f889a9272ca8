/*
 * The console: the kernel's text and /dev/console's output to every sink, their input to
 * /dev/console. Owns the list of sinks, and the terminal.
 */
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/main.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "kern/tty.h"

#define CHUNK 256 /* bytes written with interrupts off */

/* Locks: (c) console_mtx, ranked as the log, for it may be written to from anywhere. */
static struct mtx console_mtx = MTX_INITIALIZER("console", LR_LOG);
static TAILQ_HEAD(, console_sink) sinks = TAILQ_HEAD_INITIALIZER(sinks); /* (c) */

static struct tty console_tty;
static bool ready; /* constant once console_init has run */
static bool sized; /* constant once console_init has run: the command line gave the size */

void
console_attach(struct console_sink *sink)
{
	console_lock();
	TAILQ_INSERT_TAIL(&sinks, sink, cs_link);
	console_unlock();
}

void
console_lock(void)
{
	mtx_lock(&console_mtx);
}

void
console_unlock(void)
{
	mtx_unlock(&console_mtx);
}

/* Text of the kernel's: a terminal wants a carriage return before each newline, a report not. */
static void
sink_text(struct console_sink *sink, const char *text, size_t len)
{
	const char *end = text + len, *line;

	for (; text < end && !sink->cs_report_only; text = line) {
		for (line = text; line < end && *line != '\n';)
			line++;
		sink->cs_write(text, (size_t)(line - text));
		if (line < end) {
			sink->cs_write("\r\n", 2);
			line++;
		}
	}
	if (text < end)
		sink->cs_write(text, len);
	if (sink->cs_draw != NULL)
		sink->cs_draw(false);
}

void
console_write(const char *text, size_t len)
{
	struct console_sink *sink;

	console_lock();
	TAILQ_FOREACH (sink, &sinks, cs_link)
		if (!sink->cs_report_only)
			sink_text(sink, text, len);
	console_unlock();
}

void
console_flush(void)
{
	struct console_sink *sink;

	console_lock();
	TAILQ_FOREACH (sink, &sinks, cs_link)
		if (sink->cs_flush != NULL)
			sink->cs_flush();
	console_unlock();
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
			sink_text(sink, text, (size_t)len);
}

void
console_panic(void)
{
	struct console_sink *sink;

	TAILQ_FOREACH (sink, &sinks, cs_link)
		if (sink->cs_panic != NULL)
			sink->cs_panic();
}

/* --- /dev/console ----------------------------------------------------------------------------- */

bool
console_input(const char *text, size_t len)
{
	return (!ready || tty_rint(&console_tty, text, len)); /* too early: nobody will read it */
}

/* One chunk to every sink, and what they answer. */
static void
write_chunk(const char *text, size_t len)
{
	struct console_sink *sink, *put_off = NULL; /* there is one screen at most */
	char answer[64];
	size_t n = 0;

	console_lock();
	TAILQ_FOREACH (sink, &sinks, cs_link) {
		if (!sink->cs_report_only)
			sink->cs_write(text, len);
		if (sink->cs_draw != NULL && sink->cs_draw(true))
			put_off = sink;
		if (sink->cs_answer != NULL)
			n += sink->cs_answer(answer + n, sizeof(answer) - n);
	}
	console_unlock();
	if (put_off != NULL)
		put_off->cs_later();
	/* With a terminal at the serial line it is that one who answers. */
	if (n > 0 && !sized)
		tty_rint(&console_tty, answer, n);
}

static void
console_outwakeup(struct tty *tp)
{
	char buf[CHUNK];
	size_t n;

	while ((n = tty_getout(tp, buf, sizeof(buf))) > 0)
		write_chunk(buf, n);
}

static void
console_inwakeup(struct tty *tp __unused)
{
	struct console_sink *sink;

	TAILQ_FOREACH (sink, &sinks, cs_link) /* complete by now */
		if (sink->cs_resume != NULL)
			sink->cs_resume();
}

static int
console_ioctl(struct tty *tp __unused, struct file *fp, uint64_t cmd, uint64_t arg)
{
	struct console_sink *sink;
	int error = ENOTTY;

	TAILQ_FOREACH (sink, &sinks, cs_link)
		if (sink->cs_ioctl != NULL && error == ENOTTY)
			error = sink->cs_ioctl(fp, cmd, arg);
	return (error);
}

static const struct ttydevsw console_ttysw = {
    .tsw_outwakeup = console_outwakeup,
    .tsw_inwakeup = console_inwakeup,
    .tsw_ioctl = console_ioctl,
};

static int
console_open(void *softc, struct file *fp)
{
	return (tty_file_open(softc, fp, true));
}

void
console_set_size(uint32_t rows, uint32_t columns)
{
	struct winsize ws = {.ws_row = (uint16_t)rows, .ws_col = (uint16_t)columns};

	if (ready && !sized)
		tty_set_winsize(&console_tty, &ws);
}

/* "ROWSxCOLUMNS" */
static bool
parse_size(const char *text, struct winsize *ws)
{
	const char *x = strchr(text, 'x');
	uint32_t rows, columns;
	char first[8];

	if (x == NULL)
		return (false);
	strlcpy(first, text, MIN(sizeof(first), (size_t)(x - text) + 1));
	if (sysctl_store_uint(first, UINT16_MAX, &rows) != 0 ||
	    sysctl_store_uint(x + 1, UINT16_MAX, &columns) != 0 || rows == 0 || columns == 0)
		return (false);
	*ws = (struct winsize){.ws_row = (uint16_t)rows, .ws_col = (uint16_t)columns};
	return (true);
}

void
console_claim(void)
{
	tty_open_session(&console_tty);
}

void
console_init(void)
{
	static const struct cdevsw sw = TTY_CDEVSW(console_open);
	static struct cdev dev = {.cd_name = "console",
				  .cd_sw = &sw,
				  .cd_softc = &console_tty,
				  .cd_major = 5,
				  .cd_minor = 1,
				  .cd_mode = 0600};
	const char *size = cmdline_get("console.size");

	if (tty_init(&console_tty, &console_ttysw, NULL, dev.cd_major, dev.cd_minor) != 0)
		panic("no memory for the console: give the machine more (--mem)");
	console_tty.t_winsize = (struct winsize){.ws_row = 25, .ws_col = 80};
	if (size != NULL)
		sized = parse_size(size, &console_tty.t_winsize);
	if (size != NULL && !sized)
		klog(LOG_WARNING, "console.size=%s: not ROWSxCOLUMNS", size);
	ready = true;
	cdev_register(&dev);
}

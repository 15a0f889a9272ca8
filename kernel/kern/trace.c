/*
 * The trace's ring; see trace.h.
 */
#include "kern/trace.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/sysctl.h"

#define TRACE_MAGIC   "QTRACE1"
#define TRACE_MAX     (16u << 20) /* records on the command line: 1 GiB */
#define TRACE_DEFAULT (64u << 10) /* of a mere `trace' */
#define TRACE_CALLS   (1u << TR_SYSCALL | 1u << TR_SYSRET)
#define LINE_MAX      160 /* bytes of a record's line */
#define SHOWN         1000ul /* lines of /proc/quire/trace */

#ifndef NO_TRACE
uint32_t trace_mask;
#endif
struct trace_header *trace_header;
struct trace_record *trace_records;

uint64_t
trace_wanted(void)
{
	const char *text = cmdline_get("trace");
	uint32_t n = TRACE_DEFAULT;

	if (text == NULL)
		return (0);
	if (*text != '\0' && (sysctl_store_uint(text, TRACE_MAX, &n) != 0 || n == 0)) {
		klog(LOG_WARNING, "trace=%s: not a number of records from 1 to %u", text,
		     TRACE_MAX);
		return (0);
	}
	while (!powerof2(n))
		n += n & -n;
	return (PAGE_SIZE + round_page(n * sizeof(struct trace_record)));
}

void
trace_start(void *memory, uint64_t bytes)
{
	memset(memory, 0, bytes);
	trace_header = memory;
	trace_records = (void *)((char *)memory + PAGE_SIZE);
	trace_header->th_record_size = sizeof(struct trace_record);
	trace_header->th_records = (bytes - PAGE_SIZE) / sizeof(struct trace_record);
	memcpy(trace_header->th_magic, TRACE_MAGIC, sizeof(TRACE_MAGIC));
#ifndef NO_TRACE
	trace_mask = (1u << TR_COUNT) - 1;
	if (cmdline_get("trace.syscalls") == NULL)
		trace_mask &= ~TRACE_CALLS;
#endif
}

/* --- as text ----------------------------------------------------------------------------------- */

/* How a kind reads; the arguments follow as numbers, or as the string that a "s" stands for. */
static const struct {
	const char *name, *args;
} kinds[TR_COUNT] = {
    [TR_FAULT] = {"fault", "xdx"},
    [TR_STAGE] = {"stage", "dxd"},
    [TR_PAGER_CALL] = {"pager-call", "xsddd"},
    [TR_PAGER_DONE] = {"pager-done", "xddd"},
    [TR_ENTER] = {"enter", "xddd"},
    [TR_LEFT] = {"left-out", "d"},
    [TR_FAULT_DONE] = {"fault-done", "ddd"},
    [TR_MAP] = {"map", "sxx"},
    [TR_SHOOTDOWN] = {"shootdown", "xx"},
    [TR_SWITCH] = {"switch", "dd"},
    [TR_EXEC] = {"exec", ""},
    [TR_EXIT] = {"exit", "d"},
    [TR_SYSCALL] = {"call", "ds"},
    [TR_SYSRET] = {"return", "d"},
};

static int
record_text(const struct trace_record *r, char *line, size_t size)
{
	int n = ksnprintf(line, size, "%lu.%09lu %u %s", r->tr_time / 1000000000,
			  r->tr_time % 1000000000, r->tr_tid, kinds[r->tr_kind].name);

	for (int i = 0; kinds[r->tr_kind].args[i] != '\0'; i++) {
		char how = kinds[r->tr_kind].args[i];
		if (how == 's')
			n += ksnprintf(line + n, size - n, " %s", (const char *)r->tr_arg[i]);
		else if (how == 'x')
			n += ksnprintf(line + n, size - n, " %#lx", r->tr_arg[i]);
		else
			n += ksnprintf(line + n, size - n, " %ld", r->tr_arg[i]);
	}
	return (n + ksnprintf(line + n, size - n, "\n"));
}

/* The last ones, oldest first. */
static int
trace_show(char *buf, size_t size)
{
	uint64_t end = trace_header != NULL ? trace_header->th_next : 0;
	uint64_t n = trace_header != NULL ? MIN(MIN(end, trace_header->th_records), SHOWN) : 0;
	struct trace_record r;
	size_t len = 0;

	if (size <= n * LINE_MAX)
		return ((int)(n * LINE_MAX)); /* and come again */
	for (uint64_t at = end - n; at < end; at++) {
		r = trace_records[at % trace_header->th_records];
		if (r.tr_seq == at + 1) /* else it is being written, or was overwritten meanwhile */
			len += (size_t)record_text(&r, buf + len, LINE_MAX);
	}
	return ((int)len);
}
SYSCTL(trace_last, "/quire/trace", trace_show, NULL);

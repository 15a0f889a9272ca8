/*
 * The trace's rings; see trace.h.
 */
#include "kern/trace.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/sysctl.h"

#define TRACE_MAGIC   "QTRACE2"
#define TRACE_MAX     (16u << 20) /* records on the command line: 1 GiB */
#define TRACE_DEFAULT (64u << 10) /* of a mere `trace' */
#define TRACE_CALLS   (1u << TR_SYSCALL | 1u << TR_SYSRET)
#define LINE_MAX      160 /* bytes of a record's line */
#define SHOWN         1000ul /* lines of a CPU in /proc/quire/trace */

#ifndef NO_TRACE
uint32_t trace_mask;
#endif
struct trace_ring *trace_rings[MAXCPU];
uint64_t trace_room;
static unsigned nrings;

static uint64_t
ring_bytes(void)
{
	return (sizeof(struct trace_ring) + trace_room * sizeof(struct trace_record));
}

uint64_t
trace_wanted(unsigned cpus)
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
	for (trace_room = 1; trace_room * cpus < n; trace_room *= 2)
		;
	return (PAGE_SIZE + cpus * ring_bytes());
}

void
trace_start(void *memory, unsigned cpus)
{
	struct trace_header *header = memory;

	memset(memory, 0, PAGE_SIZE + cpus * ring_bytes());
	for (nrings = 0; nrings < cpus; nrings++)
		trace_rings[nrings] = (void *)((char *)memory + PAGE_SIZE + nrings * ring_bytes());
	header->th_record_size = sizeof(struct trace_record);
	header->th_records = trace_room;
	header->th_rings = cpus;
	memcpy(header->th_magic, TRACE_MAGIC, sizeof(TRACE_MAGIC));
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
    [TR_ENTER] = {"enter", "xdxdd"},
    [TR_FAULT_DONE] = {"fault-done", "dd"},
    [TR_MAP] = {"map", "sxxd"},
    [TR_REVOKE] = {"revoke", "xdd"},
    [TR_CLEAN] = {"clean", "xdd"},
    [TR_SHOOTDOWN] = {"shootdown", "xx"},
    [TR_SWITCH] = {"switch", "dd"},
    [TR_FORK] = {"fork", "dd"},
    [TR_EXEC] = {"exec", ""},
    [TR_EXIT] = {"exit", "d"},
    [TR_SYSCALL] = {"call", "ds"},
    [TR_SYSRET] = {"return", "d"},
};

static int
record_text(const struct trace_record *r, unsigned cpu, char *line, size_t size)
{
	int n = ksnprintf(line, size, "%lu.%09lu %u %u %s", r->tr_time / 1000000000,
			  r->tr_time % 1000000000, cpu, r->tr_tid, kinds[r->tr_kind].name);

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

/* What one CPU's ring has from at on, up to end. */
struct cursor {
	uint64_t at, end;
};

/* The next record of a ring into *r: those that are being written, or were overwritten meanwhile, are
 * passed over. False: there is none. */
static bool
peek(unsigned cpu, struct cursor *c, struct trace_record *r)
{
	const struct trace_record *from;

	for (; c->at < c->end; c->at++) {
		from = &trace_rings[cpu]->tg_records[c->at & (trace_room - 1)];
		if (__atomic_load_n(&from->tr_seq, __ATOMIC_ACQUIRE) != c->at + 1)
			continue;
		*r = *from;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&from->tr_seq, __ATOMIC_RELAXED) == c->at + 1)
			return (true);
	}
	return (false);
}

/* The earliest of what all rings have next; its CPU, or -1. */
static int
earliest(struct cursor *cursors, struct trace_record *first)
{
	struct trace_record r;
	int cpu = -1;

	for (unsigned i = 0; i < nrings; i++) {
		if (peek(i, &cursors[i], &r) && (cpu < 0 || r.tr_time < first->tr_time)) {
			*first = r;
			cpu = (int)i;
		}
	}
	return (cpu);
}

/* The last ones of each CPU, merged, oldest first. */
static int
trace_show(char *buf, size_t size)
{
	struct cursor cursors[MAXCPU];
	struct trace_record r;
	uint64_t n = 0;
	size_t len = 0;
	int cpu;

	for (unsigned i = 0; i < nrings; i++) {
		cursors[i].end = __atomic_load_n(&trace_rings[i]->tg_next, __ATOMIC_RELAXED);
		cursors[i].at = cursors[i].end - MIN(MIN(cursors[i].end, trace_room), SHOWN);
		n += cursors[i].end - cursors[i].at;
	}
	if (size <= n * LINE_MAX)
		return ((int)(n * LINE_MAX)); /* and come again */
	for (; (cpu = earliest(cursors, &r)) >= 0; cursors[cpu].at++)
		len += (size_t)record_text(&r, (unsigned)cpu, buf + len, LINE_MAX);
	return ((int)len);
}
SYSCTL(trace_last, "/quire/trace", trace_show, NULL);

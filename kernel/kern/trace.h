/*
 * The trace: what the kernel did, in records of one size, in a ring for each CPU. Writing takes no
 * lock and does not wait: who records takes the next record of its CPU's ring by one atomic addition,
 * and fills it. Off (no `trace' on the kernel command line) a TRACE() costs one branch that is never
 * taken.
 *
 * The rings lie in memory that scripts/run --trace reads from outside when the machine is off;
 * scripts/trace merges them by time into a file that trace viewers open. /proc/quire/trace is the
 * same as text.
 */
#pragma once

#include "kern/thread.h"
#include "machine/clock_md.h"

/* What happened, and what tr_arg says of it. Names: kinds[] in trace.c, KINDS in scripts/trace. */
enum trace_kind {
	TR_FAULT, /* a fault begins: address, VM_PROT_* wanted, map */
	TR_STAGE, /* it comes to: enum trace_stage, object, page index */
	TR_PAGER_CALL, /* object, pager's name, page index, first and last asked for */
	TR_PAGER_DONE, /* object, VM_PAGER_*, first and last installed */
	TR_ENTER, /* now in the page tables: address, pages, bits of their entries, how many entries were
		   * stored for them; pages left out behind them: no memory for tables */
	TR_FAULT_DONE, /* the fault ends: KERN_*, 1 if a pager was asked (majflt) */
	TR_MAP, /* a map changes: what (a string), start, end; VM_PROT_* now */
	TR_REVOKE, /* a device takes pages back: object, first, last */
	TR_CLEAN, /* pages are made read-only, to see who writes next: object, first, last */
	TR_SHOOTDOWN, /* translations forgotten: start, end */
	TR_SWITCH, /* the CPU goes to: thread, process */
	TR_FORK, /* a thread begins: thread, its process, which may be new, too */
	TR_EXEC, /* the process is now called: 16 bytes of p_comm */
	TR_EXIT, /* the process ends: status */
	TR_SYSCALL, /* a system call begins: number, name (a string) */
	TR_SYSRET, /* and ends: result */
	TR_COUNT
};
enum trace_stage { TRS_SOFT, TRS_ZERO, TRS_COPY, TRS_GETPAGES, TRS_RESTART, TRS_WAIT };

#define TR_ARGS 5
struct trace_record {
	uint64_t
	    tr_seq; /* 1 + its number in its ring; written last, so a record half-written shows */
	uint64_t tr_time; /* ns since boot */
	uint32_t tr_kind;
	uint32_t tr_tid; /* 0: a kernel thread */
	uint64_t tr_arg[TR_ARGS];
};
_Static_assert(sizeof(struct trace_record) == 64, "a record is a cache line");

/* One CPU's; in a cache line of its own, the records behind it. Locks: (a) atomic. */
struct trace_ring {
	uint64_t tg_next; /* (a) written ever; the last trace_room of them are there */
	uint64_t tg_unused[7];
	struct trace_record tg_records[];
};

/* At the memory's start; whoever reads it from outside goes by this. A page later come the rings, one
 * behind the other. Locks: (c) constant */
struct trace_header {
	char th_magic[8]; /* (c) */
	uint64_t th_record_size; /* (c) */
	uint64_t th_records; /* (c) room in each ring: trace_room */
	uint64_t th_rings; /* (c) */
};

/* What is recorded: bit i for kind i; 0: off. make NO_TRACE=1 builds a kernel without, to measure. */
#ifdef NO_TRACE
#define trace_mask 0u
#else
extern uint32_t trace_mask;
#endif
extern struct trace_ring *trace_rings[]; /* (c) by CPU */
extern uint64_t trace_room; /* (c) records in a ring, a power of two */

/* Up to TR_ARGS arguments; they are worked out only when it is on. */
#define TRACE(kind, ...) TRACE_FIVE(kind, __VA_ARGS__, 0, 0, 0, 0)
#define TRACE_FIVE(kind, a, b, c, d, e, ...)                           \
	do {                                                           \
		if (__predict_false((trace_mask & 1u << (kind)) != 0)) \
			trace_write(kind, a, b, c, d, e);              \
	} while (0)

/* The number is taken first, so that an interrupt in between has a record of its own; it is taken
 * atomically, for the thread may go to another CPU in between. Inline: the few instructions of a
 * call, for each record, would make traced faults slower by a tenth. */
static inline __attribute__((always_inline)) void
trace_write(enum trace_kind kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	struct trace_ring *ring = trace_rings[cpu_id()];
	uint64_t n = __atomic_fetch_add(&ring->tg_next, 1, __ATOMIC_RELAXED);
	struct trace_record *r = &ring->tg_records[n & (trace_room - 1)];

	__atomic_store_n(&r->tr_seq, 0, __ATOMIC_RELEASE);
	r->tr_time = clock_now();
	r->tr_kind = kind;
	r->tr_tid = curthread->td_tid;
	r->tr_arg[0] = a;
	r->tr_arg[1] = b;
	r->tr_arg[2] = c;
	r->tr_arg[3] = d;
	r->tr_arg[4] = e;
	__atomic_store_n(&r->tr_seq, n + 1, __ATOMIC_RELEASE);
}

/* Bytes of memory that the command line wants for so many CPUs' traces; 0: none. A value that is no
 * number of records is one line in the log. */
uint64_t trace_wanted(unsigned cpus);
/* Begin to trace into that memory, of trace_wanted(cpus) bytes. */
void trace_start(void *memory, unsigned cpus);

/*
 * The trace: what the kernel did, in records of one size, in a ring. Writing takes no lock and does
 * not wait: each CPU takes the next record by one atomic addition, and fills it. Off (no `trace' on
 * the kernel command line) a TRACE() costs one branch that is never taken.
 *
 * The ring lies in memory that scripts/run --trace reads from outside when the machine is off;
 * scripts/trace turns it into a file that trace viewers open. /proc/quire/trace is the same as text.
 */
#pragma once

#include "kern/thread.h"
#include "machine/clock_md.h"

/* What happened, and what tr_arg says of it. Names: trace_names, scripts/trace. */
enum trace_kind {
	TR_FAULT, /* a fault begins: address, VM_PROT_* wanted, map */
	TR_STAGE, /* it comes to: enum trace_stage, object, page index */
	TR_PAGER_CALL, /* object, pager's name, page index, first and last asked for */
	TR_PAGER_DONE, /* object, VM_PAGER_*, first and last installed */
	TR_ENTER, /* into the page tables: address, pages, VM_PROT_*, v_pte_writes before */
	TR_LEFT, /* so many of them were left out: no memory for tables */
	TR_FAULT_DONE, /* the fault ends: KERN_*, 1 if a pager was asked (majflt), v_pte_writes now */
	TR_MAP, /* a map changes: what (a string), start, end */
	TR_SHOOTDOWN, /* translations forgotten: start, end */
	TR_SWITCH, /* the CPU goes to: thread, process */
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
	uint16_t tr_kind;
	uint16_t tr_cpu;
	uint32_t tr_tid; /* 0: a kernel thread */
	uint64_t tr_arg[TR_ARGS];
};
_Static_assert(sizeof(struct trace_record) == 64, "a record is a cache line");

/* What is recorded: bit i for kind i; 0: off. make NO_TRACE=1 builds a kernel without, to measure. */
#ifdef NO_TRACE
#define trace_mask 0u
#else
extern uint32_t trace_mask;
#endif

/* Up to TR_ARGS arguments; they are worked out only when it is on. */
#define TRACE(kind, ...) TRACE_FIVE(kind, __VA_ARGS__, 0, 0, 0, 0)
#define TRACE_FIVE(kind, a, b, c, d, e, ...)                           \
	do {                                                           \
		if (__predict_false((trace_mask & 1u << (kind)) != 0)) \
			trace_write(kind, a, b, c, d, e);              \
	} while (0)

/* At the memory's start; whoever reads it from outside goes by this. The records follow a page
 * later. Locks: (c) constant  (a) atomic */
struct trace_header {
	char th_magic[8]; /* (c) */
	uint64_t th_record_size; /* (c) */
	uint64_t th_records; /* (c) room for so many, a power of two */
	uint64_t th_next; /* (a) written ever; the last th_records of them are there */
};
extern struct trace_header *trace_header; /* (c) NULL: none */
extern struct trace_record *trace_records; /* (c) */

/* The number is taken first, so that an interrupt in between has a record of its own. Inline: the
 * few instructions of a call, for each record, would make traced faults slower by a tenth. */
static inline __attribute__((always_inline)) void
trace_write(enum trace_kind kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	uint64_t n = __atomic_fetch_add(&trace_header->th_next, 1, __ATOMIC_RELAXED);
	struct trace_record *r = &trace_records[n & (trace_header->th_records - 1)];

	__atomic_store_n(&r->tr_seq, 0, __ATOMIC_RELEASE);
	r->tr_time = clock_now();
	r->tr_kind = kind;
	r->tr_cpu = (uint16_t)cpu_id();
	r->tr_tid = curthread->td_tid;
	r->tr_arg[0] = a;
	r->tr_arg[1] = b;
	r->tr_arg[2] = c;
	r->tr_arg[3] = d;
	r->tr_arg[4] = e;
	__atomic_store_n(&r->tr_seq, n + 1, __ATOMIC_RELEASE);
}

/* Bytes of memory that the command line wants for the trace; 0: none. A value that is no number of
 * records is one line in the log. */
uint64_t trace_wanted(void);
/* Begin to trace into that memory, of trace_wanted() bytes. */
void trace_start(void *memory, uint64_t bytes);

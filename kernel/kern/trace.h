/*
 * The trace: what the kernel did, in records of one size, in a ring for each CPU. Writing takes no
 * lock and does not wait. Off (no `trace' on the kernel command line) a TRACE() costs one branch
 * that is never taken.
 *
 * The rings lie in memory that scripts/run --trace reads from outside when the machine is off;
 * scripts/trace turns them into a file that trace viewers open. /proc/quire/trace is the same as
 * text.
 */
#pragma once

#include "kern/types.h"

/* What happened, and what tr_arg says of it. Names: trace_names, scripts/trace. */
enum trace_kind {
	TR_FAULT, /* a fault begins: address, VM_PROT_* wanted, map */
	TR_STAGE, /* it comes to: enum trace_stage, object, page index */
	TR_PAGER_CALL, /* object, pager's name, page index, first and last asked for */
	TR_PAGER_DONE, /* object, VM_PAGER_*, first and last installed */
	TR_ENTER, /* page-table entries: address, pages, v_pte_writes now, pages left out, VM_PROT_* */
	TR_FAULT_DONE, /* the fault ends: KERN_*, 1 if a pager was asked (majflt) */
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

/* What is recorded: bit i for kind i; 0: off. */
extern uint32_t trace_mask;

#define TRACE(kind, ...)                                                     \
	do {                                                                 \
		if (__predict_false((trace_mask & 1u << (kind)) != 0))       \
			trace_write(kind, (uint64_t[TR_ARGS]){__VA_ARGS__}); \
	} while (0)
void trace_write(enum trace_kind kind, const uint64_t arg[TR_ARGS]) __slow_path;

/* Bytes of memory that the command line wants for the trace; 0: none. A value that is no number of
 * records is one line in the log. */
uint64_t trace_wanted(void);
/* Begin to trace into that memory, of trace_wanted() bytes. */
void trace_start(void *memory, uint64_t bytes);

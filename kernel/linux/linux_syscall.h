/*
 * The way from the machine's entry to a system call's function: inline, as each call goes it.
 */
#pragma once

#include "kern/trace.h"
#include "machine/thread_md.h"

typedef int64_t (*syscall_fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
struct syscall {
	const char *name; /* NULL: not supported */
	syscall_fn fn;
};
#define SYSCALL_MAX 442 /* numbers below it are in the table */
extern const struct syscall syscall_table[SYSCALL_MAX];

/* One that there is not, or that is traced. */
void linux_syscall_slow(struct trapframe *tf);

/* The number in the frame's RAX, of which Linux looks at no more. */
static inline uint64_t
syscall_number(const struct trapframe *tf)
{
	return ((uint32_t)tf->tf_rax);
}

static inline int64_t
syscall_call(syscall_fn fn, const struct trapframe *tf)
{
	return (fn(tf->tf_rdi, tf->tf_rsi, tf->tf_rdx, tf->tf_r10, tf->tf_r8, tf->tf_r9));
}

/* Do it: number and arguments are in the frame, the result goes to tf_rax. */
static inline void
linux_syscall(struct trapframe *tf)
{
	uint64_t number = syscall_number(tf);

	if (__predict_false(number >= SYSCALL_MAX || syscall_table[number].fn == NULL ||
			    (trace_mask & (1u << TR_SYSCALL | 1u << TR_SYSRET)) != 0))
		linux_syscall_slow(tf);
	else
		tf->tf_rax = (uint64_t)syscall_call(syscall_table[number].fn, tf);
}

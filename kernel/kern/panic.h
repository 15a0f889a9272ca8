/*
 * Assertions and the end of the world. KASSERT is compiled in with INVARIANTS (the default build);
 * the release build leaves it out.
 */
#pragma once

#include "kern/types.h"

/* Prints the report (message, registers, backtrace with names) and ends the machine: status 125. */
void panic(const char *fmt, ...) __noreturn __printf_like(1, 2);

/* Set for good by the first panic: locks are no longer waited for, nothing is scheduled. */
extern volatile bool panicking;

#ifdef INVARIANTS
#define KASSERT(cond, msg)                    \
	do {                                  \
		if (__predict_false(!(cond))) \
			panic msg;            \
	} while (0)
#else
#define KASSERT(cond, msg) ((void)sizeof(!(cond)))
#endif

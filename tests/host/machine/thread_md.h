/*
 * The host tests' machine: curthread is the cooperative thread that runs now (fake_kern.c).
 */
#pragma once

#include "kern/types.h"

#define MAXCPU 16

struct thread_md {
	bool md_killed; /* what thread_killed() says */
};

struct thread;
extern struct thread *fake_curthread;
#define curthread fake_curthread

static inline unsigned
cpu_id(void)
{
	return (0);
}

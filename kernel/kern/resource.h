/*
 * Resource limits of a process, as getrlimit(2) has them. Whoever gives something out asks for the
 * limit of curproc; a child inherits its parent's.
 */
#pragma once

#include "kern/types.h"

struct proc;

/* With Linux's numbers, because they cross the system-call boundary. */
enum {
	RLIMIT_CPU, /* seconds */
	RLIMIT_FSIZE, /* bytes of a file that is written or made longer: SIGXFSZ, EFBIG */
	RLIMIT_DATA, /* bytes of private writable memory: ENOMEM */
	RLIMIT_STACK, /* bytes: a stack grows no further */
	RLIMIT_CORE,
	RLIMIT_RSS,
	RLIMIT_NPROC,
	RLIMIT_NOFILE, /* one more than the highest descriptor: EMFILE, EBADF */
	RLIMIT_MEMLOCK,
	RLIMIT_AS, /* bytes mapped: ENOMEM */
	RLIMIT_LOCKS,
	RLIMIT_SIGPENDING,
	RLIMIT_MSGQUEUE,
	RLIMIT_NICE,
	RLIMIT_RTPRIO,
	RLIMIT_RTTIME,
	RLIM_NLIMITS
};
#define RLIM_INFINITY UINT64_MAX
struct rlimit {
	uint64_t rlim_cur, rlim_max; /* what counts, and what that can be raised to */
};

/* The limits of the first process: Linux's. */
void lim_init(struct proc *p);
/* What counts for curproc; a kernel thread has no limits. */
uint64_t lim_cur(int which);
/* Tell p's limit in *old, and set it to *new unless that is NULL. EINVAL: none such, or beyond its
 * own maximum; EPERM: a maximum that curproc may not raise, or more than the kernel can do. */
int lim_set(struct proc *p, int which, const struct rlimit *new, struct rlimit *old);
/* Has p a limit of CPU time? *sig: what reaching it calls for now, else 0. From one SIGXCPU to the
 * next there is a second, as the limit moves on. p_lock is write-locked. */
bool lim_cpu(struct proc *p, int *sig);
/* Curproc is about to make a file end bytes long, from `from` on: EFBIG, and a signal, if not even
 * the first byte is allowed; else *end is cut to what is. */
int lim_file_size(uint64_t from, uint64_t *end);

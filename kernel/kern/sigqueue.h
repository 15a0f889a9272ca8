/*
 * What threads and processes keep for signals: see signal.h.
 */
#pragma once

#include "kern/types.h"
#include <sys/queue.h>

struct ksiginfo;

struct sigqueue {
	uint64_t sq_set; /* proc lock: signals that wait; bit 0 is 1 */
	TAILQ_HEAD(, ksiginfo) sq_list; /* proc lock: the oldest first */
};

/* A signal stack, as Linux's programs give it. */
struct ksigstack {
	uint64_t ss_sp;
	uint32_t ss_flags, ss_pad;
	uint64_t ss_size;
};

/*
 * Waiting for any of a set of open files of curproc to become ready: what poll and select are made
 * of.
 */
#pragma once

#include "kern/select.h"

struct file;
struct pollset;

struct pollent {
	struct selfd pe_sfd;
	struct pollset *pe_set;
	struct file *pe_file; /* referenced; NULL: not an open descriptor */
	uint16_t pe_events; /* POLL* that are asked for */
	uint16_t pe_revents; /* that are true */
};
#define POLLCHUNK 72 /* of them that fit a page */
struct pollchunk {
	struct pollchunk *pc_next;
	uint32_t pc_used;
	struct pollent pc_ents[];
};

/* Locks: (s) the selinfo lock  (k) only the thread that waits */
struct pollset {
	struct pollchunk *ps_first, *ps_last; /* (k) */
	size_t ps_notified; /* (s) a member was made ready since the last look: not 0 */
};

/* fd is a member, the nth. fd < 0: one that is never ready. of: how many there will be from here on.
 * Returns NULL: ENOMEM. */
struct pollent *poll_add(struct pollset *ps, int fd, uint32_t events, size_t of);
/*
 * Wait until a member is ready, or (deadline not NULL) cpu_now() is *deadline; *ready is how many
 * are. ERESTARTNOHAND. A member that is no open descriptor is ready with POLLNVAL.
 */
int poll_wait(struct pollset *ps, const uint64_t *deadline, size_t *ready);
/* Let go of all members. */
void poll_end(struct pollset *ps);
/* Which POLL* are true of fp; recorded in sfd unless that is NULL. */
uint32_t poll_file(struct file *fp, struct selfd *sfd);

#define POLLSET_FOREACH(pe, chunk, ps)                                              \
	for ((chunk) = (ps)->ps_first; (chunk) != NULL; (chunk) = (chunk)->pc_next) \
		for ((pe) = (chunk)->pc_ents; (pe) < (chunk)->pc_ents + (chunk)->pc_used; (pe)++)

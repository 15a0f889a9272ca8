/*
 * Who waits for a file to become ready (FreeBSD's selrecord and selwakeup). What can be waited for
 * has a selinfo; poll, select and epoll have a selfd for each file that they wait for.
 */
#pragma once

#include "kern/types.h"
#include "kern/lock.h"
#include <sys/queue.h>

/* As poll(2)'s, with Linux's values because they cross the system-call boundary. */
/* clang-format off */
enum {
	POLLIN = 0x1, POLLPRI = 0x2, POLLOUT = 0x4, POLLERR = 0x8, POLLHUP = 0x10, POLLNVAL = 0x20,
	POLLRDNORM = 0x40, POLLRDBAND = 0x80, POLLWRNORM = 0x100, POLLWRBAND = 0x200,
	POLLMSG = 0x400, POLLRDHUP = 0x2000,
	POLL_ALWAYS = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM, /* of a file that never waits */
};
/* clang-format on */

/* Locks: (s) the selinfo lock. Zeroed memory is an empty one. */
struct selinfo {
	LIST_HEAD(, selfd) si_waits; /* (s) */
};

/* Locks: (c) constant while recorded  (s) the selinfo lock */
struct selfd {
	LIST_ENTRY(selfd) sf_link; /* (s) */
	struct selinfo *sf_si; /* (s) NULL: not recorded */
	/* Some of events may be true now. Called with the lock, a leaf, held: only marks and wakes. */
	void (*sf_notify)(struct selfd *sfd, uint32_t events); /* (c) */
};

/* The selinfo lock, a leaf. */
extern struct mtx selinfo_lock;
/* For v_poll: sfd waits for si, until selforget. Sfd NULL: only looking. */
void selrecord(struct selinfo *si, struct selfd *sfd);
/* Sfd, recorded or not, waits no more; its sf_notify does not run any longer. */
void selforget(struct selfd *sfd);
/* Tell who waits for si that some of events (POLL*) have become true. From anywhere, interrupts
 * too. */
void selwakeup(struct selinfo *si, uint32_t events);
/* The same from a sf_notify. */
void selwakeup_locked(struct selinfo *si, uint32_t events);
/* Sleep on chan while *ready, which the selinfo lock guards, is 0, and (deadline not NULL) cpu_now() is
 * before *deadline. 0; ETIMEDOUT, also when it is past already; EINTR. */
int selsleep(const void *chan, const size_t *ready, const uint64_t *deadline);
/* Si goes away: nobody waits for it. */
void seldestroy(struct selinfo *si);

/*
 * Advisory locks on files: byte ranges that a process (POSIX's) or an open file (Linux's OFD locks)
 * holds, and whole files that an open file holds (flock). The first two exclude each other; the last
 * is apart from both. FreeBSD has this in kern_lockf.c.
 */
#pragma once

#include "kern/types.h"

struct vnode;

enum lockf_kind {
	LOCKF_POSIX, /* the owner is a table of descriptors */
	LOCKF_OFD, /* the owner is an open file, as of: */
	LOCKF_FLOCK,
};
enum lockf_type { LOCKF_SHARED, LOCKF_EXCLUSIVE, LOCKF_NONE }; /* Linux's F_RDLCK.. */

struct lockf_req {
	enum lockf_kind kind;
	enum lockf_type type; /* NONE: unlock */
	const void *owner;
	int pid; /* as F_GETLK tells */
	uint64_t start, end; /* bytes, both included */
};

/* Lock or unlock; wait: until nobody else's lock is in the way. EAGAIN, EDEADLK, ENOLCK, ERESTART. */
int lockf_set(struct vnode *vp, const struct lockf_req *req, bool wait);
/* The first lock in the way of *req comes to stand there; if there is none, only type is changed, to
 * NONE. */
void lockf_get(struct vnode *vp, struct lockf_req *req);
/* Owner has closed a descriptor of vp, or is an open file that ends: its locks go. */
void lockf_release(struct vnode *vp, const void *owner);

/* What a vnode has of locks; for vrele. NULL is allowed. */
struct lockf_list;
void lockf_free(struct lockf_list *list);

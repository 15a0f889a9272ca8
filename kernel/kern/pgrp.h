/*
 * Process groups and sessions (FreeBSD's struct pgrp and struct session): who gets a terminal's
 * signals, and who may be moved where.
 *
 * Every process is in a group and each group in a session, until it has been waited for: a zombie
 * still counts. A group goes with its last member, a session with its last group. Numbers of
 * processes are not used again, so neither number can come to mean somebody else.
 */
#pragma once

#include "kern/types.h"
#include <sys/queue.h>

struct proc;
struct tty;

/* Locks: (c) constant  (t) proctree_lock */
struct session {
	int s_sid; /* (c) */
	uint32_t s_groups; /* (t) how many groups are in it */
	struct proc *s_leader; /* (t) NULL once it has ended */
	struct tty *s_tty; /* (t) the controlling terminal, NULL: none; the tty driver sets it */
};
struct pgrp {
	LIST_ENTRY(pgrp) pg_link; /* (t) */
	int pg_id; /* (c) */
	struct session *pg_session; /* (c) */
	/* (t) by p_pglist, the oldest first: of those that are killed together the last comes first, and
	 * in long lists of who maps a page the youngest are found first. */
	TAILQ_HEAD(, proc) pg_members;
	uint64_t pg_badness; /* (t) its members', when vm_oom looked last */
};

/*
 * The terminal driver's: the leader of s, which has a terminal, has ended. It hangs up the terminal
 * and lets go of it: s->s_tty is NULL then. proctree_lock is write-locked.
 */
extern void (*session_leader_exit)(struct session *s);

/* The group of that number, or NULL. proctree_lock is held, as for the next two. */
struct pgrp *pgrp_find(int pgid);
/* Send sig, as the kernel, to every member. */
void pgrp_signal(struct pgrp *pg, int sig);
/* No member's parent is in another group of the same session: nobody is there who could let it go
 * on once it has stopped. */
bool pgrp_orphaned(struct pgrp *pg);
/* P has ended, or its parent was the one given and has: if that makes p's group an orphaned one, and
 * some of it is stopped, it gets SIGHUP and goes on. */
void pgrp_untie(struct proc *p, struct proc *parent);

/* As setpgid(2), of curproc or a child of it. EINVAL, ESRCH, EACCES, EPERM, ENOMEM. */
int pgrp_set(int pid, int pgid);
/* The group and the session of process pid (0: curproc's). ESRCH. */
int pgrp_get(int pid, int *pgid, int *sid);
/* P, which is curproc or in no group yet, leads a new session, in a new group, with no terminal.
 * EPERM: there is a group of its number; ENOMEM. */
int session_create(struct proc *p);

/* P, new, begins in the group of parent. proctree_lock is write-locked. */
void pgrp_inherit(struct proc *p, struct proc *parent);
/* P leaves the family: nor is it in a group any longer. proctree_lock is write-locked. */
void pgrp_leave(struct proc *p);
/* P has ended, and leads its session no longer, if it did. proctree_lock is write-locked. */
void session_exit(struct proc *p);

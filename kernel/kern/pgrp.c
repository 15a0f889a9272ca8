/*
 * Process groups and sessions: who is in which, and how processes change that. Owns the list of
 * groups.
 */
#include "kern/pgrp.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/sysctl.h"

void (*session_leader_exit)(struct session *s); /* (c) once the terminal's driver is up */

static LIST_HEAD(, pgrp) pgrps = LIST_HEAD_INITIALIZER(pgrps); /* (t) */
static uint64_t npgrps, nsessions; /* (t) */
STAT(pgrps, npgrps);
STAT(sessions, nsessions);

struct pgrp *
pgrp_find(int pgid)
{
	struct pgrp *pg;

	rw_assert_locked(&proctree_lock);
	LIST_FOREACH (pg, &pgrps, pg_link)
		if (pg->pg_id == pgid)
			break;
	return (pg);
}

void
pgrp_signal(struct pgrp *pg, int sig)
{
	struct proc *p;

	rw_assert_locked(&proctree_lock);
	TAILQ_FOREACH (p, &pg->pg_members, p_pglist)
		signal_send(p, NULL, sig);
}

/* The first process counts as any other parent: it may be a shell. (Linux leaves it out.) */
bool
pgrp_orphaned(struct pgrp *pg)
{
	struct proc *p;
	struct pgrp *of_parent;

	rw_assert_locked(&proctree_lock);
	TAILQ_FOREACH (p, &pg->pg_members, p_pglist) {
		if (p->p_parent == NULL || p->p_zombie)
			continue;
		of_parent = p->p_parent->p_pgrp;
		if (of_parent != pg && of_parent->pg_session == pg->pg_session)
			return (false);
	}
	return (true);
}

static bool
has_stopped(struct pgrp *pg)
{
	struct proc *p;

	TAILQ_FOREACH (p, &pg->pg_members, p_pglist)
		if (p->p_stopsig != 0)
			return (true);
	return (false);
}

void
pgrp_untie(struct proc *p, struct proc *parent)
{
	struct pgrp *pg = p->p_pgrp;

	rw_assert_wlocked(&proctree_lock);
	if (parent == NULL || parent->p_pgrp == pg ||
	    parent->p_pgrp->pg_session != pg->pg_session || !pgrp_orphaned(pg) || !has_stopped(pg))
		return;
	pgrp_signal(pg, SIGHUP);
	pgrp_signal(pg, SIGCONT);
}

/* --- members ---------------------------------------------------------------------------------- */

/* An empty group of that number; its memory is made before proctree_lock is taken. */
static void
pgrp_init(struct pgrp *pg, int pgid, struct session *s)
{
	rw_assert_wlocked(&proctree_lock);
	*pg = (struct pgrp){.pg_id = pgid, .pg_session = s};
	TAILQ_INIT(&pg->pg_members);
	s->s_groups++;
	LIST_INSERT_HEAD(&pgrps, pg, pg_link);
	npgrps++;
}

static void
pgrp_delete(struct pgrp *pg)
{
	struct session *s = pg->pg_session;

	LIST_REMOVE(pg, pg_link);
	npgrps--;
	kfree(pg);
	if (--s->s_groups > 0)
		return;
	KASSERT(s->s_tty == NULL, ("session %d has a terminal and no leader", s->s_sid));
	nsessions--;
	kfree(s);
}

static void
pgrp_enter(struct proc *p, struct pgrp *pg)
{
	rw_assert_wlocked(&proctree_lock);
	TAILQ_INSERT_TAIL(&pg->pg_members, p, p_pglist);
	p->p_pgrp = pg;
}

void
pgrp_leave(struct proc *p)
{
	struct pgrp *pg = p->p_pgrp;

	rw_assert_wlocked(&proctree_lock);
	TAILQ_REMOVE(&pg->pg_members, p, p_pglist);
	p->p_pgrp = NULL;
	if (TAILQ_EMPTY(&pg->pg_members))
		pgrp_delete(pg);
}

/* To another group: that one first, for the session may be all that both have. */
static void
pgrp_move(struct proc *p, struct pgrp *to)
{
	struct pgrp *from = p->p_pgrp;

	rw_assert_wlocked(&proctree_lock);
	TAILQ_REMOVE(&from->pg_members, p, p_pglist);
	pgrp_enter(p, to);
	if (TAILQ_EMPTY(&from->pg_members))
		pgrp_delete(from);
}

void
pgrp_inherit(struct proc *p, struct proc *parent)
{
	pgrp_enter(p, parent->p_pgrp);
}

/* --- setpgid ---------------------------------------------------------------------------------- */

/* P may be moved by curproc. */
static int
may_move(struct proc *p)
{
	struct session *s = p->p_pgrp->pg_session;

	if (p != curproc) {
		if (p->p_parent != curproc)
			return (ESRCH);
		if (s != curproc->p_pgrp->pg_session)
			return (EPERM);
		if (p->p_execed)
			return (EACCES);
	}
	return (s->s_leader == p ? EPERM : 0);
}

/* Spare, memory for a group, becomes NULL when it is used. */
static int
move_to(struct proc *p, int pgid, struct pgrp **spare)
{
	struct pgrp *pg = pgrp_find(pgid);
	int error = may_move(p);

	if (error != 0)
		return (error);
	if (pg == NULL && pgid == p->p_pid) {
		pg = *spare;
		*spare = NULL;
		pgrp_init(pg, pgid, p->p_pgrp->pg_session);
	}
	if (pg == NULL || pg->pg_session != p->p_pgrp->pg_session)
		return (EPERM);
	if (pg != p->p_pgrp)
		pgrp_move(p, pg);
	return (0);
}

int
pgrp_set(int pid, int pgid)
{
	struct pgrp *spare;
	struct proc *p;
	int error;

	if (pid == 0)
		pid = curproc->p_pid;
	if (pgid == 0)
		pgid = pid;
	if (pgid < 0)
		return (EINVAL);
	p = proc_find(pid);
	if (p == NULL)
		return (ESRCH);
	spare = kmalloc(sizeof(*spare), 0);
	error = spare != NULL ? 0 : ENOMEM;
	if (error == 0) {
		rw_wlock(&proctree_lock);
		error = p->p_pgrp != NULL ? move_to(p, pgid, &spare) : ESRCH;
		rw_unlock(&proctree_lock);
	}
	kfree(spare);
	proc_rele(p);
	return (error);
}

int
pgrp_get(int pid, int *pgid, int *sid)
{
	struct proc *p = proc_find(pid == 0 ? curproc->p_pid : pid);
	struct pgrp *pg;

	if (p == NULL)
		return (ESRCH);
	rw_rlock(&proctree_lock);
	pg = p->p_pgrp;
	if (pg != NULL) {
		*pgid = pg->pg_id;
		*sid = pg->pg_session->s_sid;
	}
	rw_unlock(&proctree_lock);
	proc_rele(p);
	return (pg != NULL ? 0 : ESRCH);
}

/* --- sessions --------------------------------------------------------------------------------- */

/* P, in a group or in none, leads s, which is new, and pg in it. */
static void
session_enter(struct proc *p, struct session *s, struct pgrp *pg)
{
	*s = (struct session){.s_sid = p->p_pid, .s_leader = p};
	nsessions++;
	pgrp_init(pg, p->p_pid, s);
	if (p->p_pgrp != NULL)
		pgrp_move(p, pg);
	else
		pgrp_enter(p, pg);
}

int
session_create(struct proc *p)
{
	struct session *s = kmalloc(sizeof(*s), 0);
	struct pgrp *pg = kmalloc(sizeof(*pg), 0);
	int error = s == NULL || pg == NULL ? ENOMEM : 0;

	rw_wlock(&proctree_lock);
	if (pgrp_find(p->p_pid) != NULL)
		error = EPERM;
	if (error == 0)
		session_enter(p, s, pg);
	rw_unlock(&proctree_lock);
	if (error != 0) {
		kfree(s);
		kfree(pg);
	}
	return (error);
}

void
session_exit(struct proc *p)
{
	struct session *s = p->p_pgrp->pg_session;

	rw_assert_wlocked(&proctree_lock);
	if (s->s_leader != p)
		return;
	if (s->s_tty != NULL)
		session_leader_exit(s);
	s->s_leader = NULL;
}

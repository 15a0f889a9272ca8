/*
 * Waiting for children, and what is left of them then.
 */
#include "kern/errno.h"
#include "kern/pgrp.h"
#include "kern/proc.h"

static void
usage_add(struct usage *to, const struct usage *u)
{
	to->u_utime += u->u_utime;
	to->u_stime += u->u_stime;
	to->u_minflt += u->u_minflt;
	to->u_majflt += u->u_majflt;
	to->u_maxrss = MAX(to->u_maxrss, u->u_maxrss);
}

/* Tell of child, a zombie, and take it out of the family unless it is kept. */
static void
reap(struct proc *p, struct proc *child, bool keep, struct wait_result *r)
{
	r->pid = child->p_pid;
	r->status = child->p_status;
	proc_usage(child, &r->usage);
	usage_add(&r->usage, &child->p_cusage);
	if (keep)
		return;
	usage_add(&p->p_cusage, &r->usage);
	proc_remove(child);
	proc_rele(child);
}

static bool
waits_for(enum wait_for what, int id, int flags, struct proc *child)
{
	bool clone = child->p_exit_signal != SIGCHLD;

	if (what != WAIT_ANY && (what == WAIT_PID ? child->p_pid : child->p_pgrp->pg_id) != id)
		return (false);
	return ((flags & WAIT_ALL) != 0 || clone == ((flags & WAIT_CLONES) != 0));
}

/* Something that is waited for has happened to child. */
static bool
has_news(struct proc *child, int flags)
{
	if (child->p_zombie)
		return ((flags & WAIT_EXITED) != 0);
	if (child->p_jobstatus == 0)
		return (false);
	return ((flags & (child->p_jobstatus == W_CONTINUED ? WAIT_CONTINUED : WAIT_STOPPED)) != 0);
}

/* Tell what it is. */
static void
take_news(struct proc *p, struct proc *child, int flags, struct wait_result *r)
{
	bool keep = (flags & WAIT_KEEP) != 0;

	if (child->p_zombie) {
		reap(p, child, keep, r);
		return;
	}
	r->pid = child->p_pid;
	r->status = child->p_jobstatus;
	proc_usage(child, &r->usage);
	if (!keep)
		child->p_jobstatus = 0;
}

/* The first of a list that has news, or NULL; *any: is there one to wait for? */
static struct proc *
find_news(struct proclist *list, enum wait_for what, int id, int flags, bool *any)
{
	struct proc *child;

	TAILQ_FOREACH (child, list, p_sibling) {
		if (!waits_for(what, id, flags, child))
			continue;
		*any |= !child->p_zombie || (flags & WAIT_EXITED) != 0;
		if (has_news(child, flags))
			break;
	}
	return (child);
}

int
proc_wait(enum wait_for what, int id, int flags, struct wait_result *r)
{
	struct proc *p = curproc, *child;
	int error = 0;
	bool any;

	for (;;) {
		any = false;
		rw_wlock(&proctree_lock);
		child = find_news(&p->p_zombies, what, id, flags, &any);
		if (child == NULL)
			child = find_news(&p->p_children, what, id, flags, &any);
		*r = (struct wait_result){0};
		if (child != NULL)
			take_news(p, child, flags, r);
		if (child != NULL || !any || (flags & WAIT_NOHANG) != 0) {
			rw_unlock(&proctree_lock);
			return (any ? 0 : ECHILD);
		}
		if (error != 0) { /* looked once more: the signal may be about a child */
			rw_unlock(&proctree_lock);
			return (ERESTART);
		}
		error = rw_sleep(&p->p_children, &proctree_lock, SLEEP_INTR, 0);
	}
}

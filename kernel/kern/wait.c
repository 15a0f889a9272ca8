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
waits_for(enum wait_for what, int id, struct proc *child)
{
	return (what == WAIT_ANY || (what == WAIT_PID ? child->p_pid : child->p_pgrp->pg_id) == id);
}

int
proc_wait(enum wait_for what, int id, int flags, struct wait_result *r)
{
	struct proc *p = curproc, *child;
	int error;
	bool any;

	for (;;) {
		any = false;
		rw_wlock(&proctree_lock);
		LIST_FOREACH (child, &p->p_children, p_sibling) {
			if (!waits_for(what, id, child))
				continue;
			any = true;
			if (child->p_zombie)
				break;
		}
		*r = (struct wait_result){0};
		if (child != NULL)
			reap(p, child, (flags & WAIT_KEEP) != 0, r);
		if (child != NULL || !any || (flags & WAIT_NOHANG) != 0) {
			rw_unlock(&proctree_lock);
			return (any ? 0 : ECHILD);
		}
		error = rw_sleep(&p->p_children, &proctree_lock, SLEEP_INTR, 0);
		if (error != 0)
			return (error);
	}
}

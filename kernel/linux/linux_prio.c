/*
 * System calls on the niceness of threads: of one, of a process group's, of a user's.
 */
#include "linux/linux.h"
#include "kern/cred.h"
#include "kern/pgrp.h"
#include "kern/proc.h"

/* What is done with each thread that is meant; p_lock is write-locked. */
struct prio_op {
	void (*fn)(struct thread *td, struct prio_op *op);
	const struct ucred *cr; /* who does it */
	int value; /* to set; or the best that was found */
	int error; /* of the last that was refused */
	bool any; /* there was a thread */
};

static void
each_of_proc(struct proc *p, struct prio_op *op)
{
	struct thread *td;

	rw_wlock(&p->p_lock);
	TAILQ_FOREACH (td, &p->p_threads, td_plink) {
		op->fn(td, op);
		op->any = true;
	}
	rw_unlock(&p->p_lock);
}

static void
each_of_group(int pgid, struct prio_op *op)
{
	struct pgrp *pg;
	struct proc *p;

	rw_rlock(&proctree_lock);
	pg = pgid == 0 ? curproc->p_pgrp : pgrp_find(pgid);
	if (pg != NULL)
		TAILQ_FOREACH (p, &pg->pg_members, p_pglist)
			each_of_proc(p, op);
	rw_unlock(&proctree_lock);
}

/* Every process of real user who, or 0 for the caller's own. */
static void
each_of_user(int who, struct prio_op *op)
{
	uint32_t uid = who != 0 ? (uint32_t)who : curcred()->cr_ruid;
	struct ucred *cr;
	struct proc *p;

	for (int pid = 1; (p = proc_next(pid)) != NULL;) {
		cr = proc_cred(p);
		if (cr->cr_ruid == uid)
			each_of_proc(p, op);
		crfree(cr);
		pid = p->p_pid + 1;
		proc_rele(p);
	}
}

enum { EACH_THREAD, EACH_GROUP, EACH_USER }; /* setpriority's */

static int
each(int which, int who, struct prio_op *op)
{
	struct thread *td;
	struct proc *p;

	switch (which) {
	case EACH_THREAD:
		p = proc_find_thread(who, &td);
		if (p == NULL)
			return (ESRCH);
		op->fn(td, op);
		proc_thread_rele(p);
		return (op->error);
	case EACH_GROUP:
		each_of_group(who, op);
		break;
	case EACH_USER:
		each_of_user(who, op);
		break;
	default:
		return (EINVAL);
	}
	return (op->any ? op->error : ESRCH);
}

/* --- niceness --------------------------------------------------------------------------------- */

/* May curproc give td that niceness? */
static bool
can_nice(struct thread *td, int nice)
{
	uint64_t limit = td->td_proc->p_rlimit[RLIMIT_NICE].rlim_cur;

	return (nice >= sched_get(td).nice || (uint64_t)(NICE_HIGH + 1 - nice) <= limit ||
		capable(CAP_SYS_NICE));
}

static void
nice_set(struct thread *td, struct prio_op *op)
{
	struct schedparam param = sched_get(td);

	if (cr_cansched(op->cr, td->td_proc) != 0) {
		op->error = EPERM;
	} else if (!can_nice(td, op->value)) {
		op->error = EACCES;
	} else {
		param.nice = (int8_t)op->value;
		sched_set(td, &param);
	}
}

static void
nice_get(struct thread *td, struct prio_op *op)
{
	op->value = MIN(op->value, sched_get(td).nice);
}

int64_t
sys_setpriority(int which, int who, int nice)
{
	struct prio_op op = {
	    .fn = nice_set, .cr = curcred(), .value = MIN(MAX(nice, NICE_LOW), NICE_HIGH)};

	return (-each(which, who, &op));
}

/* 20 - nice, so that it is never negative. */
int64_t
sys_getpriority(int which, int who)
{
	struct prio_op op = {.fn = nice_get, .value = NICE_HIGH};
	int error = each(which, who, &op);

	return (error != 0 ? -error : NICE_HIGH + 1 - op.value);
}

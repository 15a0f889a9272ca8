/*
 * Terminals and sessions: whose terminal it is, which group is in the foreground, what happens to
 * the others, and hang-up. Also /dev/tty, each session's own terminal.
 *
 * The ties are s_tty of the session and t_session and t_pgid of the terminal, all under
 * proctree_lock, which is taken after a terminal's lock.
 */
#include "fs/vnode.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/pgrp.h"
#include "kern/proc.h"
#include "kern/tty.h"

#define TIOCSCTTY 0x540e
#define TIOCGPGRP 0x540f
#define TIOCNOTTY 0x5422
#define TIOCGSID  0x5429

static struct session *
my_session(void)
{
	rw_assert_locked(&proctree_lock);
	return (curproc->p_pgrp->pg_session);
}

/* Curproc would not get to see sig. */
static bool
shuts_out(int sig)
{
	struct proc *p = curproc;
	bool ignores;

	rw_rlock(&p->p_lock);
	ignores = p->p_sigaction[sig - 1].sa_handler == SIG_IGN;
	rw_unlock(&p->p_lock);
	return (ignores || (curthread->td_sigmask & SIGBIT(sig)) != 0);
}

int
tty_check_background(struct tty *tp, int sig)
{
	struct pgrp *pg = curproc->p_pgrp;
	int error = 0;

	rw_rlock(&proctree_lock);
	if (my_session()->s_tty == tp && pg->pg_id != tp->t_pgid) {
		if (shuts_out(sig)) {
			error = sig == SIGTTIN ? EIO : 0;
		} else if (pgrp_orphaned(pg)) {
			error = EIO;
		} else {
			pgrp_signal(pg, sig);
			error = ERESTART;
		}
	}
	rw_unlock(&proctree_lock);
	return (error);
}

void
tty_signal(struct tty *tp, int sig)
{
	struct pgrp *pg;

	rw_rlock(&proctree_lock);
	pg = tp->t_session != NULL ? pgrp_find(tp->t_pgid) : NULL;
	if (pg != NULL)
		pgrp_signal(pg, sig);
	rw_unlock(&proctree_lock);
}

struct tty *
tty_controlling(void)
{
	struct tty *tp;

	rw_rlock(&proctree_lock);
	tp = my_session()->s_tty;
	if (tp != NULL)
		tty_ref(tp);
	rw_unlock(&proctree_lock);
	return (tp);
}

/* --- the ties --------------------------------------------------------------------------------- */

static void
tie(struct tty *tp, struct session *s)
{
	rw_assert_wlocked(&proctree_lock);
	tty_ref(tp);
	s->s_tty = tp;
	tp->t_session = s;
	tp->t_pgid = curproc->p_pgrp->pg_id;
}

static void
untie(struct tty *tp)
{
	rw_assert_wlocked(&proctree_lock);
	if (tp->t_session == NULL)
		return;
	tp->t_session->s_tty = NULL;
	tp->t_session = NULL;
	tp->t_pgid = 0;
	tty_rele(tp);
}

void
tty_open_session(struct tty *tp)
{
	struct session *s;

	if (curproc == NULL)
		return;
	rw_wlock(&proctree_lock);
	s = my_session();
	if (s->s_leader == curproc && s->s_tty == NULL && tp->t_session == NULL)
		tie(tp, s);
	rw_unlock(&proctree_lock);
}

void
tty_hangup(struct tty *tp)
{
	struct session *s;
	struct pgrp *pg;

	tty_lock(tp);
	tp->t_hangups++;
	tty_flush_in(tp);
	tty_flush_out(tp);
	tty_stop(tp, false);
	tty_unlock(tp);
	tty_wakeup(tp);

	rw_wlock(&proctree_lock);
	s = tp->t_session;
	if (s != NULL) {
		if (s->s_leader != NULL) {
			signal_send(s->s_leader, NULL, SIGHUP);
			signal_send(s->s_leader, NULL, SIGCONT);
		}
		pg = pgrp_find(tp->t_pgid);
		if (pg != NULL)
			pgrp_signal(pg, SIGHUP);
		untie(tp);
	}
	rw_unlock(&proctree_lock);
}

static void
hangup_task(void *arg)
{
	struct tty *tp = arg;

	rw_wlock(&proctree_lock);
	tp->t_hangup_queued = false;
	rw_unlock(&proctree_lock);
	tty_hangup(tp);
}

/* Session_leader_exit: a terminal's lock comes before proctree_lock, which is held, so the files
 * are dealt with later. */
static void
leader_exit(struct session *s)
{
	struct tty *tp = s->s_tty;
	struct pgrp *pg = pgrp_find(tp->t_pgid);

	rw_assert_wlocked(&proctree_lock);
	if (pg != NULL)
		pgrp_signal(pg, SIGHUP);
	if (!tp->t_sw->tsw_pty && !tp->t_hangup_queued) {
		tp->t_hangup_queued = true;
		task_enqueue(&tp->t_hangup, hangup_task, tp);
	}
	untie(tp);
}

/* --- ioctls ----------------------------------------------------------------------------------- */

/* Steal: take it from the session that has it. */
static int
set_controlling(struct tty *tp, bool steal)
{
	struct session *s;
	int error = 0;

	rw_wlock(&proctree_lock);
	s = my_session();
	if (s->s_leader != curproc || (s->s_tty != NULL && s->s_tty != tp)) {
		error = EPERM;
	} else if (tp->t_session != s) {
		if (tp->t_session != NULL && !steal)
			error = EPERM;
		else
			untie(tp);
		if (error == 0)
			tie(tp, s);
	}
	rw_unlock(&proctree_lock);
	return (error);
}

/* A session has or has not a terminal, not each process: for another than the leader there is
 * nothing that could be done. */
static int
give_up(struct tty *tp)
{
	bool leads, mine;
	struct pgrp *pg;

	rw_wlock(&proctree_lock);
	mine = my_session()->s_tty == tp;
	leads = my_session()->s_leader == curproc;
	pg = mine && leads ? pgrp_find(tp->t_pgid) : NULL;
	if (pg != NULL) {
		pgrp_signal(pg, SIGHUP);
		pgrp_signal(pg, SIGCONT);
	}
	if (mine && leads)
		untie(tp);
	rw_unlock(&proctree_lock);
	if (mine && !leads)
		klog(LOG_INFO, "%s[%d]: TIOCNOTTY: not the session's leader", curproc->p_comm,
		     curproc->p_pid);
	return (mine && leads ? 0 : ENOTTY);
}

/* The foreground, or the session (TIOCGSID), by number. */
static int
get_ids(struct tty *tp, bool any, uint64_t cmd, uint64_t arg)
{
	int error = 0, id = 0;

	rw_rlock(&proctree_lock);
	if (!any && my_session()->s_tty != tp)
		error = ENOTTY;
	else if (cmd == TIOCGPGRP)
		id = tp->t_pgid;
	else if (tp->t_session == NULL)
		error = ENOTTY;
	else
		id = tp->t_session->s_sid;
	rw_unlock(&proctree_lock);
	return (error != 0 ? error : copyout(&id, (void *)arg, sizeof(id)));
}

/* P: the process of that number, if any. */
static int
foreground_check(struct tty *tp, int pgid, const struct proc *p)
{
	struct pgrp *pg = pgrp_find(pgid);

	if (my_session()->s_tty != tp)
		return (ENOTTY);
	if (pg != NULL)
		return (pg->pg_session == my_session() ? 0 : EPERM);
	return (p != NULL ? EPERM : ESRCH);
}

static int
set_foreground(struct tty *tp, uint64_t arg)
{
	struct proc *p;
	int pgid, error;

	tty_lock(tp);
	error = tty_check_background(tp, SIGTTOU);
	tty_unlock(tp);
	if (error == 0)
		error = copyin((void *)arg, &pgid, sizeof(pgid));
	else if (error == EIO)
		error = ENOTTY;
	if (error != 0 || pgid < 0)
		return (error != 0 ? error : EINVAL);
	p = proc_find(pgid);
	rw_wlock(&proctree_lock);
	error = foreground_check(tp, pgid, p);
	if (error == 0)
		tp->t_pgid = pgid;
	rw_unlock(&proctree_lock);
	if (p != NULL)
		proc_rele(p);
	return (error);
}

int
tty_jobs_ioctl(struct tty *tp, struct file *fp, uint64_t cmd, uint64_t arg)
{
	bool other_side = fp == NULL; /* the master's, about the slave */

	switch (cmd) {
	case TIOCSCTTY:
		return (set_controlling(tp, arg == 1));
	case TIOCNOTTY:
		return (give_up(tp));
	case TIOCGPGRP:
	case TIOCGSID:
		return (get_ids(tp, other_side, cmd, arg));
	case TIOCSPGRP:
		return (set_foreground(tp, arg));
	}
	return (ENOTTY);
}

/* --- /dev/tty --------------------------------------------------------------------------------- */

static int
devtty_open(void *softc __unused, struct file *fp)
{
	struct tty *tp = tty_controlling();
	int error;

	if (tp == NULL)
		return (ENXIO);
	error = tty_file_open(tp, fp, true);
	tty_rele(tp);
	return (error);
}

void
tty_jobs_init(void)
{
	static const struct cdevsw sw = TTY_CDEVSW(devtty_open);
	static struct cdev dev = {.cd_name = "tty", .cd_sw = &sw, .cd_major = 5};

	session_leader_exit = leader_exit;
	cdev_register(&dev);
}

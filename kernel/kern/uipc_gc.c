/*
 * Files that are on their way in messages (SCM_RIGHTS). A socket may be on its own queue, or two on
 * each other's: then nobody can ever read them. Whenever a socket is closed while sockets are on
 * their way, those are looked for that cannot be reached from one that is open (mark and sweep).
 */
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/socket.h"
#include "kern/sysctl.h"

static uint64_t inflight; /* (u) files on their way, */
static uint64_t inflight_sockets; /* (u) and of them sockets */
STAT(files_inflight, inflight);

static struct sockmsgs dead = STAILQ_HEAD_INITIALIZER(dead); /* (u) to be freed */
static bool discarding; /* (u) somebody is at it */

void
unp_inflight(struct sockmsg *m, int how)
{
	rw_assert_wlocked(&unp_lock);
	for (uint32_t i = 0; m->m_files != NULL && i < m->m_nfiles; i++) {
		m->m_files[i]->f_inflight += how;
		inflight += how;
		if (file_socket(m->m_files[i]) != NULL)
			inflight_sockets += how;
	}
}

static void
msg_free(struct sockmsg *m)
{
	for (uint32_t i = 0; m->m_files != NULL && i < m->m_nfiles; i++)
		fdrop(m->m_files[i]);
	kfree(m->m_files);
	name_rele(m->m_name);
	vrele(&m->m_from->so_vnode);
	kfree(m);
}

/* To close a file may be to close a socket, with messages on its queue, and so on: all come to one
 * list, so that the stack does not grow. */
void
unp_discard(struct sockmsgs *msgs)
{
	struct sockmsg *m;

	if (STAILQ_EMPTY(msgs))
		return;
	rw_wlock(&unp_lock);
	STAILQ_CONCAT(&dead, msgs);
	if (discarding) {
		rw_unlock(&unp_lock);
		return;
	}
	discarding = true;
	while ((m = STAILQ_FIRST(&dead)) != NULL) {
		STAILQ_REMOVE_HEAD(&dead, m_link);
		rw_unlock(&unp_lock);
		msg_free(m);
		rw_wlock(&unp_lock);
	}
	discarding = false;
	rw_unlock(&unp_lock);
}

/* --- the collector ---------------------------------------------------------------------------- */

static void
mark(struct socket *so, struct socket **list)
{
	if (so == NULL || so->so_marked)
		return;
	so->so_marked = true;
	so->so_marklink = *list;
	*list = so;
}

/* What can be reached from so. */
static void
mark_reachable(struct socket *so, struct socket **list)
{
	struct socket *waiting;
	struct sockmsg *m;

	TAILQ_FOREACH (waiting, &so->so_queue, so_qlink)
		mark(waiting, list);
	STAILQ_FOREACH (m, &so->so_rcv, m_link)
		for (uint32_t i = 0; m->m_files != NULL && i < m->m_nfiles; i++)
			mark(file_socket(m->m_files[i]), list);
}

/* Is it open in a table, or in use, not only on its way? References to such a file are made from
 * others, or under unp_lock. One that has no file will have. */
static bool
open_somewhere(struct socket *so)
{
	if (so->so_file == NULL)
		return (so->so_head == NULL);
	return (__atomic_load_n(&so->so_file->f_refs, __ATOMIC_RELAXED) >
		(uint32_t)so->so_file->f_inflight);
}

void
unp_collect(void)
{
	struct sockmsgs garbage = STAILQ_HEAD_INITIALIZER(garbage);
	struct socket *so, *list = NULL;

	rw_wlock(&unp_lock);
	if (inflight_sockets == 0 || discarding) { /* who discards, closes, and comes by later */
		rw_unlock(&unp_lock);
		return;
	}
	LIST_FOREACH (so, &all_sockets, so_all)
		so->so_marked = false;
	LIST_FOREACH (so, &all_sockets, so_all)
		if (open_somewhere(so))
			mark(so, &list);
	while ((so = list) != NULL) {
		list = so->so_marklink;
		mark_reachable(so, &list);
	}
	LIST_FOREACH (so, &all_sockets, so_all)
		while (!so->so_marked && !so->so_dead && !STAILQ_EMPTY(&so->so_rcv))
			so_unqueue(so, STAILQ_FIRST(&so->so_rcv), &garbage);
	rw_unlock(&unp_lock);
	unp_discard(&garbage);
}

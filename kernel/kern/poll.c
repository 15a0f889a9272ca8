/*
 * Waiting for files to become ready. A thread looks at each member and records itself there; who
 * makes one ready marks the set and wakes the thread, which looks at all again.
 */
#include "kern/poll.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "fs/vnode.h"

static void
poll_notify(struct selfd *sfd, uint32_t events)
{
	struct pollent *pe = container_of(sfd, struct pollent, pe_sfd);

	if ((events & pe->pe_events) == 0)
		return;
	pe->pe_set->ps_notified = 1;
	wakeup(pe->pe_set);
}

static struct pollchunk *
chunk_add(struct pollset *ps, size_t of)
{
	struct pollchunk *chunk;

	chunk = kmalloc(sizeof(*chunk) + MIN(of, (size_t)POLLCHUNK) * sizeof(struct pollent), 0);
	if (chunk == NULL)
		return (NULL);
	chunk->pc_next = NULL;
	chunk->pc_used = 0;
	if (ps->ps_last != NULL)
		ps->ps_last->pc_next = chunk;
	else
		ps->ps_first = chunk;
	ps->ps_last = chunk;
	return (chunk);
}

struct pollent *
poll_add(struct pollset *ps, int fd, uint32_t events, size_t of)
{
	struct pollchunk *chunk = ps->ps_last;
	struct pollent *pe;

	if (chunk == NULL || chunk->pc_used == POLLCHUNK)
		chunk = chunk_add(ps, of);
	if (chunk == NULL)
		return (NULL);
	pe = &chunk->pc_ents[chunk->pc_used++];
	*pe = (struct pollent){.pe_sfd.sf_notify = poll_notify, .pe_set = ps, .pe_events = events};
	if (fd >= 0 && fget(fd, &pe->pe_file) != 0)
		pe->pe_revents = POLLNVAL;
	return (pe);
}

uint32_t
poll_file(struct file *fp, struct selfd *sfd)
{
	struct vnode *vp = fp->f_vnode;

	return (vp->v_ops->v_poll != NULL ? vp->v_ops->v_poll(vp, fp, sfd) : POLL_ALWAYS);
}

/* How many members are ready; until one is found they are recorded, if `record` says so. */
static size_t
scan(struct pollset *ps, bool record)
{
	struct pollchunk *chunk;
	struct pollent *pe;
	size_t ready = 0;

	POLLSET_FOREACH(pe, chunk, ps)
	{
		if (pe->pe_file != NULL)
			pe->pe_revents =
			    poll_file(pe->pe_file, record && ready == 0 ? &pe->pe_sfd : NULL) &
			    pe->pe_events;
		ready += pe->pe_revents != 0;
	}
	return (ready);
}

int
poll_wait(struct pollset *ps, const uint64_t *deadline, size_t *ready)
{
	bool wait = deadline == NULL || *deadline > cpu_now();
	int error = 0;

	*ready = scan(ps, wait);
	while (*ready == 0 && wait && error == 0) {
		error = selsleep(ps, &ps->ps_notified, deadline);
		mtx_lock(&selinfo_lock);
		ps->ps_notified = 0;
		mtx_unlock(&selinfo_lock);
		*ready = scan(ps, false);
	}
	return (error == EINTR && *ready == 0 ? ERESTARTNOHAND : 0);
}

void
poll_end(struct pollset *ps)
{
	struct pollchunk *chunk, *next;
	struct pollent *pe;

	POLLSET_FOREACH(pe, chunk, ps)
	{
		if (pe->pe_file == NULL)
			continue;
		selforget(&pe->pe_sfd);
		fdrop(pe->pe_file);
	}
	for (chunk = ps->ps_first; chunk != NULL; chunk = next) {
		next = chunk->pc_next;
		kfree(chunk);
	}
}

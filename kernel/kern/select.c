/*
 * Lists of who waits for files to become ready; see select.h. One lock for all of them.
 */
#include "kern/select.h"
#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/machdep.h"
#include "kern/panic.h"

struct mtx selinfo_lock = MTX_INITIALIZER("selinfo", LR_LEAF);

void
selrecord(struct selinfo *si, struct selfd *sfd)
{
	if (sfd == NULL)
		return;
	mtx_lock(&selinfo_lock);
	KASSERT(sfd->sf_si == NULL || sfd->sf_si == si, ("a selfd waits for one file"));
	if (sfd->sf_si == NULL)
		LIST_INSERT_HEAD(&si->si_waits, sfd, sf_link);
	sfd->sf_si = si;
	mtx_unlock(&selinfo_lock);
}

static void
forget(struct selfd *sfd)
{
	mtx_assert_owned(&selinfo_lock);
	LIST_REMOVE(sfd, sf_link);
	sfd->sf_si = NULL;
}

void
selforget(struct selfd *sfd)
{
	mtx_lock(&selinfo_lock);
	if (sfd->sf_si != NULL)
		forget(sfd);
	mtx_unlock(&selinfo_lock);
}

void
selwakeup_locked(struct selinfo *si, uint32_t events)
{
	struct selfd *sfd;

	mtx_assert_owned(&selinfo_lock);
	LIST_FOREACH (sfd, &si->si_waits, sf_link)
		sfd->sf_notify(sfd, events);
}

/* Nobody waits, mostly. One who looks now has recorded itself before, or will see what has become
 * true before we were called: the fence orders the one against the other. */
void
selwakeup(struct selinfo *si, uint32_t events)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__predict_true(LIST_EMPTY(&si->si_waits)))
		return;
	mtx_lock(&selinfo_lock);
	selwakeup_locked(si, events);
	mtx_unlock(&selinfo_lock);
}

int
selsleep(const void *chan, const size_t *ready, const uint64_t *deadline)
{
	uint64_t now = deadline != NULL ? cpu_now() : 0;

	if (deadline != NULL && now >= *deadline)
		return (ETIMEDOUT);
	mtx_lock(&selinfo_lock);
	if (*ready == 0)
		return (mtx_sleep(chan, &selinfo_lock, SLEEP_INTR,
				  deadline != NULL ? *deadline - now : 0));
	mtx_unlock(&selinfo_lock);
	return (0);
}

void
seldestroy(struct selinfo *si)
{
	mtx_lock(&selinfo_lock);
	while (!LIST_EMPTY(&si->si_waits))
		forget(LIST_FIRST(&si->si_waits));
	mtx_unlock(&selinfo_lock);
}

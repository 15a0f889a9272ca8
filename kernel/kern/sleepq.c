/*
 * Sleep queues: threads that wait on a channel, hashed by it, oldest first. A sleep's time-out is a
 * callout. sched_lock protects all of it.
 */
#include "kern/sleepq.h"
#include "kern/errno.h"
#include "kern/machdep.h"
#include "kern/panic.h"

#define SLEEPQ_SHIFT 10

static struct threadq sleepq[1 << SLEEPQ_SHIFT];

void
sleepq_init(void)
{
	for (size_t i = 0; i < nitems(sleepq); i++)
		TAILQ_INIT(&sleepq[i]);
}

static struct threadq *
bucket(const void *chan)
{
	/* Fibonacci hashing: the high bits of the product mix all of the address. */
	return (&sleepq[(uintptr_t)chan * 0x9e3779b97f4a7c15ul >> (64 - SLEEPQ_SHIFT)]);
}

void
sleepq_add(const void *chan, int flags, uint64_t timeout)
{
	struct thread *td = curthread;
	uint64_t at;

	mtx_assert_owned(&sched_lock);
	td->td_wchan = chan;
	td->td_sleep_flags = flags;
	td->td_sleep_result = 0;
	TAILQ_INSERT_TAIL(bucket(chan), td, td_link);
	/* A time-out past the end of the clock is none. */
	if (timeout != 0 && !__builtin_add_overflow(cpu_now(), timeout, &at))
		callout_arm(&td->td_timeout, at);
}

int
sleepq_wait(void)
{
	struct thread *td = curthread;

	mtx_assert_owned(&sched_lock);
	KASSERT(td->td_spin == 1, ("%s sleeps holding a spin lock", td->td_name));
	if (td->td_wchan != NULL) {
		td->td_state = TDS_SLEEPING;
		sched_switch();
	}
	return (td->td_sleep_result);
}

void
sleepq_wake(struct thread *td, int result)
{
	mtx_assert_owned(&sched_lock);
	TAILQ_REMOVE(bucket(td->td_wchan), td, td_link);
	callout_disarm(&td->td_timeout);
	td->td_wchan = NULL;
	td->td_sleep_result = result;
	/* One that is still letting go of its lock has not switched away, and now will not. */
	if (td->td_state == TDS_SLEEPING)
		sched_runnable(td);
}

struct thread *
sleepq_first(const void *chan)
{
	struct thread *td;

	TAILQ_FOREACH (td, bucket(chan), td_link)
		if (td->td_wchan == chan)
			break;
	return (td);
}

/*
 * Sleep on chan, letting go of m or rw (at most one is given) once queued. Interrupts stay off
 * until the switch: a thread that is on a sleep queue must not be preempted onto the run queue.
 */
static int
sleep_on(const void *chan, struct mtx *m, struct rwlock *rw, int flags, uint64_t timeout)
{
	bool killed;
	int error;

	spinlock_enter();
	mtx_lock(&sched_lock);
	/* thread_ast marks the thread under sched_lock: either this sees it or it finds the
	 * thread queued. */
	killed = (curthread->td_ast & flags) != 0;
	if (!killed)
		sleepq_add(chan, flags & SLEEP_INTR, timeout);
	mtx_unlock(&sched_lock);
	if (m != NULL)
		mtx_unlock(m);
	if (rw != NULL)
		rw_unlock(rw);
	mtx_lock(&sched_lock);
	spinlock_exit();
	error = killed ? EINTR : sleepq_wait();
	mtx_unlock(&sched_lock);
	return (error);
}

int
rw_sleep(const void *chan, struct rwlock *rw, int flags, uint64_t timeout)
{
	return (sleep_on(chan, NULL, rw, flags, timeout));
}

int
mtx_sleep(const void *chan, struct mtx *m, int flags, uint64_t timeout)
{
	return (sleep_on(chan, m, NULL, flags, timeout));
}

void
wakeup(const void *chan)
{
	struct thread *td, *next;

	/* Whoever sleeps on it was queued before letting go of the lock that the caller took since,
	 * to change what the sleeper waits for. */
	if (TAILQ_EMPTY(bucket(chan)))
		return;
	mtx_lock(&sched_lock);
	for (td = TAILQ_FIRST(bucket(chan)); td != NULL; td = next) {
		next = TAILQ_NEXT(td, td_link);
		if (td->td_wchan == chan)
			sleepq_wake(td, 0);
	}
	mtx_unlock(&sched_lock);
}

void
thread_ast(struct thread *td, uint32_t bits)
{
	mtx_lock(&sched_lock);
	__atomic_fetch_or(&td->td_ast, bits, __ATOMIC_RELAXED);
	if (td->td_wchan != NULL && (td->td_sleep_flags & bits) != 0)
		sleepq_wake(td, EINTR);
	if ((bits & AST_KILL) != 0)
		sched_hasten(td);
	sched_notice(td);
	mtx_unlock(&sched_lock);
}

/*
 * Spin mutexes and sleeping reader/writer locks, and the check of the order they are taken in.
 *
 * An rwlock that is contended is handed over: who lets go of it last gives it to the one that has
 * waited longest (if that is a reader, to all readers up to the first writer). RW_WAITERS is set
 * exactly while somebody is queued, both change under sched_lock only, and newcomers queue behind
 * it; so no release can miss a waiter, and neither readers nor writers starve. Where there are many
 * CPUs a thread looks at the lock for a while before it queues: most are let go sooner than it could
 * sleep and wake up.
 */
#include "kern/jitter.h"
#include "kern/lock.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/sleepq.h"

#define RW_THREAD(word) ((word) & ~(RW_READER - 1))
#define RW_SPINS        4000 /* looks at a lock before one sleeps */

static inline bool
cas(uintptr_t *word, uintptr_t *old, uintptr_t new)
{
	return (
	    __atomic_compare_exchange_n(word, old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}

static inline uintptr_t
load(const uintptr_t *word)
{
	return (__atomic_load_n(word, __ATOMIC_RELAXED));
}

static unsigned
    reversal; /* (a) the rank of the lock that another should not have been taken after */

#ifdef INVARIANTS
#define CHECK_RANKS true
#define PLACE       place
#else
#define CHECK_RANKS false
#define PLACE       NULL
#endif

/* Note a lock taken; `held` is its mtx_held or rw_held. True if others of its rank or above are held:
 * rank_check says whether that may be. */
static inline __attribute__((always_inline)) bool
rank_push(struct thread *td, const char *name, unsigned rank, uint64_t held, const char *place)
{
	uint64_t ranks = td->td_ranks;

	if (!CHECK_RANKS)
		return (false);
	td->td_ranks = ranks + held;
	td->td_rank_name[rank] = name;
	td->td_rank_place[rank] = place;
	return (ranks >= held);
}

static inline void
rank_pop(struct thread *td, uint64_t held)
{
	if (CHECK_RANKS)
		td->td_ranks -= held;
}

/* After rank_push said true. */
static void
rank_check(const char *name, unsigned rank)
{
	uint64_t above = (curthread->td_ranks - (1ul << rank * LR_BITS)) >> rank * LR_BITS;
	unsigned held;

	if (!CHECK_RANKS || above == 0 || panicking)
		return;
	held = rank + (63 - (unsigned)__builtin_clzl(above)) / LR_BITS;
	if (held == rank && (rank == LR_OBJECT || rank == LR_FILE))
		return;
	/* Of two of one rank, the first one's place is forgotten. */
	reversal = held > rank ? held : 0;
	panic("lock order: %s (rank %u) taken while holding %s (rank %u)", name, rank,
	      curthread->td_rank_name[held], held);
}

void
lock_report(void (*out)(const char *fmt, ...))
{
	const struct thread *td = curthread;

	if (reversal == 0)
		return;
	out("%s was taken at %s\n", td->td_rank_name[reversal], td->td_rank_place[reversal]);
}

uint64_t
locks_held(void)
{
	return (curthread->td_ranks);
}

/* An interrupt before they are off leaves td_spin as it was. */
static inline void
spin_enter(struct thread *td)
{
	unsigned held = td->td_spin;

	if (held == 0)
		td->td_spin_flags = cpu_intr_disable();
	td->td_spin = held + 1;
}

static inline void
spin_exit(struct thread *td)
{
	if (--td->td_spin == 0 && td->td_spin_flags != 0)
		cpu_intr_enable();
}

void
spinlock_enter(void)
{
	spin_enter(curthread);
}

void
spinlock_exit(void)
{
	spin_exit(curthread);
}

void
mtx_init(struct mtx *m, const char *name, enum lock_rank rank)
{
	*m = (struct mtx)MTX_INITIALIZER(name, rank);
}

static void __slow_path
mtx_lock_slow(struct mtx *m, bool taken)
{
	uintptr_t owner = 0;
	unsigned looks = 0;

	rank_check(m->mtx_name, m->mtx_rank);
	if (!taken)
		lock_waited(m->mtx_name, false);
	while (!taken && !panicking) {
		taken = cas(&m->mtx_owner, &owner, (uintptr_t)curthread);
		KASSERT(taken || owner != (uintptr_t)curthread, ("%s taken twice", m->mtx_name));
		while (!taken && load(&m->mtx_owner) != 0 && !panicking)
			cpu_spinwait(++looks);
		owner = 0;
	}
}

void
mtx_lock_at(struct mtx *m LOCK_PLACE_PARAM)
{
	struct thread *td = curthread;
	uintptr_t owner = 0;
	bool above;

	spin_enter(td);
	above = rank_push(td, m->mtx_name, m->mtx_rank, m->mtx_held, PLACE);
	if (__predict_false(!cas(&m->mtx_owner, &owner, (uintptr_t)td)))
		mtx_lock_slow(m, false);
	else if (__predict_false(above))
		mtx_lock_slow(m, true);
}

/* Who only tries cannot wait in a circle: no order is asked for. */
bool
mtx_trylock_at(struct mtx *m LOCK_PLACE_PARAM)
{
	struct thread *td = curthread;
	uintptr_t owner = 0;

	spin_enter(td);
	if (!cas(&m->mtx_owner, &owner, (uintptr_t)td)) {
		spin_exit(td);
		return (false);
	}
	rank_push(td, m->mtx_name, m->mtx_rank, m->mtx_held, PLACE);
	return (true);
}

void
mtx_unlock(struct mtx *m)
{
	struct thread *td = curthread;

	KASSERT(m->mtx_owner == (uintptr_t)td || panicking, ("%s let go, not owned", m->mtx_name));
	rank_pop(td, m->mtx_held);
	__atomic_store_n(&m->mtx_owner, 0, __ATOMIC_RELEASE);
	spin_exit(td);
}

bool
mtx_owned(const struct mtx *m)
{
	return (load(&m->mtx_owner) == (uintptr_t)curthread);
}

void
rw_init(struct rwlock *rw, const char *name, enum lock_rank rank)
{
	KASSERT(rank <= LR_OBJECT, ("%s sleeps and ranks among spin locks", name));
	*rw = (struct rwlock)RW_INITIALIZER(name, rank);
}

/* What waiters sleep on: not the lock's own address, which is often that of the structure it
 * begins, and others sleep on that. */
static inline const void *
rw_chan(const struct rwlock *rw)
{
	return ((const char *)rw + 1);
}

static inline bool
rw_may(uintptr_t word, bool write)
{
	return (write ? word == 0 : (word & (RW_WRITER | RW_WAITERS)) == 0);
}

/* It is most likely free. To look first would have another CPU hand over the line twice. */
static inline bool
rw_try(struct rwlock *rw, bool write)
{
	uintptr_t word = 0;

	do {
		if (!rw_may(word, write))
			return (false);
	} while (
	    !cas(&rw->rw_word, &word, write ? RW_WRITER | (uintptr_t)curthread : word + RW_READER));
	return (true);
}

/* Is it worth while to wait for who holds the lock? Not if he sleeps, or others queue. If he has just
 * been handed it he is about to run; who slept then would have it handed over again, and so on for
 * ever. The thread may be gone by now: what is read of it then is of no consequence. */
static bool
rw_soon_free(uintptr_t word)
{
	const struct thread *owner = (const struct thread *)RW_THREAD(word);

	if ((word & RW_WAITERS) != 0)
		return (false);
	return ((word & RW_WRITER) == 0 ||
		__atomic_load_n(&owner->td_state, __ATOMIC_RELAXED) != TDS_SLEEPING);
}

static bool
rw_spin(struct rwlock *rw, bool write)
{
	uintptr_t word;

	if (cpu_count() == 1)
		return (false);
	for (int i = 0; i < RW_SPINS; i++) {
		word = load(&rw->rw_word);
		if (rw_may(word, write) && rw_try(rw, write))
			return (true);
		if (word != 0 && !rw_soon_free(word))
			return (false);
		cpu_spinwait((unsigned)i + 1);
	}
	return (false);
}

/* Somebody waits for a lock: who runs next is left to chance, if the machine is to jitter. */
static void
rw_jitter(void)
{
	if (jitter_one_in(2) && curthread->td_spin == 0)
		sched_yield();
}

static void __slow_path
rw_lock_slow(struct rwlock *rw, bool write)
{
	uintptr_t word;

	rank_check(rw->rw_name, rw->rw_rank);
	if (rw_try(rw, write))
		return;
	KASSERT(!write || !rw_wowned(rw) || panicking, ("%s taken twice", rw->rw_name));
	rw_jitter();
	if (rw_spin(rw, write)) {
		lock_waited(rw->rw_name, false);
		return;
	}
	lock_waited(rw->rw_name, true);
	mtx_lock(&sched_lock);
	while (!panicking && !rw_try(rw, write)) {
		/* It may be let go between the look and this; then word is 0, and there is nobody
		 * to hand it over. */
		word = load(&rw->rw_word);
		if (word == 0 ||
		    ((word & RW_WAITERS) == 0 && !cas(&rw->rw_word, &word, word | RW_WAITERS)))
			continue;
		sleepq_add(rw_chan(rw), write ? SLEEP_WRITER : 0, 0);
		sleepq_wait(); /* rw_grant has made it ours */
		break;
	}
	mtx_unlock(&sched_lock);
}

/* Hand the lock to those who wait first; keep: what the caller keeps of it (RW_READER or 0). */
static void __slow_path
rw_grant(struct rwlock *rw, uintptr_t keep)
{
	const void *chan = rw_chan(rw);
	uintptr_t word = keep;
	struct thread *td;

	mtx_lock(&sched_lock);
	while ((td = sleepq_first(chan)) != NULL && (word & RW_WRITER) == 0) {
		if ((td->td_sleep_flags & SLEEP_WRITER) == 0)
			word += RW_READER;
		else if (word == 0)
			word = RW_WRITER | (uintptr_t)td;
		else
			break;
		sleepq_wake(td, 0);
	}
	if (td != NULL)
		word |= RW_WAITERS;
	__atomic_store_n(&rw->rw_word, word, __ATOMIC_RELEASE);
	mtx_unlock(&sched_lock);
}

void
rw_rlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	bool above = rank_push(curthread, rw->rw_name, rw->rw_rank, rw->rw_held, PLACE);

	if (__predict_false(above || !rw_try(rw, false)))
		rw_lock_slow(rw, false);
}

void
rw_wlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	struct thread *td = curthread;
	bool above = rank_push(td, rw->rw_name, rw->rw_rank, rw->rw_held, PLACE);
	uintptr_t word = 0;

	if (__predict_false(above || !cas(&rw->rw_word, &word, RW_WRITER | (uintptr_t)td)))
		rw_lock_slow(rw, true);
}

bool
rw_try_rlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	if (!rw_try(rw, false))
		return (false);
	rank_push(curthread, rw->rw_name, rw->rw_rank, rw->rw_held, PLACE);
	return (true);
}

bool
rw_try_wlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	if (!rw_try(rw, true))
		return (false);
	rank_push(curthread, rw->rw_name, rw->rw_rank, rw->rw_held, PLACE);
	return (true);
}

bool
rw_try_upgrade(struct rwlock *rw)
{
	uintptr_t word = load(&rw->rw_word);

	do {
		if ((word & ~RW_WAITERS) != RW_READER)
			return (false);
	} while (!cas(&rw->rw_word, &word, RW_WRITER | (word & RW_WAITERS) | (uintptr_t)curthread));
	return (true);
}

void
rw_downgrade(struct rwlock *rw)
{
	uintptr_t word = RW_WRITER | (uintptr_t)curthread;

	rw_assert_wlocked(rw);
	if (!cas(&rw->rw_word, &word, RW_READER))
		rw_grant(rw, RW_READER);
}

/* Somebody waits, or the lock is not the caller's. */
static void __slow_path
rw_unlock_slow(struct rwlock *rw)
{
	uintptr_t word = load(&rw->rw_word), rest;

	KASSERT((word & RW_WRITER) != 0 ? rw_wowned(rw) : word >= RW_READER,
		("%s let go, not locked", rw->rw_name));
	do {
		rest = (word & RW_WRITER) != 0 ? word & RW_WAITERS : word - RW_READER;
		if (rest == RW_WAITERS) {
			rw_grant(rw, 0);
			rw_jitter();
			return;
		}
	} while (!cas(&rw->rw_word, &word, rest));
}

void
rw_unlock(struct rwlock *rw)
{
	struct thread *td = curthread;
	uintptr_t word = RW_READER, rest = 0;

	rank_pop(td, rw->rw_held);
	if (cas(&rw->rw_word, &word, 0)) /* as in rw_try */
		return;
	if ((word & RW_WRITER) != 0)
		word = RW_WRITER | (uintptr_t)td; /* or it is not ours to let go */
	else
		rest = word - RW_READER;
	if (__predict_false((word & RW_WAITERS) != 0 || (intptr_t)rest < 0 ||
			    !cas(&rw->rw_word, &word, rest)))
		rw_unlock_slow(rw);
}

bool
rw_wowned(const struct rwlock *rw)
{
	return ((load(&rw->rw_word) & ~RW_WAITERS) == (RW_WRITER | (uintptr_t)curthread));
}

bool
rw_locked(const struct rwlock *rw)
{
	return (load(&rw->rw_word) != 0);
}

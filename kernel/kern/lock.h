/*
 * Locks. Two kinds, each with an owner that can be asserted:
 *
 *   struct mtx      spins, with interrupts off while held: never sleep or touch user memory.
 *   struct rwlock   sleeps when it must wait; many readers or one writer, writers not starved.
 *
 * Every lock has a rank, and ranks are taken in rising order (equal ranks only where LR_OBJECT
 * walks down a shadow chain, and among LR_FILE, from the larger thing to the smaller). INVARIANTS
 * builds check the order on each acquire and panic with both names. The order is the one table
 * below; vm/vm.h explains the VM's part of it.
 */
#pragma once

#include "kern/types.h"

enum lock_rank {
	LR_FPOS = 1, /* a file's position: held over a whole read or write */
	LR_FILE, /* descriptor tables, vnodes, device softcs: may be held across VM calls */
	LR_MAP, /* vm_map */
	LR_OBJECT, /* vm_object */
	LR_PAGEQ, /* page queues */
	LR_PMAP, /* a pmap */
	LR_KMEM, /* kmalloc's caches */
	LR_PGCACHE, /* a CPU's free pages */
	LR_PHYS, /* free pages */
	LR_LEAF, /* takes no other lock but the scheduler's */
	LR_SCHED, /* run queue and sleep queues */
	LR_LOG, /* log ring, console output */
	LR_COUNT
};
enum { LR_BITS = 4 }; /* of a count of locks held at one rank */
_Static_assert(LR_BITS *LR_COUNT <= 64, "the counts of all ranks fit one word");

struct mtx {
	uintptr_t mtx_owner; /* (a) the owning thread, 0 when free */
	const char *mtx_name; /* (c) */
	uint64_t mtx_held; /* (c) what holding it adds to td_ranks */
	uint8_t mtx_rank; /* (c) enum lock_rank */
};

/* rw_word: 0 free; RW_WRITER | thread when write-locked; else RW_READER * readers. */
#define RW_WRITER  1ul
#define RW_WAITERS 2ul /* somebody sleeps on the lock: the one who frees it wakes */
#define RW_READER  16ul
struct rwlock {
	uintptr_t rw_word; /* (a) */
	const char *rw_name; /* (c) */
	uint64_t rw_held; /* (c) what holding it adds to td_ranks */
	uint8_t rw_rank; /* (c) enum lock_rank */
};

#define LOCK_INITIALIZER(name, rank)                 \
	{                                            \
		0, name, 1ul << (rank)*LR_BITS, rank \
	}
#define MTX_INITIALIZER LOCK_INITIALIZER
#define RW_INITIALIZER  LOCK_INITIALIZER

/* Where in the source a lock is taken: one argument more in INVARIANTS builds. */
#ifdef INVARIANTS
#define LOCK_PLACE_PARAM , const char *place __unused
#define LOCK_PLACE       , __FILE__ ":" LOCK_TEXT(__LINE__)
#define LOCK_TEXT(n)     LOCK_TEXT_(n)
#define LOCK_TEXT_(n)    #n
#else
#define LOCK_PLACE_PARAM
#define LOCK_PLACE
#endif

void mtx_init(struct mtx *m, const char *name, enum lock_rank rank);
void mtx_lock_at(struct mtx *m LOCK_PLACE_PARAM);
bool mtx_trylock_at(struct mtx *m LOCK_PLACE_PARAM);
#define mtx_lock(m)    mtx_lock_at((m)LOCK_PLACE)
#define mtx_trylock(m) mtx_trylock_at((m)LOCK_PLACE)
void mtx_unlock(struct mtx *m);
bool mtx_owned(const struct mtx *m);

void rw_init(struct rwlock *rw, const char *name, enum lock_rank rank);
void rw_rlock_at(struct rwlock *rw LOCK_PLACE_PARAM);
bool rw_try_rlock_at(struct rwlock *rw LOCK_PLACE_PARAM);
void rw_wlock_at(struct rwlock *rw LOCK_PLACE_PARAM);
bool rw_try_wlock_at(struct rwlock *rw LOCK_PLACE_PARAM);
#define rw_rlock(rw)     rw_rlock_at((rw)LOCK_PLACE)
#define rw_try_rlock(rw) rw_try_rlock_at((rw)LOCK_PLACE)
#define rw_wlock(rw)     rw_wlock_at((rw)LOCK_PLACE)
#define rw_try_wlock(rw) rw_try_wlock_at((rw)LOCK_PLACE)
/* Read to write without letting go; false, and still read-locked, if there is another reader. */
bool rw_try_upgrade(struct rwlock *rw);
void rw_downgrade(struct rwlock *rw);
/* Lets go of whichever way the caller holds it. */
void rw_unlock(struct rwlock *rw);
bool rw_wowned(const struct rwlock *rw);
/* True when somebody holds it at all; readers have no recorded owner. */
bool rw_locked(const struct rwlock *rw);

#define mtx_assert_owned(m)   KASSERT(mtx_owned(m), ("%s not owned", (m)->mtx_name))
#define rw_assert_wlocked(rw) KASSERT(rw_wowned(rw), ("%s not write-locked", (rw)->rw_name))
#define rw_assert_locked(rw)  KASSERT(rw_locked(rw), ("%s not locked", (rw)->rw_name))

/* In lock_stats.c: somebody had to wait for a lock of that name, which is constant; he slept, or only
 * looked at it for a while. */
void lock_waited(const char *name, bool slept);

/* After a panic over the order: where the lock was taken that is held, through out(). */
void lock_report(void (*out)(const char *fmt, ...));

/* What curthread holds, as a number that is the same while that is the same (INVARIANTS; else
 * 0). */
uint64_t locks_held(void);

/*
 * Sleeping. A thread sleeps on a channel (any address) until wakeup(channel). The lock given is let
 * go only once the thread is on the sleep queue, so no wakeup between is lost, and it is NOT held
 * on return (FreeBSD's PDROP): whoever slept must look again anyway.
 *
 * flags: SLEEP_KILL lets a kill end the sleep. timeout: nanoseconds, 0 for none. rw_sleep's lock
 * may be NULL for a mere pause. Returns 0 when woken, EINTR when killed, ETIMEDOUT. May return 0
 * without reason.
 */
#define SLEEP_KILL 1
#define SLEEP_INTR 5 /* so may a signal */
int rw_sleep(const void *chan, struct rwlock *rw, int flags, uint64_t timeout);
int mtx_sleep(const void *chan, struct mtx *m, int flags, uint64_t timeout);
void wakeup(const void *chan);
/* True when curthread should unwind because its process was killed. */
bool thread_killed(void);

/*
 * The explorer of interleavings. The kernel's VM runs here in threads of which one at a time goes
 * on, and each stops before whatever others could notice: that is a point. From each state reached
 * the search lets every thread that can go on do so, in turn, and comes back: memory is put back as
 * it was. Two ways to the same memory have the same future, which is looked at once. So every
 * interleaving of the points is covered, and docs/explore.md says which points there are.
 *
 *   kern.c        kernel/kern for the model: threads, locks, sleep and wakeup, kmalloc
 *   access.c      sees each access to memory of kernel/vm: atomic ones are points
 *   search.c      the search, what a state is, and the report of a schedule
 *   scenario_*.c  who does what, and what must hold then
 *
 * What belongs to the state lies in the sections model_data and model_bss (all but search.c's, see
 * the Makefile), in the arenas of kmalloc, in the stacks, and in the fake RAM.
 */
#pragma once

#include "device.h"

#define MAX_THREADS 8
#define STACK_SIZE  (32ul << 10)
#define ARENA_SIZE  (48ul << 10) /* what one thread may allocate */

enum x_state { X_NONE, X_READY, X_MTX, X_LOCK, X_SLEEP, X_DONE };

#define MAX_HELD 12
struct x_held {
	const void *lock;
	const char *name;
	uint8_t rank;
	char mode; /* r, w: rwlock; m: mtx */
};

/* A thread of the model. All of it is part of the state. */
struct x_thread {
	struct thread td;
	void *sp; /* while it does not run */
	enum x_state state; /* READY: may go on; MTX: when the spin lock `what' is free */
	const char *verb; /* what it is about to do, */
	const void *what; /* to what, */
	const void *pc; /* and where */
	int place; /* LOCK: how many wait for `what' in front of it */
	bool wants_write; /* LOCK */
	bool timed; /* SLEEP: with a time-out */
	void (*fn)(void *);
	void *arg;
	struct x_held held[MAX_HELD];
	int nheld;
	bool let_go; /* a lock, since its last point */
	size_t arena_used;
};

/* --- kern.c --- */

/* The last one is who sets up and looks after: no other goes on while it runs. */
extern struct x_thread x_threads[MAX_THREADS + 1];
#define x_main (&x_threads[MAX_THREADS])
/* Can it go on? Without regard to time. */
bool x_enabled(const struct x_thread *t);
/* Let it go on up to its next point. */
void x_step(struct x_thread *t);
/* A thread comes to a point, about to do verb to what. */
void x_point(const char *verb, const void *what, const void *pc);
/* Is this address in a block of kmalloc's that was let go? */
bool x_freed(const void *p);

/* The number of the thread that runs. */
int x_current(void);
/* Has it let a lock go since its last point? */
bool x_let_go(void);

/* --- access.c --- */

/* The thread that runs uses what is at p, a lock or the like. Does another one, so that it matters
 * who comes first? */
bool x_shared(const void *p, bool write);
/* It frees the block at p. */
void x_forget(const void *p, size_t size);
/* Were uses seen that nobody knew of when this was last asked? */
bool x_new_places(void);

/* --- search.c --- */

extern uint8_t x_stacks[MAX_THREADS][STACK_SIZE];
extern uint8_t x_arenas[MAX_THREADS + 1][ARENA_SIZE];

struct scenario {
	const char *name;
	unsigned who, how; /* scenario.h's words */
	int bound; /* so many switches from a thread that could go on; 0: any number */
	bool quick; /* a part of the short form */
	bool release; /* for the build without INVARIANTS only */
	void (*setup)(const struct scenario *sc); /* makes the world and the threads */
	void (*check)(const struct scenario *sc); /* when all threads have ended */
	void (*teardown)(const struct scenario *sc); /* takes all apart: nothing may be left */
};
extern const struct scenario scenarios[];
extern const size_t nscenarios;
/* Say what is wrong and by which schedule it came about, and end. */
void x_report(const char *fmt, ...) __noreturn __printf_like(1, 2);

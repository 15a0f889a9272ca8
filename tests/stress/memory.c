/*
 * Accesses that may fault, by oneself or by another worker; what must be where.
 */
#define _GNU_SOURCE
#include "stress.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 60 /* seconds until one that only has to run has run */

static int hammering; /* (atomic) somebody of this process hammers */
static _Thread_local sigjmp_buf jump;
static _Thread_local volatile sig_atomic_t armed;

static void
on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!armed)
		fail(NULL, "signal %d at %p, where none may be", sig, info->si_addr);
	armed = 0;
	siglongjmp(jump, sig);
}

void
memory_init(void)
{
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

int
try_read(volatile uint64_t *p, uint64_t *value)
{
	int sig = sigsetjmp(jump, 0);

	if (sig == 0) {
		armed = 1;
		*value = *p;
		armed = 0;
	}
	return (sig);
}

int
try_write(volatile uint64_t *p, uint64_t value)
{
	int sig = sigsetjmp(jump, 0);

	if (sig == 0) {
		armed = 1;
		*p = value;
		armed = 0;
	}
	return (sig);
}

/* Count up until it faults or is told to stop. */
static int
hammer(struct box *b)
{
	int sig = sigsetjmp(jump, 0);

	if (sig == 0) {
		armed = 1;
		while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED))
			++*b->addr;
		armed = 0;
	}
	return (sig);
}

uint64_t
word_of(uint64_t pattern, unsigned i)
{
	return (pattern == 0 ? 0 : pattern * (2 * i + 1));
}

/* --- what one does for another --- */

void
serve(struct worker *w)
{
	struct box *b = &w->box;

	if (__atomic_load_n(&b->state, __ATOMIC_ACQUIRE) != BOX_POSTED)
		return;
	b->sig = b->job == JOB_READ    ? try_read(b->addr, &b->value)
		 : b->job == JOB_WRITE ? try_write(b->addr, b->value)
				       : hammer(b);
	__atomic_store_n(&b->state, BOX_DONE, __ATOMIC_RELEASE);
}

static struct box *
post(struct worker *w, enum job job, volatile uint64_t *p, uint64_t value)
{
	struct worker *other = &workers[(w->number + 1 + rnd(w, nworkers - 1)) % nworkers];
	struct box *b = &other->box;
	int was = BOX_FREE;

	while (!__atomic_compare_exchange_n(&b->state, &was, BOX_CLAIMED, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		was = BOX_FREE;
		serve(w);
		sched_yield();
	}
	b->job = job;
	b->addr = p;
	b->value = value;
	__atomic_store_n(&b->stop, false, __ATOMIC_RELAXED);
	__atomic_store_n(&b->state, BOX_POSTED, __ATOMIC_RELEASE);
	return (b);
}

static int
wait_done(struct worker *w, struct box *b, uint64_t *value)
{
	int sig;

	while (__atomic_load_n(&b->state, __ATOMIC_ACQUIRE) != BOX_DONE) {
		serve(w);
		sched_yield();
	}
	sig = b->sig;
	*value = b->value;
	__atomic_store_n(&b->state, BOX_FREE, __ATOMIC_RELEASE);
	return (sig);
}

int
ask(struct worker *w, enum job job, volatile uint64_t *p, uint64_t *value)
{
	return (wait_done(w, post(w, job, p, *value), value));
}

/* Two who wait for each other's hammer, and are each other's, would do so for ever. */
struct box *
ask_hammer(struct worker *w, volatile uint64_t *p)
{
	int free = 0;
	uint64_t before;
	struct box *b;

	if (!__atomic_compare_exchange_n(&hammering, &free, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return (NULL);
	before = *p;
	b = post(w, JOB_HAMMER, p, 0);
	while (*p == before) {
		serve(w);
		sched_yield();
	}
	return (b);
}

int
hammer_stop(struct worker *w, struct box *b)
{
	uint64_t value;
	int sig;

	__atomic_store_n(&b->stop, true, __ATOMIC_RELAXED);
	sig = wait_done(w, b, &value);
	__atomic_store_n(&hammering, 0, __ATOMIC_RELEASE);
	return (sig);
}

int
hammer_ended(struct worker *w, struct box *b, volatile uint64_t *seen)
{
	uint64_t last = *seen;
	int sig;

	for (int i = 0; i < 200; i++) {
		if (*seen != last)
			fail(w, "stale: page %p is written after it was taken away", b->addr);
		if (i % 50 == 0)
			sched_yield();
	}
	/* It faults as soon as it runs. */
	for (time_t end = time(NULL) + PATIENCE;
	     __atomic_load_n(&b->state, __ATOMIC_ACQUIRE) != BOX_DONE && time(NULL) < end;) {
		serve(w);
		sched_yield();
	}
	sig = hammer_stop(w, b);
	if (*seen != last)
		fail(w, "stale: page %p was written after it was taken away", b->addr);
	return (sig);
}

/* --- what must be --- */

struct device *
device_of(struct worker *w, struct slot *s)
{
	return (s->kind == DEVICE ? &w->testdev : s->kind == SCREEN ? &w->screen : NULL);
}

uint64_t *
pattern_at(struct worker *w, struct slot *s, unsigned i)
{
	if (device_of(w, s) != NULL)
		return (&device_of(w, s)->patterns[s->first + i]);
	if (s->kind == FILE_SHARED || (s->kind == FILE_PRIVATE && !s->pages[i].copied))
		return (&w->file[s->first + i]);
	return (&s->pages[i].pattern);
}

int
answer(struct worker *w, struct slot *s, unsigned i, bool write)
{
	struct page *p = &s->pages[i];

	if (!p->mapped || (p->prot & (write ? PROT_WRITE : PROT_READ)) == 0)
		return (SIGSEGV);
	if ((s->kind == FILE_SHARED || s->kind == FILE_PRIVATE) && s->first + i >= w->file_pages)
		return (SIGBUS);
	return (0);
}

static volatile uint64_t *
at(struct slot *s, unsigned i, unsigned word)
{
	return ((volatile uint64_t *)(void *)(s->addr + i * PAGE) + word);
}

static void
expect(struct worker *w, struct slot *s, unsigned i, bool write, int sig)
{
	int right = answer(w, s, i, write);

	if (sig != right)
		fail(w,
		     "%s of page %u of the slot at %p (kind %d) is answered by %d, should be %d%s",
		     write ? "a write" : "a read", i, (void *)s->addr, s->kind, sig, right,
		     sig == 0 ? ": stale" : "");
}

/* The whole page, unless it is read-only: then that is tried. */
void
fill(struct worker *w, struct slot *s, unsigned i)
{
	uint64_t pattern = (++w->patterns << 8 | w->process << 4 | w->number) * 2 + 1;
	unsigned foreign = (unsigned)rnd(w, WORDS);
	uint64_t value = word_of(pattern, foreign);

	expect(w, s, i, true, ask(w, JOB_WRITE, at(s, i, foreign), &value));
	if (answer(w, s, i, true) != 0) {
		expect(w, s, i, true, try_write(at(s, i, 0), pattern));
		return;
	}
	s->pages[i].copied = true;
	*pattern_at(w, s, i) = pattern;
	for (unsigned word = 0; word < WORDS; word++)
		if (word != foreign)
			*at(s, i, word) = word_of(pattern, word);
}

static void
check_word(struct worker *w, struct slot *s, unsigned i, unsigned word, bool foreign)
{
	uint64_t value = 0, right = word_of(*pattern_at(w, s, i), word);
	int sig =
	    foreign ? ask(w, JOB_READ, at(s, i, word), &value) : try_read(at(s, i, word), &value);

	expect(w, s, i, false, sig);
	if (sig == 0 && value != right)
		fail(w, "word %u of page %u of the slot at %p (kind %d) is %#lx, should be %#lx",
		     word, i, (void *)s->addr, s->kind, value, right);
}

void
check(struct worker *w, struct slot *s, unsigned i, bool alone)
{
	unsigned each = rnd(w, 8) == 0 ? 1 : 64;

	for (unsigned word = (unsigned)rnd(w, each); word < WORDS; word += each) {
		check_word(w, s, i, word, false);
		if (answer(w, s, i, false) != 0)
			break;
	}
	if (!alone)
		check_word(w, s, i, (unsigned)rnd(w, WORDS), true);
}

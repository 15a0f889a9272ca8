/*
 * Every interleaving of TLB shootdowns: kernel/amd64/shootdown.c, unchanged, on CPUs that are
 * threads here. Each atomic operation, page-table change and use of memory is a point; from each
 * state each CPU goes on in each way it could: by a step, by an interrupt that is pending, by a
 * preemption where interrupts are on, by remembering a translation that it has not been asked for.
 *
 * What must hold: a frame or a table that was freed is reached by no CPU any more, and from every
 * state all can come to their end. The search starts over for each choice (the threads' stacks are
 * at the same addresses each time, so a state is their bytes and those of the model) and does not go on
 * from a state that it has seen.
 *
 *   shootdown [-v] [SCENARIO...]     exit status: 0 all hold; 1 one does not; 2 no such scenario
 */
#define _GNU_SOURCE /* REG_RSP */
#include "amd64/amd64.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/sysctl.h"
#include "kern/thread.h"
#include "kern/trace.h"
#include "vm/pmap.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define CPUS        3
#define THREADS     6
#define STACK       (12ul << 10)
#define PATH_MAX    4000
#define STATES      (1u << 22)
#define VA          0x1000ul /* page i is at VA + i * PAGE_SIZE */
#define VPAGES      2
#define PREEMPTIONS 2

enum action { STEP, INTERRUPT, PREEMPT, FILL, ACTIONS };

/* A thread of the kernel's; it stays on its CPU. */
struct x_thread {
	void (*fn)(void);
	pmap_t pmap; /* NULL: a kernel thread */
	unsigned cpu, off; /* off: interrupts are, so often */
	bool started, done, waits; /* waits: its CPU is idle, only an interrupt makes it go on */
	enum action next; /* what it is to do when it goes on */
};

/* What a state is, beside the stacks. */
static struct {
	struct x_thread threads[THREADS];
	unsigned nthreads, running[CPUS];
	bool pending[CPUS]; /* an interrupt for that CPU */
	unsigned preemptions;
	pmap_t cr3[CPUS];
	unsigned tlb[CPUS][VPAGES]; /* frame, 0: nothing */
	unsigned pte[VPAGES];
	bool freed[VPAGES + 1];
	unsigned lock[VPAGES]; /* spin locks; 1: held */
} x;
static uint8_t stacks[THREADS][STACK] __attribute__((aligned(64)));
static ucontext_t contexts[THREADS], search;
static unsigned current; /* thread */
/* The registers that a call keeps; others hold nothing across a point. */
static const int kept[] = {REG_RBX, REG_RBP, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
static bool verbose, found;
static const char *said; /* what the step did */

struct pcpu pcpus[MAXCPU];
uint32_t cpus_online;
volatile bool panicking;
struct pmap kernel_pmap_store;
static struct pmap user;
struct thread *fake_curthread;

static void bug(const char *what);

/* --- the machine ------------------------------------------------------------------------------ */

static unsigned
x_cpu(void)
{
	return (x.threads[current].cpu);
}

static void
x_yield(void)
{
	swapcontext(&contexts[current], &search);
}

static void x_interrupt(void);
static void x_preempt(void);

/* The thread is about to do what others could notice. */
static void
x_point(const char *what)
{
	struct x_thread *t = &x.threads[current];

	for (;;) {
		x_yield();
		said = what;
		if (t->next == INTERRUPT)
			x_interrupt();
		else if (t->next == PREEMPT)
			x_preempt();
		else
			return;
	}
}

static uint64_t
x_intr_disable(void)
{
	return (x.threads[current].off++ == 0);
}

static void
x_intr_enable(void)
{
	x.threads[current].off--;
}

static void
x_invlpg(vm_offset_t va)
{
	x.tlb[x_cpu()][(va - VA) / PAGE_SIZE % VPAGES] = 0;
}

static void
x_cr3(pmap_t pmap)
{
	x.cr3[x_cpu()] = pmap;
	memset(x.tlb[x_cpu()], 0, sizeof(x.tlb[0]));
}

void
apic_ipi(uint32_t apic, uint32_t how)
{
	(void)how;
	x.pending[apic] = true;
}

void
spinlock_enter(void)
{
	x.threads[current].off++;
}

void
spinlock_exit(void)
{
	x.threads[current].off--;
}

void
panic(const char *fmt, ...)
{
	bug(fmt);
	abort();
}

/* The kernel's source sees this machine. */
#define cpu_id      x_cpu
#define pcpu_self() (&pcpus[x_cpu()])
#undef cpu_intr_disable
#undef cpu_intr_enable
#define cpu_intr_disable x_intr_disable
#define cpu_intr_enable  x_intr_enable
#define invlpg           x_invlpg
#undef WRITE_CR
#undef READ_CR
#define READ_CR(n)     0ul
#define WRITE_CR(n, v) x_cr3(n == 3 ? (pmap_t)(v) : NULL)
#undef STAT
#define STAT(name, value)                uint64_t *stat_##name = &value
#define __atomic_load_n(p, order)        (x_point("looks"), __atomic_load_n(p, order))
#define __atomic_store_n(p, v, order)    (x_point("writes"), __atomic_store_n(p, v, order))
#define __atomic_exchange_n(p, v, order) (x_point("exchanges"), __atomic_exchange_n(p, v, order))
#define __atomic_fetch_or(p, v, order)   (x_point("sets"), __atomic_fetch_or(p, v, order))
#define __atomic_fetch_and(p, v, order)  (x_point("clears"), __atomic_fetch_and(p, v, order))
#define __atomic_fetch_sub(p, v, order)  (x_point("subtracts"), __atomic_fetch_sub(p, v, order))
#define __atomic_fetch_add(p, v, order)  (*(p) += 0) /* statistics: nobody waits for them */
#define __atomic_compare_exchange_n(p, o, n, w, a, b) \
	(x_point("compares"), __atomic_compare_exchange_n(p, o, n, w, a, b))
#include SHOOTDOWN_C

/* --- what the threads consist of -------------------------------------------------------------- */

static void
x_interrupt(void)
{
	x.pending[x_cpu()] = false;
	x.threads[current].off++;
	tlb_poll();
	x.threads[current].off--;
}

/* The CPU goes to the thread that comes next, as sched_switch does. */
static void
switch_to(unsigned next)
{
	struct x_thread *t = &x.threads[current];

	t->off++;
	tlb_switch(x.threads[next].pmap);
	x.running[t->cpu] = next;
	t->off--;
}

/* Another of the CPU's, which has not ended; the thread itself: there is none. */
static unsigned
another(void)
{
	for (unsigned i = 1; i < x.nthreads; i++) {
		unsigned n = (current + i) % x.nthreads;

		if (x.threads[n].cpu == x_cpu() && !x.threads[n].done)
			return (n);
	}
	return (current);
}

static void
x_preempt(void)
{
	x.preemptions++;
	switch_to(another());
}

static void
lock(unsigned i)
{
	x.threads[current].off++;
	for (;;) {
		x_point("takes the lock");
		if (x.lock[i] == 0)
			break;
		tlb_poll(); /* cpu_spinwait */
	}
	x.lock[i] = 1;
}

static void
unlock(unsigned i)
{
	x_point("lets the lock go");
	x.lock[i] = 0;
	x.threads[current].off--;
}

/* The program reads page i. */
static void
use(unsigned i)
{
	unsigned c = x_cpu();

	x_point("uses the page");
	c = x_cpu();
	if (x.cr3[c] != &user)
		bug("a program runs with other page tables");
	if (x.tlb[c][i] == 0)
		x.tlb[c][i] = x.pte[i];
	if (x.tlb[c][i] != 0 && x.freed[x.tlb[c][i]])
		bug("a frame is used that was freed");
}

static void
take_away(unsigned i, bool tables)
{
	unsigned frame = x.pte[i];

	lock(i);
	x_point("changes the page table");
	x.pte[i] = 0;
#ifdef FREES_FIRST
	x.freed[frame] = true;
#endif
	tlb_shootdown(&user, VA + i * PAGE_SIZE, VA + (i + 1) * PAGE_SIZE, tables);
	unlock(i);
	x_point("frees the frame");
	x.freed[frame] = true;
	for (unsigned c = 0; tables && c < CPUS; c++)
		if (x.cr3[c] == &user && x.tlb[c][i] != 0)
			bug("a CPU remembers the way through a table that was freed");
}

/* --- the threads ------------------------------------------------------------------------------ */

static void
unmapper(void)
{
	take_away(0, false);
}

static void
second_unmapper(void)
{
	take_away(1, false);
	use(0);
}

static void
table_freer(void)
{
	take_away(0, true);
}

static void
user_thread(void)
{
	use(0);
	use(0);
	use(1);
}

static void
kernel_thread(void)
{
	x_point("works");
}

/* Looks at a lock with interrupts on, as an rwlock's waiter does. */
static void
looker(void)
{
	tlb_poll();
	tlb_poll();
	use(0);
}

static void
locker(void)
{
	lock(0);
	unlock(0);
	use(0);
}

static void
ender(void)
{
	tlb_forget(&user);
	for (unsigned c = 0; c < CPUS; c++)
		if (x.cr3[c] == &user)
			bug("a CPU has page tables that were freed");
}

/* What a thread is of: the address space; the kernel, on a CPU that still has its page tables; the
 * kernel, with the kernel's. */
enum of { USER, LAZY, KERNEL };
static const struct scenario {
	const char *name;
	struct {
		void (*fn)(void);
		unsigned cpu;
		enum of of;
	} threads[THREADS];
} scenarios[] = {
    {"active", {{unmapper, 0, USER}, {user_thread, 1, USER}}},
    {"lazy", {{unmapper, 0, USER}, {user_thread, 1, USER}, {kernel_thread, 1, LAZY}}},
    {"tables", {{table_freer, 0, USER}, {user_thread, 1, USER}, {kernel_thread, 1, LAZY}}},
    {"end", {{ender, 0, LAZY}, {kernel_thread, 1, LAZY}}},
    {"switch", {{unmapper, 0, USER}, {kernel_thread, 1, KERNEL}, {user_thread, 1, USER}}},
    {"two-shoot", {{unmapper, 0, USER}, {second_unmapper, 1, USER}}},
    {"preempted", {{unmapper, 0, USER}, {looker, 1, USER}, {locker, 1, USER}}},
    {"three-cpus", {{unmapper, 0, USER}, {user_thread, 1, USER}, {user_thread, 2, USER}}},
};

/* --- the search ------------------------------------------------------------------------------- */

struct state {
	uint64_t hash[2];
	uint32_t first_edge; /* in edges, + 1; of those that lead here */
	bool ends, good;
};
static struct state *states;
static uint32_t nstates;
static struct {
	uint32_t from, next;
} * edges;
static uint32_t nedges, edges_max;
static uint32_t *table;
static struct {
	uint32_t state;
	unsigned choice; /* of what could happen there */
	const char *said;
	unsigned cpu, thread;
	enum action action;
} path[PATH_MAX];
static unsigned depth;

static void
show_path(void)
{
	static const char *const names[] = {"", "is interrupted and ", "is preempted, it ",
					    "remembers a translation"};

	for (unsigned i = 0; i < depth; i++)
		printf("    CPU %u, thread %u %s%s\n", path[i].cpu, path[i].thread,
		       names[path[i].action], path[i].action == FILL ? "" : path[i].said);
}

static jmp_buf out;

static void
bug(const char *what)
{
	printf("FOUND: %s\n", what);
	if (verbose)
		show_path();
	found = true;
	longjmp(out, 1);
}

static void
thread_main(void)
{
	struct x_thread *t = &x.threads[current];
	unsigned self = current, next;

	t->fn();
	x_point("ends");
	next = another();
	if (next != self) {
		switch_to(next);
	} else {
		t->off++;
		tlb_switch(NULL);
		t->off--;
	}
	t->done = true;
	for (;;) {
		t->waits = true;
		x_yield();
		t->waits = false;
		x_interrupt();
	}
}

static void
add_thread(void (*fn)(void), unsigned cpu, enum of of)
{
	struct x_thread *t = &x.threads[x.nthreads];
	ucontext_t *context = &contexts[x.nthreads];

	*t = (struct x_thread){.fn = fn, .cpu = cpu, .pmap = of == USER ? &user : NULL};
	getcontext(context);
	for (size_t i = 0; i < nitems(kept); i++)
		context->uc_mcontext.gregs[kept[i]] = 0;
	context->uc_stack.ss_sp = stacks[x.nthreads];
	context->uc_stack.ss_size = STACK;
	makecontext(context, thread_main, 0);
	x.nthreads++;
}

/* It runs its first thread. */
static void
start_cpu(const struct scenario *sc, unsigned c)
{
	unsigned first = 0;
	pmap_t pmap;

	while (first < x.nthreads && x.threads[first].cpu != c)
		first++;
	x.running[c] = first;
	pcpus[c] = (struct pcpu){.pc_cpuid = c, .pc_apic_id = c};
	if (first == x.nthreads)
		return;
	pmap = sc->threads[first].of == KERNEL ? kernel_pmap : &user;
	pcpus[c].pc_curpmap = x.cr3[c] = pmap;
	pmap->pm_active |= 1u << c;
	pcpus[c].pc_tlb = sc->threads[first].of == USER ? TLB_ACTIVE : TLB_LAZY;
	cpus_online |= 1u << c;
}

static void
start(const struct scenario *sc)
{
	memset(&x, 0, sizeof(x));
	memset(stacks, 0, sizeof(stacks));
	memset(pcpus, 0, sizeof(pcpus));
	memset(requests, 0, sizeof(requests));
	memset(&user, 0, sizeof(user));
	for (unsigned i = 0; i < VPAGES; i++)
		x.pte[i] = i + 1;
	user.pm_cr3 = (uint64_t)(uintptr_t)&user;
	kernel_pmap_store.pm_cr3 = (uint64_t)(uintptr_t)kernel_pmap;
	kernel_pmap_store.pm_active = 0;
	for (size_t i = 0; i < nitems(sc->threads) && sc->threads[i].fn != NULL; i++)
		add_thread(sc->threads[i].fn, sc->threads[i].cpu, sc->threads[i].of);
	for (unsigned c = 0; c < CPUS; c++)
		start_cpu(sc, c);
}

/* May CPU c do that now? */
static bool
possible(unsigned c, enum action a)
{
	struct x_thread *t = &x.threads[x.running[c]];
	unsigned other;

	if (x.running[c] == x.nthreads)
		return (false);
	current = x.running[c];
	other = another();
	switch (a) {
	case STEP:
		return (!t->waits);
	case INTERRUPT:
		return (x.pending[c] && t->started && t->off == 0);
	case PREEMPT:
		return (t->started && !t->waits && t->off == 0 && other != x.running[c] &&
			x.preemptions < PREEMPTIONS);
	case FILL: /* of what a program may come to use */
		return (x.cr3[c] == &user && x.tlb[c][0] == 0 && x.pte[0] != 0);
	default:
		return (false);
	}
}

/* The nth thing that could happen now; false: there are not so many. */
static bool
choose(unsigned n, unsigned *cpu, enum action *action)
{
	for (*cpu = 0; *cpu < CPUS; ++*cpu)
		for (*action = STEP; *action < ACTIONS; ++*action)
			if (possible(*cpu, *action) && n-- == 0)
				return (true);
	return (false);
}

static void
act(unsigned cpu, enum action action)
{
	struct x_thread *t = &x.threads[x.running[cpu]];

	if (action == FILL) {
		x.tlb[cpu][0] = x.pte[0];
		return;
	}
	current = x.running[cpu];
	said = "starts";
	t->started = true;
	t->next = action;
	swapcontext(&search, &contexts[current]);
}

static bool
all_done(void)
{
	for (unsigned i = 0; i < x.nthreads; i++)
		if (!x.threads[i].done || (x.running[x.threads[i].cpu] == i && !x.threads[i].waits))
			return (false);
	return (true);
}

static void
hash_bytes(uint64_t h[2], const void *p, size_t size)
{
	const uint8_t *b = p;
	uint64_t word;

	for (size_t i = 0; i < size; i += 8) {
		word = 0;
		memcpy(&word, b + i, MIN(size - i, 8ul));
		h[0] = (h[0] ^ word) * 0x9e3779b97f4a7c15ul;
		h[0] ^= h[0] >> 29;
		h[1] = (h[1] + word) * 0xbf58476d1ce4e5b9ul;
		h[1] ^= h[1] >> 32;
	}
}

/* The number of the state that all is in now; *is_new: it was not seen before. */
static uint32_t
find_state(bool *is_new)
{
	uint64_t h[2] = {1, 2};
	uint32_t i;

	hash_bytes(h, &x, sizeof(x));
	hash_bytes(h, &user, sizeof(user));
	hash_bytes(h, &kernel_pmap_store, sizeof(kernel_pmap_store));
	hash_bytes(h, pcpus, CPUS * sizeof(pcpus[0]));
	hash_bytes(h, requests, CPUS * sizeof(requests[0]));
	for (unsigned t = 0; t < x.nthreads; t++) {
		greg_t *regs = contexts[t].uc_mcontext.gregs;
		uint8_t *sp = (uint8_t *)regs[REG_RSP];

		for (size_t k = 0; k < nitems(kept); k++)
			hash_bytes(h, &regs[kept[k]], sizeof(regs[0]));
		hash_bytes(h, sp, (size_t)(stacks[t] + STACK - sp));
	}
	for (i = (uint32_t)h[0] % STATES; table[i] != 0; i = (i + 1) % STATES)
		if (memcmp(states[table[i]].hash, h, sizeof(h)) == 0)
			break;
	*is_new = table[i] == 0;
	if (*is_new) {
		table[i] = ++nstates;
		if (nstates >= STATES / 2) {
			printf("too many states\n");
			exit(2);
		}
		states[nstates] = (struct state){.hash = {h[0], h[1]}, .ends = all_done()};
	}
	return (table[i]);
}

static void
add_edge(uint32_t from, uint32_t to)
{
	if (nedges + 1 >= edges_max) {
		edges_max = edges_max * 2 + 1024;
		edges = realloc(edges, edges_max * sizeof(*edges));
	}
	edges[++nedges].from = from;
	edges[nedges].next = states[to].first_edge;
	states[to].first_edge = nedges;
}

/* One way, by the choices of path as far as there are any, then by the first each time, up to a
 * state that was seen, or the end. */
static void
run(const struct scenario *sc)
{
	unsigned known = depth;
	uint32_t last = 0, now;
	bool is_new;

	start(sc);
	for (unsigned i = 0;; i++) {
		if (i >= known) {
			now = find_state(&is_new);
			if (last != 0)
				add_edge(last, now);
			if (!is_new || states[now].ends || i == PATH_MAX)
				return;
			path[i].choice = 0;
			path[i].state = now;
			depth = i + 1;
		}
		last = path[i].state;
		if (!choose(path[i].choice, &path[i].cpu, &path[i].action)) {
			depth = i;
			if (i >= known)
				return; /* nothing can go on: no end is reached from here */
			abort();
		}
		path[i].thread = x.running[path[i].cpu];
		act(path[i].cpu, path[i].action);
		path[i].said = said;
	}
}

/* From which states is an end reached? */
static void
mark_good(void)
{
	uint32_t *todo = malloc((nstates + 1) * sizeof(*todo)), n = 0;

	for (uint32_t s = 1; s <= nstates; s++)
		if (states[s].ends) {
			states[s].good = true;
			todo[n++] = s;
		}
	while (n > 0)
		for (uint32_t e = states[todo[--n]].first_edge; e != 0; e = edges[e].next) {
			if (!states[edges[e].from].good) {
				states[edges[e].from].good = true;
				todo[n++] = edges[e].from;
			}
		}
	free(todo);
}

/* The path to a state that no end is reached from, if there is one, is looked for by searching
 * again; here only whether. */
static bool
search_all(const struct scenario *sc)
{
	unsigned cpu;
	enum action action;

	memset(table, 0, STATES * sizeof(*table));
	nstates = nedges = depth = 0;
	found = false;
	for (;;) {
		if (setjmp(out) == 0)
			run(sc);
		if (found)
			return (false);
		/* The last choice that has another. Its state is looked for again. */
		for (; depth > 0; depth--) {
			start(sc);
			for (unsigned i = 0; i + 1 < depth; i++)
				act(path[i].cpu, path[i].action);
			if (choose(path[depth - 1].choice + 1, &cpu, &action))
				break;
		}
		if (depth == 0)
			break;
		path[depth - 1].choice++;
	}
	mark_good();
	for (uint32_t s = 1; s <= nstates; s++)
		if (!states[s].good) {
			printf("FOUND: there is a state from which they never come to an end\n");
			return (false);
		}
	return (true);
}

int
main(int argc, char **argv)
{
	bool good = true, all;
	int first = 1;

	if (argc > 1 && strcmp(argv[1], "-v") == 0) {
		verbose = true;
		first++;
	}
	all = first == argc;
	states = calloc(STATES / 2 + 1, sizeof(*states));
	table = calloc(STATES, sizeof(*table));
	for (size_t i = 0; i < nitems(scenarios); i++) {
		bool wanted = all;

		for (int k = first; k < argc; k++)
			wanted |= strcmp(argv[k], scenarios[i].name) == 0;
		if (!wanted)
			continue;
		printf("%-12s ", scenarios[i].name);
		if (search_all(&scenarios[i]))
			printf("%7u states, %8u steps\n", nstates, nedges);
		else
			good = false;
		fflush(stdout);
	}
	return (!good);
}

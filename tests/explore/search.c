/*
 * The search: depth first through all states, each visited once. Owns the copies of states on the
 * way here, the table of states seen, and the trail: what was done to come here.
 *
 * How many interleavings there are from a state on is the sum over what can be done next; so each
 * is counted though it is not walked.
 */
#include "explore.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>

#define MAX_DEPTH 3000 /* points on one way: more, and it is taken for endless */
#define FRAMES    24
#define FRAME_USE 32 /* bytes of a frame of RAM that are looked at */

/* What is not part of the state, but for the model's sections (the Makefile makes them). */
uint8_t x_stacks[MAX_THREADS][STACK_SIZE] __aligned_to(64);
uint8_t x_arenas[MAX_THREADS + 1][ARENA_SIZE] __aligned_to(64);
extern uint8_t __start_model_data[], __stop_model_data[], __start_model_bss[], __stop_model_bss[];

struct step {
	const char *who, *verb;
	const void *what, *pc;
};
static const struct scenario *now;
static struct step trail[MAX_DEPTH];
static uint8_t *copies[MAX_DEPTH + 1];
static int depth, deepest, last_thread;
static int preemptions; /* on the way here */
static bool verbose, restart;

struct seen {
	uint64_t hash; /* 0: nothing here */
	double ways; /* to the end; -1: it is on the way here */
};
static struct seen *table;
static uint64_t table_size, nseen, nsteps;

/* --- what a state is --- */

struct region {
	uint8_t *start;
	size_t size;
};
#define MAX_REGIONS (4 + 2 * MAX_THREADS + 1)

/* The model's sections first: the sizes of the others are in them. */
static int
regions(struct region *r, bool sections_only)
{
	int n = 0;

	r[n++] =
	    (struct region){__start_model_data, (size_t)(__stop_model_data - __start_model_data)};
	r[n++] = (struct region){__start_model_bss, (size_t)(__stop_model_bss - __start_model_bss)};
	if (sections_only)
		return (n);
	r[n++] = (struct region){(uint8_t *)fake_ram_pages, FRAMES * sizeof(*fake_ram_pages)};
	for (int i = 0; i <= MAX_THREADS; i++)
		r[n++] = (struct region){x_arenas[i], x_threads[i].arena_used};
	for (int i = 0; i < MAX_THREADS; i++) {
		uint8_t *sp = x_threads[i].sp, *top = x_stacks[i] + STACK_SIZE;

		if (x_threads[i].state != X_NONE && x_threads[i].state != X_DONE)
			r[n++] = (struct region){sp, (size_t)(top - sp)};
	}
	return (n);
}

static uint8_t *
ram(int frame)
{
	return (fake_phys(FAKE_RAM_BASE + ptoa((vm_pindex_t)frame)));
}

static void
save(int at)
{
	struct region r[MAX_REGIONS];
	int n = regions(r, false);
	uint8_t *to = copies[at];
	size_t size = (size_t)FRAMES * FRAME_USE;

	for (int i = 0; i < n; i++)
		size += r[i].size;
	copies[at] = to = realloc(to, size);
	for (int i = 0; i < n; to += r[i].size, i++)
		memcpy(to, r[i].start, r[i].size);
	for (int i = 0; i < FRAMES; i++, to += FRAME_USE)
		memcpy(to, ram(i), FRAME_USE);
}

static void
restore(int at)
{
	struct region r[MAX_REGIONS];
	const uint8_t *from = copies[at];
	int n = regions(r, true), i = 0;

	for (; i < n; from += r[i].size, i++)
		memcpy(r[i].start, from, r[i].size);
	n = regions(r, false);
	for (; i < n; from += r[i].size, i++)
		memcpy(r[i].start, from, r[i].size);
	for (i = 0; i < FRAMES; i++, from += FRAME_USE)
		memcpy(ram(i), from, FRAME_USE);
}

static inline uint64_t
mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9fb21c651e98df25ul;
	return (h ^ h >> 32);
}

/* Four at a time, which do not wait for each other. */
static uint64_t
hash_bytes(uint64_t h, const uint8_t *p, size_t size)
{
	uint64_t a = h, b = h ^ 1, c = h ^ 2, d = h ^ 3, w[4];

	for (; size >= sizeof(w); p += sizeof(w), size -= sizeof(w)) {
		memcpy(w, p, sizeof(w));
		a = mix(a, w[0]);
		b = mix(b, w[1]);
		c = mix(c, w[2]);
		d = mix(d, w[3]);
	}
	memset(w, 0, sizeof(w));
	memcpy(w, p, size);
	for (int i = 0; i < 4; i++)
		a = mix(a, w[i]);
	return (mix(mix(mix(a, b), c), d));
}

/* Counters that only grow decide nothing: they do not make two states of one. */
static uint64_t
hash_state(void)
{
	struct vm_counters cnt = vm_cnt;
	struct fake_pmap_counts counts = fake_pmap;
	struct region r[MAX_REGIONS];
	int n = regions(r, false);
	uint64_t h = 1;

	if (now->bound != 0) /* then the future depends on this, too */
		h = (uint64_t)(preemptions * MAX_THREADS + last_thread + 1);
	memset(&vm_cnt.v_faults, 0, sizeof(vm_cnt) - offsetof(struct vm_counters, v_faults));
	memset(&fake_pmap, 0, offsetof(struct fake_pmap_counts, mappings));
	for (int i = 0; i < n; i++)
		h = hash_bytes(h, r[i].start, r[i].size);
	for (int i = 0; i < FRAMES; i++)
		h = hash_bytes(h, ram(i), FRAME_USE);
	vm_cnt = cnt;
	fake_pmap = counts;
	return (h != 0 ? h : 1);
}

/* --- states seen --- */

static struct seen *
seen_at(struct seen *t, uint64_t size, uint64_t hash)
{
	uint64_t i = hash & (size - 1);

	while (t[i].hash != 0 && t[i].hash != hash)
		i = (i + 1) & (size - 1);
	return (&t[i]);
}

static void
table_grow(void)
{
	uint64_t size = MAX(2 * table_size, 1ul << 16);
	struct seen *larger = calloc(size, sizeof(*larger));

	for (uint64_t i = 0; i < table_size; i++) {
		if (table[i].hash != 0)
			*seen_at(larger, size, table[i].hash) = table[i];
	}
	free(table);
	table = larger;
	table_size = size;
}

/* --- report --- */

static void
describe(const struct step *s)
{
	uintptr_t ram_pages = (uintptr_t)fake_ram_pages, at = (uintptr_t)s->what;
	vm_page_t device = vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE);
	uintptr_t size = sizeof(struct vm_page);

	printf("%s", s->verb);
	if (s->what == NULL)
		return;
	if (strstr(s->verb, "lock") != NULL || strstr(s->verb, "takes") != NULL ||
	    strstr(s->verb, "upgrade") != NULL || strstr(s->verb, "lets go") != NULL)
		printf(" %s", ((const struct rwlock *)s->what)->rw_name);
	else if (at - ram_pages < FRAMES * size)
		printf(" RAM page %lu", (at - ram_pages) / size);
	else if (device != NULL && at - (uintptr_t)device < FAKE_VRAM_SIZE / PAGE_SIZE * size)
		printf(" device page %lu", (at - (uintptr_t)device) / size);
}

/* Where in the source, for all steps that are printed. */
static void
sources(const int *steps, int n, char (*text)[96])
{
	char command[64 + 20 * (MAX_DEPTH + 1)], exe[256] = "", function[96];
	size_t len;
	FILE *f;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		return;
	len = (size_t)snprintf(command, sizeof(command), "addr2line -s -f -e %s", exe);
	for (int i = 0; i < n; i++)
		len += (size_t)snprintf(command + len, sizeof(command) - len, " %p",
					(const char *)trail[steps[i]].pc - 1);
	f = popen(command, "r");
	for (int i = 0; f != NULL && i < n; i++) {
		if (fgets(function, sizeof(function), f) == NULL ||
		    fgets(text[i], sizeof(text[i]), f) == NULL)
			text[i][0] = '\0';
		text[i][strcspn(text[i], " \n")] = '\0';
	}
	if (f != NULL)
		pclose(f);
}

/* One line for what a thread does without another one in between; all steps if verbose. */
static void
print_trail(void)
{
	static char text[MAX_DEPTH][96];
	static int shown[MAX_DEPTH];
	int n = 0, first = 0;

	for (int i = 0; i < depth; i++) {
		if (verbose || i + 1 == depth || trail[i].who != trail[i + 1].who)
			shown[n++] = i;
	}
	sources(shown, n, text);
	printf("  The schedule, %d steps. Each thread's last step before another one's turn:\n",
	       depth);
	for (int i = 0; i < n; first = shown[i] + 1, i++) {
		const struct step *s = &trail[shown[i]];

		printf("    %-12s %3d steps, then ", s->who, shown[i] - first);
		describe(s);
		if (s->pc != NULL)
			printf("  (%s)", text[i]);
		printf("\n");
	}
	for (struct x_thread *t = x_threads; t < x_main; t++) {
		struct step s = {t->td.td_name, t->verb, t->what, t->pc};

		if (t->state == X_NONE || t->state == X_DONE)
			continue;
		printf("    %-12s %s ", s.who,
		       t->state == X_SLEEP  ? "sleeps, never"
		       : t->state == X_LOCK ? "waits; it"
					    : "would next be one who");
		describe(&s);
		for (int i = 0; i < t->nheld; i++)
			printf(", holds %s", t->held[i].name);
		printf("\n");
	}
}

void
x_report(const char *fmt, ...)
{
	static bool again;
	va_list ap;

	if (again)
		_exit(1);
	again = true;
	printf("%s: FOUND: ", now->name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	print_trail();
	fflush(stdout);
	_exit(1);
}

static void
on_signal(int sig)
{
	x_report("%s", strsignal(sig));
}

/* --- the search --- */

struct counts {
	uint64_t kmem;
	struct vm_counters cnt;
};

static void
take_counts(struct counts *c)
{
	c->kmem = fake_kmem_live;
	c->cnt = vm_cnt;
}

static struct counts before_setup;

/* All threads have ended. What was made by setup goes; then nothing may be left. */
static void
at_end(void)
{
	struct counts c;

	now->check(now);
	now->teardown(now);
	take_counts(&c);
#define SAME(field)                                \
	if (c.cnt.field != before_setup.cnt.field) \
	x_report("%s is %lu at the end, was %lu", #field, c.cnt.field, before_setup.cnt.field)
	SAME(v_busied);
	SAME(v_objects);
	SAME(v_map_entries);
	SAME(v_pv_entries);
	SAME(v_wire_count);
	SAME(v_free_count);
	SAME(v_committed);
	SAME(v_fictitious);
#undef SAME
	if (c.kmem != before_setup.kmem)
		x_report("%lu blocks are not freed", c.kmem - before_setup.kmem);
	if (fake_pmap.mappings != 0)
		x_report("%lu pages are still mapped", fake_pmap.mappings);
}

/* Who can go on: threads that can, or if there are none those whose time-out comes. */
static unsigned
choices(void)
{
	unsigned can = 0, timed = 0;

	for (int i = 0; i < MAX_THREADS; i++) {
		can |= (unsigned)x_enabled(&x_threads[i]) << i;
		timed |= (unsigned)(x_threads[i].state == X_SLEEP && x_threads[i].timed) << i;
	}
	return (can != 0 ? can : timed);
}

static bool
all_ended(void)
{
	for (int i = 0; i < MAX_THREADS; i++) {
		if (x_threads[i].state != X_NONE && x_threads[i].state != X_DONE)
			return (false);
	}
	return (true);
}

static void
take_step(int i)
{
	struct x_thread *t = &x_threads[i];

	if (depth == MAX_DEPTH)
		x_report("no end after %d steps", depth);
	trail[depth++] = (struct step){t->td.td_name, t->verb, t->what, t->pc};
	deepest = MAX(deepest, depth);
	last_thread = i;
	nsteps++;
	x_step(t);
}

static double explore(void);

/* Would it be a switch away from a thread that could go on? */
static bool
preempts(int thread, int last, unsigned can)
{
	return (thread != last && (can & 1u << last) != 0);
}

/* Let each of those go on from here, whoever went last first. */
static double
branch(unsigned can)
{
	int here = depth, last = last_thread, before = preemptions;
	double ways = 0;

	save(here);
	for (int i = 0; i < MAX_THREADS && !restart; i++) {
		int thread = (last + i) % MAX_THREADS;

		if ((can & 1u << thread) == 0)
			continue;
		preemptions = before + preempts(thread, last, can);
		if (now->bound != 0 && preemptions > now->bound)
			continue;
		take_step(thread);
		ways += explore();
		restore(here);
		depth = here;
	}
	preemptions = before;
	return (ways);
}

/* How many ways lead to the end from here. */
static double
explore(void)
{
	unsigned can = choices();
	struct seen *s;
	uint64_t hash;
	double ways;

	while (can != 0 && (can & (can - 1)) == 0) { /* no choice */
		take_step(__builtin_ctz(can));
		can = choices();
	}
	if (can == 0 && !all_ended())
		x_report("deadlock");
	hash = hash_state();
	s = seen_at(table, table_size, hash);
	if (s->hash != 0 && s->ways < 0)
		x_report("it goes round in circles");
	if (s->hash != 0)
		return (s->ways);
	*s = (struct seen){hash, -1};
	if (2 * ++nseen > table_size)
		table_grow();
	if ((nseen & (nseen - 1)) == 0) /* now and then: is it in vain? */
		restart |= x_new_places();
	if (can == 0)
		at_end();
	ways = can == 0 ? 1 : branch(can);
	seen_at(table, table_size, hash)->ways = ways;
	return (ways);
}

/* From the beginning when the search has seen memory to be shared that it did not know of. */
static void
run(void)
{
	struct timespec t0, t1;
	double ways;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	fake_boot(FRAMES);
	vm_cnt.v_free_reserved = vm_cnt.v_free_target = 4; /* so few frames are enough */
	take_counts(&before_setup);
	now->setup(now);
	save(0);
	do {
		free(table);
		table = NULL;
		table_size = nseen = nsteps = 0;
		table_grow();
		depth = deepest = preemptions = last_thread = 0;
		restart = false;
		ways = explore();
		depth = 0;
		restore(0);
	} while (x_new_places() || restart);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("%-22s %10.4g interleavings, %8lu states, %9lu steps, up to %4d deep, %5.1f s",
	       now->name, ways, nseen, nsteps, deepest,
	       (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9);
	if (now->bound != 0)
		printf(", with at most %d preemptions", now->bound);
	printf("\n");
}

/* Each scenario in a process of its own. */
static bool
run_apart(void)
{
	static uint8_t stack[65536];
	const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
	int status = 1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		sigaltstack(&alt, NULL);
		for (size_t i = 0; i < nitems(signals); i++)
			sigaction(signals[i], &act, NULL);
		run();
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return (status == 0);
}

static int
usage(void)
{
	fprintf(stderr,
		"usage: explore [-l] [-q] [-v] [SCENARIO...]\n"
		"-l: list them  -q: the quick ones  -v: show every step of what is found\n");
	return (2);
}

static bool
chosen(const struct scenario *s, bool quick, char **patterns)
{
	if (s->release == INVARIANTS_BUILD || (quick && !s->quick))
		return (false);
	if (*patterns == NULL)
		return (true);
	for (; *patterns != NULL; patterns++) {
		if (fnmatch(*patterns, s->name, 0) == 0)
			return (true);
	}
	return (false);
}

int
main(int argc, char **argv)
{
	bool quick = false, list = false, good = true;
	int c, n = 0;

	while ((c = getopt(argc, argv, "lqv")) != -1) {
		if (c == '?')
			return (usage());
		quick |= c == 'q';
		list |= c == 'l';
		verbose |= c == 'v';
	}
	for (now = scenarios; now < scenarios + nscenarios; now++) {
		if (!chosen(now, quick, argv + optind))
			continue;
		n++;
		if (list)
			printf("%s\n", now->name);
		else
			good &= run_apart();
	}
	return (n == 0 ? usage() : !good);
}

/*
 * The frame of a test program: cmocka outside, one process a test inside. Owns the counts taken
 * before each test.
 */
#include "harness.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>

/* A test that takes longer hangs; HOST_TEST_SECONDS in the environment may say how long. */
#define TEST_SECONDS 40

const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	/* kmalloc's blocks are counted here, and named by test. */
	return ("detect_leaks=0:detect_stack_use_after_return=0");
}

int fake_threads_left(void);

struct snapshot {
	struct vm_counters cnt;
	uint64_t queued[PQ_COUNT];
	struct fake_pmap_counts pmap;
	uint64_t kmem;
};
static size_t machine_frames;

/* cmocka catches these and goes on with the next test; a child must end, with the sanitizer's
 * report. */
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
static struct sigaction fatal_actions[nitems(fatal_signals)];

static void
snap(struct snapshot *s)
{
	s->cnt = vm_cnt;
	for (int queue = 0; queue < PQ_COUNT; queue++)
		s->queued[queue] = vm_page_queue_count(queue);
	s->pmap = fake_pmap;
	s->kmem = fake_kmem_live;
}

static void
same(const char *name, uint64_t before, uint64_t after)
{
	if (before != after)
		T_FAIL("%s was %lu before the test and is %lu after it", name, before, after);
}

static void
check_restored(const struct snapshot *s)
{
	if (fake_threads_left() != 0)
		T_FAIL("%d threads have not ended", fake_threads_left());
	if (fake_locks_held(curthread) != 0)
		T_FAIL("the test ends holding a lock");
#define SAME(field) same(#field, s->cnt.field, vm_cnt.field)
	SAME(v_busied);
	SAME(v_map_entries);
	SAME(v_objects);
	SAME(v_pv_entries);
	SAME(v_pt_pages);
	SAME(v_wire_count);
	SAME(v_committed);
	SAME(v_fictitious);
	SAME(v_free_count);
#undef SAME
	for (int queue = 0; queue < PQ_COUNT; queue++)
		same("queued pages", s->queued[queue], vm_page_queue_count(queue));
	same("mappings", s->pmap.mappings, fake_pmap.mappings);
	same("wired mappings", s->pmap.wired, fake_pmap.wired);
	same("kmalloc blocks", s->kmem, fake_kmem_live);
}

static void
run_here(const struct host_test *test)
{
	struct snapshot before;

	fake_boot(machine_frames);
	snap(&before);
	test->fn();
	fake_yield(); /* tasks that are due */
	if (fake_panic_is_expected())
		T_FAIL("a panic was expected");
	fake_pmap_verify();
	check_restored(&before);
}

static unsigned int
seconds(void)
{
	const char *text = getenv("HOST_TEST_SECONDS");

	return (text != NULL ? (unsigned int)strtoul(text, NULL, 10) : TEST_SECONDS);
}

static void
run_apart(void **state)
{
	const struct host_test *test = *state;
	pid_t pid;
	int status;

	if (getenv("HOST_TEST_NOFORK") != NULL) {
		run_here(test);
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(seconds());
		for (size_t i = 0; i < nitems(fatal_signals); i++)
			sigaction(fatal_signals[i], &fatal_actions[i], NULL);
		run_here(test);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		fail_msg("waitpid");
	if (WIFSIGNALED(status))
		fail_msg("%s: ended by signal %d%s", test->name, WTERMSIG(status),
			 WTERMSIG(status) == SIGALRM ? ", it hangs" : "");
	if (WEXITSTATUS(status) != 0)
		fail_msg("%s: see above", test->name);
}

int
host_main(int argc, char **argv, const char *group, const struct host_test *tests, size_t n,
	  size_t frames)
{
	struct CMUnitTest *units = calloc(n, sizeof(*units));
	int rv;

	machine_frames = frames;
	for (size_t i = 0; i < nitems(fatal_signals); i++)
		sigaction(fatal_signals[i], NULL, &fatal_actions[i]);
	for (size_t i = 0; i < n; i++) {
		units[i].name = tests[i].name;
		units[i].test_func = run_apart;
		units[i].initial_state = (void *)(uintptr_t)&tests[i];
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	rv = _cmocka_run_group_tests(group, units, n, NULL, NULL);
	free(units);
	return (rv != 0);
}

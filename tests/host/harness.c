/*
 * The frame of a test program: cmocka outside, one process a test inside. Owns the counts taken
 * before each test, and the words by which passing is told from merely ending: a kernel that calls
 * exit(0) has not passed.
 */
#include "harness.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/random.h>
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
static uint64_t pass_word; /* what the test's process sends when the test has passed */
static int pass_fd = -1; /* there */
static int tests_passed;

/* The word of scripts/grade, sent back when the one test asked for has passed. */
static struct {
	int fd;
	char word[16];
} grader = {.fd = -1};

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
	pmap_drain();
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

static uint64_t
number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return (text != NULL ? strtoul(text, NULL, 10) : otherwise);
}

static unsigned int
seconds(void)
{
	return ((unsigned int)number_of("HOST_TEST_SECONDS", TEST_SECONDS));
}

void
fake_pass(void)
{
	if (pass_fd >= 0 && write(pass_fd, &pass_word, sizeof(pass_word)) < 0)
		_exit(1);
	_exit(0);
}

static void
run_as_child(const struct host_test *test)
{
	if (grader.fd >= 0)
		close(grader.fd);
	memset(grader.word, 0, sizeof(grader.word));
	grader.fd = -1;
	alarm(seconds());
	for (size_t i = 0; i < nitems(fatal_signals); i++)
		sigaction(fatal_signals[i], &fatal_actions[i], NULL);
	fake_steps_max = number_of("HOST_TEST_STEPS", UINT64_MAX);
	run_here(test);
	fake_pass();
}

static void
run_apart(void **state)
{
	const struct host_test *test = *state;
	uint64_t answer = 0;
	int fds[2], status;
	pid_t pid;

	if (getenv("HOST_TEST_NOFORK") != NULL) {
		run_here(test);
		return;
	}
	fflush(NULL);
	if (pipe(fds) != 0 || getrandom(&pass_word, sizeof(pass_word), 0) != sizeof(pass_word))
		fail_msg("pipe, getrandom");
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		pass_fd = fds[1];
		run_as_child(test);
	}
	close(fds[1]);
	if (waitpid(pid, &status, 0) != pid)
		fail_msg("waitpid");
	if (read(fds[0], &answer, sizeof(answer)) < 0)
		fail_msg("read");
	close(fds[0]);
	if (WIFSIGNALED(status))
		fail_msg("%s: ended by signal %d%s", test->name, WTERMSIG(status),
			 WTERMSIG(status) == SIGALRM ? ", it hangs" : "");
	if (WEXITSTATUS(status) != 0)
		fail_msg("%s: see above", test->name);
	if (answer != pass_word)
		fail_msg("%s: its process ended before the test did", test->name);
	tests_passed++;
}

static void
take_word(void)
{
	grader.fd = (int)number_of("HOST_TEST_FD", (uint64_t)-1);
	if (grader.fd >= 0 && read(grader.fd, grader.word, sizeof(grader.word)) < 0)
		grader.fd = -1;
}

static void
give_word(void)
{
	if (grader.fd >= 0 && tests_passed == 1 &&
	    write(grader.fd, grader.word, sizeof(grader.word)) < 0)
		fprintf(stderr, "the grader does not listen\n");
}

int
host_main(int argc, char **argv, const char *group, const struct host_test *tests, size_t n,
	  size_t frames)
{
	struct CMUnitTest *units = calloc(n, sizeof(*units));
	int rv;

	machine_frames = frames;
	take_word();
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
	if (rv == 0)
		give_word();
	return (rv != 0);
}

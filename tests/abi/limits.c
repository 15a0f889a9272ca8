/*
 * Limits of processes and CPU time, whose limits one may see, in which order children are waited
 * for; futexes that are changed and woken in one.
 */
#include "abi.h"
#include <linux/futex.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#define NOBODY 61234 /* a user of whom there are no processes */

static void
become(int uid)
{
	if (SYS(setresgid, uid, uid, uid) != 0 || SYS(setresuid, uid, uid, uid) != 0)
		_exit(90);
}

static void
set_limit(int which, rlim_t cur, rlim_t max)
{
	struct rlimit limit = {cur, max};

	if (setrlimit(which, &limit) != 0)
		_exit(91);
}

/* --- processes -------------------------------------------------------------------------------- */

static void
fork_to_the_limit(void *unused)
{
	int made = 0, status;
	pid_t pid;

	(void)unused;
	set_limit(RLIMIT_NPROC, 4, 8);
	become(NOBODY);
	while (made < 20 && (pid = fork()) >= 0) {
		if (pid == 0) {
			pause();
			_exit(0);
		}
		made++;
	}
	say("forks", "%d, then %s", made, errname(errno));
	signal(SIGTERM, SIG_IGN);
	kill(-1, SIGTERM);
	waitid(P_ALL, 0, NULL, WEXITED | WNOWAIT);
	result("with a zombie", fork());
	while (waitpid(-1, &status, 0) > 0)
		made--;
	say("not waited for", "%d", made);
	pid = fork();
	if (pid == 0)
		_exit(0);
	ok("room again", pid);
}

FAMILY(limit_of_processes)
{
	say("it ends", "%s", ending(fork_to_the_limit, NULL));
}

/* --- CPU time --------------------------------------------------------------------------------- */

static volatile int told;

static void
count(int sig)
{
	(void)sig;
	told++;
}

static void
burn(void *limit)
{
	set_limit(RLIMIT_CPU, (rlim_t)(long)limit & 15, (rlim_t)(long)limit >> 4);
	for (;;)
		continue;
}

static void
burn_and_catch(void *unused)
{
	struct rlimit limit;

	(void)unused;
	signal(SIGXCPU, count);
	set_limit(RLIMIT_CPU, 1, 9);
	while (told < 2)
		continue;
	getrlimit(RLIMIT_CPU, &limit);
	say("the limit has moved", "%d %d", (int)limit.rlim_cur, (int)limit.rlim_max);
}

FAMILY(limit_of_cpu_time)
{
	say("reached", "%s", ending(burn, (void *)0x51l));
	say("reached at once", "%s", ending(burn, (void *)0x10l));
	say("hard", "%s", ending(burn, (void *)0x11l));
	say("caught", "%s", ending(burn_and_catch, NULL));
}

/* --- others' limits --------------------------------------------------------------------------- */

static void
look_at(void *pid)
{
	struct rlimit limit = {100, 100};

	become(NOBODY);
	CHECK("another user's", prlimit64, pid, RLIMIT_NOFILE, NULL, &limit);
	CHECK("own", prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	CHECK("nobody's", prlimit64, 1 << 29, RLIMIT_NOFILE, NULL, &limit);
}

FAMILY(limits_of_others)
{
	say("it ends", "%s", ending(look_at, (void *)(long)getpid()));
}

/* --- which child first ------------------------------------------------------------------------ */

FAMILY(wait_order)
{
	int fds[2], status, place[5];
	pid_t pid[5];
	char byte;

	if (pipe(fds) != 0)
		return;
	for (int i = 0; i < 5; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			_exit(i);
	}
	for (int i = 4; i >= 0; i--)
		waitid(P_PID, (id_t)pid[i], NULL, WEXITED | WNOWAIT);
	for (int i = 0; i < 5; i++)
		place[i] = wait(&status) > 0 ? WEXITSTATUS(status) : -1;
	say("the oldest first", "%d %d %d %d %d", place[0], place[1], place[2], place[3], place[4]);
	close(fds[1]);
	result("none is left", read(fds[0], &byte, 1));
}

/* --- FUTEX_WAKE_OP ---------------------------------------------------------------------------- */

static uint32_t words[2];

static void
wake_op(const char *what, uint32_t second, uint32_t code)
{
	words[1] = second;
	result(what, SYS(futex, &words[0], FUTEX_WAKE_OP, 1, 1ul, &words[1], code));
	say(named("%s, then", what), "%#x", words[1]);
}

FAMILY(futex_wake_op)
{
	wake_op("set", 5, (uint32_t)FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 5));
	wake_op("add", 5, (uint32_t)FUTEX_OP(FUTEX_OP_ADD, -1, FUTEX_OP_CMP_GT, 1));
	wake_op("or", 5, (uint32_t)FUTEX_OP(FUTEX_OP_OR, 10, FUTEX_OP_CMP_NE, 1));
	wake_op("andn", 15, (uint32_t)FUTEX_OP(FUTEX_OP_ANDN, 3, FUTEX_OP_CMP_LE, -1));
	wake_op("xor", 5, (uint32_t)FUTEX_OP(FUTEX_OP_XOR, -1, FUTEX_OP_CMP_LT, 2));
	wake_op("shift", 1,
		(uint32_t)FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 30, FUTEX_OP_CMP_GE, 1));
	wake_op("no operation", 1, (uint32_t)FUTEX_OP(6, 30, FUTEX_OP_CMP_GE, 1));
	wake_op("no comparison", 1, (uint32_t)FUTEX_OP(FUTEX_OP_SET, 9, 6, 1));
	CHECK("odd", futex, words, FUTEX_WAKE_OP, 1, 1, (char *)words + 1, 0);
	CHECK("nowhere", futex, words, FUTEX_WAKE_OP, 1, 1, 4, 0);
}

/* Two threads' worth of sleepers, as processes: one at each word. */
FAMILY(futex_wake_op_wakes)
{
	const struct timespec nap = {0, 50000000};
	uint32_t *shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, n = 0;

	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			_exit(SYS(futex, &shared[i], FUTEX_WAIT, 0, NULL) == 0 ? 3 : 4);
	nanosleep(&nap, NULL);
	result("compares not", SYS(futex, &shared[2], FUTEX_WAKE_OP, 1, 1ul, &shared[3],
				   FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 1)));
	while (n < 2) {
		n += (int)SYS(futex, &shared[0], FUTEX_WAKE_OP, 1, 1ul, &shared[1],
			      FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_NE, 99));
		nanosleep(&nap, NULL);
	}
	for (int i = 0; i < 2; i++)
		say(named("sleeper %d", i), "%s", wait(&status) > 0 ? status_words(status) : "?");
	say("the word", "%u", shared[1]);
}

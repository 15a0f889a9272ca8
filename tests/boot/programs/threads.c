/*
 * threads: pthreads on clone and futex. Prints the same on Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
check(const char *what, long got, long want)
{
	if (got == want)
		printf("%s: ok\n", what);
	else
		printf("%s: %ld, not %ld\n", what, got, want);
}

static long
futex(volatile int *word, int op, int value, const void *timeout, volatile int *word2, int value3)
{
	long r = syscall(SYS_futex, word, op, value, timeout, word2, value3);

	return (r == -1 ? -errno : r);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static volatile long counter, turns;
static __thread long mine = 7;

static void *
count(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		if (i % 500 == 0)
			sched_yield();
		pthread_mutex_unlock(&lock);
		mine += (long)arg;
	}
	return ((void *)mine);
}

static void
test_mutex(void)
{
	pthread_t t[8];
	long sum = 0;

	for (long i = 0; i < 8; i++)
		check("create", pthread_create(&t[i], NULL, count, (void *)i), 0);
	for (int i = 0; i < 8; i++) {
		void *result;

		pthread_join(t[i], &result);
		sum += (long)result;
	}
	check("counter", counter, 16000);
	check("thread-local", sum, 8 * 7 + 2000 * 28);
	check("main's own", mine, 7);
}

static void *
ping(void *arg)
{
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&lock);
		while (turns % 2 != (long)arg)
			pthread_cond_wait(&cond, &lock);
		turns++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return (NULL);
}

static void
test_condition(void)
{
	pthread_t a, b;

	pthread_create(&a, NULL, ping, (void *)0);
	pthread_create(&b, NULL, ping, (void *)1);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	check("turns", turns, 400);
}

static volatile int word, word2, sleepers, done;

static void *
wait_at_word(void *arg)
{
	__atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
	futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (int)(long)arg);
	__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
	return (NULL);
}

static void
settle(void)
{
	for (int i = 0; i < 20; i++)
		usleep(2000);
}

static void
test_futex(void)
{
	struct timespec ms = {0, 5000000}, bad = {0, -1};
	pthread_t t[4];

	check("other value", futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), -EAGAIN);
	check("time-out", futex(&word, FUTEX_WAIT, 0, &ms, NULL, 0), -ETIMEDOUT);
	check("bad time", futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), -EINVAL);
	check("odd address", futex((int *)((char *)&word + 1), FUTEX_WAKE, 1, NULL, NULL, 0),
	      -EINVAL);
	check("no bits", futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), -EINVAL);
	check("nobody", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	for (long i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, wait_at_word, (void *)(1l << i));
	while (sleepers < 4)
		usleep(1000);
	settle();
	check("wake by bit", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 4), 1);
	pthread_join(t[2], NULL);
	check("one is done", done, 1);
	check("compare", futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)9, &word2, 5), -EAGAIN);
	check("requeue", futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)9, &word2, 0), 3);
	settle();
	check("two are done", done, 2);
	check("nobody is left", futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
	check("the others", futex(&word2, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 2);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	pthread_join(t[3], NULL);
}

static void
test_shared_futex(void)
{
	volatile int *shared =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		shared[1] = 1;
		while (shared[0] == 0)
			futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(shared[0]);
	}
	while (shared[1] == 0)
		usleep(1000);
	settle();
	shared[0] = 6;
	check("wake the child", futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	waitpid(pid, &status, 0);
	check("child woke", WEXITSTATUS(status), 6);
}

static void *
sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return (arg);
}

static void *
spin_for_ever(void *arg)
{
	for (;;)
		counter++;
	return (arg);
}

static void *
exit_group(void *arg)
{
	usleep(5000);
	exit((int)(long)arg);
}

static void *
exec_other(void *arg)
{
	char *const argv[] = {"threads", "exit", "9", NULL}, *const env[] = {NULL};

	execve("/proc/self/exe", argv, env);
	return (arg);
}

static void *
leader_ends(void *arg)
{
	settle();
	return (arg);
}

/* In a child: `others` sleep or spin, one does fn, the first thread pauses or ends. */
static int
crowd(void *(*fn)(void *), int first_ends)
{
	pthread_t t;
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 3 && !first_ends; i++)
			pthread_create(&t, NULL, i == 2 ? spin_for_ever : sleep_for_ever, NULL);
		pthread_create(&t, NULL, fn, (void *)4);
		if (first_ends)
			syscall(SYS_exit, 3);
		for (;;)
			pause();
	}
	waitpid(pid, &status, 0);
	return (status);
}

static void *
segv(void *arg)
{
	*(volatile int *volatile)arg = 1;
	return (NULL);
}

static void
test_ends(void)
{
	check("exit of all by one", WEXITSTATUS(crowd(exit_group, 0)), 4);
	check("exec by one", WEXITSTATUS(crowd(exec_other, 0)), 9);
	check("death of one", WTERMSIG(crowd(segv, 0)), SIGSEGV);
	check("the first ends first", WEXITSTATUS(crowd(leader_ends, 1)), 0);
}

static void *
nothing(void *arg)
{
	return (arg);
}

static void
test_many(void)
{
	cpu_set_t set;
	pthread_t t;
	int good = 0;

	for (int i = 0; i < 300; i++) {
		void *result = NULL;

		if (pthread_create(&t, NULL, nothing, &good) == 0)
			pthread_join(t, &result);
		good += result == &good;
	}
	check("threads one by one", good, 300);
	check("affinity", sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) >= 1, 1);
	check("tgkill of nobody", syscall(SYS_tgkill, getpid(), 999999, 0) == -1 ? errno : 0,
	      ESRCH);
	check("tgkill", syscall(SYS_tgkill, getpid(), getpid(), 0), 0);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "exit") == 0)
		exit(atoi(argv[2]));
	setvbuf(stdout, NULL, _IOFBF, 65536);
	test_mutex();
	test_condition();
	test_futex();
	test_shared_futex();
	test_ends();
	test_many();
	fflush(stdout);
	return (0);
}

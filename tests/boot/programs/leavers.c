/*
 * leavers DEVICE: a process ends, in each way there is, while its threads fault in memory of one
 * map as fast as they can: anonymous, copied on write, a device's that is taken back meanwhile. The
 * parent says how each ended, and that the kernel's counts are what they were.
 */
#define _GNU_SOURCE
#include "../../../drivers/testdev_ioctl.h"
#include "gauges.h"
#include "tell.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define PAGE    4096ul
#define PAGES   32
#define THREADS 4
#define ROUNDS  3

static int device;
static char *shared; /* of all threads: device pages */
static unsigned going; /* (atomic) threads that have begun to fault */

static void
touch(char *p)
{
	for (unsigned i = 0; i < PAGES; i++)
		((volatile char *)p)[i * PAGE]++;
}

/* Without an end. */
static void *
fault(void *arg)
{
	char *p;

	__atomic_fetch_add(&going, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
		touch(p);
		touch(shared);
		munmap(p, PAGES * PAGE);
	}
	return (arg);
}

/* --- the ends; each is called by a thread of its own ------------------------------------------- */

static void
by_exit(void)
{
	_exit(7);
}

static void
by_exec(void)
{
	execl("/proc/self/exe", "leavers", "-seven", NULL);
}

static void
by_fault(void)
{
	*(volatile char *)(uintptr_t)by_exit = 1;
}

static void
by_kill(void)
{
	kill(getpid(), SIGKILL);
}

/* Each thread for itself; the last one ends the process. */
static void
one_by_one(void)
{
	syscall(SYS_exit, 7);
}

/* The parent does. */
static void
not_at_all(void)
{
	for (;;)
		pause();
}

static const struct {
	const char *name;
	void (*end)(void);
} ends[] = {
    {"exit_group", by_exit}, {"execve", by_exec},          {"a bad access", by_fault},
    {"kill", by_kill},       {"threads exit", one_by_one}, {"killed by the parent", not_at_all},
};
#define ENDS (sizeof(ends) / sizeof(ends[0]))

/* Some faults, and out. */
static void *
leave(void *end)
{
	__atomic_fetch_add(&going, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 20; i++) {
		madvise(shared, PAGES * PAGE, MADV_DONTNEED);
		touch(shared);
	}
	((void (*)(void))(uintptr_t)end)();
	return (NULL);
}

static void
process(void (*end)(void))
{
	void *(*start)(void *) = end == one_by_one ? leave : fault;
	pthread_t t;

	shared = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t, NULL, start, (void *)(uintptr_t)end);
	while (__atomic_load_n(&going, __ATOMIC_SEQ_CST) < THREADS)
		sched_yield();
	leave((void *)(uintptr_t)end);
}

/* How it ended: the status, or minus the signal. Its device pages are taken back all the time. */
static int
run(void (*end)(void), int round)
{
	struct testdev_range range = {0, PAGES - 1};
	int status = 0, n = 0;
	pid_t pid = fork();

	if (pid == 0)
		process(end);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		ioctl(device, TESTDEV_TAKE, &range);
		usleep(2000);
		if (end == not_at_all && ++n == 5 + 3 * round)
			kill(pid, SIGKILL);
	}
	return (WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
}

int
main(int argc, char **argv)
{
	struct gauges before = {0}, after;
	int how[ENDS] = {0};

	if (argc > 1 && strcmp(argv[1], "-seven") == 0)
		return (7);
	device = open(argv[1], O_RDWR | O_CLOEXEC);
	for (int round = 0; round < ROUNDS; round++) {
		if (round == 1)
			before = gauges_at_rest();
		for (size_t i = 0; i < ENDS; i++)
			how[i] = run(ends[i].end, round);
	}
	after = gauges_at_rest();
	gauges_pack_slabs(&before, &after);
	if (gauge_lost(&before, &after, 0) < GAUGES)
		gauges_check(&before);
	for (size_t i = 0; i < ENDS; i++)
		say(ends[i].name, how[i]);
	return (0);
}

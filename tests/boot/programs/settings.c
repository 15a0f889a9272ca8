/*
 * What programs set and ask about themselves and the machine: scheduling, prctl, capabilities,
 * clocks, names, sync, robust futexes. One line for each call, the same on Linux and in Quire.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD ((void *)8)

static void
tell(const char *what, long result)
{
	printf("%s: %ld", what, result);
	if (result == -1)
		printf(" errno %d", errno);
	printf("\n");
}
#define CALL(name, ...) tell(#name " " #__VA_ARGS__, syscall(SYS_##name, ##__VA_ARGS__))

/* --- scheduling ------------------------------------------------------------------------------- */

static void
policies(void)
{
	int prio, five = 5, zero = 0, hundred = 100;
	struct timespec ts;

	for (int policy = -1; policy < 7; policy++) {
		CALL(sched_get_priority_max, policy);
		CALL(sched_get_priority_min, policy);
		CALL(sched_setscheduler, 0, policy, &five);
		CALL(sched_setscheduler, 0, policy, &zero);
		CALL(sched_getscheduler, 0);
	}
	CALL(sched_setscheduler, 0, SCHED_FIFO, &hundred);
	CALL(sched_setscheduler, 0, SCHED_FIFO | 0x40000000, &five);
	CALL(sched_getscheduler, 0);
	CALL(sched_setparam, 0, &zero);
	CALL(sched_getparam, 0, &prio);
	tell("priority", prio);
	CALL(sched_rr_get_interval, 0, &ts);
	tell("FIFO's slice", ts.tv_sec + ts.tv_nsec);
	if (fork() == 0)
		_exit(syscall(SYS_sched_getscheduler, 0));
	wait(&prio);
	tell("a child's policy after reset-on-fork", prio);
	CALL(sched_setscheduler, 0, SCHED_OTHER, &zero);
	CALL(sched_setscheduler, 0, SCHED_OTHER, NULL);
	CALL(sched_setscheduler, 0, SCHED_OTHER, BAD);
	CALL(sched_setscheduler, -1, SCHED_OTHER, &zero);
	CALL(sched_getscheduler, -1);
	CALL(sched_getscheduler, 4000000);
	CALL(sched_getparam, 0, NULL);
	CALL(sched_getparam, 0, BAD);
	CALL(sched_rr_get_interval, -5, &ts);
	CALL(sched_yield);
}

static void
priorities(void)
{
	CALL(getpriority, PRIO_PROCESS, 0);
	CALL(setpriority, PRIO_PROCESS, 0, 5);
	CALL(getpriority, PRIO_PROCESS, 0);
	CALL(setpriority, PRIO_PROCESS, 0, 100);
	CALL(getpriority, PRIO_PROCESS, 0);
	CALL(setpriority, PRIO_PROCESS, 0, -100);
	CALL(getpriority, PRIO_PROCESS, getpid());
	CALL(setpriority, PRIO_PROCESS, 0, 0);
	CALL(setpriority, 9, 0, 0);
	CALL(getpriority, PRIO_PROCESS, 4000000);
	CALL(getpriority, PRIO_PGRP, 4000000);
	CALL(getpriority, PRIO_USER, 4000000);
}

static void
processors(void)
{
	uint64_t one = 1, none = 0;

	CALL(sched_setaffinity, 0, sizeof(one), &one);
	CALL(sched_setaffinity, 0, sizeof(one), &none);
	CALL(sched_setaffinity, 0, 0, &one);
	CALL(sched_setaffinity, 0, sizeof(one), BAD);
	CALL(sched_setaffinity, 4000000, sizeof(one), &one);
	CALL(sched_getaffinity, 0, sizeof(one), &one);
	tell("the mask", one);
	CALL(sched_getaffinity, 0, 3, &one);
	CALL(sched_getaffinity, 4000000, sizeof(one), &one);
	CALL(getcpu, NULL, NULL, NULL);
	CALL(getcpu, BAD, NULL, NULL);
	CALL(membarrier, 1, 0);
	CALL(membarrier, 8, 0);
	CALL(membarrier, 16, 0);
	CALL(membarrier, 8, 0);
	CALL(membarrier, 32, 0);
	CALL(membarrier, 0, 1);
	CALL(membarrier, 3, 0);
}

/* --- prctl and its kin ------------------------------------------------------------------------ */

static void *
named_thread(void *arg)
{
	char name[17] = "";

	prctl(PR_GET_NAME, name);
	printf("a thread begins as %s\n", name);
	prctl(PR_SET_NAME, arg);
	prctl(PR_GET_NAME, name);
	printf("and becomes %s\n", name);
	return (NULL);
}

static void
options(void)
{
	char name[17] = "";
	pthread_t t;
	int value = -1;

	CALL(prctl, PR_SET_NAME, "a name that is too long");
	pthread_create(&t, NULL, named_thread, "other");
	pthread_join(t, NULL);
	CALL(prctl, PR_GET_NAME, name);
	printf("%s\n", name);
	CALL(prctl, PR_SET_NAME, BAD);
	CALL(prctl, PR_SET_PDEATHSIG, SIGKILL);
	CALL(prctl, PR_GET_PDEATHSIG, &value);
	tell("death signal", value);
	CALL(prctl, PR_SET_PDEATHSIG, 65);
	CALL(prctl, PR_SET_PDEATHSIG, 0);
	CALL(prctl, PR_GET_DUMPABLE);
	CALL(prctl, PR_SET_DUMPABLE, 0);
	CALL(prctl, PR_GET_DUMPABLE);
	CALL(prctl, PR_SET_DUMPABLE, 2);
	CALL(prctl, PR_SET_DUMPABLE, 1);
	CALL(prctl, PR_GET_KEEPCAPS);
	CALL(prctl, PR_SET_KEEPCAPS, 2);
	CALL(prctl, PR_GET_SECCOMP);
	CALL(prctl, PR_GET_TIMING);
	CALL(prctl, PR_SET_TIMERSLACK, 12345);
	CALL(prctl, PR_GET_TIMERSLACK);
	CALL(prctl, PR_SET_TIMERSLACK, 0);
	CALL(prctl, PR_GET_TIMERSLACK);
	CALL(prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	CALL(prctl, PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0);
	CALL(prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
	CALL(prctl, PR_SET_CHILD_SUBREAPER, 1);
	CALL(prctl, PR_GET_CHILD_SUBREAPER, &value);
	tell("subreaper", value);
	CALL(prctl, 12345);
	CALL(personality, 0xffffffff);
	CALL(personality, ADDR_NO_RANDOMIZE);
	CALL(personality, 0);
}

/* Its descendants' orphans are a subreaper's; and they are told of their parent's end. */
static void
orphans(void)
{
	int status = 0;
	pid_t self = getpid(), child = fork();

	if (child == 0) {
		if (fork() == 0) {
			while (getppid() != self)
				usleep(1000);
			_exit(3);
		}
		_exit(0);
	}
	waitpid(child, &status, 0);
	tell("child", status);
	wait(&status);
	tell("grandchild", status);
	child = fork();
	if (child == 0) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				usleep(100000);
		}
		usleep(100000);
		_exit(0);
	}
	waitpid(child, &status, 0);
	wait(&status);
	tell("grandchild with a death signal", status);
}

static void
capabilities(void)
{
	struct {
		uint32_t version;
		int pid;
	} header = {0x20080522, 0}, bad = {1, 0}, other = {0x20080522, -1};
	uint32_t data[6] = {0}, more[6];

	CALL(capget, &header, NULL);
	CALL(capget, &bad, NULL);
	tell("version", bad.version);
	bad.version = 1;
	CALL(capget, &bad, data);
	CALL(capget, &other, data);
	CALL(capget, &header, BAD);
	other.pid = 4000000;
	CALL(capget, &other, data);
	CALL(capset, &other, data);
	CALL(prctl, PR_CAPBSET_READ, 5);
	CALL(prctl, PR_CAPBSET_READ, 63);
	CALL(prctl, PR_CAP_AMBIENT, 1, 5, 0, 0);
	CALL(prctl, PR_CAP_AMBIENT, 2, 5, 0, 0);
	CALL(prctl, PR_CAP_AMBIENT, 9, 5, 0, 0);
	if (fork() == 0) {
		memset(data, 0, sizeof(data));
		data[1] = 1 << 5; /* permitted alone */
		CALL(capset, &header, data);
		memset(more, 0, sizeof(more));
		CALL(capget, &header, more);
		tell("still permitted", more[1]);
		data[1] = 1 << 6;
		CALL(capset, &header, data);
		data[1] = 0;
		data[0] = 1 << 5;
		CALL(capset, &header, data);
		_exit(0);
	}
	wait(NULL);
}

/* --- clocks, names, files --------------------------------------------------------------------- */

static void
clocks(void)
{
	struct timespec ts, bad = {0, 1000000000}, negative = {-1, 0};
	struct tms tms;
	struct rusage ru;
	clockid_t clock;

	CALL(clock_settime, CLOCK_MONOTONIC, &ts);
	CALL(clock_settime, CLOCK_REALTIME, BAD);
	CALL(clock_settime, CLOCK_REALTIME, &bad);
	CALL(clock_settime, CLOCK_REALTIME, &negative);
	CALL(clock_settime, 99, &bad);
	CALL(clock_gettime, 99, &ts);
	CALL(clock_gettime, -1, &ts);
	CALL(clock_getres, CLOCK_PROCESS_CPUTIME_ID, &ts);
	tell("an own clock", clock_getcpuclockid(getpid(), &clock));
	CALL(clock_gettime, clock, &ts);
	tell("a thread's clock", pthread_getcpuclockid(pthread_self(), &clock));
	CALL(clock_gettime, clock, &ts);
	tell("nobody's clock", clock_getcpuclockid(4000000, &clock));
	tell("times", times(&tms) > 0);
	CALL(times, BAD);
	CALL(getrusage, RUSAGE_SELF, &ru);
	CALL(getrusage, RUSAGE_CHILDREN, &ru);
	CALL(getrusage, RUSAGE_THREAD, &ru);
	CALL(getrusage, -2, &ru);
	CALL(getrusage, 0, BAD);
}

static void
names(void)
{
	struct utsname u;
	char longest[66];

	memset(longest, 'x', sizeof(longest));
	if (unshare(CLONE_NEWUTS) != 0)
		errno = 0; /* in Quire the machine is ours anyway */
	CALL(sethostname, "somewhere", 9);
	uname(&u);
	printf("%s %s\n", u.sysname, u.nodename);
	CALL(sethostname, longest, 64);
	CALL(sethostname, longest, 65);
	CALL(sethostname, longest, -1);
	CALL(sethostname, BAD, 3);
	CALL(setdomainname, "d", 1);
	uname(&u);
	printf("%zu %s %s\n", strlen(u.nodename), u.domainname, u.machine);
	CALL(getrandom, longest, 8, 0);
	CALL(getrandom, longest, 8, 7);
	CALL(getrandom, longest, 8, 8);
	CALL(getrandom, BAD, 8, 0);
}

static void
files(void)
{
	int fd = open("/tmp/settings-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int dir = open("/tmp", O_RDONLY | O_DIRECTORY), null = open("/dev/null", O_RDWR);

	unlink("/tmp/settings-file");
	CALL(sync);
	CALL(fsync, fd);
	CALL(fdatasync, fd);
	CALL(fsync, dir);
	CALL(fsync, null);
	CALL(fsync, 99);
	CALL(syncfs, fd);
	CALL(syncfs, 99);
	CALL(fadvise64, fd, 0, 0, POSIX_FADV_WILLNEED);
	CALL(fadvise64, fd, 0, 0, 6);
	CALL(fadvise64, fd, 0, -1L, 0);
	CALL(fadvise64, 99, 0, 0, 0);
	CALL(readahead, fd, 0L, 4096L);
	CALL(readahead, dir, 0L, 4096L);
	CALL(readahead, 99, 0L, 4096L);
	CALL(sync_file_range, fd, 0L, 0L, 7);
	CALL(sync_file_range, fd, 0L, 0L, 8);
	CALL(sync_file_range, fd, -1L, 0L, 0);
	CALL(sync_file_range, fd, 1L << 62, 1L << 62, 0);
	CALL(sync_file_range, null, 0L, 0L, 0);
	close(fd);
	close(dir);
	close(null);
}

/* --- locks whose owner ends ------------------------------------------------------------------- */

static pthread_mutex_t *locks;

static void *
take_lock(void *arg)
{
	pthread_mutex_lock(arg);
	return (NULL);
}

static void *
take_and_end_late(void *arg)
{
	pthread_mutex_lock(arg);
	usleep(100000);
	return (NULL);
}

static void
robust(void)
{
	pthread_mutexattr_t attr;
	pthread_t t;
	struct {
		void *next;
		long offset;
		void *pending;
	} head = {BAD, 0, BAD};
	void *list;
	size_t size;

	locks = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	for (int i = 0; i < 4; i++)
		pthread_mutex_init(&locks[i], &attr);
	pthread_create(&t, NULL, take_lock, &locks[0]);
	pthread_join(t, NULL);
	tell("after a thread's end", pthread_mutex_lock(&locks[0]) == EOWNERDEAD);
	tell("made consistent", pthread_mutex_consistent(&locks[0]));
	pthread_mutex_unlock(&locks[0]);
	tell("again", pthread_mutex_lock(&locks[0]));
	pthread_create(&t, NULL, take_and_end_late, &locks[1]);
	usleep(20000);
	tell("while one waits", pthread_mutex_lock(&locks[1]) == EOWNERDEAD);
	pthread_join(t, NULL);
	if (fork() == 0) {
		pthread_mutex_lock(&locks[2]);
		_exit(0);
	}
	wait(NULL);
	tell("after a process's end", pthread_mutex_lock(&locks[2]) == EOWNERDEAD);
	if (fork() == 0) {
		pthread_mutex_lock(&locks[3]);
		execl("/proc/self/exe", "settings", "nothing", NULL);
		_exit(1);
	}
	wait(NULL);
	tell("after an exec", pthread_mutex_lock(&locks[3]) == EOWNERDEAD);
	CALL(set_robust_list, &head, 23L);
	CALL(get_robust_list, 4000000, &list, &size);
	CALL(get_robust_list, 0, BAD, &size);
	if (fork() == 0) { /* a list of bad pointers harms nobody */
		CALL(set_robust_list, &head, sizeof(head));
		CALL(get_robust_list, 0, &list, &size);
		tell("the list", list == &head);
		_exit(0);
	}
	wait(NULL);
}

int
main(int argc, char **argv __attribute__((unused)))
{
	if (argc > 1)
		return (0);
	setvbuf(stdout, NULL, _IOLBF, 4096);
	policies();
	priorities();
	processors();
	options();
	orphans();
	capabilities();
	clocks();
	files();
	robust();
	names();
	return (0);
}

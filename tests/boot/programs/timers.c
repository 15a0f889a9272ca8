/*
 * timers [CASE...]: setitimer, alarm, POSIX timers, timerfd, times of CPU use. Run on Linux and
 * here: the output is the same.
 */
#define _GNU_SOURCE
#include "tell.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int count;
static siginfo_t last;

static void
note(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)uc;
	last = *info;
	count++;
}

static void
on(int sig)
{
	struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigaction(sig, &sa, NULL);
	count = 0;
}

static long
now_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

static void
ms(long n)
{
	struct timespec ts = {n / 1000, n % 1000 * 1000000};

	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		;
}

static struct itimerval
span(long value, long interval)
{
	return ((struct itimerval){{interval / 1000, interval % 1000 * 1000},
				   {value / 1000, value % 1000 * 1000}});
}

static struct itimerspec
spec(long value, long interval)
{
	return ((struct itimerspec){{interval / 1000, interval % 1000 * 1000000},
				    {value / 1000, value % 1000 * 1000000}});
}

static void
spin(long n)
{
	long end = now_ms(CLOCK_PROCESS_CPUTIME_ID) + n;

	while (now_ms(CLOCK_PROCESS_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 10000; i++)
			;
}

static void
real(void)
{
	struct itimerval it = span(50, 0), old;
	long start = now_ms(CLOCK_MONOTONIC), took;

	on(SIGALRM);
	call("set", setitimer(ITIMER_REAL, &it, NULL));
	pause();
	took = now_ms(CLOCK_MONOTONIC) - start;
	say("in time", took >= 50 && took < 100);
	printf("code %d count %d\n", last.si_code, count);
	getitimer(ITIMER_REAL, &old);
	say("over", old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
	it = span(20, 20);
	count = 0;
	setitimer(ITIMER_REAL, &it, NULL);
	ms(210);
	say("again and again", count >= 8 && count <= 10);
	getitimer(ITIMER_REAL, &old);
	say("interval", old.it_interval.tv_usec);
	it = span(0, 0);
	setitimer(ITIMER_REAL, &it, &old);
	say("was armed", old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 20000);
	count = 0;
	ms(50);
	say("no more", count);
	say("alarm", alarm(10));
	say("alarm again", alarm(0));
	say("and again", alarm(0));
	it = span(1700, 0);
	setitimer(ITIMER_REAL, &it, NULL);
	say("rounded", alarm(0));
	it = span(100, 0);
	setitimer(ITIMER_REAL, &it, NULL);
	say("rounded up", alarm(0));
	it.it_value.tv_usec = 1000000;
	call("too many us", setitimer(ITIMER_REAL, &it, NULL));
	it.it_value.tv_usec = -1;
	call("negative", setitimer(ITIMER_REAL, &it, NULL));
	call("which", setitimer(7, &(struct itimerval){0}, NULL));
	call("get which", getitimer(7, &it));
	call("bad", syscall(SYS_setitimer, ITIMER_REAL, (void *)16, NULL));
	call("get bad", syscall(SYS_getitimer, ITIMER_REAL, (void *)16));
	call("nothing", syscall(SYS_setitimer, ITIMER_REAL, NULL, NULL));
}

static void
cpu(void)
{
	struct itimerval it = span(30, 0), old;
	struct rusage ru;

	on(SIGPROF);
	setitimer(ITIMER_PROF, &it, NULL);
	ms(100);
	say("sleeping does not count", count);
	spin(60);
	say("PROF", count);
	on(SIGVTALRM);
	it = span(20, 20);
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	spin(110);
	say("VIRTUAL", count >= 2 && count <= 6);
	it = span(0, 0);
	setitimer(ITIMER_VIRTUAL, &it, &old);
	say("interval", old.it_interval.tv_usec);
	getrusage(RUSAGE_SELF, &ru);
	say("user time", ru.ru_utime.tv_sec > 0 || ru.ru_utime.tv_usec > 10000);
	/* much in the kernel */
	for (long end = now_ms(CLOCK_MONOTONIC) + 100; now_ms(CLOCK_MONOTONIC) < end;)
		for (int i = 0; i < 100; i++)
			syscall(SYS_getppid);
	getrusage(RUSAGE_SELF, &ru);
	say("system time", ru.ru_stime.tv_sec > 0 || ru.ru_stime.tv_usec > 5000);
}

static void
posix(void)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec its = spec(30, 0), old;
	sigset_t set;
	timer_t a, b;
	int id;

	ev.sigev_value.sival_int = 55;
	on(SIGRTMIN);
	call("create", timer_create(CLOCK_MONOTONIC, &ev, &a));
	call("settime", timer_settime(a, 0, &its, NULL));
	ms(80);
	printf("count %d code %d value %d overrun %d\n", count, last.si_code,
	       last.si_value.sival_int, last.si_overrun);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	its = spec(10, 10);
	count = 0;
	timer_settime(a, 0, &its, NULL);
	ms(105);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	say("one for all", count);
	say("overrun told", last.si_overrun >= 7 && last.si_overrun <= 10);
	say("getoverrun", timer_getoverrun(a) == last.si_overrun);
	timer_gettime(a, &old);
	say("left", old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 10000000);
	its = spec(0, 0);
	timer_settime(a, 0, &its, &old);
	say("was armed", old.it_interval.tv_nsec);
	count = 0;
	ms(50);
	say("disarmed", count);
	clock_gettime(CLOCK_REALTIME, &its.it_value);
	its.it_value.tv_nsec += 50000000;
	if (its.it_value.tv_nsec >= 1000000000) {
		its.it_value.tv_nsec -= 1000000000;
		its.it_value.tv_sec++;
	}
	call("create of real time", timer_create(CLOCK_REALTIME, &ev, &b));
	call("absolute", timer_settime(b, TIMER_ABSTIME, &its, NULL));
	say("not yet", count);
	ms(100);
	say("now", count);
	its = spec(1, 0);
	its.it_value.tv_nsec = 1;
	call("in the past", timer_settime(b, TIMER_ABSTIME, &its, NULL));
	ms(10);
	say("at once", count);
	call("delete", timer_delete(b));
	ev.sigev_notify = SIGEV_NONE;
	call("no signal", timer_create(CLOCK_MONOTONIC, &ev, &b));
	its = spec(50, 0);
	timer_settime(b, 0, &its, NULL);
	timer_gettime(b, &old);
	say("counts", old.it_value.tv_nsec > 0);
	ms(60);
	timer_gettime(b, &old);
	say("is over", old.it_value.tv_nsec == 0);
	timer_delete(b);
	ev.sigev_notify = SIGEV_THREAD_ID;
	((int *)&ev.sigev_value)[4] = (int)syscall(SYS_gettid);
	call("to this thread", syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id));
	count = 0;
	its = spec(20, 0);
	syscall(SYS_timer_settime, id, 0, &its, NULL);
	ms(50);
	say("it came", count);
	((int *)&ev.sigev_value)[4] = 1;
	call("to no thread of ours", syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id));
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = 65;
	call("signal 65", syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id));
	ev.sigev_signo = SIGRTMIN;
	call("no clock", syscall(SYS_timer_create, 99, &ev, &id));
	call("bad event", syscall(SYS_timer_create, CLOCK_MONOTONIC, (void *)16, &id));
	call("bad id", syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, (void *)16));
	call("no timer", syscall(SYS_timer_settime, 9999, 0, &its, NULL));
	call("no time", syscall(SYS_timer_settime, id, 0, NULL, NULL));
	its.it_value.tv_nsec = -1;
	call("bad time", syscall(SYS_timer_settime, id, 0, &its, NULL));
	call("get of none", syscall(SYS_timer_gettime, 9999, &its));
	call("overrun of none", syscall(SYS_timer_getoverrun, 9999));
	call("delete none", syscall(SYS_timer_delete, 9999));
	ev.sigev_notify = SIGEV_SIGNAL;
	call("of CPU time", timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &b));
	count = 0;
	its = spec(20, 0);
	timer_settime(b, 0, &its, NULL);
	ms(50);
	say("asleep", count);
	spin(50);
	say("awake", count);
	call("of the thread's", timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &b));
	timer_settime(b, 0, &its, NULL);
	spin(50);
	say("awake", count);
	if (fork() == 0) {
		call("a child has none", timer_delete(b));
		_exit(0);
	}
	wait(NULL);
}

static void
fds(void)
{
	struct itimerspec its = spec(30, 0), old;
	uint64_t ticks = 0;
	int fd;

	call("clock", timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
	call("flags", timerfd_create(CLOCK_MONOTONIC, 1));
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	call("nothing", read(fd, &ticks, 8));
	call("settime", timerfd_settime(fd, 0, &its, NULL));
	call("not yet", read(fd, &ticks, 8));
	timerfd_gettime(fd, &old);
	say("left", old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 30000000);
	ms(50);
	call("too short", read(fd, &ticks, 7));
	call("now", read(fd, &ticks, 8));
	say("ticks", ticks);
	call("no more", read(fd, &ticks, 8));
	its = spec(10, 10);
	timerfd_settime(fd, 0, &its, NULL);
	ms(55);
	call("read", read(fd, &ticks, 8));
	say("ticks", ticks >= 4 && ticks <= 6);
	call("write", write(fd, &ticks, 8));
	close(fd);
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	its = spec(30, 0);
	timerfd_settime(fd, 0, &its, NULL);
	call("slept for", read(fd, &ticks, 8));
	say("ticks", ticks);
	clock_gettime(CLOCK_MONOTONIC, &its.it_value);
	call("absolute", timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
	call("past", read(fd, &ticks, 8));
	call("bad flags", timerfd_settime(fd, 8, &its, NULL));
	call("no timerfd", timerfd_settime(1, 0, &its, NULL));
	call("no fd", timerfd_settime(99, 0, &its, NULL));
	call("bad", syscall(SYS_timerfd_settime, fd, 0, (void *)16, NULL));
	call("get bad", syscall(SYS_timerfd_gettime, fd, (void *)16));
	its.it_value.tv_nsec = 1000000000;
	call("bad time", timerfd_settime(fd, 0, &its, NULL));
	close(fd);
}

static const struct {
	const char *name;
	void (*fn)(void);
} cases[] = {{"real", real}, {"cpu", cpu}, {"posix", posix}, {"fds", fds}};

int
main(void)
{
	int status;
	pid_t pid;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		printf("--- %s\n", cases[i].name);
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			cases[i].fn();
			_exit(0);
		}
		waitpid(pid, &status, 0);
		if (status != 0)
			printf("ended with %d\n", status);
	}
	return (0);
}

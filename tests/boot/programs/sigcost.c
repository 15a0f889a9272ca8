/*
 * sigcost: instructions (with --icount a tick is one) that a SIGSEGV handler costs which mprotects
 * and returns, fault and all; a signal to oneself; and the null call. Then, whether all that was
 * taken for signals, timers and groups was given back.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "gauges.h"

#define RUNS 50

static volatile char *area;

static uint64_t
now(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return ((uint64_t)hi << 32 | lo);
}

static void
mend(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)uc;
	mprotect((void *)((uint64_t)info->si_addr & ~4095ul), 4096, PROT_READ | PROT_WRITE);
}

static void
nothing(int sig)
{
	(void)sig;
}

static void
touch(int i)
{
	area[i * 8192] = 1;
}

static void
own_signal(int i)
{
	(void)i;
	syscall(SYS_tkill, getpid(), SIGUSR1);
}

static uint64_t
least(void (*fn)(int))
{
	uint64_t best = UINT64_MAX, start, ticks;

	for (int i = 0; i < RUNS; i++) {
		start = now();
		fn(i);
		ticks = now() - start;
		best = ticks < best ? ticks : best;
	}
	return (best);
}

/* Each kind of thing that signals and timers are made of, left as it is by who ends. */
static void
litter(void)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec its = {{0, 1000000}, {0, 1000000}};
	struct itimerval it = {{0, 1000}, {0, 1000}};
	sigset_t all;
	timer_t t;
	int fd;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	for (int i = 0; i < 100; i++)
		sigqueue(getpid(), SIGRTMIN + i % 4, (union sigval){.sival_int = i});
	for (int i = 0; i < 10; i++) {
		timer_create(i % 2 == 0 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &ev, &t);
		timer_settime(t, 0, &its, NULL);
		fd = timerfd_create(CLOCK_MONOTONIC, 0);
		timerfd_settime(fd, 0, &its, NULL);
		signalfd(-1, &all, 0);
	}
	setitimer(ITIMER_REAL, &it, NULL);
	setitimer(ITIMER_PROF, &it, NULL);
	usleep(5000);
	_exit(0);
}

static void
many(void)
{
	pid_t pids[20];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20; i++) {
			pids[i] = fork();
			if (pids[i] == 0)
				litter();
		}
		for (int i = 0; i < 20; i++)
			waitpid(pids[i], NULL, 0);
	}
	usleep(20000); /* the dead are buried by the idle thread */
}

int
main(void)
{
	struct sigaction sa = {.sa_sigaction = mend, .sa_flags = SA_SIGINFO};
	static const char *const names[] = {"siginfos", "ptimers", "pgrps", "sessions"};
	unsigned long before[4];
	struct gauges g;

	sigaction(SIGSEGV, &sa, NULL);
	signal(SIGUSR1, nothing);
	area = mmap(NULL, (RUNS + 1) * 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	for (int i = 0; i <= RUNS; i++)
		touch(i);
	mprotect((void *)area, (RUNS + 1) * 8192, PROT_READ);
	touch(RUNS); /* so that the handler's code is mapped before it is measured */
	printf("handler %lu\n", least(touch));
	printf("own signal %lu\n", least(own_signal));
	many();
	for (int i = 0; i < 4; i++)
		before[i] = stat_of(names[i]);
	g = gauges_before();
	many();
	many();
	gauges_check(&g);
	for (int i = 0; i < 4; i++)
		if (stat_of(names[i]) != before[i])
			printf("lost: %s\n", names[i]);
	return (0);
}

/*
 * Signals: actions, masks, stacks, what a handler is told, restarts, queues, timers, job control.
 */
#include "abi.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static volatile int count, last, last_code, last_value, on_stack;
static void *volatile last_addr;
static sigjmp_buf jump;
static char stack[65536];
static const struct timespec short_nap = {0, 20000000};

static void
counts(int sig)
{
	count++;
	last = sig;
}

static void
tells(int sig, siginfo_t *info, void *context)
{
	char here;

	(void)context;
	count++;
	last = sig;
	last_code = info->si_code;
	last_value = info->si_value.sival_int;
	last_addr = info->si_addr;
	on_stack = &here >= stack && &here < stack + sizeof(stack);
}

static void
leaps(int sig, siginfo_t *info, void *context)
{
	tells(sig, info, context);
	siglongjmp(jump, 1);
}

static void
set(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	sigaction(sig, &sa, NULL);
}

FAMILY(sigaction)
{
	struct sigaction sa = {.sa_handler = counts}, old;

	for (int sig = -1; sig <= 66; sig++)
		if (sig < 32 || sig > 34) /* libc's own */
			CHECK(named("ask of %d", sig), rt_sigaction, sig, NULL, &old, 8);
	CHECK("set of KILL", rt_sigaction, SIGKILL, &sa, NULL, 8);
	CHECK("set of STOP", rt_sigaction, SIGSTOP, &sa, NULL, 8);
	CHECK("another size", rt_sigaction, SIGUSR1, NULL, NULL, 16);
	say("set", "%d", sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	say("called", "%d %d", count, last);
	sigaction(SIGUSR1, NULL, &old);
	say("told", "%d", old.sa_handler == counts);
	sa.sa_flags = SA_RESETHAND;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	say("reset", "%d %d", count, old.sa_handler == SIG_DFL);
	signal(SIGUSR2, SIG_IGN);
	raise(SIGUSR2);
	say("ignored", "%d", count);
}

static void
nests(int sig)
{
	count++;
	if (count < 3)
		raise(sig);
	last = count;
}

FAMILY(sigmask)
{
	sigset_t set, old, pending;
	struct sigaction sa = {.sa_handler = counts};

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	sigfillset(&set);
	say("block all", "%d", sigprocmask(SIG_SETMASK, &set, NULL));
	sigprocmask(SIG_BLOCK, NULL, &old);
	say("KILL and STOP", "%d %d", sigismember(&old, SIGKILL), sigismember(&old, SIGSTOP));
	raise(SIGUSR1);
	raise(SIGUSR1);
	say("held back", "%d", count);
	sigpending(&pending);
	say("pending", "%d %d", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2));
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	say("once", "%d", count);
	CHECK("nonsense", rt_sigprocmask, 9, &set, NULL, 8);
	CHECK("nonsense without a set", rt_sigprocmask, 9, NULL, &old, 8);
	CHECK("another size", rt_sigprocmask, 0, &set, NULL, 4);
	count = 0;
	sa.sa_handler = nests;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	say("not nested", "%d", count);
	count = 0;
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	say("nested", "%d %d", count, last);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR2);
	say("waited for", "%d", sigwaitinfo(&set, NULL));
	result("no more", sigtimedwait(&set, NULL, &short_nap));
	kill(getpid(), SIGUSR2);
	sigemptyset(&old);
	result("sigsuspend", sigsuspend(&old));
	say("came in it", "%d", last);
}

static void
fault(const char *what, void (*fn)(char *), char *p)
{
	last = last_code = 0;
	if (sigsetjmp(jump, 1) == 0)
		fn(p);
	say(what, "signal %d code %d address %d", last, last_code, last_addr == p);
}

static void
reads(char *p)
{
	(void)*(volatile char *)p;
}

static void
writes(char *p)
{
	*(volatile char *)p = 1;
}

static void
divides(char *p)
{
	volatile int zero = 0;

	(void)p;
	last_addr = NULL;
	zero = 1000 / zero;
}

static void
illegal(char *p)
{
	(void)p;
	__asm__ volatile("ud2");
}

static void
traps(char *p)
{
	(void)p;
	__asm__ volatile("int3");
}

static void
privileged(char *p)
{
	(void)p;
	__asm__ volatile("hlt");
}

FAMILY(siginfo)
{
	char *ro = mmap(NULL, PAGE, PROT_READ, ANON, -1, 0),
	     *none = mmap(NULL, PAGE, 0, ANON, -1, 0);
	int fd = file_of("file", PAGE);
	char *s = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
	union sigval v = {.sival_int = 77};

	for (size_t i = 0; i < NITEMS(signals); i++)
		set(signals[i], leaps, 0);
	fault("read of nothing", reads, (char *)0x1000);
	fault("read of PROT_NONE", reads, none + 5);
	fault("write of read-only", writes, ro + 7);
	fault("read of the kernel", reads, (char *)0xffffffff80200000ul);
	fault("past the end of a file", reads, s + PAGE + 9);
	last = 0;
	if (sigsetjmp(jump, 1) == 0)
		reads((char *)(1ul << 48));
	say("no address", "signal %d code %d", last, last_code);
	if (sigsetjmp(jump, 1) == 0)
		divides(NULL);
	say("divide", "signal %d code %d", last, last_code);
	if (sigsetjmp(jump, 1) == 0)
		illegal(NULL);
	say("illegal", "signal %d code %d", last, last_code);
	last = 0;
	if (sigsetjmp(jump, 1) == 0)
		traps(NULL);
	say("trap", "signal %d code %d", last, last_code);
	if (sigsetjmp(jump, 1) == 0)
		privileged(NULL);
	say("privileged", "signal %d code %d", last, last_code);
	set(SIGUSR1, tells, 0);
	kill(getpid(), SIGUSR1);
	say("kill", "code %d", last_code);
	SYS(tgkill, getpid(), getpid(), SIGUSR1);
	say("tgkill", "code %d", last_code);
	sigqueue(getpid(), SIGUSR1, v);
	say("sigqueue", "code %d value %d", last_code, last_value);
	raise(SIGUSR1);
	set(SIGCHLD, tells, 0);
	if (fork() == 0)
		_exit(3);
	wait(NULL);
	say("child", "signal %d code %d", last, last_code);
}

FAMILY(sigqueue)
{
	sigset_t all;
	union sigval v;
	siginfo_t info;
	int n = 0;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (v.sival_int = 0; v.sival_int < 5; v.sival_int++)
		sigqueue(getpid(), SIGRTMIN + 1, v);
	v.sival_int = 9;
	sigqueue(getpid(), SIGRTMIN, v);
	kill(getpid(), SIGUSR2);
	while (sigtimedwait(&all, &info, &(struct timespec){0, 0}) > 0)
		say(named("number %d", n++), "%d %d",
		    info.si_signo >= 34 ? info.si_signo - 34 + 1000 : info.si_signo,
		    info.si_signo >= 34 ? info.si_value.sival_int : 0);
	CHECK("queue to nobody", rt_sigqueueinfo, 0x3fffffff, SIGUSR1, &info);
	info.si_code = SI_USER;
	CHECK("pretending", rt_sigqueueinfo, 1, SIGUSR1, &info);
}

FAMILY(sigaltstack)
{
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;

	CHECK("none", sigaltstack, NULL, &old);
	say("none is", "%d", old.ss_flags);
	ss.ss_size = 100;
	CHECK("too small", sigaltstack, &ss, NULL);
	ss.ss_size = sizeof(stack);
	ss.ss_flags = 77;
	CHECK("nonsense", sigaltstack, &ss, NULL);
	ss.ss_flags = 0;
	CHECK("set", sigaltstack, &ss, NULL);
	sigaltstack(NULL, &old);
	say("told", "%d %d", old.ss_sp == stack, (int)old.ss_size);
	set(SIGUSR1, tells, SA_ONSTACK);
	raise(SIGUSR1);
	say("on it", "%d", on_stack);
	set(SIGUSR1, tells, 0);
	raise(SIGUSR1);
	say("not on it", "%d", on_stack);
	ss.ss_flags = SS_DISABLE;
	CHECK("disable", sigaltstack, &ss, NULL);
	set(SIGUSR1, tells, SA_ONSTACK);
	raise(SIGUSR1);
	say("disabled", "%d", on_stack);
}

static void
alarm_soon(void)
{
	struct itimerval it = {.it_value = {0, 20000}};

	setitimer(ITIMER_REAL, &it, NULL);
}

FAMILY(interrupted)
{
	struct timespec left = {9, 9}, five = {5, 0};
	int fds[2], status;
	char byte;
	pid_t pid;

	set(SIGALRM, tells, 0);
	alarm_soon();
	CHECK("nanosleep", nanosleep, &five, &left);
	say("time left", "%d", left.tv_sec == 4);
	alarm_soon();
	CHECK("pause", pause);
	if (pipe(fds) != 0)
		return;
	alarm_soon();
	CHECK("read", read, fds[0], &byte, 1);
	set(SIGALRM, tells, SA_RESTART);
	pid = fork();
	if (pid == 0) {
		nanosleep(&(struct timespec){0, 60000000}, NULL);
		write(fds[1], "x", 1);
		_exit(0);
	}
	count = 0;
	alarm_soon();
	CHECK("read, restarted", read, fds[0], &byte, 1);
	say("the handler ran", "%d", count);
	waitpid(pid, &status, 0);
	alarm_soon();
	CHECK("nanosleep, not restarted", nanosleep, &five, &left);
	alarm_soon();
	CHECK("poll, not restarted", poll, NULL, 0, 5000);
}

FAMILY(timers)
{
	struct itimerval it = {.it_value = {0, 10000}, .it_interval = {0, 10000}}, old;
	struct itimerspec its = {.it_value = {0, 10000000}}, got;
	struct sigevent ev = {
	    .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 55};
	int timer = -1;

	set(SIGALRM, tells, 0);
	set(SIGUSR1, tells, 0);
	CHECK("setitimer", setitimer, ITIMER_REAL, &it, &old);
	say("before it", "%ld", (long)old.it_value.tv_usec);
	for (int i = 0; i < 3; i++)
		pause();
	memset(&it, 0, sizeof(it));
	CHECK("stop", setitimer, ITIMER_REAL, &it, &old);
	say("interval", "%ld %d", (long)old.it_interval.tv_usec, count >= 3);
	it.it_value.tv_usec = 1000000;
	CHECK("nonsense", setitimer, ITIMER_REAL, &it, NULL);
	CHECK("no such timer", setitimer, 9, &it, NULL);
	CHECK("alarm", alarm, 100);
	CHECK("alarm again", alarm, 0);
	CHECK("timer_create", timer_create, CLOCK_MONOTONIC, &ev, &timer);
	CHECK("timer_settime", timer_settime, timer, 0, &its, NULL);
	count = 0;
	while (count == 0 && nanosleep(&short_nap, NULL) == 0)
		if (count++ > 100)
			break;
	say("it came", "%d code %d value %d", last, last_code, last_value);
	CHECK("timer_gettime", timer_gettime, timer, &got);
	say("run out", "%ld", (long)got.it_value.tv_nsec);
	CHECK("overrun", timer_getoverrun, timer);
	CHECK("timer_delete", timer_delete, timer);
	CHECK("delete again", timer_delete, timer);
	CHECK("of no clock", timer_create, 77, &ev, &timer);
	CHECK("sleep until the past", clock_nanosleep, CLOCK_MONOTONIC, 1, &short_nap, NULL);
	CHECK("sleep of a CPU clock", clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &short_nap,
	      NULL);
	CHECK("sleep of no clock", clock_nanosleep, 77, 0, &short_nap, NULL);
	for (int clock = 0; clock < 14; clock++)
		CHECK(named("clock %d", clock), clock_gettime, clock, &got);
}

/* A CPU clock by its number, as glibc has them: ~pid << 3, 2 for time run, 4 for a thread's. */
FAMILY(cpu_clocks)
{
	struct sigevent ev = {.sigev_notify = SIGEV_NONE};
	const int pids[] = {0, getpid(), 999999};
	struct timespec ts;
	int timer;

	for (size_t i = 0; i < NITEMS(pids); i++)
		for (int kind = 0; kind < 8; kind++) {
			int clock = ~pids[i] * 8 + kind;

			CHECK(named("read %zu %d", i, kind), clock_gettime, clock, &ts);
			ok(named("resolution %zu %d", i, kind), SYS(clock_getres, clock, &ts));
			ok(named("timer %zu %d", i, kind), SYS(timer_create, clock, &ev, &timer));
		}
}

static uint64_t want_rip, got_rip;

static void
goes_there(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = (greg_t)want_rip;
}

static void
came_there(int sig, siginfo_t *info, void *context)
{
	tells(sig, info, context);
	got_rip = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	siglongjmp(jump, 1);
}

/* A handler that returns to no code: the fault is there, not at the return. */
FAMILY(return_to_nowhere)
{
	const uint64_t places[] = {0, 0x7ffffffff000, 0x800000000000, 0xdead000000000000, ~0ul};

	set(SIGUSR1, goes_there, 0);
	set(SIGSEGV, came_there, SA_NODEFER);
	for (size_t i = 0; i < NITEMS(places); i++) {
		want_rip = places[i];
		if (sigsetjmp(jump, 1) == 0)
			raise(SIGUSR1);
		say(named("to %#lx", want_rip), "signal %d code %d, at %#lx", last, last_code,
		    got_rip);
	}
}

static void
steps(int sig)
{
	count += sig == SIGTRAP;
}

/* Flags over a system call, with or without a handler that runs after it. */
FAMILY(flags)
{
	const uint64_t flags[] = {0x4000, 0x40000, 0x400, 0x100, 0x4100, 0x44500};
	uint64_t after;

	signal(SIGTRAP, steps);
	for (size_t i = 0; i < NITEMS(flags); i++) {
		count = 0;
		__asm__ volatile("pushfq; orq %1, (%%rsp); popfq; syscall; pushfq; popq %0;"
				 "pushq $0x202; popfq; cld"
				 : "=r"(after)
				 : "r"(flags[i]), "a"(SYS_getpid)
				 : "rcx", "r11", "memory", "cc");
		say(named("flags %#lx", flags[i]), "%#lx, traps %d", after & 0x44500, count > 0);
	}
}

FAMILY(stops)
{
	int status;
	pid_t pid;

	setpgid(0, 0); /* a group with a parent outside: the terminal's signals stop it */
	pid = fork();

	if (pid == 0) {
		raise(SIGSTOP);
		_exit(4);
	}
	waitpid(pid, &status, WUNTRACED);
	say("stopped", "%s", status_words(status));
	CHECK("no change since", wait4, pid, &status, WNOHANG | WUNTRACED, NULL);
	kill(pid, SIGTERM);
	kill(pid, SIGCONT);
	waitpid(pid, &status, WCONTINUED);
	say("killed while stopped", "%s",
	    WIFCONTINUED(status) ? (waitpid(pid, &status, 0), status_words(status))
				 : status_words(status));
	pid = fork();
	if (pid == 0) {
		raise(SIGTSTP);
		_exit(5);
	}
	waitpid(pid, &status, WUNTRACED);
	say("TSTP", "%s", status_words(status));
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	say("went on", "%s", status_words(status));
	CHECK("setsid of a leader", setpgid, 0, 0);
	CHECK("then setsid", setsid);
	CHECK("getpgid of nobody", getpgid, 0x3fffffff);
	CHECK("setpgid of -1", setpgid, 0, -1);
	CHECK("setpgid of nobody", setpgid, 0x3fffffff, 0);
	CHECK("kill of no group", kill, -0x3fffffff, 0);
}

/*
 * fork, clone, wait, exec, threads and futexes.
 */
#include "abi.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

FAMILY(fork)
{
	char *p = fresh(4), *s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), byte;
	int fd = file_of("file", 10), status;
	pid_t pid;

	s[0] = 's';
	pid = fork();
	if (pid == 0) {
		s[1] = p[0];
		p[0] = 'c';
		s[2] = p[0];
		lseek(fd, 5, SEEK_SET);
		close(fd);
		chdir("/");
		umask(0);
		mprotect(p + PAGE, PAGE, PROT_READ);
		munmap(p + 2 * PAGE, PAGE);
		_exit(7);
	}
	waitpid(pid, &status, 0);
	say("status", "%s", status_words(status));
	say("shared", "%c %c %c", s[0], s[1], s[2]);
	say("private", "%c", p[0]);
	say("protection and mapping", "%s %s", access_to(p + PAGE), access_to(p + 2 * PAGE));
	say("position", "%d", (int)lseek(fd, 0, SEEK_CUR));
	say("descriptor", "%d", (int)read(fd, &byte, 1));
	say("umask", "%o", umask(022));
	CHECK_OK("folder", open, "file", O_RDONLY);
	p[0] = 'p';
	pid = fork();
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			_exit(p[0] == 'p' ? 5 : 6);
		p[0] = 'x';
		waitpid(pid, &status, 0);
		_exit(WEXITSTATUS(status) + (p[0] == 'x'));
	}
	waitpid(pid, &status, 0);
	say("grandchild", "%s %c", status_words(status), p[0]);
}

static void
exits(void *code)
{
	_exit((int)(long)code);
}

static void
kills(void *sig)
{
	kill(getpid(), (int)(long)sig);
	_exit(77);
}

FAMILY(wait)
{
	siginfo_t info;
	int status, gate[2];
	pid_t pid;

	for (long code = 0; code < 1024; code += 85)
		say(named("exit %ld", code), "%s", ending(exits, (void *)code));
	for (long sig = 1; sig < 32; sig++)
		if (sig < SIGCONT || sig > SIGTTOU)
			say(named("default of %ld", sig), "%s", ending(kills, (void *)sig));
	CHECK("no child", wait4, -1, &status, 0, NULL);
	CHECK("no child, not waiting", wait4, -1, &status, WNOHANG, NULL);
	CHECK("not a child", wait4, 1, &status, 0, NULL);
	CHECK("nobody", wait4, 0x3fffffff, &status, 0, NULL);
	CHECK("least number", wait4, INT32_MIN, &status, 0, NULL);
	for (int bit = 0; bit < 32; bit++)
		CHECK(named("option bit %d", bit), wait4, -1, &status, 1u << bit, NULL);
	CHECK("waitid without options", waitid, P_ALL, 0, &info, 0, NULL);
	CHECK("waitid of no type", waitid, 9, 0, &info, WEXITED, NULL);
	CHECK("waitid of no child", waitid, P_ALL, 0, &info, WEXITED, NULL);
	if (pipe(gate) != 0)
		return;
	pid = fork();
	if (pid == 0) { /* ends when its parent has looked, however slow that is */
		close(gate[1]);
		_exit(read(gate[0], &status, 1) + 3);
	}
	CHECK("not yet", wait4, pid, &status, WNOHANG, NULL);
	close(gate[0]);
	close(gate[1]);
	memset(&info, 0, sizeof(info));
	CHECK("left to be waited for", waitid, P_PID, pid, &info, WEXITED | WNOWAIT, NULL);
	say("it says", "%d %d %d %d", info.si_signo, info.si_code, info.si_status,
	    info.si_pid == pid);
	CHECK("bad pointer", wait4, pid, 1, 0, NULL);
	CHECK("it is gone", wait4, pid, &status, 0, NULL);
	signal(SIGCHLD, SIG_IGN);
	if (fork() == 0)
		_exit(0);
	CHECK("ignored children", wait4, -1, &status, 0, NULL);
}

/* What a child that shares our directories and umask, or does not, does to them. */
static void
moves_about(unsigned long flags)
{
	char where[64];
	int status;
	pid_t pid;

	chdir("/");
	umask(022);
	pid = (pid_t)SYS(clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		chdir("/dev");
		umask(077);
		if ((flags & CLONE_FS) == 0 || SYS(unshare, CLONE_FS) != 0)
			_exit(1);
		chdir("/proc");
		umask(0);
		_exit(2);
	}
	waitpid(pid, &status, 0);
	getcwd(where, sizeof(where));
	say(named("flags %#lx", flags), "%s, %s %03o", status_words(status), where, umask(022));
}

FAMILY(share_directories)
{
	moves_about(0);
	moves_about(CLONE_FS);
	moves_about(CLONE_FS | CLONE_FILES);
	CHECK("unshare what is not shared", unshare, CLONE_FS | CLONE_FILES);
}

FAMILY(clone)
{
	struct {
		uint64_t flags, rest[10];
	} args = {0};
	char later[208];
	const struct {
		const char *name;
		unsigned long flags;
	} bad[] = {
	    {"SIGHAND without VM", CLONE_SIGHAND},
	    {"THREAD without SIGHAND", CLONE_THREAD | CLONE_VM},
	    {"THREAD without VM", CLONE_THREAD},
	    {"FS and NEWNS", CLONE_FS | CLONE_NEWNS},
	};

	for (size_t i = 0; i < NITEMS(bad); i++)
		CHECK(bad[i].name, clone, bad[i].flags, 0, 0, 0, 0);
	CHECK("clone3 of no size", clone3, &args, 0);
	CHECK("clone3 too small", clone3, &args, 63);
	CHECK("clone3 too large", clone3, &args, 5000);
	memset(later, 0, sizeof(later));
	later[200] = 1;
	CHECK("clone3 that asks for what is not known", clone3, later, 208);
	later[200] = 0;
	later[0] = 1; /* of the signal's bits */
	CHECK("clone3 of a later version", clone3, later, 208);
	CHECK("clone3 of a bad pointer", clone3, 1, 64);
	CHECK("clone3 with a signal in flags", clone3, (args.flags = SIGCHLD, &args), 64);
	args.flags = 0;
	args.rest[3] = 100;
	CHECK("clone3 with a bad signal", clone3, &args, 64);
	args.rest[3] = 0;
	args.rest[4] = 4096;
	CHECK("clone3 with a stack and no size", clone3, &args, 64);
}

FAMILY(prctl)
{
	char name[17] = "", small[17];

	CHECK("set name", prctl, PR_SET_NAME, "a name that is too long");
	CHECK("get name", prctl, PR_GET_NAME, name);
	say("it is", "%s", name);
	CHECK("set a bad name", prctl, PR_SET_NAME, 1);
	CHECK("get to nowhere", prctl, PR_GET_NAME, 1);
	CHECK("nonsense", prctl, 9999);
	CHECK("dumpable", prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
	CHECK("set dumpable", prctl, PR_SET_DUMPABLE, 9, 0, 0, 0);
	CHECK("parent's death", prctl, PR_SET_PDEATHSIG, 100);
	CHECK("no new privileges", prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	CHECK("keep capabilities", prctl, PR_GET_KEEPCAPS, 0, 0, 0, 0);
	CHECK("subreaper", prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	CHECK("arch_prctl nonsense", arch_prctl, 9999, 0);
	CHECK("FS base in the kernel", arch_prctl, 0x1002, -PAGE);
	CHECK("FS base to nowhere", arch_prctl, 0x1003, 1);
	(void)small;
}

FAMILY(exec)
{
	char *argv[] = {"x", NULL}, *envp[] = {NULL};
	int fd = file_of("text", 100);

	chmod("text", 0755);
	close(fd);
	close(open("empty", O_CREAT | O_WRONLY, 0755));
	close(open("plain", O_CREAT | O_WRONLY, 0644));
	fd = open("script", O_CREAT | O_WRONLY, 0755);
	write(fd, "#!/none/such\n", 13);
	close(fd);
	fd = open("bare", O_CREAT | O_WRONLY, 0755);
	write(fd, "#!\n", 3);
	close(fd);
	fd = open("self", O_CREAT | O_WRONLY, 0755);
	write(fd, "#!self\n", 7);
	close(fd);
	fd = open("busy", O_CREAT | O_RDWR, 0755);
	write(fd, "\177ELF", 4);
	CHECK("no file", execve, "none", argv, envp);
	CHECK("a folder", execve, ".", argv, envp);
	CHECK("below a file", execve, "text/x", argv, envp);
	CHECK("no program", execve, "text", argv, envp);
	CHECK("an empty file", execve, "empty", argv, envp);
	CHECK("not executable", execve, "plain", argv, envp);
	CHECK("a script without interpreter", execve, "script", argv, envp);
	CHECK("a script of nothing", execve, "bare", argv, envp);
	CHECK("a script of itself", execve, "self", argv, envp);
	CHECK("open for writing", execve, "busy", argv, envp);
	CHECK("no name", execve, "", argv, envp);
	CHECK("a bad name", execve, 1, argv, envp);
	CHECK("bad arguments", execve, "text", 1, envp);
	CHECK("a bad argument", execve, "text", ((char *[]){(char *)1, NULL}), envp);
	CHECK("a bad environment", execve, "text", argv, 1);
	CHECK("execveat of no descriptor", execveat, 999, "x", argv, envp, 0);
	CHECK("execveat of a flag", execveat, AT_FDCWD, "text", argv, envp, 0x80000);
	CHECK("execveat of nothing", execveat, fd, "", argv, envp, 0);
}

/* --- threads ---------------------------------------------------------------------------------- */

static uint32_t word;

static void *
waits(void *result)
{
	*(long *)result = SYS(futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL) == 0 ? 0 : errno;
	return (NULL);
}

FAMILY(futex)
{
	const struct timespec nap = {0, 20000000}, nonsense = {0, 1000000000}, negative = {-1, 0};
	pthread_t threads[3];
	long results[3] = {9, 9, 9};
	uint32_t other = 0;

	CHECK("another value", futex, &word, FUTEX_WAIT, 1, NULL);
	CHECK("time-out", futex, &word, FUTEX_WAIT, 0, &nap);
	CHECK("a nonsense time-out", futex, &word, FUTEX_WAIT, 0, &nonsense);
	CHECK("a negative time-out", futex, &word, FUTEX_WAIT, 0, &negative);
	CHECK("a bad time-out", futex, &word, FUTEX_WAIT, 0, 1);
	CHECK("an odd address", futex, (char *)&word + 1, FUTEX_WAIT, 0, NULL);
	CHECK("a bad address", futex, 0, FUTEX_WAIT, 0, NULL);
	CHECK("wake at a bad address", futex, 0, FUTEX_WAKE, 1);
	CHECK("wake in the kernel", futex, -PAGE, FUTEX_WAKE_PRIVATE, 1);
	CHECK("wake nobody", futex, &word, FUTEX_WAKE, 1);
	CHECK("bitset 0", futex, &word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0);
	CHECK("wake bitset 0", futex, &word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0);
	CHECK("requeue of another value", futex, &word, FUTEX_CMP_REQUEUE, 1, 1, &other, 1);
	CHECK("requeue a negative number", futex, &word, FUTEX_REQUEUE, -1, 1, &other, 0);
	CHECK("a command that is not", futex, &word, 99, 0, NULL);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, waits, &results[i]);
	nanosleep(&nap, NULL);
	CHECK("requeue", futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, &other, 0);
	CHECK("wake where they went", futex, &other, FUTEX_WAKE_PRIVATE, 10);
	CHECK("wake the rest", futex, &word, FUTEX_WAKE_PRIVATE, 10);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	say("what waiting said", "%ld %ld %ld", results[0], results[1], results[2]);
	CHECK("robust list of another size", set_robust_list, &word, 5);
	CHECK("robust list of nobody", get_robust_list, 0x3fffffff, &word, &other);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static __thread int local = 5;
static int total;

static void *
adds(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mutex);
		total++;
		pthread_mutex_unlock(&mutex);
	}
	local += (int)(long)arg;
	pthread_cond_signal(&cond);
	return ((void *)(long)local);
}

FAMILY(threads)
{
	struct timespec soon;
	pthread_t t[8];
	void *value;

	for (long i = 0; i < 8; i++)
		say(named("create %ld", i), "%d", pthread_create(&t[i], NULL, adds, (void *)i));
	for (long i = 0; i < 8; i++) {
		pthread_join(t[i], &value);
		say(named("join %ld", i), "%ld", (long)value);
	}
	say("total", "%d %d", total, local);
	clock_gettime(CLOCK_REALTIME, &soon);
	pthread_mutex_lock(&mutex);
	say("timed out", "%s", errname(pthread_cond_timedwait(&cond, &mutex, &soon)));
	say("a mutex held", "%s", errname(pthread_mutex_trylock(&mutex)));
	CHECK("tgkill of nobody", tgkill, getpid(), 0x3fffffff, 0);
	CHECK("tgkill of another's", tgkill, 1, getpid(), 0);
	CHECK("tgkill of -1", tgkill, -1, -1, 0);
	CHECK("tkill of 0", tkill, 0, 0);
	CHECK("tgkill with no signal", tgkill, getpid(), SYS(gettid), 0);
	CHECK("tgkill with signal 65", tgkill, getpid(), SYS(gettid), 65);
	CHECK("kill of nobody", kill, 0x3fffffff, 0);
	CHECK("kill with signal 65", kill, getpid(), 65);
	CHECK("kill with signal -1", kill, getpid(), -1);
	CHECK("kill with nothing", kill, getpid(), 0);
}

/* A user's process over root's, and over itself without any rlimit. */
static void
schedules(void *arg)
{
	int root = (int)(long)arg;
	struct sched_param none = {0}, some = {.sched_priority = 1};
	unsigned long mask = 1;

	setrlimit(RLIMIT_NICE, &(struct rlimit){0, 0});
	setrlimit(RLIMIT_RTPRIO, &(struct rlimit){0, 0});
	SYS(setresuid, 1234, 1234, 1234);
	CHECK("all of the group's", setpriority, PRIO_PGRP, 0, 1);
	CHECK("nicer root", setpriority, PRIO_PROCESS, root, 5);
	CHECK("less nice", setpriority, PRIO_PROCESS, 0, -1);
	CHECK("nicer", setpriority, PRIO_PROCESS, 0, 3);
	CHECK("back", setpriority, PRIO_PROCESS, 0, 0);
	CHECK("as nice", setpriority, PRIO_PROCESS, 0, 3);
	CHECK("all of the user's", setpriority, PRIO_USER, 0, 4);
	CHECK("all of nobody's", setpriority, PRIO_USER, 4321, 4);
	CHECK("it is", getpriority, PRIO_PROCESS, 0);
	CHECK("in real time", sched_setscheduler, 0, SCHED_FIFO, &some);
	CHECK("as a batch", sched_setscheduler, 0, SCHED_BATCH, &none);
	CHECK("root as a batch", sched_setscheduler, root, SCHED_BATCH, &none);
	CHECK("root on one CPU", sched_setaffinity, root, sizeof(mask), &mask);
}

FAMILY(schedule_of_others)
{
	say("it ends", "%s", ending(schedules, (void *)(long)getpid()));
}

FAMILY(schedule)
{
	struct sched_param param = {0};
	unsigned long mask = 1;
	struct timespec ts;

	CHECK("yield", sched_yield);
	CHECK("policy", sched_getscheduler, 0);
	CHECK("policy of nobody", sched_getscheduler, 0x3fffffff);
	CHECK("parameters", sched_getparam, 0, &param);
	say("priority", "%d", param.sched_priority);
	CHECK("least of FIFO", sched_get_priority_min, SCHED_FIFO);
	CHECK("most of FIFO", sched_get_priority_max, SCHED_FIFO);
	CHECK("most of OTHER", sched_get_priority_max, SCHED_OTHER);
	CHECK("most of nonsense", sched_get_priority_max, 77);
	CHECK("interval", sched_rr_get_interval, 0, &ts);
	CHECK("affinity to CPU 0", sched_setaffinity, 0, sizeof(mask), &mask);
	mask = 0;
	CHECK("affinity to none", sched_setaffinity, 0, sizeof(mask), &mask);
	CHECK("affinity, short", sched_getaffinity, 0, 1, &mask);
	CHECK("affinity of nobody", sched_getaffinity, 0x3fffffff, 8, &mask);
	CHECK("nice value", getpriority, PRIO_PROCESS, 0);
	CHECK("nice of nonsense", getpriority, 9, 0);
	CHECK("set nice", setpriority, PRIO_PROCESS, 0, 5);
	CHECK("nice value then", getpriority, PRIO_PROCESS, 0);
}

/*
 * forks [CASE...]: processes begin, run programs, end and are waited for. Prints the same on Linux.
 * With "exec N" it is the program that others run: it prints its arguments and exits with N.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static const char *self;
static volatile int global = 1;
static char *volatile bad_low = (char *)16, *volatile bad_high = (char *)~0ul;

static void
check(const char *what, long got, long want)
{
	if (got == want)
		printf("%s: ok\n", what);
	else
		printf("%s: %ld, not %ld\n", what, got, want);
}

static int
wait_for(pid_t pid)
{
	int status = -1;
	pid_t got = waitpid(pid, &status, 0);

	if (got != pid)
		printf("waitpid gave %d (errno %d)\n", (int)(got == -1 ? -1 : 0), errno);
	return (status);
}

static pid_t
start(void (*fn)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fn();
		_exit(99);
	}
	return (pid);
}

/* --- memory ----------------------------------------------------------------------------------- */

static char *anon, *shared, *file_private, *file_shared, *unmade;

static void
memory_child(void)
{
	char stack[64] = "child's";
	int errors = 0;

	errors += global != 2;
	errors += strcmp(anon, "parent's") != 0 || unmade[4096] != 0;
	global = 3;
	strcpy(anon, stack);
	strcpy(anon + 8192, "more");
	strcpy(shared + 4096, "from the child");
	file_private[0] = 'C';
	file_shared[1] = 'S';
	unmade[0] = 'u';
	brk((char *)sbrk(0) + 65536);
	errors += strcmp(anon, "child's") != 0;
	_exit(10 + errors);
}

static char *
map(int flags, int fd)
{
	char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		exit(98);
	return (p);
}

static void
case_memory(void)
{
	int fd = open("/tmp/forks", O_CREAT | O_TRUNC | O_RDWR, 0600);
	void *brk_before = sbrk(0);
	char buf[8] = "";

	if (fd < 0 || write(fd, "abcdef", 6) != 6 || ftruncate(fd, 16384) != 0)
		exit(98);
	anon = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	unmade = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	shared = map(MAP_SHARED | MAP_ANONYMOUS, -1);
	file_private = map(MAP_PRIVATE, fd);
	file_shared = map(MAP_SHARED, fd);
	strcpy(anon, "parent's");
	global = 2;
	check("child's memory", WEXITSTATUS(wait_for(start(memory_child))), 10);
	check("global", global, 2);
	check("private", strcmp(anon, "parent's") | anon[8192], 0);
	check("untouched", unmade[0], 0);
	check("shared", strcmp(shared + 4096, "from the child"), 0);
	check("private file", file_private[0], 'a');
	check("shared file", file_shared[1], 'S');
	check("file", pread(fd, buf, 6, 0) == 6 && memcmp(buf, "aScdef", 6) == 0, 1);
	check("break", sbrk(0) == brk_before, 1);
	check("dontneed", madvise(anon, 16384, MADV_DONTNEED) | anon[0], 0);
	close(fd);
	unlink("/tmp/forks");
}

static void
locked_child(void)
{
	anon[0] = 2;
	_exit(anon[1] != 1);
}

static void
case_locked(void)
{
	anon = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	memset(anon, 1, 16384);
	check("mlock", mlock(anon, 16384), 0);
	check("child of locked memory", wait_for(start(locked_child)), 0);
	anon[4096] = 5;
	check("parent's", anon[0] + anon[4096], 6);
	munlock(anon, 16384);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void
abort_child(void)
{
	abort();
}
static void
segv_child(void)
{
	*bad_low = 1;
}
static void
sleep_child(void)
{
	for (;;)
		pause();
}
static void
spin_child(void)
{
	for (;;)
		global++;
}
static void
exit_child(void)
{
	exit(300);
}

static void
case_ends(void)
{
	pid_t pid;
	int status;

	status = wait_for(start(abort_child));
	check("abort", WIFSIGNALED(status) ? WTERMSIG(status) : -1, SIGABRT);
	status = wait_for(start(segv_child));
	check("segv", WIFSIGNALED(status) ? WTERMSIG(status) : -1, SIGSEGV);
	status = wait_for(start(exit_child));
	check("exit 300", WIFEXITED(status) ? WEXITSTATUS(status) : -1, 44);
	pid = start(sleep_child);
	check("kill a sleeper", kill(pid, SIGTERM), 0);
	status = wait_for(pid);
	check("killed", WIFSIGNALED(status) ? WTERMSIG(status) : -1, SIGTERM);
	pid = start(spin_child);
	check("kill a spinner", kill(pid, SIGKILL), 0);
	status = wait_for(pid);
	check("killed", WIFSIGNALED(status) ? WTERMSIG(status) : -1, SIGKILL);
	check("kill the dead", kill(pid, 0) == -1 ? errno : 0, ESRCH);
	pid = start(exit_child);
	waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
	check("kill a zombie", kill(pid, 0), 0);
	wait_for(pid);
}

static void
nothing_child(void)
{
	_exit(7);
}

static void
case_wait(void)
{
	struct rusage ru = {0}, kids = {0};
	siginfo_t info = {0};
	int status = 0;
	pid_t pid;

	check("wait for nobody", wait(NULL) == -1 ? errno : 0, ECHILD);
	check("wait for init", waitpid(getpid(), NULL, 0) == -1 ? errno : 0, ECHILD);
	check("bad options", waitpid(-1, NULL, 0x10) == -1 ? errno : 0, EINVAL);
	pid = start(sleep_child);
	check("nohang", waitpid(pid, &status, WNOHANG), 0);
	check("waitid nohang", waitid(P_ALL, 0, &info, WEXITED | WNOHANG) | info.si_pid, 0);
	kill(pid, SIGKILL);
	check("waitid", waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	check("si_pid", info.si_pid == pid && info.si_signo == SIGCHLD, 1);
	check("si_code", info.si_code, CLD_KILLED);
	check("si_status", info.si_status, SIGKILL);
	check("wait4", wait4(-1, &status, 0, &ru) == pid && status == SIGKILL, 1);
	pid = start(nothing_child);
	check("waitid again", waitid(P_ALL, 0, &info, WEXITED), 0);
	check("exited", info.si_code == CLD_EXITED && info.si_status == 7 && info.si_pid == pid, 1);
	check("waitid of nothing", waitid(P_ALL, 0, &info, 0) == -1 ? errno : 0, EINVAL);
	check("waitid of nobody", waitid(P_PID, (id_t)pid, &info, WEXITED) == -1 ? errno : 0,
	      ECHILD);
	getrusage(RUSAGE_CHILDREN, &kids);
	check("children's faults", kids.ru_minflt > 0, 1);
	start(nothing_child);
	check("status to nowhere", waitpid(-1, (int *)bad_low, 0) == -1 ? errno : 0, EFAULT);
	check("all are gone", wait(NULL) == -1 ? errno : 0, ECHILD);
	signal(SIGCHLD, SIG_IGN);
	start(nothing_child);
	check("nobody is left of ignored ones", wait(NULL) == -1 ? errno : 0, ECHILD);
	signal(SIGCHLD, SIG_DFL);
}

/* --- families --------------------------------------------------------------------------------- */

static void
orphan(void)
{
	for (int i = 0; i < 1000 && getppid() == *(volatile int *)shared; i++)
		usleep(1000);
	((volatile int *)shared)[1] = getppid();
	_exit(0);
}

static void
orphan_maker(void)
{
	*(volatile int *)shared = getpid();
	start(orphan);
	_exit(0);
}

static void
ppid_child(void)
{
	_exit(getppid() == *(int *)shared && getpid() == (int)syscall(SYS_gettid) ? 1 : 2);
}

static void
case_family(void)
{
	volatile int *word;

	shared = map(MAP_SHARED | MAP_ANONYMOUS, -1);
	word = (volatile int *)shared;
	word[0] = getpid();
	check("ppid", WEXITSTATUS(wait_for(start(ppid_child))), 1);
	wait_for(start(orphan_maker));
	for (int i = 0; i < 2000 && word[1] == 0; i++)
		usleep(1000);
	check("orphans get another parent", word[1] != 0 && word[1] != word[0], 1);
	while (wait(NULL) > 0) /* here, we may be that parent */
		;
}

/* --- descriptors and other things that are inherited ------------------------------------------ */

static int fd;

static void
descriptor_child(void)
{
	char c = 0;
	int errors = 0;

	errors += read(fd, &c, 1) != 1 || c != 'b'; /* the position is shared */
	errors += close(fd) != 0;
	errors += chdir("/") != 0;
	errors += umask(0) != 027;
	_exit(errors);
}

static void
case_descriptors(void)
{
	char c = 0, cwd[64];

	fd = open("/tmp/forks", O_CREAT | O_TRUNC | O_RDWR, 0600);
	umask(027);
	if (write(fd, "abcd", 4) != 4 || lseek(fd, 1, SEEK_SET) != 1 || chdir("/tmp") != 0)
		exit(98);
	check("descriptors", wait_for(start(descriptor_child)), 0);
	check("still open", read(fd, &c, 1) == 1 && c == 'c', 1);
	check("directory", getcwd(cwd, sizeof(cwd)) != NULL && strcmp(cwd, "/tmp") == 0, 1);
	check("umask", umask(022), 027);
	close(fd);
	fd = open("/tmp/umask", O_CREAT | O_RDWR, 0666);
	struct stat st;
	fstat(fd, &st);
	check("mode", st.st_mode & 0777, 0644);
	close(fd);
	unlink("/tmp/umask");
	unlink("/tmp/forks");
}

static void
fpu_child(void)
{
	double x;
	uint32_t mxcsr;

	__asm__ volatile("movsd %%xmm9, %0; stmxcsr %1" : "=m"(x), "=m"(mxcsr));
	_exit(x == 1.25 && mxcsr == 0x1f80 + 0x6000 ? 1 : 2);
}

static void
case_fpu(void)
{
	uint32_t mxcsr = 0x1f80 + 0x6000;
	const double x = 1.25;
	pid_t pid;

	fflush(stdout);
	__asm__ volatile("ldmxcsr %1; movsd %2, %%xmm9; syscall"
			 : "=a"(pid)
			 : "m"(mxcsr), "m"(x), "0"(SYS_fork)
			 : "rcx", "r11", "memory", "xmm9");
	if (pid == 0)
		fpu_child();
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	check("FPU state", WEXITSTATUS(wait_for(pid)), 1);
}

/* --- exec ------------------------------------------------------------------------------------- */

static char *const env[] = {"A=1", "B=two words", NULL};

static void
exec_child(void)
{
	char *const argv[] = {"forks", "exec", "5", "an argument", "", NULL};

	fcntl(3, F_SETFD, FD_CLOEXEC);
	execve(self, argv, env);
}

static void
show_exec(int argc, char **argv)
{
	char comm[32] = "";
	int c = open("/proc/self/comm", O_RDONLY);

	for (int i = 0; i < argc; i++)
		printf("argv[%d] <%s>\n", i, argv[i]);
	for (char **e = environ; *e != NULL; e++)
		printf("env <%s>\n", *e);
	printf("descriptor 3 is %s\n", c == 3 ? "free" : "taken");
	printf("descriptor 4 is %s\n", fcntl(4, F_GETFD) == 0 ? "open" : "closed");
	if (read(c, comm, sizeof(comm) - 1) > 0)
		printf("comm %s", comm);
	printf("global %d\n", global);
	printf("SIGUSR1 %s, SIGUSR2 %s\n",
	       signal(SIGUSR1, SIG_DFL) == SIG_IGN ? "ignored" : "default",
	       signal(SIGUSR2, SIG_DFL) == SIG_DFL ? "default" : "?");
	exit(argc > 2 ? atoi(argv[2]) : 0);
}

static void
handler(int sig)
{
	(void)sig;
}

static void
case_exec(void)
{
	char *const none[] = {NULL}, *const big[] = {"x", NULL};
	int a = open("/tmp", O_RDONLY), b = open("/tmp", O_RDONLY);
	static char huge[200000];
	char *const too_big[] = {huge, NULL};

	dup2(a, 3);
	dup2(b, 4);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, handler);
	global = 77;
	check("exec", WEXITSTATUS(wait_for(start(exec_child))), 5);
	signal(SIGUSR2, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	memset(huge, 'x', sizeof(huge) - 1);
	check("no such file", execve("/tmp/none", none, none) == -1 ? errno : 0, ENOENT);
	check("a folder", execve("/tmp", none, none) == -1 ? errno : 0, EACCES);
	check("bad path", execve(bad_low, none, none) == -1 ? errno : 0, EFAULT);
	check("bad argv", execve(self, (char **)bad_low, none) == -1 ? errno : 0, EFAULT);
	check("bad environment", execve(self, none, (char **)bad_high) == -1 ? errno : 0, EFAULT);
	check("too large", execve(self, too_big, none) == -1 ? errno : 0, E2BIG);
	fd = open("/tmp/forks", O_CREAT | O_TRUNC | O_RDWR, 0700);
	if (write(fd, "not a program", 13) != 13)
		exit(98);
	close(fd);
	check("not a program", execve("/tmp/forks", big, none) == -1 ? errno : 0, ENOEXEC);
	chmod("/tmp/forks", 0600);
	unlink("/tmp/forks");
	close(3);
	close(4);
	check("alive", global, 77);
}

/* --- vfork ---------------------------------------------------------------------------------- */

static void
case_vfork(void)
{
	char *const argv[] = {"forks", "exec", "6", NULL}, *const none[] = {NULL};
	pid_t pid;
	int status;

	fflush(stdout);
	global = 1;
	pid = vfork();
	if (pid == 0) {
		global = 5; /* the parent's memory */
		_exit(3);
	}
	status = wait_for(pid);
	check("vfork", WEXITSTATUS(status) == 3 && global == 5, 1);
	pid = vfork();
	if (pid == 0) {
		execve("/tmp/none", none, none);
		global = errno;
		_exit(4);
	}
	fflush(stdout);
	check("vfork of nothing", WEXITSTATUS(wait_for(pid)) == 4 && global == ENOENT, 1);
	pid = vfork();
	if (pid == 0) {
		execve(self, argv, env);
		_exit(5);
	}
	check("vforked program", WEXITSTATUS(wait_for(pid)), 6);
}

/* --- clone ------------------------------------------------------------------------------------ */

static int
clone_fn(void *arg)
{
	*(int *)arg = 42;
	return (9);
}

static void
case_clone(void)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int word = 0, ptid = 0;
	pid_t pid;

	fflush(stdout);
	pid = clone(clone_fn, stack + 65536, SIGCHLD | CLONE_PARENT_SETTID, &word, &ptid);
	check("clone", WEXITSTATUS(wait_for(pid)), 9);
	check("parent's word", word, 0);
	check("parent_tid", ptid == pid, 1);
	pid = clone(clone_fn, stack + 65536, SIGCHLD | CLONE_VM, &word);
	check("clone, one memory", WEXITSTATUS(wait_for(pid)), 9);
	check("parent's word", word, 42);
	check("thread without sharing",
	      syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0) == -1 ? errno : 0, EINVAL);
	check("handlers without memory",
	      syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0) == -1 ? errno : 0, EINVAL);
	check("clone3 too small", syscall(SYS_clone3, stack, 8) == -1 ? errno : 0, EINVAL);
	check("clone3 from nowhere", syscall(SYS_clone3, 16, 64) == -1 ? errno : 0, EFAULT);
	uint64_t args[11] = {0, 0, 0, 0, SIGCHLD};
	pid = (pid_t)syscall(SYS_clone3, args, sizeof(args));
	if (pid == 0)
		_exit(8);
	check("clone3", WEXITSTATUS(wait_for(pid)), 8);
}

/* --- many ------------------------------------------------------------------------------------- */

/* Each the child of the one before; each waits for its own. */
static void
generation(int left)
{
	pid_t pid = 0;

	for (; left > 0 && pid == 0; left--) {
		anon[4096 * (left % 4)]++;
		pid = fork();
	}
	_exit(pid < 0 || (pid > 0 && wait_for(pid) != 0) ? 1 : 0);
}

static void
generations_child(void)
{
	generation(100);
}

static void
case_many(void)
{
	pid_t pids[50];
	int good = 0;

	anon = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	check("a hundred generations", wait_for(start(generations_child)), 0);
	for (int i = 0; i < 50; i++)
		pids[i] = start(nothing_child);
	for (int i = 0; i < 50; i++)
		good += WEXITSTATUS(wait_for(pids[i])) == 7;
	check("fifty at once", good, 50);
	for (int i = 0; i < 300; i++) {
		anon[0] = (char)i;
		good += WEXITSTATUS(wait_for(start(nothing_child))) == 7;
	}
	check("three hundred one by one", good, 350);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
    {"memory", case_memory}, {"locked", case_locked}, {"ends", case_ends},
    {"wait", case_wait},     {"family", case_family}, {"descriptors", case_descriptors},
    {"fpu", case_fpu},       {"exec", case_exec},     {"vfork", case_vfork},
    {"clone", case_clone},   {"many", case_many},
};

int
main(int argc, char **argv)
{
	self = "/proc/self/exe";
	setvbuf(stdout, NULL, _IOFBF, 65536);
	if (argc > 1 && strcmp(argv[1], "exec") == 0)
		show_exec(argc, argv);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int k = 1; k < argc || argc == 1; k++) {
			if (argc == 1 || strcmp(argv[k], cases[i].name) == 0) {
				printf("--- %s\n", cases[i].name);
				cases[i].run();
			}
			if (argc == 1)
				break;
		}
	fflush(stdout);
	return (0);
}

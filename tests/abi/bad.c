/*
 * Every system call with bad pointers, lengths and flags: what Linux answers to each.
 */
#include "abi.h"
#include <poll.h>
#include <signal.h>
#include <sys/uio.h>
#include <time.h>

/* Addresses that can be no pointer. */
static const unsigned long addresses[] = {
    1, 1ul << 40, 0xffffffff80200000ul, 1ul << 47, 0x8000000000000000ul, -PAGE, -1ul};

/* A call with pointers: which arguments are (bits), and arguments that are right. P: buf. */
struct call {
	const char *name;
	long number;
	unsigned pointers;
	long args[6];
};
static char buf[8192] __attribute__((aligned(4096)));
static struct timespec now;
#define P ((long)buf)
#define T ((long)&now)
#define C(name, pointers, ...)               \
	{                                    \
#name, SYS_##name, pointers, \
		{                            \
			__VA_ARGS__          \
		}                            \
	}
enum { FILE_FD = 40, FOLDER_FD = 41 };

static const struct call calls[] = {
    C(read, 2, FILE_FD, P, 16),
    C(write, 2, FILE_FD, P, 16),
    C(open, 1, P, O_RDONLY),
    C(stat, 3, P, P),
    C(fstat, 2, FILE_FD, P),
    C(lstat, 3, P, P),
    C(poll, 1, P, 1, 0),
    C(rt_sigaction, 6, SIGUSR1, P, P, 8),
    C(rt_sigprocmask, 6, 0, P, P, 8),
    C(ioctl, 4, 1, 0x5421, P),
    C(pread64, 2, FILE_FD, P, 16, 0),
    C(pwrite64, 2, FILE_FD, P, 16, 0),
    C(readv, 2, FILE_FD, P, 1),
    C(writev, 2, FILE_FD, P, 1),
    C(access, 1, P, 0),
    C(pipe, 1, P),
    C(select, 30, 1, P, 0, 0, T),
    C(mincore, 4, P, 4096, P),
    C(nanosleep, 3, T, 0),
    C(getitimer, 2, 0, P),
    C(setitimer, 6, 0, P, 0),
    C(sendfile, 4, FILE_FD, FILE_FD, P, 0),
    C(execve, 7, P, 0, 0),
    C(wait4, 10, -1, P, WNOHANG, P),
    C(uname, 1, P),
    C(truncate, 1, P, 0),
    C(getdents64, 2, FOLDER_FD, P, 4096),
    C(getcwd, 1, P, 4096),
    C(chdir, 1, P),
    C(rename, 3, P, P),
    C(mkdir, 1, P, 0755),
    C(rmdir, 1, P),
    C(link, 3, P, P),
    C(unlink, 1, P),
    C(symlink, 3, P, P),
    C(readlink, 3, P, P, 16),
    C(chmod, 1, P, 0644),
    C(chown, 1, P, 0, 0),
    C(gettimeofday, 3, P, 0),
    C(getrlimit, 2, 1, P),
    C(setrlimit, 2, 4, P),
    C(getrusage, 2, 0, P),
    C(sysinfo, 1, P),
    C(times, 1, P),
    C(getgroups, 2, 16, P),
    C(setgroups, 2, 1, P),
    C(getresuid, 7, P, P, P),
    C(rt_sigpending, 1, P, 8),
    C(rt_sigtimedwait, 5, P, 0, T, 8),
    C(rt_sigqueueinfo, 4, 1 << 29, SIGUSR1, P),
    C(sigaltstack, 3, P, P),
    C(mknod, 1, P, 0100644, 0),
    C(statfs, 3, P, P),
    C(fstatfs, 2, FILE_FD, P),
    C(sched_setparam, 2, 0, P),
    C(sched_getparam, 2, 0, P),
    C(prctl, 2, 16, P),
    C(time, 1, P),
    C(futex, 1, P, 1, 1),
    C(sched_setaffinity, 4, 0, 8, P),
    C(sched_getaffinity, 4, 0, 128, P),
    C(timer_create, 6, 0, 0, P),
    C(clock_gettime, 2, 1, P),
    C(clock_getres, 2, 1, P),
    C(clock_nanosleep, 12, 1, 0, T, 0),
    C(epoll_ctl, 8, 999, 1, 1, P),
    C(waitid, 20, 0, 0, P, 5, P),
    C(openat, 2, FOLDER_FD, P, 0),
    C(mkdirat, 2, FOLDER_FD, P, 0755),
    C(newfstatat, 6, FOLDER_FD, P, P, 0),
    C(unlinkat, 2, FOLDER_FD, P, 0),
    C(renameat, 10, FOLDER_FD, P, FOLDER_FD, P),
    C(linkat, 10, FOLDER_FD, P, FOLDER_FD, P, 0),
    C(symlinkat, 5, P, FOLDER_FD, P),
    C(readlinkat, 6, FOLDER_FD, P, P, 16),
    C(fchmodat, 2, FOLDER_FD, P, 0644),
    C(faccessat, 2, FOLDER_FD, P, 0),
    C(ppoll, 5, P, 1, T, 0),
    C(utimensat, 6, FOLDER_FD, P, P, 0),
    C(pipe2, 1, P, 0),
    C(preadv, 2, FILE_FD, P, 1, 0),
    C(prlimit64, 12, 0, 4, P, P),
    C(socketpair, 8, 1, 1, 0, P),
    C(getrandom, 1, P, 16, 0),
    C(memfd_create, 1, P, 0),
    C(statx, 18, FOLDER_FD, P, 0, 0x7ff, P),
    C(signalfd4, 2, -1, P, 8, 0),
    C(clone3, 1, P, 88),
};

static long
run(const struct call *c, const long *a)
{
	long r = syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);

	return (r == -1 ? -errno : r);
}

static void
setup(void)
{
	int fd = file_of("file", 100);

	fcntl(fd, F_DUPFD, FILE_FD);
	mkdir("folder", 0755);
	fcntl(open("folder", O_RDONLY), F_DUPFD, FOLDER_FD);
	signal(SIGALRM, SIG_IGN);
}

/* In a child: a call that does something does it there. */
static void
bad_pointer(const struct call *c, int which)
{
	char line[300] = "";
	long a[6];

	for (size_t i = 0; i < NITEMS(addresses); i++) {
		long r;

		memset(buf, 0, sizeof(buf));
		memcpy(a, c->args, sizeof(a));
		a[which] = (long)addresses[i];
		r = run(c, a);
		strcat(line, i ? " " : "");
		strcat(line, r < 0 ? errname((int)-r) : "ok");
	}
	say(named("%s, argument %d", c->name, which + 1), "%s", line);
}

static const struct call *chosen;

static void
bad_pointers_of(void *which)
{
	bad_pointer(chosen, (int)(long)which);
}

FAMILY(bad_pointers)
{
	setup();
	for (size_t i = 0; i < NITEMS(calls); i++)
		for (long arg = 0; arg < 6; arg++)
			if ((calls[i].pointers >> arg & 1) != 0) {
				const char *end;

				chosen = &calls[i];
				end = ending(bad_pointers_of, (void *)arg);
				if (strcmp(end, "exit 0") != 0)
					say(named("%s ends", chosen->name), "%s", end);
			}
}

/* --- descriptors ------------------------------------------------------------------------------ */

FAMILY(bad_descriptors)
{
	static const struct call by_fd[] = {
	    C(read, 0, 0, P, 16),
	    C(write, 0, 0, P, 16),
	    C(close, 0, 0),
	    C(fstat, 0, 0, P),
	    C(lseek, 0, 0, 0, 0),
	    C(ioctl, 0, 0, 0x5401, P),
	    C(pread64, 0, 0, P, 1, 0),
	    C(pwrite64, 0, 0, P, 1, 0),
	    C(readv, 0, 0, P, 0),
	    C(writev, 0, 0, P, 0),
	    C(dup, 0, 0),
	    C(dup2, 0, 0, 100),
	    C(dup3, 0, 0, 100, 0),
	    C(fcntl, 0, 0, 1),
	    C(flock, 0, 0, 8),
	    C(fsync, 0, 0),
	    C(fdatasync, 0, 0),
	    C(ftruncate, 0, 0, 0),
	    C(getdents64, 0, 0, P, 4096),
	    C(fchdir, 0, 0),
	    C(fchmod, 0, 0, 0644),
	    C(fchown, 0, 0, 0, 0),
	    C(fstatfs, 0, 0, P),
	    C(fallocate, 0, 0, 0, 0, 1),
	    C(epoll_ctl, 0, 0, 1, 1, P),
	    C(epoll_wait, 0, 0, P, 1, 0),
	    C(accept, 0, 0, 0, 0),
	    C(bind, 0, 0, P, 2),
	    C(listen, 0, 0, 1),
	    C(connect, 0, 0, P, 2),
	    C(sendto, 0, 0, P, 1, 0, 0, 0),
	    C(recvfrom, 0, 0, P, 1, 0, 0, 0),
	    C(shutdown, 0, 0, 0),
	    C(getsockname, 0, 0, P, P),
	    C(timerfd_settime, 0, 0, 0, P, 0),
	    C(preadv, 0, 0, P, 0, 0),
	};
	static const int fds[] = {-1, 1000, 0x7fffffff, -0x7fffffff - 1, AT_FDCWD};

	for (size_t i = 0; i < NITEMS(by_fd); i++) {
		char line[200] = "";

		for (size_t j = 0; j < NITEMS(fds); j++) {
			long a[6], r;

			memcpy(a, by_fd[i].args, sizeof(a));
			a[0] = fds[j];
			r = run(&by_fd[i], a);
			strcat(line, j ? " " : "");
			strcat(line, r < 0 ? errname((int)-r) : "ok");
		}
		say(by_fd[i].name, "%s", line);
	}
}

/* --- lengths ---------------------------------------------------------------------------------- */

FAMILY(bad_lengths)
{
	static const struct {
		struct call call;
		int which;
	} with[] = {
	    {C(read, 0, FILE_FD, P, 0), 2},
	    {C(write, 0, FILE_FD, P, 0), 2},
	    {C(pread64, 0, FILE_FD, P, 0, 200), 2},
	    {C(getdents64, 0, FOLDER_FD, P, 0), 2},
	    {C(readv, 0, FILE_FD, P, 0), 2},
	    {C(writev, 0, FILE_FD, P, 0), 2},
	    {C(getcwd, 0, P, 0), 1},
	    {C(readlink, 0, P, P, 0), 2},
	    {C(rt_sigprocmask, 0, 0, P, P, 0), 3},
	    {C(rt_sigaction, 0, SIGUSR1, P, P, 0), 3},
	    {C(rt_sigpending, 0, P, 0), 1},
	    {C(poll, 0, P, 0, 0), 1},
	    {C(getgroups, 0, 0, P), 0},
	    {C(setgroups, 0, 0, P), 0},
	    {C(sched_setaffinity, 0, 0, 0, P), 1},
	    {C(sched_getaffinity, 0, 0, 0, P), 1},
	    {C(set_robust_list, 0, P, 0), 1},
	    {C(mincore, 0, P, 0, P), 1},
	    {C(mlock, 0, P, 0), 1},
	    {C(munlock, 0, P, 0), 1},
	    {C(msync, 0, P, 0, 4), 1},
	    {C(madvise, 0, P, 0, 0), 1},
	    {C(mprotect, 0, P, 0, 3), 1},
	    {C(ftruncate, 0, FILE_FD, 0), 1},
	    {C(pwrite64, 0, FILE_FD, P, 1, 0), 3},
	    {C(pread64, 0, FILE_FD, P, 1, 0), 3},
	    {C(lseek, 0, FILE_FD, 0, 0), 1},
	    {C(fallocate, 0, FILE_FD, 0, 0, 0), 3},
	    {C(clone3, 0, P, 0), 1},
	    {C(select, 0, 0, P, 0, 0, T), 0},
	    {C(getrandom, 0, P, 0, 0), 1},
	};
	static const long lengths[] = {0,         1,           7,        9,        -1,
				       1l << 31,  0xffffffffl, 1l << 32, 1l << 47, 1l << 62,
				       INT64_MIN, INT64_MAX,   -4096};

	setup();
	for (size_t i = 0; i < NITEMS(with); i++) {
		char line[400] = "";

		for (size_t j = 0; j < NITEMS(lengths); j++) {
			long a[6], r;

			memset(buf, 0, sizeof(buf));
			ftruncate(FILE_FD, 100);
			lseek(FILE_FD, 0, SEEK_SET);
			lseek(FOLDER_FD, 0, SEEK_SET);
			if (with[i].call.number == SYS_getrandom &&
			    (unsigned long)lengths[j] > 4096)
				continue;
			memcpy(a, with[i].call.args, sizeof(a));
			a[with[i].which] = lengths[j];
			r = run(&with[i].call, a);
			strcat(line, *line ? " " : "");
			strcat(line, r < 0 ? errname((int)-r) : "ok");
		}
		say(named("%s, argument %d", with[i].call.name, with[i].which + 1), "%s", line);
	}
}

/* --- flags ------------------------------------------------------------------------------------ */

FAMILY(bad_flags)
{
	static const struct {
		struct call call;
		int which;
		uint32_t but; /* bits that do something, or that kernels differ in */
	} with[] = {
	    {C(dup3, 0, 1, 100, 0), 2, 0},
	    {C(pipe2, 0, P, 0), 1, 0200},
	    {C(eventfd2, 0, 0, 0), 1, 0},
	    {C(epoll_create1, 0, 0), 0, 0},
	    {C(inotify_init1, 0, 0), 0, 0},
	    {C(signalfd4, 0, -1, P, 8, 0), 3, 0},
	    {C(timerfd_create, 0, 1, 0), 1, 0},
	    {C(memfd_create, 0, P, 0), 1, 0xfc00001c},
	    {C(getrandom, 0, P, 4, 0), 2, 0},
	    {C(unlinkat, 0, FOLDER_FD, P, 0), 2, 0},
	    {C(linkat, 0, FOLDER_FD, P, FOLDER_FD, P, 0), 4, 0},
	    {C(fchownat, 0, FOLDER_FD, P, 0, 0, 0), 4, 0},
	    {C(newfstatat, 0, FOLDER_FD, P, P, 0), 3, 0},
	    {C(statx, 0, FOLDER_FD, P, 0, 0x7ff, P), 2, 0},
	    {C(faccessat2, 0, FOLDER_FD, P, 0, 0), 3, 0},
	    {C(renameat2, 0, FOLDER_FD, P, FOLDER_FD, P, 0), 4, 0},
	    {C(utimensat, 0, FOLDER_FD, P, 0, 0), 3, 0},
	    {C(mlock2, 0, P, 4096, 0), 2, 0},
	    {C(mlockall, 0, 0), 0, 0},
	    {C(msync, 0, P, 4096, 0), 2, 0},
	    {C(mremap, 0, P, 4096, 4096, 0), 3, 6},
	    {C(waitid, 0, 0, 0, P, 0, 0), 3, 0},
	    {C(wait4, 0, -1, P, 0, 0), 2, 0},
	    {C(clock_nanosleep, 0, 1, 0, T, 0), 1, 0},
	    {C(timer_settime, 0, 0, 0, P, 0), 1, 0},
	    {C(close_range, 0, 60, 61, 0), 2, 0},
	    {C(fallocate, 0, FILE_FD, 0, 0, 1), 1, 0xfe},
	    {C(socket, 0, 1, 1, 0), 1, 0x3f},
	    {C(process_vm_readv, 0, 1, P, 0, P, 0, 0), 5, 0},
	    {C(sendmmsg, 0, 1, P, 0, 0), 3, 0},
	    {C(execveat, 0, AT_FDCWD, P, 0, 0, 0), 4, 0},
	    {C(openat, 0, AT_FDCWD, P, 0), 2, 0},
	};

	setup();
	for (size_t i = 0; i < NITEMS(with); i++) {
		char line[900] = "";
		const char *last = "";

		/* Runs of bits with the same answer are told once. */
		for (int bit = 0; bit < 32; bit++) {
			const char *word;
			long a[6], r;

			if ((with[i].but >> bit & 1) != 0)
				continue;
			memset(buf, 0, sizeof(buf));
			memcpy(a, with[i].call.args, sizeof(a));
			a[with[i].which] = (long)(1u << bit);
			r = run(&with[i].call, a);
			word = r < 0 ? errname((int)-r) : "ok";
			if (strcmp(word, last) != 0)
				strcat(line, named("%s%d:%s", *line ? " " : "", bit, word));
			last = word;
			if (r > 2 && with[i].call.number != SYS_getrandom)
				close((int)r);
		}
		say(with[i].call.name, "%s", line);
	}
}

FAMILY(no_call)
{
	static const long numbers[] = {-1, 451 + 200, 1000, 0x40000000, 0x7fffffff};

	for (size_t i = 0; i < NITEMS(numbers); i++)
		result(named("number %ld", numbers[i]), syscall(numbers[i], 0, 0, 0, 0, 0, 0));
}

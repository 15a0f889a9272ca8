/*
 * Linux's x86-64 system-call interface: its numbers and structures, as far as they are used, and
 * what the files of kernel/linux share. Only they know it.
 *
 * A system call is a function sys_NAME of up to six words, each of which may be declared as the
 * type that Linux has there; it returns the result, or an errno negated.
 */
#pragma once

#include "kern/errno.h"
#include "kern/types.h"

struct usage;
struct file;
struct iovec;
struct uio;

/* linux_event.c: descriptors for both files, whose references go, to user memory. */
int fd_pair(struct file *files[2], bool cloexec, int *ufds);
/* linux_io.c. Has the file a position? */
bool file_seekable(struct file *fp);
/* Can [base, base + len) be user memory? */
bool user_range(const void *base, uint64_t len);
/* Move uio's bytes at *pos, or (NULL) at the file's position if it has one; both move. The bytes
 * moved, or an errno negated if there are none. */
int64_t file_io(struct file *fp, struct uio *uio, uint64_t *pos);
/* The count vectors at uiov, in memory that is the caller's to free, and a uio of them. Together
 * they are cut to RW_MAX. EFAULT, EINVAL (one is too long), ENOMEM. */
int iovec_in(const struct iovec *uiov, uint32_t count, struct iovec **iovp, struct uio *uio);

/* As Linux's struct rusage. */
int64_t usage_copyout(const struct usage *u, void *usage);

/* copyin and copyout of one object, as a system call's result. */
#define COPYOUT(from, uaddr) (-copyout((from), (uaddr), sizeof(*(from))))
#define COPYIN(uaddr, to)    (-copyin((uaddr), (to), sizeof(*(to))))

/* clang-format off */
enum { AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100, AT_REMOVEDIR = 0x200, AT_SYMLINK_FOLLOW = 0x400,
       AT_EMPTY_PATH = 0x1000 };
enum { S_IFIFO = 0010000, S_IFCHR = 0020000, S_IFDIR = 0040000, S_IFREG = 0100000, S_IFLNK = 0120000,
       S_IFSOCK = 0140000 };
enum { LINUX_SEEK_SET, LINUX_SEEK_CUR, LINUX_SEEK_END, LINUX_SEEK_DATA, LINUX_SEEK_HOLE };
enum { F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC = 1030 };
enum { IOV_MAX = 1024 };
#define RW_MAX 0x7ffff000ul /* bytes that one read or write moves at most */

enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, PROT_SEM = 8,
       PROT_GROWSDOWN = 0x1000000 };
enum { MAP_SHARED = 1, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_TYPE = 0xf, MAP_FIXED = 0x10,
       MAP_ANONYMOUS = 0x20, MAP_32BIT = 0x40, MAP_GROWSDOWN = 0x100, MAP_LOCKED = 0x2000,
       MAP_NORESERVE = 0x4000,
       MAP_POPULATE = 0x8000, MAP_HUGETLB = 0x40000, MAP_FIXED_NOREPLACE = 0x100000,
       MAP_VALIDATED = 0x7c07f9f3 /* what MAP_SHARED_VALIDATE knows */ };
enum { MAP_NONBLOCK = 0x10000 };
enum { MCL_CURRENT = 1, MCL_FUTURE, MCL_ONFAULT = 4, MLOCK_ONFAULT = 1 };
enum { MS_ASYNC = 1, MS_INVALIDATE, MS_SYNC = 4 };
enum { MREMAP_MAYMOVE = 1, MREMAP_FIXED, MREMAP_DONTUNMAP = 4 };

enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };
enum { CLONE_SIGNAL = 0xff, CLONE_VM = 0x100, CLONE_FS = 0x200, CLONE_FILES = 0x400,
       CLONE_SIGHAND = 0x800, CLONE_VFORK = 0x4000, CLONE_THREAD = 0x10000,
       CLONE_SYSVSEM = 0x40000, CLONE_SETTLS = 0x80000, CLONE_PARENT_SETTID = 0x100000,
       CLONE_CHILD_CLEARTID = 0x200000, CLONE_DETACHED = 0x400000,
       CLONE_CHILD_SETTID = 0x1000000 };
#define CLONE_CLEAR_SIGHAND (1ul << 32)
enum { WNOHANG = 1, WUNTRACED = 2, WEXITED = 4, WCONTINUED = 8, WNOWAIT = 0x1000000,
       WNOTHREAD = 0x20000000, WALL = 0x40000000 };
#define WCLONE 0x80000000u
enum { P_ALL, P_PID, P_PGID };
enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE = 3, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP,
       FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET, FUTEX_CMD_MASK = 0x7f, FUTEX_PRIVATE = 0x80, FUTEX_CLOCK_REALTIME = 0x100 };
enum { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME, CLOCK_THREAD_CPUTIME,
       CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
       CLOCK_TAI = 11, TIMER_ABSTIME = 1 };
/* A clock of a process or thread by its number: the complement of that, and three bits. */
enum { CPUCLOCK_SCHED = 2, CPUCLOCK_FD = 3, CPUCLOCK_KINDS = 3, CPUCLOCK_THREAD = 4 };
#define CPUCLOCK_TID(id) (~((id) >> 3)) /* 0: the caller's */
/* clang-format on */

/* linux_mlock.c: lock new memory, if locked (MAP_LOCKED) or mlockall wants it: as far as it
 * goes, the rest when it is touched. Returns false when there is nothing to do. */
bool linux_lock_new(uint64_t start, uint64_t end, bool locked);
/* May curproc lock length bytes more? EPERM, or `over` when that is past RLIMIT_MEMLOCK. */
int linux_may_lock(uint64_t length, int over);
/* linux_mem.c: as mmap(2), of fp, or of anonymous memory if that is NULL; offset is of a page. */
int64_t linux_mmap(struct file *fp, uint64_t addr, uint64_t length, uint64_t prot, uint64_t flags,
		   uint64_t offset);
/* The end of [addr, addr + length) for a call that takes whole pages. EINVAL, or
 * `wraps` when it does. */
int linux_page_range(uint64_t addr, uint64_t length, int wraps, uint64_t *end);
/* Bring [start, end) in by faults, up to the first that fails. */
void linux_fault_in(uint64_t start, uint64_t end, bool write);

enum { NICE_LOW = -20, NICE_HIGH = 19 };
struct linux_timeval {
	int64_t sec, usec;
};
struct linux_timespec {
	int64_t sec, nsec;
};
/* linux_time.c: what clock id reads, ns. EINVAL: there is no such clock. */
int clock_read(int id, uint64_t *ns);
/* A span from user memory in ns. EFAULT, EINVAL. */
int timespec_in(const struct linux_timespec *uts, uint64_t *ns);
struct ptimer_time;
struct linux_itimerspec {
	struct linux_timespec interval, value;
};
int itimerspec_in(const struct linux_itimerspec *uits, struct ptimer_time *t);
int itimerspec_out(const struct ptimer_time *t, struct linux_itimerspec *uits);
/* linux_poll.c: the same as the moment (ns since boot) that is so far from now; 0: at once. */
int timespec_deadline(const struct linux_timespec *uts, uint64_t *deadline);
/* A signal mask for the time of one call, if there is one: signal_tempmask. EFAULT, EINVAL. */
int sigmask_in(const uint64_t *umask, uint64_t size);
struct linux_stat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad0;
	uint64_t rdev;
	int64_t size, blksize, blocks;
	struct linux_timespec atime, mtime, ctime;
	int64_t pad1[3];
};
struct linux_dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __packed;
_Static_assert(sizeof(struct linux_stat) == 144, "struct stat");

/*
 * System calls with bad arguments: a line for each with its result or errno. The host's Linux must
 * print the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE     4096
#define KERNEL   0xffffffff80200000ul
#define LAST     0xfffffffffffff000ul /* the last page: adding to it wraps */
#define HOLE     0x0000800000000000ul /* the first address that is not canonical */
#define MIDHOLE  0x8000000000000000ul
#define UNMAPPED 0x10000000000ul
#define USER_END 0x00007ffffffff000ul

static const unsigned long bad_addresses[] = {0, KERNEL, LAST, HOLE, HOLE - 4, MIDHOLE, UNMAPPED};

static char name[6000];
static int file, readonly, folder;
static char *pages; /* three pages; the middle one is unmapped */

static void
show(const char *what, long result)
{
	if (result >= 0)
		printf("%s: %ld\n", what, result);
	else
		printf("%s: errno %d\n", what, (int)-result);
}

/* The system call itself: libc neither checks the arguments nor uses the vDSO. */
static long
call(long number, ...)
{
	long r, a[6];
	__builtin_va_list ap;

	__builtin_va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = __builtin_va_arg(ap, long);
	__builtin_va_end(ap);
	r = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	return (r == -1 ? -errno : r);
}
#define CALL(nr, a, b, c, d, e, f) \
	call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SHOW(what, nr, a, b, c) show(what, CALL(nr, a, b, c, 0, 0, 0))

static void
show_mmap(const char *what, unsigned long addr, size_t len, int prot, int flags, int fd, off_t off)
{
	long r = CALL(SYS_mmap, addr, len, prot, flags, fd, off);

	if (r > 0)
		munmap((void *)r, len);
	show(what, r > 0 ? 0 : r);
}

static void
bad_pointers(void)
{
	for (size_t i = 0; i < sizeof(bad_addresses) / sizeof(bad_addresses[0]); i++) {
		unsigned long p = bad_addresses[i];
		struct iovec iov = {(void *)p, 16};

		printf("pointer %#lx\n", p);
		SHOW("write", SYS_write, file, p, 16);
		SHOW("read", SYS_read, readonly, p, 16);
		SHOW("writev", SYS_writev, file, &iov, 1);
		SHOW("writev of a bad vector", SYS_writev, file, p, 1);
		SHOW("open", SYS_open, p, O_RDONLY, 0);
		SHOW("stat", SYS_stat, p, name, 0);
		SHOW("fstat", SYS_fstat, file, p, 0);
		SHOW("uname", SYS_uname, p, 0, 0);
		SHOW("getrusage", SYS_getrusage, 0, p, 0);
		SHOW("clock_gettime", SYS_clock_gettime, CLOCK_MONOTONIC, p, 0);
		SHOW("nanosleep", SYS_nanosleep, p, 0, 0);
		SHOW("getrandom", SYS_getrandom, p, 16, 0);
		SHOW("getcwd", SYS_getcwd, p, 100, 0);
	}
	SHOW("write of a length that wraps", SYS_write, file, pages, -1l);
	SHOW("open of a name that runs into nothing", SYS_open, pages + PAGE - 4, 0, 0);
	SHOW("clock_gettime half into nothing", SYS_clock_gettime, 1, pages + PAGE - 8, 0);
}

static void
bad_files(void)
{
	memset(name, 'x', sizeof(name) - 1);
	SHOW("open of a name too long", SYS_open, name, O_RDONLY, 0);
	memset(name, '/', sizeof(name) - 1);
	SHOW("open of a path too long", SYS_open, name, O_RDONLY, 0);
	SHOW("open of no name", SYS_open, "", O_RDONLY, 0);
	SHOW("open of nothing", SYS_open, "/tmp/none/there", O_RDONLY, 0);
	SHOW("open below a file", SYS_open, "/tmp/errnos/x", O_RDONLY, 0);
	SHOW("open a folder to write", SYS_open, "/tmp", O_WRONLY, 0);
	SHOW("open what exists", SYS_open, "/tmp/errnos", O_CREAT | O_EXCL | O_RDWR, 0600);
	SHOW("open a file as a folder", SYS_open, "/tmp/errnos", O_DIRECTORY, 0);
	SHOW("close of -1", SYS_close, -1, 0, 0);
	SHOW("close of 1000", SYS_close, 1000, 0, 0);
	SHOW("close of INT_MAX", SYS_close, 0x7fffffff, 0, 0);
	SHOW("read of -1", SYS_read, -1, name, 1);
	SHOW("read of a folder", SYS_read, folder, name, 1);
	SHOW("write to a read-only file", SYS_write, readonly, name, 1);
	SHOW("lseek before the start", SYS_lseek, file, -1l, SEEK_SET);
	SHOW("lseek from nowhere", SYS_lseek, file, 0, 99);
	SHOW("lseek that overflows", SYS_lseek, file, INT64_MAX, SEEK_END);
	SHOW("ioctl of -1", SYS_ioctl, -1, TIOCGWINSZ, name);
	SHOW("ioctl of a file", SYS_ioctl, file, TIOCGWINSZ, name);
	SHOW("writev of -1 parts", SYS_writev, file, name, -1);
	SHOW("writev of too many parts", SYS_writev, file, name, 1025);
}

static void
bad_mmaps(void)
{
	int anon = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;

	show_mmap("mmap of nothing", 0, 0, rw, anon, -1, 0);
	show_mmap("mmap neither shared nor private", 0, PAGE, rw, MAP_ANONYMOUS, -1, 0);
	show_mmap("mmap of -1 as a file", 0, PAGE, rw, MAP_PRIVATE, -1, 0);
	show_mmap("mmap of a folder", 0, PAGE, PROT_READ, MAP_PRIVATE, folder, 0);
	show_mmap("mmap at an odd offset", 0, PAGE, PROT_READ, MAP_PRIVATE, file, 100);
	show_mmap("mmap fixed at an odd address", UNMAPPED + 1, PAGE, rw, anon | MAP_FIXED, -1, 0);
	show_mmap("mmap fixed in the kernel", KERNEL, PAGE, rw, anon | MAP_FIXED, -1, 0);
	show_mmap("mmap fixed in the hole", HOLE, PAGE, rw, anon | MAP_FIXED, -1, 0);
	show_mmap("mmap fixed over the end", USER_END - PAGE, 4 * PAGE, rw, anon | MAP_FIXED, -1,
		  0);
	show_mmap("mmap fixed at the last page", LAST, PAGE, rw, anon | MAP_FIXED, -1, 0);
	show_mmap("mmap of 2^47", 0, 1ul << 47, PROT_NONE, anon, -1, 0);
	show_mmap("mmap of 2^63", 0, 1ul << 63, PROT_NONE, anon, -1, 0);
	show_mmap("mmap of 2^64 - 1", 0, -1ul, PROT_NONE, anon, -1, 0);
	show_mmap("mmap to the end of offsets", 0, 2 * PAGE, PROT_READ, MAP_PRIVATE, file, LAST);
	show_mmap("mmap to write a read-only file", 0, PAGE, rw, MAP_SHARED, readonly, 0);
	show_mmap("mmap privately a read-only file", 0, PAGE, rw, MAP_PRIVATE, readonly, 0);
}

static void
bad_ranges(void)
{
	SHOW("munmap at an odd address", SYS_munmap, pages + 1, PAGE, 0);
	SHOW("munmap of nothing", SYS_munmap, pages, 0, 0);
	SHOW("munmap in the kernel", SYS_munmap, KERNEL, PAGE, 0);
	SHOW("munmap that wraps", SYS_munmap, pages, -PAGE, 0);
	SHOW("munmap of what is not mapped", SYS_munmap, UNMAPPED, PAGE, 0);
	SHOW("mprotect at an odd address", SYS_mprotect, pages + 1, PAGE, PROT_READ);
	SHOW("mprotect of nothing", SYS_mprotect, pages, 0, PROT_READ);
	SHOW("mprotect over a gap", SYS_mprotect, pages, 3 * PAGE, PROT_READ);
	SHOW("mprotect that wraps", SYS_mprotect, pages, -PAGE, PROT_READ);
	SHOW("mprotect in the kernel", SYS_mprotect, KERNEL, PAGE, PROT_READ);
	SHOW("mprotect to nonsense", SYS_mprotect, pages, PAGE, 0x800);
	SHOW("madvise at an odd address", SYS_madvise, pages + 1, PAGE, MADV_DONTNEED);
	SHOW("madvise of nothing", SYS_madvise, pages, 0, MADV_DONTNEED);
	SHOW("madvise with nonsense", SYS_madvise, pages, PAGE, 9999);
	SHOW("madvise over a gap", SYS_madvise, pages, 3 * PAGE, MADV_DONTNEED);
	SHOW("madvise in the kernel", SYS_madvise, KERNEL, PAGE, MADV_DONTNEED);
	show("brk into the kernel", syscall(SYS_brk, KERNEL) == syscall(SYS_brk, 0));
	show("brk below its start", syscall(SYS_brk, PAGE) == syscall(SYS_brk, 0));
}

static void
bad_times(void)
{
	struct timespec too_much = {0, 1000000000}, negative = {-1, 0}, out;

	SHOW("nanosleep of too many nanoseconds", SYS_nanosleep, &too_much, NULL, 0);
	SHOW("nanosleep of less than nothing", SYS_nanosleep, &negative, NULL, 0);
	SHOW("clock_gettime of no clock", SYS_clock_gettime, 9999, &out, 0);
	SHOW("getrusage of nobody", SYS_getrusage, 99, name, 0);
	SHOW("getrandom with nonsense", SYS_getrandom, name, 16, 0xff00);
}

int
main(void)
{
	file = open("/tmp/errnos", O_CREAT | O_TRUNC | O_RDWR, 0600);
	if (write(file, "some bytes in a file", 20) != 20)
		return (1);
	readonly = open("/tmp/errnos", O_RDONLY);
	folder = open("/tmp", O_RDONLY | O_DIRECTORY);
	pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (file < 0 || readonly < 0 || folder < 0 || pages == MAP_FAILED)
		return (1);
	memset(pages, 'x', PAGE);
	munmap(pages + PAGE, PAGE);

	SHOW("system call -1", -1l, 0, 0, 0);
	bad_pointers();
	bad_files();
	bad_mmaps();
	bad_ranges();
	bad_times();
	puts("done");
	return (0);
}

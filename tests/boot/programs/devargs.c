/*
 * devargs PATH: good and bad arguments of the calls on mappings, over two mappings of PATH at once
 * (a regular file, made 16 MiB long if it is not there, or a device). A line for each: what, and ok
 * or the errno's name.
 *
 * Each case begins with the same arena: A, all of PATH, shared and writable, at its start; B, all
 * of PATH, private and read-only, after a gap; the rest unmapped, but for a wall after B. All is
 * done twice, the second time without a word; then the kernel's counts must be what they were.
 */
#define _GNU_SOURCE
#include "gauges.h"
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PAGE   4096ul
#define SIZE   (16ul << 20) /* of PATH */
#define ARENA  (64ul << 20)
#define A      arena
#define B      (arena + (24ul << 20))
#define WALL   (B + SIZE) /* PROT_NONE, a page */
#define GAP    (A + SIZE)
#define FREE   (arena + (48ul << 20))
#define KERNEL 0xffffffff80200000ul
#define LAST   (-PAGE)
#define RW     (PROT_READ | PROT_WRITE)

static unsigned long arena;
static int rdwr, rdonly, wronly, scratch;
static int is_device, quiet;

static const struct {
	int number;
	const char *name;
} names[] = {
    {EPERM, "EPERM"},           {EBADF, "EBADF"},   {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"},
    {EACCES, "EACCES"},         {EFAULT, "EFAULT"}, {EBUSY, "EBUSY"},   {EEXIST, "EEXIST"},
    {ENODEV, "ENODEV"},         {EINVAL, "EINVAL"}, {ENOSYS, "ENOSYS"}, {EOVERFLOW, "EOVERFLOW"},
    {EOPNOTSUPP, "EOPNOTSUPP"}, {EIO, "EIO"},
};

static void
show(const char *what, int number)
{
	const char *name = "ok";

	if (quiet)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (number != 0 && names[i].number == number)
			name = names[i].name;
	if (number != 0 && name[0] == 'o')
		printf("%s: errno %d\n", what, number);
	else
		printf("%s: %s\n", what, name);
}

static void
fixed_map(unsigned long at, int prot, int flags, int fd)
{
	void *p = mmap((void *)at, SIZE, prot, flags | MAP_FIXED, fd, 0);

	if (p != (void *)at) {
		perror("mmap");
		exit(1);
	}
}

static void
set_arena(void)
{
	munmap((void *)arena, ARENA);
	fixed_map(A, RW, MAP_SHARED, rdwr);
	fixed_map(B, PROT_READ, MAP_PRIVATE, rdonly);
	mmap((void *)WALL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* Whoever reads the mappings finds them sound: write(2) takes a byte here and there, or says
 * EFAULT. */
static void
look(unsigned long start)
{
	for (unsigned long p = start; p < start + SIZE; p += 1ul << 20)
		if (pwrite(scratch, (void *)p, 1, 0) != 1 && errno != EFAULT)
			perror("write from a mapping");
}

/* The system call itself, and nothing of libc's opinion. */
static long
call(long number, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
     unsigned long e, unsigned long f)
{
	return (syscall(number, a, b, c, d, e, f));
}

static void
try(const char *what, long number, unsigned long a, unsigned long b, unsigned long c,
    unsigned long d, unsigned long e, unsigned long f)
{
	long r;

	r = call(number, a, b, c, d, e, f);
	show(what, r == -1 ? errno : 0);
	if (r != -1 && (number == SYS_mmap || number == SYS_mremap) &&
	    ((unsigned long)r < arena || (unsigned long)r >= arena + ARENA)) {
		look((unsigned long)r);
		munmap((void *)r, SIZE);
	}
	look(A);
	look(B);
	set_arena();
}
#define TRY(what, nr, a, b, c, d, e, f)                                                 \
	try(what, SYS_##nr, (unsigned long)(a), (unsigned long)(b), (unsigned long)(c), \
	    (unsigned long)(d), (unsigned long)(e), (unsigned long)(f))
#define MMAP(what, a, len, prot, flags, fd, off) \
	TRY("mmap " what, mmap, a, len, prot, flags, fd, off)
#define CALL(nr, what, a, b, c) TRY(#nr " " what, nr, a, b, c, 0, 0, 0)
#define MREMAP(what, old, from, to, flags, new) \
	TRY("mremap " what, mremap, old, from, to, flags, new, 0)

static void
mmaps(void)
{
	MMAP("all, shared", 0, SIZE, RW, MAP_SHARED, rdwr, 0);
	MMAP("all, private", 0, SIZE, RW, MAP_PRIVATE, rdwr, 0);
	MMAP("no access", 0, SIZE, PROT_NONE, MAP_SHARED, rdwr, 0);
	MMAP("write only", 0, SIZE, PROT_WRITE, MAP_SHARED, rdwr, 0);
	MMAP("a byte", 0, 1, RW, MAP_SHARED, rdwr, 0);
	MMAP("nothing", 0, 0, RW, MAP_SHARED, rdwr, 0);
	MMAP("the last page", 0, PAGE, RW, MAP_SHARED, rdwr, SIZE - PAGE);
	MMAP("over the end", 0, 2 * PAGE, RW, MAP_SHARED, rdwr, SIZE - PAGE);
	MMAP("past the end", 0, PAGE, RW, MAP_SHARED, rdwr, SIZE);
	MMAP("past the end, private", 0, PAGE, RW, MAP_PRIVATE, rdwr, SIZE);
	MMAP("far past the end", 0, PAGE, RW, MAP_SHARED, rdwr, 1ul << 40);
	MMAP("an odd offset", 0, PAGE, RW, MAP_SHARED, rdwr, 100);
	MMAP("an offset that wraps", 0, 2 * PAGE, RW, MAP_SHARED, rdwr, LAST);
	MMAP("2^47 bytes", 0, 1ul << 47, RW, MAP_SHARED, rdwr, 0);
	MMAP("2^63 bytes", 0, 1ul << 63, RW, MAP_SHARED, rdwr, 0);
	MMAP("2^64 - 1 bytes", 0, -1l, RW, MAP_SHARED, rdwr, 0);
	MMAP("to write, shared, opened to read", 0, PAGE, RW, MAP_SHARED, rdonly, 0);
	MMAP("to write, private, opened to read", 0, PAGE, RW, MAP_PRIVATE, rdonly, 0);
	MMAP("to read, opened to write", 0, PAGE, PROT_READ, MAP_SHARED, wronly, 0);
	MMAP("to write, opened to write", 0, PAGE, PROT_WRITE, MAP_SHARED, wronly, 0);
	MMAP("nonsense rights", 0, PAGE, -1l, MAP_SHARED, rdwr, 0);
	MMAP("neither shared nor private", 0, PAGE, RW, 0, rdwr, 0);
	MMAP("of type 15", 0, PAGE, RW, 15, rdwr, 0);
	MMAP("all flags but those of a place", 0, PAGE, RW,
	     -1l & ~(MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_ANONYMOUS | MAP_32BIT), rdwr, 0);
	MMAP("MAP_SHARED_VALIDATE", 0, PAGE, RW, MAP_SHARED_VALIDATE, rdwr, 0);
	MMAP("MAP_SHARED_VALIDATE, unknown flag", 0, PAGE, RW, MAP_SHARED_VALIDATE | 1ul << 22,
	     rdwr, 0);
	MMAP("MAP_GROWSDOWN", 0, PAGE, RW, MAP_SHARED | MAP_GROWSDOWN, rdwr, 0);
	MMAP("MAP_HUGETLB", 0, PAGE, RW, MAP_SHARED | MAP_HUGETLB, rdwr, 0);
	MMAP("MAP_POPULATE", 0, SIZE, RW, MAP_SHARED | MAP_POPULATE, rdwr, 0);
	MMAP("MAP_POPULATE, private", 0, 4 * PAGE, RW, MAP_PRIVATE | MAP_POPULATE, rdwr, 0);
	MMAP("MAP_LOCKED", 0, 4 * PAGE, RW, MAP_SHARED | MAP_LOCKED, rdwr, 0);
	MMAP("MAP_LOCKED, no access", 0, PAGE, PROT_NONE, MAP_SHARED | MAP_LOCKED, rdwr, 0);
	MMAP("MAP_NORESERVE", 0, PAGE, RW, MAP_PRIVATE | MAP_NORESERVE, rdwr, 0);
	MMAP("fixed, over both", A + PAGE, SIZE * 2, RW, MAP_SHARED | MAP_FIXED, rdwr, 0);
	MMAP("fixed, over a part", A + PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, rdwr, 0);
	MMAP("fixed, odd", FREE + 1, PAGE, RW, MAP_SHARED | MAP_FIXED, rdwr, 0);
	MMAP("fixed, in the kernel", KERNEL, PAGE, RW, MAP_SHARED | MAP_FIXED, rdwr, 0);
	MMAP("fixed, the last page", LAST, PAGE, RW, MAP_SHARED | MAP_FIXED, rdwr, 0);
	MMAP("fixed, no replacing", A, PAGE, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, rdwr, 0);
	MMAP("fixed, no replacing, free", FREE, PAGE, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, rdwr,
	     0);
	MMAP("of a closed file", 0, PAGE, RW, MAP_SHARED, 99, 0);
}

static void
munmaps(void)
{
	CALL(munmap, "all of A", A, SIZE, 0);
	CALL(munmap, "a page of A", A + PAGE, PAGE, 0);
	CALL(munmap, "A and B and what is between", A, ARENA, 0);
	CALL(munmap, "the end of A, the start of B", GAP - PAGE, B - GAP + 2 * PAGE, 0);
	CALL(munmap, "what is not mapped", FREE, PAGE, 0);
	CALL(munmap, "at an odd address", A + 1, PAGE, 0);
	CALL(munmap, "an odd length", A, 1, 0);
	CALL(munmap, "nothing", A, 0, 0);
	CALL(munmap, "in the kernel", KERNEL, PAGE, 0);
	CALL(munmap, "that wraps", A, -PAGE, 0);
	CALL(munmap, "2^64 - 1 bytes", A, -1l, 0);
}

static void
mprotects(void)
{
	CALL(mprotect, "A, nothing allowed", A, SIZE, PROT_NONE);
	CALL(mprotect, "A, to read", A, SIZE, PROT_READ);
	CALL(mprotect, "A, to write", A, SIZE, RW);
	CALL(mprotect, "a page of A", A + PAGE, PAGE, PROT_READ);
	CALL(mprotect, "B, private, opened to read, to write", B, SIZE, RW);
	CALL(mprotect, "the end of A, and the gap", GAP - PAGE, 2 * PAGE, PROT_READ);
	CALL(mprotect, "the gap", GAP, PAGE, PROT_READ);
	CALL(mprotect, "A to B", A, B - A + PAGE, PROT_READ);
	CALL(mprotect, "B and the wall", B, SIZE + PAGE, PROT_READ);
	CALL(mprotect, "at an odd address", A + 1, PAGE, PROT_READ);
	CALL(mprotect, "an odd length", A, 1, PROT_READ);
	CALL(mprotect, "nothing", A, 0, PROT_READ);
	CALL(mprotect, "nothing in the gap", GAP, 0, PROT_READ);
	CALL(mprotect, "that wraps", A, -PAGE, PROT_READ);
	CALL(mprotect, "2^64 - 1 bytes", A, -1l, PROT_READ);
	CALL(mprotect, "in the kernel", KERNEL, PAGE, PROT_READ);
	CALL(mprotect, "rights 0x10", A, PAGE, 0x10);
	CALL(mprotect, "rights 0x800", A, PAGE, 0x800);
	CALL(mprotect, "all rights", A, PAGE, -1l);
	CALL(mprotect, "PROT_SEM", A, PAGE, PROT_READ | 8);
	mmap((void *)FREE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, rdonly, 0);
	CALL(mprotect, "shared, opened to read, to write", FREE, PAGE, RW);
}

static void
madvises(void)
{
	static const struct {
		const char *name;
		int advice;
		int device_only; /* what a file system may answer as it likes, or Quire has not */
	} advices[] = {
	    {"NORMAL", 0, 0},       {"RANDOM", 1, 0},         {"SEQUENTIAL", 2, 0},
	    {"WILLNEED", 3, 0},     {"DONTNEED", 4, 0},       {"5", 5, 0},
	    {"FREE", 8, 0},         {"REMOVE", 9, 1},         {"DODUMP", 17, 0},
	    {"DONTDUMP", 16, 0},    {"COLD", 20, 0},          {"PAGEOUT", 21, 0},
	    {"HUGEPAGE", 14, 1},    {"NOHUGEPAGE", 15, 1},    {"MERGEABLE", 12, 1},
	    {"UNMERGEABLE", 13, 1}, {"POPULATE_READ", 22, 1}, {"POPULATE_WRITE", 23, 1},
	    {"26", 26, 0},          {"9999", 9999, 0},        {"-1", -1, 0},
	};
	char what[64];

	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		if (advices[i].device_only && !is_device)
			continue;
		snprintf(what, sizeof(what), "madvise A, %s", advices[i].name);
		TRY(what, madvise, A, SIZE, advices[i].advice, 0, 0, 0);
	}
	CALL(madvise, "a page of A, NORMAL", A + PAGE, PAGE, 0);
	CALL(madvise, "B, NORMAL", B, SIZE, 0);
	CALL(madvise, "A and the gap, NORMAL", A, SIZE + PAGE, 0);
	CALL(madvise, "the gap, DONTNEED", GAP, PAGE, 4);
	CALL(madvise, "at an odd address", A + 1, PAGE, 0);
	CALL(madvise, "nothing", A, 0, 4);
	CALL(madvise, "nothing, nonsense advice", A, 0, 9999);
	CALL(madvise, "that wraps", A, -PAGE, 4);
	CALL(madvise, "2^64 - 1 bytes", A, -1l, 4);
	CALL(madvise, "in the kernel", KERNEL, PAGE, 4);
}

static void
mlocks(void)
{
	CALL(mlock, "four pages of A", A, 4 * PAGE, 0);
	CALL(mlock, "four pages of B", B, 4 * PAGE, 0);
	CALL(mlock, "at an odd address", A + 5, PAGE, 0);
	CALL(mlock, "nothing", A, 0, 0);
	CALL(mlock, "the end of A, and the gap", GAP - PAGE, 2 * PAGE, 0);
	CALL(mlock, "the gap", GAP, PAGE, 0);
	CALL(mlock, "that wraps", A, -PAGE, 0);
	CALL(mlock, "2^64 - 1 bytes", A, -1l, 0);
	CALL(mlock, "in the kernel", KERNEL, PAGE, 0);
	mprotect((void *)A, PAGE, PROT_NONE);
	CALL(mlock, "no access", A, PAGE, 0);
	mlock((void *)A, 4 * PAGE);
	CALL(mlock, "again", A + PAGE, 8 * PAGE, 0);
	CALL(mlock2, "on fault", A, 4 * PAGE, 1);
	CALL(mlock2, "not on fault", A, 4 * PAGE, 0);
	CALL(mlock2, "nonsense", A, 4 * PAGE, 2);
	CALL(mlock2, "on fault, over the gap", A, SIZE + PAGE, 1);
	CALL(munlock, "what is not locked", A, SIZE, 0);
	mlock((void *)A, 4 * PAGE);
	CALL(munlock, "a part", A + PAGE, PAGE, 0);
	CALL(munlock, "A and the gap", A, SIZE + PAGE, 0);
	CALL(munlock, "that wraps", A, -PAGE, 0);
	CALL(munlock, "nothing", A, 0, 0);
	mlock((void *)A, 4 * PAGE);
	CALL(munmap, "locked memory", A + PAGE, PAGE, 0);
	mlock((void *)A, 4 * PAGE);
	CALL(madvise, "locked memory, DONTNEED", A, PAGE, 4);
	mlock((void *)A, 4 * PAGE);
	CALL(mprotect, "locked memory", A, 2 * PAGE, PROT_READ);
	CALL(mlockall, "no flags", 0, 0, 0);
	CALL(mlockall, "ONFAULT alone", 4, 0, 0);
	CALL(mlockall, "nonsense", 8, 0, 0);
	CALL(mlockall, "future, on fault", 2 | 4, 0, 0);
	CALL(munlockall, "", 0, 0, 0);
}

static void
msyncs(void)
{
	CALL(msync, "A, no flags", A, SIZE, 0);
	CALL(msync, "A, MS_ASYNC", A, SIZE, MS_ASYNC);
	CALL(msync, "A, MS_SYNC", A, 4 * PAGE, MS_SYNC);
	CALL(msync, "A, MS_INVALIDATE", A, SIZE, MS_INVALIDATE);
	CALL(msync, "A, sync and async", A, SIZE, MS_SYNC | MS_ASYNC);
	CALL(msync, "A, flag 8", A, SIZE, 8);
	CALL(msync, "B", B, SIZE, MS_SYNC);
	CALL(msync, "at an odd address", A + 1, PAGE, MS_SYNC);
	CALL(msync, "nothing", A, 0, MS_SYNC);
	CALL(msync, "the gap", GAP, PAGE, MS_SYNC);
	CALL(msync, "A to B", GAP - PAGE, B - GAP + 2 * PAGE, MS_SYNC);
	CALL(msync, "that wraps", A, -PAGE, MS_SYNC);
	CALL(msync, "2^64 - 1 bytes", A, -1l, MS_SYNC);
	CALL(msync, "in the kernel", KERNEL, PAGE, MS_SYNC);
	mlock((void *)A, 4 * PAGE);
	CALL(msync, "locked memory, MS_INVALIDATE", A, SIZE, MS_INVALIDATE);
}

static void
mincores(void)
{
	static unsigned char vec[SIZE / PAGE + 1];

	CALL(mincore, "A", A, SIZE, vec);
	CALL(mincore, "B", B, SIZE, vec);
	CALL(mincore, "nothing", A, 0, vec);
	CALL(mincore, "an odd length", A, 1, vec);
	CALL(mincore, "at an odd address", A + 1, PAGE, vec);
	CALL(mincore, "the gap", GAP, PAGE, vec);
	CALL(mincore, "A and the gap", A, SIZE + PAGE, vec);
	CALL(mincore, "in the kernel", KERNEL, PAGE, vec);
	CALL(mincore, "that wraps", A, -PAGE, vec);
	CALL(mincore, "into nothing", A, SIZE, FREE);
	CALL(mincore, "into the kernel", A, SIZE, KERNEL);
	CALL(mincore, "into the page itself", A, SIZE, A);
}

static void
mremaps(void)
{
	MREMAP("the same", A, SIZE, SIZE, 0, 0);
	MREMAP("A, smaller", A, SIZE, PAGE, 0, 0);
	MREMAP("A, larger, in place", A, SIZE, SIZE + PAGE, 0, 0);
	MREMAP("B, larger, no room", B, SIZE, SIZE + PAGE, 0, 0);
	MREMAP("B, larger, may move", B, SIZE, SIZE + PAGE, MREMAP_MAYMOVE, 0);
	MREMAP("a part of A, larger", A, PAGE, 2 * PAGE, 0, 0);
	MREMAP("a part of A, larger, may move", A, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
	MREMAP("A to a free place", A, SIZE / 2, SIZE / 2, MREMAP_MAYMOVE | MREMAP_FIXED, FREE);
	MREMAP("B to a free place", B, SIZE / 2, SIZE / 2, MREMAP_MAYMOVE | MREMAP_FIXED, FREE);
	MREMAP("A over B", A, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, B);
	MREMAP("A over B, smaller", A, SIZE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, B);
	MREMAP("A over B, larger", A, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, B);
	MREMAP("A over itself", A, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, A + PAGE);
	MREMAP("fixed, may not move", A, SIZE, SIZE, MREMAP_FIXED, FREE);
	MREMAP("fixed, odd", A, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, FREE + 1);
	MREMAP("fixed, in the kernel", A, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, KERNEL);
	MREMAP("fixed, wraps", A, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, LAST);
	MREMAP("past the end of A", A, SIZE + PAGE, SIZE + 2 * PAGE, MREMAP_MAYMOVE, 0);
	MREMAP("of the gap", GAP, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
	MREMAP("of the gap, smaller", GAP, 2 * PAGE, PAGE, 0, 0);
	MREMAP("of the kernel", KERNEL, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
	MREMAP("at an odd address", A + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
	MREMAP("to nothing", A, PAGE, 0, MREMAP_MAYMOVE, 0);
	MREMAP("to 2^47 bytes", A, PAGE, 1ul << 47, MREMAP_MAYMOVE, 0);
	MREMAP("to 2^63 bytes", A, SIZE, 1ul << 63, MREMAP_MAYMOVE, 0);
	MREMAP("from 2^63 bytes", A, 1ul << 63, SIZE, MREMAP_MAYMOVE, 0);
	MREMAP("a length that wraps to nothing", A, PAGE, -1l, MREMAP_MAYMOVE, 0);
	MREMAP("nonsense flags", A, PAGE, PAGE, 8, 0);
	MREMAP("all flags", A, PAGE, PAGE, -1l, 0);
	MREMAP("a second mapping of A", A, 0, PAGE, MREMAP_MAYMOVE, 0);
	MREMAP("a second mapping of A in place", A, 0, PAGE, 0, 0);
	MREMAP("a second mapping of B", B, 0, PAGE, MREMAP_MAYMOVE, 0);
	MREMAP("DONTUNMAP, A", A, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	MREMAP("DONTUNMAP, B", B, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	MREMAP("DONTUNMAP, may not move", A, SIZE, SIZE, MREMAP_DONTUNMAP, 0);
	MREMAP("DONTUNMAP, larger", A, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	mlock((void *)A, 4 * PAGE);
	MREMAP("locked memory", A, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, FREE);
	mprotect((void *)(A + PAGE), PAGE, PROT_READ);
	MREMAP("over two rights, larger", A, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0);
}

static void
all(void)
{
	set_arena();
	mmaps();
	munmaps();
	mprotects();
	madvises();
	mlocks();
	msyncs();
	mincores();
	mremaps();
}

int
main(int argc, char **argv)
{
	struct gauges before;
	const char *path = argc > 1 ? argv[1] : "/dev/fb0";
	struct stat st;

	rdwr = open(path, O_RDWR | O_CREAT, 0600);
	if (rdwr < 0 || fstat(rdwr, &st) != 0) {
		perror(path);
		return (1);
	}
	is_device = S_ISCHR(st.st_mode);
	if (!is_device && ftruncate(rdwr, SIZE) != 0)
		return (1);
	rdonly = open(path, O_RDONLY);
	wronly = open(path, O_WRONLY);
	scratch = open("/tmp/devargs.scratch", O_RDWR | O_CREAT, 0600);
	arena = (unsigned long)mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (lseek(rdwr, 0, SEEK_END) != (off_t)SIZE || (void *)arena == MAP_FAILED)
		return (1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	all();
	before = gauges_before();
	quiet = 1;
	all();
	gauges_check(&before);
	if (!is_device)
		unlink(path);
	unlink("/tmp/devargs.scratch");
	puts("done");
	return (0);
}

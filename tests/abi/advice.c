/*
 * madvise, mincore, mlock and its kin, msync, process_vm_readv.
 */
#include "abi.h"
#include <sys/resource.h>
#include <sys/uio.h>

FAMILY(madvise)
{
	char *p = fresh(8);
	int fd = file_of("file", 2 * PAGE);
	char *s = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	char *f = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
	const int advices[] = {0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21};

	for (size_t i = 0; i < NITEMS(advices); i++)
		CHECK(named("advice %d", advices[i]), madvise, p, PAGE, advices[i]);
	for (int i = 26; i < 100; i += 7)
		CHECK(named("advice %d", i), madvise, p, PAGE, i);
	CHECK("advice -1", madvise, p, PAGE, -1);
	CHECK("an odd address", madvise, p + 1, PAGE, MADV_DONTNEED);
	CHECK("length 0", madvise, p, 0, MADV_DONTNEED);
	CHECK("length 0 with nonsense", madvise, p, 0, 999);
	CHECK("length -1", madvise, p, -1ul, MADV_DONTNEED);
	CHECK("the kernel", madvise, -PAGE, PAGE, MADV_DONTNEED);
	p[PAGE] = 'x';
	CHECK("DONTNEED", madvise, p + PAGE, PAGE, MADV_DONTNEED);
	say("what it was", "%d", p[PAGE]);
	s[0] = 's';
	f[0] = 'f';
	madvise(s, PAGE, MADV_DONTNEED);
	madvise(f, PAGE, MADV_DONTNEED);
	say("DONTNEED of a shared file", "%c", s[0]);
	say("DONTNEED of a private file", "%c", f[0]);
	munmap(p + 4 * PAGE, PAGE);
	p[5 * PAGE] = 'y';
	CHECK("DONTNEED over a hole", madvise, p + 3 * PAGE, 3 * PAGE, MADV_DONTNEED);
	say("before it and after", "%d %d", p[3 * PAGE], p[5 * PAGE]);
	CHECK("WILLNEED over a hole", madvise, p + 3 * PAGE, 3 * PAGE, MADV_WILLNEED);
	CHECK("POPULATE_WRITE", madvise, p, PAGE, 23);
	CHECK("POPULATE_WRITE over a hole", madvise, p + 3 * PAGE, 3 * PAGE, 23);
	mprotect(p, PAGE, PROT_READ);
	CHECK("POPULATE_WRITE of read-only", madvise, p, PAGE, 23);
	CHECK("POPULATE_READ of read-only", madvise, p, PAGE, 22);
	mprotect(p, PAGE, PROT_NONE);
	CHECK("POPULATE_READ of nothing", madvise, p, PAGE, 22);
	mprotect(p, PAGE, PROT_WRITE);
	CHECK("POPULATE_READ of write-only", madvise, p, PAGE, 22);
	CHECK("POPULATE_WRITE of write-only", madvise, p, PAGE, 23);
	mprotect(p, PAGE, RW);
	ftruncate(fd, PAGE);
	CHECK("POPULATE_READ past the end", madvise, s + PAGE, PAGE, 22);
	mlock(p, PAGE);
	CHECK("DONTNEED of locked", madvise, p, PAGE, MADV_DONTNEED);
	CHECK("FREE of a file", madvise, s, PAGE, 8);
	CHECK("REMOVE of a private mapping", madvise, p, PAGE, 9);
}

static void
wiped(void *p)
{
	_exit(*(char *)p);
}

FAMILY(madvise_fork)
{
	char *p = fresh(4);

	madvise(p, PAGE, MADV_DONTFORK);
	madvise(p + PAGE, PAGE, 18);
	say("DONTFORK", "%s", ending(wiped, p));
	say("WIPEONFORK", "%s", ending(wiped, p + PAGE));
	say("neither", "%s", ending(wiped, p + 2 * PAGE));
	madvise(p, PAGE, MADV_DOFORK);
	madvise(p + PAGE, PAGE, 19);
	say("DOFORK", "%s", ending(wiped, p));
	say("KEEPONFORK", "%s", ending(wiped, p + PAGE));
	CHECK("WIPEONFORK of shared", madvise,
	      mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), PAGE, 18);
}

FAMILY(mincore)
{
	char *p = mmap(NULL, 8 * PAGE, RW, ANON, -1, 0);
	unsigned char vec[16];

	p[PAGE] = p[3 * PAGE] = 1;
	CHECK("what was touched", mincore, p, 4 * PAGE, vec);
	say("it is", "%d%d%d%d", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
	CHECK("an odd address", mincore, p + 1, PAGE, vec);
	CHECK("an odd length", mincore, p, 1, vec);
	CHECK("length 0", mincore, p, 0, vec);
	CHECK("length -1", mincore, p, -1ul, vec);
	CHECK("the kernel", mincore, -PAGE, PAGE, vec);
	CHECK("no vector", mincore, p, PAGE, NULL);
	CHECK("no vector for nothing", mincore, p, 0, NULL);
	munmap(p + 4 * PAGE, PAGE);
	CHECK("a hole", mincore, p + 3 * PAGE, 3 * PAGE, vec);
}

FAMILY(mlock)
{
	char *p = fresh(8);

	CHECK("a page", mlock, p, PAGE);
	CHECK("an odd range", mlock, p + 5, PAGE);
	CHECK("length 0", mlock, p, 0);
	CHECK("length that wraps", mlock, p, -PAGE);
	CHECK("the kernel", mlock, -2 * PAGE, PAGE);
	CHECK("unlock", munlock, p, 2 * PAGE);
	CHECK("unlock what is not locked", munlock, p + 4 * PAGE, PAGE);
	CHECK("on fault", mlock2, p, PAGE, 1);
	for (int bit = 1; bit < 32; bit++)
		CHECK(named("mlock2 flag bit %d", bit), mlock2, p, PAGE, 1u << bit);
	munmap(p + 4 * PAGE, PAGE);
	CHECK("over a hole", mlock, p + 3 * PAGE, 3 * PAGE);
	CHECK("unlock over a hole", munlock, p + 3 * PAGE, 3 * PAGE);
	for (int flags = 0; flags < 10; flags++)
		CHECK(named("mlockall %d", flags), mlockall, flags);
	CHECK("munlockall", munlockall);
	mprotect(p, PAGE, PROT_NONE);
	CHECK("PROT_NONE", mlock, p, PAGE);
}

FAMILY(msync)
{
	char *p = fresh(4);

	for (int flags = 0; flags < 10; flags++)
		CHECK(named("flags %d", flags), msync, p, PAGE, flags);
	CHECK("an odd address", msync, p + 1, PAGE, MS_SYNC);
	CHECK("length 0", msync, p, 0, MS_SYNC);
	CHECK("length -1", msync, p, -1ul, MS_SYNC);
	munmap(p + PAGE, PAGE);
	CHECK("a hole", msync, p, 3 * PAGE, MS_SYNC);
	CHECK("a hole, asynchronous", msync, p, 3 * PAGE, MS_ASYNC);
	mlock(p, PAGE);
	CHECK("invalidate what is locked", msync, p, PAGE, MS_INVALIDATE);
}

FAMILY(process_vm)
{
	char *p = fresh(2), *q = fresh(2), *hole = fresh(3);
	struct iovec local = {q, 2 * PAGE}, remote = {p, 2 * PAGE};
	pid_t me = getpid();

	munmap(hole + PAGE, PAGE);
	memset(q, 0, 2 * PAGE);
	CHECK("read oneself", process_vm_readv, me, &local, 1, &remote, 1, 0);
	say("what came", "%c %c", q[0], q[PAGE]);
	memset(q, '!', 2 * PAGE);
	CHECK("write oneself", process_vm_writev, me, &local, 1, &remote, 1, 0);
	say("what went", "%c", p[PAGE]);
	remote.iov_base = hole;
	CHECK("into a hole", process_vm_readv, me, &local, 1, &remote, 1, 0);
	remote.iov_base = hole + PAGE;
	CHECK("a hole", process_vm_readv, me, &local, 1, &remote, 1, 0);
	CHECK("flags", process_vm_readv, me, &local, 1, &remote, 1, 1);
	CHECK("nobody", process_vm_readv, 0x3fffffff, &local, 1, &remote, 1, 0);
	CHECK("nothing", process_vm_readv, me, &local, 0, &remote, 0, 0);
	CHECK("too many", process_vm_readv, me, &local, 1025, &remote, 1, 0);
	CHECK("bad vectors", process_vm_readv, me, NULL, 1, &remote, 1, 0);
}

FAMILY(rlimits)
{
	struct rlimit64 {
		uint64_t cur, max;
	} old, small = {64 << 20, 64 << 20}, wrong = {2, 1};
	char *p;

	for (int i = 0; i < 18; i++)
		CHECK(named("get %d", i), prlimit64, 0, i, NULL, &old);
	CHECK("get -1", prlimit64, 0, -1, NULL, &old);
	CHECK("cur above max", prlimit64, 0, RLIMIT_CORE, &wrong, NULL);
	CHECK("of nobody", prlimit64, 0x3fffffff, RLIMIT_CORE, NULL, &old);
	CHECK("bad pointer", prlimit64, 0, RLIMIT_CORE, NULL, 1);
	prlimit(0, RLIMIT_AS, NULL, (void *)&old);
	say("no limit of addresses", "%d", old.cur == RLIM_INFINITY);
	CHECK("limit addresses", prlimit64, 0, RLIMIT_AS, &small, NULL);
	CHECK_OK("map too much", mmap, NULL, 65 << 20, RW, ANON, -1, 0);
	CHECK_OK("map little", mmap, NULL, PAGE, RW, ANON, -1, 0);
	p = mmap(NULL, PAGE, RW, ANON, -1, 0);
	CHECK_OK("grow too much", mremap, p, PAGE, 65 << 20, 1);
	say("brk too much", "%d", SYS(brk, SYS(brk, 0) + (65 << 20)) == SYS(brk, 0));
	small.cur = small.max = 20;
	CHECK("limit descriptors", prlimit64, 0, RLIMIT_NOFILE, &small, NULL);
	CHECK("dup past it", dup2, 1, 20);
	CHECK("dup up to it", dup2, 1, 19);
	CHECK("dupfd past it", fcntl, 1, F_DUPFD, 20);
	CHECK("dupfd at the last", fcntl, 1, F_DUPFD, 19);
}

/* What smaps says of the n pages at p: their Rss, kB. */
static long
resident_kb(const char *p, unsigned long n)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long start = 0, end;
	char line[512];
	long kb, sum = 0;

	while (fgets(line, sizeof(line), file) != NULL) {
		sscanf(line, "%lx-%lx ", &start, &end);
		if (sscanf(line, "Rss: %ld", &kb) == 1 && start - (unsigned long)p < n * PAGE)
			sum += kb;
	}
	fclose(file);
	return (sum);
}

/* The 8 pages at p: what is resident; which are there by mincore; and by pagemap: absent, a file's, or
 * anonymous. */
static void
zeros_look(const char *when, char *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	unsigned char core[8];
	char cores[9] = "", map[9] = "";
	unsigned long words[8];

	if (mincore(p, 8 * PAGE, core) != 0 ||
	    pread(fd, words, sizeof(words), (off_t)((unsigned long)p / PAGE * 8)) != sizeof(words))
		say(when, "failed");
	close(fd);
	for (int i = 0; i < 8; i++) {
		cores[i] = (char)('0' + (core[i] & 1));
		map[i] = words[i] >> 63 == 0 ? '-' : (words[i] >> 61 & 1) != 0 ? 'f' : 'a';
	}
	say(when, "%ld kB, %s, %s", resident_kb(p, 8), cores, map);
}

static void
zeros_child(void *arg)
{
	char *p = arg;
	int sum = 0;

	for (int i = 0; i < 8; i++)
		sum += p[i * PAGE];
	p[6 * PAGE] = 7;
	_exit(sum);
}

/* Memory that was read and never written: a page of zeros that all share. */
FAMILY(zeros)
{
	char *all = mmap(NULL, 10 * PAGE, PROT_NONE, ANON, -1, 0), *p = all + PAGE, got[16];
	struct iovec local = {got, sizeof(got)}, remote = {p + 7 * PAGE, sizeof(got)};
	volatile int sum = 0;

	mprotect(p, 8 * PAGE, RW);
	madvise(p, 8 * PAGE, MADV_NOHUGEPAGE);
	zeros_look("untouched", p);
	for (int i = 0; i < 4; i++)
		sum += p[i * PAGE];
	zeros_look("four read", p);
	p[PAGE] = 1;
	zeros_look("one of them written", p);
	CHECK("POPULATE_READ", madvise, p + 4 * PAGE, 2 * PAGE, 22);
	zeros_look("and two", p);
	say("a child", "%s", ending(zeros_child, p));
	say("what it wrote", "%d", p[6 * PAGE]);
	CHECK("mlock", mlock, p + 2 * PAGE, PAGE);
	zeros_look("one locked", p);
	munlock(p + 2 * PAGE, PAGE);
	CHECK("DONTNEED", madvise, p, 2 * PAGE, MADV_DONTNEED);
	CHECK("POPULATE_WRITE", madvise, p + 3 * PAGE, PAGE, 23);
	zeros_look("two gone, one populated", p);
	say("process_vm_readv", "%d %d", (int)process_vm_readv(getpid(), &local, 1, &remote, 1, 0),
	    got[3]);
	mprotect(p, 8 * PAGE, PROT_READ);
	CHECK("to read-only memory", read, open("/dev/zero", O_RDONLY), p, PAGE);
	mprotect(p, 8 * PAGE, RW);
	CHECK("read over zeros", read, open("/dev/zero", O_RDONLY), p + 5 * PAGE, 8);
	p[5 * PAGE + 1] = 5;
	say("what it is", "%d %d %d", p[4 * PAGE], p[5 * PAGE + 1], p[6 * PAGE] + sum);
	zeros_look("at the end", p);
}

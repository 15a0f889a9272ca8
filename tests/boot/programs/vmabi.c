/*
 * vmabi SECTION...: what the calls on memory answer and do. The same on Linux and here: the output
 * of both is compared.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLD
#define MADV_COLD    20
#define MADV_PAGEOUT 21
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define GUARD (256 * PAGE)

static const char *
error_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {{EPERM, "EPERM"},   {ESRCH, "ESRCH"},   {EBADF, "EBADF"},
		     {ENOMEM, "ENOMEM"}, {EACCES, "EACCES"}, {EFAULT, "EFAULT"},
		     {EBUSY, "EBUSY"},   {EEXIST, "EEXIST"}, {EINVAL, "EINVAL"},
		     {EMFILE, "EMFILE"}, {EFBIG, "EFBIG"},   {EAGAIN, "EAGAIN"},
		     {ENOSPC, "ENOSPC"}, {ENOSYS, "ENOSYS"}, {EOPNOTSUPP, "EOPNOTSUPP"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return (names[i].name);
	return ("another error");
}

/* name and what a call answered, as an errno if it failed. */
static void
say(const char *name, long result)
{
	printf("%s %s\n", name, result == -1 ? error_name(errno) : "ok");
}

static char *
map(size_t pages, int prot, int flags)
{
	char *p = mmap(NULL, pages * PAGE, prot, flags, -1, 0);

	if (p == MAP_FAILED) {
		printf("mmap of %zu pages: %d\n", pages, errno);
		exit(1);
	}
	return (p);
}

/* Room for n pages that nothing else is near. */
static char *
room(size_t pages)
{
	char *p = map(pages + 2 * 1024, PROT_NONE, ANON | MAP_NORESERVE);

	munmap(p, (pages + 2 * 1024) * PAGE);
	return (p + 1024 * PAGE);
}

static char *
map_at(char *at, size_t pages, int prot, int flags)
{
	return (mmap(at, pages * PAGE, prot, flags | MAP_FIXED, -1, 0));
}

/* How fn(arg) ends in a child: its exit status, or the signal. */
static void
in_child(const char *name, void (*fn)(char *), char *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fn(arg);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("%s: signal %d\n", name, WTERMSIG(status));
	else
		printf("%s: exit %d\n", name, WEXITSTATUS(status));
}

static void
touch(char *p)
{
	*(volatile char *)p = 1;
}

static void
peek(char *p)
{
	(void)*(volatile char *)p;
}

static int
resident(char *p)
{
	unsigned char vec = 0;

	return (mincore(p, PAGE, &vec) == 0 ? vec & 1 : -1);
}

/* The start of the mapping that ends at end, as /proc/self/maps has it. */
static unsigned long
start_of(unsigned long end)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long lo, hi, found = 0;
	char line[512];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%lx-%lx", &lo, &hi) == 2 && hi == end)
			found = lo;
	if (f != NULL)
		fclose(f);
	return (found);
}

/* The mappings that lie in [p, p + pages). */
static void
show_maps(const char *name, char *p, size_t pages)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long lo, hi, base = (unsigned long)p;
	char line[512], prot[8];

	printf("%s:", name);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &lo, &hi, prot) != 3 || hi <= base ||
		    lo >= base + pages * PAGE)
			continue;
		printf(" %ld-%ld:%s", (long)(lo - base) / (long)PAGE,
		       (long)(hi - base) / (long)PAGE, prot);
	}
	printf("\n");
	if (f != NULL)
		fclose(f);
}

/* --- madvise ---------------------------------------------------------------------------------- */

static const int known[] = {0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

static void
madvise_errors(void)
{
	char *p = room(8);
	char name[64];

	map_at(p, 2, RW, ANON);
	map_at(p + 3 * PAGE, 2, RW, ANON);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		snprintf(name, sizeof(name), "advice %d", known[i]);
		say(name, madvise(p, 2 * PAGE, known[i]));
		snprintf(name, sizeof(name), "advice %d over a hole", known[i]);
		say(name, madvise(p, 5 * PAGE, known[i]));
		snprintf(name, sizeof(name), "advice %d of nothing", known[i]);
		say(name, madvise(p + 6 * PAGE, PAGE, known[i]));
	}
	say("unknown", madvise(p, PAGE, 5));
	say("unknown, high", madvise(p, PAGE, 99));
	say("negative", madvise(p, PAGE, -1));
	say("unaligned", madvise(p + 1, PAGE, 0));
	say("no length", madvise(p, 0, 0));
	say("no length, nothing there", madvise(p + 6 * PAGE, 0, 0));
	say("no length, unknown", madvise(p, 0, 5));
	say("wraps", madvise(p, -PAGE, 0));
	say("too long", madvise(p, -1ul, 0));
	munmap(p, 5 * PAGE);
}

static void
madvise_kinds(void)
{
	char *shared = map(4, RW, MAP_SHARED | MAP_ANONYMOUS);
	char *readonly = map(4, PROT_READ, MAP_SHARED | MAP_ANONYMOUS);
	char *none = map(4, PROT_NONE, ANON);
	char *locked = map(4, RW, ANON);

	say("FREE of shared", madvise(shared, PAGE, MADV_FREE));
	say("WIPEONFORK of shared", madvise(shared, PAGE, MADV_WIPEONFORK));
	say("REMOVE of private", madvise(locked, PAGE, MADV_REMOVE));
	say("POPULATE_WRITE read-only", madvise(readonly, PAGE, MADV_POPULATE_WRITE));
	say("POPULATE_READ read-only", madvise(readonly, PAGE, MADV_POPULATE_READ));
	say("POPULATE_READ none", madvise(none, PAGE, MADV_POPULATE_READ));
	mlock(locked, 4 * PAGE);
	say("DONTNEED of locked", madvise(locked, PAGE, MADV_DONTNEED));
	say("FREE of locked", madvise(locked, PAGE, MADV_FREE));
	say("COLD of locked", madvise(locked, PAGE, MADV_COLD));
	say("PAGEOUT of locked", madvise(locked, PAGE, MADV_PAGEOUT));
	say("DONTFORK of locked", madvise(locked, PAGE, MADV_DONTFORK));
	memset(shared, 7, 4 * PAGE);
	say("REMOVE", madvise(shared + PAGE, 2 * PAGE, MADV_REMOVE));
	printf("after REMOVE %d %d %d %d\n", shared[0], shared[PAGE], shared[2 * PAGE],
	       shared[3 * PAGE]);
	munmap(shared, 4 * PAGE);
	munmap(readonly, 4 * PAGE);
	munmap(none, 4 * PAGE);
	munmap(locked, 4 * PAGE);
}

static void
madvise_file(void)
{
	int fd = open("/tmp/vmabi.file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *shared, *private, buf[3 * PAGE];

	memset(buf, 'x', sizeof(buf));
	printf("written %zd\n", write(fd, buf, sizeof(buf)));
	shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	private = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	private[PAGE] = 'p';
	say("FREE of private file", madvise(private, PAGE, MADV_FREE));
	say("WIPEONFORK of private file", madvise(private, PAGE, MADV_WIPEONFORK));
	say("REMOVE of private file", madvise(private, PAGE, MADV_REMOVE));
	say("POPULATE_READ past the end", madvise(shared, 4 * PAGE, MADV_POPULATE_READ));
	say("POPULATE_WRITE past the end", madvise(shared + 3 * PAGE, PAGE, MADV_POPULATE_WRITE));
	say("POPULATE_WRITE private", madvise(private, 3 * PAGE, MADV_POPULATE_WRITE));
	say("DONTNEED private", madvise(private, 4 * PAGE, MADV_DONTNEED));
	printf("private again %c\n", private[PAGE]);
	say("REMOVE", madvise(shared + PAGE, PAGE, MADV_REMOVE));
	printf("shared %d %d %d\n", shared[0], shared[PAGE], shared[2 * PAGE]);
	printf("read %zd", pread(fd, buf, 2, PAGE - 1));
	printf(" %d %d\n", buf[0], buf[1]);
	printf("size %ld\n", (long)lseek(fd, 0, SEEK_END));
	say("PAGEOUT", madvise(shared, 3 * PAGE, MADV_PAGEOUT));
	printf("still %d %d\n", shared[0], shared[2 * PAGE]);
	munmap(shared, 4 * PAGE);
	munmap(private, 4 * PAGE);
	close(fd);
	unlink("/tmp/vmabi.file");
}

static void
fork_advice_child(char *p)
{
	printf("child sees %d %d\n", p[0], p[2 * PAGE]);
	printf("child has DONTFORK's: %d\n", resident(p + 4 * PAGE));
	p[0] = 9;
}

static void
madvise_fork(void)
{
	char *p = map(6, RW, ANON);

	memset(p, 5, 6 * PAGE);
	say("WIPEONFORK", madvise(p, 2 * PAGE, MADV_WIPEONFORK));
	say("DONTFORK", madvise(p + 4 * PAGE, 2 * PAGE, MADV_DONTFORK));
	in_child("advised", fork_advice_child, p);
	printf("parent sees %d\n", p[0]);
	say("KEEPONFORK", madvise(p, 2 * PAGE, MADV_KEEPONFORK));
	say("DOFORK", madvise(p + 4 * PAGE, 2 * PAGE, MADV_DOFORK));
	in_child("not advised", fork_advice_child, p);
	printf("parent sees %d\n", p[0]);
	munmap(p, 6 * PAGE);
}

static void
madvise_free(void)
{
	char *p = map(4, RW, ANON);

	memset(p, 3, 4 * PAGE);
	say("FREE", madvise(p, 4 * PAGE, MADV_FREE));
	p[PAGE] = 4;
	printf("written after FREE %d\n", p[PAGE]);
	printf("either %s\n", p[0] == 3 || p[0] == 0 ? "old or zero" : "wrong");
	say("DONTNEED", madvise(p, 4 * PAGE, MADV_DONTNEED));
	printf("zeros %d %d, resident %d\n", p[0], p[PAGE], resident(p + 2 * PAGE));
	say("POPULATE_WRITE", madvise(p, 4 * PAGE, MADV_POPULATE_WRITE));
	printf("populated %d\n", resident(p + 2 * PAGE));
	munmap(p, 4 * PAGE);
}

/* --- mappings that grow down ------------------------------------------------------------------ */

static void
grow_by(char *p)
{
	for (int i = 1; i <= 16; i++)
		p[-(long)(i * PAGE)] = 1;
	printf("grew by %ld pages\n",
	       (long)(p - (char *)start_of((unsigned long)p + 4 * PAGE)) / (long)PAGE);
}

static void
grow_far(char *p)
{
	p[-1000 * (long)PAGE] = 1;
	printf("grew by %ld pages\n",
	       (long)(p - (char *)start_of((unsigned long)p + 4 * PAGE)) / (long)PAGE);
}

static char *
stack_at(char *p)
{
	return (map_at(p, 4, RW, ANON | MAP_GROWSDOWN));
}

static void
growsdown(void)
{
	struct rlimit rl = {64 * PAGE, RLIM_INFINITY};
	char *p = room(4096), *q = p + 3000 * PAGE, *n;

	stack_at(q);
	in_child("page by page", grow_by, q);
	in_child("at once", grow_far, q);
	q[-PAGE] = 1;
	show_maps("read and written", q - PAGE, 6);
	map_at(p + 2800 * PAGE, 1, RW, ANON);
	in_child("as near as allowed", touch, p + (2801 + 256) * PAGE);
	in_child("a page nearer", touch, p + (2801 + 255) * PAGE);
	mprotect(p + 2800 * PAGE, PAGE, PROT_NONE);
	in_child("nearer to what nobody can use", touch, p + 2801 * PAGE);
	munmap(p, 4096 * PAGE);

	stack_at(q);
	setrlimit(RLIMIT_STACK, &rl);
	in_child("within RLIMIT_STACK", touch, q - 60 * PAGE);
	in_child("past RLIMIT_STACK", touch, q - 61 * PAGE);
	rl.rlim_cur = 8 << 20;
	setrlimit(RLIMIT_STACK, &rl);
	say("hint in the guard",
	    (long)(n = mmap(q - 10 * PAGE, PAGE, RW, ANON, -1, 0)) == -1 ? -1 : 0);
	printf("placed there: %d\n", n == q - 10 * PAGE);
	munmap(n, PAGE);
	say("fixed in the guard", (long)map_at(q - 10 * PAGE, 1, RW, ANON));
	in_child("right below", touch, q - PAGE);
	munmap(p, 4096 * PAGE);

	stack_at(q);
	say("PROT_GROWSDOWN", mprotect(q + PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
	show_maps("by PROT_GROWSDOWN", q, 4);
	munmap(q, 4 * PAGE);
	map_at(q, 4, RW, ANON);
	say("PROT_GROWSDOWN of no stack", mprotect(q + PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
	in_child("below no stack", touch, q - PAGE);
	munmap(q, 4 * PAGE);
	say("shared",
	    (long)mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
}

static int
deep(int n)
{
	volatile char frame[1024];

	frame[0] = (char)n;
	return (n == 0 ? 0 : deep(n - 1) + frame[0] - (char)n + 1);
}

static void
deep_child(char *arg)
{
	printf("depth %d\n", deep((int)(long)arg));
}

static void
stack(void)
{
	struct rlimit rl;

	in_child("6 MiB of stack", deep_child, (char *)5500l);
	in_child("20 MiB of stack", deep_child, (char *)20000l);
	getrlimit(RLIMIT_STACK, &rl);
	rl.rlim_cur = 32 << 20;
	say("setrlimit", setrlimit(RLIMIT_STACK, &rl));
	in_child("20 MiB of 32", deep_child, (char *)20000l);
}

/* --- mmap ------------------------------------------------------------------------------------- */

static void
mmap_flags(void)
{
	char *p, *q;
	int ok = 1;

	for (int i = 0; i < 20; i++) {
		p = mmap(NULL, 3 * PAGE, RW, ANON | MAP_32BIT, -1, 0);
		ok &= p != MAP_FAILED && (unsigned long)p + 3 * PAGE <= 1ul << 31;
	}
	printf("32BIT below 2 GiB: %d\n", ok);
	p = mmap((void *)(1ul << 40), PAGE, RW, ANON | MAP_32BIT, -1, 0);
	printf("32BIT despite a hint: %d\n", (unsigned long)p < 1ul << 31);
	say("32BIT too long", (long)mmap(NULL, 2ul << 30, PROT_NONE, ANON | MAP_32BIT, -1, 0));
	p = room(8);
	map_at(p, 4, RW, ANON);
	say("NOREPLACE over",
	    (long)mmap(p + 3 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	say("NOREPLACE beside",
	    (long)mmap(p + 4 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	say("NOREPLACE unaligned", (long)mmap(p + 1, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	munmap(p, 8 * PAGE);
	say("STACK", (long)mmap(NULL, PAGE, RW, ANON | MAP_STACK, -1, 0));
	say("NORESERVE", (long)mmap(NULL, PAGE, RW, ANON | MAP_NORESERVE, -1, 0));
	say("HUGETLB", (long)mmap(NULL, 2 << 20, RW, ANON | MAP_HUGETLB, -1, 0));
	p = mmap(NULL, 4 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);
	printf("POPULATE %d %d\n", resident(p), resident(p + 3 * PAGE));
	p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	printf("POPULATE shared %d\n", resident(p + 3 * PAGE));
	p = map(2, RW, MAP_SHARED | MAP_ANONYMOUS);
	in_child("shared", touch, p);
	printf("seen %d\n", *p);
	q = map(2, PROT_NONE, ANON);
	in_child("read none", peek, q);
	in_child("write none", touch, q);
	say("mprotect", mprotect(q, 2 * PAGE, RW));
	in_child("write", touch, q);
	say("no type", (long)mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
	say("length 0", (long)mmap(NULL, 0, RW, ANON, -1, 0));
	say("huge", (long)mmap(NULL, 1ul << 47, PROT_NONE, ANON, -1, 0));
	say("wraps", (long)mmap(NULL, -1ul, PROT_NONE, ANON, -1, 0));
	say("mprotect length 0", mprotect(q, 0, 0x100));
	say("mprotect bad rights", mprotect(q, PAGE, 0x100));
	say("mprotect unaligned", mprotect(q + 1, PAGE, RW));
	say("mprotect wraps", mprotect(q, -PAGE, RW));
}

static void
split(void)
{
	char *p = room(16);

	map_at(p, 16, RW, ANON);
	show_maps("one", p, 16);
	mprotect(p + 4 * PAGE, 4 * PAGE, PROT_READ);
	show_maps("split", p, 16);
	mprotect(p + 4 * PAGE, 4 * PAGE, RW);
	show_maps("merged", p, 16);
	mprotect(p + 2 * PAGE, PAGE, PROT_NONE);
	munmap(p + 8 * PAGE, 2 * PAGE);
	show_maps("hole", p, 16);
	say("over the hole", mprotect(p + 6 * PAGE, 6 * PAGE, PROT_READ));
	show_maps("up to the hole", p, 16);
	map_at(p + 8 * PAGE, 2, PROT_READ, ANON);
	show_maps("filled", p, 16);
	madvise(p, 2 * PAGE, MADV_DONTDUMP);
	show_maps("advised", p, 16);
	munmap(p, 16 * PAGE);
}

/* --- mremap ----------------------------------------------------------------------------------- */

static void
mremap_errors(void)
{
	char *p = room(64), *q = p + 32 * PAGE;

	map_at(p, 4, RW, ANON);
	map_at(p + 4 * PAGE, 4, PROT_READ, ANON);
	say("unaligned", (long)mremap(p + 1, PAGE, PAGE, 0));
	say("bad flags", (long)mremap(p, PAGE, PAGE, 8));
	say("new size 0", (long)mremap(p, PAGE, 0, MREMAP_MAYMOVE));
	say("FIXED without MAYMOVE", (long)mremap(p, PAGE, PAGE, MREMAP_FIXED, q));
	say("DONTUNMAP without MAYMOVE", (long)mremap(p, PAGE, PAGE, MREMAP_DONTUNMAP));
	say("DONTUNMAP of another size",
	    (long)mremap(p, PAGE, 2 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE));
	say("nothing there", (long)mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	say("no room to grow", (long)mremap(p, 4 * PAGE, 8 * PAGE, 0));
	say("over two mappings", (long)mremap(p, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE));
	say("overlapping",
	    (long)mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE));
	say("target unaligned", (long)mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 1));
	say("target too high",
	    (long)mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(1ul << 47)));
	say("old size 0, private", (long)mremap(p, 0, PAGE, MREMAP_MAYMOVE));
	say("too long", (long)mremap(p, PAGE, 1ul << 48, MREMAP_MAYMOVE));
	say("same", (long)mremap(p, 4 * PAGE, 4 * PAGE, 0));
	say("shrink", (long)mremap(p, 4 * PAGE, 2 * PAGE, 0));
	show_maps("shrunk", p, 8);
	say("grow again", (long)mremap(p, 2 * PAGE, 4 * PAGE, 0));
	show_maps("grown", p, 8);
	munmap(p, 64 * PAGE);
}

static void
mremap_moves(void)
{
	char *p = room(64), *q = p + 32 * PAGE, *r;

	map_at(p, 4, RW, ANON);
	for (int i = 0; i < 4; i++)
		p[i * PAGE] = (char)(i + 1);
	r = mremap(p, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	printf("moved %d: %d %d %d\n", r == q, q[0], q[3 * PAGE], q[5 * PAGE]);
	in_child("the old place", peek, p);
	r = mremap(q, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	printf("kept %d: %d %d\n", r != MAP_FAILED, r[0], r[3 * PAGE]);
	printf("what stays is empty: %d %d\n", q[0], q[3 * PAGE]);
	munmap(r, 4 * PAGE);
	munmap(p, 64 * PAGE);
	p = map(4, RW, MAP_SHARED | MAP_ANONYMOUS);
	p[0] = 1;
	r = mremap(p, 0, 4 * PAGE, MREMAP_MAYMOVE);
	printf("second view %d: %d\n", r != MAP_FAILED && r != p, r[0]);
	r[PAGE] = 2;
	printf("seen by the first: %d\n", p[PAGE]);
	r = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	printf("grown %d: %d\n", r != MAP_FAILED, r[PAGE]);
	in_child("past the object", touch, r + 5 * PAGE);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void
limit(int which, unsigned long value)
{
	struct rlimit rl;

	getrlimit(which, &rl);
	rl.rlim_cur = value;
	setrlimit(which, &rl);
}

static void
limit_as(char *p)
{
	(void)p;
	limit(RLIMIT_AS, 64 << 20);
	say("AS: 32 MiB", (long)mmap(NULL, 32 << 20, PROT_NONE, ANON, -1, 0));
	say("AS: 64 MiB", (long)mmap(NULL, 64 << 20, PROT_NONE, ANON, -1, 0));
	say("AS: mremap", (long)mremap(p, PAGE, 64 << 20, MREMAP_MAYMOVE));
	say("AS: brk", sbrk(64 << 20) == (void *)-1 ? -1 : 0);
	say("AS: shrink", (long)mremap(p, 4 * PAGE, PAGE, 0));
	limit(RLIMIT_AS, 1 << 20);
	say("AS: below what there is", (long)mmap(NULL, PAGE, RW, ANON, -1, 0));
	in_child("AS: fork below", touch, p);
}

static void
limit_data(char *p)
{
	char *q = map(4096, PROT_READ, ANON);

	limit(RLIMIT_DATA, 8 << 20);
	say("DATA: 4 MiB", (long)mmap(NULL, 4 << 20, RW, ANON, -1, 0));
	say("DATA: 8 MiB", (long)mmap(NULL, 8 << 20, RW, ANON, -1, 0));
	say("DATA: read-only", (long)mmap(NULL, 16 << 20, PROT_READ, ANON, -1, 0));
	say("DATA: shared", (long)mmap(NULL, 16 << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	say("DATA: mprotect", mprotect(q, 4096 * PAGE, RW));
	say("DATA: mremap", (long)mremap(p, PAGE, 8 << 20, MREMAP_MAYMOVE));
	say("DATA: brk", syscall(SYS_brk, (char *)sbrk(0) + (9 << 20)) == (long)sbrk(0) ? 0 : -1);
}

static void
limit_fsize(char *p)
{
	int fd = open("/tmp/vmabi.limit", O_RDWR | O_CREAT | O_TRUNC, 0600);

	(void)p;
	unlink("/tmp/vmabi.limit");
	limit(RLIMIT_FSIZE, 100);
	printf("FSIZE: cut %zd\n", write(fd, "0123456789012345678901234567890123456789", 40));
	printf("FSIZE: cut %zd\n", pwrite(fd, "0123456789012345678901234567890123456789", 40, 80));
	say("FSIZE: truncate below", ftruncate(fd, 50));
	signal(SIGXFSZ, SIG_IGN);
	say("FSIZE: at the limit", pwrite(fd, "x", 1, 100));
	say("FSIZE: truncate past", ftruncate(fd, 101));
	signal(SIGXFSZ, SIG_DFL);
	fflush(stdout);
	pwrite(fd, "x", 1, 100);
	printf("alive\n");
}

static void
limit_nofile(char *p)
{
	int fds[3];

	(void)p;
	limit(RLIMIT_NOFILE, 5);
	for (int i = 0; i < 3; i++)
		say("NOFILE: open", fds[i] = open("/", O_RDONLY));
	say("NOFILE: dup2 beyond", dup2(0, 5));
	say("NOFILE: dup2 below", dup2(0, 4));
	say("NOFILE: F_DUPFD", fcntl(0, F_DUPFD, 5));
	say("NOFILE: dup", dup(0));
}

static void
limits(void)
{
	static const int finite[] = {RLIMIT_STACK,  RLIMIT_MEMLOCK, RLIMIT_NICE,
				     RLIMIT_RTPRIO, RLIMIT_CORE,    RLIMIT_MSGQUEUE};
	static const int infinite[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA,
				       RLIMIT_RSS, RLIMIT_AS,    RLIMIT_LOCKS};
	struct rlimit rl, old;
	char *p = map(4, RW, ANON);

	for (size_t i = 0; i < sizeof(finite) / sizeof(finite[0]); i++) {
		getrlimit(finite[i], &rl);
		printf("limit %d %ld\n", finite[i], (long)rl.rlim_cur);
	}
	for (size_t i = 0; i < sizeof(infinite) / sizeof(infinite[0]); i++) {
		getrlimit(infinite[i], &rl);
		printf("limit %d %ld %ld\n", infinite[i], (long)rl.rlim_cur, (long)rl.rlim_max);
	}
	say("no such", syscall(SYS_prlimit64, 0, 16, NULL, &rl));
	say("no such, old call", syscall(SYS_getrlimit, 16, &rl));
	say("no process", syscall(SYS_prlimit64, 999999, 0, NULL, &rl));
	say("bad pointer", syscall(SYS_prlimit64, 0, 0, NULL, (void *)1));
	say("bad new", syscall(SYS_prlimit64, 0, 0, (void *)1, NULL));
	rl = (struct rlimit){10, 5};
	say("soft above hard", setrlimit(RLIMIT_CORE, &rl));
	rl = (struct rlimit){5, 10};
	say("lower", syscall(SYS_prlimit64, getpid(), RLIMIT_CORE, &rl, &old));
	getrlimit(RLIMIT_CORE, &rl);
	printf("now %ld %ld\n", (long)rl.rlim_cur, (long)rl.rlim_max);
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_max = 1ul << 40;
	say("more files than there can be", setrlimit(RLIMIT_NOFILE, &rl));
	in_child("AS", limit_as, p);
	in_child("DATA", limit_data, p);
	in_child("FSIZE", limit_fsize, p);
	in_child("NOFILE", limit_nofile, p);
	limit(RLIMIT_NICE, 0);
}

/* --- process_vm ------------------------------------------------------------------------------- */

static void
process_vm(void)
{
	char *p = map(4, RW, ANON), *hole = room(1), buf[64] = "";
	struct iovec local[2] = {{buf, 5}, {buf + 10, 5}}, remote[2] = {{p, 7}, {p + PAGE - 3, 6}};
	struct iovec bad = {hole, 4}, neg = {p, -1ul};
	int status;
	pid_t pid;

	memset(p, 'a', 4 * PAGE);
	memcpy(p, "1234567", 7);
	memcpy(p + PAGE - 3, "abcdef", 6);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		sleep(1000);
		_exit(0);
	}
	memset(p, 0, 4 * PAGE);
	printf("read %zd", process_vm_readv(pid, local, 2, remote, 2, 0));
	printf(" %.5s %.5s\n", buf, buf + 10);
	say("flags", process_vm_readv(pid, local, 2, remote, 2, 1));
	say("no process", process_vm_readv(999999, local, 2, remote, 2, 0));
	say("nothing to do, no process", process_vm_readv(999999, local, 0, remote, 2, 0));
	say("too many", process_vm_readv(pid, local, 2000, remote, 1, 0));
	say("negative length", process_vm_readv(pid, local, 1, &neg, 1, 0));
	say("bad remote", process_vm_readv(pid, local, 1, &bad, 1, 0));
	say("bad local", process_vm_readv(pid, &bad, 1, remote, 1, 0));
	say("bad list", process_vm_readv(pid, (void *)1, 1, remote, 1, 0));
	remote[1] = bad;
	printf("half %zd\n", process_vm_readv(pid, local, 2, remote, 2, 0));
	remote[0] = (struct iovec){p + 2 * PAGE - 2, 4};
	printf("write %zd\n", process_vm_writev(pid, local, 1, remote, 1, 0));
	local[0] = (struct iovec){buf + 20, 4};
	printf("read back %zd", process_vm_readv(pid, local, 1, remote, 1, 0));
	printf(" %.4s, ours %d\n", buf + 20, p[2 * PAGE - 2]);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	say("a dead process", process_vm_readv(pid, local, 1, remote, 1, 0));
}

/* --- files ------------------------------------------------------------------------------------ */

static void
files(void)
{
	char *shared, *private, buf[16] = "";
	int fd = open("/tmp/vmabi.cut", O_RDWR | O_CREAT | O_TRUNC, 0600);

	ftruncate(fd, 3 * PAGE + 100);
	shared = mmap(NULL, 5 * PAGE, RW, MAP_SHARED, fd, 0);
	private = mmap(NULL, 5 * PAGE, RW, MAP_PRIVATE, fd, 0);
	memset(shared, 's', 3 * PAGE + 100);
	printf("tail %d %d\n", shared[3 * PAGE + 99], shared[3 * PAGE + 100]);
	private[0] = 'p';
	private[2 * PAGE] = 'q';
	in_child("past the end", peek, shared + 4 * PAGE);
	in_child("past the end, private", touch, private + 4 * PAGE);
	pwrite(fd, "WRITE", 5, PAGE - 2);
	printf("write seen %.5s %.5s\n", shared + PAGE - 2, private + PAGE);
	memcpy(shared + 10, "MAPPED", 6);
	pread(fd, buf, 6, 10);
	printf("read %s\n", buf);
	shared[3 * PAGE + 200] = 'z'; /* past the end of the file, in its last page */
	ftruncate(fd, PAGE + 50);
	in_child("cut off", peek, shared + 2 * PAGE);
	in_child("cut off, private copy", peek, private + 2 * PAGE);
	in_child("cut off, write", touch, private + 3 * PAGE);
	printf("kept %c, zeros after the cut %d %d\n", shared[PAGE + 49], shared[PAGE + 50],
	       shared[PAGE + 60]);
	ftruncate(fd, 4 * PAGE);
	printf("longer again %d %d %d\n", shared[PAGE + 50], shared[2 * PAGE],
	       shared[3 * PAGE + 200]);
	printf("private %c %c\n", private[0], private[PAGE + 49]);
	unlink("/tmp/vmabi.cut");
	close(fd);
	shared[0] = 'u';
	printf("unlinked %c\n", shared[0]);
	say("msync", msync(shared, 4 * PAGE, MS_SYNC));
	say("msync both", msync(shared, PAGE, MS_SYNC | MS_ASYNC));
	say("msync flags", msync(shared, PAGE, 8));
	say("msync unaligned", msync(shared + 1, PAGE, MS_SYNC));
	munmap(shared + 2 * PAGE, PAGE);
	say("msync hole", msync(shared, 4 * PAGE, MS_ASYNC));
	mlock(shared, PAGE);
	say("msync invalidates locked", msync(shared, PAGE, MS_INVALIDATE));
	say("mincore unaligned", mincore(shared + 1, PAGE, (unsigned char *)buf));
	say("mincore hole", mincore(shared, 4 * PAGE, (unsigned char *)buf));
	say("mincore bad vector", mincore(shared, PAGE, (void *)1));
	say("mincore length 0", mincore(shared + 2 * PAGE, 0, (unsigned char *)buf));
}

/* --- brk -------------------------------------------------------------------------------------- */

static void
brk_calls(void)
{
	char *start = (char *)syscall(SYS_brk, 0), *now;

	now = (char *)syscall(SYS_brk, start + 3 * PAGE);
	printf("grown %ld\n", (long)(now - start));
	start[2 * PAGE] = 1;
	now = (char *)syscall(SYS_brk, start + PAGE);
	printf("shrunk %ld\n", (long)(now - start));
	in_child("cut off", peek, start + 2 * PAGE);
	printf("same %ld\n", (long)((char *)syscall(SYS_brk, start + PAGE) - start));
	printf("below %ld\n", (long)((char *)syscall(SYS_brk, 4096) - start));
	printf("huge %ld\n", (long)((char *)syscall(SYS_brk, 1ul << 50) - start));
	mmap(start + 8 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	printf("up to a mapping %ld\n", (long)((char *)syscall(SYS_brk, start + 8 * PAGE) - start));
	printf("a page below it %ld\n", (long)((char *)syscall(SYS_brk, start + 7 * PAGE) - start));
	printf("over it %ld\n", (long)((char *)syscall(SYS_brk, start + 12 * PAGE) - start));
}

static const struct section {
	const char *name;
	void (*fn)(void);
} sections[] = {
    {"madvise_errors", madvise_errors},
    {"madvise_kinds", madvise_kinds},
    {"madvise_file", madvise_file},
    {"madvise_fork", madvise_fork},
    {"madvise_free", madvise_free},
    {"growsdown", growsdown},
    {"stack", stack},
    {"mmap_flags", mmap_flags},
    {"split", split},
    {"mremap_errors", mremap_errors},
    {"mremap_moves", mremap_moves},
    {"limits", limits},
    {"process_vm", process_vm},
    {"files", files},
    {"brk", brk_calls},
};

int
main(int argc, char **argv)
{
	int status;
	pid_t pid;

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		bool wanted = argc == 1;

		for (int k = 1; k < argc; k++)
			wanted |= strcmp(argv[k], sections[i].name) == 0;
		if (!wanted)
			continue;
		printf("--- %s\n", sections[i].name);
		fflush(stdout);
		pid = fork(); /* each on its own */
		if (pid == 0) {
			sections[i].fn();
			fflush(stdout);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		if (status != 0)
			printf("ended by %#x\n", status);
	}
	return (0);
}

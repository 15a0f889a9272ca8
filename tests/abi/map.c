/*
 * mmap, munmap, mprotect, mremap, brk.
 */
#include "abi.h"

static void
show_map(const char *what, void *addr, size_t len, int prot, int flags, int fd, long offset)
{
	long r = SYS(mmap, addr, len, prot, flags, fd, offset);

	ok(what, r);
	if (r != -1)
		munmap((void *)r, len);
}

FAMILY(mmap)
{
	int fd = file_of("file", 2 * PAGE + 100), ro = open("file", O_RDONLY);
	int wo = open("file", O_WRONLY), dir = open(".", O_RDONLY),
	    null = open("/dev/null", O_RDWR);
	int zero = open("/dev/zero", O_RDWR);
	char *p = fresh(8), *q;
	const struct {
		const char *name;
		int fd;
	} files[] = {{"rw", fd},     {"ro", ro},     {"wo", wo}, {"dir", dir},
		     {"null", null}, {"zero", zero}, {"-1", -1}, {"closed", 999}};

	for (size_t i = 0; i < NITEMS(files); i++)
		for (int prot = 0; prot < 8; prot++)
			for (int shared = 1; shared <= 2; shared++)
				show_map(named("%s of %s, prot %d",
					       shared == 1 ? "shared" : "private", files[i].name,
					       prot),
					 NULL, PAGE, prot, shared, files[i].fd, 0);
	for (int bit = 0; bit < 32; bit++)
		if (bit != 18) /* MAP_HUGETLB: what there is differs */
			show_map(named("flag bit %d", bit), NULL, PAGE, RW, (int)(ANON | 1u << bit),
				 -1, 0);
	for (int bit = 0; bit < 32; bit++)
		if (bit != 18 && bit != 4 && bit != 20 && bit != 5 && bit != 1)
			show_map(named("validated bit %d", bit), NULL, PAGE, RW,
				 (int)(MAP_SHARED_VALIDATE | 1u << bit), fd, 0);
	for (int bit = 3; bit < 32; bit++)
		if (bit != 24 && bit != 25)
			show_map(named("prot bit %d", bit), NULL, PAGE, (int)(1u << bit), ANON, -1,
				 0);
	show_map("length 0", NULL, 0, RW, ANON, -1, 0);
	show_map("length 1", NULL, 1, RW, ANON, -1, 0);
	show_map("length -1", NULL, -1ul, RW, ANON, -1, 0);
	show_map("length 2^47", NULL, 1ul << 47, PROT_NONE, ANON, -1, 0);
	show_map("length 2^47 - 1", NULL, (1ul << 47) - 1, PROT_NONE, ANON, -1, 0);
	show_map("length that rounds to 0", NULL, -PAGE + 1, PROT_NONE, ANON, -1, 0);
	show_map("1 TiB of nothing", NULL, 1ul << 40, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	show_map("offset 1", NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1);
	show_map("offset -page", NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, -(long)PAGE);
	show_map("offset past the end", NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 64 * PAGE);
	show_map("offset that wraps", NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd,
		 0x7ffffffffffff000);
	show_map("anonymous with offset 1", NULL, PAGE, PROT_READ, ANON, -1, 1);
	show_map("anonymous with a descriptor", NULL, PAGE, PROT_READ, ANON, 999, 0);
	show_map("type 0", NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0);
	show_map("type 3 anonymous", NULL, PAGE, PROT_READ, MAP_ANONYMOUS | 3, -1, 0);
	show_map("fixed at 1", (void *)1, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	show_map("fixed in the kernel", (void *)-PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	show_map("fixed at 2^47 - page", (void *)((1ul << 47) - PAGE), PAGE, RW, ANON | MAP_FIXED,
		 -1, 0);
	show_map("fixed over the end", (void *)((1ul << 47) - 2 * PAGE), 4 * PAGE, RW,
		 ANON | MAP_FIXED, -1, 0);
	show_map("not replacing what is there", p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	munmap(p + 2 * PAGE, PAGE);
	say("not replacing a hole", "%d",
	    mmap(p + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + 2 * PAGE);
	say("a new page is zero", "%d", p[2 * PAGE] | p[3 * PAGE - 1]);
	say("a hint that is taken", "%d", mmap(p, PAGE, RW, ANON, -1, 0) != (void *)p);
	munmap(p + 4 * PAGE, PAGE);
	say("a hint that is free", "%d", mmap(p + 4 * PAGE, PAGE, RW, ANON, -1, 0) == p + 4 * PAGE);
	munmap(p + 4 * PAGE, PAGE);
	say("an odd hint", "%d", mmap(p + 4 * PAGE + 5, PAGE, RW, ANON, -1, 0) == p + 4 * PAGE);
	say("fixed replaces", "%d",
	    mmap(p + 1 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == p + PAGE);
	say("its neighbours stay", "%c %c", p[0], p[3 * PAGE]);
	say("it is zero", "%d", p[PAGE]);
	say("it can be", "%s", access_to(p + PAGE));
	q = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	say("file pages", "%c %c %c", q[0], q[PAGE], q[2 * PAGE]);
	say("the rest of the last page", "%d", q[2 * PAGE + 100] | q[3 * PAGE - 1]);
	say("in the last page", "%s", access_to(q + 2 * PAGE + 200));
	say("past the end", "%s", access_to(q + 3 * PAGE));
	close(fd);
	say("after close", "%c", q[PAGE]);
	unlink("file");
	say("after unlink", "%c", q[PAGE + 1]);
}

FAMILY(shared)
{
	int fd = file_of("file", 2 * PAGE);
	char *s = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0), byte;
	char *s2 = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);

	s[0] = 'x';
	say("the other mapping sees", "%c", s2[0]);
	say("the private one sees", "%c", p[0]);
	pread(fd, &byte, 1, 0);
	say("read sees", "%c", byte);
	pwrite(fd, "y", 1, 1);
	say("the mapping sees a write", "%c %c", s[1], p[1]);
	p[0] = 'p';
	say("a private write is seen by", "%c %c", s[0], s2[0]);
	s[0] = 'z';
	say("after it the private page keeps", "%c", p[0]);
	say("the other private page follows", "%c", (s[PAGE] = 'q', p[PAGE]));
	ftruncate(fd, PAGE + 10);
	say("the rest is zeroed", "%d", s[PAGE + 10] | s[2 * PAGE - 1]);
	s[PAGE + 20] = 'w';
	ftruncate(fd, 2 * PAGE);
	say("written past the end, and grown", "%d",
	    pread(fd, &byte, 1, PAGE + 20) == 1 ? byte : -1);
	ftruncate(fd, PAGE);
	say("a shared page past the end", "%s", access_to(s + PAGE));
	say("a private page past the end", "%s", access_to(p + PAGE));
	ftruncate(fd, 0);
	say("a private page that was written", "%s", access_to(p));
	say("a shared page of an empty file", "%s", access_to(s));
	ftruncate(fd, PAGE);
	say("after it grew", "%d %s", s[0], access_to(s));
	s[0] = p[0] = 'l';
	mlock(s, PAGE);
	mlock(p, PAGE);
	ftruncate(fd, 0);
	say("locked pages past the end", "%s %s", access_to(s), access_to(p));
	ftruncate(fd, PAGE);
	say("after it grew, they", "%s %s", access_to(s), access_to(p));
	munlock(s, PAGE);
	munlock(p, PAGE);
}

static void
touch(void *p)
{
	*(volatile char *)p = 1;
}

static void
look(void *p)
{
	(void)*(volatile char *)p;
}

static void
jump(void *p)
{
	((void (*)(void))p)();
}

FAMILY(faults)
{
	int fd = file_of("file", PAGE);
	char *p = fresh(2), *s = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	char *none = mmap(NULL, PAGE, PROT_NONE, ANON, -1, 0);
	char *ro = mmap(NULL, PAGE, PROT_READ, ANON, -1, 0);
	char *x = mmap(NULL, PAGE, RW | PROT_EXEC, ANON, -1, 0);

	x[0] = (char)0xc3;
	say("read of 0", "%s", ending(look, NULL));
	say("write of 0", "%s", ending(touch, NULL));
	say("read of the kernel", "%s", ending(look, (void *)0xffffffff80200000ul));
	say("read of no address", "%s", ending(look, (void *)(1ul << 47)));
	say("read of PROT_NONE", "%s", ending(look, none));
	say("read of PROT_READ", "%s", ending(look, ro));
	say("write of PROT_READ", "%s", ending(touch, ro));
	say("write of what can be", "%s", ending(touch, p));
	say("execute what cannot be", "%s", ending(jump, p));
	say("execute what can be", "%s", ending(jump, x));
	say("read past the end of the file", "%s", ending(look, s + PAGE));
	say("write past the end of the file", "%s", ending(touch, s + PAGE));
	munmap(p, PAGE);
	say("read of what was unmapped", "%s", ending(look, p));
	say("the page after it", "%s", ending(look, p + PAGE));
}

FAMILY(munmap)
{
	char *p = fresh(8);

	CHECK("an odd address", munmap, p + 1, PAGE);
	CHECK("length 0", munmap, p, 0);
	CHECK("length -1", munmap, p, -1ul);
	CHECK("the kernel", munmap, -PAGE, PAGE);
	CHECK("over the end", munmap, (1ul << 47) - PAGE, 2 * PAGE);
	CHECK("a length that wraps", munmap, p, -(long)p);
	CHECK("page 0", munmap, 0, PAGE);
	CHECK("the middle", munmap, p + 2 * PAGE, PAGE);
	say("around it", "%s %s %s", access_to(p + PAGE), access_to(p + 2 * PAGE),
	    access_to(p + 3 * PAGE));
	CHECK("a hole", munmap, p + 2 * PAGE, PAGE);
	CHECK("over a hole", munmap, p + PAGE, 3 * PAGE);
	CHECK("length 1 is a page", munmap, p + 5 * PAGE, 1);
	say("it is", "%s %s", access_to(p + 5 * PAGE), access_to(p + 6 * PAGE));
	CHECK("all", munmap, p, 8 * PAGE);
	CHECK("all again", munmap, p, 8 * PAGE);
}

FAMILY(mprotect)
{
	char *p = fresh(8), *ro;
	int fd = file_of("file", PAGE);

	close(fd);
	fd = open("file", O_RDONLY);
	ro = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	for (int prot = 0; prot < 8; prot++) {
		CHECK(named("prot %d", prot), mprotect, p + PAGE, PAGE, prot);
		say(named("prot %d then", prot), "%s", access_to(p + PAGE));
	}
	say("what was there", "%c", p[PAGE]);
	say("around it", "%s %s", access_to(p), access_to(p + 2 * PAGE));
	CHECK("shared of a read-only file", mprotect, ro, PAGE, RW);
	CHECK("shared of a read-only file, to execute", mprotect, ro, PAGE, PROT_READ | PROT_EXEC);
	CHECK("an odd address", mprotect, p + 1, PAGE, PROT_READ);
	CHECK("length 0", mprotect, p, 0, PROT_READ);
	CHECK("length 0 at an odd address", mprotect, p + 1, 0, PROT_READ);
	CHECK("length -1", mprotect, p, -1ul, PROT_READ);
	CHECK("a length that wraps", mprotect, p, -PAGE, PROT_READ);
	CHECK("the kernel", mprotect, -PAGE, PAGE, PROT_READ);
	CHECK("page 0", mprotect, 0, PAGE, PROT_READ);
	for (int bit = 3; bit < 32; bit++)
		if (bit != 24 && bit != 25)
			CHECK(named("prot bit %d", bit), mprotect, p, PAGE, 1u << bit);
	CHECK("PROT_GROWSDOWN of what does not", mprotect, p, PAGE, PROT_READ | 0x01000000);
	CHECK("both ways", mprotect, p, PAGE, PROT_READ | 0x03000000);
	mprotect(p, 8 * PAGE, RW);
	munmap(p + 4 * PAGE, PAGE);
	CHECK("up to a hole", mprotect, p + 2 * PAGE, 4 * PAGE, PROT_READ);
	say("before the hole", "%s", access_to(p + 3 * PAGE));
	say("after the hole", "%s", access_to(p + 5 * PAGE));
	CHECK("from a hole", mprotect, p + 4 * PAGE, 2 * PAGE, PROT_READ);
	say("after that hole", "%s", access_to(p + 5 * PAGE));
}

FAMILY(mremap)
{
	char *p = fresh(16), *q, *r;
	int fd = file_of("file", 4 * PAGE);

	munmap(p + 8 * PAGE, 8 * PAGE);
	CHECK_OK("shrink", mremap, p, 8 * PAGE, 4 * PAGE, 0);
	say("what is gone", "%s", access_to(p + 4 * PAGE));
	say("grow in place", "%d", mremap(p, 4 * PAGE, 8 * PAGE, 0) == p);
	say("the new part", "%d %d", p[4 * PAGE], p[8 * PAGE - 1]);
	say("the old part", "%c %c", p[0], p[3 * PAGE]);
	q = mmap(p + 8 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	q[0] = '#';
	CHECK_OK("no room to grow", mremap, p, 8 * PAGE, 16 * PAGE, 0);
	CHECK_OK("across two alike", mremap, p + 7 * PAGE, 2 * PAGE, 2 * PAGE, 0);
	mprotect(p + 4 * PAGE, PAGE, PROT_READ);
	CHECK_OK("across two that differ", mremap, p, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE);
	mprotect(p + 4 * PAGE, PAGE, RW);
	r = mremap(p, 4 * PAGE, 12 * PAGE, MREMAP_MAYMOVE);
	say("moved", "%d", r != MAP_FAILED && r != p);
	if (r == MAP_FAILED)
		return;
	say("what came along", "%c %c %d", r[0], r[3 * PAGE], r[4 * PAGE]);
	say("what was left", "%s %s", access_to(p), access_to(p + 4 * PAGE));
	CHECK_OK("an odd address", mremap, r + 1, PAGE, PAGE, 0);
	CHECK_OK("new length 0", mremap, r, PAGE, 0, 0);
	CHECK_OK("new length -1", mremap, r, PAGE, -1ul, MREMAP_MAYMOVE);
	CHECK_OK("old length 0 of private", mremap, r, 0, PAGE, MREMAP_MAYMOVE);
	CHECK_OK("old length 0 without moving", mremap, r, 0, PAGE, 0);
	CHECK_OK("old length past the mapping", mremap, r, 1024 * PAGE, 2048 * PAGE,
		 MREMAP_MAYMOVE);
	CHECK_OK("not mapped", mremap, 1ul << 40, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK_OK("not mapped, the same size", mremap, 1ul << 40, PAGE, PAGE, 0);
	CHECK_OK("the kernel", mremap, -2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE);
	for (int bit = 3; bit < 32; bit++)
		CHECK_OK(named("flag bit %d", bit), mremap, r, PAGE, PAGE, 1u << bit);
	CHECK_OK("fixed without may-move", mremap, r, PAGE, PAGE, MREMAP_FIXED, p);
	CHECK_OK("fixed at an odd address", mremap, r, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE,
		 p + 1);
	CHECK_OK("fixed onto itself", mremap, r, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE,
		 r + PAGE);
	CHECK_OK("fixed in the kernel", mremap, r, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE,
		 -PAGE);
	say("fixed over what is there", "%d",
	    mremap(r, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, q) == q && q[0] == 'a');
	CHECK_OK("keep without may-move", mremap, r + PAGE, PAGE, PAGE, 4);
	CHECK_OK("keep of another size", mremap, r + PAGE, PAGE, 2 * PAGE, 4 | MREMAP_MAYMOVE);
	q = mremap(r + PAGE, PAGE, PAGE, 4 | MREMAP_MAYMOVE, NULL);
	say("keep", "%d", q != MAP_FAILED);
	if (q != MAP_FAILED)
		say("kept", "%c %d", q[0], r[PAGE]);
	p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	q = mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE);
	say("a second mapping of a file", "%d", q != MAP_FAILED && q != p);
	if (q != MAP_FAILED)
		say("it is the same", "%c", (p[0] = '!', q[0]));
	q = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	say("a file's mapping past its end", "%s %s", access_to(q), access_to(q + 5 * PAGE));
}

FAMILY(brk)
{
	char *start = (char *)SYS(brk, 0), *now;

	say("page-aligned after growth", "%d",
	    (char *)SYS(brk, start + 3 * PAGE) == start + 3 * PAGE);
	say("zero", "%d", start[0] | start[3 * PAGE - 1]);
	start[PAGE] = 'x';
	now = (char *)SYS(brk, start + PAGE);
	say("shrunk", "%d", now == start + PAGE);
	now = (char *)SYS(brk, start + 3 * PAGE);
	say("zero again", "%d", start[PAGE]);
	say("an odd address", "%d", (char *)SYS(brk, start + 2 * PAGE + 5) == start + 2 * PAGE + 5);
	now = (char *)SYS(brk, 0);
	say("it is told", "%d", now == start + 2 * PAGE + 5);
	say("into the kernel", "%d", (char *)SYS(brk, -PAGE) == now);
	say("below the start", "%d", (char *)SYS(brk, PAGE) == now);
	say("2^46", "%d", (char *)SYS(brk, 1ul << 46) == now);
	mmap(start + 8 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	say("into a mapping", "%d", (char *)SYS(brk, start + 10 * PAGE) == now);
	say("up to a mapping", "%d", (char *)SYS(brk, start + 8 * PAGE) != NULL);
	mprotect(start, PAGE, PROT_READ);
	say("a part protected, the rest", "%s %s", access_to(start), access_to(start + PAGE));
}

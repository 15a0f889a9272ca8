/*
 * vmpressure WHAT: overcommit policies, and what goes when memory is short. Needs a kernel that can
 * be told, and a small machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void
put(const char *file, long value)
{
	char text[32];
	int fd = open(file, O_WRONLY), n = snprintf(text, sizeof(text), "%ld", value);

	if (write(fd, text, (size_t)n) != n)
		printf("%s: cannot write %ld: errno %d\n", file, value, errno);
	close(fd);
}

/* The number after name in a file of such lines. */
static long
value(const char *file, const char *name)
{
	FILE *f = fopen(file, "r");
	char line[256];
	long n = -1;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			n = strtol(line + strlen(name), NULL, 10);
	if (f != NULL)
		fclose(f);
	return (n);
}

static const char *
try(size_t bytes, int prot, int flags)
{
	char *p = mmap(NULL, bytes, prot, flags, -1, 0);

	if (p == MAP_FAILED)
		return (errno == ENOMEM ? "ENOMEM" : "another error");
	munmap(p, bytes);
	return ("ok");
}

static void
overcommit(void)
{
	size_t total = (size_t)value("/proc/meminfo", "MemTotal:") << 10, half = total / 2;
	long before = value("/proc/meminfo", "Committed_AS:"), limit;
	int status;
	char *p;

	printf("0: more than there is %s\n", try(2 * total, RW, ANON));
	printf("0: unreserved %s\n", try(2 * total, RW, ANON | MAP_NORESERVE));
	printf("0: read-only %s\n", try(2 * total, PROT_READ, ANON));
	printf("0: shared %s\n", try(2 * total, RW, MAP_SHARED | MAP_ANONYMOUS));
	put("/proc/sys/vm/overcommit_memory", 1);
	printf("1: more than there is %s\n", try(2 * total, RW, ANON));
	put("/proc/sys/vm/overcommit_memory", 2);
	put("/proc/sys/vm/overcommit_ratio", 80);
	limit = value("/proc/meminfo", "CommitLimit:");
	printf("2: limit as told %d\n", labs(limit - (long)(total >> 10) * 80 / 100) < 8);
	printf("2: past the limit %s\n", try(total, RW, ANON));
	printf("2: unreserved %s\n", try(total, RW, ANON | MAP_NORESERVE));
	printf("2: read-only %s\n", try(total, PROT_READ, ANON));
	p = mmap(NULL, half, PROT_READ, ANON, -1, 0);
	printf("2: half, read-only %d\n", p != MAP_FAILED);
	printf("2: made writable %d\n", mprotect(p, half, RW));
	printf("2: accounted %d\n",
	       labs(value("/proc/meminfo", "Committed_AS:") - before - (long)(half >> 10)) < 64);
	printf("2: another half %s\n", try(half, RW, ANON));
	printf("2: fork %s\n", fork() < 0 && errno == ENOMEM ? "ENOMEM" : "went on");
	munmap(p, half);
	if (fork() == 0)
		_exit(7);
	wait(&status);
	printf("2: fork of less %d\n", WEXITSTATUS(status));
	put("/proc/sys/vm/overcommit_kbytes", limit / 2);
	printf("2: by kbytes %d\n", labs(value("/proc/meminfo", "CommitLimit:") - limit / 2) < 8);
	put("/proc/sys/vm/overcommit_memory", 0);
	printf("back %d\n", labs(value("/proc/meminfo", "Committed_AS:") - before) < 64);
}

static unsigned
sum_file(const unsigned char *p, size_t size)
{
	unsigned sum = 0;

	for (size_t i = 0; i < size; i += 512)
		sum = sum * 31 + p[i];
	return (sum);
}

/* Take nearly all memory that is free, and more than was free without dropping pages. */
static void
squeeze(long spare_kb)
{
	long kb = value("/proc/meminfo", "MemFree:") + spare_kb;
	char *p = mmap(NULL, (size_t)kb << 10, RW, ANON | MAP_NORESERVE, -1, 0);

	for (size_t at = 0; p != MAP_FAILED && at < (size_t)kb << 10; at += PAGE)
		p[at] = 1;
	munmap(p, (size_t)kb << 10);
}

static void
file(void)
{
	int fd = open("/big", O_RDONLY);
	long dropped = value("/proc/quire/stats", "pages_dropped ");
	unsigned char *p;
	struct stat st;
	unsigned sum;

	fstat(fd, &st);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	sum = sum_file(p, (size_t)st.st_size);
	squeeze(st.st_size / 2048);
	printf("dropped %d\n", value("/proc/quire/stats", "pages_dropped ") > dropped + 100);
	printf("read again %d\n", sum_file(p, (size_t)st.st_size) == sum);
	put("/proc/sys/vm/drop_caches", 1);
	printf("and again %d\n", sum_file(p, (size_t)st.st_size) == sum);
}

static void
lazy(void)
{
	size_t size = 8ul << 20, zeros = 0, kept = 0, wrong = 0;
	char *p = mmap(NULL, size, RW, ANON, -1, 0);

	memset(p, 5, size);
	madvise(p, size, MADV_FREE);
	for (size_t at = 0; at < size; at += 16 * PAGE)
		p[at] = 6;
	squeeze(4096);
	for (size_t at = 0; at < size; at += PAGE) {
		if (at % (16 * PAGE) == 0)
			wrong += p[at] != 6 || p[at + 1] != 5;
		else if (p[at] == 0)
			zeros++;
		else
			kept += p[at] == 5;
	}
	printf("written ones lost %zu, others dropped %d, wrong %zu\n", wrong, zeros > 100,
	       size / PAGE - size / PAGE / 16 - zeros - kept);
}

/* The child with the higher oom_score_adj goes, however small. */
static void
score(void)
{
	size_t size = 4ul << 20;
	int status, p[2], ok = pipe(p) == 0;
	pid_t small = fork(), hog;

	if (small == 0) {
		put("/proc/self/oom_score_adj", 900);
		memset(mmap(NULL, size, RW, ANON, -1, 0), 1, size);
		ok = write(p[1], "x", 1) == 1;
		sleep(1000);
	}
	ok &= read(p[0], &status, 1) == 1;
	hog = fork();
	if (hog == 0) {
		squeeze(0);
		_exit(3);
	}
	waitpid(small, &status, 0);
	printf("small %s\n",
	       WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "killed" : "lives");
	waitpid(hog, &status, 0);
	printf("hog %d, pipe %d\n", status >> 8, ok);
	put("/proc/self/oom_score_adj", 1001);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "overcommit") == 0)
		overcommit();
	else if (strcmp(what, "file") == 0)
		file();
	else if (strcmp(what, "lazy") == 0)
		lazy();
	else
		score();
	return (0);
}

/*
 * vmscale WHAT N: what it takes to do something to N mappings, pages or processes, in ticks (with
 * --icount one is an instruction), and that it is right.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static uint64_t
now(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return ((uint64_t)hi << 32 | lo);
}

static void
say(const char *what, uint64_t since)
{
	printf("%s %lu\n", what, (unsigned long)(now() - since));
}

static int
put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY), n = fd < 0 ? -1 : (int)write(fd, text, strlen(text));

	close(fd);
	return (n);
}

/* Lines of /proc/self/maps for what begins in [start, end). */
static size_t
lines_of_maps(const char *start, const char *end)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	size_t n = 0;

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		const char *at = (const char *)strtoul(line, NULL, 16);

		n += at >= start && at < end;
	}
	if (maps != NULL)
		fclose(maps);
	return (n);
}

/* Two pages each, every other one read-only, so that no two are merged. */
static void
mappings(size_t n)
{
	char *base = mmap(NULL, 2 * n * PAGE, PROT_NONE, ANON, -1, 0);
	uint64_t t = now();
	int status, wrong = 0;

	for (size_t i = 0; i < n; i++)
		if (mmap(base + 2 * i * PAGE, 2 * PAGE,
			 i % 2 != 0 ? PROT_READ : PROT_READ | PROT_WRITE, ANON | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			wrong++;
	say("mmap", t);
	t = now();
	wrong += lines_of_maps(base, base + 2 * n * PAGE) != n;
	say("maps", t);
	for (size_t i = 0; i < n; i += 1000)
		base[2 * i * PAGE] = 1;
	t = now();
	if (fork() == 0) {
		for (size_t i = 0; i < n; i += 1000)
			wrong += base[2 * i * PAGE] != 1;
		_exit(wrong != 0);
	}
	say("fork", t);
	wait(&status);
	say("fork, exit, wait", t);
	t = now();
	wrong += mprotect(base, 2 * n * PAGE, PROT_READ) != 0;
	say("mprotect", t);
	t = now();
	wrong += munmap(base, 2 * n * PAGE) != 0;
	say("munmap", t);
	printf("wrong %d\n", wrong + (status != 0));
}

/* A page every 2 MiB of a mapping that is larger than memory. */
static void
sparse(size_t gib)
{
	size_t size = gib << 30, step = 2ul << 20;
	uint64_t t = now();
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, ANON, -1, 0);
	int wrong = p == MAP_FAILED;

	for (size_t at = 0; at < size && !wrong; at += step)
		p[at] = (char)(at / step);
	say("touch", t);
	for (size_t at = 0; at < size && !wrong; at += step)
		wrong += p[at] != (char)(at / step) || p[at + PAGE] != 0;
	t = now();
	wrong += munmap(p, size) != 0;
	say("munmap", t);
	printf("wrong %d\n", wrong);
}

/* Each process forks the next and writes; all but the last wait. */
static void
generations(size_t n)
{
	int *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int *own = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, ANON, -1, 0);
	uint64_t t = now();
	int status;

	for (size_t i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			printf("fork %zu: errno %d\n", i, errno);
			_exit(1);
		}
		if (pid > 0) {
			wait(&status);
			*shared += own[0] != (int)i;
			if (i != 0)
				_exit(status != 0);
			say("deep", t);
			printf("wrong %d\n", *shared + (status != 0));
			return;
		}
		own[0]++;
		own[i % 16 * (PAGE / sizeof(int)) + 1]++;
	}
	_exit(own[0] != (int)n);
}

int
main(int argc, char **argv)
{
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (argc < 3)
		return (2);
	if (strcmp(argv[1], "mappings") == 0) {
		printf("raised %d\n", put("/proc/sys/vm/max_map_count", "1000000"));
		mappings(n);
	} else if (strcmp(argv[1], "sparse") == 0) {
		sparse(n);
	} else {
		generations(n);
	}
	return (0);
}

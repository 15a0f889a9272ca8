/*
 * vmbench's table: runs each row in a process of its own, several times, and prints the least. A
 * child that fails costs its row only.
 */
#include "bench.h"
#include "lib/first.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS  4
#define SKIPPED 3 /* exit status of a row that does not apply */
#define SCRATCH "/tmp/vmbench.tmp"

static const char usage[] =
    "usage: vmbench [--list] [ROW]...\n"
    "What the paths of the virtual memory cost, in ticks of the time-stamp counter (instructions,\n"
    "where QEMU runs with -icount shift=0). ROW is a pattern as the shell's; none: all rows.\n"
    "Prints, separated by tabs: row, unit, ticks for one, and the floor (0: none reasoned).\n"
    "A row that cannot be measured is `row, unit, -, reason'.\n"
    "Exit: 0; 1 nothing was measured; 2 bad arguments.\n";

static const struct bench *const tables[] = {memory_rows, file_rows, process_rows, device_rows};

/* --- what rows share --------------------------------------------------------------------------- */

static int report_fd; /* where a child says what happened */

void
bench_fail(const char *what)
{
	dprintf(report_fd, "-\t%s: %s\n", what, strerror(errno));
	_exit(1);
}

void
bench_skip(const char *why)
{
	dprintf(report_fd, "-\t%s\n", why);
	_exit(SKIPPED);
}

uint8_t *
map_memory(size_t bytes, int prot, int flags, int fd)
{
	uint8_t *p = mmap(NULL, bytes, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		bench_fail("mmap");
	return (p);
}

int
scratch_file(size_t pages)
{
	static const char page[PAGE_SIZE] = "vmbench";
	static int fd = -1;

	if (fd >= 0)
		return (fd);
	fd = open(SCRATCH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		bench_fail(SCRATCH);
	unlink(SCRATCH);
	for (size_t i = 0; i < pages; i++)
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
			bench_fail("write to " SCRATCH);
	return (fd);
}

void
touch_write(uint8_t *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		*(volatile uint8_t *)(p + i * PAGE_SIZE) = 1;
}

void
touch_read(const uint8_t *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		(void)*(const volatile uint8_t *)(p + i * PAGE_SIZE);
}

/* --- running ------------------------------------------------------------------------------------ */

/* In the child: the least of ROUNDS, to report_fd. */
static void
measure(const struct bench *b)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t ticks = b->run(b->units);
		best = ticks < best ? ticks : best;
	}
	dprintf(report_fd, "%.1f\t%g\n", (double)best / (double)b->units, b->floor);
}

/* True if the row gave a number. */
static bool
run_row(const struct bench *b)
{
	char text[256] = "-\tit ended without a word\n";
	size_t len = 0;
	ssize_t n;
	FILE *report = tmpfile();

	if (report == NULL) {
		printf("%s\t%s\t-\ttmpfile: %s\n", b->name, b->unit, strerror(errno));
		return (false);
	}
	report_fd = fileno(report);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		measure(b);
		_exit(0);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	lseek(report_fd, 0, SEEK_SET);
	while (len < sizeof(text) - 1 &&
	       (n = read(report_fd, text + len, sizeof(text) - 1 - len)) > 0)
		text[len += (size_t)n] = '\0';
	fclose(report);
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "-\tkilled by signal %d\n", WTERMSIG(status));
	printf("%s\t%s\t%s", b->name, b->unit, text);
	fflush(stdout);
	return (status == 0);
}

/* True if a row is called so. */
static bool
names_row(const char *pattern)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct bench *b = tables[t]; b->name != NULL; b++)
			if (fnmatch(pattern, b->name, 0) == 0)
				return (true);
	return (false);
}

/* Run, or only name, each row that one of the patterns chooses, or every one if there is none. */
static bool
run_rows(char *const patterns[], int count, bool list)
{
	bool any = false, chosen;

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct bench *b = tables[t]; b->name != NULL; b++) {
			chosen = count == 0;
			for (int i = 0; i < count; i++)
				chosen |= fnmatch(patterns[i], b->name, 0) == 0;
			if (chosen && list)
				printf("%s\n", b->name);
			any |= chosen && (list || run_row(b));
		}
	return (any);
}

int
main(int argc, char **argv)
{
	uint64_t boot = tsc();
	bool list = argc > 1 && strcmp(argv[1], "--list") == 0, first = getpid() == 1;
	int count = 0;

	if (argc > 1 && strcmp(argv[1], BENCH_TRUE) == 0)
		return (0);
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return (0);
	}
	if (first)
		prepare_machine();
	for (int i = 1 + list; i < argc; i++) {
		if (names_row(argv[i])) {
			argv[count++] = argv[i];
		} else if (
		    !first) { /* Linux hands words of its own command line to the first one */
			fprintf(stderr, "vmbench: no row is called `%s' (see --list)\n", argv[i]);
			return (2);
		}
	}
	if (first && !list) /* all that went before was the boot */
		printf("boot\tboot\t%llu\t0\n", (unsigned long long)boot);
	return (run_rows(argv, count, list) ? 0 : 1);
}

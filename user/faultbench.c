/*
 * faultbench: what page faults and the calls around them cost. `faultbench` writes every page of a
 * mapping of VRAM once, by populate policy; `faultbench micro` times small operations, on any
 * Linux.
 *
 * A number of ticks is of the TSC. A policy is measured once, on a new mapping: when the last
 * mapping of VRAM goes, the pages leave the kernel's object, so that the next policy finds none.
 * The small operations are measured in batches of BATCH; the least of ROUNDS batches counts, less
 * what an empty loop costs.
 */
#include "lib/fbdev.h"
#include "lib/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BATCH        256 /* operations timed together */
#define ROUNDS       8
#define POLICIES_MAX 16
#define SCRATCH      "/tmp/faultbench.tmp"

static const char usage[] =
    "usage: faultbench [--policy POLICY]... [--all] [--size MiB] [--tsv] [POLICY]...\n"
    "       faultbench micro [--tsv]\n"
    "Without micro: map VRAM (all, or --size MiB of it), write every page once, count.\n"
    "  POLICY        single, window:N, whole or off, one after the other, each with a new mapping;\n"
    "                none: the one that is set\n"
    "  --all         off, single, window:16 and whole\n"
    "  --tsv         fields separated by tabs, no commas in numbers\n"
    "  columns       policy, pages, majflt and minflt (by getrusage), ticks, ticks/page (by rdtsc)\n"
    "micro: TSC ticks for one of each:\n"
    "  syscall       getpid by the SYSCALL instruction\n"
    "  anon-write    first write to a page of anonymous memory, with its fault\n"
    "  anon-read     first read of such a page\n"
    "  file-read     first read of a mapped page of a file that is in memory\n"
    "  munmap        munmap of a page that was written\n"
    "  mmap-munmap   mmap and munmap of a page that nobody touched\n"
    "  mprotect      a page that is mapped made read-only, or writable again\n"
    "  columns       name, ticks\n"
    "Exit: 0; 1 a call failed; 2 bad arguments.\n";

static bool tsv;

static _Noreturn void
fail(const char *what, int error)
{
	fprintf(stderr, "faultbench: %s: %s\n", what, strerror(error));
	exit(1);
}

/* --- VRAM by policy -------------------------------------------------------------------------- */

static void
bench_policy(const struct fbdev *fb, const char *policy, size_t size)
{
	char n[5][NUMBER_LEN];
	int error = fb_set_policy(policy);

	if (error != 0)
		fail(policy, error);
	volatile uint8_t *map = fb_map(fb, 0, size);
	if (map == NULL)
		fail("mmap of " FB_PATH, errno);

	size_t pages = size / PAGE_SIZE;
	struct fault_count before = faults_now();
	uint64_t start = tsc();
	for (size_t i = 0; i < pages; i++)
		map[i * PAGE_SIZE] = (uint8_t)i;
	uint64_t ticks = tsc() - start;
	struct fault_count after = faults_now();
	munmap((void *)map, size);

	uint64_t major = after.major - before.major, minor = after.minor - before.minor;
	if (tsv)
		printf("%s\t%zu\t%llu\t%llu\t%llu\t%.1f\n", policy, pages,
		       (unsigned long long)major, (unsigned long long)minor,
		       (unsigned long long)ticks, (double)ticks / (double)pages);
	else
		printf("%-12s %8s %8s %8s %14s %12s\n", policy, number(n[0], pages),
		       number(n[1], major), number(n[2], minor), number(n[3], ticks),
		       number_tenths(n[4], (double)ticks / (double)pages));
	fflush(stdout);
}

static void
bench_vram(char *const policies[], int count, unsigned long mib)
{
	struct fbdev fb;
	char was[32];
	int error = fb_open(&fb);

	if (error != 0)
		fail(FB_PATH, error);
	error = fb_get_policy(was, sizeof(was));
	if (error != 0)
		fail(FB_POLICY_PATH, error);
	size_t size = mib != 0 ? mib << 20 : fb.fix.smem_len / PAGE_SIZE * PAGE_SIZE;
	printf(tsv ? "%s\t%s\t%s\t%s\t%s\t%s\n" : "%-12s %8s %8s %8s %14s %12s\n", "policy",
	       "pages", "majflt", "minflt", "ticks", "ticks/page");
	for (int i = 0; i < count; i++)
		bench_policy(&fb, policies[i], size);
	if (count == 0)
		bench_policy(&fb, was, size);
	error = fb_set_policy(was);
	if (error != 0)
		fail(was, error);
	fb_close(&fb);
}

/* --- small operations ------------------------------------------------------------------------ */

struct micro {
	const char *name;
	void (*prepare)(void); /* not timed; may be NULL */
	void (*operation)(size_t i); /* the i-th of a batch */
	void (*finish)(void); /* not timed; may be NULL */
};

static uint8_t *area; /* BATCH pages */
static int scratch_fd = -1;

/* BATCH pages of anonymous memory or of a file. */
static void
map_area(int prot, int flags, int fd)
{
	area = mmap(NULL, BATCH * PAGE_SIZE, prot, flags | MAP_PRIVATE, fd, 0);
	if (area == MAP_FAILED)
		fail("mmap", errno);
}

static void
map_anon(void)
{
	map_area(PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1);
}

static void
write_page(size_t i)
{
	*(volatile uint8_t *)(area + i * PAGE_SIZE) = 1;
}

static void
read_page(size_t i)
{
	(void)*(volatile uint8_t *)(area + i * PAGE_SIZE);
}

static void
map_anon_written(void)
{
	map_anon();
	for (size_t i = 0; i < BATCH; i++)
		write_page(i);
}

static void
map_file(void)
{
	map_area(PROT_READ, 0, scratch_fd);
}

static void
unmap_area(void)
{
	munmap(area, BATCH * PAGE_SIZE);
}

static void
unmap_page(size_t i)
{
	munmap(area + i * PAGE_SIZE, PAGE_SIZE);
}

/* Not by way of the C library, whose share would be as large as the kernel's. */
static void
null_call(size_t i)
{
	long number = SYS_getpid;

	(void)i;
	__asm__ volatile("syscall" : "+a"(number)::"rcx", "r11", "memory");
}

static void
map_unmap(size_t i)
{
	(void)i;
	munmap(mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	       PAGE_SIZE);
}

static void
protect_page(size_t i)
{
	mprotect(area, PAGE_SIZE, i & 1 ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void
nothing(size_t i)
{
	(void)i;
}

static const struct micro empty_loop = {"", NULL, nothing, NULL};
static const struct micro micros[] = {
    {"syscall", NULL, null_call, NULL},
    {"anon-write", map_anon, write_page, unmap_area},
    {"anon-read", map_anon, read_page, unmap_area},
    {"file-read", map_file, read_page, unmap_area},
    {"munmap", map_anon_written, unmap_page, NULL},
    {"mmap-munmap", NULL, map_unmap, NULL},
    {"mprotect", map_anon_written, protect_page, unmap_area},
};

/* Ticks for a batch, the least of ROUNDS. */
static uint64_t
least(const struct micro *m)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		if (m->prepare != NULL)
			m->prepare();
		uint64_t start = tsc();
		for (size_t i = 0; i < BATCH; i++)
			m->operation(i);
		uint64_t ticks = tsc() - start;
		if (m->finish != NULL)
			m->finish();
		best = ticks < best ? ticks : best;
	}
	return (best);
}

/* A file of BATCH pages, written just now and so in memory. */
static void
make_scratch(void)
{
	static const char page[PAGE_SIZE] = "faultbench";

	scratch_fd = open(SCRATCH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (scratch_fd < 0)
		fail(SCRATCH, errno);
	for (int i = 0; i < BATCH; i++)
		if (write(scratch_fd, page, sizeof(page)) != (ssize_t)sizeof(page))
			fail(SCRATCH, errno);
}

static void
bench_micro(void)
{
	char buf[NUMBER_LEN];
	uint64_t loop = least(&empty_loop);

	make_scratch();
	printf(tsv ? "%s\t%s\n" : "%-12s %12s\n", "name", "ticks");
	for (size_t i = 0; i < sizeof(micros) / sizeof(micros[0]); i++) {
		uint64_t ticks = least(&micros[i]);
		double each = ticks > loop ? (double)(ticks - loop) / BATCH : 0;
		if (tsv)
			printf("%s\t%.1f\n", micros[i].name, each);
		else
			printf("%-12s %12s\n", micros[i].name, number_tenths(buf, each));
	}
	close(scratch_fd);
	unlink(SCRATCH);
}

/* --- arguments ------------------------------------------------------------------------------- */

static _Noreturn void
bad_usage(const char *what, const char *arg)
{
	fprintf(stderr, "faultbench: %s `%s' (see --help)\n", what, arg);
	exit(2);
}

static unsigned long
parse_mib(const char *text)
{
	char *end;
	unsigned long mib = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || mib == 0 || mib > 4096)
		bad_usage("not a size in MiB from 1 to 4096:", text);
	return (mib);
}

int
main(int argc, char **argv)
{
	static char *every[] = {"off", "single", "window:16", "whole"};
	char *policies[POLICIES_MAX];
	unsigned long mib = 0;
	int count = 0;
	bool micro = false, all = false;

	for (int i = 1; i < argc; i++) {
		char *arg = argv[i];
		bool valued = strcmp(arg, "--policy") == 0 || strcmp(arg, "--size") == 0;
		if (valued && i + 1 == argc)
			bad_usage("no value for", arg);
		if (strcmp(arg, "--help") == 0) {
			fputs(usage, stdout);
			return (0);
		} else if (strcmp(arg, "--tsv") == 0)
			tsv = true;
		else if (strcmp(arg, "--all") == 0)
			all = true;
		else if (strcmp(arg, "--size") == 0)
			mib = parse_mib(argv[++i]);
		else if (strcmp(arg, "micro") == 0)
			micro = true;
		else if (arg[0] == '-' && !valued)
			bad_usage("unknown option", arg);
		else if (count == POLICIES_MAX)
			bad_usage("one policy too many:", arg);
		else
			policies[count++] = valued ? argv[++i] : arg;
	}
	if (micro && (count > 0 || all || mib != 0))
		bad_usage("micro takes no policy and no size:", "micro");
	if (all && count > 0)
		bad_usage("--all and a policy:", policies[0]);
	if (micro)
		bench_micro();
	else if (all)
		bench_vram(every, sizeof(every) / sizeof(every[0]), mib);
	else
		bench_vram(policies, count, mib);
	return (0);
}

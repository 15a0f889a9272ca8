/*
 * fbsuper table             what mapping all of VRAM costs: by superpages, and without them
 * fbsuper parts             munmap, mprotect, mlock of a part of a superpage: contents and rights after
 * fbsuper die munmap|mprotect   touch the part that went, or write to the one made read-only
 * fbsuper random SEED STEPS     such changes at random against a model
 * Prints what it measured, or a line for each thing that is not as it should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096ul
#define SP   512ul /* pages of a superpage */

static int fb, zero, scratch;
static size_t size; /* of VRAM */
static int wrong;

#define EXPECT(what)                                                 \
	do {                                                         \
		if (!(what)) {                                       \
			printf("%d: not so: %s\n", __LINE__, #what); \
			wrong = 1;                                   \
		}                                                    \
	} while (0)

/* A number of /proc/quire/stats. */
static long
count(const char *name)
{
	static char text[8192];
	int fd = open("/proc/quire/stats", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	size_t len = strlen(name);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && line[len] == ' ')
			return (atol(line + len));
	}
	printf("no count %s\n", name);
	exit(1);
}

static long
faults(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (use.ru_majflt + use.ru_minflt);
}

static void
allow_superpages(const char *value)
{
	int fd = open("/proc/sys/vm/superpages", O_WRONLY);

	if (fd < 0 || write(fd, value, 1) != 1) {
		perror("/proc/sys/vm/superpages");
		exit(1);
	}
	close(fd);
}

static volatile unsigned char *
map(void *at, size_t length, int flags, size_t offset)
{
	void *p = mmap(at, length, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fb, (off_t)offset);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return (p);
}

/* --- the table -------------------------------------------------------------------------------- */

static void
measure(const char *name, int advise)
{
	long was_faults, was_stores, was_supers;
	volatile unsigned char *p = map(NULL, size, 0, 0);

	if (advise && madvise((void *)p, size, MADV_NOHUGEPAGE) != 0)
		perror("madvise");
	was_stores = count("pte_writes");
	was_supers = count("superpages_entered");
	was_faults = faults();
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = 1;
	printf("%s faults %ld\n", name, faults() - was_faults);
	printf("%s stores %ld\n", name, count("pte_writes") - was_stores);
	printf("%s superpages %ld\n", name, count("superpages_entered") - was_supers);
	munmap((void *)p, size);
}

static void
table(void)
{
	measure("whole", 0);
	measure("advised", 1);
	allow_superpages("0");
	measure("off", 0);
	allow_superpages("1");
	measure("again", 0);
}

/* --- one page, by all ways -------------------------------------------------------------------- */

/* The kernel copies as the program itself could: EFAULT instead of a signal. */
static int
readable(volatile unsigned char *p)
{
	return (pwrite(scratch, (const void *)p, 1, 0) == 1);
}

/* Writes a 0 there if it can. */
static int
writable(volatile unsigned char *p)
{
	return (read(zero, (void *)p, 1) == 1);
}

static unsigned char
vram_byte(size_t page)
{
	unsigned char byte = 0;

	if (pread(fb, &byte, 1, (off_t)(page * PAGE)) != 1)
		perror("pread");
	return (byte);
}

static void
vram_store(size_t page, unsigned char byte)
{
	if (pwrite(fb, &byte, 1, (off_t)(page * PAGE)) != 1)
		perror("pwrite");
}

enum { GONE = 0, READ = PROT_READ, BOTH = PROT_READ | PROT_WRITE };

/* p maps that page of VRAM with these rights, and no others. */
static void
check_page(volatile unsigned char *p, size_t page, int rights, unsigned char byte)
{
	vram_store(page, byte);
	if (readable(p) != (rights != GONE) || (rights != GONE && *p != byte)) {
		printf("%p, page %zu, rights %d: cannot read, or not %d\n", (void *)p, page, rights,
		       byte);
		wrong = 1;
	}
	if (writable(p) != (rights == BOTH) || vram_byte(page) != (rights == BOTH ? 0 : byte)) {
		printf("%p, page %zu, rights %d: cannot write, or can\n", (void *)p, page, rights);
		wrong = 1;
	}
	if (rights == BOTH) {
		*p = byte;
		if (vram_byte(page) != byte) {
			printf("%p, page %zu: what was written is not there\n", (void *)p, page);
			wrong = 1;
		}
	}
}

/* --- parts ------------------------------------------------------------------------------------ */

static void
check_all(volatile unsigned char *p, size_t from, size_t to, int rights)
{
	static const size_t pages[] = {0, 1, 511, 512, 599, 600, 601, 649, 650, 651, 1023, 1024};

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		int in = pages[i] >= from && pages[i] < to;

		check_page(p + pages[i] * PAGE, pages[i], in ? rights : BOTH,
			   (unsigned char)(pages[i] + 1));
	}
}

static volatile unsigned char *
map_touched(void)
{
	volatile unsigned char *p = map(NULL, size, 0, 0);
	long before = count("superpages_entered");

	*p = 1;
	EXPECT(count("superpages_entered") - before == (long)(size / PAGE / SP));
	return (p);
}

static void
parts(void)
{
	volatile unsigned char *p = map_touched();
	long demoted = count("superpages_demoted");

	munmap((void *)(p + 600 * PAGE), 50 * PAGE);
	EXPECT(count("superpages_demoted") == demoted + 1);
	check_all(p, 600, 650, GONE);
	munmap((void *)p, size);

	p = map_touched();
	mprotect((void *)(p + 600 * PAGE), 50 * PAGE, PROT_READ);
	check_all(p, 600, 650, READ);
	mprotect((void *)(p + 600 * PAGE), 50 * PAGE, PROT_NONE);
	check_all(p, 600, 650, GONE);
	mprotect((void *)(p + 600 * PAGE), 50 * PAGE, PROT_READ | PROT_WRITE);
	check_all(p, 600, 650, BOTH);
	munmap((void *)p, size);

	p = map_touched();
	demoted = count("superpages_demoted");
	for (int round = 0; round < 2; round++) {
		EXPECT(mlock((void *)(p + 600 * PAGE), 50 * PAGE) == 0);
		EXPECT(count("superpages_demoted") == demoted + 1);
		check_all(p, 0, 0, BOTH);
		EXPECT(munlock((void *)(p + 600 * PAGE), 50 * PAGE) == 0);
		check_all(p, 0, 0, BOTH);
		EXPECT(count("pages_busied") == 0);
	}
	EXPECT(mlock((void *)p, size) == 0);
	check_all(p, 0, 0, BOTH);
	munmap((void *)(p + 600 * PAGE), 50 * PAGE); /* locked */
	check_all(p, 600, 650, GONE);
	munmap((void *)p, size);
}

static void
die(const char *how)
{
	volatile unsigned char *p = map_touched();

	if (strcmp(how, "munmap") == 0)
		munmap((void *)(p + 600 * PAGE), PAGE);
	else
		mprotect((void *)(p + 600 * PAGE), PAGE, PROT_READ);
	p[599 * PAGE] = p[601 * PAGE] = 1;
	printf("so far\n");
	fflush(stdout);
	p[600 * PAGE] = 1;
	printf("still alive\n");
}

/* --- at random -------------------------------------------------------------------------------- */

static uint64_t state;

static size_t
below(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state % n);
}

/* What each page of the area maps. */
struct slot {
	size_t page; /* of VRAM */
	int rights;
	int mapped; /* PROT_NONE is mapped, too */
};
static struct slot *model;
static size_t npages;
static volatile unsigned char *area;

static void
step(void)
{
	size_t first = below(npages), n = 1 + below(below(4) == 0 ? npages : 40), to;
	volatile unsigned char *p;
	int rights;

	if (below(3) == 0)
		first &= ~(SP - 1);
	n = n > npages - first ? npages - first : n;
	p = area + first * PAGE;
	switch (below(8)) {
	case 0:
		munmap((void *)p, n * PAGE);
		for (size_t i = first; i < first + n; i++)
			model[i] = (struct slot){0};
		break;
	case 1:
	case 2: /* stops at a hole, as Linux does */
		rights = (int)below(4) == 0 ? GONE : below(2) == 0 ? READ : BOTH;
		mprotect((void *)p, n * PAGE, rights);
		for (size_t i = first; i < first + n && model[i].mapped; i++)
			model[i].rights = rights;
		break;
	case 3:
		mlock((void *)p, n * PAGE);
		break;
	case 4:
		munlock((void *)p, n * PAGE);
		break;
	default: /* mostly in the place that has superpages */
		if (below(2) == 0) {
			first &= ~(SP - 1);
			n = below(2) == 0 ? SP : npages - first;
			p = area + first * PAGE;
		}
		to = below(4) != 0 ? first : below(npages - n + 1);
		map((void *)p, n * PAGE, MAP_FIXED, to * PAGE);
		for (size_t i = 0; i < n; i++)
			model[first + i] = (struct slot){to + i, BOTH, 1};
		break;
	}
}

static void
random_steps(long steps)
{
	npages = size / PAGE;
	model = calloc(npages, sizeof(*model));
	area = map(NULL, size, 0, 0);
	for (size_t i = 0; i < npages; i++)
		model[i] = (struct slot){i, BOTH, 1};
	for (long s = 0; s < steps && !wrong; s++) {
		step();
		for (int n = 0; n < 6; n++) {
			size_t i = below(npages);

			check_page(area + i * PAGE, model[i].page, model[i].rights,
				   (unsigned char)(1 + below(255)));
		}
	}
	munlock((void *)area, size);
	munmap((void *)area, size);
	free(model);
	printf("demotions %d\n", count("superpages_demoted") > 10);
}

/* --- counts back where they were -------------------------------------------------------------- */

static const char *const counts[] = {"pages_free", "pages_wired",  "pages_busied",
				     "objects",    "map_entries",  "pv_entries",
				     "pt_pages",   "pages_active", "pages_inactive"};
#define NCOUNTS (sizeof(counts) / sizeof(counts[0]))

static void
work(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "table") == 0)
		table();
	else if (argc > 1 && strcmp(argv[1], "parts") == 0)
		parts();
	else if (argc > 2 && strcmp(argv[1], "die") == 0)
		die(argv[2]);
	else if (argc > 3 && strcmp(argv[1], "random") == 0)
		random_steps(atol(argv[3]));
}

int
main(int argc, char **argv)
{
	struct fb_fix_screeninfo fix;
	long before[NCOUNTS];
	volatile char stack[64 * 1024]; /* touched now, not while counts are compared */

	setvbuf(stdout, NULL, _IOLBF, 0);
	fb = open("/dev/fb0", O_RDWR);
	zero = open("/dev/zero", O_RDONLY);
	scratch = open("/tmp/scratch", O_RDWR | O_CREAT, 0600);
	if (fb < 0 || zero < 0 || pwrite(scratch, "", 1, 0) != 1 ||
	    ioctl(fb, FBIOGET_FSCREENINFO, &fix) != 0) {
		perror("/dev/fb0");
		return (1);
	}
	size = fix.smem_len;
	for (size_t i = 0; i < sizeof(stack); i += PAGE)
		stack[i] = 1;
	state = argc > 2 ? strtoul(argv[2], NULL, 0) * 0x9e3779b97f4a7c15ul + 1 : 1;
	for (int round = 0; round < 2; round++) { /* the first for what is allocated once */
		for (size_t i = 0; i < NCOUNTS; i++)
			before[i] = count(counts[i]);
		work(argc, argv);
	}
	for (size_t i = 0; i < NCOUNTS; i++)
		if (count(counts[i]) != before[i]) {
			printf("%s was %ld and is %ld\n", counts[i], before[i], count(counts[i]));
			wrong = 1;
		}
	return (wrong);
}

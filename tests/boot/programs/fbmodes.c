/*
 * fbmodes: map VRAM twice, the second time a part of it, and change the mode between touches:
 * each mapping faults again, and again sees what the other draws. Then the kernel's counts are as
 * before.
 */
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
#define PART (64 * PAGE)

static int fd;
static struct fb_fix_screeninfo fix;
static struct fb_var_screeninfo var;

static uint64_t
stat_of(const char *name)
{
	static char text[16384];
	int f = open("/proc/quire/stats", O_RDONLY);
	size_t n = 0;
	ssize_t r;
	char *line;

	while (n < sizeof(text) - 1 && (r = read(f, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	text[n] = '\0';
	close(f);
	for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ' ')
			return (strtoull(line + strlen(name), NULL, 10));
	}
	printf("no %s\n", name);
	exit(1);
}

static const char *const counts[] = {"objects", "map_entries", "pv_entries", "pages_busied",
				     "pt_pages"};
#define NCOUNTS (sizeof(counts) / sizeof(counts[0]))

static long
faults(void)
{
	static long before;
	struct rusage use;
	long now, n;

	getrusage(RUSAGE_SELF, &use);
	now = use.ru_majflt + use.ru_minflt;
	n = now - before;
	before = now;
	return (n);
}

static void
set_mode(uint32_t width, uint32_t height, uint32_t y)
{
	var.xres = var.xres_virtual = width;
	var.yres = var.yres_virtual = height;
	var.yres_virtual += 100;
	var.yoffset = y;
	if (ioctl(fd, FBIOPUT_VSCREENINFO, &var) != 0) {
		perror("FBIOPUT_VSCREENINFO");
		exit(1);
	}
}

/* Write through one mapping, read through the other. */
static void
touch(const char *what, volatile uint8_t *all, volatile uint8_t *part, uint8_t value)
{
	long n;

	faults();
	all[PART + 5] = value;
	n = faults();
	for (size_t at = 0; at < PART; at += PAGE)
		all[PART + at] = (uint8_t)(value + at / PAGE);
	printf("%s: %ld, then %ld;", what, n, faults());
	for (size_t at = 0; at < PART; at += PAGE) {
		if (part[at] != (uint8_t)(value + at / PAGE))
			printf(" page %zu differs", at / PAGE);
	}
	printf(" the other %ld\n", faults());
}

static void
round_of_modes(void)
{
	volatile uint8_t *all, *part;

	set_mode(800, 600, 0);
	all = mmap(NULL, fix.smem_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	part = mmap(NULL, PART, PROT_READ, MAP_SHARED, fd, PART);
	if (all == MAP_FAILED || part == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	touch("mapped", all, part, 1);
	touch("again", all, part, 2);
	set_mode(640, 480, 0);
	touch("another mode", all, part, 3);
	set_mode(640, 480, 50);
	touch("panned", all, part, 4);
	set_mode(640, 480, 50);
	touch("the same mode", all, part, 5);
	if (mlock((const void *)(all + PART), PART) != 0)
		perror("mlock");
	set_mode(1024, 768, 0);
	touch("mlocked, another mode", all, part, 6);
	if (munlock((const void *)(all + PART), PART) != 0)
		perror("munlock");
	munmap((void *)all, fix.smem_len);
	munmap((void *)part, PART);
}

int
main(void)
{
	uint64_t before[NCOUNTS], now;

	setvbuf(stdout, NULL, _IONBF, 0);
	fd = open("/dev/fb0", O_RDWR);
	if (fd < 0 || ioctl(fd, FBIOGET_FSCREENINFO, &fix) != 0 ||
	    ioctl(fd, FBIOGET_VSCREENINFO, &var) != 0) {
		perror("/dev/fb0");
		return (1);
	}
	stat_of("objects");
	round_of_modes(); /* the program's own pages are there after it */
	for (size_t i = 0; i < NCOUNTS; i++)
		before[i] = stat_of(counts[i]);
	round_of_modes();
	for (size_t i = 0; i < NCOUNTS; i++) {
		now = stat_of(counts[i]);
		printf("%s: %s\n", counts[i], now == before[i] ? "the same" : "differs");
	}
	return (0);
}

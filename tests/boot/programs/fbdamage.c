/*
 * fbdamage POLICY: draw on VRAM in every way there is with damage tracking on, and after each say
 * what the ioctl calls damaged, with the faults it took. docs/damage.md describes the ioctl.
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

#define PAGE     4096ul
#define MAX_PAGE 65536

struct quire_fb_damage {
	uint64_t bitmap;
	uint32_t first, npages, damaged, reserved;
};
#define FBIO_QUIRE_DAMAGE _IOWR('Q', 1, struct quire_fb_damage)

static int fd;
static struct fb_fix_screeninfo fix;
static uint8_t bitmap[MAX_PAGE / 8];
static uint32_t npages;

static void
put(const char *path, const char *text)
{
	int f = open(path, O_WRONLY);

	if (f < 0 || write(f, text, strlen(text)) != (ssize_t)strlen(text)) {
		perror(path);
		exit(1);
	}
	close(f);
}

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

static int
take(void *bits, uint32_t first, uint32_t n)
{
	struct quire_fb_damage d = {.bitmap = (uintptr_t)bits, .first = first, .npages = n};
	int damaged = ioctl(fd, FBIO_QUIRE_DAMAGE, &d);

	return (damaged == 0 ? (int)d.damaged : damaged);
}

static int
is_set(const uint8_t *bits, uint32_t i)
{
	return (bits[i / 8] >> i % 8 & 1);
}

static void
print_bits(const uint8_t *bits)
{
	for (uint32_t i = 0, end; i < npages; i = end) {
		for (end = i + 1; end < npages && is_set(bits, end) == is_set(bits, i);)
			end++;
		if (is_set(bits, i))
			printf(" %u-%u", i, end - 1);
	}
	printf("\n");
}

static void
show(const char *what)
{
	long n = faults();
	int damaged;

	memset(bitmap, 0, sizeof(bitmap));
	damaged = take(bitmap, 0, npages);
	printf("%s: %ld faults, %d damaged:", what, n, damaged);
	print_bits(bitmap);
	faults();
}

static void
show_error(const char *what, int result)
{
	printf("%s: %s\n", what, result >= 0 ? "ok" : strerror(errno));
}

/* The text of /proc/quire/fb/damage, read one byte at a time, as one line. */
static void
show_text(void)
{
	int f = open("/proc/quire/fb/damage", O_RDONLY);
	char c;

	printf("text:");
	for (int start = 1; read(f, &c, 1) == 1; start = c == '\n') {
		if (start)
			putchar(' ');
		if (c != '\n')
			putchar(c);
	}
	printf("\n");
	close(f);
}

static void
draw(volatile uint8_t *p)
{
	uint8_t sum = 0;
	int f;

	memset(bitmap, 0, sizeof(bitmap)); /* the faults of its own pages are not VRAM's */
	faults();
	for (uint32_t i = 0; i < npages; i++)
		sum |= p[i * PAGE];
	show("read");
	p[3 * PAGE + 17] = sum;
	show("write 3");
	p[100 * PAGE] = p[101 * PAGE] = 1;
	p[100 * PAGE] = 2;
	show("write 100 101");
	p[100 * PAGE] = 3;
	show("write 100 again");
	p[200 * PAGE] = 1;
	show_text();
	show_text();
	show("write 200");
	show_text();
	if (pwrite(fd, bitmap, 10000, 8 * PAGE + 4000) != 10000)
		perror("pwrite");
	show("pwrite");
	f = open("/bin/fbdamage", O_RDONLY);
	if (read(f, (void *)(p + 300 * PAGE + 4), 8) != 8)
		perror("read");
	close(f);
	show("read(2) into page 300");
}

/* What cannot be told is not lost. */
static void
bad_calls(volatile uint8_t *p)
{
	struct quire_fb_damage d = {.bitmap = (uintptr_t)bitmap, .npages = 8, .reserved = 1};

	p[5 * PAGE] = 1;
	show_error("bitmap nowhere", take(NULL, 0, npages));
	show_error("struct nowhere", ioctl(fd, FBIO_QUIRE_DAMAGE, NULL));
	show_error("reserved", ioctl(fd, FBIO_QUIRE_DAMAGE, &d));
	show_error("a page too many", take(bitmap, 0, npages + 1));
	show_error("past the end", take(bitmap, npages + 1, 0));
	show_error("wraps", take(bitmap, 1, ~0u));
	show_error("no page", take(bitmap, npages, 0));
	show("page 5 after these");
	p[6 * PAGE] = 1;
	printf("bitmap in VRAM: %d\n", take((void *)(p + 400 * PAGE), 0, 8));
	printf("its first byte: %d\n", p[400 * PAGE]);
	show("drawn on by that");
}

int
main(int argc, char **argv)
{
	volatile uint8_t *p;
	struct fb_var_screeninfo var;

	fd = open("/dev/fb0", O_RDWR);
	if (argc != 2 || fd < 0 || ioctl(fd, FBIOGET_FSCREENINFO, &fix) != 0 ||
	    ioctl(fd, FBIOGET_VSCREENINFO, &var) != 0) {
		perror("/dev/fb0");
		return (1);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	npages = fix.smem_len / PAGE;
	put("/proc/sys/dev/fb/populate", argv[1]);
	show_error("while it is off", take(bitmap, 0, npages));
	show_text();
	put("/proc/sys/dev/fb/damage", "1");
	p = mmap(NULL, fix.smem_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		return (1);
	}
	draw(p);
	bad_calls(p);
	p[7 * PAGE] = 1;
	munmap((void *)p, fix.smem_len);
	show("write 7, munmap");
	var.xres = var.xres_virtual = 640;
	var.yres = var.yres_virtual = 480;
	show_error("mode", ioctl(fd, FBIOPUT_VSCREENINFO, &var));
	show("mode change");
	put("/proc/sys/dev/fb/damage", "0");
	show_error("off again", take(bitmap, 0, npages));
	return (0);
}

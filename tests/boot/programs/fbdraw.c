/*
 * fbdraw [WIDTH HEIGHT]: draw a known picture, each pixel told by its place, one quarter each by
 * a shared mapping of all VRAM, a mapping of an inner range, pwrite, and write; read it back.
 */
#include <fcntl.h>
#include <linux/fb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fb_fix_screeninfo fix;
static struct fb_var_screeninfo var;
static int fd;

static uint32_t
pixel(uint32_t x, uint32_t y)
{
	return (((x & 255) << 16) | ((y & 255) << 8) | ((x >> 8) * 16 + (y >> 8)));
}

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static uint32_t
line_of(uint32_t *line, uint32_t y)
{
	for (uint32_t x = 0; x < var.xres; x++)
		line[x] = pixel(x, y);
	return (var.xres * 4);
}

static void
draw(void)
{
	uint32_t quarter = var.yres / 4, *line = malloc(var.xres * 4), n;
	off_t inner = (off_t)quarter * fix.line_length & ~4095l;
	size_t len = 2 * (size_t)quarter * fix.line_length - (size_t)inner;
	uint8_t *all = mmap(NULL, fix.smem_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint8_t *part = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, inner);

	check(all != MAP_FAILED && part != MAP_FAILED, "mmap");
	for (uint32_t y = 0; y < var.yres; y++) {
		off_t at = (off_t)y * fix.line_length;

		n = line_of(line, y);
		if (y < quarter)
			memcpy(all + at, line, n);
		else if (y < 2 * quarter)
			memcpy(part + at - inner, line, n);
		else if (y < 3 * quarter)
			check(pwrite(fd, line, n, at) == (ssize_t)n, "pwrite");
		else
			check(lseek(fd, at, SEEK_SET) == at && write(fd, line, n) == (ssize_t)n,
			      "write");
	}
	for (uint32_t y = 0; y < var.yres; y++) {
		n = line_of(line, y);
		if (memcmp(all + (size_t)y * fix.line_length, line, n) != 0)
			printf("line %u differs\n", y);
	}
}

int
main(int argc, char **argv)
{
	fd = open("/dev/fb0", O_RDWR);
	check(fd >= 0, "/dev/fb0");
	check(ioctl(fd, FBIOGET_VSCREENINFO, &var) == 0, "FBIOGET_VSCREENINFO");
	if (argc == 3) {
		var.xres = var.xres_virtual = (uint32_t)atoi(argv[1]);
		var.yres = var.yres_virtual = (uint32_t)atoi(argv[2]);
		check(ioctl(fd, FBIOPUT_VSCREENINFO, &var) == 0, "FBIOPUT_VSCREENINFO");
		check(ioctl(fd, FBIOGET_VSCREENINFO, &var) == 0, "FBIOGET_VSCREENINFO");
	}
	check(ioctl(fd, FBIOGET_FSCREENINFO, &fix) == 0, "FBIOGET_FSCREENINFO");
	printf("%u x %u, %u bits, red at %u, memory %u\n", var.xres, var.yres, var.bits_per_pixel,
	       var.red.offset, fix.smem_len);
	fflush(stdout);
	draw();
	return (0);
}

/*
 * Bad uses of /dev/fb0: a line with the errno for each. What is right is right for Linux's fbdev.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL 0xffffffff80200000ul

static int fd;
static size_t size;

static void
show(const char *what, long result)
{
	printf("%s: %s\n", what, result >= 0 ? "ok" : strerror(errno));
}

static void
show_mmap(const char *what, size_t len, int flags, uint64_t offset)
{
	long r = syscall(SYS_mmap, 0, len, PROT_READ | PROT_WRITE, flags, fd, offset);

	show(what, r);
	if (r > 0)
		munmap((void *)r, len);
}

static void
mmaps(void)
{
	show_mmap("all", size, MAP_SHARED, 0);
	show_mmap("the last page", 4096, MAP_SHARED, size - 4096);
	show_mmap("private", size, MAP_PRIVATE, 0);
	show_mmap("a byte", 1, MAP_SHARED, 0);
	show_mmap("one page too many", size + 4096, MAP_SHARED, 0);
	show_mmap("over the end", 8192, MAP_SHARED, size - 4096);
	show_mmap("past the end", 4096, MAP_SHARED, size);
	show_mmap("far past the end", 4096, MAP_SHARED, 1ul << 40);
	show_mmap("an odd offset", 4096, MAP_SHARED, 100);
	show_mmap("nothing", 0, MAP_SHARED, 0);
	show_mmap("offset wraps", 8192, MAP_SHARED, -4096ul);
	show_mmap("length wraps", -4096ul, MAP_SHARED, 4096);
}

static void
put(const char *what, struct fb_var_screeninfo var, uint32_t width, uint32_t height, uint32_t bpp)
{
	var.xres = width;
	var.yres = height;
	var.xres_virtual = width;
	var.yres_virtual = height;
	var.bits_per_pixel = bpp;
	show(what, ioctl(fd, FBIOPUT_VSCREENINFO, &var));
}

static void
modes(void)
{
	struct fb_var_screeninfo var;

	show("get", ioctl(fd, FBIOGET_VSCREENINFO, &var));
	put("same mode", var, var.xres, var.yres, var.bits_per_pixel);
	put("a mode with no end", var, 0xffffffff, 0xffffffff, 32);
	put("a mode whose size wraps", var, 0x10000, 0x10000, 32);
	put("a mode too big for VRAM", var, 16000, 12000, 32);
	put("100 bits a pixel", var, 1024, 768, 100);
	var.yoffset = 0xffffff00;
	show("pan far away", ioctl(fd, FBIOPAN_DISPLAY, &var));
	show("pan from nowhere", ioctl(fd, FBIOPAN_DISPLAY, KERNEL));
	show("get to nowhere", ioctl(fd, FBIOGET_VSCREENINFO, KERNEL));
	show("fix to nowhere", ioctl(fd, FBIOGET_FSCREENINFO, NULL));
	show("no such ioctl", ioctl(fd, 0x46ff, &var));
}

static void
transfers(void)
{
	char buf[64];

	show("seek to the end", lseek(fd, (off_t)size, SEEK_SET));
	printf("read at the end: %zd\n", read(fd, buf, sizeof(buf)));
	show("write at the end", write(fd, buf, sizeof(buf)));
	printf("read over the end: %zd\n", pread(fd, buf, sizeof(buf), (off_t)size - 10));
	printf("write over the end: %zd\n", pwrite(fd, buf, sizeof(buf), (off_t)size - 10));
	show("read to nowhere", pread(fd, (void *)KERNEL, 64, 0));
	show("write from nowhere", pwrite(fd, (void *)KERNEL, 64, 0));
	show("seek below zero", lseek(fd, -1, SEEK_SET));
}

int
main(void)
{
	struct fb_fix_screeninfo fix;

	fd = open("/dev/fb0", O_RDWR);
	if (fd < 0 || ioctl(fd, FBIOGET_FSCREENINFO, &fix) != 0) {
		printf("/dev/fb0: %s\n", strerror(errno));
		return (1);
	}
	size = fix.smem_len;
	mmaps();
	modes();
	transfers();
	return (0);
}

/*
 * Time stamps under --icount, where one tick is one instruction: mmap of all VRAM, its first touch,
 * touching every page, and munmap; by small entries, then by superpages. The least of some runs
 * each.
 */
#include <fcntl.h>
#include <linux/fb.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RUNS 5

static uint64_t
now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return ((uint64_t)high << 32 | low);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return (a < b ? a : b);
}

/* The parts of what is measured. */
enum { MMAP, FIRST, REST, MUNMAP, NPARTS };

static int
measure(const char *name, int fd, size_t size, const char *superpages)
{
	static const char *const names[] = {"mmap", "first touch", "touches", "munmap"};
	uint64_t best[NPARTS] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	int knob = open("/proc/sys/vm/superpages", O_WRONLY);

	if (write(knob, superpages, 1) != 1)
		return (1);
	close(knob);
	for (int i = 0; i < RUNS; i++) {
		uint64_t t[NPARTS + 1];
		volatile char *p;

		t[MMAP] = now();
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			return (1);
		t[FIRST] = now();
		*p = 1;
		t[REST] = now();
		for (size_t at = 4096; at < size; at += 4096)
			p[at] = 1;
		t[MUNMAP] = now();
		munmap((void *)p, size);
		t[NPARTS] = now();
		for (int part = 0; part < NPARTS; part++)
			best[part] = least(best[part], t[part + 1] - t[part]);
	}
	for (int part = 0; part < NPARTS; part++)
		printf("%s %s %lu\n", name, names[part], best[part]);
	return (0);
}

int
main(void)
{
	struct fb_fix_screeninfo fix;
	int fd = open("/dev/fb0", O_RDWR);

	if (fd < 0 || ioctl(fd, FBIOGET_FSCREENINFO, &fix) != 0)
		return (1);
	printf("pages %u\n", fix.smem_len / 4096);
	return (measure("small", fd, fix.smem_len, "0") || measure("super", fd, fix.smem_len, "1"));
}

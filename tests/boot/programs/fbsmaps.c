/*
 * /proc/self/smaps over three mappings of VRAM: whole, whole by small entries, and whole with a
 * part locked. A line for each: kB that are resident, kB by 2 MiB entries, kB locked, and whether
 * superpages were refused; then the names of all fields.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/fb.h>

static size_t size;

static volatile char *
map(int fd, int advice)
{
	volatile char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED || (advice != 0 && madvise((void *)p, size, advice) != 0))
		exit(1);
	for (size_t i = 0; i < size; i += 2 << 20)
		p[i] = 1; /* a fault for all, or where all is resident for 2 MiB */
	return (p);
}

static void
print(void)
{
	unsigned long from, to, start = 0, end = 0, resident = 0, super = 0, locked = 0;
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512], names[1024] = "";
	int in_vram = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2) {
			start = from, end = to;
			in_vram = strstr(line, "/dev/fb0") != NULL;
		}
		if (strstr(line, ":  ") != NULL && strstr(names, "VmFlags") == NULL) {
			strncat(names, line, strcspn(line, ":"));
			strcat(names, " ");
		}
		sscanf(line, "Rss: %lu", &resident);
		sscanf(line, "FilePmdMapped: %lu", &super);
		sscanf(line, "Locked: %lu", &locked);
		if (strncmp(line, "VmFlags:", 8) != 0)
			continue;
		if (strstr(names, "VmFlags") == NULL)
			strcat(names, "VmFlags");
		if (in_vram)
			printf("%lu kB: resident %lu super %lu locked %lu%s\n", (end - start) >> 10,
			       resident, super, locked, strstr(line, " nh") ? " refused" : "");
	}
	printf("fields: %s\n", names);
	fclose(f);
}

int
main(void)
{
	struct fb_fix_screeninfo info;
	int fd = open("/dev/fb0", O_RDWR);
	volatile char *p;

	if (fd < 0 || ioctl(fd, FBIOGET_FSCREENINFO, &info) != 0)
		return (1);
	size = info.smem_len;
	map(fd, 0);
	map(fd, MADV_NOHUGEPAGE);
	p = map(fd, 0);
	if (mlock((void *)p, 4096) != 0)
		return (1);
	print();
	return (0);
}

/*
 * fbfaults POLICY...: for each policy, map all of VRAM, write a byte of every page, and say what
 * getrusage and the kernel's counters make of it. Then the same reading, through another mapping.
 */
#include <fcntl.h>
#include <linux/fb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static const char policy_path[] = "/proc/sys/dev/fb/populate";

static long
faults(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (use.ru_majflt + use.ru_minflt);
}

static void
set_policy(const char *policy)
{
	int fd = open(policy_path, O_WRONLY);

	if (fd < 0 || write(fd, policy, strlen(policy)) != (ssize_t)strlen(policy)) {
		perror(policy_path);
		exit(1);
	}
	close(fd);
}

static void
touch(int fd, size_t size, int prot, const char *policy)
{
	volatile unsigned char *p = mmap(NULL, size, prot, MAP_SHARED, fd, 0);
	long before;

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	before = faults();
	for (size_t i = 0; i < size; i += 4096) {
		if (prot & PROT_WRITE)
			p[i] = (unsigned char)(i >> 12);
		else if (p[i] != (unsigned char)(i >> 12))
			printf("page %zu has %d\n", i >> 12, p[i]);
	}
	printf("%s %s: pages %zu faults %ld\n", policy, prot & PROT_WRITE ? "write" : "read",
	       size >> 12, faults() - before);
	munmap((void *)p, size);
}

int
main(int argc, char **argv)
{
	struct fb_fix_screeninfo fix;
	int fd = open("/dev/fb0", O_RDWR);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (fd < 0 || ioctl(fd, FBIOGET_FSCREENINFO, &fix) != 0) {
		perror("/dev/fb0");
		return (1);
	}
	for (int i = 1; i < argc; i++) {
		set_policy(argv[i]);
		touch(fd, fix.smem_len, PROT_READ | PROT_WRITE, argv[i]);
		touch(fd, fix.smem_len, PROT_READ, argv[i]);
	}
	return (0);
}

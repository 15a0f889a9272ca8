/*
 * fbhold: map all of VRAM, and touch a page of it for each line read; say so and wait. For a look
 * at the machine between one fault and the next.
 */
#include <fcntl.h>
#include <linux/fb.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

int
main(void)
{
	struct fb_fix_screeninfo fix;
	int fd = open("/dev/fb0", O_RDWR);
	char line[64];

	if (fd < 0 || ioctl(fd, FBIOGET_FSCREENINFO, &fix) != 0)
		return (1);
	volatile uint8_t *map = mmap(NULL, fix.smem_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return (1);
	printf("%u pages\nready\n", fix.smem_len / 4096);
	fflush(stdout);
	for (size_t i = 0; fgets(line, sizeof(line), stdin) != NULL; i++) {
		map[i * 4096] = 1;
		printf("touched %zu\n", i);
		fflush(stdout);
	}
	return (0);
}

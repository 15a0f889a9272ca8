/*
 * The framebuffer device as programs see it. No state but the caller's struct fbdev.
 */
#include "lib/fbdev.h"
#include "lib/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int
fb_open(struct fbdev *fb)
{
	fb->fd = open(FB_PATH, O_RDWR | O_CLOEXEC);
	if (fb->fd < 0)
		return (errno);
	if (ioctl(fb->fd, FBIOGET_FSCREENINFO, &fb->fix) == 0 &&
	    ioctl(fb->fd, FBIOGET_VSCREENINFO, &fb->var) == 0)
		return (0);
	int error = errno;
	fb_close(fb);
	return (error);
}

void
fb_close(struct fbdev *fb)
{
	close(fb->fd);
}

volatile uint8_t *
fb_map(const struct fbdev *fb, uint64_t offset, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fb->fd, (off_t)offset);

	return (p == MAP_FAILED ? NULL : p);
}

int
fb_write(const struct fbdev *fb, uint64_t offset, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fb->fd, p, len, (off_t)offset);
		if (n <= 0)
			return (n < 0 ? errno : ENOSPC);
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return (0);
}

int
fb_set_policy(const char *policy)
{
	return (file_set(FB_POLICY_PATH, policy));
}

int
fb_get_policy(char *policy, size_t size)
{
	return (file_get(FB_POLICY_PATH, policy, size));
}

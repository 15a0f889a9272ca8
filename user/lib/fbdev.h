/*
 * /dev/fb0 by Linux's fbdev interface, and the policy by which the kernel's framebuffer driver
 * populates mappings of it.
 */
#pragma once

#include <linux/fb.h>
#include <stddef.h>
#include <stdint.h>

#define FB_PATH        "/dev/fb0"
#define FB_POLICY_PATH "/proc/sys/dev/fb/populate"

struct fbdev {
	int fd;
	struct fb_fix_screeninfo fix;
	struct fb_var_screeninfo var;
};

/* Open /dev/fb0 and learn its mode. 0 or an errno. */
int fb_open(struct fbdev *fb);
void fb_close(struct fbdev *fb);
/* Map len bytes of VRAM from offset, shared, for reading and writing; NULL and errno on failure. */
volatile uint8_t *fb_map(const struct fbdev *fb, uint64_t offset, size_t len);
/*
 * Put len bytes at offset with write(2): the kernel copies them through its own mapping, so this
 * makes no page of the device resident and no fault. 0 or an errno.
 */
int fb_write(const struct fbdev *fb, uint64_t offset, const void *data, size_t len);

/* single, window:N, whole or off. 0 or an errno. */
int fb_set_policy(const char *policy);
int fb_get_policy(char *policy, size_t size);

/*
 * Knobs of /proc/sys that belong to no module of their own: names, numbers that cannot be changed,
 * and random ones.
 */
#include "kern/file.h"
#include "kern/log.h"
#include "kern/main.h"
#include "kern/pipe.h"
#include "kern/proc.h"
#include "kern/random.h"
#include "kern/sysctl.h"

SYSCTL_TEXT(ostype, "kernel/ostype", "Linux\n");
SYSCTL_TEXT(osrelease, "kernel/osrelease", "%s\n", KERNEL_RELEASE);
SYSCTL_TEXT(version, "kernel/version", "%s\n", KERNEL_VERSION);
SYSCTL_TEXT(pid_max, "kernel/pid_max", "%d\n", PID_MAX);
SYSCTL_TEXT(threads_max, "kernel/threads-max", "%d\n", TASK_MAX);
SYSCTL_TEXT(nr_open, "fs/nr_open", "%d\n", FD_MAX);
SYSCTL_TEXT(poolsize, "kernel/random/poolsize", "256\n");
SYSCTL_TEXT(entropy_avail, "kernel/random/entropy_avail", "256\n");

SYSCTL_TEXT(pipe_max_size, "fs/pipe-max-size", "%u\n", PIPE_SIZE_FREE);
SYSCTL_TEXT(mmap_min_addr, "vm/mmap_min_addr", "%lu\n", VM_MINUSER_ADDRESS);

static uint32_t swappiness = 60; /* kept for a swap pager to come */
SYSCTL_UINT(swappiness, "vm/swappiness", swappiness, 200);

/* A random UUID of version 4. */
static int
show_id(char *buf, size_t size, const uint8_t id[16])
{
	return (ksnprintf(
	    buf, size, "%02x%02x%02x%02x-%02x%02x-4%x%02x-%x%x%02x-%02x%02x%02x%02x%02x%02x\n",
	    id[0], id[1], id[2], id[3], id[4], id[5], id[6] & 15, id[7], 8 | (id[8] & 3),
	    id[8] >> 4, id[9], id[10], id[11], id[12], id[13], id[14], id[15]));
}

static int
show_uuid(char *buf, size_t size)
{
	uint8_t id[16];

	random_bytes(id, sizeof(id));
	return (show_id(buf, size, id));
}
SYSCTL(sysctl_uuid, "kernel/random/uuid", show_uuid, NULL);

static int
show_boot_id(char *buf, size_t size)
{
	static uint8_t id[16];
	static bool made;

	if (!made)
		random_bytes(id, sizeof(id));
	made = true;
	return (show_id(buf, size, id));
}
SYSCTL(sysctl_boot_id, "kernel/random/boot_id", show_boot_id, NULL);

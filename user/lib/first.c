/*
 * The first program of a machine.
 */
#include "lib/first.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

void
prepare_machine(void)
{
	int fd;

	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/tmp", 01777);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) != 0)
		return;
	mount("proc", "/proc", "proc", 0, NULL);
	fd = open("/dev/console", O_RDWR);
	for (int i = fd; i >= 0 && i < STDERR_FILENO;)
		i = dup(fd);
}

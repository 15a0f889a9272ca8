/* A device takes its pages back while CPU 1 reads them; who asks for them again has to wait. */
#include "two.h"
#include "../drivers/testdev_ioctl.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <time.h>

#define PAGES 16

int
main(void)
{
	struct testdev_request asleep = {.times = 1, .flags = TESTDEV_SLEEP};
	struct testdev_range all = {0, PAGES - 1};
	const struct timespec ms = {.tv_nsec = 1000000};
	int fd = open("/dev/testdev", O_RDWR);
	uint64_t rounds;
	void *pages;

	if (fd < 0)
		FAIL("/dev/testdev");
	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	worker_start(pages, PAGES, false);
	for (int i = 0; i < 10; i++) {
		worker_run();
		if (ioctl(fd, TESTDEV_SET, &asleep) != 0 || ioctl(fd, TESTDEV_TAKE, &all) != 0)
			FAIL("ioctl");
		rounds = worker.rounds;
		nanosleep(&ms, NULL);
		if (worker.rounds > rounds + 1)
			FAIL("CPU 1 read on, %lu times, after its pages had been revoked",
			     worker.rounds - rounds);
		ioctl(fd, TESTDEV_WAKE);
	}
	return (0);
}

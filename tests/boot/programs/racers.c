/*
 * racers DEVICE CASE: threads, or a parent and its child, at one mapping of a test device whose
 * pager sleeps in populate until all have come (drivers/testdev_ioctl.h). Prints what each saw, in
 * the order of the racers, and how often the pager was called.
 *
 *   same        two threads write to the same page        (P21)
 *   neighbours  two threads write to two pages of the range
 *   unmap       one writes; the other unmaps it all, and maps anonymous memory there   (P12)
 *   protect     one writes; the other makes it read-only and writable again            (P12)
 *   fork        one writes; the other forks meanwhile: both processes see one device   (P12)
 *   ever        one writes to page after page while the other unmaps and maps for ever (P19)
 */
#include "../../../drivers/testdev_ioctl.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 8
#define PAGE  4096
#define BASE  ((char *)0x20000000)

static int fd;

static void
need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void
map(void)
{
	need(mmap(BASE, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
		 BASE,
	     "mmap");
}

static void
pager_sleeps(uint32_t ms, uint64_t times)
{
	struct testdev_request q = {
	    .times = times, .flags = TESTDEV_SLEEP, .sleep_ms = ms, .answer = TESTDEV_OK};

	need(ioctl(fd, TESTDEV_SET, &q) == 0, "TESTDEV_SET");
}

static uint64_t
calls(void)
{
	struct testdev_record r;

	need(ioctl(fd, TESTDEV_GET, &r) == 0, "TESTDEV_GET");
	return (r.calls);
}

static volatile uint64_t *
word(int page)
{
	return ((volatile uint64_t *)(BASE + page * PAGE));
}

static void *
writer(void *page)
{
	*word((int)(long)page) += 1 + (uint64_t)(long)page;
	return (NULL);
}

static pthread_t
spawn(void *(*fn)(void *), long arg)
{
	pthread_t t;

	need(pthread_create(&t, NULL, fn, (void *)arg) == 0, "pthread_create");
	return (t);
}

/* Both are in the fault before the pager goes on. */
static void
two_writers(int a, int b)
{
	pthread_t ta, tb;

	pager_sleeps(50, 1);
	ta = spawn(writer, a);
	tb = spawn(writer, b);
	pthread_join(ta, NULL);
	pthread_join(tb, NULL);
	printf("page %d: %lu, page %d: %lu\n", a, *word(a), b, *word(b));
}

static void
against(void (*fn)(void))
{
	pthread_t t;

	pager_sleeps(50, 1);
	t = spawn(writer, 3);
	usleep(10000); /* it sleeps in the pager */
	fn();
	pthread_join(t, NULL);
	printf("page 3: %lu\n", *word(3));
}

static void
unmap(void)
{
	need(mmap(BASE, PAGES * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == BASE,
	     "mmap");
	*word(3) = 100;
}

static void
protect(void)
{
	need(mprotect(BASE, PAGES * PAGE, PROT_READ) == 0, "mprotect");
	need(mprotect(BASE, PAGES * PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
}

static void
fork_meanwhile(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		*word(5) = 77;
		_exit(9);
	}
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	printf("child %d, page 5: %lu\n", WEXITSTATUS(status), *word(5));
}

static volatile int done;

static void *
disturber(void *arg)
{
	while (!done)
		map(); /* what was there is unmapped first */
	return (arg);
}

static void
ever(void)
{
	pthread_t t = spawn(disturber, 0);

	pager_sleeps(1, 1u << 30);
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < PAGES; i++)
			*word(i) = (uint64_t)i;
	done = 1;
	pthread_join(t, NULL);
	pager_sleeps(0, 0);
	printf("20 rounds\n");
}

int
main(int argc, char **argv)
{
	const char *name = argc == 3 ? argv[2] : "";
	uint64_t before;

	need(argc == 3 && (fd = open(argv[1], O_RDWR)) >= 0, "racers DEVICE CASE");
	map();
	before = calls();
	if (strcmp(name, "same") == 0)
		two_writers(3, 3);
	else if (strcmp(name, "neighbours") == 0)
		two_writers(3, 6);
	else if (strcmp(name, "unmap") == 0)
		against(unmap);
	else if (strcmp(name, "protect") == 0)
		against(protect);
	else if (strcmp(name, "fork") == 0)
		against(fork_meanwhile);
	else if (strcmp(name, "ever") == 0)
		ever();
	else
		need(0, name);
	if (strcmp(name, "ever") != 0)
		printf("calls %lu\n", calls() - before);
	need(munmap(BASE, PAGES * PAGE) == 0, "munmap");
	return (0);
}

/*
 * Directories with many names, files come and gone: what it costs for n and for 2n, and that nothing
 * is left over. Instructions, where the time stamp counter counts them.
 */
#define _GNU_SOURCE
#include "gauges.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned long
ticks(void)
{
	return (__builtin_ia32_rdtsc());
}

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* The cost of making, finding, listing and removing n files, each. */
static void
measure(int n)
{
	unsigned long t[5];
	struct stat st;
	char name[32];
	int count = 0;
	DIR *dir;

	check(mkdir("/tmp/many", 0755) == 0 && chdir("/tmp/many") == 0, "mkdir");
	t[0] = ticks();
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		check(mknod(name, S_IFREG | 0644, 0) == 0, "mknod");
	}
	t[1] = ticks();
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		check(stat(name, &st) == 0, "stat");
	}
	t[2] = ticks();
	dir = opendir(".");
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	check(count == n + 2, "readdir");
	t[3] = ticks();
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		check(unlink(name) == 0, "unlink");
	}
	t[4] = ticks();
	check(chdir("/") == 0 && rmdir("/tmp/many") == 0, "rmdir");
	printf("make%d %lu\nstat%d %lu\nlist%d %lu\nunlink%d %lu\n", n, (t[1] - t[0]) / n, n,
	       (t[2] - t[1]) / n, n, (t[3] - t[2]) / n, n, (t[4] - t[3]) / n);
}

/* A bit of everything that makes vnodes, locks and files. */
static void
churn(void)
{
	struct flock fl = {.l_type = F_WRLCK, .l_len = 10};
	int fd, fd2, mem;

	check(mkdir("/tmp/a", 0755) == 0 && mkdir("/tmp/b", 0755) == 0, "mkdir");
	fd = open("/tmp/a/file", O_CREAT | O_RDWR, 0600);
	fd2 = open("/tmp/b/file", O_CREAT | O_RDWR, 0600);
	check(write(fd, "x", 1) == 1 && ftruncate(fd2, 1 << 20) == 0, "write");
	check(fcntl(fd, F_SETLK, &fl) == 0 && flock(fd2, LOCK_EX) == 0, "lock");
	check(rename("/tmp/a/file", "/tmp/b/file") == 0, "rename");
	check(symlink("b/file", "/tmp/soft") == 0 && link("/tmp/soft", "/tmp/hard") == 0, "link");
	check(rename("/tmp/a", "/tmp/b/a") == 0 && rename("/tmp/b", "/tmp/c") == 0, "move");
	check(unlink("/tmp/soft") == 0 && unlink("/tmp/hard") == 0, "unlink");
	mem = memfd_create("churn", 0);
	check(mem >= 0 && ftruncate(mem, 1 << 20) == 0 && pwrite(mem, "x", 1, 99999) == 1, "memfd");
	close(mem);
	close(fd2);
	check(unlink("/tmp/c/file") == 0 && rmdir("/tmp/c/a") == 0 && rmdir("/tmp/c") == 0, "rm");
	close(fd);
}

int
main(int argc, char **argv)
{
	struct gauges before;

	if (argc > 1) {
		measure(atoi(argv[1]));
		measure(2 * atoi(argv[1]));
	}
	churn(); /* what is made once is made now */
	measure(100);
	before = gauges_before();
	for (int i = 0; i < 20; i++)
		churn();
	measure(2000);
	gauges_check(&before);
	puts("done");
	return (0);
}

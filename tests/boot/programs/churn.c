/*
 * Map, touch, protect and unmap at random for a while; the kernel's counts before and after must be
 * the same. Prints the lines of /proc/quire/stats that differ.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES  512
#define ROUNDS 20000

static char before[16384], after[16384];

static void
read_stats(char *buf, size_t size)
{
	int fd = open("/proc/quire/stats", O_RDONLY);
	size_t n = 0;
	ssize_t r;

	while (n < size - 1 && (r = read(fd, buf + n, size - 1 - n)) > 0)
		n += (size_t)r;
	buf[n] = '\0';
	close(fd);
	if (n == 0) {
		puts("no /proc/quire/stats");
		exit(1);
	}
}

static unsigned int state;

static unsigned int
random_below(unsigned int n)
{
	state = state * 1664525 + 1013904223;
	return ((state >> 8) % n);
}

static void
churn(char *area)
{
	static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};

	for (int i = 0; i < ROUNDS; i++) {
		unsigned int first = random_below(PAGES), count = 1 + random_below(PAGES - first);
		char *p = area + first * 4096;

		if (count > 32)
			count = 32;
		switch (random_below(5)) {
		case 0:
			mmap(p, count * 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			memset(p, 1, count * 4096);
			break;
		case 1:
			munmap(p, count * 4096);
			break;
		case 2:
			mprotect(p, count * 4096, prots[random_below(3)]);
			break;
		case 3:
			madvise(p, count * 4096, MADV_DONTNEED);
			break;
		default:
			mmap(p, count * 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
			     0);
			if (p[0] + p[(count - 1) * 4096] != 0)
				puts("fresh memory is not zero");
			break;
		}
	}
	munmap(area, PAGES * 4096);
}

static void
use_files(void)
{
	for (int i = 0; i < 50; i++) {
		int fd = open("/tmp/churn", O_CREAT | O_RDWR, 0600);
		char *p;

		if (fd < 0 || ftruncate(fd, 65536) != 0)
			exit(1);
		p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, i % 2 ? MAP_SHARED : MAP_PRIVATE, fd,
			 0);
		memset(p, i, 65536);
		close(fd);
		unlink("/tmp/churn");
		munmap(p, 65536);
	}
}

/* Each time the same. */
static void
run(void)
{
	state = 12345;
	churn(mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	use_files();
}

int
main(void)
{
	char *a = before, *b = after;

	run(); /* what is kept for the next time is made now */
	read_stats(before, sizeof(before));
	read_stats(before, sizeof(before));
	run();
	read_stats(after, sizeof(after));
	while (*a != '\0' && *b != '\0') {
		size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");

		if (la != lb || memcmp(a, b, la) != 0)
			printf("before %.*s, after %.*s\n", (int)la, a, (int)lb, b);
		a += la + (a[la] != '\0');
		b += lb + (b[lb] != '\0');
	}
	puts("done");
	return (0);
}

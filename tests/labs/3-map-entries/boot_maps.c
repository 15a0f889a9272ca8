/*
 * A mapping of three pages whose middle one becomes read-only, writable again, and goes: how many
 * lines of /proc/self/maps it is each time.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#define PAGE 4096ul

static char *base;

/* Lines of /proc/self/maps that lie in the mapping. No memory is taken: it might fill the hole. */
static int
lines(void)
{
	static char text[16384];
	unsigned long start, end;
	int fd = open("/proc/self/maps", O_RDONLY), n = 0;
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[len > 0 ? len : 0] = '\0';
	for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		n += sscanf(line, "%lx-%lx", &start, &end) == 2 && end > (unsigned long)base &&
		     start < (unsigned long)base + 3 * PAGE;
	}
	return (n);
}

static bool
expect(const char *when, int result, int want)
{
	int n = lines();

	printf("%s: %s, %d lines, should be %d\n", when, result == 0 ? "done" : "fails", n, want);
	return (result == 0 && n == want);
}

int
main(void)
{
	char *all = mmap(NULL, 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		return (1);
	base = all + PAGE;
	return (
	    expect("three pages of five made writable",
		   mprotect(base, 3 * PAGE, PROT_READ | PROT_WRITE), 1) &&
		    expect("the middle one read-only", mprotect(base + PAGE, PAGE, PROT_READ), 3) &&
		    expect("and writable again",
			   mprotect(base + PAGE, PAGE, PROT_READ | PROT_WRITE), 1) &&
		    expect("the middle one unmapped", munmap(base + PAGE, PAGE), 2)
		? 0
		: 1);
}

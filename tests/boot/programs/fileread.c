/*
 * fileread WINDOW...: for each size of the fault-around window, the faults that it takes to read a
 * mapped file of 256 pages, forwards and backwards; and of one with a hole.
 */
#include "gauges.h"
#include <sys/mman.h>

#define PAGE  4096ul
#define PAGES 256ul
#define KNOB  "/proc/sys/vm/fault_around_pages"

static int file;

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void
set_window(const char *text)
{
	int fd = open(KNOB, O_WRONLY);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), KNOB);
	close(fd);
}

static unsigned char
content(size_t page)
{
	return (page % 32 == 20 ? 0 : (unsigned char)(page + 1)); /* those are holes at first */
}

/* The faults; all of them minor but where a page had to be made. */
static void
read_all(const char *window, const char *how, int prot, int flags, int step)
{
	volatile unsigned char *p = mmap(NULL, PAGES * PAGE, prot, flags, file, 0);
	size_t at = step > 0 ? 0 : PAGES - 1;
	long before = faults_so_far();

	check(p != MAP_FAILED, "mmap");
	for (size_t i = 0; i < PAGES; i++, at += (size_t)step)
		if (p[at * PAGE] != content(at))
			printf("page %zu is wrong\n", at);
	printf("%s %s %ld\n", window, how, faults_so_far() - before);
	munmap((void *)p, PAGES * PAGE);
}

int
main(int argc, char **argv)
{
	struct gauges before;
	unsigned char byte;

	setvbuf(stdout, malloc(65536), _IOFBF, 65536);
	file = open("/tmp/fileread", O_RDWR | O_CREAT | O_TRUNC, 0600);
	check(file >= 0 && ftruncate(file, PAGES * PAGE) == 0, "/tmp/fileread");
	for (size_t i = 0; i < PAGES; i++) {
		byte = content(i);
		if (byte != 0)
			check(pwrite(file, &byte, 1, (off_t)(i * PAGE)) == 1, "pwrite");
	}
	set_window("16");
	read_all("16", "with holes", PROT_READ, MAP_SHARED, 1);
	before = gauges_before();
	for (int i = 1; i < argc; i++) {
		set_window(argv[i]);
		read_all(argv[i], "forwards", PROT_READ, MAP_SHARED, 1);
		read_all(argv[i], "backwards", PROT_READ, MAP_SHARED, -1);
		read_all(argv[i], "private", PROT_READ | PROT_WRITE, MAP_PRIVATE, 1);
		read_all(argv[i], "writable", PROT_READ | PROT_WRITE, MAP_SHARED, 1);
	}
	gauges_check(&before);
	close(file);
	unlink("/tmp/fileread");
	puts("done");
	return (0);
}

/*
 * hog map|heap: take all memory there is. Mapping more than there is may fail or not; touching it
 * ends the program, not the machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int
main(int argc, char **argv)
{
	size_t size = 1 << 20;

	for (size_t total = 0; total < (1ul << 34); total += size) {
		char *p;

		if (argc > 1 && strcmp(argv[1], "heap") == 0)
			p = malloc(size);
		else
			p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				 -1, 0);
		if (p == NULL || p == MAP_FAILED) {
			printf("no more after %zu MiB\n", total >> 20);
			return (3);
		}
		memset(p, 1, size);
	}
	return (0);
}

/* Maps as many pages as its first argument says and writes to each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int
main(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[2], "two words") != 0) {
		printf("the arguments are wrong\n");
		return (1);
	}
	for (int i = 0; i < atoi(argv[1]); i++) {
		char *page =
		    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

		if (page == MAP_FAILED) {
			perror("mmap");
			return (2);
		}
		page[1] = 1;
	}
	return (0);
}

/*
 * Use 100 MiB, page by page, and give them back: the largest blocks of /proc/buddyinfo are there
 * again.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE  (100ul << 20)
#define SLACK 2 /* blocks that this program itself may be sitting on */

/* The last number of the line is how many blocks of the largest order are free. */
static int
largest_blocks(void)
{
	char line[256] = "";
	FILE *file = fopen("/proc/buddyinfo", "r");
	int n = -1;

	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		return (-1);
	fclose(file);
	for (char *word = strtok(line, " \n"); word != NULL; word = strtok(NULL, " \n"))
		sscanf(word, "%d", &n);
	return (n);
}

int
main(void)
{
	int before = largest_blocks(), after;
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (before < 0 || p == MAP_FAILED) {
		printf("cannot begin: %d blocks\n", before);
		return (1);
	}
	for (size_t i = 0; i < SIZE; i += 4096)
		p[i] = 1;
	munmap(p, SIZE);
	after = largest_blocks();
	printf("blocks of 4 MiB free: %d before, %d after\n", before, after);
	return (before > (int)(SIZE >> 22) && after >= before - SLACK ? 0 : 1);
}

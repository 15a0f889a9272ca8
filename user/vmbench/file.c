/*
 * Rows on mapped files whose pages are in memory.
 */
#include "bench.h"

#include <sys/mman.h>

static uint64_t
file_row(size_t pages, int prot, int flags, void (*touch)(uint8_t *, size_t))
{
	uint8_t *p = map_memory(pages * PAGE_SIZE, prot, flags, scratch_file(pages));
	uint64_t start = tsc();

	touch(p, pages);
	uint64_t ticks = tsc() - start;
	munmap(p, pages * PAGE_SIZE);
	return (ticks);
}

static void
read_all(uint8_t *p, size_t pages)
{
	touch_read(p, pages);
}

static uint64_t
file_read(size_t pages)
{
	return (file_row(pages, PROT_READ, MAP_SHARED, read_all));
}

static uint64_t
file_write_shared(size_t pages)
{
	return (file_row(pages, PROT_READ | PROT_WRITE, MAP_SHARED, touch_write));
}

static uint64_t
file_write_private(size_t pages)
{
	return (file_row(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE, touch_write));
}

const struct bench file_rows[] = {
    {"file-read", "page", file_read, 256, 1},
    {"file-write-shared", "page", file_write_shared, 256, 1},
    {"file-write-private", "page", file_write_private, 256, 256 + 1},
    {0},
};

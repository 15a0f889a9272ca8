/*
 * Lab 2: the free blocks of kernel/vm/vm_phys.c, counted by order and against a model.
 */
#include "harness.h"

#define FRAMES 3000
#define TOP    (VM_NFREEORDER - 1)

/* --- what the tests share --------------------------------------------------------------------- */

static vm_page_t held[FRAMES + 64]; /* what a test has taken away, page by page */
static size_t nheld;

/* How many free blocks of each order there are. */
struct blocks {
	uint64_t n[VM_NFREEORDER];
};

static struct blocks
blocks_now(void)
{
	struct blocks b;

	for (int i = 0; i < VM_NFREEORDER; i++)
		b.n[i] = vm_phys_free_blocks(i);
	return (b);
}

/* There are as many as in *b. */
static void
expect_blocks(const struct blocks *b, const char *when)
{
	for (int i = 0; i < VM_NFREEORDER; i++) {
		uint64_t n = vm_phys_free_blocks(i);

		if (n != b->n[i])
			T_FAIL("%s: %lu free blocks of order %d, should be %lu", when, n, i,
			       b->n[i]);
	}
}

static vm_page_t
block(int order)
{
	vm_page_t m = vm_phys_alloc(order, VM_ALLOC_SYSTEM);

	if (m == NULL)
		T_FAIL("no block of order %d, of %lu free pages", order, vm_cnt.v_free_count);
	if ((m->phys_addr & (ptoa(1ul << order) - 1)) != 0)
		T_FAIL("a block of order %d at %#lx is not aligned", order, m->phys_addr);
	return (m);
}

/* Take pages until no block smaller than 2^order pages is free. */
static void
use_up_below(int order)
{
	bool small = true;

	while (small) {
		small = false;
		for (int i = 0; i < order; i++)
			small |= vm_phys_free_blocks(i) != 0;
		if (small)
			held[nheld++] = block(0);
	}
}

static void
give_back(void)
{
	while (nheld > 0)
		vm_phys_free(held[--nheld], 0);
}

/* --- split ------------------------------------------------------------------------------------ */

static void
split_leaves_upper_halves(void)
{
	struct blocks want;
	vm_page_t m;
	int k;

	use_up_below(5);
	want = blocks_now();
	for (k = 0; k < TOP && want.n[k] == 0; k++)
		continue;
	want.n[k]--;
	for (int i = 0; i < k; i++)
		want.n[i]++;
	m = block(0);
	expect_blocks(&want, "a page was cut from the smallest block");
	vm_phys_free(m, 0);
	give_back();
}

static void
split_takes_the_smallest(void)
{
	vm_page_t eight, four;
	struct blocks want;

	use_up_below(6);
	eight = block(4); /* its upper half is to be the one block of eight pages */
	vm_phys_free(eight + 8, 3);
	want = blocks_now();
	T_OK(want.n[2] == 0 && want.n[3] > 0);
	want.n[3]--;
	want.n[2]++;
	four = block(2);
	expect_blocks(&want, "four pages were taken while eight were free");
	vm_phys_free(four, 2);
	vm_phys_free(eight, 3);
	give_back();
}

/* --- merge ------------------------------------------------------------------------------------ */

static void
merge_pair(void)
{
	for (int lower_first = 0; lower_first < 2; lower_first++) {
		for (int order = 1; order <= TOP; order++) {
			struct blocks want = blocks_now();
			vm_page_t m = block(order), upper = m + (1ul << (order - 1));

			vm_phys_free(lower_first ? m : upper, order - 1);
			vm_phys_free(lower_first ? upper : m, order - 1);
			expect_blocks(&want, lower_first ? "the lower half, then the upper"
							 : "the upper half, then the lower");
			vm_phys_free(block(order), order);
		}
	}
}

static void
merge_all_the_way(void)
{
	struct rng r = {2};
	size_t order[64];

	for (int round = 0; round < 50; round++) {
		struct blocks want = blocks_now();
		vm_page_t m = block(6);

		for (size_t i = 0; i < 64; i++)
			order[i] = i;
		for (size_t n = 64; n > 0; n--) {
			size_t k = rng_below(&r, n), i = order[k];

			order[k] = order[n - 1];
			vm_phys_free(&m[i], 0);
		}
		expect_blocks(&want, "64 pages came back one by one");
	}
}

static void
merge_not_with_pages_in_use(void)
{
	struct blocks start = blocks_now(), want;
	vm_page_t m;

	use_up_below(6);
	m = block(5);
	want = blocks_now();
	for (int i = 16; i < 32; i++)
		vm_phys_free(&m[i], 0);
	want.n[4]++;
	expect_blocks(&want, "the upper half is free, the lower in use");
	vm_phys_free(&m[4], 0);
	want.n[0]++;
	vm_phys_free(&m[0], 2);
	want.n[2]++;
	expect_blocks(&want, "pages 0-3 are free, and of 4-7 the first");
	vm_phys_free(&m[5], 0);
	vm_phys_free(&m[6], 1);
	want.n[0]--;
	want.n[2]--;
	want.n[3]++;
	expect_blocks(&want, "pages 0-7 are free");
	vm_phys_free(&m[8], 3);
	give_back();
	expect_blocks(&start, "all is given back");
}

/* RAM from an odd frame on; the page in front of the segment's looks like a free block's. */
static void
merge_stays_in_the_segment(void)
{
	static struct vm_page pages[1 + 63 + 1];
	vm_paddr_t start = 0x8001000, end = start + ptoa(63);
	struct blocks want = blocks_now();
	vm_page_t m;

	pages[0].order = 0;
	vm_phys_add_seg(start, end, &pages[1]);
	for (vm_paddr_t pa = end; pa > start; pa -= PAGE_SIZE)
		vm_phys_free_range(pa - PAGE_SIZE, pa);
	for (int i = 0; i < 6; i++) /* frames 1, 2-3, 4-7, ... 32-63 */
		want.n[i]++;
	expect_blocks(&want, "63 pages from an odd frame on came one by one");
	/* The counts are to be those of before: this RAM stays with the test. */
	while ((m = vm_phys_alloc(0, VM_ALLOC_SYSTEM)) != NULL)
		if (m->phys_addr < start || m->phys_addr >= end)
			held[nheld++] = m;
	give_back();
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool taken[FRAMES];

static void
mark(vm_page_t m, int order, bool now)
{
	size_t first = atop(m->phys_addr - FAKE_RAM_BASE);

	if ((m->phys_addr & (ptoa(1ul << order) - 1)) != 0)
		T_FAIL("a block of order %d at %#lx is not aligned", order, m->phys_addr);
	for (size_t i = first; i < first + (1ul << order); i++) {
		if (i >= FRAMES || taken[i] == now)
			T_FAIL("frame %zu is handed out twice", i);
		taken[i] = now;
	}
}

/* Is there an aligned block of 2^order frames of which none is taken? */
static bool
room_for(int order)
{
	size_t n = 1ul << order, base = atop(FAKE_RAM_BASE), used;

	for (size_t at = roundup2(base, n); at + n <= base + FRAMES; at += n) {
		used = 0;
		for (size_t i = at; i < at + n; i++)
			used += taken[i - base];
		if (used == 0)
			return (true);
	}
	return (false);
}

static void
random_against_model(void)
{
	static struct {
		vm_page_t m;
		int order;
	} got[FRAMES];
	struct rng r = {7};
	size_t n = 0, pages = 0, k;

	for (int i = 0; i < 40000; i++) {
		bool growing = (i / 4000) % 2 == 0;

		if (rng_below(&r, 100) < (growing ? 60u : 40u)) {
			int order = (int)rng_below(&r, rng_below(&r, 4) != 0 ? 3 : VM_NFREEORDER);
			vm_page_t m = vm_phys_alloc(order, VM_ALLOC_SYSTEM);

			if (m == NULL && room_for(order))
				T_FAIL("no block of order %d, but there is room for one", order);
			if (m == NULL)
				continue;
			mark(m, order, true);
			got[n].m = m;
			got[n++].order = order;
			pages += 1ul << order;
		} else if (n > 0) {
			k = rng_below(&r, n);
			mark(got[k].m, got[k].order, false);
			vm_phys_free(got[k].m, got[k].order);
			pages -= 1ul << got[k].order;
			got[k] = got[--n];
		}
		T_EQ(vm_cnt.v_free_count, FRAMES - pages);
	}
	while (n-- > 0)
		vm_phys_free(got[n].m, got[n].order);
}

static const struct host_test tests[] = {
    TEST(split_leaves_upper_halves),
    TEST(split_takes_the_smallest),
    TEST(merge_pair),
    TEST(merge_all_the_way),
    TEST(merge_not_with_pages_in_use),
    TEST(merge_stays_in_the_segment),
    TEST(random_against_model),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab 2", tests, nitems(tests), FRAMES));
}

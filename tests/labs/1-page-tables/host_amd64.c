/*
 * Lab 1: page tables made by hand, walked by kernel/amd64/pmap.c.
 */
#include "harness.h"
#include "amd64/pmap_int.h"

#define FRAMES  512
#define GARBAGE 0x5a5a5a5a5a5a5a5aul
#define BITS    (PG_V | PG_RW | PG_U | PG_MANAGED)
#define LARGE   (BITS | PG_PS)

/* --- what the tests share --------------------------------------------------------------------- */

static vm_page_t tables[32];
static int ntables;
static struct pmap pmap;

static uint64_t *
table(void)
{
	vm_page_t m = vm_phys_alloc(0, VM_ALLOC_SYSTEM | VM_ALLOC_ZERO);

	T_OK(m != NULL && ntables < 32);
	tables[ntables++] = m;
	return (phys_to_dmap(m->phys_addr));
}

static void
setup(void)
{
	mtx_init(&pmap.pm_mtx, "pmap", LR_PMAP);
	pmap.pm_pml4 = table();
}

static void
teardown(void)
{
	while (ntables > 0)
		vm_phys_free(tables[--ntables], 0);
}

/* Make the entry of va at this level; the tables above it are made. Returns where it is. */
static uint64_t *
put(uint64_t va, int level, uint64_t entry)
{
	uint64_t *t = pmap.pm_pml4, *e;

	for (int l = TOP_LEVEL; l > level; l--) {
		e = &t[PTE_INDEX(va, l)];
		if (*e == 0)
			*e = dmap_to_phys(table()) | BITS;
		t = pte_table(*e);
	}
	e = &t[PTE_INDEX(va, level)];
	*e = entry;
	return (e);
}

static void
expect_walk(uint64_t va, uint64_t *want, int want_level)
{
	int level = -1;
	uint64_t *e = pmap_walk(pmap.pm_pml4, va, &level, NULL);

	if (e != want)
		T_FAIL("the walk for %#lx ends at %s, should end at %s", va,
		       e == NULL                     ? "nothing"
		       : want != NULL && *e == *want ? "a copy of the entry"
						     : "another entry",
		       want == NULL ? "nothing" : "the entry");
	if (level != want_level)
		T_FAIL("the walk for %#lx ends at level %d, should be %d", va, level, want_level);
}

static void
expect(const char *what, uint64_t n, uint64_t want)
{
	if (n != want)
		T_FAIL("%s: %#lx, should be %#lx", what, n, want);
}

/* --- pmap_walk -------------------------------------------------------------------------------- */

static const uint64_t places[] = {0x1000, 0x200000 - 0x1000, 0x40000000, 0x7ffffffff000,
				  0x123456789000};

static void
small_page(void)
{
	setup();
	for (size_t i = 0; i < nitems(places); i++) {
		uint64_t *e = put(places[i], 0, (0x111000 * (i + 1)) | BITS | PG_NX);

		expect_walk(places[i], e, 0);
		expect_walk(places[i] + 0xfff, e, 0);
		expect_walk(places[i] + 8, e, 0);
	}
	/* What is PG_PS above is the memory type's here. */
	expect_walk(0x5000, put(0x5000, 0, 0x777000 | LARGE), 0);
	teardown();
}

static void
large_pages(void)
{
	uint64_t *two, *giga;

	setup();
	two = put(0x40200000, 1, 0x10000000 | LARGE);
	expect_walk(0x40200000, two, 1);
	expect_walk(0x403fffff, two, 1);
	expect_walk(0x40312345, two, 1);
	giga = put(0x80000000, 2, 0x40000000 | LARGE);
	expect_walk(0x80000000, giga, 2);
	expect_walk(0xbfffffff, giga, 2);
	teardown();
}

static void
absent(void)
{
	setup();
	expect_walk(0x40000000, NULL, 3);
	put(0x8000000000, 2, GARBAGE & ~PG_V);
	expect_walk(0x8000000000, NULL, 2);
	put(0x40000000, 1, 0);
	expect_walk(0x40000000, NULL, 1);
	put(0x200000, 1, (0x10000000 | LARGE) & ~PG_V);
	expect_walk(0x200000, NULL, 1);
	put(0x1000, 0, 0x1000 | BITS);
	expect_walk(0x2000, NULL, 0);
	put(0x3000, 0, (0x1000 | BITS) & ~PG_V);
	expect_walk(0x3000, NULL, 0);
	expect_walk(0x1000, put(0x1000, 0, 0x1000 | BITS), 0);
	teardown();
}

static void
expect_path(uint64_t va, const uint64_t *want)
{
	uint64_t path[4] = {GARBAGE, GARBAGE, GARBAGE, GARBAGE};
	int level;

	pmap_walk(pmap.pm_pml4, va, &level, path);
	for (int i = 3; i >= 0; i--)
		if (path[i] != want[i])
			T_FAIL("the walk for %#lx: path[%d] is %#lx, should be %#lx", va, i,
			       path[i], want[i]);
}

static void
path(void)
{
	uint64_t want[4], *t;

	setup();
	put(0x7fff00003000, 0, 0x123000 | BITS);
	t = pmap.pm_pml4;
	for (int l = 3; l >= 0; l--) {
		want[l] = t[PTE_INDEX(0x7fff00003000, l)];
		t = l > 0 ? pte_table(want[l]) : NULL;
	}
	expect_path(0x7fff00003abc, want);
	want[0] = 0;
	expect_path(0x7fff00004000, want); /* an absent entry is met */
	put(0x7fff00200000, 1, want[1] = 0x10000000 | LARGE);
	want[0] = GARBAGE;
	expect_path(0x7fff00212345, want);
	expect_path(0x1000, (uint64_t[]){GARBAGE, GARBAGE, GARBAGE, 0});
	teardown();
}

static void
corrupt(void)
{
	setup();
	put(0x40000000, 1, 0x0000fffffffff000 | BITS); /* a table where no RAM is */
	expect_walk(0x40000000, NULL, 1);
	put(0x80000000, 2, FAKE_VRAM_BASE | BITS);
	expect_walk(0x80000000, NULL, 2);
	pmap.pm_pml4[PTE_INDEX(0x8000000000, 3)] = GARBAGE | PG_V;
	expect_walk(0x8000000000, NULL, 3);
	put(0x5000, 0, 0x0000fffffffff000 | BITS); /* a page may be anywhere */
	expect_walk(0x5000, put(0x5000, 0, 0x0000fffffffff000 | BITS), 0);
	teardown();
}

/* --- what is built on it ---------------------------------------------------------------------- */

static void
extract(void)
{
	setup();
	put(0x1000, 0, 0x123456000 | BITS | PG_NX | PG_D);
	put(0x200000, 1, 0x60000000 | LARGE | PG_NX);
	put(0x40000000, 2, 0x180000000 | LARGE);
	expect("4 KiB", pmap_extract(&pmap, 0x1abc), 0x123456abc);
	expect("2 MiB", pmap_extract(&pmap, 0x212345), 0x60012345);
	expect("its last byte", pmap_extract(&pmap, 0x3fffff), 0x601fffff);
	expect("1 GiB", pmap_extract(&pmap, 0x40000000 + 0x12345678), 0x192345678);
	expect("nothing", pmap_extract(&pmap, 0x2000), 0);
	expect("nothing", pmap_extract(&pmap, 0x8000000000), 0);
	teardown();
}

static void
usage(void)
{
	struct pmap_usage u;

	setup();
	put(0x1000, 0, 0x1000 | BITS);
	put(0x2000, 0, 0x2000 | BITS | PG_D | PG_A);
	put(0x4000, 0, 0x3000 | BITS | PG_A);
	u = pmap_usage(&pmap, 0x1000, 0x5000);
	expect("pages resident", u.resident, 3);
	expect("of them dirty", u.dirty, 1);
	expect("and referenced", u.referenced, 2);
	expect("by large pages", u.super, 0);
	u = pmap_usage(&pmap, 0x2000, 0x4000);
	expect("pages resident in a part", u.resident, 1);
	put(0x200000, 1, 0x60000000 | LARGE | PG_D);
	u = pmap_usage(&pmap, 0, 0x400000);
	expect("pages resident, with a large one", u.resident, 3 + 512);
	expect("by large pages", u.super, 512);
	expect("dirty", u.dirty, 1 + 512);
	u = pmap_usage(&pmap, 0x3f0000, 0x420000);
	expect("pages resident in the end of a large one", u.resident, 16);
	u = pmap_usage(&pmap, 0x2ff000, 0x301000);
	expect("pages resident in its middle", u.resident, 2);
	u = pmap_usage(&pmap, 0x400000, 0x7ffffffff000); /* 128 TiB: page by page for ever */
	expect("pages resident in nothing", u.resident, 0);
	teardown();
}

static const struct host_test tests[] = {
    TEST(small_page), TEST(large_pages), TEST(absent), TEST(path),
    TEST(corrupt),    TEST(extract),     TEST(usage),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab 1", tests, nitems(tests), FRAMES));
}

/*
 * vm/vm_radix.h against a sorted array.
 */
#include "harness.h"

#define MODEL_MAX  4096
#define HUGE_INDEX ((1ul << 52) - 1)

struct model {
	vm_pindex_t index[MODEL_MAX];
	vm_page_t page[MODEL_MAX];
	size_t n;
};
static struct vm_page pages[MODEL_MAX];

/* Where index is in the model, or where it would be. */
static size_t
model_at(const struct model *md, vm_pindex_t index)
{
	size_t lo = 0, hi = md->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (md->index[mid] < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo);
}

static bool
model_has(const struct model *md, vm_pindex_t index)
{
	size_t i = model_at(md, index);

	return (i < md->n && md->index[i] == index);
}

static void
model_insert(struct model *md, vm_pindex_t index, vm_page_t m)
{
	size_t i = model_at(md, index);

	T_OK(md->n < MODEL_MAX);
	memmove(&md->index[i + 1], &md->index[i], (md->n - i) * sizeof(md->index[0]));
	memmove(&md->page[i + 1], &md->page[i], (md->n - i) * sizeof(md->page[0]));
	md->index[i] = index;
	md->page[i] = m;
	md->n++;
}

static void
model_remove(struct model *md, vm_pindex_t index)
{
	size_t i = model_at(md, index);

	md->n--;
	memmove(&md->index[i], &md->index[i + 1], (md->n - i) * sizeof(md->index[0]));
	memmove(&md->page[i], &md->page[i + 1], (md->n - i) * sizeof(md->page[0]));
}

static void
compare(struct vm_radix *rt, const struct model *md, vm_pindex_t index)
{
	size_t i = model_at(md, index);
	vm_pindex_t at;

	T_OK(vm_radix_lookup_ge(rt, index, &at) == (i < md->n ? md->page[i] : NULL));
	T_OK(i == md->n || at == md->index[i]);
	T_OK(vm_radix_lookup(rt, index) == (model_has(md, index) ? md->page[i] : NULL));
}

/* Indexes near each other, near powers of 64, and anywhere. */
static vm_pindex_t
some_index(struct rng *r)
{
	switch (rng_below(r, 5)) {
	case 0:
		return (rng_below(r, 64));
	case 1:
		return (rng_below(r, 5000));
	case 2:
		return ((1ul << rng_below(r, 52)) - rng_below(r, 2));
	case 3:
		return (HUGE_INDEX - rng_below(r, 100));
	default:
		return (rng_next(r) & HUGE_INDEX);
	}
}

static void
empty(struct vm_radix *rt, struct model *md)
{
	while (md->n > 0) {
		T_OK(vm_radix_remove(rt, md->index[0]) == md->page[0]);
		model_remove(md, md->index[0]);
	}
	T_OK(rt->rt_root == NULL);
	T_EQ(rt->rt_height, 0);
}

static void
test_empty_tree_has_nothing(void)
{
	struct vm_radix rt = {.rt_root = NULL};
	vm_pindex_t at;

	T_OK(vm_radix_lookup(&rt, 0) == NULL);
	T_OK(vm_radix_lookup(&rt, HUGE_INDEX) == NULL);
	T_OK(vm_radix_lookup_ge(&rt, 0, &at) == NULL);
	T_OK(vm_radix_remove(&rt, 5) == NULL);
}

static void
test_index_taken_is_EEXIST(void)
{
	struct vm_radix rt = {.rt_root = NULL};

	T_EQ(vm_radix_insert(&rt, 7, &pages[0]), 0);
	T_EQ(vm_radix_insert(&rt, 7, &pages[1]), EEXIST);
	T_OK(vm_radix_lookup(&rt, 7) == &pages[0]);
	T_OK(vm_radix_remove(&rt, 7) == &pages[0]);
	T_OK(vm_radix_remove(&rt, 7) == NULL);
}

static void
test_largest_index(void)
{
	static const vm_pindex_t far[] = {0, 63, 64, 4095, 4096, HUGE_INDEX - 1, HUGE_INDEX};
	struct vm_radix rt = {.rt_root = NULL};
	vm_pindex_t at;

	for (size_t i = nitems(far); i-- > 0;)
		T_EQ(vm_radix_insert(&rt, far[i], &pages[i]), 0);
	for (size_t i = 0; i < nitems(far); i++) {
		T_OK(vm_radix_lookup(&rt, far[i]) == &pages[i]);
		T_OK(vm_radix_lookup_ge(&rt, i > 0 ? far[i - 1] + 1 : 0, &at) == &pages[i]);
	}
	T_OK(vm_radix_lookup_ge(&rt, HUGE_INDEX + 1, &at) == NULL);
	for (size_t i = 0; i < nitems(far); i++)
		T_OK(vm_radix_remove(&rt, far[i]) == &pages[i]);
}

static void
test_random_against_model(void)
{
	struct rng r = {1};
	struct vm_radix rt = {.rt_root = NULL};
	struct model md = {.n = 0};
	vm_pindex_t index;

	for (int i = 0; i < 100000; i++) {
		index = rng_below(&r, 3) != 0 || md.n == 0 ? some_index(&r)
							   : md.index[rng_below(&r, md.n)];
		if (rng_below(&r, 1000) < (i / 10000 % 2 ? 350u : 650u) && md.n < MODEL_MAX - 1) {
			vm_page_t m = &pages[rng_below(&r, MODEL_MAX)];

			if (model_has(&md, index)) {
				T_EQ(vm_radix_insert(&rt, index, m), EEXIST);
			} else {
				T_EQ(vm_radix_insert(&rt, index, m), 0);
				model_insert(&md, index, m);
			}
		} else if (model_has(&md, index)) {
			T_OK(vm_radix_remove(&rt, index) == md.page[model_at(&md, index)]);
			model_remove(&md, index);
		} else {
			T_OK(vm_radix_remove(&rt, index) == NULL);
		}
		compare(&rt, &md, index);
		compare(&rt, &md, some_index(&r));
	}
	empty(&rt, &md);
}

static void
test_ENOMEM_leaves_the_tree_as_it_was(void)
{
	struct rng r = {2};
	struct vm_radix rt = {.rt_root = NULL};
	struct model md = {.n = 0};

	for (int i = 0; i < 1500; i++) {
		vm_pindex_t index = some_index(&r);
		vm_page_t m = &pages[i];

		if (model_has(&md, index))
			continue;
		for (uint64_t nth = 1;; nth++) {
			uint64_t live = fake_kmem_live;
			int height = rt.rt_height, rv;

			fake_kmem_fail(nth);
			rv = vm_radix_insert(&rt, index, m);
			if (!fake_kmem_failed()) {
				T_EQ(rv, 0);
				break;
			}
			T_EQ(rv, ENOMEM);
			T_EQ(fake_kmem_live, live);
			T_EQ(rt.rt_height, height);
			compare(&rt, &md, index);
			compare(&rt, &md, 0);
		}
		fake_kmem_fail(0);
		model_insert(&md, index, m);
		compare(&rt, &md, index);
	}
	for (size_t i = 0; i < md.n; i++)
		compare(&rt, &md, md.index[i]);
	empty(&rt, &md);
}

/* A dense run takes one node for 64 pages, and one more for 64 of those. */
static void
test_dense_run_takes_few_nodes(void)
{
	struct vm_radix rt = {.rt_root = NULL};
	uint64_t live = fake_kmem_live;

	for (vm_pindex_t i = 0; i < 4096; i++)
		T_EQ(vm_radix_insert(&rt, i, &pages[i]), 0);
	T_EQ(fake_kmem_live - live, 65);
	for (vm_pindex_t i = 0; i < 4096; i++)
		T_OK(vm_radix_remove(&rt, i) == &pages[i]);
}

static const struct host_test tests[] = {
    TEST(test_empty_tree_has_nothing),
    TEST(test_index_taken_is_EEXIST),
    TEST(test_largest_index),
    TEST(test_random_against_model),
    TEST(test_ENOMEM_leaves_the_tree_as_it_was),
    TEST(test_dense_run_takes_few_nodes),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "radix", tests, nitems(tests), 0));
}

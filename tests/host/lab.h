/*
 * What the labs' tests of faults share: counts, and touches of a space's pages from VA on. A failure
 * names the line of the test.
 */
#pragma once

#include "harness.h"

#define expect(what, n, want)                                              \
	do {                                                               \
		uint64_t n_ = (n), want_ = (want);                         \
		if (n_ != want_)                                           \
			T_FAIL("%s: %lu, should be %lu", what, n_, want_); \
	} while (0)

/* Access page i as a CPU does: the fault answers what is wanted, and keeps no lock. */
#define touch(s, i, access, want)                                                              \
	do {                                                                                   \
		struct space *s_ = (s);                                                        \
		vm_pindex_t i_ = (i);                                                          \
		int rv_ = fake_touch(&s_->map, va(i_), access, NULL);                          \
		if (rv_ != (want))                                                             \
			T_FAIL("a touch of page %lu answers %d, should be %d", i_, rv_, want); \
		expect("locks still held", (uint64_t)fake_locks_held(curthread), 0);           \
	} while (0)

/* Counts since the last mark(). */
static struct vm_counters then;
#define SINCE(field) (vm_cnt.field - then.field)

static inline void
mark(void)
{
	then = vm_cnt;
	fake_majflt = fake_minflt = 0;
}

static inline vm_offset_t
va(vm_pindex_t i)
{
	return (VA + ptoa(i));
}

/* How many of n pages from first on are mapped. */
static inline uint64_t
mapped(struct space *s, vm_pindex_t first, vm_pindex_t n)
{
	return (fake_mapped(&s->pmap, va(first), va(first + n)));
}

/* The object of the lowest entry. */
static inline vm_object_t
object_of(struct space *s)
{
	return (s->map.header.next->object);
}

/*
 * The frame of a test program. cmocka runs the tests and prints; each test runs in a process of its
 * own on a machine booted for it, so that a panic, a sanitizer report or a hang is one failed test
 * and no test can lean on another. When a test returns, every count of the VM must be back where it
 * was; the one that is not is named.
 */
#pragma once

#include "fake.h"
#include "kern/errno.h"
#include "kern/string.h"

struct host_test {
	const char *name;
	void (*fn)(void);
};
#define TEST(fn)        \
	{               \
#fn, fn \
	}

/* Run them; argv[1] may be a pattern of names (* and ?). HOST_TEST_NOFORK=1: in this process, for a
 * debugger. frames: RAM of the machine. What main returns. */
int host_main(int argc, char **argv, const char *group, const struct host_test *tests, size_t n,
	      size_t frames);

/* Where most tests map, and what with. */
#define VA 0x40000000ul
#define R  VM_PROT_READ
#define W  VM_PROT_WRITE
#define RW VM_PROT_RW

#define T_FAIL(...) fake_fail(__FILE__, __LINE__, __VA_ARGS__)
#define T_OK(cond)                                   \
	do {                                         \
		if (!(cond))                         \
			T_FAIL("not so: %s", #cond); \
	} while (0)
/* Two integers that must be the same. */
#define T_EQ(a, b)                                                                                \
	do {                                                                                      \
		unsigned long long a_ = (unsigned long long)(a), b_ = (unsigned long long)(b);    \
		if (a_ != b_)                                                                     \
			T_FAIL("%s is %llu (%#llx), should be %s = %llu (%#llx)", #a, a_, a_, #b, \
			       b_, b_);                                                           \
	} while (0)
#ifdef INVARIANTS
#define INVARIANTS_BUILD 1
#else
#define INVARIANTS_BUILD 0
#endif

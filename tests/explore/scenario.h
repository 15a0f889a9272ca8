/*
 * The words that the table of scenarios (scenario.c) describes each with, and the functions that
 * make them so.
 */
#pragma once

#include "explore.h"

/* Who takes part. */
enum {
	FAULT = 1 << 0, /* writes to page 1 */
	SAME = 1 << 1, /* reads page 1 */
	OTHER = 1 << 2, /* writes to page 2 */
	UNMAP = 1 << 3, /* munmap of all */
	HOLE = 1 << 4, /* munmap of page 1 */
	REVOKE = 1 << 5, /* the driver takes all pages back */
	REVOKE_ONE = 1 << 6, /* page 1 */
	WIRE = 1 << 7, /* mlock of pages 1 and 2 */
	UNWIRE = 1 << 8, /* munlock of them */
	PROTECT = 1 << 9, /* mprotect of all: read-only */
	AGAIN = 1 << 10, /* the pager has nothing until somebody gives it something */
	UNPLUG = 1 << 11, /* the pager fails from some moment on */
	KILL = 1 << 12, /* the pager makes no progress; the fault is killed */
	BREAK = 1 << 13, /* the pager promises a page that is not there, from some moment on */
	FORK = 1 << 14, /* fork of `one', the child is `two' */
	DONTNEED = 1 << 15, /* madvise(MADV_DONTNEED) of page 1 */
	CHILD = 1 << 16, /* writes to page 1 in `two', which is a fork of `one' */
	TRUNCATE = 1 << 17, /* the file shrinks to one page */
};

/* How pages come in. */
enum {
	WHOLE, /* populate, all that is mapped */
	SINGLE, /* populate, one page a call */
	ORDINARY, /* getpages */
	UNMANAGED, /* populate, of unmanaged pages */
	SHARED, /* of a file */
	PRIVATE, /* a private mapping of that */
};

typedef void scenario_fn(const struct scenario *sc);

scenario_fn device_scenario_setup, device_scenario_check, device_scenario_teardown;
scenario_fn clip_setup;
scenario_fn last_setup, last_check, last_teardown;
scenario_fn reopen_setup, reopen_check, reopen_teardown;
scenario_fn pager_setup, pager_check;
scenario_fn pool_setup, pool_teardown;
scenario_fn anon_setup, anon_check, anon_teardown;
scenario_fn shared_setup, shared_check, shared_teardown;

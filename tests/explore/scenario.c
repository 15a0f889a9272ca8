/*
 * The table of scenarios.
 */
#include "scenario.h"

#define DEVICE(name, who, how, quick)                                                          \
	{                                                                                      \
		name, who, how, 0, quick, false, device_scenario_setup, device_scenario_check, \
		    device_scenario_teardown                                                   \
	}
#define BOUNDED(name, who, how, bound)                                                             \
	{                                                                                          \
		name, who, how, bound, false, false, device_scenario_setup, device_scenario_check, \
		    device_scenario_teardown                                                       \
	}
#define CLIP(name, who, quick)                                                        \
	{                                                                             \
		name, who, WHOLE, 0, quick, false, clip_setup, device_scenario_check, \
		    device_scenario_teardown                                          \
	}
#define PAGER(name, who, release)                                             \
	{                                                                     \
		name, who, WHOLE, 0, true, release, pager_setup, pager_check, \
		    device_scenario_teardown                                  \
	}
#define ANON(name, who, how, quick)                                                    \
	{                                                                              \
		name, who, how, 0, quick, false, anon_setup, anon_check, anon_teardown \
	}
#define SHRINK(name, who, how, quick)                                                        \
	{                                                                                    \
		name, who, how, 0, quick, false, shared_setup, shared_check, shared_teardown \
	}

const struct scenario scenarios[] = {
    /* Pairs, by each way that pages come in. */
    DEVICE("same-page", FAULT | SAME, WHOLE, true),
    DEVICE("two-pages", FAULT | OTHER, WHOLE, false),
    DEVICE("fault-unmap", FAULT | UNMAP, WHOLE, true),
    DEVICE("fault-hole", FAULT | HOLE, WHOLE, true),
    DEVICE("fault-revoke", FAULT | REVOKE, WHOLE, true),
    DEVICE("fault-revoke-one", FAULT | REVOKE_ONE, WHOLE, true),
    DEVICE("unmap-revoke", UNMAP | REVOKE, WHOLE, true),
    DEVICE("fault-protect", FAULT | PROTECT, WHOLE, true),
    DEVICE("fault-wire", FAULT | WIRE, WHOLE, false),
    DEVICE("wire-revoke", WIRE | REVOKE, WHOLE, true),
    DEVICE("wire-unwire", WIRE | UNWIRE, WHOLE, true),
    DEVICE("wire-unmap", WIRE | UNMAP, WHOLE, true),
    DEVICE("single-two-pages", FAULT | OTHER, SINGLE, true),
    DEVICE("single-unmap", FAULT | UNMAP, SINGLE, true),
    DEVICE("single-revoke", FAULT | REVOKE, SINGLE, true),
    DEVICE("ordinary-same-page", FAULT | SAME, ORDINARY, true),
    DEVICE("ordinary-two-pages", FAULT | OTHER, ORDINARY, true),
    DEVICE("ordinary-unmap", FAULT | UNMAP, ORDINARY, true),
    DEVICE("ordinary-revoke", FAULT | REVOKE, ORDINARY, true),
    DEVICE("unmanaged-unmap", FAULT | UNMAP, UNMANAGED, true),
    CLIP("clip-unmap", UNMAP, true),
    CLIP("clip-two-maps", OTHER, false),
    {"last-reference", UNMAP, WHOLE, 0, true, false, last_setup, last_check, last_teardown},
    {"reopen", UNMAP, WHOLE, 0, true, false, reopen_setup, reopen_check, reopen_teardown},
    PAGER("again", AGAIN, false),
    PAGER("unplug", UNPLUG, false),
    PAGER("kill", KILL, false),
    PAGER("broken-word", BREAK, true),
    {"pool", FAULT | OTHER, SINGLE, 0, true, false, pool_setup, device_scenario_check,
     pool_teardown},
    /* Triples, and all four. */
    DEVICE("same-page-unmap", FAULT | SAME | UNMAP, WHOLE, false),
    BOUNDED("same-page-revoke", FAULT | SAME | REVOKE, WHOLE, 3),
    DEVICE("two-pages-unmap", FAULT | OTHER | UNMAP, WHOLE, false),
    DEVICE("two-pages-hole", FAULT | OTHER | HOLE, WHOLE, false),
    BOUNDED("two-pages-revoke", FAULT | OTHER | REVOKE, WHOLE, 3),
    BOUNDED("single-same-revoke", FAULT | SAME | REVOKE, SINGLE, 4),
    BOUNDED("single-two-revoke", FAULT | OTHER | REVOKE, SINGLE, 4),
    DEVICE("single-two-unmap", FAULT | OTHER | UNMAP, SINGLE, false),
    DEVICE("single-unmap-revoke", FAULT | UNMAP | REVOKE, SINGLE, false),
    DEVICE("fault-unmap-revoke", FAULT | UNMAP | REVOKE, WHOLE, false),
    DEVICE("wire-unmap-revoke", WIRE | UNMAP | REVOKE, WHOLE, false),
    DEVICE("ordinary-two-unmap", FAULT | OTHER | UNMAP, ORDINARY, false),
    DEVICE("ordinary-unmap-revoke", FAULT | UNMAP | REVOKE, ORDINARY, false),
    BOUNDED("all-four-same-page", FAULT | SAME | UNMAP | REVOKE, WHOLE, 3),
    BOUNDED("all-four", FAULT | OTHER | UNMAP | REVOKE, WHOLE, 3),
    BOUNDED("all-four-single", FAULT | OTHER | UNMAP | REVOKE, SINGLE, 3),
    /* Anonymous memory. */
    ANON("anon-same-page", FAULT | SAME, WHOLE, true),
    ANON("anon-unmap", FAULT | UNMAP, WHOLE, true),
    ANON("anon-dontneed", FAULT | DONTNEED, PRIVATE, true),
    ANON("anon-fork", FAULT | FORK, PRIVATE, true),
    ANON("anon-fork-two", FAULT | SAME | FORK, PRIVATE, false),
    ANON("cow", FAULT | CHILD, PRIVATE, true),
    ANON("cow-unmap", FAULT | CHILD | UNMAP, PRIVATE, false),
    ANON("cow-dontneed", FAULT | CHILD | DONTNEED, PRIVATE, false),
    SHRINK("shrink-shared", FAULT | TRUNCATE, SHARED, true),
    SHRINK("shrink-private", FAULT | TRUNCATE, PRIVATE, true),
    SHRINK("shrink-two", FAULT | SAME | TRUNCATE, PRIVATE, false),
    SHRINK("shrink-unmap", FAULT | TRUNCATE | UNMAP, PRIVATE, false),
};
const size_t nscenarios = nitems(scenarios);

/*
 * What a program asks of the devices of drivers/testdev.c, by ioctl; the tests' programs include
 * this.
 *
 *   /dev/testdev    managed: 1024 frames of its own, each at its own index
 *   /dev/testraw    unmanaged: 64 pages that show the same 16 frames four times over (U2)
 *   /dev/testraw2   those 16 frames once more, in another object
 *   /dev/testblock  unmanaged: 1024 pages, the first 512 frames of testdev twice over, by superpages
 *
 * They are there with `testdev` on the kernel command line. A pager that nobody asks for anything
 * behaves: it installs the range that the entry maps.
 */
#pragma once

#include <stdint.h>

#define TESTDEV_PAGES    1024
#define TESTRAW_PAGES    64
#define TESTRAW_FRAMES   16
#define TESTBLOCK_PAGES  1024
#define TESTBLOCK_FRAMES 512

enum { TESTDEV_OK, TESTDEV_BAD, TESTDEV_FAIL, TESTDEV_ERROR, TESTDEV_AGAIN }; /* VM_PAGER_* */

/* What is wrong when populate returns; `at` says with which page. */
enum testdev_breach {
	TESTDEV_NONE,
	TESTDEV_MISSING, /* not installed */
	TESTDEV_INVALID,
	TESTDEV_UNBUSIED,
	TESTDEV_SBUSIED,
	TESTDEV_ELSEWHERE, /* in another object */
	TESTDEV_KIND, /* a page of RAM */
	TESTDEV_UNLOCKED, /* the object is */
	TESTDEV_EXTRA_LOCK, /* one more is held */
	TESTDEV_LOCK_ORDER, /* one is taken and let go that may not be after the object's */
	TESTDEV_NBREACHES
};

/* What happens during the call, with nothing locked, to [addr, addr + length) of the caller's
 * map. */
enum testdev_action {
	TESTDEV_IDLE,
	TESTDEV_UNMAP,
	TESTDEV_REMAP, /* anonymous memory takes its place */
	TESTDEV_PROTECT, /* to prot */
	TESTDEV_WIRE,
	TESTDEV_GROW, /* anonymous memory where nothing was */
	TESTDEV_REVOKE, /* not the map: these bytes of the device, which is not a raw one */
	TESTDEV_NACTIONS
};

#define TESTDEV_RANGE       0x01 /* install [first, last], not what the entry maps */
#define TESTDEV_CLAIM       0x02 /* answer [claim_first, claim_last], not what was installed */
#define TESTDEV_REVERSE     0x04 /* the last frame stands at index 0 */
#define TESTDEV_SHORT       0x08 /* there is no memory for page `at` */
#define TESTDEV_LEAVE_BUSY  0x10 /* install although the answer is not OK */
#define TESTDEV_SLEEP       0x20 /* for sleep_ms; 0: until TESTDEV_WAKE */
#define TESTDEV_KILL        0x40 /* the process, kill_ms after the sleep began */
#define TESTDEV_NO_GETPAGES 0x80 /* an object made while this is set has no getpages (P3) */
#define TESTDEV_FLAGS       0xff

struct testdev_request {
	uint64_t times; /* calls of populate that do all this; those that follow behave */
	uint64_t first, last; /* page indexes, inclusive, as are: */
	uint64_t claim_first, claim_last;
	uint64_t at;
	uint64_t addr, length; /* bytes, whole pages */
	uint32_t sleep_ms, kill_ms;
	uint32_t flags; /* TESTDEV_RANGE.. */
	uint32_t answer; /* TESTDEV_OK.. */
	uint32_t breach, action;
	uint32_t prot; /* PROT_* */
	uint32_t pad;
};

/* What the device has seen since it is there, and the arguments of the last call of populate. */
struct testdev_record {
	uint64_t calls, getpages; /* of populate, of the ordinary way */
	uint64_t ctors, dtors;
	uint64_t pidx, first, last;
	uint32_t fault_type, max_prot;
	int32_t action_error; /* errno of the last action */
	uint32_t pad;
};

struct testdev_range {
	uint64_t first, last; /* page indexes, inclusive */
};

/* The page at index: an index to ask with, and what stands there. */
struct testdev_page {
	uint64_t index;
	uint32_t resident, valid, dirty, busied, mapped; /* 0 or 1; mapped: 0 if unmanaged */
	uint32_t wirings, holds;
	uint32_t pad;
};

#define TESTDEV_SET     0x5100 /* struct testdev_request *; mends what the breaches before left */
#define TESTDEV_GET     0x5101 /* struct testdev_record * */
#define TESTDEV_PAGE    0x5102 /* struct testdev_page * */
#define TESTDEV_TAKE    0x5103 /* struct testdev_range *: revoke (R1). EOPNOTSUPP on a raw device */
#define TESTDEV_WAKE    0x5104 /* the call that sleeps goes on */
#define TESTDEV_DESTROY 0x5105 /* 1: the device is gone, its pages are revoked; 0: it is back */

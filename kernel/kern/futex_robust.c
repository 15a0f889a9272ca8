/*
 * Robust futexes: a thread that ends while it holds locks marks each of them as its dead owner's
 * and wakes one who waits. The locks that it holds are on a list in user memory, which may say
 * anything: it is followed for a bounded way and only as far as it can be read.
 */
#include "kern/futex.h"
#include "kern/machdep.h"
#include "kern/proc.h"

#define LIST_MAX 2048 /* locks looked at; a list may be circular */
#define LIST_PI  1ul /* in a pointer of the list: a lock that hands down priority */

/* A lock's word. */
#define WORD_WAITERS    0x80000000u
#define WORD_OWNER_DIED 0x40000000u
#define WORD_TID        0x3fffffffu

/* What the list begins with, as programs lay it out. */
struct robust_head {
	uint64_t next; /* the first lock's link; the last one's leads back to the head */
	int64_t offset; /* from a link to its lock's word */
	uint64_t pending; /* link of one that is being taken or let go; 0: none */
};

/* The lock at addr is nobody's any more, if it was curthread's. */
static void
lock_died(uint64_t addr, bool pi, bool pending)
{
	uint32_t tid = (uint32_t)curthread->td_tid, word, seen, woken;

	if ((addr & 3) != 0 || copyin((const void *)addr, &word, sizeof(word)) != 0)
		return;
	for (;; word = seen) {
		/* It may have been let go, and the wake-up that follows not be done. */
		if (pending && !pi && word == 0)
			break;
		if ((word & WORD_TID) != tid)
			return;
		seen = word;
		if (casuword32((uint32_t *)addr, &seen, (word & WORD_WAITERS) | WORD_OWNER_DIED) !=
		    0)
			return;
		if (seen == word)
			break;
	}
	if (!pi && (word == 0 || (word & WORD_WAITERS) != 0))
		futex_wake(addr, true, 1, FUTEX_ALL, &woken);
}

void
futex_robust_exit(void)
{
	uint64_t head = curthread->td_robust_list, link, next;
	struct robust_head h;

	curthread->td_robust_list = 0;
	if (head == 0 || copyin((const void *)head, &h, sizeof(h)) != 0)
		return;
	link = h.next;
	for (int n = 0; (link & ~LIST_PI) != head && n < LIST_MAX; n++) {
		uint64_t at = link & ~LIST_PI;
		/* First: whoever takes the lock next may put it on another list. */
		bool more = copyin((const void *)at, &next, sizeof(next)) == 0;

		if (at != (h.pending & ~LIST_PI))
			lock_died(at + (uint64_t)h.offset, (link & LIST_PI) != 0, false);
		if (!more)
			break;
		link = next;
	}
	if (h.pending != 0)
		lock_died((h.pending & ~LIST_PI) + (uint64_t)h.offset, (h.pending & LIST_PI) != 0,
			  true);
}

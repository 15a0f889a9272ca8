/*
 * Futexes: threads that wait until somebody wakes those who wait at a word of user memory.
 */
#pragma once

#include "kern/types.h"

#define FUTEX_ALL 0xffffffffu /* the bits of one who does not choose */

/*
 * Sleep at uaddr while the word there is value, for timeout ns (0: for ever), to be woken by a wake
 * with one of the bits. shared: others may map the word elsewhere. EAGAIN: it is another value;
 * ETIMEDOUT, EFAULT; ERESTART or (with a timeout) ERESTARTNOHAND: then the call goes on until the
 * same moment.
 */
int futex_wait(uint64_t uaddr, bool shared, uint32_t value, uint32_t bits, uint64_t timeout);
/* Wake at most n who wait at uaddr with one of the bits; *woken tells how many. EFAULT. */
int futex_wake(uint64_t uaddr, bool shared, uint32_t n, uint32_t bits, uint32_t *woken);
/* Wake at most n, and let at most `move` of those left wait at uaddr2 from now on; *count: both
 * together. */
int futex_requeue(uint64_t uaddr, uint64_t uaddr2, bool shared, uint32_t n, uint32_t move,
		  uint32_t *count);
/* Curthread ends, or its program does: the locks that it holds (td_robust_list) have no owner. */
void futex_robust_exit(void);

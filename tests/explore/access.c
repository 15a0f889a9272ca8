/*
 * Who uses which memory. kernel/vm is compiled for the thread sanitizer: the compiler calls these
 * functions in place of, or before, each access. Not the sanitizer's own are linked but ours.
 *
 * For each address that is used atomically, written or freed, and for each lock, the threads that
 * use it are noted. A use is a point only if another thread uses the same in a way that matters:
 * one of the two changes it. What was noted is kept from one search to the next, and the search
 * is made again until nothing new was seen; so no use that matters is missed.
 *
 * Atomic operations are such uses, and plain accesses to a place that is used atomically. Plain
 * accesses to other places are protected by a lock that is held, or nobody else can see the place:
 * they are points only if they are the first after a lock was let go, when that may be a mistake.
 * Counters do not decide anything and are no points. Memory that was freed must not be used.
 */
#include "explore.h"

#define NPLACES (1ul << 14)

struct place {
	uintptr_t address;
	uint16_t users, writers; /* bit i: thread i */
	bool atomic; /* used by atomic operations */
};
static struct place places[NPLACES]; /* a hash table */
static uint64_t nplaces;
static bool grew;

static bool
is_stack(uintptr_t a)
{
	return (a - (uintptr_t)x_stacks < sizeof(x_stacks));
}

static bool
is_counter(uintptr_t a)
{
	return (a - (uintptr_t)&vm_cnt < sizeof(vm_cnt));
}

/* Where a is in the table, or would be. */
static struct place *
place_at(uintptr_t a)
{
	uint64_t i = a * 0x9e3779b97f4a7c15ul >> 50;

	while (places[i].address != 0 && places[i].address != a)
		i = (i + 1) % NPLACES;
	return (&places[i]);
}

static struct place *
place_of(uintptr_t a)
{
	struct place *p = place_at(a);

	if (p->address == 0 && ++nplaces > NPLACES / 2)
		x_report("the explorer's table of addresses is too small");
	p->address = a;
	return (p);
}

bool
x_new_places(void)
{
	bool did = grew;

	grew = false;
	return (did);
}

static bool
note(struct place *p, bool write, bool atomic)
{
	uint16_t me = (uint16_t)(1u << x_current());
	uint16_t users = p->users | me, writers = p->writers | (write ? me : 0);

	if (me == 1u << MAX_THREADS) /* who sets up */
		return (false);
	grew |= users != p->users || writers != p->writers || (atomic && !p->atomic);
	p->users = users;
	p->writers = writers;
	p->atomic |= atomic;
	return (((write ? users : writers) & ~me) != 0);
}

bool
x_shared(const void *p, bool write)
{
	return (note(place_of((uintptr_t)p), write, false));
}

void
x_forget(const void *p, size_t size)
{
	const struct place *place;

	for (uintptr_t a = (uintptr_t)p; a < (uintptr_t)p + size; a++) {
		place = place_at(a);
		if (place->address == a)
			note(place_of(a), true, false);
	}
}

static void
check_live(const void *p)
{
	if (x_freed(p))
		x_report("memory is used that was freed, at %p", p);
}

static void
plain(const void *p, bool write, const void *pc)
{
	uintptr_t a = (uintptr_t)p;
	struct place *place;

	if (is_stack(a) || is_counter(a))
		return;
	place = place_of(a);
	if (note(place, write, false) && (place->atomic || x_let_go()))
		x_point(write ? "writes" : "looks at", p, pc);
	check_live(p);
}

static void
atomic(const volatile void *p, const void *pc)
{
	uintptr_t a = (uintptr_t)p;

	if (is_stack(a) || is_counter(a))
		return;
	if (note(place_of(a), true, true))
		x_point("changes", (const void *)p, pc);
	check_live((const void *)p);
}

#define HERE __builtin_return_address(0)
#define PLAIN(name, write)             \
	void __tsan_##name(void *p);   \
	void __tsan_##name(void *p)    \
	{                              \
		plain(p, write, HERE); \
	}
PLAIN(read1, false)
PLAIN(read2, false)
PLAIN(read4, false)
PLAIN(read8, false)
PLAIN(read16, false)
PLAIN(write1, true)
PLAIN(write2, true)
PLAIN(write4, true)
PLAIN(write8, true)
PLAIN(write16, true)
PLAIN(unaligned_read2, false)
PLAIN(unaligned_read4, false)
PLAIN(unaligned_read8, false)
PLAIN(unaligned_write2, true)
PLAIN(unaligned_write4, true)
PLAIN(unaligned_write8, true)

/* Structures that are copied or cleared as a whole. */
void __tsan_read_range(void *p, size_t size);
void
__tsan_read_range(void *p, size_t size)
{
	for (size_t i = 0; i < size; i += 8)
		plain((char *)p + i, false, HERE);
}

void __tsan_write_range(void *p, size_t size);
void
__tsan_write_range(void *p, size_t size)
{
	for (size_t i = 0; i < size; i += 8)
		plain((char *)p + i, true, HERE);
}

void __tsan_init(void);
void
__tsan_init(void)
{
}

#define FETCH(bits, op)                                                                       \
	uint##bits##_t __tsan_atomic##bits##_fetch_##op(volatile uint##bits##_t *p,           \
							uint##bits##_t v, int order);         \
	uint##bits##_t __tsan_atomic##bits##_fetch_##op(volatile uint##bits##_t *p,           \
							uint##bits##_t v, int order __unused) \
	{                                                                                     \
		atomic(p, HERE);                                                              \
		return (__atomic_fetch_##op(p, v, __ATOMIC_SEQ_CST));                         \
	}
#define ATOMIC(bits)                                                                               \
	FETCH(bits, add)                                                                           \
	FETCH(bits, sub)                                                                           \
	FETCH(bits, and)                                                                           \
	FETCH(bits, or)                                                                            \
	uint##bits##_t __tsan_atomic##bits##_load(volatile uint##bits##_t *p, int order);          \
	uint##bits##_t __tsan_atomic##bits##_load(volatile uint##bits##_t *p, int order __unused)  \
	{                                                                                          \
		atomic(p, HERE);                                                                   \
		return (*p);                                                                       \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order); \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v,             \
					 int order __unused)                                       \
	{                                                                                          \
		atomic(p, HERE);                                                                   \
		*p = v;                                                                            \
	}                                                                                          \
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *p,                  \
						      uint##bits##_t v, int order);                \
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *p,                  \
						      uint##bits##_t v, int order __unused)        \
	{                                                                                          \
		atomic(p, HERE);                                                                   \
		return (__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST));                              \
	}                                                                                          \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile uint##bits##_t *p,              \
							  uint##bits##_t *old, uint##bits##_t new, \
							  int order, int fail_order);              \
	int __tsan_atomic##bits##_compare_exchange_strong(                                         \
	    volatile uint##bits##_t *p, uint##bits##_t *old, uint##bits##_t new,                   \
	    int order __unused, int fail_order __unused)                                           \
	{                                                                                          \
		atomic(p, HERE);                                                                   \
		return (__atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST,          \
						    __ATOMIC_SEQ_CST));                            \
	}
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

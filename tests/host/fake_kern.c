/*
 * kernel/kern for the host tests: kmalloc on malloc, the log in a buffer, panic as the end of a
 * test, locks that check owner and rank, and cooperative threads that switch when one sleeps. Owns
 * the list of threads and the run queue; nothing here runs in parallel.
 */
#include "fake.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/resource.h"
#include "kern/task.h"
#include "kern/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sanitizer/common_interface_defs.h>

#define STACK_SIZE (512ul << 10)
#define MAX_HELD   32

struct held {
	const void *lock;
	const char *name;
	uint8_t rank;
	char mode; /* r, w: rwlock; m: mtx */
};

struct fake_thread {
	struct thread td;
	TAILQ_ENTRY(fake_thread) all;
	void *sp; /* while it does not run */
	void *stack; /* NULL: the boot thread's, the process's own */
	const void *stack_bottom; /* as the sanitizer wants to know */
	size_t stack_size;
	void *asan_stack;
	void (*fn)(void *);
	void *arg;
	struct held held[MAX_HELD];
	int nheld;
	int nmtx;
};

static TAILQ_HEAD(, fake_thread) threads = TAILQ_HEAD_INITIALIZER(threads);
static TAILQ_HEAD(, thread) runq = TAILQ_HEAD_INITIALIZER(runq);
static struct fake_thread boot_thread;
struct thread *fake_curthread;
static struct fake_thread *switched_from;
static uint64_t now = 1;
static int last_tid;

uint64_t fake_sleeps, fake_oom_calls, fake_majflt, fake_minflt, fake_steps;
uint64_t fake_steps_max = UINT64_MAX;
bool (*fake_oom_hook)(void);

static struct {
	const struct rwlock *lock;
	void (*fn)(void *);
	void *arg;
} unlock_hook;
static struct rng preempt_rng;
static int preempt_permille;

static inline struct fake_thread *
fake_of(const struct thread *td)
{
	return (container_of(td, struct fake_thread, td));
}
#define cur fake_of(fake_curthread)

/* --- pseudo-random numbers: splitmix64 --- */

uint64_t
rng_next(struct rng *r)
{
	uint64_t z = (r->s += 0x9e3779b97f4a7c15ul);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ul;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebul;
	return (z ^ (z >> 31));
}

uint64_t
rng_below(struct rng *r, uint64_t n)
{
	return (rng_next(r) % n);
}

/* --- steps: the compiler calls this in each basic block of kernel/vm --- */

void __sanitizer_cov_trace_pc(void);
void
__sanitizer_cov_trace_pc(void)
{
	if (__predict_false(++fake_steps == fake_steps_max))
		fake_fail("steps", 0, "no end after %lu steps: it hangs", fake_steps);
}

/* --- log, failure, panic --- */

static char log_buf[1 << 16];
static size_t log_len;
static const char *panic_what, *panic_also;

static void
log_add(const char *fmt, va_list ap)
{
	size_t room = sizeof(log_buf) - log_len;
	int n = vsnprintf(log_buf + log_len, room, fmt, ap);

	log_len += MIN((size_t)n, room - 1);
	if (log_len + 1 < sizeof(log_buf)) {
		log_buf[log_len++] = '\n';
		log_buf[log_len] = '\0';
	}
}

void
klog(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	log_add(fmt, ap);
	va_end(ap);
}

/* Nothing is traced on the host. */
uint32_t trace_mask; /* off */
struct trace_ring *trace_rings[1];
uint64_t trace_room;

int
kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	return (vsnprintf(buf, size, fmt, ap));
}

int
ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return (n);
}

bool
fake_logged(const char *text)
{
	return (strstr(log_buf, text) != NULL);
}

void
fake_log_clear(void)
{
	log_len = 0;
	log_buf[0] = '\0';
}

static void
dump_threads(void)
{
	struct fake_thread *ft;
	static const char *const states[] = {"new", "runnable", "running", "sleeping", "dead"};

	TAILQ_FOREACH (ft, &threads, all) {
		fprintf(stderr, "  thread %d \"%s\" %s", ft->td.td_tid, ft->td.td_name,
			states[ft->td.td_state]);
		if (ft->td.td_state == TDS_SLEEPING)
			fprintf(stderr, " on %p", ft->td.td_wchan);
		for (int i = 0; i < ft->nheld; i++)
			fprintf(stderr, ", holds %s %p (%c)", ft->held[i].name, ft->held[i].lock,
				ft->held[i].mode);
		fprintf(stderr, "\n");
	}
	if (log_len != 0)
		fprintf(stderr, "  log: %s", log_buf);
}

void
fake_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	dump_threads();
	fflush(NULL);
	__sanitizer_print_stack_trace();
	_exit(1);
}

void
fake_expect_panic(const char *what, const char *also)
{
	panic_what = what;
	panic_also = also;
}

bool
fake_panic_is_expected(void)
{
	return (panic_what != NULL);
}

void
panic(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (panic_what != NULL && strstr(text, panic_what) != NULL &&
	    (panic_also == NULL || strstr(text, panic_also) != NULL))
		fake_pass();
	if (panic_what != NULL)
		fprintf(stderr, "expected a panic with \"%s\" and \"%s\"\n", panic_what,
			panic_also != NULL ? panic_also : "");
	fake_fail("panic", 0, "%s", text);
}

/* --- kmalloc --- */

uint64_t fake_kmem_live, fake_kmem_calls;
static uint64_t kmem_fail_in;
static bool kmem_failed;

void
fake_kmem_fail(uint64_t nth)
{
	kmem_fail_in = nth;
	kmem_failed = false;
}

bool
fake_kmem_failed(void)
{
	return (kmem_failed);
}

void *
kmalloc(size_t size, int flags)
{
	void *p;

	fake_kmem_calls++;
	if (kmem_fail_in != 0 && --kmem_fail_in == 0) {
		kmem_failed = true;
		return (NULL);
	}
	if (size == 0 || size > KMALLOC_MAX)
		return (NULL);
	p = malloc(size);
	if (p == NULL)
		panic("the host is out of memory");
	memset(p, (flags & M_ZERO) ? 0 : 0xa5, size);
	fake_kmem_live++;
	return (p);
}

void
kfree(void *p)
{
	if (p == NULL)
		return;
	fake_kmem_live--;
	free(p);
}

/* --- threads --- */

/* Save the callee's registers on this stack, leave its top in *from, and go on upon the stack
 * `to`. */
void fake_switch(void **from, void *to);
__asm__(".globl fake_switch\n"
	"fake_switch:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

/* First thing on a stack that was switched to. */
static void
arrived(void *asan_stack)
{
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(asan_stack, &bottom, &size);
	if (switched_from->stack_bottom == NULL) {
		switched_from->stack_bottom = bottom;
		switched_from->stack_size = size;
	}
}

static void
switch_to(struct fake_thread *to)
{
	struct fake_thread *from = cur;

	to->td.td_state = TDS_RUNNING;
	if (to == from)
		return;
	fake_curthread = &to->td;
	switched_from = from;
	__sanitizer_start_switch_fiber(from->td.td_state == TDS_DEAD ? NULL : &from->asan_stack,
				       to->stack_bottom, to->stack_size);
	fake_switch(&from->sp, to->sp);
	arrived(from->asan_stack);
}

static void
thread_entry(void)
{
	arrived(NULL);
	cur->fn(cur->arg);
	if (cur->nheld != 0)
		fake_fail(__FILE__, __LINE__, "thread \"%s\" ends holding %s", cur->td.td_name,
			  cur->held[0].name);
	thread_exit();
}

static void
make_runnable(struct thread *td)
{
	td->td_state = TDS_RUNNABLE;
	TAILQ_INSERT_TAIL(&runq, td, td_link);
}

static struct thread *
take_next(void)
{
	struct thread *td = TAILQ_FIRST(&runq);

	if (td != NULL)
		TAILQ_REMOVE(&runq, td, td_link);
	return (td);
}

/* Nobody can run: let the sleeper whose time-out comes first have it. */
static bool
pass_time(void)
{
	struct fake_thread *ft, *first = NULL;

	TAILQ_FOREACH (ft, &threads, all) {
		if (ft->td.td_state == TDS_SLEEPING && ft->td.td_timeout.c_at != 0 &&
		    (first == NULL || ft->td.td_timeout.c_at < first->td.td_timeout.c_at))
			first = ft;
	}
	if (first == NULL)
		return (false);
	now = MAX(now, first->td.td_timeout.c_at);
	first->td.td_sleep_result = ETIMEDOUT;
	make_runnable(&first->td);
	return (true);
}

/* curthread waits (its state is set): run another. */
static void
run_other(void)
{
	struct thread *td;

	while ((td = take_next()) == NULL) {
		if (!pass_time())
			fake_fail("deadlock", 0, "nobody can run");
	}
	switch_to(fake_of(td));
}

static int
sleep_on(const void *chan, int flags, uint64_t timeout)
{
	struct thread *td = curthread;

	if (cur->nmtx != 0)
		panic("sleeps holding %s", cur->held[cur->nheld - 1].name);
	if ((flags & SLEEP_KILL) && td->td_md.md_killed)
		return (EINTR);
	fake_sleeps++;
	td->td_wchan = chan;
	td->td_sleep_flags = flags;
	td->td_sleep_result = 0;
	td->td_timeout.c_at = timeout != 0 ? now + timeout : 0;
	td->td_state = TDS_SLEEPING;
	run_other();
	return (td->td_sleep_result);
}

void
wakeup(const void *chan)
{
	struct fake_thread *ft;

	TAILQ_FOREACH (ft, &threads, all) {
		if (ft->td.td_state == TDS_SLEEPING && ft->td.td_wchan == chan)
			make_runnable(&ft->td);
	}
}

struct thread *
fake_spawn(const char *name, void (*fn)(void *), void *arg)
{
	struct fake_thread *ft = aligned_alloc(16, roundup2(sizeof(*ft), 16ul));
	void **sp;

	memset(ft, 0, sizeof(*ft));
	ft->td.td_name = name;
	ft->td.td_tid = ++last_tid;
	ft->fn = fn;
	ft->arg = arg;
	ft->stack = malloc(STACK_SIZE);
	ft->stack_bottom = ft->stack;
	ft->stack_size = STACK_SIZE;
	sp = (void **)((char *)ft->stack + STACK_SIZE) - 1;
	*sp-- = NULL; /* thread_entry never returns; aligns the stack as a call would */
	*sp = (void *)thread_entry;
	ft->sp = sp - 6; /* rbx, rbp, r12 .. r15 */
	memset(ft->sp, 0, 6 * sizeof(void *));
	TAILQ_INSERT_TAIL(&threads, ft, all);
	make_runnable(&ft->td);
	return (&ft->td);
}

/* A task is a thread of its own here: it runs when the others let it. */
static void
run_task(void *arg)
{
	struct task *task = arg;

	task->t_fn(task->t_arg);
}

void
task_enqueue(struct task *task, void (*fn)(void *arg), void *arg)
{
	task->t_fn = fn;
	task->t_arg = arg;
	fake_spawn("task", run_task, task);
}

void
fake_run(struct thread *td)
{
	struct thread *me = curthread;

	if (td->td_state != TDS_RUNNABLE)
		fake_fail(__FILE__, __LINE__, "\"%s\" cannot run", td->td_name);
	TAILQ_REMOVE(&runq, td, td_link);
	me->td_state = TDS_RUNNABLE;
	TAILQ_INSERT_HEAD(&runq, me, td_link);
	switch_to(fake_of(td));
}

void
sched_yield(void)
{
	make_runnable(curthread);
	run_other();
}

void
fake_yield(void)
{
	sched_yield();
}

void
fake_join(struct thread *td)
{
	while (td->td_state != TDS_DEAD) {
		if (td->td_state == TDS_RUNNABLE)
			fake_run(td);
		else if (!TAILQ_EMPTY(&runq) || pass_time())
			sched_yield();
		else
			fake_fail("deadlock", 0, "\"%s\" never ends", td->td_name);
	}
}

void
thread_exit(void)
{
	curthread->td_state = TDS_DEAD;
	run_other();
	__builtin_unreachable();
}

bool
fake_ended(const struct thread *td)
{
	return (td->td_state == TDS_DEAD);
}

bool
fake_asleep(const struct thread *td)
{
	return (td->td_state == TDS_SLEEPING);
}

void
fake_kill(struct thread *td)
{
	td->td_md.md_killed = true;
	if (td->td_state == TDS_SLEEPING && (td->td_sleep_flags & SLEEP_KILL)) {
		td->td_sleep_result = EINTR;
		make_runnable(td);
	}
}

bool
thread_killed(void)
{
	return (curthread->td_md.md_killed);
}

bool
vm_oom(void)
{
	fake_oom_calls++;
	return (fake_oom_hook != NULL && fake_oom_hook());
}

vm_size_t fake_limits[VM_LIMIT_STACK + 1] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};

vm_size_t
vm_limit(enum vm_limit which)
{
	return (fake_limits[which]);
}

uint64_t fake_file_limit = UINT64_MAX;

int
lim_file_size(uint64_t from, uint64_t *end)
{
	if (*end > fake_file_limit && from >= fake_file_limit)
		return (EFBIG);
	*end = MIN(*end, fake_file_limit);
	return (0);
}

void
vm_fault_count(bool major)
{
	if (major)
		fake_majflt++;
	else
		fake_minflt++;
}

/* The boot thread: the process's own stack. */
void fake_threads_init(void);
void
fake_threads_init(void)
{
	boot_thread.td.td_name = "test";
	boot_thread.td.td_state = TDS_RUNNING;
	boot_thread.td.td_tid = ++last_tid;
	TAILQ_INSERT_TAIL(&threads, &boot_thread, all);
	fake_curthread = &boot_thread.td;
}

/* Threads that have not ended, but for the boot thread. */
int fake_threads_left(void);
int
fake_threads_left(void)
{
	struct fake_thread *ft;
	int n = 0;

	TAILQ_FOREACH (ft, &threads, all)
		n += ft->td.td_state != TDS_DEAD;
	return (n - 1);
}

void
fake_preempt(uint64_t seed, int permille)
{
	preempt_rng.s = seed;
	preempt_permille = permille;
}

static void
maybe_preempt(void)
{
	uint64_t n;
	struct thread *td;

	if (preempt_permille == 0 || cur->nmtx != 0 || TAILQ_EMPTY(&runq))
		return;
	if (rng_below(&preempt_rng, 1000) >= (uint64_t)preempt_permille)
		return;
	/* Rotate the queue by a random amount, so that who runs next is random too. */
	for (n = rng_below(&preempt_rng, 4); n > 0; n--) {
		td = take_next();
		TAILQ_INSERT_TAIL(&runq, td, td_link);
	}
	sched_yield();
}

/* --- locks --- */

static void
note_held(const void *lock, const char *name, uint8_t rank, char mode)
{
	struct fake_thread *ft = cur;

	if (ft->nheld == MAX_HELD)
		fake_fail(__FILE__, __LINE__, "too many locks held");
	ft->held[ft->nheld++] = (struct held){lock, name, rank, mode};
	ft->nmtx += mode == 'm';
}

static struct held *
find_held(const void *lock)
{
	for (int i = cur->nheld - 1; i >= 0; i--) {
		if (cur->held[i].lock == lock)
			return (&cur->held[i]);
	}
	return (NULL);
}

static void
note_released(const void *lock, const char *name)
{
	struct fake_thread *ft = cur;
	struct held *h = find_held(lock);

	if (h == NULL)
		panic("%s is let go by a thread that does not hold it", name);
	ft->nmtx -= h->mode == 'm';
	*h = ft->held[--ft->nheld];
}

bool
fake_holds(const void *lock)
{
	return (find_held(lock) != NULL);
}

int
fake_locks_held(const struct thread *td)
{
	return (fake_of(td)->nheld);
}

uint64_t
locks_held(void)
{
#ifdef INVARIANTS
	return (fake_locks_held(curthread));
#else
	return (0);
#endif
}

static void
check_rank(const void *lock, const char *name, uint8_t rank)
{
	if (rank == 0 || rank >= LR_COUNT)
		panic("lock %s has no rank: not initialised?", name);
	for (int i = 0; i < cur->nheld; i++) {
		struct held *h = &cur->held[i];

		if (h->lock == lock)
			panic("%s is taken twice", name);
		if (h->rank > rank || (h->rank == rank && rank != LR_OBJECT))
			panic("lock order: %s (rank %d) taken while %s (rank %d) is held", name,
			      rank, h->name, h->rank);
	}
}

void
mtx_init(struct mtx *m, const char *name, enum lock_rank rank)
{
	*m = (struct mtx){.mtx_name = name, .mtx_rank = rank};
}

void
mtx_lock_at(struct mtx *m LOCK_PLACE_PARAM)
{
	maybe_preempt();
	check_rank(m, m->mtx_name, m->mtx_rank);
	if (m->mtx_owner != 0)
		panic("%s is held by a thread that does not run", m->mtx_name);
	m->mtx_owner = (uintptr_t)curthread;
	note_held(m, m->mtx_name, m->mtx_rank, 'm');
}

bool
mtx_trylock_at(struct mtx *m LOCK_PLACE_PARAM)
{
	if (m->mtx_owner != 0)
		return (false);
	m->mtx_owner = (uintptr_t)curthread;
	note_held(m, m->mtx_name, m->mtx_rank, 'm');
	return (true);
}

void
mtx_unlock(struct mtx *m)
{
	note_released(m, m->mtx_name);
	m->mtx_owner = 0;
	maybe_preempt();
}

bool
mtx_owned(const struct mtx *m)
{
	return (m->mtx_owner == (uintptr_t)curthread);
}

void
rw_init(struct rwlock *rw, const char *name, enum lock_rank rank)
{
	*rw = (struct rwlock){.rw_name = name, .rw_rank = rank};
}

/* RW_WAITERS is set while a writer waits: new readers then wait too. */
bool
rw_try_rlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	if (rw->rw_word & (RW_WRITER | RW_WAITERS))
		return (false);
	rw->rw_word += RW_READER;
	note_held(rw, rw->rw_name, rw->rw_rank, 'r');
	return (true);
}

void
rw_rlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	maybe_preempt();
	check_rank(rw, rw->rw_name, rw->rw_rank);
	while (!rw_try_rlock(rw))
		sleep_on(&rw->rw_name, 0, 0);
}

bool
rw_try_wlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	if ((rw->rw_word & ~RW_WAITERS) != 0)
		return (false);
	rw->rw_word = RW_WRITER | (uintptr_t)curthread;
	note_held(rw, rw->rw_name, rw->rw_rank, 'w');
	return (true);
}

void
rw_wlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	maybe_preempt();
	check_rank(rw, rw->rw_name, rw->rw_rank);
	while (!rw_try_wlock(rw)) {
		rw->rw_word |= RW_WAITERS;
		sleep_on(&rw->rw_name, 0, 0);
	}
}

static void
wake_lock(struct rwlock *rw)
{
	rw->rw_word &= ~RW_WAITERS;
	wakeup(&rw->rw_name);
}

bool
rw_try_upgrade(struct rwlock *rw)
{
	struct held *h = find_held(rw);

	if (h == NULL || h->mode != 'r')
		panic("%s is upgraded by a thread that does not read-hold it", rw->rw_name);
	if ((rw->rw_word & ~RW_WAITERS) != RW_READER)
		return (false);
	rw->rw_word = RW_WRITER | (uintptr_t)curthread | (rw->rw_word & RW_WAITERS);
	h->mode = 'w';
	return (true);
}

void
rw_downgrade(struct rwlock *rw)
{
	struct held *h = find_held(rw);

	if (h == NULL || h->mode != 'w')
		panic("%s is downgraded by a thread that does not write-hold it", rw->rw_name);
	rw->rw_word = RW_READER;
	h->mode = 'r';
	wake_lock(rw);
}

void
rw_unlock(struct rwlock *rw)
{
	struct held *h = find_held(rw);
	bool writer = h != NULL && h->mode == 'w';

	note_released(rw, rw->rw_name);
	rw->rw_word -= writer ? RW_WRITER | (uintptr_t)curthread : RW_READER;
	wake_lock(rw);
	if (unlock_hook.fn != NULL && unlock_hook.lock == rw) {
		void (*fn)(void *) = unlock_hook.fn;

		unlock_hook.fn = NULL;
		fn(unlock_hook.arg);
	}
	maybe_preempt();
}

bool
rw_wowned(const struct rwlock *rw)
{
	struct held *h = find_held(rw);

	return (h != NULL && h->mode == 'w');
}

bool
rw_locked(const struct rwlock *rw)
{
	return ((rw->rw_word & ~RW_WAITERS) != 0);
}

int
rw_sleep(const void *chan, struct rwlock *rw, int flags, uint64_t timeout)
{
	struct held *h = rw != NULL ? find_held(rw) : NULL;
	bool writer = h != NULL && h->mode == 'w';

	/* No switch between: nothing can be lost. */
	if (rw != NULL) {
		note_released(rw, rw->rw_name);
		rw->rw_word -= writer ? RW_WRITER | (uintptr_t)curthread : RW_READER;
		wake_lock(rw);
	}
	return (sleep_on(chan, flags, timeout));
}

int
mtx_sleep(const void *chan, struct mtx *m, int flags, uint64_t timeout)
{
	note_released(m, m->mtx_name);
	m->mtx_owner = 0;
	return (sleep_on(chan, flags, timeout));
}

void
spinlock_enter(void)
{
	cur->nmtx++;
}

void
spinlock_exit(void)
{
	cur->nmtx--;
}

void
fake_on_unlock(const struct rwlock *lock, void (*fn)(void *), void *arg)
{
	unlock_hook.lock = lock;
	unlock_hook.fn = fn;
	unlock_hook.arg = arg;
}

/* One CPU, whose counts are vm_cnt (machine/counter_md.h), and nobody to wait for. */
uint32_t cpus_running = 1;

uint64_t
vm_cnt_sum(const uint64_t *field)
{
	return (*field);
}

void
cpu_spinwait(unsigned looks __unused)
{
}

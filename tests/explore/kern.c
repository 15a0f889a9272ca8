/*
 * kernel/kern for the model. Threads stop at points; locks are handed over in the order of arrival,
 * as kern/lock.c does it; a thread's memory comes from an arena of its own and is never used again,
 * so that addresses do not depend on who else allocates, and who uses what was freed is seen.
 */
#include "world.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/resource.h"
#include "kern/task.h"
#include "kern/trace.h"

#include <stdarg.h>
#include <stdio.h>

struct x_thread x_threads[MAX_THREADS + 1];
struct thread *fake_curthread;
uint64_t fake_kmem_live;
vm_size_t fake_limits[VM_LIMIT_STACK + 1];
static struct task *main_tasks[4];

/* Nothing is traced. */
uint32_t trace_mask;
struct trace_ring *trace_rings[1];
uint64_t trace_room;

#define cur ((struct x_thread *)fake_curthread)

/* --- failure and log --- */

void
klog(enum log_level level __unused, const char *fmt __unused, ...)
{
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

void
panic(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	x_report("panic: %s", text);
}

void
fake_fail(const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	x_report("%s:%d: %s", file, line, text);
}

/* --- kmalloc --- */

struct block { /* in front of what kmalloc returns */
	size_t size;
	bool live;
} __aligned_to(16);

void *
kmalloc(size_t size, int flags)
{
	uint8_t *arena = x_arenas[cur - x_threads];
	struct block *b = (struct block *)(arena + cur->arena_used);

	cur->arena_used += sizeof(*b) + roundup2(size, 16);
	if (cur->arena_used > ARENA_SIZE)
		x_report("endless, or the explorer's arenas are too small");
	b->size = size;
	b->live = true;
	memset(b + 1, (flags & M_ZERO) ? 0 : 0xa5, size);
	fake_kmem_live++;
	return (b + 1);
}

void
kfree(void *p)
{
	struct block *b = (struct block *)p - 1;

	if (p == NULL)
		return;
	if (!b->live)
		x_report("a block is freed twice");
	b->live = false;
	x_forget(p, b->size);
	fake_kmem_live--;
}

/* The fake pmap's entries. */
void *x_calloc(size_t n, size_t size);
void *
x_calloc(size_t n, size_t size)
{
	return (kmalloc(n * size, M_ZERO));
}

bool
x_freed(const void *p)
{
	const uint8_t *at = p, *arena = x_arenas[0];
	const struct block *b;
	size_t offset;

	if (at < arena || at >= arena + sizeof(x_arenas))
		return (false);
	arena += (size_t)(at - arena) / ARENA_SIZE * ARENA_SIZE;
	for (offset = 0;; offset += sizeof(*b) + roundup2(b->size, 16)) {
		b = (const struct block *)(arena + offset);
		if (at < (const uint8_t *)(b + 1) + roundup2(b->size, 16))
			return (!b->live);
	}
}

/* --- threads --- */

/* Save the callee's registers on this stack, leave its top in *from, and go on upon the stack
 * `to`. */
void x_switch(void **from, void *to);
__asm__(".globl x_switch\n"
	"x_switch:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

static void *main_sp; /* while a thread runs */

/* Back to the search. What is below the stack's top is cleared, so that what earlier calls left
 * there does not make two states out of one. */
static void
stop(void)
{
	x_switch(&cur->sp, main_sp);
}

void
x_step(struct x_thread *t)
{
	size_t room;

	fake_curthread = &t->td;
	t->state = X_READY;
	x_switch(&main_sp, t->sp);
	fake_curthread = &x_main->td;
	room = (size_t)((uint8_t *)t->sp - x_stacks[t - x_threads]);
	memset((uint8_t *)t->sp - MIN(room, 4096ul), 0, MIN(room, 4096ul));
}

void
x_point(const char *verb, const void *what, const void *pc)
{
	if (cur == x_main)
		return;
	cur->verb = verb;
	cur->what = what;
	cur->pc = pc;
	cur->let_go = false;
	stop();
}

int
x_current(void)
{
	return ((int)(cur - x_threads));
}

bool
x_let_go(void)
{
	return (cur->let_go);
}

/* About to use a lock, a channel or the like: a point if others do, too. */
static void
use(const char *verb, const void *what, const void *pc)
{
	if (x_shared(what, true))
		x_point(verb, what, pc);
	if (x_freed(what))
		x_report("%s what was freed", verb);
}

bool
x_enabled(const struct x_thread *t)
{
	return (t->state == X_READY ||
		(t->state == X_MTX && ((const struct mtx *)t->what)->mtx_owner == 0));
}

static void
thread_main(void)
{
	cur->fn(cur->arg);
	if (cur->nheld != 0)
		x_report("%s ends and holds %s", cur->td.td_name, cur->held[0].name);
	cur->state = X_DONE;
	cur->verb = "ends";
	stop();
	__builtin_unreachable();
}

struct thread *
fake_spawn(const char *name, void (*fn)(void *), void *arg)
{
	struct x_thread *t = x_threads;
	void **sp;

	while (t < x_main && t->state != X_NONE)
		t++;
	if (t == x_main)
		x_report("too many threads for the explorer");
	t->td.td_name = name;
	t->state = X_READY;
	t->verb = "begins";
	t->fn = fn;
	t->arg = arg;
	sp = (void **)(x_stacks[t - x_threads] + STACK_SIZE) - 1;
	*sp-- = NULL;
	*sp = (void *)thread_main;
	t->sp = sp - 6; /* rbx, rbp, r12 .. r15 */
	return (&t->td);
}

void fake_threads_init(void);
void
fake_threads_init(void)
{
	x_main->td.td_name = "main";
	x_main->state = X_READY;
	fake_curthread = &x_main->td;
	for (size_t i = 0; i < nitems(fake_limits); i++)
		fake_limits[i] = UINT64_MAX;
}

static void
run_task(void *arg)
{
	struct task *task = arg;

	task->t_fn(task->t_arg);
}

void
task_enqueue(struct task *task, void (*fn)(void *arg), void *arg)
{
	size_t i = 0;

	task->t_fn = fn;
	task->t_arg = arg;
	if (cur != x_main) {
		fake_spawn("task", run_task, task);
		return;
	}
	while (main_tasks[i] != NULL)
		i++;
	main_tasks[i] = task;
}

/* When all threads have ended: the tasks that are due. */
void
fake_yield(void)
{
	for (size_t i = 0; i < nitems(main_tasks); i++) {
		if (main_tasks[i] != NULL)
			run_task(main_tasks[i]);
		main_tasks[i] = NULL;
	}
}

void
fake_run(struct thread *td __unused)
{
	x_report("the search says who runs");
}

/* --- locks --- */

static struct x_held *
find_held(const void *lock)
{
	for (int i = cur->nheld - 1; i >= 0; i--) {
		if (cur->held[i].lock == lock)
			return (&cur->held[i]);
	}
	return (NULL);
}

static void
note_held(const void *lock, const char *name, uint8_t rank, char mode)
{
	if (cur->nheld == MAX_HELD)
		x_report("too many locks held");
	cur->held[cur->nheld++] = (struct x_held){lock, name, rank, mode};
}

static char
note_released(const void *lock, const char *name)
{
	struct x_held *h = find_held(lock);
	char mode;

	if (h == NULL)
		x_report("%s is let go by a thread that does not hold it", name);
	mode = h->mode;
	*h = cur->held[--cur->nheld];
	cur->held[cur->nheld] = (struct x_held){0};
	return (mode);
}

static void
check_rank(const void *lock, const char *name, uint8_t rank)
{
	for (int i = 0; i < cur->nheld; i++) {
		struct x_held *h = &cur->held[i];

		if (h->lock == lock)
			x_report("%s is taken twice", name);
		if (h->rank > rank || (h->rank == rank && rank != LR_OBJECT && rank != LR_FILE))
			x_report("lock order: %s taken while %s is held", name, h->name);
	}
}

bool
fake_holds(const void *lock)
{
	return (find_held(lock) != NULL);
}

int
fake_locks_held(const struct thread *td)
{
	return (((const struct x_thread *)td)->nheld);
}

uint64_t
locks_held(void)
{
	return (INVARIANTS_BUILD ? (uint64_t)cur->nheld : 0);
}

void
mtx_init(struct mtx *m, const char *name, enum lock_rank rank)
{
	*m = (struct mtx){.mtx_name = name, .mtx_rank = rank};
}

void
mtx_lock_at(struct mtx *m LOCK_PLACE_PARAM)
{
	check_rank(m, m->mtx_name, m->mtx_rank);
	if (x_shared(m, true) || m->mtx_owner != 0) {
		if (cur != x_main)
			cur->state = X_MTX;
		x_point("takes", m, __builtin_return_address(0));
	}
	if (m->mtx_owner != 0)
		x_report("%s is held while all have ended", m->mtx_name);
	m->mtx_owner = (uintptr_t)curthread;
	note_held(m, m->mtx_name, m->mtx_rank, 'm');
}

/* No point: others see nothing that they could not see a moment later. */
void
mtx_unlock(struct mtx *m)
{
	note_released(m, m->mtx_name);
	m->mtx_owner = 0;
	cur->let_go = true;
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

static bool
rw_try(struct rwlock *rw, bool write)
{
	if (write ? rw->rw_word != 0 : (rw->rw_word & (RW_WRITER | RW_WAITERS)) != 0)
		return (false);
	rw->rw_word += write ? RW_WRITER | (uintptr_t)curthread : RW_READER;
	note_held(rw, rw->rw_name, rw->rw_rank, write ? 'w' : 'r');
	return (true);
}

static bool
waits_for(const struct x_thread *t, const struct rwlock *rw)
{
	return (t->state == X_LOCK && t->what == rw);
}

static void
rw_lock(struct rwlock *rw, bool write, const void *pc)
{
	int queue = 0;

	check_rank(rw, rw->rw_name, rw->rw_rank);
	use(write ? "write-locks" : "read-locks", rw, pc);
	if (rw_try(rw, write))
		return;
	if (cur == x_main)
		x_report("%s is held while all have ended", rw->rw_name);
	for (struct x_thread *t = x_threads; t < x_main; t++)
		queue += waits_for(t, rw);
	rw->rw_word |= RW_WAITERS;
	cur->place = queue;
	cur->wants_write = write;
	cur->state = X_LOCK;
	stop(); /* whoever lets go of it gives it to us */
	note_held(rw, rw->rw_name, rw->rw_rank, write ? 'w' : 'r');
}

static struct x_thread *
first_waiter(const struct rwlock *rw)
{
	for (struct x_thread *t = x_threads; t < x_main; t++) {
		if (waits_for(t, rw) && t->place == 0)
			return (t);
	}
	return (NULL);
}

/* The lock is free, or read-locked: give it to those who have waited longest. */
static void
rw_hand_over(struct rwlock *rw)
{
	struct x_thread *t;

	if ((rw->rw_word & RW_WAITERS) == 0)
		return;
	while ((t = first_waiter(rw)) != NULL) {
		if ((rw->rw_word & RW_WRITER) != 0 ||
		    (t->wants_write && (rw->rw_word & ~RW_WAITERS) != 0))
			return;
		rw->rw_word += t->wants_write ? RW_WRITER | (uintptr_t)&t->td : RW_READER;
		t->state = X_READY;
		for (struct x_thread *o = x_threads; o < x_main; o++)
			o->place -= waits_for(o, rw);
	}
	rw->rw_word &= ~RW_WAITERS;
}

void
rw_rlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	rw_lock(rw, false, __builtin_return_address(0));
}

void
rw_wlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	rw_lock(rw, true, __builtin_return_address(0));
}

bool
rw_try_rlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	use("tries to read-lock", rw, __builtin_return_address(0));
	return (rw_try(rw, false));
}

bool
rw_try_wlock_at(struct rwlock *rw LOCK_PLACE_PARAM)
{
	use("tries to write-lock", rw, __builtin_return_address(0));
	return (rw_try(rw, true));
}

bool
rw_try_upgrade(struct rwlock *rw)
{
	struct x_held *h = find_held(rw);

	use("tries to upgrade", rw, __builtin_return_address(0));
	if (h == NULL || h->mode != 'r')
		x_report("%s is upgraded by a thread that does not read-hold it", rw->rw_name);
	if ((rw->rw_word & ~RW_WAITERS) != RW_READER)
		return (false);
	rw->rw_word = RW_WRITER | (uintptr_t)curthread | (rw->rw_word & RW_WAITERS);
	h->mode = 'w';
	return (true);
}

void
rw_downgrade(struct rwlock *rw)
{
	struct x_held *h = find_held(rw);

	use("downgrades", rw, __builtin_return_address(0));
	if (h == NULL || h->mode != 'w')
		x_report("%s is downgraded by a thread that does not write-hold it", rw->rw_name);
	rw->rw_word = RW_READER | (rw->rw_word & RW_WAITERS);
	h->mode = 'r';
	rw_hand_over(rw);
}

static void
rw_release(struct rwlock *rw)
{
	bool write = note_released(rw, rw->rw_name) == 'w';

	rw->rw_word -= write ? RW_WRITER | (uintptr_t)curthread : RW_READER;
	rw_hand_over(rw);
	cur->let_go = true;
}

void
rw_unlock(struct rwlock *rw)
{
	use("lets go of", rw, __builtin_return_address(0));
	rw_release(rw);
}

bool
rw_wowned(const struct rwlock *rw)
{
	struct x_held *h = find_held(rw);

	return (h != NULL && h->mode == 'w');
}

bool
rw_locked(const struct rwlock *rw)
{
	return ((rw->rw_word & ~RW_WAITERS) != 0);
}

/* --- sleep and wakeup --- */

static int
sleep_on(const void *chan, int flags, bool timed, const void *pc)
{
	if (cur == x_main)
		x_report("there is something to wait for when all have ended");
	if ((flags & SLEEP_KILL) && curthread->td_md.md_killed)
		return (EINTR);
	for (int i = 0; i < cur->nheld; i++) {
		if (cur->held[i].mode == 'm')
			x_report("sleeps holding %s", cur->held[i].name);
	}
	curthread->td_wchan = chan;
	curthread->td_sleep_flags = flags;
	curthread->td_sleep_result = ETIMEDOUT; /* unless a waker says otherwise */
	cur->timed = timed;
	cur->verb = "wakes up from";
	cur->what = chan;
	cur->pc = pc;
	cur->state = X_SLEEP;
	stop();
	return (curthread->td_sleep_result);
}

static void
wake(struct x_thread *t, int result)
{
	t->td.td_sleep_result = result;
	t->state = X_READY;
}

int
rw_sleep(const void *chan, struct rwlock *rw, int flags, uint64_t timeout)
{
	use("sleeps on", chan, __builtin_return_address(0));
	if (rw != NULL)
		rw_release(rw);
	return (sleep_on(chan, flags, timeout != 0, __builtin_return_address(0)));
}

int
mtx_sleep(const void *chan, struct mtx *m, int flags, uint64_t timeout)
{
	mtx_unlock(m);
	return (sleep_on(chan, flags, timeout != 0, __builtin_return_address(0)));
}

void
wakeup(const void *chan)
{
	use("wakes those on", chan, __builtin_return_address(0));
	for (struct x_thread *t = x_threads; t < x_main; t++) {
		if (t->state == X_SLEEP && t->td.td_wchan == chan)
			wake(t, 0);
	}
}

void
fake_kill(struct thread *td)
{
	struct x_thread *t = (struct x_thread *)td;

	use("kills", td, __builtin_return_address(0));
	td->td_md.md_killed = true;
	if (t->state == X_SLEEP && (td->td_sleep_flags & SLEEP_KILL))
		wake(t, EINTR);
}

bool
thread_killed(void)
{
	use("asks whether it is killed", curthread, __builtin_return_address(0));
	return (curthread->td_md.md_killed);
}

/* --- the rest of what the VM wants --- */

bool
vm_oom(void)
{
	return (false);
}

vm_size_t
vm_limit(enum vm_limit which)
{
	return (fake_limits[which]);
}

int
lim_file_size(uint64_t from __unused, uint64_t *end __unused)
{
	return (0);
}

void
vm_fault_count(bool major __unused)
{
}

/* The fake pmap changes all page tables of a page at once; the point is before that. Who uses one
 * of the page tables otherwise takes its lock. */
static void
use_by_page(const char *verb, vm_page_t m, const void *pc)
{
	bool shared = one != NULL && x_shared(&one->pmap.pm_mtx, true);

	if (two != NULL)
		shared |= x_shared(&two->pmap.pm_mtx, true);
	if (x_shared(&m->md, true) || shared)
		x_point(verb, m, pc);
}

void __real_pmap_remove_all(vm_page_t m);
void __wrap_pmap_remove_all(vm_page_t m);
void
__wrap_pmap_remove_all(vm_page_t m)
{
	use_by_page("pmap_remove_all", m, __builtin_return_address(0));
	__real_pmap_remove_all(m);
}

void __real_pmap_remove_write(vm_page_t m);
void __wrap_pmap_remove_write(vm_page_t m);
void
__wrap_pmap_remove_write(vm_page_t m)
{
	use_by_page("pmap_remove_write", m, __builtin_return_address(0));
	__real_pmap_remove_write(m);
}

bool __real_pmap_page_is_mapped(vm_page_t m);
bool __wrap_pmap_page_is_mapped(vm_page_t m);
bool
__wrap_pmap_page_is_mapped(vm_page_t m)
{
	use_by_page("pmap_page_is_mapped", m, __builtin_return_address(0));
	return (__real_pmap_page_is_mapped(m));
}

/* --- one CPU ---------------------------------------------------------------------------------- */

uint32_t cpus_running = 1;

uint64_t
vm_cnt_sum(const uint64_t *field)
{
	return (*field);
}

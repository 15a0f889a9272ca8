/*
 * The futex system call, and what else threads ask for.
 */
#include "linux/linux.h"
#include "kern/clock.h"
#include "kern/cred.h"
#include "kern/futex.h"
#include "kern/machdep.h"
#include "kern/proc.h"

#define ROBUST_HEAD_SIZE 24
#define FUTEX_OP_SHIFT   8u /* in an operation of FUTEX_WAKE_OP: a bit of that number */

/* How long to wait, ns. WAIT takes a span, WAIT_BITSET a moment of one of two clocks. */
static int
futex_timeout(const struct linux_timespec *uts, int op, uint64_t *ns)
{
	uint64_t now = (op & FUTEX_CLOCK_REALTIME) != 0 ? clock_wall() : cpu_now();
	int error = timespec_in(uts, ns);

	if (error == 0 && (op & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET)
		*ns = *ns > now ? *ns - now : 1;
	*ns = MAX(*ns, 1ul);
	return (error);
}

static int64_t
futex_do_wait(uint64_t uaddr, int op, uint32_t value, const struct linux_timespec *uts,
	      uint32_t bits)
{
	uint64_t ns = 0;
	int error = uts != NULL ? futex_timeout(uts, op, &ns) : 0;

	if (error == 0 && bits == 0)
		error = EINVAL;
	if (error == 0)
		error = futex_wait(uaddr, (op & FUTEX_PRIVATE) == 0, value, bits, ns);
	return (-error);
}

static int64_t
futex_do_requeue(uint64_t uaddr, int op, uint32_t n, uint64_t move, uint64_t uaddr2, uint32_t value)
{
	uint32_t now = value, count = 0;
	int error = 0;

	if ((int)n < 0 || (int)move < 0 || (uaddr2 & 3) != 0)
		return (-EINVAL);
	if ((op & FUTEX_CMD_MASK) == FUTEX_CMP_REQUEUE)
		error = copyin((const void *)uaddr, &now, sizeof(now));
	if (error == 0 && now != value)
		error = EAGAIN;
	if (error == 0)
		error = futex_requeue(uaddr, uaddr2, (op & FUTEX_PRIVATE) == 0, n, move, &count);
	return (error != 0 ? -error : (int64_t)count);
}

/* What FUTEX_WAKE_OP does to a word: SET, ADD, OR, ANDN, XOR; false: there is no such operation. */
static bool
op_result(uint32_t op, uint32_t old, uint32_t arg, uint32_t *new)
{
	const uint32_t results[] = {arg, old + arg, old | arg, old & ~arg, old ^ arg};

	if (op >= nitems(results))
		return (false);
	*new = results[op];
	return (true);
}

/* 1 if the old value compares so: EQ, NE, LT, LE, GT, GE; else 0, or -ENOSYS. */
static int
op_compare(uint32_t how, int32_t old, int32_t arg)
{
	const bool results[] = {old == arg, old != arg, old<arg, old <= arg, old> arg, old >= arg};

	return (how < nitems(results) ? results[how] : -ENOSYS);
}

/* Change the word as code says; whether to wake who waits there, or an error, negative. */
static int
futex_op(uint32_t *uaddr, uint32_t code)
{
	uint32_t arg = (uint32_t)((int32_t)(code << 8) >> 20), op = code >> 28, old, seen, new;
	int error = copyin(uaddr, &seen, sizeof(seen));

	if ((op & FUTEX_OP_SHIFT) != 0)
		arg = 1u << (arg & 31);
	do {
		old = seen;
		if (error == 0 && !op_result(op & ~FUTEX_OP_SHIFT, old, arg, &new))
			error = ENOSYS;
		if (error == 0)
			error = casuword32(uaddr, &seen, new);
	} while (error == 0 && seen != old);
	return (error != 0
		    ? -error
		    : op_compare(code >> 24 & 15, (int32_t)old, (int32_t)(code << 20) >> 20));
}

/* The change comes first: whoever saw the word before it waits already. At least one wakes of each,
 * as with FUTEX_WAKE. */
static int64_t
futex_wake_op(uint64_t uaddr, bool shared, uint32_t n, uint32_t n2, uint64_t uaddr2, uint32_t code)
{
	uint32_t woken, more = 0;
	int wake2, error;

	if ((uaddr2 & 3) != 0)
		return (-EINVAL);
	wake2 = futex_op((uint32_t *)uaddr2, code);
	if (wake2 < 0)
		return (wake2);
	error = futex_wake(uaddr, shared, MAX((int)n, 1), FUTEX_ALL, &woken);
	if (error == 0 && wake2 != 0)
		error = futex_wake(uaddr2, shared, MAX((int)n2, 1), FUTEX_ALL, &more);
	return (error != 0 ? -error : (int64_t)(woken + more));
}

int64_t
sys_futex(uint64_t uaddr, int op, uint32_t value, const struct linux_timespec *uts, uint64_t uaddr2,
	  uint32_t value3)
{
	bool bitset = (op & FUTEX_CMD_MASK) == FUTEX_WAKE_BITSET;
	uint32_t woken;
	int error;

	if ((uaddr & 3) != 0)
		return (-EINVAL);
	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
		return (futex_do_wait(uaddr, op, value, uts, FUTEX_ALL));
	case FUTEX_WAIT_BITSET:
		return (futex_do_wait(uaddr, op, value, uts, value3));
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		if (bitset && value3 == 0)
			return (-EINVAL);
		/* At least one, as Linux has it. */
		error = futex_wake(uaddr, (op & FUTEX_PRIVATE) == 0, MAX((int)value, 1),
				   bitset ? value3 : FUTEX_ALL, &woken);
		return (error != 0 ? -error : (int64_t)woken);
	case FUTEX_WAKE_OP:
		return (futex_wake_op(uaddr, (op & FUTEX_PRIVATE) == 0, value,
				      (uint32_t)(uint64_t)uts, uaddr2, value3));
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return (futex_do_requeue(uaddr, op, value, (uint64_t)uts, uaddr2, value3));
	}
	return (-ENOSYS);
}

int64_t
sys_set_robust_list(uint64_t head, uint64_t size)
{
	if (size != ROBUST_HEAD_SIZE)
		return (-EINVAL);
	curthread->td_robust_list = head;
	return (0);
}

int64_t
sys_get_robust_list(int tid, uint64_t *uhead, uint64_t *usize)
{
	uint64_t head, size = ROBUST_HEAD_SIZE;
	struct thread *td;
	struct proc *p = proc_find_thread(tid, &td);
	int64_t result;
	bool other;

	if (p == NULL)
		return (-ESRCH);
	head = td->td_robust_list;
	other = p != curproc && !capable(CAP_SYS_PTRACE);
	proc_thread_rele(p);
	if (other)
		return (-EPERM);
	result = COPYOUT(&size, usize);
	return (result == 0 ? COPYOUT(&head, uhead) : result);
}

/* --- membarrier ------------------------------------------------------------------------------- */

/* A command's bit, and the bit with which a process says that it will want it. */
/* clang-format off */
enum {
	MEMBARRIER_GLOBAL = 1, MEMBARRIER_GLOBAL_EXPEDITED = 2, MEMBARRIER_REGISTER_GLOBAL = 4,
	MEMBARRIER_PRIVATE = 8, MEMBARRIER_REGISTER_PRIVATE = 16, MEMBARRIER_SYNC_CORE = 32,
	MEMBARRIER_REGISTER_SYNC_CORE = 64, MEMBARRIER_ALL = 127,
};
/* clang-format on */

/* Every other thread has passed a barrier: it has been switched out, or its CPU was interrupted. */
int64_t
sys_membarrier(int command, uint32_t flags)
{
	struct vmspace *vm = curproc->p_vm;

	if (flags != 0)
		return (-EINVAL);
	switch (command) {
	case 0:
		return (MEMBARRIER_ALL);
	case MEMBARRIER_GLOBAL:
	case MEMBARRIER_GLOBAL_EXPEDITED:
		cpu_barrier();
		return (0);
	case MEMBARRIER_REGISTER_GLOBAL:
	case MEMBARRIER_REGISTER_PRIVATE:
	case MEMBARRIER_REGISTER_SYNC_CORE:
		__atomic_fetch_or(&vm->vm_membarrier, (uint32_t)command, __ATOMIC_RELAXED);
		return (0);
	case MEMBARRIER_PRIVATE:
	case MEMBARRIER_SYNC_CORE:
		if ((vm->vm_membarrier & (uint32_t)command << 1) == 0)
			return (-EPERM);
		cpu_barrier();
		return (0);
	}
	return (-EINVAL);
}

/*
 * Exceptions, interrupts and the edges of system calls: who is to deal with what the CPU brought
 * us.
 */
#include "amd64/amd64.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "vm/vm_fault.h"

enum { T_NMI = 2, T_DF = 8, T_PF = 14, T_MCE = 18, T_EXCEPTIONS = 32 };
enum { PF_PROT = 1, PF_WRITE = 2, PF_USER = 4, PF_RSVD = 8, PF_EXEC = 16 };
enum { SI_KERNEL = 0x80, FPE_INTDIV = 1, ILL_ILLOPN = 2, TRAP_BRKPT = 1, TRAP_TRACE = 2 };

static const struct exception {
	int signal, code;
	const char *name;
} exceptions[T_EXCEPTIONS] = {
    [0] = {SIGFPE, FPE_INTDIV, "integer divide error"},
    [1] = {SIGTRAP, TRAP_TRACE, "debug trap"},
    [T_NMI] = {0, 0, "non-maskable interrupt"},
    [3] = {SIGTRAP, SI_KERNEL, "breakpoint"},
    [4] = {SIGSEGV, SI_KERNEL, "overflow trap"},
    [5] = {SIGSEGV, SI_KERNEL, "bound range exceeded"},
    [6] = {SIGILL, ILL_ILLOPN, "invalid instruction"},
    [7] = {SIGSEGV, SI_KERNEL, "FPU not available"},
    [T_DF] = {0, 0, "double fault"},
    [10] = {SIGSEGV, SI_KERNEL, "invalid TSS"},
    [11] = {SIGBUS, SI_KERNEL, "segment not present"},
    [12] = {SIGBUS, SI_KERNEL, "stack segment fault"},
    [13] = {SIGSEGV, SI_KERNEL, "general protection fault"},
    [T_PF] = {SIGSEGV, SEGV_MAPERR, "page fault"},
    [16] = {SIGFPE, SI_KERNEL, "x87 floating-point error"},
    [17] = {SIGBUS, BUS_ADRALN, "alignment check"},
    [T_MCE] = {0, 0, "machine check"},
    [19] = {SIGFPE, SI_KERNEL, "SSE floating-point error"},
};

const struct trapframe *panic_frame;

static bool
from_user(const struct trapframe *tf)
{
	return ((tf->tf_cs & 3) != 0);
}

static void __noreturn
trap_panic(const struct trapframe *tf)
{
	const struct exception *e = &exceptions[tf->tf_trapno % T_EXCEPTIONS];
	uint64_t cr2 = READ_CR(2), below = (uint64_t)curthread->td_kstack - cr2;

	panic_frame = tf;

	if (tf->tf_trapno == T_DF && below > 0 && below <= PAGE_SIZE)
		panic("kernel stack overflow of thread %s", curthread->td_name);
	if (tf->tf_trapno == T_PF)
		panic("kernel page fault: %s of address %#lx",
		      (tf->tf_err & PF_EXEC) != 0    ? "execution"
		      : (tf->tf_err & PF_WRITE) != 0 ? "write"
						     : "read",
		      cr2);
	panic("%s in the kernel, error code %#lx", e->name != NULL ? e->name : "exception",
	      tf->tf_err);
}

/* Kill the program for a bad access, saying why in words. */
static void
bad_access(const struct trapframe *tf, uint64_t va, int rv)
{
	static const char *const why[3][3] = {
	    {"read, no mapping", "read, not readable", "read, no page behind the mapping"},
	    {"write, no mapping", "write, not writable", "write, no page behind the mapping"},
	    {"execute, no mapping", "execute, not executable",
	     "execute, no page behind the mapping"},
	};
	int access = (tf->tf_err & PF_EXEC) != 0 ? 2 : (tf->tf_err & PF_WRITE) != 0;

	if (rv == KERN_INVALID_ADDRESS)
		trapsignal(SIGSEGV, SEGV_MAPERR, va, why[access][0]);
	else if (rv == KERN_PROTECTION_FAILURE)
		trapsignal(SIGSEGV, SEGV_ACCERR, va, why[access][1]);
	else
		trapsignal(SIGBUS, BUS_ADRERR, va, why[access][2]);
}

/*
 * User faults, and the kernel's own on user memory inside copy.S. Nothing else in the kernel may
 * fault. The address was read before interrupts came back on and another fault could replace it.
 */
static void
page_fault(struct trapframe *tf, uint64_t va)
{
	bool user = from_user(tf);
	vm_prot_t type = (tf->tf_err & PF_EXEC) != 0    ? VM_PROT_EXECUTE
			 : (tf->tf_err & PF_WRITE) != 0 ? VM_PROT_WRITE
							: VM_PROT_READ;
	int rv;

	if ((tf->tf_err & PF_RSVD) != 0 ||
	    (!user &&
	     (va >= VM_MAXUSER_ADDRESS || (tf->tf_rflags & RFLAGS_IF) == 0 || curproc == NULL ||
	      tf->tf_rip < (uint64_t)user_access_start || tf->tf_rip >= (uint64_t)user_access_end)))
		trap_panic(tf);
	cpu_intr_enable();
	rv = va < VM_MAXUSER_ADDRESS
		 ? vm_fault(&curproc->p_vm->vm_map, va, type, VM_FAULT_NORMAL, NULL)
		 : KERN_INVALID_ADDRESS;
	if (rv == KERN_SUCCESS)
		return;
	if (!user)
		tf->tf_rip = (uint64_t)user_access_fault;
	else if (rv != KERN_ABORTED) /* aborted: user_return sees to it */
		bad_access(tf, va, rv);
}

static void
exception(struct trapframe *tf)
{
	const struct exception *e = &exceptions[tf->tf_trapno];

	if (tf->tf_trapno == T_PF) {
		page_fault(tf, READ_CR(2));
		return;
	}
	if (!from_user(tf) || e->signal == 0)
		trap_panic(tf);
	cpu_intr_enable();
	trapsignal(e->signal, e->code, tf->tf_rip, e->name);
}

static void
interrupt(uint64_t vector)
{
	if (vector == VEC_TIMER)
		timer_interrupt();
	else if (vector >= VEC_IRQ && vector < VEC_IRQ + 16)
		apic_irq(vector - VEC_IRQ);
	/* Others are spurious, and those get no EOI. */
}

void
user_return(void)
{
	struct thread *td = curthread;

	for (;;) {
		__asm__ volatile("cli" : : : "memory");
		if (td->td_ast != 0) {
			cpu_intr_enable();
			proc_ast();
		} else if (td->td_resched) {
			sched_preempt();
		} else {
			return;
		}
	}
}

void
trap(struct trapframe *tf)
{
	if (tf->tf_trapno < T_EXCEPTIONS)
		exception(tf);
	else
		interrupt(tf->tf_trapno);
	if (from_user(tf)) {
		user_return();
		return;
	}
	/* Back into the kernel: only to where interrupts were on, thus no spin lock was held. */
	cpu_intr_disable();
	if ((tf->tf_rflags & RFLAGS_IF) != 0)
		sched_preempt();
}

void
syscall_trap(struct trapframe *tf)
{
	__asm__ volatile("sti" : : : "memory");
	linux_syscall(tf);
	user_return();
}

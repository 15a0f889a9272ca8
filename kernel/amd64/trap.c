/*
 * Exceptions, interrupts and the edges of system calls: who is to deal with what the CPU brought
 * us.
 */
#include "amd64/amd64.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "linux/linux_syscall.h"
#include "vm/vm_fault.h"
#include "vm/vm_page.h"

enum { T_NMI = 2, T_DF = 8, T_PF = 14, T_MCE = 18, T_EXCEPTIONS = 32 };
enum { PF_PROT = 1, PF_WRITE = 2, PF_USER = 4, PF_RSVD = 8, PF_EXEC = 16 };
enum { T_DB = 1, T_MF = 16, T_XM = 19 };
enum { FPE_INTDIV = 1, FPE_FLTDIV = 3, FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES, FPE_FLTINV };
enum { ILL_ILLOPN = 2, TRAP_BRKPT = 1, TRAP_TRACE = 2 };
#define DR6_SINGLE_STEP (1ul << 14)

/* A signal tells the address of the instruction unless its code is SI_KERNEL. */
static const struct exception {
	int signal, code;
	const char *name;
} exceptions[T_EXCEPTIONS] = {
    [0] = {SIGFPE, FPE_INTDIV, "integer divide error"},
    [T_DB] = {SIGTRAP, TRAP_TRACE, "debug trap"},
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
    [T_MF] = {SIGFPE, FPE_FLTINV, "x87 floating-point error"},
    [17] = {SIGBUS, BUS_ADRALN, "alignment check"},
    [T_MCE] = {0, 0, "machine check"},
    [T_XM] = {SIGFPE, FPE_FLTINV, "SSE floating-point error"},
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

/* For the frame of a signal. */
static void
note_fault(const struct trapframe *tf)
{
	curthread->td_md.md_trapno = tf->tf_trapno;
	curthread->td_md.md_err = tf->tf_err;
}

/* A bad access: the program's signal, and why in words. */
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

	note_fault(tf);
	curthread->td_md.md_cr2 = va;
	if (va >= VM_MAXUSER_ADDRESS) /* what is there is nobody's business */
		curthread->td_md.md_err |= PF_PROT;
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
	/* Tables and what describes the memory come of the reserve: not its last half, which system
	 * calls need. */
	if (__predict_false(vm_cnt.v_free_count < vm_cnt.v_free_reserved / 2))
		vm_wait();
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

/* Which exception it was that the FPU has raised; 0: none, by now. */
static int
fpe_code(uint64_t trapno)
{
	uint16_t control, status;
	uint32_t mxcsr, raised;

	__asm__ volatile("fnstcw %0; fnstsw %1; stmxcsr %2"
			 : "=m"(control), "=m"(status), "=m"(mxcsr));
	raised = trapno == T_MF ? status & ~control : mxcsr & ~(mxcsr >> 7);
	return ((raised & 1) != 0      ? FPE_FLTINV
		: (raised & 4) != 0    ? FPE_FLTDIV
		: (raised & 8) != 0    ? FPE_FLTOVF
		: (raised & 0x12) != 0 ? FPE_FLTUND
		: (raised & 0x20) != 0 ? FPE_FLTRES
				       : 0);
}

/* For single steps and INT1: the register only ever gathers. */
static int
debug_code(void)
{
	uint64_t dr6;

	__asm__ volatile("movq %%dr6, %0" : "=r"(dr6));
	__asm__ volatile("movq %0, %%dr6" : : "r"(0xffff0ff0ul));
	return ((dr6 & DR6_SINGLE_STEP) != 0 ? TRAP_TRACE : TRAP_BRKPT);
}

static void
exception(struct trapframe *tf)
{
	const struct exception *e = &exceptions[tf->tf_trapno];
	bool has_address = e->code != SI_KERNEL && e->signal != SIGBUS;
	int code;

	if (tf->tf_trapno == T_PF) {
		page_fault(tf, READ_CR(2));
		return;
	}
	if (!from_user(tf) || e->signal == 0)
		trap_panic(tf);
	code = e->code;
	if (tf->tf_trapno == T_MF || tf->tf_trapno == T_XM)
		code = fpe_code(tf->tf_trapno);
	else if (tf->tf_trapno == T_DB)
		code = debug_code();
	note_fault(tf);
	cpu_intr_enable();
	if (code != 0)
		trapsignal(e->signal, code, has_address ? tf->tf_rip : 0, e->name);
}

/* Each CPU's, which it alone changes, with interrupts off. */
static uint64_t interrupts[MAXCPU][CPU_INTR_KINDS];

uint64_t
cpu_interrupts(unsigned cpu, int kind)
{
	return (interrupts[cpu][kind]);
}

static void
interrupt(uint64_t vector)
{
	uint64_t *count = interrupts[cpu_id()];

	if (vector == VEC_TIMER) {
		count[CPU_INTR_TIMER]++;
		timer_interrupt();
	} else if (vector >= VEC_IRQ && vector < VEC_IRQ + 16) {
		count[vector - VEC_IRQ]++;
		apic_irq(vector - VEC_IRQ);
	} else if (vector == VEC_KICK) {
		count[CPU_INTR_KICK]++;
		apic_eoi();
		sched_kicked();
	} else if (vector == VEC_TLB) {
		count[CPU_INTR_TLB]++;
		apic_eoi();
		tlb_poll();
	} else {
		count[CPU_INTR_SPURIOUS]++;
		apic_unexpected(vector);
	}
}

/* An NMI may come anywhere, also while its CPU holds any lock: it is counted, unless it is how a
 * panic on another CPU stops this one. */
void
trap_ist(struct trapframe *tf)
{
	if (tf->tf_trapno != T_NMI)
		trap_panic(tf);
	if (panicking)
		cpu_stop();
	interrupts[cpu_id()][CPU_INTR_NMI]++;
}

/* Interrupts are off, before and after. */
static void __slow_path
user_asts(struct thread *td)
{
	if (td->td_ast == AST_RESCHED) {
		sched_preempt();
		return;
	}
	cpu_intr_enable();
	proc_ast();
	cpu_intr_disable();
}

/* To user mode: interrupts are off from now on. */
static inline void
user_begins(void)
{
	__asm__ volatile("cli" : : : "memory");
	while (__predict_false(pcpu_self()->pc_curthread->td_ast != 0))
		user_asts(curthread);
	cpu_user_begins();
}

void
user_return(void)
{
	user_begins();
}

void
trap(struct trapframe *tf)
{
	if (from_user(tf))
		cpu_user_ends();
	if (tf->tf_trapno < T_EXCEPTIONS)
		exception(tf);
	else
		interrupt(tf->tf_trapno);
	if (from_user(tf)) {
		user_begins();
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
	cpu_user_ends();
	__asm__ volatile("sti" : : : "memory");
	linux_syscall(tf);
	user_begins();
}

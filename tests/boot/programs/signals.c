/*
 * signals [CASE...]: handlers, what they are told, masks, queues, stacks, restarts, stops. Run on
 * Linux and here: the output is the same.
 */
#define _GNU_SOURCE
#include "tell.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static int
run_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fn();
		fflush(stdout);
		_exit(7);
	}
	waitpid(pid, &status, 0);
	return (status);
}

static void
ms(long n)
{
	struct timespec ts = {n / 1000, n % 1000 * 1000000};

	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		;
}

static void
on(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = {.sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags};

	sigaction(sig, &sa, NULL);
}

static sigset_t
set_of(int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, a);
	if (b != 0)
		sigaddset(&set, b);
	return (set);
}

static volatile int count;
static siginfo_t last;
static volatile uint64_t seen_mask;

static void
note(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	last = *info;
	memcpy((void *)&seen_mask, &((ucontext_t *)uc)->uc_sigmask, 8);
	count++;
}

/* --- what handlers are told ------------------------------------------------------------------- */

static void
info(void)
{
	union sigval v = {.sival_int = 77};
	pid_t pid;

	on(SIGUSR1, note, 0);
	kill(getpid(), SIGUSR1);
	printf("kill: signo %d code %d own pid %d uid own %d\n", last.si_signo, last.si_code,
	       last.si_pid == getpid(), last.si_uid == getuid());
	raise(SIGUSR1);
	printf("raise: code %d own pid %d\n", last.si_code, last.si_pid == getpid());
	sigqueue(getpid(), SIGUSR1, v);
	printf("sigqueue: code %d value %d\n", last.si_code, last.si_value.sival_int);
	on(SIGCHLD, note, 0);
	pid = fork();
	if (pid == 0)
		_exit(5);
	waitpid(pid, NULL, 0);
	printf("exit: signo %d code %d status %d its pid %d\n", last.si_signo, last.si_code,
	       last.si_status, last.si_pid == pid);
	pid = fork();
	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		raise(SIGTERM);
	}
	waitpid(pid, NULL, 0);
	printf("death: signo %d code %d status %d\n", last.si_signo, last.si_code, last.si_status);
	signal(SIGCHLD, SIG_DFL);
	say("handlers ran", count);
}

static sigjmp_buf jump;
static volatile siginfo_t fault;
static volatile uint64_t fault_trap, fault_err, fault_cr2, fault_rip;

static void
on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	fault = *info;
	fault.si_signo = sig;
	fault_trap = uc->uc_mcontext.gregs[REG_TRAPNO];
	fault_err = uc->uc_mcontext.gregs[REG_ERR];
	fault_cr2 = uc->uc_mcontext.gregs[REG_CR2];
	fault_rip = uc->uc_mcontext.gregs[REG_RIP];
	siglongjmp(jump, 1);
}

/* What doing fn gives; base: what the address is told from. */
static void
faults(const char *what, void (*fn)(void), const void *base)
{
	fault.si_signo = 0;
	if (sigsetjmp(jump, 1) == 0)
		fn();
	printf("%s: signo %d code %d errno %d trap %lu err %lu", what, fault.si_signo,
	       fault.si_code, fault.si_errno, fault_trap, fault_err);
	if (base != NULL)
		printf(" addr %+ld", (long)((char *)fault.si_addr - (char *)base));
	else
		printf(" at the instruction %d", (uint64_t)fault.si_addr == fault_rip);
	if (fault_trap == 14)
		printf(" cr2 %d", fault_cr2 == (uint64_t)fault.si_addr);
	printf("\n");
	fflush(stdout);
}

static char *page;
static volatile int zero;

/* clang-format off */
static char *volatile low = (char *)16;
static void read_null(void) { (void)*(volatile char *)low; }
static void write_page(void) { page[100] = 1; }
static void read_page(void) { (void)*(volatile char *)(page + 200); }
static void jump_page(void) { ((void (*)(void))(page + 300))(); }
static void read_kernel(void) { (void)*(volatile char *)0xffffffff80000000ul; }
static void read_wild(void) { (void)*(volatile char *)0x8000000000000000ul; }
static void divide(void) { zero = 1 / zero; }
static void divide_overflow(void) { __asm__ volatile("movl $0x80000000, %%eax; cltd; movl $-1, %%ecx; idivl %%ecx" : : : "eax", "ecx", "edx"); }
static void undefined(void) { __asm__ volatile("ud2"); }
static void privileged(void) { __asm__ volatile("hlt"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void one_step(void) { __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop" : : : "memory", "cc"); }
static void x87(int mask) { uint16_t cw = 0x37f & ~mask; __asm__ volatile("fninit; fldcw %0" : : "m"(cw)); }
static void x87_divide(void) { x87(4); __asm__ volatile("fld1; fldz; fdivrp; fwait"); }
static void x87_invalid(void) { x87(1); __asm__ volatile("fldz; fldz; fdivrp; fwait"); }
static void sse_unaligned(void) { __asm__ volatile("movaps 1(%%rsp), %%xmm0" : : : "memory"); }
/* clang-format on */

static void
codes(void)
{
	FILE *f = tmpfile();
	int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

	for (int i = 0; i < 5; i++)
		on(sigs[i], on_fault, 0);
	faults("read nothing", read_null, (void *)0);
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	faults("read, no right", read_page, page);
	mprotect(page, 4096, PROT_READ);
	faults("write, no right", write_page, page);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	page[0] = 1;
	faults("execute, no right", jump_page, page);
	munmap(page, 4096);
	faults("write, unmapped", write_page, page);
	faults("execute, unmapped", jump_page, page);
	faults("read of the kernel", read_kernel, (void *)0xffffffff80000000ul);
	faults("read of no address", read_wild, (void *)0);
	if (f != NULL && ftruncate(fileno(f), 0) == 0) {
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(f), 0);
		if (page != MAP_FAILED)
			faults("past the file", read_page, page);
	}
	faults("divide", divide, NULL);
	faults("divide, overflow", divide_overflow, NULL);
	faults("undefined", undefined, NULL);
	faults("privileged", privileged, (void *)0);
	faults("breakpoint", breakpoint, (void *)0);
	faults("single step", one_step, NULL);
	faults("x87 divide", x87_divide, NULL);
	faults("x87 invalid", x87_invalid, NULL);
	__asm__ volatile("fninit");
	faults("SSE unaligned", sse_unaligned, (void *)0);
}

static void
child_null(void)
{
	read_null();
}

static void
child_blocked(void)
{
	sigset_t set = set_of(SIGSEGV, 0);

	on(SIGSEGV, note, 0);
	sigprocmask(SIG_BLOCK, &set, NULL);
	read_null();
}

static void
child_ignored(void)
{
	signal(SIGFPE, SIG_IGN);
	divide();
}

static void
child_again(void)
{
	on(SIGSEGV, note, SA_RESETHAND);
	read_null();
}

static void
child_abort(void)
{
	abort();
}

static void
child_stack(void)
{
	on(SIGSEGV, note, 0);
	__asm__ volatile("movq $4096, %%rsp; pushq %%rax" : : : "memory");
}

static void
child_usr1_stack(void)
{
	on(SIGUSR1, note, 0);
	__asm__ volatile("movq $4096, %%rsp; syscall"
			 :
			 : "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
			 : "memory");
}

static void
child_no_restorer(void)
{
	uint64_t sa[4] = {(uint64_t)note, SA_SIGINFO, 0, 0};

	syscall(SYS_rt_sigaction, SIGUSR1, sa, NULL, 8);
	raise(SIGUSR1);
}

static void
deaths(void)
{
	say("fault", run_child(child_null));
	say("blocked", run_child(child_blocked));
	say("ignored", run_child(child_ignored));
	say("handler for once", run_child(child_again));
	say("abort", run_child(child_abort));
	say("no stack", run_child(child_stack));
	say("no stack for another", run_child(child_usr1_stack));
	say("no restorer", run_child(child_no_restorer));
}

/* --- masks, order, queues --------------------------------------------------------------------- */

static char order[512];

static void
note_order(int sig, siginfo_t *info, void *uc)
{
	char part[32];

	(void)uc;
	snprintf(part, sizeof(part), " %d/%d", sig, info->si_value.sival_int);
	strcat(order, part);
}

static void
queues(void)
{
	sigset_t all, old, pending;
	union sigval v;
	struct rlimit rl;

	sigfillset(&all);
	for (int sig = SIGRTMIN; sig < SIGRTMIN + 4; sig++)
		on(sig, note_order, 0);
	on(SIGUSR1, note_order, 0);
	on(SIGUSR2, note_order, 0);
	sigprocmask(SIG_SETMASK, &all, &old);
	for (int i = 3; i >= 0; i--)
		for (int n = 0; n < 3; n++) {
			v.sival_int = n;
			sigqueue(getpid(), SIGRTMIN + i, v);
		}
	v.sival_int = 5;
	for (int n = 0; n < 3; n++)
		sigqueue(getpid(), SIGUSR2, v);
	kill(getpid(), SIGUSR1);
	sigpending(&pending);
	say("USR1 waits", sigismember(&pending, SIGUSR1));
	say("TERM does not", sigismember(&pending, SIGTERM));
	sigprocmask(SIG_SETMASK, &old, NULL);
	printf("order:%s\n", order);
	/* blocked and then ignored: gone */
	sigprocmask(SIG_SETMASK, &all, NULL);
	kill(getpid(), SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	sigpending(&pending);
	say("ignored while it waits", sigismember(&pending, SIGUSR1));
	signal(SIGUSR1, SIG_DFL);
	kill(getpid(), SIGCHLD);
	sigpending(&pending);
	say("harmless but blocked", sigismember(&pending, SIGCHLD));
	signal(SIGCHLD, SIG_DFL);
	sigpending(&pending);
	say("default set anew", sigismember(&pending, SIGCHLD));
	getrlimit(RLIMIT_SIGPENDING, &rl);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void
note_nested(int sig, siginfo_t *info, void *uc)
{
	(void)info;
	(void)uc;
	count++;
	if (count < 3)
		raise(sig);
	if (count < 100)
		printf("leaves at %d\n", count), count += 10;
}

static void
masks(void)
{
	struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO}, old;
	sigset_t set, cur;

	sigaddset(&sa.sa_mask, SIGTERM);
	sigaddset(&sa.sa_mask, SIGKILL);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR1, NULL, &old);
	say("mask keeps TERM", sigismember(&old.sa_mask, SIGTERM));
	say("mask drops KILL", sigismember(&old.sa_mask, SIGKILL));
	say("flags", old.sa_flags & ~0x04000000);
	set = set_of(SIGHUP, SIGKILL);
	sigprocmask(SIG_SETMASK, &set, NULL);
	raise(SIGUSR1);
	say("mask in the frame", seen_mask);
	sigprocmask(SIG_SETMASK, NULL, &cur);
	say("mask after", *(uint64_t *)&cur);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	count = 0;
	on(SIGUSR2, note_nested, 0);
	raise(SIGUSR2);
	say("deferred", count);
	count = 0;
	on(SIGUSR2, note_nested, SA_NODEFER);
	raise(SIGUSR2);
	say("nested", count);
	on(SIGUSR2, note, SA_RESETHAND);
	raise(SIGUSR2);
	sigaction(SIGUSR2, NULL, &old);
	say("reset", old.sa_handler == SIG_DFL);
	call("KILL's action", syscall(SYS_rt_sigaction, SIGKILL, &sa, NULL, 8));
	call("KILL's action is told", syscall(SYS_rt_sigaction, SIGKILL, NULL, &sa, 8));
	call("signal 0", syscall(SYS_rt_sigaction, 0, NULL, NULL, 8));
	call("signal 65", syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
	call("size", syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
	call("bad new", syscall(SYS_rt_sigaction, 65, (void *)16, NULL, 8));
	call("bad old", syscall(SYS_rt_sigaction, SIGUSR1, NULL, (void *)16, 8));
	call("mask size", syscall(SYS_rt_sigprocmask, 0, NULL, NULL, 4));
	call("mask how", syscall(SYS_rt_sigprocmask, 9, &set, NULL, 8));
	call("mask how of nothing", syscall(SYS_rt_sigprocmask, 9, NULL, NULL, 8));
	call("mask bad", syscall(SYS_rt_sigprocmask, 9, (void *)16, NULL, 8));
	call("mask bad old", syscall(SYS_rt_sigprocmask, 0, NULL, (void *)16, 8));
	call("pending bad", syscall(SYS_rt_sigpending, (void *)16, 8));
	call("pending size", syscall(SYS_rt_sigpending, &set, 9));
	call("pending less", syscall(SYS_rt_sigpending, &set, 4));
	call("suspend bad", syscall(SYS_rt_sigsuspend, (void *)16, 8));
	call("suspend size", syscall(SYS_rt_sigsuspend, &set, 4));
}

/* --- stacks ----------------------------------------------------------------------------------- */

static char altstack[32768];
static volatile long on_stack_flags, in_alt, second_set;

static void
note_stack(int sig, siginfo_t *info, void *uc)
{
	stack_t ss, off = {.ss_flags = SS_DISABLE};
	char here;

	(void)sig;
	(void)info;
	in_alt = &here >= altstack && &here < altstack + sizeof(altstack);
	sigaltstack(NULL, &ss);
	on_stack_flags = ss.ss_flags;
	second_set = sigaltstack(&off, NULL) == -1 ? errno : 0;
	say("frame's flags", ((ucontext_t *)uc)->uc_stack.ss_flags);
}

static void
overflow_alt(int sig, siginfo_t *info, void *uc)
{
	volatile char big[256];

	(void)info;
	(void)uc;
	memset((char *)big, 1, sizeof(big));
	raise(sig);
	count += big[1];
}

static void
child_alt_overflow(void)
{
	char *guarded = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t ss = {.ss_sp = guarded + 32768, .ss_size = 32768};

	mprotect(ss.ss_sp, ss.ss_size, PROT_READ | PROT_WRITE);
	sigaltstack(&ss, NULL);
	on(SIGUSR1, overflow_alt, SA_ONSTACK | SA_NODEFER);
	raise(SIGUSR1);
}

static void
on_alt_segv(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)info;
	(void)uc;
	siglongjmp(jump, 2);
}

static int
endless(volatile char *p)
{
	volatile char buf[1024];

	buf[0] = *p;
	return (count >= 0 ? endless(buf) + buf[0] : 0);
}

static void
stacks(void)
{
	stack_t ss = {.ss_sp = altstack, .ss_size = sizeof(altstack)}, old;

	sigaltstack(NULL, &old);
	say("none", old.ss_flags);
	old = ss;
	old.ss_size = 2047;
	call("too small", sigaltstack(&old, NULL));
	old.ss_flags = 12;
	call("bad flags", sigaltstack(&old, NULL));
	call("bad pointer", syscall(SYS_sigaltstack, (void *)16, NULL));
	call("set", sigaltstack(&ss, &old));
	sigaltstack(NULL, &old);
	say("is it", old.ss_sp == altstack && old.ss_size == sizeof(altstack));
	say("flags", old.ss_flags);
	on(SIGUSR1, note_stack, SA_ONSTACK);
	raise(SIGUSR1);
	printf("in it %ld, flags %ld, change %s\n", in_alt, on_stack_flags, strerror(second_set));
	on(SIGUSR1, note_stack, 0);
	raise(SIGUSR1);
	printf("without SA_ONSTACK: in it %ld, flags %ld, change %s\n", in_alt, on_stack_flags,
	       strerror(second_set));
	ss.ss_flags = (int)SS_AUTODISARM;
	call("set to disarm", sigaltstack(&ss, NULL));
	on(SIGUSR1, note_stack, SA_ONSTACK);
	raise(SIGUSR1);
	printf("disarmed: in it %ld, flags %ld, change %s\n", in_alt, on_stack_flags,
	       strerror(second_set));
	sigaltstack(NULL, &old);
	say("after", old.ss_flags == (int)SS_AUTODISARM);
	say("overflow", run_child(child_alt_overflow));
	ss.ss_flags = 0;
	sigaltstack(&ss, NULL);
	on(SIGSEGV, on_alt_segv, SA_ONSTACK);
	if (sigsetjmp(jump, 1) == 0)
		endless(altstack);
	else
		say("stack overflow caught", 1);
}

/* --- registers and the FPU ------------------------------------------------------------------- */

static void
change_all(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	say("aligned", ((uint64_t)__builtin_frame_address(0) & 15) == 0);
	say("mxcsr in the handler", __builtin_ia32_stmxcsr());
	say("mxcsr in the frame", uc->uc_mcontext.fpregs->mxcsr);
	say("uc_flags", *(long *)uc);
	say("cs and ss", uc->uc_mcontext.gregs[REG_CSGSFS]);
	say("magic", *(uint32_t *)((char *)uc->uc_mcontext.fpregs + 464));
	say("features", *(uint64_t *)((char *)uc->uc_mcontext.fpregs + 472) & 7);
	say("state", *(uint64_t *)((char *)uc->uc_mcontext.fpregs + 512) & 3);
	say("magic 2", *(uint32_t *)((char *)uc->uc_mcontext.fpregs +
				     *(uint32_t *)((char *)uc->uc_mcontext.fpregs + 480)));
	uc->uc_mcontext.gregs[REG_R12] = 1234;
	uc->uc_mcontext.fpregs->_xmm[5].element[0] = 99;
	uc->uc_mcontext.fpregs->mxcsr = 0x1fa0;
	__asm__ volatile("pcmpeqd %%xmm5, %%xmm5; pcmpeqd %%xmm6, %%xmm6; fldpi" : : : "memory");
}

static void
registers(void)
{
	uint64_t rax, rbx = 5, r12 = 6, r13 = 7, x5 = 50, x6 = 60, red = 0;
	uint32_t csr = 0x1f80 | 0x2000;

	on(SIGUSR1, change_all, 0);
	__asm__ volatile("ldmxcsr %0" : : "m"(csr));
	__asm__ volatile("movq %[x5], %%xmm5; movq %[x6], %%xmm6\n"
			 "movq %[r12], %%r12; movq %[r13], %%r13; movq $0x1234, -16(%%rsp)\n"
			 "movq $0x777, -128(%%rsp)\n"
			 "syscall\n"
			 "movq %%xmm5, %[x5]; movq %%xmm6, %[x6]; movq %%r12, %[r12]\n"
			 "movq %%r13, %[r13]; movq -16(%%rsp), %[red]; addq -128(%%rsp), %[red]\n"
			 : "=a"(rax), [x5] "+r"(x5), [x6] "+r"(x6), [r12] "+r"(r12),
			   [r13] "+r"(r13), [red] "=&r"(red), "+b"(rbx)
			 : "0"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
			 : "rcx", "r11", "r12", "r13", "xmm5", "xmm6", "memory");
	say("result", rax);
	say("rbx", rbx);
	say("r12, changed", r12);
	say("r13", r13);
	say("xmm5, changed", x5);
	say("xmm6", x6);
	say("red zone", red);
	say("mxcsr, changed", __builtin_ia32_stmxcsr());
	csr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m"(csr));
}

/* --- frames that nobody made ------------------------------------------------------------------ */

static int which;

static void
bend_frame(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	char *fp = (char *)uc->uc_mcontext.fpregs;

	(void)sig;
	(void)info;
	switch (which) {
	case 0:
		uc->uc_mcontext.gregs[REG_RIP] = 0x8000000000000000;
		break;
	case 1:
		uc->uc_mcontext.gregs[REG_CSGSFS] = 0x002b000000000010;
		break;
	case 2:
		uc->uc_mcontext.fpregs = (void *)16;
		break;
	case 3:
		uc->uc_mcontext.fpregs->mxcsr = ~0u;
		break;
	case 4:
		*(uint64_t *)(fp + 512) = ~0ul;
		break;
	case 5:
		*(uint64_t *)(fp + 520) = 1ul << 63;
		break;
	case 6:
		memset(fp + 528, 0xff, 48);
		break;
	case 7: /* fine: flags that are not the program's stay */
		uc->uc_mcontext.gregs[REG_EFL] |= 0x7200 | 1 << 17;
		break;
	case 8: /* fine: the initial state */
		uc->uc_mcontext.fpregs = NULL;
		break;
	case 9: /* fine: no more than FXSAVE's */
		*(uint32_t *)(fp + 464) = 0;
		break;
	case 10:
		uc->uc_mcontext.gregs[REG_RSP] = 16;
		break;
	case 11: /* fine: the mask */
		memset(&uc->uc_sigmask, 0xff, 8);
		break;
	}
}

static void
child_bend(void)
{
	uint64_t flags;
	sigset_t set;

	on(SIGUSR1, bend_frame, 0);
	raise(SIGUSR1);
	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	sigprocmask(SIG_SETMASK, NULL, &set);
	printf("back: flags %lx mask %lx\n", flags & 0x47200, *(uint64_t *)&set);
}

static void
child_garbage(void)
{
	unsigned seed = (unsigned)which * 2654435761u;
	uint64_t *stack =
	    mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 8192; i++) {
		seed = seed * 1664525 + 1013904223;
		stack[i] = (uint64_t)seed << 32 | (seed ^ 0x5bd1e995);
	}
	if ((which & 1) != 0) { /* as far as it may look good */
		stack[100 + 18] = 0;
		stack[100 + 21] = (uint64_t)0x2b << 48 | 0x33;
		stack[100 + 26] = (which & 2) != 0 ? 0 : (uint64_t)(stack + 1024);
		stack[100 + 19] &= 0x7fffffffffff;
	}
	__asm__ volatile("movq %0, %%rsp; movl $15, %%eax; syscall"
			 :
			 : "r"(stack + 101)
			 : "memory");
}

static void
frames(void)
{
	int status, killed = 0, other = 0;

	for (which = 0; which < 12; which++) {
		printf("frame %d: ", which);
		printf("%d\n", run_child(child_bend));
	}
	for (which = 0; which < 200; which++) {
		status = run_child(child_garbage);
		if (WIFSIGNALED(status))
			killed++;
		else
			other++;
	}
	printf("garbage: all killed %d\n", killed == 200 && other == 0);
}

/* --- system calls that are cut short ---------------------------------------------------------- */

static void
tick(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)info;
	(void)uc;
	count++;
	if (count == 1)
		return;
	kill(getppid(), 0);
}

static void
after_ms(int n)
{
	struct itimerval it = {.it_value = {n / 1000, n % 1000 * 1000}};

	setitimer(ITIMER_REAL, &it, NULL);
}

static void
restarts(void)
{
	struct timespec ts = {5, 0}, rem = {0, 0}, t0, t1;
	struct sigaction sa = {.sa_handler = SIG_IGN};
	int status, word = 0;
	pid_t pid;

	on(SIGALRM, tick, 0);
	after_ms(50);
	call("nanosleep", nanosleep(&ts, &rem));
	say("left", rem.tv_sec == 4 && rem.tv_nsec > 800000000);
	on(SIGALRM, tick, SA_RESTART);
	after_ms(50);
	call("nanosleep with SA_RESTART", nanosleep(&ts, &rem));
	after_ms(50);
	call("pause", pause());
	pid = fork();
	if (pid == 0) {
		ms(200);
		_exit(3);
	}
	on(SIGALRM, tick, 0);
	after_ms(50);
	call("wait", waitpid(pid, &status, 0));
	on(SIGALRM, tick, SA_RESTART);
	after_ms(50);
	say("wait restarted", waitpid(pid, &status, 0) == pid);
	say("status", status);
	on(SIGALRM, tick, 0);
	after_ms(50);
	call("futex", syscall(SYS_futex, &word, 0, 0, NULL, NULL, 0));
	after_ms(50);
	on(SIGALRM, tick, SA_RESTART);
	ts.tv_sec = 3;
	call("futex with a timeout", syscall(SYS_futex, &word, 0, 0, &ts, NULL, 0));
	/* ignored ones cut nothing short */
	sigaction(SIGALRM, &sa, NULL);
	after_ms(20);
	ts = (struct timespec){0, 100000000};
	clock_gettime(CLOCK_MONOTONIC, &t0);
	call("nanosleep, ignored", nanosleep(&ts, NULL));
	clock_gettime(CLOCK_MONOTONIC, &t1);
	say("as long as it should",
	    (t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000 >= 100);
	/* a stop in between does not make it longer, nor cut it short */
	pid = fork();
	if (pid == 0) {
		ts = (struct timespec){0, 400000000};
		clock_gettime(CLOCK_MONOTONIC, &t0);
		status = nanosleep(&ts, NULL);
		clock_gettime(CLOCK_MONOTONIC, &t1);
		long n = (t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000;
		_exit(status == 0 && n >= 400 && n < 550 ? 9 : 1);
	}
	ms(100);
	kill(pid, SIGSTOP);
	ms(200);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	say("slept over a stop", status);
	signal(SIGALRM, SIG_DFL);
}

static void
suspend(void)
{
	sigset_t block = set_of(SIGUSR1, SIGUSR2), none, cur;

	on(SIGUSR1, note, 0);
	sigprocmask(SIG_SETMASK, &block, NULL);
	kill(getpid(), SIGUSR1);
	sigemptyset(&none);
	count = 0;
	call("sigsuspend", sigsuspend(&none));
	say("handler", count);
	say("mask in the frame", seen_mask);
	sigprocmask(SIG_SETMASK, NULL, &cur);
	say("mask after", *(uint64_t *)&cur);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* --- waiting for signals ---------------------------------------------------------------------- */

static void
waits(void)
{
	sigset_t set = set_of(SIGUSR1, SIGRTMIN + 1);
	struct timespec ts = {0, 50000000};
	union sigval v = {.sival_int = 42};
	siginfo_t si;
	pid_t pid;

	sigprocmask(SIG_BLOCK, &set, NULL);
	call("in vain", sigtimedwait(&set, &si, &ts));
	ts.tv_nsec = 0;
	call("at once", sigtimedwait(&set, &si, &ts));
	ts.tv_nsec = 2000000000;
	call("bad time", sigtimedwait(&set, &si, &ts));
	sigqueue(getpid(), SIGRTMIN + 1, v);
	kill(getpid(), SIGUSR1);
	call("first", sigwaitinfo(&set, &si));
	printf("code %d\n", si.si_code);
	call("second", sigwaitinfo(&set, &si));
	printf("code %d value %d\n", si.si_code, si.si_value.sival_int);
	pid = getpid();
	if (fork() == 0) {
		ms(50);
		kill(pid, SIGUSR1);
		_exit(0);
	}
	call("slept for", sigwaitinfo(&set, &si));
	wait(NULL);
	on(SIGALRM, tick, SA_RESTART);
	after_ms(50);
	call("another's handler", syscall(SYS_rt_sigtimedwait, &set, &si, NULL, 8));
	signal(SIGUSR1, SIG_IGN);
	if (fork() == 0) {
		ms(50);
		kill(pid, SIGUSR1);
		_exit(0);
	}
	call("ignored, but waited for", sigwaitinfo(&set, &si));
	wait(NULL);
	signal(SIGUSR1, SIG_DFL);
	call("bad set", syscall(SYS_rt_sigtimedwait, (void *)16, NULL, NULL, 8));
	call("bad size", syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 4));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
fds(void)
{
	sigset_t set = set_of(SIGUSR1, SIGRTMIN);
	struct signalfd_siginfo r[4];
	union sigval v = {.sival_int = 42};
	int fd, status;
	pid_t pid;

	sigprocmask(SIG_BLOCK, &set, NULL);
	call("bad flags", signalfd(-1, &set, 1));
	call("bad fd", signalfd(99, &set, 0));
	call("no signalfd", signalfd(1, &set, 0));
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	call("nothing", read(fd, r, sizeof(r)));
	call("too short", read(fd, r, 100));
	sigqueue(getpid(), SIGRTMIN, v);
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGRTMIN, v);
	call("three", read(fd, r, sizeof(r)));
	for (int i = 0; i < 3; i++)
		printf("signo %u code %d own pid %d int %d ptr %lu\n", r[i].ssi_signo,
		       r[i].ssi_code, r[i].ssi_pid == (uint32_t)getpid(), r[i].ssi_int,
		       (long)r[i].ssi_ptr);
	close(fd);
	fd = signalfd(-1, &set, 0);
	pid = getpid();
	if (fork() == 0) {
		ms(50);
		kill(pid, SIGUSR1);
		_exit(0);
	}
	call("slept for", read(fd, r, sizeof(r)));
	wait(&status);
	set = set_of(SIGUSR2, 0);
	say("another set", signalfd(fd, &set, 0) == fd);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR2);
	call("of it", read(fd, r, 128));
	say("signo", r[0].ssi_signo);
	on(SIGALRM, tick, 0);
	after_ms(50);
	call("cut short", read(fd, r, sizeof(r)));
	call("write", write(fd, r, sizeof(r)));
	close(fd);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void
sending(void)
{
	siginfo_t si = {.si_code = SI_QUEUE};
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	call("kill 65", kill(pid, 65));
	call("kill -1", kill(pid, -1));
	call("kill nobody", kill(999999, 0));
	call("kill 0", kill(pid, 0));
	call("tkill 0", syscall(SYS_tkill, 0, SIGTERM));
	call("tkill -1", syscall(SYS_tkill, -1, SIGTERM));
	call("tkill nobody", syscall(SYS_tkill, 999999, SIGTERM));
	call("tkill", syscall(SYS_tkill, pid, 0));
	call("tgkill of another", syscall(SYS_tgkill, getpid(), pid, 0));
	call("tgkill", syscall(SYS_tgkill, pid, pid, 0));
	call("tgkill 0", syscall(SYS_tgkill, 0, pid, 0));
	call("sigqueueinfo", syscall(SYS_rt_sigqueueinfo, pid, 0, &si));
	call("of nobody", syscall(SYS_rt_sigqueueinfo, 999999, 0, &si));
	si.si_code = SI_USER;
	call("as the kernel", syscall(SYS_rt_sigqueueinfo, pid, 0, &si));
	si.si_code = SI_TKILL;
	call("as tkill", syscall(SYS_rt_sigqueueinfo, pid, 0, &si));
	call("to oneself", syscall(SYS_rt_sigqueueinfo, getpid(), 0, &si));
	call("bad info", syscall(SYS_rt_sigqueueinfo, pid, 0, (void *)16));
	si.si_code = SI_QUEUE;
	call("tgsigqueueinfo", syscall(SYS_rt_tgsigqueueinfo, pid, pid, 0, &si));
	call("wrong thread", syscall(SYS_rt_tgsigqueueinfo, pid, getpid(), 0, &si));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- stops ------------------------------------------------------------------------------------ */

static void
status_is(const char *what, pid_t got, pid_t pid, int status)
{
	printf("%s: %s %04x\n", what,
	       got == pid ? "it"
	       : got == 0 ? "none"
			  : "?",
	       got == pid ? status : 0);
	fflush(stdout);
}

static void
stops(void)
{
	siginfo_t si;
	int status = 0;
	pid_t pid, got;

	on(SIGCHLD, note, SA_RESTART);
	count = 0;
	pid = fork();
	if (pid == 0) {
		signal(SIGCHLD, SIG_DFL);
		for (;;)
			pause();
	}
	ms(20);
	kill(pid, SIGSTOP);
	got = waitpid(pid, &status, WUNTRACED);
	status_is("stopped", got, pid, status);
	ms(20);
	printf("SIGCHLD %d: code %d status %d\n", count, last.si_code, last.si_status);
	got = waitpid(pid, &status, WUNTRACED | WNOHANG);
	status_is("told once", got, pid, status);
	kill(pid, SIGTERM);
	ms(20);
	got = waitpid(pid, &status, WUNTRACED | WNOHANG);
	status_is("TERM waits", got, pid, status);
	kill(pid, SIGCONT);
	got = waitpid(pid, &status, 0);
	status_is("and kills", got, pid, status);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	ms(20);
	count = 0;
	kill(pid, SIGSTOP);
	memset(&si, 0, sizeof(si));
	call("waitid", waitid(P_PID, pid, &si, WSTOPPED | WNOWAIT));
	printf("code %d status %d\n", si.si_code, si.si_status);
	call("waitid again", waitid(P_PID, pid, &si, WSTOPPED));
	kill(pid, SIGCONT);
	memset(&si, 0, sizeof(si));
	call("waitid continued", waitid(P_PID, pid, &si, WCONTINUED));
	printf("code %d status %d\n", si.si_code, si.si_status);
	ms(20);
	printf("SIGCHLD: code %d status %d\n", last.si_code, last.si_status);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	got = waitpid(pid, &status, WCONTINUED);
	status_is("continued", got, pid, status);
	kill(pid, SIGSTOP);
	got = waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGKILL);
	got = waitpid(pid, &status, 0);
	status_is("killed while stopped", got, pid, status);
	on(SIGCHLD, note, SA_NOCLDSTOP | SA_RESTART);
	count = 0;
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	ms(20);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	ms(20);
	say("SA_NOCLDSTOP", count);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	on(SIGCHLD, note, SA_NOCLDWAIT);
	count = 0;
	pid = fork();
	if (pid == 0)
		_exit(0);
	call("SA_NOCLDWAIT", waitpid(pid, &status, 0));
	say("signals", count);
	signal(SIGCHLD, SIG_DFL);
}

static void
counter(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)info;
	(void)uc;
	count++;
}

/* Which stops stop: those of a terminal do not when nobody is there to let it go on. */
static void
orphans(void)
{
	volatile int *shared =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid, got;
	int status;

	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(pid, pid);
	ms(20);
	kill(pid, SIGTSTP);
	got = waitpid(pid, &status, WUNTRACED);
	status_is("TSTP", got, pid, status);
	kill(pid, SIGCONT);
	kill(pid, SIGTTIN);
	got = waitpid(pid, &status, WUNTRACED);
	status_is("TTIN", got, pid, status);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	pid = fork();
	if (pid == 0) {
		setsid();
		for (;;)
			pause();
	}
	ms(50);
	kill(pid, SIGTSTP);
	ms(50);
	got = waitpid(pid, &status, WUNTRACED | WNOHANG);
	status_is("TSTP in a group of its own session", got, pid, status);
	kill(pid, SIGSTOP);
	got = waitpid(pid, &status, WUNTRACED);
	status_is("STOP there", got, pid, status);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	/* a session of its own, in which a job's leader stops and its parent ends */
	pid = fork();
	if (pid == 0) {
		setsid();
		pid = fork();
		if (pid == 0) {
			setpgid(0, 0);
			on(SIGHUP, counter, 0);
			on(SIGCONT, counter, 0);
			count = 0;
			raise(SIGSTOP);
			ms(20);
			shared[0] = count;
			shared[1] = 1;
			_exit(0);
		}
		waitpid(pid, &status, WUNTRACED);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	while (shared[1] == 0)
		ms(10);
	say("orphaned: HUP and CONT", shared[0]);
}

/* --- threads ---------------------------------------------------------------------------------- */

static volatile int ready, taken_by, stop_threads;
static __thread int my_number;

static void
who(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)info;
	(void)uc;
	taken_by = my_number;
	count++;
}

static void *
waiting_thread(void *arg)
{
	sigset_t set = set_of(SIGUSR1, 0);

	my_number = (int)(long)arg;
	if (my_number == 2)
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	while (!stop_threads)
		ms(10);
	return (NULL);
}

static void *
spinning_thread(void *arg)
{
	ready = 1;
	while (!stop_threads)
		;
	return (arg);
}

static void
child_threads_stop(void)
{
	pthread_t t;

	ready = stop_threads = 0;
	pthread_create(&t, NULL, spinning_thread, NULL);
	pthread_create(&t, NULL, waiting_thread, (void *)3);
	for (;;)
		pause();
}

static void
threads(void)
{
	sigset_t set = set_of(SIGUSR1, 0);
	pthread_t t[3];
	int status;
	pid_t pid, got;

	on(SIGUSR1, who, 0);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (long i = 1; i <= 3; i++)
		pthread_create(&t[i - 1], NULL, waiting_thread, (void *)i);
	while (ready < 3)
		ms(1);
	count = 0;
	kill(getpid(), SIGUSR1);
	while (count == 0)
		ms(1);
	say("the only one that lets it in", taken_by);
	pthread_kill(t[2], SIGUSR1);
	ms(30);
	say("blocked there", count);
	stop_threads = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	/* nobody lets it in until this one does */
	count = 0;
	kill(getpid(), SIGUSR1);
	say("waits", count);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	say("taken", count);
	pid = fork();
	if (pid == 0)
		child_threads_stop();
	ms(100);
	kill(pid, SIGSTOP);
	got = waitpid(pid, &status, WUNTRACED);
	status_is("all stop", got, pid, status);
	kill(pid, SIGCONT);
	got = waitpid(pid, &status, WCONTINUED);
	status_is("all go on", got, pid, status);
	kill(pid, SIGTERM);
	got = waitpid(pid, &status, 0);
	status_is("all die", got, pid, status);
}

/* --- storms ----------------------------------------------------------------------------------- */

static void
storm(void)
{
	pid_t pid, kids[4], me = getpid();
	int status;

	on(SIGUSR1, counter, SA_RESTART);
	count = 0;
	for (int i = 0; i < 4; i++) {
		kids[i] = fork();
		if (kids[i] == 0) {
			for (int n = 0; n < 2000; n++)
				kill(me, SIGUSR1);
			_exit(0);
		}
	}
	for (int left = 4; left > 0; left--) {
		pid = waitpid(-1, &status, 0);
		if (pid == -1 || status != 0)
			printf("wait gave %d, status %d\n", pid, status);
	}
	say("some came", count > 0);
}

static volatile int flip;

static void
mend(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)uc;
	mprotect((void *)((uint64_t)info->si_addr & ~4095ul), 4096, PROT_READ | PROT_WRITE);
	count++;
}

static void
mending(void)
{
	char *area = mmap(NULL, 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	count = 0;
	on(SIGSEGV, mend, 0);
	for (int i = 0; i < 64; i++)
		area[i * 4096] = (char)i;
	say("mended", count);
	for (int i = 0; i < 64; i++)
		flip += area[i * 4096];
	say("sum", flip);
	signal(SIGSEGV, SIG_DFL);
}

static const struct {
	const char *name;
	void (*fn)(void);
} cases[] = {
    {"info", info},         {"codes", codes},     {"deaths", deaths},       {"queues", queues},
    {"masks", masks},       {"stacks", stacks},   {"registers", registers}, {"frames", frames},
    {"restarts", restarts}, {"suspend", suspend}, {"waits", waits},         {"fds", fds},
    {"sending", sending},   {"stops", stops},     {"orphans", orphans},     {"threads", threads},
    {"storm", storm},       {"mending", mending},
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool wanted = argc == 1;
		pid_t pid;
		int status;

		for (int a = 1; a < argc; a++)
			wanted |= strcmp(argv[a], cases[i].name) == 0;
		if (!wanted)
			continue;
		printf("--- %s\n", cases[i].name);
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			cases[i].fn();
			fflush(stdout);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		if (status != 0)
			printf("ended with %d\n", status);
	}
	return (0);
}

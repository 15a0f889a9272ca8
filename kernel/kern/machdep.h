/*
 * What the machine gives to the rest of the kernel (but for the pmap, vm/pmap.h). kernel/amd64
 * implements it.
 */
#pragma once

#include "kern/types.h"

struct thread;
struct trapframe;

/* User memory. Any address may be bad: EFAULT then, and a part may have been copied. A fault on a
 * good page is resolved and the copy goes on. No lock held; may sleep. */
int copyin(const void *uaddr, void *kaddr, size_t len);
int copyout(const void *kaddr, void *uaddr, size_t len);
/* With the NUL, at most size bytes; ENAMETOOLONG when there is none in that. *len (may be NULL):
 * bytes with the NUL. */
int copyinstr(const void *uaddr, char *kaddr, size_t size, size_t *len);
/* Atomically make the user's word new if it is *old; *old: what it was. */
int casuword32(uint32_t *uaddr, uint32_t *old, uint32_t new);
/* Zero user memory. */
int clearuser(void *uaddr, size_t len);

/* Threads. cpu_switch saves from and resumes to, with interrupts off; returns when from runs
 * again. */
void cpu_switch(struct thread *from, struct thread *to);
/* Lay out a new thread's stack so that the first switch to it calls fn(arg). 0 or ENOMEM. */
int cpu_thread_setup(struct thread *td, void (*fn)(void *), void *arg);
void cpu_thread_free(struct thread *td);
/* Td, new, will return to user mode as curthread would, with a result of 0, its FPU state and
 * segments; sp: its stack, 0 for the same; tls: its FS base, NULL for the same. EPERM: that is
 * no user address. */
int cpu_thread_fork(struct thread *td, uint64_t sp, const uint64_t *tls);
/* A kernel stack with its guard page, or NULL. */
void *cpu_kstack_alloc(void);
void cpu_kstack_free(void *kstack);
/* User registers for a program that starts at entry with stack pointer sp. */
void cpu_set_user_entry(struct thread *td, uint64_t entry, uint64_t sp);
/* The bases of curthread's FS (its TLS) and GS segments in user mode. EPERM: not a user address. */
int cpu_set_fsbase(uint64_t base);
int cpu_set_gsbase(uint64_t base);
uint64_t cpu_get_fsbase(void);
uint64_t cpu_get_gsbase(void);
/*
 * Signals. cpu_sendsig: curthread enters the handler of sa when it returns to user mode; its frame,
 * of at most SIGFRAME_MAX bytes below the stack pointer and the red zone (Linux's AT_MINSIGSTKSZ),
 * keeps registers, FPU state and mask. EFAULT: it cannot be written. cpu_sigreturn: back to what the
 * frame at the stack pointer says, and *mask; td_sigstack as well. EFAULT, or EINVAL: nonsense.
 */
struct sigaction;
struct siginfo;
#define SIGFRAME_MAX 1552
int cpu_sendsig(const struct sigaction *sa, const struct siginfo *info, uint64_t mask);
int cpu_sigreturn(uint64_t *mask);
/* The errno that the system call which td is leaving is to return, 0: none, or it is in no system
 * call; another in its place; or let it do the call again. */
int cpu_syscall_error(const struct thread *td);
void cpu_syscall_return(struct thread *td, int error);
void cpu_syscall_restart(struct thread *td);
/* Go to user mode with td_frame. */
void cpu_enter_user(void) __noreturn;

/* Interrupts. */
static inline void
cpu_intr_enable(void)
{
	__asm__ volatile("sti" : : : "memory");
}
/* Not 0 if they were on. */
static inline uint64_t
cpu_intr_disable(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return (flags & 0x200);
}
/* Sleep until an interrupt; entered with interrupts off, returns with them off. */
void cpu_idle(void);
/* Call fn(arg) on ISA interrupt irq (0-15), with interrupts off. ENXIO: no such line. */
int cpu_irq_register(int irq, void (*fn)(void *), void *arg);

/* Interrupts that a CPU took so far, of a kind: ISA lines 0 to 15, and */
enum {
	CPU_INTR_TIMER = 16,
	CPU_INTR_KICK, /* another CPU's scheduler */
	CPU_INTR_TLB, /* another CPU changed page tables */
	CPU_INTR_NMI,
	CPU_INTR_SPURIOUS,
	CPU_INTR_KINDS
};
uint64_t cpu_interrupts(unsigned cpu, int kind);

/* CPUs that run, which are numbered from 0; each sets its bit in cpus_online when it takes
 * interrupts. */
extern uint32_t cpus_running;
static inline unsigned
cpu_count(void)
{
	return (cpus_running);
}
extern uint32_t cpus_online;
/* Have another CPU look at its run queue, its timer and what its thread is to see to: it will call
 * sched_kicked. */
void cpu_kick(unsigned cpu);
/* All CPUs have passed a memory barrier, and serialised, between the call and the return. No lock
 * held. */
void cpu_barrier(void);
/* Between two looks at what another CPU is to do, of which looks have been made: what others need of
 * this one, and at every so many, as at 0, a pause. */
void cpu_spinwait(unsigned looks);
/* For a panic: the other CPUs do nothing any more. */
void cpu_stop_others(void);

/* Time. Nanoseconds since boot, from the calibrated TSC. */
uint64_t cpu_now(void);
uint64_t cpu_tsc_hz(void);
/* How long this CPU was in user mode, and in the kernel, since it was asked last; ns. Interrupts are
 * off. */
void cpu_take_times(uint64_t *user, uint64_t *system);
/* Interrupt at time `at` (ns since boot; 0: never) and call sched_clock. */
void cpu_timer_arm(uint64_t at);

/* Device memory: map [pa, pa + len) into the kernel with memory attribute attr (VM_MEMATTR_*), for
 * good; NULL when out of address space or page tables. RAM is refused (A1). */
volatile void *cpu_mapdev(uint64_t pa, uint64_t len, uint8_t attr);

/* 8 random bits per byte from RDRAND where there is one; false if there is not. */
bool cpu_random(void *buf, size_t len);
const char *cpu_name(void);
/* What AT_HWCAP tells programs: CPUID.1:EDX. */
static inline uint32_t
cpu_hwcap(void)
{
	uint32_t a = 1, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return (d);
}

/* AT_HWCAP2: what the kernel lets programs do, as Linux numbers it. */
uint64_t cpu_hwcap2(void);

/* The end. cpu_report prints registers (tf may be NULL), control registers, the page-table walk of
 * the faulting address and the backtrace through out(). cpu_stop halts for ever. */
void cpu_report(const struct trapframe *tf, void (*out)(const char *fmt, ...));
void cpu_stop(void) __noreturn;

static inline void
outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}
static inline uint8_t
inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return (v);
}

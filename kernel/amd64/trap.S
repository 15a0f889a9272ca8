/*
 * The ways into the kernel and out of it: exception and interrupt stubs, SYSCALL, and the switch
 * from one kernel stack to another.
 *
 * GS: in user mode it is the program's; the first thing on the way in from user mode is SWAPGS, the
 * last on the way out too. A double fault, NMI or machine check may strike in between, so these
 * trust neither CS nor the GS base (programs can set that with WRGSBASE) but take it from their own
 * stack, and give back what was there. Of the three only an NMI returns.
 */
#include "asm.h"

	.text
.macro PUSH_REGS
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm
/* Those that calls do not preserve, but RDI, the last. */
.macro POP_SCRATCH
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
.endm
/* All but RDI, the last. */
.macro POP_REGS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	POP_SCRATCH
.endm

/* One stub of 16 bytes for each vector; those without an error code push 0. */
	.globl trap_stubs
	.balign 16
trap_stubs:
	vector = 0
	.rept 256
	.balign 16
	.if vector == 2 || vector == 18
	pushq $0
	pushq $vector
	jmp trap_paranoid
	.elseif vector == 8
	pushq $vector
	jmp trap_paranoid
	.elseif (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
	pushq $vector
	jmp trap_common
	.else
	pushq $0
	pushq $vector
	jmp trap_common
	.endif
	vector = vector + 1
	.endr

	.balign 16
trap_common:
	testb $3, TF_CS - TF_TRAPNO(%rsp)
	jz 1f
	swapgs
1:	PUSH_REGS
	cld
	CLAC
	movq %rsp, %rdi
	call trap
ENTRY(trap_return)
	POP_REGS
	popq %rdi
	testb $3, TF_CS - TF_TRAPNO(%rsp)
	jz 1f
	swapgs
1:	addq $16, %rsp
	iretq
END(trap_return)

	.balign 16
trap_paranoid:
	PUSH_REGS
	cld
	CLAC
	movl $MSR_GSBASE, %ecx
	rdmsr
	movl %eax, %r12d /* whose it was */
	movl %edx, %r13d
	movl TF_SIZE(%rsp), %eax /* the struct pcpu: these stacks always begin at their top */
	movl TF_SIZE + 4(%rsp), %edx
	wrmsr
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call trap_ist
	movl $MSR_GSBASE, %ecx
	movl %r12d, %eax
	movl %r13d, %edx
	wrmsr
	POP_REGS
	popq %rdi
	addq $16, %rsp
	iretq

/* SYSCALL comes with interrupts off, the user's stack, RIP in RCX and RFLAGS in R11. */
ENTRY(syscall_entry)
	swapgs
	movq %rsp, %gs:16
	movq %gs:8, %rsp
	pushq $SEL_UDATA
	pushq %gs:16
	pushq %r11
	pushq $SEL_UCODE
	pushq %rcx
	pushq %rax
	pushq $VEC_SYSCALL
	PUSH_REGS
	CLAC
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call syscall_trap
	/*
	 * SYSRET takes RIP from RCX and RFLAGS from R11, and would fault in kernel mode on the user's
	 * stack if RIP were not canonical. As SYSCALL left the frame all that is so: the page at
	 * VM_MAXUSER_ADDRESS is never mapped. Who changes more of it than RAX (a signal, its return,
	 * exec) takes the VEC_SYSCALL from it: IRET, then. What calls preserve is as it was.
	 */
	cmpl $VEC_SYSCALL, TF_TRAPNO(%rsp)
	jne trap_return
	testl $(RFLAGS_TF | RFLAGS_RF), TF_R11(%rsp)
	jnz trap_return
	movq TF_RBP(%rsp), %rbp
	addq $TF_R11, %rsp
	POP_SCRATCH
	popq %rdi
	movq TF_RSP - TF_TRAPNO(%rsp), %rsp
	swapgs
	sysretq
END(syscall_entry)

/* void switch_stack(uint64_t *save_rsp, uint64_t load_rsp) */
ENTRY(switch_stack)
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
END(switch_stack)

/* Where the first switch to a thread returns to: RBX(R12), as cpu_thread_setup left them. */
ENTRY(thread_trampoline)
	movq %r12, %rdi
	call *%rbx
	call thread_exit
	ud2
END(thread_trampoline)

/* void user_return_to(struct trapframe *tf): leave the kernel, interrupts off. */
ENTRY(user_return_to)
	movq %rdi, %rsp
	jmp trap_return
END(user_return_to)
	.section .note.GNU-stack, "", @progbits

/*
 * Constants that C and assembly share: selectors, the trap frame's layout, vectors, user's bound.
 */
#pragma once

#define SEL_KCODE 0x08
#define SEL_KDATA 0x10
#define SEL_UDATA 0x2b /* as Linux; SYSRET wants data, then code, 8 and 16 past STAR's base */
#define SEL_UCODE 0x33
#define SEL_TSS   0x38

#define VEC_IRQ      0x20 /* ISA interrupts 0-15 */
#define VEC_TIMER    0xf0
#define VEC_KICK     0xf1 /* another CPU has work for the scheduler */
#define VEC_TLB      0xf2 /* another CPU has changed page tables */
#define VEC_SPURIOUS 0xff
#define VEC_SYSCALL  0x100 /* tf_trapno of a system call; no vector */

#define TF_RBP    32
#define TF_R11    48
#define TF_RCX    88
#define TF_TRAPNO 120
#define TF_RIP    136
#define TF_CS     144
#define TF_RFLAGS 152
#define TF_RSP    160
#define TF_SIZE   176

#define MSR_GSBASE  0xc0000101
#define RFLAGS_TF   0x100
#define RFLAGS_IF   0x200
#define RFLAGS_DF   0x400
#define RFLAGS_NT   0x4000
#define RFLAGS_RF   0x10000
#define RFLAGS_USER 0x50dd5 /* what a program may set: CF PF AF ZF SF TF DF OF RF AC */
#define RFLAGS_AC   0x40000

/* Stacks of the double fault, NMI and machine check: a guard page, then the stack, whose topmost
 * words hold the address of the CPU's struct pcpu. */
#define IST_SIZE 16384

/* Below 1 MiB, which nobody else uses: the code that other CPUs start with, and page tables for
 * it. */
#define MP_BOOT_PA   0x8000
#define MP_BOOT_PML4 0x9000
#define MP_BOOT_END  0xc000

#ifdef __ASSEMBLER__
/* clang-format off */
#define ENTRY(name) .globl name; .type name, @function; .balign 16; name:
#define END(name)   .size name, . - name

/* Let kernel code touch user memory, or not. Where the CPU has SMAP cpu_init writes STAC and CLAC
 * over these three bytes. */
#define SMAP_PATCH(set) 661: nopl (%rax); .pushsection set, "a"; .quad 661b; .popsection
#define STAC		SMAP_PATCH(set_stac)
#define CLAC		SMAP_PATCH(set_clac)
#endif

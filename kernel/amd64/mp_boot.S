/*
 * Where the other CPUs begin: real mode, at MP_BOOT_PA, to which mp_start copies this. Switches to
 * long mode and calls mp_main on the stack that mp_boot_args names.
 */
#include "asm.h"

#define AT(sym) ((sym) - mp_boot_start + MP_BOOT_PA)

	.section .rodata
	.globl mp_boot_start, mp_boot_end, mp_boot_args
	.balign 16
	.code16
mp_boot_start:
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl AT(gdtr)
	movl %cr0, %eax
	orl $1, %eax /* PE */
	movl %eax, %cr0
	ljmpl $8, $AT(1f)

	.code32
1:	movw $16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl %cr4, %eax
	orl $0x20, %eax /* PAE */
	movl %eax, %cr4
	movl $MP_BOOT_PML4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx /* EFER */
	rdmsr
	orl $0x900, %eax /* LME, NXE */
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax /* PG, PE */
	movl %eax, %cr0
	ljmp $24, $AT(2f)

	.code64
2:	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movq AT(mp_boot_args), %rsp
	movq AT(mp_boot_args) + 8, %rdi
	xorl %ebp, %ebp
	movq $mp_main, %rax
	call *%rax

	.balign 8
gdt:
	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdtr:
	.short gdtr - gdt - 1
	.long AT(gdt)
	.balign 8
mp_boot_args: /* the stack pointer and the struct pcpu */
	.quad 0, 0
mp_boot_end:
	.section .note.GNU-stack, "", @progbits

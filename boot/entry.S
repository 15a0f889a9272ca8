/*
 * Where the loaders jump to: 32-bit protected mode, no paging. Switches to long mode with page
 * tables of its own (the first 4 GiB at their physical address and in the direct map; the kernel at
 * its linked address), and calls boot_main(loader, info) on the boot stack.
 */
#define KERNBASE 0xffffffff80000000
#define PHYS(sym) ((sym) - KERNBASE)

#define MB2_MAGIC 0xe85250d6

	.section .multiboot2, "a"
	.balign 8
multiboot2_header:
	.long MB2_MAGIC, 0, multiboot2_end - multiboot2_header
	.long -(MB2_MAGIC + 0 + (multiboot2_end - multiboot2_header))
	/* Framebuffer, optional: 1024x768, 32 bits a pixel. */
	.short 5, 1
	.long 20, 1024, 768, 32
	.balign 8
	.short 0, 0
	.long 8
multiboot2_end:

	/* XEN_ELFNOTE_PHYS32_ENTRY: where a PVH loader (QEMU's -kernel) enters. */
	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 8, 18
	.asciz "Xen"
	.quad boot_entry_pvh

	.section .boot.text, "ax"
	.code32
	.globl boot_entry_multiboot2
boot_entry_multiboot2:
	movl %eax, %esi /* the loader's magic number */
	jmp 1f
boot_entry_pvh:
	xorl %esi, %esi /* PVH has none */
1:	cli
	cld
	movl %ebx, %ebp /* the loader's information */
	movl $PHYS(boot_stack_top), %esp

	/* Four page directories in a row map 4 GiB by 2 MiB pages. */
	movl $PHYS(boot_pd), %edi
	movl $0x83, %eax /* present, writable, large */
	movl $2048, %ecx
2:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 2b
	movl $PHYS(boot_pd) + 3, %eax
	movl $PHYS(boot_pdpt), %edi
	movl $4, %ecx
3:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 3b
	movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt_high) + 510 * 8
	movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4)
	movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4) + 256 * 8
	movl $PHYS(boot_pdpt_high) + 3, PHYS(boot_pml4) + 511 * 8

	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $0x20, %eax /* PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx /* EFER */
	rdmsr
	orl $0x900, %eax /* LME, NXE */
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax /* PG, PE */
	movl %eax, %cr0
	lgdt boot_gdtr
	ljmp $8, $4f

	.code64
4:	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movq $boot_stack_top, %rsp
	movl %esi, %edi
	movl %ebp, %esi
	xorl %ebp, %ebp
	movq $boot_main, %rax
	call *%rax
5:	hlt
	jmp 5b

	.balign 8
boot_gdt:
	.quad 0, 0x00af9b000000ffff
boot_gdtr:
	.short boot_gdtr - boot_gdt - 1
	.quad boot_gdt

	/* The boot thread's stack has a guard page below it, which pmap_bootstrap unmaps. */
	.section .bss
	.balign 4096
	.globl boot_stack_guard, boot_stack, boot_stack_top
boot_stack_guard:
	.skip 4096
boot_stack:
	.skip 16384
boot_stack_top:
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pdpt_high:
	.skip 4096
boot_pd:
	.skip 4 * 4096
	.section .note.GNU-stack, "", @progbits

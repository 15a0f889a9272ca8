/*
 * Touching user memory, and clearing pages. The C functions that call these (usercopy.c) have
 * checked that the range is in user space. A page fault that cannot be mended between
 * user_access_start and user_access_end goes on at user_access_fault (trap.c): nothing here keeps
 * anything on the stack, so one landing does.
 */
#include "asm.h"

#define EFAULT	     14
#define ENAMETOOLONG 36

	.text
	.globl user_access_start, user_access_end, user_access_fault
user_access_start:

/* int user_copy(void *dst, const void *src, size_t len) */
ENTRY(user_copy)
	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
	STAC
	rep movsq
	movl %edx, %ecx
	rep movsb
	CLAC
	xorl %eax, %eax
	ret
END(user_copy)

/* int user_zero(void *dst, size_t len) */
ENTRY(user_zero)
	movq %rsi, %rcx
	shrq $3, %rcx
	andl $7, %esi
	xorl %eax, %eax
	STAC
	rep stosq
	movl %esi, %ecx
	rep stosb
	CLAC
	ret
END(user_zero)

/* int user_copystr(char *dst, const char *src, size_t size, size_t *len): size > 0 */
ENTRY(user_copystr)
	xorl %r8d, %r8d
	STAC
1:	movb (%rsi,%r8), %al
	movb %al, (%rdi,%r8)
	incq %r8
	testb %al, %al
	jz 2f
	cmpq %r8, %rdx
	jne 1b
	CLAC
	movl $ENAMETOOLONG, %eax
	ret
2:	CLAC
	movq %r8, (%rcx)
	xorl %eax, %eax
	ret
END(user_copystr)
/* int user_cas(uint32_t *p, uint32_t *old, uint32_t new): *p, if it is *old, becomes new; *old is
 * what was there. */
ENTRY(user_cas)
	movl (%rsi), %eax
	STAC
	lock cmpxchgl %edx, (%rdi)
	CLAC
	movl %eax, (%rsi)
	xorl %eax, %eax
	ret
END(user_cas)
user_access_end:

/* void zero_page_avx(void *page): a quarter of the instructions that REP STOSQ takes. The
 * register is the program's, so it is put back, and nobody may come in between who would save it
 * for it. */
ENTRY(zero_page_avx)
	pushfq
	cli
	subq $32, %rsp
	vmovups %ymm0, (%rsp)
	vxorps %xmm0, %xmm0, %xmm0
	offset = 0
	.rept 4096 / 32
	vmovaps %ymm0, offset(%rdi)
	offset = offset + 32
	.endr
	vmovups (%rsp), %ymm0
	addq $32, %rsp
	popfq
	ret
END(zero_page_avx)

/* void copy_page_avx(const void *from, void *to): half of REP MOVSQ's, in the same way. */
ENTRY(copy_page_avx)
	pushfq
	cli
	vmovups %ymm0, -32(%rsp) /* nothing is pushed meanwhile: what comes anyway has its own stack */
	offset = 0
	.rept 4096 / 32
	vmovaps offset(%rdi), %ymm0
	vmovaps %ymm0, offset(%rsi)
	offset = offset + 32
	.endr
	vmovups -32(%rsp), %ymm0
	popfq
	ret
END(copy_page_avx)

user_access_fault:
	CLAC
	movl $EFAULT, %eax
	ret
	.section .note.GNU-stack, "", @progbits

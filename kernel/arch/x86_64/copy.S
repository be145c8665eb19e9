/*
 * Moving bytes: to and from user memory, and whole pages.
 *
 * x86_copy_user(dst, src, n) returns the bytes not copied; either side may fault. At every instruction that can
 * fault, rdi, rsi and rdx (and rcx inside REP) say what is left, so a fault continues in the byte loop
 * from there, which stops at the exact byte.
 *
 * The yardstick counts every iteration of REP (design.md section 6), so pages are moved with vector
 * registers. The kernel is compiled without them and they hold the user's values: what is used is kept on
 * the stack and put back. A page fault in between may switch threads; the switch saves the registers as
 * they are then, for a thread that has an FPU area, and only such a thread takes this way. After AVX the
 * upper halves are cleared again if they were in their initial state before (XGETBV with ecx = 1).
 */

#include "arch/x86_64/x86.h"
#include "arch/x86_64/asm_macros.inc"
#include "asm_offsets.h"

#define SIMD_AVX  1
#define SIMD_XINU 2

.macro SAVE_YMM				/* clobbers rax, rcx; r10 bit 2: upper halves in use */
	subq	$136, %rsp
	vmovdqu	%ymm0, (%rsp)
	vmovdqu	%ymm1, 32(%rsp)
	vmovdqu	%ymm2, 64(%rsp)
	vmovdqu	%ymm3, 96(%rsp)
	movl	$4, %r10d
	testb	$SIMD_XINU, x86_simd
	jz	992f
	movq	%rdx, %r11
	movl	$1, %ecx
	xgetbv
	movl	%eax, %r10d
	movq	%r11, %rdx
992:
.endm

.macro RESTORE_YMM
	vmovdqu	(%rsp), %ymm0
	vmovdqu	32(%rsp), %ymm1
	vmovdqu	64(%rsp), %ymm2
	vmovdqu	96(%rsp), %ymm3
	testb	$4, %r10b
	jnz	992f
	vzeroupper
992:	addq	$136, %rsp
.endm

.macro SAVE_XMM
	subq	$72, %rsp
	movups	%xmm0, (%rsp)
	movups	%xmm1, 16(%rsp)
	movups	%xmm2, 32(%rsp)
	movups	%xmm3, 48(%rsp)
.endm

.macro RESTORE_XMM
	movups	(%rsp), %xmm0
	movups	16(%rsp), %xmm1
	movups	32(%rsp), %xmm2
	movups	48(%rsp), %xmm3
	addq	$72, %rsp
.endm

/* 4 * \w bytes from \at, through four registers. */
.macro MOVE4 mov, reg, w, at, fix
	EX \fix, \mov \at(%rsi), %\reg\()0
	EX \fix, \mov \at+\w(%rsi), %\reg\()1
	EX \fix, \mov \at+2*\w(%rsi), %\reg\()2
	EX \fix, \mov \at+3*\w(%rsi), %\reg\()3
	EX \fix, \mov %\reg\()0, \at(%rdi)
	EX \fix, \mov %\reg\()1, \at+\w(%rdi)
	EX \fix, \mov %\reg\()2, \at+2*\w(%rdi)
	EX \fix, \mov %\reg\()3, \at+3*\w(%rdi)
.endm

/* size_t x86_copy_user(void *dst, const void *src, size_t n) */
FUNC x86_copy_user
	STAC
	cmpq	$32, %rdx
	ja	.Lcopy_long
	cmpl	$8, %edx
	jb	.Lcopy_short
	cmpl	$16, %edx
	ja	1f
	/* 8 … 16: the first and the last eight, which may overlap */
	EX .Lcopy_bytes, movq (%rsi), %rax
	EX .Lcopy_bytes, movq -8(%rsi,%rdx), %rcx
	EX .Lcopy_bytes, movq %rax, (%rdi)
	EX .Lcopy_bytes, movq %rcx, -8(%rdi,%rdx)
	CLAC
	xorl	%eax, %eax
	ret
1:	/* 17 … 32 */
	EX .Lcopy_bytes, movq (%rsi), %rax
	EX .Lcopy_bytes, movq 8(%rsi), %r8
	EX .Lcopy_bytes, movq -16(%rsi,%rdx), %r9
	EX .Lcopy_bytes, movq -8(%rsi,%rdx), %rcx
	EX .Lcopy_bytes, movq %rax, (%rdi)
	EX .Lcopy_bytes, movq %r8, 8(%rdi)
	EX .Lcopy_bytes, movq %r9, -16(%rdi,%rdx)
	EX .Lcopy_bytes, movq %rcx, -8(%rdi,%rdx)
	CLAC
	xorl	%eax, %eax
	ret

.Lcopy_short:				/* 0 … 7 */
	cmpl	$4, %edx
	jb	.Lcopy_bytes
	EX .Lcopy_bytes, movl (%rsi), %eax
	EX .Lcopy_bytes, movl -4(%rsi,%rdx), %ecx
	EX .Lcopy_bytes, movl %eax, (%rdi)
	EX .Lcopy_bytes, movl %ecx, -4(%rdi,%rdx)
	CLAC
	xorl	%eax, %eax
	ret

.Lcopy_long:
	cmpq	$512, %rdx
	jae	.Lcopy_huge
.Lcopy_quads:				/* rdx >= 8 */
	movq	%rdx, %rcx
	shrq	$3, %rcx
	andl	$7, %edx
	EX .Lcopy_rep_fault, rep movsq
	EX .Lcopy_bytes, movq -8(%rsi,%rdx), %rax
	EX .Lcopy_bytes, movq %rax, -8(%rdi,%rdx)
	CLAC
	xorl	%eax, %eax
	ret
.Lcopy_rep_fault:
	leaq	(%rdx,%rcx,8), %rdx

.Lcopy_bytes:
	testq	%rdx, %rdx
	jz	2f
1:	EX 2f, movb (%rsi), %al
	EX 2f, movb %al, (%rdi)
	incq	%rsi
	incq	%rdi
	decq	%rdx
	jnz	1b
2:	CLAC
	movq	%rdx, %rax
	ret

.Lcopy_huge:
	movq	%gs:CPU_CURTHREAD, %rax
	cmpq	$0, THREAD_FPU(%rax)
	je	.Lcopy_quads
	testb	$SIMD_AVX, x86_simd
	jz	.Lcopy_sse
	SAVE_YMM
	subq	$512, %rdx
1:	MOVE4 vmovdqu, ymm, 32, 0, .Lcopy_avx_fault
	MOVE4 vmovdqu, ymm, 32, 128, .Lcopy_avx_fault
	MOVE4 vmovdqu, ymm, 32, 256, .Lcopy_avx_fault
	MOVE4 vmovdqu, ymm, 32, 384, .Lcopy_avx_fault
	addq	$512, %rsi
	addq	$512, %rdi
	subq	$512, %rdx
	jae	1b
	RESTORE_YMM
.Lcopy_rest:				/* rdx + 512 bytes, fewer than 512 */
	addq	$512, %rdx
	cmpq	$8, %rdx
	jae	.Lcopy_quads
	jmp	.Lcopy_bytes
.Lcopy_avx_fault:
	addq	$512, %rdx
	RESTORE_YMM
	jmp	.Lcopy_bytes

.Lcopy_sse:
	SAVE_XMM
	subq	$512, %rdx
1:	MOVE4 movups, xmm, 16, 0, .Lcopy_sse_fault
	MOVE4 movups, xmm, 16, 64, .Lcopy_sse_fault
	MOVE4 movups, xmm, 16, 128, .Lcopy_sse_fault
	MOVE4 movups, xmm, 16, 192, .Lcopy_sse_fault
	MOVE4 movups, xmm, 16, 256, .Lcopy_sse_fault
	MOVE4 movups, xmm, 16, 320, .Lcopy_sse_fault
	MOVE4 movups, xmm, 16, 384, .Lcopy_sse_fault
	MOVE4 movups, xmm, 16, 448, .Lcopy_sse_fault
	addq	$512, %rsi
	addq	$512, %rdi
	subq	$512, %rdx
	jae	1b
	RESTORE_XMM
	jmp	.Lcopy_rest
.Lcopy_sse_fault:
	addq	$512, %rdx
	RESTORE_XMM
	jmp	.Lcopy_bytes
ENDFUNC x86_copy_user

/* size_t x86_clear_user(void *dst, size_t n): bytes not cleared */
FUNC x86_clear_user
	STAC
	cmpq	$512, %rsi
	jae	.Lclear_huge
.Lclear_quads:
	xorl	%eax, %eax
	movq	%rsi, %rcx
	movl	%esi, %edx
	shrq	$3, %rcx
	andl	$7, %edx
	EX 3f, rep stosq
1:	testl	%edx, %edx
	jz	2f
	EX 2f, movb $0, (%rdi)
	incq	%rdi
	decl	%edx
	jmp	1b
2:	CLAC
	movl	%edx, %eax
	ret
3:	/* less than eight bytes may still fit before the page that faults */
	leaq	(%rdx,%rcx,8), %rdx
4:	EX 5f, movb $0, (%rdi)
	incq	%rdi
	decq	%rdx
	jnz	4b
5:	CLAC
	movq	%rdx, %rax
	ret

.Lclear_huge:
	movq	%gs:CPU_CURTHREAD, %rax
	cmpq	$0, THREAD_FPU(%rax)
	je	.Lclear_quads
	testb	$SIMD_AVX, x86_simd
	jz	.Lclear_quads
	SAVE_YMM
	vpxor	%xmm0, %xmm0, %xmm0
	subq	$512, %rsi
6:	.irp	at, 0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448, 480
	EX .Lclear_fault, vmovdqu %ymm0, \at(%rdi)
	.endr
	addq	$512, %rdi
	subq	$512, %rsi
	jae	6b
	RESTORE_YMM
	addq	$512, %rsi
	jmp	.Lclear_quads
.Lclear_fault:				/* what is cleared already is cleared again, byte by byte */
	leaq	512(%rsi), %rdx
	RESTORE_YMM
	jmp	4b
ENDFUNC x86_clear_user

.macro STORE4 mov, reg, w, at
	\mov %\reg\()0, \at(%rdi)
	\mov %\reg\()0, \at+\w(%rdi)
	\mov %\reg\()0, \at+2*\w(%rdi)
	\mov %\reg\()0, \at+3*\w(%rdi)
.endm

/* void arch_page_zero(void *page) */
FUNC arch_page_zero
	movl	$8, %r8d
	testb	$SIMD_AVX, x86_simd
	jz	2f
	SAVE_YMM
	vpxor	%xmm0, %xmm0, %xmm0	/* clears all 256 bits */
1:	STORE4 vmovdqa, ymm, 32, 0
	STORE4 vmovdqa, ymm, 32, 128
	STORE4 vmovdqa, ymm, 32, 256
	STORE4 vmovdqa, ymm, 32, 384
	addq	$512, %rdi
	decl	%r8d
	jnz	1b
	RESTORE_YMM
	ret
2:	SAVE_XMM
	xorps	%xmm0, %xmm0
3:	STORE4 movaps, xmm, 16, 0
	STORE4 movaps, xmm, 16, 64
	STORE4 movaps, xmm, 16, 128
	STORE4 movaps, xmm, 16, 192
	STORE4 movaps, xmm, 16, 256
	STORE4 movaps, xmm, 16, 320
	STORE4 movaps, xmm, 16, 384
	STORE4 movaps, xmm, 16, 448
	addq	$512, %rdi
	decl	%r8d
	jnz	3b
	RESTORE_XMM
	ret
ENDFUNC arch_page_zero

.macro COPY4 mov, reg, w, at
	\mov \at(%rsi), %\reg\()0
	\mov \at+\w(%rsi), %\reg\()1
	\mov \at+2*\w(%rsi), %\reg\()2
	\mov \at+3*\w(%rsi), %\reg\()3
	\mov %\reg\()0, \at(%rdi)
	\mov %\reg\()1, \at+\w(%rdi)
	\mov %\reg\()2, \at+2*\w(%rdi)
	\mov %\reg\()3, \at+3*\w(%rdi)
.endm

/* void arch_page_copy(void *dst, const void *src) */
FUNC arch_page_copy
	movl	$8, %r8d
	testb	$SIMD_AVX, x86_simd
	jz	2f
	SAVE_YMM
1:	COPY4 vmovdqa, ymm, 32, 0
	COPY4 vmovdqa, ymm, 32, 128
	COPY4 vmovdqa, ymm, 32, 256
	COPY4 vmovdqa, ymm, 32, 384
	addq	$512, %rsi
	addq	$512, %rdi
	decl	%r8d
	jnz	1b
	RESTORE_YMM
	ret
2:	SAVE_XMM
3:	COPY4 movaps, xmm, 16, 0
	COPY4 movaps, xmm, 16, 64
	COPY4 movaps, xmm, 16, 128
	COPY4 movaps, xmm, 16, 192
	COPY4 movaps, xmm, 16, 256
	COPY4 movaps, xmm, 16, 320
	COPY4 movaps, xmm, 16, 384
	COPY4 movaps, xmm, 16, 448
	addq	$512, %rsi
	addq	$512, %rdi
	decl	%r8d
	jnz	3b
	RESTORE_XMM
	ret
ENDFUNC arch_page_copy

	.section .note.GNU-stack, "", @progbits

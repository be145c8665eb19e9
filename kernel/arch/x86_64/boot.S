/*
 * From the loader to C, for the boot CPU (PVH: 32-bit protected mode, paging off, ebx = hvm_start_info) and
 * for the others (real mode, after a start-up IPI). Both load the same static tables, go to 64-bit mode at
 * the physical address, and jump to the kernel's addresses.
 *
 * The tables are data of the image: 4 GiB in 2 MiB pages, seen at 0, at DIRECT_MAP_BASE, and (the first GiB) at
 * KERNEL_BASE. arch_map_memory() replaces what must last; the rest is given back with the init sections.
 *
 * Source: Xen PVH direct boot protocol; SDM vol. 3A 9.8.5 (entering IA-32e mode), 8.4.4 (AP start-up).
 */

#include "arch/x86_64/x86.h"
#include "arch/x86_64/asm_macros.inc"

#define KERNEL_BASE 0xffffffff80000000
#define PA(x)       ((x) - KERNEL_BASE)
#define CR4_BOOT    (CR4_PAE | CR4_PGE)

/* While the boot GDT, which lies at a low address, can be read. */
.macro LOAD_SEGMENTS
	movl	$SEL_KERNEL_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
.endm

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.quad	PA(pvh_entry)

	.section .init.text, "ax"
	.code32
	.globl	pvh_entry
pvh_entry:
	cli
	cld
	movl	%ebx, %ebp
	movl	$0x80000001, %eax
	cpuid
	testl	$1 << 29, %edx		/* long mode; without it the EFER write would fault anyway */
	jz	.
	movl	$EFER_SCE | EFER_LME, %eax
	testl	$1 << 20, %edx		/* NX */
	jz	1f
	orl	$EFER_NXE, %eax
1:	movl	%eax, PA(boot_efer)
	movl	$MSR_EFER, %ecx
	xorl	%edx, %edx
	movl	%eax, %esi
	movl	$CR4_BOOT, %eax
	movl	%eax, %cr4
	movl	$PA(boot_pml4), %eax
	movl	%eax, %cr3
	movl	%esi, %eax
	wrmsr
	movl	$CR0_KERNEL, %eax
	movl	%eax, %cr0
	lgdtl	PA(boot_gdtr)
	ljmpl	$SEL_KERNEL_CS, $PA(start64)

	.code64
start64:
	movq	$PA(kernel_pml4), %rbx
	movq	$start_high, %rax
	jmpq	*%rax
start_high:
	LOAD_SEGMENTS
	movq	%rbx, %cr3
	movl	%ebp, %edi
	movq	$cpu_area, %rax
	movq	%rax, %rdx
	shrq	$32, %rdx
	movl	$MSR_GS_BASE, %ecx
	wrmsr
	movq	$boot_stack_top, %rsp
	xorl	%ebp, %ebp
	call	x86_start
	ud2

/* Copied to a page below 1 MiB; runs with CS = page >> 4, ip = 0. Position-independent: only offsets in it. */
	.globl	ap_trampoline, ap_trampoline_end, ap_trampoline_efer
	.balign	16
	.code16
ap_trampoline:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	movl	$CR4_BOOT, %eax
	movl	%eax, %cr4
	movl	$PA(boot_pml4), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	xorl	%edx, %edx
	movl	(ap_trampoline_efer - ap_trampoline), %eax
	wrmsr
	movl	$CR0_KERNEL, %eax
	movl	%eax, %cr0
	lgdtl	(ap_gdtr - ap_trampoline)
	ljmpl	*(ap_far - ap_trampoline)
	.balign	8
ap_gdtr:
	.word	boot_gdt_end - boot_gdt - 1
	.long	PA(boot_gdt)
	.balign	8
ap_far:
	.long	PA(ap_start64)
	.word	SEL_KERNEL_CS
	.balign	8
ap_trampoline_efer:
	.long	0
ap_trampoline_end:

	.code64
ap_start64:
	movq	$PA(kernel_pml4), %rbx
	movq	$ap_start_high, %rax
	jmpq	*%rax
ap_start_high:
	LOAD_SEGMENTS
	movq	%rbx, %cr3
	movl	$1, %eax
	cpuid
	shrl	$24, %ebx		/* own APIC id */
	xorl	%esi, %esi		/* CPU number: its index in ap_table */
	movq	$ap_table, %rdi
1:	cmpl	ap_table_end, %esi
	jae	3f
	cmpl	%ebx, (%rdi)
	je	2f
	addq	$32, %rdi
	incl	%esi
	jmp	1b
2:	movq	8(%rdi), %rsp
	testq	%rsp, %rsp		/* no stack: not to be started */
	jz	3f
	movl	16(%rdi), %eax		/* GS base */
	movl	20(%rdi), %edx
	movl	$MSR_GS_BASE, %ecx
	wrmsr
	movl	%esi, %edi
	xorl	%ebp, %ebp
	call	x86_ap_start
3:	cli
	hlt
	jmp	3b

	.section .init.data, "aw"
	.balign	16
boot_gdt:
	.quad	0, 0
	.quad	0x00af9b000000ffff	/* 0x10: 64-bit code */
	.quad	0x00cf93000000ffff	/* 0x18: data */
boot_gdt_end:
	.balign	8
boot_gdtr:
	.word	boot_gdt_end - boot_gdt - 1
	.long	PA(boot_gdt)
	.balign	8
	.globl	boot_efer
boot_efer:
	.quad	0

	.balign	4096
boot_pd:				/* P W PS; the first 4 GiB */
	.set	frame, 0
	.rept	2048
	.quad	frame | 0x83
	.set	frame, frame + 0x200000
	.endr
boot_pdpt:
	.quad	PA(boot_pd) + 0x0003, PA(boot_pd) + 0x1003, PA(boot_pd) + 0x2003, PA(boot_pd) + 0x3003
	.fill	508, 8, 0
	.globl	boot_pml4, boot_pdpt_image
boot_pdpt_image:
	.fill	510, 8, 0
	.quad	PA(boot_pd) + 3		/* KERNEL_BASE */
	.quad	0
boot_pml4:
	.quad	PA(boot_pdpt) + 3
	.fill	255, 8, 0
	.quad	PA(boot_pdpt) + 3	/* DIRECT_MAP_BASE */
	.fill	254, 8, 0
	.quad	PA(boot_pdpt_image) + 3

	.data
	.balign	4096
	.globl	kernel_pml4, kernel_pdpt
kernel_pml4:
	.fill	256, 8, 0
	.quad	PA(boot_pdpt) + 3	/* DIRECT_MAP_BASE, for now */
	.fill	254, 8, 0
	.quad	PA(kernel_pdpt) + 3
kernel_pdpt:
	.fill	510, 8, 0
	.quad	PA(boot_pd) + 3		/* KERNEL_BASE, for now */
	.quad	0

	/* The boot CPU's first stack, with a page below it that arch_map_memory() leaves out. */
	.section .bss.stack, "aw", @nobits
	.balign	4096
	.globl	boot_stack_guard, boot_stack, boot_stack_top
boot_stack_guard:
	.skip	4096
boot_stack:
	.skip	BOOT_STACK_SIZE
boot_stack_top:

	.section .note.GNU-stack, "", @progbits

/* The vDSO as the loader maps it: whole pages of read-only data. */

	.section .rodata
	.balign	4096
	.globl	vdso_image, vdso_image_size
vdso_image:
	.incbin	VDSO_SO
	.balign	4096
vdso_image_end:
	.balign	8
vdso_image_size:
	.quad	vdso_image_end - vdso_image

	.section .note.GNU-stack, "", @progbits

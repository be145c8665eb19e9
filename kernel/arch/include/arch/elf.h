#pragma once

/* What the ELF loader must know of the machine. */

#include "lib/types.h"

#include <arch/elf_inline.h>
/* which provides: ARCH_ELF_MACHINE (e_machine), ARCH_ELF_PLATFORM ("x86_64"), ARCH_UTS_MACHINE,
 * ARCH_PIE_BASE (where ET_DYN without interpreter conflict goes before randomisation),
 * ARCH_STACK_TOP, ARCH_MMAP_RND_BITS, ARCH_STACK_RND_PAGES, ARCH_BRK_RND_PAGES */

uint64_t arch_hwcap(void);       /* AT_HWCAP */
uint64_t arch_hwcap2(void);      /* AT_HWCAP2 */
uint64_t arch_minsigstksz(void); /* AT_MINSIGSTKSZ */

/* The vDSO image (built for this port) and the offsets the kernel needs in it. */
extern const unsigned char vdso_image[];
extern const size_t vdso_image_size;
uint64_t vdso_sigreturn_offset(void); /* 0: none needed */

#pragma once

/*
 * x86-64 part of <arch/page.h>: the upper half of the address space.
 *
 *   ffff8000_00000000  direct map of physical memory, 64 TiB, 1 GiB or 2 MiB pages, never
 * executable ffffc900_00000000  KVA, 512 GiB: one slot of the top table, so that every address
 * space shares its tables ffffffff_80000000  physical 0: the kernel image, from 1 MiB on
 *   ffffffff_c0000000  the port's own window: device registers and ACPI tables
 */

#include "lib/types.h"

#define DIRECT_MAP_BASE  0xffff800000000000ul
#define DIRECT_MAP_SIZE  (1ul << 46)
#define KVA_BASE         0xffffc90000000000ul
#define KVA_END          0xffffc98000000000ul
#define KERNEL_BASE      0xffffffff80000000ul
#define ARCH_WINDOW_BASE 0xffffffffc0000000ul
#define ARCH_WINDOW_END  0xffffffffffe00000ul

/* The last page below the canonical hole stays unmapped: SYSCALL there would leave a RIP that
 * SYSRET faults on. */
#define USER_END 0x00007ffffffff000ul

static inline void *phys_to_virt(paddr_t pa)
{
	return (void *)(DIRECT_MAP_BASE + pa);
}

static inline paddr_t virt_to_phys(const void *p)
{
	uintptr_t va = (uintptr_t)p;

	return va >= KERNEL_BASE ? va - KERNEL_BASE : va - DIRECT_MAP_BASE;
}

/* copy.S; both keep every vector register as it was. Page aligned. */
void arch_page_zero(void *page);
void arch_page_copy(void *dst, const void *src);

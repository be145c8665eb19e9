#pragma once

/* What a leaf of a page table says, in the kernel's words. <arch/mmu.h> has the functions. */

#include "lib/types.h"

typedef uint64_t pte_t; /* the port's leaf entry; 0: nothing mapped */

enum pte_flags {
	PTE_READ = 1,
	PTE_WRITE = 2,
	PTE_EXEC = 4,
	PTE_USER = 8,
	PTE_DIRTY = 16,
	PTE_ACCESSED = 32,
	PTE_NOCACHE = 64,
	PTE_WRITECOMBINE = 128,
	/* software: maps no struct page that is counted (device, vDSO data, zero page) */
	PTE_SPECIAL = 256,
};

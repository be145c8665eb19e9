#pragma once

/* <arch/page.h> for host tests: physical and virtual addresses are the same. */

#include "lib/types.h"

#define USER_END 0x00007ffffffff000ul

static inline void *phys_to_virt(paddr_t pa)
{
	return (void *)(uintptr_t)pa;
}
static inline paddr_t virt_to_phys(const void *p)
{
	return (uintptr_t)p;
}

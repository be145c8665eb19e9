#pragma once

/* Kernel addresses: the direct map of all physical memory, and the kernel image. */

#include "lib/types.h"

#include <arch/page_inline.h>
/* which provides: DIRECT_MAP_BASE, KVA_BASE/KVA_END (range for core mappings by pmm/kva), USER_END
 * (first address that is not user's), and void   *phys_to_virt(paddr_t)        direct map paddr_t
 * virt_to_phys(const void *)   of direct-map and image addresses void    arch_page_zero(void *page)
 * 4 KiB, the fastest way on this CPU void    arch_page_copy(void *dst, const void *src)
 */

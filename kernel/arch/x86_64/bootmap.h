#pragma once

/*
 * The loader's memory map, made fit for use: sorted, disjoint, whole pages. Pure: no globals, no
 * allocation.
 */

#include "arch/include/arch/boot.h"

#include "lib/types.h"

/*
 * Turns n raw ranges, in any order and overlapping as they like, into info->range. A byte is usable
 * when some usable range covers it and no other kind does; usable ranges shrink to whole pages.
 * What exceeds BOOT_MAX_RANGES is dropped from the end. n is at most BOOT_MAX_RANGES.
 */
void bootmap_build(struct boot_info *info, const struct boot_range *raw, unsigned n);

/* Takes [start, end), whole pages, out of the usable ranges. It is listed as not usable if there is
 * room. */
void bootmap_reserve(struct boot_info *info, paddr_t start, paddr_t end);

/* The lowest usable page in [from, to), or 0. */
paddr_t bootmap_find_page(const struct boot_info *info, paddr_t from, paddr_t to);

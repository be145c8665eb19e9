#pragma once

/*
 * The sum behind the Internet checksum. C has no carry, and a processor that has one needs a third
 * of the instructions.
 */

#include "lib/types.h"

enum { ARCH_SUM_BLOCK = 64 };

#include <arch/sum_inline.h>
/* which provides, as static inline:
 *   uint64_t arch_sum(uint64_t sum, const uint8_t *p, size_t blocks)
 *       `sum` and the 64-bit words of so many blocks, at least one, each carry added back. Any
 *       alignment.
 */

#pragma once

/*
 * The page shared between the kernel's clock and the vDSO. Written under clock's lock, read under
 * `seq`: odd while being written. mono = mono_base + ((counter - counter_base) * mult >>
 * CLOCK_SHIFT); real = mono + real_offset + ((mono - slew_base) * slew >> 32); the coarse
 * clocks are mono rounded down to CLOCK_COARSE_NS. Only real_offset, slew and tai_offset change
 * once user space runs.
 */

#include <stdatomic.h>
#include <stdint.h>

enum { CLOCK_SHIFT = 32, CLOCK_COARSE_NS = 4000000 };

struct vdso_data {
	_Atomic uint32_t seq;
	uint32_t tai_offset; /* s */
	uint64_t counter_base;
	uint64_t mult;
	uint64_t mono_base;   /* ns */
	uint64_t real_offset; /* ns */
	int64_t slew;         /* ns that real gains on mono, in 2^32 of them */
	uint64_t slew_base;   /* mono when real_offset was exact */
};

#pragma once

/*
 * The page shared between the kernel's clock and the vDSO. Written under clock's lock, read under
 * `seq`: odd while being written. real = mono + real_offset; mono = base + ((counter -
 * counter_base) * mult >> shift).
 */

#include <stdatomic.h>
#include <stdint.h>

struct vdso_data {
	_Atomic uint32_t seq;
	uint32_t shift;
	uint64_t counter_base;
	uint64_t mult;
	uint64_t mono_base;   /* ns */
	uint64_t real_offset; /* ns */
	uint32_t tai_offset;  /* s */
	uint32_t coarse_valid;
	uint64_t coarse_mono; /* ns, refreshed by the tick */
};

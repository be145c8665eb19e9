#pragma once

/* Bitmaps of 64-bit words. */

#include "lib/types.h"

#define BITMAP_WORDS(nbits) (((nbits) + 63) / 64)

static inline void bitmap_set(uint64_t *map, size_t bit)
{
	map[bit / 64] |= 1ull << (bit % 64);
}

static inline void bitmap_clear(uint64_t *map, size_t bit)
{
	map[bit / 64] &= ~(1ull << (bit % 64));
}

static inline bool bitmap_test(const uint64_t *map, size_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

/* The first clear / set bit at or after `from`; nbits when there is none. */
size_t bitmap_find_clear(const uint64_t *map, size_t nbits, size_t from);
size_t bitmap_find_set(const uint64_t *map, size_t nbits, size_t from);

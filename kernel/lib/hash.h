#pragma once

/*
 * Hashing: a fast mixer for integers and pointers, and a keyed hash for strings that users choose.
 */

#include "lib/types.h"

static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15ull;
	return x ^ (x >> 29);
}

/* Name hash of n bytes, seeded (boot-time random) against chosen collisions; 8 bytes per step. */
uint64_t hash_bytes(uint64_t seed, const void *p, size_t n);

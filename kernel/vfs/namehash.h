#pragma once

/*
 * The hash of a directory entry's name: eight bytes a step, seeded at boot. Two forms that agree:
 * over a name of known length, and over the next component of a path while its end is being looked
 * for (resolve.c).
 */

#include "lib/types.h"

static inline uint64_t name_hash_step(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

/* The last step takes the bytes that remain, 0 to 7 of them, padded with zeroes. */
static inline uint32_t name_hash_end(uint64_t h, uint64_t word)
{
	h = name_hash_step(h, word);
	return (uint32_t)(h ^ h >> 27);
}

/* memcmp() == 0 for two names of n bytes each: most are short, and a call costs more. */
static inline bool name_equal(const char *a, const char *b, size_t n)
{
	uint64_t x, y;
	uint32_t p, q;
	uint16_t v, w;

	for (; n >= 8; n -= 8, a += 8, b += 8) {
		__builtin_memcpy(&x, a, 8);
		__builtin_memcpy(&y, b, 8);
		if (x != y)
			return false;
	}
	if (n & 4) {
		__builtin_memcpy(&p, a, 4);
		__builtin_memcpy(&q, b, 4);
		if (p != q)
			return false;
		a += 4, b += 4;
	}
	if (n & 2) {
		__builtin_memcpy(&v, a, 2);
		__builtin_memcpy(&w, b, 2);
		if (v != w)
			return false;
		a += 2, b += 2;
	}
	return !(n & 1) || *a == *b;
}

static inline uint32_t name_hash(uint64_t seed, const char *name, size_t len)
{
	uint64_t h = seed, w;

	for (; len >= 8; len -= 8, name += 8) {
		__builtin_memcpy(&w, name, 8);
		h = name_hash_step(h, w);
	}
	for (w = 0; len > 0; len--)
		w = w << 8 | (uint8_t)name[len - 1];
	return name_hash_end(h, w);
}

#pragma once

/*
 * The hash of a directory entry's name: eight bytes a step, seeded at boot. Two forms that agree:
 * over a name of known length, and over the next component of a path while its end is being looked
 * for (name_component_end).
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

#define NAME_ONES    0x0101010101010101ull
#define NAME_HIGHS   0x8080808080808080ull
#define NAME_SLASHES (NAME_ONES * '/')

/* Eight bytes of s; near the end of a page byte by byte, up to the first that ends a component. */
__attribute__((no_sanitize("address"))) static inline uint64_t name_load_word(const char *s)
{
	uint64_t w = 0;

	if (LIKELY(((uintptr_t)s & PAGE_MASK) <= PAGE_SIZE - 8)) {
		__builtin_memcpy(&w, s, 8);
		return w;
	}
	for (unsigned i = 0; i < 8; i++) {
		w |= (uint64_t)(uint8_t)s[i] << 8 * i;
		if (s[i] == '\0' || s[i] == '/')
			break;
	}
	return w;
}

/* The end of the component at s (its slash or NUL), and its hash. Words are read, which may be past
 * the string's end but never across a page boundary. */
static inline const char *name_component_end(const char *s, uint64_t seed, uint32_t *hash)
{
	uint64_t h = seed;

	for (;; s += 8) {
		uint64_t w = name_load_word(s), x = w ^ NAME_SLASHES;
		uint64_t ends = (((w - NAME_ONES) & ~w) | ((x - NAME_ONES) & ~x)) & NAME_HIGHS;

		if (ends) { /* the lowest mark is exact, those above it need not be */
			unsigned bits = (unsigned)__builtin_ctzll(ends) & ~7u;

			*hash = name_hash_end(h, w & ((1ull << bits) - 1));
			return s + bits / 8;
		}
		h = name_hash_step(h, w);
	}
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

/*
 * Keyed hash for names. Each 8-byte word is mixed by a 64x64->128 bit multiplication whose halves
 * are folded, so that every input bit reaches every output bit; without the seed, collisions cannot
 * be chosen.
 */
#include "lib/hash.h"

#define K0 0xa0761d6478bd642full
#define K1 0xe7037ed1a0b428dbull

struct word {
	uint64_t v;
} PACKED __attribute__((may_alias));

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* The last 1 … 7 bytes as a number, without reading past them. */
static inline uint64_t tail(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

uint64_t hash_bytes(uint64_t seed, const void *p, size_t n)
{
	const uint8_t *s = p;
	uint64_t h = seed ^ fold(n ^ K0, seed ^ K1);

	for (; n >= 8; n -= 8, s += 8)
		h = fold(h ^ ((const struct word *)s)->v, K1);
	if (n)
		h = fold(h ^ tail(s, n), K1 ^ n);
	return fold(h, K0);
}

/* Searching bitmaps, a word at a time. */
#include "lib/bitmap.h"

/* The first set bit at or after `from` of the map with every word xored with `flip`. */
static size_t find(const uint64_t *map, size_t nbits, size_t from, uint64_t flip)
{
	uint64_t w;
	size_t i;

	if (from >= nbits)
		return nbits;
	i = from / 64;
	w = (map[i] ^ flip) & (~0ull << from % 64);
	while (!w) {
		if (++i >= BITMAP_WORDS(nbits))
			return nbits;
		w = map[i] ^ flip;
	}
	i = i * 64 + (size_t)__builtin_ctzll(w);
	return MIN(i, nbits);
}

size_t bitmap_find_clear(const uint64_t *map, size_t nbits, size_t from)
{
	return find(map, nbits, from, ~0ull);
}

size_t bitmap_find_set(const uint64_t *map, size_t nbits, size_t from)
{
	return find(map, nbits, from, 0);
}

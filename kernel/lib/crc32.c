/*
 * CRC by eight tables ("slicing by 8"): t[k][b] is the effect of byte b followed by k zero bytes,
 * so eight bytes are folded in by eight independent look-ups. Little-endian loads.
 *   source       M. Kounavis, F. Berry: A systematic approach to building high performance CRC
 *                generators, 2005
 */
#include "lib/crc32.h"

struct word {
	uint64_t v;
} PACKED __attribute__((may_alias));

void crc32_table_init(struct crc32_table *t, uint32_t poly)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ poly : c >> 1;
		t->t[0][i] = c;
	}
	for (unsigned k = 1; k < 8; k++)
		for (unsigned i = 0; i < 256; i++)
			t->t[k][i] = t->t[k - 1][i] >> 8 ^ t->t[0][t->t[k - 1][i] & 0xff];
}

uint32_t crc32_update(const struct crc32_table *t, uint32_t crc, const void *p, size_t n)
{
	const uint8_t *s = p;

	for (; n >= 8; n -= 8, s += 8) {
		uint64_t w = ((const struct word *)s)->v ^ crc;

		crc = t->t[7][w & 0xff] ^ t->t[6][w >> 8 & 0xff] ^ t->t[5][w >> 16 & 0xff] ^
		      t->t[4][w >> 24 & 0xff] ^ t->t[3][w >> 32 & 0xff] ^ t->t[2][w >> 40 & 0xff] ^
		      t->t[1][w >> 48 & 0xff] ^ t->t[0][w >> 56];
	}
	for (; n; n--)
		crc = crc >> 8 ^ t->t[0][(crc ^ *s++) & 0xff];
	return crc;
}

/* BLAKE2s-256. source: RFC 7693 */
#include "lib/blake2s.h"

#include "lib/string.h"

static const uint32_t iv[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

/* RFC 7693 2.7: which message word each step of a round takes. */
static const uint8_t sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static inline uint32_t rotr(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static inline void mix(uint32_t *v, unsigned a, unsigned b, unsigned c, unsigned d, uint32_t x,
		       uint32_t y)
{
	v[a] += v[b] + x, v[d] = rotr(v[d] ^ v[a], 16);
	v[c] += v[d], v[b] = rotr(v[b] ^ v[c], 12);
	v[a] += v[b] + y, v[d] = rotr(v[d] ^ v[a], 8);
	v[c] += v[d], v[b] = rotr(v[b] ^ v[c], 7);
}

static void compress(struct blake2s *b, const uint8_t *p, bool last)
{
	uint32_t v[16], m[16];

	for (unsigned i = 0; i < 16; i++)
		m[i] = (uint32_t)p[4 * i] | (uint32_t)p[4 * i + 1] << 8 |
		       (uint32_t)p[4 * i + 2] << 16 | (uint32_t)p[4 * i + 3] << 24;
	for (unsigned i = 0; i < 8; i++) {
		v[i] = b->h[i];
		v[8 + i] = iv[i];
	}
	v[12] ^= (uint32_t)b->count;
	v[13] ^= (uint32_t)(b->count >> 32);
	if (last)
		v[14] = ~v[14];
	for (unsigned r = 0; r < 10; r++) {
		const uint8_t *s = sigma[r];

		for (unsigned i = 0; i < 4; i++)
			mix(v, i, 4 + i, 8 + i, 12 + i, m[s[2 * i]], m[s[2 * i + 1]]);
		for (unsigned i = 0; i < 4; i++)
			mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4,
			    m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
	}
	for (unsigned i = 0; i < 8; i++)
		b->h[i] ^= v[i] ^ v[8 + i];
}

void blake2s_init(struct blake2s *b, const void *key, size_t keylen)
{
	for (unsigned i = 0; i < 8; i++)
		b->h[i] = iv[i];
	b->h[0] ^= 0x01010000u ^ (uint32_t)keylen << 8 ^ BLAKE2S_OUT;
	b->count = 0;
	b->have = 0;
	memset(b->buf, 0, sizeof(b->buf));
	if (keylen) {
		memcpy(b->buf, key, keylen);
		b->have = BLAKE2S_BLOCK;
	}
}

/* A full buffer waits: only at the next byte is it known not to be the last block. */
void blake2s_update(struct blake2s *b, const void *p, size_t n)
{
	const uint8_t *s = p;

	while (n) {
		size_t take;

		if (b->have == BLAKE2S_BLOCK) {
			b->count += BLAKE2S_BLOCK;
			compress(b, b->buf, false);
			b->have = 0;
		}
		take = MIN(n, (size_t)(BLAKE2S_BLOCK - b->have));
		memcpy(b->buf + b->have, s, take);
		b->have += (uint32_t)take;
		s += take;
		n -= take;
	}
}

void blake2s_final(struct blake2s *b, uint8_t out[BLAKE2S_OUT])
{
	b->count += b->have;
	memset(b->buf + b->have, 0, BLAKE2S_BLOCK - b->have);
	compress(b, b->buf, true);
	for (unsigned i = 0; i < BLAKE2S_OUT; i++)
		out[i] = (uint8_t)(b->h[i / 4] >> 8 * (i % 4));
}

/*
 * ChaCha20. Sixteen words, ten double rounds, then the input is added. source: RFC 8439 2.1 - 2.3
 */
#include "lib/chacha.h"

#include "lib/string.h"

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void chacha_init(struct chacha *c, const uint8_t key[CHACHA_KEY], const uint8_t nonce[12],
		 uint32_t counter)
{
	static const uint32_t sigma[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	for (unsigned i = 0; i < 4; i++)
		c->s[i] = sigma[i];
	for (unsigned i = 0; i < 8; i++)
		c->s[4 + i] = get32(key + 4 * i);
	c->s[12] = counter;
	for (unsigned i = 0; i < 3; i++)
		c->s[13 + i] = get32(nonce + 4 * i);
}

static inline uint32_t rotl(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static inline void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b, *d = rotl(*d ^ *a, 16);
	*c += *d, *b = rotl(*b ^ *c, 12);
	*a += *b, *d = rotl(*d ^ *a, 8);
	*c += *d, *b = rotl(*b ^ *c, 7);
}

static void block(struct chacha *c, uint8_t out[CHACHA_BLOCK])
{
	uint32_t x[16];

	for (unsigned i = 0; i < 16; i++)
		x[i] = c->s[i];
	for (int round = 0; round < 10; round++) {
		quarter(&x[0], &x[4], &x[8], &x[12]);
		quarter(&x[1], &x[5], &x[9], &x[13]);
		quarter(&x[2], &x[6], &x[10], &x[14]);
		quarter(&x[3], &x[7], &x[11], &x[15]);
		quarter(&x[0], &x[5], &x[10], &x[15]);
		quarter(&x[1], &x[6], &x[11], &x[12]);
		quarter(&x[2], &x[7], &x[8], &x[13]);
		quarter(&x[3], &x[4], &x[9], &x[14]);
	}
	for (unsigned i = 0; i < 16; i++) {
		uint32_t v = x[i] + c->s[i];

		out[4 * i] = (uint8_t)v;
		out[4 * i + 1] = (uint8_t)(v >> 8);
		out[4 * i + 2] = (uint8_t)(v >> 16);
		out[4 * i + 3] = (uint8_t)(v >> 24);
	}
	c->s[12]++;
}

void chacha_stream(struct chacha *c, void *out, size_t n)
{
	uint8_t *p = out, last[CHACHA_BLOCK];

	for (; n >= CHACHA_BLOCK; n -= CHACHA_BLOCK, p += CHACHA_BLOCK)
		block(c, p);
	if (n) {
		block(c, last);
		memcpy(p, last, n);
		mem_wipe(last, sizeof(last));
	}
}

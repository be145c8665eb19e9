/*
 * The Internet checksum, eight bytes at a time: a 64-bit sum with the carry added back is congruent
 * modulo 2^16 - 1 to the sum of its 16-bit words. See checksum.h.
 */
#include "net/checksum.h"

#include <arch/sum.h>

static inline uint64_t add64(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t load_tail(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	if (n & 4) {
		uint32_t w;

		memcpy(&w, p, 4);
		v = w;
		p += 4;
	}
	if (n & 2) {
		uint16_t w;

		memcpy(&w, p, 2);
		v += w;
		p += 2;
	}
	return n & 1 ? v + p[0] : v; /* the last byte is padded with zero, at the higher address */
}

static inline uint32_t fold64(uint64_t v)
{
	v = (v & 0xffffffff) + (v >> 32);
	return (uint32_t)v + (uint32_t)(v >> 32);
}

uint32_t csum_add(uint32_t sum, const void *p, size_t n)
{
	const uint8_t *s = p;
	size_t blocks = n / ARCH_SUM_BLOCK;
	uint64_t a = sum;

	if (blocks) {
		a = arch_sum(a, s, blocks);
		s += blocks * ARCH_SUM_BLOCK;
		n %= ARCH_SUM_BLOCK;
	}
	for (; n >= 8; n -= 8, s += 8)
		a = add64(a, load64(s));
	return fold64(add64(a, load_tail(s, n)));
}

uint32_t csum_copy(uint32_t sum, void *dst, const void *src, size_t n)
{
	const uint8_t *s = src;
	uint8_t *d = dst;
	uint64_t a = sum, v;

	for (; n >= 8; n -= 8, s += 8, d += 8) {
		v = load64(s);
		memcpy(d, &v, sizeof(v));
		a = add64(a, v);
	}
	for (size_t i = 0; i < n; i++)
		d[i] = s[i];
	return fold64(add64(a, load_tail(s, n)));
}

uint32_t csum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint32_t len)
{
	uint64_t v = __builtin_bswap32(src);

	v += __builtin_bswap32(dst);
	v += __builtin_bswap32(len);
	v += (uint64_t)proto << 8;
	return fold64(v);
}

uint32_t csum_pseudo6(const struct ipv6_addr *src, const struct ipv6_addr *dst, uint8_t proto,
		      uint32_t len)
{
	uint32_t sum = csum_add(csum_add(0, src, sizeof(*src)), dst, sizeof(*dst));
	uint64_t v = (uint64_t)sum + __builtin_bswap32(len);

	return fold64(v + ((uint64_t)proto << 8));
}

#pragma once

/*
 * The Internet checksum. Sums are kept as 32 bits, not folded, of 16-bit words as they lie in
 * memory: the one's complement sum does not care about byte order as long as all agree (RFC 1071
 * 2.B), so that a finished checksum is stored with csum_put() and never swapped.
 *
 *   source       RFC 1071, RFC 1624 (incremental), RFC 9293 3.1 and RFC 8200 8.1 (pseudo headers)
 */

#include "lib/string.h"
#include "net/wire.h"

/* `sum` and the n bytes at p, which begin at an even offset of what is summed. */
uint32_t csum_add(uint32_t sum, const void *p, size_t n);

/* The same, and copies: one pass over the bytes. */
uint32_t csum_copy(uint32_t sum, void *dst, const void *src, size_t n);

/* `sum` and the sum of a part that begins at `offset` of the whole. */
static inline uint32_t csum_add_part(uint32_t sum, uint32_t part, size_t offset)
{
	uint64_t t;

	if (offset & 1)
		part = part << 8 | part >> 24;
	t = (uint64_t)sum + part;
	return (uint32_t)t + (uint32_t)(t >> 32);
}

/* The 16 bits to store; over data that hold their own checksum it is 0 when they are right. */
static inline uint16_t csum_finish(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

static inline void csum_put(uint8_t *p, uint16_t c)
{
	memcpy(p, &c, sizeof(c));
}

static inline uint16_t csum_get(const uint8_t *p)
{
	uint16_t c;

	memcpy(&c, p, sizeof(c));
	return c;
}

static inline uint16_t csum(const void *p, size_t n)
{
	return csum_finish(csum_add(0, p, n));
}

/* The pseudo header of a TCP segment or UDP datagram of `len` bytes. */
uint32_t csum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint32_t len);
uint32_t csum_pseudo6(const struct ipv6_addr *src, const struct ipv6_addr *dst, uint8_t proto,
		      uint32_t len);

/* The checksum `c` after 2 bytes (4 bytes) at an even offset changed, RFC 1624 eqn. 3. The values
 * are as they lie in memory. */
static inline uint16_t csum_replace2(uint16_t c, uint16_t old, uint16_t val)
{
	return csum_finish((uint32_t)(uint16_t)~c + (uint16_t)~old + val);
}

static inline uint16_t csum_replace4(uint16_t c, uint32_t old, uint32_t val)
{
	c = csum_replace2(c, (uint16_t)old, (uint16_t)val);
	return csum_replace2(c, (uint16_t)(old >> 16), (uint16_t)(val >> 16));
}

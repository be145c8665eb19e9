/* Flow hashes and ephemeral ports. See flow.h. */
#include "net/flow.h"

#include "abi/errno.h"

uint32_t toeplitz_hash(const uint8_t *key, const uint8_t *data, size_t n)
{
	uint32_t window = be32_get(key), h = 0;

	for (size_t i = 0; i < n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			if (data[i] & 0x80u >> bit)
				h ^= window;
			window = window << 1 | (key[i + 4] >> (7 - bit) & 1u);
		}
	}
	return h;
}

int port_choose(struct port_chooser *c, const struct flow_key *f, uint16_t low, uint16_t high,
		port_test *is_free, void *arg, uint16_t *port)
{
	uint64_t h = siphash(&c->key, f, sizeof(*f));
	uint32_t count = (uint32_t)high - low + 1;
	uint32_t *counter = &c->counter[(h >> 32) % PORT_COUNTERS];
	uint64_t start = (uint64_t)(uint32_t)h + *counter;

	for (uint32_t i = 0; i < count; i++) {
		uint16_t p = (uint16_t)(low + (start + i) % count);

		if (!is_free(p, arg))
			continue;
		*counter += i + 1;
		*port = p;
		return 0;
	}
	return -EADDRNOTAVAIL;
}

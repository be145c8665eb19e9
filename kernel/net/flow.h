#pragma once

/*
 * Flows: a hash of addresses and ports to find sockets and to spread work by, and the choice of an
 * ephemeral port.
 *
 *   source       RFC 6056 3.3.4 (double-hash port selection); Microsoft RSS (Toeplitz)
 */

#include "lib/hash.h"
#include "lib/siphash.h"
#include "net/wire.h"

/* What names a TCP or UDP flow. IPv4 addresses are mapped. Zeroed before it is filled. */
struct flow_key {
	struct ipv6_addr local, remote;
	uint16_t lport, rport;
	uint32_t ifindex; /* of link-local addresses, else 0 */
};

static inline uint32_t flow_hash(const struct siphash_key *key, const struct flow_key *f)
{
	/* For each packet: the seed keeps collisions from being chosen, and none sees the result.
	 */
	return (uint32_t)hash_bytes(key->k[0], f, sizeof(*f));
}

/* RSS: key has n + 4 bytes or more. */
uint32_t toeplitz_hash(const uint8_t *key, const uint8_t *data, size_t n);

enum { PORT_COUNTERS = 256 };

struct port_chooser {
	struct siphash_key key;
	uint32_t counter[PORT_COUNTERS]; /* random at first */
};

/* Is this port free for the flow? */
typedef bool port_test(uint16_t port, void *arg);

/*
 * An ephemeral port in [low, high] for a flow whose lport is 0: the first free one from a place
 * that the flow's own addresses decide, so that ports to one peer follow each other and other peers
 * cannot guess them.
 *   returns      0; -EADDRNOTAVAIL: all are taken
 */
MUST_CHECK int port_choose(struct port_chooser *c, const struct flow_key *f, uint16_t low,
			   uint16_t high, port_test *is_free, void *arg, uint16_t *port);

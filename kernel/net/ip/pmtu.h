#pragma once

/*
 * What is known of path MTUs: a set-associative cache over memory of the owner's, so that forged
 * ICMP errors cannot make it grow. A value is forgotten after ten minutes, when the path may have
 * become better.
 *
 *   source       RFC 1191 (6.3: ageing), RFC 8201 (4, 5.3), ip(7) ip_no_pmtu_disc, min_pmtu
 */

#include "lib/siphash.h"
#include "net/wire.h"

#define PMTU_TIMEOUT_NS (600 * NSEC_PER_SEC)

enum { PMTU_WAYS = 4, PMTU_MIN4 = 552 };

struct pmtu_entry {
	struct ipv6_addr dst; /* IPv4: mapped */
	nsec_t expires;       /* 0: free */
	uint32_t mtu;
};

struct pmtu_cache {
	struct pmtu_entry *entry;
	size_t sets; /* power of two; there are PMTU_WAYS entries in each */
	struct siphash_key key;
};

/* entry: sets * PMTU_WAYS of them, zeroed. */
void pmtu_init(struct pmtu_cache *c, struct pmtu_entry *entry, size_t sets,
	       const struct siphash_key *key);

/*
 * The network said that packets to dst must not be larger than `mtu`.
 *   link_mtu     of the interface; larger than that says nothing
 *   sent         the length of the packet the error is about: IPv4 routers that tell no MTU (0)
 * leave the next smaller plateau to be tried, RFC 1191 7 returns      the path MTU now in force, 0
 * when the message proves nothing
 */
uint32_t pmtu_update(struct pmtu_cache *c, const struct ipv6_addr *dst, uint32_t mtu, uint32_t sent,
		     uint32_t link_mtu, nsec_t now);

/* The path MTU to dst; link_mtu when nothing smaller is known. */
uint32_t pmtu_get(const struct pmtu_cache *c, const struct ipv6_addr *dst, uint32_t link_mtu,
		  nsec_t now);

#pragma once

/*
 * An interface's IPv6 autoconfiguration: router solicitation, what router advertisements say,
 * addresses made of prefixes and their life, duplicate address detection.
 *
 * The machine keeps what should be (addresses, prefixes, routers); the owner asks slaac_next() what
 * differs from what it was told before, and makes it so.
 *
 *   source       RFC 4861 6 (routers, prefixes, parameters), RFC 4862 5 (addresses, DAD), RFC 4191
 *                (preference, more specific routes: not used), RFC 8106 (DNS servers)
 */

#include "net/wire.h"

enum { SLAAC_ADDRS = 16, SLAAC_ROUTERS = 4, SLAAC_PREFIXES = 16, SLAAC_DNS = 3 };

enum slaac_addr_state { SLAAC_TENTATIVE, SLAAC_PREFERRED, SLAAC_DEPRECATED, SLAAC_DUPLICATE };

struct slaac_addr {
	bool used, announced;
	uint8_t state, announced_state; /* enum slaac_addr_state */
	uint8_t plen;
	uint8_t probes; /* of DAD, still to be sent */
	struct ipv6_addr addr;
	nsec_t dad_at;                       /* next step of DAD */
	nsec_t preferred_until, valid_until; /* NSEC_MAX: for ever */
};

struct slaac_prefix { /* on-link: RFC 4861 6.3.4 */
	bool used, announced;
	uint8_t plen;
	struct ipv6_addr prefix;
	nsec_t until;
};

struct slaac_router {
	bool used, announced;
	int8_t preference; /* 1 high, 0 medium, -1 low */
	struct ipv6_addr addr;
	nsec_t until;
};

enum slaac_ignore {
	SLAAC_NO_ROUTERS = 1,
	SLAAC_NO_PREFIXES = 2,
	SLAAC_NO_ADDRS = 4,
	SLAAC_NO_MTU = 8
};

struct slaac {
	uint8_t mac[ETH_ALEN];
	bool up;
	uint8_t ignore;   /* enum slaac_ignore: what advertisements are not asked for */
	uint8_t solicits; /* still to be sent */
	nsec_t solicit_at;
	uint8_t hop_limit;                 /* 0: not told */
	bool managed, other;               /* DHCPv6 was recommended */
	uint32_t mtu;                      /* 0: not told */
	uint32_t reachable_ms, retrans_ms; /* 0: not told */
	struct slaac_addr addr[SLAAC_ADDRS];
	struct slaac_prefix prefix[SLAAC_PREFIXES];
	struct slaac_router router[SLAAC_ROUTERS];
	struct ipv6_addr dns[SLAAC_DNS];
	uint8_t ndns;
};

enum slaac_action {
	SLAAC_SEND_RS,  /* a router solicitation; from `addr` with the MAC as option, or from ::
			   without */
	SLAAC_SEND_DAD, /* a neighbour solicitation for `addr` from :: */
	SLAAC_ADDR_SET, /* `addr`/plen exists in `state` */
	SLAAC_ADDR_GONE,
	SLAAC_PREFIX_SET, /* addr/plen is on-link */
	SLAAC_PREFIX_GONE,
	SLAAC_ROUTER_SET, /* default route through addr */
	SLAAC_ROUTER_GONE,
};

struct slaac_step {
	uint8_t action, state, plen;
	int8_t preference;
	struct ipv6_addr addr;
};

/* The link is up: a link-local address is made of the MAC (RFC 4291 appendix A). */
void slaac_start(struct slaac *s, const uint8_t *mac, nsec_t now);

/*
 * A router advertisement: ICMPv6 message p from src, received with the hop limit.
 *   returns      0; -EINVAL: RFC 4861 6.1.2 says to drop it
 */
MUST_CHECK int slaac_advert(struct slaac *s, const uint8_t *p, size_t n,
			    const struct ipv6_addr *src, uint8_t hops, nsec_t now);

/* Somebody else has or wants `addr`, which was tentative: RFC 4862 5.4.3, 5.4.4. */
void slaac_duplicate(struct slaac *s, const struct ipv6_addr *addr);

/* What is to be done next; false: nothing. Expires what is over at `now`. */
MUST_CHECK bool slaac_next(struct slaac *s, nsec_t now, struct slaac_step *step);
nsec_t slaac_deadline(const struct slaac *s);

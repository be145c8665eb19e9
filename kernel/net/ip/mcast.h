#pragma once

/*
 * Membership in multicast groups, as a host tells it to routers: IGMPv1 to v3 and MLDv1 and v2.
 * Groups are joined for any source; there are no source filters.
 *
 * An interface speaks the newest version, or for a while an older one after a query in it. Each
 * group has its own timer: the first report goes at once and is repeated, a query is answered
 * after a random part of the time it grants, and in the old versions not at all when another host
 * does first.
 *
 *   source       RFC 2236 (IGMPv2), RFC 3376 (v3), RFC 2710 (MLDv1), RFC 3810 (v2)
 */

#include "net/wire.h"

enum mcast_report {
	MCAST_IS_EXCLUDE = 2, /* answers a query */
	MCAST_LEAVE = 3,      /* TO_IN {}: RFC 3376 4.2.12 */
	MCAST_JOIN = 4,       /* TO_EX {} */
};

enum { MCAST_ROBUSTNESS = 2, MCAST_PACKET_MAX = 28 };

struct mcast_if {
	bool v6;
	nsec_t v1_until, v2_until; /* an older querier was heard; MLDv1 counts as v2 */
};

struct mcast_group {
	struct ipv6_addr addr; /* IPv4: mapped */
	bool joined;
	bool last_reporter; /* nobody else reported since: RFC 2236 6 */
	uint8_t repeats;    /* unsolicited reports still to be sent */
	nsec_t report_at;   /* NSEC_MAX: no report is due */
};

struct mcast_query {
	bool general;
	struct ipv6_addr group;
	nsec_t max_delay;
};

/* The version to speak: 1, 2 or 3; MLDv1 is 2, MLDv2 is 3. */
unsigned mcast_version(const struct mcast_if *m, nsec_t now);

/* Some groups are never reported: 224.0.0.1, ff02::1, and what is narrower than a link. */
bool mcast_is_reported(const struct ipv6_addr *group);

/* The first report is due at once: mcast_report_due(), whose `random` is any number. */
void mcast_join(struct mcast_group *g, const struct ipv6_addr *addr, nsec_t now);

/* Returns true when a leave message is to be sent: mcast_build(MCAST_LEAVE). */
MUST_CHECK bool mcast_leave(const struct mcast_if *m, struct mcast_group *g, nsec_t now);

/*
 * A query: IGMP message, or ICMPv6 from its type on; the checksum is right.
 *   returns      0; -EINVAL: not a query, or a bad one
 */
MUST_CHECK int mcast_query_parse(struct mcast_if *m, const uint8_t *p, size_t n, nsec_t now,
				 struct mcast_query *q);

/* What a query means for one group. */
void mcast_queried(struct mcast_group *g, const struct mcast_query *q, uint32_t random, nsec_t now);

/* Another host reported this group: RFC 2236 3. */
void mcast_heard(const struct mcast_if *m, struct mcast_group *g, nsec_t now);

/* Is a report due? If so the next one is planned, and this one is of kind *kind. */
MUST_CHECK bool mcast_report_due(const struct mcast_if *m, struct mcast_group *g, uint32_t random,
				 nsec_t now, enum mcast_report *kind);

/*
 * Writes the message, its checksum for IGMP (that of ICMPv6 is the caller's: it has the addresses).
 *   p            MCAST_PACKET_MAX bytes
 *   dst          set to where it goes; with TTL 1 and the router alert option
 *   returns      its length; 0: this version has no such message
 */
size_t mcast_build(const struct mcast_if *m, const struct mcast_group *g, enum mcast_report kind,
		   nsec_t now, uint8_t *p, struct ipv6_addr *dst);

/*
 * ICMP and ICMPv6: echoes are answered, errors about our packets go to the protocol that sent
 * them, and neighbour discovery. Errors of our own are limited by a token bucket (RFC 1812
 * 4.3.2.8, RFC 4443 2.4 f), and never answer errors, broadcasts or later fragments.
 */

#include "abi/errno.h"
#include "core/clock.h"
#include "core/spinlock.h"
#include "lib/string.h"
#include "net/checksum.h"
#include "net/inet/conf.h"
#include "net/inet/inet_priv.h"
#include "net/inet/neighbour.h"
#include "net/inet/mcast.h"
#include "net/inet/stats.h"
#include "net/ip/neigh.h"
#include "net/netif.h"
#include "net/parse.h"
#include "net/trace.h"

enum { NDP_HOPS = 255, QUOTE4 = 548, QUOTE6 = 1232, CHECKSUM_AT = 2 };
/* What goes in front of an ICMP header: IPv6's, the link's and the card's. */
enum { OUTER = 72 };

/* Sends the ICMP message p from src to dst, checksum filled in. hops 0: as the path has it. */
static void send_icmp(struct pkt *p, const struct ipv6_addr *src, const struct ipv6_addr *dst,
		      struct netdev *d, uint8_t hops)
{
	bool v4 = addr_is4(dst);
	struct ip_path path;
	struct ip_send s = { .path = &path, .dst = *dst, .ttl = hops };
	bool scoped = !v4 && (ipv6_is_link_local(dst) || ipv6_is_multicast(dst));

	s.proto = v4 ? IPPROTO_ICMP_ : IPPROTO_ICMPV6_;
	if (ip_route(dst, src, scoped ? d->index : 0, &path)) {
		pkt_free(p);
		return;
	}
	if (!hops)
		s.ttl = path.hops;
	s.src = path.source;
	net_count_icmp(!v4, true, p->data[0]);
	csum_put(p->data + CHECKSUM_AT, 0);
	if (v4) {
		struct pkt *whole = p;
		uint32_t sum = 0;

		sum = ip_sum(whole, sum);
		csum_put(p->data + CHECKSUM_AT, csum_finish(sum));
	} else {
		ip_set_checksum(p, &s, CHECKSUM_AT);
	}
	(void)!ip_output(p, &s);
}

int icmp_echo_ignore_all, icmp_echo_ignore_broadcasts = 1;
int icmp_msgs_burst = 50, icmp_msgs_per_sec = 1000;
int icmp6_echo_ignore_all, icmp6_echo_ignore_multicast;

static bool may_answer_echo(const struct ip_info *i, bool v6)
{
	if (v6 ? icmp6_echo_ignore_all : icmp_echo_ignore_all)
		return false;
	return i->to == ROUTE_LOCAL ||
	       (v6 ? !icmp6_echo_ignore_multicast : !icmp_echo_ignore_broadcasts);
}

static void answer_echo(struct pkt *p, bool v6)
{
	struct ipv6_addr none = { { 0 } };
	struct ip_info i = *ip_info(p);
	struct pkt *reply;

	if (!v6)
		none = addr_from4(0);
	if (!may_answer_echo(&i, v6) || !(reply = pkt_clone(p)))
		return;
	/* The payload's pages are shared, the eight bytes of the header are ours. */
	if (!pkt_unshare_head(reply, ICMP_HEADER, OUTER)) {
		pkt_free(reply);
		return;
	}
	reply->csum = PKT_CSUM_NONE;
	reply->data[0] = v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY;
	send_icmp(reply, i.to == ROUTE_LOCAL ? &i.dst : &none, &i.src, p->dev, 0);
}

/* Who sent the packet at p's transport header is told. */
static void tell_protocol(const struct ip_info *sent, const struct pkt *p, const struct ip_error *e)
{
	const struct ip_protocol *proto = ip_protocol_find(sent->proto);

	raw_icmp(sent, p, e);
	if (proto && proto->icmp)
		proto->icmp(sent, p, e);
	else if (proto && proto->error)
		proto->error(sent, p->data, p->linear, e->err, e->hard, e->mtu);
}

/* An error: whose packet was it? */
static void handle_error(struct pkt *p, const struct icmp_header *h, bool v6)
{
	struct ip_info sent = { .to = ROUTE_UNICAST };
	struct ip_error e = { .type = h->type,
			      .code = h->code,
			      .mtu = icmp_mtu(h, v6),
			      .offender = ip_info(p)->src,
			      .dev = p->dev };
	uint32_t header;

	e.err = icmp_errno(h->type, h->code, v6, &e.hard);

	pkt_pull(p, ICMP_HEADER);
	(void)!pkt_need(p, MIN(p->len, 120u));
	if (v6) {
		struct ipv6_problem problem;
		struct ipv6_header ip;

		if (p->linear < IPV6_HEADER || (p->data[0] >> 4) != 6)
			return;
		/* It was cut: its length says more than is here. */
		if (ipv6_parse(p->data, UINT16_MAX, &ip, &problem) || ip.len > p->linear)
			return;
		sent.src = ip.src;
		sent.dst = ip.dst;
		sent.proto = ip.proto;
		header = ip.len;
	} else {
		if (p->linear < IPV4_HEADER || (p->data[0] >> 4) != 4)
			return;
		header = (p->data[0] & 15u) * 4;
		sent.src = addr_from4(be32_get(p->data + 12));
		sent.dst = addr_from4(be32_get(p->data + 16));
		sent.proto = p->data[9];
	}
	if (header > p->linear || p->linear - header < 8 || !e.err)
		return;
	pkt_pull(p, header);
	tell_protocol(&sent, p, &e);
}

static void icmp4_input(struct pkt *p)
{
	struct icmp_header h;

	if (!pkt_need(p, ICMP_HEADER) || (p->csum == PKT_CSUM_NONE && csum_finish(ip_sum(p, 0))) ||
	    icmp_parse(p->data, p->linear, &h)) {
		net_count(STAT_Icmp_InMsgs);
		net_count(STAT_Icmp_InErrors);
		pkt_drop(p, NET_DROP_icmp_header);
		return;
	}
	net_count_icmp(false, false, h.type);
	if (h.type == ICMP_ECHO_REPLY)
		ping_input(p);
	else if (h.type == ICMP_ECHO)
		answer_echo(p, false);
	else if (h.type == ICMP_UNREACH || h.type == ICMP_TIME_EXCEEDED ||
		 h.type == ICMP_PARAM_PROBLEM)
		handle_error(p, &h, false);
	pkt_free(p);
}

/* --- neighbour discovery --- */

static void send_ndp(struct netdev *d, uint8_t type, const struct ndp_neighbour *m,
		     const struct ipv6_addr *src, const struct ipv6_addr *dst)
{
	struct pkt *p = pkt_alloc();
	uint8_t buf[32];
	size_t n;

	if (!p)
		return;
	n = ndp_neighbour_build(buf, type, m);
	memcpy(pkt_push(p, (uint32_t)n), buf, n);
	send_icmp(p, src, dst, d, NDP_HOPS);
}

void icmp6_send_from(struct netdev *d, const void *m, uint32_t n, const struct ipv6_addr *src,
		     const struct ipv6_addr *dst)
{
	struct ip_path path = {
		.dev = d, .next_hop = *dst, .mtu = d->mtu, .type = ROUTE_MULTICAST
	};
	struct ip_send s = { .path = &path,
			     .src = *src,
			     .dst = *dst,
			     .proto = IPPROTO_ICMPV6_,
			     .ttl = NDP_HOPS,
			     .no_loop = true };
	struct pkt *p = pkt_alloc();

	if (!p)
		return;
	memcpy(pkt_push(p, n), m, n);
	ip_set_checksum(p, &s, CHECKSUM_AT);
	(void)!ip_output(p, &s);
}

void ndp_solicit(struct netdev *d, const struct ipv6_addr *target, const uint8_t *mac)
{
	struct ipv6_addr all = ipv6_solicited_node(target), none = { { 0 } };
	struct ndp_neighbour m = { .target = *target, .mac = d->addr };

	send_ndp(d, NDP_NEIGHBOUR_SOLICIT, &m, &none, mac ? target : &all);
}

static void solicited(struct pkt *p, const struct ndp_neighbour *m)
{
	struct ip_info *i = ip_info(p);
	bool probe = ipv6_is_unspecified(&i->src); /* duplicate address detection */
	struct ipv6_addr all = { { 0xff, 2, [15] = 1 } }, none = { { 0 } };
	const struct ipv6_addr *from = &m->target;
	struct ndp_neighbour answer = { .target = m->target,
					.router = inet_conf_of(p->dev)->forwarding6 > 0,
					.solicited = !probe,
					.override = true };

	if (ip_address_type(&m->target, p->dev) != ROUTE_LOCAL) {
		if (probe) /* both of us are checking it */
			(void)autoconf_heard(p->dev, &m->target);
		if (probe || !proxy_answers(p->dev, &m->target, &answer.router))
			return;
		answer.override = false; /* RFC 4861 7.2.8: its owner's word counts more */
		from = &none;
	}
	neighbour_count_solicit(addr_is_multicast(&i->dst));
	if (!probe && m->mac)
		neighbour_heard(p->dev, &i->src, m->mac, NULL, true);
	answer.mac = p->dev->addr;
	send_ndp(p->dev, NDP_NEIGHBOUR_ADVERT, &answer, from, probe ? &all : &i->src);
}

static void ndp_input(struct pkt *p, uint8_t type)
{
	struct ndp_neighbour m;

	(void)!pkt_need(p, MIN(p->len, (uint32_t)PKT_ROOM));
	if (ndp_neighbour_parse(p->data, p->linear, ip_info(p)->ttl, &m))
		return;
	if (type == NDP_NEIGHBOUR_SOLICIT) {
		solicited(p, &m);
	} else if (!autoconf_heard(p->dev, &m.target) &&
		   (m.solicited || !INET_CONF_MAX(p->dev, drop_unsolicited_na))) {
		struct neigh_answer a = { .mac = m.mac,
					  .solicited = m.solicited,
					  .override = m.override,
					  .is_router = m.router,
					  .v6 = true };

		neighbour_heard(p->dev, &m.target, m.mac, &a, false);
	}
}

static void icmp6_input(struct pkt *p)
{
	struct icmp_header h;

	if (!pkt_need(p, ICMP_HEADER) || !ip_checksum_ok(p) || icmp_parse(p->data, p->linear, &h)) {
		net_count(STAT_Icmp6_InMsgs);
		net_count(STAT_Icmp6_InErrors);
		pkt_drop(p, NET_DROP_icmp_header);
		return;
	}
	net_count_icmp(true, false, h.type);
	if (h.type == ICMPV6_ECHO_REPLY)
		ping_input(p);
	else if (h.type == ICMPV6_ECHO)
		answer_echo(p, true);
	else if (h.type == NDP_NEIGHBOUR_SOLICIT || h.type == NDP_NEIGHBOUR_ADVERT)
		ndp_input(p, h.type);
	else if (h.type == NDP_ROUTER_ADVERT)
		autoconf_advert(p);
	else if (h.type >= MLD_QUERY && h.type <= MLD_DONE_V1)
		mcast_mld_input(p);
	else if (h.type < ICMPV6_ECHO)
		handle_error(p, &h, true);
	pkt_free(p);
}

/* --- errors of our own --- */

static bool take_token(void)
{
	static struct spinlock lock = SPINLOCK(ICMPRATE);
	static nsec_t full_at; /* when the bucket will be full again */
	nsec_t now = clock_mono(), each;
	bool ok;

	if (icmp_msgs_per_sec <= 0)
		return false;
	each = NSEC_PER_SEC / icmp_msgs_per_sec;
	spin_lock(&lock);
	full_at = MAX(full_at, now);
	ok = full_at - now < icmp_msgs_burst * each;
	if (ok)
		full_at += each;
	spin_unlock(&lock);
	return ok;
}

void ip_send_unreachable(const struct pkt *p, enum ip_unreachable why)
{
	const struct ip_info *i = ip_info(p);
	bool v4 = addr_is4(&i->src);
	uint32_t header = p->transport - p->network;
	struct icmp_header h = { 0 };
	struct pkt *n;

	if (i->to != ROUTE_LOCAL || addr_is_any(&i->src) || addr_is_multicast(&i->src) ||
	    header > 120 || p->transport < p->network)
		return;
	if (!take_token()) {
		net_count(v4 ? STAT_Icmp_OutRateLimitGlobal : STAT_Icmp6_OutRateLimitHost);
		return;
	}
	if (!(n = pkt_clone(p)))
		return;
	/* The data's pages are shared; the headers are written anew, in the clone's own room. */
	if (!pkt_unshare_head(n, MIN(n->linear, (uint32_t)UDP_HEADER),
			      header + ICMP_HEADER + OUTER)) {
		pkt_free(n);
		return;
	}
	n->csum = PKT_CSUM_NONE;
	h.type = v4 ? ICMP_UNREACH : why == IP_UNREACH_PORT ? ICMPV6_UNREACH : ICMPV6_PARAM_PROBLEM;
	if (v4)
		h.code = why == IP_UNREACH_PORT ? ICMP_UNREACH_PORT : ICMP_UNREACH_PROTO;
	else
		h.code = why == IP_UNREACH_PORT ? 4 : 1;
	memcpy(pkt_push(n, header), pkt_network(p), header);
	pkt_trim(n, (v4 ? QUOTE4 : QUOTE6));
	icmp_build(pkt_push(n, ICMP_HEADER), &h);
	send_icmp(n, &i->dst, &i->src, p->dev, 0);
}

/* No error answers an error, nor a later fragment (RFC 1122 3.2.2, RFC 4443 2.4 e). */
static bool may_be_answered(const struct pkt *p, const struct ip_info *i)
{
	bool v4 = addr_is4(&i->src);
	uint32_t at = v4 ? (p->data[0] & 15u) * 4 : IPV6_HEADER;

	if (v4 && be16_get(p->data + 6) & IPV4_OFFSET)
		return false;
	if (i->proto == IPPROTO_ICMP_ && v4)
		return at < p->linear &&
		       (p->data[at] == ICMP_ECHO || p->data[at] == ICMP_ECHO_REPLY);
	return i->proto != IPPROTO_ICMPV6_ || (at < p->linear && p->data[at] >= ICMPV6_ECHO);
}

void icmp_send_error(const struct pkt *p, uint8_t type, uint8_t code, uint32_t info)
{
	const struct ip_info *i = ip_info(p);
	struct icmp_header h = { .type = type, .code = code, .info = info };
	bool v4 = addr_is4(&i->src);
	struct pkt *n;

	if (!may_be_answered(p, i) || !take_token() || !(n = pkt_clone(p)))
		return;
	if (!pkt_unshare_head(n, MIN(n->linear, (uint32_t)IPV6_HEADER), ICMP_HEADER + OUTER)) {
		pkt_free(n);
		return;
	}
	n->csum = PKT_CSUM_NONE;
	pkt_trim(n, v4 ? QUOTE4 : QUOTE6);
	icmp_build(pkt_push(n, ICMP_HEADER), &h);
	send_icmp(n, NULL, &i->src, p->dev, 0);
}

void ip_report_unreachable(struct pkt *p)
{
	struct ip_info sent = { 0 };
	const uint8_t *ip = p->data;
	struct ip_error e = { .err = EHOSTUNREACH, .hard = true, .local = true, .dev = p->dev };
	uint32_t header;

	if (p->linear < IPV4_HEADER)
		return;
	if (ip[0] >> 4 == 4) {
		header = (ip[0] & 15u) * 4;
		sent.src = addr_from4(be32_get(ip + 12));
		sent.dst = addr_from4(be32_get(ip + 16));
		sent.proto = ip[9];
		e.type = ICMP_UNREACH;
		e.code = ICMP_UNREACH_HOST;
	} else {
		if (p->linear < IPV6_HEADER)
			return;
		header = IPV6_HEADER;
		memcpy(sent.src.b, ip + 8, 16);
		memcpy(sent.dst.b, ip + 24, 16);
		sent.proto = ip[6];
		e.type = ICMPV6_UNREACH;
		e.code = 3;
	}
	e.offender = sent.src;
	if (header + 8 > p->linear)
		return;
	pkt_pull(p, header);
	tell_protocol(&sent, p, &e);
}

void icmp_init(void)
{
	static struct ip_protocol v4 = { .proto = IPPROTO_ICMP_,
					 .input = icmp4_input,
					 .icmp = ping_icmp };
	static struct ip_protocol v6 = { .proto = IPPROTO_ICMPV6_,
					 .input = icmp6_input,
					 .icmp = ping_icmp };

	ip_protocol_register(&v4);
	ip_protocol_register(&v6);
}

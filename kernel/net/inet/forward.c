/*
 * Packets that are for others: net.ipv4.ip_forward, net.ipv6.conf.*.forwarding. Redirects are not
 * sent. Source: RFC 1812 5.2, 5.3; RFC 8200 3.
 */

#include "abi/errno.h"
#include "abi/if_packet.h"
#include "net/checksum.h"
#include "net/inet/conf.h"
#include "net/inet/fib.h"
#include "net/inet/inet_priv.h"
#include "net/netif.h"
#include "net/parse.h"

enum { TTL_AT = 8, SUM_AT = 10, HOPS_AT = 7, UNREACH_FILTERED = 13, TIME_EXCEEDED_IN_TRANSIT = 0 };

static bool may_forward(const struct pkt *p, const struct ip_info *i)
{
	const struct inet_conf *c = inet_conf_of(p->dev);
	bool v4 = addr_is4(&i->dst);

	if (v4 ? !c->forwarding4 : !c->forwarding6)
		return false;
	if (p->type != PACKET_HOST || addr_is_any(&i->src) || addr_is_multicast(&i->src) ||
	    addr_is_loopback(&i->src) || addr_is_loopback(&i->dst) || addr_is_any(&i->dst))
		return false;
	return v4 || (!ipv6_is_link_local(&i->src) && !ipv6_is_link_local(&i->dst));
}

static void tell_unreachable(const struct pkt *p, bool v4, int err)
{
	uint8_t code = 0;

	if (v4 && err == -EHOSTUNREACH)
		code = ICMP_UNREACH_HOST;
	else if (err == -EACCES)
		code = v4 ? UNREACH_FILTERED : 1;
	if (err != -EINVAL) /* blackhole */
		icmp_send_error(p, v4 ? ICMP_UNREACH : ICMPV6_UNREACH, code, 0);
}

static void decrement(uint8_t *h, bool v4)
{
	if (!v4) {
		h[HOPS_AT]--;
		return;
	}
	h[TTL_AT]--;
	csum_put(h + SUM_AT, 0);
	csum_put(h + SUM_AT, csum(h, (h[0] & 15u) * 4));
}

/* Larger than the next link takes. Only what has no options and is whole is cut here. */
static void send_large(struct pkt *p, const struct ip_info *i, const struct ip_path *path)
{
	struct ip_send s = {
		.path = path, .src = i->src, .dst = i->dst, .proto = i->proto, .tos = i->tos
	};
	struct ipv4_header h;
	bool v4 = addr_is4(&i->dst);

	if (v4 && !ipv4_parse(p->data, p->len, &h) && !h.dont && !h.more && !h.frag &&
	    h.len == IPV4_HEADER) {
		s.ttl = (uint8_t)(h.ttl - 1);
		pkt_pull(p, h.len);
		(void)!ip_output(p, &s);
		return;
	}
	icmp_send_error(p, v4 ? ICMP_UNREACH : ICMPV6_TOO_BIG, v4 ? ICMP_UNREACH_NEEDFRAG : 0,
			path->mtu);
	pkt_free(p);
}

bool ip_forward(struct pkt *p, uint32_t header)
{
	const struct ip_info *i = ip_info(p);
	bool v4 = addr_is4(&i->dst);
	struct ip_flow flow = { .dst = i->dst,
				.source = i->src,
				.iif = p->dev->index,
				.mark = p->mark,
				.tos = i->tos,
				.proto = i->proto };
	struct ip_path path;
	int err;

	if (!may_forward(p, i) || (v4 && p->dev != loopback_device && !source_is_valid(p)))
		return false;
	if (i->ttl <= 1) {
		icmp_send_error(p, v4 ? ICMP_TIME_EXCEEDED : ICMPV6_TIME_EXCEEDED,
				TIME_EXCEEDED_IN_TRANSIT, 0);
		return false;
	}
	if ((err = ip_route_flow(&flow, &path, NULL)) || path.type != ROUTE_UNICAST) {
		tell_unreachable(p, v4, err ? err : -ENETUNREACH);
		return false;
	}
	if (!pkt_unshare_head(p, MIN(p->linear, header), PKT_LINK_ROOM))
		return false;
	if (p->csum == PKT_CSUM_VERIFIED)
		p->csum = PKT_CSUM_NONE;
	if (!p->gso && p->len > path.mtu) {
		send_large(p, i, &path);
		return true;
	}
	decrement(p->data, v4);
	(void)neighbour_output(p, &path, v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
	return true;
}

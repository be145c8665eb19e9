/*
 * IP in: is the packet whole, and ours; fragments are put together; then the transport protocol
 * takes it. Raw sockets hear everything first.
 *
 * A packet that was put together is copied into pages of its own: what fragments lie in would be
 * more pieces than a packet can have.
 */

#include "abi/errno.h"
#include "abi/if_packet.h"
#include "core/clock.h"
#include "core/random.h"
#include "core/spinlock.h"
#include "lib/string.h"
#include "net/checksum.h"
#include "net/inet/conf.h"
#include "net/inet/inet_priv.h"
#include "net/inet/stats.h"
#include "net/ip/frag.h"
#include "net/netif.h"
#include "net/parse.h"
#include "net/trace.h"
#include "pmm/page.h"
#include "pmm/slab.h"

enum {
	FRAG_BYTES_MAX = 4 << 20,
	TRANSPORT_LOOK = 60, /* bytes of a transport header that protocols look at */
	IPV6_NEXT_AT = 6,
};

static struct ip_protocol *protocols; /* immutable after boot */
static struct frag_table frags;
static struct spinlock frags_lock = SPINLOCK(FRAGS);

/* A packet being put together. */
struct reassembly {
	struct frag_queue q; /* first */
	struct list pkts;    /* pieces; their offset in pkt->transport's place: cb */
	struct ip_info info; /* of the first one */
};

struct piece { /* in cb of a waiting fragment */
	uint32_t offset;
};

void ip_protocol_register(struct ip_protocol *p)
{
	p->next = protocols;
	protocols = p;
}

const struct ip_protocol *ip_protocol_find(uint8_t proto)
{
	const struct ip_protocol *p = protocols;

	while (p && p->proto != proto)
		p = p->next;
	return p;
}

static void deliver(struct pkt *p)
{
	const struct ip_protocol *proto = ip_protocol_find(ip_info(p)->proto);
	bool heard = raw_input(p);

	if (LIKELY(proto)) {
		net_count_ip(!addr_is4(&ip_info(p)->dst), InDelivers);
		proto->input(p);
		return;
	}
	if (heard) {
		net_count_ip(!addr_is4(&ip_info(p)->dst), InDelivers);
		pkt_free(p);
		return;
	}
	net_count_ip(!addr_is4(&ip_info(p)->dst), InUnknownProtos);
	ip_send_unreachable(p, IP_UNREACH_PROTO);
	pkt_drop(p, NET_DROP_no_transport);
}

/* --- fragments --- */

static void free_reassembly(struct reassembly *r)
{
	pkt_free_list(&r->pkts);
	kfree(r);
}

static void drop_overdue_locked(nsec_t now, struct list *dead)
{
	struct frag_queue *q;

	while ((q = frag_overdue(&frags, now))) {
		struct reassembly *r = (struct reassembly *)q;

		frag_remove(&frags, q);
		net_count_ip(!addr_is4(&r->info.dst), ReasmTimeout);
		net_count_ip(!addr_is4(&r->info.dst), ReasmFails);
		list_splice_tail(dead, &r->pkts);
		kfree(r);
	}
}

static void place(struct pkt *piece, uint8_t **page_at, uint32_t total)
{
	uint32_t at = ((struct piece *)(uintptr_t)piece->cb)->offset, from = 0, run;

	while (from < piece->len && at < total) {
		run = MIN(piece->len - from, (uint32_t)PAGE_SIZE - at % (uint32_t)PAGE_SIZE);
		run = MIN(run, total - at);
		pkt_copy(piece, from, page_at[at / PAGE_SIZE] + at % PAGE_SIZE, run);
		from += run;
		at += run;
	}
}

/* The network header of the first piece goes before p, as that of a packet which never was cut. */
static void take_header(struct pkt *p, const struct pkt *first)
{
	uint32_t len = first->transport - first->network;
	uint8_t *h;

	p->dev = first->dev;
	p->protocol = first->protocol;
	p->type = first->type;
	if (!pkt_need(p, MIN(p->len, (uint32_t)TRANSPORT_LOOK)) || len > pkt_headroom(p))
		return;
	h = pkt_push(p, len);
	memcpy(h, pkt_network(first), len);
	pkt_set_network(p);
	if (h[0] >> 4 == 4) {
		be16_put(h + 2, (uint16_t)p->len);
		be16_put(h + 6, 0);
		csum_put(h + 10, 0);
		csum_put(h + 10, csum_finish(csum_add(0, h, len)));
	} else {
		be16_put(h + 4, (uint16_t)(p->len - IPV6_HEADER));
	}
	pkt_pull(p, len);
}

/* All pieces in one new packet, at its transport header. NULL: no memory. */
static struct pkt *join(struct reassembly *r)
{
	uint8_t *page_at[PKT_FRAGS];
	uint32_t total = r->q.total;
	struct pkt *p = pkt_alloc(), *piece, *first = NULL;

	if (!p)
		return NULL;
	for (uint32_t at = 0; at < total; at += PAGE_SIZE) {
		struct page *page = page_alloc(0, PAGE_KERNEL, 0);

		if (!page || !pkt_add_frag(p, page, 0, MIN((uint32_t)PAGE_SIZE, total - at))) {
			if (page)
				page_put(page);
			pkt_free(p);
			return NULL;
		}
		page_at[at / PAGE_SIZE] = page_va(page);
	}
	list_for_each (piece, &r->pkts, node) {
		place(piece, page_at, total);
		if (((struct piece *)(uintptr_t)piece->cb)->offset == 0)
			first = piece;
	}
	*ip_info(p) = r->info;
	take_header(p, first);
	return p;
}

static struct reassembly *find_or_make_locked(const struct frag_key *key, bool v6,
					      const struct ip_info *info, nsec_t now)
{
	struct reassembly *r = (struct reassembly *)frag_find(&frags, key);

	if (r || !(r = kzalloc(sizeof(*r))))
		return r;
	list_init(&r->pkts);
	r->info = *info;
	frag_insert(&frags, &r->q, key, v6, now);
	return r;
}

/* A fragment, at its payload. Consumes p; the whole packet when this was the last one missing. */
static struct pkt *add_fragment(struct pkt *p, const struct frag_key *key, bool v6, uint32_t offset,
				bool more)
{
	struct list dead = LIST_INIT(dead);
	nsec_t now = clock_mono();
	struct ip_info info = *ip_info(p);
	struct reassembly *r, *over = NULL;
	struct pkt *whole = NULL;

	spin_lock(&frags_lock);
	drop_overdue_locked(now, &dead);
	net_count_ip(v6, ReasmReqds);
	if (!(r = find_or_make_locked(key, v6, &info, now))) {
		spin_unlock(&frags_lock);
		net_count_ip(v6, ReasmFails);
		pkt_drop(p, NET_DROP_fragment_memory);
		return NULL;
	}
	switch (frag_add(&frags, &r->q, offset, p->len, more, info.tos & 3,
			 (uint32_t)(sizeof(*p) + PAGE_SIZE))) {
	case FRAG_STORE:
		((struct piece *)(uintptr_t)p->cb)->offset = offset;
		list_add_tail(&r->pkts, &p->node);
		break;
	case FRAG_COMPLETE:
		((struct piece *)(uintptr_t)p->cb)->offset = offset;
		list_add_tail(&r->pkts, &p->node);
		frag_remove(&frags, &r->q);
		over = r;
		whole = join(r);
		net_count_add(v6 ? STAT_Ip6_ReasmOKs : STAT_Ip_ReasmOKs, whole != NULL);
		break;
	case FRAG_DROP_ALL:
		frag_remove(&frags, &r->q);
		over = r;
		FALLTHROUGH;
	default:
		net_count_ip(v6, ReasmFails);
		list_add_tail(&dead, &p->node);
	}
	spin_unlock(&frags_lock);
	if (over)
		free_reassembly(over);
	pkt_free_list(&dead);
	return whole;
}

/* --- IPv4 --- */

static bool is_for_us(struct ip_info *i, const struct netdev *d)
{
	/* What comes in through lo for the usual addresses need not be looked up. */
	if (LIKELY(d == loopback_device) &&
	    (addr_is4(&i->dst) ? addr_to4(&i->dst) == 0x7f000001 : ipv6_is_loopback(&i->dst))) {
		i->to = ROUTE_LOCAL;
		return true;
	}
	i->to = (uint8_t)ip_address_type(&i->dst, d);
	return i->to == ROUTE_LOCAL || i->to == ROUTE_BROADCAST || i->to == ROUTE_MULTICAST;
}

/* The transport header next; linear as far as protocols look. */
static void to_transport(struct pkt *p)
{
	/* TCP looks for itself: its payload stays in its pages. */
	if (ip_info(p)->proto != IPPROTO_TCP_)
		(void)!pkt_need(p, MIN(p->len, (uint32_t)TRANSPORT_LOOK));
	pkt_set_transport(p);
	deliver(p);
}

static const uint16_t ecn4[] = { STAT_IpExt_InNoECTPkts, STAT_IpExt_InECT1Pkts,
				 STAT_IpExt_InECT0Pkts, STAT_IpExt_InCEPkts };
static const uint16_t ecn6[] = { STAT_Ip6_InNoECTPkts, STAT_Ip6_InECT1Pkts, STAT_Ip6_InECT0Pkts,
				 STAT_Ip6_InCEPkts };

/* One to a group, or to all. p at its network header. */
static void count_group(const struct pkt *p, const struct ip_info *i)
{
	bool v6 = !addr_is4(&i->dst);

	if (i->to == ROUTE_MULTICAST) {
		net_count_ip_add(v6, InMcastPkts, 1);
		net_count_ip_add(v6, InMcastOctets, p->len);
	} else if (!v6) {
		net_count(STAT_IpExt_InBcastPkts);
		net_count_add(STAT_IpExt_InBcastOctets, p->len);
	}
}

static bool may_come_in4(const struct pkt *p, const struct ip_info *i)
{
	/* One address in a frame to many, RFC 1122 3.3.6. */
	if (UNLIKELY(p->type != PACKET_HOST) && i->to == ROUTE_LOCAL &&
	    INET_CONF_MAX(p->dev, drop_l2_multicast4) > 0)
		return false;
	return source_is_valid(p);
}

static bool may_come_in6(const struct pkt *p, const struct ip_info *i)
{
	return !inet_conf_of(p->dev)->disable6 &&
	       (LIKELY(p->type == PACKET_HOST) || i->to != ROUTE_LOCAL ||
		INET_CONF_MAX(p->dev, drop_l2_multicast6) <= 0);
}

static void ipv4_input(struct pkt *p)
{
	struct ip_info *i = ip_info(p);
	struct ipv4_header h;
	struct frag_key key;

	net_count(STAT_Ip_InReceives);
	net_count_add(STAT_IpExt_InOctets, p->len);
	if (!pkt_need(p, IPV4_HEADER) || !pkt_need(p, (p->data[0] & 15u) * 4) ||
	    ipv4_parse(p->data, p->len, &h)) {
		net_count(STAT_Ip_InHdrErrors);
		pkt_drop(p, NET_DROP_ip_header);
		return;
	}
	net_count(ecn4[h.tos & 3]);
	*i = (struct ip_info){ .src = addr_from4(h.src),
			       .dst = addr_from4(h.dst),
			       .proto = h.proto,
			       .ttl = h.ttl,
			       .tos = h.tos };
	if (!is_for_us(i, p->dev)) {
		pkt_trim(p, h.total);
		pkt_set_network(p);
		if (ip_forward(p, h.len))
			return;
		net_count(STAT_Ip_InAddrErrors);
		pkt_drop(p, NET_DROP_ip_not_ours);
		return;
	}
	if (p->dev != loopback_device && !may_come_in4(p, i)) {
		net_count(STAT_Ip_InAddrErrors);
		pkt_drop(p, NET_DROP_ip_source);
		return;
	}
	if (UNLIKELY(i->to != ROUTE_LOCAL))
		count_group(p, i);
	pkt_trim(p, h.total);
	pkt_set_network(p);
	pkt_pull(p, h.len);
	if (UNLIKELY(h.more || h.frag)) {
		pkt_set_transport(p);
		memset(&key, 0, sizeof(key));
		key.src = i->src;
		key.dst = i->dst;
		key.id = h.id;
		key.proto = h.proto;
		if (!(p = add_fragment(p, &key, false, h.frag, h.more)))
			return;
	}
	to_transport(p);
}

/* --- IPv6 --- */

/* A link-local address means something on its own link only: what this machine sends to itself has
 * come in there, whatever carried it. RFC 4007 4. */
static void in_on_its_link(struct pkt *p, const struct ipv6_addr *dst)
{
	struct netdev *d = p->dev == loopback_device ? ip_device_of(dst) : NULL;

	if (d)
		p->dev = d;
}

static void ipv6_input(struct pkt *p)
{
	struct ip_info *i = ip_info(p);
	struct ipv6_problem problem;
	struct ipv6_header h;
	struct frag_key key;

	net_count(STAT_Ip6_InReceives);
	net_count_add(STAT_Ip6_InOctets, p->len);
	if (!pkt_need(p, IPV6_HEADER) ||
	    (p->data[IPV6_NEXT_AT] != IPPROTO_TCP_ &&
	     !pkt_need(p, MIN(p->len, (uint32_t)PKT_ROOM - PKT_LINK_ROOM))) ||
	    ipv6_parse(p->data, p->len, &h, &problem)) {
		net_count(STAT_Ip6_InHdrErrors);
		pkt_drop(p, NET_DROP_ip_header);
		return;
	}
	net_count(ecn6[h.tclass & 3]);
	*i = (struct ip_info){
		.src = h.src, .dst = h.dst, .proto = h.proto, .ttl = h.hops, .tos = h.tclass
	};
	if (p->dev != loopback_device && !may_come_in6(p, i)) {
		net_count(STAT_Ip6_InDiscards);
		pkt_drop(p, NET_DROP_ip_source);
		return;
	}
	if (!is_for_us(i, p->dev) || addr_is4(&h.src) || addr_is4(&h.dst) || h.len > p->linear) {
		pkt_trim(p, h.total);
		pkt_set_network(p);
		if (!addr_is4(&h.src) && !addr_is4(&h.dst) && h.len <= p->linear &&
		    i->to == ROUTE_UNICAST && ip_forward(p, h.len))
			return;
		net_count(STAT_Ip6_InAddrErrors);
		pkt_drop(p, NET_DROP_ip_not_ours);
		return;
	}
	if (UNLIKELY(i->to != ROUTE_LOCAL))
		count_group(p, i);
	else if (UNLIKELY(ipv6_is_link_local(&h.dst)))
		in_on_its_link(p, &h.dst);
	if (UNLIKELY(h.proto == IPPROTO_FRAGMENT_))
		i->proto = p->data[h.len - IPV6_FRAG_HEADER];
	pkt_trim(p, h.total);
	pkt_set_network(p);
	pkt_pull(p, h.len);
	if (UNLIKELY(h.has_frag && (h.frag || h.more))) {
		pkt_set_transport(p);
		memset(&key, 0, sizeof(key));
		key.src = h.src;
		key.dst = h.dst;
		key.id = h.frag_id;
		key.ifindex = ipv6_is_link_local(&h.src) ? (uint32_t)p->dev->index : 0;
		if (!(p = add_fragment(p, &key, true, h.frag, h.more)))
			return;
	}
	to_transport(p);
}

void ip_input_init(void)
{
	static struct net_protocol v4 = { .type = ETH_TYPE_IPV4, .input = ipv4_input };
	static struct net_protocol v6 = { .type = ETH_TYPE_IPV6, .input = ipv6_input };
	struct siphash_key key;

	random_bytes(&key, sizeof(key));
	frag_table_init(&frags, &key, FRAG_BYTES_MAX);
	net_protocol_register(&v6);
	net_protocol_register(&v4);
}

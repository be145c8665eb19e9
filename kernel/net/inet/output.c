/*
 * IP out: the network header, fragments, and the way to the neighbour. Multicast that our own
 * sockets are to hear goes through `lo` as well.
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "core/random.h"
#include "lib/string.h"
#include "net/checksum.h"
#include "net/inet/inet_priv.h"
#include "net/inet/stats.h"
#include "net/ip/frag.h"
#include "net/netif.h"
#include "net/parse.h"
#include "pmm/page.h"

/* --- checksums --- */

struct sum {
	uint32_t sum;
	uint32_t at;
};

static void sum_run(void *ctx, const uint8_t *bytes, uint32_t n)
{
	struct sum *s = ctx;

	s->sum = csum_add_part(s->sum, csum_add(0, bytes, n), s->at);
	s->at += n;
}

static uint32_t pseudo(const struct ipv6_addr *src, const struct ipv6_addr *dst, uint8_t proto,
		       uint32_t len)
{
	return addr_is4(src) ? csum_pseudo4(addr_to4(src), addr_to4(dst), proto, len)
			     : csum_pseudo6(src, dst, proto, len);
}

uint32_t ip_sum(const struct pkt *p, uint32_t sum)
{
	struct sum s = { sum, 0 };

	pkt_for_each(p, 0, p->len, sum_run, &s);
	return s.sum;
}

/* 0 in a UDP header means that there is none (RFC 768), and in one of UDP-Lite nothing. */
static uint16_t finish_for(uint8_t proto, uint32_t sum)
{
	uint16_t c = csum_finish(sum);

	return c == 0 && (proto == IPPROTO_UDP_ || proto == IPPROTO_UDPLITE) ? 0xffff : c;
}

void ip_set_checksum(struct pkt *p, const struct ip_send *s, uint16_t offset)
{
	uint32_t ps = pseudo(&s->src, &s->dst, s->proto, p->len);

	csum_put(p->data + offset, 0);
	if (s->path->dev->features & NETDEV_CSUM) {
		p->csum = PKT_CSUM_PARTIAL;
		p->csum_start = (uint16_t)pkt_headroom(p);
		p->csum_offset = offset;
		csum_put(p->data + offset, (uint16_t)~csum_finish(ps));
		return;
	}
	csum_put(p->data + offset, finish_for(s->proto, ip_sum(p, ps)));
}

/* The sum of the first n bytes of p and a pseudo header, which is of the whole. */
static uint32_t sum_of_part(const struct pkt *p, uint32_t n, uint32_t ps)
{
	struct sum s = { ps, 0 };

	pkt_for_each(p, 0, n, sum_run, &s);
	return s.sum;
}

void ip_set_checksum_part(struct pkt *p, const struct ip_send *s, uint16_t offset, uint32_t n)
{
	uint32_t ps = pseudo(&s->src, &s->dst, s->proto, p->len);

	csum_put(p->data + offset, 0);
	csum_put(p->data + offset, finish_for(s->proto, sum_of_part(p, n, ps)));
}

bool ip_checksum_part_ok(const struct pkt *p, uint32_t n)
{
	const struct ip_info *i = ip_info(p);
	uint32_t ps = pseudo(&i->src, &i->dst, i->proto, p->len);

	return csum_finish(sum_of_part(p, n, ps)) == 0;
}

bool ip_checksum_ok(const struct pkt *p)
{
	const struct ip_info *i = ip_info(p);

	if (p->csum != PKT_CSUM_NONE)
		return true;
	return csum_finish(ip_sum(p, pseudo(&i->src, &i->dst, i->proto, p->len))) == 0;
}

/* --- headers --- */

static void push_header(struct pkt *p, const struct ip_send *s, uint16_t id, uint16_t frag,
			bool more)
{
	bool v4 = addr_is4(&s->dst);
	uint32_t len = p->len;

	if (v4) {
		struct ipv4_header h = {
			.src = addr_to4(&s->src),
			.dst = addr_to4(&s->dst),
			.total = (uint16_t)(len + IPV4_HEADER),
			.id = id,
			.frag = frag,
			.more = more,
			.dont = s->dont_fragment && !frag && !more,
			.tos = s->tos,
			.ttl = s->ttl,
			.proto = s->proto,
		};

		ipv4_build(pkt_push(p, IPV4_HEADER), &h);
	} else {
		struct ipv6_header h = {
			.src = s->src,
			.dst = s->dst,
			.total = len + IPV6_HEADER,
			.tclass = s->tos,
			.hops = s->ttl,
			.proto = frag || more ? IPPROTO_FRAGMENT_ : s->proto,
		};

		ipv6_build(pkt_push(p, IPV6_HEADER), &h);
	}
	pkt_set_network(p);
}

static int transmit(struct pkt *p, const struct ip_send *s)
{
	return neighbour_output(p, s->path, addr_is4(&s->dst) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
}

/* --- fragments --- */

struct pkt *ip_piece(const struct pkt *p, uint32_t offset, uint32_t len)
{
	struct pkt *n = pkt_alloc();
	uint32_t linear, at = p->linear;

	if (!n)
		return NULL;
	n->mark = p->mark;
	n->priority = p->priority;
	if (offset < p->linear) {
		linear = MIN(len, p->linear - offset);
		if (linear > PKT_ROOM / 2) { /* it lies in a page: share that */
			page_get(p->head);
			if (!pkt_add_frag(n, p->head, (uint32_t)(p->data - pkt_base(p)) + offset,
					  linear))
				goto fail;
		} else {
			memcpy(pkt_push(n, linear), p->data + offset, linear);
		}
		offset += linear;
		len -= linear;
	}
	for (unsigned i = 0; len && i < p->nfrags; at += p->frag[i++].bytes) {
		const struct pkt_frag *f = &p->frag[i];
		uint32_t skip = offset - at, run;

		if (offset >= at + f->bytes)
			continue;
		run = MIN(len, f->bytes - skip);
		page_get(f->page);
		if (!pkt_add_frag(n, f->page, f->offset + skip, run))
			goto fail;
		offset += run;
		len -= run;
	}
	return n;
fail:
	pkt_free(n);
	return NULL;
}

static int send_fragments(struct pkt *p, const struct ip_send *s, uint32_t header)
{
	bool v4 = addr_is4(&s->dst), more;
	uint32_t id = (uint32_t)random_u64(), offset, len;
	struct frag_cut cut;
	struct pkt *n;
	int err = frag_cut_init(&cut, p->len, header, s->mtu ? s->mtu : s->path->mtu);

	while (!err && frag_cut_next(&cut, &offset, &len, &more)) {
		if (!(n = ip_piece(p, offset, len))) {
			err = -ENOBUFS;
			break;
		}
		if (!v4)
			ipv6_frag_build(pkt_push(n, IPV6_FRAG_HEADER), s->proto, (uint16_t)offset,
					more, id);
		push_header(n, s, (uint16_t)id, (uint16_t)offset, more);
		net_count_ip(!v4, FragCreates);
		err = transmit(n, s);
	}
	net_count_add(err  ? v4 ? STAT_Ip_FragFails : STAT_Ip6_FragFails
		      : v4 ? STAT_Ip_FragOKs
			   : STAT_Ip6_FragOKs,
		      1);
	pkt_free(p);
	return err;
}

/* A device cannot complete the checksum of a packet that is cut. */
static void complete_checksum(struct pkt *p, uint8_t proto)
{
	if (p->csum != PKT_CSUM_PARTIAL)
		return;
	csum_put(pkt_base(p) + p->csum_start + p->csum_offset, finish_for(proto, ip_sum(p, 0)));
	p->csum = PKT_CSUM_NONE;
}

/* Our own sockets hear what we send to groups and to all, as if it came in by the same device:
 * the way is lo's, behind our own link address. */
static void loop_back(const struct pkt *p, const struct ip_send *s)
{
	struct netdev *d = s->path->dev;
	struct pkt *c = pkt_clone(p);
	uint8_t *h;

	if (!c || pkt_headroom(c) < ETH_HEADER) {
		pkt_free(c);
		return;
	}
	c->csum = PKT_CSUM_VERIFIED;
	c->dev = d;
	c->protocol = addr_is4(&s->dst) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6;
	h = pkt_push(c, ETH_HEADER);
	memcpy(h, d->addr, ETH_ALEN);
	memcpy(h + ETH_ALEN, d->addr, ETH_ALEN);
	be16_put(h + 2 * ETH_ALEN, c->protocol);
	(void)loopback_device->ops->send(loopback_device, c);
}

static void count_group(const struct pkt *p, const struct ip_send *s, uint32_t header)
{
	bool v6 = !addr_is4(&s->dst);

	if (s->path->type == ROUTE_MULTICAST) {
		net_count_ip_add(v6, OutMcastPkts, 1);
		net_count_ip_add(v6, OutMcastOctets, p->len + header);
	} else if (s->path->type == ROUTE_BROADCAST) {
		net_count(STAT_IpExt_OutBcastPkts);
		net_count_add(STAT_IpExt_OutBcastOctets, p->len + header);
	}
}

uint16_t ip_next_id(void)
{
	return (uint16_t)random_u64();
}

int ip_output(struct pkt *p, const struct ip_send *s)
{
	bool v4 = addr_is4(&s->dst);
	uint32_t header = v4 ? IPV4_HEADER : IPV6_HEADER, mtu = s->mtu ? s->mtu : s->path->mtu;

	net_count_ip(!v4, OutRequests);
	net_count_ip_add(!v4, OutOctets, p->len + header);
	if (UNLIKELY(s->path->type >= ROUTE_BROADCAST))
		count_group(p, s, header);
	if (p->len + header > IP_MAX_LEN && !(v4 == false && p->len <= IP_MAX_LEN)) {
		pkt_free(p);
		return -EMSGSIZE;
	}
	if (UNLIKELY(!p->gso && p->len + header > mtu)) {
		if (s->cut == IP_CUT_NEVER || (s->cut == IP_CUT_UNLESS_DF && s->dont_fragment)) {
			net_count_ip(!v4, FragFails);
			pkt_free(p);
			return -EMSGSIZE;
		}
		complete_checksum(p, s->proto);
		if (UNLIKELY(p->stamp != NULL))
			p->stamp(p);
		return send_fragments(p, s, v4 ? header : header + IPV6_FRAG_HEADER);
	}
	push_header(p, s, s->dont_fragment ? 0 : ip_next_id(), 0, false);
	if (UNLIKELY(s->path->type >= ROUTE_BROADCAST) && !s->no_loop &&
	    !(s->path->dev->features & NETDEV_LOOPBACK))
		loop_back(p, s);
	return transmit(p, s);
}

/*
 * UDP and UDP-Lite: datagrams in, ICMP errors about ours, options, and how a socket is made.
 * Finding the socket is udp_table.c's, sending udp_send.c's, queues and the rest dgram.c's.
 *
 * UDP-Lite is UDP whose header has, where the length was, how many bytes the checksum covers. It
 * has ports of its own.
 *
 * Source: RFC 768, RFC 3828, udp(7), udplite(7).
 */

#include "net/inet/udp.h"

#include "abi/errno.h"
#include "abi/in.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "net/filter.h"
#include "net/inet/inet_priv.h"
#include "net/inet/mcast.h"
#include "net/inet/show.h"
#include "net/inet/stats.h"
#include "net/netif.h"
#include "net/parse.h"
#include "net/trace.h"
#include "pmm/slab.h"
#include "vm/usercopy.h"

static struct slab_cache *cache;

/* --- input --- */

/* Queues p, which is at its UDP header; consumes it. */
static void enqueue(struct udp_sock *u, struct pkt *p)
{
	uint32_t keep = socket_filter(&u->d.i.s, p);
	uint8_t least = addr_is4(&ip_info(p)->dst) ? u->d.i.min_ttl : u->d.i.min_hops;

	if (UNLIKELY(keep == 0 || ip_info(p)->ttl < least)) {
		net_count_udp(u->is_lite, !addr_is4(&ip_info(p)->dst), InErrors);
		pkt_drop(p, NET_DROP_socket_filter);
		return;
	}
	if (UNLIKELY(keep < p->len))
		pkt_trim(p, MAX(keep, (uint32_t)UDP_HEADER));
	pkt_pull(p, UDP_HEADER);
	dgram_enqueue(&u->d, p);
}

/* To all that match: each gets a copy. */
static void deliver_to_all(const struct udp_table *t, struct pkt *p, uint16_t sport, uint16_t dport)
{
	bool v6 = !addr_is4(&ip_info(p)->dst);
	struct inet_sock *i;
	struct udp_sock *u;
	struct pkt *c;
	unsigned found = 0;

	for (i = inet_next(inet_bucket(&t->ports, dport)); i; i = inet_next(&i->bind_next)) {
		u = udp_of(&i->s);
		if (!udp_takes(u, ip_info(p), sport, dport, p->dev) ||
		    (ip_info(p)->to == ROUTE_MULTICAST &&
		     !inet_mcast_allows(i, ip_info(p), p->dev->index)) ||
		    !(c = pkt_clone(p)))
			continue;
		memcpy(c->cb, p->cb, sizeof(c->cb));
		enqueue(u, c);
		found++;
	}
	if (found) {
		pkt_free(p);
		return;
	}
	if (t == &udp_table)
		net_count(v6 ? STAT_Udp6_IgnoredMulti : STAT_Udp_IgnoredMulti);
	else if (!v6)
		net_count(STAT_UdpLite_IgnoredMulti);
	pkt_drop(p, NET_DROP_no_port);
}

static NOINLINE void drop_bad(struct pkt *p, bool lite, bool v6, enum net_drop why)
{
	net_count_udp(lite, v6, InErrors);
	if (why == NET_DROP_checksum)
		net_count_udp(lite, v6, InCsumErrors);
	pkt_drop(p, why);
}

static NOINLINE void refuse(struct pkt *p, bool lite, bool v6)
{
	net_count_udp(lite, v6, NoPorts);
	ip_send_unreachable(p, IP_UNREACH_PORT);
	pkt_drop(p, NET_DROP_no_port);
}

static void udp_input(struct pkt *p)
{
	bool v6 = !addr_is4(&ip_info(p)->dst);
	struct udp_header h;
	struct udp_sock *u;

	if (p->linear < UDP_HEADER || udp_parse(p->data, p->len, &h)) {
		drop_bad(p, false, v6, NET_DROP_udp_header);
		return;
	}
	pkt_trim(p, h.len);
	if (LIKELY(h.checksum) && !ip_checksum_ok(p)) {
		drop_bad(p, false, v6, NET_DROP_checksum);
		return;
	}
	dgram_cb(p)->port = h.sport;
	epoch_enter();
	if (UNLIKELY(ip_info(p)->to != ROUTE_LOCAL))
		deliver_to_all(&udp_table, p, h.sport, h.dport);
	else if (!(u = udp_lookup(&udp_table, ip_info(p), h.sport, h.dport, p->dev)))
		refuse(p, false, v6);
	else if (UNLIKELY(!h.checksum && v6 && !u->no_check6_rx))
		drop_bad(p, false, v6, NET_DROP_checksum); /* RFC 8200 8.1 */
	else
		enqueue(u, p);
	epoch_exit();
}

/* Whether a socket takes a datagram of which only `cover` bytes were checked. */
static bool takes_partial(const struct udp_sock *u, uint32_t cover, uint32_t len)
{
	return cover == len || !u->recv_cover_set || (u->recv_cover && cover >= u->recv_cover);
}

/* RFC 3828 3.1, 3.2: everybody has a checksum, of the header at least. */
static void udplite_input(struct pkt *p)
{
	bool v6 = !addr_is4(&ip_info(p)->dst);
	struct udp_sock *u;
	uint16_t sport, dport;
	uint32_t cover;

	if (p->linear < UDP_HEADER) {
		drop_bad(p, true, v6, NET_DROP_udp_header);
		return;
	}
	sport = be16_get(p->data);
	dport = be16_get(p->data + 2);
	cover = be16_get(p->data + 4) ? be16_get(p->data + 4) : p->len;
	if (cover < UDP_HEADER || cover > p->len || !be16_get(p->data + 6)) {
		drop_bad(p, true, v6, NET_DROP_udp_header);
		return;
	}
	if (!ip_checksum_part_ok(p, cover)) {
		drop_bad(p, true, v6, NET_DROP_checksum);
		return;
	}
	dgram_cb(p)->port = sport;
	epoch_enter();
	if (ip_info(p)->to != ROUTE_LOCAL)
		deliver_to_all(&udplite_table, p, sport, dport);
	else if (!(u = udp_lookup(&udplite_table, ip_info(p), sport, dport, p->dev)))
		refuse(p, true, v6);
	else if (!takes_partial(u, cover, p->len))
		drop_bad(p, true, v6, NET_DROP_socket_filter);
	else
		enqueue(u, p);
	epoch_exit();
}

static void icmp(const struct udp_table *t, const struct ip_info *sent, const struct pkt *back,
		 const struct ip_error *e)
{
	struct ip_info to = { .src = sent->dst, .dst = sent->src };
	uint16_t sport = be16_get(back->data), dport = be16_get(back->data + 2);
	struct udp_sock *u;
	struct pkt *data;

	epoch_enter();
	if ((u = udp_lookup(t, &to, dport, sport, e->dev))) {
		if ((data = pkt_clone(back)))
			pkt_pull(data, UDP_HEADER);
		dgram_icmp_error(&u->d, sent, dport, e, data);
	}
	epoch_exit();
}

static void udp_icmp(const struct ip_info *sent, const struct pkt *back, const struct ip_error *e)
{
	icmp(&udp_table, sent, back, e);
}

static void udplite_icmp(const struct ip_info *sent, const struct pkt *back,
			 const struct ip_error *e)
{
	icmp(&udplite_table, sent, back, e);
}

/* --- names --- */

static void place_locked(struct dgram_sock *d)
{
	udp_place_locked(container_of(d, struct udp_sock, d));
}

static void place(struct udp_sock *u)
{
	spin_lock(&u->d.i.table->lock);
	udp_place_locked(u);
	spin_unlock(&u->d.i.table->lock);
}

static int autobind(struct dgram_sock *d)
{
	int err = inet_autobind(&d->i, NULL, NULL);

	if (!err)
		place(container_of(d, struct udp_sock, d));
	return err;
}

static int udp_bind(struct socket *s, const void *addr, uint32_t len)
{
	int err = inet_bind(inet_of(s), addr, len);

	if (!err)
		place(udp_of(s));
	return err;
}

static void udp_release(struct socket *s)
{
	struct udp_sock *u = udp_of(s);

	inet_release_port(&u->d.i);
	place(u);
	pkt_free(u->pending);
	u->pending = NULL;
	dgram_release(s);
}

/* --- options --- */

static int set_cork(struct udp_sock *u, bool on)
{
	u->cork = on;
	return on ? 0 : udp_push_pending(u);
}

/* 0: all; less than the header and more than there can be are mended. */
static uint16_t coverage(int v)
{
	return (uint16_t)(v == 0 ? 0 : v < UDP_HEADER ? UDP_HEADER : MIN(v, (int)UINT16_MAX));
}

static int set_coverage(struct udp_sock *u, int name, int v)
{
	if (!u->is_lite)
		return -ENOPROTOOPT;
	if (name == UDPLITE_SEND_CSCOV) {
		u->send_cover = coverage(v);
		u->send_cover_set = true;
	} else {
		u->recv_cover = coverage(v);
		u->recv_cover_set = true;
	}
	return 0;
}

static int set_udp(struct udp_sock *u, int name, int v)
{
	switch (name) {
	case UDPLITE_SEND_CSCOV:
	case UDPLITE_RECV_CSCOV:
		return set_coverage(u, name, v);
	case UDP_CORK:
		return set_cork(u, v);
	case UDP_NO_CHECK6_TX:
		u->no_check6_tx = v;
		return 0;
	case UDP_NO_CHECK6_RX:
		u->no_check6_rx = v;
		return 0;
	case UDP_SEGMENT:
		if (v < 0 || v > 0xffff)
			return -EINVAL;
		u->gso = (uint16_t)v;
		return 0;
	case UDP_GRO:
		u->gro = v;
		return 0;
	}
	return -ENOPROTOOPT;
}

static int udp_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len)
{
	uint32_t v;

	if (level != SOL_UDP && level != SOL_UDPLITE)
		return inet_setsockopt(inet_of(s), level, name, val, len);
	if (len < sizeof(v))
		return -EINVAL;
	if (get_user_u32(&v, val))
		return -EFAULT;
	return set_udp(udp_of(s), name, (int)v);
}

static int get_udp(const struct udp_sock *u, int name, int *v)
{
	switch (name) {
	case UDPLITE_SEND_CSCOV:
		*v = u->send_cover;
		return 0;
	case UDPLITE_RECV_CSCOV:
		*v = u->recv_cover;
		return 0;
	case UDP_CORK:
		*v = u->cork;
		return 0;
	case UDP_NO_CHECK6_TX:
		*v = u->no_check6_tx;
		return 0;
	case UDP_NO_CHECK6_RX:
		*v = u->no_check6_rx;
		return 0;
	case UDP_SEGMENT:
		*v = u->gso;
		return 0;
	case UDP_GRO:
		*v = u->gro;
		return 0;
	}
	return -ENOPROTOOPT;
}

static int udp_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	int v, err;

	if (level != SOL_UDP && level != SOL_UDPLITE)
		return inet_getsockopt(inet_of(s), level, name, val, len);
	if ((err = get_udp(udp_of(s), name, &v)))
		return err;
	*len = MIN(*len, (uint32_t)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

static const struct dgram_ops udp_dgram_ops = {
	.names = &udp_table.ports.lock,
	.cache = &cache,
	.place_locked = place_locked,
	.autobind = autobind,
	.is_udp = true,
};

static const struct dgram_ops udplite_dgram_ops = {
	.names = &udplite_table.ports.lock,
	.cache = &cache,
	.place_locked = place_locked,
	.autobind = autobind,
	.is_udp = true,
	.is_lite = true,
};

static const struct socket_ops udp_ops = {
	.release = udp_release,
	.destroy = dgram_destroy,
	.bind = udp_bind,
	.connect = dgram_connect,
	.getname = inet_getname,
	.shutdown = dgram_shutdown,
	.send = udp_send,
	.recv = dgram_recv,
	.poll = dgram_poll,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.ioctl = dgram_ioctl,
	.meminfo = dgram_meminfo,
	.flags = SOCKET_PEEK_OFF,
};

int udp_create(int family, int protocol, struct socket **out)
{
	bool lite = protocol == IPPROTO_UDPLITE;
	struct udp_sock *u = slab_zalloc(cache);

	if (!u)
		return -ENOMEM;
	inet_sock_init(&u->d.i, &udp_ops, family, SOCK_DGRAM, lite ? IPPROTO_UDPLITE : IPPROTO_UDP,
		       lite ? &udplite_table.ports : &udp_table.ports);
	dgram_init(&u->d, lite ? &udplite_dgram_ops : &udp_dgram_ops);
	u->is_lite = lite;
	mutex_init(&u->sending, RANK_SOCKET);
	*out = &u->d.i.s;
	return 0;
}

static bool next_of(const struct udp_table *t, uint64_t *key, struct inet_shown *out)
{
	struct inet_sock *i;
	uint32_t slot;

	epoch_enter();
	if ((i = inet_table_next(&t->ports, key, &slot)) != NULL) {
		dgram_show(dgram_of(&i->s), out);
		out->slot = slot;
	}
	epoch_exit();
	return i != NULL;
}

static bool udp_next(uint64_t *key, struct inet_shown *out, struct abi_tcp_info *info)
{
	(void)info;
	return next_of(&udp_table, key, out);
}

static bool udplite_next(uint64_t *key, struct inet_shown *out, struct abi_tcp_info *info)
{
	(void)info;
	return next_of(&udplite_table, key, out);
}

void udp_init(void)
{
	static struct inet_shower show = { .protocol = IPPROTO_UDP, .next = udp_next };
	static struct inet_shower show_lite = { .protocol = IPPROTO_UDPLITE, .next = udplite_next };
	static struct ip_protocol lite = { .proto = IPPROTO_UDPLITE,
					   .input = udplite_input,
					   .icmp = udplite_icmp };
	static struct ip_protocol udp = { .proto = IPPROTO_UDP_,
					  .input = udp_input,
					  .icmp = udp_icmp };

	cache = slab_cache_create("udp", sizeof(struct udp_sock), 64, NULL);
	udp_table_init(&udp_table);
	udp_table_init(&udplite_table);
	ip_protocol_register(&udp);
	ip_protocol_register(&lite);
	inet_show_register(&show_lite);
	inet_show_register(&show);
}

/*
 * UDP: datagrams in, ICMP errors about ours, options, and how a socket is made. Finding the socket
 * is udp_table.c's, sending udp_send.c's, queues and the rest dgram.c's.
 *
 * Source: RFC 768, udp(7).
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

struct inet_table udp_ports;
static struct slab_cache *cache;

/* --- input --- */

/* Queues p, which is at its UDP header; consumes it. */
static void enqueue(struct udp_sock *u, struct pkt *p)
{
	uint32_t keep = socket_filter(&u->d.i.s, p);
	uint8_t least = addr_is4(&ip_info(p)->dst) ? u->d.i.min_ttl : u->d.i.min_hops;

	if (UNLIKELY(keep == 0 || ip_info(p)->ttl < least)) {
		net_count_udp(!addr_is4(&ip_info(p)->dst), InErrors);
		pkt_drop(p, NET_DROP_socket_filter);
		return;
	}
	if (UNLIKELY(keep < p->len))
		pkt_trim(p, MAX(keep, (uint32_t)UDP_HEADER));
	pkt_pull(p, UDP_HEADER);
	dgram_enqueue(&u->d, p);
}

/* To all that match: each gets a copy. */
static void deliver_to_all(struct pkt *p, uint16_t sport, uint16_t dport)
{
	bool v6 = !addr_is4(&ip_info(p)->dst);
	struct inet_sock *i;
	struct udp_sock *u;
	struct pkt *c;
	unsigned found = 0;

	for (i = inet_next(inet_bucket(&udp_ports, dport)); i; i = inet_next(&i->bind_next)) {
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
	net_count_udp(v6, IgnoredMulti);
	pkt_drop(p, NET_DROP_no_port);
}

static NOINLINE void drop_bad(struct pkt *p, bool v6, enum net_drop why)
{
	net_count_udp(v6, InErrors);
	if (why == NET_DROP_checksum)
		net_count_udp(v6, InCsumErrors);
	pkt_drop(p, why);
}

static NOINLINE void refuse(struct pkt *p, bool v6)
{
	net_count_udp(v6, NoPorts);
	ip_send_unreachable(p, IP_UNREACH_PORT);
	pkt_drop(p, NET_DROP_no_port);
}

static void udp_input(struct pkt *p)
{
	bool v6 = !addr_is4(&ip_info(p)->dst);
	struct udp_header h;
	struct udp_sock *u;

	if (p->linear < UDP_HEADER || udp_parse(p->data, p->len, &h)) {
		drop_bad(p, v6, NET_DROP_udp_header);
		return;
	}
	pkt_trim(p, h.len);
	if (LIKELY(h.checksum) && !ip_checksum_ok(p)) {
		drop_bad(p, v6, NET_DROP_checksum);
		return;
	}
	dgram_cb(p)->port = h.sport;
	epoch_enter();
	if (UNLIKELY(ip_info(p)->to != ROUTE_LOCAL))
		deliver_to_all(p, h.sport, h.dport);
	else if (!(u = udp_lookup(ip_info(p), h.sport, h.dport, p->dev)))
		refuse(p, v6);
	else if (UNLIKELY(!h.checksum && v6 && !u->no_check6_rx))
		drop_bad(p, v6, NET_DROP_checksum); /* RFC 8200 8.1 */
	else
		enqueue(u, p);
	epoch_exit();
}

static void udp_icmp(const struct ip_info *sent, const struct pkt *back, const struct ip_error *e)
{
	struct ip_info to = { .src = sent->dst, .dst = sent->src };
	uint16_t sport = be16_get(back->data), dport = be16_get(back->data + 2);
	struct udp_sock *u;
	struct pkt *data;

	epoch_enter();
	if ((u = udp_lookup(&to, dport, sport, e->dev))) {
		if ((data = pkt_clone(back)))
			pkt_pull(data, UDP_HEADER);
		dgram_icmp_error(&u->d, sent, dport, e, data);
	}
	epoch_exit();
}

/* --- names --- */

static void place_locked(struct dgram_sock *d)
{
	udp_place_locked(container_of(d, struct udp_sock, d));
}

static void place(struct udp_sock *u)
{
	spin_lock(&udp_ports.lock);
	udp_place_locked(u);
	spin_unlock(&udp_ports.lock);
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

static int set_udp(struct udp_sock *u, int name, int v)
{
	switch (name) {
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

	if (level != SOL_UDP)
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

	if (level != SOL_UDP)
		return inet_getsockopt(inet_of(s), level, name, val, len);
	if ((err = get_udp(udp_of(s), name, &v)))
		return err;
	*len = MIN(*len, (uint32_t)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

static const struct dgram_ops udp_dgram_ops = {
	.names = &udp_ports.lock,
	.cache = &cache,
	.place_locked = place_locked,
	.autobind = autobind,
	.is_udp = true,
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
	.flags = SOCKET_TIMESTAMPS | SOCKET_FILTERS | SOCKET_PEEK_OFF,
};

int udp_create(int family, struct socket **out)
{
	struct udp_sock *u = slab_zalloc(cache);

	if (!u)
		return -ENOMEM;
	inet_sock_init(&u->d.i, &udp_ops, family, SOCK_DGRAM, IPPROTO_UDP, &udp_ports);
	dgram_init(&u->d, &udp_dgram_ops);
	mutex_init(&u->sending, RANK_SOCKET);
	*out = &u->d.i.s;
	return 0;
}

static bool udp_next(uint64_t *key, struct inet_shown *out, struct abi_tcp_info *info)
{
	struct inet_sock *i;
	uint32_t slot;

	(void)info;
	epoch_enter();
	if ((i = inet_table_next(&udp_ports, key, &slot)) != NULL) {
		dgram_show(dgram_of(&i->s), out);
		out->slot = slot;
	}
	epoch_exit();
	return i != NULL;
}

void udp_init(void)
{
	static struct inet_shower show = { .protocol = IPPROTO_UDP, .next = udp_next };
	static struct ip_protocol udp = { .proto = IPPROTO_UDP_,
					  .input = udp_input,
					  .icmp = udp_icmp };

	cache = slab_cache_create("udp", sizeof(struct udp_sock), 64, NULL);
	inet_table_init(&udp_ports, false);
	udp_table_init();
	ip_protocol_register(&udp);
	inet_show_register(&show);
}

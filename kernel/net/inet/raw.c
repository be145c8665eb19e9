/*
 * Raw sockets: packets of one protocol as they are. An IPv4 socket sees the network header, an
 * IPv6 socket what follows it; both see packets that somebody else takes as well. They stand in
 * lists by protocol, read under an epoch.
 *
 * Source: raw(7), ipv6(7), icmp(7), RFC 3542 3.
 */

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/in.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "net/checksum.h"
#include "net/filter.h"
#include "net/inet/dgram.h"
#include "net/inet/inet_priv.h"
#include "net/inet/mcast.h"
#include "net/inet/show.h"
#include "net/netif.h"
#include "net/parse.h"
#include "net/trace.h"
#include "pmm/slab.h"
#include "vfs/cred.h"
#include "vm/uio.h"
#include "vm/usercopy.h"

enum { ICMP_FILTER = 1, ICMP6_FILTER = 1, CHECKSUM_NONE = -1, ICMPV6_CHECKSUM = 2 };

struct raw_sock {
	struct dgram_sock d;         /* first */
	struct raw_sock *next, **at; /* names; read under an epoch */
	bool hdrincl;                /* the user writes the network header */
	int checksum;                /* IPv6: where it is in the packet, or CHECKSUM_NONE */
	uint32_t icmp_filter;        /* bit per type: not wanted */
	uint32_t icmp6_filter[256 / 32];
};

static struct spinlock names = SPINLOCK(PORTS);
static struct raw_sock *by_proto[256]; /* names; read under an epoch */
static struct slab_cache *cache;

_Atomic unsigned raw_sockets;

static struct raw_sock *raw_of(struct socket *s)
{
	return container_of(s, struct raw_sock, d.i.s);
}

static struct raw_sock *next_of(struct raw_sock *const *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/* --- input --- */

static bool wants_type(const struct raw_sock *r, const struct pkt *p, bool v4)
{
	uint8_t type;

	if (p->linear < 1)
		return true;
	type = p->data[0];
	if (v4 && r->d.i.s.protocol == IPPROTO_ICMP)
		return type >= 32 || !(r->icmp_filter & 1u << type);
	if (!v4 && r->d.i.s.protocol == IPPROTO_ICMPV6)
		return !(r->icmp6_filter[type / 32] & 1u << type % 32);
	return true;
}

/* A packet from `remote` to `local`. */
static bool matches(const struct raw_sock *r, const struct ipv6_addr *local,
		    const struct ipv6_addr *remote, const struct netdev *d)
{
	const struct inet_sock *i = &r->d.i;

	return (i->s.family == AF_INET) == addr_is4(local) &&
	       (!i->s.bound_if || i->s.bound_if == d->index) &&
	       (addr_is_any(&i->local) || ipv6_eq(&i->local, local)) &&
	       (addr_is_any(&i->remote) || ipv6_eq(&i->remote, remote));
}

/* Another packet like p, of IPv4 with the network header, which lies before the data. */
static struct pkt *copy_of(const struct pkt *p, bool v4)
{
	uint32_t header = v4 ? p->transport - p->network : 0;
	struct pkt *c = pkt_clone(p);

	if (!c)
		return NULL;
	memcpy(c->cb, p->cb, sizeof(c->cb));
	dgram_cb(c)->port = 0;
	(void)pkt_push(c, header);
	if (header && !c->head)
		memcpy(c->data, pkt_network(p), header);
	return c;
}

static void give(struct raw_sock *r, const struct pkt *p, bool v4)
{
	struct pkt *c;
	uint32_t keep;

	if (!v4 && r->checksum >= 0 && !ip_checksum_ok(p))
		return;
	if (!(c = copy_of(p, v4)))
		return;
	keep = socket_filter(&r->d.i.s, c);
	if (keep == 0) {
		pkt_drop(c, NET_DROP_socket_filter);
		return;
	}
	pkt_trim(c, keep);
	dgram_enqueue(&r->d, c);
}

bool raw_hears_slow(uint8_t proto)
{
	return next_of(&by_proto[proto]) != NULL;
}

bool raw_input_slow(const struct pkt *p)
{
	const struct ip_info *i = ip_info(p);
	bool v4 = addr_is4(&i->dst), taken = false;

	epoch_enter();
	for (struct raw_sock *r = next_of(&by_proto[i->proto]); r; r = next_of(&r->next)) {
		if (!matches(r, &i->dst, &i->src, p->dev) ||
		    (i->to == ROUTE_MULTICAST && !inet_mcast_allows(&r->d.i, i, p->dev->index)))
			continue;
		taken = true;
		if (wants_type(r, p, v4))
			give(r, p, v4);
	}
	epoch_exit();
	return taken;
}

void raw_icmp(const struct ip_info *sent, const struct pkt *back, const struct ip_error *e)
{
	struct raw_sock *r;

	if (!atomic_load_explicit(&raw_sockets, memory_order_relaxed))
		return;
	epoch_enter();
	for (r = next_of(&by_proto[sent->proto]); r; r = next_of(&r->next))
		if (matches(r, &sent->src, &sent->dst, e->dev))
			dgram_icmp_error(&r->d, sent, 0, e, pkt_clone(back));
	epoch_exit();
}

/* --- output --- */

/* The user's own network header: what raw(7) says is filled in. */
static int complete_header4(struct pkt *p, const struct dgram_send *to)
{
	uint8_t *h;
	uint32_t len;

	if (!pkt_need(p, MIN(p->len, (uint32_t)IPV4_HEADER_MAX)) || p->linear < IPV4_HEADER)
		return -EINVAL;
	h = p->data;
	len = (h[0] & 15u) * 4;
	if (len < IPV4_HEADER || len > p->linear)
		return -EINVAL;
	be16_put(h + 2, (uint16_t)p->len);
	if (be32_get(h + 12) == 0)
		be32_put(h + 12, addr_to4(&to->path.source));
	if (be16_get(h + 4) == 0)
		be16_put(h + 4, ip_next_id());
	csum_put(h + 10, 0);
	csum_put(h + 10, csum_finish(csum_add(0, h, len)));
	return 0;
}

static int send_whole(struct raw_sock *r, struct pkt *p, const struct dgram_send *to)
{
	bool v4 = addr_is4(&to->to);
	int err = 0;

	if (p->len > to->path.mtu)
		err = -EMSGSIZE;
	else if (v4)
		err = complete_header4(p, to);
	else if (!pkt_need(p, IPV6_HEADER))
		err = -EINVAL;
	if (err) {
		pkt_free(p);
		return err;
	}
	pkt_set_network(p);
	return dgram_output_whole(&r->d, p, &to->path, v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
}

/* Fills in the checksum of an IPv6 packet. */
static int set_checksum(const struct raw_sock *r, struct pkt *p, const struct ip_send *how)
{
	uint32_t at = (uint32_t)r->checksum;

	if (at + 2 > p->len || !pkt_need(p, at + 2))
		return -EINVAL;
	ip_set_checksum(p, how, (uint16_t)at);
	return 0;
}

static int send_packet(struct raw_sock *r, struct pkt *p, const struct dgram_send *to)
{
	struct ip_send how;
	int err;

	if (r->hdrincl)
		return send_whole(r, p, to);
	dgram_set_send(&r->d, to, (uint8_t)r->d.i.s.protocol, &how);
	err = dgram_check_size(&r->d, to, &how, p->len);
	if (!err && !addr_is4(&to->to) && r->checksum >= 0)
		err = set_checksum(r, p, &how);
	if (err) {
		pkt_free(p);
		return err;
	}
	pkt_set_transport(p);
	return dgram_output(&r->d, p, &how);
}

static ssize64_t raw_send(struct socket *s, struct sockmsg *m)
{
	struct raw_sock *r = raw_of(s);
	size_t len = m->uio->resid;
	struct dgram_send to;
	struct pkt *p;
	int err;

	if (len > IP_MAX_LEN)
		return -EMSGSIZE;
	if ((err = dgram_prepare(&r->d, m, &to)) || (err = dgram_wait_for_room(&r->d, m->flags)))
		return err;
	if (!(p = pkt_alloc()))
		return -ENOBUFS;
	p->mark = to.c.mark;
	if (to.c.ts_flags)
		inet_stamp_sent(inet_of(s), p, to.c.ts_flags);
	if (!(err = pkt_from_uio(p, m->uio, len)))
		err = send_packet(r, p, &to);
	else
		pkt_free(p);
	return err ? err : (ssize64_t)len;
}

/* --- names --- */

static int raw_bind(struct socket *s, const void *addr, uint32_t len)
{
	struct inet_sock *i = inet_of(s);
	struct ipv6_addr ip;
	uint16_t port;
	int scope, err = inet_get_name(i, addr, len, &ip, &port, &scope);

	if (err)
		return err;
	if (!addr_is_any(&ip) && !i->freebind && !i->transparent &&
	    ip_address_type(&ip, NULL) == ROUTE_UNICAST)
		return -EADDRNOTAVAIL;
	spin_lock(&names);
	i->local = ip;
	i->explicit_local = !addr_is_any(&ip);
	if (scope)
		s->bound_if = scope;
	spin_unlock(&names);
	return 0;
}

static void raw_release(struct socket *s)
{
	struct raw_sock *r = raw_of(s);

	spin_lock(&names);
	if (r->next)
		r->next->at = r->at;
	__atomic_store_n(r->at, r->next, __ATOMIC_RELEASE);
	spin_unlock(&names);
	atomic_fetch_sub(&raw_sockets, 1);
	dgram_release(s);
}

static void insert(struct raw_sock *r)
{
	struct raw_sock **at = &by_proto[r->d.i.s.protocol];

	spin_lock(&names);
	r->next = *at;
	r->at = at;
	if (*at)
		(*at)->at = &r->next;
	__atomic_store_n(at, r, __ATOMIC_RELEASE);
	spin_unlock(&names);
	atomic_fetch_add(&raw_sockets, 1);
}

/* --- options --- */

static int set_filter(struct raw_sock *r, uaddr_t val, uint32_t len)
{
	if (r->d.i.s.family == AF_INET)
		return copy_from_user(&r->icmp_filter, val,
				      MIN(len, (uint32_t)sizeof(r->icmp_filter)));
	return copy_from_user(r->icmp6_filter, val, MIN(len, (uint32_t)sizeof(r->icmp6_filter)));
}

static int get_filter(const struct raw_sock *r, void *val, uint32_t *len)
{
	bool v4 = r->d.i.s.family == AF_INET;
	uint32_t most = v4 ? sizeof(r->icmp_filter) : sizeof(r->icmp6_filter);

	*len = MIN(*len, most);
	memcpy(val, v4 ? &r->icmp_filter : r->icmp6_filter, *len);
	return 0;
}

static bool is_filter(const struct raw_sock *r, int level, int name)
{
	return r->d.i.s.family == AF_INET ? level == SOL_RAW && name == ICMP_FILTER
					  : level == SOL_ICMPV6 && name == ICMP6_FILTER;
}

static bool is_hdrincl(const struct raw_sock *r, int level, int name)
{
	return r->d.i.s.family == AF_INET ? level == SOL_IP && name == IP_HDRINCL
					  : level == SOL_IPV6 && name == IPV6_HDRINCL;
}

static bool is_checksum(const struct raw_sock *r, int level, int name)
{
	return r->d.i.s.family == AF_INET6 && (level == SOL_IPV6 || level == SOL_RAW) &&
	       name == IPV6_CHECKSUM;
}

/* RFC 3542 3.1: ICMPv6's is where it is; who asks at the level of raw sockets may move it. */
static int set_checksum_at(struct raw_sock *r, int level, int at)
{
	if ((r->d.i.s.protocol == IPPROTO_ICMPV6 && level == SOL_IPV6) || (at > 0 && at % 2))
		return -EINVAL;
	r->checksum = at < 0 ? CHECKSUM_NONE : at;
	return 0;
}

static int raw_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len)
{
	struct raw_sock *r = raw_of(s);
	uint32_t v;

	if (is_filter(r, level, name))
		return s->protocol == (s->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6)
			       ? set_filter(r, val, len)
			       : -EOPNOTSUPP;
	if (!is_hdrincl(r, level, name) && !is_checksum(r, level, name))
		return inet_setsockopt(inet_of(s), level, name, val, len);
	if (len < sizeof(v))
		return -EINVAL;
	if (get_user_u32(&v, val))
		return -EFAULT;
	if (is_checksum(r, level, name))
		return set_checksum_at(r, level, (int)v);
	r->hdrincl = v;
	return 0;
}

static int raw_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct raw_sock *r = raw_of(s);
	int v;

	if (is_filter(r, level, name))
		return s->protocol == (s->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6)
			       ? get_filter(r, val, len)
			       : -EOPNOTSUPP;
	if (is_hdrincl(r, level, name))
		v = r->hdrincl;
	else if (is_checksum(r, level, name))
		v = r->checksum;
	else
		return inet_getsockopt(inet_of(s), level, name, val, len);
	*len = MIN(*len, (uint32_t)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

static const struct dgram_ops raw_dgram_ops = {
	.names = &names,
	.cache = &cache,
	.no_ports = true,
};

static const struct socket_ops raw_ops = {
	.release = raw_release,
	.destroy = dgram_destroy,
	.bind = raw_bind,
	.connect = dgram_connect,
	.getname = inet_getname,
	.shutdown = dgram_shutdown,
	.send = raw_send,
	.recv = dgram_recv,
	.poll = dgram_poll,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.ioctl = dgram_ioctl,
	.meminfo = dgram_meminfo,
};

int raw_create(int family, int protocol, struct socket **out)
{
	struct raw_sock *r;

	if (protocol == IPPROTO_IP)
		return -EPROTONOSUPPORT;
	if (!capable(CAP_NET_RAW))
		return -EPERM;
	if (!(r = slab_zalloc(cache)))
		return -ENOMEM;
	inet_sock_init(&r->d.i, &raw_ops, family, SOCK_RAW, protocol, NULL);
	dgram_init(&r->d, &raw_dgram_ops);
	r->d.i.lport = (uint16_t)protocol; /* what getsockname(2) says */
	r->hdrincl = protocol == IPPROTO_RAW;
	r->checksum =
		family == AF_INET6 && protocol == IPPROTO_ICMPV6 ? ICMPV6_CHECKSUM : CHECKSUM_NONE;
	insert(r);
	*out = &r->d.i.s;
	return 0;
}

/* key: protocol above, and how many of its sockets have been shown. */
static bool raw_next(uint64_t *key, struct inet_shown *out, struct abi_tcp_info *info)
{
	struct raw_sock *r = NULL;
	uint32_t proto, skip;

	(void)info;
	epoch_enter();
	for (proto = (uint32_t)(*key >> 32), skip = (uint32_t)*key; proto < 256;
	     proto++, skip = 0) {
		uint32_t n = skip;

		for (r = next_of(&by_proto[proto]); r && n; n--)
			r = next_of(&r->next);
		if (r)
			break;
	}
	if (r) {
		*key = ((uint64_t)proto << 32 | skip) + 1;
		dgram_show(&r->d, out);
		out->slot = proto;
		out->lport = (uint16_t)proto; /* where others have a port */
	}
	epoch_exit();
	return r != NULL;
}

void raw_init(void)
{
	static struct inet_shower show = { .protocol = SHOW_RAW, .next = raw_next };

	cache = slab_cache_create("raw", sizeof(struct raw_sock), 64, NULL);
	inet_show_register(&show);
}

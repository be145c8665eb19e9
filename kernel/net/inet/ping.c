/*
 * Ping sockets: SOCK_DGRAM of ICMP. Who may have one (net.ipv4.ping_group_range) sends echo
 * requests, whose identifier is the socket's port, and gets the answers to them.
 *
 * Source: icmp(7).
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "net/checksum.h"
#include "net/filter.h"
#include "net/inet/dgram.h"
#include "net/inet/inet_priv.h"
#include "net/inet/show.h"
#include "net/netif.h"
#include "net/parse.h"
#include "pmm/slab.h"
#include "vfs/cred.h"
#include "vm/uio.h"

enum { ID_AT = 4, CHECKSUM_AT = 2 };

uint32_t inet_ping_group_low = 1, inet_ping_group_high;

static struct inet_table ids;
static struct slab_cache *cache;

static struct dgram_sock *find(const struct ipv6_addr *local, const struct ipv6_addr *remote,
			       uint16_t id, const struct netdev *d)
{
	struct inet_sock *i;

	for (i = inet_next(inet_bucket(&ids, id)); i; i = inet_next(&i->bind_next))
		if (i->lport == id && (i->s.family == AF_INET) == addr_is4(local) &&
		    inet_takes(i, local, d) &&
		    (addr_is_any(&i->remote) || ipv6_eq(&i->remote, remote)))
			return dgram_of(&i->s);
	return NULL;
}

void ping_input(const struct pkt *p)
{
	const struct ip_info *info = ip_info(p);
	struct dgram_sock *d;
	struct pkt *c;

	epoch_enter();
	d = find(&info->dst, &info->src, be16_get(p->data + ID_AT), p->dev);
	if (d && socket_filter(&d->i.s, p) && (c = pkt_clone(p))) {
		memcpy(c->cb, p->cb, sizeof(c->cb));
		dgram_cb(c)->port = 0;
		dgram_enqueue(d, c);
	}
	epoch_exit();
}

void ping_icmp(const struct ip_info *sent, const struct pkt *back, const struct ip_error *e)
{
	bool v4 = addr_is4(&sent->dst);
	struct dgram_sock *d;

	if (back->data[0] != (v4 ? ICMP_ECHO : ICMPV6_ECHO))
		return;
	epoch_enter();
	if ((d = find(&sent->src, &sent->dst, be16_get(back->data + ID_AT), e->dev)))
		dgram_icmp_error(d, sent, 0, e, pkt_clone(back));
	epoch_exit();
}

/* Sends the echo request p; consumes it. */
static int transmit(struct dgram_sock *d, struct pkt *p, const struct dgram_send *to)
{
	bool v4 = addr_is4(&to->to);
	struct ip_send how;
	int err;

	dgram_set_send(d, to, v4 ? IPPROTO_ICMP_ : IPPROTO_ICMPV6_, &how);
	if (!pkt_need(p, ICMP_HEADER) || p->data[0] != (v4 ? ICMP_ECHO : ICMPV6_ECHO) || p->data[1])
		err = -EINVAL;
	else
		err = dgram_check_size(d, to, &how, p->len);
	if (err) {
		pkt_free(p);
		return err;
	}
	be16_put(p->data + ID_AT, d->i.lport);
	csum_put(p->data + CHECKSUM_AT, 0);
	if (v4)
		csum_put(p->data + CHECKSUM_AT, csum_finish(ip_sum(p, 0)));
	else
		ip_set_checksum(p, &how, CHECKSUM_AT);
	pkt_set_transport(p);
	return dgram_output(d, p, &how);
}

static ssize64_t ping_send(struct socket *s, struct sockmsg *m)
{
	struct dgram_sock *d = dgram_of(s);
	size_t len = m->uio->resid;
	struct dgram_send to;
	struct pkt *p;
	int err;

	if (len > IP_MAX_LEN)
		return -EMSGSIZE;
	if (len < ICMP_HEADER)
		return -EINVAL;
	if ((err = dgram_prepare(d, m, &to)) || (err = dgram_wait_for_room(d, m->flags)))
		return err;
	if (!(p = pkt_alloc()))
		return -ENOBUFS;
	p->mark = to.c.mark;
	if (to.c.ts_flags)
		inet_stamp_sent(inet_of(s), p, to.c.ts_flags);
	if (!(err = pkt_from_uio(p, m->uio, len)))
		err = transmit(d, p, &to);
	else
		pkt_free(p);
	return err ? err : (ssize64_t)len;
}

static int autobind(struct dgram_sock *d)
{
	return inet_autobind(&d->i, NULL, NULL);
}

static int ping_bind(struct socket *s, const void *addr, uint32_t len)
{
	return inet_bind(inet_of(s), addr, len);
}

static void ping_release(struct socket *s)
{
	inet_release_port(inet_of(s));
	dgram_release(s);
}

static int ping_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len)
{
	return inet_setsockopt(inet_of(s), level, name, val, len);
}

static int ping_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	return inet_getsockopt(inet_of(s), level, name, val, len);
}

static const struct dgram_ops ping_dgram_ops = {
	.names = &ids.lock,
	.cache = &cache,
	.autobind = autobind,
	.any_port = true,
};

static const struct socket_ops ping_ops = {
	.release = ping_release,
	.destroy = dgram_destroy,
	.bind = ping_bind,
	.connect = dgram_connect,
	.getname = inet_getname,
	.shutdown = dgram_shutdown,
	.send = ping_send,
	.recv = dgram_recv,
	.poll = dgram_poll,
	.setsockopt = ping_setsockopt,
	.getsockopt = ping_getsockopt,
	.ioctl = dgram_ioctl,
	.meminfo = dgram_meminfo,
};

static bool is_in_range(uint32_t gid)
{
	return gid >= inet_ping_group_low && gid <= inet_ping_group_high;
}

static bool may_ping(void)
{
	const struct cred *c = current_cred();

	if (is_in_range(c->egid))
		return true;
	for (uint32_t n = 0; n < c->ngroups; n++)
		if (is_in_range(c->groups[n]))
			return true;
	return false;
}

int ping_create(int family, struct socket **out)
{
	struct dgram_sock *d;

	if (!may_ping())
		return -EACCES;
	if (!(d = slab_zalloc(cache)))
		return -ENOMEM;
	inet_sock_init(&d->i, &ping_ops, family, SOCK_DGRAM,
		       family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6, &ids);
	d->i.v6only = family == AF_INET6; /* it speaks one of the two */
	dgram_init(d, &ping_dgram_ops);
	*out = &d->i.s;
	return 0;
}

static bool ping_next(uint64_t *key, struct inet_shown *out, struct abi_tcp_info *info)
{
	struct inet_sock *i;
	uint32_t slot;

	(void)info;
	epoch_enter();
	if ((i = inet_table_next(&ids, key, &slot)) != NULL) {
		dgram_show(dgram_of(&i->s), out);
		out->slot = slot;
	}
	epoch_exit();
	return i != NULL;
}

void ping_init(void)
{
	static struct inet_shower v4 = { .protocol = IPPROTO_ICMP, .next = ping_next };
	static struct inet_shower v6 = { .protocol = IPPROTO_ICMPV6, .next = ping_next };

	inet_show_register(&v4);
	inet_show_register(&v6);
	cache = slab_cache_create("ping", sizeof(struct dgram_sock), 64, NULL);
	inet_table_init(&ids, false);
}

/*
 * Names, ports and options of Internet sockets.
 *
 * A port may be shared by sockets whose addresses or devices differ, by those that all have
 * SO_REUSEADDR (TCP: while none of them listens), and by those of one user that all have
 * SO_REUSEPORT.
 */

#include "net/inet/sock.h"

#include "abi/errno.h"
#include "abi/in.h"
#include "abi/ioctl.h"
#include "core/random.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/netif.h"
#include "pmm/page.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

enum { PORT_LOW = 32768, PORT_HIGH = 60999, PRIVILEGED = 1024 };

void inet_table_init(struct inet_table *t, bool is_stream)
{
	spin_init(&t->lock, RANK_PORTS);
	random_bytes(&t->chooser, sizeof(t->chooser));
	t->is_stream = is_stream;
}

void inet_sock_init(struct inet_sock *i, const struct socket_ops *ops, int family, int type,
		    int protocol, struct inet_table *t)
{
	socket_init(&i->s, ops, family, type, protocol);
	i->table = t;
	i->local = i->remote = inet_any(i);
	i->ttl = i->mc_ttl = -1;
	i->mc_loop = i->mc_all = true;
	i->pmtu_mode = IP_PMTUDISC_WANT;
	i->uid = current_cred()->euid;
}

struct ipv6_addr inet_any(const struct inet_sock *i)
{
	return i->s.family == AF_INET ? addr_from4(0) : (struct ipv6_addr){ { 0 } };
}

/* --- names --- */

static int get_name6(const struct inet_sock *i, const struct abi_sockaddr_in6 *a, uint32_t len,
		     struct ipv6_addr *ip, uint16_t *port, int *scope)
{
	if (len < SOCKADDR_IN6_MIN)
		return -EINVAL;
	if (a->sin6_family != AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(ip->b, a->sin6_addr, sizeof(ip->b));
	*port = __builtin_bswap16(a->sin6_port);
	if (len >= sizeof(*a) && ipv6_is_link_local(ip))
		*scope = (int)a->sin6_scope_id;
	return addr_is4(ip) && i->v6only ? -ENETUNREACH : 0;
}

int inet_get_name(const struct inet_sock *i, const void *addr, uint32_t len, struct ipv6_addr *ip,
		  uint16_t *port, int *scope)
{
	const struct abi_sockaddr_in *a = addr;

	*scope = 0;
	if (i->s.family == AF_INET6)
		return get_name6(i, addr, len, ip, port, scope);
	if (len < sizeof(*a))
		return -EINVAL;
	if (a->sin_family != AF_INET && !(a->sin_family == AF_UNSPEC && a->sin_addr == 0))
		return -EAFNOSUPPORT;
	*ip = addr_from4(__builtin_bswap32(a->sin_addr));
	*port = __builtin_bswap16(a->sin_port);
	return 0;
}

uint32_t inet_put_name(const struct inet_sock *i, const struct ipv6_addr *ip, uint16_t port,
		       int scope, void *out)
{
	struct abi_sockaddr_in6 *a6 = out;
	struct abi_sockaddr_in *a = out;

	if (i->s.family == AF_INET) {
		*a = (struct abi_sockaddr_in){ .sin_family = AF_INET };
		a->sin_port = __builtin_bswap16(port);
		a->sin_addr = __builtin_bswap32(addr_to4(ip));
		return sizeof(*a);
	}
	*a6 = (struct abi_sockaddr_in6){ .sin6_family = AF_INET6 };
	a6->sin6_port = __builtin_bswap16(port);
	memcpy(a6->sin6_addr, ip->b, sizeof(a6->sin6_addr));
	if (ipv6_is_link_local(ip))
		a6->sin6_scope_id = (uint32_t)scope;
	return sizeof(*a6);
}

int inet_getname(struct socket *s, void *addr, bool peer)
{
	struct inet_sock *i = inet_of(s);

	if (peer && !i->rport)
		return -ENOTCONN;
	return (int)(peer ? inet_put_name(i, &i->remote, i->rport, s->bound_if, addr)
			  : inet_put_name(i, &i->local, i->lport, s->bound_if, addr));
}

/* --- ports --- */

/* Could both get the same packet? */
static bool overlap(const struct inet_sock *a, const struct ipv6_addr *local,
		    const struct inet_sock *b)
{
	bool any_a = addr_is_any(local), any_b = addr_is_any(&b->local);

	if (a->s.bound_if && b->s.bound_if && a->s.bound_if != b->s.bound_if)
		return false;
	if (!any_a && !any_b)
		return ipv6_eq(local, &b->local);
	/* A wildcard of IPv6 covers IPv4 too, unless it was told not to. */
	if (any_a && !addr_is4(local) && !a->v6only)
		return true;
	if (any_b && !addr_is4(&b->local) && !b->v6only)
		return true;
	return addr_is4(local) == addr_is4(&b->local);
}

static bool may_share(const struct inet_table *t, const struct inet_sock *a,
		      const struct inet_sock *b)
{
	if (socket_has(&a->s, SOB_REUSEPORT) && socket_has(&b->s, SOB_REUSEPORT) &&
	    a->uid == b->uid)
		return true;
	return socket_has(&a->s, SOB_REUSEADDR) && socket_has(&b->s, SOB_REUSEADDR) &&
	       !(t->is_stream && (a->is_listening || b->is_listening));
}

static bool is_free_locked(const struct inet_sock *i, const struct ipv6_addr *local, uint16_t port)
{
	const struct inet_sock *b = *inet_bucket(i->table, port);

	for (; b; b = b->bind_next)
		if (b != i && b->lport == port && overlap(i, local, b) &&
		    !may_share(i->table, i, b))
			return false;
	return true;
}

static void insert_locked(struct inet_sock *i, uint16_t port)
{
	struct inet_sock **at = &i->table->bucket[port % INET_BUCKETS];

	i->lport = port;
	i->bind_next = *at;
	__atomic_store_n(at, i, __ATOMIC_RELEASE);
}

int inet_listen(struct inet_sock *i)
{
	int err = 0;

	spin_lock(&i->table->lock);
	i->is_listening = true;
	if (!is_free_locked(i, &i->local, i->lport)) {
		i->is_listening = false;
		err = -EADDRINUSE;
	}
	spin_unlock(&i->table->lock);
	return err;
}

void inet_share_port(struct inet_sock *i, uint16_t port)
{
	spin_lock(&i->table->lock);
	insert_locked(i, port);
	spin_unlock(&i->table->lock);
}

void inet_release_port(struct inet_sock *i)
{
	struct inet_sock **at;

	spin_lock(&i->table->lock);
	if (i->lport) {
		at = &i->table->bucket[i->lport % INET_BUCKETS];
		while (*at && *at != i)
			at = &(*at)->bind_next;
		if (*at)
			__atomic_store_n(at, i->bind_next, __ATOMIC_RELEASE);
		i->lport = 0;
	}
	spin_unlock(&i->table->lock);
}

struct choice {
	struct inet_sock *i;
	const struct ipv6_addr *local;
	port_test *also;
	void *arg;
};

static bool test_port(uint16_t port, void *arg)
{
	struct choice *c = arg;

	if (c->also)
		return c->also(port, c->arg);
	return is_free_locked(c->i, c->local, port);
}

static int choose_locked(struct inet_sock *i, const struct ipv6_addr *local, port_test *also,
			 void *arg)
{
	struct choice c = { i, local, also, arg };
	struct flow_key f;
	uint16_t port;
	int err;

	memset(&f, 0, sizeof(f));
	f.local = *local;
	f.remote = i->remote;
	f.rport = i->rport;
	if (!i->rport) /* bind(2): nothing but the place in the sequence tells two apart */
		f.ifindex = (uint32_t)random_u64();
	err = port_choose(&i->table->chooser, &f, PORT_LOW, PORT_HIGH, test_port, &c, &port);
	if (err)
		return also ? -EADDRNOTAVAIL : -EADDRINUSE;
	i->auto_port = true;
	i->by_connect = also != NULL;
	insert_locked(i, port);
	return 0;
}

int inet_autobind(struct inet_sock *i, port_test *is_free, void *arg)
{
	int err = 0;

	spin_lock(&i->table->lock);
	if (!i->lport)
		err = choose_locked(i, &i->local, is_free, arg);
	spin_unlock(&i->table->lock);
	return err == -EADDRINUSE ? -EAGAIN : err;
}

static int check_local(const struct inet_sock *i, const struct ipv6_addr *ip, int scope)
{
	enum route_type type;

	if (addr_is_any(ip) || i->freebind)
		return 0;
	type = ip_address_type(ip, NULL);
	if (type == ROUTE_LOCAL)
		return !addr_is4(ip) && ipv6_is_link_local(ip) && !scope ? -EINVAL : 0;
	if (i->table->is_stream || type == ROUTE_UNICAST)
		return -EADDRNOTAVAIL;
	return 0; /* datagrams: groups and broadcast addresses may be bound to */
}

int inet_bind(struct inet_sock *i, const void *addr, uint32_t len)
{
	struct ipv6_addr ip;
	uint16_t port;
	int scope, err = inet_get_name(i, addr, len, &ip, &port, &scope);

	if (err == -ENETUNREACH)
		err = -EINVAL;
	if (err || (err = check_local(i, &ip, scope)))
		return err;
	if (port && port < PRIVILEGED && !capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	spin_lock(&i->table->lock);
	if (i->lport)
		err = -EINVAL;
	else if (!port)
		err = choose_locked(i, &ip, NULL, NULL);
	else if (is_free_locked(i, &ip, port))
		insert_locked(i, port), i->auto_port = i->by_connect = false;
	else
		err = -EADDRINUSE;
	if (!err) {
		i->local = ip;
		if (scope)
			i->s.bound_if = scope;
	}
	spin_unlock(&i->table->lock);
	return err;
}

bool inet_takes(const struct inet_sock *i, const struct ipv6_addr *dst, const struct netdev *d)
{
	if (i->s.bound_if && i->s.bound_if != d->index)
		return false;
	if (!addr_is_any(&i->local))
		return ipv6_eq(&i->local, dst);
	if (addr_is4(&i->local))
		return addr_is4(dst);
	return !addr_is4(dst) || !i->v6only;
}

/* --- data --- */

struct to_uio {
	struct uio *u;
	size_t done;
	bool fault;
};

static void put_run(void *ctx, const uint8_t *bytes, uint32_t n)
{
	struct to_uio *t = ctx;
	size_t put = t->fault ? 0 : uio_put(t->u, bytes, n);

	t->done += put;
	t->fault |= put < n;
}

size_t pkt_to_uio(const struct pkt *p, uint32_t offset, struct uio *u, size_t n)
{
	struct to_uio t = { .u = u };

	pkt_for_each(p, offset, (uint32_t)n, put_run, &t);
	return t.done;
}

int pkt_from_uio(struct pkt *p, struct uio *u, size_t n)
{
	enum { INLINE = 96 };
	size_t part;
	struct page *page;

	if (n <= INLINE && p->linear == 0)
		return uio_get(u, pkt_push(p, (uint32_t)n), n) == n ? 0 : -EFAULT;
	for (; n; n -= part) {
		part = MIN(n, PAGE_SIZE);
		if (!(page = page_alloc(0, PAGE_KERNEL, 0)))
			return -ENOBUFS;
		if (!pkt_add_frag(p, page, 0, (uint32_t)part)) {
			page_put(page);
			return -EMSGSIZE;
		}
		if (uio_get(u, page_va(page), part) != part)
			return -EFAULT;
	}
	return 0;
}

/* --- options --- */

static int set_recv(struct inet_sock *i, uint32_t bit, bool on)
{
	i->recv = on ? i->recv | bit : i->recv & ~bit;
	return 0;
}

static int set_ttl(int16_t *ttl, int v, int least)
{
	if (v != -1 && (v < least || v > 255))
		return -EINVAL;
	*ttl = (int16_t)v;
	return 0;
}

static int set_ip(struct inet_sock *i, int name, int v)
{
	switch (name) {
	case IP_TOS:
		i->tos = (uint8_t)(i->s.type == SOCK_STREAM ? (v & ~3) | (i->tos & 3) : v);
		return 0;
	case IP_TTL:
		return set_ttl(&i->ttl, v, 1);
	case IP_MULTICAST_TTL:
		return set_ttl(&i->mc_ttl, v, 0);
	case IP_MULTICAST_LOOP:
		i->mc_loop = v;
		return 0;
	case IP_MULTICAST_ALL:
		i->mc_all = v;
		return v == 0 || v == 1 ? 0 : -EINVAL;
	case IP_PKTINFO:
		return set_recv(i, INET_RECV_PKTINFO, v);
	case IP_RECVTTL:
		return set_recv(i, INET_RECV_TTL, v);
	case IP_RECVTOS:
		return set_recv(i, INET_RECV_TOS, v);
	case IP_FREEBIND:
		i->freebind = v;
		return 0;
	case IP_MTU_DISCOVER:
		if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_PROBE)
			return -EINVAL;
		i->pmtu_mode = (uint8_t)v;
		return 0;
	}
	return -ENOPROTOOPT;
}

static int set_ipv6(struct inet_sock *i, int name, int v)
{
	switch (name) {
	case IPV6_V6ONLY:
		if (i->lport)
			return -EINVAL;
		i->v6only = v;
		return 0;
	case IPV6_UNICAST_HOPS:
		return set_ttl(&i->ttl, v, 0);
	case IPV6_MULTICAST_HOPS:
		return set_ttl(&i->mc_ttl, v, 0);
	case IPV6_MULTICAST_LOOP:
		i->mc_loop = v;
		return 0;
	case IPV6_RECVPKTINFO:
		return set_recv(i, INET_RECV_PKTINFO, v);
	case IPV6_RECVHOPLIMIT:
		return set_recv(i, INET_RECV_TTL, v);
	case IPV6_RECVTCLASS:
		return set_recv(i, INET_RECV_TOS, v);
	case IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		i->tos = v == -1 ? 0 : (uint8_t)v;
		return 0;
	case IPV6_FREEBIND:
		i->freebind = v;
		return 0;
	case IPV6_MTU_DISCOVER:
		if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_PROBE)
			return -EINVAL;
		i->pmtu_mode = (uint8_t)v;
		return 0;
	}
	return -ENOPROTOOPT;
}

int inet_setsockopt(struct inet_sock *i, int level, int name, uaddr_t val, uint32_t len)
{
	uint32_t v = 0;
	uint8_t byte;

	if (level != SOL_IP && (level != SOL_IPV6 || i->s.family != AF_INET6))
		return -ENOPROTOOPT;
	if (len >= 4) {
		if (get_user_u32(&v, val))
			return -EFAULT;
	} else if (len && level == SOL_IP) { /* ip(7): many take a char as well */
		if (copy_from_user(&byte, val, 1))
			return -EFAULT;
		v = byte;
	} else {
		return -EINVAL;
	}
	return level == SOL_IP ? set_ip(i, name, (int)v) : set_ipv6(i, name, (int)v);
}

static bool get_ip(const struct inet_sock *i, int name, int *v)
{
	switch (name) {
	case IP_TOS:
		*v = i->tos;
		return true;
	case IP_TTL:
		*v = i->ttl == -1 ? 64 : i->ttl;
		return true;
	case IP_MULTICAST_TTL:
		*v = i->mc_ttl == -1 ? 1 : i->mc_ttl;
		return true;
	case IP_MULTICAST_LOOP:
		*v = i->mc_loop;
		return true;
	case IP_MULTICAST_ALL:
		*v = i->mc_all;
		return true;
	case IP_PKTINFO:
		*v = !!(i->recv & INET_RECV_PKTINFO);
		return true;
	case IP_RECVTTL:
		*v = !!(i->recv & INET_RECV_TTL);
		return true;
	case IP_RECVTOS:
		*v = !!(i->recv & INET_RECV_TOS);
		return true;
	case IP_FREEBIND:
		*v = i->freebind;
		return true;
	case IP_MTU_DISCOVER:
		*v = i->pmtu_mode;
		return true;
	}
	return false;
}

static bool get_ipv6(const struct inet_sock *i, int name, int *v)
{
	switch (name) {
	case IPV6_V6ONLY:
		*v = i->v6only;
		return true;
	case IPV6_UNICAST_HOPS:
		return get_ip(i, IP_TTL, v);
	case IPV6_MULTICAST_HOPS:
		return get_ip(i, IP_MULTICAST_TTL, v);
	case IPV6_MULTICAST_LOOP:
		return get_ip(i, IP_MULTICAST_LOOP, v);
	case IPV6_RECVPKTINFO:
		return get_ip(i, IP_PKTINFO, v);
	case IPV6_RECVHOPLIMIT:
		return get_ip(i, IP_RECVTTL, v);
	case IPV6_RECVTCLASS:
		return get_ip(i, IP_RECVTOS, v);
	case IPV6_TCLASS:
		return get_ip(i, IP_TOS, v);
	case IPV6_FREEBIND:
		return get_ip(i, IP_FREEBIND, v);
	case IPV6_MTU_DISCOVER:
		return get_ip(i, IP_MTU_DISCOVER, v);
	}
	return false;
}

int inet_getsockopt(struct inet_sock *i, int level, int name, void *val, uint32_t *len)
{
	bool known = false;
	int v = 0;

	if (level == SOL_IP)
		known = get_ip(i, name, &v);
	else if (level == SOL_IPV6 && i->s.family == AF_INET6)
		known = get_ipv6(i, name, &v);
	if (!known)
		return -ENOPROTOOPT;
	*len = MIN(*len, 4u);
	memcpy(val, &v, *len);
	return 0;
}

void inet_put_ancillary(struct inet_sock *i, const struct pkt *p, struct sockmsg *m)
{
	const struct ip_info *info = ip_info(p);
	struct abi_in_pktinfo info4 = { .ipi_ifindex = p->dev->index };
	struct abi_in6_pktinfo info6 = { .ipi6_ifindex = (uint32_t)p->dev->index };
	bool v4 = addr_is4(&info->dst);
	int ttl = info->ttl, tos = info->tos;

	if (!i->recv)
		return;
	if ((i->recv & INET_RECV_PKTINFO) && v4 && i->s.family == AF_INET) {
		info4.ipi_addr = info4.ipi_spec_dst = __builtin_bswap32(addr_to4(&info->dst));
		sockmsg_put_control(m, SOL_IP, IP_PKTINFO, &info4, sizeof(info4));
	} else if (i->recv & INET_RECV_PKTINFO) {
		memcpy(info6.ipi6_addr, info->dst.b, sizeof(info6.ipi6_addr));
		sockmsg_put_control(m, SOL_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
	}
	if (i->recv & INET_RECV_TTL)
		sockmsg_put_control(m, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TTL : IPV6_HOPLIMIT, &ttl,
				    sizeof(ttl));
	if (i->recv & INET_RECV_TOS)
		sockmsg_put_control(m, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos,
				    v4 ? 1 : sizeof(tos));
}

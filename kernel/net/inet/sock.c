/*
 * Names, ports and options of Internet sockets.
 *
 * A port may be shared by sockets whose addresses or devices differ, by those that all have
 * SO_REUSEADDR (TCP: while none of the others listens), and by those of one user that all have
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

int inet_port_low = 32768, inet_port_high = 60999, inet_port_unprivileged = 1024;

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
	i->ttl = i->hops = i->mc_ttl = i->mc_hops = -1;
	i->mc_loop = i->mc_loop6 = i->mc_all6 = true;
	i->mc_all = family == AF_INET;
	i->mc_source = addr_from4(0);
	i->pmtu_mode = i->pmtu_mode6 = IP_PMTUDISC_WANT;
	inet_errq_init(&i->errq);
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

int inet_getname(struct socket *s, void *addr, enum socket_name which)
{
	struct inet_sock *i = inet_of(s);

	if (which == SOCKET_OWN)
		return (int)inet_put_name(i, &i->local, i->lport, s->bound_if, addr);
	if (!i->rport)
		return -ENOTCONN;
	return (int)inet_put_name(i, &i->remote, i->rport, s->bound_if, addr);
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

/* Of a group of one user's sockets that share the load of a port. */
static bool share_group(const struct inet_sock *a, const struct inet_sock *b)
{
	return socket_has(&a->s, SOB_REUSEPORT) && socket_has(&b->s, SOB_REUSEPORT) &&
	       a->uid == b->uid;
}

/* May a, which binds or is to listen, be beside b? What a itself is to be says nothing: a listener
 * stands beside connections. */
static bool may_share(const struct inet_table *t, const struct inet_sock *a,
		      const struct inet_sock *b)
{
	if (share_group(a, b))
		return true;
	return socket_has(&a->s, SOB_REUSEADDR) && socket_has(&b->s, SOB_REUSEADDR) &&
	       !(t->is_stream && b->is_listening);
}

static bool is_free_locked(const struct inet_sock *i, const struct ipv6_addr *local, uint16_t port)
{
	const struct inet_sock *b = *inet_bucket(i->table, port);

	for (; b; b = b->bind_next) {
		if (b == i || b->lport != port || !overlap(i, local, b))
			continue;
		if (!may_share(i->table, i, b))
			return false;
		/* Who has the same address could share with all the others. */
		if (share_group(i, b) && ipv6_eq(local, &b->local))
			return true;
	}
	return !i->table->is_blocked || i->is_listening || !i->table->is_blocked(i, local, port);
}

static void insert_locked(struct inet_sock *i, uint16_t port)
{
	struct inet_sock **at = &i->table->bucket[port % INET_BUCKETS];

	i->lport = port;
	i->bind_next = *at;
	i->bind_at = at;
	if (*at)
		(*at)->bind_at = &i->bind_next;
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
	spin_lock(&i->table->lock);
	if (i->lport) {
		if (i->bind_next)
			i->bind_next->bind_at = i->bind_at;
		__atomic_store_n(i->bind_at, i->bind_next, __ATOMIC_RELEASE);
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
	err = port_choose(&i->table->chooser, &f, (uint16_t)inet_port_low, (uint16_t)inet_port_high,
			  test_port, &c, &port);
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

	if (addr_is_any(ip) || i->freebind || i->transparent)
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
	if (port && port < inet_port_unprivileged && !capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	spin_lock(&i->table->lock);
	if (i->lport || i->rport)
		err = -EINVAL;
	else if (!port && i->bind_no_port)
		err = 0;
	else if (!port)
		err = choose_locked(i, &ip, NULL, NULL);
	else if (is_free_locked(i, &ip, port))
		insert_locked(i, port), i->auto_port = i->by_connect = false;
	else
		err = -EADDRINUSE;
	if (!err) {
		i->local = ip;
		i->explicit_local = !addr_is_any(&ip);
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

static int add_pages(struct pkt *p, struct uio *u, size_t n)
{
	size_t part;
	struct page *page;

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

int pkt_from_uio(struct pkt *p, struct uio *u, size_t n)
{
	enum { INLINE = 96 };

	if (n <= INLINE && p->linear == 0)
		return uio_get(u, pkt_push(p, (uint32_t)n), n) == n ? 0 : -EFAULT;
	return add_pages(p, u, n);
}

int pkt_append_uio(struct pkt *p, struct uio *u, size_t n)
{
	struct pkt_frag *last = p->nfrags ? &p->frag[p->nfrags - 1] : NULL;
	size_t part;

	if (last && last->offset + last->bytes < PAGE_SIZE) {
		part = MIN(n, PAGE_SIZE - last->offset - last->bytes);
		if (uio_get(u, (uint8_t *)page_va(last->page) + last->offset + last->bytes, part) !=
		    part)
			return -EFAULT;
		last->bytes += (uint32_t)part;
		p->len += (uint32_t)part;
		n -= part;
	}
	if (!n)
		return 0;
	return p->len ? add_pages(p, u, n) : pkt_from_uio(p, u, n);
}

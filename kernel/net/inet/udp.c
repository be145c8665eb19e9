/*
 * UDP. A datagram is found its socket by the best match of addresses; those to groups and to all
 * go to every socket that matches. Input runs under an epoch, so it counts no socket that it
 * finds: a closed one says so under its lock, and its memory outlives the epoch.
 *
 * Memory of packets that a device has not sent yet is charged to the sender (`wmem`), and counts
 * the socket's memory too: who gives the last of it back frees it.
 *
 * Source: RFC 768, udp(7).
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/in.h"
#include "abi/ioctl.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "net/filter.h"
#include "net/inet/inet_priv.h"
#include "net/inet/show.h"
#include "net/inet/sock.h"
#include "net/inet/stats.h"
#include "net/netif.h"
#include "net/parse.h"
#include "net/trace.h"
#include "pmm/slab.h"
#include "vfs/poll.h"
#include "vm/uio.h"
#include "vm/usercopy.h"

enum { UDP_CHECKSUM = 6, UDP_MAX = 65507, TTL = 64, MC_TTL = 1, COPIES = 64 };
enum { SHUT_RCV = 1, SHUT_SND = 2, SHUT_BOTH = 3 };

struct udp_sock {
	struct inet_sock i;   /* first */
	struct spinlock lock; /* INETQ */
	struct list queue;    /* packets at their payload; lock */
	uint32_t queued;      /* bytes of memory; lock */
	uint32_t dropped;     /* for SO_RXQ_OVFL; lock */
	bool closed;          /* lock */
	bool explicit_local;  /* bind(2) gave it an address, which disconnecting keeps */
	_Atomic uint32_t shutdown;
	_Atomic uint32_t wmem; /* bytes of memory on their way, and one for the socket */
	struct ip_path path;   /* to the connected peer, while its generation is the newest; lock */
};

/* What a datagram in a queue knows. */
struct udp_cb {
	struct ip_info ip; /* first */
	uint16_t sport;
};
STATIC_ASSERT(sizeof(struct udp_cb) <= PKT_CB);

static struct inet_table table;
static struct slab_cache *cache;

static struct udp_sock *udp_of(struct socket *s)
{
	return container_of(s, struct udp_sock, i.s);
}

static struct udp_cb *udp_cb(const struct pkt *p)
{
	return (struct udp_cb *)(uintptr_t)p->cb;
}

static uint32_t weight(const struct pkt *p)
{
	return (uint32_t)sizeof(*p) + ((p->head != NULL) + p->nfrags) * (uint32_t)PAGE_SIZE;
}

/* --- the end --- */

static void free_now(struct epoch_head *h)
{
	slab_free(cache, container_of(h, struct udp_sock, i.epoch));
}

/* Gives back n of wmem. */
static void put_memory(struct udp_sock *u, uint32_t n)
{
	uint32_t before = atomic_fetch_sub(&u->wmem, n);

	if (before == n)
		epoch_free(&u->i.epoch, free_now);
}

static void udp_destroy(struct socket *s)
{
	put_memory(udp_of(s), 1);
}

static void udp_release(struct socket *s)
{
	struct list queue = LIST_INIT(queue);
	struct udp_sock *u = udp_of(s);

	inet_release_port(&u->i);
	spin_lock(&u->lock);
	u->closed = true;
	list_splice_tail(&queue, &u->queue);
	u->queued = 0;
	spin_unlock(&u->lock);
	pkt_free_list(&queue);
}

/* --- input --- */

/* How well a socket matches; 0: not at all. */
static unsigned score(const struct inet_sock *i, const struct ip_info *ip, uint16_t sport,
		      uint16_t dport, const struct netdev *d)
{
	unsigned n = 1;

	if (i->lport != dport || !inet_takes(i, &ip->dst, d))
		return 0;
	if (i->rport) {
		if (i->rport != sport || !ipv6_eq(&i->remote, &ip->src))
			return 0;
		n += 4;
	}
	n += addr_is_any(&i->local) ? 0 : 2;
	n += i->s.bound_if ? 2 : 0;
	return n * 2 + (i->s.family == AF_INET || !addr_is4(&ip->dst));
}

/* The best socket; NULL: none. Under an epoch. */
static struct udp_sock *lookup(const struct ip_info *ip, uint16_t sport, uint16_t dport,
			       const struct netdev *d)
{
	struct inet_sock *best = NULL, *i;
	unsigned most = 0, same = 0, n;

	for (i = inet_next(inet_bucket(&table, dport)); i; i = inet_next(&i->bind_next)) {
		n = score(i, ip, sport, dport, d);
		if (n > most) {
			most = n;
			best = i;
			same = 1;
		} else if (n && n == most && socket_has(&i->s, SOB_REUSEPORT)) {
			/* Of equals each flow always has the same. */
			if ((sport * 0x9e3779b1u >> 8) % ++same == 0)
				best = i;
		}
	}
	return best ? container_of(best, struct udp_sock, i) : NULL;
}

/* Queues p, which is at its UDP header; consumes it. */
static void enqueue(struct udp_sock *u, struct pkt *p)
{
	uint32_t keep = socket_filter(&u->i.s, p);
	bool v6 = !addr_is4(&ip_info(p)->dst);
	bool fits;

	if (keep == 0) {
		net_count_udp(v6, InErrors);
		pkt_drop(p, NET_DROP_socket_filter);
		return;
	}
	pkt_trim(p, MAX(keep, (uint32_t)UDP_HEADER));
	pkt_pull(p, UDP_HEADER);

	if (p->destroy) { /* it has arrived: the sender may send more */
		p->destroy(p);
		p->destroy = NULL;
	}
	if (socket_has(&u->i.s, SOB_TIMESTAMP | SOB_TIMESTAMPNS) && !p->time)
		p->time = clock_real();
	spin_lock(&u->lock);
	fits = u->queued + weight(p) <= u->i.s.rcvbuf && !u->closed;
	if (fits) {
		u->queued += weight(p);
		list_add_tail(&u->queue, &p->node);
	} else {
		u->dropped++;
	}
	spin_unlock(&u->lock);
	if (fits) {
		socket_wake(&u->i.s, &u->i.s.readable, EPOLLIN | EPOLLRDNORM);
	} else {
		net_count_udp(v6, InErrors);
		net_count_udp(v6, RcvbufErrors);
		pkt_drop(p, NET_DROP_rcvbuf);
	}
}

/* To all that match: each gets a copy. */
static void deliver_to_all(struct pkt *p, uint16_t sport, uint16_t dport)
{
	bool v6 = !addr_is4(&ip_info(p)->dst);
	unsigned found = 0;
	struct inet_sock *i;
	struct pkt *c;

	for (i = inet_next(inet_bucket(&table, dport)); i; i = inet_next(&i->bind_next)) {
		if (!score(i, ip_info(p), sport, dport, p->dev) || !(c = pkt_clone(p)))
			continue;
		enqueue(container_of(i, struct udp_sock, i), c);
		found++;
	}
	if (found) {
		pkt_free(p);
		return;
	}
	net_count_udp(v6, IgnoredMulti);
	pkt_drop(p, NET_DROP_no_port);
}

static void udp_input(struct pkt *p)
{
	bool v6 = !addr_is4(&ip_info(p)->dst);
	struct udp_header h;
	struct udp_sock *u;

	if (p->linear < UDP_HEADER || udp_parse(p->data, p->len, &h)) {
		net_count_udp(v6, InErrors);
		pkt_drop(p, NET_DROP_udp_header);
		return;
	}
	pkt_trim(p, h.len);
	if (h.checksum ? !ip_checksum_ok(p) : v6) {
		net_count_udp(v6, InErrors);
		net_count_udp(v6, InCsumErrors);
		pkt_drop(p, NET_DROP_checksum);
		return;
	}
	udp_cb(p)->sport = h.sport;
	epoch_enter();
	if (ip_info(p)->to != ROUTE_LOCAL) {
		deliver_to_all(p, h.sport, h.dport);
	} else if ((u = lookup(ip_info(p), h.sport, h.dport, p->dev))) {
		enqueue(u, p);
	} else {
		net_count_udp(v6, NoPorts);
		ip_send_unreachable(p, IP_UNREACH_PORT);
		pkt_drop(p, NET_DROP_no_port);
	}
	epoch_exit();
}

static void udp_error(const struct ip_info *sent, const uint8_t *data, uint32_t n, int err,
		      bool hard, uint32_t mtu)
{
	struct ip_info back = { .src = sent->dst, .dst = sent->src };
	struct udp_sock *u;

	(void)n, (void)mtu;
	epoch_enter();
	u = lookup(&back, be16_get(data + 2), be16_get(data), loopback_device);
	if (u && hard && u->i.rport) {
		atomic_store(&u->i.s.error, err);
		socket_wake_state(&u->i.s, EPOLLERR);
	}
	epoch_exit();
}

/* --- sending --- */

static void sent(struct pkt *p)
{
	struct udp_sock *u = p->owner;

	if (atomic_load(&u->wmem) > u->i.s.sndbuf / 2)
		socket_wake(&u->i.s, &u->i.s.writable, EPOLLOUT | EPOLLWRNORM);
	put_memory(u, p->charged);
}

static bool has_room(const struct udp_sock *u)
{
	return atomic_load(&u->wmem) <= u->i.s.sndbuf;
}

static bool may_send(struct socket *s)
{
	return has_room(udp_of(s)) || atomic_load(&s->error) ||
	       atomic_load(&udp_of(s)->shutdown) & SHUT_SND;
}

static int wait_for_room(struct udp_sock *u, uint32_t flags)
{
	struct socket *s = &u->i.s;
	nsec_t deadline;
	int err = 0;

	if (LIKELY(has_room(u)))
		return 0;
	deadline = socket_deadline(s->sndtimeo, flags & MSG_DONTWAIT);
	while (!err && !has_room(u)) {
		if ((err = socket_take_error(s)))
			break;
		if (atomic_load(&u->shutdown) & SHUT_SND)
			return -EPIPE;
		err = socket_wait(s, &s->writable, may_send, deadline);
	}
	return err;
}

/* Where a message goes. */
struct destination {
	struct ipv6_addr ip;
	uint16_t port;
	int scope;
	bool connected;
};

static int find_destination(struct udp_sock *u, const struct sockmsg *m, struct destination *d)
{
	int err;

	d->scope = 0;
	d->connected = !m->namelen;
	if (m->namelen) {
		err = inet_get_name(&u->i, m->name, m->namelen, &d->ip, &d->port, &d->scope);
		return err ? err : d->port ? 0 : -EINVAL;
	}
	if (!u->i.rport)
		return -EDESTADDRREQ;
	d->ip = u->i.remote;
	d->port = u->i.rport;
	return 0;
}

static int find_path(struct udp_sock *u, const struct destination *d, struct ip_path *path)
{
	struct socket *s = &u->i.s;
	bool known = false;
	int err;

	if (d->connected) {
		spin_lock(&u->lock);
		known = u->path.dev && u->path.generation == atomic_load(&ip_route_generation);
		if (known)
			*path = u->path;
		spin_unlock(&u->lock);
	}
	if (known)
		return 0;
	err = ip_route(&d->ip, &u->i.local, s->bound_if ? s->bound_if : d->scope, path);
	if (err)
		return err;
	if (d->connected) {
		spin_lock(&u->lock);
		u->path = *path;
		spin_unlock(&u->lock);
	}
	return 0;
}

static void charge(struct udp_sock *u, struct pkt *p)
{
	p->owner = u;
	p->destroy = sent;
	p->charged = weight(p);
	atomic_fetch_add(&u->wmem, p->charged);
}

static int transmit(struct udp_sock *u, struct pkt *p, const struct ip_path *path,
		    const struct destination *d)
{
	struct inet_sock *i = &u->i;
	bool group = path->type == ROUTE_MULTICAST;
	struct ip_send s = {
		.path = path,
		.src = path->source,
		.dst = UNLIKELY(addr_is_any(&d->ip)) ? path->next_hop : d->ip,
		.proto = IPPROTO_UDP_,
		.tos = i->tos,
		.dont_fragment = i->pmtu_mode >= IP_PMTUDISC_DO,
		.no_loop = group && !i->mc_loop,
	};
	int err;

	s.ttl = (uint8_t)(group ? (i->mc_ttl < 0 ? MC_TTL : i->mc_ttl) : i->ttl < 0 ? TTL : i->ttl);
	(void)pkt_push(p, UDP_HEADER);
	udp_build(p->data, i->lport, d->port, (uint16_t)p->len);
	pkt_set_transport(p);
	if (!i->no_check || !addr_is4(&d->ip))
		ip_set_checksum(p, &s, UDP_CHECKSUM);
	p->mark = i->s.mark;
	/* What goes through lo arrives before this returns. */
	if (!(path->dev->features & NETDEV_LOOPBACK))
		charge(u, p);
	err = ip_output(p, &s);
	net_run_deferred();
	return err;
}

static ssize64_t udp_send(struct socket *s, struct sockmsg *m)
{
	struct udp_sock *u = udp_of(s);
	size_t len = m->uio->resid;
	struct destination to;
	struct ip_path path;
	struct pkt *p;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (len > UDP_MAX)
		return -EMSGSIZE;
	if (atomic_load(&u->shutdown) & SHUT_SND)
		return -EPIPE;
	if ((err = socket_take_error(s)) || (err = find_destination(u, m, &to)) ||
	    (!u->i.lport && (err = inet_autobind(&u->i, NULL, NULL))) ||
	    (err = find_path(u, &to, &path)))
		return err;
	if (path.type == ROUTE_BROADCAST && !socket_has(s, SOB_BROADCAST))
		return -EACCES;
	if ((err = wait_for_room(u, m->flags)))
		return err;
	if (!(p = pkt_alloc()))
		return -ENOBUFS;
	if ((err = pkt_from_uio(p, m->uio, len))) {
		pkt_free(p);
		return err;
	}
	err = transmit(u, p, &path, &to);
	if (LIKELY(!err))
		net_count_udp(!addr_is4(&to.ip), OutDatagrams);
	else if (err == -ENOBUFS)
		net_count_udp(!addr_is4(&to.ip), SndbufErrors);
	return err ? err : (ssize64_t)len;
}

/* --- receiving --- */

static bool may_receive(struct socket *s)
{
	struct udp_sock *u = udp_of(s);

	return !list_is_empty(&u->queue) || atomic_load(&s->error) ||
	       atomic_load(&u->shutdown) & SHUT_RCV;
}

/* The first datagram, out of the queue; peeking, another one like it. NULL: none (or no memory). */
static struct pkt *take_first(struct udp_sock *u, bool peek)
{
	struct pkt *p = NULL;

	spin_lock(&u->lock);
	if (!list_is_empty(&u->queue)) {
		p = list_first(&u->queue, struct pkt, node);
		if (peek) {
			p = pkt_clone(p);
		} else {
			list_remove(&p->node);
			u->queued -= weight(p);
		}
	}
	spin_unlock(&u->lock);
	return p;
}

/* Copies p to the user; consumes it. */
static ssize64_t give(struct udp_sock *u, struct pkt *p, struct sockmsg *m)
{
	size_t n = MIN(m->uio->resid, (size_t)p->len);
	ssize64_t ret = (ssize64_t)(m->flags & MSG_TRUNC ? p->len : n);

	if (pkt_to_uio(p, 0, m->uio, n) < n) {
		ret = -EFAULT;
	} else {
		if (!(m->flags & MSG_PEEK))
			net_count_udp(!addr_is4(&ip_info(p)->src), InDatagrams);
		if (n < p->len)
			m->out_flags |= MSG_TRUNC;
		if (m->name)
			m->namelen = inet_put_name(&u->i, &ip_info(p)->src, udp_cb(p)->sport,
						   p->dev->index, m->name);
		if (UNLIKELY(p->time))
			sockmsg_put_timestamp(m, &u->i.s, p->time);
		inet_put_ancillary(&u->i, p, m);
	}
	pkt_free(p);
	return ret;
}

static ssize64_t udp_recv(struct socket *s, struct sockmsg *m)
{
	struct udp_sock *u = udp_of(s);
	nsec_t deadline;
	struct pkt *p;
	int err;

	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if ((p = take_first(u, m->flags & MSG_PEEK)))
		return give(u, p, m);
	deadline = socket_deadline(s->rcvtimeo, m->flags & MSG_DONTWAIT);
	for (;;) {
		if ((err = socket_take_error(s)))
			return err;
		if ((p = take_first(u, m->flags & MSG_PEEK)))
			return give(u, p, m);
		if (atomic_load(&u->shutdown) & SHUT_RCV)
			return 0;
		if ((err = socket_wait(s, &s->readable, may_receive, deadline)))
			return err;
	}
}

static uint32_t udp_poll(struct socket *s, struct poll_ctx *ctx)
{
	struct udp_sock *u = udp_of(s);
	uint32_t shutdown = atomic_load(&u->shutdown), events = 0;

	(void)ctx;
	if (atomic_load_explicit(&s->error, memory_order_relaxed))
		events |= EPOLLERR;
	if (shutdown == SHUT_BOTH)
		events |= EPOLLHUP;
	if (shutdown & SHUT_RCV)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (*(struct list *volatile *)&u->queue.next != &u->queue)
		events |= EPOLLIN | EPOLLRDNORM;
	if (atomic_load(&u->wmem) <= s->sndbuf / 2)
		events |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return events;
}

/* --- names --- */

static int udp_bind(struct socket *s, const void *addr, uint32_t len)
{
	struct udp_sock *u = udp_of(s);
	int err = inet_bind(&u->i, addr, len);

	if (!err)
		u->explicit_local = !addr_is_any(&u->i.local);
	return err;
}

static void disconnect(struct udp_sock *u)
{
	spin_lock(&table.lock);
	u->i.rport = 0;
	u->i.remote = inet_any(&u->i);
	if (!u->explicit_local)
		u->i.local = inet_any(&u->i);
	spin_unlock(&table.lock);
	spin_lock(&u->lock);
	u->path.dev = NULL;
	spin_unlock(&u->lock);
	if (u->i.auto_port)
		inet_release_port(&u->i);
}

static int udp_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	struct udp_sock *u = udp_of(s);
	struct ipv6_addr ip;
	struct ip_path path;
	uint16_t port;
	int scope, err;

	(void)nonblock;
	if (len < sizeof(uint16_t))
		return -EINVAL;
	if (((const struct abi_sockaddr *)addr)->sa_family == AF_UNSPEC) {
		disconnect(u);
		return 0;
	}
	if ((err = inet_get_name(&u->i, addr, len, &ip, &port, &scope)) ||
	    (err = ip_route(&ip, u->explicit_local ? &u->i.local : NULL,
			    s->bound_if ? s->bound_if : scope, &path)))
		return err;
	if (path.type == ROUTE_BROADCAST && !socket_has(s, SOB_BROADCAST))
		return -EACCES;
	if (!u->i.lport && (err = inet_autobind(&u->i, NULL, NULL)))
		return err;
	spin_lock(&table.lock);
	if (scope && !s->bound_if)
		s->bound_if = scope;
	u->i.local = path.source;
	u->i.remote = addr_is_any(&ip) ? path.next_hop : ip;
	u->i.rport = port;
	spin_unlock(&table.lock);
	spin_lock(&u->lock);
	u->path = path;
	spin_unlock(&u->lock);
	return 0;
}

static int udp_shutdown(struct socket *s, int how)
{
	static const uint32_t bits[] = { SHUT_RCV, SHUT_SND, SHUT_BOTH };
	struct udp_sock *u = udp_of(s);

	atomic_fetch_or(&u->shutdown, bits[how]);
	socket_wake_state(s, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP);
	return u->i.rport ? 0 : -ENOTCONN;
}

/* --- options --- */

static int udp_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len)
{
	return inet_setsockopt(inet_of(s), level, name, val, len);
}

static int udp_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	return inet_getsockopt(inet_of(s), level, name, val, len);
}

static int64_t udp_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct udp_sock *u = udp_of(s);
	uint32_t n = 0;

	switch (cmd) {
	case FIONREAD:
		spin_lock(&u->lock);
		if (!list_is_empty(&u->queue))
			n = list_first(&u->queue, struct pkt, node)->len;
		spin_unlock(&u->lock);
		break;
	case TIOCOUTQ:
		n = atomic_load(&u->wmem) - 1;
		break;
	default:
		return -ENOTTY;
	}
	return put_user_u32(UADDR(arg), n);
}

static const struct socket_ops udp_ops = {
	.release = udp_release,
	.destroy = udp_destroy,
	.bind = udp_bind,
	.connect = udp_connect,
	.getname = inet_getname,
	.shutdown = udp_shutdown,
	.send = udp_send,
	.recv = udp_recv,
	.poll = udp_poll,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.ioctl = udp_ioctl,
	.flags = SOCKET_TIMESTAMPS | SOCKET_FILTERS,
};

int udp_create(int family, struct socket **out)
{
	struct udp_sock *u = slab_zalloc(cache);

	if (!u)
		return -ENOMEM;
	inet_sock_init(&u->i, &udp_ops, family, SOCK_DGRAM, IPPROTO_UDP, &table);
	spin_init(&u->lock, RANK_INETQ);
	list_init(&u->queue);
	atomic_init(&u->wmem, 1);
	*out = &u->i.s;
	return 0;
}

static bool udp_next(uint64_t *key, struct inet_shown *out, struct abi_tcp_info *info)
{
	struct inet_sock *i;
	struct udp_sock *u;
	uint32_t slot;

	(void)info;
	epoch_enter();
	if ((i = inet_table_next(&table, key, &slot)) != NULL) {
		u = container_of(i, struct udp_sock, i);
		inet_show_common(i, out);
		out->slot = slot;
		out->rqueue = out->rmem = u->queued;
		out->wqueue = out->wmem = MAX(atomic_load(&u->wmem), 1u) - 1;
		out->drops = u->dropped;
		out->shutdown = (uint8_t)atomic_load(&u->shutdown);
	}
	epoch_exit();
	return i != NULL;
}

void udp_init(void)
{
	static struct inet_shower show = { .protocol = IPPROTO_UDP, .next = udp_next };
	static struct ip_protocol udp = { .proto = IPPROTO_UDP_,
					  .input = udp_input,
					  .error = udp_error };

	cache = slab_cache_create("udp", sizeof(struct udp_sock), 64, NULL);
	inet_table_init(&table, false);
	ip_protocol_register(&udp);
	inet_show_register(&show);
}

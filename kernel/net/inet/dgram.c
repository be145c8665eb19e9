/* Sockets of datagrams. See dgram.h. */

#include "net/inet/dgram.h"

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/in.h"
#include "abi/ioctl.h"
#include "abi/sock_diag.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/mcast.h"
#include "net/inet/pmtu.h"
#include "net/inet/show.h"
#include "net/inet/stats.h"
#include "net/netif.h"
#include "net/trace.h"
#include "pmm/slab.h"
#include "vfs/poll.h"
#include "vm/uio.h"
#include "vm/usercopy.h"

void dgram_init(struct dgram_sock *d, const struct dgram_ops *ops)
{
	d->ops = ops;
	spin_init(&d->lock, RANK_INETQ);
	list_init(&d->queue);
	atomic_init(&d->wmem, 1);
}

/* --- the end --- */

static void free_now(struct epoch_head *h)
{
	struct dgram_sock *d = container_of(h, struct dgram_sock, i.epoch);

	inet_errq_purge(&d->i.errq); /* nobody adds any more */
	slab_free(*d->ops->cache, d);
}

/* Gives back n of wmem. */
static void put_memory(struct dgram_sock *d, uint32_t n)
{
	if (atomic_fetch_sub(&d->wmem, n) == n)
		epoch_free(&d->i.epoch, free_now);
}

void dgram_destroy(struct socket *s)
{
	put_memory(dgram_of(s), 1);
}

void dgram_release(struct socket *s)
{
	struct list queue = LIST_INIT(queue);
	struct dgram_sock *d = dgram_of(s);

	inet_mcast_release(&d->i);
	spin_lock(&d->lock);
	d->closed = true;
	list_splice_tail(&queue, &d->queue);
	d->queued = 0;
	spin_unlock(&d->lock);
	pkt_free_list(&queue);
}

/* --- in --- */

static NOINLINE void drop_full(const struct dgram_sock *d, struct pkt *p)
{
	bool v6 = !addr_is4(&ip_info(p)->dst);

	if (d->ops->is_udp) {
		net_count_udp(d->ops->is_lite, v6, InErrors);
		net_count_udp(d->ops->is_lite, v6, RcvbufErrors);
	}
	pkt_drop(p, NET_DROP_rcvbuf);
}

void dgram_enqueue(struct dgram_sock *d, struct pkt *p)
{
	uint32_t bytes = pkt_weight(p);
	bool fits;

	if (p->destroy) { /* it has arrived: the sender may send more */
		p->destroy(p);
		p->destroy = NULL;
	}
	if (socket_has(&d->i.s, SOB_TIMESTAMP | SOB_TIMESTAMPNS | SOB_TIMESTAMPING) && !p->time)
		p->time = clock_real();
	spin_lock(&d->lock);
	fits = d->queued + bytes <= d->i.s.rcvbuf && !d->closed;
	if (LIKELY(fits)) {
		dgram_cb(p)->dropped = d->dropped;
		d->queued += bytes;
		list_add_tail(&d->queue, &p->node);
	} else {
		d->dropped++;
	}
	spin_unlock(&d->lock);
	if (LIKELY(fits))
		socket_wake(&d->i.s, &d->i.s.readable, EPOLLIN | EPOLLRDNORM);
	else
		drop_full(d, p);
}

static bool may_receive(struct socket *s)
{
	struct dgram_sock *d = dgram_of(s);

	return *(struct list *volatile *)&d->queue.next != &d->queue || atomic_load(&s->error) ||
	       atomic_load(&d->shutdown) & DGRAM_SHUT_RCV;
}

/* The first datagram, out of the queue. NULL: none. */
static struct pkt *take_first(struct dgram_sock *d)
{
	struct pkt *p = NULL;

	if (*(struct list *volatile *)&d->queue.next == &d->queue)
		return NULL;
	spin_lock(&d->lock);
	if (LIKELY(!list_is_empty(&d->queue))) {
		p = list_first(&d->queue, struct pkt, node);
		list_remove(&p->node);
		d->queued -= pkt_weight(p);
	}
	spin_unlock(&d->lock);
	return p;
}

/* Another one like the first, or like the one at SO_PEEK_OFF; *skip: bytes of it to pass over.
 * 0; -EAGAIN; -ENOMEM. */
static int peek(struct dgram_sock *d, struct pkt **out, uint32_t *skip)
{
	int32_t off = atomic_load(&d->i.s.peek_off);
	struct pkt *p;
	int err = -EAGAIN;

	*skip = off > 0 ? (uint32_t)off : 0;
	spin_lock(&d->lock);
	list_for_each (p, &d->queue, node) {
		if (*skip && *skip >= p->len) {
			*skip -= p->len;
			continue;
		}
		*out = pkt_clone(p);
		err = *out ? 0 : -ENOMEM;
		if (*out)
			memcpy((*out)->cb, p->cb, sizeof(p->cb));
		break;
	}
	spin_unlock(&d->lock);
	return err;
}

static void move_peek_off(struct socket *s, size_t n, bool forward)
{
	int32_t off = atomic_load_explicit(&s->peek_off, memory_order_relaxed);

	if (LIKELY(off < 0))
		return;
	if (forward)
		atomic_store(&s->peek_off, off + (int32_t)n);
	else
		atomic_store(&s->peek_off, off > (int32_t)n ? off - (int32_t)n : 0);
}

static void tell_about(struct dgram_sock *d, const struct pkt *p, struct sockmsg *m)
{
	const struct dgram_cb *cb = dgram_cb(p);
	uint32_t dropped = cb->dropped;

	sockmsg_put_mark(m, &d->i.s, p->mark);
	if (m->name)
		m->namelen = inet_put_name(&d->i, &cb->ip.src, cb->port, p->dev->index, m->name);
	if (UNLIKELY(p->time))
		sockmsg_put_timestamp(m, &d->i.s, p->time);
	if (UNLIKELY(dropped && socket_has(&d->i.s, SOB_RXQ_OVFL)))
		sockmsg_put_control(m, SOL_SOCKET, SO_RXQ_OVFL, &dropped, sizeof(dropped));
	inet_put_ancillary(&d->i, &cb->ip, p->dev->index, d->i.lport, m);
}

/* Copies p to the user; consumes it. */
static ssize64_t give(struct dgram_sock *d, struct pkt *p, struct sockmsg *m, uint32_t skip)
{
	size_t rest = p->len - skip, n = MIN(m->uio->resid, rest);
	ssize64_t ret = (ssize64_t)(m->flags & MSG_TRUNC ? rest : n);

	if (n && pkt_to_uio(p, skip, m->uio, n) < n) {
		ret = -EFAULT;
	} else {
		if (n < rest)
			m->out_flags |= MSG_TRUNC;
		tell_about(d, p, m);
		if (LIKELY(!(m->flags & MSG_PEEK) && d->ops->is_udp))
			net_count_udp(d->ops->is_lite, !addr_is4(&ip_info(p)->src), InDatagrams);
		move_peek_off(&d->i.s, m->flags & MSG_PEEK ? n : p->len, m->flags & MSG_PEEK);
	}
	pkt_free(p);
	return ret;
}

ssize64_t dgram_recv(struct socket *s, struct sockmsg *m)
{
	struct dgram_sock *d = dgram_of(s);
	nsec_t deadline = -1;
	uint32_t skip = 0;
	struct pkt *p;
	int err;

	if (UNLIKELY(m->flags & MSG_ERRQUEUE))
		return inet_errq_recv(&d->i, m);
	for (;;) {
		if ((err = socket_take_error(s)))
			return err;
		if (LIKELY(!(m->flags & MSG_PEEK))) {
			p = take_first(d);
		} else {
			p = NULL;
			if ((err = peek(d, &p, &skip)) == -ENOMEM)
				return err;
		}
		if (p)
			return give(d, p, m, skip);
		if (atomic_load(&d->shutdown) & DGRAM_SHUT_RCV)
			return 0;
		if (deadline < 0)
			deadline = socket_deadline(s->rcvtimeo, m->flags & MSG_DONTWAIT);
		if ((err = socket_wait(s, &s->readable, may_receive, deadline)))
			return err;
	}
}

uint32_t dgram_poll(struct socket *s, struct poll_ctx *ctx)
{
	struct dgram_sock *d = dgram_of(s);
	uint32_t shutdown = atomic_load(&d->shutdown), events = 0;

	(void)ctx;
	events |= inet_errq_poll(&d->i);
	if (shutdown == DGRAM_SHUT_BOTH)
		events |= EPOLLHUP;
	if (shutdown & DGRAM_SHUT_RCV)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (*(struct list *volatile *)&d->queue.next != &d->queue)
		events |= EPOLLIN | EPOLLRDNORM;
	if (atomic_load(&d->wmem) <= s->sndbuf / 2)
		events |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return events;
}

void dgram_icmp_error(struct dgram_sock *d, const struct ip_info *sent, uint16_t port,
		      const struct ip_error *e, struct pkt *back)
{
	bool v4 = addr_is4(&sent->dst), hard = e->hard;
	uint8_t mode = v4 ? d->i.pmtu_mode : d->i.pmtu_mode6;
	struct inet_error q = {
		.ee = { .ee_errno = (uint32_t)e->err,
			.ee_origin = v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6,
			.ee_type = e->type,
			.ee_code = e->code,
			.ee_info = e->mtu },
		.offender = e->offender,
		.dst = sent->dst,
		.port = port,
		.ifindex = e->dev->index,
	};

	if (e->local) /* the neighbour does not answer: nobody sent a message */
		q.ee.ee_origin = SO_EE_ORIGIN_ICMP;
	if (e->err == EMSGSIZE) {
		hard = mode != IP_PMTUDISC_DONT;
		if (mode == IP_PMTUDISC_WANT || mode == IP_PMTUDISC_DO)
			inet_pmtu_learn(&sent->dst, e->mtu, e->dev->mtu, e->dev->mtu);
	}
	if (d->i.recv & (v4 ? INET_RECV_ERR : INET_RECV_ERR6)) {
		inet_errq_add(&d->i, &q, back);
	} else {
		pkt_free(back);
		if (!hard || addr_is_any(&d->i.remote))
			return;
	}
	atomic_store(&d->i.s.error, e->err);
	socket_wake_state(&d->i.s, EPOLLERR);
}

/* --- out --- */

static void sent(struct pkt *p)
{
	struct dgram_sock *d = p->owner;

	if (atomic_load(&d->wmem) > d->i.s.sndbuf / 2)
		socket_wake(&d->i.s, &d->i.s.writable, EPOLLOUT | EPOLLWRNORM);
	put_memory(d, p->charged);
}

static bool has_room(const struct dgram_sock *d)
{
	return atomic_load_explicit(&d->wmem, memory_order_relaxed) <= d->i.s.sndbuf;
}

static bool may_send(struct socket *s)
{
	return has_room(dgram_of(s)) || atomic_load(&s->error) ||
	       atomic_load(&dgram_of(s)->shutdown) & DGRAM_SHUT_SND;
}

int dgram_wait_for_room(struct dgram_sock *d, uint32_t flags)
{
	struct socket *s = &d->i.s;
	nsec_t deadline;
	int err = 0;

	if (LIKELY(has_room(d)))
		return 0;
	deadline = socket_deadline(s->sndtimeo, flags & MSG_DONTWAIT);
	while (!err && !has_room(d)) {
		if ((err = socket_take_error(s)))
			break;
		if (atomic_load(&d->shutdown) & DGRAM_SHUT_SND)
			return -EPIPE;
		err = socket_wait(s, &s->writable, may_send, deadline);
	}
	return err;
}

static bool has_peer(const struct dgram_sock *d)
{
	return d->i.rport || ((d->ops->no_ports || d->ops->any_port) && !addr_is_any(&d->i.remote));
}

static int find_destination(struct dgram_sock *d, const struct sockmsg *m, struct dgram_send *s)
{
	int scope = 0, err;

	s->connected = !m->namelen;
	if (m->namelen) {
		err = inet_get_name(&d->i, m->name, m->namelen, &s->to, &s->port, &scope);
		if (err)
			return err;
		s->c.oif = scope;
		return s->port || d->ops->no_ports || d->ops->any_port ? 0 : -EINVAL;
	}
	if (!has_peer(d))
		return -EDESTADDRREQ;
	s->to = d->i.remote;
	s->port = d->i.rport;
	return 0;
}

/* The way of one message that has its own address or control data. */
static int route(struct dgram_sock *d, struct dgram_send *s, bool dontroute)
{
	const struct inet_sock *i = &d->i;
	bool v4 = addr_is4(&s->to), group = addr_is_multicast(&s->to);
	struct ipv6_addr source = i->local;
	int oif = i->s.bound_if ? i->s.bound_if : s->c.oif, err;

	if (s->c.oif)
		oif = s->c.oif;
	if (!ipv6_is_unspecified(&s->c.source)) {
		source = s->c.source;
		if (!i->freebind && !i->transparent &&
		    ip_address_type(&source, NULL) != ROUTE_LOCAL)
			return v4 ? -ENETUNREACH : -EINVAL;
	} else if (group && v4 && addr_is_any(&source) && !addr_is_any(&i->mc_source)) {
		source = i->mc_source;
	}
	if (!oif && group)
		oif = v4 ? i->mc_if : i->mc_if6;
	else if (!oif && !s->connected)
		oif = v4 ? i->unicast_if : i->unicast_if6;
	/* A group or everybody cannot have sent it. */
	if (!addr_is_any(&source) && (addr_is_multicast(&source) || addr_is4(&source) != v4))
		source = v4 ? addr_from4(0) : (struct ipv6_addr){ { 0 } };
	if ((err = ip_route(&s->to, &source, oif, &s->path)))
		return err;
	if (dontroute && s->path.type == ROUTE_UNICAST && !ipv6_eq(&s->path.next_hop, &s->to))
		return -ENETUNREACH;
	return s->path.type == ROUTE_BROADCAST && !socket_has(&i->s, SOB_BROADCAST) ? -EACCES : 0;
}

/* The way to the peer: as it was the last time, unless something changed. */
static int route_to_peer(struct dgram_sock *d, struct dgram_send *s)
{
	uint32_t generation = atomic_load_explicit(&ip_route_generation, memory_order_acquire);
	bool known;
	int err;

	spin_lock(&d->lock);
	known = d->path.dev && d->path.generation == generation && d->path_oif == d->i.s.bound_if &&
		ipv6_eq(&d->i.remote, &s->to);
	if (LIKELY(known))
		s->path = d->path;
	spin_unlock(&d->lock);
	if (LIKELY(known))
		return 0;
	if ((err = route(d, s, socket_has(&d->i.s, SOB_DONTROUTE))))
		return err;
	spin_lock(&d->lock);
	d->path = s->path;
	d->path_oif = d->i.s.bound_if;
	spin_unlock(&d->lock);
	return 0;
}

int dgram_prepare(struct dgram_sock *d, const struct sockmsg *m, struct dgram_send *s)
{
	bool dontroute = m->flags & MSG_DONTROUTE;
	int err;

	s->c = (struct inet_control){ .ttl = -1,
				      .tos = -1,
				      .dontfrag = -1,
				      .mark = d->i.s.mark,
				      .ts_flags = d->i.s.ts_flags };
	if (UNLIKELY(m->flags & MSG_OOB))
		return -EOPNOTSUPP;
	if ((err = find_destination(d, m, s)))
		return err;
	if (UNLIKELY(m->control_len) && (err = inet_get_control(&d->i, m, addr_is4(&s->to), &s->c)))
		return err;
	if (UNLIKELY(!d->i.lport) && d->ops->autobind && (err = d->ops->autobind(d)))
		return err;
	if (s->connected && LIKELY(!m->control_len && !dontroute))
		err = route_to_peer(d, s);
	else
		err = route(d, s, dontroute || socket_has(&d->i.s, SOB_DONTROUTE));
	if (err)
		return err;
	if ((err = socket_take_error(&d->i.s)))
		return err;
	return atomic_load_explicit(&d->shutdown, memory_order_relaxed) & DGRAM_SHUT_SND ? -EPIPE
											 : 0;
}

void dgram_set_send(const struct dgram_sock *d, const struct dgram_send *s, uint8_t proto,
		    struct ip_send *out)
{
	*out = (struct ip_send){ .path = &s->path, .src = s->path.source, .proto = proto };
	out->dst = UNLIKELY(addr_is_any(&s->to)) ? s->path.next_hop : s->to;
	inet_set_send(&d->i, out);
	if (UNLIKELY(s->c.ttl >= 0))
		out->ttl = (uint8_t)s->c.ttl;
	if (UNLIKELY(s->c.tos >= 0))
		out->tos = (uint8_t)s->c.tos;
	if (UNLIKELY(s->c.dontfrag >= 0))
		out->cut = s->c.dontfrag ? IP_CUT_NEVER : IP_CUT;
}

/* ip(7) IP_RECVERR: errors found here are queued too. */
static void queue_local_error(struct dgram_sock *d, const struct dgram_send *s, uint32_t mtu)
{
	bool v4 = addr_is4(&s->to);
	struct inet_error e = {
		.ee = { .ee_errno = EMSGSIZE, .ee_origin = SO_EE_ORIGIN_LOCAL, .ee_info = mtu },
		.dst = s->to,
		.port = s->port,
		.ifindex = s->path.dev->index,
	};

	if (d->i.recv & (v4 ? INET_RECV_ERR : INET_RECV_ERR6))
		inet_errq_add(&d->i, &e, NULL);
}

int dgram_check_size(struct dgram_sock *d, const struct dgram_send *s, const struct ip_send *out,
		     size_t len)
{
	bool v4 = addr_is4(&s->to);
	size_t whole = len + (v4 ? IPV4_HEADER : IPV6_HEADER);
	uint32_t most = v4 ? IP_MAX_LEN : IP_MAX_LEN + IPV6_HEADER;

	if (out->cut == IP_CUT_NEVER)
		most = MIN(most, out->mtu);
	if (LIKELY(whole <= most))
		return 0;
	queue_local_error(d, s, out->mtu);
	return -EMSGSIZE;
}

static void charge(struct dgram_sock *d, struct pkt *p, const struct ip_path *path)
{
	/* What goes through lo arrives before the call returns. */
	if (path->dev->features & NETDEV_LOOPBACK && !p->stamp)
		return;
	p->owner = d;
	p->destroy = sent;
	p->charged = pkt_weight(p);
	atomic_fetch_add(&d->wmem, p->charged);
}

/* A full queue is the network's affair, unless the user wants to know: ip(7). */
static int result(const struct dgram_sock *d, int err)
{
	return err == -ENOBUFS && !(d->i.recv & (INET_RECV_ERR | INET_RECV_ERR6)) ? 0 : err;
}

int dgram_output(struct dgram_sock *d, struct pkt *p, const struct ip_send *out)
{
	int err;

	charge(d, p, out->path);
	err = ip_output(p, out);
	net_run_deferred();
	return LIKELY(!err) ? 0 : result(d, err);
}

int dgram_output_whole(struct dgram_sock *d, struct pkt *p, const struct ip_path *path,
		       uint16_t type)
{
	int err;

	charge(d, p, path);
	err = neighbour_output(p, path, type);
	net_run_deferred();
	return result(d, err);
}

/* --- names --- */

static void forget_path(struct dgram_sock *d)
{
	spin_lock(&d->lock);
	d->path.dev = NULL;
	spin_unlock(&d->lock);
}

static void disconnect(struct dgram_sock *d)
{
	bool release;

	spin_lock(d->ops->names);
	d->i.rport = 0;
	d->i.remote = inet_any(&d->i);
	if (!d->i.explicit_local)
		d->i.local = inet_any(&d->i);
	release = d->i.lport && d->i.auto_port && !d->ops->no_ports;
	if (d->ops->place_locked)
		d->ops->place_locked(d);
	spin_unlock(d->ops->names);
	forget_path(d);
	if (release) {
		inet_release_port(&d->i);
		spin_lock(d->ops->names);
		if (d->ops->place_locked)
			d->ops->place_locked(d);
		spin_unlock(d->ops->names);
	}
}

/* Where a peer's address leads, from which of ours. */
static int find_peer(struct dgram_sock *d, const struct dgram_send *to, struct ip_path *path)
{
	struct inet_sock *i = &d->i;
	bool v4 = addr_is4(&to->to), group = addr_is_multicast(&to->to);
	int oif = i->s.bound_if ? i->s.bound_if : to->c.oif, err;

	if (!oif && group)
		oif = v4 ? i->mc_if : i->mc_if6;
	if (!oif && !group)
		oif = v4 ? i->unicast_if : i->unicast_if6;
	if (i->explicit_local && addr_is4(&i->local) != v4 && i->s.family == AF_INET6)
		return addr_is4(&i->local) ? -EINVAL : -ENETUNREACH;
	err = ip_route(&to->to,
		       i->explicit_local && !addr_is_multicast(&i->local) ? &i->local : NULL, oif,
		       path);
	if (!err && path->type == ROUTE_BROADCAST && !socket_has(&i->s, SOB_BROADCAST))
		err = -EACCES;
	return err;
}

int dgram_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	struct dgram_sock *d = dgram_of(s);
	struct dgram_send to = { .connected = true };
	struct ip_path path;
	int err;

	(void)nonblock;
	if (len < sizeof(uint16_t))
		return -EINVAL;
	if (((const struct abi_sockaddr *)addr)->sa_family == AF_UNSPEC) {
		disconnect(d);
		return 0;
	}
	if ((err = inet_get_name(&d->i, addr, len, &to.to, &to.port, &to.c.oif)) ||
	    (err = find_peer(d, &to, &path)))
		return err;
	if (!d->i.lport && d->ops->autobind && (err = d->ops->autobind(d)))
		return err;
	spin_lock(d->ops->names);
	if (to.c.oif && !s->bound_if)
		s->bound_if = to.c.oif;
	if (!d->i.explicit_local)
		d->i.local = path.source;
	d->i.remote = addr_is_any(&to.to) ? path.next_hop : to.to;
	d->i.rport = to.port;
	if (d->ops->place_locked)
		d->ops->place_locked(d);
	spin_unlock(d->ops->names);
	forget_path(d);
	return 0;
}

int dgram_shutdown(struct socket *s, int how)
{
	static const uint32_t bits[] = { DGRAM_SHUT_RCV, DGRAM_SHUT_SND, DGRAM_SHUT_BOTH };
	struct dgram_sock *d = dgram_of(s);

	atomic_fetch_or(&d->shutdown, bits[how]);
	socket_wake_state(s, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP);
	return has_peer(d) ? 0 : -ENOTCONN;
}

int64_t dgram_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct dgram_sock *d = dgram_of(s);
	uint32_t n = 0;

	switch (cmd) {
	case FIONREAD:
		spin_lock(&d->lock);
		if (!list_is_empty(&d->queue))
			n = list_first(&d->queue, struct pkt, node)->len;
		spin_unlock(&d->lock);
		break;
	case TIOCOUTQ:
		n = atomic_load(&d->wmem) - 1;
		break;
	default:
		return -ENOTTY;
	}
	return put_user_u32(UADDR(arg), n);
}

void dgram_show(const struct dgram_sock *d, struct inet_shown *out)
{
	uint32_t slot = out->slot;

	inet_show_common(&d->i, out);
	out->slot = slot;
	out->rqueue = out->rmem = d->queued;
	out->wqueue = out->wmem = MAX(atomic_load(&d->wmem), 1u) - 1;
	out->drops = d->dropped;
	out->shutdown = (uint8_t)atomic_load(&d->shutdown);
}

void dgram_meminfo(struct socket *s, uint32_t info[])
{
	struct dgram_sock *d = dgram_of(s);

	info[SK_MEMINFO_RMEM_ALLOC] = d->queued;
	info[SK_MEMINFO_WMEM_ALLOC] = atomic_load(&d->wmem) - 1;
	info[SK_MEMINFO_DROPS] = d->dropped;
}

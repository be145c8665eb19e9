/*
 * Listeners: requests (or cookies), and the children that accept(2) takes. A request and its child
 * are the listener's, under its lock; input finds the request in the table, and the child takes the
 * request's place there while both locks are held.
 *
 *   source       listen(2), accept(2), tcp(7), RFC 9293 3.10.7.2, RFC 4987
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "core/random.h"
#include "net/inet/inet_priv.h"
#include "net/inet/stats.h"
#include "net/inet/tcp_sock.h"
#include "net/inet/tcp_sysctl.h"
#include "net/netif.h"
#include "pmm/slab.h"

enum { BUCKETS = 256 };
#define COOKIES_FOR (4 * 60 * NSEC_PER_SEC) /* an answer to a cookie comes within */
#define TIMER_STEP  (50 * NSEC_PER_MSEC)    /* requests are looked at no oftener */

static struct tcp_sock *listeners[BUCKETS]; /* by port; listen_lock; read under an epoch */
static struct spinlock listen_lock = SPINLOCK(TCPHASH);

/* --- finding --- */

static struct tcp_sock *load(struct tcp_sock *const *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/* The more of its address is said, the better; 0: not for it. */
static unsigned score(const struct tcp_sock *l, const struct flow_key *key, const struct netdev *d)
{
	if (l->i.lport != key->lport || l->phase != TCPS_LISTEN ||
	    !inet_takes(&l->i, &key->local, d))
		return 0;
	return 1 + 4 * !addr_is_any(&l->i.local) + 2 * !!l->i.s.bound_if +
	       (addr_is4(&l->i.local) == addr_is4(&key->local));
}

struct tcp_sock *tcps_find_listener(const struct flow_key *key, const struct pkt *p, uint32_t hash)
{
	struct tcp_sock *const *head = &listeners[key->lport % BUCKETS], *best = NULL;
	unsigned best_score = 0, n = 0, s;

	for (struct tcp_sock *l = load(head); l; l = load(&l->listen_next)) {
		if (!(s = score(l, key, p->dev)) || s < best_score)
			continue;
		/* Of equal ones (SO_REUSEPORT), each gets its share by the connection's hash. */
		n = s == best_score ? n + 1 : 1;
		if (n == 1 || (uint32_t)((hash * 0x9e3779b1u + n) * 0x85ebca6bu) % n == 0)
			best = l;
		best_score = s;
	}
	return best;
}

static void hash_listener(struct tcp_sock *l)
{
	struct tcp_sock **head = &listeners[l->i.lport % BUCKETS];

	spin_lock(&listen_lock);
	l->listen_next = *head;
	__atomic_store_n(head, l, __ATOMIC_RELEASE);
	spin_unlock(&listen_lock);
}

struct tcp_sock *tcps_next_listener(uint64_t *cursor)
{
	uint64_t bucket = *cursor >> 32, seen = *cursor & UINT32_MAX, i;
	struct tcp_sock *l;

	for (; bucket < BUCKETS; bucket++, seen = 0) {
		for (l = load(&listeners[bucket]), i = 0; l && i < seen; i++)
			l = load(&l->listen_next);
		if (l) {
			*cursor = bucket << 32 | (seen + 1);
			return l;
		}
	}
	*cursor = bucket << 32;
	return NULL;
}

static void unhash_listener(struct tcp_sock *l)
{
	struct tcp_sock **at = &listeners[l->i.lport % BUCKETS];

	spin_lock(&listen_lock);
	while (*at && *at != l)
		at = &(*at)->listen_next;
	if (*at)
		__atomic_store_n(at, l->listen_next, __ATOMIC_RELEASE);
	spin_unlock(&listen_lock);
}

/* --- requests --- */

static void free_now(struct epoch_head *h)
{
	kfree(container_of(h, struct tcp_request, epoch));
}

/* Out of the listener's list; still in the table. */
static void unlink_request(struct tcp_sock *l, struct tcp_request *r)
{
	r->dead = true;
	list_remove(&r->node);
	l->nrequests--;
}

static void drop_request(struct tcp_sock *l, struct tcp_request *r)
{
	unlink_request(l, r);
	tcps_remove(&r->ep);
	epoch_free(&r->epoch, free_now);
}

static void reply_of(const struct tcp_sock *l, const struct tcp_request *r, struct tcps_reply *out)
{
	bool v4 = addr_is4(&r->ep.key.remote);
	int16_t ttl = v4 ? l->i.ttl : l->i.hops;

	*out = (struct tcps_reply){
		.key = &r->ep.key,
		.ifindex = r->ifindex,
		.mark = l->i.s.mark,
		.tos = v4 ? l->i.tos : l->i.tclass,
		.ttl = (uint8_t)MAX(ttl, 0),
	};
}

static void send_synack(const struct tcp_sock *l, struct tcp_request *r, nsec_t now)
{
	struct tcps_reply to;
	struct tcp_seg out;

	reply_of(l, r, &to);
	tcp_req_synack(&r->r, now, &out);
	tcps_reply(&to, &out);
}

static bool queue_is_full(const struct tcp_sock *l)
{
	return l->nchildren > l->backlog;
}

/* What the connection of r would be made with. */
static int config_of(const struct tcp_sock *l, const struct flow_key *key, int ifindex,
		     struct ip_path *path, struct tcp_config *cfg)
{
	int err = ip_route(&key->remote, &key->local, ifindex, path);

	if (err)
		return err;
	tcps_config(l, path, key, cfg);
	cfg->ecn = tcp_ecn != 0;
	cfg->syn_retries = l->syn_retries ? l->syn_retries : (uint8_t)tcp_synack_retries;
	return 0;
}

static void arm(struct tcp_sock *l, nsec_t deadline)
{
	if (deadline < atomic_load_explicit(&l->timer.deadline, memory_order_relaxed))
		tcps_timer_set(&l->timer, deadline);
}

static struct tcp_request *make_request(struct tcp_sock *l, const struct flow_key *key,
					const struct tcp_seg *s, uint32_t isn_min, nsec_t now)
{
	struct tcp_request *r = kzalloc(sizeof(*r));
	struct tcp_config cfg;
	struct ip_path path;

	if (!r)
		return NULL;
	r->ep.kind = TCP_EP_REQUEST;
	r->ep.key = *key;
	r->ep.hash = tcps_hash(key);
	r->ifindex = l->i.s.bound_if ? l->i.s.bound_if : (int32_t)key->ifindex;
	r->listener = l;
	r->since = now;
	list_init(&r->node);
	if (config_of(l, key, r->ifindex, &path, &cfg)) {
		kfree(r);
		return NULL;
	}
	tcps_first_numbers(&cfg, key, isn_min, now);
	tcp_req_init(&r->r, &cfg, s, now);
	return r;
}

/* The request list is full: what there is to know goes into the SYN-ACK. */
static void send_cookie(struct tcp_sock *l, struct tcp_request *r, nsec_t now)
{
	tcp_cookie_make(&r->r, tcps_secret(), &r->ep.key, sizeof(r->ep.key), now);
	l->cookies = true;
	l->cookies_at = now;
	send_synack(l, r, now);
	net_count(STAT_TcpExt_SyncookiesSent);
	kfree(r);
}

static void take_syn(struct tcp_sock *l, const struct flow_key *key, const struct tcp_seg *s,
		     uint32_t isn_min, nsec_t now)
{
	bool cookie = tcp_syncookies == 2 || l->nrequests >= l->backlog;
	struct tcp_request *r;

	if (queue_is_full(l)) {
		net_count(STAT_TcpExt_ListenOverflows);
		net_count(STAT_TcpExt_ListenDrops);
		return;
	}
	if (cookie && !tcp_syncookies && l->nrequests >= MAX(l->backlog, 1u)) {
		net_count(STAT_TcpExt_ListenDrops);
		return;
	}
	if (!(r = make_request(l, key, s, isn_min, now)))
		return;
	if (cookie && tcp_syncookies && (l->nrequests || tcp_syncookies == 2)) {
		send_cookie(l, r, now);
		return;
	}
	if (tcps_insert(&r->ep)) { /* its twin was faster */
		kfree(r);
		return;
	}
	list_add_tail(&l->requests, &r->node);
	l->nrequests++;
	send_synack(l, r, now);
	arm(l, r->r.resend_at);
}

/* --- children --- */

static void inherit(struct tcp_sock *c, const struct tcp_sock *l)
{
	struct socket *s = &c->i.s;
	const struct socket *from = &l->i.s;

	atomic_store(&s->bits, atomic_load(&from->bits));
	s->sndbuf = from->sndbuf;
	s->rcvbuf = from->rcvbuf;
	s->rcvlowat = from->rcvlowat;
	s->sndtimeo = from->sndtimeo;
	s->rcvtimeo = from->rcvtimeo;
	s->linger_s = from->linger_s;
	s->priority = from->priority;
	s->mark = from->mark;
	s->bound_if = from->bound_if;
	s->inode.uid = from->inode.uid;
	s->inode.gid = from->inode.gid;
	c->i.uid = l->i.uid;
	c->i.v6only = l->i.v6only;
	c->i.freebind = l->i.freebind;
	c->i.tos = l->i.tos;
	c->i.tclass = l->i.tclass;
	c->i.ttl = l->i.ttl;
	c->i.hops = l->i.hops;
	c->i.min_ttl = l->i.min_ttl;
	c->i.min_hops = l->i.min_hops;
	c->i.pmtu_mode = l->i.pmtu_mode;
	c->i.pmtu_mode6 = l->i.pmtu_mode6;
	c->i.mtu6 = l->i.mtu6;
	c->i.recv = l->i.recv;
	c->tune = l->tune;
	c->nodelay = l->nodelay;
	c->cork = l->cork;
	c->reno = l->reno;
	c->inq = l->inq;
	c->maxseg = l->maxseg;
	c->notsent_lowat = l->notsent_lowat;
	c->syn_retries = l->syn_retries;
}

/* The child, locked, in the listener's queue and in the table; NULL: no memory, no way. */
static struct tcp_sock *make_child(struct tcp_sock *l, struct tcp_request *r, nsec_t now) NO_TSA
{
	struct tcp_sock *c = tcps_alloc(l->i.s.family);
	const struct flow_key *key = &r->ep.key;
	struct tcp_config cfg;

	if (!c)
		return NULL;
	inherit(c, l);
	if (config_of(l, key, r->ifindex, &c->path, &cfg)) {
		socket_put(&c->i.s);
		return NULL;
	}
	c->has_path = true;
	c->i.local = key->local;
	c->i.remote = key->remote;
	c->i.rport = key->rport;
	c->i.auto_port = true;
	c->ep.kind = TCP_EP_SOCK;
	spin_lock_nested(&c->lock);
	tcp_accept(&c->c, &cfg, &r->r, now);
	c->c.tune = c->tune;
	c->c.tune.nodelay = c->nodelay;
	c->c.tune.cork = c->cork;
	c->c.tune.keepalive = socket_has(&c->i.s, SOB_KEEPALIVE);
	c->phase = TCPS_OPEN;
	c->call = TCPS_CONNECTED;
	c->embryo = true;
	c->holds_ref = true;
	socket_get(&c->i.s);
	return c;
}

static void enqueue_child(struct tcp_sock *l, struct tcp_sock *c)
{
	list_add_tail(&l->children, &c->child_node);
	l->nchildren++;
	net_count(STAT_Tcp_PassiveOpens);
	inet_share_port(&c->i, c->ep.key.lport);
}

/* Gives the segment that completed the handshake to the child, both locks held, and tells
 * accept(2). */
static void start_child(struct tcp_sock *l, struct tcp_sock *c, struct pkt *p,
			const struct tcp_seg *s, uint32_t header) NO_TSA
{
	spin_unlock(&l->lock);
	tcps_segment(c, p, s, header);
	socket_wake_accept(&l->i.s);
}

/* tcp(7) TCP_DEFER_ACCEPT: a bare ACK is not enough, for so long. */
static bool is_deferred(const struct tcp_sock *l, struct tcp_request *r, const struct tcp_seg *s,
			nsec_t now)
{
	return l->defer_accept && !s->len && !(s->flags & TCP_FIN) &&
	       now - r->since < l->defer_accept * NSEC_PER_SEC;
}

/* Under the listener's lock, which it lets go of in every case. */
static void establish(struct tcp_sock *l, struct tcp_request *r, struct pkt *p,
		      const struct tcp_seg *s, uint32_t header) NO_TSA
{
	nsec_t now = clock_mono();
	struct tcp_sock *c = NULL;

	if (is_deferred(l, r, s, now)) {
		r->acked = true;
	} else if (queue_is_full(l)) {
		r->acked = true;
		net_count(STAT_TcpExt_ListenOverflows);
		net_count(STAT_TcpExt_ListenDrops);
		if (tcp_abort_on_overflow) {
			tcps_reset(&r->ep.key, s, p->dev);
			drop_request(l, r);
		}
	} else {
		c = make_child(l, r, now);
	}
	if (!c) {
		spin_unlock(&l->lock);
		pkt_free(p);
		return;
	}
	(void)!tcps_replace(&r->ep, &c->ep);
	unlink_request(l, r);
	epoch_free(&r->epoch, free_now);
	enqueue_child(l, c);
	start_child(l, c, p, s, header);
}

bool tcps_request_input(struct tcp_request *r, struct pkt *p, const struct tcp_seg *s,
			uint32_t header) NO_TSA
{
	struct tcp_sock *l = r->listener;
	nsec_t now = clock_mono();
	struct tcps_reply to;
	struct tcp_seg out;

	spin_lock(&l->lock);
	if (r->dead) {
		spin_unlock(&l->lock);
		return false;
	}
	switch (tcp_req_input(&r->r, s, now, &out)) {
	case TCP_REQ_ESTABLISHED:
		establish(l, r, p, s, header);
		return true;
	case TCP_REQ_SYNACK:
		send_synack(l, r, now);
		break;
	case TCP_REQ_ACK:
		reply_of(l, r, &to);
		tcps_reply(&to, &out);
		break;
	case TCP_REQ_RESET:
		tcps_reset(&r->ep.key, s, p->dev);
		break;
	case TCP_REQ_DEAD:
		net_count(STAT_Tcp_AttemptFails);
		net_count(STAT_TcpExt_EmbryonicRsts);
		drop_request(l, r);
		break;
	default:
		break;
	}
	spin_unlock(&l->lock);
	pkt_free(p);
	return true;
}

/* An ACK out of nothing may answer a cookie. Lets go of the listener's lock when true. */
static bool take_cookie(struct tcp_sock *l, struct pkt *p, const struct tcp_seg *s,
			const struct flow_key *key, uint32_t header, nsec_t now) NO_TSA
{
	struct tcp_request r = { .ep.key = *key };
	struct tcp_config cfg;
	struct ip_path path;
	struct tcp_sock *c;

	if (!l->cookies || now - l->cookies_at > COOKIES_FOR || queue_is_full(l))
		return false;
	r.ifindex = l->i.s.bound_if ? l->i.s.bound_if : (int32_t)key->ifindex;
	if (config_of(l, key, r.ifindex, &path, &cfg))
		return false;
	tcps_first_numbers(&cfg, key, 0, now);
	if (!tcp_cookie_check(&r.r, &cfg, tcps_secret(), key, sizeof(*key), s, now))
		return false;
	if (!(c = make_child(l, &r, now)))
		return false;
	c->ep.key = *key;
	c->ep.hash = tcps_hash(key);
	if (tcps_insert(&c->ep)) { /* its twin was faster */
		c->phase = TCPS_IDLE;
		c->holds_ref = false;
		spin_unlock(&c->lock);
		socket_put(&c->i.s);
		socket_put(&c->i.s);
		return false;
	}
	net_count(STAT_TcpExt_SyncookiesRecv);
	enqueue_child(l, c);
	start_child(l, c, p, s, header);
	return true;
}

void tcps_listener_input(struct tcp_sock *l, struct pkt *p, const struct tcp_seg *s,
			 const struct flow_key *key, uint32_t header, uint32_t isn_min) NO_TSA
{
	nsec_t now = clock_mono();

	spin_lock(&l->lock);
	if (l->phase != TCPS_LISTEN) {
		tcps_reset(key, s, p->dev);
	} else if (s->flags & TCP_ACK && !(s->flags & TCP_RST)) {
		if (!(s->flags & TCP_SYN) && take_cookie(l, p, s, key, header, now))
			return;
		tcps_reset(key, s, p->dev);
	} else if ((s->flags & (TCP_SYN | TCP_RST | TCP_FIN)) == TCP_SYN) {
		take_syn(l, key, s, isn_min, now);
	}
	spin_unlock(&l->lock);
	pkt_free(p);
}

/* SYN-ACKs again, to those who have not answered. */
void tcps_listener_timer_locked(struct tcp_sock *l, nsec_t now)
{
	struct tcp_request *r, *n;
	nsec_t next = NSEC_MAX;

	list_for_each_safe (r, n, &l->requests, node) {
		if (r->r.resend_at <= now) {
			if (!tcp_req_timer(&r->r)) {
				drop_request(l, r);
				continue;
			}
			send_synack(l, r, now);
		}
		next = MIN(next, r->r.resend_at);
	}
	tcps_timer_set(&l->timer, next == NSEC_MAX ? next : MAX(next, now + TIMER_STEP));
}

/* --- the calls --- */

int tcps_listen(struct socket *s, uint32_t backlog)
{
	struct tcp_sock *l = tcps_of(s);
	int err;

	if (l->phase == TCPS_LISTEN) {
		l->backlog = backlog;
		return 0;
	}
	if (l->phase == TCPS_OPEN || l->call != TCPS_UNCONNECTED)
		return -EINVAL;
	if ((err = inet_autobind(&l->i, NULL, NULL)) || (err = inet_listen(&l->i)))
		return err;
	spin_lock(&l->lock);
	l->backlog = backlog;
	l->shut = 0;
	l->phase = TCPS_LISTEN;
	spin_unlock(&l->lock);
	hash_listener(l);
	return 0;
}

static void abort_child(struct tcp_sock *c)
{
	spin_lock(&c->lock);
	c->released = true;
	c->shut = TCPS_SHUT_ALL;
	if (c->phase == TCPS_OPEN) {
		tcp_abort(&c->c);
		tcps_unlock_driven(c, clock_mono());
	} else {
		spin_unlock(&c->lock);
	}
	socket_put(&c->i.s);
}

void tcps_listener_close(struct tcp_sock *l)
{
	struct list children = LIST_INIT(children);

	unhash_listener(l);
	tcps_timer_cancel(&l->timer);
	spin_lock(&l->lock);
	l->phase = TCPS_IDLE;
	l->i.is_listening = false;
	while (!list_is_empty(&l->requests))
		drop_request(l, list_first(&l->requests, struct tcp_request, node));
	list_splice_tail(&children, &l->children);
	l->nchildren = 0;
	spin_unlock(&l->lock);
	tcps_timer_cancel(&l->timer); /* once more: no request can have armed it now */
	while (!list_is_empty(&children)) {
		struct tcp_sock *c = list_first(&children, struct tcp_sock, child_node);

		list_remove(&c->child_node);
		abort_child(c);
		thread_resched_point();
	}
	if (l->i.auto_port)
		inet_release_port(&l->i);
	socket_wake_state(&l->i.s, 0);
}

static bool may_accept(struct socket *s)
{
	struct tcp_sock *l = tcps_of(s);

	return !list_is_empty(&l->children) || l->phase != TCPS_LISTEN;
}

static struct tcp_sock *take_child(struct tcp_sock *l, int *err)
{
	struct tcp_sock *c = NULL;

	spin_lock(&l->lock);
	*err = l->phase == TCPS_LISTEN ? 0 : -EINVAL;
	if (!*err && !list_is_empty(&l->children)) {
		c = list_first(&l->children, struct tcp_sock, child_node);
		list_remove(&c->child_node);
		l->nchildren--;
		c->embryo = false;
	}
	spin_unlock(&l->lock);
	return c;
}

int tcps_accept(struct socket *s, bool nonblock, struct socket **out)
{
	struct tcp_sock *l = tcps_of(s), *c;
	nsec_t deadline = socket_deadline(s->rcvtimeo, nonblock);
	int err;

	while (!(c = take_child(l, &err)) && !err)
		if ((err = socket_wait_accept(s, may_accept, deadline)))
			break;
	if (err)
		return err;
	*out = &c->i.s;
	return 0;
}

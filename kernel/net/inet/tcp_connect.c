/*
 * connect(2): the way to the peer, a port, and the SYN; then waiting.
 *
 *   source       connect(2), tcp(7), RFC 9293 3.10.1
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

enum { HEADERS4 = 40, HEADERS6 = 60, MSS_LEAST = 48 };

static struct siphash_key secret;
static _Atomic int secret_state;

/* The key of sequence numbers: made when it is first asked for, since random numbers are good by
 * then. */
const struct siphash_key *tcps_secret(void)
{
	int none = 0;

	if (LIKELY(atomic_load_explicit(&secret_state, memory_order_acquire) == 2))
		return &secret;
	if (atomic_compare_exchange_strong(&secret_state, &none, 1)) {
		random_bytes(&secret, sizeof(secret));
		atomic_store_explicit(&secret_state, 2, memory_order_release);
	}
	while (atomic_load_explicit(&secret_state, memory_order_acquire) != 2)
		arch_pause();
	return &secret;
}

void tcps_first_numbers(struct tcp_config *cfg, const struct flow_key *key, uint32_t isn_min,
			nsec_t now)
{
	tcp_first_numbers(cfg, tcps_secret(), key, sizeof(*key), now);
	if (isn_min)
		cfg->iss = isn_min;
}

uint32_t tcps_path_mss(const struct tcp_sock *t, const struct ip_path *path, bool v4)
{
	uint32_t headers = v4 ? HEADERS4 : HEADERS6, mss;

	mss = path->mtu > headers + MSS_LEAST ? MIN(path->mtu - headers, 65535u) : MSS_LEAST;
	return t->maxseg ? MIN(mss, (uint32_t)t->maxseg) : mss;
}

void tcps_config(const struct tcp_sock *t, const struct ip_path *path, const struct flow_key *key,
		 struct tcp_config *cfg)
{
	uint32_t mss = tcps_path_mss(t, path, addr_is4(&key->remote));

	*cfg = (struct tcp_config){
		.mss = (uint16_t)mss,
		.path_mss = (uint16_t)mss,
		.recv_space = t->i.s.rcvbuf / 2,
		.recv_max = socket_has(&t->i.s, SOB_RCVBUF_SET)
				    ? t->i.s.rcvbuf / 2
				    : (uint32_t)MAX(tcp_rmem[2], net_rmem_max),
		.sack = tcp_sack,
		.timestamps = tcp_timestamps,
		.wscale = tcp_window_scaling,
		.ecn = tcp_ecn == 1,
		.reno = t->reno,
		.syn_retries = t->syn_retries ? t->syn_retries : (uint8_t)tcp_syn_retries,
	};
}

/* --- a port --- */

/* May the connection have this port? If so it has it: its entry is in the table. */
static bool take_tuple(struct tcp_sock *t, uint16_t port)
{
	bool loopback = t->path.type == ROUTE_LOCAL;
	struct tcp_ep *other;
	bool ok = false;

	t->ep.key.lport = port;
	t->ep.hash = tcps_hash(&t->ep.key);
	t->isn_min = 0;
	epoch_enter();
	other = tcps_find(&t->ep.key, t->ep.hash);
	if (!other ||
	    (other->kind == TCP_EP_TIMEWAIT && tcps_timewait_yield(other, loopback, &t->isn_min)))
		ok = tcps_insert(&t->ep) == 0;
	epoch_exit();
	return ok;
}

/* Under PORTS: connections share a port as long as nobody is bound to it. */
static bool port_is_free(uint16_t port, void *arg)
{
	struct tcp_sock *t = arg;
	const struct inet_sock *b = *inet_bucket(t->i.table, port);

	for (; b; b = b->bind_next)
		if (b->lport == port && !b->by_connect)
			return false;
	return take_tuple(t, port);
}

static int take_port(struct tcp_sock *t)
{
	t->ep.kind = TCP_EP_SOCK;
	t->ep.key = (struct flow_key){
		.local = t->i.local,
		.remote = t->i.remote,
		.rport = t->i.rport,
		.ifindex = !addr_is4(&t->i.remote) && ipv6_is_link_local(&t->i.remote)
				   ? (uint32_t)t->i.s.bound_if
				   : 0,
	};
	if (t->i.lport)
		return take_tuple(t, t->i.lport) ? 0 : -EADDRNOTAVAIL;
	return inet_autobind(&t->i, port_is_free, t);
}

/* --- the call --- */

/* The peer's address into t, and the way there. */
static int set_peer(struct tcp_sock *t, const void *addr, uint32_t len)
{
	struct ipv6_addr ip;
	uint16_t port;
	int scope, err = inet_get_name(&t->i, addr, len, &ip, &port, &scope);

	if (err)
		return err;
	if (addr_is_any(&ip)) /* this host */
		ip = addr_is4(&ip) || (t->i.s.family == AF_INET6 && addr_is4(&t->i.local) &&
				       !addr_is_any(&t->i.local))
			     ? addr_from4(0x7f000001)
			     : (struct ipv6_addr){ { [15] = 1 } };
	if (addr_is_multicast(&ip))
		return -ENETUNREACH;
	if (!addr_is_any(&t->i.local) && addr_is4(&t->i.local) != addr_is4(&ip))
		return addr_is4(&ip) ? -EINVAL : -ENETUNREACH;
	if (scope)
		t->i.s.bound_if = scope;
	if ((err = ip_route(&ip, &t->i.local, t->i.s.bound_if, &t->path)))
		return err;
	if (t->path.type == ROUTE_BROADCAST)
		return -ENETUNREACH;
	t->has_path = true;
	t->i.remote = ip;
	t->i.rport = port;
	return 0;
}

static void forget_peer(struct tcp_sock *t, const struct ipv6_addr *local)
{
	t->i.remote = inet_any(&t->i);
	t->i.rport = 0;
	t->i.local = *local;
	t->has_path = false;
}

static void start_locked(struct tcp_sock *t, nsec_t now)
{
	struct tcp_config cfg;

	tcps_config(t, &t->path, &t->ep.key, &cfg);
	tcps_first_numbers(&cfg, &t->ep.key, t->isn_min, now);
	tcp_open(&t->c, &cfg, now);
	net_count(STAT_Tcp_ActiveOpens);
	t->c.tune = t->tune;
	t->c.tune.nodelay = t->nodelay;
	t->c.tune.cork = t->cork;
	t->c.tune.keepalive = socket_has(&t->i.s, SOB_KEEPALIVE);
	t->phase = TCPS_OPEN;
	t->call = TCPS_CONNECTING;
	t->shut = 0;
	t->has_copied = false;
	t->join_tries = 0;
	t->holds_ref = true;
	socket_get(&t->i.s);
}

static int start(struct tcp_sock *t, const void *addr, uint32_t len)
{
	struct ipv6_addr local = t->i.local;
	nsec_t now = clock_mono();
	int err = set_peer(t, addr, len);

	if (err)
		return err;
	spin_lock(&t->lock);
	if (t->phase != TCPS_IDLE && t->phase != TCPS_DONE) {
		spin_unlock(&t->lock);
		return -EALREADY;
	}
	if (addr_is_any(&t->i.local))
		t->i.local = t->path.source;
	if ((err = take_port(t))) {
		forget_peer(t, &local);
		spin_unlock(&t->lock);
		return err;
	}
	start_locked(t, now);
	tcps_unlock_driven(t, now);
	return 0;
}

static bool is_settled(struct socket *s)
{
	unsigned state = tcps_state(tcps_of(s));

	return state != TCP_SYN_SENT && state != TCP_SYN_RECV;
}

/* How it came out. */
static int outcome(struct tcp_sock *t)
{
	int err;

	if (tcps_state(t) != TCP_CLOSE) {
		t->call = TCPS_CONNECTED;
		return 0;
	}
	if (t->c.state == TCP_CLOSE && (t->c.fin_received || t->has_copied) &&
	    !atomic_load(&t->i.s.error)) { /* it was, and is over already */
		t->call = TCPS_CONNECTED;
		return 0;
	}
	err = socket_take_error(&t->i.s);
	tcps_disconnect(t);
	return err ? err : -ECONNABORTED;
}

int tcps_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	const uint16_t *family = addr;
	struct tcp_sock *t = tcps_of(s);
	int err, pending = -EINPROGRESS;

	if (len < sizeof(*family))
		return -EINVAL;
	if (*family == AF_UNSPEC)
		return tcps_disconnect(t);
	if (t->call == TCPS_CONNECTED || t->phase == TCPS_LISTEN)
		return -EISCONN;
	if (t->call == TCPS_CONNECTING) {
		pending = -EALREADY;
	} else {
		if ((err = start(t, addr, len)))
			return err;
		if (nonblock) /* also when the answer is there already */
			return pending;
	}
	if (!is_settled(s)) {
		if (nonblock)
			return pending;
		if ((err = socket_wait(s, &s->writable, is_settled,
				       socket_deadline(s->sndtimeo, false))))
			return err == -EAGAIN ? pending : err;
	}
	return outcome(t);
}

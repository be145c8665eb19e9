/*
 * TCP's sockets for /proc/net/tcp and sock_diag(7): listeners first, then all that has a pair of
 * addresses: connections, requests and TIME-WAITs. The key's highest bit says which of the two
 * tables it is in.
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "abi/socket.h"
#include "abi/tcp.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "net/inet/show.h"
#include "net/inet/tcp_sock.h"
#include "net/netif.h"

#define KEY_CONNECTIONS (1ull << 63)

enum { TIMER_REXMIT = 1, TIMER_KEEP = 2, TIMER_WAIT = 3, TIMER_PROBE = 4 };

static void show_timer(const struct tcp_conn *c, nsec_t now, struct inet_shown *out)
{
	nsec_t at = MIN(c->rexmit_at, c->reo_at), keep = MIN(c->keep_at, c->linger_at);

	if (at != NSEC_MAX)
		out->timer = c->rexmit == TCP_REXMIT_PERSIST ? TIMER_PROBE : TIMER_REXMIT;
	else if ((at = keep) != NSEC_MAX)
		out->timer = TIMER_KEEP;
	else
		return;
	out->expires = MAX(at - now, (nsec_t)0);
}

static void show_connection(struct tcp_sock *t, nsec_t now, struct inet_shown *out)
{
	const struct tcp_conn *c = &t->c;

	out->rqueue = tcps_readable(t);
	out->wqueue = tcps_queued(t);
	out->rmem = t->rcvq_bytes;
	out->wmem = out->wqueue;
	if (t->phase != TCPS_OPEN)
		return;
	show_timer(c, now, out);
	out->retransmits = c->retries;
	out->probes = MAX(c->probes, c->keep_probes);
	out->rto = c->rtt.rto << MIN(c->backoff, 20);
	out->ato = TCP_DELACK_NS;
	out->interactive = c->pingpong;
	out->cwnd = c->mss ? c->cwnd / c->mss : 0;
	out->ssthresh = c->ssthresh >= TCP_BUF_MAX || !c->mss ? UINT32_MAX : c->ssthresh / c->mss;
}

static void show_sock(struct tcp_sock *t, struct inet_shown *out, struct abi_tcp_info *info)
{
	nsec_t now = clock_mono();

	inet_show_common(&t->i, out);
	out->protocol = IPPROTO_TCP;
	out->congestion = t->reno ? "reno" : "cubic";
	out->cwnd = 10; /* RFC 6928: what it begins with */
	out->ssthresh = UINT32_MAX;
	spin_lock(&t->lock);
	out->state = (uint8_t)tcps_state(t);
	out->shutdown = t->shut;
	if (t->phase == TCPS_LISTEN) {
		out->rqueue = t->nchildren;
		out->backlog = t->backlog;
	} else {
		show_connection(t, now, out);
	}
	if (info) {
		tcp_info(&t->c, now, info);
		info->tcpi_state = out->state;
		if (t->phase == TCPS_LISTEN) {
			info->tcpi_unacked = t->nchildren;
			info->tcpi_sacked = t->backlog;
		}
		out->has_info = true;
	}
	spin_unlock(&t->lock);
}

/* What has no socket: a request, or what is left of a connection. */
static void show_mini(const struct tcp_ep *ep, struct inet_shown *out)
{
	const struct tcp_request *r;
	nsec_t at;

	*out = (struct inet_shown){
		.family = addr_is4(&ep->key.local) ? AF_INET : AF_INET6,
		.type = SOCK_STREAM,
		.protocol = IPPROTO_TCP,
		.local = ep->key.local,
		.remote = ep->key.remote,
		.lport = ep->key.lport,
		.rport = ep->key.rport,
		.refs = 1,
		.cookie = (uint64_t)ep->hash << 1 | 1,
		.ifindex = (int)ep->key.ifindex,
		.is_mini = true,
	};
	if (ep->kind == TCP_EP_TIMEWAIT) {
		out->state = TCP_TIME_WAIT;
		out->timer = TIMER_WAIT;
		at = tcps_timewait_deadline(ep);
	} else {
		r = container_of(ep, const struct tcp_request, ep);
		out->state = TCP_SYN_RECV;
		out->timer = TIMER_REXMIT;
		out->retransmits = r->r.retries;
		at = r->r.resend_at;
	}
	out->expires = MAX(at - clock_mono(), (nsec_t)0);
}

static bool tcp_next(uint64_t *key, struct inet_shown *out, struct abi_tcp_info *info)
{
	uint64_t cursor = *key & ~KEY_CONNECTIONS;
	struct tcp_sock *l = NULL;
	struct tcp_ep *ep = NULL;

	epoch_enter();
	if (!(*key & KEY_CONNECTIONS)) {
		if ((l = tcps_next_listener(&cursor)) != NULL) {
			show_sock(l, out, info);
			*key = cursor;
		} else {
			cursor = 0;
		}
	}
	if (l == NULL && (ep = tcps_next(&cursor)) != NULL) {
		if (ep->kind == TCP_EP_SOCK)
			show_sock(tcps_of_ep(ep), out, info);
		else
			show_mini(ep, out);
		*key = cursor | KEY_CONNECTIONS;
	}
	epoch_exit();
	if (l != NULL || ep != NULL)
		out->slot = (uint32_t)(cursor >> 32);
	return l != NULL || ep != NULL;
}

/* Ends a connection as SOCK_DESTROY does: both sides learn that it was aborted. */
static int tcp_destroy(const struct inet_shown *s)
{
	struct flow_key key = { .local = s->local,
				.remote = s->remote,
				.lport = s->lport,
				.rport = s->rport,
				.ifindex = (uint32_t)s->ifindex };
	struct tcps_after after;
	struct tcp_sock *t;
	struct tcp_ep *ep;
	int err = -ENOENT;

	epoch_enter();
	ep = tcps_find(&key, tcps_hash(&key));
	if (ep && ep->kind == TCP_EP_SOCK) {
		t = tcps_of_ep(ep);
		spin_lock(&t->lock);
		if (t->phase == TCPS_OPEN) {
			atomic_store(&t->i.s.error, ECONNABORTED);
			tcp_abort(&t->c);
			tcps_drive(t, clock_mono(), &after);
			spin_unlock(&t->lock);
			tcps_finish(t, &after);
			err = 0;
		} else {
			spin_unlock(&t->lock);
		}
	}
	epoch_exit();
	net_run_deferred();
	return err;
}

void tcps_show_init(void)
{
	static struct inet_shower show = { .protocol = IPPROTO_TCP,
					   .next = tcp_next,
					   .destroy = tcp_destroy };

	inet_show_register(&show);
}

/*
 * TCP sockets: how they are made, what they answer about themselves, and how they end. A socket
 * whose file is gone goes on, if its connection does, by the connection's own reference.
 *
 *   source       tcp(7), socket(7), shutdown(2), RFC 9293
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/in.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "core/random.h"
#include "net/inet/inet_priv.h"
#include "net/inet/tcp_direct.h"
#include "net/inet/tcp_memory.h"
#include "net/inet/tcp_sock.h"
#include "net/inet/tcp_sysctl.h"
#include "net/netif.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "sched/thread.h"
#include "vfs/poll.h"

int tcp_rmem[3] = { 4096, 131072, 6291456 }, tcp_wmem[3] = { 4096, 16384, 4194304 };
int64_t tcp_mem[3];
int tcp_syn_retries = 6, tcp_synack_retries = 5, tcp_retries2 = 15;
int tcp_keepalive_time = 7200, tcp_keepalive_probes = 9, tcp_keepalive_intvl = 75;
int tcp_fin_timeout = 60;
int tcp_max_syn_backlog = 512, tcp_syncookies = 1, tcp_abort_on_overflow;
int tcp_max_tw_buckets, tcp_tw_reuse = 2, tcp_max_orphans;
int tcp_sack = 1, tcp_timestamps = 1, tcp_window_scaling = 1, tcp_ecn = 2, tcp_moderate_rcvbuf = 1;
int tcp_fastopen;
unsigned tcp_notsent_lowat = UINT32_MAX;
bool tcp_default_reno;

static struct slab_cache *sock_cache;
static struct inet_table ports;
static const struct socket_ops tcp_ops;

/* The timer of a listener may fire when it is none any more; a socket that is not open has no
 * deadlines to look at. */
static void fire(struct tcps_timer *timer, nsec_t now)
{
	struct tcp_sock *t = container_of(timer, struct tcp_sock, timer);
	struct tcps_after a;

	spin_lock(&t->lock);
	now = clock_mono(); /* not before another CPU's step: timestamps do not run back */
	if (t->phase != TCPS_OPEN) {
		if (t->phase == TCPS_LISTEN)
			tcps_listener_timer_locked(t, now);
		spin_unlock(&t->lock);
		return;
	}
	if (now >= tcp_deadline(&t->c))
		tcp_timer(&t->c, now);
	tcps_drive(t, now, &a);
	spin_unlock(&t->lock);
	tcps_finish(t, &a);
}

struct tcp_sock *tcps_alloc(int family)
{
	struct tcp_sock *t = slab_zalloc(sock_cache);

	if (!t)
		return NULL;
	inet_sock_init(&t->i, &tcp_ops, family, SOCK_STREAM, IPPROTO_TCP, &ports);
	t->i.s.sndbuf = (uint32_t)tcp_wmem[1];
	t->i.s.rcvbuf = (uint32_t)tcp_rmem[1];
	tcps_timer_init(&t->timer, fire);
	mutex_init(&t->reading, RANK_SOCKET);
	mutex_init(&t->writing, RANK_SOCKET);
	spin_init(&t->lock, RANK_TCP);
	list_init(&t->rcvq);
	list_init(&t->requests);
	list_init(&t->children);
	list_init(&t->child_node);
	t->c.state = TCP_CLOSE;
	t->c.rexmit_at = t->c.delack_at = t->c.keep_at = t->c.linger_at = NSEC_MAX;
	t->tune = tcp_default_tune;
	t->reno = tcp_default_reno;
	return t;
}

int tcp_create(int family, struct socket **out)
{
	struct tcp_sock *t = tcps_alloc(family);

	if (!t)
		return -ENOMEM;
	t->tune.keep_idle = tcp_keepalive_time * NSEC_PER_SEC;
	t->tune.keep_interval = tcp_keepalive_intvl * NSEC_PER_SEC;
	t->tune.keep_count = (uint8_t)tcp_keepalive_probes;
	t->tune.linger2 = tcp_fin_timeout * NSEC_PER_SEC;
	t->tune.retries2 = (uint8_t)tcp_retries2;
	*out = &t->i.s;
	return 0;
}

/* --- the end --- */

static void free_now(struct epoch_head *h)
{
	slab_free(sock_cache, container_of(h, struct tcp_sock, i.epoch));
}

static void destroy(struct socket *s)
{
	struct tcp_sock *t = tcps_of(s);

	tcps_timer_cancel(&t->timer);
	inet_release_port(&t->i);
	tcps_charge_slow(t, 0);
	inet_errq_purge(&t->i.errq);
	rcvq_take_far(t, &t->rcvq);
	pkt_free_list(&t->rcvq);
	sendq_free(t);
	epoch_free(&t->i.epoch, free_now);
}

void tcps_leave(struct tcp_sock *t) NO_TSA
{
	struct tcp_sock *peer;
	bool ref;

	tcps_timer_cancel(&t->timer);
	tcps_remove(&t->ep);
	if (t->i.auto_port || t->released)
		inet_release_port(&t->i);
	epoch_enter();
	if ((peer = tcps_lock_both(t)))
		tcps_part(t, peer);
	tcps_bury_orphan(t);
	ref = t->holds_ref;
	t->holds_ref = false;
	tcps_unlock_both(t, peer);
	epoch_exit();
	if (ref)
		socket_put(&t->i.s);
}

static bool is_over(struct socket *s)
{
	struct tcp_sock *t = tcps_of(s);
	unsigned state = tcps_state(t);

	return state != TCP_FIN_WAIT1 && state != TCP_CLOSING && state != TCP_LAST_ACK;
}

/* SO_LINGER: close(2) waits until what was written has arrived. */
static void linger(struct tcp_sock *t)
{
	nsec_t deadline = clock_mono() + (nsec_t)t->i.s.linger_s * NSEC_PER_SEC;

	while (!is_over(&t->i.s))
		if (socket_wait(&t->i.s, &t->i.s.writable, is_over, deadline))
			return;
}

static void release(struct socket *s)
{
	struct tcp_sock *t = tcps_of(s);
	bool lingers = socket_has(s, SOB_LINGER), unread;
	nsec_t now;

	if (t->phase == TCPS_LISTEN)
		tcps_listener_close(t);
	spin_lock(&t->lock);
	t->released = true;
	t->shut = TCPS_SHUT_ALL;
	if (t->phase != TCPS_OPEN) {
		spin_unlock(&t->lock);
		inet_release_port(&t->i);
		return;
	}
	now = clock_mono();
	unread = tcps_readable(t) != 0;
	if ((lingers && s->linger_s == 0) || !tcps_adopt_orphan(t))
		tcp_abort(&t->c);
	else
		tcp_close(&t->c, unread, now);
	tcps_unlock_driven(t, now);
	if (lingers && s->linger_s)
		linger(t);
}

/* connect(2) with AF_UNSPEC, and shutdown(2) of what is not connected yet. */
int tcps_disconnect(struct tcp_sock *t)
{
	struct tcps_after a = { 0 };
	struct list rcvq = LIST_INIT(rcvq);

	if (t->phase == TCPS_LISTEN)
		tcps_listener_close(t);
	spin_lock(&t->lock);
	if (t->phase == TCPS_OPEN) {
		if (t->c.state == TCP_SYN_SENT)
			atomic_store(&t->i.s.error, ECONNRESET);
		tcp_abort(&t->c);
		tcps_drive(t, clock_mono(), &a);
	}
	t->phase = TCPS_IDLE;
	t->call = TCPS_UNCONNECTED;
	t->shut = 0;
	t->has_copied = t->has_path = false;
	t->urg = TCPS_URG_NONE;
	spin_unlock(&t->lock);
	mutex_lock(&t->reading); /* whoever reads has done with the packets then */
	spin_lock(&t->lock);
	list_splice_tail(&rcvq, &t->rcvq);
	rcvq_take_far(t, &rcvq);
	t->rcvq_bytes = 0;
	spin_unlock(&t->lock);
	mutex_unlock(&t->reading);
	mutex_lock(&t->writing);
	sendq_free(t);
	mutex_unlock(&t->writing);
	pkt_free_list(&rcvq);
	tcps_finish(t, &a);
	t->i.rport = 0;
	t->i.remote = inet_any(&t->i);
	if (!t->bound_addr)
		t->i.local = inet_any(&t->i);
	if (t->i.auto_port)
		inet_release_port(&t->i);
	net_run_deferred();
	return 0;
}

static int shutdown(struct socket *s, int how)
{
	struct tcp_sock *t = tcps_of(s);
	unsigned state = tcps_state(t), what = (unsigned)how + 1;
	nsec_t now;

	if (state == TCP_LISTEN && !(what & TCPS_SHUT_RD))
		return 0;
	if (state == TCP_LISTEN || state == TCP_SYN_SENT) {
		tcps_disconnect(t);
		socket_wake_state(s, 0);
		return 0;
	}
	spin_lock(&t->lock);
	now = clock_mono();
	t->shut |= (uint8_t)what;
	if (what & TCPS_SHUT_WR && t->phase == TCPS_OPEN)
		tcp_shutdown(&t->c, now);
	tcps_unlock_driven(t, now);
	socket_wake_state(s, 0);
	return state == TCP_CLOSE ? -ENOTCONN : 0;
}

/* --- names --- */

static int getname(struct socket *s, void *addr, enum socket_name which)
{
	struct tcp_sock *t = tcps_of(s);
	unsigned state = tcps_state(t);

	if (which == SOCKET_PEER && (state == TCP_CLOSE || state == TCP_SYN_SENT))
		return -ENOTCONN;
	if (which == SOCKET_OWN && t->phase == TCPS_DONE) /* the port may be another's by now */
		return (int)inet_put_name(&t->i, &t->i.local, t->ep.key.lport, s->bound_if, addr);
	return inet_getname(s, addr, which);
}

static int bind(struct socket *s, const void *addr, uint32_t len)
{
	struct tcp_sock *t = tcps_of(s);
	int err;

	if (t->phase != TCPS_IDLE && t->phase != TCPS_DONE)
		return -EINVAL;
	if ((err = inet_bind(&t->i, addr, len)))
		return err;
	t->bound_addr = !addr_is_any(&t->i.local);
	return 0;
}

/* --- readiness --- */

static uint32_t poll_sending(struct tcp_sock *t)
{
	if (t->shut & TCPS_SHUT_WR || tcps_is_writable(t))
		return EPOLLOUT | EPOLLWRNORM;
	spin_lock(&t->lock); /* from now on an acknowledgement tells */
	t->nospace = true;
	spin_unlock(&t->lock);
	return tcps_is_writable(t) ? EPOLLOUT | EPOLLWRNORM : 0;
}

static bool is_readable(const struct tcp_sock *t)
{
	uint32_t n = tcps_readable(t), want = t->i.s.rcvlowat;

	if (!n)
		return false;
	/* The urgent byte is not among what a read gives, while it stands first. */
	if ((t->urg == TCPS_URG_COMING || t->urg == TCPS_URG_VALID) && t->urg_seq == t->copied &&
	    !socket_has(&t->i.s, SOB_OOBINLINE))
		want++;
	return n >= want || tcps_window(t) == 0;
}

static uint32_t poll(struct socket *s, struct poll_ctx *ctx)
{
	struct tcp_sock *t = tcps_of(s);
	unsigned state = tcps_state(t);
	uint32_t events = 0;

	(void)ctx;
	if (state == TCP_LISTEN)
		return list_is_empty(&t->children) ? 0 : EPOLLIN | EPOLLRDNORM;
	if (t->shut == TCPS_SHUT_ALL || state == TCP_CLOSE)
		events |= EPOLLHUP;
	if (t->shut & TCPS_SHUT_RD)
		events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (state != TCP_SYN_SENT && state != TCP_SYN_RECV) {
		if (is_readable(t))
			events |= EPOLLIN | EPOLLRDNORM;
		events |= poll_sending(t);
		if (t->urg == TCPS_URG_VALID)
			events |= EPOLLPRI;
	}
	return events | inet_errq_poll(&t->i);
}

static const struct socket_ops tcp_ops = {
	.release = release,
	.destroy = destroy,
	.bind = bind,
	.connect = tcps_connect,
	.listen = tcps_listen,
	.accept = tcps_accept,
	.getname = getname,
	.shutdown = shutdown,
	.send = tcps_sendmsg,
	.recv = tcps_recvmsg,
	.poll = poll,
	.setsockopt = tcps_setsockopt,
	.bit_changed = tcps_bit_changed,
	.check_option = tcps_check_option,
	.meminfo = tcps_meminfo,
	.getsockopt = tcps_getsockopt,
	.ioctl = tcps_ioctl,
	.flags = SOCKET_SIGPIPE,
};

/* Limits by memory, as tcp(7) says of each. */
static void set_limits(void)
{
	int64_t pages = (int64_t)pmm_total_pages() / 8;

	/* One connection's buffers: at most a 128th of memory. */
	tcp_rmem[2] = (int)MIN(MAX(pages * 256, (int64_t)131072), (int64_t)tcp_rmem[2]);
	tcp_wmem[2] = (int)MIN(MAX(pages * 256, (int64_t)65536), (int64_t)tcp_wmem[2]);
	tcp_mem[1] = MAX(pages, (int64_t)128);
	tcp_mem[0] = tcp_mem[1] / 4 * 3;
	tcp_mem[2] = tcp_mem[0] * 2;
	tcp_max_orphans = tcp_max_tw_buckets =
		(int)MIN(MAX(pages / 4, (int64_t)1024), (int64_t)65536);
	tcp_max_syn_backlog = MAX(128, tcp_max_orphans / 32);
}

void tcp_init(void)
{
	sock_cache = slab_cache_create("TCP", sizeof(struct tcp_sock), 64, NULL);
	inet_table_init(&ports, true);
	ports.is_blocked = tcps_timewait_blocks;
	set_limits();
	tcps_table_init();
	tcps_timewait_init();
	tcps_timers_start();
	tcps_protocol_init();
	tcps_show_init();
}

/*
 * send(2): bytes into pages, without the lock, then at the end of the queue, under it. The last
 * block is the writer's as long as it has room; what packets take of it does not change any more.
 *
 *   source       send(2), tcp(7), RFC 9293 3.10.2
 */

#include "abi/errno.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "net/inet/inet_priv.h"
#include "net/inet/tcp_direct.h"
#include "net/inet/tcp_memory.h"
#include "net/inet/tcp_sock.h"
#include "net/netif.h"
#include "pmm/page.h"

enum { BIG_ORDER = 3, BIG_BYTES = PAGE_SIZE << BIG_ORDER, PUSH_BYTES = 65536 };

static bool is_open(const struct tcp_sock *t)
{
	return t->phase == TCPS_OPEN && !(t->shut & TCPS_SHUT_WR);
}

static bool is_opening(const struct tcp_sock *t)
{
	unsigned state = tcps_state(t);

	return state == TCP_SYN_SENT || state == TCP_SYN_RECV;
}

static bool has_room(const struct tcp_sock *t)
{
	uint32_t queued = tcps_queued(t);

	return queued < t->i.s.sndbuf && tcps_may_queue(queued);
}

static bool may_send(struct socket *s)
{
	struct tcp_sock *t = tcps_of(s);

	if (!is_open(t) || atomic_load(&s->error))
		return true;
	return !is_opening(t) && tcps_is_writable(t);
}

/* Why nothing can be sent: the pending error, or -EPIPE. */
static int why_not(struct tcp_sock *t)
{
	int err = socket_take_error(&t->i.s);

	return err ? err : -EPIPE;
}

/* Waits with `writing` given back. 0: look again. */
static int wait_to_send(struct tcp_sock *t, nsec_t deadline) NO_TSA
{
	bool ready;
	int err;

	spin_lock(&t->lock);
	t->nospace = true;
	ready = may_send(&t->i.s);
	spin_unlock(&t->lock);
	if (ready)
		return 0;
	mutex_unlock(&t->writing);
	err = socket_wait(&t->i.s, &t->i.s.writable, may_send, deadline);
	mutex_lock(&t->writing);
	return err;
}

/* A block with room at its end is the tail. -ENOBUFS. */
static int need_tail(struct tcp_sendq *q, size_t want)
{
	unsigned order = want >= BIG_BYTES / 2 ? BIG_ORDER : 0;
	struct page *page;

	if (q->tail && q->tail_used < q->tail_size)
		return 0;
	page = page_alloc(order, PAGE_KERNEL, ALLOC_USER);
	if (!page && order)
		page = page_alloc(order = 0, PAGE_KERNEL, ALLOC_USER);
	if (!page)
		return -ENOBUFS;
	if (q->tail)
		page_put(q->tail);
	q->tail = page;
	q->tail_used = 0;
	q->tail_size = (uint32_t)PAGE_SIZE << order;
	return 0;
}

/* Up to n bytes of the user's into the tail; how many, or -errno. */
static int64_t fill_tail(struct tcp_sock *t, struct uio *u, size_t n)
{
	struct tcp_sendq *q = &t->sendq;
	size_t got;
	int err;

	if ((err = need_tail(q, n)) || (err = sendq_reserve(t, 1)))
		return err;
	n = MIN(n, (size_t)(q->tail_size - q->tail_used));
	got = uio_get(u, (uint8_t *)page_va(q->tail) + q->tail_used, n);
	return got ? (int64_t)got : -EFAULT;
}

/* The n bytes at the end of the tail are the stream's; `push`: they may go. */
static int commit_locked(struct tcp_sock *t, struct tcp_sock *peer, uint32_t n, unsigned flags,
			 bool last, bool push) NO_TSA
{
	struct tcp_sendq *q = &t->sendq;
	uint32_t offset = q->tail_used;
	int err;

	if (UNLIKELY(!is_open(t))) {
		tcps_unlock_both(t, peer);
		return -EPIPE;
	}
	q->tail_used += n;
	if (LIKELY(peer && push) && !(flags & (MSG_OOB | MSG_MORE)) && !t->cork &&
	    tcps_hand_over(t, peer, q->tail, offset, n))
		return 0;
	sendq_append(t, q->tail, offset, n);
	err = tcp_send(&t->c, n, last && flags & MSG_OOB);
	t->c.tune.cork = t->cork || flags & MSG_MORE;
	if (push)
		tcps_pull(t, peer);
	else
		tcps_unlock_both(t, peer);
	return err;
}

static int commit(struct tcp_sock *t, uint32_t n, unsigned flags, bool last, bool push)
{
	int err;

	epoch_enter();
	if (UNLIKELY(!t->peer))
		tcps_join(t);
	err = commit_locked(t, tcps_lock_both(t), n, flags, last, push);
	epoch_exit();
	net_run_deferred();
	return err;
}

static ssize64_t send_all(struct tcp_sock *t, struct sockmsg *m)
{
	nsec_t deadline = socket_deadline(t->i.s.sndtimeo, m->flags & MSG_DONTWAIT);
	uint32_t unpushed = 0, room;
	struct uio *u = m->uio;
	ssize64_t sent = 0;
	int64_t n;
	int err;

	while (u->resid) {
		if (UNLIKELY(!is_open(t) || atomic_load(&t->i.s.error))) {
			err = why_not(t);
			goto fail;
		}
		if (UNLIKELY(is_opening(t) || !has_room(t))) {
			if ((err = wait_to_send(t, deadline)))
				goto fail;
			continue;
		}
		room = t->i.s.sndbuf - MIN(tcps_queued(t), t->i.s.sndbuf - 1);
		if ((n = fill_tail(t, u, MIN(u->resid, (size_t)room))) < 0) {
			err = (int)n;
			goto fail;
		}
		unpushed += (uint32_t)n;
		sent += n;
		err = commit(t, (uint32_t)n, m->flags, u->resid == 0,
			     u->resid == 0 || unpushed >= PUSH_BYTES || !has_room(t));
		if (err) {
			sent -= n;
			err = why_not(t);
			goto fail;
		}
		unpushed = unpushed >= PUSH_BYTES ? 0 : unpushed;
	}
	return sent;
fail:
	if (unpushed) {
		spin_lock(&t->lock);
		tcps_unlock_driven(t, clock_mono());
	}
	return sent ? sent : err;
}

ssize64_t tcps_sendmsg(struct socket *s, struct sockmsg *m)
{
	struct tcp_sock *t = tcps_of(s);
	ssize64_t n;

	if (UNLIKELY(m->flags & MSG_FASTOPEN)) /* tcp_fastopen is 0 */
		return -EOPNOTSUPP;
	mutex_lock(&t->writing);
	if (UNLIKELY(m->uio->resid == 0 && !is_open(t)))
		n = why_not(t);
	else
		n = send_all(t, m);
	mutex_unlock(&t->writing);
	if (UNLIKELY(m->flags & MSG_ZEROCOPY) && n > 0 && socket_has(s, SOB_ZEROCOPY))
		inet_tell_copied(&t->i);
	return n;
}

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

/* An empty block is the tail. -ENOBUFS. */
static int new_tail(struct tcp_sendq *q, size_t want)
{
	unsigned order = want >= BIG_BYTES / 2 ? BIG_ORDER : 0;
	struct page *page;

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

	if (UNLIKELY(!q->tail || q->tail_used == q->tail_size) && (err = new_tail(q, n)))
		return err;
	if (UNLIKELY(q->count == q->size) && (err = sendq_reserve(t, 1)))
		return err;
	n = MIN(n, (size_t)(q->tail_size - q->tail_used));
	got = uio_get(u, (uint8_t *)page_va(q->tail) + q->tail_used, n);
	return got ? (int64_t)got : -EFAULT;
}

/* Bytes on their way into the stream: of the tail, or of a page that somebody else has, too. */
struct piece {
	struct page *page;
	uint32_t offset, n;
};

/* Up to n bytes of pages that may be kept: nothing is copied. */
MUST_CHECK static int share(struct tcp_sock *t, struct uio *u, size_t n, struct piece *out)
{
	const void *at = uio_here(u, &n);
	int err;

	if ((err = sendq_reserve(t, 1)))
		return err;
	*out = (struct piece){ va_page(at), (uint32_t)((uintptr_t)at & PAGE_MASK), (uint32_t)n };
	uio_advance(u, n);
	return 0;
}

/* The next bytes of the user's, n at most. */
MUST_CHECK static inline int next_piece(struct tcp_sock *t, struct uio *u, size_t n,
					struct piece *out)
{
	int64_t got;

	if (UNLIKELY(u->space >= UIO_PAGES))
		return share(t, u, n, out);
	got = fill_tail(t, u, n);
	*out = (struct piece){ t->sendq.tail, t->sendq.tail_used, (uint32_t)got };
	return (int)MIN(got, 0);
}

/* They are the stream's; `push`: they may go. */
static int commit_locked(struct tcp_sock *t, struct tcp_sock *peer, struct piece p, unsigned flags,
			 bool last, bool push) NO_TSA
{
	struct tcp_sendq *q = &t->sendq;
	int err;

	if (UNLIKELY(!is_open(t))) {
		tcps_unlock_both(t, peer);
		return -EPIPE;
	}
	if (LIKELY(p.page == q->tail))
		q->tail_used += p.n;
	if (LIKELY(peer && push) && !(flags & (MSG_OOB | MSG_MORE)) && !t->cork &&
	    tcps_hand_over(t, peer, p.page, p.offset, p.n))
		return 0;
	sendq_append(t, p.page, p.offset, p.n);
	err = tcp_send(&t->c, p.n, last && flags & MSG_OOB);
	t->c.tune.cork = t->cork || flags & MSG_MORE;
	if (push)
		tcps_pull(t, peer);
	else
		tcps_unlock_both(t, peer);
	return err;
}

static int commit(struct tcp_sock *t, struct piece p, unsigned flags, bool last, bool push)
{
	int err;

	epoch_enter();
	if (UNLIKELY(!t->peer))
		tcps_join(t);
	err = commit_locked(t, tcps_lock_both(t), p, flags, last, push);
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
	struct piece p;
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
		if ((err = next_piece(t, u, MIN(u->resid, (size_t)room), &p)))
			goto fail;
		unpushed += p.n;
		sent += p.n;
		err = commit(t, p, m->flags, u->resid == 0,
			     u->resid == 0 || unpushed >= PUSH_BYTES || !has_room(t));
		if (err) {
			sent -= p.n;
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

/*
 * SOCK_STREAM: bytes in messages. A sender fills messages of at most UNIX_CHUNK bytes without any
 * lock and appends them to the peer's queue; a reader takes from the head, under `reading`. The
 * bounds between messages show only where something hangs on them: files end a read, other
 * credentials do (when they are asked for), and the urgent byte does.
 *
 * Sources: unix(7), send(2), recv(2), socket(7).
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "net/unix/unix_priv.h"
#include "vfs/poll.h"

/* --- send --- */

static bool may_send(struct socket *s)
{
	struct unix_sock *u = unix_of(s);

	return unix_has_room(u) || u->shutdown & UNIX_SND_SHUT || atomic_load(&s->error);
}

static int wait_for_room(struct unix_sock *u, nsec_t deadline)
{
	int err;

	while (!unix_has_room(u)) {
		if ((err = socket_wait(&u->s, &u->s.writable, may_send, deadline)))
			return err;
		if ((err = socket_take_error(&u->s)))
			return err;
		if (u->shutdown & UNIX_SND_SHUT)
			return -EPIPE;
	}
	return 0;
}

/* Appends; -EPIPE when nobody will read it. */
static int append(struct unix_sock *to, struct unix_msg *msg)
{
	int err = 0;

	spin_lock(&to->lock);
	if (UNLIKELY(to->shutdown & UNIX_RCV_SHUT)) {
		err = -EPIPE;
	} else {
		list_add_tail(&to->queue, &msg->node);
		if (UNLIKELY(msg->urgent))
			to->oob = msg;
	}
	spin_unlock(&to->lock);
	return err;
}

static int send_chunk(struct unix_sock *u, struct unix_sock *peer, struct sockmsg *m, uint32_t n,
		      struct unix_scm *scm, bool urgent)
{
	struct unix_msg *msg;
	int err = unix_msg_create(u, m->uio, n, &msg);

	if (err)
		return err;
	msg->urgent = urgent;
	unix_scm_attach(scm, u, peer, msg);
	if ((err = append(peer, msg))) {
		unix_msg_free(msg);
		return err;
	}
	if (UNLIKELY(urgent))
		socket_send_sigurg(&peer->s);
	socket_wake(&peer->s, &peer->s.readable,
		    EPOLLIN | EPOLLRDNORM | (urgent ? EPOLLPRI | EPOLLRDBAND : 0));
	return 0;
}

static ssize64_t send_all(struct unix_sock *u, struct unix_sock *peer, struct sockmsg *m,
			  struct unix_scm *scm)
{
	nsec_t deadline = 0;
	size_t sent = 0, total = m->uio->resid, n;
	bool urgent;
	int err;

	if (LIKELY(!(m->flags & MSG_DONTWAIT)))
		deadline = socket_deadline(u->s.sndtimeo, false);
	while (sent < total) {
		if (UNLIKELY(!unix_has_room(u)) && (err = wait_for_room(u, deadline)))
			goto fail;
		n = MIN(total - sent, UNIX_CHUNK);
		n = MIN(n, MAX(u->s.sndbuf / 2, 128u) - 64);
		/* The last byte is the urgent one, alone. */
		urgent = UNLIKELY(m->flags & MSG_OOB) && sent + 1 == total;
		if (UNLIKELY(m->flags & MSG_OOB) && !urgent)
			n = MIN(n, total - sent - 1);
		if ((err = send_chunk(u, peer, m, (uint32_t)n, scm, urgent)))
			goto fail;
		sent += n;
		if (UNLIKELY(sent < total))
			thread_resched_point();
	}
	return (ssize64_t)sent;
fail:
	return sent ? (ssize64_t)sent : err;
}

ssize64_t unix_stream_send(struct socket *s, struct sockmsg *m)
{
	struct unix_sock *u = unix_of(s), *peer = unix_peer(u);
	struct unix_scm scm = { .rights = NULL };
	ssize64_t n;
	int err;

	if (UNLIKELY(m->control_len) && (err = unix_scm_parse(m, &scm)))
		return err;
	if (UNLIKELY(m->flags & MSG_OOB) && m->uio->resid == 0)
		n = -EOPNOTSUPP;
	else if (UNLIKELY(m->namelen))
		n = u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	else if (UNLIKELY(peer == NULL))
		n = -ENOTCONN;
	else if (UNLIKELY(u->shutdown & UNIX_SND_SHUT))
		n = -EPIPE;
	else
		n = send_all(u, peer, m, &scm);
	unix_scm_drop(&scm);
	return n;
}

/* --- receive --- */

static bool may_receive(struct socket *s)
{
	struct unix_sock *u = unix_of(s);

	return *(struct list *volatile *)&u->queue.next != &u->queue ||
	       u->shutdown & UNIX_RCV_SHUT || atomic_load(&s->error);
}

/* Bytes that a read would give, the urgent one aside. */
static uint64_t plain_bytes_locked(struct unix_sock *u)
{
	struct unix_msg *m;
	uint64_t n = 0;

	list_for_each (m, &u->queue, node)
		if (m != u->oob || socket_has(&u->s, SOB_OOBINLINE))
			n += m->len - m->off;
	return n;
}

/* For a peek, which begins at an offset and passes over the urgent byte. */
static bool may_peek(struct socket *s)
{
	struct unix_sock *u = unix_of(s);
	int32_t off = atomic_load(&s->peek_off);
	bool ready;

	spin_lock(&u->lock);
	ready = plain_bytes_locked(u) > (uint64_t)MAX(off, 0);
	spin_unlock(&u->lock);
	return ready || u->shutdown & UNIX_RCV_SHUT || atomic_load(&s->error);
}

/* The urgent byte is at the head: it ends a read that has begun; one that begins leaves it out, or
 * takes it as data with SO_OOBINLINE. NULL: stop. */
static struct unix_msg *pass_mark_locked(struct unix_sock *u, bool begun, struct list *dropped)
{
	struct unix_msg *msg = u->oob;

	if (begun)
		return NULL;
	u->oob = NULL;
	msg->urgent = false;
	if (socket_has(&u->s, SOB_OOBINLINE))
		return msg;
	list_remove(&msg->node);
	list_add_tail(dropped, &msg->node);
	return list_is_empty(&u->queue) ? NULL : list_first(&u->queue, struct unix_msg, node);
}

static inline struct unix_msg *head_of(struct unix_sock *u, bool begun, struct list *dropped)
{
	struct unix_msg *msg = NULL;

	spin_lock(&u->lock);
	if (!list_is_empty(&u->queue))
		msg = list_first(&u->queue, struct unix_msg, node);
	if (UNLIKELY(msg != NULL && msg == u->oob))
		msg = pass_mark_locked(u, begun, dropped);
	spin_unlock(&u->lock);
	return msg;
}

static void unqueue(struct unix_sock *u, struct unix_msg *msg)
{
	spin_lock(&u->lock);
	list_remove(&msg->node);
	if (UNLIKELY(msg == u->oob))
		u->oob = NULL;
	spin_unlock(&u->lock);
}

static bool same_cred(const struct unix_msg *a, const struct unix_cred *b)
{
	return a->cred.pid == b->pid && a->cred.uid == b->uid && a->cred.gid == b->gid;
}

/* One call's progress. */
struct reading {
	struct unix_sock *u;
	struct sockmsg *m;
	size_t copied, target;
	nsec_t deadline;
	struct unix_cred cred;      /* of the first message; with SO_PASSCRED */
	struct unix_rights *rights; /* left over, to be freed without locks */
	struct list dropped;        /* messages, likewise */
	struct unix_msg *last;      /* peek: the message before; NULL: none */
	uint32_t skip;              /* peek: bytes still to pass over */
};

static bool has_data(struct reading *r)
{
	struct unix_sock *u = r->u;
	int32_t off = r->m->flags & MSG_PEEK ? atomic_load(&u->s.peek_off) : 0;
	bool has;

	spin_lock(&u->lock);
	has = plain_bytes_locked(u) > (uint64_t)MAX(off, 0);
	spin_unlock(&u->lock);
	return has;
}

/*
 * No message was there. The end and its error count only when there is none now: data that came
 * before them, but after the look at the queue, goes first. After the end nothing is appended.
 *   returns      1: the call is over; 0: look again; or -errno. `reading` is held, and let go of
 *                meanwhile
 */
static int nothing_there(struct reading *r) NO_TSA
{
	struct socket *s = &r->u->s;
	bool ended = r->u->shutdown & UNIX_RCV_SHUT;
	int err;

	if (r->copied >= r->target)
		return 1;
	if (UNLIKELY(ended || atomic_load(&s->error))) {
		if (has_data(r))
			return 0;
		if ((err = socket_take_error(s)))
			return err;
		if (ended)
			return 1;
	}
	mutex_unlock(&r->u->reading);
	err = socket_wait(s, &s->readable, r->m->flags & MSG_PEEK ? may_peek : may_receive,
			  r->deadline);
	mutex_lock(&r->u->reading);
	return err;
}

/* Copies what fits of msg from off. -EFAULT: nothing of it is taken then. */
static int copy_out(struct reading *r, struct unix_msg *msg, uint32_t off, size_t *n)
{
	*n = MIN(msg->len - off, r->m->uio->resid);
	if (UNLIKELY(unix_msg_read(msg, off, r->m->uio, *n) < *n))
		return -EFAULT;
	r->copied += *n;
	return 0;
}

/* SO_PASSCRED: the first message's; one by somebody else is left for the next call. */
static bool note_cred(struct reading *r, const struct unix_msg *msg)
{
	if (r->copied > 0)
		return same_cred(msg, &r->cred);
	r->cred = msg->cred;
	unix_scm_receive_cred(msg, r->m);
	return true;
}

/* Takes from msg, the head. 1: the call is over; 0: go on; or -errno. */
static int take_from(struct reading *r, struct unix_msg *msg)
{
	size_t n;
	int err, over = 0;

	if (UNLIKELY(socket_has(&r->u->s, SOB_PASSCRED)) && !note_cred(r, msg))
		return 1;
	if ((err = copy_out(r, msg, msg->off, &n)))
		return err;
	msg->off += (uint32_t)n;
	if (UNLIKELY(msg->rights != NULL)) {
		r->rights = unix_scm_receive_rights(msg, r->m, false);
		over = 1;
	}
	if (msg->off == msg->len) {
		unqueue(r->u, msg);
		unix_msg_free(msg);
		if (n >= UNIX_CHUNK)
			thread_resched_point();
	}
	return over || r->m->uio->resid == 0;
}

static ssize64_t finish(struct reading *r, int err)
{
	if (r->rights != NULL)
		unix_rights_free(r->rights);
	unix_msgs_free(&r->dropped);
	if (r->copied == 0 && err < 0)
		return err;
	return (ssize64_t)r->copied;
}

static ssize64_t take(struct reading *r)
{
	struct unix_msg *msg;
	int err;

	mutex_lock(&r->u->reading);
	do {
		msg = head_of(r->u, r->copied > 0, &r->dropped);
		if (LIKELY(msg != NULL))
			err = take_from(r, msg);
		else if (r->copied > 0 && r->u->oob != NULL)
			err = 1;
		else
			err = nothing_there(r);
	} while (err == 0);
	mutex_unlock(&r->u->reading);
	return finish(r, err);
}

/* The message behind r->last that a peek looks at next: past what is skipped. */
static struct unix_msg *peek_next(struct reading *r)
{
	struct unix_sock *u = r->u;
	struct list *n;
	struct unix_msg *msg = NULL;

	spin_lock(&u->lock);
	n = r->last ? r->last->node.next : u->queue.next;
	for (; n != &u->queue; n = n->next) {
		msg = list_entry(n, struct unix_msg, node);
		if (msg == u->oob && r->copied > 0) {
			msg = NULL;
			break;
		}
		if (!(msg == u->oob && !socket_has(&u->s, SOB_OOBINLINE))) {
			if (r->skip < msg->len - msg->off)
				break;
			r->skip -= msg->len - msg->off;
		}
		msg = NULL;
	}
	spin_unlock(&u->lock);
	return msg;
}

static int peek_at(struct reading *r, struct unix_msg *msg)
{
	size_t n;
	int err;

	if (UNLIKELY(socket_has(&r->u->s, SOB_PASSCRED)) && !note_cred(r, msg))
		return 1;
	if ((err = copy_out(r, msg, msg->off + r->skip, &n)))
		return err;
	r->skip = 0;
	r->last = msg;
	if (msg->rights != NULL) {
		r->rights = unix_scm_receive_rights(msg, r->m, true);
		return 1;
	}
	return r->m->uio->resid == 0;
}

static ssize64_t peek(struct reading *r)
{
	struct socket *s = &r->u->s;
	int32_t off = atomic_load(&s->peek_off);
	struct unix_msg *msg;
	int err;

	mutex_lock(&r->u->reading);
	do {
		r->skip = r->last == NULL && off > 0 ? (uint32_t)off : 0;
		msg = peek_next(r);
		if (msg != NULL)
			err = peek_at(r, msg);
		else
			err = r->copied > 0 ? 1 : nothing_there(r);
	} while (err == 0);
	if (off >= 0)
		atomic_fetch_add(&s->peek_off, (int32_t)r->copied);
	mutex_unlock(&r->u->reading);
	return finish(r, err);
}

/* The byte past which reading must not go unseen; it does not wait. */
static ssize64_t receive_oob(struct unix_sock *u, struct sockmsg *m)
{
	bool peeking = m->flags & MSG_PEEK;
	struct unix_msg *msg = NULL;
	ssize64_t n = -EINVAL;

	mutex_lock(&u->reading);
	spin_lock(&u->lock);
	if (!socket_has(&u->s, SOB_OOBINLINE) && (msg = u->oob) != NULL && !peeking) {
		list_remove(&msg->node);
		u->oob = NULL;
	}
	spin_unlock(&u->lock);
	if (msg != NULL) {
		n = (ssize64_t)unix_msg_read(msg, 0, m->uio, MIN(m->uio->resid, 1));
		m->out_flags |= MSG_OOB;
	}
	mutex_unlock(&u->reading);
	if (msg != NULL && !peeking)
		unix_msg_free(msg);
	return n == 0 && m->uio->resid ? -EFAULT : n;
}

/* After what was read, the sequence of peeks starts that much earlier. */
static void move_peek_off(struct socket *s, ssize64_t n)
{
	int32_t off = atomic_load(&s->peek_off);

	if (off > 0 && n > 0)
		atomic_store(&s->peek_off, off > n ? off - (int32_t)n : 0);
}

ssize64_t unix_stream_recv(struct socket *s, struct sockmsg *m)
{
	struct unix_sock *u = unix_of(s), *peer;
	struct reading r = { .u = u, .m = m, .dropped = LIST_INIT(r.dropped) };
	size_t want = m->uio->resid;
	ssize64_t n;

	if (UNLIKELY(u->state != UNIX_CONNECTED))
		return -EINVAL;
	if (UNLIKELY(m->flags & MSG_OOB))
		return receive_oob(u, m);
	r.target = UNLIKELY(m->flags & MSG_WAITALL) ? want : MIN(s->rcvlowat, want);
	r.target = MAX(r.target, 1);
	r.deadline = socket_deadline(s->rcvtimeo, m->flags & MSG_DONTWAIT);
	if (UNLIKELY(m->flags & MSG_PEEK)) {
		n = peek(&r);
	} else {
		n = take(&r);
		if (UNLIKELY(atomic_load_explicit(&s->peek_off, memory_order_relaxed) > 0))
			move_peek_off(s, n);
	}
	if (UNLIKELY(m->name != NULL) && n > 0 && (peer = unix_peer(u)) != NULL &&
	    unix_name(peer) != NULL)
		m->namelen = unix_put_name(peer, m->name);
	return n;
}

/* --- poll and ioctl --- */

uint32_t unix_stream_poll(struct socket *s, struct poll_ctx *ctx)
{
	struct unix_sock *u = unix_of(s);
	uint32_t shutdown = u->shutdown, events = 0;

	(void)ctx;
	if (atomic_load_explicit(&s->error, memory_order_relaxed))
		events |= EPOLLERR;
	if (shutdown == UNIX_SHUT || u->state == UNIX_IDLE)
		events |= EPOLLHUP;
	if (shutdown & UNIX_RCV_SHUT)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (*(struct list *volatile *)&u->queue.next != &u->queue || u->npending)
		events |= EPOLLIN | EPOLLRDNORM;
	if (u->oob != NULL)
		events |= EPOLLPRI;
	if (u->state != UNIX_LISTENING && unix_is_writable(u))
		events |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return events;
}

static uint32_t bytes_locked(struct unix_sock *u)
{
	struct unix_msg *m;
	uint32_t n = 0;

	list_for_each (m, &u->queue, node) {
		n += m->len - m->off;
		if (u->s.type == SOCK_DGRAM)
			break;
	}
	return n;
}

int unix_stream_ioctl(struct unix_sock *u, unsigned cmd, uint32_t *out)
{
	int err = 0;

	spin_lock(&u->lock);
	if (u->state == UNIX_LISTENING)
		err = -EINVAL;
	else if (cmd == FIONREAD)
		*out = bytes_locked(u);
	else
		*out = u->oob != NULL && u->queue.next == &u->oob->node;
	spin_unlock(&u->lock);
	return err;
}

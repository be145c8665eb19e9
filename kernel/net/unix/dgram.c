/*
 * SOCK_DGRAM and SOCK_SEQPACKET: messages with bounds. A datagram goes to the peer or to the name
 * that came with it; what limits it is the sender's buffer and, unless the two are connected to
 * each other, the length of the receiver's queue (net.unix.max_dgram_qlen). A sender that finds it
 * full waits on the receiver's `room`; its pollers wait on their own socket, to which `relay`
 * passes the news on.
 *
 * Sources: unix(7), send(2), recv(2), connect(2).
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "core/clock.h"
#include "net/unix/unix.h"
#include "net/unix/unix_priv.h"
#include "vfs/poll.h"

int unix_max_dgram_qlen = 10;

enum { DGRAM_RESERVE = 32 }; /* of SO_SNDBUF: what a datagram may not use */

/* --- connect --- */

struct unix_sock *unix_dgram_disconnect(struct unix_sock *u)
{
	struct unix_sock *old;

	spin_lock(&u->lock);
	old = unix_peer(u);
	atomic_store_explicit(&u->peer, NULL, memory_order_release);
	if (u->state == UNIX_CONNECTED)
		u->state = UNIX_IDLE;
	spin_unlock(&u->lock);
	return old;
}

static struct unix_sock *get_peer(struct unix_sock *u)
{
	struct unix_sock *p;

	spin_lock(&u->lock);
	p = unix_peer(u);
	if (p != NULL)
		unix_get(p);
	spin_unlock(&u->lock);
	return p;
}

/* `to` takes messages from anybody, or from its peer alone. */
static bool may_reach(struct unix_sock *to, struct unix_sock *from)
{
	struct unix_sock *its = unix_peer(to);

	return its == NULL || its == from;
}

/* Another peer than before: what that one had sent is forgotten, and it is told. */
static void forget(struct unix_sock *u, struct unix_sock *old)
{
	struct list queue = LIST_INIT(queue);

	spin_lock(&u->lock);
	list_splice_tail(&queue, &u->queue);
	u->queue_len = 0;
	spin_unlock(&u->lock);
	if (!list_is_empty(&queue)) {
		waitq_wake_all(&u->room, 0);
		unix_msgs_free(&queue);
	}
	if (unix_peer(old) == u) {
		atomic_store(&old->s.error, ECONNRESET);
		socket_wake_state(&old->s, EPOLLERR);
	}
}

static int set_peer(struct unix_sock *u, struct unix_sock *to)
{
	struct unix_sock *old;
	int err = 0;

	unix_lock_pair(u, to);
	if (to->state == UNIX_DEAD)
		err = -ECONNREFUSED;
	else if (!may_reach(to, u))
		err = -EPERM;
	old = unix_peer(u);
	if (!err) {
		unix_get(to);
		u->state = UNIX_CONNECTED;
		atomic_store_explicit(&u->peer, to, memory_order_release);
	}
	unix_unlock_pair(u, to);
	if (err || old == NULL)
		return err;
	if (old != to) {
		unix_relay_stop(u);
		forget(u, old);
	}
	unix_put(old);
	return 0;
}

int unix_dgram_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	struct unix_sock *u = unix_of(s), *to;
	int err;

	(void)nonblock;
	if (len < sizeof(uint16_t))
		return -EINVAL;
	if (((const struct abi_sockaddr *)addr)->sa_family == AF_UNSPEC) {
		unix_relay_stop(u);
		if ((to = unix_dgram_disconnect(u)) != NULL) {
			forget(u, to);
			unix_put(to);
		}
		return 0;
	}
	if ((err = unix_check_addr(addr, len)))
		return err;
	if (socket_has(s, SOB_PASSCRED) && (err = unix_autobind(u)))
		return err;
	if ((err = unix_lookup(addr, len, s->type, &to)))
		return err;
	err = set_peer(u, to);
	unix_put(to);
	return err;
}

/* --- send --- */

static bool queue_is_full(const struct unix_sock *to, struct unix_sock *from)
{
	return to != from && unix_peer((struct unix_sock *)(uintptr_t)to) != from &&
	       to->queue_len > to->backlog;
}

static bool may_write(struct socket *s)
{
	struct unix_sock *u = unix_of(s);

	return unix_has_room(u) || u->shutdown & UNIX_SND_SHUT || atomic_load(&s->error);
}

static int wait_for_room(struct unix_sock *u, nsec_t deadline)
{
	int err;

	for (;;) {
		if ((err = socket_take_error(&u->s)))
			return err;
		if (u->shutdown & UNIX_SND_SHUT)
			return -EPIPE;
		if (unix_has_room(u))
			return 0;
		if ((err = socket_wait(&u->s, &u->s.writable, may_write, deadline)))
			return err;
	}
}

/* What a sender waits for in the receiver: the queue, by length alone. */
static bool queue_has_room(struct socket *s)
{
	struct unix_sock *to = unix_of(s);

	return to->queue_len <= to->backlog || to->shutdown & UNIX_RCV_SHUT ||
	       to->state == UNIX_DEAD;
}

/* 0: it is in the queue; -EAGAIN: that is full; -ECONNREFUSED: gone; -EPERM; -EPIPE. */
static int deliver(struct unix_sock *u, struct unix_sock *to, struct unix_msg *msg)
{
	int err = 0;

	spin_lock(&to->lock);
	if (to->state == UNIX_DEAD)
		err = -ECONNREFUSED;
	else if (!may_reach(to, u))
		err = -EPERM;
	else if (to->shutdown & UNIX_RCV_SHUT)
		err = -EPIPE;
	else if (queue_is_full(to, u))
		err = -EAGAIN;
	else
		list_add_tail(&to->queue, &msg->node);
	if (!err)
		to->queue_len++;
	spin_unlock(&to->lock);
	if (!err)
		socket_wake(&to->s, &to->s.readable, EPOLLIN | EPOLLRDNORM);
	return err;
}

/* A connected socket whose peer is gone is connected no more. */
static void drop_dead_peer(struct unix_sock *u, struct unix_sock *dead)
{
	bool was_ours;

	unix_relay_stop(u);
	spin_lock(&u->lock);
	was_ours = unix_peer(u) == dead;
	if (was_ours) {
		atomic_store_explicit(&u->peer, NULL, memory_order_release);
		u->state = UNIX_IDLE;
	}
	spin_unlock(&u->lock);
	if (was_ours)
		unix_put(dead);
}

/* The receiver: by name, or the peer. Counted. */
static int find_receiver(struct unix_sock *u, const struct sockmsg *m, struct unix_sock **to)
{
	if (m->namelen)
		return unix_lookup(m->name, m->namelen, u->s.type, to);
	*to = get_peer(u);
	return *to == NULL ? -ENOTCONN : 0;
}

static int send_to(struct unix_sock *u, const struct sockmsg *m, struct unix_msg *msg,
		   struct unix_scm *scm, nsec_t deadline)
{
	struct unix_sock *to;
	int err = find_receiver(u, m, &to);

	if (err)
		return err;
	if (UNLIKELY(!unix_msg_passes(msg, to))) { /* sent, as far as the sender hears */
		unix_put(to);
		unix_msg_free(msg);
		return 0;
	}
	unix_scm_attach(scm, u, to, msg);
	while ((err = deliver(u, to, msg)) == -EAGAIN)
		if ((err = socket_wait(&to->s, &to->room, queue_has_room, deadline)))
			break;
	if (err == -ECONNREFUSED && !m->namelen && u->s.type == SOCK_DGRAM)
		drop_dead_peer(u, to);
	unix_put(to);
	return err;
}

ssize64_t unix_dgram_send(struct socket *s, struct sockmsg *m)
{
	struct unix_sock *u = unix_of(s);
	nsec_t deadline = socket_deadline(s->sndtimeo, m->flags & MSG_DONTWAIT);
	size_t len = m->uio->resid;
	struct unix_scm scm = { .rights = NULL };
	struct unix_msg *msg;
	int err;

	if (m->control_len && (err = unix_scm_parse(m, &scm)))
		return err;
	if (m->flags & MSG_OOB)
		err = -EOPNOTSUPP;
	else if (m->namelen)
		err = unix_check_addr(m->name, m->namelen);
	else
		err = unix_peer(u) == NULL ? -ENOTCONN : 0;
	if (!err && socket_has(s, SOB_PASSCRED))
		err = unix_autobind(u);
	if (!err && len + DGRAM_RESERVE > s->sndbuf)
		err = -EMSGSIZE;
	if (!err)
		err = wait_for_room(u, deadline);
	if (!err)
		err = unix_msg_create(u, m->uio, (uint32_t)len, &msg);
	if (!err && (err = send_to(u, m, msg, &scm, deadline)))
		unix_msg_free(msg);
	unix_scm_drop(&scm);
	return err ? err : (ssize64_t)len;
}

ssize64_t unix_seqpacket_send(struct socket *s, struct sockmsg *m)
{
	if (unix_of(s)->state != UNIX_CONNECTED)
		return -ENOTCONN;
	m->namelen = 0; /* send(2): may be ignored on connected sockets */
	return unix_dgram_send(s, m);
}

/* --- receive --- */

/* The message to be read: a peek with an offset passes over those that lie before it. */
static struct unix_msg *pick_locked(struct unix_sock *u, uint32_t *skip)
{
	struct unix_msg *msg;

	list_for_each (msg, &u->queue, node) {
		if (*skip < msg->len || *skip == 0)
			return msg;
		*skip -= msg->len;
	}
	return NULL;
}

static void unqueue_locked(struct unix_sock *u, struct unix_msg *msg)
{
	list_remove(&msg->node);
	u->queue_len--;
}

static bool may_receive(struct socket *s)
{
	struct unix_sock *u = unix_of(s);
	int32_t off = atomic_load(&s->peek_off);
	uint32_t skip = off > 0 ? (uint32_t)off : 0;
	bool ready;

	spin_lock(&u->lock);
	ready = pick_locked(u, &skip) != NULL;
	spin_unlock(&u->lock);
	return ready || u->shutdown & UNIX_RCV_SHUT || atomic_load(&s->error);
}

/* With `reading` held. *out NULL: the end. Peeking leaves the message in the queue. */
static int next_message(struct unix_sock *u, struct sockmsg *m, nsec_t deadline, uint32_t *skip,
			struct unix_msg **out) NO_TSA
{
	struct socket *s = &u->s;
	bool peeking = m->flags & MSG_PEEK, was_full, ended;
	int32_t off;
	int err;

	for (;;) {
		if ((err = socket_take_error(s)))
			return err;
		ended = u->shutdown & UNIX_RCV_SHUT; /* and nothing comes into the queue then */
		off = peeking ? atomic_load(&s->peek_off) : 0;
		*skip = off > 0 ? (uint32_t)off : 0;
		spin_lock(&u->lock);
		was_full = u->queue_len > u->backlog;
		*out = pick_locked(u, skip);
		if (*out != NULL && !peeking)
			unqueue_locked(u, *out);
		spin_unlock(&u->lock);
		if (*out != NULL) {
			if (was_full && !peeking)
				waitq_wake_all(&u->room, EPOLLOUT);
			return 0;
		}
		/* A datagram socket that would not wait says so even when nothing can come. */
		if (ended && (deadline != 0 || s->type != SOCK_DGRAM))
			return 0;
		mutex_unlock(&u->reading);
		err = socket_wait(s, &s->readable, may_receive, deadline);
		mutex_lock(&u->reading);
		if (err)
			return err;
	}
}

static void move_peek_off(struct socket *s, size_t n, bool forward)
{
	int32_t off = atomic_load(&s->peek_off);

	if (off < 0)
		return;
	if (forward)
		atomic_store(&s->peek_off, off + (int32_t)n);
	else
		atomic_store(&s->peek_off, off > (int32_t)n ? off - (int32_t)n : 0);
}

static ssize64_t copy_out(struct unix_msg *msg, struct sockmsg *m, uint32_t skip)
{
	size_t rest = msg->len - skip, n = MIN(rest, m->uio->resid);

	if (n < rest)
		m->out_flags |= MSG_TRUNC;
	if (unix_msg_read(msg, skip, m->uio, n) < n)
		return -EFAULT;
	return (ssize64_t)(m->flags & MSG_TRUNC ? rest : n);
}

ssize64_t unix_dgram_recv(struct socket *s, struct sockmsg *m)
{
	struct unix_sock *u = unix_of(s);
	nsec_t deadline = socket_deadline(s->rcvtimeo, m->flags & MSG_DONTWAIT);
	bool peeking = m->flags & MSG_PEEK;
	struct unix_rights *left = NULL;
	struct unix_msg *msg;
	uint32_t skip;
	ssize64_t n;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	mutex_lock(&u->reading);
	n = next_message(u, m, deadline, &skip, &msg);
	if (n || msg == NULL) {
		mutex_unlock(&u->reading);
		return n;
	}
	if (m->name != NULL && unix_name(msg->sender) != NULL)
		m->namelen = unix_put_name(msg->sender, m->name);
	n = copy_out(msg, m, skip);
	if (n >= 0) {
		move_peek_off(s, peeking ? (size_t)n : msg->len, peeking);
		/* Messages that never were on a wire bear the time at which they are read. */
		if (UNLIKELY(socket_has(s, SOB_TIMESTAMP | SOB_TIMESTAMPNS)))
			sockmsg_put_timestamp(m, s, clock_real());
		if (socket_has(s, SOB_PASSCRED))
			unix_scm_receive_cred(msg, m);
		if (msg->rights != NULL)
			left = unix_scm_receive_rights(msg, m, peeking);
	}
	mutex_unlock(&u->reading);
	if (left != NULL)
		unix_rights_free(left);
	if (!peeking)
		unix_msg_free(msg);
	return n;
}

ssize64_t unix_seqpacket_recv(struct socket *s, struct sockmsg *m)
{
	if (unix_of(s)->state != UNIX_CONNECTED)
		return -ENOTCONN;
	return unix_dgram_recv(s, m);
}

/* --- poll --- */

static bool relay_room(struct waiter *w, uint32_t events)
{
	struct unix_sock *u = container_of(w, struct unix_sock, relay);

	(void)events;
	waitq_wake_all(&u->s.writable, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	return false;
}

void unix_relay_stop(struct unix_sock *u)
{
	struct unix_sock *to;

	spin_lock(&u->lock);
	to = u->relay_to;
	u->relay_to = NULL;
	if (to != NULL)
		waitq_remove(&to->room, &u->relay);
	spin_unlock(&u->lock);
	if (to != NULL)
		unix_put(to);
}

/* Hears of room in the peer's queue from now on. */
static void relay_start(struct unix_sock *u, struct unix_sock *to)
{
	spin_lock(&u->lock);
	if (u->relay_to == NULL && unix_peer(u) == to) {
		unix_get(to);
		u->relay_to = to;
		waiter_init(&u->relay);
		u->relay.wake = relay_room;
		waitq_add(&to->room, &u->relay);
	}
	spin_unlock(&u->lock);
}

static bool peer_is_full(struct unix_sock *u)
{
	struct unix_sock *to = get_peer(u);
	bool full = false;

	if (to == NULL)
		return false;
	if (queue_is_full(to, u)) {
		relay_start(u, to);
		full = queue_is_full(to, u);
	}
	unix_put(to);
	return full;
}

uint32_t unix_dgram_poll(struct socket *s, struct poll_ctx *ctx)
{
	struct unix_sock *u = unix_of(s);
	uint32_t shutdown = u->shutdown, events = 0;

	(void)ctx;
	if (atomic_load_explicit(&s->error, memory_order_relaxed))
		events |= EPOLLERR;
	if (shutdown == UNIX_SHUT || (s->type == SOCK_SEQPACKET && u->state == UNIX_IDLE))
		events |= EPOLLHUP;
	if (shutdown & UNIX_RCV_SHUT)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (*(struct list *volatile *)&u->queue.next != &u->queue || u->npending)
		events |= EPOLLIN | EPOLLRDNORM;
	if (u->state != UNIX_LISTENING && unix_is_writable(u) && !peer_is_full(u))
		events |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return events;
}

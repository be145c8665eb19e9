/*
 * Connections: socketpair(2), listen(2), connect(2) and accept(2) of streams and seqpackets. A
 * connection is made by the one who connects: it makes the other end, joins the two, and hangs it
 * on the listener, all before accept(2); so data can be sent and read at once.
 *
 * Sources: unix(7), listen(2), connect(2), accept(2).
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "net/unix/unix.h"
#include "net/unix/unix_priv.h"
#include "vfs/cred.h"

static void put_cred(const struct cred *c)
{
	if (c != NULL)
		cred_put(c);
}

/* Joins two idle sockets, locks held; each counts the other. */
static void join_locked(struct unix_sock *a, struct unix_sock *b)
{
	unix_get(a);
	unix_get(b);
	a->state = UNIX_CONNECTED;
	b->state = UNIX_CONNECTED;
	atomic_store_explicit(&a->peer, b, memory_order_release);
	atomic_store_explicit(&b->peer, a, memory_order_release);
}

int unix_pair(struct socket *sa, struct socket *sb)
{
	struct unix_sock *a = unix_of(sa), *b = unix_of(sb);
	const struct cred *c = current_cred(), *old;
	uint32_t pid = unix_current_pid();

	/* Nobody else knows them yet. */
	join_locked(a, b);
	old = unix_set_peer_cred(a, c, pid);
	put_cred(old);
	old = unix_set_peer_cred(b, c, pid);
	put_cred(old);
	return 0;
}

int unix_listen(struct socket *s, uint32_t backlog)
{
	struct unix_sock *u = unix_of(s);
	const struct cred *old = NULL;
	uint32_t before;
	int err = -EINVAL;

	if (unix_name(u) == NULL)
		return -EINVAL;
	spin_lock(&u->lock);
	if (u->state == UNIX_IDLE || u->state == UNIX_LISTENING) {
		before = u->backlog;
		u->backlog = backlog;
		u->state = UNIX_LISTENING;
		old = unix_set_peer_cred(u, current_cred(), unix_current_pid());
		err = backlog > before;
	}
	spin_unlock(&u->lock);
	put_cred(old);
	if (err > 0)
		waitq_wake_all(&u->room, 0);
	return MIN(err, 0);
}

/* --- connect --- */

static bool backlog_is_full(const struct unix_sock *l)
{
	return l->npending > l->backlog;
}

/* What connect(2) waits for, of the listener. */
static bool backlog_has_room(struct socket *s)
{
	struct unix_sock *l = unix_of(s);
	bool ready;

	spin_lock(&l->lock);
	ready = !backlog_is_full(l) || l->state != UNIX_LISTENING || l->shutdown & UNIX_RCV_SHUT;
	spin_unlock(&l->lock);
	return ready;
}

static int client_state(const struct unix_sock *u)
{
	uint32_t state = u->state; /* clang 14: no switch over a const atomic */

	switch (state) {
	case UNIX_IDLE:
		return 0;
	case UNIX_CONNECTED:
		return -EISCONN;
	}
	return -EINVAL;
}

/*
 * Joins u to `end`, the listener's new end.
 *   returns      0; -EAGAIN no room in the backlog; -EPIPE the listener is gone: look again;
 *                -ECONNREFUSED; -EISCONN, -EINVAL
 */
static int join_listener(struct unix_sock *u, struct unix_sock *l, struct unix_sock *end)
{
	const struct cred *old = NULL;
	int err;

	unix_lock_pair(l, u);
	if (l->state == UNIX_DEAD)
		err = -EPIPE;
	else if (l->state != UNIX_LISTENING || l->shutdown & UNIX_RCV_SHUT)
		err = -ECONNREFUSED;
	else if (backlog_is_full(l))
		err = -EAGAIN;
	else
		err = client_state(u);
	if (!err) {
		join_locked(u, end);
		(void)!unix_set_peer_cred(end, current_cred(), unix_current_pid());
		old = unix_set_peer_cred(u, l->peer_cred, l->peer_pid);
		if (unix_name(l) != NULL) {
			unix_addr_get(unix_name(l));
			atomic_store_explicit(&end->addr, unix_name(l), memory_order_release);
			end->binding = true;
		}
		end->embryo = true;
		unix_get(end); /* the listener's */
		list_add_tail(&l->pending, &end->pending_node);
		l->npending++;
	}
	unix_unlock_pair(l, u);
	put_cred(old);
	return err;
}

static int connect_once(struct unix_sock *u, const struct abi_sockaddr_un *name, uint32_t len,
			struct unix_sock *end, nsec_t deadline)
{
	struct unix_sock *l;
	int err;

	if ((err = unix_lookup(name, len, u->s.type, &l)))
		return err;
	err = join_listener(u, l, end);
	if (!err) {
		socket_wake_accept(&l->s);
		socket_wake_state(&u->s, EPOLLOUT | EPOLLWRNORM);
	} else if (err == -EAGAIN) {
		err = socket_wait(&l->s, &l->room, backlog_has_room, deadline);
		if (!err)
			err = -EPIPE; /* look again */
	}
	unix_put(l);
	return err;
}

static void discard(struct unix_sock *u)
{
	unix_release(&u->s);
	unix_put(u);
}

int unix_stream_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	struct unix_sock *u = unix_of(s);
	nsec_t deadline = socket_deadline(s->sndtimeo, nonblock);
	struct socket *end;
	int err;

	if ((err = unix_check_addr(addr, len)))
		return err;
	if (socket_has(s, SOB_PASSCRED) && (err = unix_autobind(u)))
		return err;
	if ((err = unix_create(s->type, 0, &end)))
		return err;
	do
		err = connect_once(u, addr, len, unix_of(end), deadline);
	while (err == -EPIPE);
	if (err)
		discard(unix_of(end));
	else
		socket_put(end);
	return err;
}

/* --- accept --- */

static struct unix_sock *take_pending(struct unix_sock *l, int *err)
{
	struct unix_sock *end = NULL;

	spin_lock(&l->lock);
	*err = 0;
	if (l->state != UNIX_LISTENING) {
		*err = -EINVAL;
	} else if (!list_is_empty(&l->pending)) {
		end = list_first(&l->pending, struct unix_sock, pending_node);
		list_remove(&end->pending_node);
		l->npending--;
		end->embryo = false;
	} else if (l->shutdown & UNIX_RCV_SHUT) {
		*err = -EINVAL;
	}
	spin_unlock(&l->lock);
	return end;
}

static bool may_accept(struct socket *s)
{
	struct unix_sock *l = unix_of(s);

	return !list_is_empty(&l->pending) || l->shutdown & UNIX_RCV_SHUT;
}

int unix_accept(struct socket *s, bool nonblock, struct socket **out)
{
	struct unix_sock *l = unix_of(s), *end;
	nsec_t deadline = socket_deadline(s->rcvtimeo, nonblock);
	int err;

	while ((end = take_pending(l, &err)) == NULL && !err)
		if ((err = socket_wait_accept(s, may_accept, deadline)))
			break;
	if (err)
		return err;
	waitq_wake_all(&l->room, 0);
	*out = &end->s;
	return 0;
}

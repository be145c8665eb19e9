/*
 * AF_UNIX sockets: how they are made, what they answer about themselves, and how they end.
 *
 * A socket's lock guards its state and its queue, and is held for a few instructions. Data is
 * copied outside of it: senders fill a message and then append it to the receiver's queue; readers
 * of one socket take turns by `reading`, under which the head of the queue is theirs.
 *
 * The end of a socket, in this order: no name leads to it, it is DEAD (senders who have its address
 * from before see that under its lock), the peer is told, the queue is thrown away. The memory
 * stays as long as the peer or a message counts it.
 *
 * Sources: unix(7), socket(7), shutdown(2).
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/unix/unix.h"
#include "net/unix/unix_priv.h"
#include "pmm/slab.h"
#include "vfs/cred.h"
#include "vfs/lock.h"
#include "vm/usercopy.h"

static struct slab_cache *sock_cache;

static const struct socket_ops *ops_of(int *type)
{
	switch (*type) {
	case SOCK_STREAM:
		return &unix_stream_ops;
	case SOCK_SEQPACKET:
		return &unix_seqpacket_ops;
	case SOCK_RAW:
		*type = SOCK_DGRAM; /* as Linux has it, since BSD did */
		FALLTHROUGH;
	case SOCK_DGRAM:
		return &unix_dgram_ops;
	}
	return NULL;
}

int unix_create(int type, int protocol, struct socket **out)
{
	const struct socket_ops *ops;
	struct unix_sock *u;

	if (protocol != 0 && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if ((ops = ops_of(&type)) == NULL)
		return -ESOCKTNOSUPPORT;
	if ((u = slab_zalloc(sock_cache)) == NULL)
		return -ENOMEM;
	socket_init(&u->s, ops, AF_UNIX, type, 0);
	spin_init(&u->lock, RANK_UNIX);
	mutex_init(&u->reading, RANK_SOCKET);
	list_init(&u->queue);
	list_init(&u->pending);
	list_init(&u->pending_node);
	list_init(&u->inflight_node);
	waitq_init(&u->room);
	spin_init(&u->room.lock, RANK_UNIXROOM);
	u->backlog = (uint32_t)unix_max_dgram_qlen;
	unix_list_add(u);
	*out = &u->s;
	return 0;
}

void unix_lock_pair(struct unix_sock *a, struct unix_sock *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock_nested(a < b ? &b->lock : &a->lock);
}

void unix_unlock_pair(struct unix_sock *a, struct unix_sock *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

uint32_t unix_current_pid(void)
{
	return (uint32_t)vfs_current_tgid();
}

const struct cred *unix_set_peer_cred(struct unix_sock *u, const struct cred *c, uint32_t pid)
{
	const struct cred *old = u->peer_cred;

	if (c != NULL)
		cred_get(c);
	u->peer_cred = c;
	u->peer_pid = pid;
	return old;
}

/* --- the end --- */

void unix_hang_up(struct unix_sock *u, int err)
{
	spin_lock(&u->lock);
	if (err) /* first: who sees the end sees why */
		atomic_store(&u->s.error, err);
	u->shutdown = UNIX_SHUT;
	spin_unlock(&u->lock);
	socket_wake_state(&u->s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | (err ? EPOLLERR : 0));
	waitq_wake_all(&u->room, 0);
}

/* Sockets that nobody will accept: for their peers, the connection was reset. */
static void drop_pending(struct list *pending)
{
	while (!list_is_empty(pending)) {
		struct unix_sock *u = list_first(pending, struct unix_sock, pending_node);

		list_remove(&u->pending_node);
		unix_release(&u->s);
		unix_put(u);
		thread_resched_point();
	}
}

/*
 * Marks u dead and takes away what it has. True: data was lost that its peer thinks is read, or
 * nobody ever accepted it.
 */
static bool die(struct unix_sock *u, struct list *queue, struct list *pending)
{
	bool lost;

	list_init(queue);
	list_init(pending);
	spin_lock(&u->lock);
	u->state = UNIX_DEAD;
	u->shutdown = UNIX_SHUT;
	lost = !list_is_empty(&u->queue) || u->embryo;
	list_splice_tail(queue, &u->queue);
	u->queue_len = 0;
	u->oob = NULL;
	list_splice_tail(pending, &u->pending);
	u->npending = 0;
	spin_unlock(&u->lock);
	return lost;
}

void unix_release(struct socket *s)
{
	struct unix_sock *u = unix_of(s), *peer;
	struct list queue, pending;
	bool lost;

	unix_unname(u);
	unix_list_remove(u);
	lost = die(u, &queue, &pending);
	if (s->type == SOCK_DGRAM) {
		unix_relay_stop(u);
		peer = unix_dgram_disconnect(u);
	} else {
		peer = atomic_exchange(&u->peer, NULL);
		if (peer != NULL)
			unix_hang_up(peer, lost ? ECONNRESET : 0);
	}
	waitq_wake_all(&u->room, 0);
	unix_msgs_free(&queue);
	drop_pending(&pending);
	if (peer != NULL)
		unix_put(peer);
	unix_gc_hint();
}

void unix_destroy(struct socket *s)
{
	struct unix_sock *u = unix_of(s);

	if (u->peer_cred != NULL)
		cred_put(u->peer_cred);
	if (unix_name(u) != NULL)
		unix_addr_put(unix_name(u));
	slab_free(sock_cache, u);
}

int unix_shutdown(struct socket *s, int how)
{
	static const uint8_t ours[] = { UNIX_RCV_SHUT, UNIX_SND_SHUT, UNIX_SHUT };
	static const uint8_t theirs[] = { UNIX_SND_SHUT, UNIX_RCV_SHUT, UNIX_SHUT };
	struct unix_sock *u = unix_of(s), *peer = NULL;
	uint32_t events;

	spin_lock(&u->lock);
	u->shutdown |= ours[how];
	if (s->type != SOCK_DGRAM && (peer = unix_peer(u)) != NULL)
		unix_get(peer);
	spin_unlock(&u->lock);
	if (peer != NULL) {
		spin_lock(&peer->lock);
		peer->shutdown |= theirs[how];
		events = peer->shutdown == UNIX_SHUT ? EPOLLHUP : 0;
		spin_unlock(&peer->lock);
		if (theirs[how] & UNIX_RCV_SHUT)
			events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
		socket_wake_state(&peer->s, events | EPOLLOUT);
		unix_put(peer);
	}
	events = EPOLLOUT | EPOLLRDHUP | EPOLLIN | (u->shutdown == UNIX_SHUT ? EPOLLHUP : 0);
	socket_wake_state(s, events);
	waitq_wake_all(&u->room, 0);
	return 0;
}

/* --- options --- */

int unix_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len)
{
	(void)s, (void)name, (void)val, (void)len;
	return level == SOL_SOCKET ? -ENOPROTOOPT : -EOPNOTSUPP;
}

static int get_peer_cred(struct unix_sock *u, void *val, uint32_t *len)
{
	struct abi_ucred uc = { 0, UINT32_MAX, UINT32_MAX };

	spin_lock(&u->lock);
	if (u->peer_cred != NULL)
		uc = (struct abi_ucred){ (int32_t)u->peer_pid, u->peer_cred->euid,
					 u->peer_cred->egid };
	spin_unlock(&u->lock);
	*len = MIN(*len, (uint32_t)sizeof(uc));
	memcpy(val, &uc, *len);
	return 0;
}

static int get_peer_groups(struct unix_sock *u, uint32_t *groups, uint32_t *len)
{
	const struct cred *c;
	uint32_t room = *len;
	int err = 0;

	spin_lock(&u->lock);
	c = u->peer_cred;
	if (c == NULL) {
		err = -ENODATA;
	} else {
		*len = c->ngroups * (uint32_t)sizeof(uint32_t);
		if (*len > room)
			err = -ERANGE;
		else
			memcpy(groups, c->groups, *len);
	}
	spin_unlock(&u->lock);
	return err;
}

int unix_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	switch (name) {
	case SO_ACCEPTCONN:
		*len = MIN(*len, (uint32_t)sizeof(int32_t));
		memcpy(val, &(int32_t){ unix_of(s)->state == UNIX_LISTENING }, *len);
		return 0;
	case SO_PEERCRED:
		return get_peer_cred(unix_of(s), val, len);
	case SO_PEERGROUPS:
		return get_peer_groups(unix_of(s), val, len);
	}
	return -ENOPROTOOPT;
}

int64_t unix_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct unix_sock *u = unix_of(s);
	uint32_t n = 0;
	int err = 0;

	switch (cmd) {
	case TIOCOUTQ:
		n = atomic_load(&u->wmem);
		break;
	case FIONREAD:
	case SIOCATMARK:
		err = unix_stream_ioctl(u, cmd, &n);
		break;
	default:
		return -ENOTTY;
	}
	return err ? err : put_user_u32(UADDR(arg), n);
}

static void count_rights(struct list *queue, uint32_t *n)
{
	struct unix_msg *m;

	list_for_each (m, queue, node)
		if (m->rights != NULL)
			*n += m->rights->n;
}

void unix_show_fdinfo(struct socket *s, struct textbuf *t)
{
	struct unix_sock *u = unix_of(s);
	uint32_t n = 0;

	spin_lock(&u->lock);
	count_rights(&u->queue, &n);
	spin_unlock(&u->lock);
	text_f(t, "scm_fds: %u\n", n);
}

const struct socket_ops unix_stream_ops = {
	.release = unix_release,
	.destroy = unix_destroy,
	.bind = unix_bind,
	.connect = unix_stream_connect,
	.pair = unix_pair,
	.listen = unix_listen,
	.accept = unix_accept,
	.getname = unix_getname,
	.shutdown = unix_shutdown,
	.send = unix_stream_send,
	.recv = unix_stream_recv,
	.poll = unix_stream_poll,
	.setsockopt = unix_setsockopt,
	.getsockopt = unix_getsockopt,
	.ioctl = unix_ioctl,
	.show_fdinfo = unix_show_fdinfo,
	.flags = SOCKET_SIGPIPE | SOCKET_PEEK_OFF,
};

const struct socket_ops unix_seqpacket_ops = {
	.release = unix_release,
	.destroy = unix_destroy,
	.bind = unix_bind,
	.connect = unix_stream_connect,
	.pair = unix_pair,
	.listen = unix_listen,
	.accept = unix_accept,
	.getname = unix_getname,
	.shutdown = unix_shutdown,
	.send = unix_seqpacket_send,
	.recv = unix_seqpacket_recv,
	.poll = unix_dgram_poll,
	.setsockopt = unix_setsockopt,
	.getsockopt = unix_getsockopt,
	.ioctl = unix_ioctl,
	.show_fdinfo = unix_show_fdinfo,
	.flags = SOCKET_PEEK_OFF,
};

const struct socket_ops unix_dgram_ops = {
	.release = unix_release,
	.destroy = unix_destroy,
	.bind = unix_bind,
	.connect = unix_dgram_connect,
	.pair = unix_pair,
	.getname = unix_getname,
	.shutdown = unix_shutdown,
	.send = unix_dgram_send,
	.recv = unix_dgram_recv,
	.poll = unix_dgram_poll,
	.setsockopt = unix_setsockopt,
	.getsockopt = unix_getsockopt,
	.ioctl = unix_ioctl,
	.show_fdinfo = unix_show_fdinfo,
	.flags = SOCKET_PEEK_OFF,
};

void unix_init(void)
{
	static struct net_family family = { .family = AF_UNIX, .create = unix_create };

	sock_cache = slab_cache_create("unix_socket", sizeof(struct unix_sock), 64, NULL);
	unix_names_init();
	unix_gc_init();
	net_family_register(&family);
}

/* Unix sockets for sock_diag(7): see show.h. The list of them all is in the order of their numbers.
 */

#include "net/unix/show.h"

#include "abi/socket.h"
#include "lib/string.h"
#include "net/unix/unix_priv.h"

enum { ESTABLISHED = 1, CLOSED = 7, LISTEN = 10, NAME_AT = 2 };

static void show_queue(struct unix_sock *u, struct unix_shown *s)
{
	bool first_only = u->s.type == SOCK_DGRAM;
	struct unix_sock *p, *client;
	struct unix_msg *m;

	if (u->state == UNIX_LISTENING) {
		s->rqueue = u->npending;
		s->wqueue = u->backlog;
		list_for_each (p, &u->pending, pending_node)
			if (s->nicons < UNIX_ICONS) {
				client = unix_peer(p);
				s->icons[s->nicons++] = client ? (uint32_t)client->s.inode.ino : 0;
			}
		return;
	}
	list_for_each (m, &u->queue, node) {
		s->rmem += m->weight;
		if (!first_only || s->rqueue == 0)
			s->rqueue += m->len - m->off;
	}
	s->wmem = atomic_load(&u->wmem);
	s->wqueue = s->wmem;
}

static void show(struct unix_sock *u, struct unix_shown *s)
{
	const struct unix_addr *a;
	struct unix_sock *peer;

	memset(s, 0, __builtin_offsetof(struct unix_shown, icons));
	spin_lock(&u->lock);
	peer = unix_peer(u);
	s->type = (uint8_t)u->s.type;
	s->state = u->state == UNIX_LISTENING ? LISTEN : peer ? ESTABLISHED : CLOSED;
	s->shutdown = (uint8_t)atomic_load(&u->shutdown);
	s->ino = u->s.inode.ino;
	s->peer = peer && !peer->embryo ? peer->s.inode.ino : 0;
	s->rcvbuf = u->s.rcvbuf;
	s->sndbuf = u->s.sndbuf;
	s->uid = u->s.inode.uid;
	show_queue(u, s);
	if ((a = unix_name(u)) != NULL && a->len > NAME_AT) {
		s->name_len = a->len - NAME_AT;
		memcpy(s->name, a->name.sun_path, MIN(s->name_len, sizeof(s->name)));
		s->name_len = MIN(s->name_len, (uint32_t)sizeof(s->name));
		if (a->inode) {
			s->vfs_ino = a->inode->ino;
			s->vfs_dev = a->inode->sb->dev;
		}
	}
	spin_unlock(&u->lock);
}

struct walk {
	struct unix_shown *s;
	bool (*fn)(void *ctx, const struct unix_shown *s);
	void *ctx;
};

static bool show_one(struct unix_sock *u, void *ctx)
{
	struct walk *w = ctx;

	if (u->embryo) /* its listener tells of it */
		return true;
	show(u, w->s);
	return w->fn(w->ctx, w->s);
}

bool unix_walk(uint64_t *key, struct unix_shown *s,
	       bool (*fn)(void *ctx, const struct unix_shown *s), void *ctx)
{
	struct walk w = { s, fn, ctx };

	return unix_list_walk(key, show_one, &w);
}

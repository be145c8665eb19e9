/*
 * Going through Internet sockets: see show.h. A key is a bucket and a place in its chain: what
 * comes into a chain comes in at its head, so that between two looks a socket may be seen twice or,
 * when one before it went, not at all; as on Linux.
 */

#include "net/inet/show.h"

#include "net/netif.h"

static struct inet_shower *showers; /* immutable after boot */

void inet_show_register(struct inet_shower *s)
{
	s->link = showers;
	showers = s;
}

const struct inet_shower *inet_show_find(uint8_t protocol)
{
	const struct inet_shower *s = showers;

	while (s && s->protocol != protocol)
		s = s->link;
	return s;
}

void inet_show_common(const struct inet_sock *i, struct inet_shown *out)
{
	*out = (struct inet_shown){
		.family = i->s.family,
		.type = (uint8_t)i->s.type,
		.protocol = (uint8_t)i->s.protocol,
		.state = i->rport ? 1 : 7, /* TCP_ESTABLISHED, TCP_CLOSE */
		.local = i->local,
		.remote = i->remote,
		.lport = i->lport,
		.rport = i->rport,
		.rcvbuf = i->s.rcvbuf,
		.sndbuf = i->s.sndbuf,
		.uid = i->uid,
		.mark = i->s.mark,
		.refs = (uint32_t)atomic_load(&i->s.inode.ref.n),
		.ino = atomic_load(&i->s.file) ? i->s.inode.ino : 0,
		.cookie = i->s.inode.ino,
		.ifindex = i->s.bound_if,
		.tos = i->tos,
		.v6only = i->v6only,
		.auto_port = i->auto_port,
	};
}

struct inet_sock *inet_table_next(const struct inet_table *t, uint64_t *key, uint32_t *slot)
{
	uint32_t bucket = (uint32_t)(*key >> 32), place = (uint32_t)*key, n;
	struct inet_sock *i;

	for (; bucket < INET_BUCKETS; bucket++, place = 0) {
		n = 0;
		for (i = inet_next(&t->bucket[bucket]); i; i = inet_next(&i->bind_next), n++)
			if (n >= place) {
				*key = (uint64_t)bucket << 32 | (n + 1);
				*slot = bucket;
				return i;
			}
	}
	*key = (uint64_t)bucket << 32;
	return NULL;
}

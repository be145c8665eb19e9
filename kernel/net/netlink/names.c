/*
 * Who has which port of netlink, and who listens to which group: reports go from here to their
 * receivers' queues.
 */

#include "core/random.h"
#include "lib/string.h"
#include "net/netlink/sock_priv.h"
#include "vfs/lock.h"

enum { NHASH = 64 };

static struct spinlock names_lock = SPINLOCK(NLNAMES);
static struct netlink_sock *ports[NHASH];
static struct list listeners = LIST_INIT(listeners);

struct nlmsgs *nl_copy(const struct nlmsgs *m)
{
	struct nlmsgs *c = nlmsgs_alloc(m->len);

	if (!c)
		return NULL;
	c->len = m->len;
	c->from = m->from;
	c->group = m->group;
	c->groups = m->groups;
	c->uid = m->uid;
	c->gid = m->gid;
	c->pid = m->pid;
	memcpy(c->data, m->data, m->len);
	return c;
}

static bool listens(const struct netlink_sock *n, uint16_t protocol, unsigned group)
{
	return n->proto->protocol == protocol &&
	       atomic_load_explicit(&n->groups, memory_order_relaxed) >> (group - 1) & 1;
}

bool netlink_has_listeners(uint16_t protocol, unsigned group)
{
	struct netlink_sock *n;
	bool found = false;

	if (list_is_empty(&listeners))
		return false;
	spin_lock(&names_lock);
	list_for_each (n, &listeners, listener)
		found |= listens(n, protocol, group);
	spin_unlock(&names_lock);
	return found;
}

/* The next listener behind `after`, counted: by port, so that those who come and go do no harm. */
static struct netlink_sock *next_listener(uint16_t protocol, unsigned group, uint64_t *after)
{
	struct netlink_sock *n, *best = NULL;

	spin_lock(&names_lock);
	list_for_each (n, &listeners, listener)
		if (listens(n, protocol, group) && n->portid >= *after &&
		    (!best || n->portid < best->portid))
			best = n;
	if (best) {
		*after = best->portid + 1ull;
		socket_get(&best->s);
	}
	spin_unlock(&names_lock);
	return best;
}

void netlink_report(uint16_t protocol, unsigned group, struct nlmsgs *m)
{
	struct netlink_sock *n;
	uint64_t after = 0;
	struct nlmsgs *c;

	m->group = group;
	m->groups = group <= 32 ? 1u << (group - 1) : 0;
	while ((n = next_listener(protocol, group, &after))) {
		c = n->portid == m->from && m->from ? NULL : nl_copy(m);
		if (c && !nl_enqueue(n, c, true))
			nlmsgs_free(c);
		nl_wake_reader(n);
		socket_put(&n->s);
	}
	nlmsgs_free(m);
}

/* --- ports --- */

static struct netlink_sock **bucket(const struct netlink_protocol_ops *p, uint32_t port)
{
	return &ports[(port ^ p->protocol * 7u) % NHASH];
}

static struct netlink_sock *find_port_locked(const struct netlink_protocol_ops *p, uint32_t port)
{
	struct netlink_sock *n = *bucket(p, port);

	while (n && (n->proto != p || n->portid != port))
		n = n->hash_next;
	return n;
}

struct netlink_sock *nl_lookup_port(const struct netlink_protocol_ops *p, uint32_t port)
{
	struct netlink_sock *n;

	spin_lock(&names_lock);
	if ((n = find_port_locked(p, port)))
		socket_get(&n->s);
	spin_unlock(&names_lock);
	return n;
}

static bool take_port_locked(struct netlink_sock *n, uint32_t port)
{
	struct netlink_sock **b = bucket(n->proto, port);

	if (port == 0 || find_port_locked(n->proto, port))
		return false;
	n->portid = port;
	n->hash_next = *b;
	*b = n;
	return true;
}

/* The process's number when it is free, else one that no process has. */
void nl_autobind(struct netlink_sock *n)
{
	uint32_t port = (uint32_t)vfs_current_tgid();

	spin_lock(&names_lock);
	while (!n->portid && !take_port_locked(n, port))
		port = (uint32_t)random_u64() | 1u << 31;
	spin_unlock(&names_lock);
}

/* groups: the mask wanted now. */
void nl_set_groups(struct netlink_sock *n, uint64_t groups)
{
	spin_lock(&names_lock);
	atomic_store_explicit(&n->groups, groups, memory_order_relaxed);
	if (groups && !list_is_linked(&n->listener))
		list_add_tail(&listeners, &n->listener);
	else if (!groups)
		list_remove(&n->listener);
	spin_unlock(&names_lock);
}

bool nl_take_port(struct netlink_sock *n, uint32_t port)
{
	bool ok;

	spin_lock(&names_lock);
	ok = take_port_locked(n, port);
	spin_unlock(&names_lock);
	return ok;
}

void nl_forget(struct netlink_sock *n)
{
	struct netlink_sock **at;

	spin_lock(&names_lock);
	list_remove(&n->listener);
	if (n->portid) {
		for (at = bucket(n->proto, n->portid); *at != n; at = &(*at)->hash_next)
			;
		*at = n->hash_next;
	}
	spin_unlock(&names_lock);
}

static void show(const struct netlink_sock *n, struct netlink_shown *out)
{
	*out = (struct netlink_shown){
		.type = (uint8_t)n->s.type,
		.protocol = n->proto->protocol,
		.portid = n->portid,
		.peer_port = n->peer_port,
		.peer_groups = n->peer_groups,
		.groups = atomic_load_explicit(&n->groups, memory_order_relaxed),
		.ngroups = n->proto->ngroups,
		.ino = n->s.inode.ino,
		.refs = (uint32_t)atomic_load(&n->s.inode.ref.n),
		.rmem = n->queued,
		.rcvbuf = n->s.rcvbuf,
		.sndbuf = n->s.sndbuf,
		.dumping = n->dumping,
	};
}

bool netlink_next(uint64_t *key, struct netlink_shown *out)
{
	uint32_t b = (uint32_t)(*key >> 32), place = (uint32_t)*key, i;
	const struct netlink_sock *n = NULL;

	spin_lock(&names_lock);
	for (; b < NHASH; b++, place = 0) {
		for (n = ports[b], i = 0; n && i < place; i++)
			n = n->hash_next;
		if (n != NULL)
			break;
	}
	if (n != NULL)
		show(n, out);
	spin_unlock(&names_lock);
	*key = (uint64_t)b << 32 | (place + (n != NULL));
	return n != NULL;
}

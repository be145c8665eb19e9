/*
 * Multicast memberships of sockets: the options of ip(7), ipv6(7) and RFC 3678. Each change makes
 * the socket's memberships anew, which readers under an epoch see whole.
 */

#include "net/inet/mcast.h"

#include "abi/errno.h"
#include "abi/in.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/netif.h"
#include "pmm/slab.h"
#include "sched/mutex.h"
#include "vm/usercopy.h"

enum { MEMBERSHIPS_MAX = 20, SOURCES_MAX = 64 }; /* net.ipv4.igmp_max_memberships, …_msf */

static struct mutex changes = MUTEX(changes, SOCKET); /* of memberships */

/* --- for input --- */

static bool source_allowed(const struct inet_member *m, const struct ipv6_addr *src)
{
	for (uint32_t i = 0; i < m->nsources; i++)
		if (ipv6_eq(&m->source[i], src))
			return m->include;
	return !m->include;
}

bool inet_mcast_allows(const struct inet_sock *i, const struct ip_info *info, int ifindex)
{
	const struct inet_groups *g = __atomic_load_n(&i->groups, __ATOMIC_ACQUIRE);

	for (uint32_t n = 0; g && n < g->n; n++)
		if (g->member[n].ifindex == ifindex && ipv6_eq(&g->member[n].group, &info->dst))
			return source_allowed(&g->member[n], &info->src);
	return (addr_is4(&info->dst) ? i->mc_all || i->s.family == AF_INET6 : i->mc_all6) &&
	       mcast_dev_has(ifindex, &info->dst);
}

/* --- changes --- */

static void free_now(struct epoch_head *h)
{
	kfree(container_of(h, struct inet_groups, epoch));
}

/* A copy with room for one more member and one more source; NULL: no memory. */
static struct inet_groups *copy_of(const struct inet_groups *old)
{
	uint32_t n = old ? old->n : 0, sources = old ? old->nsources : 0;
	struct inet_groups *g = kzalloc(sizeof(*g) + (n + 1) * sizeof(g->member[0]) +
					(sources + n + 1) * sizeof(struct ipv6_addr));
	struct ipv6_addr *at;

	if (!g)
		return NULL;
	at = (struct ipv6_addr *)(g->member + n + 1);
	g->n = n;
	for (uint32_t i = 0; i < n; i++) {
		g->member[i] = old->member[i];
		g->member[i].source = at;
		memcpy(at, old->member[i].source, old->member[i].nsources * sizeof(*at));
		at += old->member[i].nsources + 1; /* room for one more */
	}
	g->member[n].source = at;
	return g;
}

static void replace(struct inet_sock *i, struct inet_groups *g)
{
	struct inet_groups *old = i->groups;

	g->nsources = 0;
	for (uint32_t n = 0; n < g->n; n++)
		g->nsources += g->member[n].nsources;
	__atomic_store_n(&i->groups, g, __ATOMIC_RELEASE);
	if (old)
		epoch_free(&old->epoch, free_now);
}

static int find(const struct inet_groups *g, const struct ipv6_addr *group, int ifindex)
{
	for (uint32_t n = 0; g && n < g->n; n++)
		if (ipv6_eq(&g->member[n].group, group) &&
		    (!ifindex || g->member[n].ifindex == ifindex))
			return (int)n;
	return -1;
}

static int find_source(const struct inet_member *m, const struct ipv6_addr *src)
{
	for (uint32_t n = 0; n < m->nsources; n++)
		if (ipv6_eq(&m->source[n], src))
			return (int)n;
	return -1;
}

/* What an option asks for. */
struct request {
	struct ipv6_addr group, source;
	int ifindex;                 /* 0: whichever leads there */
	struct ipv6_addr by_address; /* IPv4: the device that has it; 0.0.0.0: none */
};

/* The device that has an address; NULL: none. */
static struct netdev *ip_find_device(const struct ipv6_addr *addr)
{
	struct netdev *d = NULL;

	epoch_enter();
	for (struct list *n = __atomic_load_n(&ifaddrs.next, __ATOMIC_ACQUIRE); n != &ifaddrs && !d;
	     n = __atomic_load_n(&n->next, __ATOMIC_ACQUIRE))
		if (ipv6_eq(&list_entry(n, struct ifaddr, node)->addr, addr))
			d = list_entry(n, struct ifaddr, node)->dev;
	epoch_exit();
	return d;
}

static int find_device(const struct request *q, struct netdev **out)
{
	struct ip_path path;
	int err = 0;

	if (q->ifindex) {
		*out = netdev_lookup_index(q->ifindex);
		netdev_put(*out); /* devices are never destroyed */
	} else if (addr_is4(&q->group) && !addr_is_any(&q->by_address)) {
		*out = ip_find_device(&q->by_address);
	} else {
		err = ip_route(&q->group, NULL, 0, &path);
		*out = err ? NULL : path.dev;
	}
	return *out ? 0 : -ENODEV;
}

static int join_locked(struct inet_sock *i, const struct request *q, struct netdev *d, bool include)
{
	struct inet_groups *g;
	struct inet_member *m;
	int err;

	if (i->groups && i->groups->n >= MEMBERSHIPS_MAX && addr_is4(&q->group))
		return -ENOBUFS;
	if (!(g = copy_of(i->groups)))
		return -ENOBUFS;
	if ((err = mcast_dev_join(d, &q->group))) {
		kfree(g);
		return err;
	}
	m = &g->member[g->n++];
	m->group = q->group;
	m->ifindex = d->index;
	m->include = include;
	if (include)
		m->source[m->nsources++] = q->source;
	replace(i, g);
	return 0;
}

static int join(struct inet_sock *i, const struct request *q)
{
	struct netdev *d;
	int err;

	if (!addr_is_multicast(&q->group))
		return -EINVAL;
	if ((err = find_device(q, &d)))
		return err;
	mutex_lock(&changes);
	err = find(i->groups, &q->group, d->index) >= 0 ? -EADDRINUSE : join_locked(i, q, d, false);
	mutex_unlock(&changes);
	return err;
}

static int drop_locked(struct inet_sock *i, int at)
{
	struct inet_groups *g = copy_of(i->groups);
	struct ipv6_addr group;
	int ifindex;

	if (!g)
		return -ENOBUFS;
	group = g->member[at].group;
	ifindex = g->member[at].ifindex;
	memmove(&g->member[at], &g->member[at + 1], (g->n - (uint32_t)at) * sizeof(g->member[0]));
	g->n--;
	replace(i, g);
	mcast_dev_leave(ifindex, &group);
	return 0;
}

static int drop(struct inet_sock *i, const struct request *q)
{
	struct netdev *d = NULL;
	bool named = q->ifindex || (addr_is4(&q->group) && !addr_is_any(&q->by_address));
	int err = 0, at;

	if (!addr_is_multicast(&q->group))
		return addr_is4(&q->group) ? -EADDRNOTAVAIL : -EINVAL;
	if (named && (err = find_device(q, &d)))
		return err;
	mutex_lock(&changes);
	at = find(i->groups, &q->group, d ? d->index : 0);
	err = at < 0 ? -EADDRNOTAVAIL : drop_locked(i, at);
	mutex_unlock(&changes);
	return err;
}

void inet_mcast_release(struct inet_sock *i)
{
	struct inet_groups *g = i->groups;

	if (LIKELY(!g))
		return;
	__atomic_store_n(&i->groups, NULL, __ATOMIC_RELEASE);
	for (uint32_t n = 0; n < g->n; n++)
		mcast_dev_leave(g->member[n].ifindex, &g->member[n].group);
	epoch_free(&g->epoch, free_now);
}

/* --- sources --- */

static int add_source_locked(struct inet_sock *i, int at, const struct ipv6_addr *src)
{
	struct inet_groups *g;
	struct inet_member *m = &i->groups->member[at];

	if (find_source(m, src) >= 0)
		return -EADDRNOTAVAIL;
	if (m->nsources >= SOURCES_MAX || !(g = copy_of(i->groups)))
		return -ENOBUFS;
	m = &g->member[at];
	m->source[m->nsources++] = *src;
	replace(i, g);
	return 0;
}

static int remove_source_locked(struct inet_sock *i, int at, const struct ipv6_addr *src)
{
	int n = find_source(&i->groups->member[at], src);
	struct inet_groups *g;
	struct inet_member *m;

	if (n < 0)
		return -EADDRNOTAVAIL;
	if (i->groups->member[at].include && i->groups->member[at].nsources == 1)
		return drop_locked(i, at);
	if (!(g = copy_of(i->groups)))
		return -ENOBUFS;
	m = &g->member[at];
	m->source[n] = m->source[--m->nsources];
	replace(i, g);
	return 0;
}

/* The four requests about one source: RFC 3678 4.1.3. */
static int change_source(struct inet_sock *i, const struct request *q, bool include, bool add)
{
	struct netdev *d;
	int err, at;

	if (!addr_is_multicast(&q->group))
		return -EINVAL;
	if ((err = find_device(q, &d)))
		return err;
	mutex_lock(&changes);
	at = find(i->groups, &q->group, d->index);
	if (at < 0)
		err = include && add ? join_locked(i, q, d, true) : -EINVAL;
	else if (i->groups->member[at].include != include)
		err = -EINVAL;
	else if (add)
		err = add_source_locked(i, at, &q->source);
	else
		err = remove_source_locked(i, at, &q->source);
	mutex_unlock(&changes);
	return err;
}

/* --- options --- */

static struct ipv6_addr from_be(uint32_t be)
{
	return addr_from4(__builtin_bswap32(be));
}

/* The address in a struct sockaddr_storage. */
static int from_storage(const void *ss, bool v4, struct ipv6_addr *out)
{
	const struct abi_sockaddr_in *a = ss;
	const struct abi_sockaddr_in6 *a6 = ss;

	if (a->sin_family != (v4 ? AF_INET : AF_INET6))
		return v4 ? -EINVAL : -EADDRNOTAVAIL;
	if (v4)
		*out = from_be(a->sin_addr);
	else
		memcpy(out->b, a6->sin6_addr, sizeof(out->b));
	return 0;
}

static int get_mreq(struct request *q, uaddr_t val, uint32_t len)
{
	struct abi_ip_mreqn r = { .imr_ifindex = 0 };

	if (len < 8)
		return -EINVAL;
	if (copy_from_user(&r, val, len >= sizeof(r) ? sizeof(r) : 8))
		return -EFAULT;
	q->group = from_be(r.imr_multiaddr);
	q->by_address = from_be(r.imr_address);
	q->ifindex = r.imr_ifindex;
	return 0;
}

static int get_mreq_source(struct request *q, uaddr_t val, uint32_t len)
{
	struct abi_ip_mreq_source r;

	if (len != sizeof(r))
		return -EINVAL;
	if (copy_from_user(&r, val, sizeof(r)))
		return -EFAULT;
	q->group = from_be(r.imr_multiaddr);
	q->by_address = from_be(r.imr_interface);
	q->source = from_be(r.imr_sourceaddr);
	return 0;
}

static int get_mreq6(struct request *q, uaddr_t val, uint32_t len)
{
	struct abi_ipv6_mreq r;

	if (len < sizeof(r))
		return -EINVAL;
	if (copy_from_user(&r, val, sizeof(r)))
		return -EFAULT;
	memcpy(q->group.b, r.ipv6mr_multiaddr, sizeof(q->group.b));
	q->ifindex = r.ipv6mr_ifindex;
	return addr_is4(&q->group) ? -EINVAL : 0;
}

static int get_group_req(struct request *q, bool v4, bool has_source, uaddr_t val, uint32_t len)
{
	struct abi_group_source_req r;
	uint32_t size = has_source ? sizeof(r) : sizeof(struct abi_group_req);
	int err;

	if (len < size)
		return -EINVAL;
	if (copy_from_user(&r, val, size))
		return -EFAULT;
	q->ifindex = (int)r.gsr_interface;
	err = from_storage(r.gsr_group, v4, &q->group);
	return err || !has_source ? err : from_storage(r.gsr_source, v4, &q->source);
}

/* IP_MULTICAST_IF: an address, or the structures of memberships. */
static int set_multicast_if(struct inet_sock *i, uaddr_t val, uint32_t len)
{
	struct abi_ip_mreqn r = { 0 };
	struct netdev *d;

	if (len < 4)
		return -EINVAL;
	if (len < 8 ? copy_from_user(&r.imr_address, val, 4)
		    : copy_from_user(&r, val, len >= sizeof(r) ? sizeof(r) : 8))
		return -EFAULT;
	if (!r.imr_ifindex && !r.imr_address) {
		i->mc_if = 0;
		i->mc_source = addr_from4(0);
		return 0;
	}
	i->mc_source = from_be(r.imr_address);
	if (r.imr_ifindex) {
		d = netdev_lookup_index(r.imr_ifindex);
		netdev_put(d);
	} else {
		d = ip_find_device(&i->mc_source);
	}
	if (!d || (i->s.bound_if && i->s.bound_if != d->index))
		return d ? -EINVAL : -EADDRNOTAVAIL;
	i->mc_if = d->index;
	return 0;
}

static int set_group(struct inet_sock *i, int name, bool v4, uaddr_t val, uint32_t len)
{
	struct request q = { .by_address = addr_from4(0) };
	bool has_source = name != MCAST_JOIN_GROUP && name != MCAST_LEAVE_GROUP;
	int err = get_group_req(&q, v4, has_source, val, len);

	if (err)
		return err;
	switch (name) {
	case MCAST_JOIN_GROUP:
		return join(i, &q);
	case MCAST_LEAVE_GROUP:
		return drop(i, &q);
	case MCAST_BLOCK_SOURCE:
		return change_source(i, &q, false, true);
	case MCAST_UNBLOCK_SOURCE:
		return change_source(i, &q, false, false);
	case MCAST_JOIN_SOURCE_GROUP:
		return change_source(i, &q, true, true);
	}
	return change_source(i, &q, true, false);
}

static int set_ip(struct inet_sock *i, int name, uaddr_t val, uint32_t len)
{
	struct request q = { .by_address = addr_from4(0) };
	int err;

	if (name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP)
		err = get_mreq(&q, val, len);
	else
		err = get_mreq_source(&q, val, len);
	if (err)
		return err;
	switch (name) {
	case IP_ADD_MEMBERSHIP:
		return join(i, &q);
	case IP_DROP_MEMBERSHIP:
		return drop(i, &q);
	case IP_BLOCK_SOURCE:
		return change_source(i, &q, false, true);
	case IP_UNBLOCK_SOURCE:
		return change_source(i, &q, false, false);
	case IP_ADD_SOURCE_MEMBERSHIP:
		return change_source(i, &q, true, true);
	}
	return change_source(i, &q, true, false);
}

int inet_mcast_setsockopt(struct inet_sock *i, int level, int name, uaddr_t val, uint32_t len)
{
	struct request q = { .by_address = addr_from4(0) };
	bool v4 = level == SOL_IP;
	int err;

	if (name >= MCAST_JOIN_GROUP && name <= MCAST_LEAVE_SOURCE_GROUP)
		return i->s.type == SOCK_STREAM ? -EPROTO : set_group(i, name, v4, val, len);
	if (v4) {
		if (name == IP_MULTICAST_IF)
			return i->s.type == SOCK_STREAM ? -EINVAL : set_multicast_if(i, val, len);
		if (name < IP_ADD_MEMBERSHIP || name > IP_DROP_SOURCE_MEMBERSHIP)
			return -ENOPROTOOPT;
		return i->s.type == SOCK_STREAM ? -EPROTO : set_ip(i, name, val, len);
	}
	if (name != IPV6_ADD_MEMBERSHIP && name != IPV6_DROP_MEMBERSHIP)
		return -ENOPROTOOPT;
	if (i->s.type == SOCK_STREAM)
		return -EPROTO;
	if ((err = get_mreq6(&q, val, len)))
		return err;
	return name == IPV6_ADD_MEMBERSHIP ? join(i, &q) : drop(i, &q);
}

/*
 * Which UDP socket a datagram is for. Sockets with a peer stand in one hash table by their flow,
 * the others in another by local address and port, so that many on one port cost a lookup
 * nothing. A socket that connects moves between chains on which lookups may stand: those that find
 * nothing while something moved look again.
 *
 * The hash is keyed, for peers choose what goes into it.
 */

#include "core/epoch.h"
#include "core/random.h"
#include "lib/string.h"
#include "net/inet/udp.h"
#include "net/netif.h"

struct udp_table udp_table, udplite_table;

void udp_table_init(struct udp_table *t)
{
	inet_table_init(&t->ports, false);
	random_bytes(t->key, sizeof(t->key));
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t hash_address(const uint64_t *key, const struct ipv6_addr *a)
{
	uint64_t half[2];

	memcpy(half, a->b, sizeof(half));
	return mix(half[0] ^ key[0], half[1] ^ key[1]);
}

/* The place of a bucket in by_addr. */
static uint32_t addr_bucket(const struct udp_table *t, const struct ipv6_addr *local, uint16_t port)
{
	uint64_t h = mix(hash_address(t->key, local) ^ t->key[4], port ^ t->key[5]);

	return h % UDP_BUCKETS;
}

static uint64_t flow_number(const struct udp_table *t, const struct ipv6_addr *local,
			    uint16_t lport, const struct ipv6_addr *remote, uint16_t rport)
{
	return mix(hash_address(t->key, local) ^ hash_address(t->key + 2, remote) ^ t->key[4],
		   ((uint32_t)lport << 16 | rport) ^ t->key[5]);
}

/* All wildcards in one place: which families a socket takes is looked at there. */
static struct ipv6_addr key_address(const struct ipv6_addr *a)
{
	static const struct ipv6_addr any;

	return addr_is_any(a) ? any : *a;
}

static struct udp_sock *next_of(struct udp_sock *const *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void unlink_locked(struct udp_table *t, struct udp_sock *u)
{
	if (!u->hash_at)
		return;
	if (u->hash_next)
		u->hash_next->hash_at = u->hash_at;
	__atomic_store_n(u->hash_at, u->hash_next, __ATOMIC_RELEASE);
	u->hash_at = NULL;
	if (u->in_flows)
		atomic_fetch_sub(&t->nflows, 1);
	u->in_flows = false;
}

void udp_place_locked(struct udp_sock *u)
{
	struct udp_table *t = udp_table_of(u);
	const struct inet_sock *i = &u->d.i;
	struct ipv6_addr local = key_address(&i->local);
	struct udp_sock **at = NULL;

	if (i->lport && i->rport)
		at = &t->by_flow[flow_number(t, &i->local, i->lport, &i->remote, i->rport) %
				 UDP_BUCKETS];
	else if (i->lport)
		at = &t->by_addr[addr_bucket(t, &local, i->lport)];
	if (u->hash_at)
		atomic_fetch_add(&t->moves, 1);
	unlink_locked(t, u);
	if (!at)
		return;
	if (i->rport) {
		u->in_flows = true;
		atomic_fetch_add(&t->nflows, 1);
	}
	u->hash_next = *at;
	u->hash_at = at;
	if (*at)
		(*at)->hash_at = &u->hash_next;
	__atomic_store_n(at, u, __ATOMIC_RELEASE);
	atomic_fetch_add(&t->moves, 1);
}

bool udp_takes(const struct udp_sock *u, const struct ip_info *ip, uint16_t sport, uint16_t dport,
	       const struct netdev *d)
{
	const struct inet_sock *i = &u->d.i;

	return i->lport == dport && inet_takes(i, &ip->dst, d) &&
	       (!i->rport || (i->rport == sport && ipv6_eq(&i->remote, &ip->src)));
}

static struct udp_sock *find_flow(const struct udp_table *t, const struct ip_info *ip,
				  uint16_t sport, uint16_t dport, const struct netdev *d)
{
	struct udp_sock *u = next_of(
		&t->by_flow[flow_number(t, &ip->dst, dport, &ip->src, sport) % UDP_BUCKETS]);

	while (u && (!u->d.i.rport || !udp_takes(u, ip, sport, dport, d)))
		u = next_of(&u->hash_next);
	return u;
}

/* Which of two on the same address: one that wants this device, then one of the family. */
static unsigned score(const struct udp_sock *u, const struct ip_info *ip)
{
	return 1u + (u->d.i.s.bound_if ? 2 : 0) +
	       (u->d.i.s.family == AF_INET || !addr_is4(&ip->dst));
}

/*
 * Of those that share a port each flow always has the same; of others that are as good as each
 * other, the newest. Everybody in a chain is looked at once more when several share.
 */
static struct udp_sock *find_addr(const struct udp_table *t, const struct ipv6_addr *local,
				  const struct ip_info *ip, uint16_t sport, uint16_t dport,
				  const struct netdev *d)
{
	struct udp_sock *first = next_of(&t->by_addr[addr_bucket(t, local, dport)]);
	struct udp_sock *best = NULL, *u;
	unsigned most = 0, same = 0, pick, n;

	for (u = first; u; u = next_of(&u->hash_next)) {
		if (u->d.i.rport || !udp_takes(u, ip, sport, dport, d))
			continue;
		n = score(u, ip);
		if (n > most) {
			most = n;
			best = u;
			same = 1;
		} else if (n == most && socket_has(&u->d.i.s, SOB_REUSEPORT)) {
			same++;
		}
	}
	if (LIKELY(same <= 1) || !socket_has(&best->d.i.s, SOB_REUSEPORT))
		return best;
	pick = (unsigned)((flow_number(t, &ip->dst, dport, &ip->src, sport) >> 32) * same >> 32);
	for (u = first; u; u = next_of(&u->hash_next))
		if (!u->d.i.rport && udp_takes(u, ip, sport, dport, d) && score(u, ip) == most &&
		    socket_has(&u->d.i.s, SOB_REUSEPORT) && pick-- == 0)
			return u;
	return best;
}

struct udp_sock *udp_lookup(const struct udp_table *t, const struct ip_info *ip, uint16_t sport,
			    uint16_t dport, const struct netdev *d)
{
	static const struct ipv6_addr any;
	struct udp_sock *u = NULL;
	uint32_t before;

	do {
		before = atomic_load_explicit(&t->moves, memory_order_acquire);
		if (atomic_load_explicit(&t->nflows, memory_order_relaxed))
			u = find_flow(t, ip, sport, dport, d);
		if (!u)
			u = find_addr(t, &ip->dst, ip, sport, dport, d);
		if (!u)
			u = find_addr(t, &any, ip, sport, dport, d);
	} while (!u && UNLIKELY(atomic_load_explicit(&t->moves, memory_order_acquire) != before));
	return u;
}

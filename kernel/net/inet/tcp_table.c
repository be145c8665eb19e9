/*
 * Who has which pair of addresses and ports: connections, requests and TIME-WAIT blocks in one hash
 * table, read under an epoch. An entry may be put in again under another key while a reader stands
 * on it; the reader sees by the hash that it came into another chain, and begins anew.
 */

#include "net/inet/tcp_table.h"

#include "abi/errno.h"
#include "core/epoch.h"
#include "core/panic.h"
#include "core/random.h"
#include "core/spinlock.h"
#include "pmm/page.h"
#include "pmm/slab.h"

enum { LOCKS = 64, MIN_BUCKETS = 1024, MAX_BUCKETS = 1 << 18 };

static struct tcp_ep **buckets; /* immutable after boot, as mask */
static uint32_t mask;
static struct siphash_key hash_key;
static struct spinlock locks[LOCKS];

void tcps_table_init(void)
{
	uint64_t want = pmm_total_pages() / 8;
	uint32_t n = MIN_BUCKETS;

	while (n < want && n < MAX_BUCKETS)
		n *= 2;
	if (!(buckets = kcalloc(n, sizeof(*buckets))))
		panic("no memory for TCP's hash table");
	mask = n - 1;
	random_bytes(&hash_key, sizeof(hash_key));
	for (unsigned i = 0; i < LOCKS; i++)
		spin_init(&locks[i], RANK_TCPHASH);
}

uint32_t tcps_hash(const struct flow_key *key)
{
	return flow_hash(&hash_key, key);
}

static struct spinlock *lock_of(uint32_t hash)
{
	return &locks[hash % LOCKS];
}

static bool same_key(const struct flow_key *a, const struct flow_key *b)
{
	return a->rport == b->rport && a->lport == b->lport && ipv6_eq(&a->remote, &b->remote) &&
	       ipv6_eq(&a->local, &b->local) && a->ifindex == b->ifindex;
}

static struct tcp_ep *load(struct tcp_ep *const *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

struct tcp_ep *tcps_find(const struct flow_key *key, uint32_t hash)
{
	struct tcp_ep *ep, *next;

again:
	for (ep = load(&buckets[hash & mask]); ep; ep = next) {
		if (ep->hash == hash && same_key(&ep->key, key))
			return ep;
		next = load(&ep->next);
		if (UNLIKELY((__atomic_load_n(&ep->hash, __ATOMIC_RELAXED) ^ hash) & mask))
			goto again;
	}
	return NULL;
}

static struct tcp_ep **find_place(const struct tcp_ep *ep)
{
	struct tcp_ep **at = &buckets[ep->hash & mask];

	while (*at && *at != ep)
		at = &(*at)->next;
	return at;
}

static void insert_locked(struct tcp_ep *ep)
{
	struct tcp_ep **head = &buckets[ep->hash & mask];

	/* After ep->hash: a reader on ep that takes this way sees the hash as well. */
	__atomic_store_n(&ep->next, *head, __ATOMIC_RELEASE);
	__atomic_store_n(head, ep, __ATOMIC_RELEASE);
	atomic_store_explicit(&ep->hashed, true, memory_order_relaxed);
}

int tcps_insert(struct tcp_ep *ep)
{
	struct spinlock *l = lock_of(ep->hash);
	int err = 0;

	spin_lock(l);
	if (tcps_find(&ep->key, ep->hash))
		err = -EADDRNOTAVAIL;
	else
		insert_locked(ep);
	spin_unlock(l);
	return err;
}

static bool remove_locked(struct tcp_ep *ep)
{
	struct tcp_ep **at;

	if (!atomic_load_explicit(&ep->hashed, memory_order_relaxed))
		return false;
	at = find_place(ep);
	__atomic_store_n(at, ep->next, __ATOMIC_RELEASE);
	atomic_store_explicit(&ep->hashed, false, memory_order_relaxed);
	return true;
}

void tcps_remove(struct tcp_ep *ep)
{
	struct spinlock *l = lock_of(ep->hash);

	spin_lock(l);
	remove_locked(ep);
	spin_unlock(l);
}

bool tcps_replace(struct tcp_ep *old, struct tcp_ep *new)
{
	struct spinlock *l = lock_of(old->hash);
	bool was;

	new->key = old->key;
	new->hash = old->hash;
	spin_lock(l);
	if ((was = atomic_load_explicit(&old->hashed, memory_order_relaxed))) {
		/* In its very place: a reader on the way finds one or the other. */
		__atomic_store_n(&new->next, old->next, __ATOMIC_RELEASE);
		atomic_store_explicit(&new->hashed, true, memory_order_relaxed);
		__atomic_store_n(find_place(old), new, __ATOMIC_RELEASE);
		atomic_store_explicit(&old->hashed, false, memory_order_relaxed);
	}
	spin_unlock(l);
	return was;
}

/* The cursor: bucket, and how many of its entries were seen. */
struct tcp_ep *tcps_next(uint64_t *cursor)
{
	uint64_t bucket = *cursor >> 32, seen = *cursor & UINT32_MAX, i;
	struct tcp_ep *ep;

	for (; bucket <= mask; bucket++, seen = 0) {
		for (ep = load(&buckets[bucket]), i = 0; ep && i < seen; i++)
			ep = load(&ep->next);
		if (ep) {
			*cursor = bucket << 32 | (seen + 1);
			return ep;
		}
	}
	*cursor = bucket << 32;
	return NULL;
}

/*
 * Path MTUs of this machine. Nothing is looked up while nothing is known, and a value that was
 * learnt makes every path that was found before be looked for anew.
 */

#include "net/inet/pmtu.h"

#include "core/clock.h"
#include "core/random.h"
#include "core/spinlock.h"
#include "net/inet/inet_priv.h"
#include "net/ip/pmtu.h"

enum { SETS = 64 };

static struct spinlock lock = SPINLOCK(ICMPRATE);
static struct pmtu_entry entries[SETS * PMTU_WAYS]; /* lock, as the cache */
static struct pmtu_cache cache;
static _Atomic bool known; /* anything ever learnt */

void inet_pmtu_learn(const struct ipv6_addr *dst, uint32_t mtu, uint32_t sent, uint32_t link_mtu)
{
	struct siphash_key key;
	uint32_t now;

	spin_lock(&lock);
	if (!atomic_load_explicit(&known, memory_order_relaxed)) {
		random_bytes(&key, sizeof(key));
		pmtu_init(&cache, entries, SETS, &key);
	}
	now = pmtu_update(&cache, dst, mtu, sent, link_mtu, clock_mono());
	atomic_store_explicit(&known, true, memory_order_release);
	spin_unlock(&lock);
	if (now)
		fib_changed();
}

uint32_t inet_pmtu_get(const struct ipv6_addr *dst, uint32_t link_mtu)
{
	uint32_t mtu;

	if (LIKELY(!atomic_load_explicit(&known, memory_order_acquire)))
		return link_mtu;
	spin_lock(&lock);
	mtu = pmtu_get(&cache, dst, link_mtu, clock_mono());
	spin_unlock(&lock);
	return mtu;
}

/*
 * Answering for others, whom we forward to: `ip neighbour add proxy`, net.ipv4.conf.*.proxy_arp,
 * net.ipv6.conf.*.proxy_ndp. The list changes under net_config_lock and is read under an epoch.
 *
 * Source: RFC 1027, RFC 4861 7.2.8, ip-neighbour(8).
 */

#include "abi/errno.h"
#include "core/epoch.h"
#include "net/inet/conf.h"
#include "net/inet/inet_priv.h"
#include "net/inet/neighbour.h"
#include "net/netif.h"
#include "pmm/slab.h"

struct proxy {
	struct proxy *next;
	struct netdev *dev; /* immutable, as addr */
	struct ipv6_addr addr;
	bool router;
	struct epoch_head epoch;
};

static struct proxy *proxies;

static struct proxy *next_of(struct proxy *const *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static struct proxy *find(const struct netdev *d, const struct ipv6_addr *a)
{
	struct proxy *p = next_of(&proxies);

	while (p && (p->dev != d || !ipv6_eq(&p->addr, a)))
		p = next_of(&p->next);
	return p;
}

static void free_now(struct epoch_head *h)
{
	kfree(container_of(h, struct proxy, epoch));
}

static void unlink(struct proxy **at)
{
	struct proxy *p = *at;

	__atomic_store_n(at, p->next, __ATOMIC_RELEASE);
	epoch_free(&p->epoch, free_now);
}

int proxy_add(struct netdev *d, const struct ipv6_addr *a, bool router)
{
	struct proxy *p = find(d, a);

	if (p) {
		p->router = router;
		return 0;
	}
	if (!(p = kzalloc(sizeof(*p))))
		return -ENOBUFS;
	p->dev = d;
	p->addr = *a;
	p->router = router;
	p->next = proxies;
	__atomic_store_n(&proxies, p, __ATOMIC_RELEASE);
	return 0;
}

int proxy_remove(const struct netdev *d, const struct ipv6_addr *a)
{
	for (struct proxy **at = &proxies; *at; at = &(*at)->next)
		if ((*at)->dev == d && ipv6_eq(&(*at)->addr, a)) {
			unlink(at);
			return 0;
		}
	return -ENOENT;
}

bool proxy_nth(uint64_t n, struct proxy_shown *out)
{
	struct proxy *p;

	epoch_enter();
	for (p = next_of(&proxies); p && n > 0; n--)
		p = next_of(&p->next);
	if (p)
		*out = (struct proxy_shown){ p->dev, p->addr, p->router };
	epoch_exit();
	return p != NULL;
}

/* IPv4: whatever we would forward elsewhere, if that is switched on, or what is in the list. */
static bool answers4(const struct netdev *d, const struct ipv6_addr *target)
{
	struct ip_path path;

	return inet_conf_of(d)->forwarding4 &&
	       (INET_CONF_MAX(d, proxy_arp) > 0 || find(d, target) != NULL) &&
	       !ip_route(target, NULL, 0, &path) && path.type == ROUTE_UNICAST && path.dev != d;
}

bool proxy_answers(const struct netdev *d, const struct ipv6_addr *target, bool *router)
{
	const struct proxy *p;
	bool yes;

	epoch_enter();
	if (addr_is4(target)) {
		yes = answers4(d, target);
	} else {
		yes = inet_conf_of(d)->forwarding6 && INET_CONF_MAX(d, proxy_ndp) > 0 &&
		      (p = find(d, target));
		*router = yes && p->router;
	}
	epoch_exit();
	return yes;
}

static void on_event(struct netdev *d, enum netdev_event e)
{
	if (e != NETDEV_DOWN && e != NETDEV_UNREGISTERED)
		return;
	for (struct proxy **at = &proxies; *at;) {
		if ((*at)->dev == d)
			unlink(at);
		else
			at = &(*at)->next;
	}
}

void proxy_init(void)
{
	static struct netdev_listener listener = { .event = on_event };

	netdev_listen(&listener);
}

/*
 * What is set for devices, and what follows when it changes. Source: proc(5), the kernel's
 * ip-sysctl document, Linux's answers.
 */

#include "net/inet/conf.h"

#include "abi/errno.h"
#include "net/inet/inet_priv.h"
#include "net/inet/rtnl.h"
#include "net/netif.h"

#define CONF_COMMON                                                                         \
	.accept_ra = 1, .dad_transmits = 1, .accept_ra_defrtr = 1, .accept_ra_mtu = 1,      \
	.accept_ra_min_hop_limit = 1, .accept_ra_pinfo = 1, .autoconf = 1, .hop_limit = 64, \
	.neigh = { NEIGH_CONFIG_INIT, NEIGH_CONFIG_INIT }

struct inet_conf inet_conf_all = { CONF_COMMON };
struct inet_conf inet_conf_default = { CONF_COMMON, .accept_dad = 1 };
int inet_default_ttl = 64;

enum { FIRST_OF_IPV6 = INET_CONF_WORD(forwarding6) };
STATIC_ASSERT(__builtin_offsetof(struct inet_conf, neigh) / sizeof(int) <= 64);

static int *word_at(struct inet_conf *c, unsigned word)
{
	return (int *)((uintptr_t)c + word * sizeof(int));
}

void inet_conf_begin(struct inet_conf *c, const struct netdev *d)
{
	*c = inet_conf_default;
	c->set = c->neigh_set[0] = c->neigh_set[1] = 0;
	if (d->features & NETDEV_LOOPBACK)
		c->accept_dad = -1;
}

void inet_conf_settle(struct netdev *d)
{
	struct inet_conf *c = inet_conf_of(d);

	if (c != &inet_conf_default)
		c->set = c->neigh_set[0] = ~0ull;
}

/* NULL: there is no such device. net_config_lock. */
static struct inet_conf *subject(int of, struct netdev **dev)
{
	*dev = NULL;
	if (of == INET_CONF_ALL)
		return &inet_conf_all;
	if (of == INET_CONF_DEFAULT)
		return &inet_conf_default;
	*dev = netif_find_index(of);
	return *dev ? inet_conf_of(*dev) : NULL;
}

typedef void device_fn(struct netdev *d, unsigned word, uint64_t v);

static void each_device(device_fn *fn, unsigned word, uint64_t v)
{
	struct netdev *d;

	for (int index = 1; (d = netdev_next(&index)) != NULL; index++) {
		fn(d, word, v);
		netdev_put(d);
	}
}

/* What follows for one device. */
static void follow(struct netdev *d, unsigned word)
{
	if (word == INET_CONF_WORD(disable6))
		autoconf_disable(d, inet_conf_of(d)->disable6);
	else if (word == INET_CONF_WORD(forwarding6))
		autoconf_forwards(d);
	rtnl_report_conf(d->index, inet_conf_of(d), word < FIRST_OF_IPV6, word);
}

static void set_one(struct netdev *d, unsigned word, uint64_t v)
{
	int *at = word_at(inet_conf_of(d), word);
	bool changes = *at != (int)v;

	*at = (int)v;
	if (changes)
		follow(d, word);
}

/* A device that nobody set it for, and that has no address yet, follows `default`. */
static void set_if_unset(struct netdev *d, unsigned word, uint64_t v)
{
	if (!(inet_conf_of(d)->set >> word & 1))
		set_one(d, word, v);
}

/* Some of `all` are a switch for each device, those to come as well. */
static bool is_for_each(unsigned word)
{
	return word == INET_CONF_WORD(forwarding4) || word == INET_CONF_WORD(forwarding6) ||
	       word == INET_CONF_WORD(disable6);
}

int inet_conf_get(int of, unsigned word, int *out)
{
	const struct inet_conf *c;
	struct netdev *d;

	mutex_lock(&net_config_lock);
	if ((c = subject(of, &d)))
		*out = *word_at(subject(of, &d), word);
	mutex_unlock(&net_config_lock);
	return c ? 0 : -ENODEV;
}

int inet_conf_set(int of, unsigned word, int v)
{
	struct inet_conf *c;
	struct netdev *d;

	mutex_lock(&net_config_lock);
	if ((c = subject(of, &d)) && d) {
		c->set |= 1ull << word;
		set_one(d, word, (uint64_t)(int64_t)v);
	} else if (c) {
		*word_at(c, word) = v;
		if (of == INET_CONF_ALL && is_for_each(word)) {
			*word_at(&inet_conf_default, word) = v;
			rtnl_report_conf(INET_CONF_DEFAULT, &inet_conf_default,
					 word < FIRST_OF_IPV6, word);
			each_device(set_one, word, (uint64_t)(int64_t)v);
		} else if (of == INET_CONF_DEFAULT && word < FIRST_OF_IPV6) {
			each_device(set_if_unset, word, (uint64_t)(int64_t)v);
		}
		rtnl_report_conf(of, c, word < FIRST_OF_IPV6, word);
	}
	fib_changed(); /* paths that were found, and sources that were right, may not be so now */
	mutex_unlock(&net_config_lock);
	net_run_deferred();
	return c ? 0 : -ENODEV;
}

/* --- neighbours --- */

static void put_parameter(struct neigh_config *n, enum neigh_parameter p, uint64_t v)
{
	switch (p) {
	case NEIGH_P_REACHABLE:
		n->reachable = (nsec_t)v;
		break;
	case NEIGH_P_RETRANS:
		n->retrans = (nsec_t)v;
		break;
	case NEIGH_P_DELAY:
		n->delay = (nsec_t)v;
		break;
	case NEIGH_P_ASK_ALL:
		n->ask_all = (uint32_t)v;
		break;
	case NEIGH_P_ASK_IT:
		n->ask_it = (uint32_t)v;
		break;
	case NEIGH_P_QUEUE:
		n->queue_max = (uint32_t)v;
		break;
	}
}

static uint64_t parameter(const struct neigh_config *n, enum neigh_parameter p)
{
	switch (p) {
	case NEIGH_P_REACHABLE:
		return (uint64_t)n->reachable;
	case NEIGH_P_RETRANS:
		return (uint64_t)n->retrans;
	case NEIGH_P_DELAY:
		return (uint64_t)n->delay;
	case NEIGH_P_ASK_ALL:
		return n->ask_all;
	case NEIGH_P_ASK_IT:
		return n->ask_it;
	case NEIGH_P_QUEUE:
		return n->queue_max;
	}
	return 0;
}

int inet_neigh_get(int of, bool v6, enum neigh_parameter p, uint64_t *out)
{
	const struct inet_conf *c;
	struct netdev *d;

	mutex_lock(&net_config_lock);
	if ((c = subject(of, &d)))
		*out = parameter(&c->neigh[v6], p);
	mutex_unlock(&net_config_lock);
	return c ? 0 : -ENODEV;
}

/* which: the parameter, and above it the family. */
static void neigh_if_unset(struct netdev *d, unsigned which, uint64_t v)
{
	struct inet_conf *c = inet_conf_of(d);

	if (!(c->neigh_set[which >> 8] >> (which & 255) & 1))
		put_parameter(&c->neigh[which >> 8], which & 255, v);
}

int inet_neigh_set(int of, bool v6, enum neigh_parameter p, uint64_t v)
{
	struct inet_conf *c;
	struct netdev *d;

	mutex_lock(&net_config_lock);
	if ((c = subject(of, &d))) {
		put_parameter(&c->neigh[v6], p, v);
		c->neigh_set[v6] |= 1ull << p;
		if (of == INET_CONF_DEFAULT)
			each_device(neigh_if_unset, (unsigned)v6 << 8 | p, v);
	}
	mutex_unlock(&net_config_lock);
	return c ? 0 : -ENODEV;
}

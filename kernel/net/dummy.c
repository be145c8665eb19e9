/*
 * Dummy links: devices that swallow what is sent through them, for addresses that belong to no
 * card.
 *
 * Source: ip-link(8), Linux's behaviour.
 */

#include "abi/errno.h"
#include "abi/if.h"
#include "core/random.h"
#include "lib/string.h"
#include "net/netif_priv.h"

static struct netdev *spare; /* removed ones, by priv; net_config_lock */

static int swallow(struct netdev *d, struct pkt *p)
{
	struct netdev_stats *s = netdev_stats(d);

	s->tx_packets++;
	s->tx_bytes += p->len;
	pkt_free(p);
	return 0;
}

static int set_address(struct netdev *d, const uint8_t *addr)
{
	memcpy(d->addr, addr, d->addr_len);
	return 0;
}

static struct netdev *make(void)
{
	static const struct netdev_ops ops = { .send = swallow, .set_address = set_address };
	struct netdev *d = spare;
	uint64_t r = random_u64();

	if (d)
		spare = d->priv;
	else if (!(d = netdev_alloc("dummy%d")))
		return NULL;
	strscpy(d->name, "dummy%d", sizeof(d->name));
	d->hw_type = ARPHRD_ETHER;
	d->addr_len = 6;
	memcpy(d->addr, &r, 6);
	d->addr[0] = (uint8_t)((d->addr[0] & 0xfc) | 2); /* locally administered, one station's */
	memset(d->broadcast, 0xff, 6);
	d->mtu = 1500;
	d->min_mtu = 0;
	d->max_mtu = UINT32_MAX;
	d->txqueuelen = 1000;
	d->features = NETDEV_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_TSO_ECN | NETDEV_NO_ARP;
	d->ops = &ops;
	d->driver = "dummy";
	d->bus = "";
	d->priv = NULL;
	d->flags = 0;
	d->carrier = true;
	return d;
}

static void give_back(struct netdev *d)
{
	memset(d->stats, 0, ncpus * sizeof(*d->stats));
	d->priv = spare;
	spare = d;
}

void dummy_init(void)
{
	static struct link_kind kind = { .name = "dummy", .make = make, .give_back = give_back };

	link_kind_register(&kind);
}

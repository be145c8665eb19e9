/*
 * Queueing disciplines by netlink, as far as there are some to show: packets go to the driver at
 * once, which is what Linux calls noqueue, or pfifo_fast of a card's queue. They cannot be changed.
 *
 * Source: tc(8)'s requests, Linux's answers.
 */

#include "abi/errno.h"
#include "abi/netlink.h"
#include "lib/string.h"
#include "net/netif.h"
#include "net/netlink/rtnetlink.h"
#include "net/netlink/rtnl_priv.h"

enum { BANDS = 3, REFCNT = 2 };

static void put_stats(struct nlmsgs *m, const struct netdev *d, bool counts)
{
	struct abi_gnet_stats_basic basic = { 0 };
	struct abi_gnet_stats_queue queue = { 0 };
	uint32_t at = nlattr_begin(m, TCA_STATS2);
	struct netdev_stats s;

	if (counts) {
		netdev_stats_sum(d, &s);
		basic.bytes = s.tx_bytes;
		basic.packets = (uint32_t)s.tx_packets;
		queue.drops = (uint32_t)s.tx_dropped;
	}
	nlattr_put(m, TCA_STATS_BASIC, &basic, sizeof(basic));
	nlattr_put(m, TCA_STATS_QUEUE, &queue, sizeof(queue));
	nlattr_end(m, at);
}

/* False: m is full. */
static bool put_qdisc(struct nlmsgs *m, const struct netdev *dev, const struct nldump *d)
{
	static const struct abi_tc_prio_qopt bands = {
		BANDS, { 1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 }
	};
	struct abi_tcmsg *i =
		nlmsg_begin(m, RTM_NEWQDISC, NLM_F_MULTI, d->seq, d->portid, sizeof(*i));
	bool none = dev->features & NETDEV_LOOPBACK || netif_of(dev)->kind;

	if (i)
		*i = (struct abi_tcmsg){ .tcm_ifindex = dev->index,
					 .tcm_parent = TC_H_ROOT,
					 .tcm_info = REFCNT };
	nlattr_put_string(m, TCA_KIND, none ? "noqueue" : "pfifo_fast");
	if (!none)
		nlattr_put(m, TCA_OPTIONS, &bands, sizeof(bands));
	nlattr_put_u8(m, TCA_HW_OFFLOAD, 0);
	put_stats(m, dev, !none);
	return nlmsg_end(m);
}

/* key[0]: the next index. Devices that are down have none. */
static int more_qdiscs(struct nldump *d, struct nlmsgs *m)
{
	int index = MAX((int)d->key[0], 1);
	struct netdev *dev;
	bool fits = true;

	while (fits && (dev = netdev_next(&index))) {
		fits = !netdev_is_up(dev) || put_qdisc(m, dev, d);
		index += fits;
		netdev_put(dev);
	}
	d->key[0] = (uint64_t)index;
	return !fits;
}

/* Classes and filters of qdiscs without any. */
static int more_nothing(struct nldump *d, struct nlmsgs *m)
{
	(void)d, (void)m;
	return 0;
}

void rtnl_qdisc_init(void)
{
	static struct rtnl_handler handlers[] = {
		{ .type = RTM_GETQDISC, .more = more_qdiscs },
		{ .type = RTM_GETTCLASS, .more = more_nothing },
		{ .type = RTM_GETTFILTER, .more = more_nothing },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++)
		rtnl_register(&handlers[i]);
}

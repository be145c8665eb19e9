/* /proc/net/{dev,if_inet6,softnet_stat}: network devices as text. Source: proc(5). */

#include "core/percpu.h"
#include "lib/list.h"
#include "net/inet/inet.h"
#include "net/netif.h"
#include "pseudofs/proc_net_priv.h"

static unsigned long ul(uint64_t v)
{
	return (unsigned long)v;
}

static void dev_line(struct textbuf *t, const struct netdev *d)
{
	struct netdev_stats s;

	netdev_stats_sum(d, &s);
	text_f(t, "%6s: %7lu %7lu %4lu %4lu %4lu %5lu %10lu %9lu ", d->name, ul(s.rx_bytes),
	       ul(s.rx_packets), ul(s.rx_errors), ul(s.rx_dropped), 0ul, 0ul, 0ul,
	       ul(s.rx_multicast));
	text_f(t, "%8lu %7lu %4lu %4lu %4lu %5lu %7lu %10lu\n", ul(s.tx_bytes), ul(s.tx_packets),
	       ul(s.tx_errors), ul(s.tx_dropped), 0ul, 0ul, 0ul, 0ul);
}

static int dev_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	int index = (int)*key;
	struct netdev *d;

	(void)i;
	if (*key == 0) {
		text_f(t, "Inter-|   Receive                                                |  "
			  "Transmit\n face |bytes    packets errs drop fifo frame compressed "
			  "multicast|bytes    packets errs drop fifo colls carrier compressed\n");
		*key = 1;
		return 1;
	}
	if ((d = netdev_next(&index)) == NULL)
		return 0;
	dev_line(t, d);
	netdev_put(d);
	*key = (uint64_t)index + 1;
	return 1;
}

int proc_net_dev_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, dev_record);
}

/* rtnetlink(7)'s scope as this file has it: RFC 4007's, moved. */
static unsigned inet6_scope(const struct ipv6_addr *a)
{
	if (ipv6_is_loopback(a))
		return 0x10;
	if (ipv6_is_link_local(a))
		return 0x20;
	return a->b[0] == 0xfe && a->b[1] >= 0xc0 ? 0x40 : 0; /* fec0::/10, site-local once */
}

int proc_net_if_inet6_show(struct pinode *i, struct textbuf *t)
{
	struct ifaddr *a;

	(void)i;
	mutex_lock(&net_config_lock);
	list_for_each (a, &ifaddrs, node) {
		if (addr_is4(&a->addr))
			continue;
		for (int k = 0; k < 16; k++)
			text_f(t, "%02x", a->addr.b[k]);
		text_f(t, " %02x %02x %02x %02x %8s\n", (unsigned)a->dev->index, a->plen,
		       inet6_scope(&a->addr), (unsigned)a->flags & 0xff, a->dev->name);
	}
	mutex_unlock(&net_config_lock);
	return 0;
}

/* Of each CPU: packets that came in on it; the others are of mechanisms that are not here. */
int proc_net_softnet_show(struct pinode *i, struct textbuf *t)
{
	struct netdev *d;
	unsigned cpu;

	(void)i;
	for_each_cpu (cpu) {
		uint64_t n = 0;

		for (int index = 1; (d = netdev_next(&index)) != NULL; index++) {
			n += d->stats[cpu].rx_packets;
			netdev_put(d);
		}
		text_f(t, "%08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x\n",
		       (unsigned)n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, cpu);
	}
	return 0;
}

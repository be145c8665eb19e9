/*
 * `lo`: what is sent comes in again, in the same thread, once it holds no lock of the network.
 * Until then it hangs on the thread, so that no other thread, lock or wake-up is needed. Whoever
 * goes back to user mode with packets left is sent through net_run_deferred() by a work bit.
 */

#include "abi/errno.h"
#include "abi/if.h"
#include "core/panic.h"
#include "lib/string.h"
#include "net/netif_priv.h"
#include "sched/thread.h"

struct netdev *loopback_device;

/* The thread's packets form a ring without a head. */
static void defer(struct pkt *p)
{
	struct thread *t = curthread();
	struct pkt *first = t->net_deferred;

	list_init(&p->node);
	if (first)
		list_add_tail(&first->node, &p->node);
	else
		t->net_deferred = p;
	atomic_fetch_or_explicit(&t->work, WORK_NET, memory_order_relaxed);
}

void net_send_straight(struct pkt *p)
{
	p->dev = loopback_device;
	defer(p);
}

static int lo_send(struct netdev *d, struct pkt *p)
{
	struct netdev_stats *stats = netdev_stats(d);

	stats->tx_packets++;
	stats->tx_bytes += p->len;
	stats->rx_packets++;
	stats->rx_bytes += p->len;
	if (p->csum == PKT_CSUM_PARTIAL) /* it never leaves memory */
		p->csum = PKT_CSUM_VERIFIED;
	defer(p);
	return 0;
}

void net_run_deferred(void)
{
	struct thread *t = curthread();
	struct pkt *first;

	while ((first = t->net_deferred)) {
		struct list batch = LIST_INIT(batch);

		t->net_deferred = NULL;
		list_insert_between(&batch, first->node.prev, &first->node);
		net_input_deferred(loopback_device, &batch);
	}
	thread_clear_work(t, WORK_NET);
}

void loopback_init(void)
{
	static const struct netdev_ops ops = { .send = lo_send };
	struct netdev *d = netdev_alloc("lo");

	if (!d)
		panic("no memory for lo");
	d->hw_type = ARPHRD_LOOPBACK;
	d->addr_len = 6;
	memset(d->broadcast, 0, sizeof(d->broadcast));
	d->mtu = 65536;
	d->max_mtu = UINT32_MAX;
	d->features = NETDEV_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_TSO_ECN | NETDEV_RX_CSUM |
		      NETDEV_RX_GSO | NETDEV_LOOPBACK | NETDEV_NO_ARP;
	d->ops = &ops;
	d->driver = "loopback";
	d->bus = "";
	atomic_init(&d->carrier, true);
	if (netdev_client->register_device(d))
		panic("no memory for lo");
	loopback_device = d;
}

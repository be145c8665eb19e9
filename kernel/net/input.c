/*
 * Frames in and out: the link header, who a frame is for, the taps, and the protocol that takes
 * it. Taps come first and see the frame whole.
 */

#include "abi/errno.h"
#include "abi/if.h"
#include "abi/if_packet.h"
#include "core/epoch.h"
#include "core/spinlock.h"
#include "lib/string.h"
#include "net/netif_priv.h"
#include "net/trace.h"
#include "net/wire.h"

static struct net_protocol *protocols; /* immutable after boot */
static struct net_tap *taps;           /* under taps_lock; read under an epoch */
static void (*batch_end)(void);        /* immutable after boot */
static struct spinlock taps_lock = SPINLOCK(NETTAPS);

void net_protocol_register(struct net_protocol *np)
{
	np->next = protocols;
	protocols = np;
}

void net_on_batch_end(void (*fn)(void))
{
	batch_end = fn;
}

void net_tap_add(struct net_tap *t)
{
	spin_lock(&taps_lock);
	t->next = taps;
	__atomic_store_n(&taps, t, __ATOMIC_RELEASE);
	spin_unlock(&taps_lock);
}

void net_tap_remove(struct net_tap *t)
{
	spin_lock(&taps_lock);
	for (struct net_tap **at = &taps; *at; at = &(*at)->next)
		if (*at == t) {
			__atomic_store_n(at, t->next, __ATOMIC_RELEASE);
			break;
		}
	spin_unlock(&taps_lock);
}

bool net_handler_nth(uint64_t n, bool *is_tap, uint16_t *type, const struct netdev **dev)
{
	const struct net_protocol *np = protocols;
	const struct net_tap *t;

	epoch_enter();
	t = __atomic_load_n(&taps, __ATOMIC_ACQUIRE);
	for (; t && n > 0; n--)
		t = __atomic_load_n(&t->next, __ATOMIC_ACQUIRE);
	if ((*is_tap = t != NULL)) {
		*type = t->type;
		*dev = t->dev;
	}
	epoch_exit();
	for (; !*is_tap && np && n > 0; n--)
		np = np->next;
	if (!*is_tap && np) {
		*type = np->type;
		*dev = NULL;
	}
	return *is_tap || np;
}

bool net_is_tapped(const struct netdev *d)
{
	const struct net_tap *t = __atomic_load_n(&taps, __ATOMIC_ACQUIRE);

	for (; UNLIKELY(t != NULL); t = __atomic_load_n(&t->next, __ATOMIC_ACQUIRE))
		if (!t->dev || t->dev == d)
			return true;
	return false;
}

void net_show_taps(const struct pkt *p, bool outgoing)
{
	struct net_tap *t = __atomic_load_n(&taps, __ATOMIC_ACQUIRE);

	if (LIKELY(!t))
		return;
	epoch_enter();
	for (t = __atomic_load_n(&taps, __ATOMIC_ACQUIRE); t;
	     t = __atomic_load_n(&t->next, __ATOMIC_ACQUIRE)) {
		/* Outgoing frames are for those who asked for everything. */
		if ((t->type == NET_TAP_ALL || (t->type == p->protocol && !outgoing)) &&
		    (!t->dev || t->dev == p->dev))
			t->see(t, p, outgoing);
	}
	epoch_exit();
}

static uint8_t address_type(const struct netdev *d, const uint8_t *to)
{
	if (memcmp(to, d->addr, ETH_ALEN) == 0)
		return PACKET_HOST;
	if (memcmp(to, d->broadcast, ETH_ALEN) == 0)
		return PACKET_BROADCAST;
	return to[0] & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST;
}

/* Reads the link header; false: there is none. */
static bool read_link(struct pkt *p)
{
	const uint8_t *h = p->data;

	if (!pkt_need(p, ETH_HEADER))
		return false;
	h = p->data;
	p->protocol = be16_get(h + 12);
	p->type = p->dev->features & NETDEV_LOOPBACK ? PACKET_HOST : address_type(p->dev, h);
	return true;
}

static void input_one(struct netdev *d, struct pkt *p)
{
	if (!netdev_is_up(d) || !read_link(p)) {
		netdev_stats(d)->rx_dropped++;
		pkt_drop(p, netdev_is_up(d) ? NET_DROP_link_header : NET_DROP_link_down);
		return;
	}
	net_trace(p, false);
	if (p->type == PACKET_MULTICAST)
		netdev_stats(d)->rx_multicast++;
	net_show_taps(p, false);
	pkt_pull(p, ETH_HEADER);
	pkt_set_network(p);
	for (struct net_protocol *np = protocols; np; np = np->next)
		if (np->type == p->protocol && p->type != PACKET_OTHERHOST) {
			np->input(p);
			return;
		}
	pkt_drop(p, p->type == PACKET_OTHERHOST ? NET_DROP_other_host : NET_DROP_no_protocol);
}

void net_input_deferred(struct netdev *d, struct list *pkts)
{
	struct pkt *p, *next;

	list_for_each_safe (p, next, pkts, node) {
		list_remove(&p->node);
		if (p->straight)
			p->straight(p);
		else
			input_one(d, p);
	}
}

void net_input(struct netdev *d, struct list *pkts)
{
	bool is_batch = pkts->next != pkts->prev;
	struct pkt *p;

	if (is_batch)
		list_for_each (p, pkts, node)
			p->in_batch = true;
	net_input_deferred(d, pkts);
	if (is_batch)
		batch_end();
	net_run_deferred();
}

int netdev_send(struct pkt *p)
{
	struct netdev *d = p->dev;

	if (!netdev_is_up(d)) {
		pkt_free(p);
		return -ENETDOWN;
	}
	p->type = PACKET_OUTGOING;
	net_trace(p, true);
	net_show_taps(p, true);
	if (UNLIKELY(p->stamp != NULL))
		p->stamp(p);
	return d->ops->send(d, p);
}

int ether_send(struct pkt *p, struct netdev *d, const uint8_t *to, uint16_t type)
{
	uint8_t *h;

	if (pkt_headroom(p) < ETH_HEADER) {
		pkt_free(p);
		return -ENOBUFS;
	}
	h = pkt_push(p, ETH_HEADER);
	memcpy(h, to, ETH_ALEN);
	memcpy(h + ETH_ALEN, d->addr, ETH_ALEN);
	be16_put(h + 2 * ETH_ALEN, type);
	p->dev = d;
	p->protocol = type;
	return netdev_send(p);
}

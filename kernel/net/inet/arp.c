/*
 * ARP: who has an IPv4 address? What is asked and answered, as net.ipv4.conf has it. What comes of
 * it is the table's (neighbour.c).
 *
 * Source: RFC 826, 5227 (announcements), arp(7), the kernel's ip-sysctl document.
 */

#include "net/inet/conf.h"
#include "net/inet/inet_priv.h"
#include "net/ip/neigh.h"
#include "net/netif.h"
#include "net/parse.h"

#include "abi/if_packet.h"
#include "abi/rtnetlink.h"
#include "lib/string.h"

enum { ANNOUNCE_ANY, ANNOUNCE_SUBNET, ANNOUNCE_BEST };
enum { IGNORE_NONE, IGNORE_OTHERS, IGNORE_STRANGERS, IGNORE_HOST_SCOPE, IGNORE_ALL = 8 };

static void send_arp(struct netdev *d, uint16_t op, uint32_t sender, uint32_t target,
		     const uint8_t *target_mac)
{
	struct arp_packet a = { .op = op, .sender = sender, .target = target };
	struct pkt *p = pkt_alloc();

	if (!p)
		return;
	memcpy(a.sender_mac, d->addr, ETH_ALEN);
	if (op == ARP_REPLY)
		memcpy(a.target_mac, target_mac, ETH_ALEN);
	arp_build(pkt_push(p, ARP_LEN), &a);
	pkt_set_network(p);
	(void)ether_send(p, d, target_mac ? target_mac : d->broadcast, ETH_TYPE_ARP);
}

/* --- what is asked --- */

/* One of d's addresses a, of which with() holds. Under an epoch. */
static bool any_address(bool (*with)(const struct ifaddr *i, const struct netdev *d,
				     const uint32_t *key),
			const struct netdev *d, const uint32_t *key)
{
	bool found = false;

	epoch_enter();
	for (struct list *n = __atomic_load_n(&ifaddrs.next, __ATOMIC_ACQUIRE);
	     n != &ifaddrs && !found; n = __atomic_load_n(&n->next, __ATOMIC_ACQUIRE)) {
		const struct ifaddr *i = list_entry(n, struct ifaddr, node);

		found = addr_is4(&i->addr) && with(i, d, key);
	}
	epoch_exit();
	return found;
}

static bool same_network(uint32_t a, uint32_t b, unsigned plen)
{
	return plen == 0 || (a ^ b) >> (32 - plen) == 0;
}

/* key: an address of ours, and one that is in its network. */
static bool has_both(const struct ifaddr *i, const struct netdev *d, const uint32_t *key)
{
	return i->dev == d && addr_to4(&i->addr) == key[0] && same_network(key[0], key[1], i->plen);
}

static bool may_announce(const struct netdev *d, uint32_t sender, uint32_t target)
{
	struct ipv6_addr a = addr_from4(sender);
	const uint32_t key[2] = { sender, target };
	int how = INET_CONF_MAX(d, arp_announce);

	if (!sender || how >= ANNOUNCE_BEST || ip_address_type(&a, d) != ROUTE_LOCAL ||
	    addr_is_loopback(&a))
		return false;
	return how == ANNOUNCE_ANY || any_address(has_both, d, key);
}

void arp_ask(struct netdev *d, const struct ipv6_addr *target, const uint8_t *mac, uint32_t sender)
{
	struct ip_path path = { .dev = d, .next_hop = *target, .source = addr_from4(sender) };

	if (!may_announce(d, sender, addr_to4(target))) {
		path.source = addr_from4(0);
		ifaddr_choose(&path, target);
	}
	send_arp(d, ARP_REQUEST, addr_to4(&path.source), addr_to4(target), mac);
}

/* net.ipv4.conf.*.arp_notify: d has come up, or has another link address. */
static void announce(struct netdev *d)
{
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next) {
		const struct ifaddr *i = list_entry(n, struct ifaddr, node);

		if (i->dev == d && addr_is4(&i->addr))
			send_arp(d, ARP_REQUEST, addr_to4(&i->addr), addr_to4(&i->addr), NULL);
	}
}

static void on_event(struct netdev *d, enum netdev_event e)
{
	if (e == NETDEV_UP && INET_CONF_MAX(d, arp_notify) > 0 && netdev_has_arp(d))
		announce(d);
}

/* --- what is answered --- */

/* key: the target, and who asks for it; it is d's own. */
static bool is_own(const struct ifaddr *i, const struct netdev *d, const uint32_t *key)
{
	return i->dev == d && addr_to4(&i->addr) == key[0];
}

static bool is_for_neighbour(const struct ifaddr *i, const struct netdev *d, const uint32_t *key)
{
	return is_own(i, d, key) && same_network(key[0], key[1], i->plen);
}

static bool has_wide_scope(const struct ifaddr *i, const struct netdev *d, const uint32_t *key)
{
	(void)d;
	return addr_to4(&i->addr) == key[0] && i->scope < RT_SCOPE_HOST;
}

/* net.ipv4.conf.*.arp_ignore, of an address of ours. */
static bool may_answer(const struct netdev *d, const struct arp_packet *a)
{
	const uint32_t key[2] = { a->target, a->sender };

	switch (INET_CONF_MAX(d, arp_ignore)) {
	case IGNORE_OTHERS:
		return any_address(is_own, d, key);
	case IGNORE_STRANGERS:
		return any_address(is_for_neighbour, d, key);
	case IGNORE_HOST_SCOPE:
		return any_address(has_wide_scope, d, key);
	case IGNORE_ALL:
		return false;
	default:
		return true;
	}
}

/* net.ipv4.conf.*.arp_filter: the answer would leave through d. */
static bool leads_back(const struct netdev *d, const struct arp_packet *a)
{
	struct ipv6_addr to = addr_from4(a->sender), from = addr_from4(a->target);
	struct ip_path path;

	return INET_CONF_MAX(d, arp_filter) <= 0 ||
	       (!ip_route(&to, &from, 0, &path) && path.dev == d);
}

static bool answers(const struct netdev *d, const struct arp_packet *a)
{
	struct ipv6_addr target = addr_from4(a->target);
	bool router;

	if (addr_is_loopback(&target) && !INET_CONF_MAX(d, route_localnet))
		return false;
	if (ip_address_type(&target, d) != ROUTE_LOCAL)
		return proxy_answers(d, &target, &router);
	return may_answer(d, a) && leads_back(d, a);
}

/* RFC 826: whoever asks for us is heard, and answered; whoever answers is believed if we asked. */
static void heard(struct pkt *p, const struct arp_packet *a)
{
	const struct inet_conf *c = inet_conf_of(p->dev);
	struct ipv6_addr sender = addr_from4(a->sender);
	bool gratuitous = a->sender == a->target;
	struct neigh_answer n = { .mac = a->sender_mac,
				  .solicited = a->op == ARP_REPLY && p->type == PACKET_HOST &&
					       !gratuitous,
				  .override = true };

	if (gratuitous && c->drop_gratuitous_arp)
		return;
	neighbour_heard(p->dev, &sender, a->sender_mac, &n, false);
	if (gratuitous && INET_CONF_MAX(p->dev, arp_accept) > 0)
		neighbour_heard(p->dev, &sender, a->sender_mac, NULL, true);
}

static void input(struct pkt *p)
{
	struct netdev *d = p->dev;
	struct ipv6_addr sender;
	struct arp_packet a;

	if (!pkt_need(p, ARP_LEN) || arp_parse(p->data, p->linear, &a) || (a.sender_mac[0] & 1))
		goto out;
	if (a.op == ARP_REQUEST && answers(d, &a)) {
		sender = addr_from4(a.sender);
		if (a.sender)
			neighbour_heard(d, &sender, a.sender_mac, NULL, true);
		send_arp(d, ARP_REPLY, a.target, a.sender, a.sender_mac);
	} else if (a.sender) {
		heard(p, &a);
	}
out:
	pkt_free(p);
}

void arp_init(void)
{
	static struct net_protocol arp = { .type = ETH_TYPE_ARP, .input = input };
	static struct netdev_listener listener = { .event = on_event };

	net_protocol_register(&arp);
	netdev_listen(&listener);
}

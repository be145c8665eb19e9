// sources: kernel/net/netlink/message.c kernel/net/netlink/sock.c kernel/net/netlink/names.c kernel/net/netlink/rtnetlink.c kernel/net/netlink/rtnl_link.c kernel/net/netlink/rtnl_qdisc.c kernel/net/netlink/diag.c kernel/net/netlink/diag_filter.c kernel/net/netlink/diag_inet.c kernel/net/netlink/diag_netlink.c kernel/net/netlink/diag_packet.c kernel/net/netlink/diag_unix.c kernel/net/netlink/genl.c kernel/net/netlink/uevent.c kernel/net/inet/rtnl_addr.c kernel/net/inet/rtnl_route.c kernel/net/inet/rtnl_rule.c kernel/net/inet/rtnl_neigh.c kernel/net/inet/rtnl_conf.c kernel/net/inet/fib.c kernel/net/inet/fib_lookup.c kernel/net/inet/rule.c kernel/net/inet/ifaddr.c kernel/net/inet/neighbour.c kernel/net/inet/autoconf.c kernel/net/inet/conf.c kernel/net/inet/arp.c kernel/net/inet/proxy.c kernel/net/ip/neigh.c kernel/net/ip/route.c kernel/net/ip/slaac.c kernel/net/ip/addrsel.c kernel/net/netif.c kernel/net/dummy.c kernel/dev/net/netdev.c kernel/net/parse.c kernel/net/parse6.c kernel/net/checksum.c kernel/lib/siphash.c kernel/lib/fmt.c kernel/lib/strutil.c
// runs: 4000
/*
 * Netlink's messages to the code that answers them, with the tables behind it: links, addresses, routes, rules,
 * neighbours, sock_diag, generic netlink. An input is a series of steps: messages made of headers and attributes that are
 * mostly of the right shape, reads of some of what waits, time that passes, memory that runs out. Dumps are under way
 * while tables change. Checked: each message that comes back is whole, each dump ends, no lock stays held, and whatever
 * was made can be taken away.
 */
#include "tests/fuzz/fake_kernel.h"

#include "abi/if.h"
#include "abi/netlink.h"
#include "abi/rtnetlink.h"
#include "abi/sock_diag.h"
#include "abi/tcp.h"
#include "net/inet/fib.h"
#include "net/inet/inet_priv.h"
#include "net/inet/mcast.h"
#include "net/inet/neighbour.h"
#include "net/inet/rtnl.h"
#include "net/inet/show.h"
#include "net/netif_priv.h"
#include "net/netlink/diag.h"
#include "net/netlink/genl.h"
#include "net/netlink/rtnetlink.h"
#include "net/netlink/uevent.h"
#include "net/packet/packet.h"
#include "net/unix/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 2048, CHUNKS_MAX = 4096, NSOCKETS = 6, SHOWN = 40 };

/* --- what the linked files ask of others --- */

static struct netdev *eth[2];

static int no_send(struct netdev *d, struct pkt *p)
{
	(void)d, (void)p;
	return 0;
}
static int take_address(struct netdev *d, const uint8_t *addr)
{
	memcpy(d->addr, addr, d->addr_len);
	return 0;
}
struct netdev *loopback_device;

static struct netdev *make_device(const char *name, unsigned features)
{
	static const struct netdev_ops ops = { .send = no_send, .set_address = take_address };
	struct netdev *d = netdev_alloc(name);

	d->hw_type = features & NETDEV_LOOPBACK ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	d->addr_len = 6;
	d->addr[0] = 2;
	d->mtu = 1500;
	d->min_mtu = 68;
	d->max_mtu = 65535;
	d->features = features;
	d->ops = &ops;
	d->driver = "fake";
	d->carrier = true;
	require(netdev_client->register_device(d) == 0);
	return d;
}
void loopback_init(void)
{
	loopback_device = make_device("lo", NETDEV_LOOPBACK | NETDEV_NO_ARP);
}
void net_input(struct netdev *d, struct list *pkts)
{
	(void)d, (void)pkts;
}
void net_protocol_register(struct net_protocol *np)
{
	(void)np;
}
void net_run_deferred(void)
{
}
int ether_send(struct pkt *p, struct netdev *d, const uint8_t *to, uint16_t type)
{
	(void)p, (void)d, (void)to, (void)type;
	return 0;
}
int mcast_dev_join(struct netdev *d, const struct ipv6_addr *group)
{
	(void)d, (void)group;
	return 0;
}
void mcast_dev_leave(int ifindex, const struct ipv6_addr *group)
{
	(void)ifindex, (void)group;
}
void ndp_solicit(struct netdev *d, const struct ipv6_addr *target, const uint8_t *mac)
{
	(void)d, (void)target, (void)mac;
}
void icmp6_send_from(struct netdev *d, const void *m, uint32_t n, const struct ipv6_addr *src,
		     const struct ipv6_addr *dst)
{
	(void)d, (void)m, (void)n, (void)src, (void)dst;
}
void ip_report_unreachable(struct pkt *p)
{
	(void)p;
}
uint32_t inet_pmtu_get(const struct ipv6_addr *dst, uint32_t link_mtu)
{
	(void)dst;
	return link_mtu;
}
struct pci_device;
const struct pci_device *pci_find_nth(unsigned n);
const struct pci_device *pci_find_nth(unsigned n)
{
	(void)n;
	return NULL;
}

/* Sockets for sock_diag: some of each kind. */
static bool show_inet(uint64_t *key, struct inet_shown *out, struct abi_tcp_info *info)
{
	uint64_t i = (*key)++;

	if (i >= SHOWN)
		return false;
	*out = (struct inet_shown){ .family = i & 1 ? AF_INET6 : AF_INET,
				    .type = 1,
				    .state = (uint8_t)(1 + i % 11),
				    .local = i & 1 ? (struct ipv6_addr){ { [15] = 1 } }
						   : addr_from4(0x7f000001),
				    .lport = (uint16_t)(1000 + i),
				    .rport = (uint16_t)(i % 3),
				    .ino = 100 + i,
				    .cookie = i,
				    .congestion = "cubic",
				    .has_info = i % 4 == 0,
				    .is_mini = i % 5 == 0 };
	if (info)
		memset(info, 0, sizeof(*info));
	return true;
}
static int destroy_shown(const struct inet_shown *s)
{
	require(s->lport >= 1000);
	return 0;
}
const struct inet_shower *inet_show_find(uint8_t protocol)
{
	static struct inet_shower tcp = { .protocol = 6, .next = show_inet, .destroy = destroy_shown },
				  udp = { .protocol = 17, .next = show_inet },
				  raw = { .protocol = SHOW_RAW, .next = show_inet };

	return protocol == 6 ? &tcp : protocol == 17 ? &udp : protocol == SHOW_RAW ? &raw : NULL;
}
bool unix_walk(uint64_t *key, struct unix_shown *s, bool (*fn)(void *ctx, const struct unix_shown *s),
	       void *ctx)
{
	for (; *key < SHOWN; ++*key) {
		*s = (struct unix_shown){ .type = 1,
					  .state = (uint8_t)(1 + *key % 10),
					  .ino = 500 + *key,
					  .peer = *key & 1 ? 500 + *key - 1 : 0,
					  .vfs_ino = *key % 3,
					  .name_len = (uint32_t)(*key * 108 / SHOWN),
					  .nicons = *key % 7 ? 0 : UNIX_ICONS };
		if (!fn(ctx, s))
			return true;
	}
	return false;
}

bool packet_next(uint64_t *key, struct packet_shown *out)
{
	*out = (struct packet_shown){ .type = 3, .ino = 900 + *key };
	return (*key)++ < SHOWN;
}

/* --- the input --- */

struct input {
	const uint8_t *p, *end;
};

static uint8_t take(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static size_t take_bytes(struct input *in, void *to, size_t n)
{
	size_t k = MIN(n, (size_t)(in->end - in->p));

	memset(to, 0, n);
	memcpy(to, in->p, k);
	in->p += k;
	return k;
}

/* --- messages --- */

static const char *const words[] = { "lo", "eth0", "eth1", "eth%d", "", "x", "dummy", "nlctrl",
				     "a name that is far too long for a device", "lo:1", "cubic",
				     "dummy0", "veth", "vlan", "ethtool", "bridge" };
static const uint8_t addresses[][16] = {
	{ 127, 0, 0, 1 },	 { 10, 0, 0, 1 },	   { 10, 0, 0, 0 },    { 10, 0, 0, 255 },
	{ 10, 0, 0, 2 },	 { 192, 168, 1, 1 },	   { 224, 0, 0, 1 },   { 255, 255, 255, 255 },
	{ 0 },			 { [15] = 1 },		   { 0xfe, 0x80 },     { 0xfe, 0x80, [15] = 9 },
	{ 0x20, 1, 0xd, 0xb8 }, { 0x20, 1, 0xd, 0xb8, 1 }, { 0xff, 2, [15] = 1 }, { 0xfc, [15] = 3 },
};

struct message {
	uint8_t bytes[MESSAGE_MAX];
	uint32_t len;
};

static void put(struct message *m, const void *data, uint32_t n)
{
	if (n > MESSAGE_MAX - m->len)
		return;
	memcpy(m->bytes + m->len, data, n);
	m->len += n;
	while (m->len % 4)
		m->bytes[m->len++] = 0;
}

/* Instructions of a filter of sock_diag: mostly whole, mostly with jumps to some instruction. */
static void filter(struct message *m, struct input *in)
{
	static const uint8_t sizes[] = { 4, 4, 8, 8, 8, 8, 4, 12, 12, 8, 12, 8, 8 };

	for (unsigned n = take(in) % 8; n > 0; n--) {
		uint8_t code = take(in), jump = take(in), arg = take(in);
		struct abi_inet_diag_bc_op op = { (uint8_t)(code % 13), sizes[code % 13], (uint16_t)(jump % 16 * 4) };
		struct abi_inet_diag_hostcond host = { (uint8_t)(arg & 1 ? AF_INET : arg & 2 ? AF_INET6 : 0),
						       (uint8_t)(arg >> 3), arg & 4 ? -1 : 1000 + jump };
		uint32_t alen = arg & 1 ? 4 : arg & 2 ? 16 : 0;

		if (code >= 200)
			op.yes = (uint8_t)(op.yes + (arg & 15) * 4);
		if (op.code == INET_DIAG_BC_S_COND || op.code == INET_DIAG_BC_D_COND) {
			op.yes = (uint8_t)(op.yes + alen);
			put(m, &op, sizeof(op));
			put(m, &host, sizeof(host));
			put(m, addresses[jump % ARRAY_SIZE(addresses)], alen);
			continue;
		}
		put(m, &op, sizeof(op));
		op.no = (uint16_t)(1000 + arg);
		for (unsigned at = 4; at < sizes[op.code]; at += 4)
			put(m, &op, sizeof(op));
	}
}

static void attribute(struct message *m, struct input *in, unsigned depth)
{
	uint32_t at = m->len, v;
	uint8_t type = take(in), kind = take(in), arg = take(in), raw[64];
	struct abi_nlattr a = { 4, type & 0x3f };

	if (type & 0x40)
		a.nla_type |= NLA_F_NESTED;
	put(m, &a, sizeof(a));
	switch (kind % 8) {
	case 0:
		v = arg & 0x80 ? arg : arg % 8;
		put(m, &v, sizeof(v));
		break;
	case 1:
		v = (uint32_t)take_bytes(in, raw, arg % 64);
		put(m, raw, v);
		break;
	case 2:
		put(m, addresses[arg % ARRAY_SIZE(addresses)], 4);
		break;
	case 3:
		put(m, addresses[arg % ARRAY_SIZE(addresses)], 16);
		break;
	case 4:
		put(m, words[arg % ARRAY_SIZE(words)],
		    (uint32_t)strlen(words[arg % ARRAY_SIZE(words)]) + (arg >> 7));
		break;
	case 5:
		for (unsigned i = 0; i < arg % 5u && depth < 3; i++)
			attribute(m, in, depth + 1);
		break;
	case 6: /* a next hop: a header of 8 bytes before attributes */
		raw[0] = 8, raw[1] = 0, raw[2] = arg, raw[3] = arg >> 4;
		v = take(in);
		memcpy(raw + 4, &v, 4);
		v = m->len;
		put(m, raw, 8);
		if (arg & 1 && depth < 3)
			attribute(m, in, depth + 1);
		if (v + 2 <= m->len)
			m->bytes[v] = (uint8_t)(m->len - v);
		break;
	default:
		if (arg & 0x80) {
			filter(m, in);
		} else if (arg & 0x40) { /* a kind of links */
			struct abi_nlattr kind_name = { 9, IFLA_INFO_KIND };

			a.nla_type = IFLA_LINKINFO;
			put(m, &kind_name, sizeof(kind_name));
			put(m, "dummy", 5);
		} else {
			put(m, &arg, 1);
		}
		break;
	}
	a.nla_len = (uint16_t)(m->len - at);
	if (kind >> 4 == 15)
		a.nla_len = (uint16_t)(a.nla_len + (int8_t)arg); /* a lie */
	if (at + 4 <= m->len)
		memcpy(m->bytes + at, &a, sizeof(a));
}

/* How long the family's header is. */
static uint32_t header_len(unsigned protocol, uint16_t type)
{
	static const uint8_t of[] = { 16, 8, 12, 12, 12, 20, 20, 20, 20, 4, 4, 4, 12, 4, 4, 4, 4 };

	if (protocol == NETLINK_SOCK_DIAG)
		return type & 1 ? 24 : 56;
	if (protocol == NETLINK_GENERIC)
		return 4;
	return type >= 16 && (type - 16u) / 4 < sizeof(of) ? of[(type - 16) / 4] : 4;
}

/* A family header with fields that something can be found by. */
static void make_plausible(uint8_t *h, unsigned protocol, uint16_t type)
{
	static const uint8_t families[] = { AF_INET, AF_INET6, AF_UNSPEC, AF_UNIX, AF_NETLINK, 17, 7, 28 },
			     lens[] = { 32, 24, 8, 0, 128, 64, 10, 31 },
			     tables[] = { 254, 255, 253, 0, 7, 252, 254, 254 };

	h[0] = families[h[0] % sizeof(families)];
	if (protocol != NETLINK_ROUTE)
		return;
	switch ((type - 16) / 4) {
	case 0:
		h[4] %= 5;
		h[5] = h[6] = h[7] = 0;
		break;
	case 1:
		h[1] = lens[h[1] % 8];
		h[4] %= 5;
		h[5] = h[6] = h[7] = 0;
		break;
	case 2:
	case 4:
		h[1] = lens[h[1] % 8];
		h[2] = h[2] & 0x80 ? lens[h[2] % 8] : 0;
		h[3] &= 0x84;
		h[4] = tables[h[4] % 8];
		h[6] = h[6] & 1 ? 0 : h[6];
		h[7] %= 12;
		break;
	case 3:
		h[4] %= 5;
		h[5] = h[6] = h[7] = 0;
		h[8] = (uint8_t)(1 << h[8] % 8);
		h[9] = 0;
		break;
	}
}

static uint16_t choose_type(unsigned protocol, uint8_t b)
{
	if (protocol == NETLINK_ROUTE)
		return (uint16_t)(16 + b % (b < 200 ? 20 : 100));
	if (protocol == NETLINK_SOCK_DIAG)
		return b >= 0xf0 ? b : b % 4 ? SOCK_DIAG_BY_FAMILY : SOCK_DESTROY;
	return b & 0x80 ? 16 : (uint16_t)(16 + (b & 15));
}

static void make_message(struct message *m, struct input *in, unsigned protocol)
{
	struct abi_nlmsghdr h = { 0, choose_type(protocol, take(in)), 0, take(in), 0 };
	uint8_t flags = take(in), lie = take(in), n = take(in), header[64];
	uint32_t at = m->len, len = header_len(protocol, h.nlmsg_type);

	h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (flags & 15) << 8 | (flags & 0x10 ? NLM_F_ACK : 0));
	put(m, &h, sizeof(h));
	take_bytes(in, header, len);
	if (!(lie & 0x40))
		make_plausible(header, protocol, h.nlmsg_type);
	put(m, header, (lie & 0x3f) == 0x3f ? lie >> 6 : len);
	for (unsigned i = 0; i < n % 16u; i++)
		attribute(m, in, 0);
	h.nlmsg_len = m->len - at;
	if (lie == 0x80)
		h.nlmsg_len += n;
	if (at + sizeof(h) <= m->len)
		memcpy(m->bytes + at, &h, sizeof(h));
}

/* --- what comes back --- */

static struct socket *sockets[NSOCKETS];
static const unsigned protocols[NSOCKETS] = { NETLINK_ROUTE,   NETLINK_ROUTE,	    NETLINK_ROUTE,
					      NETLINK_SOCK_DIAG, NETLINK_GENERIC, NETLINK_KOBJECT_UEVENT };

static void check_attributes(const uint8_t *p, uint32_t left)
{
	struct abi_nlattr a;

	while (left) {
		require(left >= sizeof(a));
		memcpy(&a, p, sizeof(a));
		require(a.nla_len >= sizeof(a) && a.nla_len <= left);
		p += MIN((a.nla_len + 3u) & ~3u, left);
		left -= MIN((a.nla_len + 3u) & ~3u, left);
	}
}

static void check_messages(const uint8_t *p, uint32_t left, unsigned protocol)
{
	struct abi_nlmsghdr h;

	if (protocol == NETLINK_KOBJECT_UEVENT)
		return;
	while (left) {
		require(left >= sizeof(h));
		memcpy(&h, p, sizeof(h));
		require(h.nlmsg_len >= sizeof(h) && h.nlmsg_len <= left && h.nlmsg_len % 4 == 0);
		if (h.nlmsg_type == NLMSG_DONE)
			require(h.nlmsg_len >= 20);
		else if (h.nlmsg_type == NLMSG_ERROR)
			require(h.nlmsg_len >= 36);
		else if (protocol == NETLINK_ROUTE && h.nlmsg_type != RTM_NEWNDUSEROPT)
			check_attributes(p + 16 + header_len(protocol, h.nlmsg_type),
					 h.nlmsg_len - 16 - header_len(protocol, h.nlmsg_type));
		p += h.nlmsg_len;
		left -= h.nlmsg_len;
	}
}

/* One read; false: nothing is there. */
static bool receive(unsigned i, size_t room)
{
	static uint8_t buf[65536];
	struct abi_sockaddr_storage name;
	struct uio u = { .one = { (uintptr_t)buf, room }, .resid = room, .niov = 1 };
	struct sockmsg m = { .uio = &u, .name = &name, .flags = MSG_DONTWAIT };
	ssize64_t n = sockets[i]->ops->recv(sockets[i], &m);

	if (n >= 0 && !(m.out_flags & MSG_TRUNC))
		check_messages(buf, (uint32_t)n, protocols[i]);
	return n != -EAGAIN;
}

static void send_message(unsigned i, const struct message *m)
{
	struct uio u = { .one = { (uintptr_t)m->bytes, m->len }, .resid = m->len, .niov = 1 };
	struct sockmsg msg = { .uio = &u };

	(void)!sockets[i]->ops->send(sockets[i], &msg);
	require(!net_config_lock.owner);
}

static void set_option(unsigned i, int name, uint32_t v)
{
	(void)!sockets[i]->ops->setsockopt(sockets[i], SOL_NETLINK, name, UADDR((uintptr_t)&v), 4);
}

/* --- the beginning and the end --- */

static void open_sockets(void)
{
	for (unsigned i = 0; i < NSOCKETS; i++)
		require(fake_family->create(SOCK_RAW, (int)protocols[i], &sockets[i]) == 0);
	set_option(1, NETLINK_GET_STRICT_CHK, 1);
	set_option(1, NETLINK_EXT_ACK, 1);
	for (uint32_t g = 1; g <= RTNLGRP_MAX; g++)
		set_option(2, NETLINK_ADD_MEMBERSHIP, g);
	set_option(5, NETLINK_ADD_MEMBERSHIP, 1);
}

static void close_sockets(void)
{
	for (unsigned i = 0; i < NSOCKETS; i++) {
		sockets[i]->ops->release(sockets[i]);
		inode_put(&sockets[i]->inode);
	}
}

static void set_up(void)
{
	host_cpu = 0;
	netlink_init();
	rtnetlink_init();
	ifaddr_init();
	fib_init();
	rules_init();
	inet_rtnl_init();
	neighbour_init();
	autoconf_init();
	sock_diag_init();
	genl_init();
	uevent_init();
	netif_init();
	eth[0] = make_device("eth%d", 0);
	eth[1] = make_device("eth%d", 0);
}

static void up(struct netdev *d)
{
	require(netdev_change_flags(d, IFF_UP, IFF_UP) == 0);
}

static void remove_routes(bool v4)
{
	static struct fib_config c;
	const struct fib_route *f;

	while ((f = fib_next(v4, NULL))) {
		memset(&c, 0, sizeof(c));
		c.f = *f;
		c.f.nhops = 0;
		require(fib_remove(v4, &c) == 0);
	}
}

/* Everything that can be there is taken away, and devices are as they were. */
static void clear(void)
{
	static const char *const names[] = { "lo", "eth0", "eth1" };
	struct neighbour_info n;
	struct netdev *devs[] = { loopback_device, eth[0], eth[1] };

	struct netdev *d;

	fake_fail_in = 0;
	mutex_lock(&net_config_lock);
	for (int index = 1; (d = netdev_next(&index)); index++) {
		netdev_put(d);
		if (netif_of(d)->kind)
			netif_remove(d);
	}
	while (!list_is_empty(&ifaddrs)) {
		struct ifaddr a = *list_first(&ifaddrs, struct ifaddr, node);

		require(ifaddr_remove(&a) == 0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(devs); i++) {
		uint8_t mac[6] = { 2, 0, 0, 0, 0, (uint8_t)i };
		char aside[NETDEV_NAME] = "aside%d";

		(void)!netdev_change_flags(devs[i], 0, UINT32_MAX);
		(void)!netdev_change_mtu(devs[i], 1500);
		require(netdev_change_alias(devs[i], NULL, 0) == 0);
		netdev_change_mode(devs[i], 0, 0);
		(void)!netdev_change_address(devs[i], mac, 6);
		require(netdev_change_name(devs[i], aside) == 0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(devs); i++)
		require(netdev_change_name(devs[i], names[i]) == 0);
	for (unsigned v4 = 0; v4 < 2; v4++) {
		struct fib_rule rule = { .suppress_plen = -1, .uids = { 0, UINT32_MAX } };

		remove_routes(v4);
		while (rules_first(v4)) {
			rule = (struct fib_rule){ .suppress_plen = -1, .uids = { 0, UINT32_MAX } };
			require(rule_remove(v4, &rule) == 0);
		}
	}
	rules_init();
	for (uint64_t at = 0; neighbour_next(&at, &n); at = 0)
		require(neighbour_remove(n.dev, &n.addr) == 0);
	mutex_unlock(&net_config_lock);
	fake_run();
}

static void drain(unsigned i)
{
	unsigned chunks = 0;

	while (receive(i, 32768))
		require(++chunks < CHUNKS_MAX);
}

static void step(struct input *in)
{
	uint8_t what = take(in), arg = take(in);
	struct message m = { .len = 0 };

	switch (what & 15) {
	case 0:
		fake_now += (nsec_t)arg * arg * NSEC_PER_SEC / 16;
		break;
	case 1:
	case 2:
		(void)receive(arg % NSOCKETS, what >> 4 == 0 ? 20 : 8192);
		break;
	case 3:
		drain(arg % NSOCKETS);
		break;
	case 4:
		fake_fail_in = arg % 8 + 1u;
		break;
	case 5:
		set_option(arg % NSOCKETS, what >> 4, arg >> 4);
		break;
	default:
		what = (what >> 4) % NSOCKETS;
		for (unsigned i = 0; i < arg % 4 + 1u; i++)
			make_message(&m, in, protocols[what]);
		send_message(what, &m);
		break;
	}
	fake_run();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	static bool is_set_up;

	fake_now = 1000 * NSEC_PER_SEC;
	fake_random = 1;
	if (!is_set_up)
		set_up();
	is_set_up = true;
	open_sockets();
	mutex_lock(&net_config_lock);
	up(loopback_device);
	up(eth[0]);
	mutex_unlock(&net_config_lock);
	while (in.p < in.end)
		step(&in);
	fake_fail_in = 0;
	for (unsigned i = 0; i < NSOCKETS; i++)
		drain(i);
	clear();
	close_sockets();
	fake_end_epoch();
	return 0;
}

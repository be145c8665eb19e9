/*
 * Addresses, routes and neighbours by ioctl: what ifconfig(8), route(8) and arp(8) use.
 * An address is named by its label here: "eth0", or "eth0:1" for another one.
 *
 * Source: netdevice(7), arp(7), rtnetlink(7), ipv6(7).
 */

#include "abi/errno.h"
#include "abi/if.h"
#include "abi/in.h"
#include "abi/ioctl.h"
#include "abi/route.h"
#include "core/log.h"
#include "lib/string.h"
#include "net/ifreq.h"
#include "net/inet/fib.h"
#include "net/inet/inet_priv.h"
#include "net/inet/neighbour.h"
#include "net/netif.h"
#include "net/socket.h"
#include "pmm/slab.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

/* --- addresses --- */

static void put_in(struct abi_ifreq *r, uint32_t addr)
{
	memset(&r->in, 0, sizeof(r->in));
	r->in.family = AF_INET;
	r->in.addr = __builtin_bswap32(addr);
}

static uint32_t mask_of(unsigned plen)
{
	return plen ? UINT32_MAX << (32 - plen) : 0;
}

static struct ifaddr *find_label(const char *label)
{
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next) {
		struct ifaddr *a = list_entry(n, struct ifaddr, node);

		if (addr_is4(&a->addr) && strcmp(a->label, label) == 0)
			return a;
	}
	return NULL;
}

static int get_address(const struct ifaddr *a, unsigned cmd, struct abi_ifreq *r)
{
	if (!a)
		return -EADDRNOTAVAIL;
	switch (cmd) {
	case SIOCGIFADDR:
		put_in(r, addr_to4(&a->addr));
		break;
	case SIOCGIFBRDADDR:
		put_in(r, addr_is_any(&a->broadcast) ? 0 : addr_to4(&a->broadcast));
		break;
	case SIOCGIFDSTADDR:
		put_in(r, addr_to4(&a->peer));
		break;
	case SIOCGIFNETMASK:
		put_in(r, mask_of(a->plen));
		break;
	}
	return 0;
}

static bool mask_is_valid(uint32_t mask)
{
	return (~mask & (~mask + 1)) == 0;
}

/* Takes `old` away and puts `a` in its place; if that fails the old one is there again. */
static int replace(const struct ifaddr *old, const struct ifaddr *a)
{
	struct ifaddr keep = *old;
	int err = ifaddr_remove(&keep);

	if (!err && (err = ifaddr_add(a)) && ifaddr_add(&keep))
		log_warn("%s: an address is lost: no memory", a->dev->name);
	return err;
}

static unsigned class_plen(uint32_t a)
{
	if (a >> 31 == 0)
		return 8;
	return a >> 30 == 2 ? 16 : 24;
}

static int set_local(struct netdev *d, const struct ifaddr *old, const struct abi_ifreq *r)
{
	uint32_t ip = __builtin_bswap32(r->in.addr);
	struct ifaddr a = {
		.dev = d, .valid = UINT32_MAX, .preferred = UINT32_MAX, .flags = IFA_F_PERMANENT
	};

	if (old && addr_to4(&old->addr) == ip)
		return 0;
	if (ipv4_is_multicast(ip) || ip == UINT32_MAX)
		return -EINVAL;
	if (ip == 0) {
		a = old ? *old : a;
		return old ? ifaddr_remove(&a) : 0;
	}
	strscpy(a.label, r->ifr_name, sizeof(a.label));
	a.addr = a.peer = addr_from4(ip);
	a.plen = (uint8_t)(d->flags & IFF_POINTOPOINT ? 32 : class_plen(ip));
	a.scope = ipv4_is_loopback(ip) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	a.broadcast =
		addr_from4(d->flags & IFF_BROADCAST && a.plen < 31 ? ip | ~mask_of(a.plen) : 0);
	return old ? replace(old, &a) : ifaddr_add(&a);
}

static int set_mask(const struct ifaddr *old, uint32_t mask)
{
	struct ifaddr a = *old;
	uint32_t ip = addr_to4(&a.addr), old_mask = mask_of(a.plen);

	if (!mask_is_valid(mask))
		return -EINVAL;
	if (mask == old_mask)
		return 0;
	a.plen = (uint8_t)__builtin_popcount(mask);
	if (a.dev->flags & IFF_BROADCAST && old->plen < 31 && !addr_is_any(&a.broadcast) &&
	    addr_to4(&a.broadcast) == (ip | ~old_mask))
		a.broadcast = addr_from4(ip | ~mask);
	return replace(old, &a);
}

static int set_address(struct netdev *d, struct ifaddr *old, unsigned cmd,
		       const struct abi_ifreq *r)
{
	uint32_t ip = __builtin_bswap32(r->in.addr);
	struct ifaddr a;

	if (r->in.family != AF_INET)
		return -EINVAL;
	if (cmd == SIOCSIFADDR)
		return set_local(d, old, r);
	if (!old)
		return -EADDRNOTAVAIL;
	a = *old;
	switch (cmd) {
	case SIOCSIFNETMASK:
		return set_mask(old, ip);
	case SIOCSIFBRDADDR:
		a.broadcast = addr_from4(ip);
		return replace(old, &a);
	case SIOCSIFDSTADDR:
		if (addr_to4(&a.peer) == ip)
			return 0;
		a.peer = addr_from4(ip);
		return replace(old, &a);
	}
	return -ENOTTY;
}

static bool is_get(unsigned cmd)
{
	return cmd == SIOCGIFADDR || cmd == SIOCGIFBRDADDR || cmd == SIOCGIFDSTADDR ||
	       cmd == SIOCGIFNETMASK;
}

static bool is_set(unsigned cmd)
{
	return cmd == SIOCSIFADDR || cmd == SIOCSIFBRDADDR || cmd == SIOCSIFDSTADDR ||
	       cmd == SIOCSIFNETMASK;
}

/* "eth0:1" down: the address goes. */
static int label_down(struct abi_ifreq *r)
{
	struct ifaddr a, *old = find_label(r->ifr_name);

	if (!old)
		return -EADDRNOTAVAIL;
	a = *old;
	return r->flags & IFF_UP ? 0 : ifaddr_remove(&a);
}

static int address_locked(struct abi_ifreq *r, unsigned cmd)
{
	char name[IFNAMSIZ], *colon;
	struct netdev *d;
	struct ifaddr *a;
	int err;

	strscpy(name, r->ifr_name, sizeof(name));
	if ((colon = strchr(name, ':')))
		*colon = '\0';
	if (!(d = netdev_lookup_name(name)))
		return -ENODEV;
	a = find_label(r->ifr_name);
	if (cmd == SIOCSIFFLAGS)
		err = label_down(r);
	else
		err = is_get(cmd) ? get_address(a, cmd, r) : set_address(d, a, cmd, r);
	netdev_put(d);
	return err;
}

static int64_t address_ioctl(unsigned cmd, uint64_t arg)
{
	struct abi_ifreq r;
	int err;

	if (copy_from_user(&r, UADDR(arg), sizeof(r)))
		return -EFAULT;
	r.ifr_name[IFNAMSIZ - 1] = '\0';
	if (cmd == SIOCSIFFLAGS && !strchr(r.ifr_name, ':'))
		return -ENOTTY; /* of the device */
	if (!is_get(cmd) && !capable(CAP_NET_ADMIN))
		return -EPERM;
	mutex_lock(&net_config_lock);
	err = address_locked(&r, cmd);
	mutex_unlock(&net_config_lock);
	net_run_deferred();
	return err || !is_get(cmd) ? err : copy_to_user(UADDR(arg), &r, sizeof(r));
}

/* All addresses, as many as there is room for; without a buffer, how much room they need. */
static int64_t get_all(uint64_t arg)
{
	struct abi_ifconf c;
	struct abi_ifreq r;
	uint64_t at = 0;
	int err = 0;

	if (copy_from_user(&c, UADDR(arg), sizeof(c)))
		return -EFAULT;
	if (c.ifc_len < 0)
		return -EINVAL;
	mutex_lock(&net_config_lock);
	for (struct list *n = ifaddrs.next; n != &ifaddrs && !err; n = n->next) {
		const struct ifaddr *a = list_entry(n, struct ifaddr, node);

		if (!addr_is4(&a->addr))
			continue;
		if (c.ifc_buf) {
			if ((uint64_t)c.ifc_len < at + sizeof(r))
				break;
			memset(&r, 0, sizeof(r));
			strscpy(r.ifr_name, a->label, sizeof(r.ifr_name));
			put_in(&r, addr_to4(&a->addr));
			err = copy_to_user(UADDR(c.ifc_buf + at), &r, sizeof(r));
		}
		at += sizeof(r);
	}
	mutex_unlock(&net_config_lock);
	c.ifc_len = (int32_t)at;
	return err ? err : copy_to_user(UADDR(arg), &c, sizeof(c));
}

/* An IPv6 address: struct in6_ifreq. */
static int64_t address6_ioctl(unsigned cmd, uint64_t arg)
{
	struct ifaddr a = { .valid = UINT32_MAX,
			    .preferred = UINT32_MAX,
			    .flags = IFA_F_PERMANENT };
	struct abi_in6_ifreq r;
	int err = -ENODEV;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&r, UADDR(arg), sizeof(r)))
		return -EFAULT;
	if (r.ifr6_prefixlen > 128)
		return -EINVAL;
	memcpy(a.addr.b, r.ifr6_addr, sizeof(a.addr.b));
	a.plen = (uint8_t)r.ifr6_prefixlen;
	a.scope = ifaddr_scope6(&a.addr);
	mutex_lock(&net_config_lock);
	if ((a.dev = netif_find_index(r.ifr6_ifindex))) {
		if (cmd == SIOCSIFADDR) {
			autoconf_prepare(&a);
			err = ifaddr_add(&a);
		} else {
			err = ifaddr_remove(&a);
		}
	}
	mutex_unlock(&net_config_lock);
	net_run_deferred();
	return err;
}

/* --- routes --- */

struct in_name { /* a struct sockaddr_in, wherever it lies */
	uint16_t family;
	uint32_t addr;
};

static struct in_name get_in(const uint8_t *p)
{
	struct in_name n = { .addr = be32_get(p + 4) };

	memcpy(&n.family, p, 2);
	return n;
}

/* The device that a route names. -ENODEV; 0 with *out 0: none. */
static int device_of(uint64_t name_at, uint32_t *out)
{
	char name[IFNAMSIZ], *colon;
	struct netdev *d;

	if (!name_at)
		return 0;
	if (strncpy_from_user(name, UADDR(name_at), sizeof(name)) < 0)
		return -EFAULT;
	if ((colon = strchr(name, ':')))
		*colon = '\0';
	if (!(d = netdev_lookup_name(name)))
		return -ENODEV;
	*out = (uint32_t)d->index;
	netdev_put(d);
	return 0;
}

static int read_route4(const struct abi_rtentry *e, bool remove, struct fib_config *c)
{
	struct in_name dst = get_in(e->rt_dst), gateway = get_in(e->rt_gateway),
		       mask = get_in(e->rt_genmask);
	unsigned plen = 32;
	int err;

	if (dst.family != AF_INET)
		return -EAFNOSUPPORT;
	if (!(e->rt_flags & RTF_HOST)) {
		if (mask.family && mask.family != AF_INET)
			return -EAFNOSUPPORT;
		if (!mask_is_valid(mask.addr) || dst.addr & ~mask.addr)
			return -EINVAL;
		plen = (unsigned)__builtin_popcount(mask.addr);
	}
	c->f.r.prefix = route_key4(dst.addr);
	c->f.r.plen = (uint8_t)plen;
	c->f.r.protocol = remove ? 0 : RTPROT_BOOT;
	c->f.r.metric = e->rt_metric > 0 ? (uint32_t)e->rt_metric - 1 : 0;
	c->f.r.type = e->rt_flags & RTF_REJECT ? ROUTE_UNREACHABLE : ROUTE_UNICAST;
	c->f.r.scope = e->rt_flags & RTF_REJECT ? RT_SCOPE_HOST : RT_SCOPE_LINK;
	c->f.any_type = c->f.any_scope = remove;
	c->hop[0].weight = 1;
	if ((err = device_of(e->rt_dev, &c->hop[0].ifindex)))
		return err;
	if (gateway.family == AF_INET && gateway.addr) {
		c->hop[0].gateway = route_key4(gateway.addr);
		c->hop[0].has_gateway = true;
		if (e->rt_flags & RTF_GATEWAY)
			c->f.r.scope = RT_SCOPE_UNIVERSE;
	}
	if (!remove && e->rt_flags & RTF_GATEWAY && !c->hop[0].has_gateway)
		return -EINVAL;
	if (e->rt_flags & RTF_MTU)
		c->f.metrics[RTAX_MTU] = (uint32_t)e->rt_mtu;
	return 0;
}

static void read_route6(const struct abi_in6_rtmsg *m, bool remove, struct fib_config *c)
{
	memcpy(c->f.r.prefix.b, m->rtmsg_dst, 16);
	c->f.r.plen = (uint8_t)m->rtmsg_dst_len;
	c->f.r.protocol = remove ? 0 : RTPROT_BOOT;
	c->f.r.metric = m->rtmsg_metric ? m->rtmsg_metric : remove ? 0 : 1024;
	c->f.r.type = m->rtmsg_flags & RTF_REJECT ? ROUTE_UNREACHABLE : ROUTE_UNICAST;
	c->f.any_type = c->f.any_scope = remove;
	c->hop[0] = (struct fib_hop){ .weight = 1, .ifindex = (uint32_t)m->rtmsg_ifindex };
	memcpy(c->hop[0].gateway.b, m->rtmsg_gateway, 16);
	c->hop[0].has_gateway = m->rtmsg_flags & RTF_GATEWAY;
}

static int change_route(bool v4, struct fib_config *c, bool remove)
{
	const char *why = NULL;
	int err;

	c->f.nhops = 1;
	c->f.table = RT_TABLE_MAIN;
	mutex_lock(&net_config_lock);
	err = remove ? fib_remove(v4, c)
		     : fib_add(v4, c, NLM_F_CREATE | (v4 ? NLM_F_EXCL : 0), &why);
	mutex_unlock(&net_config_lock);
	return err;
}

static int64_t route_ioctl(bool v4, unsigned cmd, uint64_t arg)
{
	struct fib_config *c;
	union {
		struct abi_rtentry e;
		struct abi_in6_rtmsg m;
	} u;
	int err = 0;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&u, UADDR(arg), v4 ? sizeof(u.e) : sizeof(u.m)))
		return -EFAULT;
	if (!v4 && u.m.rtmsg_dst_len > 128)
		return -EINVAL;
	if (!(c = kzalloc(sizeof(*c))))
		return -ENOBUFS;
	if (v4)
		err = read_route4(&u.e, cmd == SIOCDELRT, c);
	else
		read_route6(&u.m, cmd == SIOCDELRT, c);
	if (!err)
		err = change_route(v4, c, cmd == SIOCDELRT);
	kfree(c);
	return err;
}

/* --- neighbours --- */

static struct netdev *device_for(const struct abi_arpreq *a, const struct ipv6_addr *ip)
{
	struct ip_path path;
	char name[IFNAMSIZ];
	struct netdev *d;

	memcpy(name, a->arp_dev, sizeof(name));
	name[IFNAMSIZ - 1] = '\0';
	if (name[0]) {
		if (!(d = netdev_lookup_name(name)))
			return NULL;
		netdev_put(d);
		return d;
	}
	return ip_route(ip, NULL, 0, &path) ? NULL : path.dev;
}

static int64_t get_arp(struct abi_arpreq *a, const struct netdev *d, const struct ipv6_addr *ip)
{
	struct neighbour_info n;

	if (!neighbour_get(d, ip, &n))
		return -ENXIO;
	memset(a->arp_ha, 0, sizeof(a->arp_ha));
	memcpy(a->arp_ha, &d->hw_type, 2);
	memcpy(a->arp_ha + 2, n.mac, ETH_ALEN);
	a->arp_flags = n.state == NEIGH_PERMANENT ? ATF_PERM | ATF_COM : n.has_mac ? ATF_COM : 0;
	strscpy(a->arp_dev, d->name, sizeof(a->arp_dev));
	return 0;
}

static int64_t arp_ioctl(unsigned cmd, uint64_t arg)
{
	struct abi_arpreq a;
	struct ipv6_addr ip;
	struct in_name name;
	struct netdev *d;
	int64_t err;

	if (cmd != SIOCGARP && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&a, UADDR(arg), sizeof(a)))
		return -EFAULT;
	name = get_in(a.arp_pa);
	if (name.family != AF_INET)
		return -EPFNOSUPPORT;
	if (a.arp_flags & ATF_PUBL)
		return -EOPNOTSUPP;
	ip = addr_from4(name.addr);
	if (!(d = device_for(&a, &ip)))
		return a.arp_dev[0] ? -ENODEV : -ENETUNREACH;
	if (cmd == SIOCGARP) {
		err = get_arp(&a, d, &ip);
		return err ? err : copy_to_user(UADDR(arg), &a, sizeof(a));
	}
	mutex_lock(&net_config_lock);
	if (cmd == SIOCSARP)
		err = neighbour_set(d, &ip, a.arp_ha + 2,
				    a.arp_flags & ATF_PERM ? NEIGH_PERMANENT : NEIGH_STALE,
				    NLM_F_CREATE | NLM_F_REPLACE);
	else
		err = neighbour_remove(d, &ip);
	mutex_unlock(&net_config_lock);
	return err == -ENOENT ? -ENXIO : err;
}

/* --- which is which --- */

static int64_t ioctl4(unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case SIOCADDRT:
	case SIOCDELRT:
		return route_ioctl(true, cmd, arg);
	case SIOCGARP:
	case SIOCSARP:
	case SIOCDARP:
		return arp_ioctl(cmd, arg);
	}
	return is_get(cmd) || is_set(cmd) || cmd == SIOCSIFFLAGS ? address_ioctl(cmd, arg)
								 : -ENOTTY;
}

static int64_t ioctl6(unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case SIOCADDRT:
	case SIOCDELRT:
		return route_ioctl(false, cmd, arg);
	case SIOCSIFADDR:
	case SIOCDIFADDR:
		return address6_ioctl(cmd, arg);
	}
	return -ENOTTY;
}

static int64_t device_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	int64_t ret = -ENOTTY;

	if (cmd == SIOCGIFCONF)
		return get_all(arg);
	if (s->family == AF_INET || s->family == AF_PACKET)
		ret = ioctl4(cmd, arg);
	else if (s->family == AF_INET6)
		ret = ioctl6(cmd, arg);
	return ret == -ENOTTY ? netdev_ioctl(s, cmd, arg) : ret;
}

void inet_ioctl_init(void)
{
	net_device_ioctl = device_ioctl;
}

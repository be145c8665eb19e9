/* Addresses by netlink: `ip address`. source: rtnetlink(7), ip-address(8) */

#include "abi/errno.h"
#include "abi/socket.h"
#include "core/clock.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/rtnl.h"
#include "net/inet/rtnl_priv.h"
#include "net/netif.h"

enum { FOR_EVER = -1 };

static uint32_t centiseconds(nsec_t t)
{
	return (uint32_t)((uint64_t)t / (NSEC_PER_SEC / 100));
}

struct header { /* of the message that is built */
	uint16_t type, flags;
	uint32_t seq, port;
};

/* False: m is full. */
static bool put_addr(struct nlmsgs *m, const struct ifaddr *a, const struct header *h)
{
	struct abi_ifaddrmsg *i = nlmsg_begin(m, h->type, h->flags, h->seq, h->port, sizeof(*i));
	bool v4 = addr_is4(&a->addr), has_peer = !addr_is_any(&a->peer);
	struct abi_ifa_cacheinfo c = { ifaddr_left(a, a->preferred), ifaddr_left(a, a->valid),
				       centiseconds(a->created), centiseconds(a->updated) };

	if (i)
		*i = (struct abi_ifaddrmsg){ .ifa_family = v4 ? AF_INET : AF_INET6,
					     .ifa_prefixlen = a->plen,
					     .ifa_flags = (uint8_t)a->flags,
					     .ifa_scope = a->scope,
					     .ifa_index = (uint32_t)a->dev->index };
	if (v4 || (has_peer && !ipv6_eq(&a->peer, &a->addr))) {
		rtnl_put_addr(m, IFA_ADDRESS, has_peer ? &a->peer : &a->addr);
		rtnl_put_addr(m, IFA_LOCAL, &a->addr);
	} else {
		rtnl_put_addr(m, IFA_ADDRESS, &a->addr);
	}
	if (v4 && !addr_is_any(&a->broadcast))
		rtnl_put_addr(m, IFA_BROADCAST, &a->broadcast);
	if (v4)
		nlattr_put_string(m, IFA_LABEL, a->label);
	if (a->proto)
		nlattr_put_u8(m, IFA_PROTO, a->proto);
	nlattr_put_u32(m, IFA_FLAGS, a->flags);
	if (a->metric)
		nlattr_put_u32(m, IFA_RT_PRIORITY, a->metric);
	nlattr_put(m, IFA_CACHEINFO, &c, sizeof(c));
	return nlmsg_end(m);
}

/*
 * key[0]: how many have been passed; key[1]: the next one in the list, while the list is that of
 * key[2]. When it changed in between, the count says where to go on, and the user is told.
 */
static struct list *go_on(struct nldump *d, struct header *h)
{
	struct list *n = (struct list *)(uintptr_t)d->key[1];
	uint64_t skip = d->key[0];

	if (n && d->key[2] == ifaddrs_generation)
		return n;
	if (n)
		h->flags |= NLM_F_DUMP_INTR;
	for (n = ifaddrs.next; n != &ifaddrs && skip > 0; skip--)
		n = n->next;
	d->key[2] = ifaddrs_generation;
	return n;
}

static int more_addrs(struct nldump *d, struct nlmsgs *m, bool v4)
{
	struct header h = { RTM_NEWADDR, NLM_F_MULTI, d->seq, d->portid };
	bool fits = true;
	struct list *n;

	if (d->filter[0])
		h.flags |= NLM_F_DUMP_FILTERED;
	for (n = go_on(d, &h); n != &ifaddrs; n = n->next, d->key[0]++) {
		const struct ifaddr *a = list_entry(n, struct ifaddr, node);

		if (addr_is4(&a->addr) != v4 ||
		    (d->filter[0] && (uint32_t)a->dev->index != d->filter[0]))
			continue;
		if (!(fits = put_addr(m, a, &h)))
			break;
	}
	d->key[1] = (uintptr_t)n;
	return !fits;
}

static int more_addrs4(struct nldump *d, struct nlmsgs *m)
{
	return more_addrs(d, m, true);
}

static int more_addrs6(struct nldump *d, struct nlmsgs *m)
{
	return more_addrs(d, m, false);
}

static int start_addrs(struct nlrequest *r, struct nldump *d)
{
	const struct abi_ifaddrmsg *i = r->payload;

	if (!d->strict)
		return 0;
	if (r->len < sizeof(*i))
		return rtnl_fail(r, NULL, "Invalid header for address dump request", -EINVAL);
	if (i->ifa_prefixlen || i->ifa_flags || i->ifa_scope)
		return rtnl_fail(r, NULL, "Invalid values in header for address dump request",
				 -EINVAL);
	if (i->ifa_index && !netif_find_index((int)i->ifa_index))
		return -ENODEV;
	d->filter[0] = i->ifa_index;
	return 0;
}

/* --- changing --- */

static int get_lifetimes(struct nlrequest *r, const struct nlattr *c, struct ifaddr *a)
{
	struct abi_ifa_cacheinfo info;

	a->valid = a->preferred = (uint32_t)FOR_EVER;
	if (c->data && c->len >= sizeof(info)) {
		memcpy(&info, c->data, sizeof(info));
		if (!info.ifa_valid || info.ifa_prefered > info.ifa_valid)
			return rtnl_fail(r, c, "address lifetime invalid", -EINVAL);
		a->valid = info.ifa_valid;
		a->preferred = info.ifa_prefered;
	}
	a->flags &= ~(IFA_F_PERMANENT | IFA_F_DEPRECATED);
	if (a->valid == UINT32_MAX)
		a->flags |= IFA_F_PERMANENT;
	if (a->preferred == 0)
		a->flags |= IFA_F_DEPRECATED;
	return 0;
}

static int get_addresses(const struct nlattr *t, bool v4, struct ifaddr *a)
{
	struct ipv6_addr other;
	bool has_address = rtnl_get_addr(&t[IFA_ADDRESS], v4, &other);

	if (!rtnl_get_addr(&t[IFA_LOCAL], v4, &a->addr)) {
		if (v4 || !has_address)
			return -EINVAL;
		a->addr = other;
		has_address = false;
	}
	a->peer = v4 ? a->addr : (struct ipv6_addr){ { 0 } };
	if (has_address && !ipv6_eq(&other, &a->addr))
		a->peer = other;
	a->broadcast = v4 ? addr_from4(0) : (struct ipv6_addr){ { 0 } };
	if (v4 && t[IFA_BROADCAST].data && !rtnl_get_addr(&t[IFA_BROADCAST], v4, &a->broadcast))
		return -EINVAL;
	return 0;
}

/* Which flags a user may set; the others tell what the kernel found. */
static uint32_t flags_of(const struct abi_ifaddrmsg *i, const struct nlattr *t, bool v4)
{
	uint32_t f = nlattr_has_u32(&t[IFA_FLAGS]) ? nlattr_u32(&t[IFA_FLAGS]) : i->ifa_flags;

	return f & (v4 ? IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN
		       : IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR |
				    IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN | IFA_F_OPTIMISTIC);
}

/* What a request describes, into *a; t: its attributes. */
static int read_addr(struct nlrequest *r, bool v4, struct nlattr *t, struct ifaddr *a)
{
	const struct abi_ifaddrmsg *i = r->payload;
	int err = nlattr_parse(r, sizeof(*i), t, IFA_PROTO);

	if (err)
		return err;
	memset(a, 0, sizeof(*a));
	if ((err = get_addresses(t, v4, a)))
		return err;
	if (i->ifa_prefixlen > (v4 ? 32 : 128))
		return -EINVAL;
	if (!(a->dev = netif_find_index((int)i->ifa_index)))
		return -ENODEV;
	a->plen = i->ifa_prefixlen;
	a->scope = v4 ? i->ifa_scope : ifaddr_scope6(&a->addr);
	a->flags = flags_of(i, t, v4);
	if (t[IFA_PROTO].data && t[IFA_PROTO].len)
		a->proto = *(const uint8_t *)t[IFA_PROTO].data;
	if (nlattr_has_u32(&t[IFA_RT_PRIORITY]))
		a->metric = nlattr_u32(&t[IFA_RT_PRIORITY]);
	strscpy(a->label, a->dev->name, sizeof(a->label));
	if (t[IFA_LABEL].data && !nlattr_string(&t[IFA_LABEL], a->label, sizeof(a->label)))
		return -EINVAL;
	return get_lifetimes(r, &t[IFA_CACHEINFO], a);
}

/* It is there: other lifetimes, flags, metric. */
static int change_addr(struct ifaddr *old, const struct ifaddr *a)
{
	uint32_t settable = IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR |
			    IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT | IFA_F_DEPRECATED;

	ifaddr_change(old, (old->flags & ~settable) | (a->flags & settable), a->valid, a->preferred,
		      a->metric);
	return 0;
}

static int new_addr(struct nlrequest *r, bool v4)
{
	struct nlattr t[IFA_PROTO + 1];
	struct ifaddr a, *old;
	int err = read_addr(r, v4, t, &a);

	if (err)
		return err;
	old = ifaddr_find(a.dev, &a.addr, v4 ? a.plen : -1);
	if (old && v4 && !addr_is_any(&a.peer) && !ipv6_eq(&old->peer, &a.peer))
		old = NULL;
	if (old) {
		if (r->flags & NLM_F_EXCL || !(r->flags & NLM_F_REPLACE))
			return -EEXIST;
		return change_addr(old, &a);
	}
	autoconf_prepare(&a);
	return ifaddr_add(&a);
}

static int delete_addr(struct nlrequest *r, bool v4)
{
	const struct abi_ifaddrmsg *i = r->payload;
	struct nlattr t[IFA_PROTO + 1];
	struct ifaddr a = { 0 };
	char label[NETDEV_NAME];
	struct ipv6_addr peer;
	int err = nlattr_parse(r, sizeof(*i), t, IFA_PROTO);

	if (err)
		return err;
	if (!(a.dev = netif_find_index((int)i->ifa_index)))
		return -ENODEV;
	if (!rtnl_get_addr(&t[IFA_LOCAL], v4, &a.addr) &&
	    !rtnl_get_addr(&t[IFA_ADDRESS], v4, &a.addr))
		return v4 ? -EADDRNOTAVAIL : -EINVAL;
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next) {
		struct ifaddr *x = list_entry(n, struct ifaddr, node);

		if (x->dev != a.dev || !ipv6_eq(&x->addr, &a.addr))
			continue;
		if (v4 && nlattr_string(&t[IFA_LABEL], label, sizeof(label)) &&
		    strcmp(label, x->label))
			continue;
		if (v4 ? rtnl_get_addr(&t[IFA_ADDRESS], v4, &peer) &&
				    (x->plen != i->ifa_prefixlen || !ipv6_eq(&x->peer, &peer))
		       : x->plen != i->ifa_prefixlen)
			continue;
		a.plen = x->plen;
		return ifaddr_remove(&a);
	}
	return -EADDRNOTAVAIL;
}

static int new_addr4(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return new_addr(r, true);
}

static int new_addr6(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return new_addr(r, false);
}

static int delete_addr4(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return delete_addr(r, true);
}

static int delete_addr6(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return delete_addr(r, false);
}

void rtnl_report_addr(const struct ifaddr *a, unsigned type)
{
	unsigned group = addr_is4(&a->addr) ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR;
	struct header h = { .type = (uint16_t)type };
	struct nlmsgs *m;

	if (!netlink_has_listeners(NETLINK_ROUTE, group) || !(m = nlmsgs_alloc(NLMSGS_SMALL)))
		return;
	if (put_addr(m, a, &h))
		netlink_report(NETLINK_ROUTE, group, m);
	else
		nlmsgs_free(m);
}

void rtnl_addr_init(void)
{
	static struct rtnl_handler handlers[] = {
		{ .type = RTM_NEWADDR, .family = AF_INET, .doit = new_addr4 },
		{ .type = RTM_NEWADDR, .family = AF_INET6, .doit = new_addr6 },
		{ .type = RTM_DELADDR, .family = AF_INET, .doit = delete_addr4 },
		{ .type = RTM_DELADDR, .family = AF_INET6, .doit = delete_addr6 },
		{ .type = RTM_GETADDR,
		  .family = AF_INET,
		  .more = more_addrs4,
		  .start = start_addrs },
		{ .type = RTM_GETADDR,
		  .family = AF_INET6,
		  .more = more_addrs6,
		  .start = start_addrs },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++)
		rtnl_register(&handlers[i]);
}

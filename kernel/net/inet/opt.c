/*
 * Options of the levels IPPROTO_IP and IPPROTO_IPV6. Most are a word of the socket, or a bit of
 * what recvmsg(2) tells, and stand in one table; the others follow.
 *
 * Source: ip(7), ipv6(7), RFC 3493, RFC 3542.
 */

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/in.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/mcast.h"
#include "net/inet/sock.h"
#include "net/netif.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

enum { TTL = 64, MC_TTL = 1 };

enum kind {
	KIND_BOOL,  /* any value but 0 is true */
	KIND_BIT,   /* 0 or 1 */
	KIND_BYTE,  /* uint8_t in its limits */
	KIND_SHORT, /* int16_t in its limits, or -1: the default */
	KIND_RECV,  /* `low` is the bit of enum inet_recv */
};

static const struct option {
	uint8_t level, kind;
	uint16_t name, at;
	int16_t low, high; /* KIND_SHORT: what -1 means to who asks stands in `fallback` */
	int16_t fallback;
} options[] = {
#define AT(member) offsetof(struct inet_sock, member)
	{ SOL_IP, KIND_SHORT, IP_TTL, AT(ttl), 1, 255, TTL },
	{ SOL_IP, KIND_SHORT, IP_MULTICAST_TTL, AT(mc_ttl), 0, 255, MC_TTL },
	{ SOL_IP, KIND_BOOL, IP_MULTICAST_LOOP, AT(mc_loop), 0, 0, 0 },
	{ SOL_IP, KIND_BIT, IP_MULTICAST_ALL, AT(mc_all), 0, 0, 0 },
	{ SOL_IP, KIND_RECV, IP_PKTINFO, 0, INET_RECV_PKTINFO, 0, 0 },
	{ SOL_IP, KIND_RECV, IP_RECVTTL, 0, INET_RECV_TTL, 0, 0 },
	{ SOL_IP, KIND_RECV, IP_RECVTOS, 0, INET_RECV_TOS, 0, 0 },
	{ SOL_IP, KIND_RECV, IP_ORIGDSTADDR, 0, INET_RECV_ORIGDST, 0, 0 },
	{ SOL_IP, KIND_RECV, IP_RECVERR, 0, INET_RECV_ERR, 0, 0 },
	{ SOL_IP, KIND_BOOL, IP_FREEBIND, AT(freebind), 0, 0, 0 },
	{ SOL_IP, KIND_BOOL, IP_TRANSPARENT, AT(transparent), 0, 0, 0 },
	{ SOL_IP, KIND_BOOL, IP_BIND_ADDRESS_NO_PORT, AT(bind_no_port), 0, 0, 0 },
	{ SOL_IP, KIND_BYTE, IP_MTU_DISCOVER, AT(pmtu_mode), 0, IP_PMTUDISC_OMIT, 0 },
	{ SOL_IP, KIND_BYTE, IP_MINTTL, AT(min_ttl), 0, 255, 0 },
	{ SOL_IPV6, KIND_BOOL, IPV6_V6ONLY, AT(v6only), 0, 0, 0 },
	{ SOL_IPV6, KIND_SHORT, IPV6_UNICAST_HOPS, AT(hops), 0, 255, TTL },
	{ SOL_IPV6, KIND_SHORT, IPV6_MULTICAST_HOPS, AT(mc_hops), 0, 255, MC_TTL },
	{ SOL_IPV6, KIND_BIT, IPV6_MULTICAST_LOOP, AT(mc_loop6), 0, 0, 0 },
	{ SOL_IPV6, KIND_BOOL, IPV6_MULTICAST_ALL, AT(mc_all6), 0, 0, 0 },
	{ SOL_IPV6, KIND_RECV, IPV6_RECVPKTINFO, 0, INET_RECV_PKTINFO6, 0, 0 },
	{ SOL_IPV6, KIND_RECV, IPV6_RECVHOPLIMIT, 0, INET_RECV_HOPLIMIT, 0, 0 },
	{ SOL_IPV6, KIND_RECV, IPV6_2292PKTINFO, 0, INET_RECV_OLD_PKTINFO6, 0, 0 },
	{ SOL_IPV6, KIND_RECV, IPV6_2292HOPLIMIT, 0, INET_RECV_OLD_HOPLIMIT, 0, 0 },
	{ SOL_IPV6, KIND_RECV, IPV6_RECVTCLASS, 0, INET_RECV_TCLASS, 0, 0 },
	{ SOL_IPV6, KIND_RECV, IPV6_ORIGDSTADDR, 0, INET_RECV_ORIGDST6, 0, 0 },
	{ SOL_IPV6, KIND_RECV, IPV6_RECVERR, 0, INET_RECV_ERR6, 0, 0 },
	{ SOL_IPV6, KIND_BOOL, IPV6_FREEBIND, AT(freebind), 0, 0, 0 },
	{ SOL_IPV6, KIND_BOOL, IPV6_TRANSPARENT, AT(transparent), 0, 0, 0 },
	{ SOL_IPV6, KIND_BOOL, IPV6_DONTFRAG, AT(dontfrag6), 0, 0, 0 },
	{ SOL_IPV6, KIND_BYTE, IPV6_MTU_DISCOVER, AT(pmtu_mode6), 0, IP_PMTUDISC_OMIT, 0 },
	{ SOL_IPV6, KIND_BYTE, IPV6_MINHOPCOUNT, AT(min_hops), 0, 255, 0 },
#undef AT
};

static const struct option *find_option(int level, int name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].level == level && options[i].name == name)
			return &options[i];
	return NULL;
}

/* --- for senders --- */

void inet_set_send(const struct inet_sock *i, struct ip_send *s)
{
	bool v4 = addr_is4(&s->dst), group = s->path->type == ROUTE_MULTICAST;
	int ttl = v4 ? (group ? i->mc_ttl : i->ttl) : (group ? i->mc_hops : i->hops);
	uint8_t mode = v4 ? i->pmtu_mode : i->pmtu_mode6;

	s->ttl = (uint8_t)(ttl >= 0 ? ttl : group ? MC_TTL : s->path->hops);
	s->tos = v4 ? i->tos : i->tclass;
	s->dont_fragment = mode >= IP_PMTUDISC_WANT && mode <= IP_PMTUDISC_PROBE;
	s->cut = mode == IP_PMTUDISC_WANT || mode == IP_PMTUDISC_DONT || mode == IP_PMTUDISC_OMIT
			 ? IP_CUT
			 : IP_CUT_NEVER;
	if (!v4 && i->dontfrag6)
		s->cut = IP_CUT_NEVER;
	s->mtu = inet_path_mtu(i, s->path, v4);
	s->no_loop = group && !(v4 ? i->mc_loop : i->mc_loop6);
}

uint32_t inet_path_mtu(const struct inet_sock *i, const struct ip_path *path, bool v4)
{
	uint8_t mode = v4 ? i->pmtu_mode : i->pmtu_mode6;
	uint32_t mtu = mode >= IP_PMTUDISC_PROBE ? path->dev->mtu : path->mtu;

	return !v4 && i->mtu6 ? MIN(mtu, i->mtu6) : mtu;
}

/* --- set --- */

static int set_mc_if(struct inet_sock *i, int ifindex)
{
	struct netdev *d = ifindex ? netdev_lookup_index(ifindex) : NULL;

	if (ifindex && !d)
		return -ENODEV;
	netdev_put(d);
	if (ifindex && i->s.bound_if && i->s.bound_if != ifindex)
		return -EINVAL;
	i->mc_if6 = ifindex;
	return 0;
}

static int set_unicast_if(struct inet_sock *i, int *out, uint32_t be)
{
	int ifindex = (int)__builtin_bswap32(be);
	struct netdev *d = ifindex ? netdev_lookup_index(ifindex) : NULL;

	if (ifindex && !d)
		return -EADDRNOTAVAIL;
	netdev_put(d);
	if (ifindex && i->s.bound_if && i->s.bound_if != ifindex)
		return -EINVAL;
	*out = ifindex;
	return 0;
}

static int set_recv(struct inet_sock *i, uint32_t bit, bool on)
{
	i->recv = on ? i->recv | bit : i->recv & ~bit;
	if (!on && bit & (INET_RECV_ERR | INET_RECV_ERR6))
		inet_errq_purge(&i->errq);
	return 0;
}

static int set_by_table(struct inet_sock *i, const struct option *o, int v)
{
	uint8_t *at = (uint8_t *)i + o->at;

	switch (o->kind) {
	case KIND_RECV:
		return set_recv(i, (uint32_t)o->low, v);
	case KIND_BIT:
		if (v != 0 && v != 1)
			return -EINVAL;
		FALLTHROUGH;
	case KIND_BOOL:
		*(bool *)at = v;
		return 0;
	case KIND_BYTE:
		if (v < o->low || v > o->high)
			return -EINVAL;
		*at = (uint8_t)v;
		return 0;
	}
	if (v != -1 && (v < o->low || v > o->high))
		return -EINVAL;
	*(int16_t *)(uintptr_t)at = (int16_t)v;
	return 0;
}

static int set_ip(struct inet_sock *i, int name, int v)
{
	switch (name) {
	case IP_TOS:
		i->tos = (uint8_t)(i->s.type == SOCK_STREAM ? (v & ~3) | (i->tos & 3) : v);
		return 0;
	case IP_UNICAST_IF:
		return set_unicast_if(i, &i->unicast_if, (uint32_t)v);
	}
	return -ENOPROTOOPT;
}

static int set_ipv6(struct inet_sock *i, int name, int v)
{
	switch (name) {
	case IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		i->tclass = v == -1 ? 0 : (uint8_t)v;
		return 0;
	case IPV6_MULTICAST_IF:
		return i->s.type == SOCK_STREAM ? -ENOPROTOOPT : set_mc_if(i, v);
	case IPV6_UNICAST_IF:
		return set_unicast_if(i, &i->unicast_if6, (uint32_t)v);
	case IPV6_MTU:
		if (v && v < IPV6_MIN_MTU)
			return -EINVAL;
		i->mtu6 = (uint32_t)v;
		return 0;
	}
	return -ENOPROTOOPT;
}

static int check(const struct inet_sock *i, int level, int name, int v)
{
	if (level == SOL_IPV6 && name == IPV6_V6ONLY && i->lport)
		return -EINVAL;
	if (v &&
	    ((level == SOL_IP && name == IP_TRANSPARENT) ||
	     (level == SOL_IPV6 && name == IPV6_TRANSPARENT)) &&
	    !capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
		return -EPERM;
	return 0;
}

/* ip(7): many options take a char as well. */
static int get_value(int level, uaddr_t val, uint32_t len, int *v)
{
	uint32_t word = 0;
	uint8_t byte;

	if (len >= sizeof(word)) {
		if (get_user_u32(&word, val))
			return -EFAULT;
	} else if (level == SOL_IPV6) {
		return -EINVAL;
	} else if (len) {
		if (copy_from_user(&byte, val, 1))
			return -EFAULT;
		word = byte;
	}
	*v = (int)word;
	return 0;
}

int inet_setsockopt(struct inet_sock *i, int level, int name, uaddr_t val, uint32_t len)
{
	const struct option *o;
	int v, err;

	if (level != SOL_IP && (level != SOL_IPV6 || i->s.family != AF_INET6))
		return -ENOPROTOOPT;
	if ((err = inet_mcast_setsockopt(i, level, name, val, len)) != -ENOPROTOOPT)
		return err;
	if ((err = get_value(level, val, len, &v)) || (err = check(i, level, name, v)))
		return err;
	if ((o = find_option(level, name)))
		return set_by_table(i, o, v);
	return level == SOL_IP ? set_ip(i, name, v) : set_ipv6(i, name, v);
}

/* --- get --- */

static int get_mtu(const struct inet_sock *i, bool v4, int *v)
{
	struct ip_path path;

	if (!i->rport || addr_is4(&i->remote) != v4)
		return -ENOTCONN;
	if (ip_route(&i->remote, &i->local, i->s.bound_if, &path))
		return -ENOTCONN;
	*v = (int)inet_path_mtu(i, &path, v4);
	return 0;
}

static int get_ip(const struct inet_sock *i, int name, int *v)
{
	switch (name) {
	case IP_TOS:
		*v = i->tos;
		return 0;
	case IP_MTU:
		return get_mtu(i, true, v);
	case IP_UNICAST_IF:
		*v = (int)__builtin_bswap32((uint32_t)i->unicast_if);
		return 0;
	case IP_MULTICAST_IF:
		*v = (int)__builtin_bswap32(addr_to4(&i->mc_source));
		return 0;
	}
	return -ENOPROTOOPT;
}

static int get_ipv6(const struct inet_sock *i, int name, int *v)
{
	switch (name) {
	case IPV6_TCLASS:
		*v = i->tclass;
		return 0;
	case IPV6_MTU:
		return get_mtu(i, false, v);
	case IPV6_UNICAST_IF:
		*v = (int)__builtin_bswap32((uint32_t)i->unicast_if6);
		return 0;
	case IPV6_MULTICAST_IF:
		*v = i->mc_if6;
		return 0;
	}
	return -ENOPROTOOPT;
}

static int get_by_table(const struct inet_sock *i, const struct option *o)
{
	const uint8_t *at = (const uint8_t *)i + o->at;
	int v;

	switch (o->kind) {
	case KIND_RECV:
		return !!(i->recv & (uint32_t)o->low);
	case KIND_BIT:
	case KIND_BOOL:
		return *(const bool *)at;
	case KIND_BYTE:
		return *at;
	}
	v = *(const int16_t *)(uintptr_t)at;
	return v == -1 ? o->fallback : v;
}

int inet_getsockopt(struct inet_sock *i, int level, int name, void *val, uint32_t *len)
{
	const struct option *o;
	int v = 0, err = 0;

	if (level != SOL_IP && (level != SOL_IPV6 || i->s.family != AF_INET6))
		return -ENOPROTOOPT;
	if ((o = find_option(level, name)))
		v = get_by_table(i, o);
	else
		err = level == SOL_IP ? get_ip(i, name, &v) : get_ipv6(i, name, &v);
	if (err)
		return err;
	if (level == SOL_IP && *len > 0 && *len < sizeof(v) && v >= 0 && v <= 255)
		*len = 1; /* who has room for a char gets one */
	else
		*len = MIN(*len, (uint32_t)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

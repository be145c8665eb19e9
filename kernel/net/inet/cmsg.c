/*
 * Control messages of Internet sockets, both ways: what a received packet's header said, and how
 * one packet is to be sent otherwise than the socket's options say.
 *
 * Source: ip(7), ipv6(7), RFC 3542 6, cmsg(3).
 */

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/in.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/sock.h"
#include "net/netif.h"
#include "vfs/cred.h"

/* --- out to the receiver --- */

/* Our own address on the way that the packet came: for one to a group or to all, the device's. */
static uint32_t local_of(const struct ip_info *info, int ifindex)
{
	struct ip_path path;

	if (info->to == ROUTE_LOCAL)
		return addr_to4(&info->dst);
	if (ip_route(&info->src, NULL, ifindex, &path))
		return 0;
	return addr_to4(&path.source);
}

static void put4(struct inet_sock *i, const struct ip_info *info, int ifindex, uint16_t port,
		 struct sockmsg *m)
{
	struct abi_in_pktinfo pi = { .ipi_ifindex = ifindex };
	struct abi_sockaddr_in dst = { .sin_family = AF_INET };
	int ttl = info->ttl;

	if (i->recv & INET_RECV_PKTINFO) {
		pi.ipi_addr = __builtin_bswap32(addr_to4(&info->dst));
		pi.ipi_spec_dst = __builtin_bswap32(local_of(info, ifindex));
		sockmsg_put_control(m, SOL_IP, IP_PKTINFO, &pi, sizeof(pi));
	}
	if (i->recv & INET_RECV_TTL)
		sockmsg_put_control(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	if (i->recv & INET_RECV_TOS)
		sockmsg_put_control(m, SOL_IP, IP_TOS, &info->tos, 1);
	if (i->recv & INET_RECV_ORIGDST) {
		dst.sin_port = __builtin_bswap16(port);
		dst.sin_addr = __builtin_bswap32(addr_to4(&info->dst));
		sockmsg_put_control(m, SOL_IP, IP_ORIGDSTADDR, &dst, sizeof(dst));
	}
}

static void put6(struct inet_sock *i, const struct ip_info *info, int ifindex, uint16_t port,
		 struct sockmsg *m)
{
	struct abi_in6_pktinfo pi = { .ipi6_ifindex = (uint32_t)ifindex };
	struct abi_sockaddr_in6 dst = { .sin6_family = AF_INET6 };
	bool v4 = addr_is4(&info->dst);
	int hops = info->ttl, tclass = info->tos;

	if (i->recv & (INET_RECV_PKTINFO6 | INET_RECV_OLD_PKTINFO6))
		memcpy(pi.ipi6_addr, info->dst.b, sizeof(pi.ipi6_addr));
	if (i->recv & INET_RECV_PKTINFO6)
		sockmsg_put_control(m, SOL_IPV6, IPV6_PKTINFO, &pi, sizeof(pi));
	if (i->recv & INET_RECV_OLD_PKTINFO6)
		sockmsg_put_control(m, SOL_IPV6, IPV6_2292PKTINFO, &pi, sizeof(pi));
	if (v4) /* the rest of what is told of it is IPv4's */
		return;
	if (i->recv & INET_RECV_HOPLIMIT)
		sockmsg_put_control(m, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (i->recv & INET_RECV_OLD_HOPLIMIT)
		sockmsg_put_control(m, SOL_IPV6, IPV6_2292HOPLIMIT, &hops, sizeof(hops));
	if (i->recv & INET_RECV_TCLASS)
		sockmsg_put_control(m, SOL_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass));
	if (i->recv & INET_RECV_ORIGDST6) {
		memcpy(dst.sin6_addr, info->dst.b, sizeof(dst.sin6_addr));
		dst.sin6_port = __builtin_bswap16(port);
		sockmsg_put_control(m, SOL_IPV6, IPV6_ORIGDSTADDR, &dst, sizeof(dst));
	}
}

void inet_put_ancillary(struct inet_sock *i, const struct ip_info *info, int ifindex, uint16_t port,
			struct sockmsg *m)
{
	if (LIKELY(!i->recv))
		return;
	if (i->s.family == AF_INET6)
		put6(i, info, ifindex, port, m);
	if (addr_is4(&info->dst))
		put4(i, info, ifindex, port, m);
}

/* --- in from the sender --- */

enum {
	TIMESTAMPING_TX = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE |
			  SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK
};

static int get_int(const struct abi_cmsghdr *h, int low, int high, int *v)
{
	if (h->cmsg_len != sizeof(*h) + sizeof(*v))
		return -EINVAL;
	memcpy(v, h + 1, sizeof(*v));
	return *v < low || *v > high ? -EINVAL : 0;
}

static int get_short(const struct abi_cmsghdr *h, int low, int high, int16_t *out)
{
	int v, err = get_int(h, low, high, &v);

	if (!err)
		*out = (int16_t)v;
	return err;
}

static int get_pktinfo6(const struct abi_cmsghdr *h, bool v4, struct inet_control *c)
{
	struct abi_in6_pktinfo pi;

	if (h->cmsg_len < sizeof(*h) + sizeof(pi))
		return -EINVAL;
	memcpy(&pi, h + 1, sizeof(pi));
	memcpy(c->source.b, pi.ipi6_addr, sizeof(c->source.b));
	if (pi.ipi6_ifindex) {
		if (!v4 && c->oif && c->oif != (int)pi.ipi6_ifindex)
			return -EINVAL;
		c->oif = (int)pi.ipi6_ifindex;
	}
	return addr_is4(&c->source) == v4 || ipv6_is_unspecified(&c->source) ? 0 : -EINVAL;
}

static int get_ip(const struct abi_cmsghdr *h, struct inet_control *c)
{
	struct abi_in_pktinfo pi;

	switch (h->cmsg_type) {
	case IP_PKTINFO:
		if (h->cmsg_len != sizeof(*h) + sizeof(pi))
			return -EINVAL;
		memcpy(&pi, h + 1, sizeof(pi));
		if (pi.ipi_ifindex)
			c->oif = pi.ipi_ifindex;
		if (pi.ipi_spec_dst)
			c->source = addr_from4(__builtin_bswap32(pi.ipi_spec_dst));
		return 0;
	case IP_TTL:
		return get_short(h, 1, 255, &c->ttl);
	case IP_TOS:
		if (h->cmsg_len == sizeof(*h) + 1) {
			c->tos = *(const uint8_t *)(h + 1);
			return 0;
		}
		return get_short(h, 0, 255, &c->tos);
	}
	return -EINVAL;
}

static int get_ipv6(const struct abi_cmsghdr *h, struct inet_control *c)
{
	int v, err;

	switch (h->cmsg_type) {
	case IPV6_PKTINFO:
		return get_pktinfo6(h, false, c);
	case IPV6_HOPLIMIT:
		return get_short(h, -1, 255, &c->ttl);
	case IPV6_TCLASS:
		return get_short(h, -1, 255, &c->tos);
	case IPV6_DONTFRAG:
		if (!(err = get_int(h, 0, 1, &v)))
			c->dontfrag = (int8_t)v;
		return err;
	}
	return -EINVAL;
}

/* What is to be stamped, of this message; how it is told stays the socket's. */
static int get_timestamping(const struct abi_cmsghdr *h, struct inet_control *c)
{
	uint32_t v;

	if (h->cmsg_len != sizeof(*h) + sizeof(v))
		return -EINVAL;
	memcpy(&v, h + 1, sizeof(v));
	if (v & ~(uint32_t)TIMESTAMPING_TX)
		return -EINVAL;
	c->ts_flags = (c->ts_flags & ~(uint32_t)TIMESTAMPING_TX) | v;
	return 0;
}

static int get_socket(const struct inet_sock *i, const struct abi_cmsghdr *h,
		      struct inet_control *c)
{
	switch (h->cmsg_type) {
	case SO_TIMESTAMPING:
	case SO_TIMESTAMPING_NEW:
		return get_timestamping(h, c);
	case SO_TXTIME: /* sent at once: no queue keeps packets until their time */
		return socket_has(&i->s, SOB_TXTIME) && h->cmsg_len == sizeof(*h) + 8 ? 0 : -EINVAL;
	case SO_MARK:
		if (h->cmsg_len != sizeof(*h) + sizeof(c->mark))
			return -EINVAL;
		if (!capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
			return -EPERM;
		memcpy(&c->mark, h + 1, sizeof(c->mark));
		return 0;
	case SCM_RIGHTS: /* of unix sockets: passed over */
	case SCM_CREDENTIALS:
		return 0;
	}
	return -EINVAL;
}

static int get_one(const struct inet_sock *i, const struct abi_cmsghdr *h, bool v4,
		   struct inet_control *c)
{
	switch (h->cmsg_level) {
	case SOL_SOCKET:
		return get_socket(i, h, c);
	case SOL_UDP:
		if (i->s.protocol != IPPROTO_UDP && i->s.protocol != IPPROTO_UDPLITE)
			return 0;
		if (h->cmsg_type != UDP_SEGMENT || h->cmsg_len != sizeof(*h) + sizeof(c->gso))
			return -EINVAL;
		memcpy(&c->gso, h + 1, sizeof(c->gso));
		return 0;
	case SOL_IP:
		return v4 ? get_ip(h, c) : 0;
	case SOL_IPV6:
		if (v4)
			return i->s.family == AF_INET6 && h->cmsg_type == IPV6_PKTINFO
				       ? get_pktinfo6(h, true, c)
				       : 0;
		return get_ipv6(h, c);
	}
	return 0;
}

int inet_get_control(const struct inet_sock *i, const struct sockmsg *m, bool v4,
		     struct inet_control *c)
{
	const uint8_t *at = m->control;
	uint64_t left = m->control_len;
	const struct abi_cmsghdr *h;
	int err;

	while (left >= sizeof(*h)) {
		h = (const struct abi_cmsghdr *)(uintptr_t)at;
		if (h->cmsg_len < sizeof(*h) || h->cmsg_len > left)
			return -EINVAL;
		if ((err = get_one(i, h, v4, c)))
			return err;
		if (ALIGN_UP(h->cmsg_len, 8) >= left)
			break;
		at += ALIGN_UP(h->cmsg_len, 8);
		left -= ALIGN_UP(h->cmsg_len, 8);
	}
	return 0;
}

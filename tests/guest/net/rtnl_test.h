#pragma once

/* Requests of NETLINK_ROUTE, one function each: 0 or -errno. */

#include "net_test.h"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

struct nl_request {
	struct nlmsghdr h;
	char body[1024];
};

struct nl_route {
	int event, type, scope, protocol, table, plen;
	uint32_t dst, gateway, source, metric;
	int oif;
};

static inline int nl_open(unsigned groups)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = groups };
	struct timeval tv = { .tv_sec = 5 };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	CHECK_OK(fd);
	CHECK_OK(bind(fd, (void *)&a, sizeof(a)));
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	return fd;
}

static inline void *nl_begin(struct nl_request *r, int type, int flags, size_t header)
{
	memset(r, 0, sizeof(*r));
	r->h.nlmsg_type = (uint16_t)type;
	r->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	r->h.nlmsg_len = (uint32_t)NLMSG_SPACE(header);
	r->h.nlmsg_seq = 77;
	return NLMSG_DATA(&r->h);
}

static inline void nl_put(struct nl_request *r, int type, const void *data, size_t n)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = (uint16_t)type;
	a->rta_len = (uint16_t)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), data, n);
	r->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_SPACE(n));
}

static inline void nl_put_u32(struct nl_request *r, int type, uint32_t v)
{
	nl_put(r, type, &v, 4);
}

static inline void nl_put_ip(struct nl_request *r, int type, const char *ip)
{
	uint32_t a = inet_addr(ip);

	nl_put(r, type, &a, 4);
}

/* Sends with an acknowledgement asked for. */
static inline int nl_do(int fd, struct nl_request *r)
{
	char buf[8192];
	struct nlmsghdr *h = (void *)buf;

	r->h.nlmsg_flags |= NLM_F_ACK;
	CHECK_EQ(send(fd, r, r->h.nlmsg_len, 0), r->h.nlmsg_len);
	CHECK(recv(fd, buf, sizeof(buf), 0) >= (ssize_t)NLMSG_LENGTH(4));
	CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(h->nlmsg_seq, 77);
	return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static inline void nl_read_route(const struct nlmsghdr *h, struct nl_route *out)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	int n = (int)RTM_PAYLOAD(h);

	*out = (struct nl_route){ .event = h->nlmsg_type, .type = m->rtm_type, .scope = m->rtm_scope,
				  .protocol = m->rtm_protocol, .table = m->rtm_table, .plen = m->rtm_dst_len };
	for (struct rtattr *a = RTM_RTA(m); RTA_OK(a, n); a = RTA_NEXT(a, n)) {
		uint32_t v = 0;

		memcpy(&v, RTA_DATA(a), RTA_PAYLOAD(a) < 4 ? RTA_PAYLOAD(a) : 4);
		if (a->rta_type == RTA_DST)
			out->dst = v;
		else if (a->rta_type == RTA_GATEWAY)
			out->gateway = v;
		else if (a->rta_type == RTA_PREFSRC)
			out->source = v;
		else if (a->rta_type == RTA_PRIORITY)
			out->metric = v;
		else if (a->rta_type == RTA_OIF)
			out->oif = (int)v;
		else if (a->rta_type == RTA_TABLE)
			out->table = (int)v;
	}
}

/* One report; its type. Routes are read. */
static inline int nl_event(int fd, struct nl_route *r)
{
	char buf[8192];
	struct nlmsghdr *h = (void *)buf;

	CHECK(recv(fd, buf, sizeof(buf), 0) > 0);
	if (h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE)
		nl_read_route(h, r);
	r->event = h->nlmsg_type;
	return h->nlmsg_type;
}

static inline void nl_set_flags(int fd, int index, unsigned flags, unsigned mask)
{
	struct nl_request r;
	struct ifinfomsg *m = nl_begin(&r, RTM_NEWLINK, 0, sizeof(*m));

	m->ifi_index = index;
	m->ifi_flags = flags;
	m->ifi_change = mask;
	CHECK_EQ(nl_do(fd, &r), 0);
}

static inline void nl_link_up(int fd, int index)
{
	nl_set_flags(fd, index, IFF_UP, IFF_UP);
}

/* RTM_NEWLINK or RTM_DELLINK of a link of a kind. 0 or -errno. */
static inline int nl_link(int fd, int type, int flags, const char *name, const char *kind)
{
	struct nl_request r;
	struct rtattr *info;

	(void)nl_begin(&r, type, flags, sizeof(struct ifinfomsg));
	nl_put(&r, IFLA_IFNAME, name, strlen(name) + 1);
	if (kind) {
		info = (void *)((char *)&r + NLMSG_ALIGN(r.h.nlmsg_len));
		nl_put(&r, IFLA_LINKINFO, NULL, 0);
		nl_put(&r, IFLA_INFO_KIND, kind, strlen(kind));
		info->rta_len = (uint16_t)((char *)&r + r.h.nlmsg_len - (char *)info);
	}
	return nl_do(fd, &r);
}

/* Makes a dummy link and sets it up; its index. 0: this kernel has no such links (on Linux, a module). */
static inline int nl_dummy(int fd, const char *name)
{
	int err = nl_link(fd, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name, "dummy"), index;

	if (err == -EOPNOTSUPP)
		return 0;
	CHECK_EQ(err, 0);
	CHECK((index = (int)if_nametoindex(name)) > 0);
	nl_link_up(fd, index);
	return index;
}

static inline int nl_addr(int fd, int type, int flags, int family, int index, const char *ip, int plen)
{
	struct nl_request r;
	struct ifaddrmsg *m = nl_begin(&r, type, flags, sizeof(*m));

	m->ifa_family = (uint8_t)family;
	m->ifa_prefixlen = (uint8_t)plen;
	m->ifa_index = (uint32_t)index;
	nl_put_ip(&r, IFA_LOCAL, ip);
	nl_put_ip(&r, IFA_ADDRESS, ip);
	return nl_do(fd, &r);
}

static inline int nl_route(int fd, int type, int flags, const char *dst, int plen, int kind, int table, uint32_t metric,
			   int oif)
{
	struct nl_request r;
	struct rtmsg *m = nl_begin(&r, type, flags, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = (uint8_t)plen;
	m->rtm_type = (uint8_t)kind;
	m->rtm_protocol = type == RTM_NEWROUTE ? RTPROT_STATIC : 0;
	m->rtm_scope = type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : oif ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	nl_put_ip(&r, RTA_DST, dst);
	nl_put_u32(&r, RTA_TABLE, (uint32_t)table);
	if (metric)
		nl_put_u32(&r, RTA_PRIORITY, metric);
	if (oif)
		nl_put_u32(&r, RTA_OIF, (uint32_t)oif);
	return nl_do(fd, &r);
}

static inline int nl_rule(int fd, int type, int flags, uint32_t priority, uint32_t table, const char *to, int plen)
{
	struct nl_request r;
	struct fib_rule_hdr *m = nl_begin(&r, type, flags, sizeof(*m));

	m->family = AF_INET;
	m->dst_len = (uint8_t)plen;
	m->action = FR_ACT_TO_TBL;
	nl_put_ip(&r, FRA_DST, to);
	nl_put_u32(&r, FRA_PRIORITY, priority);
	nl_put_u32(&r, FRA_TABLE, table);
	return nl_do(fd, &r);
}

static inline int nl_neigh(int fd, int type, int flags, int index, const char *ip, int mac, int state)
{
	unsigned char ll[6] = { 2, 0, 0, 0, 0, (unsigned char)mac };
	struct nl_request r;
	struct ndmsg *m = nl_begin(&r, type, flags, sizeof(*m));

	m->ndm_family = AF_INET;
	m->ndm_ifindex = index;
	m->ndm_state = (uint16_t)state;
	nl_put_ip(&r, NDA_DST, ip);
	if (mac)
		nl_put(&r, NDA_LLADDR, ll, 6);
	return nl_do(fd, &r);
}

/* Which way to ip: 0 with *out, or -errno. */
static inline int nl_get(int fd, const char *ip, struct nl_route *out)
{
	char buf[8192];
	struct nlmsghdr *h = (void *)buf;
	struct nl_request r;
	struct rtmsg *m = nl_begin(&r, RTM_GETROUTE, 0, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = 32;
	nl_put_ip(&r, RTA_DST, ip);
	CHECK_EQ(send(fd, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	CHECK(recv(fd, buf, sizeof(buf), 0) > 0);
	if (h->nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
	nl_read_route(h, out);
	return 0;
}

/* Goes through a dump that is asked for with so large a header. fn: true ends it. Whether fn said so. */
static inline bool nl_dump_by(int fd, int type, int family, size_t header,
			      bool (*fn)(const struct nlmsghdr *h, void *arg), void *arg)
{
	struct nl_request r;
	bool found = false;
	char buf[32768];
	ssize_t n;

	((struct rtgenmsg *)nl_begin(&r, type, NLM_F_DUMP, header))->rtgen_family = (uint8_t)family;
	CHECK_EQ(send(fd, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	for (;;) {
		struct nlmsghdr *h = (void *)buf;

		CHECK((n = recv(fd, buf, sizeof(buf), 0)) > 0);
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			CHECK(h->nlmsg_type != NLMSG_ERROR);
			if (h->nlmsg_type == NLMSG_DONE)
				return found;
			CHECK(h->nlmsg_flags & NLM_F_MULTI);
			found = found || fn(h, arg);
		}
	}
}

static inline bool nl_dump(int fd, int type, int family, bool (*fn)(const struct nlmsghdr *h, void *arg), void *arg)
{
	return nl_dump_by(fd, type, family, sizeof(struct rtmsg), fn, arg);
}

struct nl_wanted {
	uint32_t addr;
	int table, plen;
	struct nl_route *route;
	unsigned flags;
};

static inline bool nl_is_route(const struct nlmsghdr *h, void *arg)
{
	struct nl_wanted *w = arg;

	nl_read_route(h, w->route);
	return w->route->dst == w->addr && w->route->table == w->table && w->route->plen == w->plen;
}

static inline bool nl_find_route(int fd, int table, const char *dst, int plen, struct nl_route *out)
{
	struct nl_wanted w = { inet_addr(dst), table, plen, out, 0 };

	return nl_dump(fd, RTM_GETROUTE, AF_INET, nl_is_route, &w); /* nothing is read behind it */
}

static inline bool nl_is_addr(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct nl_wanted *w = arg;
	int n = (int)IFA_PAYLOAD(h);
	uint32_t addr = 0, flags = m->ifa_flags;

	for (struct rtattr *a = IFA_RTA(m); RTA_OK(a, n); a = RTA_NEXT(a, n)) {
		if (a->rta_type == IFA_LOCAL)
			memcpy(&addr, RTA_DATA(a), 4);
		if (a->rta_type == IFA_FLAGS)
			memcpy(&flags, RTA_DATA(a), 4);
	}
	w->flags = flags;
	return addr == w->addr;
}

static inline bool nl_find_addr(int fd, int family, const char *ip, unsigned *flags)
{
	struct nl_wanted w = { .addr = inet_addr(ip) };
	bool found = nl_dump(fd, RTM_GETADDR, family, nl_is_addr, &w);

	*flags = w.flags;
	return found;
}

/* The index of a network card; 0: there is none. */
static inline int nl_first_ethernet(void)
{
	return (int)if_nametoindex("eth0");
}

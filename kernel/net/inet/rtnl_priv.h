#pragma once

/* Between the files of rtnetlink that are about the Internet protocols. */

#include "abi/rtnetlink.h"
#include "net/inet/fib.h"
#include "net/netlink/rtnetlink.h"

void rtnl_addr_init(void);
void rtnl_route_init(void);
void rtnl_rule_init(void);
void rtnl_neigh_init(void);
void rtnl_conf_init(void);

/* An address as messages have it: 4 or 16 bytes. */
static inline void rtnl_put_addr(struct nlmsgs *m, uint16_t type, const struct ipv6_addr *a)
{
	bool v4 = addr_is4(a);

	nlattr_put(m, type, v4 ? a->b + 12 : a->b, v4 ? 4 : 16);
}
/* The same of a table's key. */
static inline void rtnl_put_key(struct nlmsgs *m, uint16_t type, bool v4, const struct ipv6_addr *k)
{
	nlattr_put(m, type, k->b, v4 ? 4 : 16);
}
/* false: it has another length. */
MUST_CHECK static inline bool rtnl_get_addr(const struct nlattr *a, bool v4, struct ipv6_addr *out)
{
	if (!a->data || a->len < (v4 ? 4u : 16u))
		return false;
	if (v4)
		*out = addr_from4(be32_get(a->data));
	else
		__builtin_memcpy(out->b, a->data, 16);
	return true;
}
MUST_CHECK static inline bool rtnl_get_key(const struct nlattr *a, bool v4, struct ipv6_addr *out)
{
	*out = (struct ipv6_addr){ { 0 } };
	if (!a->data || a->len < (v4 ? 4u : 16u))
		return false;
	__builtin_memcpy(out->b, a->data, v4 ? 4 : 16);
	return true;
}
/* Whether no bit is set behind the first plen. */
static inline bool rtnl_key_is_clean(const struct ipv6_addr *k, unsigned plen)
{
	for (unsigned i = plen; i < 128; i++)
		if (k->b[i / 8] >> (7 - i % 8) & 1)
			return false;
	return true;
}
static inline int rtnl_fail(struct nlrequest *r, const struct nlattr *bad, const char *why, int err)
{
	r->why = why;
	r->bad = bad;
	return err;
}

/* Policy rules by netlink: `ip rule`. source: ip-rule(8) */

#include "abi/errno.h"
#include "abi/socket.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/rtnl.h"
#include "net/inet/rtnl_priv.h"
#include "net/netif.h"

struct header { /* of the message that is built */
	uint16_t type, flags;
	uint32_t seq, port;
};

static void put_selectors(struct nlmsgs *m, const struct fib_rule *r, bool v4)
{
	if (r->dst_len)
		rtnl_put_key(m, FRA_DST, v4, &r->dst);
	if (r->src_len)
		rtnl_put_key(m, FRA_SRC, v4, &r->src);
	if (r->iif[0])
		nlattr_put_string(m, FRA_IIFNAME, r->iif);
	if (r->oif[0])
		nlattr_put_string(m, FRA_OIFNAME, r->oif);
	if (r->mark || r->mask) {
		nlattr_put_u32(m, FRA_FWMARK, r->mark);
		nlattr_put_u32(m, FRA_FWMASK, r->mask);
	}
	if (r->uids.start || r->uids.end != UINT32_MAX)
		nlattr_put(m, FRA_UID_RANGE, &r->uids, sizeof(r->uids));
	if (r->ip_proto)
		nlattr_put_u8(m, FRA_IP_PROTO, r->ip_proto);
	if (r->sports.start)
		nlattr_put(m, FRA_SPORT_RANGE, &r->sports, sizeof(r->sports));
	if (r->dports.start)
		nlattr_put(m, FRA_DPORT_RANGE, &r->dports, sizeof(r->dports));
}

static bool is_there(const char *name)
{
	struct netdev *d = netdev_lookup_name(name);

	netdev_put(d);
	return d != NULL;
}

static uint32_t shown_flags(const struct fib_rule *r)
{
	uint32_t f = r->flags;

	if (r->iif[0] && !is_there(r->iif))
		f |= FIB_RULE_IIF_DETACHED;
	if (r->oif[0] && !is_there(r->oif))
		f |= FIB_RULE_OIF_DETACHED;
	return f;
}

static bool put_rule(struct nlmsgs *m, bool v4, const struct fib_rule *r, const struct header *h)
{
	struct abi_fib_rule_hdr *i = nlmsg_begin(m, h->type, h->flags, h->seq, h->port, sizeof(*i));

	if (i)
		*i = (struct abi_fib_rule_hdr){
			.family = v4 ? AF_INET : AF_INET6,
			.dst_len = r->dst_len,
			.src_len = r->src_len,
			.tos = r->tos,
			.table = (uint8_t)(r->table < 256 ? r->table : RT_TABLE_COMPAT),
			.action = r->action,
			.flags = shown_flags(r),
		};
	nlattr_put_u32(m, FRA_TABLE, r->table);
	nlattr_put_u32(m, FRA_SUPPRESS_PREFIXLEN, (uint32_t)r->suppress_plen);
	nlattr_put_u8(m, FRA_PROTOCOL, r->protocol);
	if (r->priority)
		nlattr_put_u32(m, FRA_PRIORITY, r->priority);
	if (r->action == FR_ACT_GOTO)
		nlattr_put_u32(m, FRA_GOTO, r->target);
	put_selectors(m, r, v4);
	return nlmsg_end(m);
}

/* key[0]: how many have been passed. */
static int more_rules(struct nldump *d, struct nlmsgs *m, bool v4)
{
	struct header h = { RTM_NEWRULE, NLM_F_MULTI, d->seq, d->portid };
	uint64_t at = 0;

	for (const struct fib_rule *r = rules_first(v4); r; r = r->next, at++) {
		if (at >= d->key[0] && !put_rule(m, v4, r, &h)) {
			d->key[0] = at;
			return 1;
		}
	}
	d->key[0] = at;
	return 0;
}

static int more_rules4(struct nldump *d, struct nlmsgs *m)
{
	return more_rules(d, m, true);
}

static int more_rules6(struct nldump *d, struct nlmsgs *m)
{
	return more_rules(d, m, false);
}

static int read_prefix(const struct nlattr *a, bool v4, uint8_t plen, struct ipv6_addr *out)
{
	if (!plen)
		return 0;
	if (plen > (v4 ? 32 : 128) || !rtnl_get_key(a, v4, out))
		return -EINVAL;
	return 0;
}

static int read_ports(const struct nlattr *a, struct abi_fib_rule_port_range *out)
{
	if (!a->data)
		return 0;
	if (a->len < sizeof(*out))
		return -EINVAL;
	memcpy(out, a->data, sizeof(*out));
	return out->start && out->start <= out->end && out->end < 0xffff ? 0 : -EINVAL;
}

static int read_selectors(const struct nlattr *t, bool v4, struct fib_rule *o)
{
	int err;

	if ((err = read_prefix(&t[FRA_SRC], v4, o->src_len, &o->src)) ||
	    (err = read_prefix(&t[FRA_DST], v4, o->dst_len, &o->dst)) ||
	    (err = read_ports(&t[FRA_SPORT_RANGE], &o->sports)) ||
	    (err = read_ports(&t[FRA_DPORT_RANGE], &o->dports)))
		return err;
	if (t[FRA_IIFNAME].data && !nlattr_string(&t[FRA_IIFNAME], o->iif, sizeof(o->iif)))
		return -EINVAL;
	if (t[FRA_OIFNAME].data && !nlattr_string(&t[FRA_OIFNAME], o->oif, sizeof(o->oif)))
		return -EINVAL;
	if (nlattr_has_u32(&t[FRA_FWMARK])) {
		o->mark = nlattr_u32(&t[FRA_FWMARK]);
		o->mask = o->mark ? UINT32_MAX : 0;
	}
	if (nlattr_has_u32(&t[FRA_FWMASK]))
		o->mask = nlattr_u32(&t[FRA_FWMASK]);
	if (t[FRA_UID_RANGE].data) {
		if (t[FRA_UID_RANGE].len < sizeof(o->uids))
			return -EINVAL;
		memcpy(&o->uids, t[FRA_UID_RANGE].data, sizeof(o->uids));
		if (o->uids.start > o->uids.end)
			return -EINVAL;
	}
	if (t[FRA_IP_PROTO].data && t[FRA_IP_PROTO].len)
		o->ip_proto = *(const uint8_t *)t[FRA_IP_PROTO].data;
	return 0;
}

static int read_rule(struct nlrequest *r, bool v4, struct fib_rule *o)
{
	const struct abi_fib_rule_hdr *i = r->payload;
	struct nlattr t[FRA_DPORT_RANGE + 1];
	int err = nlattr_parse(r, sizeof(*i), t, FRA_DPORT_RANGE);

	if (err)
		return err;
	*o = (struct fib_rule){ .action = i->action,
				.src_len = i->src_len,
				.dst_len = i->dst_len,
				.tos = i->tos,
				.flags = i->flags & FIB_RULE_INVERT,
				.suppress_plen = -1,
				.uids = { 0, UINT32_MAX } };
	o->table = nlattr_has_u32(&t[FRA_TABLE]) ? nlattr_u32(&t[FRA_TABLE]) : i->table;
	o->has_priority = nlattr_has_u32(&t[FRA_PRIORITY]);
	if (o->has_priority)
		o->priority = nlattr_u32(&t[FRA_PRIORITY]);
	if (nlattr_has_u32(&t[FRA_GOTO]))
		o->target = nlattr_u32(&t[FRA_GOTO]);
	if (nlattr_has_u32(&t[FRA_SUPPRESS_PREFIXLEN]))
		o->suppress_plen = (int32_t)nlattr_u32(&t[FRA_SUPPRESS_PREFIXLEN]);
	if (t[FRA_PROTOCOL].data && t[FRA_PROTOCOL].len)
		o->protocol = *(const uint8_t *)t[FRA_PROTOCOL].data;
	if (o->tos & ~0x1c)
		return rtnl_fail(r, NULL, "Invalid dsfield (tos): ECN bits must be 0", -EINVAL);
	if (t[FRA_SUPPRESS_IFGROUP].data) /* devices have no groups */
		return -EOPNOTSUPP;
	return read_selectors(t, v4, o);
}

static int new_rule(struct nlrequest *r, bool v4)
{
	struct fib_rule o;
	int err = read_rule(r, v4, &o);

	if (err)
		return err;
	if (o.action == FR_ACT_GOTO && o.has_priority && o.target <= o.priority)
		return rtnl_fail(r, NULL, "Backward goto not supported", -EINVAL);
	if (o.action == FR_ACT_TO_TBL && !o.table)
		return rtnl_fail(r, NULL, "Invalid table", -EINVAL);
	if (!o.action || o.action > FR_ACT_PROHIBIT || o.action == 4 || o.action == 5)
		return -EINVAL;
	return rule_add(v4, &o, r->flags & NLM_F_EXCL);
}

static int delete_rule(struct nlrequest *r, bool v4)
{
	struct fib_rule o;
	int err = read_rule(r, v4, &o);

	return err ? err : rule_remove(v4, &o);
}

static int new_rule4(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return new_rule(r, true);
}

static int new_rule6(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return new_rule(r, false);
}

static int delete_rule4(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return delete_rule(r, true);
}

static int delete_rule6(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return delete_rule(r, false);
}

void rtnl_report_rule(bool v4, const struct fib_rule *r, unsigned type)
{
	unsigned group = v4 ? RTNLGRP_IPV4_RULE : RTNLGRP_IPV6_RULE;
	struct header h = { .type = (uint16_t)type };
	struct nlmsgs *m;

	if (!netlink_has_listeners(NETLINK_ROUTE, group) || !(m = nlmsgs_alloc(NLMSGS_SMALL)))
		return;
	if (put_rule(m, v4, r, &h))
		netlink_report(NETLINK_ROUTE, group, m);
	else
		nlmsgs_free(m);
}

void rtnl_rule_init(void)
{
	static struct rtnl_handler handlers[] = {
		{ .type = RTM_NEWRULE, .family = AF_INET, .doit = new_rule4 },
		{ .type = RTM_NEWRULE, .family = AF_INET6, .doit = new_rule6 },
		{ .type = RTM_DELRULE, .family = AF_INET, .doit = delete_rule4 },
		{ .type = RTM_DELRULE, .family = AF_INET6, .doit = delete_rule6 },
		{ .type = RTM_GETRULE, .family = AF_INET, .more = more_rules4 },
		{ .type = RTM_GETRULE, .family = AF_INET6, .more = more_rules6 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++)
		rtnl_register(&handlers[i]);
}

/*
 * Policy rules: which table a packet is looked up in. A list by priority for each family, read
 * under an epoch. At boot each has the three that Linux has, and as long as they are untouched,
 * fib.c asks the tables without them.
 */

#include "abi/errno.h"
#include "core/panic.h"
#include "lib/string.h"
#include "net/inet/fib.h"
#include "net/inet/inet_priv.h"
#include "net/inet/rtnl.h"
#include "net/netif.h"
#include "pmm/slab.h"

enum { PRIORITY_MAIN = 32766, PRIORITY_DEFAULT = 32767 };

static struct fib_rule *rules[2];
static _Atomic bool changed[2];

const struct fib_rule *rules_first(bool v4)
{
	return __atomic_load_n(&rules[v4], __ATOMIC_ACQUIRE);
}

bool rules_are_default(bool v4)
{
	return !atomic_load_explicit(&changed[v4], memory_order_relaxed);
}

static const struct fib_rule *next_of(const struct fib_rule *r)
{
	return __atomic_load_n(&r->next, __ATOMIC_ACQUIRE);
}

const struct fib_rule *rule_after(bool v4, const struct fib_rule *rule)
{
	const struct fib_rule *r = next_of(rule);

	(void)v4;
	if (rule->action == FR_ACT_GOTO)
		while (r && r->priority < rule->target)
			r = next_of(r);
	return r;
}

static void insert(bool v4, struct fib_rule *r)
{
	struct fib_rule **at = &rules[v4];

	while (*at && (*at)->priority <= r->priority)
		at = &(*at)->next;
	r->next = *at;
	__atomic_store_n(at, r, __ATOMIC_RELEASE);
}

/* --- matching --- */

static bool has_prefix(const struct ipv6_addr *a, const struct ipv6_addr *prefix, unsigned plen)
{
	struct ipv6_addr k = fib_key(a);
	unsigned bytes = plen / 8, bits = plen % 8;

	return memcmp(k.b, prefix->b, bytes) == 0 &&
	       (!bits || ((k.b[bytes] ^ prefix->b[bytes]) >> (8 - bits)) == 0);
}

static bool is_device(const char *name, int index)
{
	const struct netdev *d = netif_find_index(index);

	return d && strcmp(d->name, name) == 0;
}

static bool in_range(uint16_t port, const struct abi_fib_rule_port_range *r)
{
	return !r->start || (port >= r->start && port <= r->end);
}

static bool matches(const struct fib_rule *r, const struct ip_flow *f)
{
	if (r->iif[0] && !is_device(r->iif, f->iif ? f->iif : loopback_device->index))
		return false;
	if (r->oif[0] && !is_device(r->oif, f->oif))
		return false;
	if ((f->mark ^ r->mark) & r->mask)
		return false;
	if (f->uid < r->uids.start || f->uid > r->uids.end)
		return false;
	if ((r->src_len && addr_is_any(&f->source)) || (r->tos && r->tos != (f->tos & 0x1c)))
		return false;
	if ((r->ip_proto && r->ip_proto != f->proto) || !in_range(f->sport, &r->sports) ||
	    !in_range(f->dport, &r->dports))
		return false;
	return (!r->src_len || has_prefix(&f->source, &r->src, r->src_len)) &&
	       has_prefix(&f->dst, &r->dst, r->dst_len);
}

bool rule_matches(const struct fib_rule *rule, const struct ip_flow *flow)
{
	return matches(rule, flow) != !!(rule->flags & FIB_RULE_INVERT);
}

/* --- changing --- */

static bool same_selector(const struct fib_rule *a, const struct fib_rule *b)
{
	return a->src_len == b->src_len && a->dst_len == b->dst_len && a->tos == b->tos &&
	       ipv6_eq(&a->src, &b->src) && ipv6_eq(&a->dst, &b->dst) && a->mark == b->mark &&
	       a->mask == b->mask && strcmp(a->iif, b->iif) == 0 && strcmp(a->oif, b->oif) == 0 &&
	       a->ip_proto == b->ip_proto && a->suppress_plen == b->suppress_plen &&
	       a->uids.start == b->uids.start && a->uids.end == b->uids.end &&
	       a->sports.start == b->sports.start && a->sports.end == b->sports.end &&
	       a->dports.start == b->dports.start && a->dports.end == b->dports.end &&
	       !((a->flags ^ b->flags) & FIB_RULE_INVERT);
}

/* One without a priority goes before all but the first. */
static uint32_t default_priority(bool v4)
{
	const struct fib_rule *r = rules[v4] ? rules[v4]->next : NULL;

	return r && r->priority ? r->priority - 1 : 0;
}

int rule_add(bool v4, const struct fib_rule *like, bool exclusive)
{
	struct fib_rule *r;

	for (r = rules[v4]; r && exclusive; r = r->next)
		if (r->action == like->action && r->table == like->table &&
		    r->target == like->target && same_selector(r, like) &&
		    (!like->has_priority || r->priority == like->priority))
			return -EEXIST;
	if (!(r = kmalloc(sizeof(*r))))
		return -ENOMEM;
	*r = *like;
	if (!r->has_priority)
		r->priority = default_priority(v4);
	insert(v4, r);
	atomic_store(&changed[v4], true);
	fib_changed();
	rtnl_report_rule(v4, r, RTM_NEWRULE);
	return 0;
}

/* What `like` says counts. */
static bool is_like(const struct fib_rule *r, const struct fib_rule *like)
{
	if ((like->has_priority && r->priority != like->priority) ||
	    (like->action && r->action != like->action) ||
	    (like->table && r->table != like->table) || (like->tos && r->tos != like->tos) ||
	    (like->ip_proto && r->ip_proto != like->ip_proto) ||
	    (like->protocol && r->protocol != like->protocol))
		return false;
	if ((like->mark && r->mark != like->mark) || (like->mask && r->mask != like->mask) ||
	    (like->iif[0] && strcmp(r->iif, like->iif)) ||
	    (like->oif[0] && strcmp(r->oif, like->oif)))
		return false;
	if (like->suppress_plen >= 0 && r->suppress_plen != like->suppress_plen)
		return false;
	if ((like->sports.start && memcmp(&r->sports, &like->sports, 4)) ||
	    (like->dports.start && memcmp(&r->dports, &like->dports, 4)))
		return false;
	if ((like->uids.start || like->uids.end != UINT32_MAX) &&
	    memcmp(&r->uids, &like->uids, sizeof(r->uids)))
		return false;
	return (!like->src_len || (r->src_len == like->src_len && ipv6_eq(&r->src, &like->src))) &&
	       (!like->dst_len || (r->dst_len == like->dst_len && ipv6_eq(&r->dst, &like->dst)));
}

static void free_now(struct epoch_head *h)
{
	kfree(container_of(h, struct fib_rule, epoch));
}

int rule_remove(bool v4, struct fib_rule *like)
{
	struct fib_rule **at = &rules[v4], *r;

	while ((r = *at) && !is_like(r, like))
		at = &r->next;
	if (!r)
		return -ENOENT;
	if (r->flags & FIB_RULE_PERMANENT)
		return -EPERM;
	__atomic_store_n(at, r->next, __ATOMIC_RELEASE);
	atomic_store(&changed[v4], true);
	*like = *r;
	epoch_free(&r->epoch, free_now);
	fib_changed();
	rtnl_report_rule(v4, like, RTM_DELRULE);
	return 0;
}

static struct fib_rule plain(uint32_t priority, uint32_t table)
{
	return (struct fib_rule){ .priority = priority,
				  .table = table,
				  .action = FR_ACT_TO_TBL,
				  .protocol = RTPROT_KERNEL,
				  .suppress_plen = -1,
				  .uids = { 0, UINT32_MAX } };
}

/* For IPv4 as for IPv6; the latter has no table `default`. */
void rules_init(void)
{
	static const struct {
		uint32_t priority, table;
	} first[] = { { 0, RT_TABLE_LOCAL },
		      { PRIORITY_MAIN, RT_TABLE_MAIN },
		      { PRIORITY_DEFAULT, RT_TABLE_DEFAULT } };

	for (unsigned v4 = 0; v4 < 2; v4++)
		for (unsigned i = 0; i < ARRAY_SIZE(first) - !v4; i++) {
			struct fib_rule *r = kmalloc(sizeof(*r));

			if (!r)
				panic("no memory for the first rules");
			*r = plain(first[i].priority, first[i].table);
			insert(v4, r);
		}
}

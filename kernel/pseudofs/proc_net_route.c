/*
 * /proc/net/{route,ipv6_route,rt_cache,fib_trie,arp}: where packets go. Source: proc(5), route(8),
 * arp(7). Routes are written as one text, since a route that goes has no successor to go on from.
 */

#include "abi/rtnetlink.h"
#include "lib/string.h"
#include "net/inet/fib.h"
#include "net/inet/neighbour.h"
#include "net/netif.h"
#include "pseudofs/proc_net_priv.h"

enum { LINE_WIDTH = 127, TABLE_MAIN = 254, TABLE_LOCAL = 255 };
enum route_flags { /* of both files: linux/route.h, linux/ipv6_route.h */
		   UP = 1,
		   GATEWAY = 2,
		   HOST = 4,
		   REJECT = 0x200,
		   DEFAULT = 0x10000,
		   ADDRCONF = 0x40000,
		   NO_NEXT_HOP = 0x200000,
		   EXPIRES = 0x400000,
};
#define FLAG_LOCAL 0x80000000u

static void pad(struct textbuf *t, size_t from)
{
	while (t->len < from + LINE_WIDTH)
		text_c(t, ' ');
	text_c(t, '\n');
}

/* An address of IPv4 as the word that it is in the machine. */
static uint32_t word_of(const struct ipv6_addr *key)
{
	uint32_t w;

	memcpy(&w, key->b, sizeof(w));
	return w;
}

static const char *device_name(uint32_t ifindex, const char *none)
{
	const struct netdev *d = ifindex ? netif_find_index((int)ifindex) : NULL;

	return d ? d->name : none;
}

static void route_line(struct textbuf *t, const struct fib_route *f)
{
	const struct route *r = &f->r;
	unsigned flags = UP;
	size_t at = t->len;

	flags |= r->type == ROUTE_UNREACHABLE || r->type == ROUTE_PROHIBIT ? (unsigned)REJECT : 0u;
	flags |= r->has_gateway ? (unsigned)GATEWAY : 0u;
	flags |= r->plen == 32 ? (unsigned)HOST : 0u;
	text_f(t, "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%u\t%u\t%u",
	       device_name(r->ifindex, "*"), word_of(&r->prefix),
	       r->has_gateway ? word_of(&r->gateway) : 0, flags, 0, 0u, r->metric,
	       __builtin_bswap32(r->plen ? ~0u << (32 - r->plen) : 0u),
	       f->metrics[RTAX_ADVMSS] ? f->metrics[RTAX_ADVMSS] + 40 : 0, f->metrics[RTAX_WINDOW],
	       f->metrics[RTAX_RTT] >> 3);
	pad(t, at);
}

int proc_net_route_show(struct pinode *i, struct textbuf *t)
{
	const struct fib_route *f = NULL;
	size_t at = t->len;

	(void)i;
	text_f(t, "Iface\tDestination\tGateway "
		  "\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	pad(t, at);
	mutex_lock(&net_config_lock);
	while ((f = fib_next(true, f)) != NULL)
		if (f->table == TABLE_MAIN && f->r.type != ROUTE_BROADCAST &&
		    f->r.type != ROUTE_MULTICAST)
			route_line(t, f);
	mutex_unlock(&net_config_lock);
	return 0;
}

int proc_net_rt_cache_show(struct pinode *i, struct textbuf *t) /* there is none: as in Linux */
{
	size_t at = t->len;

	(void)i;
	text_f(t, "Iface\tDestination\tGateway "
		  "\tFlags\t\tRefCnt\tUse\tMetric\tSource\t\tMTU\tWindow\tIRTT\tTOS\tHHRef\tHHUptod"
		  "\tSpecDst");
	pad(t, at);
	return 0;
}

static void address6(struct textbuf *t, const struct ipv6_addr *a)
{
	for (int k = 0; k < 16; k++)
		text_f(t, "%02x", a->b[k]);
}

static void route6_line(struct textbuf *t, const struct fib_route *f, const struct fib_hop *h)
{
	static const struct ipv6_addr none;
	const struct route *r = &f->r;
	unsigned flags = UP;

	flags |= r->type >= ROUTE_BLACKHOLE ? (unsigned)REJECT : 0u;
	flags |= h->has_gateway ? (unsigned)GATEWAY : (unsigned)NO_NEXT_HOP;
	flags |= r->type == ROUTE_LOCAL ? FLAG_LOCAL : 0u;
	flags |= f->expires ? (unsigned)EXPIRES : 0u;
	if (r->protocol == RTPROT_RA)
		flags |= r->plen == 0 ? (unsigned)(ADDRCONF | DEFAULT) : (unsigned)ADDRCONF;
	address6(t, &r->prefix);
	text_f(t, " %02x ", r->plen);
	address6(t, &none);
	text_f(t, " 00 ");
	address6(t, h->has_gateway ? &h->gateway : &none);
	text_f(t, " %08x %08x %08x %08x %8s\n", r->metric, 1, 0, flags,
	       device_name(h->ifindex, "lo"));
}

int proc_net_ipv6_route_show(struct pinode *i, struct textbuf *t)
{
	const struct fib_route *f = NULL;

	(void)i;
	mutex_lock(&net_config_lock);
	while ((f = fib_next(false, f)) != NULL)
		for (unsigned k = 0; k < f->nhops; k++)
			route6_line(t, f, &f->hop[k]);
	mutex_unlock(&net_config_lock);
	return 0;
}

/* --- the trie --- */

static const char *type_name(uint8_t type)
{
	static const char *const names[] = { "UNICAST",   "LOCAL",       "BROADCAST", "MULTICAST",
					     "BLACKHOLE", "UNREACHABLE", "PROHIBIT" };

	return type < ARRAY_SIZE(names) ? names[type] : "UNSPEC";
}

static const char *scope_name(uint8_t scope)
{
	return scope == 0     ? "universe"
	       : scope == 200 ? "site"
	       : scope == 253 ? "link"
	       : scope == 254 ? "host"
			      : "nowhere";
}

/* Our trie has other nodes than Linux's: one node, and the leaves below it. */
static void trie(struct textbuf *t, const char *name)
{
	const struct fib_route *f = NULL;
	uint32_t last = 0;
	bool any = false;

	text_f(t, "%s:\n  +-- 0.0.0.0/0 1 0 0\n", name);
	while ((f = fib_next(true, f)) != NULL) {
		const uint8_t *b = f->r.prefix.b;

		if (f->table != TABLE_MAIN && f->table != TABLE_LOCAL)
			continue;
		if (!any || last != word_of(&f->r.prefix))
			text_f(t, "     |-- %u.%u.%u.%u\n", b[0], b[1], b[2], b[3]);
		any = true;
		last = word_of(&f->r.prefix);
		text_f(t, "        /%u %s %s\n", f->r.plen, scope_name(f->r.scope),
		       type_name(f->r.type));
	}
}

int proc_net_fib_trie_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	mutex_lock(&net_config_lock);
	trie(t, "Main"); /* both names are of one table until rules part them, also in Linux */
	trie(t, "Local");
	mutex_unlock(&net_config_lock);
	return 0;
}

/* The numbers of the trie that is shown above. Nothing counts how it was used. */
static void trie_numbers(struct textbuf *t, const char *name)
{
	const struct fib_route *f = NULL;
	unsigned leaves = 0, prefixes = 0;
	uint32_t last = 0;

	while ((f = fib_next(true, f)) != NULL) {
		if (f->table != TABLE_MAIN && f->table != TABLE_LOCAL)
			continue;
		leaves += prefixes == 0 || last != word_of(&f->r.prefix);
		last = word_of(&f->r.prefix);
		prefixes++;
	}
	text_f(t, "%s:\n\tAver depth:     %u.00\n\tMax depth:      %u\n", name, leaves != 0,
	       leaves != 0);
	text_f(t, "\tLeaves:         %u\n\tPrefixes:       %u\n\tInternal nodes: 1\n", leaves,
	       prefixes);
	text_f(t, "\tPointers: %u\nNull ptrs: 0\nTotal size: %lu  kB\n\n", leaves,
	       (unsigned long)(prefixes * sizeof(*f) + 1023) / 1024);
}

int proc_net_fib_triestat_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "Basic info: size of leaf: %lu bytes, size of tnode: %lu bytes.\n",
	       (unsigned long)sizeof(struct fib_route), (unsigned long)sizeof(void *));
	mutex_lock(&net_config_lock);
	trie_numbers(t, "Main");
	trie_numbers(t, "Local");
	mutex_unlock(&net_config_lock);
	return 0;
}

/* Nodes, those of routes, made, entries, of the cache (there is none), in use, given up. */
int proc_net_rt6_stats_show(struct pinode *i, struct textbuf *t)
{
	const struct fib_route *f = NULL;
	unsigned routes = 0;

	(void)i;
	mutex_lock(&net_config_lock);
	while ((f = fib_next(false, f)) != NULL)
		routes++;
	mutex_unlock(&net_config_lock);
	text_f(t, "%04x %04x %04x %04x %04x %04x %04x\n", routes, routes, routes, routes, 0, routes,
	       0);
	return 0;
}

/* --- neighbours --- */

static unsigned arp_flags(const struct neighbour_info *n)
{
	enum { COMPLETE = 2, PERMANENT = 4 };

	if (!n->has_mac || n->state == NEIGH_FAILED)
		return 0;
	return n->state == NEIGH_PERMANENT ? COMPLETE | PERMANENT : COMPLETE;
}

static void arp_line(struct textbuf *t, const struct neighbour_info *n)
{
	const uint8_t *b = n->addr.b + 12;
	unsigned flags = arp_flags(n);
	char ip[20];

	fmt(ip, sizeof(ip), "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	text_f(t, "%-16s 0x%-10x0x%-10x", ip, n->dev->hw_type, flags);
	for (int k = 0; k < ETH_ALEN; k++)
		text_f(t, k ? ":%02x" : "%02x", flags ? n->mac[k] : 0);
	text_f(t, "     *        %s\n", n->dev->name);
}

static int arp_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	struct neighbour_info n;
	uint64_t pos = *key - 1;

	(void)i;
	if (*key == 0) {
		text_f(t, "IP address       HW type     Flags       HW address            Mask     "
			  "Device\n");
		*key = 1;
		return 1;
	}
	do {
		if (!neighbour_next(&pos, &n))
			return 0;
	} while (!addr_is4(&n.addr) || n.state == NEIGH_NONE);
	arp_line(t, &n);
	*key = pos + 1;
	return 1;
}

int proc_net_arp_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, arp_record);
}

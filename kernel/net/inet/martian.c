/*
 * Where a packet says that it comes from, and whether it may: addresses that no packet on a wire
 * has, our own, and those that answers would leave for another way.
 *
 * Source: RFC 1812 5.3.7, 5.3.8, RFC 3704, the kernel's ip-sysctl document.
 */

#include "core/clock.h"
#include "core/log.h"
#include "core/percpu.h"
#include "net/inet/conf.h"
#include "net/inet/fib.h"
#include "net/inet/inet_priv.h"
#include "net/inet/stats.h"
#include "net/netif.h"

/* The last source that was right: the next packet is mostly from there too. */
struct last_source {
	uint32_t source, destination;
	int ifindex;
	uint32_t generation; /* of routes, addresses and what is set for devices */
};
static PERCPU(struct last_source, last_source);

static void log_martian(const struct pkt *p, const char *what)
{
	static _Atomic nsec_t next;
	const struct ip_info *i = ip_info(p);
	const uint8_t *from = i->src.b + 12, *to = i->dst.b + 12;
	nsec_t now = clock_mono();

	if (INET_CONF_MAX(p->dev, log_martians) <= 0 || now < atomic_load(&next))
		return;
	atomic_store(&next, now + NSEC_PER_SEC);
	log_info("IPv4: martian %s %u.%u.%u.%u from %u.%u.%u.%u, on dev %s", what, to[0], to[1],
		 to[2], to[3], from[0], from[1], from[2], from[3], p->dev->name);
}

/* Addresses that mean nothing, or something else, as a source. */
static bool is_martian(const struct ip_info *i)
{
	uint32_t from = addr_to4(&i->src);

	if (from == 0) /* who has no address yet asks for one, or joins a group */
		return i->to != ROUTE_MULTICAST && addr_to4(&i->dst) != UINT32_MAX;
	return ipv4_is_multicast(from) || from == UINT32_MAX || from >> 24 == 0;
}

static bool way_back_is_right(const struct pkt *p, const struct ip_info *i, int how)
{
	struct ip_flow flow = { .dst = i->src,
				.source = i->dst,
				.mark = inet_conf_of(p->dev)->src_valid_mark ||
							inet_conf_all.src_valid_mark
						? p->mark
						: 0,
				.tos = i->tos };
	struct ip_path path;

	if (addr_is_any(&i->src))
		return true;
	if (i->to != ROUTE_LOCAL)
		flow.source = addr_from4(0);
	return !ip_route_flow(&flow, &path, NULL) && path.type == ROUTE_UNICAST &&
	       (how == 2 || path.dev == p->dev);
}

/* NULL: nothing is wrong. */
static const char *wrong_with(const struct pkt *p, const struct ip_info *i)
{
	bool loopback = addr_is_loopback(&i->src), to_loopback = addr_is_loopback(&i->dst);
	int how = INET_CONF_MAX(p->dev, rp_filter);
	enum route_type type;

	if ((loopback || to_loopback) && INET_CONF_MAX(p->dev, route_localnet) <= 0)
		return to_loopback ? "destination" : "source";
	if (is_martian(i))
		return "source";
	type = ip_address_type(&i->src, p->dev);
	if (type == ROUTE_BROADCAST ||
	    (type == ROUTE_LOCAL && !loopback && INET_CONF_MAX(p->dev, accept_local) <= 0))
		return "source";
	if (how > 0 && type != ROUTE_LOCAL && !way_back_is_right(p, i, how)) {
		net_count(STAT_TcpExt_IPReversePathFilter);
		return "source";
	}
	return NULL;
}

bool source_is_valid(const struct pkt *p)
{
	const struct ip_info *i = ip_info(p);
	const struct last_source this = { addr_to4(&i->src), addr_to4(&i->dst), p->dev->index,
					  atomic_load_explicit(&ip_route_generation,
							       memory_order_relaxed) };
	struct last_source *last = &this_cpu(last_source);
	const char *wrong;

	if (LIKELY(last->source == this.source && last->destination == this.destination &&
		   last->ifindex == this.ifindex && last->generation == this.generation))
		return true;
	if ((wrong = wrong_with(p, i))) {
		log_martian(p, wrong);
		return false;
	}
	*last = this;
	return true;
}

#pragma once

/* ktrace's group net: packets in and out, and those that are thrown away, each with its reason. */

#include "core/ktrace.h"
#include "dev/net/pkt.h"

enum net_drop {
#define DROP(name) NET_DROP_##name,
#include "net/drop.def"
#undef DROP
	NET_DROPS
};

/* Frees p, on its way in (also a forwarded one), and records why. NULL is nothing. */
void pkt_drop(struct pkt *p, enum net_drop why);

/* Records p, its data at the link header, as event packet_in or packet_out. */
void net_trace_packet(const struct pkt *p, bool out);
static inline void net_trace(const struct pkt *p, bool out)
{
	if (ktrace_on(KT_NET))
		net_trace_packet(p, out);
}

/*
 * What ktrace tells of packets: see trace.h. A record has the flow in five words, which
 * tools/ktrace-decode reads: EtherType, transport protocol, TCP's flags and the ports in the first,
 * then both addresses; of IPv4, both in one word, with TCP's numbers in the next.
 */

#include "net/trace.h"

#include "dev/net/netdev.h"
#include "net/wire.h"

void pkt_drop(struct pkt *p, enum net_drop why)
{
	if (p == NULL)
		return;
	ktrace(KT_NET, drop, why, p->dev ? p->dev->index : 0, p->protocol, p->len, 0, 0);
	pkt_free(p);
}

struct flow {
	uint8_t proto, tcp_flags;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint64_t word[4];
};

static uint64_t be64_at(const uint8_t *p)
{
	return (uint64_t)be32_get(p) << 32 | be32_get(p + 4);
}

/* The transport header, n bytes of which are at t. An ICMP message's type and code go for ports. */
static void read_transport(struct flow *f, const uint8_t *t, uint32_t n)
{
	if ((f->proto == IPPROTO_ICMP_ || f->proto == IPPROTO_ICMPV6_) && n >= 2) {
		f->sport = t[0];
		f->dport = t[1];
	} else if ((f->proto == IPPROTO_TCP_ || f->proto == IPPROTO_UDP_) && n >= 4) {
		f->sport = be16_get(t);
		f->dport = be16_get(t + 2);
	}
	if (f->proto == IPPROTO_TCP_ && n >= 14) {
		f->seq = be32_get(t + 4);
		f->ack = be32_get(t + 8);
		f->tcp_flags = t[13];
	}
}

void net_trace_packet(const struct pkt *p, bool out)
{
	uint8_t head[ETH_HEADER + 80] = { 0 }, *ip = head + ETH_HEADER;
	uint32_t n = MIN(p->len, (uint32_t)sizeof(head)), left;
	struct flow f = { 0 };

	if (n < ETH_HEADER)
		return;
	pkt_copy(p, 0, head, n);
	left = n - ETH_HEADER;
	if (p->protocol == ETH_TYPE_IPV4 && left >= IPV4_HEADER) {
		uint32_t len = (ip[0] & 15u) * 4;

		f.proto = ip[9];
		if ((be16_get(ip + 6) & 0x1fff) == 0 && len < left) /* the first fragment */
			read_transport(&f, ip + len, left - len);
		f.word[0] = be64_at(ip + 12);
		f.word[1] = (uint64_t)f.seq << 32 | f.ack;
	} else if (p->protocol == ETH_TYPE_IPV6 && left >= IPV6_HEADER) {
		f.proto = ip[6];
		read_transport(&f, ip + IPV6_HEADER, left - IPV6_HEADER);
		for (int i = 0; i < 4; i++)
			f.word[i] = be64_at(ip + 8 + 8 * i);
	}
	ktrace_emit(out ? EV_packet_out : EV_packet_in, (uint64_t)p->dev->index << 32 | p->len,
		    (uint64_t)p->protocol << 48 | (uint64_t)f.proto << 40 |
			    (uint64_t)f.tcp_flags << 32 | (uint64_t)f.sport << 16 | f.dport,
		    f.word[0], f.word[1], f.word[2], f.word[3]);
}

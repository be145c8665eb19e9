// sources: kernel/net/checksum.c kernel/net/parse.c kernel/net/parse6.c kernel/net/tcp/segment.c
/* Any bytes to every parser: nothing is read beyond them, and what is said of lengths holds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/checksum.h"
#include "net/parse.h"
#include "net/tcp/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool c)
{
	if (!c)
		abort();
}

static void upper(const uint8_t *p, size_t n)
{
	struct udp_header udp;
	struct icmp_header icmp;
	struct tcp_seg s, again;
	struct ndp_neighbour nd;
	uint8_t header[TCP_HEADER_MAX];
	size_t len, len2;

	if (!udp_parse(p, n, &udp))
		require(udp.len >= UDP_HEADER && udp.len <= n);
	(void)!icmp_parse(p, n, &icmp);
	if (!ndp_neighbour_parse(p, n, 255, &nd) && nd.mac)
		require(nd.mac >= p && nd.mac + ETH_ALEN <= p + n);
	if (tcp_seg_parse(p, n, &s, &len))
		return;
	require(len >= 20 && len <= 60 && len + s.len == n && s.nsacks <= TCP_SACKS);
	/* What was understood is written as it was. */
	require(tcp_seg_header_len(&s) <= 60);
	tcp_seg_build(&s, 1, 2, header);
	require(!tcp_seg_parse(header, tcp_seg_header_len(&s), &again, &len2));
	require(again.seq == s.seq && again.flags == s.flags && again.mss == s.mss &&
		again.tsval == s.tsval && again.nsacks <= s.nsacks);
}

static void network(const uint8_t *p, size_t n)
{
	struct ipv4_header v4;
	struct ipv6_header v6;
	struct ipv6_problem problem;
	struct arp_packet arp;

	(void)!arp_parse(p, n, &arp);
	if (!ipv4_parse(p, n, &v4)) {
		require(v4.len >= 20 && v4.len <= v4.total && v4.total <= n);
		upper(p + v4.len, v4.total - v4.len);
	}
	if (!ipv6_parse(p, n, &v6, &problem)) {
		require(v6.len >= 40 && v6.len <= v6.total && v6.total <= n && v6.proto_at < v6.len);
		require(!v6.has_frag || v6.unfrag_len + 8u <= v6.total);
		upper(p + v6.len, v6.total - v6.len);
	} else if (problem.report) {
		require(problem.offset < n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct eth_header eth;
	uint8_t *p = malloc(size);

	memcpy(p, data, size);
	if (!eth_parse(p, size, &eth))
		network(p + eth.len, size - eth.len);
	upper(p, size);
	if (size >= IPV4_HEADER) {
		size_t len = (size_t)(p[0] & 15) * 4;

		if (len >= IPV4_HEADER && len <= size) { /* so that the fuzzer need not guess it */
			csum_put(p + 10, 0);
			csum_put(p + 10, csum(p, len));
		}
	}
	network(p, size);
	free(p);
	return 0;
}

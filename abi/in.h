#pragma once

/* ip(7), ipv6(7), udp(7), raw(7): <netinet/in.h>. */

#include <stdint.h>

struct abi_sockaddr_in {
	uint16_t sin_family;
	uint16_t sin_port; /* network order, as the address */
	uint32_t sin_addr;
	uint8_t sin_zero[8];
};
_Static_assert(sizeof(struct abi_sockaddr_in) == 16, "");

struct abi_sockaddr_in6 {
	uint16_t sin6_family;
	uint16_t sin6_port;
	uint32_t sin6_flowinfo;
	uint8_t sin6_addr[16];
	uint32_t sin6_scope_id;
};
_Static_assert(sizeof(struct abi_sockaddr_in6) == 28, "");
enum { SOCKADDR_IN6_MIN = 24 }; /* RFC 2133 had no scope */

enum {
	IPPROTO_IP = 0,
	IPPROTO_ICMP = 1,
	IPPROTO_IGMP = 2,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_IPV6 = 41,
	IPPROTO_ICMPV6 = 58,
	IPPROTO_UDPLITE = 136,
	IPPROTO_RAW = 255,
	IPPROTO_MAX = 256,
};

enum { /* IPPROTO_IP */
       IP_TOS = 1,
       IP_TTL = 2,
       IP_HDRINCL = 3,
       IP_OPTIONS = 4,
       IP_RECVOPTS = 6,
       IP_PKTINFO = 8,
       IP_MTU_DISCOVER = 10,
       IP_RECVERR = 11,
       IP_RECVTTL = 12,
       IP_RECVTOS = 13,
       IP_MTU = 14,
       IP_FREEBIND = 15,
       IP_TRANSPARENT = 19,
       IP_MINTTL = 21,
       IP_BIND_ADDRESS_NO_PORT = 24,
       IP_RECVFRAGSIZE = 25,
       IP_MULTICAST_IF = 32,
       IP_MULTICAST_TTL = 33,
       IP_MULTICAST_LOOP = 34,
       IP_ADD_MEMBERSHIP = 35,
       IP_DROP_MEMBERSHIP = 36,
       IP_MULTICAST_ALL = 49,
       IP_UNICAST_IF = 50,
       IP_PMTUDISC_DONT = 0,
       IP_PMTUDISC_WANT = 1,
       IP_PMTUDISC_DO = 2,
       IP_PMTUDISC_PROBE = 3,
};

enum { /* IPPROTO_IPV6 */
       IPV6_UNICAST_HOPS = 16,
       IPV6_MULTICAST_IF = 17,
       IPV6_MULTICAST_HOPS = 18,
       IPV6_MULTICAST_LOOP = 19,
       IPV6_ADD_MEMBERSHIP = 20,
       IPV6_DROP_MEMBERSHIP = 21,
       IPV6_MTU_DISCOVER = 23,
       IPV6_MTU = 24,
       IPV6_RECVERR = 25,
       IPV6_V6ONLY = 26,
       IPV6_RECVPKTINFO = 49,
       IPV6_PKTINFO = 50,
       IPV6_RECVHOPLIMIT = 51,
       IPV6_HOPLIMIT = 52,
       IPV6_RECVTCLASS = 66,
       IPV6_TCLASS = 67,
       IPV6_FREEBIND = 78,
};

struct abi_in_pktinfo {
	int32_t ipi_ifindex;
	uint32_t ipi_spec_dst, ipi_addr;
};

struct abi_in6_pktinfo {
	uint8_t ipi6_addr[16];
	uint32_t ipi6_ifindex;
};

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
       IP_ROUTER_ALERT = 5,
       IP_RECVOPTS = 6,
       IP_RETOPTS = 7,
       IP_PKTINFO = 8,
       IP_MTU_DISCOVER = 10,
       IP_RECVERR = 11,
       IP_RECVTTL = 12,
       IP_RECVTOS = 13,
       IP_MTU = 14,
       IP_FREEBIND = 15,
       IP_TRANSPARENT = 19,
       IP_ORIGDSTADDR = 20, /* and IP_RECVORIGDSTADDR */
       IP_MINTTL = 21,
       IP_NODEFRAG = 22,
       IP_CHECKSUM = 23,
       IP_BIND_ADDRESS_NO_PORT = 24,
       IP_RECVFRAGSIZE = 25,
       IP_MULTICAST_IF = 32,
       IP_MULTICAST_TTL = 33,
       IP_MULTICAST_LOOP = 34,
       IP_ADD_MEMBERSHIP = 35,
       IP_DROP_MEMBERSHIP = 36,
       IP_UNBLOCK_SOURCE = 37,
       IP_BLOCK_SOURCE = 38,
       IP_ADD_SOURCE_MEMBERSHIP = 39,
       IP_DROP_SOURCE_MEMBERSHIP = 40,
       IP_MSFILTER = 41,
       MCAST_JOIN_GROUP = 42, /* these at both levels */
       MCAST_BLOCK_SOURCE = 43,
       MCAST_UNBLOCK_SOURCE = 44,
       MCAST_LEAVE_GROUP = 45,
       MCAST_JOIN_SOURCE_GROUP = 46,
       MCAST_LEAVE_SOURCE_GROUP = 47,
       MCAST_MSFILTER = 48,
       IP_MULTICAST_ALL = 49,
       IP_UNICAST_IF = 50,
       IP_PMTUDISC_DONT = 0,
       IP_PMTUDISC_WANT = 1,
       IP_PMTUDISC_DO = 2,
       IP_PMTUDISC_PROBE = 3,
       IP_PMTUDISC_INTERFACE = 4,
       IP_PMTUDISC_OMIT = 5,
};

enum { /* IPPROTO_IPV6 */
       IPV6_2292PKTINFO = 2, /* RFC 2292: the same number for the option and what it gives */
       IPV6_CHECKSUM = 7,
       IPV6_2292HOPLIMIT = 8,
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
       IPV6_JOIN_ANYCAST = 27,
       IPV6_MULTICAST_ALL = 29,
       IPV6_HDRINCL = 36,
       IPV6_RECVPKTINFO = 49,
       IPV6_PKTINFO = 50,
       IPV6_RECVHOPLIMIT = 51,
       IPV6_HOPLIMIT = 52,
       IPV6_DONTFRAG = 62,
       IPV6_RECVTCLASS = 66,
       IPV6_TCLASS = 67,
       IPV6_ADDR_PREFERENCES = 72,
       IPV6_MINHOPCOUNT = 73,
       IPV6_ORIGDSTADDR = 74, /* and IPV6_RECVORIGDSTADDR */
       IPV6_TRANSPARENT = 75,
       IPV6_UNICAST_IF = 76,
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

enum { /* IPPROTO_UDP, IPPROTO_UDPLITE */
       UDP_CORK = 1,
       UDPLITE_SEND_CSCOV = 10,
       UDPLITE_RECV_CSCOV = 11,
       UDP_ENCAP = 100,
       UDP_NO_CHECK6_TX = 101,
       UDP_NO_CHECK6_RX = 102,
       UDP_SEGMENT = 103,
       UDP_GRO = 104,
};

/* Multicast: ip(7), ipv6(7), RFC 3678. Addresses in network order. */
struct abi_ip_mreqn { /* the first two are struct ip_mreq */
	uint32_t imr_multiaddr, imr_address;
	int32_t imr_ifindex;
};

struct abi_ip_mreq_source {
	uint32_t imr_multiaddr, imr_interface, imr_sourceaddr;
};

struct abi_ip_msfilter {
	uint32_t imsf_multiaddr, imsf_interface, imsf_fmode, imsf_numsrc, imsf_slist[];
};
enum { MCAST_EXCLUDE = 0, MCAST_INCLUDE = 1 };

struct abi_ipv6_mreq {
	uint8_t ipv6mr_multiaddr[16];
	int32_t ipv6mr_ifindex;
};

struct abi_group_req {
	uint32_t gr_interface, __pad;
	uint64_t gr_group[16]; /* struct sockaddr_storage, as the next */
};
_Static_assert(sizeof(struct abi_group_req) == 136, "");

struct abi_group_source_req {
	uint32_t gsr_interface, __pad;
	uint64_t gsr_group[16], gsr_source[16];
};
_Static_assert(sizeof(struct abi_group_source_req) == 264, "");

struct abi_group_filter {
	uint32_t gf_interface, __pad;
	uint64_t gf_group[16];
	uint32_t gf_fmode, gf_numsrc;
	/* then gf_numsrc addresses, of 128 bytes each */
};

/* What MSG_ERRQUEUE gives: ip(7) IP_RECVERR. */
struct abi_sock_extended_err {
	uint32_t ee_errno;
	uint8_t ee_origin, ee_type, ee_code, ee_pad;
	uint32_t ee_info, ee_data;
};
_Static_assert(sizeof(struct abi_sock_extended_err) == 16, "");
enum {
	SO_EE_ORIGIN_NONE = 0,
	SO_EE_ORIGIN_LOCAL = 1,
	SO_EE_ORIGIN_ICMP = 2,
	SO_EE_ORIGIN_ICMP6 = 3,
	SO_EE_ORIGIN_TIMESTAMPING = 4,
	SO_EE_ORIGIN_ZEROCOPY = 5,
	SO_EE_CODE_ZEROCOPY_COPIED = 1,
};

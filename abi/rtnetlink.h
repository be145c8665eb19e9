#pragma once

/* Addresses, routes and neighbours: rtnetlink(7). */

#include "abi/netlink.h"

struct abi_ifaddrmsg {
	uint8_t ifa_family, ifa_prefixlen, ifa_flags, ifa_scope;
	uint32_t ifa_index;
};

enum {
	IFA_ADDRESS = 1,
	IFA_LOCAL = 2,
	IFA_LABEL = 3,
	IFA_BROADCAST = 4,
	IFA_CACHEINFO = 6,
	IFA_FLAGS = 8,
	IFA_RT_PRIORITY = 9,
	IFA_PROTO = 11
};

struct abi_ifa_cacheinfo {
	uint32_t ifa_prefered, ifa_valid, cstamp, tstamp; /* stamps: 1/100 s */
};

enum { IFA_F_SECONDARY = 1, IFA_F_PERMANENT = 0x80, IFA_F_NOPREFIXROUTE = 0x200 };

struct abi_rtmsg {
	uint8_t rtm_family, rtm_dst_len, rtm_src_len, rtm_tos;
	uint8_t rtm_table, rtm_protocol, rtm_scope, rtm_type;
	uint32_t rtm_flags;
};

enum {
	RTA_DST = 1,
	RTA_SRC = 2,
	RTA_IIF = 3,
	RTA_OIF = 4,
	RTA_GATEWAY = 5,
	RTA_PRIORITY = 6,
	RTA_PREFSRC = 7,
	RTA_METRICS = 8,
	RTA_CACHEINFO = 12,
	RTA_TABLE = 15,
	RTA_PREF = 20
};
enum { RTAX_MTU = 2 };

enum {
	RTN_UNICAST = 1,
	RTN_LOCAL = 2,
	RTN_BROADCAST = 3,
	RTN_ANYCAST = 4,
	RTN_MULTICAST = 5,
	RTN_BLACKHOLE = 6,
	RTN_UNREACHABLE = 7,
	RTN_PROHIBIT = 8
};
enum { RTPROT_UNSPEC = 0, RTPROT_KERNEL = 2, RTPROT_BOOT = 3, RTPROT_STATIC = 4, RTPROT_DHCP = 16 };
enum { RT_SCOPE_UNIVERSE = 0, RT_SCOPE_SITE = 200, RT_SCOPE_LINK = 253, RT_SCOPE_HOST = 254 };
enum { RT_TABLE_DEFAULT = 253, RT_TABLE_MAIN = 254, RT_TABLE_LOCAL = 255 };
enum { RTM_F_CLONED = 0x200 };

struct abi_ndmsg {
	uint8_t ndm_family, pad1;
	uint16_t pad2;
	int32_t ndm_ifindex;
	uint16_t ndm_state;
	uint8_t ndm_flags, ndm_type;
};
enum { NDA_DST = 1, NDA_LLADDR = 2, NDA_CACHEINFO = 3, NDA_PROBES = 4 };
enum {
	NUD_INCOMPLETE = 1,
	NUD_REACHABLE = 2,
	NUD_STALE = 4,
	NUD_DELAY = 8,
	NUD_PROBE = 16,
	NUD_FAILED = 32,
	NUD_NOARP = 64,
	NUD_PERMANENT = 128
};

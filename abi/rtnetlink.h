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

enum {
	IFA_F_SECONDARY = 1, /* of IPv6: IFA_F_TEMPORARY */
	IFA_F_TEMPORARY = 1,
	IFA_F_NODAD = 2,
	IFA_F_OPTIMISTIC = 4,
	IFA_F_DADFAILED = 8,
	IFA_F_HOMEADDRESS = 0x10,
	IFA_F_DEPRECATED = 0x20,
	IFA_F_TENTATIVE = 0x40,
	IFA_F_PERMANENT = 0x80,
	IFA_F_MANAGETEMPADDR = 0x100,
	IFA_F_NOPREFIXROUTE = 0x200,
	IFA_F_MCAUTOJOIN = 0x400,
	IFA_F_STABLE_PRIVACY = 0x800,
};

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
	RTA_MULTIPATH = 9,
	RTA_FLOW = 11,
	RTA_CACHEINFO = 12,
	RTA_TABLE = 15,
	RTA_MARK = 16,
	RTA_VIA = 18,
	RTA_NEWDST = 19,
	RTA_PREF = 20,
	RTA_ENCAP_TYPE = 21,
	RTA_ENCAP = 22,
	RTA_EXPIRES = 23,
	RTA_UID = 25,
	RTA_TTL_PROPAGATE = 26,
	RTA_IP_PROTO = 27,
	RTA_SPORT = 28,
	RTA_DPORT = 29,
	RTA_NH_ID = 30,
};
enum {
	RTAX_LOCK = 1,
	RTAX_MTU = 2,
	RTAX_WINDOW = 3,
	RTAX_RTT = 4,
	RTAX_ADVMSS = 8,
	RTAX_HOPLIMIT = 10,
	RTAX_CC_ALGO = 16,
	RTAX_MAX = 17
};

struct abi_rtnexthop {
	uint16_t rtnh_len;
	uint8_t rtnh_flags, rtnh_hops;
	int32_t rtnh_ifindex;
};
enum { RTNH_F_DEAD = 1, RTNH_F_ONLINK = 4, RTNH_F_LINKDOWN = 16 };

struct abi_rta_cacheinfo {
	uint32_t rta_clntref, rta_lastuse;
	int32_t rta_expires;
	uint32_t rta_error, rta_used, rta_id, rta_ts, rta_tsage;
};

enum {
	RTN_UNSPEC = 0,
	RTN_UNICAST = 1,
	RTN_LOCAL = 2,
	RTN_BROADCAST = 3,
	RTN_ANYCAST = 4,
	RTN_MULTICAST = 5,
	RTN_BLACKHOLE = 6,
	RTN_UNREACHABLE = 7,
	RTN_PROHIBIT = 8,
	RTN_THROW = 9,
	RTN_NAT = 10,
	RTN_XRESOLVE = 11,
};
enum {
	RTPROT_UNSPEC = 0,
	RTPROT_REDIRECT = 1,
	RTPROT_KERNEL = 2,
	RTPROT_BOOT = 3,
	RTPROT_STATIC = 4,
	RTPROT_RA = 9,
	RTPROT_DHCP = 16
};
enum {
	RT_SCOPE_UNIVERSE = 0,
	RT_SCOPE_SITE = 200,
	RT_SCOPE_LINK = 253,
	RT_SCOPE_HOST = 254,
	RT_SCOPE_NOWHERE = 255,
};
enum {
	RT_TABLE_UNSPEC = 0,
	RT_TABLE_COMPAT = 252,
	RT_TABLE_DEFAULT = 253,
	RT_TABLE_MAIN = 254,
	RT_TABLE_LOCAL = 255
};
enum {
	RTM_F_NOTIFY = 0x100,
	RTM_F_CLONED = 0x200,
	RTM_F_LOOKUP_TABLE = 0x1000,
	RTM_F_FIB_MATCH = 0x2000,
};

/* Policy rules. */
struct abi_fib_rule_hdr {
	uint8_t family, dst_len, src_len, tos;
	uint8_t table, res1, res2, action;
	uint32_t flags;
};
enum {
	FRA_DST = 1,
	FRA_SRC = 2,
	FRA_IIFNAME = 3,
	FRA_GOTO = 4,
	FRA_PRIORITY = 6,
	FRA_FWMARK = 10,
	FRA_SUPPRESS_IFGROUP = 13,
	FRA_SUPPRESS_PREFIXLEN = 14,
	FRA_TABLE = 15,
	FRA_FWMASK = 16,
	FRA_OIFNAME = 17,
	FRA_UID_RANGE = 20,
	FRA_PROTOCOL = 21,
	FRA_IP_PROTO = 22,
	FRA_SPORT_RANGE = 23,
	FRA_DPORT_RANGE = 24,
};
enum {
	FR_ACT_TO_TBL = 1,
	FR_ACT_GOTO = 2,
	FR_ACT_NOP = 3,
	FR_ACT_BLACKHOLE = 6,
	FR_ACT_UNREACHABLE = 7,
	FR_ACT_PROHIBIT = 8
};
enum {
	FIB_RULE_PERMANENT = 1,
	FIB_RULE_INVERT = 2,
	FIB_RULE_UNRESOLVED = 4,
	FIB_RULE_IIF_DETACHED = 8,
	FIB_RULE_OIF_DETACHED = 16
};

struct abi_fib_rule_port_range {
	uint16_t start, end;
};
struct abi_fib_rule_uid_range {
	uint32_t start, end;
};

struct abi_ndmsg {
	uint8_t ndm_family, pad1;
	uint16_t pad2;
	int32_t ndm_ifindex;
	uint16_t ndm_state;
	uint8_t ndm_flags, ndm_type;
};
enum {
	NDA_DST = 1,
	NDA_LLADDR = 2,
	NDA_CACHEINFO = 3,
	NDA_PROBES = 4,
	NDA_IFINDEX = 8,
	NDA_PROTOCOL = 12,
	NDA_FLAGS_EXT = 15,
};
enum { NTF_USE = 1, NTF_SELF = 2, NTF_PROXY = 8, NTF_EXT_LEARNED = 16, NTF_ROUTER = 128 };

struct abi_nda_cacheinfo {
	uint32_t ndm_confirmed, ndm_used, ndm_updated, ndm_refcnt; /* 1/100 s ago */
};
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

/* Options of router advertisements for user space. */
struct abi_nduseroptmsg {
	uint8_t nduseropt_family, nduseropt_pad1;
	uint16_t nduseropt_opts_len;
	int32_t nduseropt_ifindex;
	uint8_t nduseropt_icmp_type, nduseropt_icmp_code;
	uint16_t nduseropt_pad2;
	uint32_t nduseropt_pad3;
};
enum { NDUSEROPT_SRCADDR = 1 };

/* What is set for devices. */
struct abi_netconfmsg {
	uint8_t ncm_family;
};

enum {
	NETCONFA_IFINDEX = 1,
	NETCONFA_FORWARDING = 2,
	NETCONFA_RP_FILTER = 3,
	NETCONFA_MC_FORWARDING = 4,
	NETCONFA_PROXY_NEIGH = 5,
	NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN = 6,
	NETCONFA_BC_FORWARDING = 8,
};

/* Labels of addresses. */
struct abi_ifaddrlblmsg {
	uint8_t ifal_family, __ifal_reserved, ifal_prefixlen, ifal_flags;
	uint32_t ifal_index, ifal_seq;
};
enum { IFAL_ADDRESS = 1, IFAL_LABEL = 2 };

#pragma once

/* netlink(7), rtnetlink(7). */

#include <stdint.h>

enum netlink_protocol {
	NETLINK_ROUTE = 0,
	NETLINK_USERSOCK = 2,
	NETLINK_SOCK_DIAG = 4,
	NETLINK_AUDIT = 9,
	NETLINK_CONNECTOR = 11,
	NETLINK_NETFILTER = 12,
	NETLINK_KOBJECT_UEVENT = 15,
	NETLINK_GENERIC = 16,
	NETLINK_PROTOCOLS = 32,
};

struct abi_sockaddr_nl {
	uint16_t nl_family, nl_pad;
	uint32_t nl_pid, nl_groups;
};

struct abi_nlmsghdr {
	uint32_t nlmsg_len; /* with this header */
	uint16_t nlmsg_type, nlmsg_flags;
	uint32_t nlmsg_seq, nlmsg_pid;
};
_Static_assert(sizeof(struct abi_nlmsghdr) == 16, "");

struct abi_nlattr {
	uint16_t nla_len, nla_type;
};

enum {
	NLMSG_ALIGNTO = 4,
	NLMSG_NOOP = 1,
	NLMSG_ERROR = 2,
	NLMSG_DONE = 3,
	NLMSG_MIN_TYPE = 16,

	NLM_F_REQUEST = 1,
	NLM_F_MULTI = 2,
	NLM_F_ACK = 4,
	NLM_F_ECHO = 8,
	NLM_F_DUMP_INTR = 16,
	NLM_F_DUMP_FILTERED = 32,
	NLM_F_ROOT = 0x100,
	NLM_F_MATCH = 0x200,
	NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH,
	NLM_F_REPLACE = 0x100,
	NLM_F_EXCL = 0x200,
	NLM_F_CREATE = 0x400,
	NLM_F_APPEND = 0x800,
	NLM_F_CAPPED = 0x100, /* in NLMSG_ERROR */
	NLM_F_ACK_TLVS = 0x200,

	NLA_F_NESTED = 0x8000,
	NLA_TYPE_MASK = 0x3fff,

	NLMSGERR_ATTR_MSG = 1,
	NLMSGERR_ATTR_OFFS = 2,
};

enum { /* SOL_NETLINK */
       NETLINK_ADD_MEMBERSHIP = 1,
       NETLINK_DROP_MEMBERSHIP = 2,
       NETLINK_PKTINFO = 3,
       NETLINK_BROADCAST_ERROR = 4,
       NETLINK_NO_ENOBUFS = 5,
       NETLINK_LISTEN_ALL_NSID = 8,
       NETLINK_LIST_MEMBERSHIPS = 9,
       NETLINK_CAP_ACK = 10,
       NETLINK_EXT_ACK = 11,
       NETLINK_GET_STRICT_CHK = 12,
};

enum { /* rtnetlink messages: NEW, DEL, GET, SET in this order */
       RTM_NEWLINK = 16,
       RTM_DELLINK = 17,
       RTM_GETLINK = 18,
       RTM_SETLINK = 19,
       RTM_NEWADDR = 20,
       RTM_DELADDR = 21,
       RTM_GETADDR = 22,
       RTM_NEWROUTE = 24,
       RTM_DELROUTE = 25,
       RTM_GETROUTE = 26,
       RTM_NEWNEIGH = 28,
       RTM_DELNEIGH = 29,
       RTM_GETNEIGH = 30,
       RTM_NEWRULE = 32,
       RTM_DELRULE = 33,
       RTM_GETRULE = 34,
       RTM_NEWQDISC = 36,
       RTM_GETQDISC = 38,
       RTM_GETTCLASS = 42,
       RTM_GETTFILTER = 46,
       RTM_GETMULTICAST = 58,
       RTM_GETANYCAST = 62,
       RTM_NEWNEIGHTBL = 64,
       RTM_GETNEIGHTBL = 66,
       RTM_SETNEIGHTBL = 67,
       RTM_NEWNDUSEROPT = 68,
       RTM_NEWADDRLABEL = 72,
       RTM_GETADDRLABEL = 74,
       RTM_NEWNETCONF = 80,
       RTM_GETNETCONF = 82,
       RTM_GETSTATS = 94,
};

enum { /* multicast groups of NETLINK_ROUTE */
       RTNLGRP_LINK = 1,
       RTNLGRP_NEIGH = 3,
       RTNLGRP_IPV4_IFADDR = 5,
       RTNLGRP_IPV4_ROUTE = 7,
       RTNLGRP_IPV4_RULE = 8,
       RTNLGRP_IPV6_IFADDR = 9,
       RTNLGRP_IPV6_ROUTE = 11,
       RTNLGRP_IPV6_PREFIX = 18,
       RTNLGRP_IPV6_RULE = 19,
       RTNLGRP_ND_USEROPT = 20,
       RTNLGRP_IPV4_NETCONF = 24,
       RTNLGRP_IPV6_NETCONF = 25,
       RTNLGRP_MAX = 36,
};

struct abi_ifinfomsg {
	uint8_t ifi_family, pad;
	uint16_t ifi_type;
	int32_t ifi_index;
	uint32_t ifi_flags, ifi_change;
};

enum { /* attributes of links */
       IFLA_ADDRESS = 1,
       IFLA_BROADCAST = 2,
       IFLA_IFNAME = 3,
       IFLA_MTU = 4,
       IFLA_LINK = 5,
       IFLA_QDISC = 6,
       IFLA_STATS = 7,
       IFLA_MASTER = 10,
       IFLA_PROTINFO = 12,
       IFLA_TXQLEN = 13,
       IFLA_OPERSTATE = 16,
       IFLA_LINKMODE = 17,
       IFLA_LINKINFO = 18,
       IFLA_IFALIAS = 20,
       IFLA_STATS64 = 23,
       IFLA_AF_SPEC = 26,
       IFLA_GROUP = 27,
       IFLA_EXT_MASK = 29,
       IFLA_PROMISCUITY = 30,
       IFLA_NUM_TX_QUEUES = 31,
       IFLA_NUM_RX_QUEUES = 32,
       IFLA_CARRIER = 33,
       IFLA_CARRIER_CHANGES = 35,
       IFLA_PROTO_DOWN = 39,
       IFLA_GSO_MAX_SEGS = 40,
       IFLA_GSO_MAX_SIZE = 41,
       IFLA_CARRIER_UP_COUNT = 47,
       IFLA_CARRIER_DOWN_COUNT = 48,
       IFLA_MIN_MTU = 50,
       IFLA_MAX_MTU = 51,
       IFLA_PERM_ADDRESS = 54,
       IFLA_GRO_MAX_SIZE = 58,
       IFLA_TSO_MAX_SIZE = 59,
       IFLA_TSO_MAX_SEGS = 60,
       IFLA_ALLMULTI = 61,
       IFLA_INFO_KIND = 1,
       IFLA_INET6_FLAGS = 1,
       IFLA_INET6_TOKEN = 7,
       IFLA_INET6_ADDR_GEN_MODE = 8,
       RTEXT_FILTER_SKIP_STATS = 8,
};

/* Queueing disciplines. */
struct abi_tcmsg {
	uint8_t tcm_family, tcm__pad1;
	uint16_t tcm__pad2;
	int32_t tcm_ifindex;
	uint32_t tcm_handle, tcm_parent, tcm_info;
};

enum {
	TCA_KIND = 1,
	TCA_OPTIONS = 2,
	TCA_STATS2 = 7,
	TCA_HW_OFFLOAD = 12,
	TCA_STATS_BASIC = 1,
	TCA_STATS_QUEUE = 3,
};
#define TC_H_ROOT 0xffffffffu

struct abi_tc_prio_qopt {
	int32_t bands;
	uint8_t priomap[16];
};

struct abi_gnet_stats_basic {
	uint64_t bytes;
	uint32_t packets;
};

struct abi_gnet_stats_queue {
	uint32_t qlen, backlog, drops, requeues, overlimits;
};

struct abi_rtnl_link_stats64 {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped,
		tx_dropped, multicast, collisions;
	uint64_t rx_length_errors, rx_over_errors, rx_crc_errors, rx_frame_errors, rx_fifo_errors,
		rx_missed_errors;
	uint64_t tx_aborted_errors, tx_carrier_errors, tx_fifo_errors, tx_heartbeat_errors,
		tx_window_errors;
	uint64_t rx_compressed, tx_compressed, rx_nohandler, rx_otherhost_dropped;
};

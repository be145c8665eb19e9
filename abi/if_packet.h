#pragma once

/* packet(7). */

#include <stdint.h>

enum {
	PACKET_HOST = 0,
	PACKET_BROADCAST = 1,
	PACKET_MULTICAST = 2,
	PACKET_OTHERHOST = 3,
	PACKET_OUTGOING = 4,
};

struct abi_sockaddr_ll {
	uint16_t sll_family;
	uint16_t sll_protocol; /* network order */
	int32_t sll_ifindex;
	uint16_t sll_hatype;
	uint8_t sll_pkttype, sll_halen;
	uint8_t sll_addr[8];
};
_Static_assert(sizeof(struct abi_sockaddr_ll) == 20, "");

enum { /* socket options */
	PACKET_ADD_MEMBERSHIP = 1,
	PACKET_DROP_MEMBERSHIP = 2,
	PACKET_RX_RING = 5,
	PACKET_STATISTICS = 6,
	PACKET_AUXDATA = 8,
	PACKET_VERSION = 10,
	PACKET_HDRLEN = 11,
	PACKET_RESERVE = 12,
	PACKET_TX_RING = 13,
	PACKET_LOSS = 14,
	PACKET_VNET_HDR = 15,
	PACKET_TIMESTAMP = 17,
	PACKET_FANOUT = 18,
	PACKET_QDISC_BYPASS = 20,
	PACKET_IGNORE_OUTGOING = 23,
};

enum { PACKET_MR_MULTICAST = 0, PACKET_MR_PROMISC = 1, PACKET_MR_ALLMULTI = 2, PACKET_MR_UNICAST = 3 };

struct abi_packet_mreq {
	int32_t mr_ifindex;
	uint16_t mr_type, mr_alen;
	uint8_t mr_address[8];
};

struct abi_tpacket_stats {
	uint32_t tp_packets, tp_drops;
};

struct abi_tpacket_auxdata {
	uint32_t tp_status, tp_len, tp_snaplen;
	uint16_t tp_mac, tp_net, tp_vlan_tci, tp_vlan_tpid;
};

enum {
	TP_STATUS_CSUMNOTREADY = 1 << 3,
	TP_STATUS_CSUM_VALID = 1 << 7,
};

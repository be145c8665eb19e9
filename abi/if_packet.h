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
       PACKET_COPY_THRESH = 7,
       PACKET_AUXDATA = 8,
       PACKET_ORIGDEV = 9,
       PACKET_VERSION = 10,
       PACKET_HDRLEN = 11,
       PACKET_RESERVE = 12,
       PACKET_TX_RING = 13,
       PACKET_LOSS = 14,
       PACKET_VNET_HDR = 15,
       PACKET_TIMESTAMP = 17,
       PACKET_FANOUT = 18,
       PACKET_TX_HAS_OFF = 19,
       PACKET_QDISC_BYPASS = 20,
       PACKET_IGNORE_OUTGOING = 23,
};

enum {
	PACKET_MR_MULTICAST = 0,
	PACKET_MR_PROMISC = 1,
	PACKET_MR_ALLMULTI = 2,
	PACKET_MR_UNICAST = 3
};

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
	TP_STATUS_KERNEL = 0,
	TP_STATUS_USER = 1 << 0,
	TP_STATUS_COPY = 1 << 1,
	TP_STATUS_LOSING = 1 << 2,
	TP_STATUS_CSUMNOTREADY = 1 << 3,
	TP_STATUS_BLK_TMO = 1 << 5,
	TP_STATUS_CSUM_VALID = 1 << 7,
	TP_STATUS_AVAILABLE = 0,
	TP_STATUS_SEND_REQUEST = 1 << 0,
	TP_STATUS_SENDING = 1 << 1,
	TP_STATUS_WRONG_FORMAT = 1 << 2,
};

/* Rings. */
enum { TPACKET_V1 = 0, TPACKET_V2 = 1, TPACKET_V3 = 2, TPACKET_ALIGNMENT = 16 };

struct abi_tpacket_req {
	uint32_t tp_block_size, tp_block_nr, tp_frame_size, tp_frame_nr;
};
struct abi_tpacket_req3 {
	uint32_t tp_block_size, tp_block_nr, tp_frame_size, tp_frame_nr;
	uint32_t tp_retire_blk_tov, tp_sizeof_priv, tp_feature_req_word;
};
struct abi_tpacket_hdr {
	uint64_t tp_status;
	uint32_t tp_len, tp_snaplen;
	uint16_t tp_mac, tp_net;
	uint32_t tp_sec, tp_usec;
};
struct abi_tpacket2_hdr {
	uint32_t tp_status, tp_len, tp_snaplen;
	uint16_t tp_mac, tp_net;
	uint32_t tp_sec, tp_nsec;
	uint16_t tp_vlan_tci, tp_vlan_tpid;
	uint8_t tp_padding[4];
};
struct abi_tpacket3_hdr {
	uint32_t tp_next_offset, tp_sec, tp_nsec, tp_snaplen, tp_len, tp_status;
	uint16_t tp_mac, tp_net;
	uint32_t tp_rxhash, tp_vlan_tci; /* struct tpacket_hdr_variant1 */
	uint16_t tp_vlan_tpid, tp_pad;
	uint8_t tp_padding[8];
};
/* With its struct tpacket_hdr_v1. */
struct abi_tpacket_block_desc {
	uint32_t version, offset_to_priv;
	uint32_t block_status, num_pkts, offset_to_first_pkt, blk_len;
	uint64_t seq_num;
	uint32_t first_sec, first_nsec, last_sec, last_nsec;
};
_Static_assert(sizeof(struct abi_tpacket_hdr) == 32, "");
_Static_assert(sizeof(struct abi_tpacket2_hdr) == 32, "");
_Static_assert(sizeof(struct abi_tpacket3_hdr) == 48, "");
_Static_assert(sizeof(struct abi_tpacket_block_desc) == 48, "");

struct abi_tpacket_stats_v3 {
	uint32_t tp_packets, tp_drops, tp_freeze_q_cnt;
};

enum { /* PACKET_FANOUT: the low half is the group, then the type, then flags */
       PACKET_FANOUT_HASH = 0,
       PACKET_FANOUT_LB = 1,
       PACKET_FANOUT_CPU = 2,
       PACKET_FANOUT_RND = 4,
       PACKET_FANOUT_QM = 5,
};

#pragma once

/* sock_diag(7): NETLINK_SOCK_DIAG. */

#include <stdint.h>

enum {
	DCCPDIAG_GETSOCK = 19,
	SOCK_DIAG_BY_FAMILY = 20,
	SOCK_DESTROY = 21,

	INET_DIAG_REQ_BYTECODE = 1,
	INET_DIAG_REQ_PROTOCOL = 3,

	INET_DIAG_MEMINFO = 1,
	INET_DIAG_INFO = 2,
	INET_DIAG_CONG = 4,
	INET_DIAG_TOS = 5,
	INET_DIAG_TCLASS = 6,
	INET_DIAG_SKMEMINFO = 7,
	INET_DIAG_SHUTDOWN = 8,
	INET_DIAG_PROTOCOL = 10,
	INET_DIAG_SKV6ONLY = 11,
	INET_DIAG_MARK = 15,

	INET_DIAG_BC_NOP = 0,
	INET_DIAG_BC_JMP = 1,
	INET_DIAG_BC_S_GE = 2,
	INET_DIAG_BC_S_LE = 3,
	INET_DIAG_BC_D_GE = 4,
	INET_DIAG_BC_D_LE = 5,
	INET_DIAG_BC_AUTO = 6,
	INET_DIAG_BC_S_COND = 7,
	INET_DIAG_BC_D_COND = 8,
	INET_DIAG_BC_DEV_COND = 9,
	INET_DIAG_BC_MARK_COND = 10,
	INET_DIAG_BC_S_EQ = 11,
	INET_DIAG_BC_D_EQ = 12,

	UNIX_DIAG_NAME = 0,
	UNIX_DIAG_VFS = 1,
	UNIX_DIAG_PEER = 2,
	UNIX_DIAG_ICONS = 3,
	UNIX_DIAG_RQLEN = 4,
	UNIX_DIAG_MEMINFO = 5,
	UNIX_DIAG_SHUTDOWN = 6,
	UNIX_DIAG_UID = 7,
	UDIAG_SHOW_NAME = 1,
	UDIAG_SHOW_VFS = 2,
	UDIAG_SHOW_PEER = 4,
	UDIAG_SHOW_ICONS = 8,
	UDIAG_SHOW_RQLEN = 16,
	UDIAG_SHOW_MEMINFO = 32,
	UDIAG_SHOW_UID = 64,

	NETLINK_DIAG_MEMINFO = 0,
	NETLINK_DIAG_GROUPS = 1,
	NETLINK_DIAG_FLAGS = 4,
	NDIAG_SHOW_MEMINFO = 1,
	NDIAG_SHOW_GROUPS = 2,
	NDIAG_SHOW_FLAGS = 8,
	NDIAG_PROTO_ALL = 255,

	SK_MEMINFO_RMEM_ALLOC = 0,
	SK_MEMINFO_RCVBUF = 1,
	SK_MEMINFO_WMEM_ALLOC = 2,
	SK_MEMINFO_SNDBUF = 3,
	SK_MEMINFO_FWD_ALLOC = 4,
	SK_MEMINFO_WMEM_QUEUED = 5,
	SK_MEMINFO_OPTMEM = 6,
	SK_MEMINFO_BACKLOG = 7,
	SK_MEMINFO_DROPS = 8,
	SK_MEMINFO_VARS = 9,
};

/* Ports and addresses in network byte order. */
struct abi_inet_diag_sockid {
	uint16_t idiag_sport, idiag_dport;
	uint8_t idiag_src[16], idiag_dst[16];
	uint32_t idiag_if, idiag_cookie[2];
};

struct abi_inet_diag_req_v2 {
	uint8_t sdiag_family, sdiag_protocol, idiag_ext, pad;
	uint32_t idiag_states;
	struct abi_inet_diag_sockid id;
};
_Static_assert(sizeof(struct abi_inet_diag_req_v2) == 56, "");

struct abi_inet_diag_msg {
	uint8_t idiag_family, idiag_state, idiag_timer, idiag_retrans;
	struct abi_inet_diag_sockid id;
	uint32_t idiag_expires, idiag_rqueue, idiag_wqueue, idiag_uid, idiag_inode;
};
_Static_assert(sizeof(struct abi_inet_diag_msg) == 72, "");

struct abi_inet_diag_meminfo {
	uint32_t idiag_rmem, idiag_wmem, idiag_fmem, idiag_tmem;
};

struct abi_inet_diag_bc_op {
	uint8_t code, yes;
	uint16_t no;
};

struct abi_inet_diag_hostcond {
	uint8_t family, prefix_len;
	int32_t port; /* -1: any */
};

struct abi_inet_diag_markcond {
	uint32_t mark, mask;
};

struct abi_unix_diag_req {
	uint8_t sdiag_family, sdiag_protocol;
	uint16_t pad;
	uint32_t udiag_states, udiag_ino, udiag_show, udiag_cookie[2];
};

struct abi_unix_diag_msg {
	uint8_t udiag_family, udiag_type, udiag_state, pad;
	uint32_t udiag_ino, udiag_cookie[2];
};

struct abi_unix_diag_vfs {
	uint32_t udiag_vfs_ino, udiag_vfs_dev;
};

struct abi_unix_diag_rqlen {
	uint32_t udiag_rqueue, udiag_wqueue;
};

enum {
	PACKET_SHOW_INFO = 1,
	PACKET_SHOW_MEMINFO = 16,
	PACKET_DIAG_INFO = 0,
	PACKET_DIAG_UID = 5,
	PACKET_DIAG_MEMINFO = 6,
	PDI_RUNNING = 1,
	PDI_AUXDATA = 2,
	PDI_ORIGDEV = 4,
	PDI_VNETHDR = 8,
	PDI_LOSS = 16,
};

struct abi_packet_diag_req {
	uint8_t sdiag_family, sdiag_protocol;
	uint16_t pad;
	uint32_t pdiag_ino, pdiag_show, pdiag_cookie[2];
};

struct abi_packet_diag_msg {
	uint8_t pdiag_family, pdiag_type;
	uint16_t pdiag_num;
	uint32_t pdiag_ino, pdiag_cookie[2];
};

struct abi_packet_diag_info {
	uint32_t pdi_index, pdi_version, pdi_reserve, pdi_copy_thresh, pdi_tstamp, pdi_flags;
};

struct abi_netlink_diag_req {
	uint8_t sdiag_family, sdiag_protocol;
	uint16_t pad;
	uint32_t ndiag_ino, ndiag_show, ndiag_cookie[2];
};

struct abi_netlink_diag_msg {
	uint8_t ndiag_family, ndiag_type, ndiag_protocol, ndiag_state;
	uint32_t ndiag_portid, ndiag_dst_portid, ndiag_dst_group, ndiag_ino, ndiag_cookie[2];
};

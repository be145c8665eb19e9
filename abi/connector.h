#pragma once

/* NETLINK_CONNECTOR, and the process events that come through it: linux/connector.h, linux/cn_proc.h. */

#include <stdint.h>

enum {
	CN_IDX_PROC = 1,
	CN_VAL_PROC = 1,
	CONNECTOR_MAX_MSG_SIZE = 16384,

	PROC_CN_MCAST_LISTEN = 1,
	PROC_CN_MCAST_IGNORE = 2,
};

struct abi_cb_id {
	uint32_t idx, val;
};

struct abi_cn_msg {
	struct abi_cb_id id;
	uint32_t seq, ack;
	uint16_t len; /* of what follows */
	uint16_t flags;
};
_Static_assert(sizeof(struct abi_cn_msg) == 20, "");

#define PROC_EVENT_NONE     0u
#define PROC_EVENT_FORK     1u
#define PROC_EVENT_EXEC     2u
#define PROC_EVENT_UID      4u
#define PROC_EVENT_GID      0x40u
#define PROC_EVENT_SID      0x80u
#define PROC_EVENT_PTRACE   0x100u
#define PROC_EVENT_COMM     0x200u
#define PROC_EVENT_COREDUMP 0x40000000u
#define PROC_EVENT_EXIT     0x80000000u

/*
 * The words of data, by event: FORK the parent's pid and tgid, the child's. All others begin with
 * pid and tgid of whom it is about; then UID and GID the real and the effective id, COMM 16 bytes,
 * PTRACE the tracer's pid and tgid, COREDUMP the parent's, EXIT wait status, signal, the parent's.
 * NONE, an answer: an errno.
 */
struct abi_proc_event {
	uint32_t what;
	uint32_t cpu;
	uint64_t timestamp_ns; /* CLOCK_MONOTONIC */
	uint32_t data[6];
};
_Static_assert(sizeof(struct abi_proc_event) == 40, "");

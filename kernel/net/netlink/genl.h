#pragma once

/*
 * NETLINK_GENERIC: families of messages that have a name; their numbers are given as they come, and
 * a program asks the controller for them.
 */

#include "lib/types.h"

struct nlmsgs;
struct nlrequest;

struct genl_op {
	uint8_t cmd;
	uint8_t flags; /* GENL_*: ADMIN_PERM asks for CAP_NET_ADMIN */
};

struct genl_family {
	const char *name;
	uint16_t id; /* set by genl_register() */
	uint8_t version;
	uint32_t max_attribute;
	const struct genl_op *ops;
	unsigned nops;
	const char *group; /* name of its multicast group, or NULL */
	uint32_t group_id;
	/* One of its commands, behind a struct abi_genlmsghdr. As netlink_protocol_ops.request. */
	int (*request)(struct nlrequest *r, uint8_t cmd, struct nlmsgs **reply);
	struct genl_family *next;
};

void genl_init(void);                      /* boot, after netlink_init() */
void genl_register(struct genl_family *f); /* boot, after genl_init(); kept */

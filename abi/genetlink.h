#pragma once

/* NETLINK_GENERIC and its controller. */

#include <stdint.h>

struct abi_genlmsghdr {
	uint8_t cmd, version;
	uint16_t reserved;
};

enum {
	GENL_ID_CTRL = 0x10,
	GENL_START_ALLOC = 0x13, /* the first number that is not spoken for */
	GENL_NAMSIZ = 16,
	GENL_ADMIN_PERM = 1,
	GENL_CMD_CAP_DO = 2,
	GENL_CMD_CAP_DUMP = 4,
	GENL_CMD_CAP_HASPOL = 8,

	CTRL_CMD_NEWFAMILY = 1,
	CTRL_CMD_GETFAMILY = 3,

	CTRL_ATTR_FAMILY_ID = 1,
	CTRL_ATTR_FAMILY_NAME = 2,
	CTRL_ATTR_VERSION = 3,
	CTRL_ATTR_HDRSIZE = 4,
	CTRL_ATTR_MAXATTR = 5,
	CTRL_ATTR_OPS = 6,
	CTRL_ATTR_MCAST_GROUPS = 7,
	CTRL_ATTR_OP_ID = 1,
	CTRL_ATTR_OP_FLAGS = 2,
	CTRL_ATTR_MCAST_GRP_NAME = 1,
	CTRL_ATTR_MCAST_GRP_ID = 2,
};

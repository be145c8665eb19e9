#pragma once

/* NETLINK_GENERIC. */

void genl_init(void); /* boot, after netlink_init() */

#pragma once

/* NETLINK_ROUTE: who answers which message. source: rtnetlink(7) */

#include "net/netlink/netlink.h"

/*
 * How a type of message is answered. net_config_lock is held around both; permission for what is
 * no GET has been checked (CAP_NET_ADMIN).
 *   doit   as netlink_protocol_ops.request, without a dump
 *   more   as nldump.more; NULL: no dumps
 *   start  looks at a dump's request, for filters; NULL: there are none. 0, or -errno: the
 *          dump says so in its end
 */
struct rtnl_handler {
	uint16_t type;  /* RTM_* */
	uint8_t family; /* AF_*; AF_UNSPEC: any that has none of its own */
	int (*doit)(struct nlrequest *r, struct nlmsgs **reply);
	int (*more)(struct nldump *d, struct nlmsgs *m);
	int (*start)(struct nlrequest *r, struct nldump *d);
	struct rtnl_handler *next;
};
void rtnetlink_init(void); /* boot, after netlink_init() and before devices */
void rtnl_register(struct rtnl_handler *h);

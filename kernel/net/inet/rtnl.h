#pragma once

/* Addresses, routes, rules and neighbours by netlink; reports of their changes. */

#include "lib/types.h"

struct fib_route;
struct fib_rule;
struct ifaddr;
struct neighbour_info;

void inet_rtnl_init(void);
/* net_config_lock. type: RTM_NEW* or RTM_DEL*; flags: of the message */
void rtnl_report_addr(const struct ifaddr *a, unsigned type);
void rtnl_report_route(bool v4, const struct fib_route *f, unsigned type, unsigned flags);
void rtnl_report_rule(bool v4, const struct fib_rule *r, unsigned type);
void rtnl_report_neigh(const struct neighbour_info *n, unsigned type); /* threads; no NEIGH lock */

#pragma once

/* Addresses, routes, rules and neighbours by netlink; reports of their changes. */

#include "lib/types.h"

struct fib_route;
struct fib_rule;
struct ifaddr;
struct ipv6_addr;
struct neighbour_info;
struct netdev;

void inet_rtnl_init(void);
/* net_config_lock. type: RTM_NEW* or RTM_DEL*; flags: of the message */
void rtnl_report_addr(const struct ifaddr *a, unsigned type);
void rtnl_report_route(bool v4, const struct fib_route *f, unsigned type, unsigned flags);
void rtnl_report_rule(bool v4, const struct fib_rule *r, unsigned type);
void rtnl_report_neigh(const struct neighbour_info *n, unsigned type); /* threads; no NEIGH lock */
/* What is set for a device (its index, or enum inet_conf_subject) has changed: a word of c. */
struct inet_conf;
void rtnl_report_conf(int of, const struct inet_conf *c, bool v4, unsigned word);
/* The options of a router advertisement that are for user space: name servers, search lists. */
void rtnl_report_ndp_options(const struct netdev *d, const uint8_t *advert, uint32_t n,
			     const struct ipv6_addr *router);

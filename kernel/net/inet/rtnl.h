#pragma once

/* Addresses and routes by netlink; reports of their changes. */

struct ifaddr;

void inet_rtnl_init(void);
void rtnl_report_addr(const struct ifaddr *a, unsigned type); /* net_config_lock */

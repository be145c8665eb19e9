/* Reports of changed addresses by netlink. */

#include "net/inet/rtnl.h"

/* Nobody can hear of it: there are no messages about addresses. */
void rtnl_report_addr(const struct ifaddr *a, unsigned type)
{
	(void)a, (void)type;
}

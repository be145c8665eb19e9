/* Multicast groups. See mcast.h. */

#include "net/inet/mcast.h"

#include "abi/errno.h"

int inet_mcast_setsockopt(struct inet_sock *i, int level, int name, uaddr_t val, uint32_t len)
{
	(void)i, (void)level, (void)name, (void)val, (void)len;
	return -ENOPROTOOPT;
}

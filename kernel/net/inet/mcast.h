#pragma once

/* Multicast groups of sockets and devices: ip(7), ipv6(7), RFC 3678. */

#include "net/inet/sock.h"

/* The options about groups, of both levels; -ENOPROTOOPT: it is none of them. */
int inet_mcast_setsockopt(struct inet_sock *i, int level, int name, uaddr_t val, uint32_t len);

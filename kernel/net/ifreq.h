#pragma once

/* The ioctls of netdevice(7) about devices, which a socket of any family takes. */

#include "lib/types.h"

struct socket;

/* 0 or more; -errno; -ENOTTY: none of these. arg: a user's struct ifreq. Threads without locks. */
int64_t netdev_ioctl(struct socket *s, unsigned cmd, uint64_t arg);

/* SIOCETHTOOL. ethtool(8). */
struct netdev;
int64_t ethtool_ioctl(struct netdev *d, uint64_t data);

#pragma once

/* Routes and neighbours by ioctl: <linux/route.h>, <linux/ipv6_route.h>, <linux/if_arp.h>. */

#include <stdint.h>

struct abi_rtentry {
	uint64_t rt_pad1;
	uint8_t rt_dst[16], rt_gateway[16], rt_genmask[16]; /* struct sockaddr */
	uint16_t rt_flags;
	int16_t rt_pad2;
	uint64_t rt_pad3, rt_pad4;
	int16_t rt_metric; /* one more than the metric */
	uint64_t rt_dev;   /* a user pointer to a name */
	uint64_t rt_mtu, rt_window;
	uint16_t rt_irtt;
};
_Static_assert(sizeof(struct abi_rtentry) == 120, "");

struct abi_in6_rtmsg {
	uint8_t rtmsg_dst[16], rtmsg_src[16], rtmsg_gateway[16];
	uint32_t rtmsg_type;
	uint16_t rtmsg_dst_len, rtmsg_src_len;
	uint32_t rtmsg_metric;
	uint64_t rtmsg_info;
	uint32_t rtmsg_flags;
	int32_t rtmsg_ifindex;
};

enum {
	RTF_UP = 1,
	RTF_GATEWAY = 2,
	RTF_HOST = 4,
	RTF_MTU = 0x40,
	RTF_WINDOW = 0x80,
	RTF_IRTT = 0x100,
	RTF_REJECT = 0x200,
};

struct abi_arpreq {
	uint8_t arp_pa[16], arp_ha[16]; /* struct sockaddr */
	int32_t arp_flags;
	uint8_t arp_netmask[16];
	char arp_dev[16];
};

enum { ATF_COM = 2, ATF_PERM = 4, ATF_PUBL = 8, ATF_USETRAILERS = 0x10, ATF_NETMASK = 0x20 };

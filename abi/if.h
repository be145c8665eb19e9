#pragma once

/* Network interfaces: <net/if.h>, <net/if_arp.h>; netdevice(7). */

#include <stdint.h>

enum {
	IFF_UP = 0x1,
	IFF_BROADCAST = 0x2,
	IFF_DEBUG = 0x4,
	IFF_LOOPBACK = 0x8,
	IFF_POINTOPOINT = 0x10,
	IFF_NOTRAILERS = 0x20,
	IFF_RUNNING = 0x40,
	IFF_NOARP = 0x80,
	IFF_PROMISC = 0x100,
	IFF_ALLMULTI = 0x200,
	IFF_MASTER = 0x400,
	IFF_SLAVE = 0x800,
	IFF_MULTICAST = 0x1000,
	IFF_PORTSEL = 0x2000,
	IFF_AUTOMEDIA = 0x4000,
	IFF_DYNAMIC = 0x8000,
	IFF_LOWER_UP = 0x10000,
	IFF_DORMANT = 0x20000,
	IFF_ECHO = 0x40000,
};

enum { ARPHRD_ETHER = 1, ARPHRD_LOOPBACK = 772, ARPHRD_NONE = 0xfffe };

enum { IFNAMSIZ = 16 };

struct abi_ifmap {
	uint64_t mem_start, mem_end;
	uint16_t base_addr;
	uint8_t irq, dma, port, __pad[3];
};

struct abi_ifreq {
	char ifr_name[IFNAMSIZ];
	union {
		struct {
			uint16_t family;
			uint8_t data[14];
		} addr; /* a struct sockaddr */
		struct {
			uint16_t family, port;
			uint32_t addr; /* network order */
			uint8_t zero[8];
		} in;
		int16_t flags;
		int32_t value; /* index, metric, mtu, queue length */
		char newname[IFNAMSIZ];
		struct abi_ifmap map;
		uint64_t data; /* a user pointer */
	};
};
_Static_assert(sizeof(struct abi_ifreq) == 40, "");

struct abi_ifconf {
	int32_t ifc_len;
	uint64_t ifc_buf; /* a user pointer */
};

struct abi_in6_ifreq {
	uint8_t ifr6_addr[16];
	uint32_t ifr6_prefixlen;
	int32_t ifr6_ifindex;
};

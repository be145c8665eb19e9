#pragma once

/* Between the files of net/packet. */

#include "abi/if_packet.h"
#include "core/spinlock.h"
#include "net/netif.h"
#include "net/socket.h"
#include "sched/mutex.h"

struct packet_ring;
struct packet_group;
struct vm_map_args;

/* What is remembered of a frame that waits; in pkt->cb. */
struct packet_info {
	uint32_t len; /* before it was cut */
	uint32_t status;
	int32_t ifindex;
	uint16_t hw_type, protocol;
	uint8_t type, halen, addr[8];
};
STATIC_ASSERT(sizeof(struct packet_info) <= PKT_CB);
static inline struct packet_info *packet_info(const struct pkt *p)
{
	return (struct packet_info *)(uintptr_t)p->cb;
}

/* A reason to hear more, given with PACKET_ADD_MEMBERSHIP. */
struct packet_member {
	struct packet_member *next;
	int ifindex;
	uint16_t type, alen;
	uint8_t addr[8];
	unsigned count;
};

struct packet_sock {
	struct socket s; /* first */
	struct net_tap tap;
	struct list node;              /* of all; net_config_lock, as the next three */
	bool tapped;                   /* the tap is in place */
	uint16_t protocol;             /* EtherType; 0: nothing is received */
	int ifindex;                   /* bound to; 0: every device */
	struct packet_member *members; /* net_config_lock */
	struct spinlock lock;          /* PACKET: all below */
	struct list queue;
	uint32_t queued;
	uint32_t packets, drops, freezes; /* since they were asked for */
	struct packet_ring *rx, *tx;      /* rx also read under an epoch */
	struct packet_group *group;       /* net_config_lock to set; read under an epoch */
	_Atomic unsigned nmapped;
	uint32_t version, reserve;
	bool auxdata, origdev, loss, ignore_outgoing, has_vnet;
	struct epoch_head epoch;
};

static inline struct packet_sock *packet_of(struct socket *s)
{
	return container_of(s, struct packet_sock, s);
}

/* sock.c */
uint32_t packet_put_name(const struct packet_info *i, struct abi_sockaddr_ll *out);
/* Sends the frame p, which begins with the link header or (SOCK_DGRAM) behind it; consumes it. */
struct packet_dest {
	struct netdev *dev;
	uint16_t protocol;
	uint8_t addr[8];
};
int packet_send_frame(struct packet_sock *k, struct pkt *p, const struct packet_dest *to);
MUST_CHECK int packet_get_dest(struct packet_sock *k, const void *name, uint32_t len,
			       struct packet_dest *out);

/* option.c */
int packet_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len);
int packet_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len);
void packet_drop_members(struct packet_sock *k); /* net_config_lock */

/* ring.c */
/* Makes, or with no blocks removes, a ring. 0 or -errno. */
MUST_CHECK int packet_set_ring(struct packet_sock *k, uaddr_t val, uint32_t len, bool tx);
void packet_free_rings(struct packet_sock *k);
/* The frame c, cut to snap bytes, into the ring; false: there is no room. Under an epoch. */
MUST_CHECK bool packet_ring_put(struct packet_sock *k, struct packet_ring *r, const struct pkt *c,
				uint32_t snap);
bool packet_ring_is_readable(const struct packet_ring *r);
/* Sends what user space put into the ring. Bytes; -errno. */
ssize64_t packet_ring_send(struct packet_sock *k, const struct packet_dest *to);
int packet_mmap(struct socket *s, struct vm_map_args *a);
int packet_header_len(uint32_t version); /* -EINVAL: no such version */

/* fanout.c */
MUST_CHECK int packet_join(struct packet_sock *k, uint32_t how); /* net_config_lock */
void packet_leave(struct packet_sock *k);                        /* net_config_lock */
bool packet_is_for(const struct packet_sock *k, const struct packet_group *g, const struct pkt *p);
uint32_t packet_group_value(const struct packet_sock *k);

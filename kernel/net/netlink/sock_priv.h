#pragma once

/* Between sock.c and names.c of net/netlink. */

#include "core/spinlock.h"
#include "net/netlink/netlink.h"
#include "sched/mutex.h"

enum {
	OPT_PKTINFO = 1,
	OPT_BROADCAST_ERROR = 2,
	OPT_NO_ENOBUFS = 4,
	OPT_CAP_ACK = 8,
	OPT_EXT_ACK = 16,
	OPT_STRICT = 32
};

struct netlink_sock {
	struct socket s;                    /* first */
	struct netlink_protocol_ops *proto; /* immutable */
	uint32_t portid;                    /* 0: not bound; names_lock to set, once */
	uint32_t peer_port, peer_groups;    /* of connect(2); racy */
	_Atomic uint64_t groups;            /* bit n-1: listens to group n; names_lock to set */
	_Atomic uint32_t options;           /* OPT_* */
	struct mutex reading;               /* NLREAD */
	struct spinlock lock;               /* NETLINK */
	struct list queue;                  /* struct nlmsgs; lock */
	uint32_t queued;                    /* bytes; lock */
	bool overrun;                       /* lock: a report was lost, nobody was told yet */
	bool dumping;                       /* reading */
	uint32_t read_size;                 /* what the reader has room for */
	struct nldump dump;                 /* reading */
	struct netlink_sock *hash_next;     /* names_lock */
	struct list listener;               /* names_lock; linked while groups != 0 */
};

static inline struct netlink_sock *nl_of(struct socket *s)
{
	return container_of(s, struct netlink_sock, s);
}

static inline bool nl_has_option(const struct netlink_sock *n, uint32_t o)
{
	return atomic_load_explicit(&n->options, memory_order_relaxed) & o;
}

/* sock.c. True: queued, or its filter wants none of it. False: the queue is full, m is still the
 * caller's. */
MUST_CHECK bool nl_enqueue(struct netlink_sock *n, struct nlmsgs *m, bool limited);
void nl_wake_reader(struct netlink_sock *n);

/* names.c */
MUST_CHECK struct nlmsgs *nl_copy(const struct nlmsgs *m); /* NULL: no memory */
/* The socket with this port, counted; NULL: none. */
MUST_CHECK struct netlink_sock *nl_lookup_port(const struct netlink_protocol_ops *p, uint32_t port);
MUST_CHECK bool nl_take_port(struct netlink_sock *n, uint32_t port); /* false: another has it */
void nl_autobind(struct netlink_sock *n);
void nl_set_groups(struct netlink_sock *n, uint64_t groups); /* the mask wanted now */
void nl_forget(struct netlink_sock *n);                      /* it is released */

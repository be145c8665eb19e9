#pragma once

/*
 * What UDP, raw and ping sockets have in common: a queue of received packets, the memory of those
 * under way, a peer, and the ways of a message in and out.
 *
 * Input runs under an epoch and counts no socket that it finds: a closed one says so under its
 * lock, and its memory outlives the epoch. Memory of packets that a device has not sent yet is
 * charged to the sender (`wmem`), and counts the socket's memory too: who gives the last of it back
 * frees it.
 *   source       udp(7), raw(7), ip(7), ipv6(7)
 */

#include "net/inet/sock.h"
#include "sched/mutex.h"

enum { DGRAM_SHUT_RCV = 1, DGRAM_SHUT_SND = 2, DGRAM_SHUT_BOTH = 3 };

struct dgram_sock;
struct inet_shown;

struct dgram_ops {
	struct spinlock *names; /* guards local, remote and ports */
	struct slab_cache **cache;
	/* The names have changed: finds its place in the protocol's tables. `names` held. NULL:
	 * nothing to do. */
	void (*place_locked)(struct dgram_sock *d);
	int (*autobind)(struct dgram_sock *d); /* connect(2) and sends do so; NULL: no ports */
	bool no_ports;                         /* sockets have none */
	bool any_port;                         /* a peer's may be 0 */
	bool is_udp, is_lite;                  /* counts as UDP, or UDP-Lite */
};

struct dgram_sock {
	struct inet_sock i; /* first */
	const struct dgram_ops *ops;
	struct spinlock lock; /* INETQ */
	struct list queue;    /* packets as the user reads them; lock */
	uint32_t queued;      /* bytes of memory; lock */
	uint32_t dropped;     /* for SO_RXQ_OVFL; lock */
	bool closed;          /* lock */
	_Atomic uint32_t shutdown;
	_Atomic uint32_t wmem; /* bytes of memory on their way, and one for the socket */
	struct ip_path path;   /* to the connected peer, while its generation is the newest; lock */
	int path_oif;          /* that it was found for */
};

/* What a packet in a queue knows; in its cb. */
struct dgram_cb {
	struct ip_info ip; /* first */
	uint16_t port;     /* of the sender; 0: none */
	uint32_t dropped;  /* how many were when it came */
};
STATIC_ASSERT(sizeof(struct dgram_cb) <= PKT_CB);

static inline struct dgram_cb *dgram_cb(const struct pkt *p)
{
	return (struct dgram_cb *)(uintptr_t)p->cb;
}

static inline struct dgram_sock *dgram_of(struct socket *s)
{
	return container_of(s, struct dgram_sock, i.s);
}

void dgram_init(struct dgram_sock *d, const struct dgram_ops *ops);
void dgram_release(struct socket *s); /* the protocol has taken it out of its tables */
void dgram_destroy(struct socket *s);

/* --- in --- */

/* Puts p, whose filter has been asked, into the queue and wakes readers; consumes p. Under an
 * epoch. */
void dgram_enqueue(struct dgram_sock *d, struct pkt *p);
ssize64_t dgram_recv(struct socket *s, struct sockmsg *m);
uint32_t dgram_poll(struct socket *s, struct poll_ctx *ctx);

/*
 * An ICMP error came back for a packet of this socket: it is queued when the user asked so, and
 * becomes the socket's pending error.
 *   sent, port   where the packet went
 *   back         what came back of it, as the user is to see it; NULL: nothing. Consumed
 *   context      under an epoch
 */
void dgram_icmp_error(struct dgram_sock *d, const struct ip_info *sent, uint16_t port,
		      const struct ip_error *e, struct pkt *back);

/* --- out --- */

/* One message to be sent. */
struct dgram_send {
	struct ipv6_addr to;
	uint16_t port;
	bool connected; /* to the peer */
	struct inet_control c;
	struct ip_path path;
};

/*
 * Reads the message's address and control data, and finds the way.
 *   returns      0; -EDESTADDRREQ, -EINVAL, -EAFNOSUPPORT, -ENETUNREACH, -EACCES (broadcast),
 * -EPIPE, the pending error … context      threads; does not sleep but for page faults
 */
MUST_CHECK int dgram_prepare(struct dgram_sock *d, const struct sockmsg *m, struct dgram_send *s);

/* Waits until the send buffer has room. 0; -EAGAIN, -EINTR, -EPIPE, the pending error. */
MUST_CHECK int dgram_wait_for_room(struct dgram_sock *d, uint32_t flags);

/* What ip_output() is to be told. */
void dgram_set_send(const struct dgram_sock *d, const struct dgram_send *s, uint8_t proto,
		    struct ip_send *out);

/* 0; -EMSGSIZE: a packet of `len` bytes with its transport header may not be sent, and the user
 * hears why. */
MUST_CHECK int dgram_check_size(struct dgram_sock *d, const struct dgram_send *s,
				const struct ip_send *out, size_t len);

/* Charges p to d and sends it; consumes it. What goes through lo has arrived afterwards. */
MUST_CHECK int dgram_output(struct dgram_sock *d, struct pkt *p, const struct ip_send *out);

/* Fills what /proc/net shows; the slot is the caller's. Under an epoch. */
void dgram_show(const struct dgram_sock *d, struct inet_shown *out);

/* The same for a packet with its network header, for the path. */
MUST_CHECK int dgram_output_whole(struct dgram_sock *d, struct pkt *p, const struct ip_path *path,
				  uint16_t type);

/* --- names --- */

int dgram_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock);
int dgram_shutdown(struct socket *s, int how);
int64_t dgram_ioctl(struct socket *s, unsigned cmd, uint64_t arg);
void dgram_meminfo(struct socket *s, uint32_t info[]); /* SO_MEMINFO */

#pragma once

/*
 * Errors that a socket with IP_RECVERR or IPV6_RECVERR keeps until recvmsg(2) with MSG_ERRQUEUE
 * asks for them, each with what came back of the packet it is about.
 *   source       ip(7) IP_RECVERR, recv(2) MSG_ERRQUEUE
 */

#include "abi/in.h"
#include "core/spinlock.h"
#include "lib/list.h"
#include "net/wire.h"

struct inet_sock;
struct pkt;
struct sockmsg;

struct inet_errq {
	struct spinlock lock; /* INETERR */
	struct list list;     /* of packets whose cb has the error; lock */
	uint32_t bytes;       /* lock */
};

struct inet_error {
	struct abi_sock_extended_err ee;
	struct ipv6_addr offender; /* who sent the ICMP message; unspecified: this machine */
	struct ipv6_addr dst;      /* where the packet went */
	uint16_t port;
	int ifindex;
};

void inet_errq_init(struct inet_errq *q);
void inet_errq_purge(struct inet_errq *q);

/* Keeps an error about `data` (consumed; what the user will read; NULL: no bytes). The socket's
 * pending error is the caller's. */
void inet_errq_add(struct inet_sock *i, const struct inet_error *e, struct pkt *data);

static inline bool inet_errq_is_empty(const struct inet_errq *q)
{
	return *(struct list *const volatile *)&q->list.next == &q->list;
}

/* EPOLLERR when there is something to be told. */
uint32_t inet_errq_poll(const struct inet_sock *i);

/* --- timestamp.c --- */

/* p, which is to be sent, will be stamped as flags (SOF_TIMESTAMPING_*) say. */
void inet_stamp_sent(struct inet_sock *i, struct pkt *p, uint32_t flags);
/* A send with MSG_ZEROCOPY is over: the user's memory is free again, for it was copied. */
void inet_tell_copied(struct inet_sock *i);

/* recvmsg(2) with MSG_ERRQUEUE: bytes; -EAGAIN: there is none. */
ssize64_t inet_errq_recv(struct inet_sock *i, struct sockmsg *m);

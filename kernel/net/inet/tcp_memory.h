#pragma once

/*
 * What the queues of all connections take together (tcp(7) tcp_mem), and connections without a file
 * (tcp_max_orphans). Small queues are free.
 */

#include "net/inet/tcp_sock.h"

enum { TCP_FREE_BYTES = 16384 }; /* a queue of this size may be had in any case */

/* May a queue that holds `held` bytes grow? */
MUST_CHECK bool tcps_may_queue(uint32_t held);
bool tcps_under_pressure(void);

/* Lock held, when the queues have grown or shrunk. */
void tcps_charge_slow(struct tcp_sock *t, uint32_t held);
static inline void tcps_charge(struct tcp_sock *t)
{
	uint32_t held = t->rcvq_bytes + tcps_queued(t);

	if (UNLIKELY(held > t->charged + TCP_FREE_BYTES || t->charged))
		tcps_charge_slow(t, held);
}

/* t's lock held. False: there are too many, or too little memory. */
MUST_CHECK bool tcps_adopt_orphan(struct tcp_sock *t);
void tcps_bury_orphan(struct tcp_sock *t); /* nothing when it is none */

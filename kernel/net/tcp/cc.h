#pragma once

/*
 * Congestion control: how the window grows in congestion avoidance, and what is left of it after a
 * loss. Slow start and everything else is common (recovery.c). Windows are bytes.
 *
 *   source       RFC 5681 (Reno), RFC 9438 (CUBIC)
 */

#include "lib/types.h"

struct tcp_cc {
	bool reno;
	bool epoch_valid;
	nsec_t epoch;      /* CUBIC: when this phase of congestion avoidance began */
	uint32_t k_ms;     /* CUBIC: time from then until w_max is reached again */
	uint32_t w_max;    /* the window at the last reduction */
	uint32_t w_origin; /* where the curve is flat */
	uint32_t w_est;    /* what Reno would have */
	uint32_t cwnd_prior;
	uint64_t credit; /* parts of a byte, times cwnd */
	uint64_t est_credit;
};

void tcp_cc_init(struct tcp_cc *cc, bool reno);

/* The slow start threshold after congestion was noticed with window cwnd. */
uint32_t tcp_cc_reduce(struct tcp_cc *cc, uint32_t cwnd, uint32_t mss);

/* Congestion avoidance: `acked` bytes arrived, the window was the limit. Returns the new window. */
uint32_t tcp_cc_grow(struct tcp_cc *cc, uint32_t cwnd, uint32_t mss, uint32_t acked,
		     uint32_t rtt_us, nsec_t now);

/* A retransmission time-out, or a pause: the curve starts anew. */
void tcp_cc_restart(struct tcp_cc *cc);

/* Largest x with x*x*x <= v. */
uint32_t tcp_cube_root(uint64_t v);

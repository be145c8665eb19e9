#pragma once

/*
 * The scoreboard: what is known of each sequence number in flight, [una, end), as runs of equal
 * fate. A run says when it was last sent and whether it was SACKed, is believed lost, or was
 * retransmitted. Data sent within one quantum shares a run, so that their number follows the round
 * trip and the holes, not the window. Where the array is full, similar neighbours become one, and
 * a SACK that still finds no room is not noted: SACK is advice (RFC 2018 8).
 *
 *   source       RFC 2018, 6675 (what is known), RFC 8985 (time of the last transmission)
 */

#include "lib/types.h"

enum { TCP_RUNS = 64 };

enum tcp_run_flag {
	TCP_RUN_SACKED = 1,
	TCP_RUN_LOST = 2,    /* to be sent again */
	TCP_RUN_RETRANS = 4, /* was sent again at sent_us; with LOST: and was lost again */
};

struct tcp_run {
	uint32_t start;   /* it ends where the next one starts */
	uint32_t sent_us; /* the last transmission, of the last byte of the run */
	uint32_t flags;
};

struct tcp_runs {
	uint32_t end;    /* = SND.NXT */
	uint32_t sacked; /* bytes in runs with SACKED … */
	uint32_t lost;   /* … and with LOST */
	uint32_t fack;   /* the highest sequence number known to have arrived */
	uint32_t n;
	struct tcp_run run[TCP_RUNS];
};

/* What one acknowledgement newly says to have arrived: filled by tcp_runs_sack() and _ack(). */
struct tcp_delivery {
	uint32_t now_us, min_rtt_us; /* in: RFC 8985 6.2 step 2 */
	uint32_t echo_age_us; /* in: when the segment it answers was sent; 0: it does not say */
	uint32_t bytes;
	uint32_t sent_us, end; /* with `any`: the one sent last */
	uint32_t rtt_sent_us;  /* with `has_rtt`: the last one whose round trip is certain */
	uint32_t fack;
	bool any, has_rtt;
	bool reordered;   /* something sent once arrived after what was sent later */
	bool was_retrans; /* something retransmitted is among it */
};

void tcp_runs_init(struct tcp_runs *r, uint32_t start);

/* First sequence number in flight; r->end when nothing is. */
static inline uint32_t tcp_runs_start(const struct tcp_runs *r)
{
	return r->n ? r->run[0].start : r->end;
}

static inline uint32_t tcp_run_end(const struct tcp_runs *r, uint32_t i)
{
	return i + 1 < r->n ? r->run[i + 1].start : r->end;
}

/* Bytes believed to be in the network: RFC 6675 pipe. */
static inline uint32_t tcp_runs_pipe(const struct tcp_runs *r)
{
	return r->end - tcp_runs_start(r) - r->sacked - r->lost;
}

/* [r->end, r->end + len) was sent and has arrived; nothing else is in flight. */
static inline void tcp_runs_skip(struct tcp_runs *r, uint32_t len)
{
	r->end += len;
	r->fack = r->end;
}

/* [r->end, r->end + len) was sent. Sendings less than quantum_us apart share a run. */
void tcp_runs_append(struct tcp_runs *r, uint32_t len, uint32_t now_us, uint32_t quantum_us);

/* Everything before una has arrived. una lies in [start, end]. */
void tcp_runs_ack(struct tcp_runs *r, uint32_t una, struct tcp_delivery *d);

/* [start, end) has arrived. Returns false when it says nothing that fits what is in flight. */
bool tcp_runs_sack(struct tcp_runs *r, uint32_t start, uint32_t end, struct tcp_delivery *d);

/* To be called once after the calls above for one acknowledgement: takes d->fack over. */
void tcp_runs_delivered(struct tcp_runs *r, const struct tcp_delivery *d);

/*
 * RFC 8985 6.2 step 5: what was sent before (sent_us, end), the last known to have arrived, and
 * has taken longer than rtt_us + reo_us, is lost.
 *   wait_us      set to the time after which to look again; 0: nothing to wait for
 *   returns      true when something was marked
 */
bool tcp_runs_detect_lost(struct tcp_runs *r, const struct tcp_delivery *last, uint32_t rtt_us,
			  uint32_t reo_us, uint32_t now_us, uint32_t *wait_us);

/* Marks all that was not SACKED as lost; forget: the SACKs are void as well (reneging). */
void tcp_runs_lose_all(struct tcp_runs *r, bool forget);

/* Marks the first `len` bytes lost, unless they are SACKED. */
void tcp_runs_lose_head(struct tcp_runs *r, uint32_t len);

/* The reverse, for losses that were none. */
void tcp_runs_unlose(struct tcp_runs *r);

/* The first lost range; false when there is none. */
bool tcp_runs_first_lost(const struct tcp_runs *r, uint32_t *start, uint32_t *end);

/* [start, start+len), the beginning of a lost range or in a run that is not, was sent again. */
void tcp_runs_retransmitted(struct tcp_runs *r, uint32_t start, uint32_t len, uint32_t now_us,
			    uint32_t quantum_us);

#pragma once

/* Inside the TCP machine: what its files ask of each other. */

#include "net/tcp/seq.h"
#include "net/tcp/tcp.h"

enum tcp_ack_pending { TCP_ACK_NONE, TCP_ACK_DELAYED, TCP_ACK_NOW };

/* Bits of tcp_conn.pending: segments out of the ordinary. */
enum tcp_pending {
	TCP_SEND_SYN = 1,         /* SYN or SYN-ACK, by the state */
	TCP_SEND_RESET = 2,       /* the connection is over and the peer is to know */
	TCP_SEND_RESET_REPLY = 4, /* RST at rst_seq: RFC 9293 3.10.7.3 */
	TCP_SEND_PROBE = 8,       /* nothing, before the window: to be answered with an ACK */
	TCP_SEND_TLP = 16,
};

/* One acknowledgement on its way through the sender. */
struct tcp_ack {
	const struct tcp_seg *s;
	nsec_t now;
	uint32_t acked;     /* sequence numbers acknowledged for the first time */
	uint32_t delivered; /* bytes that arrived, cumulatively or SACKed */
	bool duplicate;     /* RFC 5681 2 */
	bool dsack;
	struct tcp_delivery d;
};

static inline uint32_t tcp_us(nsec_t t)
{
	return (uint32_t)(t / NSEC_PER_USEC);
}

/* The clock of timestamps: milliseconds. */
static inline uint32_t tcp_ts_now(const struct tcp_conn *c, nsec_t now)
{
	return (uint32_t)(now / NSEC_PER_MSEC) + c->ts_offset;
}

/* Transmissions less than this apart share a run and are told apart by nobody. */
static inline uint32_t tcp_quantum_us(const struct tcp_conn *c)
{
	return c->rtt.srtt_us >> 7; /* a sixteenth of the round trip */
}

static inline bool tcp_in_flight(const struct tcp_conn *c)
{
	return c->snd_nxt != c->snd_una;
}

/* The states in which the peer may still send. */
static inline bool tcp_can_receive(const struct tcp_conn *c)
{
	return c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT1 ||
	       c->state == TCP_FIN_WAIT2;
}

static inline bool tcp_is_opening(const struct tcp_conn *c)
{
	return c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV;
}

/* Established or later, and not over. */
static inline bool tcp_is_synchronized(const struct tcp_conn *c)
{
	return !tcp_is_opening(c) && c->state != TCP_CLOSE && c->state != TCP_TIME_WAIT;
}

/* conn.c */
void tcp_conn_reset(struct tcp_conn *c, const struct tcp_config *cfg, nsec_t now);
void tcp_apply_syn_options(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now);
void tcp_established(struct tcp_conn *c, nsec_t now);
void tcp_fail(struct tcp_conn *c, int error);
void tcp_finish(struct tcp_conn *c);
void tcp_update_mss(struct tcp_conn *c);
void tcp_enter_time_wait(struct tcp_conn *c);
void tcp_start_linger(struct tcp_conn *c, nsec_t now);

/* rtt.c */
void tcp_rtt_init(struct tcp_rtt *r);
void tcp_rtt_sample(struct tcp_rtt *r, uint32_t us);
nsec_t tcp_backed_off(nsec_t rto, unsigned backoff);
nsec_t tcp_give_up_after(unsigned retries);

/* ack.c: false when the segment is to be dropped */
MUST_CHECK bool tcp_ack_input(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now);

/* recovery.c */
uint32_t tcp_pipe(const struct tcp_conn *c);
uint32_t tcp_initial_window(uint32_t mss);
void tcp_recover(struct tcp_conn *c, struct tcp_ack *a);
void tcp_lose_all(struct tcp_conn *c);
void tcp_rack_timer(struct tcp_conn *c, nsec_t now);
void tcp_retransmission_sent(struct tcp_conn *c, uint32_t bytes, nsec_t now);

/* receive.c */
void tcp_receive(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now, struct tcp_store *store);
void tcp_note_duplicate(struct tcp_conn *c, uint32_t start, uint32_t end);
unsigned tcp_sack_blocks(const struct tcp_conn *c, struct tcp_range *out, unsigned max);

/* An ACK for a segment that does not fit, no more than one in TCP_OOW_ACK_NS: RFC 5961 7. */
void tcp_challenge(struct tcp_conn *c, nsec_t now);

/* output.c: the window to announce, scaled, which counts as announced; an ACK, counted as sent;
 * what a SYN announces, not scaled; the largest window that can be announced now */
uint16_t tcp_announce_window(struct tcp_conn *c);
void tcp_make_ack(struct tcp_conn *c, nsec_t now, struct tcp_seg *out);
uint32_t tcp_syn_window(const struct tcp_conn *c);
uint32_t tcp_window_offer(const struct tcp_conn *c);
uint32_t tcp_window_step(const struct tcp_conn *c);

/* timer.c: sets the retransmission timer by what is in flight or waiting */
void tcp_arm(struct tcp_conn *c, nsec_t now);

#pragma once

/*
 * TIME-WAIT: what is kept of a connection for 2 MSL, so that stray segments harm no successor and a
 * lost last ACK can be repeated. A new SYN may end it early.
 *
 *   source       RFC 9293 3.4.3, 3.6.1, 3.10.7.4; RFC 6191; RFC 1337 (not followed: a RST ends it,
 *                as tcp(7) tcp_rfc1337 has it by default)
 */

#include "net/tcp/tcp.h"

struct tcp_timewait {
	uint32_t snd_nxt, rcv_nxt, rcv_adv;
	uint32_t ts_recent, ts_offset;
	nsec_t ts_recent_at;
	nsec_t deadline; /* when it is over */
	nsec_t oow_ack_at;
	uint16_t window; /* as announced last */
	bool ts_ok;
};

enum tcp_tw_verdict {
	TCP_TW_DROP,
	TCP_TW_ACK, /* send *out */
	TCP_TW_SYN, /* a new connection may begin: drop the block, give the SYN to a listener;
		     * out->seq is the smallest sequence number it may start with */
	TCP_TW_OVER,
};

/* c is in TIME-WAIT. */
void tcp_tw_init(struct tcp_timewait *tw, const struct tcp_conn *c, nsec_t now);

enum tcp_tw_verdict tcp_tw_input(struct tcp_timewait *tw, const struct tcp_seg *s, nsec_t now,
				 struct tcp_seg *out);

/*
 * May connect(2) take the ports over? RFC 6191: when timestamps will tell the two apart.
 *   iss_min      set to the smallest sequence number to start with
 */
MUST_CHECK bool tcp_tw_reusable(const struct tcp_timewait *tw, nsec_t now, uint32_t *iss_min);

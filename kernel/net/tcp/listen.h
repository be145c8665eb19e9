#pragma once

/*
 * The passive side before there is a connection: a request is what a listening socket keeps of a
 * SYN, a tenth of a connection's size; when even that is too much, a SYN cookie keeps it in the
 * sequence number of the SYN-ACK and in its timestamp.
 *
 * `tuple` is what names the connection (addresses and ports, as the owner lays them out), `key`
 * random and secret.
 *
 *   source       RFC 9293 3.10.7.2, RFC 4987 3.6 (cookies), RFC 6528 (initial sequence numbers)
 */

#include "lib/siphash.h"
#include "net/tcp/tcp.h"

struct tcp_req {
	uint32_t irs, iss;
	uint32_t ts_recent, ts_offset;
	uint32_t recv_space, recv_max;
	uint16_t peer_mss, adv_mss;
	uint8_t snd_wscale, rcv_wscale;
	bool sack_ok, ts_ok, ws_ok, ecn_ok;
	uint8_t retries, max_retries;
	uint8_t cookie_bits; /* for the low bits of the SYN-ACK's timestamp; TCP_NO_COOKIE */
	nsec_t sent_at, resend_at;
};

enum { TCP_NO_COOKIE = 0xff };

enum tcp_req_verdict {
	TCP_REQ_DROP,
	TCP_REQ_SYNACK,      /* send tcp_req_synack() again */
	TCP_REQ_ACK,         /* send the acknowledgement in *out */
	TCP_REQ_RESET,       /* send tcp_reset_for(s); the request stays */
	TCP_REQ_DEAD,        /* the request is over */
	TCP_REQ_ESTABLISHED, /* tcp_accept(), then tcp_input() with the same segment */
};

/* A request from a SYN. cfg->iss is the sequence number to begin with. */
void tcp_req_init(struct tcp_req *r, const struct tcp_config *cfg, const struct tcp_seg *syn,
		  nsec_t now);

/* The SYN-ACK; r->resend_at is then the deadline of tcp_req_timer(). */
void tcp_req_synack(struct tcp_req *r, nsec_t now, struct tcp_seg *out);

/* A segment from the peer of a request. */
enum tcp_req_verdict tcp_req_input(struct tcp_req *r, const struct tcp_seg *s, nsec_t now,
				   struct tcp_seg *out);

/* r->resend_at has come: true, the SYN-ACK is to be sent again; false, the request is over. */
MUST_CHECK bool tcp_req_timer(struct tcp_req *r);

/* A connection of a request (*c is zero, or was one before), established but for the segment that
 * proved it: tcp_input() next. */
void tcp_accept(struct tcp_conn *c, const struct tcp_config *cfg, const struct tcp_req *r,
		nsec_t now);

/* Makes a cookie of the request: r->iss changes, and no request need be kept. */
void tcp_cookie_make(struct tcp_req *r, const struct siphash_key *key, const void *tuple, size_t n,
		     nsec_t now);

/*
 * An ACK that no request and no connection knows: does it answer a cookie?
 *   returns      true, and the request as it was, with nothing but the cookie's knowledge
 */
MUST_CHECK bool tcp_cookie_check(struct tcp_req *r, const struct tcp_config *cfg,
				 const struct siphash_key *key, const void *tuple, size_t n,
				 const struct tcp_seg *ack, nsec_t now);

/*
 * The numbers that a connection begins with: RFC 6528, a clock of 4 µs plus a secret function of
 * the connection; and where its timestamps begin, RFC 7323 7.1, another part of that function.
 */
void tcp_first_numbers(struct tcp_config *cfg, const struct siphash_key *key, const void *tuple,
		       size_t n, nsec_t now);

/*
 * The RST that answers a segment nobody knows: RFC 9293 3.10.7.1. Returns false for a RST, which is
 * not answered.
 */
MUST_CHECK bool tcp_reset_for(const struct tcp_seg *s, struct tcp_seg *out);

/* The smallest scale that lets 16 bits announce `max` bytes. */
uint8_t tcp_choose_wscale(uint32_t max);

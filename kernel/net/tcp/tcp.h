#pragma once

/*
 * One TCP connection as a pure function: events and the time go in, what is to be done comes out.
 * No socket, lock, clock, buffer or allocation. The owner (the socket layer) holds the bytes:
 *
 *   send queue      the byte with sequence number s; kept from tcp_send_head() to snd_end. The
 *                   owner appends and says so (tcp_send); after TCP_EV_ACKED it drops the head.
 *   receive queue   bytes by sequence number: tcp_input() says which of a segment's to store, and
 *                   rcv_nxt up to where they may be read. The owner says how much room there is
 *                   (tcp_recv_space).
 *
 * After every call the owner
 *   1. sends what tcp_output() gives until it returns false (a segment it has no memory for is
 *      lost like any other), which also sets the timers,
 *   2. acts upon tcp_take_events(),
 *   3. calls tcp_timer() no earlier than tcp_deadline(), whose value may since have moved.
 *
 * A connection begins with tcp_open() (active) or tcp_accept() (from a request, listen.h), and is
 * over at TCP_EV_CLOSED. At TCP_EV_TIME_WAIT the rest can be told from a timewait block
 * (timewait.h), and the connection dropped once tcp_output() has been drained.
 *
 *   source       RFC 9293, 7323, 2018, 6675, 6298, 5681, 6582, 6937, 9438, 3168, 8985, 5961, 6691
 *                (in what each file says), tcp(7)
 */

#include "abi/tcp.h"
#include "net/tcp/cc.h"
#include "net/tcp/runs.h"
#include "net/tcp/segment.h"

enum {
	TCP_OOO = 64, /* ranges received beyond a hole; a segment that needs one more is dropped */
	TCP_GSO_MAX = 65000,   /* bytes of payload in one segment to send; or one MSS */
	TCP_BUF_MAX = 1 << 30, /* largest window */
};

#define TCP_RTO_MIN_NS  (200 * NSEC_PER_MSEC)
#define TCP_RTO_MAX_NS  (120 * NSEC_PER_SEC)
#define TCP_RTO_INIT_NS NSEC_PER_SEC
#define TCP_DELACK_NS   (40 * NSEC_PER_MSEC)
#define TCP_TIMEWAIT_NS (60 * NSEC_PER_SEC)
#define TCP_OOW_ACK_NS  (500 * NSEC_PER_MSEC) /* between two answers to segments out of window */

/* What happened: tcp_take_events(). */
enum tcp_event {
	TCP_EV_CONNECTED = 1, /* the handshake is over */
	TCP_EV_READABLE = 2,  /* rcv_nxt moved */
	TCP_EV_ACKED = 4,     /* tcp_send_head() moved */
	TCP_EV_EOF = 8,       /* the peer's FIN is in order */
	TCP_EV_URGENT = 16,   /* rcv_up is new: SIGURG */
	TCP_EV_ERROR = 32,    /* `error` is set; no more can be sent or received */
	TCP_EV_TIME_WAIT = 64,
	TCP_EV_CLOSED = 128, /* the connection is over; once tcp_output() is drained it may go */
};

/* What the retransmission timer waits for. */
enum tcp_rexmit {
	TCP_REXMIT_NONE,
	TCP_REXMIT_RTO,
	TCP_REXMIT_TLP,
	TCP_REXMIT_REO,
	TCP_REXMIT_PERSIST
};

/* What a connection is made with. */
struct tcp_config {
	uint32_t iss;        /* RFC 6528: listen.h, tcp_first_numbers() */
	uint32_t ts_offset;  /* added to the millisecond clock of timestamps */
	uint16_t mss;        /* to announce: the interface's MTU less the headers without options */
	uint16_t path_mss;   /* the same of the path; the peer's MSS is another bound */
	uint32_t recv_space; /* bytes there is room for: the whole buffer */
	uint32_t recv_max;   /* what recv_space may ever grow to: decides the window scale */
	bool sack, timestamps, wscale, ecn;
	bool reno;           /* instead of CUBIC */
	uint8_t syn_retries; /* tcp(7) TCP_SYNCNT */
};

/* Options of the socket: the owner may change them at any time, tcp_output() follows. */
struct tcp_tune {
	bool nodelay, cork;
	bool hold;        /* the device's queue is long: nothing new while something is in flight */
	uint8_t retries2; /* tcp(7) tcp_retries2 */
	bool keepalive;   /* changed by tcp_set_keepalive() */
	uint8_t keep_count;
	nsec_t keep_idle, keep_interval;
	nsec_t user_timeout;   /* 0: by retries2 */
	nsec_t linger2;        /* FIN_WAIT2 of a closed socket; negative: none */
	uint32_t window_clamp; /* 0: none */
};

struct tcp_rtt {
	uint32_t srtt_us;   /* times 8; 0: no sample yet */
	uint32_t rttvar_us; /* times 4 */
	uint32_t min_us;    /* UINT32_MAX: no sample yet */
	nsec_t rto;         /* not backed off */
};

struct tcp_ooo {
	uint32_t start, end;
	uint32_t stamp; /* when it last grew: the newest are reported first, RFC 2018 4 */
};

struct tcp_counts {
	uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retrans;
	uint32_t segs_out, segs_in, data_segs_out, data_segs_in, retrans, delivered, delivered_ce;
	uint32_t dsack_dups, reordered, ooo;
};

struct tcp_conn {
	uint8_t state;  /* TCP_ESTABLISHED … */
	uint8_t ca;     /* TCP_CA_Open … */
	uint8_t rexmit; /* enum tcp_rexmit */
	uint8_t retries, probes, keep_probes, backoff;
	uint8_t snd_wscale, rcv_wscale;
	uint8_t ack_pending; /* enum tcp_ack_pending */
	uint8_t quick_acks;  /* to send at once before delaying begins */
	uint8_t dupacks;     /* without SACK: in a row */
	bool was_used;       /* not all zero any more */
	uint16_t pending;    /* enum tcp_pending: to be sent by tcp_output() */
	uint16_t events;     /* enum tcp_event */
	uint16_t mss;        /* payload of a full segment, options of every segment deducted */
	uint16_t peer_mss, path_mss, adv_mss;
	uint16_t rcv_mss; /* the largest segment seen: what delayed ACKs count in */
	int error;        /* errno, positive */
	bool sack_ok, ts_ok, ws_ok, ecn_ok;
	bool fin_queued, fin_received, orphan;
	bool pingpong; /* answers carry the acknowledgements */
	bool cwnd_limited;
	bool send_ece, send_cwr, ecn_seen;
	bool reordering; /* was seen: RFC 8985 */
	bool tlp_out, tlp_retrans;
	bool force_rexmit; /* one segment, whatever the congestion window says */
	bool fin_seen;     /* the peer's FIN is at fin_seq */
	bool override_sws; /* the persist timer: send what fits */

	/* sending: RFC 9293 3.3.1 */
	uint32_t iss, snd_una, snd_nxt;
	uint32_t snd_end; /* after the last byte of the owner's queue; a FIN comes there */
	uint32_t snd_wnd, snd_wl1, snd_wl2, max_wnd;
	uint32_t snd_up;  /* urgent data end here; == snd_una: none */
	uint32_t snd_sml; /* end of the last small segment: Nagle after Minshall */
	struct tcp_runs runs;

	/* receiving */
	uint32_t irs, rcv_nxt, fin_seq;
	uint32_t rcv_adv;            /* the right edge that was announced: it never moves back */
	uint32_t rcv_acked;          /* rcv_nxt as last sent */
	uint32_t rcv_up;             /* urgent data end here */
	uint32_t rcv_space, rcv_buf; /* as the owner last said */
	struct tcp_range dsack;      /* to report; start == end: none */
	uint32_t nooo, ooo_stamp;
	struct tcp_ooo ooo[TCP_OOO]; /* by sequence number, disjoint, not touching */

	/* timestamps: RFC 7323 */
	uint32_t ts_offset, ts_recent;
	nsec_t ts_recent_at;

	/* recovery and congestion: RFC 5681, 6675, 6937, 8985 */
	uint32_t cwnd, ssthresh, cwnd_clamp; /* bytes */
	uint32_t recovery_point, recover_flight, prr_delivered, prr_out;
	uint32_t undo_cwnd, undo_ssthresh, undo_una, undo_tsval, undo_retrans;
	uint32_t tlp_end;
	uint32_t reno_sacked; /* without SACK: bytes that duplicate ACKs say to have left the
				 network */
	uint32_t rst_seq;     /* TCP_SEND_RESET_REPLY */
	uint32_t reo_mult, reo_persist, reo_round; /* windows of RFC 8985 6.2 step 4 */
	uint32_t rack_rtt_us;
	struct tcp_delivery rack; /* sent_us and end of the latest that arrived */
	struct tcp_cc cc;
	struct tcp_rtt rtt;

	/* deadlines; NSEC_MAX: off */
	nsec_t rexmit_at, delack_at, keep_at, linger_at, reo_at;
	nsec_t rto_base;         /* the retransmission time-out counts from here */
	nsec_t unanswered_since; /* first transmission of what is still unacknowledged */
	nsec_t syn_at, last_send, last_recv, last_ack_recv, oow_ack_at;

	struct tcp_tune tune;
	struct tcp_counts n;
	uint8_t syn_retries;
};

/* The bytes of a segment that tcp_input() takes: payload [offset, offset + len), at seq. len 0:
 * none. Bytes that were stored before may be among them. */
struct tcp_store {
	uint32_t seq, offset, len;
};

/* Options as a new socket has them, and as tcp(7) documents the defaults. */
extern const struct tcp_tune tcp_default_tune;

/* Active open: the SYN is what tcp_output() gives next. *c is zero, or was a connection. */
void tcp_open(struct tcp_conn *c, const struct tcp_config *cfg, nsec_t now);

/*
 * A segment for this connection, its checksum proved. Not for a connection in TIME-WAIT or CLOSE,
 * where it does nothing.
 */
void tcp_input(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now, struct tcp_store *store);

/*
 * The next segment to send, if there is one; its payload is [out->seq, out->seq + out->len) of the
 * send queue. It counts as sent.
 */
MUST_CHECK bool tcp_output(struct tcp_conn *c, nsec_t now, struct tcp_seg *out);

/* When tcp_timer() has something to do; NSEC_MAX: never. */
nsec_t tcp_deadline(const struct tcp_conn *c);
void tcp_timer(struct tcp_conn *c, nsec_t now);

/* The events since the last call. */
static inline unsigned tcp_take_events(struct tcp_conn *c)
{
	unsigned e = c->events;

	c->events = 0;
	return e;
}

/*
 * The owner's queue now ends at snd_end + len; urgent: its last byte is urgent data (MSG_OOB).
 *   returns      0; -EPIPE: a FIN was queued, or the connection is over
 */
MUST_CHECK int tcp_send(struct tcp_conn *c, uint32_t len, bool urgent);

/* First sequence number that the owner must still be able to send. */
uint32_t tcp_send_head(const struct tcp_conn *c);

/* Bytes of the queue that were never sent: SIOCOUTQNSD. */
uint32_t tcp_unsent(const struct tcp_conn *c);

/*
 * There is room for `space` bytes after rcv_nxt (what is stored beyond holes included), in a buffer
 * that takes `buffer` bytes when it is empty. Up to 2^rcv_wscale - 1 bytes more may arrive.
 */
void tcp_recv_space(struct tcp_conn *c, uint32_t space, uint32_t buffer);

/*
 * Bytes from one connection straight to its peer on the same machine, without segments: direct.c.
 *   ready    nothing stands against it now
 *   room     how many bytes `to` takes: the right edge counts as announced
 *   direct   the next n bytes of `from`, unsent and no more than room, are received and
 *            acknowledged; n may be 0: windows and acknowledgements alone. Ready is true, and
 *            room was asked for
 */
MUST_CHECK bool tcp_direct_ready(const struct tcp_conn *from, const struct tcp_conn *to);
uint32_t tcp_direct_room(struct tcp_conn *to);
void tcp_direct(struct tcp_conn *from, struct tcp_conn *to, uint32_t n, nsec_t now);

/* SHUT_WR: a FIN after what is queued. */
void tcp_shutdown(struct tcp_conn *c, nsec_t now);

/*
 * The socket is closed; nobody reads any more. unread: data was, or will be, thrown away, which
 * the peer learns by a RST (RFC 2525 2.17).
 */
void tcp_close(struct tcp_conn *c, bool unread, nsec_t now);

/* Over at once; a RST goes out if the peer knows of the connection. */
void tcp_abort(struct tcp_conn *c);

/* An error that the network reported (ICMP): ends a connection being set up, RFC 9293 3.9.2.2. */
void tcp_soft_error(struct tcp_conn *c, int error);

/* The path takes packets whose payload and TCP options are at most path_mss bytes. */
void tcp_set_path_mss(struct tcp_conn *c, uint16_t path_mss, nsec_t now);

/* SO_KEEPALIVE or its times changed (tune.keep_*). */
void tcp_set_keepalive(struct tcp_conn *c, bool on, nsec_t now);

/* TCP_QUICKACK. */
void tcp_set_quickack(struct tcp_conn *c, bool on);

/* TCP_INFO. What needs clocks that do not run here (busy_time and the like) is zero. */
void tcp_info(const struct tcp_conn *c, nsec_t now, struct abi_tcp_info *info);

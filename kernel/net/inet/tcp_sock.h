#pragma once

/*
 * TCP sockets: the shell around the machine of net/tcp. A tcp_sock has the connection (or, as a
 * listener, requests and accepted children), its two queues of bytes, and a timer.
 *
 * `lock` guards the machine and the queues and is held for no copy of user memory; `reading` and
 * `writing` let one user at a time copy to and from what the lock does not guard: the head of the
 * receive queue, the tail of the send queue.
 *
 * References: besides the file's, a connection has one of its own from the time it is in the hash
 * table until its machine says CLOSED or TIME_WAIT, so that it goes on without a file. Input looks
 * sockets up under an epoch and takes none.
 */

#include "dev/net/netdev.h"
#include "lib/rbtree.h"
#include "net/inet/sock.h"
#include "net/inet/tcp_table.h"
#include "net/inet/tcp_timer.h"
#include "net/tcp/listen.h"
#include "net/tcp/timewait.h"
#include "sched/mutex.h"

struct page;

/* --- queues --- */

/* Bytes [seq, seq + len) of the send queue, in one counted block of pages. */
struct tcp_chunk {
	struct page *page;
	uint32_t offset, seq, len;
};
enum { SENDQ_INLINE = 4 };
struct tcp_sendq { /* a ring; grown by the writer alone */
	struct tcp_chunk *ring;
	uint32_t size, head, count;
	struct tcp_chunk first[SENDQ_INLINE];
	/* the writer's: room at the end of the last block */
	struct page *tail;
	uint32_t tail_used, tail_size;
};

/* In cb of a received packet. */
struct tcp_cb {
	uint32_t seq, end; /* payload bytes that count */
	uint32_t skip;     /* they begin here in the packet */
	uint32_t charge;   /* bytes of memory, about */
	uint32_t room;     /* bytes free behind the last one, in a page of its own */
};
static inline struct tcp_cb *tcp_cb(const struct pkt *p)
{
	return (struct tcp_cb *)(uintptr_t)p->cb;
}

/* --- sockets --- */

enum tcp_phase {
	TCPS_IDLE,   /* no connection; c.state is CLOSE */
	TCPS_LISTEN, /* requests and children */
	TCPS_OPEN,   /* the machine runs */
	TCPS_DONE,   /* it is over; what was received may still be read */
};
enum tcp_call { TCPS_UNCONNECTED, TCPS_CONNECTING, TCPS_CONNECTED }; /* what connect(2) says */
enum { TCPS_SHUT_RD = 1, TCPS_SHUT_WR = 2, TCPS_SHUT_ALL = 3 };
enum tcp_urgent { TCPS_URG_NONE, TCPS_URG_COMING, TCPS_URG_VALID, TCPS_URG_READ };

struct tcp_sock {
	struct inet_sock i; /* first */
	struct tcp_ep ep;
	struct tcps_timer timer;
	struct mutex reading, writing; /* SOCKET */

	struct spinlock lock; /* TCP: all below, but for what readers and writers own */
	uint8_t phase;        /* enum tcp_phase */
	uint8_t call;         /* enum tcp_call */
	uint8_t shut;         /* what shutdown(2), FIN and the end say: TCPS_SHUT_* */
	bool released;        /* the file is gone */
	bool nospace;         /* somebody waits for room to send */
	bool holds_ref;       /* the connection's own */
	bool has_copied;      /* `copied` means something */
	bool bound_addr;      /* by bind(2) */
	bool embryo;          /* not accepted yet */
	uint8_t last_state;   /* as counted and traced */
	struct tcp_conn c;
	struct tcp_sendq sendq;
	struct list rcvq;    /* of pkt, by sequence number, without holes or overlaps */
	struct rbtree far;   /* the same beyond the first hole */
	uint32_t rcvq_bytes; /* memory in it, about */
	uint32_t charged;    /* bytes of both queues that count against tcp_mem */
	bool is_orphan;      /* no file, and counted */
	uint32_t peeked;     /* by who waits for more than that; racy */
	uint32_t copied;     /* next byte to be read; written under `reading` as well */

	struct tcp_sock *peer; /* joined to this one; both TCP to change, one to read */
	uint8_t join_tries;    /* the writer's: how often it was looked for */

	struct ip_path path; /* to the peer */
	bool has_path;
	uint32_t isn_min; /* connect(2) over a TIME-WAIT */

	/* urgent data: RFC 6093 */
	uint8_t urg; /* enum tcp_urgent */
	uint8_t urg_byte;
	uint32_t urg_seq; /* of the urgent byte */

	/* growing the buffers: how much was read in a round trip */
	uint32_t grow_seq, grow_bytes;
	nsec_t grow_since;

	/* options */
	struct tcp_tune tune; /* for connections to come; then c.tune */
	bool cork, nodelay, reno, inq;
	uint8_t syn_retries, defer_accept; /* 0: the default; seconds */
	uint16_t maxseg;                   /* 0: none */
	uint32_t notsent_lowat;            /* 0: the default */
	int fastopen;                      /* as was set: nothing is done */

	/* a listener */
	struct list requests, children; /* struct tcp_request; struct tcp_sock by child_node */
	struct list child_node;         /* in the listener's */
	uint32_t nrequests, nchildren, backlog;
	struct tcp_sock *listen_next; /* TCPHASH; read under an epoch */
	bool cookies;                 /* sent not long ago */
	nsec_t cookies_at;
};

static inline struct tcp_sock *tcps_of(struct socket *s)
{
	return container_of(s, struct tcp_sock, i.s);
}
static inline struct tcp_sock *tcps_of_ep(struct tcp_ep *ep)
{
	return container_of(ep, struct tcp_sock, ep);
}

/* TCP_ESTABLISHED … as netstat shows them. */
static inline unsigned tcps_state(const struct tcp_sock *t)
{
	return t->phase == TCPS_LISTEN ? (unsigned)TCP_LISTEN
	       : t->phase == TCPS_OPEN ? t->c.state
				       : (unsigned)TCP_CLOSE;
}

/* End of the bytes that may be read: a FIN counts as one, but is none. */
static inline uint32_t tcps_readable_end(const struct tcp_sock *t)
{
	return t->c.rcv_nxt - t->c.fin_received;
}
static inline uint32_t tcps_readable(const struct tcp_sock *t)
{
	return t->has_copied ? tcps_readable_end(t) - t->copied : 0;
}
static inline uint32_t tcps_queued(const struct tcp_sock *t)
{
	return t->c.snd_end - tcp_send_head(&t->c);
}

struct tcp_request {
	struct tcp_ep ep;
	struct list node; /* listener's, its lock */
	struct tcp_req r;
	struct tcp_sock *listener; /* under an epoch; dead says whether it still is */
	int32_t ifindex;
	bool dead;  /* listener's lock */
	bool acked; /* its ACK came and found no room, or no data */
	uint8_t tos;
	nsec_t since;
	struct epoch_head epoch;
};

/* What a step of the machine wants done once the lock is dropped. */
struct tcps_after {
	uint32_t in, out; /* EPOLL* bits to wake each queue with */
	bool state, urgent, ended;
};

/* tcp_drive.c: after every call of the machine, lock held: sends, looks at events, sets the timer.
 * tcps_finish() then wakes, and lets an ended connection go; no locks; may free t. */
void tcps_drive(struct tcp_sock *t, nsec_t now, struct tcps_after *a);
void tcps_finish(struct tcp_sock *t, struct tcps_after *a);
/* With the lock held: drives, unlocks, and finishes, and lets what went through lo arrive. */
void tcps_unlock_driven(struct tcp_sock *t, nsec_t now) RELEASES(&t->lock);
bool tcps_is_writable(const struct tcp_sock *t);
void tcps_arrived(struct tcp_sock *t, struct tcps_after *a); /* lock held: there is more to read */
uint32_t tcps_window(const struct tcp_sock *t);              /* room in the receive buffer */

/* tcp_output.c */
/* Lock held. 0: t->path is the way to the peer. -EHOSTUNREACH: there is none. -EMSGSIZE: there is
 * another way than the last time, and segments must be smaller now; what is in flight will be sent
 * again so. */
MUST_CHECK int tcps_route(struct tcp_sock *t);
void tcps_transmit(struct tcp_sock *t, const struct tcp_seg *s);
/* A segment of no connection, on the way back of key. */
struct tcps_reply {
	const struct flow_key *key;
	int32_t ifindex;
	uint32_t mark;
	uint8_t tos, ttl; /* 0: as the path has it */
};
void tcps_reply(const struct tcps_reply *r, const struct tcp_seg *s);

/* tcp_queue.c */
MUST_CHECK int sendq_reserve(struct tcp_sock *t, uint32_t chunks); /* writing; no lock */
void sendq_append(struct tcp_sock *t, struct page *page, uint32_t offset, uint32_t len);
void sendq_drop(struct tcp_sock *t, uint32_t head);
void sendq_clear(struct tcp_sock *t); /* lock held; what the writer owns stays */
void sendq_free(struct tcp_sock *t);  /* nobody writes */
MUST_CHECK bool sendq_fill(struct tcp_sock *t, struct pkt *p, uint32_t seq, uint32_t len);
/* The same, but only as many bytes as p has room for; how many. */
uint32_t sendq_share(struct tcp_sock *t, struct pkt *p, uint32_t seq, uint32_t len);
/* After tcp_input() has taken [seq, seq + len), which begins at `skip` in p. */
void rcvq_insert(struct tcp_sock *t, struct pkt *p, uint32_t skip, uint32_t seq, uint32_t len);
void rcvq_take_far(struct tcp_sock *t, struct list *out); /* to the end of out */

/* tcp_coalesce.c */
void tcps_coalesce_init(void);
/* A segment of a batch: true, it was taken, and reaches its owner before the batch ends. */
MUST_CHECK bool tcps_coalesce(struct pkt *p, const struct tcp_seg *s, const struct flow_key *key,
			      uint32_t header);

/* tcp_input.c */
void tcps_protocol_init(void);
/* A segment for whoever has the key; p is its payload, and is consumed. */
void tcps_dispatch(struct pkt *p, const struct tcp_seg *s, const struct flow_key *key);
/* The same of a packet at its TCP header, which has `header` bytes. */
void tcps_input(struct pkt *p, const struct tcp_seg *s, const struct flow_key *key,
		uint32_t header);
/* A segment for t's machine: lock held, and let go of; consumes p; may free t. */
void tcps_segment(struct tcp_sock *t, struct pkt *p, const struct tcp_seg *s, uint32_t header)
	RELEASES(&t->lock);

/* Answers a segment that nobody takes: RFC 9293 3.10.7.1. */
void tcps_reset(const struct flow_key *key, const struct tcp_seg *s, const struct netdev *d);

/* tcp_listen.c */
struct tcp_sock *tcps_find_listener(const struct flow_key *key, const struct pkt *p, uint32_t hash);
void tcps_listener_input(struct tcp_sock *l, struct pkt *p, const struct tcp_seg *s,
			 const struct flow_key *key, uint32_t header, uint32_t isn_min);
bool tcps_request_input(struct tcp_request *r, struct pkt *p, const struct tcp_seg *s,
			uint32_t header);
/* The next listener after *cursor, as tcps_next(). */
struct tcp_sock *tcps_next_listener(uint64_t *cursor);
void tcps_listener_timer_locked(struct tcp_sock *l, nsec_t now);
void tcps_listener_close(struct tcp_sock *l);
int tcps_listen(struct socket *s, uint32_t backlog);
int tcps_accept(struct socket *s, bool nonblock, struct socket **out);

/* tcp_connect.c */
int tcps_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock);
const struct siphash_key *tcps_secret(void);
/* cfg's iss (isn_min, unless that is 0) and ts_offset; tcps_config() the rest. */
void tcps_first_numbers(struct tcp_config *cfg, const struct flow_key *key, uint32_t isn_min,
			nsec_t now);
/* Its queue is long. An acknowledgement of what is in it tells when to go on. */
static inline bool tcps_device_is_busy(const struct tcp_sock *t)
{
	return t->has_path && atomic_load_explicit(&t->path.dev->busy, memory_order_relaxed) != 0;
}

/* Payload and TCP options of a full segment on this way. */
uint32_t tcps_path_mss(const struct tcp_sock *t, const struct ip_path *path, bool v4);
void tcps_config(const struct tcp_sock *t, const struct ip_path *path, const struct flow_key *key,
		 struct tcp_config *cfg);

/* tcp_timewait.c */
void tcps_timewait_init(void);
void tcps_timewait_enter(struct tcp_sock *t, nsec_t now); /* takes t's place in the table */
bool tcps_timewait_input(struct tcp_ep *ep, const struct tcp_seg *s, uint32_t *isn_min);
nsec_t tcps_timewait_deadline(const struct tcp_ep *ep); /* for /proc/net: racy */
/* bind(2): connections that are over, but not long ago, have this port and would not share it. */
MUST_CHECK bool tcps_timewait_blocks(const struct inet_sock *i, const struct ipv6_addr *local,
				     uint16_t port);
/* connect(2) may take ep's ports over: it is gone then. */
MUST_CHECK bool tcps_timewait_yield(struct tcp_ep *ep, bool loopback, uint32_t *isn_min);

/* tcp_send.c, tcp_recv.c, tcp_option.c */
ssize64_t tcps_sendmsg(struct socket *s, struct sockmsg *m);
ssize64_t tcps_recvmsg(struct socket *s, struct sockmsg *m);
void tcps_bit_changed(struct socket *s, uint32_t bit);
int tcps_check_option(struct socket *s, int name, uint32_t *v);
void tcps_meminfo(struct socket *s, uint32_t info[]);
int tcps_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len);
int tcps_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len);
int64_t tcps_ioctl(struct socket *s, unsigned cmd, uint64_t arg);

/* tcp_show.c */
void tcps_show_init(void);

/* tcp_sock.c */
MUST_CHECK struct tcp_sock *tcps_alloc(int family);
/* Not in the table any more, and not to be freed by the caller: its own reference goes. */
void tcps_leave(struct tcp_sock *t);
int tcps_disconnect(struct tcp_sock *t);

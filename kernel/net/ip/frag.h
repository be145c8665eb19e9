#pragma once

/*
 * IPv4 and IPv6 fragments: putting packets together, and cutting them.
 *
 * A queue is one packet being put together; the owner allocates it, keeps the fragments' bytes in
 * any way it likes, and asks frag_add() of each whether it belongs. Overlaps are never resolved:
 * the packet is dropped (RFC 5722, RFC 8200 4.5; for IPv4 as well, RFC 1858's attacks), only an
 * exact repetition is ignored. A table holds the queues, by key and by age, and says which to drop
 * when they are too old or hold too much.
 *
 *   source       RFC 791 3.2, RFC 815 (the idea of holes), RFC 1122 3.3.2, RFC 5722, RFC 8200 4.5,
 *                RFC 3168 5.3, ip(7) ipfrag_high_thresh, ipfrag_time
 */

#include "lib/list.h"
#include "lib/siphash.h"
#include "net/wire.h"

enum {
	FRAG_RANGES = 32, /* pieces between holes; a packet in more is dropped: nobody sends such */
	FRAG_BUCKETS = 64,
};

#define FRAG_TIMEOUT4_NS (30 * NSEC_PER_SEC)
#define FRAG_TIMEOUT6_NS (60 * NSEC_PER_SEC)

/* Zeroed before it is filled: it is compared as bytes. */
struct frag_key {
	struct ipv6_addr src, dst; /* IPv4: mapped */
	uint32_t id;
	uint32_t ifindex; /* link-local addresses of two links are different */
	uint32_t proto;   /* IPv4 only */
};

struct frag_range {
	uint16_t start, end;
};

struct frag_queue {
	struct list in_bucket, by_age;
	struct frag_key key;
	nsec_t deadline;
	uint32_t bytes;   /* charged to the table */
	uint32_t total;   /* payload bytes when the last fragment is known; 0: not yet */
	uint32_t have;    /* payload bytes received */
	uint16_t largest; /* fragment, header included: what the path took */
	bool has_first;   /* offset 0 was received: a timeout is reported by ICMP */
	bool v6;
	uint8_t ecn_seen; /* bit per codepoint */
	uint8_t n;
	struct frag_range range[FRAG_RANGES];
};

struct frag_table {
	struct list bucket[FRAG_BUCKETS];
	struct list oldest;
	struct siphash_key key;
	uint64_t bytes, limit;
};

enum frag_verdict {
	FRAG_STORE,    /* keep it; more to come */
	FRAG_COMPLETE, /* keep it; the packet is whole */
	FRAG_REPEATED, /* drop it */
	FRAG_DROP_ALL, /* drop it and the queue */
	FRAG_BAD_LEN, /* drop it; not a multiple of 8 (IPv6: parameter problem at payload length) */
	FRAG_TOO_LONG, /* drop it; beyond 65535 (IPv6: parameter problem at fragment offset) */
};

void frag_table_init(struct frag_table *t, const struct siphash_key *key, uint64_t limit);
struct frag_queue *frag_find(const struct frag_table *t, const struct frag_key *key);

/* Puts an empty queue for `key` into the table. */
void frag_insert(struct frag_table *t, struct frag_queue *q, const struct frag_key *key, bool v6,
		 nsec_t now);

/*
 * A fragment of `len` payload bytes at `offset`. On FRAG_STORE and FRAG_COMPLETE `charge` bytes are
 * added to the table's account.
 */
MUST_CHECK enum frag_verdict frag_add(struct frag_table *t, struct frag_queue *q, uint32_t offset,
				      uint32_t len, bool more, uint8_t ecn, uint32_t charge);

/* The ECN codepoint of the whole; false: the fragments contradict each other, drop it. */
MUST_CHECK bool frag_ecn(const struct frag_queue *q, uint8_t *ecn);

/* Takes q out of the table. The owner frees it. */
void frag_remove(struct frag_table *t, struct frag_queue *q);

/* The oldest queue if its time is over at `now` or the table holds more than it may; else NULL. */
struct frag_queue *frag_overdue(const struct frag_table *t, nsec_t now);

/* When frag_overdue() will next have something; NSEC_MAX: nothing waits. */
nsec_t frag_deadline(const struct frag_table *t);

/* Cutting: pieces of a payload of `total` bytes behind `header` bytes each, for an MTU. */
struct frag_cut {
	uint32_t total, piece, at;
};

/* Returns 0, or -EMSGSIZE when not even 8 bytes fit. */
MUST_CHECK int frag_cut_init(struct frag_cut *c, uint32_t total, uint32_t header, uint32_t mtu);

/* The next piece; false at the end. */
MUST_CHECK bool frag_cut_next(struct frag_cut *c, uint32_t *offset, uint32_t *len, bool *more);

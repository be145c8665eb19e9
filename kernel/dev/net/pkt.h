#pragma once

/*
 * A packet on its way through the kernel: a linear beginning, in which headers are read and
 * written, and pages behind it. A packet has one owner at a time. Pages are counted and may be
 * shared (with a sender's queue, with another clone), so only the linear part is written, and only
 * by whoever made it.
 */

#include "lib/list.h"
#include "lib/types.h"

struct netdev;
struct page;

enum {
	PKT_FRAGS = 18,     /* 64 KiB in pages, however it lies, and one more */
	PKT_ROOM = 256,     /* link, network and transport headers at their largest fit */
	PKT_LINK_ROOM = 32, /* in front of a network header: the link's, and the card's own */
	PKT_CB = 48,
};

struct pkt_frag {
	struct page *page; /* counted; the first of a block */
	uint32_t offset, bytes;
};

enum pkt_csum {
	PKT_CSUM_NONE,     /* received: not looked at. Sent: complete */
	PKT_CSUM_VERIFIED, /* received: transport checksum is right */
	PKT_CSUM_PARTIAL,  /* the sum from csum_start on is to go to csum_start + csum_offset,
			      where the pseudo header's is now */
};

enum pkt_gso { PKT_GSO_NONE, PKT_GSO_TCP4, PKT_GSO_TCP6, PKT_GSO_UDP };

struct pkt {
	struct list node; /* its owner's queue */
	struct netdev *dev;
	uint8_t *data;               /* the linear part */
	uint32_t linear;             /* bytes of it */
	uint32_t len;                /* bytes in all */
	uint16_t network, transport; /* offsets of those headers in the linear part's buffer:
					pkt_network(), pkt_transport() */
	uint16_t protocol;           /* EtherType, host order */
	uint8_t type;                /* PACKET_HOST … of packet(7) */
	uint8_t csum;                /* enum pkt_csum */
	uint16_t csum_start;         /* as network */
	uint16_t csum_offset;
	uint16_t gso_size; /* payload bytes of each segment that this stands for; 0: it is one
			      packet */
	uint8_t gso;       /* enum pkt_gso */
	bool gso_ecn;      /* the first segment alone has CWR */
	bool in_batch;     /* it came with others: net_on_batch_end() */
	uint8_t nfrags;
	uint32_t mark, priority;
	nsec_t time; /* CLOCK_REALTIME of arrival; 0: not taken */
	/* Called when the packet goes, before its memory does; NULL: nothing. */
	void (*destroy)(struct pkt *p);
	void *owner; /* destroy's, stamp's */
	/* Through `lo`, to whoever knows what it is: it has no headers. NULL: it has them. */
	void (*straight)(struct pkt *p);
	/* Called when a device takes it, at its link header; NULL: nothing. */
	void (*stamp)(struct pkt *p);
	uint32_t stamp_key;
	uint32_t charged;  /* bytes of memory that destroy gives back */
	struct page *head; /* what data lies in, counted; NULL: in room */
	struct pkt_frag frag[PKT_FRAGS];
	uint8_t cb[PKT_CB] ALIGNED(8); /* the present owner's */
	uint8_t room[PKT_ROOM];
};

void pkt_init(void); /* boot */

/* Empty, with the whole room in front of data. NULL: no memory. Threads. */
MUST_CHECK struct pkt *pkt_alloc(void);
void pkt_free(struct pkt *p); /* NULL is nothing */
void pkt_free_list(struct list *pkts);

/* The same bytes again: pages shared, the linear part copied when it fits the room. NULL: no
 * memory. destroy, owner and cb are not taken over. */
MUST_CHECK struct pkt *pkt_clone(const struct pkt *p);

/* Where the linear part's buffer begins: what the header offsets count from. */
uint8_t *pkt_base(const struct pkt *p);

static inline uint8_t *pkt_network(const struct pkt *p)
{
	return pkt_base(p) + p->network;
}
static inline uint8_t *pkt_transport(const struct pkt *p)
{
	return pkt_base(p) + p->transport;
}
static inline uint32_t pkt_headroom(const struct pkt *p)
{
	return (uint32_t)(p->data - pkt_base(p));
}
static inline void pkt_set_network(struct pkt *p)
{
	p->network = (uint16_t)pkt_headroom(p);
}
static inline void pkt_set_transport(struct pkt *p)
{
	p->transport = (uint16_t)pkt_headroom(p);
}

/* n bytes more in front; the caller knows that the room is there (pkt_headroom). */
static inline void *pkt_push(struct pkt *p, uint32_t n)
{
	p->data -= n;
	p->linear += n;
	p->len += n;
	return p->data;
}

/* n bytes less; at most p->linear. */
static inline void pkt_pull(struct pkt *p, uint32_t n)
{
	p->data += n;
	p->linear -= n;
	p->len -= n;
}

/*
 * Makes the first n bytes linear.
 *   returns  true; false: the packet is shorter, or n is more than PKT_ROOM and not linear
 */
MUST_CHECK bool pkt_need_slow(struct pkt *p, uint32_t n);
MUST_CHECK static inline bool pkt_need(struct pkt *p, uint32_t n)
{
	return n <= p->linear || pkt_need_slow(p, n);
}

/*
 * Makes the packet's beginning its own: the first n bytes out of a page that others may read, into
 * its own room, with at least `room` bytes free in front of them. What lies there with enough in
 * front stays as it is. The header offsets are not kept.
 *   returns  true; false: it is shorter, n + room is more than PKT_ROOM, no memory, or it is in too
 *            many pieces
 */
MUST_CHECK bool pkt_unshare_head(struct pkt *p, uint32_t n, uint32_t room);

void pkt_trim(struct pkt *p, uint32_t len); /* to at most len bytes, from the end */

/* Copies n bytes from `offset` on; the caller knows that they are there. */
void pkt_copy(const struct pkt *p, uint32_t offset, void *to, uint32_t n);

/* Calls fn for each run of bytes in [offset, offset+n), in order. */
void pkt_for_each(const struct pkt *p, uint32_t offset, uint32_t n,
		  void (*fn)(void *ctx, const uint8_t *bytes, uint32_t n), void *ctx);

/* Adds a counted page range at the end; takes over the caller's count. False: no frag is left. */
MUST_CHECK bool pkt_add_frag(struct pkt *p, struct page *page, uint32_t offset, uint32_t bytes);

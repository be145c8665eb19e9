/*
 * Segments of one connection that came together and follow each other go to its socket as one: the
 * first keeps its header, the others' payload is added to its pages. That happens behind IP and
 * behind the check of every segment's checksum, so that packet sockets, forwarding and counters
 * still see packets as they were on the wire.
 *
 * The first one waits here, at most until the batch ends. Nothing overtakes it: a segment that
 * cannot join lets it go first.
 */

#include "core/percpu.h"
#include "lib/string.h"
#include "net/inet/tcp_sock.h"
#include "net/netif.h"
#include "pmm/page.h"

enum { SLOTS = 4 }; /* connections whose segments may be mixed */

struct waiting {
	struct pkt *p; /* at its TCP header; NULL: nothing waits */
	uint32_t header;
	struct tcp_seg s;
	struct flow_key key;
};

/* This CPU's, used by one thread from the beginning of a batch to its end: nothing sleeps there. */
static PERCPU(struct waiting, slots[SLOTS]);

static void let_go(struct waiting *w)
{
	struct pkt *p = w->p;

	w->p = NULL;
	tcps_input(p, &w->s, &w->key, w->header);
}

static void end_of_batch(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		struct waiting *w = &this_cpu(slots)[i];

		if (w->p)
			let_go(w);
	}
}

/* Bytes in order, and nothing besides that a machine would have to look at one by one. */
static bool is_plain(const struct pkt *p, const struct tcp_seg *s)
{
	return s->len && (s->flags & ~TCP_PSH) == TCP_ACK && !(s->opts & ~TCP_OPT_TS) &&
	       !p->gso_size;
}

static bool same_flow(const struct flow_key *a, const struct flow_key *b)
{
	return a->lport == b->lport && a->rport == b->rport && a->ifindex == b->ifindex &&
	       ipv6_eq(&a->remote, &b->remote) && ipv6_eq(&a->local, &b->local);
}

static bool follows(const struct waiting *w, const struct pkt *p, const struct tcp_seg *s,
		    const struct flow_key *key)
{
	const struct tcp_seg *f = &w->s;

	return s->seq == f->seq + f->len && s->ack == f->ack && s->window == f->window &&
	       s->opts == f->opts && s->tsval == f->tsval && s->tsecr == f->tsecr &&
	       s->ip_ecn == f->ip_ecn && is_plain(p, s) && p->dev == w->p->dev &&
	       same_flow(key, &w->key);
}

/* p's payload becomes the end of what waits. False: it lies where it cannot be shared. */
static bool join(struct waiting *w, struct pkt *p, const struct tcp_seg *s, uint32_t header)
{
	uint32_t at = pkt_headroom(p) + header;

	if (!p->head || p->nfrags || !pkt_add_frag(w->p, p->head, at, s->len))
		return false;
	p->head = NULL; /* its count is the frag's */
	pkt_free(p);
	w->s.len += s->len;
	w->s.flags |= s->flags;
	w->s.pieces++;
	return true;
}

bool tcps_coalesce(struct pkt *p, const struct tcp_seg *s, const struct flow_key *key,
		   uint32_t header)
{
	struct waiting *w = &this_cpu(slots)[key->rport % SLOTS];

	if (w->p) {
		if (follows(w, p, s, key) && join(w, p, s, header)) {
			if (s->flags & TCP_PSH)
				let_go(w);
			return true;
		}
		let_go(w);
	}
	/* Behind a push there is often nothing more. */
	if (s->flags & TCP_PSH || !is_plain(p, s) || p->nfrags)
		return false;
	*w = (struct waiting){ p, header, *s, *key };
	w->s.pieces = 1;
	return true;
}

void tcps_coalesce_init(void)
{
	net_on_batch_end(end_of_batch);
}

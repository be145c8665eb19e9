/*
 * The bytes of a connection. To send: a ring of chunks in sequence, each a part of a counted block
 * of pages; a packet takes references to the blocks, so that nothing is copied when a segment is
 * sent, or sent again. Received: packets by sequence number, without overlaps: a list of those that
 * may be read, and a tree of those beyond the first hole.
 */

#include "abi/errno.h"
#include "dev/net/netdev.h"
#include "lib/string.h"
#include "net/inet/tcp_sock.h"
#include "net/tcp/seq.h"
#include "pmm/page.h"
#include "pmm/slab.h"

static struct tcp_chunk *chunk_at(const struct tcp_sendq *q, uint32_t i)
{
	return &q->ring[(q->head + i) & (q->size - 1)];
}

int sendq_reserve(struct tcp_sock *t, uint32_t chunks)
{
	struct tcp_sendq *q = &t->sendq;
	struct tcp_chunk *ring, *old;
	uint32_t size;

	if (LIKELY(q->count + chunks <= q->size)) /* others only take away */
		return 0;
	size = MAX(q->size, (uint32_t)SENDQ_INLINE);
	while (size < q->count + chunks)
		size *= 2;
	if (!q->ring) {
		q->ring = q->first;
		q->size = SENDQ_INLINE;
		if (size == SENDQ_INLINE)
			return 0;
	}
	if (!(ring = kmalloc(size * sizeof(*ring))))
		return -ENOMEM;
	spin_lock(&t->lock);
	for (uint32_t i = 0; i < q->count; i++)
		ring[i] = *chunk_at(q, i);
	old = q->ring;
	q->ring = ring;
	q->size = size;
	q->head = 0;
	spin_unlock(&t->lock);
	if (old != q->first)
		kfree(old);
	return 0;
}

void sendq_append(struct tcp_sock *t, struct page *page, uint32_t offset, uint32_t len)
{
	struct tcp_sendq *q = &t->sendq;
	struct tcp_chunk *last = q->count ? chunk_at(q, q->count - 1) : NULL;

	if (last && last->page == page && last->offset + last->len == offset) {
		last->len += len;
		return;
	}
	page_get(page);
	*chunk_at(q, q->count++) = (struct tcp_chunk){ page, offset, t->c.snd_end, len };
}

void sendq_drop(struct tcp_sock *t, uint32_t head)
{
	struct tcp_sendq *q = &t->sendq;

	while (q->count) {
		struct tcp_chunk *c = chunk_at(q, 0);

		if (seq_gt(c->seq + c->len, head))
			return;
		page_put(c->page);
		q->head = (q->head + 1) & (q->size - 1);
		q->count--;
	}
}

void sendq_clear(struct tcp_sock *t)
{
	struct tcp_sendq *q = &t->sendq;

	while (q->count)
		page_put(chunk_at(q, --q->count)->page);
}

void sendq_free(struct tcp_sock *t)
{
	struct tcp_sendq *q = &t->sendq;

	sendq_clear(t);
	if (q->tail)
		page_put(q->tail);
	if (q->ring != q->first)
		kfree(q->ring);
	q->tail = NULL;
	q->ring = NULL;
	q->size = q->head = 0;
}

/* The chunk that has seq: the last one that begins at or before it. */
static uint32_t find_chunk(const struct tcp_sendq *q, uint32_t seq)
{
	uint32_t low = 0, high = q->count;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (seq_leq(chunk_at(q, mid)->seq, seq))
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* Too many pieces for a packet: copied into pages of their own. */
static bool fill_by_copy(const struct tcp_sendq *q, uint32_t i, struct pkt *p, uint32_t seq,
			 uint32_t len)
{
	uint32_t room = 0, run, off;
	struct page *page = NULL;

	for (; len; i++) {
		const struct tcp_chunk *c = chunk_at(q, i);

		off = seq - c->seq;
		for (uint32_t left = MIN(len, c->len - off); left; left -= run) {
			if (!room) {
				if (!(page = page_alloc(0, PAGE_KERNEL, ALLOC_ATOMIC)))
					return false;
				if (!pkt_add_frag(p, page, 0, 0)) {
					page_put(page);
					return false;
				}
				room = PAGE_SIZE;
			}
			run = MIN(left, room);
			memcpy((uint8_t *)page_va(page) + PAGE_SIZE - room,
			       (uint8_t *)page_va(c->page) + c->offset + off, run);
			p->frag[p->nfrags - 1].bytes += run;
			p->len += run;
			room -= run;
			off += run;
			seq += run;
			len -= run;
		}
	}
	return true;
}

bool sendq_fill(struct tcp_sock *t, struct pkt *p, uint32_t seq, uint32_t len)
{
	struct tcp_sendq *q = &t->sendq;
	uint32_t i = find_chunk(q, seq), end = i, left = len, run, off = seq - chunk_at(q, i)->seq;

	for (uint32_t o = off; left && end - i < PKT_FRAGS; end++, o = 0)
		left -= MIN(left, chunk_at(q, end)->len - o);
	if (UNLIKELY(left))
		return fill_by_copy(q, i, p, seq, len);
	for (; len; i++, off = 0, len -= run) {
		const struct tcp_chunk *c = chunk_at(q, i);

		run = MIN(len, c->len - off);
		page_get(c->page);
		(void)!pkt_add_frag(p, c->page, c->offset + off, run);
	}
	return true;
}

uint32_t sendq_share(struct tcp_sock *t, struct pkt *p, uint32_t seq, uint32_t len)
{
	struct tcp_sendq *q = &t->sendq;
	uint32_t i = find_chunk(q, seq), off = seq - chunk_at(q, i)->seq, done = 0, run;

	for (; done < len && p->nfrags < PKT_FRAGS; i++, off = 0, done += run) {
		const struct tcp_chunk *c = chunk_at(q, i);

		run = MIN(len - done, c->len - off);
		page_get(c->page);
		(void)!pkt_add_frag(p, c->page, c->offset + off, run);
	}
	return done;
}

/* --- received --- */

/* In cb of a packet beyond the first hole. */
struct far_cb {
	struct tcp_cb cb; /* first */
	struct rbnode node;
};
STATIC_ASSERT(sizeof(struct far_cb) <= PKT_CB);

static struct rbnode *far_node(struct pkt *p)
{
	return &((struct far_cb *)(uintptr_t)p->cb)->node;
}

static struct pkt *far_pkt(struct rbnode *n)
{
	uint8_t *cb = (uint8_t *)rb_entry(n, struct far_cb, node);

	return (struct pkt *)(uintptr_t)(cb - offsetof(struct pkt, cb));
}

static void far_take(struct tcp_sock *t, struct rbnode *n)
{
	struct pkt *p = far_pkt(n);

	rb_remove(&t->far, n);
	t->rcvq_bytes -= tcp_cb(p)->charge;
	pkt_free(p);
}

/* Where a packet that begins at seq goes; returns the last one that begins before it. */
static struct rbnode *far_find(struct tcp_sock *t, uint32_t seq, struct rbnode **parent,
			       struct rbnode ***link)
{
	struct rbnode *before = NULL;

	*parent = NULL;
	*link = &t->far.root;
	while (**link) {
		*parent = **link;
		if (seq_leq(tcp_cb(far_pkt(*parent))->seq, seq)) {
			before = *parent;
			*link = &before->right;
		} else {
			*link = &(*parent)->left;
		}
	}
	return before;
}

/* Trims p, whose bytes are [cb->seq, cb->end), to what is not there yet, and takes out what it has
 * as well. False: nothing is left of it. */
static bool far_trim(struct tcp_sock *t, struct tcp_cb *cb)
{
	struct rbnode *before, *next, *parent, **link;
	struct tcp_cb *o;

	if ((before = far_find(t, cb->seq, &parent, &link))) {
		o = tcp_cb(far_pkt(before));
		if (seq_gt(o->end, cb->seq)) {
			cb->skip += MIN(o->end - cb->seq, cb->end - cb->seq);
			cb->seq = seq_min(o->end, cb->end);
		}
	}
	next = before ? rb_next(before) : rb_first(&t->far);
	while (cb->seq != cb->end && next) {
		struct rbnode *n = next;

		o = tcp_cb(far_pkt(n));
		if (seq_geq(o->seq, cb->end))
			break;
		next = rb_next(n);
		if (seq_gt(o->end, cb->end))
			cb->end = o->seq;
		else
			far_take(t, n);
	}
	return cb->seq != cb->end;
}

void rcvq_take_far(struct tcp_sock *t, struct list *out)
{
	struct rbnode *n;

	while ((n = rb_first(&t->far))) {
		rb_remove(&t->far, n);
		list_add_tail(out, &far_pkt(n)->node);
	}
}

/* What packets cost besides their bytes is bounded by copying: when the queue weighs more than it
 * may, small ones are put together in a page. A reader may be at the last packet; it knows how much
 * of it there was. */
static bool append_to(struct pkt *last, struct pkt *p)
{
	struct tcp_cb *to = tcp_cb(last), *cb = tcp_cb(p);
	uint32_t n = cb->end - cb->seq;
	struct pkt_frag *f;

	if (to->end != cb->seq || to->room < n)
		return false;
	f = &last->frag[last->nfrags - 1];
	pkt_copy(p, cb->skip, (uint8_t *)page_va(f->page) + f->offset + f->bytes, n);
	f->bytes += n;
	last->len += n;
	to->room -= n;
	to->end = cb->end;
	pkt_free(p);
	return true;
}

static uint32_t weight(const struct pkt *p)
{
	if (p->dev && p->dev->features & NETDEV_LOOPBACK) /* pages are the sender's */
		return (uint32_t)sizeof(*p) + p->len;
	return (uint32_t)(sizeof(*p) + (p->nfrags + !!p->head) * PAGE_SIZE);
}

/* p's bytes, in pages without gaps, the last of which has room for more. p itself when there is no
 * memory. */
static struct pkt *repack(struct pkt *p)
{
	struct tcp_cb *cb = tcp_cb(p);
	uint32_t n = cb->end - cb->seq, run = 0;
	struct pkt *fresh = pkt_alloc();

	if (!fresh)
		return p;
	for (uint32_t at = 0; at < n; at += run) {
		struct page *page = page_alloc(0, PAGE_KERNEL, ALLOC_ATOMIC);

		run = MIN(n - at, (uint32_t)PAGE_SIZE);
		if (!page || !pkt_add_frag(fresh, page, 0, run)) {
			if (page)
				page_put(page);
			pkt_free(fresh);
			return p;
		}
		pkt_copy(p, cb->skip + at, page_va(page), run);
	}
	*tcp_cb(fresh) = (struct tcp_cb){ .seq = cb->seq,
					  .end = cb->end,
					  .charge = weight(fresh),
					  .room = (uint32_t)PAGE_SIZE - run };
	pkt_free(p);
	return fresh;
}

/* Copied to spare memory, when there is little left of the buffer. NULL: p is part of `last` now.
 */
static struct pkt *make_light(struct tcp_sock *t, struct pkt *p, struct pkt *last)
{
	struct tcp_cb *cb = tcp_cb(p);
	uint32_t n = cb->end - cb->seq;

	if (LIKELY(t->rcvq_bytes <= t->i.s.rcvbuf / 2) ||
	    (n > PAGE_SIZE / 2 && cb->charge <= 2 * n))
		return p;
	if (last && append_to(last, p))
		return NULL;
	return repack(p);
}

static void far_insert(struct tcp_sock *t, struct pkt *p)
{
	struct rbnode *before, *parent, **link;

	if (!far_trim(t, tcp_cb(p))) {
		pkt_free(p);
		return;
	}
	before = far_find(t, tcp_cb(p)->seq, &parent, &link);
	if (!(p = make_light(t, p, before ? far_pkt(before) : NULL)))
		return;
	rb_insert(&t->far, far_node(p), parent, link);
	t->rcvq_bytes += tcp_cb(p)->charge;
}

/* The bytes before `end` are there: what follows without a hole is for readers now. */
static NOINLINE void far_join(struct tcp_sock *t, uint32_t end)
{
	struct rbnode *n;

	while ((n = rb_first(&t->far))) {
		struct pkt *p = far_pkt(n);
		struct tcp_cb *cb = tcp_cb(p);

		if (seq_gt(cb->seq, end))
			return;
		if (seq_leq(cb->end, end)) {
			far_take(t, n);
			continue;
		}
		rb_remove(&t->far, n);
		cb->skip += end - cb->seq;
		cb->seq = end;
		end = cb->end;
		list_add_tail(&t->rcvq, &p->node);
	}
}

void rcvq_insert(struct tcp_sock *t, struct pkt *p, uint32_t skip, uint32_t seq, uint32_t len)
{
	struct list *last = t->rcvq.prev;

	*tcp_cb(p) = (struct tcp_cb){ seq, seq + len, skip, weight(p), 0 };
	if (UNLIKELY(seq_gt(seq, t->c.rcv_nxt))) {
		far_insert(t, p);
		return;
	}
	p = make_light(t, p, last == &t->rcvq ? NULL : list_entry(last, struct pkt, node));
	if (LIKELY(p)) {
		list_add_tail(&t->rcvq, &p->node);
		t->rcvq_bytes += tcp_cb(p)->charge;
	}
	if (UNLIKELY(t->far.root))
		far_join(t, seq + len);
}

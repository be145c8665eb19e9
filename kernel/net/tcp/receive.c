/*
 * Receiving data: RFC 9293 3.10.7.4, "seventh, process the segment text" and "eighth, check the FIN
 * bit". The machine knows the ranges beyond the first hole; the bytes are the owner's. A FIN out of
 * order is remembered by its place. When to acknowledge: RFC 9293 3.8.6.3, RFC 5681 4.2.
 */
#include "net/tcp/tcp_priv.h"

static void ack_soon(struct tcp_conn *c, nsec_t now)
{
	if (c->ack_pending == TCP_ACK_NONE) {
		c->ack_pending = TCP_ACK_DELAYED;
		c->delack_at = now + TCP_DELACK_NS;
	}
}

void tcp_note_duplicate(struct tcp_conn *c, uint32_t start, uint32_t end)
{
	if (c->sack_ok && seq_lt(start, end))
		c->dsack = (struct tcp_range){ start, end };
	c->ack_pending = TCP_ACK_NOW;
}

static void ooo_delete(struct tcp_conn *c, uint32_t i, uint32_t count)
{
	c->nooo -= count;
	for (; i < c->nooo; i++)
		c->ooo[i] = c->ooo[i + count];
}

/* Notes [start, end), beyond rcv_nxt. False when it would need one range too many. */
static bool ooo_add(struct tcp_conn *c, uint32_t start, uint32_t end)
{
	uint32_t i = 0, last;

	while (i < c->nooo && seq_lt(c->ooo[i].end, start))
		i++;
	if (i == c->nooo || seq_lt(end, c->ooo[i].start)) {
		if (c->nooo == TCP_OOO)
			return false;
		for (uint32_t j = c->nooo++; j > i; j--)
			c->ooo[j] = c->ooo[j - 1];
		c->ooo[i] = (struct tcp_ooo){ start, end, ++c->ooo_stamp };
		return true;
	}
	if (seq_geq(start, c->ooo[i].start) && seq_leq(end, c->ooo[i].end))
		tcp_note_duplicate(c, start, end);
	for (last = i; last + 1 < c->nooo && seq_leq(c->ooo[last + 1].start, end); last++)
		;
	c->ooo[i].start = seq_min(c->ooo[i].start, start);
	c->ooo[i].end = seq_max(c->ooo[last].end, end);
	c->ooo[i].stamp = ++c->ooo_stamp;
	ooo_delete(c, i + 1, last - i);
	return true;
}

/* rcv_nxt reached `seq`: takes in what lies there already. */
static void advance(struct tcp_conn *c, uint32_t seq)
{
	uint32_t old = c->rcv_nxt, i = 0;

	while (i < c->nooo && seq_leq(c->ooo[i].start, seq)) {
		seq = seq_max(seq, c->ooo[i].end);
		i++;
	}
	if (i)
		ooo_delete(c, 0, i);
	c->rcv_nxt = seq;
	c->rcv_up = seq_max(c->rcv_up, old); /* or it would one day seem to lie ahead */
	c->rcv_space -= MIN(c->rcv_space, seq - old);
	c->n.bytes_received += seq - old;
	c->events |= TCP_EV_READABLE;
}

/* The blocks to report, the newest first; a duplicate comes before them (RFC 2883 4). */
unsigned tcp_sack_blocks(const struct tcp_conn *c, struct tcp_range *out, unsigned max)
{
	uint32_t below = UINT32_MAX;
	unsigned n = 0;

	if (c->dsack.start != c->dsack.end)
		out[n++] = c->dsack;
	while (n < max) {
		const struct tcp_ooo *best = NULL;

		for (uint32_t i = 0; i < c->nooo; i++) {
			const struct tcp_ooo *o = &c->ooo[i];

			if (o->stamp < below && (!best || o->stamp > best->stamp))
				best = o;
		}
		if (!best)
			break;
		below = best->stamp;
		out[n++] = (struct tcp_range){ best->start, best->end };
	}
	return n;
}

/* rcv_nxt stands at the FIN: the states of RFC 9293 3.10.7.4, eighth. */
static void take_fin(struct tcp_conn *c)
{
	c->rcv_nxt++;
	c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt);
	c->nooo = 0; /* nothing comes after it */
	c->fin_received = true;
	c->fin_seen = false;
	c->events |= TCP_EV_EOF | TCP_EV_READABLE;
	c->ack_pending = TCP_ACK_NOW;
	switch (c->state) {
	case TCP_ESTABLISHED:
		c->state = TCP_CLOSE_WAIT;
		break;
	case TCP_FIN_WAIT1: /* ours is not acknowledged: that was looked at before */
		c->state = TCP_CLOSING;
		break;
	case TCP_FIN_WAIT2:
		tcp_enter_time_wait(c);
		break;
	default:
		break;
	}
}

static void choose_ack(struct tcp_conn *c, bool in_order_only, nsec_t now)
{
	if (!in_order_only || c->nooo || c->rcv_nxt - c->rcv_acked > c->rcv_mss) {
		c->ack_pending = TCP_ACK_NOW;
	} else if (c->quick_acks && !c->pingpong) {
		c->quick_acks--;
		c->ack_pending = TCP_ACK_NOW;
	} else {
		ack_soon(c, now);
	}
}

static void note_arrival(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now)
{
	if (s->pieces <= 1 && s->len > c->rcv_mss)
		c->rcv_mss = (uint16_t)MIN(s->len, (uint32_t)MAX(c->adv_mss, c->mss));
	if (now - c->last_recv > c->rtt.rto && c->last_recv)
		c->quick_acks =
			MAX(c->quick_acks, 2); /* after a pause the peer's window is small */
	c->last_recv = now;
	c->n.data_segs_in += MAX(s->pieces, 1);
}

static void receive_text(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now,
			 struct tcp_store *store)
{
	uint32_t start = seq_max(s->seq, c->rcv_nxt), end = s->seq + s->len;
	bool had_holes = c->nooo != 0;

	if (seq_lt(s->seq, c->rcv_nxt))
		tcp_note_duplicate(c, s->seq, seq_min(end, c->rcv_nxt));
	end = seq_min(end, c->rcv_adv);
	if (c->fin_seen)
		end = seq_min(end, c->fin_seq);
	if (end != s->seq + s->len)
		c->ack_pending = TCP_ACK_NOW; /* it did not fit: say what does */
	if (seq_geq(start, end))
		return;
	note_arrival(c, s, now);
	if (start != c->rcv_nxt) {
		c->n.ooo++;
		c->ack_pending = TCP_ACK_NOW;
		if (!ooo_add(c, start, end))
			return;
	} else {
		advance(c, end);
		choose_ack(c, !had_holes, now);
	}
	*store = (struct tcp_store){ start, start - s->seq, end - start };
}

void tcp_receive(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now, struct tcp_store *store)
{
	uint32_t fin_seq = s->seq + s->len;

	if (!tcp_can_receive(c))
		return;
	if (s->len && c->orphan) { /* nobody will read it: RFC 9293 3.6.1, RFC 2525 2.17 */
		tcp_abort(c);
		return;
	}
	if (s->len)
		receive_text(c, s, now, store);
	if (s->flags & TCP_FIN && !c->fin_seen && seq_geq(fin_seq, c->rcv_nxt) &&
	    seq_leq(fin_seq, c->rcv_adv)) {
		c->fin_seen = true;
		c->fin_seq = fin_seq;
		c->ack_pending = TCP_ACK_NOW;
	}
	if (c->fin_seen && c->rcv_nxt == c->fin_seq)
		take_fin(c);
}

/*
 * The timers: retransmission (RFC 6298), tail loss probe (RFC 8985 7), reordering (RFC 8985 6.3),
 * persist (RFC 9293 3.8.6.1), delayed ACK, keep-alive (RFC 9293 3.8.4), and the end of FIN-WAIT-2.
 * The first four are one deadline, chosen by tcp_arm() after everything that changes what is in
 * flight; TIME-WAIT has its own block (timewait.h).
 */
#include "abi/errno.h"
#include "net/tcp/tcp_priv.h"

enum { ORPHAN_RETRIES = 8 };

static bool tlp_may_go(const struct tcp_conn *c)
{
	return c->sack_ok && c->ca == TCP_CA_Open && !c->tlp_out && !c->runs.sacked &&
	       c->rtt.srtt_us && !c->retries;
}

/* RFC 8985 7.2: two round trips, and the peer's delayed ACK when only one segment is out. */
static nsec_t tlp_at(const struct tcp_conn *c)
{
	nsec_t pto = (nsec_t)(c->rtt.srtt_us >> 2) * NSEC_PER_USEC;

	if (c->snd_nxt - c->snd_una <= c->mss)
		pto += TCP_RTO_MIN_NS;
	return MAX(c->last_send, c->rto_base) + MAX(pto, 2 * NSEC_PER_MSEC);
}

static void arm_in_flight(struct tcp_conn *c)
{
	nsec_t rto_at = c->rto_base + tcp_backed_off(c->rtt.rto, c->backoff);

	c->rexmit = TCP_REXMIT_RTO;
	c->rexmit_at = rto_at;
	if (c->reo_at < rto_at) {
		c->rexmit = TCP_REXMIT_REO;
		c->rexmit_at = c->reo_at;
	} else if (tlp_may_go(c) && tlp_at(c) < rto_at) {
		c->rexmit = TCP_REXMIT_TLP;
		c->rexmit_at = tlp_at(c);
	}
}

void tcp_arm(struct tcp_conn *c, nsec_t now)
{
	if (tcp_is_opening(c)) {
		c->rexmit = TCP_REXMIT_RTO;
		c->rexmit_at = c->rto_base + tcp_backed_off(c->rtt.rto, c->backoff);
	} else if (!tcp_is_synchronized(c)) {
		c->rexmit = TCP_REXMIT_NONE;
		c->rexmit_at = NSEC_MAX;
	} else if (tcp_in_flight(c)) {
		arm_in_flight(c);
	} else if (tcp_unsent(c)) {
		if (c->rexmit == TCP_REXMIT_PERSIST && c->rexmit_at != NSEC_MAX)
			return;
		if (c->rexmit != TCP_REXMIT_PERSIST)
			c->unanswered_since = now;
		c->rexmit = TCP_REXMIT_PERSIST;
		c->rexmit_at = now + tcp_backed_off(MAX(c->rtt.rto, TCP_RTO_MIN_NS), c->backoff);
	} else {
		c->rexmit = TCP_REXMIT_NONE;
		c->rexmit_at = NSEC_MAX;
	}
}

/* Long enough without an answer? tcp(7) TCP_USER_TIMEOUT, tcp_retries2. */
static bool give_up(const struct tcp_conn *c, nsec_t now)
{
	unsigned retries = c->orphan ? MIN(c->tune.retries2, ORPHAN_RETRIES) : c->tune.retries2;
	nsec_t limit = c->tune.user_timeout ? c->tune.user_timeout : tcp_give_up_after(retries);

	return now - c->unanswered_since >= limit;
}

static void syn_timeout(struct tcp_conn *c)
{
	if (c->retries >= c->syn_retries) {
		tcp_fail(c, ETIMEDOUT);
		return;
	}
	c->retries++;
	c->backoff++;
	c->pending |= TCP_SEND_SYN;
}

static void rto_expired(struct tcp_conn *c, nsec_t now)
{
	if (tcp_is_opening(c)) {
		syn_timeout(c);
		return;
	}
	if (give_up(c, now)) {
		tcp_fail(c, ETIMEDOUT);
		return;
	}
	tcp_lose_all(c);
	c->retries = (uint8_t)MIN(c->retries + 1, 255);
	c->backoff = (uint8_t)MIN(c->backoff + 1, 16);
	c->rto_base = now;
}

/* The window is closed, or too small to be worth a segment until now. */
static void persist_expired(struct tcp_conn *c, nsec_t now)
{
	if (give_up(c, now) && (c->orphan || c->tune.user_timeout || c->probes)) {
		tcp_fail(c, ETIMEDOUT);
		return;
	}
	if (c->snd_wnd) {
		c->override_sws = true;
	} else {
		c->backoff = (uint8_t)MIN(c->backoff + 1, 16);
		c->probes = (uint8_t)MIN(c->probes + 1, 255);
		c->pending |= TCP_SEND_PROBE;
	}
}

static void rexmit_expired(struct tcp_conn *c, nsec_t now)
{
	c->rexmit_at = NSEC_MAX;
	switch (c->rexmit) {
	case TCP_REXMIT_RTO:
		rto_expired(c, now);
		break;
	case TCP_REXMIT_TLP:
		c->pending |= TCP_SEND_TLP;
		break;
	case TCP_REXMIT_REO:
		tcp_rack_timer(c, now);
		break;
	case TCP_REXMIT_PERSIST:
		persist_expired(c, now);
		break;
	default:
		break;
	}
}

static void keepalive_expired(struct tcp_conn *c, nsec_t now)
{
	nsec_t idle_at = MAX(c->last_recv, c->last_ack_recv) + c->tune.keep_idle;

	c->keep_at = NSEC_MAX;
	if (!c->tune.keepalive || !tcp_is_synchronized(c))
		return;
	if (idle_at > now && !c->keep_probes) {
		c->keep_at = idle_at;
		return;
	}
	if (tcp_in_flight(c) || tcp_unsent(c)) { /* other timers watch over it */
		c->keep_at = now + c->tune.keep_idle;
		return;
	}
	if (c->tune.user_timeout ? c->keep_probes && now - idle_at >= c->tune.user_timeout
				 : c->keep_probes >= c->tune.keep_count) {
		c->pending |= TCP_SEND_RESET;
		tcp_fail(c, ETIMEDOUT);
		return;
	}
	c->keep_probes++;
	c->pending |= TCP_SEND_PROBE;
	c->keep_at = now + c->tune.keep_interval;
}

nsec_t tcp_deadline(const struct tcp_conn *c)
{
	nsec_t a = MIN(c->rexmit_at, c->delack_at), b = MIN(c->keep_at, c->linger_at);

	return MIN(a, b);
}

void tcp_timer(struct tcp_conn *c, nsec_t now)
{
	if (c->state == TCP_CLOSE || c->state == TCP_TIME_WAIT)
		return;
	if (now >= c->delack_at) {
		c->delack_at = NSEC_MAX;
		c->ack_pending = TCP_ACK_NOW;
		c->pingpong = false; /* the program does not answer at once after all */
	}
	if (now >= c->linger_at) {
		tcp_finish(c);
		return;
	}
	if (now >= c->rexmit_at)
		rexmit_expired(c, now);
	if (now >= c->keep_at)
		keepalive_expired(c, now);
}

/* Neighbours. See neigh.h; the transitions are those of RFC 4861 appendix C. */
#include "net/ip/neigh.h"

const struct neigh_config neigh_default_config = NEIGH_CONFIG_INIT;

void neigh_init(struct neigh *n, nsec_t now)
{
	*n = (struct neigh){ .deadline = NSEC_MAX, .used = now };
}

static void enter(struct neigh *n, enum neigh_state state, nsec_t deadline)
{
	n->state = (uint8_t)state;
	n->deadline = deadline;
	n->asked = 0;
}

static void enter_reachable(struct neigh *n, const struct neigh_config *cfg, nsec_t now)
{
	n->confirmed = now;
	enter(n, NEIGH_REACHABLE, now + cfg->reachable);
}

static unsigned queue_packet(struct neigh *n, const struct neigh_config *cfg, uint32_t bytes)
{
	n->queued += bytes;
	return n->queued > cfg->queue_max ? NEIGH_DROP_OLDEST : 0;
}

unsigned neigh_use(struct neigh *n, const struct neigh_config *cfg, uint32_t bytes, nsec_t now)
{
	n->used = now;
	switch (n->state) {
	case NEIGH_NONE:
	case NEIGH_FAILED:
		enter(n, NEIGH_INCOMPLETE, now + cfg->retrans);
		n->asked = 1;
		return NEIGH_ASK_ALL | queue_packet(n, cfg, bytes);
	case NEIGH_INCOMPLETE:
		return queue_packet(n, cfg, bytes);
	case NEIGH_STALE:
		enter(n, NEIGH_DELAY, now + cfg->delay);
		return 0;
	default:
		return 0;
	}
}

static bool mac_differs(const struct neigh *n, const uint8_t *mac)
{
	return mac && memcmp(n->mac, mac, ETH_ALEN) != 0;
}

static unsigned take_mac(struct neigh *n, const uint8_t *mac)
{
	if (!mac_differs(n, mac))
		return 0;
	memcpy(n->mac, mac, ETH_ALEN);
	return NEIGH_CHANGED;
}

/* The first answer: RFC 4861 7.2.5. */
static unsigned resolved(struct neigh *n, const struct neigh_config *cfg,
			 const struct neigh_answer *a, nsec_t now)
{
	unsigned todo;

	if (!a->mac)
		return 0;
	todo = take_mac(n, a->mac) | NEIGH_FLUSH;
	n->router = a->is_router;
	if (a->solicited)
		enter_reachable(n, cfg, now);
	else
		enter(n, NEIGH_STALE, NSEC_MAX);
	return todo;
}

unsigned neigh_answered(struct neigh *n, const struct neigh_config *cfg,
			const struct neigh_answer *a, nsec_t now)
{
	bool differs = mac_differs(n, a->mac);
	unsigned todo = 0;

	if (n->state == NEIGH_PERMANENT || n->state == NEIGH_NONE || n->state == NEIGH_FAILED)
		return 0;
	if (n->state == NEIGH_INCOMPLETE)
		return resolved(n, cfg, a, now);
	if (differs && !a->override) { /* a doubt: the address in use is to be asked */
		if (n->state == NEIGH_REACHABLE)
			enter(n, NEIGH_STALE, NSEC_MAX);
		return 0;
	}
	todo = take_mac(n, a->mac);
	if (a->solicited)
		enter_reachable(n, cfg, now);
	else if (differs)
		enter(n, NEIGH_STALE, NSEC_MAX);
	if (a->v6)
		n->router = a->is_router;
	return todo;
}

unsigned neigh_heard(struct neigh *n, const uint8_t *mac, nsec_t now)
{
	unsigned todo;

	if (n->state == NEIGH_PERMANENT)
		return 0;
	if (n->state != NEIGH_NONE && n->state != NEIGH_INCOMPLETE && n->state != NEIGH_FAILED &&
	    !mac_differs(n, mac))
		return 0;
	todo = take_mac(n, mac);
	if (n->state == NEIGH_INCOMPLETE)
		todo |= NEIGH_FLUSH;
	enter(n, NEIGH_STALE, NSEC_MAX);
	n->used = now;
	return todo;
}

void neigh_confirm(struct neigh *n, const struct neigh_config *cfg, nsec_t when, nsec_t now)
{
	if (n->state == NEIGH_REACHABLE || n->state == NEIGH_PERMANENT || !neigh_has_mac(n) ||
	    when <= n->confirmed || when + cfg->reachable <= now)
		return;
	enter_reachable(n, cfg, when);
}

static unsigned ask(struct neigh *n, const struct neigh_config *cfg, unsigned how, nsec_t now)
{
	if (n->asked >= (how == NEIGH_ASK_ALL ? cfg->ask_all : cfg->ask_it)) {
		enter(n, NEIGH_FAILED, NSEC_MAX);
		n->queued = 0;
		return NEIGH_DROP;
	}
	n->asked++;
	n->deadline = now + cfg->retrans;
	return how;
}

unsigned neigh_timer(struct neigh *n, const struct neigh_config *cfg, nsec_t now)
{
	if (now < n->deadline)
		return 0;
	switch (n->state) {
	case NEIGH_INCOMPLETE:
		return ask(n, cfg, NEIGH_ASK_ALL, now);
	case NEIGH_REACHABLE:
		enter(n, NEIGH_STALE, NSEC_MAX);
		return 0;
	case NEIGH_DELAY:
		enter(n, NEIGH_PROBE, now);
		return ask(n, cfg, NEIGH_ASK_IT, now);
	case NEIGH_PROBE:
		return ask(n, cfg, NEIGH_ASK_IT, now);
	default:
		n->deadline = NSEC_MAX;
		return 0;
	}
}

unsigned neigh_set(struct neigh *n, const struct neigh_config *cfg, const uint8_t *mac,
		   enum neigh_state state, nsec_t now)
{
	bool waited = n->state == NEIGH_INCOMPLETE;
	unsigned todo = mac ? take_mac(n, mac) : 0;

	n->asked = 0;
	switch (state) {
	case NEIGH_REACHABLE:
		enter_reachable(n, cfg, now);
		break;
	case NEIGH_DELAY:
		enter(n, NEIGH_DELAY, now + cfg->delay);
		break;
	case NEIGH_INCOMPLETE:
	case NEIGH_PROBE:
		enter(n, state, now);
		break;
	default:
		enter(n, state, NSEC_MAX);
	}
	if (waited && neigh_has_mac(n))
		todo |= NEIGH_FLUSH;
	if (state == NEIGH_FAILED || state == NEIGH_NONE) {
		n->queued = 0;
		todo |= NEIGH_DROP;
	}
	return todo;
}

unsigned neigh_set_permanent(struct neigh *n, const uint8_t *mac)
{
	unsigned todo = take_mac(n, mac);

	if (n->state == NEIGH_INCOMPLETE)
		todo |= NEIGH_FLUSH;
	enter(n, NEIGH_PERMANENT, NSEC_MAX);
	return todo;
}

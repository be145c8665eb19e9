#pragma once

/* Who has which pair of addresses and ports. */

#include "net/flow.h"

enum tcp_ep_kind { TCP_EP_SOCK, TCP_EP_REQUEST, TCP_EP_TIMEWAIT };

struct tcp_ep {
	struct tcp_ep *next; /* TCPHASH to change; read under an epoch */
	struct flow_key key; /* immutable while hashed */
	uint32_t hash;
	uint8_t kind; /* enum tcp_ep_kind */
	_Atomic bool hashed;
};

void tcps_table_init(void);
uint32_t tcps_hash(const struct flow_key *key);
/* Under an epoch; NULL: nobody. */
struct tcp_ep *tcps_find(const struct flow_key *key, uint32_t hash);
/* ep->key, hash, kind are set. -EADDRNOTAVAIL: somebody has this key. */
MUST_CHECK int tcps_insert(struct tcp_ep *ep);
void tcps_remove(struct tcp_ep *ep); /* nothing when it is not there */
/* new takes old's place (and key) at once. False: old is not there any more. */
MUST_CHECK bool tcps_replace(struct tcp_ep *old, struct tcp_ep *new);
/* The next entry after *cursor (0 at first), under an epoch; NULL: no more. */
struct tcp_ep *tcps_next(uint64_t *cursor);

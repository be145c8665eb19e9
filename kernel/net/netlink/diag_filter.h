#pragma once

/*
 * The filter that ss(8) sends with a request for sockets: a program of jumps. Pure.
 *   source       linux/inet_diag.h; ss(8)'s requests, and Linux's answers to them
 */

#include "net/wire.h"

/* What a filter asks of a socket. Addresses of IPv4 in the first four bytes. */
struct diag_subject {
	uint8_t family; /* 4 or 6, as the address has it */
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
	uint32_t ifindex, mark;
	bool auto_port; /* nobody asked for sport */
};

/* Whether n bytes are a program: whole instructions, and jumps that lead forward. mark: it may ask
 * for marks (CAP_NET_ADMIN). 0; -EINVAL; -EPERM. */
MUST_CHECK int diag_filter_check(const uint8_t *code, uint32_t n, bool may_mark);

/* Whether the socket passes a program that was checked. */
bool diag_filter_run(const uint8_t *code, uint32_t n, const struct diag_subject *s);

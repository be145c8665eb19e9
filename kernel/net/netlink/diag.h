#pragma once

/*
 * NETLINK_SOCK_DIAG: sockets, asked for by family. Each family answers for its own.
 *   source       sock_diag(7)
 */

#include "net/netlink/netlink.h"

void sock_diag_init(void); /* boot, after the families */

struct diag_family {
	uint8_t family;
	uint32_t request_bytes; /* of the header that it wants */
	/* Sets a dump up: d->more, d->header or d->data. 0 or -errno. */
	int (*dump)(struct nlrequest *r, struct nldump *d);
	/* One socket, into m (NULL: SOCK_DESTROY it, if the caller may). 0; -ENOENT; -ESTALE; … */
	int (*one)(struct nlrequest *r, struct nlmsgs *m);
	struct diag_family *next;
};
void diag_register(struct diag_family *f);

void diag_inet_init(void);
void diag_unix_init(void);
void diag_netlink_init(void);
void diag_packet_init(void);

static inline void diag_put_cookie(uint32_t out[2], uint64_t cookie)
{
	out[0] = (uint32_t)cookie;
	out[1] = (uint32_t)(cookie >> 32);
}
/* Whether a request's cookie is this socket's, or none. */
static inline bool diag_cookie_is(const uint32_t want[2], uint64_t cookie)
{
	return (want[0] == UINT32_MAX && want[1] == UINT32_MAX) ||
	       (want[0] == (uint32_t)cookie && want[1] == (uint32_t)(cookie >> 32));
}

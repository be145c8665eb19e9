#pragma once

/*
 * SO_ATTACH_FILTER and its kin: classic BPF on the packets that come to a socket.
 *   source       socket(7), packet(7)
 */

#include "net/socket.h"

struct pkt;
struct socket_filter;

/* How many bytes of p the filter keeps: 0 drops it. */
uint32_t filter_run(const struct socket_filter *f, const struct pkt *p);

/*
 * The same for a socket: UINT32_MAX without a filter.
 *   p            data where the socket's view begins (UDP: its header; raw: the network header;
 *                packet sockets: as they deliver it), network header set
 *   context      under an epoch
 */
static inline uint32_t socket_filter(const struct socket *s, const struct pkt *p)
{
	const struct socket_filter *f = atomic_load_explicit(&s->filter, memory_order_acquire);

	return LIKELY(!f) ? UINT32_MAX : filter_run(f, p);
}

/* The same for a message that is no packet: n bytes in one piece, or in blocks of `block` bytes. */
struct filter_bytes {
	const void *(*at)(const void *ctx, uint32_t block); /* where a block lies */
	const void *ctx;
	uint32_t n, block;
};
uint32_t filter_run_bytes(const struct socket_filter *f, const struct filter_bytes *b);
static inline uint32_t socket_filter_bytes(const struct socket *s, const struct filter_bytes *b)
{
	const struct socket_filter *f = atomic_load_explicit(&s->filter, memory_order_acquire);

	return LIKELY(!f) ? UINT32_MAX : filter_run_bytes(f, b);
}

/* A checked program from the user's struct sock_fprog. 0; -EINVAL, -EFAULT, -ENOMEM. */
MUST_CHECK int filter_create(uaddr_t fprog, uint32_t len, struct socket_filter **out);
void filter_free(struct socket_filter *f); /* after an epoch; NULL is nothing */

/* The options: 0 or -errno; -EPERM the filter is locked, -ENOENT there is none. */
MUST_CHECK int socket_attach_filter(struct socket *s, uaddr_t fprog, uint32_t len);
MUST_CHECK int socket_detach_filter(struct socket *s);
MUST_CHECK int socket_lock_filter(struct socket *s, bool on);
/* *len in: room in instructions, out: their number; nothing is copied to no room. */
MUST_CHECK int socket_get_filter(struct socket *s, uaddr_t val, uint32_t *len);

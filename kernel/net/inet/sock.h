#pragma once

/*
 * What sockets of AF_INET and AF_INET6 have in common: addresses, ports, options. An AF_INET6
 * socket that is not V6ONLY takes IPv4 as well; all addresses here are as in inet.h.
 *   source       ip(7), ipv6(7), bind(2)
 */

#include "core/spinlock.h"
#include "net/flow.h"
#include "net/inet/inet.h"
#include "net/socket.h"

enum inet_recv { /* ancillary data that recvmsg(2) gives */
		 INET_RECV_PKTINFO = 1,
		 INET_RECV_TTL = 2,
		 INET_RECV_TOS = 4,
		 INET_RECV_ERR = 8,
};

enum { INET_BUCKETS = 1024 };

/* Who has which port: one for each transport protocol. Chains change under the lock, and are read
 * under an epoch. */
struct inet_table {
	struct spinlock lock; /* PORTS */
	struct inet_sock *bucket[INET_BUCKETS];
	struct port_chooser chooser;
	bool is_stream; /* SO_REUSEADDR does not allow two listeners */
};

struct inet_sock {
	struct socket s; /* first */
	/* Set by bind, connect and accept under the protocol's lock; read racily by lookups. */
	struct ipv6_addr local, remote;
	uint16_t lport, rport; /* 0: none */
	bool is_listening;     /* table's lock to write */
	bool auto_port;        /* nobody asked for this port: disconnecting gives it back */
	bool by_connect;       /* chosen by connect(2): others may connect from the same port */
	bool v6only, freebind, mc_loop, mc_all, no_check;
	uint8_t tos, pmtu_mode;
	int16_t ttl, mc_ttl; /* -1: the default */
	int mc_if;
	uint32_t recv; /* enum inet_recv */
	uint32_t uid;
	struct inet_table *table;
	struct inet_sock *bind_next; /* table->lock */
	struct epoch_head epoch;     /* freeing: lookups may stand on it */
};

static inline struct inet_sock *inet_of(struct socket *s)
{
	return container_of(s, struct inet_sock, s);
}

void inet_sock_init(struct inet_sock *i, const struct socket_ops *ops, int family, int type,
		    int protocol, struct inet_table *t);
void inet_table_init(struct inet_table *t, bool is_stream);

/* No address of the socket's family. */
struct ipv6_addr inet_any(const struct inet_sock *i);

/* A user's address. 0; -EINVAL, -EAFNOSUPPORT; -ENETUNREACH IPv4 for a V6ONLY socket. scope: the
 * interface of a link-local one, or 0. */
MUST_CHECK int inet_get_name(const struct inet_sock *i, const void *addr, uint32_t len,
			     struct ipv6_addr *ip, uint16_t *port, int *scope);
/* Writes an address as the socket's family has it; its length. */
uint32_t inet_put_name(const struct inet_sock *i, const struct ipv6_addr *ip, uint16_t port,
		       int scope, void *out);
int inet_getname(struct socket *s, void *addr, bool peer);

/* bind(2): checks and takes the port. The protocol's lock, if it has one, is the caller's. */
MUST_CHECK int inet_bind(struct inet_sock *i, const void *addr, uint32_t len);
/* Takes an ephemeral port, unless the socket has one. is_free: a stricter test; NULL: any port that
 * bind(2) would give. */
MUST_CHECK int inet_autobind(struct inet_sock *i, port_test *is_free, void *arg);
/* From now on it listens on its port; -EADDRINUSE: another does. */
MUST_CHECK int inet_listen(struct inet_sock *i);
/* Puts an accepted socket beside its listener. */
void inet_share_port(struct inet_sock *i, uint16_t port);
void inet_release_port(struct inet_sock *i);

/* Whether a packet to dst is for a socket with this local address. */
bool inet_takes(const struct inet_sock *i, const struct ipv6_addr *dst, const struct netdev *d);

/* Levels IP and IPV6; -ENOPROTOOPT for others. */
int inet_setsockopt(struct inet_sock *i, int level, int name, uaddr_t val, uint32_t len);
int inet_getsockopt(struct inet_sock *i, int level, int name, void *val, uint32_t *len);
int64_t inet_ioctl(struct inet_sock *i, unsigned cmd, uint64_t arg);
void inet_put_ancillary(struct inet_sock *i, const struct pkt *p, struct sockmsg *m);

static inline struct inet_sock *inet_next(struct inet_sock *const *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}
static inline struct inet_sock *const *inet_bucket(const struct inet_table *t, uint16_t port)
{
	return &t->bucket[port % INET_BUCKETS];
}

/* Bytes of p from `offset` on to a uio; fewer than n: a fault. */
size_t pkt_to_uio(const struct pkt *p, uint32_t offset, struct uio *u, size_t n);
/* n bytes of a uio at the end of p, in fresh pages, or in its room when they are few (p has no
 * header yet). 0; -EFAULT; -ENOBUFS. */
MUST_CHECK int pkt_from_uio(struct pkt *p, struct uio *u, size_t n);

/* udp.c, tcp.c, raw.c: sockets of a type; used by the families' create. */
MUST_CHECK int udp_create(int family, struct socket **out);
MUST_CHECK int tcp_create(int family, struct socket **out);
MUST_CHECK int raw_create(int family, int protocol, struct socket **out);

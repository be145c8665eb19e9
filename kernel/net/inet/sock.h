#pragma once

/*
 * What sockets of AF_INET and AF_INET6 have in common: addresses, ports, options. An AF_INET6
 * socket that is not V6ONLY takes IPv4 as well; all addresses here are as in inet.h.
 *   source       ip(7), ipv6(7), bind(2)
 */

#include "core/spinlock.h"
#include "net/flow.h"
#include "net/inet/errqueue.h"
#include "net/inet/inet.h"
#include "net/socket.h"

enum inet_recv { /* ancillary data that recvmsg(2) gives: of IPv4 packets, then of IPv6 ones */
		 INET_RECV_PKTINFO = 1,
		 INET_RECV_TTL = 2,
		 INET_RECV_TOS = 4,
		 INET_RECV_ERR = 8,
		 INET_RECV_ORIGDST = 16,
		 INET_RECV_PKTINFO6 = 32,
		 INET_RECV_HOPLIMIT = 64,
		 INET_RECV_TCLASS = 128,
		 INET_RECV_ERR6 = 256,
		 INET_RECV_ORIGDST6 = 512,
		 INET_RECV_OLD_PKTINFO6 = 1024,
		 INET_RECV_OLD_HOPLIMIT = 2048,
};

enum { INET_BUCKETS = 1024 };

/* Who has which port: one for each transport protocol. Chains change under the lock, and are read
 * under an epoch. */
struct inet_table {
	struct spinlock lock; /* PORTS */
	struct inet_sock *bucket[INET_BUCKETS];
	struct port_chooser chooser;
	/* Something besides sockets that keeps a port from being bound to; NULL: nothing. */
	bool (*is_blocked)(const struct inet_sock *i, const struct ipv6_addr *local, uint16_t port);
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
	bool explicit_local;   /* bind(2) gave it an address, which disconnecting keeps */
	/* Options; single words, racy by nature. Of IPv4 packets, and of IPv6 ones (…6). */
	bool v6only, freebind, transparent, bind_no_port, dontfrag6;
	bool mc_loop, mc_loop6, mc_all, mc_all6;
	uint8_t tos, tclass, pmtu_mode, pmtu_mode6, min_ttl, min_hops;
	int16_t ttl, hops, mc_ttl, mc_hops; /* -1: the default */
	int mc_if, mc_if6, unicast_if, unicast_if6;
	struct ipv6_addr mc_source; /* IP_MULTICAST_IF by address; 0.0.0.0: none */
	uint32_t mtu6;              /* IPV6_MTU: the largest packet; 0: the path's */
	uint32_t recv;              /* enum inet_recv */
	uint32_t uid;
	struct inet_groups *groups; /* net/inet/mcast.h; NULL: none */
	struct inet_errq errq;
	struct inet_table *table;
	struct inet_sock *bind_next, **bind_at; /* table->lock to change */
	struct epoch_head epoch;                /* freeing: lookups may stand on it */
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
int inet_getname(struct socket *s, void *addr, enum socket_name which);

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

/* Ports that bind(2) chooses from, and those that need CAP_NET_BIND_SERVICE: net.ipv4.
 * ip_local_port_range, ip_unprivileged_port_start. */
extern uint32_t inet_ping_group_low, inet_ping_group_high; /* net.ipv4.ping_group_range */
extern int inet_port_low, inet_port_high, inet_port_unprivileged;

/* What ip_output() is told of the options: TTL, TOS, fragments. dst, src and path are set. */
void inet_set_send(const struct inet_sock *i, struct ip_send *s);
/* The largest packet that goes out unfragmented by the socket's MTU discovery. */
uint32_t inet_path_mtu(const struct inet_sock *i, const struct ip_path *path, bool v4);

/* Whether a packet to dst is for a socket with this local address. */
bool inet_takes(const struct inet_sock *i, const struct ipv6_addr *dst, const struct netdev *d);

/* Levels IP and IPV6; -ENOPROTOOPT for others. */
int inet_setsockopt(struct inet_sock *i, int level, int name, uaddr_t val, uint32_t len);
int inet_getsockopt(struct inet_sock *i, int level, int name, void *val, uint32_t *len);
int64_t inet_ioctl(struct inet_sock *i, unsigned cmd, uint64_t arg);
/* Control messages about a received packet, which came to `port`. */
void inet_put_ancillary(struct inet_sock *i, const struct ip_info *info, int ifindex, uint16_t port,
			struct sockmsg *m);

/* What the control messages of sendmsg(2) ask for. */
struct inet_control {
	struct ipv6_addr source; /* unspecified: none */
	int oif;                 /* 0: none */
	int16_t ttl, tos;        /* -1: the socket's */
	uint16_t gso;            /* UDP_SEGMENT; 0: none */
	uint32_t mark;
	uint32_t ts_flags; /* SOF_TIMESTAMPING_*: the socket's, unless the message has its own */
	int8_t dontfrag;   /* -1: the socket's */
};
/* Reads them over what *c is. v4: the destination is IPv4. 0; -EINVAL; -EPERM. */
MUST_CHECK int inet_get_control(const struct inet_sock *i, const struct sockmsg *m, bool v4,
				struct inet_control *c);

/* Memory that a packet holds. */
static inline uint32_t pkt_weight(const struct pkt *p)
{
	return (uint32_t)sizeof(*p) + ((p->head != NULL) + p->nfrags) * (uint32_t)PAGE_SIZE;
}

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
/* The same for more than one call: what is left of the last page is filled first. The pages are
 * nobody else's yet. */
MUST_CHECK int pkt_append_uio(struct pkt *p, struct uio *u, size_t n);

/* udp.c, tcp.c, raw.c: sockets of a type; used by the families' create. */
MUST_CHECK int udp_create(int family, int protocol, struct socket **out); /* or UDP-Lite's */
MUST_CHECK int tcp_create(int family, struct socket **out);
MUST_CHECK int raw_create(int family, int protocol, struct socket **out);
MUST_CHECK int ping_create(int family, struct socket **out);

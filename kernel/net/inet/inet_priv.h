#pragma once

/* Between the files of net/inet. */

#include "net/inet/inet.h"

/* fib.c */
void fib_init(void);
void fib_changed(void);
/* Routes that go through no other device; those whose source an address was. net_config_lock. */
void fib_remove_device(bool v4, int ifindex, bool also_local);
void fib_remove_source(bool v4, const struct ipv6_addr *key);
struct fib_config;
/* Gives the route that c describes c's lifetime. False: there is none. net_config_lock. */
bool fib_refresh(bool v4, const struct fib_config *c);
nsec_t fib_expire(nsec_t now); /* removes what is over; when to come again. net_config_lock */
struct ipv6_addr fib_key(const struct ipv6_addr *a); /* as the tables have it */

/* ifaddr.c */
void ifaddr_init(void);
void ifaddr_drop6(struct netdev *d);     /* all of IPv6 goes. net_config_lock */
void ifaddr_loopback6(struct netdev *d); /* ::1 comes, if d is lo and up. net_config_lock */
/* Fills path->source for dst from the addresses of the path's device. */
void ifaddr_choose(struct ip_path *path, const struct ipv6_addr *dst);

/* autoconf.c: d's addresses changed, or how long they live. net_config_lock. */
void autoconf_init(void);
void autoconf_changed(struct netdev *d);
void autoconf_routes_changed(nsec_t expires); /* a route came; 0: for ever */
void autoconf_advert(const struct pkt *p);    /* a router advertisement; not consumed */
/* Somebody claims addr. True: it is one of d's that is still being checked. Threads. */
bool autoconf_heard(struct netdev *d, const struct ipv6_addr *addr);
uint8_t ifaddr_scope6(const struct ipv6_addr *a);                               /* RT_SCOPE_* */
bool ifaddr_is_tentative(const struct netdev *d, const struct ipv6_addr *addr); /* any thread */
/* net.ipv6.conf: d's IPv6 goes off or on again; whether it forwards has changed. net_config_lock.
 */
void autoconf_disable(struct netdev *d, bool off);
void autoconf_forwards(struct netdev *d);
void autoconf_prepare(struct ifaddr *a); /* before ifaddr_add(): is it to be checked (DAD)? */

void inet_ioctl_init(void);

/* forward.c: p, at its network header of so many bytes, is for another. True: it was consumed. */
MUST_CHECK bool ip_forward(struct pkt *p, uint32_t header);
/* icmp.c: tells the sender of p, at its network header, what became of it. p stays the caller's. */
void icmp_send_error(const struct pkt *p, uint8_t type, uint8_t code, uint32_t info);

/* neighbour.c */
void neighbour_init(void);
/* Sends p, at its network header, to the path's next hop, or keeps it until that is known. Consumes
 * p. */
int neighbour_output(struct pkt *p, const struct ip_path *path, uint16_t type);
/* which: 1: IPv4's; 2: IPv6's; 3: all */
void neighbour_forget(const struct netdev *d, unsigned which);
/* A message told that `from` is at `mac`: an answer, or (answer NULL) in passing. make: also when
 * nobody asked before. */
struct neigh_answer;
void neighbour_heard(struct netdev *d, const struct ipv6_addr *from, const uint8_t *mac,
		     const struct neigh_answer *answer, bool make);

/* arp.c: who has target? mac: whom to ask; NULL: all. sender: an address that could be asked for,
 * as net.ipv4.conf.*.arp_announce has it; 0: none */
void arp_init(void);
void arp_ask(struct netdev *d, const struct ipv6_addr *target, const uint8_t *mac, uint32_t sender);
/* proxy.c: whether we answer on d for target, which is another's; as a router, if it is IPv6's. */
bool proxy_answers(const struct netdev *d, const struct ipv6_addr *target, bool *router);
/* martian.c: whether p, of IPv4 and from a wire, may come from where it says: RFC 1812 5.3.8 */
bool source_is_valid(const struct pkt *p);

/* icmp.c: the ICMPv6 message m, its checksum still to be made, from exactly this address */
void icmp6_send_from(struct netdev *d, const void *m, uint32_t n, const struct ipv6_addr *src,
		     const struct ipv6_addr *dst);
void ndp_solicit(struct netdev *d, const struct ipv6_addr *target, const uint8_t *mac);

/* input.c, icmp.c */
/* p, at its network header, cannot be delivered: its sender is told. p stays the caller's, without
 * its header. */
void ip_report_unreachable(struct pkt *p);
void ip_input_init(void);
void icmp_init(void);
bool ip_protocol_deliver(struct pkt *p); /* false: nobody takes this protocol; p stays */
const struct ip_protocol *ip_protocol_find(uint8_t proto);

/* output.c: bytes [offset, offset+len) of p as a packet of its own: pages shared, the rest copied.
 * NULL: no memory. */
MUST_CHECK struct pkt *ip_piece(const struct pkt *p, uint32_t offset, uint32_t len);

/* `sum` and all bytes of p */
uint32_t ip_sum(const struct pkt *p, uint32_t sum);

/* raw.c: shows p, at its transport header, to raw sockets; true: it was for one. */
extern _Atomic unsigned raw_sockets; /* how many there are */
bool raw_input_slow(const struct pkt *p);
static inline bool raw_input(const struct pkt *p)
{
	return UNLIKELY(atomic_load_explicit(&raw_sockets, memory_order_relaxed)) &&
	       raw_input_slow(p);
}
bool raw_hears_slow(uint8_t proto);
/* Somebody may want to see packets of this protocol. */
static inline bool raw_hears(uint8_t proto)
{
	return UNLIKELY(atomic_load_explicit(&raw_sockets, memory_order_relaxed)) &&
	       raw_hears_slow(proto);
}
void raw_icmp(const struct ip_info *sent, const struct pkt *back, const struct ip_error *e);

/* ping.c: an answer, at its ICMP header of which ICMP_HEADER bytes are linear; an error about an
 * ICMP message of ours. */
void ping_input(const struct pkt *p);
void ping_icmp(const struct ip_info *sent, const struct pkt *back, const struct ip_error *e);

/* output.c: a number for IPv4's packets that may be cut */
uint16_t ip_next_id(void);

/* udp.c, tcp_*.c */
void udp_init(void);
void tcp_init(void);
void raw_init(void);
void ping_init(void);

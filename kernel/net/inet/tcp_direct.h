#pragma once

/*
 * Two TCP sockets of this machine that are joined hand bytes over themselves. All of it under an
 * epoch, in which a socket does not go away.
 *
 *   join       by the writer, without locks: looks for the peer, not too often
 *   lock_both  t's lock, and that of its peer, which is returned; NULL: it has none
 *   part       both locked: they are strangers from now on
 *   hand_over  both locked: n bytes at `offset` of a block, which come after all that was written,
 *              arrive at the peer. True: done, both are unlocked. False: nothing was done
 *   pull       both locked (`from` alone when `to` is NULL): what `from` has queued arrives as far
 *              as there is room; what cannot go that way goes by segments. Unlocks
 *   send_bare  p, whose bytes are s's payload, arrives by lo without headers; `from` is the
 *              sender's key. False: it needs headers
 *   room_made  without locks: t's window may have opened. As pull
 *
 * net_run_deferred() is the caller's, after the epoch.
 */

#include "net/inet/tcp_sock.h"

void tcps_join(struct tcp_sock *t);
struct tcp_sock *tcps_lock_both(struct tcp_sock *t);
void tcps_unlock_both(struct tcp_sock *t, struct tcp_sock *peer);
void tcps_part(struct tcp_sock *t, struct tcp_sock *peer);
MUST_CHECK bool tcps_hand_over(struct tcp_sock *t, struct tcp_sock *peer, struct page *page,
			       uint32_t offset, uint32_t n);
void tcps_pull(struct tcp_sock *from, struct tcp_sock *to);
void tcps_room_made(struct tcp_sock *t);
MUST_CHECK bool tcps_send_bare(struct pkt *p, const struct tcp_seg *s, const struct flow_key *from,
			       const struct ip_path *path);

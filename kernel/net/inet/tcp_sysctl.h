#pragma once

/* net.ipv4.tcp_*: what TCP looks at. Single words, written by whoever shows them in /proc/sys;
 * limits are theirs. */

#include "lib/types.h"

extern int tcp_rmem[3], tcp_wmem[3]; /* least, at first, largest: bytes */
extern int64_t tcp_mem[3];           /* pages of all connections together: low, pressure, high */
extern int tcp_syn_retries, tcp_synack_retries, tcp_retries2;
extern int tcp_keepalive_time, tcp_keepalive_probes, tcp_keepalive_intvl; /* s */
extern int tcp_fin_timeout;                                               /* s */
extern int tcp_max_syn_backlog, tcp_syncookies, tcp_abort_on_overflow;
extern int tcp_max_tw_buckets, tcp_tw_reuse, tcp_max_orphans;
extern int tcp_sack, tcp_timestamps, tcp_window_scaling, tcp_ecn, tcp_moderate_rcvbuf;
extern int tcp_fastopen; /* bits; nothing is done: TCP_FASTOPEN says EOPNOTSUPP */
extern unsigned tcp_notsent_lowat;
extern bool tcp_default_reno; /* tcp_congestion_control is "reno", else "cubic" */

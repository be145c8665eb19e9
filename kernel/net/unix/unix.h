#pragma once

/* AF_UNIX: unix(7). */

struct textbuf;

void unix_init(void); /* boot: after net_init() */

/* The text of /proc/net/unix. May sleep. */
void unix_format(struct textbuf *t);

extern int unix_max_dgram_qlen; /* sysctl net.unix.max_dgram_qlen */

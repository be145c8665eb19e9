#pragma once

/* AF_UNIX sockets as sock_diag(7) shows them. */

#include "lib/types.h"

enum { UNIX_ICONS = 512 };

struct unix_shown {
	uint8_t type, state; /* SOCK_*; TCP_ESTABLISHED, TCP_CLOSE or TCP_LISTEN */
	uint8_t shutdown;
	uint64_t ino, peer; /* 0: no file; no peer */
	uint32_t rqueue, wqueue, rmem, wmem, rcvbuf, sndbuf, uid;
	uint64_t vfs_ino, vfs_dev; /* of a path name; 0: none */
	uint32_t name_len;
	char name[108];
	uint32_t nicons; /* a listener's: who wait to be accepted, by their inode; as many as fit */
	uint32_t icons[UNIX_ICONS];
};

/*
 * Calls fn for the sockets from *key on (0: all) until it returns false: *key is then that one's,
 * else what follows the last. s is the walk's room. context      fn runs under spinlocks returns
 * whether fn returned false
 */
bool unix_walk(uint64_t *key, struct unix_shown *s,
	       bool (*fn)(void *ctx, const struct unix_shown *s), void *ctx);

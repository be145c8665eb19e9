#pragma once

/* What the socket calls share: the socket behind a descriptor, and addresses of user space. */

#include "abi/fcntl.h"
#include "abi/socket.h"
#include "lib/types.h"
#include "net/socket.h"
#include "vfs/fdtable.h"

struct sockref {
	struct fdref fd;
	struct socket *s;
};

/* 0, and sock_put() in the same call; -EBADF; -ENOTSOCK. */
MUST_CHECK int sock_get(int fd, struct sockref *out);
static inline void sock_put(struct sockref r)
{
	fdref_put(r.fd);
}
static inline bool sock_is_nonblock(struct sockref r)
{
	return atomic_load_explicit(&r.fd.file->flags, memory_order_relaxed) & O_NONBLOCK;
}

/* -EINVAL: a length that no address has; -EFAULT. */
MUST_CHECK int sockaddr_get(struct abi_sockaddr_storage *out, uaddr_t addr, int32_t len);
/* What fits of an address of n bytes, and n itself to *addrlen. -EFAULT, -EINVAL. */
MUST_CHECK int sockaddr_put(const void *name, uint32_t n, uaddr_t addr, uaddr_t addrlen);

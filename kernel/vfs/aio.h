#pragma once

/* Contexts of io_setup(2): queues of what has been done. */

#include "lib/types.h"

struct abi_io_event;
struct file;

/*
 * A context for up to max requests that nobody has fetched yet, mapped into the running process.
 *   id           its address: the aio_context_t
 *   returns      0; -EAGAIN beyond fs.aio-max-nr; -ENOMEM
 */
MUST_CHECK int aio_create(unsigned max, uint64_t *id);
/* The context, as a counted file; NULL: there is none at this address. */
MUST_CHECK struct file *aio_get(uint64_t id);
MUST_CHECK int aio_destroy(uint64_t id); /* -EINVAL */

/* Room for one more request: false when max are there. Then exactly one of the other two. */
MUST_CHECK bool aio_reserve(struct file *ctx);
void aio_unreserve(struct file *ctx);
void aio_complete(struct file *ctx, const struct abi_io_event *e);

/* Takes what is there, at most nr, waiting for min. Their number; -EINTR; -EFAULT; -EINVAL. */
MUST_CHECK int64_t aio_fetch(struct file *ctx, uint64_t min, uint64_t nr, uaddr_t events,
			     nsec_t deadline);

extern unsigned vfs_aio_max; /* sysctl fs.aio-max-nr */
uint64_t aio_count(void);    /* fs.aio-nr */

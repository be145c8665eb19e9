#pragma once

/*
 * Readiness. A poll method reports EPOLL* bits and names the wait queues on which changes are
 * announced; there is no global poll queue. The method calls poll_wait() for each queue BEFORE it
 * looks at the state. It may take locks of rank EPOLL and above, and must not wait for the state to
 * change.
 */

#include "abi/epoll.h"
#include "lib/types.h"
#include "sched/wait.h"
#include "vfs/file.h"

struct poll_ctx {
	/* Registers the caller's interest in q. Allocation failure is kept in `error`. */
	void (*queue)(struct poll_ctx *c, struct waitq *q);
	uint32_t interest; /* EPOLL* bits the caller wants */
	int error;
};

static inline void poll_wait(struct poll_ctx *c, struct waitq *q)
{
	if (UNLIKELY(c != NULL) && c->queue != NULL)
		c->queue(c, q);
}

/* The file's readiness now; ctx may be NULL. Files without a poll method are always readable and
 * writable. */
static inline uint32_t file_poll(struct file *f, struct poll_ctx *ctx)
{
	if (UNLIKELY(f->ops->poll == NULL))
		return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
	return f->ops->poll(f, ctx);
}

/* For file_put(): removes a closing file from every epoll. Set by the epoll code. */
extern void (*epoll_file_closing)(struct file *f);

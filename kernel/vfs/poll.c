/*
 * poll(2) and select(2): one pass over the files asks for their state. Only when nothing is ready
 * and the caller may sleep does a second pass register a waiter on every queue that a file names; a
 * wake-up then sets `triggered` and wakes the thread, which scans again without registering anew.
 * The order is the one that loses no wake-up: registered, marked asleep, then `triggered` is
 * checked.
 */

#include "vfs/poll.h"

#include "abi/errno.h"
#include "pmm/slab.h"
#include "vfs/file.h"
#include "vfs/pollset.h"

void (*epoll_file_closing)(struct file *f);

static bool pollset_woken(struct waiter *w, uint32_t events)
{
	struct poll_wait *pw = container_of(w, struct poll_wait, waiter);

	if (events != 0 && !(events & pw->interest))
		return false;
	atomic_store(&pw->set->triggered, true);
	thread_wake(w->thread, WAKE_NORMAL);
	return true;
}

static struct poll_wait *pollset_slot(struct pollset *s)
{
	struct poll_chunk *c;

	if (s->ninline < POLL_INLINE)
		return &s->first[s->ninline++];
	if (s->chunks == NULL || s->chunks->n == POLL_CHUNK) {
		if ((c = kmalloc(sizeof(*c))) == NULL)
			return NULL;
		c->n = 0;
		c->next = s->chunks;
		s->chunks = c;
	}
	return &s->chunks->wait[s->chunks->n++];
}

static void pollset_queue(struct poll_ctx *ctx, struct waitq *q)
{
	struct pollset *s = container_of(ctx, struct pollset, ctx);
	struct poll_wait *pw = pollset_slot(s);

	if (pw == NULL) {
		ctx->error = -ENOMEM;
		return;
	}
	waiter_init(&pw->waiter);
	pw->waiter.wake = pollset_woken;
	pw->set = s;
	pw->queue = q;
	pw->interest = ctx->interest;
	waitq_add(q, &pw->waiter);
}

void pollset_init(struct pollset *s)
{
	s->ctx.queue = NULL;
	s->ctx.interest = 0;
	s->ctx.error = 0;
	s->ninline = 0;
	s->chunks = NULL;
	atomic_init(&s->triggered, false);
}

void pollset_fini(struct pollset *s)
{
	struct poll_chunk *c;

	for (unsigned i = 0; i < s->ninline; i++)
		waitq_remove(s->first[i].queue, &s->first[i].waiter);
	while ((c = s->chunks) != NULL) {
		s->chunks = c->next;
		for (unsigned i = 0; i < c->n; i++)
			waitq_remove(c->wait[i].queue, &c->wait[i].waiter);
		kfree(c);
	}
}

uint32_t pollset_check(struct pollset *s, struct file *f, uint32_t interest)
{
	uint32_t mask = interest | EPOLLERR | EPOLLHUP;

	s->ctx.interest = mask;
	return file_poll(f, s->ctx.queue ? &s->ctx : NULL) & mask;
}

void pollset_arm(struct pollset *s)
{
	s->ctx.queue = pollset_queue;
}

int pollset_sleep(struct pollset *s, nsec_t deadline)
{
	int err = 0;

	s->ctx.queue = NULL;
	atomic_store(&curthread()->state, THREAD_SLEEP_INTR);
	if (!atomic_load(&s->triggered))
		err = wait_sleep(deadline);
	atomic_store(&curthread()->state, THREAD_RUNNING);
	atomic_store(&s->triggered, false);
	return err;
}

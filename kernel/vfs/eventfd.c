/* eventfd(2): a 64-bit counter; reads take it (or one of it), writes add to it. */

#include "vfs/eventfd.h"

#include "abi/errno.h"
#include "abi/eventfd.h"
#include "abi/fcntl.h"
#include "lib/fmt.h"
#include "pmm/slab.h"
#include "vfs/file.h"
#include "vfs/poll.h"

struct eventfd {
	struct waitq wait; /* its lock guards count */
	uint64_t count;
	uint32_t id; /* for /proc/PID/fdinfo: tells one from the other */
	bool semaphore;
};

static const uint64_t EVENTFD_MAX = UINT64_MAX - 1;

static bool nonblock(const struct file *f)
{
	return atomic_load_explicit(&f->flags, memory_order_relaxed) & O_NONBLOCK;
}

/* Takes what one read gives; 0: nothing there. */
static uint64_t take(struct eventfd *e)
{
	irqstate_t s = spin_lock_irq(&e->wait.lock);
	uint64_t n = e->semaphore ? MIN(e->count, 1ul) : e->count;

	e->count -= n;
	spin_unlock_irq(&e->wait.lock, s);
	return n;
}

static bool add(struct eventfd *e, uint64_t n)
{
	irqstate_t s = spin_lock_irq(&e->wait.lock);
	bool fits = n <= EVENTFD_MAX - e->count;

	if (fits)
		e->count += n;
	spin_unlock_irq(&e->wait.lock, s);
	return fits;
}

/* Sleeps until take() or add() may succeed: the loop of sched/wait.h around a condition with its
 * own lock. */
static uint64_t wait_take(struct eventfd *e, int *err)
{
	struct waiter w;
	uint64_t n;

	waiter_init(&w);
	for (;;) {
		wait_prepare(&e->wait, &w, THREAD_SLEEP_INTR);
		if ((n = take(e)) != 0 || (*err = wait_sleep(NSEC_MAX)))
			break;
	}
	wait_finish(&e->wait, &w);
	return n;
}

static int wait_add(struct eventfd *e, uint64_t n)
{
	struct waiter w;
	int err = 0;

	waiter_init(&w);
	for (;;) {
		wait_prepare(&e->wait, &w, THREAD_SLEEP_INTR);
		if (add(e, n) || (err = wait_sleep(NSEC_MAX)))
			break;
	}
	wait_finish(&e->wait, &w);
	return err;
}

static ssize64_t eventfd_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct eventfd *e = f->priv;
	uint64_t n;
	int err = 0;

	(void)pos;
	if (u->resid < sizeof(n))
		return -EINVAL;
	n = take(e);
	if (n == 0 && nonblock(f))
		return -EAGAIN;
	if (n == 0)
		n = wait_take(e, &err);
	if (n == 0)
		return err;
	waitq_wake_all(&e->wait, EPOLLOUT | EPOLLWRNORM);
	return uio_put(u, &n, sizeof(n)) == sizeof(n) ? (ssize64_t)sizeof(n) : -EFAULT;
}

static ssize64_t eventfd_write(struct file *f, struct uio *u, off64_t *pos)
{
	struct eventfd *e = f->priv;
	uint64_t n;
	int err;

	(void)pos;
	if (u->resid < sizeof(n))
		return -EINVAL;
	if (uio_get(u, &n, sizeof(n)) != sizeof(n))
		return -EFAULT;
	if (n == UINT64_MAX)
		return -EINVAL;
	if (!add(e, n)) {
		if (nonblock(f))
			return -EAGAIN;
		if ((err = wait_add(e, n)))
			return err;
	}
	waitq_wake_all(&e->wait, EPOLLIN | EPOLLRDNORM);
	return sizeof(n);
}

static inline uint32_t eventfd_state(const struct eventfd *e)
{
	uint64_t count = *(const volatile uint64_t *)&e->count;
	uint32_t events = 0;

	if (count > 0)
		events |= EPOLLIN | EPOLLRDNORM;
	if (count < EVENTFD_MAX)
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

/* Apart, so that a scan that registers nothing needs no stack frame. */
static NOINLINE uint32_t eventfd_poll_wait(struct eventfd *e, struct poll_ctx *ctx)
{
	poll_wait(ctx, &e->wait);
	return eventfd_state(e);
}

static uint32_t eventfd_poll(struct file *f, struct poll_ctx *ctx)
{
	return UNLIKELY(ctx != NULL) ? eventfd_poll_wait(f->priv, ctx) : eventfd_state(f->priv);
}

static void eventfd_release(struct file *f)
{
	kfree(f->priv);
}

static void eventfd_show_fdinfo(struct file *f, struct textbuf *t)
{
	const struct eventfd *e = f->priv;

	text_f(t, "eventfd-count: %16lx\neventfd-id: %u\n", (unsigned long)e->count, e->id);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.show_fdinfo = eventfd_show_fdinfo,
	.flags = FOP_STREAM | FOP_CAN_POLL,
	.seek = noop_seek,
};

int eventfd_check(const struct file *f)
{
	return f->ops == &eventfd_ops ? 0 : -EINVAL;
}

void eventfd_signal(struct file *f)
{
	struct eventfd *e = f->priv;

	if (add(e, 1))
		waitq_wake_all(&e->wait, EPOLLIN | EPOLLRDNORM);
}

int eventfd_open(uint32_t initial, unsigned flags, struct file **out)
{
	static _Atomic uint32_t next_id;
	struct eventfd *e = kzalloc(sizeof(*e));
	int err;

	if (e == NULL)
		return -ENOMEM;
	waitq_init(&e->wait);
	e->count = initial;
	e->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
	e->semaphore = flags & EFD_SEMAPHORE;
	err = file_create_anon("[eventfd]", &eventfd_ops, e, O_RDWR | (flags & EFD_NONBLOCK), out);
	if (err)
		kfree(e);
	return err;
}

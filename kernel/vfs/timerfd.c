/*
 * timerfd(2): a timer whose expirations are read as a count. One kernel timer per file, in
 * CLOCK_MONOTONIC; for a clock that steps, the deadline is kept in that clock too and re-armed when
 * it does. The count of a periodic timer is computed at the time of reading from how much time has
 * passed, so a short interval costs one interrupt per read and not one per period.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/time.h"
#include "abi/timerfd.h"
#include "core/clock.h"
#include "lib/checked.h"
#include "lib/fmt.h"
#include "pmm/slab.h"
#include "vfs/eventfd.h"
#include "vfs/file.h"
#include "vfs/poll.h"
#include "vm/usercopy.h"

struct timerfd {
	struct waitq wait; /* its lock guards the rest; the callback takes it */
	struct timer timer;
	struct list all_node; /* in all_timerfds */
	int clockid;
	bool cancel_on_set, cancelled;
	nsec_t next; /* CLOCK_MONOTONIC of the next expiration that is not counted yet; 0: disarmed
		      */
	nsec_t next_real; /* the same in the stepping clock, when absolute on one */
	nsec_t interval;
	uint64_t ticks; /* TFD_IOC_SET_TICKS: expirations that are to be read besides */
};

static struct spinlock all_lock = SPINLOCK(FSCTX);
static struct list all_timerfds = LIST_INIT(all_timerfds);
static const struct file_ops timerfd_ops;

static bool clock_steps(int clockid)
{
	return clockid == CLOCK_REALTIME || clockid == CLOCK_REALTIME_ALARM;
}

static void timerfd_fired(struct timer *t)
{
	struct timerfd *tf = container_of(t, struct timerfd, timer);

	waitq_wake_all(&tf->wait, EPOLLIN | EPOLLRDNORM);
}

/* The number of expirations up to now, and re-arms a periodic timer for the next one. wait.lock is
 * held. */
static uint64_t expired_locked(struct timerfd *tf)
{
	nsec_t now = clock_mono();
	uint64_t n;

	if (tf->next == 0 || now < tf->next)
		return 0;
	if (tf->interval == 0) {
		tf->next = 0;
		return 1;
	}
	n = (uint64_t)((now - tf->next) / tf->interval) + 1;
	tf->next = nsec_add_periods(tf->next, (nsec_t)n, tf->interval);
	if (tf->next_real)
		tf->next_real = nsec_add_periods(tf->next_real, (nsec_t)n, tf->interval);
	timer_arm(&tf->timer, tf->next);
	return n;
}

static uint64_t collect_locked(struct timerfd *tf)
{
	uint64_t n = expired_locked(tf) + tf->ticks;

	tf->ticks = 0;
	return n;
}

/* -ECANCELED once after the clock was stepped; else the count. */
static int64_t take(struct timerfd *tf)
{
	irqstate_t s = spin_lock_irq(&tf->wait.lock);
	int64_t n = tf->cancelled ? -ECANCELED : (int64_t)collect_locked(tf);

	tf->cancelled = false;
	spin_unlock_irq(&tf->wait.lock, s);
	return n;
}

static ssize64_t timerfd_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct timerfd *tf = f->priv;
	struct waiter w;
	uint64_t count;
	int64_t n;
	int err = 0;

	(void)pos;
	if (u->resid < sizeof(count))
		return -EINVAL;
	n = take(tf);
	if (n == 0 && atomic_load(&f->flags) & O_NONBLOCK)
		return -EAGAIN;
	if (n == 0) {
		waiter_init(&w);
		do {
			wait_prepare(&tf->wait, &w, THREAD_SLEEP_INTR);
			n = take(tf);
			if (n == 0)
				err = wait_sleep(NSEC_MAX);
		} while (n == 0 && !err);
		wait_finish(&tf->wait, &w);
	}
	if (n <= 0)
		return n ? n : err;
	count = (uint64_t)n;
	return uio_put(u, &count, sizeof(count)) == sizeof(count) ? (ssize64_t)sizeof(count)
								  : -EFAULT;
}

static uint32_t timerfd_poll(struct file *f, struct poll_ctx *ctx)
{
	struct timerfd *tf = f->priv;
	irqstate_t s;
	bool ready;

	poll_wait(ctx, &tf->wait);
	s = spin_lock_irq(&tf->wait.lock);
	ready = tf->cancelled || tf->ticks || (tf->next != 0 && clock_mono() >= tf->next);
	spin_unlock_irq(&tf->wait.lock, s);
	return ready ? EPOLLIN | EPOLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *tf = f->priv;

	spin_lock(&all_lock);
	list_remove(&tf->all_node);
	spin_unlock(&all_lock);
	timer_cancel(&tf->timer);
	kfree(tf);
}

static void timerfd_show_fdinfo(struct file *f, struct textbuf *t)
{
	nsec_t value, interval;

	if (timerfd_get(f, &value, &interval))
		return;
	text_f(t,
	       "clockid: %d\nticks: 0\nsettime flags: 0%o\nit_value: (%ld, %ld)\nit_interval: "
	       "(%ld, %ld)\n",
	       ((struct timerfd *)f->priv)->clockid, 0u, (long)(value / NSEC_PER_SEC),
	       (long)(value % NSEC_PER_SEC), (long)(interval / NSEC_PER_SEC),
	       (long)(interval % NSEC_PER_SEC));
}

/* TFD_IOC_SET_TICKS: so many expirations are to be read, whatever there were. */
static int64_t timerfd_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct timerfd *tf = f->priv;
	irqstate_t s;
	uint64_t n;

	if (cmd != TFD_IOC_SET_TICKS)
		return -ENOTTY;
	if (get_user_u64(&n, UADDR(arg)))
		return -EFAULT;
	if (n == 0)
		return -EINVAL;
	s = spin_lock_irq(&tf->wait.lock);
	(void)collect_locked(tf);
	tf->ticks = n;
	spin_unlock_irq(&tf->wait.lock, s);
	waitq_wake_all(&tf->wait, EPOLLIN | EPOLLRDNORM);
	return 0;
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.ioctl = timerfd_ioctl,
	.seek = noop_seek,
	.poll = timerfd_poll,
	.release = timerfd_release,
	.show_fdinfo = timerfd_show_fdinfo,
	.flags = FOP_STREAM | FOP_CAN_POLL,
};

int timerfd_open(int clockid, unsigned oflags, struct file **out)
{
	struct timerfd *tf = kzalloc(sizeof(*tf));
	int err;

	if (tf == NULL)
		return -ENOMEM;
	waitq_init(&tf->wait);
	timer_init(&tf->timer, timerfd_fired);
	list_init(&tf->all_node);
	tf->clockid = clockid;
	if ((err = file_create_anon("[timerfd]", &timerfd_ops, tf, O_RDWR | oflags, out))) {
		kfree(tf);
		return err;
	}
	spin_lock(&all_lock);
	list_add_tail(&all_timerfds, &tf->all_node);
	spin_unlock(&all_lock);
	return 0;
}

static void remaining_locked(struct timerfd *tf, nsec_t *value, nsec_t *interval)
{
	nsec_t now = clock_mono();

	*interval = tf->interval;
	if (tf->next == 0)
		*value = 0;
	else if (tf->interval == 0 || now < tf->next)
		*value = MAX(tf->next - now, tf->interval == 0 ? 0 : 1);
	else
		*value = tf->interval - (now - tf->next) % tf->interval;
}

int timerfd_get(struct file *f, nsec_t *value, nsec_t *interval)
{
	struct timerfd *tf = f->priv;
	irqstate_t s;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	s = spin_lock_irq(&tf->wait.lock);
	remaining_locked(tf, value, interval);
	spin_unlock_irq(&tf->wait.lock, s);
	return 0;
}

static void arm_locked(struct timerfd *tf, bool absolute, nsec_t value)
{
	nsec_t now = clock_mono();

	tf->next_real = 0;
	if (value == 0)
		tf->next = 0;
	else if (!absolute)
		tf->next = nsec_add(now, value);
	else if (!clock_steps(tf->clockid))
		tf->next = value;
	else {
		tf->next_real = value;
		tf->next = MAX(value - (clock_real() - now), 1);
	}
	if (tf->next)
		timer_arm(&tf->timer, tf->next);
}

int timerfd_set(struct file *f, bool absolute, bool cancel_on_set, nsec_t value, nsec_t interval,
		nsec_t *old_value, nsec_t *old_interval)
{
	struct timerfd *tf = f->priv;
	nsec_t v, i;
	irqstate_t s;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	timer_cancel(&tf->timer);
	s = spin_lock_irq(&tf->wait.lock);
	remaining_locked(tf, &v, &i);
	tf->interval = interval;
	tf->cancel_on_set = cancel_on_set && absolute && clock_steps(tf->clockid);
	tf->cancelled = false;
	tf->ticks = 0;
	arm_locked(tf, absolute, value);
	spin_unlock_irq(&tf->wait.lock, s);
	if (old_value)
		*old_value = v;
	if (old_interval)
		*old_interval = i;
	return 0;
}

void timerfd_clock_was_set(void)
{
	struct timerfd *tf;

	spin_lock(&all_lock);
	list_for_each (tf, &all_timerfds, all_node) {
		irqstate_t s = spin_lock_irq(&tf->wait.lock);
		bool wake = tf->cancel_on_set;

		if (tf->cancel_on_set)
			tf->cancelled = true;
		if (tf->next_real && tf->next)
			arm_locked(tf, true, tf->next_real);
		spin_unlock_irq(&tf->wait.lock, s);
		if (wake)
			waitq_wake_all(&tf->wait, EPOLLIN | EPOLLRDNORM);
	}
	spin_unlock(&all_lock);
}

/*
 * Terminals: life, opening and closing, hanging up, and the way of input through the line
 * discipline.
 *
 * Hanging up does not look for the open files: it counts tty->generation up, and a file of an older
 * generation knows that it is dead. The terminal itself goes on; who opens it next has a working
 * one.
 *
 * Input comes in threads: a pty's master writes, a serial port's work item reads the driver's ring.
 * What the line discipline then reports (signals, flow control, something to read or to send) is
 * acted upon in tty_dispatch().
 */

#include "tty/tty.h"

#include "abi/capability.h"
#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/signal.h"
#include "core/clock.h"
#include "pmm/slab.h"
#include "tty/tty_priv.h"
#include "vfs/chrdev.h"
#include "vfs/cred.h"
#include "vfs/fcntl.h"

enum {
	ALL_EVENTS =
		EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP | EPOLLRDHUP
};

/* --- life --- */

int tty_setup(struct tty *t, const struct tty_ops *ops, uint64_t rdev)
{
	uint8_t *out = kmalloc(TTY_OUT), *staging = kmalloc(TTY_STAGING);

	if (out == NULL || staging == NULL) {
		kfree(out);
		kfree(staging);
		return -ENOMEM;
	}
	memset(t, 0, sizeof(*t));
	ref_init(&t->ref);
	t->ops = ops;
	t->rdev = rdev;
	mutex_init(&t->lock, RANK_TTY);
	ring_init(&t->out, out, TTY_OUT);
	t->staging = staging;
	ldisc_init(&t->ld, &t->out);
	waitq_init(&t->readable);
	waitq_init(&t->writable);
	list_init(&t->files);
	return 0;
}

void tty_fini(struct tty *t)
{
	KASSERT(t->session == NULL && t->opens == 0);
	kfree(t->out.buf);
	kfree(t->staging);
}

void tty_put(struct tty *t)
{
	if (ref_put(&t->ref))
		t->ops->free(t);
}

/* --- waking --- */

static void wake(struct waitq *q, uint32_t events)
{
	if (!waitq_is_empty(q))
		waitq_wake_all(q, events);
}

static void deliver_wakes(struct tty *t, uint32_t what)
{
	bool hup = what & TTY_WAKE_HANGUP;

	if (hup || (what & TTY_WAKE_READERS))
		wake(&t->readable, hup ? ALL_EVENTS : EPOLLIN | EPOLLRDNORM);
	if (hup || (what & TTY_WAKE_WRITERS))
		wake(&t->writable, hup ? ALL_EVENTS : EPOLLOUT | EPOLLWRNORM);
	if (t->ops->wake)
		t->ops->wake(t, what);
}

static uint32_t take_wakes(struct tty *t)
{
	uint32_t what = t->wake;

	t->wake = 0;
	return what;
}

void tty_unlock(struct tty *t) NO_TSA
{
	uint32_t what = take_wakes(t);

	mutex_unlock(&t->lock);
	if (what)
		deliver_wakes(t, what);
}

int tty_wait(struct tty *t, struct waitq *q, nsec_t deadline)
{
	uint32_t what = take_wakes(t);

	if (what)
		deliver_wakes(t, what);
	return wait_unlocked(q, &t->lock, THREAD_SLEEP_INTR, deadline);
}

static void send_sigio(struct tty *t)
{
	struct tty_file *tf;

	if (file_send_sigio == NULL)
		return;
	list_for_each (tf, &t->files, node)
		if (atomic_load_explicit(&tf->file->flags, memory_order_relaxed) & O_ASYNC)
			file_send_sigio(tf->file, POLL_IN);
}

/* --- input --- */

static void send_signals(struct tty *t, uint32_t events)
{
	if (events & LDISC_INTR)
		ctty_signal(t, SIGINT);
	if (events & LDISC_QUIT)
		ctty_signal(t, SIGQUIT);
	if (events & LDISC_SUSP)
		ctty_signal(t, SIGTSTP);
}

void tty_dispatch(struct tty *t)
{
	uint32_t events = ldisc_take_events(&t->ld);

	if (UNLIKELY(events & LDISC_FLUSHED)) {
		if (t->ops->flushed)
			t->ops->flushed(t, true, true, true);
		t->wake |= TTY_WAKE_WRITERS;
	}
	if (UNLIKELY(events & (LDISC_STOP | LDISC_START))) {
		if (t->ops->flow)
			t->ops->flow(t);
		t->wake |= t->ld.stopped ? 0 : TTY_WAKE_WRITERS;
	}
	if (events & LDISC_READABLE) {
		t->wake |= TTY_WAKE_READERS;
		send_sigio(t);
	}
	if (ldisc_sendable(&t->ld))
		t->ops->send(t);
	if (UNLIKELY(events & (LDISC_INTR | LDISC_QUIT | LDISC_SUSP)))
		send_signals(t, events);
}

size_t tty_feed(struct tty *t, const uint8_t *p, size_t n)
{
	size_t taken = ldisc_input(&t->ld, p, n);

	if (taken < n)
		t->throttled = true;
	if (t->ops->paces_input && !t->xoff_sent && (t->ld.termios.c_iflag & IXOFF) &&
	    t->ld.head - t->ld.tail >= TTY_XOFF_AT) {
		t->xoff_sent = true;
		t->ops->urgent(t, t->ld.termios.c_cc[VSTOP]);
	}
	tty_dispatch(t);
	return taken;
}

void tty_input_taken(struct tty *t)
{
	if (t->throttled && ldisc_accepts(&t->ld)) {
		t->throttled = false;
		if (t->ops->room)
			t->ops->room(t);
	}
	if (t->xoff_sent && t->ld.head - t->ld.tail <= TTY_XON_AT) {
		t->xoff_sent = false;
		t->ops->urgent(t, t->ld.termios.c_cc[VSTART]);
	}
}

void tty_flush(struct tty *t, bool in, bool out)
{
	if (in)
		ldisc_flush_input(&t->ld);
	if (out) {
		ldisc_flush_output(&t->ld);
		t->wake |= TTY_WAKE_WRITERS;
	}
	if (t->ops->flushed)
		t->ops->flushed(t, in, out, false);
	if (in)
		tty_input_taken(t);
}

void tty_set_winsize(struct tty *t, const struct abi_winsize *w)
{
	bool same;

	tty_lock(t);
	same = memcmp(&t->winsize, w, sizeof(*w)) == 0;
	t->winsize = *w;
	tty_unlock(t);
	if (!same)
		ctty_signal(t, SIGWINCH);
}

/* --- hanging up --- */

void tty_hangup(struct tty *t, bool leader_ended)
{
	tty_lock(t);
	__atomic_store_n(&t->generation, t->generation + 1, __ATOMIC_RELAXED);
	ldisc_start(&t->ld);
	tty_flush(t, true, !leader_ended); /* what a shell says last may still be on its way */
	tty_dispatch(t);
	t->wake |= TTY_WAKE_HANGUP;
	tty_unlock(t);
	ctty_hangup(t, leader_ended);
}

/* --- files --- */

static int may_open(struct tty *t)
{
	if (t->exclusive && !capable(CAP_SYS_ADMIN))
		return -EBUSY;
	return t->ops->open ? t->ops->open(t) : 0;
}

int tty_open_file(struct tty *t, struct file *f, bool console)
{
	struct tty_file *tf = kmalloc(sizeof(*tf));
	int err;

	if (tf == NULL)
		return -ENOMEM;
	tty_lock(t);
	if ((err = may_open(t)) == 0) {
		*tf = (struct tty_file){
			.tty = t, .file = f, .generation = t->generation, .console = console
		};
		list_add_tail(&t->files, &tf->node);
		t->opens++;
	}
	tty_unlock(t);
	if (err) {
		kfree(tf);
		return err;
	}
	tty_get(t);
	f->priv = tf;
	f->ops = &tty_file_ops;
	if (!console)
		ctty_opened(t, f);
	return 0;
}

static void tty_file_release(struct file *f)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;

	tty_lock(t);
	list_remove(&tf->node);
	if (--t->opens == 0) {
		t->exclusive = false;
		if (t->ops->close)
			t->ops->close(t);
	}
	tty_unlock(t);
	tty_put(t);
	kfree(tf);
}

const struct file_ops tty_file_ops = {
	.release = tty_file_release,
	.read = tty_file_read,
	.write = tty_file_write,
	.poll = tty_file_poll,
	.ioctl = tty_file_ioctl,
	.flags = FOP_STREAM | FOP_CAN_POLL | FOP_ASYNC,
};

void tty_init(void)
{
	ctty_init();
	serial_init();
	console_init();
	pty_init();
}

/*
 * read(2), write(2) and poll(2) of a terminal.
 *
 * Reading: in canonical mode one line, or its beginning; in raw mode as VMIN and VTIME say. Each
 * turn of the loop looks at everything anew (hang-up, job control, settings), since all may change
 * while it sleeps.
 *
 * Writing: into the ring `out` through OPOST, by TTY_STAGING bytes where OPOST has to look at them,
 * else from user memory directly. A writer that sleeps half-way keeps the others waiting
 * (`writing`), so that writes do not mix.
 *
 *   source       termios(3) "Canonical and noncanonical mode", POSIX.1-2024 11.1.5 to 11.1.7
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "core/clock.h"
#include "tty/tty_priv.h"
#include "vfs/poll.h"

enum {
	HUNG_EVENTS = EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP,
	WRITABLE_ROOM = (TTY_OUT - LDISC_ECHO_RESERVE) / 2,
	TOUCH_SECONDS = 8,
};

/* The times of the node, which w(1) takes for idleness; not for every byte. */
static void touch(struct tty *t, struct file *f, bool write)
{
	nsec_t now = clock_coarse();

	if (LIKELY(t->touched[write] != 0 &&
		   now - t->touched[write] < TOUCH_SECONDS * NSEC_PER_SEC))
		return;
	t->touched[write] = now;
	if (write)
		f->inode->mtime = clock_real();
	else
		f->inode->atime = clock_real();
}

/* --- reading --- */

static uint8_t vmin(const struct tty *t)
{
	return t->ld.termios.c_cc[VMIN];
}

static uint8_t vtime(const struct tty *t)
{
	return t->ld.termios.c_cc[VTIME];
}

/*
 * Copies what there is, at most one line. Returns the bytes; -EFAULT when not even one could be
 * copied.
 */
static ssize64_t take_input(struct tty *t, struct uio *u)
{
	struct ldisc_piece piece = { 0 };
	size_t total = 0;

	while (u->resid > 0 && !piece.last && ldisc_has_input(&t->ld, 1)) {
		piece = ldisc_next(&t->ld, u->resid);
		if (piece.n > 0 && uio_put(u, piece.p, piece.n) < piece.n)
			return total ? (ssize64_t)total : -EFAULT;
		ldisc_consume(&t->ld, piece.taken);
		total += piece.n;
	}
	return (ssize64_t)total;
}

static bool is_enough(const struct tty *t, size_t total, const struct uio *u)
{
	return t->ld.canonical || u->resid == 0 || total >= vmin(t);
}

/*
 * Until when to wait for more, in raw mode: VTIME counts from the call when VMIN is 0, else from
 * the last byte.
 *   since        when that was; 0: now
 */
static nsec_t read_deadline(const struct tty *t, size_t total, nsec_t *since)
{
	if (t->ld.canonical || vtime(t) == 0 || (vmin(t) > 0 && total == 0))
		return NSEC_MAX;
	if (*since == 0)
		*since = clock_mono();
	return *since + vtime(t) * (NSEC_PER_SEC / 10);
}

/*
 * 0: look again. -ETIMEDOUT: that was all. A reader whom the master's end wakes is told, later ones
 * see end of file.
 */
static int wait_input(struct tty *t, struct file *f, size_t total, nsec_t *since)
{
	int err;

	if (!t->ld.canonical && vmin(t) == 0 && vtime(t) == 0)
		return -ETIMEDOUT;
	if (file_is_nonblock(f))
		return -EAGAIN;
	err = tty_wait(t, &t->readable, read_deadline(t, total, since));
	return err == 0 && t->is_cut_off ? -EIO : err;
}

static ssize64_t read_locked(struct tty *t, struct file *f, struct uio *u)
{
	size_t total = 0;
	nsec_t since = 0;
	ssize64_t n = 0;

	for (;;) {
		if (tty_file_is_hung(f->priv))
			break;
		if ((n = ctty_check_read(t)))
			break;
		if (ldisc_has_input(&t->ld, 1)) {
			if ((n = take_input(t, u)) < 0)
				break;
			total += (size_t)n;
			since = 0;
			tty_input_taken(t);
			if (is_enough(t, total, u))
				break;
		}
		if ((n = wait_input(t, f, total, &since)))
			break;
	}
	if (total > 0)
		return (ssize64_t)total;
	return n == -ETIMEDOUT ? 0 : n;
}

ssize64_t tty_file_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct tty *t = ((struct tty_file *)f->priv)->tty;
	ssize64_t n;

	(void)pos;
	if (u->resid == 0)
		return 0;
	tty_lock(t);
	n = read_locked(t, f, u);
	tty_unlock(t);
	if (n > 0)
		touch(t, f, false);
	return n;
}

/* --- writing --- */

bool tty_is_writable(const struct tty *t)
{
	return !t->ld.stopped && ldisc_output_room(&t->ld) >= WRITABLE_ROOM;
}

/*
 * From user memory into the ring. Returns the bytes; -EFAULT when there were none for that reason.
 */
static ssize64_t write_raw(struct tty *t, struct uio *u)
{
	size_t total = 0;

	while (u->resid > 0) {
		uint32_t span, room = ldisc_output_room(&t->ld);
		uint8_t *to = ring_room(&t->out, &span);
		size_t n = MIN(MIN(span, room), u->resid), got;

		if (n == 0)
			break;
		got = uio_get(u, to, n);
		t->out.head += (uint32_t)got;
		total += got;
		if (got < n)
			return total ? (ssize64_t)total : -EFAULT;
	}
	return (ssize64_t)total;
}

/* The same through OPOST. What did not fit is put back by going over the copy again. */
static ssize64_t write_cooked(struct tty *t, struct uio *u)
{
	size_t total = 0;

	while (u->resid > 0) {
		struct uio before = *u;
		size_t n = MIN(u->resid, (size_t)TTY_STAGING), got, taken;

		if (ldisc_output_room(&t->ld) == 0)
			break;
		got = uio_get(u, t->staging, n);
		taken = ldisc_output(&t->ld, t->staging, got);
		total += taken;
		if (taken < got) {
			*u = before;
			uio_advance(u, taken);
			break;
		}
		if (got < n)
			return total ? (ssize64_t)total : -EFAULT;
	}
	return (ssize64_t)total;
}

static ssize64_t write_some(struct tty *t, struct uio *u)
{
	ssize64_t n;

	if (t->ld.stopped)
		return 0;
	n = t->ld.termios.c_oflag & OPOST ? write_cooked(t, u) : write_raw(t, u);
	if (n > 0)
		t->ops->send(t);
	return n;
}

/* Waits for the end of another's write and takes the turn. */
static int write_begin(struct tty *t, struct file *f)
{
	int err;

	for (;;) {
		if (tty_file_is_hung(f->priv))
			return -EIO;
		if ((t->ld.termios.c_lflag & TOSTOP) && (err = ctty_check_change(t)))
			return err;
		if (!t->writing)
			break;
		if (file_is_nonblock(f))
			return -EAGAIN;
		if ((err = tty_wait(t, &t->writable, NSEC_MAX)))
			return err;
	}
	t->writing = true;
	return 0;
}

static int wait_writable(struct tty *t, struct file *f)
{
	int err = file_is_nonblock(f) ? -EAGAIN : tty_wait(t, &t->writable, NSEC_MAX);

	return err == 0 && tty_file_is_hung(f->priv) ? -EIO : err;
}

static ssize64_t write_locked(struct tty *t, struct file *f, struct uio *u)
{
	size_t total = 0;
	ssize64_t n;

	for (;;) {
		if ((n = write_some(t, u)) < 0)
			break;
		total += (size_t)n;
		if (u->resid == 0)
			break;
		if (n > 0 && tty_is_writable(t))
			continue; /* the driver took it on at once */
		if ((n = wait_writable(t, f)) < 0)
			break;
	}
	return total ? (ssize64_t)total : n;
}

ssize64_t tty_file_write(struct file *f, struct uio *u, off64_t *pos)
{
	struct tty *t = ((struct tty_file *)f->priv)->tty;
	ssize64_t n;

	(void)pos;
	if (u->resid == 0)
		return 0;
	tty_lock(t);
	n = write_begin(t, f);
	if (n == 0) {
		n = write_locked(t, f, u);
		t->writing = false;
		if (!waitq_is_empty(&t->writable))
			t->wake |= TTY_WAKE_WRITERS; /* for its turn */
	}
	tty_unlock(t);
	if (n > 0)
		touch(t, f, true);
	return n;
}

/* --- poll --- */

uint32_t tty_file_poll(struct file *f, struct poll_ctx *ctx)
{
	struct tty *t = ((struct tty_file *)f->priv)->tty;
	uint32_t events = 0, min = vtime(t) == 0 ? vmin(t) : 1;

	/* State is read without the lock: single words, and a change after this is announced. */
	poll_wait(ctx, &t->readable);
	poll_wait(ctx, &t->writable);
	if (tty_file_is_hung(f->priv))
		return HUNG_EVENTS;
	if (ldisc_has_input(&t->ld, min))
		events |= EPOLLIN | EPOLLRDNORM;
	if (tty_is_writable(t))
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

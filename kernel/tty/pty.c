/*
 * UNIX 98 pseudoterminals. The slave is a struct tty like any other; the master is this file's:
 * what is written to it goes through a backlog ring into the slave's line discipline, and what it
 * reads is the slave's ring `out`. One lock, the slave's, guards both ends, so there is nothing to
 * order between them.
 *
 * The backlog takes what the line discipline refuses, up to PTY_BACKLOG bytes: a program may write
 * a good deal to the master before anybody reads. While the slave is closed (it was open, and all
 * its files are gone) input stays there.
 *
 * Ends: the last file of the slave closed, the master reads what is left and then gets -EIO, until
 * the slave is opened again. The master closed, the slave is hung up for good and its name goes
 * away.
 *
 *   source       pty(7), ptmx(4), ioctl_tty(2) TIOCPKT, TIOCSPTLCK, TIOCGPTN, TIOCGPTPEER
 */

#include "tty/pty.h"

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "abi/signal.h"
#include "lib/fmt.h"
#include "pmm/slab.h"
#include "vfs/chrdev.h"
#include "vfs/dentry.h"
#include "vfs/fdtable.h"
#include "vfs/poll.h"
#include "vfs/walk.h"
#include "vm/usercopy.h"

enum { PTMX_MAJOR = 5, PTMX_MINOR = 2, MASTER_MAJOR = 128, SLAVE_MAJOR = 136, SLAVES = 1 << 20 };
/*
 * A flush leaves what the master could have read at once; and the room in the backlog at which the
 * master may write.
 */
enum { FLUSH_KEEP = 4095, MASTER_ROOM = PTY_BACKLOG / 2 };

static struct pty *pty_of(struct tty *t)
{
	return container_of(t, struct pty, tty);
}

/* --- the slave's driver: all with the lock held --- */

static void slave_close(struct tty *t)
{
	pty_of(t)->slave_closed = true;
	t->wake |= TTY_WAKE_MASTER_READERS | TTY_WAKE_HANGUP;
}

static void slave_send(struct tty *t)
{
	t->wake |= TTY_WAKE_MASTER_READERS;
}

/* Moves the backlog into the line discipline, as far as it takes it. */
static void feed_backlog(struct pty *p)
{
	uint32_t n, taken;

	while (ring_used(&p->in) > 0 && !p->slave_closed) {
		const uint8_t *from = ring_data(&p->in, &n);

		taken = (uint32_t)tty_feed(&p->tty, from, n);
		p->in.tail += taken;
		if (taken < n)
			break;
	}
}

static int slave_open(struct tty *t)
{
	struct pty *p = pty_of(t);

	if (p->locked || p->tty.is_cut_off)
		return -EIO;
	p->slave_closed = false;
	feed_backlog(p);
	return 0;
}

static bool master_is_writable(const struct pty *p)
{
	return ring_space(&p->in) >= MASTER_ROOM && !p->master_stopped;
}

static void slave_room(struct tty *t)
{
	struct pty *p = pty_of(t);
	bool was = master_is_writable(p);

	feed_backlog(p);
	if (!was && master_is_writable(p))
		t->wake |= TTY_WAKE_MASTER_WRITERS;
}

static void set_packet_status(struct pty *p, uint8_t set, uint8_t clear)
{
	if (!p->packet)
		return;
	p->packet_status = (uint8_t)((p->packet_status & ~clear) | set);
	p->tty.wake |= TTY_WAKE_MASTER_READERS;
}

static void slave_flow(struct tty *t)
{
	if (t->ld.stopped)
		set_packet_status(pty_of(t), TIOCPKT_STOP, TIOCPKT_START);
	else
		set_packet_status(pty_of(t), TIOCPKT_START, TIOCPKT_STOP);
}

/* Input behind a signal character in the backlog was typed after it, and stays. */
static void slave_flushed(struct tty *t, bool in, bool out, bool typed)
{
	struct pty *p = pty_of(t);
	unsigned status = (in ? TIOCPKT_FLUSHREAD : 0) | (out ? TIOCPKT_FLUSHWRITE : 0);

	if (in && !typed) {
		p->in.tail = p->in.head;
		t->wake |= TTY_WAKE_MASTER_WRITERS;
	}
	set_packet_status(p, (uint8_t)status, 0);
}

/* There is no line: eight bits without parity, whatever is asked for. */
static void slave_settings(struct tty *t, struct abi_termios2 *new)
{
	(void)t;
	new->c_cflag = (new->c_cflag & ~(uint32_t)(CSIZE | PARENB)) | CS8 | CREAD;
}

/*
 * True when ^S and ^Q are what stops and starts the output: a master in packet mode can do that by
 * itself.
 */
static bool has_usual_flow(const struct abi_termios2 *t)
{
	return (t->c_iflag & IXON) && t->c_cc[VSTOP] == 023 && t->c_cc[VSTART] == 021;
}

static void slave_changed(struct tty *t, const struct abi_termios2 *old)
{
	const struct abi_termios2 *new = &t->ld.termios;
	bool extproc = (old->c_lflag | new->c_lflag) & EXTPROC;

	if (extproc && memcmp(old, new, sizeof(*old)) != 0)
		set_packet_status(pty_of(t), TIOCPKT_IOCTL, 0);
	if (has_usual_flow(old) == has_usual_flow(new))
		return;
	if (has_usual_flow(new))
		set_packet_status(pty_of(t), TIOCPKT_DOSTOP, TIOCPKT_NOSTOP);
	else
		set_packet_status(pty_of(t), TIOCPKT_NOSTOP, TIOCPKT_DOSTOP);
}

static void slave_urgent(struct tty *t, uint8_t c)
{
	if (ring_space(&t->out) == 0)
		return;
	ring_put_byte(&t->out, c);
	t->wake |= TTY_WAKE_MASTER_READERS;
}

static void wake(struct waitq *q, uint32_t events)
{
	if (!waitq_is_empty(q))
		waitq_wake_all(q, events);
}

static void slave_wake(struct tty *t, uint32_t what)
{
	struct pty *p = pty_of(t);
	uint32_t hup = what & TTY_WAKE_HANGUP ? EPOLLHUP : 0;

	if (hup || (what & TTY_WAKE_MASTER_READERS))
		wake(&p->master_readable, EPOLLIN | EPOLLRDNORM | EPOLLPRI | hup);
	if (hup || (what & TTY_WAKE_MASTER_WRITERS))
		wake(&p->master_writable, EPOLLOUT | EPOLLWRNORM | hup);
}

static void pty_free(struct tty *t)
{
	struct pty *p = pty_of(t);

	superblock_put(p->sb);
	kfree(p->in.buf);
	tty_fini(t);
	kfree(p);
}

static const struct tty_ops slave_ops = {
	.open = slave_open,
	.close = slave_close,
	.send = slave_send,
	.room = slave_room,
	.flow = slave_flow,
	.flushed = slave_flushed,
	.settings = slave_settings,
	.changed = slave_changed,
	.urgent = slave_urgent,
	.wake = slave_wake,
	.free = pty_free,
};

/* --- the master: reading --- */

/* Copies the slave's output. Returns the bytes; -EFAULT when there were none for that reason. */
static ssize64_t take_output(struct pty *p, struct uio *u)
{
	struct tty *t = &p->tty;
	size_t total = 0, n, got;
	uint32_t span;

	while (u->resid > 0 && (n = ldisc_sendable(&t->ld)) > 0) {
		const uint8_t *from = ring_data(&t->out, &span);

		n = MIN(MIN(n, span), u->resid);
		got = uio_put(u, from, n);
		t->out.tail += (uint32_t)got;
		total += got;
		if (got < n)
			return total ? (ssize64_t)total : -EFAULT;
	}
	return (ssize64_t)total;
}

/* A packet: one byte of status, alone or, when it is TIOCPKT_DATA, before the data. */
static ssize64_t take_packet(struct pty *p, struct uio *u)
{
	uint8_t status = p->packet_status;
	ssize64_t n = 0;

	if (uio_put(u, &status, 1) < 1)
		return -EFAULT;
	if (status != TIOCPKT_DATA)
		p->packet_status = 0;
	else if (u->resid > 0)
		n = take_output(p, u);
	return n < 0 ? n : n + 1;
}

static ssize64_t take_any(struct pty *p, struct uio *u)
{
	bool was = tty_is_writable(&p->tty);
	ssize64_t n = p->packet ? take_packet(p, u) : take_output(p, u);

	if (!was && tty_is_writable(&p->tty))
		p->tty.wake |= TTY_WAKE_WRITERS;
	return n;
}

static bool master_has_input(const struct pty *p)
{
	return p->packet_status != 0 || ldisc_sendable(&p->tty.ld) > 0;
}

static ssize64_t master_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct pty *p = f->priv;
	ssize64_t n = 0;

	(void)pos;
	if (u->resid == 0)
		return 0;
	tty_lock(&p->tty);
	while (!master_has_input(p)) {
		if (p->slave_closed)
			n = -EIO;
		else if (file_is_nonblock(f))
			n = -EAGAIN;
		else
			n = tty_wait(&p->tty, &p->master_readable, NSEC_MAX);
		if (n)
			break;
	}
	if (n == 0)
		n = take_any(p, u);
	tty_unlock(&p->tty);
	return n;
}

/* --- the master: writing --- */

/*
 * From user memory into the backlog, and on. Returns the bytes; -EFAULT when there were none for
 * that reason.
 */
static ssize64_t give_input(struct pty *p, struct uio *u)
{
	size_t total = 0, n, got;
	uint32_t span;

	while (u->resid > 0 && !p->master_stopped) {
		uint8_t *to = ring_room(&p->in, &span);

		n = MIN((size_t)span, u->resid);
		if (n == 0)
			break;
		got = uio_get(u, to, n);
		p->in.head += (uint32_t)got;
		total += got;
		feed_backlog(p);
		if (got < n)
			return total ? (ssize64_t)total : -EFAULT;
	}
	return (ssize64_t)total;
}

static ssize64_t master_write(struct file *f, struct uio *u, off64_t *pos)
{
	struct pty *p = f->priv;
	size_t total = 0;
	ssize64_t n = 0;

	(void)pos;
	tty_lock(&p->tty);
	while (u->resid > 0) {
		if ((n = give_input(p, u)) < 0)
			break;
		total += (size_t)n;
		if (u->resid == 0)
			break;
		n = file_is_nonblock(f) ? -EAGAIN
					: tty_wait(&p->tty, &p->master_writable, NSEC_MAX);
		if (n < 0)
			break;
	}
	tty_unlock(&p->tty);
	return total ? (ssize64_t)total : n;
}

static uint32_t master_poll(struct file *f, struct poll_ctx *ctx)
{
	struct pty *p = f->priv;
	uint32_t events = 0;

	/* State is read without the lock: single words, and a change after this is announced. */
	poll_wait(ctx, &p->master_readable);
	poll_wait(ctx, &p->master_writable);
	if (master_has_input(p))
		events |= EPOLLIN | EPOLLRDNORM;
	if (p->packet_status != 0)
		events |= EPOLLPRI;
	if (p->slave_closed)
		events |= EPOLLHUP;
	if (master_is_writable(p))
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

/* --- the master: ioctl --- */

static int64_t set_packet_mode(struct pty *p, uint64_t arg)
{
	uint32_t on;
	int err;

	if ((err = get_user_u32(&on, UADDR(arg))))
		return err;
	tty_lock(&p->tty);
	if (p->packet != (on != 0))
		p->packet_status = 0;
	p->packet = on != 0;
	tty_unlock(&p->tty);
	return 0;
}

static int64_t set_slave_lock(struct pty *p, uint64_t arg)
{
	uint32_t on;
	int err;

	if ((err = get_user_u32(&on, UADDR(arg))))
		return err;
	tty_lock(&p->tty);
	p->locked = on != 0;
	tty_unlock(&p->tty);
	return 0;
}

/* As if the slave's user had typed it, whatever ISIG says. */
static int64_t signal_slave(struct pty *p, uint64_t sig)
{
	if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
		return -EINVAL;
	ctty_signal(&p->tty, (int)sig);
	return 0;
}

/* Opens the slave through the master's own devpts: it works where its name cannot be reached. */
static int64_t open_peer(struct pty *p, struct file *f, uint64_t oflags)
{
	struct path root, path;
	struct file *peer;
	char name[12];
	int64_t fd;
	int err;

	if ((err = devpts_find_root(f, &root)))
		return err;
	fmt(name, sizeof(name), "%u", p->index);
	err = root.dentry->sb == p->sb ? walk_from(&root, name, 0, &path) : -ENODEV;
	path_put(&root);
	if (err)
		return err;
	err = file_open_path(&path, (unsigned)oflags, &peer);
	path_put(&path);
	if (err)
		return err;
	fd = fd_add(peer, oflags & O_CLOEXEC);
	if (fd < 0)
		file_put(peer);
	return fd;
}

/* TCOOFF on the master keeps the master from writing. */
static int64_t master_flow(struct pty *p, uint64_t action)
{
	if (action > TCION)
		return -EINVAL;
	tty_lock(&p->tty);
	if (action <= TCOON)
		p->master_stopped = action == TCOOFF;
	p->tty.wake |= TTY_WAKE_MASTER_WRITERS;
	tty_unlock(&p->tty);
	return 0;
}

/* What the master reads is the slave's output, and the reverse. */
static int64_t master_flush(struct pty *p, uint64_t queue)
{
	if (queue > TCIOFLUSH)
		return -EINVAL;
	tty_lock(&p->tty);
	if (queue != TCOFLUSH) {
		p->tty.out.tail = p->tty.out.head;
		p->tty.ld.stop_mark = p->tty.out.head;
		p->tty.wake |= TTY_WAKE_WRITERS;
	}
	if (queue != TCIFLUSH) {
		p->in.tail = p->in.head;
		p->tty.wake |= TTY_WAKE_MASTER_WRITERS;
	}
	tty_unlock(&p->tty);
	return 0;
}

static int64_t master_count(struct pty *p, uint64_t arg)
{
	uint32_t n;

	tty_lock(&p->tty);
	n = ldisc_sendable(&p->tty.ld);
	tty_unlock(&p->tty);
	return put_user_u32(UADDR(arg), n);
}

static int64_t master_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct pty *p = f->priv;

	switch (cmd) {
	case TIOCGPTN:
		return put_user_u32(UADDR(arg), p->index);
	case TIOCSPTLCK:
		return set_slave_lock(p, arg);
	case TIOCGPTLCK:
		return put_user_u32(UADDR(arg), p->locked);
	case TIOCPKT:
		return set_packet_mode(p, arg);
	case TIOCGPKT:
		return put_user_u32(UADDR(arg), p->packet);
	case TIOCSIG:
		return signal_slave(p, arg);
	case TIOCGPTPEER:
		return open_peer(p, f, arg);
	case TCXONC:
		return master_flow(p, arg);
	case TCFLSH:
		return master_flush(p, arg);
	case FIONREAD:
		return master_count(p, arg);
	case TIOCNOTTY:
		return -ENOTTY;
	}
	return tty_ioctl(&p->tty, f, cmd, arg, true);
}

/* --- the master: opening and closing --- */

/* The name goes first, so that nobody opens what is about to be hung up. */
static void master_release(struct file *f)
{
	struct pty *p = f->priv;

	devpts_remove(p);
	tty_lock(&p->tty);
	p->tty.is_cut_off = true;
	p->in.tail = p->in.head;
	tty_unlock(&p->tty);
	tty_hangup(&p->tty, false);
	tty_put(&p->tty);
}

static const struct file_ops master_ops = {
	.release = master_release,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.flags = FOP_STREAM | FOP_CAN_POLL | FOP_ASYNC,
};

MUST_CHECK static int pty_create(struct pty **out)
{
	struct pty *p = kzalloc(sizeof(*p));
	uint8_t *in = kmalloc(PTY_BACKLOG);
	int err = -ENOMEM;

	if (p == NULL || in == NULL || (err = tty_setup(&p->tty, &slave_ops, 0))) {
		kfree(in);
		kfree(p);
		return err;
	}
	ring_init(&p->in, in, PTY_BACKLOG);
	waitq_init(&p->master_readable);
	waitq_init(&p->master_writable);
	p->tty.ld.flush_keep = FLUSH_KEEP;
	p->locked = true;
	*out = p;
	return 0;
}

int pty_open_master(struct inode *i, struct file *f)
{
	struct path root;
	struct pty *p;
	int err;

	(void)i;
	if ((err = devpts_find_root(f, &root)))
		return err;
	if ((err = pty_create(&p)))
		goto put_root;
	superblock_get(root.dentry->sb);
	p->sb = root.dentry->sb;
	if ((err = devpts_add(p->sb, p))) {
		tty_put(&p->tty);
		goto put_root;
	}
	p->tty.rdev = mkdev(SLAVE_MAJOR, p->index);
	f->priv = p;
	f->ops = &master_ops;
put_root:
	path_put(&root);
	return err;
}

static int slave_node_open(struct inode *i, struct file *f)
{
	struct pty *p = devpts_get_pty(i);
	int err;

	if (p == NULL)
		return -EIO;
	err = tty_open_file(&p->tty, f, false);
	tty_put(&p->tty);
	return err;
}

static int master_node_open(struct inode *i, struct file *f)
{
	(void)i, (void)f;
	return -EIO; /* masters are made by ptmx only */
}

static const struct file_ops ptmx_node_ops = { .open = pty_open_master };
static const struct file_ops slave_node_ops = { .open = slave_node_open };
static const struct file_ops master_node_ops = { .open = master_node_open };

void pty_init(void)
{
	chrdev_register(PTMX_MAJOR, PTMX_MINOR, 1, "/dev/ptmx", &ptmx_node_ops);
	chrdev_register(MASTER_MAJOR, 0, SLAVES, "ptm", &master_node_ops);
	chrdev_register(SLAVE_MAJOR, 0, SLAVES, "pts", &slave_node_ops);
	devnode_add("ptmx", S_IFCHR | 0666, mkdev(PTMX_MAJOR, PTMX_MINOR));
	devpts_init();
}

/*
 * ioctl_tty(2). One function per group of requests; each answers -ENOIOCTL when the request is not
 * its own. Requests that change something stop a background caller first (SIGTTOU), as tcsetattr(3)
 * and its kin do.
 */

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "core/clock.h"
#include "tty/tty_priv.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

enum { ENOIOCTL = 4096 /* inside this file: ask the next */ };
enum { BREAK_MS = 250 };

static int64_t put_u32(uint64_t arg, int64_t v)
{
	return v < 0 ? v : put_user_u32(UADDR(arg), (uint32_t)v);
}

/* --- settings --- */

/* When settings are to change: now, once output is sent (W), and with input thrown away (F). */
enum when { NOW, DRAIN, FLUSH };

static int drain(struct tty *t)
{
	return t->ops->drain ? t->ops->drain(t) : 0;
}

static void read_settings(struct tty *t, struct abi_termios2 *out)
{
	tty_lock(t);
	*out = t->ld.termios;
	tty_unlock(t);
}

/* What is locked (TIOCSLCKTRMIOS) stays as it is. */
static void keep_locked(struct abi_termios2 *new, const struct abi_termios2 *old,
			const struct abi_termios2 *locked)
{
	new->c_iflag ^= (new->c_iflag ^ old->c_iflag) & locked->c_iflag;
	new->c_oflag ^= (new->c_oflag ^ old->c_oflag) & locked->c_oflag;
	new->c_cflag ^= (new->c_cflag ^ old->c_cflag) & locked->c_cflag;
	new->c_lflag ^= (new->c_lflag ^ old->c_lflag) & locked->c_lflag;
	for (unsigned i = 0; i < NCCS; i++)
		if (locked->c_cc[i])
			new->c_cc[i] = old->c_cc[i];
}

static void apply_settings(struct tty *t, struct abi_termios2 *new, bool flush)
{
	struct abi_termios2 old;

	tty_lock(t);
	if (flush)
		tty_flush(t, true, false);
	old = t->ld.termios;
	keep_locked(new, &old, &t->locked);
	if (t->ops->settings)
		t->ops->settings(t, new);
	termios_set_speeds(new);
	ldisc_set_termios(&t->ld, new);
	if (t->ops->changed)
		t->ops->changed(t, &old);
	tty_dispatch(t);
	t->wake |= TTY_WAKE_READERS; /* VMIN, VTIME and ICANON mean other things to them now */
	tty_unlock(t);
}

/* Copies new settings in; what the form does not tell stays as in *t. */
static int import_settings(struct abi_termios2 *t, unsigned cmd, uint64_t arg)
{
	struct abi_termio io;
	int err;

	switch (cmd) {
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		if ((err = copy_from_user(&io, UADDR(arg), sizeof(io))) == 0)
			termios_from_termio(t, &io);
		return err;
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return copy_from_user(t, UADDR(arg), sizeof(struct abi_termios));
	}
	return copy_from_user(t, UADDR(arg), sizeof(*t));
}

static int64_t set_settings(struct tty *t, unsigned cmd, uint64_t arg, enum when when)
{
	struct abi_termios2 new;
	int err;

	if ((err = ctty_check_change(t)))
		return err;
	read_settings(t, &new);
	if ((err = import_settings(&new, cmd, arg)))
		return err;
	if (when != NOW && (err = drain(t)))
		return err;
	new.c_line = N_TTY;
	apply_settings(t, &new, when == FLUSH);
	return 0;
}

static int64_t get_settings(struct tty *t, unsigned cmd, uint64_t arg)
{
	struct abi_termios2 now;
	struct abi_termio io;

	read_settings(t, &now);
	if (cmd == TCGETA) {
		io = termios_to_termio(&now);
		return copy_to_user(UADDR(arg), &io, sizeof(io));
	}
	return copy_to_user(UADDR(arg), &now,
			    cmd == TCGETS ? sizeof(struct abi_termios) : sizeof(now));
}

static int64_t set_soft_carrier(struct tty *t, uint64_t arg)
{
	struct abi_termios2 now;
	uint32_t on;
	int err;

	if ((err = get_user_u32(&on, UADDR(arg))))
		return err;
	read_settings(t, &now);
	now.c_cflag = on ? now.c_cflag | CLOCAL : now.c_cflag & ~(uint32_t)CLOCAL;
	apply_settings(t, &now, false);
	return 0;
}

static int64_t get_locked(struct tty *t, uint64_t arg)
{
	struct abi_termios2 now;

	tty_lock(t);
	now = t->locked;
	tty_unlock(t);
	return copy_to_user(UADDR(arg), &now, sizeof(struct abi_termios));
}

static int64_t set_locked(struct tty *t, uint64_t arg)
{
	struct abi_termios2 new = { 0 };
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((err = copy_from_user(&new, UADDR(arg), sizeof(struct abi_termios))))
		return err;
	tty_lock(t);
	t->locked = new;
	tty_unlock(t);
	return 0;
}

static int64_t settings_ioctl(struct tty *t, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case TCGETS:
	case TCGETS2:
	case TCGETA:
		return get_settings(t, cmd, arg);
	case TCSETS:
	case TCSETS2:
	case TCSETA:
		return set_settings(t, cmd, arg, NOW);
	case TCSETSW:
	case TCSETSW2:
	case TCSETAW:
		return set_settings(t, cmd, arg, DRAIN);
	case TCSETSF:
	case TCSETSF2:
	case TCSETAF:
		return set_settings(t, cmd, arg, FLUSH);
	case TIOCGLCKTRMIOS:
		return get_locked(t, arg);
	case TIOCSLCKTRMIOS:
		return set_locked(t, arg);
	case TIOCGSOFTCAR:
		return put_u32(arg, (t->ld.termios.c_cflag & CLOCAL) != 0);
	case TIOCSSOFTCAR:
		return set_soft_carrier(t, arg);
	}
	return -ENOIOCTL;
}

/* --- the flow of bytes --- */

/* The flow-control character, unless c_cc has switched it off. */
static void send_flow_char(struct tty *t, unsigned i)
{
	uint8_t c = t->ld.termios.c_cc[i];

	if (c != 0 && t->ops->urgent)
		t->ops->urgent(t, c);
}

static int64_t flow(struct tty *t, uint64_t action)
{
	if (action > TCION)
		return -EINVAL;
	tty_lock(t);
	switch (action) {
	case TCOOFF:
		ldisc_stop(&t->ld);
		break;
	case TCOON:
		if (t->ld.stopped_by_call)
			ldisc_start(&t->ld);
		break;
	case TCIOFF:
		send_flow_char(t, VSTOP);
		break;
	case TCION:
		send_flow_char(t, VSTART);
		break;
	}
	tty_dispatch(t);
	tty_unlock(t);
	return 0;
}

static int64_t flush(struct tty *t, uint64_t queue)
{
	if (queue > TCIOFLUSH)
		return -EINVAL;
	tty_lock(t);
	tty_flush(t, queue != TCOFLUSH, queue != TCIFLUSH);
	tty_dispatch(t);
	tty_unlock(t);
	return 0;
}

static int64_t send_break(struct tty *t, int64_t ms)
{
	int err, ignored;

	if ((err = drain(t)) || !t->ops->send_break)
		return err;
	if ((err = t->ops->send_break(t, true)))
		return err;
	err = thread_sleep_until(clock_mono() + ms * NSEC_PER_MSEC, THREAD_SLEEP_INTR);
	ignored = t->ops->send_break(t, false);
	(void)ignored;
	return err == -ETIMEDOUT ? 0 : err;
}

static int64_t count_pending(struct tty *t, uint64_t arg)
{
	return put_u32(arg, t->ops->pending ? t->ops->pending(t) : 0);
}

static int64_t count_input(struct tty *t, uint64_t arg)
{
	uint32_t n;

	tty_lock(t);
	n = ldisc_readable(&t->ld);
	tty_unlock(t);
	return put_u32(arg, n);
}

static int64_t break_ioctl(struct tty *t, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case TCSBRK:
		return arg ? drain(t) : send_break(t, BREAK_MS);
	case TCSBRKP:
		return send_break(t, arg ? (int64_t)MIN(arg, 600) * 100 : BREAK_MS);
	}
	return t->ops->send_break ? t->ops->send_break(t, cmd == TIOCSBRK) : 0;
}

static int64_t flow_ioctl(struct tty *t, unsigned cmd, uint64_t arg, bool master)
{
	int err;

	switch (cmd) {
	case FIONREAD:
		return count_input(t, arg);
	case TIOCOUTQ:
		return count_pending(t, arg);
	case TCXONC:
	case TCFLSH:
	case TCSBRK:
	case TCSBRKP:
	case TIOCSBRK:
	case TIOCCBRK:
		break;
	default:
		return -ENOIOCTL;
	}
	if (!master && (err = ctty_check_change(t)))
		return err;
	if (cmd == TCXONC)
		return flow(t, arg);
	return cmd == TCFLSH ? flush(t, arg) : break_ioctl(t, cmd, arg);
}

/* --- sessions --- */

static int64_t set_foreground(struct tty *t, uint64_t arg)
{
	uint32_t pgid;
	int err = ctty_check_change(t);

	if (err)
		return err == -EIO ? -ENOTTY : err;
	if ((err = get_user_u32(&pgid, UADDR(arg))))
		return err;
	return ctty_set_foreground(t, (int32_t)pgid);
}

static int64_t session_ioctl(struct tty *t, struct file *f, unsigned cmd, uint64_t arg, bool master)
{
	switch (cmd) {
	case TIOCGPGRP:
		return put_u32(arg, ctty_foreground_id(t, master));
	case TIOCSPGRP:
		return set_foreground(t, arg);
	case TIOCGSID:
		return put_u32(arg, ctty_session_id(t, master));
	case TIOCSCTTY:
		return ctty_set(t, f, arg == 1);
	case TIOCNOTTY:
		return ctty_drop(t);
	}
	return -ENOIOCTL;
}

/* --- the rest --- */

/* A byte as if it had been typed: into one's own terminal, or by an administrator. */
static int64_t simulate_input(struct tty *t, const struct file *f, uint64_t arg)
{
	uint8_t c;
	int err;

	if ((!ctty_is_mine(t) && !capable(CAP_SYS_ADMIN)) || !(f->mode & FMODE_READ))
		return -EPERM;
	if ((err = copy_from_user(&c, UADDR(arg), 1)))
		return err;
	tty_lock(t);
	(void)tty_feed(t, &c, 1);
	tty_unlock(t);
	return 0;
}

static int64_t window_ioctl(struct tty *t, unsigned cmd, uint64_t arg)
{
	struct abi_winsize w;
	int err;

	if (cmd == TIOCSWINSZ) {
		if ((err = copy_from_user(&w, UADDR(arg), sizeof(w))) == 0)
			tty_set_winsize(t, &w);
		return err;
	}
	tty_lock(t);
	w = t->winsize;
	tty_unlock(t);
	return copy_to_user(UADDR(arg), &w, sizeof(w));
}

static int64_t set_exclusive(struct tty *t, bool on)
{
	tty_lock(t);
	t->exclusive = on;
	tty_unlock(t);
	return 0;
}

static int64_t set_discipline(uint64_t arg)
{
	uint32_t n;
	int err = get_user_u32(&n, UADDR(arg));

	return err ? err : n == N_TTY ? 0 : -EINVAL;
}

static int64_t hangup(struct tty *t)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	tty_hangup(t, false);
	return 0;
}

static int64_t other_ioctl(struct tty *t, struct file *f, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		return window_ioctl(t, cmd, arg);
	case TIOCSTI:
		return simulate_input(t, f, arg);
	case TIOCEXCL:
	case TIOCNXCL:
		return set_exclusive(t, cmd == TIOCEXCL);
	case TIOCGEXCL:
		return put_u32(arg, t->exclusive);
	case TIOCGETD:
		return put_u32(arg, N_TTY);
	case TIOCSETD:
		return set_discipline(arg);
	case TIOCGDEV:
		return put_u32(arg, (int64_t)t->rdev);
	case TIOCVHANGUP:
		return hangup(t);
	case TIOCGPTPEER: /* for masters, which do not come here */
		return -EIO;
	case TIOCCONS: /* the console's output is not redirected */
		return -EPERM;
	}
	return t->ops->ioctl ? t->ops->ioctl(t, cmd, arg) : -ENOTTY;
}

int64_t tty_ioctl(struct tty *t, struct file *f, unsigned cmd, uint64_t arg, bool master)
{
	int64_t ret = settings_ioctl(t, cmd, arg);

	if (ret == -ENOIOCTL)
		ret = session_ioctl(t, f, cmd, arg, master);
	if (ret == -ENOIOCTL)
		ret = flow_ioctl(t, cmd, arg, master);
	return ret == -ENOIOCTL ? other_ioctl(t, f, cmd, arg) : ret;
}

int64_t tty_file_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct tty_file *tf = f->priv;

	if (UNLIKELY(tty_file_is_hung(tf)))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	return tty_ioctl(tf->tty, f, cmd, arg, false);
}

/*
 * Controlling terminals and job control. A session has at most one terminal and a terminal at most
 * one session: tty->session and the process->tty of the session's members agree, and change
 * together under PROCTREE; only a member without the terminal (it used TIOCNOTTY) has NULL. One
 * group of the session is in the foreground.
 *
 * After a hang-up the session has no terminal any more, but POSIX wants the group that was in the
 * foreground to be told when the leader ends; such groups are remembered in `orphans` until then.
 *
 * Signals are sent after PROCTREE is released, to groups held by reference.
 *   source       POSIX.1-2024 11.1.1 to 11.1.4 and _exit(), tcsetpgrp(3), ioctl_tty(2),
 *                credentials(7)
 */

#include "proc/info.h"
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/signal.h"
#include "pmm/slab.h"
#include "proc/ctty.h"
#include "proc/signal.h"
#include "tty/tty.h"
#include "tty/tty_priv.h"
#include "vfs/cred.h"

/* The foreground group of a session whose terminal was hung up. */
struct orphan {
	struct list node;
	struct pid *session, *group; /* counted */
};

static struct list orphans = LIST_INIT(orphans); /* PROCTREE */

/* What a terminal and its session held of each other: put once PROCTREE is released. */
struct bond {
	struct tty *tty;
	struct pid *session, *group;
};

static void bond_put(struct bond *b)
{
	pid_put(b->group);
	pid_put(b->session);
	if (b->tty)
		tty_put(b->tty);
}

static struct pid *foreground(const struct tty *t)
{
	return atomic_load_explicit(&t->foreground, memory_order_relaxed);
}

/* A session leader's process gets t, which no session has. PROCTREE is held. */
static void attach_locked(struct tty *t, struct process *p)
{
	pid_get(p->session_pid);
	t->session = p->session_pid;
	pid_get(p->group);
	atomic_store_explicit(&t->foreground, p->group, memory_order_relaxed);
	tty_get(t);
	p->tty = t;
}

/* The session of t, if any, loses it. PROCTREE is held. */
static struct bond detach_locked(struct tty *t)
{
	struct bond b = { .session = t->session, .group = foreground(t) };
	struct process *p;

	if (b.session == NULL)
		return b;
	list_for_each (p, &b.session->session, session_node)
		if (p->tty == t)
			p->tty = NULL;
	b.tty = t;
	t->session = NULL;
	atomic_store_explicit(&t->foreground, NULL, memory_order_relaxed);
	return b;
}

struct tty *ctty_get(void)
{
	struct tty *t;

	spin_lock(&proctree_lock);
	t = curproc()->tty;
	if (t)
		tty_get(t);
	spin_unlock(&proctree_lock);
	return t;
}

bool ctty_is_mine(const struct tty *t)
{
	return curtask() != NULL && curproc()->tty == t;
}

/* The foreground group, counted; NULL. */
static struct pid *foreground_get(struct tty *t)
{
	struct pid *group;

	spin_lock(&proctree_lock);
	group = foreground(t);
	if (group)
		pid_get(group);
	spin_unlock(&proctree_lock);
	return group;
}

void ctty_signal(struct tty *t, int sig)
{
	struct pid *group = foreground_get(t);

	if (group == NULL)
		return;
	(void)signal_send_group(group, sig, true);
	pid_put(group);
}

/* --- job control --- */

/*
 * True when the running process is a background one of the terminal's session. Pointers are
 * compared, not followed.
 */
static bool in_background(const struct tty *t)
{
	struct pid *group;

	if (!ctty_is_mine(t))
		return false;
	group = foreground(t);
	return group != NULL && group != curproc()->group;
}

static bool is_blocked_or_ignored(int sig)
{
	return (curtask()->blocked & SIGMASK(sig)) || signal_is_ignored(curtask(), sig);
}

/* Stops the running process's group, unless nobody could continue it. */
static int stop_group(int sig)
{
	struct pid *group;
	int err = -ERESTARTSYS;

	spin_lock(&proctree_lock);
	group = curproc()->group;
	pid_get(group);
	spin_unlock(&proctree_lock);
	if (group_is_orphaned(group))
		err = -EIO;
	else
		(void)signal_send_group(group, sig, true);
	pid_put(group);
	return err;
}

int ctty_check_read(struct tty *t)
{
	if (LIKELY(!in_background(t)))
		return 0;
	return is_blocked_or_ignored(SIGTTIN) ? -EIO : stop_group(SIGTTIN);
}

int ctty_check_change(struct tty *t)
{
	if (LIKELY(!in_background(t)) || is_blocked_or_ignored(SIGTTOU))
		return 0;
	return stop_group(SIGTTOU);
}

/* --- getting and giving up a terminal --- */

void ctty_opened(struct tty *t, const struct file *f)
{
	struct process *p;

	if (curtask() == NULL || (atomic_load(&f->flags) & O_NOCTTY) || !(f->mode & FMODE_READ))
		return;
	p = curproc();
	if (LIKELY(!p->session_leader || p->tty != NULL))
		return; /* only p itself changes that */
	spin_lock(&proctree_lock);
	if (p->session_leader && p->tty == NULL && t->session == NULL)
		attach_locked(t, p);
	spin_unlock(&proctree_lock);
}

/* 0; 1 when there is nothing to do; -EPERM. PROCTREE is held. */
static int may_set_locked(struct tty *t, struct process *p, const struct file *f, bool steal)
{
	bool admin = capable(CAP_SYS_ADMIN);

	if (p->session_leader && p->session_pid == t->session)
		return 1;
	if (!p->session_leader || p->tty != NULL)
		return -EPERM;
	if (t->session != NULL && !(steal && admin))
		return -EPERM;
	return (f->mode & FMODE_READ) || admin ? 0 : -EPERM;
}

int ctty_set(struct tty *t, const struct file *f, bool steal)
{
	struct process *p = curproc();
	struct bond old = { 0 };
	int err;

	spin_lock(&proctree_lock);
	if ((err = may_set_locked(t, p, f, steal)) == 0) {
		old = detach_locked(t);
		attach_locked(t, p);
	}
	spin_unlock(&proctree_lock);
	bond_put(&old);
	return err < 0 ? err : 0;
}

int ctty_drop(struct tty *t)
{
	struct process *p = curproc();
	struct bond old = { 0 };
	int err = 0;

	spin_lock(&proctree_lock);
	if (p->tty != t)
		err = -ENOTTY;
	else if (p->session_leader)
		old = detach_locked(t);
	else
		p->tty = NULL;
	spin_unlock(&proctree_lock);
	if (old.group) {
		(void)signal_send_group(old.group, SIGHUP, true);
		(void)signal_send_group(old.group, SIGCONT, true);
	}
	bond_put(&old);
	return err;
}

int64_t ctty_foreground_id(struct tty *t, bool anyone)
{
	struct pid *group;
	int64_t nr = -ENOTTY;

	spin_lock(&proctree_lock);
	group = foreground(t);
	if (anyone || curproc()->tty == t)
		nr = group ? group->nr : 0;
	spin_unlock(&proctree_lock);
	return nr;
}

int64_t ctty_session_id(struct tty *t, bool anyone)
{
	int64_t nr = -ENOTTY;

	spin_lock(&proctree_lock);
	if (t->session != NULL && (anyone || curproc()->tty == t))
		nr = t->session->nr;
	spin_unlock(&proctree_lock);
	return nr;
}

/*
 * `group` is counted and, on success, becomes the foreground group; then *old is what it was.
 * PROCTREE is held.
 */
static int set_foreground_locked(struct tty *t, struct pid *group, struct pid **old)
{
	struct process *p = curproc();

	if (p->tty != t || t->session != p->session_pid)
		return -ENOTTY;
	if (list_is_empty(&group->group))
		return -ESRCH;
	if (list_first(&group->group, struct process, group_node)->session_pid != p->session_pid)
		return -EPERM;
	*old = foreground(t);
	atomic_store_explicit(&t->foreground, group, memory_order_relaxed);
	return 0;
}

int ctty_set_foreground(struct tty *t, int32_t pgid)
{
	struct pid *group, *old;
	int err;

	if (!ctty_is_mine(t))
		return -ENOTTY;
	if (pgid < 0)
		return -EINVAL;
	if ((group = pid_lookup((uint32_t)pgid)) == NULL)
		return -ESRCH;
	old = group; /* what is put when it fails */
	spin_lock(&proctree_lock);
	err = set_foreground_locked(t, group, &old);
	spin_unlock(&proctree_lock);
	pid_put(old);
	return err;
}

/* --- the end of sessions and of lines --- */

/* The living leader of a session, counted; NULL. PROCTREE is held. */
static struct process *leader_get_locked(struct pid *session)
{
	struct process *p;

	list_for_each (p, &session->session, session_node)
		if (p->session_leader && !p->zombie) {
			process_get(p);
			return p;
		}
	return NULL;
}

static void send_process(struct process *p, int sig)
{
	struct abi_siginfo si;

	siginfo_kernel(&si, sig);
	int err = signal_send_process(p, &si);
	(void)err; /* it has ended meanwhile */
}

static void hangup_leader(struct process *p)
{
	send_process(p, SIGHUP);
	send_process(p, SIGCONT);
	process_put(p);
}

/*
 * Keeps the foreground group for the end of the leader. False: no memory to do so. PROCTREE is
 * held.
 */
static bool remember_locked(struct orphan *o, const struct bond *b)
{
	if (o == NULL)
		return false;
	pid_get(b->session);
	pid_get(b->group);
	o->session = b->session;
	o->group = b->group;
	list_add_tail(&orphans, &o->node);
	return true;
}

void ctty_hangup(struct tty *t, bool leader_ended)
{
	struct orphan *o = leader_ended ? NULL : kmalloc(sizeof(*o));
	struct process *leader = NULL;
	bool remembered = false;
	struct bond old;

	spin_lock(&proctree_lock);
	old = detach_locked(t);
	if (old.session && !leader_ended)
		leader = leader_get_locked(old.session);
	if (leader && old.group)
		remembered = remember_locked(o, &old);
	spin_unlock(&proctree_lock);
	if (!remembered)
		kfree(o);
	if (leader)
		hangup_leader(leader);
	if (old.group && !remembered)
		(void)signal_send_group(old.group, SIGHUP, true);
	bond_put(&old);
}

/* The remembered group of a session, off the list; NULL. PROCTREE is held. */
static struct orphan *orphan_take_locked(const struct pid *session)
{
	struct orphan *o;

	list_for_each (o, &orphans, node)
		if (o->session == session) {
			list_remove(&o->node);
			return o;
		}
	return NULL;
}

static void hangup_orphans(struct process *p)
{
	struct orphan *o;

	for (;;) {
		spin_lock(&proctree_lock);
		o = orphan_take_locked(p->session_pid);
		spin_unlock(&proctree_lock);
		if (o == NULL)
			return;
		(void)signal_send_group(o->group, SIGHUP, true);
		(void)signal_send_group(o->group, SIGCONT, true);
		pid_put(o->group);
		pid_put(o->session);
		kfree(o);
	}
}

/*
 * A pseudoterminal only changes hands, since its master may start another session on it; a line is
 * hung up.
 */
static void session_leader_ended(struct process *p)
{
	struct tty *t;

	spin_lock(&proctree_lock);
	t = p->tty;
	if (t)
		tty_get(t);
	spin_unlock(&proctree_lock);
	if (t == NULL)
		hangup_orphans(p);
	else if (t->ops->hangs_up_with_leader)
		tty_hangup(t, true);
	else
		ctty_hangup(t, true);
	if (t)
		tty_put(t);
}

void tty_vhangup(void)
{
	struct tty *t;

	spin_lock(&proctree_lock);
	t = curproc()->tty;
	if (t)
		tty_get(t);
	spin_unlock(&proctree_lock);
	if (t == NULL)
		return;
	tty_hangup(t, false);
	tty_put(t);
}

/* For /proc/PID/stat. */
static void describe(struct process *p, int *tty, int *tpgid)
{
	struct pid *group;

	spin_lock(&proctree_lock);
	if (p->tty) {
		group = foreground(p->tty);
		*tty = (int)p->tty->rdev;
		*tpgid = group ? (int)group->nr : 0;
	}
	spin_unlock(&proctree_lock);
}

void ctty_init(void)
{
	process_tty_hook = describe;
	session_leader_exit_hook = session_leader_ended;
}

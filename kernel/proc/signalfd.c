/*
 * signalfd: reading takes signals that are pending for the reading task and in the file's set. The
 * signals belong to whoever reads, so the file holds nothing but the set; waiting is on the
 * reader's own sighand.
 *
 * Source: signalfd(2).
 */

#include "proc/signalfd.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signalfd.h"
#include "lib/fmt.h"
#include "pmm/slab.h"
#include "proc/signal.h"
#include "vfs/file.h"
#include "vfs/poll.h"

struct signalfd {
	_Atomic uint64_t mask;
};

static const struct file_ops signalfd_ops;

static void fill_info(struct abi_signalfd_siginfo *out, const struct abi_siginfo *si)
{
	*out = (struct abi_signalfd_siginfo){ .ssi_signo = (uint32_t)si->si_signo,
					      .ssi_errno = si->si_errno,
					      .ssi_code = si->si_code };
	if (si->si_code == SI_TIMER) {
		out->ssi_tid = (uint32_t)si->timer.tid;
		out->ssi_overrun = (uint32_t)si->timer.overrun;
		out->ssi_ptr = si->timer.value.sival_ptr;
		out->ssi_int = si->timer.value.sival_int;
		return;
	}
	if (si->si_code > 0 && si->si_code != SI_KERNEL) {
		switch (si->si_signo) {
		case SIGILL:
		case SIGFPE:
		case SIGSEGV:
		case SIGBUS:
		case SIGTRAP:
			out->ssi_addr = si->fault.addr;
			return;
		case SIGIO:
			out->ssi_band = (uint32_t)si->poll.band;
			out->ssi_fd = si->poll.fd;
			return;
		}
	}
	out->ssi_pid = (uint32_t)si->kill.pid;
	out->ssi_uid = si->kill.uid;
	if (si->si_signo == SIGCHLD && si->si_code > 0) {
		out->ssi_status = si->chld.status;
		out->ssi_utime = (uint64_t)si->chld.utime;
		out->ssi_stime = (uint64_t)si->chld.stime;
	} else if (si->si_code < 0) {
		out->ssi_ptr = si->rt.value.sival_ptr;
		out->ssi_int = si->rt.value.sival_int;
	}
}

/* A signal of the set; sleeps for it when `wait`. 0: none. */
static int next_signal(struct signalfd *s, bool wait, struct abi_siginfo *si, int *err)
{
	struct waitq *q = &curtask()->sighand->signalfd_wait;
	struct waiter w;
	int sig = signal_dequeue(atomic_load(&s->mask), si);

	if (sig || !wait)
		return sig;
	waiter_init(&w);
	for (;;) {
		wait_prepare(q, &w, THREAD_SLEEP_INTR);
		if ((sig = signal_dequeue(atomic_load(&s->mask), si)) ||
		    (*err = wait_sleep(NSEC_MAX)))
			break;
	}
	wait_finish(q, &w);
	return sig;
}

static ssize64_t signalfd_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct signalfd *s = f->priv;
	bool wait = !(atomic_load(&f->flags) & O_NONBLOCK);
	struct abi_signalfd_siginfo info;
	struct abi_siginfo si;
	ssize64_t total = 0;
	int err = 0;

	(void)pos;
	if (u->resid < sizeof(info))
		return -EINVAL;
	while (u->resid >= sizeof(info) && next_signal(s, wait && total == 0, &si, &err)) {
		fill_info(&info, &si);
		if (uio_put(u, &info, sizeof(info)) != sizeof(info))
			return total ? total : -EFAULT;
		total += (ssize64_t)sizeof(info);
	}
	if (total)
		return total;
	return err ? err : -EAGAIN;
}

static uint32_t signalfd_poll(struct file *f, struct poll_ctx *ctx)
{
	struct signalfd *s = f->priv;

	poll_wait(ctx, &curtask()->sighand->signalfd_wait);
	return signal_pending_set(curtask()) & atomic_load(&s->mask) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
	kfree(f->priv);
}

static void signalfd_show_fdinfo(struct file *f, struct textbuf *t)
{
	text_f(t, "sigmask:\t%016lx\n",
	       (unsigned long)atomic_load(&((struct signalfd *)f->priv)->mask));
}

static const struct file_ops signalfd_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.show_fdinfo = signalfd_show_fdinfo,
	.flags = FOP_STREAM | FOP_CAN_POLL,
};

int signalfd_open(uint64_t mask, unsigned oflags, struct file **out)
{
	struct signalfd *s = kmalloc(sizeof(*s));
	int err;

	if (s == NULL)
		return -ENOMEM;
	atomic_init(&s->mask, mask & ~SIG_UNBLOCKABLE);
	if ((err = file_create_anon("[signalfd]", &signalfd_ops, s, O_RDWR | oflags, out)))
		kfree(s);
	return err;
}

int signalfd_set_mask(struct file *f, uint64_t mask)
{
	if (f->ops != &signalfd_ops)
		return -EINVAL;
	atomic_store(&((struct signalfd *)f->priv)->mask, mask & ~SIG_UNBLOCKABLE);
	waitq_wake_all(&curtask()->sighand->signalfd_wait, EPOLLIN);
	return 0;
}

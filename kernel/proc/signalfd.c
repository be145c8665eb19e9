/*
 * signalfd: reading takes signals that are pending for the reading task and in the file's set. The
 * signals belong to whoever reads, so the file holds nothing but the set; waiting is on the
 * reader's own sighand. Who polls it leaves a waiter there for as long as the file is open (epoll),
 * perhaps longer than its process lives: the file counts the sighand.
 *
 * Source: signalfd(2).
 */

#include "proc/signalfd.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signalfd.h"
#include "lib/fmt.h"
#include "pmm/slab.h"
#include "proc/proc_priv.h"
#include "vfs/file.h"
#include "vfs/poll.h"

struct polled {
	struct polled *next;
	struct sighand *sighand; /* counted */
};

struct signalfd {
	_Atomic uint64_t mask;
	_Atomic(struct polled *) polled; /* only added to until the file is released */
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
		case SIGSYS:
			out->ssi_call_addr = si->sys.call_addr;
			out->ssi_syscall = si->sys.syscall;
			out->ssi_arch = si->sys.arch;
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

/* Keeps h until the file is released. 0; -ENOMEM. */
static int keep_sighand(struct signalfd *s, struct sighand *h)
{
	struct polled *first = atomic_load_explicit(&s->polled, memory_order_acquire), *p;

	for (p = first; p != NULL; p = p->next)
		if (p->sighand == h)
			return 0;
	if ((p = kmalloc(sizeof(*p))) == NULL)
		return -ENOMEM;
	sighand_get(h);
	p->sighand = h;
	do
		p->next = first;
	while (!atomic_compare_exchange_weak_explicit(&s->polled, &first, p, memory_order_release,
						      memory_order_relaxed));
	return 0;
}

static uint32_t signalfd_poll(struct file *f, struct poll_ctx *ctx)
{
	struct signalfd *s = f->priv;

	if (ctx != NULL && ctx->queue != NULL && (ctx->error = keep_sighand(s, curtask()->sighand)))
		return 0;
	poll_wait(ctx, &curtask()->sighand->signalfd_wait);
	return signal_pending_set(curtask()) & atomic_load(&s->mask) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
	struct signalfd *s = f->priv;
	struct polled *p;

	while ((p = atomic_load_explicit(&s->polled, memory_order_relaxed)) != NULL) {
		atomic_store_explicit(&s->polled, p->next, memory_order_relaxed);
		sighand_put(p->sighand);
		kfree(p);
	}
	kfree(s);
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
	.seek = noop_seek,
};

int signalfd_open(uint64_t mask, unsigned oflags, struct file **out)
{
	struct signalfd *s = kmalloc(sizeof(*s));
	int err;

	if (s == NULL)
		return -ENOMEM;
	atomic_init(&s->mask, mask & ~SIG_UNBLOCKABLE);
	atomic_init(&s->polled, NULL);
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

/*
 * poll(2), ppoll(2), select(2), pselect(2), epoll(7): arguments in, results out. The waiting is
 * vfs/pollset.h's and vfs/epoll.h's. Descriptor sets are copied in once; files are looked up at
 * every scan, so that a descriptor which is closed meanwhile is reported as Linux does, and each
 * file is held only while it is asked or waited on.
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/time.h"
#include "core/clock.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/signal.h"
#include "proc/task.h"
#include "sys/syscalls.h"
#include "sys/timeval.h"
#include "vfs/epoll.h"
#include "vfs/fdtable.h"
#include "vfs/pollset.h"
#include "vm/usercopy.h"

enum { POLL_STACK_FDS = 8, FD_BITS = 64 };

/* The files of one sleeping poll: held until their queues have been left. */
struct held_files {
	struct fdref *ref;
	unsigned n;
};

static void held_put(struct held_files *h)
{
	for (unsigned i = 0; i < h->n; i++)
		fdref_put(h->ref[i]);
	kfree(h->ref);
}

/* One scan over a poll array. With `hold`, the references are kept for the time of the wait. */
static int poll_scan(struct pollset *s, struct abi_pollfd *fds, unsigned n, struct held_files *hold)
{
	int ready = 0;

	for (unsigned i = 0; i < n; i++) {
		struct abi_pollfd *p = &fds[i];

		p->revents = 0;
		if (p->fd < 0)
			continue;
		struct fdref r = fdref_get(p->fd);
		if (r.file == NULL) {
			p->revents = POLLNVAL;
		} else {
			p->revents = (int16_t)pollset_check(s, r.file, (uint16_t)p->events);
			if (hold)
				hold->ref[hold->n++] = r;
			else
				fdref_put(r);
		}
		ready += p->revents != 0;
	}
	return ready;
}

/* A scan that keeps nothing and waits for nothing, over a table of the caller's own. */
static NOINLINE int poll_scan_fast(struct fdview v, struct abi_pollfd *fds, unsigned n)
{
	int ready = 0;

	for (struct abi_pollfd *p = fds, *end = fds + n; p != end; p++) {
		struct file *f = fdview_find(v, p->fd);
		uint32_t events = POLLNVAL;

		if (LIKELY(f != NULL))
			events = file_poll(f, NULL) & ((uint16_t)p->events | EPOLLERR | EPOLLHUP);
		else if (p->fd < 0)
			events = 0;
		p->revents = (int16_t)events;
		ready += events != 0;
	}
	return ready;
}

/* Scans until something is ready, the deadline has passed or a signal comes. deadline 0: do not
 * wait. */
static int poll_wait_ready(struct abi_pollfd *fds, unsigned n, nsec_t deadline)
{
	struct held_files held = { NULL, 0 };
	struct fdview view;
	struct pollset s;
	int ready, err = 0;

	if (LIKELY(fdview_get(&view))) {
		ready = poll_scan_fast(view, fds, n);
		if (ready || deadline == 0)
			return ready;
	}
	pollset_init(&s);
	if (!view.file && ((ready = poll_scan(&s, fds, n, NULL)) || deadline == 0))
		return ready;
	if (n > 0 && (held.ref = kcalloc(n, sizeof(held.ref[0]))) == NULL)
		return -ENOMEM;
	pollset_arm(&s);
	ready = poll_scan(&s, fds, n, &held);
	err = s.ctx.error;
	while (!ready && !err) {
		err = pollset_sleep(&s, deadline);
		ready = poll_scan(&s, fds, n, NULL);
	}
	pollset_fini(&s);
	held_put(&held);
	if (ready)
		return ready;
	return err == -ETIMEDOUT ? 0 : err;
}

static int64_t do_poll(uaddr_t ufds, uint32_t n, nsec_t deadline)
{
	struct abi_pollfd stack[POLL_STACK_FDS], *fds = stack;
	size_t bytes = (size_t)n * sizeof(stack[0]);
	int64_t ret;

	if (n > vfs_nofile_limit())
		return -EINVAL;
	if (n > POLL_STACK_FDS && (fds = kmalloc(bytes)) == NULL)
		return -ENOMEM;
	if (copy_from_user(fds, ufds, bytes)) {
		ret = -EFAULT;
	} else {
		ret = poll_wait_ready(fds, n, deadline);
		if (ret >= 0 && put_user_member16(ufds, fds, sizeof(stack[0]),
						  offsetof(struct abi_pollfd, revents), n))
			ret = -EFAULT;
	}
	if (fds != stack)
		kfree(fds);
	return ret;
}

static int64_t poll_restart(struct restart_block *r)
{
	int64_t ret = do_poll(UADDR(r->arg[0]), (uint32_t)r->arg[1], (nsec_t)r->arg[2]);

	if (ret == -ERESTARTSYS) {
		restart_block_set(poll_restart, r->arg, 3);
		return -ERESTART_RESTARTBLOCK;
	}
	return ret;
}

int64_t sys_poll(uaddr_t fds, uint32_t nfds, int32_t timeout)
{
	nsec_t deadline = timeout < 0    ? NSEC_MAX
			  : timeout == 0 ? 0
					 : deadline_after(timeout * NSEC_PER_MSEC);
	int64_t ret = do_poll(fds, nfds, deadline);

	if (UNLIKELY(ret == -ERESTARTSYS)) {
		uint64_t arg[3] = { fds.a, nfds, (uint64_t)deadline };

		restart_block_set(poll_restart, arg, 3);
		return -ERESTART_RESTARTBLOCK;
	}
	return ret;
}

/* The deadline of an optional timespec: NSEC_MAX without one, 0 for "do not wait". */
static int user_deadline(uaddr_t uts, nsec_t *deadline)
{
	nsec_t span;
	int err;

	*deadline = NSEC_MAX;
	if (uaddr_is_null(uts))
		return 0;
	if ((err = get_user_timespec(&span, uts)))
		return err;
	*deadline = span ? deadline_after(span) : 0;
	return 0;
}

/* Linux updates the caller's timeout; a fault there is not reported. */
static void put_remaining(uaddr_t uts, nsec_t deadline, bool as_timeval)
{
	nsec_t left = deadline ? deadline - clock_mono() : 0;
	int ignored;

	if (uaddr_is_null(uts))
		return;
	left = MAX(left, 0);
	ignored = as_timeval ? put_user_timeval(uts, left) : put_user_timespec(uts, left);
	(void)ignored;
}

int64_t sys_ppoll(uaddr_t fds, uint32_t nfds, uaddr_t tmo, uaddr_t sigmask, uint64_t sigsetsize)
{
	nsec_t deadline;
	int64_t ret;
	int err;

	if ((err = user_deadline(tmo, &deadline)))
		return err;
	if ((err = signal_temp_mask_user(sigmask, sigsetsize)))
		return err;
	ret = do_poll(fds, nfds, deadline);
	signal_finish_temp_mask(ret == -ERESTARTSYS);
	put_remaining(tmo, deadline, false);
	return ret == -ERESTARTSYS ? -ERESTARTNOHAND : ret;
}

/* Three sets in, three sets out, each `words` long, in one allocation. */
struct selection {
	unsigned nfds, words;
	uint64_t *in[3], *out[3];
	uint64_t small[6 * 2];
};

static const uint32_t select_events[3] = {
	EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLHUP | EPOLLERR,
	EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR,
	EPOLLPRI,
};

static int select_load(struct selection *sel, int nfds, const uaddr_t set[3])
{
	unsigned bytes;
	uint64_t *mem = sel->small;

	sel->nfds = (unsigned)nfds;
	sel->words = (sel->nfds + FD_BITS - 1) / FD_BITS;
	bytes = sel->words * 8;
	sel->in[0] = sel->small; /* what there is to free, if it ends here */
	if (sel->words > 2 && (mem = kmalloc(6 * (size_t)bytes)) == NULL)
		return -ENOMEM;
	for (int i = 0; i < 3; i++) {
		sel->in[i] = mem + (size_t)i * sel->words;
		sel->out[i] = mem + (size_t)(i + 3) * sel->words;
		memset(sel->in[i], 0, bytes);
		if (!uaddr_is_null(set[i]) && copy_from_user(sel->in[i], set[i], bytes))
			return -EFAULT;
	}
	return 0;
}

static int select_store(struct selection *sel, const uaddr_t set[3])
{
	for (int i = 0; i < 3; i++)
		if (!uaddr_is_null(set[i]) && copy_to_user(set[i], sel->out[i], sel->words * 8))
			return -EFAULT;
	return 0;
}

static int select_one(struct pollset *s, struct selection *sel, unsigned fd, struct fdref r)
{
	uint64_t bit = 1ull << fd % FD_BITS;
	unsigned w = fd / FD_BITS;
	uint32_t interest = 0, events;
	int n = 0;

	for (int i = 0; i < 3; i++)
		if (sel->in[i][w] & bit)
			interest |= select_events[i];
	events = pollset_check(s, r.file, interest);
	for (int i = 0; i < 3; i++)
		if (sel->in[i][w] & bit && events & select_events[i]) {
			sel->out[i][w] |= bit;
			n++;
		}
	return n;
}

static int select_scan(struct pollset *s, struct selection *sel, struct held_files *hold)
{
	int ready = 0;

	memset(sel->out[0], 0, 3 * (size_t)sel->words * 8);
	for (unsigned w = 0; w < sel->words; w++) {
		uint64_t bits = sel->in[0][w] | sel->in[1][w] | sel->in[2][w];

		if (w == sel->words - 1 && sel->nfds % FD_BITS)
			bits &= (1ull << sel->nfds % FD_BITS) - 1;
		for (; bits; bits &= bits - 1) {
			unsigned fd = w * FD_BITS + (unsigned)__builtin_ctzll(bits);
			struct fdref r = fdref_get((int)fd);

			if (r.file == NULL)
				return -EBADF;
			ready += select_one(s, sel, fd, r);
			if (hold)
				hold->ref[hold->n++] = r;
			else
				fdref_put(r);
		}
	}
	return ready;
}

static int select_wait(struct selection *sel, nsec_t deadline)
{
	struct held_files held = { NULL, 0 };
	struct pollset s;
	int ready, err = 0;

	pollset_init(&s);
	ready = select_scan(&s, sel, NULL);
	if (ready || deadline == 0)
		return ready;
	if (sel->nfds && (held.ref = kcalloc(sel->nfds, sizeof(held.ref[0]))) == NULL)
		return -ENOMEM;
	pollset_arm(&s);
	ready = select_scan(&s, sel, &held);
	err = s.ctx.error;
	while (!ready && !err) {
		err = pollset_sleep(&s, deadline);
		ready = select_scan(&s, sel, NULL);
	}
	pollset_fini(&s);
	held_put(&held);
	if (ready)
		return ready;
	return err == -ETIMEDOUT ? 0 : err;
}

static int64_t do_select(int nfds, const uaddr_t set[3], nsec_t deadline)
{
	struct selection sel;
	unsigned limit = vfs_nofile_limit();
	int64_t ret;
	int err;

	if (nfds < 0)
		return -EINVAL;
	if ((unsigned)nfds > limit)
		nfds = (int)limit;
	if ((ret = select_load(&sel, nfds, set)) == 0) {
		ret = select_wait(&sel, deadline);
		if (ret >= 0 && (err = select_store(&sel, set)))
			ret = err;
	}
	if (sel.in[0] != sel.small)
		kfree(sel.in[0]);
	return ret == -ERESTARTSYS ? -ERESTARTNOHAND : ret;
}

int64_t sys_select(int32_t nfds, uaddr_t r, uaddr_t w, uaddr_t e, uaddr_t timeout)
{
	const uaddr_t set[3] = { r, w, e };
	const int64_t usec_per_sec = 1000000;
	nsec_t deadline = NSEC_MAX, span;
	struct abi_timeval tv;
	int64_t ret;

	if (!uaddr_is_null(timeout)) {
		if (copy_from_user(&tv, timeout, sizeof(tv)))
			return -EFAULT;
		/* Here, unlike elsewhere, there may be more than a second of microseconds. */
		if (tv.tv_usec < 0 || tv.tv_sec < 0 ||
		    tv.tv_sec > INT64_MAX - tv.tv_usec / usec_per_sec)
			return -EINVAL;
		span = seconds_to_nsec(tv.tv_sec + tv.tv_usec / usec_per_sec,
				       tv.tv_usec % usec_per_sec * NSEC_PER_USEC);
		deadline = span ? deadline_after(span) : 0;
	}
	ret = do_select(nfds, set, deadline);
	put_remaining(timeout, deadline, true);
	return ret;
}

int64_t sys_pselect6(int32_t nfds, uaddr_t r, uaddr_t w, uaddr_t e, uaddr_t timeout, uaddr_t sig)
{
	struct {
		uint64_t mask, size;
	} sigarg = { 0, 0 };
	const uaddr_t set[3] = { r, w, e };
	nsec_t deadline;
	int64_t ret;
	int err;

	if (!uaddr_is_null(sig) && copy_from_user(&sigarg, sig, sizeof(sigarg)))
		return -EFAULT;
	if ((err = user_deadline(timeout, &deadline)))
		return err;
	if ((err = signal_temp_mask_user(UADDR(sigarg.mask), sigarg.size)))
		return err;
	ret = do_select(nfds, set, deadline);
	signal_finish_temp_mask(ret == -ERESTARTNOHAND);
	put_remaining(timeout, deadline, false);
	return ret;
}

int64_t sys_epoll_create1(uint32_t flags)
{
	struct file *f;
	int err, fd;

	if (flags & ~(uint32_t)EPOLL_CLOEXEC)
		return -EINVAL;
	if ((err = epoll_open(0, &f)))
		return err;
	if ((fd = fd_add(f, flags & EPOLL_CLOEXEC)) < 0)
		file_put(f);
	return fd;
}

int64_t sys_epoll_create(int32_t size)
{
	return size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

int64_t sys_epoll_ctl(int32_t epfd, int32_t op, int32_t fd, uaddr_t event)
{
	struct abi_epoll_event ev = { 0 };
	struct fdref ep, f;
	int err;

	if (op != EPOLL_CTL_DEL && copy_from_user(&ev, event, sizeof(ev)))
		return -EFAULT;
	ep = fdref_get(epfd);
	if (ep.file == NULL)
		return -EBADF;
	f = fdref_get(fd);
	err = f.file ? epoll_control(ep.file, op, fd, f.file, &ev) : -EBADF;
	fdref_put(f);
	fdref_put(ep);
	return err;
}

static int64_t do_epoll_wait(int epfd, uaddr_t events, int max, nsec_t deadline)
{
	struct fdref ep;
	int64_t ret;

	if (max <= 0 || (size_t)max > INT32_MAX / sizeof(struct abi_epoll_event))
		return -EINVAL;
	if (!user_range_ok(events, (uint64_t)max * sizeof(struct abi_epoll_event)))
		return -EFAULT;
	ep = fdref_get(epfd);
	if (ep.file == NULL)
		return -EBADF;
	ret = epoll_collect(ep.file, events, max, deadline);
	fdref_put(ep);
	return ret == -ERESTARTSYS ? -EINTR : ret;
}

static nsec_t msec_deadline(int32_t timeout)
{
	if (timeout < 0)
		return NSEC_MAX;
	return timeout ? deadline_after(timeout * NSEC_PER_MSEC) : 0;
}

int64_t sys_epoll_wait(int32_t epfd, uaddr_t events, int32_t max, int32_t timeout)
{
	return do_epoll_wait(epfd, events, max, msec_deadline(timeout));
}

static int64_t epoll_wait_masked(int epfd, uaddr_t events, int max, nsec_t deadline, uaddr_t mask,
				 uint64_t size)
{
	int64_t ret;
	int err;

	if ((err = signal_temp_mask_user(mask, size)))
		return err;
	ret = do_epoll_wait(epfd, events, max, deadline);
	signal_finish_temp_mask(ret == -EINTR);
	return ret;
}

int64_t sys_epoll_pwait(int32_t epfd, uaddr_t events, int32_t max, int32_t timeout, uaddr_t mask,
			uint64_t size)
{
	return epoll_wait_masked(epfd, events, max, msec_deadline(timeout), mask, size);
}

int64_t sys_epoll_pwait2(int32_t epfd, uaddr_t events, int32_t max, uaddr_t timeout, uaddr_t mask,
			 uint64_t size)
{
	nsec_t deadline;
	int err;

	if ((err = user_deadline(timeout, &deadline)))
		return err;
	return epoll_wait_masked(epfd, events, max, deadline, mask, size);
}

#include "sys/syscalls.h"

/* mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2), mq_getsetattr(2). */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signal.h"
#include "core/clock.h"
#include "pseudofs/mqueue.h"
#include "sys/timeval.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/walk.h"
#include "vm/usercopy.h"

int64_t sys_mq_open(uaddr_t uname, uint32_t oflag, uint32_t mode, uaddr_t uattr)
{
	struct abi_mq_attr attr, *wanted = NULL;
	struct user_path name;
	struct file *f;
	int fd, err;

	if (!uaddr_is_null(uattr)) {
		if (copy_from_user(&attr, uattr, sizeof(attr)))
			return -EFAULT;
		wanted = &attr;
	}
	if ((err = user_path_get(&name, uname, 0)))
		return err;
	if ((fd = fd_reserve(0, true)) < 0) {
		err = fd;
	} else if ((err = mqueue_open(name.name, oflag, mode, wanted, &f))) {
		fd_unreserve(fd);
	} else {
		fd_install(fd, f);
	}
	user_path_put(&name);
	return err ? err : fd;
}

int64_t sys_mq_unlink(uaddr_t uname)
{
	struct user_path name;
	int err = user_path_get(&name, uname, 0);

	if (err)
		return err;
	err = mqueue_unlink(name.name);
	user_path_put(&name);
	return err;
}

/* An absolute time of CLOCK_REALTIME; null: for ever. */
static int get_deadline(uaddr_t abs, nsec_t *out)
{
	nsec_t t;
	int err;

	*out = NSEC_MAX;
	if (uaddr_is_null(abs))
		return 0;
	if ((err = get_user_timespec(&t, abs)) || t == NSEC_MAX)
		return err;
	*out = MAX(t - clock_real_offset(), 0l);
	return 0;
}

int64_t sys_mq_timedsend(int fd, uaddr_t text, uint64_t len, uint32_t prio, uaddr_t abs_timeout)
{
	nsec_t deadline;
	struct fdref r;
	int err;

	if ((err = get_deadline(abs_timeout, &deadline)))
		return err;
	if (prio >= MQ_PRIO_MAX)
		return -EINVAL;
	r = fdref_get(fd);
	if (!r.file)
		return -EBADF;
	err = mqueue_send(r.file, text, len, prio, deadline);
	fdref_put(r);
	return err;
}

int64_t sys_mq_timedreceive(int fd, uaddr_t text, uint64_t len, uaddr_t uprio, uaddr_t abs_timeout)
{
	nsec_t deadline;
	struct fdref r;
	uint32_t prio;
	ssize64_t res;
	int err;

	if ((err = get_deadline(abs_timeout, &deadline)))
		return err;
	r = fdref_get(fd);
	if (!r.file)
		return -EBADF;
	res = mqueue_receive(r.file, text, len, &prio, deadline);
	fdref_put(r);
	if (res >= 0 && !uaddr_is_null(uprio) && put_user_u32(uprio, prio))
		return -EFAULT;
	return res;
}

int64_t sys_mq_notify(int fd, uaddr_t sevp)
{
	struct abi_sigevent ev;
	struct fdref r;
	int err;

	if (!uaddr_is_null(sevp) && copy_from_user(&ev, sevp, sizeof(ev)))
		return -EFAULT;
	r = fdref_get(fd);
	if (!r.file)
		return -EBADF;
	err = mqueue_notify(r.file, uaddr_is_null(sevp) ? NULL : &ev);
	fdref_put(r);
	return err;
}

static void set_nonblock(struct file *f, bool on)
{
	if (on)
		atomic_fetch_or_explicit(&f->flags, (uint32_t)O_NONBLOCK, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&f->flags, ~(uint32_t)O_NONBLOCK, memory_order_relaxed);
}

int64_t sys_mq_getsetattr(int fd, uaddr_t unew, uaddr_t uold)
{
	struct abi_mq_attr new, old;
	struct fdref r;
	int err;

	if (!uaddr_is_null(unew)) {
		if (copy_from_user(&new, unew, sizeof(new)))
			return -EFAULT;
		if (new.mq_flags & ~(int64_t)O_NONBLOCK)
			return -EINVAL;
	}
	r = fdref_get(fd);
	if (!r.file)
		return -EBADF;
	err = mqueue_getattr(r.file, &old);
	if (!err && !uaddr_is_null(unew))
		set_nonblock(r.file, new.mq_flags &O_NONBLOCK);
	fdref_put(r);
	if (!err && !uaddr_is_null(uold) && copy_to_user(uold, &old, sizeof(old)))
		err = -EFAULT;
	return err;
}

/* eventfd(2), timerfd_create(2), signalfd(2). */

#include "abi/errno.h"
#include "abi/eventfd.h"
#include "abi/fcntl.h"
#include "abi/signalfd.h"
#include "abi/time.h"
#include "abi/timerfd.h"
#include "proc/signalfd.h"
#include "sys/syscalls.h"
#include "sys/timeval.h"
#include "vfs/cred.h"
#include "vfs/eventfd.h"
#include "vfs/fdtable.h"
#include "vm/usercopy.h"

static int64_t install(struct file *f, bool cloexec)
{
	int fd = fd_add(f, cloexec);

	if (fd < 0)
		file_put(f);
	return fd;
}

int64_t sys_eventfd2(uint32_t initval, uint32_t flags)
{
	struct file *f;
	int err;

	if (flags & ~(uint32_t)(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE))
		return -EINVAL;
	if ((err = eventfd_open(initval, flags, &f)))
		return err;
	return install(f, flags & EFD_CLOEXEC);
}

int64_t sys_eventfd(uint32_t initval)
{
	return sys_eventfd2(initval, 0);
}

static bool timerfd_clock_ok(int clockid)
{
	return clockid == CLOCK_REALTIME || clockid == CLOCK_MONOTONIC ||
	       clockid == CLOCK_BOOTTIME || clockid == CLOCK_REALTIME_ALARM ||
	       clockid == CLOCK_BOOTTIME_ALARM;
}

int64_t sys_timerfd_create(int32_t clockid, uint32_t flags)
{
	struct file *f;
	int err;

	if (flags & ~(uint32_t)(TFD_CLOEXEC | TFD_NONBLOCK) || !timerfd_clock_ok(clockid))
		return -EINVAL;
	if ((clockid == CLOCK_REALTIME_ALARM || clockid == CLOCK_BOOTTIME_ALARM) &&
	    !capable(CAP_WAKE_ALARM))
		return -EPERM;
	if ((err = timerfd_open(clockid, flags & TFD_NONBLOCK, &f)))
		return err;
	return install(f, flags & TFD_CLOEXEC);
}

static int put_itimerspec(uaddr_t p, nsec_t value, nsec_t interval)
{
	struct abi_itimerspec its = { .it_interval = nsec_to_timespec(interval),
				      .it_value = nsec_to_timespec(value) };

	return copy_to_user(p, &its, sizeof(its));
}

int64_t sys_timerfd_settime(int32_t fd, uint32_t flags, uaddr_t new_value, uaddr_t old_value)
{
	struct abi_itimerspec its;
	nsec_t value, interval, ov, oi;
	struct fdref r;
	int err;

	if (flags & ~(uint32_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	if (copy_from_user(&its, new_value, sizeof(its)))
		return -EFAULT;
	if ((err = timespec_to_nsec(&its.it_value, &value)) ||
	    (err = timespec_to_nsec(&its.it_interval, &interval)))
		return err;
	r = fdref_get(fd);
	if (r.file == NULL)
		return -EBADF;
	err = timerfd_set(r.file, flags & TFD_TIMER_ABSTIME, flags & TFD_TIMER_CANCEL_ON_SET, value,
			  interval, &ov, &oi);
	fdref_put(r);
	if (!err && !uaddr_is_null(old_value))
		err = put_itimerspec(old_value, ov, oi);
	return err;
}

int64_t sys_timerfd_gettime(int32_t fd, uaddr_t curr_value)
{
	struct fdref r = fdref_get(fd);
	nsec_t value, interval;
	int err = r.file ? timerfd_get(r.file, &value, &interval) : -EBADF;

	fdref_put(r);
	return err ? err : put_itimerspec(curr_value, value, interval);
}

int64_t sys_signalfd4(int32_t fd, uaddr_t mask, uint64_t sizemask, uint32_t flags)
{
	struct file *f;
	struct fdref r;
	uint64_t set;
	int err;

	if (sizemask != sizeof(set) || flags & ~(uint32_t)(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	if (get_user_u64(&set, mask))
		return -EFAULT;
	if (fd == -1) {
		if ((err = signalfd_open(set, flags & SFD_NONBLOCK, &f)))
			return err;
		return install(f, flags & SFD_CLOEXEC);
	}
	r = fdref_get(fd);
	err = r.file ? signalfd_set_mask(r.file, set) : -EBADF;
	fdref_put(r);
	return err ? err : fd;
}

int64_t sys_signalfd(int32_t fd, uaddr_t mask, uint64_t sizemask)
{
	return sys_signalfd4(fd, mask, sizemask, 0);
}

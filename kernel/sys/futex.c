#include "sys/syscalls.h"

/* futex(2), and the robust list of a thread. */

#include "abi/errno.h"
#include "abi/futex.h"
#include "proc/futex.h"
#include "proc/task.h"
#include "sys/timeval.h"
#include "vm/usercopy.h"

static bool takes_timeout(unsigned cmd)
{
	return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI ||
	       cmd == FUTEX_LOCK_PI2 || cmd == FUTEX_WAIT_REQUEUE_PI;
}

/* The fourth argument is a timespec's address or a number, as the operation says. */
static NOINLINE int64_t futex_with_fourth(uaddr_t uaddr, uint32_t op, uint32_t val, uint64_t fourth,
					  uaddr_t uaddr2, uint32_t val3)
{
	nsec_t t;
	int err;

	if (!takes_timeout(op & (unsigned)FUTEX_CMD_MASK))
		return futex_op(uaddr, (int)op, val, NSEC_MAX, false, (uint32_t)fourth, uaddr2,
				val3);
	err = get_user_timespec(&t, UADDR(fourth));
	return err ? err : futex_op(uaddr, (int)op, val, t, true, 0, uaddr2, val3);
}

int64_t sys_futex(uaddr_t uaddr, uint32_t op, uint32_t val, uint64_t timeout, uaddr_t uaddr2,
		  uint32_t val3)
{
	if (timeout != 0)
		return futex_with_fourth(uaddr, op, val, timeout, uaddr2, val3);
	return futex_op(uaddr, (int)op, val, NSEC_MAX, false, 0, uaddr2, val3);
}

int64_t sys_futex_waitv(uaddr_t waiters, uint32_t n, uint32_t flags, uaddr_t timeout, int32_t clock)
{
	nsec_t t = NSEC_MAX;
	int err;

	if (flags != 0 || n == 0 || n > FUTEX_WAITV_MAX || uaddr_is_null(waiters))
		return -EINVAL;
	if (!uaddr_is_null(timeout)) {
		if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
			return -EINVAL;
		if ((err = get_user_timespec(&t, timeout)))
			return err;
	}
	return futex_wait_multiple(waiters, n, futex_deadline(clock == CLOCK_REALTIME, t));
}

int64_t sys_set_robust_list(uint64_t head, uint64_t len)
{
	if (len != sizeof(struct abi_robust_list_head))
		return -EINVAL;
	curtask()->robust_list = UADDR(head);
	return 0;
}

int64_t sys_get_robust_list(int32_t pid, uaddr_t head_ptr, uaddr_t len_ptr)
{
	struct task *t = curtask();
	uint64_t head;
	int err = 0;

	if (pid != 0) {
		t = task_lookup((uint32_t)pid);
		if (t == NULL)
			return -ESRCH;
		err = task_may_access(t, ACCESS_READ);
	}
	head = t->robust_list.a;
	if (pid != 0)
		task_put(t);
	if (err)
		return err;
	if (put_user_u64(len_ptr, sizeof(struct abi_robust_list_head)))
		return -EFAULT;
	return put_user_u64(head_ptr, head);
}

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
	return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2 ||
	       cmd == FUTEX_WAIT_REQUEUE_PI;
}

int64_t sys_futex(uaddr_t uaddr, uint32_t op, uint32_t val, uint64_t timeout, uaddr_t uaddr2, uint32_t val3)
{
	bool has_timeout = timeout != 0 && takes_timeout(op & (unsigned)FUTEX_CMD_MASK);
	nsec_t t = NSEC_MAX;
	int err;

	if (has_timeout && (err = get_user_timespec(&t, UADDR(timeout))))
		return err;
	return futex_op(uaddr, (int)op, val, t, has_timeout, (uint32_t)timeout, uaddr2, val3);
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

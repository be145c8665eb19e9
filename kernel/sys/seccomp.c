#include "sys/syscalls.h"

/* seccomp(2). */

#include "abi/errno.h"
#include "abi/seccomp.h"
#include "proc/seccomp.h"
#include "vm/usercopy.h"

static int64_t set_filter(uint32_t flags, uaddr_t args)
{
	const uint32_t known = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
			       SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_NEW_LISTENER |
			       SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
			       SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	const uint32_t two_results = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER;

	if (flags & ~known)
		return -EINVAL;
	/* One result cannot be a descriptor as well as the number of a thread. */
	if ((flags & two_results) == two_results && !(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return -EINVAL;
	if ((flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) &&
	    !(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return -EINVAL;
	return seccomp_set_filter(flags, args);
}

static int64_t get_action_avail(uaddr_t args)
{
	uint32_t action;

	if (get_user_u32(&action, args))
		return -EFAULT;
	return seccomp_has_action(action) ? 0 : -EOPNOTSUPP;
}

static int64_t get_notif_sizes(uaddr_t args)
{
	static const struct abi_seccomp_notif_sizes sizes = {
		.seccomp_notif = sizeof(struct abi_seccomp_notif),
		.seccomp_notif_resp = sizeof(struct abi_seccomp_notif_resp),
		.seccomp_data = sizeof(struct abi_seccomp_data),
	};

	return copy_to_user(args, &sizes, sizeof(sizes));
}

int64_t sys_seccomp(uint32_t operation, uint32_t flags, uaddr_t args)
{
	if (operation == SECCOMP_SET_MODE_FILTER)
		return set_filter(flags, args);
	if (flags != 0)
		return -EINVAL;
	switch (operation) {
	case SECCOMP_SET_MODE_STRICT:
		return uaddr_is_null(args) ? seccomp_set_strict() : -EINVAL;
	case SECCOMP_GET_ACTION_AVAIL:
		return get_action_avail(args);
	case SECCOMP_GET_NOTIF_SIZES:
		return get_notif_sizes(args);
	default:
		return -EINVAL;
	}
}

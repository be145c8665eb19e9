#include "sys/syscalls.h"

/*
 * kcmp(2): whether two tasks share something. The order of two different objects is that of their
 * addresses behind a secret permutation, so it can be sorted by and tells nothing else.
 */

#include "abi/errno.h"
#include "abi/kcmp.h"
#include "core/random.h"
#include "proc/task.h"
#include "vfs/epoll.h"
#include "vfs/fdtable.h"
#include "vfs/walk.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

/* An odd multiplier and a mask: a bijection. Made at the first call, whoever comes first. */
static uint64_t obscure(const void *p)
{
	static _Atomic uint64_t secret;
	uint64_t s = atomic_load_explicit(&secret, memory_order_relaxed), fresh;

	if (s == 0) {
		random_bytes(&fresh, sizeof(fresh));
		if (atomic_compare_exchange_strong(&secret, &s, fresh | 1))
			s = fresh | 1;
	}
	return ((uint64_t)(uintptr_t)p ^ s >> 3) * s;
}

static int order(const void *a, const void *b)
{
	uint64_t x = obscure(a), y = obscure(b);

	return x == y ? 0 : x < y ? 1 : 2;
}

/* The object, only to be compared. -EBADF. */
static int file_of(struct task *t, uint64_t fd, const void **out)
{
	struct fdtable *files = task_get_files(t);
	struct file *f = files == NULL || fd > INT32_MAX ? NULL : fdtable_get_file(files, (int)fd);

	if (files != NULL)
		fdtable_put(files);
	if (f == NULL)
		return -EBADF;
	*out = f;
	file_put(f);
	return 0;
}

static int object_of(struct task *t, int type, uint64_t idx, const void **out)
{
	switch (type) {
	case KCMP_FILE:
		return file_of(t, idx, out);
	case KCMP_VM:
		*out = t->thread.vmspace;
		return 0;
	case KCMP_FILES:
		*out = t->thread.files;
		return 0;
	case KCMP_FS:
		*out = t->thread.fs;
		return 0;
	case KCMP_SIGHAND:
		*out = t->sighand;
		return 0;
	case KCMP_SYSVSEM:
		*out = t->sem_undo;
		return 0;
	case KCMP_IO: /* nobody has one of these, so all have the same */
		*out = NULL;
		return 0;
	default:
		return -EINVAL;
	}
}

static int compare(struct task *t1, struct task *t2, int type, uint64_t i1, uint64_t i2)
{
	const void *a, *b;
	int err;

	if ((err = task_may_access(t1, ACCESS_READ)) || (err = task_may_access(t2, ACCESS_READ)) ||
	    (err = object_of(t1, type, i1, &a)) || (err = object_of(t2, type, i2, &b)))
		return err;
	return order(a, b);
}

/* What `slot` of the second task's epoll watches. */
static int watched_of(struct task *t, uaddr_t user, const void **out)
{
	struct abi_kcmp_epoll_slot slot;
	struct fdtable *files;
	struct file *ep;
	int err;

	if (copy_from_user(&slot, user, sizeof(slot)))
		return -EFAULT;
	files = task_get_files(t);
	ep = files == NULL || slot.efd > INT32_MAX ? NULL : fdtable_get_file(files, (int)slot.efd);
	if (files != NULL)
		fdtable_put(files);
	if (ep == NULL)
		return -EBADF;
	err = epoll_target(ep, (int)slot.tfd, slot.toff, out);
	file_put(ep);
	return err;
}

static int compare_watched(struct task *t1, struct task *t2, uint64_t fd, uaddr_t slot)
{
	const void *a, *b;
	int err;

	if ((err = task_may_access(t1, ACCESS_READ)) || (err = task_may_access(t2, ACCESS_READ)) ||
	    (err = file_of(t1, fd, &a)) || (err = watched_of(t2, slot, &b)))
		return err;
	return order(a, b);
}

int64_t sys_kcmp(int32_t pid1, int32_t pid2, int32_t type, uint64_t idx1, uint64_t idx2)
{
	struct task *t1 = task_lookup((uint32_t)pid1), *t2 = task_lookup((uint32_t)pid2);
	int ret = -ESRCH;

	if (t1 != NULL && t2 != NULL)
		ret = type == KCMP_EPOLL_TFD ? compare_watched(t1, t2, idx1, UADDR(idx2))
					     : compare(t1, t2, type, idx1, idx2);

	task_put(t1);
	task_put(t2);
	return ret;
}

#include "sys/syscalls.h"

/* semget(2), semop(2), semtimedop(2), semctl(2). */

#include "abi/errno.h"
#include "pmm/slab.h"
#include "proc/ipc/sem.h"
#include "sys/timeval.h"
#include "vm/usercopy.h"

enum { FAST_OPS = 16 };

int64_t sys_semget(int32_t key, int32_t nsems, uint64_t semflg)
{
	return sem_get(key, nsems, (int)semflg);
}

static int64_t operate(int id, uaddr_t usops, uint64_t n, const nsec_t *span)
{
	struct abi_sembuf fast[FAST_OPS], *ops = fast;
	int64_t res;

	if (n > (uint64_t)sem_limits[SEM_OPM])
		return -E2BIG;
	if (n == 0)
		return -EINVAL;
	if (n > FAST_OPS && (ops = kcalloc(n, sizeof(*ops))) == NULL)
		return -ENOMEM;
	if (copy_from_user(ops, usops, n * sizeof(*ops)))
		res = -EFAULT;
	else if (id < 0 || (span != NULL && *span < 0))
		res = -EINVAL;
	else
		res = sem_operate(id, ops, (unsigned)n,
				  span != NULL ? deadline_after(*span) : NSEC_MAX);
	if (ops != fast)
		kfree(ops);
	return res;
}

int64_t sys_semop(int32_t semid, uaddr_t sops, uint64_t nsops)
{
	return operate(semid, sops, nsops, NULL);
}

int64_t sys_semtimedop(int32_t semid, uaddr_t sops, uint64_t nsops, uaddr_t timeout)
{
	nsec_t span = -1;

	if (uaddr_is_null(timeout))
		return operate(semid, sops, nsops, NULL);
	/* A time that is wrong is said last of what is wrong. */
	return get_user_timespec(&span, timeout) == -EFAULT ? -EFAULT
							    : operate(semid, sops, nsops, &span);
}

/* --- semctl --- */

static int64_t stat(int id, int cmd, uaddr_t buf)
{
	struct abi_semid64_ds ds;
	int res = sem_stat(id, cmd, &ds);

	return res >= 0 && copy_to_user(buf, &ds, sizeof(ds)) ? -EFAULT : res;
}

static int64_t set(int id, uaddr_t buf)
{
	struct abi_semid64_ds ds;

	return copy_from_user(&ds, buf, sizeof(ds)) ? -EFAULT : sem_set_owner(id, &ds);
}

static int64_t info(bool used, uaddr_t buf)
{
	struct abi_seminfo si;

	sem_info(used, &si);
	return copy_to_user(buf, &si, sizeof(si)) ? -EFAULT : ipc_highest(&sem_ids);
}

static int64_t all_values(int id, bool set_them, uaddr_t array)
{
	uint16_t *values;
	unsigned n;
	struct ipc *p;
	int64_t res;

	if ((res = sem_open(id, set_them ? IPC_W : IPC_R, &p, &n)))
		return res;
	if ((values = kcalloc(n, sizeof(*values))) == NULL)
		res = -ENOMEM;
	else if (set_them)
		res = copy_from_user(values, array, n * sizeof(*values)) ? -EFAULT
									 : sem_set_all(p, values);
	else if ((res = sem_get_all(p, values)) == 0)
		res = copy_to_user(array, values, n * sizeof(*values)) ? -EFAULT : 0;
	kfree(values);
	ipc_put(p);
	return res;
}

int64_t sys_semctl(int32_t semid, int32_t semnum, int32_t cmd, uint64_t arg)
{
	if (semid < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return stat(semid, cmd, UADDR(arg));
	case IPC_SET:
		return set(semid, UADDR(arg));
	case IPC_RMID:
		return sem_remove(semid);
	case IPC_INFO:
	case SEM_INFO:
		return info(cmd == SEM_INFO, UADDR(arg));
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
		return sem_query(semid, semnum, cmd);
	case SETVAL:
		return sem_set_value(semid, semnum, (int)arg);
	case GETALL:
	case SETALL:
		return all_values(semid, cmd == SETALL, UADDR(arg));
	default:
		return -EINVAL;
	}
}

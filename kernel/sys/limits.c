#include "sys/syscalls.h"

/* getrlimit(2) and its relatives, and getrusage(2). */

#include "abi/errno.h"
#include "abi/resource.h"
#include "proc/exit.h"
#include "proc/rlimit.h"
#include "proc/task.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vm/usercopy.h"

/* Limits of another process are those of a process with the same ids: prlimit(2). */
static int check_target(struct process *p)
{
	const struct cred *me = current_cred(), *it;
	struct task *t;
	bool same;

	if (p == curproc() || capable(CAP_SYS_RESOURCE))
		return 0;
	t = process_get_leader(p);
	if (t == NULL)
		return -ESRCH;
	it = task_get_cred(t);
	same = me->uid == it->euid && me->uid == it->suid && me->uid == it->uid &&
	       me->gid == it->egid && me->gid == it->sgid && me->gid == it->gid;
	cred_put(it);
	task_put(t);
	return same ? 0 : -EPERM;
}

static int set_limit(struct process *p, uint32_t resource, const struct abi_rlimit *new,
		     struct abi_rlimit *old)
{
	if (resource >= RLIM_NLIMITS || (new != NULL &&new->rlim_cur > new->rlim_max))
		return -EINVAL;
	if (new != NULL && resource == RLIMIT_NOFILE &&new->rlim_max > vfs_nr_open)
		return -EPERM;
	return process_set_rlimit(p, resource, new, old);
}

static int get_user_rlimit(struct abi_rlimit *l, uaddr_t p)
{
	return copy_from_user(l, p, sizeof(*l));
}

int64_t sys_getrlimit(uint32_t resource, uaddr_t rlim)
{
	struct abi_rlimit old;
	int err;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	err = set_limit(curproc(), resource, NULL, &old);
	return err ? err : copy_to_user(rlim, &old, sizeof(old));
}

int64_t sys_setrlimit(uint32_t resource, uaddr_t rlim)
{
	struct abi_rlimit new, old;

	if (get_user_rlimit(&new, rlim))
		return -EFAULT;
	return set_limit(curproc(), resource, &new, &old);
}

int64_t sys_prlimit64(int32_t pid, uint32_t resource, uaddr_t new_limit, uaddr_t old_limit)
{
	struct process *p = curproc();
	struct abi_rlimit new, old;
	struct task *t = NULL;
	int err;

	if (!uaddr_is_null(new_limit) && get_user_rlimit(&new, new_limit))
		return -EFAULT;
	if (pid != 0) {
		t = task_lookup((uint32_t)pid);
		if (t == NULL)
			return -ESRCH;
		p = t->process;
	}
	err = check_target(p);
	if (err == 0)
		err = set_limit(p, resource, uaddr_is_null(new_limit) ? NULL : &new, &old);
	task_put(t);
	return err || uaddr_is_null(old_limit) ? err : copy_to_user(old_limit, &old, sizeof(old));
}

int64_t sys_getrusage(int32_t who, uaddr_t usage)
{
	struct abi_rusage ru;

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return -EINVAL;
	process_rusage(curproc(), who, &ru);
	return copy_to_user(usage, &ru, sizeof(ru));
}

#include "proc/proc_priv.h"

/*
 * May one process look into another: ptrace(2) "Ptrace access mode checking". /proc and
 * process_vm_readv(2) ask.
 */

#include "abi/errno.h"
#include "vfs/cred.h"
#include "vm/vmspace.h"

static bool same_ids(const struct cred *me, const struct cred *it, bool fsids)
{
	uint32_t uid = fsids ? me->fsuid : me->uid, gid = fsids ? me->fsgid : me->gid;

	return uid == it->euid && uid == it->suid && uid == it->uid && gid == it->egid &&
	       gid == it->sgid && gid == it->gid;
}

bool task_is_dumpable(struct task *t)
{
	struct vmspace *vs = task_get_vmspace(t);
	bool dumpable = vs == NULL || vs->dumpable == 1;

	if (vs != NULL)
		vmspace_put(vs);
	return dumpable;
}

int task_may_access(struct task *t, enum access_mode mode)
{
	const struct cred *me = current_cred(), *it;
	bool ok;

	if (t->process == curproc() || cred_has_cap(me, CAP_SYS_PTRACE))
		return 0;
	it = task_get_cred(t);
	ok = same_ids(me, it, mode == ACCESS_READ) && (it->cap_permitted & ~me->cap_permitted) == 0;
	cred_put(it);
	return ok && task_is_dumpable(t) ? 0 : -EPERM;
}
